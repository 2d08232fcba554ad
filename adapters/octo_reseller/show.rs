// SPDX-License-Identifier: Apache-2.0

//! Products, availability and bookings of ours in OCTO's words.
//!
//! A product has its options, each of them one unit; what can be booked of one is a day of it, or a start time of a day, at its price. Each
//! of those is a booking product of ours (`ticketbridge_core::variant`).

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Value, json};
use ticketbridge_core::decide::can_be_cancelled;
use ticketbridge_core::order::{Booking, BookingState, CancelReason, Order, Ticket, TicketKind, TicketingState};
use ticketbridge_core::personal::Person;
use ticketbridge_core::port::{CalendarDay, HttpReply, Offer};
use ticketbridge_core::product::{
    BookingProduct, Cancellation, Confirmation, Currency, GuestField, GuestsWho, Ticketing,
};
use ticketbridge_core::quoted::FreeText;
use ticketbridge_core::rules::dates::advance_limit;
use ticketbridge_core::time::{Date, Millis, TimeZone, UnixMillis};
use ticketbridge_core::variant::Visit;

use super::errors::error;
use super::route;
use super::settings::Settings;
use super::wire::{OPTION, UNIT};

/// What the settings alone answer.
pub(super) fn about_us(settings: &Settings, endpoint: &str, id: Option<&str>) -> HttpReply {
    if id.is_some_and(|id| id != settings.supplier_id) {
        return error(StatusCode::NOT_FOUND, "NOT_FOUND", "there is no such supplier", None);
    }
    let pricing = json!({ "id": route::PRICING, "revision": 1, "required": false, "dependencies": [], "docs": null });
    let body = match endpoint {
        route::SUPPLIERS => json!([settings.supplier]),
        route::CAPABILITIES => json!([pricing]),
        _ => settings.supplier.clone(),
    };
    HttpReply::json(StatusCode::OK, &body)
}

/// Minutes of a day, and of an hour.
const DAY: i64 = 1_440;
const HOUR: i64 = 60;
/// The time of what is sold by the day.
const ALL_DAY: &str = "00:00";
/// Ages when nothing is said of them.
const AGES: (u32, u32) = (0, 120);

/// An instant as OCTO writes it: in UTC, with `Z`.
fn utc(at: UnixMillis) -> String {
    at.rfc3339(TimeZone::UTC).replace("+00:00", "Z")
}

fn pricing(currency: &Currency, amount: i64) -> Value {
    json!({ "original": amount, "retail": amount, "net": amount, "currency": currency.0,
        "currencyPrecision": currency.decimals(), "includedTaxes": [] })
}
fn unit_pricing(currency: &Currency, amount: i64) -> Value {
    let mut priced = pricing(currency, amount);
    priced["unitId"] = json!(UNIT);
    priced
}

/// The lowest price of a product's days.
fn price_from(product: &BookingProduct) -> i64 {
    product.calendar.iter().filter_map(|range| range.price).min().unwrap_or_default()
}

/// The lowest price of an option, at whatever time.
fn price_of(visits: &[&BookingProduct]) -> i64 {
    visits.iter().map(|product| price_from(product)).min().unwrap_or_default()
}

/// What an option is called.
fn option_id(product: &BookingProduct) -> &str {
    product.code.parts().option.unwrap_or(OPTION)
}

/// Contact fields that a guest's details are read from.
fn contact_fields(product: &BookingProduct, who: GuestsWho) -> Vec<&'static str> {
    if product.guests.who != who {
        return Vec::new();
    }
    let fields = |field: &GuestField| match field {
        GuestField::Name => vec!["firstName", "lastName"],
        GuestField::Phone => vec!["phoneNumber"],
        // OCTO has none; such a product is not offered.
        GuestField::Document => Vec::new(),
    };
    product.guests.fields.iter().flat_map(fields).collect()
}

fn unit(settings: &Settings, product: &BookingProduct, price: i64) -> Value {
    let ages = (product.limits.min_age.unwrap_or(AGES.0), product.limits.max_age.unwrap_or(AGES.1));
    json!({
        "id": UNIT, "internalName": product.name, "reference": null, "type": "OTHER",
        "restrictions": { "minAge": ages.0, "maxAge": ages.1, "idRequired": false, "minQuantity": null,
            "maxQuantity": product.limits.per_phone, "paxCount": product.visitors_per_unit, "accompaniedBy": [] },
        "requiredContactFields": contact_fields(product, GuestsWho::Each),
        "pricingFrom": [pricing(&settings.currency, price)],
    })
}

/// Until when before the start of its day a booking can be cancelled, in OCTO's three words.
fn cutoff(product: &BookingProduct) -> (String, i64, &'static str) {
    let minutes = match product.cancellation {
        Cancellation::Never => return ("cannot be cancelled".to_owned(), 0, "hour"),
        Cancellation::Anytime => 0,
        Cancellation::Until { days_before, at_minute } => (i64::from(days_before) * DAY - i64::from(at_minute)).max(0),
    };
    let (amount, word) = match minutes {
        minutes if minutes % DAY == 0 && minutes > 0 => (minutes / DAY, "day"),
        minutes if minutes % HOUR == 0 => (minutes / HOUR, "hour"),
        minutes => (minutes, "minute"),
    };
    (format!("{amount} {word}{}", if amount == 1 { "" } else { "s" }), amount, word)
}

/// An option: the visits of it, which differ in their times alone.
fn option(settings: &Settings, visits: &[&BookingProduct], is_default: bool) -> Value {
    let Some(product) = visits.first() else { return Value::Null };
    let (text, amount, word) = cutoff(product);
    let times: Vec<String> = visits.iter().map(|visit| visit.clock().unwrap_or_else(|| ALL_DAY.to_owned())).collect();
    let price = price_of(visits);
    json!({
        "id": option_id(product), "default": is_default, "internalName": product.name, "reference": null,
        "availabilityLocalStartTimes": times,
        "cancellationCutoff": text, "cancellationCutoffAmount": amount, "cancellationCutoffUnit": word,
        "requiredContactFields": contact_fields(product, GuestsWho::One),
        "restrictions": { "minUnits": 1, "maxUnits": null },
        "units": [unit(settings, product, price)],
        "pricingFrom": [pricing(&settings.currency, price)],
    })
}

/// How the guest is let in: by a code, or by the list at the gate.
fn redemption(product: &BookingProduct) -> &'static str {
    match product.ticketing {
        Ticketing::Backend { .. } | Ticketing::CodePool { .. } => "DIGITAL",
        Ticketing::None => "MANIFEST",
    }
}

fn delivery_formats(settings: &Settings) -> Vec<&'static str> {
    let mut formats = vec!["QRCODE"];
    if settings.code_format != "QRCODE" {
        formats.push(settings.code_format);
    }
    formats.push("PDF_URL");
    formats
}

/// A product, from the visits that are sold of it: one at least.
pub(super) fn product(settings: &Settings, visits: &[&BookingProduct]) -> Value {
    // The option without a name is the default one, and the first of all where each has a name.
    let mut options: BTreeMap<Option<&str>, Vec<&BookingProduct>> = BTreeMap::new();
    for visit in visits {
        options.entry(visit.code.parts().option).or_default().push(visit);
    }
    let Some(product) = options.values().flatten().next() else { return Value::Null };
    let shown: Vec<Value> =
        options.values().enumerate().map(|(index, visits)| option(settings, visits, index == 0)).collect();
    // A back-end may take its time; a pool and a list do not.
    let is_slow = |visit: &&BookingProduct| matches!(visit.ticketing, Ticketing::Backend { .. });
    json!({
        "id": product.code.parts().product, "internalName": product.name, "reference": null, "locale": settings.locale,
        "timeZone": settings.rules.time_zone.name(), "allowFreesale": false,
        "instantConfirmation": visits.iter().all(|visit| visit.confirm == Confirmation::Auto),
        "instantDelivery": !visits.iter().any(is_slow),
        "availabilityRequired": true,
        "availabilityType": if product.start.is_some() { "START_TIME" } else { "OPENING_HOURS" },
        "deliveryFormats": delivery_formats(settings), "deliveryMethods": ["TICKET"],
        "redemptionMethod": redemption(product), "options": shown,
        "defaultCurrency": settings.currency.0, "availableCurrencies": [settings.currency.0], "pricingPer": "UNIT",
    })
}

/// The last moment at which a visit can be booked.
fn booking_cutoff(product: &BookingProduct, date: Date, zone: TimeZone) -> UnixMillis {
    let begun = product.start.map_or_else(|| zone.end_of(date), |start| start.begins(date, zone));
    product.advance.map_or(begun, |rule| advance_limit(rule, date, zone).min(begun))
}

/// When it is open: who comes at a time of its own asks for that.
fn opening_hours(product: &BookingProduct) -> Value {
    if product.start.is_some() { json!([]) } else { json!([{ "from": ALL_DAY, "to": "23:59" }]) }
}

/// Whether `units` can be had on a day, and OCTO's word for how the day stands.
fn standing(day: &CalendarDay, units: u32) -> (bool, &'static str) {
    match day.left {
        _ if !day.open && day.left == Some(0) => (false, "SOLD_OUT"),
        _ if !day.open => (false, "CLOSED"),
        None => (true, "AVAILABLE"),
        Some(left) if left <= 0 => (false, "SOLD_OUT"),
        Some(left) => (left >= i64::from(units.max(1)), "AVAILABLE"),
    }
}

/// The rows of `POST /availability`: what can be booked, or could if it were not sold out; by day and time.
pub(super) fn slots(settings: &Settings, offers: &[&Offer], units: u32) -> Vec<Value> {
    let mut rows: BTreeMap<(Date, Option<u32>), Value> = BTreeMap::new();
    for offer in offers {
        let minute = offer.product.start.map(|start| start.minute);
        for day in offer.days.iter().filter(|day| day.open || day.left == Some(0)) {
            rows.insert((day.date, minute), slot(settings, offer, day, units));
        }
    }
    rows.into_values().collect()
}

fn slot(settings: &Settings, offer: &Offer, day: &CalendarDay, units: u32) -> Value {
    let (zone, date) = (settings.rules.time_zone, day.date);
    let (available, status) = standing(day, units);
    let mut row = slot_of(settings, &offer.product, date);
    row["available"] = json!(available);
    row["status"] = json!(status);
    row["vacancies"] = json!(day.left);
    row["capacity"] = json!(offer.product.calendar_on(date).and_then(|range| range.stock));
    row["utcCutoffAt"] = json!(utc(booking_cutoff(&offer.product, date, zone)));
    row["unitPricing"] = json!([unit_pricing(&settings.currency, day.price)]);
    row["pricing"] = pricing(&settings.currency, day.price.saturating_mul(i64::from(units.max(1))));
    row
}

fn slot_of(settings: &Settings, product: &BookingProduct, date: Date) -> Value {
    let zone = settings.rules.time_zone;
    let visit = Visit { date, time: product.clock() };
    let (from, to) = match product.start {
        Some(start) => {
            let begins = start.begins(date, zone);
            // Nobody says how long it is: it begins, and that is all.
            (begins, begins + Millis::minutes(i64::from(start.lasts.unwrap_or_default())))
        }
        None => (zone.start_of(date), zone.end_of(date)),
    };
    json!({
        "id": visit.to_string(), "localDateTimeStart": from.rfc3339(zone), "localDateTimeEnd": to.rfc3339(zone),
        "allDay": product.start.is_none(), "openingHours": opening_hours(product),
        "available": true, "status": "AVAILABLE", "vacancies": null, "capacity": null, "maxUnits": null,
        "utcCutoffAt": utc(booking_cutoff(product, date, zone)),
    })
}

/// The rows of `POST /availability/calendar`: a day is what its start times are together.
pub(super) fn calendar(settings: &Settings, offers: &[&Offer], units: u32) -> Vec<Value> {
    let mut days: BTreeMap<Date, Vec<(&Offer, &CalendarDay)>> = BTreeMap::new();
    for offer in offers {
        for day in &offer.days {
            days.entry(day.date).or_default().push((*offer, day));
        }
    }
    days.values().filter_map(|visits| calendar_day(settings, visits, units)).collect()
}

fn calendar_day(settings: &Settings, visits: &[(&Offer, &CalendarDay)], units: u32) -> Option<Value> {
    let (first, day) = visits.first()?;
    let standings: Vec<(bool, &str)> = visits.iter().map(|(_, day)| standing(day, units)).collect();
    let is = |wanted: &str| standings.iter().any(|(_, status)| *status == wanted);
    let status = ["AVAILABLE", "SOLD_OUT"].into_iter().find(|status| is(status)).unwrap_or("CLOSED");
    // Those that have no limit make a sum of none.
    let left: Option<i64> = visits.iter().map(|(_, day)| day.left.map(|left| left.max(0))).sum();
    let stock =
        |(offer, day): &(&Offer, &CalendarDay)| offer.product.calendar_on(day.date).and_then(|range| range.stock);
    let capacity: Option<u32> = visits.iter().map(stock).sum();
    let price = visits.iter().map(|(_, day)| day.price).min().unwrap_or_default();
    Some(json!({
        "localDate": day.date.to_string(), "available": standings.iter().any(|(available, _)| *available),
        "status": status, "vacancies": left, "capacity": capacity, "openingHours": opening_hours(&first.product),
        "unitPricingFrom": [unit_pricing(&settings.currency, price)],
        "pricingFrom": pricing(&settings.currency, price.saturating_mul(i64::from(units.max(1)))),
    }))
}

fn contact(person: Option<&Person>) -> Value {
    let name = person.and_then(|person| person.name.as_ref()).map(|name| name.reveal());
    let phone = person.and_then(|person| person.phone.as_ref()).map(|phone| phone.reveal());
    json!({ "fullName": name, "firstName": null, "lastName": null, "emailAddress": null, "phoneNumber": phone,
        "locales": [], "postalCode": null, "country": null, "notes": null })
}

pub(super) fn status(order: &Order, booking: &Booking) -> &'static str {
    match booking.state {
        BookingState::Requested if booking.is_on_hold() => "ON_HOLD",
        BookingState::Requested => "PENDING",
        BookingState::Confirmed | BookingState::NoShow => "CONFIRMED",
        BookingState::Used => "REDEEMED",
        BookingState::Rejected => "REJECTED",
        BookingState::Cancelled if order.cancel_reason == Some(CancelReason::Expired) => "EXPIRED",
        BookingState::Cancelled => "CANCELLED",
    }
}

fn option_of(settings: &Settings, ticket: &Ticket) -> Option<Value> {
    let format = match ticket.kind {
        TicketKind::Qr => "QRCODE",
        TicketKind::Code => settings.code_format,
        TicketKind::Url => "PDF_URL",
        TicketKind::Document => return None,
    };
    Some(json!({ "deliveryFormat": format, "deliveryValue": ticket.code.reveal() }))
}

/// The tickets of unit number `index`: dealt in order, one alone serves every unit.
fn tickets_of(booking: &Booking, index: usize, units: usize) -> &[Ticket] {
    let tickets = booking.ticketing.tickets.as_slice();
    match tickets.len() {
        1 => tickets,
        many if units > 0 && many > 0 && many.is_multiple_of(units) => {
            let each = many / units;
            &tickets[index * each..(index + 1) * each]
        }
        _ => &[],
    }
}

/// The ticket of a unit: nothing before it is there, nothing once it is void.
fn ticket(settings: &Settings, order: &Order, booking: &Booking, index: usize, redeemed: &Value) -> Value {
    let given = |options: Vec<Value>| json!({ "redemptionMethod": redemption(&order.rules.booking), "utcRedeemedAt": redeemed, "deliveryOptions": options });
    let admits = match booking.state {
        BookingState::Confirmed | BookingState::Used | BookingState::NoShow => true,
        BookingState::Requested | BookingState::Rejected | BookingState::Cancelled => false,
    };
    match booking.ticketing.state {
        TicketingState::NotNeeded if admits => given(Vec::new()),
        TicketingState::Issued | TicketingState::CancelRefused if admits => {
            let units = usize::try_from(order.quantity).unwrap_or_default();
            let options: Vec<Value> =
                tickets_of(booking, index, units).iter().filter_map(|ticket| option_of(settings, ticket)).collect();
            if options.is_empty() { Value::Null } else { given(options) }
        }
        _ => Value::Null,
    }
}

/// What came of money that had been taken.
fn cancellation(order: &Order, booking: &Booking) -> Value {
    if booking.state != BookingState::Cancelled {
        return Value::Null;
    }
    let (received, fee) = (order.money.received(), order.money.fee());
    let refund = match (received, fee) {
        (_, 0) => "FULL",
        (received, fee) if fee >= received => "NONE",
        _ => "PARTIAL",
    };
    let said = booking.hold.as_deref().and_then(|hold| hold.cancel_reason.as_ref());
    let reason =
        said.or_else(|| order.refund_case.as_ref().and_then(|case| case.reason.as_ref())).map(FreeText::reveal);
    let at = order.refund_case.as_ref().and_then(|case| case.decided_at).unwrap_or(order.updated_at);
    json!({ "refund": refund, "reason": reason, "utcCancelledAt": utc(at) })
}

/// A booking, as it stands at `now`.
pub(super) fn booking(settings: &Settings, order: &Order, booking: &Booking, now: UnixMillis) -> Value {
    let product_of = &order.rules.booking;
    let status = status(order, booking);
    let hold = booking.hold.as_deref();
    let redeemed = json!(booking.used_at.map(utc));
    let price = order.money.gross.checked_div(i64::from(order.quantity.max(1))).unwrap_or_default();
    let count = usize::try_from(order.quantity).unwrap_or_default();
    let units: Vec<Value> = (0..count)
        .map(|index| {
            let own = hold.and_then(|hold| hold.units.get(index));
            json!({
                "uuid": own.map_or_else(|| crate::uuids::unit(order.channel_order_id.as_str(), index), |own| own.id.clone()),
                "resellerReference": own.and_then(|own| own.reference.clone()), "supplierReference": booking.id.as_str(),
                "unitId": UNIT, "unit": unit(settings, product_of, price_from(product_of)), "status": status, "utcRedeemedAt": redeemed,
                "contact": contact(booking.visitors.get(index)),
                "ticket": ticket(settings, order, booking, index, &redeemed),
                "pricing": pricing(&order.money.currency, price),
            })
        })
        .collect();
    let is_live = matches!(booking.state, BookingState::Requested | BookingState::Confirmed);
    let date = booking.visit_date;
    json!({
        "id": order.id.as_str(), "uuid": order.channel_order_id.as_str(), "testMode": settings.test_mode,
        "resellerReference": hold.and_then(|hold| hold.reference.clone()), "supplierReference": booking.id.as_str(),
        "status": status, "utcCreatedAt": utc(order.created_at), "utcUpdatedAt": utc(order.updated_at),
        "utcExpiresAt": hold.filter(|_| booking.is_on_hold()).map(|hold| utc(hold.until)),
        "utcRedeemedAt": redeemed, "utcConfirmedAt": booking.confirmed_at.map(utc),
        "productId": product_of.code.parts().product, "product": product(settings, &[product_of]),
        "optionId": option_id(product_of), "option": option(settings, &[product_of], product_of.code.parts().option.is_none()),
        "cancellable": is_live && can_be_cancelled(order, booking, now),
        "cancellation": cancellation(order, booking), "freesale": false,
        "availabilityId": date.map(|date| Visit { date, time: product_of.clock() }.to_string()),
        "availability": date.map(|date| slot_of(settings, product_of, date)),
        "contact": contact(booking.contact.as_ref()), "notes": null, "deliveryMethods": ["TICKET"], "voucher": null,
        "unitItems": units, "pricing": pricing(&order.money.currency, order.money.gross),
    })
}
