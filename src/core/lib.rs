//! The canonical order: what tickets, bookings, refunds and money may do, whatever the channel.
//!
//! Everything here is pure, synchronous and total. There is no clock, no randomness, no network and no
//! database in this package, and Cargo sees to it: none of them is among its dependencies. Time and
//! identifiers come in as values ([`Moment`]).
//!
//! Reading order: [`order`] (the five axes), [`command`] (what can be asked), [`decide`] (the answer to
//! each question), [`event`] and [`evolve`] (what then is true), [`next_step`] (what policy does by itself).

pub mod command;
pub mod decide;
pub mod effect;
pub mod event;
pub mod evolve;
pub mod id;
pub mod invariants;
pub mod limits;
pub mod mirror;
pub mod money;
pub mod next_step;
pub mod order;
pub mod personal;
pub mod port;
pub mod product;
pub mod quoted;
pub mod rejection;
pub mod repeat;
pub mod retry;
pub mod rules;
pub mod run;
pub mod time;
pub mod unheard;
pub mod wanted;
pub mod words;

pub use command::Command;
pub use effect::{Effect, Report};
pub use event::{Actor, ActorKind, Event, EventRecord};
pub use id::*;
pub use order::Order;
pub use rejection::{Rejection, Why};
pub use run::{Answering, Outcome, run};
pub use time::{Date, Millis, Moment, TimeZone, UnixMillis};
