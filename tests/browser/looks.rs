// SPDX-License-Identifier: Apache-2.0

//! Every page as people see it: in three languages, at two widths, light and dark, for those who do not see, and with what it weighs.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::demo::Demo;
use crate::driver::Browser;

/// The pages that are always there.
const PAGES: [&str; 14] = [
    "",
    "/orders",
    "/orders?attention=any",
    "/refunds",
    "/deliveries",
    "/deadlines",
    "/partners",
    "/codes",
    "/reconciliation",
    "/members",
    "/audit",
    "/settings",
    "/account",
    "/factor",
];
/// The same for somebody who has not signed in.
const OUTSIDE: [&str; 2] = ["/sign-in", "/sign-up"];
/// A telephone, and a desk.
const WIDTHS: [u32; 2] = [360, 1280];
/// Bytes that a page may cost who opens it first: itself and everything that it loads, as it travels.
const WEIGHT_MAX: u64 = 150_000;
/// Where the rules of accessibility are: the script of `axe-core`, which CI installs by name.
const AXE: &str = "TICKETBRIDGE_AXE";
const AXE_REQUIRED: &str = "TICKETBRIDGE_REQUIRE_AXE";
/// What is asked of it.
const AXE_RUN: &str = "const done = arguments[arguments.length - 1], only = arguments[0]; \
    axe.run(document, { runOnly: only, resultTypes: ['violations'] }).then( \
    found => done(found.violations.map(it => [it.id, it.help, it.nodes.map(node => node.html.slice(0, 160))])), \
    error => done([['axe', String(error), []]]));";

/// The script of axe; `None`, said aloud, where there is none and nobody requires it.
pub(crate) fn axe() -> Option<String> {
    let Some(path) = std::env::var_os(AXE) else {
        assert!(std::env::var_os(AXE_REQUIRED).is_none(), "{AXE_REQUIRED} is set, and {AXE} names no axe.min.js");
        eprintln!("\n*** SKIPPED: the rules of accessibility: {AXE} names no axe.min.js (npm install axe-core) ***\n");
        return None;
    };
    Some(std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// What axe finds on the page that is open.
pub(crate) async fn found_by_axe(browser: &Browser, axe: &str, rules: &[&str]) -> Vec<Value> {
    // By the debugging protocol: the page's own policy stays as it is, and lets no script of others in.
    browser.debugging("Runtime.evaluate", json!({ "expression": axe })).await;
    let only = json!({ "type": "tag", "values": rules });
    let found = browser.client.execute_async(AXE_RUN, vec![only]).await.expect("an answer of axe");
    found.as_array().cloned().unwrap_or_default()
}

const RULES: [&str; 6] = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/// All pages that the demonstration has something on.
pub(crate) async fn pages(demo: &Demo) -> Vec<String> {
    let mut pages: Vec<String> = PAGES.iter().map(|page| (*page).to_owned()).collect();
    // An order of each channel, the one with most to tell.
    let orders = demo.get("orders?limit=200").await;
    let mut by_channel: BTreeMap<String, (u64, String)> = BTreeMap::new();
    for order in orders["items"].as_array().expect("orders") {
        let backend = order["booking"]["ticketing"]["backend"].as_str().unwrap_or_default();
        let channel = format!("{} {backend}", order["channel"].as_str().expect("a channel"));
        let version = order["version"].as_u64().unwrap_or_default();
        let known = by_channel.entry(channel).or_default();
        if version >= known.0 {
            *known = (version, order["id"].as_str().expect("an id").to_owned());
        }
    }
    assert!(by_channel.len() >= 4, "orders of every kind of channel: {by_channel:?}");
    pages.extend(by_channel.values().map(|(_, id)| format!("/orders/{id}")));
    pages.push("/statements?settle_id=douyin-main&from=2026-11-01&to=2026-12-31".to_owned());
    pages
}

/// Looks at a page, and says everything that is wrong with it.
async fn judge(browser: &Browser, at: &str, axe: Option<&str>, width: u32) -> Vec<String> {
    let mut wrong = Vec::new();
    let is_wide = browser.script("return document.scrollingElement.scrollWidth - window.innerWidth").await;
    if is_wide.as_i64().unwrap_or_default() > 0 {
        wrong.push(format!("{at}: {is_wide} px wider than {width} px"));
    }
    if let Some(axe) = axe {
        for (scheme, rules) in [("light", RULES.as_slice()), ("dark", ["cat.color"].as_slice())] {
            browser.scheme(scheme).await;
            let found = found_by_axe(browser, axe, rules).await;
            wrong.extend(found.iter().map(|it| format!("{at}, {width} px, {scheme}: {it}")));
        }
        browser.scheme("light").await;
    }
    wrong
}

/// Bytes that opening a page anew costs.
async fn weight(browser: &Browser) -> u64 {
    let sum = "return performance.getEntriesByType('navigation').concat(performance.getEntriesByType('resource')) \
               .reduce((sum, it) => sum + it.transferSize, 0)";
    browser.script(sum).await.as_u64().unwrap_or_default()
}

/// Everywhere, in everything.
pub(crate) async fn every_page_is_good_to_look_at(browser: &Browser, demo: &Demo) {
    let (axe, pages) = (axe(), pages(demo).await);
    let (mut wrong, mut weights) = (Vec::new(), BTreeMap::new());
    browser.debugging("Network.enable", json!({})).await;
    browser.debugging("Network.setCacheDisabled", json!({ "cacheDisabled": true })).await;
    for (turn, page) in pages.iter().enumerate() {
        for (at, (language, today)) in [("zh", "今日"), ("ko", "오늘"), ("en", "Today")].into_iter().enumerate() {
            for (wide, width) in WIDTHS.into_iter().enumerate() {
                // The rules take seconds; a page is judged by them at each width, in one language after the other from page to page.
                let axe = axe.as_deref().filter(|_| (turn + wide) % 3 == at);
                browser.width(width).await;
                let join = if page.contains('?') { '&' } else { '?' };
                browser.open(&format!("{}/console{page}{join}lang={language}", demo.url)).await;
                let text = browser.text().await;
                assert!(text.contains(today), "{page} in {language}: {text}");
                let heaviest: &mut u64 = weights.entry(page.clone()).or_default();
                *heaviest = weight(browser).await.max(*heaviest);
                wrong.extend(judge(browser, &format!("{page} in {language}"), axe, width).await);
            }
        }
        // Four times as large as a desk shows it: nothing is lost, and nobody scrolls sideways.
        browser.width(320).await;
        wrong.extend(judge(browser, page, None, 320).await);
    }
    for (page, weight) in &weights {
        eprintln!("{weight:>7} bytes  {page}");
        assert!((1..=WEIGHT_MAX).contains(weight), "{page} weighs {weight} bytes");
    }
    assert!(wrong.is_empty(), "{} findings:\n{}", wrong.len(), wrong.join("\n"));
}

/// The pages before signing in.
pub(crate) async fn the_door_is_good_to_look_at(browser: &Browser, demo: &Demo) {
    let axe = axe();
    let mut wrong = Vec::new();
    for page in OUTSIDE {
        for language in ["zh", "ko", "en"] {
            for width in WIDTHS {
                browser.width(width).await;
                browser.open(&format!("{}/console{page}?lang={language}", demo.url)).await;
                wrong.extend(judge(browser, &format!("{page} in {language}"), axe.as_deref(), width).await);
            }
        }
    }
    assert!(wrong.is_empty(), "{} findings:\n{}", wrong.len(), wrong.join("\n"));
}
