// SPDX-License-Identifier: Apache-2.0

//! Messages whose answers wait for tickets while other things happen: what is played meanwhile may be what they wait for.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinHandle;

use super::difference::When;
use crate::recorder::course::Gate;
use crate::recorder::tape::{Came, Point};

/// A message whose answer is awaited.
pub(super) struct Waiting {
    /// The message.
    pub(super) came: Box<Came>,
    /// When it was played.
    pub(super) begun: When,
    /// Its number among everything that is played.
    number: usize,
    /// Where its answer waits for its turn.
    gate: Arc<Gate>,
    /// Its answer.
    task: JoinHandle<(u16, String)>,
}

/// Where whatever is under way waits, each at what it read or changed next then, by its number among everything that is played.
#[derive(Default)]
pub(super) struct Points {
    closed: HashMap<usize, VecDeque<Arc<Gate>>>,
    waited_at: Arc<AtomicUsize>,
}

impl Points {
    /// The gates of something that begins, each with what it is about.
    pub(super) fn of(&mut self, number: usize, points: &[Point]) -> Vec<(u32, Arc<Gate>)> {
        let gate = |_: &Point| Arc::new(Gate::counted(self.waited_at.clone()));
        let gates: Vec<Arc<Gate>> = points.iter().map(gate).collect();
        let about = points.iter().map(|point| point.about).zip(gates.iter().cloned()).collect();
        self.closed.insert(number, gates.into());
        about
    }

    /// It is the turn of the next one of this number.
    pub(super) fn open_next(&mut self, number: usize) {
        let Some(gates) = self.closed.get_mut(&number) else { return };
        if let Some(gate) = gates.pop_front() {
            gate.open();
        }
        if gates.is_empty() {
            self.closed.remove(&number);
        }
    }

    /// Nobody waits any longer.
    pub(super) fn open_all(&mut self) {
        self.closed.drain().flat_map(|(_, gates)| gates).for_each(|gate| gate.open());
    }

    /// At how many somebody waits.
    pub(super) fn waited_at(&self) -> usize {
        self.waited_at.load(Ordering::Acquire)
    }
}

/// All of them.
#[derive(Default)]
pub(super) struct WaitingRoom(Mutex<Vec<Waiting>>);

impl WaitingRoom {
    fn locked(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more.
    pub(super) fn enter(
        &self,
        (came, begun): (Box<Came>, When),
        (number, gate): (usize, Arc<Gate>),
        task: JoinHandle<(u16, String)>,
    ) {
        self.locked().push(Waiting { came, begun, number, gate, task });
    }

    /// It is the turn of the answer to the message of this number; `None`: of all of them.
    pub(super) fn turn_of(&self, number: Option<usize>) {
        let waiting = self.locked();
        let meant = |one: &&Waiting| number.is_none_or(|number| one.number == number);
        waiting.iter().filter(meant).for_each(|one| one.gate.open());
    }

    /// How many have no answer yet.
    pub(super) fn unanswered(&self) -> usize {
        self.locked().iter().filter(|one| !one.task.is_finished()).count()
    }

    /// How many of them do not wait for their turn.
    pub(super) fn busy(&self) -> usize {
        self.locked().iter().filter(|one| !one.task.is_finished() && !one.gate.is_waited_at()).count()
    }

    /// Those that were answered; with the status and the body of each.
    pub(super) async fn answered(&self) -> Vec<(Waiting, (u16, String))> {
        let ended: Vec<Waiting> = {
            let mut waiting = self.locked();
            let (ended, left) = waiting.drain(..).partition(|one| one.task.is_finished());
            *waiting = left;
            ended
        };
        let mut answered = Vec::with_capacity(ended.len());
        for mut one in ended {
            let answer = (&mut one.task).await.unwrap_or_else(|error| (0, error.to_string()));
            answered.push((one, answer));
        }
        answered
    }
}
