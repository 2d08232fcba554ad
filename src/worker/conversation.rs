// SPDX-License-Identifier: Apache-2.0

//! An operation that takes several calls: led from the first question to its end, each call on the record, the delivery ours all the while.

use ticketbridge_core::Millis;
use ticketbridge_core::message::{Command, TicketFacts, TicketOp};
use ticketbridge_core::order::{Booking, Order};
use ticketbridge_core::port::{CallResult, Context, Conversation, EncodeError, HttpResponse, Silence, Turn};
use ticketbridge_core::quoted::FreeText;
use ticketbridge_store::{CallRecord, Direction, Job, JobEnd, StoreError, Tx};

use crate::engine::EngineError;
use crate::recorder::course;
use crate::recorder::tape::Work;
use crate::service::registry::RegisteredBackend;
use crate::transport::{CallLimits, Reached, TransportError};
use crate::worker::Worker;
use crate::worker::conduct::For;
use crate::worker::settle::{Attempt, partner};

/// Who holds a back-end back that does not accept our key, until the configuration is read anew.
pub(crate) const KEY_REFUSED: &str = "the back-end refuses our key";
/// What a recording calls it that such a back-end is let go.
pub(crate) const TRY_KEYS_AGAIN: &str = "try_keys_again";
/// Time for one call outside of a delivery, beside what the back-end's own settings say.
const OUTSIDE_MAX: Millis = Millis::seconds(12);

/// The word for a call that never left.
const NOT_SENT: &str = "not_sent";

/// How a conversation ended.
pub(crate) struct Ended {
    /// What it came to.
    pub(crate) result: CallResult<TicketFacts>,
    /// Its last call, which is not on the record yet.
    pub(crate) last: Option<Attempt>,
    /// What a person should know of, although it went as it should.
    pub(crate) remark: Option<FreeText>,
}

impl Worker {
    /// Carries a delivery out by a conversation.
    pub(crate) async fn converse(
        &self,
        job: &Job,
        backend: &RegisteredBackend,
        order: &Order,
        (booking, op): (&Booking, TicketOp),
        talk: Box<dyn Conversation + '_>,
    ) -> Result<(), EngineError> {
        let Ended { result, last, remark } = match self.talk(For::Delivery(job), backend, order, talk, None).await? {
            Ok(ended) => ended,
            Err(EncodeError::Obsolete(why)) => return self.end(job, JobEnd::NotNeeded { why: why.to_owned() }).await,
            Err(error) => return self.unreachable(job, &booking.id, error.to_string()).await,
        };
        let result = result.without_guests(order);
        if matches!(result, CallResult::TokenRejected) {
            return self.key_refused(job, backend, last).await;
        }
        let status = last.as_ref().and_then(|heard| heard.status);
        let reached = match last.as_ref().map(|heard| heard.verdict) {
            Some(NOT_SENT) => Reached::No,
            Some(_) | None => Reached::Perhaps,
        };
        self.note_result(job, &result, status, reached);
        let (result, astray) = self.shown_astray(&job.destination, order, &backend.id, result);
        let doubt = remark.map(|sentence| Command::RecordDoubt { sentence, unread: false });
        let verdict = self.judge(job, backend, order, &booking.id, op, op, result);
        let attempt = last.map(|heard| Attempt { verdict: verdict.word, summary: verdict.summary.clone(), ..heard });
        self.settle_operation(job, backend, order, (booking, op), verdict, attempt, astray.or(doubt)).await
    }

    /// A key that is not accepted is nobody's refusal: the back-end is held back, its deliveries wait, deadlines go on, and a configuration
    /// that is read anew lets it go.
    async fn key_refused(
        &self,
        job: &Job,
        backend: &RegisteredBackend,
        last: Option<Attempt>,
    ) -> Result<(), EngineError> {
        let now = self.engine.clock().now();
        tracing::error!(backend = %backend.id, delivery = %job.id, order = %job.order,
            "{KEY_REFUSED}; it is paused. Replace the key in its file, then reload the configuration");
        self.note_result::<()>(
            job,
            &CallResult::Retry { why: KEY_REFUSED.into(), after: None },
            Some(401),
            Reached::Perhaps,
        );
        self.hold_back(&job.destination).await?;
        let attempt = last.map(|heard| Attempt { verdict: "key_refused", summary: KEY_REFUSED.to_owned(), ..heard });
        let end = JobEnd::PutBack { due_at: now, why: KEY_REFUSED.to_owned() };
        self.settle(job, end, attempt, Vec::new()).await.map(|_| ())
    }

    /// Keeps the deliveries to a back-end that refuses our key.
    pub(crate) async fn hold_back(&self, destination: &str) -> Result<(), StoreError> {
        let (now, destination) = (self.engine.clock().now(), destination.to_owned());
        self.engine
            .store()
            .write("pause_backend", move |tx: &Tx| {
                let destination = destination.clone();
                Box::pin(async move { tx.pause(&destination, KEY_REFUSED, now).await })
            })
            .await
    }

    /// Lets back-ends go whose key was refused: the configuration was read anew, and the key in it may be another. One that is still
    /// refused is held back again by its next call.
    ///
    /// # Errors
    /// Store errors.
    pub async fn try_keys_again(&self) -> Result<u64, StoreError> {
        let now = self.engine.clock().now();
        let resumes = self
            .engine
            .store()
            .write("try_keys_again", move |tx: &Tx| Box::pin(async move { tx.resume_all(KEY_REFUSED, now).await }));
        let begun = self.engine.begin(Work::Task { name: TRY_KEYS_AGAIN.to_owned() });
        let resumed: Result<u64, StoreError> = course::doing(begun, Box::pin(resumes)).await;
        self.engine.work().notify_one();
        resumed
    }

    /// Leads a conversation to its end. `heard` is the answer to its first call, where that was made already.
    pub(crate) async fn talk(
        &self,
        what: For<'_>,
        backend: &RegisteredBackend,
        order: &Order,
        mut talk: Box<dyn Conversation + '_>,
        mut heard: Option<(String, HttpResponse)>,
    ) -> Result<Result<Ended, EncodeError>, EngineError> {
        // The lease of a delivery is prolonged for as long as it is under way.
        let at_most = what.job().map_or(OUTSIDE_MAX, |_| self.call_timeout().at_most);
        let limits = CallLimits { timeout: backend.timeout, at_most };
        let mut last: Option<Attempt> = None;
        // Of several calls one has the key by which the partner knows the whole of it again.
        let mut key: Option<String> = None;
        loop {
            let cx = self.context(what, None);
            let (name, call) = match talk.next(&cx) {
                Ok(Turn::End(result)) => return Ok(Ok(Ended { result, last, remark: talk.remark() })),
                Ok(Turn::Call(name, call)) => (name, call),
                Err(error) => return Ok(Err(error)),
            };
            if let Some((_, response)) = heard.take().filter(|(url, _)| *url == call.url) {
                talk.answered(&response, &cx);
                continue;
            }
            key = call.key.clone().or(key);
            if let Some(before) = last.take() {
                self.note(self.call_record(what, backend, order, before)).await;
            }
            let conducted = self.conduct(what, call, limits).await;
            let cx = Context { now: self.engine.clock().now(), ..cx };
            let (at, took, status) = (conducted.at, conducted.took, conducted.status());
            let (verdict, summary) = match conducted.answer {
                Ok(response) => {
                    talk.answered(&response, &cx);
                    ("answered", String::new())
                }
                Err(TransportError::NotSent { why }) => {
                    talk.unanswered(Silence::NotSent(why.as_str().to_owned().into()));
                    (NOT_SENT, why)
                }
                Err(TransportError::Interrupted { why }) => {
                    talk.unanswered(Silence::Unknown(why.as_str().to_owned().into()));
                    ("unknown", why)
                }
            };
            let (call, key, summary) = (name.to_owned(), key.clone(), order.without_guests(&summary));
            last = Some(Attempt { at, call, key, took, status, verdict, summary });
        }
    }

    /// A call of a conversation, as it is kept among the order's calls.
    pub(crate) fn call_record(
        &self,
        what: For<'_>,
        backend: &RegisteredBackend,
        order: &Order,
        attempt: Attempt,
    ) -> CallRecord {
        let (partner, attempts) = match what {
            For::Delivery(job) => (partner(&job.destination), job.attempts),
            For::Question(_) => (backend.id.to_string(), 1),
        };
        CallRecord {
            id: format!("cal_{:032x}", self.engine.ids().seed().0),
            order: Some(order.id.clone()),
            direction: Direction::Out,
            partner,
            call: attempt.call,
            at: attempt.at,
            duration: attempt.took,
            attempt: attempts,
            status: attempt.status,
            verdict: attempt.verdict.to_owned(),
            summary: attempt.summary,
        }
    }
}
