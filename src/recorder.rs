// SPDX-License-Identifier: Apache-2.0

//! The recorder: what came in, what went out and came back, and which housekeeping ran, whole, for as long as `[recorder] keep` says. From
//! it `ticketbridge record export` makes a file by which another version, or another configuration, can be tried ([`crate::replay`]).
//!
//! [`acted`] is who did what, [`rights`] what he may do, [`tape`] writes it down beside the work, [`Recording`] is the way out of which it is told, `about` is which orders an act or a list was about, `whole` is where the tape breaks off, `tokens` is what was held when a recording began, `course` is when each step of what takes its time was done, [`turns`] is in which order it was decided, [`mask`] puts stand-ins for guests, [`outcome`] says what an order had become, [`mod@file`] is
//! what one exports to, [`export`] puts it together.

mod about;
pub mod acted;
mod before;
pub(crate) mod course;
pub mod export;
pub mod file;
pub mod mask;
pub mod outcome;
mod pieces;
pub mod rights;
pub mod tape;
mod tokens;
pub mod turns;
mod way_out;
mod whole;

pub use tape::Recorder;
pub use way_out::Recording;
