// SPDX-License-Identifier: Apache-2.0

//! What policy does by itself, given an order and the time: the one place where a decision falls without a person.

mod confirmation;
mod redemption;
mod refund;
mod returned;

use crate::message::{Actor, Command};
use crate::order::Order;
use crate::time::UnixMillis;

/// The next command that policy gives, or `None` when there is nothing to do but wait.
pub fn next_step(order: &Order, now: UnixMillis) -> Option<(Actor, Command)> {
    let command = confirmation::decide_booking(order)
        .or_else(|| confirmation::cancel_without_tickets(order))
        .or_else(|| refund::decide_refund(order))
        .or_else(|| returned::return_what_is_held(order, now))
        .or_else(|| redemption::apply_parked_redemption(order, now))?;
    Some((Actor::policy(), command))
}
