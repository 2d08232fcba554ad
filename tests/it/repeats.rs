// SPDX-License-Identifier: Apache-2.0

//! A repeat is judged by what a message means: its sender may write the same thing anew, and a difference that matters is seen by a person.

use http::Method;
use serde_json::{Value, json};
use ticketbridge_adapters::douyin::crypto::encrypt_field;
use ticketbridge_adapters::douyin::sign::sign;
use ticketbridge_core::order::{AttentionKind, BookingState, RefundState};
use ticketbridge_core::{Millis, UnixMillis};

use crate::support::kakao::{CAN, event, reservation};
use crate::support::partners::Outcome;
use crate::support::{Ask, CLIENT_KEY, CLIENT_SECRET, TestBridge, douyin, on_each_database};

/// A call with any text as its body, signed.
fn written(bridge: &TestBridge, call: &str, body: &str) -> Ask {
    let stamp = bridge.now().0.to_string();
    let (signature, _) = sign(CLIENT_SECRET, &[("client_key", CLIENT_KEY), ("timestamp", &stamp)], body.as_bytes());
    Ask::new(Method::POST, format!("/channels/douyin-main/{call}?client_key={CLIENT_KEY}&timestamp={stamp}"))
        .header("x-life-clientkey", CLIENT_KEY)
        .header("x-life-sign", &signature)
        .header("content-type", "application/json")
        .body(body)
}

/// The same JSON written otherwise: keys backwards, blanks, and every letter of a text escaped.
fn rewritten(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let fields: Vec<String> =
                map.iter().rev().map(|(key, value)| format!(" {} : {}", json!(key), rewritten(value))).collect();
            format!("{{\n{}\t}}", fields.join(","))
        }
        Value::Array(items) => format!("[ {} ]", items.iter().map(rewritten).collect::<Vec<_>>().join(" , ")),
        Value::String(text) => {
            let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            format!("\"{escaped}\"")
        }
        other => other.to_string(),
    }
}

/// Writes a message anew.
type Variant = fn(&mut Value, &str);

#[tokio::test]
async fn the_same_message_written_anew_is_the_same_message() {
    on_each_database(
        |_| {},
        async |bridge| {
            let now = bridge.now();
            bridge.sell("V100").await;
            let mut booking = douyin::booking("R100", "V100", "2026-12-01", 2, now);
            booking["buyer"]["email"] = json!("");
            booking["custom_spi_req_extra"] = json!("{\"trace\":\"1\"}");
            booking["tourists"][0]["name"] = json!("Enc.Zmlyc3Q=");
            let first = bridge.douyin("create-order", &booking).await.expect(200).text();
            assert!(first.contains("\"error_code\":0"), "{first}");
            let version = bridge.stored("V100").await.version;
            let phone = booking["buyer"]["phone"].as_str().expect("a phone").to_owned();
            let variants: [(&str, Variant); 7] = [
                ("an unknown field more", |it, _| it["a_field_of_tomorrow"] = json!({ "deep": [1, { "x": null }] })),
                ("an unknown field deep inside", |it, _| it["buyer"]["age"] = json!(30)),
                ("another opaque extra", |it, _| it["custom_spi_req_extra"] = json!("{\"trace\":\"2\"}")),
                ("an absent field as null", |it, _| it["buyer"]["license_id"] = Value::Null),
                ("a cipher for what was clear", |it, phone| {
                    it["buyer"]["phone"] = json!(encrypt_field(CLIENT_SECRET, phone));
                }),
                ("a fresh cipher of what only the channel can open", |it, _| {
                    it["tourists"][0]["name"] = json!("Enc.c2Vjb25k");
                }),
                ("equal entries in another order", |it, _| it["tourists"].as_array_mut().expect("a list").reverse()),
            ];
            for (what, edit) in variants {
                let mut again = booking.clone();
                edit(&mut again, &phone);
                bridge.advance(Millis::seconds(60));
                let answer = bridge.douyin("create-order", &again).await.expect(200).text();
                assert_eq!(answer, first, "{what}");
                let answer = bridge.ask(written(bridge, "create-order", &rewritten(&again))).await.expect(200).text();
                assert_eq!(answer, first, "{what}, written otherwise");
            }
            let order = bridge.stored("V100").await;
            assert_eq!((order.version, order.needs(AttentionKind::Contradiction)), (version, false));
            let rows = bridge.get("inbox?limit=200").await.expect(200).json();
            let of = |key: &str| {
                let rows: Vec<&Value> =
                    rows["items"].as_array().expect("rows").iter().filter(|r| r["key"] == key).collect();
                assert_eq!(rows.len(), 1, "{rows:?}");
                rows[0].clone()
            };
            let row = of("create:R100");
            let bytes = {
                use sha2::Digest as _;
                hex::encode(sha2::Sha256::digest(booking.to_string()))
            };
            assert_eq!(row["body_sha256"], bytes.as_str(), "of the bytes as received");
            assert_eq!(row["content_sha256"].as_str().map(str::len), Some(64), "{row}");
            assert_ne!(row["content_sha256"], of("create:V100")["content_sha256"]);
        },
    )
    .await;
}

#[tokio::test]
async fn what_matters_is_refused_however_small_and_shown() {
    on_each_database(
        |_| {},
        async |bridge| {
            let now = bridge.now();
            for (number, what, edit) in [
                ("V101", "units", (|it: &mut Value| it["count"] = json!(3)) as fn(&mut Value)),
                ("V102", "money", |it| it["amount"]["pay_amount"] = json!(1)),
                ("V103", "product", |it| it["product_out_id"] = json!("LP-V1|LP-B1")),
                ("V104", "phone", |it| it["buyer"]["phone"] = json!("13900000009")),
                ("V105", "name", |it| it["buyer"]["name"] = json!("Somebody Else")),
            ] {
                let sale = douyin::sale(number, 2, now);
                let first = bridge.douyin("create-order", &sale).await.expect(200).text();
                let before = bridge.order(number).await;
                let mut other = sale.clone();
                edit(&mut other);
                for _ in 0..2 {
                    let refused = bridge.douyin("create-order", &other).await.expect(200).json();
                    assert_eq!(refused["data"]["error_code"], 999_999, "{what}: {refused}");
                }
                let order = bridge.order(number).await;
                assert_eq!((&order["state"], &order["payment"]), (&before["state"], &before["payment"]), "{what}");
                assert_eq!(order["attention"]["kind"], "contradiction", "{what}: {order}");
                assert!(!order["attention"].to_string().contains("13900000009"));
                let noted = bridge.get(&format!("inbox?verdict=conflict&key=create:{number}")).await.expect(200).json();
                assert_eq!(noted["items"].as_array().map(Vec::len), Some(1), "{what}: once for each meaning");
                assert_eq!(bridge.douyin("create-order", &sale).await.text(), first, "{what}: the first one stands");
            }
        },
    )
    .await;
}

#[tokio::test]
async fn platforms_and_back_ends_are_judged_alike() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let it = reservation("R1", "pd_auto", "CONFIRMED");
    let body = event("e1", "reservation.confirmed", 1, &it, json!({"by": "AUTO"}));
    bridge.kakao_is(body.clone(), "accepted").await;
    let mut again = body.clone();
    again["a_field_of_tomorrow"] = json!([1, 2]);
    bridge.kakao_is(again, "duplicate").await;
    let mut other = body.clone();
    other["reservation"]["use"]["from"] = json!("2026-12-14T10:00:00+09:00");
    other["reservation"]["use"]["to"] = json!("2026-12-14T12:00:00+09:00");
    assert_eq!(bridge.kakao(&other).await.status, 409);
    assert!(bridge.booked("R1").await.needs(AttentionKind::Contradiction));

    let bridge = TestBridge::start().await;
    let booking = bridge.ticketed("V100", "R100").await.booking.expect("a booking").id;
    bridge.set_time("2026-12-01T09:00:00+08:00");
    let used = json!({
        "type": "ticket.redeemed", "reservation_id": booking, "occurred_at": "2026-12-01T08:59:00+08:00", "data": {},
    });
    assert_eq!(bridge.backend_event("gate", "evt-1", &used).await.expect(200).json()["result"], "accepted");
    let mut again = used.clone();
    again["data"] = json!({ "lane": 4 });
    again["occurred_at"] = json!("2026-12-01T00:59:00Z");
    assert_eq!(bridge.backend_event("gate", "evt-1", &again).await.expect(200).json()["result"], "duplicate");
    assert!(!bridge.stored("V100").await.needs(AttentionKind::Contradiction));
}

/// What the console says of a refund: 1 agreed, 2 refused.
fn decided(audit_result: i64, at: UnixMillis) -> Value {
    json!({
        "order_id": "R100", "after_sale_type": 1,
        "notice_list": [{ "certificate_id": "C1", "code": "x", "audit_result": audit_result, "audit_time": at.seconds() }],
    })
}

#[tokio::test]
async fn a_refund_refused_in_the_console_is_rejected_and_the_guest_may_pass() {
    on_each_database(
        |_| {},
        async |bridge| {
            bridge.ticketed("V100", "R100").await;
            bridge.set_time("2026-12-01T09:00:00+08:00");
            let refused = |bridge: &TestBridge| decided(2, bridge.now());
            bridge.douyin("refund-apply", &douyin::refund_apply("R100", "B1", 103, 0, bridge.now())).await.expect(200);
            bridge.drain().await;
            let booking = bridge.stored("V100").await.booking.expect("a booking").id;
            let used = json!({
                "type": "ticket.redeemed", "reservation_id": booking, "occurred_at": "2026-12-01T08:59:00+08:00", "data": {},
            });
            bridge.backend_event("gate", "evt-1", &used).await.expect(202);
            bridge.advance(Millis::minutes(5));
            let answer = bridge.douyin("info-sync", &refused(bridge)).await.expect(200).json();
            assert_eq!(answer["data"]["error_code"], 0, "{answer}");
            bridge.drain().await;
            let order = bridge.stored("V100").await;
            let case = order.refund_case.as_ref().expect("a case");
            assert_eq!((case.state, case.decided_by.as_deref()), (RefundState::Rejected, Some("channel")));
            assert_eq!(order.booking.as_ref().expect("a booking").state, BookingState::Used, "the visit that waited counts");
            assert_eq!(bridge.order("V100").await["label"], "已核销");
            assert!(bridge.partners.sent("/trip/refund/audit/").is_empty(), "the channel decided itself");
            assert_eq!(bridge.partners.sent("/trip/certificate/verify/").len(), 1);
            // Told again, at another time: a repeat.
            let version = order.version;
            bridge.advance(Millis::minutes(1));
            assert_eq!(bridge.douyin("info-sync", &refused(bridge)).await.expect(200).json(), answer);
            assert_eq!(bridge.stored("V100").await.version, version);
        },
    )
    .await;
}

#[tokio::test]
async fn each_case_is_ended_by_its_own_refusal_and_none_by_an_older_one() {
    let bridge = TestBridge::start().await;
    bridge.ticketed("V100", "R100").await;
    let state = async || bridge.stored("V100").await.refund_case.expect("a case").state;
    let apply = async |key: &str| {
        bridge.advance(Millis::minutes(1));
        bridge.douyin("refund-apply", &douyin::refund_apply("R100", key, 103, 0, bridge.now())).await.expect(200);
    };
    apply("B1").await;
    let old = decided(2, bridge.now());
    bridge.douyin("info-sync", &old).await.expect(200);
    assert_eq!(state().await, RefundState::Rejected);
    apply("B2").await;
    bridge.douyin("info-sync", &old).await.expect(200);
    assert_eq!(state().await, RefundState::UnderReview, "the older refusal, repeated, is not about this case");
    bridge.advance(Millis::minutes(1));
    bridge.douyin("info-sync", &decided(2, bridge.now())).await.expect(200);
    assert_eq!(state().await, RefundState::Rejected);
    // Consent is another decision, with its own number.
    apply("B3").await;
    bridge.douyin("info-sync", &decided(1, bridge.now())).await.expect(200);
    bridge.drain().await;
    assert_eq!(bridge.order("V100").await["payment"]["state"], "refunded");
}

/// What Douyin says these ciphers hold.
fn opens(pairs: &[(&str, &str)]) -> Outcome {
    let result =
        |(cipher, plain): &(&str, &str)| json!({ "cipher_text": cipher, "plain_text": plain, "is_success": true });
    let results: Vec<Value> = pairs.iter().map(result).collect();
    Outcome::Says(200, json!({ "data": { "error_code": 0, "results": results }, "extra": { "error_code": 0 } }))
}

#[tokio::test]
async fn other_guests_under_fresh_ciphers_are_shown_once_these_are_opened() {
    on_each_database(
        |_| {},
        async |bridge| {
            let pairs = [
                ("Enc.a1", "Ada Example"),
                ("Enc.a2", "Ada Example"),
                ("Enc.b1", "Somebody Else"),
                ("Enc.p1", "13800000001"),
                ("Enc.p2", "13800000001"),
                ("Enc.p3", "13900000009"),
            ];
            bridge.partners.always("crypto/decrypt", opens(&pairs));
            let now = bridge.now();
            let mut sale = douyin::sale("V1", 2, now);
            sale["buyer"]["phone"] = json!("Enc.p1");
            bridge.sell("V2").await;
            let mut booking = douyin::booking("R2", "V2", "2026-12-01", 2, now);
            booking["tourists"][0]["name"] = json!("Enc.a1");
            bridge.sell("V3").await;
            bridge.book("R3", "V3", "2026-12-01").await;
            let mut demand = douyin::issue("R3", 2);
            demand["tourists"] = booking["tourists"].clone();
            let cases: [(&str, &str, Value, &str, [&str; 2]); 3] = [
                ("V1", "create-order", sale, "/buyer/phone", ["Enc.p2", "Enc.p3"]),
                ("V2", "create-order", booking, "/tourists/0/name", ["Enc.a2", "Enc.b1"]),
                ("V3", "issue-voucher", demand, "/tourists/0/name", ["Enc.a2", "Enc.b1"]),
            ];
            for (order, call, first, field, [same, other]) in cases {
                let said = bridge.issue_with(call, &first).await;
                assert_eq!(said["data"]["error_code"], 0, "{said}");
                bridge.drain().await;
                for (cipher, is_shown) in [(same, false), (other, true)] {
                    let mut again = first.clone();
                    *again.pointer_mut(field).expect("a field") = json!(cipher);
                    let before = bridge.partners.sent("crypto/decrypt").len();
                    for _ in 0..2 {
                        let answer = bridge.issue_with(call, &again).await;
                        assert_eq!(answer["data"]["error_code"], 0, "{call}: {answer}");
                        bridge.drain().await;
                    }
                    assert_eq!(
                        bridge.partners.sent("crypto/decrypt").len(),
                        before + 1,
                        "{call} {cipher}: compared once"
                    );
                    let order = bridge.stored(order).await;
                    let found = order.attention.iter().find(|flag| flag.kind == AttentionKind::Contradiction);
                    assert_eq!(found.is_some(), is_shown, "{call} {cipher}: {found:?}");
                    assert!(found.is_none_or(|flag| flag.sentence.contains("names other guests")), "{found:?}");
                }
            }
        },
    )
    .await;
}

#[tokio::test]
async fn times_that_nothing_uses_are_no_difference_and_units_are() {
    let bridge = TestBridge::start().await;
    bridge.sell("V1").await;
    let now = bridge.now().seconds();
    let booking = douyin::booking("R1", "V1", "2026-12-01", 2, bridge.now());
    let mut demand = douyin::issue("R1", 2);
    demand["start_time"] = json!(UnixMillis::parse_rfc3339("2026-12-01T00:00:00+08:00").expect("a time").seconds());
    demand["expire_time"] = json!(UnixMillis::parse_rfc3339("2026-12-01T23:59:58+08:00").expect("a time").seconds());
    let refund = douyin::refund_apply("R1", "B1", 101, 0, bridge.now());
    let back = json!({ "order_id": "V1", "biz_uniq_key": "B1", "refund_amount": 39_800, "refund_time_unix": now, "refund_scene": 1 });
    let said = [
        ("create-order", booking.clone(), "create_order_time_unix"),
        ("issue-voucher", demand.clone(), "start_time"),
        ("issue-voucher", demand, "expire_time"),
        ("refund-apply", refund, "apply_refund_time_unix"),
        ("refund-notify", back, "refund_time_unix"),
    ];
    for (call, body, time) in said {
        let first = bridge.issue_with(call, &body).await;
        let mut again = body.clone();
        again[time] = json!(again[time].as_i64().expect("a time") + 1);
        let answer = bridge.issue_with(call, &again).await;
        assert_eq!(answer["data"]["error_code"], first["data"]["error_code"], "{call} {time}: {answer} after {first}");
        assert_eq!(answer["data"]["error_code"], 0, "{call} {time}: {answer}");
        bridge.drain().await;
        assert!(!bridge.stored("V1").await.needs(AttentionKind::Contradiction), "{call} {time}");
    }
    // After the tickets went out, more units under the same number are told to a person.
    bridge.ticketed("V2", "R2").await;
    let mut more = douyin::booking("R2", "V2", "2026-12-01", 3, bridge.now());
    more["tourists"] = douyin::visitors("R2", 6);
    let answer = bridge.douyin("create-order", &more).await.expect(200).json();
    assert_ne!(answer["data"]["error_code"], 0, "{answer}");
    let order = bridge.stored("V2").await;
    assert!(order.needs(AttentionKind::Contradiction), "{:?}", order.attention);
    assert_eq!(order.booking.expect("a booking").ticketing.tickets.len(), 2);
}

#[tokio::test]
async fn a_cipher_that_opens_to_nothing_is_not_open() {
    let bridge = TestBridge::start().await;
    bridge.partners.always("crypto/decrypt", opens(&[("Enc.a1", ""), ("Enc.b1", " ")]));
    bridge.sell("V1").await;
    let mut booking = douyin::booking("R1", "V1", "2026-12-01", 2, bridge.now());
    booking["tourists"][0]["name"] = json!("Enc.a1");
    booking["tourists"][1]["name"] = json!("Enc.b1");
    let answer = bridge.douyin("create-order", &booking).await.expect(200).json();
    assert_eq!(answer["data"]["error_code"], 0, "{answer}");
    bridge.drain().await;
    assert!(bridge.partners.sent("/bridge/reservations").is_empty(), "nobody is asked for tickets for nobody");
    bridge.partners.recover();
    bridge.partners.always("crypto/decrypt", opens(&[("Enc.a1", "Ada Example"), ("Enc.b1", "Bob Example")]));
    bridge.advance(Millis::minutes(1));
    bridge.drain().await;
    let sent = bridge.partners.sent("/bridge/reservations");
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].body["visitors"][0]["name"], "Ada Example", "{}", sent[0].body);
}
