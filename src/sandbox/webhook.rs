// SPDX-License-Identifier: Apache-2.0

//! Standard Webhooks, written from the specification a second time and apart from the bridge's (`docs/src/contract/signatures.md`).

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;
use std::time::Duration;
use thiserror::Error;

/// How far a timestamp may be from the clock, seconds.
const TOLERANCE_S: i64 = 300;

/// Why a call is not believed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Unbelieved {
    /// The secret is not `whsec_` and base64.
    #[error("the secret cannot be read")]
    Secret,
    /// A header is absent.
    #[error("a webhook header is missing")]
    Missing,
    /// The timestamp is too old or too new.
    #[error("the timestamp is outside the tolerance")]
    Stale,
    /// No signature fits.
    #[error("the signature does not verify")]
    Signature,
}

fn keyed(secret: &str) -> Result<Hmac<Sha256>, Unbelieved> {
    let encoded = secret.strip_prefix("whsec_").unwrap_or(secret);
    let key = BASE64.decode(encoded).map_err(|_| Unbelieved::Secret)?;
    Hmac::<Sha256>::new_from_slice(&key).map_err(|_| Unbelieved::Secret)
}

/// The value of `webhook-signature` over `id.timestamp.body`.
pub fn sign(secret: &str, id: &str, timestamp_s: i64, body: &[u8]) -> Result<String, Unbelieved> {
    let mut mac = keyed(secret)?;
    mac.update(format!("{id}.{timestamp_s}.").as_bytes());
    mac.update(body);
    Ok(format!("v1,{}", BASE64.encode(mac.finalize().into_bytes())))
}

/// Checks a presented header of one or more signatures.
pub fn verify(
    secret: &str,
    id: &str,
    timestamp: &str,
    presented: &str,
    body: &[u8],
    now_s: i64,
) -> Result<(), Unbelieved> {
    let timestamp_s: i64 = timestamp.parse().map_err(|_| Unbelieved::Stale)?;
    if (now_s - timestamp_s).abs() > TOLERANCE_S {
        return Err(Unbelieved::Stale);
    }
    for signature in presented.split(' ').filter_map(|s| s.strip_prefix("v1,")) {
        let Ok(claimed) = BASE64.decode(signature) else { continue };
        let mut mac = keyed(secret)?;
        mac.update(format!("{id}.{timestamp_s}.").as_bytes());
        mac.update(body);
        if mac.verify_slice(&claimed).is_ok() {
            return Ok(());
        }
    }
    Err(Unbelieved::Signature)
}

/// Checks a call as it was received.
pub fn admit(secret: &str, headers: &HeaderMap, body: &[u8], now_s: i64) -> Result<(), Unbelieved> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (id, stamp, presented) = (text("webhook-id"), text("webhook-timestamp"), text("webhook-signature"));
    if id.is_empty() || stamp.is_empty() || presented.is_empty() {
        return Err(Unbelieved::Missing);
    }
    verify(secret, id, stamp, presented, body, now_s)
}

/// A message before it is sent.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Where to.
    pub url: &'a str,
    /// `webhook-id`: the same on every attempt.
    pub id: &'a str,
    /// The body.
    pub body: &'a [u8],
    /// The time of the attempt, seconds since 1970.
    pub now_s: i64,
    /// How long an answer is waited for, real time.
    pub limit: Duration,
}

/// What was said to a message.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status; 0 when there was no answer.
    pub status: u16,
    /// Body.
    pub body: Value,
}

impl Answer {
    /// Nobody answered.
    pub const NONE: Self = Self { status: 0, body: Value::Null };

    /// The `result` of the answer: `accepted`, `duplicate`, `stale`, `ignored` or `parked`.
    pub fn result(&self) -> &str {
        self.body.get("result").and_then(Value::as_str).unwrap_or_default()
    }
}

/// The headers of a message. A secret that cannot be read signs nothing; the bridge then refuses, which is what the books shall show.
pub fn headers(secret: &str, message: &Message<'_>) -> Vec<(String, String)> {
    let signature = sign(secret, message.id, message.now_s, message.body).unwrap_or_default();
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("webhook-id", message.id.to_owned()),
        ("webhook-timestamp", message.now_s.to_string()),
        ("webhook-signature", signature),
    ];
    headers.map(|(name, value)| (name.to_owned(), value)).to_vec()
}

/// Signs a message and sends it once.
pub async fn send(client: &reqwest::Client, secret: &str, message: Message<'_>) -> Answer {
    let mut request = client.post(message.url).timeout(message.limit).body(message.body.to_vec());
    for (name, value) in headers(secret, &message) {
        request = request.header(name, value);
    }
    match request.send().await {
        Err(_) => Answer::NONE,
        Ok(response) => {
            let status = response.status().as_u16();
            match response.bytes().await {
                Ok(bytes) => Answer { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) },
                Err(_) => Answer::NONE,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example published with the Standard Webhooks libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    #[test]
    fn the_published_example_is_signed_and_verified() {
        assert_eq!(sign(SECRET, ID, 1_614_265_330, BODY).unwrap(), SIGNATURE);
        assert_eq!(verify(SECRET, ID, "1614265330", &format!("v1,AAAA {SIGNATURE}"), BODY, 1_614_265_330), Ok(()));
    }

    #[test]
    fn another_body_or_another_time_is_not_believed() {
        let at = |now_s| verify(SECRET, ID, "1614265330", SIGNATURE, BODY, now_s);
        assert_eq!(at(1_614_265_630), Ok(()));
        assert_eq!(at(1_614_265_631), Err(Unbelieved::Stale));
        assert_eq!(verify(SECRET, ID, "1614265330", SIGNATURE, b"{}", 1_614_265_330), Err(Unbelieved::Signature));
    }
}
