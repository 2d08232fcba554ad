// SPDX-License-Identifier: Apache-2.0

//! What the marketplace and the agency hold against a bridge that asks what it must not, rule by rule.

use serde_json::{Value, json};

use super::{Owner, SimTripStore, Status, Way, Wish};
use crate::net;
use crate::platform::PlatformOptions;
use crate::time::{SimTime, Zone};
use crate::webhook;

const SECRET: &str = "whsec_Y2FsbHMtZm9yLXRlc3Rz";

async fn trip() -> SimTripStore {
    let options = || PlatformOptions::usual("trip", SECRET, SECRET, "DANANG", SimTime::new(1_000_000.0));
    SimTripStore::start(options(), options()).await.unwrap()
}

/// A marketplace whose events nobody takes, and a booking in this state.
async fn kept(owner: Owner, way: Way, status: Status) -> (SimTripStore, String) {
    let trip = trip().await;
    trip.market.set_faults(|faults| faults.hold_events = true);
    let departure = trip.market.time().today(Zone::SEOUL);
    let (number, _) = trip.market.book(&Wish { owner, way, departure, person: 1 }).await;
    let set = trip.market.note_change(&number, "set", |it| {
        it.status = status;
        it.agency_number = Some("YB2".to_owned());
        Value::Null
    });
    assert!(set.is_some());
    (trip, number)
}

async fn call(url: &str, method: http::Method, key: &str, body: &Value) -> (u16, Value) {
    let bytes = body.to_string().into_bytes();
    let now_s = SimTime::new(1.0).now_s();
    let request = net::client()
        .request(method, url)
        .header("idempotency-key", key)
        .header("webhook-id", "m")
        .header("webhook-timestamp", now_s.to_string())
        .header("webhook-signature", webhook::sign(SECRET, "m", now_s, &bytes).unwrap())
        .body(bytes);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn what_the_bridge_must_not_ask_of_the_marketplace_is_held_against_it() {
    use Owner::{Agency, Market};
    use Status::{CancelRequested, Canceled, Completed, Received};
    let link = |purpose: &str, amount: i64| json!({ "purpose": purpose, "amount_krw": amount });
    let done = json!({ "agency_booking_no": "YB2" });
    let cases = [
        ("complete", Agency, Way::Partial, Received, done.clone(), "the agency keeps this booking"),
        ("complete", Market, Way::Partial, Canceled, done.clone(), "only what was received"),
        ("complete", Market, Way::Partial, Received, json!({ "agency_booking_no": "YB1" }), "has changed"),
        ("payment-links", Market, Way::Partial, Received, link("BALANCE", 1), "goes to a completed booking"),
        ("payment-links", Market, Way::Partial, Completed, link("DEPOSIT", 1), "for what is still open"),
        ("payment-links", Market, Way::Partial, Completed, link("BALANCE", 2_880_001), "more than is open"),
        ("payment-links", Market, Way::Full, Completed, link("BALANCE", 1), "for what is still open"),
        (
            "cancel",
            Market,
            Way::Partial,
            Completed,
            json!({ "fee_krw": 0, "refund_krw": 300_000 }),
            "the traveller asked for",
        ),
        (
            "cancel",
            Market,
            Way::Partial,
            CancelRequested,
            json!({ "fee_krw": 1, "refund_krw": 300_000 }),
            "not what was paid",
        ),
    ];
    for (act, owner, way, status, body, words) in cases {
        let (trip, number) = kept(owner, way, status).await;
        let url = format!("{}/v1/bookings/{number}/{act}", trip.market.base_url());
        let (said, _) = call(&url, http::Method::POST, "k", &body).await;
        assert_eq!(said, 422, "{act}: {words}");
        let held = trip.market.books().held_against(std::slice::from_ref(&number));
        assert!(held.iter().any(|sentence| sentence.contains(words)), "{act}: {words}: {held:?}");
        assert_eq!(trip.market.kept(&number).unwrap().it.status, status, "nothing has changed");
    }
}

#[tokio::test]
async fn one_link_is_live_and_an_older_payment_does_not_go_back_before_a_newer_one() {
    let (trip, number) = kept(Owner::Market, Way::Partial, Status::Completed).await;
    let url = |path: &str| format!("{}/v1/bookings/{number}/{path}", trip.market.base_url());
    let link = json!({ "purpose": "BALANCE", "amount_krw": 2_880_000 });
    assert_eq!(call(&url("payment-links"), http::Method::POST, "k1", &link).await.0, 201);
    let second = call(&url("payment-links"), http::Method::POST, "k2", &link).await;
    assert_eq!((second.0, &second.1["error"]["code"]), (422, &json!("link_live")));
    trip.market.pays_link(&number).await.unwrap();
    let deposit = json!({ "cancel_krw": 300_000, "expect_cancelable_krw": 300_000 });
    let early = call(&url(&format!("payments/dep-{number}/cancel")), http::Method::POST, "k3", &deposit).await;
    assert_eq!((early.0, &early.1["error"]["code"]), (422, &json!("newest_first")));
    assert_eq!(trip.market.books().held_against(&[number]).len(), 2);
}

fn handed_over(change: impl FnOnce(&mut Value)) -> Value {
    let mut body = json!({
        "external_no": "TS-1", "booker_phone": "010-0000-0000", "phone_masked": true, "total_sale_krw": 3_180_000,
        "collect_from_customer_krw": 0, "memo": "트립결제 / 트립스토어 / 총 판매금액 3,180,000원 / 트립파트너스에서 확인",
    });
    change(&mut body);
    body
}

#[tokio::test]
async fn the_agency_sees_to_it_what_it_is_told() {
    type Change = fn(&mut Value);
    let cases: [(Change, &str, &str); 5] = [
        (|_| {}, "erp-TS-1", ""),
        (|body| body["booker_phone"] = json!("010-0001-0002"), "erp-TS-1", "a traveller's own number"),
        (
            |body| body["memo"] = json!("트립결제 / 트립스토어 / 총 판매금액 3180000원 / x"),
            "erp-TS-1",
            "a memo without",
        ),
        (|body| body["collect_from_customer_krw"] = json!(3_180_000), "erp-TS-1", "asked to collect"),
        (|_| {}, "erp-TS-1-2", "the key is not erp-"),
    ];
    for (change, key, words) in cases {
        let trip = trip().await;
        let url = format!("{}/v1/bookings", trip.agency.base_url());
        let (status, said) = call(&url, http::Method::POST, key, &handed_over(change)).await;
        assert_eq!(status, 201);
        let held = trip.agency.books().held_against(&["TS-1".to_owned()]);
        assert_eq!(held.is_empty(), words.is_empty(), "{held:?}");
        assert!(held.iter().all(|sentence| sentence.contains(words)), "{words}: {held:?}");
        let again = call(&url, http::Method::POST, "another", &handed_over(|_| {})).await;
        assert_eq!((again.0, &again.1["agency_booking_no"]), (409, &said["agency_booking_no"]));
        let old = call(&format!("{url}/YB0"), http::Method::PUT, "third", &handed_over(|_| {})).await;
        assert_eq!(old.0, 404);
        let held = trip.agency.books().held_against(&["TS-1".to_owned()]);
        assert!(held.last().unwrap().contains("under a number that the agency has changed"), "{held:?}");
    }
}
