// SPDX-License-Identifier: Apache-2.0

//! Standard Webhooks: how messages are signed where the contract is ours (`docs/src/contract/signatures.md`).
//!
//! The signature is HMAC-SHA256 over `{id}.{timestamp}.{raw body}`, written `v1,<base64>`; a header may hold several, separated by
//! spaces, while a secret is being replaced. Nothing here reads a clock or makes an id: both are passed in.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderName, HeaderValue};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use ticketbridge_core::port::{AuthError, EncodeError, Replayed, VerifyStep};
use ticketbridge_core::time::{Millis, UnixMillis};

/// Header with the message's id, the same on every attempt.
pub const ID: HeaderName = HeaderName::from_static("webhook-id");
/// Header with the time of the attempt in whole seconds.
pub const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
/// Header with the signatures.
pub const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// How far a time stamp may be from now, either way; the bound itself is still accepted.
pub const TOLERANCE: Millis = Millis::seconds(300);
/// Secrets that may be valid at the same time.
pub const SECRETS_MAX: usize = 3;
/// Digits of a time stamp: more are not seconds.
const TIMESTAMP_DIGITS_MAX: usize = 12;
/// Signatures that are looked at in one header.
const SIGNATURES_MAX: usize = 16;

const SECRET_PREFIX: &str = "whsec_";
const VERSION_PREFIX: &str = "v1,";
const VERSION: &str = "v1";
/// Characters of a version's name.
const VERSION_CHARS_MAX: usize = 4;
/// Both spellings of base64 occur in secrets, with and without padding.
const ANY_PADDING: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why a text is not a secret. Never holds the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The prefix is not there.
    #[error("it does not begin with `whsec_`")]
    Prefix,
    /// What follows the prefix is not base64.
    #[error("what follows `whsec_` is not base64")]
    Base64,
    /// Nothing follows the prefix.
    #[error("it is empty")]
    Empty,
    /// There are none, or too many.
    #[error("there must be one to {SECRETS_MAX} secrets")]
    Count,
}

/// One shared secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Reads `whsec_<base64>`, in either alphabet of base64; a byte order mark, blanks around it and the version in front, which come
    /// along when it is copied, are left out.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        let text = text.strip_prefix(VERSION_PREFIX).unwrap_or(text);
        let encoded = text.strip_prefix(SECRET_PREFIX).ok_or(SecretError::Prefix)?;
        let key = decode(encoded).ok_or(SecretError::Base64)?;
        if key.is_empty() { Err(SecretError::Empty) } else { Ok(Self(key)) }
    }

    /// The keys of a signer who does not decode the text, with and without what stands before it.
    fn taken_as_text(&self) -> Vec<Secret> {
        let padded = STANDARD.encode(&self.0);
        let bare = padded.trim_end_matches('=').to_owned();
        [padded, bare]
            .into_iter()
            .flat_map(|text| [format!("{SECRET_PREFIX}{text}"), text])
            .map(|text| Secret(text.into_bytes()))
            .collect()
    }

    /// The signature's 32 bytes.
    fn tag(&self, id: &str, timestamp: &str, body: &[u8]) -> [u8; 32] {
        self.tag_of(&[id.as_bytes(), b".", timestamp.as_bytes(), b".", body])
    }

    fn tag_of(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// The secrets that are valid now: one, or up to three while they are being replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secrets(Vec<Secret>);

impl Secrets {
    /// Takes one to [`SECRETS_MAX`] secrets.
    pub fn new(secrets: Vec<Secret>) -> Result<Self, SecretError> {
        if (1..=SECRETS_MAX).contains(&secrets.len()) { Ok(Self(secrets)) } else { Err(SecretError::Count) }
    }
    /// Reads each text as [`Secret::parse`] does.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, SecretError> {
        Self::new(texts.into_iter().map(Secret::parse).collect::<Result<_, _>>()?)
    }

    /// The value of the signature header: one signature for each secret, so that a receiver who knows any of them is content.
    pub fn signature(&self, id: &str, timestamp_s: i64, body: &[u8]) -> String {
        let timestamp = timestamp_s.to_string();
        let signatures =
            self.0.iter().map(|s| format!("{VERSION_PREFIX}{}", STANDARD.encode(s.tag(id, &timestamp, body))));
        signatures.collect::<Vec<_>>().join(" ")
    }

    /// Puts the three headers of a message into `headers`.
    pub fn sign_into(
        &self,
        headers: &mut HeaderMap,
        id: &str,
        now: UnixMillis,
        body: &[u8],
    ) -> Result<(), EncodeError> {
        let id_value = HeaderValue::from_str(id).map_err(|_| EncodeError::Missing("delivery id fit for a header"))?;
        let signature = HeaderValue::from_str(&self.signature(id, now.seconds(), body))
            .expect("base64, commas and spaces are fit for a header");
        headers.insert(ID, id_value);
        headers.insert(TIMESTAMP, HeaderValue::from(now.seconds()));
        headers.insert(SIGNATURE, signature);
        Ok(())
    }

    /// Signs a message that is played once more, under its own id.
    pub(crate) fn sign_again(&self, request: &mut Replayed, now: UnixMillis) {
        let Some(id) = message_id(&request.headers).map(str::to_owned) else { return };
        let body = request.body.clone();
        // An id that came in a header goes into one.
        let _signed = self.sign_into(&mut request.headers, &id, now, &body);
    }

    /// Checks a message as it was received.
    pub fn verify<'h>(&self, headers: &'h HeaderMap, body: &[u8], now: UnixMillis) -> Result<Proof<'h>, AuthError> {
        let id = header(headers, &ID, "the header webhook-id")?;
        let timestamp = header(headers, &TIMESTAMP, "the header webhook-timestamp")?;
        header(headers, &SIGNATURE, "the header webhook-signature")?;
        once(headers)?;
        check_timestamp(timestamp, now)?;
        let key_index = self.matching(id, timestamp, body, headers).ok_or(AuthError::BadSignature)?;
        Ok(Proof { id, key_index })
    }

    /// The secret that made one of the signatures.
    fn matching(&self, id: &str, timestamp: &str, body: &[u8], headers: &HeaderMap) -> Option<usize> {
        let offered: Vec<Vec<u8>> = offered(headers).into_iter().filter_map(decode).collect();
        let mut found = None;
        for (index, secret) in self.0.iter().enumerate() {
            let expected = secret.tag(id, timestamp, body);
            for signature in &offered {
                // All are compared, whatever was found before: the time taken says nothing.
                if bool::from(signature.as_slice().ct_eq(&expected)) && found.is_none() {
                    found = Some(index);
                }
            }
        }
        found
    }

    /// The same check, told step by step. Shows neither a secret nor the signature that would be right.
    pub fn explain(&self, headers: &HeaderMap, body: &[u8], now: UnixMillis) -> Vec<VerifyStep> {
        let step = |what: &str, found: String, ok: bool| VerifyStep { what: what.to_owned(), found, ok: Some(ok) };
        let mut steps = Vec::new();
        let names: [(&HeaderName, &'static str); 3] = [
            (&ID, "the header webhook-id"),
            (&TIMESTAMP, "the header webhook-timestamp"),
            (&SIGNATURE, "the header webhook-signature"),
        ];
        for (name, words) in names {
            match header(headers, name, words) {
                Ok(value) => steps.push(step(words, value.to_owned(), true)),
                Err(error) => steps.push(step(words, error.to_string(), false)),
            }
        }
        let [Ok(id), Ok(timestamp), Ok(_)] = names.map(|(name, words)| header(headers, name, words)) else {
            return steps;
        };
        if let Err(error) = once(headers) {
            steps.push(step("headers once", error.to_string(), false));
        }
        match check_timestamp(timestamp, now) {
            Ok(()) => steps.push(step("time", "within 300 s of now".into(), true)),
            Err(error) => steps.push(step("time", error.to_string(), false)),
        }
        let signed = format!("{id}.{timestamp}.<{} bytes of body>", body.len());
        steps.push(VerifyStep { what: "what is signed".into(), found: signed, ok: None });
        let count = offered(headers).len();
        steps.push(step("signatures of version v1", count.to_string(), count > 0));
        match self.matching(id, timestamp, body, headers) {
            Some(index) => {
                steps.push(step("signature", format!("made with secret {} of {}", index + 1, self.0.len()), true))
            }
            None => {
                let found = format!("made with none of the {} secrets configured", self.0.len());
                steps.push(step("signature", found, false));
                steps.push(step("where it differs", self.mistake(id, timestamp, body, headers).to_owned(), false));
            }
        }
        steps
    }

    /// Which of the known mistakes of signers would have given one of the signatures.
    fn mistake(&self, id: &str, timestamp: &str, body: &[u8], headers: &HeaderMap) -> &'static str {
        let offered: Vec<Vec<u8>> = offered(headers).into_iter().filter_map(decode).collect();
        let (unnamed, in_hex) = written_otherwise(headers);
        let is_one = |all: &[Vec<u8>], tag: [u8; 32]| all.iter().any(|one| bool::from(one.as_slice().ct_eq(&tag)));
        let fits = |secret: &Secret, body: &[u8]| is_one(&offered, secret.tag(id, timestamp, body));
        let any = |body: &[u8]| self.0.iter().any(|secret| fits(secret, body));
        let written = |all: &[Vec<u8>]| self.0.iter().any(|secret| is_one(all, secret.tag(id, timestamp, body)));
        let every = [offered.as_slice(), unnamed.as_slice(), in_hex.as_slice()].concat();
        let over = |parts: &[&[u8]]| self.0.iter().any(|secret| is_one(&every, secret.tag_of(parts)));
        if any(body.trim_ascii()) || any(&[body, b"\n"].concat()) {
            "the body has a line end or blanks more or less than when it was signed"
        } else if crate::rewrites::of(body).iter().any(|body| any(body)) {
            "the body was written anew: blanks, escapes or the order of keys differ from what was signed"
        } else if self.0.iter().flat_map(Secret::taken_as_text).any(|secret| fits(&secret, body)) {
            "the signer took the secret's text for the key; the key is what follows whsec_, decoded from base64"
        } else if written(&unnamed) {
            "the signature is right and does not say its version: write v1,<base64>"
        } else if written(&in_hex) {
            "the signature is written in hexadecimal digits; it is written in base64: v1,<base64>"
        } else if over(&[body]) {
            "the body alone was signed; what is signed is {webhook-id}.{webhook-timestamp}.{body}"
        } else if over(&[timestamp.as_bytes(), b".", body]) {
            "the signer left webhook-id out; what is signed is {webhook-id}.{webhook-timestamp}.{body}"
        } else if body.is_empty() {
            "there is no body here: if the request had one, what was captured lacks it"
        } else {
            "none of the known mistakes: the secret, the id, the time stamp or the body is another one"
        }
    }
}

/// Whether the secret of this text made one of the signatures of a message, whenever it was sent.
pub fn is_made_with(text: &str, headers: &HeaderMap, body: &[u8]) -> bool {
    let (Ok(secret), Ok(id), Ok(timestamp)) =
        (Secret::parse(text), header(headers, &ID, ""), header(headers, &TIMESTAMP, ""))
    else {
        return false;
    };
    Secrets(vec![secret]).matching(id, timestamp, body, headers).is_some()
}

/// A message that was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof<'h> {
    /// Its id: the idempotency key.
    pub id: &'h str,
    /// Index of the secret that proved it.
    pub key_index: usize,
}

/// The id of a message, without any check.
pub fn message_id(headers: &HeaderMap) -> Option<&str> {
    header(headers, &ID, "").ok()
}

/// When a message was sent, by its own header, without any check.
pub(crate) fn sent_at(headers: &HeaderMap) -> Option<UnixMillis> {
    let seconds: i64 = header(headers, &TIMESTAMP, "").ok()?.parse().ok()?;
    Some(UnixMillis(seconds.checked_mul(1_000)?))
}

fn header<'h>(headers: &'h HeaderMap, name: &HeaderName, words: &'static str) -> Result<&'h str, AuthError> {
    let value = headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim).filter(|text| !text.is_empty());
    value.ok_or(AuthError::Missing(words))
}

/// The signatures of our version, without its name. A header may stand on several lines, and proxies join them by commas, which also
/// stand between a version and its signature.
fn offered(headers: &HeaderMap) -> Vec<&str> {
    let mut found = Vec::new();
    for line in headers.get_all(SIGNATURE).iter().filter_map(|value| value.to_str().ok()) {
        let mut is_ours = false;
        for part in line.split(|c: char| c == ',' || c.is_ascii_whitespace()).filter(|part| !part.is_empty()) {
            if is_version(part) {
                is_ours = part == VERSION;
            } else if std::mem::take(&mut is_ours) {
                found.push(part);
            }
        }
    }
    found.truncate(SIGNATURES_MAX);
    found
}

/// What stands in the header otherwise than it should: base64 without its version before it, and hexadecimal digits.
fn written_otherwise(headers: &HeaderMap) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let lines = headers.get_all(SIGNATURE).iter().filter_map(|value| value.to_str().ok());
    let parts = lines.flat_map(|line| line.split(|c: char| c == ',' || c.is_ascii_whitespace()));
    let bare = |part: &'_ str| part.strip_prefix("v1=").or_else(|| part.strip_prefix("v1:")).unwrap_or(part).to_owned();
    let parts: Vec<String> = parts.filter(|part| !part.is_empty() && !is_version(part)).map(bare).collect();
    let parts = &parts[..parts.len().min(SIGNATURES_MAX)];
    (
        parts.iter().filter_map(|part| decode(part)).collect(),
        parts.iter().filter_map(|part| hex::decode(part).ok()).collect(),
    )
}

/// Whether a part of the header names a version: `v1`, `v2`, `v1a`.
fn is_version(part: &str) -> bool {
    part.len() <= VERSION_CHARS_MAX && part.starts_with('v') && part[1..].starts_with(|c: char| c.is_ascii_digit())
}

/// Base64 in either of its alphabets, with and without padding.
fn decode(text: &str) -> Option<Vec<u8>> {
    ANY_PADDING.decode(text.replace('-', "+").replace('_', "/")).ok()
}

/// An id or a time that comes twice could be read in two ways.
fn once(headers: &HeaderMap) -> Result<(), AuthError> {
    match [&ID, &TIMESTAMP].into_iter().any(|name| headers.get_all(name).iter().count() > 1) {
        true => Err(AuthError::Ambiguous(Cow::Borrowed("the id or the time stamp comes twice"))),
        false => Ok(()),
    }
}

fn check_timestamp(text: &str, now: UnixMillis) -> Result<(), AuthError> {
    let bad = |why: &'static str| Err(AuthError::BadTimestamp(Cow::Borrowed(why)));
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return bad("not a number of whole seconds");
    }
    if text.len() > TIMESTAMP_DIGITS_MAX {
        return bad("in milliseconds, or longer still; it must be in seconds (10 digits)");
    }
    let seconds: i64 = text.parse().expect("up to 12 digits are a number");
    let away = seconds.saturating_sub(now.seconds());
    let (tolerance, minutes) = (TOLERANCE.0 / 1_000, TOLERANCE.0 / 60_000);
    if away.abs() <= tolerance {
        return Ok(());
    }
    let side = if away < 0 { "in the past" } else { "in the future" };
    let why = format!("{} s {side}, more than {minutes} minutes away; check the clocks", away.unsigned_abs());
    Err(AuthError::StaleTimestamp { why, now })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples published with the standard: secret, id, time, body, signature.
    const PUBLISHED: [(&str, &str, i64, &str, &str); 2] = [
        (
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
        (
            "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
            1_649_367_553,
            r#"{"email":"test@example.com","username":"test_user"}"#,
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
        ),
    ];

    fn message(id: &str, timestamp: &str, signature: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ID, id.parse().unwrap());
        headers.insert(TIMESTAMP, timestamp.parse().unwrap());
        headers.insert(SIGNATURE, signature.parse().unwrap());
        headers
    }

    /// Verifies the first published example with one thing changed.
    fn verify(secrets: &[&str], timestamp: &str, body: &str, signature: &str, now_s: i64) -> Result<usize, AuthError> {
        let headers = message(PUBLISHED[0].1, timestamp, signature);
        let secrets = Secrets::parse(secrets.iter().copied()).unwrap();
        secrets.verify(&headers, body.as_bytes(), UnixMillis::from_seconds(now_s)).map(|proof| proof.key_index)
    }

    #[test]
    fn the_published_examples_sign_and_verify() {
        for (secret, id, timestamp, body, signature) in PUBLISHED {
            let secrets = Secrets::parse([secret]).unwrap();
            assert_eq!(secrets.signature(id, timestamp, body.as_bytes()), signature);
            let headers = message(id, &timestamp.to_string(), signature);
            let proof = secrets.verify(&headers, body.as_bytes(), UnixMillis::from_seconds(timestamp)).unwrap();
            assert_eq!(proof, Proof { id, key_index: 0 });
        }
    }

    #[test]
    fn what_is_signed_is_what_is_verified() {
        let secrets = Secrets::parse([PUBLISHED[0].0, PUBLISHED[1].0]).unwrap();
        let mut headers = HeaderMap::new();
        let now = UnixMillis(1_800_000_000_999);
        secrets.sign_into(&mut headers, "dlv_1", now, b"{}").unwrap();
        assert_eq!(headers[TIMESTAMP], "1800000000");
        assert_eq!(headers[SIGNATURE].to_str().unwrap().split(' ').count(), 2);
        // The receiver may know the old secret only, or the new one only.
        for known in [PUBLISHED[0].0, PUBLISHED[1].0] {
            let proof = Secrets::parse([known]).unwrap().verify(&headers, b"{}", now).unwrap();
            assert_eq!(proof.id, "dlv_1");
        }
    }

    #[test]
    fn any_secret_and_any_signature_of_a_rotation_will_do() {
        let (new, old) = (PUBLISHED[1].0, PUBLISHED[0].0);
        let (_, _, at, body, good) = PUBLISHED[0];
        let time = at.to_string();
        let several = format!("v2,bm9ldHU= v1,bm9ldHU= v1a,xx {good} v1,%%%");
        assert_eq!(verify(&[new, old], &time, body, &several, at), Ok(1));
        let none = "v1,bm9ldHU= v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(verify(&[new, old], &time, body, none, at), Err(AuthError::BadSignature));
    }

    #[test]
    fn the_signatures_may_stand_on_lines_and_between_commas() {
        let (secret, id, at, body, good) = PUBLISHED[0];
        let secrets = Secrets::parse([secret]).unwrap();
        let url_safe = good[3..].replace('+', "-").replace('/', "_");
        let other = "v1,bm9ldHU=";
        for lines in [
            vec![other.to_owned(), good.to_owned()],
            vec![format!("{other},{good}")],
            vec![format!("{good}, {other}")],
            vec![format!("v1, {good}")],
            vec![format!("v2,{} {good}", &good[3..])],
            vec![format!("v1,{url_safe}")],
            vec![format!("v1,{}", good[3..].trim_end_matches('='))],
        ] {
            let mut headers = message(id, &at.to_string(), &lines[0]);
            for line in &lines[1..] {
                headers.append(SIGNATURE, line.parse().unwrap());
            }
            let proof = secrets.verify(&headers, body.as_bytes(), UnixMillis::from_seconds(at));
            assert!(proof.is_ok(), "{lines:?}: {proof:?}");
        }
        let mut headers = message(id, &at.to_string(), good);
        headers.append(ID, "msg_other".parse().unwrap());
        let twice = secrets.verify(&headers, body.as_bytes(), UnixMillis::from_seconds(at));
        assert!(matches!(twice, Err(AuthError::Ambiguous(_))), "{twice:?}");
    }

    #[test]
    fn the_explanation_names_the_mistake() {
        let (secret, id, at, _, _) = PUBLISHED[0];
        let secrets = Secrets::parse([secret]).unwrap();
        let body = r#"{"b":"é","a":[1,2]}"#;
        let signed = |key: &[u8], body: &str| {
            format!("v1,{}", STANDARD.encode(Secret(key.to_vec()).tag(id, &at.to_string(), body.as_bytes())))
        };
        let key = secrets.0[0].0.clone();
        for (signature, words) in [
            (signed(&key, "{\"a\":[1,2],\"b\":\"é\"}"), "written anew"),
            (signed(&key, "{\"b\": \"é\", \"a\": [1, 2]}"), "written anew"),
            (signed(&key, "{\"b\":\"\\u00e9\",\"a\":[1,2]}"), "written anew"),
            (signed(&key, &format!("{body}\n")), "line end"),
            (signed(secret.as_bytes(), body), "the secret's text"),
            (signed(secret.trim_start_matches("whsec_").as_bytes(), body), "the secret's text"),
            (signed(b"another", body), "none of the known"),
        ] {
            let headers = message(id, &at.to_string(), &signature);
            let steps = secrets.explain(&headers, body.as_bytes(), UnixMillis::from_seconds(at));
            let told = &steps.last().unwrap().found;
            assert!(told.contains(words), "{words}: {told}");
            assert!(steps.iter().all(|step| !step.found.contains(&secret[6..])));
        }
    }

    #[test]
    fn anything_changed_is_refused() {
        let (secret, _, at, body, good) = PUBLISHED[0];
        let time = at.to_string();
        let later = (at + 1).to_string();
        let body_changed = format!("{body} ");
        // An empty or shortened signature must not pass for a prefix of the right one.
        let shortened = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ";
        for (time, body, signature) in [
            (&time, body_changed.as_str(), good),
            (&later, body, good),
            (&time, body, "v1,"),
            (&time, body, shortened),
            (&time, body, &good[3..]),
            (&time, body, "v1,h0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ] {
            assert_eq!(verify(&[secret], time, body, signature, at), Err(AuthError::BadSignature), "{signature}");
        }
        let id_changed = message("msg_other", &time, good);
        let secrets = Secrets::parse([secret]).unwrap();
        let result = secrets.verify(&id_changed, body.as_bytes(), UnixMillis::from_seconds(at));
        assert_eq!(result, Err(AuthError::BadSignature));
        assert_eq!(verify(&[PUBLISHED[1].0], &time, body, good, at), Err(AuthError::BadSignature));
    }

    #[test]
    fn the_time_stamp_is_seconds_and_near() {
        let (secret, _, at, body, good) = PUBLISHED[0];
        let time = at.to_string();
        for now in [at - 300, at, at + 300] {
            assert_eq!(verify(&[secret], &time, body, good, now), Ok(0));
        }
        for (now, words) in [(at + 301, "301 s in the past"), (at - 301, "301 s in the future")] {
            let error = verify(&[secret], &time, body, good, now).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        let error = verify(&[secret], "1614265330000", body, good, at).unwrap_err().to_string();
        assert!(error.contains("milliseconds"), "{error}");
        for text in ["1614265330.5", "-1", "+1614265330", "16142653３0x", "99999999999999999999999"] {
            let headers = message("m", "1", good);
            let mut headers = headers;
            headers.insert(TIMESTAMP, HeaderValue::from_bytes(text.as_bytes()).unwrap());
            let secrets = Secrets::parse([secret]).unwrap();
            assert!(secrets.verify(&headers, b"", UnixMillis::from_seconds(at)).is_err(), "{text}");
        }
    }

    #[test]
    fn each_header_is_needed() {
        let (secret, id, at, body, good) = PUBLISHED[0];
        let secrets = Secrets::parse([secret]).unwrap();
        for name in [ID, TIMESTAMP, SIGNATURE] {
            let mut headers = message(id, &at.to_string(), good);
            headers.remove(&name);
            let error = secrets.verify(&headers, body.as_bytes(), UnixMillis::from_seconds(at)).unwrap_err();
            assert!(error.to_string().contains(name.as_str()), "{error}");
        }
    }

    #[test]
    fn secrets_have_a_form_and_are_never_shown() {
        assert_eq!(Secret::parse("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), Err(SecretError::Prefix));
        assert_eq!(Secret::parse("whsec_not base64!"), Err(SecretError::Base64));
        assert_eq!(Secret::parse("whsec_"), Err(SecretError::Empty));
        assert_eq!(Secret::parse("whsec_QUI"), Secret::parse("whsec_QUI="));
        for copied in ["\u{feff}whsec_QUI=", " whsec_QUI=\n", "v1,whsec_QUI=", "\u{feff}v1,whsec_QUI"] {
            assert_eq!(Secret::parse(copied), Secret::parse("whsec_QUI="), "{copied:?}");
        }
        assert_eq!(Secret::parse("whsec_-_8"), Secret::parse("whsec_+/8="));
        let text = PUBLISHED[0].0;
        assert_eq!(Secrets::parse([text; SECRETS_MAX]).map(|s| s.0.len()), Ok(SECRETS_MAX));
        assert_eq!(Secrets::parse([text; SECRETS_MAX + 1]), Err(SecretError::Count));
        assert_eq!(Secrets::parse([]), Err(SecretError::Count));
        assert_eq!(format!("{:?}", Secrets::parse([text]).unwrap()), "Secrets([Secret(***)])");
    }

    #[test]
    fn the_commonest_mistakes_of_signers_are_named() {
        let (secret, id, at, body, good) = PUBLISHED[0];
        let (secrets, now, time) = (Secrets::parse([secret]).unwrap(), UnixMillis::from_seconds(at), at.to_string());
        let bare = good.strip_prefix(VERSION_PREFIX).unwrap();
        let key = Secret::parse(secret).unwrap();
        let signed = |parts: &[&[u8]]| format!("{VERSION_PREFIX}{}", STANDARD.encode(key.tag_of(parts)));
        let in_hex = hex::encode(decode(bare).unwrap());
        for (signature, body, says) in [
            (bare.to_owned(), body, "does not say its version"),
            (format!("v1={bare}"), body, "does not say its version"),
            (format!("v1,{in_hex}"), body, "in hexadecimal digits"),
            (in_hex.clone(), body, "in hexadecimal digits"),
            (signed(&[body.as_bytes()]), body, "the body alone was signed"),
            (hex::encode(key.tag_of(&[body.as_bytes()])), body, "the body alone was signed"),
            (signed(&[time.as_bytes(), b".", body.as_bytes()]), body, "left webhook-id out"),
            (good.to_owned(), "", "there is no body here"),
            (good.to_owned(), "{}", "none of the known mistakes"),
        ] {
            let steps = secrets.explain(&message(id, &time, &signature), body.as_bytes(), now);
            let found = steps.iter().find(|step| step.what == "where it differs").map(|step| step.found.as_str());
            assert!(found.is_some_and(|found| found.contains(says)), "{signature} {body}: {steps:?}");
        }
        let headers = message(id, &time, good);
        assert!(is_made_with(secret, &headers, body.as_bytes()));
        assert!(!is_made_with(PUBLISHED[1].0, &headers, body.as_bytes()));
        assert!(!is_made_with("no secret", &headers, body.as_bytes()));
    }

    #[test]
    fn the_check_can_be_told_step_by_step() {
        let (secret, id, at, body, good) = PUBLISHED[0];
        let secrets = Secrets::parse([secret]).unwrap();
        let now = UnixMillis::from_seconds(at);
        let steps = secrets.explain(&message(id, &at.to_string(), good), body.as_bytes(), now);
        assert!(steps.iter().all(|s| s.ok != Some(false)), "{steps:?}");
        let steps = secrets.explain(&message(id, "1614265330000", good), body.as_bytes(), now);
        let wrong: Vec<_> = steps.iter().filter(|s| s.ok == Some(false)).map(|s| s.what.as_str()).collect();
        assert_eq!(wrong, ["time", "signature", "where it differs"]);
        assert_eq!(secrets.explain(&HeaderMap::new(), b"", now).len(), 3);
    }
}
