// SPDX-License-Identifier: Apache-2.0

//! People through the real router: how they come and go, how they prove who they are, and what they may.

use http::{Method, header};
use serde_json::{Value, json};
use ticketbridge::accounts::people::By;
use ticketbridge::accounts::scope::Scope;
use ticketbridge::config::Role;
use ticketbridge_core::Millis;

use crate::support::people::{PARTNERS, PASSWORD, Person, cookie_of, from_base32, scope};
use crate::support::{Ask, CHANNEL, TestBridge, on_each_database};

/// A bridge whose channel belongs to the desk `north` of `park`.
pub(crate) async fn bridge() -> TestBridge {
    TestBridge::start_with(with_partners).await
}

pub(crate) fn with_partners(files: &mut std::collections::BTreeMap<String, String>) {
    files.insert("partners/all.toml".to_owned(), PARTNERS.to_owned());
    let channel = files.get_mut("channels/douyin-main.toml").expect("the channel");
    *channel =
        channel.replace("adapter = \"douyin\"", "adapter = \"douyin\"\nsettle_id = \"park-1\"\nagency = \"north\"");
}

fn applicant(email: &str, code: &str) -> Value {
    json!({ "name": "Kim", "email": email, "agency_code": code, "mobile": "010-1111-2222", "direct": "02-111-2222", "password": PASSWORD })
}

async fn sign_up(bridge: &TestBridge, email: &str, code: &str) -> crate::support::Reply {
    bridge.ask(Ask::new(Method::POST, "/ops/v1/sign-up").json(&applicant(email, code))).await
}

async fn sign_in(bridge: &TestBridge, email: &str, password: &str) -> crate::support::Reply {
    let body = json!({ "email": email, "password": password });
    bridge.ask(Ask::new(Method::POST, "/ops/v1/session").json(&body)).await
}

#[tokio::test]
async fn an_applicant_waits_for_an_administrator_of_his_agency() {
    let bridge = bridge().await;
    sign_up(&bridge, "kim@north.example", "T-1001").await.expect(200);
    assert_eq!(sign_up(&bridge, "lee@north.example", "T-9").await.expect(422).json()["field"], "agency_code");
    let why = sign_in(&bridge, "kim@north.example", PASSWORD).await.problem(403, "account_not_active");
    assert!(why.contains("approved"), "{why}");
    let mut south = Person::joins(&bridge, "boss@south.example", Role::Admin, Scope::Agency("south".into())).await;
    let mut north = Person::joins(&bridge, "boss@north.example", Role::Admin, Scope::Agency("north".into())).await;
    south.passes_factor(&bridge).await;
    north.passes_factor(&bridge).await;
    let waiting = north.get(&bridge, "accounts?state=pending_approval").await.expect(200).json();
    let id = waiting["items"][0]["id"].as_str().expect("an account").to_owned();
    assert_eq!(waiting["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(south.get(&bridge, "accounts?state=pending_approval").await.expect(200).json()["items"], json!([]));
    let grant = json!({ "role": "operator", "scope": scope("agency", "north") });
    let approve = format!("accounts/{id}/approve");
    south.post(&bridge, &approve, &grant).await.problem(404, "not_found");
    let beyond = json!({ "role": "operator", "scope": scope("institution", "park") });
    let refused = north.post(&bridge, &approve, &beyond).await.problem(403, "beyond_own_role");
    // Whether there is such a scope at all is not told.
    for (kind, id) in [("institution", "nowhere"), ("agency", "south"), ("agency", "nowhere"), ("dealer", "nobody")] {
        let beyond = json!({ "role": "operator", "scope": scope(kind, id) });
        assert_eq!(north.post(&bridge, &approve, &beyond).await.problem(403, "beyond_own_role"), refused);
    }
    let approved = north.post(&bridge, &approve, &grant).await.expect(200).json();
    assert_eq!((&approved["state"], &approved["role"]), (&json!("active"), &json!("operator")));
    assert_eq!(north.post(&bridge, &approve, &grant).await.json()["code"], "account_state", "once");
    let kim = Person::signs_in(&bridge, "Kim@North.example ").await;
    assert_eq!(kim.get(&bridge, "session").await.expect(200).json()["scope"], scope("agency", "north"));
    // An operator sees neither accounts nor settlement.
    for path in ["accounts", "invitations", "audit", "statements?settle_id=park-1&from=2026-11-01&to=2026-11-30"] {
        kim.get(&bridge, path).await.problem(403, "forbidden");
    }
}

#[tokio::test]
async fn of_taking_an_invitation_back_and_accepting_it_one_wins() {
    on_each_database(with_partners, async |bridge| {
        let mut boss = Person::joins(bridge, "boss@north.example", Role::Admin, Scope::Agency("north".into())).await;
        for round in 0..4 {
            boss.passes_factor(bridge).await;
            let email = format!("new{round}@north.example");
            let body = json!({ "email": email, "role": "viewer", "scope": scope("agency", "north") });
            let invited = boss.post(bridge, "invitations", &body).await.expect(200).json();
            let token = invited["link"].as_str().and_then(|link| link.rsplit('/').next()).expect("a link").to_owned();
            let accept = Ask::new(Method::POST, format!("/ops/v1/invitations/{token}/accept"))
                .json(&json!({ "name": "New", "mobile": "010-2222", "direct": "02-22222", "password": PASSWORD }));
            let revoke = format!("invitations/{}/revoke", invited["id"].as_str().expect("an id"));
            let nothing = json!({});
            let (revoked, accepted) = tokio::join!(boss.post(bridge, &revoke, &nothing), bridge.ask(accept));
            let both = [revoked.status.as_u16(), accepted.status.as_u16()];
            assert!(both == [200, 409] || both == [409, 200], "{both:?}");
            let listed = boss.get(bridge, "invitations").await.expect(200).json();
            let wanted = if both[0] == 200 { "revoked" } else { "accepted" };
            assert_eq!(listed["items"][0]["state"], wanted);
            assert_eq!(sign_in(bridge, &email, PASSWORD).await.status.as_u16(), if both[0] == 200 { 401 } else { 200 });
            bridge.advance(Millis::minutes(16));
        }
    })
    .await;
}

#[tokio::test]
async fn a_whole_office_accepts_its_invitations_from_one_address_and_who_makes_links_up_is_slowed() {
    let bridge = bridge().await;
    let accounts = &bridge.bridge.shared().accounts;
    let accept = |token: &str| {
        let body = json!({ "name": "New", "mobile": "010-2222", "direct": "02-22222", "password": PASSWORD });
        Ask::new(Method::POST, format!("/ops/v1/invitations/{token}/accept")).json(&body)
    };
    for number in 0..25 {
        let email = format!("member{number}@north.example");
        let invited =
            accounts.invite(&By::Host, &email, Role::Viewer, &Scope::Everything).await.expect("an invitation");
        bridge.ask(accept(&invited.token)).await.expect(200);
    }
    for _ in 0..5 {
        bridge.ask(accept(&"0".repeat(64))).await.expect(404);
    }
    bridge.ask(accept(&"0".repeat(64))).await.problem(429, "too_many_requests");
}

/// An account of credit is its institution's, also where one agency alone is charged to it.
#[tokio::test]
async fn an_agency_gives_itself_no_credit() {
    let bridge = TestBridge::start_with(with_partners).await;
    let deposit = json!({ "amount": 100, "reference": "transfer 1" });
    for (scope, status) in [(Scope::Agency("north".into()), 403), (Scope::Institution("park".into()), 200)] {
        let email = format!("boss@{}.example", scope.words().kind);
        let mut boss = Person::joins(&bridge, &email, Role::Admin, scope).await;
        boss.passes_factor(&bridge).await;
        boss.get(&bridge, "credit/acme").await.expect(200);
        boss.post(&bridge, "credit/acme/deposits", &deposit).await.expect(status);
    }
}

/// Whoever may invite people of one agency learns nothing of the accounts of another.
#[tokio::test]
async fn an_invitation_does_not_tell_who_has_an_account_elsewhere() {
    let bridge = bridge().await;
    let mut north = Person::joins(&bridge, "boss@north.example", Role::Admin, Scope::Agency("north".into())).await;
    Person::joins(&bridge, "boss@south.example", Role::Admin, Scope::Agency("south".into())).await;
    north.passes_factor(&bridge).await;
    let invite = async |email: &str| {
        let scope = json!({ "kind": "agency", "id": "north" });
        let body = json!({ "email": email, "role": "viewer", "scope": scope });
        let said = north.post(&bridge, "invitations", &body).await.expect(200).json();
        let link = said["link"].as_str().expect("a link").to_owned();
        (said["id"].as_str().expect("an id").to_owned(), link.rsplit('/').next().expect("a token").to_owned())
    };
    let accept = async |token: &str| {
        let body = json!({ "name": "Kim", "mobile": "010-1234-5678", "direct": "02-123-4567", "password": PASSWORD });
        let path = format!("/ops/v1/invitations/{token}/accept");
        bridge.ask(Ask::new(Method::POST, path).json(&body)).await.problem(409, "invitation_over")
    };
    let (known, of_known) = invite("boss@south.example").await;
    let (_, taken_back) = invite("kim@north.example").await;
    let listed = north.get(&bridge, "invitations").await.expect(200).json();
    let pending = listed["items"].as_array().expect("a list").iter().find(|it| it["email"] == "kim@north.example");
    let id = pending.expect("an invitation")["id"].as_str().expect("an id");
    north.post(&bridge, &format!("invitations/{id}/revoke"), &json!({})).await.expect(200);
    assert_eq!(accept(&of_known).await, accept(&taken_back).await, "the same in every word");
    let listed = north.get(&bridge, "invitations?state=revoked").await.expect(200).json();
    assert_eq!(listed["items"].as_array().expect("a list").len(), 2, "one looks like the other: {listed}");
    let seen = north.get(&bridge, "audit").await.expect(200).text();
    assert!(!seen.contains("invitation_of_known"), "{seen}");
    let audit = bridge.get("audit").await.expect(200).json();
    let noted = audit["items"].as_array().expect("a list").iter().find(|it| it["act"] == "invitation_of_known");
    assert_eq!(noted.expect("an entry")["detail"]["invitation"], json!(known), "who sees everything is told");
}

#[tokio::test]
async fn an_invitation_expires_after_seven_days() {
    let bridge = bridge().await;
    let accounts = &bridge.bridge.shared().accounts;
    let invited =
        accounts.invite(&By::Host, "late@x.example", Role::Admin, &Scope::Everything).await.expect("an invitation");
    bridge.advance(Millis::hours(7 * 24));
    let body = json!({ "name": "Late", "mobile": "010-2222", "direct": "02-22222", "password": PASSWORD });
    let path = format!("/ops/v1/invitations/{}/accept", invited.token);
    bridge.ask(Ask::new(Method::POST, path).json(&body)).await.problem(409, "invitation_over");
    let listed = bridge.get("invitations?state=expired").await.expect(200).json();
    assert_eq!(listed["items"][0]["email"], "late@x.example");
}

#[tokio::test]
async fn the_last_administrator_of_everything_stays() {
    on_each_database(
        |_| {},
        async |bridge| {
            let first = Person::joins(bridge, "first@x.example", Role::Admin, Scope::Everything).await;
            let second = Person::joins(bridge, "second@x.example", Role::Admin, Scope::Everything).await;
            let (mut first, mut second) = (first, second);
            let id = async |person: &Person| {
                person.get(bridge, "session").await.expect(200).json()["account"]
                    .as_str()
                    .expect("an account")
                    .to_owned()
            };
            first.passes_factor(bridge).await;
            second.passes_factor(bridge).await;
            let (of_first, of_second) = (id(&first).await, id(&second).await);
            let nothing = json!({});
            // Each switches the other off at the same moment: one of them stays.
            let (left, right) = (format!("accounts/{of_second}/deactivate"), format!("accounts/{of_first}/deactivate"));
            let (a, b) = tokio::join!(first.post(bridge, &left, &nothing), second.post(bridge, &right, &nothing));
            let both = [a.status.as_u16(), b.status.as_u16()];
            assert!(both.contains(&200) && both.iter().any(|status| [409, 401].contains(status)), "{both:?}");
            let active = bridge.get("accounts?state=active").await.expect(200).json();
            assert_eq!(active["items"].as_array().map(Vec::len), Some(1));
            let last = active["items"][0]["id"].as_str().expect("an id").to_owned();
            bridge.post(&format!("accounts/{last}/deactivate"), &nothing).await.problem(409, "last_administrator");
            let less = json!({ "role": "viewer", "scope": { "kind": "everything" } });
            bridge.post(&format!("accounts/{last}/role"), &less).await.problem(409, "last_administrator");
        },
    )
    .await;
}

#[tokio::test]
async fn who_is_not_known_and_who_is_wrong_get_the_same_answer() {
    let bridge = bridge().await;
    Person::invited(&bridge, "kim@north.example", Role::Viewer, Scope::Agency("north".into())).await;
    let known = sign_in(&bridge, "kim@north.example", "not his password").await.expect(401);
    let unknown = sign_in(&bridge, "nobody@north.example", "not his password").await.expect(401);
    assert_eq!(known.text(), unknown.text());
    // A sign-up with an address that is known says nothing of it either, and changes nothing.
    let again = sign_up(&bridge, "kim@north.example", "T-2001").await.expect(200);
    let fresh = sign_up(&bridge, "new@north.example", "T-2001").await.expect(200);
    assert_eq!(again.text(), fresh.text());
    sign_in(&bridge, "kim@north.example", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn guessing_is_slowed_and_the_owner_signs_in_from_elsewhere() {
    let bridge = bridge().await;
    Person::invited(&bridge, "kim@north.example", Role::Viewer, Scope::Agency("north".into())).await;
    for _ in 0..5 {
        sign_in(&bridge, "kim@north.example", "guess").await.expect(401);
    }
    let slowed = sign_in(&bridge, "kim@north.example", PASSWORD).await;
    slowed.problem(429, "too_many_requests");
    assert_eq!(slowed.headers[header::RETRY_AFTER], "15");
    bridge.advance(Millis::seconds(15));
    sign_in(&bridge, "kim@north.example", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn wrong_tries_are_known_to_every_instance() {
    let bridge = bridge().await;
    Person::invited(&bridge, "kim@north.example", Role::Viewer, Scope::Agency("north".into())).await;
    for _ in 0..5 {
        sign_in(&bridge, "kim@north.example", "guess").await.expect(401);
    }
    // What only a process remembers is gone with it.
    let bridge = bridge.restart().await;
    sign_in(&bridge, "kim@north.example", PASSWORD).await.problem(429, "too_many_requests");
    bridge.advance(Millis::seconds(15));
    sign_in(&bridge, "kim@north.example", PASSWORD).await.expect(200);
    // Many at the same moment are many: each is counted before it is known whether it is right.
    let tries = (0..12).map(|_| sign_in(&bridge, "lee@north.example", "guess"));
    let answers = futures_util::future::join_all(tries).await;
    bridge.advance(Millis::seconds(1));
    assert!(answers.iter().all(|answer| [401, 429].contains(&answer.status.as_u16())));
    sign_in(&bridge, "lee@north.example", "guess").await.problem(429, "too_many_requests");
}

#[tokio::test]
async fn somebody_changes_his_password_and_his_other_sessions_end() {
    const NEW: &str = "another long secret";
    let bridge = bridge().await;
    let mut kim = Person::joins(&bridge, "kim@north.example", Role::Viewer, Scope::Agency("north".into())).await;
    let elsewhere = Person::signs_in(&bridge, "kim@north.example").await;
    let change = |current: &str, new: &str| json!({ "current": current, "password": new });
    let wrong = kim.post(&bridge, "account/password", &change("not his password", NEW)).await.expect(422).json();
    assert_eq!(wrong["field"], "current");
    let short = kim.post(&bridge, "account/password", &change(PASSWORD, "short")).await.expect(422).json();
    assert_eq!(short["field"], "password");
    // Whoever knows the password alone does not shut him out.
    bridge.advance(Millis::minutes(6));
    kim.post(&bridge, "account/password", &change(PASSWORD, NEW)).await.problem(403, "fresh_factor_required");
    elsewhere.post(&bridge, "account/password", &change(PASSWORD, NEW)).await.problem(403, "factor_required");
    kim.passes_factor(&bridge).await;
    kim.post(&bridge, "account/password", &change(PASSWORD, NEW)).await.expect(200);
    kim.get(&bridge, "session").await.expect(200);
    elsewhere.get(&bridge, "session").await.problem(401, "unauthenticated");
    sign_in(&bridge, "kim@north.example", PASSWORD).await.expect(401);
    sign_in(&bridge, "kim@north.example", NEW).await.expect(200);
}

#[tokio::test]
async fn numbers_are_changed_with_a_fresh_factor_and_stand_in_the_audit() {
    let bridge = bridge().await;
    let mut kim = Person::joins(&bridge, "kim@north.example", Role::Operator, Scope::Agency("north".into())).await;
    let change = json!({ "mobile": "010-9999-8888" });
    bridge.advance(Millis::minutes(6));
    kim.post(&bridge, "account", &change).await.problem(403, "fresh_factor_required");
    kim.passes_factor(&bridge).await;
    kim.post(&bridge, "account", &change).await.expect(200);
    let wrong = kim.post(&bridge, "account", &json!({ "direct": "call me" })).await.expect(422).json();
    assert_eq!(wrong["field"], "direct");
    let account = bridge.get("accounts").await.expect(200).json()["items"][0].clone();
    assert_eq!((&account["mobile"], &account["direct"]), (&json!("010-9999-8888"), &json!("02-123-4567")));
    let audit = bridge.get("audit").await.expect(200).text();
    assert!(audit.contains("numbers_changed") && !audit.contains("9999"), "{audit}");
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_by_a_link_that_works_once() {
    const NEW: &str = "another long secret";
    let bridge = bridge().await;
    let kim = Person::invited(&bridge, "kim@north.example", Role::Viewer, Scope::Agency("north".into())).await;
    let session = kim.get(&bridge, "session").await.expect(200).json();
    let id = session["account"].as_str().expect("an account").to_owned();
    let mut north = Person::joins(&bridge, "boss@north.example", Role::Admin, Scope::Agency("north".into())).await;
    let mut south = Person::joins(&bridge, "boss@south.example", Role::Admin, Scope::Agency("south".into())).await;
    north.passes_factor(&bridge).await;
    south.passes_factor(&bridge).await;
    let path = format!("accounts/{id}/reset-password");
    south.post(&bridge, &path, &json!({})).await.problem(404, "not_found");
    let first = north.post(&bridge, &path, &json!({})).await.expect(200).json();
    let second = north.post(&bridge, &path, &json!({})).await.expect(200).json();
    let token =
        |said: &Value| said["link"].as_str().and_then(|link| link.rsplit('/').next()).expect("a link").to_owned();
    let take = async |token: &str, password: &str| {
        let path = format!("/ops/v1/password-resets/{token}");
        bridge.ask(Ask::new(Method::POST, path).json(&json!({ "password": password }))).await
    };
    take(&token(&first), NEW).await.problem(404, "not_found");
    assert_eq!(take(&token(&second), "short").await.expect(422).json()["field"], "password");
    take(&token(&second), NEW).await.expect(200);
    take(&token(&second), NEW).await.problem(404, "not_found");
    kim.get(&bridge, "session").await.problem(401, "unauthenticated");
    sign_in(&bridge, "kim@north.example", PASSWORD).await.expect(401);
    bridge.advance(Millis::minutes(16));
    sign_in(&bridge, "kim@north.example", NEW).await.expect(200);
    let audit = bridge.get("audit").await.expect(200).text();
    assert!(audit.contains("account_password_link") && audit.contains("password_reset"), "{audit}");
}

#[tokio::test]
async fn a_session_has_idle_and_absolute_limits_is_listed_and_can_be_ended() {
    let bridge = bridge().await;
    Person::invited(&bridge, "kim@north.example", Role::Viewer, Scope::Agency("north".into())).await;
    let first = Person::signs_in(&bridge, "kim@north.example").await;
    let second = Person::signs_in(&bridge, "kim@north.example").await;
    let listed = first.get(&bridge, "sessions").await.expect(200).json();
    let items = listed["items"].as_array().expect("sessions");
    assert_eq!(items.len(), 3, "{listed}");
    let other = items.iter().find(|it| it["is_this"] == false).and_then(|it| it["id"].as_str()).expect("another one");
    first.delete(&bridge, &format!("sessions/{other}")).await.expect(200);
    assert_eq!(first.get(&bridge, "sessions").await.json()["items"].as_array().map(Vec::len), Some(2));
    // Idle: half an hour. In use it goes on, up to half a day.
    let third = Person::signs_in(&bridge, "kim@north.example").await;
    for _ in 0..24 {
        bridge.advance(Millis::minutes(29));
        third.get(&bridge, "session").await.expect(200);
    }
    bridge.advance(Millis::minutes(20));
    first.get(&bridge, "session").await.problem(401, "unauthenticated");
    bridge.advance(Millis::minutes(4));
    third.get(&bridge, "session").await.problem(401, "unauthenticated");
    second.get(&bridge, "session").await.problem(401, "unauthenticated");
    // Signing out is for ever, also for who has kept the cookie.
    let last = Person::signs_in(&bridge, "kim@north.example").await;
    let out = last.delete(&bridge, "session").await.expect(200);
    assert!(out.headers[header::SET_COOKIE].to_str().is_ok_and(|cookie| cookie.contains("Max-Age=0")));
    last.get(&bridge, "session").await.problem(401, "unauthenticated");
}

/// However soon a session ends without a request, one that is used goes on.
#[tokio::test]
async fn a_session_that_is_used_outlives_any_idle_limit() {
    let bridge = bridge().await;
    Person::invited(&bridge, "kim@north.example", Role::Viewer, Scope::Agency("north".into())).await;
    let file = bridge.read_config("ticketbridge.toml");
    bridge.write_config("ticketbridge.toml", &format!("{file}\n[console]\nidle = \"20s\"\n"));
    bridge.post("config/reload", &json!({})).await.expect(200);
    let kim = Person::signs_in(&bridge, "kim@north.example").await;
    for _ in 0..20 {
        bridge.advance(Millis::seconds(10));
        kim.get(&bridge, "session").await.expect(200);
    }
    bridge.advance(Millis::seconds(21));
    kim.get(&bridge, "session").await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_cookie_is_worth_nothing_to_pages_of_others() {
    let bridge = bridge().await;
    let kim = Person::joins(&bridge, "kim@north.example", Role::Operator, Scope::Agency("north".into())).await;
    let body = json!({ "language": "ko" });
    let ask = || Ask::new(Method::POST, "/ops/v1/account").header("cookie", &kim.cookie).json(&body);
    for ask in [
        ask(),
        ask().header("sec-fetch-site", "cross-site"),
        ask().header("sec-fetch-site", "same-site"),
        ask().header("origin", "https://evil.example"),
        ask().header("origin", "null"),
    ] {
        bridge.ask(ask).await.problem(403, "cross_site");
    }
    for ask in [
        ask().header("sec-fetch-site", "same-origin"),
        ask().header("origin", "http://127.0.0.1:8080"),
        ask().header("host", "bridge.local:1").header("origin", "http://bridge.local:1"),
    ] {
        bridge.ask(ask).await.expect(200);
    }
    // Nor does another page sign somebody in as somebody else.
    let body = json!({ "email": "kim@north.example", "password": PASSWORD });
    let foreign = Ask::new(Method::POST, "/ops/v1/session").header("origin", "https://evil.example").json(&body);
    bridge.ask(foreign).await.problem(403, "cross_site");
    let set = bridge.ask(Ask::new(Method::POST, "/ops/v1/session").json(&body)).await.expect(200);
    let set = set.headers[header::SET_COOKIE].to_str().expect("text").to_owned();
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax") && set.contains("Path=/"), "{set}");
}

#[tokio::test]
async fn a_code_is_taken_once_and_a_recovery_code_too() {
    let bridge = bridge().await;
    let kim = Person::joins(&bridge, "kim@north.example", Role::Operator, Scope::Agency("north".into())).await;
    assert_eq!(kim.recovery_codes.len(), 10);
    let fresh = Person::signs_in(&bridge, "kim@north.example").await;
    let factor = |code: String| json!({ "code": code });
    // The very code that was given at enrolment.
    fresh.post(&bridge, "session/factor", &factor(kim.code(&bridge))).await.problem(401, "wrong_code");
    bridge.advance(Millis::seconds(30));
    let passed = fresh.post(&bridge, "session/factor", &factor(kim.code(&bridge))).await.expect(200);
    let next = Person { cookie: cookie_of(&passed), ..kim.clone() };
    fresh.get(&bridge, "session").await.problem(401, "unauthenticated");
    assert!(
        next.get(&bridge, "session").await.expect(200).json()["factor_is_fresh"] == true,
        "a new token, and the old one is dead"
    );
    let other = Person::signs_in(&bridge, "kim@north.example").await;
    other.post(&bridge, "session/factor", &factor(kim.code(&bridge))).await.problem(401, "wrong_code");
    let code = kim.recovery_codes[3].to_uppercase();
    other.post(&bridge, "session/factor", &factor(code.clone())).await.expect(200);
    let third = Person::signs_in(&bridge, "kim@north.example").await;
    third.post(&bridge, "session/factor", &factor(code)).await.problem(401, "wrong_code");
    // Another authenticator only after the first.
    third.post(&bridge, "account/totp", &json!({})).await.problem(403, "factor_required");
    // A lost one is forgotten by an administrator, who ends the sessions with it.
    let boss = Person::joins(&bridge, "boss@park.example", Role::Admin, Scope::Institution("park".into())).await;
    let account = next.get(&bridge, "session").await.json()["account"].as_str().unwrap_or_default().to_owned();
    let id = if account.is_empty() {
        let listed = boss.get(&bridge, "accounts").await.expect(200).json();
        let found =
            listed["items"].as_array().expect("accounts").iter().find(|it| it["email"] == "kim@north.example").cloned();
        found.expect("kim")["id"].as_str().expect("an id").to_owned()
    } else {
        account
    };
    boss.post(&bridge, &format!("accounts/{id}/reset-factor"), &json!({})).await.expect(200);
    next.get(&bridge, "session").await.problem(401, "unauthenticated");
    // Of another secret another code counts, in the same half minute too.
    for again in [false, true] {
        if again {
            boss.post(&bridge, &format!("accounts/{id}/reset-factor"), &json!({})).await.expect(200);
        }
        let mut anew = Person::signs_in(&bridge, "kim@north.example").await;
        anew.enrol(&bridge).await;
    }
}

#[tokio::test]
async fn guests_are_masked_until_the_factor_was_passed_and_a_reason_given_and_each_look_is_written_down() {
    crate::support::leaves_work();
    let bridge = bridge().await;
    bridge.sell("V100").await;
    bridge.book("R100", "V100", "2026-12-01").await;
    let path = format!("orders/{CHANNEL}:V100");
    let reveal = format!("{path}/reveal");
    let reason = json!({ "reason": "the guest is at the gate" });
    let masked = Person::invited(&bridge, "kim@north.example", Role::Operator, Scope::Agency("north".into())).await;
    masked.post(&bridge, &reveal, &reason).await.problem(403, "factor_required");
    let viewer = Person::joins(&bridge, "view@north.example", Role::Viewer, Scope::Agency("north".into())).await;
    viewer.post(&bridge, &reveal, &reason).await.problem(403, "forbidden");
    let mut kim = masked.clone();
    kim.enrol(&bridge).await;
    let phone = |order: Value| order["buyer"]["phone"].as_str().expect("a phone").to_owned();
    assert!(phone(kim.get(&bridge, &path).await.expect(200).json()).contains("****"), "not before he asks");
    assert_eq!(kim.post(&bridge, &reveal, &json!({})).await.expect(422).json()["field"], "reason");
    let clear = phone(kim.post(&bridge, &reveal, &reason).await.expect(200).json());
    assert!(!clear.contains('*'), "{clear}");
    assert_eq!(phone(kim.get(&bridge, &path).await.expect(200).json()), clear, "from now on, in this session");
    let boss = Person::joins(&bridge, "boss@north.example", Role::Admin, Scope::Agency("north".into())).await;
    assert!(phone(boss.get(&bridge, &path).await.expect(200).json()).contains("****"), "and in no other");
    let audit = boss.get(&bridge, "audit").await.expect(200).json();
    let acts: Vec<&str> =
        audit["items"].as_array().expect("entries").iter().filter_map(|it| it["act"].as_str()).collect();
    assert!(
        acts.contains(&"orders_reveal") && acts.contains(&"looked_in_clear") && acts.contains(&"sign_in"),
        "{acts:?}"
    );
    let entry = audit["items"].as_array().expect("entries").iter().find(|it| it["act"] == "orders_reveal").cloned();
    assert_eq!(entry.expect("an entry")["detail"]["reason"], "the guest is at the gate");
    let history = bridge.get(&format!("{path}/events")).await.expect(200).json();
    assert!(history.to_string().contains("the guest is at the gate"));
}

#[tokio::test]
async fn money_goes_back_only_with_a_fresh_factor() {
    crate::support::leaves_work();
    let bridge = bridge().await;
    bridge.ticketed("V100", "R100").await;
    let mut kim = Person::joins(&bridge, "kim@north.example", Role::Operator, Scope::Agency("north".into())).await;
    bridge.advance(Millis::minutes(6));
    let cancel = format!("orders/{CHANNEL}:V100/cancel");
    let reason = json!({ "reason": "the park is closed" });
    kim.post(&bridge, &cancel, &reason).await.problem(403, "fresh_factor_required");
    kim.passes_factor(&bridge).await;
    let answered = kim.post(&bridge, &cancel, &reason).await;
    assert!(![401, 403].contains(&answered.status.as_u16()), "{}", answered.text());
    let plain = Person::invited(&bridge, "lee@north.example", Role::Operator, Scope::Agency("north".into())).await;
    plain.post(&bridge, &format!("orders/{CHANNEL}:V100/confirm"), &json!({})).await.problem(403, "factor_required");
}

#[tokio::test]
async fn where_a_factor_is_optional_clear_text_still_wants_one() {
    let bridge = TestBridge::start_with(|files| {
        with_partners(files);
        files.get_mut("ticketbridge.toml").expect("the service").push_str("[console]\nsecond_factor = \"optional\"\n");
    })
    .await;
    bridge.sell("V100").await;
    let kim = Person::invited(&bridge, "kim@north.example", Role::Operator, Scope::Agency("north".into())).await;
    let confirm = kim.post(&bridge, &format!("orders/{CHANNEL}:V100/confirm"), &json!({})).await;
    assert_eq!(confirm.status, 409, "he may act, and the order decides: {}", confirm.text());
    let reason = json!({ "reason": "curiosity" });
    kim.post(&bridge, &format!("orders/{CHANNEL}:V100/reveal"), &reason).await.problem(403, "factor_required");
    // Whatever shows clear text.
    let boss = Person::invited(&bridge, "boss@north.example", Role::Admin, Scope::Agency("north".into())).await;
    let guest = json!({ "phone": "13800000001", "reason": "asked" });
    boss.post(&bridge, "guests/export", &guest).await.problem(403, "factor_required");
    let events = bridge.get(&format!("orders/{CHANNEL}:V100/events")).await.expect(200).text();
    assert!(!events.contains("export of a guest"), "nothing was looked at: {events}");
}

/// A key keeps a program from looking twice. Whoever is signed in and uses it again looks once more, and each look stands in the audit and in the
/// order's history.
#[tokio::test]
async fn a_person_who_repeats_a_look_looks_once_more() {
    let bridge = bridge().await;
    bridge.sell("V100").await;
    let mut boss = Person::joins(&bridge, "boss@north.example", Role::Admin, Scope::Agency("north".into())).await;
    let (reveal, by_phone) =
        (format!("orders/{CHANNEL}:V100/reveal"), json!({ "phone": "13800000100", "reason": "asked" }));
    for (path, body, act) in
        [(reveal.as_str(), json!({ "reason": "asked" }), "orders_reveal"), ("guests/export", by_phone, "guests_export")]
    {
        let seen = async || {
            let audit = bridge.get("audit?limit=100").await.expect(200).json();
            let rows = audit["items"].as_array().expect("rows").iter().filter(|row| row["act"] == act).count();
            let events = bridge.get(&format!("orders/{CHANNEL}:V100/events")).await.expect(200).json();
            let looks = events["items"].as_array().expect("events").iter();
            (rows, looks.filter(|event| event["kind"] == "guests_revealed").count())
        };
        let before = seen().await;
        for round in 1..=2 {
            boss.passes_factor(&bridge).await;
            let shown = boss.post_with_key(&bridge, path, &body, act).await.expect(200).text();
            assert!(shown.contains("13800000100"), "{path}: {shown}");
            assert_eq!(seen().await, (before.0 + round, before.1 + round), "{path}");
        }
    }
}

/// A new authenticator takes the old one's place when a code of it is given, and not before: or a password alone were enough meanwhile.
#[tokio::test]
async fn an_authenticator_holds_until_the_next_one_is_confirmed() {
    on_each_database(with_partners, async |bridge| {
        let mut kim = Person::joins(bridge, "kim@north.example", Role::Admin, Scope::Agency("north".into())).await;
        kim.passes_factor(bridge).await;
        let begun = kim.post(bridge, "account/totp", &json!({})).await.expect(200).json();
        let next = Person { secret: from_base32(begun["secret"].as_str().expect("a secret")), ..kim.clone() };
        assert_eq!(kim.get(bridge, "session").await.expect(200).json()["has_factor"], true, "he has one all the while");
        // Whoever has his password alone can neither begin nor confirm another.
        let thief = Person::signs_in(bridge, "kim@north.example").await;
        thief.post(bridge, "account/totp", &json!({})).await.problem(403, "factor_required");
        let code = |person: &Person| json!({ "code": person.code(bridge) });
        thief.post(bridge, "account/totp/confirm", &code(&next)).await.problem(403, "factor_required");
        thief.post(bridge, "session/factor", &code(&next)).await.problem(401, "wrong_code");
        // What he had still counts.
        let recovery = json!({ "code": kim.recovery_codes[0] });
        Person::signs_in(bridge, "kim@north.example").await.post(bridge, "session/factor", &recovery).await.expect(200);
        kim.passes_factor(bridge).await;
        let next = Person { cookie: kim.cookie.clone(), ..next };
        let confirmed = next.post(bridge, "account/totp/confirm", &code(&next)).await.expect(200);
        next.post(bridge, "account/totp/confirm", &code(&next)).await.problem(401, "unauthenticated");
        bridge.advance(Millis::minutes(1));
        let fresh = Person::signs_in(bridge, "kim@north.example").await;
        fresh.post(bridge, "session/factor", &code(&kim)).await.problem(401, "wrong_code");
        fresh.post(bridge, "session/factor", &recovery).await.problem(401, "wrong_code");
        fresh.post(bridge, "session/factor", &code(&next)).await.expect(200);
        assert_eq!(confirmed.json()["recovery_codes"].as_array().map(Vec::len), Some(10));
        bridge.advance(Millis::minutes(16));
    })
    .await;
}

/// The demonstration's own link gives a session like any other: whoever follows it has passed nothing yet.
#[tokio::test]
async fn the_link_of_the_demonstration_shows_no_guest_in_clear() {
    let bridge = TestBridge::start_with(|files| {
        files.get_mut("ticketbridge.toml").expect("the service").push_str("[console]\nsecond_factor = \"optional\"\n");
    })
    .await;
    bridge.sell("V100").await;
    let link = bridge.bridge.shared().accounts.demonstration_link().await.expect("a link");
    let entered = bridge.ask(Ask::new(Method::GET, format!("/console/enter/{link}"))).await;
    let mut guide = Person { cookie: cookie_of(&entered), ..Person::default() };
    assert_eq!(guide.get(&bridge, "session").await.expect(200).json()["role"], "admin");
    let (reveal, reason) = (format!("orders/{CHANNEL}:V100/reveal"), json!({ "reason": "curiosity" }));
    guide.post(&bridge, &reveal, &reason).await.problem(403, "factor_required");
    let account = bridge
        .ask(Ask::new(Method::GET, "/console/account?lang=en").header("cookie", &guide.cookie))
        .await
        .expect(200)
        .text();
    assert!(account.contains("Everything else can be done here without one"), "{account}");
    guide.enrol(&bridge).await;
    guide.post(&bridge, &reveal, &reason).await.expect(200);
}
