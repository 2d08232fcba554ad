// SPDX-License-Identifier: Apache-2.0

//! How a call to a partner is made: the one way, for deliveries and for questions of our own. What is written, and what the answer means, is
//! the adapter's word; what becomes of it is the caller's.

use std::time::Duration;

use ticketbridge_core::port::{Call, CallResult, Context, EncodeError, HttpResponse};
use ticketbridge_core::{Millis, UnixMillis};
use ticketbridge_store::Job;

use crate::service::registry::RegisteredChannel;
use crate::transport::{CallLimits, Reached, TransportError};
use crate::worker::{Worker, pass_trace_on};

/// What a call is made for.
#[derive(Clone, Copy)]
pub(crate) enum For<'a> {
    /// A delivery, whose lease is held: the partner knows repeats by its id.
    Delivery(&'a Job),
    /// A question of our own, under a name for the partner.
    Question(&'a str),
}

impl<'a> For<'a> {
    /// The delivery, if it is one.
    pub(crate) fn job(self) -> Option<&'a Job> {
        match self {
            For::Delivery(job) => Some(job),
            For::Question(_) => None,
        }
    }

    fn id(self) -> &'a str {
        match self {
            For::Delivery(job) => &job.id,
            For::Question(name) => name,
        }
    }
}

/// A call that was made, and what came of it.
pub(crate) struct Conducted {
    pub(crate) answer: Result<HttpResponse, TransportError>,
    pub(crate) at: UnixMillis,
    pub(crate) took: Millis,
    /// The key by which the partner knows a repeat, where one was sent.
    pub(crate) key: Option<String>,
    /// The fingerprint of what was sent under it.
    pub(crate) message: Option<String>,
}

impl Conducted {
    pub(crate) fn status(&self) -> Option<u16> {
        self.answer.as_ref().ok().map(|response| response.status.as_u16())
    }

    pub(crate) fn reached(&self) -> Reached {
        self.answer.as_ref().map_or_else(TransportError::reached, |_| Reached::Perhaps)
    }

    /// What it means; no answer means what the transport knows of it.
    pub(crate) fn read<T>(self, read: impl FnOnce(&HttpResponse) -> CallResult<T>) -> Exchange<T> {
        let (status, reached) = (self.status(), self.reached());
        let result = match self.answer {
            Ok(response) => read(&response),
            Err(error) => error.into_result(),
        };
        Exchange { result, status, reached, at: self.at, took: self.took, key: self.key, message: self.message }
    }
}

/// A call that was made and read.
pub(crate) struct Exchange<T> {
    pub(crate) result: CallResult<T>,
    pub(crate) status: Option<u16>,
    pub(crate) reached: Reached,
    pub(crate) at: UnixMillis,
    pub(crate) took: Millis,
    /// The key by which the partner knows a repeat, where one was sent.
    pub(crate) key: Option<String>,
    /// The fingerprint of what was sent under it.
    pub(crate) message: Option<String>,
}

/// Writes a call.
pub(crate) type Write<'a> = dyn Fn(&Context<'_>) -> Result<Call, EncodeError> + Sync + 'a;
/// Reads its answer.
pub(crate) type Read<'a, T> = dyn Fn(&HttpResponse) -> CallResult<T> + Sync + 'a;

impl Worker {
    /// What a call is written with.
    pub(crate) fn context<'a>(&self, what: For<'a>, access_token: Option<&'a str>) -> Context<'a> {
        let now = self.engine.clock().now();
        Context {
            now,
            nonce: self.engine.ids().nonce(),
            delivery_id: what.id(),
            decided_at: what.job().map_or(now, |job| job.created_at),
            access_token,
            attempt: what.job().map_or(1, |job| job.attempts),
        }
    }

    /// Makes a call that is written already.
    pub(crate) async fn conduct(&self, what: For<'_>, mut call: Call, limits: CallLimits) -> Conducted {
        let (at, started) = (self.engine.clock().now(), self.engine.clock().monotonic());
        let message = call.key.as_ref().map(|_| call.fingerprint());
        let span = what.job().map(|job| pass_trace_on(job, &mut call));
        let answer = self.transport.send(&call, limits).await;
        if let Some(span) = span {
            span.end(answer.as_ref().ok().map(|response| response.status.as_u16()));
        }
        if let (Some(job), Some(theirs)) = (what.job(), answer.as_ref().ok().and_then(HttpResponse::date)) {
            self.lanes.clock_seen(&job.destination, theirs - self.engine.clock().now());
        }
        Conducted { answer, at, took: self.since(started), key: call.key, message }
    }

    fn since(&self, started: Duration) -> Millis {
        let took = self.engine.clock().monotonic().saturating_sub(started);
        Millis(i64::try_from(took.as_millis()).unwrap_or(i64::MAX))
    }

    /// Writes a call that needs no access token, makes it, and reads the answer.
    ///
    /// # Errors
    /// What cannot be written.
    pub(crate) async fn ask<T>(
        &self,
        what: For<'_>,
        limits: CallLimits,
        write: &Write<'_>,
        read: &Read<'_, T>,
    ) -> Result<Exchange<T>, EncodeError> {
        let call = write(&self.context(what, None))?;
        Ok(self.conduct(what, call, limits).await.read(read))
    }

    /// The same for a channel, with an access token where its calls need one; a token that is refused is fetched anew, and the call repeated
    /// once.
    ///
    /// # Errors
    /// What cannot be written.
    pub(crate) async fn ask_channel<T>(
        &self,
        what: For<'_>,
        channel: &RegisteredChannel,
        write: &Write<'_>,
        read: &Read<'_, T>,
    ) -> Result<Exchange<T>, EncodeError> {
        let limits = self.call_timeout();
        if channel.channel.access_tokens().is_none() {
            return self.ask(what, limits, write, read).await;
        }
        let (at, started) = (self.engine.clock().now(), self.engine.clock().monotonic());
        let mut last: Option<Exchange<T>> = None;
        for _ in 0..2 {
            let token = match self.token(channel, limits).await {
                Ok(token) => token,
                Err(why) => {
                    let result = CallResult::Retry { why: why.into(), after: None };
                    let took = self.since(started);
                    return Ok(match last {
                        None => {
                            Exchange { result, status: None, reached: Reached::No, at, took, key: None, message: None }
                        }
                        Some(Exchange { status, reached, key, message, .. }) => {
                            Exchange { result, status, reached, at, took, key, message }
                        }
                    });
                }
            };
            let call = write(&self.context(what, Some(&token)))?;
            let exchange = self.conduct(what, call, limits).await.read(read);
            let is_refused = matches!(exchange.result, CallResult::TokenRejected);
            last = Some(exchange);
            if !is_refused {
                break;
            }
            self.tokens.reject(&channel.id, &token).await;
        }
        let last = last.expect("two rounds, of which each brings something or returns");
        Ok(Exchange { at, took: self.since(started), ..last })
    }

    /// A channel's call of a delivery; what came of it counts for the channel's state.
    ///
    /// # Errors
    /// What cannot be written.
    pub(crate) async fn exchange<T>(
        &self,
        job: &Job,
        channel: &RegisteredChannel,
        write: &Write<'_>,
        read: &Read<'_, T>,
    ) -> Result<Exchange<T>, EncodeError> {
        let exchange = self.ask_channel(For::Delivery(job), channel, write, read).await?;
        self.note_result(job, &exchange.result, exchange.status, exchange.reached);
        Ok(exchange)
    }
}
