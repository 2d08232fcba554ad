// SPDX-License-Identifier: Apache-2.0

//! Messages whose answers wait for tickets while other messages come: what is played meanwhile may be what they wait for.

use std::sync::{Mutex, MutexGuard, PoisonError};

use ticketbridge_core::UnixMillis;
use tokio::task::JoinHandle;

use crate::recorder::tape::Came;

/// Turns that an answer gets to be written in, once its time has come.
pub(super) const ANSWER_TURNS: u32 = 200_000;

/// A message whose answer is awaited.
pub(super) struct Waiting {
    /// The message.
    pub(super) came: Box<Came>,
    /// When it was played.
    pub(super) at: UnixMillis,
    /// Its answer.
    task: JoinHandle<(u16, String)>,
}

impl Waiting {
    /// When it was answered then.
    fn ends(&self) -> UnixMillis {
        self.at + self.came.took
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
    pub(super) fn enter(&self, came: Box<Came>, at: UnixMillis, task: JoinHandle<(u16, String)>) {
        self.locked().push(Waiting { came, at, task });
    }

    /// When the next of them was answered then.
    pub(super) fn next_end(&self, now: UnixMillis) -> Option<UnixMillis> {
        self.locked().iter().map(Waiting::ends).filter(|end| *end > now).min()
    }

    /// Lets those be answered whose time has come; one that waits longer than it did then holds nothing up.
    pub(super) async fn end_by(&self, now: UnixMillis) {
        for _ in 0..ANSWER_TURNS {
            let is_left = self.locked().iter().any(|one| one.ends() <= now && !one.task.is_finished());
            if !is_left {
                return;
            }
            tokio::task::yield_now().await;
        }
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

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.locked().len()
    }
}
