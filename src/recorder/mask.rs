// SPDX-License-Identifier: Apache-2.0

//! Stand-ins for guests: the same guest is the same stand-in throughout a file, and a stand-in passes every check that the guest passed:
//! a phone stays a phone of its kind, an identity number keeps its date of birth, its sex and a check digit that is right.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use ticketbridge_core::personal::DocumentType;
use ticketbridge_core::rules::documents;

/// Fields of partners' messages that hold a guest's data, whatever else they are called around it.
const PERSONAL: [&str; 32] = [
    "name",
    "phone",
    "phone_number",
    "phonenumber",
    "mobile",
    "tel",
    "telephone",
    "email",
    "emailaddress",
    "fullname",
    "full_name",
    "firstname",
    "first_name",
    "lastname",
    "last_name",
    "license_id",
    "license_no",
    "id_card",
    "document_number",
    "documentnumber",
    "certificate_no",
    "passport",
    "guest_name",
    "contact_name",
    "buyer_name",
    "booker_name",
    "user_name",
    "notes",
    "memo",
    "address",
    "postalcode",
    "birth",
];
/// Fields that hold keys.
const SECRET: [&str; 5] = ["client_secret", "secret", "access_token", "refresh_token", "password"];
/// What the stand-in of every one of them begins with: another one for another key, since a token that was refused is not used again.
const SECRET_STAND_IN: &str = "left-out";
/// What names are made of where they are written so.
const SYLLABLES: [char; 16] =
    ['安', '白', '常', '丁', '方', '高', '何', '江', '康', '林', '马', '宁', '秦', '石', '田', '文'];
/// Tries until a stand-in passes the check that the number itself passed.
const TRIES_MAX: u32 = 4_000;

/// Makes stand-ins.
pub struct Mask {
    key: [u8; 32],
    known: BTreeMap<String, String>,
}

impl Mask {
    /// Stand-ins of this key: of another key they are others.
    pub fn new(key: [u8; 32]) -> Self {
        Self { key, known: BTreeMap::new() }
    }

    fn bytes(&self, text: &str, round: u32) -> [u8; 32] {
        let digest = Sha256::new().chain_update(self.key).chain_update(round.to_be_bytes()).chain_update(text);
        digest.finalize().into()
    }

    /// The stand-in of a value.
    pub fn stand_in(&mut self, value: &str) -> String {
        if value.trim().is_empty() {
            return value.to_owned();
        }
        if let Some(known) = self.known.get(value) {
            return known.clone();
        }
        let made = self.make(value);
        self.known.insert(value.to_owned(), made.clone());
        // What has been masked is not masked again.
        self.known.insert(made.clone(), made.clone());
        made
    }

    /// Every value that has a stand-in, with it.
    pub fn guests(&self) -> impl Iterator<Item = (&str, &str)> {
        self.known.iter().filter(|(value, made)| value != made).map(|(value, made)| (value.as_str(), made.as_str()))
    }

    /// Keeps a value as it is, wherever it stands: it is nobody's, as the code of a ticket.
    pub fn keep(&mut self, value: &str) {
        self.known.entry(value.to_owned()).or_insert_with(|| value.to_owned());
    }

    /// Stand-ins for the texts of a value, where they have one.
    pub fn known_in(&self, value: &mut Value) {
        match value {
            Value::Object(fields) => fields.values_mut().for_each(|inner| self.known_in(inner)),
            Value::Array(items) => items.iter_mut().for_each(|inner| self.known_in(inner)),
            Value::String(text) => {
                if let Some(known) = self.met(text) {
                    *text = known;
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// The stand-in of a value that was met before, wherever it stands now.
    fn met(&self, value: &str) -> Option<String> {
        self.known.get(value).cloned()
    }

    fn make(&self, value: &str) -> String {
        let kinds: Vec<DocumentType> =
            DocumentType::ALL.into_iter().filter(|kind| documents::check(*kind, value).is_ok()).collect();
        let facts = documents::resident_facts(value);
        for round in 0..TRIES_MAX {
            let made = self.similar(value, round, facts.is_some());
            let fits = kinds.iter().all(|kind| documents::check(*kind, &made).is_ok());
            if fits && documents::resident_facts(&made) == facts {
                return made;
            }
        }
        self.similar(value, 0, false)
    }

    /// The same kinds of characters at the same places.
    fn similar(&self, value: &str, round: u32, keeps_birth: bool) -> String {
        let bytes = self.bytes(value, round);
        let length = value.chars().count();
        let of = |(index, c): (usize, char)| {
            let dice = bytes[index % bytes.len()].wrapping_add(u8::try_from(index / bytes.len()).unwrap_or(0));
            match c {
                // The kind of a phone is in its first digits; region, birth and sex of a card in all but a few.
                _ if keeps_birth && !(14..=15).contains(&index) && index != 17 => c,
                '0'..='9' if length >= 10 && index < 3 => c,
                'X' if index + 1 == length && length == 18 => {
                    "0123456789X".chars().nth(usize::from(dice) % 11).unwrap_or(c)
                }
                '0'..='9' if keeps_birth && index == 17 => {
                    "0123456789X".chars().nth(usize::from(dice) % 11).unwrap_or(c)
                }
                '0'..='9' => char::from(b'0' + dice % 10),
                // The first letter of a permit says which one it is.
                'A'..='Z' if index == 0 => c,
                'A'..='Z' => char::from(b'A' + dice % 26),
                'a'..='z' => char::from(b'a' + dice % 26),
                c if c.is_alphabetic() => SYLLABLES[usize::from(dice) % SYLLABLES.len()],
                c => c,
            }
        };
        value.chars().enumerate().map(of).collect()
    }

    /// A body with stand-ins. `opened` is the clear text of a value that its sender encrypted: the stand-in of that takes its place, since
    /// whoever reads it takes plain text as well.
    pub fn body(&mut self, body: &str, opened: &dyn Fn(&str) -> Option<String>) -> String {
        match serde_json::from_str::<Value>(body) {
            Ok(mut value) => {
                self.value(&mut value, None, opened);
                value.to_string()
            }
            Err(_) => body.to_owned(),
        }
    }

    fn value(&mut self, value: &mut Value, key: Option<&str>, opened: &dyn Fn(&str) -> Option<String>) {
        match value {
            Value::Object(fields) => {
                for (key, inner) in fields.iter_mut() {
                    self.value(inner, Some(key), opened);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|inner| self.value(inner, key, opened)),
            Value::String(text) => {
                if key.is_some_and(is_secret) {
                    *text = format!("{SECRET_STAND_IN}-{}", hex::encode(&self.bytes(text, 0)[..8]));
                } else if let Some(clear) = opened(text) {
                    *text = self.stand_in(&clear);
                } else if key.is_some_and(is_personal) {
                    *text = self.stand_in(text);
                } else if let Some(known) = self.met(text) {
                    *text = known;
                } else if text.starts_with('{')
                    && let Ok(mut inner) = serde_json::from_str::<Value>(text)
                {
                    // JSON inside of JSON, as some partners write it.
                    self.value(&mut inner, None, opened);
                    *text = inner.to_string();
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// Whether a field of this name holds a key of ours or of a partner's.
pub fn is_secret(key: &str) -> bool {
    SECRET.contains(&key)
}

/// Whether a field of this name holds a guest's data.
pub fn is_personal(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    PERSONAL.contains(&key.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask() -> Mask {
        Mask::new([7; 32])
    }

    #[test]
    fn the_same_guest_has_the_same_stand_in_everywhere() {
        let mut mask = mask();
        let (name, phone) = (mask.stand_in("王小明"), mask.stand_in("13800001234"));
        assert_ne!((name.as_str(), phone.as_str()), ("王小明", "13800001234"));
        assert_eq!((name.chars().count(), &phone[..3]), (3, "138"));
        let body = mask.body(r#"{"contact":{"name":"王小明","phone":"cipher"},"who":"13800001234"}"#, &|text| {
            (text == "cipher").then(|| "13800001234".to_owned())
        });
        assert_eq!(body, format!(r#"{{"contact":{{"name":"{name}","phone":"{phone}"}},"who":"{phone}"}}"#));
        assert_eq!(mask.stand_in(&name), name, "what is masked stays as it is");
    }

    #[test]
    fn what_is_nobodys_is_kept_wherever_it_stands() {
        let mut mask = mask();
        mask.stand_in("E12345678");
        mask.keep("SB-1");
        mask.keep("E12345678");
        let told = r#"{"certificate_no":"SB-1","codes":["SB-1"],"passport":"E12345678"}"#;
        let body: Value = serde_json::from_str(&mask.body(told, &|_| None)).expect("JSON");
        assert_eq!((&body["certificate_no"], &body["codes"][0]), (&Value::from("SB-1"), &Value::from("SB-1")));
        assert_ne!(body["passport"], "E12345678", "a guest's stays a guest's");
        let mut codes = serde_json::json!({ "codes": ["SB-1", "E12345678"] });
        mask.known_in(&mut codes);
        assert_eq!(codes["codes"], serde_json::json!(["SB-1", body["passport"]]));
    }

    #[test]
    fn an_identity_number_keeps_its_birth_its_sex_and_a_right_check_digit() {
        let mut mask = mask();
        for number in ["110101199003070134", "11010519491231002X"] {
            let made = mask.stand_in(number);
            assert_ne!(made, number);
            assert_eq!(
                documents::check(DocumentType::ResidentId, &made),
                documents::check(DocumentType::ResidentId, number)
            );
            assert_eq!(documents::resident_facts(&made), documents::resident_facts(number));
        }
    }

    #[test]
    fn other_documents_stay_of_their_kind() {
        let mut mask = mask();
        for (kind, number) in [
            (DocumentType::TaiwanPermit, "L12345678"),
            (DocumentType::HomeReturnPermit, "H1234567890"),
            (DocumentType::Passport, "E12345678"),
        ] {
            let made = mask.stand_in(number);
            assert_ne!(made, number);
            assert_eq!(documents::check(kind, &made), Ok(()), "{kind:?}");
        }
    }
}
