// SPDX-License-Identifier: Apache-2.0

//! What others have taken already, read under lock inside the transaction that decides.

use ticketbridge_core::decide::dates_demanded;
use ticketbridge_core::message::{Command, ConfirmHold, Counts, RequestBooking, ReservationAct, Sale};
use ticketbridge_core::order::Order;
use ticketbridge_core::personal::Person;
use ticketbridge_core::product::{BookingProduct, RuleSnapshot, StockFrom};
use ticketbridge_core::rules::capacity::{calendar_stock, date_stock_key, voucher_stock_key};
use ticketbridge_core::rules::guests::guests_of;
use ticketbridge_core::rules::purchase_limits::phone_of;
use ticketbridge_core::{Date, OrderId, ProductCode};
use ticketbridge_store::{ClaimKind, StoreError, Tx};

use crate::engine::EngineError;
use crate::engine::needs::turn_of;
use crate::engine::purchase_limits::{document_key, phone_key};

/// For a sale: units left, and units that the phone has bought.
pub(crate) async fn for_sale(tx: &Tx, rules: &RuleSnapshot, sale: &Sale) -> Result<Counts, StoreError> {
    let mut counts = Counts::default();
    if let Some(voucher) = &rules.voucher {
        if let Some(key) = voucher_stock_key(rules) {
            counts.voucher_left = tx.stock_left(&key, voucher.stock).await?;
        }
        if voucher.per_phone.is_some() && voucher.stock.is_none() {
            lock_product(tx, &voucher.code).await?;
        }
        if voucher.per_phone.is_some()
            && let Some(hash) = phone_of(&[&sale.buyer]).map(|phone| phone_key(tx, &phone))
        {
            counts.phone_units = tx.claimed_units(&voucher.code, ClaimKind::Phone, &hash, None).await?;
        }
    }
    Ok(counts)
}

/// For a booking: units left on the date, and what phone and documents have booked in other orders than `except`.
pub(crate) async fn for_booking(
    tx: &Tx,
    rules: &RuleSnapshot,
    buyer: &Person,
    request: &RequestBooking,
    except: Option<&OrderId>,
) -> Result<Counts, StoreError> {
    let product = &rules.booking;
    let date_left = date_left(tx, product, request.visit_date).await?;
    let mut counts = Counts { date_left, ..Counts::default() };
    if product.limits.per_phone.is_some() || product.limits.per_document.is_some() {
        lock_product(tx, &product.code).await?;
    }
    if product.limits.per_phone.is_some() {
        let people: Vec<&Person> = request.contact.iter().chain([buyer]).collect();
        if let Some(hash) = phone_of(&people).map(|phone| phone_key(tx, &phone)) {
            counts.phone_units = tx.claimed_units(&product.code, ClaimKind::Phone, &hash, except).await?;
        }
    }
    if product.limits.per_document.is_some() {
        for guest in guests_of(&request.visitors, request.contact.as_ref()) {
            let Some(document) = &guest.document else { continue };
            if document.number.is_remote_cipher() {
                counts.document_bookings.push(0);
                continue;
            }
            let hash = document_key(tx, document.number.reveal());
            counts.document_bookings.push(tx.claimed_units(&product.code, ClaimKind::Document, &hash, except).await?);
        }
    }
    Ok(counts)
}

/// For a reservation whose guests are named at last: what they have booked beside it.
pub(crate) async fn for_confirmation(tx: &Tx, order: &Order, sold: &ConfirmHold) -> Result<Counts, StoreError> {
    let Some(booking) = &order.booking else { return Ok(Counts::default()) };
    let request = RequestBooking {
        channel_booking_id: booking.channel_booking_id.clone(),
        quantity: order.quantity,
        // Its place is taken already.
        visit_date: None,
        visit_time: None,
        hold: None,
        visitors: sold.visitors.clone(),
        contact: Some(sold.contact.clone()),
        requested_at: booking.requested_at,
        counts: Counts::default(),
    };
    // What it had claimed for its buyer when it was reserved is not counted twice.
    for_booking(tx, &order.rules, &sold.contact, &request, Some(&order.id)).await
}

/// Two buyers with one phone take turns: what the first claims, the second sees. The row that is locked counts no stock.
async fn lock_product(tx: &Tx, product: &ProductCode) -> Result<(), StoreError> {
    tx.stock_left(&turn_of(product), None).await.map(drop)
}

/// Units left on a date; `None` is unlimited.
pub(crate) async fn date_left(
    tx: &Tx,
    product: &BookingProduct,
    date: Option<Date>,
) -> Result<Option<i64>, StoreError> {
    let Some(key) = date_stock_key(product, date) else { return Ok(None) };
    let total = calendar_stock(product, date);
    match product.stock_from {
        StockFrom::Calendar => tx.stock_left(&key, total).await,
        StockFrom::Backend => Ok(tx.told_stock_left(&key, total).await?.bookable()),
    }
}

/// A demand for tickets that names the date has to find a place on it, as a booking has; and whoever names its guests only when it
/// confirms is told then what they have booked already.
pub(crate) async fn counted(tx: &Tx, order: &Order, mut command: Command) -> Result<Command, EngineError> {
    if let Command::RequestTickets { target, validity, date_left, .. } = &mut command {
        let dates = order.booking_by_ref(target).and_then(|booking| dates_demanded(order, booking, *validity));
        *date_left = self::date_left(tx, &order.rules.booking, dates.map(|(first, _)| first)).await?;
    }
    if let Command::Reservation { act, .. } = &mut command
        && let ReservationAct::Confirm(sold) = &mut **act
    {
        sold.counts = for_confirmation(tx, order, sold).await?;
    }
    Ok(command)
}
