// SPDX-License-Identifier: Apache-2.0

//! Conversations with a supplier that follows a script: each line is the call that must come, and what is said to it.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use ticketbridge_core::BackendId;
use ticketbridge_core::message::{Keeps, TicketFacts, TicketOp};
use ticketbridge_core::order::{Order, Ticket, TicketKind, TicketingState};
use ticketbridge_core::personal::{DocumentNumber, Person, Personal, in_clear};
use ticketbridge_core::port::{Backend, CallResult, Context, HttpResponse, Operations, Silence, Talks, Turn};
use ticketbridge_core::product::{self, BackendTerms, Slot};
use ticketbridge_core::time::{Date, Millis, TimeZone};

use super::KIND;
use crate::fixture;
use crate::uuids as ids;

const QR: &str = "QR-1";

fn octo(more: Value) -> Box<dyn Backend> {
    let mut settings = json!({ "base_url": "https://supplier.example/octo", "key": "k-1" });
    settings.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    (KIND.build)("ventrata", &settings).ok().unwrap()
}

fn talks(backend: &dyn Backend) -> &dyn Talks {
    let Operations::Talks(talks) = backend.operations() else { panic!("conversations") };
    talks
}

/// Two copies for two people each: four units.
fn order() -> Order {
    let mut order = fixture::order();
    order.rules.booking.ticketing = product::Ticketing::Backend {
        backend: BackendId::new("ventrata"),
        product: "P1/O1".into(),
        terms: BackendTerms { units: BTreeMap::from([("adult".into(), "u-adult".into())]), ..Default::default() },
    };
    order
}

fn uuid(attempt: u32) -> String {
    ids::booking("ventrata", "bkg_1", attempt)
}

fn product() -> Value {
    json!({ "id": "P1", "availabilityRequired": true, "options": [{ "id": "O1", "default": true, "units": [{ "id": "u-adult" }] }] })
}

fn slots() -> Value {
    json!([{ "id": "2026-12-01T00:00:00+08:00", "localDateTimeStart": "2026-12-01T00:00:00+08:00", "available": true,
        "status": "AVAILABLE", "vacancies": null }])
}

/// A booking of an attempt, in a state, with its codes or without.
fn booking(attempt: u32, status: &str) -> Value {
    let has_codes = matches!(status, "CONFIRMED" | "REDEEMED");
    let ticket = |n: usize| match has_codes {
        true => json!({ "redemptionMethod": "DIGITAL", "deliveryOptions": [
            { "deliveryFormat": "PKPASS_URL", "deliveryValue": "https://x.example/p" },
            { "deliveryFormat": "QRCODE", "deliveryValue": format!("{QR}-{n}") }] }),
        false => Value::Null,
    };
    let units: Vec<Value> =
        (0..4).map(|n| json!({ "uuid": "u", "unitId": "u-adult", "status": "ON_HOLD", "ticket": ticket(n) })).collect();
    json!({ "id": "SUP-7", "uuid": uuid(attempt), "testMode": false, "status": status, "supplierReference": "REF7",
        "productId": "P1", "optionId": "O1", "utcExpiresAt": "2026-11-21T02:15:00Z", "deliveryMethods": ["TICKET"],
        "unitItems": units })
}

fn error(code: &str) -> Value {
    json!({ "error": code, "errorMessage": "no" })
}

/// What is said to a call.
#[derive(Clone)]
enum Say {
    Ok(Value),
    /// A 200 whose body breaks off after so many bytes.
    Cut(Value, usize),
    Err(u16, Value),
    Html(u16),
    /// A status, and the seconds after which it is worth coming again.
    After(u16, &'static str),
    Lost,
    NotSent,
}
use Say::{After, Cut, Err as Refuse, Html, Lost, NotSent, Ok as Answer};

struct Story {
    backend: Box<dyn Backend>,
    order: Order,
    op: TicketOp,
    resumed: bool,
    now: Millis,
    /// The supplier's clock, as its answers have it.
    date: Option<&'static str>,
}

impl Story {
    fn issue() -> Self {
        Story {
            backend: octo(json!({})),
            order: order(),
            op: TicketOp::Issue,
            resumed: false,
            now: Millis(0),
            date: None,
        }
    }
    fn again() -> Self {
        Story { resumed: true, ..Self::issue() }
    }
    fn of(op: TicketOp, state: TicketingState) -> Self {
        let mut story = Self::issue();
        story.op = op;
        story.order.booking.as_mut().unwrap().ticketing.state = state;
        story
    }
    /// Plays the script; every line must be asked for, in this order, and nothing else.
    fn play(&self, script: &[(&str, Say)]) -> CallResult<TicketFacts> {
        self.played(script).0
    }
    /// The bodies of the calls that a script is played with.
    fn sent(&self, script: &[(&str, Say)]) -> Vec<Value> {
        self.played(script).1
    }
    fn played(&self, script: &[(&str, Say)]) -> (CallResult<TicketFacts>, Vec<Value>) {
        let mut sent = Vec::new();
        let booking = self.order.booking.as_ref().unwrap();
        let mut talk = talks(&*self.backend).talk(self.op, &self.order, booking, self.resumed).unwrap();
        let cx = Context { now: fixture::NOW + self.now, ..fixture::context() };
        let mut script = script.iter();
        loop {
            let name = match talk.next(&cx).unwrap() {
                Turn::End(result) => {
                    assert!(script.next().is_none(), "it ended early: {result:?}");
                    return (result, sent);
                }
                Turn::Call(name, call) => {
                    assert_eq!(call.headers["authorization"], "Bearer k-1");
                    assert_eq!(call.headers["octo-capabilities"], "", "required, even when nothing is wanted");
                    sent.push(serde_json::from_slice(&call.body).unwrap_or_default());
                    name
                }
            };
            let (expected, say) = script.next().unwrap_or_else(|| panic!("`{name}` was not expected"));
            assert_eq!(name, *expected);
            let headers: HeaderMap =
                self.date.iter().map(|date| (http::header::DATE, http::HeaderValue::from_static(date))).collect();
            let respond = |status: u16, body: Bytes| HttpResponse {
                status: StatusCode::from_u16(status).unwrap(),
                headers: headers.clone(),
                body,
            };
            match say {
                Answer(body) => talk.answered(&respond(200, Bytes::from(body.to_string())), &cx),
                Cut(body, bytes) => {
                    let whole = Bytes::from(body.to_string());
                    talk.answered(&respond(200, whole.slice(..*bytes)), &cx);
                }
                Refuse(status, body) => talk.answered(&respond(*status, Bytes::from(body.to_string())), &cx),
                Html(status) => talk.answered(&respond(*status, Bytes::from_static(b"<html>oops</html>")), &cx),
                After(status, seconds) => {
                    let mut response = respond(*status, Bytes::new());
                    response.headers.insert(http::header::RETRY_AFTER, http::HeaderValue::from_static(seconds));
                    talk.answered(&response, &cx);
                }
                Lost => talk.unanswered(Silence::Unknown("no full answer".into())),
                NotSent => talk.unanswered(Silence::NotSent("no connection".into())),
            }
        }
    }
}

fn codes(result: &CallResult<TicketFacts>) -> Vec<String> {
    match result {
        CallResult::Done(TicketFacts::Issued { tickets, backend_ref }) => {
            assert_eq!(backend_ref, &Some("REF7".into()));
            assert!(tickets.iter().all(|ticket| ticket.kind == TicketKind::Qr));
            tickets.iter().map(|ticket| ticket.code.reveal().to_owned()).collect()
        }
        other => panic!("no tickets: {other:?}"),
    }
}
fn reason(result: CallResult<TicketFacts>) -> String {
    match result {
        CallResult::Done(TicketFacts::Refused { reason }) => reason.to_string(),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn tickets_are_reserved_confirmed_and_read() {
    let result = Story::issue().play(&[
        ("product", Answer(product())),
        ("availability", Answer(slots())),
        ("reserve", Answer(booking(1, "ON_HOLD"))),
        ("confirm", Answer(booking(1, "CONFIRMED"))),
        ("read", Answer(booking(1, "CONFIRMED"))),
    ]);
    assert_eq!(codes(&result), ["QR-1-0", "QR-1-1", "QR-1-2", "QR-1-3"]);
}

#[test]
fn an_open_dated_product_and_a_free_sale_take_fewer_steps() {
    let mut open = product();
    open["availabilityRequired"] = json!(false);
    let result = Story::issue().play(&[
        ("product", Answer(open)),
        ("reserve", Answer(booking(1, "CONFIRMED"))),
        ("read", Answer(booking(1, "CONFIRMED"))),
    ]);
    assert_eq!(codes(&result).len(), 4);
}

#[test]
fn a_lost_reserve_is_looked_up_and_adopted_or_sent_again_under_the_same_uuid() {
    let begin = [("product", Answer(product())), ("availability", Answer(slots()))];
    let end = [("confirm", Answer(booking(1, "CONFIRMED"))), ("read", Answer(booking(1, "CONFIRMED")))];
    for (middle, what) in [
        (vec![("reserve", Lost), ("read", Answer(booking(1, "ON_HOLD")))], "it had arrived"),
        (
            vec![
                ("reserve", Lost),
                ("read", Refuse(400, error("INVALID_BOOKING_UUID"))),
                ("reserve", Answer(booking(1, "ON_HOLD"))),
            ],
            "it had not",
        ),
        (
            vec![
                ("reserve", Html(500)),
                ("read", Refuse(404, json!({}))),
                ("reserve", Refuse(400, error("INVALID_BOOKING_UUID"))),
                ("read", Answer(booking(1, "ON_HOLD"))),
            ],
            "it came late, and the repeat is refused as used already",
        ),
        (
            vec![
                ("reserve", Refuse(500, error("INTERNAL_SERVER_ERROR"))),
                ("read", Refuse(400, error("BAD_REQUEST"))),
                ("reserve", Refuse(400, error("INTERNAL_SERVER_ERROR"))),
                ("read", Answer(booking(1, "ON_HOLD"))),
            ],
            "a unique key at the supplier answers with 500",
        ),
        (vec![("reserve", Refuse(429, json!({}))), ("read", Answer(booking(1, "ON_HOLD")))], "429 after the effect"),
        (
            vec![("reserve", Answer(json!({ "ok": true }))), ("read", Answer(booking(1, "ON_HOLD")))],
            "a 200 without sense",
        ),
        (vec![("reserve", Answer(booking(9, "ON_HOLD"))), ("read", Answer(booking(1, "ON_HOLD")))], "another booking"),
    ] {
        let script: Vec<_> = begin.iter().cloned().chain(middle).chain(end.iter().cloned()).collect();
        assert_eq!(codes(&Story::issue().play(&script)).len(), 4, "{what}");
    }
}

#[test]
fn a_reservation_that_stays_unknown_stays_in_doubt() {
    let absent = || Refuse(400, error("INVALID_BOOKING_UUID"));
    let result = Story::issue().play(&[
        ("product", Answer(product())),
        ("availability", Answer(slots())),
        ("reserve", Lost),
        ("read", absent()),
        ("reserve", Lost),
        ("read", absent()),
    ]);
    assert!(matches!(result, CallResult::Unknown { .. }), "{result:?}");
    let never = Story { backend: octo(json!({ "repeat_reserve": "never" })), ..Story::issue() };
    let result = never.play(&[
        ("product", Answer(product())),
        ("availability", Answer(slots())),
        ("reserve", Lost),
        ("read", absent()),
    ]);
    assert!(matches!(result, CallResult::Unknown { .. }), "{result:?}");
    let result = Story::issue().play(&[
        ("product", Answer(product())),
        ("availability", Answer(slots())),
        ("reserve", Lost),
        ("read", Html(502)),
    ]);
    assert!(matches!(result, CallResult::Unknown { .. }), "in doubt while the read fails: {result:?}");
}

#[test]
fn a_call_that_never_left_is_repeated_later() {
    let result = Story::issue().play(&[("product", NotSent)]);
    assert!(matches!(result, CallResult::Retry { .. }), "{result:?}");
    let result =
        Story::issue().play(&[("product", Answer(product())), ("availability", Answer(slots())), ("reserve", NotSent)]);
    assert!(matches!(result, CallResult::Retry { .. }), "{result:?}");
}

#[test]
fn a_repeat_goes_on_where_the_supplier_stands() {
    let confirmed = ("read", Answer(booking(1, "CONFIRMED")));
    assert_eq!(codes(&Story::again().play(&[confirmed])).len(), 4, "a lost confirmation is not sent again");
    let result = Story::again().play(&[
        ("read", Answer(booking(1, "ON_HOLD"))),
        ("product", Answer(product())),
        ("confirm", Answer(booking(1, "CONFIRMED"))),
        ("read", Answer(booking(1, "CONFIRMED"))),
    ]);
    assert_eq!(codes(&result).len(), 4);
    let result = Story::again().play(&[
        ("read", Answer(booking(1, "ON_HOLD"))),
        ("product", Answer(product())),
        ("confirm", Lost),
        ("read", Answer(booking(1, "ON_HOLD"))),
        ("confirm", Answer(booking(1, "CONFIRMED"))),
        ("read", Answer(booking(1, "CONFIRMED"))),
    ]);
    assert_eq!(codes(&result).len(), 4, "a confirmation that did not arrive");
    let result = Story::again().play(&[
        ("read", Answer(booking(1, "ON_HOLD"))),
        ("product", Refuse(404, error("NOT_FOUND"))),
        ("confirm", Answer(booking(1, "CONFIRMED"))),
        ("read", Answer(booking(1, "CONFIRMED"))),
    ]);
    assert_eq!(codes(&result).len(), 4, "what is held is confirmed, whatever is said of the product");
    let result = Story::again().play(&[("read", Answer(booking(1, "ON_HOLD"))), ("product", Html(502))]);
    assert!(matches!(result, CallResult::Retry { .. }), "{result:?}");
    let result = Story::again().play(&[
        ("read", Answer(booking(1, "EXPIRED"))),
        ("read", Refuse(404, error("NOT_FOUND"))),
        ("product", Answer(product())),
        ("availability", Answer(slots())),
        ("reserve", Answer(booking(2, "ON_HOLD"))),
        ("confirm", Answer(booking(2, "CONFIRMED"))),
        ("read", Answer(booking(2, "CONFIRMED"))),
    ]);
    assert_eq!(codes(&result).len(), 4, "a hold that ran out makes room for one more attempt");
}

/// The supplier says that it has sold, with codes and all, and its books know better.
#[test]
fn a_confirmation_is_believed_when_it_reads_so() {
    let begin = [
        ("read", Answer(booking(1, "ON_HOLD"))),
        ("product", Answer(product())),
        ("confirm", Answer(booking(1, "CONFIRMED"))),
    ];
    let then = |rest: Vec<(&'static str, Say)>| Story::again().play(&[&begin[..], &rest].concat());
    let held = then(vec![("read", Answer(booking(1, "ON_HOLD")))]);
    assert!(
        matches!(held, CallResult::Done(TicketFacts::Pending { look_after: Some(Millis(2_000)), .. })),
        "it is neither shown to the guest, nor confirmed or given back before it was read again: {held:?}"
    );
    for said in [Html(502), Lost, NotSent, Refuse(400, error("INVALID_BOOKING_UUID"))] {
        let unread = then(vec![("read", said)]);
        assert!(matches!(unread, CallResult::Unknown { .. }), "nobody knows: {unread:?}");
    }
    let mut bare = booking(1, "CONFIRMED");
    for unit in bare["unitItems"].as_array_mut().unwrap() {
        unit["ticket"] = Value::Null;
    }
    let result = then(vec![("read", Answer(bare))]);
    assert_eq!(codes(&result).len(), 4, "the sale is in the books, and the codes were in the answer");
    let mut others = booking(1, "CONFIRMED");
    for unit in others["unitItems"].as_array_mut().unwrap() {
        unit["ticket"]["deliveryOptions"] = json!([{ "deliveryFormat": "QRCODE", "deliveryValue": "QR-2" }]);
    }
    let result = then(vec![("read", Answer(others))]);
    assert!(codes(&result).iter().all(|code| code == "QR-2"), "the books name the codes: {result:?}");
}

/// The next uuid is used only once this one was read as over: two bookings would admit twice.
#[test]
fn an_attempt_is_over_when_it_reads_so_and_not_when_a_write_is_answered_so() {
    let held = ("read", Answer(booking(1, "ON_HOLD")));
    for word in ["EXPIRED", "CANCELLED", "REJECTED", "REDEEMED"] {
        let confirm = ("confirm", Answer(booking(1, word)));
        let (of_product, sold) = (("product", Answer(product())), ("read", Answer(booking(1, "CONFIRMED"))));
        let result = Story::again().play(&[held.clone(), of_product, confirm, sold]);
        assert_eq!(codes(&result).len(), 4, "{word} was a word: it is sold");
        let result = Story::issue().play(&[
            ("product", Answer(product())),
            ("availability", Answer(slots())),
            ("reserve", Answer(booking(1, word))),
            held.clone(),
            ("confirm", Answer(booking(1, "CONFIRMED"))),
            ("read", Answer(booking(1, "CONFIRMED"))),
        ]);
        assert_eq!(codes(&result).len(), 4, "{word} was a word: it is held");
    }
}

#[test]
fn a_hold_that_ends_soon_is_lengthened_first() {
    let mut short = booking(1, "ON_HOLD");
    short["utcExpiresAt"] = json!("2026-11-21T02:00:30Z");
    for said in [Answer(booking(1, "ON_HOLD")), Refuse(400, error("UNPROCESSABLE_ENTITY")), Lost] {
        let result = Story::again().play(&[
            ("read", Answer(short.clone())),
            ("extend", said),
            ("product", Answer(product())),
            ("confirm", Answer(booking(1, "CONFIRMED"))),
            ("read", Answer(booking(1, "CONFIRMED"))),
        ]);
        assert_eq!(codes(&result).len(), 4);
    }
}

#[test]
fn a_hold_that_is_over_is_replaced_only_when_it_was_read_as_over() {
    let no = || Refuse(400, error("INVALID_BOOKING_UUID"));
    // The next one, which is not there yet.
    let then_the_next = |mut first: Vec<(&'static str, Say)>| {
        first.extend([
            ("read", no()),
            ("availability", Answer(slots())),
            ("reserve", Answer(booking(2, "ON_HOLD"))),
            ("confirm", Answer(booking(2, "CONFIRMED"))),
            ("read", Answer(booking(2, "CONFIRMED"))),
        ]);
        first
    };
    let result = Story::again().play(&then_the_next(vec![
        ("read", Answer(booking(1, "ON_HOLD"))),
        ("product", Answer(product())),
        ("confirm", no()),
        ("read", Answer(booking(1, "EXPIRED"))),
    ]));
    assert_eq!(codes(&result).len(), 4);
    // Its books call it a hold for ever: it is given back first.
    let mut over = booking(1, "ON_HOLD");
    over["utcExpiresAt"] = json!("2026-11-21T01:59:00Z");
    let held = ("read", Answer(over));
    let result = Story::again().play(&then_the_next(vec![
        held.clone(),
        ("extend", no()),
        ("product", Answer(product())),
        ("confirm", no()),
        held.clone(),
        ("confirm", no()),
        held,
        ("cancel", Answer(booking(1, "CANCELLED"))),
        ("read", Answer(booking(1, "CANCELLED"))),
    ]));
    assert_eq!(codes(&result).len(), 4);
    let ended = |n| ("read", Answer(booking(n, "EXPIRED")));
    let result = Story::again().play(&[ended(1), ended(2), ended(3), ended(4), ended(5)]);
    assert_eq!(reason(result), "5 holds have ended without tickets");
}

#[test]
fn no_room_is_told_apart_from_a_mistake() {
    let begin = ("product", Answer(product()));
    let mut full = slots();
    full[0]["available"] = json!(false);
    full[0]["status"] = json!("SOLD_OUT");
    let said = reason(Story::issue().play(&[begin.clone(), ("availability", Answer(full.clone()))]));
    assert!(said.starts_with("no_capacity"), "{said}");
    let said = reason(Story::issue().play(&[begin.clone(), ("availability", Answer(json!([])))]));
    assert!(said.starts_with("no_capacity"), "{said}");
    for code in ["UNPROCESSABLE_ENTITY", "BAD_REQUEST", "INVALID_AVAILABILITY_ID"] {
        let said = reason(Story::issue().play(&[
            begin.clone(),
            ("availability", Answer(slots())),
            ("reserve", Refuse(400, error(code))),
            ("availability", Answer(full.clone())),
        ]));
        assert!(said.starts_with("no_capacity"), "sold out between the two, as {code}: {said}");
    }
    for code in ["INVALID_PRODUCT_ID", "INVALID_OPTION_ID", "INVALID_UNIT_ID"] {
        let said = reason(Story::issue().play(&[("product", Refuse(400, error(code)))]));
        assert!(said.starts_with("configuration"), "never told to a guest as sold out: {said}");
    }
    let mut two = slots();
    two.as_array_mut().unwrap().push(json!({ "id": "b", "localDateTimeStart": "2026-12-01T10:00:00+08:00" }));
    let said = reason(Story::issue().play(&[begin, ("availability", Answer(two))]));
    assert!(said.starts_with("configuration"), "{said}");
}

#[test]
fn a_key_that_is_not_accepted_is_nobodys_refusal() {
    for said in [Refuse(403, error("FORBIDDEN")), Refuse(400, error("UNAUTHORIZED")), Refuse(401, json!({})), Html(403)]
    {
        assert_eq!(Story::issue().play(&[("product", said.clone())]), CallResult::TokenRejected);
        assert_eq!(Story::again().play(&[("read", said)]), CallResult::TokenRejected);
    }
}

#[test]
fn what_is_not_there_yet_is_asked_for_again_at_the_planned_times() {
    let pending = |seconds: i64| {
        let mut story = Story::again();
        story.now = Millis::seconds(seconds);
        match story.play(&[("read", Answer(booking(1, "PENDING")))]) {
            CallResult::Done(TicketFacts::Pending { look_after: Some(after), .. }) => after.0 / 1_000,
            other => panic!("{other:?}"),
        }
    };
    let gaps: Vec<i64> = [0, 3, 10, 20, 60].into_iter().map(pending).collect();
    assert_eq!(gaps, [2, 5, 10, 20, 30]);
    // The last call is 90 s before the deadline, ten minutes after the booking.
    assert_eq!(pending(500), 10);
    assert_eq!(pending(511), 30);
    let mut bare = booking(1, "CONFIRMED");
    bare["unitItems"][3]["ticket"] = Value::Null;
    let result = Story::again().play(&[("read", Answer(bare))]);
    assert!(matches!(result, CallResult::Done(TicketFacts::Pending { .. })), "nothing is shown in part: {result:?}");
}

#[test]
fn whoever_gives_up_cancels_first_and_says_so_only_when_it_is_done() {
    let mut story = Story { backend: octo(json!({ "on_deadline": "give_up" })), ..Story::again() };
    story.now = Millis::seconds(511);
    let read = ("read", Answer(booking(1, "PENDING")));
    let off = || Answer(booking(1, "CANCELLED"));
    let said = reason(story.play(&[read.clone(), ("cancel", off()), ("read", off())]));
    assert!(said.starts_with("given up"), "{said}");
    let result = story.play(&[
        read.clone(),
        ("cancel", Lost),
        ("read", Answer(booking(1, "PENDING"))),
        ("cancel", Lost),
        ("read", Answer(booking(1, "PENDING"))),
    ]);
    assert!(matches!(result, CallResult::Unknown { .. }), "nothing definite is said: {result:?}");
    let result = story.play(&[("read", Answer(booking(1, "CONFIRMED")))]);
    assert_eq!(codes(&result).len(), 4, "codes that came at the last call are good");
    // Ten minutes after the booking nobody gets them any more.
    story.now = Millis::seconds(600);
    let late = ("read", Answer(booking(1, "CONFIRMED")));
    let said = reason(story.play(&[late.clone(), ("cancel", off()), ("read", off())]));
    assert!(said.starts_with("given up"), "{said}");
    let no = Refuse(400, error("UNPROCESSABLE_ENTITY"));
    let result = story.play(&[late.clone(), ("cancel", no), late]);
    assert!(matches!(result, CallResult::Done(TicketFacts::Pending { .. })), "it is tried again later: {result:?}");
}

#[test]
fn what_is_not_what_was_asked_for_is_given_back() {
    let mut three = booking(1, "ON_HOLD");
    three["unitItems"].as_array_mut().unwrap().pop();
    let mut test = booking(1, "ON_HOLD");
    test["testMode"] = json!(true);
    let mut other = booking(1, "ON_HOLD");
    other["productId"] = json!("P2");
    let mut children = booking(1, "ON_HOLD");
    children["unitItems"][3]["unitId"] = json!("u-child");
    let slot = |id: &str, start: Option<&str>| {
        let mut held = booking(1, "ON_HOLD");
        held["availabilityId"] = json!(id);
        held["availability"] = start.map_or(Value::Null, |start| json!({ "id": id, "localDateTimeStart": start }));
        held
    };
    let other_visit = "the supplier holds another day or time";
    for (held, says) in [
        (three, "quantity_differs"),
        (test, "test_mode"),
        (other, "the supplier holds another product"),
        (children, "the supplier holds units of another kind"),
        (slot("x", Some("2027-01-01T00:00:00+08:00")), other_visit),
        (slot("x", Some("2026-12-01T17:00:00+08:00")), other_visit),
        (slot("2027-01-01T00:00:00+08:00", None), other_visit),
    ] {
        let said = reason(Story::issue().play(&[
            ("product", Answer(product())),
            ("availability", Answer(slots())),
            ("reserve", Answer(held)),
            ("cancel", Answer(booking(1, "EXPIRED"))),
            ("read", Answer(booking(1, "EXPIRED"))),
        ]));
        assert!(said.starts_with(says), "{said}");
    }
}

#[test]
fn a_booking_of_another_day_is_not_adopted_and_the_same_moment_is_the_same_day() {
    let on = |start: &str, status: &str| {
        let mut found = booking(1, status);
        found["availability"] = json!({ "id": "x", "localDateTimeStart": start });
        found
    };
    // The answer to the reservation was lost.
    let said = reason(Story::again().play(&[
        ("read", Answer(on("2027-01-01T09:00:00+08:00", "ON_HOLD"))),
        ("cancel", Answer(booking(1, "EXPIRED"))),
        ("read", Answer(booking(1, "EXPIRED"))),
    ]));
    assert!(said.starts_with("the supplier holds another day"), "{said}");
    for start in ["2026-12-01T09:00:00+08:00", "2026-12-01", "2026-11-30T16:30:00Z", "a word"] {
        let result = Story::again().play(&[("read", Answer(on(start, "CONFIRMED")))]);
        assert_eq!(codes(&result).len(), 4, "{start}");
    }
    // Whoever only looks gives nothing back, and shows nothing.
    let look = Story::of(TicketOp::Query, TicketingState::Issued);
    let result = look.play(&[("read", Answer(on("2027-01-01T09:00:00+08:00", "CONFIRMED")))]);
    assert!(matches!(result, CallResult::Astray { .. }), "{result:?}");
}

/// Another kind of guest has another price, and may not be let in alone.
#[test]
fn a_booking_for_guests_of_another_kind_is_not_adopted() {
    let children = |status: &str| {
        let mut found = booking(1, status);
        for unit in found["unitItems"].as_array_mut().unwrap() {
            unit["unitId"] = json!("u-child");
        }
        ("read", Answer(found))
    };
    let off = || Answer(booking(1, "CANCELLED"));
    for status in ["ON_HOLD", "CONFIRMED"] {
        let said = reason(Story::again().play(&[children(status), ("cancel", off()), ("read", off())]));
        assert_eq!(said, "the supplier holds units of another kind");
    }
    let look = Story::of(TicketOp::Query, TicketingState::Issued);
    let result = look.play(&[children("CONFIRMED")]);
    assert!(matches!(result, CallResult::Astray { .. }), "whoever only looks gives nothing back: {result:?}");
    // Which kind is ours is not known yet, or not said there.
    let mut any = Story::again();
    if let product::Ticketing::Backend { terms, .. } = &mut any.order.rules.booking.ticketing {
        terms.units.clear();
    }
    assert_eq!(codes(&any.play(&[children("CONFIRMED")])).len(), 4);
    let mut silent = booking(1, "CONFIRMED");
    for unit in silent["unitItems"].as_array_mut().unwrap() {
        unit["unitId"] = Value::Null;
    }
    assert_eq!(codes(&Story::again().play(&[("read", Answer(silent))])).len(), 4);
}

#[test]
fn days_are_counted_in_the_zone_that_the_product_names() {
    for (zone, day) in [
        (json!("Pacific/Honolulu"), "2026-11-20"),
        (json!("Asia/Shanghai"), "2026-11-21"),
        (json!("nowhere"), "2026-11-21"),
        (Value::Null, "2026-11-21"),
    ] {
        let mut told = product();
        told["timeZone"] = zone.clone();
        let told = serde_json::from_value(told).unwrap();
        let today = super::map::zone_of(Some(&told), TimeZone::UTC).date_of(fixture::NOW);
        assert_eq!(today.to_string(), day, "{zone}");
    }
}

#[test]
fn whoever_waits_for_codes_reads_and_reserves_nothing_again() {
    let mut bare = booking(1, "CONFIRMED");
    bare["unitItems"].as_array_mut().unwrap().iter_mut().for_each(|unit| unit["ticket"] = Value::Null);
    for state in [TicketingState::Requested, TicketingState::Unknown] {
        let look = Story::of(TicketOp::Query, state);
        let result = look.play(&[("read", Answer(bare.clone())), ("product", Answer(product()))]);
        assert!(matches!(result, CallResult::Done(TicketFacts::Pending { .. })), "{result:?}");
        let result = look.play(&[("read", Answer(booking(1, "CONFIRMED")))]);
        assert_eq!(codes(&result).len(), 4);
    }
}

#[test]
fn what_was_used_in_part_is_not_cancelled_and_a_person_decides() {
    let cancel = Story::of(TicketOp::Cancel, TicketingState::Cancelling);
    let mut part = booking(1, "CONFIRMED");
    part["unitItems"][0]["utcRedeemedAt"] = json!("2026-12-01T02:00:00Z");
    let result = cancel.play(&[("read", Answer(part))]);
    assert!(matches!(&result, CallResult::Done(TicketFacts::CancelRefused { used: false, .. })), "{result:?}");
    let mut whole = booking(1, "CONFIRMED");
    for unit in 0..4 {
        whole["unitItems"][unit]["utcRedeemedAt"] = json!("2026-12-01T02:00:00Z");
    }
    let result = cancel.play(&[("read", Answer(whole))]);
    assert!(matches!(&result, CallResult::Done(TicketFacts::CancelRefused { used: true, .. })), "{result:?}");
}

#[test]
fn a_rejection_is_final_and_an_unknown_word_is_no_step() {
    let said = reason(Story::again().play(&[("read", Answer(booking(1, "REJECTED")))]));
    assert!(said.starts_with("rejected"), "{said}");
    let result = Story::again().play(&[("read", Answer(booking(1, "ON_MOON")))]);
    assert!(matches!(&result, CallResult::Unknown { why } if why.reveal().contains("unknown_status")), "{result:?}");
}

#[test]
fn a_cancellation_is_done_when_it_reads_so() {
    let cancel = Story::of(TicketOp::Cancel, TicketingState::Cancelling);
    let done = CallResult::Done(TicketFacts::Cancelled);
    let none = || ("read", Refuse(400, error("INVALID_BOOKING_UUID")));
    let live = || ("read", Answer(booking(1, "CONFIRMED")));
    let over = |word| ("read", Answer(booking(1, word)));
    for (script, what) in [
        (vec![live(), ("cancel", Answer(booking(1, "CANCELLED"))), over("CANCELLED"), none()], "plainly"),
        (
            vec![live(), ("cancel", Answer(booking(1, "EXPIRED"))), over("EXPIRED"), none()],
            "a released hold reads EXPIRED",
        ),
        (vec![live(), ("cancel", Lost), ("read", Answer(booking(1, "CANCELLED"))), none()], "the answer was lost"),
        (
            vec![
                live(),
                ("cancel", Refuse(400, error("UNPROCESSABLE_ENTITY"))),
                ("read", Answer(booking(1, "CANCELLED"))),
                none(),
            ],
            "cancelled before",
        ),
        (vec![("read", Answer(booking(1, "CANCELLED"))), none()], "nothing is left to do"),
        (
            vec![
                live(),
                ("cancel", Lost),
                live(),
                ("cancel", Answer(booking(1, "CANCELLED"))),
                over("CANCELLED"),
                none(),
            ],
            "it had not arrived",
        ),
    ] {
        assert_eq!(cancel.play(&script), done, "{what}");
    }
    assert_eq!(cancel.play(&[none()]), CallResult::Absent, "there never was one");
}

/// Money that the supplier keeps is told beside the cancellation, and nothing about it makes an answer unreadable.
#[test]
fn what_the_supplier_does_not_give_back_is_told() {
    let mut cancel = Story::of(TicketOp::Cancel, TicketingState::Cancelling);
    let ticket = Ticket {
        id: "tkt_1".into(),
        code: DocumentNumber::new(QR),
        kind: TicketKind::Qr,
        project_id: None,
        name: None,
    };
    cancel.order.booking.as_mut().unwrap().ticketing.tickets = vec![ticket];
    for (refund, expected) in [
        (json!({ "refund": "NONE", "reason": null }), TicketFacts::CancelledKeeping { keeps: Keeps::All }),
        (json!({ "refund": "PARTIAL" }), TicketFacts::CancelledKeeping { keeps: Keeps::Part }),
        (json!({ "refund": "FULL" }), TicketFacts::Cancelled),
        (json!({ "refund": 7 }), TicketFacts::Cancelled),
        (json!("gone"), TicketFacts::Cancelled),
        (Value::Null, TicketFacts::Cancelled),
    ] {
        let mut off = booking(1, "CANCELLED");
        off["cancellation"] = refund.clone();
        let script = [
            ("read", Answer(booking(1, "CONFIRMED"))),
            ("cancel", Answer(off.clone())),
            ("read", Answer(off)),
            ("read", Refuse(400, error("INVALID_BOOKING_UUID"))),
        ];
        assert_eq!(cancel.play(&script), CallResult::Done(expected), "{refund}");
    }
    // What was only held has cost nothing.
    let held = Story::of(TicketOp::Cancel, TicketingState::Cancelling);
    let mut off = booking(1, "CANCELLED");
    off["cancellation"] = json!({ "refund": "NONE" });
    let none = ("read", Refuse(400, error("INVALID_BOOKING_UUID")));
    assert_eq!(held.play(&[("read", Answer(off)), none]), CallResult::Done(TicketFacts::Cancelled));
}

#[test]
fn a_booking_that_is_not_there_has_many_words_and_one_status() {
    let live = || ("read", Answer(booking(1, "CONFIRMED")));
    let off = || ("read", Answer(booking(1, "CANCELLED")));
    let cancel = Story::of(TicketOp::Cancel, TicketingState::Cancelling);
    let words = ["Not Found", "not_found", "BOOKING_NOT_FOUND", "UNKNOWN_BOOKING", "NOT_FOUND", "INVALID_BOOKING_UUID"];
    let bodies = words.map(|word| json!({ "error": word })).into_iter();
    let bodies = bodies.chain([json!({}), json!({ "statusCode": 404, "error": "Not Found" }), json!({ "error": 404 })]);
    for body in bodies {
        for status in [404, 410] {
            let none = || Refuse(status, body.clone());
            let gone = ("cancel", Answer(booking(1, "CANCELLED")));
            let result = cancel.play(&[live(), gone, off(), ("read", none())]);
            assert_eq!(result, CallResult::Done(TicketFacts::Cancelled), "{status} {body}");
            assert_eq!(cancel.play(&[("read", none())]), CallResult::Absent, "{status} {body}");
            let result = cancel.play(&[live(), ("cancel", none()), off(), ("read", none())]);
            assert_eq!(result, CallResult::Done(TicketFacts::Cancelled), "to the cancellation: {status} {body}");
            // A hold that is gone when it is confirmed is replaced once it was read as over.
            let result = Story::issue().play(&[
                ("product", Answer(product())),
                ("availability", Answer(slots())),
                ("reserve", none()),
                ("read", Answer(booking(1, "ON_HOLD"))),
                ("confirm", none()),
                ("read", Answer(booking(1, "CONFIRMED"))),
            ]);
            assert_eq!(codes(&result).len(), 4, "{status} {body}");
        }
    }
}

#[test]
fn a_refusal_in_words_that_nobody_knows_is_believed_once_it_was_read() {
    let (ask, slots_again) = ([("product", Answer(product())), ("availability", Answer(slots()))], slots());
    let odd = |status: u16| Refuse(status, json!({ "error": "OUR_OWN_WORD", "errorMessage": "no" }));
    let none = || ("read", Refuse(404, json!({ "error": "UNKNOWN_BOOKING" })));
    for status in [400, 409, 422] {
        let mut full = slots_again.clone();
        full[0]["status"] = json!("SOLD_OUT");
        full[0]["available"] = json!(false);
        let rest = [("reserve", odd(status)), none(), ("availability", Answer(full))];
        let said = reason(Story::issue().play(&[&ask[..], &rest].concat()));
        assert!(said.starts_with("no_capacity"), "{status}: {said}");
        let rest = [
            ("reserve", odd(status)),
            ("read", Answer(booking(1, "ON_HOLD"))),
            ("confirm", Answer(booking(1, "CONFIRMED"))),
            ("read", Answer(booking(1, "CONFIRMED"))),
        ];
        assert_eq!(codes(&Story::issue().play(&[&ask[..], &rest].concat())).len(), 4, "used already, as {status}");
        let live = ("read", Answer(booking(1, "CONFIRMED")));
        let cancel = Story::of(TicketOp::Cancel, TicketingState::Cancelling);
        let result = cancel.play(&[live.clone(), ("cancel", odd(status)), live]);
        let is_refused = |reason: &str| reason.contains("OUR_OWN_WORD");
        assert!(
            matches!(&result, CallResult::Done(TicketFacts::CancelRefused { used: false, reason }) if is_refused(reason.reveal())),
            "{status}: {result:?}"
        );
        let result = cancel.play(&[("read", odd(status))]);
        assert!(matches!(result, CallResult::Retry { .. }), "a read that says nothing ends nothing: {result:?}");
    }
    assert_eq!(Story::again().play(&[("read", odd(401))]), CallResult::TokenRejected);
    let result = Story::again().play(&[("read", odd(500))]);
    assert!(matches!(result, CallResult::Retry { .. }), "{result:?}");
}

/// At every byte at which the answer to a write may break off, what was done is read, and nothing is done twice.
#[test]
fn an_answer_to_a_write_that_breaks_off_anywhere_is_followed_by_a_read() {
    let ask = [("product", Answer(product())), ("availability", Answer(slots()))];
    let (held, sold, off) = (booking(1, "ON_HOLD"), booking(1, "CONFIRMED"), booking(1, "CANCELLED"));
    let issue = |rest: Vec<(&'static str, Say)>| Story::issue().play(&[&ask[..], &rest].concat());
    let cancel = Story::of(TicketOp::Cancel, TicketingState::Cancelling);
    for bytes in 0..held.to_string().len() {
        let result = issue(vec![
            ("reserve", Cut(held.clone(), bytes)),
            ("read", Answer(held.clone())),
            ("confirm", Answer(sold.clone())),
            ("read", Answer(sold.clone())),
        ]);
        assert_eq!(codes(&result).len(), 4, "reserve, {bytes} bytes");
    }
    for bytes in 0..sold.to_string().len() {
        let confirm = ("confirm", Cut(sold.clone(), bytes));
        let result = issue(vec![("reserve", Answer(held.clone())), confirm, ("read", Answer(sold.clone()))]);
        assert_eq!(codes(&result).len(), 4, "confirm, {bytes} bytes");
    }
    for bytes in 0..off.to_string().len() {
        let result = cancel.play(&[
            ("read", Answer(sold.clone())),
            ("cancel", Cut(off.clone(), bytes)),
            ("read", Answer(off.clone())),
            ("read", Refuse(400, error("INVALID_BOOKING_UUID"))),
        ]);
        assert_eq!(result, CallResult::Done(TicketFacts::Cancelled), "cancel, {bytes} bytes");
    }
}

#[test]
fn a_cancellation_that_is_refused_says_why() {
    let cancel = Story::of(TicketOp::Cancel, TicketingState::Cancelling);
    let refuse = ("cancel", Refuse(400, error("UNPROCESSABLE_ENTITY")));
    let live = ("read", Answer(booking(1, "CONFIRMED")));
    let result = cancel.play(&[live.clone(), refuse.clone(), live.clone()]);
    assert!(
        matches!(&result, CallResult::Done(TicketFacts::CancelRefused { used: false, reason }) if reason.reveal().contains("UNPROCESSABLE")),
        "{result:?}"
    );
    let used = ("read", Answer(booking(1, "REDEEMED")));
    let result = cancel.play(&[live.clone(), refuse.clone(), used]);
    assert!(matches!(result, CallResult::Done(TicketFacts::CancelRefused { used: true, .. })), "{result:?}");
    let pending = ("read", Answer(booking(1, "PENDING")));
    assert_eq!(cancel.play(&[pending.clone(), refuse, pending]), CallResult::Done(TicketFacts::CancelPending));
    let nothing = ("cancel", Answer(booking(1, "CONFIRMED")));
    let result = cancel.play(&[live.clone(), nothing.clone(), live.clone(), nothing, live]);
    assert!(matches!(result, CallResult::Unknown { .. }), "a yes that did nothing is not believed: {result:?}");
    let lie = ("cancel", Answer(booking(1, "CANCELLED")));
    let live = ("read", Answer(booking(1, "CONFIRMED")));
    let result = cancel.play(&[live.clone(), lie.clone(), live.clone(), lie, live]);
    assert!(matches!(result, CallResult::Unknown { .. }), "nor is one that says more than it did: {result:?}");
}

#[test]
fn older_servers_cancel_with_delete() {
    let backend = octo(json!({ "cancel_style": "delete" }));
    let mut order = order();
    order.booking.as_mut().unwrap().ticketing.state = TicketingState::Cancelling;
    let booked = order.booking.clone().unwrap();
    let mut talk = talks(&*backend).talk(TicketOp::Cancel, &order, &booked, false).unwrap();
    let cx = fixture::context();
    let Turn::Call("read", call) = talk.next(&cx).unwrap() else { panic!() };
    assert_eq!((call.method, call.url), (Method::GET, format!("https://supplier.example/octo/bookings/{}", uuid(1))));
    let body = Bytes::from(booking(1, "CONFIRMED").to_string());
    talk.answered(&HttpResponse { status: StatusCode::OK, headers: HeaderMap::new(), body }, &cx);
    let Turn::Call("cancel", call) = talk.next(&cx).unwrap() else { panic!() };
    assert_eq!(
        (call.method, call.url),
        (Method::DELETE, format!("https://supplier.example/octo/bookings/{}", uuid(1)))
    );
}

#[test]
fn a_look_tells_that_the_guest_was_there() {
    let look = Story::of(TicketOp::Query, TicketingState::Issued);
    let mut used = booking(1, "CONFIRMED");
    for unit in used["unitItems"].as_array_mut().unwrap() {
        unit["utcRedeemedAt"] = json!("2026-12-01T02:00:00Z");
    }
    let result = look.play(&[("read", Answer(used.clone()))]);
    assert!(matches!(result, CallResult::Done(TicketFacts::Redeemed { at: Some(_) })), "{result:?}");
    used["unitItems"][0]["utcRedeemedAt"] = Value::Null;
    assert_eq!(codes(&look.play(&[("read", Answer(used.clone()))])).len(), 4, "in part is not yet");
    let mut any = Story::of(TicketOp::Query, TicketingState::Issued);
    if let product::Ticketing::Backend { terms, .. } = &mut any.order.rules.booking.ticketing {
        terms.redeem_when = product::RedeemWhen::Any;
    }
    let result = any.play(&[("read", Answer(used))]);
    assert!(matches!(result, CallResult::Done(TicketFacts::Redeemed { .. })), "{result:?}");
}

#[test]
fn what_turns_up_after_a_cancellation_is_cancelled_too() {
    let look = Story::of(TicketOp::Query, TicketingState::Cancelled);
    let result = look.play(&[
        ("read", Answer(booking(1, "ON_HOLD"))),
        ("cancel", Answer(booking(1, "EXPIRED"))),
        ("read", Answer(booking(1, "EXPIRED"))),
        ("read", Refuse(400, error("INVALID_BOOKING_UUID"))),
    ]);
    assert_eq!(result, CallResult::Done(TicketFacts::Cancelled));
}

#[test]
fn the_wire_carries_one_unit_for_each_visitor_and_no_mail() {
    let backend = octo(json!({ "capabilities": ["octo/pricing"], "trailing_slash": true, "hold": "20m" }));
    let order = order();
    let booked = order.booking.clone().unwrap();
    let mut talk = talks(&*backend).talk(TicketOp::Issue, &order, &booked, false).unwrap();
    let cx = fixture::context();
    let answers = [product(), slots(), booking(1, "ON_HOLD"), booking(1, "CONFIRMED")];
    let mut bodies = Vec::new();
    for answer in answers {
        let Turn::Call(_, call) = talk.next(&cx).unwrap() else { panic!() };
        assert_eq!(call.headers["octo-capabilities"], "octo/pricing");
        bodies.push((call.url, serde_json::from_slice::<Value>(&call.body).unwrap_or_default()));
        let body = Bytes::from(answer.to_string());
        talk.answered(&HttpResponse { status: StatusCode::OK, headers: HeaderMap::new(), body }, &cx);
    }
    let (url, body) = &bodies[1];
    assert_eq!(url, "https://supplier.example/octo/availability/");
    assert_eq!(
        *body,
        json!({ "productId": "P1", "optionId": "O1", "localDateStart": "2026-12-01", "localDateEnd": "2026-12-01",
            "units": [{ "id": "u-adult", "quantity": 4 }], "currency": "CNY" })
    );
    let (url, body) = &bodies[2];
    assert_eq!(body["currency"], "CNY", "prices are asked for in the order's currency");
    assert_eq!(url, "https://supplier.example/octo/bookings/");
    assert_eq!((&body["uuid"], &body["expirationMinutes"]), (&json!(uuid(1)), &json!(20)));
    assert_eq!((&body["resellerReference"], &body["availabilityId"]), (&json!("bkg_1"), &slots()[0]["id"]));
    let units = body["unitItems"].as_array().unwrap();
    assert_eq!(units.len(), 4);
    assert!(units.iter().all(|unit| unit["unitId"] == "u-adult" && unit["uuid"].is_string()));
    let (url, body) = &bodies[3];
    assert_eq!(url, &format!("https://supplier.example/octo/bookings/{}/confirm", uuid(1)));
    assert_eq!(
        *body,
        json!({ "resellerReference": "bkg_1", "emailReceipt": false, "contact": { "fullName": "Ada Example",
            "firstName": "Ada", "lastName": "Example", "phoneNumber": "13800000002" } })
    );
}

/// A supplier that wants to know who each unit is for, says so of the unit: then every unit goes along with its guest, and else none does.
#[test]
fn each_unit_is_told_its_guest_where_the_supplier_wants_to_know() {
    let mut named = product();
    named["options"][0]["units"][0]["requiredContactFields"] = json!(["firstName", "phoneNumber"]);
    let mut order = order();
    let (contact, booking_of) = (order.booking.as_ref().unwrap().contact.clone().unwrap(), &mut order.booking);
    let guest = |name: &str| Person { name: Some(Personal::new(name)), phone: None, ..contact.clone() };
    booking_of.as_mut().unwrap().visitors = vec![guest("Bo First"), guest("Cy Second")];
    let told = |unit: &Value| unit["contact"].clone();
    let phone = "13800000002";
    let expected = ["Bo", "Cy", "Ada", "Ada"].map(|name| json!({ "firstName": name, "phoneNumber": phone }));
    let story = Story { order, ..Story::issue() };
    let sent = story.sent(&[
        ("product", Answer(named.clone())),
        ("availability", Answer(slots())),
        ("reserve", Answer(booking(1, "ON_HOLD"))),
        ("confirm", Answer(booking(1, "CONFIRMED"))),
        ("read", Answer(booking(1, "CONFIRMED"))),
    ]);
    let units = |call: usize| sent[call]["unitItems"].as_array().unwrap();
    assert_eq!(units(2).iter().map(told).collect::<Vec<_>>(), expected);
    assert_eq!(units(3), units(2), "all of them again, under their uuids: the list replaces the reserved one");

    // A hold of before, whose units the supplier has named itself.
    let mut held = booking(1, "ON_HOLD");
    for (at, unit) in held["unitItems"].as_array_mut().unwrap().iter_mut().enumerate() {
        unit["uuid"] = json!(format!("own-{at}"));
    }
    let resumed = Story { resumed: true, ..story };
    let script = [
        ("read", Answer(held)),
        ("product", Answer(named)),
        ("confirm", Answer(booking(1, "CONFIRMED"))),
        ("read", Answer(booking(1, "CONFIRMED"))),
    ];
    let sent = resumed.sent(&script);
    let names: Vec<_> = sent[2]["unitItems"].as_array().unwrap().iter().map(|unit| unit["uuid"].clone()).collect();
    assert_eq!(names, ["own-0", "own-1", "own-2", "own-3"]);
    assert!(sent[2]["unitItems"][1]["contact"]["firstName"] == "Cy", "{}", sent[2]);

    let unasked = [script[0].clone(), ("product", Answer(product())), script[2].clone(), script[3].clone()];
    assert_eq!(resumed.sent(&unasked)[2].get("unitItems"), None, "nobody's data goes out that nobody asks for");
}

/// Holds and closing times are the supplier's, and so is the clock that they are told by.
#[test]
fn the_suppliers_times_are_judged_by_its_clock() {
    let mut short = booking(1, "ON_HOLD");
    short["utcExpiresAt"] = json!("2026-11-21T02:06:30Z");
    let begin = |hold: &Value| vec![("read", Answer(hold.clone())), ("product", Answer(product()))];
    let end = [("confirm", Answer(booking(1, "CONFIRMED"))), ("read", Answer(booking(1, "CONFIRMED")))];
    let calm: Vec<_> = begin(&short).into_iter().chain(end.clone()).collect();
    assert_eq!(codes(&Story::again().play(&calm)).len(), 4, "six minutes are left by our clock");
    let there = Story { date: Some("Sat, 21 Nov 2026 02:06:00 GMT"), ..Story::again() };
    let mut hurried = calm;
    hurried.insert(1, ("extend", Answer(booking(1, "ON_HOLD"))));
    assert_eq!(codes(&there.play(&hurried)).len(), 4, "half a minute by the supplier's");

    let mut closing = slots();
    closing[0]["utcCutoffAt"] = json!("2026-11-21T02:05:00Z");
    let asked = [("product", Answer(product())), ("availability", Answer(closing))];
    let there = Story { date: there.date, ..Story::issue() };
    let said = reason(there.play(&asked));
    assert_eq!(said, "no_capacity: the supplier takes no more bookings for this date and time");
    let open = [&asked[..], &[("reserve", Answer(booking(1, "ON_HOLD")))], &end].concat();
    assert_eq!(codes(&Story::issue().play(&open)).len(), 4, "by our clock it is open");
}

/// What cannot be used and is not taken back either is no secret until the attempts are used up.
#[test]
fn why_a_booking_is_given_back_is_told_while_the_supplier_keeps_it() {
    let mut three = booking(1, "ON_HOLD");
    three["unitItems"].as_array_mut().unwrap().pop();
    let mut other = booking(1, "ON_HOLD");
    other["productId"] = json!("P9");
    let kept = |found: &Value| {
        Story::again().play(&[
            ("read", Answer(found.clone())),
            ("cancel", Refuse(400, error("UNPROCESSABLE_ENTITY"))),
            ("read", Answer(found.clone())),
        ])
    };
    let CallResult::Unknown { why } = kept(&three) else { panic!("{:?}", kept(&three)) };
    assert_eq!(
        why.to_string(),
        "quantity_differs: 4 units were booked, and the supplier holds 3; the supplier does not take it back (UNPROCESSABLE_ENTITY: no)"
    );
    let CallResult::Astray { why } = kept(&other) else { panic!("{:?}", kept(&other)) };
    assert!(why.to_string().starts_with("the supplier holds another product; "), "{why:?}");
}

#[test]
fn a_slot_is_chosen_as_configured() {
    let at = |time: &str, available: bool| json!({ "id": time, "localDateTimeStart": format!("2026-12-01T{time}:00+08:00"), "available": available });
    let offered: Vec<super::wire::AvailabilityIn> =
        serde_json::from_value(json!([at("14:00", true), at("10:00", false), at("12:00", true)])).unwrap();
    use super::map::Chosen;
    let day = (Date::parse("2026-12-01").unwrap(), TimeZone::UTC);
    let choose = |offered: &[_], slot: &Slot, told| super::map::choose(offered, day, slot, told, fixture::NOW);
    let one = |time: &str| Chosen::One(time.into(), Some(format!("2026-12-01T{time}:00+08:00")));
    assert_eq!(choose(&offered, &Slot::First, None), one("12:00"), "the earliest with room");
    assert_eq!(choose(&offered, &Slot::At("14:00".into()), None), one("14:00"));
    assert_eq!(choose(&offered, &Slot::At("10:00".into()), None), Chosen::Full);
    assert_eq!(choose(&offered, &Slot::At("11:00".into()), None), Chosen::NoneAt);
    assert_eq!(choose(&offered, &Slot::Only, None), Chosen::Several);
    assert_eq!(choose(&offered, &Slot::Channel, Some("14:00")), one("14:00"));
    assert_eq!(choose(&offered, &Slot::Channel, None), Chosen::Untold);
}

/// A supplier may answer about another day than it was asked about: whoever is booked for that one stands before the gate in vain.
#[test]
fn only_a_time_of_the_day_that_was_asked_for_is_chosen() {
    use super::map::{Chosen, choose};
    let (day, shanghai) = (Date::parse("2026-12-01").unwrap(), TimeZone::parse("Asia/Shanghai").unwrap());
    let chosen = |slot: &Slot, starts: &[Value]| {
        let rows = starts.iter().enumerate().map(|(at, start)| match start {
            Value::String(_) => json!({ "id": at.to_string(), "localDateTimeStart": start, "available": true }),
            other => other.clone(),
        });
        let rows: Vec<super::wire::AvailabilityIn> = serde_json::from_value(rows.collect()).unwrap();
        match choose(&rows, (day, shanghai), slot, None, fixture::NOW) {
            Chosen::One(id, _) => id,
            other => format!("{other:?}"),
        }
    };
    let week: Vec<Value> = (29..=30)
        .map(|day| json!(format!("2026-11-{day}T10:00:00+08:00")))
        .chain((1..=5).map(|day| json!(format!("2026-12-0{day}T10:00:00+08:00"))))
        .collect();
    for slot in [Slot::Only, Slot::First, Slot::At("10:00".into())] {
        assert_eq!(chosen(&slot, &week), "2", "{slot:?} of a whole week");
        assert_eq!(chosen(&slot, &week[3..]), "NoneAt", "{slot:?} of the days after it");
    }
    let first = |starts: &[Value]| chosen(&Slot::First, starts);
    assert_eq!(first(&[json!("2026-12-01T16:30:00Z"), json!("2026-11-30T16:30:00Z")]), "1", "told in UTC, by the zone");
    assert_eq!(first(&[json!("2026-12-01T17:00:00Z")]), "0", "the local time, written as if it were UTC");
    assert_eq!(first(&[json!("2026-12-02T17:00:00Z")]), "NoneAt");
    let dated = |date: &str| json!({ "id": date, "localDate": date, "available": true });
    assert_eq!(first(&[dated("2026-12-02"), dated("2026-12-01")]), "2026-12-01", "by the date alone");
    assert_eq!(first(&[dated("2026-12-02")]), "NoneAt");
    assert_eq!(
        first(&[json!({ "id": "any", "available": true })]),
        "any",
        "it names no day, so it is of the day asked for"
    );

    let other = json!([{ "id": "x", "localDateTimeStart": "2026-12-02T00:00:00+08:00", "available": true }]);
    let said = reason(Story::issue().play(&[("product", Answer(product())), ("availability", Answer(other))]));
    assert_eq!(said, "no_capacity: the supplier offers nothing at this date and time");
}

#[test]
fn a_booking_is_held_against_the_day_also_when_its_time_was_chosen() {
    use super::map::{Visit, is_another_visit};
    let found = |start: &str| {
        let mut found = booking(1, "ON_HOLD");
        found["availabilityId"] = json!("x");
        found["availability"] = json!({ "id": "x", "localDateTimeStart": start });
        serde_json::from_value(found).unwrap()
    };
    let is_another = |chosen: &str, start: &str| {
        let visit = Visit { date: Date::parse("2026-12-01"), time: None, chosen: Some(("x", Some(chosen))) };
        is_another_visit(&found(start), visit)
    };
    assert!(is_another("2026-12-02T10:00:00+08:00", "2026-12-02T10:00:00+08:00"), "chosen, booked, and of another day");
    assert!(is_another("2026-12-01", "2026-12-08"), "two dates without a time are not one start");
    assert!(!is_another("2026-12-01", "2026-12-01"));
    assert!(!is_another("2026-12-01T10:00:00+08:00", "2026-12-01T02:00:00Z"), "the same moment");
}

#[test]
fn a_calendar_tells_what_is_left() {
    let backend = octo(json!({}));
    let (from, to) = (Date::parse("2026-12-01").unwrap(), Date::parse("2026-12-03").unwrap());
    let call =
        backend.availability().unwrap().call("P1/O1", &BackendTerms::default(), from, to, &fixture::context()).unwrap();
    assert_eq!(call.url, "https://supplier.example/octo/availability/calendar");
    let body = json!([
        { "localDate": "2026-12-01", "available": true, "status": "AVAILABLE", "vacancies": 12 },
        { "localDate": "2026-12-02", "available": false, "status": "SOLD_OUT", "vacancies": 0 },
        { "localDate": "2026-12-03", "available": true, "status": "FREESALE", "vacancies": null },
    ]);
    let body = Bytes::from(body.to_string());
    let response = HttpResponse { status: StatusCode::OK, headers: HeaderMap::new(), body };
    let CallResult::Done(days) = backend.availability().unwrap().read("P1/O1", &response) else { panic!() };
    let left: Vec<_> = days.iter().map(|day| day.left).collect();
    assert_eq!(left, [Some(12), Some(0), None]);
}

/// Plays a live check; what it found.
fn live(
    backend: &dyn Backend,
    product: &str,
    terms: &BackendTerms,
    holds: bool,
    script: &[(&str, Say)],
) -> Vec<String> {
    let currency = product::Currency("CNY".into());
    let products = [ticketbridge_core::port::LiveProduct {
        code: "LP-B2",
        product,
        terms,
        visitors_per_unit: 2,
        sold_for: Some((19_900, &currency)),
    }];
    let cx = fixture::context();
    let mut talk = backend.live_check(&products, holds, [1; 16]).unwrap();
    let mut script = script.iter();
    while let Some(call) = talk.next(&cx) {
        let (expected, say) = script.next().unwrap_or_else(|| panic!("{} was not expected", call.url));
        assert!(call.url.ends_with(expected), "{} instead of {expected}", call.url);
        let uuid = call.url.split("/bookings/").nth(1).map(|rest| rest.split('/').next().unwrap().to_owned());
        let asked: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        let uuid = uuid.or_else(|| asked["uuid"].as_str().map(str::to_owned));
        let respond = |status: u16, mut body: Value| {
            if let (Some(uuid), Some(_)) = (&uuid, body.get("uuid")) {
                body["uuid"] = json!(uuid);
            }
            let body = Bytes::from(body.to_string());
            HttpResponse { status: StatusCode::from_u16(status).unwrap(), headers: HeaderMap::new(), body }
        };
        match say {
            Answer(body) => talk.answered(&respond(200, body.clone()), &cx),
            Refuse(status, body) => talk.answered(&respond(*status, body.clone()), &cx),
            Html(status) => talk.answered(&respond(*status, Value::Null), &cx),
            Cut(..) | After(..) | Lost | NotSent => talk.unanswered("no connection"),
        }
    }
    assert!(script.next().is_none(), "it ended early: {:?}", talk.findings());
    talk.findings()
        .iter()
        .map(|found| {
            let kind = if found.warning { "warning: " } else { "" };
            let about = found.product.as_ref().map_or(String::new(), |code| format!("product {code}: "));
            assert!(!found.mend.is_empty(), "{found:?}");
            format!("{kind}{about}{}; {}", found.sentence, found.mend)
        })
        .collect()
}

#[test]
fn a_supplier_is_asked_what_the_products_need_and_nothing_is_left_behind() {
    let backend = octo(json!({}));
    let terms = BackendTerms { units: BTreeMap::from([("adult".into(), "u-adult".into())]), ..Default::default() };
    let day = json!([{ "localDate": "2026-11-22", "available": true, "status": "AVAILABLE", "vacancies": 9 }]);
    let begin = [
        ("/supplier", Answer(json!({ "id": "s" }))),
        ("/capabilities", Answer(json!([]))),
        ("/products/P1", Answer(product())),
    ];
    let calendar = ("/availability/calendar", Answer(day));
    let asked: Vec<_> = begin.iter().cloned().chain([calendar.clone()]).collect();
    assert_eq!(live(&*backend, "P1/O1", &terms, false, &asked), [""; 0]);
    let free = json!([{ "id": "s", "localDateTimeStart": "2026-11-22T00:00:00+08:00", "available": true }]);
    let of_free = ("/availability", Answer(free));
    let hold = |times: (&'static str, Say), held: Value| {
        let rest = [times, ("/bookings", Answer(held)), ("/cancel", Answer(booking(1, "EXPIRED")))];
        let script: Vec<_> = asked.iter().cloned().chain(rest).collect();
        live(&*backend, "P1/O1", &terms, true, &script)
    };
    assert_eq!(hold(of_free.clone(), booking(1, "ON_HOLD")), [""; 0]);
    let mut next_day = booking(1, "ON_HOLD");
    next_day["availability"] = json!({ "id": "s", "localDateTimeStart": "2026-11-23T00:00:00+08:00" });
    let found = hold(of_free.clone(), next_day);
    assert!(found.len() == 1 && found[0].contains("a hold for 2026-11-22 is one for another day"), "{found:?}");
    let of_another_day: Vec<_> = asked.iter().cloned().chain([("/availability", Answer(slots()))]).collect();
    let found = live(&*backend, "P1/O1", &terms, true, &of_another_day);
    assert!(found.len() == 1 && found[0].contains("nothing is held"), "{found:?}");
    let lost: Vec<_> = asked
        .iter()
        .cloned()
        .chain([of_free, ("/bookings", Lost), ("/cancel", Lost), ("", Answer(booking(1, "ON_HOLD")))])
        .collect();
    let again = |says: Vec<(&'static str, Say)>| {
        let script: Vec<_> = lost.iter().cloned().chain(says).collect();
        live(&*backend, "P1/O1", &terms, true, &script)
    };
    let found = again(vec![("/cancel", Answer(booking(1, "CANCELLED")))]);
    assert_eq!(found.len(), 1, "released at the second try: {found:?}");
    assert!(found[0].contains("a hold got no answer"), "{found:?}");
    let found = again(vec![("/cancel", Lost), ("", Answer(booking(1, "ON_HOLD")))]);
    assert!(found.iter().any(|found| found.contains("could not be released")), "a hold left over is named: {found:?}");
    let found = again(vec![("/cancel", Lost), ("", Html(502))]);
    assert!(found.iter().any(|found| found.contains("is not known")), "so is one that nobody knows of: {found:?}");
}

#[test]
fn what_does_not_fit_the_supplier_is_found_before_the_first_sale() {
    let backend = octo(json!({}));
    let adult =
        |unit: &str| BackendTerms { units: BTreeMap::from([("adult".into(), unit.into())]), ..Default::default() };
    let who = ("/supplier", Answer(json!({ "id": "s" })));
    // Not every supplier says what it can do.
    let can = ("/capabilities", Html(404));
    let none = ("/availability/calendar", Answer(json!([])));
    let found = live(
        &*backend,
        "P1/O1",
        &adult("u-child"),
        false,
        &[who.clone(), can.clone(), ("/products/P1", Answer(product())), none.clone()],
    );
    assert!(found[0].contains("has no unit u-child; it has u-adult"), "{found:?}");
    assert!(found.last().unwrap().starts_with("warning: product LP-B2: nothing is free"), "{found:?}");
    let found = live(
        &*backend,
        "P1/O9",
        &adult("u-adult"),
        false,
        &[who.clone(), can.clone(), ("/products/P1", Answer(product())), none.clone()],
    );
    assert!(found[0].contains("has no option O9; it has O1"), "{found:?}");
    let found = live(
        &*backend,
        "P7",
        &adult("u-adult"),
        false,
        &[who.clone(), can.clone(), ("/products/P7", Refuse(400, error("INVALID_PRODUCT_ID")))],
    );
    assert!(found[0].contains("does not know the product P7"), "{found:?}");
    let mut late = product();
    late["instantDelivery"] = json!(false);
    late["deliveryFormats"] = json!(["PKPASS_URL"]);
    late["options"][0]["requiredContactFields"] = json!(["firstName", "emailAddress"]);
    late["options"][0]["availabilityLocalStartTimes"] = json!(["10:00", "14:00"]);
    let found = live(&*backend, "P1/O1", &adult("u-adult"), false, &[who, can, ("/products/P1", Answer(late)), none]);
    for part in ["emailAddress", "PKPASS_URL", "instantDelivery", "visits begin at 10:00, 14:00"] {
        assert!(found.iter().any(|found| found.contains(part)), "{part}: {found:?}");
    }
    let found = live(&*backend, "P1/O1", &adult("u-adult"), false, &[("/supplier", Refuse(403, error("FORBIDDEN")))]);
    assert!(found[0].contains("key is not accepted"), "{found:?}");
    let found = live(&*backend, "P1/O1", &adult("u-adult"), false, &[("/supplier", NotSent)]);
    assert!(found[0].contains("does not answer"), "{found:?}");
}

#[test]
fn what_a_supplier_requires_beyond_the_contract_is_found() {
    let adult = |unit: &str| {
        let units = BTreeMap::from([("adult".into(), unit.into())]);
        BackendTerms { units, ..Default::default() }
    };
    let day = json!([{ "localDate": "2026-11-22", "available": true, "status": "AVAILABLE", "vacancies": 9 }]);
    let look = |asked: Value, offered: Value, unit: &str| {
        let mut family = product();
        family["options"][0]["units"] = json!([
            { "id": "u-adult", "restrictions": { "accompaniedBy": [] } },
            { "id": "u-child", "restrictions": { "accompaniedBy": ["u-adult"] } },
            { "id": "u-four", "restrictions": { "minQuantity": 4, "maxQuantity": null } },
            { "id": "u-dear", "pricingFrom": [
                { "original": 12000, "retail": 12000, "net": 10000, "currency": "CNY", "currencyPrecision": 2 },
                { "original": 1, "retail": 1, "net": 1, "currency": "USD", "currencyPrecision": 2 }] },
            { "id": "u-named", "requiredContactFields": ["firstName", "emailAddress"] },
        ]);
        let script = [
            ("/supplier", Answer(json!({ "id": "s" }))),
            ("/capabilities", Answer(offered)),
            ("/products/P1", Answer(family)),
            ("/availability/calendar", Answer(day.clone())),
        ];
        live(&*octo(json!({ "capabilities": asked })), "P1/O1", &adult(unit), false, &script)
    };
    let capability = |id: &str, required: bool| json!({ "id": id, "revision": 1, "required": required });
    let found = look(json!([]), json!([capability("octo/questions", true)]), "u-adult");
    assert!(found.len() == 1 && found[0].contains("requires octo/questions, which is not known here"), "{found:?}");
    let found = look(json!([]), json!([capability("octo/pricing", true)]), "u-adult");
    assert!(found.len() == 1 && found[0].contains("add \"octo/pricing\" to `capabilities`"), "{found:?}");
    let found = look(json!(["octo/cart"]), json!([capability("octo/pricing", false)]), "u-adult");
    assert!(found.len() == 1 && found[0].contains("does not offer octo/cart"), "{found:?}");
    let offered = json!([capability("octo/pricing", true), capability("octo/questions", false)]);
    assert_eq!(look(json!(["octo/pricing"]), offered, "u-adult"), [""; 0]);
    let dear = look(json!(["octo/pricing"]), json!([capability("octo/pricing", false)]), "u-dear");
    assert_eq!(
        dear,
        [
            "warning: product LP-B2: the supplier asks 200.00 CNY at least for one copy, which is sold for 199.00 CNY; look at its price, there and here"
        ]
    );
    let found = look(json!([]), json!([]), "u-child");
    assert!(found.len() == 1 && found[0].contains("together with u-adult only"), "{found:?}");
    let found = look(json!([]), json!([]), "u-four");
    assert!(
        found.len() == 1 && found[0].contains("one copy books 2 of unit u-four, which is sold 4 to any number"),
        "{found:?}"
    );
    let found = look(json!([]), json!([]), "u-named");
    assert!(found.len() == 1 && found[0].contains("requires emailAddress of each guest"), "{found:?}");
}

#[test]
fn settings_are_checked_all_at_once() {
    let wrong = json!({ "base_url": "http://supplier.example", "key": "", "supplier_path": "s", "cancel_style": "put",
        "formats": ["QRCODE", "FAX"], "hold": "2d", "test_mode": "yes", "timeouts": { "read": "0s" }, "time_zone": "Mars" });
    let problems = (KIND.build)("ventrata", &wrong).err().unwrap();
    let keys: Vec<_> = problems.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "base_url",
            "key",
            "supplier_path",
            "cancel_style",
            "formats.1",
            "test_mode",
            "hold",
            "time_zone",
            "timeouts.read"
        ]
    );
    let shown = octo(json!({})).spec().capabilities.clone();
    assert_eq!((&shown["hold"], &shown["redemption"]), (&json!(true), &json!("polled")));
    let masked = in_clear(|| {
        format!(
            "{:?}",
            talks(&*octo(json!({})))
                .talk(TicketOp::Issue, &order(), order().booking.as_ref().unwrap(), false)
                .map(|mut t| t.next(&fixture::context()))
        )
    });
    assert!(!masked.contains("k-1"), "the key is never shown: {masked}");
}

#[test]
fn one_number_one_file_or_one_code_for_everybody_is_one_ticket() {
    let all = |ticket: Value| {
        let mut booking = booking(1, "CONFIRMED");
        booking["supplierReference"] = json!("S-77");
        booking["deliveryMethods"] = json!(["TICKET"]);
        for unit in booking["unitItems"].as_array_mut().unwrap() {
            unit["ticket"] = ticket.clone();
        }
        let script = [
            ("product", Answer(product())),
            ("availability", Answer(slots())),
            ("reserve", Answer(booking.clone())),
            ("read", Answer(booking)),
        ];
        let CallResult::Done(TicketFacts::Issued { tickets, .. }) = Story::issue().play(&script) else {
            panic!("no tickets");
        };
        tickets.iter().map(|ticket| ticket.code.reveal().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(all(json!({ "redemptionMethod": "MANIFEST", "deliveryOptions": [] })), ["S-77"]);
    let option = |format: &str, value: &str| json!({ "redemptionMethod": "DIGITAL", "deliveryOptions": [{ "deliveryFormat": format, "deliveryValue": value }] });
    assert_eq!(all(option("PDF_URL", "https://supplier.example/t.pdf")), ["https://supplier.example/t.pdf"]);
    assert_eq!(all(option("QRCODE", "GROUP")), ["GROUP"], "the code of a group lets all of it in");
    // The order is held over these: who of the four is to be let in?
    let mut pairs = booking(1, "CONFIRMED");
    for (at, unit) in pairs["unitItems"].as_array_mut().unwrap().iter_mut().enumerate() {
        unit["ticket"] = option("QRCODE", ["A", "A", "B", "B"][at]);
    }
    assert_eq!(codes(&Story::again().play(&[("read", Answer(pairs))])), ["A", "A", "B", "B"]);
}

/// Guests who are on a list at the gate have no code, whether the supplier makes ticket objects for them or not.
#[test]
fn guests_on_a_list_are_known_by_the_suppliers_number() {
    let mut listed = product();
    listed["redemptionMethod"] = json!("MANIFEST");
    let bare = |methods: Value, ticket: Value| {
        let mut sold = booking(1, "CONFIRMED");
        sold["deliveryMethods"] = methods;
        sold["voucher"] = ticket.clone();
        for unit in sold["unitItems"].as_array_mut().unwrap() {
            unit["ticket"] = ticket.clone();
        }
        sold
    };
    let numbers = |result: CallResult<TicketFacts>| match result {
        CallResult::Done(TicketFacts::Issued { tickets, .. }) => {
            assert!(tickets.iter().all(|ticket| ticket.kind == TicketKind::Code));
            tickets.iter().map(|ticket| ticket.code.reveal().to_owned()).collect()
        }
        CallResult::Done(TicketFacts::Pending { .. }) => vec!["later".to_owned()],
        other => panic!("{other:?}"),
    };
    let at_once = |of_product: &Value, sold: &Value| {
        numbers(Story::issue().play(&[
            ("product", Answer(of_product.clone())),
            ("availability", Answer(slots())),
            ("reserve", Answer(booking(1, "ON_HOLD"))),
            ("confirm", Answer(sold.clone())),
            ("read", Answer(sold.clone())),
        ]))
    };
    for methods in [json!([]), json!(["TICKET"]), json!(["VOUCHER"]), json!(["TICKET", "VOUCHER"]), Value::Null] {
        for ticket in [Value::Null, json!({ "redemptionMethod": null, "deliveryOptions": [] })] {
            let sold = bare(methods.clone(), ticket);
            assert_eq!(at_once(&listed, &sold), ["REF7"], "{sold}");
            assert_eq!(at_once(&product(), &sold), ["later"], "of no list: codes come later, {sold}");
        }
    }
    let mut nameless = bare(json!([]), Value::Null);
    nameless["supplierReference"] = Value::Null;
    assert_eq!(at_once(&listed, &nameless), ["later"], "the number that the gate knows is not there yet");
    let mut own_word = bare(json!([]), Value::Null);
    own_word["redemptionMethod"] = json!("DIGITAL");
    assert_eq!(at_once(&listed, &own_word), ["later"], "the booking's own word counts");
    // Whoever comes again, or only looks, knows nothing of the product any more.
    let sold = bare(json!(["TICKET"]), Value::Null);
    let look = Story::of(TicketOp::Query, TicketingState::Issued);
    for story in [Story::again(), look] {
        let asked = |of_product: Say| numbers(story.play(&[("read", Answer(sold.clone())), ("product", of_product)]));
        assert_eq!(asked(Answer(listed.clone())), ["REF7"]);
        for said in [Answer(product()), Html(502), Refuse(404, error("NOT_FOUND"))] {
            assert_eq!(asked(said), ["later"]);
        }
    }
}

/// A supplier in trouble has refused nothing: the place is kept, and asked for again later.
#[test]
fn a_confirmation_without_a_clear_answer_is_no_refusal() {
    let begin = [("read", Answer(booking(1, "ON_HOLD"))), ("product", Answer(product()))];
    let held = || ("read", Answer(booking(1, "ON_HOLD")));
    let twice = |first: Say, second: Say| {
        let rest = [("confirm", first), held(), ("confirm", second), held()];
        [&begin[..], &rest].concat()
    };
    let unclear = [
        Html(500),
        Html(502),
        Html(503),
        Refuse(503, json!({})),
        Refuse(429, json!({})),
        Refuse(408, json!({})),
        Refuse(425, json!({})),
        Refuse(400, error("INTERNAL_SERVER_ERROR")),
        Answer(json!({ "ok": true })),
        Answer(booking(1, "ON_HOLD")),
        Lost,
    ];
    for said in &unclear {
        let result = Story::again().play(&twice(said.clone(), said.clone()));
        assert!(
            matches!(&result, CallResult::Unknown { why } if why.reveal().contains("has not confirmed yet")),
            "{result:?}"
        );
    }
    let no = || Refuse(400, error("UNPROCESSABLE_ENTITY"));
    for (first, second) in [(no(), Lost), (Lost, no())] {
        let result = Story::again().play(&twice(first, second));
        assert!(matches!(result, CallResult::Unknown { .. }), "refused once, and once unclear: {result:?}");
    }
    let back = [("cancel", Answer(booking(1, "CANCELLED"))), ("read", Answer(booking(1, "CANCELLED")))];
    let said = reason(Story::again().play(&[&twice(no(), no())[..], &back].concat()));
    assert_eq!(said, "the supplier does not confirm: UNPROCESSABLE_ENTITY: no");
    // The next attempt finds the hold, and lengthens it where it ends soon.
    let mut short = booking(1, "ON_HOLD");
    short["utcExpiresAt"] = json!("2026-11-21T02:00:30Z");
    let next = Story::again().play(&[
        ("read", Answer(short)),
        ("extend", Answer(booking(1, "ON_HOLD"))),
        ("product", Answer(product())),
        ("confirm", Answer(booking(1, "CONFIRMED"))),
        ("read", Answer(booking(1, "CONFIRMED"))),
    ]);
    assert_eq!(codes(&next).len(), 4);
}

/// A supplier that says when to come again is left alone until then; whoever comes again reads first, so nothing is done twice.
#[test]
fn a_supplier_that_names_the_time_is_left_alone_until_then() {
    let later = |result: CallResult<TicketFacts>| match result {
        CallResult::Retry { after: Some(after), .. } => after,
        other => panic!("{other:?}"),
    };
    let begin = [("product", Answer(product())), ("availability", Answer(slots()))];
    let held = ("reserve", Answer(booking(1, "ON_HOLD")));
    let live = ("read", Answer(booking(1, "CONFIRMED")));
    let mut short = booking(1, "ON_HOLD");
    short["utcExpiresAt"] = json!("2026-11-21T02:00:30Z");
    for status in [429, 503] {
        let wait = || After(status, "8");
        let issue = |rest: &[(&'static str, Say)]| later(Story::issue().play(&[&begin[..], rest].concat()));
        let cancel = |rest: &[(&'static str, Say)]| {
            let story = Story::of(TicketOp::Cancel, TicketingState::Cancelling);
            later(story.play(&[std::slice::from_ref(&live), rest].concat()))
        };
        for after in [
            issue(&[("reserve", wait())]),
            issue(&[("reserve", Lost), ("read", wait())]),
            issue(&[held.clone(), ("confirm", wait())]),
            issue(&[held.clone(), ("confirm", Lost), ("read", wait())]),
            issue(&[held.clone(), ("confirm", Answer(booking(1, "CONFIRMED"))), ("read", wait())]),
            issue(&[("reserve", Answer(short.clone())), ("extend", wait())]),
            cancel(&[("cancel", wait())]),
            cancel(&[("cancel", Lost), ("read", wait())]),
            later(Story::again().play(&[("read", wait())])),
        ] {
            assert_eq!(after, Millis::seconds(8), "{status}");
        }
        // Without a time, or with none to wait, a read may follow at once.
        for said in [Html(status), After(status, "0")] {
            let rest = [held.clone(), ("confirm", said), live.clone()];
            assert_eq!(codes(&Story::issue().play(&[&begin[..], &rest].concat())).len(), 4, "{status}");
        }
    }
}
