// SPDX-License-Identifier: Apache-2.0

//! By the keyboard alone.

use serde_json::json;

use crate::demo::Demo;
use crate::driver::Browser;

/// What has the focus: its tag, its text, where it leads, and whether one sees that it has it.
const FOCUSED: &str = "const it = document.activeElement, style = getComputedStyle(it); \
    return [it.tagName, (it.innerText || it.name || '').trim(), it.getAttribute('href') || '', \
    style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2]";
/// Presses of the key that every page can be gone through with.
const PRESSES_MAX: usize = 400;

/// Presses the key until something has the focus.
async fn tabs_to(browser: &Browser, wanted: impl Fn(&str, &str, &str) -> bool) -> usize {
    for press in 1..=PRESSES_MAX {
        browser.press("Tab").await;
        let focused = browser.script(FOCUSED).await;
        let part = |at: usize| focused[at].as_str().unwrap_or_default();
        if part(0) == "BODY" {
            continue;
        }
        assert_eq!(focused[3], json!(true), "nobody sees that this has the focus: {focused}");
        if wanted(part(0), part(1), part(2)) {
            return press;
        }
    }
    panic!("not reached by the keyboard:\n{}", browser.text().await);
}

/// From the first page to an order, and an act on it.
pub(crate) async fn everything_can_be_done_by_the_keyboard(browser: &Browser, demo: &Demo) {
    browser.width(1280).await;
    browser.open(&format!("{}/console?lang=en", demo.url)).await;
    // The first press offers to leave the menu out.
    assert_eq!(tabs_to(browser, |_, _, href| href == "#main").await, 1);
    browser.press("Enter").await;
    browser.waits_until("return location.hash === '#main'").await;
    browser.open(&format!("{}/console?lang=en", demo.url)).await;
    tabs_to(browser, |_, _, href| href == "/console/orders").await;
    browser.press("Enter").await;
    browser.waits_for("#orders-table").await;
    let first = tabs_to(browser, |_, _, href| href.starts_with("/console/orders/ord_")).await;
    browser.press("Enter").await;
    browser.waits_for("#order-timeline").await;
    eprintln!("an order is {first} presses from the top of its list");
    // A reason, and the button beside it: the guests in clear, for the record.
    tabs_to(browser, |tag, name, _| tag == "INPUT" && name == "reason").await;
    // What has the focus belongs to some act; its form says which.
    let form = browser.script("return document.activeElement.form.getAttribute('action')").await;
    assert!(form.as_str().unwrap_or_default().starts_with("/console/act/"), "{form}");
    browser.types("by the keyboard").await;
    let typed = browser.script("return document.activeElement.value").await;
    assert_eq!(typed, json!("by the keyboard"));
}
