// SPDX-License-Identifier: Apache-2.0

//! `ticketbridge.toml` and `credit.toml`: the service itself.

use std::net::SocketAddr;

use ipnet::IpNet;
use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use ticketbridge_core::Millis;
use ticketbridge_core::limits::AMOUNT_MAX;
use ticketbridge_core::product::Currency;

use super::address::Address;
use super::currency;
use super::finding::{Findings, Place};
use super::passkeys::{self, Passkeys};
use super::read::{Table, Value};
use super::secret::{self, DATA_KEY_BYTES, Environment, Secret, SecretUse, Secrets};

/// Overrides `[server] listen`.
pub const LISTEN_VARIABLE: &str = "TICKETBRIDGE_LISTEN";
/// Overrides `[database] url`.
pub const DATABASE_URL_VARIABLE: &str = "TICKETBRIDGE_DATABASE_URL";
/// Attempts of one delivery, whatever is configured.
const ATTEMPTS_MAX: u32 = 1_000;
/// Calls to one partner at once, whatever is configured.
const AT_ONCE_MAX: u32 = 10_000;
/// Calls to one partner in a second, whatever is configured.
const PER_SECOND_MAX: u32 = 1_000_000;
/// Longest time that a call waits for its answer, whatever is configured.
pub const CALL_TIMEOUT_MAX: Millis = Millis::minutes(2);
/// Shortest time for which guests' data is kept after an order has ended.
const GUESTS_KEPT_MIN: Millis = Millis::hours(24);
/// Requests a second that one caller may be allowed.
pub(super) const RATE_PER_CALLER_MAX: u32 = 1_000_000;

/// Lanes at most: database servers take some hundreds of connections in all.
const LANES_MAX: u32 = 256;
const DEFAULT_LISTEN: &str = "127.0.0.1:8080";
const DEFAULT_DATABASE_URL: &str = "sqlite://data/ticketbridge.db";
/// Above this age of a call the platforms themselves advise an alarm.
const DEFAULT_LATE_AFTER: Millis = Millis::minutes(15);
/// What one gateway of a platform sends in a large sale, with room to spare.
const DEFAULT_RATE_PER_CALLER: u32 = 2_000;
/// Orchestrators kill what has not stopped after 30 seconds.
const DEFAULT_STOP_WITHIN: Millis = Millis::seconds(25);
/// Connections that may be configured.
const CONNECTIONS_MAX: u32 = 1_000_000;
const DATABASE_SCHEMES: [&str; 4] = ["sqlite://", "postgres://", "postgresql://", "mysql://"];

/// `[server]`.
#[derive(Clone, Debug)]
pub struct Server {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Address under which partners reach the service, without a slash at the end.
    pub public_url: String,
    /// Proxies whose `Forwarded` and `X-Forwarded-For` are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Requests a second from one caller that has proved who it is: from a channel or a back-end by one of its keys, from the holder of an ops
    /// token; a channel may set its own.
    pub rate_per_caller: u32,
    /// Open connections at most; what the process's descriptors allow when not set.
    pub connections: Option<u32>,
    /// The same for one address that is no trusted proxy; a quarter of all when not set.
    pub connections_per_address: Option<u32>,
    /// Time from the request to stop until the process has ended, whatever hangs.
    pub stop_within: Millis,
    /// A channel's call that says it was sent longer ago than this is warned about.
    pub late_after: Millis,
    /// Connections that write to a database server, each with one transaction at a time; SQLite has one.
    pub lanes: Option<u32>,
}

/// `[metrics]`: who may read them, and where.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Bearer token that is wanted; none when not set.
    pub token: Option<SecretString>,
    /// An address of their own: then the service's address does not have them.
    pub listen: Option<SocketAddr>,
}

impl Metrics {
    /// Whether nothing keeps them from whoever reaches the service's address.
    pub(super) fn are_open(&self) -> bool {
        self.token.is_none() && self.listen.is_none()
    }
}

/// `[traces]`: where spans go.
#[derive(Clone, Debug)]
pub struct Traces {
    /// The address of an OTLP/HTTP collector, without `/v1/traces`; nothing is recorded when not set.
    pub endpoint: Option<String>,
    /// What this service is called there.
    pub service_name: String,
}

impl Default for Traces {
    fn default() -> Self {
        Self { endpoint: None, service_name: "ticketbridge".to_owned() }
    }
}

/// `[database]`.
#[derive(Debug)]
pub struct Database {
    /// `sqlite://`, `postgres://` or `mysql://`; it may hold a password.
    pub url: SecretString,
    /// Whether `serve` makes an SQLite database that is not there, as `serve --create` and `migrate` do.
    pub create: bool,
}

/// `[privacy]`.
#[derive(Debug)]
pub struct Privacy {
    /// Keys that encrypt personal data: the first encrypts, all decrypt.
    pub keys: Vec<SecretBox<[u8; DATA_KEY_BYTES]>>,
    /// Where they stand.
    pub(super) place: Place,
}

/// What the holder of an ops token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Everything.
    Admin,
    /// Orders, but no settlement data.
    Operator,
    /// Settlement data.
    Settlement,
    /// Orders to look at: nothing is changed, nobody is unmasked, no settlement data.
    Viewer,
}

impl Role {
    /// All of them with the words for them.
    pub const WORDS: [(&'static str, Role); 4] = [
        ("admin", Role::Admin),
        ("operator", Role::Operator),
        ("settlement", Role::Settlement),
        ("viewer", Role::Viewer),
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::Operator => "operator",
            Role::Settlement => "settlement",
            Role::Viewer => "viewer",
        }
    }

    /// The role that a word means.
    pub fn of_word(word: &str) -> Option<Role> {
        Self::WORDS.iter().find(|(known, _)| *known == word).map(|(_, role)| *role)
    }
}

/// One entry of `[ops] tokens`.
#[derive(Clone, Debug)]
pub struct OpsToken {
    /// Who holds it, as it appears in the history of orders.
    pub name: String,
    /// What it allows.
    pub role: Role,
    /// The bearer token.
    pub token: SecretString,
}

/// `backoff` of `[delivery]`: waits between the attempts of a delivery.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// Wait after the first attempt.
    pub first: Millis,
    /// Each wait is this many times the one before.
    pub factor: f64,
    /// Longest wait.
    pub max: Millis,
    /// Share of the wait by which it varies at random, 0 to 1.
    pub jitter: f64,
}

/// What one partner is sent at once and in a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneLimits {
    /// Calls at once.
    pub at_once: u32,
    /// Calls in a second; 0: as many as there are.
    pub per_second: u32,
}

/// `[delivery]`: outbound calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delivery {
    /// Time to connect.
    pub connect_timeout: Millis,
    /// Time for a whole call.
    pub timeout: Millis,
    /// Attempts before a delivery becomes a dead letter.
    pub attempts: u32,
    /// Waits between them.
    pub backoff: Backoff,
    /// What a partner is sent whose own file says nothing else.
    pub lane: LaneLimits,
}

/// Form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// `[log]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Its form.
    pub format: LogFormat,
    /// `info`, or for each part: `info,ticketbridge=debug`.
    pub level: String,
}

impl Log {
    /// Only what goes wrong.
    pub fn quiet() -> Self {
        Self { format: LogFormat::Text, level: "error".to_owned() }
    }
    /// Nothing: what went wrong on a day that is played again is nobody's business now.
    pub fn none() -> Self {
        Self { format: LogFormat::Text, level: "off".to_owned() }
    }
}

/// `[recorder]`: whether what comes in and goes out is recorded, to be played again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Recorder {
    /// How long it is kept; nothing is recorded when not set.
    pub keep: Option<Millis>,
}

/// `[retention]`: how long what may hold guests' data is kept, and where orders are.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Encrypted bodies of messages; their hashes stay for ever.
    pub bodies: Millis,
    /// Guests' data of an order, since its end; `None`: until somebody erases it.
    pub guests: Option<Millis>,
    /// Orders that are over, since their last change, among those that every message works on; then they are put away, and found as before.
    pub archive: Millis,
}

/// Whether everybody who signs in needs a second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecondFactor {
    /// Without one a session only reads, and guests stay masked.
    Required,
    /// Who has none may act, except where clear text is shown.
    Optional,
}

/// `[console]`: how people sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Console {
    /// Whether everybody needs a second factor.
    pub second_factor: SecondFactor,
    /// A session ends after this long without a request.
    pub idle: Millis,
    /// A session ends after this long.
    pub absolute: Millis,
}

/// The way of signing in with a password of ours: no provider has this id.
pub const PASSWORD: &str = "password";

/// A provider of OpenID Connect with which people sign in.
#[derive(Clone, Debug)]
pub struct OidcProvider {
    /// Its name in addresses, and in accounts for ever.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// Its issuer: where its description is found.
    pub issuer: String,
    /// Who we are there.
    pub client_id: String,
    /// How we prove that.
    pub client_secret: SecretString,
    /// What is asked for beside who somebody is.
    pub scopes: Vec<String>,
}

impl Default for Console {
    fn default() -> Self {
        Self { second_factor: SecondFactor::Required, idle: Millis::minutes(30), absolute: Millis::hours(12) }
    }
}

/// A prepaid or credit line (`config/credit.toml`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreditAccount {
    /// Its name.
    pub id: String,
    /// Currency of its amounts.
    pub currency: Currency,
    /// What the balance may fall below zero by, minor units.
    pub limit: i64,
    pub(super) place: Place,
}

/// All of `ticketbridge.toml`.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) server: Server,
    pub(super) database: Database,
    pub(super) privacy: Privacy,
    pub(super) ops_tokens: Vec<OpsToken>,
    pub(super) delivery: Delivery,
    pub(super) log: Log,
    pub(super) retention: Retention,
    pub(super) recorder: Recorder,
    pub(super) metrics: Metrics,
    pub(super) traces: Traces,
    pub(super) console: Console,
    pub(super) providers: Vec<OidcProvider>,
    pub(super) passkeys: Option<Passkeys>,
}

/// What every reader of the service's file needs.
pub(super) struct Surroundings<'a> {
    pub(super) environment: &'a Environment,
    pub(super) secrets: &'a Secrets<'a>,
    pub(super) findings: &'a Findings,
}

/// Reads `ticketbridge.toml`. `None` when the configuration cannot be used; why is among the findings.
pub(super) fn read(file: &Table<'_>, around: &Surroundings<'_>) -> Option<Service> {
    let server = server(file.opt("server", Value::table).as_ref(), around);
    let database = database(file.opt("database", Value::table).as_ref(), around);
    let privacy = file.must("privacy", Value::table).and_then(|table| privacy(&table, around));
    let ops_tokens = file.must("ops", Value::table).and_then(|table| ops_tokens(&table, around));
    let delivery = delivery(file.opt("delivery", Value::table).as_ref());
    let log = log(file.opt("log", Value::table).as_ref());
    let retention = retention(file.opt("retention", Value::table).as_ref());
    let recorder = recorder(file.opt("recorder", Value::table).as_ref());
    let metrics = metrics(file.opt("metrics", Value::table).as_ref(), around);
    let traces = traces(file.opt("traces", Value::table).as_ref());
    let public_url = server.as_ref().map(|server| server.public_url.as_str());
    let (console, providers, passkeys) = console(file.opt("console", Value::table).as_ref(), public_url, around);
    file.finish();
    Some(Service {
        server: server?,
        database: database?,
        privacy: privacy?,
        ops_tokens: ops_tokens?,
        delivery,
        log,
        retention,
        recorder,
        metrics,
        traces,
        console,
        providers,
        passkeys,
    })
}

fn server(table: Option<&Table<'_>>, around: &Surroundings<'_>) -> Option<Server> {
    const MEND: &str = "write an IP address and a port, for example \"127.0.0.1:8080\"";
    let in_file = table.and_then(|table| table.get("listen"));
    let listen = match (around.environment.get(LISTEN_VARIABLE), in_file) {
        (Some(text), _) => address(&text).or_else(|| {
            let place = Place { file: LISTEN_VARIABLE.to_owned(), line: 0 };
            around.findings.problem(place, format!("is \"{text}\", which is not an address"), MEND);
            None
        }),
        (None, Some(value)) => value.clone().text().and_then(|text| {
            address(&text).or_else(|| value.wrong(format_args!("is \"{text}\", which is not an address"), MEND))
        }),
        (None, None) => address(DEFAULT_LISTEN),
    };
    let mut public_url = None;
    let mut trusted_proxies = None;
    let (mut rate, mut connections, mut connections_per_address, mut stop_within) = (None, None, None, None);
    let (mut lanes, mut late_after) = (None, None);
    if let Some(table) = table {
        public_url = table.opt("public_url", Value::root_address);
        trusted_proxies = table.opt("trusted_proxies", |value| value.each(proxies));
        rate = table.opt("rate_per_caller", |value| value.count(1, RATE_PER_CALLER_MAX));
        connections = table.opt("connections", |value| value.count(1, CONNECTIONS_MAX));
        connections_per_address = table.opt("connections_per_address", |value| value.count(1, CONNECTIONS_MAX));
        stop_within = table.opt("stop_within", Value::millis);
        late_after = table.opt("late_after", Value::millis);
        lanes = table.opt("lanes", |value| value.count(1, LANES_MAX));
        table.finish();
        let nobody_is_named = trusted_proxies.as_ref().is_none_or(Vec::is_empty);
        if nobody_is_named && public_url.as_ref().is_some_and(|url: &String| url.starts_with("https://")) {
            warn_of_unnamed_proxy(table, around.findings);
        }
    }
    let listen = listen?;
    Some(Server {
        listen,
        public_url: public_url.unwrap_or_else(|| format!("http://{listen}")).trim_end_matches('/').to_owned(),
        trusted_proxies: trusted_proxies.unwrap_or_default(),
        rate_per_caller: rate.unwrap_or(DEFAULT_RATE_PER_CALLER),
        connections,
        connections_per_address,
        stop_within: stop_within.unwrap_or(DEFAULT_STOP_WITHIN),
        late_after: late_after.unwrap_or(DEFAULT_LATE_AFTER),
        lanes,
    })
}

/// Partners come over https, and this service speaks http: something stands between them.
fn warn_of_unnamed_proxy(table: &Table<'_>, findings: &Findings) {
    findings.warning(
        table.place_of(if table.has("trusted_proxies") { "trusted_proxies" } else { "public_url" }),
        "`public_url` is https, which a proxy in front has to end, and `trusted_proxies` names none: all callers will seem to have its address",
        "write the proxy's address, for example trusted_proxies = [\"10.0.0.0/8\"], or [\"127.0.0.1\"] for one on this machine",
    );
}

fn metrics(table: Option<&Table<'_>>, around: &Surroundings<'_>) -> Metrics {
    let Some(table) = table else { return Metrics::default() };
    let token = table.opt("token", |value| around.secrets.read(&value, SecretUse::OpsToken)).map(Secret::or_stand_in);
    let listen = table.opt("listen", |value| {
        let text = value.clone().text()?;
        let problem = format!("is \"{text}\", which is not an address");
        address(&text)
            .or_else(|| value.wrong(problem, "write an IP address and a port, for example \"127.0.0.1:9464\""))
    });
    table.finish();
    Metrics { token, listen }
}

fn traces(table: Option<&Table<'_>>) -> Traces {
    let mut traces = Traces::default();
    let Some(table) = table else { return traces };
    traces.endpoint = table.opt("endpoint", |value| {
        let text = value.clone().text()?;
        let is_address =
            url::Url::parse(&text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let problem = format!("is \"{text}\", which is not an address of HTTP");
        if is_address { Some(text) } else { value.wrong(problem, "write for example \"http://127.0.0.1:4318\"") }
    });
    traces.service_name = table.opt("service_name", Value::text).unwrap_or(traces.service_name);
    table.finish();
    traces
}

fn console(
    table: Option<&Table<'_>>,
    public_url: Option<&str>,
    around: &Surroundings<'_>,
) -> (Console, Vec<OidcProvider>, Option<Passkeys>) {
    const WORDS: [(&str, SecondFactor); 2] =
        [("required", SecondFactor::Required), ("optional", SecondFactor::Optional)];
    let mut console = Console::default();
    let Some(table) = table else { return (console, Vec::new(), passkeys::read(None, public_url)) };
    let passkeys = passkeys::read(table.opt("passkeys", Value::table).as_ref(), public_url);
    let providers = table.opt("oidc", Value::tables).unwrap_or_default();
    let providers = providers.iter().fold(Vec::new(), |known, table| provider(table, known, around));
    let second_factor = table.opt("second_factor", |value| {
        let chosen = value.clone().word(&WORDS);
        if chosen == Some(SecondFactor::Optional) {
            value.warn(
                "is \"optional\": who has set up no second factor acts with a password alone, also where money goes back (guests stay masked for him)",
                "write \"required\", except for a demonstration",
            );
        }
        chosen
    });
    console.second_factor = second_factor.unwrap_or(console.second_factor);
    console.idle = table.opt("idle", Value::millis).unwrap_or(console.idle);
    console.absolute = table.opt("absolute", Value::millis).unwrap_or(console.absolute);
    table.finish();
    if console.idle > console.absolute {
        let problem = "`console.idle` is longer than `console.absolute`: it would never end a session";
        table.findings().problem(table.place_of("idle"), problem, "make it the shorter one");
    }
    (console, providers, passkeys)
}

/// One more provider, unless something is wrong with it: no other one may have its id, and no account of ours be taken for one of its.
fn provider(table: &Table<'_>, mut known: Vec<OidcProvider>, around: &Surroundings<'_>) -> Vec<OidcProvider> {
    let Some(provider) = provider_itself(table, around) else { return known };
    if provider.id == PASSWORD || known.iter().any(|other| other.id == provider.id) {
        let problem = format!("the id \"{}\" of a provider is taken", provider.id);
        let mend = "give each provider an id of its own; it is kept with accounts";
        table.findings().problem(table.place_of("id"), problem, mend);
    }
    known.push(provider);
    known
}

fn provider_itself(table: &Table<'_>, around: &Surroundings<'_>) -> Option<OidcProvider> {
    let id = table.must("id", Value::id);
    let name = table.must("name", Value::text);
    let issuer = table.must("issuer", Value::web_address);
    let client_id = table.must("client_id", Value::text);
    let client_secret = table.must("client_secret", |value| around.secrets.read(&value, SecretUse::Issued));
    let scopes = table.opt("scopes", |value| value.each(Value::text));
    table.finish();
    Some(OidcProvider {
        id: id?,
        name: name?,
        issuer: issuer?,
        client_id: client_id?,
        client_secret: client_secret?.or_stand_in(),
        scopes: scopes.unwrap_or_else(|| ["email", "profile"].map(str::to_owned).to_vec()),
    })
}

fn address(text: &str) -> Option<SocketAddr> {
    match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}").parse().ok(),
        None => text.parse().ok(),
    }
}

fn database(table: Option<&Table<'_>>, around: &Surroundings<'_>) -> Option<Database> {
    const MEND: &str = "write \"sqlite://path\", \"postgres://user@host/name\" or \"mysql://user@host/name\"";
    const UNNAMED: &str = "names no database: after the host comes a slash and its name";
    let known = |url: &str| DATABASE_SCHEMES.iter().any(|scheme| url.starts_with(scheme) && url.len() > scheme.len());
    let in_file = table.and_then(|table| table.get("url"));
    let create = table.and_then(|table| table.opt("create", Value::flag)).unwrap_or(false);
    if let Some(table) = table {
        table.finish();
    }
    if let Some(url) = around.environment.get(DATABASE_URL_VARIABLE) {
        let place = || Place { file: DATABASE_URL_VARIABLE.to_owned(), line: 0 };
        if !known(&url) {
            around.findings.problem(place(), "is not the address of a database", MEND);
        } else if names_no_database(&url) {
            around.findings.problem(place(), UNNAMED, MEND);
        }
        return Some(Database { url: url.into(), create });
    }
    let Some(value) = in_file else { return Some(Database { url: DEFAULT_DATABASE_URL.into(), create }) };
    let url: SecretString = if value.raw().is_str() {
        let url = value.clone().text()?;
        if Address::of(&url).is_some_and(Address::has_password) {
            value.warn("holds a password in clear text", format!("write `{{ env = \"{DATABASE_URL_VARIABLE}\" }}`"));
        }
        url.into()
    } else {
        match around.secrets.read(&value, SecretUse::DatabaseUrl)? {
            Secret::Known(url) => url,
            Secret::NotSet => return Some(Database { url: DEFAULT_DATABASE_URL.into(), create }),
        }
    };
    if known(url.expose_secret()) {
        if names_no_database(url.expose_secret()) {
            return value.wrong(UNNAMED, MEND);
        }
        return Some(Database { url, create });
    }
    // What follows the scheme may be a password, and so may a text without one.
    match url.expose_secret().split_once("://") {
        Some((scheme, _)) => {
            value.wrong(format_args!("begins with \"{scheme}\", which is no database that is supported"), MEND)
        }
        None => value.wrong("is not the address of a database", MEND),
    }
}

/// Whether the address of a server does not say which of its databases is meant: each would take another one for that, or none.
fn names_no_database(url: &str) -> bool {
    let Some(address) = Address::of(url).filter(|address| address.scheme != "sqlite") else { return false };
    let in_query = |query: &str| query.split('&').any(|pair| pair.starts_with("dbname="));
    // Where a password holds signs that end a place, nobody can tell what the place is.
    !address.place.is_empty()
        && address.place.split_once('/').is_none_or(|(_, name)| name.is_empty())
        && !address.query.is_some_and(in_query)
}

fn privacy(table: &Table<'_>, around: &Surroundings<'_>) -> Option<Privacy> {
    let read_one = |value: Value<'_>| match around.secrets.read(&value, SecretUse::DataKey)? {
        Secret::Known(text) => secret::data_key(&value, &text),
        // Checked only, never encrypted with: the configuration is not handed out in this case.
        Secret::NotSet => Some(SecretBox::new(Box::new([0; DATA_KEY_BYTES]))),
    };
    let keys = table.must("key", |value| match value.raw().is_array() {
        true => {
            if value.elements().is_empty() {
                return value.wrong("is an empty list", "add the key that encrypts personal data");
            }
            value.each(read_one)
        }
        false => read_one(value).map(|key| vec![key]),
    });
    let place = table.place_of("key");
    table.finish();
    keys.map(|keys| Privacy { keys, place })
}

fn ops_tokens(table: &Table<'_>, around: &Surroundings<'_>) -> Option<Vec<OpsToken>> {
    let list = table.must("tokens", Value::list);
    table.finish();
    let list = list?;
    if list.is_empty() {
        around.findings.problem(
            table.place_of("tokens"),
            "`ops.tokens` is empty: nobody could work with the service",
            "add { name = \"ops\", role = \"admin\", token = { env = \"TICKETBRIDGE_OPS_TOKEN\" } }",
        );
    }
    let mut seen: Vec<(OpsToken, bool, Place)> = Vec::new();
    for value in list {
        let place = value.place();
        let Some(entry) = value.table() else { continue };
        let name = entry.must("name", Value::text);
        let role = entry.must("role", |value| value.word(&Role::WORDS));
        let secret = entry.must("token", |value| around.secrets.read(&value, SecretUse::OpsToken));
        entry.finish();
        let (Some(name), Some(role), Some(secret)) = (name, role, secret) else { continue };
        let is_known = matches!(secret, Secret::Known(_));
        let token = OpsToken { name, role, token: secret.or_stand_in() };
        for (other, other_is_known, other_place) in &seen {
            if other.name == token.name {
                let problem = format!("two ops tokens are named \"{}\", the other at {other_place}", token.name);
                around.findings.problem(place.clone(), problem, "give each its own name: it stands in the history");
            }
            if is_known && *other_is_known && other.token.expose_secret() == token.token.expose_secret() {
                let problem = format!("the tokens of \"{}\" and \"{}\" are the same", other.name, token.name);
                around.findings.problem(place.clone(), problem, "make a new one: openssl rand -base64 32");
            }
        }
        seen.push((token, is_known, place));
    }
    Some(seen.into_iter().map(|(token, _, _)| token).collect())
}

fn delivery(table: Option<&Table<'_>>) -> Delivery {
    let mut delivery = Delivery {
        connect_timeout: Millis::seconds(3),
        timeout: Millis::seconds(10),
        attempts: 12,
        backoff: Backoff { first: Millis::seconds(1), factor: 2.0, max: Millis::minutes(10), jitter: 0.2 },
        lane: LaneLimits { at_once: 64, per_second: 0 },
    };
    let Some(table) = table else { return delivery };
    delivery.connect_timeout = table.opt("connect_timeout", Value::millis).unwrap_or(delivery.connect_timeout);
    delivery.timeout = table.opt("timeout", timeout).unwrap_or(delivery.timeout);
    delivery.lane.at_once = table.opt("at_once", at_once).unwrap_or(delivery.lane.at_once);
    delivery.lane.per_second = table.opt("per_second", per_second).unwrap_or(delivery.lane.per_second);
    delivery.attempts = table.opt("attempts", |value| value.count(1, ATTEMPTS_MAX)).unwrap_or(delivery.attempts);
    if let Some(value) = table.get("backoff")
        && let Some(table) = value.clone().table()
    {
        let backoff = &mut delivery.backoff;
        backoff.first = table.opt("first", Value::millis).unwrap_or(backoff.first);
        backoff.factor = table.opt("factor", |value| value.number(1.0..=100.0)).unwrap_or(backoff.factor);
        backoff.max = table.opt("max", Value::millis).unwrap_or(backoff.max);
        backoff.jitter = table.opt("jitter", |value| value.number(0.0..=1.0)).unwrap_or(backoff.jitter);
        table.finish();
        if backoff.first > backoff.max {
            value.wrong::<()>("has a `first` that is longer than `max`", "make `max` the longer one");
        }
    }
    table.finish();
    delivery
}

/// Calls at once.
pub(super) fn at_once(value: Value<'_>) -> Option<u32> {
    value.count(1, AT_ONCE_MAX)
}

/// Calls in a second.
pub(super) fn per_second(value: Value<'_>) -> Option<u32> {
    value.count(0, PER_SECOND_MAX)
}

/// Time for a whole call. One that could never be used up is said to be so.
pub(super) fn timeout(value: Value<'_>) -> Option<Millis> {
    let time = value.clone().millis()?;
    if time > CALL_TIMEOUT_MAX {
        value.warn(
            format_args!("is {} s, and no call waits longer than {} s", time.0 / 1_000, CALL_TIMEOUT_MAX.0 / 1_000),
            "write a shorter time: what has not been answered by then is asked for",
        );
    }
    Some(time)
}

fn log(table: Option<&Table<'_>>) -> Log {
    let mut log = Log { format: LogFormat::Text, level: "info".to_owned() };
    let Some(table) = table else { return log };
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    log.format = table.opt("format", |value| value.word(&formats)).unwrap_or(log.format);
    log.level = table.opt("level", level).unwrap_or(log.level);
    table.finish();
    log
}

fn level(value: Value<'_>) -> Option<String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let text = value.clone().text()?;
    for part in text.split(',') {
        let word = part.rsplit('=').next().unwrap_or_default().trim();
        if !LEVELS.contains(&word) {
            let problem = format!("is \"{text}\", and \"{word}\" is no level");
            return value.wrong(problem, super::finding::suggest(word, LEVELS));
        }
    }
    Some(text)
}

/// Networks whose word on who calls is taken.
fn proxies(value: Value<'_>) -> Option<IpNet> {
    let network = value.clone().network()?;
    if network.prefix_len() == 0 {
        value.warn("is everybody: any caller could name the address that it comes from", "name the proxies alone");
    }
    Some(network)
}

fn retention(table: Option<&Table<'_>>) -> Retention {
    let mut retention = Retention { bodies: Millis::hours(90 * 24), guests: None, archive: Millis::hours(30 * 24) };
    let Some(table) = table else { return retention };
    retention.bodies = table.opt("bodies", Value::millis).unwrap_or(retention.bodies);
    retention.guests = table.opt("guests", guests_kept_for);
    retention.archive = table.opt("archive", put_away_after).unwrap_or(retention.archive);
    table.finish();
    retention
}

fn recorder(table: Option<&Table<'_>>) -> Recorder {
    let Some(table) = table else { return Recorder::default() };
    let keep = table.opt("keep", Value::millis);
    table.finish();
    Recorder { keep }
}

/// Refunds and disputes come for days after an order has ended: until then its guests are needed.
fn put_away_after(value: Value<'_>) -> Option<Millis> {
    let after = value.clone().millis()?;
    if after < GUESTS_KEPT_MIN {
        return value.wrong(
            "is less than a day",
            "write 1d or more: late messages about an order bring it back; \"30d\" is usual",
        );
    }
    Some(after)
}

fn guests_kept_for(value: Value<'_>) -> Option<Millis> {
    let kept_for = value.clone().millis()?;
    if kept_for < GUESTS_KEPT_MIN {
        return value.wrong(
            "is less than a day",
            "write 1d or more: refunds and disputes may need a guest for days after the visit; \"180d\" is usual",
        );
    }
    Some(kept_for)
}

/// Reads one `[[credit_account]]`.
pub(super) fn credit_account(table: &Table<'_>) -> Option<CreditAccount> {
    let id = table.must("id", Value::id);
    let currency = table.must("currency", currency::read);
    let place = table.place_of("currency");
    let limit = table.must("limit", |value| value.integer(0..=AMOUNT_MAX));
    table.finish();
    Some(CreditAccount { id: id?, currency: currency?, limit: limit?, place })
}
