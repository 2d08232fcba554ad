//! What a partner must be able to do: the traits of channels and back-ends, and the values that pass through them.
//!
//! An adapter is a translator. It never opens a socket, reads a clock or a database: time, randomness and access tokens come
//! in with [`Context`], requests go out as [`Call`] values, answers come back as [`HttpResponse`] values. The shell owns
//! transport, retries, storage, limits and logs.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use serde::Serialize;

use crate::command::{Command, RequestBooking, Sale, TicketFacts};
use crate::effect::{Report, TicketOp};
use crate::id::{BookingId, ExternalId};
use crate::mirror::Snapshot;
use crate::order::{Booking, Order};
use crate::personal::Person;
use crate::product::{BackendTerms, ChannelRules};
use crate::rejection::Rejection;
use crate::time::{Date, Millis, UnixMillis};

/// What comes from outside: the same values give the same bytes every time.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    /// The present.
    pub now: UnixMillis,
    /// 16 random bytes.
    pub nonce: [u8; 16],
    /// The id of the delivery that is being carried out: the idempotency key towards the partner, the same on every attempt.
    pub delivery_id: &'a str,
    /// The access token, where the partner wants one ([`Channel::token_calls`]).
    pub access_token: Option<&'a str>,
    /// How often this has been tried, 1 for the first time.
    pub attempt: u32,
}

/// A request as it came in: nothing parsed, nothing re-serialised.
#[derive(Clone, Copy, Debug)]
pub struct RawRequest<'a> {
    /// The last part of the path.
    pub endpoint: &'a str,
    /// The method.
    pub method: &'a Method,
    /// The query string as received, without the question mark.
    pub query: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body's bytes.
    pub body: &'a [u8],
}

/// Proof that [`Channel::verify`] or [`Backend::verify`] ran: nothing can be decoded without it.
#[derive(Clone, Debug)]
pub struct Verified<'a> {
    raw: RawRequest<'a>,
    key_index: usize,
}

impl<'a> Verified<'a> {
    /// Says that the signature of `raw` is right, and which of the configured keys proved it.
    pub fn attest(raw: RawRequest<'a>, key_index: usize) -> Self {
        Self { raw, key_index }
    }
    /// The request.
    pub fn raw(&self) -> RawRequest<'a> {
        self.raw
    }
    /// The body's bytes.
    pub fn body(&self) -> &'a [u8] {
        self.raw.body
    }
    /// The last part of the path.
    pub fn endpoint(&self) -> &'a str {
        self.raw.endpoint
    }
    /// Index of the key or application that proved it.
    pub fn key_index(&self) -> usize {
        self.key_index
    }
}

/// One step of a signature check, for `ticketbridge verify`. Never holds a secret.
#[derive(Clone, Debug)]
pub struct VerifyStep {
    /// What was looked at.
    pub what: String,
    /// What was found.
    pub found: String,
    /// Whether it is as it should be; `None` for information.
    pub ok: Option<bool>,
}

/// Why a caller is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// Something needed for the check is not there.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// No configured application or key has this name.
    #[error("no key is configured for the caller `{}`", crate::quoted::Quoted::code(.0))]
    UnknownKey(String),
    /// The signature is not the one that the bytes have.
    #[error("the signature does not match the bytes received")]
    BadSignature,
    /// What is signed could be read in more than one way, so the signature proves none of them.
    #[error("what is signed can be read in more than one way: {0}")]
    Ambiguous(Cow<'static, str>),
    /// The time stamp is not a number of the right length.
    #[error("the time stamp is {0}")]
    BadTimestamp(Cow<'static, str>),
    /// The time stamp is too far away.
    #[error("the time stamp is {why}")]
    StaleTimestamp {
        /// How far.
        why: String,
        /// What our own clock says.
        now: UnixMillis,
    },
}

impl AuthError {
    /// What the caller is told. A key that is not known and a signature that is wrong are one text, so that nobody learns by asking
    /// which keys there are; the log and `ticketbridge verify` tell them apart.
    pub fn told(&self) -> String {
        match self {
            Self::UnknownKey(_) | Self::BadSignature => Self::BadSignature.to_string(),
            Self::Missing(_) | Self::Ambiguous(_) | Self::BadTimestamp(_) | Self::StaleTimestamp { .. } => {
                self.to_string()
            }
        }
    }
}

/// Why a message cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct DecodeError {
    /// The field at fault, as a path; `body` for the whole.
    pub field: String,
    /// What is wrong with it, without its value.
    pub reason: String,
    /// The refusal that fits, when the channel has a code of its own for it.
    pub rejection: Option<Rejection>,
    /// A stable code, where the contract is ours.
    pub code: Option<&'static str>,
}

impl DecodeError {
    /// An error at `field`.
    pub fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.into(), rejection: None, code: None }
    }
    /// The same, with a stable code.
    pub fn coded(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }
}

/// Why a call cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The partner has no such call; a person must do it.
    #[error("{0} is not supported by this partner")]
    Unsupported(&'static str),
    /// The order does not have what the call needs.
    #[error("the order has no {0}")]
    Missing(&'static str),
    /// What would be sent breaks the partner's rules.
    #[error("{0}")]
    Invalid(String),
    /// There is nothing to tell any more.
    #[error("no longer wanted: {0}")]
    Obsolete(&'static str),
}

/// A question that changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// May this be sold?
    MaySell(Box<SaleQuestion>),
    /// How many units are left of a product, at most for one date?
    Left {
        /// The product.
        product: crate::id::ProductCode,
        /// The date.
        date: Option<Date>,
        /// Units that are wanted.
        units: u32,
    },
    /// How does this order stand?
    OrderStatus {
        /// The channel's number for the sale or the booking.
        about: ExternalId,
    },
    /// What can be visited when?
    Calendar {
        /// The product.
        product: crate::command::ProductRef,
        /// First date.
        from: Date,
        /// Last date.
        to: Date,
    },
}

/// May this be sold?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaleQuestion {
    /// What, how many, for how much, to whom.
    pub sale: Sale,
    /// The visit date, when the question is about a booking.
    pub visit_date: Option<Date>,
    /// The visitors, when they are named.
    pub visitors: Vec<Person>,
}

/// What a message asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Take a sale on.
    Sale(Box<Sale>),
    /// Take a booking on; the sale is told along, in case it is not known.
    Booking {
        /// The sale.
        sale: Box<Sale>,
        /// The booking.
        request: Box<RequestBooking>,
    },
    /// The whole order, as it stands at the channel.
    Snapshot(Box<Snapshot>),
    /// A product went on or off sale at the channel.
    Listing(Listing),
    /// Anything else about an order that should be known.
    Act(Box<Command>),
    /// Something that changes nothing here. It is kept, and taken once as any other message.
    Note {
        /// The channel's word for it.
        what: String,
        /// Whether the adapter knows the word; what it does not know is shown to a person.
        known: bool,
    },
}

/// Whether a product is on sale at a channel, since when, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The product.
    pub product: crate::id::ProductCode,
    /// The channel's word for its state.
    pub state: String,
    /// Whether new bookings are accepted; those there are go on to their end. `None`: as before, since a version is sold that the
    /// change does not touch.
    pub is_open: Option<bool>,
    /// Since when.
    pub since: UnixMillis,
}

/// A message with its identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The channel's own key: the same key is the same message.
    pub key: String,
    /// The channel's number for the sale or the booking that it is about.
    pub about: ExternalId,
    /// What it asks for.
    pub message: Message,
}

/// A message, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inbound {
    /// Only the wire is tested; the reply is ready.
    Ping(HttpReply),
    /// A hint that something happened; it is stored and followed up, never believed.
    Hint {
        /// The channel's key for it.
        key: String,
        /// What it is about, if it says so.
        about: Option<ExternalId>,
        /// The channel's word for it.
        what: String,
    },
    /// A question.
    Query(Query),
    /// A message.
    Message(Envelope),
}

/// A date with what is left of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarDay {
    /// The date.
    pub date: Date,
    /// Units left; `None` is unlimited.
    pub left: Option<i64>,
    /// Price of one unit, minor units.
    pub price: i64,
    /// Whether it can be booked at all.
    pub open: bool,
}

/// Our answer, before the adapter puts it into its channel's words.
#[derive(Debug)]
pub enum Answer<'a> {
    /// Done, or done before; this is the order now.
    Accepted(&'a Order),
    /// The same message came before; this is the order now, where there is one.
    Repeated(Option<&'a Order>),
    /// Something later has been told already; at most its money was new.
    Stale(&'a Order),
    /// So many units are left; `None` is unlimited.
    Left(Option<i64>),
    /// Kept for later: the order is not known yet.
    Kept,
    /// It may be sold.
    MaySell,
    /// How the order stands.
    Status(&'a Order),
    /// What can be visited.
    Calendar(&'a [CalendarDay]),
    /// Stored; nothing else to say.
    Noted,
    /// There is no such order.
    NoSuchOrder,
    /// Refused.
    Refused(&'a Rejection),
    /// The same key came with other content.
    ContentDiffers,
    /// The caller is not believed.
    Unauthenticated(&'a AuthError),
    /// The message cannot be read.
    Malformed(&'a DecodeError),
    /// Come again.
    TryLater(Millis),
}

/// An answer on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpReply {
    /// The status.
    pub status: StatusCode,
    /// The content type.
    pub content_type: &'static str,
    /// The body.
    pub body: Bytes,
}

impl HttpReply {
    /// A JSON answer.
    pub fn json(status: StatusCode, body: &serde_json::Value) -> Self {
        Self { status, content_type: "application/json", body: Bytes::from(body.to_string()) }
    }
}

/// A call to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The whole address.
    pub url: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Time for the whole call; `None` is the configured one.
    pub timeout: Option<Millis>,
    /// The key by which the partner recognises a repeat, as it stands in the call; `None` where the call carries none.
    pub key: Option<String>,
}

/// The answer to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, up to the response cap.
    pub body: Bytes,
}

/// How far a partner's yes goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Yes {
    /// It says of this very thing that it is done.
    Plain,
    /// It says yes, and nothing of what came of it: that is known once an event, a look or the books show it.
    Bare,
}

/// What an answer means. Only what says success plainly is success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallResult<T> {
    /// It worked.
    Done(T),
    /// Certainly not carried out; try again.
    Retry {
        /// What went wrong.
        why: Cow<'static, str>,
        /// When the partner says to come again.
        after: Option<Millis>,
    },
    /// It never will be.
    Refused {
        /// The partner's code.
        code: String,
        /// Its words, without personal data.
        why: String,
    },
    /// Perhaps carried out, perhaps not.
    Unknown {
        /// What went wrong.
        why: Cow<'static, str>,
    },
    /// The partner does not know what was asked about.
    Absent,
    /// Not carried out: the order had changed at the partner meanwhile, and the answer says how it stands now.
    Overtaken,
    /// The answer is about something else than what was asked, which makes it none: it is asked again, and shown to a person.
    Astray {
        /// What it is about instead; never the other's number or data.
        why: Cow<'static, str>,
    },
    /// The access token was not accepted: fetch a new one and repeat once.
    TokenRejected,
}

impl<T> CallResult<T> {
    /// The same without a value, for an answer that brought none.
    pub fn unread<U>(self) -> CallResult<U> {
        match self {
            CallResult::Done(_) => CallResult::Unknown { why: "the answer holds nothing that can be read".into() },
            CallResult::Retry { why, after } => CallResult::Retry { why, after },
            CallResult::Refused { code, why } => CallResult::Refused { code, why },
            CallResult::Unknown { why } => CallResult::Unknown { why },
            CallResult::Absent => CallResult::Absent,
            CallResult::Overtaken => CallResult::Overtaken,
            CallResult::Astray { why } => CallResult::Astray { why },
            CallResult::TokenRejected => CallResult::TokenRejected,
        }
    }
}

impl CallResult<()> {
    /// What a success brings; everything else stays what it is.
    pub fn and<T>(self, brings: impl FnOnce() -> CallResult<T>) -> CallResult<T> {
        match self {
            CallResult::Done(()) => brings(),
            other => other.unread(),
        }
    }
}

/// An access token.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// The secret text.
    pub value: String,
    /// How long it lives.
    pub lives_for: Millis,
}
impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token({} ms)", self.lives_for.0)
    }
}

/// One inbound call of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The last part of its path.
    pub name: &'static str,
    /// Time within which it is answered, whatever the back-end does.
    pub budget: Millis,
    /// Wait, inside the budget, for tickets that are on their way.
    pub waits_for_tickets: bool,
    /// A repeat is answered from the present state instead of with the stored answer.
    pub answers_from_state: bool,
}

/// What a channel is and can do.
#[derive(Clone, Debug)]
pub struct ChannelSpec {
    /// Its calls.
    pub endpoints: &'static [Endpoint],
    /// What it can do, for `GET /ops/v1/channels`.
    pub capabilities: serde_json::Value,
    /// Bytes of a message at most.
    pub body_bytes_max: usize,
    /// Whether it is told what is left of a date.
    pub takes_stock: bool,
    /// Whether its calls need an access token.
    pub needs_token: bool,
    /// Most calls a second towards it; `None` is unlimited.
    pub calls_per_second: Option<u32>,
}

/// Guests' data after the channel opened its cipher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedGuests {
    /// The buyer.
    pub buyer: Person,
    /// The active booking's visitors, in order.
    pub visitors: Vec<Person>,
    /// Its contact.
    pub contact: Option<Person>,
}

/// What the channel itself says of an order, for reconciliation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelView {
    /// Whether it knows the order.
    pub known: bool,
    /// Its word for the state.
    pub state: Option<String>,
    /// What the guest paid, minor units.
    pub paid: Option<i64>,
    /// What went back, minor units.
    pub refunded: Option<i64>,
    /// Units.
    pub quantity: Option<u32>,
}

/// What a look says before a report is made again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Commands for the order.
    pub learned: Vec<Command>,
    /// The report was carried out.
    pub done: bool,
}

/// Orders that have changed at a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// The orders, whole.
    pub orders: Vec<Snapshot>,
    /// Orders of the list that could not be read.
    pub unread: usize,
    /// Where the list goes on.
    pub next: Option<String>,
}

/// What is left of a product on a date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockLeft<'a> {
    /// The product.
    pub product: &'a crate::id::ProductCode,
    /// The date.
    pub date: Date,
    /// Units.
    pub left: i64,
    /// When it was counted.
    pub as_of: UnixMillis,
    /// What the channel said last of the product, if it ever did.
    pub listing: Option<&'a Listing>,
}

/// A place that sells.
pub trait Channel: Send + Sync {
    /// What it is and can do.
    fn spec(&self) -> &ChannelSpec;
    /// What it demands of its orders.
    fn rules(&self) -> ChannelRules;
    /// Checks who calls, on the bytes received. There is no default.
    fn verify<'a>(&self, raw: RawRequest<'a>, cx: &Context<'_>) -> Result<Verified<'a>, AuthError>;
    /// The same check, told step by step.
    fn explain_verify(&self, raw: RawRequest<'_>, cx: &Context<'_>) -> Vec<VerifyStep>;
    /// Reads a verified message.
    fn decode(&self, request: &Verified<'_>) -> Result<Inbound, DecodeError>;
    /// Puts an answer into the channel's words. `inbound` is what was read, if it came that far.
    fn reply(&self, endpoint: &str, inbound: Option<&Inbound>, answer: &Answer<'_>) -> HttpReply;
    /// Writes a report.
    fn report(&self, report: &Report, order: &Order, cx: &Context<'_>) -> Result<Call, EncodeError>;
    /// Reads the answer to it. One that names another order than `order` is [`CallResult::Astray`].
    fn read_report(&self, report: &Report, order: &Order, response: &HttpResponse) -> CallResult<Yes>;
    /// What a person calls this state of an order, in the channel's language.
    fn label(&self, order: &Order) -> String;

    /// The calls that fetch an access token, the best one first: one that a partner may not have has another one behind it. Only where
    /// `spec` says that a token is needed.
    fn token_calls(&self, _cx: &Context<'_>) -> Result<Vec<Call>, EncodeError> {
        Err(EncodeError::Unsupported("an access token"))
    }
    /// Reads the answer to any of them.
    fn read_token(&self, _response: &HttpResponse) -> CallResult<Token> {
        CallResult::Refused { code: "unsupported".into(), why: "this channel has no access tokens".into() }
    }
    /// The call that opens the channel's cipher.
    fn decrypt_call(&self, _order: &Order, _cx: &Context<'_>) -> Result<Call, EncodeError> {
        Err(EncodeError::Unsupported("online decryption"))
    }
    /// Reads the answer to it.
    fn read_decrypted(&self, _order: &Order, _response: &HttpResponse) -> CallResult<OpenedGuests> {
        CallResult::Refused { code: "unsupported".into(), why: "this channel has no online decryption".into() }
    }
    /// What else the answer to a report says: commands for the order, carried out before the outcome is recorded.
    fn learned(&self, _report: &Report, _order: &Order, _response: &HttpResponse) -> Vec<Command> {
        Vec::new()
    }
    /// The call that asks the channel for a whole order by its number.
    fn read_back(&self, _about: &ExternalId, _cx: &Context<'_>) -> Result<Call, EncodeError> {
        Err(EncodeError::Unsupported("asking for an order"))
    }
    /// Reads the answer to it; it must be about the order that was asked for.
    fn read_read_back(&self, _about: &ExternalId, _response: &HttpResponse) -> CallResult<Box<Snapshot>> {
        CallResult::Refused { code: "unsupported".into(), why: "this channel cannot be asked for an order".into() }
    }
    /// The call that asks whether a report was carried out, before it is made again: by default, how the order stands.
    fn check(&self, _report: &Report, order: &Order, cx: &Context<'_>) -> Result<Call, EncodeError> {
        self.read_back(&order.channel_order_id, cx)
    }
    /// Reads the answer to it.
    fn read_check(&self, _report: &Report, order: &Order, response: &HttpResponse) -> CallResult<Checked> {
        match self.read_read_back(&order.channel_order_id, response) {
            CallResult::Done(snapshot) => CallResult::Done(Checked {
                learned: vec![Command::SyncSnapshot { snapshot, not_for_sale: None }],
                done: false,
            }),
            other => other.unread(),
        }
    }
    /// The call that lists the orders which changed between two times, page by page.
    fn list_changes(
        &self,
        _from: UnixMillis,
        _to: UnixMillis,
        _cursor: Option<&str>,
        _cx: &Context<'_>,
    ) -> Result<Call, EncodeError> {
        Err(EncodeError::Unsupported("a list of changes"))
    }
    /// Reads the answer to it.
    fn read_changes(&self, _response: &HttpResponse) -> CallResult<Changes> {
        CallResult::Refused { code: "unsupported".into(), why: "this channel lists no changes".into() }
    }
    /// The call that says what is left of a date. `listing` is what the channel said last of the product.
    fn stock_call(&self, _stock: &StockLeft<'_>, _cx: &Context<'_>) -> Result<Call, EncodeError> {
        Err(EncodeError::Unsupported("stock"))
    }
    /// Reads the answer to it.
    fn read_stock(&self, _stock: &StockLeft<'_>, _response: &HttpResponse) -> CallResult<()> {
        CallResult::Refused { code: "unsupported".into(), why: "this channel is not told of stock".into() }
    }
    /// The call that asks the channel how it sees an order.
    fn order_query(&self, _order: &Order, _cx: &Context<'_>) -> Result<Call, EncodeError> {
        Err(EncodeError::Unsupported("an order query"))
    }
    /// Reads the answer to it.
    fn read_order_query(&self, _order: &Order, _response: &HttpResponse) -> CallResult<ChannelView> {
        CallResult::Refused { code: "unsupported".into(), why: "this channel has no order query".into() }
    }
}

/// What a back-end is and can do.
#[derive(Clone, Debug)]
pub struct BackendSpec {
    /// A repeated issue call with the same delivery id makes no second set of tickets.
    pub issue_is_idempotent: bool,
    /// It can be asked how a reservation stands.
    pub can_query: bool,
    /// It calls us when something happens.
    pub can_push: bool,
    /// It knows what is left of a date.
    pub has_availability: bool,
    /// What it can do, as rules ask for it.
    pub table: BackendTable,
    /// When it is asked whether guests have come; `None` where it tells, or cannot be asked.
    pub watch: Option<WatchPlan>,
    /// The same and more, for `GET /ops/v1/backends`.
    pub capabilities: serde_json::Value,
}

/// When a back-end that does not tell of visits is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchPlan {
    /// Once in this time on the days on which a ticket admits.
    pub every: Millis,
    /// From so long before the first of them.
    pub from_before: Millis,
    /// Until so long after the last of them; then once a day for one day more.
    pub until_after: Millis,
}

/// Why a hint is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HintError {
    /// The back-end has no address for hints, or another one.
    WrongAddress,
    /// It does not say what it is about.
    AboutNothing,
}

/// What a back-end can do: asked by rules instead of its adapter's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BackendTable {
    /// It keeps a place before it is bought.
    pub hold: bool,
    /// It may answer an issue with "later".
    pub async_issue: bool,
    /// Who makes the codes.
    pub code_maker: CodeMaker,
    /// Some units of a booking can be cancelled.
    pub partial_cancel: bool,
    /// A person there decides on a cancellation.
    pub audited_cancel: bool,
    /// What was used can be cancelled.
    pub cancel_after_use: bool,
    /// It can send the ticket to the guest again.
    pub resend: bool,
    /// A reservation can be found by our number.
    pub lookup_by_reference: bool,
    /// How a redemption becomes known.
    pub redemption: RedemptionNews,
    /// It tells prices that can be compared with ours.
    pub price_check: bool,
}

/// Who makes a ticket's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeMaker {
    /// The back-end.
    Backend,
    /// We draw it from codes that were loaded beforehand.
    Pool,
}

/// How a redemption becomes known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RedemptionNews {
    /// The back-end tells.
    Pushed,
    /// It is asked.
    Polled,
    /// Only a person tells.
    Manual,
}

impl BackendTable {
    /// The table for people, with what else an adapter has to say of itself.
    pub fn shown(&self, more: serde_json::Value) -> serde_json::Value {
        let mut shown = serde_json::to_value(self).unwrap_or_default();
        if let (Some(all), serde_json::Value::Object(more)) = (shown.as_object_mut(), more) {
            all.extend(more);
        }
        shown
    }
}

/// How an operation is carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendStep {
    /// By a call.
    Call(Call),
    /// By drawing codes from a pool of ours.
    DrawCodes {
        /// The pool.
        pool: String,
        /// How many.
        count: u32,
        /// What they are.
        kind: crate::order::TicketKind,
    },
    /// Nothing needs doing; this is the result.
    Already(TicketFacts),
}

/// An operation that takes several calls: each answer decides the next one. It keeps nothing beyond one attempt: whoever begins again
/// asks the back-end how things stand.
pub trait Conversation: Send {
    /// What comes next.
    ///
    /// # Errors
    /// What cannot be written; then the conversation is over.
    fn next(&mut self, cx: &Context<'_>) -> Result<Turn, EncodeError>;
    /// The answer to the last call.
    fn answered(&mut self, response: &HttpResponse, cx: &Context<'_>);
    /// There was none.
    fn unanswered(&mut self, silence: Silence);
}

/// The next step of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// A call, and its name among the order's calls.
    Call(&'static str, Call),
    /// It is over.
    End(CallResult<TicketFacts>),
}

/// A call that brought no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Silence {
    /// It certainly never arrived.
    NotSent(String),
    /// Perhaps it did.
    Unknown(String),
}

/// A product of ours that a back-end issues, for a check against the running system.
#[derive(Clone, Copy, Debug)]
pub struct LiveProduct<'a> {
    /// Our code of it.
    pub code: &'a str,
    /// Its name there.
    pub product: &'a str,
    /// What else is configured of it.
    pub terms: &'a BackendTerms,
    /// Visitors of one unit.
    pub visitors_per_unit: u32,
}

/// Questions to a running back-end before the first sale, one after the other.
pub trait LiveCheck: Send {
    /// The next question; `None` at the end.
    fn next(&mut self, cx: &Context<'_>) -> Option<Call>;
    /// The answer to it.
    fn answered(&mut self, response: &HttpResponse, cx: &Context<'_>);
    /// There was none.
    fn unanswered(&mut self, why: &str);
    /// What was found.
    fn findings(&self) -> &[LiveFinding];
}

/// Something that a check against the running system found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveFinding {
    /// It works, and should not stay.
    pub warning: bool,
    /// What is wrong.
    pub sentence: String,
}

/// What a back-end tells by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendEvent {
    /// Its key for the event: the same key is the same event.
    pub key: String,
    /// Which reservation.
    pub booking: BookingId,
    /// Its word for it.
    pub what: String,
    /// What it means.
    pub news: BackendNews,
}

/// What a back-end's event means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendNews {
    /// How the reservation stands.
    Facts(TicketFacts),
    /// The guest was there.
    Redeemed {
        /// When.
        at: UnixMillis,
    },
    /// Of no concern to us.
    Ignored,
}

/// A system that issues tickets.
pub trait Backend: Send + Sync {
    /// What it is and can do.
    fn spec(&self) -> &BackendSpec;
    /// Writes an operation on a reservation.
    fn step(
        &self,
        op: TicketOp,
        order: &Order,
        booking: &Booking,
        cx: &Context<'_>,
    ) -> Result<BackendStep, EncodeError>;
    /// Reads the answer to it. One that names another reservation than `booking` is [`CallResult::Astray`].
    fn read(&self, op: TicketOp, booking: &Booking, response: &HttpResponse) -> CallResult<TicketFacts>;

    /// The operation as a conversation, where one call does not do; [`Backend::step`] is not asked then. `resumed` says that an
    /// earlier attempt may have left something behind.
    fn conversation<'a>(
        &'a self,
        _op: TicketOp,
        _order: &'a Order,
        _booking: &'a Booking,
        _resumed: bool,
    ) -> Option<Box<dyn Conversation + 'a>> {
        None
    }

    /// A check against the running system; `holds` says that a place may be held and released for it.
    fn live_check<'a>(
        &'a self,
        _products: &'a [LiveProduct<'a>],
        _holds: bool,
        _nonce: [u8; 16],
    ) -> Option<Box<dyn LiveCheck + 'a>> {
        None
    }

    /// A push that nobody signs, at an address that ends in `secret`: what it is about, in the back-end's own words. It is a reason to
    /// ask and nothing else.
    fn hint(&self, _secret: &str, _body: &[u8]) -> Result<String, HintError> {
        Err(HintError::WrongAddress)
    }
    /// The call that reads what a hint is about.
    fn hint_call(&self, _about: &str, _cx: &Context<'_>) -> Result<Call, EncodeError> {
        Err(EncodeError::Unsupported("hints"))
    }
    /// Which booking of ours the answer is about.
    fn read_hint(&self, _about: &str, _response: &HttpResponse) -> CallResult<BookingId> {
        CallResult::Refused { code: "unsupported".into(), why: "this back-end gives no hints".into() }
    }

    /// Checks who calls, on the bytes received.
    fn verify<'a>(&self, _raw: RawRequest<'a>, _cx: &Context<'_>) -> Result<Verified<'a>, AuthError> {
        Err(AuthError::Missing("a back-end that calls"))
    }
    /// Reads a verified event.
    fn decode(&self, _request: &Verified<'_>) -> Result<BackendEvent, DecodeError> {
        Err(DecodeError::new("body", "this back-end does not call"))
    }
    /// The call that asks what is left of the dates.
    fn availability_call(
        &self,
        _product: &str,
        _terms: &BackendTerms,
        _from: Date,
        _to: Date,
        _cx: &Context<'_>,
    ) -> Result<Call, EncodeError> {
        Err(EncodeError::Unsupported("availability"))
    }
    /// Reads the answer to it.
    fn read_availability(&self, _product: &str, _response: &HttpResponse) -> CallResult<Vec<CalendarDay>> {
        CallResult::Refused { code: "unsupported".into(), why: "this back-end has no availability".into() }
    }
}

/// What is wrong with a partner's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsProblem {
    /// The key at fault, as a path below `settings`, for example `apps.0.client_key`.
    pub key: String,
    /// What is wrong.
    pub problem: String,
    /// How to mend it.
    pub mend: String,
    /// It works, and should not stay.
    pub warning: bool,
}

/// What becomes of a partner's settings: the partner, or everything that is wrong with them.
pub type Built<P> = Result<Box<P>, Vec<SettingsProblem>>;

/// A kind of channel, as registered.
#[derive(Clone, Copy)]
pub struct ChannelKind {
    /// The word after `adapter =`, and the name of its folder.
    pub name: &'static str,
    /// The settings it knows: keys, and where a setting holds tables also the paths of their keys, `*` for any element of a list.
    pub settings: &'static [&'static str],
    /// The settings that are secrets: paths, `*` for any element of a list.
    pub secrets: &'static [&'static str],
    /// The currency that it sells in (ISO 4217).
    pub currency: &'static str,
    /// Makes one of its settings, in which every secret is clear text. `id` is its name in the configuration.
    pub build: fn(id: &str, settings: &serde_json::Value) -> Built<dyn Channel>,
}

/// A kind of back-end, as registered.
#[derive(Clone, Copy)]
pub struct BackendKind {
    /// The word after `adapter =`, and the name of its folder.
    pub name: &'static str,
    /// The settings it knows: keys, and where a setting holds tables also the paths of their keys, `*` for any element of a list.
    pub settings: &'static [&'static str],
    /// The settings that are secrets: paths, `*` for any element of a list.
    pub secrets: &'static [&'static str],
    /// Makes one of its settings, in which every secret is clear text. `id` is its name in the configuration.
    pub build: fn(id: &str, settings: &serde_json::Value) -> Built<dyn Backend>,
}
