// SPDX-License-Identifier: Apache-2.0

//! Limits on who may book (DY-09): per phone, per document, by age and by sex.

use crate::message::Counts;
use crate::personal::{DocumentType, Person};
use crate::product::{BookingLimits, Sex};
use crate::rejection::{Rejection, Why};
use crate::rules::{documents, guests};
use crate::time::Date;
use crate::words::units;

/// Checks what the phone and the documents of a booking have used up.
pub fn check_shares(
    limits: &BookingLimits,
    quantity: u32,
    visitors: &[Person],
    contact: Option<&Person>,
    counts: &Counts,
) -> Result<(), Rejection> {
    if let Some(limit) = limits.per_phone
        && counts.phone_units.saturating_add(quantity) > limit
    {
        let booked = counts.phone_units;
        let sentence =
            format!("one phone may hold bookings for {}; booked: {booked}, wanted: {quantity} more", units(limit));
        return Err(Rejection::new(Why::PhoneLimit, sentence).at("buyer.phone"));
    }
    let Some(limit) = limits.per_document else { return Ok(()) };
    let with_document = guests::guests_of(visitors, contact)
        .iter()
        .enumerate()
        .filter(|(_, guest)| guests::given_document(guest).is_some());
    for ((index, _), booked) in with_document.zip(&counts.document_bookings) {
        if booked.saturating_add(1) > limit {
            let sentence = format!("one document may have {limit} live bookings of this product; it has {booked}");
            let field = format!("{}.document", guests::path_of(visitors, index));
            return Err(Rejection::new(Why::DocumentLimit, sentence).at(field));
        }
    }
    Ok(())
}

/// Checks age on the visit date, and sex, of every guest who shows a resident identity card; others are not judged. Age
/// is not judged while there is no visit date.
pub fn check_age_and_sex(
    limits: &BookingLimits,
    visitors: &[Person],
    contact: Option<&Person>,
    visit_date: Option<Date>,
) -> Result<(), Rejection> {
    for (index, guest) in guests::guests_of(visitors, contact).iter().enumerate() {
        let Some((birth, sex)) = facts_of(guest) else { continue };
        let field = || format!("{}.document", guests::path_of(visitors, index));
        if let Some(date) = visit_date {
            check_age(limits, documents::age_on(birth, date)).map_err(|refusal| refusal.at(field()))?;
        }
        if limits.sex.is_some_and(|only| only != sex) {
            return Err(Rejection::new(Why::SexLimit, "the product is for the other sex only").at(field()));
        }
    }
    Ok(())
}

fn facts_of(guest: &Person) -> Option<(Date, Sex)> {
    let document = guest.document.as_ref().filter(|d| d.kind == Some(DocumentType::ResidentId))?;
    documents::resident_facts(document.number.reveal())
}

fn check_age(limits: &BookingLimits, age: i64) -> Result<(), Rejection> {
    if let Some(youngest) = limits.min_age
        && age < i64::from(youngest)
    {
        return Err(Rejection::new(Why::AgeLimit, format!("a visitor must be {youngest} on the visit date")));
    }
    if let Some(oldest) = limits.max_age
        && age > i64::from(oldest)
    {
        return Err(Rejection::new(Why::AgeLimit, format!("a visitor may be at most {oldest} on the visit date")));
    }
    Ok(())
}
