// SPDX-License-Identifier: Apache-2.0

//! What must be done: calls to partners, and times that pass.

use crate::alter::Alteration;
use crate::reindex::{Part, Reindexing};
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

/// When a delivery can be handed out is a column, so that handing out reads one index from its beginning and needs no statistics:
/// `ready_ms` is the due time of one that nothing stands before, the end of its lease of one that is handed out, and NULL otherwise.
/// `failed_last` (NULL: written by an older version, to be taken over) keeps deliveries apart whose last attempt failed; `followed`
/// says that others wait for the end of this one; `urgent_ms` is the deadline that it serves.
pub(crate) static JOB_READY: Alteration = Alteration {
    table: "job",
    columns: &[
        flag("failed_last").null(),
        flag("followed").null(),
        whole("ready_ms").null(),
        whole("urgent_ms").null(),
    ],
    indexes: &[&["destination", "failed_last", "ready_ms"], &["state", "failed_last", "destination"]],
    without: &[&["state", "due_ms"], &["state", "lease_until_ms"], &["lease_token"], &["destination", "state"]],
};

/// The key by which a partner recognises a repeat, where it is another than the delivery's id: so that it is found in the partner's logs.
pub(crate) static JOB_WIRE_KEY: Alteration =
    Alteration { table: "job", columns: &[short("wire_key", 255).null()], indexes: &[], without: &[] };

/// Claimed rows are found by their ids.
pub(crate) static DEADLINE_CLAIMS: Alteration =
    Alteration { table: "deadline", columns: &[], indexes: &[], without: &[&["lease_token"]] };

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

/// Those that are armed, by what comes next. Each state by itself is listed by when they pass.
pub(crate) static DEADLINE_INDEXES: Reindexing = Reindexing {
    table: "deadline",
    parts: &[Part { name: "armed", columns: &["next_ms"], only: "state = 'armed'" }],
    replaced: &[&["state", "next_ms"]],
    without: &[&["due_ms", "id"]],
};

/// The list of one state is read in its order from the index alone.
pub(crate) static DEADLINE_LIST: Alteration = Alteration {
    table: "deadline",
    columns: &[],
    indexes: &[&["state", "due_ms", "id"]],
    without: &[&["state", "due_ms"]],
};

/// The deadlines of orders that were put away, as they were in [`DEADLINE`].
pub(crate) static DEADLINE_ARCHIVE: Table = Table {
    name: "deadline_archive",
    columns: DEADLINE.columns,
    primary: &["id"],
    unique: &[],
    indexes: &[&["order_id"], &["state", "due_ms", "id"]],
};

/// Partners whose deliveries wait; the names are those of `job.destination`.
pub(crate) static PARTNER_PAUSE: Table = Table {
    name: "partner_pause",
    columns: &[word("partner"), flag("paused"), word("changed_by"), whole("changed_ms")],
    primary: &["partner"],
    unique: &[],
    indexes: &[],
};
