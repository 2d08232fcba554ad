// SPDX-License-Identifier: Apache-2.0

//! A guest's data planted into every text of every message of every partner, one text after the other, in many writings: it is looked for in
//! every column of the database, in every answer of the ops interface, and in the log; and after the guest was forgotten, in what is sealed.
//!
//! The fields are those of the messages themselves, recorded or built: a new one is covered without being named here.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use ticketbridge_core::personal::in_clear;
use ticketbridge_store::test_support::everything_kept;
use ticketbridge_store::{InboxFilter, JobFilter, OrderFilter, PageRequest};

use crate::support::partners::Outcome;
use crate::support::{Ask, Reply, TestBridge, douyin, kakao, tripstore};

/// Whom a partner's messages are about. Nobody is called so.
#[derive(Clone, Copy)]
struct Guest {
    name: &'static str,
    phone: &'static str,
    /// What may not be found, written without spaces and dashes: the name, the national number; and what looks like anybody's.
    needles: [&'static str; 5],
    /// What partners write into their texts.
    writings: [&'static str; 7],
}

const KOREAN: Guest = Guest {
    name: "홍길동카나",
    phone: "010-2345-6789",
    needles: ["홍길동카나", "1023456789", CARD, MAIL, PASSPORT],
    writings: [
        "홍길동카나 010-2345-6789",
        "(홍 길동카나) +82 10 2345 6789",
        "０１０－２３４５－６７８９님",
        "821023456789/110101198003074532",
        "zebediah@plainview.example, 홍-길동카나님께",
        "card 110101 19800307 4532; tel. (010)23456789",
        "여권 M98765432 홍길동카나",
    ],
};
const CHINESE: Guest = Guest {
    name: "欧阳密文卡",
    phone: "13912345098",
    needles: ["欧阳密文卡", "13912345098", CARD, MAIL, PASSPORT],
    writings: [
        "欧阳密文卡 13912345098",
        "(欧阳 密文卡) +86 139 1234 5098",
        "１３９－１２３４－５０９８号",
        "8613912345098/110101198003074532",
        "zebediah@plainview.example, 欧-阳密文卡先生",
        "card 110101 19800307 4532; tel. (139)12345098",
        "护照 M98765432 欧阳密文卡",
    ],
};
const CARD: &str = "110101198003074532";
const MAIL: &str = "zebediah";
/// Of whomever: no order knows it.
const PASSPORT: &str = "98765432";

/// Letters and digits alone, full-width ones as plain ones.
fn plain(text: &str) -> String {
    let narrow = |c: char| match u32::from(c) {
        code @ 0xFF01..=0xFF5E => char::from_u32(code - 0xFEE0).unwrap_or(c),
        _ => c,
    };
    text.chars().map(narrow).filter(|c| c.is_alphanumeric() || *c == '*').flat_map(char::to_lowercase).collect()
}

fn leaks(place: &str, text: &str, needles: &[&str]) -> Option<String> {
    let plain = plain(text);
    let needle = needles.iter().find(|needle| plain.contains(**needle))?;
    let at = plain.find(*needle).unwrap_or_default();
    let around: String = plain[..at].chars().rev().take(80).collect::<Vec<_>>().into_iter().rev().collect();
    Some(format!("{place}: …{around}[{needle}]"))
}

/// The place of every text in a document.
fn texts(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::String(_) => found.push(at.to_owned()),
        Value::Array(items) => items.iter().enumerate().for_each(|(i, item)| texts(item, &format!("{at}/{i}"), found)),
        Value::Object(fields) => {
            for (name, value) in fields {
                let escaped = name.replace('~', "~0").replace('/', "~1");
                texts(value, &format!("{at}/{escaped}"), found);
            }
        }
        _ => {}
    }
}

/// The document once for each of its texts, with the guest written into that one: behind what stands there, or instead of it.
fn planted(guest: &Guest, document: &Value) -> Vec<Value> {
    let mut places = Vec::new();
    texts(document, "", &mut places);
    let mut all = Vec::new();
    for (index, place) in places.iter().enumerate() {
        let writing = guest.writings[index % guest.writings.len()];
        for is_added in [true, false] {
            let mut changed = document.clone();
            let text = changed.pointer_mut(place).expect("a place in the document");
            let before = text.as_str().expect("a text").to_owned();
            *text = json!(if is_added { format!("{before} {writing}") } else { writing.to_owned() });
            all.push(changed);
        }
    }
    all
}

/// The bodies of a partner's recorded cases.
fn recorded(file: &str, list: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(format!("{}/adapters/{file}", env!("CARGO_MANIFEST_DIR"))).expect("cases");
    let cases: toml::Table = text.parse().expect("TOML");
    let bodies = cases[list].as_array().expect("cases").iter().filter_map(|case| case.get("body")?.as_str());
    bodies.filter_map(|body| serde_json::from_str(body).ok()).filter(|body: &Value| body.is_object()).collect()
}

/// Lines of the log, caught in this thread.
#[derive(Clone, Default)]
struct Caught(Arc<Mutex<Vec<u8>>>);

impl Write for Caught {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no test panics here").extend_from_slice(line);
        Ok(line.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Caught {
    fn start() -> (Self, tracing::subscriber::DefaultGuard) {
        let caught = Self::default();
        let to = caught.clone();
        let subscriber = ticketbridge::telemetry::subscriber_into("trace,sqlx=warn,sea_orm=warn", move || to.clone());
        (caught, tracing::subscriber::set_default(subscriber))
    }
}

impl TestBridge {
    /// Everything that a list of the ops interface shows.
    async fn shown(&self, path: &str, found: &mut Vec<(String, String)>) -> Vec<Value> {
        let (mut items, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let next = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
            let page = self.get(&format!("{path}?limit=200{next}")).await.expect(200);
            found.push((path.to_owned(), page.text()));
            let page = page.json();
            items.extend(page["items"].as_array().cloned().unwrap_or_default());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return items,
            }
        }
    }

    /// Every place that can be read from outside, with what stands there.
    async fn everything_shown(&self) -> Vec<(String, String)> {
        let mut found = everything_kept(self.bridge.engine().store()).await;
        for order in self.shown("orders", &mut found).await {
            let id = order["id"].as_str().expect("an id").to_owned();
            for part in ["", "/events", "/calls"] {
                match part {
                    "" => found.push((id.clone(), self.get(&format!("orders/{id}")).await.expect(200).text())),
                    part => drop(self.shown(&format!("orders/{id}{part}"), &mut found).await),
                }
            }
        }
        for list in ["inbox", "deliveries", "refunds", "deadlines"] {
            self.shown(list, &mut found).await;
        }
        self.post("reconciliation", &json!({})).await.expect(200);
        for path in ["channels", "backends", "reconciliation", "config"] {
            found.push((path.to_owned(), self.get(path).await.text()));
        }
        let metrics = self.ask(Ask::new(http::Method::GET, "/metrics")).await;
        found.push(("metrics".to_owned(), metrics.text()));
        found
    }

    /// No text that was planted can be read anywhere, before the guest is forgotten and after; afterwards nor in what is sealed.
    async fn shows_no_guest(&self, guest: &Guest, log: &Caught) {
        let before = self.everything_shown().await;
        let mut leaked: Vec<String> =
            before.iter().filter_map(|(place, text)| leaks(place, text, &guest.needles)).collect();
        let log = log.0.lock().expect("no test panics here").clone();
        leaked.extend(String::from_utf8_lossy(&log).lines().filter_map(|line| leaks("log", line, &guest.needles)));
        leaked.sort();
        leaked.dedup();
        assert!(leaked.is_empty(), "{} places show the guest:\n{}", leaked.len(), leaked.join("\n"));

        let erased =
            self.post("guests/erase", &json!({ "phone": guest.phone, "reason": "asked for it" })).await.expect(200);
        let erased = erased.json()["erased"].as_array().expect("a list").clone();
        assert!(erased.len() >= 10, "only {} of the orders are over", erased.len());
        let mut after = self.everything_shown().await;
        after.extend(self.everything_sealed(&erased).await);
        let mut leaked: Vec<String> =
            after.iter().filter_map(|(place, text)| leaks(place, text, &guest.needles)).collect();
        // What is sealed may still hold numbers of strangers in what partners call an order by.
        leaked
            .retain(|leak| guest.needles[..2].iter().any(|known| leak.contains(known)) || !leak.starts_with("sealed"));
        assert!(leaked.is_empty(), "{} places show the guest after all:\n{}", leaked.len(), leaked.join("\n"));
    }

    /// What is sealed about these orders, opened.
    async fn everything_sealed(&self, orders: &[Value]) -> Vec<(String, String)> {
        let store = self.bridge.engine().store();
        let mut found = Vec::new();
        for id in orders.iter().filter_map(Value::as_str).map(ticketbridge_core::OrderId::from) {
            let order = store.load_order(&id).await.expect("a database that answers").expect("an order");
            let document = in_clear(|| serde_json::to_string(&order)).expect("a document");
            found.push((format!("sealed document {id}"), document));
            for event in store.events(&id, 0, 500).await.expect("a database that answers") {
                found.push((format!("sealed event {} {id}", event.kind), format!("{:?} {}", event.reason, event.data)));
            }
            let page = PageRequest { limit: 200, cursor: None };
            let filter = JobFilter { order: Some(id.clone()), ..JobFilter::default() };
            for job in store.list_jobs(&filter, &page).await.expect("a database that answers").items {
                let effect = in_clear(|| serde_json::to_string(&job.effect)).expect("an effect");
                found.push((format!("sealed delivery {}", job.call), effect));
            }
            let filter = InboxFilter { order: Some(id.clone()), ..InboxFilter::default() };
            for message in store.list_inbox(&filter, &page).await.expect("a database that answers").items {
                assert_eq!(store.inbox_body(&message.id).await.expect("a database that answers"), None);
                let answer = message.answer.map(|answer| String::from_utf8_lossy(&answer.body).into_owned());
                found.push((format!("sealed answer to {}", message.call), answer.unwrap_or_default()));
            }
        }
        found
    }
}

/// A message of a channel whose contract is ours, under the `webhook-id` that its body repeats; under another one where a header cannot hold
/// that.
async fn send(bridge: &TestBridge, path: &str, secret: &str, other: &str, body: &Value) -> Reply {
    let own = body["event_id"].as_str().filter(|id| id.bytes().all(|byte| byte.is_ascii_graphic()));
    bridge.ask(kakao::signed(bridge, path, secret, own.unwrap_or(other), body.to_string().as_bytes())).await
}

/// The key of a message; every other one holds the guest's phone.
fn key(number: usize) -> String {
    if number.is_multiple_of(2) { format!("off-{number}-01023456789") } else { format!("off-{number}") }
}

#[tokio::test]
async fn no_text_of_a_kakao_style_platform_shows_a_guest() {
    crate::support::leaves_work();
    let (log, _guard) = Caught::start();
    let bridge = TestBridge::start_with(|files| {
        files.insert("channels/kakao.toml".to_owned(), kakao::channel_file(kakao::CAN));
        files.insert("products/kakao.toml".to_owned(), kakao::PRODUCTS.replace("stock = 10", "stock = 100000"));
    })
    .await;
    let path = format!("/channels/{}/events", kakao::KAKAO);
    let mut number = 0;
    let change = json!({ "by": "MANAGER", "reason_code": "OTHER", "reason_text": "rain" });
    let mut template =
        kakao::event("E", "reservation.requested", 1, &kakao::reservation("R", "pd_plain", "REQUESTED"), change);
    (template["reservation"]["booker"]["name"], template["reservation"]["booker"]["phone"]) =
        (json!(KOREAN.name), json!(KOREAN.phone));
    for mut body in std::iter::once(template.clone()).chain(planted(&KOREAN, &template)) {
        number += 1;
        for (place, plain) in [("/event_id", "E"), ("/reservation/reservation_no", "R")] {
            let text = body.pointer_mut(place).expect("a text");
            *text = json!(text.as_str().expect("a text").replacen(plain, &format!("{plain}{number}"), 1));
        }
        let told = body["reservation"]["reservation_no"].clone();
        let refusal = KOREAN.writings[number % KOREAN.writings.len()];
        let said = json!({ "code": refusal, "message": refusal, "detail": refusal, "title": refusal, "error": { "code": refusal } });
        bridge.partners.next("/v1/reservations", Outcome::Says([409, 422, 500][number % 3], said));
        send(&bridge, &path, kakao::SECRET, &format!("evt-{number}"), &body).await;
        bridge.drain().await;
        let why = json!({ "by": refusal, "reason_code": refusal, "reason_text": refusal });
        let mut off = kakao::cancelled(
            told.as_str().expect("a text"),
            "pd_plain",
            "BY_BOOKER",
            0,
            &[("pay_1", "c_1", 90_000, "DONE"), ("pay_2", "c_2", 3_000, "DONE")],
        );
        (off["booker"]["name"], off["booker"]["phone"]) = (json!(KOREAN.name), json!(KOREAN.phone));
        let off = kakao::event(&key(number), "reservation.canceled", 5, &off, why);
        send(&bridge, &path, kakao::SECRET, &format!("off-{number}"), &off).await;
        bridge.drain().await;
        assert!(
            number > 1 || bridge.booked(told.as_str().expect("a text")).await.is_over(),
            "the first one is plain enough"
        );
    }
    for body in recorded("kakao/cases/events.toml", "case") {
        for body in planted(&KOREAN, &body) {
            number += 1;
            send(&bridge, &path, kakao::SECRET, &format!("rec-{number}-zebediah@plainview.example-01023456789"), &body)
                .await;
        }
    }
    let page = PageRequest { limit: 200, cursor: None };
    let orders = bridge.bridge.engine().store().list_orders(&OrderFilter::default(), &page).await;
    assert!(orders.expect("a database that answers").items.len() > 20, "most of them are orders");
    bridge.shows_no_guest(&KOREAN, &log).await;
}

#[tokio::test]
async fn no_text_of_a_marketplace_shows_a_guest() {
    crate::support::leaves_work();
    let (log, _guard) = Caught::start();
    let bridge = TestBridge::start_trip(tripstore::CAN).await;
    let path = format!("/channels/{}/events", tripstore::TRIP);
    let mut number = 0;
    let change = json!({ "reason": "rain", "by_account": "acc_3", "requested_by": "x", "before": "x", "after": "x" });
    let mut booking = tripstore::kind(tripstore::trip("T", "RECEIVED"), "FULL");
    (booking["booker"]["name"], booking["booker"]["phone"]) = (json!(KOREAN.name), json!(KOREAN.phone));
    (booking["agency_booking_no"], booking["coupon"]) =
        (json!("YB-1"), json!({ "coupon_id": "C1", "name": "spring", "amount_krw": 0 }));
    let paid = tripstore::paid(booking.clone(), "tp_1", "FULL", 3_180_000, None);
    for (kind, booking) in [("booking.received", booking), ("booking.completed", paid)] {
        let mut template = tripstore::event("E", kind, 1, &booking, change.clone());
        if kind == "booking.completed" {
            template["booking"]["status"] = json!("COMPLETED");
        }
        for mut body in std::iter::once(template.clone()).chain(planted(&KOREAN, &template)) {
            number += 1;
            for (place, plain) in [("/event_id", "E"), ("/booking/booking_no", "T")] {
                let text = body.pointer_mut(place).expect("a text");
                *text = json!(text.as_str().expect("a text").replacen(plain, &format!("{plain}{number}"), 1));
            }
            let told = body["booking"]["booking_no"].clone();
            let refusal = KOREAN.writings[number % KOREAN.writings.len()];
            let said = json!({ "code": refusal, "message": refusal, "detail": refusal, "agency_booking_no": refusal });
            bridge.partners.next("erp.example", Outcome::Says([200, 422, 500][number % 3], said));
            send(&bridge, &path, tripstore::SECRET, &format!("evt-{number}"), &body).await;
            bridge.drain().await;
            let mut off = booking.clone();
            (off["booking_no"], off["status"], off["payments"]) = (told, json!("CANCELED"), json!([]));
            let off = tripstore::event(&key(number), "booking.canceled", 5, &off, json!({ "reason": refusal }));
            send(&bridge, &path, tripstore::SECRET, &format!("off-{number}"), &off).await;
            bridge.drain().await;
            assert!(number > 1 || bridge.tripped("T1").await.is_over(), "the first one is plain enough");
        }
    }
    for body in recorded("tripstore/cases/events.toml", "case") {
        for body in planted(&KOREAN, &body) {
            number += 1;
            send(&bridge, &path, tripstore::SECRET, &format!("rec-{number}-zebediah@plainview.example"), &body).await;
        }
    }
    bridge.shows_no_guest(&KOREAN, &log).await;
}

/// Both generations of Douyin's calls, and the back-end behind them.
#[tokio::test]
async fn no_text_of_douyin_or_a_back_end_shows_a_guest() {
    crate::support::leaves_work();
    let (log, _guard) = Caught::start();
    let bridge = TestBridge::start_with(|files| {
        let products = files.get_mut("products/lakeside.toml").expect("the products");
        *products = products.replace("per_phone = 5", "per_phone = 5000").replace("per_phone = 10", "per_phone = 5000");
        *products = products.replace("per_document = 1", "per_document = 5000").replace("stock = 200", "stock = 20000");
        *products = products.replace("stock   = 500", "stock   = 50000");
    })
    .await;
    let mut number = 0;
    let mut next = || {
        number += 1;
        number
    };
    let buyer = json!({ "name": CHINESE.name, "phone": CHINESE.phone });
    let mut sale = douyin::sale("V", 1, bridge.now());
    (sale["buyer"], sale["sku_id"], sale["remark_info"]) = (buyer.clone(), json!("19"), json!({ "remark": "x" }));
    let mut booking = douyin::booking("R", "V", "2026-12-01", 1, bridge.now());
    booking["buyer"] = buyer.clone();
    booking["tourists"][0]["name"] = json!(CHINESE.name);
    let calls = [
        ("create-order", &sale),
        ("can-buy", &sale),
        ("create-order", &booking),
        ("issue-voucher", &douyin::issue("R", 1)),
        ("refund-apply", &douyin::refund_apply("R", "B", 101, 0, bridge.now())),
        (
            "refund-notify",
            &json!({ "order_id": "V", "biz_uniq_key": "B", "refund_amount": 1, "refund_time_unix": bridge.now().seconds(), "refund_scene": 1 }),
        ),
        (
            "cancel-notify",
            &json!({ "order_id": "R", "cancel_type": 2, "cancel_order_time_unix": bridge.now().seconds() }),
        ),
        ("info-sync", &json!({ "order_id": "R", "after_sale_type": 1, "after_sale_id": "B" })),
        ("query-order", &json!({ "order_id": "R" })),
    ];
    for (call, template) in calls {
        for mut body in planted(&CHINESE, template) {
            let number = next();
            for (place, plain) in
                [("/order_id", template["order_id"].as_str().expect("a number")), ("/source_order_id", "V")]
            {
                if let Some(text) = body.pointer_mut(place) {
                    *text = json!(text.as_str().expect("a text").replacen(plain, &format!("{plain}{number}"), 1));
                }
            }
            let answering = bridge.douyin(call, &body);
            let moving = async {
                tokio::task::yield_now().await;
                bridge.advance(ticketbridge_core::Millis::seconds(3));
            };
            tokio::join!(answering, moving);
            bridge.drain().await;
        }
    }
    for file in ["sale", "booking", "issue", "refunds", "notices", "second_generation"] {
        for (call, mut body) in recorded_calls(file) {
            if body.get("buyer").is_some() {
                body["buyer"] = buyer.clone();
            }
            for body in planted(&CHINESE, &body) {
                next();
                let answering = bridge.douyin(&call, &body);
                let moving = async {
                    tokio::task::yield_now().await;
                    bridge.advance(ticketbridge_core::Millis::seconds(3));
                };
                tokio::join!(answering, moving);
            }
        }
    }
    bridge.drain().await;
    gate(&bridge).await;
    bridge.shows_no_guest(&CHINESE, &log).await;
}

fn recorded_calls(file: &str) -> Vec<(String, Value)> {
    let path = format!("{}/adapters/douyin/cases/{file}.toml", env!("CARGO_MANIFEST_DIR"));
    let cases: toml::Table = std::fs::read_to_string(path).expect("cases").parse().expect("TOML");
    let read = |case: &toml::Value| {
        let body: Value = serde_json::from_str(case.get("body")?.as_str()?).ok()?;
        Some((case.get("endpoint")?.as_str()?.to_owned(), body)).filter(|(_, body)| body.is_object())
    };
    cases.get("case").and_then(|cases| cases.as_array()).into_iter().flatten().filter_map(read).collect()
}

/// The back-end's answers and events about orders of the guest, and Douyin's answers to what it is told of them.
async fn gate(bridge: &TestBridge) {
    let mut number = 50_000;
    let answers = recorded("ticketing_http/cases/answers.toml", "answer");
    for (index, answer) in answers.iter().flat_map(|answer| planted(&CHINESE, answer)).enumerate() {
        number += 1;
        let refusal = CHINESE.writings[index % CHINESE.writings.len()];
        let (sale, booked) = (format!("V{number}"), format!("R{number}"));
        let mut body = douyin::sale(&sale, 1, bridge.now());
        body["buyer"] = json!({ "name": CHINESE.name, "phone": CHINESE.phone });
        bridge.douyin("create-order", &body).await;
        let mut body = douyin::booking(&booked, &sale, "2026-12-01", 1, bridge.now());
        body["buyer"] = json!({ "name": CHINESE.name, "phone": CHINESE.phone });
        bridge.partners.next("/bridge/reservations", Outcome::Says([200, 201, 422, 409, 503][index % 5], answer));
        let said = json!({ "data": { "error_code": 7, "description": refusal }, "extra": { "error_code": 7, "description": refusal, "sub_description": refusal, "logid": refusal } });
        bridge.partners.next("/goodlife/", Outcome::Says(200, said));
        bridge.douyin("create-order", &body).await;
        bridge.drain().await;
        let Some(order) = bridge.order_of(crate::support::CHANNEL, &sale).await else { continue };
        let Some(held) = order.booking.as_ref() else { continue };
        let events = recorded("ticketing_http/cases/events.toml", "event");
        let mut event = events[index % events.len()].clone();
        event["reservation_id"] = json!(held.id);
        let planted = planted(&CHINESE, &event);
        let event = &planted[index % planted.len()];
        bridge.backend_event("gate", &format!("evt-{number}-zebediah@plainview.example-13912345098"), event).await;
        bridge.post(&format!("orders/{}/cancel", order.id), &json!({ "reason": refusal })).await;
        bridge.drain().await;
    }
}

/// A repeat under an old key tells what is known then.
#[tokio::test]
async fn a_key_of_an_earlier_look_shows_nobody_who_was_forgotten() {
    let bridge = TestBridge::start().await;
    bridge.sell("V100").await;
    bridge.post("orders/douyin-main:V100/cancel", &json!({ "reason": "x" })).await.expect(200);
    bridge.drain().await;
    let asks = [
        ("orders/douyin-main:V100/reveal", json!({ "reason": "asked" })),
        ("guests/export", json!({ "phone": "13800000100", "reason": "asked" })),
        ("orders/douyin-main:V100/no-show", json!({})),
    ];
    let mut first = Vec::new();
    for (path, body) in &asks {
        first.push(bridge.ask(Ask::post(path, body).key(path)).await);
    }
    assert!(first[0].text().contains("13800000100") && first[1].text().contains("13800000100"));
    let version = bridge.order("V100").await["version"].clone();
    for ((path, body), first) in asks.iter().zip(&first) {
        let again = bridge.ask(Ask::post(path, body).key(path)).await;
        assert_eq!(again.status, first.status);
        if !path.contains("reveal") {
            assert_eq!(again.text(), first.text(), "{path}");
        }
    }
    assert_eq!(bridge.order("V100").await["version"], version, "a repeat is no second look");
    let other = json!({ "reason": "another" });
    bridge.ask(Ask::post(asks[0].0, &other).key(asks[0].0)).await.problem(422, "idempotency_key_reused");

    bridge.post("guests/erase", &json!({ "phone": "13800000100", "reason": "asked for it" })).await.expect(200);
    for (path, body) in &asks {
        let again = bridge.ask(Ask::post(path, body).key(path)).await.text();
        assert!(!again.contains("13800000100") && !again.contains("0100\"}"), "{path}: {again}");
    }
    for (place, text) in everything_kept(bridge.bridge.engine().store()).await {
        assert!(!text.contains("13800000100"), "{place}");
    }
}
