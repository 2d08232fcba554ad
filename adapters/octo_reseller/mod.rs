// SPDX-License-Identifier: Apache-2.0

//! Resellers that speak OCTO, with us as their supplier: they ask for products and days, reserve, confirm, extend,
//! cancel and read under `/octo`, each with a key of its own.
//!
//! Reading order: `route` (addresses), `wire` (what is sent), `map` (what it means), `show` (ours in OCTO's words), `reply` (answers),
//! `errors`. `README.md` says what was chosen.
//!
//! What it must never do: sell what is not left, keep a place for longer than it says, or answer that a booking is cancelled before its
//! tickets are void.

use http::header::AUTHORIZATION;
use serde_json::{Value, json};
use subtle::{Choice, ConstantTimeEq as _};
use ticketbridge_core::message::Notification;
use ticketbridge_core::order::Order;
use ticketbridge_core::port::{
    Answer, AuthError, Built, Call, CallResult, Channel, ChannelKind, ChannelSpec, Context, DecodeError, EncodeError,
    Endpoint, HttpReply, HttpResponse, Inbound, RawRequest, Replayed, SellsIn, Verified, VerifyStep, Yes,
};
use ticketbridge_core::product::ChannelRules;
use ticketbridge_core::time::{Millis, UnixMillis};

use settings::Settings;

mod errors;
mod map;
mod reply;
mod route;
mod settings;
mod show;
mod wire;

/// Bytes of a message at most.
const BODY_BYTES_MAX: usize = 256 * 1024;
const SCHEME: &str = "Bearer ";

/// Answers that need nobody else come within three seconds; reserving may wait for a back-end's place, confirming for its tickets,
/// cancelling until they are void.
const ENDPOINTS: &[Endpoint] = &[
    endpoint(route::SUPPLIER, 3_000, false),
    endpoint(route::SUPPLIERS, 3_000, false),
    endpoint(route::CAPABILITIES, 3_000, false),
    endpoint(route::PRODUCTS, 5_000, false),
    endpoint(route::PRODUCT, 3_000, false),
    endpoint(route::AVAILABILITY, 5_000, false),
    endpoint(route::CALENDAR, 5_000, false),
    endpoint(route::RESERVE, 10_000, false),
    endpoint(route::BOOKING, 3_000, false),
    endpoint(route::BOOKINGS, 5_000, false),
    endpoint(route::UPDATE, 3_000, false),
    endpoint(route::CONFIRM, 8_000, true),
    endpoint(route::EXTEND, 3_000, false),
    endpoint(route::CANCEL, 8_000, true),
];

const fn endpoint(name: &'static str, budget: i64, waits_for_tickets: bool) -> Endpoint {
    Endpoint { name, budget: Millis(budget), waits_for_tickets, answers_from_state: true }
}

/// The adapter, as registered.
pub const KIND: ChannelKind = ChannelKind {
    name: "octo_reseller",
    settings: settings::KEYS,
    secrets: settings::SECRETS,
    addresses: &[],
    sells_in: SellsIn::Setting("currency"),
    face: Some(&route::FACE),
    build,
};

struct Reseller {
    settings: Settings,
    spec: ChannelSpec,
}

fn build(id: &str, settings: &Value) -> Built<dyn Channel> {
    let spec = ChannelSpec {
        endpoints: ENDPOINTS,
        capabilities: json!({ "hold": true, "extend": true, "cancel": true, "pricing": true }),
        body_bytes_max: BODY_BYTES_MAX,
        calls_per_second: None,
    };
    Ok(Box::new(Reseller { settings: Settings::read(id, settings)?, spec }))
}

impl Reseller {
    /// Which of the keys is the one presented. Every key is looked at, and takes as long whatever is presented.
    fn key_index(&self, presented: &str) -> Option<usize> {
        let found =
            self.settings.keys.iter().enumerate().fold((Choice::from(0), 0_usize), |(found, at), (index, key)| {
                let is_it = presented.as_bytes().ct_eq(key.as_bytes());
                (found | is_it, if bool::from(is_it) { index } else { at })
            });
        bool::from(found.0).then_some(found.1)
    }
}

/// What stands behind `Bearer`.
fn presented<'r>(raw: &RawRequest<'r>) -> Result<&'r str, AuthError> {
    let header = raw.headers.get(AUTHORIZATION).ok_or(AuthError::Missing("the header authorization"))?;
    // The scheme's name is written in any case (RFC 9110, 11.1).
    let is_scheme = |scheme: &str| scheme.eq_ignore_ascii_case(SCHEME);
    let text = header.to_str().ok().and_then(|text| text.split_at_checked(SCHEME.len()));
    let text = text.filter(|(scheme, _)| is_scheme(scheme)).map(|(_, key)| key.trim());
    text.filter(|key| !key.is_empty()).ok_or(AuthError::Missing("a key behind Bearer"))
}

impl Channel for Reseller {
    fn spec(&self) -> &ChannelSpec {
        &self.spec
    }
    fn rules(&self) -> ChannelRules {
        self.settings.rules.clone()
    }
    fn verify<'a>(&self, raw: RawRequest<'a>, _cx: &Context<'_>) -> Result<Verified<'a>, AuthError> {
        match self.key_index(presented(&raw)?) {
            Some(index) => Ok(Verified::attest(raw, index)),
            None => Err(AuthError::UnknownKey("bearer".into())),
        }
    }
    fn explain_verify(&self, raw: RawRequest<'_>, _cx: &Context<'_>) -> Vec<VerifyStep> {
        let (found, ok) = match presented(&raw).map(|key| self.key_index(key)) {
            Ok(Some(index)) => (format!("key number {} of this channel's", index + 1), true),
            Ok(None) => ("none of this channel's keys".to_owned(), false),
            Err(error) => (error.to_string(), false),
        };
        vec![VerifyStep { what: "the key behind Authorization: Bearer".to_owned(), found, ok: Some(ok) }]
    }
    fn sign_again(&self, request: &mut Replayed, _now: UnixMillis) {
        let bearer = self.settings.keys.first().map(|key| format!("{SCHEME}{key}"));
        if let Some(value) = bearer.and_then(|bearer| bearer.parse().ok()) {
            request.headers.insert(AUTHORIZATION, value);
        }
    }
    fn decode(&self, request: &Verified<'_>) -> Result<Inbound, DecodeError> {
        map::decode(&self.settings, request)
    }
    fn reply(&self, endpoint: &str, inbound: Option<&Inbound>, answer: &Answer<'_>) -> HttpReply {
        reply::reply(&self.settings, endpoint, inbound, answer)
    }
    fn notify(&self, _notification: &Notification, _order: &Order, _cx: &Context<'_>) -> Result<Call, EncodeError> {
        Err(EncodeError::Obsolete("the reseller asks how its bookings stand, and is sent nothing"))
    }
    fn read_notification(
        &self,
        _notification: &Notification,
        _order: &Order,
        _response: &HttpResponse,
    ) -> CallResult<Yes> {
        CallResult::Refused { code: "unsupported".into(), why: "resellers are sent nothing".into() }
    }
    fn label(&self, order: &Order) -> String {
        let booking = order.booking.as_ref();
        booking.map_or("", |booking| show::status(order, booking)).to_owned()
    }
}
