// SPDX-License-Identifier: Apache-2.0

//! A TripStore-style marketplace's events as it sends them (`adapters/tripstore/README.md`). Nobody in them exists.

use serde_json::{Value, json};
use ticketbridge_core::order::Order;

use super::kakao::signed;
use super::{Reply, TestBridge};

/// The channel.
pub(crate) const TRIP: &str = "trip";
/// The secret of its events.
pub(crate) const SECRET: &str = "whsec_dHJpcHN0b3JlLWV2ZW50cy1mb3ItdGVzdHM=";
/// What it can do, unless a test says otherwise.
pub(crate) const CAN: &str = r#""confirm", "cancel", "payment_link", "payment_only_cancel", "read_back""#;

pub(crate) fn channel_file(capabilities: &str) -> String {
    format!(
        r#"id = "{TRIP}"
adapter = "tripstore"
[settings]
secrets = ["{SECRET}"]
api_base = "https://trip.example"
api_secret = "whsec_dHJpcC1jYWxscy1mb3ItdGVzdHM="
capabilities = [{capabilities}]
erp = {{ base_url = "https://erp.example", secret = "whsec_ZXJwLWZvci10ZXN0cw==" }}
commission_bp = 500
"#
    )
}

/// Its product.
pub(crate) const PRODUCTS: &str = r#"
[[booking_product]]
code = "DAD-5D"
name = "Da Nang, five days"
confirm = "manual"
ticketing = { mode = "none" }
cancellation = { kind = "anytime" }
guests = { who = "one", fields = [] }
calendar = [ { from = "2026-11-01", to = "2027-12-31" } ]
"#;

/// A booking for three, 3,180,000 won, in two parts, leaving on 2027-02-14.
pub(crate) fn trip(number: &str, status: &str) -> Value {
    json!({
        "booking_no": number, "agency_booking_no": null, "agency_code": "AG-014", "product_code": "DAD-5D",
        "event_code": "DAD-5D-270214", "status": status, "payment_owner": "TRIP", "payment_kind": "PARTIAL",
        "departure_date": "2027-02-14", "return_date": "2027-02-18",
        "travellers": { "adult": 2, "child": 1, "infant": 0 },
        "booker": { "name": "이예시", "phone": "010-9876-5432", "masked": false },
        "amounts": { "total_sale_krw": 3_180_000, "discount_krw": 0, "paid_krw": 0, "outstanding_krw": 3_180_000,
                     "deposit_krw": 300_000 },
        "balance_due_date": "2027-01-14", "coupon": null, "payments": [],
        "booked_at": "2026-11-21T10:58:00+09:00", "updated_at": "2026-11-21T11:00:00+09:00",
    })
}

/// The same, paid by another way.
pub(crate) fn kind(mut it: Value, kind: &str) -> Value {
    it["payment_kind"] = json!(kind);
    if kind == "FULL" {
        it["amounts"]["deposit_krw"] = json!(null);
    }
    it
}

/// The same with one more payment.
pub(crate) fn paid(mut it: Value, id: &str, purpose: &str, amount: i64, link: Option<&str>) -> Value {
    let number = |it: &Value, name: &str| it["amounts"][name].as_i64().expect("an amount");
    let sum = number(&it, "paid_krw") + amount;
    let net = number(&it, "total_sale_krw") - number(&it, "discount_krw");
    it["amounts"]["paid_krw"] = json!(sum);
    it["amounts"]["outstanding_krw"] = json!((net - sum).max(0));
    let at = format!("2026-11-21T1{}:00:00+09:00", it["payments"].as_array().expect("payments").len() + 1);
    it["payments"].as_array_mut().expect("payments").push(json!({
        "payment_id": id, "purpose": purpose, "amount_krw": amount, "method": "CARD", "approved_at": at,
        "link_id": link, "cancels": [],
    }));
    it
}

/// The same with a payment, or a part of it, returned.
pub(crate) fn returned(mut it: Value, payment: &str, id: &str, amount: i64) -> Value {
    let net = it["amounts"]["total_sale_krw"].as_i64().expect("an amount");
    let sum = it["amounts"]["paid_krw"].as_i64().expect("an amount") - amount;
    it["amounts"]["paid_krw"] = json!(sum);
    it["amounts"]["outstanding_krw"] = json!((net - sum).max(0));
    let payments = it["payments"].as_array_mut().expect("payments");
    let payment = payments.iter_mut().find(|p| p["payment_id"] == payment).expect("a payment");
    payment["cancels"].as_array_mut().expect("cancels").push(json!({
        "cancel_id": id, "amount_krw": amount, "kind": "WITH_BOOKING", "status": "DONE", "done_at": "2026-11-22T11:00:00+09:00",
    }));
    it
}

/// An event.
pub(crate) fn event(id: &str, kind: &str, revision: u64, booking: &Value, change: Value) -> Value {
    json!({
        "event_id": id, "event_type": kind, "schema_version": "1", "occurred_at": "2026-11-21T11:00:00+09:00",
        "revision": revision, "partner_id": "p_90", "agency_code": "AG-014", "booking": booking, "change": change,
    })
}

impl TestBridge {
    /// A bridge with a TripStore-style channel that can do what is listed.
    pub(crate) async fn start_trip(capabilities: &str) -> Self {
        let file = channel_file(capabilities);
        Self::start_with(|files| {
            files.insert("channels/trip.toml".to_owned(), file);
            files.insert("products/trip.toml".to_owned(), PRODUCTS.to_owned());
        })
        .await
    }

    /// A signed event of the marketplace.
    pub(crate) async fn trip(&self, body: &Value) -> Reply {
        let id = body["event_id"].as_str().expect("an id").to_owned();
        let body = body.to_string();
        self.ask(signed(self, &format!("/channels/{TRIP}/events"), SECRET, &id, body.as_bytes())).await
    }

    /// An event that must end this way.
    pub(crate) async fn trip_is(&self, body: Value, result: &str) -> Value {
        let status = if result == "parked" { 202 } else { 200 };
        let said = self.trip(&body).await.expect(status).json();
        assert_eq!(said["result"], result, "{said}");
        said
    }

    /// The marketplace's order, as it is in the database.
    pub(crate) async fn tripped(&self, number: &str) -> Order {
        self.order_of(TRIP, number).await.unwrap_or_else(|| panic!("there is no order {number}"))
    }

    /// What a person calls its state.
    pub(crate) async fn trip_label(&self, number: &str) -> String {
        let shown = self.get(&format!("orders/{TRIP}:{number}")).await.expect(200).json();
        shown["label"].as_str().expect("a label").to_owned()
    }
}
