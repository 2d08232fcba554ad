// SPDX-License-Identifier: Apache-2.0

//! From the order to the wire, and from the wire to facts. Pure functions; no addresses, no signatures.

use std::borrow::Cow;
use std::fmt;

use http::StatusCode;
use serde_json::Value;
use ticketbridge_core::id::BookingId;
use ticketbridge_core::limits::{AMOUNT_MAX, EXTERNAL_ID_CHARS_MAX, TEXT_CHARS_MAX, TICKETS_MAX};
use ticketbridge_core::message::{NewTicket, TicketFacts, TicketOp};
use ticketbridge_core::order::{Booking, Order, TicketKind};
use ticketbridge_core::personal::{DocumentNumber, DocumentType, Person, Personal};
use ticketbridge_core::port::{
    BackendEvent, BackendNews, CalendarDay, CallResult, Clues, DecodeError, EncodeError, HttpResponse,
};
use ticketbridge_core::product::Ticketing;
use ticketbridge_core::quoted::{ForeignName, ForeignNumber, FreeText};
use ticketbridge_core::time::{Date, UnixMillis};

use super::wire::{
    AvailabilityAnswer, DocumentOut, EventIn, PersonOut, ReasonIn, ReservationAnswer, ReservationRequest, Text,
    TicketIn,
};
use crate::about::{self, Answer, Key};
use crate::objects;
use crate::reading::{partner_code, partner_text, retry_after, unusable_code};

/// Days in one answer to the question of availability.
const AVAILABILITY_DAYS_MAX: usize = 400;
/// Reason of a back-end that refuses to cancel because the tickets were used.
const REASON_USED: &str = "used";

/// What the back-end calls the product.
fn product_of(order: &Order) -> Option<&str> {
    match &order.rules.booking.ticketing {
        Ticketing::Backend { product, .. } => Some(product),
        Ticketing::CodePool { .. } | Ticketing::None => None,
    }
}

/// The body of `POST reservations`.
pub(super) fn reservation<'a>(order: &'a Order, booking: &'a Booking) -> Result<ReservationRequest<'a>, EncodeError> {
    let product = product_of(order).ok_or(EncodeError::Missing("product at this back-end"))?;
    // Many channels tell the contact with the sale only.
    let contact = booking.contact.as_ref().or(Some(&order.buyer));
    if booking.visitors.iter().chain(contact).any(Person::has_remote_cipher) {
        return Err(EncodeError::Missing("guests' data in clear yet: the channel has still to decrypt it"));
    }
    let zone = order.rules.channel.time_zone;
    Ok(ReservationRequest {
        reservation_id: booking.id.as_str(),
        order_id: order.id.as_str(),
        product,
        visit_date: booking.visit_date.map(|date| date.to_string()),
        visit_time: order.rules.booking.clock(),
        valid_until: booking.valid_until.map(|date| date.to_string()),
        quantity: order.units_to_ticket(),
        visitor_count: order.units_to_ticket().saturating_mul(order.rules.booking.visitors_per_unit),
        visitors: booking.visitors.iter().map(person).collect(),
        contact: contact.map(person),
        issue_by: booking.ticketing.deadline.map(|at| at.rfc3339(zone)),
    })
}

/// Under which id tickets are asked for: the delivery's. One id stands for one message, so that the number of units stands beside it once that
/// is another than at first: of a part that is cancelled before its tickets are made none are asked for again.
pub(super) fn issue_id<'a>(order: &Order, booking: &Booking, delivery: &'a str) -> Cow<'a, str> {
    match order.units_to_ticket() {
        units if units == order.units_first_asked_for(booking) => Cow::Borrowed(delivery),
        units => Cow::Owned(format!("{delivery}-{units}")),
    }
}

fn person(person: &Person) -> PersonOut<'_> {
    PersonOut {
        name: person.name.as_ref().map(Personal::reveal),
        phone: person.phone.as_ref().map(Personal::reveal),
        document: person.document.as_ref().map(|document| DocumentOut {
            kind: document.kind.map(DocumentType::word),
            number: document.number.reveal(),
        }),
    }
}

/// What cannot be used in an answer: the field at fault, and why, without its value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unusable {
    field: String,
    why: String,
}

impl Unusable {
    fn new(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self { field: field.into(), why: why.into() }
    }
}
impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.why)
    }
}
impl From<DecodeError> for Unusable {
    fn from(error: DecodeError) -> Self {
        Self { field: error.field, why: error.reason }
    }
}

/// The reservation that an answer must be about: by our numbers, and by the back-end's own once it has given one.
fn keys<'a>(order: &'a Order, booking: &'a Booking) -> impl Iterator<Item = Key<'a>> {
    let ours = [
        Key { number: booking.id.as_str(), places: &["/reservation_id", "/reservation/reservation_id"] },
        Key { number: order.id.as_str(), places: &["/order_id", "/reservation/order_id"] },
    ];
    let theirs = booking.ticketing.backend_ref.as_ref().map(ForeignNumber::reveal);
    ours.into_iter().chain(theirs.map(|number| Key { number, places: &["/backend_ref"] }))
}

/// The field by which an answer shows that it is about another visit than was asked for: a product, a day, or a number of units, that is not
/// ours. A day that is written in another form than ours says nothing.
fn another_visit(op: TicketOp, order: &Order, booking: &Booking, answer: &Value) -> Option<&'static str> {
    let day = answer.get("visit_date").and_then(Value::as_str).and_then(Date::parse);
    if day.is_some_and(|day| booking.visit_date.is_some_and(|ours| ours != day)) {
        return Some("/visit_date");
    }
    let product = answer.get("product").and_then(Value::as_str);
    if product.zip(product_of(order)).is_some_and(|(product, ours)| product != ours) {
        return Some("/product");
    }
    // What a cancellation leaves is none of ours.
    let units = answer.get("quantity").and_then(Value::as_u64).filter(|_| op != TicketOp::Cancel);
    let may_be = order.units_maybe_ticketed(booking);
    let is_ours = |units: u64| u32::try_from(units).is_ok_and(|units| may_be.contains(&units));
    units.is_some_and(|units| !is_ours(units)).then_some("/quantity")
}

/// Reads the answer to an operation.
pub(super) fn read(op: TicketOp, order: &Order, booking: &Booking, response: &HttpResponse) -> CallResult<TicketFacts> {
    match Answer::read(response, &keys(order, booking).collect::<Vec<_>>()) {
        Err(astray) => return astray,
        Ok(answer) => {
            if let Some(place) = another_visit(op, order, booking, answer.json()) {
                return about::astray(place);
            }
        }
    }
    if response.status.is_success() {
        return match facts(op, &response.body) {
            Ok(facts) => CallResult::Done(facts),
            Err(unusable) => unknown(format!("the answer cannot be used: {unusable}")),
        };
    }
    match response.status {
        StatusCode::NOT_FOUND => match op {
            TicketOp::Query => CallResult::Absent,
            // Only the question has a 404 of its own; here it may be a gateway's, or a wrong address's, while the tickets stand.
            TicketOp::Cancel => unknown("404 to the cancellation; the back-end is asked what it knows".into()),
            TicketOp::Issue => retry(response, "404: there are no reservations under this base_url".into()),
        },
        // These say how the reservation stands when they have a body of ours.
        StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY => match facts(op, &response.body) {
            Ok(facts) => CallResult::Done(facts),
            Err(_) => without_facts(op, response),
        },
        _ => without_facts(op, response),
    }
}

/// Reads an answer that can only be judged by its status.
fn without_facts<T>(op: TicketOp, response: &HttpResponse) -> CallResult<T> {
    let status = response.status;
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => retry(response, refuses_signature(status)),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::TOO_EARLY | StatusCode::REQUEST_TIMEOUT => {
            retry(response, format!("{} from the back-end", status.as_u16()))
        }
        StatusCode::SERVICE_UNAVAILABLE if retry_after(response).is_some() => {
            retry(response, "503 from the back-end, which says when to come again".into())
        }
        // A question executes nothing.
        _ if op == TicketOp::Query => retry(response, format!("{} to a question", status.as_u16())),
        // Something is there that contradicts the call; only a question can tell what.
        StatusCode::CONFLICT => unknown("409 without a state".into()),
        _ if status.is_client_error() => CallResult::Refused {
            code: format!("http_{}", status.as_u16()).into(),
            why: format!("the back-end answered {} without a state", status.as_u16()).into(),
        },
        _ => unknown(format!("{} from the back-end, which may have carried it out", status.as_u16())),
    }
}

fn refuses_signature(status: StatusCode) -> String {
    format!("{}: THE BACK-END REFUSES OUR SIGNATURE; compare the secret and the clocks on both sides", status.as_u16())
}

fn retry<T>(response: &HttpResponse, why: String) -> CallResult<T> {
    CallResult::Retry { why: why.into(), after: retry_after(response) }
}

fn unknown<T>(why: String) -> CallResult<T> {
    CallResult::Unknown { why: why.into() }
}

/// How a reservation stands, out of a body that names its state. The words `refused` and `pending` mean what was asked for.
fn facts(op: TicketOp, body: &[u8]) -> Result<TicketFacts, Unusable> {
    let answer: ReservationAnswer = objects::read(body)?;
    let reason = reason(answer.reason.as_deref());
    match (answer.state.as_deref(), op) {
        // A yes to voiding them that says that they stand: nothing was done, and it is asked.
        (Some("issued"), TicketOp::Cancel) => Err(Unusable::new("state", "the tickets still stand")),
        (Some("issued"), TicketOp::Issue | TicketOp::Query) => issued(answer.backend_ref, answer.tickets),
        (Some("pending"), TicketOp::Issue | TicketOp::Query) => {
            Ok(TicketFacts::Pending { backend_ref: reference(answer.backend_ref, "backend_ref")?, look_after: None })
        }
        (Some("refused"), TicketOp::Issue | TicketOp::Query) => Ok(TicketFacts::Refused { reason }),
        (Some("redeemed" | "used"), TicketOp::Query | TicketOp::Issue) => {
            Ok(TicketFacts::Redeemed { at: answer.redeemed_at.as_deref().and_then(UnixMillis::parse_rfc3339) })
        }
        (Some("redeemed" | "used"), TicketOp::Cancel) => Ok(cancel_refused(REASON_USED.into())),
        // Nobody has asked for that: whether there are tickets is asked before anything is done.
        (Some("cancelled" | "cancel_pending" | "cancel_refused"), TicketOp::Issue) => {
            Err(Unusable::new("state", "the tickets were asked for, not their cancellation"))
        }
        (Some("cancelled"), _) => Ok(TicketFacts::Cancelled),
        (Some("pending"), TicketOp::Cancel) | (Some("cancel_pending"), _) => Ok(TicketFacts::CancelPending),
        (Some("refused"), TicketOp::Cancel) | (Some("cancel_refused"), _) => Ok(cancel_refused(reason)),
        (Some(_), _) => Err(Unusable::new("state", "not a state of a reservation")),
        (None, _) => Err(Unusable::new("state", "it is missing")),
    }
}

fn reason(text: Option<&str>) -> FreeText {
    let text = partner_text(text.unwrap_or_default());
    if text.is_empty() { "the back-end gave no reason".into() } else { text }
}

fn cancel_refused(reason: FreeText) -> TicketFacts {
    let used = reason.reveal().eq_ignore_ascii_case(REASON_USED);
    TicketFacts::CancelRefused { reason, used }
}

fn issued(backend_ref: Option<Text>, tickets: Option<Vec<TicketIn>>) -> Result<TicketFacts, Unusable> {
    let tickets = tickets.unwrap_or_default();
    if tickets.is_empty() {
        return Err(Unusable::new("tickets", "there are none, although the state is issued"));
    }
    if tickets.len() > TICKETS_MAX {
        return Err(Unusable::new("tickets", format!("more than {TICKETS_MAX}")));
    }
    let tickets = tickets.into_iter().enumerate().map(|(index, t)| ticket(index, t)).collect::<Result<_, _>>()?;
    Ok(TicketFacts::Issued { backend_ref: reference(backend_ref, "backend_ref")?, tickets })
}

fn ticket(index: usize, ticket: TicketIn) -> Result<NewTicket, Unusable> {
    let at = |field: &str| format!("tickets[{index}].{field}");
    let kind = match ticket.kind.as_deref() {
        None | Some("code") => TicketKind::Code,
        Some("qr") => TicketKind::Qr,
        Some("url") => TicketKind::Url,
        Some("document") => TicketKind::Document,
        Some(_) => return Err(Unusable::new(at("kind"), "none of code, qr, url, document")),
    };
    let code = ticket.code.map(Text::into_string).unwrap_or_default();
    if let Some(why) = unusable_code(kind, &code) {
        return Err(Unusable::new(at("code"), why));
    }
    Ok(NewTicket {
        code: DocumentNumber::new(code),
        kind,
        project_id: reference(ticket.project_id, &at("project_id"))?,
        name: ticket.name.map(|name| ForeignName::new(name.trim().chars().take(TEXT_CHARS_MAX).collect::<String>())),
    })
}

/// A partner's identifier; an empty one is none.
fn reference(text: Option<Text>, field: &str) -> Result<Option<ForeignNumber>, Unusable> {
    let text = text.map(Text::into_string).filter(|text| !text.is_empty());
    if text.as_ref().is_some_and(|text| text.chars().count() > EXTERNAL_ID_CHARS_MAX) {
        return Err(Unusable::new(field, format!("longer than {EXTERNAL_ID_CHARS_MAX} characters")));
    }
    Ok(text.map(ForeignNumber::new))
}

/// Reads the answer to the question of availability.
pub(super) fn availability(product: &str, response: &HttpResponse) -> CallResult<Vec<CalendarDay>> {
    let key = Key { number: product, places: &["/product"] };
    if let Err(astray) = Answer::read(response, &[key]) {
        return astray;
    }
    if !response.status.is_success() {
        return without_facts(TicketOp::Query, response);
    }
    match days(&response.body) {
        Ok(days) => CallResult::Done(days),
        Err(unusable) => unknown(format!("the answer cannot be used: {unusable}")),
    }
}

fn days(body: &[u8]) -> Result<Vec<CalendarDay>, Unusable> {
    let answer: AvailabilityAnswer = objects::read(body)?;
    if answer.days.len() > AVAILABILITY_DAYS_MAX {
        return Err(Unusable::new("days", format!("more than {AVAILABILITY_DAYS_MAX}")));
    }
    let read = answer.days.into_iter().enumerate().map(|(index, day)| {
        let date = Date::parse(&day.date)
            .ok_or_else(|| Unusable::new(format!("days[{index}].date"), "not a date YYYY-MM-DD"))?;
        if !(0..=AMOUNT_MAX).contains(&day.price) {
            return Err(Unusable::new(format!("days[{index}].price"), "not an amount in minor units"));
        }
        if day.remaining.is_some_and(|left| left > AMOUNT_MAX) {
            return Err(Unusable::new(format!("days[{index}].remaining"), "more than can be counted"));
        }
        Ok(CalendarDay { date, left: day.remaining.map(|left| left.max(0)), price: day.price, open: true })
    });
    read.collect()
}

/// Reads an event that was verified; `key` is the message's id.
pub(super) fn event(key: &str, body: &[u8]) -> Result<BackendEvent, DecodeError> {
    if key.chars().count() > EXTERNAL_ID_CHARS_MAX {
        return Err(DecodeError::new("webhook-id", format!("longer than {EXTERNAL_ID_CHARS_MAX} characters")));
    }
    let event: EventIn = objects::read(body)?;
    if !matches!(event.data, Value::Object(_) | Value::Null) {
        return Err(DecodeError::new("data", "has the wrong type: expected an object"));
    }
    let why = || -> Result<FreeText, DecodeError> {
        let data: Option<ReasonIn> = objects::read_value("data", &event.data)?;
        Ok(reason(data.unwrap_or_default().reason.as_deref()))
    };
    let news = match event.kind.as_str() {
        "reservation.issued" => BackendNews::Facts(issued_event(&event)?),
        "reservation.refused" => BackendNews::Facts(TicketFacts::Refused { reason: why()? }),
        "reservation.cancelled" => BackendNews::Facts(TicketFacts::Cancelled),
        "reservation.cancel_refused" => BackendNews::Facts(cancel_refused(why()?)),
        "ticket.redeemed" => BackendNews::Redeemed { at: occurred_at(&event)? },
        _ => BackendNews::Ignored,
    };
    let id_chars = event.reservation_id.chars().count();
    if id_chars > EXTERNAL_ID_CHARS_MAX || (id_chars == 0 && news != BackendNews::Ignored) {
        let why = format!("it must have 1 to {EXTERNAL_ID_CHARS_MAX} characters");
        return Err(DecodeError::new("reservation_id", why));
    }
    let what = partner_code(&event.kind);
    // What is of no concern may look like anything.
    let clues = if news == BackendNews::Ignored { Clues::default() } else { clues(&event.data)? };
    Ok(BackendEvent { key: key.to_owned(), booking: BookingId::new(event.reservation_id), what, news, clues })
}

/// What `data` names. Numbers that are written in another form than ours are the back-end's own, and say nothing; a field of another type
/// than it has to be is told to the sender, or a count that cannot be read would pass for a visit of everybody.
fn clues(data: &Value) -> Result<Clues, DecodeError> {
    let wrong = |field: &str, expected: &str| {
        DecodeError::new(format!("data.{field}"), format!("has the wrong type: expected {expected}"))
    };
    let text = |field: &str| match data.get(field) {
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => Err(wrong(field, "a string")),
    };
    let number = |field: &str| text(field).map(|text| text.filter(|text| !text.trim().is_empty()));
    let code = text("code")?;
    if code.as_ref().is_some_and(|code| code.trim().is_empty()) {
        return Err(DecodeError::new("data.code", "is empty: leave it out where no code was read"));
    }
    let entered = match data.get("used") {
        None | Some(Value::Null) => None,
        Some(Value::Number(number)) if number.is_u64() || number.is_i64() => {
            // More than can be counted is more than there are guests.
            Some(number.as_i64().unwrap_or(i64::MAX))
        }
        Some(Value::Number(_) | Value::String(_) | Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
            return Err(wrong("used", "a whole number"));
        }
    };
    Ok(Clues {
        reservation: number("reservation_id")?.map(ForeignNumber::new),
        order: number("order_id")?.filter(|id| id.starts_with("ord_")).map(ForeignNumber::new),
        backend_ref: number("backend_ref")?.map(ForeignNumber::new),
        code: code.map(DocumentNumber::new),
        entered,
    })
}

fn issued_event(event: &EventIn) -> Result<TicketFacts, DecodeError> {
    let below_data = |unusable: Unusable| DecodeError::new(format!("data.{}", unusable.field), unusable.why);
    let answer: ReservationAnswer = objects::read_value("data", &event.data)?;
    if answer.state.as_deref().is_some_and(|state| state != "issued") {
        return Err(DecodeError::new("data.state", "it contradicts the type of the event"));
    }
    issued(answer.backend_ref, answer.tickets).map_err(below_data)
}

fn occurred_at(event: &EventIn) -> Result<UnixMillis, DecodeError> {
    let text = event.occurred_at.as_deref().ok_or_else(|| DecodeError::new("occurred_at", "it is missing"))?;
    UnixMillis::parse_rfc3339(text)
        .ok_or_else(|| DecodeError::new("occurred_at", "not a time as RFC 3339 writes it, with an offset"))
}
