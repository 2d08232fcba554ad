// SPDX-License-Identifier: Apache-2.0

//! Standard Webhooks: an HMAC over id, time and body.

use base64::Engine as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Headers that prove a message: `webhook-id`, `webhook-timestamp`, `webhook-signature`.
///
/// # Errors
/// When the secret is not `whsec_` and base64.
pub(crate) fn headers(secret: &str, id: &str, seconds: i64, body: &str) -> anyhow::Result<[(&'static str, String); 3]> {
    Ok([
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", sign(secret, id, seconds, body)?),
    ])
}

fn sign(secret: &str, id: &str, seconds: i64, body: &str) -> anyhow::Result<String> {
    let base64 = base64::engine::general_purpose::STANDARD;
    let key = base64.decode(secret.strip_prefix("whsec_").unwrap_or(secret))?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key)?;
    mac.update(format!("{id}.{seconds}.{body}").as_bytes());
    Ok(format!("v1,{}", base64.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::sign;

    #[test]
    fn it_signs_like_the_published_example() {
        let signature = sign(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signature.unwrap(), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
