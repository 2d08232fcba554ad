// SPDX-License-Identifier: Apache-2.0

//! Visits that waited, and can be recorded now.

use crate::message::{Command, GateCount, Redeem, RedeemedBy};
use crate::order::{BookingState, Order, ParkedRedemption};
use crate::time::UnixMillis;

pub(super) fn apply_parked_redemption(order: &Order, now: UnixMillis) -> Option<Command> {
    let parked = order.parked_redemption.as_ref()?;
    let booking = order.active_booking().filter(|b| b.id == parked.booking && b.state == BookingState::Confirmed)?;
    let ticketed = order.could_admit(booking);
    let has_come = booking.visit_date.is_none_or(|date| order.rules.channel.time_zone.date_of(now) >= date);
    (ticketed && has_come && order.case_before_use().is_none()).then(|| Command::Redeem(again(parked)))
}

/// What was told before; of some of the guests the order knows which.
fn again(parked: &ParkedRedemption) -> Redeem {
    let count = parked.in_part.then(GateCount::default);
    Redeem { booking: Some(parked.booking.clone()), at: parked.at, by: RedeemedBy::Gate, count }
}
