//! Kakao-style booking: direct orders that the platform tells whole, confirmed by itself or by a manager
//! (`protocols/korea.md` 7; `product.md` KA-01 to KA-08).
//!
//! Reading order: `wire` (an event, read and checked), `map` (what it means), `reply` (our answer), `calls` (what we ask of the
//! platform). `README.md` says what was chosen.
//!
//! What it must never do: confirm or decline a part of a booking, raise a fee above the platform's, or answer the question of
//! availability with yes when it does not know.

use serde_json::{Map, Value, json};
use ticketbridge_core::command::Command;
use ticketbridge_core::effect::Report;
use ticketbridge_core::id::ExternalId;
use ticketbridge_core::mirror::Snapshot;
use ticketbridge_core::order::Order;
use ticketbridge_core::port::{
    Answer, AuthError, Built, Call, CallResult, Channel, ChannelKind, ChannelSpec, Context, DecodeError, EncodeError,
    Endpoint, HttpReply, HttpResponse, Inbound, RawRequest, Verified, VerifyStep,
};
use ticketbridge_core::product::ChannelRules;
use ticketbridge_core::time::Millis;

use crate::fat_events::{self, calls as outbound, settings::Common};

mod calls;
mod label;
mod map;
mod reply;
mod wire;

const EVENTS: &str = "events";
const AVAILABILITY: &str = "availability";

/// Kakao's own limit for an answer is 3 s, and 2 s for the question of availability (7.1).
const ENDPOINTS: &[Endpoint] = &[endpoint(EVENTS, 3_000), endpoint(AVAILABILITY, 2_000)];

const fn endpoint(name: &'static str, budget: i64) -> Endpoint {
    Endpoint { name, budget: Millis(budget), waits_for_tickets: false, answers_from_state: true }
}

/// The settings that are known. `allow_from`, `rate_per_caller` and `commission_bp` are the shell's too.
const KEYS: &[&str] = &[
    "secrets",
    "api_base",
    "api_secret",
    "capabilities",
    "time_zone",
    "commission_bp",
    "confirm_limit",
    "allow_from",
    "rate_per_caller",
];
/// The settings that are secrets.
const SECRETS: &[&str] = &["secrets", "secrets.*", "api_secret", "api_secret.*"];

/// What a platform can do (7.9).
const CAPABILITIES: &[&str] = &[
    "confirm",
    "reject",
    "cancel",
    "partial_cancel",
    "payment_only_cancel",
    "no_show",
    "use_code",
    "revision",
    "read_back",
];

/// The adapter, as registered.
pub const KIND: ChannelKind = ChannelKind { name: "kakao", settings: KEYS, secrets: SECRETS, currency: "KRW", build };

struct Kakao {
    settings: Common,
    spec: ChannelSpec,
}

fn build(_id: &str, settings: &Value) -> Built<dyn Channel> {
    let (settings, ()) = fat_events::settings::read(settings, CAPABILITIES, |_| Some(()))?;
    let capabilities: Map<String, Value> =
        CAPABILITIES.iter().map(|word| ((*word).to_owned(), json!(settings.can(word)))).collect();
    let spec = ChannelSpec {
        endpoints: ENDPOINTS,
        capabilities: Value::Object(capabilities),
        needs_token: false,
        calls_per_second: None,
    };
    Ok(Box::new(Kakao { settings, spec }))
}

impl Channel for Kakao {
    fn spec(&self) -> &ChannelSpec {
        &self.spec
    }
    fn rules(&self) -> ChannelRules {
        self.settings.rules.clone()
    }
    fn verify<'a>(&self, raw: RawRequest<'a>, cx: &Context<'_>) -> Result<Verified<'a>, AuthError> {
        fat_events::verify(&self.settings.secrets, raw, cx)
    }
    fn explain_verify(&self, raw: RawRequest<'_>, cx: &Context<'_>) -> Vec<VerifyStep> {
        self.settings.secrets.explain(raw.headers, raw.body, cx.now)
    }
    fn decode(&self, request: &Verified<'_>) -> Result<Inbound, DecodeError> {
        map::decode(&self.settings, request)
    }
    fn reply(&self, endpoint: &str, inbound: Option<&Inbound>, answer: &Answer<'_>) -> HttpReply {
        reply::reply(&self.settings, endpoint, inbound, answer)
    }
    fn report(&self, report: &Report, order: &Order, cx: &Context<'_>) -> Result<Call, EncodeError> {
        calls::report(&self.settings, report, order, cx)
    }
    fn read_report(&self, _report: &Report, response: &HttpResponse) -> CallResult<()> {
        outbound::read(response)
    }
    fn learned(&self, report: &Report, order: &Order, response: &HttpResponse) -> Vec<Command> {
        calls::learned(&self.settings, report, order, response)
    }
    fn read_back(&self, about: &ExternalId, cx: &Context<'_>) -> Result<Call, EncodeError> {
        calls::read_back(&self.settings, about, cx)
    }
    fn read_read_back(&self, response: &HttpResponse) -> CallResult<Box<Snapshot>> {
        calls::read_read_back(&self.settings, response)
    }
    fn label(&self, order: &Order) -> String {
        label::label(order).to_owned()
    }
}
