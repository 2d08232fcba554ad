// SPDX-License-Identifier: Apache-2.0

//! Why something could not be carried out.

use ticketbridge_core::Rejection;
use ticketbridge_store::StoreError;

/// Why the engine could not carry something out. A rejection is an answer; everything else is trouble of ours.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The order's state, or the rules, do not allow it.
    #[error("refused: {0}")]
    Rejected(Rejection),
    /// The same, and what the message has made so far is not to stay either.
    #[error("refused as a whole: {0}")]
    RejectedWhole(Rejection),
    /// The same message has been taken before.
    #[error("the message is known")]
    Known,
    /// The sender should come again.
    #[error("not yet")]
    TryLater,
    /// Somebody else holds the delivery by now.
    #[error("the lease of the delivery is lost")]
    LeaseLost,
    /// The database failed.
    #[error("the database failed")]
    Store(#[source] StoreError),
}

impl From<StoreError> for EngineError {
    fn from(error: StoreError) -> Self {
        EngineError::Store(error)
    }
}
impl From<Rejection> for EngineError {
    fn from(rejection: Rejection) -> Self {
        EngineError::Rejected(rejection)
    }
}
