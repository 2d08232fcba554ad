//! Standard Webhooks, written from the specification a second time and apart from the bridge's (`contract.md` 4).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
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
