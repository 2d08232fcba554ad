// SPDX-License-Identifier: Apache-2.0

//! Errors of our own interfaces: `application/problem+json` with a stable `code`, and a sentence that says what to do.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use ticketbridge_core::port::FieldError;
use ticketbridge_core::quoted::without_persons;
use ticketbridge_core::{Rejection, Why};

use crate::accounts::Refused;
use crate::engine::EngineError;

/// An error answer (RFC 9457). Its `type` is `urn:ticketbridge:problem:<code>`, its `title` the status's own words.
#[derive(Clone, Debug)]
pub struct Problem {
    /// What integrators write down; stable.
    pub code: Cow<'static, str>,
    /// The status.
    pub status: u16,
    /// What is wrong and what to do.
    pub detail: String,
    /// The field at fault.
    pub field: Option<String>,
    /// Every field of the body that is missing or wrong.
    pub errors: Option<Box<serde_json::Value>>,
    /// More, where there is more: the problems of a configuration, for example.
    pub problems: Option<Box<serde_json::Value>>,
    /// Seconds after which to come again.
    pub retry_after: Option<u32>,
    /// When a door opens to whoever stands before it.
    pub pending_effective_at: Option<Box<str>>,
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let title = StatusCode::from_u16(self.status).ok().and_then(|status| status.canonical_reason());
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", &format!("urn:ticketbridge:problem:{}", self.code))?;
        map.serialize_entry("code", &self.code)?;
        map.serialize_entry("title", title.unwrap_or("Error"))?;
        map.serialize_entry("status", &self.status)?;
        map.serialize_entry("detail", &self.detail)?;
        if let Some(field) = &self.field {
            map.serialize_entry("field", field)?;
        }
        if let Some(errors) = &self.errors {
            map.serialize_entry("errors", errors)?;
        }
        if let Some(at) = &self.pending_effective_at {
            map.serialize_entry("pending_effective_at", at)?;
        }
        if let Some(problems) = &self.problems {
            map.serialize_entry("problems", problems)?;
        }
        map.end()
    }
}

impl Problem {
    /// A problem.
    pub fn new(status: StatusCode, code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            status: status.as_u16(),
            // A sentence may repeat what was asked.
            detail: without_persons(&detail.into()),
            field: None,
            errors: None,
            problems: None,
            retry_after: None,
            pending_effective_at: None,
        }
    }
    /// The same, naming the field at fault.
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }
    /// The same, naming every field that is missing or wrong.
    pub fn with_errors(mut self, errors: &[FieldError]) -> Self {
        self.errors = serde_json::to_value(errors).ok().map(Box::new);
        self
    }
    /// The same, telling when a door will open.
    pub fn pending(mut self, at: Option<String>) -> Self {
        self.pending_effective_at = at.map(String::into_boxed_str);
        self
    }
    /// 401 to somebody who proves himself by what will hold from `at` on.
    pub fn of_coming_secret(at: String) -> Self {
        let sentence = format!("this secret holds from {at} on; until then use the one before");
        Self::new(StatusCode::UNAUTHORIZED, "bad_signature", sentence).pending(Some(at))
    }
    /// The same, asking to come again after some seconds.
    pub fn after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }
    /// The service ends: another instance, or the next start, answers.
    pub fn stopping() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the service is shutting down; try again").after(5)
    }
    /// Trouble of ours.
    pub fn trouble() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the service cannot do this now; try again").after(5)
    }
}

/// The status under which a refusal goes out.
pub fn status_of(why: Why) -> StatusCode {
    match why {
        Why::NotFound => StatusCode::NOT_FOUND,
        Why::Invalid
        | Why::FeeOutOfRange
        | Why::FeeAboveDefault
        | Why::NoPayment
        | Why::PhoneMalformed
        | Why::DocumentMalformed
        | Why::NameMalformed
        | Why::PhoneMissing
        | Why::DocumentMissing
        | Why::NameMissing
        | Why::DocumentNotAccepted
        | Why::VisitorsMismatch => StatusCode::UNPROCESSABLE_ENTITY,
        Why::OutOfStock
        | Why::OffSale
        | Why::VisitorHasTicket
        | Why::DateNotBookable
        | Why::AgeLimit
        | Why::SexLimit
        | Why::DocumentLimit
        | Why::PhoneLimit
        | Why::QuantityLimit
        | Why::CreditTooLow
        | Why::PriceMismatch
        | Why::ContentDiffers
        | Why::Tombstoned
        | Why::AlreadyBooked
        | Why::NotPaid
        | Why::RefundUnderReview
        | Why::AlreadyRedeemed
        | Why::TooEarly
        | Why::NotTicketed
        | Why::AlreadyTicketed
        | Why::ReadOnlyOrder
        | Why::VersionConflict
        | Why::AlreadyCancelled
        | Why::NotBooked
        | Why::NotWaiting
        | Why::AlreadyDecided
        | Why::TicketsMissing
        | Why::RefundExceeds
        | Why::PartialNotAllowed
        | Why::NotUsed
        | Why::LinkNotNeeded
        | Why::NotSupported => StatusCode::CONFLICT,
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        let problem = Problem::new(status_of(rejection.why), rejection.why.code(), rejection.sentence.into_owned());
        match rejection.field {
            Some(field) => problem.at(field.into_owned()),
            None => problem,
        }
    }
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Rejected(rejection) | EngineError::RejectedWhole(rejection) => rejection.into(),
            EngineError::Known => Problem::new(StatusCode::CONFLICT, "duplicate", "this message has been taken before"),
            EngineError::TryLater | EngineError::LeaseLost => Problem::trouble(),
            EngineError::Store(ref store) => {
                if let ticketbridge_store::StoreError::Cursor = store {
                    return Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "the cursor is not one of ours")
                        .at("cursor");
                }
                crate::trouble::log_trouble("a request could not be carried out", &error);
                Problem::trouble()
            }
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let sentence = refused.to_string();
        match refused {
            Refused::WrongCredentials => Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", sentence),
            Refused::WrongPasskey => Problem::new(StatusCode::UNAUTHORIZED, "wrong_passkey", sentence),
            Refused::WrongCode => Problem::new(StatusCode::UNAUTHORIZED, "wrong_code", sentence),
            Refused::TooManyTries(seconds) => {
                Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", sentence).after(seconds)
            }
            Refused::FactorRequired => Problem::new(StatusCode::FORBIDDEN, "factor_required", sentence),
            Refused::FreshFactorRequired => Problem::new(StatusCode::FORBIDDEN, "fresh_factor_required", sentence),
            Refused::NotFound(_) => Problem::new(StatusCode::NOT_FOUND, "not_found", sentence),
            Refused::Invalid(field, _) => {
                let error = FieldError { pointer: format!("/{field}"), detail: sentence.clone() };
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", sentence).at(field).with_errors(&[error])
            }
            Refused::BeyondOwn(_) => Problem::new(StatusCode::FORBIDDEN, "beyond_own_role", sentence),
            Refused::LastAdministrator => Problem::new(StatusCode::CONFLICT, "last_administrator", sentence),
            Refused::ProviderAway => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "provider_unreachable", sentence),
            Refused::State("pending_approval" | "inactive", _) => {
                Problem::new(StatusCode::FORBIDDEN, "account_not_active", sentence)
            }
            Refused::State(code, _) => Problem::new(StatusCode::CONFLICT, code, sentence),
            Refused::Engine(error) => error.into(),
        }
    }
}

impl From<ticketbridge_store::StoreError> for Problem {
    fn from(error: ticketbridge_store::StoreError) -> Self {
        EngineError::Store(error).into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response =
            (status, [(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"))], body)
                .into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// No such path.
pub async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path")
}

/// The path is right, the method is not.
pub async fn method_not_allowed() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this path takes another method")
}
