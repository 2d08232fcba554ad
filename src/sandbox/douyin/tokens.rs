// SPDX-License-Identifier: Apache-2.0

//! Access tokens as `adapters/douyin/README.md` gives them out. Times are the protocol's, since the start.

use std::collections::VecDeque;
use std::time::Duration;

/// How long a token lasts.
pub const LIFETIME: Duration = Duration::from_secs(7_200);
/// How long the previous token lives on once a new one is fetched.
pub const GRACE: Duration = Duration::from_secs(300);
/// Span over which token calls are counted.
pub const COUNTED_OVER: Duration = Duration::from_secs(300);
/// Token calls that one application may make within [`COUNTED_OVER`].
pub const CALLS_MAX: usize = 500;

/// Code of an unknown or invalid token.
pub const TOKEN_INVALID: i64 = 2_190_002;
/// Code of a token whose time is over.
pub const TOKEN_EXPIRED: i64 = 2_190_008;
/// Code of too many token calls.
pub const TOO_FREQUENT: i64 = 10_020;

#[derive(Clone, Debug)]
struct Token {
    text: String,
    given_at: Duration,
}

/// The tokens of one application: the two newest, and how often it asked.
#[derive(Clone, Debug, Default)]
pub struct Tokens {
    newest: Option<Token>,
    previous: Option<Token>,
    dropped: Vec<String>,
    calls: VecDeque<Duration>,
    given: u64,
}

impl Tokens {
    /// Gives a new token; the previous one enters its grace. Too many calls are refused with [`TOO_FREQUENT`].
    pub fn fetch(&mut self, client_key: &str, now: Duration) -> Result<String, i64> {
        self.count_call(now)?;
        Ok(self.give(client_key, now))
    }

    /// Gives the token that is valid, or a new one when none is.
    pub fn fetch_stable(&mut self, client_key: &str, now: Duration) -> Result<String, i64> {
        self.count_call(now)?;
        match &self.newest {
            Some(token) if now < token.given_at + LIFETIME => Ok(token.text.clone()),
            _ => Ok(self.give(client_key, now)),
        }
    }

    /// Judges a presented token: `Ok`, or the code of the refusal.
    pub fn check(&self, presented: &str, now: Duration) -> Result<(), i64> {
        let newest = self.newest.as_ref().ok_or(TOKEN_INVALID)?;
        if presented == newest.text {
            return if now < newest.given_at + LIFETIME { Ok(()) } else { Err(TOKEN_EXPIRED) };
        }
        match &self.previous {
            Some(previous) if previous.text == presented => {
                let alive = now < newest.given_at + GRACE && now < previous.given_at + LIFETIME;
                if alive { Ok(()) } else { Err(TOKEN_EXPIRED) }
            }
            _ if self.dropped.iter().any(|text| text == presented) => Err(TOKEN_EXPIRED),
            _ => Err(TOKEN_INVALID),
        }
    }

    /// How many tokens were given out.
    pub fn given(&self) -> u64 {
        self.given
    }

    fn count_call(&mut self, now: Duration) -> Result<(), i64> {
        while self.calls.front().is_some_and(|at| *at + COUNTED_OVER <= now) {
            self.calls.pop_front();
        }
        self.calls.push_back(now);
        if self.calls.len() > CALLS_MAX { Err(TOO_FREQUENT) } else { Ok(()) }
    }

    fn give(&mut self, client_key: &str, now: Duration) -> String {
        self.given += 1;
        let text = format!("clt.{client_key}.{:08}", self.given);
        if let Some(old) = self.previous.take() {
            self.dropped.push(old.text);
        }
        self.previous = self.newest.replace(Token { text: text.clone(), given_at: now });
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_previous_token_lives_five_minutes_longer() {
        let mut tokens = Tokens::default();
        let first = tokens.fetch("aw", s(0)).unwrap();
        let second = tokens.fetch("aw", s(1_000)).unwrap();
        assert_ne!(first, second);
        assert_eq!(tokens.check(&first, s(1_299)), Ok(()));
        assert_eq!(tokens.check(&first, s(1_300)), Err(TOKEN_EXPIRED));
        assert_eq!(tokens.check(&second, s(8_199)), Ok(()));
        assert_eq!(tokens.check(&second, s(8_200)), Err(TOKEN_EXPIRED));
        assert_eq!(tokens.check("clt.invented", s(1)), Err(TOKEN_INVALID));
    }

    #[test]
    fn of_several_quick_fetches_only_the_newest_two_work() {
        let mut tokens = Tokens::default();
        let given: Vec<String> = (0..3).map(|n| tokens.fetch("aw", s(n)).unwrap()).collect();
        assert_eq!(tokens.check(&given[0], s(3)), Err(TOKEN_EXPIRED));
        assert_eq!(tokens.check(&given[1], s(3)), Ok(()));
        assert_eq!(tokens.check(&given[2], s(3)), Ok(()));
    }

    #[test]
    fn the_stable_token_stays_the_same_while_it_is_valid() {
        let mut tokens = Tokens::default();
        let first = tokens.fetch_stable("aw", s(0)).unwrap();
        assert_eq!(tokens.fetch_stable("aw", s(7_199)).unwrap(), first);
        assert_ne!(tokens.fetch_stable("aw", s(7_200)).unwrap(), first);
    }

    #[test]
    fn the_501st_call_within_five_minutes_is_refused() {
        let mut tokens = Tokens::default();
        for _ in 0..CALLS_MAX {
            assert!(tokens.fetch_stable("aw", s(10)).is_ok());
        }
        assert_eq!(tokens.fetch_stable("aw", s(11)), Err(TOO_FREQUENT));
        assert!(tokens.fetch_stable("aw", s(400)).is_ok());
    }
}
