// SPDX-License-Identifier: Apache-2.0

//! What a channel sends us: the raw call, the proof of who sent it, and what it says.

use bytes::Bytes;
use http::{HeaderMap, Method};
use std::borrow::Cow;
use std::fmt;

use crate::id::ExternalId;
use crate::message::{Command, RequestBooking, Sale, Snapshot};
use crate::personal::Person;
use crate::port::HttpReply;
use crate::quoted::{ForeignCode, Quoted};
use crate::rejection::Rejection;
use crate::time::{Date, UnixMillis};
use crate::variant::Visit;

/// A request as it came in: nothing parsed, nothing re-serialised.
#[derive(Clone, Copy)]
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

impl fmt::Debug for RawRequest<'_> {
    /// What it says may name guests.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawRequest({} {}, {} bytes)", self.method, Quoted::code(self.endpoint), self.body.len())
    }
}

/// A request that is played once more; its sender's signature is made anew ([`crate::port::Channel::sign_again`], [`crate::port::Pushes::sign_again`]).
#[derive(Clone)]
pub struct Replayed {
    /// The last part of the path.
    pub endpoint: String,
    /// The query, without the question mark.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl fmt::Debug for Replayed {
    /// What it says may name guests.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Replayed({}, {} bytes)", Quoted::code(&self.endpoint), self.body.len())
    }
}

/// Proof that [`Channel::verify`](super::Channel::verify) or [`Pushes::verify`](super::Pushes::verify) ran: nothing can be decoded
/// without it.
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
    #[error("no key is configured for the caller `{0}`")]
    UnknownKey(ForeignCode),
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
    /// What the caller is told. What his own headers show is said as it is; of keys and signatures there is one text, whatever was wrong:
    /// who guesses learns nothing by asking, and the log and `ticketbridge verify` say the truth.
    pub fn told(&self) -> String {
        match self {
            Self::Missing(_) | Self::BadTimestamp(_) | Self::StaleTimestamp { .. } => self.to_string(),
            Self::UnknownKey(_) | Self::BadSignature | Self::Ambiguous(_) => Self::BadSignature.to_string(),
        }
    }

    /// Its stable word, where the contract is ours.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) => "missing_signature",
            // One word for all: nobody learns by asking which keys there are.
            Self::UnknownKey(_) | Self::BadSignature | Self::Ambiguous(_) => "bad_signature",
            Self::BadTimestamp(_) => "bad_timestamp",
            Self::StaleTimestamp { .. } => "stale_timestamp",
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
    /// What stood there, where the sender's contract says that it is told again.
    pub said: Option<String>,
    /// Where the field is in the whole body, as a JSON pointer, where the contract is ours.
    pub pointer: Option<String>,
    /// Everything else that is missing or wrong in the body, where a schema of ours tells it.
    pub also: Vec<FieldError>,
}

/// A field of a body that is missing or wrong.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FieldError {
    /// Where, as a JSON pointer.
    pub pointer: String,
    /// What is wrong with it, without its value.
    pub detail: String,
}

impl DecodeError {
    /// An error at `field`.
    pub fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            reason: reason.into(),
            rejection: None,
            code: None,
            pointer: None,
            also: Vec::new(),
            said: None,
        }
    }
    /// The same, telling again what stood there.
    pub fn saying(self, said: &str) -> Self {
        Self { said: Some(said.to_owned()), ..self }
    }
    /// The same, with a stable code.
    pub fn coded(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }
    /// The same, with everything that a look over the whole body finds.
    pub fn beside(self, also: Vec<FieldError>) -> Self {
        Self { also, ..self }
    }
    /// Every field that is missing or wrong: this one first, and none twice.
    pub fn every(&self) -> Vec<FieldError> {
        let own = self.pointer.clone().unwrap_or_else(|| match self.field.as_str() {
            "body" => String::new(),
            field => field.split(['.', '[']).map(|step| format!("/{}", step.trim_end_matches(']'))).collect(),
        });
        let first = FieldError { pointer: own, detail: self.reason.clone() };
        let others = self.also.iter().filter(|one| one.pointer != first.pointer).cloned().collect::<Vec<_>>();
        std::iter::once(first).chain(others).collect()
    }
}

/// Which reservations are asked for: those that everything fits which is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WantedReservations {
    /// The asker's own name for it.
    pub reference: Option<String>,
    /// Our number for it.
    pub number: Option<String>,
    /// First and last day of the visit.
    pub dates: Option<(Date, Date)>,
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
    /// What can be sold, and on which days?
    Offers {
        /// Of which products, all their options and start times meant; `None` is every product.
        products: Option<Vec<crate::id::ProductCode>>,
        /// First and last day.
        dates: Option<(Date, Date)>,
        /// Of these days only those visits are meant; none is all of them.
        only: Vec<Visit>,
        /// Units that are wanted; 0 where nothing is said.
        units: u32,
    },
    /// How does this reservation stand at a time?
    Reservation {
        /// Its number.
        about: ExternalId,
        /// The time of the question.
        at: UnixMillis,
    },
    /// Which reservations are there?
    Reservations {
        /// Those that fit.
        wanted: WantedReservations,
        /// The time of the question.
        at: UnixMillis,
    },
    /// How does this order stand?
    OrderStatus {
        /// The channel's number for the sale or the booking.
        about: ExternalId,
    },
    /// What can be visited when?
    Calendar {
        /// The product.
        product: crate::message::ProductRef,
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
        what: ForeignCode,
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
        what: ForeignCode,
    },
    /// A question.
    Query(Query),
    /// A message.
    Message(Envelope),
}
