// SPDX-License-Identifier: Apache-2.0

//! What a channel's yes is worth. One that says of this very order what came of it is believed; one that says nothing is believed once
//! the books show it, and books that show otherwise are told again, under the same key, before a person has to look.

use ticketbridge_core::message::{Actor, ActorKind, Command, Notification, NotificationOutcome, ToldBefore};
use ticketbridge_core::order::Order;
use ticketbridge_core::order::undelivered::{NOT_DONE, NOT_DONE_WHY, OVERTAKEN};
use ticketbridge_core::port::{CallResult, Yes};
use ticketbridge_core::quoted::FreeText;
use ticketbridge_core::retry::Next;
use ticketbridge_core::still_needed::is_still_needed;
use ticketbridge_core::{Millis, UnixMillis};
use ticketbridge_store::{Job, JobEnd};

use crate::engine::EngineError;
use crate::service::registry::RegisteredChannel;
use crate::worker::moved::{has_moved_on, has_news, is_counted_only, says_how_the_order_stands, why_overtaken};
use crate::worker::settle::{Attempt, partner};
use crate::worker::{Worker, told_before};

/// What an answer that counts has told.
pub(crate) enum Told {
    /// The order had changed at the channel before: nothing was carried out.
    Overtaken {
        /// How it is now.
        learned: Vec<Command>,
    },
    /// The channel said yes.
    Taken {
        /// How plainly.
        yes: Yes,
        /// What it says beside the outcome.
        learned: Vec<Command>,
    },
}

/// What the books show of a notification that the channel has said yes to.
enum Shown {
    /// It has come about.
    Done,
    /// Nothing of it.
    Nothing,
    /// They could not be asked, or are to show it later.
    NotYet,
}

/// A call as it was made and answered.
pub(crate) struct Made {
    /// When.
    pub at: UnixMillis,
    /// How long it took.
    pub took: Millis,
    /// The answer's status.
    pub status: Option<u16>,
    /// The key by which the channel knows a repeat, where one was sent.
    pub key: Option<String>,
    /// The fingerprint of what was sent under it.
    pub message: Option<String>,
}

/// How a notification goes on whose order has moved on.
pub(crate) enum Again {
    /// Something of the order is another now: it is decided as for the first time.
    Anew,
    /// Nothing is but the count of changes: the attempts go on being counted.
    Counted {
        /// How it was told.
        told: ToldBefore,
        /// When it is told again; at once where nothing is named.
        not_before: Option<UnixMillis>,
    },
    /// They are used up.
    Never,
}

impl Worker {
    /// Ends a call to which the channel said yes, or that came too late.
    pub(crate) async fn taken(
        &self,
        job: &Job,
        notification: &Notification,
        order: &Order,
        channel: &RegisteredChannel,
        told: Told,
        made: Made,
    ) -> Result<(), EngineError> {
        let attempt = |verdict, summary: &str| Attempt {
            at: made.at,
            call: job.call.clone(),
            key: made.key.clone(),
            took: made.took,
            status: made.status,
            verdict,
            summary: summary.to_owned(),
        };
        let (yes, learned) = match told {
            Told::Overtaken { learned } => {
                let now = self.take_over(order, channel, learned).await?;
                let attempt = attempt("overtaken", "the order had changed");
                return self.overtaken(job, notification, (order, &now), made.message.clone(), attempt).await;
            }
            Told::Taken { yes, learned } => (yes, learned),
        };
        if let Some(why) = self.engine.named_elsewhere(order, &learned).await? {
            let actor = Actor::new(ActorKind::Channel, partner(&job.destination));
            return self.astray(job, notification, why.clone(), attempt("astray", &why.to_string()), actor).await;
        }
        let has_whole = learned.iter().any(|command| matches!(command, Command::SyncSnapshot { .. }));
        let now = self.take_over(order, channel, learned).await?;
        let shown = match yes {
            Yes::Plain => Shown::Done,
            // Its books have no word for it but one more change.
            Yes::Bare if is_counted_only(notification) && has_moved_on(order, &now) => Shown::Done,
            Yes::Bare if has_whole && is_still_needed(&now, &job.effect) => Shown::Nothing,
            Yes::Bare if has_whole => Shown::Done,
            Yes::Bare => self.shown(job, notification, now, channel, made.status).await?,
        };
        match shown {
            Shown::Done => {
                let command = self.outcome(job, notification, NotificationOutcome::Acknowledged);
                let attempt = attempt("done", "acknowledged");
                self.settle(job, JobEnd::Delivered, Some(attempt), vec![command]).await.map(|_| ())
            }
            Shown::NotYet => {
                let told = told_before::told(job, made.message.clone());
                let command = self.outcome(job, notification, NotificationOutcome::Taken { told });
                let attempt = attempt("done", "taken; what comes of it is still to be seen");
                self.settle(job, JobEnd::Delivered, Some(attempt), vec![command]).await.map(|_| ())
            }
            Shown::Nothing if job.read_back || told_before::in_vain(job) > 0 => {
                let attempt = attempt("refused", NOT_DONE_WHY);
                self.refused(job, notification, (NOT_DONE.into(), NOT_DONE_WHY.into()), Some(attempt)).await
            }
            // It may be late rather than lying: it is asked again before it is told again. What says how the order stands is another message
            // once the books count more changes.
            Shown::Nothing => {
                let attempt = attempt("unknown", NOT_DONE_WHY);
                if let Some(now) = self.moved_on(notification, order).await? {
                    let again = self.again_where_it_stands(job, (order, &now), made.message, true);
                    return self.decide_again(job, notification, again, Some(attempt)).await;
                }
                let mut doubtful = job.clone();
                doubtful.read_back = true;
                self.later(&doubtful, notification, None, NOT_DONE_WHY.into(), Some(attempt)).await
            }
        }
    }

    /// Ends a call that came too late, after what the answer says was taken over.
    async fn overtaken(
        &self,
        job: &Job,
        notification: &Notification,
        (before, now): (&Order, &Order),
        message: Option<String>,
        attempt: Attempt,
    ) -> Result<(), EngineError> {
        if let Some(why) = why_overtaken(notification, now).filter(|_| !job.read_back) {
            return self.refused(job, notification, (OVERTAKEN.into(), why.into()), Some(attempt)).await;
        }
        let again = self.again_where_it_stands(job, (before, now), message, false);
        self.decide_again(job, notification, again, Some(attempt)).await
    }

    /// The order as it is now, where what is to be told says how it stands, and the channel counts more changes of it than before.
    async fn moved_on(&self, notification: &Notification, before: &Order) -> Result<Option<Order>, EngineError> {
        if !says_how_the_order_stands(notification) {
            return Ok(None);
        }
        let now = self.engine.store().load_order(&before.id).await?;
        Ok(now.filter(|now| has_moved_on(before, now)))
    }

    /// How a notification is decided again after the order has moved on from `before` to `now`. Where that says nothing of what it asks for,
    /// the attempts so far count, and the next one waits: after the first of them only where `waits` says so.
    pub(crate) fn again_where_it_stands(
        &self,
        job: &Job,
        (before, now): (&Order, &Order),
        message: Option<String>,
        waits: bool,
    ) -> Again {
        if has_news(before, now) {
            return Again::Anew;
        }
        let told = told_before::told_in_vain(job, message);
        let mut counted = job.clone();
        counted.attempts = told.in_vain;
        match self.again(&counted, None) {
            Next::At(due_at) => {
                let not_before = (waits || told_before::in_vain(job) > 0).then_some(due_at);
                Again::Counted { told, not_before }
            }
            Next::GiveUp => Again::Never,
        }
    }

    /// Ends a delivery whose order has moved on: the order decides again, or it is given up.
    pub(crate) async fn decide_again(
        &self,
        job: &Job,
        notification: &Notification,
        again: Again,
        attempt: Option<Attempt>,
    ) -> Result<(), EngineError> {
        let why = "the order had changed at the channel; decided again";
        let (end, outcome) = match again {
            Again::Anew => (JobEnd::NotNeeded { why: why.to_owned() }, NotificationOutcome::Overtaken),
            Again::Counted { told, not_before } => {
                (JobEnd::NotNeeded { why: why.to_owned() }, NotificationOutcome::Unmoved { told, not_before })
            }
            Again::Never => {
                let why = "the channel counts one change after the other, and nothing of this is among them";
                (JobEnd::Dead { error: why.to_owned() }, NotificationOutcome::GivenUp { why: why.into() })
            }
        };
        let command = self.outcome(job, notification, outcome);
        self.settle(job, end, attempt, vec![command]).await.map(|_| ())
    }

    /// What is to be seen of a notification after a yes that says nothing itself.
    async fn shown(
        &self,
        job: &Job,
        notification: &Notification,
        order: Order,
        channel: &RegisteredChannel,
        status: Option<u16>,
    ) -> Result<Shown, EngineError> {
        let is_open = |order: &Order| is_still_needed(order, &job.effect);
        let is_uncounted =
            order.channel_state.as_deref().is_some_and(|channel_state| channel_state.standing.revision == 0);
        // What is accepted for later is told by an event, unless nobody counts the changes.
        let comes_later = status == Some(202);
        let is_known = !is_open(&order) || comes_later;
        if order.channel_state.is_none()
            || (is_known && !is_uncounted)
            || (comes_later && *notification == Notification::HandOver)
        {
            return Ok(if is_open(&order) { Shown::NotYet } else { Shown::Done });
        }
        let Ok(exchange) = self.ask_how_it_stands(job, notification, &order, channel).await else {
            // Where nothing would ever show it, a yes is all that there is.
            return Ok(if is_counted_only(notification) { Shown::Done } else { Shown::NotYet });
        };
        let CallResult::Done(checked) = exchange.result else { return Ok(Shown::NotYet) };
        let is_done = checked.carried_out.bears_out_a_yes();
        let now = self.take_look(&order, channel, checked.learned).await?;
        let is_counted = is_counted_only(notification) && has_moved_on(&order, &now);
        Ok(match is_done || is_counted || !is_open(&now) {
            true => Shown::Done,
            false if comes_later => Shown::NotYet,
            false => Shown::Nothing,
        })
    }

    /// An answer about something else is none: it is asked again, and a person sees it.
    pub(crate) async fn astray(
        &self,
        job: &Job,
        notification: &Notification,
        why: FreeText,
        attempt: Attempt,
        actor: Actor,
    ) -> Result<(), EngineError> {
        tracing::error!(order = %job.order, partner = %job.destination, "a partner answered about something else: {why}");
        metrics::counter!("ticketbridge_answers_astray_total", "partner" => job.destination.clone()).increment(1);
        let mut doubtful = job.clone();
        doubtful.read_back = true;
        let command = Command::RecordAstray { partner: actor.name.clone(), why: why.clone() };
        self.later_and(&doubtful, notification, None, why, Some(attempt), vec![(actor, command)]).await
    }
}
