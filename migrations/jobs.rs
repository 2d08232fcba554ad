//! What must be done: calls to partners, and times that pass.

use crate::table::{Table, flag, short, text, whole, word};

/// The outbox. `id` is also the idempotency key towards the partner.
pub(crate) static JOB: Table = Table {
    name: "job",
    columns: &[
        word("id"),
        word("order_id"),
        word("destination"),
        word("call_name"),
        text("effect"),
        word("state"),
        whole("seq"),
        flag("holds_up"),
        whole("due_ms"),
        whole("lease_until_ms"),
        word("lease_token").null(),
        whole("attempts"),
        flag("read_back"),
        text("last_error").null(),
        short("traceparent", 255).null(),
        whole("created_ms"),
        whole("done_ms").null(),
    ],
    primary: &["id"],
    unique: &[],
    indexes: &[
        &["state", "due_ms"],
        &["state", "lease_until_ms"],
        &["order_id", "destination", "state", "seq"],
        &["lease_token"],
        &["state", "created_ms"],
        &["created_ms", "id"],
        &["destination", "state"],
    ],
};

/// One row per order and kind of deadline. `next_ms` is the next warning, or the deadline itself.
pub(crate) static DEADLINE: Table = Table {
    name: "deadline",
    columns: &[
        word("id"),
        word("order_id"),
        word("kind"),
        word("state"),
        whole("due_ms"),
        whole("next_ms"),
        text("warn_at"),
        whole("warned_ms").null(),
        whole("passed_ms").null(),
        whole("lease_until_ms"),
        word("lease_token").null(),
    ],
    primary: &["id"],
    unique: &[&["order_id", "kind"]],
    indexes: &[&["state", "next_ms"], &["state", "due_ms"], &["due_ms", "id"], &["lease_token"]],
};

/// Partners whose deliveries wait; the names are those of `job.destination`.
pub(crate) static PARTNER_PAUSE: Table = Table {
    name: "partner_pause",
    columns: &[word("partner"), flag("paused"), word("changed_by"), whole("changed_ms")],
    primary: &["partner"],
    unique: &[],
    indexes: &[],
};
