// SPDX-License-Identifier: Apache-2.0

//! Guests' data under the channel's own cipher: opened by a call, never on the way to an answer (`adapters/douyin/README.md`).

use ticketbridge_core::Order;
use ticketbridge_core::ciphers::{self, Ciphers, Opened};
use ticketbridge_core::message::{Actor, ActorKind, Command};
use ticketbridge_core::port::{CallResult, Context, EncodeError, HttpResponse};
use ticketbridge_core::retry::Next;
use ticketbridge_store::{Job, JobEnd};

use crate::engine::EngineError;
use crate::worker::Worker;
use crate::worker::settle::Attempt;

impl Worker {
    pub(crate) async fn decrypt_guests(&self, job: &Job, loaded: Option<Order>) -> Result<(), EngineError> {
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
        let texts = ciphers::of_order(&order);
        let write = |cx: &Context<'_>| cipher.call(&texts, cx);
        let read = |response: &HttpResponse| cipher.read(&texts, response);
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
            CallResult::Done(opened) => {
                let actor = Actor::new(ActorKind::Channel, channel.id.as_str());
                let booking = order.booking.as_ref();
                let command = Command::SupplyGuests {
                    buyer: opened.person(&order.buyer),
                    visitors: booking.iter().flat_map(|b| &b.visitors).map(|guest| opened.person(guest)).collect(),
                    contact: booking.and_then(|b| b.contact.as_ref()).map(|contact| opened.person(contact)),
                };
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
            CallResult::Retry { why, after } => (why.to_string(), after),
            CallResult::Unknown { why } | CallResult::Astray { why } => (why.to_string(), None),
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

    /// Opens the guests of a message and of its repeat. Where they are others, or nobody can say, a person hears of it.
    pub(crate) async fn compare_guests(
        &self,
        job: &Job,
        loaded: Option<Order>,
        call: &str,
        (first, again): (&[Ciphers], &[Ciphers]),
    ) -> Result<(), EngineError> {
        let Some(order) = self.wanted_order(job, loaded).await? else { return Ok(()) };
        let Some(channel) = self.engine.running().registry.channel(&order.channel) else {
            return self.wait_for_partner(job, Some(&order), &format!("channel `{}`", order.channel)).await;
        };
        let order = self.partner_is_back(job, order).await?;
        let Some(cipher) = channel.channel.cipher() else {
            let error = EncodeError::Unsupported("online decryption").to_string();
            return self.not_compared(job, call, error, None).await;
        };
        let mut opened = Opened::default();
        // Each call opens some of what is left, or this ends.
        loop {
            let mut left = ciphers::texts(first.iter().chain(again));
            left.retain(|text| !opened.has(text));
            if left.is_empty() {
                break;
            }
            let write = |cx: &Context<'_>| cipher.call(&left, cx);
            let read = |response: &HttpResponse| cipher.read(&left, response);
            let exchange = match self.exchange(job, &channel, &write, &read).await {
                Ok(exchange) => exchange,
                Err(error) => return self.not_compared(job, call, error.to_string(), None).await,
            };
            let attempt = |verdict, summary: &str| Attempt {
                at: exchange.at,
                call: job.call.clone(),
                key: exchange.key.clone(),
                took: exchange.took,
                status: exchange.status,
                verdict,
                summary: summary.to_owned(),
            };
            let (why, after) = match exchange.result.without_guests(&order) {
                CallResult::Done(more) => {
                    opened.add(more);
                    continue;
                }
                CallResult::Refused { code, why } => {
                    let error = format!("{why} ({code})");
                    let attempt = attempt("refused", &error);
                    return self.not_compared(job, call, error, Some(attempt)).await;
                }
                CallResult::Retry { why, after } => (why.to_string(), after),
                CallResult::Unknown { why } | CallResult::Astray { why } => (why.to_string(), None),
                CallResult::Overtaken | CallResult::Absent => ("the channel does not know the call".to_owned(), None),
                CallResult::TokenRejected => ("the access token was refused twice".to_owned(), None),
            };
            return match self.again(job, after) {
                Next::At(due_at) => {
                    let attempt = attempt("retry", &why);
                    let end = JobEnd::Retry { due_at, read_back: false, error: why };
                    self.settle(job, end, Some(attempt), Vec::new()).await.map(|_| ())
                }
                Next::GiveUp => {
                    let attempt = attempt("given_up", &why);
                    self.not_compared(job, call, why, Some(attempt)).await
                }
            };
        }
        let doubt = (opened.are_equal(first, again) != Some(true)).then(|| {
            let sentence = format!(
                "the channel sent {call} again under the same number and names other guests in it, under its cipher; the first message \
                 stands: settle it with the channel"
            );
            (Actor::new(ActorKind::Channel, channel.id.as_str()), Command::RecordDoubt { sentence: sentence.into(), unread: false })
        });
        self.settle(job, JobEnd::Delivered, None, doubt.into_iter().collect()).await.map(|_| ())
    }

    /// Whether the guests of a repeat are the same cannot be found out: a person is told, for it may be others.
    async fn not_compared(
        &self,
        job: &Job,
        call: &str,
        error: String,
        attempt: Option<Attempt>,
    ) -> Result<(), EngineError> {
        let sentence = format!(
            "the channel sent {call} again with the guests under other ciphers, and does not open them: compare the guests with the channel"
        );
        let doubt = (Actor::policy(), Command::RecordDoubt { sentence: sentence.into(), unread: false });
        self.settle(job, JobEnd::Dead { error }, attempt, vec![doubt]).await.map(|_| ())
    }

    /// Without the guests' data no ticket can be asked for: a person must see the order.
    fn given_up(&self, order: &Order) -> Vec<(Actor, Command)> {
        let facts = ticketbridge_core::message::TicketFacts::GivenUp { why: "guests' data could not be opened".into() };
        let booking = order.active_booking().map(|booking| booking.id.clone());
        booking.map(|booking| (Actor::policy(), Command::RecordTicketFacts { booking, facts })).into_iter().collect()
    }
}
