// SPDX-License-Identifier: Apache-2.0

//! Settings: every problem at once, each with its key and a way to mend it.

use serde_json::{Value, json};
use ticketbridge_core::product::Acceptance;
use ticketbridge_core::time::{Millis, TimeZone};

use super::settings::{Creation, Settings};

fn right() -> Value {
    json!({
        "account_id": "7123456789",
        "apps": [{ "client_key": "aw1", "client_secret": "s1" }, { "client_key": "aw2", "client_secret": "s2" }],
        "api_base": "https://open.douyin.com/",
        "creation": "before_payment",
        "confirm": "async",
        "price_check": true,
        "accept_url_signature": true,
        "signature_age_max": "2d",
        "review_limit": "48h",
        "time_zone": "Asia/Shanghai",
        "credit_account": "acme",
        "allow_from": [],
        "rate_per_caller": 50,
        "review_warn_before": ["4h", "24h"],
    })
}

#[test]
fn all_settings_of_the_contract_are_read() {
    let settings = Settings::read(&right()).expect("they are right");
    assert_eq!(settings.api_base, "https://open.douyin.com");
    assert_eq!(settings.creation, Creation::BeforePayment);
    assert_eq!(settings.rules.acceptance, Acceptance::Async);
    assert_eq!(settings.rules.acceptance_limit, Millis::minutes(10));
    assert_eq!(settings.rules.review_limit, Millis::hours(48));
    assert_eq!(settings.signature_age_max, Millis::hours(48));
    assert_eq!(settings.rules.review_warn_before, [Millis::hours(24), Millis::hours(4)]);
    assert!(settings.rules.price_check && settings.accept_url_signature);
    assert_eq!(settings.secrets_from(1).collect::<Vec<_>>(), ["s2", "s1"]);
    assert!(!format!("{settings:?}").contains("s1"), "secrets are not shown");
}

#[test]
fn what_is_left_out_has_the_platforms_value() {
    let least = json!({ "account_id": "7", "apps": [{ "client_key": "aw", "client_secret": "s" }] });
    let settings = Settings::read(&least).expect("they are right");
    assert_eq!(settings.api_base, "https://open.douyin.com");
    assert_eq!(settings.creation, Creation::AfterPayment);
    assert_eq!(settings.rules.review_limit, Millis::hours(72));
    assert_eq!(settings.rules.review_warn_before, [Millis::hours(52), Millis::hours(24), Millis::hours(4)]);
    assert_eq!(settings.signature_age_max, Millis::hours(7 * 24));
    assert_eq!(settings.rules.time_zone, TimeZone::SHANGHAI);
    assert!(!settings.rules.price_check);
}

#[test]
fn every_problem_is_told_at_once() {
    let wrong = json!({
        "apps": [{ "client_key": "aw" }, { "client_key": "a w", "client_secret": "s" }, { "client_key": "aw", "client_secret": "s", "secret": "x" }],
        "api_base": "open.douyin.com",
        "creation": "sometimes",
        "confirm": 1,
        "price_check": "yes",
        "review_limit": "73h",
        "signature_age_max": "59m",
        "time_zone": "Asia/Atlantis",
        "review_warn_before": ["0h", "24 hours", "100h"],
    });
    let problems = Settings::read(&wrong).expect_err("they are wrong");
    let mut keys: Vec<&str> = problems.iter().map(|p| p.key.as_str()).collect();
    keys.sort_unstable();
    let expected = [
        "account_id",
        "api_base",
        "apps.0.client_secret",
        "apps.1.client_key",
        "apps.2.client_key",
        "apps.2.secret",
        "confirm",
        "creation",
        "price_check",
        "review_limit",
        "review_warn_before.0",
        "review_warn_before.1",
        "review_warn_before.2",
        "signature_age_max",
        "time_zone",
    ];
    assert_eq!(keys, expected);
    assert!(problems.iter().all(|p| !p.mend.is_empty() && !p.problem.is_empty() && !p.warning));
    assert_eq!(Settings::read(&json!({})).expect_err("they are wrong").len(), 2);
}
