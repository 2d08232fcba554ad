// SPDX-License-Identifier: Apache-2.0

//! The same trouble said seldom: a full disk or a silent database fails every call, and a line for each of them hides everything else, and
//! fills the disk.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The same trouble is said once in this time.
const SAID_EVERY: Duration = Duration::from_secs(10);
/// Different troubles that are kept in mind; beyond these the oldest may be said again.
const KEPT: usize = 256;

/// What was said when, and how often not since.
static SAID: Seldom = Seldom(Mutex::new(BTreeMap::new()));

struct Seldom(Mutex<BTreeMap<String, Said>>);

struct Said {
    at: Instant,
    unsaid: u64,
}

impl Seldom {
    fn is_due(&self, trouble: &str, now: Instant) -> Option<u64> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = said.get_mut(trouble) {
            if now.saturating_duration_since(before.at) < SAID_EVERY {
                before.unsaid += 1;
                return None;
            }
            let unsaid = before.unsaid;
            *before = Said { at: now, unsaid: 0 };
            return Some(unsaid);
        }
        if said.len() >= KEPT
            && let Some(oldest) = said.iter().min_by_key(|(_, said)| said.at).map(|(trouble, _)| trouble.clone())
        {
            said.remove(&oldest);
        }
        said.insert(trouble.to_owned(), Said { at: now, unsaid: 0 });
        Some(0)
    }
}

/// Whether `trouble` is to be said now, and then how often it was left unsaid since it was said last.
pub(crate) fn is_due(trouble: &str) -> Option<u64> {
    SAID.is_due(trouble, Instant::now())
}

/// The last cause of an error: what a full disk is called, whatever it has kept from happening.
pub(crate) fn root(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_trouble_is_said_once_in_its_time_with_how_often_it_was_not() {
        let (seldom, begun) = (Seldom(Mutex::new(BTreeMap::new())), Instant::now());
        let at = |seconds| begun + Duration::from_secs(seconds);
        assert_eq!(seldom.is_due("full", at(0)), Some(0));
        for second in 1..10 {
            assert_eq!(seldom.is_due("full", at(second)), None);
        }
        assert_eq!(seldom.is_due("slow", at(9)), Some(0), "another one");
        assert_eq!(seldom.is_due("full", at(10)), Some(9));
        assert_eq!(seldom.is_due("full", at(20)), Some(0));
    }

    #[tokio::test(start_paused = true)]
    async fn it_keeps_no_more_in_mind_than_it_may() {
        let (seldom, begun) = (Seldom(Mutex::new(BTreeMap::new())), Instant::now());
        for n in 0..10_000_u64 {
            assert_eq!(seldom.is_due(&n.to_string(), begun + Duration::from_millis(n)), Some(0));
        }
        assert_eq!(seldom.0.lock().unwrap().len(), KEPT);
    }
}
