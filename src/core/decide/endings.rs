// SPDX-License-Identifier: Apache-2.0

//! How bookings and orders end before their use, whoever ends them. Written once.

use crate::decide::draft::Draft;
use crate::decide::{sale, ticketing};
use crate::message::{DeadlineKind, Effect, Event};
use crate::order::{AttentionKind, Booking, CancelReason};
use crate::quoted::FreeText;
use crate::rules::capacity::{date_stock_key, voucher_stock_key};

/// How a booking ends before its use.
#[derive(Clone, Copy)]
pub(super) enum End<'a> {
    /// Nobody confirms it; the reason is written for the guest.
    Rejected(&'a FreeText),
    /// It was asked for, perhaps confirmed, and is off.
    Cancelled(CancelReason),
}

/// A booking ends: its tickets are voided, its date goes back on sale, and a voucher can be booked again.
///
/// A visit that has been keeps its place. Its tickets go with the money all the same: that a channel counts a visit as used does not mean
/// that anybody came, and a gate that let somebody in says so.
pub(super) fn end_booking(draft: &mut Draft, booking: &Booking, end: End<'_>) {
    let order = draft.order();
    ticketing::void(draft, booking);
    draft.event(match end {
        End::Rejected(reason) => Event::BookingRejected { reason: reason.to_owned() },
        End::Cancelled(reason) => Event::BookingCancelled { booking: booking.id.clone(), reason },
    });
    if booking.is_active() {
        return_date(draft, booking);
    }
    draft.maybe(sale::booking_window(&order.rules));
    if order.parked_for(booking) || order.entered_for(booking).is_some() {
        let sentence = "the booking was cancelled although the guest had entered; settle it with the channel";
        draft.flag(AttentionKind::RedeemedWhileRefunded, sentence);
    }
    draft.disarm(&[DeadlineKind::Ticketing, DeadlineKind::Acceptance, DeadlineKind::VisitDay]);
}

/// All units that the visit date still holds for the order go back on sale.
fn return_date(draft: &mut Draft, booking: &Booking) {
    let units = draft.held;
    let key = date_stock_key(&draft.order().rules.booking, booking.visit_date).filter(|_| units > 0);
    draft.maybe(key.map(|key| Effect::ReturnStock { key, units }));
}

/// The order ends before its use; its booking, if it has one, has ended before.
pub(super) fn end_order(draft: &mut Draft, reason: CancelReason, why: Option<&FreeText>) {
    let order = draft.order();
    draft.event(Event::OrderCancelled { reason, why: why.cloned() });
    let voucher = voucher_stock_key(&order.rules);
    draft.maybe(voucher.map(|key| Effect::ReturnStock { key, units: order.quantity }));
    if order.rules.voucher.is_some() {
        draft.disarm(&[DeadlineKind::BookingWindow]);
    }
}

/// The order ends before its use, and with it an active booking.
pub(super) fn end_all(draft: &mut Draft, reason: CancelReason, why: Option<&FreeText>) {
    let order = draft.order();
    if let Some(booking) = order.active_booking() {
        end_booking(draft, booking, End::Cancelled(reason));
    }
    end_order(draft, reason, why);
}

/// The order ends before its use, unless it has ended already.
pub(super) fn end_order_once(draft: &mut Draft, reason: CancelReason) {
    if !draft.order().is_over() {
        end_order(draft, reason, None);
    }
}
