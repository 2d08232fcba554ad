// SPDX-License-Identifier: Apache-2.0

//! Our answers: bookings, rows, and errors with OCTO's codes. All of them are read by their code, not by status.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Value, json};
use ticketbridge_core::id::ProductCode;
use ticketbridge_core::message::{Command, OptionName, ReservationAct};
use ticketbridge_core::order::{Order, OrderState, TicketingState};
use ticketbridge_core::port::{Answer, AuthError, DecodeError, HttpReply, Inbound, Message, Offer, Query};
use ticketbridge_core::product::BookingProduct;
use ticketbridge_core::rejection::{Rejection, Why};
use ticketbridge_core::rules::sale::check_reservable;
use ticketbridge_core::time::UnixMillis;
use ticketbridge_core::variant::Visit;

use super::errors::{bad, error};
use super::settings::Settings;
use super::wire::OPTION;
use super::{route, show};

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
                "the tickets could not be voided; the supplier's staff decides, and the booking shows it",
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
        return HttpReply::json(StatusCode::OK, &json!(products(settings, &shown)));
    }
    let Some(Inbound::Query(Query::Offers { products: Some(asked), units, .. })) = inbound else {
        return bad("BAD_REQUEST", "this asks for nothing");
    };
    let Some(asked) = asked.first().filter(|_| !shown.is_empty()) else {
        let said = asked.first().map_or("", |code| code.parts().product);
        let why = "there is no such product";
        return error(StatusCode::BAD_REQUEST, "INVALID_PRODUCT_ID", why, Some(("productId", said)));
    };
    if endpoint == route::PRODUCT {
        return HttpReply::json(StatusCode::OK, &json!(products(settings, &shown).first()));
    }
    let option = asked.parts().option;
    let of_option: Vec<&Offer> =
        shown.into_iter().filter(|offer| offer.product.code.parts().option == option).collect();
    if of_option.is_empty() {
        let said = option.unwrap_or(OPTION);
        let why = "this product has no such option";
        return error(StatusCode::BAD_REQUEST, "INVALID_OPTION_ID", why, Some(("optionId", said)));
    }
    let rows = match endpoint {
        route::CALENDAR => show::calendar(settings, &of_option, *units),
        _ => show::slots(settings, &of_option, *units),
    };
    HttpReply::json(StatusCode::OK, &json!(rows))
}

/// What is sold, each product with its options.
fn products(settings: &Settings, offers: &[&Offer]) -> Vec<Value> {
    let mut grouped: BTreeMap<&str, Vec<&BookingProduct>> = BTreeMap::new();
    for offer in offers {
        grouped.entry(offer.product.code.parts().product).or_default().push(&offer.product);
    }
    grouped.values().map(|visits| show::product(settings, visits)).collect()
}

/// What a message names of a visit, as its sender wrote it.
#[derive(Default)]
struct Wanted {
    product: Option<String>,
    option: Option<String>,
    visit: Option<String>,
}

fn wanted(inbound: Option<&Inbound>) -> Wanted {
    let Some(Inbound::Message(envelope)) = inbound else { return Wanted::default() };
    match &envelope.message {
        Message::Booking { sale, request } => {
            let parts = sale.product.booking.as_ref().map(ProductCode::parts);
            let visit = request.visit_date.map(|date| Visit { date, time: request.visit_time.clone() });
            Wanted {
                product: parts.map(|parts| parts.product.to_owned()),
                option: parts.map(|parts| parts.option.unwrap_or(OPTION).to_owned()),
                visit: visit.map(|visit| visit.to_string()),
            }
        }
        Message::Act(command) => match &**command {
            Command::Reservation { act, .. } => match &**act {
                ReservationAct::Change(wish) => Wanted {
                    product: wish.product.clone(),
                    option: wish.option.as_ref().map(|option| match option {
                        OptionName::Default => OPTION.to_owned(),
                        OptionName::Named(name) => name.clone(),
                    }),
                    visit: wish.visit.as_ref().map(ToString::to_string),
                },
                ReservationAct::Confirm(_) | ReservationAct::Extend { .. } | ReservationAct::Cancel { .. } => {
                    Wanted::default()
                }
            },
            _ => Wanted::default(),
        },
        _ => Wanted::default(),
    }
}

fn refused(endpoint: &str, inbound: Option<&Inbound>, rejection: &Rejection) -> HttpReply {
    let sentence = rejection.sentence.as_ref();
    if rejection.why == Why::NotTicketed {
        // Final is only what will not change: how the tickets stand is known soon.
        return error(StatusCode::SERVICE_UNAVAILABLE, "INTERNAL_SERVER_ERROR", sentence, None);
    }
    let names_a_visit = matches!(endpoint, route::RESERVE | route::UPDATE);
    let wanted = wanted(inbound);
    let (code, culprit) = match rejection.why {
        Why::OffSale if names_a_visit && rejection.field.as_deref() == Some("optionId") => {
            ("INVALID_OPTION_ID", wanted.option.map(|said| ("optionId", said)))
        }
        Why::OffSale if names_a_visit => ("INVALID_PRODUCT_ID", wanted.product.map(|said| ("productId", said))),
        Why::DateNotBookable if names_a_visit => {
            ("INVALID_AVAILABILITY_ID", wanted.visit.map(|said| ("availabilityId", said)))
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
