// SPDX-License-Identifier: Apache-2.0

//! What reading a partner's answer needs, whoever the partner is.

use http::header;
use ticketbridge_core::limits::{CODE_CHARS_MAX, QR_CHARS_MAX, TEXT_CHARS_MAX};
use ticketbridge_core::order::TicketKind;
use ticketbridge_core::port::HttpResponse;
use ticketbridge_core::quoted::{ForeignCode, FreeText, Quoted};
use ticketbridge_core::time::{Millis, UnixMillis};

/// The longest wait that a partner can ask for; the schedule of attempts clamps it further.
const RETRY_AFTER_MAX: Millis = Millis::hours(24);

/// When the partner says to come again: `Retry-After` in seconds, or as a date against the answer's own `Date`.
pub fn retry_after(response: &HttpResponse) -> Option<Millis> {
    let text = response.headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u32>() {
        Ok(seconds) => Millis::seconds(i64::from(seconds)),
        Err(_) => UnixMillis::parse_http_date(text)? - response.date()?,
    };
    Some(wait.clamp(Millis(0), RETRY_AFTER_MAX))
}

/// A partner's free text, as we may keep and show it: cut, without control characters, and with every long row of digits masked,
/// because partners quote phone and document numbers in their reasons.
pub fn partner_text(text: &str) -> FreeText {
    FreeText::from(masked(text))
}

/// The same of a code.
pub fn partner_code(text: &str) -> ForeignCode {
    ForeignCode::new(masked(text))
}

fn masked(text: &str) -> Quoted {
    let cut = text.trim().chars().take(TEXT_CHARS_MAX);
    Quoted::text(&cut.map(|c| if c.is_control() { ' ' } else { c }).collect::<String>())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, StatusCode};

    use super::*;

    fn after(pairs: &[(&'static str, &str)]) -> Option<i64> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        retry_after(&HttpResponse { status: StatusCode::OK, headers, body: Bytes::new() }).map(|wait| wait.0)
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(after(&[("retry-after", "7")]), Some(7_000));
        assert_eq!(after(&[("retry-after", "4294967295")]), Some(86_400_000));
        assert_eq!(after(&[("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"), date]), Some(30_000));
        assert_eq!(after(&[("retry-after", "Sun, 06 Nov 1994 08:40:07 GMT"), date]), Some(0));
        assert_eq!(after(&[("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT")]), None);
        assert_eq!(after(&[("retry-after", "soon"), date]), None);
        assert_eq!(after(&[("retry-after", "-1"), date]), None);
        assert_eq!(after(&[]), None);
    }

    #[test]
    fn a_reason_loses_what_may_be_a_number_of_a_person() {
        assert_eq!(partner_text(" closed on 2026-12-01\n(gate 123456) "), "closed on 2026-12-01 (gate 123456)");
        assert_eq!(partner_text("phone 13800000001 used twice"), "phone *** used twice");
        assert_eq!(partner_text("id 110101199003071234"), "id ***");
        assert_eq!(partner_text("document 11010119900307123X"), "document ***X");
        assert_eq!(partner_text(&"x".repeat(TEXT_CHARS_MAX + 1)).reveal().len(), TEXT_CHARS_MAX);
    }
}

/// Why a ticket that a back-end gave cannot be handed to a guest; `None` when it can.
pub(crate) fn unusable_code(kind: TicketKind, code: &str) -> Option<String> {
    let chars_max = match kind {
        TicketKind::Code | TicketKind::Document => CODE_CHARS_MAX,
        TicketKind::Qr | TicketKind::Url => QR_CHARS_MAX,
    };
    if code.trim().is_empty() {
        return Some("it is empty".to_owned());
    }
    if code.chars().count() > chars_max {
        return Some(format!("longer than {chars_max} characters"));
    }
    if code.chars().any(char::is_control) {
        return Some("it has control characters".to_owned());
    }
    (!kind.can_be(code)).then(|| "not an address of a page (http or https)".to_owned())
}

#[cfg(test)]
mod code_tests {
    use super::*;

    #[test]
    fn a_guest_is_given_no_address_but_that_of_a_page() {
        for good in ["https://t.example/a", "HTTP://t.example"] {
            assert_eq!(unusable_code(TicketKind::Url, good), None, "{good}");
        }
        for bad in ["javascript:alert(1)", "data:text/html,x", "file:///etc/hosts", "t.example/a", "https://"] {
            assert!(unusable_code(TicketKind::Url, bad).is_some(), "{bad}");
            assert_eq!(unusable_code(TicketKind::Qr, bad), None, "what a gate reads is its own affair: {bad}");
        }
        assert!(unusable_code(TicketKind::Code, " ").is_some());
        assert!(unusable_code(TicketKind::Code, "A\u{7}").is_some());
    }
}
