// SPDX-License-Identifier: Apache-2.0

//! What the console offers is done in the browser, and what came of it is asked of the interface.

use std::collections::BTreeSet;

use fantoccini::Locator;
use serde_json::{Value, json};

use crate::demo::Demo;
use crate::driver::{Browser, TRIES_MAX};

/// Sends a form of the page that is open, and waits for the next page. An open page may be showing itself anew at that moment: then the fields are
/// others, and it is begun again.
async fn sends(browser: &Browser, form: &str, fields: &[(&str, &str)]) {
    for (name, value) in fields {
        let css = format!("{form} [name=\"{name}\"]");
        browser.waits_for(form).await;
        if browser.client.find(Locator::Css(&css)).await.is_err() {
            continue;
        }
        browser.uses(&css, Some(value)).await;
        let written = browser.script(&format!("return document.querySelector('{css}').value")).await;
        assert_eq!(written, json!(value), "{css}");
    }
    browser.script("window.wasHere = true").await;
    browser.uses(&format!("{form} button[type=submit]"), None).await;
    browser.waits_until("return window.wasHere === undefined && document.readyState === 'complete'").await;
}

/// Opens a page, does `before` there, and sends a form of it; all of it again where nothing was done for want of time.
async fn does(browser: &Browser, page: &str, before: &str, form: &str, fields: &[(&str, &str)]) {
    for _ in 0..TRIES_MAX {
        browser.open(page).await;
        browser.waits_for(form).await;
        browser.script(before).await;
        sends(browser, form, fields).await;
        if !browser.is_put_off().await {
            return;
        }
    }
    panic!("{form}: {}", browser.text().await);
}

/// Everything that can be done with an order, in the order in which one makes the next possible; at which channel, where that makes a
/// difference; and what has come of it.
const ACTS: [(&str, &str, Done); 12] = [
    ("confirm", "", |order| order["booking"]["state"] == "confirmed"),
    ("decline", "", |order| order["booking"]["state"] == "rejected"),
    ("tickets", "", |order| order["booking"]["ticketing"]["state"] == "issued"),
    ("reject", "", |order| order["refund_case"]["state"] == "rejected"),
    ("approve", "", |order| order["refund_case"]["state"] == "settled"),
    ("redeem", "", |order| order["booking"]["state"] == "used"),
    ("no-show", "", |order| order["booking"]["state"] == "no_show"),
    ("payment-links", "", |order| link_is(order, "live")),
    ("payment-links/revoke", "", |order| link_is(order, "revoked")),
    ("return-payment", "", |order| order["payment"]["state"] == "refunded"),
    ("cancel", "kakao", |order| order["state"] == "cancelled"),
    // A marketplace that lets no agency cancel what the guest has not asked to: a person is told to do it there.
    ("cancel", "trip", |order| asks_for(order, "to_do_by_hand")),
];
type Done = fn(&Value) -> bool;

fn asks_for(order: &Value, kind: &str) -> bool {
    order["attentions"].as_array().is_some_and(|all| all.iter().any(|it| it["kind"] == kind))
}

fn link_is(order: &Value, state: &str) -> bool {
    let links = order["channel_view"]["payment_links"].as_array();
    links.and_then(|all| all.last()).is_some_and(|last| last["state"] == state)
}

/// An order, and what the interface says can be done with it.
struct Offered {
    id: String,
    order: Value,
    acts: Vec<Value>,
    /// Something was done with it already: its partner may have other books of it now, and one that is as it came is taken first.
    touched: bool,
}

impl Offered {
    async fn ask(demo: &Demo, id: &str) -> Offered {
        let order = demo.get(&format!("orders/{id}")).await;
        let next = demo.get(&format!("orders/{id}/next-steps")).await;
        Offered { id: id.to_owned(), order, acts: next["actions"].as_array().expect("acts").clone(), touched: false }
    }

    fn allowed(&self, act: &str) -> Option<&Value> {
        self.acts.iter().find(|it| it["act"] == act && it["allowed"] == true)
    }
}

/// Every act that the console can offer is done once, on an order that allows it: what came of it is asked of the interface.
pub(crate) async fn every_act_that_is_offered_does_what_it_says(browser: &Browser, demo: &Demo) {
    browser.width(1280).await;
    let orders = demo.get("orders?limit=200").await;
    let mut known = Vec::new();
    for order in orders["items"].as_array().expect("orders") {
        known.push(Offered::ask(demo, order["id"].as_str().expect("an id")).await);
    }
    let named: BTreeSet<&str> =
        known.iter().flat_map(|it| &it.acts).map(|it| it["act"].as_str().expect("its word")).collect();
    assert_eq!(named, ACTS.iter().map(|(act, _, _)| *act).collect(), "the interface knows these acts and no others");
    for (act, channel, is_done) in ACTS {
        let is_there = |order: &Value| order["channel"].as_str().is_some_and(|id| id.starts_with(channel));
        let fits = |it: &&Offered| it.allowed(act).is_some() && is_there(&it.order) && !is_done(&it.order);
        let fit = known.iter().filter(fits).min_by_key(|it| it.touched);
        let at = fit.and_then(|fit| known.iter().position(|it| it.id == fit.id));
        let at = at.unwrap_or_else(|| panic!("no order of the demonstration allows {act}"));
        is_done_in_the_browser(browser, demo, &known[at], act, is_done).await;
        known[at] = Offered { touched: true, ..Offered::ask(demo, &known[at].id).await };
    }
    let audit = demo.get("audit?limit=200").await.to_string();
    for (act, _, _) in ACTS {
        assert!(audit.contains(&act.replace(['-', '/'], "_")), "{act} is not in the audit");
    }
}

async fn is_done_in_the_browser(browser: &Browser, demo: &Demo, it: &Offered, act: &str, is_done: Done) {
    let id = &it.id;
    let address = format!("{}/console/orders/{id}?lang=en", demo.url);
    browser.open(&address).await;
    // What is allowed has a form, and what is refused stands there with why.
    let page = browser.script("return document.getElementById('actions').textContent").await;
    let forms = browser
        .script("return [...document.querySelectorAll('#actions form')].map(it => it.getAttribute('action'))")
        .await;
    let form_of = |it: &Value| format!("/console/act{}", it["call"].as_str().expect("a call"));
    for other in &it.acts {
        let has_form = forms.as_array().is_some_and(|all| all.contains(&json!(form_of(other))));
        assert_eq!(other["allowed"] == true, has_form, "{other}: {forms}");
        let why = other["sentence"].as_str().unwrap_or_default();
        assert!(page.as_str().is_some_and(|page| page.contains(why)), "{other}: {page}");
    }
    let form = format!("#actions form[action=\"{}\"]", form_of(it.allowed(act).expect("allowed")));
    does(browser, &address, "", &form, &[("reason", "tried in a browser"), ("tickets", "BROWSER-1"), ("fee", "0")])
        .await;
    let text = browser.text().await;
    assert!(!text.contains("Not done"), "{act}: {text}");
    // What a partner has to agree to comes a little later.
    let path = format!("orders/{id}");
    let after = demo.comes_to(&path, is_done).await;
    assert!(after["version"].as_u64() > it.order["version"].as_u64(), "{act} did nothing: {after}");
    eprintln!("done in the browser: {act} on {id}");
}

/// What a partner refused is told again, or given up, from the list of deliveries.
pub(crate) async fn dead_letters_are_told_again_or_dropped(browser: &Browser, demo: &Demo) {
    browser.width(1280).await;
    for (act, state) in [("retry", "delivered"), ("drop", "dropped")] {
        let dead = demo.get("deliveries?state=dead&limit=200").await;
        let id = dead["items"][0]["id"].as_str().unwrap_or_else(|| panic!("a dead letter to {act}: {dead}")).to_owned();
        let address = format!("{}/console/deliveries?state=dead&lang=en", demo.url);
        let form = format!("form[action=\"/console/act/deliveries/{id}/{act}\"]");
        does(browser, &address, "", &form, &[("reason", "tried in a browser")]).await;
        let text = browser.text().await;
        assert!(!text.contains("Not done"), "{act}: {text}");
        let list = format!("deliveries?state={state}&limit=200");
        let is_there = |list: &Value| list["items"].as_array().is_some_and(|all| all.iter().any(|it| it["id"] == *id));
        demo.comes_to(&list, is_there).await;
        eprintln!("done in the browser: {act} of {id}");
    }
}

/// Rows are chosen, looked at, and done; the report says what became of each.
pub(crate) async fn many_are_chosen_looked_at_and_done(browser: &Browser, demo: &Demo) {
    // The newest: two that wait for a yes, and one that has it.
    let newest = "[...document.querySelectorAll('input[name=item]')].slice(0, 3)";
    let address = format!("{}/console/orders?channel=trip&lang=en", demo.url);
    let chooses = format!(
        "{newest}.forEach(it => it.click()); document.querySelector('#bulk-preview [name=act]').value = 'confirm'"
    );
    browser.open(&address).await;
    let chosen = browser.script(&format!("return {newest}.map(it => it.value)")).await;
    does(browser, &address, &chooses, "#bulk-preview", &[]).await;
    let looked = browser.text().await;
    assert!(looked.contains("can be done") && looked.contains("refused"), "{looked}");
    sends(browser, "#bulk-confirm", &[]).await;
    // The page keeps itself up to date until all were tried.
    browser.waits_until("return !!document.querySelector('#bulk-report:not([data-running])')").await;
    let report = browser.text().await;
    assert!(report.contains("All were tried"), "{report}");
    for id in chosen.as_array().expect("rows") {
        // A row's box has its version behind the number.
        let id = id.as_str().expect("an id").split('@').next().unwrap_or_default();
        let path = format!("orders/{id}");
        demo.comes_to(&path, |order| order["booking"]["state"] == "confirmed").await;
    }
    // All that match, and nobody says yes.
    let address = format!("{}/console/orders?state=cancelled&lang=en", demo.url);
    let all = "document.querySelector('#bulk-preview [name=all]').click(); \
               document.querySelector('#bulk-preview [name=act]').value = 'confirm'";
    does(browser, &address, all, "#bulk-preview", &[]).await;
    let matching = demo.get("orders?state=cancelled&limit=200").await["items"].as_array().map_or(0, Vec::len);
    let looked = browser.script("return document.querySelectorAll('#bulk-refusals tbody tr').length").await;
    assert_eq!(looked, json!(matching), "each of them is refused, and says why");
}

/// Counts the clocks that a page has running: those that strike once, and those that go on.
const CLOCKS: &str = "(() => { \
    const once = window.setTimeout, off = window.clearTimeout, often = window.setInterval; \
    window.waiting = new Set(); window.ticking = 0; \
    window.setTimeout = (what, ...rest) => { \
        const id = once((...it) => { window.waiting.delete(id); what(...it); }, ...rest); window.waiting.add(id); return id; }; \
    window.clearTimeout = (id) => { window.waiting.delete(id); off(id); }; \
    window.setInterval = (...it) => { window.ticking += 1; return often(...it); }; })()";

/// An open page shows what changes elsewhere, and asks for nothing while nothing does.
pub(crate) async fn an_open_page_shows_what_changes_and_is_quiet_otherwise(browser: &Browser, demo: &Demo) {
    let orders = demo.get("orders?limit=1").await;
    let id = orders["items"][0]["id"].as_str().expect("an order").to_owned();
    browser.debugging("Page.addScriptToEvaluateOnNewDocument", json!({ "source": CLOCKS })).await;
    browser.open(&format!("{}/console/orders/{id}?lang=en", demo.url)).await;
    browser.script("window.stays = true").await;
    demo.post(&format!("orders/{id}/reveal"), &json!({ "reason": "seen from elsewhere" })).await;
    browser
        .waits_until("return document.getElementById('order-timeline').textContent.includes('seen from elsewhere')")
        .await;
    assert_eq!(browser.script("return window.stays").await, json!(true), "without loading the page anew");
    // Nothing is asked while nothing changes: the page has no clock that runs, and so never does anything by itself.
    browser.waits_until("return window.waiting.size === 0").await;
    assert_eq!(browser.script("return window.ticking").await, json!(0), "nothing is done again and again");
    // Whoever has begun to write is not disturbed, but told.
    browser.script("const it = document.querySelector('#reveal [name=reason]'); it.focus(); it.value = 'I write'; it.dispatchEvent(new Event('input', { bubbles: true }))").await;
    demo.post(&format!("orders/{id}/reveal"), &json!({ "reason": "once more" })).await;
    browser.waits_for("#live a").await;
    let written = browser.script("return document.querySelector('#reveal [name=reason]').value").await;
    assert_eq!(written, Value::from("I write"));
}
