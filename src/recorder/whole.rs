// SPDX-License-Identifier: Apache-2.0

//! Where the tape is not whole. It is written beside the work: a process that ends without warning takes with it what it had not written yet,
//! also of what was committed. Each run of the service tells on the tape until when it is whole; what was done to an order afterwards, or had
//! begun before and not come to its end, is in the database, and stands on no tape. Such an order cannot be played: it is left out.

use std::collections::{BTreeMap, BTreeSet};

use ticketbridge_core::order::Order;
use ticketbridge_core::{Millis, OrderId, TimeZone, UnixMillis};
use ticketbridge_store::{Store, StoreError};

use super::tape::{Piece, Run, Work};
use super::turns::TURNS_PER_MS;

/// What is under way when a process ends had begun at most so long before.
const UNDER_WAY: Millis = Millis::minutes(1);
/// What was under way is taken up again within this time of the new start.
const TAKEN_UP: Millis = Millis::minutes(10);
/// How long after the answer to a call its order hears of it, at most.
const HEARD_WITHIN: Millis = Millis(200);
/// Events of one order that are looked at.
const EVENTS_MAX: u32 = 5_000;
/// The end of all time.
const EVER: UnixMillis = UnixMillis(i64::MAX);

/// A time of which the tape is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Break {
    since: UnixMillis,
    until: UnixMillis,
    why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// The service ended without warning, and began again.
    Ended,
    /// It has not ended by itself, and none has begun since: it runs, or ended a moment ago.
    Last,
    /// It could not write, or not fast enough.
    Lost,
}

/// The orders of which something is missing, and a sentence about each time that the tape is not whole.
pub(super) async fn torn(
    store: &Store,
    time: (UnixMillis, UnixMillis),
    pieces: &[(UnixMillis, Piece)],
    orders: &BTreeMap<OrderId, Order>,
) -> Result<(BTreeSet<OrderId>, Vec<String>), StoreError> {
    let told = store.runs_on_tape().await?;
    let runs: Vec<Run> = told.iter().filter_map(|piece| serde_json::from_slice(&piece.content).ok()).collect();
    let mut all = BTreeSet::new();
    let mut sentences = Vec::new();
    let breaks = breaks(&runs).into_iter().filter(|it| it.since < time.1 && it.until >= time.0);
    let stands = Told::of(pieces);
    for it in breaks {
        let mut found = BTreeSet::new();
        for order in orders.values().filter(|order| order.created_at >= time.0 && order.created_at < it.until) {
            if order.updated_at + UNDER_WAY >= it.since && is_torn(store, &it, &order.id, &stands).await? {
                found.insert(order.id.clone());
            }
        }
        found.extend(taken_up(store, &it, pieces).await?.into_iter().filter(|order| orders.contains_key(order)));
        sentences.extend(it.sentence(found.len()));
        all.extend(found);
    }
    Ok((all, sentences))
}

/// When the tape is not whole, of these runs.
fn breaks(runs: &[Run]) -> Vec<Break> {
    let mut breaks = Vec::new();
    for run in runs {
        breaks.extend(run.gaps.iter().map(|(since, until)| Break { since: *since, until: *until, why: Why::Lost }));
        if run.ended {
            continue;
        }
        let next =
            runs.iter().filter(|other| other.name != run.name && other.began >= run.until).map(|it| it.began).min();
        breaks.push(match next {
            Some(until) => Break { since: run.until, until, why: Why::Ended },
            None => Break { since: run.until, until: EVER, why: Why::Last },
        });
    }
    breaks.sort_by_key(|it| (it.since, it.until));
    breaks
}

impl Break {
    /// What is said of it, where that many orders are left out.
    fn sentence(&self, orders: usize) -> Option<String> {
        let [since, until] = [self.since, self.until].map(|at| at.rfc3339(TimeZone::UTC));
        let left_out = format!("{orders} orders that were touched then are left out, with all about them");
        match self.why {
            Why::Ended => Some(format!(
                "the service ended without warning after {since} and began again at {until}: what was done in the {} s between, and what was \
                 under way, may be missing; {left_out}",
                (self.until - self.since).0.div_euclid(1_000) + 1
            )),
            Why::Last if orders > 0 => Some(format!(
                "the service has not said that it ended, and wrote last at {since}: what was done since then, and is under way, is not in it; \
                 {left_out}"
            )),
            Why::Last => None,
            Why::Lost => Some(format!(
                "between {since} and {until} the database was too slow for the recording, and a part of it is lost; {left_out}"
            )),
        }
    }
}

/// What stands on the tape.
struct Told {
    /// From when until when something was done about an order.
    spans: BTreeMap<OrderId, Vec<(UnixMillis, UnixMillis)>>,
    /// When something was done to one order or another by what is about many.
    moments: BTreeSet<UnixMillis>,
}

impl Told {
    fn of(pieces: &[(UnixMillis, Piece)]) -> Self {
        let mut told = Self { spans: BTreeMap::new(), moments: BTreeSet::new() };
        for (at, piece) in pieces {
            let (order, until) = match piece {
                Piece::In(came) => {
                    told.note(came.points.iter().map(|point| point.turn).chain(came.decided));
                    (came.order.as_ref(), *at + came.took)
                }
                Piece::Out(went) => (went.order.as_ref(), *at + went.took + HEARD_WITHIN),
                Piece::Ran(ran) => {
                    told.note(ran.points.iter().map(|point| point.turn));
                    (ran.what.order(), *at + HEARD_WITHIN)
                }
                Piece::Task { .. } | Piece::Moved(_) => (None, *at),
            };
            if let Some(order) = order {
                told.spans.entry(order.clone()).or_default().push((*at, until));
            }
        }
        told
    }

    fn note(&mut self, turns: impl Iterator<Item = i64>) {
        self.moments.extend(turns.map(|turn| UnixMillis(turn / TURNS_PER_MS)));
    }

    /// Whether something stands there that may have done what was done to an order at this time.
    fn has(&self, order: &OrderId, at: UnixMillis, it: &Break) -> bool {
        // Of what was done while nothing was written, only another instance can have told.
        let counts = |from: UnixMillis| at <= it.since || from > it.since;
        let fits = |(from, until): &(UnixMillis, UnixMillis)| *from <= at && at <= *until && counts(*from);
        self.spans.get(order).is_some_and(|spans| spans.iter().any(fits))
            || self.moments.range(at..=at + HEARD_WITHIN).any(|moment| counts(*moment))
    }
}

/// Whether something was done to an order about that time of which nothing stands on the tape.
async fn is_torn(store: &Store, it: &Break, order: &OrderId, told: &Told) -> Result<bool, StoreError> {
    let begin = it.since - UNDER_WAY;
    let events = store.events(order, 0, EVENTS_MAX).await?;
    let is_near = |at: UnixMillis| (begin..it.until).contains(&at);
    Ok(events.iter().any(|event| is_near(event.at) && !told.has(order, event.at, it)))
}

/// Orders whose deliveries may have been under way when the service ended: their outcome was lost, and each was taken up again afterwards.
async fn taken_up(store: &Store, it: &Break, pieces: &[(UnixMillis, Piece)]) -> Result<BTreeSet<OrderId>, StoreError> {
    let mut orders = BTreeSet::new();
    match it.why {
        Why::Ended => {}
        Why::Last | Why::Lost => return Ok(orders),
    }
    for (at, piece) in pieces.iter().filter(|(at, _)| *at >= it.until && *at <= it.until + TAKEN_UP) {
        let Piece::Ran(ran) = piece else { continue };
        let Work::Delivery { id, order, .. } = &ran.what else { continue };
        if !orders.contains(order) && store.job(id).await?.is_some_and(|job| job.created_at < it.until.min(*at)) {
            orders.insert(order.clone());
        }
    }
    Ok(orders)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(name: &str, began: i64, until: i64, ended: bool) -> Run {
        Run { name: name.to_owned(), began: UnixMillis(began), until: UnixMillis(until), ended, gaps: Vec::new() }
    }

    #[test]
    fn a_run_that_did_not_end_by_itself_breaks_the_tape_until_the_next_one_begins() {
        let runs = [run("a", 0, 10, true), run("b", 20, 30, false), run("c", 40, 50, true)];
        let broken = Break { since: UnixMillis(30), until: UnixMillis(40), why: Why::Ended };
        assert_eq!(breaks(&runs), [broken]);
        assert!(broken.sentence(2).is_some_and(|sentence| sentence.contains("without warning")));
        let last = Break { since: UnixMillis(60), until: EVER, why: Why::Last };
        assert_eq!(breaks(&[run("d", 55, 60, false)]), [last]);
        assert_eq!(last.sentence(0), None, "it runs");
    }

    #[test]
    fn what_a_run_lost_breaks_the_tape_too() {
        let lost = Run { gaps: vec![(UnixMillis(3), UnixMillis(4))], ..run("a", 0, 10, true) };
        assert_eq!(breaks(&[lost]), [Break { since: UnixMillis(3), until: UnixMillis(4), why: Why::Lost }]);
    }
}
