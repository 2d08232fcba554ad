// SPDX-License-Identifier: Apache-2.0

//! Whether calls go to a destination at all. A breaker looks at orders, not at calls: one order that fails again and again says nothing
//! about the others. It opens when several different orders failed in a row, and then lets some that have not failed go in rounds: a
//! healthy order among many sick ones gets through within seconds, and a partner that is down is left alone but for a call now and then.

use std::time::Duration;

use ticketbridge_core::OrderId;

/// Different orders that fail in a row and open a breaker.
pub const FAILURES_TO_OPEN: usize = 5;
/// How far back failures count.
const WINDOW: Duration = Duration::from_secs(60);
/// Time to the first round of trials, doubled from round to round.
const ROUND_FIRST: Duration = Duration::from_secs(1);
/// Longest time between two rounds, while there are orders that have not failed.
const ROUND_MAX: Duration = Duration::from_secs(4);
/// Longest time between two trials where nothing can be reached, or every order that waits has failed.
const LEFT_ALONE_MAX: Duration = Duration::from_secs(16);
/// Orders that have not failed and are tried in one round.
const ROUND: u32 = 16;
/// So many different orders failed without any that did not: it is not the orders. One is tried in a round from then on.
const FAILURES_TO_BE_SURE: usize = 48;

/// What a call that did not go well tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An answer came, and it is of no use: the order's own trouble.
    OfOrder,
    /// No answer came, or one that says that the partner itself is in trouble: the order's, or everybody's.
    OfEither,
    /// The partner could not be reached, or gives no access: everybody's.
    OfPartner,
}

/// A destination's breaker.
#[derive(Clone, Debug, Default)]
pub(crate) struct Breaker {
    /// Orders that failed since the last success, with the time of each.
    row: Vec<(OrderId, Duration)>,
    open: Option<Open>,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    /// Not before then an order that has not failed is tried.
    next_round: Duration,
    rounds: u32,
    /// Not before then one that has failed is.
    next_repeat: Duration,
    repeats: u32,
    /// The partner cannot be reached.
    unreachable: bool,
    failures: usize,
}

/// How many may be tried now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trials {
    pub(crate) total: u32,
    pub(crate) failed: u32,
}

fn doubled(first: Duration, times: u32, most: Duration) -> Duration {
    first.saturating_mul(1 << times.min(16)).min(most)
}

impl Breaker {
    /// Whether it is open.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// While it is open: who may be tried now. `None` when it is closed.
    pub(crate) fn trials(&self, now: Duration) -> Option<Trials> {
        let open = self.open.as_ref()?;
        let is_sure = open.unreachable || open.failures >= FAILURES_TO_BE_SURE;
        let failed = u32::from(now >= open.next_repeat);
        let total = match now >= open.next_round {
            true if is_sure => 1,
            true => ROUND,
            false => failed,
        };
        // Where only a repeat is due, one that has not failed takes its place if there is one.
        Some(Trials { total, failed })
    }

    /// When somebody may be tried next, while it is open.
    pub(crate) fn next_trial(&self, now: Duration) -> Option<Duration> {
        let open = self.open.as_ref()?;
        [open.next_round, open.next_repeat].into_iter().filter(|at| *at > now).min()
    }

    /// A call begins; while the breaker is open, the next round comes later.
    pub(crate) fn begins(&mut self, failed_last: bool, now: Duration) {
        let Some(open) = &mut self.open else { return };
        let round_max = if open.unreachable { LEFT_ALONE_MAX } else { ROUND_MAX };
        let is_round = now >= open.next_round;
        if is_round {
            open.next_round = now + doubled(ROUND_FIRST, open.rounds, round_max);
            open.rounds += 1;
        }
        // One that has not failed may have taken the place of a repeat.
        if now >= open.next_repeat && (failed_last || !is_round) {
            open.next_repeat = now + doubled(ROUND_FIRST * 2, open.repeats, LEFT_ALONE_MAX);
            open.repeats += 1;
        }
    }

    /// A call went as it should.
    pub(crate) fn succeeded(&mut self) {
        self.row.clear();
        self.open = None;
    }

    /// A call of `order` went wrong in a way that may be the partner's; whether the breaker opens now. An order that is known to fail says
    /// nothing new, unless nobody can be reached.
    pub(crate) fn failed(&mut self, order: &OrderId, fault: Fault, was_known: bool, now: Duration) -> bool {
        let unreachable = match fault {
            Fault::OfOrder => return false,
            Fault::OfEither => false,
            Fault::OfPartner => true,
        };
        self.row.retain(|(_, at)| now.saturating_sub(*at) <= WINDOW);
        if (unreachable || !was_known) && !self.row.iter().any(|(known, _)| known == order) {
            self.row.push((order.clone(), now));
            if self.row.len() > FAILURES_TO_BE_SURE {
                self.row.remove(0);
            }
            if let Some(open) = &mut self.open {
                open.failures += 1;
            }
        }
        if let Some(open) = &mut self.open {
            open.unreachable = unreachable;
            return false;
        }
        if self.row.len() < FAILURES_TO_OPEN {
            return false;
        }
        let next_repeat = now + ROUND_FIRST * 2;
        let failures = self.row.len();
        self.open =
            Some(Open { next_round: now + ROUND_FIRST, rounds: 0, next_repeat, repeats: 1, unreachable, failures });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    fn order(n: usize) -> OrderId {
        OrderId(format!("ord_{n}"))
    }

    #[test]
    fn one_order_never_opens_it_and_several_different_ones_do() {
        let mut breaker = Breaker::default();
        for at in 0..100 {
            assert!(!breaker.failed(&order(1), Fault::OfEither, at > 0, S(at)));
        }
        let mut breaker = Breaker::default();
        for n in 0..40 {
            assert!(!breaker.failed(&order(n), Fault::OfOrder, false, S(0)), "an answer came each time");
        }
        let opened: Vec<bool> = (0..5).map(|n| breaker.failed(&order(n), Fault::OfEither, false, S(1))).collect();
        assert_eq!(opened, [false, false, false, false, true]);
        assert_eq!(breaker.trials(S(1)), Some(Trials { total: 0, failed: 0 }));
        breaker.succeeded();
        assert_eq!(breaker.trials(S(1)), None);
        for n in 0..40 {
            assert!(!breaker.failed(&order(n), Fault::OfEither, true, S(2)), "they are known to fail");
        }
        for n in 0..40 {
            assert!(!breaker.failed(&order(100 + n), Fault::OfEither, false, S(30 * n as u64)), "not in a row");
        }
    }

    /// Forty orders that fail come first; the healthy one behind them is tried within five seconds of the opening.
    #[test]
    fn forty_sick_orders_are_tried_in_rounds_of_five_seconds_together() {
        let mut breaker = Breaker::default();
        let (mut waiting, mut now, mut last): (Vec<usize>, _, _) = ((5..41).collect(), S(0), S(0));
        for n in 0..5 {
            breaker.failed(&order(n), Fault::OfEither, false, now);
        }
        while !waiting.is_empty() {
            let Some(trials) = breaker.trials(now) else { panic!("nothing has succeeded") };
            for n in waiting.drain(..waiting.len().min(trials.total as usize)).collect::<Vec<_>>() {
                breaker.begins(false, now);
                breaker.failed(&order(n), Fault::OfEither, false, now);
            }
            last = now;
            now = breaker.next_trial(now).unwrap_or(now);
        }
        assert!(last <= S(5), "{last:?}");
    }

    #[test]
    fn a_partner_that_is_down_is_left_alone() {
        for (fault, most) in [(Fault::OfEither, 90), (Fault::OfPartner, 30)] {
            let (mut breaker, mut calls) = (Breaker::default(), 0);
            // Two new orders a second for two minutes, and all that failed wait to be repeated.
            for tenth in 0..1_200_u64 {
                let now = Duration::from_millis(tenth * 100);
                let trials = breaker.trials(now).unwrap_or(Trials { total: 2, failed: 0 });
                for n in 0..trials.total.min(2) {
                    calls += 1;
                    breaker.begins(false, now);
                    breaker.failed(&order(tenth as usize * 2 + n as usize), fault, false, now);
                }
            }
            assert!(calls <= most, "{fault:?}: {calls}");
        }
    }
}
