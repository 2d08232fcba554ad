//! What happens by itself: deliveries that are due, deadlines that pass. It wakes when something was enqueued, when something is
//! due, and now and then; all of its state is in rows, so that another instance, or the next start, goes on where it stopped.

mod backend_call;
mod channel_call;
mod conversation;
mod deadlines;
mod decrypt;
pub mod lanes;
mod look_first;
mod read_back;
mod settle;
mod stock;
pub mod tokens;
pub mod watch;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use ticketbridge_core::effect::Effect;
use ticketbridge_core::port::Call;
use ticketbridge_core::wanted::is_wanted;
use ticketbridge_core::{ChannelId, Millis, UnixMillis};
use ticketbridge_store::{Job, JobEnd};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::engine::{Engine, EngineError};
use crate::transport::Transport;
use crate::worker::lanes::Lanes;
use crate::worker::tokens::Tokens;

/// How long a delivery is ours. A crash costs at most this much of a ticketing deadline.
pub const LEASE: Millis = Millis::seconds(15);
/// The part of the lease that is left for settling what a call brought.
const SETTLE_MARGIN: Millis = Millis::seconds(3);
/// Deliveries handed out at once.
const CLAIM_MAX: u32 = 32;
/// Deliveries under way at once, over all destinations.
const IN_FLIGHT_MAX: usize = 128;
/// Longest wait between two looks at the database.
const LOOK_AT_LEAST_EVERY: Millis = Millis::seconds(2);

/// The worker. Cheap to clone.
#[derive(Clone)]
pub struct Worker {
    pub(crate) engine: Engine,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) lanes: Arc<Lanes>,
    pub(crate) swept: Arc<Swept>,
    pub(crate) watched: Arc<watch::Watched>,
}

/// Until when each channel's list of changes was read; of this process alone, since a list may be read twice.
#[derive(Debug, Default)]
pub(crate) struct Swept(Mutex<BTreeMap<ChannelId, UnixMillis>>);

impl Swept {
    fn map(&self) -> std::sync::MutexGuard<'_, BTreeMap<ChannelId, UnixMillis>> {
        // What another thread left behind is a time or no time: both serve.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
    /// When the channel was read last.
    pub(crate) fn since(&self, channel: &ChannelId) -> Option<UnixMillis> {
        self.map().get(channel).copied()
    }
    /// It was read up to `at`.
    pub(crate) fn note(&self, channel: &ChannelId, at: UnixMillis) {
        self.map().insert(channel.clone(), at);
    }
}

impl Worker {
    /// A worker over an engine.
    pub fn new(engine: Engine, transport: Arc<dyn Transport>) -> Self {
        let lanes = Arc::new(Lanes::new());
        Self {
            engine,
            transport,
            tokens: Arc::new(Tokens::default()),
            lanes,
            swept: Arc::default(),
            watched: Arc::default(),
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

    /// Works until `stop`; then finishes what it holds.
    pub async fn run(self, stop: CancellationToken) {
        let mut under_way = JoinSet::new();
        while !stop.is_cancelled() {
            // Interest is registered before looking, so that nothing enqueued meanwhile is slept through.
            let work = self.engine.work().clone();
            let notified = work.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            let found = match self.look(&mut under_way).await {
                Ok(found) => found,
                Err(error) => {
                    log_trouble("the worker cannot look for work", &error);
                    0
                }
            };
            while under_way.try_join_next().is_some() {}
            if found > 0 {
                continue;
            }
            let until = self.next_look().await;
            tokio::select! {
                () = notified => {}
                () = self.engine.clock().sleep_until(until) => {}
                Some(_) = under_way.join_next(), if !under_way.is_empty() => {}
                () = stop.cancelled() => {}
            }
        }
        while under_way.join_next().await.is_some() {}
    }

    /// Hands out what is due; how much that was.
    async fn look(&self, under_way: &mut JoinSet<()>) -> Result<usize, EngineError> {
        let deadlines = self.pass_due_deadlines().await?;
        let room = IN_FLIGHT_MAX.saturating_sub(under_way.len());
        if room == 0 {
            return Ok(deadlines);
        }
        let now = self.engine.clock().now();
        let limit = CLAIM_MAX.min(u32::try_from(room).unwrap_or(CLAIM_MAX));
        let jobs = self.engine.store().claim(now, limit, LEASE, self.lanes.room(now)).await?;
        let found = jobs.len();
        for job in jobs {
            let worker = self.clone();
            let seat = self.lanes.enter(&job.destination);
            under_way.spawn(async move {
                worker.carry_out(job).await;
                drop(seat);
            });
        }
        Ok(found + deadlines)
    }

    /// When to look again, if nobody wakes the worker before.
    async fn next_look(&self) -> UnixMillis {
        let now = self.engine.clock().now();
        let full: Vec<String> = self.lanes.full(now);
        let store = self.engine.store();
        let due = store.next_job_due(&full).await.ok().flatten();
        let deadline = store.next_deadline_due().await.ok().flatten();
        let reopen = self.lanes.next_opening(now);
        let latest = now + LOOK_AT_LEAST_EVERY;
        // A row that is due and was not handed out is blocked by something that ends in its own time.
        let soonest = now + Millis(20);
        due.into_iter()
            .chain(deadline)
            .chain(reopen)
            .map(|at| at.max(soonest))
            .min()
            .map_or(latest, |at| at.min(latest))
    }

    /// Does everything that is due now, and what follows from it, one by one; for tests, which own the clock.
    ///
    /// # Errors
    /// Store errors.
    pub async fn drain(&self) -> Result<usize, EngineError> {
        let mut done = 0;
        loop {
            let deadlines = self.pass_due_deadlines().await?;
            let now = self.engine.clock().now();
            let jobs = self.engine.store().claim(now, CLAIM_MAX, LEASE, self.lanes.room(now)).await?;
            if jobs.is_empty() && deadlines == 0 {
                return Ok(done);
            }
            done += jobs.len() + deadlines;
            for job in jobs {
                let seat = self.lanes.enter(&job.destination);
                self.carry_out(job).await;
                drop(seat);
            }
        }
    }

    /// Carries one delivery out, from the order as it is now to the row as it ends.
    pub async fn carry_out(&self, job: Job) {
        let result = match &job.effect {
            Effect::CallBackend { backend, booking, op, .. } => self.call_backend(&job, backend, booking, *op).await,
            Effect::TellChannel { report, .. } => self.tell_channel(&job, report).await,
            Effect::DecryptGuests => self.decrypt_guests(&job).await,
            Effect::ReadBack { channel, about } => self.read_back(&job, channel, about).await,
            Effect::TellStock { channel, key } => self.tell_stock(&job, channel, key).await,
            Effect::ArmDeadline { .. }
            | Effect::DisarmDeadline { .. }
            | Effect::TakeStock { .. }
            | Effect::ReturnStock { .. } => self.end(&job, JobEnd::Dropped { reason: "not a call".to_owned() }).await,
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
    async fn wanted_order(&self, job: &Job) -> Result<Option<ticketbridge_core::Order>, EngineError> {
        let Some(order) = self.engine.store().load_order(&job.order).await? else {
            self.end(job, JobEnd::Dead { error: "the order is gone".to_owned() }).await?;
            return Ok(None);
        };
        if is_wanted(&order, &job.effect) {
            return Ok(Some(order));
        }
        self.end(job, JobEnd::Dropped { reason: "no longer wanted".to_owned() }).await?;
        Ok(None)
    }

    /// Time for a call: what is configured, and never more than the lease leaves.
    fn call_timeout(&self, job: &Job) -> crate::transport::CallLimits {
        let now = self.engine.clock().now();
        let left = Millis((job.lease_until - now).0 - SETTLE_MARGIN.0).max(Millis(1));
        crate::transport::CallLimits { timeout: self.engine.running().config.delivery.timeout, at_most: left }
    }
}

/// The trace of the message that caused a delivery goes with the call (`contract.md` 7).
fn pass_trace_on(job: &Job, call: &mut Call) {
    if let Some(trace) = job.traceparent.as_deref().and_then(|trace| http::HeaderValue::from_str(trace).ok()) {
        call.headers.insert("traceparent", trace);
    }
}

/// Logs an error with its whole chain, once, where it is handled.
pub(crate) fn log_trouble(what: &str, error: &dyn std::error::Error) {
    tracing::error!(error = %chain(error), "{what}");
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
