// SPDX-License-Identifier: Apache-2.0

//! Douyin's calls as it makes them (`adapters/douyin/README.md`). Nobody in them exists.

use http::Method;
use serde_json::{Value, json};
use ticketbridge_adapters::douyin::sign::sign;
use ticketbridge_core::UnixMillis;

use super::{Ask, CLIENT_KEY, CLIENT_SECRET};

/// A call to `path`, signed over its bytes.
pub(crate) fn signed(path: &str, body: &Value, now: UnixMillis) -> Ask {
    let (body, timestamp) = (body.to_string(), now.0.to_string());
    let pairs = [("client_key", CLIENT_KEY), ("timestamp", timestamp.as_str())];
    let (signature, _) = sign(CLIENT_SECRET, &pairs, body.as_bytes());
    Ask::new(Method::POST, format!("{path}?client_key={CLIENT_KEY}&timestamp={timestamp}"))
        .header("x-life-clientkey", CLIENT_KEY)
        .header("x-life-sign", &signature)
        .header("content-type", "application/json")
        .body(body)
}

/// A paid voucher `LP-V2|LP-B2`.
pub(crate) fn sale(number: &str, count: i64, now: UnixMillis) -> Value {
    json!({
        "order_id": number, "order_type": 1, "biz_type": 3, "product_out_id": "LP-V2|LP-B2", "count": count,
        "create_order_time_unix": now.seconds(),
        "amount": { "origin_amount": 19_900 * count, "pay_amount": 19_900 * count },
        "buyer": { "phone": buyer_phone(number) },
    })
}

/// The buyer's phone: another one for each sale, so that limits per phone stay out of the way.
fn buyer_phone(number: &str) -> String {
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    format!("138{digits:0>8}")
}

/// A booking of a sale, with two visitors for each unit.
pub(crate) fn booking(number: &str, sale: &str, date: &str, count: i64, now: UnixMillis) -> Value {
    json!({
        "order_id": number, "order_type": 2, "source_order_id": sale, "biz_type": 3,
        "product_out_id": "LP-V2|LP-B2", "count": count, "book_start_day": date, "book_end_day": date,
        "create_order_time_unix": now.seconds(),
        "amount": { "origin_amount": 19_900 * count, "pay_amount": 19_900 * count },
        "buyer": { "name": "Ada Example", "phone": buyer_phone(sale) },
        "tourists": visitors(number, count * 2),
    })
}

/// Visitors with a name, a phone and a passport each.
pub(crate) fn visitors(booking: &str, many: i64) -> Value {
    const NAMES: [&str; 4] = ["Ada Example", "Bob Example", "Cid Example", "Dan Example"];
    let visitor = |index: i64| {
        json!({
            "name": NAMES[usize::try_from(index - 1).expect("counted from one") % NAMES.len()], "phone": format!("139{index:08}"),
            "license_type": 6, "license_id": format!("{booking}X{index:04}"),
        })
    };
    (1..=many).map(visitor).collect()
}

/// The demand for tickets.
pub(crate) fn issue(number: &str, copies: u32) -> Value {
    json!({ "order_id": number, "copies": copies, "count": 2, "ticket_rule": { "code_sending_info": [1, 2, 3, 6] } })
}

/// A request for money back: `source` 101 is the guest, 301 the channel because tickets are late.
pub(crate) fn refund_apply(number: &str, key: &str, source: i64, fee: i64, now: UnixMillis) -> Value {
    json!({
        "order_id": number, "biz_uniq_key": key, "after_sale_type": 1, "apply_source": source,
        "refund_fee_amount": fee, "apply_refund_time_unix": now.seconds(),
    })
}
