// SPDX-License-Identifier: Apache-2.0

//! What the console says to people who have no shell, in the language that they read; and by which number it names an order.

use serde_json::json;
use ticketbridge::accounts::people::By;
use ticketbridge::accounts::scope::Scope;
use ticketbridge::config::Role;

use crate::console::{Browser, location};
use crate::support::kakao::{CAN, event, reservation};
use crate::support::people::{PASSWORD, Person};
use crate::support::{TestBridge, douyin};

async fn boss(bridge: &TestBridge) -> Browser<'_> {
    let boss = Person::joins(bridge, "boss@x.example", Role::Admin, Scope::Everything).await;
    Browser { bridge, cookie: boss.cookie }
}

#[tokio::test]
async fn what_waits_for_a_person_is_said_in_the_language_of_the_page_and_without_commands() {
    let bridge = TestBridge::start_kakao(CAN).await;
    let browser = boss(&bridge).await;
    let it = reservation("R1", "pd_manual", "REQUESTED");
    bridge.kakao_is(event("e1", "reservation.requested", 1, &it, json!({})), "accepted").await;
    bridge.drain().await;
    let path = format!("/console/orders/{}", bridge.booked("R1").await.id);
    let english = "a booking waits for a manager";
    for (language, is_english) in [("en", true), ("ko", false), ("zh", false)] {
        let page = browser.open(&format!("{path}?lang={language}")).await.expect(200).text();
        let from = page.find("id=\"attention\"").unwrap_or_else(|| panic!("{page}"));
        let until = page[from..].find("class=\"two\"").map_or(page.len(), |end| from + end);
        assert_eq!(page[from..until].contains(english), is_english, "{}", &page[from..until]);
        assert!(!page.contains("ticketbridge orders"), "{language}: no command in {page}");
        assert!(page.contains(" kakao-jeju:R1</h1>"), "{page}");
    }
}

#[tokio::test]
async fn reasons_lengths_and_refusals_are_said_in_the_language_of_the_page() {
    let bridge = TestBridge::start().await;
    let browser = boss(&bridge).await;
    bridge.ticketed("V100", "R100").await;
    let applied = douyin::refund_apply("R100", "K1", 102, 0, bridge.now());
    bridge.douyin("refund-apply", &applied).await.expect(200);
    bridge.drain().await;
    let reason = bridge.stored("V100").await.refund_case.expect("a case").reason.expect("a reason of policy's");
    let reason = reason.to_string();
    for page in ["", "/refunds"] {
        let english = browser.open(&format!("/console{page}?lang=en")).await.expect(200).text();
        assert!(english.contains(&reason), "{reason}: {english}");
        for language in ["ko", "zh"] {
            let other = browser.open(&format!("/console{page}?lang={language}")).await.expect(200).text();
            assert!(!other.contains(&reason), "{language} has {reason}: {other}");
        }
    }
    for (language, unit) in [("en", " h"), ("ko", "시간"), ("zh", "小时")] {
        let page = browser.open(&format!("/console/deadlines?lang={language}")).await.expect(200).text();
        let row = page.split("<tbody>").nth(1).unwrap_or_else(|| panic!("{page}"));
        assert!(row.contains(unit), "{unit}: {row}");
    }
}

#[tokio::test]
async fn a_language_that_was_chosen_before_there_was_an_account_is_kept() {
    let bridge = TestBridge::start().await;
    bridge.sell("V100").await;
    let accounts = &bridge.bridge.shared().accounts;
    let invited = accounts.invite(&By::Host, "new@x.example", Role::Operator, &Scope::Everything).await;
    let link = format!("/console/invitations/{}?lang=ko", invited.expect("an invitation").token);
    let mut browser = Browser { bridge: &bridge, cookie: String::new() };
    let page = browser.open(&link).await.expect(200).text();
    assert!(page.contains(&format!("action=\"{link}\"")), "{page}");
    let fields = [("name", "Min Kim"), ("mobile", "010-1234-5678"), ("direct", "02-123-4567"), ("password", PASSWORD)];
    assert_eq!(location(&browser.send(&link, &fields).await.expect(303)), "/console/account");
    let page = browser.open("/console/account").await.expect(200).text();
    assert!(page.contains("<html lang=\"ko\">"), "{page}");
    // Rows are named by the number that a guest reads out.
    let page = browser.open("/console/orders").await.expect(200).text();
    assert!(page.contains(">V100</a>"), "{page}");
}
