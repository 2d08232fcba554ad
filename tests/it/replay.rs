// SPDX-License-Identifier: Apache-2.0

//! The last day as a test: recorded, exported with stand-ins for guests, played to the same version without a difference, and to a changed
//! one with every change named.

mod courses;
mod missing;

use serde_json::json;
use ticketbridge::app;
use ticketbridge::config::Config;
use ticketbridge::recorder::export::export;
use ticketbridge::recorder::file::{self, Recorded};
use ticketbridge::replay::{Expected, Report, replay};
use ticketbridge::service::registry::Registry;
use ticketbridge_core::{Millis, UnixMillis};

use crate::support::partners::Outcome;
use crate::support::{CHANNEL, START, TestBridge, douyin, environment, kakao};

/// A bridge that records.
async fn recording() -> TestBridge {
    TestBridge::start_with(|files| {
        let service = files.get_mut("ticketbridge.toml").expect("the file of the service");
        service.push_str("\n[recorder]\nkeep = \"48h\"\n");
    })
    .await
}

/// A day with a little of everything: a sale, a visit, a slow back-end, a lost answer, a refund, a refusal, a person who acts.
async fn day(bridge: &TestBridge) {
    // A ticketed order that is used.
    let used = bridge.ticketed("V100", "R100").await;
    // One that is refunded.
    bridge.ticketed("V101", "R101").await;
    let applied = douyin::refund_apply("R101", "B1", 101, 0, bridge.now());
    bridge.douyin("refund-apply", &applied).await.expect(200);
    bridge.drain().await;
    // One whose back-end was away, and then lost an answer.
    bridge.advance(Millis::minutes(5));
    bridge.sell("V102").await;
    bridge.book("R102", "V102", "2026-12-02").await;
    bridge.partners.next("/bridge/reservations", Outcome::NotSent);
    bridge.partners.next("/bridge/reservations", Outcome::Interrupted);
    let answer = bridge.issue_too_slow("R102", 2).await;
    assert_eq!(answer["data"]["result"], 0, "{answer}");
    for _ in 0..3 {
        bridge.drain().await;
        bridge.advance(Millis::minutes(1));
    }
    // One that is refused, and one that is told twice.
    let late = douyin::booking("R103", "V102", "2026-12-03", 2, bridge.now());
    bridge.douyin("create-order", &late).await.expect(200);
    bridge.sell("V104").await;
    bridge.sell("V104").await;
    // Nothing but a question.
    bridge.douyin("can-buy", &douyin::sale("V105", 2, bridge.now())).await.expect(200);
    // A person acts.
    bridge.post("backends/gate/pause", &json!({})).await;
    bridge.post("backends/gate/resume", &json!({})).await;
    bridge.set_time("2026-12-01T09:00:00+08:00");
    let event = json!({
        "type": "ticket.redeemed", "reservation_id": used.booking.expect("a booking").id,
        "occurred_at": "2026-12-01T08:59:00+08:00", "data": {},
    });
    bridge.backend_event("gate", "evt-1", &event).await.expect(200);
    bridge.drain().await;
    bridge.advance(Millis::minutes(10));
    bridge.drain().await;
}

/// What was recorded of a bridge's time, once it has stopped.
async fn taken(bridge: TestBridge) -> Recorded {
    taken_from(bridge, START).await
}

/// The same of the time since `from`.
async fn taken_from(bridge: TestBridge, from: UnixMillis) -> Recorded {
    let (config, until) = (bridge.load_config(), bridge.now() + Millis(1));
    let kept = bridge.keep_files();
    bridge.bridge.stop().await;
    let store = app::open_store(&config).await.expect("the database");
    let registry = Registry::build(&config).expect("the partners");
    let recorded = export(&store, &registry, (from, until), [7; 32]).await.expect("a recording");
    store.close().await.expect("it closes");
    drop(kept);
    recorded
}

async fn play(recorded: &Recorded, config: Config) -> Report {
    replay(recorded.clone(), config, &Expected::default()).await.expect("it can be played")
}

/// The configuration of the tests, edited.
async fn config(edit: impl FnOnce(&mut std::collections::BTreeMap<String, String>)) -> (Config, TestBridge) {
    let bridge = TestBridge::start_with(edit).await;
    let config = Config::load_for_replay(&bridge.config_directory(), &environment()).expect("a configuration");
    (config, bridge)
}

#[tokio::test]
async fn a_day_plays_to_the_same_version_without_a_difference() {
    let bridge = recording().await;
    day(&bridge).await;
    let recorded = taken(bridge).await;
    let (messages, calls) = recorded.counts();
    assert!(messages >= 15 && calls >= 8, "{messages} messages, {calls} calls");
    let (same, _bridge) = config(|_| {}).await;
    let report = play(&recorded, same).await;
    assert_eq!((report.unexplained, report.expected), (0, 0), "{report}");
    assert!(report.equal > 40, "{report}");
    assert_eq!(report.messages, messages as u64);
}

/// A day that an earlier version recorded: every change of what the bridge does shows here, and is either mended or recorded anew, with a word
/// about it in the changelog.
const DAY: &str = "tests/it/replay/day.recording";
/// Set to anything, the day is recorded anew instead.
const RECORD_ANEW: &str = "TICKETBRIDGE_RECORD_DAY";

#[tokio::test]
async fn the_day_that_the_project_keeps_plays_without_a_difference() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(DAY);
    let (same, _bridge) = config(|_| {}).await;
    if std::env::var_os(RECORD_ANEW).is_some() {
        let bridge = recording().await;
        day(&bridge).await;
        let recorded = taken(bridge).await;
        drop(std::fs::remove_file(&path));
        file::write(&path, &recorded, &app::sealer(&same), "a-day-of-the-tests").expect("it is written");
    }
    let recorded = file::read(&path, &app::sealer(&same)).expect("the recording of the project");
    let report = play(&recorded, same).await;
    assert_eq!(
        report.unexplained, 0,
        "{report}\n\nIf this is wanted: {RECORD_ANEW}=1 cargo test --test it replay, and say so in the changelog"
    );
    assert!(report.equal > 40, "{report}");
}

#[tokio::test]
async fn guests_and_secrets_are_not_in_a_recording() {
    let bridge = recording().await;
    day(&bridge).await;
    let order = bridge.stored("V100").await;
    let recorded = taken(bridge).await;
    let text = serde_json::to_string(&recorded).expect("JSON");
    let mut known = 0;
    for (_, person) in order.people() {
        let told = [person.name.as_ref().map(|name| name.reveal()), person.phone.as_ref().map(|phone| phone.reveal())];
        for clear in told.into_iter().flatten().filter(|clear| !clear.is_empty()) {
            known += 1;
            assert!(!text.contains(clear), "{clear} is in the recording");
        }
    }
    assert!(known > 2);
    assert!(!text.contains(crate::support::CLIENT_SECRET));
}

#[tokio::test]
async fn a_planted_change_is_named_with_its_cause_and_a_rule_makes_it_expected() {
    let bridge = recording().await;
    day(&bridge).await;
    let recorded = taken(bridge).await;
    type Edit = fn(&mut std::collections::BTreeMap<String, String>);
    fn product(files: &mut std::collections::BTreeMap<String, String>, from: &str, to: &str) {
        let text = files.get_mut("products/lakeside.toml").expect("the products");
        assert!(text.contains(from), "{from}");
        *text = text.replace(from, to);
    }
    let planted: [(Edit, &str); 6] = [
        (|files| product(files, "price    = 19900", "price    = 19800"), "answer douyin-main/create-order"),
        (|files| product(files, "max_per_order  = 5", "max_per_order  = 1"), "answer douyin-main/create-order"),
        (|files| product(files, "product = \"P-778\"", "product = \"P-779\""), "call POST /bridge/reservations"),
        (|files| product(files, "confirm  = \"auto\"", "confirm  = \"manual\""), "answer douyin-main/create-order"),
        (|files| product(files, "visitors_per_unit = 2", "visitors_per_unit = 3"), "answer douyin-main/create-order"),
        (
            |files| product(files, "before_visit = \"48h\", fee_bp = 0", "before_visit = \"48h\", fee_bp = 500"),
            "order state",
        ),
    ];
    for (edit, named) in planted {
        let (changed, _bridge) = config(edit).await;
        let report = play(&recorded, changed).await;
        assert!(report.unexplained > 0, "{named}: {report}");
        assert!(report.to_string().contains(named), "{named}: {report}");
        assert!(report.causes.iter().any(|cause| !cause.sequence.is_empty()), "{report}");
    }
    let (changed, _bridge) = config(|files| product(files, "price    = 19900", "price    = 19800")).await;
    let rules = "[[expected]]\nwhat = \"answer\"\nreason = \"another price\"\n\
                 [[expected]]\nwhat = \"order\"\nreason = \"another price\"\n";
    let report = replay(recorded, changed, &Expected::read(rules).expect("rules")).await.expect("it can be played");
    assert_eq!(report.unexplained, 0, "{report}");
    assert!(report.expected > 0);
}

type Files = std::collections::BTreeMap<String, String>;

/// The example with a Kakao-style channel beside it.
fn with_kakao(files: &mut Files) {
    let settings = "confirm_limit = \"24h\"\n";
    files.insert("channels/kakao.toml".to_owned(), format!("{}{settings}", kakao::channel_file(kakao::CAN)));
    files.insert("products/kakao.toml".to_owned(), kakao::PRODUCTS.to_owned());
}

/// The same, recorded.
async fn recording_kakao() -> TestBridge {
    TestBridge::start_with(|files| {
        with_kakao(files);
        files.get_mut("ticketbridge.toml").expect("the file").push_str("\n[recorder]\nkeep = \"48h\"\n");
    })
    .await
}

/// Replaces a text of one file.
fn change(files: &mut Files, file: &str, from: &str, to: &str) {
    let text = files.get_mut(file).expect("a file of the configuration");
    assert!(text.contains(from), "{file}: {from}");
    *text = text.replace(from, to);
}

/// A day on which times are promised: a pass that is valid for days, a refund under review, a request that waits for its decision.
async fn day_of_promises(bridge: &TestBridge) {
    bridge.post("codes/lp-2026", &json!({ "codes": ["C-1", "C-2"] })).await.expect(200);
    let amount = json!({ "origin_amount": 10_900, "pay_amount": 10_900 });
    let mut sold = douyin::sale("V1", 1, bridge.now());
    let mut booked = douyin::booking("R1", "V1", "2026-12-01", 1, bridge.now());
    booked["tourists"] = json!([booked["tourists"][0]]);
    for body in [&mut sold, &mut booked] {
        body["product_out_id"] = json!("LP-V1|LP-B1");
        body["amount"] = amount.clone();
        assert_eq!(bridge.douyin("create-order", body).await.expect(200).json()["data"]["error_code"], 0);
        bridge.drain().await;
    }
    bridge.ticketed("V100", "R100").await;
    let applied = douyin::refund_apply("R100", "B1", 101, 0, bridge.now());
    bridge.douyin("refund-apply", &applied).await.expect(200);
    let asked = kakao::reservation("K1", "pd_manual", "REQUESTED");
    bridge.kakao_is(kakao::event("e1", "reservation.requested", 1, &asked, json!({})), "accepted").await;
    bridge.advance(Millis::minutes(30));
    bridge.drain().await;
}

/// The comparison sees every time that a promise hangs on, and every sum: each planted change is named, by how much.
#[tokio::test]
async fn a_promise_that_slips_is_named() {
    let bridge = recording_kakao().await;
    day_of_promises(&bridge).await;
    let recorded = taken(bridge).await;
    let (same, _bridge) = config(with_kakao).await;
    let report = play(&recorded, same).await;
    assert_eq!((report.unexplained, report.expected), (0, 0), "{report}");
    const LAKESIDE: &str = "products/lakeside.toml";
    const DOUYIN: &str = "channels/douyin-main.toml";
    const KAKAO: &str = "channels/kakao.toml";
    let planted: [(&str, &str, &str, &[&str]); 6] = [
        (LAKESIDE, "valid_days_after = 2", "valid_days_after = 30", &["/valid_until \"2026-12-03\" -> \"2026-12-31\""]),
        (KAKAO, "confirm_limit = \"24h\"", "confirm_limit = \"2h\"", &["order deadlines", "(22 h earlier)"]),
        (DOUYIN, "review_limit = \"72h\"", "review_limit = \"54h\"", &["/review_by", "(18 h earlier)"]),
        (
            DOUYIN,
            "review_warn_before = [\"24h\", \"4h\"]",
            "review_warn_before = [\"1h\"]",
            &["order deadlines", "/warn_at"],
        ),
        (LAKESIDE, "price    = 19900", "price    = 19800", &["answer douyin-main/create-order"]),
        (KAKAO, "commission_bp = 300", "commission_bp = 301", &["order settlement"]),
    ];
    for (file, from, to, named) in planted {
        let (changed, _bridge) = config(|files| {
            with_kakao(files);
            change(files, file, from, to);
        })
        .await;
        let report = play(&recorded, changed).await;
        assert!(report.unexplained > 0, "{to}: {report}");
        for words in named {
            assert!(report.to_string().contains(words), "{to}: {words}: {report}");
        }
    }
}

/// Two orders are confirmed and one is declined, and each time the channel tells of it by a message of its own: while our call is under way,
/// and after its answer. Each is played in its place.
#[tokio::test]
async fn a_message_that_crosses_a_call_of_ours_is_played_in_its_place() {
    let bridge = recording_kakao().await;
    for (number, id) in [("K1", "a"), ("K2", "b"), ("K3", "c")] {
        let asked = kakao::reservation(number, "pd_plain", "REQUESTED");
        bridge
            .kakao_is(kakao::event(&format!("{id}1"), "reservation.requested", 1, &asked, json!({})), "accepted")
            .await;
    }
    bridge.drain().await;
    let told = |number: &str, id: &str| {
        let confirmed = kakao::reservation(number, "pd_plain", "CONFIRMED");
        kakao::event(&format!("{id}2"), "reservation.confirmed", 2, &confirmed, json!({}))
    };
    let says = |number: &str| {
        let confirmed = kakao::reservation(number, "pd_plain", "CONFIRMED");
        Outcome::Says(200, json!({ "reservation": confirmed, "revision": 2 }))
    };
    for (number, id, is_first) in [("K1", "a", true), ("K2", "b", false), ("K3", "c", true)] {
        bridge.partners.next("/confirm", says(number));
        bridge.post(&format!("orders/{}:{number}/confirm", kakao::KAKAO), &json!({})).await.expect(200);
        if is_first {
            let held = bridge.partners.hold("/confirm");
            bridge.meanwhile(&held, bridge.kakao_is(told(number, id), "accepted")).await;
        } else {
            bridge.drain().await;
            bridge.kakao_is(told(number, id), "stale").await;
        }
        bridge.drain().await;
    }
    let recorded = taken(bridge).await;
    let (same, _bridge) = config(with_kakao).await;
    let report = play(&recorded, same).await;
    assert_eq!((report.unexplained, report.expected), (0, 0), "{report}");
    assert!(report.equal > 20, "{report}");
}

#[tokio::test]
async fn nothing_leaves_a_replay() {
    let bridge = recording().await;
    bridge.ticketed("V100", "R100").await;
    let mut recorded = taken(bridge).await;
    // Without its calls: whatever is asked of a partner is a finding.
    recorded.pieces.retain(|(_, piece)| !matches!(piece, ticketbridge::recorder::tape::Piece::Out(_)));
    let (same, other) = config(|_| {}).await;
    let report = play(&recorded, same).await;
    assert!(report.causes.iter().any(|cause| cause.place.starts_with("POST /bridge/reservations")), "{report}");
    assert!(other.partners.sent("").is_empty());
}

#[tokio::test]
async fn a_file_is_opened_by_the_key_of_the_configuration_alone() {
    let bridge = recording().await;
    bridge.sell("V100").await;
    let config = bridge.load_config();
    let recorded = taken(bridge).await;
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("day");
    file::write(&path, &recorded, &app::sealer(&config), "a-name").expect("it is written");
    assert_eq!(file::read(&path, &app::sealer(&config)).expect("it is read"), recorded);
    assert!(file::read(&path, &ticketbridge_store::Sealer::new(vec![[1; 32]])).is_err());
}

#[tokio::test]
async fn what_began_before_the_recording_is_left_out_and_said_so() {
    let bridge = recording().await;
    bridge.sell("V100").await;
    bridge.advance(Millis::hours(1));
    let from = bridge.now();
    bridge.book("R100", "V100", "2026-12-01").await;
    bridge.sell("V101").await;
    let recorded = taken_from(bridge, from).await;
    assert_eq!(recorded.counts().0, 1, "{recorded:?}");
    assert!(recorded.left_out.iter().any(|sentence| sentence.starts_with("1 messages")), "{:?}", recorded.left_out);
}

/// Places of a day and units for a phone are taken by orders that are not in the recording, and one of them gives its places back in it.
#[tokio::test]
async fn what_was_taken_before_a_recording_counts_when_it_is_played() {
    let scarce = |files: &mut std::collections::BTreeMap<String, String>| {
        let products = files.get_mut("products/lakeside.toml").expect("the products");
        assert!(products.contains("stock = 200"), "the calendar of the tests");
        *products = products.replace("stock = 200", "stock = 2");
        files.get_mut("ticketbridge.toml").expect("the file").push_str("\n[recorder]\nkeep = \"48h\"\n");
    };
    let bridge = TestBridge::start_with(scarce).await;
    // They are one guest's.
    let sale = |number: &str, bridge: &TestBridge| {
        let mut sale = douyin::sale(number, 2, bridge.now());
        sale["buyer"]["phone"] = json!("13800000100");
        sale
    };
    bridge.douyin("create-order", &sale("V100", &bridge)).await.expect(200);
    bridge.book("R100", "V100", "2026-12-01").await;
    bridge.issue("R100", 2).await;
    bridge.drain().await;
    bridge.advance(Millis::hours(1));
    let from = bridge.now();
    bridge.douyin("create-order", &sale("V101", &bridge)).await.expect(200);
    let refused = |answer: &serde_json::Value| answer["data"]["error_code"] != 0;
    let full = bridge.douyin("create-order", &douyin::booking("R101", "V101", "2026-12-01", 2, bridge.now())).await;
    assert!(refused(&full.json()), "the day is full");
    let many = bridge.douyin("create-order", &sale("V102", &bridge)).await;
    assert!(refused(&many.json()), "five for each phone, and four are sold");
    bridge.advance(Millis::minutes(1));
    bridge.douyin("refund-apply", &douyin::refund_apply("R100", "B1", 101, 0, bridge.now())).await.expect(200);
    bridge.drain().await;
    bridge.advance(Millis::minutes(1));
    bridge.ticketed("V103", "R103").await;
    bridge.drain().await;
    let recorded = taken_from(bridge, from).await;
    assert!(!recorded.claims.is_empty() && recorded.stock.iter().any(|taken| taken.units > 0), "{recorded:?}");
    let (same, _bridge) = config(scarce).await;
    let report = play(&recorded, same).await;
    assert_eq!((report.unexplained, report.expected), (0, 0), "{report}");
    let (same, _bridge) = config(scarce).await;
    let without = Recorded { stock: Vec::new(), claims: Vec::new(), ..recorded };
    assert!(play(&without, same).await.unexplained > 0, "it is what makes the difference");
}

/// Messages of a long day.
const MANY: usize = 20_000;
/// Longest time for playing them.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(300);

/// A measurement: `cargo long-day` (`.cargo/config.toml`).
#[tokio::test]
#[ignore = "a measurement of some minutes"]
async fn a_long_day_of_twenty_thousand_messages_plays_in_five_minutes_without_a_difference() {
    let open = |files: &mut std::collections::BTreeMap<String, String>| {
        let products = files.get_mut("products/lakeside.toml").expect("the products");
        *products = products
            .replace("stock    = 500", "stock    = 1000000")
            .replace("stock = 200", "stock = 1000000")
            .replace("limits   = { per_phone = 5 }", "")
            .replace("per_phone = 10, per_document = 1, ", "");
        let credit = files.get_mut("credit.toml").expect("the credit account");
        *credit = credit.replace("limit    = 5000000", "limit = 1_000_000_000_000");
    };
    let bridge = TestBridge::start_with(|files| {
        open(files);
        files.get_mut("ticketbridge.toml").expect("the file").push_str("\n[recorder]\nkeep = \"48h\"\n");
    })
    .await;
    let began = tokio::time::Instant::now();
    // Each story is four messages, or five.
    for index in 0..MANY / 4 {
        let (sale, booking) = (format!("V{index}"), format!("R{index}"));
        bridge.douyin("can-buy", &douyin::sale(&sale, 2, bridge.now())).await.expect(200);
        bridge.ticketed(&sale, &booking).await;
        if index % 4 == 0 {
            let applied = douyin::refund_apply(&booking, &format!("B{index}"), 101, 0, bridge.now());
            bridge.douyin("refund-apply", &applied).await.expect(200);
        }
        bridge.drain().await;
        bridge.advance(Millis(1_500));
    }
    eprintln!("the day was lived in {:?}", began.elapsed());
    let recorded = taken(bridge).await;
    let (messages, calls) = recorded.counts();
    assert!(messages >= MANY, "{messages} messages, {calls} calls");
    let (same, _bridge) = config(open).await;
    let began = tokio::time::Instant::now();
    let report = play(&recorded, same).await;
    let took = began.elapsed();
    eprintln!("{messages} messages and {calls} calls played in {took:?}");
    assert_eq!((report.unexplained, report.expected), (0, 0), "{report}");
    assert!(took < LIMIT, "{took:?}");
}

/// Two bookings that draw at the same time do so in one order or the other; each has its own codes again.
#[tokio::test]
async fn each_booking_gets_the_codes_that_it_had_then() {
    let bridge = recording().await;
    bridge.post("codes/lp-2026", &json!({ "codes": ["C-1", "C-2", "C-3"] })).await.expect(200);
    for (sale, booking) in [("V1", "R1"), ("V2", "R2")] {
        let mut sold = douyin::sale(sale, 1, bridge.now());
        sold["product_out_id"] = json!("LP-V1|LP-B1");
        sold["amount"] = json!({ "origin_amount": 10_900, "pay_amount": 10_900 });
        assert_eq!(bridge.douyin("create-order", &sold).await.expect(200).json()["data"]["error_code"], 0);
        let mut booked = douyin::booking(booking, sale, "2026-12-01", 1, bridge.now());
        booked["product_out_id"] = json!("LP-V1|LP-B1");
        booked["amount"] = json!({ "origin_amount": 10_900, "pay_amount": 10_900 });
        booked["tourists"] = json!([booked["tourists"][0]]);
        assert_eq!(bridge.douyin("create-order", &booked).await.expect(200).json()["data"]["error_code"], 0);
    }
    bridge.drain().await;
    let mut recorded = taken(bridge).await;
    assert_eq!(recorded.drawn.len(), 2);
    // As if the second had drawn first.
    recorded.drawn.reverse();
    let (same, _bridge) = config(|_| {}).await;
    let report = play(&recorded, same).await;
    assert_eq!((report.unexplained, report.expected), (0, 0), "{report}");
}

/// What was recorded of a guest who is to be forgotten is taken off the tape; what was recorded of others stays.
#[tokio::test]
async fn the_recording_forgets_a_guest_with_the_order() {
    let bridge = recording().await;
    for number in ["V100", "V1001"] {
        bridge.sell(number).await;
        bridge.post(&format!("orders/{CHANNEL}:{number}/cancel"), &json!({ "reason": "closed" })).await.expect(200);
    }
    bridge.drain().await;
    let id = bridge.stored("V100").await.id;
    // What waits to be written is, when it stops.
    let bridge = bridge.restart().await;
    let asked = json!({ "phone": "13800000100", "reason": "the guest asked" });
    let done = bridge.post("guests/erase", &asked).await.expect(200).json();
    assert!(done.to_string().contains(id.as_str()), "{done}");
    let config = bridge.load_config();
    let kept = bridge.keep_files();
    bridge.bridge.stop().await;
    let store = app::open_store(&config).await.expect("the database");
    let pieces = store.read_tape((START, UnixMillis(i64::MAX)), None, 1_000).await.expect("a tape");
    let texts: Vec<String> = pieces.iter().map(|piece| String::from_utf8_lossy(&piece.content).into_owned()).collect();
    for forgotten in ["\"V100\\\"", "13800000100", id.as_str()] {
        assert!(!texts.iter().any(|text| text.contains(forgotten)), "{forgotten}: {texts:?}");
    }
    assert!(texts.iter().any(|text| text.contains("V1001")), "{texts:?}");
    store.close().await.expect("it closes");
    drop(kept);
}
