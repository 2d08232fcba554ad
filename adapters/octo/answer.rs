// SPDX-License-Identifier: Apache-2.0

//! What an answer says, whatever its status: an error is named by its code when it has one, by HTTP otherwise.

use http::StatusCode;
use serde::de::DeserializeOwned;
use ticketbridge_core::port::HttpResponse;
use ticketbridge_core::time::Millis;

use super::wire::{BookingIn, ErrorIn};
use crate::objects;
use crate::reading::{partner_text, retry_after};

/// What came back.
#[derive(Debug)]
pub(super) enum Heard<T> {
    /// What was asked for.
    Said(T),
    /// There is nothing of this number.
    Absent(String),
    /// A refusal that only the present state explains: sold out, not cancellable, over.
    Refused(String),
    /// A refusal in words that nobody knows: nothing was carried out, and why, the books tell.
    OtherWords(String),
    /// The time that was chosen is gone.
    SlotGone(String),
    /// The configuration names something that is not there.
    Misconfigured(String),
    /// The key is not accepted.
    KeyRefused(String),
    /// Come again, and when, where it says so.
    Later(String, Option<Millis>),
    /// It may have been carried out, or not.
    Unclear(String),
}

/// What stands for an answer about another booking.
const ANOTHER: &str = "the answer is about another booking";

/// Reads an answer that brings a booking. One about another booking is no answer.
pub(super) fn booking(response: &HttpResponse, uuid: &str) -> Heard<BookingIn> {
    match read::<BookingIn>(response) {
        Heard::Said(booking) if !booking.uuid.eq_ignore_ascii_case(uuid) => Heard::Unclear(ANOTHER.to_owned()),
        heard => heard,
    }
}

impl Heard<BookingIn> {
    /// Whether the answer was about another booking.
    pub(super) fn is_astray(&self) -> bool {
        matches!(self, Heard::Unclear(why) if why == ANOTHER)
    }
}

/// Reads an answer.
pub(super) fn read<T: DeserializeOwned>(response: &HttpResponse) -> Heard<T> {
    let code = objects::read::<ErrorIn>(&response.body).ok();
    if let Some(error) = code {
        return of_code(&error, response).widen();
    }
    if response.status.is_success() {
        return match objects::read::<T>(&response.body) {
            Ok(said) => Heard::Said(said),
            Err(error) => Heard::Unclear(format!("the answer cannot be read: {error}")),
        };
    }
    of_status(response, format!("{} without a code of OCTO", response.status.as_u16()))
}

fn of_code(error: &ErrorIn, response: &HttpResponse) -> Heard<std::convert::Infallible> {
    let what = match &error.error_message {
        Some(message) => format!("{}: {}", partner_text(&error.error), partner_text(message)),
        None => partner_text(&error.error).to_string(),
    };
    // A framework's own answers have the same words, written as people write them: `Not Found`.
    let word = error.error.trim().replace([' ', '-'], "_").to_ascii_uppercase();
    match word.as_str() {
        "INVALID_BOOKING_UUID" => Heard::Absent(what),
        "INVALID_PRODUCT_ID" | "INVALID_OPTION_ID" | "INVALID_UNIT_ID" => Heard::Misconfigured(what),
        "INVALID_AVAILABILITY_ID" => Heard::SlotGone(what),
        "BAD_REQUEST" | "UNPROCESSABLE_ENTITY" => Heard::Refused(what),
        "UNAUTHORIZED" | "FORBIDDEN" => Heard::KeyRefused(what),
        "NOT_FOUND" => Heard::Absent(what),
        "INTERNAL_SERVER_ERROR" if response.status == StatusCode::BAD_REQUEST => Heard::Unclear(what),
        // `INTERNAL_SERVER_ERROR`, and words that nobody knows yet: the status is all that there is to go by.
        _ => match of_status(response, what) {
            Heard::Refused(what) => Heard::OtherWords(what),
            heard => heard,
        },
    }
}

fn of_status<T>(response: &HttpResponse, what: String) -> Heard<T> {
    let status = response.status;
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Heard::KeyRefused(what),
        StatusCode::NOT_FOUND | StatusCode::GONE => Heard::Absent(what),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            // "At once" names no time.
            Heard::Later(what, retry_after(response).filter(|wait| wait.0 > 0))
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => Heard::Unclear(what),
        _ if status.is_client_error() => Heard::Refused(what),
        _ => Heard::Unclear(what),
    }
}

impl Heard<std::convert::Infallible> {
    /// The same, for an answer that could have brought something.
    fn widen<T>(self) -> Heard<T> {
        match self {
            Heard::Said(never) => match never {},
            Heard::Absent(why) => Heard::Absent(why),
            Heard::Refused(why) => Heard::Refused(why),
            Heard::OtherWords(why) => Heard::OtherWords(why),
            Heard::SlotGone(why) => Heard::SlotGone(why),
            Heard::Misconfigured(why) => Heard::Misconfigured(why),
            Heard::KeyRefused(why) => Heard::KeyRefused(why),
            Heard::Later(why, after) => Heard::Later(why, after),
            Heard::Unclear(why) => Heard::Unclear(why),
        }
    }
}
