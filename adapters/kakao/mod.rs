// SPDX-License-Identifier: Apache-2.0

//! Kakao-style booking: direct orders that the platform tells whole, confirmed by itself or by a manager
//! (KA-01 to KA-08).
//!
//! Reading order: `wire` (an event, read and checked), `map` (what it means), `reply` (our answer), `calls` (what we ask of the
//! platform), `legacy` (its older, unsigned webhooks). `README.md` says what was chosen.
//!
//! What it must never do: confirm or reject a part of a booking, raise a fee above the platform's, or answer the question of
//! availability with yes when it does not know.

use serde_json::{Map, Value, json};
use ticketbridge_core::id::ExternalId;
use ticketbridge_core::message::{Command, Notification, Snapshot};
use ticketbridge_core::order::Order;
use ticketbridge_core::port::{
    Answer, AuthError, Built, Call, CallResult, ChangeList, Changes, Channel, ChannelKind, ChannelSpec, Context,
    DecodeError, EncodeError, HttpReply, HttpResponse, Inbound, RawRequest, ReadBack, Replayed, SellsIn, StockLeft,
    TakesStock, Verified, VerifyFirst, VerifyStep, Yes,
};
use ticketbridge_core::product::ChannelRules;
use ticketbridge_core::time::UnixMillis;

use crate::fat_events::{self, settings::Common};
use crate::schemas;
use crate::settings::Settings as Reader;

mod calls;
mod endpoints;
mod label;
mod legacy;
mod map;
mod reply;
pub(crate) mod schema;
mod sums;
mod wire;

use endpoints::{AVAILABILITY, CHANNEL, ENDPOINTS};

/// The settings that are known. `allow_from`, `rate_per_caller` and `commission_bp` are the shell's too.
const KEYS: &[&str] = &[
    "secrets",
    "api_base",
    "api_secret",
    "capabilities",
    "time_zone",
    "commission_bp",
    "confirm_limit",
    "naive_timezone",
    "admin_key",
    "use_code",
    "schedule_id",
    "allow_from",
    "rate_per_caller",
];
/// The settings that are secrets.
const SECRETS: &[&str] = &["secrets", "secrets.*", "api_secret", "api_secret.*", "admin_key", "use_code"];

/// The capabilities that mean something here. What is not listed in the settings is a person's task.
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
    "stock",
];
/// A schedule is a slot at a price; we keep what is left by date.
const SCHEDULE_ID: &str = "{date}";

/// The adapter, as registered.
pub const KIND: ChannelKind = ChannelKind {
    name: "kakao",
    settings: KEYS,
    secrets: SECRETS,
    addresses: &["api_base"],
    sells_in: SellsIn::Always("KRW"),
    face: None,
    build,
};

struct Kakao {
    settings: Common,
    own: Own,
    spec: ChannelSpec,
}

/// Settings of this adapter alone.
struct Own {
    /// The key of the platform's older webhooks, if they are taken.
    admin_key: Option<String>,
    /// The code of the place by which a booking is used, if it has one.
    use_code: Option<String>,
    /// How the platform names the schedule of a date.
    schedule_id: String,
}

fn build(_id: &str, settings: &Value) -> Built<dyn Channel> {
    let (settings, own) = fat_events::settings::read(settings, &[], |reader| read_own(reader, settings))?;
    let capabilities: Map<String, Value> =
        CAPABILITIES.iter().map(|word| ((*word).to_owned(), json!(settings.can(word)))).collect();
    let spec = ChannelSpec {
        endpoints: ENDPOINTS,
        capabilities: Value::Object(capabilities),
        body_bytes_max: fat_events::BODY_BYTES_MAX,
        calls_per_second: None,
    };
    Ok(Box::new(Kakao { settings, own, spec }))
}

fn read_own(reader: &mut Reader<'_>, table: &Value) -> Option<Own> {
    let mut text = |key: &str, mend: &str| match table.get(key) {
        None => None,
        Some(Value::String(text)) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Some(_) => {
            reader.problem(key, "it is no text", mend);
            None
        }
    };
    let admin_key = text("admin_key", "write { env = \"KAKAO_ADMIN_KEY\" }");
    let use_code = text("use_code", "write { env = \"KAKAO_USE_CODE\" }");
    let schedule_id = text("schedule_id", "write how the platform names a schedule, for example \"{product}-{date}\"");
    let listed = table.get("allow_from").and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    if admin_key.is_some() && !listed {
        let why = "bodies under a fixed key are not signed, so their callers must be listed";
        reader.problem("admin_key", why, "list the platform's addresses in allow_from");
    }
    if use_code.as_deref().is_some_and(|code| !is_use_code(code)) {
        reader.problem(
            "use_code",
            "it is not four digits",
            "write the place's present code, as the partner centre shows it",
        );
    }
    Some(Own { admin_key, use_code, schedule_id: schedule_id.unwrap_or_else(|| SCHEDULE_ID.to_owned()) })
}

/// Four digits.
fn is_use_code(text: &str) -> bool {
    text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl Kakao {
    /// The place's code, where the platform takes it. It is the one of this moment, whenever the booking was made: it is read when a
    /// call is written, and kept nowhere.
    fn use_code(&self) -> Option<&str> {
        self.own.use_code.as_deref().filter(|_| self.settings.can("use_code"))
    }
}

impl Channel for Kakao {
    fn spec(&self) -> &ChannelSpec {
        &self.spec
    }
    fn rules(&self) -> ChannelRules {
        // A payment goes back alone from a booking that was used, or whose guest did not come.
        ChannelRules { returns_what_it_kept: false, ..self.settings.rules.clone() }
    }
    fn verify<'a>(&self, raw: RawRequest<'a>, cx: &Context<'_>) -> Result<Verified<'a>, AuthError> {
        if raw.endpoint == CHANNEL {
            return legacy::verify(self.own.admin_key.as_deref(), raw);
        }
        fat_events::verify(&self.settings.secrets, raw, cx)
    }
    fn explain_verify(&self, raw: RawRequest<'_>, cx: &Context<'_>) -> Vec<VerifyStep> {
        self.settings.secrets.explain(raw.headers, raw.body, cx.now)
    }
    fn sign_again(&self, request: &mut Replayed, now: UnixMillis) {
        self.settings.secrets.sign_again(request, now);
    }
    fn decode(&self, request: &Verified<'_>) -> Result<Inbound, DecodeError> {
        let schema = if request.endpoint() == AVAILABILITY { "kakao/availability" } else { "kakao/event" };
        map::decode(&self.settings, request).map_err(|error| schemas::with_all_and(schema, request, error, sums::wrong))
    }
    fn sent_at(&self, request: &Verified<'_>) -> Option<UnixMillis> {
        fat_events::occurred_at(&self.settings, request)
    }
    fn named_in(&self, request: &Verified<'_>) -> Option<ExternalId> {
        fat_events::named_in(request, "reservation", "reservation_no")
    }
    fn reply(&self, endpoint: &str, inbound: Option<&Inbound>, answer: &Answer<'_>) -> HttpReply {
        reply::reply(&self.settings, endpoint, inbound, answer)
    }
    fn notify(&self, notification: &Notification, order: &Order, cx: &Context<'_>) -> Result<Call, EncodeError> {
        calls::notify(&self.settings, self.use_code(), notification, order, cx)
    }
    fn read_notification(
        &self,
        notification: &Notification,
        order: &Order,
        response: &HttpResponse,
    ) -> CallResult<Yes> {
        calls::read_notification(notification, order, response)
    }
    fn learned(&self, notification: &Notification, order: &Order, response: &HttpResponse) -> Vec<Command> {
        calls::learned(&self.settings, notification, order, response)
    }
    fn label(&self, order: &Order) -> String {
        label::label(order).to_owned()
    }
    fn read_back(&self) -> Option<&dyn ReadBack> {
        self.settings.can("read_back").then_some(self)
    }
    fn verify_first(&self, _: &Notification) -> Option<&dyn VerifyFirst> {
        self.settings.can("read_back").then_some(self)
    }
    fn change_list(&self) -> Option<&dyn ChangeList> {
        self.settings.can("read_back").then_some(self)
    }
    fn takes_stock(&self) -> Option<&dyn TakesStock> {
        self.settings.can("stock").then_some(self)
    }
}

impl ReadBack for Kakao {
    fn call(&self, about: &ExternalId, cx: &Context<'_>) -> Result<Call, EncodeError> {
        calls::read_back(&self.settings, about, cx)
    }
    fn read(&self, about: &ExternalId, response: &HttpResponse) -> CallResult<Box<Snapshot>> {
        calls::read_read_back(&self.settings, about, response)
    }
}

impl ChangeList for Kakao {
    fn call(
        &self,
        from: UnixMillis,
        to: UnixMillis,
        cursor: Option<&str>,
        cx: &Context<'_>,
    ) -> Result<Call, EncodeError> {
        calls::list_changes(&self.settings, (from, to), cursor, cx)
    }
    fn read(&self, response: &HttpResponse) -> CallResult<Changes> {
        calls::read_changes(&self.settings, response)
    }
}

impl TakesStock for Kakao {
    fn call(&self, stock: &StockLeft<'_>, cx: &Context<'_>) -> Result<Call, EncodeError> {
        calls::stock(&self.settings, &self.own.schedule_id, stock, cx)
    }
    fn read(&self, stock: &StockLeft<'_>, response: &HttpResponse) -> CallResult<()> {
        calls::read_stock(stock, response)
    }
}
