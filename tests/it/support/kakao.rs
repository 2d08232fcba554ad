// SPDX-License-Identifier: Apache-2.0

//! A Kakao-style platform's events as it sends them (`adapters/kakao/README.md`). Nobody in them exists.

use http::Method;
use serde_json::{Value, json};
use ticketbridge_adapters::standard_webhooks::Secrets;
use ticketbridge_core::order::Order;
use ticketbridge_core::{ChannelId, ExternalId, UnixMillis};

use super::{Ask, Reply, TestBridge};

/// The channel.
pub(crate) const KAKAO: &str = "kakao-jeju";
/// The secret of its events.
pub(crate) const SECRET: &str = "whsec_a2FrYW8tZXZlbnRzLWZvci10ZXN0cw==";
/// What it can do, unless a test says otherwise.
pub(crate) const CAN: &str = r#""confirm", "reject", "cancel", "payment_only_cancel", "no_show", "read_back""#;

/// The channel's file.
pub(crate) fn channel_file(capabilities: &str) -> String {
    format!(
        r#"id = "{KAKAO}"
adapter = "kakao"
[settings]
secrets = ["{SECRET}"]
api_base = "https://kakao.example"
api_secret = "whsec_a2FrYW8tY2FsbHMtZm9yLXRlc3Rz"
capabilities = [{capabilities}]
time_zone = "Asia/Seoul"
commission_bp = 300
"#
    )
}

/// Products: `pd_manual` and `pd_auto` with tickets of the gate, `pd_plain` without tickets, decided by a person.
pub(crate) const PRODUCTS: &str = r#"
[[booking_product]]
code = "pd_manual"
name = "Forest class"
confirm = "manual"
ticketing = { mode = "backend", backend = "gate", product = "P-9" }
cancellation = { kind = "anytime" }
guests = { who = "one", fields = [] }
calendar = [ { from = "2026-11-01", to = "2027-03-31", stock = 10, price = 38000 } ]

[[booking_product]]
code = "pd_auto"
name = "Forest walk"
confirm = "auto"
ticketing = { mode = "backend", backend = "gate", product = "P-8" }
cancellation = { kind = "anytime" }
guests = { who = "one", fields = [] }
calendar = [ { from = "2026-11-01", to = "2027-03-31", stock = 10, price = 38000 } ]

[[booking_product]]
code = "pd_plain"
name = "Forest table"
confirm = "manual"
ticketing = { mode = "none" }
cancellation = { kind = "anytime" }
guests = { who = "one", fields = [] }
calendar = [ { from = "2026-11-01", to = "2027-03-31", stock = 10, price = 38000 } ]
"#;

/// A reservation of three units in two lines, 93,000 won paid by card and points, for 2026-12-13.
pub(crate) fn reservation(number: &str, product: &str, status: &str) -> Value {
    // One payment pays for one reservation.
    let payment = |id: &str| if number == "R1" { id.to_owned() } else { format!("{id}-{number}") };
    json!({
        "reservation_no": number, "status": status, "cancel_kind": null, "ex_officio": false,
        "confirm_mode": "MANAGER", "payment_mode": "PAY_WITH_BOOKING", "booked_at": "2026-11-21T10:59:58+09:00",
        "product": { "product_id": product, "name": "숲속 체험", "type": "DATE_TIME", "category": "LEISURE" },
        "use": { "from": "2026-12-13T10:00:00+09:00", "to": "2026-12-13T12:00:00+09:00", "date": null, "valid_until": null },
        "booker": { "name": "김예시", "phone": "010-1234-5678", "masked": false, "user_ref": null },
        "lines": [
            { "detail_no": "D1", "price_id": "adult", "label": "성인", "quantity": 2, "unit_price_krw": 38000,
              "amount_krw": 76000, "canceled_quantity": 0, "used_quantity": 0 },
            { "detail_no": "D2", "price_id": "child", "label": "어린이", "quantity": 1, "unit_price_krw": 22000,
              "amount_krw": 22000, "canceled_quantity": 0, "used_quantity": 0 },
        ],
        "amounts": { "gross_krw": 98000, "discount_krw": 5000, "net_krw": 93000, "onsite_krw": 0, "paid_krw": 93000,
                     "refunded_krw": 0, "fee_krw": 0 },
        "payments": [
            { "payment_id": payment("pay_1"), "method": "KAKAOPAY_CARD", "amount_krw": 90000,
              "approved_at": "2026-11-21T10:59:57+09:00", "cancelable_krw": 90000, "cancels": [] },
            { "payment_id": payment("pay_2"), "method": "POINT", "amount_krw": 3000,
              "approved_at": "2026-11-21T10:59:57+09:00", "cancelable_krw": 3000, "cancels": [] },
        ],
        "cancel_policy": {
            "cancelable": true,
            "deadline": { "kind": "FIXED", "fixed_until": "2026-12-11T00:00:00+09:00", "days_before": null,
                          "at_time": null, "resolved_until": "2026-12-11T00:00:00+09:00" },
            "free_minutes_after_booking": 60,
            "tiers": [ { "until": "2026-12-01T00:00:00+09:00", "fee_rate_bp": 0 },
                       { "until": "2026-12-11T00:00:00+09:00", "fee_rate_bp": 3000 } ],
            "unused_action": "AUTO_USE_NEXT_DAY", "partial_allowed": false },
    })
}

/// The same, cancelled: every unit, with what is kept and what went back by which movements.
pub(crate) fn cancelled(
    number: &str,
    product: &str,
    kind: &str,
    fee: i64,
    cancels: &[(&str, &str, i64, &str)],
) -> Value {
    let mut it = reservation(number, product, "CANCELED");
    it["cancel_kind"] = json!(kind);
    for line in it["lines"].as_array_mut().expect("lines") {
        line["canceled_quantity"] = line["quantity"].clone();
    }
    it["amounts"]["fee_krw"] = json!(fee);
    with_cancels(it, cancels)
}

/// The same with cancels of its payments: payment (`pay_1` is the reservation's own first one), number, amount, status.
pub(crate) fn with_cancels(mut it: Value, cancels: &[(&str, &str, i64, &str)]) -> Value {
    let mut refunded = 0;
    for (payment, id, amount, status) in cancels {
        if matches!(*status, "DONE" | "CREDITED") {
            refunded += amount;
        }
        let payments = it["payments"].as_array_mut().expect("payments");
        let own = |p: &&mut Value| {
            let id = p["payment_id"].as_str().unwrap_or_default();
            id.strip_prefix(payment).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        let payment = payments.iter_mut().find(own).expect("a payment");
        let left = payment["cancelable_krw"].as_i64().expect("an amount");
        payment["cancelable_krw"] = json!(if *status == "FAILED" { left } else { left - amount });
        payment["cancels"].as_array_mut().expect("cancels").push(json!({
            "cancel_id": id, "amount_krw": amount, "kind": "WITH_BOOKING", "status": status,
            "done_at": (*status == "DONE").then_some("2026-11-22T11:00:00+09:00"),
        }));
    }
    it["amounts"]["refunded_krw"] = json!(refunded);
    it
}

/// An event.
pub(crate) fn event(id: &str, kind: &str, revision: u64, reservation: &Value, change: Value) -> Value {
    json!({
        "event_id": id, "event_type": kind, "schema_version": "1", "occurred_at": "2026-11-21T11:00:00+09:00",
        "revision": revision, "partner_id": "p_77", "place_id": "pl_5", "reservation": reservation, "change": change,
    })
}

/// A message signed with `secret` under `id`.
pub(crate) fn signed(bridge: &TestBridge, path: &str, secret: &str, id: &str, body: &[u8]) -> Ask {
    signed_at(bridge.now(), path, secret, id, body)
}

/// The same, at this time.
pub(crate) fn signed_at(now: UnixMillis, path: &str, secret: &str, id: &str, body: &[u8]) -> Ask {
    let mut ask = Ask::new(Method::POST, path.to_owned());
    Secrets::parse([secret])
        .expect("a secret")
        .sign_into(&mut ask.headers, id, now, body)
        .expect("an id fit for a header");
    ask.header("content-type", "application/json").body(body)
}

impl TestBridge {
    /// A bridge with a Kakao-style channel that can do what is listed.
    pub(crate) async fn start_kakao(capabilities: &str) -> Self {
        let file = channel_file(capabilities);
        Self::start_with(|files| {
            files.insert("channels/kakao.toml".to_owned(), file);
            files.insert("products/kakao.toml".to_owned(), PRODUCTS.to_owned());
        })
        .await
    }

    /// The same, with more lines among the channel's settings.
    pub(crate) async fn start_kakao_also(capabilities: &str, settings: &str) -> Self {
        let file = format!("{}{settings}\n", channel_file(capabilities));
        Self::start_with(|files| {
            files.insert("channels/kakao.toml".to_owned(), file);
            files.insert("products/kakao.toml".to_owned(), PRODUCTS.to_owned());
        })
        .await
    }

    /// Does what is due while something else happens during the call that `held` holds up; then the call is answered.
    pub(crate) async fn meanwhile<T>(&self, held: &super::partners::Held, then: impl Future<Output = T>) -> T {
        let happens = async {
            held.arrived().await;
            let result = then.await;
            held.answer();
            result
        };
        let (_, result) = tokio::join!(self.drain(), happens);
        result
    }

    /// A signed event of the platform.
    pub(crate) async fn kakao(&self, body: &Value) -> Reply {
        let id = body["event_id"].as_str().expect("an id").to_owned();
        let body = body.to_string();
        self.ask(signed(self, &format!("/channels/{KAKAO}/events"), SECRET, &id, body.as_bytes())).await
    }

    /// An event that must end this way.
    pub(crate) async fn kakao_is(&self, body: Value, result: &str) -> Value {
        let status = if result == "parked" { 202 } else { 200 };
        let said = self.kakao(&body).await.expect(status).json();
        assert_eq!(said["result"], result, "{said}");
        said
    }

    /// An order of a channel, as it is in the database.
    pub(crate) async fn order_of(&self, channel: &str, number: &str) -> Option<Order> {
        let engine = self.bridge.engine();
        let channel = engine.running().registry.channel(&ChannelId::from(channel)).expect("the channel");
        engine.order_about(&channel, &ExternalId::from(number)).await.expect("a database that answers")
    }

    /// The platform's order, as it is in the database.
    pub(crate) async fn booked(&self, number: &str) -> Order {
        self.order_of(KAKAO, number).await.unwrap_or_else(|| panic!("there is no order {number}"))
    }
}
