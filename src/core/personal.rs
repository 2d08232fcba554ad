// SPDX-License-Identifier: Apache-2.0

//! Guests' data: types that cannot be printed.
//!
//! A value of these types shows itself masked wherever it is written: in `Debug`, in `Display`, in JSON. Clear text
//! leaves in two ways only: [`Personal::reveal`], for a caller who names it, and [`in_clear`], inside which the store
//! serialises what it is about to encrypt.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::cell::Cell;
use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;

thread_local! {
    static CLEAR: Cell<bool> = const { Cell::new(false) };
}

/// Runs `write` with personal data serialised in clear. For sealing only: what `write` returns must be encrypted
/// before it goes anywhere.
pub fn in_clear<T>(write: impl FnOnce() -> T) -> T {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            CLEAR.set(self.0);
        }
    }
    let _restore = Restore(CLEAR.replace(true));
    write()
}

/// Whether what is written now is about to be encrypted.
pub(crate) fn is_in_clear() -> bool {
    CLEAR.get()
}

/// How one kind of personal data is masked.
pub trait Mask: Clone + Eq + Hash + Ord {
    /// The masked form of `clear`.
    fn mask(clear: &str) -> String;
}

/// A person's name: the first character stays.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NameMask;
/// A phone number: the first three and last four digits stay.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PhoneMask;
/// A document number: the first and last four characters stay.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocumentMask;
/// Free text that may hold anything: nothing stays.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TextMask;

/// Values under this prefix can only be decrypted by a call to the channel (`adapters/douyin/README.md`).
pub const REMOTE_CIPHER_PREFIX: &str = "Enc.";

fn ends(clear: &str, head: usize, tail: usize) -> String {
    let chars: Vec<char> = clear.chars().collect();
    if chars.len() <= head + tail {
        // Too short to show both ends without showing all of it.
        let first: String = chars.iter().take(1).collect();
        return format!("{first}{}", "*".repeat(chars.len().saturating_sub(1)));
    }
    let first: String = chars.iter().take(head).collect();
    let last: String = chars.iter().skip(chars.len() - tail).collect();
    format!("{first}{}{last}", "*".repeat(chars.len() - head - tail))
}

impl Mask for NameMask {
    fn mask(clear: &str) -> String {
        if clear.starts_with(REMOTE_CIPHER_PREFIX) {
            return "***".to_owned();
        }
        let mut chars = clear.chars();
        match chars.next() {
            None => String::new(),
            Some(first) => format!("{first}{}", "*".repeat(chars.count().clamp(1, 8))),
        }
    }
}
impl Mask for PhoneMask {
    fn mask(clear: &str) -> String {
        if clear.starts_with(REMOTE_CIPHER_PREFIX) { "***".to_owned() } else { ends(clear, 3, 4) }
    }
}
impl Mask for DocumentMask {
    fn mask(clear: &str) -> String {
        if clear.starts_with(REMOTE_CIPHER_PREFIX) { "***".to_owned() } else { ends(clear, 4, 4) }
    }
}
impl Mask for TextMask {
    fn mask(clear: &str) -> String {
        if clear.is_empty() { String::new() } else { "***".to_owned() }
    }
}

/// Personal data of one kind.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Personal<M: Mask> {
    clear: String,
    kind: PhantomData<M>,
}

/// A person's name.
pub type PersonName = Personal<NameMask>;
/// A phone number.
pub type Phone = Personal<PhoneMask>;
/// The number of an identity document.
pub type DocumentNumber = Personal<DocumentMask>;
/// Free text from or about a person.
pub type PersonalText = Personal<TextMask>;

/// What a person meant to write: control characters and invisible marks, which no name or number has, are blanks or nothing, and blanks
/// at the ends or in a row are one too many.
fn tidy(text: &str) -> String {
    // Marks of direction, joiners and byte order marks come along when a number is copied from elsewhere.
    let is_invisible = |c: &char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    let seen: String =
        text.chars().filter(|c| !is_invisible(c)).map(|c| if c.is_control() { ' ' } else { c }).collect();
    seen.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl<M: Mask> Personal<M> {
    /// Takes what somebody typed into custody, without what nobody can have meant; `None` when nothing is left. Not for codes: there
    /// every byte counts.
    pub fn typed(clear: &str) -> Option<Self> {
        let clear = tidy(clear);
        (!clear.is_empty()).then(|| Self::new(clear))
    }
    /// Takes clear text into custody.
    pub fn new(clear: impl Into<String>) -> Self {
        Self { clear: clear.into(), kind: PhantomData }
    }
    /// The clear text. Whoever calls this answers for where it goes.
    pub fn reveal(&self) -> &str {
        &self.clear
    }
    /// The form that anyone may see.
    ///
    /// ```
    /// use ticketbridge_core::personal::Phone;
    ///
    /// let phone = Phone::new("13800000001");
    /// assert_eq!(phone.masked(), "138****0001");
    /// // However it gets out, it gets out like that.
    /// assert_eq!(format!("{phone} {phone:?}"), "138****0001 138****0001");
    /// ```
    pub fn masked(&self) -> String {
        M::mask(&self.clear)
    }
    /// Whether this is still the channel's cipher text, which only an online call can open.
    pub fn is_remote_cipher(&self) -> bool {
        self.clear.starts_with(REMOTE_CIPHER_PREFIX)
    }
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.clear.is_empty()
    }
}
impl Phone {
    /// The national number, by which one phone is one however it is written.
    pub fn dialled(&self) -> String {
        if self.is_remote_cipher() {
            return self.clear.clone();
        }
        let digits: String = self.clear.chars().filter(char::is_ascii_digit).collect();
        let abroad = self.clear.trim_start().starts_with('+').then_some("").or(digits.strip_prefix("00"));
        let national = match abroad {
            Some(_) => digits.trim_start_matches("00").trim_start_matches("82").trim_start_matches("86"),
            None => digits.as_str(),
        };
        national.trim_start_matches('0').to_owned()
    }
}
impl<M: Mask> fmt::Debug for Personal<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}
impl<M: Mask> fmt::Display for Personal<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}
impl<M: Mask> Serialize for Personal<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if is_in_clear() { serializer.serialize_str(&self.clear) } else { serializer.serialize_str(&self.masked()) }
    }
}
impl<'de, M: Mask> Deserialize<'de> for Personal<M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// The kinds of identity document that Douyin's visitors may show (`adapters/douyin/README.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentType {
    /// Resident identity card of the mainland.
    ResidentId,
    /// Permit to travel to Hong Kong and Macau.
    HkMacauPermit,
    /// Permit to travel to Taiwan.
    TaiwanPermit,
    /// Home-return permit of residents of Hong Kong and Macau.
    HomeReturnPermit,
    /// Permit of Taiwan compatriots.
    TaiwanCompatriotPermit,
    /// A passport of any country.
    Passport,
    /// Foreigner's permanent residence card.
    PermanentResidenceCard,
}

impl DocumentType {
    /// All of them, in the order of the documents.
    pub const ALL: [DocumentType; 7] = [
        DocumentType::ResidentId,
        DocumentType::HkMacauPermit,
        DocumentType::TaiwanPermit,
        DocumentType::HomeReturnPermit,
        DocumentType::TaiwanCompatriotPermit,
        DocumentType::Passport,
        DocumentType::PermanentResidenceCard,
    ];
    /// The word used in configuration and answers.
    pub fn word(self) -> &'static str {
        match self {
            DocumentType::ResidentId => "resident_id",
            DocumentType::HkMacauPermit => "hk_macau_permit",
            DocumentType::TaiwanPermit => "taiwan_permit",
            DocumentType::HomeReturnPermit => "home_return_permit",
            DocumentType::TaiwanCompatriotPermit => "taiwan_compatriot_permit",
            DocumentType::Passport => "passport",
            DocumentType::PermanentResidenceCard => "permanent_residence_card",
        }
    }
}

/// An identity document.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Document {
    /// Which kind; `None` when the channel named none that we know.
    #[serde(rename = "type")]
    pub kind: Option<DocumentType>,
    /// Its number.
    pub number: DocumentNumber,
}

/// A buyer, a contact or a visitor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Person {
    /// Full name.
    pub name: Option<PersonName>,
    /// Phone number.
    pub phone: Option<Phone>,
    /// Identity document.
    pub document: Option<Document>,
}

impl Person {
    /// Whether a field of this person still waits for the channel's online decryption.
    pub fn has_remote_cipher(&self) -> bool {
        self.name.as_ref().is_some_and(Personal::is_remote_cipher)
            || self.phone.as_ref().is_some_and(Personal::is_remote_cipher)
            || self.document.as_ref().is_some_and(|d| d.number.is_remote_cipher())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_keep_what_the_contract_shows() {
        assert_eq!(Phone::new("13800000001").masked(), "138****0001");
        assert_eq!(DocumentNumber::new("110101199003071234").masked(), "1101**********1234");
        assert_eq!(PersonName::new("王明").masked(), "王*");
        assert_eq!(Phone::new("1234567").masked(), "1******");
        assert_eq!(Phone::new("Enc.abcdef").masked(), "***");
    }

    #[test]
    fn clear_text_appears_in_json_only_while_sealing() {
        let phone = Phone::new("13800000001");
        let masked = serde_json::to_string(&phone).expect("a string serialises");
        assert_eq!(masked, "\"138****0001\"");
        let clear = in_clear(|| serde_json::to_string(&phone).expect("a string serialises"));
        assert_eq!(clear, "\"13800000001\"");
        assert_eq!(serde_json::to_string(&phone).expect("a string serialises"), masked);
        assert_eq!(format!("{phone:?} {phone}"), "138****0001 138****0001");
    }
}
