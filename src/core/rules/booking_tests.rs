// SPDX-License-Identifier: Apache-2.0

//! One table for each rule of a booking, with the last value that passes and the first that does not.

use super::*;
use crate::limits::VISITORS_MAX;
use crate::message::Counts;
use crate::personal::{Document, DocumentNumber, DocumentType, Person, PersonName, Phone};
use crate::product::{GuestField, GuestsWho, Sex};
use crate::rules::guests::NAME_CHARS_MAX;
use crate::rules::samples::{self, at, date, guest, invented_id_17};

type Found = Option<(Why, Option<String>)>;

/// Two units for four visitors on 2026-12-01, all in order, after `edit`.
fn found(edit: impl FnOnce(&mut RuleSnapshot, &mut RequestBooking)) -> Found {
    let (mut rules, mut request) = (samples::rules(), samples::request(2, 4));
    edit(&mut rules, &mut request);
    let outcome = check_booking(&rules, 2, &request, at("2026-11-21T10:00:00+08:00"));
    outcome.err().map(|r| (r.why, r.field.map(|f| f.into_owned())))
}
fn why(edit: impl FnOnce(&mut RuleSnapshot, &mut RequestBooking)) -> Option<Why> {
    found(edit).map(|(why, _)| why)
}
fn refused(why: Why, field: &str) -> Found {
    Some((why, Some(field.to_owned())))
}
fn document(kind: DocumentType, number: impl Into<String>) -> Option<Document> {
    Some(Document { kind: Some(kind), number: DocumentNumber::new(number) })
}

#[test]
fn a_booking_in_order_passes() {
    assert_eq!(found(|_, _| {}), None);
    assert_eq!(found(|_, request| request.visit_date = None), None);
}

#[test]
fn all_units_are_booked_together() {
    for (quantity, expected) in [(1, Some(Why::QuantityLimit)), (2, None), (3, Some(Why::QuantityLimit))] {
        assert_eq!(why(|_, request| request.quantity = quantity), expected, "{quantity}");
    }
}

#[test]
fn the_date_and_what_is_left_of_it() {
    assert_eq!(
        found(|_, request| request.visit_date = Some(date("2026-11-20"))),
        refused(Why::DateNotBookable, "visit_date")
    );
    for (left, expected) in [
        (None, None),
        (Some(2), None),
        (Some(1), Some(Why::OutOfStock)),
        (Some(0), Some(Why::OutOfStock)),
        (Some(-1), Some(Why::OutOfStock)),
    ] {
        assert_eq!(why(|_, request| request.counts.date_left = left), expected, "{left:?}");
    }
    let (rules, mut request) = (samples::rules(), samples::request(2, 4));
    for (left, says) in [(1, "1 unit is left"), (-1, "0 units are left")] {
        request.counts.date_left = Some(left);
        let refusal = check_booking(&rules, 2, &request, at("2026-11-21T10:00:00+08:00")).unwrap_err();
        assert!(refusal.sentence.contains(says), "{}", refusal.sentence);
    }
}

#[test]
fn visitors_fit_the_units() {
    for (who, visitors, contact, expected) in [
        (GuestsWho::Each, 3, true, Some(Why::VisitorsMismatch)),
        (GuestsWho::Each, 4, false, None),
        (GuestsWho::Each, 5, false, Some(Why::VisitorsMismatch)),
        (GuestsWho::Each, 0, true, Some(Why::VisitorsMismatch)),
        (GuestsWho::One, 0, false, Some(Why::VisitorsMismatch)),
        (GuestsWho::One, 0, true, None),
        (GuestsWho::One, 1, false, None),
        (GuestsWho::One, 4, false, None),
        (GuestsWho::One, 5, false, Some(Why::VisitorsMismatch)),
    ] {
        let outcome = why(|rules, request| {
            rules.booking.guests.who = who;
            request.visitors.truncate(0);
            request.visitors.extend((1..=visitors).map(guest));
            request.contact = contact.then(|| guest(9));
        });
        assert_eq!(outcome, expected, "{who:?} {visitors} {contact}");
    }
}

#[test]
fn a_guest_who_need_say_nothing_need_not_be_named() {
    let outcome = found(|rules, request| {
        rules.booking.guests.who = GuestsWho::One;
        rules.booking.guests.fields.clear();
        request.visitors.clear();
    });
    assert_eq!(outcome, None);
}

#[test]
fn a_booking_has_at_most_so_many_visitors() {
    for (visitors, expected) in [(VISITORS_MAX, None), (VISITORS_MAX + 1, Some(Why::VisitorsMismatch))] {
        let outcome = why(|rules, request| {
            rules.booking.visitors_per_unit = u32::try_from(visitors).unwrap();
            rules.booking.guests.who = GuestsWho::One;
            request.visitors = vec![Person::default(); visitors];
            request.visitors[0] = guest(1);
        });
        assert_eq!(outcome, expected, "{visitors}");
    }
}

#[test]
fn every_needed_field_has_its_own_code_and_path() {
    type Clear = fn(&mut Person);
    let table: [(Clear, GuestField, Why, &str); 6] = [
        (|p| p.name = None, GuestField::Name, Why::NameMissing, "name"),
        (|p| p.name = Some(PersonName::new(" ")), GuestField::Name, Why::NameMissing, "name"),
        (|p| p.phone = None, GuestField::Phone, Why::PhoneMissing, "phone"),
        (|p| p.phone = Some(Phone::new("")), GuestField::Phone, Why::PhoneMissing, "phone"),
        (|p| p.document = None, GuestField::Document, Why::DocumentMissing, "document"),
        (|p| p.document = document(DocumentType::Passport, ""), GuestField::Document, Why::DocumentMissing, "document"),
    ];
    for (clear, field, expected, path) in table {
        let needed = found(|_, request| clear(&mut request.visitors[2]));
        assert_eq!(needed, refused(expected, &format!("visitors[2].{path}")));
        let not_needed = found(|rules, request| {
            rules.booking.guests.fields.retain(|f| *f != field);
            clear(&mut request.visitors[2]);
        });
        assert_eq!(not_needed, None, "{path}");
        let one = |index: usize| {
            found(|rules, request| {
                rules.booking.guests.who = GuestsWho::One;
                clear(&mut request.visitors[index]);
            })
        };
        assert_eq!(one(0), refused(expected, &format!("visitors[0].{path}")));
        assert_eq!(one(1), None, "{path}");
        let contact = found(|rules, request| {
            rules.booking.guests.who = GuestsWho::One;
            request.visitors.clear();
            request.contact = Some(guest(1));
            clear(request.contact.as_mut().unwrap());
        });
        assert_eq!(contact, refused(expected, &format!("contact.{path}")));
    }
}

#[test]
fn malformed_values_have_their_own_codes() {
    for (name, good) in [
        ("王明", true),
        ("김민수", true),
        ("Anne-Marie O'Neil", true),
        ("买买提·艾力", true),
        ("José\u{301}", true),
        ("王*", false),
        ("王明1", false),
        ("王明０", false),
        ("王明９", false),
        ("1", false),
        ("...", false),
        ("a@b", false),
        ("a\u{7}b", false),
    ] {
        let outcome = found(|_, request| request.visitors[1].name = Some(PersonName::new(name)));
        let expected = if good { None } else { refused(Why::NameMalformed, "visitors[1].name") };
        assert_eq!(outcome, expected, "{name}");
    }
    for (length, expected) in [(NAME_CHARS_MAX, None), (NAME_CHARS_MAX + 1, Some(Why::NameMalformed))] {
        let outcome = why(|_, request| request.visitors[0].name = Some(PersonName::new("王".repeat(length))));
        assert_eq!(outcome, expected, "{length}");
    }
    assert_eq!(
        found(|_, request| request.visitors[3].phone = Some(Phone::new("12345"))),
        refused(Why::PhoneMalformed, "visitors[3].phone")
    );
    let wrong_check = |request: &mut RequestBooking| {
        let good = invented_id_17("11010519900307101");
        let last = if good.ends_with('1') { '2' } else { '1' };
        request.visitors[0].document = document(DocumentType::ResidentId, format!("{}{last}", &good[..17]));
    };
    assert_eq!(
        found(|_, request| wrong_check(request)),
        refused(Why::DocumentMalformed, "visitors[0].document.number")
    );
    let contact = Person { phone: Some(Phone::new("12345")), ..Person::default() };
    assert_eq!(found(|_, r| r.contact = Some(contact)), refused(Why::PhoneMalformed, "contact.phone"));
}

#[test]
fn somebody_not_born_yet_has_no_document() {
    for (birth, expected) in [("20261121", None), ("20261122", Some(Why::DocumentMalformed))] {
        let id = invented_id_17(&format!("110105{birth}101"));
        let outcome = why(|_, request| request.visitors[0].document = document(DocumentType::ResidentId, id));
        assert_eq!(outcome, expected, "{birth}");
    }
}

#[test]
fn only_listed_documents_are_accepted() {
    let passport = |request: &mut RequestBooking| {
        request.visitors[0].document = document(DocumentType::Passport, "EA1234567");
    };
    let expected = refused(Why::DocumentNotAccepted, "visitors[0].document.type");
    assert_eq!(found(|_, request| passport(request)), None);
    let resident_only = |rules: &mut RuleSnapshot| rules.booking.guests.documents = vec![DocumentType::ResidentId];
    assert_eq!(
        found(|rules, request| {
            resident_only(rules);
            passport(request);
        }),
        expected
    );
    assert_eq!(found(|_, request| request.visitors[0].document.as_mut().unwrap().kind = None), expected);
    assert_eq!(
        found(|rules, request| {
            rules.booking.guests.documents.clear();
            rules.booking.guests.fields = vec![GuestField::Name];
            passport(request);
        }),
        None
    );
}

#[test]
fn the_channels_cipher_is_not_judged() {
    let outcome = found(|_, request| {
        for visitor in &mut request.visitors {
            visitor.name = Some(PersonName::new("Enc.1"));
            visitor.phone = Some(Phone::new("Enc.2"));
            visitor.document = document(DocumentType::ResidentId, "Enc.3");
        }
    });
    assert_eq!(outcome, None);
}

#[test]
fn one_document_admits_one_visitor() {
    let passports = |first: &'static str, second: &'static str| {
        found(move |_, request| {
            request.visitors[1].document = document(DocumentType::Passport, first);
            request.visitors[3].document = document(DocumentType::Passport, second);
        })
    };
    assert_eq!(passports("EA1234567", "EA1234568"), None);
    let expected = refused(Why::VisitorHasTicket, "visitors[3].document.number");
    assert_eq!(passports("EA1234567", "EA1234567"), expected);
    assert_eq!(passports("EA1234567", " ea1234567"), expected);
}

#[test]
fn phones_and_documents_have_a_share() {
    for (limit, units, expected) in [
        (None, u32::MAX, None),
        (Some(10), 8, None),
        (Some(10), 9, Some(Why::PhoneLimit)),
        (Some(10), u32::MAX, Some(Why::PhoneLimit)),
    ] {
        let outcome = why(|rules, request| {
            rules.booking.limits.per_phone = limit;
            request.counts.phone_units = units;
        });
        assert_eq!(outcome, expected, "{limit:?} {units}");
    }
    // Visitor 0 shows no document, so that the counts begin with visitor 1.
    let documents = |limit, counts: &[u32]| {
        found(|rules, request| {
            rules.booking.guests.fields = vec![GuestField::Name];
            rules.booking.limits.per_document = limit;
            request.visitors[0].document = None;
            request.counts = Counts { document_bookings: counts.to_vec(), ..Counts::default() };
        })
    };
    assert_eq!(documents(None, &[9, 9, 9]), None);
    assert_eq!(documents(Some(1), &[0, 0, 0]), None);
    assert_eq!(documents(Some(1), &[0, 1, 0]), refused(Why::DocumentLimit, "visitors[2].document"));
    assert_eq!(documents(Some(3), &[2, 2, 2]), None);
    assert_eq!(documents(Some(3), &[2, 2, 3]), refused(Why::DocumentLimit, "visitors[3].document"));
}

#[test]
fn age_is_judged_on_the_visit_date() {
    // 18 on 2026-12-01, the visit date; 17 on 2026-11-21, the day of the booking.
    let with = |birth: &'static str, limits: (Option<u32>, Option<u32>), visit: Option<&'static str>| {
        found(move |rules, request| {
            (rules.booking.limits.min_age, rules.booking.limits.max_age) = limits;
            request.visit_date = visit.map(date);
            request.visitors.truncate(1);
            rules.booking.guests.who = GuestsWho::One;
            request.visitors[0].document =
                document(DocumentType::ResidentId, invented_id_17(&format!("110105{birth}101")));
        })
    };
    let expected = refused(Why::AgeLimit, "visitors[0].document");
    let day = Some("2026-12-01");
    assert_eq!(with("20081201", (Some(18), None), day), None);
    assert_eq!(with("20081202", (Some(18), None), day), expected);
    assert_eq!(with("20081202", (Some(18), None), None), None);
    assert_eq!(with("20071202", (None, Some(18)), day), None);
    assert_eq!(with("20071201", (None, Some(18)), day), expected);
}

#[test]
fn sex_is_read_from_resident_cards_only() {
    let with = |sequence: u32, only: Option<Sex>, kind: DocumentType| {
        why(move |rules, request| {
            rules.booking.limits.sex = only;
            rules.booking.guests.who = GuestsWho::One;
            request.visitors.truncate(1);
            let number = match kind {
                DocumentType::ResidentId => invented_id_17(&format!("1101051990030710{sequence}")),
                _ => "EA1234567".to_owned(),
            };
            request.visitors[0].document = document(kind, number);
        })
    };
    assert_eq!(with(1, Some(Sex::Male), DocumentType::ResidentId), None);
    assert_eq!(with(2, Some(Sex::Male), DocumentType::ResidentId), Some(Why::SexLimit));
    assert_eq!(with(2, Some(Sex::Female), DocumentType::ResidentId), None);
    assert_eq!(with(1, Some(Sex::Female), DocumentType::ResidentId), Some(Why::SexLimit));
    assert_eq!(with(1, None, DocumentType::ResidentId), None);
    assert_eq!(with(1, Some(Sex::Female), DocumentType::Passport), None);
}

#[test]
fn no_sentence_shows_a_guests_data() {
    let (rules, mut request) = (samples::rules(), samples::request(2, 4));
    request.visitors[0].phone = Some(Phone::new("138000000012"));
    let refusal = check_booking(&rules, 2, &request, at("2026-11-21T10:00:00+08:00")).unwrap_err();
    assert!(!refusal.sentence.contains("138"), "{}", refusal.sentence);
}
