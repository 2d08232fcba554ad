// SPDX-License-Identifier: Apache-2.0

//! What a platform sells or keeps: what its calls may do with it, and the events that tell of it.

use serde_json::{Value, json};
use std::fmt;

use super::asked::{Asked, Said};
use super::books::{Books, Kept, Violation};
use super::options::Faults;
use crate::journal::Party;
use crate::time::Zone;

/// What a platform sells or keeps, one of it: how it is told, and what its calls do with it.
pub trait Trade: Clone + fmt::Debug + Send + Sync + 'static {
    /// Who the platform is.
    const PARTY: Party;
    /// The name of the whole in messages: `reservation`, `booking`.
    const WHOLE: &'static str;
    /// How its numbers begin.
    const PREFIX: &'static str;
    /// What a timeline calls its calls, by the last parts of a path.
    fn name_of(asked: &Asked) -> &'static str;
    /// What a call that was carried out came to, in a few words for a timeline.
    fn came_to(_asked: &Asked, _answer: &Value) -> &'static str {
        "done"
    }
    /// The trade that a call is about.
    fn number_of(asked: &Asked) -> String {
        asked.part(1).to_owned()
    }
    /// The whole, as it is told.
    fn told(&self) -> Value;
    /// Carries out a call that is believed, or does not.
    fn carry_out(desk: &mut Desk<'_, Self>, asked: &Asked) -> Said;
}

/// What is in reach of a call that is carried out.
pub struct Desk<'a, T: Trade> {
    /// The books.
    pub books: &'a mut Books<T>,
    /// The switches.
    pub faults: &'a Faults,
    /// The time, milliseconds since 1970.
    pub now_ms: i64,
    pub(super) next_number: &'a mut u64,
    pub(super) tell: Vec<Event>,
}

impl<T: Trade> Desk<'_, T> {
    /// A new number that begins with `prefix`.
    pub fn number(&mut self, prefix: &str) -> String {
        *self.next_number += 1;
        numbered(prefix, self.now_ms, *self.next_number)
    }

    /// Enters a new trade that nobody is told of.
    pub fn enter(&mut self, number: &str, it: T) {
        self.books.trades.insert(number.to_owned(), Kept { revision: 1, it });
    }

    /// Writes down what the bridge must not do.
    pub fn violation(&mut self, number: &str, sentence: impl Into<String>) {
        self.books.violations.push(Violation { number: number.to_owned(), sentence: sentence.into() });
    }

    /// Changes a trade, counts its revision up, and tells of it once the call is answered.
    pub fn change(&mut self, number: &str, kind: &'static str, change: impl FnOnce(&mut T) -> Value) {
        let Some(kept) = self.books.trades.get_mut(number) else { return };
        let said = change(&mut kept.it);
        kept.revision += 1;
        *self.next_number += 1;
        let id = numbered("evt_", self.now_ms, *self.next_number);
        self.tell.push(Event::about(id, kind, number, kept, &said, self.now_ms));
    }
}

pub(super) fn numbered(prefix: &str, now_ms: i64, number: u64) -> String {
    format!("{prefix}{:09}{:04}", now_ms.rem_euclid(1_000_000_000), number % 10_000)
}

/// An event before it is sent. Its body is the same on every attempt, byte for byte.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its number, which is the `webhook-id`.
    pub id: String,
    /// What happened.
    pub kind: &'static str,
    /// The trade it is about.
    pub number: String,
    /// The trade's count of changes in it.
    pub revision: u64,
    pub(super) body: Vec<u8>,
}

impl Event {
    /// An event with the whole trade in it.
    pub(super) fn about<T: Trade>(
        id: String,
        kind: &'static str,
        number: &str,
        kept: &Kept<T>,
        change: &Value,
        now_ms: i64,
    ) -> Self {
        let body = json!({
            "event_id": id, "event_type": kind, "schema_version": "1", "occurred_at": Zone::SEOUL.written(now_ms),
            "revision": kept.revision, "partner_id": "p_77", "place_id": "pl_5", "agency_code": "AG-014",
            T::WHOLE: kept.it.told(), "change": change,
        });
        let body = body.to_string().into_bytes();
        Self { id, kind, number: number.to_owned(), revision: kept.revision, body }
    }
}
