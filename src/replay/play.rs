// SPDX-License-Identifier: Apache-2.0

//! The driver: a fresh bridge, its clock put from message to message, and whatever falls due between two of them done in between.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{HeaderName, HeaderValue, Method, Request, header};
use secrecy::ExposeSecret as _;
use ticketbridge_core::order::TicketKind;
use ticketbridge_core::port::Replayed;
use ticketbridge_core::{BackendId, ChannelId, ExternalId, Millis, Order, Seed, TimeZone, UnixMillis};
use ticketbridge_store::{CreditEntry, CreditKind, StoreError, Tx};
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

use super::before;
use super::compare::{Comparison, Report};
use super::expect::Expected;
use super::partners::{Bound, may_wait};
use super::schedule::{Mark, Schedule};
use super::waiting::{ANSWER_TURNS, WaitingRoom};
use crate::app::{self, Bridge, Parts, StartError, Work};
use crate::clock::{Clock, SystemIds, TestClock};
use crate::config::{Config, Environment, OpsToken, Role};
use crate::engine::EngineError;
use crate::housekeeping::schedule;
use crate::http::ops::auth::GivenHolder;
use crate::http::webhook::GivenSeed;
use crate::recorder::file::{Drawn, Recorded};
use crate::recorder::outcome::{Outcome, outcome};
use crate::recorder::tape::{Came, Moved, Piece};

/// The secrets of a replay: whoever has the file and the program can sign with them, and nobody else believes it.
const TEST_WEBHOOK_SECRET: &str = "whsec_YSBzZWNyZXQgZm9yIHJlcGxheXMsIGtub3duIHRvIGFsbA==";
const TEST_SECRET: &str = "7265706c61797320617265207369676e";
/// The answer to a demand for tickets has been written so long before its time is over.
const ANSWER_MARGIN: Millis = Millis(400);
/// Steps of the clock while an answer waits for something.
const WAIT_STEP: Millis = Millis(250);
/// Such steps at most: longer than any call may take.
const WAIT_STEPS_MAX: u32 = 80;
/// Looks in a row that find nothing to do before an answer that came in time then is taken to wait for its time now.
const IDLE_LOOKS: u32 = 500;
/// What is said of a message that cannot be signed.
const UNSIGNED: &str = "it cannot be signed";
/// Turns that calls get to go on in, once their answers have come.
const TURNS_MAX: u32 = 1_000_000;
/// Bytes of an answer at most.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Why a recording cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The bridge.
    #[error("the bridge cannot be started with this configuration")]
    Start(#[from] StartError),
    /// The engine.
    #[error("the bridge cannot go on")]
    Engine(#[from] EngineError),
    /// The database.
    #[error("the database failed")]
    Store(#[from] StoreError),
    /// A place for the database.
    #[error("a temporary directory cannot be made")]
    Directory(#[source] std::io::Error),
}

/// Plays a recording to `config`, and compares.
///
/// # Errors
/// When it cannot be played at all; everything else is in the report.
pub async fn replay(recorded: Recorded, config: Config, expected: &Expected) -> Result<Report, ReplayError> {
    let directory = tempfile::tempdir().map_err(ReplayError::Directory)?;
    let clock = TestClock::at(recorded.from());
    let (mut calls, mut events) = (Vec::new(), Vec::new());
    let mut unplayed: BTreeMap<&'static str, u64> = BTreeMap::new();
    for (at, piece) in recorded.pieces.clone() {
        match piece {
            Piece::Out(went) => calls.push((UnixMillis(at), *went)),
            Piece::In(came) if unplayable(&came).is_some() => {
                *unplayed.entry(unplayable(&came).unwrap_or_default()).or_default() += 1;
            }
            Piece::In(came) => events.push((UnixMillis(at), Played::Message(came))),
            Piece::Task { name } => events.push((UnixMillis(at), Played::Task(name))),
            Piece::Moved(moved) => events.push((UnixMillis(at), Played::Moved(moved))),
        }
    }
    let marks: Vec<Mark> = events.iter().map(|(at, event)| event.mark(*at)).collect();
    let mut events: Vec<Option<Played>> = events.into_iter().map(|(_, event)| Some(event)).collect();
    let Schedule { played, answered_at } = Schedule::of(&marks, &calls);
    let calls = calls.into_iter().zip(answered_at).map(|((at, went), answered_at)| (at, went, answered_at));
    let events = played.into_iter().filter_map(|(index, at)| Some((at, events[index].take()?))).collect();
    let bound = Arc::new(Bound::new(calls, Arc::new(clock.clone())));
    let config = for_replay(config, directory.path());
    let parts = Parts {
        ids: Arc::new(SystemIds::new(Arc::new(clock.clone()))),
        clock: Arc::new(clock.clone()),
        transport: Some(bound.clone()),
        environment: Environment::only([]),
        work: Work::ByHand,
    };
    let bridge = app::start(config, parts).await?;
    let (under_way, waiting) = (Mutex::default(), WaitingRoom::default());
    let mut play =
        Play { bridge, clock, bound: bound.clone(), under_way, waiting, compared: Comparison::default(), messages: 0 };
    let played = play.all(&recorded, events).await;
    let Play { bridge, compared, messages, under_way, .. } = play;
    under_way.into_inner().unwrap_or_default().iter().for_each(JoinHandle::abort);
    bridge.stop().await;
    played?;
    let mut compared = compared;
    compared.strangers(bound.strangers());
    let mut left_out = recorded.left_out;
    left_out.extend(unplayed.into_iter().map(|(what, times)| format!("{times} {what}")));
    Ok(compared.report(expected, messages, bound.answered(), left_out))
}

/// Why an act of ops is not played, as a report says it: accounts and sessions are not in the file, and the configuration is the one that is
/// tried. Who did what else, and what he was allowed, is.
fn unplayable(came: &Came) -> Option<&'static str> {
    const PEOPLE: [&str; 7] =
        ["session", "sessions", "account", "accounts", "invitations", "password-resets", "sign-up"];
    let path = came.path.strip_prefix("/ops/v1/")?;
    match path.split('/').next() {
        Some(first) if PEOPLE.contains(&first) => {
            Some("acts about accounts and sessions, which are not in the recording")
        }
        Some("config") => Some("reloads of the configuration: it is the one that is tried"),
        Some(_) | None => None,
    }
}

/// What is played.
enum Played {
    Message(Box<Came>),
    Task(String),
    /// What an order that is not in the recording took, or gave back.
    Moved(Moved),
}

impl Played {
    /// By what its place among the others is found.
    fn mark(&self, at: UnixMillis) -> Mark {
        match self {
            Played::Message(came) => Mark { at, decided: came.decided, order: came.order.clone(), is_message: true },
            Played::Task(_) | Played::Moved(_) => Mark { at, decided: None, order: None, is_message: false },
        }
    }
}

/// The same configuration on a database of its own, with secrets that anybody may know, reached by nobody.
fn for_replay(mut config: Config, directory: &std::path::Path) -> Config {
    config.database.url = format!("sqlite://{}/replay.db", directory.display()).into();
    config.server.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    config.server.trusted_proxies = Vec::new();
    // The clock runs as fast as it goes: so do the messages.
    config.server.rate_per_caller = u32::MAX;
    config.metrics.listen = None;
    config.recorder.keep = None;
    let mut secret = |secret: &str| {
        if secret.starts_with("whsec_") { TEST_WEBHOOK_SECRET.to_owned() } else { TEST_SECRET.to_owned() }
    };
    for channel in &mut config.channels {
        channel.settings = channel.settings.with_secrets(channel.secrets, &mut secret);
        channel.allow_from = Vec::new();
        channel.rate_per_caller = None;
    }
    for backend in &mut config.backends {
        backend.settings = backend.settings.with_secrets(backend.secrets, &mut secret);
    }
    for (index, token) in config.ops_tokens.iter_mut().enumerate() {
        token.token = format!("replay-token-{index}-known-to-all").into();
    }
    if config.ops_tokens.iter().all(|token| token.role != Role::Admin) {
        let token = "replay-token-of-an-administrator".to_owned().into();
        config.ops_tokens.push(OpsToken { name: "replay".to_owned(), role: Role::Admin, token });
    }
    config
}

struct Play {
    bridge: Bridge,
    clock: TestClock,
    bound: Arc<Bound>,
    /// Deliveries whose calls wait for the time of their answers.
    under_way: Mutex<Vec<JoinHandle<()>>>,
    /// Messages whose answers wait while others come.
    waiting: WaitingRoom,
    compared: Comparison,
    messages: u64,
}

impl Play {
    async fn all(&mut self, recorded: &Recorded, events: Vec<(UnixMillis, Played)>) -> Result<(), ReplayError> {
        self.begin(recorded).await?;
        let mut events = events.into_iter().peekable();
        while let Some((at, event)) = events.next() {
            self.until(at).await?;
            let next = events.peek().map(|(at, _)| *at);
            match event {
                Played::Message(came) => self.message(at, came, next).await?,
                Played::Task(name) => schedule::carry_out(self.bridge.shared(), &name).await,
                Played::Moved(moved) => before::moved(self.bridge.engine(), recorded, moved).await?,
            }
            self.compare_answered().await?;
        }
        self.until(recorded.to()).await?;
        for _ in 0..WAIT_STEPS_MAX {
            self.compare_answered().await?;
            if self.waiting.len() == 0 {
                break;
            }
            self.until(self.clock.now() + WAIT_STEP).await?;
            self.waiting.end_by(UnixMillis(i64::MAX)).await;
        }
        for then in &recorded.outcomes {
            let now = self.outcome_of(then).await?;
            self.compared.order(then, now.as_ref());
        }
        Ok(())
    }

    /// What was there before: codes in the pools, money in the accounts, what was taken of stock and counts for purchase limits.
    async fn begin(&self, recorded: &Recorded) -> Result<(), ReplayError> {
        let store = self.bridge.engine().store();
        for (pool, codes) in recorded.pools.clone() {
            store
                .write("import_codes", move |tx: &Tx| {
                    let (pool, codes) = (pool.clone(), codes.clone());
                    Box::pin(async move { tx.import_codes(&pool, TicketKind::Code, &codes).await.map(drop) })
                })
                .await?;
        }
        let at = recorded.from();
        before::begin(self.bridge.engine(), recorded).await?;
        for Drawn { pool, booking, codes } in recorded.drawn.clone() {
            store
                .write("import_codes", move |tx: &Tx| {
                    let (pool, booking, codes) = (pool.clone(), booking.clone(), codes.clone());
                    Box::pin(async move {
                        tx.import_codes(&pool, TicketKind::Code, &codes).await?;
                        // They are this booking's, whoever asks first.
                        tx.draw_codes(&pool, codes.len(), &booking, at).await.map(drop)
                    })
                })
                .await?;
        }
        for (account, balance) in recorded.credit.clone() {
            store
                .write("deposit", move |tx: &Tx| {
                    let account = account.clone();
                    Box::pin(async move {
                        let reference = "what there was when the recording began".to_owned();
                        let entry =
                            CreditEntry { kind: CreditKind::Deposit, amount: balance, reference, order: None, at };
                        tx.deposit_credit(&account, &entry).await.map(drop)
                    })
                })
                .await?;
        }
        Ok(())
    }

    /// Puts the clock to `at`, and on its way does everything at the time at which it falls due.
    async fn until(&self, at: UnixMillis) -> Result<(), ReplayError> {
        self.drain().await?;
        while let Some(due) = self.next_due().await?.filter(|due| *due <= at) {
            let before = self.clock.now();
            if due > before {
                self.clock.set(due);
                self.answers_come().await;
                self.waiting.end_by(due).await;
            }
            // What is due and was not handed out is held by something that ends in its own time.
            if self.drain().await? == 0 && due <= before {
                let next = before + WAIT_STEP;
                if next > at {
                    break;
                }
                self.clock.set(next);
                self.answers_come().await;
            }
        }
        if at > self.clock.now() {
            self.clock.set(at);
            self.answers_come().await;
        }
        self.drain().await?;
        Ok(())
    }

    /// When something is to be done next, or a call under way is answered.
    async fn next_due(&self) -> Result<Option<UnixMillis>, ReplayError> {
        let due = self.bridge.worker().next_due().await?;
        let answered = self.waiting.next_end(self.clock.now());
        Ok(due.into_iter().chain(self.bound.next_answer()).chain(answered).min())
    }

    /// Does everything that is due. A call that a message crossed stays under way: the message is played before its answer.
    async fn drain(&self) -> Result<usize, ReplayError> {
        let worker = self.bridge.worker();
        let carry_out = async |job, seat| {
            let mut waits = self.bound.waits();
            let worker = worker.clone();
            let mut task = tokio::spawn(may_wait(async move {
                worker.carry_out(job).await;
                drop(seat);
            }));
            tokio::select! {
                ended = &mut task => ended.unwrap_or_default(),
                _ = waits.changed() => self.under_way().push(task),
            }
        };
        Ok(worker.drain_by(carry_out).await?)
    }

    fn under_way(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The clock was put on: who waited for an answer that has come goes on, and to the end, or to its next call.
    async fn answers_come(&self) {
        // One that waits for something else, such as its own pause between two calls, holds nothing up.
        for _ in 0..TURNS_MAX {
            let left = {
                let mut under_way = self.under_way();
                under_way.retain(|task| !task.is_finished());
                under_way.len()
            };
            if left == self.bound.waiting() {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Plays a message; `next` is when the next one is played.
    async fn message(&mut self, at: UnixMillis, came: Box<Came>, next: Option<UnixMillis>) -> Result<(), ReplayError> {
        self.messages += 1;
        let waits = self.waits_for_tickets(&came.path);
        if waits.is_some() && next.is_some_and(|next| next < at + came.took) {
            return self.begin_to_wait(at, came).await;
        }
        let answer = self.ask(at, &came, waits).await?;
        self.compare(at, &came, answer).await
    }

    /// Plays a message whose answer waits while others come; what they bring may be what it waits for.
    async fn begin_to_wait(&mut self, at: UnixMillis, came: Box<Came>) -> Result<(), ReplayError> {
        let Some(request) = self.request(at, &came) else {
            return self.compare(at, &came, (0, UNSIGNED.to_owned())).await;
        };
        let asleep = self.clock.sleepers();
        let task = tokio::spawn(answer_to(crate::http::router(self.bridge.shared().clone()), request));
        for _ in 0..TURNS_MAX {
            // It has been taken, and waits for its time to pass.
            if task.is_finished() || self.clock.sleepers() > asleep {
                break;
            }
            tokio::task::yield_now().await;
        }
        self.waiting.enter(came, at, task);
        Ok(())
    }

    async fn compare_answered(&mut self) -> Result<(), ReplayError> {
        for (waited, answer) in self.waiting.answered().await {
            self.compare(waited.at, &waited.came, answer).await?;
        }
        Ok(())
    }

    async fn compare(&mut self, at: UnixMillis, came: &Came, (status, body): (u16, String)) -> Result<(), ReplayError> {
        let place = place_of(&came.path);
        let order = self.order_named(came).await?;
        self.compared.played(order.as_deref(), &format!("{} {place} {status}", at.rfc3339(TimeZone::UTC)));
        if came.by.is_some() {
            // What a person was shown is not compared; that he could do it is.
            self.compared.answer(&place, order, (came.status, ""), (status, ""));
        } else {
            self.compared.answer(&place, order, (came.status, &came.answer), (status, &body));
        }
        Ok(())
    }

    /// The budget of a call whose answer waits for tickets.
    fn waits_for_tickets(&self, path: &str) -> Option<Millis> {
        let (channel, call) = path.strip_prefix("/channels/")?.split_once('/')?;
        let channel = self.bridge.engine().running().registry.channel(&ChannelId::new(channel))?;
        let endpoint = channel.channel.spec().endpoints.iter().find(|endpoint| endpoint.name == call)?;
        endpoint.waits_for_tickets.then_some(endpoint.budget)
    }

    /// Makes the request, and lets the worker work meanwhile, as long as it did then.
    async fn ask(&self, at: UnixMillis, came: &Came, waits: Option<Millis>) -> Result<(u16, String), ReplayError> {
        let Some(request) = self.request(at, came) else { return Ok((0, UNSIGNED.to_owned())) };
        let router = crate::http::router(self.bridge.shared().clone());
        let answered = AtomicBool::new(false);
        let call = async {
            let answer = answer_to(router, request).await;
            answered.store(true, Ordering::Release);
            answer
        };
        // It was answered then; no time passes beyond that, unless it is waited for longer now.
        let ends = self.clock.now() + came.took;
        // Tickets that came too late for the answer then come too late for it now.
        let too_late = waits.is_some_and(|budget| came.took >= Millis(budget.0 - ANSWER_MARGIN.0));
        let work = async {
            let (mut steps, mut idle) = (0, 0);
            while waits.is_some() && !answered.load(Ordering::Acquire) && steps < WAIT_STEPS_MAX {
                if !too_late {
                    self.bridge.worker().drain().await?;
                }
                tokio::task::yield_now().await;
                // It waits for its time to pass.
                let now = self.clock.now();
                let is_over = now >= ends;
                let waits_on = self.clock.sleepers() > 0 && (too_late || self.is_idle().await?);
                idle = if waits_on { idle + 1 } else { 0 };
                let looks = match (is_over, too_late) {
                    (true, true) => ANSWER_TURNS,
                    (false, true) => 0,
                    (true | false, false) => IDLE_LOOKS,
                };
                if idle > looks {
                    self.clock.advance(if is_over { WAIT_STEP } else { WAIT_STEP.min(ends - now) });
                    steps += 1;
                }
            }
            Ok::<_, ReplayError>(())
        };
        let (answer, worked) = tokio::join!(call, work);
        worked?;
        Ok(answer)
    }

    async fn is_idle(&self) -> Result<bool, ReplayError> {
        let now = self.clock.now();
        Ok(self.bridge.worker().next_due().await?.is_none_or(|due| due > now))
    }

    /// The request as it was, signed anew.
    fn request(&self, at: UnixMillis, came: &Came) -> Option<Request<Body>> {
        let mut replayed = Replayed {
            endpoint: came.path.rsplit('/').next().unwrap_or_default().to_owned(),
            query: came.query.clone(),
            headers: came
                .headers
                .iter()
                .filter_map(|(name, value)| {
                    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
                    Some((name, HeaderValue::from_str(value).ok()?))
                })
                .collect(),
            body: came.body.clone().into(),
        };
        let mut who = None;
        // Its length may be another one.
        replayed.headers.remove(header::CONTENT_LENGTH);
        let registry = &self.bridge.engine().running().registry;
        if let Some(id) = came.path.strip_prefix("/channels/").and_then(|rest| rest.split('/').next()) {
            registry.channel(&ChannelId::new(id))?.channel.sign_again(&mut replayed, at);
        } else if let Some(id) = came.path.strip_prefix("/backends/").and_then(|rest| rest.split('/').next()) {
            if let Some(pushes) = registry.backend(&BackendId::new(id))?.backend.pushes() {
                pushes.sign_again(&mut replayed, at);
            }
        } else if let Some(holder) = came.acted.as_ref().and_then(|acted| acted.holder(came.by.as_deref()?, at)) {
            who = Some(GivenHolder(holder));
        } else {
            let tokens = &self.bridge.engine().running().config.ops_tokens;
            let held = tokens.iter().find(|token| Some(&token.name) == came.by.as_ref());
            let held = held.or_else(|| tokens.iter().find(|token| token.role == Role::Admin))?;
            let bearer = HeaderValue::from_str(&format!("Bearer {}", held.token.expose_secret())).ok()?;
            replayed.headers.insert(header::AUTHORIZATION, bearer);
        }
        let Replayed { query, headers, body, endpoint: _ } = replayed;
        let uri = if query.is_empty() { came.path.clone() } else { format!("{}?{query}", came.path) };
        let mut request = Request::builder().method(Method::POST).uri(uri).body(Body::from(body)).ok()?;
        *request.headers_mut() = headers;
        if let Some(who) = who {
            request.extensions_mut().insert(who);
        }
        let peer: SocketAddr = ([127, 0, 0, 1], 1).into();
        request.extensions_mut().insert(ConnectInfo(peer));
        if let Some(seed) = came.seed.as_deref().and_then(|seed| u128::from_str_radix(seed, 16).ok()) {
            request.extensions_mut().insert(GivenSeed(Seed(seed)));
        }
        Some(request)
    }

    /// The order that a message was about, as its channel and its number there.
    async fn order_named(&self, came: &Came) -> Result<Option<String>, ReplayError> {
        let Some(id) = &came.order else { return Ok(None) };
        let order = self.bridge.engine().store().load_order(id).await?;
        Ok(Some(order.map_or_else(|| id.to_string(), |order| format!("{}:{}", order.channel, order.channel_order_id))))
    }

    async fn outcome_of(&self, then: &Outcome) -> Result<Option<Outcome>, ReplayError> {
        let engine = self.bridge.engine();
        let Some(channel) = engine.running().registry.channel(&ChannelId::new(then.order.0.as_str())) else {
            return Ok(None);
        };
        let about = ExternalId::from(then.order.1.as_str());
        let order: Option<Order> = engine.order_about(&channel, &about).await?;
        match order {
            Some(order) => Ok(Some(outcome(engine.store(), &order).await?)),
            None => Ok(None),
        }
    }
}

/// Asks, and gives the status and the body of the answer.
async fn answer_to(router: axum::Router, request: Request<Body>) -> (u16, String) {
    let Ok(response) = router.oneshot(request).await;
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), ANSWER_BYTES_MAX).await.unwrap_or_default();
    (status, String::from_utf8_lossy(&body).into_owned())
}

/// A call's name: `douyin-main/create-order`, `gate/events`, `ops/refunds/…/approve`.
fn place_of(path: &str) -> String {
    let named = ["/channels/", "/backends/"].into_iter().find_map(|prefix| path.strip_prefix(prefix));
    named.map_or_else(
        || {
            let steps = path.trim_start_matches("/ops/v1/").split('/');
            let steady: Vec<&str> =
                steps.map(|step| if step.len() > 24 || step.contains(':') { "…" } else { step }).collect();
            format!("ops/{}", steady.join("/"))
        },
        str::to_owned,
    )
}
