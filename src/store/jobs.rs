// SPDX-License-Identifier: Apache-2.0

//! The outbox: what partners must be told, at least once, in order for each order and partner.
//!
//! A row is handed out under a lease with a fencing token (`handout.rs`). Whoever settles with a token that is no longer the row's has
//! lost the lease and changes nothing.
//!
//! What may be handed out is kept, not searched: `ready_ms` is the due time of a pending row that no earlier one stands before, the end
//! of the lease of one that is handed out, and NULL otherwise. Whoever adds a row marks the rows before it as `followed`, which locks
//! them; whoever ends a row that is followed lets the next ones go. So neither misses the other.

use sea_orm::{QueryResult, Value};
use ticketbridge_core::personal::in_clear;
use ticketbridge_core::{Effect, OrderId, UnixMillis};

use crate::ahead::Ahead;
use crate::buffer::{JOB, ORDERS, Row, key_text};
use crate::connect::Store;
use crate::dialect::{Query, flag, get, get_flag, read_word, text_of, values, whole, whole_of, word};
use crate::error::StoreError;
use crate::job::{Job, JobState};
use crate::seal::Sealer;
use crate::tx::Tx;

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
    pub blocks_order: bool,
    /// Not before this time.
    pub due_at: UnixMillis,
    /// Now.
    pub created_at: UnixMillis,
    /// The trace it belongs to.
    pub traceparent: Option<String>,
    /// The deadline that it serves: where many wait, the nearest go first.
    pub urgent_at: Option<UnixMillis>,
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

/// All columns, as a row is kept in memory.
pub(crate) const COLUMNS: &str = "id, order_id, destination, call_name, effect, state, seq, holds_up, due_ms, lease_until_ms, attempts, \
    read_back, traceparent, created_ms, failed_last, followed, ready_ms, urgent_ms, lease_token, last_error, done_ms, wire_key";

impl Tx {
    /// Adds a delivery. Earlier ones of the order that it has to wait for are due at once when it is: most of them are no longer
    /// wanted, and the rest is better tried a little early than in the way.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when its id is known: ids are made from an order's events, so that is a mistake.
    pub async fn enqueue(&self, new: &NewJob) -> Result<(), StoreError> {
        let ready = if self.line_up_behind(new).await? { None } else { Some(new.due_at.0) };
        self.keep(
            &JOB,
            values![
                new.id.as_str(),
                new.order.as_str(),
                new.destination.as_str(),
                new.call.as_str(),
                self.sealer().seal(&effect_row(&new.id), &in_clear(|| serde_json::to_vec(&new.effect))?),
                word(&JobState::Pending),
                whole(new.seq),
                flag(new.blocks_order),
                new.due_at.0,
                0_i64,
                0_i64,
                0_i16,
                new.traceparent.clone(),
                new.created_at.0,
                Some(flag(false)),
                Some(flag(false)),
                ready,
                new.urgent_at.map(|at| at.0),
                None::<String>,
                None::<String>,
                None::<i64>,
                None::<String>,
            ],
        )
    }

    /// The pending deliveries of an order, locked, as the work at hand sees them: of one lane, in their order.
    async fn pending(&self, order: &OrderId, destination: &str) -> Result<Vec<Row>, StoreError> {
        let id = order.as_str();
        let knows = {
            let buffer = self.buffer();
            // An order that this very transaction makes has nothing in the database yet.
            buffer.knows_group(&JOB, id) || buffer.is_made_here(&ORDERS, id)
        };
        if !knows {
            self.read_pending(order).await?;
        }
        let mut rows = self.buffer().group(&JOB, id, &[("order_id", id)]);
        let is_its = |row: &Row| is(row, "state", "pending") && is(row, "destination", destination);
        rows.retain(is_its);
        rows.sort_by_cached_key(|row| (whole_of(row, JOB.at("seq")), text_of(row, JOB.at("id")).unwrap_or_default()));
        Ok(rows)
    }

    async fn read_pending(&self, order: &OrderId) -> Result<(), StoreError> {
        self.hold_owner(order).await?;
        let condition = format!(" AND state = 'pending' ORDER BY id{}", self.dialect().for_update());
        self.read_group_for_orders(&JOB, order, COLUMNS, &condition, row_as_read).await
    }

    /// Deliveries are locked only by who holds their order: two transactions that want several of them would otherwise come to wait for
    /// each other, each with some of them in hand. A count of stock belongs to no order, and what it holds nobody else asks for.
    async fn hold_owner(&self, order: &OrderId) -> Result<(), StoreError> {
        if self.holds_order(order) || !self.dialect().shares_with_others() {
            return Ok(());
        }
        self.check_late_hold(order.as_str())?;
        let sql = format!("SELECT id FROM orders WHERE id = ?{}", self.for_update());
        self.rows_stored(&sql, values![order.as_str()]).await.map(drop)
    }

    /// Whether this transaction has locked the order, or makes it.
    fn holds_order(&self, order: &OrderId) -> bool {
        matches!(self.see(&ORDERS, &key_text(&[order.as_str()])), Some(Some(_)))
    }

    /// Notes of what must end before `new` that others wait for it; whether there is anything.
    async fn line_up_behind(&self, new: &NewJob) -> Result<bool, StoreError> {
        let is_expedited = new.blocks_order && new.due_at <= new.created_at;
        let mut found = false;
        for mut row in self.pending(&new.order, &new.destination).await? {
            if !blocks_order(&row) || whole_of(&row, JOB.at("seq")) >= Some(whole(new.seq)) {
                continue;
            }
            found = true;
            let was_followed = whole_of(&row, JOB.at("followed")) == Some(1);
            row[JOB.at("followed")] = Some(1_i16).into();
            if (is_expedited && make_due(&mut row, new.due_at)) || !was_followed {
                self.change(&JOB, row)?;
            }
        }
        Ok(found)
    }

    /// What comes after a row that has ended is handed out from now on, up to the next row that holds others up.
    async fn let_follow(&self, order: &OrderId, destination: &str) -> Result<(), StoreError> {
        // Who holds the order is the only one to add rows to it. To a count of stock some may have come while the ended row was waited for.
        if !self.holds_order(order) {
            self.read_pending(order).await?;
        }
        for mut row in self.pending(order, destination).await? {
            let is_last = blocks_order(&row);
            if whole_of(&row, JOB.at("ready_ms")).is_none() {
                let lease = whole_of(&row, JOB.at("lease_until_ms")).filter(|until| *until > 0);
                row[JOB.at("ready_ms")] = lease.or(whole_of(&row, JOB.at("due_ms"))).into();
                self.change(&JOB, row)?;
            }
            if is_last {
                break;
            }
        }
        Ok(())
    }

    /// Ends an attempt; `false` when the lease was lost, and then nothing was changed. One that is to be repeated is kept with
    /// [`Job::failed_last`] as `job` has it, and each with its [`Job::wire_key`].
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn settle(&self, job: &Job, end: &JobEnd, now: UnixMillis) -> Result<bool, StoreError> {
        let rows = self.pending(&job.order, &job.destination).await?;
        let token = job.token.as_deref().unwrap_or_default();
        let Some(mut row) = rows.into_iter().find(|row| is(row, "id", &job.id) && is(row, "lease_token", token)) else {
            return Ok(false);
        };
        row[JOB.at("wire_key")] = job.wire_key.clone().into();
        match end {
            JobEnd::Delivered => self.end(row, JobState::Delivered, None, now).await?,
            JobEnd::Dead { error } => self.end(row, JobState::Dead, Some(error), now).await?,
            JobEnd::Dropped { reason } => self.end(row, JobState::Dropped, Some(reason), now).await?,
            JobEnd::NotNeeded { why } => self.end(row, JobState::NotNeeded, Some(why), now).await?,
            JobEnd::Retry { due_at, read_back, error } => {
                row[JOB.at("read_back")] = flag(*read_back).into();
                row[JOB.at("failed_last")] = Some(flag(job.failed_last)).into();
                self.put_off(row, *due_at, error)?;
            }
            JobEnd::PutBack { due_at, why } => {
                let attempts = whole_of(&row, JOB.at("attempts")).unwrap_or_default();
                row[JOB.at("attempts")] = (attempts - 1).into();
                self.put_off(row, *due_at, why)?;
            }
        }
        Ok(true)
    }

    /// Has a row handed out again at `due_at`.
    fn put_off(&self, mut row: Row, due_at: UnixMillis, why: &str) -> Result<(), StoreError> {
        row[JOB.at("last_error")] = Some(why).into();
        row[JOB.at("due_ms")] = due_at.0.into();
        row[JOB.at("ready_ms")] = Some(due_at.0).into();
        release(&mut row);
        self.change(&JOB, row)
    }

    /// Ends a row, and lets go what waited for it: the one way in which a delivery is over, whoever says so.
    async fn end(&self, mut row: Row, state: JobState, why: Option<&str>, now: UnixMillis) -> Result<(), StoreError> {
        row[JOB.at("state")] = word(&state).into();
        row[JOB.at("done_ms")] = Some(now.0).into();
        row[JOB.at("ready_ms")] = None::<i64>.into();
        if let Some(why) = why {
            row[JOB.at("last_error")] = Some(why).into();
        }
        release(&mut row);
        // NULL: an older version wrote it and did not look.
        let is_followed = whole_of(&row, JOB.at("followed")) != Some(0);
        let (order, destination) = (text_of(&row, JOB.at("order_id"))?, text_of(&row, JOB.at("destination"))?);
        self.change(&JOB, row)?;
        if is_followed {
            self.let_follow(&OrderId(order), &destination).await?;
        }
        Ok(())
    }

    /// A row by its id as the work at hand sees it, locked.
    async fn lock_job(&self, id: &str) -> Result<Option<Row>, StoreError> {
        if let Some(known) = self.see(&JOB, &key_text(&[id])) {
            return Ok(known);
        }
        self.check_late_lock()?;
        if !self.hold_owner_of(id).await? {
            return Ok(None);
        }
        let sql = format!("SELECT {COLUMNS} FROM job WHERE id = ?{}", self.for_update());
        self.rows_stored(&sql, values![id]).await?.first().map(row_as_read).transpose()
    }

    /// Locks the order that a delivery belongs to; `false` when it is known that there is no such delivery. One writer locks nothing.
    async fn hold_owner_of(&self, id: &str) -> Result<bool, StoreError> {
        if !self.dialect().shares_with_others() {
            return Ok(true);
        }
        let found = self.rows_stored("SELECT order_id FROM job WHERE id = ?", values![id]).await?;
        let Some(row) = found.first() else { return Ok(false) };
        self.hold_owner(&OrderId(get(row, "order_id")?)).await.map(|()| true)
    }

    /// Has a delivery that is dead, was taken out, or waits for its next attempt, tried at once and as often as a new one; `false`
    /// when there is none or it is being tried.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn retry_job(&self, id: &str, now: UnixMillis) -> Result<bool, StoreError> {
        if !self.hold_owner_of(id).await? {
            return Ok(false);
        }
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
                 WHERE id = ? AND state IN ('pending', 'dead', 'dropped') AND lease_until_ms <= ?",
                values![now.0, ready, id, now.0],
            )
            .await?;
        if changed == 1 && get_flag(&row, "holds_up")? {
            // Those behind it wait again, unless they are under way.
            let sql = format!("UPDATE job SET ready_ms = NULL WHERE {lane} AND seq > ? AND lease_until_ms = 0");
            self.execute(&sql, values![order, destination, seq]).await?;
        }
        if changed == 1 {
            self.note_due(Ahead { job: ready.map(UnixMillis), deadline: None });
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
        for row in self.pending(&new.order, &new.destination).await? {
            if !is(&row, "call_name", &new.call) || whole_of(&row, JOB.at("lease_until_ms")) != Some(0) {
                continue;
            }
            let (id, effect) = (text_of(&row, JOB.at("id"))?, text_of(&row, JOB.at("effect"))?);
            if read_effect(self.sealer(), &id, &effect)?.is_same_call(&new.effect) {
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
        let found = self.lock_job(id).await?;
        if let Some(mut row) = found.filter(|row| is(row, "state", "pending"))
            && make_due(&mut row, due_at)
        {
            self.change(&JOB, row)?;
        }
        Ok(())
    }

    /// Makes deliveries of an order to one destination that hold others up due at once, unless one is being tried; how many
    /// there are.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn expedite(&self, order: &OrderId, destination: &str, now: UnixMillis) -> Result<u64, StoreError> {
        let mut expedited = 0;
        for mut row in self.pending(order, destination).await? {
            if blocks_order(&row) && make_due(&mut row, now) {
                self.change(&JOB, row)?;
                expedited += 1;
            }
        }
        Ok(expedited)
    }

    /// Makes deliveries of an order to one destination that hold others up due at once, but for those that nobody has begun and that are not
    /// needed any more: these end here, and nobody has to look at them.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Document`].
    pub async fn expedite_needed(
        &self,
        order: &OrderId,
        destination: &str,
        now: UnixMillis,
        is_needed: impl Fn(&Effect) -> bool + Send,
        why: &str,
    ) -> Result<(), StoreError> {
        let mut over = Vec::new();
        for mut row in self.pending(order, destination).await? {
            if !blocks_order(&row) {
                continue;
            }
            let (id, effect) = (text_of(&row, JOB.at("id"))?, text_of(&row, JOB.at("effect"))?);
            let is_untouched =
                whole_of(&row, JOB.at("lease_until_ms")) == Some(0) && whole_of(&row, JOB.at("attempts")) == Some(0);
            if is_untouched && !is_needed(&read_effect(self.sealer(), &id, &effect)?) {
                over.push(row);
            } else if make_due(&mut row, now) {
                self.change(&JOB, row)?;
            }
        }
        // Last: what waited for them is let go as it is by then.
        for row in over {
            self.end(row, JobState::NotNeeded, Some(why), now).await?;
        }
        Ok(())
    }

    /// Makes everything that an order waits to do at one destination due at once, looks among it; how much that is.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn wake(&self, order: &OrderId, destination: &str, now: UnixMillis) -> Result<u64, StoreError> {
        let mut woken = 0;
        for mut row in self.pending(order, destination).await? {
            if make_due(&mut row, now) {
                self.change(&JOB, row)?;
                woken += 1;
            }
        }
        Ok(woken)
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
        let found = self.lock_job(id).await?;
        let Some(row) = found.filter(|row| is(row, "state", "pending") || is(row, "state", "dead")) else {
            return Ok(false);
        };
        self.end(row, state, Some(why), now).await.map(|()| true)
    }

    /// A delivery by its id.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn job(&self, id: &str) -> Result<Option<Job>, StoreError> {
        job(self, id).await
    }

    /// What has still to be told or asked about an order, in its order.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn under_way(&self, order: &OrderId) -> Result<Vec<Job>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM job WHERE order_id = ? AND state = 'pending' ORDER BY seq, id");
        let rows = self.rows(&sql, values![order.as_str()]).await?;
        rows.iter().map(|row| read(self.sealer(), row)).collect()
    }

    /// Takes over what an older version has written and is not ready to be handed out; how many orders that concerned, at most
    /// `limit`.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn take_over_jobs(&self, limit: u32) -> Result<usize, StoreError> {
        let sql = "SELECT order_id, destination FROM job WHERE state = 'pending' AND failed_last IS NULL LIMIT ?";
        let rows = self.rows(sql, values![i64::from(limit)]).await?;
        let mut lanes = rows
            .iter()
            .map(|row| Ok((get(row, "order_id")?, get(row, "destination")?)))
            .collect::<Result<Vec<(String, String)>, StoreError>>()?;
        lanes.sort_unstable();
        for (order, destination) in lanes {
            self.hold_owner(&OrderId(order.clone())).await?;
            self.execute(
                "UPDATE job SET failed_last = CASE WHEN attempts > 0 THEN 1 ELSE 0 END, followed = 1 \
                 WHERE order_id = ? AND destination = ? AND state = 'pending' AND failed_last IS NULL",
                values![order.as_str(), destination.as_str()],
            )
            .await?;
            self.let_follow(&OrderId(order), &destination).await?;
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
}

async fn job(query: &impl Query, id: &str) -> Result<Option<Job>, StoreError> {
    let row = query.row(&format!("SELECT {COLUMNS} FROM job WHERE id = ?"), values![id]).await?;
    row.map(|row| read(query.sealer(), &row)).transpose()
}

/// A row of [`COLUMNS`].
fn row_as_read(row: &QueryResult) -> Result<Row, StoreError> {
    Ok(values![
        get::<String>(row, "id")?,
        get::<String>(row, "order_id")?,
        get::<String>(row, "destination")?,
        get::<String>(row, "call_name")?,
        get::<String>(row, "effect")?,
        get::<String>(row, "state")?,
        get::<i64>(row, "seq")?,
        get::<i16>(row, "holds_up")?,
        get::<i64>(row, "due_ms")?,
        get::<i64>(row, "lease_until_ms")?,
        get::<i64>(row, "attempts")?,
        get::<i16>(row, "read_back")?,
        get::<Option<String>>(row, "traceparent")?,
        get::<i64>(row, "created_ms")?,
        get::<Option<i16>>(row, "failed_last")?,
        get::<Option<i16>>(row, "followed")?,
        get::<Option<i64>>(row, "ready_ms")?,
        get::<Option<i64>>(row, "urgent_ms")?,
        get::<Option<String>>(row, "lease_token")?,
        get::<Option<String>>(row, "last_error")?,
        get::<Option<i64>>(row, "done_ms")?,
        get::<Option<String>>(row, "wire_key")?,
    ])
}

fn is(row: &[Value], column: &str, text: &str) -> bool {
    text_of(row, JOB.at(column)).is_ok_and(|found| found == text)
}

/// Nobody holds it any more.
fn release(row: &mut Row) {
    row[JOB.at("lease_token")] = None::<String>.into();
    row[JOB.at("lease_until_ms")] = 0_i64.into();
}

fn blocks_order(row: &[Value]) -> bool {
    whole_of(row, JOB.at("holds_up")) == Some(1)
}

/// Makes a row due at `at`, unless it is due by then or under way; whether that changed it.
fn make_due(row: &mut Row, at: UnixMillis) -> bool {
    let is_later = whole_of(row, JOB.at("lease_until_ms")) == Some(0) && whole_of(row, JOB.at("due_ms")) > Some(at.0);
    if is_later {
        row[JOB.at("due_ms")] = at.0.into();
        if whole_of(row, JOB.at("ready_ms")).is_some() {
            row[JOB.at("ready_ms")] = Some(at.0).into();
        }
    }
    is_later
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

/// The delivery of a row as it is kept in memory.
pub(crate) fn job_of(sealer: &Sealer, row: &Row) -> Result<Job, StoreError> {
    let text = |column: &str| text_of(row, JOB.at(column));
    let perhaps = |column: &str| text(column).ok();
    let whole = |column: &str| whole_of(row, JOB.at(column));
    let count = |column: &'static str| whole(column).ok_or(StoreError::Column(column));
    let id = text("id")?;
    Ok(Job {
        order: OrderId(text("order_id")?),
        destination: text("destination")?,
        call: text("call_name")?,
        effect: read_effect(sealer, &id, &text("effect")?)?,
        id,
        state: read_word(&text("state")?, "state")?,
        seq: u64::try_from(count("seq")?).map_err(|_| StoreError::Column("seq"))?,
        due_at: UnixMillis(count("due_ms")?),
        lease_until: UnixMillis(count("lease_until_ms")?),
        attempts: u32::try_from(count("attempts")?).map_err(|_| StoreError::Column("attempts"))?,
        read_back: whole("read_back") == Some(1),
        failed_last: whole("failed_last") == Some(1),
        wire_key: perhaps("wire_key"),
        last_error: perhaps("last_error"),
        traceparent: perhaps("traceparent"),
        created_at: UnixMillis(count("created_ms")?),
        done_at: whole("done_ms").map(UnixMillis),
        token: perhaps("lease_token"),
    })
}

/// Reads a delivery from [`COLUMNS`].
pub(crate) fn read(sealer: &Sealer, row: &QueryResult) -> Result<Job, StoreError> {
    job_of(sealer, &row_as_read(row)?)
}
