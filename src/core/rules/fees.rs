// SPDX-License-Identifier: Apache-2.0

//! What a refund costs under the product's own rule.

use crate::product::{BookingProduct, Fee};
use crate::time::{Date, TimeZone, UnixMillis};

/// Ten-thousandths in a whole.
const WHOLE_BP: i128 = 10_000;

/// The fee for a refund of `amount` asked for at `at`, in minor units: never negative, never above `amount`.
///
/// Tiers count back from 24:00 of the visit day, longest first; the first whose time is still kept holds, its end
/// included. `None` means that a person decides: the product has no rule, there is no visit date to count from, or no
/// tier reaches that far (after the visit day, when the last tier ends with it).
pub fn refund_fee(
    product: &BookingProduct,
    amount: i64,
    visit_date: Option<Date>,
    at: UnixMillis,
    zone: TimeZone,
) -> Option<i64> {
    let tiers = product.refund_rule.as_ref()?;
    let left = zone.end_of(visit_date?) - at;
    tiers.iter().find(|tier| left >= tier.before_visit).map(|tier| fee_of(tier.fee, amount))
}

/// A share is rounded down: the odd unit is the guest's.
fn fee_of(fee: Fee, amount: i64) -> i64 {
    let amount = amount.max(0);
    match fee {
        Fee::Amount(fixed) => fixed.clamp(0, amount),
        Fee::Share(share_bp) => {
            let share = i128::from(amount) * i128::from(share_bp) / WHOLE_BP;
            i64::try_from(share).unwrap_or(amount).min(amount)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::product::FeeTier;
    use crate::rules::samples::{self, at, date};
    use crate::time::Millis;

    fn ask(tiers: Option<Vec<FeeTier>>, amount: i64, visit: Option<&str>, when: &str) -> Option<i64> {
        let mut product = samples::rules().booking;
        product.refund_rule = tiers;
        refund_fee(&product, amount, visit.map(date), at(when), TimeZone::SHANGHAI)
    }
    fn tier(hours: i64, fee: Fee) -> FeeTier {
        FeeTier { before_visit: Millis::hours(hours), fee }
    }

    #[test]
    fn tiers_change_exactly_at_their_time() {
        let tiers = || Some(vec![tier(48, Fee::Share(0)), tier(24, Fee::Amount(500)), tier(0, Fee::Share(2_000))]);
        for (when, expected) in [
            ("2026-11-01T00:00:00+08:00", Some(0)),
            ("2026-11-30T00:00:00+08:00", Some(0)),
            ("2026-11-30T00:00:00.001+08:00", Some(500)),
            ("2026-12-01T00:00:00+08:00", Some(500)),
            ("2026-12-01T00:00:00.001+08:00", Some(7_960)),
            ("2026-12-02T00:00:00+08:00", Some(7_960)),
            ("2026-12-02T00:00:00.001+08:00", None),
        ] {
            assert_eq!(ask(tiers(), 39_800, Some("2026-12-01"), when), expected, "{when}");
        }
        let when = "2026-11-01T00:00:00+08:00";
        assert_eq!(ask(None, 39_800, Some("2026-12-01"), when), None);
        assert_eq!(ask(tiers(), 39_800, None, when), None);
        assert_eq!(ask(Some(Vec::new()), 39_800, Some("2026-12-01"), when), None);
    }

    #[test]
    fn a_fee_is_between_nothing_and_the_amount() {
        for (fee, amount, expected) in [
            (Fee::Share(0), 100, 0),
            (Fee::Share(1), 9_999, 0),
            (Fee::Share(1), 10_000, 1),
            (Fee::Share(3_333), 101, 33),
            (Fee::Share(10_000), 101, 101),
            (Fee::Share(10_001), 10_000, 10_000),
            (Fee::Share(u32::MAX), i64::MAX, i64::MAX),
            (Fee::Share(5_000), i64::MAX, i64::MAX / 2),
            (Fee::Share(2_000), -5, 0),
            (Fee::Amount(100), 100, 100),
            (Fee::Amount(101), 100, 100),
            (Fee::Amount(-1), 100, 0),
            (Fee::Amount(5), 0, 0),
            (Fee::Amount(5), -5, 0),
        ] {
            let found = ask(Some(vec![tier(0, fee)]), amount, Some("2026-12-01"), "2026-11-01T00:00:00+08:00");
            assert_eq!(found, Some(expected), "{fee:?} of {amount}");
        }
    }
}
