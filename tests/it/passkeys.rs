// SPDX-License-Identifier: Apache-2.0

//! Passkeys through the real router, with an authenticator of software: what they open, and that nothing else does.

use http::Method;
use serde_json::{Value, json};
use ticketbridge::accounts::scope::Scope;
use ticketbridge::config::Role;
use ticketbridge_core::Millis;

use crate::accounts::{bridge, with_partners};
use crate::support::authenticator::Authenticator;
use crate::support::people::{PASSWORD, Person, cookie_of};
use crate::support::{Ask, Reply, TestBridge, on_each_database};

const KIM: &str = "kim@north.example";

fn north() -> Scope {
    Scope::Agency("north".into())
}

async fn kim(bridge: &TestBridge) -> Person {
    Person::invited(bridge, KIM, Role::Operator, north()).await
}

async fn options(bridge: &TestBridge, person: &Person, path: &str) -> Value {
    person.post(bridge, path, &json!({})).await.expect(200).json()
}

/// Adds the passkey of an authenticator; the session goes on under another cookie.
async fn adds(bridge: &TestBridge, person: &mut Person, authenticator: &mut Authenticator, name: &str) -> Value {
    let asked = options(bridge, person, "account/passkeys/options").await;
    let body = json!({ "attestation": authenticator.create(&asked), "name": name });
    let added = person.post(bridge, "account/passkeys", &body).await.expect(200);
    person.cookie = cookie_of(&added);
    added.json()
}

/// What a browser without a session is asked.
async fn asked(bridge: &TestBridge) -> Value {
    let ask = Ask::new(Method::POST, "/ops/v1/session/passkey/options").json(&json!({}));
    bridge.ask(ask).await.expect(200).json()
}

async fn comes(bridge: &TestBridge, assertion: &Value) -> Reply {
    let body = json!({ "assertion": assertion });
    bridge.ask(Ask::new(Method::POST, "/ops/v1/session/passkey").json(&body)).await
}

/// The entries of the audit with this act, the newest first.
async fn entries(bridge: &TestBridge, act: &str) -> Vec<Value> {
    let audit = bridge.get("audit?limit=200").await.expect(200).json();
    audit["items"].as_array().expect("entries").iter().filter(|it| it["act"] == act).cloned().collect()
}

#[tokio::test]
async fn a_passkey_signs_in_without_a_name_and_is_a_second_factor_as_well() {
    on_each_database(with_partners, async |bridge| {
        let (mut kim, mut authenticator) = (kim(bridge).await, Authenticator::new(1));
        let added = adds(bridge, &mut kim, &mut authenticator, "My phone").await;
        assert_eq!(added["recovery_codes"].as_array().map(Vec::len), Some(10), "the first factor brings them");
        let session = kim.get(bridge, "session").await.expect(200).json();
        assert_eq!((&session["has_factor"], &session["factor_is_fresh"]), (&json!(true), &json!(true)));
        let signed_in = comes(bridge, &authenticator.get(&asked(bridge).await)).await.expect(200);
        let session = signed_in.json();
        assert_eq!((session["email"].as_str(), &session["factor_is_fresh"]), (Some(KIM), &json!(true)));
        let other = Person { cookie: cookie_of(&signed_in), ..Person::default() };
        let listed = other.get(bridge, "account/passkeys").await.expect(200).json();
        let own = &listed["items"][0];
        assert_eq!((&own["id"], &own["name"]), (&added["id"], &json!("My phone")));
        assert_eq!((&own["counter"], &own["algorithm"]), (&json!(1), &json!("ES256")));
        assert_eq!(own["transports"], json!(["internal", "hybrid"]));
        assert!(own["used_at"].is_string(), "{own}");
        assert_eq!(entries(bridge, "passkey_added").await.len(), 1);
        assert_eq!(entries(bridge, "passkey_used").await[0]["detail"]["passkey"], added["id"]);
        // A recovery code stands for it, once.
        let by_password = Person::signs_in(bridge, KIM).await;
        let code = json!({ "code": added["recovery_codes"][0] });
        by_password.post(bridge, "session/factor", &code).await.expect(200);
        let again = Person::signs_in(bridge, KIM).await;
        again.post(bridge, "session/factor", &code).await.problem(401, "wrong_code");
    })
    .await;
}

#[tokio::test]
async fn a_passkey_freshens_the_second_factor_of_its_own_session() {
    let bridge = bridge().await;
    let (mut kim, mut authenticator) = (kim(&bridge).await, Authenticator::new(1));
    adds(&bridge, &mut kim, &mut authenticator, "My phone").await;
    bridge.advance(Millis::minutes(6));
    let numbers = json!({ "mobile": "010-9999-9999" });
    kim.post(&bridge, "account", &numbers).await.problem(403, "fresh_factor_required");
    let asked = options(&bridge, &kim, "session/factor/options").await;
    assert_eq!(asked["publicKey"]["allowCredentials"].as_array().map(Vec::len), Some(1));
    let body = json!({ "assertion": authenticator.get(&asked) });
    let passed = kim.post(&bridge, "session/factor", &body).await.expect(200);
    let old = kim.clone();
    kim.cookie = cookie_of(&passed);
    old.get(&bridge, "session").await.problem(401, "unauthenticated");
    kim.post(&bridge, "account", &numbers).await.expect(200);
    assert_eq!(entries(&bridge, "factor_passed").await[0]["detail"]["factor"], "passkey");
    // One or the other, not both and not nothing.
    for body in [json!({}), json!({ "code": "123456", "assertion": {} })] {
        assert_eq!(kim.post(&bridge, "session/factor", &body).await.expect(422).json()["field"], "code");
    }
}

/// Each attack on signing in: what is done to the answer of an authenticator that would be right without it.
#[tokio::test]
async fn what_an_authenticator_did_not_say_for_us_to_this_challenge_opens_nothing() {
    let bridge = bridge().await;
    let (mut kim, mut authenticator) = (kim(&bridge).await, Authenticator::new(1));
    adds(&bridge, &mut kim, &mut authenticator, "My phone").await;
    type Attack = fn(&mut Authenticator);
    let attacks: [(&str, Attack); 6] = [
        ("on a page of somebody else's", |it| it.origin = "https://evil.example".to_owned()),
        ("on a page that has our name within its own", |it| {
            it.origin = "http://localhost.evil.example:8080".to_owned()
        }),
        ("on a page that is ours and not", |it| it.origin = "https://localhost:8080".to_owned()),
        ("for another service", |it| it.service = Some("evil.example".to_owned())),
        ("without its owner's proof", |it| it.verifies = false),
        ("in the name of somebody else", |it| it.user_handle = vec![7; 16]),
    ];
    for (how, attack) in attacks {
        let mut attacked = Authenticator { counter: authenticator.counter, ..authenticator.clone() };
        attack(&mut attacked);
        let answer = comes(&bridge, &attacked.get(&asked(&bridge).await)).await;
        assert!(!answer.problem(401, "wrong_passkey").is_empty(), "{how}");
        bridge.advance(Millis::minutes(16));
    }
    assert_eq!(entries(&bridge, "sign_in_refused").await.len(), 6);
    // An answer that was right is not right again, and neither is one to a challenge that nobody has set, or too late.
    let right = authenticator.get(&asked(&bridge).await);
    comes(&bridge, &right).await.expect(200);
    comes(&bridge, &right).await.problem(401, "wrong_passkey");
    let mut forged = asked(&bridge).await;
    forged["publicKey"]["challenge"] = json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    comes(&bridge, &authenticator.get(&forged)).await.problem(401, "wrong_passkey");
    let late = asked(&bridge).await;
    bridge.advance(Millis::minutes(5));
    comes(&bridge, &authenticator.get(&late)).await.problem(401, "wrong_passkey");
    // A wrong answer uses its challenge up.
    let set = asked(&bridge).await;
    let stranger = Authenticator { verifies: false, ..authenticator.clone() };
    comes(&bridge, &stranger.say(&set)).await.problem(401, "wrong_passkey");
    comes(&bridge, &authenticator.get(&set)).await.problem(401, "wrong_passkey");
    // What is no answer at all.
    for nonsense in [json!({}), json!({ "response": { "clientDataJSON": "e30" } }), json!({ "id": 1 })] {
        comes(&bridge, &nonsense).await.problem(401, "wrong_passkey");
        bridge.advance(Millis::minutes(16));
    }
    comes(&bridge, &authenticator.get(&asked(&bridge).await)).await.expect(200);
}

#[tokio::test]
async fn a_challenge_is_of_its_own_session_and_for_what_it_was_set_for() {
    let bridge = bridge().await;
    let (mut kim, mut authenticator) = (kim(&bridge).await, Authenticator::new(1));
    adds(&bridge, &mut kim, &mut authenticator, "My phone").await;
    let mut lee = Person::invited(&bridge, "lee@north.example", Role::Operator, north()).await;
    let mut of_lee = Authenticator::new(2);
    adds(&bridge, &mut lee, &mut of_lee, "Lee's key").await;
    // Lee's passkey is no factor of Kim's, whatever it says of its owner.
    let asked_of_kim = options(&bridge, &kim, "session/factor/options").await;
    let foreign = json!({ "assertion": of_lee.get(&asked_of_kim) });
    kim.post(&bridge, "session/factor", &foreign).await.problem(401, "wrong_passkey");
    let asked_of_kim = options(&bridge, &kim, "session/factor/options").await;
    let disguised = Authenticator { user_handle: authenticator.user_handle.clone(), ..of_lee.clone() };
    let foreign = json!({ "assertion": disguised.say(&asked_of_kim) });
    kim.post(&bridge, "session/factor", &foreign).await.problem(401, "wrong_passkey");
    // Kim's challenge is none of Lee's session, and a factor's none of signing in.
    let asked_of_kim = options(&bridge, &kim, "session/factor/options").await;
    let answer = authenticator.get(&asked_of_kim);
    lee.post(&bridge, "session/factor", &json!({ "assertion": answer })).await.problem(401, "wrong_passkey");
    let asked_of_kim = options(&bridge, &kim, "session/factor/options").await;
    comes(&bridge, &authenticator.get(&asked_of_kim)).await.problem(401, "wrong_passkey");
    let asked_of_anybody = asked(&bridge).await;
    let answer = json!({ "assertion": authenticator.get(&asked_of_anybody) });
    kim.post(&bridge, "session/factor", &answer).await.problem(401, "wrong_passkey");
    // A passkey is of one account.
    let asked_of_lee = options(&bridge, &lee, "account/passkeys/options").await;
    let body = json!({ "attestation": Authenticator::new(1).create(&asked_of_lee), "name": "Taken" });
    lee.post(&bridge, "account/passkeys", &body).await.problem(409, "passkey_known");
    // Nor can one be looked at, named or removed by another.
    let id = kim.get(&bridge, "account/passkeys").await.expect(200).json()["items"][0]["id"].clone();
    let path = format!("account/passkeys/{}", id.as_str().expect("an id"));
    lee.post(&bridge, &path, &json!({ "name": "Mine" })).await.problem(404, "not_found");
    lee.delete(&bridge, &path).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_count_that_does_not_go_on_is_refused_and_on_the_record() {
    on_each_database(with_partners, async |bridge| {
        let (mut kim, mut authenticator) = (kim(bridge).await, Authenticator::new(1));
        adds(bridge, &mut kim, &mut authenticator, "My phone").await;
        authenticator.counter = 41;
        comes(bridge, &authenticator.get(&asked(bridge).await)).await.expect(200);
        // A copy of the key has counted less, or as much.
        for counter in [5, 42] {
            let copy = Authenticator { counter, ..authenticator.clone() };
            comes(bridge, &copy.say(&asked(bridge).await)).await.problem(401, "wrong_passkey");
        }
        let noted = entries(bridge, "passkey_counter_went_back").await;
        assert_eq!((noted.len(), &noted[0]["detail"]["counter"]), (2, &json!(42)));
        // Of two answers with one count, to challenges of their own, one is believed.
        let (one, two) = (asked(bridge).await, asked(bridge).await);
        authenticator.counter = 43;
        let (one, two) = (authenticator.say(&one), authenticator.say(&two));
        let (one, two) = tokio::join!(comes(bridge, &one), comes(bridge, &two));
        let mut both = [one.status.as_u16(), two.status.as_u16()];
        both.sort_unstable();
        assert_eq!(both, [200, 401]);
        // One that does not count is believed as often as it comes.
        let (mut lee, mut plain) =
            (Person::invited(bridge, "lee@north.example", Role::Operator, north()).await, Authenticator::new(2));
        adds(bridge, &mut lee, &mut plain, "Synced").await;
        for _ in 0..2 {
            comes(bridge, &plain.say(&asked(bridge).await)).await.expect(200);
        }
    })
    .await;
}

#[tokio::test]
async fn whoever_has_a_factor_passes_it_before_he_gets_or_loses_another() {
    let bridge = bridge().await;
    let mut kim = Person::joins(&bridge, KIM, Role::Operator, north()).await;
    let by_password = Person::signs_in(&bridge, KIM).await;
    by_password.post(&bridge, "account/passkeys/options", &json!({})).await.problem(403, "factor_required");
    // Begun without a factor, he has one by the time of the answer: then the answer is too late.
    let mut lee = Person::invited(&bridge, "lee@north.example", Role::Operator, north()).await;
    let thief = Person::signs_in(&bridge, "lee@north.example").await;
    let asked_of_thief = options(&bridge, &thief, "account/passkeys/options").await;
    lee.enrol(&bridge).await;
    let body = json!({ "attestation": Authenticator::new(9).create(&asked_of_thief), "name": "Mine" });
    thief.post(&bridge, "account/passkeys", &body).await.problem(403, "factor_required");
    kim.passes_factor(&bridge).await;
    // With one-time codes already, a passkey brings no other recovery codes.
    let mut authenticator = Authenticator::new(1);
    let added = adds(&bridge, &mut kim, &mut authenticator, " My phone ").await;
    assert_eq!(added["recovery_codes"], json!([]));
    let path = format!("account/passkeys/{}", added["id"].as_str().expect("an id"));
    for name in ["", &"x".repeat(61)] {
        let refused = kim.post(&bridge, &path, &json!({ "name": name })).await.expect(422).json();
        assert_eq!(refused["field"], "name");
    }
    let renamed = kim.post(&bridge, &path, &json!({ "name": "Old phone" })).await.expect(200).json();
    assert_eq!(renamed["name"], "Old phone");
    let other = comes(&bridge, &authenticator.get(&asked(&bridge).await)).await.expect(200);
    let other = Person { cookie: cookie_of(&other), ..Person::default() };
    bridge.advance(Millis::minutes(6));
    kim.delete(&bridge, &path).await.problem(403, "fresh_factor_required");
    kim.passes_factor(&bridge).await;
    kim.delete(&bridge, &path).await.expect(200);
    other.get(&bridge, "session").await.problem(401, "unauthenticated");
    comes(&bridge, &authenticator.get(&asked(&bridge).await)).await.problem(401, "wrong_passkey");
    assert_eq!(kim.get(&bridge, "account/passkeys").await.expect(200).json()["items"], json!([]));
    for act in ["passkey_renamed", "passkey_removed"] {
        assert_eq!(entries(&bridge, act).await.len(), 1, "{act}");
    }
}

#[tokio::test]
async fn passkeys_go_with_the_factor_that_is_forgotten_and_with_the_account_that_is_switched_off() {
    let bridge = bridge().await;
    let id = async |person: &Person| {
        let session = person.get(&bridge, "session").await.expect(200).json();
        session["account"].as_str().expect("an account").to_owned()
    };
    let (mut kim, mut authenticator) = (kim(&bridge).await, Authenticator::new(1));
    adds(&bridge, &mut kim, &mut authenticator, "My phone").await;
    let mut lee = Person::invited(&bridge, "lee@north.example", Role::Operator, north()).await;
    let mut of_lee = Authenticator::new(2);
    adds(&bridge, &mut lee, &mut of_lee, "Lee's key").await;
    let (of_kim, account_of_lee) = (id(&kim).await, id(&lee).await);
    bridge.post(&format!("accounts/{of_kim}/reset-factor"), &json!({})).await.expect(200);
    comes(&bridge, &authenticator.get(&asked(&bridge).await)).await.problem(401, "wrong_passkey");
    bridge.post(&format!("accounts/{account_of_lee}/deactivate"), &json!({})).await.expect(200);
    bridge.post(&format!("accounts/{account_of_lee}/activate"), &json!({})).await.expect(200);
    comes(&bridge, &of_lee.get(&asked(&bridge).await)).await.problem(401, "wrong_passkey");
    let listed = bridge.get("accounts").await.expect(200).json();
    let has_factor = listed["items"].as_array().expect("accounts").iter().map(|it| it["has_factor"].clone());
    assert_eq!(has_factor.collect::<Vec<_>>(), [json!(false), json!(false)]);
}

#[tokio::test]
async fn where_passkeys_are_used_is_said_by_the_configuration() {
    let at_another_name = TestBridge::start_with(|files| {
        with_partners(files);
        files
            .get_mut("ticketbridge.toml")
            .expect("the service")
            .push_str("[console.passkeys]\ndomain = \"desk.example\"\norigins = [\"https://console.desk.example\"]\n");
    })
    .await;
    let mut kim = kim(&at_another_name).await;
    let mut authenticator =
        Authenticator { origin: "https://console.desk.example".to_owned(), ..Authenticator::new(1) };
    adds(&at_another_name, &mut kim, &mut authenticator, "My phone").await;
    comes(&at_another_name, &authenticator.get(&asked(&at_another_name).await)).await.expect(200);
    for elsewhere in ["http://localhost:8080", "https://desk.example", "https://console.desk.example:8443"] {
        authenticator.origin = elsewhere.to_owned();
        let answer = authenticator.get(&asked(&at_another_name).await);
        comes(&at_another_name, &answer).await.problem(401, "wrong_passkey");
    }
    let without = TestBridge::start_with(|files| {
        with_partners(files);
        let service = files.get_mut("ticketbridge.toml").expect("the service");
        *service = service.replace("\"http://127.0.0.1:8080\"", "\"https://203.0.113.9\"");
    })
    .await;
    let ask = Ask::new(Method::POST, "/ops/v1/session/passkey/options").json(&json!({}));
    without.ask(ask).await.problem(409, "passkeys_off");
    let body = json!({ "email": "nobody@x.example", "password": PASSWORD });
    without.ask(Ask::new(Method::POST, "/ops/v1/session").json(&body)).await.problem(401, "unauthenticated");
}
