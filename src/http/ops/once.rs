// SPDX-License-Identifier: Apache-2.0

//! `Idempotency-Key`: a repeat gets the same answer, and another act under the same key is refused.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::Value;
use sha2::{Digest, Sha256};
use ticketbridge_core::OrderId;
use ticketbridge_store::{KnownAct, StoreError};

use crate::accounts::Holder;
use crate::engine::manual_commands::Once;
use crate::http::Shared;
use crate::http::ops::call::JSON;
use crate::http::problem::Problem;

/// The header.
pub(crate) const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Characters of a key.
const KEY_CHARS_MAX: usize = 200;

fn hash(parts: [&[u8]; 3]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hex::encode(hasher.finalize())
}

/// The key of a request, if it has one. Keys of two holders are two keys.
///
/// # Errors
/// 422 when it is no key.
pub(crate) fn of(
    headers: &HeaderMap,
    holder: &Holder,
    method: &str,
    path: &str,
    body: &[u8],
) -> Result<Option<Once>, Problem> {
    let Some(value) = headers.get(KEY) else { return Ok(None) };
    let key = value.to_str().unwrap_or_default().trim();
    if key.is_empty() || key.len() > KEY_CHARS_MAX {
        let sentence = format!("a key has 1 to {KEY_CHARS_MAX} plain characters");
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", sentence).at("Idempotency-Key"));
    }
    Ok(Some(Once {
        key_hash: hash([b"ops", holder.key().as_bytes(), key.as_bytes()]),
        request_hash: hash([method.as_bytes(), path.as_bytes(), body]),
    }))
}

/// The answer to a repeat. Where its order has forgotten its guests since, so has the answer.
pub(crate) async fn again(shared: &Shared, once: &Once, known: KnownAct) -> Response {
    if known.request_hash != once.request_hash {
        let sentence = "this key stands for another act or another body; take a new key";
        return Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", sentence)
            .at("Idempotency-Key")
            .into_response();
    }
    let status = StatusCode::from_u16(known.status).unwrap_or(StatusCode::OK);
    match without_forgotten(shared, known.body).await {
        Ok(body) => answer(status, JSON, body),
        Err(error) => Problem::from(error).into_response(),
    }
}

async fn without_forgotten(shared: &Shared, body: Vec<u8>) -> Result<Vec<u8>, StoreError> {
    let Ok(mut said) = serde_json::from_slice::<Value>(&body) else { return Ok(body) };
    let id = said.get("id").and_then(Value::as_str).filter(|id| id.starts_with("ord_")).map(OrderId::from);
    let Some(id) = id else { return Ok(body) };
    let order = shared.engine.store().load_order(&id).await?;
    if order.is_some_and(|order| order.knows_guests()) {
        return Ok(body);
    }
    forget(&mut said);
    Ok(said.to_string().into_bytes())
}

/// Blanks every person, masked as they are.
fn forget(said: &mut Value) {
    match said {
        Value::Object(fields) if fields.contains_key("phone") => {
            fields.values_mut().for_each(|value| *value = Value::Null)
        }
        Value::Object(fields) => fields.values_mut().for_each(forget),
        Value::Array(items) => items.iter_mut().for_each(forget),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// An answer of the ops interface. None of them is for a cache: they change at any moment, and some hold guests' data.
pub(crate) fn answer(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Response {
    let kind = if status.is_success() { kind } else { "application/problem+json" };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, body).into_response()
}

/// An answer that goes on: nothing on its way is to keep it back.
pub(crate) fn live(status: StatusCode, kind: &'static str, body: axum::body::Body) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    (status, headers, body).into_response()
}
