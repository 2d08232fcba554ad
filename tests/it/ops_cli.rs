// SPDX-License-Identifier: Apache-2.0

//! Ops work from a shell: the program itself, against a bridge that listens.

use serde_json::{Value, json};

use crate::support::{OPERATOR, TestBridge, douyin, kakao, tripstore};

/// What a run of the program printed.
struct Ran {
    code: i32,
    out: String,
    err: String,
}

async fn run(bridge: &TestBridge, arguments: &[&str]) -> Ran {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_ticketbridge"));
    command.args(arguments).args(["--url", &bridge.bridge.url(), "--token", OPERATOR]);
    let output = command.env_remove("RUST_LOG").output().await.expect("the program starts");
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).expect("text"),
        err: String::from_utf8(output.stderr).expect("text"),
    }
}

async fn json_of(bridge: &TestBridge, arguments: &[&str]) -> Value {
    let ran = run(bridge, &[arguments, &["--json"]].concat()).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    serde_json::from_str(&ran.out).expect("JSON")
}

#[tokio::test]
async fn orders_are_listed_shown_and_acted_on() {
    let bridge = TestBridge::start().await;
    bridge.sell("V100").await;
    bridge.book("R100", "V100", "2026-12-01").await;
    let listed = run(&bridge, &["orders", "list", "--state", "booked"]).await;
    assert_eq!((listed.code, listed.out.lines().count()), (0, 2), "{}{}", listed.out, listed.err);
    assert!(listed.out.starts_with("ID ") && listed.out.contains("已预约未出票"), "{}", listed.out);
    let none = run(&bridge, &["orders", "list", "--q", "V999"]).await;
    assert_eq!((none.code, none.out.as_str()), (0, "none\n"));
    let shown = run(&bridge, &["orders", "show", "douyin-main:V100"]).await;
    assert!(shown.out.contains("payment.total") && shown.out.contains("138****0100"), "{}", shown.out);
    let issued = json_of(&bridge, &["tickets", "issue", "douyin-main:R100", "H1", "H2"]).await;
    assert_eq!(issued["booking"]["ticketing"]["state"], "issued");
    let early = run(&bridge, &["orders", "redeem", "douyin-main:V100"]).await;
    assert_eq!((early.code, early.out.as_str()), (1, ""));
    assert_eq!(early.err, "ticketbridge: the visit date has not come yet (too_early)\n");
    bridge.set_time("2026-12-01T12:00:00+08:00");
    let used = json_of(&bridge, &["orders", "redeem", "douyin-main:V100", "--at", "2026-12-01T09:00:00+08:00"]).await;
    assert_eq!(used["booking"]["used_at"], "2026-12-01T09:00:00+08:00");
    let events = run(&bridge, &["orders", "events", "douyin-main:V100", "--limit", "200"]).await;
    assert!(events.out.lines().any(|line| line.contains("redeemed") && line.contains("desk")), "{}", events.out);
}

#[tokio::test]
async fn refunds_deliveries_and_codes_have_commands() {
    let bridge = TestBridge::start().await;
    bridge.sell("V100").await;
    bridge.book("R100", "V100", "2026-12-01").await;
    bridge.douyin("refund-apply", &douyin::refund_apply("R100", "B1", 101, 500, bridge.now())).await.expect(200);
    let case = json_of(&bridge, &["refunds", "list", "--state", "under_review"]).await["items"][0]["id"].clone();
    let case = case.as_str().expect("an id");
    let refused = run(&bridge, &["refunds", "approve", case, "--fee", "-1"]).await;
    assert!(refused.code == 1 && refused.err.contains("fee_out_of_range"), "{}", refused.err);
    let rejected = json_of(&bridge, &["refunds", "reject", case, "--reason", "inside the deadline"]).await;
    assert_eq!((&rejected["state"], &rejected["decided_by"]), (&json!("rejected"), &json!("desk")));
    let deliveries = json_of(&bridge, &["deliveries", "list", "--state", "pending"]).await;
    let id = deliveries["items"][0]["id"].as_str().expect("an id").to_owned();
    let dropped = json_of(&bridge, &["deliveries", "drop", &id, "--reason", "told by phone"]).await;
    assert_eq!(dropped["state"], "dropped");
    let file = bridge.config_directory().join("codes.txt");
    std::fs::write(&file, "A1\nA2\nA2\n").expect("a file");
    let file = file.to_str().expect("a path");
    let imported = json_of(&bridge, &["codes", "import", "lp-2026", file]).await;
    assert_eq!(imported, json!({ "added": 2, "duplicates": 1 }));
    let header = bridge.config_directory().join("codes.csv");
    std::fs::write(&header, "serial,number\n1,B1\n2,B2\n").expect("a file");
    let header = header.to_str().expect("a path");
    let unnamed = run(&bridge, &["codes", "import", "lp-2026", header]).await;
    assert!(unnamed.code == 1 && unnamed.err.contains("--column"), "{}", unnamed.err);
    let named = json_of(&bridge, &["codes", "import", "lp-2026", header, "--column", "number"]).await;
    assert_eq!(named, json!({ "added": 2, "duplicates": 0 }));
    let withdrawn = json_of(&bridge, &["codes", "withdraw", "lp-2026", header, "--column", "number"]).await;
    assert_eq!(withdrawn, json!({ "withdrawn": 2, "issued": 0, "unknown": 0 }));
    let again = json_of(&bridge, &["codes", "withdraw", "lp-2026", header, "--column", "number"]).await;
    assert_eq!(again, json!({ "withdrawn": 0, "issued": 0, "unknown": 2 }));
    let pool = run(&bridge, &["codes", "show", "lp-2026"]).await;
    assert!(pool.out.contains("available  2"), "{}", pool.out);
    let missing = run(&bridge, &["codes", "import", "lp-2026", "no-such-file"]).await;
    assert!(missing.code == 1 && missing.err.contains("no-such-file"), "{}", missing.err);
}

#[tokio::test]
async fn what_waits_for_a_person_is_found_and_names_the_command_that_helps() {
    let bridge = TestBridge::start().await;
    for number in 1..=3 {
        bridge.sell(&format!("V{number}00")).await;
        bridge.book(&format!("R{number}00"), &format!("V{number}00"), "2026-12-01").await;
    }
    let refund = douyin::refund_apply("R200", "B1", 101, 500, bridge.now());
    bridge.douyin("refund-apply", &refund).await.expect(200);
    let ids = |list: &Value| -> Vec<String> {
        let items = list["items"].as_array().expect("items");
        items.iter().map(|order| order["channel_order_id"].as_str().expect("a number").to_owned()).collect()
    };
    let waiting = json_of(&bridge, &["orders", "list", "--attention=refund_waits"]).await;
    assert_eq!(ids(&waiting), ["V200"]);
    let sentence = waiting["items"][0]["attention"]["sentence"].as_str().expect("a sentence");
    assert!(sentence.contains("ticketbridge refunds approve rfc_"), "{sentence}");
    assert_eq!(ids(&json_of(&bridge, &["orders", "list", "--attention"]).await), ["V200"]);
    assert_eq!(ids(&json_of(&bridge, &["orders", "list", "--waiting"]).await), ["V200"]);
    assert!(ids(&json_of(&bridge, &["orders", "list", "--attention=too_early"]).await).is_empty());
    assert_eq!(run(&bridge, &["orders", "list", "--attention=nonsense"]).await.code, 2);
    bridge.get("orders?attention=nonsense").await.problem(422, "invalid");
    let phone = ["orders", "list", "--phone", "13800000100", "--reason", "the guest calls"];
    assert_eq!(ids(&json_of(&bridge, &phone).await), ["V100"]);
    assert_eq!(run(&bridge, &["orders", "list", "--phone", "13800000100"]).await.code, 2, "why is asked");
    let metrics = bridge.ask(crate::support::Ask::new(http::Method::GET, "/metrics")).await.expect(200).text();
    assert!(metrics.contains("ticketbridge_orders_attention{kind=\"refund_waits\"}"), "{metrics}");
}

#[tokio::test]
async fn everything_that_the_interface_has_is_reached_from_a_shell() {
    let bridge = TestBridge::start().await;
    bridge.sell("V100").await;
    bridge.book("R100", "V100", "2026-12-01").await;
    let paused = json_of(&bridge, &["channels", "pause", "douyin-main"]).await;
    assert_eq!(paused["state"], "paused");
    let listed = run(&bridge, &["channels", "list"]).await;
    assert!(listed.out.contains("douyin-main") && listed.out.contains("paused"), "{}", listed.out);
    assert_eq!(json_of(&bridge, &["channels", "resume", "douyin-main"]).await["state"], "running");
    assert_eq!(json_of(&bridge, &["backends", "list"]).await["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(run(&bridge, &["deadlines", "list"]).await.code, 0);
    let inbox = json_of(&bridge, &["inbox", "list", "--call", "create-order"]).await;
    let id = inbox["items"][0]["id"].as_str().expect("an id");
    assert_eq!(run(&bridge, &["inbox", "replay", id]).await.code, 0);
    assert_eq!(json_of(&bridge, &["config", "show"]).await["version"], 1);
    let reload = run(&bridge, &["config", "reload"]).await;
    assert!(reload.code == 1 && reload.err.contains("role"), "an operator may not: {}", reload.err);
    let statement = ["statements", "show", "--settle-id", "douyin-main", "--from", "2026-11-21", "--to", "2026-11-21"];
    assert!(run(&bridge, &statement).await.err.contains("role"));
    let revealed =
        json_of(&bridge, &["orders", "reveal", "douyin-main:V100", "--reason", "the guest is at the gate"]).await;
    assert!(revealed.to_string().contains("13800000100"), "{revealed}");
}

#[tokio::test]
async fn a_shell_needs_the_address_and_a_token_and_no_secret_of_a_partner() {
    let bridge = TestBridge::start().await;
    let place = tempfile::TempDir::new().expect("a temporary directory");
    let listen = bridge.bridge.address();
    let file = format!(
        "[server]\nlisten = \"{listen}\"\n[privacy]\nkey = {{ env = \"NOT_SET_A\" }}\n[ops]\ntokens = [{{ name = \"x\", role = \"operator\", token = {{ env = \"A_TOKEN\" }} }}]\n"
    );
    std::fs::write(place.path().join("ticketbridge.toml"), file).expect("a file");
    let list = |token: Option<&str>| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_ticketbridge"));
        command.args(["orders", "list", "--config", "."]).current_dir(place.path());
        command.env_remove("TICKETBRIDGE_OPS_TOKEN").env_remove("TICKETBRIDGE_LISTEN").env_remove("A_TOKEN");
        if let Some(token) = token {
            command.env("A_TOKEN", token);
        }
        command
    };
    let good = list(Some(OPERATOR)).output().await.expect("the program starts");
    assert!(good.status.success(), "{good:?}");
    let without = list(None).output().await.expect("the program starts");
    let said = String::from_utf8_lossy(&without.stderr).into_owned();
    assert!(said.contains("A_TOKEN is not set") && said.contains("`serve` was started with"), "{said}");
    assert!(!said.contains("openssl") && !said.contains("NOT_SET_A"), "{said}");
}

#[tokio::test]
async fn acts_of_the_korean_channels_have_commands() {
    let bridge = TestBridge::start_kakao(&format!("{}, \"partial_cancel\"", kakao::CAN)).await;
    let one = format!("{}:R1", kakao::KAKAO);
    let mut it = kakao::reservation("R1", "pd_plain", "CONFIRMED");
    it["cancel_policy"]["partial_allowed"] = json!(true);
    bridge.kakao_is(kakao::event("e1", "reservation.confirmed", 1, &it, json!({})), "accepted").await;
    let dear = run(&bridge, &["orders", "cancel", &one, "--reason", "x", "--fee", "999999"]).await;
    assert!(dear.code == 1 && dear.err.contains("fee_above_default"), "{}", dear.err);
    let part = ["orders", "cancel", &one, "--reason", "one fell ill", "--fee", "0", "--line", "D1:1"];
    let asked = json_of(&bridge, &part).await;
    assert_eq!(asked["channel_view"]["proposal"]["parts"][0]["detail"], "D1", "{asked}");
    let used = kakao::reservation("R2", "pd_plain", "USED");
    bridge.kakao_is(kakao::event("f1", "reservation.confirmed", 1, &used, json!({})), "accepted").await;
    let two = format!("{}:R2", kakao::KAKAO);
    let back = json_of(&bridge, &["orders", "return-payment", &two, "--reason", "late", "--amount", "1000"]).await;
    assert_eq!(back["payment"]["state"], "refund_pending");

    let bridge = TestBridge::start_trip(tripstore::CAN).await;
    let booking = tripstore::trip("T1", "COMPLETED");
    bridge.trip_is(tripstore::event("e1", "booking.completed", 1, &booking, json!({})), "accepted").await;
    let one = format!("{}:T1", tripstore::TRIP);
    let sent = json_of(&bridge, &["orders", "payment-links", "send", &one, "--amount", "200000"]).await;
    assert_eq!(sent["channel_view"]["payment_links"][0]["amount"], 200_000);
    json_of(&bridge, &["orders", "payment-links", "revoke", &one]).await;
    let none = run(&bridge, &["orders", "payment-links", "revoke", &one]).await;
    assert!(none.code == 1 && none.err.contains("not_found"), "{}", none.err);
    assert_eq!(run(&bridge, &["orders", "cancel", &one, "--reason", "x", "--line", "D1"]).await.code, 2);
}

#[tokio::test]
async fn wrong_usage_is_two_and_an_unreachable_bridge_one() {
    let bridge = TestBridge::start().await;
    for arguments in [&["orders"][..], &["orders", "decline", "x"], &["orders", "fly"], &["codes", "import", "x"]] {
        assert_eq!(run(&bridge, arguments).await.code, 2, "{arguments:?}");
    }
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_ticketbridge"));
    command.args(["orders", "list", "--url", "http://127.0.0.1:1", "--token", "x"]);
    let output = command.output().await.expect("the program starts");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("was not reached") && said.lines().count() == 1, "{said}");
}
