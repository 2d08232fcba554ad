// SPDX-License-Identifier: Apache-2.0

//! What a reseller's call means.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use ticketbridge_core::id::{ExternalId, ProductCode};
use ticketbridge_core::message::{
    ChangeHold, ChangeUnit, Command, ConfirmHold, Counts, HoldWish, OptionName, ProductRef, RequestBooking,
    ReservationAct, Sale,
};
use ticketbridge_core::order::money::PaymentMode;
use ticketbridge_core::order::{HeldUnit, OrderKind};
use ticketbridge_core::personal::{Person, PersonName, Phone};
use ticketbridge_core::port::{DecodeError, Envelope, Inbound, Message, Query, Verified, WantedReservations};
use ticketbridge_core::quoted::FreeText;
use ticketbridge_core::time::{Date, Millis, UnixMillis};
use ticketbridge_core::variant::{Parts, Visit};

use super::settings::Settings;
use super::wire::{
    AvailabilityIn, CancelIn, ConfirmIn, ContactIn, ExtendIn, OPTION, ReserveIn, UNIT, UnitItemIn, UpdateIn,
};
use super::{route, show};
use crate::objects;

/// Units of one booking at most.
const UNITS_MAX: usize = 100;
/// Days of one question at most.
const DAYS_MAX: i64 = 400;
/// Days of one list of bookings at most.
const LISTED_DAYS_MAX: i64 = 31;
/// Characters of a name that the reseller gives.
const NAME_CHARS_MAX: usize = 120;

pub(super) fn decode(settings: &Settings, request: &Verified<'_>) -> Result<Inbound, DecodeError> {
    let query = request.raw().query;
    match request.endpoint() {
        route::SUPPLIER | route::SUPPLIERS | route::CAPABILITIES => {
            Ok(Inbound::Ping(show::about_us(settings, request.endpoint(), route::id(query).as_deref())))
        }
        route::PRODUCTS => Ok(offers(settings.products.clone(), None, Vec::new(), 0)),
        route::PRODUCT => {
            let id = route::id(query).unwrap_or_default();
            Ok(offers(Some(vec![product(settings, &id)?]), None, Vec::new(), 0))
        }
        route::AVAILABILITY | route::CALENDAR => availability(settings, request),
        route::RESERVE => reserve(settings, request),
        route::BOOKING => {
            let about = ExternalId::new(booking(query)?);
            Ok(Inbound::Query(Query::Reservation { about, at: route::at(query) }))
        }
        route::CONFIRM => {
            let sold = confirm(query, objects::read(request.body())?)?;
            act(query, ReservationAct::Confirm(sold))
        }
        route::EXTEND => {
            let wish: ExtendIn = maybe(request)?;
            act(query, ReservationAct::Extend { lasts: lasts(settings, wish.expiration_minutes)? })
        }
        route::BOOKINGS => bookings(query),
        route::UPDATE => {
            let change = change(settings, query, objects::read(request.body())?)?;
            act(query, ReservationAct::Change(change))
        }
        route::CANCEL => {
            let wish: CancelIn = maybe(request)?;
            let reason =
                wish.reason.map(|reason| FreeText::new(reason.chars().take(NAME_CHARS_MAX).collect::<String>()));
            act(query, ReservationAct::Cancel { reason })
        }
        _ => Err(DecodeError::new("path", "is none of OCTO's")),
    }
}

/// A body that may be left out.
fn maybe<T: DeserializeOwned + Default>(request: &Verified<'_>) -> Result<T, DecodeError> {
    if request.body().trim_ascii().is_empty() { Ok(T::default()) } else { objects::read(request.body()) }
}

fn wrong(field: &str, reason: impl Into<String>, code: &'static str, said: &str) -> DecodeError {
    DecodeError::new(field, reason).coded(code).saying(said)
}

/// The product, without the options and times that are in the codes of its visits.
fn product(settings: &Settings, id: &str) -> Result<ProductCode, DecodeError> {
    let is_shown = settings.products.as_ref().is_none_or(|shown| shown.iter().any(|code| code.as_str() == id));
    let code = ProductCode::new(id);
    if is_shown && !id.is_empty() && code.parts().product == id {
        return Ok(code);
    }
    Err(wrong("productId", "is no product of ours", "INVALID_PRODUCT_ID", id))
}
fn option(id: &str) -> Result<OptionName, DecodeError> {
    let named = Parts { product: "P", option: Some(id), time: None }.code();
    match id {
        OPTION => Ok(OptionName::Default),
        _ if named.parts().option == Some(id) => Ok(OptionName::Named(id.to_owned())),
        _ => Err(wrong("optionId", "is no option of this product", "INVALID_OPTION_ID", id)),
    }
}
/// The booking product behind a product, an option of it, and a start time.
fn code(product: &ProductCode, option: &OptionName, time: Option<&str>) -> ProductCode {
    let option = match option {
        OptionName::Default => None,
        OptionName::Named(name) => Some(name.as_str()),
    };
    Parts { product: product.as_str(), option, time }.code()
}
fn visit(id: &str) -> Result<Visit, DecodeError> {
    let why = "is no availability of this option";
    Visit::parse(id).ok_or_else(|| wrong("availabilityId", why, "INVALID_AVAILABILITY_ID", id))
}
fn unit(id: &str) -> Result<(), DecodeError> {
    if id == UNIT { Ok(()) } else { Err(wrong("unitId", "is no unit of this product", "INVALID_UNIT_ID", id)) }
}
fn booking(query: &str) -> Result<String, DecodeError> {
    let id = route::id(query).unwrap_or_default();
    route::uuid(&id).ok_or_else(|| wrong("uuid", "is no booking of yours", "INVALID_BOOKING_UUID", &id))
}

fn offers(products: Option<Vec<ProductCode>>, dates: Option<(Date, Date)>, only: Vec<Visit>, units: u32) -> Inbound {
    Inbound::Query(Query::Offers { products, dates, only, units })
}

fn availability(settings: &Settings, request: &Verified<'_>) -> Result<Inbound, DecodeError> {
    let asked: AvailabilityIn = objects::read(request.body())?;
    let product = code(&product(settings, &asked.product_id)?, &option(&asked.option_id)?, None);
    let mut units = 0_u32;
    for count in asked.units.unwrap_or_default() {
        unit(&count.id)?;
        units = units.saturating_add(count.quantity);
    }
    let date =
        |field: &str, text: &str| Date::parse(text).ok_or_else(|| DecodeError::new(field, "must be a date YYYY-MM-DD"));
    let (dates, only) = match (asked.availability_ids, asked.local_date_start, asked.local_date_end, asked.local_date) {
        (Some(ids), None, None, None) => {
            let visits: BTreeSet<Visit> = ids.iter().filter_map(|id| Visit::parse(id)).take(UNITS_MAX).collect();
            let day = |visit: Option<&Visit>| visit.map(|visit| visit.date);
            (day(visits.first()).zip(day(visits.last())), visits.into_iter().collect())
        }
        (None, Some(from), Some(to), None) => {
            (Some((date("localDateStart", &from)?, date("localDateEnd", &to)?)), Vec::new())
        }
        (None, None, None, Some(day)) => (Some(date("localDate", &day)?).map(|day| (day, day)), Vec::new()),
        _ => {
            let why = "give localDateStart with localDateEnd, or localDate, or availabilityIds, and one of them only";
            return Err(DecodeError::new("localDateStart", why));
        }
    };
    if let Some((from, to)) = dates
        && !(0..DAYS_MAX).contains(&to.days_since(from))
    {
        return Err(DecodeError::new(
            "localDateEnd",
            format!("must be 0 to {} days after localDateStart", DAYS_MAX - 1),
        ));
    }
    Ok(offers(Some(vec![product]), dates, only, units))
}

/// How long a place is to be kept: what the reseller wishes, as far as the settings let it.
fn lasts(settings: &Settings, minutes: Option<i64>) -> Result<Millis, DecodeError> {
    match minutes {
        None => Ok(settings.hold),
        Some(minutes) if minutes >= 1 => Ok(Millis::minutes(minutes.min(settings.hold_max.0)).min(settings.hold_max)),
        Some(_) => Err(DecodeError::new("expirationMinutes", "must be 1 or more")),
    }
}

fn reserve(settings: &Settings, request: &Verified<'_>) -> Result<Inbound, DecodeError> {
    let wish: ReserveIn = objects::read(request.body())?;
    let (product, option) = (product(settings, &wish.product_id)?, option(&wish.option_id)?);
    let uuid = match &wish.uuid {
        None => route::once(request.raw().query),
        Some(own) => route::uuid(own).ok_or_else(|| wrong("uuid", "must be a uuid", "INVALID_BOOKING_UUID", own))?,
    };
    if uuid.is_empty() {
        return Err(DecodeError::new("uuid", "is missing"));
    }
    if let Some(other) = wish.currency.as_ref().filter(|named| **named != settings.currency.0) {
        return Err(DecodeError::new("currency", format!("must be {}, not {other}", settings.currency.0)));
    }
    let id = wish.availability_id.as_deref().ok_or_else(|| DecodeError::new("availabilityId", "is missing"))?;
    let visit = visit(id)?;
    let units = held(&uuid, &wish.unit_items)?;
    let quantity = u32::try_from(units.len()).unwrap_or(u32::MAX);
    let lasts = lasts(settings, wish.expiration_minutes)?;
    let reference = name("resellerReference", wish.reseller_reference)?;
    let buyer = wish.contact.map(person).unwrap_or_default();
    let about = ExternalId::new(uuid.as_str());
    let sale = Sale {
        channel_order_id: about.clone(),
        kind: OrderKind::Direct,
        product: ProductRef { voucher: None, booking: Some(code(&product, &option, visit.time.as_deref())) },
        quantity,
        payment_mode: PaymentMode::Ledger,
        currency: settings.currency.clone(),
        gross: 0,
        due: 0,
        paid: false,
        buyer,
        placed_at: UnixMillis(0),
    };
    let request = RequestBooking {
        channel_booking_id: about.clone(),
        quantity,
        visit_date: Some(visit.date),
        visit_time: visit.time,
        hold: Some(Box::new(HoldWish { lasts, reference, units })),
        visitors: Vec::new(),
        contact: None,
        requested_at: UnixMillis(0),
        counts: Counts::default(),
    };
    let message = Message::Booking { sale: Box::new(sale), request: Box::new(request) };
    Ok(Inbound::Message(Envelope { key: uuid, about, message }))
}

/// The units, each with its number: the reseller's, or one that follows from the booking's.
fn held(booking: &str, items: &[UnitItemIn]) -> Result<Vec<HeldUnit>, DecodeError> {
    check_count(items.len())?;
    let mut units: Vec<HeldUnit> = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        unit(&item.unit_id)?;
        let id = match &item.uuid {
            None => crate::uuids::unit(booking, index),
            Some(own) => route::uuid(own)
                .ok_or_else(|| DecodeError::new(format!("unitItems[{index}].uuid"), "must be a uuid"))?,
        };
        if units.iter().any(|other| other.id == id) {
            return Err(DecodeError::new(format!("unitItems[{index}].uuid"), "names two units"));
        }
        let reference = name(&format!("unitItems[{index}].resellerReference"), item.reseller_reference.clone())?;
        units.push(HeldUnit { id, reference });
    }
    Ok(units)
}

fn check_count(units: usize) -> Result<(), DecodeError> {
    if (1..=UNITS_MAX).contains(&units) {
        return Ok(());
    }
    Err(DecodeError::new("unitItems", format!("must name 1 to {UNITS_MAX} units")).coded("UNPROCESSABLE_ENTITY"))
}

fn name(field: &str, given: Option<String>) -> Result<Option<String>, DecodeError> {
    match given {
        Some(name) if name.chars().count() > NAME_CHARS_MAX => {
            Err(DecodeError::new(field, format!("is longer than {NAME_CHARS_MAX} characters")))
        }
        other => Ok(other.filter(|name| !name.trim().is_empty())),
    }
}

fn person(contact: ContactIn) -> Person {
    let joined = [contact.first_name, contact.last_name].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let name = contact.full_name.filter(|name| !name.trim().is_empty()).unwrap_or(joined);
    Person {
        name: PersonName::typed(&name),
        phone: contact.phone_number.as_deref().and_then(Phone::typed),
        document: None,
    }
}

fn confirm(query: &str, sold: ConfirmIn) -> Result<ConfirmHold, DecodeError> {
    let units = sold.unit_items.map(|items| named(query, items)).transpose()?;
    let visitors = units.iter().flatten().filter_map(|unit| unit.visitor.clone()).collect();
    let units = units.map(|units| Box::new(ChangeHold { units: Some(units), ..ChangeHold::default() }));
    Ok(ConfirmHold {
        reference: name("resellerReference", sold.reseller_reference)?,
        contact: person(sold.contact),
        visitors,
        units,
        counts: Counts::default(),
    })
}

/// Units that a reservation is to have: those with a number that it has, those without one in its place, and new ones.
fn named(query: &str, items: Vec<UnitItemIn>) -> Result<Vec<ChangeUnit>, DecodeError> {
    check_count(items.len())?;
    let mut units = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        unit(&item.unit_id)?;
        let field = |name: &str| format!("unitItems[{index}].{name}");
        let id = match &item.uuid {
            Some(own) => Some(route::uuid(own).ok_or_else(|| DecodeError::new(field("uuid"), "must be a uuid"))?),
            None => None,
        };
        let visitor = item.contact.map(person).filter(|person| *person != Person::default());
        let reference = name(&field("resellerReference"), item.reseller_reference)?;
        let new_id = crate::uuids::unit(&route::once(query), index);
        units.push(ChangeUnit { id, new_id, reference, visitor });
    }
    Ok(units)
}

/// What is to be otherwise than it was said.
fn change(settings: &Settings, query: &str, wish: UpdateIn) -> Result<ChangeHold, DecodeError> {
    Ok(ChangeHold {
        product: wish.product_id.as_deref().map(|id| product(settings, id)).transpose()?.map(|code| code.0),
        option: wish.option_id.as_deref().map(option).transpose()?,
        visit: wish.availability_id.as_deref().map(visit).transpose()?,
        units: wish.unit_items.map(|items| named(query, items)).transpose()?,
        reference: name("resellerReference", wish.reseller_reference)?,
        contact: wish.contact.map(person).filter(|person| *person != Person::default()),
        lasts: wish.expiration_minutes.map(|minutes| lasts(settings, Some(minutes))).transpose()?,
        terms: None,
    })
}

/// Which bookings are asked for: by one filter at least.
fn bookings(query: &str) -> Result<Inbound, DecodeError> {
    let said = |name: &str| route::asked(query, name);
    let date = |name: &str| match said(name) {
        None => Ok(None),
        Some(text) => match Date::parse(&text) {
            Some(date) => Ok(Some(date)),
            None => Err(DecodeError::new(name, "must be a date YYYY-MM-DD")),
        },
    };
    let dates = match (date("localDate")?, date("localDateStart")?, date("localDateEnd")?) {
        (Some(day), None, None) => Some((day, day)),
        (None, Some(from), Some(to)) => Some((from, to)),
        (None, None, None) => None,
        _ => {
            let why = "give localDateStart with localDateEnd, or localDate, and not both";
            return Err(DecodeError::new("localDateStart", why));
        }
    };
    if let Some((from, to)) = dates
        && !(0..LISTED_DAYS_MAX).contains(&to.days_since(from))
    {
        let why = format!("must be 0 to {} days after localDateStart", LISTED_DAYS_MAX - 1);
        return Err(DecodeError::new("localDateEnd", why));
    }
    let wanted = WantedReservations { reference: said("resellerReference"), number: said("supplierReference"), dates };
    if wanted == WantedReservations::default() {
        let why = "is needed, or supplierReference, localDate, or localDateStart with localDateEnd";
        return Err(DecodeError::new("resellerReference", why));
    }
    Ok(Inbound::Query(Query::Reservations { wanted, at: route::at(query) }))
}

/// Each of them is decided anew, by how the booking stands: a repeat finds that it is done.
fn act(query: &str, act: ReservationAct) -> Result<Inbound, DecodeError> {
    let target = ExternalId::new(booking(query)?);
    let once = route::once(query);
    if once.is_empty() {
        return Err(DecodeError::new("once", "is missing"));
    }
    let command = Command::Reservation { target: target.clone(), act: Box::new(act), at: route::at(query) };
    Ok(Inbound::Message(Envelope { key: once, about: target, message: Message::Act(Box::new(command)) }))
}
