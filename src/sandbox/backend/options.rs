// SPDX-License-Identifier: Apache-2.0

//! How a simulated back-end answers, and what it is told when it starts.

use std::fmt;
use std::time::Duration;

use crate::{Journal, SimTime, net};

/// How reservations are answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IssueMode {
    /// Tickets in the answer.
    Immediate,
    /// `pending`; tickets by event after this stated time, or only when told to.
    Pending {
        /// Stated time until the event; `None` waits for `SimBackend::issue_now`.
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
        /// Stated time until the event; `None` waits for `SimBackend::cancelled`.
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
