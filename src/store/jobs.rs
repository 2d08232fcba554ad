//! The outbox: what partners must be told, at least once, in order for each order and partner.
//!
//! A row is handed out under a lease with a fencing token. Claiming is a compare-and-set; skipping locked rows only
//! makes it faster. Whoever settles with a token that is no longer the row's has lost the lease and changes nothing.

use sea_orm::{QueryResult, Value};
use serde::{Deserialize, Serialize};
use ticketbridge_core::{Effect, Millis, OrderId, UnixMillis};

use crate::connect::Store;
use crate::dialect::{Query, flag, get, get_count, get_flag, get_word, marks, values, whole, word};
use crate::error::StoreError;
use crate::seal::{Sealer, random_token};
use crate::tx::Tx;

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// To be made.
    Pending,
    /// Made.
    Delivered,
    /// Given up; waits for a person.
    Dead,
    /// Taken out by a person, or overtaken by events.
    Dropped,
}

/// A delivery to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// `dlv_…`; also the idempotency key towards the partner.
    pub id: String,
    /// For which order.
    pub order: OrderId,
    /// To whom: `channel:douyin-main`, `backend:gate`.
    pub destination: String,
    /// Which call.
    pub call: String,
    /// What is to be done.
    pub effect: Effect,
    /// Place among the deliveries of the order to this destination; grows.
    pub seq: u64,
    /// Whether later ones wait for it. A mere look at how things stand holds nothing up.
    pub holds_up: bool,
    /// Not before this time.
    pub due_at: UnixMillis,
    /// Now.
    pub created_at: UnixMillis,
    /// The trace it belongs to.
    pub traceparent: Option<String>,
}

/// A delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// `dlv_…`; also the idempotency key towards the partner.
    pub id: String,
    /// For which order.
    pub order: OrderId,
    /// To whom.
    pub destination: String,
    /// Which call.
    pub call: String,
    /// What is to be done.
    pub effect: Effect,
    /// Where it stands.
    pub state: JobState,
    /// Place among the deliveries of the order to this destination.
    pub seq: u64,
    /// Not before this time.
    pub due_at: UnixMillis,
    /// Until when it is handed out; 0 when it is not.
    pub lease_until: UnixMillis,
    /// How often it was handed out.
    pub attempts: u32,
    /// The outcome of the last attempt is not known: ask before doing it again.
    pub read_back: bool,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// The trace it belongs to.
    pub traceparent: Option<String>,
    /// Since when.
    pub created_at: UnixMillis,
    /// When it was delivered, given up or dropped.
    pub done_at: Option<UnixMillis>,
    /// The fencing token under which it was handed out.
    token: Option<String>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobEnd {
    /// The partner has it.
    Delivered,
    /// Again later.
    Retry {
        /// When.
        due_at: UnixMillis,
        /// The outcome is not known: ask first.
        read_back: bool,
        /// Why, without personal data.
        error: String,
    },
    /// It was not tried after all: the attempt does not count.
    PutBack {
        /// When to try.
        due_at: UnixMillis,
        /// Why, without personal data.
        why: String,
    },
    /// Given up; a person decides.
    Dead {
        /// Why, without personal data.
        error: String,
    },
    /// No longer wanted.
    Dropped {
        /// Why.
        reason: String,
    },
}

/// How many deliveries to one destination are in one state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobCount {
    /// To whom.
    pub destination: String,
    /// In which state.
    pub state: JobState,
    /// How many.
    pub many: u64,
    /// When the oldest was made.
    pub oldest: UnixMillis,
}

pub(crate) const COLUMNS: &str = "id, order_id, destination, call_name, effect, state, seq, due_ms, lease_until_ms, \
    lease_token, attempts, read_back, last_error, traceparent, created_ms, done_ms";

/// A row may be claimed only when no earlier one of the same order and destination that holds others up is pending, and
/// its partner is not paused.
const UNBLOCKED: &str = "NOT EXISTS (SELECT 1 FROM job e WHERE e.order_id = j.order_id \
    AND e.destination = j.destination AND e.state = 'pending' AND e.holds_up = 1 AND e.seq < j.seq) \
    AND NOT EXISTS (SELECT 1 FROM partner_pause p WHERE p.partner = j.destination AND p.paused = 1)";

impl Tx {
    /// Adds a delivery.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when its id is known: ids are made from an order's events, so that is a mistake.
    pub async fn enqueue(&self, new: &NewJob) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO job (id, order_id, destination, call_name, effect, state, seq, holds_up, due_ms, \
             lease_until_ms, attempts, read_back, traceparent, created_ms) \
             VALUES (?, ?, ?, ?, ?, 'pending', ?, ?, ?, 0, 0, 0, ?, ?)",
            values![
                new.id.as_str(),
                new.order.as_str(),
                new.destination.as_str(),
                new.call.as_str(),
                self.sealer().seal(&effect_row(&new.id), &serde_json::to_vec(&new.effect)?),
                whole(new.seq),
                flag(new.holds_up),
                new.due_at.0,
                new.traceparent.clone(),
                new.created_at.0,
            ],
        )
        .await?;
        Ok(())
    }

    /// Ends an attempt; `false` when the lease was lost, and then nothing was changed.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn settle(&self, job: &Job, end: &JobEnd, now: UnixMillis) -> Result<bool, StoreError> {
        let (set, mut all) = match end {
            JobEnd::Delivered => done(JobState::Delivered, None, now),
            JobEnd::Dead { error } => done(JobState::Dead, Some(error), now),
            JobEnd::Dropped { reason } => done(JobState::Dropped, Some(reason), now),
            JobEnd::Retry { due_at, read_back, error } => {
                ("due_ms = ?, read_back = ?, last_error = ?", values![due_at.0, flag(*read_back), error.as_str()])
            }
            JobEnd::PutBack { due_at, why } => {
                ("due_ms = ?, last_error = ?, attempts = attempts - 1", values![due_at.0, why.as_str()])
            }
        };
        all.extend(values![job.id.as_str(), job.token.clone()]);
        let sql = format!(
            "UPDATE job SET {set}, lease_token = NULL, lease_until_ms = 0 \
             WHERE id = ? AND lease_token = ? AND state = 'pending'"
        );
        Ok(self.execute(&sql, all).await? == 1)
    }

    /// Prolongs a lease; `false` when it was lost.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn renew(&self, job: &Job, until: UnixMillis) -> Result<bool, StoreError> {
        let sql = "UPDATE job SET lease_until_ms = ? WHERE id = ? AND lease_token = ? AND state = 'pending'";
        Ok(self.execute(sql, values![until.0, job.id.as_str(), job.token.clone()]).await? == 1)
    }

    /// Has a delivery that is dead, or waits for its next attempt, tried at once and as often as a new one; `false`
    /// when there is none or it is being tried.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn retry_job(&self, id: &str, now: UnixMillis) -> Result<bool, StoreError> {
        let changed = self
            .execute(
                "UPDATE job SET state = 'pending', due_ms = ?, attempts = 0, done_ms = NULL, lease_token = NULL, \
                 lease_until_ms = 0 WHERE id = ? AND state IN ('pending', 'dead') AND lease_until_ms <= ?",
                values![now.0, id, now.0],
            )
            .await?;
        Ok(changed == 1)
    }

    /// The delivery that does the same already, sooner or later, if nobody has begun it: a second row would do it twice.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Document`].
    pub async fn waiting(&self, new: &NewJob) -> Result<Option<String>, StoreError> {
        let sql = "SELECT id, effect FROM job WHERE order_id = ? AND destination = ? AND state = 'pending' \
                   AND call_name = ? AND lease_until_ms = 0";
        let all = values![new.order.as_str(), new.destination.as_str(), new.call.as_str()];
        for row in self.rows(sql, all).await? {
            let id: String = get(&row, "id")?;
            if read_effect(self.sealer(), &id, &get::<String>(&row, "effect")?)?.is_same_call(&new.effect) {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// Makes one delivery due at `due_at` at the latest, unless it is being tried.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn bring_forward(&self, id: &str, due_at: UnixMillis) -> Result<(), StoreError> {
        let sql = "UPDATE job SET due_ms = ? WHERE id = ? AND state = 'pending' AND lease_until_ms = 0 AND due_ms > ?";
        self.execute(sql, values![due_at.0, id, due_at.0]).await?;
        Ok(())
    }

    /// Makes deliveries of an order to one destination that hold others up due at once, unless one is being tried; how many.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn hurry(&self, order: &OrderId, destination: &str, now: UnixMillis) -> Result<u64, StoreError> {
        self.execute(
            "UPDATE job SET due_ms = ? WHERE order_id = ? AND destination = ? AND state = 'pending' \
             AND holds_up = 1 AND lease_until_ms = 0 AND due_ms > ?",
            values![now.0, order.as_str(), destination, now.0],
        )
        .await
    }

    /// Takes out a delivery that is pending or dead. One that is being tried loses its lease.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn drop_job(&self, id: &str, reason: &str, now: UnixMillis) -> Result<bool, StoreError> {
        let (set, mut all) = done(JobState::Dropped, Some(reason), now);
        all.push(id.into());
        let sql = format!(
            "UPDATE job SET {set}, lease_token = NULL, lease_until_ms = 0 \
             WHERE id = ? AND state IN ('pending', 'dead')"
        );
        Ok(self.execute(&sql, all).await? == 1)
    }

    /// A delivery by its id.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn job(&self, id: &str) -> Result<Option<Job>, StoreError> {
        job(self, id).await
    }

    async fn claim_rows(
        &self,
        now: UnixMillis,
        limit: u32,
        lease: Millis,
        lanes: &[(String, u32)],
    ) -> Result<Vec<Job>, StoreError> {
        let token = random_token();
        let mut lanes = lanes.to_vec();
        let mut chosen: Vec<String> = Vec::new();
        // Each further round is owed to a lane that filled up and kept others from being seen.
        loop {
            let room = limit.saturating_sub(u32::try_from(chosen.len()).unwrap_or(u32::MAX));
            let candidates = self.claimable(now, room, &lanes, &chosen).await?;
            let (found, before) = (candidates.len(), chosen.len());
            for (id, destination) in candidates {
                match lanes.iter_mut().find(|(name, _)| *name == destination) {
                    Some((_, 0)) => continue,
                    Some((_, left)) => *left -= 1,
                    None => {}
                }
                chosen.push(id);
            }
            let passed_over = found - (chosen.len() - before);
            if passed_over == 0 || chosen.len() as u64 >= u64::from(limit) {
                break;
            }
        }
        self.lease_rows(&token, &chosen, now, lease).await
    }

    /// Ids and destinations of rows that may be claimed, the longest due first.
    async fn claimable(
        &self,
        now: UnixMillis,
        limit: u32,
        lanes: &[(String, u32)],
        chosen: &[String],
    ) -> Result<Vec<(String, String)>, StoreError> {
        let full: Vec<&str> = lanes.iter().filter(|(_, left)| *left == 0).map(|(name, _)| name.as_str()).collect();
        let mut all = values![now.0, now.0];
        all.extend(full.iter().map(|name| Value::from(*name)));
        all.extend(chosen.iter().map(|id| Value::from(id.as_str())));
        all.push(i64::from(limit).into());
        let sql = format!(
            "SELECT j.id, j.destination FROM job j WHERE j.state = 'pending' AND j.due_ms <= ? \
             AND j.lease_until_ms <= ?{}{} AND {UNBLOCKED} ORDER BY j.due_ms, j.seq LIMIT ?{}",
            not_in("j.destination", full.len()),
            not_in("j.id", chosen.len()),
            self.dialect().for_update_skip_locked()
        );
        self.rows(&sql, all).await?.iter().map(|row| Ok((get(row, "id")?, get(row, "destination")?))).collect()
    }

    async fn lease_rows(
        &self,
        token: &str,
        chosen: &[String],
        now: UnixMillis,
        lease: Millis,
    ) -> Result<Vec<Job>, StoreError> {
        if chosen.is_empty() {
            return Ok(Vec::new());
        }
        let mut all = values![token, (now + lease).0];
        all.extend(chosen.iter().map(|id| Value::from(id.as_str())));
        all.push(now.0.into());
        // A lease that ran out belonged to somebody who crashed, perhaps after sending: its outcome is not known.
        let sql = format!(
            "UPDATE job SET read_back = CASE WHEN lease_until_ms > 0 THEN 1 ELSE read_back END, \
             lease_token = ?, lease_until_ms = ?, attempts = attempts + 1 \
             WHERE id IN ({}) AND state = 'pending' AND lease_until_ms <= ?",
            marks(chosen.len())
        );
        self.execute(&sql, all).await?;
        let sql = format!("SELECT {COLUMNS} FROM job WHERE lease_token = ? ORDER BY due_ms, seq");
        self.rows(&sql, values![token]).await?.iter().map(|row| read(self.sealer(), row)).collect()
    }
}

impl Store {
    /// Hands out up to `limit` deliveries that are due, each for `lease`. `lanes` names destinations with limited
    /// room and how many more they take (0: none); others are unlimited.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Document`], [`StoreError::Commit`].
    pub async fn claim(
        &self,
        now: UnixMillis,
        limit: u32,
        lease: Millis,
        lanes: Vec<(String, u32)>,
    ) -> Result<Vec<Job>, StoreError> {
        self.write("claim_jobs", move |tx| {
            let lanes = lanes.clone();
            Box::pin(async move { tx.claim_rows(now, limit, lease, &lanes).await })
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
                for table in ["job", "deadline"] {
                    let sql = format!("UPDATE {table} SET lease_until_ms = 1 WHERE lease_until_ms > 0");
                    tx.execute(&sql, values![]).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// When the next delivery can be claimed, or a lease runs out; perhaps in the past. Destinations in `full` are
    /// left out, and so is what waits for an earlier delivery.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn next_job_due(&self, full: &[String]) -> Result<Option<UnixMillis>, StoreError> {
        let mut all = values![];
        all.extend(full.iter().map(|name| Value::from(name.as_str())));
        let sql = format!(
            "SELECT j.due_ms FROM job j WHERE j.state = 'pending' AND j.lease_until_ms = 0{} AND {UNBLOCKED} \
             ORDER BY j.due_ms LIMIT 1",
            not_in("j.destination", full.len())
        );
        let due: Option<i64> = self.row(&sql, all).await?.map(|row| get(&row, "due_ms")).transpose()?;
        let sql = "SELECT MIN(lease_until_ms) AS due_ms FROM job WHERE state = 'pending' AND lease_until_ms > 0";
        let lapse: Option<i64> = match self.row(sql, values![]).await? {
            Some(row) => get(&row, "due_ms")?,
            None => None,
        };
        Ok(due.into_iter().chain(lapse).min().map(UnixMillis))
    }

    /// A delivery by its id.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn job(&self, id: &str) -> Result<Option<Job>, StoreError> {
        job(self, id).await
    }

    /// How many deliveries are pending and dead, and how old the oldest is, by destination.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn job_counts(&self) -> Result<Vec<JobCount>, StoreError> {
        let rows = self
            .rows(
                "SELECT destination, state, COUNT(*) AS many, MIN(created_ms) AS oldest_ms FROM job \
                 WHERE state IN ('pending', 'dead') GROUP BY destination, state ORDER BY destination, state",
                values![],
            )
            .await?;
        rows.iter()
            .map(|row| {
                Ok(JobCount {
                    destination: get(row, "destination")?,
                    state: get_word(row, "state")?,
                    many: get_count(row, "many")?,
                    oldest: UnixMillis(get(row, "oldest_ms")?),
                })
            })
            .collect()
    }
}

async fn job(query: &impl Query, id: &str) -> Result<Option<Job>, StoreError> {
    let row = query.row(&format!("SELECT {COLUMNS} FROM job WHERE id = ?"), values![id]).await?;
    row.map(|row| read(query.sealer(), &row)).transpose()
}

fn done(state: JobState, error: Option<&str>, now: UnixMillis) -> (&'static str, Vec<Value>) {
    match error {
        Some(error) => ("state = ?, done_ms = ?, last_error = ?", values![word(&state), now.0, error]),
        None => ("state = ?, done_ms = ?", values![word(&state), now.0]),
    }
}

fn not_in(column: &str, count: usize) -> String {
    if count == 0 { String::new() } else { format!(" AND {column} NOT IN ({})", marks(count)) }
}

pub(crate) fn effect_row(id: &str) -> String {
    format!("job/{id}")
}

/// What is to be done may quote guests: a reason, a number of the partner's. An older version kept it in clear.
pub(crate) fn read_effect(sealer: &Sealer, id: &str, kept: &str) -> Result<Effect, StoreError> {
    match kept.starts_with('{') {
        true => Ok(serde_json::from_str(kept)?),
        false => Ok(serde_json::from_slice(&sealer.open(&effect_row(id), kept)?)?),
    }
}

/// Reads a delivery from [`COLUMNS`].
pub(crate) fn read(sealer: &Sealer, row: &QueryResult) -> Result<Job, StoreError> {
    let id: String = get(row, "id")?;
    Ok(Job {
        order: OrderId(get(row, "order_id")?),
        destination: get(row, "destination")?,
        call: get(row, "call_name")?,
        effect: read_effect(sealer, &id, &get::<String>(row, "effect")?)?,
        id,
        state: get_word(row, "state")?,
        seq: get_count(row, "seq")?,
        due_at: UnixMillis(get(row, "due_ms")?),
        lease_until: UnixMillis(get(row, "lease_until_ms")?),
        attempts: get_count(row, "attempts")?,
        read_back: get_flag(row, "read_back")?,
        last_error: get(row, "last_error")?,
        traceparent: get(row, "traceparent")?,
        created_at: UnixMillis(get(row, "created_ms")?),
        done_at: get::<Option<i64>>(row, "done_ms")?.map(UnixMillis),
        token: get(row, "lease_token")?,
    })
}
