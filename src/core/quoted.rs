// SPDX-License-Identifier: Apache-2.0

//! Free text quotes people: a back-end refuses "the card of so-and-so", a channel writes a phone into an error code, a colleague notes
//! whom she has called. Nothing of that is ours to publish.
//!
//! What outsiders write is kept in sealed places only: the order's document, its history, the deliveries. Wherever it leaves those (a
//! column in clear, an answer, a log line, a metric) it goes through this module. [`Guests`] knows an order's own people and masks them in any
//! writing; [`Quoted`] is text that has been masked, and what places in clear accept. What others write travels as [`FreeText`], which
//! nobody can show unmasked. What may be a phone, a document or an e-mail
//! address of somebody that nobody knows is masked by its looks ([`strangers`]).

mod as_written;
mod commands;
mod foreign;
mod guests;
mod orders;
mod strangers;
mod texts;
mod writing;

pub use foreign::{
    Code, Foreign, ForeignCode, ForeignName, ForeignNote, ForeignNumber, FreeText, Kind, Name, Note, Number, Sentence,
};
pub use guests::{Guests, Quoted};
pub use strangers::without_persons;

#[cfg(test)]
mod tests;
