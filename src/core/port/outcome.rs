// SPDX-License-Identifier: Apache-2.0

//! A call of ours to a partner, and what its answer means.

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use sha2::{Digest as _, Sha256};
use std::fmt;

use crate::quoted::{ForeignCode, FreeText, Quoted};
use crate::time::{Millis, UnixMillis};

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
    /// Whom it is for is not configured at present.
    #[error("{0} are not configured")]
    NotConfigured(&'static str),
}

/// A call to make.
#[derive(Clone, PartialEq, Eq)]
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

impl Call {
    /// What tells two calls apart for the partner, key and signature aside.
    pub fn fingerprint(&self) -> String {
        let mut digest = Sha256::new();
        for part in [self.method.as_str().as_bytes(), self.url.as_bytes(), &self.body] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        hex::encode(&digest.finalize()[..16])
    }
}

impl fmt::Debug for Call {
    /// What it says names guests, and its headers prove that it is ours.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({} {}, {} bytes)", self.method, Quoted::code(&self.url), self.body.len())
    }
}

/// The answer to a call.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, up to the response cap.
    pub body: Bytes,
}

impl HttpResponse {
    /// When it was given, by the clock of whoever gave it (`Date`), to the second.
    pub fn date(&self) -> Option<UnixMillis> {
        self.headers.get(header::DATE)?.to_str().ok().and_then(UnixMillis::parse_http_date)
    }
}

impl fmt::Debug for HttpResponse {
    /// What it says may name guests.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpResponse({}, {} bytes)", self.status.as_u16(), self.body.len())
    }
}

/// What is said of an answer that is about the very order that was asked for, and whose account of it cannot be read.
pub const UNREADABLE_ORDER: &str =
    "the answer is about this order, and what it tells of it contradicts itself, or cannot be read";

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
        why: FreeText,
        /// When the partner says to come again.
        after: Option<Millis>,
    },
    /// It never will be.
    Refused {
        /// The partner's code.
        code: ForeignCode,
        /// Its words.
        why: FreeText,
    },
    /// Perhaps carried out, perhaps not.
    Unknown {
        /// What went wrong.
        why: FreeText,
    },
    /// The partner does not know what was asked about.
    Absent,
    /// Not carried out: the order had changed at the partner meanwhile, and the answer says how it stands now.
    Overtaken,
    /// The answer is about something else than what was asked, which makes it none: it is asked again, and shown to a person.
    Astray {
        /// What it is about instead; never the other's number or data.
        why: FreeText,
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

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({} ms)", self.lives_for.0)
    }
}
