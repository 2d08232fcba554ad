//! What runs, and in which order it starts and stops.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use secrecy::ExposeSecret as _;
use ticketbridge_core::Millis;
use ticketbridge_store::{Sealer, Store, StoreError, StoreOptions};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::call_log::CallLog;
use crate::clock::{Clock, Ids, SystemClock, SystemIds};
use crate::config::{Config, DATA_KEY_BYTES, Environment};
use crate::engine::credit::{in_other_currency, note_currencies};
use crate::engine::{Engine, EngineError};
use crate::http::{
    Shared, door,
    rate::Callers,
    router,
    seats::{Room, raise_descriptors},
};
use crate::live::Live;
use crate::registry::RegistryError;
use crate::transport::{AddressPolicy, HttpTransport, Transport};
use crate::worker::Worker;

/// Longest time for what is under way to end when the service stops.
const STOP_WITHIN: Millis = Millis::seconds(20);

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database.
    #[error("the database cannot be used")]
    Database(#[source] StoreError),
    /// What an older version stored.
    #[error("the guests of older orders cannot be indexed")]
    Index(#[source] EngineError),
    /// The configuration does not fit what the database holds.
    #[error("{0}")]
    Unfit(crate::config::Report),
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
    worker: Option<JoinHandle<()>>,
    call_log: JoinHandle<()>,
    schedule: Option<crate::schedule::Schedule>,
    finish: CancellationToken,
}

/// The configured keys for guests' data, the current one first.
pub(crate) fn data_keys(config: &Config) -> Vec<[u8; DATA_KEY_BYTES]> {
    config.privacy.keys.iter().map(|key| *key.expose_secret()).collect()
}

/// The sealer for the configured keys.
pub fn sealer(config: &Config) -> Sealer {
    Sealer::new(data_keys(config))
}

/// Opens the configured database and brings its schema up to date.
///
/// # Errors
/// [`StartError::Database`].
pub async fn open_store(config: &Config) -> Result<Store, StartError> {
    let store = Store::connect(config.database.url.expose_secret(), StoreOptions::new(sealer(config)))
        .await
        .map_err(StartError::Database)?;
    store.migrate().await.map_err(StartError::Database)?;
    Ok(store)
}

/// Starts the service: database, partners, worker, schedules, and last the door.
///
/// # Errors
/// Why it cannot start; nothing is left running then.
pub async fn start(config: Config, parts: Parts) -> Result<Bridge, StartError> {
    let listen = config.server.listen;
    let listener = TcpListener::bind(listen).await.map_err(|source| StartError::Listen { address: listen, source })?;
    let address = listener.local_addr().map_err(|source| StartError::Listen { address: listen, source })?;
    let store = open_store(&config).await?;
    store.be_alone().map_err(StartError::Database)?;
    store.look_after();
    store.end_leases_of_the_dead().await.map_err(StartError::Database)?;
    if let Some((account, was)) = in_other_currency(&store, &config).await.map_err(StartError::Database)? {
        return Err(StartError::Unfit(crate::config::Report::of_changed_currency(&config, account, &was)));
    }
    note_currencies(&store, &config).await.map_err(StartError::Database)?;
    let transport = match parts.transport {
        Some(transport) => transport,
        None => Arc::new(
            HttpTransport::new(config.delivery.connect_timeout, address_policy(&config))
                .map_err(StartError::Transport)?,
        ),
    };
    let source = config.source.clone();
    let live = Arc::new(Live::new(config, parts.clock.now()).map_err(StartError::Partner)?);
    let engine = Engine::new(store.clone(), parts.clock, parts.ids.clone(), live);
    engine.index_old_guests().await.map_err(StartError::Index)?;
    let worker = Worker::new(engine.clone(), transport);
    let (call_log, writer) = CallLog::new();
    let stopping = CancellationToken::new();
    let finish = CancellationToken::new();
    let shared = Shared {
        engine,
        worker: worker.clone(),
        stopping: stopping.clone(),
        callers: Arc::new(Callers::default()),
        metrics: crate::telemetry::metrics(),
        call_log,
        reconciliation: crate::reconcile::LastReport::default(),
        environment: parts.environment,
    };
    let call_log = tokio::spawn(writer.run(store, parts.ids, finish.clone()));
    let (worker, schedule) = match parts.work {
        Work::ByItself => {
            let schedule = crate::schedule::start(shared.clone()).await;
            (Some(tokio::spawn(worker.run(finish.clone()))), schedule)
        }
        Work::ByHand => (None, None),
    };
    raise_descriptors();
    let is_proxy = {
        let engine = shared.engine.clone();
        move |address| engine.running().config.server.trusted_proxies.iter().any(|network| network.contains(&address))
    };
    let server = tokio::spawn(door::serve(listener, router(shared.clone()), Room::of_this_machine, is_proxy, stopping));
    Ok(Bridge { address, shared, source, server, worker, call_log, schedule, finish })
}

/// Which hosts ops have named as partners: only those may have private addresses.
pub(crate) fn address_policy(config: &Config) -> AddressPolicy {
    let urls: Vec<String> = config
        .channels
        .iter()
        .map(|channel| channel.settings.expose())
        .chain(config.backends.iter().map(|backend| backend.settings.expose()))
        .flat_map(addresses_in)
        .collect();
    AddressPolicy::for_base_urls(false, urls.iter().map(String::as_str))
}

/// Every address among a partner's settings, at any depth: an agency's own system stands beside the channel's.
fn addresses_in(settings: &serde_json::Value) -> Vec<String> {
    let serde_json::Value::Object(settings) = settings else { return Vec::new() };
    let one = |(key, value): (&String, &serde_json::Value)| match (key.as_str(), value.as_str()) {
        ("api_base" | "base_url", Some(url)) => vec![url.to_owned()],
        _ => addresses_in(value),
    };
    settings.iter().flat_map(one).collect()
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

    /// Stops: takes nothing new, finishes what is under way, writes everything down.
    pub async fn stop(self) {
        let Bridge { shared, server, worker, call_log, schedule, finish, .. } = self;
        let clock = shared.engine.clock().clone();
        let store = shared.engine.store().clone();
        shared.stopping.cancel();
        let within = async |what: &'static str, task: JoinHandle<()>| {
            let abort = task.abort_handle();
            tokio::select! {
                ended = task => if let Err(error) = ended {
                    crate::worker::log_trouble("a part of the service did not end well", &error);
                },
                () = clock.sleep_until(clock.now() + STOP_WITHIN) => {
                    tracing::warn!("{what} did not end in time; what it held is tried again after the next start");
                    abort.abort();
                }
            }
        };
        within("an open request", server).await;
        if let Some(schedule) = schedule {
            schedule.stop().await;
        }
        finish.cancel();
        if let Some(worker) = worker {
            within("a delivery", worker).await;
        }
        within("the record of calls", call_log).await;
        if let Err(error) = store.close().await {
            crate::worker::log_trouble("the database did not close well", &error);
        }
    }
}
