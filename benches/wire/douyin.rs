// SPDX-License-Identifier: Apache-2.0

//! Douyin's calls, signed over their bytes. Nobody in them exists.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::http::{Answer, Ask};
use super::name_of;
use crate::moment;

/// The application.
pub(crate) const CLIENT_KEY: &str = "awbenchmarkclient";
/// What it signs with.
pub(crate) const CLIENT_SECRET: &str = "a-secret-of-the-benchmark";
/// Price of everything on sale, fen.
pub(crate) const PRICE: i64 = 19_900;

/// What is sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Product {
    /// No stock, no limits, no credit.
    Lean,
    /// One product for everybody: stock, limits per phone and document, days with stock, and a credit account.
    Hot,
}

impl Product {
    /// The channel that sells it.
    pub(crate) fn channel(self) -> &'static str {
        match self {
            Product::Lean => "douyin-lean",
            Product::Hot => "douyin-hot",
        }
    }
    /// The pair as it stands on the channel.
    pub(crate) fn pair(self) -> &'static str {
        match self {
            Product::Lean => "LEAN-V|LEAN-B",
            Product::Hot => "HOT-V|HOT-B",
        }
    }
}

/// Lower-case hex of SHA-256 over the secret, the sorted query and the body, as Douyin's guide says.
fn sign(secret: &str, sorted_pairs: &[(&str, &str)], body: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(secret);
    for (key, value) in sorted_pairs {
        hash.update(format!("&{key}={value}"));
    }
    hash.update("&http_body=");
    hash.update(body);
    hex::encode(hash.finalize())
}

/// A signed call of `product`'s channel.
pub(crate) fn call(product: Product, name: &str, body: &Value) -> Ask {
    let (body, time) = (body.to_string(), moment::unix_ms().to_string());
    let signature = sign(CLIENT_SECRET, &[("client_key", CLIENT_KEY), ("timestamp", &time)], &body);
    let path = format!("/channels/{}/{name}?client_key={CLIENT_KEY}&timestamp={time}", product.channel());
    Ask::post(path, body).with("x-life-clientkey", CLIENT_KEY).with("x-life-sign", &signature)
}

/// Eleven digits that nobody else has.
fn phone(serial: u64) -> String {
    format!("1{:010}", 3_000_000_000 + serial % 6_000_000_000)
}

/// A passport's number. Its letter is no hex digit: behind a hex tag the end of an order's number would be the guest's document, and is masked
/// wherever the order is shown.
fn document(serial: u64) -> String {
    format!("G{:08}", serial % 100_000_000)
}

/// A paid voucher of one unit.
pub(crate) fn sale(product: Product, number: &str, serial: u64) -> Value {
    json!({
        "order_id": number, "order_type": 1, "biz_type": 3, "product_out_id": product.pair(), "count": 1,
        "create_order_time_unix": moment::unix_ms() / 1_000,
        "amount": { "origin_amount": PRICE, "pay_amount": PRICE },
        "buyer": { "phone": phone(serial) },
    })
}

/// A booking of that voucher, for one visitor, `in_days` from today. The visitor's name is the booking's number, by which the ticketing
/// system's books are compared with ours.
pub(crate) fn booking(product: Product, number: &str, sale: &str, serial: u64, in_days: i64) -> Value {
    let date = moment::date_in(in_days);
    json!({
        "order_id": number, "order_type": 2, "source_order_id": sale, "biz_type": 3,
        "product_out_id": product.pair(), "count": 1, "book_start_day": date, "book_end_day": date,
        "create_order_time_unix": moment::unix_ms() / 1_000,
        "amount": { "origin_amount": PRICE, "pay_amount": PRICE },
        "buyer": { "name": name_of(number), "phone": phone(serial) },
        "tourists": [
            { "name": name_of(number), "phone": phone(serial), "license_type": 6, "license_id": document(serial) },
        ],
    })
}

/// The demand for tickets of a booking.
pub(crate) fn issue(number: &str) -> Value {
    json!({ "order_id": number, "copies": 1, "count": 1, "ticket_rule": { "code_sending_info": [1, 2, 3, 6] } })
}

/// What an answer says in Douyin's envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// It was done.
    Success(Value),
    /// It was not, and why: the code and the sentence.
    No(String),
}

/// The code of an answer that asks to come again.
const COME_AGAIN: i64 = 100;

/// Reads an answer. Only status 200 and `data.error_code` 0 is success.
pub(crate) fn read(answer: &Answer) -> Said {
    if answer.status != 200 {
        return Said::No(format!("HTTP {}", answer.status));
    }
    let Ok(mut body) = serde_json::from_slice::<Value>(&answer.body) else {
        return Said::No("no JSON".to_owned());
    };
    match body["data"]["error_code"].as_i64() {
        Some(0) => Said::Success(body["data"].take()),
        Some(code) => Said::No(format!("code {code}: {}", body["data"]["description"].as_str().unwrap_or_default())),
        None => Said::No("no envelope".to_owned()),
    }
}

/// Whether the caller is told to come again with the same call, since it was not carried out.
pub(crate) fn is_asked_again(answer: &Answer) -> bool {
    let body = serde_json::from_slice::<Value>(&answer.body).unwrap_or_default();
    answer.status == 200 && body["data"]["error_code"] == COME_AGAIN
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn it_signs_as_the_published_vector_says() {
        let vectors: Value = serde_json::from_str(include_str!("../../adapters/douyin/cases/vectors.json")).unwrap();
        let vector = &vectors["signature_generated"][0];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let pairs: Vec<(String, String)> = vector["decoded_query_pairs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| (text(&pair[0]), text(&pair[1])))
            .collect();
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let signature = sign(&text(&vector["client_secret"]), &pairs, &text(&vector["body"]));
        assert_eq!(signature, text(&vector["x_life_sign_sha256"]));
    }

    #[test]
    fn only_a_code_of_zero_is_success() {
        let answer = |status, body: &'static str| read(&Answer { status, body: Bytes::from_static(body.as_bytes()) });
        assert!(matches!(answer(200, r#"{"data":{"error_code":0}}"#), Said::Success(_)));
        for (status, body) in [
            (200, r#"{"data":{"error_code":100,"description":"please call again"}}"#),
            (200, r#"{"data":{}}"#),
            (200, r#"{"error_code":0}"#),
            (200, "ok"),
            (503, r#"{"data":{"error_code":0}}"#),
        ] {
            assert!(matches!(answer(status, body), Said::No(_)), "{status} {body}");
            let whole = Answer { status, body: Bytes::from_static(body.as_bytes()) };
            assert_eq!(is_asked_again(&whole), body.contains("100"), "{status} {body}");
        }
    }

    #[test]
    fn no_two_serial_numbers_share_a_phone() {
        assert_eq!(phone(0).len(), 11);
        assert_ne!(phone(1), phone(2));
    }
}
