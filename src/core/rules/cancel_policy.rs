// SPDX-License-Identifier: Apache-2.0

//! What calling an order off costs under a channel's own policy (`adapters/kakao/README.md`; KA-04).
//!
//! Every bound is an instant that no longer belongs to the time before it: 23:59 of a day is written as 00:00 of the next.

use serde::{Deserialize, Serialize};

use crate::time::{Date, Millis, TimeZone, UnixMillis};

/// Ten-thousandths in a whole.
pub const WHOLE_BP: u32 = 10_000;

/// One step of the ladder: before `until`, the fee is `rate_bp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PolicyTier {
    /// Exclusive.
    pub until: UnixMillis,
    /// Share of the price, in ten-thousandths.
    pub rate_bp: u32,
}

/// What becomes of a booking that nobody used. The channel does it; we wait to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnusedAction {
    /// It counts as used the next day.
    UseNextDay,
    /// It is cancelled and refunded.
    CancelAndRefund,
    /// Nothing.
    Nothing,
}

/// A channel's policy for one order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CancelPolicy {
    /// Whether it can be cancelled at all.
    pub cancelable: bool,
    /// Until when, exclusive; `None` has no end.
    pub until: Option<UnixMillis>,
    /// Until when it costs nothing, whatever the ladder says; exclusive.
    pub free_until: Option<UnixMillis>,
    /// The ladder, in the order of its times; after the last one everything is kept.
    pub tiers: Vec<PolicyTier>,
    /// What becomes of it unused.
    pub unused: UnusedAction,
    /// Whether a part can be cancelled.
    pub partial_allowed: bool,
}

/// The time `minute` of the day `days_before` the visit, in the zone's own days.
pub fn relative_deadline(visit: Date, days_before: u32, minute: u32, zone: TimeZone) -> UnixMillis {
    zone.instant(visit.plus_days(-i64::from(days_before)), minute)
}

/// A bound as an exclusive one: the last minute of a day, as people type it and other systems write it (`23:59`, `23:59:59`), is the
/// midnight that follows it (KA-04). Every other instant stays what it is.
///
/// ```
/// use ticketbridge_core::rules::cancel_policy::exclusive;
/// use ticketbridge_core::{TimeZone, UnixMillis};
///
/// let at = |text| UnixMillis::parse_rfc3339(text).expect("an instant");
/// assert_eq!(exclusive(at("2026-12-01T23:59:00+09:00"), TimeZone::SEOUL), at("2026-12-02T00:00:00+09:00"));
/// assert_eq!(exclusive(at("2026-12-01T18:00:00+09:00"), TimeZone::SEOUL), at("2026-12-01T18:00:00+09:00"));
/// ```
pub fn exclusive(bound: UnixMillis, zone: TimeZone) -> UnixMillis {
    let midnight = zone.end_of(zone.date_of(bound));
    if midnight - bound <= Millis::minutes(1) { midnight } else { bound }
}

/// Whole days from `now` to the visit, in the zone's own days.
pub fn days_before(visit: Date, now: UnixMillis, zone: TimeZone) -> i64 {
    visit.days_since(zone.date_of(now))
}

impl CancelPolicy {
    /// The share that is kept when the order is cancelled at `now`, in ten-thousandths.
    pub fn rate_bp(&self, is_used: bool, now: UnixMillis) -> u32 {
        if is_used || !self.cancelable || self.until.is_some_and(|until| now >= until) {
            return WHOLE_BP;
        }
        if self.tiers.is_empty() || self.free_until.is_some_and(|until| now < until) {
            return 0;
        }
        self.tiers.iter().find(|tier| now < tier.until).map_or(WHOLE_BP, |tier| tier.rate_bp.min(WHOLE_BP))
    }

    /// The fee in minor units for cancelling `base`, of which `held` is still with the seller: rounded down, never above what is held.
    ///
    /// ```
    /// use ticketbridge_core::UnixMillis;
    /// use ticketbridge_core::rules::cancel_policy::{CancelPolicy, PolicyTier, UnusedAction};
    ///
    /// let policy = CancelPolicy {
    ///     cancelable: true,
    ///     until: None,
    ///     free_until: None,
    ///     tiers: vec![PolicyTier { until: UnixMillis(1_000), rate_bp: 0 }, PolicyTier { until: UnixMillis(2_000), rate_bp: 3_000 }],
    ///     unused: UnusedAction::Nothing,
    ///     partial_allowed: false,
    /// };
    /// assert_eq!(policy.fee(9_999, 9_999, false, UnixMillis(999)), 0);
    /// assert_eq!(policy.fee(9_999, 9_999, false, UnixMillis(1_000)), 2_999, "30 %, and the odd unit is the guest's");
    /// assert_eq!(policy.fee(9_999, 1_000, false, UnixMillis(1_000)), 1_000, "never more than is held");
    /// assert_eq!(policy.fee(9_999, 9_999, false, UnixMillis(2_000)), 9_999, "after the last step everything is kept");
    /// ```
    pub fn fee(&self, base: i64, held: i64, is_used: bool, now: UnixMillis) -> i64 {
        share(base, self.rate_bp(is_used, now)).min(held.max(0))
    }
}

/// A share of an amount, rounded down: the odd unit is the guest's.
pub fn share(amount: i64, rate_bp: u32) -> i64 {
    let share = i128::from(amount.max(0)) * i128::from(rate_bp) / i128::from(WHOLE_BP);
    i64::try_from(share).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::samples::{at, date};

    fn ladder() -> CancelPolicy {
        CancelPolicy {
            cancelable: true,
            until: Some(at("2025-11-21T00:00:00+09:00")),
            free_until: Some(at("2025-11-01T10:00:00+09:00")),
            tiers: vec![
                PolicyTier { until: at("2025-11-10T00:00:00+09:00"), rate_bp: 1_000 },
                PolicyTier { until: at("2025-11-20T00:00:00+09:00"), rate_bp: 3_333 },
            ],
            unused: UnusedAction::UseNextDay,
            partial_allowed: false,
        }
    }

    #[test]
    fn edge_01_a_deadline_at_the_end_of_a_day_is_midnight_and_exclusive() {
        let midnight = relative_deadline(date("2025-11-21"), 0, 0, TimeZone::SEOUL);
        assert_eq!(midnight, at("2025-11-20T15:00:00Z"));
        let policy = CancelPolicy { tiers: Vec::new(), free_until: None, until: Some(midnight), ..ladder() };
        assert_eq!(policy.rate_bp(false, at("2025-11-20T23:59:59.999+09:00")), 0);
        assert_eq!(policy.rate_bp(false, at("2025-11-21T00:00:00+09:00")), WHOLE_BP);
    }

    #[test]
    fn edge_02_an_inclusive_second_and_an_exclusive_midnight_are_the_same_bound() {
        for bound in ["2025-11-20T23:59:59+09:00", "2025-11-20T23:59:00+09:00", "2025-11-21T00:00:00+09:00"] {
            assert_eq!(exclusive(at(bound), TimeZone::SEOUL), at("2025-11-20T15:00:00Z"), "{bound}");
        }
        for bound in ["2025-11-20T23:58:59.999+09:00", "2025-11-20T18:00:00+09:00", "2025-11-21T00:00:00.001+09:00"] {
            assert_eq!(exclusive(at(bound), TimeZone::SEOUL), at(bound));
        }
    }

    #[test]
    fn edge_03_days_before_the_visit_are_days_in_seoul() {
        let now = at("2026-02-04T15:10:00Z");
        assert_eq!(days_before(date("2026-02-14"), now, TimeZone::SEOUL), 9);
        assert_eq!(days_before(date("2026-02-14"), now, TimeZone::UTC), 10);
        let deadline = relative_deadline(date("2026-02-14"), 10, 1_080, TimeZone::SEOUL);
        assert_eq!(deadline, at("2026-02-04T18:00:00+09:00"));
    }

    #[test]
    fn edge_04_the_day_changes_at_fifteen_hours_utc() {
        let zone = TimeZone::SEOUL;
        assert_eq!(zone.date_of(at("2026-02-13T14:59:59Z")), date("2026-02-13"));
        assert_eq!(zone.date_of(at("2026-02-13T15:00:00Z")), date("2026-02-14"));
    }

    #[test]
    fn edge_05_an_instant_keeps_its_own_offset() {
        assert_eq!(at("2025-12-01T09:00:00+09:00"), at("2025-12-01T00:00:00Z"));
        assert_eq!(UnixMillis::parse_rfc3339("2025-12-01T09:00:00"), None, "edge_06: no offset is no instant");
    }

    #[test]
    fn the_ladder_changes_exactly_at_its_times() {
        for (when, used, rate) in [
            ("2025-11-01T09:59:59.999+09:00", false, 0),
            ("2025-11-01T10:00:00+09:00", false, 1_000),
            ("2025-11-10T00:00:00+09:00", false, 3_333),
            ("2025-11-20T00:00:00+09:00", false, WHOLE_BP),
            ("2025-11-21T00:00:00+09:00", false, WHOLE_BP),
            ("2025-11-01T09:00:00+09:00", true, WHOLE_BP),
        ] {
            assert_eq!(ladder().rate_bp(used, at(when)), rate, "{when}");
        }
        let never = CancelPolicy { cancelable: false, ..ladder() };
        assert_eq!(never.rate_bp(false, at("2025-11-01T09:00:00+09:00")), WHOLE_BP);
        let free = CancelPolicy { tiers: Vec::new(), until: None, free_until: None, ..ladder() };
        assert_eq!(free.rate_bp(false, at("2030-01-01T00:00:00Z")), 0);
    }

    #[test]
    fn edge_26_a_fee_is_rounded_down_and_never_above_what_is_held() {
        let when = at("2025-11-15T00:00:00+09:00");
        assert_eq!(ladder().fee(93_001, 93_001, false, when), 30_997);
        assert_eq!(ladder().fee(93_001, 10, false, when), 10);
        assert_eq!(ladder().fee(93_001, -5, false, when), 0);
        assert_eq!(ladder().fee(93_001, 93_001, true, when), 93_001);
        assert_eq!(share(i64::MAX, WHOLE_BP), i64::MAX);
    }
}
