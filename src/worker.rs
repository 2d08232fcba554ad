// SPDX-License-Identifier: Apache-2.0

//! What happens by itself: deliveries that are due, deadlines that pass. It wakes when something was enqueued, when something is
//! due, and now and then; all of its state is in rows, so that another instance, or the next start, goes on where it stopped.

mod backend_call;
mod breaker;
mod by_hand;
mod channel_call;
pub(crate) mod conduct;
pub(crate) mod conversation;
mod deadlines;
mod decrypt;
mod desk;
pub mod hold;
pub mod lanes;
mod memory;
mod moved;
mod read_back;
mod rounds;
pub(crate) mod settle;
mod still_held;
mod stock;
mod taken;
pub mod tokens;
pub(crate) mod told_before;
mod verify_first;
pub mod watch;

use std::sync::{Arc, Mutex};

use ticketbridge_core::message::Effect;
use ticketbridge_core::port::{Call, CallResult};
use ticketbridge_core::still_needed::{is_still_needed, must_be_answered};
use ticketbridge_core::{Millis, Order};
use ticketbridge_store::{Job, JobEnd};

use crate::config::CALL_TIMEOUT_MAX;
use crate::engine::effects::MOVED_ON;
use crate::engine::{Engine, EngineError};
use crate::recorder::course;
use crate::recorder::tape::Work;
use crate::telemetry::traces::Open;
use crate::transport::{Reached, Transport};
use crate::trouble::log_trouble;
use crate::worker::lanes::{Fault, Lanes};
use crate::worker::memory::{ChangesRead, Held, Tokens, Watched};
use crate::worker::still_held::StillHeld;

/// How long a delivery is ours; prolonged while it is under way. A crash costs at most this much of a ticketing deadline.
pub const LEASE: Millis = Millis::seconds(15);

/// The worker. Cheap to clone.
#[derive(Clone)]
pub struct Worker {
    pub(crate) engine: Engine,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) lanes: Arc<Lanes>,
    pub(crate) changes_read: Arc<ChangesRead>,
    held: Arc<Held>,
    strays: Arc<Mutex<Vec<String>>>,
    pub(crate) watched: Arc<Watched>,
    still_held: Arc<StillHeld>,
}

impl Worker {
    /// A worker over an engine.
    pub fn new(engine: Engine, transport: Arc<dyn Transport>) -> Self {
        let lanes = Arc::new(Lanes::new(engine.work().clone()));
        Self {
            engine,
            transport,
            tokens: Arc::new(Tokens::default()),
            lanes,
            changes_read: Arc::default(),
            held: Arc::default(),
            strays: Arc::default(),
            watched: Arc::default(),
            still_held: Arc::default(),
        }
    }

    /// The state of the destinations.
    pub fn lanes(&self) -> &Arc<Lanes> {
        &self.lanes
    }
    /// The access tokens.
    pub fn tokens(&self) -> &Arc<Tokens> {
        &self.tokens
    }
    /// The way out.
    pub fn transport(&self) -> &Arc<dyn Transport> {
        &self.transport
    }

    /// Carries one delivery out, from the order as it is now to the row as it ends.
    pub async fn carry_out(&self, job: Job) {
        self.carry_out_for(job, None).await;
    }

    /// The same with the order as it was loaded a moment ago, and the turn by which it was.
    pub(crate) async fn carry_out_for(&self, job: Job, order: Option<(Order, i64)>) {
        let (id, about) = (job.id.clone(), job.order.clone());
        let what = Work::Delivery { id, order: about, destination: job.destination.clone(), call: job.call.clone() };
        let (order, begun) = match order {
            Some((order, turn)) => (Some(order), self.engine.begun_in(turn, what)),
            None => (None, self.engine.begin(what)),
        };
        course::doing(begun, Box::pin(self.do_carry_out(job, order))).await;
    }

    async fn do_carry_out(&self, job: Job, order: Option<Order>) {
        // Each way has a place of its own: together they would make every task, and the stack of whoever polls it, as large as the largest.
        let result = match &job.effect {
            Effect::CallBackend { backend, booking, op, .. } => {
                Box::pin(self.call_backend(&job, order, backend, booking, *op)).await
            }
            Effect::TellChannel { notification, .. } => Box::pin(self.tell_channel(&job, order, notification)).await,
            Effect::DecryptGuests => Box::pin(self.decrypt_guests(&job, order)).await,
            Effect::CompareGuests { call, first, again } => {
                Box::pin(self.compare_guests(&job, order, call, (first, again))).await
            }
            Effect::ReadBack { channel, about } => Box::pin(self.read_back(&job, channel, about)).await,
            Effect::TellStock { channel, key } => Box::pin(self.tell_stock(&job, channel, key)).await,
            Effect::ArmDeadline { .. }
            | Effect::DisarmDeadline { .. }
            | Effect::TakeStock { .. }
            | Effect::ReturnStock { .. } => self.end(&job, JobEnd::NotNeeded { why: "not a call".to_owned() }).await,
        };
        match result {
            Ok(()) => {}
            Err(EngineError::LeaseLost) => {
                tracing::info!(delivery = %job.id, "another instance carries this delivery on");
            }
            Err(error) => {
                log_trouble("a delivery could not be settled; its lease runs out and it is tried again", &error)
            }
        }
    }

    /// The order of a delivery, if the delivery still serves it; otherwise the row is closed.
    async fn wanted_order(&self, job: &Job, loaded: Option<Order>) -> Result<Option<Order>, EngineError> {
        let order = match loaded {
            Some(order) => Some(order),
            None => self.engine.store().load_order(&job.order).await?,
        };
        let Some(order) = order else {
            self.end(job, JobEnd::Dead { error: "the order is gone".to_owned() }).await?;
            return Ok(None);
        };
        if is_still_needed(&order, &job.effect) || (job.read_back && must_be_answered(&order, &job.effect)) {
            return Ok(Some(order));
        }
        self.partner_is_back(job, order).await?;
        self.end(job, JobEnd::NotNeeded { why: MOVED_ON.to_owned() }).await?;
        Ok(None)
    }

    /// Time for a call: what is configured. The lease is prolonged meanwhile.
    pub(crate) fn call_timeout(&self) -> crate::transport::CallLimits {
        crate::transport::CallLimits {
            timeout: self.engine.running().config.delivery.timeout,
            at_most: CALL_TIMEOUT_MAX,
        }
    }

    /// What a call told of its destination and of the order. `reached` says whether the partner has seen anything of it.
    pub(crate) fn note_result<T>(&self, job: &Job, result: &CallResult<T>, status: Option<u16>, reached: Reached) {
        let clock = self.engine.clock();
        match result {
            CallResult::Retry { why, .. } | CallResult::Unknown { why } => {
                self.lanes.failed(job, fault_of(status, reached), &why.to_string(), clock.monotonic());
            }
            CallResult::Astray { why } => self.lanes.failed(job, Fault::OfOrder, &why.to_string(), clock.monotonic()),
            CallResult::TokenRejected => {
                // A fresh token is refused for this order; for others it may be good.
                self.lanes.failed(job, Fault::OfEither, "the access token is refused", clock.monotonic());
            }
            CallResult::Done(_) | CallResult::Refused { .. } | CallResult::Absent | CallResult::Overtaken => {
                self.lanes.succeeded(job, clock.now());
            }
        }
    }
}

/// Whose fault it is that a call did not go well. A partner that answers is there: what it says of one order is that order's trouble, unless
/// it says that it is itself in trouble, or is called too often.
fn fault_of(status: Option<u16>, reached: Reached) -> Fault {
    match (status, reached) {
        (None, Reached::No) => Fault::OfPartner,
        (None, Reached::Perhaps) | (Some(429 | 500..), _) => Fault::OfEither,
        (Some(_), _) => Fault::OfOrder,
    }
}

/// The trace of the message that caused a delivery goes with the call (`docs/src/operating/production.md`), and the call is a span of it.
fn pass_trace_on(job: &Job, call: &mut Call) -> Open {
    let mut span = Open::outgoing(format!("{} {}", call.method, job.destination), job.traceparent.as_deref());
    span.pass_on(job.traceparent.as_deref(), &mut call.headers);
    span.note("ticketbridge.delivery", job.id.clone());
    span.note("ticketbridge.order", job.order.to_string());
    span.note("ticketbridge.attempt", i64::from(job.attempts));
    span
}
