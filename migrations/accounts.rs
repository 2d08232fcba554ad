// SPDX-License-Identifier: Apache-2.0

//! People: who may sign in, their sessions, invitations to them, and what they did.

use crate::table::{Table, hash, short, text, whole, word};

/// A person. What is personal is sealed in `profile`; the e-mail address is found by a keyed hash.
pub(crate) static ACCOUNT: Table = Table {
    name: "account",
    columns: &[
        word("id"),
        hash("email_hash"),
        text("profile"),
        word("state"),
        word("role").null(),
        word("scope_kind").null(),
        word("scope_id").null(),
        word("sign_in"),
        hash("identity_hash").null(),
        text("password").null(),
        text("totp").null(),
        whole("totp_step"),
        word("language").null(),
        whole("created_ms"),
        whole("updated_ms"),
    ],
    primary: &["id"],
    unique: &[&["email_hash"], &["identity_hash"]],
    indexes: &[&["created_ms", "id"]],
};

/// A code that stands for the second factor once.
pub(crate) static RECOVERY_CODE: Table = Table {
    name: "recovery_code",
    columns: &[word("account_id"), hash("code_hash"), whole("used_ms").null()],
    primary: &["account_id", "code_hash"],
    unique: &[],
    indexes: &[],
};

/// A signed-in browser, by a hash of what its cookie holds.
pub(crate) static SESSION: Table = Table {
    name: "session",
    columns: &[
        hash("token_hash"),
        word("id"),
        word("account_id"),
        whole("created_ms"),
        whole("seen_ms"),
        whole("factor_ms").null(),
        short("address", 64),
        short("agent", 200),
        whole("ended_ms").null(),
    ],
    primary: &["token_hash"],
    unique: &[&["id"]],
    indexes: &[&["account_id"], &["created_ms"]],
};

/// An order whose guests a session has asked to see in clear.
pub(crate) static SESSION_REVEAL: Table = Table {
    name: "session_reveal",
    columns: &[word("session_id"), word("order_id"), whole("at_ms")],
    primary: &["session_id", "order_id"],
    unique: &[],
    indexes: &[&["at_ms"]],
};

/// An invitation, by a hash of what its link holds. Taking it back and accepting it meet on this row.
pub(crate) static INVITATION: Table = Table {
    name: "invitation",
    columns: &[
        word("id"),
        hash("token_hash"),
        text("email"),
        word("role"),
        word("scope_kind"),
        word("scope_id").null(),
        word("state"),
        word("invited_by"),
        whole("created_ms"),
        whole("expires_ms"),
        word("account_id").null(),
    ],
    primary: &["id"],
    unique: &[&["token_hash"]],
    indexes: &[&["created_ms", "id"]],
};

/// What people did and looked at: append-only.
pub(crate) static AUDIT: Table = Table {
    name: "audit",
    columns: &[
        word("id"),
        whole("at_ms"),
        word("actor"),
        word("act"),
        word("order_id").null(),
        word("channel").null(),
        word("scope_kind").null(),
        word("scope_id").null(),
        text("detail"),
    ],
    primary: &["id"],
    unique: &[],
    indexes: &[&["at_ms", "id"], &["actor", "at_ms"], &["order_id", "at_ms"]],
};

/// From where a partner may call: each network with the time from which, and until when.
pub(crate) static DOOR: Table = Table {
    name: "door",
    columns: &[
        word("connection"),
        short("network", 64),
        whole("propagation_ms"),
        whole("saved_ms"),
        whole("opens_ms"),
        whole("closes_ms").null(),
    ],
    primary: &["connection", "network"],
    unique: &[],
    indexes: &[],
};

/// Secrets of a partner whose changes take their time: those in force, and those that will be.
pub(crate) static PARTNER_SECRETS: Table = Table {
    name: "partner_secrets",
    columns: &[
        word("connection"),
        hash("fingerprint"),
        text("sealed"),
        whole("propagation_ms"),
        whole("saved_ms"),
        whole("opens_ms"),
    ],
    primary: &["connection", "fingerprint"],
    unique: &[],
    indexes: &[],
};

/// Until when a settle unit has been settled; each settlement is a row.
pub(crate) static SETTLED: Table = Table {
    name: "settled",
    columns: &[word("settle_id"), whole("until_ms"), word("settled_by"), whole("at_ms")],
    primary: &["settle_id", "until_ms"],
    unique: &[],
    indexes: &[],
};

/// A link by which somebody gives himself another password, by a hash of what it holds.
pub(crate) static PASSWORD_RESET: Table = Table {
    name: "password_reset",
    columns: &[hash("token_hash"), word("account_id"), whole("expires_ms")],
    primary: &["token_hash"],
    unique: &[],
    indexes: &[&["account_id"]],
};

/// A passkey, by a keyed hash of what its authenticator knows it by. The counter stands by itself: of two who come with one count one is
/// believed.
pub(crate) static PASSKEY: Table = Table {
    name: "passkey",
    columns: &[
        word("id"),
        word("account_id"),
        hash("credential_hash"),
        text("name"),
        text("credential"),
        whole("counter"),
        whole("created_ms"),
        whole("used_ms").null(),
    ],
    primary: &["id"],
    unique: &[&["credential_hash"]],
    indexes: &[&["account_id"]],
};

/// A challenge that waits for the answer of an authenticator, by a hash of it. It is taken once.
pub(crate) static PASSKEY_CHALLENGE: Table = Table {
    name: "passkey_challenge",
    columns: &[hash("challenge_hash"), word("kind"), word("session_id").null(), text("state"), whole("expires_ms")],
    primary: &["challenge_hash"],
    unique: &[],
    indexes: &[&["expires_ms"]],
};

/// Wrong tries at a password or a code, by a keyed hash of who tried what; and what may be tried only once and was.
pub(crate) static GUESS: Table = Table {
    name: "guess",
    columns: &[hash("key_hash"), whole("tries"), whole("last_ms")],
    primary: &["key_hash"],
    unique: &[],
    indexes: &[&["last_ms"]],
};

/// One act on many: what, and who wants it.
pub(crate) static BULK: Table = Table {
    name: "bulk",
    columns: &[
        word("id"),
        word("act"),
        word("asked_by"),
        word("scope_kind"),
        word("scope_id").null(),
        text("body"),
        word("state"),
        whole("created_ms"),
        whole("done_ms").null(),
        whole("total"),
    ],
    primary: &["id"],
    unique: &[],
    indexes: &[&["state", "created_ms"], &["asked_by", "created_ms"]],
};

/// Each of the many, and what became of it.
pub(crate) static BULK_ITEM: Table = Table {
    name: "bulk_item",
    columns: &[
        word("bulk_id"),
        whole("place"),
        word("target"),
        whole("version").null(),
        word("state"),
        word("code").null(),
        text("sentence").null(),
    ],
    primary: &["bulk_id", "place"],
    unique: &[],
    indexes: &[&["bulk_id", "state"]],
};
