//! The sale and its payment.

use crate::decide::{Decision, voucher_stock_key};
use crate::message::{Counts, DeadlineKind, Effect, Event, PlaceOrder};
use crate::order::money::{EntryKind, EntryStatus, LedgerEntry, Money, PRESUMED, PaymentMode};
use crate::order::{AttentionKind, Order, OrderKind, OrderState};
use crate::product::RuleSnapshot;
use crate::rejection::{Rejection, Why};
use crate::rules;
use crate::time::{Moment, UnixMillis};

/// The number under which "all of it was paid" is recorded, where the channel names no payment.
const PAID_IN_FULL: &str = "paid";

/// A sale that is not known yet. A stub is taken as it is: the channel has sold it, and refusing would not undo that.
pub(super) fn place(placed: &PlaceOrder, counts: &Counts, moment: Moment) -> Result<Decision, Rejection> {
    let sale = &placed.sale;
    let doubt = if placed.is_stub { rules::sale::check_terms(&placed.rules, sale).err() } else { None };
    if !placed.is_stub {
        rules::sale::check_phone_is_there(&placed.rules, sale)?;
        rules::check_sale(&placed.rules, sale, counts)?;
    }
    let mut decision = Decision::nothing()
        .event(Event::OrderPlaced { id: moment.seed.order(), sale: Box::new(placed.clone()) })
        .maybe(voucher_stock_key(&placed.rules).map(|key| Effect::TakeStock { key, units: sale.quantity }))
        .maybe(booking_window(&placed.rules));
    if let Some(doubt) = doubt {
        let sentence = format!("the channel sold what would have been refused: {}", doubt.sentence);
        decision = decision.event(Event::AttentionRaised { kind: AttentionKind::Contradiction, sentence });
    }
    if sale.paid && sale.payment_mode == PaymentMode::Ledger {
        decision = decision.event(charge(sale.due, sale.placed_at));
    }
    if sale.paid && sale.kind == OrderKind::Voucher {
        decision = decision.event(Event::BookingOpened);
    }
    if sale.buyer.has_remote_cipher() {
        decision = decision.effect(Effect::DecryptGuests);
    }
    Ok(decision)
}

/// The voucher can be booked until its window closes; after that the channel refunds it.
pub(super) fn booking_window(rules: &RuleSnapshot) -> Option<Effect> {
    let window = rules.voucher.as_ref()?.booking_window?;
    Some(Effect::ArmDeadline {
        kind: DeadlineKind::BookingWindow,
        due_at: rules.channel.time_zone.end_of(window.to),
        warn_at: Vec::new(),
    })
}

/// The same sale again; or, for an order made up from a later message, the sale itself at last (H2).
pub(super) fn place_again(order: &Order, placed: &PlaceOrder) -> Result<Decision, Rejection> {
    if !order.is_stub || placed.is_stub {
        return Ok(Decision::nothing());
    }
    if placed.sale.quantity != order.quantity {
        return Err(Rejection::new(
            Why::ContentDiffers,
            format!("this order is known with {}, not {}", crate::words::units(order.quantity), placed.sale.quantity),
        )
        .at("count"));
    }
    Ok(Decision::nothing().event(Event::StubFilled { sale: Box::new(placed.clone()) }))
}

/// The channel says it is all paid (before-payment timing).
pub(super) fn record_paid(order: &Order, at: UnixMillis) -> Result<Decision, Rejection> {
    let missing = order.money.due - order.money.received();
    let mut decision = Decision::nothing();
    if missing > 0 && order.money.mode == PaymentMode::Ledger {
        decision = decision.event(charge(missing, at));
    }
    Ok(decision.then(after_payment(order, missing > 0)))
}

/// Movements of money, by their numbers: a set that grows, whatever the order in which they come.
pub(super) fn record_payments(order: &Order, entries: &[LedgerEntry]) -> Result<Decision, Rejection> {
    let new: Vec<&LedgerEntry> = entries.iter().filter(|entry| !order.money.knows(entry)).collect();
    if let Some(bad) = new.iter().find(|entry| entry.amount < 0) {
        return Err(Rejection::new(Why::Invalid, format!("the amount of `{}` is negative", bad.reference)).at("amount"));
    }
    let charged = new.iter().any(|e| e.kind == EntryKind::Charge && e.status == EntryStatus::Done);
    let decision =
        new.into_iter().fold(Decision::nothing(), |d, entry| d.event(Event::PaymentRecorded { entry: entry.clone() }));
    // A voucher opens when all of it is paid, not with the first part.
    let money = money_after(order, &decision);
    let opens = order.state != OrderState::Placed || money.received() >= money.due;
    let decision = decision.then(if charged && opens { after_payment(order, true) } else { Decision::nothing() });
    Ok(too_much_back(order, decision))
}

/// Facts about money come in any order, and some never come: when more went back than is known to have come in, a person is told.
pub(super) fn too_much_back(order: &Order, decision: Decision) -> Decision {
    let money = money_after(order, &decision);
    // What the channel names as on its way counts, too; what we have only asked for does not.
    let is_named = |e: &&LedgerEntry| {
        e.kind == EntryKind::Refund
            && e.status == EntryStatus::Pending
            && e.reference != PRESUMED
            && !super::snapshot_channel::is_wanted(e)
    };
    let on_its_way = money.ledger.iter().filter(is_named).fold(0_i64, |sum, e| sum.saturating_add(e.amount));
    if money.refunded().saturating_add(on_its_way) <= money.received() {
        return decision;
    }
    decision.attention(
        order,
        AttentionKind::UnexpectedPayment,
        "more money went back than is known to have come in; compare with the channel's own books",
    )
}

fn money_after(order: &Order, decision: &Decision) -> Money {
    let mut money = order.money.clone();
    for event in &decision.events {
        if let Event::PaymentRecorded { entry } = event {
            money.record(entry.clone());
        }
    }
    money
}

/// What a payment opens; money for a cancelled order is recorded and shown to a person.
fn after_payment(order: &Order, is_new: bool) -> Decision {
    match order.state {
        OrderState::Placed if order.kind == OrderKind::Voucher => Decision::nothing().event(Event::BookingOpened),
        OrderState::Cancelled if is_new => Decision::nothing().attention(
            order,
            AttentionKind::UnexpectedPayment,
            "money came for a cancelled order; return it at the channel",
        ),
        OrderState::Placed
        | OrderState::AwaitingBooking
        | OrderState::Booked
        | OrderState::Completed
        | OrderState::Cancelled => Decision::nothing(),
    }
}

pub(super) fn charge(amount: i64, at: UnixMillis) -> Event {
    Event::PaymentRecorded {
        entry: LedgerEntry {
            reference: PAID_IN_FULL.to_owned(),
            kind: EntryKind::Charge,
            status: EntryStatus::Done,
            amount,
            at,
        },
    }
}
