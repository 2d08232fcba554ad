// SPDX-License-Identifier: Apache-2.0

//! What a reseller that reserves first may have, and at which price: our own, of the day of the visit.

use ticketbridge_core::message::{Command, Counts, NewTerms, PlaceOrder, ProductRef, ReservationAct};
use ticketbridge_core::order::Order;
use ticketbridge_core::product::BookingProduct;
use ticketbridge_core::rules::sale::reserved_price;
use ticketbridge_core::variant::Parts;
use ticketbridge_core::{Date, ProductCode, Rejection, Why};
use ticketbridge_store::Tx;

use crate::config::Config;
use crate::engine::arrival::Incoming;
use crate::engine::{EngineError, counts, credit};

/// The booking product of this code; where there is none, the part of it is named that does not fit.
pub(crate) fn product<'c>(config: &'c Config, code: Option<&ProductCode>) -> Result<&'c BookingProduct, Rejection> {
    let refuse = |why: Why, sentence: &'static str, field: &'static str| Err(Rejection::new(why, sentence).at(field));
    let Some(code) = code else { return refuse(Why::OffSale, "no product is named", "productId") };
    if let Some(product) = config.booking(code) {
        return Ok(product);
    }
    let has = |asked: &ProductCode| config.bookings().any(|product| product.code.is_of(asked));
    let own = code.parts();
    if has(&Parts { time: None, ..own }.code()) {
        return refuse(Why::DateNotBookable, "this option has no visit at that time", "availabilityId");
    }
    if has(&Parts { option: None, time: None, ..own }.code()) {
        return refuse(Why::OffSale, "this product has no such option", "optionId");
    }
    refuse(Why::OffSale, "no such product is configured", "productId")
}

/// What so many units cost on a day, minor units.
pub(crate) fn price(product: &BookingProduct, date: Option<Date>, units: u32) -> Result<i64, Rejection> {
    Ok(reserved_price(product, date)?.saturating_mul(i64::from(units)))
}

/// A reservation that is to be of another visit, with the terms on which that can be kept.
pub(crate) async fn with_terms(
    tx: &Tx,
    incoming: &Incoming,
    order: &Order,
    mut command: Command,
) -> Result<Command, EngineError> {
    let Command::Reservation { act, .. } = &mut command else { return Ok(command) };
    let wish = match &mut **act {
        ReservationAct::Change(wish) => wish,
        ReservationAct::Confirm(sold) => match &mut sold.units {
            Some(units) => &mut **units,
            None => return Ok(command),
        },
        ReservationAct::Extend { .. } | ReservationAct::Cancel { .. } => return Ok(command),
    };
    let is_kept = order.booking.as_ref().is_some_and(|booking| booking.is_on_hold());
    let Some(other) = wish.other_visit(order).filter(|_| is_kept) else { return Ok(command) };
    let wanted = product(&incoming.running.config, Some(&other.product))?;
    for visited in [wanted, &order.rules.booking] {
        is_ours_to_move(incoming, visited)?;
    }
    let named = ProductRef { voucher: None, booking: Some(other.product.clone()) };
    let rules = match other.product == order.rules.booking.code {
        // A product stays what it was when it was reserved.
        true => order.rules.clone(),
        false => incoming
            .running
            .rules_of(&incoming.channel, &named)
            .ok_or_else(|| Rejection::new(Why::OffSale, "no such product is configured").at("productId"))?,
    };
    let gross = price(&rules.booking, Some(other.visit.date), other.quantity)?;
    let sale = PlaceOrder::instead_of(order, named, rules, (other.quantity, gross));
    let counts = Counts {
        date_left: counts::date_left(tx, &sale.rules.booking, Some(other.visit.date)).await?,
        credit_available: credit::available(tx, &incoming.running, &incoming.channel.id, &sale.sale).await?,
        ..Counts::default()
    };
    wish.terms = Some(Box::new(NewTerms { sale, counts }));
    Ok(command)
}

/// A place that a back-end keeps as well cannot be changed there: it is given back with the booking, and had anew with another.
fn is_ours_to_move(incoming: &Incoming, product: &BookingProduct) -> Result<(), Rejection> {
    let issuer = product.ticketing.issuer().and_then(|issuer| incoming.running.registry.backend(issuer));
    if issuer.is_some_and(|issuer| issuer.backend.holds().is_some()) {
        let sentence = "the ticketing system keeps this place too: reserve the other visit, and cancel this one";
        return Err(Rejection::new(Why::NotSupported, sentence));
    }
    Ok(())
}
