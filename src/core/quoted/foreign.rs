// SPDX-License-Identifier: Apache-2.0

//! Free text in custody: what outsiders and colleagues write, in a type that cannot be shown unmasked.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::as_written::is_as_written;
use super::guests::{Guests, Quoted, is_amount};
use crate::personal::is_in_clear;

/// What a text is, and so how it is masked.
pub trait Kind: Clone + Default {
    /// The text, fit to be shown where these guests are known.
    fn quote(guests: &Guests, text: &str) -> Quoted;
}

/// What people write for people.
#[derive(Clone, Copy, Default)]
pub struct Sentence;
/// A word for machines.
#[derive(Clone, Copy, Default)]
pub struct Code;
/// What somebody calls a thing. It is told again exactly as it was written.
#[derive(Clone, Copy, Default)]
pub struct Name;

/// A number or key by which somebody knows a thing. It is told again exactly as it was written.
#[derive(Clone, Copy, Default)]
pub struct Number;
/// What somebody counts and says besides.
#[derive(Clone, Copy, Default)]
pub struct Note;

impl Kind for Sentence {
    fn quote(guests: &Guests, text: &str) -> Quoted {
        guests.text(text)
    }
}
impl Kind for Name {
    fn quote(guests: &Guests, text: &str) -> Quoted {
        guests.text(text)
    }
}
impl Kind for Number {
    fn quote(guests: &Guests, text: &str) -> Quoted {
        guests.id(text)
    }
}
impl Kind for Note {
    fn quote(guests: &Guests, text: &str) -> Quoted {
        if is_amount(text) { Quoted(text.to_owned()) } else { guests.text(text) }
    }
}
impl Kind for Code {
    fn quote(guests: &Guests, text: &str) -> Quoted {
        guests.code(text)
    }
}

/// Text of somebody else. However it gets out, it gets out masked: in `Debug`, in `Display`, in JSON; by its looks where nobody is known
/// ([`Foreign::quoted`]), and for an order's own guests once it has been told whom that order knows ([`Foreign::for_guests`]). As it was
/// written it leaves in two ways only: by [`Foreign::reveal`], for a caller who names it, and inside
/// [`in_clear`](crate::personal::in_clear), where the store serialises what it is about to encrypt.
///
/// ```
/// use ticketbridge_core::quoted::FreeText;
///
/// let said = FreeText::new("call 13800000001");
/// assert_eq!(format!("{said} {said:?}"), "call *** \"call ***\"");
/// assert_eq!(serde_json::to_string(&said).unwrap(), "\"call ***\"");
/// assert_eq!(said.reveal(), "call 13800000001");
/// ```
#[derive(Clone)]
pub struct Foreign<K: Kind> {
    text: Text,
    kind: PhantomData<K>,
}

/// What somebody says in words of his own: a reason, an error.
pub type FreeText = Foreign<Sentence>;
/// What a partner calls a thing: a ticket, a price.
pub type ForeignName = Foreign<Name>;
/// A partner's code.
pub type ForeignCode = Foreign<Code>;
/// A partner's number or key for a thing.
pub type ForeignNumber = Foreign<Number>;
/// What a partner counts and says besides.
pub type ForeignNote = Foreign<Note>;

#[derive(Clone)]
enum Text {
    /// Words of our own, which name nobody.
    Ours(&'static str),
    /// Masked already.
    Quoted(Quoted),
    /// As it was written.
    Written(String),
}

impl<K: Kind> Foreign<K> {
    /// Takes what somebody wrote into custody.
    pub fn new(text: impl Into<String>) -> Self {
        Self::of(Text::Written(text.into()))
    }
    /// Put together here, of words and numbers of ours and of what shows itself masked: our amounts and codes stay readable.
    pub fn our_own(text: impl Into<String>) -> Self {
        Self::of(Text::Quoted(Quoted(text.into())))
    }
    fn of(text: Text) -> Self {
        Self { text, kind: PhantomData }
    }
    /// What it says, as it was written, or as it was masked for an order's guests. Whoever calls this answers for where it goes: to be
    /// compared, to be measured, or back to whom it came from.
    pub fn reveal(&self) -> &str {
        match &self.text {
            Text::Ours(text) => text,
            Text::Quoted(text) => text.as_str(),
            Text::Written(text) => text,
        }
    }
    /// What anybody may see. What was masked for an order's guests stays as it is; the rest is masked by its looks.
    pub fn quoted(&self) -> Quoted {
        match &self.text {
            Text::Ours(text) => Quoted::from(*text),
            Text::Quoted(text) => text.clone(),
            Text::Written(text) => K::quote(&Guests::nobody(), text),
        }
    }
    /// The same, masked for these guests for good.
    #[must_use]
    pub fn for_guests(&self, guests: &Guests) -> Self {
        match &self.text {
            Text::Ours(_) => self.clone(),
            Text::Quoted(_) | Text::Written(_) => Self::of(Text::Quoted(K::quote(guests, self.reveal()))),
        }
    }
    /// What it says if these are words of our own.
    pub fn ours(&self) -> Option<&'static str> {
        match &self.text {
            Text::Ours(text) => Some(text),
            Text::Quoted(_) | Text::Written(_) => None,
        }
    }
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.reveal().is_empty()
    }
}

impl<K: Kind> Default for Foreign<K> {
    fn default() -> Self {
        Self::of(Text::Ours(""))
    }
}
impl<K: Kind> From<&'static str> for Foreign<K> {
    /// Words of our own.
    fn from(ours: &'static str) -> Self {
        Self::of(Text::Ours(ours))
    }
}
impl<K: Kind> From<String> for Foreign<K> {
    /// What is put together here may quote somebody.
    fn from(text: String) -> Self {
        Self::new(text)
    }
}
impl<K: Kind> From<Quoted> for Foreign<K> {
    fn from(quoted: Quoted) -> Self {
        Self::of(Text::Quoted(quoted))
    }
}
impl<K: Kind> fmt::Display for Foreign<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.quoted().fmt(f)
    }
}
impl<K: Kind> fmt::Debug for Foreign<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.quoted().fmt(f)
    }
}
impl<K: Kind> PartialEq for Foreign<K> {
    fn eq(&self, other: &Self) -> bool {
        self.reveal() == other.reveal()
    }
}
impl<K: Kind> Eq for Foreign<K> {}
impl<K: Kind> PartialEq<str> for Foreign<K> {
    fn eq(&self, other: &str) -> bool {
        self.reveal() == other
    }
}
impl<K: Kind> PartialEq<&str> for Foreign<K> {
    fn eq(&self, other: &&str) -> bool {
        self.reveal() == *other
    }
}
impl<K: Kind> Hash for Foreign<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.reveal().hash(state);
    }
}
impl<K: Kind> PartialOrd for Foreign<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K: Kind> Ord for Foreign<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.reveal().cmp(other.reveal())
    }
}
impl<K: Kind> Serialize for Foreign<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match is_in_clear() || is_as_written() {
            true => serializer.serialize_str(self.reveal()),
            false => self.quoted().serialize(serializer),
        }
    }
}
impl<'de, K: Kind> Deserialize<'de> for Foreign<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}
