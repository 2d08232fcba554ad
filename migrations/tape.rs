// SPDX-License-Identifier: Apache-2.0

//! The recording: what came in and what went out, whole, for as long as the configuration says.

use crate::table::{Table, text, whole, word};

/// One row per request, call or task of the housekeeping, sealed.
pub(crate) static TAPE: Table = Table {
    name: "tape",
    columns: &[word("id"), whole("at_ms"), text("sealed")],
    primary: &["id"],
    unique: &[],
    indexes: &[&["at_ms", "id"]],
};
