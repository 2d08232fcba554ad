// SPDX-License-Identifier: Apache-2.0

//! Passkeys, with the browser's own authenticator of software: it is asked by our script, and its answers are judged by the service.

use serde_json::{Value, json};

use crate::demo::Demo;
use crate::driver::Browser;
use crate::looks::{axe, found_by_axe};

/// Gives the browser an authenticator whose owner proves himself to it, and is there.
async fn has_an_authenticator(browser: &Browser) {
    browser.debugging("WebAuthn.enable", json!({})).await;
    let options = json!({
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": true, "hasUserVerification": true, "isUserVerified": true,
        "automaticPresenceSimulation": true,
    });
    browser.debugging("WebAuthn.addVirtualAuthenticator", json!({ "options": options })).await;
}

async fn is_seen(browser: &Browser, css: &str) -> bool {
    browser.script(&format!("const it = document.querySelector('{css}'); return !!it && !it.hidden")).await
        == json!(true)
}

/// What the interface says of whoever has signed in.
async fn session(browser: &Browser) -> Value {
    browser.script("return fetch('/ops/v1/session').then((answer) => answer.json())").await
}

/// Presses the button of a form that asks for a passkey, and waits for the next page.
async fn proves(browser: &Browser, form: &str, then: &str) {
    browser.waits_until(&format!("const it = document.querySelector('{form}'); return !!it && !it.hidden")).await;
    browser.uses(&format!("{form} button"), None).await;
    browser.waits_for(then).await;
}

async fn nothing_is_wrong(browser: &Browser, at: &str) {
    let Some(axe) = axe() else { return };
    let found =
        found_by_axe(browser, &axe, &["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]).await;
    assert!(found.is_empty(), "{at}: {found:?}");
}

/// Adds a passkey, signs in with it, passes the factor with it, calls it something else and removes it.
pub(crate) async fn are_added_used_and_removed(browser: &Browser, demo: &Demo) {
    browser.width(1280).await;
    has_an_authenticator(browser).await;
    // A number has no passkeys: there the button is not offered, and everything else works.
    browser.open(&format!("{}/console/sign-in?lang=en", demo.url)).await;
    browser.waits_for("#sign-in").await;
    assert!(!is_seen(browser, "#passkey-sign-in").await, "{}", browser.text().await);
    let named = demo.url.replace("127.0.0.1", "localhost");
    browser.open(&demo.link.replace("127.0.0.1", "localhost")).await;
    browser.waits_for("#today").await;
    let account = format!("{named}/console/account?lang=en");
    browser.open(&account).await;
    browser.waits_until("const it = document.querySelector('#passkey-add'); return !!it && !it.hidden").await;
    nothing_is_wrong(browser, "the account").await;
    browser.uses("#passkey-add [name=name]", Some("My laptop")).await;
    // The first factor brings its recovery codes.
    proves(browser, "#passkey-add", "#recovery-codes").await;
    browser.open(&account).await;
    browser.waits_for("#passkeys").await;
    let name = browser.script("return document.querySelector('#passkeys [name=name]').value").await;
    assert_eq!(name, json!("My laptop"));
    nothing_is_wrong(browser, "the account with a passkey").await;
    browser.uses("form[action='/console/sign-out'] button", None).await;
    browser.waits_for("#sign-in").await;
    nothing_is_wrong(browser, "the door").await;
    proves(browser, "#passkey-sign-in", "#today").await;
    let signed_in = session(browser).await;
    assert_eq!(
        (&signed_in["email"], &signed_in["factor_is_fresh"]),
        (&json!("demo@ticketbridge.example"), &json!(true))
    );
    let before = signed_in["factor_at"].clone();
    browser.open(&format!("{named}/console/factor?back=/console/account&lang=en")).await;
    browser.waits_for("#factor-passkey").await;
    nothing_is_wrong(browser, "the factor").await;
    proves(browser, "#factor-passkey", "#passkeys").await;
    assert!(session(browser).await["factor_at"].as_str() >= before.as_str(), "it was passed anew");
    browser.script("document.querySelector('#passkeys [name=name]').value = ''").await;
    browser.uses("#passkeys [name=name]", Some("Old laptop")).await;
    browser.uses("#passkeys form[action$='/rename'] button", None).await;
    browser.waits_until("const it = document.querySelector('#passkeys [name=name]'); return !!it && it.defaultValue === 'Old laptop'").await;
    browser.uses("#passkeys form[action$='/remove'] button", None).await;
    browser.waits_until("const it = document.querySelector('#passkeys'); return !!it && it.tagName === 'P'").await;
    let audit = demo.get("audit?limit=200").await.to_string();
    for act in ["passkey_added", "passkey_used", "passkey_renamed", "passkey_removed"] {
        assert!(audit.contains(act), "{act} is not in the audit");
    }
}
