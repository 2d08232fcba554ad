// SPDX-License-Identifier: Apache-2.0

//! What a back-end can do, and how.

use crate::id::BookingId;
use crate::message::{TicketFacts, TicketOp};
use crate::order::{Booking, Order, TicketKind};
use crate::port::{
    AuthError, BackendEvent, CalendarDay, Call, CallResult, Context, Conversation, DecodeError, EncodeError, HintError,
    HttpResponse, RawRequest, Replayed, Verified,
};
use crate::product::BackendTerms;
use crate::time::{Date, UnixMillis};

/// Each operation on a reservation is one call.
pub trait Calls: Send + Sync {
    /// Writes it.
    ///
    /// # Errors
    /// What cannot be written.
    fn call(&self, op: TicketOp, order: &Order, booking: &Booking, cx: &Context<'_>) -> Result<Call, EncodeError>;
    /// Reads the answer. One that names another reservation than `booking`, or another order, is [`CallResult::Astray`].
    fn read(&self, op: TicketOp, order: &Order, booking: &Booking, response: &HttpResponse) -> CallResult<TicketFacts>;
}

/// Operations on a reservation take several calls.
pub trait Talks: Send + Sync {
    /// The conversation that carries it out. `resumed` says that an earlier attempt may have left something behind.
    ///
    /// # Errors
    /// What cannot be written.
    fn talk<'a>(
        &'a self,
        op: TicketOp,
        order: &'a Order,
        booking: &'a Booking,
        resumed: bool,
    ) -> Result<Box<dyn Conversation + 'a>, EncodeError>;
}

/// Tickets are codes out of a pool of ours; there is nobody to call.
pub trait CodePool: Send + Sync {
    /// What an operation comes to.
    fn step(&self, op: TicketOp, order: &Order, booking: &Booking) -> PoolStep;
}

/// What an operation on codes out of a pool comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolStep {
    /// Codes are drawn.
    Draw {
        /// The pool.
        pool: String,
        /// How many.
        count: u32,
        /// What they are.
        kind: TicketKind,
    },
    /// Nothing needs doing; this is the result.
    Already(TicketFacts),
}

/// It keeps a place for a booking that is about to be confirmed.
pub trait Holds: Send + Sync {
    /// The conversation that asks for it, where this product has places to keep: [`TicketFacts::Pending`] says that it is kept, and the
    /// issue will find it.
    fn hold<'a>(&'a self, order: &'a Order, booking: &'a Booking) -> Option<Box<dyn Conversation + 'a>>;
}

/// It calls us, signed, when something happens.
pub trait Pushes: Send + Sync {
    /// Checks who calls, on the bytes received.
    ///
    /// # Errors
    /// Why the caller is not believed.
    fn verify<'a>(&self, raw: RawRequest<'a>, cx: &Context<'_>) -> Result<Verified<'a>, AuthError>;
    /// Reads a verified event.
    ///
    /// # Errors
    /// What cannot be read.
    fn decode(&self, request: &Verified<'_>) -> Result<BackendEvent, DecodeError>;
    /// Signs an event as the back-end would, by the secrets of the settings.
    fn sign_again(&self, request: &mut Replayed, now: UnixMillis);
}

/// It pushes without a signature, at an address that nobody else knows: a reason to ask, and nothing else.
pub trait Hints: Send + Sync {
    /// What a push at the address that ends in `secret` is about, in the back-end's own words.
    ///
    /// # Errors
    /// Why it is not followed.
    fn about(&self, secret: &str, body: &[u8]) -> Result<String, HintError>;
    /// The call that reads what a hint is about.
    ///
    /// # Errors
    /// What cannot be written: anybody may have chosen what it is about.
    fn call(&self, about: &str) -> Result<Call, EncodeError>;
    /// Which booking of ours the answer is about.
    fn read(&self, about: &str, response: &HttpResponse) -> CallResult<BookingId>;
}

/// It knows what is left of a date.
pub trait Availability: Send + Sync {
    /// The call that asks for some days.
    ///
    /// # Errors
    /// What cannot be written.
    fn call(
        &self,
        product: &str,
        terms: &BackendTerms,
        from: Date,
        to: Date,
        cx: &Context<'_>,
    ) -> Result<Call, EncodeError>;
    /// Reads the answer.
    fn read(&self, product: &str, response: &HttpResponse) -> CallResult<Vec<CalendarDay>>;
}
