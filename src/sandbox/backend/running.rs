// SPDX-License-Identifier: Apache-2.0

//! The handle of a running back-end, and what it remembers.

use std::fmt;
use std::sync::MutexGuard;
use std::time::Duration;

use super::books::{Books, ReservationState, Violation};
use super::options::{CancelMode, IssueMode, SimBackendOptions};
use crate::machine::Machine;
use crate::{Journal, SimTime};

/// A running back-end. Clones are handles to the same one; it stops when the last handle is dropped.
#[derive(Clone)]
pub struct SimBackend {
    pub(super) machine: Machine<SimBackendOptions, State>,
}

/// All that changes.
pub(super) struct State {
    pub(super) bridge_url: String,
    pub(super) issue: IssueMode,
    pub(super) cancel: CancelMode,
    pub(super) books: Books,
    pub(super) next_number: u64,
}

impl fmt::Debug for SimBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimBackend").field("machine", &self.machine).finish_non_exhaustive()
    }
}

impl SimBackend {
    /// The address to configure at the bridge as `base_url`.
    pub fn base_url(&self) -> String {
        self.machine.base_url()
    }

    /// Says where the bridge is: its address without a path.
    pub fn set_bridge_url(&self, url: impl Into<String>) {
        self.state().bridge_url = url.into();
    }

    /// Changes how reservations are answered from now on.
    pub fn set_issue_mode(&self, mode: IssueMode) {
        self.state().issue = mode;
    }

    /// Changes how cancellations are answered from now on.
    pub fn set_cancel_mode(&self, mode: CancelMode) {
        self.state().cancel = mode;
    }

    /// A copy of the books.
    pub fn books(&self) -> Books {
        self.state().books.clone()
    }

    /// Its time.
    pub fn time(&self) -> &SimTime {
        &self.machine.options().time
    }

    /// What crossed the wire.
    pub fn journal(&self) -> &Journal {
        &self.machine.options().journal
    }

    /// Waits until `look` finds something in the books, for `patience` of real time at most.
    pub async fn until<T>(&self, patience: Duration, mut look: impl FnMut(&Books) -> Option<T>) -> Option<T> {
        self.machine.until(patience, |state| look(&state.books)).await
    }

    /// Stops serving and ends all timers.
    pub async fn stop(&self) {
        self.machine.stop().await;
    }

    pub(super) fn inside(&self) -> Self {
        Self { machine: self.machine.inside() }
    }

    pub(super) fn meanwhile<F, Work>(&self, work: F)
    where
        F: FnOnce(Self) -> Work,
        Work: Future<Output = ()> + Send + 'static,
    {
        self.machine.spawn(work(self.inside()));
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.machine.state()
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        self.machine.change(change)
    }

    pub(super) fn violation(&self, reservation_id: &str, sentence: impl Into<String>) {
        let violation = Violation { reservation_id: reservation_id.to_owned(), sentence: sentence.into() };
        self.change(|state| state.books.violations.push(violation));
    }

    /// Makes the tickets of a reservation that has none: `None` when it cannot be issued any more.
    pub(super) fn make_tickets(&self, reservation_id: &str) -> Option<()> {
        let stamp = self.time().now_ms();
        self.change(|state| {
            let reservation = state.books.reservations.get_mut(reservation_id)?;
            if reservation.state != ReservationState::Pending {
                return None;
            }
            for _ in 0..reservation.quantity {
                state.next_number += 1;
                reservation.codes.push(format!("SB{stamp:013}{:04}", state.next_number));
            }
            reservation.issues += 1;
            reservation.state = ReservationState::Issued;
            Some(())
        })
    }
}
