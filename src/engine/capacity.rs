// SPDX-License-Identifier: Apache-2.0

//! A person's yes to a booking that came when its day was full: what the rule of it has to know ([`ticketbridge_core::rules::capacity`]).

use ticketbridge_core::Command;
use ticketbridge_core::message::StockKey;
use ticketbridge_core::order::Order;
use ticketbridge_core::rules::capacity::{came_too_late, check_late};
use ticketbridge_store::Tx;

use crate::engine::{EngineError, counts};
use crate::service::live::Running;

/// Refuses to confirm a booking that would not fit.
///
/// # Errors
/// A rejection `out_of_stock`; store errors.
pub(crate) async fn check(tx: &Tx, running: &Running, order: &Order, command: &Command) -> Result<(), EngineError> {
    if *command != Command::ConfirmBooking || !came_too_late(order) {
        return Ok(());
    }
    let Some(date) = order.booking.as_ref().and_then(|booking| booking.visit_date) else { return Ok(()) };
    let code = &order.rules.booking.code;
    // What is there now counts, not what was there when it was booked.
    let product = running.config.booking(code).unwrap_or(&order.rules.booking);
    let Some(left) = counts::date_left(tx, product, Some(date)).await? else { return Ok(()) };
    let waiting = tx.orders_waiting_for(&StockKey { product: code.clone(), date: Some(date) }).await?;
    Ok(check_late(order, date, left, &waiting)?)
}
