// SPDX-License-Identifier: Apache-2.0

//! The platform's own older webhooks: a guest's account was unlinked, the talk channel was added or
//! blocked. A fixed key stands in the header and nothing is signed, so they are kept, answered with 200, and never move anything.

use http::header::AUTHORIZATION;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use subtle::ConstantTimeEq as _;
use ticketbridge_core::id::ExternalId;
use ticketbridge_core::port::{AuthError, Envelope, Inbound, Message, RawRequest, Verified};
use ticketbridge_core::time::{TimeZone, UnixMillis};

/// Header that numbers the talk channel's webhooks; the one of an unlinked account has none.
const RESOURCE_ID: &str = "x-kakao-resource-id";
const SCHEME: &str = "KakaoAK ";
/// Characters of a partner's own word that are kept.
const WORD_CHARS_MAX: usize = 64;

/// Checks the fixed key.
pub(super) fn verify<'a>(key: Option<&str>, raw: RawRequest<'a>) -> Result<Verified<'a>, AuthError> {
    let Some(key) = key else { return Err(AuthError::UnknownKey("KakaoAK".into())) };
    let given = raw.headers.get(AUTHORIZATION).ok_or(AuthError::Missing("the header authorization"))?;
    let given = given.to_str().ok().and_then(|text| text.strip_prefix(SCHEME)).unwrap_or("");
    match bool::from(given.as_bytes().ct_eq(key.as_bytes())) {
        true => Ok(Verified::attest(raw, 0)),
        false => Err(AuthError::BadSignature),
    }
}

/// Reads one. Whatever it says, it changes nothing: what cannot be read is kept as well.
pub(super) fn decode(request: &Verified<'_>) -> Inbound {
    let raw = request.raw();
    let fields = fields(raw.body);
    let text = |name: &str| fields.get(name).and_then(Value::as_str).map(shortened);
    let Some(id) = raw.headers.get(RESOURCE_ID).and_then(|value| value.to_str().ok()) else {
        // A guest may unlink, link and unlink again: each is kept, none is a repeat of another.
        let word = text("referrer_type").unwrap_or_default();
        return Inbound::Hint {
            key: "unlink".to_owned(),
            about: None,
            what: format!("account unlinked {word}").into(),
        };
    };
    let word = text("event").unwrap_or_else(|| "changed".to_owned());
    // Written in UTC, nine hours behind Seoul; an offset is believed as it stands.
    let at = fields
        .get("updated_at")
        .and_then(Value::as_str)
        .and_then(|at| UnixMillis::parse_rfc3339(at).or_else(|| UnixMillis::parse_rfc3339(&format!("{at}Z"))));
    let at = at.map(|at| format!(" at {}", at.rfc3339(TimeZone::SEOUL))).unwrap_or_default();
    let message = Message::Note { what: format!("talk channel {word}{at}").into(), known: true };
    let id = shortened(id);
    Inbound::Message(Envelope { key: id.clone(), about: ExternalId::new(id), message })
}

fn shortened(text: &str) -> String {
    text.chars().take(WORD_CHARS_MAX).collect()
}

/// The body as JSON, or as a form.
fn fields(body: &[u8]) -> Map<String, Value> {
    if let Ok(Value::Object(fields)) = crate::one_reading::json(body) {
        return fields;
    }
    let text = std::str::from_utf8(body).unwrap_or("");
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    pairs.map(|(name, value)| (decoded(name), Value::from(decoded(value)))).collect()
}
