// SPDX-License-Identifier: Apache-2.0

//! A ticketing back-end of our own, as `adapters/ticketing_http/README.md` describes one: it answers at once, later, wrongly or not at
//! all, as it is told, and keeps books of what it really did.

pub mod books;

mod events;
mod serve;

#[cfg(test)]
mod tests;

pub use books::{Books, Reservation, ReservationState};
pub use events::Event;

use std::fmt;
use std::sync::MutexGuard;
use std::time::Duration;

use crate::machine::Machine;
use crate::net;
use crate::{Journal, SimTime};

/// How reservations are answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IssueMode {
    /// Tickets in the answer.
    Immediate,
    /// `pending`; tickets by event after this stated time, or only when told to.
    Pending {
        /// Stated time until the event; `None` waits for [`SimBackend::issue_now`].
        issue_after: Option<Duration>,
    },
    /// `refused` with this reason.
    Refuse(String),
    /// No answer; nothing is executed.
    Hang,
    /// So many times HTTP 500, unexecuted, then as [`IssueMode::Immediate`].
    Flaky(u32),
    /// So many times executed, and the answer lost; then as [`IssueMode::Immediate`].
    LoseAnswer(u32),
    /// Always this HTTP status, unexecuted.
    Status(u16),
}

/// How cancellations are answered. What was used is refused with `used` whatever the mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CancelMode {
    /// Void at once.
    Accept,
    /// `pending`; void by event after this stated time, or only when told to.
    Pending {
        /// Stated time until the event; `None` waits for [`SimBackend::cancelled`].
        cancel_after: Option<Duration>,
    },
    /// `refused` with this reason.
    Refuse(String),
    /// No answer; nothing is executed.
    Hang,
    /// Always this HTTP status, unexecuted.
    Status(u16),
    /// Executed, and so many answers lost.
    LoseAnswer(u32),
}

/// What a simulated back-end is told when it starts.
#[derive(Clone)]
pub struct SimBackendOptions {
    /// The bridge's address without a path; can be set later.
    pub bridge_url: String,
    /// The back-end's name at the bridge.
    pub backend_id: String,
    /// Standard Webhooks secret, `whsec_…`, both directions.
    pub secret: String,
    /// Time.
    pub time: SimTime,
    /// How reservations are answered, to begin with.
    pub issue: IssueMode,
    /// How cancellations are answered, to begin with.
    pub cancel: CancelMode,
    /// Where what crosses the wire is written.
    pub journal: Journal,
    /// Where it listens.
    pub listen: std::net::SocketAddr,
}

impl SimBackendOptions {
    /// The usual back-end: issues and cancels at once.
    pub fn usual(backend_id: &str, secret: &str, time: SimTime) -> Self {
        Self {
            bridge_url: String::new(),
            backend_id: backend_id.to_owned(),
            secret: secret.to_owned(),
            time,
            issue: IssueMode::Immediate,
            cancel: CancelMode::Accept,
            journal: Journal::default(),
            listen: net::ANY_PORT,
        }
    }
}

impl fmt::Debug for SimBackendOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("SimBackendOptions");
        text.field("backend_id", &self.backend_id).field("issue", &self.issue).field("cancel", &self.cancel);
        text.finish_non_exhaustive()
    }
}

/// A running back-end. Clones are handles to the same one; it stops when the last handle is dropped.
#[derive(Clone)]
pub struct SimBackend {
    machine: Machine<SimBackendOptions, State>,
}

struct State {
    bridge_url: String,
    issue: IssueMode,
    cancel: CancelMode,
    books: Books,
    next_number: u64,
}

impl fmt::Debug for SimBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimBackend").field("machine", &self.machine).finish_non_exhaustive()
    }
}

impl SimBackend {
    /// Starts it on a free port of this machine. Fails when no port can be had.
    pub async fn start(options: SimBackendOptions) -> std::io::Result<Self> {
        let state = State {
            bridge_url: options.bridge_url.clone(),
            issue: options.issue.clone(),
            cancel: options.cancel.clone(),
            books: Books::default(),
            next_number: 0,
        };
        let (machine, listener) = Machine::open(options.listen, options, state).await?;
        let backend = Self { machine };
        backend.machine.serve(listener, serve::router(backend.inside()));
        Ok(backend)
    }

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

    fn inside(&self) -> Self {
        Self { machine: self.machine.inside() }
    }

    fn meanwhile<F, Work>(&self, work: F)
    where
        F: FnOnce(Self) -> Work,
        Work: Future<Output = ()> + Send + 'static,
    {
        self.machine.spawn(work(self.inside()));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.machine.state()
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        self.machine.change(change)
    }

    fn violation(&self, reservation_id: &str, sentence: impl Into<String>) {
        let violation = books::Violation { reservation_id: reservation_id.to_owned(), sentence: sentence.into() };
        self.change(|state| state.books.violations.push(violation));
    }

    /// Makes the tickets of a reservation that has none: `None` when it cannot be issued any more.
    fn make_tickets(&self, reservation_id: &str) -> Option<()> {
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
