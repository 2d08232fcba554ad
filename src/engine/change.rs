// SPDX-License-Identifier: Apache-2.0

//! One change of one order: who causes it, and what it came to.

use ticketbridge_core::order::Order;
use ticketbridge_core::{Actor, Answering, Moment, Notification, Seed};

use crate::service::live::Running;

/// What an order was, and is.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The order afterwards.
    pub order: Order,
    /// Whether anything happened.
    pub changed: bool,
    /// Deliveries that are kept in reserve: they tell what the answer that is about to go out says as well.
    pub in_reserve: Vec<InReserve>,
}

/// A delivery that is cancelled when the answer gets out.
#[derive(Clone, Debug)]
pub struct InReserve {
    /// `dlv_…`.
    pub delivery: String,
    /// What it tells.
    pub notification: Notification,
}

/// One change of one order inside a transaction: who causes it, when, under which configuration.
pub(crate) struct Change<'a> {
    pub(crate) running: &'a Running,
    pub(crate) actor: &'a Actor,
    pub(crate) moment: Moment,
    pub(crate) answering: Answering,
    pub(crate) traceparent: Option<String>,
}

impl Change<'_> {
    /// A change that follows in the same transaction needs identifiers of its own.
    pub(crate) fn next(&self, step: u128) -> Change<'_> {
        let seed = Seed(self.moment.seed.0.wrapping_add(step));
        Change {
            moment: Moment { now: self.moment.now, seed },
            running: self.running,
            actor: self.actor,
            answering: self.answering,
            traceparent: self.traceparent.clone(),
        }
    }
}
