// SPDX-License-Identifier: Apache-2.0

//! The sale and its payment.

use crate::decide::draft::Draft;
use crate::message::{Actor, Counts, DeadlineKind, Effect, Event, PlaceOrder};
use crate::order::money::{EntryKind, EntryStatus, LedgerEntry, PaymentMode};
use crate::order::undelivered::TOO_MUCH_BACK;
use crate::order::{AttentionKind, Fact, OrderKind, OrderState};
use crate::product::RuleSnapshot;
use crate::rejection::{Rejection, Why};
use crate::rules;
use crate::rules::capacity::voucher_stock_key;
use crate::time::{Moment, UnixMillis};

/// The number under which "all of it was paid" is recorded, where the channel names no payment.
const PAID_IN_FULL: &str = "paid";

/// A sale that is not known yet. A stub is taken as it is: the channel has sold it, and refusing would not undo that.
pub(super) fn place(placed: &PlaceOrder, counts: &Counts, actor: &Actor, moment: Moment) -> Result<Draft, Rejection> {
    let sale = &placed.sale;
    let doubt = if placed.is_stub { rules::sale::check_terms(&placed.rules, sale).err() } else { None };
    if !placed.is_stub {
        rules::sale::check_phone_is_there(&placed.rules, sale)?;
        rules::check_sale(&placed.rules, sale, counts)?;
    }
    let mut draft = Draft::placed(placed, actor, moment);
    let voucher = voucher_stock_key(&placed.rules);
    draft.maybe(voucher.map(|key| Effect::TakeStock { key, units: sale.quantity }));
    draft.maybe(booking_window(&placed.rules));
    if let Some(doubt) = doubt {
        draft.flag_fact(Fact::SoldAmiss { why: doubt.sentence.to_string() });
    }
    if sale.paid && sale.payment_mode == PaymentMode::Ledger {
        draft.event(charge(sale.due, sale.placed_at));
    }
    if sale.paid && sale.kind == OrderKind::Voucher {
        draft.event(Event::BookingOpened);
    }
    if sale.buyer.has_remote_cipher() {
        draft.effect(Effect::DecryptGuests);
    }
    Ok(draft)
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
pub(super) fn place_again(draft: &mut Draft, placed: &PlaceOrder) -> Result<(), Rejection> {
    let order = draft.order();
    if !order.is_stub || placed.is_stub {
        return Ok(());
    }
    if placed.sale.quantity != order.quantity {
        let known = crate::words::units(order.quantity);
        let sentence = format!("this order is known with {known}, not {}", placed.sale.quantity);
        return Err(Rejection::new(Why::ContentDiffers, sentence).at("count"));
    }
    rules::sale::check_sale_price(&order.rules, &placed.sale)?;
    let was_amiss = order.attention.iter().find(|flag| matches!(flag.fact, Some(Fact::SoldAmiss { .. })));
    draft.event(Event::StubFilled { sale: Box::new(placed.clone()) });
    if let Some(flag) = was_amiss
        && rules::sale::check_terms(&order.rules, &placed.sale).is_err()
    {
        // What was feared is so for good.
        draft.flag(flag.kind, flag.sentence.clone());
    }
    let sale = &placed.sale;
    // What its booking said was paid gives way to what the sale says.
    if sale.paid && sale.payment_mode == PaymentMode::Ledger && order.money.received() != sale.due {
        draft.event(charge(sale.due, sale.placed_at));
    }
    Ok(())
}

/// The channel says it is all paid (before-payment timing).
pub(super) fn record_paid(draft: &mut Draft, at: UnixMillis) {
    let order = draft.order();
    let missing = order.money.due - order.money.received();
    if missing > 0 && order.money.mode == PaymentMode::Ledger {
        draft.event(charge(missing, at));
    }
    after_payment(draft, missing > 0);
}

/// Movements of money, by their numbers: a set that grows, whatever the order in which they come.
pub(super) fn record_payments(draft: &mut Draft, entries: &[LedgerEntry]) -> Result<(), Rejection> {
    let order = draft.order();
    let new: Vec<&LedgerEntry> = entries.iter().filter(|entry| !order.money.knows(entry)).collect();
    if let Some(bad) = new.iter().find(|entry| entry.amount < 0) {
        return Err(Rejection::new(Why::Invalid, format!("the amount of `{}` is negative", bad.reference)).at("amount"));
    }
    let charged = new.iter().any(|e| e.kind == EntryKind::Charge && e.status == EntryStatus::Done);
    for entry in new {
        draft.event(Event::PaymentRecorded { entry: entry.clone() });
    }
    // A voucher opens when all of it is paid, not with the first part.
    let opens = order.state != OrderState::Placed || draft.order().money.received() >= order.money.due;
    if charged && opens {
        after_payment(draft, true);
    }
    too_much_back(draft);
    Ok(())
}

/// Facts about money come in any order, and some never come: when more went back than is known to have come in, a person is told.
pub(super) fn too_much_back(draft: &mut Draft) {
    let order = draft.order();
    let money = &order.money;
    // What the channel names as on its way counts, too; what we have only asked for does not.
    let is_named = |e: &&LedgerEntry| {
        e.kind == EntryKind::Refund && e.status == EntryStatus::Pending && !e.is_presumed() && !e.is_unnamed()
    };
    let on_its_way = money.ledger.iter().filter(is_named).fold(0_i64, |sum, e| sum.saturating_add(e.amount));
    if money.refunded().saturating_add(on_its_way) > money.received() {
        draft.flag(AttentionKind::UnexpectedPayment, TOO_MUCH_BACK);
    }
}

/// What a payment opens; money for a cancelled order is recorded and shown to a person.
fn after_payment(draft: &mut Draft, is_new: bool) {
    let order = draft.order();
    match order.state {
        OrderState::Placed if order.kind == OrderKind::Voucher => draft.event(Event::BookingOpened),
        // What went back before it was told to have come is even.
        OrderState::Cancelled if is_new && (order.money.held() > 0 || order.money.mode != PaymentMode::Ledger) => {
            let sentence = "money came for a cancelled order; return it at the channel";
            draft.flag(AttentionKind::UnexpectedPayment, sentence);
        }
        OrderState::Placed
        | OrderState::AwaitingBooking
        | OrderState::Booked
        | OrderState::Completed
        | OrderState::Cancelled => {}
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
