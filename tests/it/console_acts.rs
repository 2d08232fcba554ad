// SPDX-License-Identifier: Apache-2.0

//! Acts that an order's page offers and that are not done by one press: those that are under way already, and those that want somebody's word.

use serde_json::{Value, json};
use ticketbridge::accounts::scope::Scope;
use ticketbridge::config::Role;
use ticketbridge_core::order::{RefundState, TicketingState};

use crate::console::{Browser, location};
use crate::support::kakao::{CAN, KAKAO, cancelled, event, reservation};
use crate::support::partners::Outcome;
use crate::support::people::Person;
use crate::support::{CHANNEL, TestBridge, douyin};

async fn boss(bridge: &TestBridge) -> Browser<'_> {
    let boss = Person::joins(bridge, "boss@x.example", Role::Admin, Scope::Everything).await;
    Browser { bridge, cookie: boss.cookie }
}

/// A form of a page, by its id.
fn form<'p>(page: &'p str, id: &str) -> &'p str {
    let at = page.find(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("no #{id} in {page}"));
    let end = page[at..].find("</form>").expect("the end of the form");
    &page[at..at + end]
}

#[tokio::test]
async fn an_act_said_again_is_told_to_be_under_way_in_each_language() {
    crate::support::leaves_work();
    let bridge = TestBridge::start_kakao(CAN).await;
    let mut browser = boss(&bridge).await;
    let it = reservation("R1", "pd_plain", "REQUESTED");
    bridge.kakao_is(event("e1", "reservation.requested", 1, &it, json!({})), "accepted").await;
    let id = bridge.booked("R1").await.id;
    let (act, path) = (format!("/console/act/orders/{id}/confirm"), format!("/console/orders/{id}"));
    assert_eq!(location(&browser.send(&act, &[("back", &path)]).await.expect(303)), path, "it is new");
    assert!(!browser.open(&path).await.expect(200).text().contains("id=\"under-way\""));
    for (language, words) in
        [("en", "This is under way already"), ("zh", "此操作已在进行中"), ("ko", "이미 진행 중이므로")]
    {
        let here = format!("{path}?lang={language}");
        let to = location(&browser.send(&act, &[("back", &here)]).await.expect(303));
        assert_eq!(to, format!("{here}&noted=under_way"));
        let page = browser.open(&to).await.expect(200).text();
        let at = page.find("id=\"under-way\"").unwrap_or_else(|| panic!("{page}"));
        assert!(page[at..].split("</div>").next().is_some_and(|card| card.contains(words)), "{page}");
    }
    let listed = bridge.get("deliveries?state=pending").await.expect(200).json();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "nothing new was made: {listed}");
}

#[tokio::test]
async fn a_refund_of_tickets_made_by_hand_is_approved_by_whoever_has_seen_to_them() {
    crate::support::leaves_work();
    let bridge = TestBridge::start().await;
    let mut browser = boss(&bridge).await;
    bridge.post("backends/gate/pause", &json!({})).await.expect(200);
    bridge.sell("V100").await;
    bridge.book("R100", "V100", "2026-12-01").await;
    let by_hand = json!({ "tickets": [{ "code": "H1" }, { "code": "H2" }] });
    bridge.post("orders/douyin-main:V100/tickets", &by_hand).await.expect(200);
    bridge.post("backends/gate/resume", &json!({})).await.expect(200);
    bridge.drain().await;
    let applied = douyin::refund_apply("R100", "K1", 102, 0, bridge.now());
    bridge.douyin("refund-apply", &applied).await.expect(200);
    bridge.drain().await;
    let order = bridge.stored("V100").await;
    let booking = order.booking.as_ref().expect("a booking");
    assert!(booking.ticketing.manual && booking.ticketing.state == TicketingState::Issued);
    let case = order.refund_case.as_ref().expect("a case").id.clone();
    let path = format!("/console/orders/{}?lang=en", order.id);
    let page = browser.open(&path).await.expect(200).text();
    let approve = form(&page, "refund-approve");
    assert!(
        approve.contains("name=\"without_backend\" required") && approve.contains("I have seen to it"),
        "{approve}"
    );
    let act = format!("/console/act/refunds/{case}/approve");
    // Without that word nothing is done, and it is said why.
    let refused = browser.send(&act, &[("back", &path)]).await.expect(422).text();
    assert!(refused.contains("made by hand") && refused.contains("without_backend"), "{refused}");
    let state = async || bridge.stored("V100").await.refund_case.expect("a case").state;
    assert_eq!(state().await, RefundState::UnderReview);
    let done = browser.send(&act, &[("without_backend", "on"), ("back", &path)]).await.expect(303);
    assert_eq!(location(&done), path);
    bridge.drain().await;
    assert!(matches!(state().await, RefundState::Approved | RefundState::Settled));
}

/// What the interface says that an act would do.
async fn foreseen(bridge: &TestBridge, order: &str, act: &str) -> Value {
    let said = bridge.get(&format!("orders/{order}/next-steps")).await.expect(200).json();
    let all = said["actions"].as_array().expect("actions");
    all.iter().find(|it| it["act"] == act).cloned().unwrap_or_else(|| panic!("no {act} in {said}"))
}

/// A booking of the platform with tickets of the gate, past the day from which a part is kept.
async fn ticketed_at_the_platform(capabilities: &str) -> TestBridge {
    let bridge = TestBridge::start_kakao(capabilities).await;
    bridge.set_time("2026-12-02T12:00:00+09:00");
    let it = reservation("R1", "pd_auto", "CONFIRMED");
    bridge.kakao_is(event("e1", "reservation.confirmed", 1, &it, json!({"by": "AUTO"})), "accepted").await;
    bridge.drain().await;
    let booking = bridge.booked("R1").await.booking.expect("a booking");
    assert_eq!(booking.ticketing.state, TicketingState::Issued);
    bridge
}

#[tokio::test]
async fn calling_an_order_off_says_before_what_it_then_does() {
    let bridge = ticketed_at_the_platform(CAN).await;
    let before = bridge.booked("R1").await;
    let said = foreseen(&bridge, &format!("{KAKAO}:R1"), "cancel").await;
    assert_eq!(
        (&said["voids_tickets"], &said["tells_channel"], &said["by_hand"]),
        (&json!(true), &json!(true), &json!(false))
    );
    assert_eq!((&said["money"], &said["held"]), (&json!("expected"), &json!(93_000)));
    assert_eq!((&said["fee"], &said["returns"], &said["state"]), (&json!(27_900), &json!(65_100), &json!("cancelled")));
    assert_eq!(bridge.booked("R1").await, before, "nothing is written");
    let mut browser = boss(&bridge).await;
    let path = format!("/console/orders/{}", before.id);
    for (language, words) in [
        ("en", ["The tickets are voided.", "65,100 KRW goes back to the guest and 27,900 KRW is kept"]),
        ("ko", ["이용권이 무효화됩니다.", "65,100 KRW 환불, 27,900 KRW 공제 예정"]),
        ("zh", ["凭证将作废。", "退还 65,100 KRW，扣留 27,900 KRW"]),
    ] {
        let page = browser.open(&format!("{path}?lang={language}")).await.expect(200).text();
        for words in words {
            assert!(page.contains(words), "{words}: {page}");
        }
    }
    // What it says is what is then asked for, and what comes of it.
    bridge.partners.next("/cancel-quote", Outcome::Says(404, json!({"error": {"code": "not_found"}})));
    let act = format!("/console/act/orders/{}/cancel", before.id);
    browser.send(&act, &[("reason", "storm"), ("currency", "KRW"), ("back", &path)]).await.expect(303);
    bridge.drain().await;
    let call = bridge.partners.sent("R1/cancel").into_iter().find(|sent| sent.method == "POST").expect("a call");
    assert_eq!((&call.body["fee"]["amount_krw"], &call.body["refund_krw"]), (&json!(27_900), &json!(65_100)));
    let back = [("pay_1", "cx_1", 62_100, "DONE"), ("pay_2", "cx_2", 3_000, "DONE")];
    let off = cancelled("R1", "pd_auto", "BY_PARTNER", 27_900, &back);
    bridge.kakao_is(event("e2", "reservation.canceled", 2, &off, json!({"by": "PARTNER"})), "accepted").await;
    bridge.drain().await;
    let after = bridge.booked("R1").await;
    assert_eq!((after.money.fee(), before.money.left() - after.money.left()), (27_900, 65_100));
    assert!(after.is_over() && after.booking.is_some_and(|it| it.ticketing.state == TicketingState::Cancelled));
}

#[tokio::test]
async fn what_a_channel_has_no_call_for_is_said_to_be_done_by_hand() {
    let bridge = ticketed_at_the_platform("").await;
    let said = foreseen(&bridge, &format!("{KAKAO}:R1"), "cancel").await;
    assert_eq!(
        (&said["by_hand"], &said["tells_channel"], &said["money"]),
        (&json!(true), &json!(false), &json!("channel"))
    );
    // A voucher of the other kind of channel: its tickets become void here, its money is settled there.
    let bridge = TestBridge::start().await;
    bridge.ticketed("V100", "R100").await;
    let said = foreseen(&bridge, &format!("{CHANNEL}:V100"), "cancel").await;
    assert_eq!(
        (&said["by_hand"], &said["tells_channel"], &said["money"]),
        (&json!(true), &json!(false), &json!("channel"))
    );
    assert_eq!((&said["voids_tickets"], &said["fee"], &said["returns"]), (&json!(true), &json!(null), &json!(null)));
    let mut browser = boss(&bridge).await;
    let id = bridge.stored("V100").await.id;
    let page = browser.open(&format!("/console/orders/{id}?lang=en")).await.expect(200).text();
    assert!(page.contains("settled at the channel") && page.contains("there by hand"), "{page}");
    browser.send(&format!("/console/act/orders/{id}/cancel"), &[("reason", "storm")]).await.expect(303);
    bridge.drain().await;
    let after = bridge.stored("V100").await;
    assert_eq!(after.booking.expect("a booking").ticketing.state, TicketingState::Cancelled);
}

#[tokio::test]
async fn refunds_are_decided_one_at_a_time_knowing_what_it_does_and_in_units_of_the_currency() {
    let bridge = TestBridge::start().await;
    let mut browser = boss(&bridge).await;
    for n in ["1", "2"] {
        bridge.ticketed(&format!("V10{n}"), &format!("R10{n}")).await;
        let applied = douyin::refund_apply(&format!("R10{n}"), &format!("K{n}"), 102, 1_000, bridge.now());
        bridge.douyin("refund-apply", &applied).await.expect(200);
        bridge.drain().await;
    }
    let case = bridge.stored("V102").await.refund_case.expect("a case").id;
    let path = format!("/console/refunds?lang=en&case={case}");
    let page = browser.open(&path).await.expect(200).text();
    for once in ["id=\"refund-approve\"", "id=\"refund-reject\"", "id=\"decision\""] {
        assert_eq!(page.matches(once).count(), 1, "{once}: {page}");
    }
    let approve = form(&page, "refund-approve");
    assert!(page.contains(&format!("/refunds/{case}/approve\"")) && approve.contains("Fee in CNY"), "{approve}");
    let said = foreseen(&bridge, &format!("{CHANNEL}:V102"), "approve").await;
    assert_eq!((&said["money"], &said["fee"]), (&json!("known"), &json!(1_000)), "{said}");
    assert!(page.contains("The tickets are voided.") && page.contains("10.00 CNY is kept."), "{page}");
    // The other one has a decision of its own, and nothing is offered where nothing is chosen that still waits.
    let other = bridge.stored("V101").await.refund_case.expect("a case").id;
    assert!(page.contains(&format!("case={other}#decision")), "{page}");
    let act = format!("/console/act/refunds/{case}/approve");
    let wrong = browser.send(&act, &[("fee", "5.005"), ("currency", "CNY"), ("back", &path)]).await.expect(422).text();
    assert!(wrong.contains("Write an amount in CNY"), "{wrong}");
    // Who writes five keeps five.
    browser.send(&act, &[("fee", "5"), ("currency", "CNY"), ("back", &path)]).await.expect(303);
    bridge.drain().await;
    assert_eq!(bridge.stored("V102").await.refund_case.expect("a case").fee, Some(500));
    let page = browser.open(&path).await.expect(200).text();
    assert!(!page.contains("id=\"decision\"") && page.contains(&format!("case={other}#decision")), "{page}");
    let page = browser.open("/console/refunds?lang=en").await.expect(200).text();
    assert!(page.contains(&format!("/refunds/{other}/approve\"")), "the first that waits: {page}");
}

/// What waits is in the order in which it can still wait, and every list names orders as the channel does.
#[tokio::test]
async fn what_can_wait_the_least_comes_first_and_is_named_as_the_channel_names_it() {
    crate::support::leaves_work();
    let bridge = TestBridge::start_kakao(CAN).await;
    let boss = Person::joins(&bridge, "boss@x.example", Role::Admin, Scope::Everything).await;
    let browser = Browser { bridge: &bridge, cookie: boss.cookie.clone() };
    for (n, number) in ["G-1", "G-2", "G-3"].into_iter().enumerate() {
        let it = reservation(number, "pd_manual", "REQUESTED");
        bridge.kakao_is(event(&format!("e{n}"), "reservation.requested", 1, &it, json!({})), "accepted").await;
        bridge.advance(ticketbridge_core::Millis::minutes(1));
    }
    let page = browser.open("/console?lang=en").await.expect(200).text();
    let at = |number: &str| page.find(&format!(">{number}</a>")).unwrap_or_else(|| panic!("no {number} in {page}"));
    assert!(at("G-1") < at("G-2") && at("G-2") < at("G-3"), "the one that has waited longest first");
    for page in ["/console", "/console/deadlines", "/console/deliveries", "/console/audit"] {
        let text = browser.open(&format!("{page}?lang=en")).await.expect(200).text();
        assert!(!text.contains(">ord_…"), "{page} names an order by our id: {text}");
    }
}

/// A right is given knowingly, and whoever reads the audit sees who did what.
#[tokio::test]
async fn no_right_is_chosen_beforehand_and_the_audit_names_people_and_acts() {
    crate::support::leaves_work();
    let bridge = TestBridge::start_kakao(CAN).await;
    let mut browser = boss(&bridge).await;
    let page = browser.open("/console/members?lang=en").await.expect(200).text();
    let invite = form(&page, "invite");
    assert_eq!(invite.matches("<option value=\"\" selected>").count(), 2, "{invite}");
    assert!(
        !invite.contains("value=\"operator\" selected") && !invite.contains("value=\"everything\" selected"),
        "{invite}"
    );
    let it = reservation("R1", "pd_plain", "REQUESTED");
    bridge.kakao_is(event("e1", "reservation.requested", 1, &it, json!({})), "accepted").await;
    let id = bridge.booked("R1").await.id;
    let path = format!("/console/orders/{id}");
    let order = browser.open(&format!("{path}?lang=en")).await.expect(200).text();
    assert!(
        order.contains("The ticketing system is asked for the tickets") || order.contains("The channel is told"),
        "{order}"
    );
    browser.send(&format!("/console/act/orders/{id}/confirm"), &[("back", &path)]).await.expect(303);
    for (language, act) in [("en", "Accepted a booking"), ("ko", "예약 승인"), ("zh", "接受预约")] {
        let audit = browser.open(&format!("/console/audit?lang={language}")).await.expect(200).text();
        assert!(
            audit.contains(act) && audit.contains(">boss</a>") && !audit.contains("orders_confirm"),
            "{language}: {audit}"
        );
    }
    let entry = bridge.get("audit?actor=boss@x.example").await.expect(200).json()["items"][0].clone();
    assert_eq!((&entry["act"], &entry["actor_name"]), (&json!("orders_confirm"), &json!("boss")), "{entry}");
}

/// Whoever asks what is in force sees it, and what the last change was.
#[tokio::test]
async fn settings_in_force_are_shown_with_what_was_changed_and_no_secret() {
    let bridge = TestBridge::start().await;
    let browser = boss(&bridge).await;
    let channel = bridge.read_config("channels/douyin-main.toml");
    assert!(channel.contains("review_limit = \"72h\""), "{channel}");
    bridge.write_config(
        "channels/douyin-main.toml",
        &channel.replace("review_limit = \"72h\"", "review_limit = \"60h\""),
    );
    bridge.post("config/reload", &json!({})).await.expect(200);
    let inside = bridge.get("config/settings").await.expect(200).json();
    let changed = &inside["changed"];
    assert_eq!(changed.as_array().map(Vec::len), Some(1), "{changed}");
    let told = (&changed[0]["key"], &changed[0]["before"], &changed[0]["after"]);
    assert_eq!(told, (&json!("settings.review_limit"), &json!("\"72h\""), &json!("\"60h\"")));
    let page = browser.open("/console/settings?lang=en").await.expect(200).text();
    for expected in ["What version 2 has changed", "settings.review_limit", "ticketing_deadline", "href=\"#DY-16\""] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    assert!(!page.contains("whsec_") && !inside.to_string().contains("whsec_"));
}
