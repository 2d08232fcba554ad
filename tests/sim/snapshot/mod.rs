// SPDX-License-Identifier: Apache-2.0

//! The bridge before platforms that tell whole orders and count their changes: a Kakao-style one and a TripStore-style one with the travel
//! agency behind it. Both keep books of their own ([`books`]), and the books are the judge.

pub(crate) mod books;
pub(crate) mod kakao;
pub(crate) mod tripstore;

mod check;
mod op;
mod play;
mod reproductions;
mod world;

pub(crate) use play::Sim;

/// Where the Kakao-style platform is.
pub(crate) const KAKAO_BASE: &str = "https://kakao.example";
/// Where the marketplace is.
pub(crate) const TRIP_BASE: &str = "https://trip.example";
/// Where the agency's books are.
pub(crate) const AGENCY_BASE: &str = "https://erp.example";
