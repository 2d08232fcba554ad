// SPDX-License-Identifier: Apache-2.0

//! Axis 1, the sale: placed, opened for booking, cancelled.

use std::collections::BTreeSet;

use crate::evolve::attention::clear;
use crate::id::{OrderId, ProductCode};
use crate::message::PlaceOrder;
use crate::order::money::{EntryKind, EntryStatus, LedgerEntry, Money};
use crate::order::{AttentionKind, CancelReason, Order, OrderState};
use crate::time::UnixMillis;

/// What was sold: the voucher, or the visit itself.
fn product_of(placed: &PlaceOrder) -> ProductCode {
    let voucher = placed.rules.voucher.as_ref();
    voucher.map_or_else(|| placed.rules.booking.code.clone(), |voucher| voucher.code.clone())
}

pub(super) fn place(id: OrderId, placed: &PlaceOrder, at: UnixMillis) -> Order {
    let sale = &placed.sale;
    Order {
        id,
        channel: placed.channel.clone(),
        channel_order_id: sale.channel_order_id.clone(),
        kind: sale.kind,
        state: OrderState::Placed,
        cancel_reason: None,
        product: product_of(placed),
        quantity: sale.quantity,
        rules: placed.rules.clone(),
        money: Money {
            mode: sale.payment_mode,
            currency: sale.currency.clone(),
            gross: sale.gross,
            due: sale.due,
            ledger: Vec::new(),
        },
        buyer: sale.buyer.clone(),
        booking: None,
        past_bookings: Vec::new(),
        refund_case: None,
        copies_back: 0,
        copies_named: BTreeSet::new(),
        copies_off: BTreeSet::new(),
        past_refund_cases: Vec::new(),
        parked_redemption: None,
        entered: None,
        attention: Vec::new(),
        undelivered: Vec::new(),
        channel_state: None,
        is_stub: placed.is_stub,
        placed_at: sale.placed_at,
        created_at: at,
        updated_at: at,
        version: 0,
    }
}

/// The sale that had been made up from a later message is told after all.
pub(super) fn filled(order: &mut Order, placed: &PlaceOrder) {
    order.is_stub = false;
    order.placed_at = placed.sale.placed_at;
    order.money.gross = placed.sale.gross;
    order.money.due = placed.sale.due;
    order.buyer = placed.sale.buyer.clone();
}

/// Something else is sold than before; nothing is paid yet.
pub(super) fn changed(order: &mut Order, placed: &PlaceOrder) {
    order.product = product_of(placed);
    order.rules = placed.rules.clone();
    order.quantity = placed.sale.quantity;
    order.money.gross = placed.sale.gross;
    order.money.due = placed.sale.due;
}

pub(super) fn cancelled(order: &mut Order, reason: CancelReason) {
    order.state = OrderState::Cancelled;
    order.cancel_reason = Some(reason);
    clear(order, AttentionKind::OpenBalance);
    clear(order, AttentionKind::PaymentLinkOver);
    // What was expected to come back, and never will be mentioned again, stays as it is: only the channel's word settles money.
    if order.money.received() == 0 {
        order.money.ledger.retain(|e: &LedgerEntry| {
            !(e.kind == EntryKind::Refund && e.status == EntryStatus::Pending && e.is_presumed())
        });
    }
}
