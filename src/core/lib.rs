// SPDX-License-Identifier: Apache-2.0

//! The canonical order: what tickets, bookings, refunds and money may do, whatever the channel.
//!
//! Everything here is pure, synchronous and total. There is no clock, no randomness, no network and no
//! database in this package, and Cargo sees to it: none of them is among its dependencies. Time and
//! identifiers come in as values ([`Moment`]).
//!
//! Reading order: [`order`] (the five axes), [`message`] (what can be asked, and what happens), [`decide`] (the answer to
//! each question), [`evolve`] (what then is true), [`policy`] (what it does by itself).

pub mod ciphers;
pub mod currency;
pub mod decide;
pub mod evolve;
pub mod id;
pub mod invariants;
pub mod limits;
pub mod message;
pub mod notification;
pub mod order;
pub mod personal;
pub mod policy;
pub mod port;
pub mod product;
pub mod quoted;
pub mod rejection;
pub mod repeat;
pub mod retry;
pub mod rules;
pub mod run;
pub mod shared_rules;
pub mod still_needed;
pub mod time;
pub mod variant;
pub mod words;

pub use id::*;
pub use message::{Actor, ActorKind, Command, Effect, Event, EventRecord, Notification};
pub use order::Order;
pub use rejection::{Rejection, Why};
pub use run::{Answering, Outcome, run};
pub use time::{Date, Millis, Moment, TimeZone, UnixMillis};
