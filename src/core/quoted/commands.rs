// SPDX-License-Identifier: Apache-2.0

//! Commands and outcomes with what outsiders say in their own words masked before anything is decided on them.
//!
//! What that is, each type says of itself ([`super::texts`]). What is kept exactly, because a partner is told it again (numbers, names of
//! tickets), lives in sealed places and is masked where it leaves them.

use std::borrow::Cow;

use super::Guests;
use super::texts::Texts as _;
use crate::message::Command;
use crate::order::Order;
use crate::port::CallResult;

impl Command {
    /// The command with what its free text says of the order's guests masked.
    pub fn without_guests(&self, order: &Order) -> Cow<'_, Command> {
        // A clone of a whole order only to find nothing in it would cost every message of a channel. What these say is kept as it came, in
        // the sealed document.
        if matches!(self, Command::SyncSnapshot { .. } | Command::PlaceOrder(..) | Command::RequestBooking(_)) {
            return Cow::Borrowed(self);
        }
        let mut command = self.clone();
        let mut found = Vec::new();
        command.free(&mut found);
        if found.is_empty() {
            return Cow::Borrowed(self);
        }
        let guests = Guests::of(order);
        found.into_iter().for_each(|text| text.mask(&guests));
        Cow::Owned(command)
    }
}

impl<T> CallResult<T> {
    /// The result with what the partner says of the order's guests masked, in its code too.
    pub fn without_guests(self, order: &Order) -> Self {
        let guests = Guests::of(order);
        match self {
            CallResult::Retry { why, after } => CallResult::Retry { why: why.for_guests(&guests), after },
            CallResult::Refused { code, why } => {
                CallResult::Refused { code: code.for_guests(&guests), why: why.for_guests(&guests) }
            }
            CallResult::Unknown { why } => CallResult::Unknown { why: why.for_guests(&guests) },
            CallResult::Astray { why } => CallResult::Astray { why: why.for_guests(&guests) },
            CallResult::Done(_) | CallResult::Absent | CallResult::Overtaken | CallResult::TokenRejected => self,
        }
    }
}
