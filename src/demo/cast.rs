// SPDX-License-Identifier: Apache-2.0

//! Everybody who plays in the demo: the bridge, the simulated channels, and the ticketing system between which it stands.

use std::path::Path;
use std::sync::Arc;

use ticketbridge_core::{Millis, UnixMillis};

use super::directory::{self, Addresses};
use crate::app::{self, Bridge, Parts, Work};
use crate::clock::{Clock, Ids as _, ShiftedClock, SystemIds};
use crate::config::{Config, Environment};
use ticketbridge_sandbox::douyin::{App, SimProduct};
use ticketbridge_sandbox::platform::PlatformOptions;
use ticketbridge_sandbox::{
    Journal, SimBackend, SimBackendOptions, SimDouyin, SimDouyinOptions, SimKakao, SimOcto, SimOctoOptions, SimTime,
    SimTripStore, Stage, Supplier,
};

/// How many times as fast stated lengths of time pass.
pub(super) const TIME_SCALE: f64 = 60.0;
/// The demo begins at 09:00 in Shanghai on 1 December 2026, a day on which the example can be visited.
pub(super) const BEGINS_AT: UnixMillis = UnixMillis(1_796_086_800_000);
/// Price of the Douyin product on sale, fen.
const PRICE: i64 = 19_900;
/// The same of the one whose tickets an OCTO supplier makes.
const OCTO_PRICE: i64 = 12_900;
/// The application that the example names.
const CLIENT_KEY: &str = "awexampleclientkey";
/// The merchant that the example names.
const ACCOUNT: &str = "7123456789";

/// Everybody.
pub(super) struct Cast {
    pub(super) bridge: Bridge,
    pub(super) douyin: Stage<SimDouyin>,
    pub(super) kakao: Stage<SimKakao>,
    pub(super) trip: Stage<SimTripStore>,
    /// A guest of Douyin's, with an OCTO supplier behind the bridge.
    pub(super) octo: Stage<SimDouyin>,
    pub(super) ops_token: String,
}

/// Secrets made for one run.
struct Secrets {
    data_key: String,
    ops_token: String,
    douyin: String,
    gate: String,
    kakao_events: String,
    kakao_calls: String,
    trip_events: String,
    trip_calls: String,
    agency: String,
    octo: String,
    octo_hints: String,
}

impl Secrets {
    fn new(ids: &SystemIds) -> Self {
        use base64::Engine as _;
        let base64 = base64::engine::general_purpose::STANDARD;
        let bytes = || [ids.nonce(), ids.nonce()].concat();
        let webhook = || format!("whsec_{}", base64.encode(bytes()));
        Self {
            data_key: base64.encode(bytes()),
            ops_token: hex::encode(ids.nonce()),
            douyin: hex::encode(ids.nonce()),
            gate: webhook(),
            kakao_events: webhook(),
            kakao_calls: webhook(),
            trip_events: webhook(),
            trip_calls: webhook(),
            agency: webhook(),
            octo: hex::encode(ids.nonce()),
            octo_hints: hex::encode(ids.nonce()),
        }
    }
    fn environment(&self) -> Environment {
        Environment::only([
            ("TICKETBRIDGE_DATA_KEY", self.data_key.as_str()),
            ("TICKETBRIDGE_OPS_TOKEN", self.ops_token.as_str()),
            ("DOUYIN_SECRET", self.douyin.as_str()),
            ("GATE_SECRET", self.gate.as_str()),
            ("KAKAO_WEBHOOK_SECRET", self.kakao_events.as_str()),
            ("KAKAO_API_SECRET", self.kakao_calls.as_str()),
            ("TRIPSTORE_WEBHOOK_SECRET", self.trip_events.as_str()),
            ("TRIPSTORE_API_SECRET", self.trip_calls.as_str()),
            ("ERP_SECRET", self.agency.as_str()),
            ("OCTO_KEY", self.octo.as_str()),
            ("OCTO_HINT_SECRET", self.octo_hints.as_str()),
        ])
    }
}

/// The simulators, before there is a bridge.
struct Partners {
    douyin: SimDouyin,
    kakao: SimKakao,
    trip: SimTripStore,
    backend: SimBackend,
    supplier: SimOcto,
}

impl Partners {
    async fn start(secrets: &Secrets, time: &SimTime) -> std::io::Result<Self> {
        let journal = Journal::default();
        let app = App { client_key: CLIENT_KEY.to_owned(), client_secret: secrets.douyin.clone() };
        let products = vec![
            SimProduct::new("LP-V2|LP-B2", 2, PRICE),
            SimProduct::new("LK-V1|LK-B1", 1, OCTO_PRICE),
            SimProduct::new("LK-V2|LK-B2", 1, OCTO_PRICE),
        ];
        let mut douyin = SimDouyinOptions::usual("douyin-main", app, ACCOUNT, products, time.clone());
        douyin.journal = journal.clone();
        douyin.limits.answer_at_least = Millis::seconds(5).to_std();
        let platform = |channel: &str, events: &str, calls: &str, product: &str| {
            let usual = PlatformOptions::usual(channel, events, calls, product, time.clone());
            PlatformOptions { journal: journal.clone(), ..usual }
        };
        let kakao = platform("kakao-jeju", &secrets.kakao_events, &secrets.kakao_calls, "FOREST");
        let market = platform("trip", &secrets.trip_events, &secrets.trip_calls, "DANANG");
        let agency = platform("trip", "", &secrets.agency, "DANANG");
        let mut backend = SimBackendOptions::usual("gate", &secrets.gate, time.clone());
        backend.journal = journal.clone();
        let supplier = SimOctoOptions { journal, ..SimOctoOptions::usual(&secrets.octo, time.clone()) };
        Ok(Self {
            douyin: SimDouyin::start(douyin).await?,
            kakao: SimKakao::start(kakao).await?,
            trip: SimTripStore::start(market, agency).await?,
            backend: SimBackend::start(backend).await?,
            supplier: SimOcto::start(supplier).await?,
        })
    }

    fn meet(&self, bridge: &Bridge) {
        self.douyin.set_bridge_url(bridge.url());
        self.kakao.set_bridge_url(bridge.url());
        self.trip.market.set_bridge_url(bridge.url());
        self.backend.set_bridge_url(bridge.url());
    }
}

/// Starts the simulators, writes the configuration, starts the bridge between them.
pub(super) async fn assemble(directory: &Path) -> Result<Cast, String> {
    let clock = Arc::new(ShiftedClock::starting_at(BEGINS_AT));
    let ids = SystemIds::new(clock.clone());
    let secrets = Secrets::new(&ids);
    let wall = clock.clone();
    let time = SimTime::with_wall_clock(TIME_SCALE, Arc::new(move || wall.now().0));
    let partners =
        Partners::start(&secrets, &time).await.map_err(|error| format!("a simulator cannot start: {error}"))?;
    let addresses = Addresses {
        douyin: partners.douyin.api_base(),
        kakao: partners.kakao.base_url(),
        market: partners.trip.market.base_url(),
        agency: partners.trip.agency.base_url(),
        backend: partners.backend.base_url(),
        supplier: partners.supplier.base_url(),
    };
    directory::write(directory, &addresses).map_err(|error| format!("the configuration cannot be written: {error}"))?;
    let environment = secrets.environment();
    let config = Config::load(&directory.join("config"), &environment).map_err(|report| report.to_string())?;
    crate::telemetry::start_logging(&config.log);
    let parts = Parts { ids: Arc::new(ids), clock, transport: None, environment, work: Work::ByItself };
    let bridge = app::start(config, parts).await.map_err(|error| crate::trouble::chain(&error))?;
    partners.meet(&bridge);
    let url = bridge.url();
    let hints = Some(format!("{url}/backends/octo/hints/{}", secrets.octo_hints));
    let token = secrets.ops_token;
    let (octo, backend) = (partners.supplier, "octo".to_owned());
    let supplier = Supplier { octo, backend, hints, sells: 1, gives_up: Some(2) };
    Ok(Cast {
        octo: Stage::new(&url, &token, partners.douyin.clone(), partners.backend.clone()).with_supplier(supplier),
        douyin: Stage::new(&url, &token, partners.douyin, partners.backend.clone()),
        kakao: Stage::new(&url, &token, partners.kakao, partners.backend.clone()),
        trip: Stage::new(&url, &token, partners.trip, partners.backend),
        bridge,
        ops_token: token,
    })
}
