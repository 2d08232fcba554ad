// SPDX-License-Identifier: Apache-2.0

//! A look at how an order stands with its channel, before something is said again or where the channel counts no changes
//! (`adapters/kakao/README.md`): what was carried out already is not asked for twice, and what has changed meanwhile is decided anew.

use ticketbridge_core::Millis;
use ticketbridge_core::message::{Actor, ActorKind, Command, Event, Notification, NotificationOutcome};
use ticketbridge_core::order::Order;
use ticketbridge_core::port::{CallResult, CarriedOut, Checked, Context, EncodeError, HttpResponse};
use ticketbridge_core::still_needed::{is_still_needed, must_be_answered};
use ticketbridge_store::{CallRecord, EventRow, Job, JobEnd, Tx};

use crate::engine::EngineError;
use crate::service::registry::RegisteredChannel;
use crate::worker::conduct::Exchange;
use crate::worker::moved::{has_moved, has_moved_on, is_counted_only, says_how_the_order_stands, why_overtaken};
use crate::worker::settle::Attempt;
use crate::worker::{Worker, told_before};

/// Events of an order that are looked through for what has changed since a delivery was decided; more of them count as a change.
const EVENTS_LOOKED_AT: u32 = 100;

/// Why the channel is asked first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// The last attempt had no answer, or one that says that something has changed.
    Uncertain,
    /// The channel counts no changes, or the time for our decision is over: it may have decided itself.
    Uncounted,
}

/// What came of the look.
pub(crate) enum Looked {
    /// The call is still to be made, for the order as it is now.
    GoOn(Box<Order>),
    /// The delivery has ended, or comes later.
    Settled,
}

impl Worker {
    /// Whether the channel is to be asked before `notification` is made.
    ///
    /// # Errors
    /// Store errors.
    pub(crate) async fn doubt(
        &self,
        job: &Job,
        notification: &Notification,
        order: &Order,
    ) -> Result<Option<Doubt>, EngineError> {
        let Some(channel_state) = order.channel_state.as_deref() else { return Ok(None) };
        let changes_nothing = matches!(notification, Notification::CancelQuote);
        let told_elsewhere = matches!(notification, Notification::HandOver);
        if changes_nothing || (told_elsewhere && !job.read_back) {
            return Ok(None);
        }
        if job.read_back || told_before::in_vain(job) > 0 || self.is_another_message(job, notification, order).await? {
            return Ok(Some(Doubt::Uncertain));
        }
        let now = self.engine.clock().now();
        let limit = order.rules.channel.acceptance_limit;
        let asked_at = order.booking.as_ref().map_or(now, |booking| booking.requested_at);
        let decides =
            matches!(notification, Notification::BookingConfirmed { .. } | Notification::BookingRejected { .. });
        let over = decides && limit > Millis(0) && now >= asked_at + limit;
        Ok((channel_state.standing.revision == 0 || over).then_some(Doubt::Uncounted))
    }

    /// Whether an earlier attempt of this delivery may have said something else under its key than would be said now: the partner may know
    /// the key, and one key never stands for two messages. What the order has taken up since the delivery was decided may be in what it says;
    /// a flag for people, or what came of a call, is not: a repeat that differs in nothing keeps its key, or it would be carried out twice.
    async fn is_another_message(
        &self,
        job: &Job,
        notification: &Notification,
        order: &Order,
    ) -> Result<bool, EngineError> {
        let was_told = job.read_back || job.last_error.is_some();
        if !was_told || !says_how_the_order_stands(notification) || order.updated_at < job.created_at {
            return Ok(false);
        }
        self.any_since(job, order, Event::alters_messages).await
    }

    /// Whether the order has taken up something since the delivery was decided that stands in every message about it: another number of the
    /// partner's, or another count of changes.
    async fn is_written_otherwise(&self, job: &Job, order: &Order) -> Result<bool, EngineError> {
        let is_it = |event: &Event| matches!(event, Event::PartnerNumberChanged { .. } | Event::SnapshotTaken { .. });
        self.any_since(job, order, is_it).await
    }

    /// Whether any such event has come since the delivery was decided; more than are looked through, and one that cannot be read, count as
    /// such.
    async fn any_since(&self, job: &Job, order: &Order, is_it: impl Fn(&Event) -> bool) -> Result<bool, EngineError> {
        let latest = self.engine.store().latest_events(&order.id, None, EVENTS_LOOKED_AT).await?;
        // What came of another call in the instant of the decision is no part of it.
        let is_later = |row: &EventRow, event: &Event| {
            row.at > job.created_at || matches!(event, Event::PartnerNumberChanged { .. })
        };
        let mut since = latest.iter().filter(|row| row.at >= job.created_at);
        let counts = |row: &EventRow| {
            let event = serde_json::from_value::<Event>(row.data.clone());
            event.map_or(true, |event| is_later(row, &event) && is_it(&event))
        };
        let are_more = latest.len() == EVENTS_LOOKED_AT as usize && latest.iter().all(|row| row.at > job.created_at);
        Ok(are_more || since.any(counts))
    }

    /// Asks the channel, takes over what it says, and tells whether the call is still to be made.
    pub(crate) async fn verify_first(
        &self,
        job: &Job,
        notification: &Notification,
        order: &Order,
        channel: &RegisteredChannel,
        doubt: Doubt,
    ) -> Result<Looked, EngineError> {
        let go_on = || Ok(Looked::GoOn(Box::new(order.clone())));
        let Ok(exchange) = self.ask_how_it_stands(job, notification, order, channel).await else {
            // It cannot be asked; a repeat carries the same key.
            return go_on();
        };
        let was_answered = exchange.status.is_some_and(|status| (200..300).contains(&status));
        let result = match exchange.result {
            CallResult::Done(checked) => match self.engine.named_elsewhere(order, &checked.learned).await? {
                Some(why) => CallResult::Astray { why },
                None => CallResult::Done(checked),
            },
            other => other,
        };
        let checked = match result {
            CallResult::Done(checked) => checked,
            // An answer that says nothing of the order leaves the repeat under the same key, as long as it says the same.
            CallResult::Unknown { why } if was_answered => {
                return match self.is_written_otherwise(job, order).await? {
                    true => self.later(job, notification, None, why, None).await.map(|()| Looked::Settled),
                    false => go_on(),
                };
            }
            CallResult::Retry { why, after } => {
                return self.later(job, notification, after, why, None).await.map(|()| Looked::Settled);
            }
            CallResult::Unknown { why } => {
                return self.later(job, notification, None, why, None).await.map(|()| Looked::Settled);
            }
            CallResult::Astray { why } => {
                let actor = Actor::new(ActorKind::Channel, channel.id.as_str());
                let command = Command::RecordAstray { partner: actor.name.clone(), why: why.clone() };
                let commands = vec![(actor, command)];
                let done = self.later_and(job, notification, None, why, None, commands).await;
                return done.map(|()| Looked::Settled);
            }
            CallResult::Refused { .. } | CallResult::Absent | CallResult::Overtaken | CallResult::TokenRejected => {
                return go_on();
            }
        };
        let now = self.take_look(order, channel, checked.learned).await?;
        // An attempt without an answer may have been the change that the channel counts.
        let is_counted = doubt == Doubt::Uncertain && is_counted_only(notification) && has_moved_on(order, &now);
        if checked.carried_out == CarriedOut::Yes || is_counted {
            let command = self.outcome(job, notification, NotificationOutcome::Acknowledged);
            return self.settle(job, JobEnd::Delivered, None, vec![command]).await.map(|_| Looked::Settled);
        }
        // What this delivery has not told yet is no message that could be another one by now.
        let was_told = job.read_back || job.last_error.is_some();
        let doubt = if was_told { doubt } else { Doubt::Uncounted };
        self.go_on_or_end(job, notification, order, now, doubt).await
    }

    async fn go_on_or_end(
        &self,
        job: &Job,
        notification: &Notification,
        before: &Order,
        now: Order,
        doubt: Doubt,
    ) -> Result<Looked, EngineError> {
        // What it may have made there has no number here: only the answer under its own key tells it.
        if doubt == Doubt::Uncertain && must_be_answered(&now, &job.effect) {
            return Ok(Looked::GoOn(Box::new(now)));
        }
        if !is_still_needed(&now, &job.effect) {
            let why = "the channel says that it is so already, or cannot be any more".to_owned();
            return self.end(job, JobEnd::NotNeeded { why }).await.map(|()| Looked::Settled);
        }
        // What does not say how the order stands is the same message still, and keeps its key.
        if doubt == Doubt::Uncertain
            && says_how_the_order_stands(notification)
            && (has_moved(before, &now) || self.is_another_message(job, notification, before).await?)
        {
            // What would be sent is another message by now, and needs a key of its own.
            let again = self.again_where_it_stands(job, (before, &now), None, false);
            return self.decide_again(job, notification, again, None).await.map(|()| Looked::Settled);
        }
        Ok(Looked::GoOn(Box::new(now)))
    }

    /// The answer says no, because something has changed: what has, decides whether that is a failure. `true` when it is none.
    pub(crate) async fn explained_by_look(
        &self,
        job: &Job,
        notification: &Notification,
        order: &Order,
        channel: &RegisteredChannel,
    ) -> Result<bool, EngineError> {
        // A message may have told it while the call was under way.
        let mut now = self.engine.store().load_order(&order.id).await?.unwrap_or_else(|| order.clone());
        if now.version == order.version {
            let Ok(exchange) = self.ask_how_it_stands(job, notification, order, channel).await else {
                return Ok(false);
            };
            let CallResult::Done(checked) = exchange.result else { return Ok(false) };
            now = self.take_look(order, channel, checked.learned).await?;
        }
        if now.version == order.version || (!job.read_back && why_overtaken(notification, &now).is_some()) {
            return Ok(false);
        }
        match self.go_on_or_end(job, notification, order, now, Doubt::Uncertain).await? {
            Looked::Settled => Ok(true),
            Looked::GoOn(_) => Ok(false),
        }
    }

    /// One question; it is kept among the order's calls.
    pub(crate) async fn ask_how_it_stands(
        &self,
        job: &Job,
        notification: &Notification,
        order: &Order,
        channel: &RegisteredChannel,
    ) -> Result<Exchange<Checked>, EncodeError> {
        let Some(look) = channel.channel.verify_first(notification) else {
            return Err(EncodeError::Unsupported("asking how an order stands"));
        };
        let write = |cx: &Context<'_>| look.call(notification, order, cx);
        let read = |response: &HttpResponse| look.read(notification, order, response);
        let exchange = self.exchange(job, channel, &write, &read).await?;
        let verdict = match &exchange.result {
            CallResult::Done(_) => "done",
            CallResult::Refused { .. } => "refused",
            CallResult::Absent => "absent",
            CallResult::Astray { .. } => "astray",
            CallResult::Overtaken => "overtaken",
            CallResult::Retry { .. } => "retry",
            CallResult::TokenRejected => "token_refused",
            CallResult::Unknown { .. } => "unknown",
        };
        let attempt = Attempt {
            at: exchange.at,
            call: "read_back".to_owned(),
            key: None,
            took: exchange.took,
            status: exchange.status,
            verdict,
            summary: format!("how does it stand, before `{}`", notification.name()),
        };
        self.note_call(job, attempt).await;
        Ok(exchange)
    }

    /// Keeps a call that ends no delivery; a record that is lost costs nothing else.
    async fn note_call(&self, job: &Job, attempt: Attempt) {
        self.note(self.record_of(job, attempt)).await;
    }

    /// The same for a record that is made already.
    pub(crate) async fn note(&self, record: CallRecord) {
        let noted: Result<(), ticketbridge_store::StoreError> = self
            .engine
            .store()
            .write("log_call", move |tx: &Tx| {
                let record = record.clone();
                Box::pin(async move { tx.log_call(&record) })
            })
            .await;
        if let Err(error) = noted {
            crate::trouble::log_trouble("a call could not be noted", &error);
        }
    }

    /// Whether the partner has given the order another number since `before`, when a call was written: an answer that was long on its way
    /// brings the older one. Unlike a whole order, a number says nothing of its age.
    async fn has_another_number(&self, before: &Order) -> Result<bool, EngineError> {
        let number = |order: &Order| order.channel_state.as_deref().and_then(|s| s.partner_number().cloned());
        let now = self.engine.store().load_order(&before.id).await?;
        Ok(now.is_some_and(|now| number(&now) != number(before)))
    }

    /// What a look says becomes the order's, unless the channel has told something else while it was under way, and counts no changes: the
    /// look may be the older of the two, and what a channel tells by itself is not taken back by it. The order afterwards.
    pub(crate) async fn take_look(
        &self,
        order: &Order,
        channel: &RegisteredChannel,
        learned: Vec<Command>,
    ) -> Result<Order, EngineError> {
        let whole = learned.iter().find_map(|command| match command {
            Command::SyncSnapshot { snapshot, .. } if snapshot.standing.revision == 0 => Some(snapshot),
            _ => None,
        });
        if let Some(whole) = whole {
            let asked_of = order.channel_state.as_deref().map(|state| &state.standing);
            let now = self.engine.store().load_order(&order.id).await?;
            if let Some(now) = now.filter(|now| whole.is_overtaken(asked_of, now.channel_state.as_deref())) {
                return Ok(now);
            }
        }
        self.take_over(order, channel, learned).await
    }

    /// What the channel says becomes the order's; the order afterwards.
    pub(crate) async fn take_over(
        &self,
        order: &Order,
        channel: &RegisteredChannel,
        learned: Vec<Command>,
    ) -> Result<Order, EngineError> {
        let actor = Actor::new(ActorKind::Channel, channel.id.as_str());
        let mut now = order.clone();
        if let Some(why) = self.engine.named_elsewhere(order, &learned).await? {
            let command = Command::RecordAstray { partner: actor.name.clone(), why };
            return Ok(self.engine.apply(&order.id, command, actor).await?.order);
        }
        for command in learned {
            if matches!(command, Command::RecordPartnerNumber { .. }) && self.has_another_number(order).await? {
                continue;
            }
            match self.engine.apply(&order.id, command, actor.clone()).await {
                Ok(applied) => now = applied.order,
                Err(EngineError::Rejected(rejection)) => {
                    tracing::warn!(order = %order.id, code = rejection.why.code(),
                        "what the channel answered does not fit the order: {rejection}");
                }
                Err(other) => return Err(other),
            }
        }
        Ok(now)
    }
}
