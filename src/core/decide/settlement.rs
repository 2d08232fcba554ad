// SPDX-License-Identifier: Apache-2.0

//! Facts from the channel that end things: money that went back, bookings and sales that were cancelled; and ops cancelling.
//!
//! They are never refused (DY-19). What contradicts them is shown to a person.

use crate::decide::copies;
use crate::decide::draft::Draft;
use crate::decide::endings::{End, end_all, end_booking, end_order_once};
use crate::decide::money_back::{Which, alone, has_open_case, money_back, told_apart};
use crate::message::{DeadlineKind, Event, Notification, RecordCancellation, RecordRefund, RefundScope};
use crate::order::money::{EntryKind, EntryStatus, LedgerEntry, PaymentMode};
use crate::order::{
    AttentionKind, BookingState, CancelReason, Order, OrderKind, OrderState, RefundCase, RefundKind, RefundState,
};
use crate::quoted::FreeText;
use crate::rejection::{Rejection, Why};
use crate::time::UnixMillis;

/// Money went back, or a decision was taken without us.
pub(super) fn record_refund(draft: &mut Draft, refund: &RecordRefund) {
    let order = draft.order();
    if let Some(case) = case_without_money(&order, refund) {
        let (target, reason) = (case.target.clone(), CancelReason::RefundedBeforeUse);
        return booking_off(draft, &RecordCancellation { target, reason, at: refund.at }, None);
    }
    if copies::of_some(draft, refund) {
        return;
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

/// It is told apart from what was asked for: nobody asked us.
fn forced(draft: &mut Draft, refund: &RecordRefund) {
    if draft.order().case_by_ref(&refund.channel_ref).is_some() {
        return;
    }
    told_apart(draft, refund, None, &Which::default());
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
