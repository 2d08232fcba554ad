// SPDX-License-Identifier: Apache-2.0

//! What a comparison of books found, and how it is taken over.

use std::sync::Arc;

use serde::Serialize;
use ticketbridge_core::message::{Actor, Command};
use ticketbridge_core::order::Order;
use ticketbridge_core::quoted::FreeText;

use crate::engine::EngineError;
use crate::worker::Worker;
use crate::worker::conduct::For;

/// What partners are asked for here.
pub(super) const RECONCILE: For<'static> = For::Question("reconcile");
/// Differences that one report lists; more are counted.
const DIFFERENCES_MAX: usize = 1_000;

/// One thing on which two books differ.
#[derive(Clone, Debug, Serialize)]
pub struct Difference {
    /// Our order.
    pub order_id: String,
    /// The channel's number.
    pub channel_order_id: String,
    /// Whose book differs from ours: the channel's or the back-end's name.
    pub partner: String,
    /// What differs.
    pub field: &'static str,
    /// What we say.
    pub ours: String,
    /// What it says.
    pub theirs: String,
    /// What that means, and what to do.
    pub reason: String,
    /// Whether it was repaired.
    pub repaired: bool,
}

/// What one run found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Reconciliation {
    /// When it began, milliseconds since 1970.
    pub started_ms: i64,
    /// When it ended.
    pub ended_ms: i64,
    /// Orders looked at.
    pub orders: u64,
    /// Questions that were not answered.
    pub unanswered: u64,
    /// Differences that were repaired.
    pub repaired: u64,
    /// All differences, up to a limit.
    pub differences: Vec<Difference>,
    /// Differences beyond that limit.
    pub not_listed: u64,
}

impl Reconciliation {
    pub(super) fn note(&mut self, difference: Difference) {
        self.repaired += u64::from(difference.repaired);
        if self.differences.len() < DIFFERENCES_MAX {
            self.differences.push(difference);
        } else {
            self.not_listed += 1;
        }
    }
}

/// A difference with nothing said of it yet.
pub(super) fn difference(order: &Order, partner: &str, field: &'static str) -> Difference {
    Difference {
        order_id: order.id.to_string(),
        channel_order_id: order.channel_order_id.to_string(),
        partner: partner.to_owned(),
        field,
        ours: String::new(),
        theirs: String::new(),
        reason: String::new(),
        repaired: false,
    }
}

/// The answer was about something else: nothing of it is taken over, and a person sees it.
pub(super) async fn astray(
    worker: &Worker,
    order: &Order,
    actor: Actor,
    what: &'static str,
    why: &FreeText,
    report: &mut Reconciliation,
) -> Result<(), EngineError> {
    let partner = actor.name.clone();
    report.note(Difference {
        ours: "asked about".to_owned(),
        theirs: format!("another {what}"),
        reason: format!("{why}; nothing of it was taken over"),
        ..difference(order, &partner, what)
    });
    let command = Command::RecordAstray { partner, why: why.clone() };
    apply(worker, order, command, actor).await.map(|_| ())
}

/// Whether the command changed the order.
pub(super) async fn apply(worker: &Worker, order: &Order, command: Command, actor: Actor) -> Result<bool, EngineError> {
    match worker.engine.apply(&order.id, command, actor).await {
        Ok(applied) => Ok(applied.changed),
        Err(EngineError::Rejected(_)) => Ok(false),
        Err(other) => Err(other),
    }
}

/// The last report of this instance, for the ops interface.
#[derive(Clone, Default)]
pub struct LastReport(Arc<arc_swap::ArcSwapOption<Reconciliation>>);

impl LastReport {
    /// Keeps a report.
    pub fn keep(&self, report: Reconciliation) {
        self.0.store(Some(Arc::new(report)));
    }
    /// The kept one.
    pub fn get(&self) -> Option<Arc<Reconciliation>> {
        self.0.load_full()
    }
}
