// SPDX-License-Identifier: Apache-2.0

//! What a load costs: statements, commits, bytes and processor time of everybody who takes part, between two looks.

use serde::Serialize;

use crate::bridge::Bridge;
use crate::database::{Database, Kind, Work};
use crate::process;

/// Counters of the service that tell a commit, the newest first.
const COMMITS: [(&str, Option<&str>); 3] = [
    ("ticketbridge_batch_works_count", None),
    ("ticketbridge_group_commit_members_count", None),
    ("ticketbridge_transactions_total", Some("outcome=\"committed\"")),
];

/// A look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    database: Work,
    service_cpu_ms: f64,
    generator_cpu_ms: f64,
}

/// What one step cost. What nobody counts is absent.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Cost {
    pub(crate) statements: Option<f64>,
    pub(crate) commits: Option<f64>,
    /// Of the database's log of changes; on SQLite, bytes that the service sent to be written.
    pub(crate) bytes: Option<f64>,
    pub(crate) service_cpu_ms: f64,
    pub(crate) database_cpu_ms: Option<f64>,
    /// Of the generator and the partners, which share the machine.
    pub(crate) generator_cpu_ms: f64,
}

/// Takes a look.
///
/// # Errors
/// When the database or the service does not answer.
pub(crate) async fn look(bridge: &Bridge, database: &Database) -> anyhow::Result<Look> {
    let mut work = database.work().await?;
    if database.kind == Kind::Sqlite {
        let whole = |count: Option<f64>| count.map(|count| count as u64);
        work.statements = whole(bridge.metric("ticketbridge_statements_total", None).await?);
        for (name, label) in COMMITS {
            if work.commits.is_none() {
                work.commits = whole(bridge.metric(name, label).await?);
            }
        }
        work.log_bytes = process::bytes_written(bridge.pid);
    }
    Ok(Look {
        database: work,
        service_cpu_ms: process::cpu_ms(bridge.pid),
        generator_cpu_ms: process::cpu_ms_alone(std::process::id()),
    })
}

/// What each of `steps` cost between two looks.
pub(crate) fn cost(before: Look, after: Look, steps: u64) -> Cost {
    let each = steps.max(1) as f64;
    let counted = |before: Option<u64>, after: Option<u64>| {
        Some((after?.saturating_sub(before.unwrap_or_default())) as f64 / each)
    };
    let (b, a) = (before.database, after.database);
    Cost {
        statements: counted(b.statements, a.statements),
        commits: counted(b.commits, a.commits),
        bytes: counted(b.log_bytes, a.log_bytes),
        service_cpu_ms: (after.service_cpu_ms - before.service_cpu_ms) / each,
        database_cpu_ms: b.cpu_ms.zip(a.cpu_ms).map(|(before, after)| (after - before) / each),
        generator_cpu_ms: (after.generator_cpu_ms - before.generator_cpu_ms) / each,
    }
}
