// SPDX-License-Identifier: Apache-2.0

//! An authenticator of software, and the browser before it: it does what it is asked, and, where a test wants that, what it must not.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_cbor_2::Value as Cbor;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The page of the bridge of a test.
pub(crate) const ORIGIN: &str = "http://localhost:8080";

const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const ATTESTED: u8 = 0x40;

/// An authenticator with one passkey.
#[derive(Clone)]
pub(crate) struct Authenticator {
    /// Its key.
    pub(crate) key: SigningKey,
    /// By what it knows the passkey.
    pub(crate) credential_id: Vec<u8>,
    /// Whom the passkey is of: what the service has called him.
    pub(crate) user_handle: Vec<u8>,
    /// How often it was used, as it says; one that always says 0 does not count.
    pub(crate) counter: u32,
    /// Whether its owner proves himself to it.
    pub(crate) verifies: bool,
    /// For which service it signs; the one that asks when not set.
    pub(crate) service: Option<String>,
    /// On which page it is used.
    pub(crate) origin: String,
}

impl Authenticator {
    /// The authenticator of a number.
    pub(crate) fn new(number: u8) -> Self {
        Self {
            key: SigningKey::from_slice(&[number; 32]).expect("a key"),
            credential_id: vec![number; 24],
            user_handle: Vec::new(),
            counter: 0,
            verifies: true,
            service: None,
            origin: ORIGIN.to_owned(),
        }
    }

    fn client_data(&self, kind: &str, asked: &Value) -> Vec<u8> {
        let said =
            json!({ "type": kind, "challenge": asked["challenge"], "origin": self.origin, "crossOrigin": false });
        said.to_string().into_bytes()
    }

    fn data(&self, service: &str, more: u8, rest: &[u8]) -> Vec<u8> {
        let flags = PRESENT | more | if self.verifies { VERIFIED } else { 0 };
        let service = self.service.as_deref().unwrap_or(service);
        let mut data = Sha256::digest(service.as_bytes()).to_vec();
        data.push(flags);
        data.extend(self.counter.to_be_bytes());
        data.extend(rest);
        data
    }

    /// The public key as COSE has it: of P-256, for ES256.
    fn public_key(&self) -> Vec<u8> {
        let point = self.key.verifying_key().to_sec1_point(false);
        let part = |part: Option<&p256::FieldBytes>| Cbor::Bytes(part.expect("a point").to_vec());
        let fields = [
            (1, Cbor::Integer(2)),
            (3, Cbor::Integer(-7)),
            (-1, Cbor::Integer(1)),
            (-2, part(point.x())),
            (-3, part(point.y())),
        ];
        cbor(fields.map(|(key, value)| (Cbor::Integer(key), value)))
    }

    /// What it answers when it is asked for a new passkey.
    pub(crate) fn create(&mut self, options: &Value) -> Value {
        let asked = &options["publicKey"];
        self.user_handle = decode(&asked["user"]["id"]);
        let length = u16::try_from(self.credential_id.len()).expect("short");
        let credential = [&[0_u8; 16][..], &length.to_be_bytes(), &self.credential_id, &self.public_key()].concat();
        let data = self.data(asked["rp"]["id"].as_str().expect("a service"), ATTESTED, &credential);
        let text = |text: &str| Cbor::Text(text.to_owned());
        let object = cbor([
            (text("fmt"), text("none")),
            (text("attStmt"), Cbor::Map(BTreeMap::new())),
            (text("authData"), Cbor::Bytes(data)),
        ]);
        json!({
            "id": encode(&self.credential_id),
            "rawId": encode(&self.credential_id),
            "type": "public-key",
            "response": {
                "clientDataJSON": encode(&self.client_data("webauthn.create", asked)),
                "attestationObject": encode(&object),
                "transports": ["internal", "hybrid"],
            },
        })
    }

    /// What it answers when it is asked to prove its passkey: one more use.
    pub(crate) fn get(&mut self, options: &Value) -> Value {
        self.counter += 1;
        self.say(options)
    }

    /// The same without counting.
    pub(crate) fn say(&self, options: &Value) -> Value {
        let asked = &options["publicKey"];
        let client_data = self.client_data("webauthn.get", asked);
        let data = self.data(asked["rpId"].as_str().expect("a service"), 0, &[]);
        let signed = [data.as_slice(), &Sha256::digest(&client_data)].concat();
        let signature: Signature = self.key.sign(&signed);
        json!({
            "id": encode(&self.credential_id),
            "rawId": encode(&self.credential_id),
            "type": "public-key",
            "response": {
                "clientDataJSON": encode(&client_data),
                "authenticatorData": encode(&data),
                "signature": encode(signature.to_der().as_bytes()),
                "userHandle": encode(&self.user_handle),
            },
        })
    }
}

fn cbor<const N: usize>(fields: [(Cbor, Cbor); N]) -> Vec<u8> {
    serde_cbor_2::to_vec(&Cbor::Map(fields.into_iter().collect())).expect("a map")
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(text: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text.as_str().expect("text")).expect("base64url")
}
