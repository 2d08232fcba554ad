// SPDX-License-Identifier: Apache-2.0

//! A decision in the making, the only form in which one is written: each part is decided on the order as the parts before have left it.

use std::rc::Rc;

use crate::evolve::{change, evolve};
use crate::message::{Actor, DeadlineKind, Effect, Event, EventRecord, Notification, PlaceOrder, TicketOp};
use crate::order::channel_state::Unproven;
use crate::order::money::{EntryKind, PRESUMED};
use crate::order::{AttentionKind, Booking, Fact, Order};
use crate::time::{Moment, UnixMillis};

/// A decision in the making: what happens, what must be done outside, and the order as it is then. One that turns out to be refused is
/// thrown away whole.
pub(crate) struct Draft {
    order: Rc<Order>,
    events: Vec<EventRecord>,
    effects: Vec<Effect>,
    /// Who causes it.
    pub(super) actor: Actor,
    /// When, and what new identifiers are made of.
    pub(super) moment: Moment,
    /// Units that the visit date holds for the order.
    pub(super) held: u32,
}

impl Draft {
    /// Nothing is decided yet.
    pub(super) fn of(order: &Rc<Order>, actor: &Actor, moment: Moment) -> Self {
        let held = order.active_booking().map_or(0, |_| order.live_units());
        Self { order: Rc::clone(order), events: Vec::new(), effects: Vec::new(), actor: actor.clone(), moment, held }
    }

    /// A sale is taken on that was not known.
    pub(super) fn placed(placed: &PlaceOrder, actor: &Actor, moment: Moment) -> Self {
        let event = Event::OrderPlaced { id: moment.seed.order(), sale: Box::new(placed.clone()) };
        let record = EventRecord { seq: 1, at: moment.now, actor: actor.clone(), event };
        let order = evolve(None, &record).expect("a sale that is placed makes an order");
        let mut draft = Self::of(&Rc::new(order), actor, moment);
        draft.events.push(record);
        draft
    }

    /// The order as it is after what was decided so far. It stays as it is for whoever holds it.
    pub(super) fn order(&self) -> Rc<Order> {
        Rc::clone(&self.order)
    }

    /// The present.
    pub(super) fn now(&self) -> UnixMillis {
        self.moment.now
    }

    /// Something happens.
    pub(super) fn event(&mut self, event: Event) {
        if self.replaces_presumed(&event) {
            // Said aloud, so that the history alone adds up.
            self.record(Event::PaymentRetracted { reference: PRESUMED.to_owned() });
        }
        self.record(event);
    }

    /// A refund with a number of its own is the money that was presumed to go back.
    fn replaces_presumed(&self, event: &Event) -> bool {
        let Event::PaymentRecorded { entry } = event else { return false };
        entry.kind == EntryKind::Refund && !entry.is_presumed() && self.order.money.presumes_refund()
    }

    fn record(&mut self, event: Event) {
        let (seq, at) = (self.order.version + 1, self.moment.now);
        let record = EventRecord { seq, at, actor: self.actor.clone(), event };
        change(Rc::make_mut(&mut self.order), &record);
        self.events.push(record);
    }

    /// Something must be done outside. A channel that asks is sent nothing.
    pub(super) fn effect(&mut self, effect: Effect) {
        let is_told = self.order.rules.channel.news.is_by_calls() || !matches!(effect, Effect::TellChannel { .. });
        self.effects.extend(is_told.then_some(effect));
    }

    /// Something must be done outside, perhaps.
    pub(super) fn maybe(&mut self, effect: Option<Effect>) {
        if let Some(effect) = effect {
            self.effect(effect);
        }
    }

    /// The channel is told.
    pub(super) fn tell(&mut self, notification: Notification) {
        self.effect(Effect::TellChannel { notification, not_before: None, told_before: None });
    }

    /// The channel is told what it has said yes to and, by its books, has not done: perhaps only not yet.
    pub(super) fn tell_again(&mut self, unproven: &Unproven) {
        let (notification, told_before) = (unproven.notification.clone(), unproven.told.clone().map(Box::new));
        self.effect(Effect::TellChannel { notification, not_before: None, told_before });
    }

    /// The back-end that issues for the order, if there is one, is called about `booking`.
    pub(super) fn call_backend(&mut self, booking: &Booking, op: TicketOp, not_before: Option<UnixMillis>) {
        let backend = self.order.rules.booking.ticketing.issuer().cloned();
        let booking = booking.id.clone();
        self.maybe(backend.map(|backend| Effect::CallBackend { backend, booking, op, not_before }));
    }

    /// These deadlines stand for nothing any more.
    pub(super) fn disarm(&mut self, kinds: &[DeadlineKind]) {
        self.effects.extend(kinds.iter().map(|kind| Effect::DisarmDeadline { kind: *kind }));
    }

    /// The order is flagged for a person; a flag that stands already is not raised again.
    pub(super) fn flag(&mut self, kind: AttentionKind, sentence: impl Into<String>) {
        if !self.order.attention.iter().any(|flag| flag.kind == kind && flag.fact.is_none()) {
            self.event(Event::AttentionRaised { kind, sentence: sentence.into(), fact: None });
        }
    }

    /// The same with a sentence that takes the place of the one before.
    pub(super) fn say_anew(&mut self, kind: AttentionKind, sentence: &str) {
        if !self.order.attention.iter().any(|flag| flag.kind == kind && flag.sentence == sentence) {
            self.event(Event::AttentionRaised { kind, sentence: sentence.to_owned(), fact: None });
        }
    }

    /// The order is flagged for a person as long as `fact` holds, if it does.
    pub(super) fn flag_fact(&mut self, fact: Fact) {
        let (kind, sentence) = (fact.kind(), fact.sentence(&self.order));
        let is_told = self.order.attention.iter().any(|a| Fact::is_same_subject(a.fact.as_ref(), Some(&fact)));
        if !is_told && fact.holds(&self.order) {
            self.event(Event::AttentionRaised { kind, sentence, fact: Some(Box::new(fact)) });
        }
    }

    /// What a person had to look at is settled.
    pub(super) fn settle_flag(&mut self, kind: AttentionKind) {
        if self.order.needs(kind) {
            self.event(Event::AttentionSettled { kind, reason: None });
        }
    }

    /// Whether nothing happens: it is so already.
    pub(crate) fn is_nothing(&self) -> bool {
        self.events.is_empty()
    }

    /// The order then, what happens, and what must be done outside.
    pub(crate) fn into_parts(self) -> (Rc<Order>, Vec<EventRecord>, Vec<Effect>) {
        (self.order, self.events, self.effects)
    }
}
