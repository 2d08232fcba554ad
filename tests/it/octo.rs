// SPDX-License-Identifier: Apache-2.0

//! A ticketing system that speaks OCTO: one booking there for one booking here, whatever is lost on the way. Judged by the supplier's books.

pub(crate) mod schemas;
mod servers;

use std::collections::BTreeMap;
use std::path::Path;

use http::Method;
use serde_json::json;
use ticketbridge_core::Millis;
use ticketbridge_core::order::{AttentionKind, Order, TicketingState};
use ticketbridge_sandbox::octo::{Books, RepeatedReserve, Status};
use ticketbridge_sandbox::{SimOcto, SimOctoOptions, SimTime};

use crate::support::partners::Outcome;
use crate::support::{Ask, CLIENT_SECRET, GATE_SECRET, TestBridge, douyin, read_files, write_file};

const CALLBACK: &str = "/goodlife/v1/fulfilment/create/callback/";

pub(crate) const BACKEND: &str = r#"
id = "ventrata"
adapter = "octo"
[settings]
base_url = "https://supplier.example/octo"
key      = { env = "OCTO_KEY" }
"#;

pub(crate) async fn start(settings: &str) -> TestBridge {
    let bridge = TestBridge::start_with(|files: &mut BTreeMap<String, String>| {
        files.insert("backends/ventrata.toml".to_owned(), format!("{BACKEND}{settings}"));
        let product = files.get_mut("products/lakeside.toml").expect("the products");
        *product = product.replace(
            r#"{ mode = "backend", backend = "gate", product = "P-778" }"#,
            r#"{ mode = "backend", backend = "ventrata", product = "LAKE/DEFAULT", units = { adult = "adult" } }"#,
        );
    })
    .await;
    books(&bridge, |_| ());
    bridge
}

pub(crate) fn books<T>(bridge: &TestBridge, look: impl FnOnce(&mut Books) -> T) -> T {
    bridge.partners.supplier(bridge.now(), look)
}

/// A sale and a booking whose tickets are being asked for.
pub(crate) async fn booked(bridge: &TestBridge) {
    bridge.sell("V100").await;
    bridge.book("R100", "V100", "2026-12-01").await;
}

async fn order(bridge: &TestBridge) -> Order {
    bridge.stored("V100").await
}

/// Time goes on and everything due is done.
pub(crate) async fn pass(bridge: &TestBridge, steps: usize, step: Millis) {
    for _ in 0..steps {
        bridge.drain().await;
        bridge.advance(step);
        books(bridge, |_| ());
    }
    bridge.drain().await;
}

async fn state(bridge: &TestBridge) -> TicketingState {
    order(bridge).await.booking.expect("a booking").ticketing.state
}

fn live(bridge: &TestBridge, order: &Order) -> usize {
    let id = order.booking.as_ref().expect("a booking").id.clone();
    books(bridge, |books| books.live(id.as_str()))
}

#[tokio::test]
async fn tickets_are_booked_confirmed_and_in_the_answer() {
    let bridge = start("").await;
    booked(&bridge).await;
    let answer = bridge.issue("R100", 2).await;
    assert_eq!(answer["data"]["result"], 1, "{answer}");
    let order = order(&bridge).await;
    let ticketing = &order.booking.as_ref().expect("a booking").ticketing;
    assert_eq!((ticketing.state, ticketing.tickets.len()), (TicketingState::Issued, 4));
    assert!(ticketing.backend_ref.as_ref().is_some_and(|name| name.reveal().starts_with("REF")));
    assert_eq!(live(&bridge, &order), 1);
    let calls = bridge.get("orders/douyin-main:V100/calls").await.expect(200).json();
    let calls: Vec<&str> =
        calls["items"].as_array().expect("calls").iter().filter_map(|c| c["call"].as_str()).collect();
    for call in ["product", "availability", "reserve", "confirm"] {
        assert!(calls.contains(&call), "each call is on the record: {calls:?}");
    }
}

#[tokio::test]
async fn whatever_is_lost_there_is_one_booking_and_one_set_of_tickets() {
    let reserve = "/octo/bookings";
    for (part, outcome, what) in [
        (reserve, Outcome::Interrupted, "the answer to the reservation"),
        (reserve, Outcome::NotSent, "the reservation"),
        (reserve, Outcome::Says(500, json!({})), "the reservation, as a 500"),
        (reserve, Outcome::Says(200, json!({ "ok": true })), "the sense of the answer"),
        ("/confirm", Outcome::Interrupted, "the answer to the confirmation"),
        ("/confirm", Outcome::NotSent, "the confirmation"),
        ("/confirm", Outcome::Says(502, json!({})), "the confirmation, as a 502"),
        ("/availability", Outcome::Says(429, json!({})), "the question for room"),
        ("/products", Outcome::Interrupted, "the question for the product"),
    ] {
        for repeated in [RepeatedReserve::Same, RepeatedReserve::Refused, RepeatedReserve::Error] {
            let bridge = start("").await;
            books(&bridge, |books| books.switches.repeated_reserve = repeated);
            booked(&bridge).await;
            bridge.partners.next(part, outcome.clone());
            pass(&bridge, 6, Millis::seconds(20)).await;
            let order = order(&bridge).await;
            assert_eq!(state(&bridge).await, TicketingState::Issued, "lost: {what}, {repeated:?}");
            assert_eq!(live(&bridge, &order), 1, "lost: {what}, {repeated:?}");
            let confirmed: u32 = books(&bridge, |books| books.all().map(|(_, booked)| booked.confirmed).sum());
            assert_eq!(confirmed, 1, "lost: {what}, {repeated:?}");
        }
    }
}

#[tokio::test]
async fn a_restart_between_two_steps_goes_on_with_the_same_uuid() {
    let mut bridge = start("").await;
    booked(&bridge).await;
    bridge.partners.next("/octo/bookings", Outcome::Interrupted);
    bridge.partners.next("/octo/bookings", Outcome::NotSent);
    bridge.drain().await;
    bridge = bridge.restart().await;
    pass(&bridge, 6, Millis::seconds(20)).await;
    assert_eq!(state(&bridge).await, TicketingState::Issued);
    assert_eq!(books(&bridge, |books| books.all().count()), 1);
}

#[tokio::test]
async fn a_supplier_that_asks_somebody_is_polled_and_its_tickets_are_delivered_in_time() {
    let bridge = start("").await;
    books(&bridge, |books| books.switches.instant_confirmation = false);
    booked(&bridge).await;
    let answer = bridge.issue_too_slow("R100", 2).await;
    assert_eq!(answer["data"]["result"], 0, "{answer}");
    pass(&bridge, 4, Millis::minutes(1)).await;
    assert_eq!(state(&bridge).await, TicketingState::Requested);
    books(&bridge, |books| books.decide(true));
    pass(&bridge, 2, Millis::seconds(30)).await;
    assert_eq!(state(&bridge).await, TicketingState::Issued);
    assert_eq!(bridge.partners.sent(CALLBACK).len(), 1);
    assert!(!order(&bridge).await.booking.expect("a booking").ticketing.overdue);
}

#[tokio::test]
async fn a_sale_without_codes_shows_nothing_before_all_of_them_are_there() {
    let bridge = start("").await;
    books(&bridge, |books| books.switches.instant_delivery = false);
    booked(&bridge).await;
    bridge.issue_too_slow("R100", 2).await;
    pass(&bridge, 3, Millis::seconds(30)).await;
    assert!(bridge.partners.sent(CALLBACK).is_empty());
    books(&bridge, |books| books.deliver());
    pass(&bridge, 2, Millis::seconds(30)).await;
    assert_eq!(bridge.partners.sent(CALLBACK).len(), 1);
    assert_eq!(live(&bridge, &order(&bridge).await), 1);
}

#[tokio::test]
async fn a_rejection_is_decided_at_once_and_by_a_person() {
    let bridge = start("").await;
    books(&bridge, |books| books.switches.instant_confirmation = false);
    booked(&bridge).await;
    bridge.drain().await;
    books(&bridge, |books| books.decide(false));
    pass(&bridge, 2, Millis::seconds(30)).await;
    assert_eq!(state(&bridge).await, TicketingState::Failed);
    let shown = bridge.order("V100").await;
    assert_eq!(shown["attention"]["kind"], "rejected", "{shown}");
    assert_eq!(books(&bridge, |books| books.all().count()), 1, "nothing is tried again on its own");
}

#[tokio::test]
async fn no_room_is_no_error_and_leaves_nothing_behind() {
    let bridge = start("").await;
    books(&bridge, |books| books.switches.capacity = 3);
    booked(&bridge).await;
    bridge.drain().await;
    assert_eq!(state(&bridge).await, TicketingState::Failed);
    let reason = order(&bridge).await.booking.expect("a booking").ticketing.reason.expect("a reason");
    assert!(reason.to_string().contains("no_capacity"), "{reason}");
    assert_eq!(books(&bridge, |books| books.all().count()), 0);
}

/// A supplier that answers about another day than it was asked about has nothing on this one.
#[tokio::test]
async fn a_time_of_another_day_is_not_booked() {
    for hold_at in ["booking", "ticketing"] {
        let bridge = start(&format!("hold_at = \"{hold_at}\"\n")).await;
        let slot = json!([{ "id": "slot.LAKE.20261202.0000", "localDateTimeStart": "2026-12-02T00:00:00+08:00",
            "available": true, "status": "AVAILABLE" }]);
        bridge.partners.always("/availability", Outcome::Says(200, slot));
        bridge.sell("V100").await;
        let answer = create(&bridge, "R100", "V100").await;
        assert_eq!(answer["data"]["error_code"] == 0, hold_at == "ticketing", "{answer}");
        bridge.drain().await;
        assert_eq!(books(&bridge, |books| books.all().count()), 0, "nothing is held, and nothing sold");
        if hold_at == "ticketing" {
            assert_eq!(state(&bridge).await, TicketingState::Failed);
            assert_eq!(bridge.order("V100").await["attention"]["kind"], "no_capacity");
        }
    }
}

#[tokio::test]
async fn what_the_supplier_made_of_it_is_compared_and_given_back() {
    for set in [(|books: &mut Books| books.switches.loses_units = 1) as fn(&mut Books), |books| {
        books.switches.test_mode = true
    }] {
        let bridge = start("").await;
        books(&bridge, set);
        booked(&bridge).await;
        bridge.drain().await;
        let order = order(&bridge).await;
        assert_eq!(order.booking.as_ref().expect("a booking").ticketing.state, TicketingState::Failed);
        assert_eq!(live(&bridge, &order), 0, "what cannot be used is given back");
        assert!(bridge.partners.sent(CALLBACK).is_empty(), "nothing is shown");
    }
}

/// A refund of ticketed vouchers, approved by a person.
async fn refund(bridge: &TestBridge) {
    let applied = douyin::refund_apply("R100", "B1", 101, 0, bridge.now());
    bridge.douyin("refund-apply", &applied).await.expect(200);
    bridge.drain().await;
}

#[tokio::test]
async fn a_refund_cancels_at_the_supplier_first_and_only_a_read_proves_it() {
    for (fault, what) in [
        (None, "plainly"),
        (Some(Outcome::Interrupted), "the answer was lost"),
        (Some(Outcome::NotSent), "the call was lost"),
        (Some(Outcome::Says(200, json!({ "ok": true }))), "a yes that says nothing"),
    ] {
        for released in [Status::Cancelled, Status::Expired] {
            let bridge = start("").await;
            books(&bridge, |books| books.switches.released_reads = released);
            bridge.ticketed("V100", "R100").await;
            if let Some(fault) = fault.clone() {
                bridge.partners.next("/cancel", fault);
            }
            refund(&bridge).await;
            pass(&bridge, 4, Millis::seconds(20)).await;
            let order = order(&bridge).await;
            assert_eq!(live(&bridge, &order), 0, "{what}");
            assert_eq!(
                order.booking.as_ref().or(order.past_bookings.last()).expect("a booking").ticketing.state,
                TicketingState::Cancelled,
                "{what}"
            );
        }
    }
}

#[tokio::test]
async fn a_booking_that_cannot_be_cancelled_leaves_the_refund_to_a_person() {
    let bridge = start("").await;
    bridge.ticketed("V100", "R100").await;
    books(&bridge, |books| books.switches.cancellable = false);
    refund(&bridge).await;
    pass(&bridge, 3, Millis::seconds(20)).await;
    let shown = bridge.order("V100").await;
    assert_eq!(shown["refund_case"]["state"], "under_review", "{shown}");
    assert_eq!(shown["booking"]["ticketing"]["state"], "cancel_refused", "{shown}");
    assert_eq!(live(&bridge, &order(&bridge).await), 1);
}

#[tokio::test]
async fn a_withdrawn_key_pauses_the_back_end_and_another_one_lets_it_go() {
    let bridge = start("").await;
    booked(&bridge).await;
    books(&bridge, |books| books.key = "another-key".to_owned());
    pass(&bridge, 2, Millis::seconds(30)).await;
    let partner = async || {
        let all = bridge.get("backends").await.expect(200).json();
        all["items"].as_array().expect("back-ends").iter().find(|one| one["id"] == "ventrata").cloned().expect("ours")
    };
    let paused = partner().await;
    assert_eq!((&paused["state"], &paused["pending"]), (&json!("paused"), &json!(1)), "{paused}");
    assert!(paused["last_error"].as_str().is_some_and(|error| error.contains("key")), "{paused}");
    assert_ne!(state(&bridge).await, TicketingState::Failed, "nothing is refused to the guest");
    bridge.advance(Millis::minutes(9));
    bridge.drain().await;
    let file = bridge.read_config("backends/ventrata.toml").replace("{ env = \"OCTO_KEY\" }", "\"another-key\"");
    bridge.write_config("backends/ventrata.toml", &file);
    bridge.post("config/reload", &json!({})).await.expect(200);
    pass(&bridge, 2, Millis::seconds(5)).await;
    assert_eq!(partner().await["state"], "running");
    assert_eq!(state(&bridge).await, TicketingState::Issued);
}

const VERIFY: &str = "/goodlife/v1/trip/certificate/verify/";

#[tokio::test]
async fn a_visit_is_found_by_asking_on_its_day_and_reported_once() {
    let bridge = start("").await;
    let order = bridge.ticketed("V100", "R100").await;
    let id = order.booking.expect("a booking").id;
    let reads = || bridge.partners.sent("/octo/bookings/").iter().filter(|call| call.method == "GET").count();
    let watch = async || bridge.bridge.worker().watch_for_use().await.expect("a database that answers");
    assert_eq!(watch().await, 0, "long before the day nobody asks");
    bridge.set_time("2026-11-30T23:30:00+08:00");
    books(&bridge, |_| ());
    assert_eq!((watch().await, watch().await), (1, 0), "from an hour before, once in ten minutes");
    bridge.set_time("2026-12-01T09:00:00+08:00");
    books(&bridge, |books| books.redeem(id.as_str(), 1_796_086_000_000));
    let before = reads();
    assert_eq!(watch().await, 1);
    assert_eq!(reads() - before, 1, "a look is one read");
    bridge.drain().await;
    assert_eq!(bridge.order("V100").await["state"], "completed");
    assert_eq!(bridge.partners.sent(VERIFY).len(), 1);
    bridge.advance(Millis::hours(1));
    assert_eq!(watch().await, 0, "what was used is not asked about");
}

#[tokio::test]
async fn a_ticket_that_was_never_used_is_asked_about_less_and_then_never() {
    let bridge = start("").await;
    bridge.ticketed("V100", "R100").await;
    let watch = async || bridge.bridge.worker().watch_for_use().await.expect("a database that answers");
    let mut looks = Vec::new();
    for (time, due) in [
        ("2026-12-01T12:00:00+08:00", 1),
        ("2026-12-02T01:59:00+08:00", 1),
        ("2026-12-02T03:00:00+08:00", 0),
        ("2026-12-03T01:59:30+08:00", 1),
        ("2026-12-04T12:00:00+08:00", 0),
    ] {
        bridge.set_time(time);
        looks.push((time, watch().await, due));
    }
    assert!(looks.iter().all(|(_, found, due)| found == due), "{looks:?}");
}

#[tokio::test]
async fn a_push_is_a_reason_to_read_and_never_believed() {
    let bridge = start("hint_secret = \"0123456789abcdef0123\"\n").await;
    let order = bridge.ticketed("V100", "R100").await;
    let id = order.booking.expect("a booking").id;
    let uuid = books(&bridge, |books| books.all().next().expect("a booking").0.to_owned());
    let sent = || bridge.partners.sent("/octo/bookings/").iter().filter(|call| call.method == "GET").count();
    let before = sent();
    let reads = || sent() - before;
    let push = async |secret: &str, body: &serde_json::Value| {
        let path = format!("/backends/ventrata/hints/{secret}");
        bridge.ask(Ask::new(Method::POST, path).json(body)).await.status.as_u16()
    };
    bridge.set_time("2026-12-01T09:00:00+08:00");
    let lie = json!({ "booking": { "uuid": uuid, "status": "REDEEMED", "utcRedeemedAt": "2026-12-01T01:00:00Z" } });
    assert_eq!(push("wrong-wrong-wrong-wrong", &lie).await, 404);
    assert_eq!(reads(), 0, "a stranger costs nothing");
    assert_eq!(push("0123456789abcdef0123", &lie).await, 204);
    until(|| reads() == 1).await;
    bridge.drain().await;
    assert_eq!(bridge.order("V100").await["state"], "booked", "what it says is not believed");
    assert_eq!(push("0123456789abcdef0123", &lie).await, 204);
    assert_eq!(reads(), 1, "one read for each booking and second");
    bridge.advance(Millis::seconds(2));
    books(&bridge, |books| books.redeem(id.as_str(), 1_796_086_000_000));
    assert_eq!(push("0123456789abcdef0123", &json!({ "data": { "uuid": uuid } })).await, 204);
    bridge.eventually("orders/douyin-main:V100", |order| order["booking"]["state"] == "used").await;
    assert_eq!(push("0123456789abcdef0123", &json!({ "productId": "LAKE" })).await, 204, "of no booking");
    bridge.drain().await;
}

/// Lets what goes on in the background come to `what`.
async fn until(what: impl Fn() -> bool) {
    for _ in 0..10_000 {
        if what() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("it never came");
}

#[tokio::test]
async fn one_hundred_bookings_after_an_outage_are_issued_once_each() {
    let bridge = start("").await;
    books(&bridge, |books| books.switches.capacity = 10_000);
    bridge.partners.always("/octo/", Outcome::NotSent);
    for n in 0..100 {
        bridge.sell(&format!("V{n}")).await;
        bridge.book(&format!("R{n}"), &format!("V{n}"), "2026-12-01").await;
    }
    // Six minutes, and the deadline is ten.
    pass(&bridge, 18, Millis::seconds(20)).await;
    assert_eq!(books(&bridge, |books| books.all().count()), 0);
    bridge.partners.recover();
    pass(&bridge, 9, Millis::seconds(20)).await;
    for n in 0..100 {
        let order = bridge.stored(&format!("V{n}")).await;
        let ticketing = &order.booking.as_ref().expect("a booking").ticketing;
        assert_eq!((ticketing.state, ticketing.overdue), (TicketingState::Issued, false), "V{n}");
        assert_eq!(live(&bridge, &order), 1);
    }
    assert_eq!(books(&bridge, |books| books.all().count()), 100, "none was issued twice");
    assert_eq!(books(&bridge, |books| books.violations.clone()), Vec::<String>::new());
}

/// `check` on a directory with a supplier of its own, by the built program.
async fn check(supplier: &SimOcto, key: &str, product: &str, flag: &str) -> (bool, String) {
    let directory = tempfile::TempDir::new().expect("a temporary directory");
    let mut files = BTreeMap::new();
    read_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/config/example"), "", &mut files);
    let backend = BACKEND.replace("https://supplier.example/octo", &supplier.base_url());
    files.insert("backends/ventrata.toml".to_owned(), backend);
    let products = files.get_mut("products/lakeside.toml").expect("the products");
    *products = products.replace(
        r#"{ mode = "backend", backend = "gate", product = "P-778" }"#,
        &format!(r#"{{ mode = "backend", backend = "ventrata", product = "{product}" }}"#),
    );
    // With what is settled, the database is asked first, from the same runtime.
    let park = "[[institution]]\nid = \"park\"\nregistration_number = \"110000-1\"\ncontract = \"direct\"\n\
        [[settle_unit]]\nid = \"park-1\"\ninstitution = \"park\"\n";
    files.insert("partners/all.toml".to_owned(), park.to_owned());
    for (name, text) in &mut files {
        if name.starts_with("channels/") {
            *text = text.replace("adapter = \"douyin\"", "adapter = \"douyin\"\nsettle_id = \"park-1\"");
        }
        write_file(&directory.path().join(name), text);
    }
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_ticketbridge"));
    command.args(["check", flag, "--config"]).arg(directory.path());
    command.env("TICKETBRIDGE_DATA_KEY", "VGhpcyBpcyBhIGtleSBmb3IgdGVzdHMsIDMyIGJ5dGU=").env("OCTO_KEY", key);
    command.env("TICKETBRIDGE_OPS_TOKEN", "an-admin-token-for-tests").env("DOUYIN_SECRET", CLIENT_SECRET);
    let output = command.env("GATE_SECRET", GATE_SECRET).output().await.expect("the program runs");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_is_checked_against_the_running_supplier() {
    let supplier = SimOcto::start(SimOctoOptions::usual("octo-key", SimTime::new(1.0))).await.expect("a supplier");
    let (good, said) = check(&supplier, "octo-key", "LAKE/DEFAULT", "--live").await;
    assert!(good && said.contains("asked 1 back-end: nothing wrong"), "{said}");
    assert_eq!(supplier.with_books(|books| books.all().count()), 0, "nothing is changed there");
    let (good, said) = check(&supplier, "octo-key", "LAKE", "--live-hold").await;
    assert!(good, "{said}");
    for part in ["product LP-B2: a place was held on 20", "was released"] {
        assert!(said.contains(part), "what was done is told: {said}");
    }
    let held = supplier.with_books(|books| books.all().map(|(_, booked)| booked.status).collect::<Vec<_>>());
    assert_eq!(held, [Status::Cancelled], "held for a moment, and released");
    let (good, said) = check(&supplier, "octo-key", "POND", "--live").await;
    let line = said.lines().find(|line| line.contains("the supplier does not know the product POND")).expect(&said);
    assert!(!good && line.contains("products/lakeside.toml:") && line.contains("; write the id"), "{said}");
    assert!(said.contains("asked 1 back-end: 1 problem"), "{said}");
    let (good, said) = check(&supplier, "a-withdrawn-key", "LAKE", "--live").await;
    assert!(!good && said.contains("backends/ventrata.toml:") && said.contains("the key is not accepted"), "{said}");
}

/// A booking that nobody here knows.
fn another() -> Outcome {
    Outcome::Says(
        200,
        json!({ "uuid": "6f1d3b52-8a04-5c7e-9b21-d5603fa817c4", "status": "CONFIRMED", "unitItems": [] }),
    )
}

#[tokio::test]
async fn an_answer_about_another_booking_is_none_and_is_shown_to_a_person_until_the_right_one_comes() {
    let bridge = start("").await;
    booked(&bridge).await;
    bridge.partners.always("/octo/bookings", another());
    bridge.drain().await;
    let astray = async || order(&bridge).await.needs(AttentionKind::AnswerAstray);
    assert!(astray().await);
    assert_ne!(state(&bridge).await, TicketingState::Issued, "nothing of the other's is taken over");
    bridge.partners.recover();
    pass(&bridge, 6, Millis::seconds(20)).await;
    assert_eq!((state(&bridge).await, astray().await), (TicketingState::Issued, false));
    assert_eq!(live(&bridge, &order(&bridge).await), 1, "booked once");
}

/// The question that follows finds nothing: what was answered about was another's all the same.
#[tokio::test]
async fn an_answer_about_another_booking_is_shown_also_when_nothing_was_made() {
    let bridge = start("").await;
    booked(&bridge).await;
    // Only the reservation itself names an availability.
    bridge.partners.always("availabilityId", another());
    bridge.drain().await;
    assert!(order(&bridge).await.needs(AttentionKind::AnswerAstray));
    bridge.partners.recover();
    pass(&bridge, 6, Millis::seconds(20)).await;
    assert_eq!(state(&bridge).await, TicketingState::Issued);
    assert!(!order(&bridge).await.needs(AttentionKind::AnswerAstray));
    assert_eq!(live(&bridge, &order(&bridge).await), 1, "booked once");
}

#[tokio::test]
async fn each_answer_to_a_look_is_treated_as_what_it_is() {
    let answers: [(Outcome, Option<AttentionKind>, &str); 6] = [
        (another(), Some(AttentionKind::AnswerAstray), "running"),
        (Outcome::Says(404, json!({ "error": "INVALID_BOOKING_UUID" })), Some(AttentionKind::Contradiction), "running"),
        (Outcome::Says(401, json!({ "error": "UNAUTHORIZED" })), None, "paused"),
        (Outcome::Says(500, json!({})), None, "running"),
        (Outcome::Garbage(200), None, "running"),
        (Outcome::NotSent, None, "running"),
    ];
    for (answer, shown, backend) in answers {
        let bridge = start("").await;
        bridge.ticketed("V100", "R100").await;
        bridge.set_time("2026-12-01T09:00:00+08:00");
        books(&bridge, |_| ());
        bridge.partners.always("/octo/bookings/", answer.clone());
        let watch = async || bridge.bridge.worker().watch_for_use().await.expect("a database that answers");
        assert_eq!(watch().await, 1);
        let after = order(&bridge).await;
        let kinds: Vec<AttentionKind> = after.attention.iter().map(|it| it.kind).collect();
        assert_eq!(kinds, shown.into_iter().collect::<Vec<_>>(), "{answer:?}: {:?}", after.attention);
        assert_eq!(after.booking.expect("a booking").ticketing.state, TicketingState::Issued, "{answer:?}");
        let all = bridge.get("backends").await.expect(200).json();
        let of = all["items"].as_array().expect("back-ends").iter().find(|it| it["id"] == "ventrata");
        assert_eq!(of.map(|it| it["state"].clone()), Some(json!(backend)), "{answer:?}");
        // The next look goes on as if nothing had been.
        bridge.partners.recover();
        bridge.advance(Millis::minutes(11));
        books(&bridge, |_| ());
        assert_eq!(watch().await, 1, "{answer:?}");
    }
}

/// A message of Douyin's that books, on a bridge whose supplier keeps places first; its answer.
async fn create(bridge: &TestBridge, number: &str, sale: &str) -> serde_json::Value {
    let body = douyin::booking(number, sale, "2026-12-01", 2, bridge.now());
    bridge.douyin("create-order", &body).await.expect(200).json()
}

#[tokio::test]
async fn a_place_is_held_before_a_booking_is_accepted() {
    let bridge = start("hold_at = \"booking\"\n").await;
    bridge.sell("V100").await;
    let answer = create(&bridge, "R100", "V100").await;
    assert_eq!(answer["data"]["error_code"], 0, "{answer}");
    let held = books(&bridge, |books| books.all().map(|(_, booked)| booked.status).collect::<Vec<_>>());
    assert_eq!(held, [Status::OnHold], "before anybody asked for tickets");
    bridge.drain().await;
    let order = order(&bridge).await;
    assert_eq!(order.booking.as_ref().expect("a booking").ticketing.state, TicketingState::Issued);
    let all = books(&bridge, |books| books.all().map(|(_, booked)| booked.status).collect::<Vec<_>>());
    assert_eq!(all, [Status::Confirmed], "the same hold was confirmed");
    let again = create(&bridge, "R100", "V100").await;
    assert_eq!(again, answer, "a repeat is answered the same, and holds nothing");
    assert_eq!(books(&bridge, |books| books.all().count()), 1);
    assert_eq!(books(&bridge, |books| books.violations.clone()), Vec::<String>::new());
}

/// A supplier that wants to know who each unit is for refuses a confirmation without; a list of units replaces what was reserved.
#[tokio::test]
async fn each_unit_is_told_its_guest_where_the_supplier_wants_to_know() {
    for hold_at in ["booking", "ticketing"] {
        let bridge = start(&format!("hold_at = \"{hold_at}\"\n")).await;
        books(&bridge, |books| books.switches.unit_contacts = &["fullName", "phoneNumber"]);
        booked(&bridge).await;
        bridge.drain().await;
        let order = order(&bridge).await;
        let ticketing = &order.booking.as_ref().expect("a booking").ticketing;
        assert_eq!((ticketing.state, ticketing.tickets.len()), (TicketingState::Issued, 4), "{hold_at}");
        let guests = books(&bridge, |books| {
            let all: Vec<_> = books.all().map(|(_, booked)| booked.guests().join(", ")).collect();
            all
        });
        assert_eq!(guests.len(), 1, "{guests:?}");
        assert!(guests[0].split(", ").count() == 4 && !guests[0].contains(", ,"), "{guests:?}");
        assert_eq!(books(&bridge, |books| books.violations.clone()), Vec::<String>::new());
    }
}

/// Holds end by the supplier's clock; that it and ours differ is shown to whoever can mend one of them.
#[tokio::test]
async fn a_supplier_whose_clock_is_wrong_is_judged_by_it_and_named() {
    for off in [Millis::minutes(-40), Millis::minutes(40), Millis(0)] {
        let bridge = start("hold_at = \"booking\"\n").await;
        books(&bridge, |books| books.switches.clock_off_ms = off.0);
        booked(&bridge).await;
        bridge.drain().await;
        assert_eq!(state(&bridge).await, TicketingState::Issued, "{off:?}");
        assert_eq!(books(&bridge, |books| books.all().map(|(_, booked)| booked.extended).sum::<u32>()), 0, "{off:?}");
        let all = bridge.get("backends").await.expect(200).json();
        let ours = all["items"].as_array().and_then(|all| all.iter().find(|one| one["id"] == "ventrata"));
        let shown = ours.expect("ours")["clock_off_s"].as_i64();
        assert_eq!(shown.is_some(), off.0 != 0, "{all}");
        assert!(shown.is_none_or(|shown| (shown - off.0 / 1_000).abs() <= 2), "{shown:?} of {off:?}");
    }
}

/// Prices are compared where the supplier tells them: a sale below what it costs goes through, and a person hears of it.
#[tokio::test]
async fn a_sale_below_what_the_supplier_asks_is_shown() {
    for (settings, net, is_shown) in [
        ("capabilities = [\"octo/pricing\"]\n", 9_000, false),
        ("capabilities = [\"octo/pricing\"]\n", 12_000, true),
        ("", 12_000, false),
    ] {
        let bridge = start(settings).await;
        books(&bridge, |books| books.switches.net = Some(net));
        booked(&bridge).await;
        bridge.drain().await;
        assert_eq!(state(&bridge).await, TicketingState::Issued, "it is sold all the same");
        let shown = bridge.order("V100").await;
        let expected = "the supplier asks 480.00 CNY for what was sold for 398.00 CNY: look at the product's price";
        let says = |one: &serde_json::Value| one["sentence"].as_str().is_some_and(|text| text.contains(expected));
        assert_eq!(shown["attentions"].as_array().into_iter().flatten().any(says), is_shown, "{shown}");
        let all = bridge.get("backends").await.expect(200).json();
        let ours = all["items"].as_array().and_then(|all| all.iter().find(|one| one["id"] == "ventrata"));
        assert_eq!(ours.expect("ours")["capabilities"]["price_check"], json!(!settings.is_empty()), "{all}");
        let asked = bridge.partners.sent("/octo/bookings");
        let reserve = asked.iter().find(|call| call.body.get("unitItems").is_some() && call.body.get("uuid").is_some());
        let currency = reserve.expect("a reservation").body.get("currency").cloned();
        assert_eq!(
            currency,
            (!settings.is_empty()).then(|| json!("CNY")),
            "prices are asked for in the order's currency"
        );
    }
}

/// What the supplier made of a booking and will not take back is shown at once, not when the attempts are used up.
#[tokio::test]
async fn what_cannot_be_given_back_is_shown_while_it_is_asked_for() {
    let bridge = start("").await;
    books(&bridge, |books| books.switches.loses_units = 1);
    booked(&bridge).await;
    for _ in 0..2 {
        bridge.partners.next("/cancel", Outcome::Says(400, json!({ "error": "UNPROCESSABLE_ENTITY" })));
    }
    bridge.drain().await;
    let shown = bridge.order("V100").await;
    assert_eq!(shown["attention"]["kind"], "quantity_differs", "{shown}");
    let sentence = shown["attention"]["sentence"].as_str().unwrap_or_default();
    assert!(sentence.contains("4 units") && sentence.contains("does not take it back"), "{shown}");
    pass(&bridge, 8, Millis::seconds(60)).await;
    assert_eq!(state(&bridge).await, TicketingState::Failed);
    assert_eq!(live(&bridge, &order(&bridge).await), 0, "it is asked for until it is done");
    assert!(bridge.partners.sent(CALLBACK).is_empty(), "nothing is shown to the guest");
}

#[tokio::test]
async fn no_room_at_the_supplier_is_out_of_stock_in_the_answer() {
    let bridge = start("hold_at = \"booking\"\n").await;
    books(&bridge, |books| books.switches.capacity = 3);
    bridge.sell("V100").await;
    let answer = create(&bridge, "R100", "V100").await;
    assert_ne!(answer["data"]["error_code"], 0, "{answer}");
    assert_eq!(books(&bridge, |books| books.all().count()), 0);
    let row = bridge.get("inbox?limit=1").await.expect(200).json();
    assert_eq!(row["items"][0]["verdict"], "refused", "{row}");
    assert!(bridge.stored("V100").await.active_booking().is_none());
}

#[tokio::test]
async fn a_supplier_that_does_not_answer_a_hold_lets_the_channel_come_again() {
    let bridge = start("hold_at = \"booking\"\n").await;
    bridge.sell("V100").await;
    bridge.partners.next("/octo/bookings", Outcome::Interrupted);
    bridge.partners.next("/octo/bookings/", Outcome::NotSent);
    let first = create(&bridge, "R100", "V100").await;
    assert_ne!(first["data"]["error_code"], 0, "{first}");
    until(|| books(&bridge, |books| books.all().all(|(_, booked)| !booked.status.takes_place()))).await;
    let second = create(&bridge, "R100", "V100").await;
    assert_eq!(second["data"]["error_code"], 0, "{second}");
    bridge.drain().await;
    assert_eq!(live(&bridge, &order(&bridge).await), 1);
}

/// The reservation took effect, and for a while nothing can be asked: the place is asked for until it reads as gone, since a place that is
/// kept for nobody is one that no guest gets.
#[tokio::test]
async fn a_place_that_is_kept_for_nobody_is_given_back_once_the_supplier_can_be_asked_again() {
    let bridge = start("hold_at = \"booking\"\n").await;
    bridge.sell("V100").await;
    bridge.partners.next("/octo/bookings", Outcome::Interrupted);
    bridge.partners.always("/octo/bookings/", Outcome::Says(500, json!({})));
    let reads = || bridge.partners.sent("/octo/bookings/").len();
    let answer = create(&bridge, "R100", "V100").await;
    assert_ne!(answer["data"]["error_code"], 0, "{answer}");
    until(|| reads() >= 2).await;
    for _ in 0..3 {
        pass(&bridge, 4, Millis::seconds(5)).await;
    }
    let held = || books(&bridge, |books| books.all().map(|(_, booked)| booked.status).collect::<Vec<_>>());
    assert_eq!(held(), [Status::OnHold], "nothing has reached it yet");
    let tries = reads();
    assert!((3..=6).contains(&tries), "each try is later than the one before: {tries}");
    bridge.partners.recover();
    pass(&bridge, 6, Millis::seconds(10)).await;
    assert_eq!(held(), [Status::Cancelled], "given back long before it ran out");
    let asked = reads();
    pass(&bridge, 4, Millis::minutes(5)).await;
    assert_eq!(reads(), asked, "and asked about no more");
}

/// Whoever comes again asks for the same place: what is left to do of the first time does not take it from him.
#[tokio::test]
async fn a_guest_who_comes_again_keeps_the_place_that_was_to_be_given_back() {
    let bridge = start("hold_at = \"booking\"\n").await;
    bridge.sell("V100").await;
    bridge.partners.next("/octo/bookings", Outcome::Interrupted);
    bridge.partners.always("/octo/bookings/", Outcome::Says(500, json!({})));
    let first = create(&bridge, "R100", "V100").await;
    assert_ne!(first["data"]["error_code"], 0, "{first}");
    until(|| bridge.partners.sent("/octo/bookings/").len() >= 2).await;
    pass(&bridge, 1, Millis::seconds(1)).await;
    bridge.partners.recover();
    let second = create(&bridge, "R100", "V100").await;
    assert_eq!(second["data"]["error_code"], 0, "{second}");
    pass(&bridge, 10, Millis::seconds(30)).await;
    let all = books(&bridge, |books| books.all().map(|(_, booked)| booked.status).collect::<Vec<_>>());
    assert_eq!(all, [Status::Confirmed], "one hold, adopted and sold");
    assert_eq!(state(&bridge).await, TicketingState::Issued);
}

/// An outage of the confirmation alone: the place is kept, and the sale confirmed once the supplier is well again.
#[tokio::test]
async fn a_supplier_that_cannot_confirm_for_a_while_has_refused_nothing() {
    for (hold_at, said) in [
        ("ticketing", Outcome::Says(503, json!({}))),
        ("ticketing", Outcome::Says(400, json!({ "error": "INTERNAL_SERVER_ERROR" }))),
        ("booking", Outcome::Says(429, json!({}))),
        ("booking", Outcome::Garbage(200)),
    ] {
        let bridge = start(&format!("hold_at = \"{hold_at}\"\n")).await;
        bridge.sell("V100").await;
        let answer = create(&bridge, "R100", "V100").await;
        assert_eq!(answer["data"]["error_code"], 0, "{answer}");
        bridge.partners.always("/confirm", said.clone());
        pass(&bridge, 2, Millis::seconds(5)).await;
        let held = || books(&bridge, |books| books.all().map(|(_, booked)| booked.status).collect::<Vec<_>>());
        assert_eq!(held(), [Status::OnHold], "{hold_at}, {said:?}");
        assert_ne!(state(&bridge).await, TicketingState::Failed, "{hold_at}, {said:?}");
        bridge.partners.recover();
        pass(&bridge, 6, Millis::seconds(30)).await;
        assert_eq!(state(&bridge).await, TicketingState::Issued, "{hold_at}, {said:?}");
        assert_eq!(held(), [Status::Confirmed], "{hold_at}, {said:?}");
        assert!(!order(&bridge).await.booking.expect("a booking").ticketing.overdue, "{hold_at}, {said:?}");
    }
}

/// Kills the process at a call: whatever it was about to write is never written. Then another one goes on with the same database.
async fn killed_at(bridge: TestBridge, part: &str, before: bool, work: impl AsyncFn(&TestBridge)) -> TestBridge {
    if before {
        // It never arrives.
        bridge.partners.next(part, Outcome::Hangs);
    }
    let held = if before { None } else { Some(bridge.partners.hold(part)) };
    {
        let working = work(&bridge);
        let reached = async {
            match &held {
                // It has been carried out, and its answer is on its way.
                Some(held) => held.arrived().await,
                None => {
                    while bridge.partners.sent(part).is_empty() {
                        tokio::task::yield_now().await;
                    }
                }
            }
        };
        tokio::select! {
            () = working => panic!("{part} was never called"),
            () = reached => {}
        }
        // Here it dies.
    }
    bridge.advance(Millis::minutes(1));
    let bridge = bridge.restart().await;
    books(&bridge, |_| ());
    bridge
}

#[tokio::test]
async fn killed_at_every_step_of_hold_and_confirm_there_is_one_booking() {
    for part in ["/products/", "/octo/availability", "/octo/bookings", "/confirm"] {
        for before in [true, false] {
            let bridge = start("").await;
            booked(&bridge).await;
            let bridge = killed_at(bridge, part, before, async |bridge| {
                bridge.drain().await;
            })
            .await;
            pass(&bridge, 6, Millis::seconds(20)).await;
            assert_eq!(state(&bridge).await, TicketingState::Issued, "{part}, before: {before}");
            assert_eq!(books(&bridge, |books| books.all().count()), 1, "{part}, before: {before}");
            assert_eq!(live(&bridge, &order(&bridge).await), 1, "{part}, before: {before}");
            let confirmed: u32 = books(&bridge, |books| books.all().map(|(_, booked)| booked.confirmed).sum());
            assert_eq!(confirmed, 1, "{part}, before: {before}");
            assert_eq!(
                books(&bridge, |books| books.violations.clone()),
                Vec::<String>::new(),
                "{part}, before: {before}"
            );
        }
    }
}

#[tokio::test]
async fn killed_at_every_step_of_a_cancellation_there_is_none() {
    for before in [true, false] {
        let bridge = start("").await;
        bridge.ticketed("V100", "R100").await;
        let bridge = killed_at(bridge, "/cancel", before, async |bridge| refund(bridge).await).await;
        pass(&bridge, 6, Millis::seconds(20)).await;
        let order = order(&bridge).await;
        assert_eq!(live(&bridge, &order), 0, "before: {before}");
        assert_eq!(books(&bridge, |books| books.all().count()), 1);
        assert_eq!(bridge.order("V100").await["refund_case"]["state"], "approved", "before: {before}");
    }
}

#[tokio::test]
async fn an_answer_cut_off_anywhere_is_no_answer() {
    // An answer of some hundred bytes; each place at which it may break is one of a few kinds.
    for part in ["/octo/bookings", "/confirm", "/cancel"] {
        for length in [0, 1, 7, 40, 120, 300, 700] {
            let bridge = start("").await;
            if part == "/cancel" {
                bridge.ticketed("V100", "R100").await;
                bridge.partners.next(part, Outcome::Cut(length));
                refund(&bridge).await;
            } else {
                booked(&bridge).await;
                bridge.partners.next(part, Outcome::Cut(length));
            }
            pass(&bridge, 6, Millis::seconds(20)).await;
            let order = order(&bridge).await;
            let wanted = usize::from(part != "/cancel");
            assert_eq!(live(&bridge, &order), wanted, "{part} cut after {length}");
            assert_eq!(books(&bridge, |books| books.all().count()), 1, "{part} cut after {length}");
        }
    }
}

#[tokio::test]
async fn a_supplier_is_asked_in_reconciliation_too_and_what_it_says_otherwise_is_listed() {
    let bridge = start("").await;
    booked(&bridge).await;
    bridge.issue("R100", 2).await;
    bridge.drain().await;
    let reconcile = async || {
        let report = bridge.post("reconciliation", &json!({})).await.expect(200).json();
        let found = report["differences"].as_array().expect("a list").iter().filter(|one| one["partner"] == "ventrata");
        found.map(|one| (one["theirs"].as_str().unwrap_or("").to_owned(), one["repaired"] == true)).collect::<Vec<_>>()
    };
    assert_eq!(reconcile().await, [], "the books agree");
    let code = async || {
        let ticketing = order(&bridge).await.booking.expect("a booking").ticketing;
        ticketing.tickets[0].code.reveal().to_owned()
    };
    let first = code().await;

    books(&bridge, |books| books.switches.newer_codes = true);
    assert_eq!(reconcile().await, [("other codes".to_owned(), false)]);
    assert!(order(&bridge).await.needs(AttentionKind::CodesChanged));
    assert_eq!(code().await, first, "the guest has the first ones");
    let known = order(&bridge).await.booking.expect("a booking").ticketing;
    assert_eq!(known.other_tickets.len(), known.tickets.len(), "and the supplier's later ones are known, too");
    assert_eq!(reconcile().await, [("other codes".to_owned(), false)], "it stays a difference");
    let again = order(&bridge).await.booking.expect("a booking").ticketing;
    assert_eq!(again.other_tickets, known.other_tickets, "and no news");

    books(&bridge, |books| (books.switches.newer_codes, books.switches.own_status) = (false, Some("DORMANT")));
    assert_eq!(reconcile().await, [("a word that nobody knows".to_owned(), false)]);
    assert!(order(&bridge).await.needs(AttentionKind::UnknownStatus));
    assert_eq!(state(&bridge).await, TicketingState::Issued, "what nobody understands changes nothing");

    books(&bridge, |books| {
        books.switches.own_status = None;
        books.cancel_sold();
    });
    assert_eq!(reconcile().await.len(), 1, "what the supplier cancelled by itself is seen");
    assert_ne!(state(&bridge).await, TicketingState::Issued);
}

#[tokio::test]
async fn a_word_that_nobody_knows_is_shown_while_tickets_are_awaited_and_forgotten_once_they_are_there() {
    let bridge = start("").await;
    books(&bridge, |books| books.switches.own_status = Some("DORMANT"));
    booked(&bridge).await;
    pass(&bridge, 2, Millis::seconds(5)).await;
    assert!(order(&bridge).await.needs(AttentionKind::UnknownStatus), "{:?}", order(&bridge).await.attention);
    assert_eq!(state(&bridge).await, TicketingState::Unknown);
    books(&bridge, |books| books.switches.own_status = None);
    pass(&bridge, 6, Millis::seconds(60)).await;
    let order = order(&bridge).await;
    assert_eq!(order.booking.as_ref().expect("a booking").ticketing.state, TicketingState::Issued);
    assert!(!order.needs(AttentionKind::UnknownStatus), "{:?}", order.attention);
    assert_eq!(live(&bridge, &order), 1);
}
