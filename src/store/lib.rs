//! Persistence: the one place that speaks SQL.
//!
//! [`Store`] reads; [`Store::write`] is the only way to a transaction, and what it hands out, [`Tx`], changes rows.
//! Each subject has a module with the methods of both. The store never reads a clock: callers pass the present. So
//! leases are judged by the callers' clocks (and by a test's own), not by the database's; instances that share a
//! database must agree on the time to well below the length of a lease.

mod calls;
mod claims;
mod codes;
mod connect;
mod credit;
mod deadlines;
mod dialect;
mod error;
mod guests;
mod idempotency;
mod inbox;
mod jobs;
mod leases;
mod listings;
mod lists;
mod once;
mod orders;
mod pauses;
mod refs;
mod rotation;
mod seal;
mod statements;
mod stock;
#[cfg(any(test, feature = "test-support"))]
pub mod test_support;
#[cfg(test)]
mod tests;
mod tx;

pub use calls::{CallRecord, Direction};
pub use claims::{ClaimKind, GuestClaim};
pub use codes::{Imported, PoolCode, PoolCounts, Withdrawn};
pub use connect::{Durability, Store, StoreOptions};
pub use credit::{CreditBook, CreditDifference, CreditEntry, CreditKind, CreditSums, Deposited};
pub use deadlines::{ClaimedDeadline, DeadlineCount, DeadlineRow, DeadlineState};
pub use error::{SealError, StoreError};
pub use idempotency::KnownAct;
pub use inbox::{InboxRow, InboxVerdict, NewInbox, StoredAnswer};
pub use jobs::{Job, JobCount, JobEnd, JobState, NewJob};
pub use leases::{Instance, LeaseToken};
pub use lists::{
    CallFilter, DeadlineFilter, InboxFilter, JobFilter, Needing, OrderFilter, Page, PageRequest, RefundFilter,
    RefundRow,
};
pub use orders::{EventRow, event_id};
pub use refs::{OrderRefRow, Remembered, ToRemember};
pub use rotation::{Resealed, SealedColumn};
pub use seal::Sealer;
pub use statements::{LineKind, SettleTerms, StatementLine};
pub use stock::ToldStock;
pub use tx::{CONFLICT_RUNS_MAX, CommitFault, CommitFaults, GROUP_COMMIT_MAX, Tx, WRITE_QUEUE_MAX};
