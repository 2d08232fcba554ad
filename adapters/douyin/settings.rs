//! The channel's settings (`contract.md` 2), read from the clear values of its file.

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
/// Time for an asynchronous acceptance (`protocols/douyin.md` 6).
const ACCEPTANCE_LIMIT: Millis = Millis::minutes(10);
/// Time for the decision on a refund (`protocols/douyin.md` 11).
const REVIEW_LIMIT: Millis = Millis::hours(72);

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
    /// After it was paid; the answer accepts or declines.
    AfterPayment,
    /// Before; the answer to the payment notice accepts or declines.
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
    /// What the channel demands of its orders.
    pub rules: ChannelRules,
}

/// Reads settings, noting what is wrong instead of stopping at it.
struct Reader<'a> {
    settings: &'a Value,
    problems: Vec<SettingsProblem>,
}

impl Reader<'_> {
    fn problem(&mut self, key: impl Into<String>, problem: impl Into<String>, mend: impl Into<String>) {
        let (key, problem, mend) = (key.into(), problem.into(), mend.into());
        self.problems.push(SettingsProblem { key, problem, mend, warning: false });
    }

    fn text(&mut self, key: &str, default: Option<&str>, mend: &str) -> String {
        match (self.settings.get(key), default) {
            (Some(Value::String(text)), _) if !text.trim().is_empty() => text.trim().to_owned(),
            (None, Some(default)) => default.to_owned(),
            (None, None) => {
                self.problem(key, "is missing", mend);
                String::new()
            }
            (Some(Value::String(_)), _) => {
                self.problem(key, "is empty", mend);
                String::new()
            }
            (Some(_), _) => {
                self.problem(key, "is not text", mend);
                String::new()
            }
        }
    }

    fn switch(&mut self, key: &str) -> bool {
        match self.settings.get(key) {
            None => false,
            Some(Value::Bool(on)) => *on,
            Some(_) => {
                self.problem(key, "is neither true nor false", "write true or false, without quotes");
                false
            }
        }
    }

    fn choice<T: Copy>(&mut self, key: &str, choices: [(&str, T); 2]) -> T {
        let mend = format!("write \"{}\" or \"{}\"", choices[0].0, choices[1].0);
        let word = self.text(key, Some(choices[0].0), &mend);
        match choices.iter().find(|(name, _)| *name == word) {
            Some((_, choice)) => *choice,
            None => {
                if !word.is_empty() {
                    self.problem(key, format!("`{word}` is not one of its values"), mend);
                }
                choices[0].1
            }
        }
    }

    fn length(&mut self, key: &str, value: &Value) -> Option<Millis> {
        let length = value.as_str().and_then(Millis::parse).filter(|length| length.0 >= 1);
        if length.is_none() {
            self.problem(
                key,
                "is not a length of time",
                "write a number with a unit (ms s m h d), for example \"72h\"",
            );
        }
        length
    }

    fn apps(&mut self) -> Vec<App> {
        let mend = "write apps = [ { client_key = \"…\", client_secret = { env = \"DOUYIN_SECRET\" } } ]";
        let Some(listed) = self.settings.get("apps") else {
            self.problem("apps", "is missing", mend);
            return Vec::new();
        };
        let listed = listed.as_array().map(Vec::as_slice).unwrap_or_default();
        if listed.is_empty() || listed.len() > APPS_MAX {
            self.problem("apps", format!("is not a list of 1 to {APPS_MAX} applications"), mend);
        }
        let mut apps: Vec<App> = Vec::new();
        for (index, entry) in listed.iter().take(APPS_MAX).enumerate() {
            let mut field = |name: &str| match entry.get(name).and_then(Value::as_str).map(str::trim) {
                Some(text) if !text.is_empty() => text.to_owned(),
                _ => {
                    self.problem(
                        format!("apps.{index}.{name}"),
                        "is missing or empty",
                        "copy it from Douyin's console",
                    );
                    String::new()
                }
            };
            let app = App { client_key: field("client_key"), client_secret: field("client_secret") };
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

    fn api_base(&mut self) -> String {
        let mend = "write the address without a path, for example \"https://open.douyin.com\"";
        let base = self.text("api_base", Some(API_BASE), mend);
        let uri = base.parse::<http::Uri>().ok();
        let web = uri.as_ref().is_some_and(|uri| {
            matches!(uri.scheme_str(), Some("https" | "http")) && uri.host().is_some() && uri.query().is_none()
        });
        if !base.is_empty() && !web {
            self.problem("api_base", "is not a web address", mend);
        }
        base.trim_end_matches('/').to_owned()
    }

    fn time_zone(&mut self) -> TimeZone {
        let mend = "write an IANA name, for example \"Asia/Shanghai\"";
        let name = self.text("time_zone", Some(TimeZone::SHANGHAI.name()), mend);
        TimeZone::parse(&name).unwrap_or_else(|| {
            if !name.is_empty() {
                self.problem("time_zone", format!("`{name}` is not a time zone"), mend);
            }
            TimeZone::SHANGHAI
        })
    }

    fn review_limit(&mut self) -> Millis {
        let Some(value) = self.settings.get("review_limit") else { return REVIEW_LIMIT };
        let limit = self.length("review_limit", value).unwrap_or(REVIEW_LIMIT);
        if limit > REVIEW_LIMIT {
            self.problem(
                "review_limit",
                "is longer than Douyin waits",
                "Douyin refunds by itself after 72h: write at most \"72h\"",
            );
        }
        limit
    }

    fn review_warnings(&mut self, limit: Millis) -> Vec<Millis> {
        let Some(value) = self.settings.get("review_warn_before") else { return Vec::new() };
        let Some(listed) = value.as_array().filter(|listed| listed.len() <= WARNINGS_MAX) else {
            let problem = format!("is not a list of at most {WARNINGS_MAX} lengths of time");
            self.problem("review_warn_before", problem, "write for example [\"24h\", \"4h\"]");
            return Vec::new();
        };
        let mut warnings = Vec::new();
        for (index, entry) in listed.iter().enumerate() {
            let key = format!("review_warn_before.{index}");
            if let Some(length) = self.length(&key, entry) {
                if length >= limit {
                    self.problem(key, "is not shorter than review_limit", "warn later, or lengthen review_limit");
                }
                warnings.push(length);
            }
        }
        warnings.sort_unstable_by(|a, b| b.cmp(a));
        warnings.dedup();
        warnings
    }
}

impl Settings {
    /// Reads settings in which secrets are clear text; every problem at once.
    pub fn read(settings: &Value) -> Result<Self, Vec<SettingsProblem>> {
        let mut reader = Reader { settings, problems: Vec::new() };
        let account_id = reader.text("account_id", None, "write the merchant's root account in Douyin's console");
        let apps = reader.apps();
        let api_base = reader.api_base();
        let creation = reader.choice(
            "creation",
            [("after_payment", Creation::AfterPayment), ("before_payment", Creation::BeforePayment)],
        );
        let acceptance = reader.choice("confirm", [("sync", Acceptance::Sync), ("async", Acceptance::Async)]);
        let price_check = reader.switch("price_check");
        let accept_url_signature = reader.switch("accept_url_signature");
        let time_zone = reader.time_zone();
        let review_limit = reader.review_limit();
        let review_warn_before = reader.review_warnings(review_limit);
        if !reader.problems.is_empty() {
            return Err(reader.problems);
        }
        let rules = ChannelRules {
            time_zone,
            acceptance,
            acceptance_limit: ACCEPTANCE_LIMIT,
            tickets: TicketDelivery::OnRequest,
            review_limit,
            review_warn_before,
            price_check,
            redemption_reported: true,
        };
        Ok(Self { account_id, apps, api_base, creation, accept_url_signature, rules })
    }

    /// Every secret, beginning with the one at `first`.
    pub fn secrets_from(&self, first: usize) -> impl Iterator<Item = &str> + Clone {
        let rest = self.apps.iter().enumerate().filter(move |(index, _)| *index != first).map(|(_, app)| app);
        self.apps.get(first).into_iter().chain(rest).map(|app| app.client_secret.as_str())
    }
}
