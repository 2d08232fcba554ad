// SPDX-License-Identifier: Apache-2.0

//! Every entry of `cases/vectors.json`: signatures, encrypted fields, pushed messages, and what must be refused.

use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};
use ticketbridge_core::port::{AuthError, Channel, Context, Inbound, RawRequest};
use ticketbridge_core::time::UnixMillis;

use super::crypto::{decrypt_field, encrypt_field, open_field};
use super::request::query_pairs;
use super::sign::{sign, sign_webhook};

fn vectors(list: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("cases/vectors.json")).expect("the vectors are JSON");
    let entries = file[list].as_array().expect("the vectors have this list").clone();
    assert!(!entries.is_empty(), "{list}");
    entries
}

fn text<'v>(entry: &'v Value, field: &str) -> &'v str {
    entry[field].as_str().unwrap_or_default()
}

fn channel(apps: Value, accept_url_signature: bool) -> Box<dyn Channel> {
    let settings =
        json!({ "account_id": "7000000000000000001", "apps": apps, "accept_url_signature": accept_url_signature });
    (super::KIND.build)("douyin-test", &settings).expect("the settings are right")
}

fn app(key: &str, secret: &str) -> Value {
    json!({ "client_key": key, "client_secret": secret })
}

const CONTEXT: Context<'static> = Context {
    now: UnixMillis(1_790_000_060_000),
    nonce: [0; 16],
    delivery_id: "dlv_1",
    decided_at: UnixMillis(1_790_000_060_000),
    access_token: None,
    attempt: 1,
};

/// What became of a signed call: the application that proved it, or the error.
fn verify(
    channel: &dyn Channel,
    query: &str,
    headers: &[(&'static str, &str)],
    body: &str,
) -> Result<usize, AuthError> {
    let headers = headers.iter().map(|(name, value)| {
        (http::HeaderName::from_static(name), HeaderValue::from_str(value).expect("a header value"))
    });
    let headers: HeaderMap = headers.collect();
    let raw =
        RawRequest { endpoint: "create-order", method: &Method::POST, query, headers: &headers, body: body.as_bytes() };
    let steps = channel.explain_verify(raw, &CONTEXT);
    let verdict = channel.verify(raw, &CONTEXT).map(|verified| verified.key_index());
    let last = steps.last().expect("there are steps");
    assert_eq!(last.ok, Some(verdict.is_ok()), "the explanation ends like the check");
    verdict
}

/// Vectors of assumptions that no call of the platform's was ever seen to need. They are computed as stated, and refused as requests:
/// a signed text that could be cut in another place proves nothing.
const READ_IN_TWO_WAYS: [(&str, &str); 4] = [
    ("gen-multi-value-query", "comes twice"),
    ("gen-empty-body-post", "the body is missing"),
    ("gen-get-no-body", "the body is missing"),
    ("gen-percent-encoded-query", "outside printable ASCII"),
];

#[test]
fn signatures_are_those_of_the_vectors() {
    for entry in vectors("signature_generated") {
        let (id, secret, query) = (text(&entry, "id"), text(&entry, "client_secret"), text(&entry, "raw_query"));
        let body = text(&entry, "body");
        let pairs = query_pairs(query);
        let shown: Vec<Value> = pairs
            .iter()
            .filter(|(key, _)| key != b"sign")
            .map(|(k, v)| json!([String::from_utf8_lossy(k), String::from_utf8_lossy(v)]))
            .collect();
        assert_eq!(json!(shown), entry["decoded_query_pairs"], "{id}: pairs");
        let (sha256, md5) = sign(secret, &pairs, body.as_bytes());
        assert_eq!(sha256, text(&entry, "x_life_sign_sha256"), "{id}: header");
        assert_eq!(md5, text(&entry, "url_sign_md5"), "{id}: address");

        let url_key = super::request::query_value(query, "client_key").expect("every vector names its application");
        let header_key = entry["headers"]["x-life-clientkey"].as_str().unwrap_or(&url_key).to_owned();
        // The header's application is listed last, and its secret must be found all the same.
        let apps = json!([app("awother0000000000", "ffffffffffffffffffffffffffffffff"), app(&header_key, secret)]);
        let channel = channel(apps, false);
        let signed = [("x-life-clientkey", header_key.as_str()), ("x-life-sign", sha256.as_str())];
        let wrong = [("x-life-clientkey", header_key.as_str()), ("x-life-sign", md5.as_str())];
        let verdicts = [signed, wrong].map(|headers| verify(channel.as_ref(), query, &headers, body));
        match READ_IN_TWO_WAYS.iter().find(|(vector, _)| *vector == id) {
            None => assert_eq!(verdicts, [Ok(1), Err(AuthError::BadSignature)], "{id}: accepted, and not with MD5"),
            Some((_, why)) => {
                for verdict in verdicts {
                    let error = verdict.expect_err(id).to_string();
                    assert!(error.contains(why), "{id}: {error}");
                }
            }
        }
    }
}

#[test]
fn what_the_vectors_do_not_expect_is_not_produced() {
    for entry in vectors("signature_generated") {
        let pairs = query_pairs(text(&entry, "raw_query"));
        let (sha256, _) = sign(text(&entry, "client_secret"), &pairs, text(&entry, "body").as_bytes());
        for path in ["/if_http_body_segment_were_kept", "/over_raw_undecoded_values"] {
            let path = format!("/alternative_not_expected{path}/x_life_sign_sha256");
            if let Some(other) = entry.pointer(&path) {
                assert_ne!(json!(sha256), *other, "{}", text(&entry, "id"));
            }
        }
    }
}

#[test]
fn negative_signatures_are_refused() {
    for entry in vectors("signature_negative") {
        let (id, query) = (text(&entry, "id"), text(&entry, "raw_query"));
        let apps = json!([
            app("awsynthetic0000001", text(&entry, "client_secret")),
            app("awlegacy00000000", text(&entry, "client_secret"))
        ]);
        let channel = channel(apps, true);
        let presented = text(&entry, "presented_x_life_sign");
        let headers = [("x-life-clientkey", "awsynthetic0000001"), ("x-life-sign", presented)];
        let verdict = verify(channel.as_ref(), query, &headers, text(&entry, "body"));
        match text(&entry, "expected") {
            "reject" => assert_eq!(verdict, Err(AuthError::BadSignature), "{id}"),
            // Upper case is the same number: we accept it.
            "accept_or_reject" => assert!(verdict.is_ok(), "{id}"),
            other => panic!("{id}: unknown expectation {other}"),
        }
    }
}

#[test]
fn the_address_alone_is_enough_only_where_the_settings_say_so() {
    let entry = vectors("signature_generated").remove(1);
    let secret = text(&entry, "client_secret");
    let query = format!("{}&sign={}", text(&entry, "raw_query"), text(&entry, "url_sign_md5"));
    let body = text(&entry, "body");
    let apps = json!([app("awsynthetic0000001", secret)]);
    let strict = channel(apps.clone(), false);
    assert_eq!(verify(strict.as_ref(), &query, &[], body), Err(AuthError::Missing("x-life-sign")));
    let lenient = channel(apps, true);
    assert_eq!(verify(lenient.as_ref(), &query, &[], body), Ok(0));
    // A header that is there and wrong is never outvoted by the address.
    let wrong = [("x-life-clientkey", "awsynthetic0000001"), ("x-life-sign", "00")];
    assert_eq!(verify(lenient.as_ref(), &query, &wrong, body), Err(AuthError::BadSignature));
    let unknown = query.replace("awsynthetic0000001", "awnobody");
    assert_eq!(verify(lenient.as_ref(), &unknown, &[], body), Err(AuthError::UnknownKey("awnobody".into())));
}

#[test]
fn the_explanation_names_the_mistake_and_never_the_secret() {
    let secret = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
    let channel = channel(json!([app("awsynthetic0000001", secret)]), false);
    for entry in vectors("signature_negative") {
        let presented = text(&entry, "presented_x_life_sign");
        let headers: HeaderMap = [("x-life-clientkey", "awsynthetic0000001"), ("x-life-sign", presented)]
            .into_iter()
            .map(|(k, v)| (http::HeaderName::from_static(k), HeaderValue::from_str(v).expect("a header value")))
            .collect();
        let raw = RawRequest {
            endpoint: "create-order",
            method: &Method::POST,
            query: text(&entry, "raw_query"),
            headers: &headers,
            body: text(&entry, "body").as_bytes(),
        };
        let told: String =
            channel.explain_verify(raw, &CONTEXT).iter().map(|s| format!("{}: {}\n", s.what, s.found)).collect();
        assert!(!told.contains(secret), "{told}");
        assert!(told.contains("‹secret›&client_key="), "{told}");
        let mistake = match text(&entry, "id") {
            "neg-double-ampersand" => "two & behind the secret",
            "neg-header-client-key-used" => "client_key from the header",
            "neg-reserialised-body" => "the secret, the body or a query value",
            _ => continue,
        };
        assert!(told.contains(mistake), "{told}");
    }
}

#[test]
fn encrypted_fields_open_and_close_as_in_the_vectors() {
    for entry in vectors("aes_generated") {
        let (id, secret) = (text(&entry, "id"), text(&entry, "client_secret"));
        let (clear, cipher) = (text(&entry, "plaintext"), text(&entry, "ciphertext_base64"));
        assert_eq!(encrypt_field(secret, clear), cipher, "{id}");
        assert_eq!(decrypt_field(secret, cipher).as_deref(), Some(clear), "{id}");
        assert_eq!(open_field(["ffffffffffffffffffffffffffffffff", secret], cipher), clear, "{id}: second secret");
    }
}

#[test]
fn what_is_not_local_cipher_passes_through() {
    let secret = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
    for entry in vectors("aes_negative_and_routing") {
        let id = text(&entry, "id");
        match text(&entry, "expected_action") {
            "" => {
                let wrong = hex::decode(text(&entry, "wrong_output_hex")).expect("hex");
                let ours = decrypt_field(text(&entry, "client_secret"), text(&entry, "ciphertext_base64"));
                assert_ne!(ours.expect("it opens").into_bytes(), wrong, "{id}");
            }
            "online_decrypt" | "passthrough" => {
                assert_eq!(open_field([secret], text(&entry, "input")), text(&entry, "input"), "{id}");
            }
            other => panic!("{id}: unknown action {other}"),
        }
    }
    assert!(ticketbridge_core::personal::Phone::new("Enc.c3ludGhldGlj").is_remote_cipher());
}

#[test]
fn pushed_messages_are_proved_and_challenges_returned() {
    for entry in vectors("webhook_generated") {
        let (id, secret, body) = (text(&entry, "id"), text(&entry, "client_secret"), text(&entry, "body"));
        let signature = sign_webhook(secret, body.as_bytes());
        assert_eq!(signature, text(&entry, "x_douyin_signature_sha1"), "{id}");
        let channel = channel(json!([app("awother", "another"), app("awsynthetic0000001", secret)]), false);
        let mut headers = HeaderMap::new();
        headers.insert("x-douyin-signature", HeaderValue::from_str(&signature).expect("hex"));
        headers.insert("msg-id", HeaderValue::from_static("m-1"));
        let raw = RawRequest {
            endpoint: "webhook",
            method: &Method::POST,
            query: "",
            headers: &headers,
            body: body.as_bytes(),
        };
        let verified = channel.verify(raw, &CONTEXT).expect("the signature is right");
        assert_eq!(verified.key_index(), 1, "{id}");
        match (channel.decode(&verified).expect("it is readable"), entry.get("expected_reply")) {
            (Inbound::Ping(reply), Some(expected)) => {
                assert_eq!(serde_json::from_slice::<Value>(&reply.body).expect("JSON"), *expected, "{id}");
            }
            (Inbound::Hint { key, about, what }, None) => {
                assert_eq!(key, "webhook:m-1");
                assert_eq!(about.expect("an order").as_str(), "1000000000000000001");
                assert_eq!(what, "life_trade_order_notify");
            }
            (other, _) => panic!("{id}: {other:?}"),
        }
        let mut forged_headers = headers.clone();
        forged_headers
            .insert("x-douyin-signature", HeaderValue::from_static("690f342d906ee62b76d454f76f2b078a84e4c2d6"));
        let forged = RawRequest { headers: &forged_headers, ..raw };
        assert_eq!(channel.verify(forged, &CONTEXT).map(|v| v.key_index()), Err(AuthError::BadSignature), "{id}");
    }
}
