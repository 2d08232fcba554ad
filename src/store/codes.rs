// SPDX-License-Identifier: Apache-2.0

//! Code pools: codes loaded by ops, each handed out once, never twice.
//!
//! Imports and draws of one pool queue at the pool's row. A code is kept sealed, and recognised by a keyed hash.

use sea_orm::{QueryResult, Value};
use std::collections::BTreeSet;
use ticketbridge_core::order::TicketKind;
use ticketbridge_core::personal::DocumentNumber;
use ticketbridge_core::{BookingId, OrderId, UnixMillis};

use crate::connect::Store;
use crate::dialect::{Query, get, get_count, get_word, marks, rows_of_marks, values, whole, word};
use crate::error::StoreError;
use crate::held_codes::held_hash;
use crate::tx::Tx;

/// Codes that one statement looks up or inserts at most.
const CODES_PER_STATEMENT: usize = 500;

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Codes that were new.
    pub added: u64,
    /// Codes that the pool, or the list itself, had already, or that somebody has.
    pub duplicates: u64,
}

/// What a withdrawal did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Withdrawn {
    /// Codes that are no longer there.
    pub withdrawn: u64,
    /// Codes that somebody has already: they stay.
    pub issued: u64,
    /// Codes that the pool does not have.
    pub unknown: u64,
}

/// A code that was drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolCode {
    /// The code, masked wherever it is shown.
    pub code: DocumentNumber,
    /// What it is.
    pub kind: TicketKind,
}

/// How full a pool is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolCounts {
    /// Codes ever loaded.
    pub total: u64,
    /// Codes handed out.
    pub issued: u64,
    /// Codes that nobody has as far as is known, and that nobody gets before a person has released them.
    pub held_back: u64,
}

impl PoolCounts {
    /// Codes that are left.
    pub fn available(self) -> u64 {
        self.total.saturating_sub(self.issued + self.held_back)
    }
}

/// Who has a code that is held back: after a restore nobody knows which codes were handed out since the copy was made.
const HELD_BACK: &str = "held_back";

/// Among whose codes each is unique: those of all pools together, since one list is easily loaded into two.
pub const CODE_POOLS: &str = "code_pools";
/// What keeps hashes of codes apart from those of other things that are given out once.
pub const CODE: &str = "code";

impl Tx {
    /// Adds codes to a pool, which is made when missing; those it has already are counted, not added.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn import_codes(&self, pool: &str, kind: TicketKind, codes: &[String]) -> Result<Imported, StoreError> {
        let mut position = self.lock_pool(pool).await?;
        let mut imported = Imported::default();
        for part in codes.chunks(CODES_PER_STATEMENT) {
            let hashes: Vec<String> = part.iter().map(|code| self.sealer().keyed_hash(pool, code)).collect();
            let mut seen = self.known_hashes(pool, &hashes).await?;
            // What somebody has from elsewhere, by a person's hand or from another pool, is not there to be given out.
            let held: Vec<String> = part.iter().map(|code| held_hash(self.sealer(), CODE_POOLS, CODE, code)).collect();
            let holders = self.holders(&held).await?;
            let given = hashes.iter().zip(holders).filter(|(_, holder)| holder.is_some());
            seen.extend(given.map(|(hash, _)| hash.clone()));
            let mut rows = Vec::new();
            let mut added = 0;
            for (code, hash) in part.iter().zip(hashes) {
                if !seen.insert(hash.clone()) {
                    imported.duplicates += 1;
                    continue;
                }
                let sealed = self.sealer().seal(&code_row(pool, &hash), code.as_bytes());
                rows.extend(values![pool, hash, sealed, word(&kind), whole(position)]);
                position += 1;
                added += 1;
            }
            if added > 0 {
                let sql = format!(
                    "INSERT INTO code (pool, code_hash, code, kind, position) VALUES {}",
                    rows_of_marks(added, 5)
                );
                self.execute(&sql, rows).await?;
                imported.added += added as u64;
            }
        }
        let sql = "UPDATE code_pool SET next_position = ? WHERE pool = ?";
        self.execute(sql, values![whole(position), pool]).await?;
        Ok(imported)
    }

    /// Takes codes out of a pool that nobody has yet; whoever draws meanwhile waits.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn withdraw_codes(&self, pool: &str, codes: &[String]) -> Result<Withdrawn, StoreError> {
        self.lock_pool(pool).await?;
        let mut done = Withdrawn::default();
        let distinct: Vec<String> = codes.iter().collect::<BTreeSet<_>>().into_iter().cloned().collect();
        for part in distinct.chunks(CODES_PER_STATEMENT) {
            let hashes: Vec<String> = part.iter().map(|code| self.sealer().keyed_hash(pool, code)).collect();
            let known = self.known_hashes(pool, &hashes).await?.len() as u64;
            let mut all = values![pool];
            all.extend(hashes.iter().map(|hash| Value::from(hash.as_str())));
            let sql = format!(
                "DELETE FROM code WHERE pool = ? AND code_hash IN ({}) AND (booking_id IS NULL OR booking_id = '{HELD_BACK}')",
                marks(hashes.len())
            );
            let withdrawn = self.execute(&sql, all).await?;
            done.withdrawn += withdrawn;
            done.issued += known.saturating_sub(withdrawn);
            done.unknown += hashes.len() as u64 - known;
        }
        Ok(done)
    }

    /// Holds back what a pool has left: nobody gets it before it is released. How many these are.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn hold_back_codes(&self, pool: &str, now: UnixMillis) -> Result<u64, StoreError> {
        self.lock_pool(pool).await?;
        let sql = "UPDATE code SET booking_id = ?, issued_ms = ? WHERE pool = ? AND booking_id IS NULL";
        self.execute(sql, values![HELD_BACK, now.0, pool]).await
    }

    /// Lets what is held back of a pool be handed out again. How many these are.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn release_codes(&self, pool: &str) -> Result<u64, StoreError> {
        self.lock_pool(pool).await?;
        let sql = "UPDATE code SET booking_id = NULL, issued_ms = NULL WHERE pool = ? AND booking_id = ?";
        self.execute(sql, values![pool, HELD_BACK]).await
    }

    /// Draws `count` codes for a booking, oldest first: all of them, or `None` and none. A booking that drew before
    /// gets the same codes again.
    ///
    /// # Errors
    /// [`StoreError::CodesDiffer`] when the booking drew another number of codes before.
    pub async fn draw_codes(
        &self,
        pool: &str,
        count: usize,
        booking: &BookingId,
        now: UnixMillis,
    ) -> Result<Option<Vec<PoolCode>>, StoreError> {
        self.lock_pool(pool).await?;
        let held = self.codes(pool, "booking_id = ?", values![booking.as_str()], i64::MAX).await?;
        if !held.is_empty() {
            let held: Vec<PoolCode> = held.into_iter().map(|(_, code)| code).collect();
            let differ = StoreError::CodesDiffer { held: held.len(), asked: count };
            return if held.len() == count { Ok(Some(held)) } else { Err(differ) };
        }
        let free = self.free_codes(pool, count, now).await?;
        if free.len() < count || count == 0 {
            return Ok(None);
        }
        let mut all = values![booking.as_str(), now.0, pool];
        all.extend(free.iter().map(|(hash, _)| Value::from(hash.as_str())));
        let sql = format!(
            "UPDATE code SET booking_id = ?, issued_ms = ? WHERE pool = ? AND code_hash IN ({}) AND booking_id IS NULL",
            marks(count)
        );
        if self.execute(&sql, all).await? != count as u64 {
            return Err(StoreError::Column("code.booking_id"));
        }
        Ok(Some(free.into_iter().map(|(_, code)| code).collect()))
    }

    /// The oldest codes that nobody has. One that an order holds already, from another pool or by a person's hand, counts as handed out
    /// from now on.
    async fn free_codes(
        &self,
        pool: &str,
        count: usize,
        now: UnixMillis,
    ) -> Result<Vec<(String, PoolCode)>, StoreError> {
        let most = i64::try_from(count).unwrap_or(i64::MAX);
        loop {
            let free = self.codes(pool, "booking_id IS NULL", values![], most).await?;
            let hash = |code: &PoolCode| held_hash(self.sealer(), CODE_POOLS, CODE, code.code.reveal());
            let hashes: Vec<String> = free.iter().map(|(_, code)| hash(code)).collect();
            let holders = self.holders(&hashes).await?;
            let held: Vec<(&str, OrderId)> =
                free.iter().zip(holders).filter_map(|((own, _), holder)| Some((own.as_str(), holder?))).collect();
            if held.is_empty() {
                return Ok(free);
            }
            for (own, holder) in held {
                let sql = "UPDATE code SET booking_id = ?, issued_ms = ? WHERE pool = ? AND code_hash = ?";
                self.execute(sql, values![holder.as_str(), now.0, pool, own]).await?;
            }
        }
    }

    /// Whether a pool has a code, left or given out.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn is_of_a_pool(&self, code: &str) -> Result<bool, StoreError> {
        for pool in pools(self).await? {
            let hash = self.sealer().keyed_hash(&pool, code);
            if !self.known_hashes(&pool, &[hash]).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Notes codes that a pool has left as given out: an order has them from elsewhere.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn take_from_pools(&self, order: &OrderId, codes: &[&str], now: UnixMillis) -> Result<(), StoreError> {
        if codes.is_empty() {
            return Ok(());
        }
        for pool in pools(self).await? {
            let mut all = values![order.as_str(), now.0, pool.as_str()];
            all.extend(codes.iter().map(|code| Value::from(self.sealer().keyed_hash(&pool, code))));
            let sql = format!(
                "UPDATE code SET booking_id = ?, issued_ms = ? WHERE pool = ? AND code_hash IN ({}) AND booking_id IS NULL",
                marks(codes.len())
            );
            self.execute(&sql, all).await?;
        }
        Ok(())
    }

    /// Locks a pool, which is made when missing; the next free position.
    async fn lock_pool(&self, pool: &str) -> Result<u64, StoreError> {
        let make = format!(
            "INSERT INTO code_pool (pool, next_position) VALUES (?, 1){}",
            self.dialect().unless_exists("pool")
        );
        let select = format!("SELECT next_position FROM code_pool WHERE pool = ?{}", self.dialect().for_update());
        let mut row = self.row(&select, values![pool]).await?;
        if row.is_none() {
            self.execute(&make, values![pool]).await?;
            row = self.row(&select, values![pool]).await?;
        }
        get_count(&row.ok_or(StoreError::Column("code_pool.pool"))?, "next_position")
    }

    async fn known_hashes(&self, pool: &str, hashes: &[String]) -> Result<BTreeSet<String>, StoreError> {
        let mut all = values![pool];
        all.extend(hashes.iter().map(|hash| Value::from(hash.as_str())));
        let sql = format!("SELECT code_hash FROM code WHERE pool = ? AND code_hash IN ({})", marks(hashes.len()));
        self.rows(&sql, all).await?.iter().map(|row| get(row, "code_hash")).collect()
    }

    async fn codes(
        &self,
        pool: &str,
        condition: &str,
        more: Vec<Value>,
        limit: i64,
    ) -> Result<Vec<(String, PoolCode)>, StoreError> {
        let mut all = values![pool];
        all.extend(more);
        all.push(limit.into());
        let sql =
            format!("SELECT code_hash, code, kind FROM code WHERE pool = ? AND {condition} ORDER BY position LIMIT ?");
        self.rows(&sql, all).await?.iter().map(|row| self.open_code(pool, row)).collect()
    }

    fn open_code(&self, pool: &str, row: &QueryResult) -> Result<(String, PoolCode), StoreError> {
        let (hash, sealed): (String, String) = (get(row, "code_hash")?, get(row, "code")?);
        let clear = self.sealer().open(&code_row(pool, &hash), &sealed)?;
        let code = String::from_utf8(clear).map_err(|_| StoreError::Column("code.code"))?;
        Ok((hash, PoolCode { code: DocumentNumber::new(code), kind: get_word(row, "kind")? }))
    }
}

impl Store {
    /// How full a pool is; `None` when there is none.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn pool_counts(&self, pool: &str) -> Result<Option<PoolCounts>, StoreError> {
        let known = self.row("SELECT pool FROM code_pool WHERE pool = ?", values![pool]).await?;
        if known.is_none() {
            return Ok(None);
        }
        let sql = "SELECT COUNT(*) AS total, COUNT(booking_id) AS issued, \
                   COUNT(CASE WHEN booking_id = ? THEN 1 END) AS held_back FROM code WHERE pool = ?";
        let row = self.row(sql, values![HELD_BACK, pool]).await?.ok_or(StoreError::Column("code.pool"))?;
        let held_back = get_count(&row, "held_back")?;
        let issued: u64 = get_count(&row, "issued")?;
        Ok(Some(PoolCounts { total: get_count(&row, "total")?, issued: issued.saturating_sub(held_back), held_back }))
    }

    /// Holds back what every pool has left, for a database that was put back from a copy: the pools, and how many codes each.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn hold_back_all_codes(&self, now: UnixMillis) -> Result<Vec<(String, u64)>, StoreError> {
        let mut held = Vec::new();
        for pool in pools(self).await? {
            let name = pool.clone();
            let many: u64 = self
                .write("hold_back_codes", move |tx: &Tx| {
                    let name = name.clone();
                    Box::pin(async move { tx.hold_back_codes(&name, now).await })
                })
                .await?;
            if many > 0 {
                held.push((pool, many));
            }
        }
        Ok(held)
    }
}

/// Every pool there is.
async fn pools(query: &impl Query) -> Result<Vec<String>, StoreError> {
    let rows = query.rows("SELECT pool FROM code_pool ORDER BY pool", values![]).await?;
    rows.iter().map(|row| get(row, "pool")).collect()
}

fn code_row(pool: &str, hash: &str) -> String {
    format!("code/{pool}/{hash}")
}
