// SPDX-License-Identifier: Apache-2.0

//! What a partner must be able to do: the traits of channels and back-ends, and the values that pass through them.
//!
//! An adapter is a translator. It never opens a socket, reads a clock or a database: time, randomness and access tokens come
//! in with [`Context`], requests go out as [`Call`] values, answers come back as [`HttpResponse`] values. The shell owns
//! transport, retries, storage, limits and logs.

mod answer;
mod backend;
mod capability;
mod channel;
mod conversation;
mod inbound;
mod live_check;
mod outcome;
mod reply;

pub use answer::{Answer, CalendarDay, Offer};
pub use backend::{Backend, BackendEvent, BackendKind, BackendNews, BackendSpec, Clues, HintError, Operations};
pub use capability::*;
pub use channel::{
    CarriedOut, Changes, Channel, ChannelKind, ChannelSpec, ChannelView, Checked, Endpoint, Face, Routed, SellsIn,
    StockLeft,
};
pub use conversation::{Conversation, Silence, Turn};
pub use inbound::{
    AuthError, DecodeError, Envelope, FieldError, Inbound, Listing, Message, Query, RawRequest, Replayed, SaleQuestion,
    Verified, VerifyStep, WantedReservations,
};
pub use live_check::{LiveCheck, LiveFinding, LiveProduct};
pub use outcome::{Call, CallResult, EncodeError, HttpResponse, Token, UNREADABLE_ORDER, Yes};
pub use reply::HttpReply;

use crate::time::UnixMillis;

/// What comes from outside: the same values give the same bytes every time.
#[derive(Clone)]
pub struct Context<'a> {
    /// The present.
    pub now: UnixMillis,
    /// 16 random bytes.
    pub nonce: [u8; 16],
    /// The id of the delivery that is being carried out: the idempotency key towards the partner, the same on every attempt.
    pub delivery_id: &'a str,
    /// When what is said was decided: the same on every attempt, as the key is.
    pub decided_at: UnixMillis,
    /// The access token, where the partner wants one ([`AccessTokens`]).
    pub access_token: Option<&'a str>,
    /// How often this has been tried, 1 for the first time.
    pub attempt: u32,
}

impl std::fmt::Debug for Context<'_> {
    /// The token is a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Context({}, attempt {}, at {})", self.delivery_id, self.attempt, self.now.0)
    }
}

impl Context<'_> {
    /// Of what is no delivery: a message that is read, or a question of our own.
    pub fn without_delivery(now: UnixMillis, nonce: [u8; 16]) -> Self {
        Self { now, nonce, delivery_id: "", decided_at: now, access_token: None, attempt: 1 }
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
