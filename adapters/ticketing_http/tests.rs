// SPDX-License-Identifier: Apache-2.0

//! The calls, byte for byte, and the recorded cases of `cases/`.

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use ticketbridge_core::limits::{CODE_CHARS_MAX, QR_CHARS_MAX, TICKETS_MAX};
use ticketbridge_core::order::channel_state::UsedUnits;
use ticketbridge_core::personal::{PersonName, in_clear};
use ticketbridge_core::port::BackendNews;
use ticketbridge_core::product;
use ticketbridge_core::quoted::ForeignNumber;
use ticketbridge_core::time::UnixMillis;

use super::*;
use crate::fixture;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn build(settings: Value) -> Built<dyn Backend> {
    (KIND.build)("gate", &settings)
}

fn gate() -> Box<dyn Backend> {
    let settings = json!({ "base_url": "https://tickets.example/bridge/", "secret": SECRET, "timeout": "5s" });
    build(settings).ok().unwrap()
}

fn calls(gate: &dyn Backend) -> &dyn Calls {
    let Operations::Calls(calls) = gate.operations() else { panic!("one call for each operation") };
    calls
}

fn step(op: TicketOp, order: &Order) -> Result<Call, EncodeError> {
    calls(&*gate()).call(op, order, order.booking.as_ref().unwrap(), &fixture::context())
}

fn response(status: u16, headers: &BTreeMap<String, String>, body: impl Into<Bytes>) -> HttpResponse {
    let headers = headers.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()));
    HttpResponse { status: StatusCode::from_u16(status).unwrap(), headers: headers.collect(), body: body.into() }
}

fn clear(facts: &TicketFacts) -> Value {
    in_clear(|| serde_json::to_value(facts).unwrap())
}

#[test]
fn a_reservation_carries_what_the_contract_names() {
    let call = step(TicketOp::Issue, &fixture::order()).unwrap();
    assert_eq!((call.method, call.url.as_str()), (Method::POST, "https://tickets.example/bridge/reservations"));
    assert_eq!(call.timeout, Some(Millis::seconds(5)));
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    let ada = json!({ "type": "passport", "number": "X0000001" });
    let expected = json!({
        "reservation_id": "bkg_1", "order_id": "ord_1", "product": "P-778",
        "visit_date": "2026-12-01", "valid_until": "2026-12-01",
        "quantity": 2, "visitor_count": 4,
        "visitors": [
            { "name": "Ada Example", "phone": "13800000002", "document": ada },
            { "name": "Bob Example", "phone": null, "document": null },
        ],
        "contact": { "name": "Ada Example", "phone": "13800000002", "document": null },
        "issue_by": "2026-11-21T10:10:00+08:00",
    });
    assert_eq!(body, expected);
    assert_eq!(crate::schemas::problems("ticketing_http/reservation-request", &body), []);
    let cancel = step(TicketOp::Cancel, &fixture::order()).unwrap();
    let cancel: Value = serde_json::from_slice(&cancel.body).unwrap();
    assert_eq!(crate::schemas::problems("ticketing_http/cancel-request", &cancel), []);
}

#[test]
fn every_call_is_signed_and_carries_the_delivery_id_twice() {
    let secrets = Secrets::parse([SECRET]).unwrap();
    let order = fixture::order();
    for op in [TicketOp::Issue, TicketOp::Query, TicketOp::Cancel] {
        let call = step(op, &order).unwrap();
        assert_eq!(call.headers["idempotency-key"], "dlv_0001");
        let proof = secrets.verify(&call.headers, &call.body, fixture::NOW).unwrap();
        assert_eq!(proof.id, "dlv_0001");
        // The same delivery gives the same bytes.
        assert_eq!(step(op, &order).unwrap(), call);
    }
}

/// A part was cancelled since the first request: one id stands for one message.
#[test]
fn tickets_for_other_units_are_asked_for_under_another_id() {
    let mut order = fixture::order();
    let first = step(TicketOp::Issue, &order).unwrap();
    let asked_for = UsedUnits { detail: "D1".to_owned(), units: 3 };
    order.booking.as_mut().unwrap().ticketing.units = vec![asked_for];
    let now = step(TicketOp::Issue, &order).unwrap();
    assert_eq!(
        (&first.headers["idempotency-key"], &now.headers["idempotency-key"]),
        (&HeaderValue::from_static("dlv_0001"), &HeaderValue::from_static("dlv_0001-2"))
    );
    assert_eq!((now.headers["webhook-id"].as_bytes(), now.key.as_deref()), (&b"dlv_0001-2"[..], Some("dlv_0001-2")));
    assert_eq!(step(TicketOp::Query, &order).unwrap().headers["idempotency-key"], "dlv_0001");
}

#[test]
fn a_question_and_a_cancellation_name_the_reservation() {
    let order = fixture::order();
    let query = step(TicketOp::Query, &order).unwrap();
    assert_eq!((query.method, query.url.as_str()), (Method::GET, "https://tickets.example/bridge/reservations/bkg_1"));
    assert!(query.body.is_empty());
    let cancel = step(TicketOp::Cancel, &order).unwrap();
    assert_eq!(cancel.method, Method::POST);
    assert_eq!(cancel.url, "https://tickets.example/bridge/reservations/bkg_1/cancel");
    assert_eq!(cancel.body.as_ref(), br#"{"reason":"booking_cancelled"}"#);
}

#[test]
fn the_body_stays_the_same_while_the_order_moves_on() {
    let mut order = fixture::order();
    let before = step(TicketOp::Cancel, &order).unwrap();
    order.state = ticketbridge_core::order::OrderState::Cancelled;
    order.cancel_reason = Some(ticketbridge_core::order::CancelReason::RefundedBeforeUse);
    assert_eq!(step(TicketOp::Cancel, &order).unwrap(), before);
}

#[test]
fn the_buyer_is_the_contact_when_nobody_else_is_named() {
    let mut order = fixture::order();
    order.booking.as_mut().unwrap().contact = None;
    let body: Value = serde_json::from_slice(&step(TicketOp::Issue, &order).unwrap().body).unwrap();
    assert_eq!(body["contact"], json!({ "name": null, "phone": "13800000001", "document": null }));
}

#[test]
fn what_the_channel_has_not_decrypted_is_never_sent() {
    let mut order = fixture::order();
    order.booking.as_mut().unwrap().visitors[1].name = Some(PersonName::new("Enc.abc"));
    let error = step(TicketOp::Issue, &order).unwrap_err();
    assert!(matches!(error, EncodeError::Missing(_)), "{error}");
    // A question and a cancellation need nobody's name.
    assert!(step(TicketOp::Query, &order).is_ok());
    assert!(step(TicketOp::Cancel, &order).is_ok());
}

#[test]
fn an_order_of_another_back_end_is_refused() {
    let mut order = fixture::order();
    order.rules.booking.ticketing = product::Ticketing::None;
    assert_eq!(step(TicketOp::Issue, &order), Err(EncodeError::Missing("product at this back-end")));
}

#[derive(Deserialize)]
struct Answers {
    answer: Vec<AnswerCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswerCase {
    name: String,
    op: TicketOp,
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: String,
    result: String,
    /// The back-end's own number, where it has given one before.
    known_ref: Option<String>,
    facts: Option<String>,
    says: Option<String>,
    after_ms: Option<i64>,
}

fn booking(known_ref: &Option<String>) -> Booking {
    let mut booking = fixture::order().booking.unwrap();
    booking.ticketing.backend_ref = known_ref.clone().map(ForeignNumber::new);
    booking
}

#[test]
fn answers_mean_what_the_cases_say() {
    let cases: Answers = toml::from_str(include_str!("cases/answers.toml")).unwrap();
    for case in cases.answer {
        let result = calls(&*gate()).read(
            case.op,
            &fixture::order(),
            &booking(&case.known_ref),
            &response(case.status, &case.headers, case.body),
        );
        let (word, says, facts, after) = match &result {
            CallResult::Done(facts) => ("done", String::new(), Some(clear(facts)), None),
            CallResult::Retry { why, after } => ("retry", why.to_string(), None, after.map(|a| a.0)),
            CallResult::Refused { code, why } => ("refused", format!("{code} {why}"), None, None),
            CallResult::Unknown { why } => ("unknown", why.to_string(), None, None),
            CallResult::Astray { why } => ("astray", why.to_string(), None, None),
            CallResult::Overtaken | CallResult::Absent => ("absent", String::new(), None, None),
            CallResult::TokenRejected => ("token_rejected", String::new(), None, None),
        };
        assert_eq!(word, case.result, "{}: {result:?}", case.name);
        assert_eq!(facts, case.facts.map(|text| serde_json::from_str(&text).unwrap()), "{}", case.name);
        assert_eq!(after, case.after_ms, "{}", case.name);
        assert!(says.contains(&case.says.unwrap_or_default()), "{}: {says}", case.name);
    }
}

#[test]
fn tickets_have_limits() {
    let read = |kind: &str, chars: usize, count: usize| {
        let page = if kind == "url" { "https://t.example/" } else { "" };
        let ticket = json!({ "code": format!("{page}{}", "x".repeat(chars - page.len())), "kind": kind });
        let body = json!({ "state": "issued", "tickets": vec![ticket; count] }).to_string();
        matches!(
            calls(&*gate()).read(
                TicketOp::Issue,
                &fixture::order(),
                &booking(&None),
                &response(200, &BTreeMap::new(), body)
            ),
            CallResult::Done(_)
        )
    };
    for (kind, chars_max) in [("code", CODE_CHARS_MAX), ("document", CODE_CHARS_MAX), ("qr", QR_CHARS_MAX)] {
        assert!(read(kind, chars_max, 1), "{kind}");
        assert!(!read(kind, chars_max + 1, 1), "{kind}");
    }
    assert!(read("code", 8, TICKETS_MAX));
    assert!(!read("code", 8, TICKETS_MAX + 1));
}

#[derive(Deserialize)]
struct Events {
    event: Vec<EventCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventCase {
    name: String,
    body: String,
    facts: Option<String>,
    redeemed_at: Option<String>,
    field: Option<String>,
}

/// Sends a body as the back-end would, signed, and reads it.
fn receive(id: &str, body: &str) -> Result<BackendEvent, DecodeError> {
    let mut headers = HeaderMap::new();
    Secrets::parse([SECRET]).unwrap().sign_into(&mut headers, id, fixture::NOW, body.as_bytes()).unwrap();
    let raw =
        RawRequest { endpoint: "events", method: &Method::POST, query: "", headers: &headers, body: body.as_bytes() };
    let gate = gate();
    let verified = gate.pushes().unwrap().verify(raw, &fixture::context()).unwrap();
    gate.pushes().unwrap().decode(&verified)
}

#[test]
fn events_mean_what_the_cases_say() {
    let cases: Events = toml::from_str(include_str!("cases/events.toml")).unwrap();
    for case in cases.event {
        let event = match (receive("evt-1", &case.body), case.field) {
            (Ok(event), None) => event,
            (Err(error), Some(field)) => {
                assert_eq!(error.field, field, "{}: {error}", case.name);
                continue;
            }
            (result, field) => panic!("{}: {result:?}, but expected {field:?}", case.name),
        };
        assert_eq!(event.key, "evt-1", "{}", case.name);
        let (facts, redeemed_at) = match &event.news {
            BackendNews::Facts(facts) => (Some(clear(facts)), None),
            BackendNews::Redeemed { at } => (None, Some(*at)),
            BackendNews::Ignored => (None, None),
        };
        assert_eq!(facts, case.facts.map(|text| serde_json::from_str(&text).unwrap()), "{}", case.name);
        let expected = case.redeemed_at.map(|text| UnixMillis::parse_rfc3339(&text).unwrap());
        assert_eq!(redeemed_at, expected, "{}", case.name);
    }
}

#[test]
fn an_event_that_is_not_signed_is_not_believed() {
    let headers = HeaderMap::new();
    let raw = RawRequest { endpoint: "events", method: &Method::POST, query: "", headers: &headers, body: b"{}" };
    assert!(gate().pushes().unwrap().verify(raw, &fixture::context()).is_err());
    let mut headers = HeaderMap::new();
    let other = Secrets::parse(["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"]).unwrap();
    other.sign_into(&mut headers, "evt-1", fixture::NOW, b"{}").unwrap();
    let raw = RawRequest { headers: &headers, ..raw };
    assert_eq!(gate().pushes().unwrap().verify(raw, &fixture::context()).unwrap_err(), AuthError::BadSignature);
}

#[test]
fn an_events_id_has_a_limit() {
    let body = r#"{"type":"reservation.cancelled","reservation_id":"bkg_1"}"#;
    assert!(receive(&"e".repeat(128), body).is_ok());
    assert_eq!(receive(&"e".repeat(129), body).unwrap_err().field, "webhook-id");
}

#[test]
fn availability_is_asked_and_read() {
    let (from, to) = (Date::parse("2026-12-01").unwrap(), Date::parse("2026-12-03").unwrap());
    let call =
        gate().availability().unwrap().call("P 7&8", &Default::default(), from, to, &fixture::context()).unwrap();
    assert_eq!(call.method, Method::GET);
    assert_eq!(call.url, "https://tickets.example/bridge/availability?product=P%207%268&from=2026-12-01&to=2026-12-03");
    let read = |status: u16, body: &str| {
        gate()
            .availability()
            .unwrap()
            .read("P-778", &response(status, &BTreeMap::new(), Bytes::copy_from_slice(body.as_bytes())))
    };
    let body = r#"{"days":[{"date":"2026-12-01","remaining":5,"price":19900,"currency":"CNY"},
        {"date":"2026-12-02","remaining":-3,"price":0},{"date":"2026-12-03","remaining":null,"price":1}]}"#;
    let day = |date: Date, left, price| CalendarDay { date, left, price, open: true };
    let days = vec![day(from, Some(5), 19_900), day(from.plus_days(1), Some(0), 0), day(to, None, 1)];
    assert_eq!(read(200, body), CallResult::Done(days));
    for bad in [
        r#"{"days":[{"date":"1.12.2026","remaining":5,"price":1}]}"#,
        r#"{"days":[{"date":"2026-12-01","remaining":5,"price":-1}]}"#,
        r#"{"days":[{"date":"2026-12-01","remaining":5}]}"#,
        "{}",
        "[]",
        "",
    ] {
        assert!(matches!(read(200, bad), CallResult::Unknown { .. }), "{bad}");
    }
    assert!(matches!(read(200, r#"{"product":"P-779","days":[]}"#), CallResult::Astray { .. }));
    assert_eq!(read(200, r#"{"product":"P-778","days":[]}"#), CallResult::Done(Vec::new()));
    assert!(matches!(read(500, ""), CallResult::Retry { .. }));
    assert!(matches!(read(401, ""), CallResult::Retry { .. }));
}

#[test]
fn settings_are_checked_all_at_once() {
    let problems =
        build(json!({ "base_url": "http://tickets.example", "secret": "hush", "timeout": "5" })).err().unwrap();
    assert_eq!(problems.iter().map(|p| p.key.as_str()).collect::<Vec<_>>(), ["base_url", "secret", "timeout"]);
    assert!(!format!("{problems:?}").contains("hush"));
    let problems = build(json!({})).err().unwrap();
    assert_eq!(problems.iter().map(|p| p.key.as_str()).collect::<Vec<_>>(), ["base_url", "secret"]);
    assert!(build(json!({ "base_url": "http://127.0.0.1:9/x", "secret": [SECRET, SECRET] })).is_ok());
}

/// What it was told of with the first request is not believed of the question after it either.
#[test]
fn tickets_for_another_product_or_number_of_units_are_nobodys() {
    let order = fixture::order();
    let booking = order.booking.as_ref().unwrap();
    let said = |extra: &str| {
        let tickets = r#"[{"code":"T-1","kind":"code"},{"code":"T-2","kind":"code"}]"#;
        format!(r#"{{"state":"issued","backend_ref":"B-1","tickets":{tickets},{extra}}}"#)
    };
    for op in [TicketOp::Issue, TicketOp::Query] {
        for (extra, is_ours) in
            [(r#""product":"P-778","quantity":2"#, true), (r#""product":"P-779""#, false), (r#""quantity":7"#, false)]
        {
            let read = map::read(op, &order, booking, &response(200, &BTreeMap::new(), said(extra)));
            assert_eq!(matches!(read, CallResult::Astray { .. }), !is_ours, "{op:?} {extra}: {read:?}");
        }
    }
}
