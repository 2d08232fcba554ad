// SPDX-License-Identifier: Apache-2.0

//! Persistence: the one place that speaks SQL.
//!
//! [`Store`] reads; [`Store::write`] is the only way to a transaction, and what it hands out, [`Tx`], changes rows.
//! Each subject has a module with the methods of both. The store never reads a clock: callers pass the present.
//! Instances that share a server database agree on it by asking for the database's time ([`Store::database_time`]).

mod accounts;
mod ahead;
mod archive;
mod attempts;
mod audit;
mod backup;
mod buffer;
mod bulk;
mod calls;
mod changes;
mod claims;
mod clear;
mod codes;
mod connect;
mod connection;
mod credit;
mod deadlines;
mod desk;
mod dialect;
mod documents;
mod doors;
mod error;
mod files;
mod gather;
mod growth;
mod guesses;
mod guests;
mod hand_over;
mod handout;
mod health;
mod hearing;
mod held_codes;
mod idempotency;
mod inbox;
mod indexes;
mod invitations;
mod job;
mod jobs;
mod keys;
mod lane;
mod leases;
mod limits;
mod listings;
mod lists;
mod needs;
mod once;
mod orders;
mod partner_secrets;
mod passkeys;
mod pauses;
mod places;
mod readers;
mod refs;
mod rotation;
mod rule_book;
mod rule_sets;
mod scopes;
mod seal;
mod secrets;
mod sessions;
mod settled;
mod state;
mod statements;
mod stock;
mod tape;
#[cfg(any(test, feature = "test-support"))]
pub mod test_support;
#[cfg(test)]
mod tests;
mod tx;
mod wakes;

pub use accounts::{AccountFilter, AccountRow, AccountState, NewAccount, Profile, Totp};
pub use ahead::Ahead;
pub use archive::Archived;
pub use attempts::AttemptCount;
pub use audit::{AuditFilter, AuditRow, NewAudit};
pub use backup::SchemaGap;
pub use bulk::{BulkItem, BulkRow, BulkState, ItemEnd, ItemState, NewBulk};
pub use calls::{CallRecord, Direction};
pub use changes::{Changed, Changes};
pub use claims::{GuestClaim, OrdersClaim};
pub use codes::{CODE, CODE_POOLS, Imported, PoolCode, PoolCounts, Withdrawn};
pub use connect::{Store, StoreOptions};
pub use connection::Durability;
pub use credit::{CreditBook, CreditDifference, CreditEntry, CreditKind, CreditSums, Deposited};
pub use deadlines::{ClaimedDeadline, DeadlineCount, DeadlineRow, DeadlineState};
pub use desk::{Desk, HandedOver, Place};
pub use documents::{EventRow, event_id};
pub use doors::DoorRow;
pub use error::{SealError, StoreError};
pub use files::{copy_to_new, give_name, new_for_us};
pub use growth::{Growth, TABLES};
pub use guesses::Guesses;
pub use handout::{LaneRoom, Ready};
pub use held_codes::held_hash;
pub use idempotency::KnownAct;
pub use inbox::{InboxRow, InboxVerdict, NewInbox, StoredAnswer};
pub use indexes::{INDEXES, Index};
pub use invitations::{InvitationRow, InvitationState, NewInvitation};
pub use job::{Job, JobState};
pub use jobs::{JobCount, JobEnd, NewJob};
pub use keys::ClaimKind;
pub use lane::{CONFLICT_RUNS_MAX, CommitFault, CommitFaults, GROUP_COMMIT_MAX, WRITE_QUEUE_MAX};
pub use leases::{Instance, LeaseToken};
pub use limits::TimeLimits;
pub use lists::{
    CallFilter, DeadlineFilter, InboxFilter, JobFilter, Needing, OrderFilter, Page, PageRequest, RefundFilter,
    RefundRow, Within,
};
pub use needs::Needs;
pub use partner_secrets::SecretsRow;
pub use passkeys::{ChallengeKind, NewChallenge, NewPasskey, PasskeyRow};
pub use refs::{OrderRefRow, Remembered, ToRemember};
pub use rotation::{Resealed, SealedColumn};
pub use scopes::{ScopeWords, ScopesWithin};
pub use seal::Sealer;
pub use sessions::{NewSession, SessionRow};
pub use statements::{LineKind, SettleTerms, StatementLine};
pub use stock::{ToldLeft, ToldStock};
pub use tape::{RUN_ID, TapePiece};
pub use tx::Tx;
