// SPDX-License-Identifier: Apache-2.0

//! From when something is to be done next.

use ticketbridge_core::UnixMillis;

/// What is next, without taking it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// When a delivery can be handed out, or a lease runs out; perhaps in the past.
    pub job: Option<UnixMillis>,
    /// When a deadline passes or is to be warned of, or the lease of one runs out.
    pub deadline: Option<UnixMillis>,
}

impl Ahead {
    /// Nothing is known to be done.
    pub const NOTHING: Ahead = Ahead { job: None, deadline: None };

    /// The sooner of both, each for itself.
    pub(crate) fn or_sooner(self, other: Ahead) -> Ahead {
        let sooner = |a: Option<UnixMillis>, b: Option<UnixMillis>| a.into_iter().chain(b).min();
        Ahead { job: sooner(self.job, other.job), deadline: sooner(self.deadline, other.deadline) }
    }
}
