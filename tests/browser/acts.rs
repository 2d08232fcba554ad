//! What the console offers is done in the browser, and what came of it is asked of the interface.

use std::collections::BTreeSet;
use std::time::Duration;

use fantoccini::Locator;
use serde_json::{Value, json};

use crate::demo::Demo;
use crate::driver::{Browser, pause};

/// Sends a form of the page that is open, and waits for the next page.
async fn sends(browser: &Browser, form: &str, fields: &[(&str, &str)]) {
    for (name, value) in fields {
        let css = format!("{form} [name=\"{name}\"]");
        let Ok(field) = browser.client.find(Locator::Css(&css)).await else { continue };
        field.send_keys(value).await.unwrap_or_else(|error| panic!("{css}: {error}"));
    }
    browser.script("window.wasHere = true").await;
    let button = browser.waits_for(&format!("{form} button[type=submit]")).await;
    button.click().await.unwrap_or_else(|error| panic!("{form}: {error}"));
    browser.waits_until("return window.wasHere === undefined && document.readyState === 'complete'").await;
}

/// Every act that an order of the demonstration allows is done once: what the page said that it would do is what the interface says it has done.
pub(crate) async fn every_act_that_is_offered_does_what_it_says(browser: &Browser, demo: &Demo) {
    browser.width(1280).await;
    let orders = demo.get("orders?limit=200").await;
    let ids: Vec<String> = orders["items"]
        .as_array()
        .expect("orders")
        .iter()
        .filter_map(|it| it["id"].as_str().map(str::to_owned))
        .collect();
    let mut done: BTreeSet<String> = BTreeSet::new();
    for id in &ids {
        // Each act may change what else is allowed: it is asked anew.
        loop {
            let next = demo.get(&format!("orders/{id}/next-steps")).await;
            let all = next["actions"].as_array().expect("acts");
            let Some(it) =
                all.iter().find(|it| it["allowed"] == true && !done.contains(it["act"].as_str().unwrap_or("")))
            else {
                break;
            };
            let (act, call) = (it["act"].as_str().expect("an act"), it["call"].as_str().expect("a call"));
            let before = demo.get(&format!("orders/{id}")).await;
            browser.open(&format!("{}/console/orders/{id}?lang=en", demo.url)).await;
            // What is refused is on the page, too, each with why.
            let page = browser.script("return document.getElementById('actions').textContent").await;
            for other in all.iter().filter(|it| it["allowed"] != true) {
                let sentence = other["sentence"].as_str().expect("why");
                assert!(page.as_str().is_some_and(|page| page.contains(sentence)), "{other}: {page}");
            }
            let form = format!("form[action=\"/console/act{call}\"]");
            sends(browser, &form, &[("reason", "tried in a browser"), ("tickets", "BROWSER-1")]).await;
            let text = browser.text().await;
            assert!(!text.contains("Not done"), "{act}: {text}");
            let after = demo.get(&format!("orders/{id}")).await;
            assert!(after["version"].as_u64() > before["version"].as_u64(), "{act} did nothing: {after}");
            assert_eq!(after["state"], it["state"], "{act}: the order is where it was said that it would be");
            done.insert(act.to_owned());
        }
    }
    eprintln!("done in the browser: {}", done.iter().cloned().collect::<Vec<_>>().join(", "));
    assert!(done.len() >= 3, "{done:?}");
    let audit = demo.get("audit?limit=200").await.to_string();
    for act in &done {
        let word = act.replace(['-', '/'], "_");
        assert!(audit.contains(&word), "{act} is not in the audit");
    }
}

/// Rows are chosen, looked at, and done; the report says what became of each.
pub(crate) async fn many_are_chosen_looked_at_and_done(browser: &Browser, demo: &Demo) {
    browser.open(&format!("{}/console/orders?lang=en", demo.url)).await;
    browser
        .script("[...document.querySelectorAll('input[name=item]')].slice(0, 3).forEach(it => { it.checked = true; })")
        .await;
    browser.script("document.querySelector('#bulk-preview [name=act]').value = 'no-show'").await;
    sends(browser, "#bulk-preview", &[]).await;
    let looked = browser.text().await;
    assert!(looked.contains("can be done") && looked.contains("refused"), "{looked}");
    if browser.client.find(Locator::Css("#bulk-confirm")).await.is_ok() {
        sends(browser, "#bulk-confirm", &[]).await;
        // The page keeps itself up to date until all were tried.
        browser.waits_until("return !!document.querySelector('#bulk-report:not([data-running])')").await;
        let report = browser.text().await;
        assert!(report.contains("All were tried"), "{report}");
    }
    // All that match, and nobody says yes.
    browser.open(&format!("{}/console/orders?state=cancelled&lang=en", demo.url)).await;
    browser.script("document.querySelector('#bulk-preview [name=all]').checked = true").await;
    browser.script("document.querySelector('#bulk-preview [name=act]').value = 'confirm'").await;
    sends(browser, "#bulk-preview", &[]).await;
    let matching = demo.get("orders?state=cancelled&limit=200").await["items"].as_array().map_or(0, Vec::len);
    let looked = browser.script("return document.querySelectorAll('#bulk-refusals tbody tr').length").await;
    assert_eq!(looked, json!(matching), "each of them is refused, and says why");
}

/// An open page shows what changes elsewhere, and asks for nothing while nothing does.
pub(crate) async fn an_open_page_shows_what_changes_and_is_quiet_otherwise(browser: &Browser, demo: &Demo) {
    let orders = demo.get("orders?limit=1").await;
    let id = orders["items"][0]["id"].as_str().expect("an order").to_owned();
    browser.open(&format!("{}/console/orders/{id}?lang=en", demo.url)).await;
    browser.script("window.stays = true").await;
    let asked = "return performance.getEntriesByType('resource').filter(it => !it.name.includes('/stream')).length";
    demo.post(&format!("orders/{id}/reveal"), &json!({ "reason": "seen from elsewhere" })).await;
    browser
        .waits_until("return document.getElementById('order-timeline').textContent.includes('seen from elsewhere')")
        .await;
    assert_eq!(browser.script("return window.stays").await, json!(true), "without loading the page anew");
    let before = browser.script(asked).await;
    pause(Duration::from_secs(4)).await;
    assert_eq!(browser.script(asked).await, before, "nothing is asked while nothing changes");
    // Whoever has begun to write is not disturbed, but told.
    browser.script("const it = document.querySelector('#reveal [name=reason]'); it.focus(); it.value = 'I write'; it.dispatchEvent(new Event('input', { bubbles: true }))").await;
    demo.post(&format!("orders/{id}/reveal"), &json!({ "reason": "once more" })).await;
    browser.waits_for("#live a").await;
    let written = browser.script("return document.querySelector('#reveal [name=reason]').value").await;
    assert_eq!(written, Value::from("I write"));
}
