// SPDX-License-Identifier: Apache-2.0

//! Which dates can be booked, until when a booking can be cancelled, and how long its tickets admit. Days are the channel's.

use crate::limits::BOOKING_DAYS_AHEAD_MAX;
use crate::product::{AdvanceRule, BookingProduct, Cancellation, RuleSnapshot};
use crate::rejection::{Rejection, Why};
use crate::time::{Date, TimeZone, UnixMillis};

/// Checks a visit date (DY-07): the voucher's booking window, the calendar, not the past, not too far ahead, not begun, and the
/// advance rule. What is left of the date is another question.
pub fn check_date(rules: &RuleSnapshot, date: Date, now: UnixMillis) -> Result<(), Rejection> {
    let zone = rules.channel.time_zone;
    let today = zone.date_of(now);
    if date < today {
        return refuse(format!("{date} is over; choose {today} or a later date"));
    }
    if date.days_since(today) > BOOKING_DAYS_AHEAD_MAX {
        let last = today.plus_days(BOOKING_DAYS_AHEAD_MAX);
        return refuse(format!("{date} is more than {BOOKING_DAYS_AHEAD_MAX} days ahead; the last date is {last}"));
    }
    if let Some(window) = rules.voucher.as_ref().and_then(|v| v.booking_window)
        && !window.contains(date)
    {
        return refuse(format!("{date} is outside the voucher's booking window, {} to {}", window.from, window.to));
    }
    if rules.booking.calendar_on(date).is_none() {
        return refuse(format!("{date} is not open in the product's calendar"));
    }
    if let Some(start) = rules.booking.start.filter(|start| now >= start.begins(date, zone)) {
        return refuse(format!("the visit at {} on {date} has begun", start.clock()));
    }
    match rules.booking.advance {
        Some(rule) if now >= advance_limit(rule, date, zone) => {
            let day = date.plus_days(-i64::from(rule.days));
            let (hour, minute) = (rule.before_minute / 60, rule.before_minute % 60);
            refuse(format!("a visit on {date} can be booked until {hour:02}:{minute:02} on {day} only"))
        }
        _ => Ok(()),
    }
}

fn refuse(sentence: String) -> Result<(), Rejection> {
    Err(Rejection::new(Why::DateNotBookable, sentence).at("visit_date"))
}

/// The first instant at which a visit on `date` can no longer be booked.
pub fn advance_limit(rule: AdvanceRule, date: Date, zone: TimeZone) -> UnixMillis {
    zone.instant(date.plus_days(-i64::from(rule.days)), rule.before_minute)
}

/// The last day on which tickets for `visit_date` admit (DY-12).
pub fn valid_until(product: &BookingProduct, visit_date: Date) -> Date {
    visit_date.plus_days(i64::from(product.valid_days_after))
}

/// Whether the product lets a guest cancel at `at`. Where a limit counts from the visit date and there is none yet, the
/// limit has not passed.
pub fn cancellable_at(product: &BookingProduct, visit_date: Option<Date>, at: UnixMillis, zone: TimeZone) -> bool {
    match (product.cancellation, visit_date) {
        (Cancellation::Never, _) => false,
        (Cancellation::Anytime, _) | (Cancellation::Until { .. }, None) => true,
        (Cancellation::Until { days_before, at_minute }, Some(date)) => {
            at < zone.instant(date.plus_days(-i64::from(days_before)), at_minute)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::product::DateRange;
    use crate::rules::samples::{self, at, date};
    use crate::time::Millis;

    fn sentence(edit: impl FnOnce(&mut RuleSnapshot), visit: &str, now: &str) -> Option<String> {
        let mut rules = samples::rules();
        edit(&mut rules);
        check_date(&rules, date(visit), at(now)).err().map(|refusal| {
            assert_eq!(refusal.why, Why::DateNotBookable);
            assert_eq!(refusal.field.as_deref(), Some("visit_date"));
            refusal.sentence.into_owned()
        })
    }
    fn expect(found: Option<String>, word: Option<&str>) {
        match (&found, word) {
            (None, None) => {}
            (Some(text), Some(word)) if text.contains(word) => {}
            _ => panic!("expected {word:?}, found {found:?}"),
        }
    }

    #[test]
    fn dates_at_the_ends_of_every_range() {
        for (visit, now, word) in [
            ("2026-12-01", "2026-11-21T10:00:00+08:00", None),
            ("2026-11-20", "2026-11-21T10:00:00+08:00", Some("over")),
            ("2026-11-21", "2026-11-21T10:00:00+08:00", None),
            // 00:20 in Shanghai is the new day, though it is still yesterday in UTC.
            ("2026-11-20", "2026-11-21T00:20:00+08:00", Some("over")),
            ("2026-11-20", "2026-11-20T10:00:00+08:00", None),
            ("2027-02-19", "2026-11-21T10:00:00+08:00", None),
            ("2027-02-20", "2026-11-21T10:00:00+08:00", Some("90 days")),
            ("2027-03-31", "2027-03-01T10:00:00+08:00", None),
            ("2027-04-01", "2027-03-01T10:00:00+08:00", Some("booking window")),
            ("2026-11-01", "2026-10-20T10:00:00+08:00", None),
            ("2026-10-31", "2026-10-20T10:00:00+08:00", Some("booking window")),
        ] {
            expect(sentence(|_| {}, visit, now), word);
        }
    }

    #[test]
    fn the_calendar_counts_with_and_without_a_window() {
        let now = "2026-11-21T10:00:00+08:00";
        let no_window = |rules: &mut RuleSnapshot| rules.voucher.as_mut().unwrap().booking_window = None;
        expect(sentence(no_window, "2027-04-01", "2027-03-01T10:00:00+08:00"), Some("calendar"));
        // 2026-12-01 is a Tuesday.
        let weekdays = |days: &'static [u8]| move |r: &mut RuleSnapshot| r.booking.calendar[0].weekdays = days.to_vec();
        expect(sentence(weekdays(&[1]), "2026-12-01", now), None);
        expect(sentence(weekdays(&[0, 2, 3, 4, 5, 6]), "2026-12-01", now), Some("calendar"));
        let direct = |rules: &mut RuleSnapshot| rules.voucher = None;
        expect(sentence(direct, "2026-12-01", now), None);
        let narrow = |rules: &mut RuleSnapshot| {
            rules.voucher.as_mut().unwrap().booking_window =
                Some(DateRange { from: date("2026-12-02"), to: date("2026-12-02") });
        };
        expect(sentence(narrow, "2026-12-01", now), Some("booking window"));
        expect(sentence(narrow, "2026-12-02", now), None);
    }

    #[test]
    fn the_advance_rule_ends_at_its_minute() {
        for (days, minute, now, open) in [
            (0, 720, "2026-12-01T11:59:59+08:00", true),
            (0, 720, "2026-12-01T12:00:00+08:00", false),
            (1, 1_080, "2026-11-30T17:59:59+08:00", true),
            (1, 1_080, "2026-11-30T18:00:00+08:00", false),
            (1, 1_440, "2026-11-30T23:59:59+08:00", true),
            (1, 1_440, "2026-12-01T00:00:00+08:00", false),
            (3, 0, "2026-11-27T23:59:59+08:00", true),
            (3, 0, "2026-11-28T00:00:00+08:00", false),
        ] {
            let rule = AdvanceRule { days, before_minute: minute };
            let found = sentence(|rules| rules.booking.advance = Some(rule), "2026-12-01", now);
            expect(found, (!open).then_some("can be booked until"));
        }
    }

    #[test]
    fn tickets_admit_on_the_days_after_too() {
        let mut product = samples::rules().booking;
        for (days, last) in [(0, "2026-12-31"), (1, "2027-01-01"), (30, "2027-01-30")] {
            product.valid_days_after = days;
            assert_eq!(valid_until(&product, date("2026-12-31")), date(last));
        }
    }

    #[test]
    fn cancelling_ends_exactly_at_its_limit() {
        let zone = TimeZone::SHANGHAI;
        let visit = date("2026-12-01");
        let mut product = samples::rules().booking;
        let mut ask = |rule, visit, at| {
            product.cancellation = rule;
            cancellable_at(&product, visit, at, zone)
        };
        for (days_before, at_minute, limit) in [
            (1, 1_080, "2026-11-30T18:00:00+08:00"),
            (0, 1_440, "2026-12-02T00:00:00+08:00"),
            (0, 0, "2026-12-01T00:00:00+08:00"),
        ] {
            let rule = Cancellation::Until { days_before, at_minute };
            assert!(ask(rule, Some(visit), at(limit) - Millis(1)), "{limit}");
            assert!(!ask(rule, Some(visit), at(limit)), "{limit}");
            assert!(ask(rule, None, at(limit)), "{limit}");
        }
        let late = at("2027-12-31T00:00:00+08:00");
        assert!(ask(Cancellation::Anytime, Some(visit), late));
        assert!(!ask(Cancellation::Never, Some(visit), at("2026-11-01T00:00:00+08:00")));
        assert!(!ask(Cancellation::Never, None, late));
    }
}
