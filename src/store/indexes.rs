// SPDX-License-Identifier: Apache-2.0

//! Every index beside the primary keys, and what it is there for. Each one is written at every sale, booking or call that its table keeps,
//! so one that no question of ours needs is not there; a test compares this list with the real schema. To add an index, name the question
//! here.
//!
//! SQLite and PostgreSQL have indexes of a part of the rows (their names say of which); MySQL has whole ones in their place.

/// An index.
#[derive(Clone, Copy, Debug)]
pub struct Index {
    /// Its table.
    pub table: &'static str,
    /// Its name, on SQLite and PostgreSQL.
    pub name: &'static str,
    /// On MySQL and MariaDB, where another one, or several, are there in its place.
    pub on_mysql: &'static [&'static str],
    /// The questions that it answers, or the promise that it keeps.
    pub serves: &'static str,
}

const fn index(table: &'static str, name: &'static str, serves: &'static str) -> Index {
    Index { table, name, on_mysql: &[], serves }
}

const fn part(table: &'static str, name: &'static str, whole: &'static [&'static str], serves: &'static str) -> Index {
    Index { table, name, on_mysql: whole, serves }
}

/// All of them.
pub const INDEXES: &[Index] = &[
    index("account", "ix_account_created_ms_id", "the list of people"),
    index("account", "ix_account_email_hash", "signing in by address; an address is one person's"),
    index("account", "ix_account_identity_hash", "signing in through a provider; an identity is one person's"),
    index("audit", "ix_audit_actor_at_ms", "the trail of one person"),
    index("audit", "ix_audit_at_ms_id", "the trail"),
    index("audit", "ix_audit_order_id_at_ms", "the trail of one order"),
    index("bulk", "ix_bulk_asked_by_created_ms", "what one has done to many"),
    index("bulk", "ix_bulk_state_created_ms", "what was begun on many and is not done; its end after its time"),
    index("bulk_item", "ix_bulk_item_bulk_id_state", "how far it has come; what is to be done next"),
    index("call_log", "ix_call_log_at_ms_id", "the list of calls; their end after their time"),
    index("call_log", "ix_call_log_order_id_at_ms", "the calls of one order; forgetting its guests"),
    index(
        "code",
        "ix_code_pool_booking_id_position",
        "the next free code; the codes of one booking; how many are left",
    ),
    index("code", "ix_code_pool_position", "a place in a pool is one code's"),
    index("credit_entry", "ix_credit_entry_account_at_ms", "the movements of one account"),
    index("credit_entry", "ix_credit_entry_order_id_at_ms", "what one order holds of an account"),
    part("deadline", "ix_deadline_armed", &["ix_deadline_state_next_ms"], "what is due next, of those that are armed"),
    index("deadline", "ix_deadline_order_id_kind", "the deadlines of one order; one of each kind"),
    index("deadline", "ix_deadline_state_due_ms_id", "the list of deadlines in one state, and their count"),
    index("deadline_archive", "ix_deadline_archive_order_id", "the deadlines of one order that was put away"),
    index(
        "deadline_archive",
        "ix_deadline_archive_state_due_ms_id",
        "their part of the list of deadlines in one state",
    ),
    index("guess", "ix_guess_last_ms", "their end after their time"),
    index("guest_claim", "ix_guest_claim_product_kind_hash_live", "what a phone or a document has bought of a product"),
    index("guest_ref", "ix_guest_ref_order_id", "forgetting the guests of one order"),
    index("idempotency", "ix_idempotency_at_ms", "their end after their time"),
    index("inbox", "ix_inbox_channel_received_ms", "the messages of one channel"),
    index("inbox", "ix_inbox_dedupe", "whether a message is known; it counts once"),
    part(
        "inbox",
        "ix_inbox_not_accepted",
        &["ix_inbox_verdict_received_ms"],
        "messages by what became of them, but for those that were accepted",
    ),
    index("inbox", "ix_inbox_order_id", "the messages of one order; forgetting its guests"),
    index("inbox", "ix_inbox_received_ms_id", "the list of messages; the end of their bodies"),
    index("invitation", "ix_invitation_created_ms_id", "the list of invitations"),
    index("invitation", "ix_invitation_token_hash", "the invitation behind a link"),
    index("job", "ix_job_created_ms_id", "the list of deliveries"),
    index("job", "ix_job_destination_failed_last_ready_ms", "handing out what is due, destination by destination"),
    index("job", "ix_job_order_id_destination_state_seq", "the deliveries of one order, and which comes next"),
    index("job", "ix_job_state_created_ms", "deliveries by their state; the end of those that are over"),
    index("job", "ix_job_state_failed_last_destination", "how many wait and are given up, by destination"),
    index("live_link", "ix_live_link_link_key", "a payment link is one order's"),
    index(
        "order_archive",
        "ix_order_archive_booking_state_created_ms",
        "orders put away, by the state of their booking",
    ),
    index("order_archive", "ix_order_archive_channel_created_ms", "orders put away, of one channel"),
    index("order_archive", "ix_order_archive_created_ms_id", "their part of the list of orders"),
    index("order_archive", "ix_order_archive_payment_state_created_ms", "orders put away, by their payment"),
    index(
        "order_archive",
        "ix_order_archive_refund_state_created_ms",
        "orders put away, by the state of their refund case",
    ),
    index("order_archive", "ix_order_archive_state_created_ms", "orders put away, by their state"),
    index(
        "order_archive",
        "ix_order_archive_ticketing_state_created_ms",
        "orders put away, by the state of their tickets",
    ),
    index("order_archive", "ix_order_archive_visit_date_created_ms", "orders put away, for a day"),
    index("order_ref", "ix_order_ref_reference", "the search for a partner's number"),
    part(
        "orders",
        "ix_orders_by_attention",
        &["ix_orders_attention_created_ms"],
        "orders that need a person, and their count",
    ),
    part(
        "orders",
        "ix_orders_by_booking_state",
        &["ix_orders_booking_state_created_ms"],
        "orders by the state of their booking",
    ),
    part(
        "orders",
        "ix_orders_by_payment_state",
        &["ix_orders_payment_state_created_ms"],
        "orders by their payment, but for those that are simply paid",
    ),
    part(
        "orders",
        "ix_orders_by_refund_state",
        &["ix_orders_refund_state_created_ms"],
        "orders by the state of their refund case",
    ),
    part(
        "orders",
        "ix_orders_by_ticketing_state",
        &["ix_orders_ticketing_state_created_ms"],
        "orders by the state of their tickets",
    ),
    part(
        "orders",
        "ix_orders_by_visit_date",
        &["ix_orders_visit_date_created_ms"],
        "orders for a day, or for some days: those that wait, those without tickets, those whose guests have not come",
    ),
    index("orders", "ix_orders_channel_created_ms", "the orders of one channel"),
    index("orders", "ix_orders_created_ms_id", "the list of orders"),
    index("orders", "ix_orders_state_created_ms", "orders by their state, and their count"),
    index("orders", "ix_orders_updated_ms", "what has changed of late, for those who look on"),
    index("passkey", "ix_passkey_account_id", "the passkeys of one person"),
    index("passkey", "ix_passkey_credential_hash", "whose passkey it is; each belongs to one account"),
    index("passkey_challenge", "ix_passkey_challenge_expires_ms", "their end after their time"),
    index("password_reset", "ix_password_reset_account_id", "the links of one account, which its next password ends"),
    index("refund_case", "ix_refund_case_requested_ms_id", "the list of refund cases"),
    index("refund_case", "ix_refund_case_state_requested_ms", "refund cases by their state"),
    index("remembered", "ix_remembered_ref_hash", "the messages that wait for one number"),
    index("session", "ix_session_account_id", "the sessions of one person"),
    index("session", "ix_session_created_ms", "their end after their time"),
    index("session", "ix_session_id", "a session by its name"),
    index("session_reveal", "ix_session_reveal_at_ms", "their end after their time"),
    index("statement_line", "ix_statement_line_settle_id_at_ms", "the statement of one partner for some time"),
    index("tape", "ix_tape_at_ms_id", "reading the recording; its end after its time"),
];
