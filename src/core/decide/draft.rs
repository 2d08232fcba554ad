//! A decision in the making.

use crate::decide::Decision;
use crate::evolve::evolve;
use crate::message::{Actor, EventRecord};
use crate::order::{AttentionKind, Order};
use crate::time::{Moment, UnixMillis};

/// A decision in the making: each part is decided on the order as the parts before have left it.
pub(super) struct Draft {
    pub(super) order: Order,
    pub(super) decision: Decision,
    pub(super) at: UnixMillis,
    /// Units that the visit date holds for the order.
    pub(super) held: u32,
}

impl Draft {
    pub(super) fn of(order: &Order, moment: Moment) -> Self {
        Self::at(order, moment.now)
    }

    pub(super) fn at(order: &Order, at: UnixMillis) -> Self {
        let held = order.active_booking().map_or(0, |_| order.live_units());
        Self { order: order.clone(), decision: Decision::nothing(), at, held }
    }

    pub(super) fn add(&mut self, part: Decision) {
        for event in &part.events {
            let seq = self.order.version + 1;
            let record = EventRecord { seq, at: self.at, actor: Actor::policy(), event: event.clone() };
            self.order = evolve(Some(self.order.clone()), &record).expect("an order that exists stays");
        }
        self.decision = std::mem::take(&mut self.decision).then(part);
    }

    pub(super) fn flag(&mut self, kind: AttentionKind, sentence: impl Into<String>) {
        let part = Decision::nothing().attention(&self.order, kind, sentence);
        self.add(part);
    }
}
