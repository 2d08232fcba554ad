// SPDX-License-Identifier: Apache-2.0

//! Hostile and broken requests: each gets the documented answer (`docs/src/contract/channels.md`) and changes nothing.

use http::Method;
use sea_orm::{ConnectionTrait as _, Database, DbBackend, Statement};
use serde_json::{Value, json};
use ticketbridge::http::rate::WRONG_TOKENS_MAX;
use ticketbridge_adapters::douyin::sign::sign;
use ticketbridge_adapters::standard_webhooks::Secrets;
use ticketbridge_core::Millis;
use ticketbridge_core::limits::{BODY_BYTES_MAX, NESTING_MAX};

use crate::support::{Ask, CLIENT_KEY, CLIENT_SECRET, GATE_SECRET, OPERATOR, TestBridge, douyin};

/// A call with any bytes, signed with `secret`.
fn signed_bytes(bridge: &TestBridge, call: &str, secret: &str, body: &[u8]) -> Ask {
    let stamp = bridge.now().0.to_string();
    let (signature, _) = sign(secret, &[("client_key", CLIENT_KEY), ("timestamp", &stamp)], body);
    Ask::new(Method::POST, format!("/channels/douyin-main/{call}?client_key={CLIENT_KEY}&timestamp={stamp}"))
        .header("x-life-clientkey", CLIENT_KEY)
        .header("x-life-sign", &signature)
        .header("content-type", "application/json")
        .body(body)
}

/// Number of orders and of deliveries.
async fn effects(bridge: &TestBridge) -> (usize, usize) {
    let count = async |list: &str| bridge.get(list).await.expect(200).json()["items"].as_array().expect("items").len();
    (count("orders").await, count("deliveries").await)
}

#[tokio::test]
async fn a_caller_that_is_not_believed_gets_401_in_the_channels_envelope() {
    let bridge = TestBridge::start().await;
    let sale = douyin::sale("V100", 2, bridge.now());
    let path = "/channels/douyin-main/create-order";
    let wrong_secret =
        signed_bytes(&bridge, "create-order", "fedcba9876543210fedcba9876543210", sale.to_string().as_bytes());
    let mut dearer = sale.clone();
    dearer["count"] = json!(1);
    let stamp = bridge.now().0;
    let requests = [
        (
            "no signature",
            Ask::new(Method::POST, format!("{path}?client_key={CLIENT_KEY}&timestamp={stamp}")).json(&sale),
        ),
        ("nothing at all", Ask::new(Method::POST, path).json(&sale)),
        ("another secret", wrong_secret),
        ("another body", bridge.signed("create-order", &sale).body(dearer.to_string())),
        ("one space more", bridge.signed("create-order", &sale).body(format!("{sale} "))),
        (
            "an unknown application",
            bridge
                .signed("create-order", &sale)
                .header("x-life-clientkey", "awsomebodyelse")
                .header("x-life-sign", "00"),
        ),
        ("a signature that is none", bridge.signed("create-order", &sale).header("x-life-sign", "not hexadecimal")),
        ("an empty signature", bridge.signed("create-order", &sale).header("x-life-sign", "")),
    ];
    for (what, request) in requests {
        let answer = bridge.ask(request).await.expect(401).json();
        assert!(answer["data"]["error_code"].as_i64().is_some_and(|code| code != 0), "{what}: {answer}");
        assert_eq!(answer.as_object().expect("an envelope").len(), 1, "{what}: {answer}");
        assert!(!answer.to_string().contains(CLIENT_SECRET), "{what}: {answer}");
    }
    assert_eq!(effects(&bridge).await, (0, 0));
    assert_eq!(bridge.get("inbox").await.expect(200).json()["items"], json!([]), "strangers do not fill the inbox");
}

#[test]
fn a_stranger_cannot_write_lines_of_his_own_into_the_log() {
    let named =
        ticketbridge_core::port::AuthError::UnknownKey("aw\n2026-11-21 INFO all is well\u{1b}[2J".to_owned().into());
    assert!(!named.to_string().contains(char::is_control), "{named}");
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_refused_with_a_number_and_shows_in_the_inbox() {
    let bridge = TestBridge::start().await;
    let sale = douyin::sale("V100", 2, bridge.now());
    let with = |field: &str, value: Value| {
        let mut body = sale.clone();
        body[field] = value;
        body.to_string().into_bytes()
    };
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let bodies = [
        ("not JSON", b"order_id=V100".to_vec()),
        ("half of it", sale.to_string().into_bytes()[..40].to_vec()),
        ("a list", b"[]".to_vec()),
        ("null", b"null".to_vec()),
        ("very deep", deep.into_bytes()),
        ("a number that is a word", with("count", json!("two"))),
        ("no units", with("count", json!(0))),
        ("fewer than none", with("count", json!(-1))),
        ("a number too large", with("count", json!(i64::MAX))),
        ("an object for a text", with("order_id", json!({}))),
        ("an empty number", with("order_id", json!(""))),
        ("no number", with("order_id", Value::Null)),
        ("a list for an object", with("amount", json!([]))),
        ("a text for an object", with("buyer", json!("13800000100"))),
        ("a negative amount", with("amount", json!({ "origin_amount": -1, "pay_amount": -1 }))),
        ("an amount that is a fraction", with("amount", json!({ "origin_amount": 0.5, "pay_amount": 0.5 }))),
        ("the full-width bar", with("product_out_id", json!("LP-V2｜LP-B2"))),
        ("an unknown kind", with("order_type", json!(77))),
    ];
    for (what, body) in bodies {
        let answer = bridge.ask(signed_bytes(&bridge, "create-order", CLIENT_SECRET, &body)).await.expect(200).json();
        let code = answer["data"]["error_code"].as_i64().unwrap_or_else(|| panic!("{what}: {answer}"));
        assert!(code != 0 && code != 100, "{what}: it would be wrong the next time too: {answer}");
        assert!(!answer.to_string().contains("13800000100"), "{what}: guest data in an answer: {answer}");
        let rows = bridge.get("inbox?verdict=malformed&limit=200").await.expect(200).json();
        let sha = {
            use sha2::Digest as _;
            hex::encode(sha2::Sha256::digest(&body))
        };
        let is_it = |row: &&Value| row["call"] == "create-order" && row["body_sha256"] == sha.as_str();
        let kept = rows["items"].as_array().expect("items").iter().filter(is_it).count();
        assert_eq!(kept, 1, "{what}: {rows}");
    }
    assert_eq!(effects(&bridge).await, (0, 0));
}

#[tokio::test]
async fn every_call_bears_nonsense() {
    let bridge = TestBridge::start().await;
    bridge.ticketed("V100", "R100").await;
    let before = (effects(&bridge).await, bridge.stored("V100").await.version);
    let calls = [
        "can-buy",
        "create-order",
        "pay-notify",
        "issue-voucher",
        "cancel-notify",
        "refund-apply",
        "refund-notify",
        "info-sync",
        "query-order",
        "pull-calendar",
        "v2-create-order",
        "v2-issue-voucher",
    ];
    for call in calls {
        // What cannot be a body of the platform's proves nothing, whatever is signed.
        for body in [&b""[..], b"\xc3\x28", b"{\"order_id\":\"V100\",\"x\":\"\xff\xfe\"}"] {
            let answer = bridge.ask(signed_bytes(&bridge, call, CLIENT_SECRET, body)).await.expect(401).json();
            assert!(answer["data"]["error_code"].as_i64().is_some_and(|code| code != 0), "{call}: {answer}");
        }
        for body in [&b"{"[..], b"{}", b"[1]", b"7", b"{\"order_id\":[],\"count\":\"x\"}", b"{\"order_id\":7.5}"] {
            let answer = bridge.ask(signed_bytes(&bridge, call, CLIENT_SECRET, body)).await.expect(200).json();
            let code = answer["data"]["error_code"].as_i64();
            assert!(code.is_some_and(|code| code != 0), "{call} {:?}: {answer}", String::from_utf8_lossy(body));
        }
    }
    assert_eq!((effects(&bridge).await, bridge.stored("V100").await.version), before);
}

#[tokio::test]
async fn a_body_has_at_most_a_mebibyte() {
    let bridge = TestBridge::start().await;
    let sale = douyin::sale("V100", 2, bridge.now()).to_string();
    let padded = |length: usize| format!("{sale}{}", " ".repeat(length - sale.len()));
    let too_large = signed_bytes(&bridge, "create-order", CLIENT_SECRET, padded(BODY_BYTES_MAX + 1).as_bytes());
    bridge.ask(too_large).await.problem(413, "too_large");
    assert_eq!(effects(&bridge).await, (0, 0));
    let just_fits = signed_bytes(&bridge, "create-order", CLIENT_SECRET, padded(BODY_BYTES_MAX).as_bytes());
    assert_eq!(bridge.ask(just_fits).await.expect(200).json()["data"]["error_code"], 0);
}

#[tokio::test]
async fn unknown_places_foreign_addresses_and_too_many_calls_are_turned_away() {
    let bridge = TestBridge::start().await;
    let sale = douyin::sale("V100", 2, bridge.now());
    let to = |path: &str| Ask::new(Method::POST, path).json(&sale);
    bridge.ask(to("/channels/nobody/create-order")).await.problem(404, "unknown_channel");
    bridge.ask(to("/channels/douyin-main/no-such-call")).await.problem(404, "unknown_call");
    bridge.ask(to("/no/such/place")).await.problem(404, "not_found");
    let other_method = bridge.ask(Ask::new(Method::GET, "/channels/douyin-main/create-order")).await;
    other_method.problem(405, "method_not_allowed");
    assert_eq!(other_method.headers["allow"], "POST");

    let closed = TestBridge::start_with(|files| {
        let channel = files.get_mut("channels/douyin-main.toml").expect("the channel");
        *channel = channel.replace("allow_from = []", "allow_from = [\"198.51.100.0/24\"]");
    })
    .await;
    closed.ask(closed.signed("create-order", &sale)).await.problem(403, "ip_not_registered");
    assert_eq!(effects(&closed).await, (0, 0));

    let slow = TestBridge::start_with(|files| {
        let service = files.get_mut("ticketbridge.toml").expect("the service");
        *service = service.replace("rate_per_caller = 100000", "rate_per_caller = 2");
    })
    .await;
    let mut answers = Vec::new();
    for _ in 0..20 {
        answers.push(slow.ask(slow.signed("create-order", &sale)).await);
    }
    let turned_away: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!(turned_away.len() >= 10, "{}", turned_away.len());
    assert!(turned_away.iter().all(|answer| answer.headers.contains_key("retry-after")));
    turned_away[0].problem(429, "too_many_requests");
}

#[tokio::test]
async fn a_list_of_addresses_is_not_walked_around_behind_a_proxy() {
    let bridge = TestBridge::start_with(|files| {
        let channel = files.get_mut("channels/douyin-main.toml").expect("the channel");
        *channel = channel.replace("allow_from = []", "allow_from = [\"198.51.100.0/24\"]");
        let service = files.get_mut("ticketbridge.toml").expect("the service");
        // Every call of these tests comes from there.
        *service = service.replace("[server]", "[server]\ntrusted_proxies = [\"203.0.113.9\"]");
    })
    .await;
    let sale = douyin::sale("V100", 2, bridge.now());
    for (forwarded, x_forwarded_for, expected) in [
        (None, Some("198.51.100.1"), 200),
        (Some("for=198.51.100.1"), None, 200),
        (Some("for=198.51.100.1"), Some("198.51.100.1"), 200),
        // The proxy writes one header and hands the caller's other one on.
        (Some("for=198.51.100.1"), Some("192.0.2.7"), 403),
        (Some("for=192.0.2.7"), Some("198.51.100.1"), 403),
        (None, Some("198.51.100.1, unknown"), 403),
        (None, None, 403),
    ] {
        let mut ask = bridge.signed("create-order", &sale);
        for (name, value) in [("forwarded", forwarded), ("x-forwarded-for", x_forwarded_for)] {
            ask = value.into_iter().fold(ask, |ask, value| ask.header(name, value));
        }
        assert_eq!(bridge.ask(ask).await.status, expected, "{forwarded:?} {x_forwarded_for:?}");
    }
}

#[tokio::test]
async fn tokens_are_not_guessed_by_the_thousand() {
    let bridge = TestBridge::start().await;
    let mut statuses = Vec::new();
    for number in 0..300 {
        let ask = Ask::new(Method::GET, "/ops/v1/orders").token(&format!("guess-{number}"));
        statuses.push(bridge.ask(ask).await.status.as_u16());
    }
    let (wrong, turned_away) = (count(&statuses, 401), count(&statuses, 429));
    assert!(wrong + turned_away == 300 && turned_away >= 100, "{statuses:?}");
    // Whoever has a token works on.
    bridge.get("orders").await.expect(200);
}

fn count(statuses: &[u16], wanted: u16) -> usize {
    statuses.iter().filter(|status| **status == wanted).count()
}

/// An event with any bytes, signed.
fn event(bridge: &TestBridge, body: &[u8]) -> Ask {
    let (mut headers, secrets) = (http::HeaderMap::new(), Secrets::parse([GATE_SECRET]).expect("a secret"));
    secrets.sign_into(&mut headers, "evt-1", bridge.now(), body).expect("an id");
    let mut ask = Ask::new(Method::POST, "/backends/gate/events").header("content-type", "application/json").body(body);
    for (name, value) in [
        ("webhook-id", "webhook-id"),
        ("webhook-timestamp", "webhook-timestamp"),
        ("webhook-signature", "webhook-signature"),
    ] {
        ask = ask.header(name, headers[value].to_str().expect("text"));
    }
    ask
}

#[tokio::test]
async fn a_back_end_is_told_what_is_wrong_with_its_event() {
    let bridge = TestBridge::start().await;
    let booking = bridge.ticketed("V100", "R100").await.booking.expect("a booking").id;
    let version = bridge.stored("V100").await.version;
    let good = json!({ "type": "ticket.redeemed", "reservation_id": booking, "occurred_at": "2026-11-21T10:00:00+08:00", "data": {} });
    let bytes = good.to_string().into_bytes();
    let unsigned = Ask::new(Method::POST, "/backends/gate/events").json(&good);
    bridge.ask(unsigned).await.problem(401, "missing_signature");
    bridge.ask(event(&bridge, &bytes).body(format!("{good} "))).await.problem(401, "bad_signature");
    bridge.ask(event(&bridge, &bytes).header("webhook-id", "evt-2")).await.problem(401, "bad_signature");
    let old = event(&bridge, &bytes);
    bridge.advance(Millis::seconds(301));
    // Whose clock is wrong is not sent after his signature.
    assert!(bridge.ask(old).await.problem(401, "stale_timestamp").starts_with("the time stamp is 301 s in the past"));
    bridge
        .ask(event(&bridge, &bytes).header("content-type", "text/plain"))
        .await
        .problem(415, "unsupported_media_type");
    bridge.ask(event(&bridge, b"{\"type\":\"\xff\"}")).await.problem(400, "malformed");
    bridge.ask(event(&bridge, b"{\"type\":")).await.problem(400, "malformed");
    let mut wrong = good.clone();
    wrong["occurred_at"] = json!(7);
    bridge.ask(event(&bridge, wrong.to_string().as_bytes())).await.problem(422, "malformed");
    bridge.ask(event(&bridge, &vec![b' '; BODY_BYTES_MAX + 1])).await.problem(413, "too_large");
    let mut unknown = good.clone();
    unknown["reservation_id"] = json!("bkg_nobody");
    bridge.ask(event(&bridge, unknown.to_string().as_bytes())).await.problem(404, "not_found");
    bridge.ask(Ask::new(Method::POST, "/backends/nobody/events").json(&good)).await.problem(404, "unknown_backend");
    bridge.ask(Ask::new(Method::GET, "/backends/gate/events")).await.problem(405, "method_not_allowed");
    assert_eq!(bridge.stored("V100").await.version, version);
}

#[tokio::test]
async fn a_pair_that_is_not_one_is_told_from_a_product_that_is_none() {
    let bridge = TestBridge::start().await;
    for (number, pair, says) in [
        ("V100", "LP-V1|LP-B2", "`LP-V1` is sold with `LP-B1`, not with `LP-B2`"),
        ("V200", "LP-V7|LP-B2", "no product `LP-V7` is configured"),
    ] {
        let mut sale = douyin::sale(number, 2, bridge.now());
        sale["product_out_id"] = json!(pair);
        let answer = bridge.douyin("create-order", &sale).await.expect(200).json();
        assert_eq!(answer["data"]["error_code"], 2, "{answer}");
        assert!(answer["data"]["description"].as_str().is_some_and(|text| text.contains(says)), "{answer}");
    }
}

#[tokio::test]
async fn a_list_of_callers_cannot_be_walked_around_behind_a_trusted_proxy() {
    let bridge = TestBridge::start_with(|files| {
        let channel = files.get_mut("channels/douyin-main.toml").expect("the channel");
        *channel = channel.replace("allow_from = []", "allow_from = [\"198.51.100.0/24\"]");
        let service = files.get_mut("ticketbridge.toml").expect("the service");
        *service = service.replace("[server]", "[server]\ntrusted_proxies = [\"203.0.113.9/32\"]");
    })
    .await;
    let sale = douyin::sale("V100", 2, bridge.now());
    let by = |lines: &[(&'static str, &str)]| {
        lines.iter().fold(bridge.signed("create-order", &sale), |ask, (name, value)| ask.header(name, value))
    };
    for lines in [
        // The proxy writes one header and passes the other on.
        &[("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=198.51.100.5")][..],
        &[("forwarded", "for=192.0.2.1"), ("x-forwarded-for", "198.51.100.5")],
        &[("x-forwarded-for", "198.51.100.5, garbage")],
        &[("x-forwarded-for", "198.51.100.5, unknown")],
        &[("x-forwarded-for", "198.51.100.5, 192.0.2.1")],
        &[("forwarded", "for=198.51.100.5, for=_hidden")],
    ] {
        bridge.ask(by(lines)).await.problem(403, "ip_not_registered");
    }
    assert_eq!(effects(&bridge).await, (0, 0));
    let good = by(&[("x-forwarded-for", "192.0.2.1, 198.51.100.5")]);
    assert_eq!(bridge.ask(good).await.expect(200).json()["data"]["error_code"], 0);
}

#[tokio::test]
async fn callers_that_nobody_can_tell_apart_share_one_rate() {
    let bridge = TestBridge::start_with(|files| {
        let service = files.get_mut("ticketbridge.toml").expect("the service");
        *service =
            service.replace("rate_per_caller = 100000", "rate_per_caller = 2\ntrusted_proxies = [\"203.0.113.9/32\"]");
    })
    .await;
    let sale = douyin::sale("V100", 2, bridge.now());
    let mut turned_away = 0;
    for n in 0..20 {
        let by = bridge
            .signed("create-order", &sale)
            .header("x-forwarded-for", "192.0.2.1")
            .header("forwarded", &format!("for=198.51.100.{n}"));
        turned_away += usize::from(bridge.ask(by).await.status == 429);
    }
    assert!(turned_away >= 10, "a new forged header for every call is no new caller: {turned_away}");
}

#[tokio::test]
async fn guessing_ops_tokens_is_stopped_and_holders_at_the_same_address_work_on() {
    let bridge = TestBridge::start().await;
    let with = |token: &str| Ask::new(Method::GET, "/ops/v1/orders").token(token);
    for _ in 0..WRONG_TOKENS_MAX {
        bridge.ask(with("a-guess")).await.problem(401, "unauthenticated");
    }
    let stopped = bridge.ask(with("a-guess")).await;
    stopped.problem(429, "too_many_requests");
    let wait: i64 = stopped.headers["retry-after"].to_str().expect("text").parse().expect("seconds");
    assert!((1..=60).contains(&wait), "{wait}");
    bridge.ask(with(OPERATOR)).await.expect(200);
    bridge.advance(Millis::seconds(wait));
    bridge.ask(with("a-guess")).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn the_ops_interface_has_the_rate_of_every_caller() {
    let bridge = TestBridge::start_with(|files| {
        let service = files.get_mut("ticketbridge.toml").expect("the service");
        *service = service.replace("rate_per_caller = 100000", "rate_per_caller = 2");
    })
    .await;
    let mut answers = Vec::new();
    for _ in 0..20 {
        answers.push(bridge.ask(Ask::get("orders")).await);
    }
    let turned_away: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!(turned_away.len() >= 10, "{}", turned_away.len());
    assert!(turned_away.iter().all(|answer| answer.headers.contains_key("retry-after")));
}

#[tokio::test]
async fn a_body_is_nested_so_deep_and_no_deeper_in_unknown_fields_too() {
    let bridge = TestBridge::start().await;
    let with = |body: &Value, depth: usize| {
        let (text, deep) = (body.to_string(), format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
        format!("{{\"unknown\":{deep},{}", text.strip_prefix('{').expect("an object"))
    };
    let sale = douyin::sale("V100", 2, bridge.now());
    // The object itself is one level.
    for (depth, is_taken) in [(NESTING_MAX, false), (100_000, false), (NESTING_MAX - 1, true)] {
        let ask = signed_bytes(&bridge, "create-order", CLIENT_SECRET, with(&sale, depth).as_bytes());
        let answer = bridge.ask(ask).await.expect(200).json();
        assert_eq!(answer["data"]["error_code"] == 0, is_taken, "{depth}: {answer}");
        let says = answer["data"]["description"].as_str().unwrap_or_default();
        assert!(is_taken || says.contains(&NESTING_MAX.to_string()), "{answer}");
    }
    let news = json!({ "type": "something.else", "reservation_id": "bkg_1", "occurred_at": "2026-11-21T10:00:00+08:00", "data": {} });
    let said = bridge.ask(event(&bridge, with(&news, NESTING_MAX).as_bytes())).await.problem(400, "malformed");
    assert!(said.contains(&NESTING_MAX.to_string()), "{said}");
    let act = with(&json!({ "reason": "a test" }), NESTING_MAX);
    let ask = Ask::post("orders/douyin-main:V100/cancel", &json!({})).body(act);
    let said = bridge.ask(ask).await.problem(400, "malformed");
    assert!(said.contains(&NESTING_MAX.to_string()), "{said}");
}

#[tokio::test]
async fn strangers_at_a_partners_address_take_nothing_from_it() {
    let bridge = TestBridge::start_with(|files| {
        let service = files.get_mut("ticketbridge.toml").expect("the service");
        *service = service.replace("rate_per_caller = 100000", "rate_per_caller = 500");
    })
    .await;
    let path = "/channels/douyin-main/create-order";
    let (mut told, mut turned_away) = (0, 0);
    for number in 0..60 {
        let sale = douyin::sale(&format!("V{number}"), 1, bridge.now());
        for _ in 0..10 {
            match bridge.ask(Ask::new(Method::POST, path).json(&sale)).await.status.as_u16() {
                401 => told += 1,
                429 => turned_away += 1,
                other => panic!("{other}"),
            }
            let forged = bridge.signed("create-order", &sale).body("{}");
            assert!(matches!(bridge.ask(forged).await.status.as_u16(), 401 | 429));
        }
        let answer = bridge.douyin("create-order", &sale).await.expect(200).json();
        assert_eq!(answer["data"]["error_code"], 0, "{answer}");
        let news = json!({ "type": "something.else", "reservation_id": "bkg_1", "occurred_at": "2026-11-21T10:00:00+08:00", "data": {} });
        assert_eq!(bridge.backend_event("gate", &format!("evt-{number}"), &news).await.status, 200);
    }
    assert!(told > 0 && turned_away > 0, "{told} {turned_away}");
    let file = bridge.config_directory().with_file_name("ticketbridge.db");
    let beside = Database::connect(format!("sqlite://{}", file.display())).await.expect("a file that can be opened");
    let count = Statement::from_string(DbBackend::Sqlite, "SELECT COUNT(*) AS many FROM call_log");
    let count = beside.query_one_raw(count).await.expect("a table").expect("a row");
    let recorded: i64 = count.try_get("", "many").expect("a number");
    assert!(recorded < 60 + 60 + 10, "strangers' calls are counted, and hardly any is stored: {recorded}");
}

#[tokio::test]
async fn whoever_guesses_tokens_locks_nobody_out() {
    let bridge = TestBridge::start().await;
    for number in 0..1_500 {
        bridge.ask(Ask::new(Method::GET, "/ops/v1/orders").token(&format!("guess-{number}"))).await;
    }
    for _ in 0..3 {
        bridge.get("orders").await.expect(200);
        bridge.ask(Ask::new(Method::GET, "/ops/v1/orders").token(OPERATOR)).await.expect(200);
        let guess = bridge.ask(Ask::new(Method::GET, "/ops/v1/orders").token("one-more-guess")).await;
        guess.problem(429, "too_many_requests");
    }
}

#[tokio::test]
async fn a_stranger_is_not_told_which_keys_exist() {
    let bridge = TestBridge::start().await;
    let sale = douyin::sale("V100", 2, bridge.now());
    let wrong = signed_bytes(&bridge, "create-order", "fedcba9876543210fedcba9876543210", sale.to_string().as_bytes());
    let wrong = bridge.ask(wrong).await.expect(401).text();
    let stamp = bridge.now().0.to_string();
    let (signature, _) =
        sign(CLIENT_SECRET, &[("client_key", "awnobody"), ("timestamp", &stamp)], sale.to_string().as_bytes());
    let unknown =
        Ask::new(Method::POST, format!("/channels/douyin-main/create-order?client_key=awnobody&timestamp={stamp}"))
            .header("x-life-clientkey", "awnobody")
            .header("x-life-sign", &signature)
            .json(&sale);
    assert_eq!(bridge.ask(unknown).await.expect(401).text(), wrong);
}

#[tokio::test]
async fn a_body_that_is_encoded_is_refused_by_name_everywhere() {
    let bridge = TestBridge::start().await;
    let sale = douyin::sale("V100", 2, bridge.now());
    let news = json!({ "type": "something.else", "reservation_id": "bkg_1", "occurred_at": "2026-11-21T10:00:00+08:00", "data": {} });
    for ask in [
        bridge.signed("create-order", &sale),
        event(&bridge, news.to_string().as_bytes()),
        Ask::post("orders/douyin-main:V100/cancel", &json!({ "reason": "a test" })),
    ] {
        let said =
            bridge.ask(ask.header("content-encoding", "gzip")).await.problem(415, "unsupported_content_encoding");
        assert!(said.contains("gzip"), "{said}");
    }
    bridge.ask(bridge.signed("create-order", &sale).header("content-encoding", "identity")).await.expect(200);
}

#[tokio::test]
async fn metrics_are_for_whom_the_configuration_says() {
    let open = TestBridge::start().await;
    let look = || Ask::new(Method::GET, "/metrics");
    assert!(open.ask(look()).await.expect(200).text().contains("ticketbridge_database_answers 1"));
    let closed = TestBridge::start_with(|files| {
        let service = files.get_mut("ticketbridge.toml").expect("the service");
        service.push_str("[metrics]\ntoken = { env = \"OPERATOR_TOKEN\" }\nlisten = \"127.0.0.1:0\"\n");
    })
    .await;
    closed.ask(look()).await.problem(404, "not_found");
    let address = closed.bridge.metrics_address().expect("they have one");
    let (status, _, _) = crate::time_limits::send(address, &look()).await;
    assert_eq!(status, 401);
    let (status, text, _) = crate::time_limits::send(address, &look().token(OPERATOR)).await;
    assert!(status == 200 && text.as_str().is_some_and(|text| text.contains("ticketbridge_")), "{status} {text}");
    let (status, _, _) =
        crate::time_limits::send(address, &Ask::new(Method::GET, "/ops/v1/orders").token(OPERATOR)).await;
    assert_eq!(status, 404, "nothing else is there");
}
