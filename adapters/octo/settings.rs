// SPDX-License-Identifier: Apache-2.0

//! The settings of one supplier, and what is wrong with them.

use http::HeaderValue;
use ticketbridge_core::port::{Backend, BackendSpec, BackendTable, Built, CodeMaker, RedemptionNews, WatchPlan};
use ticketbridge_core::time::{Millis, TimeZone};

use super::supplier::{CancelStyle, HoldAt, Octo, OnDeadline, RepeatReserve, Timeouts};
use crate::settings::Settings;

pub(super) const KEYS: &[&str] = &[
    "base_url",
    "key",
    "capabilities",
    "supplier_path",
    "cancel_style",
    "hold_at",
    "hold",
    "on_deadline",
    "repeat_reserve",
    "formats",
    "test_mode",
    "trailing_slash",
    "time_zone",
    "timeouts",
    "timeouts.read",
    "timeouts.reserve",
    "timeouts.confirm",
    "redemption_poll",
    "redemption_poll.every",
    "redemption_poll.from_before",
    "redemption_poll.until_after",
    "hint_secret",
];
pub(super) const SECRETS: &[&str] = &["key", "hint_secret"];

/// The extension by which prices are told.
const PRICING: &str = "octo/pricing";
/// The forms of a ticket that OCTO has a word for.
const FORMATS: &[&str] = &["QRCODE", "CODE128", "AZTECCODE", "PDF_URL", "PKPASS_URL"];
/// Those that every channel can show.
const FORMATS_DEFAULT: [&str; 4] = ["QRCODE", "CODE128", "AZTECCODE", "PDF_URL"];
/// The longest time that one call may be given.
const TIMEOUT_MAX: Millis = Millis::minutes(1);
/// The longest time between two questions whether a guest has come.
const POLL_MAX: Millis = Millis::hours(24);
/// Characters of the secret in the address for hints, at least: it is all that keeps strangers from asking for reads.
const HINT_SECRET_CHARS: usize = 16;
/// The longest hold that can be asked for.
const HOLD_MAX: Millis = Millis::hours(24);

impl Octo {
    pub(super) fn build(id: &str, settings: &serde_json::Value) -> Built<dyn Backend> {
        let mut settings = Settings::new(settings);
        let base_url = settings.base_url("base_url");
        let key = settings.text("key", "write the key that the supplier gave you, best from { env = \"NAME\" }");
        let authorization = key.and_then(|key| sensitive(&mut settings, key));
        let capabilities = settings.texts("capabilities").unwrap_or_default();
        let tells_prices = capabilities.iter().any(|id| *id == PRICING);
        let capabilities = HeaderValue::from_str(&capabilities.join(", ")).ok();
        if capabilities.is_none() {
            settings.problem(
                "capabilities",
                "an extension's name cannot go into a header",
                "write names as octo/pricing",
            );
        }
        let supplier_path = settings.word_or("supplier_path", &["supplier", "suppliers"]);
        let cancel_style = match settings.word_or("cancel_style", &["post", "delete"]) {
            "delete" => CancelStyle::Delete,
            _ => CancelStyle::Post,
        };
        let hold_at = match settings.word_or("hold_at", &["ticketing", "booking"]) {
            "booking" => HoldAt::Booking,
            _ => HoldAt::Ticketing,
        };
        let on_deadline = match settings.word_or("on_deadline", &["keep", "give_up"]) {
            "give_up" => OnDeadline::GiveUp,
            _ => OnDeadline::Keep,
        };
        let repeat_reserve = match settings.word_or("repeat_reserve", &["read_first", "never"]) {
            "never" => RepeatReserve::Never,
            _ => RepeatReserve::ReadFirst,
        };
        let formats = settings.words("formats", FORMATS);
        let formats = formats.unwrap_or_else(|| FORMATS_DEFAULT.to_vec()).into_iter().map(str::to_owned).collect();
        let (test_mode, trailing_slash) = (settings.flag("test_mode"), settings.flag("trailing_slash"));
        let hold = settings.duration("hold", HOLD_MAX).unwrap_or(Millis::minutes(15));
        let time_zone = settings.time_zone("time_zone");
        let watch = watch_plan(&mut settings);
        let hint_secret = settings.optional_text("hint_secret").map(str::to_owned);
        if hint_secret.as_ref().is_some_and(|secret| secret.len() < HINT_SECRET_CHARS) {
            let mend = "make a long one, for example with openssl rand -hex 32";
            settings.problem("hint_secret", format!("it has fewer than {HINT_SECRET_CHARS} characters"), mend);
        }
        let timeouts = timeouts(&mut settings);
        let read = base_url.zip(authorization).zip(capabilities);
        let ((base_url, authorization), capabilities) = settings.finish(read)?;
        let time_zone = time_zone.unwrap_or(TimeZone::UTC);
        let spec = spec(watch, tells_prices);
        Ok(Box::new(Self {
            id: id.to_owned(),
            base_url,
            authorization,
            capabilities,
            supplier_path,
            cancel_style,
            hold,
            hold_at,
            on_deadline,
            repeat_reserve,
            formats,
            test_mode,
            trailing_slash,
            time_zone,
            timeouts,
            hint_secret,
            spec,
        }))
    }
}

/// When it is asked whether guests have come.
fn watch_plan(settings: &mut Settings<'_>) -> WatchPlan {
    let mut poll =
        |key: &str, default: Millis| settings.duration(&format!("redemption_poll.{key}"), POLL_MAX).unwrap_or(default);
    WatchPlan {
        every: poll("every", Millis::minutes(10)),
        from_before: poll("from_before", Millis::hours(1)),
        until_after: poll("until_after", Millis::hours(2)),
    }
}

/// How long each kind of call may take.
fn timeouts(settings: &mut Settings<'_>) -> Timeouts {
    Timeouts {
        read: settings.duration("timeouts.read", TIMEOUT_MAX).unwrap_or(Millis::seconds(5)),
        reserve: settings.duration("timeouts.reserve", TIMEOUT_MAX).unwrap_or(Millis::seconds(10)),
        confirm: settings.duration("timeouts.confirm", TIMEOUT_MAX).unwrap_or(Millis::seconds(15)),
    }
}

/// The key as a header that no log shows.
fn sensitive(settings: &mut Settings<'_>, key: &str) -> Option<HeaderValue> {
    match HeaderValue::from_str(&format!("Bearer {key}")) {
        Ok(mut value) => {
            value.set_sensitive(true);
            Some(value)
        }
        Err(_) => {
            settings.problem(
                "key",
                "the key has characters that no header can carry",
                "copy it again, without line ends",
            );
            None
        }
    }
}

/// What an OCTO system can do. Partial cancellation would be an update, which whole orders do not need.
fn spec(watch: WatchPlan, tells_prices: bool) -> BackendSpec {
    let table = BackendTable {
        hold: true,
        async_issue: true,
        code_maker: CodeMaker::Backend,
        partial_cancel: false,
        audited_cancel: false,
        cancel_after_use: false,
        resend: false,
        lookup_by_reference: true,
        redemption: RedemptionNews::Polled,
        price_check: tells_prices,
    };
    BackendSpec {
        // Every repeat begins with a question.
        issue_is_idempotent: true,
        can_query: true,
        watch: Some(watch),
        capabilities: table.shown(serde_json::json!({
            "issue": true, "query": true, "cancel": true, "push": false, "availability": true,
        })),
        table,
    }
}
