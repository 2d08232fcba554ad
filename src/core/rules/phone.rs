// SPDX-License-Identifier: Apache-2.0

//! What a phone number looks like: of the mainland, of Korea, or international with a plus sign.

use crate::personal::Phone;
use crate::rejection::{Rejection, Why};

/// Characters of a number as written, with all its separators.
const PHONE_CHARS_MAX: usize = 32;
/// Digits of an international number (ITU-T E.164), the country's included.
const INTERNATIONAL_DIGITS: std::ops::RangeInclusive<usize> = 6..=15;

/// Refuses a number that is none. The channel's own cipher cannot be judged and passes.
pub(crate) fn check(phone: &Phone, field: impl Into<std::borrow::Cow<'static, str>>) -> Result<(), Rejection> {
    if phone.is_remote_cipher() || is_phone(phone.reveal()) {
        return Ok(());
    }
    let sentence = "the phone number is not one; give 11 digits, or a plus sign and the country's code first";
    Err(Rejection::new(Why::PhoneMalformed, sentence).at(field))
}

/// Whether `text` looks like a phone number that can be called or written to.
///
/// ```
/// use ticketbridge_core::rules::phone::is_phone;
///
/// assert!(is_phone("13800000001"));
/// assert!(is_phone("+82 10-1234-5678"));
/// assert!(!is_phone("call me"));
/// ```
pub fn is_phone(text: &str) -> bool {
    let text = text.trim();
    if text.chars().count() > PHONE_CHARS_MAX {
        return false;
    }
    let (international, rest) = match text.strip_prefix('+') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let digits: String = rest.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')')).collect();
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    if international {
        return match digits.strip_prefix("86") {
            Some(national) => is_mainland_mobile(national),
            None => INTERNATIONAL_DIGITS.contains(&digits.len()) && !digits.starts_with('0'),
        };
    }
    let mainland = digits.strip_prefix("0086").or_else(|| digits.strip_prefix("86")).unwrap_or(&digits);
    is_mainland_mobile(mainland) || is_korean(&digits)
}

/// Eleven digits, the first 1, the second 3 to 9.
fn is_mainland_mobile(digits: &str) -> bool {
    digits.len() == 11 && matches!(digits.as_bytes(), [b'1', b'3'..=b'9', ..])
}

/// A Korean mobile number (010 and eight digits; the older prefixes have seven or eight), or one of the virtual 050x
/// numbers that stand for it.
fn is_korean(digits: &str) -> bool {
    match digits.as_bytes() {
        [b'0', b'1', b'0', ..] => digits.len() == 11,
        [b'0', b'1', b'1' | b'6'..=b'9', ..] => (10..=11).contains(&digits.len()),
        [b'0', b'5', b'0', ..] => (11..=12).contains(&digits.len()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_pass() {
        for text in [
            "13800000001",
            "19900000001",
            "138 0000 0001",
            "+8613800000001",
            "+86 138-0000-0001",
            "8613800000001",
            "008613800000001",
            "010-1234-5678",
            "01012345678",
            "010-0000-0000",
            "011-123-4567",
            "019-1234-5678",
            "0504-1234-5678",
            "+82 10-1234-5678",
            "+82-10-1234-5678",
            "+123456",
            "+123456789012345",
            "+1 (202) 555.0100",
            " 13800000001 ",
        ] {
            assert!(is_phone(text), "{text}");
        }
    }

    #[test]
    fn numbers_that_do_not() {
        for text in [
            "",
            " ",
            "+",
            "1380000000",
            "138000000011",
            "12800000001",
            "23800000001",
            "138****0001",
            "1380000000a",
            "+861380000000",
            "+8612800000001",
            "861280000000",
            "010-1234-567",
            "010-1234-56789",
            "012-1234-5678",
            "011-123-456",
            "011-1234-56789",
            "+12345",
            "+1234567890123456",
            "+0123456789",
            "++123456789",
            "12345678+",
            "phone",
            "１３８００００００００１",
        ] {
            assert!(!is_phone(text), "{text}");
        }
        for (separators, good) in [(PHONE_CHARS_MAX - 11, true), (PHONE_CHARS_MAX - 10, false)] {
            assert_eq!(is_phone(&format!("1{}3800000001", "-".repeat(separators))), good, "{separators}");
        }
    }
}
