// SPDX-License-Identifier: Apache-2.0

//! One act on many: what it is, on what, and how far it has come. Each of the many is a row, so that whoever carries it on after a crash knows
//! what is left.

use sea_orm::QueryResult;
use serde::{Deserialize, Serialize};
use ticketbridge_core::{Millis, UnixMillis};

use crate::connect::Store;
use crate::dialect::{Query, Where, get, get_count, get_word, rows_of_marks, values, word};
use crate::error::StoreError;
use crate::lists::{Listing, Page, PageRequest};
use crate::scopes::ScopeWords;
use crate::tx::Tx;

/// Rows that one statement adds.
const ROWS_AT_ONCE: usize = 100;

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BulkState {
    /// Some are still to be done.
    Running,
    /// All were tried.
    Done,
}

/// What became of one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemState {
    /// Not tried yet.
    Waiting,
    /// The act was done.
    Done,
    /// It was refused.
    Refused,
}

/// An act on many, to be.
#[derive(Clone, Debug)]
pub struct NewBulk {
    /// Its id.
    pub id: String,
    /// The act, a word.
    pub act: String,
    /// Who wants it: the key of a holder.
    pub asked_by: String,
    /// Whose affair it is: the scope of whoever wants it.
    pub scope: ScopeWords,
    /// The fields of each call; sealed, since a reason may name a guest.
    pub body: serde_json::Value,
    /// On what: each with the version that whoever wants it has seen, where he has.
    pub targets: Vec<(String, Option<u64>)>,
    /// When.
    pub at: UnixMillis,
}

/// An act on many.
#[derive(Clone, Debug, PartialEq)]
pub struct BulkRow {
    /// Its id.
    pub id: String,
    /// The act.
    pub act: String,
    /// Who wants it.
    pub asked_by: String,
    /// Whose affair it is.
    pub scope: ScopeWords,
    /// The fields of each call.
    pub body: serde_json::Value,
    /// How far it has come.
    pub state: BulkState,
    /// When it was wanted.
    pub created_at: UnixMillis,
    /// When all were tried.
    pub done_at: Option<UnixMillis>,
    /// Of how many.
    pub total: u64,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkItem {
    /// Its place.
    pub place: i64,
    /// What is acted on.
    pub target: String,
    /// The version that was seen.
    pub version: Option<u64>,
    /// What became of it.
    pub state: ItemState,
    /// Why not.
    pub code: Option<String>,
    /// The same in a sentence.
    pub sentence: Option<String>,
}

/// How one of them ended: done, or refused with a code and a sentence.
pub type ItemEnd = Result<(), (String, String)>;

const COLUMNS: &str = "id, act, asked_by, scope_kind, scope_id, body, state, created_ms, done_ms, total";
const ITEM: &str = "place, target, version, state, code, sentence";

fn body_row(id: &str) -> String {
    format!("bulk/{id}")
}
fn sentence_row(id: &str, place: i64) -> String {
    format!("bulk_item/{id}/{place}")
}

fn read(query: &impl Query, row: &QueryResult) -> Result<BulkRow, StoreError> {
    let id: String = get(row, "id")?;
    let body = query.sealer().open(&body_row(&id), &get::<String>(row, "body")?)?;
    Ok(BulkRow {
        act: get(row, "act")?,
        asked_by: get(row, "asked_by")?,
        scope: ScopeWords { kind: get(row, "scope_kind")?, id: get(row, "scope_id")? },
        body: serde_json::from_slice(&body)?,
        state: get_word(row, "state")?,
        created_at: UnixMillis(get(row, "created_ms")?),
        done_at: get::<Option<i64>>(row, "done_ms")?.map(UnixMillis),
        total: get_count(row, "total")?,
        id,
    })
}

fn read_item(query: &impl Query, id: &str, row: &QueryResult) -> Result<BulkItem, StoreError> {
    let place: i64 = get(row, "place")?;
    let sentence = match get::<Option<String>>(row, "sentence")? {
        Some(sealed) => {
            Some(String::from_utf8_lossy(&query.sealer().open(&sentence_row(id, place), &sealed)?).into_owned())
        }
        None => None,
    };
    Ok(BulkItem {
        place,
        target: get(row, "target")?,
        version: get::<Option<i64>>(row, "version")?.and_then(|version| u64::try_from(version).ok()),
        state: get_word(row, "state")?,
        code: get(row, "code")?,
        sentence,
    })
}

impl Store {
    /// The act on many of this id.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Sealed`].
    pub async fn bulk(&self, id: &str) -> Result<Option<BulkRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM bulk WHERE id = ?");
        self.row(&sql, values![id]).await?.map(|row| read(self, &row)).transpose()
    }

    /// Those that somebody wanted, newest first.
    ///
    /// # Errors
    /// [`StoreError::Cursor`], [`StoreError::Statement`], [`StoreError::Sealed`].
    pub async fn list_bulks(&self, asked_by: &str, page: &PageRequest) -> Result<Page<BulkRow>, StoreError> {
        let mut wanted = Where::new();
        wanted.equals("asked_by", Some(asked_by));
        self.list(&Listing::newest("bulk", COLUMNS, "created_ms"), wanted, page, |row| read(self, row)).await
    }

    /// The ids of those that are not at their end, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn running_bulks(&self) -> Result<Vec<String>, StoreError> {
        let rows = self.rows("SELECT id FROM bulk WHERE state = 'running' ORDER BY created_ms, id", values![]).await?;
        rows.iter().map(|row| get(row, "id")).collect()
    }

    /// How many of it are in each state.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn bulk_counts(&self, id: &str) -> Result<Vec<(ItemState, u64)>, StoreError> {
        let sql = "SELECT state, COUNT(*) AS many FROM bulk_item WHERE bulk_id = ? GROUP BY state";
        let rows = self.rows(sql, values![id]).await?;
        rows.iter().map(|row| Ok((get_word(row, "state")?, get_count(row, "many")?))).collect()
    }

    /// The first `limit` of it in this state, in their order.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Sealed`].
    pub async fn bulk_items(&self, id: &str, state: ItemState, limit: u32) -> Result<Vec<BulkItem>, StoreError> {
        let sql = format!("SELECT {ITEM} FROM bulk_item WHERE bulk_id = ? AND state = ? ORDER BY place LIMIT ?");
        let rows = self.rows(&sql, values![id, word(&state), i64::from(limit)]).await?;
        rows.iter().map(|row| read_item(self, id, row)).collect()
    }
}

impl Tx {
    /// Adds an act on many, with all that it is on.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn add_bulk(&self, new: &NewBulk) -> Result<(), StoreError> {
        let sql = "INSERT INTO bulk (id, act, asked_by, scope_kind, scope_id, body, state, created_ms, total) \
                   VALUES (?, ?, ?, ?, ?, ?, 'running', ?, ?)";
        let row = values![
            new.id.as_str(),
            new.act.as_str(),
            new.asked_by.as_str(),
            new.scope.kind.as_str(),
            new.scope.id.clone(),
            self.sealer().seal(&body_row(&new.id), new.body.to_string().as_bytes()),
            new.at.0,
            i64::try_from(new.targets.len()).unwrap_or(i64::MAX),
        ];
        self.execute(sql, row).await?;
        for (at, part) in new.targets.chunks(ROWS_AT_ONCE).enumerate() {
            let sql = format!(
                "INSERT INTO bulk_item (bulk_id, place, target, version, state) VALUES {}",
                rows_of_marks(part.len(), 5)
            );
            let mut row = Vec::with_capacity(part.len() * 5);
            for (within, (target, version)) in part.iter().enumerate() {
                let place = i64::try_from(at * ROWS_AT_ONCE + within).unwrap_or(i64::MAX);
                let version = version.and_then(|version| i64::try_from(version).ok());
                row.extend(values![new.id.as_str(), place, target.as_str(), version, "waiting"]);
            }
            self.execute(&sql, row).await?;
        }
        Ok(())
    }

    /// Notes how one of it ended.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn end_bulk_item(&self, id: &str, place: i64, end: &ItemEnd) -> Result<(), StoreError> {
        let (state, code, sentence) = match end {
            Ok(()) => (ItemState::Done, None, None),
            Err((code, sentence)) => {
                let sealed = self.sealer().seal(&sentence_row(id, place), sentence.as_bytes());
                (ItemState::Refused, Some(code.clone()), Some(sealed))
            }
        };
        let sql = "UPDATE bulk_item SET state = ?, code = ?, sentence = ? WHERE bulk_id = ? AND place = ?";
        self.execute(sql, values![word(&state), code, sentence, id, place]).await.map(drop)
    }

    /// Notes that nothing of it is left to be done.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn end_bulk(&self, id: &str, now: UnixMillis) -> Result<(), StoreError> {
        let sql = "UPDATE bulk SET state = 'done', done_ms = ? WHERE id = ? AND state = 'running'";
        self.execute(sql, values![now.0, id]).await.map(drop)
    }

    /// Forgets those that came to their end before `now - kept`; how many rows.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn purge_bulks(&self, kept: Millis, now: UnixMillis) -> Result<u64, StoreError> {
        let before = (now - kept).0;
        let items =
            "DELETE FROM bulk_item WHERE bulk_id IN (SELECT id FROM bulk WHERE state = 'done' AND created_ms < ?)";
        let items = self.execute(items, values![before]).await?;
        Ok(items + self.execute("DELETE FROM bulk WHERE state = 'done' AND created_ms < ?", values![before]).await?)
    }
}
