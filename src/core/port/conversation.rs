// SPDX-License-Identifier: Apache-2.0

//! An operation that takes several calls.

use crate::message::TicketFacts;
use crate::port::{Call, CallResult, Context, EncodeError, HttpResponse};
use crate::quoted::FreeText;

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
    /// At its end: what a person should know of, although it went as it should.
    fn remark(&self) -> Option<FreeText> {
        None
    }
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
    NotSent(FreeText),
    /// Perhaps it did.
    Unknown(FreeText),
}
