// SPDX-License-Identifier: Apache-2.0

//! An OCTO supplier of our own: a booking system of an attraction with books by which a bridge is judged, a switch for whatever real
//! servers do differently (`adapters/octo/README.md`), and faults for every write.
//!
//! [`books`] is a plain state machine, to which sockets and time are given; [`products`] what it sells, [`catalogue`] when there is room;
//! [`switches`] how it behaves, [`push`] whom it tells;
//! [`conduct`] what it holds against a reseller; [`serve`] puts it on a socket and breaks calls.

pub mod books;

mod answer;
mod catalogue;
mod conduct;
mod products;
mod push;
mod serve;
mod shown;
mod status;
mod subscription;
mod switches;

#[cfg(test)]
mod tests;

pub use answer::Said;
pub use books::{Asked, Booked, Books};
pub use products::{BOAT, OPTION, PASS, PRODUCT, UNIT};
pub use serve::{Fault, SimOcto, SimOctoOptions, Write};
pub use status::Status;
pub use subscription::Generation;
pub use switches::{OwnError, RepeatedReserve, Switches};
