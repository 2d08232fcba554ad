//! One question to a channel: how does an order stand that we know of by a later message only, or whose messages contradict
//! each other?

use ticketbridge_core::port::CallResult;
use ticketbridge_core::retry::Next;
use ticketbridge_core::{ChannelId, ExternalId};
use ticketbridge_store::{Job, JobEnd};

use crate::engine::EngineError;
use crate::worker::Worker;

impl Worker {
    pub(crate) async fn read_back(&self, job: &Job, id: &ChannelId, about: &ExternalId) -> Result<(), EngineError> {
        let running = self.engine.running();
        let Some(channel) = running.registry.channel(id) else {
            return self.wait_for_partner(job, &format!("channel `{id}`")).await;
        };
        // One that was asked for because its messages contradict each other is known under this delivery's own order.
        let known = self.engine.store().resolve_ref(id, about).await?.and_then(|row| row.order);
        if known.is_some_and(|order| order != job.order) {
            return self.end(job, JobEnd::Dropped { reason: "the order is known by now".to_owned() }).await;
        }
        let write = |cx: &ticketbridge_core::port::Context<'_>| channel.channel.read_back(about, cx);
        let read = |response: &ticketbridge_core::port::HttpResponse| channel.channel.read_read_back(about, response);
        let exchange = match self.exchange(job, &channel, &write, &read).await {
            Ok(exchange) => exchange,
            Err(error) => return self.end(job, JobEnd::Dropped { reason: error.to_string() }).await,
        };
        let error = match exchange.result {
            CallResult::Done(snapshot) => {
                return match self.engine.take_read_back(Some(job), running.clone(), channel.clone(), snapshot).await {
                    Ok(_) => Ok(()),
                    Err(EngineError::Rejected(rejection)) => {
                        let error = format!("{rejection} ({})", rejection.why.code());
                        self.end(job, JobEnd::Dead { error }).await
                    }
                    Err(other) => Err(other),
                };
            }
            CallResult::Refused { code, why } => {
                return self.end(job, JobEnd::Dead { error: format!("{why} ({code})") }).await;
            }
            CallResult::Retry { why, .. } | CallResult::Unknown { why } => why.into_owned(),
            CallResult::Absent => "the channel does not know the order".to_owned(),
            CallResult::Astray { why } => {
                tracing::error!(partner = %job.destination, "a partner answered about something else: {why}");
                metrics::counter!("ticketbridge_answers_astray_total", "partner" => job.destination.clone())
                    .increment(1);
                why.into_owned()
            }
            CallResult::Overtaken | CallResult::TokenRejected => "no answer to a question".to_owned(),
        };
        match self.again(job, None) {
            Next::At(due_at) => self.end(job, JobEnd::Retry { due_at, read_back: false, error }).await,
            Next::GiveUp => self.end(job, JobEnd::Dead { error }).await,
        }
    }
}
