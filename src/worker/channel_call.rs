// SPDX-License-Identifier: Apache-2.0

//! One call to a channel: a notification, made from the order as it is now.

use ticketbridge_core::Millis;
use ticketbridge_core::message::{Actor, ActorKind, Command, Notification, NotificationOutcome};
use ticketbridge_core::order::Order;
use ticketbridge_core::port::{CallResult, Context, EncodeError, HttpResponse, Yes};
use ticketbridge_core::quoted::{ForeignCode, FreeText};
use ticketbridge_core::retry::Next;
use ticketbridge_store::{Job, JobEnd};

use crate::engine::EngineError;
use crate::service::registry::RegisteredChannel;
use crate::worker::conduct::Exchange;
use crate::worker::settle::{Attempt, partner};
use crate::worker::taken::{Made, Told};
use crate::worker::verify_first::Looked;
use crate::worker::{Worker, told_before};

impl Worker {
    pub(crate) async fn tell_channel(
        &self,
        job: &Job,
        loaded: Option<Order>,
        notification: &Notification,
    ) -> Result<(), EngineError> {
        let Some(mut order) = self.wanted_order(job, loaded).await? else { return Ok(()) };
        let Some(channel) = self.engine.running().registry.channel(&order.channel) else {
            return self.wait_for_partner(job, Some(&order), &format!("channel `{}`", order.channel)).await;
        };
        // Whether the books of an agency behind the channel are there, is known when the call is written.
        if *notification != Notification::HandOver {
            order = self.partner_is_back(job, order).await?;
        }
        if let Some(doubt) = Box::pin(self.doubt(job, notification, &order)).await? {
            match Box::pin(self.verify_first(job, notification, &order, &channel, doubt)).await? {
                Looked::GoOn(now) => order = *now,
                Looked::Settled => return Ok(()),
            }
        }
        let before = told_before::of(&job.effect);
        let write = |cx: &Context<'_>| told_before::write(&*channel.channel, notification, &order, before, cx);
        let read = |response: &HttpResponse| {
            let learned = channel.channel.learned(notification, &order, response);
            told(channel.channel.read_notification(notification, &order, response), learned, &order)
                .without_guests(&order)
        };
        let exchange = match Box::pin(self.exchange(job, &channel, &write, &read)).await {
            Ok(exchange) => exchange,
            Err(EncodeError::Obsolete(why)) => {
                return self.end(job, JobEnd::NotNeeded { why: why.to_owned() }).await;
            }
            Err(EncodeError::NotConfigured(what)) => return self.wait_for_partner(job, Some(&order), what).await,
            // What the channel has no call for is a task for a person, not an error.
            Err(EncodeError::Unsupported(what)) => {
                let end = JobEnd::Dropped { reason: format!("left to a person: {what}") };
                let outcome = NotificationOutcome::LeftToPerson { what: what.into() };
                return self.settle(job, end, None, vec![self.outcome(job, notification, outcome)]).await.map(|_| ());
            }
            Err(error) => {
                return self.refused(job, notification, ("invalid".into(), error.to_string().into()), None).await;
            }
        };
        let order = self.partner_is_back(job, order).await?;
        if says_that_it_changed(&exchange) && self.explained_by_look(job, notification, &order, &channel).await? {
            return Ok(());
        }
        Box::pin(self.judge_notification(job, notification, &order, &channel, exchange)).await
    }

    async fn judge_notification(
        &self,
        job: &Job,
        notification: &Notification,
        order: &Order,
        channel: &RegisteredChannel,
        exchange: Exchange<Told>,
    ) -> Result<(), EngineError> {
        let attempt = |verdict, summary: String| Attempt {
            at: exchange.at,
            call: job.call.clone(),
            key: exchange.key.clone(),
            took: exchange.took,
            status: exchange.status,
            verdict,
            summary,
        };
        match exchange.result {
            CallResult::Done(told) => {
                let Exchange { at, took, status, key, message, .. } = exchange;
                let made = Made { at, took, status, key, message };
                self.taken(job, notification, order, channel, told, made).await
            }
            CallResult::Astray { why } => {
                let attempt = attempt("astray", why.to_string());
                let actor = Actor::new(ActorKind::Channel, partner(&job.destination));
                self.astray(job, notification, why, attempt, actor).await
            }
            CallResult::Refused { code, why } => {
                let attempt = attempt("refused", format!("{why} ({code})"));
                self.refused(job, notification, (code, why), Some(attempt)).await
            }
            // The channel has answered no, and its refund request for these tickets is open: they go with its answer instead.
            CallResult::Retry { why, .. } if is_overtaken(notification, order) && exchange.status == Some(200) => {
                let attempt = attempt("refused", why.to_string());
                let not_needed =
                    format!("the channel answers `{why}`; the tickets go with the decision on its refund request");
                let outcome = NotificationOutcome::Refused { code: "overtaken".into(), why };
                let command = self.outcome(job, notification, outcome);
                self.settle(job, JobEnd::NotNeeded { why: not_needed }, Some(attempt), vec![command]).await.map(|_| ())
            }
            CallResult::Retry { why, after } => {
                let attempt = attempt("retry", why.to_string());
                self.later(job, notification, after, why, Some(attempt)).await
            }
            // A notification says the same however often it is made; where the channel can be asked, it is asked first.
            CallResult::Unknown { why } => {
                let attempt = attempt("unknown", why.to_string());
                let mut doubtful = job.clone();
                doubtful.read_back = true;
                self.later(&doubtful, notification, None, why, Some(attempt)).await
            }
            // Judged before: it brings the order with it, or it is a refusal.
            CallResult::Overtaken | CallResult::Absent => {
                let why = FreeText::from("the channel does not know the order");
                let attempt = attempt("retry", why.to_string());
                self.later(job, notification, None, why, Some(attempt)).await
            }
            CallResult::TokenRejected => {
                let why = FreeText::from("the access token was refused twice");
                let attempt = attempt("retry", why.to_string());
                self.later(job, notification, None, why, Some(attempt)).await
            }
        }
    }

    pub(crate) async fn later(
        &self,
        job: &Job,
        notification: &Notification,
        after: Option<Millis>,
        why: FreeText,
        attempt: Option<Attempt>,
    ) -> Result<(), EngineError> {
        self.later_and(job, notification, after, why, attempt, Vec::new()).await
    }

    /// The same, and the order hears `commands` besides.
    pub(crate) async fn later_and(
        &self,
        job: &Job,
        notification: &Notification,
        after: Option<Millis>,
        why: FreeText,
        attempt: Option<Attempt>,
        mut commands: Vec<(Actor, Command)>,
    ) -> Result<(), EngineError> {
        let end = match self.again(job, after) {
            Next::At(due_at) => JobEnd::Retry { due_at, read_back: job.read_back, error: why.to_string() },
            Next::GiveUp => {
                let error = why.to_string();
                commands.push(self.outcome(job, notification, NotificationOutcome::GivenUp { why }));
                JobEnd::Dead { error }
            }
        };
        self.settle(job, end, attempt, commands).await.map(|_| ())
    }

    pub(crate) async fn refused(
        &self,
        job: &Job,
        notification: &Notification,
        (code, why): (ForeignCode, FreeText),
        attempt: Option<Attempt>,
    ) -> Result<(), EngineError> {
        let error = format!("{why} ({code})");
        let command = self.outcome(job, notification, NotificationOutcome::Refused { code, why });
        self.settle(job, JobEnd::Dead { error }, attempt, vec![command]).await.map(|_| ())
    }

    pub(crate) fn outcome(
        &self,
        job: &Job,
        notification: &Notification,
        outcome: NotificationOutcome,
    ) -> (Actor, Command) {
        let actor = Actor::new(ActorKind::Channel, partner(&job.destination));
        (actor, Command::RecordNotification { notification: notification.clone(), outcome })
    }
}

/// An order that has moved on is no failure if the answer says where to; one that says nothing new would be asked for ever.
fn told(result: CallResult<Yes>, learned: Vec<Command>, order: &Order) -> CallResult<Told> {
    let has_news = learned.iter().any(|command| {
        matches!(command, Command::SyncSnapshot { snapshot, .. } if snapshot.is_news_to(order.channel_state.as_deref()))
    });
    match result {
        CallResult::Done(yes) => CallResult::Done(Told::Taken { yes, learned }),
        CallResult::Overtaken if has_news => CallResult::Done(Told::Overtaken { learned }),
        CallResult::Overtaken => {
            let why = "the channel says that the order has changed, and tells nothing newer".into();
            CallResult::Refused { code: "revision_conflict".into(), why }
        }
        CallResult::Retry { why, after } => CallResult::Retry { why, after },
        CallResult::Refused { code, why } => CallResult::Refused { code, why },
        CallResult::Unknown { why } => CallResult::Unknown { why },
        CallResult::Absent => CallResult::Absent,
        CallResult::Astray { why } => CallResult::Astray { why },
        CallResult::TokenRejected => CallResult::TokenRejected,
    }
}

/// The channel says no because something is not as we think, and does not say how it is.
fn says_that_it_changed(exchange: &Exchange<Told>) -> bool {
    matches!(exchange.result, CallResult::Refused { .. }) && matches!(exchange.status, Some(409 | 410))
}

fn is_overtaken(notification: &Notification, order: &Order) -> bool {
    matches!(notification, Notification::TicketsIssued { .. }) && order.case_under_review().is_some()
}
