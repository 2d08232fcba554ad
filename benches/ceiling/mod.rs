// SPDX-License-Identifier: Apache-2.0

//! What the database under the bridge allows, measured in the same run with the bare driver.
//!
//! Three of them: four small statements to a transaction with 32 clients (`B32`; on SQLite the same rows, 32 transactions to a commit,
//! `S32`), and the *own ceiling*: the very rows that the bridge writes for a sale, 32 sales to a commit.

mod four;
mod own;

pub(crate) use four::measure as four_statements;
pub(crate) use own::{Rows, measure as own_rows};

use std::time::Duration;

use serde::Serialize;

use crate::latency::Latency;

/// Sales that share a commit, and clients that do not.
pub(crate) const TOGETHER: usize = 32;

/// A ceiling.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Ceiling {
    /// `B32`, `S32`, `own`.
    pub(crate) name: &'static str,
    /// By what it was measured.
    pub(crate) how: String,
    /// Transactions, or sales, a second.
    pub(crate) per_second: f64,
    /// Of one transaction, or of one commit of 32 sales.
    pub(crate) latency: Latency,
    /// Processor time of the database for one.
    pub(crate) database_cpu_ms: Option<f64>,
    /// Bytes of its log for one.
    pub(crate) log_bytes: Option<f64>,
}

/// How long a ceiling is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Length(pub(crate) Duration);
