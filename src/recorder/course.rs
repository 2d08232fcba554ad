// SPDX-License-Identifier: Apache-2.0

//! The course of one thing: a message, an act of a person, something that is done by itself. Most of it is decided in one moment. Some of it
//! takes its time: it asks partners on its way, and reads and changes one order after another, while everything else goes on. So each call
//! is written down with the turn in which its answer was heard, and each reading and change with a turn of its own; a replay lets the thing
//! begin when it began, and go on at each of them when it went on then.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use sha2::{Digest as _, Sha256};
use ticketbridge_core::{OrderId, Seed, UnixMillis};
use tokio::sync::watch;

use super::tape::{Piece, Point, Ran, Recorder, Went, Work};
use super::turns::Decided;

/// Calls that are kept until it is known in which turn they were heard of.
const KEPT_MAX: usize = 64;

tokio::task_local! {
    /// The course of what is being done in this task, and in those that go on with it.
    static COURSE: Arc<Course>;
    /// Which of several that are done at once in one course.
    static STRAND: usize;
}

/// The course of one thing.
#[derive(Default)]
pub(crate) struct Course {
    /// Of what identifiers were made in it.
    drawn: Mutex<Vec<Seed>>,
    /// What was decided last.
    decided: Decided,
    points: Mutex<Vec<Point>>,
    calls: Calls,
    /// What is known of it, where a recording is played.
    played: Option<Playing>,
}

/// The calls of a course.
#[derive(Default)]
struct Calls {
    /// The turn in which the course began, by which they are known as its own.
    began: Option<i64>,
    /// For which order they are made, where it is for one.
    order: Option<OrderId>,
    /// Those of which it is not known yet in which turn they were heard of.
    kept: Mutex<Vec<Kept>>,
    /// Whether there was any.
    was_any: AtomicBool,
}

impl Calls {
    fn write_down(&self, Kept { recorder, at, went, decided, strand: _, is_heard: _ }: Kept) {
        let (order, of) = (self.order.clone(), self.began);
        let decided = decided.and_then(|decided| decided.turn());
        recorder.record(at, || Piece::Out(Box::new(Went { order, decided, of, ..went })));
    }
}

impl Drop for Calls {
    // Also of what was cut off: what was said was said.
    fn drop(&mut self) {
        let kept: Vec<Kept> = locked(&self.kept).drain(..).collect();
        kept.into_iter().for_each(|kept| self.write_down(kept));
    }
}

/// A course that is played.
struct Playing {
    seeds: Mutex<VecDeque<Seed>>,
    caller: Option<Caller>,
    answer: Option<Arc<Gate>>,
    points: Mutex<Vec<(u32, Arc<Gate>)>>,
}

/// What is known of a course where a recording is played.
#[derive(Default)]
pub(crate) struct Known<'s> {
    /// Of what its identifiers are to be made, as far as they reach.
    pub(crate) seeds: &'s [String],
    /// Who its calls are made by, where they may wait for the places of their answers.
    pub(crate) caller: Option<Caller>,
    /// Where its answer waits for its turn.
    pub(crate) answer: Option<Arc<Gate>>,
    /// Where it waits at what it reads and changes, each with what that is about.
    pub(crate) points: Vec<(u32, Arc<Gate>)>,
}

/// Who a call is made by where a recording is played.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Caller {
    /// For which order, where it is for one.
    pub(crate) order: Option<OrderId>,
    /// The turn in which it began then, as far as that was recorded.
    pub(crate) began: Option<i64>,
}

/// A gate that is opened once.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    is_open: watch::Sender<bool>,
    is_waited_at: AtomicBool,
    /// How many gates are waited at, of those that are counted together.
    waited_at: Arc<AtomicUsize>,
}

impl Gate {
    /// One that is counted with others.
    pub(crate) fn counted(waited_at: Arc<AtomicUsize>) -> Self {
        Self { waited_at, ..Self::default() }
    }
    /// Lets whoever waits, or will wait, go on.
    pub(crate) fn open(&self) {
        self.leave();
        self.is_open.send_replace(true);
    }
    /// Whether somebody waits.
    pub(crate) fn is_waited_at(&self) -> bool {
        self.is_waited_at.load(Ordering::Acquire)
    }
    fn leave(&self) {
        if self.is_waited_at.swap(false, Ordering::AcqRel) {
            self.waited_at.fetch_sub(1, Ordering::AcqRel);
        }
    }
    async fn pass(&self) {
        let mut is_open = self.is_open.subscribe();
        if !*is_open.borrow() && !self.is_waited_at.swap(true, Ordering::AcqRel) {
            self.waited_at.fetch_add(1, Ordering::AcqRel);
        }
        // The sender lives as long as this does.
        let _opened = is_open.wait_for(|is_open| *is_open).await;
        self.leave();
    }
}

impl Course {
    fn current() -> Option<Arc<Self>> {
        COURSE.try_with(Arc::clone).ok()
    }

    /// The one that is played; where none is, one that begins now. What is written down by itself has a course of its own, also where it is
    /// done on the way of something else.
    fn here(began: i64, order: Option<OrderId>) -> Arc<Self> {
        Self::current().filter(|course| course.played.is_some()).unwrap_or_else(|| {
            let mut calls = Calls::default();
            (calls.began, calls.order) = (Some(began), order);
            Arc::new(Self { calls, ..Self::default() })
        })
    }

    /// Of what identifiers were made, in hex and in that order.
    pub(crate) fn seeds(&self) -> Vec<String> {
        locked(&self.drawn).iter().map(|seed| format!("{:032x}", seed.0)).collect()
    }

    /// The turn of what was decided last, if anything was.
    pub(crate) fn decided(&self) -> Option<i64> {
        self.decided.turn()
    }

    /// What was read and changed on its way, in that order.
    pub(crate) fn points(&self) -> Vec<Point> {
        let mut points = locked(&self.points).clone();
        points.sort_by_key(|point| point.turn);
        points
    }

    /// The turn in which it began and the points on its way, where it asked partners; nothing where it was decided in one moment.
    pub(crate) fn way(&self) -> (Option<i64>, Vec<Point>) {
        match self.calls.was_any.load(Ordering::Acquire) {
            true => (self.calls.began, self.points()),
            false => (None, Vec::new()),
        }
    }
}

/// What another thread left behind is whole: each is one value put into a list.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A call until it is known in which turn it was heard of.
struct Kept {
    recorder: Recorder,
    at: UnixMillis,
    went: Went,
    strand: usize,
    /// Where the first change after it notes its turn. Of several calls before one change it is the last one's.
    decided: Option<Decided>,
    is_heard: bool,
}

/// Something that begins, with where it is written down.
pub(crate) struct Begun {
    /// Where; nowhere, where nothing is recorded.
    pub(crate) recorder: Option<Recorder>,
    /// When it began.
    pub(crate) at: UnixMillis,
    /// In which turn.
    pub(crate) turn: i64,
    /// What it is.
    pub(crate) what: Work,
}

/// Something that is being done by itself.
struct Doing {
    begun: Begun,
    course: Arc<Course>,
}

impl Drop for Doing {
    // Also of what was cut off.
    fn drop(&mut self) {
        let Begun { recorder, at, turn, what } = &self.begun;
        if let Some(recorder) = recorder {
            let (seeds, points) = (self.course.seeds(), self.course.points());
            let ran = || Ran { what: what.clone(), began: *turn, seeds, points };
            recorder.record(*at, || Piece::Ran(Box::new(ran())));
        }
    }
}

/// Does something by itself that is written down with its calls, and with when they were heard of. It has a place of its own, as what follows:
/// it would lie several times in the task of whoever does it.
pub(crate) async fn doing<T>(begun: Begun, work: BoxFuture<'_, T>) -> T {
    let course = Course::here(begun.turn, begun.what.order().cloned());
    let _doing = Doing { begun, course: course.clone() };
    COURSE.scope(course, work).await
}

/// Does something that begins in this turn, and whose course is told.
pub(crate) async fn noting<T>(began: i64, work: BoxFuture<'_, T>) -> (T, Arc<Course>) {
    let course = Course::here(began, None);
    (COURSE.scope(course.clone(), work).await, course)
}

/// Does what was done then, as it was.
pub(crate) async fn playing<T>(known: Known<'_>, work: impl Future<Output = T>) -> T {
    let Known { seeds, caller, answer, points } = known;
    let read = |seed: &String| u128::from_str_radix(seed, 16).ok().map(Seed);
    let seeds = Mutex::new(seeds.iter().filter_map(read).collect());
    let played = Some(Playing { seeds, caller, answer, points: Mutex::new(points) });
    COURSE.scope(Arc::new(Course { played, ..Course::default() }), work).await
}

/// The same work, to go on in another task with the course of this one.
pub(crate) fn carried<'a, T>(work: BoxFuture<'a, T>) -> impl Future<Output = T> + use<'a, T> {
    let course = Course::current();
    async move {
        match course {
            Some(course) => COURSE.scope(course, work).await,
            None => work.await,
        }
    }
}

/// Does one of several that are done at once in one course: what it asks is heard of by itself.
pub(crate) async fn strand<T>(number: usize, work: BoxFuture<'_, T>) -> T {
    STRAND.scope(number, work).await
}

fn this_strand() -> usize {
    STRAND.try_with(|strand| *strand).unwrap_or_default()
}

/// Whether a recording is played: then nobody is really asked.
pub(crate) fn is_played() -> bool {
    Course::current().is_some_and(|course| course.played.is_some())
}

/// Who makes a call here that may wait for the place of its answer, where a recording is played.
pub(crate) fn caller() -> Option<Caller> {
    Course::current()?.played.as_ref()?.caller.clone()
}

/// Waits for the turn of the answer where a recording is played.
pub(crate) async fn its_turn() {
    if let Some(gate) = Course::current().and_then(|course| course.played.as_ref()?.answer.clone()) {
        gate.pass().await;
    }
}

/// Waits for the turn of what is read or changed next, where a recording is played: to be done before, with [`decided`] afterwards.
pub(crate) async fn turn_of(about: &str) {
    let about = digest(about);
    let gate = Course::current().and_then(|course| {
        let mut points = locked(&course.played.as_ref()?.points);
        let next = points.iter().position(|(known, _)| *known == about)?;
        Some(points.remove(next).1)
    });
    if let Some(gate) = gate {
        gate.pass().await;
    }
}

/// Something was read or changed in this course, in this turn, which is that of the whole as long as nothing follows.
pub(crate) fn decided(about: &str, turn: Option<i64>) {
    if let (Some(course), Some(turn)) = (Course::current(), turn) {
        course.decided.note(turn);
        passed(about, Some(turn));
    }
}

/// The same on the way of a message, whose own decision is noted elsewhere.
pub(crate) fn passed(about: &str, turn: Option<i64>) {
    if let (Some(course), Some(turn)) = (Course::current(), turn) {
        locked(&course.points).push(Point { turn, about: digest(about) });
    }
}

fn digest(about: &str) -> u32 {
    let [first, second, third, fourth, ..] = <[u8; 32]>::from(Sha256::digest(about));
    u32::from_be_bytes([first, second, third, fourth])
}

/// Of what identifiers are made: what was given where a recording is played, otherwise something fresh.
pub(crate) fn seed(fresh: impl FnOnce() -> Seed) -> Seed {
    let Some(course) = Course::current() else { return fresh() };
    let given = course.played.as_ref().and_then(|played| locked(&played.seeds).pop_front());
    let seed = given.unwrap_or_else(fresh);
    locked(&course.drawn).push(seed);
    seed
}

/// A call was made: it is kept until it is known in which turn it was heard of, and is written down then. One that belongs to nothing is
/// written down as it is.
pub(super) fn made(recorder: &Recorder, at: UnixMillis, went: Went) {
    let Some(course) = Course::current() else {
        return recorder.record(at, || Piece::Out(Box::new(went)));
    };
    course.calls.was_any.store(true, Ordering::Release);
    let recorder = recorder.clone();
    let kept = Kept { recorder, at, went, strand: this_strand(), decided: None, is_heard: false };
    let mut calls = locked(&course.calls.kept);
    calls.push(kept);
    // A task asks many partners before it changes anything.
    let first = (calls.len() > KEPT_MAX).then(|| calls.remove(0));
    drop(calls);
    if let Some(first) = first {
        course.calls.write_down(first);
    }
}

/// Where a reading or a change notes the turn by which the calls that were made before it are heard of; nowhere, where all of them were.
pub(crate) fn heard_of_calls() -> Decided {
    let decided = Decided::default();
    let Some(course) = Course::current() else { return decided };
    let strand = this_strand();
    let mut calls = locked(&course.calls.kept);
    let last = calls.iter_mut().rfind(|kept| kept.strand == strand);
    if let Some(last) = last.filter(|last| !last.is_heard) {
        last.decided = Some(decided.clone());
    }
    calls.iter_mut().filter(|kept| kept.strand == strand).for_each(|kept| kept.is_heard = true);
    decided
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn identifiers_are_made_of_what_was_given_also_in_a_task_that_goes_on() {
        let given = [7_u128, 8].map(|seed| format!("{seed:032x}"));
        let work = async {
            let first = seed(|| Seed(1));
            let goes_on = tokio::spawn(carried(Box::pin(async { seed(|| Seed(2)) }))).await.expect("it ends");
            decided("ord_1", Some(5));
            [first, goes_on, seed(|| Seed(3))]
        };
        let (made, course) = playing(Known { seeds: &given, ..Known::default() }, noting(1, Box::pin(work))).await;
        assert_eq!(made, [Seed(7), Seed(8), Seed(3)]);
        assert_eq!((course.seeds().len(), course.decided()), (3, Some(5)));
        assert_eq!(seed(|| Seed(9)), Seed(9), "nobody notes it");
    }

    #[tokio::test]
    async fn who_waits_for_its_turn_goes_on_when_the_gate_is_opened() {
        let gate = Arc::new(Gate::default());
        let through = gate.clone();
        let waits = tokio::spawn(async move {
            playing(Known { answer: Some(through), ..Known::default() }, its_turn()).await;
        });
        while !gate.is_waited_at() {
            tokio::task::yield_now().await;
        }
        gate.open();
        assert!(!gate.is_waited_at(), "it goes on");
        waits.await.expect("it ends");
        playing(Known { answer: Some(gate), ..Known::default() }, its_turn()).await;
        playing(Known::default(), its_turn()).await;
    }
}
