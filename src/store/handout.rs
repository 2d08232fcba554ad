// SPDX-License-Identifier: Apache-2.0

//! Handing deliveries out: which are next, for whom there is room, and the lease under which each goes.
//!
//! What is next is read from the beginning of one index, lane by lane, so that the plan is the same with ten rows and with a million,
//! whatever the database's statistics say. Taking is a compare-and-set; passing over rows that somebody else takes at this moment only
//! makes it faster.

use sea_orm::{DbBackend, QueryResult, Value};
use ticketbridge_core::{Millis, OrderId, UnixMillis};

use crate::ahead::Ahead;
use crate::connect::Store;
use crate::dialect::{Query, get, marks, padded, values};
use crate::error::StoreError;
use crate::job::Job;
use crate::jobs::{COLUMNS, read};
use crate::seal::random_token;
use crate::tx::Tx;

/// Rows that compete for each place that is free, when the nearest deadline is to go first.
const CANDIDATES_PER_PLACE: u32 = 4;
/// So many at least.
const CANDIDATES_MIN: u32 = 64;
/// Later than any deadline: what serves none comes last.
const NEVER_MS: i64 = 9_000_000_000_000_000;

/// How much more one destination takes now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneRoom {
    /// To whom.
    pub destination: String,
    /// In all.
    pub total: u32,
    /// Of these, deliveries whose last attempt failed.
    pub failed: u32,
}

impl LaneRoom {
    /// A lane without limits.
    pub fn unlimited(destination: impl Into<String>) -> Self {
        Self { destination: destination.into(), total: u32::from(u16::MAX), failed: u32::from(u16::MAX) }
    }
}

/// A delivery that may be handed out, now or later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// `dlv_…`.
    pub id: String,
    /// For which order.
    pub order: OrderId,
    /// To whom.
    pub destination: String,
    /// Which call.
    pub call: String,
    /// From when on.
    pub at: UnixMillis,
}

impl Store {
    /// Deliveries to these destinations that may be handed out until `until`, whatever room there is; what a person holds back is not among
    /// them.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn ready_jobs(&self, until: UnixMillis, destinations: &[String]) -> Result<Vec<Ready>, StoreError> {
        if destinations.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT id, order_id, destination, call_name, ready_ms FROM job \
             WHERE destination IN ({}) AND failed_last IN (0, 1) AND ready_ms <= ? \
             AND NOT EXISTS (SELECT 1 FROM partner_pause WHERE partner = destination AND paused = 1) \
             ORDER BY ready_ms, id",
            marks(destinations.len())
        );
        let mut all: Vec<Value> = destinations.iter().map(|name| Value::from(name.as_str())).collect();
        all.push(until.0.into());
        let read = |row: &QueryResult| {
            Ok(Ready {
                id: get(row, "id")?,
                order: OrderId(get(row, "order_id")?),
                destination: get(row, "destination")?,
                call: get(row, "call_name")?,
                at: UnixMillis(get(row, "ready_ms")?),
            })
        };
        self.rows(&sql, all).await?.iter().map(read).collect()
    }

    /// Hands out these deliveries, as far as they may be, whatever room there is.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Document`], [`StoreError::Commit`].
    pub async fn claim_these(&self, ids: Vec<String>, now: UnixMillis, lease: Millis) -> Result<Vec<Job>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        self.write("claim_jobs", move |tx| {
            let ids = ids.clone();
            Box::pin(async move { tx.lease_rows(&ids, now, lease).await })
        })
        .await
    }

    /// Hands out up to `limit` deliveries that are due, each for `lease`: to destinations in `lanes`, within their room, those that did
    /// not fail last first, and of these those with the nearest deadline.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Document`], [`StoreError::Commit`].
    pub async fn claim(
        &self,
        now: UnixMillis,
        limit: u32,
        lease: Millis,
        lanes: Vec<LaneRoom>,
    ) -> Result<Vec<Job>, StoreError> {
        // A look first: taking is a write, and most of the time there is nothing to take.
        let found = self.claimable(now, limit, &lanes).await?;
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let mut jobs = self
            .write("claim_jobs", move |tx| {
                let found = found.clone();
                Box::pin(async move { tx.lease_rows(&found, now, lease).await })
            })
            .await?;
        // Orders' ids rise with time.
        let place = |job: &Job| (job.failed_last, job.due_at, job.seq, job.order.clone(), job.id.clone());
        jobs.sort_by_cached_key(place);
        Ok(jobs)
    }

    /// Ids of deliveries that may be handed out, up to `limit`: to destinations in `lanes`, within their room.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn claimable(&self, now: UnixMillis, limit: u32, lanes: &[LaneRoom]) -> Result<Vec<String>, StoreError> {
        let Some((sql, all)) = claimable(now, limit, lanes) else { return Ok(Vec::new()) };
        self.rows(&sql, all).await?.iter().map(|row| get(row, "id")).collect()
    }

    /// When something is to be done next, for destinations in `lanes` as far as they have room, and for deadlines. One statement.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn look_ahead(&self, lanes: &[LaneRoom]) -> Result<Ahead, StoreError> {
        let mut all: Vec<Value> = Vec::new();
        // No row at all, but a type: so there is a first part whatever the lanes are.
        let mut parts = vec!["SELECT MIN(next_ms) AS at_ms FROM deadline WHERE state = 'none'".to_owned()];
        for lane in lanes.iter().filter(|lane| lane.total > 0) {
            for failed in 0..=u8::from(lane.failed > 0) {
                parts.push(format!(
                    "SELECT MIN(ready_ms) AS at_ms FROM job WHERE destination = ? AND failed_last = {failed} \
                     AND NOT EXISTS (SELECT 1 FROM partner_pause WHERE partner = ? AND paused = 1)"
                ));
                all.extend(values![lane.destination.as_str(), lane.destination.as_str()]);
            }
        }
        let sql = format!(
            "SELECT (SELECT MIN(at_ms) FROM ({}) w) AS job_ms, \
             (SELECT MIN(next_ms) FROM deadline WHERE state = 'armed') AS deadline_ms",
            parts.join(" UNION ALL ")
        );
        let Some(row) = self.row(&sql, all).await? else { return Ok(Ahead { job: None, deadline: None }) };
        Ok(Ahead {
            job: get::<Option<i64>>(&row, "job_ms")?.map(UnixMillis),
            deadline: get::<Option<i64>>(&row, "deadline_ms")?.map(UnixMillis),
        })
    }

    /// Destinations for which something waits, configured or not.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn waiting_destinations(&self) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT destination FROM job WHERE state = 'pending' GROUP BY destination ORDER BY destination";
        self.rows(sql, values![]).await?.iter().map(|row| get(row, "destination")).collect()
    }

    /// Prolongs the leases of deliveries that are under way, in one statement. What was lost stays lost; what somebody works on at this very
    /// moment is left to the next time, so that neither waits for the other.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Commit`].
    pub async fn renew_leases(&self, jobs: Vec<(String, String)>, until: UnixMillis) -> Result<u64, StoreError> {
        if jobs.is_empty() {
            return Ok(0);
        }
        self.write("renew_leases", move |tx| {
            let jobs = jobs.clone();
            Box::pin(async move {
                let mut free: Vec<String> = jobs.iter().map(|(id, _)| id.clone()).collect();
                if tx.dialect().shares_with_others() {
                    let sql = format!(
                        "SELECT id FROM job WHERE id IN ({}) ORDER BY id{}",
                        marks(free.len()),
                        tx.dialect().for_update_skip_locked()
                    );
                    let rows = tx.rows(&sql, free.into_iter().map(Value::from).collect()).await?;
                    free = rows.iter().map(|row| get(row, "id")).collect::<Result<_, _>>()?;
                    if free.is_empty() {
                        return Ok(0);
                    }
                }
                let many = free.len();
                let mut all = values![until.0, until.0];
                all.extend(free.into_iter().map(Value::from));
                let mut tokens: Vec<&str> = jobs.iter().map(|(_, token)| token.as_str()).collect();
                tokens.sort_unstable();
                tokens.dedup();
                all.extend(tokens.iter().map(|token| Value::from(*token)));
                // A token belongs to one claim, and a claim takes a row once: the pair of both lists is unique.
                let sql = format!(
                    "UPDATE job SET lease_until_ms = ?, ready_ms = ? \
                     WHERE id IN ({}) AND lease_token IN ({}) AND state = 'pending'",
                    marks(many),
                    marks(tokens.len())
                );
                tx.execute(&sql, all).await
            })
        })
        .await
    }

    /// Ends the leases of whoever ran before, on a database that only one instance uses: SQLite. What they held is
    /// tried again at once; whether it was carried out is asked first. Elsewhere leases run out by themselves.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Commit`].
    pub async fn end_leases_of_the_dead(&self) -> Result<(), StoreError> {
        if self.dialect().shares_with_others() {
            return Ok(());
        }
        self.write("end_leases", |tx| {
            Box::pin(async move {
                for (table, ready) in [("job", "ready_ms"), ("deadline", "next_ms")] {
                    let sql = format!("UPDATE {table} SET lease_until_ms = 1, {ready} = 1 WHERE lease_until_ms > 0");
                    tx.execute(&sql, values![]).await?;
                }
                Ok(())
            })
        })
        .await
    }
}

/// The statement that finds what may be taken: for each lane two short ranges of one index. `None` when no lane has room.
pub(crate) fn claimable(now: UnixMillis, limit: u32, lanes: &[LaneRoom]) -> Option<(String, Vec<Value>)> {
    let mut all: Vec<Value> = Vec::new();
    let mut parts = Vec::new();
    for (n, lane) in lanes.iter().filter(|lane| lane.total > 0).enumerate() {
        let total = lane.total.min(limit);
        let window = total.saturating_mul(CANDIDATES_PER_PLACE).max(CANDIDATES_MIN);
        let part = |failed: u8| {
            format!(
                "SELECT * FROM (SELECT id, failed_last, urgent_ms, ready_ms FROM job \
                 WHERE destination = ? AND failed_last = {failed} AND ready_ms <= ? \
                 AND NOT EXISTS (SELECT 1 FROM partner_pause WHERE partner = ? AND paused = 1) \
                 ORDER BY ready_ms LIMIT ?) p{n}_{failed}"
            )
        };
        parts.push(format!(
            "SELECT * FROM (SELECT id, failed_last, ready_ms FROM ({} UNION ALL {}) w{n} \
             ORDER BY failed_last, COALESCE(urgent_ms, {NEVER_MS}), ready_ms LIMIT ?) l{n}",
            part(0),
            part(1)
        ));
        for most in [window, lane.failed] {
            let of = lane.destination.as_str();
            all.extend(values![of, now.0, of, i64::from(most)]);
        }
        all.push(i64::from(total).into());
    }
    if parts.is_empty() {
        return None;
    }
    all.push(i64::from(limit).into());
    let sql = format!("SELECT id FROM ({}) found ORDER BY failed_last, ready_ms LIMIT ?", parts.join(" UNION ALL "));
    Some((sql, all))
}

impl Tx {
    async fn lease_rows(&self, found: &[String], now: UnixMillis, lease: Millis) -> Result<Vec<Job>, StoreError> {
        let (token, until) = (random_token(), now + lease);
        let found_padded = padded(found);
        let ids = || found_padded.iter().map(|id| Value::from(id.as_str()));
        // A lease that ran out belonged to somebody who crashed, perhaps after sending: its outcome is not known.
        let set = "UPDATE job SET read_back = CASE WHEN lease_until_ms > 0 THEN 1 ELSE read_back END, \
                   lease_token = ?, lease_until_ms = ?, ready_ms = ?, attempts = attempts + 1";
        let mut all = values![token.as_str(), until.0, until.0];
        let free = "lease_until_ms <= ? AND ready_ms <= ?";
        let list = marks(found_padded.len());
        let rows = match self.dialect().0 {
            DbBackend::Postgres => {
                let sql = format!(
                    "{set} WHERE id = ANY(ARRAY(SELECT id FROM job WHERE id IN ({list}) AND ready_ms <= ? \
                     ORDER BY id FOR UPDATE SKIP LOCKED)) AND state = 'pending' AND {free} RETURNING {COLUMNS}"
                );
                all.extend(ids());
                all.extend(values![now.0, now.0, now.0]);
                self.rows(&sql, all).await?
            }
            DbBackend::MySql => {
                let sql = format!(
                    "SELECT id FROM job WHERE id IN ({list}) AND state = 'pending' AND {free} ORDER BY id{}",
                    self.dialect().for_update_skip_locked()
                );
                let mut asked: Vec<Value> = ids().collect();
                asked.extend(values![now.0, now.0]);
                let mine = self.rows(&sql, asked).await?;
                let mine: Vec<String> = mine.iter().map(|row| get(row, "id")).collect::<Result<_, _>>()?;
                if mine.is_empty() {
                    Vec::new()
                } else {
                    all.extend(mine.iter().map(|id| Value::from(id.as_str())));
                    self.execute(&format!("{set} WHERE id IN ({})", marks(mine.len())), all).await?;
                    let mut asked: Vec<Value> = mine.iter().map(|id| Value::from(id.as_str())).collect();
                    asked.push(token.as_str().into());
                    let sql =
                        format!("SELECT {COLUMNS} FROM job WHERE id IN ({}) AND lease_token = ?", marks(mine.len()));
                    self.rows(&sql, asked).await?
                }
            }
            // The one writer: nobody else is there.
            _ => {
                let sql = format!("{set} WHERE id IN ({list}) AND +state = 'pending' AND {free} RETURNING {COLUMNS}");
                all.extend(ids());
                all.extend(values![now.0, now.0]);
                self.rows(&sql, all).await?
            }
        };
        if rows.len() < found.len() {
            self.correct_ready(found, now).await?;
        }
        rows.iter().map(|row| read(self.sealer(), row)).collect()
    }

    /// An instance of an older version, which knows nothing of `ready_ms`, may have ended or taken some of what was found.
    async fn correct_ready(&self, found: &[String], now: UnixMillis) -> Result<(), StoreError> {
        let mut all: Vec<Value> = found.iter().map(|id| Value::from(id.as_str())).collect();
        all.extend(values![now.0, now.0]);
        let sql = format!(
            "UPDATE job SET ready_ms = CASE WHEN state = 'pending' THEN lease_until_ms ELSE NULL END \
             WHERE id IN ({}) AND ready_ms <= ? AND (state <> 'pending' OR lease_until_ms > ?)",
            marks(found.len())
        );
        self.execute(&sql, all).await?;
        Ok(())
    }
}
