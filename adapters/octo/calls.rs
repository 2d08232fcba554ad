// SPDX-License-Identifier: Apache-2.0

//! The calls, on the wire.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use ticketbridge_core::order::{Booking, Order};
use ticketbridge_core::port::{Call, EncodeError};
use ticketbridge_core::time::{Date, Millis};

use super::map;
use super::supplier::{CancelStyle, Octo};
use super::wire::{
    AvailabilityRequest, CancelRequest, ConfirmRequest, ContactOut, ExtendRequest, ReserveRequest, UnitCount,
    UnitItemOut,
};
use crate::address::Address;
use crate::uuids as ids;

/// What is wanted of the supplier's extensions; required, even when it is nothing.
const CAPABILITIES: HeaderName = HeaderName::from_static("octo-capabilities");
/// Why a booking is cancelled. Nobody's words: the supplier need not know more.
const CANCEL_REASON: &str = "cancelled by the guest or the sales channel";

/// Who comes: so many of one unit.
pub(super) struct Party<'a> {
    pub(super) unit: &'a str,
    pub(super) count: usize,
}

/// A unit that is booked, and who it is for where the supplier wants to know that.
pub(super) struct Unit<'a> {
    pub(super) uuid: Cow<'a, str>,
    pub(super) unit: &'a str,
    pub(super) contact: Option<ContactOut>,
}

impl<'a> Unit<'a> {
    /// Those of a party, under uuids that are derived from the booking's. `contacts` are of the units in their order, or none.
    pub(super) fn of_party(uuid: &str, party: &Party<'a>, contacts: Vec<ContactOut>) -> Vec<Self> {
        let mut contacts = contacts.into_iter();
        let one = |index| Self { uuid: ids::unit(uuid, index).into(), unit: party.unit, contact: contacts.next() };
        (0..party.count).map(one).collect()
    }

    fn out(self) -> UnitItemOut<'a> {
        UnitItemOut { uuid: self.uuid, unit_id: self.unit, contact: self.contact }
    }
}

/// What a reservation holds.
pub(super) struct Reserve<'a> {
    pub(super) uuid: &'a str,
    /// Product and option.
    pub(super) product: (&'a str, &'a str),
    pub(super) availability: Option<&'a str>,
    pub(super) units: Vec<Unit<'a>>,
    pub(super) currency: Option<&'a str>,
}

/// The address of one booking.
fn booking(octo: &Octo, uuid: &str) -> Result<Address, EncodeError> {
    at(octo, "/bookings").segment(uuid)
}

/// An address that the configuration and the contract alone make.
fn at(octo: &Octo, words: &'static str) -> Address {
    Address::at(&octo.base_url).path(words)
}

/// The address of a collection, which some servers end with a slash.
fn collection(octo: &Octo, words: &'static str) -> Address {
    let address = at(octo, words);
    if octo.trailing_slash { address.path("/") } else { address }
}

pub(super) fn read(octo: &Octo, uuid: &str) -> Result<Call, EncodeError> {
    Ok(call(octo, Method::GET, booking(octo, uuid)?, None, octo.timeouts.read))
}

pub(super) fn product(octo: &Octo, id: &str) -> Result<Call, EncodeError> {
    Ok(call(octo, Method::GET, at(octo, "/products").segment(id)?, None, octo.timeouts.read))
}

pub(super) fn supplier(octo: &Octo) -> Call {
    call(octo, Method::GET, at(octo, octo.supplier_address()), None, octo.timeouts.read)
}

pub(super) fn capabilities(octo: &Octo) -> Call {
    call(octo, Method::GET, at(octo, "/capabilities"), None, octo.timeouts.read)
}

pub(super) fn availability(
    octo: &Octo,
    (product_id, option_id): (&str, &str),
    (from, to): (Date, Date),
    party: Option<&Party<'_>>,
    currency: Option<&str>,
) -> Call {
    let units = party.map(|party| UnitCount { id: party.unit, quantity: party.count }).into_iter().collect();
    let (local_date_start, local_date_end) = (from.to_string(), to.to_string());
    let body = AvailabilityRequest { product_id, option_id, local_date_start, local_date_end, units, currency };
    post(octo, collection(octo, "/availability"), &body, octo.timeouts.read)
}

pub(super) fn calendar(octo: &Octo, (product_id, option_id): (&str, &str), (from, to): (Date, Date)) -> Call {
    let (local_date_start, local_date_end) = (from.to_string(), to.to_string());
    let (units, currency) = (Vec::new(), None);
    let body = AvailabilityRequest { product_id, option_id, local_date_start, local_date_end, units, currency };
    post(octo, collection(octo, "/availability/calendar"), &body, octo.timeouts.read)
}

pub(super) fn reserve(octo: &Octo, wanted: Reserve<'_>, reseller_reference: &str) -> Call {
    let (product_id, option_id) = wanted.product;
    let unit_items = wanted.units.into_iter().map(Unit::out).collect();
    let body = ReserveRequest {
        uuid: wanted.uuid,
        product_id,
        option_id,
        availability_id: wanted.availability,
        expiration_minutes: octo.hold_minutes(),
        reseller_reference,
        unit_items,
        currency: wanted.currency,
    };
    // Its uuid is what the supplier knows a repeat by.
    let key = Some(wanted.uuid.to_owned());
    Call { key, ..post(octo, collection(octo, "/bookings"), &body, octo.timeouts.reserve) }
}

pub(super) fn extend(octo: &Octo, uuid: &str) -> Result<Call, EncodeError> {
    let body = ExtendRequest { expiration_minutes: octo.hold_minutes() };
    Ok(post(octo, booking(octo, uuid)?.path("/extend"), &body, octo.timeouts.reserve))
}

/// Confirms what is held. Who comes is told now: a hold concerns nobody. `units` are all that are held, where they want contacts of their own.
pub(super) fn confirm(
    octo: &Octo,
    uuid: &str,
    (order, ours): (&Order, &Booking),
    units: Vec<Unit<'_>>,
) -> Result<Call, EncodeError> {
    let contact = map::contact(order, ours)?;
    let unit_items = units.into_iter().map(Unit::out).collect();
    // The channel hands the ticket over; the supplier sends no mail.
    let body = ConfirmRequest { reseller_reference: ours.id.as_str(), email_receipt: false, contact, unit_items };
    Ok(post(octo, booking(octo, uuid)?.path("/confirm"), &body, octo.timeouts.confirm))
}

pub(super) fn cancel(octo: &Octo, uuid: &str) -> Result<Call, EncodeError> {
    let body = CancelRequest { reason: CANCEL_REASON };
    let address = booking(octo, uuid)?;
    Ok(match octo.cancel_style {
        CancelStyle::Post => post(octo, address.path("/cancel"), &body, octo.timeouts.confirm),
        CancelStyle::Delete => call(octo, Method::DELETE, address, Some(json(&body)), octo.timeouts.confirm),
    })
}

fn json<T: serde::Serialize>(body: &T) -> Bytes {
    Bytes::from(serde_json::to_vec(body).expect("structs of texts and numbers serialise"))
}

fn post<T: serde::Serialize>(octo: &Octo, address: Address, body: &T, timeout: Millis) -> Call {
    call(octo, Method::POST, address, Some(json(body)), timeout)
}

fn call(octo: &Octo, method: Method, address: Address, body: Option<Bytes>, timeout: Millis) -> Call {
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, octo.authorization.clone());
    headers.insert(CAPABILITIES, octo.capabilities.clone());
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    if body.is_some() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    Call { method, url: address.url(), headers, body: body.unwrap_or_default(), timeout: Some(timeout), key: None }
}
