//! A look at how an order stands with its channel, before something is said again or where the channel counts no changes
//! (`protocols/korea.md` 6.7): what was carried out already is not asked for twice, and what has changed meanwhile is decided anew.

use ticketbridge_core::message::{Actor, ActorKind, Command, Report, ReportOutcome};
use ticketbridge_core::order::Order;
use ticketbridge_core::port::{CallResult, Checked, Context, EncodeError, HttpResponse};
use ticketbridge_core::still_needed::is_wanted;
use ticketbridge_core::{Millis, UnixMillis};
use ticketbridge_store::{CallRecord, Job, JobEnd, Tx};

use crate::engine::EngineError;
use crate::service::registry::RegisteredChannel;
use crate::worker::Worker;
use crate::worker::channel_call::Exchange;
use crate::worker::settle::Attempt;

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

/// Whether the channel is to be asked before `report` is made.
pub(crate) fn doubt(job: &Job, report: &Report, order: &Order, now: UnixMillis) -> Option<Doubt> {
    let mirror = order.mirror.as_deref()?;
    let changes_nothing = matches!(report, Report::CancelQuote);
    let told_elsewhere = matches!(report, Report::HandOver);
    if changes_nothing || (told_elsewhere && !job.read_back) {
        return None;
    }
    if job.read_back {
        return Some(Doubt::Uncertain);
    }
    let limit = order.rules.channel.acceptance_limit;
    let asked_at = order.booking.as_ref().map_or(now, |booking| booking.requested_at);
    let decides = matches!(report, Report::BookingAccepted { .. } | Report::BookingDeclined { .. });
    let over = decides && limit > Millis(0) && now >= asked_at + limit;
    (mirror.picture.revision == 0 || over).then_some(Doubt::Uncounted)
}

/// Whether anything but flags for people has changed: only then is what would be sent another message.
fn has_moved(before: &Order, now: &Order) -> bool {
    let unflagged = Order {
        attention: before.attention.clone(),
        version: before.version,
        updated_at: before.updated_at,
        ..now.clone()
    };
    unflagged != *before
}

impl Worker {
    /// Asks the channel, takes over what it says, and tells whether the call is still to be made.
    pub(crate) async fn verify_first(
        &self,
        job: &Job,
        report: &Report,
        order: &Order,
        channel: &RegisteredChannel,
        doubt: Doubt,
    ) -> Result<Looked, EngineError> {
        let go_on = || Ok(Looked::GoOn(Box::new(order.clone())));
        let Ok(exchange) = self.ask_how_it_stands(job, report, order, channel).await else {
            // It cannot be asked; a repeat carries the same key.
            return go_on();
        };
        let was_answered = exchange.status.is_some_and(|status| (200..300).contains(&status));
        let checked = match exchange.result {
            CallResult::Done(checked) => checked,
            // An answer that says nothing of the order leaves the repeat under the same key.
            CallResult::Unknown { .. } if was_answered => return go_on(),
            CallResult::Retry { why, after } => {
                return self.later(job, report, after, why.into_owned(), None).await.map(|()| Looked::Settled);
            }
            CallResult::Unknown { why } => {
                return self.later(job, report, None, why.into_owned(), None).await.map(|()| Looked::Settled);
            }
            CallResult::Astray { why } => {
                let actor = Actor::new(ActorKind::Channel, channel.id.as_str());
                let command = Command::RecordAstray { partner: actor.name.clone(), why: why.to_string() };
                let commands = vec![(actor, command)];
                let done = self.later_and(job, report, None, why.into_owned(), None, commands).await;
                return done.map(|()| Looked::Settled);
            }
            CallResult::Refused { .. } | CallResult::Absent | CallResult::Overtaken | CallResult::TokenRejected => {
                return go_on();
            }
        };
        let now = self.take_over(order, channel, checked.learned).await?;
        if checked.done {
            let command = self.outcome(job, report, ReportOutcome::Acknowledged);
            return self.settle(job, JobEnd::Delivered, None, vec![command]).await.map(|_| Looked::Settled);
        }
        self.go_on_or_end(job, report, order, now, doubt).await
    }

    async fn go_on_or_end(
        &self,
        job: &Job,
        report: &Report,
        before: &Order,
        now: Order,
        doubt: Doubt,
    ) -> Result<Looked, EngineError> {
        if !is_wanted(&now, &job.effect) {
            let reason = "the channel says that it is so already, or cannot be any more".to_owned();
            return self.end(job, JobEnd::Dropped { reason }).await.map(|()| Looked::Settled);
        }
        if doubt == Doubt::Uncertain && has_moved(before, &now) {
            // What would be sent is another message by now, and needs a key of its own.
            let reason = "the order had changed at the channel; decided again".to_owned();
            let command = self.outcome(job, report, ReportOutcome::Overtaken);
            return self.settle(job, JobEnd::Dropped { reason }, None, vec![command]).await.map(|_| Looked::Settled);
        }
        Ok(Looked::GoOn(Box::new(now)))
    }

    /// The answer says no, because something has changed: what has, decides whether that is a failure. `true` when it is none.
    pub(crate) async fn explained_by_look(
        &self,
        job: &Job,
        report: &Report,
        order: &Order,
        channel: &RegisteredChannel,
    ) -> Result<bool, EngineError> {
        // A message may have told it while the call was under way.
        let mut now = self.engine.store().load_order(&order.id).await?.unwrap_or_else(|| order.clone());
        if now.version == order.version {
            let Ok(exchange) = self.ask_how_it_stands(job, report, order, channel).await else { return Ok(false) };
            let CallResult::Done(checked) = exchange.result else { return Ok(false) };
            now = self.take_over(order, channel, checked.learned).await?;
        }
        if now.version == order.version {
            return Ok(false);
        }
        match self.go_on_or_end(job, report, order, now, Doubt::Uncertain).await? {
            Looked::Settled => Ok(true),
            Looked::GoOn(_) => Ok(false),
        }
    }

    /// One question; it is kept among the order's calls.
    pub(crate) async fn ask_how_it_stands(
        &self,
        job: &Job,
        report: &Report,
        order: &Order,
        channel: &RegisteredChannel,
    ) -> Result<Exchange<Checked>, EncodeError> {
        let write = |cx: &Context<'_>| channel.channel.check(report, order, cx);
        let read = |response: &HttpResponse| channel.channel.read_check(report, order, response);
        let exchange = self.exchange(job, channel, &write, &read).await?;
        let verdict = match &exchange.result {
            CallResult::Done(_) => "done",
            CallResult::Refused { .. } => "refused",
            CallResult::Absent => "absent",
            CallResult::Astray { .. } => "astray",
            _ => "unknown",
        };
        let attempt = Attempt {
            at: exchange.at,
            call: "read_back".to_owned(),
            took: exchange.took,
            status: exchange.status,
            verdict,
            summary: format!("how does it stand, before `{}`", report.name()),
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
            crate::worker::log_trouble("a call could not be noted", &error);
        }
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
        for command in learned {
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
