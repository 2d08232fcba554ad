// SPDX-License-Identifier: Apache-2.0

//! Guests' data under a channel's own cipher: what has to be opened, and what it says once it is.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use crate::order::Order;
use crate::personal::{Document, Mask, Person, Personal, PersonalText};

/// What of one person came under the channel's cipher. A cipher says nothing to anybody else, so it is kept as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ciphers {
    /// The name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The phone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// The number of the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
}

impl Ciphers {
    /// Those of a person.
    pub fn of(person: &Person) -> Self {
        fn cipher<M: Mask>(field: &Personal<M>) -> Option<String> {
            field.is_remote_cipher().then(|| field.reveal().to_owned())
        }
        Self {
            name: person.name.as_ref().and_then(cipher),
            phone: person.phone.as_ref().and_then(cipher),
            document: person.document.as_ref().and_then(|document| cipher(&document.number)),
        }
    }

    /// Those of several people, one after the other; who came in clear has none.
    pub fn of_all<'p>(people: impl IntoIterator<Item = &'p Person>) -> Vec<Self> {
        people.into_iter().map(Self::of).filter(|ciphers| *ciphers != Self::default()).collect()
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        [&self.name, &self.phone, &self.document].into_iter().filter_map(|text| text.as_deref())
    }
}

/// The distinct ciphers among these, in their order.
pub fn texts<'c>(all: impl IntoIterator<Item = &'c Ciphers>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let texts = all.into_iter().flat_map(Ciphers::texts);
    texts.filter(|text| seen.insert(*text)).map(str::to_owned).collect()
}

/// What of an order's guests is to be opened: of the buyer, of the active booking's visitors, of its contact.
pub fn of_order(order: &Order) -> Vec<String> {
    let booked = order.booking.iter().flat_map(|booking| booking.visitors.iter().chain(&booking.contact));
    texts(&Ciphers::of_all(std::iter::once(&order.buyer).chain(booked)))
}

/// What ciphers say, by their texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opened(HashMap<String, PersonalText>);

impl Opened {
    /// These pairs of a cipher and its clear text.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(pairs.into_iter().map(|(cipher, clear)| (cipher, PersonalText::new(clear))).collect())
    }
    /// Adds what another answer opened.
    pub fn add(&mut self, more: Opened) {
        self.0.extend(more.0);
    }
    /// Whether this cipher is open.
    pub fn has(&self, cipher: &str) -> bool {
        self.0.contains_key(cipher)
    }
    /// A person, opened as far as possible.
    #[must_use]
    pub fn person(&self, person: &Person) -> Person {
        let mut person = person.clone();
        person.name = person.name.and_then(|name| self.field(&name));
        person.phone = person.phone.and_then(|phone| self.field(&phone));
        person.document = person
            .document
            .and_then(|document| self.field(&document.number).map(|number| Document { number, ..document }));
        person
    }
    /// Whether both lists of ciphers speak of the same people, once they are opened; `None` while one of them is closed.
    pub fn are_equal(&self, one: &[Ciphers], other: &[Ciphers]) -> Option<bool> {
        let read = |all: &[Ciphers]| {
            let mut people: Vec<[Option<&str>; 3]> = Vec::with_capacity(all.len());
            for ciphers in all {
                let mut person = [None; 3];
                for (field, cipher) in person.iter_mut().zip([&ciphers.name, &ciphers.phone, &ciphers.document]) {
                    if let Some(cipher) = cipher {
                        *field = Some(self.0.get(cipher.as_str())?.reveal().trim());
                    }
                }
                people.push(person);
            }
            people.sort_unstable();
            Some(people)
        };
        Some(read(one)? == read(other)?)
    }

    fn field<M: Mask>(&self, value: &Personal<M>) -> Option<Personal<M>> {
        self.0.get(value.reveal()).map_or_else(|| Some(value.clone()), |clear| Personal::typed(clear.reveal()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Ciphers, Opened};

    #[test]
    fn people_are_compared_by_what_their_ciphers_say() {
        let guest = |name: &str| Ciphers { name: Some(name.to_owned()), ..Ciphers::default() };
        let pair = |cipher: &str, clear: &str| (cipher.to_owned(), clear.to_owned());
        let opened = Opened::new([pair("Enc.1", "Ada"), pair("Enc.2", "Ada "), pair("Enc.3", "Bob")]);
        assert_eq!(opened.are_equal(&[guest("Enc.1"), guest("Enc.3")], &[guest("Enc.3"), guest("Enc.2")]), Some(true));
        assert_eq!(opened.are_equal(&[guest("Enc.1")], &[guest("Enc.3")]), Some(false));
        assert_eq!(opened.are_equal(&[guest("Enc.1")], &[guest("Enc.1"), guest("Enc.1")]), Some(false));
        assert_eq!(opened.are_equal(&[guest("Enc.1")], &[guest("Enc.4")]), None);
    }
}
