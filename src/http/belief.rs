// SPDX-License-Identifier: Apache-2.0

//! Who is believed: what comes before anything of a message is looked at, for channels and back-ends alike.
//!
//! Strangers and partners often share an address: a proxy's, a gateway's. So an address is judged by its failures alone: whoever proves who he
//! is passes, however many others fail beside him. Whoever has failed too often is turned away without his body being read, if the head of
//! the request already shows that it proves nothing. What a partner may do in a second is counted for the partner, not for the address.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use ticketbridge_core::port::AuthError;

use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::{Shared, incoming_body};

/// Stands for a body that has not been read: what is wrong with the head is wrong with every body.
const ANY_BODY: &[u8] = b"{}";

/// Why a request is not looked at.
#[derive(Debug)]
pub(crate) enum TurnedAway {
    /// It is not verified, and this is why.
    NotBelieved(AuthError),
    /// Something else, which says nothing about who calls.
    Problem(Problem),
}

/// A request that is verified.
#[derive(Debug)]
pub(crate) struct Believed {
    /// Its body.
    pub(crate) body: Bytes,
    /// Index of the key that proved it.
    pub(crate) key_index: usize,
}

/// The terms on which a request is let in.
pub(crate) struct Terms<'a> {
    /// The channel or back-end.
    pub(crate) partner: &'a str,
    /// Who calls, by address.
    pub(crate) caller: Caller,
    /// Requests a second for each of the partner's keys.
    pub(crate) rate: u32,
    /// Bytes of a body at most.
    pub(crate) bytes_max: usize,
}

impl Terms<'_> {
    /// Reads the body and makes sure who sent it. `verify` is the partner's own check of these headers with a body.
    pub(crate) async fn let_in(
        &self,
        shared: &Shared,
        headers: &HeaderMap,
        body: Body,
        verify: impl Fn(&[u8]) -> Result<usize, AuthError>,
    ) -> Result<Believed, TurnedAway> {
        if let Some(problem) = incoming_body::encoded(headers) {
            return Err(TurnedAway::Problem(problem));
        }
        let failed = verify(ANY_BODY).err().filter(is_of_the_head);
        if failed.is_some() && !shared.callers.may_fail(self.caller, self.rate) {
            return Err(TurnedAway::Problem(failed_too_often()));
        }
        let body = incoming_body::read(body, self.bytes_max).await.map_err(TurnedAway::Problem)?;
        match verify(&body) {
            Ok(key_index) if shared.callers.admit(self.partner, key_index, self.rate) => {
                Ok(Believed { body, key_index })
            }
            Ok(_) => {
                Err(TurnedAway::Problem(too_many_requests("more requests than this partner may make in a second")))
            }
            Err(_) if failed.is_none() && !shared.callers.may_fail(self.caller, self.rate) => {
                Err(TurnedAway::Problem(failed_too_often()))
            }
            Err(error) => Err(TurnedAway::NotBelieved(error)),
        }
    }
}

/// Whether the error does not depend on the body.
fn is_of_the_head(error: &AuthError) -> bool {
    match error {
        AuthError::Missing(_)
        | AuthError::UnknownKey(_)
        | AuthError::BadTimestamp(_)
        | AuthError::StaleTimestamp { .. } => true,
        // A reading that depends on the body is looked at with the body.
        AuthError::BadSignature | AuthError::Ambiguous(_) => false,
    }
}

/// 429.
pub(crate) fn too_many_requests(sentence: &'static str) -> Problem {
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", sentence).after(1)
}

fn failed_too_often() -> Problem {
    too_many_requests("too many requests from this address prove nothing; one that is signed rightly passes")
}
