// SPDX-License-Identifier: Apache-2.0

//! Products, availability and bookings of ours in OCTO's words.
//!
//! A product of ours has one option, which has one unit: it is sold by the day, at the day's price.

use serde_json::{Value, json};
use ticketbridge_core::decide::fee_of_calling_off;
use ticketbridge_core::order::{Booking, BookingState, CancelReason, Order, Ticket, TicketKind, TicketingState};
use ticketbridge_core::personal::Person;
use ticketbridge_core::port::{CalendarDay, Offer};
use ticketbridge_core::product::{
    BookingProduct, Cancellation, Confirmation, Currency, GuestField, GuestsWho, Ticketing,
};
use ticketbridge_core::time::{Date, TimeZone, UnixMillis};

use super::settings::Settings;
use super::{OPTION, UNIT};

/// Minutes of a day, and of an hour.
const DAY: i64 = 1_440;
const HOUR: i64 = 60;
/// Ages when nothing is said of them.
const AGES: (u32, u32) = (0, 120);

/// An instant as OCTO writes it: in UTC, with `Z`.
fn utc(at: UnixMillis) -> String {
    at.rfc3339(TimeZone::UTC).replace("+00:00", "Z")
}

/// Digits behind the point of a currency (ISO 4217): amounts are told in the minor unit.
fn precision(currency: &Currency) -> u32 {
    match currency.0.as_str() {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "UYI" | "VND"
        | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        _ => 2,
    }
}

fn pricing(currency: &Currency, amount: i64) -> Value {
    json!({ "original": amount, "retail": amount, "net": amount, "currency": currency.0,
        "currencyPrecision": precision(currency), "includedTaxes": [] })
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

fn unit(settings: &Settings, product: &BookingProduct) -> Value {
    let ages = (product.limits.min_age.unwrap_or(AGES.0), product.limits.max_age.unwrap_or(AGES.1));
    json!({
        "id": UNIT, "internalName": product.name, "reference": null, "type": "OTHER",
        "restrictions": { "minAge": ages.0, "maxAge": ages.1, "idRequired": false, "minQuantity": null,
            "maxQuantity": product.limits.per_phone, "paxCount": product.visitors_per_unit, "accompaniedBy": [] },
        "requiredContactFields": contact_fields(product, GuestsWho::Each),
        "pricingFrom": [pricing(&settings.currency, price_from(product))],
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

fn option(settings: &Settings, product: &BookingProduct) -> Value {
    let (text, amount, word) = cutoff(product);
    json!({
        "id": OPTION, "default": true, "internalName": product.name, "reference": null,
        "availabilityLocalStartTimes": ["00:00"],
        "cancellationCutoff": text, "cancellationCutoffAmount": amount, "cancellationCutoffUnit": word,
        "requiredContactFields": contact_fields(product, GuestsWho::One),
        "restrictions": { "minUnits": 1, "maxUnits": null },
        "units": [unit(settings, product)],
        "pricingFrom": [pricing(&settings.currency, price_from(product))],
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

/// A product.
pub(super) fn product(settings: &Settings, product: &BookingProduct) -> Value {
    json!({
        "id": product.code.as_str(), "internalName": product.name, "reference": null, "locale": settings.locale,
        "timeZone": settings.rules.time_zone.name(), "allowFreesale": false,
        "instantConfirmation": product.confirm == Confirmation::Auto,
        // A back-end may take its time; a pool and a list do not.
        "instantDelivery": !matches!(product.ticketing, Ticketing::Backend { .. }),
        "availabilityRequired": true, "availabilityType": "OPENING_HOURS",
        "deliveryFormats": delivery_formats(settings), "deliveryMethods": ["TICKET"],
        "redemptionMethod": redemption(product), "options": [option(settings, product)],
        "defaultCurrency": settings.currency.0, "availableCurrencies": [settings.currency.0], "pricingPer": "UNIT",
    })
}

/// The last moment at which a day can be booked.
fn booking_cutoff(product: &BookingProduct, date: Date, zone: TimeZone) -> UnixMillis {
    match product.advance {
        Some(rule) => zone.instant(date.plus_days(-i64::from(rule.days)), rule.before_minute),
        None => zone.end_of(date),
    }
}

fn opening_hours() -> Value {
    json!([{ "from": "00:00", "to": "23:59" }])
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

/// A row of `POST /availability`.
pub(super) fn slot(settings: &Settings, offer: &Offer, day: &CalendarDay, units: u32) -> Value {
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
    json!({
        "id": date.to_string(), "localDateTimeStart": zone.start_of(date).rfc3339(zone),
        "localDateTimeEnd": zone.end_of(date).rfc3339(zone), "allDay": true, "openingHours": opening_hours(),
        "available": true, "status": "AVAILABLE", "vacancies": null, "capacity": null, "maxUnits": null,
        "utcCutoffAt": utc(booking_cutoff(product, date, zone)),
    })
}

/// A row of `POST /availability/calendar`.
pub(super) fn calendar_day(settings: &Settings, offer: &Offer, day: &CalendarDay, units: u32) -> Value {
    let (available, status) = standing(day, units);
    json!({
        "localDate": day.date.to_string(), "available": available, "status": status, "vacancies": day.left,
        "capacity": offer.product.calendar_on(day.date).and_then(|range| range.stock), "openingHours": opening_hours(),
        "unitPricingFrom": [unit_pricing(&settings.currency, day.price)],
        "pricingFrom": pricing(&settings.currency, day.price.saturating_mul(i64::from(units.max(1)))),
    })
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
    let reason = order.refund_case.as_ref().and_then(|case| case.reason.clone());
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
                "unitId": UNIT, "unit": unit(settings, product_of), "status": status, "utcRedeemedAt": redeemed,
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
        "productId": product_of.code.as_str(), "product": product(settings, product_of),
        "optionId": OPTION, "option": option(settings, product_of),
        "cancellable": is_live && fee_of_calling_off(order, booking, now).is_ok(),
        "cancellation": cancellation(order, booking), "freesale": false,
        "availabilityId": date.map(|date| date.to_string()),
        "availability": date.map(|date| slot_of(settings, product_of, date)),
        "contact": contact(booking.contact.as_ref()), "notes": null, "deliveryMethods": ["TICKET"], "voucher": null,
        "unitItems": units, "pricing": pricing(&order.money.currency, order.money.gross),
    })
}
