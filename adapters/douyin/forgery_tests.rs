// SPDX-License-Identifier: Apache-2.0

//! Forged calls: made from a captured one by somebody who does not know the secret, and requests that can be read in two ways.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::json;
use ticketbridge_core::port::{AuthError, Channel, Context, RawRequest};
use ticketbridge_core::time::{Millis, UnixMillis};

use super::request::query_pairs;
use super::sign::{sign, sign_webhook};
use crate::fixture;

const KEY: &str = "awsynthetic0000001";
const SECRET: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
const STAMP: i64 = fixture::NOW.0;
/// What was captured: a harmless question.
const CAPTURED: &str = r#"{"order_id":"V100"}"#;
const CREATE: &str = r#"{"order_id":"EVIL","order_type":1,"count":5}"#;
const REFUND: &str = r#"{"order_id":"R100","biz_uniq_key":"B1","apply_source":101,"refund_fee_amount":0}"#;
/// Bytes that all three hashes take at a time.
const BLOCK: usize = 64;

fn channel(more: serde_json::Value) -> Box<dyn Channel> {
    let mut settings = json!({ "account_id": "7", "apps": [{ "client_key": KEY, "client_secret": SECRET }] });
    settings.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    (super::KIND.build)("douyin-test", &settings).expect("the settings are right")
}

struct Sent<'a> {
    call: &'a str,
    query: &'a str,
    headers: &'a [(&'static str, &'a str)],
    body: &'a [u8],
    now: UnixMillis,
}

/// Whether it is believed; the steps of `verify` must end the same way.
fn verdict(channel: &dyn Channel, sent: &Sent<'_>) -> Result<(), AuthError> {
    let mut headers = HeaderMap::new();
    for (name, value) in sent.headers {
        headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).expect("a header value"));
    }
    let (endpoint, query, body) = (sent.call, sent.query, sent.body);
    let raw = RawRequest { endpoint, method: &Method::POST, query, headers: &headers, body };
    let cx = Context { now: sent.now, ..fixture::context() };
    let verdict = channel.verify(raw, &cx).map(|_| ());
    let steps = channel.explain_verify(raw, &cx);
    assert_eq!(steps.last().expect("a result").ok, Some(verdict.is_ok()));
    let failed = steps.iter().rev().skip(1).any(|step| step.ok == Some(false));
    assert!(failed || verdict.is_ok(), "`verify` names a step that fails: {steps:?}");
    assert!(steps.iter().all(|step| !step.found.contains(SECRET)));
    verdict
}

fn hex_words<const N: usize>(text: &str, read: fn([u8; 4]) -> u32) -> [u32; N] {
    let bytes = hex::decode(text).expect("a digest in hex");
    std::array::from_fn(|n| read(bytes[4 * n..4 * n + 4].try_into().expect("four bytes")))
}

fn blocks(text: &[u8]) -> Vec<[u8; BLOCK]> {
    assert!(text.len().is_multiple_of(BLOCK));
    text.chunks(BLOCK).map(|block| block.try_into().expect("a whole block")).collect()
}

/// The hash function attacked: how it writes the length, and how it goes on from a digest.
#[derive(Clone, Copy)]
enum Hash {
    Sha256,
    Md5,
    Sha1,
}

impl Hash {
    /// What the hash puts behind a text of `length` bytes.
    fn padding(self, length: usize) -> Vec<u8> {
        let zeros = (BLOCK + 55 - length % BLOCK) % BLOCK;
        let bits = length as u64 * 8;
        let bits = if matches!(self, Self::Md5) { bits.to_le_bytes() } else { bits.to_be_bytes() };
        [&[0x80][..], &vec![0; zeros], &bits].concat()
    }

    /// Goes on where `digest`, of a text of `length` bytes, ended: the digest of text, padding and `suffix`, without the text.
    fn extended(self, digest: &str, length: usize, suffix: &[u8]) -> String {
        let so_far = length + self.padding(length).len();
        let rest = blocks(&[suffix, &self.padding(so_far + suffix.len())].concat());
        match self {
            Self::Sha256 => {
                let mut state: [u32; 8] = hex_words(digest, u32::from_be_bytes);
                sha2::block_api::compress256(&mut state, &rest);
                hex::encode(state.map(u32::to_be_bytes).concat())
            }
            Self::Md5 => {
                let mut state: [u32; 4] = hex_words(digest, u32::from_le_bytes);
                md5::block_api::compress(&mut state, &rest);
                hex::encode(state.map(u32::to_le_bytes).concat())
            }
            Self::Sha1 => {
                let mut state: [u32; 5] = hex_words(digest, u32::from_be_bytes);
                sha1::block_api::compress(&mut state, &rest);
                hex::encode(state.map(u32::to_be_bytes).concat())
            }
        }
    }
}

fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("%{byte:02X}")).collect()
}

/// What a forger sends: query and body, and what he hashed on with.
struct Forged {
    query: String,
    body: Vec<u8>,
    suffix: Vec<u8>,
}

/// Every place where the captured text and the padding behind it can be hidden, with `body` as the new message.
fn forgeries(padding: &[u8], body: &str) -> Vec<(&'static str, Forged)> {
    let captured = [b"&http_body=", CAPTURED.as_bytes(), padding].concat();
    let new_body = format!("&http_body={body}").into_bytes();
    let later = STAMP + 1;
    vec![
        (
            "in the time stamp's value",
            Forged {
                query: format!("client_key={KEY}&timestamp={STAMP}{}", escaped(&captured)),
                body: body.into(),
                suffix: new_body.clone(),
            },
        ),
        (
            "in client_key's value, with a new time stamp",
            Forged {
                query: format!(
                    "client_key={KEY}{}{}&timestamp={later}",
                    escaped(format!("&timestamp={STAMP}").as_bytes()),
                    escaped(&captured)
                ),
                body: body.into(),
                suffix: format!("&timestamp={later}&http_body={body}").into_bytes(),
            },
        ),
        (
            "in a parameter's name",
            Forged {
                query: format!(
                    "client_key={KEY}&{}={}",
                    escaped(format!("timestamp={STAMP}&http_body").as_bytes()),
                    escaped(&[CAPTURED.as_bytes(), padding].concat())
                ),
                body: body.into(),
                suffix: new_body,
            },
        ),
        (
            "in the time stamp's value, the new message in a parameter, without a body",
            Forged {
                query: format!(
                    "client_key={KEY}&timestamp={STAMP}{}&zz={}",
                    escaped(&captured),
                    escaped(body.as_bytes())
                ),
                body: Vec::new(),
                suffix: format!("&zz={body}").into_bytes(),
            },
        ),
        (
            "in the body",
            Forged {
                query: format!("client_key={KEY}&timestamp={STAMP}"),
                body: [CAPTURED.as_bytes(), padding, body.as_bytes()].concat(),
                suffix: body.into(),
            },
        ),
    ]
}

#[test]
fn a_captured_call_is_not_extended_to_another_one() {
    let pairs = [("client_key", KEY.to_owned()), ("timestamp", STAMP.to_string())];
    let (sha256, md5) = sign(SECRET, &pairs, CAPTURED.as_bytes());
    let signed = format!("&client_key={KEY}&timestamp={STAMP}&http_body={CAPTURED}").len();
    // The forger knows the secret's length, which is 32, and nothing else of it.
    let length = 32 + signed;
    for (call, body) in [("create-order", CREATE), ("refund-apply", REFUND), ("v2-create-order", CREATE)] {
        for (hash, captured) in [(Hash::Sha256, &sha256), (Hash::Md5, &md5)] {
            for (place, forged) in forgeries(&hash.padding(length), body) {
                let signature = hash.extended(captured, length, &forged.suffix);
                let (right_sha256, right_md5) = sign(SECRET, &query_pairs(&forged.query), &forged.body);
                let right = if matches!(hash, Hash::Md5) { right_md5 } else { right_sha256 };
                assert_eq!(signature, right, "{place}: the attack itself works");
                let channel = channel(json!({ "accept_url_signature": true }));
                let (mut query, mut headers) = (forged.query, vec![("x-life-clientkey", KEY)]);
                match hash {
                    Hash::Md5 => query.push_str(&format!("&sign={signature}")),
                    Hash::Sha256 | Hash::Sha1 => headers.push(("x-life-sign", &signature)),
                }
                let sent = Sent { call, query: &query, headers: &headers, body: &forged.body, now: fixture::NOW };
                let verdict = verdict(channel.as_ref(), &sent);
                let is_refused = matches!(verdict, Err(AuthError::Ambiguous(_) | AuthError::BadTimestamp(_)))
                    || matches!(verdict, Err(AuthError::Missing(_)) if forged.body.is_empty() || place.contains("name"));
                assert!(is_refused, "{call}, {place}: {verdict:?}");
            }
        }
    }
}

#[test]
fn a_pushed_message_is_not_extended_to_another_one() {
    let signature = sign_webhook(SECRET, CAPTURED.as_bytes());
    let length = 32 + CAPTURED.len();
    let suffix = br#"{"event":"life_trade_order_notify"}"#;
    let extended = Hash::Sha1.extended(&signature, length, suffix);
    let body = [CAPTURED.as_bytes(), &Hash::Sha1.padding(length), suffix].concat();
    assert_eq!(extended, sign_webhook(SECRET, &body), "the attack itself works");
    let channel = channel(json!({}));
    let sent = |signature, body| {
        let headers = [("x-douyin-signature", signature)];
        verdict(channel.as_ref(), &Sent { call: "webhook", query: "", headers: &headers, body, now: fixture::NOW })
    };
    assert_eq!(sent(signature.as_str(), CAPTURED.as_bytes()), Ok(()));
    assert!(matches!(sent(extended.as_str(), &body), Err(AuthError::Ambiguous(_))));
    assert!(matches!(sent(&sign_webhook(SECRET, b""), b""), Err(AuthError::Missing(_))));
}

#[test]
fn a_signed_text_that_can_be_cut_in_two_places_proves_nothing() {
    let plain = format!("client_key={KEY}&timestamp={STAMP}");
    let with = |more: &str| format!("{plain}{more}");
    let moved = escaped(format!("&http_body={CREATE}").as_bytes());
    // Query, body, whether it is believed. Each is signed over what it decodes to, as a careless signer would.
    let cases: Vec<(String, &[u8], bool)> = vec![
        (plain.clone(), CREATE.as_bytes(), true),
        (with("&note=a+b"), CREATE.as_bytes(), true),
        (with("&note=a%20b%2F"), CREATE.as_bytes(), true),
        (with("&empty="), CREATE.as_bytes(), true),
        (with("&token=YWJj=="), CREATE.as_bytes(), true),
        (with("&note=a;b"), CREATE.as_bytes(), true),
        (plain.clone(), b"&timestamp=1&http_body={}", true),
        (with(&moved), b"", false),
        (plain.clone(), b"", false),
        (with("&x=1"), b"", false),
        (plain.clone(), b"{\"a\":\"\xff\"}", false),
        (with("&"), CREATE.as_bytes(), false),
        (format!("&{plain}"), CREATE.as_bytes(), false),
        (with("&&note=a"), CREATE.as_bytes(), false),
        (with("&note"), CREATE.as_bytes(), false),
        (with("&=note"), CREATE.as_bytes(), false),
        (with("&note=%"), CREATE.as_bytes(), false),
        (with("&note=%2"), CREATE.as_bytes(), false),
        (with("&note=%zz"), CREATE.as_bytes(), false),
        (with("&note=%E6%99%AF"), CREATE.as_bytes(), false),
        (with("&note=景"), CREATE.as_bytes(), false),
        (with("&note=%00"), CREATE.as_bytes(), false),
        (with("&note=a#b"), CREATE.as_bytes(), false),
        (with("&note=a%26b"), CREATE.as_bytes(), false),
        (with("&a%26b=1"), CREATE.as_bytes(), false),
        (with("&a%3Db=1"), CREATE.as_bytes(), false),
        (with("&note=x%20timestamp%3D1"), CREATE.as_bytes(), false),
        (with("&note=a;timestamp=1"), CREATE.as_bytes(), false),
        (with("&note=HTTP_body"), CREATE.as_bytes(), false),
        (with("&http_body=1"), CREATE.as_bytes(), false),
        (with("&http%5Fbody=1"), CREATE.as_bytes(), false),
        (with("&x=1&x=2"), CREATE.as_bytes(), false),
        (with("&x=1&%78=2"), CREATE.as_bytes(), false),
        (with(&format!("&timestamp={STAMP}")), CREATE.as_bytes(), false),
        (with("&Timestamp=1"), CREATE.as_bytes(), false),
        (with("&timestamp%20=1"), CREATE.as_bytes(), false),
        (with("&sign=1&sign=2"), CREATE.as_bytes(), false),
        (with("&sign=1"), CREATE.as_bytes(), false),
        (format!("client_key={KEY}&timestamp={STAMP}0"), CREATE.as_bytes(), false),
        (format!("client_key={KEY}&timestamp=+{STAMP}"), CREATE.as_bytes(), false),
        (format!("client_key={KEY}&timestamp=-{STAMP}"), CREATE.as_bytes(), false),
        (format!("client_key={KEY}&timestamp={STAMP}%20"), CREATE.as_bytes(), false),
        (format!("client_key={KEY}&timestamp=%31{}", &STAMP.to_string()[1..]), CREATE.as_bytes(), false),
        (format!("client_key={KEY}&timestamp="), CREATE.as_bytes(), false),
        (format!("client_key={KEY}"), CREATE.as_bytes(), false),
        (format!("timestamp={STAMP}"), CREATE.as_bytes(), false),
        (format!("client_key=%61wsynthetic0000001&timestamp={STAMP}"), CREATE.as_bytes(), false),
        (format!("client_key={KEY};timestamp={STAMP}"), CREATE.as_bytes(), false),
        (String::new(), CREATE.as_bytes(), false),
    ];
    let channel = channel(json!({}));
    for (query, body, is_believed) in cases {
        let (signature, _) = sign(SECRET, &query_pairs(&query), body);
        let headers = [("x-life-clientkey", KEY), ("x-life-sign", signature.as_str())];
        let sent = Sent { call: "create-order", query: &query, headers: &headers, body, now: fixture::NOW };
        let verdict = verdict(channel.as_ref(), &sent);
        assert_eq!(verdict.is_ok(), is_believed, "{query} {}: {verdict:?}", String::from_utf8_lossy(body));
        assert_ne!(verdict, Err(AuthError::BadSignature), "{query}: it is the form that is refused");
    }
}

#[test]
fn a_header_of_the_signature_comes_once_and_in_any_case() {
    let query = format!("client_key={KEY}&timestamp={STAMP}");
    let (signature, _) = sign(SECRET, &query_pairs(&query), CREATE.as_bytes());
    let upper = signature.to_ascii_uppercase();
    let channel = channel(json!({}));
    let (key, sign) = (("x-life-clientkey", KEY), ("x-life-sign", signature.as_str()));
    for (headers, is_believed) in [
        (vec![key, sign], true),
        (vec![key, ("x-life-sign", upper.as_str())], true),
        (vec![sign], true),
        (vec![key, sign, sign], false),
        (vec![key, sign, ("x-life-sign", "00")], false),
        (vec![key, ("x-life-clientkey", "awother"), sign], false),
        (vec![key, ("x-life-sign", &signature[..32])], false),
    ] {
        let body = CREATE.as_bytes();
        let sent = Sent { call: "create-order", query: &query, headers: &headers, body, now: fixture::NOW };
        let verdict = verdict(channel.as_ref(), &sent);
        assert_eq!(verdict.is_ok(), is_believed, "{headers:?}: {verdict:?}");
    }
}

#[test]
fn a_captured_call_is_a_key_for_some_days_only() {
    let query = format!("client_key={KEY}&timestamp={STAMP}");
    let (signature, _) = sign(SECRET, &query_pairs(&query), CREATE.as_bytes());
    let headers = [("x-life-clientkey", KEY), ("x-life-sign", signature.as_str())];
    let day = Millis::hours(24).0;
    for (settings, later, is_believed) in [
        (json!({}), 7 * day, true),
        (json!({}), 7 * day + 1, false),
        (json!({}), -day, true),
        (json!({}), -day - 1, false),
        (json!({ "signature_age_max": "2h" }), day / 12, true),
        (json!({ "signature_age_max": "2h" }), day / 12 + 1, false),
        (json!({ "signature_age_max": "30d" }), 30 * day, true),
    ] {
        let now = fixture::NOW + Millis(later);
        let sent = Sent { call: "create-order", query: &query, headers: &headers, body: CREATE.as_bytes(), now };
        let verdict = verdict(channel(settings.clone()).as_ref(), &sent);
        assert_eq!(verdict.is_ok(), is_believed, "{settings} {later}: {verdict:?}");
        assert!(verdict.is_ok() || matches!(verdict, Err(AuthError::StaleTimestamp { .. })), "{verdict:?}");
    }
}

#[test]
fn an_unknown_key_and_a_wrong_signature_are_told_alike() {
    let unknown = AuthError::UnknownKey("awnobody".into());
    assert_eq!(unknown.told(), AuthError::BadSignature.told());
    assert!(unknown.to_string().contains("awnobody"), "the log tells them apart");
}
