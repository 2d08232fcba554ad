// SPDX-License-Identifier: Apache-2.0

//! How long anything here may take. Every wait for a database ends: with a result, or with an error that asks to come again.

use std::time::Duration;

/// Longest times. Whoever must answer sooner says so with [`crate::Store::write_within`], or stops listening: the work goes on, and
/// what it stored is found by the repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeLimits {
    /// For a connection to be made.
    pub connect: Duration,
    /// For a connection to be free.
    pub acquire: Duration,
    /// For somebody else's lock.
    pub lock: Duration,
    /// For one statement, or a commit.
    pub statement: Duration,
    /// For a piece of work from being handed over until its result, unless [`crate::Store::write_within`] says another time.
    pub work: Duration,
    /// For [`crate::Store::ready`].
    pub ready: Duration,
    /// For [`crate::Store::close`].
    pub close: Duration,
}

impl Default for TimeLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            acquire: Duration::from_millis(1_500),
            // Above the second after which PostgreSQL looks for deadlocks: one of two is ended then, not both.
            lock: Duration::from_millis(1_500),
            statement: Duration::from_secs(5),
            work: Duration::from_secs(15),
            ready: Duration::from_secs(2),
            close: Duration::from_secs(5),
        }
    }
}

impl TimeLimits {
    /// When the database's own limit for a statement has failed to act: the connection is given up.
    pub(crate) fn patience(&self) -> Duration {
        self.statement + self.lock
    }
}
