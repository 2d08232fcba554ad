// SPDX-License-Identifier: Apache-2.0

//! How often a partner comes, and how often an address proves nothing.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::{Quota, RateLimiter, clock::DefaultClock, state::keyed::DashMapStateStore};

use crate::http::caller::Caller;

type Limiter = RateLimiter<Counted, DashMapStateStore<Counted>, DefaultClock>;

/// Callers remembered before those who have not called for a while are forgotten.
const CALLERS_KEPT: usize = 10_000;
/// Requests of one address, a second, that prove nothing and are still told why.
pub const FAILURES_PER_SECOND: u32 = 20;
/// The same, all at once after a while of silence.
pub const FAILURES_AT_ONCE: u32 = 100;
/// Tokens that open nothing which one caller may present within [`WRONG_TOKENS_WITHIN`] of the first.
pub const WRONG_TOKENS_MAX: u32 = 20;
/// See [`WRONG_TOKENS_MAX`].
pub const WRONG_TOKENS_WITHIN: Duration = Duration::from_secs(60);
/// Requests in a row from one address after which it is taken for a proxy's.
const SAME_ADDRESS_MAX: u32 = 1_000;
/// How often the same warning is said at most.
const WARN_EVERY: Duration = Duration::from_secs(60 * 60);

/// What has a count of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Counted {
    /// Whoever holds this key of this partner.
    Partner(String, usize),
    /// The failures of an address.
    Failures(Caller),
    /// Everything from an address, to what is open to everybody.
    Address(&'static str, Caller),
}

/// Counts requests.
#[derive(Default)]
pub struct Callers {
    limiters: Mutex<HashMap<(u32, u32), Arc<Limiter>>>,
    auth_throttle: Mutex<AuthThrottle>,
    proxies: Mutex<Proxies>,
}

impl Callers {
    /// Whether the holder of a key of `partner`, who has proved that he is, may make one more request now, at `per_second`.
    pub fn admit(&self, partner: &str, key_index: usize, per_second: u32) -> bool {
        self.check(Counted::Partner(partner.to_owned(), key_index), per_second, per_second)
    }

    /// Whether one more request of this address that proves nothing is told why, where a partner may make `per_second`. Callers that are
    /// unknown count as one.
    pub fn may_fail(&self, caller: Caller, per_second: u32) -> bool {
        let failures = Counted::Failures(caller.counted_as());
        self.check(failures, per_second.min(FAILURES_PER_SECOND), per_second.min(FAILURES_AT_ONCE))
    }

    /// Whether this address may make one more request to what is open to everybody.
    pub fn may_look(&self, at: &'static str, caller: Caller, per_second: u32) -> bool {
        self.check(Counted::Address(at, caller.counted_as()), per_second, per_second)
    }

    fn check(&self, counted: Counted, per_second: u32, at_once: u32) -> bool {
        let (Some(rate), Some(burst)) = (NonZeroU32::new(per_second), NonZeroU32::new(at_once)) else { return true };
        let limiter = {
            let mut limiters = self.limiters.lock().unwrap_or_else(PoisonError::into_inner);
            let quota = Quota::per_second(rate).allow_burst(burst);
            limiters.entry((per_second, at_once)).or_insert_with(|| Arc::new(RateLimiter::dashmap(quota))).clone()
        };
        if limiter.len() > CALLERS_KEPT {
            limiter.retain_recent();
        }
        limiter.check_key(&counted).is_ok()
    }

    /// Who has presented tokens that open nothing.
    pub(crate) fn auth_throttle(&self) -> MutexGuard<'_, AuthThrottle> {
        self.auth_throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes from where a request came; what ought to be said of it, now and then. `now` is monotonic.
    pub(crate) fn came_from(&self, arrival: &Arrival, now: Duration) -> Option<Suspicion> {
        self.proxies.lock().unwrap_or_else(PoisonError::into_inner).note(arrival, now)
    }
}

/// From where a request came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// The other end of the connection.
    pub(crate) peer: IpAddr,
    /// Whether that is a proxy that is believed.
    pub(crate) is_trusted: bool,
    /// Whether the request says that it was passed on.
    pub(crate) is_forwarded: bool,
    /// Whether partners come over https, which somebody else has to end.
    pub(crate) is_https: bool,
}

/// Signs of a proxy that nobody has named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suspicion {
    /// It says that it passes requests on.
    SaysSo,
    /// Everybody seems to have its address.
    OneAddress,
}

/// Watches for proxies that are not named: behind one all callers are one address.
#[derive(Debug, Default)]
struct Proxies {
    last: Option<IpAddr>,
    in_a_row: u32,
    said: Option<Duration>,
}

impl Proxies {
    fn note(&mut self, arrival: &Arrival, now: Duration) -> Option<Suspicion> {
        if arrival.is_trusted {
            return None;
        }
        self.in_a_row = if self.last == Some(arrival.peer) { self.in_a_row.saturating_add(1) } else { 1 };
        self.last = Some(arrival.peer);
        let suspicion = match arrival {
            Arrival { is_forwarded: true, .. } => Suspicion::SaysSo,
            Arrival { is_https: true, .. } if self.in_a_row >= SAME_ADDRESS_MAX => Suspicion::OneAddress,
            Arrival { .. } => return None,
        };
        if self.said.is_some_and(|at| now.saturating_sub(at) < WARN_EVERY) {
            return None;
        }
        self.said = Some(now);
        Some(suspicion)
    }
}

/// Tokens that opened nothing, by caller. A right token always opens: it is too long to be guessed, and whoever shares the guesser's address
/// has done nothing. Times are monotonic.
#[derive(Debug, Default)]
pub(crate) struct AuthThrottle {
    wrong: HashMap<Caller, Wrong>,
}

#[derive(Clone, Copy, Debug)]
struct Wrong {
    count: u32,
    until: Duration,
}

impl AuthThrottle {
    /// How long `caller` is told to wait with another token that opens nothing; `None` when it need not.
    pub(crate) fn wait(&self, caller: Caller, now: Duration) -> Option<Duration> {
        let wrong = self.wrong.get(&caller.counted_as()).filter(|wrong| wrong.until > now)?;
        (wrong.count >= WRONG_TOKENS_MAX).then(|| wrong.until.saturating_sub(now))
    }

    /// Notes that a token opened nothing.
    pub(crate) fn was_wrong(&mut self, caller: Caller, now: Duration) {
        if self.wrong.len() >= CALLERS_KEPT {
            self.wrong.retain(|_, wrong| wrong.until > now);
        }
        let caller = match caller.counted_as() {
            // So many guess at once that they cannot be told apart any more: the rest counts as one.
            new if self.wrong.len() >= CALLERS_KEPT && !self.wrong.contains_key(&new) => Caller::Unknown,
            known => known,
        };
        let fresh = Wrong { count: 0, until: now + WRONG_TOKENS_WITHIN };
        let wrong = self.wrong.entry(caller).or_insert(fresh);
        if wrong.until <= now {
            *wrong = fresh;
        }
        wrong.count = wrong.count.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Caller {
        Caller::Known(text.parse().unwrap())
    }

    #[test]
    fn a_partner_has_its_rate_and_failures_of_its_address_take_nothing_of_it() {
        let callers = Callers::default();
        let (one, other) = (at("203.0.113.9"), at("203.0.113.10"));
        let failures = (0..50).filter(|_| callers.may_fail(one, 5)).count();
        assert!((5..=7).contains(&failures), "{failures} of 50 at 5 a second");
        assert!(callers.may_fail(other, 5));
        let failures = (0..50).filter(|_| callers.may_fail(Caller::Unknown, 5)).count();
        assert!((5..=7).contains(&failures), "all who are unknown count as one: {failures}");
        let admitted = (0..50).filter(|_| callers.admit("douyin-main", 0, 5)).count();
        assert!((5..=7).contains(&admitted), "{admitted} of 50 at 5 a second");
        assert!(callers.admit("douyin-main", 1, 5) && callers.admit("kakao-jeju", 0, 5), "each key has its own");
        let failures = (0..500).filter(|_| callers.may_fail(other, 2_000)).count();
        assert!((99..=130).contains(&failures), "the rate of a partner is none of strangers: {failures}");
    }

    #[test]
    fn guessing_is_stopped_for_a_while_and_for_the_guesser_only() {
        let (guesser, other) = (at("203.0.113.9"), at("203.0.113.10"));
        let mut auth_throttle = AuthThrottle::default();
        let now = Duration::from_secs(1_000);
        for _ in 0..WRONG_TOKENS_MAX {
            assert_eq!(auth_throttle.wait(guesser, now), None);
            auth_throttle.was_wrong(guesser, now);
        }
        assert_eq!(auth_throttle.wait(guesser, now), Some(WRONG_TOKENS_WITHIN));
        assert_eq!(auth_throttle.wait(other, now), None);
        let later = now + WRONG_TOKENS_WITHIN;
        assert_eq!(auth_throttle.wait(guesser, later - Duration::from_millis(1)), Some(Duration::from_millis(1)));
        assert_eq!(auth_throttle.wait(guesser, later), None);
        auth_throttle.was_wrong(guesser, later);
        assert_eq!(auth_throttle.wait(guesser, later), None, "the count begins anew");
    }

    #[test]
    fn what_is_remembered_has_an_end() {
        let mut auth_throttle = AuthThrottle::default();
        let now = Duration::from_secs(1_000);
        let addresses =
            (0..u32::try_from(CALLERS_KEPT).unwrap() + 10).map(|n| Caller::Known(std::net::Ipv4Addr::from(n).into()));
        for address in addresses {
            auth_throttle.was_wrong(address, now);
        }
        assert!(auth_throttle.wrong.len() <= CALLERS_KEPT + 1);
    }

    #[test]
    fn a_proxy_that_nobody_named_is_noticed_and_named_once_an_hour() {
        let proxy = Arrival { peer: [10, 0, 0, 1].into(), is_trusted: false, is_forwarded: false, is_https: true };
        let other = Arrival { peer: [10, 0, 0, 2].into(), ..proxy };
        let said = |proxies: &mut Proxies, arrivals: &[Arrival], now: u64| -> Vec<Suspicion> {
            let now = Duration::from_secs(now);
            arrivals.iter().filter_map(|arrival| proxies.note(arrival, now)).collect()
        };
        let many = vec![proxy; 1_500];
        let mut proxies = Proxies::default();
        assert_eq!(said(&mut proxies, &many, 0), [Suspicion::OneAddress]);
        assert_eq!(said(&mut proxies, &[Arrival { is_forwarded: true, ..proxy }], 3_599), []);
        assert_eq!(said(&mut proxies, &[Arrival { is_forwarded: true, ..proxy }], 3_600), [Suspicion::SaysSo]);
        let mixed: Vec<Arrival> = many.iter().flat_map(|_| [proxy, other]).collect();
        assert_eq!(said(&mut Proxies::default(), &mixed, 0), []);
        let named = vec![Arrival { is_trusted: true, is_forwarded: true, ..proxy }; 1_500];
        assert_eq!(said(&mut Proxies::default(), &named, 0), []);
        let on_this_machine = vec![Arrival { is_https: false, ..proxy }; 1_500];
        assert_eq!(said(&mut Proxies::default(), &on_this_machine, 0), []);
    }
}
