// SPDX-License-Identifier: Apache-2.0

//! The driver: a fresh bridge, its clock put from message to message, and whatever falls due between two of them done in between.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{HeaderName, HeaderValue, Method, Request, header};
use secrecy::ExposeSecret as _;
use ticketbridge_core::order::TicketKind;
use ticketbridge_core::port::Replayed;
use ticketbridge_core::{BackendId, ChannelId, ExternalId, Millis, Order, OrderId, Seed, TimeZone, UnixMillis};
use ticketbridge_store::{CreditEntry, CreditKind, StoreError, Tx};
use tower::ServiceExt as _;

use super::before;
use super::by_itself::{ByItself, ToCome};
use super::compare::{Comparison, Report, name_of};
use super::difference::When;
use super::expect::Expected;
use super::partners::Bound;
use super::schedule::{Mark, Schedule, Step};
use crate::app::{self, Bridge, Parts, StartError, Work};
use crate::clock::{Clock as _, SystemIds, TestClock};
use crate::config::{Config, Environment, OpsToken, Role};
use crate::engine::EngineError;
use crate::http::ops::auth::GivenHolder;
use crate::http::webhook::GivenSeed;
use crate::recorder::course::{Caller, Gate, Known, playing};
use crate::recorder::file::{Drawn, Recorded};
use crate::recorder::outcome::{FORM, Outcome, outcome};
use crate::recorder::rights;
use crate::recorder::tape::{Came, Moved, Piece, Ran};

/// The secrets of a replay: whoever has the file and the program can sign with them, and nobody else believes it.
const TEST_WEBHOOK_SECRET: &str = "whsec_YSBzZWNyZXQgZm9yIHJlcGxheXMsIGtub3duIHRvIGFsbA==";
const TEST_SECRET: &str = "7265706c61797320617265207369676e";
/// Steps of the clock at the end, while an answer waits for something.
const WAIT_STEP: Millis = Millis(250);
/// Such steps at most: longer than any call may take.
const WAIT_STEPS_MAX: u32 = 80;
/// What is said of a message that cannot be signed.
const UNSIGNED: &str = "it cannot be signed";
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
            Piece::Ran(ran) => events.push((UnixMillis(at), Played::Begins(ran))),
            Piece::Task { name } => events.push((UnixMillis(at), Played::Task(name))),
            Piece::Moved(moved) => events.push((UnixMillis(at), Played::Moved(moved))),
        }
    }
    let marks: Vec<Mark> = events.iter().map(|(at, event)| event.mark(*at)).collect();
    let Schedule { steps, answers } = Schedule::of(&marks, &calls);
    let bound = calls.into_iter().zip(answers).map(|((at, went), place)| (at, went, place));
    let bound = Arc::new(Bound::new(bound, Arc::new(clock.clone())));
    let config = for_replay(config, directory.path());
    let parts = Parts {
        ids: Arc::new(SystemIds::new(Arc::new(clock.clone()))),
        clock: Arc::new(clock.clone()),
        transport: Some(bound.clone()),
        environment: Environment::only([]),
        work: Work::ByHand,
    };
    let bridge = app::start(config, parts).await?;
    let ran = events.iter().filter_map(|(_, event)| match event {
        Played::Begins(ran) => Some(&**ran),
        Played::Message(_) | Played::Task(_) | Played::Moved(_) => None,
    });
    let by_itself = ByItself::new(bridge.shared().clone(), clock.clone(), bound.clone(), ToCome::of(ran));
    let (compared, names) = (Comparison::with(&recorded), names_of(&recorded));
    let (messages, played) = (0, HashSet::new());
    let mut play = Play { bridge, clock, bound: bound.clone(), by_itself, compared, messages, played, names };
    let events = events.into_iter().map(|(_, event)| Some(event)).collect();
    let outcome = play.all(&recorded, steps, events).await;
    let Play { bridge, by_itself, compared, messages, .. } = play;
    by_itself.abort();
    bridge.stop().await;
    outcome?;
    let mut left_out = recorded.left_out;
    if recorded.form != FORM && !recorded.outcomes.is_empty() {
        left_out.push("what the orders had become: another version wrote that down in another form".to_owned());
    }
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
    /// What was done by itself.
    Begins(Box<Ran>),
    /// A task, as an older version wrote it down.
    Task(String),
    /// What an order that is not in the recording took, or gave back.
    Moved(Moved),
}

impl Played {
    /// By what its place among the others is found.
    fn mark(&self, at: UnixMillis) -> Mark {
        match self {
            Played::Message(came) => {
                // An older version did not say whose answer waited: whoever was answered at once has no use for a place of its answer.
                let waited = came.answered.is_some() || came.took > Millis(0);
                let answered = waited.then_some((came.answered, at + came.took));
                let points = came.points.iter().map(|point| point.turn).collect();
                Mark { at, turn: came.began.or(came.decided), answered, points }
            }
            Played::Begins(ran) => {
                let points = ran.points.iter().map(|point| point.turn).collect();
                Mark { at, turn: Some(ran.began), answered: None, points }
            }
            Played::Task(_) | Played::Moved(_) => Mark { at, turn: None, answered: None, points: Vec::new() },
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
    /// What happens by itself.
    by_itself: ByItself,
    compared: Comparison,
    messages: u64,
    /// The orders that are compared.
    played: HashSet<OrderId>,
    /// The names of the orders of the recording.
    names: HashMap<OrderId, String>,
}

/// The names that the orders of a recording had, by our ids: an outcome has its order's id among what is compared.
fn names_of(recorded: &Recorded) -> HashMap<OrderId, String> {
    let id = |outcome: &Outcome| {
        let (_, part) = outcome.parts.iter().find(|(part, _)| part == "order")?;
        Some((OrderId::from(part["id"].as_str()?), name_of(outcome)))
    };
    recorded.outcomes.iter().filter_map(id).collect()
}

impl Play {
    async fn all(
        &mut self,
        recorded: &Recorded,
        steps: Vec<(Step, UnixMillis)>,
        mut events: Vec<Option<Played>>,
    ) -> Result<(), ReplayError> {
        self.begin(recorded).await?;
        for (place, (step, at)) in steps.into_iter().enumerate() {
            self.by_itself.catch_up(at).await?;
            self.by_itself.reach(at);
            self.bound.play_to(place);
            self.by_itself.settle().await;
            let (number, event) = match step {
                Step::Mark(index) => (index, events[index].take()),
                Step::Answered(index) => {
                    self.by_itself.waiting.turn_of(Some(index));
                    (index, None)
                }
                Step::Point(index) => {
                    self.by_itself.points.open_next(index);
                    (index, None)
                }
                Step::Answer => (0, None),
            };
            match event {
                Some(Played::Message(came)) => self.message(came, number).await?,
                Some(Played::Begins(ran)) => self.by_itself.begins(*ran, number).await?,
                Some(Played::Task(name)) => self.by_itself.task(name),
                Some(Played::Moved(moved)) => before::moved(self.bridge.engine(), recorded, moved).await?,
                None => {}
            }
            self.by_itself.settle().await;
            self.by_itself.go_on().await?;
            self.bridge.worker().give_all_back().await;
            self.compare_answered().await?;
        }
        self.end(recorded).await
    }

    /// What is still under way comes to its end, and everything is compared with what it was.
    async fn end(&mut self, recorded: &Recorded) -> Result<(), ReplayError> {
        self.bound.play_to(usize::MAX);
        self.by_itself.waiting.turn_of(None);
        self.by_itself.points.open_all();
        self.by_itself.settle().await;
        self.by_itself.catch_up(recorded.to()).await?;
        self.by_itself.reach(recorded.to());
        self.by_itself.settle().await;
        for _ in 0..WAIT_STEPS_MAX {
            self.compare_answered().await?;
            if self.by_itself.waiting.unanswered() == 0 {
                break;
            }
            self.by_itself.reach(self.clock.now() + WAIT_STEP);
            self.by_itself.settle().await;
        }
        let comparable = recorded.outcomes.iter().filter(|_| recorded.form == FORM);
        for then in comparable {
            let order = self.order_of(then).await?;
            let now = match &order {
                Some(order) => Some(outcome(self.bridge.engine().store(), order).await?),
                None => None,
            };
            self.compared.order(then, now.as_ref());
            self.played.extend(order.map(|order| order.id));
        }
        for other in self.bound.others(|order| self.played.contains(order)) {
            let order = self.name_of(other.order.as_ref()).await?;
            self.compared.call(other, order);
        }
        for stranger in self.bound.strangers() {
            let order = self.name_of(stranger.order.as_ref()).await?;
            self.compared.stranger(stranger, order);
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

    /// Plays a message, by its number among everything that is played. One whose answer waits for tickets is left to itself: what is played
    /// meanwhile may be what it waits for. So is one that took its time.
    async fn message(&mut self, came: Box<Came>, number: usize) -> Result<(), ReplayError> {
        self.messages += 1;
        // Before anything of it is done: what is found on its way came after it.
        let begun = self.bound.now();
        let Some(request) = self.request(begun.at, &came) else {
            return self.compare(begun, &came, (0, UNSIGNED.to_owned())).await;
        };
        let router = crate::http::router(self.bridge.shared().clone());
        if !self.waits_for_tickets(&came.path) && came.began.is_none() {
            let known = Known { seeds: &came.seeds, ..Known::default() };
            let answer = playing(known, answer_to(router, request)).await;
            return self.compare(begun, &came, answer).await;
        }
        let gate = Arc::new(Gate::default());
        if came.answered.is_none() {
            gate.open();
        }
        let (seeds, through) = (came.seeds.clone(), gate.clone());
        let caller = came.began.map(|began| Caller { order: None, began: Some(began) });
        let points = self.by_itself.points.of(number, &came.points);
        let answer = async move {
            let known = Known { seeds: &seeds, caller, answer: Some(through), points };
            playing(known, answer_to(router, request)).await
        };
        self.by_itself.waiting.enter((came, begun), (number, gate), tokio::spawn(answer));
        Ok(())
    }

    async fn compare_answered(&mut self) -> Result<(), ReplayError> {
        for (waited, answer) in self.by_itself.waiting.answered().await {
            self.compare(waited.begun, &waited.came, answer).await?;
        }
        Ok(())
    }

    async fn compare(&mut self, begun: When, came: &Came, (status, body): (u16, String)) -> Result<(), ReplayError> {
        let place = place_of(&came.path);
        let order = self.name_of(came.order.as_ref()).await?;
        let told = format!("{} {place} {status}", begun.at.rfc3339(TimeZone::UTC));
        self.compared.played(begun, order.as_deref(), &told);
        let when = self.bound.now();
        if came.by.is_some() {
            // What a person was shown is not compared; that he could do it is.
            self.compared.answer(when, &place, order, (came.status, ""), (status, ""));
        } else {
            self.compared.answer(when, &place, order, (came.status, &came.answer), (status, &body));
        }
        Ok(())
    }

    /// Whether the answer to a call waits for tickets.
    fn waits_for_tickets(&self, path: &str) -> bool {
        let found = || {
            let (channel, call) = path.strip_prefix("/channels/")?.split_once('/')?;
            let channel = self.bridge.engine().running().registry.channel(&ChannelId::new(channel))?;
            channel.channel.spec().endpoints.iter().find(|endpoint| endpoint.name == call).copied()
        };
        found().is_some_and(|endpoint| endpoint.waits_for_tickets)
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
        } else if let Some(holder) =
            came.acted.as_ref().and_then(|acted| rights::holder(acted, came.by.as_deref()?, at))
        {
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

    /// The name of the order that a message or a call was about: its channel and its number there. One that there was then has the name that
    /// it had, also where there is none now.
    async fn name_of(&self, id: Option<&OrderId>) -> Result<Option<String>, ReplayError> {
        let Some(id) = id else { return Ok(None) };
        if let Some(known) = self.names.get(id) {
            return Ok(Some(known.clone()));
        }
        let order = self.bridge.engine().store().load_order(id).await?;
        Ok(Some(order.map_or_else(|| id.to_string(), |order| format!("{}:{}", order.channel, order.channel_order_id))))
    }

    async fn order_of(&self, then: &Outcome) -> Result<Option<Order>, ReplayError> {
        let engine = self.bridge.engine();
        let Some(channel) = engine.running().registry.channel(&ChannelId::new(then.order.0.as_str())) else {
            return Ok(None);
        };
        Ok(engine.order_about(&channel, &ExternalId::from(then.order.1.as_str())).await?)
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
