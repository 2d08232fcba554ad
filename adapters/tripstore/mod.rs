// SPDX-License-Identifier: Apache-2.0

//! TripStore-style marketplace: package bookings with deposits, payment links and an agency behind them
//! (TS-01 to TS-08).
//!
//! Reading order: `wire` (an event, read and checked), `map` (what it means), `calls` (what we ask of the marketplace), `erp` (the
//! hand-over to the agency's own books), `label` (the eight names of the guide, derived).
//!
//! What it must never do: change a booking that the agency takes the money for, show the agency's books a traveller's phone, or use
//! the agency's own number as a key.

use serde_json::{Map, Value, json};
use ticketbridge_core::id::ExternalId;
use ticketbridge_core::message::{Command, Notification, Snapshot};
use ticketbridge_core::order::Order;
use ticketbridge_core::port::{
    Answer, AuthError, Built, Call, CallResult, ChangeList, Changes, Channel, ChannelKind, ChannelSpec, Checked,
    Context, DecodeError, EncodeError, Endpoint, HttpReply, HttpResponse, Inbound, RawRequest, ReadBack, Replayed,
    SellsIn, Verified, VerifyFirst, VerifyStep, Yes,
};
use ticketbridge_core::product::ChannelRules;
use ticketbridge_core::time::{Millis, UnixMillis};

use crate::fat_events::answers::Words;
use crate::fat_events::settings::Common;
use crate::fat_events::{self, answers};
use crate::schemas;
use crate::settings::Settings as Reader;

mod calls;
mod erp;
mod label;
mod map;
pub(crate) mod schema;
mod wire;

use erp::Erp;

const ENDPOINTS: &[Endpoint] =
    &[Endpoint { name: "events", budget: Millis(3_000), waits_for_tickets: false, answers_from_state: true }];

/// The settings that are known. `allow_from`, `rate_per_caller` and `commission_bp` are the shell's too.
const KEYS: &[&str] = &[
    "secrets",
    "api_base",
    "api_secret",
    "capabilities",
    "time_zone",
    "commission_bp",
    "confirm_limit",
    "review_limit",
    "naive_timezone",
    "erp",
    "erp.base_url",
    "erp.secret",
    "memo_tail",
    "allow_from",
    "rate_per_caller",
];
/// The settings that are secrets.
const SECRETS: &[&str] = &["secrets", "secrets.*", "api_secret", "api_secret.*", "erp.secret", "erp.secret.*"];

/// The capabilities that mean something here, all there where none are listed: `confirm` completes a booking, `cancel` finishes a
/// cancellation, `payment_only_cancel` returns a payment. Payment links are what a marketplace of this kind always has.
const CAPABILITIES: &[&str] = &["confirm", "cancel", "payment_only_cancel", "read_back"];

/// The adapter, as registered.
pub const KIND: ChannelKind = ChannelKind {
    name: "tripstore",
    settings: KEYS,
    secrets: SECRETS,
    addresses: &["api_base", "erp.base_url"],
    sells_in: SellsIn::Always("KRW"),
    face: None,
    build,
};

struct TripStore {
    settings: Common,
    erp: Option<Erp>,
    memo_tail: String,
    spec: ChannelSpec,
}

fn build(_id: &str, settings: &Value) -> Built<dyn Channel> {
    let (settings, (erp, memo_tail)) = fat_events::settings::read(settings, CAPABILITIES, |reader| {
        let erp = read_erp(reader, settings);
        let memo_tail = match settings.get("memo_tail") {
            None => erp::MEMO_TAIL.to_owned(),
            Some(Value::String(text)) if !text.trim().is_empty() => text.trim().to_owned(),
            Some(_) => {
                reader.problem("memo_tail", "it is no text", "write the sentence that ends the memo");
                return None;
            }
        };
        Some((erp, memo_tail))
    })?;
    let mut capabilities: Map<String, Value> =
        CAPABILITIES.iter().map(|word| ((*word).to_owned(), json!(settings.can(word)))).collect();
    capabilities.insert("revision".to_owned(), json!(settings.can(fat_events::REVISION)));
    capabilities.insert("payment_link".to_owned(), json!(true));
    capabilities.insert("hand_over".to_owned(), json!(erp.is_some()));
    let spec = ChannelSpec {
        endpoints: ENDPOINTS,
        capabilities: Value::Object(capabilities),
        body_bytes_max: fat_events::BODY_BYTES_MAX,
        calls_per_second: None,
    };
    Ok(Box::new(TripStore { settings, erp, memo_tail, spec }))
}

/// The agency's books, if there are any to tell.
fn read_erp(reader: &mut Reader<'_>, settings: &Value) -> Option<Erp> {
    let table = settings.get("erp")?;
    let mut inner = Reader::new(table);
    let base_url = inner.base_url("base_url");
    let secret = inner.webhook_secrets("secret");
    match inner.finish(base_url.zip(secret)) {
        Ok((base_url, secret)) => Some(Erp { base_url, secret }),
        Err(problems) => {
            for problem in problems {
                reader.problem(format!("erp.{}", problem.key), problem.problem, problem.mend);
            }
            None
        }
    }
}

/// Who is told: the marketplace, or the agency's own books behind it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whom {
    Marketplace,
    Agency,
}

fn told_to(notification: &Notification) -> Whom {
    match notification {
        Notification::HandOver => Whom::Agency,
        Notification::BookingConfirmed { .. }
        | Notification::BookingRejected { .. }
        | Notification::TicketsIssued { .. }
        | Notification::RefundApproved { .. }
        | Notification::RefundRejected { .. }
        | Notification::Redeemed { .. }
        | Notification::NoShow { .. }
        | Notification::OrderCancelled { .. }
        | Notification::CancelQuote
        | Notification::Cancellation { .. }
        | Notification::PaymentReturn { .. }
        | Notification::PaymentLink { .. }
        | Notification::LinkRevoked { .. }
        | Notification::GuestMessage { .. } => Whom::Marketplace,
    }
}

impl Channel for TripStore {
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
    fn sign_again(&self, request: &mut Replayed, now: UnixMillis) {
        self.settings.secrets.sign_again(request, now);
    }
    fn decode(&self, request: &Verified<'_>) -> Result<Inbound, DecodeError> {
        map::decode(&self.settings, self.erp.is_some(), request)
            .map_err(|error| schemas::with_all("tripstore/event", request, error))
    }
    fn sent_at(&self, request: &Verified<'_>) -> Option<UnixMillis> {
        fat_events::occurred_at(&self.settings, request)
    }
    fn named_in(&self, request: &Verified<'_>) -> Option<ExternalId> {
        fat_events::named_in(request, "booking", "booking_no")
    }
    fn reply(&self, _endpoint: &str, inbound: Option<&Inbound>, answer: &Answer<'_>) -> HttpReply {
        let words = Words { unknown: "unknown_booking", product: "booking.product_code" };
        answers::reply(self.settings.zone(), words, inbound, answer)
    }
    fn notify(&self, notification: &Notification, order: &Order, cx: &Context<'_>) -> Result<Call, EncodeError> {
        match (told_to(notification), &self.erp) {
            (Whom::Agency, Some(erp)) => erp::call(erp, &self.memo_tail, order, cx),
            (Whom::Agency, None) => Err(EncodeError::NotConfigured("the agency's own books")),
            (Whom::Marketplace, _) => calls::notify(&self.settings, notification, order, cx),
        }
    }
    fn read_notification(
        &self,
        notification: &Notification,
        order: &Order,
        response: &HttpResponse,
    ) -> CallResult<Yes> {
        match told_to(notification) {
            Whom::Agency => erp::read(order, response),
            Whom::Marketplace => calls::read_notification(notification, order, response),
        }
    }
    fn learned(&self, notification: &Notification, order: &Order, response: &HttpResponse) -> Vec<Command> {
        match told_to(notification) {
            Whom::Agency => erp::learned(order, response),
            Whom::Marketplace => calls::learned(&self.settings, self.erp.is_some(), notification, order, response),
        }
    }
    fn label(&self, order: &Order) -> String {
        label::label(order)
    }
    fn read_back(&self) -> Option<&dyn ReadBack> {
        self.settings.can("read_back").then_some(self)
    }
    fn verify_first(&self, notification: &Notification) -> Option<&dyn VerifyFirst> {
        match (notification, &self.erp) {
            (Notification::HandOver, Some(erp)) => Some(erp),
            _ if self.settings.can("read_back") => Some(self),
            _ => None,
        }
    }
    fn change_list(&self) -> Option<&dyn ChangeList> {
        self.settings.can("read_back").then_some(self)
    }
}

impl ReadBack for TripStore {
    fn call(&self, about: &ExternalId, cx: &Context<'_>) -> Result<Call, EncodeError> {
        calls::read_back(&self.settings, about, cx)
    }
    fn read(&self, about: &ExternalId, response: &HttpResponse) -> CallResult<Box<Snapshot>> {
        calls::read_read_back(&self.settings, self.erp.is_some(), about, response)
    }
}

/// The agency's books are asked, and not the marketplace, whether they have an order.
impl VerifyFirst for Erp {
    fn call(&self, _: &Notification, order: &Order, cx: &Context<'_>) -> Result<Call, EncodeError> {
        erp::look_up(self, order, cx)
    }
    fn read(&self, _: &Notification, order: &Order, response: &HttpResponse) -> CallResult<Checked> {
        erp::read_look_up(order, response)
    }
}

impl ChangeList for TripStore {
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
        calls::read_changes(&self.settings, self.erp.is_some(), response)
    }
}
