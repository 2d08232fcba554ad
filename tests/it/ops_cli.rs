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
    let pool = run(&bridge, &["codes", "show", "lp-2026"]).await;
    assert!(pool.out.contains("available  2"), "{}", pool.out);
    let missing = run(&bridge, &["codes", "import", "lp-2026", "no-such-file"]).await;
    assert!(missing.code == 1 && missing.err.contains("no-such-file"), "{}", missing.err);
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
