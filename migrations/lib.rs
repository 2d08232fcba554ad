// SPDX-License-Identifier: Apache-2.0

//! The database schema, in portable DDL: SQLite, PostgreSQL, MySQL and MariaDB.
//!
//! Migrations are append-only: a released one is never changed. Each is one table, or an addition to one, written once as data ([`table`], [`alter`], [`reindex`]) and
//! rendered for the database at hand. MySQL cannot roll DDL back, so every migration is one statement there and can be
//! run again after a crash.

mod accounts;
mod alter;
mod calls;
mod channels;
mod codes;
mod credit;
mod guest_data;
mod guests;
mod inbox;
mod jobs;
mod orders;
mod reindex;
mod statements;
mod stock;
mod storage;
mod table;
mod tape;
mod upkeep;

use alter::{AlterTable, Alteration};
use reindex::{Reindex, Reindexing};
use sea_orm_migration::prelude::*;
use storage::Storage;
use table::{AddColumn, Column, CreateTable, Table};

/// Every migration there is, in order: its name for ever, and its table.
const STEPS: &[(&str, &Table)] = &[
    ("m0001_orders", &orders::ORDERS),
    ("m0002_order_ref", &orders::ORDER_REF),
    ("m0003_order_event", &orders::ORDER_EVENT),
    ("m0004_booking", &orders::BOOKING),
    ("m0005_refund_case", &orders::REFUND_CASE),
    ("m0006_inbox", &inbox::INBOX),
    ("m0007_job", &jobs::JOB),
    ("m0008_deadline", &jobs::DEADLINE),
    ("m0009_partner_pause", &jobs::PARTNER_PAUSE),
    ("m0010_stock", &stock::STOCK),
    ("m0011_code_pool", &codes::CODE_POOL),
    ("m0012_code", &codes::CODE),
    ("m0013_guest_claim", &guests::GUEST_CLAIM),
    ("m0014_call_log", &calls::CALL_LOG),
    ("m0015_lease", &upkeep::LEASE),
    ("m0016_idempotency", &upkeep::IDEMPOTENCY),
    ("m0017_credit_account", &credit::CREDIT_ACCOUNT),
    ("m0018_credit_entry", &credit::CREDIT_ENTRY),
    ("m0019_statement_line", &statements::STATEMENT_LINE),
    ("m0020_secret", &guest_data::SECRET),
    ("m0021_guest_ref", &guest_data::GUEST_REF),
    ("m0022_guest_erasure", &guest_data::GUEST_ERASURE),
    ("m0023_listing", &channels::LISTING),
    ("m0024_live_link", &channels::LIVE_LINK),
    ("m0025_remembered", &inbox::REMEMBERED),
    ("m0026_done_once", &upkeep::DONE_ONCE),
    ("m0027_credit_currency", &credit::CREDIT_CURRENCY),
    ("m0028_order_end", &orders::ORDER_END),
    ("m0029_erasure_wish", &guest_data::ERASURE_WISH),
    ("m0031_tape", &tape::TAPE),
    ("m0040_account", &accounts::ACCOUNT),
    ("m0041_recovery_code", &accounts::RECOVERY_CODE),
    ("m0042_session", &accounts::SESSION),
    ("m0043_session_reveal", &accounts::SESSION_REVEAL),
    ("m0044_invitation", &accounts::INVITATION),
    ("m0045_audit", &accounts::AUDIT),
    ("m0046_door", &accounts::DOOR),
    ("m0047_settled", &accounts::SETTLED),
    ("m0051_rule_set", &orders::RULE_SET),
    ("m0055_order_archive", &orders::ORDER_ARCHIVE),
    ("m0056_deadline_archive", &jobs::DEADLINE_ARCHIVE),
    ("m0057_archived", &orders::ARCHIVED),
    ("m0063_bulk", &accounts::BULK),
    ("m0066_bulk_item", &accounts::BULK_ITEM),
    ("m0067_password_reset", &accounts::PASSWORD_RESET),
    ("m0068_guess", &accounts::GUESS),
    ("m0090_held_code", &codes::HELD_CODE),
    ("m0104_passkey", &accounts::PASSKEY),
    ("m0105_passkey_challenge", &accounts::PASSKEY_CHALLENGE),
    ("m0106_partner_secrets", &accounts::PARTNER_SECRETS),
];

/// What tables got later, in order.
const ALTERATIONS: &[(&str, &Alteration)] = &[
    ("m0101_job_ready", &jobs::JOB_READY),
    ("m0102_deadline_claims", &jobs::DEADLINE_CLAIMS),
    ("m0103_job_wire_key", &jobs::JOB_WIRE_KEY),
    ("m0062_orders_changed", &orders::ORDERS_CHANGED),
    ("m0070_deadline_list", &jobs::DEADLINE_LIST),
];

/// Which tables got other indexes later, in order.
const REINDEXED: &[(&str, &Reindexing)] = &[
    ("m0050_orders_indexes", &orders::ORDERS_INDEXES),
    ("m0050_order_ref_indexes", &orders::ORDER_REF_INDEXES),
    ("m0050_booking_indexes", &orders::BOOKING_INDEXES),
    ("m0050_refund_case_indexes", &orders::REFUND_CASE_INDEXES),
    ("m0050_deadline_indexes", &jobs::DEADLINE_INDEXES),
    ("m0050_inbox_indexes", &inbox::INBOX_INDEXES),
];

/// How rows of tables came to be stored later, in order.
const STORED: &[(&str, &Storage)] = &[("m0110_orders_inline", &orders::ORDERS_INLINE)];

/// Columns that a released table got later, in order: name for ever, table, column. They come after all tables, and may be NULL, since
/// older rows have nothing in them.
const WIDENED: &[(&str, &str, Column)] = &[("w0001_inbox_content_sha256", "inbox", inbox::CONTENT_SHA256)];

/// The name of the newest migration: that of the schema.
pub fn newest() -> &'static str {
    // In the order of [`Migrator`], from its end.
    let reindexed = REINDEXED.last().map(|(name, _)| *name);
    let altered = || ALTERATIONS.last().map(|(name, _)| *name);
    let widened = || WIDENED.last().map(|(name, _, _)| *name);
    let stored = STORED.last().map(|(name, _)| *name);
    stored
        .or(reindexed)
        .or_else(altered)
        .or_else(widened)
        .or_else(|| STEPS.last().map(|(name, _)| *name))
        .unwrap_or_default()
}

/// How many migrations there are.
pub fn count() -> usize {
    STEPS.len() + WIDENED.len() + ALTERATIONS.len() + REINDEXED.len() + STORED.len()
}

/// All migrations, in order.
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let tables = STEPS.iter().map(|&(name, table)| Box::new(CreateTable(name, table)) as Box<dyn MigrationTrait>);
        let later = ALTERATIONS.iter().map(|&(name, it)| Box::new(AlterTable(name, it)) as Box<dyn MigrationTrait>);
        let columns = WIDENED
            .iter()
            .map(|&(name, table, column)| Box::new(AddColumn { name, table, column }) as Box<dyn MigrationTrait>);
        let indexes = REINDEXED.iter().map(|&(name, it)| Box::new(Reindex(name, it)) as Box<dyn MigrationTrait>);
        let stored = STORED.iter().map(|&(name, it)| Box::new(storage::Store(name, it)) as Box<dyn MigrationTrait>);
        tables.chain(columns).chain(later).chain(indexes).chain(stored).collect()
    }
}
