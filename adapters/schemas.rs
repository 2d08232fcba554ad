// SPDX-License-Identifier: Apache-2.0

//! JSON Schemas (draft 2020-12) of every body whose contract is ours: what partners send and are sent. They are served at `/schemas/…`,
//! printed by `ticketbridge schemas`, and tell a partner at once everything that is wrong with a body.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use jsonschema::Validator;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;
use ticketbridge_core::port::{DecodeError, FieldError, Verified};

use crate::fat_events::schema::{self as shared, INSTANT_PATTERN};
use crate::kakao::schema as kakao;
use crate::ticketing_http::wire;
use crate::tripstore::schema as tripstore;

/// Errors of one body that are told.
const TOLD_MAX: usize = 50;

/// A schema and its name.
pub struct BodySchema {
    /// The name, which is its path below `/schemas/`, without `.json`.
    pub name: &'static str,
    /// Who sends such a body to whom.
    pub way: Way,
    /// The schema.
    pub schema: Value,
}

/// Which way a body travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A partner sends it to us.
    In,
    /// We answer it.
    Answer,
    /// We send it to a partner.
    Out,
    /// A partner answers it.
    Answered,
}

impl Way {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Way::In => "you send it",
            Way::Answer => "we answer it",
            Way::Out => "we send it",
            Way::Answered => "you answer it",
        }
    }
}

fn one<T: JsonSchema>(name: &'static str, way: Way) -> BodySchema {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    BodySchema { name, way, schema: schema.to_value() }
}

/// All of them.
pub fn all() -> &'static [BodySchema] {
    static ALL: OnceLock<Vec<BodySchema>> = OnceLock::new();
    ALL.get_or_init(|| {
        vec![
            one::<kakao::Event>("kakao/event", Way::In),
            one::<kakao::Availability>("kakao/availability", Way::In),
            one::<kakao::AvailabilityAnswer>("kakao/availability-answer", Way::Answer),
            one::<kakao::Confirm>("kakao/confirm", Way::Out),
            one::<kakao::Reject>("kakao/reject", Way::Out),
            one::<kakao::Cancel>("kakao/cancel", Way::Out),
            one::<kakao::Used>("kakao/use", Way::Out),
            one::<kakao::NoShow>("kakao/no-show", Way::Out),
            one::<kakao::ReturnPayment>("kakao/payment-cancel", Way::Out),
            one::<kakao::Stock>("kakao/stock", Way::Out),
            one::<kakao::Quote>("kakao/cancel-quote", Way::Answered),
            one::<kakao::Reservation>("kakao/reservation", Way::Answered),
            one::<kakao::Reservations>("kakao/reservations", Way::Answered),
            one::<tripstore::Event>("tripstore/event", Way::In),
            one::<tripstore::Complete>("tripstore/complete", Way::Out),
            one::<tripstore::Cancel>("tripstore/cancel", Way::Out),
            one::<tripstore::ReturnPayment>("tripstore/payment-cancel", Way::Out),
            one::<tripstore::PaymentLink>("tripstore/payment-link", Way::Out),
            one::<tripstore::PaymentLinkAnswer>("tripstore/payment-link-answer", Way::Answered),
            one::<tripstore::Booking>("tripstore/booking", Way::Answered),
            one::<tripstore::Bookings>("tripstore/bookings", Way::Answered),
            one::<tripstore::HandOver>("tripstore/hand-over", Way::Out),
            one::<tripstore::HandOverAnswer>("tripstore/hand-over-answer", Way::Answered),
            one::<wire::ReservationRequest<'_>>("ticketing_http/reservation-request", Way::Out),
            one::<wire::ReservationAnswer>("ticketing_http/reservation-answer", Way::Answered),
            one::<wire::CancelRequest>("ticketing_http/cancel-request", Way::Out),
            one::<wire::CancelAnswer>("ticketing_http/cancel-answer", Way::Answered),
            one::<wire::AvailabilityAnswer>("ticketing_http/availability-answer", Way::Answered),
            one::<wire::EventIn>("ticketing_http/event", Way::In),
            one::<shared::Taken>("webhook/taken", Way::Answer),
            one::<shared::Parked>("webhook/parked", Way::Answer),
            one::<shared::ProblemBody>("webhook/problem", Way::Answer),
        ]
    })
}

fn validators() -> &'static BTreeMap<&'static str, Validator> {
    static VALIDATORS: OnceLock<BTreeMap<&'static str, Validator>> = OnceLock::new();
    VALIDATORS.get_or_init(|| {
        let compiled = all().iter().map(|one| {
            let options = jsonschema::options().should_validate_formats(true);
            (one.name, options.build(&one.schema).expect("a test builds every one of them"))
        });
        compiled.collect()
    })
}

/// Everything that is missing or wrong in a body, told without its values; nothing when there is no such schema.
pub fn problems(name: &str, body: &Value) -> Vec<FieldError> {
    let Some(validator) = validators().get(name) else { return Vec::new() };
    let mut found: Vec<FieldError> = Vec::new();
    validator.iter_errors(body).for_each(|error| tell(error.instance_path().as_str(), error.kind(), &mut found));
    found.truncate(TOLD_MAX);
    found
}

/// An error of reading, with everything else that the body's schema finds wrong.
pub(crate) fn with_all(schema: &str, request: &Verified<'_>, error: DecodeError) -> DecodeError {
    with_all_and(schema, request, error, |_| Vec::new())
}

/// The same, with what `more` finds between fields, which no schema can say.
pub(crate) fn with_all_and(
    schema: &str,
    request: &Verified<'_>,
    error: DecodeError,
    more: impl FnOnce(&Value) -> Vec<FieldError>,
) -> DecodeError {
    match serde_json::from_slice(request.raw().body) {
        Ok(body) => {
            let mut found = problems(schema, &body);
            found.extend(more(&body));
            found.truncate(TOLD_MAX);
            error.beside(found)
        }
        Err(_) => error,
    }
}

/// Adds what an error says; of one field, the first. Of several ways to be right, the one that is not null says what is wanted.
fn tell(at: &str, kind: &ValidationErrorKind, found: &mut Vec<FieldError>) {
    if let ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } = kind {
        let meant = context.iter().find(|errors| !errors.iter().any(|error| is_null_wanted(error.kind())));
        for error in meant.into_iter().flatten() {
            tell(error.instance_path().as_str(), error.kind(), found);
        }
        if meant.is_some_and(|errors| !errors.is_empty()) {
            return;
        }
    }
    let pointer = match kind {
        ValidationErrorKind::Required { property } => format!("{at}/{}", property.as_str().unwrap_or_default()),
        _ => at.to_owned(),
    };
    if !found.iter().any(|known| known.pointer == pointer) {
        found.push(FieldError { pointer, detail: detail(kind) });
    }
}

/// A kind of error in our words; the library's own message would repeat the value.
fn detail(kind: &ValidationErrorKind) -> String {
    let listed = |options: &Value| {
        let words = options.as_array().map(Vec::as_slice).unwrap_or_default();
        let shown = words.iter().map(|word| word.as_str().map_or_else(|| word.to_string(), str::to_owned));
        shown.collect::<Vec<_>>().join(", ")
    };
    match kind {
        ValidationErrorKind::Required { .. } => "is missing".to_owned(),
        ValidationErrorKind::Type { kind: TypeKind::Single(kind) } => format!("must be of type {kind}"),
        ValidationErrorKind::Type { kind: TypeKind::Multiple(kinds) } => {
            let kinds: Vec<String> = kinds.iter().map(|kind| kind.to_string()).collect();
            format!("must be of type {}", kinds.join(" or "))
        }
        ValidationErrorKind::Enum { options } => format!("must be one of {}", listed(options)),
        ValidationErrorKind::Constant { expected_value } => format!("must be {expected_value}"),
        ValidationErrorKind::Minimum { limit } => format!("must be {limit} or more"),
        ValidationErrorKind::Maximum { limit } => format!("must be {limit} or less"),
        ValidationErrorKind::MinItems { limit } => format!("must have {limit} or more elements"),
        ValidationErrorKind::MaxItems { limit } => format!("must have {limit} or fewer elements"),
        ValidationErrorKind::MinLength { limit } => format!("must have {limit} or more characters"),
        ValidationErrorKind::MaxLength { limit } => format!("must have {limit} or fewer characters"),
        ValidationErrorKind::Format { format } => format!("must be a {format}"),
        ValidationErrorKind::Pattern { pattern } if pattern == INSTANT_PATTERN => {
            "must be an RFC 3339 time with an offset".to_owned()
        }
        ValidationErrorKind::Pattern { pattern } => format!("must match {pattern}"),
        ValidationErrorKind::AdditionalProperties { .. } | ValidationErrorKind::FalseSchema => {
            "has fields that nobody knows".to_owned()
        }
        other => format!("breaks the rule {:?} of its schema", other.keyword()),
    }
}

fn is_null_wanted(kind: &ValidationErrorKind) -> bool {
    matches!(kind, ValidationErrorKind::Type { kind: TypeKind::Single(kind) } if kind.to_string() == "null")
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
