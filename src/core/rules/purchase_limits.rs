// SPDX-License-Identifier: Apache-2.0

//! Whose purchases an order counts as (DY-09): by phone and by document, for as long as the product or the booking lives.

use crate::id::{BookingId, ProductCode};
use crate::order::Order;
use crate::personal::{Document, Person, Personal};

/// Digits of a phone of the mainland, and of Korea with its leading zero; and the codes of the two countries.
const MAINLAND: (&str, usize) = ("86", 11);
const KOREA: (&str, std::ops::RangeInclusive<usize>) = ("82", 10..=12);

/// The digits of a phone as they are dialled at home, so that spaces, dashes, brackets and a country's code make no second person.
pub fn phone_digits(phone: &str) -> String {
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    let abroad = digits.strip_prefix("00").unwrap_or(&digits);
    if let Some(home) = abroad.strip_prefix(MAINLAND.0)
        && home.len() == MAINLAND.1
    {
        return home.to_owned();
    }
    if let Some(home) = abroad.strip_prefix(KOREA.0) {
        let home = format!("0{}", home.trim_start_matches('0'));
        if KOREA.1.contains(&home.len()) {
            return home;
        }
    }
    abroad.to_owned()
}

/// A document's number as it counts: without blanks around it, in capitals.
pub fn document_text(number: &str) -> String {
    number.trim().to_ascii_uppercase()
}

/// The first phone that is there in clear.
pub fn phone_of(people: &[&Person]) -> Option<String> {
    people
        .iter()
        .filter_map(|person| person.phone.as_ref())
        .find(|phone| !phone.is_empty() && !phone.is_remote_cipher())
        .map(Personal::reveal)
        .map(str::to_owned)
}

/// Whom a claim counts for; personal data in clear, to be hashed before it is kept.
#[derive(Clone, PartialEq, Eq)]
pub enum Whom {
    /// A phone.
    Phone(String),
    /// A document.
    Document(String),
}

/// Units of a product that count for somebody.
#[derive(Clone, PartialEq, Eq)]
pub struct Claim {
    /// The product.
    pub product: ProductCode,
    /// Whom they count for.
    pub whom: Whom,
    /// How many.
    pub units: u32,
}

/// What a change of an order claims.
#[derive(Default)]
pub struct Claims {
    /// For the life of the voucher product.
    pub of_voucher: Option<Claim>,
    /// Of the visit, which no longer counts what it did before; `None` where nothing about it has changed.
    pub of_visit: Option<VisitClaims>,
}

/// What counts for a visit, from now on.
pub struct VisitClaims {
    /// The product for which it had claimed anything before.
    pub replaced: Option<ProductCode>,
    /// What counts now; nothing once it is off.
    pub claims: Vec<Claim>,
}

/// What counts by a change of an order: a voucher for the product's life, a booking while it lives.
pub fn claims(before: Option<&Order>, after: &Order) -> Claims {
    Claims { of_voucher: voucher_claim(before, after), of_visit: visit_claims(before, after) }
}

fn voucher_claim(before: Option<&Order>, after: &Order) -> Option<Claim> {
    let opened = before.is_none_or(|order| order.buyer.has_remote_cipher() && !after.buyer.has_remote_cipher());
    let voucher = after.rules.voucher.as_ref().filter(|_| opened)?;
    let whom = Whom::Phone(phone_of(&[&after.buyer])?);
    Some(Claim { product: voucher.code.clone(), whom, units: after.quantity })
}

fn visit_claims(before: Option<&Order>, after: &Order) -> Option<VisitClaims> {
    fn counted(order: &Order) -> Option<(&BookingId, &[Person], &ProductCode, u32)> {
        let booking = order.active_booking()?;
        Some((&booking.id, &booking.visitors, &order.rules.booking.code, order.quantity))
    }
    let (had, has) = (before.and_then(counted), counted(after));
    // A visit that has been keeps counting.
    if had == has || (has.is_none() && after.booking.as_ref().is_some_and(|b| b.used_at.is_some())) {
        return None;
    }
    let product = after.rules.booking.code.clone();
    let earlier = before.filter(|order| order.booking.is_some() || !order.past_bookings.is_empty());
    let replaced = earlier.map(|order| order.rules.booking.code.clone());
    let Some(booking) = after.active_booking() else {
        return Some(VisitClaims { replaced, claims: Vec::new() });
    };
    let people: Vec<_> = booking.contact.iter().chain([&after.buyer]).collect();
    let phone = phone_of(&people).map(|phone| (Whom::Phone(phone), after.quantity));
    let documents = booking.visitors.iter().filter_map(|visitor| visitor.document.as_ref());
    let is_clear = |document: &&Document| !document.number.is_remote_cipher();
    let documents = documents.filter(is_clear).map(|document| (Whom::Document(document.number.reveal().to_owned()), 1));
    let claim = |(whom, units)| Claim { product: product.clone(), whom, units };
    let claims = phone.into_iter().chain(documents).map(claim).collect();
    Some(VisitClaims { replaced, claims })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::channel_state::Stage;
    use crate::rules::samples;

    #[test]
    fn one_phone_is_one_phone_however_it_is_written() {
        for (written, is) in [
            ("13800000001", "13800000001"),
            ("+86 138-0000-0001", "13800000001"),
            ("0086 138 0000 0001", "13800000001"),
            ("008613800000001", "13800000001"),
            ("(86)13800000001", "13800000001"),
            ("010-1234-5678", "01012345678"),
            ("+82 10-1234-5678", "01012345678"),
            ("+82 (0)10 1234 5678", "01012345678"),
            ("0082 10 1234 5678", "01012345678"),
            ("+1 212 555 0100", "12125550100"),
            ("", ""),
        ] {
            assert_eq!(phone_digits(written), is, "{written}");
        }
    }

    #[test]
    fn a_visit_counts_while_it_lives_and_a_change_of_nothing_counts_nothing() {
        let with_phone = |stage| {
            let mut told = samples::snapshot(stage, true, false);
            told.sale.buyer = samples::guest(1);
            samples::told(1, told, None)
        };
        let placed = with_phone(Stage::Requested);
        let visit = claims(None, &placed).of_visit.expect("a booking came");
        assert!(visit.replaced.is_none());
        assert!(visit.claims.iter().any(|it| it.units == 2 && it.whom == Whom::Phone("13800000001".to_owned())));
        assert!(claims(Some(&placed), &placed).of_visit.is_none());
        let cancelled = with_phone(Stage::Cancelled);
        let visit = claims(Some(&placed), &cancelled).of_visit.expect("it is off");
        assert!(visit.replaced.is_some() && visit.claims.is_empty());
        assert!(
            claims(Some(&placed), &with_phone(Stage::Used)).of_visit.is_none(),
            "a visit that has been keeps counting"
        );
    }
}
