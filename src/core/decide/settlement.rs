//! Facts from the channel that end things: money that went back, bookings and sales that were called off; and ops calling off.
//!
//! They are never refused (DY-19). What contradicts them is shown to a person.

use crate::decide::{Decision, disarm, return_date_stock, sale, ticketing, voucher_stock_key};
use crate::message::{DeadlineKind, Effect, Event, Notification, RecordCancellation, RecordRefund, RefundScope};
use crate::order::money::{EntryKind, EntryStatus, LedgerEntry, PRESUMED, PaymentMode};
use crate::order::{
    AttentionKind, Booking, BookingState, CancelReason, Order, OrderKind, OrderState, RefundKind, RefundState,
};
use crate::rejection::{Rejection, Why};
use crate::time::UnixMillis;

/// Reference of the fee that a refund leaves behind.
const FEE: &str = "fee";

/// Money went back, or a decision was taken without us.
pub(super) fn record_refund(order: &Order, refund: &RecordRefund) -> Result<Decision, Rejection> {
    Ok(match refund.scope {
        RefundScope::MoneyOnly => money_only(order, refund),
        RefundScope::Booking => {
            let cancellation =
                RecordCancellation { target: refund.target.clone(), reason: CancelReason::ByChannel, at: refund.at };
            let forced = if order.refund_case.as_ref().is_some_and(|case| case.is_open()) {
                Decision::nothing()
            } else {
                forced(order, refund)
            };
            booking_off(order, &cancellation, forced)
        }
        RefundScope::Order => whole_order(order, refund),
    })
}

/// The booking stays as it is: used stays used, tickets stay good (`protocols/douyin.md` 13, type 3).
fn money_only(order: &Order, refund: &RecordRefund) -> Decision {
    let money = money_back(order, refund);
    if money.events.is_empty() { money } else { forced(order, refund).then(money) }
}

fn whole_order(order: &Order, refund: &RecordRefund) -> Decision {
    let money = money_back(order, refund);
    if order.state == OrderState::Cancelled {
        return money.then(settle_case(order, refund.amount));
    }
    if order.state == OrderState::Completed {
        if money.events.is_empty() {
            return money;
        }
        return forced(order, refund).then(money).then(settle_case(order, refund.amount)).attention(
            order,
            AttentionKind::RedeemedWhileRefunded,
            "the channel refunded an order that has been used; dispute it there",
        );
    }
    let reason = if refund.expired { CancelReason::Expired } else { CancelReason::RefundedBeforeUse };
    let told = if order.refund_case.as_ref().is_some_and(|case| case.is_open()) {
        Decision::nothing()
    } else {
        forced(order, refund)
    };
    told.then(money).then(settle_case(order, refund.amount)).then(end_of_order(order, reason, None))
}

/// What the fact says about money, unless it is recorded already. Where the channel names no amount, what is left is presumed.
fn money_back(order: &Order, refund: &RecordRefund) -> Decision {
    let left = order.money.held() - order.money.fee();
    let named = refund.amount.map(|amount| LedgerEntry {
        reference: refund.channel_ref.clone(),
        kind: EntryKind::Refund,
        status: EntryStatus::Done,
        amount: amount.max(0),
        at: refund.at,
    });
    if order.money.mode != PaymentMode::Ledger {
        return Decision::nothing();
    }
    let entry = match named {
        Some(entry) if order.money.knows(&entry) => return Decision::nothing(),
        Some(entry) => entry,
        None => {
            let amount = order.money.refund_pending();
            let amount = if amount > 0 { amount } else { left };
            if amount <= 0 {
                return Decision::nothing();
            }
            presumed(amount, refund.at)
        }
    };
    let kept = order.money.received() - entry.amount - named_refunds(order, &entry.reference);
    let fee = left_as_fee(order, refund, kept.max(0)).map(|amount| LedgerEntry {
        reference: FEE.to_owned(),
        kind: EntryKind::Fee,
        status: EntryStatus::Done,
        amount,
        at: refund.at,
    });
    let decision = sale::too_much_back(order, Decision::nothing().event(Event::PaymentRecorded { entry }));
    match fee {
        Some(entry) => decision.event(Event::PaymentRecorded { entry }),
        None => decision,
    }
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

/// Refunds that carry a number of their own, other than `but`; the presumed one is replaced by the next that does.
fn named_refunds(order: &Order, but: &str) -> i64 {
    order
        .money
        .ledger
        .iter()
        .filter(|e| e.kind == EntryKind::Refund && e.status == EntryStatus::Done)
        .filter(|e| e.reference != PRESUMED && e.reference != but)
        .map(|e| e.amount)
        .sum()
}

fn presumed(amount: i64, at: UnixMillis) -> LedgerEntry {
    LedgerEntry { reference: PRESUMED.to_owned(), kind: EntryKind::Refund, status: EntryStatus::Done, amount, at }
}

fn forced(order: &Order, refund: &RecordRefund) -> Decision {
    let settled = order.case_by_ref(&refund.channel_ref).is_some();
    if settled {
        return Decision::nothing();
    }
    Decision::nothing().event(Event::RefundForced {
        channel_ref: refund.channel_ref.clone(),
        scope: refund.scope,
        scene: refund.scene,
    })
}

fn settle_case(order: &Order, amount: Option<i64>) -> Decision {
    match &order.refund_case {
        Some(case) if case.is_open() => {
            let decision = Decision::nothing().event(Event::RefundSettled {
                case: case.id.clone(),
                amount,
                by_channel: case.state == RefundState::UnderReview,
            });
            disarm(decision, &[DeadlineKind::Review])
        }
        // The booking was called off first, without an amount; here it is.
        Some(case)
            if case.state == RefundState::Settled
                && case.kind == RefundKind::Refund
                && case.settled_amount.is_none()
                && amount.is_some() =>
        {
            Decision::nothing().event(Event::RefundSettled { case: case.id.clone(), amount, by_channel: false })
        }
        _ => Decision::nothing(),
    }
}

/// The active booking ends, its tickets are made void, its date goes back on sale.
fn end_of_booking(order: &Order, booking: &Booking, reason: CancelReason) -> Decision {
    let mut decision = ticketing::void(order, booking)
        .event(Event::BookingCancelled { booking: booking.id.clone(), reason })
        .maybe(return_date_stock(order, booking))
        .maybe(sale::booking_window(&order.rules));
    if order.parked_for(booking) {
        decision = decision.attention(
            order,
            AttentionKind::RedeemedWhileRefunded,
            "the booking was called off although the guest had entered; settle it with the channel",
        );
    }
    disarm(decision, &[DeadlineKind::Ticketing, DeadlineKind::Acceptance, DeadlineKind::VisitDay])
}

/// The order ends, and with it an active booking.
pub(super) fn end_of_order(order: &Order, reason: CancelReason, why: Option<&str>) -> Decision {
    let decision = match order.active_booking() {
        Some(booking) => end_of_booking(order, booking, reason),
        None => Decision::nothing(),
    };
    let decision = decision
        .event(Event::OrderCancelled { reason, why: why.map(str::to_owned) })
        .maybe(voucher_stock_key(&order.rules).map(|key| Effect::ReturnStock { key, units: order.quantity }));
    disarm(decision, &[DeadlineKind::BookingWindow])
}

/// The channel called something off: the sale, or a booking.
pub(super) fn record_cancellation(order: &Order, cancellation: &RecordCancellation) -> Result<Decision, Rejection> {
    let is_sale = cancellation.target == order.channel_order_id
        && order.booking_by_ref(&cancellation.target).is_none_or(|_| order.kind == OrderKind::Direct);
    if !is_sale {
        return Ok(booking_off(order, cancellation, Decision::nothing()));
    }
    Ok(match order.state {
        OrderState::Cancelled => settle_case(order, None),
        OrderState::Completed => dispute(order),
        OrderState::Placed | OrderState::AwaitingBooking | OrderState::Booked => {
            settle_case(order, None).then(end_of_order(order, cancellation.reason, None))
        }
    })
}

fn booking_off(order: &Order, cancellation: &RecordCancellation, told: Decision) -> Decision {
    let Some(booking) = order.booking_by_ref(&cancellation.target) else {
        return Decision::nothing();
    };
    match booking.state {
        BookingState::Used | BookingState::NoShow => return dispute(order),
        BookingState::Rejected => return Decision::nothing(),
        BookingState::Cancelled => {
            let open = order.refund_case.as_ref().filter(|case| case.is_open() && case.target == cancellation.target);
            let Some(case) = open else { return Decision::nothing() };
            // With the money of the whole order ends what was booked in its place meanwhile.
            let instead = order.active_booking().filter(|_| case.kind == RefundKind::Refund);
            let decision = instead.map_or_else(Decision::nothing, |booking| {
                end_of_booking(order, booking, CancelReason::RefundedBeforeUse)
            });
            return decision.then(settle_booking_case(order, case.kind, cancellation.at));
        }
        BookingState::Requested | BookingState::Confirmed => {}
    }
    let refunds = order.refund_case.as_ref().filter(|case| case.is_open()).map(|case| case.kind);
    let decision = told.then(end_of_booking(order, booking, cancellation.reason));
    match refunds {
        Some(kind) => decision.then(settle_booking_case(order, kind, cancellation.at)),
        None if order.kind == OrderKind::Direct => decision.then(end_of_direct(order, cancellation.reason)),
        None => decision,
    }
}

/// The case behind a called-off booking has come to its end: with the money, or with the booking only.
fn settle_booking_case(order: &Order, kind: RefundKind, at: UnixMillis) -> Decision {
    let decision = settle_case(order, None);
    match (kind, order.kind) {
        (RefundKind::CancelBooking, OrderKind::Voucher) => decision,
        (RefundKind::CancelBooking, OrderKind::Direct) => {
            decision.then(end_of_direct(order, CancelReason::RefundedBeforeUse))
        }
        (RefundKind::Refund, _) => {
            let left = match order.money.refund_pending() {
                0 => order.money.held() - order.money.fee(),
                pending => pending,
            };
            let fee = order.money.held() - left;
            let mut decision = decision;
            if left > 0 && order.money.mode == PaymentMode::Ledger {
                decision = decision.event(Event::PaymentRecorded { entry: presumed(left, at) });
            }
            if fee > 0 && order.money.fee() == 0 && order.money.mode == PaymentMode::Ledger {
                decision = decision.event(Event::PaymentRecorded {
                    entry: LedgerEntry {
                        reference: FEE.to_owned(),
                        kind: EntryKind::Fee,
                        status: EntryStatus::Done,
                        amount: fee,
                        at,
                    },
                });
            }
            decision.then(end_of_direct(order, CancelReason::RefundedBeforeUse))
        }
    }
}

/// The order ends after its booking did.
fn end_of_direct(order: &Order, reason: CancelReason) -> Decision {
    if order.is_over() {
        return Decision::nothing();
    }
    let decision = Decision::nothing()
        .event(Event::OrderCancelled { reason, why: None })
        .maybe(voucher_stock_key(&order.rules).map(|key| Effect::ReturnStock { key, units: order.quantity }));
    disarm(decision, &[DeadlineKind::BookingWindow])
}

fn dispute(order: &Order) -> Decision {
    Decision::nothing().attention(
        order,
        AttentionKind::RedeemedWhileRefunded,
        "the channel called off what has been used; dispute it there",
    )
}

/// Ops call the order off.
pub(super) fn cancel_order(order: &Order, reason: &str) -> Result<Decision, Rejection> {
    match order.state {
        OrderState::Cancelled => return Err(Rejection::new(Why::AlreadyCancelled, "this order is cancelled already")),
        OrderState::Completed => return Err(Rejection::new(Why::AlreadyRedeemed, "this order has been used")),
        OrderState::Placed | OrderState::AwaitingBooking | OrderState::Booked => {}
    }
    if order.case_under_review().is_some() {
        return Err(Rejection::new(Why::RefundUnderReview, "a refund is under review; decide it first"));
    }
    Ok(end_of_order(order, CancelReason::ByOps, Some(reason)).effect(Effect::TellChannel {
        notification: Notification::OrderCancelled { reason: reason.to_owned() },
        not_before: None,
    }))
}
