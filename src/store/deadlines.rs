// SPDX-License-Identifier: Apache-2.0

//! Deadlines as rows: they survive a crash, and pass on whichever instance is alive.

use sea_orm::{QueryResult, Value};
use serde::{Deserialize, Serialize};
use ticketbridge_core::message::DeadlineKind;
use ticketbridge_core::{Millis, OrderId, UnixMillis};

use crate::buffer::{DEADLINE, Row, key_text};
use crate::connect::Store;
use crate::dialect::{Query, get, get_count, get_word, marks, read_word, text_of, values, whole_of, word};
use crate::error::StoreError;
use crate::keys::deadline_id;
use crate::places::DEADLINES_OVER;
use crate::seal::random_token;
use crate::tx::Tx;

/// Where a deadline stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadlineState {
    /// It counts.
    Armed,
    /// What it watched over was done, or no longer matters.
    Disarmed,
    /// It passed, and what it watched over is still not done.
    Passed,
}

/// A deadline of an order; one of each kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadlineRow {
    /// Of which order.
    pub order: OrderId,
    /// Which kind.
    pub kind: DeadlineKind,
    /// Where it stands.
    pub state: DeadlineState,
    /// When it passes.
    pub due_at: UnixMillis,
    /// The next warning, or the passing itself.
    pub next_at: UnixMillis,
    /// All warnings, in order.
    pub warn_at: Vec<UnixMillis>,
    /// When it was last warned of.
    pub warned_at: Option<UnixMillis>,
    /// When its passing was noticed.
    pub passed_at: Option<UnixMillis>,
}

/// A deadline that something is to be done about, handed out under a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedDeadline {
    /// The deadline.
    pub row: DeadlineRow,
    token: String,
}

impl ClaimedDeadline {
    /// Whether it is the passing itself that is due, and not a warning only.
    pub fn is_passing(&self, now: UnixMillis) -> bool {
        now >= self.row.due_at
    }
}

/// How many deadlines of one kind are in one state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadlineCount {
    /// Which kind.
    pub kind: DeadlineKind,
    /// In which state.
    pub state: DeadlineState,
    /// How many.
    pub many: u64,
    /// The nearest; `None` when all of them are of orders that were put away.
    pub nearest: Option<UnixMillis>,
}

pub(crate) const COLUMNS: &str =
    "id, order_id, kind, state, due_ms, next_ms, warn_at, warned_ms, passed_ms, lease_token";

/// All columns, as they are kept in memory.
pub(crate) const KEPT_COLUMNS: &str =
    "id, order_id, kind, state, due_ms, next_ms, warn_at, warned_ms, passed_ms, lease_until_ms, lease_token";

/// A row of [`KEPT_COLUMNS`].
pub(crate) fn row_as_read(row: &QueryResult) -> Result<Row, StoreError> {
    Ok(values![
        get::<String>(row, "id")?,
        get::<String>(row, "order_id")?,
        get::<String>(row, "kind")?,
        get::<String>(row, "state")?,
        get::<i64>(row, "due_ms")?,
        get::<i64>(row, "next_ms")?,
        get::<String>(row, "warn_at")?,
        get::<Option<i64>>(row, "warned_ms")?,
        get::<Option<i64>>(row, "passed_ms")?,
        get::<i64>(row, "lease_until_ms")?,
        get::<Option<String>>(row, "lease_token")?,
    ])
}

/// Nobody holds it any more.
fn release(row: &mut Row) {
    row[DEADLINE.at("lease_until_ms")] = 0_i64.into();
    row[DEADLINE.at("lease_token")] = None::<String>.into();
}

fn next_after(now: UnixMillis, warn_at: &[UnixMillis], due_at: UnixMillis) -> UnixMillis {
    warn_at.iter().copied().filter(|at| *at > now && *at < due_at).min().unwrap_or(due_at)
}

impl Tx {
    /// Arms a deadline; it replaces the order's one of the same kind. Where it becomes known so late that a warning lies in the past, it
    /// is warned of at once: once, for all of those.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn arm(
        &self,
        order: &OrderId,
        kind: DeadlineKind,
        due_at: UnixMillis,
        warn_at: &[UnixMillis],
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        let id = deadline_id(order, kind);
        let is_late = now < due_at && warn_at.iter().any(|at| *at <= now);
        let next_at = if is_late { now } else { next_after(now, warn_at, due_at) };
        let warnings = serde_json::to_string(warn_at)?;
        self.keep(
            &DEADLINE,
            values![
                id,
                order.as_str(),
                kind.name(),
                word(&DeadlineState::Armed),
                due_at.0,
                next_at.0,
                warnings,
                None::<i64>,
                None::<i64>,
                0_i64,
                None::<String>,
            ],
        )
    }

    /// Disarms a deadline, armed or passed, if there is one. Who holds it loses the lease.
    pub fn disarm(&self, order: &OrderId, kind: DeadlineKind) {
        self.buffer().disarm(&deadline_id(order, kind), |row| {
            row[DEADLINE.at("state")] = word(&DeadlineState::Disarmed).into();
            release(row);
        });
    }

    /// Notes that a deadline was warned of, and puts it off to the next warning or its passing; `false` when the
    /// lease was lost.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn mark_warned(&self, claimed: &ClaimedDeadline, now: UnixMillis) -> Result<bool, StoreError> {
        let next_at = next_after(now, &claimed.row.warn_at, claimed.row.due_at);
        self.mark(claimed, |row| {
            row[DEADLINE.at("warned_ms")] = Some(now.0).into();
            row[DEADLINE.at("next_ms")] = next_at.0.into();
        })
        .await
    }

    /// Notes that a deadline passed, which is a warning of it where there was none before; `false` when the lease was lost.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn mark_passed(&self, claimed: &ClaimedDeadline, now: UnixMillis) -> Result<bool, StoreError> {
        self.mark(claimed, |row| {
            row[DEADLINE.at("state")] = word(&DeadlineState::Passed).into();
            row[DEADLINE.at("passed_ms")] = Some(now.0).into();
            if whole_of(row, DEADLINE.at("warned_ms")).is_none() {
                row[DEADLINE.at("warned_ms")] = Some(now.0).into();
            }
        })
        .await
    }

    async fn mark(&self, claimed: &ClaimedDeadline, mark: impl FnOnce(&mut Row)) -> Result<bool, StoreError> {
        let id = deadline_id(&claimed.row.order, claimed.row.kind);
        let mut row = match self.see(&DEADLINE, &key_text(&[&id])) {
            Some(known) => known,
            None => {
                self.check_late_lock()?;
                let sql = format!("SELECT {KEPT_COLUMNS} FROM deadline WHERE id = ?{}", self.dialect().for_update());
                self.rows_stored(&sql, values![id]).await?.first().map(row_as_read).transpose()?
            }
        };
        let Some(row) = &mut row else { return Ok(false) };
        let is_held = text_of(row, DEADLINE.at("state"))? == word(&DeadlineState::Armed)
            && text_of(row, DEADLINE.at("lease_token")).is_ok_and(|token| token == claimed.token);
        if is_held {
            mark(row);
            release(row);
            self.change(&DEADLINE, row.clone())?;
        }
        Ok(is_held)
    }

    async fn claim_due_rows(
        &self,
        found: &[String],
        now: UnixMillis,
        lease: Millis,
    ) -> Result<Vec<ClaimedDeadline>, StoreError> {
        let (token, until) = (random_token(), now + lease);
        let ids = || found.iter().map(|id| Value::from(id.as_str()));
        let mut mine: Vec<Value> = ids().collect();
        if self.dialect().shares_with_others() {
            let sql = format!(
                "SELECT id FROM deadline WHERE id IN ({}) AND next_ms <= ? ORDER BY id{}",
                marks(found.len()),
                self.dialect().for_update_skip_locked()
            );
            let rows = self.rows(&sql, ids().chain(values![now.0]).collect()).await?;
            mine = rows.iter().map(|row| Ok(get::<String>(row, "id")?.into())).collect::<Result<_, StoreError>>()?;
        }
        if mine.is_empty() {
            return Ok(Vec::new());
        }
        // While it is handed out, what comes next is the end of the lease.
        let list = marks(mine.len());
        let sql = format!(
            "UPDATE deadline SET lease_token = ?, lease_until_ms = ?, next_ms = ? \
             WHERE id IN ({list}) AND state = 'armed' AND lease_until_ms <= ? AND next_ms <= ?"
        );
        let mut all = values![token.as_str(), until.0, until.0];
        all.extend(mine.iter().cloned());
        all.extend(values![now.0, now.0]);
        self.execute(&sql, all).await?;
        let sql =
            format!("SELECT {COLUMNS} FROM deadline WHERE id IN ({list}) AND lease_token = ? ORDER BY due_ms, id");
        mine.push(token.as_str().into());
        let rows = self.rows(&sql, mine).await?;
        rows.iter().map(|row| Ok(ClaimedDeadline { row: read(row)?, token: token.clone() })).collect()
    }
}

impl Store {
    /// Hands out up to `limit` deadlines whose next warning or passing is due, each for `lease`.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Commit`].
    pub async fn claim_due(
        &self,
        now: UnixMillis,
        limit: u32,
        lease: Millis,
    ) -> Result<Vec<ClaimedDeadline>, StoreError> {
        // A look first: claiming is a write, and most of the time there is nothing to claim.
        let sql = "SELECT id FROM deadline WHERE state = 'armed' AND next_ms <= ? ORDER BY next_ms LIMIT ?";
        let rows = self.rows(sql, values![now.0, i64::from(limit)]).await?;
        let found: Vec<String> = rows.iter().map(|row| get(row, "id")).collect::<Result<_, _>>()?;
        if found.is_empty() {
            return Ok(Vec::new());
        }
        self.write("claim_deadlines", move |tx| {
            let found = found.clone();
            Box::pin(async move { tx.claim_due_rows(&found, now, lease).await })
        })
        .await
    }

    /// Deadlines of which something is due until `until`, the earliest first.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn due_deadlines(&self, until: UnixMillis) -> Result<Vec<DeadlineRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM deadline WHERE state = 'armed' AND next_ms <= ? ORDER BY next_ms, id");
        self.rows(&sql, values![until.0]).await?.iter().map(read).collect()
    }

    /// Hands out a deadline, if something of it is due.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Commit`].
    pub async fn claim_deadline(
        &self,
        order: &OrderId,
        kind: DeadlineKind,
        now: UnixMillis,
        lease: Millis,
    ) -> Result<Option<ClaimedDeadline>, StoreError> {
        let found = [deadline_id(order, kind)];
        self.write("claim_deadlines", move |tx| {
            let found = found.clone();
            Box::pin(async move { tx.claim_due_rows(&found, now, lease).await })
        })
        .await
        .map(|mut claimed: Vec<ClaimedDeadline>| claimed.pop())
    }

    /// When the next warning or passing is due; for those handed out, when their lease runs out.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn next_deadline_due(&self) -> Result<Option<UnixMillis>, StoreError> {
        let row = self.row("SELECT MIN(next_ms) AS at_ms FROM deadline WHERE state = 'armed'", values![]).await?;
        let at = row.map(|row| get::<Option<i64>>(&row, "at_ms")).transpose()?.flatten();
        Ok(at.map(UnixMillis))
    }

    /// The deadlines of an order.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn deadlines_of(&self, order: &OrderId) -> Result<Vec<DeadlineRow>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM deadline WHERE order_id = ? \
             UNION ALL SELECT {COLUMNS} FROM {DEADLINES_OVER} WHERE order_id = ? ORDER BY kind"
        );
        self.rows(&sql, values![order.as_str(), order.as_str()]).await?.iter().map(read).collect()
    }

    /// How many deadlines are armed and passed, by kind, and the nearest of those whose order was not put away.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn deadline_counts(&self) -> Result<Vec<DeadlineCount>, StoreError> {
        let rows = self
            .rows(
                "SELECT kind, state, COUNT(*) AS many, MIN(due_ms) AS nearest_ms FROM deadline \
                 WHERE state IN ('armed', 'passed') GROUP BY kind, state ORDER BY kind, state",
                values![],
            )
            .await?;
        let read = |row: &QueryResult| -> Result<DeadlineCount, StoreError> {
            Ok(DeadlineCount {
                kind: get_word(row, "kind")?,
                state: get_word(row, "state")?,
                many: get_count(row, "many")?,
                nearest: Some(UnixMillis(get(row, "nearest_ms")?)),
            })
        };
        let mut counts = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        for (name, many) in self.archived("deadlines").await? {
            let Some((kind, "passed")) = name.split_once('/') else { continue };
            let (kind, state) = (read_word::<DeadlineKind>(kind, "kind")?, DeadlineState::Passed);
            match counts.iter_mut().find(|count| (count.kind, count.state) == (kind, state)) {
                Some(count) => count.many += many,
                None => counts.push(DeadlineCount { kind, state, many, nearest: None }),
            }
        }
        Ok(counts)
    }
}

/// Reads a deadline from [`COLUMNS`].
pub(crate) fn read(row: &QueryResult) -> Result<DeadlineRow, StoreError> {
    Ok(DeadlineRow {
        order: OrderId(get(row, "order_id")?),
        kind: get_word(row, "kind")?,
        state: get_word(row, "state")?,
        due_at: UnixMillis(get(row, "due_ms")?),
        next_at: UnixMillis(get(row, "next_ms")?),
        warn_at: serde_json::from_str(&get::<String>(row, "warn_at")?)?,
        warned_at: get::<Option<i64>>(row, "warned_ms")?.map(UnixMillis),
        passed_at: get::<Option<i64>>(row, "passed_ms")?.map(UnixMillis),
    })
}
