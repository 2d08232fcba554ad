// SPDX-License-Identifier: Apache-2.0

//! The kinds of fields that [`At`](super::read::At) reads, and what all whole orders share, as JSON Schemas. The bounds are the reader's own
//! constants; a test (`schemas.rs`) changes every field of complete examples and finds that reader and schema judge alike.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};
use ticketbridge_core::limits::AMOUNT_MAX;

use super::REVISION_MAX;
use super::cancels::STATUSES;
use super::read::{ID_CHARS_MAX, TEXT_CHARS_MAX};

/// A time with an offset, as RFC 3339 writes it.
pub(crate) const INSTANT_PATTERN: &str =
    "^\\d{4}-\\d{2}-\\d{2}[Tt]\\d{2}:\\d{2}:[0-5]\\d(\\.\\d+)?([Zz]|[+-]\\d{2}:\\d{2})$";

/// Makes a kind of field: its name, what it is, and the schema.
macro_rules! kind {
    ($(#[$doc:meta])* $name:ident, $schema:expr) => {
        $(#[$doc])*
        pub(crate) struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

kind!(
    /// An identifier.
    Id,
    json_schema!({
        "type": "string", "pattern": format!("^[A-Za-z0-9._-]{{1,{ID_CHARS_MAX}}}$"), "not": { "enum": [".", ".."] },
        "description": "An identifier: 1 to 64 of A-Z a-z 0-9 . _ -, and more than dots.",
    })
);
kind!(
    /// An identifier that may be empty, which is none.
    MaybeId,
    json_schema!({
        "type": "string", "pattern": format!("^\\s*$|^[A-Za-z0-9._-]{{1,{ID_CHARS_MAX}}}$"), "not": { "enum": [".", ".."] },
        "description": "An identifier: 1 to 64 of A-Z a-z 0-9 . _ -, and more than dots; an empty one is none.",
    })
);
kind!(
    /// A text that people read.
    FreeText,
    json_schema!({ "type": "string", "maxLength": TEXT_CHARS_MAX, "description": "A text; an empty one is none." })
);
kind!(
    /// Whole won.
    Won,
    json_schema!({
        "type": "integer", "minimum": 0, "maximum": AMOUNT_MAX,
        "description": "Whole won, written as an integer: no text, no decimal point, no exponent.",
    })
);
kind!(
    /// Whole won, more than nothing.
    SomeWon,
    json_schema!({
        "type": "integer", "minimum": 1, "maximum": AMOUNT_MAX,
        "description": "Whole won, 1 or more, written as an integer.",
    })
);
kind!(
    /// A moment.
    Instant,
    json_schema!({
        "type": "string", "format": "date-time", "pattern": INSTANT_PATTERN,
        "description": "An RFC 3339 time with an offset, a T before the hour, and no leap second.",
    })
);
kind!(
    /// A day of the platform's zone.
    Day,
    json_schema!({ "type": "string", "format": "date", "pattern": "^\\d{4}-\\d{2}-\\d{2}$", "description": "YYYY-MM-DD, in the platform's zone." })
);
kind!(
    /// The count of changes.
    Revision,
    json_schema!({
        "type": "integer", "minimum": 1, "maximum": REVISION_MAX,
        "description": "The platform's count of changes: the higher wins. Needed where its settings name the capability `revision`.",
    })
);

/// One of the words that a reader knows.
pub(crate) fn words<T>(known: &[(&str, T)]) -> Schema {
    let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
    json_schema!({ "type": "string", "enum": words })
}

fn cancel_statuses(_: &mut SchemaGenerator) -> Schema {
    words(STATUSES)
}

/// Money that goes back for a payment.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its shape is of interest")]
pub(crate) struct PaymentCancel {
    /// Its number.
    cancel_id: Id,
    /// How much. All that went back for a payment is never more than the payment.
    amount_krw: SomeWon,
    /// How far it has come; `CREDITED` is done, too: the guest has it.
    #[schemars(schema_with = "cancel_statuses")]
    status: (),
    /// When it was done.
    done_at: Option<Instant>,
    /// Its payment, where it does not stand inside it.
    payment_id: Option<FreeText>,
    /// `WITH_BOOKING` is the money of what was cancelled, and makes no other return good; any other word, or none, may.
    kind: Option<FreeText>,
}

/// The answer to a message that was taken, or that changes nothing.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its shape is of interest")]
pub(crate) struct Taken {
    /// `accepted`; `duplicate`: told before; `stale`: something later is known; `ignored`: of no concern here.
    #[schemars(schema_with = "results")]
    result: (),
    /// The message's own number.
    #[schemars(default)]
    event_id: Option<String>,
    /// The order that it is about.
    #[schemars(default)]
    order_id: Option<String>,
    /// The order's version after it.
    #[schemars(default)]
    version: Option<u64>,
    /// The order's revision after it.
    #[schemars(default)]
    revision: Option<u64>,
}

fn results(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": ["accepted", "duplicate", "stale", "ignored"] })
}

fn parked(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "const": "parked" })
}

/// The answer to a message that is kept until it can be applied.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its shape is of interest")]
pub(crate) struct Parked {
    #[schemars(schema_with = "parked")]
    result: (),
    /// What it waits for.
    reason: String,
    /// The message's own number.
    #[schemars(default)]
    event_id: Option<String>,
    /// The order that it is about, where it is known.
    #[schemars(default)]
    order_id: Option<String>,
    /// The order's version.
    #[schemars(default)]
    version: Option<u64>,
}

/// A field that is missing or wrong.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its shape is of interest")]
pub(crate) struct FieldError {
    /// Where in the body, as a JSON pointer.
    pointer: String,
    /// What is wrong with it.
    detail: String,
}

/// An error answer (`application/problem+json`).
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its shape is of interest")]
pub(crate) struct ProblemBody {
    /// `urn:ticketbridge:problem:` and the code.
    #[schemars(rename = "type")]
    kind: String,
    /// What integrators write down; stable.
    code: String,
    /// The status in words.
    title: String,
    /// The HTTP status.
    #[schemars(range(min = 400, max = 599))]
    status: u16,
    /// What is wrong and what to do, for people.
    detail: String,
    /// The field at fault, where there is one.
    #[schemars(default)]
    field: Option<String>,
    /// Every field of the body that is missing or wrong.
    #[schemars(default)]
    errors: Option<Vec<FieldError>>,
    /// Whether the same message may be taken later.
    #[schemars(default)]
    retryable: Option<bool>,
}

/// A condition over fields: what must hold where `field` is one of `words`.
pub(crate) fn when(field: &str, is: &[&str], then: &Value) -> Value {
    json!({ "if": { "required": [field], "properties": { field: { "enum": is } } }, "then": then })
}
