// SPDX-License-Identifier: Apache-2.0

//! What snapshot channels share over Standard Webhooks (`docs/src/contract/signatures.md`): the envelope, its
//! checks, the answers, and the calls back. It is no partner; each partner's own words stand in its folder.
//!
//! What it must never do: believe a body that was not verified, round an amount, or take one event's id for another's.

pub(crate) mod answers;
pub(crate) mod calls;
pub(crate) mod cancels;
pub(crate) mod read;
pub(crate) mod schema;
pub(crate) mod settings;

use http::header::CONTENT_TYPE;
use serde_json::Value;
use ticketbridge_core::id::ExternalId;
use ticketbridge_core::limits::AMOUNT_MAX;
use ticketbridge_core::port::{AuthError, Context, DecodeError, Inbound, Message, RawRequest, Verified};
use ticketbridge_core::time::UnixMillis;

use crate::one_reading;
use crate::standard_webhooks::{Secrets, message_id, sent_at};
use read::{At, MISSING};
use settings::Common;

/// The capability of counting changes.
pub(crate) const REVISION: &str = "revision";
/// The highest count of changes: what every JSON parser reads exactly.
pub(crate) const REVISION_MAX: u64 = AMOUNT_MAX.unsigned_abs();
/// Bytes of a body.
pub(crate) const BODY_BYTES_MAX: usize = 256 * 1024;

/// Checks who calls.
pub(crate) fn verify<'a>(secrets: &Secrets, raw: RawRequest<'a>, cx: &Context<'_>) -> Result<Verified<'a>, AuthError> {
    let proof = secrets.verify(raw.headers, raw.body, cx.now)?;
    Ok(Verified::attest(raw, proof.key_index))
}

/// The body of a verified call, as JSON.
pub(crate) fn body(request: &Verified<'_>) -> Result<Value, DecodeError> {
    let raw = request.raw();
    if raw.body.len() > BODY_BYTES_MAX {
        let reason = format!("has {} bytes; {BODY_BYTES_MAX} are allowed", raw.body.len());
        return Err(DecodeError::new("body", reason).coded("too_large"));
    }
    // A sender that says nothing of the type is believed to send what was agreed.
    let kind = raw.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("application/json");
    if !kind.trim().to_ascii_lowercase().starts_with("application/json") {
        return Err(DecodeError::new("content-type", "is not application/json").coded("unsupported_media_type"));
    }
    match one_reading::json(raw.body) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(DecodeError::new("body", "is not an object").coded("malformed_json")),
        Err(error) => {
            let what = if error.is_data() { "has two readings, a key stands twice" } else { "is not JSON" };
            let reason = format!("{what}: line {}, column {}", error.line(), error.column());
            Err(DecodeError::new("body", reason).coded("malformed_json"))
        }
    }
}

/// When an event that is believed happened there: from then on the platform's limits run.
pub(crate) fn occurred_at(settings: &Common, request: &Verified<'_>) -> Option<UnixMillis> {
    let body: Value = serde_json::from_slice(request.body()).ok()?;
    At::in_zone(&body, settings.naive_zone).field("occurred_at").instant().ok()
}

/// The number in `object` of an event that is believed, whatever else is wrong with it.
pub(crate) fn named_in(request: &Verified<'_>, object: &str, number: &str) -> Option<ExternalId> {
    let body = one_reading::json(request.body()).ok()?;
    let named = At::in_zone(&body, None).field(object).field(number).id().ok()?;
    Some(ExternalId::new(named))
}

/// What stands around every event.
pub(crate) struct Envelope<'a> {
    /// The event's own number, the same on every attempt.
    pub(crate) id: String,
    /// What happened.
    pub(crate) kind: String,
    /// When it happened there.
    pub(crate) at: UnixMillis,
    /// When it was sent, by its signed header.
    pub(crate) sent_at: Option<UnixMillis>,
    /// What is particular to it.
    pub(crate) change: At<'a>,
    /// The whole.
    pub(crate) whole: At<'a>,
}

impl<'a> Envelope<'a> {
    /// Reads it; the event's number must be the message's.
    pub(crate) fn read(settings: &Common, request: &Verified<'_>, body: &'a Value) -> Result<Self, DecodeError> {
        let whole = At::in_zone(body, settings.naive_zone);
        let id = whole.field("event_id").text()?;
        if message_id(request.raw().headers).is_some_and(|named| named != id) {
            let reason = "is not the message's webhook-id";
            return Err(DecodeError::new("event_id", reason).coded("event_id_mismatch"));
        }
        whole.field("event_id").id()?;
        let kind = whole.field("event_type").text()?;
        let sent_at = sent_at(request.raw().headers);
        Ok(Self {
            id,
            kind,
            at: whole.field("occurred_at").past(sent_at)?,
            sent_at,
            change: whole.field("change").maybe_object()?,
            whole,
        })
    }

    /// Something that changes nothing here.
    pub(crate) fn note(&self, known: bool) -> Inbound {
        let about = ExternalId::new(self.id.clone());
        let message = Message::Note { what: self.kind.clone().into(), known };
        Inbound::Message(ticketbridge_core::port::Envelope { key: self.id.clone(), about, message })
    }

    /// The count of changes; 0 where the channel does not say that it counts them, and this event brings none.
    pub(crate) fn revision(&self, settings: &Common) -> Result<u64, DecodeError> {
        match revision_at(&self.whole.field("revision"))? {
            Some(revision) => Ok(revision),
            None if settings.can(REVISION) => Err(DecodeError::new("revision", "is missing").coded(MISSING)),
            None => Ok(0),
        }
    }
}

/// A count of changes, if it is there: what is told above it would never be heard again, so that it has a limit.
pub(crate) fn revision_at(field: &At<'_>) -> Result<Option<u64>, DecodeError> {
    let Some(value) = field.value()? else { return Ok(None) };
    match value.as_u64() {
        Some(revision) if (1..=REVISION_MAX).contains(&revision) => Ok(Some(revision)),
        Some(_) => Err(field.wrong(format!("must be 1 to {REVISION_MAX}"))),
        None => Err(field.wrong("must be an integer")),
    }
}
