// SPDX-License-Identifier: Apache-2.0

//! What is left of a date, told to a channel that wants to know (`adapters/kakao/README.md`). It is counted when the call is made: a
//! later call never says less than an earlier one knew.

use ticketbridge_core::message::StockKey;
use ticketbridge_core::port::{CallResult, Context, EncodeError, HttpResponse, StockLeft};
use ticketbridge_core::retry::Next;
use ticketbridge_core::{ChannelId, Millis};
use ticketbridge_store::{Job, JobEnd};

use crate::engine::EngineError;
use crate::worker::Worker;
use crate::worker::settle::Attempt;

impl Worker {
    pub(crate) async fn tell_stock(&self, job: &Job, id: &ChannelId, key: &StockKey) -> Result<(), EngineError> {
        let running = self.engine.running();
        let not_needed = |why: &str| JobEnd::NotNeeded { why: why.to_owned() };
        let Some(channel) = running.registry.channel(id) else {
            return self.end(job, not_needed("the channel is no longer configured")).await;
        };
        let Some(taker) = channel.channel.takes_stock() else {
            return self.end(job, JobEnd::Dead { error: EncodeError::Unsupported("stock").to_string() }).await;
        };
        let (Some(product), Some(date)) = (running.config.bookings.get(&key.product), key.date) else {
            return self.end(job, not_needed("the product is no longer configured")).await;
        };
        let Some(left) = self.engine.date_left(product, date).await? else {
            return self.end(job, not_needed("the date has no limit")).await;
        };
        let listing = self.engine.store().listing(id, &key.product).await?;
        let as_of = self.engine.clock().now();
        let stock = StockLeft { product: &key.product, date, left: left.max(0), as_of, listing: listing.as_ref() };
        let write = |cx: &Context<'_>| taker.call(&stock, cx);
        let read = |response: &HttpResponse| taker.read(&stock, response);
        let exchange = match self.exchange(job, &channel, &write, &read).await {
            Ok(exchange) => exchange,
            Err(EncodeError::Obsolete(why)) => return self.end(job, not_needed(why)).await,
            Err(error) => return self.end(job, JobEnd::Dead { error: error.to_string() }).await,
        };
        let (end, verdict, summary) = match exchange.result {
            CallResult::Done(()) => (JobEnd::Delivered, "done", format!("{} left on {date}", left.max(0))),
            CallResult::Refused { code, why } => {
                let error = format!("{why} ({code})");
                (JobEnd::Dead { error: error.clone() }, "refused", error)
            }
            CallResult::Absent => {
                let error = "the channel does not know this date of the product".to_owned();
                (JobEnd::Dead { error: error.clone() }, "refused", error)
            }
            CallResult::Retry { why, after } => self.told_later(job, "retry", why.to_string(), after),
            CallResult::Unknown { why } => self.told_later(job, "unknown", why.to_string(), None),
            // It belongs to no one order, so that the log and the metrics are where a person sees it.
            CallResult::Astray { why } => {
                tracing::error!(delivery = %job.id, partner = %job.destination, "a partner answered about something else: {why}");
                metrics::counter!("ticketbridge_answers_astray_total", "partner" => job.destination.clone())
                    .increment(1);
                self.told_later(job, "astray", why.to_string(), None)
            }
            // Another count may have come first: the next attempt counts anew.
            CallResult::Overtaken => {
                self.told_later(job, "overtaken", "the product had changed at the channel".to_owned(), None)
            }
            CallResult::TokenRejected => {
                self.told_later(job, "retry", "the access token was refused twice".to_owned(), None)
            }
        };
        let attempt = Attempt {
            at: exchange.at,
            call: job.call.clone(),
            key: exchange.key,
            took: exchange.took,
            status: exchange.status,
            verdict,
            summary,
        };
        self.settle(job, end, Some(attempt), Vec::new()).await.map(|_| ())
    }

    /// It is told again later, with what is left then, or given up.
    fn told_later(
        &self,
        job: &Job,
        verdict: &'static str,
        why: String,
        after: Option<Millis>,
    ) -> (JobEnd, &'static str, String) {
        let end = match self.again(job, after) {
            Next::At(due_at) => JobEnd::Retry { due_at, read_back: false, error: why.clone() },
            Next::GiveUp => JobEnd::Dead { error: why.clone() },
        };
        (end, verdict, why)
    }
}
