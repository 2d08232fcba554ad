// SPDX-License-Identifier: Apache-2.0

//! Loads: so many callers one after the other as fast as they are answered (closed), or so many steps a second whatever the answers do
//! (open).
//!
//! In an open loop every step has a time at which it was *meant* to begin, and its latency counts from there: a service that stalls for a
//! second delays all the steps meant for that second, and all of them say so. A step that could not begin before the end is counted too,
//! with the time that it had waited by then.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;

use crate::latency::Times;
use crate::moment::{self, Instant};

/// When steps begin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pace {
    /// As soon as the caller's last step has ended.
    Closed,
    /// So many a second, evenly.
    Open(f64),
}

/// A load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) callers: usize,
    pub(crate) pace: Pace,
    pub(crate) length: Duration,
}

/// A caller's turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    /// The step begins from here as far as latency is concerned.
    pub(crate) intended: Instant,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// As it should, and the answer said so.
    Good,
    /// Otherwise, and how.
    Bad(String),
    /// There is nothing left to play.
    Over,
}

/// What one caller has measured.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    calls: BTreeMap<&'static str, Times>,
    good: u64,
    good_in_time: u64,
    bad: BTreeMap<String, u64>,
    late: Times,
}

impl Notes {
    /// A call of the step took so long.
    pub(crate) fn took(&mut self, call: &'static str, time: Duration) {
        self.calls.entry(call).or_default().add(time);
    }
}

/// What a load came to.
#[derive(Debug)]
pub(crate) struct Played {
    /// Steps meant to begin, a second; in a closed loop those that began.
    pub(crate) offered: f64,
    /// Steps that ended well before the end, a second.
    pub(crate) reached: f64,
    /// Steps that ended well, in all.
    pub(crate) good: u64,
    /// The others, by what they said.
    pub(crate) bad: BTreeMap<String, u64>,
    /// By call.
    pub(crate) calls: BTreeMap<&'static str, Times>,
    /// How late the generator itself began its steps.
    pub(crate) late: Times,
}

/// After the end, an open loop begins no step that it could not begin before; those under way are waited for.
struct Schedule {
    begun: Instant,
    end: Instant,
    pace: Pace,
    next: Cell<u64>,
}

impl Schedule {
    fn new(load: &Load) -> Self {
        let begun = moment::now();
        Self { begun, end: begun + load.length, pace: load.pace, next: Cell::new(0) }
    }

    /// The next step's time; `None` when none is left.
    fn take(&self) -> Option<Instant> {
        let number = self.next.get();
        let intended = match self.pace {
            Pace::Closed => moment::now(),
            Pace::Open(per_second) => self.begun + Duration::from_secs_f64(number as f64 / per_second),
        };
        if intended >= self.end {
            return None;
        }
        self.next.set(number + 1);
        Some(intended)
    }
}

/// Plays `load`: each caller plays `step` again and again.
pub(crate) async fn play<C>(
    load: Load,
    callers: &mut [C],
    step: impl AsyncFn(&mut C, Turn, &mut Notes) -> End,
) -> Played {
    let schedule = Schedule::new(&load);
    let (schedule_ref, step) = (&schedule, &step);
    let all = join_all(callers.iter_mut().map(|caller| async move { one(schedule_ref, caller, step).await })).await;
    let length = load.length.as_secs_f64();
    let mut played = Played {
        offered: schedule.next.get() as f64 / length,
        reached: 0.0,
        good: 0,
        bad: BTreeMap::new(),
        calls: BTreeMap::new(),
        late: Times::default(),
    };
    for notes in all {
        played.reached += notes.good_in_time as f64 / length;
        played.good += notes.good;
        played.late.merge(&notes.late);
        for (what, many) in notes.bad {
            *played.bad.entry(what).or_default() += many;
        }
        for (call, times) in notes.calls {
            played.calls.entry(call).or_default().merge(&times);
        }
    }
    played
}

async fn one<C>(schedule: &Schedule, caller: &mut C, step: &impl AsyncFn(&mut C, Turn, &mut Notes) -> End) -> Notes {
    let mut notes = Notes::default();
    while let Some(intended) = schedule.take() {
        moment::until(intended).await;
        let begins = moment::now();
        if begins >= schedule.end && schedule.pace != Pace::Closed {
            notes.took("not begun in time", begins - intended);
            *notes.bad.entry("not begun before the end".to_owned()).or_default() += 1;
            continue;
        }
        notes.late.add(begins - intended);
        match step(caller, Turn { intended }, &mut notes).await {
            End::Good => {
                notes.good += 1;
                notes.good_in_time += u64::from(moment::now() <= schedule.end);
            }
            End::Bad(what) => *notes.bad.entry(what).or_default() += 1,
            End::Over => break,
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn open(callers: usize, per_second: f64, seconds: u32) -> Load {
        Load { callers, pace: Pace::Open(per_second), length: SECOND * seconds }
    }

    #[tokio::test(start_paused = true)]
    async fn an_open_loop_begins_its_steps_evenly_whatever_they_take() {
        let begun = moment::now();
        let times = std::cell::RefCell::new(Vec::new());
        let load = open(50, 100.0, 1);
        let played = play(load, &mut [(); 50], async |(), turn, notes| {
            times.borrow_mut().push((turn.intended - begun).as_millis());
            moment::pause(Duration::from_millis(200)).await;
            notes.took("call", moment::now() - turn.intended);
            End::Good
        })
        .await;
        assert_eq!(*times.borrow(), (0..100).map(|n| n * 10).collect::<Vec<_>>());
        assert_eq!((played.offered, played.good), (100.0, 100));
        assert!(played.reached < 100.0, "those that ended after the end are not part of the rate: {}", played.reached);
        let call = played.calls["call"].figures();
        assert!((call.p50_ms - 200.0).abs() < 2.0 && call.max_ms < 203.0, "{call:?}");
    }

    /// A server that stands still for a second in the middle. Asking one after the other would note one slow answer; all that was
    /// meant for that second is late.
    #[tokio::test(start_paused = true)]
    async fn a_stall_is_felt_by_every_step_that_was_meant_for_it() {
        let begun = moment::now();
        let (stalls, goes_on) = (begun + SECOND, begun + SECOND * 2);
        let played = play(open(4, 100.0, 4), &mut [(); 4], async |(), turn, notes| {
            if (stalls..goes_on).contains(&moment::now()) {
                moment::until(goes_on).await;
            }
            notes.took("call", moment::now() - turn.intended);
            End::Good
        })
        .await;
        let call = played.calls["call"].figures();
        assert_eq!(call.count, 400);
        assert!(call.max_ms > 990.0 && call.p99_ms > 900.0, "{call:?}");
        assert!((played.calls["call"].figures().p50_ms) < 2.0, "{call:?}");
        // A quarter of the steps waited, half a second on average: the 88th in a hundred waited about as long.
        assert!(played.late.figures().p99_ms > 900.0, "only four callers: the rest could not even begin");
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_that_could_not_begin_is_not_forgotten() {
        let played = play(open(1, 10.0, 1), &mut [()], async |(), turn, notes| {
            moment::pause(SECOND * 5).await;
            notes.took("call", moment::now() - turn.intended);
            End::Good
        })
        .await;
        assert_eq!((played.good, played.bad["not begun before the end"]), (1, 9));
        assert!(played.calls["not begun in time"].figures().max_ms > 4_000.0);
        assert_eq!(played.reached, 0.0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_loop_asks_as_fast_as_it_is_answered() {
        let load = Load { callers: 8, pace: Pace::Closed, length: SECOND };
        let played = play(load, &mut [0_u32; 8], async |count, turn, notes| {
            *count += 1;
            moment::pause(Duration::from_millis(50)).await;
            notes.took("call", moment::now() - turn.intended);
            if count.is_multiple_of(2) { End::Bad("code 100".to_owned()) } else { End::Good }
        })
        .await;
        assert_eq!(played.good + played.bad["code 100"], 160);
        assert_eq!(played.good, 80, "an answer counts only if it says success");
    }
}
