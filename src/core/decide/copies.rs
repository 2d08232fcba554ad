// SPDX-License-Identifier: Apache-2.0

//! Some copies of an order: what a channel tells of them one by one, by number or by name. All are booked and used together (DY-06).

use std::collections::BTreeSet;

use crate::decide::draft::Draft;
use crate::decide::money_back::{Which, alone, has_open_case, money_back, named_back, told_apart};
use crate::message::{Event, NamedCopy, RecordRefund, RefundScope};
use crate::order::money::{EntryStatus, LedgerEntry};
use crate::order::{AttentionKind, Booking, Order, OrderState, RefundState};
use crate::personal::DocumentNumber;

/// Takes what is told of some copies alone; `false` where it is about all that are left.
pub(super) fn of_some(draft: &mut Draft, refund: &RecordRefund) -> bool {
    let order = draft.order();
    if is_known_of_some(&order, refund) {
        return true;
    }
    if let Some(places) = told_of_before(&order, refund) {
        if !places.is_subset(&order.copies_named) {
            told_apart(draft, &alone(refund), None, &Which { named: places, off: BTreeSet::new() });
        }
        return true;
    }
    if let Some(part) = part_of(&order, refund) {
        part_off(draft, refund, part);
        return true;
    }
    let Some(copies) = with_more_to_come(&order, refund) else { return false };
    copies_back(draft, refund, copies);
    true
}

/// Some copies of an order.
#[derive(Clone, Copy)]
struct Part {
    /// How many.
    copies: u32,
    /// Whether the channel counts them: then all that it counts add up to the order at last.
    is_counted: bool,
}

/// Whether the money of some copies has been told before; told once more, it is not that of the next ones.
fn is_known_of_some(order: &Order, refund: &RecordRefund) -> bool {
    let is_of_some = refund.copies.is_some_and(|copies| copies < order.quantity);
    is_of_some && named_back(refund).is_some_and(|entry| order.money.knows(&entry))
}

/// The copies that a refund is about, where it is not about all of them that are left: it counts fewer, or names some of those that we
/// know and not the others. Names that we do not know tell nothing.
fn part_of(order: &Order, refund: &RecordRefund) -> Option<Part> {
    let all_goes_back = refund.amount.or(refund.announced).is_some_and(|amount| amount >= order.money.held());
    let is_named = order.active_booking().is_some_and(|booking| places(booking, refund).is_some());
    if refund.scope == RefundScope::MoneyOnly || order.is_over() || has_open_case(order) || (all_goes_back && !is_named)
    {
        return None;
    }
    let counted = refund.copies.filter(|copies| order.copies_back.saturating_add(*copies) < order.quantity);
    if let Some(copies) = counted {
        return Some(Part { copies, is_counted: true });
    }
    let booking = order.active_booking()?;
    let before = if refund.scope == RefundScope::Booking { &order.copies_off } else { &order.copies_named };
    let named: BTreeSet<u32> = places(booking, refund)?.union(before).copied().collect();
    let is_some = named.len() < copies_of(booking).len();
    is_some.then(|| Part { copies: count(&named), is_counted: false })
}

fn count(named: &BTreeSet<u32>) -> u32 {
    u32::try_from(named.len()).unwrap_or(u32::MAX)
}

/// The copies that are named, all of them known, by their places; `None` where none is named, or one that we do not know.
fn places(booking: &Booking, refund: &RecordRefund) -> Option<BTreeSet<u32>> {
    let known = copies_of(booking);
    let place_of = |copy: &NamedCopy| {
        let names = [copy.certificate.as_deref(), copy.code.as_ref().map(DocumentNumber::reveal)];
        let place = names.into_iter().flatten().find_map(|name| known.iter().position(|known| *known == name));
        place.and_then(|place| u32::try_from(place).ok())
    };
    let places: BTreeSet<u32> = refund.named.iter().map(place_of).collect::<Option<_>>()?;
    Some(places).filter(|places| !places.is_empty())
}

/// The copies that are named, where what is told of them was told before: under another number, or by a notice that only counts.
fn told_of_before(order: &Order, refund: &RecordRefund) -> Option<BTreeSet<u32>> {
    if refund.scope != RefundScope::Order {
        return None;
    }
    let places = places(order.active_booking()?, refund)?;
    let unnamed = order.copies_back.saturating_sub(count(&order.copies_named));
    let fresh = count(&places.difference(&order.copies_named).copied().collect());
    (fresh <= unnamed).then_some(places)
}

/// The names of a booking's copies that the channel and we share, in their order.
fn copies_of(booking: &Booking) -> Vec<&str> {
    let certificates = booking.ticketing.request.iter().flat_map(|request| &request.certificates);
    let certificates: Vec<&str> = certificates.map(String::as_str).collect();
    if certificates.is_empty() {
        booking.ticketing.tickets.iter().map(|ticket| ticket.code.reveal()).collect()
    } else {
        certificates
    }
}

/// The money of some copies went back, or they were cancelled. All units of an order are booked and used together (DY-06): what becomes of
/// the others is for a person to say, and nobody's ticket dies for another's money.
fn part_off(draft: &mut Draft, refund: &RecordRefund, part: Part) {
    let order = draft.order();
    let is_named = refund.scope == RefundScope::Order && (refund.amount.is_some() || refund.announced.is_some());
    let alone = alone(refund);
    let back = money_back(&order, &alone).filter(|_| is_named);
    if refund.amount.is_some() && back.is_none() {
        // It is recorded already.
        return;
    }
    let named = order.active_booking().and_then(|booking| places(booking, refund)).unwrap_or_default();
    let which = match refund.scope {
        RefundScope::Booking => Which { off: named, named: BTreeSet::new() },
        RefundScope::Order | RefundScope::MoneyOnly => Which { named, off: BTreeSet::new() },
    };
    told_apart(draft, &alone, part.is_counted.then_some(part.copies), &which);
    if let Some(back) = back {
        back.record(draft);
    }
    let what = if refund.scope == RefundScope::Booking { "cancelled" } else { "refunded" };
    let were = crate::words::counted(part.copies, "copy was", "copies were");
    let sentence = format!(
        "{were} {what} by the channel of {}, and an order is kept or cancelled as a whole: stop those guests at the gate, and settle it with the channel",
        order.quantity
    );
    let is_live = order.active_booking().is_some_and(|booking| booking.ticketing.may_be_live());
    draft.flag(if is_live { AttentionKind::LiveTicketBehindRefund } else { AttentionKind::Contradiction }, sentence);
}

/// Copies whose money went back, of an order that is over or whose refund was approved, while that of the others is still to come: what has
/// not come yet is no fee.
fn with_more_to_come(order: &Order, refund: &RecordRefund) -> Option<u32> {
    let is_approved = order.refund_case.as_ref().is_some_and(|case| case.state == RefundState::Approved);
    let goes_back = order.state == OrderState::Cancelled || is_approved;
    let is_some = refund.amount.is_some_and(|amount| amount < order.presumed_back());
    let is_meant = refund.scope == RefundScope::Order && goes_back && is_some;
    refund.copies.filter(|copies| is_meant && order.copies_back.saturating_add(*copies) < order.quantity)
}

/// The money of some copies; that of the others is waited for as before.
fn copies_back(draft: &mut Draft, refund: &RecordRefund, copies: u32) {
    let order = draft.order();
    let alone = alone(refund);
    let Some(back) = money_back(&order, &alone) else { return };
    let rest = order.money.refund_pending() - back.amount();
    told_apart(draft, &alone, Some(copies), &Which::default());
    back.record(draft);
    if order.money.presumes_refund() && rest > 0 {
        draft.event(Event::PaymentRecorded { entry: LedgerEntry::presumed(EntryStatus::Pending, rest, refund.at) });
    }
}
