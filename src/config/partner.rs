// SPDX-License-Identifier: Apache-2.0

//! `channels/*.toml` and `backends/*.toml`: which adapter, and its settings with the secrets filled in.

use std::cell::RefCell;

use ipnet::IpNet;
use secrecy::ExposeSecret as _;
use serde_json::Value as Json;
use ticketbridge_core::port::{Backend, BackendKind, Channel, ChannelKind, SellsIn, SettingsProblem};
use ticketbridge_core::{BackendId, ChannelId, Millis};
use toml::de::DeValue;

use super::finding::{Findings, suggest};
use super::names::Named;
use super::read::{Table, Value};
use super::secret::{Secret, SecretUse, Secrets};
use super::service::{LaneLimits, RATE_PER_CALLER_MAX, at_once, per_second, timeout};
use super::settings::Settings;
use crate::transport::address::{self, Nature};

/// Settings that any channel may have; they are the shell's and reach an adapter only if it lists them.
const CHANNEL_SETTINGS: [&str; 7] =
    ["allow_from", "at_once", "commission_bp", "credit_account", "per_second", "rate_per_caller", "settle_id"];
/// The same for any back-end.
const PACE_SETTINGS: [&str; 2] = ["at_once", "per_second"];
/// Ten-thousandths in a whole.
pub const BASIS_POINTS: u32 = 10_000;

/// The adapters there are.
#[derive(Clone, Copy)]
pub struct Kinds<'k> {
    /// Of channels.
    pub channels: &'k [ChannelKind],
    /// Of back-ends.
    pub backends: &'k [BackendKind],
}

impl Kinds<'static> {
    /// Those that are registered.
    pub fn registered() -> Self {
        Self { channels: ticketbridge_adapters::CHANNELS, backends: ticketbridge_adapters::BACKENDS }
    }
}

/// When changed secrets of a partner take effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SecretChanges {
    /// Time from a change until it takes effect; at once where the file says nothing.
    pub propagation: Option<Millis>,
    /// Whether changes act at once all the same.
    pub emergency: bool,
}

impl SecretChanges {
    fn read(file: &Table<'_>) -> Self {
        let propagation = file.opt("propagation", Value::millis_or_zero);
        Self { propagation, emergency: file.opt("emergency", Value::flag).unwrap_or(false) }
    }
}

/// A configured channel.
#[derive(Debug)]
pub struct ChannelConfig {
    /// Its name.
    pub id: ChannelId,
    /// Its adapter.
    pub adapter: &'static str,
    /// The currency that it sells in.
    pub currency: String,
    /// What the adapter is told.
    pub settings: Settings,
    /// Callers that are accepted (PA-02); empty: any.
    pub allow_from: Vec<IpNet>,
    /// Requests a second from one caller, where it differs from the service's.
    pub rate_per_caller: Option<u32>,
    /// The credit account that its orders are charged to (DY-05).
    pub credit_account: Option<String>,
    /// The channel's commission in ten-thousandths, for statements.
    pub commission_bp: Option<u32>,
    /// Who its orders are settled with: a settle unit of `partners/`; the channel itself when it names nobody.
    pub settle_id: Option<String>,
    /// The agency that its orders belong to; every agency of the settle unit's institution when it names none.
    pub agency: Option<String>,
    /// What it is sent at once and in a second, where that differs from the service's.
    pub pace: Pace,
    /// Which settings are secrets, by path.
    pub secrets: &'static [&'static str],
    /// When changes of them take effect.
    pub secret_changes: SecretChanges,
    /// Which settings are addresses of the partner, by path.
    pub addresses: &'static [&'static str],
}

impl ChannelConfig {
    /// Whether lines of it may stand under its own name, which was its settle id before it named a unit.
    pub fn had_another_settle_id(&self) -> bool {
        self.settle_id.as_deref().is_some_and(|unit| unit != self.id.as_str())
    }
    /// The partner's own addresses.
    pub(super) fn hosts(&self) -> impl Iterator<Item = &str> {
        self.settings.at(self.addresses)
    }
}
impl BackendConfig {
    /// The partner's own addresses.
    pub(super) fn hosts(&self) -> impl Iterator<Item = &str> {
        self.settings.at(self.addresses)
    }
}

/// What a partner is sent, where its file says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Calls at once.
    pub at_once: Option<u32>,
    /// Calls in a second.
    pub per_second: Option<u32>,
}

impl Pace {
    /// With what the service says, where the partner says nothing.
    pub fn or(self, service: LaneLimits) -> LaneLimits {
        LaneLimits {
            at_once: self.at_once.unwrap_or(service.at_once),
            per_second: self.per_second.unwrap_or(service.per_second),
        }
    }

    /// Beside `[settings]`, or among them.
    fn read(file: &Table<'_>) -> Self {
        Self { at_once: file.opt("at_once", at_once), per_second: file.opt("per_second", per_second) }
    }

    fn or_in(self, settings: &Reading<'_, '_>) -> Self {
        Self {
            at_once: settings.opt("at_once", at_once).or(self.at_once),
            per_second: settings.opt("per_second", per_second).or(self.per_second),
        }
    }
}

/// A configured back-end.
#[derive(Debug)]
pub struct BackendConfig {
    /// Its name.
    pub id: BackendId,
    /// Its adapter.
    pub adapter: &'static str,
    /// What the adapter is told.
    pub settings: Settings,
    /// Time for a whole call, where it differs from the service's.
    pub timeout: Option<Millis>,
    /// What it is sent at once and in a second, where that differs from the service's.
    pub pace: Pace,
    /// Which settings are secrets, by path.
    pub secrets: &'static [&'static str],
    /// When changes of them take effect.
    pub secret_changes: SecretChanges,
    /// Which settings are addresses of the partner, by path.
    pub addresses: &'static [&'static str],
}

/// What the reader of a partner's file needs.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) kinds: Kinds<'a>,
    pub(super) secrets: &'a Secrets<'a>,
    pub(super) findings: &'a Findings,
}

/// The name a partner's file gives itself, for cross-file rules: known even when the rest of the file is wrong.
pub(super) struct Head {
    pub(super) id: String,
    pub(super) adapter: Option<String>,
}

impl Head {
    /// The name and where it stands.
    pub(super) fn named(self, file: &Table<'_>) -> Named {
        Named { name: self.id, place: file.place_of("id"), adapter: self.adapter }
    }
}

/// Reads a channel's file.
pub(super) fn channel(file: &Table<'_>, around: Around<'_>) -> (Option<Head>, Option<ChannelConfig>) {
    let names = around.kinds.channels.iter().map(|kind| kind.name);
    let (id, adapter) = (file.must("id", Value::id), adapter(file, names.clone().collect()));
    let head = id.clone().map(|id| Head { id, adapter: adapter.clone() });
    let own_rate = file.opt("rate_per_caller", |value| value.count(1, RATE_PER_CALLER_MAX));
    let pace = Pace::read(file);
    let secret_changes = SecretChanges::read(file);
    let (own_settle_id, agency) = (file.opt("settle_id", Value::id), file.opt("agency", Value::id));
    let settings = settings_table(file);
    file.finish();
    let kind = adapter.and_then(|adapter| {
        let kind = around.kinds.channels.iter().find(|kind| kind.name == adapter);
        if kind.is_none() {
            unknown_adapter(file, &adapter, "channel", names.collect());
        }
        kind
    });
    let (Some(id), Some(kind)) = (id, kind) else { return (head, None) };
    let known =
        Known { settings: kind.settings, secrets: kind.secrets, addresses: kind.addresses, shared: &CHANNEL_SETTINGS };
    let read = Reading::read(settings.as_ref(), &known, around);
    let allow_from = read.opt("allow_from", |value| value.each(Value::network));
    let rate = read.opt("rate_per_caller", |value| value.count(1, RATE_PER_CALLER_MAX));
    let credit_account = read.opt("credit_account", Value::text);
    let commission_bp = read.opt("commission_bp", |value| value.count(0, BASIS_POINTS));
    let settle_id = read.opt("settle_id", Value::id);
    let pace = pace.or_in(&read);
    read.opt("review_limit", Value::millis);
    read.opt("review_warn_before", |value| value.each(Value::millis));
    let built = read.built((kind.build)(&id, &read.json), file);
    if let Some(channel) = built {
        check_review_times(channel.as_ref(), file, around.findings);
    }
    let config = ChannelConfig {
        id: ChannelId(id),
        adapter: kind.name,
        currency: sells_in(kind.sells_in, &read.json),
        settings: Settings::new(read.json),
        allow_from: allow_from.unwrap_or_default(),
        rate_per_caller: rate.or(own_rate),
        credit_account,
        commission_bp,
        settle_id: own_settle_id.or(settle_id),
        agency,
        pace,
        secrets: kind.secrets,
        secret_changes,
        addresses: kind.addresses,
    };
    (head, Some(config))
}

/// The currency of a channel; empty where a setting should name it and does not, which is a problem of its own.
fn sells_in(kind: SellsIn, settings: &serde_json::Value) -> String {
    match kind {
        SellsIn::Always(currency) => currency.to_owned(),
        SellsIn::Setting(key) => settings.get(key).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned(),
    }
}

/// Reads a back-end's file.
pub(super) fn backend(file: &Table<'_>, around: Around<'_>) -> (Option<Head>, Option<BackendConfig>) {
    let names = around.kinds.backends.iter().map(|kind| kind.name);
    let (id, adapter) = (file.must("id", Value::id), adapter(file, names.clone().collect()));
    let head = id.clone().map(|id| Head { id, adapter: adapter.clone() });
    let pace = Pace::read(file);
    let secret_changes = SecretChanges::read(file);
    let settings = settings_table(file);
    file.finish();
    let kind = adapter.and_then(|adapter| {
        let kind = around.kinds.backends.iter().find(|kind| kind.name == adapter);
        if kind.is_none() {
            unknown_adapter(file, &adapter, "back-end", names.collect());
        }
        kind
    });
    let (Some(id), Some(kind)) = (id, kind) else { return (head, None) };
    let known =
        Known { settings: kind.settings, secrets: kind.secrets, addresses: kind.addresses, shared: &PACE_SETTINGS };
    let read = Reading::read(settings.as_ref(), &known, around);
    let timeout = read.opt("timeout", timeout);
    let pace = pace.or_in(&read);
    let _: Option<Box<dyn Backend>> = read.built((kind.build)(&id, &read.json), file);
    let (adapter, settings) = (kind.name, Settings::new(read.json));
    let (id, secrets, addresses) = (BackendId(id), kind.secrets, kind.addresses);
    (head, Some(BackendConfig { id, adapter, settings, timeout, pace, secrets, secret_changes, addresses }))
}

fn settings_table<'a>(file: &Table<'a>) -> Option<Table<'a>> {
    file.opt("settings", Value::table)
}

/// The word after `adapter =`; a file without one is told which there are.
fn adapter(file: &Table<'_>, names: Vec<&str>) -> Option<String> {
    if file.has("adapter") {
        return file.get("adapter").and_then(Value::text);
    }
    file.expect_key("adapter");
    let mend = format!("add `adapter = \"…\"`, one of {}", names.join(", "));
    file.findings().problem(file.place(), "`adapter` is missing", mend);
    None
}

fn unknown_adapter(file: &Table<'_>, adapter: &str, what: &str, names: Vec<&'static str>) {
    if let Some(value) = file.peek("adapter") {
        value.wrong::<()>(
            format_args!("is \"{adapter}\", and no {what} adapter has this name"),
            suggest(adapter, names),
        );
    }
}

/// A warning that comes when the time is already over is none (DY-16).
fn check_review_times(channel: &dyn Channel, file: &Table<'_>, findings: &Findings) {
    let rules = channel.rules();
    if rules.review_warn_before.iter().any(|before| *before >= rules.review_limit) {
        findings.problem(
            file.place_of("settings.review_warn_before"),
            "`settings.review_warn_before` holds a time that is not shorter than `review_limit`: it could never warn",
            "make every entry shorter than `review_limit` (DY-16)",
        );
    }
}

/// What an adapter says about its settings.
struct Known<'k> {
    settings: &'k [&'static str],
    secrets: &'k [&'static str],
    addresses: &'k [&'static str],
    shared: &'k [&'static str],
}

/// Settings read so far.
struct Reading<'a, 't> {
    table: Option<&'t Table<'a>>,
    json: Json,
    /// Paths below `settings` about which something was said, or behind which only a stand-in is.
    said: RefCell<Vec<String>>,
}

impl<'a, 't> Reading<'a, 't> {
    fn read(table: Option<&'t Table<'a>>, known: &Known<'_>, around: Around<'_>) -> Self {
        let mut read = Self { table, json: Json::Object(serde_json::Map::new()), said: RefCell::default() };
        let Some(table) = table else { return read };
        for word in known.settings.iter().chain(known.shared) {
            table.expect_key(first_step(word));
        }
        table.finish();
        let mut object = serde_json::Map::new();
        for key in table.keys() {
            let listed = known.settings.iter().any(|word| first_step(word) == key);
            if !listed && !known.shared.contains(&key) {
                read.said.borrow_mut().push(key.to_owned());
                continue;
            }
            let Some(value) = table.peek(key) else { continue };
            let value = read.to_json(&value, key, known, around);
            if listed {
                object.insert(key.to_owned(), value);
            }
        }
        read.json = Json::Object(object);
        // One further down is checked by its adapter.
        for key in known.addresses.iter().filter(|path| !path.contains('.')) {
            read.opt(key, Value::web_address);
        }
        read.opt("time_zone", Value::time_zone);
        read
    }

    /// A setting that has the same meaning for every adapter.
    fn opt<T>(&self, key: &'static str, read: impl FnOnce(Value<'a>) -> Option<T>) -> Option<T> {
        let value = self.table?.peek(key)?;
        let result = read(value);
        if result.is_none() {
            self.said.borrow_mut().push(key.to_owned());
        }
        result
    }

    fn to_json(&self, value: &Value<'_>, path: &str, known: &Known<'_>, around: Around<'_>) -> Json {
        let is_secret = |path: &str| known.secrets.iter().any(|secret| matches(secret, path));
        // Where one secret or a list of them may stand, the elements of a list are the secrets.
        if is_secret(path) && !(value.raw().is_array() && is_secret(&format!("{path}.0"))) {
            return match around.secrets.read(value, partner_secret(path)) {
                Some(Secret::Known(secret)) => Json::String(secret.expose_secret().to_owned()),
                other => {
                    self.said.borrow_mut().push(path.to_owned());
                    Json::String(other.unwrap_or(Secret::NotSet).or_stand_in().expose_secret().to_owned())
                }
            };
        }
        match value.raw() {
            DeValue::Table(_) => self.object_to_json(value, path, known, around),
            DeValue::Array(_) => {
                let elements = value.elements().into_iter().enumerate();
                let element = |(index, value)| self.to_json(&value, &format!("{path}.{index}"), known, around);
                Json::Array(elements.map(element).collect())
            }
            DeValue::String(text) => {
                if known.addresses.contains(&path) {
                    look_at_address(value, text);
                }
                Json::String(text.to_string())
            }
            DeValue::Boolean(boolean) => Json::Bool(*boolean),
            DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
                Ok(number) => Json::from(number),
                Err(_) => {
                    self.said.borrow_mut().push(path.to_owned());
                    value.wrong::<()>(
                        format_args!("is {integer}, which no number here can be"),
                        "write a smaller number",
                    );
                    Json::Null
                }
            },
            DeValue::Float(float) => float.as_str().parse::<f64>().map_or(Json::Null, Json::from),
            DeValue::Datetime(datetime) => Json::String(datetime.to_string()),
        }
    }

    fn object_to_json(&self, value: &Value<'_>, path: &str, known: &Known<'_>, around: Around<'_>) -> Json {
        let Some(table) = value.as_table() else { return Json::Null };
        if table.keys().count() == 1 && (table.has("env") || table.has("file")) {
            self.said.borrow_mut().push(path.to_owned());
            value.wrong::<()>("is not a secret of this adapter", "write the value itself");
            return Json::Null;
        }
        let children: Vec<&'static str> = known.settings.iter().filter_map(|word| child_of(word, path)).collect();
        if !children.is_empty() {
            children.iter().for_each(|child| table.expect_key(child));
            table.finish();
        }
        let mut object = serde_json::Map::new();
        for key in table.keys() {
            let path = format!("{path}.{key}");
            if !children.is_empty() && !children.contains(&key) {
                self.said.borrow_mut().push(path);
                continue;
            }
            let Some(value) = table.peek(key) else { continue };
            object.insert(key.to_owned(), self.to_json(&value, &path, known, around));
        }
        Json::Object(object)
    }

    /// What was built; the adapter's findings get their places, and are left out where something was said already.
    fn built<T>(&self, result: Result<T, Vec<SettingsProblem>>, file: &Table<'_>) -> Option<T> {
        let problems = match result {
            Ok(built) => return Some(built),
            Err(problems) => problems,
        };
        for SettingsProblem { key, problem, mend, warning } in problems {
            let said = self.said.borrow();
            if said.iter().any(|path| *path == key || key.starts_with(&format!("{path}."))) {
                continue;
            }
            let place = file.place_of(&format!("settings.{key}"));
            let problem = format!("`settings.{key}`: {problem}");
            match warning {
                true => file.findings().warning(place, problem, mend),
                false => file.findings().problem(place, problem, mend),
            }
        }
        None
    }
}

/// Some partners give a secret out themselves; with the others one is agreed upon.
fn partner_secret(path: &str) -> SecretUse {
    if path.rsplit('.').next() == Some("client_secret") { SecretUse::Issued } else { SecretUse::Partner }
}

/// The first step of a dotted path.
fn first_step(path: &'static str) -> &'static str {
    path.split('.').next().unwrap_or(path)
}

/// Whether `path` is one that `pattern` means, `*` standing for any one step.
fn matches(pattern: &str, path: &str) -> bool {
    let (mut pattern, mut path) = (pattern.split('.'), path.split('.'));
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return true,
            (Some("*"), Some(_)) => {}
            (Some(wanted), Some(step)) if wanted == step => {}
            _ => return false,
        }
    }
}

/// The key below `path` that the known setting `word` names, if it lies below it.
fn child_of(word: &'static str, path: &str) -> Option<&'static str> {
    let depth = path.split('.').count();
    let child = word.split('.').nth(depth)?;
    let head: Vec<&str> = word.split('.').take(depth).collect();
    matches(&head.join("."), path).then_some(child)
}

/// Says what an address of a partner leads to, where that is not the open net.
fn look_at_address(value: &Value<'_>, text: &str) {
    match address::nature_of(text) {
        Nature::Never(what) => {
            value.wrong::<()>(
                format_args!("is \"{text}\", {what}: it is never called, since no partner lives there"),
                "write the partner's own address",
            );
        }
        Nature::Private(what) => value.warn(
            format_args!("is \"{text}\", {what}: calls go there, into your own network, because you name it"),
            "leave it if that is meant; a public name is never led to such an address",
        ),
        Nature::OwnMachine | Nature::Open => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_step() {
        assert!(matches("apps.*.client_secret", "apps.0.client_secret"));
        assert!(matches("secret", "secret"));
        assert!(!matches("secrets.*", "secrets"));
        assert!(!matches("apps.*.client_secret", "apps.0.client_key"));
        assert_eq!(child_of("apps.*.client_key", "apps.3"), Some("client_key"));
        assert_eq!(child_of("apps", "apps.3"), None);
    }
}
