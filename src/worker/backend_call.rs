// SPDX-License-Identifier: Apache-2.0

//! One call to a back-end. What is not known is asked for; nothing is issued twice, because a repeat carries the same delivery id.

use ticketbridge_core::message::{Actor, ActorKind, Command, Keeps, TicketFacts, TicketOp};
use ticketbridge_core::order::{Booking, Order, TicketingState};
use ticketbridge_core::port::{CallResult, Calls, Context, EncodeError, HttpResponse, Operations, PoolStep};
use ticketbridge_core::quoted::FreeText;
use ticketbridge_core::retry::{Next, Repeat, how_to_repeat};
use ticketbridge_core::{BackendId, BookingId, Millis, UnixMillis};
use ticketbridge_store::{Job, JobEnd, StoreError, Tx};

use crate::engine::EngineError;
use crate::service::registry::RegisteredBackend;
use crate::transport::{CallLimits, Reached};
use crate::worker::Worker;
use crate::worker::conduct::{Exchange, For};
use crate::worker::settle::Attempt;

/// Gap between two looks at a back-end that works on something: half of the time waited so far, within these bounds.
const LOOK_GAP: (Millis, Millis) = (Millis::seconds(10), Millis::minutes(10));
/// A back-end that works on something for longer than this is left to a person.
const LOOK_FOR: Millis = Millis::hours(72);

/// What to do with the row, and what the order hears.
pub(super) struct Verdict {
    pub(super) end: JobEnd,
    pub(super) facts: Option<TicketFacts>,
    pub(super) word: &'static str,
    pub(super) summary: String,
}

impl Worker {
    pub(crate) async fn call_backend(
        &self,
        job: &Job,
        loaded: Option<Order>,
        id: &BackendId,
        booking_id: &BookingId,
        op: TicketOp,
    ) -> Result<(), EngineError> {
        let Some(mut order) = self.wanted_order(job, loaded).await? else { return Ok(()) };
        if self.engine.running().registry.backend(id).is_some() {
            order = self.partner_is_back(job, order).await?;
        }
        let Some(booking) = order.booking_by_id(booking_id) else {
            return self.end(job, JobEnd::Dead { error: "the booking is gone".to_owned() }).await;
        };
        let Some(backend) = self.engine.running().registry.backend(id) else {
            return self.wait_for_partner(job, Some(&order), &format!("back-end `{id}`")).await;
        };
        let resumed = job.read_back || job.attempts > 1;
        // After an outcome that is not known, the first thing is to ask.
        let asked = if job.read_back { TicketOp::Query } else { op };
        match backend.backend.operations() {
            Operations::Talks(talks) => match talks.talk(op, &order, booking, resumed) {
                Ok(talk) => self.converse(job, &backend, &order, (booking, op), talk).await,
                Err(error) => self.unreachable(job, booking_id, error.to_string()).await,
            },
            Operations::Calls(calls) => self.call_once(job, &backend, &order, (booking, op, asked), calls).await,
            Operations::Pool(codes) => match codes.step(asked, &order, booking) {
                PoolStep::Draw { pool, count, kind: _ } => self.draw(job, booking_id, &pool, count, &backend).await,
                PoolStep::Already(facts) => {
                    let at = self.engine.clock().now();
                    let (status, reached, took, key, message) = (None, Reached::No, Millis(0), None, None);
                    let exchange =
                        Exchange { result: CallResult::Done(facts), status, reached, at, took, key, message };
                    self.judged(job, &backend, &order, (booking, op, asked), exchange).await
                }
            },
        }
    }

    /// Carries an operation out by one call.
    async fn call_once(
        &self,
        job: &Job,
        backend: &RegisteredBackend,
        order: &Order,
        about: (&Booking, TicketOp, TicketOp),
        calls: &dyn Calls,
    ) -> Result<(), EngineError> {
        let (booking, _, asked) = about;
        let limits = CallLimits { timeout: backend.timeout, ..self.call_timeout() };
        let write = |cx: &Context<'_>| calls.call(asked, order, booking, cx);
        let read = |response: &HttpResponse| calls.read(asked, order, booking, response);
        match self.ask(For::Delivery(job), limits, &write, &read).await {
            Ok(exchange) => {
                self.note_result(job, &exchange.result, exchange.status, exchange.reached);
                self.judged(job, backend, order, about, exchange).await
            }
            Err(EncodeError::Obsolete(why)) => self.end(job, JobEnd::NotNeeded { why: why.to_owned() }).await,
            Err(error) => self.unreachable(job, &booking.id, error.to_string()).await,
        }
    }

    /// What came of an operation, for the delivery and for the order.
    async fn judged(
        &self,
        job: &Job,
        backend: &RegisteredBackend,
        order: &Order,
        (booking, op, asked): (&Booking, TicketOp, TicketOp),
        exchange: Exchange<TicketFacts>,
    ) -> Result<(), EngineError> {
        let result = exchange.result.without_guests(order);
        let (result, astray) = self.shown_astray(&job.destination, order, &backend.id, result);
        let verdict = self.judge(job, backend, order, &booking.id, op, asked, result);
        let attempt = Attempt {
            at: exchange.at,
            call: asked.name().to_owned(),
            key: exchange.key,
            took: exchange.took,
            status: exchange.status,
            verdict: verdict.word,
            summary: verdict.summary.clone(),
        };
        self.settle_operation(job, backend, order, (booking, op), verdict, Some(attempt), astray).await
    }

    /// Ends the delivery, and has the order hear what it brought.
    #[expect(clippy::too_many_arguments, reason = "one end of everything that is known of the attempt")]
    pub(super) async fn settle_operation(
        &self,
        job: &Job,
        backend: &RegisteredBackend,
        order: &Order,
        (booking, op): (&Booking, TicketOp),
        verdict: Verdict,
        attempt: Option<Attempt>,
        beside: Option<Command>,
    ) -> Result<(), EngineError> {
        let actor = Actor::new(ActorKind::Backend, backend.id.as_str());
        let is_refused = op == TicketOp::Issue && matches!(verdict.facts, Some(TicketFacts::Refused { .. }));
        let record = |facts| Command::RecordTicketFacts { booking: booking.id.clone(), facts };
        let commands = verdict.facts.map(record).into_iter().chain(beside);
        let commands = commands.map(|command| (actor.clone(), command)).collect();
        self.settle(job, verdict.end, attempt, commands).await?;
        // Perhaps the date is sold out there: the next guest should hear it before he books.
        if is_refused && let Some(date) = booking.visit_date {
            self.refresh_date(&order.rules.booking, date).await?;
        }
        Ok(())
    }

    /// An answer about something else leaves what was asked open, and is shown to a person.
    pub(super) fn shown_astray(
        &self,
        destination: &str,
        order: &Order,
        id: &BackendId,
        result: CallResult<TicketFacts>,
    ) -> (CallResult<TicketFacts>, Option<Command>) {
        let CallResult::Astray { why } = result else { return (result, None) };
        tracing::error!(order = %order.id, partner = %id, "a partner answered about something else: {why}");
        metrics::counter!("ticketbridge_answers_astray_total", "partner" => destination.to_owned()).increment(1);
        let command = Command::RecordAstray { partner: id.to_string(), why: why.clone() };
        (CallResult::Unknown { why }, Some(command))
    }

    /// What an answer means for the row and for the order.
    #[expect(clippy::too_many_arguments, reason = "one decision over everything that is known of the attempt")]
    pub(super) fn judge(
        &self,
        job: &Job,
        backend: &RegisteredBackend,
        order: &Order,
        booking: &BookingId,
        op: TicketOp,
        asked: TicketOp,
        result: CallResult<TicketFacts>,
    ) -> Verdict {
        let now = self.engine.clock().now();
        let booking = order.booking_by_id(booking);
        let (is_over, ticketing) = (booking.is_some_and(Booking::is_visit_over), booking.map(|b| &b.ticketing));
        let state = ticketing.map_or(TicketingState::NotNeeded, |t| t.state);
        let was_issued = ticketing.is_some_and(|t| !t.tickets.is_empty());
        let done = |facts: TicketFacts, word, summary: &str| Verdict {
            end: JobEnd::Delivered,
            facts: Some(facts),
            word,
            summary: summary.to_owned(),
        };
        let send_again = |summary: &str| Verdict {
            end: JobEnd::Retry { due_at: now, read_back: false, error: summary.to_owned() },
            facts: None,
            word: "retry",
            summary: summary.to_owned(),
        };
        match result {
            // A read-back of a cancellation that finds the tickets as they were: it did not arrive.
            CallResult::Done(TicketFacts::Issued { .. } | TicketFacts::Pending { .. })
                if op == TicketOp::Cancel && asked == TicketOp::Query =>
            {
                send_again("the cancellation had not arrived")
            }
            // A back-end without a word of its own for what was cancelled; the repeat, under the same key, has a plain answer.
            CallResult::Done(TicketFacts::Refused { .. })
                if op == TicketOp::Cancel && asked == TicketOp::Query && was_issued =>
            {
                send_again("the back-end no longer calls the tickets issued; the cancellation's own answer counts")
            }
            CallResult::Done(facts) if op == TicketOp::Query => self.looked(job, state, facts, now),
            CallResult::Done(facts) => {
                let summary = word_for(&facts);
                done(facts, "done", summary)
            }
            CallResult::Absent if op == TicketOp::Issue => send_again("the back-end does not know the reservation"),
            CallResult::Absent if op == TicketOp::Cancel || matches!(state, TicketingState::Cancelling) => {
                done(TicketFacts::Cancelled, "absent", "the back-end does not know the reservation")
            }
            // The visit is over, and no ticket was made for it.
            CallResult::Absent if is_over && state.is_awaited() => {
                let reason = "the back-end does not know the reservation".into();
                done(TicketFacts::Refused { reason }, "absent", "nothing there, and the visit is over")
            }
            CallResult::Absent if state == TicketingState::Cancelled => {
                Verdict { end: JobEnd::Delivered, facts: None, word: "absent", summary: "nothing there".to_owned() }
            }
            CallResult::Astray { why } => self.retry(job, None, why, None),
            CallResult::Overtaken | CallResult::Absent => {
                self.retry(job, None, "the back-end no longer knows the reservation".into(), None)
            }
            CallResult::Refused { code, why } => {
                let reason = if why.is_empty() { FreeText::from(code.quoted()) } else { why };
                match op {
                    TicketOp::Issue => {
                        done(TicketFacts::Refused { reason: reason.clone() }, "refused", &reason.to_string())
                    }
                    TicketOp::Cancel => {
                        let facts = TicketFacts::CancelRefused { reason: reason.clone(), used: false };
                        done(facts, "refused", &reason.to_string())
                    }
                    TicketOp::Query => self.retry(job, None, reason, None),
                }
            }
            CallResult::Retry { why, after } => self.retry(job, after, why, None),
            CallResult::TokenRejected => self.retry(job, None, "the access token was refused".into(), None),
            CallResult::Unknown { why } => {
                let spec = backend.backend.spec();
                let facts = (op == TicketOp::Issue).then(|| TicketFacts::Unknown { why: why.clone() });
                match how_to_repeat(op, spec.issue_is_idempotent, spec.can_query, true) {
                    Repeat::ReadBackFirst => self.retry(job, None, why, Some((true, facts))),
                    Repeat::Same => self.retry(job, None, why, Some((false, facts))),
                    Repeat::LeaveToPerson => Verdict {
                        end: JobEnd::Dead { error: why.to_string() },
                        summary: why.to_string(),
                        facts: Some(TicketFacts::GivenUp { why }),
                        word: "unknown",
                    },
                }
            }
        }
    }

    /// What a look brought: final news end it, anything else is looked at again later.
    fn looked(&self, job: &Job, state: TicketingState, facts: TicketFacts, now: UnixMillis) -> Verdict {
        let is_final = match (&facts, state) {
            (TicketFacts::Pending { .. } | TicketFacts::CancelPending, _) => state == TicketingState::Cancelled,
            // The cancellation is under way; that the tickets still stand is no news, and "refused" may mean either end of it.
            (TicketFacts::Issued { .. } | TicketFacts::Refused { .. }, TicketingState::Cancelling) => false,
            (
                TicketFacts::Issued { .. }
                | TicketFacts::Refused { .. }
                | TicketFacts::Cancelled
                | TicketFacts::CancelledKeeping { .. }
                | TicketFacts::CancelRefused { .. }
                | TicketFacts::Redeemed { .. }
                | TicketFacts::HeldByAnother { .. }
                | TicketFacts::Unknown { .. }
                | TicketFacts::GivenUp { .. },
                _,
            ) => true,
        };
        let summary = word_for(&facts).to_owned();
        if is_final {
            return Verdict { end: JobEnd::Delivered, facts: Some(facts), word: "done", summary };
        }
        let waited = now - job.created_at;
        if waited > LOOK_FOR {
            let why = format!("still {summary} after {} hours", LOOK_FOR.0 / 3_600_000);
            let facts = Some(TicketFacts::GivenUp { why: FreeText::our_own(why.as_str()) });
            return Verdict { end: JobEnd::Dead { error: why.clone() }, facts, word: "given_up", summary: why };
        }
        // The back-end may know better when it is worth asking again.
        let gap = match &facts {
            TicketFacts::Pending { look_after: Some(after), .. } => *after,
            _ => Millis(waited.0 / 2).clamp(LOOK_GAP.0, LOOK_GAP.1),
        };
        let facts = matches!(facts, TicketFacts::Issued { .. } | TicketFacts::Refused { .. }).then_some(facts);
        Verdict {
            end: JobEnd::Retry { due_at: now + gap, read_back: false, error: summary.clone() },
            facts,
            word: "pending",
            summary,
        }
    }

    /// Again later, or never: then the order hears that a person must look.
    fn retry(
        &self,
        job: &Job,
        after: Option<Millis>,
        why: FreeText,
        unknown: Option<(bool, Option<TicketFacts>)>,
    ) -> Verdict {
        let word = if unknown.is_some() { "unknown" } else { "retry" };
        // What was not known before stays so until the back-end has been asked.
        let (read_back, facts) = unknown.unwrap_or((job.read_back, None));
        let summary = why.to_string();
        match self.again(job, after) {
            Next::At(due_at) => {
                Verdict { end: JobEnd::Retry { due_at, read_back, error: summary.clone() }, facts, word, summary }
            }
            Next::GiveUp => Verdict {
                end: JobEnd::Dead { error: summary.clone() },
                facts: Some(TicketFacts::GivenUp { why }),
                word: "given_up",
                summary,
            },
        }
    }

    /// The call cannot even be written.
    pub(super) async fn unreachable(&self, job: &Job, booking: &BookingId, why: String) -> Result<(), EngineError> {
        let command = Command::RecordTicketFacts {
            booking: booking.clone(),
            facts: TicketFacts::GivenUp { why: FreeText::our_own(why.as_str()) },
        };
        self.settle(job, JobEnd::Dead { error: why }, None, vec![(Actor::policy(), command)]).await.map(|_| ())
    }

    /// Codes come from our own pool: drawn and recorded in the transaction that ends the delivery.
    async fn draw(
        &self,
        job: &Job,
        booking: &BookingId,
        pool: &str,
        count: u32,
        backend: &RegisteredBackend,
    ) -> Result<(), EngineError> {
        let now = self.engine.clock().now();
        let (drawn_for, drawn_pool) = (booking.clone(), pool.to_owned());
        let drawn = self
            .engine
            .store()
            .write("draw_codes", move |tx: &Tx| {
                let (booking, pool) = (drawn_for.clone(), drawn_pool.clone());
                Box::pin(async move { tx.draw_codes(&pool, count as usize, &booking, now).await })
            })
            .await
            .map_err(|error: StoreError| EngineError::Store(error))?;
        let attempt = |verdict, summary: String| Attempt {
            at: now,
            call: "draw_codes".to_owned(),
            key: None,
            took: Millis(0),
            status: None,
            verdict,
            summary,
        };
        match drawn {
            Some(codes) => {
                let tickets = codes
                    .into_iter()
                    .map(|code| ticketbridge_core::message::NewTicket {
                        code: code.code,
                        kind: code.kind,
                        project_id: None,
                        name: None,
                    })
                    .collect();
                let facts = TicketFacts::Issued { backend_ref: None, tickets };
                let command = Command::RecordTicketFacts { booking: booking.clone(), facts };
                let actor = Actor::new(ActorKind::Backend, backend.id.as_str());
                let attempt =
                    attempt("done", format!("{} drawn", ticketbridge_core::words::counted(count, "code", "codes")));
                self.settle(job, JobEnd::Delivered, Some(attempt), vec![(actor, command)]).await.map(|_| ())
            }
            None => {
                let why = format!(
                    "code pool `{pool}` has not enough codes left for {}; import some",
                    ticketbridge_core::words::units(count)
                );
                tracing::error!(pool, count, "a code pool is empty: import codes");
                let verdict = self.retry(job, None, FreeText::our_own(why.as_str()), None);
                let facts = verdict
                    .facts
                    .map(|facts| (Actor::policy(), Command::RecordTicketFacts { booking: booking.clone(), facts }));
                self.settle(job, verdict.end, Some(attempt("retry", why)), facts.into_iter().collect())
                    .await
                    .map(|_| ())
            }
        }
    }
}

fn word_for(facts: &TicketFacts) -> &'static str {
    match facts {
        TicketFacts::Pending { .. } => "pending",
        TicketFacts::Issued { .. } => "issued",
        TicketFacts::Refused { .. } => "refused",
        TicketFacts::Cancelled => "cancelled",
        TicketFacts::CancelledKeeping { keeps: Keeps::All } => "cancelled, and nothing is given back",
        TicketFacts::CancelledKeeping { keeps: Keeps::Part } => "cancelled, and a part is given back",
        TicketFacts::CancelPending => "cancel pending",
        TicketFacts::Redeemed { .. } => "redeemed",
        TicketFacts::CancelRefused { .. } => "cancel refused",
        TicketFacts::HeldByAnother { .. } => "another order's",
        TicketFacts::Unknown { .. } => "unknown",
        TicketFacts::GivenUp { .. } => "given up",
    }
}
