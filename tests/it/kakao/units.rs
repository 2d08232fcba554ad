// SPDX-License-Identifier: Apache-2.0

//! Some units of a reservation, cancelled before, between and after everything else: which are ticketed, what goes back for them, and who is
//! told when one of them goes in.

use serde_json::{Value, json};
use ticketbridge_core::Millis;
use ticketbridge_core::order::{AttentionKind, OrderState, TicketingState};

use crate::support::kakao::{CAN, KAKAO, event, reservation, with_cancels};
use crate::support::partners::Outcome;
use crate::support::{Reply, TestBridge};

async fn start() -> TestBridge {
    TestBridge::start_kakao(&format!("{CAN}, \"partial_cancel\"")).await
}

/// The reservation with so many units of each line cancelled, and this much gone back.
fn parted(product: &str, status: &str, off: [u32; 2], back: i64) -> Value {
    let mut it = reservation("R1", product, status);
    it["cancel_policy"]["partial_allowed"] = json!(true);
    for (line, units) in off.into_iter().enumerate() {
        it["lines"][line]["canceled_quantity"] = json!(units);
    }
    if back > 0 { with_cancels(it, &[("pay_1", "cx_guest", back, "DONE")]) } else { it }
}

async fn tells(bridge: &TestBridge, kind: &str, revision: u64, it: &Value) {
    bridge.kakao_is(event(&format!("e{revision}"), kind, revision, it, json!({"by": "BOOKER"})), "accepted").await;
}

/// Three units that the platform has confirmed by itself, with a ticket each, on the day of the visit.
async fn ticketed() -> TestBridge {
    let bridge = start().await;
    tells(&bridge, "reservation.confirmed", 1, &parted("pd_auto", "CONFIRMED", [0, 0], 0)).await;
    bridge.drain().await;
    bridge.set_time("2026-12-13T10:30:00+09:00");
    bridge
}

async fn go_in(bridge: &TestBridge, id: &str, data: Value) -> Reply {
    let booking = bridge.booked("R1").await.booking.expect("a booking").id;
    let told = json!({"type": "ticket.redeemed", "reservation_id": booking, "occurred_at": "2026-12-13T10:20:00+09:00",
        "data": data});
    bridge.backend_event("gate", id, &told).await
}

fn quantities(bridge: &TestBridge) -> Vec<Value> {
    let asked = bridge.partners.sent("/bridge/reservations").into_iter().filter(|call| call.method == "POST");
    asked.filter(|call| !call.url.ends_with("/cancel")).map(|call| call.body["quantity"].clone()).collect()
}

/// What was told as used, call by call.
fn uses(bridge: &TestBridge) -> Vec<Value> {
    bridge.partners.sent("R1/use").into_iter().map(|call| call.body["lines"].clone()).collect()
}

async fn is_flagged(bridge: &TestBridge, kind: AttentionKind) -> bool {
    bridge.booked("R1").await.needs(kind)
}

#[tokio::test]
async fn units_cancelled_before_the_decision_are_not_ticketed() {
    let bridge = start().await;
    tells(&bridge, "reservation.requested", 1, &parted("pd_manual", "REQUESTED", [0, 0], 0)).await;
    tells(&bridge, "reservation.canceled", 2, &parted("pd_manual", "REQUESTED", [1, 0], 38_000)).await;
    bridge.post(&format!("orders/{KAKAO}:R1/confirm"), &json!({})).await.expect(200);
    bridge.drain().await;
    assert_eq!(quantities(&bridge), [2]);
    let order = bridge.booked("R1").await;
    assert_eq!(order.booking.as_ref().unwrap().ticketing.tickets.len(), 2);
    assert!(!order.needs(AttentionKind::LiveTicketBehindRefund), "{:?}", order.attention);
    // The second ticket is that of the second line.
    tells(&bridge, "reservation.confirmed", 3, &parted("pd_manual", "CONFIRMED", [1, 0], 38_000)).await;
    bridge.set_time("2026-12-13T10:30:00+09:00");
    let code = order.booking.unwrap().ticketing.tickets[1].code.reveal().to_owned();
    go_in(&bridge, "g1", json!({"code": code})).await.expect(200);
    bridge.drain().await;
    assert_eq!(uses(&bridge)[0], json!([{"detail_no": "D2", "quantity": 1}]));
}

#[tokio::test]
async fn a_pool_gives_a_code_to_each_unit_that_lives() {
    let bridge = start().await;
    let pool = "id = \"forest\"\nadapter = \"code_pool\"\n[settings]\nkind = \"code\"\nlow_water = 1\n";
    bridge.write_config("backends/forest.toml", pool);
    let product = r#"[[booking_product]]
code = "pd_pool"
name = "Forest pool"
confirm = "manual"
ticketing = { mode = "code_pool", pool = "forest" }
cancellation = { kind = "anytime" }
guests = { who = "one", fields = [] }
calendar = [ { from = "2026-11-01", to = "2027-03-31", stock = 10, price = 38000 } ]
"#;
    bridge.write_config("products/pool.toml", product);
    bridge.post("config/reload", &json!({})).await.expect(200);
    bridge.post("codes/forest", &json!({"codes": ["C-1", "C-2", "C-3", "C-4"]})).await.expect(200);
    tells(&bridge, "reservation.requested", 1, &parted("pd_pool", "REQUESTED", [0, 0], 0)).await;
    tells(&bridge, "reservation.canceled", 2, &parted("pd_pool", "REQUESTED", [1, 0], 38_000)).await;
    bridge.post(&format!("orders/{KAKAO}:R1/confirm"), &json!({})).await.expect(200);
    bridge.drain().await;
    assert_eq!(bridge.booked("R1").await.booking.unwrap().ticketing.tickets.len(), 2);
    assert_eq!(bridge.get("codes/forest").await.expect(200).json()["issued"], 2);
}

#[tokio::test]
async fn a_repeat_asks_for_the_units_that_live_by_then() {
    let bridge = start().await;
    bridge.partners.next("/bridge/reservations", Outcome::Says(503, json!({})));
    tells(&bridge, "reservation.confirmed", 1, &parted("pd_auto", "CONFIRMED", [0, 0], 0)).await;
    bridge.drain().await;
    tells(&bridge, "reservation.canceled", 2, &parted("pd_auto", "CONFIRMED", [1, 0], 38_000)).await;
    bridge.advance(Millis::minutes(1));
    bridge.drain().await;
    assert_eq!(quantities(&bridge), [3, 2]);
    let order = bridge.booked("R1").await;
    assert_eq!(order.booking.as_ref().unwrap().ticketing.tickets.len(), 2);
    assert!(order.attention.is_empty(), "{:?}", order.attention);
}

#[tokio::test]
async fn tickets_made_before_a_unit_was_cancelled_are_shown_until_the_last_day_is_over() {
    let bridge = ticketed().await;
    tells(&bridge, "reservation.canceled", 2, &parted("pd_auto", "CONFIRMED", [1, 0], 38_000)).await;
    assert!(is_flagged(&bridge, AttentionKind::LiveTicketBehindRefund).await);
    let mut used = parted("pd_auto", "USED", [1, 0], 38_000);
    used["lines"][0]["used_quantity"] = json!(1);
    used["lines"][1]["used_quantity"] = json!(1);
    bridge.partners.next("R1/use", Outcome::Says(200, json!({"reservation": used, "revision": 3})));
    go_in(&bridge, "g1", json!({"used": 2})).await.expect(200);
    bridge.drain().await;
    assert_eq!(bridge.booked("R1").await.state, OrderState::Completed);
    assert!(is_flagged(&bridge, AttentionKind::LiveTicketBehindRefund).await, "the third still admits");
    assert!(!is_flagged(&bridge, AttentionKind::RedeemedWhileRefunded).await);
    assert_eq!(go_in(&bridge, "g2", json!({"used": 3})).await.expect(200).json()["result"], "accepted");
    assert!(is_flagged(&bridge, AttentionKind::RedeemedWhileRefunded).await);
    bridge.set_time("2026-12-14T00:01:00+09:00");
    bridge.drain().await;
    assert!(!is_flagged(&bridge, AttentionKind::LiveTicketBehindRefund).await, "nobody goes in any more");
    assert!(is_flagged(&bridge, AttentionKind::RedeemedWhileRefunded).await);
}

#[tokio::test]
async fn more_guests_than_units_live_are_shown_and_the_visit_counts() {
    let bridge = ticketed().await;
    tells(&bridge, "reservation.canceled", 2, &parted("pd_auto", "CONFIRMED", [1, 1], 60_000)).await;
    let mut used = parted("pd_auto", "USED", [1, 1], 60_000);
    used["lines"][0]["used_quantity"] = json!(1);
    bridge.partners.next("R1/use", Outcome::Says(200, json!({"reservation": used, "revision": 3})));
    go_in(&bridge, "g1", json!({"used": 2})).await.expect(200);
    bridge.drain().await;
    assert_eq!(bridge.booked("R1").await.state, OrderState::Completed);
    assert!(is_flagged(&bridge, AttentionKind::RedeemedWhileRefunded).await);
    assert_eq!(uses(&bridge), [json!([{"detail_no": "D1", "quantity": 1}])]);
}

#[tokio::test]
async fn the_code_of_a_cancelled_line_uses_no_other_line() {
    let bridge = ticketed().await;
    let tickets = bridge.booked("R1").await.booking.unwrap().ticketing.tickets;
    let code = |at: usize| json!({"code": tickets[at].code.reveal(), "used": if at == 2 { 1 } else { 2 }});
    tells(&bridge, "reservation.canceled", 2, &parted("pd_auto", "CONFIRMED", [0, 1], 22_000)).await;
    go_in(&bridge, "g1", code(2)).await.expect(200);
    bridge.drain().await;
    assert!(is_flagged(&bridge, AttentionKind::RedeemedWhileRefunded).await);
    assert_eq!(uses(&bridge), [] as [Value; 0]);
    assert_eq!(bridge.booked("R1").await.state, OrderState::Booked);
    let mut used = parted("pd_auto", "CONFIRMED", [0, 1], 22_000);
    used["lines"][0]["used_quantity"] = json!(1);
    bridge.partners.next("R1/use", Outcome::Says(200, json!({"reservation": used, "revision": 3})));
    assert_eq!(go_in(&bridge, "g2", code(0)).await.expect(200).json()["result"], "accepted");
    bridge.drain().await;
    assert_eq!(uses(&bridge), [json!([{"detail_no": "D1", "quantity": 1}])]);
    assert_eq!(bridge.booked("R1").await.state, OrderState::Booked, "the other one of the line may still come");
}

/// One of three guests went in, and the units of all were told as used.
#[tokio::test]
async fn a_code_is_one_unit_also_where_units_were_added_after_the_tickets() {
    let bridge = ticketed().await;
    let code = bridge.booked("R1").await.booking.unwrap().ticketing.tickets[0].code.clone();
    let more = |status: &str, used: u32| {
        let mut it = parted("pd_auto", status, [0, 0], 0);
        it["lines"][0]["quantity"] = json!(3);
        it["lines"][0]["amount_krw"] = json!(114_000);
        it["lines"][0]["used_quantity"] = json!(used);
        it["amounts"]["gross_krw"] = json!(136_000);
        it["amounts"]["net_krw"] = json!(131_000);
        it["amounts"]["paid_krw"] = json!(131_000);
        it["payments"][0]["amount_krw"] = json!(128_000);
        it["payments"][0]["cancelable_krw"] = json!(128_000);
        it
    };
    tells(&bridge, "reservation.confirmed", 2, &more("CONFIRMED", 0)).await;
    let told = json!({"reservation": more("CONFIRMED", 1), "revision": 3});
    bridge.partners.next("R1/use", Outcome::Says(200, told));
    go_in(&bridge, "g1", json!({"code": code.reveal()})).await.expect(200);
    bridge.drain().await;
    assert_eq!(uses(&bridge), [json!([{"detail_no": "D1", "quantity": 1}])]);
    assert_eq!(bridge.booked("R1").await.state, OrderState::Booked, "the others may still come");
    assert!(is_flagged(&bridge, AttentionKind::Contradiction).await, "a guest still has no ticket");
}

async fn cancel(bridge: &TestBridge, body: &Value) {
    bridge.post(&format!("orders/{KAKAO}:R1/cancel"), body).await.expect(200);
}

/// The calls that cancel, as they were sent.
fn cancellations(bridge: &TestBridge) -> Vec<Value> {
    let sent = bridge.partners.sent("R1/cancel").into_iter().filter(|call| call.method == "POST");
    sent.map(|call| call.body).collect()
}

fn quotes(bridge: &TestBridge, fee: i64, refund: i64) {
    bridge.partners.next("/cancel-quote", Outcome::Says(200, json!({"fee_krw": fee, "refund_krw": refund})));
}

#[tokio::test]
async fn a_part_that_crosses_the_guests_own_of_the_same_line_is_asked_for_again() {
    crate::support::leaves_work();
    let bridge = start().await;
    let mut four = parted("pd_plain", "CONFIRMED", [0, 0], 0);
    tells(&bridge, "reservation.confirmed", 1, &four).await;
    quotes(&bridge, 0, 36_061);
    cancel(&bridge, &json!({"reason": "x", "fee": 0, "lines": [{"detail_no": "D1", "quantity": 1}]})).await;
    // The guest cancels the child; then another adult is named by us than by the guest.
    four["lines"][1]["canceled_quantity"] = json!(1);
    let newer = with_cancels(four, &[("pay_1", "cx_guest", 20_877, "DONE")]);
    let conflict = json!({"error": {"code": "revision_conflict"}, "reservation": newer, "revision": 2});
    bridge.partners.next("R1/cancel", Outcome::Says(409, conflict));
    bridge.drain().await;
    quotes(&bridge, 0, 36_061);
    bridge.advance(Millis::minutes(1));
    bridge.drain().await;
    let sent = cancellations(&bridge);
    assert!(sent.len() >= 2, "{sent:?}");
    assert_eq!(sent[1]["lines"], json!([{"detail_no": "D1", "quantity": 1}]));
    assert_eq!(sent[1]["expected_revision"], 2);
}

/// The guest cancels `off` of four units of one line while our cancellation of two of them is under way.
async fn crossed(off: u32) -> TestBridge {
    let bridge = start().await;
    let with = |off: u32, back: i64| {
        let mut it = parted("pd_plain", "CONFIRMED", [off, 0], back);
        it["lines"].as_array_mut().unwrap().truncate(1);
        it["lines"][0]["quantity"] = json!(4);
        it["lines"][0]["unit_price_krw"] = json!(24_500);
        it["lines"][0]["amount_krw"] = json!(98_000);
        it
    };
    tells(&bridge, "reservation.confirmed", 1, &with(0, 0)).await;
    quotes(&bridge, 0, 46_500);
    quotes(&bridge, 0, 46_500);
    cancel(&bridge, &json!({"reason": "x", "fee": 0, "lines": [{"detail_no": "D1", "quantity": 2}]})).await;
    let newer = with(off, 23_250 * i64::from(off));
    let conflict = json!({"error": {"code": "revision_conflict"}, "reservation": newer, "revision": 2});
    bridge.partners.next("R1/cancel", Outcome::Says(409, conflict));
    bridge.drain().await;
    bridge.advance(Millis::minutes(1));
    bridge.drain().await;
    bridge
}

#[tokio::test]
async fn as_many_units_as_were_named_are_cancelled_of_what_a_guest_has_left() {
    crate::support::leaves_work();
    let bridge = crossed(1).await;
    let sent = cancellations(&bridge);
    assert!(sent.len() >= 2, "it is decided again: {sent:?}");
    assert_eq!(
        (&sent[1]["lines"], &sent[1]["refund_krw"]),
        (&json!([{"detail_no": "D1", "quantity": 2}]), &json!(46_500))
    );
    assert_eq!((&sent[1]["expected_revision"], &sent[1]["expect_refunded_krw"]), (&json!(2), &json!(23_250)));
}

#[tokio::test]
async fn a_part_that_the_guest_has_left_too_few_of_is_dropped_aloud_and_blocks_nothing() {
    crate::support::leaves_work();
    for off in [2, 3] {
        let bridge = crossed(off).await;
        assert_eq!(cancellations(&bridge).len(), 1, "{off}");
        let order = bridge.booked("R1").await;
        assert!(order.needs(AttentionKind::NotificationRefused), "{off}: {:?}", order.attention);
        let dead = bridge.get("deliveries?state=dead").await.expect(200).json();
        assert_eq!(dead["items"].as_array().unwrap().len(), 1, "{off}: {dead}");
        cancel(&bridge, &json!({"reason": "the rest, then", "fee": 0})).await;
    }
}

#[tokio::test]
async fn a_fee_kept_of_a_unit_is_not_given_back_with_the_last_one() {
    let bridge = start().await;
    let mut first = parted("pd_plain", "CONFIRMED", [2, 0], 71_123);
    first["amounts"]["fee_krw"] = json!(1_000);
    tells(&bridge, "reservation.confirmed", 1, &parted("pd_plain", "CONFIRMED", [0, 0], 0)).await;
    tells(&bridge, "reservation.canceled", 2, &first).await;
    assert_eq!(bridge.booked("R1").await.money.fee(), 1_000);
    quotes(&bridge, 0, 20_877);
    cancel(&bridge, &json!({"reason": "y", "fee": 0, "lines": [{"detail_no": "D2", "quantity": 1}]})).await;
    bridge.partners.next("R1/cancel", Outcome::Says(200, json!({"reservation_no": "R1", "status": "CANCELED"})));
    bridge.drain().await;
    let sent = cancellations(&bridge);
    assert_eq!((&sent[0]["refund_krw"], &sent[0]["fee"]["amount_krw"]), (&json!(20_877), &json!(0)));
    assert_eq!(sent[0]["lines"], json!([{"detail_no": "D2", "quantity": 1}]), "of a whole booking all would go back");
    let order = bridge.booked("R1").await;
    assert_eq!((order.state, order.money.fee()), (OrderState::Cancelled, 1_000));
    assert_eq!(order.money.refunded() + order.money.refund_pending(), 92_000);
}

#[tokio::test]
async fn of_a_line_of_which_nothing_is_left_it_says_so() {
    let bridge = start().await;
    tells(&bridge, "reservation.confirmed", 1, &parted("pd_plain", "CONFIRMED", [0, 1], 22_000)).await;
    let body = json!({"reason": "x", "lines": [{"detail_no": "D2", "quantity": 1}]});
    let refused = bridge.post(&format!("orders/{KAKAO}:R1/cancel"), &body).await;
    refused.problem(422, "invalid");
    assert!(refused.json()["detail"].as_str().unwrap().contains("nothing is left of line `D2`"), "{}", refused.json());
}

/// What `next-steps` says of an act.
async fn step(bridge: &TestBridge, act: &str) -> Value {
    let steps = bridge.get(&format!("orders/{KAKAO}:R1/next-steps")).await.expect(200).json();
    steps["actions"].as_array().unwrap().iter().find(|it| it["act"] == act).cloned().unwrap_or_else(|| steps.clone())
}

#[tokio::test]
async fn a_platform_that_takes_the_money_at_once_has_no_links_for_a_part_that_went_back() {
    let bridge = start().await;
    tells(&bridge, "reservation.confirmed", 1, &parted("pd_plain", "CONFIRMED", [0, 1], 22_000)).await;
    let links = step(&bridge, "payment-links").await;
    assert_eq!((&links["allowed"], &links["code"]), (&json!(false), &json!("not_supported")));
}

#[tokio::test]
async fn tickets_of_another_day_are_replaced_by_hand_and_voided() {
    let bridge = start().await;
    tells(&bridge, "reservation.confirmed", 1, &parted("pd_auto", "CONFIRMED", [0, 0], 0)).await;
    bridge.drain().await;
    assert_eq!(step(&bridge, "tickets").await["code"], "already_ticketed");
    let mut moved = parted("pd_auto", "CONFIRMED", [0, 0], 0);
    moved["use"]["from"] = json!("2026-12-20T10:00:00+09:00");
    moved["use"]["to"] = json!("2026-12-20T12:00:00+09:00");
    tells(&bridge, "reservation.confirmed", 2, &moved).await;
    let shown = bridge.get(&format!("orders/{KAKAO}:R1")).await.expect(200).json();
    assert_eq!(shown["attention"]["kind"], "contradiction");
    assert!(shown["attention"].to_string().contains("2026-12-13"), "{shown}");
    assert!(shown["attention"].to_string().contains("tickets issue"), "{shown}");
    let tickets = json!({"tickets": [{"code": "N-1", "kind": "code"}, {"code": "N-2", "kind": "code"}, {"code": "N-3", "kind": "code"}]});
    bridge.post(&format!("orders/{KAKAO}:R1/tickets"), &tickets).await.expect(200);
    bridge.drain().await;
    let order = bridge.booked("R1").await;
    assert!(order.attention.is_empty(), "{:?}", order.attention);
    assert_eq!(order.booking.as_ref().unwrap().ticketing.tickets[0].code.reveal(), "N-1");
    let voided = bridge.partners.sent("/bridge/reservations").into_iter().filter(|it| it.url.ends_with("/cancel"));
    assert_eq!(voided.count(), 1, "the old ones are void");
    bridge.post(&format!("orders/{KAKAO}:R1/tickets"), &tickets).await.problem(409, "already_ticketed");
}

#[tokio::test]
async fn what_a_back_end_made_void_is_settled_by_tickets_made_by_hand() {
    let bridge = start().await;
    tells(&bridge, "reservation.confirmed", 1, &parted("pd_auto", "CONFIRMED", [0, 0], 0)).await;
    bridge.drain().await;
    let booking = bridge.booked("R1").await.booking.unwrap().id;
    let void =
        json!({"type": "reservation.cancelled", "reservation_id": booking, "occurred_at": "2026-11-22T10:00:00+09:00"});
    bridge.backend_event("gate", "v1", &void).await.expect(200);
    assert!(is_flagged(&bridge, AttentionKind::Contradiction).await);
    let tickets = json!({"tickets": [{"code": "N-1", "kind": "code"}]});
    bridge.post(&format!("orders/{KAKAO}:R1/tickets"), &tickets).await.expect(200);
    bridge.drain().await;
    assert!(bridge.booked("R1").await.attention.is_empty());
}

#[tokio::test]
async fn another_product_before_the_decision_is_shown_and_not_confirmed() {
    for other in ["pd_auto", "pd_nobody_knows"] {
        let bridge = start().await;
        tells(&bridge, "reservation.requested", 1, &parted("pd_manual", "REQUESTED", [0, 0], 0)).await;
        tells(&bridge, "reservation.requested", 2, &parted(other, "REQUESTED", [0, 0], 0)).await;
        let shown = bridge.get(&format!("orders/{KAKAO}:R1")).await.expect(200).json();
        assert_eq!(shown["attention"]["kind"], "contradiction", "{other}: {shown}");
        bridge.post(&format!("orders/{KAKAO}:R1/confirm"), &json!({})).await.problem(409, "content_differs");
        bridge.drain().await;
        assert!(quantities(&bridge).is_empty(), "{other}");
        tells(&bridge, "reservation.requested", 3, &parted("pd_manual", "REQUESTED", [0, 0], 0)).await;
        assert!(!is_flagged(&bridge, AttentionKind::Contradiction).await);
        bridge.post(&format!("orders/{KAKAO}:R1/confirm"), &json!({})).await.expect(200);
        bridge.drain().await;
        assert_eq!(quantities(&bridge), [3]);
    }
}

#[tokio::test]
async fn a_booking_whose_day_was_over_when_it_was_told_is_shown() {
    let bridge = start().await;
    let mut over = parted("pd_auto", "CONFIRMED", [0, 0], 0);
    over["use"]["from"] = json!("2026-11-18T10:00:00+09:00");
    over["use"]["to"] = json!("2026-11-18T12:00:00+09:00");
    tells(&bridge, "reservation.confirmed", 1, &over).await;
    bridge.drain().await;
    let order = bridge.booked("R1").await;
    let said = order.attention.iter().any(|flag| flag.sentence.contains("the visit was over"));
    assert!(said, "{:?}", order.attention);
}

#[tokio::test]
async fn what_is_refused_of_a_known_order_is_shown_on_it_until_its_books_can_be_read() {
    let bridge = start().await;
    tells(&bridge, "reservation.confirmed", 1, &parted("pd_auto", "CONFIRMED", [0, 0], 0)).await;
    bridge.drain().await;
    let mut off =
        crate::support::kakao::cancelled("R1", "pd_auto", "BY_BOOKER", 0, &[("pay_1", "cx_1", 90_000, "DONE")]);
    off["cancel_kind"] = json!(null);
    let refused = bridge.kakao(&event("e2", "reservation.canceled", 2, &off, json!({"by": "BOOKER"}))).await;
    assert_eq!(refused.status.as_u16(), 422);
    let order = bridge.booked("R1").await;
    assert!(order.needs(AttentionKind::BooksDiffer), "{:?}", order.attention);
    let kept = bridge.get("inbox?verdict=malformed").await.expect(200).json();
    assert_eq!(kept["items"][0]["order_id"], order.id.as_str(), "{kept}");
    let waiting = bridge.get("orders?waiting=true").await.expect(200).json();
    assert_eq!(waiting["items"].as_array().unwrap().len(), 1, "{waiting}");
    // Its own books say the same, and cannot be read either.
    bridge.partners.next("/v1/reservations/R1", Outcome::Says(200, json!({"reservation": off, "revision": 2})));
    let report = bridge.post("reconciliation", &json!({})).await.expect(200).json();
    assert_eq!(report["differences"][0]["theirs"], "cannot be read", "{report}");
    assert!(is_flagged(&bridge, AttentionKind::BooksDiffer).await);
    off["cancel_kind"] = json!("BY_BOOKER");
    bridge.partners.next("/v1/reservations/R1", Outcome::Says(200, json!({"reservation": off, "revision": 2})));
    bridge.post("reconciliation", &json!({})).await.expect(200);
    bridge.drain().await;
    let order = bridge.booked("R1").await;
    assert_eq!(order.state, OrderState::Cancelled);
    assert!(!order.needs(AttentionKind::BooksDiffer), "{:?}", order.attention);
    assert_eq!(order.booking.unwrap().ticketing.state, TicketingState::Cancelled);
}
