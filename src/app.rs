// SPDX-License-Identifier: Apache-2.0

//! What runs, and in which order it starts and stops.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::Router;
use secrecy::ExposeSecret as _;
use ticketbridge_store::{SealError, Sealer, Store, StoreError, StoreOptions};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, Ids, SystemClock, SystemIds};
use crate::config::address::Address;
use crate::config::{Config, Environment, Report};
use crate::engine::credit::{in_other_currency, note_currencies};
use crate::engine::{Engine, EngineError};
use crate::http::call_log::CallLog;
use crate::http::{
    Health, Shared, acceptor,
    connection_limits::{Room, raise_descriptors},
    metrics_router,
    rate::Callers,
    router,
    works::{Pace, WORKS_MAX, Works},
};
use crate::recorder::tape::Desk;
use crate::recorder::{Recorder, Recording};
use crate::service::live::Live;
use crate::service::registry::RegistryError;
use crate::transport::{HttpTransport, Transport};
use crate::worker::Worker;

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database.
    #[error("the database cannot be used")]
    Database(#[source] StoreError),
    /// The database's server.
    #[error("the database {database} cannot be reached at {host}: {why}")]
    Unreachable {
        /// Its address, without a password.
        database: String,
        /// Host and port.
        host: String,
        /// The likely reason, and what to do.
        why: String,
    },
    /// The database, by its address.
    #[error("the database {database} cannot be used")]
    Unusable {
        /// Its address, without a password.
        database: String,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// What an older version stored.
    #[error("the guests of older orders cannot be indexed")]
    Index(#[source] EngineError),
    /// The configuration does not fit what the database holds.
    #[error("{0}")]
    Unfit(Report),
    /// A partner.
    #[error("a partner cannot be built from its configuration")]
    Partner(#[source] RegistryError),
    /// The address.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The way out.
    #[error("outbound calls cannot be made")]
    Transport(#[source] crate::transport::StartError),
}

/// What the outside gives: in production the real things, in tests what the test owns.
#[derive(Clone)]
pub struct Parts {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Identifiers and randomness.
    pub ids: Arc<dyn Ids>,
    /// The way out; `None` is HTTP.
    pub transport: Option<Arc<dyn Transport>>,
    /// Where secrets are looked up on a reload.
    pub environment: Environment,
    /// Whether the worker runs by itself; a test that owns the clock drives it by hand.
    pub work: Work,
}

/// Who drives the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// It runs by itself.
    ByItself,
    /// The test calls [`Worker::drain`].
    ByHand,
}

impl Parts {
    /// The real things.
    pub fn system() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        Self {
            ids: Arc::new(SystemIds::new(clock.clone())),
            clock,
            transport: None,
            environment: Environment::Process,
            work: Work::ByItself,
        }
    }
}

/// A running service.
pub struct Bridge {
    address: SocketAddr,
    shared: Shared,
    source: PathBuf,
    server: JoinHandle<()>,
    metrics: Option<(SocketAddr, JoinHandle<()>)>,
    worker: Option<JoinHandle<()>>,
    call_log: JoinHandle<()>,
    recorder: JoinHandle<()>,
    schedule: Option<crate::housekeeping::schedule::Schedule>,
    finish: CancellationToken,
    away: TurnedAway,
}

/// What tells newcomers to come again, while the service stops.
type TurnedAway = Arc<std::sync::Mutex<JoinSet<()>>>;

/// The sealer for the configured keys.
pub fn sealer(config: &Config) -> Sealer {
    Sealer::new(config.data_keys())
}

/// Opens the configured database and brings its schema up to date.
///
/// # Errors
/// [`StartError::Database`].
pub async fn open_store(config: &Config) -> Result<Store, StartError> {
    let url = config.database.url.expose_secret();
    let store = connect(config, url).await?;
    store.migrate().await.map_err(|source| unusable(config, url, source))?;
    Ok(store)
}

/// Why a database that is there cannot be used. Where its data was sealed with another key, that setting is what is to be mended.
fn unusable(config: &Config, url: &str, source: StoreError) -> StartError {
    match source {
        StoreError::Sealed(SealError::UnknownKey) => StartError::Unfit(Report::of_other_data_key(config)),
        source => StartError::Unusable { database: shown(url), source },
    }
}

/// Opens the database at `url` with the configured keys, and leaves its schema as it is.
///
/// # Errors
/// [`StartError::Unreachable`], [`StartError::Unusable`].
pub(crate) async fn connect(config: &Config, url: &str) -> Result<Store, StartError> {
    reach(url).await?;
    let mut options = StoreOptions::new(sealer(config));
    if let Some(lanes) = config.server.lanes {
        options.lanes = usize::try_from(lanes).unwrap_or(options.lanes);
    }
    Store::connect(url, options).await.map_err(|source| unusable(config, url, source))
}

/// Time for a database's server to take a connection.
const REACHED_WITHIN: Duration = Duration::from_secs(3);

/// A database's address as it may be shown: without whoever signs in, and with what. A user before a host reads like an e-mail address, which
/// no line of the log shows.
pub fn shown(url: &str) -> String {
    match Address::of(url) {
        Some(Address { scheme, place, .. }) => format!("{scheme}://{place}"),
        None => "with an address that is none".to_owned(),
    }
}

/// The file of an SQLite database, if it is not there yet.
pub fn missing_file(config: &Config) -> Option<PathBuf> {
    // An empty file is what is left where a database should be: a mount without its disk, a name that somebody has made.
    database_file(config).filter(|path| std::fs::metadata(path).map_or(true, |file| file.len() == 0))
}

/// The configured SQLite database's file; `None` for a database of a server.
pub(crate) fn database_file(config: &Config) -> Option<PathBuf> {
    let path = config.database.url.expose_secret().strip_prefix("sqlite://")?;
    Some(PathBuf::from(path.split_once('?').map_or(path, |(path, _)| path)))
}

/// Makes sure that something listens where the database's server should be: a pool would try for seconds without a word.
async fn reach(url: &str) -> Result<(), StartError> {
    let Some((host, port)) = server_of(url) else { return Ok(()) };
    let failed = |why: &str| StartError::Unreachable {
        database: shown(url),
        host: format!("{host}:{port}"),
        why: why.to_owned(),
    };
    match tokio::time::timeout(REACHED_WITHIN, tokio::net::TcpStream::connect((host.as_str(), port))).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            Err(failed("nothing listens there; is the server running, and is the port right?"))
        }
        Ok(Err(error)) => Err(failed(&format!("{error}; is the name right, and is there a way to it from here?"))),
        Err(_) => Err(failed("it does not answer; a firewall, or a server that hangs")),
    }
}

/// Host and port of a database's server; `None` for a file, and where a socket is named.
fn server_of(url: &str) -> Option<(String, u16)> {
    let (scheme, rest) = url.split_once("://")?;
    let port = match scheme {
        "postgres" | "postgresql" => 5_432,
        "mysql" | "mariadb" => 3_306,
        _ => return None,
    };
    if rest.contains("socket=") || rest.contains("host=") {
        return None;
    }
    let authority = rest.split(['/', '?']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = match host.rsplit_once(':') {
        Some((host, own)) if !own.contains(']') => (host, own.parse().ok()?),
        _ => (host, port),
    };
    let host = host.trim_matches(['[', ']']);
    (!host.is_empty() && !host.contains('%')).then(|| (host.to_owned(), port))
}

/// Starts the service: database, partners, worker, schedules, and last the acceptor.
///
/// # Errors
/// Why it cannot start; nothing is left running then.
pub async fn start(config: Config, parts: Parts) -> Result<Bridge, StartError> {
    let (listener, address) = listen(config.server.listen).await?;
    let metrics = match config.metrics.listen {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    let store = open_store(&config).await?;
    if let Some((account, was)) = in_other_currency(&store, &config).await.map_err(StartError::Database)? {
        return Err(StartError::Unfit(Report::of_changed_currency(&config, account, &was)));
    }
    // Before anything is changed: on SQLite another service may be at work.
    store.be_alone().map_err(StartError::Database)?;
    store.look_after();
    store.hear_others();
    store.end_leases_of_the_dead().await.map_err(StartError::Database)?;
    note_currencies(&store, &config).await.map_err(StartError::Database)?;
    let transport = match parts.transport {
        Some(transport) => transport,
        None => Arc::new(
            HttpTransport::new(config.delivery.connect_timeout, config.address_policy())
                .map_err(StartError::Transport)?,
        ),
    };
    let source = config.source.clone();
    let finish = CancellationToken::new();
    let clock =
        crate::clock::timekeeping::agreed(&store, parts.clock, finish.clone()).await.map_err(StartError::Database)?;
    let live = Arc::new(Live::new(config, clock.now()).map_err(StartError::Partner)?);
    let engine = Engine::new(store.clone(), clock, parts.ids.clone(), live);
    engine.index_old_guests().await.map_err(StartError::Index)?;
    engine.note_held_codes().await.map_err(StartError::Index)?;
    let (recorder, tape) = {
        // Not the engine itself, which holds the recorder.
        let (live, clock) = (engine.live().clone(), engine.clock().clone());
        Recorder::new(Arc::new(move || live.at(|| clock.now()).config.recorder.keep.is_some()))
    };
    engine.record_to(recorder.clone());
    let transport: Arc<dyn Transport> = Arc::new(Recording::new(transport, recorder.clone(), engine.clock().clone()));
    let worker = Worker::new(engine.clone(), transport);
    let instance = format!("pid-{}-{:012x}", std::process::id(), engine.ids().seed().0 & 0xffff_ffff_ffff);
    let (call_log, writer) = CallLog::new();
    let stopping = CancellationToken::new();
    let held = crate::service::held_secrets::apply(&engine, &engine.running().config).await;
    engine.live().hold(held.map_err(StartError::Database)?).map_err(StartError::Partner)?;
    let doors = crate::accounts::doors::apply(&engine, &engine.running().config.organisation).await;
    let shared = Shared {
        accounts: crate::accounts::signing_in::Accounts::new(engine.clone()),
        doors: Arc::new(arc_swap::ArcSwap::new(doors.map_err(StartError::Database)?)),
        engine,
        worker: worker.clone(),
        stopping: stopping.clone(),
        callers: Arc::new(Callers::default()),
        metrics: crate::telemetry::metrics(),
        call_log,
        recorder,
        reconciliation: crate::housekeeping::reconcile::LastReport::default(),
        environment: parts.environment,
        works: Works::new(
            WORKS_MAX,
            match parts.work {
                Work::ByItself => Pace::Real,
                Work::ByHand => Pace::Unhurried,
            },
        ),
        looks: Arc::default(),
        health: Health::default(),
        instance,
    };
    crate::service::instance::tell(&shared).await.map_err(StartError::Database)?;
    let recorder = tokio::spawn(tape.run(desk(&shared, parts.ids.clone()), finish.clone()));
    let call_log = tokio::spawn(writer.run(store, parts.ids, finish.clone()));
    let (worker, schedule) = match parts.work {
        Work::ByItself => {
            let schedule = crate::housekeeping::schedule::start(shared.clone()).await;
            (Some(tokio::spawn(worker.run(finish.clone()))), schedule)
        }
        Work::ByHand => (None, None),
    };
    raise_descriptors();
    let away = TurnedAway::default();
    let metrics = metrics.map(|(listener, address)| {
        let served = serve_at(listener, metrics_router(shared.clone()), &shared, &away);
        (address, tokio::spawn(served))
    });
    let server = tokio::spawn(serve_at(listener, router(shared.clone()), &shared, &away));
    Ok(Bridge { address, shared, source, server, metrics, worker, call_log, recorder, schedule, finish, away })
}

/// Where the recording is written.
fn desk(shared: &Shared, ids: Arc<dyn Ids>) -> Desk {
    let Shared { engine, instance, .. } = shared;
    Desk { store: engine.store().clone(), ids, clock: engine.clock().clone(), name: instance.clone() }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let listener = TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })?;
    let bound = listener.local_addr().map_err(|source| StartError::Listen { address, source })?;
    Ok((listener, bound))
}

/// Serves until the service stops, to as many connections as the configuration in force allows.
fn serve_at(
    listener: TcpListener,
    router: Router,
    shared: &Shared,
    away: &TurnedAway,
) -> impl Future<Output = ()> + use<> {
    let (of_room, of_proxies) = (shared.engine.clone(), shared.engine.clone());
    let room = move || Room::configured(&of_room.running().config.server);
    let (away, doorman) = (away.clone(), router.clone());
    let hand_over = move |listener| {
        away.lock().unwrap_or_else(PoisonError::into_inner).spawn(acceptor::turn_away(listener, doorman));
    };
    let is_proxy = move |address: IpAddr| {
        of_proxies.running().config.server.trusted_proxies.iter().any(|network| network.contains(&address))
    };
    acceptor::serve(listener, router, room, is_proxy, shared.stopping.clone(), hand_over)
}

impl Bridge {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
    /// `http://` and the address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
    /// What the handlers share.
    pub fn shared(&self) -> &Shared {
        &self.shared
    }
    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.shared.engine
    }
    /// The worker, for those who drive it by hand.
    pub fn worker(&self) -> &Worker {
        &self.shared.worker
    }
    /// The directory that the configuration came from.
    pub fn source(&self) -> &std::path::Path {
        &self.source
    }

    /// Where metrics are served, if they have an address of their own.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(|(address, _)| *address)
    }

    /// Stops: takes nothing new, finishes what is under way, writes everything down. What has not ended in time (`[server] stop_within`) is
    /// abandoned and named; the database holds what it was about, and the next start goes on with it.
    pub async fn stop(self) -> Stopped {
        let Bridge { shared, server, metrics, worker, call_log, recorder, schedule, finish, away, .. } = self;
        let grace = shared.engine.running().config.server.stop_within.to_std();
        let mut stop = Stop { began: Instant::now(), grace, abandoned: Vec::new() };
        let store = shared.engine.store().clone();
        shared.stopping.cancel();
        let metrics = metrics.map(|(_, task)| ("a look at the metrics", task));
        for (what, task) in [("an open request", server)].into_iter().chain(metrics) {
            stop.task(what, task, 0.6).await;
        }
        if let Some(schedule) = schedule {
            stop.wait("the scheduler", schedule.stop(), 0.65).await;
        }
        finish.cancel();
        if let Some(worker) = worker {
            stop.task("a delivery", worker, 0.8).await;
        }
        if stop.wait("", shared.works.rest(), 0.85).await.is_none() {
            stop.abandon(format!("what requests began ({})", shared.works.under_way()));
        }
        stop.task("the record of calls", call_log, 0.9).await;
        stop.task("the recording", recorder, 0.92).await;
        stop.wait("taking leave of other instances", crate::service::instance::leave(&shared), 0.95).await;
        let mut away = std::mem::take(&mut *away.lock().unwrap_or_else(PoisonError::into_inner));
        away.shutdown().await;
        if let Some(Err(error)) = stop.wait("the database's connections", store.close(), 1.0).await {
            crate::trouble::log_trouble("the database did not close well", &error);
        }
        if !stop.abandoned.is_empty() {
            tracing::error!(
                abandoned = stop.abandoned.join("; "),
                "stopped without waiting any longer; the database holds what this was about, and the next start goes on with it"
            );
        }
        Stopped { abandoned: stop.abandoned }
    }
}

/// How the service stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// What had not ended in time.
    pub abandoned: Vec<String>,
}

/// A stop under way: everything that is waited for shares one time, by the machine's monotonic clock.
struct Stop {
    began: Instant,
    grace: Duration,
    abandoned: Vec<String>,
}

impl Stop {
    fn abandon(&mut self, what: impl Into<String>) {
        self.abandoned.push(what.into());
    }

    /// Waits until this share of the time has passed. Without a name for `what`, the caller says what it was.
    async fn wait<T>(&mut self, what: &str, ends: impl Future<Output = T>, share: f64) -> Option<T> {
        match tokio::time::timeout_at(self.began + self.grace.mul_f64(share), ends).await {
            Ok(ended) => Some(ended),
            Err(_) => {
                if !what.is_empty() {
                    self.abandon(what);
                }
                None
            }
        }
    }

    async fn task(&mut self, what: &str, mut task: JoinHandle<()>, share: f64) {
        match self.wait(what, &mut task, share).await {
            Some(Ok(())) => {}
            Some(Err(error)) => crate::trouble::log_trouble("a part of the service did not end well", &error),
            None => task.abort(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_who_signs_in() {
        for (url, is) in [
            ("postgres://ada:hunter2@db.example:5433/tickets?sslmode=require", "postgres://db.example:5433/tickets"),
            ("mysql://root@127.0.0.1/x", "mysql://127.0.0.1/x"),
            ("postgres://ada:hun/ter2@db.example/tickets", "postgres://db.example/tickets"),
            ("postgres://ada:hun?ter2@db.example/tickets", "postgres://"),
            ("sqlite:///var/lib/x.db?mode=rw", "sqlite:///var/lib/x.db"),
            ("sqlite://data/a@b:c.db", "sqlite://data/a@b:c.db"),
        ] {
            assert_eq!(shown(url), is);
        }
    }

    #[test]
    fn the_server_of_an_address_is_known() {
        for (url, is) in [
            ("postgres://ada:hunter2@db.example/tickets", Some(("db.example", 5_432))),
            ("postgres://ada:p:w@db.example:5433/tickets", Some(("db.example", 5_433))),
            ("mysql://[::1]:3307/x", Some(("::1", 3_307))),
            ("mariadb://[::1]/x", Some(("::1", 3_306))),
            ("postgres://u@%2Fvar%2Frun/x", None),
            ("postgres:///x?host=/var/run", None),
            ("mysql://root@localhost/x?socket=/run/s", None),
            ("sqlite://x.db", None),
        ] {
            assert_eq!(server_of(url), is.map(|(host, port): (&str, u16)| (host.to_owned(), port)), "{url}");
        }
    }
}
