//! The outbox: what partners must be told, at least once, in order for each order and partner.
//!
//! A row is handed out under a lease with a fencing token (`handout.rs`). Whoever settles with a token that is no longer the row's has
//! lost the lease and changes nothing.
//!
//! What may be handed out is kept, not searched: `ready_ms` is the due time of a pending row that no earlier one stands before, the end
//! of the lease of one that is handed out, and NULL otherwise. Whoever adds a row marks the rows before it as `followed`, which locks
//! them; whoever ends a row that is followed lets the next ones go. So neither misses the other.

use sea_orm::{DbBackend, QueryResult, Value};
use serde::{Deserialize, Serialize};
use ticketbridge_core::{Effect, OrderId, UnixMillis};

use crate::buffer::{JOB, ORDERS};
use crate::connect::Store;
use crate::dialect::{Query, flag, get, get_count, get_flag, get_word, marks, values, whole, word};
use crate::error::StoreError;
use crate::seal::Sealer;
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
    /// Taken out by a person, or left to one.
    Dropped,
    /// Not made, and nothing is missing: the order has moved on, or what it was to tell was told otherwise.
    NotNeeded,
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
    /// The deadline that it serves: where many wait, the nearest go first.
    pub urgent_at: Option<UnixMillis>,
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
    /// Its last attempt failed, and not because the partner could not be reached at all.
    pub failed_last: bool,
    /// The key by which the partner recognises a repeat, as the last attempt sent it; `None`: its id.
    pub wire_key: Option<String>,
    /// Since when.
    pub created_at: UnixMillis,
    /// When it was delivered, given up or dropped.
    pub done_at: Option<UnixMillis>,
    /// The fencing token under which it was handed out.
    pub(crate) token: Option<String>,
}

impl Job {
    /// Its id and the token of its lease, while it is handed out.
    pub fn lease(&self) -> Option<(String, String)> {
        self.token.clone().map(|token| (self.id.clone(), token))
    }
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
    /// Left to a person.
    Dropped {
        /// Why.
        reason: String,
    },
    /// There is nothing to be told or done any more.
    NotNeeded {
        /// Why.
        why: String,
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
    lease_token, attempts, read_back, last_error, traceparent, failed_last, wire_key, created_ms, done_ms";

/// When a row that nothing stands before can be handed out.
const READY: &str = "CASE WHEN lease_until_ms > 0 THEN lease_until_ms ELSE due_ms END";

impl Tx {
    /// Adds a delivery. Earlier ones of the order that it has to wait for are due at once when it is: most of them are no longer
    /// wanted, and the rest is better tried a little early than in the way.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when its id is known: ids are made from an order's events, so that is a mistake.
    pub async fn enqueue(&self, new: &NewJob) -> Result<(), StoreError> {
        let ready = if self.has_before(new).await? { None } else { Some(new.due_at.0) };
        self.keep(
            &JOB,
            values![
                new.id.as_str(),
                new.order.as_str(),
                new.destination.as_str(),
                new.call.as_str(),
                self.sealer().seal(&effect_row(&new.id), &serde_json::to_vec(&new.effect)?),
                word(&JobState::Pending),
                whole(new.seq),
                flag(new.holds_up),
                new.due_at.0,
                0_i64,
                0_i64,
                0_i16,
                new.traceparent.clone(),
                new.created_at.0,
                flag(false),
                flag(false),
                ready,
                new.urgent_at.map(|at| at.0),
            ],
        )
    }

    /// Whether something must end before `new`. An order that this very transaction makes has nothing in the database yet.
    async fn has_before(&self, new: &NewJob) -> Result<bool, StoreError> {
        let order = new.order.as_str();
        let is_new = self.with_kept(&ORDERS, order, |_| ()).is_some();
        if is_new && self.with_kept_where(&JOB, "order_id", order, |_| ()).is_none() {
            return Ok(false);
        }
        self.line_up_behind(new).await
    }

    /// Marks, and so locks, what must end before `new`; whether there is anything.
    async fn line_up_behind(&self, new: &NewJob) -> Result<bool, StoreError> {
        let seq = whole(new.seq);
        let (of, mut all) = (
            "WHERE order_id = ? AND destination = ? AND state = 'pending' AND holds_up = 1 AND seq < ?",
            values![new.order.as_str(), new.destination.as_str(), seq],
        );
        let found = if new.holds_up && new.due_at <= new.created_at {
            let (sql, now) = (hurried("followed = 1, "), new.due_at.0);
            all.splice(0..0, values![now, now, now, now]);
            self.execute(&format!("{sql} {of}"), all).await?
        } else {
            self.execute(&format!("UPDATE job SET followed = 1 {of}"), all).await?
        };
        Ok(found > 0)
    }

    /// What comes after a row that has ended is handed out from now on, up to the next row that holds others up.
    async fn let_follow(&self, order: &str, destination: &str) -> Result<(), StoreError> {
        let sql = "SELECT id, holds_up, ready_ms FROM job \
                   WHERE order_id = ? AND destination = ? AND state = 'pending' ORDER BY seq, id";
        let mut free: Vec<Value> = Vec::new();
        for row in self.rows(sql, values![order, destination]).await? {
            if get::<Option<i64>>(&row, "ready_ms")?.is_none() {
                free.push(get::<String>(&row, "id")?.into());
            }
            if get_flag(&row, "holds_up")? {
                break;
            }
        }
        if !free.is_empty() {
            let sql = format!(
                "UPDATE job SET ready_ms = {READY} WHERE id IN ({}) AND state = 'pending' AND ready_ms IS NULL",
                marks(free.len())
            );
            self.execute(&sql, free).await?;
        }
        Ok(())
    }

    /// Ends an attempt; `false` when the lease was lost, and then nothing was changed. One that is to be repeated is kept with
    /// [`Job::failed_last`] as `job` has it, and each with its [`Job::wire_key`].
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn settle(&self, job: &Job, end: &JobEnd, now: UnixMillis) -> Result<bool, StoreError> {
        let (set, mut all) = match end {
            JobEnd::Delivered => done(JobState::Delivered, None, now),
            JobEnd::Dead { error } => done(JobState::Dead, Some(error), now),
            JobEnd::Dropped { reason } => done(JobState::Dropped, Some(reason), now),
            JobEnd::NotNeeded { why } => done(JobState::NotNeeded, Some(why), now),
            JobEnd::Retry { due_at, read_back, error } => (
                "due_ms = ?, ready_ms = ?, read_back = ?, last_error = ?, failed_last = ?",
                values![due_at.0, due_at.0, flag(*read_back), error.as_str(), flag(job.failed_last)],
            ),
            JobEnd::PutBack { due_at, why } => (
                "due_ms = ?, ready_ms = ?, last_error = ?, attempts = attempts - 1",
                values![due_at.0, due_at.0, why.as_str()],
            ),
        };
        all.extend(values![job.wire_key.clone(), job.id.as_str(), job.token.clone()]);
        let sql = format!(
            "UPDATE job SET {set}, wire_key = ?, lease_token = NULL, lease_until_ms = 0 \
             WHERE id = ? AND lease_token = ? AND state = 'pending'"
        );
        let is_over = match end {
            JobEnd::Delivered | JobEnd::Dead { .. } | JobEnd::Dropped { .. } | JobEnd::NotNeeded { .. } => true,
            JobEnd::Retry { .. } | JobEnd::PutBack { .. } => false,
        };
        if !is_over {
            return Ok(self.execute(&sql, all).await? == 1);
        }
        self.end_row(&sql, all, &job.id).await
    }

    /// Runs an update that ends the row `id`, and lets go what waited for it; whether the row was there.
    async fn end_row(&self, update: &str, all: Vec<Value>, id: &str) -> Result<bool, StoreError> {
        const KNOWN: &str = "order_id, destination, followed";
        let row = match self.dialect().0 {
            DbBackend::MySql => {
                if self.execute(update, all).await? != 1 {
                    return Ok(false);
                }
                self.row(&format!("SELECT {KNOWN} FROM job WHERE id = ?"), values![id]).await?
            }
            _ => self.row(&format!("{update} RETURNING {KNOWN}"), all).await?,
        };
        let Some(row) = row else { return Ok(false) };
        // NULL: an older version wrote it and did not look.
        if get::<Option<i16>>(&row, "followed")? != Some(0) {
            self.let_follow(&get::<String>(&row, "order_id")?, &get::<String>(&row, "destination")?).await?;
        }
        Ok(true)
    }

    /// Has a delivery that is dead, or waits for its next attempt, tried at once and as often as a new one; `false`
    /// when there is none or it is being tried.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn retry_job(&self, id: &str, now: UnixMillis) -> Result<bool, StoreError> {
        let known = format!("SELECT order_id, destination, seq, holds_up FROM job WHERE id = ?{}", self.for_update());
        let Some(row) = self.row(&known, values![id]).await? else { return Ok(false) };
        let (order, destination): (String, String) = (get(&row, "order_id")?, get(&row, "destination")?);
        let seq: i64 = get(&row, "seq")?;
        let lane = "order_id = ? AND destination = ? AND state = 'pending'";
        let before = self
            .execute(
                &format!("UPDATE job SET followed = 1 WHERE {lane} AND holds_up = 1 AND seq < ?"),
                values![order.as_str(), destination.as_str(), seq],
            )
            .await?;
        let ready = (before == 0).then_some(now.0);
        let changed = self
            .execute(
                "UPDATE job SET state = 'pending', due_ms = ?, ready_ms = ?, attempts = 0, failed_last = 0, followed = 1, \
                 done_ms = NULL, lease_token = NULL, lease_until_ms = 0 \
                 WHERE id = ? AND state IN ('pending', 'dead') AND lease_until_ms <= ?",
                values![now.0, ready, id, now.0],
            )
            .await?;
        if changed == 1 && get_flag(&row, "holds_up")? {
            // Those behind it wait again, unless they are under way.
            let sql = format!("UPDATE job SET ready_ms = NULL WHERE {lane} AND seq > ? AND lease_until_ms = 0");
            self.execute(&sql, values![order, destination, seq]).await?;
        }
        Ok(changed == 1)
    }

    fn for_update(&self) -> &'static str {
        self.dialect().for_update()
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
        let sql = "UPDATE job SET ready_ms = CASE WHEN ready_ms IS NULL THEN NULL ELSE ? END, due_ms = ? \
                   WHERE id = ? AND state = 'pending' AND lease_until_ms = 0 AND due_ms > ?";
        self.execute(sql, values![due_at.0, due_at.0, id, due_at.0]).await?;
        Ok(())
    }

    /// Makes deliveries of an order to one destination that hold others up due at once, unless one is being tried; how many
    /// there are.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn hurry(&self, order: &OrderId, destination: &str, now: UnixMillis) -> Result<u64, StoreError> {
        let sql = format!(
            "{} WHERE order_id = ? AND destination = ? AND state = 'pending' AND holds_up = 1 AND lease_until_ms = 0 \
             AND due_ms > ?",
            hurried("")
        );
        self.execute(&sql, values![now.0, now.0, now.0, now.0, order.as_str(), destination, now.0]).await
    }

    /// Makes everything that an order waits to do at one destination due at once, looks among it; how much that is.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn wake(&self, order: &OrderId, destination: &str, now: UnixMillis) -> Result<u64, StoreError> {
        let sql = "UPDATE job SET ready_ms = CASE WHEN ready_ms IS NULL THEN NULL ELSE ? END, due_ms = ? \
                   WHERE order_id = ? AND destination = ? AND state = 'pending' AND lease_until_ms = 0 AND due_ms > ?";
        self.execute(sql, values![now.0, now.0, order.as_str(), destination, now.0]).await
    }

    /// Takes out a delivery that is pending or dead. One that is being tried loses its lease.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn drop_job(&self, id: &str, reason: &str, now: UnixMillis) -> Result<bool, StoreError> {
        self.take_out(id, JobState::Dropped, reason, now).await
    }

    /// The same for one that is pending or dead and has nothing to tell any more.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn spare_job(&self, id: &str, why: &str, now: UnixMillis) -> Result<bool, StoreError> {
        self.take_out(id, JobState::NotNeeded, why, now).await
    }

    async fn take_out(&self, id: &str, state: JobState, why: &str, now: UnixMillis) -> Result<bool, StoreError> {
        let (set, mut all) = done(state, Some(why), now);
        all.push(id.into());
        let sql = format!(
            "UPDATE job SET {set}, lease_token = NULL, lease_until_ms = 0 \
             WHERE id = ? AND state IN ('pending', 'dead')"
        );
        self.end_row(&sql, all, id).await
    }

    /// A delivery by its id.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn job(&self, id: &str) -> Result<Option<Job>, StoreError> {
        job(self, id).await
    }

    /// Takes over what an older version has written and is not ready to be handed out; how many orders that concerned, at most
    /// `limit`.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn take_over_jobs(&self, limit: u32) -> Result<usize, StoreError> {
        let sql = "SELECT order_id, destination FROM job WHERE state = 'pending' AND failed_last IS NULL LIMIT ?";
        let rows = self.rows(sql, values![i64::from(limit)]).await?;
        for row in &rows {
            let (order, destination): (String, String) = (get(row, "order_id")?, get(row, "destination")?);
            self.execute(
                "UPDATE job SET failed_last = CASE WHEN attempts > 0 THEN 1 ELSE 0 END, followed = 1 \
                 WHERE order_id = ? AND destination = ? AND state = 'pending' AND failed_last IS NULL",
                values![order.as_str(), destination.as_str()],
            )
            .await?;
            self.let_follow(&order, &destination).await?;
        }
        Ok(rows.len())
    }
}

impl Store {
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
        Some(error) => ("state = ?, done_ms = ?, ready_ms = NULL, last_error = ?", values![word(&state), now.0, error]),
        None => ("state = ?, done_ms = ?, ready_ms = NULL", values![word(&state), now.0]),
    }
}

/// The beginning of an update that makes rows due now, unless they are due or under way; it takes the present four times. MySQL sees the
/// columns that stand further left as changed already: `due_ms` comes last.
fn hurried(set: &str) -> String {
    let later = "lease_until_ms = 0 AND due_ms > ?";
    format!(
        "UPDATE job SET {set}ready_ms = CASE WHEN ready_ms IS NOT NULL AND {later} THEN ? ELSE ready_ms END, \
         due_ms = CASE WHEN {later} THEN ? ELSE due_ms END"
    )
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
        failed_last: get::<Option<i16>>(row, "failed_last")? == Some(1),
        wire_key: get(row, "wire_key")?,
        last_error: get(row, "last_error")?,
        traceparent: get(row, "traceparent")?,
        created_at: UnixMillis(get(row, "created_ms")?),
        done_at: get::<Option<i64>>(row, "done_ms")?.map(UnixMillis),
        token: get(row, "lease_token")?,
    })
}
