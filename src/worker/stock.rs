//! What is left of a date, told to a channel that wants to know (`protocols/korea.md` 7.9). It is counted when the call is made: a
//! later call never says less than an earlier one knew.

use ticketbridge_core::ChannelId;
use ticketbridge_core::message::StockKey;
use ticketbridge_core::port::{CallResult, Context, EncodeError, HttpResponse, StockLeft};
use ticketbridge_core::quoted::Quoted;
use ticketbridge_core::retry::Next;
use ticketbridge_store::{Job, JobEnd};

use crate::engine::EngineError;
use crate::worker::Worker;
use crate::worker::settle::Attempt;

impl Worker {
    pub(crate) async fn tell_stock(&self, job: &Job, id: &ChannelId, key: &StockKey) -> Result<(), EngineError> {
        let running = self.engine.running();
        let dropped = |why: &str| JobEnd::Dropped { reason: why.to_owned() };
        let Some(channel) = running.registry.channel(id) else {
            return self.end(job, dropped("the channel is no longer configured")).await;
        };
        let (Some(product), Some(date)) = (running.config.bookings.get(&key.product), key.date) else {
            return self.end(job, dropped("the product is no longer configured")).await;
        };
        let Some(left) = self.engine.date_left(product, date).await? else {
            return self.end(job, dropped("the date has no limit")).await;
        };
        let listing = self.engine.store().listing(id, &key.product).await?;
        let as_of = self.engine.clock().now();
        let stock = StockLeft { product: &key.product, date, left: left.max(0), as_of, listing: listing.as_ref() };
        let write = |cx: &Context<'_>| channel.channel.stock_call(&stock, cx);
        let read = |response: &HttpResponse| channel.channel.read_stock(&stock, response);
        let exchange = match self.exchange(job, &channel, &write, &read).await {
            Ok(exchange) => exchange,
            Err(EncodeError::Obsolete(why)) => return self.end(job, dropped(why)).await,
            Err(error) => return self.end(job, JobEnd::Dead { error: error.to_string() }).await,
        };
        let (end, verdict, summary) = match exchange.result {
            CallResult::Done(()) => (JobEnd::Delivered, "done", format!("{} left on {date}", left.max(0))),
            CallResult::Refused { code, why } => {
                let error = format!("{} ({})", Quoted::text(&why), Quoted::code(&code));
                (JobEnd::Dead { error: error.clone() }, "refused", error)
            }
            CallResult::Absent => {
                let error = "the channel does not know this date of the product".to_owned();
                (JobEnd::Dead { error: error.clone() }, "refused", error)
            }
            other => {
                let (why, after) = match other {
                    CallResult::Retry { why, after } => (why.into_owned(), after),
                    CallResult::Unknown { why } | CallResult::Astray { why } => (why.into_owned(), None),
                    _ => ("no answer that can be read".to_owned(), None),
                };
                let end = match self.again(job, after) {
                    Next::At(due_at) => JobEnd::Retry { due_at, read_back: false, error: why.clone() },
                    Next::GiveUp => JobEnd::Dead { error: why.clone() },
                };
                (end, "retry", why)
            }
        };
        let attempt = Attempt {
            at: exchange.at,
            call: job.call.clone(),
            took: exchange.took,
            status: exchange.status,
            verdict,
            summary,
        };
        self.settle(job, end, Some(attempt), Vec::new()).await.map(|_| ())
    }
}
