// SPDX-License-Identifier: Apache-2.0

//! Somebody who signs in as a person would: by an invitation, a password, and an authenticator.

use http::{Method, header};
use serde_json::{Value, json};
use ticketbridge::accounts::factor;
use ticketbridge::accounts::people::By;
use ticketbridge::accounts::scope::Scope;
use ticketbridge::config::Role;
use ticketbridge_core::Millis;

use super::{Ask, Reply, TestBridge};

/// Everybody's password.
pub(crate) const PASSWORD: &str = "a long enough secret";

/// `partners/` with two dealers' worth of agencies: `park` (desks `north` and `south`) under `acme`, and `zoo` (desk `shop`) by itself.
pub(crate) const PARTNERS: &str = r#"
[[dealer]]
id = "acme"
name = "Acme Travel"
[[institution]]
id = "park"
registration_number = "123-45-67890"
contract = "indirect"
dealer = "acme"
[[institution]]
id = "zoo"
registration_number = "999-45-67890"
contract = "direct"
[[agency]]
id = "north"
institution = "park"
code = "T-1001"
sender_name = "North Desk"
[[agency]]
id = "south"
institution = "park"
code = "T-1002"
sender_name = "South Desk"
[[agency]]
id = "shop"
institution = "zoo"
code = "T-2001"
sender_name = "Zoo Shop"
[[settle_unit]]
id = "park-1"
institution = "park"
[[settle_unit]]
id = "zoo-1"
institution = "zoo"
"#;

/// A person with a browser.
#[derive(Clone, Debug, Default)]
pub(crate) struct Person {
    pub(crate) cookie: String,
    pub(crate) secret: Vec<u8>,
    pub(crate) recovery_codes: Vec<String>,
}

/// The secret that an authenticator was given in base 32.
pub(crate) fn from_base32(text: &str) -> Vec<u8> {
    const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let (mut bytes, mut bits, mut many) = (Vec::new(), 0_u64, 0);
    for letter in text.chars() {
        bits = (bits << 5) | LETTERS.find(letter).expect("base 32") as u64;
        many += 5;
        if many >= 8 {
            many -= 8;
            bytes.push((bits >> many) as u8);
        }
    }
    bytes
}

/// The cookie that an answer sets.
pub(crate) fn cookie_of(reply: &Reply) -> String {
    let set = reply.headers.get(header::SET_COOKIE).and_then(|value| value.to_str().ok()).expect("a cookie");
    set.split(';').next().expect("a pair").to_owned()
}

impl Person {
    /// Invited from the host, accepts, and enrols an authenticator: his session has just passed it.
    pub(crate) async fn joins(bridge: &TestBridge, email: &str, role: Role, scope: Scope) -> Self {
        let mut person = Self::invited(bridge, email, role, scope).await;
        person.enrol(bridge).await;
        person
    }

    /// The same without a second factor.
    pub(crate) async fn invited(bridge: &TestBridge, email: &str, role: Role, scope: Scope) -> Self {
        let accounts = &bridge.bridge.shared().accounts;
        let invited = accounts.invite(&By::Host, email, role, &scope).await.expect("an invitation");
        let body = json!({ "name": email.split('@').next(), "mobile": "010-1234-5678", "direct": "02-123-4567", "password": PASSWORD });
        let path = format!("/ops/v1/invitations/{}/accept", invited.token);
        let reply = bridge.ask(Ask::new(Method::POST, path).json(&body)).await.expect(200);
        // Everybody of these tests comes from one address, and is not slowed for that.
        bridge.advance(Millis::minutes(16));
        let reply = Person { cookie: cookie_of(&reply), ..Person::default() };
        assert_eq!(reply.get(bridge, "session").await.expect(200).json()["email"], email);
        reply
    }

    /// Signs in anew.
    pub(crate) async fn signs_in(bridge: &TestBridge, email: &str) -> Self {
        let body = json!({ "email": email, "password": PASSWORD });
        let reply = bridge.ask(Ask::new(Method::POST, "/ops/v1/session").json(&body)).await.expect(200);
        Person { cookie: cookie_of(&reply), ..Person::default() }
    }

    /// Enrols an authenticator.
    pub(crate) async fn enrol(&mut self, bridge: &TestBridge) {
        let begun = self.post(bridge, "account/totp", &json!({})).await.expect(200).json();
        self.secret = from_base32(begun["secret"].as_str().expect("a secret"));
        let reply = self.post(bridge, "account/totp/confirm", &json!({ "code": self.code(bridge) })).await.expect(200);
        self.cookie = cookie_of(&reply);
        let codes = reply.json()["recovery_codes"].as_array().expect("codes").clone();
        self.recovery_codes = codes.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    }

    /// Passes the second factor again, a step later.
    pub(crate) async fn passes_factor(&mut self, bridge: &TestBridge) {
        bridge.advance(Millis::minutes(1));
        let reply = self.post(bridge, "session/factor", &json!({ "code": self.code(bridge) })).await.expect(200);
        self.cookie = cookie_of(&reply);
    }

    /// What his authenticator shows now.
    pub(crate) fn code(&self, bridge: &TestBridge) -> String {
        factor::code_at(&self.secret, bridge.now()).expect("a code")
    }

    fn ask(&self, method: Method, path: &str) -> Ask {
        Ask::new(method, format!("/ops/v1/{path}"))
            .header("cookie", &self.cookie)
            .header("sec-fetch-site", "same-origin")
    }
    pub(crate) async fn get(&self, bridge: &TestBridge, path: &str) -> Reply {
        bridge.ask(self.ask(Method::GET, path)).await
    }
    pub(crate) async fn post(&self, bridge: &TestBridge, path: &str, body: &Value) -> Reply {
        bridge.ask(self.ask(Method::POST, path).json(body)).await
    }
    pub(crate) async fn post_with_key(&self, bridge: &TestBridge, path: &str, body: &Value, key: &str) -> Reply {
        bridge.ask(self.ask(Method::POST, path).json(body).key(key)).await
    }
    pub(crate) async fn delete(&self, bridge: &TestBridge, path: &str) -> Reply {
        bridge.ask(self.ask(Method::DELETE, path)).await
    }
}

/// A scope as a body has it.
pub(crate) fn scope(kind: &str, id: &str) -> Value {
    json!({ "kind": kind, "id": id })
}
