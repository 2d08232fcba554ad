// SPDX-License-Identifier: Apache-2.0

//! Partners: one folder each, translators without IO.
//!
//! A partner is a folder, its `pub mod` here, and one line in [`CHANNELS`] or [`BACKENDS`]. Adapters never open a socket,
//! read a clock or see the database; what they translate between is `ticketbridge_core::port`. Recorded requests and
//! answers in `<partner>/cases/*.toml` are their tests, run by `cases.rs`, so that a new partner needs no test code.

mod about;
mod address;
pub mod code_pool;
pub mod douyin;
mod fat_events;
pub mod kakao;
mod objects;
pub mod octo;
pub mod octo_reseller;
mod one_reading;
pub mod reading;
mod rewrites;
pub mod schemas;
pub mod settings;
pub mod standard_webhooks;
pub mod ticketing_http;
pub mod tripstore;
mod uuids;

use ticketbridge_core::port::{BackendKind, ChannelKind};

/// Every kind of channel.
pub static CHANNELS: &[ChannelKind] = &[douyin::KIND, kakao::KIND, octo_reseller::KIND, tripstore::KIND];

/// Every kind of back-end.
pub static BACKENDS: &[BackendKind] = &[code_pool::KIND, octo::KIND, ticketing_http::KIND];

#[cfg(test)]
mod cases;
#[cfg(test)]
mod fixture;
