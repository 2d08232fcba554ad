// SPDX-License-Identifier: Apache-2.0

//! A gate stops one call of the bridge's, so that something else can happen first.

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Where a call is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Before it is carried out.
    Before,
    /// After it, before its answer.
    After,
}

#[derive(Clone, Copy, Debug, Default)]
struct Passage {
    arrived: bool,
    open: bool,
}

/// Stops one call. Dropping every handle of a story's opens it.
#[derive(Clone, Debug)]
pub struct Gate {
    place: Place,
    passage: Arc<watch::Sender<Passage>>,
}

impl Gate {
    pub(super) fn before() -> Self {
        Self { place: Place::Before, passage: Arc::new(watch::Sender::new(Passage::default())) }
    }

    pub(super) fn after() -> Self {
        Self { place: Place::After, ..Self::before() }
    }

    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// Whether the call comes within `patience` of real time.
    pub async fn arrived(&self, patience: Duration) -> bool {
        let mut passage = self.passage.subscribe();
        tokio::time::timeout(patience, passage.wait_for(|passage| passage.arrived)).await.is_ok_and(|seen| seen.is_ok())
    }

    /// Lets the call go on.
    pub fn open(&self) {
        self.passage.send_modify(|passage| passage.open = true);
    }

    /// The call is here, and goes on once the gate is open; `at_most` real time later in any case.
    pub(super) async fn pass(&self, at_most: Duration) {
        self.passage.send_modify(|passage| passage.arrived = true);
        let mut passage = self.passage.subscribe();
        // Whether it was opened or time is over: the call goes on.
        let _ = tokio::time::timeout(at_most, passage.wait_for(|passage| passage.open)).await;
    }
}
