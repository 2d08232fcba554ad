// SPDX-License-Identifier: Apache-2.0

//! Signing in with a provider of OpenID Connect, which is simulated: it signs what it says with a key of its own.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{Method, header};
use openidconnect::core::{
    CoreEdDsaPrivateSigningKey, CoreIdToken, CoreIdTokenClaims, CoreJsonWebKeySet, CoreJwsSigningAlgorithm,
};
use openidconnect::{
    Audience, EmptyAdditionalClaims, EndUserEmail, IssuerUrl, JsonWebKeyId, Nonce, PrivateSigningKey as _,
    StandardClaims, SubjectIdentifier,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use ticketbridge::accounts::people::By;
use ticketbridge::accounts::scope::Scope;
use ticketbridge::config::Role;
use ticketbridge_core::Millis;

use crate::support::partners::Outcome;
use crate::support::people::{PARTNERS, PASSWORD, Person, scope};
use crate::support::{Ask, Reply, TestBridge};

const ISSUER: &str = "https://id.example";
const CLIENT: &str = "ticketbridge-at-id";

async fn bridge() -> TestBridge {
    bridge_with(&format!(
        "\n[[console.oidc]]\nid = \"id\"\nname = \"Example ID\"\nissuer = \"{ISSUER}\"\nclient_id = \"{CLIENT}\"\nclient_secret = \"a-secret-for-tests\"\n"
    ))
    .await
}

async fn bridge_with(providers: &str) -> TestBridge {
    TestBridge::start_with(|files: &mut BTreeMap<String, String>| {
        files.insert("partners/all.toml".to_owned(), PARTNERS.to_owned());
        let channel = files.get_mut("channels/douyin-main.toml").expect("the channel");
        *channel = channel.replace("adapter = \"douyin\"", "adapter = \"douyin\"\nsettle_id = \"park-1\"");
        let service = files.get_mut("ticketbridge.toml").expect("the file of the service");
        service.push_str(providers);
    })
    .await
}

/// The provider's key.
fn key(seed: u8) -> CoreEdDsaPrivateSigningKey {
    let mut der = hex::decode("302e020100300506032b657004220420").expect("hex");
    der.extend_from_slice(&[seed; 32]);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der));
    CoreEdDsaPrivateSigningKey::from_ed25519_pem(&pem, Some(JsonWebKeyId::new("key-1".to_owned()))).expect("a key")
}

/// What the provider says of itself, to the next who asks.
fn described(bridge: &TestBridge) {
    let of_itself = json!({
        "issuer": ISSUER,
        "authorization_endpoint": format!("{ISSUER}/authorize"),
        "token_endpoint": format!("{ISSUER}/token"),
        "jwks_uri": format!("{ISSUER}/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA"],
    });
    let keys = CoreJsonWebKeySet::new(vec![key(7).as_verification_key()]);
    bridge.partners.next("id.example/.well-known/openid-configuration", Outcome::Says(200, of_itself));
    bridge.partners.next("id.example/keys", Outcome::Says(200, serde_json::to_value(keys).expect("JSON")));
}

/// What the provider says in an id token.
#[derive(Clone)]
struct Says {
    subject: &'static str,
    email: Option<(&'static str, bool)>,
    audience: &'static str,
    issuer: &'static str,
    seed: u8,
    nonce: Option<&'static str>,
    lives: i64,
}

const SAYS: Says = Says {
    subject: "4711",
    email: Some(("kim@north.example", true)),
    audience: CLIENT,
    issuer: ISSUER,
    seed: 7,
    nonce: None,
    lives: 300,
};

fn token(bridge: &TestBridge, says: &Says, nonce: &str) -> Value {
    let now = DateTime::<Utc>::from_timestamp_millis(bridge.now().0).expect("a time");
    let standard = StandardClaims::new(SubjectIdentifier::new(says.subject.to_owned()))
        .set_email(says.email.map(|(email, _)| EndUserEmail::new(email.to_owned())))
        .set_email_verified(says.email.map(|(_, verified)| verified));
    let claims = CoreIdTokenClaims::new(
        IssuerUrl::new(says.issuer.to_owned()).expect("an issuer"),
        vec![Audience::new(says.audience.to_owned())],
        now + TimeDelta::seconds(says.lives),
        now,
        standard,
        EmptyAdditionalClaims {},
    )
    .set_nonce(Some(Nonce::new(says.nonce.unwrap_or(nonce).to_owned())));
    let signed =
        CoreIdToken::new(claims, &key(says.seed), CoreJwsSigningAlgorithm::EdDsa, None, None).expect("a token");
    json!({ "access_token": "at-1", "token_type": "Bearer", "expires_in": 300, "id_token": signed.to_string() })
}

/// The same claims under another algorithm: without a signature, or signed with a secret that both sides know.
fn forged(token: &str, algorithm: &str, secret: Option<&str>) -> String {
    let claims = token.split('.').nth(1).expect("claims");
    let head = URL_SAFE_NO_PAD.encode(json!({ "alg": algorithm, "typ": "JWT" }).to_string());
    let signed = format!("{head}.{claims}");
    let signature = secret.map(|secret| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key will do");
        mac.update(signed.as_bytes());
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    });
    format!("{signed}.{}", signature.unwrap_or_default())
}

fn cookie(reply: &Reply, name: &str) -> String {
    let all = reply.headers.get_all(header::SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    let found = all.filter_map(|line| line.split(';').next()).find(|pair| pair.starts_with(name));
    found.unwrap_or_else(|| panic!("no cookie {name}: {:?}", reply.headers)).to_owned()
}

fn in_query(address: &str, name: &str) -> String {
    let url = url::Url::parse(address).expect("an address");
    url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// Goes to the provider; its address there, and the cookie meanwhile.
async fn goes(bridge: &TestBridge, query: &str) -> (String, String) {
    described(bridge);
    let reply = bridge.ask(Ask::new(Method::GET, format!("/console/with/id{query}"))).await.expect(303);
    let to = reply.headers[header::LOCATION].to_str().expect("text").to_owned();
    (to, cookie(&reply, "ticketbridge_provider"))
}

/// Comes back from there with what the provider says.
async fn comes_back(bridge: &TestBridge, to: &str, cookie: &str, says: &Says) -> Reply {
    described(bridge);
    let answer = token(bridge, says, &in_query(to, "nonce"));
    bridge.partners.next("id.example/token", Outcome::Says(200, answer));
    let path = format!("/console/with/id/back?code=c-1&state={}", in_query(to, "state"));
    bridge.ask(Ask::new(Method::GET, path).header("cookie", cookie)).await
}

async fn fills_in(bridge: &TestBridge, cookie: &str, fields: &str) -> Reply {
    let ask = Ask::new(Method::POST, "/console/with/id")
        .header("cookie", cookie)
        .header("sec-fetch-site", "same-origin")
        .header("content-type", "application/x-www-form-urlencoded");
    bridge.ask(ask.body(fields)).await
}

#[tokio::test]
async fn somebody_signs_up_with_a_provider_is_approved_and_signs_in_with_it_and_with_nothing_else() {
    let bridge = bridge().await;
    assert!(bridge.ask(Ask::new(Method::GET, "/console/sign-in")).await.expect(200).text().contains("Example ID"));
    let (to, begun) = goes(&bridge, "").await;
    assert!(to.starts_with("https://id.example/authorize?"), "{to}");
    assert_eq!(in_query(&to, "code_challenge_method"), "S256");
    assert_eq!(in_query(&to, "redirect_uri"), "http://127.0.0.1:8080/console/with/id/back");
    let page = comes_back(&bridge, &to, &begun, &SAYS).await.expect(200);
    let proven = cookie(&page, "ticketbridge_provider");
    assert!(page.text().contains("kim@north.example"), "{}", page.text());
    let sent = bridge.partners.sent("id.example/token");
    assert_eq!(sent.len(), 1, "the code is exchanged once");
    // Whoever has caught the code cannot exchange it: that wants what only this beginning knows.
    let form = format!("?{}", sent[0].body.as_str().expect("a form"));
    let verifier = in_query(&format!("{ISSUER}/{form}"), "code_verifier");
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
    assert_eq!((in_query(&to, "code_challenge"), verifier.len() >= 43), (challenge, true));
    assert_eq!(in_query(&format!("{ISSUER}/{form}"), "code"), "c-1");
    let fields = "name=Kim&agency_code=T-1001&mobile=010-1111-2222&direct=02-111-2222";
    fills_in(&bridge, &proven, fields).await.expect(200);
    let mut boss = Person::joins(&bridge, "boss@north.example", Role::Admin, Scope::Agency("north".into())).await;
    boss.passes_factor(&bridge).await;
    let waiting = boss.get(&bridge, "accounts?state=pending_approval").await.expect(200).json()["items"][0].clone();
    assert_eq!((&waiting["email"], &waiting["sign_in"]), (&json!("kim@north.example"), &json!("id")));
    let id = waiting["id"].as_str().expect("an id").to_owned();
    let grant = json!({ "role": "operator", "scope": scope("agency", "north") });
    boss.post(&bridge, &format!("accounts/{id}/approve"), &grant).await.expect(200);
    // From now on he signs in with it.
    let (to, begun) = goes(&bridge, "?back=/console/orders").await;
    let reply = comes_back(&bridge, &to, &begun, &SAYS).await.expect(303);
    assert_eq!(reply.headers[header::LOCATION], "/console/orders");
    let kim = Person { cookie: cookie(&reply, "ticketbridge_session"), ..Person::default() };
    assert_eq!(kim.get(&bridge, "session").await.expect(200).json()["sign_in"], "id");
    // A password is none of his ways: the usual answer, and no link for one.
    let body = json!({ "email": "kim@north.example", "password": PASSWORD });
    bridge.ask(Ask::new(Method::POST, "/ops/v1/session").json(&body)).await.problem(401, "unauthenticated");
    boss.passes_factor(&bridge).await;
    boss.post(&bridge, &format!("accounts/{id}/reset-password"), &json!({})).await.problem(409, "no_password");
}

#[tokio::test]
async fn who_signs_in_with_a_password_is_told_so_when_his_address_is_proven_and_never_otherwise() {
    let bridge = bridge().await;
    Person::invited(&bridge, "kim@north.example", Role::Viewer, Scope::Agency("north".into())).await;
    let (to, begun) = goes(&bridge, "").await;
    let told = comes_back(&bridge, &to, &begun, &SAYS).await.expect(409).text();
    assert!(told.contains("provider_mismatch"), "{told}");
    // An address that the provider has not made sure of proves nothing, and nobody signs up with it.
    for address in ["kim@north.example", "nobody@north.example"] {
        let (to, begun) = goes(&bridge, "").await;
        let says = Says { email: Some((address, false)), ..SAYS };
        let page = comes_back(&bridge, &to, &begun, &says).await.expect(409).text();
        assert!(page.contains("email_not_verified") && !page.contains("provider_mismatch"), "{page}");
    }
}

#[tokio::test]
async fn nobody_is_led_elsewhere() {
    let bridge = bridge().await;
    somebody(&bridge, &SAYS).await;
    for elsewhere in
        ["https://evil.example/", "//evil.example", "/console/..//evil.example", "/\\evil.example", "/ops/v1/orders"]
    {
        let (to, begun) = goes(&bridge, &format!("?back={}", percent(elsewhere))).await;
        let reply = comes_back(&bridge, &to, &begun, &SAYS).await.expect(303);
        assert_eq!(reply.headers[header::LOCATION], "/console", "{elsewhere}");
    }
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_said_to_be_away_and_the_others_sign_in() {
    let bridge = bridge().await;
    for how in [Outcome::NotSent, Outcome::Interrupted, Outcome::Says(503, json!({}))] {
        bridge.partners.next("id.example/.well-known/openid-configuration", how.clone());
        let page = bridge.ask(Ask::new(Method::GET, "/console/with/id")).await.expect(503).text();
        assert!(page.contains("provider_unreachable") && page.contains("/console"), "{how:?}: {page}");
    }
    // On the way back, too; what it says is no description, or of somebody else, is not believed.
    let (to, begun) = goes(&bridge, "").await;
    described(&bridge);
    bridge.partners.next("id.example/token", Outcome::NotSent);
    let path = format!("/console/with/id/back?code=c-1&state={}", in_query(&to, "state"));
    let page = bridge.ask(Ask::new(Method::GET, path).header("cookie", &begun)).await.expect(503).text();
    assert!(page.contains("provider_unreachable"), "{page}");
    for how in [Outcome::Garbage(200), Outcome::Says(200, json!({ "access_token": "at-1", "token_type": "Bearer" }))] {
        // Later, when what it has said of itself is asked for anew.
        bridge.advance(Millis::minutes(6));
        let (to, begun) = goes(&bridge, "").await;
        described(&bridge);
        bridge.partners.next("id.example/token", how.clone());
        let path = format!("/console/with/id/back?code=c-1&state={}", in_query(&to, "state"));
        let page = bridge.ask(Ask::new(Method::GET, path).header("cookie", &begun)).await.expect(409).text();
        assert!(page.contains("provider_failed"), "{how:?}: {page}");
    }
    bridge.advance(Millis::minutes(6));
    let other = json!({ "issuer": "https://evil.example" });
    for how in [Outcome::Garbage(200), Outcome::Says(200, other), Outcome::Says(404, json!({}))] {
        bridge.partners.next("id.example/.well-known/openid-configuration", how.clone());
        let page = bridge.ask(Ask::new(Method::GET, "/console/with/id")).await.expect(409).text();
        assert!(page.contains("provider_failed"), "{how:?}: {page}");
    }
    let mut boss = Person::joins(&bridge, "boss@north.example", Role::Admin, Scope::Agency("north".into())).await;
    boss.passes_factor(&bridge).await;
}

#[tokio::test]
async fn a_way_back_leads_in_once_and_what_a_stranger_has_put_into_the_browser_is_no_session() {
    let bridge = bridge().await;
    somebody(&bridge, &SAYS).await;
    let planted = format!("ticketbridge_session={}", "ab".repeat(32));
    let (to, begun) = goes(&bridge, "").await;
    let reply = comes_back(&bridge, &to, &format!("{begun}; {planted}"), &SAYS).await.expect(303);
    let own = cookie(&reply, "ticketbridge_session");
    assert_ne!(own, planted);
    Person { cookie: own, ..Person::default() }.get(&bridge, "session").await.expect(200);
    Person { cookie: planted, ..Person::default() }.get(&bridge, "session").await.expect(401);
    // The same address once more, in the same browser, at a provider that takes each code as often as it comes.
    let asked = || bridge.partners.sent("id.example/token").len();
    let before = asked();
    let told = comes_back(&bridge, &to, &begun, &SAYS).await.expect(409);
    assert!(told.text().contains("provider_failed"), "{}", told.text());
    assert!(!told.headers.contains_key(header::SET_COOKIE), "{:?}", told.headers);
    // Who has said no there comes back without a code.
    let (to, begun) = goes(&bridge, "").await;
    let path = format!("/console/with/id/back?error=access_denied&state={}", in_query(&to, "state"));
    let told = bridge.ask(Ask::new(Method::GET, path).header("cookie", &begun)).await.expect(409).text();
    assert!(told.contains("provider_failed"), "{told}");
    assert_eq!(asked(), before, "the provider is not even asked");
}

#[tokio::test]
async fn who_asks_to_be_led_to_a_provider_again_and_again_does_not_make_us_ask_it_as_often() {
    let bridge = bridge().await;
    let asked = || bridge.partners.sent("id.example/.well-known/openid-configuration").len();
    for _ in 0..5 {
        let (to, begun) = goes(&bridge, "").await;
        assert!(to.starts_with("https://id.example/authorize?") && !begun.ends_with('='), "{to}, {begun}");
    }
    assert_eq!(asked(), 1);
    bridge.advance(Millis::minutes(5));
    goes(&bridge, "").await;
    assert_eq!(asked(), 2, "a provider may change");
}

#[tokio::test]
async fn one_proof_makes_one_account() {
    let bridge = bridge().await;
    let accounts = &bridge.bridge.shared().accounts;
    let scope = Scope::Agency("north".into());
    let first = accounts.invite(&By::Host, "new@north.example", Role::Operator, &scope).await.expect("an invitation");
    let second = accounts.invite(&By::Host, "two@north.example", Role::Operator, &scope).await.expect("an invitation");
    let (to, begun) = goes(&bridge, &format!("?invitation={}", first.token)).await;
    let proven = cookie(&comes_back(&bridge, &to, &begun, &SAYS).await.expect(200), "ticketbridge_provider");
    let fields = |token: &str| format!("name=New&invitation={token}&mobile=010-1111-2222&direct=02-111-2222");
    fills_in(&bridge, &proven, &fields(&first.token)).await.expect(303);
    let told = fills_in(&bridge, &proven, &fields(&second.token)).await.expect(409).text();
    assert!(told.contains("there is an account of yours"), "{told}");
    // Nor does the proof of one provider count for another, or the form of somebody who is not proven.
    bridge.advance(Millis::minutes(16));
    fills_in(&bridge, &proven, &fields(&second.token)).await.expect(409);
}

/// The provider as the documentation has it: its configuration, and what it says of itself.
struct Documented {
    id: String,
    client: &'static str,
    issuer: &'static str,
    of_itself: Value,
}

impl Documented {
    /// All of them, and the part of the configuration that names them.
    fn all() -> (String, Vec<Documented>) {
        let page = include_str!("../../docs/src/operating/people.md");
        let blocks = |kind: &str| -> Vec<&str> {
            let begins = format!("```{kind}\n");
            page.split(&begins).skip(1).filter_map(|rest| rest.split("```").next()).collect()
        };
        let config = blocks("toml").into_iter().find(|block| block.contains("console.oidc")).expect("a configuration");
        let read: toml::Table = config.parse().expect("TOML");
        let text = |provider: &toml::Value, key: &str| provider[key].as_str().expect("text").to_owned();
        let documents: Vec<Value> =
            blocks("json").iter().map(|block| serde_json::from_str(block).expect("JSON")).collect();
        let one = |provider: &toml::Value| {
            let issuer: &'static str = text(provider, "issuer").leak();
            let of_itself = documents.iter().find(|it| it["issuer"] == issuer).expect("its document").clone();
            Documented { id: text(provider, "id"), client: text(provider, "client_id").leak(), issuer, of_itself }
        };
        let all = read["console"]["oidc"].as_array().expect("providers").iter().map(one).collect();
        let secrets = ["GOOGLE_CLIENT_SECRET", "KAKAO_LOGIN_SECRET"];
        let in_clear = |text: String, name: &&str| text.replace(&format!("{{ env = \"{name}\" }}"), "\"s3cret\"");
        (secrets.iter().fold(config.to_owned(), in_clear), all)
    }

    fn endpoint(&self, name: &str) -> &str {
        self.of_itself[name].as_str().and_then(|url| url.strip_prefix("https://")).expect("an address")
    }

    fn describes_itself(&self, bridge: &TestBridge) {
        let keys = CoreJsonWebKeySet::new(vec![key(7).as_verification_key()]);
        let keys = serde_json::to_value(keys).expect("JSON");
        let document = format!("{}/.well-known/openid-configuration", self.issuer.trim_start_matches("https://"));
        bridge.partners.next(&document, Outcome::Says(200, self.of_itself.clone()));
        bridge.partners.next(self.endpoint("jwks_uri"), Outcome::Says(200, keys));
    }
}

#[tokio::test]
async fn the_documents_of_google_and_kakao_lead_there_and_each_is_told_who_we_are_in_its_own_way() {
    let (config, all) = Documented::all();
    let bridge = bridge_with(&config).await;
    assert_eq!(all.len(), 2);
    for provider in &all {
        provider.describes_itself(&bridge);
        let path = format!("/console/with/{}", provider.id);
        let reply = bridge.ask(Ask::new(Method::GET, &path)).await.expect(303);
        let to = reply.headers[header::LOCATION].to_str().expect("text").to_owned();
        assert!(to.starts_with(&format!("https://{}?", provider.endpoint("authorization_endpoint"))), "{to}");
        let scope = in_query(&to, "scope");
        assert_eq!(scope, if provider.id == "kakao" { "openid account_email" } else { "openid email profile" });
        let begun = cookie(&reply, "ticketbridge_provider");
        provider.describes_itself(&bridge);
        let says = Says { issuer: provider.issuer, audience: provider.client, ..SAYS };
        let answer = token(&bridge, &says, &in_query(&to, "nonce"));
        bridge.partners.next(provider.endpoint("token_endpoint"), Outcome::Says(200, answer));
        let back = format!("{path}/back?code=c-1&state={}", in_query(&to, "state"));
        bridge.ask(Ask::new(Method::GET, back).header("cookie", &begun)).await.expect(200);
        let sent = bridge.partners.sent(provider.endpoint("token_endpoint"));
        let in_form = sent[0].body.as_str().expect("a form").contains("client_secret=s3cret");
        let in_header = sent[0].headers.contains_key(header::AUTHORIZATION);
        assert_eq!((in_form, in_header), (provider.id == "kakao", provider.id == "google"), "{}", provider.id);
    }
}

/// Somebody accepts an invitation as whom the provider has proven.
async fn somebody(bridge: &TestBridge, says: &Says) {
    let scope = Scope::Agency("north".into());
    let accounts = &bridge.bridge.shared().accounts;
    let invited = accounts.invite(&By::Host, "new@north.example", Role::Operator, &scope).await.expect("an invitation");
    let (to, begun) = goes(bridge, &format!("?invitation={}", invited.token)).await;
    let proven = cookie(&comes_back(bridge, &to, &begun, says).await.expect(200), "ticketbridge_provider");
    let fields = format!("name=New&invitation={}&mobile=010-1111-2222&direct=02-111-2222", invited.token);
    fills_in(bridge, &proven, &fields).await.expect(303);
}

fn percent(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[tokio::test]
async fn an_invitation_is_accepted_with_a_provider() {
    let bridge = bridge().await;
    let accounts = &bridge.bridge.shared().accounts;
    let scope = Scope::Agency("north".into());
    let invited = accounts.invite(&By::Host, "new@north.example", Role::Operator, &scope).await.expect("an invitation");
    let (to, begun) = goes(&bridge, &format!("?invitation={}", invited.token)).await;
    let says = Says { email: None, ..SAYS };
    let page = comes_back(&bridge, &to, &begun, &says).await.expect(200);
    let proven = cookie(&page, "ticketbridge_provider");
    let fields = format!("name=New&invitation={}&mobile=010-1111-2222&direct=02-111-2222", invited.token);
    let reply = fills_in(&bridge, &proven, &fields).await.expect(303);
    let new = Person { cookie: cookie(&reply, "ticketbridge_session"), ..Person::default() };
    let session = new.get(&bridge, "session").await.expect(200).json();
    assert_eq!((&session["email"], &session["sign_in"]), (&json!("new@north.example"), &json!("id")));
}

#[tokio::test]
async fn what_is_not_proven_opens_nothing() {
    let bridge = bridge().await;
    for (says, what) in [
        (Says { seed: 9, ..SAYS }, "another key"),
        (Says { audience: "somebody-else", ..SAYS }, "another audience"),
        (Says { issuer: "https://evil.example", ..SAYS }, "another issuer"),
        (Says { nonce: Some("of another beginning"), ..SAYS }, "another nonce"),
        (Says { lives: -600, ..SAYS }, "a token that is over"),
    ] {
        let (to, begun) = goes(&bridge, "").await;
        let told = comes_back(&bridge, &to, &begun, &says).await.expect(409).text();
        assert!(told.contains("provider_failed") && !told.contains("id=\"sign-up\""), "{what}: {told}");
        bridge.advance(Millis::minutes(1));
    }
    // Nor does what nobody has signed, or whoever knows our own secret.
    for (algorithm, secret) in [("none", None), ("HS256", Some("a-secret-for-tests"))] {
        let (to, begun) = goes(&bridge, "").await;
        described(&bridge);
        let good = token(&bridge, &SAYS, &in_query(&to, "nonce"));
        let forged = forged(good["id_token"].as_str().expect("a token"), algorithm, secret);
        let answer = json!({ "access_token": "at-1", "token_type": "Bearer", "id_token": forged });
        bridge.partners.next("id.example/token", Outcome::Says(200, answer));
        let path = format!("/console/with/id/back?code=c-1&state={}", in_query(&to, "state"));
        let told = bridge.ask(Ask::new(Method::GET, path).header("cookie", &begun)).await.expect(409).text();
        assert!(told.contains("provider_failed"), "{algorithm}: {told}");
        bridge.advance(Millis::minutes(1));
    }
    // The state of another browser, none at all, and one that has become old.
    let (to, begun) = goes(&bridge, "").await;
    let (_, other) = goes(&bridge, "").await;
    for cookie in [other.as_str(), "ticketbridge_provider=", "ticketbridge_provider=Zm9v"] {
        let path = format!("/console/with/id/back?code=c-1&state={}", in_query(&to, "state"));
        let told = bridge.ask(Ask::new(Method::GET, path).header("cookie", cookie)).await.expect(409).text();
        assert!(told.contains("provider_failed"), "{cookie}: {told}");
        bridge.advance(Millis::minutes(5));
    }
    bridge.advance(Millis::minutes(15));
    let path = format!("/console/with/id/back?code=c-1&state={}", in_query(&to, "state"));
    bridge.ask(Ask::new(Method::GET, path).header("cookie", &begun)).await.expect(409);
    // What nobody has proven signs nobody up.
    fills_in(&bridge, &begun, "name=Kim&agency_code=T-1001&mobile=010-1111-2222&direct=02-111-2222").await.expect(409);
    bridge.ask(Ask::new(Method::GET, "/console/with/nobody")).await.expect(404);
}
