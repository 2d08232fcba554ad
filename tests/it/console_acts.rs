// SPDX-License-Identifier: Apache-2.0

//! Acts that an order's page offers and that are not done by one press: those that are under way already, and those that want somebody's word.

use serde_json::json;
use ticketbridge::accounts::scope::Scope;
use ticketbridge::config::Role;
use ticketbridge_core::order::{RefundState, TicketingState};

use crate::console::{Browser, location};
use crate::support::kakao::{CAN, event, reservation};
use crate::support::people::Person;
use crate::support::{TestBridge, douyin};

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
