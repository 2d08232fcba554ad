// SPDX-License-Identifier: Apache-2.0

//! Our answers: bookings, rows, and errors with OCTO's codes. All of them are read by their code, not by status.

use http::StatusCode;
use serde_json::{Value, json};
use ticketbridge_core::message::Command;
use ticketbridge_core::order::{Order, OrderState, TicketingState};
use ticketbridge_core::port::{Answer, AuthError, DecodeError, HttpReply, Inbound, Message, Offer, Query};
use ticketbridge_core::rejection::{Rejection, Why};
use ticketbridge_core::rules::sale::check_reservable;
use ticketbridge_core::time::UnixMillis;

use super::settings::Settings;
use super::{route, show};

/// An error; `culprit` is the field that it is about, with what the reseller wrote there.
pub(super) fn error(status: StatusCode, code: &str, message: &str, culprit: Option<(&str, &str)>) -> HttpReply {
    let mut body = json!({ "error": code, "errorMessage": message });
    if let Some((field, said)) = culprit {
        body[field] = json!(said);
    }
    HttpReply::json(status, &body)
}

fn bad(code: &str, message: &str) -> HttpReply {
    error(StatusCode::BAD_REQUEST, code, message, None)
}

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

pub(super) fn reply(settings: &Settings, endpoint: &str, inbound: Option<&Inbound>, answer: &Answer<'_>) -> HttpReply {
    match answer {
        Answer::Accepted(order) | Answer::Repeated(Some(order)) | Answer::Stale(order) | Answer::Status(order) => {
            about_order(settings, endpoint, inbound, order)
        }
        Answer::Reservations(orders) => about_bookings(settings, inbound, orders),
        Answer::Offers(offers) => about_offers(settings, endpoint, inbound, offers),
        Answer::NoSuchOrder | Answer::Repeated(None) => no_booking(inbound),
        Answer::Refused(rejection) => refused(endpoint, inbound, rejection),
        Answer::ContentDiffers => {
            let said = uuid_of(inbound).unwrap_or_default();
            let why = "this uuid belongs to another reservation; what came first stands";
            error(StatusCode::BAD_REQUEST, "INVALID_BOOKING_UUID", why, Some(("uuid", &said)))
        }
        Answer::Unauthenticated(AuthError::Missing(_)) => {
            error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "send Authorization: Bearer and your key", None)
        }
        Answer::Unauthenticated(_) => error(StatusCode::FORBIDDEN, "FORBIDDEN", "this key is not known here", None),
        Answer::Malformed(wrong) => malformed(wrong),
        Answer::TryLater(_) => {
            let why = "this cannot be taken at present; read the booking, and come again";
            error(StatusCode::SERVICE_UNAVAILABLE, "INTERNAL_SERVER_ERROR", why, None)
        }
        Answer::Left(_) | Answer::Kept | Answer::MaySell | Answer::Calendar(_) | Answer::Noted => {
            bad("BAD_REQUEST", "this is none of OCTO's calls")
        }
    }
}

fn malformed(wrong: &DecodeError) -> HttpReply {
    let message = format!("{} {}", wrong.field, wrong.reason);
    match (wrong.code, &wrong.said) {
        (Some(code), Some(said)) => error(StatusCode::BAD_REQUEST, code, &message, Some((&wrong.field, said))),
        (Some(code), None) => bad(code, &message),
        (None, _) => bad("BAD_REQUEST", &message),
    }
}

/// The booking that a call is about.
fn uuid_of(inbound: Option<&Inbound>) -> Option<String> {
    match inbound? {
        Inbound::Message(envelope) => Some(envelope.about.to_string()),
        Inbound::Query(Query::Reservation { about, .. }) => Some(about.to_string()),
        Inbound::Query(_) | Inbound::Ping(_) | Inbound::Hint { .. } => None,
    }
}

fn no_booking(inbound: Option<&Inbound>) -> HttpReply {
    let said = uuid_of(inbound).unwrap_or_default();
    let why = "there is no such booking of yours";
    error(StatusCode::BAD_REQUEST, "INVALID_BOOKING_UUID", why, Some(("uuid", &said)))
}

/// When the call came.
fn at(inbound: Option<&Inbound>, order: &Order) -> UnixMillis {
    match inbound {
        Some(Inbound::Query(Query::Reservation { at, .. } | Query::Reservations { at, .. })) => *at,
        Some(Inbound::Message(envelope)) => match &envelope.message {
            Message::Act(command) => match &**command {
                Command::Reservation { at, .. } => *at,
                _ => order.updated_at,
            },
            _ => order.updated_at,
        },
        _ => order.updated_at,
    }
}

fn about_order(settings: &Settings, endpoint: &str, inbound: Option<&Inbound>, order: &Order) -> HttpReply {
    let Some(booking) = order.booking.as_ref() else { return no_booking(inbound) };
    if endpoint == route::CANCEL && order.state != OrderState::Cancelled {
        return match booking.ticketing.state {
            TicketingState::Cancelling => {
                let why =
                    "the ticketing system has not said yet that the tickets are void; read the booking, and come again";
                error(StatusCode::SERVICE_UNAVAILABLE, "INTERNAL_SERVER_ERROR", why, None)
            }
            _ => bad(
                "UNPROCESSABLE_ENTITY",
                "the tickets could not be made void; the supplier's staff decides, and the booking shows it",
            ),
        };
    }
    HttpReply::json(StatusCode::OK, &show::booking(settings, order, booking, at(inbound, order)))
}

fn about_bookings(settings: &Settings, inbound: Option<&Inbound>, orders: &[Order]) -> HttpReply {
    let shown = |order: &Order| Some(show::booking(settings, order, order.booking.as_ref()?, at(inbound, order)));
    HttpReply::json(StatusCode::OK, &orders.iter().filter_map(shown).collect())
}

fn about_offers(settings: &Settings, endpoint: &str, inbound: Option<&Inbound>, offers: &[Offer]) -> HttpReply {
    let shown: Vec<&Offer> = offers.iter().filter(|offer| check_reservable(&offer.product).is_ok()).collect();
    if endpoint == route::PRODUCTS {
        let products: Vec<Value> = shown.iter().map(|offer| show::product(settings, &offer.product)).collect();
        return HttpReply::json(StatusCode::OK, &json!(products));
    }
    let Some(Inbound::Query(Query::Offers { products, only, units, .. })) = inbound else {
        return bad("BAD_REQUEST", "this asks for nothing");
    };
    let Some(offer) = shown.first() else {
        let said = products.iter().flatten().next().map_or("", |code| code.as_str());
        let why = "there is no such product";
        return error(StatusCode::BAD_REQUEST, "INVALID_PRODUCT_ID", why, Some(("productId", said)));
    };
    if endpoint == route::PRODUCT {
        return HttpReply::json(StatusCode::OK, &show::product(settings, &offer.product));
    }
    let wanted = offer.days.iter().filter(|day| only.is_empty() || only.contains(&day.date));
    let rows: Vec<Value> = match endpoint {
        route::CALENDAR => wanted.map(|day| show::calendar_day(settings, offer, day, *units)).collect(),
        _ => wanted
            .filter(|day| day.open || day.left == Some(0))
            .map(|day| show::slot(settings, offer, day, *units))
            .collect(),
    };
    HttpReply::json(StatusCode::OK, &json!(rows))
}

fn refused(endpoint: &str, inbound: Option<&Inbound>, rejection: &Rejection) -> HttpReply {
    let sentence = rejection.sentence.as_ref();
    let of_product = || match inbound {
        Some(Inbound::Message(envelope)) => match &envelope.message {
            Message::Booking { sale, .. } => sale.product.booking.as_ref().map(ToString::to_string),
            _ => None,
        },
        _ => None,
    };
    let of_day = || match inbound {
        Some(Inbound::Message(envelope)) => match &envelope.message {
            Message::Booking { request, .. } => request.visit_date.map(|date| date.to_string()),
            _ => None,
        },
        _ => None,
    };
    let (code, culprit) = match rejection.why {
        Why::OffSale if endpoint == route::RESERVE => {
            ("INVALID_PRODUCT_ID", of_product().map(|said| ("productId", said)))
        }
        Why::DateNotBookable if endpoint == route::RESERVE => {
            ("INVALID_AVAILABILITY_ID", of_day().map(|said| ("availabilityId", said)))
        }
        Why::NotFound | Why::NotBooked | Why::Tombstoned | Why::ContentDiffers => {
            ("INVALID_BOOKING_UUID", uuid_of(inbound).map(|said| ("uuid", said)))
        }
        Why::Invalid
        | Why::NameMissing
        | Why::NameMalformed
        | Why::PhoneMissing
        | Why::PhoneMalformed
        | Why::VisitorsMismatch => ("BAD_REQUEST", None),
        _ => ("UNPROCESSABLE_ENTITY", None),
    };
    error(StatusCode::BAD_REQUEST, code, sentence, culprit.as_ref().map(|(field, said)| (*field, said.as_str())))
}
