// SPDX-License-Identifier: Apache-2.0

//! Facts from the channel that end things: money that went back, bookings and sales that were cancelled; and ops cancelling.
//!
//! They are never refused (DY-19). What contradicts them is shown to a person.

use std::collections::BTreeSet;

use crate::decide::draft::Draft;
use crate::decide::endings::{End, end_all, end_booking, end_order_once};
use crate::decide::sale;
use crate::message::{DeadlineKind, Event, NamedCopy, Notification, RecordCancellation, RecordRefund, RefundScope};
use crate::order::money::{EntryKind, EntryStatus, FEE, LedgerEntry, PaymentMode};
use crate::order::{
    AttentionKind, Booking, BookingState, CancelReason, Order, OrderKind, OrderState, RefundCase, RefundKind,
    RefundState,
};
use crate::personal::DocumentNumber;
use crate::quoted::FreeText;
use crate::rejection::{Rejection, Why};
use crate::time::UnixMillis;

/// Money went back, or a decision was taken without us.
pub(super) fn record_refund(draft: &mut Draft, refund: &RecordRefund) {
    let order = draft.order();
    if is_known_of_some(&order, refund) {
        return;
    }
    if let Some(places) = told_of_before(&order, refund) {
        if !places.is_subset(&order.copies_named) {
            told_apart(draft, &alone(refund), None, &Which { named: places, off: BTreeSet::new() });
        }
        return;
    }
    if let Some(case) = case_without_money(&order, refund) {
        let (target, reason) = (case.target.clone(), CancelReason::RefundedBeforeUse);
        return booking_off(draft, &RecordCancellation { target, reason, at: refund.at }, None);
    }
    if let Some(part) = part_of(&order, refund) {
        return part_off(draft, refund, part);
    }
    if let Some(copies) = with_more_to_come(&order, refund) {
        return copies_back(draft, refund, copies);
    }
    match refund.scope {
        RefundScope::Order if names_money_only(&order, refund) => money_only(draft, refund),
        RefundScope::MoneyOnly => money_only(draft, refund),
        RefundScope::Booking => {
            let (target, reason) = (refund.target.clone(), CancelReason::ByChannel);
            booking_off(draft, &RecordCancellation { target, reason, at: refund.at }, Some(refund));
        }
        RefundScope::Order => whole_order(draft, refund),
    }
}

/// The case by which only a booking was cancelled, where that is all that is told: no money went back, and the voucher stays the guest's.
fn case_without_money<'o>(order: &'o Order, refund: &RecordRefund) -> Option<&'o RefundCase> {
    let case = order.case_by_ref(&refund.channel_ref)?;
    let is_it = order.kind == OrderKind::Voucher && case.kind == RefundKind::CancelBooking && refund.amount == Some(0);
    is_it.then_some(case)
}

/// The booking stays as it is: used stays used, tickets stay good.
fn money_only(draft: &mut Draft, refund: &RecordRefund) {
    let alone = alone(refund);
    if let Some(back) = money_back(&draft.order(), &alone) {
        forced(draft, &alone);
        back.record(draft);
    }
}

/// The same, of the money alone.
fn alone(refund: &RecordRefund) -> RecordRefund {
    RecordRefund { scope: RefundScope::MoneyOnly, ..refund.clone() }
}

/// Whether it is the number of money that was told to have gone back alone (`adapters/douyin/README.md`, info-sync).
fn names_money_only(order: &Order, refund: &RecordRefund) -> bool {
    let is_it = |entry: &LedgerEntry| {
        entry.kind == EntryKind::Refund
            && entry.is_presumed()
            && entry.status == EntryStatus::Done
            && refund.amount.is_some_and(|amount| amount <= entry.amount)
    };
    !order.is_over() && !has_open_case(order) && order.money.ledger.iter().any(is_it)
}

/// Some copies of an order.
#[derive(Clone, Copy)]
struct Part {
    /// How many.
    copies: u32,
    /// Whether the channel counts them: then all that it counts add up to the order at last.
    is_counted: bool,
}

/// The copies that are named, by their places.
#[derive(Default)]
struct Which {
    /// Their money went back.
    named: BTreeSet<u32>,
    /// Their reservation alone was cancelled.
    off: BTreeSet<u32>,
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

fn whole_order(draft: &mut Draft, refund: &RecordRefund) {
    let order = draft.order();
    let back = money_back(&order, refund);
    let (is_new, is_asked_for) = (back.is_some(), has_open_case(&order));
    if order.state == OrderState::Completed && !is_new {
        return;
    }
    if order.state == OrderState::Completed || (order.state != OrderState::Cancelled && !is_asked_for) {
        forced(draft, refund);
    }
    if let Some(back) = back {
        back.record(draft);
    }
    // With the last of them, all of it went back.
    let in_all = |_| draft.order().money.refunded();
    let amount = if order.copies_back > 0 { refund.amount.map(in_all) } else { refund.amount };
    settle_case(draft, amount);
    match order.state {
        OrderState::Cancelled => {}
        OrderState::Completed => {
            let sentence = "the channel refunded an order that has been used; dispute it there";
            draft.flag(AttentionKind::RedeemedWhileRefunded, sentence);
        }
        OrderState::Placed | OrderState::AwaitingBooking | OrderState::Booked => {
            let reason = if refund.expired { CancelReason::Expired } else { CancelReason::RefundedBeforeUse };
            end_all(draft, reason, None);
        }
    }
}

/// Money that went back, and the fee that it leaves behind.
struct Back {
    /// None where the fee is all there is.
    refund: Option<LedgerEntry>,
    fee: Option<LedgerEntry>,
}

impl Back {
    fn amount(&self) -> i64 {
        self.refund.as_ref().map_or(0, |entry| entry.amount)
    }

    fn record(self, draft: &mut Draft) {
        if let Some(entry) = self.refund {
            draft.event(Event::PaymentRecorded { entry });
            sale::too_much_back(draft);
        }
        if let Some(entry) = self.fee {
            draft.event(Event::PaymentRecorded { entry });
        }
    }
}

/// What the fact says about money, unless it is recorded already. Where the channel names no amount, what is left is presumed.
fn money_back(order: &Order, refund: &RecordRefund) -> Option<Back> {
    let money = &order.money;
    if money.mode != PaymentMode::Ledger {
        return None;
    }
    let entry = match named_back(refund) {
        Some(entry) if money.knows(&entry) => return None,
        Some(entry) => Some(entry),
        None => Some(refund.announced.map_or(order.presumed_back(), |said| said.min(order.presumed_back())))
            .filter(|amount| *amount > 0)
            // With what went back before it, which has no number either.
            .map(|amount| LedgerEntry::presumed(EntryStatus::Done, money.presumed_done() + amount, refund.at)),
    };
    let is_it = |e: &LedgerEntry| entry.as_ref().is_some_and(|entry| e.reference == entry.reference);
    let other = |e: &LedgerEntry| e.status == EntryStatus::Done && !is_it(e);
    let kept = money.received() - entry.as_ref().map_or(0, |entry| entry.amount) - money.named_refunds(other);
    // Nothing goes back only where all of it is a fee.
    let is_all_kept = money.held() > 0 && order.fee_expected() == money.held();
    if entry.is_none() && !is_all_kept {
        return None;
    }
    let fee = left_as_fee(order, refund, kept.max(0)).map(|amount| LedgerEntry::kept(amount, refund.at));
    (entry.is_some() || fee.is_some()).then_some(Back { refund: entry, fee })
}

/// The movement that a refund names, with its amount.
fn named_back(refund: &RecordRefund) -> Option<LedgerEntry> {
    let amount = refund.amount?.max(0);
    let (reference, at) = (refund.channel_ref.clone(), refund.at);
    Some(LedgerEntry { reference, kind: EntryKind::Refund, status: EntryStatus::Done, amount, at })
}

/// The fee that a refund leaves behind, where it is another than before: what is kept when the order ends, and less once more of it
/// goes back.
fn left_as_fee(order: &Order, refund: &RecordRefund, kept: i64) -> Option<i64> {
    let fee = order.money.fee();
    let ends = refund.scope == RefundScope::Order && order.state != OrderState::Completed;
    if fee == 0 {
        return (ends && kept > 0).then_some(kept);
    }
    let of_channel: i64 = order
        .money
        .ledger
        .iter()
        .filter(|e| e.kind == EntryKind::Fee && e.status == EntryStatus::Done && e.reference != FEE)
        .map(|e| e.amount)
        .sum();
    // What the channel really kept, whatever was expected when the case was decided.
    if ends && of_channel == 0 && kept > fee {
        return Some(kept);
    }
    (kept < fee && of_channel < fee).then_some((kept - of_channel).max(0))
}

fn has_open_case(order: &Order) -> bool {
    order.refund_case.as_ref().is_some_and(|case| case.is_open())
}

/// It is told apart from what was asked for: nobody asked us.
fn forced(draft: &mut Draft, refund: &RecordRefund) {
    if draft.order().case_by_ref(&refund.channel_ref).is_some() {
        return;
    }
    told_apart(draft, refund, None, &Which::default());
}

/// What the channel did by itself, for so many copies where it counts them, and for which where it names them.
fn told_apart(draft: &mut Draft, refund: &RecordRefund, copies: Option<u32>, which: &Which) {
    let (channel_ref, scope, scene) = (refund.channel_ref.clone(), refund.scope, refund.scene);
    let (named, off) = (which.named.iter().copied().collect(), which.off.iter().copied().collect());
    draft.event(Event::RefundForced { channel_ref, scope, scene, copies, named, off });
}

/// The refund case comes to its end with what went back; `None` where nobody says how much.
pub(super) fn settle_case(draft: &mut Draft, amount: Option<i64>) {
    settle_case_for(draft, amount, None);
}

/// The same, where the channel says what it keeps.
pub(super) fn settle_case_for(draft: &mut Draft, amount: Option<i64>, fee: Option<i64>) {
    let order = draft.order();
    let Some(case) = &order.refund_case else { return };
    // The booking was cancelled first, without an amount; here it is.
    let lacks_amount = case.state == RefundState::Settled
        && case.kind == RefundKind::Refund
        && case.settled_amount.is_none()
        && amount.is_some();
    if case.is_open() {
        let by_channel = case.state == RefundState::UnderReview;
        draft.event(Event::RefundSettled { case: case.id.clone(), amount, by_channel, fee });
        draft.disarm(&[DeadlineKind::Review]);
    } else if lacks_amount {
        draft.event(Event::RefundSettled { case: case.id.clone(), amount, by_channel: false, fee });
    }
}

/// The channel cancelled something: the sale, or a booking.
pub(super) fn record_cancellation(draft: &mut Draft, cancellation: &RecordCancellation) {
    let order = draft.order();
    let is_sale = cancellation.target == order.channel_order_id
        && order.booking_by_ref(&cancellation.target).is_none_or(|_| order.kind == OrderKind::Direct);
    if !is_sale {
        return booking_off(draft, cancellation, None);
    }
    match order.state {
        OrderState::Cancelled => settle_case(draft, None),
        OrderState::Completed => return dispute(draft),
        OrderState::Placed | OrderState::AwaitingBooking | OrderState::Booked => {
            settle_case(draft, None);
            doubt_never_paid(draft, cancellation.reason);
            end_all(draft, cancellation.reason, None);
            expect_back(draft, cancellation.at);
        }
    }
    give_back_alone(draft, cancellation.at);
}

/// An order that was paid does not end as never paid without a word.
fn doubt_never_paid(draft: &mut Draft, reason: CancelReason) {
    let received = draft.order().money.received();
    if reason == CancelReason::NeverPaid && received > 0 {
        let sentence = format!(
            "the channel cancelled this order as never paid, and {received} had been paid: ask it whether the money went back"
        );
        draft.flag(AttentionKind::Contradiction, sentence);
    }
}

/// The money of a voucher that is off is on its way back, until the channel tells of it.
fn expect_back(draft: &mut Draft, at: UnixMillis) {
    let order = draft.order();
    let money = &order.money;
    let fee = order.fee_expected();
    let back = money.left() - fee;
    let is_expected = order.kind == OrderKind::Voucher
        && order.channel_state.is_none()
        && money.mode == PaymentMode::Ledger
        && !money.presumes_refund();
    if is_expected && back > 0 {
        draft.event(Event::PaymentRecorded { entry: LedgerEntry::presumed(EntryStatus::Pending, back, at) });
    } else if is_expected && fee > money.fee() {
        // All of it is a fee: there is nothing to be waited for.
        draft.event(Event::PaymentRecorded { entry: LedgerEntry::kept(fee, at) });
    }
}

/// A booking is off; `refund` is what told so, where nobody had asked us.
fn booking_off(draft: &mut Draft, cancellation: &RecordCancellation, refund: Option<&RecordRefund>) {
    let order = draft.order();
    let Some(booking) = order.booking_by_ref(&cancellation.target) else { return };
    let open = order.refund_case.as_ref().filter(|case| case.is_open());
    match booking.state {
        BookingState::Used | BookingState::NoShow => return dispute(draft),
        BookingState::Rejected => return,
        BookingState::Cancelled => {
            let Some(case) = open.filter(|case| case.target == cancellation.target) else { return };
            // With the money of the whole order ends what was booked in its place meanwhile.
            if let Some(instead) = order.active_booking().filter(|_| case.kind == RefundKind::Refund) {
                end_booking(draft, instead, End::Cancelled(CancelReason::RefundedBeforeUse));
            }
            return settle_booking_case(draft, case.kind, cancellation.at);
        }
        BookingState::Requested | BookingState::Confirmed => {}
    }
    if let (Some(refund), None) = (refund, open) {
        forced(draft, refund);
    }
    end_booking(draft, booking, End::Cancelled(cancellation.reason));
    match open {
        Some(case) => settle_booking_case(draft, case.kind, cancellation.at),
        None if order.kind == OrderKind::Direct => end_order_once(draft, cancellation.reason),
        None => {}
    }
    give_back_alone(draft, cancellation.at);
}

/// The case behind a cancelled booking has come to its end: with the money, or with the booking only.
fn settle_booking_case(draft: &mut Draft, kind: RefundKind, at: UnixMillis) {
    settle_case(draft, None);
    let order = draft.order();
    match (kind, order.kind) {
        (RefundKind::CancelBooking, OrderKind::Voucher) => {}
        (RefundKind::CancelBooking, OrderKind::Direct) => end_order_once(draft, CancelReason::RefundedBeforeUse),
        (RefundKind::Refund, _) => {
            give_back(draft, at);
            end_order_once(draft, CancelReason::RefundedBeforeUse);
        }
    }
}

/// All that is to go back has gone back, and nobody names the amount.
fn give_back(draft: &mut Draft, at: UnixMillis) {
    let order = draft.order();
    let money = &order.money;
    let back = order.presumed_back();
    let fee = money.held() - back;
    if back > 0 && money.mode == PaymentMode::Ledger {
        let amount = money.presumed_done() + back;
        draft.event(Event::PaymentRecorded { entry: LedgerEntry::presumed(EntryStatus::Done, amount, at) });
    }
    if fee > 0 && money.fee() == 0 && money.mode == PaymentMode::Ledger {
        draft.event(Event::PaymentRecorded { entry: LedgerEntry::kept(fee, at) });
    }
}

/// A booking that stands alone is the sale as well: when it ends before its use, its money goes back with it. No other message would say
/// so, since the refunds that are told by themselves are those of vouchers (`adapters/douyin/README.md`).
pub(super) fn give_back_alone(draft: &mut Draft, at: UnixMillis) {
    let order = draft.order();
    let stands_alone = order.kind == OrderKind::Direct && order.channel_state.is_none();
    // A channel that asks has its own way: see the policy for what is returned.
    if stands_alone && order.state == OrderState::Cancelled && order.rules.channel.news.is_by_calls() {
        give_back(draft, at);
    }
}

fn dispute(draft: &mut Draft) {
    draft.flag(AttentionKind::RedeemedWhileRefunded, "the channel cancelled what has been used; dispute it there");
}

/// Ops cancel the order.
pub(super) fn cancel_order(draft: &mut Draft, reason: &FreeText) -> Result<(), Rejection> {
    let order = draft.order();
    match order.state {
        OrderState::Cancelled => return Err(Rejection::new(Why::AlreadyCancelled, "this order is cancelled already")),
        OrderState::Completed => return Err(Rejection::new(Why::AlreadyRedeemed, "this order has been used")),
        OrderState::Placed | OrderState::AwaitingBooking | OrderState::Booked => {}
    }
    if order.case_under_review().is_some() {
        return Err(Rejection::new(Why::RefundUnderReview, "a refund is under review; decide it first"));
    }
    end_all(draft, CancelReason::ByOps, Some(reason));
    expect_back(draft, draft.now());
    give_back_alone(draft, draft.now());
    draft.tell(Notification::OrderCancelled { reason: reason.to_owned() });
    Ok(())
}
