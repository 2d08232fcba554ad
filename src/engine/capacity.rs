//! A person's yes to a booking that came when its day was full: there must be a place by now (KA-07, DY-04).
//!
//! A channel that books first and asks afterwards has every booking hold its units, the ones for which there was no place among them. Of
//! those, whoever waits for a decision holds nothing that another could not have: a place is there when it fits together with
//! everything else.

use ticketbridge_core::message::StockKey;
use ticketbridge_core::next_step::SOLD_OUT;
use ticketbridge_core::order::channel_state::{Mirror, Proposal};
use ticketbridge_core::order::{BookingState, Order};
use ticketbridge_core::{Command, Rejection, Why};
use ticketbridge_store::Tx;

use crate::engine::{EngineError, counts};
use crate::service::live::Running;

/// Refuses to accept a booking that would not fit.
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
    let key = StockKey { product: code.clone(), date: Some(date) };
    let waiting = tx.orders_waiting_for(&key).await?;
    let others = waiting.iter().filter(|other| other.id != order.id && came_too_late(other));
    let held: i64 = others.map(|other| i64::from(other.live_units())).sum();
    if left + held >= 0 {
        return Ok(());
    }
    let sentence = format!(
        "{} wanted, left on {date}: {}; decline the booking, or raise the stock of the day first",
        ticketbridge_core::words::units_are(order.live_units()),
        (left + held + i64::from(order.live_units())).max(0)
    );
    Err(Rejection::new(Why::OutOfStock, sentence).at("visit_date").into())
}

/// Whether the booking waits for a decision and had no place when it came.
fn came_too_late(order: &Order) -> bool {
    let waits = order.booking.as_ref().is_some_and(|booking| booking.state == BookingState::Requested);
    let was_full =
        |mirror: &Mirror| mirror.not_for_sale.as_deref() == Some(SOLD_OUT) && mirror.proposal != Some(Proposal::Accept);
    waits && order.mirror.as_deref().is_some_and(was_full)
}
