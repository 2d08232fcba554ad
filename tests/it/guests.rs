// SPDX-License-Identifier: Apache-2.0

//! Guests' data: under a new key while the service runs, found by phone, forgotten when it is no longer needed.

use std::collections::BTreeMap;

use serde_json::json;
use ticketbridge::app;
use ticketbridge::cli::keys::rotate_all;
use ticketbridge::config::Config;
use ticketbridge::housekeeping::schedule;
use ticketbridge_core::Millis;
use ticketbridge_core::order::OrderState;
use ticketbridge_store::test_support::as_an_older_version_left_it;
use ticketbridge_store::{InboxFilter, InboxVerdict, PageRequest, SealedColumn};

use crate::support::partners::Outcome;
use crate::support::{Ask, CHANNEL, OPERATOR, TestBridge, douyin, on_each_database};

const OLD_KEY: &str = "key = { env = \"TICKETBRIDGE_DATA_KEY\" }";
const NEW_KEY: &str = "YW5vdGhlciBrZXkgZm9yIHRlc3RzLCAzMiBieXRlcy4=";
/// The buyer of sale V100, in the tests' numbering.
const PHONE: &str = "13800000100";

impl TestBridge {
    async fn change_keys(&self, keys: &str) {
        let text = self.read_config("ticketbridge.toml");
        let line = text.lines().find(|line| line.starts_with("key = ")).expect("the key of the data");
        self.write_config("ticketbridge.toml", &text.replace(line, keys));
        ticketbridge::service::reload::reload(self.bridge.shared(), None)
            .await
            .unwrap_or_else(|report| panic!("{report}"));
    }

    async fn with_line(&self, file: &str, lines: &str) {
        self.write_config(file, &format!("{}\n{lines}\n", self.read_config(file)));
        ticketbridge::service::reload::reload(self.bridge.shared(), None)
            .await
            .unwrap_or_else(|report| panic!("{report}"));
    }

    /// What `ticketbridge keys rotate` does, over a connection of its own.
    async fn rotate(&self) -> u64 {
        let config = Config::load(&self.config_directory(), &self.bridge.shared().environment).expect("right");
        let store = app::open_store(&config).await.expect("a database that answers");
        let left = rotate_all(&store, drop).await.expect("every key is there");
        store.close().await.expect("a database that answers");
        left
    }

    async fn used(&self, sale: &str, booking: &str) {
        self.ticketed(sale, booking).await;
        self.set_time("2026-12-01T10:00:00+08:00");
        let at = json!({ "at": "2026-12-01T09:00:00+08:00" });
        self.post(&format!("orders/douyin-main:{sale}/redeem"), &at).await.expect(200);
        self.drain().await;
    }

    async fn under_old_keys(&self) -> u64 {
        let mut left = 0;
        for column in SealedColumn::ALL {
            left += self.bridge.engine().store().under_old_keys(column).await.expect("a database that answers");
        }
        left
    }
}

#[tokio::test]
async fn a_key_is_rotated_under_load_and_the_old_one_can_go() {
    let bridge = TestBridge::start().await;
    bridge.ticketed("V100", "R100").await;
    bridge.change_keys(&format!("key = [\"{NEW_KEY}\", {{ env = \"TICKETBRIDGE_DATA_KEY\" }}]")).await;
    assert!(bridge.under_old_keys().await > 3);
    let load = async {
        for number in 2..30 {
            bridge.sell(&format!("V{number}00")).await;
        }
    };
    let (left, ()) = tokio::join!(bridge.rotate(), load);
    assert_eq!((left, bridge.under_old_keys().await), (0, 0));

    bridge.change_keys(&format!("key = \"{NEW_KEY}\"")).await;
    let bridge = bridge.restart().await;
    assert_eq!(bridge.stored("V100").await.buyer.phone.expect("a phone").reveal(), PHONE);
    let found = bridge.bridge.engine().orders_of_guest(PHONE).await.expect("a database that answers");
    assert_eq!(found, [bridge.stored("V100").await.id], "phones are found under the key that they were hashed with");
    // A repeat is recognised and answered as before, from what was sealed anew.
    bridge.sell("V200").await;
}

#[tokio::test]
async fn a_rotation_goes_on_where_it_was_broken_off_and_misses_no_key() {
    let bridge = TestBridge::start().await;
    bridge.sell("V100").await;
    let right = bridge.read_config("ticketbridge.toml");
    bridge.write_config("ticketbridge.toml", &right.replace(OLD_KEY, &format!("key = \"{NEW_KEY}\"")));
    let config = Config::load(&bridge.config_directory(), &bridge.bridge.shared().environment).expect("right");
    assert!(app::open_store(&config).await.is_err(), "a database is not opened without any of its keys");
    bridge.write_config("ticketbridge.toml", &right);
    bridge.sell("V200").await;
    bridge.change_keys(&format!("key = [\"{NEW_KEY}\", {{ env = \"TICKETBRIDGE_DATA_KEY\" }}]")).await;
    let store = bridge.bridge.engine().store();
    let first: ticketbridge_store::Resealed = store
        .write("test", |tx| Box::pin(async move { tx.reseal(&SealedColumn::ALL[1], None, 1).await }))
        .await
        .map_err(|error: ticketbridge_store::StoreError| error)
        .expect("one row");
    assert_eq!((first.rows, first.after.is_some()), (1, true));
    assert_eq!(bridge.rotate().await, 0);
    assert_eq!(bridge.rotate().await, 0);
}

#[tokio::test]
async fn guests_are_forgotten_so_long_after_the_end_and_the_books_stay() {
    on_each_database(
        |_| {},
        async |bridge| {
            bridge.with_line("ticketbridge.toml", "[retention]\nguests = \"30d\"").await;
            bridge.used("V100", "R100").await;
            bridge.sell("V200").await;
            let forget = async || bridge.bridge.engine().forget_old_guests().await.expect("a database that answers");
            bridge.advance(Millis::hours(30 * 24 - 1));
            assert_eq!(forget().await, 0);
            bridge.advance(Millis::hours(2));
            assert_eq!((forget().await, forget().await), (1, 0));

            let order = bridge.stored("V100").await;
            assert!(!order.knows_guests());
            let booking = order.booking.as_ref().expect("a booking");
            assert_eq!(
                (order.state, booking.visitors.len(), order.money.received()),
                (OrderState::Completed, 4, 39_800)
            );
            assert_eq!(booking.ticketing.tickets.len(), 2);
            let engine = bridge.bridge.engine();
            assert_eq!(engine.orders_of_guest(PHONE).await.expect("a database that answers"), []);
            let events = bridge.get("orders/douyin-main:V100/events?limit=200").await.expect(200).json();
            let last = events["items"].as_array().and_then(|items| items.first()).expect("an event").clone();
            assert_eq!((&last["kind"], &last["actor"]["kind"]), (&json!("guests_erased"), &json!("policy")));
            let filter = InboxFilter { order: Some(order.id.clone()), ..InboxFilter::default() };
            let page = PageRequest { limit: 200, cursor: None };
            let messages = engine.store().list_inbox(&filter, &page).await.expect("a database that answers").items;
            assert!(messages.len() >= 3);
            for message in messages {
                assert_eq!(engine.store().inbox_body(&message.id).await.expect("a database that answers"), None);
            }
            // An order that lives keeps its guests.
            assert!(bridge.stored("V200").await.knows_guests());
            bridge.order("V100").await;
        },
    )
    .await;
}

#[tokio::test]
async fn a_key_that_is_still_needed_cannot_be_taken_out() {
    let bridge = TestBridge::start().await;
    bridge.sell("V100").await;
    let text = bridge.read_config("ticketbridge.toml");
    bridge.write_config("ticketbridge.toml", &text.replace(OLD_KEY, &format!("key = \"{NEW_KEY}\"")));
    let line = 1 + text.lines().position(|line| line.starts_with("key = ")).expect("the key of the data");
    let refused = bridge.post("config/reload", &json!({})).await.expect(422).json();
    let problem = &refused["problems"][0];
    assert_eq!(problem["line"], line, "{refused}");
    assert!(problem["problem"].as_str().expect("a sentence").contains("`secret.sealed`"), "{refused}");
    // Nothing has changed: guests are read, and new ones are sealed as before.
    bridge.sell("V200").await;
    bridge.get("orders/douyin-main:V200").await.expect(200);
    assert_eq!(bridge.get("config").await.expect(200).json()["version"], 1);
}

/// Back-ends and colleagues quote guests in their own words.
#[tokio::test]
async fn a_guest_who_is_named_in_free_text_is_masked_there() {
    let bridge = TestBridge::start().await;
    bridge.sell("V100").await;
    bridge.book("R100", "V100", "2026-12-01").await;
    let quoting = json!({ "state": "refused", "reason": "Ada Example (phone 13800000100) is blocked" });
    bridge.partners.next("/bridge/reservations", Outcome::Says(200, quoting));
    bridge.drain().await;
    let reason = json!({ "reason": "Ada Example called from 13800000100" });
    bridge.post("orders/douyin-main:V100/cancel", &reason).await.expect(200);
    bridge.sell("V200").await;
    bridge.book("R200", "V200", "2026-12-01").await;
    bridge.partners.next("/bridge/reservations", Outcome::Says(422, json!({ "reason": "Ada Example" })));
    bridge.drain().await;
    for path in ["", "/events", "/calls"] {
        for sale in ["V100", "V200"] {
            let shown = bridge.get(&format!("orders/douyin-main:{sale}{path}")).await.expect(200).text();
            assert!(!shown.contains("Ada Example") && !shown.contains("13800000100"), "{shown}");
        }
    }
    for path in ["deliveries", "backends"] {
        let shown = bridge.get(path).await.expect(200).text();
        assert!(!shown.contains("Ada Example"), "{shown}");
    }
    let events = bridge.get("orders/douyin-main:V100/events").await.expect(200).json();
    let reasons: Vec<&str> =
        events["items"].as_array().expect("a list").iter().filter_map(|event| event["reason"].as_str()).collect();
    for expected in ["A******** (phone ***) is blocked", "A******** called from 138****0100"] {
        assert!(reasons.contains(&expected), "{expected}: {reasons:?}");
    }
}

/// What is audited is kept for ever: why somebody acted is masked there whoever knows the guest, and also when nobody does.
#[tokio::test]
async fn the_reasons_of_those_who_act_are_masked_in_the_audit() {
    crate::support::leaves_work();
    let bridge = TestBridge::start().await;
    bridge.sell("V100").await;
    bridge.book("R100", "V100", "2026-12-01").await;
    let order = bridge.order("V100").await;
    let because = "Ada Example rang from 13800000100, also 010-7731-5521, ada@post.example";
    let of = |phone: &str| json!({ "phone": phone, "reason": because });
    // One whom an order knows, and one whom none does.
    for phone in ["13800000100", "13977315521"] {
        for call in ["orders/search", "guests/export", "guests/erase"] {
            bridge.post(call, &of(phone)).await.expect(200);
        }
    }
    let many = json!({ "items": [order["id"]], "reason": because });
    bridge.post("bulk/cancel", &many).await.expect(200);
    let delivery = bridge.get("deliveries?limit=1").await.expect(200).json()["items"][0]["id"].clone();
    bridge.post("bulk/drop", &json!({ "items": [delivery], "reason": because })).await.expect(200);
    let audit = bridge.get("audit?limit=200").await.expect(200).json();
    for entry in audit["items"].as_array().expect("a list") {
        let (text, act) = (entry.to_string(), entry["act"].as_str().unwrap_or_default());
        for number in ["13800000100", "7731-5521", "ada@post.example"] {
            assert!(!text.contains(number), "{text}");
        }
        let knows_her = act.starts_with("bulk") || text.contains("A********");
        assert!(!knows_her || !text.contains("Ada Example"), "{text}");
    }
    let named = audit["items"].as_array().expect("a list").iter().filter(|it| it.to_string().contains("A********"));
    assert!(named.count() >= 5, "the searches that found her, and what was done to many: {audit}");
}

/// Whoever stands at the gate has a name and a code.
#[tokio::test]
async fn a_guest_is_found_by_his_name_and_by_a_tickets_code() {
    crate::support::leaves_work();
    on_each_database(
        |_| {},
        async |bridge| {
            bridge.used("V100", "R100").await;
            bridge.sell("V200").await;
            let order = bridge.stored("V100").await;
            let code = order.booking.as_ref().expect("it was booked").ticketing.tickets[0].code.reveal().to_owned();
            let numbers = |list: serde_json::Value| -> Vec<String> {
                let items = list["items"].as_array().expect("a list").clone();
                items.iter().filter_map(|order| order["channel_order_id"].as_str().map(str::to_owned)).collect()
            };
            let named = async |name: &str| {
                let asked = json!({ "name": name, "reason": "he is at the gate" });
                numbers(bridge.post("orders/search", &asked).await.expect(200).json())
            };
            for name in ["Ada Example", "ada EXAMPLE", "Example, Ada", "Bob Example"] {
                assert_eq!(named(name).await, ["V100"], "{name}");
            }
            for nobody in ["Ada", "Zoe Example"] {
                assert!(named(nobody).await.is_empty(), "{nobody}");
            }
            let by_code = |code: &str| format!("orders?q={code}");
            assert_eq!(numbers(bridge.get(&by_code(&code)).await.expect(200).json()), ["V100"], "{code}");
            assert!(numbers(bridge.get(&by_code("T-0")).await.expect(200).json()).is_empty());
            for (wrong, field) in [
                (json!({ "reason": "calls" }), "phone"),
                (json!({ "reason": "calls", "name": "Ada Example", "phone": PHONE }), "name"),
                (json!({ "reason": "calls", "name": " . " }), "name"),
            ] {
                assert_eq!(bridge.post("orders/search", &wrong).await.expect(422).json()["field"], field, "{wrong}");
            }
            let forgotten = json!({ "phone": PHONE, "reason": "the guest asked" });
            bridge.post("guests/erase", &forgotten).await.expect(200);
            assert!(named("Ada Example").await.is_empty(), "an order that has forgotten him is not found by him");
        },
    )
    .await;
}

#[tokio::test]
async fn everything_known_of_a_guest_is_exported_on_the_record() {
    on_each_database(
        |_| {},
        async |bridge| {
            bridge.ticketed("V100", "R100").await;
            let ask = json!({ "phone": "+86 138-0000-0100", "reason": "the guest asked by letter" });
            let known = bridge.post("guests/export", &ask).await.expect(200).json();
            assert_eq!(known["orders"].as_array().map(Vec::len), Some(1));
            let order = &known["orders"][0];
            assert_eq!((&order["channel_order_id"], &order["total"]), (&json!("V100"), &json!(39_800)));
            assert_eq!(
                order["records"][0],
                json!({ "as": "buyer", "person": { "name": null, "phone": PHONE, "document": null } })
            );
            let text = known.to_string();
            assert!(text.contains("Ada Example"), "he is the contact of the booking, too");
            assert!(!text.contains("13900000001"), "other visitors are no concern of his");
            let events = bridge.get("orders/douyin-main:V100/events?limit=200").await.expect(200).json();
            let last = events["items"].as_array().and_then(|items| items.first()).expect("an event").clone();
            assert_eq!((&last["kind"], &last["actor"]["name"]), (&json!("guests_revealed"), &json!("ada")));
            // A visitor is found as well as a buyer.
            let visitor = json!({ "phone": "13900000001", "reason": "the guest asked" });
            assert_eq!(
                bridge.post("guests/export", &visitor).await.expect(200).json()["orders"][0]["records"][0]["as"],
                "visitor"
            );

            let nobody = json!({ "phone": "13899999999", "reason": "the guest asked" });
            assert_eq!(bridge.post("guests/export", &nobody).await.expect(200).json()["orders"], json!([]));
            bridge.post("guests/export", &json!({ "phone": PHONE })).await.problem(422, "invalid");
            bridge.post("guests/export", &json!({ "phone": "138", "reason": "x" })).await.problem(422, "invalid");
            for path in ["guests/export", "guests/erase"] {
                bridge.ask(Ask::post(path, &ask).token(OPERATOR)).await.problem(403, "forbidden");
            }
        },
    )
    .await;
}

#[tokio::test]
async fn a_guest_is_erased_where_the_order_is_over_and_told_where_not() {
    on_each_database(
        |_| {},
        async |bridge| {
            bridge.used("V100", "R100").await;
            let wish = json!({ "phone": PHONE, "reason": "the guest asked" });
            let done = bridge.post("guests/erase", &wish).await.expect(200).json();
            let id = bridge.stored("V100").await.id;
            assert_eq!(done, json!({ "phone": "138****0100", "erased": [id], "kept": [] }));
            assert!(!bridge.stored("V100").await.knows_guests());
            assert_eq!(bridge.post("guests/erase", &wish).await.expect(200).json()["erased"], json!([]));
            // A visitor with the same phone in an order that is still open.
            bridge.sell("V200").await;
            let open = bridge
                .post("guests/erase", &json!({ "phone": "13800000200", "reason": "he asked" }))
                .await
                .expect(200)
                .json();
            assert_eq!((&open["erased"], open["kept"].as_array().map(Vec::len)), (&json!([]), Some(1)), "{open}");
            assert!(bridge.stored("V200").await.knows_guests());
            let repeated = bridge.issue("R100", 2).await;
            assert!(repeated["data"]["error_code"].is_i64(), "a late repeat is answered: {repeated}");
        },
    )
    .await;
}

#[tokio::test]
async fn messages_for_an_order_that_never_comes_do_not_outlive_the_guests() {
    crate::support::leaves_work();
    let edit = |files: &mut BTreeMap<String, String>| {
        files.entry("ticketbridge.toml".to_owned()).or_default().push_str("\n[retention]\nguests = \"30d\"\n");
    };
    on_each_database(edit, async |bridge| {
        bridge.douyin("issue-voucher", &douyin::issue("R100", 2)).await.expect(200);
        bridge.douyin("create-order", &json!({ "order_id": "V300", "order_type": 7 })).await.expect(200);
        bridge.sell("V200").await;
        bridge.advance(Millis::hours(30 * 24 - 1));
        bridge.douyin("issue-voucher", &douyin::issue("R200", 2)).await.expect(200);
        let engine = bridge.bridge.engine();
        let purge = async || schedule::purge(bridge.bridge.shared()).await.expect("a database that answers");
        let waits = async |number: &str| {
            let row =
                engine.store().resolve_ref(&CHANNEL.into(), &number.into()).await.expect("a database that answers");
            row.is_some_and(|row| row.has_remembered)
        };
        assert_eq!((purge().await, waits("R100").await), (0, true));
        bridge.advance(Millis::hours(2));
        assert_eq!(purge().await, 3, "what R100 waited for, its body, and the body that nobody could read");
        assert_eq!((waits("R100").await, waits("R200").await), (false, true));
        let rows = engine.store().list_inbox(&InboxFilter::default(), &PageRequest { limit: 10, cursor: None }).await;
        for row in rows.expect("a database that answers").items {
            let body = engine.store().inbox_body(&row.id).await.expect("a database that answers");
            assert_eq!(
                body.is_some(),
                row.order.is_some() || row.received_at > bridge.now() - Millis::hours(24),
                "{row:?}"
            );
        }
        // The order comes after all, and is served as if nobody had asked before.
        bridge.sell("V100").await;
        bridge.book("R100", "V100", "2027-01-04").await;
        assert_eq!(bridge.issue("R100", 2).await["data"]["result"], 1);
    })
    .await;
}

#[tokio::test]
async fn a_message_that_had_waited_is_forgotten_with_its_order() {
    crate::support::leaves_work();
    on_each_database(
        |_| {},
        async |bridge| {
            bridge.douyin("issue-voucher", &douyin::issue("R100", 2)).await.expect(200);
            bridge.sell("V100").await;
            bridge.book("R100", "V100", "2026-12-01").await;
            let engine = bridge.bridge.engine();
            let filter = InboxFilter { verdict: Some(InboxVerdict::Parked), ..InboxFilter::default() };
            let rows = engine.store().list_inbox(&filter, &PageRequest { limit: 10, cursor: None }).await;
            let waited = rows.expect("a database that answers").items;
            assert_eq!(
                waited.iter().map(|row| row.order.clone()).collect::<Vec<_>>(),
                [Some(bridge.stored("V100").await.id)]
            );
        },
    )
    .await;
}

#[tokio::test]
async fn guests_of_older_orders_are_found_as_well() {
    on_each_database(
        |_| {},
        async |bridge| {
            bridge.ticketed("V100", "R100").await;
            bridge.sell("V200").await;
            bridge.douyin("issue-voucher", &douyin::issue("R300", 2)).await.expect(200);
            let engine = bridge.bridge.engine();
            as_an_older_version_left_it(engine.store()).await;
            let find = async |phone: &str| engine.orders_of_guest(phone).await.expect("a database that answers");
            assert!(find(PHONE).await.is_empty());
            for _ in 0..2 {
                engine.index_old_guests().await.expect("a database that answers");
                assert_eq!(find(PHONE).await, [bridge.stored("V100").await.id]);
                assert_eq!(find("13900000001").await, [bridge.stored("V100").await.id], "a visitor");
                assert_eq!(find("13800000200").await, [bridge.stored("V200").await.id]);
            }
            bridge.advance(Millis::hours(91 * 24));
            schedule::purge(bridge.bridge.shared()).await.expect("a database that answers");
            let waiting =
                engine.store().resolve_ref(&CHANNEL.into(), &"R300".into()).await.expect("a database that answers");
            assert!(!waiting.expect("a number").has_remembered);
        },
    )
    .await;
}

#[tokio::test]
async fn guests_that_come_again_with_a_late_message_are_forgotten_again() {
    crate::support::leaves_work();
    let bridge = TestBridge::start().await;
    bridge.with_line("ticketbridge.toml", "[retention]\nguests = \"30d\"").await;
    bridge.sell("V100").await;
    bridge.book("R100", "V100", "2026-12-01").await;
    bridge.drain().await;
    bridge.set_time("2026-12-01T10:00:00+08:00");
    let at = json!({ "at": "2026-12-01T09:00:00+08:00" });
    bridge.post("orders/douyin-main:V100/redeem", &at).await.expect(200);
    let forget = async || bridge.bridge.engine().forget_old_guests().await.expect("a database that answers");
    bridge.advance(Millis::hours(31 * 24));
    assert_eq!((forget().await, bridge.stored("V100").await.knows_guests()), (1, false));
    let mut late = douyin::issue("R100", 2);
    late["tourists"] = douyin::visitors("R100", 4);
    bridge.douyin("issue-voucher", &late).await.expect(200);
    assert!(bridge.stored("V100").await.knows_guests());
    bridge.advance(Millis::hours(31 * 24));
    assert_eq!((forget().await, bridge.stored("V100").await.knows_guests()), (1, false));
}

#[tokio::test]
async fn a_look_at_an_order_that_is_over_does_not_keep_its_guests_longer() {
    on_each_database(
        |_| {},
        async |bridge| {
            bridge.with_line("ticketbridge.toml", "[retention]\nguests = \"30d\"").await;
            bridge.used("V100", "R100").await;
            bridge.advance(Millis::hours(20 * 24));
            let reason = json!({ "reason": "the guest has asked" });
            bridge.post("orders/douyin-main:V100/reveal", &reason).await.expect(200);
            // A service that starts late makes up for what fell due meanwhile.
            bridge.advance(Millis::hours(10 * 24 - 1));
            ticketbridge::housekeeping::schedule::at_start(bridge.bridge.shared()).await;
            assert!(bridge.stored("V100").await.knows_guests());
            bridge.advance(Millis::hours(2));
            ticketbridge::housekeeping::schedule::at_start(bridge.bridge.shared()).await;
            assert!(!bridge.stored("V100").await.knows_guests());
        },
    )
    .await;
}

/// Who asks to be forgotten while the order lives is forgotten when it is over, without asking again.
#[tokio::test]
async fn a_wish_to_be_forgotten_is_carried_out_when_the_order_is_over() {
    on_each_database(
        |_| {},
        async |bridge| {
            bridge.sell("V100").await;
            let ask = json!({ "phone": PHONE, "reason": "asked for it" });
            let said = bridge.post("guests/erase", &ask).await.expect(200).json();
            assert_eq!((&said["erased"], &said["kept"][0]["noted"]), (&json!([]), &json!(true)), "{said}");
            let engine = bridge.bridge.engine();
            assert_eq!(engine.forget_as_wished().await.expect("a database that answers"), 0);
            assert!(bridge.stored("V100").await.knows_guests());
            bridge.post("orders/douyin-main:V100/cancel", &json!({ "reason": "x" })).await.expect(200);
            bridge.drain().await;
            assert_eq!(engine.forget_as_wished().await.expect("a database that answers"), 1);
            assert!(!bridge.stored("V100").await.knows_guests());
            assert_eq!(engine.forget_as_wished().await.expect("a database that answers"), 0);
            let events = bridge.get("orders/douyin-main:V100/events?limit=200").await.expect(200).json();
            assert_eq!(events["items"][0]["actor"], json!({ "kind": "ops", "name": "ada" }));
        },
    )
    .await;
}
