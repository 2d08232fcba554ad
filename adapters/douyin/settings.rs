// SPDX-License-Identifier: Apache-2.0

//! The channel's settings (`docs/src/contract/configuration.md`), read from the clear values of its file.

use serde_json::Value;
use ticketbridge_core::port::SettingsProblem;
use ticketbridge_core::product::{Acceptance, ChannelRules, TicketDelivery};
use ticketbridge_core::time::{Millis, TimeZone};

/// The settings that are known. `credit_account`, `allow_from` and `rate_per_caller` belong to the shell.
pub(super) const KEYS: &[&str] = &[
    "account_id",
    "apps",
    "apps.*.client_key",
    "apps.*.client_secret",
    "api_base",
    "creation",
    "confirm",
    "price_check",
    "accept_url_signature",
    "signature_age_max",
    "review_limit",
    "time_zone",
    "credit_account",
    "allow_from",
    "review_warn_before",
    "rate_per_caller",
];
/// The settings that are secrets.
pub(super) const SECRETS: &[&str] = &["apps.*.client_secret"];
/// Where Douyin is, unless the settings say otherwise.
const API_BASE: &str = "https://open.douyin.com";
/// Applications of one channel.
const APPS_MAX: usize = 16;
/// Warnings before the review limit.
const WARNINGS_MAX: usize = 16;
/// Time for an asynchronous acceptance.
const ACCEPTANCE_LIMIT: Millis = Millis::minutes(10);
/// Time for the decision on a refund.
const REVIEW_LIMIT: Millis = Millis::hours(72);

/// Warnings before it, unless the settings say otherwise. One official page says 24 hours where the others say 72: the first warning
/// comes four hours before the shorter limit would be over.
const REVIEW_WARN_BEFORE: [Millis; 3] = [Millis::hours(52), Millis::hours(24), Millis::hours(4)];
/// How old a signed call may be, unless the settings say otherwise: far longer than the platform repeats one, which it does for
/// minutes, and for refunds by the hour.
const SIGNATURE_AGE_MAX: Millis = Millis::hours(7 * 24);
/// The least that may be set: the platform's repeats may bear their first time stamp.
const SIGNATURE_AGE_LEAST: Millis = Millis::hours(1);
/// The most that may be set.
const SIGNATURE_AGE_MOST: Millis = Millis::hours(366 * 24);

/// One application of the merchant's, as registered with Douyin.
#[derive(Clone, PartialEq, Eq)]
pub struct App {
    /// Its public name.
    pub client_key: String,
    /// Its secret.
    pub client_secret: String,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "App({})", self.client_key)
    }
}

/// When Douyin tells us of a sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// After it was paid; the answer accepts or rejects.
    AfterPayment,
    /// Before; the answer to the payment notice accepts or rejects.
    BeforePayment,
}

/// The settings, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The merchant's root account.
    pub account_id: String,
    /// The applications, the current one first.
    pub apps: Vec<App>,
    /// Where Douyin is, without a slash at the end.
    pub api_base: String,
    /// When Douyin tells us of a sale.
    pub creation: Creation,
    /// Whether the signature in the address alone is enough.
    pub accept_url_signature: bool,
    /// How old a signed call may be: what somebody captured must not be a key for ever.
    pub signature_age_max: Millis,
    /// What the channel demands of its orders.
    pub rules: ChannelRules,
}

/// Reads what only this channel has; the rest is the same for every partner.
struct Reader<'a> {
    table: &'a Value,
    common: crate::settings::Settings<'a>,
}

impl Reader<'_> {
    fn problem(&mut self, key: impl Into<String>, problem: impl Into<String>, mend: impl Into<String>) {
        self.common.problem(key, problem, mend);
    }

    fn text(&mut self, key: &str, mend: &str) -> String {
        let text = self.table.get(key).and_then(Value::as_str).map(str::trim).unwrap_or_default();
        if text.is_empty() {
            self.problem(key, "is missing, empty or not text", mend);
        }
        text.to_owned()
    }

    fn switch(&mut self, key: &str) -> bool {
        let value = self.table.get(key).unwrap_or(&Value::Bool(false));
        value.as_bool().unwrap_or_else(|| {
            self.problem(key, "is neither true nor false", "write true or false, without quotes");
            false
        })
    }

    /// Whether the second of two words was chosen; the first one is the default.
    fn chose_second(&mut self, key: &str, words: [&'static str; 2]) -> bool {
        self.table.get(key).is_some() && self.common.word(key, &words) == Some(words[1])
    }

    fn apps(&mut self) -> Vec<App> {
        let listed = self.table.get("apps").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if listed.is_empty() || listed.len() > APPS_MAX {
            let mend = "write apps = [ { client_key = \"…\", client_secret = { env = \"DOUYIN_SECRET\" } } ]";
            self.problem("apps", format!("is not a list of 1 to {APPS_MAX} applications"), mend);
        }
        let mut apps: Vec<App> = Vec::new();
        for (index, entry) in listed.iter().take(APPS_MAX).enumerate() {
            let mut field = |name: &str| {
                let text = entry.get(name).and_then(Value::as_str).map(str::trim).unwrap_or_default();
                if text.is_empty() {
                    let mend = "copy it from Douyin's console";
                    self.problem(format!("apps.{index}.{name}"), "is missing or empty", mend);
                }
                text.to_owned()
            };
            let app = App { client_key: field("client_key"), client_secret: field("client_secret") };
            if !app.client_key.is_empty() && !super::form::is_client_key(&app.client_key) {
                let key = format!("apps.{index}.client_key");
                let problem =
                    "holds something else than up to 64 letters, digits, - and _: its calls would all be refused";
                self.problem(key, problem, "copy it from Douyin's console");
            }
            for name in entry.as_object().into_iter().flat_map(|fields| fields.keys()) {
                if name != "client_key" && name != "client_secret" {
                    let mend = "an application has client_key and client_secret";
                    self.problem(format!("apps.{index}.{name}"), "is not a setting of an application", mend);
                }
            }
            if !app.client_key.is_empty() && apps.iter().any(|known| known.client_key == app.client_key) {
                let key = format!("apps.{index}.client_key");
                self.problem(key, "names the same application twice", "leave one of the two out");
            }
            apps.push(app);
        }
        apps
    }

    fn time_zone(&mut self) -> TimeZone {
        let Some(value) = self.table.get("time_zone") else { return TimeZone::SHANGHAI };
        value.as_str().and_then(TimeZone::parse).unwrap_or_else(|| {
            self.problem("time_zone", format!("{value} is not a time zone"), "write for example \"Asia/Shanghai\"");
            TimeZone::SHANGHAI
        })
    }

    fn signature_age_max(&mut self) -> Millis {
        let age = self.common.duration("signature_age_max", SIGNATURE_AGE_MOST).unwrap_or(SIGNATURE_AGE_MAX);
        if age < SIGNATURE_AGE_LEAST {
            let problem = "is shorter than an hour: late repeats of the platform's own would be refused";
            self.problem("signature_age_max", problem, "write a length from \"1h\" to \"366d\", for example \"7d\"");
        }
        age
    }

    fn review_warnings(&mut self, limit: Millis) -> Vec<Millis> {
        let Some(value) = self.table.get("review_warn_before") else {
            return REVIEW_WARN_BEFORE.into_iter().filter(|before| *before < limit).collect();
        };
        let Some(listed) = value.as_array().filter(|listed| listed.len() <= WARNINGS_MAX) else {
            let problem = format!("is not a list of at most {WARNINGS_MAX} lengths of time");
            self.problem("review_warn_before", problem, "write for example [\"24h\", \"4h\"]");
            return Vec::new();
        };
        let mut warnings = Vec::new();
        for (index, entry) in listed.iter().enumerate() {
            match entry.as_str().and_then(Millis::parse).filter(|length| length.0 >= 1 && *length < limit) {
                Some(length) => warnings.push(length),
                None => {
                    let key = format!("review_warn_before.{index}");
                    let problem = format!("{entry} is not a length of time shorter than review_limit");
                    self.problem(key, problem, "write a number and a unit, for example \"24h\"");
                }
            }
        }
        warnings.sort_unstable_by(|a, b| b.cmp(a));
        warnings.dedup();
        warnings
    }
}

impl Settings {
    /// Reads settings in which secrets are clear text.
    ///
    /// # Errors
    /// Every problem, at once.
    pub fn read(table: &Value) -> Result<Self, Vec<SettingsProblem>> {
        let mut reader = Reader { table, common: crate::settings::Settings::new(table) };
        let account_id = reader.text("account_id", "write the merchant's root account in Douyin's console");
        let apps = reader.apps();
        let api_base = match table.get("api_base") {
            Some(_) => reader.common.base_url("api_base"),
            None => Some(API_BASE.to_owned()),
        };
        let before_payment = reader.chose_second("creation", ["after_payment", "before_payment"]);
        let is_async = reader.chose_second("confirm", ["sync", "async"]);
        let price_check = reader.switch("price_check");
        let accept_url_signature = reader.switch("accept_url_signature");
        let signature_age_max = reader.signature_age_max();
        let time_zone = reader.time_zone();
        let review_limit = reader.common.duration("review_limit", REVIEW_LIMIT).unwrap_or(REVIEW_LIMIT);
        let review_warn_before = reader.review_warnings(review_limit);
        let rules = ChannelRules {
            time_zone,
            acceptance: if is_async { Acceptance::Async } else { Acceptance::Sync },
            acceptance_limit: ACCEPTANCE_LIMIT,
            tickets: TicketDelivery::OnRequest,
            review_limit,
            review_warn_before,
            price_check,
            redemption_reported: true,
            returns_what_it_kept: true,
            news: Default::default(),
        };
        let creation = if before_payment { Creation::BeforePayment } else { Creation::AfterPayment };
        let read = api_base.map(|api_base| Self {
            account_id,
            apps,
            api_base,
            creation,
            accept_url_signature,
            signature_age_max,
            rules,
        });
        reader.common.finish(read)
    }

    /// Every secret, beginning with the one at `first`.
    pub fn secrets_from(&self, first: usize) -> impl Iterator<Item = &str> + Clone {
        let rest = self.apps.iter().enumerate().filter(move |(index, _)| *index != first).map(|(_, app)| app);
        self.apps.get(first).into_iter().chain(rest).map(|app| app.client_secret.as_str())
    }
}
