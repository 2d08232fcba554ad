//! Guests' data under the channel's own cipher: opened by a call, never on the way to an answer (`protocols/douyin.md` 1.8).

use ticketbridge_core::message::{Actor, ActorKind, Command};
use ticketbridge_core::port::{CallResult, Context, EncodeError, HttpResponse};
use ticketbridge_core::retry::Next;
use ticketbridge_store::{Job, JobEnd};

use crate::engine::EngineError;
use crate::worker::Worker;
use crate::worker::settle::Attempt;

impl Worker {
    pub(crate) async fn decrypt_guests(
        &self,
        job: &Job,
        loaded: Option<ticketbridge_core::Order>,
    ) -> Result<(), EngineError> {
        let Some(order) = self.wanted_order(job, loaded).await? else { return Ok(()) };
        let Some(channel) = self.engine.running().registry.channel(&order.channel) else {
            return self.wait_for_partner(job, Some(&order), &format!("channel `{}`", order.channel)).await;
        };
        let order = self.partner_is_back(job, order).await?;
        let Some(cipher) = channel.channel.cipher() else {
            return self
                .end(job, JobEnd::Dead { error: EncodeError::Unsupported("online decryption").to_string() })
                .await;
        };
        let write = |cx: &Context<'_>| cipher.call(&order, cx);
        let read = |response: &HttpResponse| cipher.read(&order, response);
        let exchange = match self.exchange(job, &channel, &write, &read).await {
            Ok(exchange) => exchange,
            Err(EncodeError::Obsolete(why)) => {
                return self.end(job, JobEnd::NotNeeded { why: why.to_owned() }).await;
            }
            Err(error) => return self.end(job, JobEnd::Dead { error: error.to_string() }).await,
        };
        let attempt = |verdict, summary: String| Attempt {
            at: exchange.at,
            call: job.call.clone(),
            key: exchange.key.clone(),
            took: exchange.took,
            status: exchange.status,
            verdict,
            summary,
        };
        let (why, after) = match exchange.result.without_guests(&order) {
            CallResult::Done(guests) => {
                let actor = Actor::new(ActorKind::Channel, channel.id.as_str());
                let command =
                    Command::SupplyGuests { buyer: guests.buyer, visitors: guests.visitors, contact: guests.contact };
                let attempt = attempt("done", "guests' data opened".to_owned());
                return self.settle(job, JobEnd::Delivered, Some(attempt), vec![(actor, command)]).await.map(|_| ());
            }
            CallResult::Refused { code, why } => {
                let error = format!("{why} ({code})");
                let attempt = attempt("refused", error.clone());
                tracing::error!(order = %order.id, "the channel does not open a guest's data: {error}");
                return self
                    .settle(job, JobEnd::Dead { error }, Some(attempt), self.given_up(&order))
                    .await
                    .map(|_| ());
            }
            CallResult::Retry { why, after } => (why.into_owned(), after),
            CallResult::Unknown { why } | CallResult::Astray { why } => (why.into_owned(), None),
            CallResult::Overtaken | CallResult::Absent => ("the channel does not know the call".to_owned(), None),
            CallResult::TokenRejected => ("the access token was refused twice".to_owned(), None),
        };
        match self.again(job, after) {
            Next::At(due_at) => {
                let end = JobEnd::Retry { due_at, read_back: false, error: why.clone() };
                self.settle(job, end, Some(attempt("retry", why)), Vec::new()).await.map(|_| ())
            }
            Next::GiveUp => {
                let end = JobEnd::Dead { error: why.clone() };
                self.settle(job, end, Some(attempt("given_up", why)), self.given_up(&order)).await.map(|_| ())
            }
        }
    }

    /// Without the guests' data no ticket can be asked for: a person must see the order.
    fn given_up(&self, order: &ticketbridge_core::Order) -> Vec<(Actor, Command)> {
        let facts =
            ticketbridge_core::message::TicketFacts::GivenUp { why: "guests' data could not be opened".to_owned() };
        let booking = order.active_booking().map(|booking| booking.id.clone());
        booking.map(|booking| (Actor::policy(), Command::RecordTicketFacts { booking, facts })).into_iter().collect()
    }
}
