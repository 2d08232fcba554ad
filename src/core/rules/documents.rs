// SPDX-License-Identifier: Apache-2.0

//! Numbers of identity documents: the formats that the issuing authorities publish, and what a resident identity card says
//! of its holder. A check here proves that a number can exist, not that it does.

use chrono::{Datelike, NaiveDate};

use crate::personal::DocumentType;
use crate::product::Sex;
use crate::time::Date;

/// Weights of the first 17 characters of an 18-character number (GB 11643, ISO 7064 MOD 11-2).
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
/// Check characters by the weighted sum modulo 11.
const CHECK_CHARACTERS: &[u8; 11] = b"10X98765432";
/// Years of birth that a number may carry.
const BIRTH_YEARS: std::ops::RangeInclusive<i32> = 1900..=2100;

/// The form in which two spellings of one number are equal.
pub fn normalised(number: &str) -> String {
    number.trim().to_ascii_uppercase()
}

/// Checks that `number` has the format of its kind; the error says what is wrong, without the number.
pub fn check(kind: DocumentType, number: &str) -> Result<(), &'static str> {
    let number = normalised(number);
    let ok = match kind {
        DocumentType::ResidentId => return check_resident(&number),
        DocumentType::PermanentResidenceCard => return check_permanent_residence(&number),
        DocumentType::HkMacauPermit => match number.split_at_checked(1) {
            Some(("C", rest)) => rest.len() == 8 && is_alphanumeric(rest),
            Some(("W", rest)) => rest.len() == 8 && is_digits(rest),
            _ => false,
        },
        DocumentType::TaiwanPermit => match number.split_at_checked(1) {
            Some(("L" | "T", rest)) => rest.len() == 8 && is_digits(rest),
            _ => false,
        },
        DocumentType::HomeReturnPermit => match number.split_at_checked(1) {
            // Ten digits are the number of the person and the number of the issue.
            Some(("H" | "M", rest)) => matches!(rest.len(), 8 | 10) && is_digits(rest),
            _ => false,
        },
        DocumentType::TaiwanCompatriotPermit => matches!(number.len(), 8 | 10) && is_digits(&number),
        DocumentType::Passport => (5..=17).contains(&number.len()) && is_alphanumeric(&number),
    };
    if ok { Ok(()) } else { Err(format_of(kind)) }
}

fn format_of(kind: DocumentType) -> &'static str {
    match kind {
        DocumentType::ResidentId => "a resident identity card has 17 digits and a digit or X",
        DocumentType::HkMacauPermit => "a Hong Kong and Macau permit has C or W and 8 characters",
        DocumentType::TaiwanPermit => "a Taiwan permit has L or T and 8 digits",
        DocumentType::HomeReturnPermit => "a home-return permit has H or M and 8 or 10 digits",
        DocumentType::TaiwanCompatriotPermit => "a Taiwan compatriot permit has 8 or 10 digits",
        DocumentType::Passport => "a passport has 5 to 17 letters and digits",
        DocumentType::PermanentResidenceCard => {
            "a permanent residence card has 3 letters and 12 digits, or 9, 16 digits and a digit or X"
        }
    }
}

/// Date of birth and sex from a resident identity card's number; `None` when the number is not a valid one.
///
/// ```
/// use ticketbridge_core::Date;
/// use ticketbridge_core::rules::documents::{age_on, resident_facts};
///
/// let (birth, _) = resident_facts("11010519491231002X").expect("its check character is right");
/// assert_eq!(Some(birth), Date::parse("1949-12-31"));
/// assert_eq!(age_on(birth, Date::parse("2026-12-30").expect("a date")), 76);
/// assert_eq!(resident_facts("110105194912310021"), None, "its check character is wrong");
/// ```
pub fn resident_facts(number: &str) -> Option<(Date, Sex)> {
    let number = normalised(number);
    check_resident(&number).ok()?;
    let sex = match number.as_bytes().get(16)? % 2 {
        0 => Sex::Female,
        _ => Sex::Male,
    };
    Some((birth_in(&number)?, sex))
}

/// Full years of age on `on`; somebody born on 29 February is a year older on 1 March. Negative before birth.
pub fn age_on(birth: Date, on: Date) -> i64 {
    let years = i64::from(on.0.year()) - i64::from(birth.0.year());
    if (on.0.month(), on.0.day()) < (birth.0.month(), birth.0.day()) { years - 1 } else { years }
}

fn check_resident(number: &str) -> Result<(), &'static str> {
    if number.len() == 15 && is_digits(number) {
        return Err(
            "this is a number of 15 digits from the cards withdrawn in 2013; give the 18 characters of the present card",
        );
    }
    check_18(number, DocumentType::ResidentId)?;
    match number.as_bytes().first() {
        Some(b'1'..=b'8') => Ok(()),
        _ => Err("the region at the beginning of the identity number does not exist"),
    }
}

/// The card of 2023 numbers its holder like a resident, with 9 in front; the one before has letters of the nationality.
fn check_permanent_residence(number: &str) -> Result<(), &'static str> {
    match number.split_at_checked(3) {
        Some((country, rest)) if number.len() == 15 && is_letters(country) && is_digits(rest) => Ok(()),
        Some(_) if number.len() == 18 && number.starts_with('9') => {
            check_18(number, DocumentType::PermanentResidenceCard)
        }
        _ => Err(format_of(DocumentType::PermanentResidenceCard)),
    }
}

/// What both numbers of 18 characters share: shape, date of birth, check character.
fn check_18(number: &str, kind: DocumentType) -> Result<(), &'static str> {
    let Some((digits, check)) = number.split_at_checked(17) else { return Err(format_of(kind)) };
    if !is_digits(digits) || !(is_digits(check) || check == "X") || check.len() != 1 {
        return Err(format_of(kind));
    }
    if birth_in(number).is_none() {
        return Err("the date of birth in the identity number does not exist");
    }
    if check.as_bytes().first() != Some(&check_character(digits)) {
        return Err("the check character of the identity number does not fit; look for a mistyped digit");
    }
    Ok(())
}

/// The check character that belongs behind 17 digits.
fn check_character(digits: &str) -> u8 {
    let sum: u32 = digits.bytes().zip(WEIGHTS).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    CHECK_CHARACTERS[(sum % 11) as usize]
}

/// The date in characters 7 to 14.
fn birth_in(number: &str) -> Option<Date> {
    let birth = NaiveDate::parse_from_str(number.get(6..14)?, "%Y%m%d").ok()?;
    BIRTH_YEARS.contains(&birth.year()).then_some(Date(birth))
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}
fn is_letters(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_uppercase())
}
fn is_alphanumeric(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::samples::{date, invented_id, invented_id_17};

    #[test]
    fn the_check_character_is_that_of_the_standard() {
        // The worked examples of GB 11643-1999.
        assert_eq!(check_character("11010519491231002"), b'X');
        assert_eq!(check_character("44052418800101001"), b'4');
    }

    #[test]
    fn resident_numbers() {
        let good = invented_id("1101051990030710");
        assert_eq!(check(DocumentType::ResidentId, &good), Ok(()));
        for last in b"0123456789X" {
            let tried = format!("{}{}", &good[..17], char::from(*last));
            assert_eq!(check(DocumentType::ResidentId, &tried).is_ok(), tried == good, "{last}");
        }
        for (prefix, word) in [
            ("1101051990030710", None),
            ("8100001990030710", None),
            ("0101051990030710", Some("region")),
            ("9101051990030710", Some("region")),
            ("1101051900010110", None),
            ("1101051899123110", Some("date of birth")),
            ("1101052100123110", None),
            ("1101052101010110", Some("date of birth")),
            ("1101051990023010", Some("date of birth")),
            ("1101052000022910", None),
            ("1101051900022910", Some("date of birth")),
            ("1101051990130110", Some("date of birth")),
            ("1101051990003110", Some("date of birth")),
        ] {
            let found = check(DocumentType::ResidentId, &invented_id(prefix)).err();
            assert_eq!(found.is_some(), word.is_some(), "{prefix}: {found:?}");
            assert!(found.unwrap_or("").contains(word.unwrap_or("")), "{prefix}: {found:?}");
        }
        let old = check(DocumentType::ResidentId, "110105900307101").unwrap_err();
        assert!(old.contains("15 digits"), "{old}");
    }

    #[test]
    fn a_lower_case_x_is_a_check_character() {
        let upper =
            (0..100).map(|n| invented_id(&format!("11010519900307{n:02}"))).find(|id| id.ends_with('X')).unwrap();
        assert_eq!(check(DocumentType::ResidentId, &upper), Ok(()));
        assert_eq!(check(DocumentType::ResidentId, &upper.to_lowercase()), Ok(()));
        assert_eq!(normalised(&format!(" {} ", upper.to_lowercase())), upper);
    }

    #[test]
    fn formats_of_the_other_documents() {
        use DocumentType::*;
        for (kind, good, bad) in [
            (
                HkMacauPermit,
                &["C12345678", "c12345678", "CA1234567", "W12345678"][..],
                &["C1234567", "C123456789", "D12345678", "WA1234567", "123456789", "", "Ｃ12345678"][..],
            ),
            (
                TaiwanPermit,
                &["L12345678", "T12345678", "t12345678"],
                &["L1234567", "L123456789", "C12345678", "LA1234567"],
            ),
            (
                HomeReturnPermit,
                &["H12345678", "M12345678", "H1234567890"],
                &["H1234567", "H123456789", "H12345678901", "A12345678", "HA2345678"],
            ),
            (TaiwanCompatriotPermit, &["12345678", "1234567890"], &["1234567", "123456789", "12345678901", "A2345678"]),
            (
                Passport,
                &["E1234", "EA1234567", "12345678901234567"],
                &["E123", "123456789012345678", "E1234-67", "护照12345"],
            ),
            (
                PermanentResidenceCard,
                &["CAN110012345678", "can110012345678"],
                &["CAN11001234567", "CAN1100123456789", "CA1110012345678", "110012345678CAN", ""],
            ),
            (
                ResidentId,
                &[],
                &["", "1", "11010519900307100", "1101051990030710000", "A1010519900307100X", "身份证身份证"],
            ),
        ] {
            for number in good {
                assert_eq!(check(kind, number), Ok(()), "{kind:?} {number}");
            }
            for number in bad {
                assert_eq!(check(kind, number), Err(format_of(kind)), "{kind:?} {number}");
            }
        }
    }

    #[test]
    fn the_card_of_2023_has_the_same_check_character() {
        let good = invented_id("9111241990030710");
        assert_eq!(check(DocumentType::PermanentResidenceCard, &good), Ok(()));
        assert!(check(DocumentType::ResidentId, &good).is_err());
        let wrong = if good.ends_with('1') { "2" } else { "1" };
        assert!(check(DocumentType::PermanentResidenceCard, &format!("{}{wrong}", &good[..17])).is_err());
        let resident = invented_id("1101051990030710");
        assert!(check(DocumentType::PermanentResidenceCard, &resident).is_err());
    }

    #[test]
    fn birth_and_sex_are_read() {
        for sequence in 0..10 {
            let id = invented_id_17(&format!("1101051990030710{sequence}"));
            let sex = if sequence % 2 == 1 { Sex::Male } else { Sex::Female };
            assert_eq!(resident_facts(&id), Some((date("1990-03-07"), sex)), "{sequence}");
        }
        assert_eq!(resident_facts("110105199003071000"), None);
    }

    #[test]
    fn age_grows_on_the_birthday() {
        for (birth, on, years) in [
            ("2000-06-15", "2018-06-14", 17),
            ("2000-06-15", "2018-06-15", 18),
            ("2000-02-29", "2018-02-28", 17),
            ("2000-02-29", "2018-03-01", 18),
            ("2000-02-29", "2020-02-29", 20),
            ("2026-12-02", "2026-12-01", -1),
            ("2026-12-01", "2026-12-01", 0),
        ] {
            assert_eq!(age_on(date(birth), date(on)), years, "{birth} on {on}");
        }
    }
}
