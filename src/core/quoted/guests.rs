// SPDX-License-Identifier: Apache-2.0

//! Who is known of an order, and how that is masked in whatever is written; and text that has been masked.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::as_written::as_written;
use super::strangers::{self, Strictness};
use super::writing::{self, Writing};
use crate::personal::{Document, Mask, Person, Personal};

/// A name of one character stands in too many words to be looked for.
const NAME_CHARS_MIN: usize = 2;
/// Fewer digits stand in too many numbers.
const NUMBER_CHARS_MIN: usize = 5;
/// Latin names shorter than this are words of the language ("an", "do"): they are looked for exactly as they are written.
const LATIN_CHARS_MIN: usize = 4;
/// The most text that one value may bring; the rest is of no use to a reader.
pub(super) const CHARS_MAX: usize = 2_000;

/// Digits of an amount that a person may owe; a phone has more.
const AMOUNT_DIGITS_MAX: usize = 9;
/// What stands for text of which nothing can be shown.
const NOTHING: &str = "***";

/// Keys under which partners' prose stands, in which every long number may be a person's. Sentences of ours name amounts, and what stands
/// under other keys are words, numbers, identifiers: of those only what looks like a person's is masked.
const PROSE: [&str; 10] = ["label", "name", "notes", "words", "what", "why", "doubts", "pays_by", "message", "title"];
/// Keys under which reasons stand: partners' and ours, which name amounts. A word like a document's number is one there even alone.
const REASONS: [&str; 3] = ["reason", "sentence", "cancel_reason"];
/// Key of what a partner counts and says besides. A bare number there is an amount.
const NOTES: &str = "notes";
/// Keys below which nothing is a partner's: our configuration.
const OURS: [&str; 3] = ["rules", "product", "channel"];

/// Text of an outsider in a form that anybody may see. Nothing else goes into a column in clear, an answer or a log.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Quoted(pub(super) String);

impl Quoted {
    /// A sentence of somebody of whom nothing is known.
    pub fn text(text: &str) -> Self {
        Guests::nobody().text(text)
    }
    /// A code, a key or a number of somebody of whom nothing is known.
    pub fn code(text: &str) -> Self {
        Guests::nobody().code(text)
    }
    /// What anybody may see.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl fmt::Display for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Debug for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}
impl Serialize for Quoted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}
impl From<&'static str> for Quoted {
    /// Words of our own.
    fn from(ours: &'static str) -> Self {
        Self(ours.to_owned())
    }
}
impl From<Quoted> for String {
    fn from(quoted: Quoted) -> Self {
        quoted.0
    }
}

/// One thing that is known of somebody, and what stands for it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Known {
    /// As it is compared: without spaces, dashes and case.
    sought: Vec<char>,
    shown: String,
    kind: KnownKind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum KnownKind {
    Name,
    /// Latin and short: to be found exactly.
    ShortName,
    Number,
}

/// The people of an order, to be masked in what is said about it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Guests {
    pub(super) known: Vec<Known>,
    /// Numbers by which partners know the order itself: one of them, said alone, is nobody's document, whatever it looks like, and nobody's
    /// phone if there are letters in it. People find the order by it.
    pub(super) own: Vec<String>,
}

impl fmt::Debug for Guests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guests({} known)", self.known.len())
    }
}

impl Guests {
    /// Nobody: only looks count.
    pub fn nobody() -> Self {
        Self::default()
    }

    /// Knows these people, too.
    pub fn learn<'p>(&mut self, people: impl IntoIterator<Item = &'p Person>) {
        for person in people {
            self.known.extend(known_of(person));
        }
        // A long name first: it may hold a shorter one.
        self.known.sort_by_key(|known| std::cmp::Reverse(known.sought.len()));
        self.known.dedup_by(|a, b| a.sought == b.sought);
    }

    /// Whether nobody is known.
    pub fn is_nobody(&self) -> bool {
        self.known.is_empty()
    }

    /// A sentence, fit to be shown.
    pub fn text(&self, text: &str) -> Quoted {
        Quoted(self.masked(text, Strictness::Sentence))
    }

    /// An identifier, fit to be shown: long numbers are what identifiers are made of, so only what looks like a person's is masked.
    pub fn id(&self, text: &str) -> Quoted {
        Quoted(self.masked(text, Strictness::Identifier))
    }

    /// A code, a kind of message, a key: a word for machines. What is not fit for one is not shown.
    pub fn code(&self, text: &str) -> Quoted {
        let is_plain = |c: char| {
            c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/' | '|' | '+' | '=' | '#' | '*' | '~')
        };
        if text.chars().any(char::is_whitespace) {
            return Quoted(NOTHING.to_owned());
        }
        let mut plain = String::new();
        for c in self.masked(text, Strictness::Identifier).chars() {
            match is_plain(c) {
                true => plain.push(c),
                false if plain.ends_with(NOTHING) => {}
                false => plain.push_str(NOTHING),
            }
        }
        Quoted(plain)
    }

    /// A ticket's code, which is read out to its guest as it is.
    pub fn ticket(&self, code: &str) -> Quoted {
        Quoted(self.masked(code, Strictness::Ticket))
    }

    /// A value as JSON, with every text of it masked for these guests.
    pub fn show(&self, of: &impl Serialize) -> Value {
        let mut shown = as_written(|| serde_json::to_value(of)).unwrap_or(Value::Null);
        self.json(&mut shown);
        shown
    }

    /// Masks every text of a document, whatever it is called: a field that is added tomorrow is masked too. What stands under a name of
    /// [`OURS`] is left alone.
    pub fn json(&self, value: &mut Value) {
        self.walk(value, Some(Strictness::Identifier));
    }

    /// Takes out of a document what is known of these people, and what may be somebody's out of prose. Numbers that only look like a
    /// stranger's stay: partners know the order by them.
    pub fn forget(&self, value: &mut Value) {
        self.walk(value, None);
    }

    fn walk(&self, value: &mut Value, strictness: Option<Strictness>) {
        match value {
            Value::String(text) => {
                if !is_ours(text) {
                    *text = match strictness {
                        Some(strictness) => self.masked(text, strictness),
                        // Of what more words than one say, nobody knows an order by one that looks like a document's number.
                        None if text.contains(char::is_whitespace) => {
                            strangers::without_documents(&self.without_known(text))
                        }
                        None => self.without_known(text),
                    };
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.walk(item, strictness)),
            Value::Object(fields) => {
                let is_ticket = fields.contains_key("code") && fields.contains_key("kind");
                for (key, value) in fields.iter_mut() {
                    match (value, key.as_str()) {
                        (_, key) if OURS.contains(&key) => {}
                        (Value::String(text), "code") if is_ticket => *text = self.ticket(text).into(),
                        (Value::Object(notes), NOTES) => self.walk_notes(notes),
                        (value, key) if PROSE.contains(&key) => self.walk(value, Some(Strictness::Sentence)),
                        (value @ Value::String(_), key) if REASONS.contains(&key) => {
                            self.walk(value, strictness);
                            if let Value::String(text) = value {
                                *text = if self.is_own(text) {
                                    std::mem::take(text)
                                } else {
                                    strangers::without_documents(text)
                                };
                            }
                        }
                        (value, _) => self.walk(value, strictness),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn walk_notes(&self, notes: &mut serde_json::Map<String, Value>) {
        for note in notes.values_mut() {
            if !note.as_str().is_some_and(is_amount) {
                self.walk(note, Some(Strictness::Sentence));
            }
        }
    }

    fn masked(&self, text: &str, strictness: Strictness) -> String {
        let cut = match text.char_indices().nth(CHARS_MAX) {
            Some((end, _)) => text.get(..end).unwrap_or_default(),
            None => text,
        };
        let strictness = match strictness {
            Strictness::Ticket => Strictness::Ticket,
            Strictness::Sentence | Strictness::Identifier if self.is_own(cut) => strictness_of_own(cut),
            Strictness::Sentence | Strictness::Identifier => strictness,
        };
        strangers::masked(&self.without_known(cut), strictness)
    }

    /// Whether a text says nothing but one of the order's own numbers.
    fn is_own(&self, text: &str) -> bool {
        self.own.iter().any(|own| own == text.trim())
    }

    fn without_known(&self, text: &str) -> String {
        let mut shown = text.to_owned();
        for known in &self.known {
            let writing = Writing::of(&shown);
            let found = match known.kind {
                KnownKind::Name => writing.find_name(&known.sought),
                KnownKind::ShortName => writing.find_word(&known.sought),
                KnownKind::Number => writing.find_number(&known.sought),
            };
            if !found.is_empty() {
                shown = writing::replaced(&shown, &found, &known.shown);
            }
        }
        shown
    }
}

/// Whether a bare number among what is said besides is an amount.
pub(super) fn is_amount(text: &str) -> bool {
    text.len() <= AMOUNT_DIGITS_MAX && !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit())
}

/// How one of the order's own numbers is looked at: no phone has letters in it.
fn strictness_of_own(number: &str) -> Strictness {
    if number.contains(|c: char| c.is_ascii_alphabetic()) { Strictness::Ticket } else { Strictness::Identifier }
}

/// Identifiers that we make: hex digits may by chance look like a phone.
fn is_ours(text: &str) -> bool {
    const PREFIXES: [&str; 8] = ["ord_", "bkg_", "rfc_", "tkt_", "evt_", "dlv_", "inb_", "cal_"];
    PREFIXES.iter().any(|prefix| {
        text.strip_prefix(prefix).is_some_and(|rest| rest.len() >= 32 && rest.bytes().all(|b| b.is_ascii_hexdigit()))
    })
}

/// Everything known of a person.
fn known_of(person: &Person) -> Vec<Known> {
    fn clear<M: Mask>(data: Option<&Personal<M>>) -> Option<(&str, String)> {
        let data = data.filter(|data| !data.is_remote_cipher())?;
        Some((data.reveal().trim(), data.masked()))
    }
    let mut known = Vec::new();
    if let Some((name, shown)) = clear(person.name.as_ref()) {
        known.extend(names(name, &shown));
    }
    if let Some((phone, shown)) = clear(person.phone.as_ref()) {
        let sought = writing::national(&writing::digits(phone));
        if sought.len() >= NUMBER_CHARS_MIN {
            known.push(Known { sought, shown, kind: KnownKind::Number });
        }
    }
    let number = person.document.as_ref().map(|Document { number, .. }| number);
    if let Some((number, shown)) = clear(number) {
        let sought = writing::compared(number);
        if sought.len() >= NUMBER_CHARS_MIN {
            known.push(Known { sought, shown, kind: KnownKind::Number });
        }
    }
    known
}

/// A name as it is written, and, where it has several parts, the other way round.
fn names(name: &str, shown: &str) -> Vec<Known> {
    let mut parts: Vec<&str> = name.split_whitespace().collect();
    let straight = writing::compared(&parts.concat());
    parts.reverse();
    let turned = writing::compared(&parts.concat());
    let mut all = vec![straight];
    if all.first() != Some(&turned) {
        all.push(turned);
    }
    // Where names are not written in Latin letters, each part is a name by itself; a Latin one may be any word.
    let by_themselves = parts.iter().filter(|part| parts.len() > 1 && !part.is_ascii());
    all.extend(by_themselves.map(|part| writing::compared(part)).filter(|part| part.len() >= NAME_CHARS_MIN));
    let long_enough = all.into_iter().filter(|sought| sought.len() >= NAME_CHARS_MIN);
    long_enough
        .map(|sought| {
            let is_short = sought.len() < LATIN_CHARS_MIN && sought.iter().all(char::is_ascii);
            match is_short {
                true => Known { sought: name.chars().collect(), shown: shown.to_owned(), kind: KnownKind::ShortName },
                false => Known { sought, shown: shown.to_owned(), kind: KnownKind::Name },
            }
        })
        .collect()
}
