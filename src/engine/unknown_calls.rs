// SPDX-License-Identifier: Apache-2.0

//! The trace of calls that nobody answers.

use std::sync::Arc;

use bytes::Bytes;
use ticketbridge_core::UnixMillis;
use ticketbridge_core::quoted::Quoted;
use ticketbridge_store::{InboxVerdict, NewInbox, StoreError, Tx};

use crate::engine::digest::{body_sha256, sha256_hex};
use crate::engine::{Engine, EngineError};

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

/// A call that nobody answers.
#[derive(Clone, Debug)]
pub struct UnknownCall {
    /// The channel or back-end that it was for.
    pub partner: String,
    /// What stood in its path.
    pub name: Quoted,
    /// It carried the partner's signature.
    pub is_proved: bool,
    /// When it came.
    pub at: UnixMillis,
}

impl Engine {
    /// Leaves a row in the inbox: one a day and partner, and of the partner's own calls one for each name. Its body is not kept.
    ///
    /// # Errors
    /// Store errors.
    pub async fn note_unknown_call(&self, call: UnknownCall) -> Result<(), EngineError> {
        let (day, whose) = (call.at.0 / DAY, if call.is_proved { "signed" } else { "unsigned" });
        let named = if call.is_proved { call.name.as_str() } else { "" };
        let dedupe = sha256_hex(&[&call.partner, "unknown_call", whose, named, &day.to_string()]);
        let id = format!("inb_{:032x}", self.ids.seed().0);
        let key = format!("unknown_call:{whose}:{}", dedupe.get(..12).unwrap_or(""));
        let work = Arc::new((call, id, dedupe, key));
        let noted = self
            .store
            .write("note_unknown_call", move |tx: &Tx| {
                let work = work.clone();
                Box::pin(async move {
                    let (call, id, dedupe, key) = &*work;
                    let body = Bytes::new();
                    let new = NewInbox {
                        id,
                        dedupe,
                        channel: &call.partner,
                        call: call.name.as_str(),
                        key,
                        received_at: call.at,
                        body_sha256: &body_sha256(&body),
                        content_sha256: None,
                        body: &body,
                    };
                    tx.insert_inbox(&new).await?;
                    tx.finish_inbox(id, InboxVerdict::UnknownCall, None, None).await
                })
            })
            .await;
        match noted {
            Ok(()) | Err(StoreError::Duplicate) => Ok(()),
            Err(other) => Err(other.into()),
        }
    }
}
