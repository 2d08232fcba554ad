// SPDX-License-Identifier: Apache-2.0

//! What calling a reservation off costs (`adapters/kakao/README.md`), written a second time and apart from the bridge's. Pure.

use serde_json::{Value, json};

use crate::time::Zone;

/// Ten-thousandths in a whole.
const WHOLE_BP: i64 = 10_000;
/// Milliseconds in a minute.
const MINUTE_MS: i64 = 60_000;

/// A policy with one deadline, and a ladder before it.
#[derive(Clone, Debug)]
pub struct Policy {
    /// From here on nothing goes back, milliseconds since 1970; exclusive.
    pub until_ms: i64,
    /// Minutes after the booking in which cancelling is free.
    pub free_minutes: i64,
    /// Until when, exclusive, and the fee until then in ten-thousandths; ascending.
    pub tiers: Vec<(i64, i64)>,
}

impl Policy {
    /// The fee's share at `now_ms`, in ten-thousandths.
    pub fn rate_bp(&self, booked_at_ms: i64, is_used: bool, now_ms: i64) -> i64 {
        if is_used || now_ms >= self.until_ms {
            return WHOLE_BP;
        }
        if now_ms < booked_at_ms + self.free_minutes * MINUTE_MS {
            return 0;
        }
        self.tiers.iter().find(|(until, _)| now_ms < *until).map_or(WHOLE_BP, |(_, bp)| *bp)
    }

    /// The fee in won: rounded down, and never more than what is held.
    pub fn fee(share_bp: i64, net: i64, held: i64) -> i64 {
        (net * share_bp / WHOLE_BP).min(held)
    }

    /// As it is told.
    pub fn told(&self) -> Value {
        let until = Zone::SEOUL.written(self.until_ms);
        let tier = |(until, bp): &(i64, i64)| json!({ "until": Zone::SEOUL.written(*until), "fee_rate_bp": bp });
        json!({
            "cancelable": true,
            "deadline": { "kind": "FIXED", "fixed_until": until, "days_before": null, "at_time": null, "resolved_until": until },
            "free_minutes_after_booking": self.free_minutes,
            "tiers": self.tiers.iter().map(tier).collect::<Vec<_>>(),
            "unused_action": "AUTO_USE_NEXT_DAY",
            "partial_allowed": false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ladder_its_end_and_the_free_period() {
        let policy = Policy { until_ms: 300_000, free_minutes: 1, tiers: vec![(100_000, 0), (200_000, 3_000)] };
        let rate = |now| policy.rate_bp(-60_000, false, now);
        assert_eq!(
            [99_999, 100_000, 199_999, 200_000, 299_999, 300_000].map(rate),
            [0, 3_000, 3_000, 10_000, 10_000, 10_000]
        );
        assert_eq!(policy.rate_bp(150_000, false, 209_999), 0, "free in the first minute");
        assert_eq!(policy.rate_bp(150_000, true, 150_001), 10_000, "used is used");
        assert_eq!((Policy::fee(3_000, 93_001, 93_001), Policy::fee(10_000, 93_000, 50_000)), (27_900, 50_000));
    }
}
