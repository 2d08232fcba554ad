// SPDX-License-Identifier: Apache-2.0

//! Messages whose answers wait for tickets while other things happen: what is played meanwhile may be what they wait for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ticketbridge_core::UnixMillis;
use tokio::task::JoinHandle;

use crate::recorder::tape::{Came, Gate};

/// A message whose answer is awaited.
pub(super) struct Waiting {
    /// The message.
    pub(super) came: Box<Came>,
    /// When it was played.
    pub(super) at: UnixMillis,
    /// Its number among everything that is played.
    number: usize,
    /// Where its answer waits for its turn.
    gate: Arc<Gate>,
    /// Its answer.
    task: JoinHandle<(u16, String)>,
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
        (came, at): (Box<Came>, UnixMillis),
        (number, gate): (usize, Arc<Gate>),
        task: JoinHandle<(u16, String)>,
    ) {
        self.locked().push(Waiting { came, at, number, gate, task });
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
