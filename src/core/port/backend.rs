//! A system that issues tickets.

use crate::id::BookingId;
use crate::message::{TicketFacts, TicketOp};
use crate::order::{Booking, Order};
use crate::port::{
    AuthError, BackendTable, Built, CalendarDay, Call, CallResult, Context, Conversation, DecodeError, EncodeError,
    HttpResponse, LiveCheck, LiveProduct, RawRequest, Verified, WatchPlan,
};
use crate::product::BackendTerms;
use crate::time::{Date, UnixMillis};

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

/// Why a hint is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HintError {
    /// The back-end has no address for hints, or another one.
    WrongAddress,
    /// It does not say what it is about.
    AboutNothing,
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
