// SPDX-License-Identifier: Apache-2.0

//! Who comes: how many visitors a booking names, which of their details must be there, and whether those can be right.

use std::collections::HashSet;
use std::slice;

use crate::limits::VISITORS_MAX;
use crate::personal::{Document, DocumentType, Person, PersonName};
use crate::product::{BookingProduct, GuestField, GuestRule, GuestsWho};
use crate::rejection::{Rejection, Why};
use crate::rules::{documents, phone};
use crate::time::Date;
use crate::words::units;

/// Characters of a name.
pub const NAME_CHARS_MAX: usize = 100;

/// The people a booking is judged by: its visitors, or its contact where it names none.
///
/// [`Counts::document_bookings`](crate::message::Counts) follows the documents of exactly these, in this order, with 0 for one
/// that is still the channel's cipher.
pub fn guests_of<'a>(visitors: &'a [Person], contact: Option<&'a Person>) -> &'a [Person] {
    if visitors.is_empty() { contact.map(slice::from_ref).unwrap_or_default() } else { visitors }
}

/// Checks number and details of the guests (DY-08). Values that are still the channel's cipher are taken as they are, so
/// this is to be asked again when they have been opened. `today` is the channel's date.
pub fn check_guests(
    product: &BookingProduct,
    quantity: u32,
    visitors: &[Person],
    contact: Option<&Person>,
    today: Date,
) -> Result<(), Rejection> {
    let guests = guests_of(visitors, contact);
    check_number(product, quantity, visitors, guests)?;
    for (index, guest) in guests.iter().enumerate() {
        // One guest answers for the order; whoever is named beside needs no details.
        let needs = match product.guests.who {
            GuestsWho::One if index > 0 => &[][..],
            GuestsWho::One | GuestsWho::Each => &product.guests.fields,
        };
        let path = path_of(visitors, index);
        check_name(guest, needs, &path)?;
        check_phone(guest, needs, &path)?;
        check_document(guest, needs, &product.guests, &path, today)?;
    }
    if let Some(contact) = contact.filter(|_| !visitors.is_empty()) {
        check_name(contact, &[], "contact")?;
        check_phone(contact, &[], "contact")?;
    }
    check_different(guests, visitors)
}

/// Where guest number `index` of [`guests_of`] is found in the request.
pub(crate) fn path_of(visitors: &[Person], index: usize) -> String {
    if visitors.is_empty() { "contact".to_owned() } else { format!("visitors[{index}]") }
}

fn check_number(
    product: &BookingProduct,
    quantity: u32,
    visitors: &[Person],
    guests: &[Person],
) -> Result<(), Rejection> {
    let admitted = u64::from(quantity) * u64::from(product.visitors_per_unit);
    let named = visitors.len() as u64;
    let refuse = |sentence: String| Err(Rejection::new(Why::VisitorsMismatch, sentence).at("visitors"));
    match product.guests.who {
        _ if visitors.len() > VISITORS_MAX => refuse(format!("a booking names at most {VISITORS_MAX} visitors")),
        GuestsWho::Each if named != admitted => refuse(format!(
            "visitors admitted by {}: {admitted}, each of them is to be named; named: {named}",
            units(quantity)
        )),
        GuestsWho::One if named > admitted => {
            refuse(format!("visitors admitted by {}: {admitted}; named: {named}", units(quantity)))
        }
        GuestsWho::One if guests.is_empty() && !product.guests.fields.is_empty() => {
            refuse("one guest is to be named for the order".to_owned())
        }
        GuestsWho::One | GuestsWho::Each => Ok(()),
    }
}

fn check_name(guest: &Person, needs: &[GuestField], path: &str) -> Result<(), Rejection> {
    match guest.name.as_ref().filter(|name| !name.reveal().trim().is_empty()) {
        Some(name) if is_name(name) => Ok(()),
        Some(_) => {
            let sentence = "the name is not one; give letters only, as in the document";
            Err(Rejection::new(Why::NameMalformed, sentence).at(format!("{path}.name")))
        }
        None if needs.contains(&GuestField::Name) => {
            Err(Rejection::new(Why::NameMissing, "the product needs the guest's name").at(format!("{path}.name")))
        }
        None => Ok(()),
    }
}

/// Letters of any script, with what stands between them: no digits, no signs, nothing masked.
fn is_name(name: &PersonName) -> bool {
    if name.is_remote_cipher() {
        return true;
    }
    let text = name.reveal().trim();
    let between = |c: char| matches!(c, ' ' | '.' | '\'' | '-' | ',' | '(' | ')');
    let wrong = |c: char| {
        c.is_control() || c.is_ascii_digit() || ('０'..='９').contains(&c) || (c.is_ascii_punctuation() && !between(c))
    };
    text.chars().count() <= NAME_CHARS_MAX && text.chars().any(char::is_alphabetic) && !text.chars().any(wrong)
}

fn check_phone(guest: &Person, needs: &[GuestField], path: &str) -> Result<(), Rejection> {
    match guest.phone.as_ref().filter(|number| !number.reveal().trim().is_empty()) {
        Some(number) => phone::check(number, format!("{path}.phone")),
        None if needs.contains(&GuestField::Phone) => {
            Err(Rejection::new(Why::PhoneMissing, "the product needs the guest's phone number")
                .at(format!("{path}.phone")))
        }
        None => Ok(()),
    }
}

/// A document that nobody asked for need not be of an accepted kind; if it says what it is, its number must fit.
fn check_document(
    guest: &Person,
    needs: &[GuestField],
    rule: &GuestRule,
    path: &str,
    today: Date,
) -> Result<(), Rejection> {
    let needed = needs.contains(&GuestField::Document);
    let Some(document) = given_document(guest) else {
        return if needed {
            let sentence = "the product needs the guest's identity document";
            Err(Rejection::new(Why::DocumentMissing, sentence).at(format!("{path}.document")))
        } else {
            Ok(())
        };
    };
    if needed && !document.kind.is_some_and(|kind| rule.documents.contains(&kind)) {
        let words: Vec<&str> = rule.documents.iter().map(|kind| kind.word()).collect();
        let sentence = format!("the product accepts these documents: {}", words.join(", "));
        return Err(Rejection::new(Why::DocumentNotAccepted, sentence).at(format!("{path}.document.type")));
    }
    match document.kind {
        Some(kind) if !document.number.is_remote_cipher() => check_document_number(kind, document, today)
            .map_err(|sentence| Rejection::new(Why::DocumentMalformed, sentence).at(format!("{path}.document.number"))),
        _ => Ok(()),
    }
}

fn check_document_number(kind: DocumentType, document: &Document, today: Date) -> Result<(), &'static str> {
    documents::check(kind, document.number.reveal())?;
    match documents::resident_facts(document.number.reveal()) {
        Some((birth, _)) if kind == DocumentType::ResidentId && birth > today => {
            Err("the date of birth in the identity number has not come yet")
        }
        _ => Ok(()),
    }
}

/// The document of a guest, when it has a number.
pub(crate) fn given_document(guest: &Person) -> Option<&Document> {
    guest.document.as_ref().filter(|document| !document.number.reveal().trim().is_empty())
}

/// One document admits one visitor.
fn check_different(guests: &[Person], visitors: &[Person]) -> Result<(), Rejection> {
    let mut seen = HashSet::new();
    for (index, guest) in guests.iter().enumerate() {
        let Some(document) = given_document(guest) else { continue };
        if document.number.is_remote_cipher() {
            continue;
        }
        if !seen.insert((document.kind, documents::normalised(document.number.reveal()))) {
            let sentence = "two visitors of this booking have the same document; give each their own";
            let field = format!("{}.document.number", path_of(visitors, index));
            return Err(Rejection::new(Why::VisitorHasTicket, sentence).at(field));
        }
    }
    Ok(())
}
