// SPDX-License-Identifier: Apache-2.0

//! What changes, told to those who look on: each what is in his scope, and after a break from where he was.

use axum::body::BodyDataStream;
use axum::extract::ConnectInfo;
use futures_util::StreamExt as _;
use http::{Method, Request};
use serde_json::Value;
use ticketbridge::accounts::scope::Scope;
use ticketbridge::config::Role;
use ticketbridge_core::Millis;
use tower::ServiceExt as _;

use crate::support::people::{PARTNERS, Person};
use crate::support::{TestBridge, on_each_database};

fn with_partners(files: &mut std::collections::BTreeMap<String, String>) {
    files.insert("partners/all.toml".to_owned(), PARTNERS.to_owned());
    let channel = files.get_mut("channels/douyin-main.toml").expect("the channel");
    *channel =
        channel.replace("adapter = \"douyin\"", "adapter = \"douyin\"\nsettle_id = \"park-1\"\nagency = \"north\"");
}

/// An open stream.
pub(crate) struct Onlooker {
    body: BodyDataStream,
    pub(crate) last: String,
}

impl Onlooker {
    /// Begins to look on; `last` is what was seen last.
    pub(crate) async fn begin(bridge: &TestBridge, person: &Person, last: Option<&str>) -> Result<Self, u16> {
        let mut request = Request::builder()
            .method(Method::GET)
            .uri("/ops/v1/stream")
            .header("cookie", &person.cookie)
            .header("sec-fetch-site", "same-origin");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let mut request = request.body(axum::body::Body::empty()).expect("a request");
        let peer: std::net::SocketAddr = ([203, 0, 113, 9], 4711).into();
        request.extensions_mut().insert(ConnectInfo(peer));
        let router = ticketbridge::http::router(bridge.bridge.shared().clone());
        let response = router.oneshot(request).await.expect("a router does not fail");
        if response.status() != 200 {
            return Err(response.status().as_u16());
        }
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut onlooker = Self { body: response.into_body().into_data_stream(), last: String::new() };
        let first = onlooker.next(bridge).await.expect("a beginning");
        assert!(first.starts_with("retry: "), "{first}");
        Ok(onlooker)
    }

    /// What is told next; the clock goes on as long as nothing is. `None` at the end.
    pub(crate) async fn next(&mut self, bridge: &TestBridge) -> Option<String> {
        let mut told = std::pin::pin!(self.body.next());
        let told = loop {
            tokio::select! {
                biased;
                told = &mut told => break told,
                () = async {
                    while bridge.clock.sleepers() == 0 {
                        tokio::task::yield_now().await;
                    }
                } => bridge.advance(Millis::seconds(1)),
            }
        };
        let told = told?.expect("no error");
        let text = String::from_utf8(told.to_vec()).expect("text");
        if let Some(id) = text.lines().rev().find_map(|line| line.strip_prefix("id: ")) {
            id.clone_into(&mut self.last);
        }
        Some(text)
    }

    /// The changes that are told next: kind and id of each. Signs of life are none.
    async fn changes(&mut self, bridge: &TestBridge) -> Option<Vec<(String, Value)>> {
        loop {
            let text = self.next(bridge).await?;
            let found: Vec<(String, Value)> = text
                .lines()
                .filter_map(|line| line.strip_prefix("data: "))
                .map(|data| {
                    let data: Value = serde_json::from_str(data).expect("JSON");
                    assert_eq!(data.as_object().map(serde_json::Map::len), Some(2), "ids only: {data}");
                    (data["kind"].as_str().expect("a kind").to_owned(), data["id"].clone())
                })
                .collect();
            if !found.is_empty() {
                return Some(found);
            }
        }
    }
}

#[tokio::test]
async fn who_looks_on_is_told_what_changes_and_goes_on_after_a_break() {
    on_each_database(with_partners, async |bridge| {
        let kim = Person::invited(bridge, "kim@north.example", Role::Operator, Scope::Agency("north".into())).await;
        let mut looking = Onlooker::begin(bridge, &kim, None).await.expect("a stream");
        bridge.sell("V100").await;
        let first = bridge.stored("V100").await.id;
        let told = looking.changes(bridge).await.expect("a change");
        assert!(told.contains(&("order".to_owned(), Value::from(first.as_str()))), "{told:?}");
        let last = looking.last.clone();
        drop(looking);
        // What happened while nobody looked is told to who comes back.
        bridge.advance(Millis::minutes(10));
        bridge.sell("V101").await;
        bridge.advance(Millis::minutes(10));
        let second = bridge.stored("V101").await.id;
        let mut looking = Onlooker::begin(bridge, &kim, Some(&last)).await.expect("a stream");
        let told = looking.changes(bridge).await.expect("a change");
        assert!(told.contains(&("order".to_owned(), Value::from(second.as_str()))), "{told:?}");
        assert!(looking.last.parse::<i64>().expect("a time") > last.parse::<i64>().expect("a time"));
    })
    .await;
}

#[tokio::test]
async fn another_agency_is_told_nothing_and_who_may_no_longer_look_is_cut_off() {
    let bridge = TestBridge::start_with(with_partners).await;
    let north = Person::invited(&bridge, "kim@north.example", Role::Operator, Scope::Agency("north".into())).await;
    let south = Person::invited(&bridge, "lee@south.example", Role::Operator, Scope::Agency("south".into())).await;
    // Time passes while people join; nobody is idle for long.
    north.get(&bridge, "session").await.expect(200);
    let books = Person::invited(&bridge, "park@north.example", Role::Settlement, Scope::Agency("north".into())).await;
    for person in [&north, &south] {
        person.get(&bridge, "session").await.expect(200);
    }
    assert_eq!(Onlooker::begin(&bridge, &books, None).await.err(), Some(403));
    assert_eq!(Onlooker::begin(&bridge, &Person::default(), None).await.err(), Some(401));
    let mut of_south = Onlooker::begin(&bridge, &south, None).await.expect("a stream");
    let mut of_north = Onlooker::begin(&bridge, &north, None).await.expect("a stream");
    for n in 100..105 {
        bridge.sell(&format!("V{n}")).await;
    }
    assert!(of_north.changes(&bridge).await.is_some());
    // Nothing but signs of life until the end, which comes by itself.
    assert_eq!(of_south.changes(&bridge).await, None);
    // A session that was ended is told nothing more, and its stream ends with the next change.
    let north = Person::signs_in(&bridge, "kim@north.example").await;
    let mut of_north = Onlooker::begin(&bridge, &north, None).await.expect("a stream");
    north.delete(&bridge, "session").await.expect(200);
    bridge.sell("V110").await;
    assert_eq!(of_north.changes(&bridge).await, None);
}

#[tokio::test]
async fn an_open_page_keeps_no_session_from_ending() {
    let bridge = TestBridge::start_with(with_partners).await;
    let kim = Person::invited(&bridge, "kim@north.example", Role::Operator, Scope::Agency("north".into())).await;
    kim.get(&bridge, "session").await.expect(200);
    // Half an hour in which only the page itself asks.
    for _ in 0..3 {
        bridge.advance(Millis::minutes(9));
        assert!(Onlooker::begin(&bridge, &kim, None).await.is_ok());
    }
    bridge.advance(Millis::minutes(4));
    assert_eq!(Onlooker::begin(&bridge, &kim, None).await.err(), Some(401));
    kim.get(&bridge, "session").await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn an_event_keeps_to_the_description_of_the_stream() {
    let bridge = TestBridge::start_with(with_partners).await;
    let document = bridge.get("openapi.json").await.expect(200).json();
    let pointer = "/paths/~1stream/get/responses/200/content/text~1event-stream/schema";
    let mut schema = document.pointer(pointer).expect("a schema").clone();
    let mut of_data = schema["properties"]["data"]["contentSchema"].clone();
    for schema in [&mut schema, &mut of_data] {
        schema["components"] = document["components"].clone();
    }
    let of_event = jsonschema::validator_for(&schema).expect("a schema");
    let of_data = jsonschema::validator_for(&of_data).expect("a schema");
    let kim = Person::invited(&bridge, "kim@north.example", Role::Operator, Scope::Agency("north".into())).await;
    let mut looking = Onlooker::begin(&bridge, &kim, None).await.expect("a stream");
    bridge.sell("V100").await;
    let text = loop {
        let text = looking.next(&bridge).await.expect("a change");
        if text.contains("data: ") {
            break text;
        }
    };
    for block in text.split("\n\n").filter(|block| !block.is_empty()) {
        let fields = block.lines().filter_map(|line| line.split_once(": "));
        let event: Value = fields.map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
        assert!(of_event.is_valid(&event), "{event}");
        let data: Value = serde_json::from_str(event["data"].as_str().expect("data")).expect("JSON");
        assert!(of_data.is_valid(&data), "{data}");
    }
}
