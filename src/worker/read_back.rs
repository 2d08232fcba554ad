// SPDX-License-Identifier: Apache-2.0

//! One question to a channel: how does an order stand that we know of by a later message only, or whose messages contradict
//! each other?

use ticketbridge_core::order::Order;
use ticketbridge_core::port::{CallResult, Context, EncodeError, HttpResponse, OrderQuery};
use ticketbridge_core::retry::Next;
use ticketbridge_core::{ChannelId, ExternalId};
use ticketbridge_store::{Job, JobEnd};

use crate::engine::EngineError;
use crate::service::registry::RegisteredChannel;
use crate::worker::Worker;

impl Worker {
    pub(crate) async fn read_back(&self, job: &Job, id: &ChannelId, about: &ExternalId) -> Result<(), EngineError> {
        let running = self.engine.running();
        let Some(channel) = running.registry.channel(id) else {
            let order = self.engine.store().load_order(&job.order).await?;
            return self.wait_for_partner(job, order.as_ref(), &format!("channel `{id}`")).await;
        };
        // One that was asked for because its messages contradict each other is known under this delivery's own order.
        let known = self.engine.store().resolve_ref(id, about).await?.and_then(|row| row.order);
        if known.as_ref().is_some_and(|order| *order != job.order) {
            return self.end(job, JobEnd::NotNeeded { why: "the order is known by now".to_owned() }).await;
        }
        let known = match known {
            Some(id) => self.engine.store().load_order(&id).await?,
            None => None,
        };
        if let Some(order) = &known
            && let (None, Some(query)) = (channel.channel.read_back(), channel.channel.order_query())
        {
            return self.compare_with_channel(job, &channel, query, order).await;
        }
        let Some(read_back) = channel.channel.read_back() else {
            let reason = EncodeError::Unsupported("asking for an order").to_string();
            return self.end(job, JobEnd::Dropped { reason }).await;
        };
        let write = |cx: &Context<'_>| read_back.call(about, cx);
        let read = |response: &HttpResponse| read_back.read(about, response);
        let exchange = match self.exchange(job, &channel, &write, &read).await {
            Ok(exchange) => exchange,
            Err(error) => return self.end(job, JobEnd::Dropped { reason: error.to_string() }).await,
        };
        let error = match exchange.result {
            CallResult::Done(snapshot) => {
                let taken =
                    self.engine.take_read_back(Some(job), running.clone(), channel.clone(), snapshot, known.as_ref());
                return match taken.await {
                    Ok(_) => Ok(()),
                    Err(EngineError::Rejected(rejection)) => {
                        let error = format!("{rejection} ({})", rejection.why.code());
                        self.end(job, JobEnd::Dead { error }).await
                    }
                    Err(other) => Err(other),
                };
            }
            CallResult::Refused { code, why } => {
                // Of an order that is not known here nobody can tell whom the channel names in its own words: they are not kept.
                drop(why);
                let error = format!("the channel refuses the question ({code})");
                return self.end(job, JobEnd::Dead { error }).await;
            }
            CallResult::Retry { why, .. } | CallResult::Unknown { why } => match (why.ours(), exchange.status) {
                (Some(ours), _) => ours.to_owned(),
                (None, Some(status)) => {
                    format!("the channel answers the question with status {status}, and not as it should")
                }
                (None, None) => "the channel could not be asked".to_owned(),
            },
            CallResult::Astray { .. } => "the channel answers about another order".to_owned(),
            CallResult::Absent => "the channel does not know the order".to_owned(),
            CallResult::Overtaken | CallResult::TokenRejected => "no answer to a question".to_owned(),
        };
        self.ask_again(job, error).await
    }

    async fn ask_again(&self, job: &Job, error: String) -> Result<(), EngineError> {
        match self.again(job, None) {
            Next::At(due_at) => self.end(job, JobEnd::Retry { due_at, read_back: false, error }).await,
            Next::GiveUp => self.end(job, JobEnd::Dead { error }).await,
        }
    }

    /// Compares one order with how its channel sees it, as the nightly comparison does.
    async fn compare_with_channel(
        &self,
        job: &Job,
        channel: &RegisteredChannel,
        query: &dyn OrderQuery,
        order: &Order,
    ) -> Result<(), EngineError> {
        let write = |cx: &Context<'_>| query.call(order, cx);
        let read = |response: &HttpResponse| query.read(order, response);
        let exchange = match self.exchange(job, channel, &write, &read).await {
            Ok(exchange) => exchange,
            Err(error) => return self.end(job, JobEnd::Dropped { reason: error.to_string() }).await,
        };
        let error = match exchange.result.without_guests(order) {
            CallResult::Done(view) => {
                crate::housekeeping::reconcile::compare_one(self, order, &view).await?;
                return self.end(job, JobEnd::Delivered).await;
            }
            CallResult::Refused { code, why } => {
                return self.end(job, JobEnd::Dead { error: format!("{why} ({code})") }).await;
            }
            CallResult::Retry { why, .. } | CallResult::Unknown { why } => why.to_string(),
            CallResult::Absent => "the channel does not know the order".to_owned(),
            CallResult::Astray { why } => {
                tracing::error!(partner = %job.destination, "a partner answered about something else: {why}");
                metrics::counter!("ticketbridge_answers_astray_total", "partner" => job.destination.clone())
                    .increment(1);
                why.to_string()
            }
            CallResult::Overtaken | CallResult::TokenRejected => "no answer to a question".to_owned(),
        };
        self.ask_again(job, error).await
    }
}
