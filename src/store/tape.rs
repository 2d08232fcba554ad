// SPDX-License-Identifier: Apache-2.0

//! The recording: requests and calls as they were, sealed, in the order of their beginning.

use sea_orm::{QueryResult, Value};
use ticketbridge_core::UnixMillis;

use crate::connect::Store;
use crate::dialect::{Query, get, marks, values};
use crate::error::StoreError;
use crate::tx::Tx;

/// A piece of the recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapePiece {
    /// `tap_…`, rising with time.
    pub id: String,
    /// When it began.
    pub at: UnixMillis,
    /// What it was.
    pub content: Vec<u8>,
}

/// How the ids of pieces begin that tell of a run of the service.
pub const RUN_ID: &str = "run_";
/// Pieces written by one statement.
const PIECES_MAX: usize = 64;

fn row_of(id: &str) -> String {
    format!("tape/{id}")
}

impl Tx {
    /// Adds to the recording.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn tape(&self, pieces: &[TapePiece]) -> Result<(), StoreError> {
        for part in pieces.chunks(PIECES_MAX) {
            let row = format!("({})", marks(3));
            let rows = vec![row.as_str(); part.len()].join(", ");
            let sealed = |piece: &TapePiece| {
                let sealed = self.sealer().seal(&row_of(&piece.id), &piece.content);
                values![piece.id.as_str(), piece.at.0, sealed]
            };
            let all: Vec<Value> = part.iter().flat_map(sealed).collect();
            self.execute(&format!("INSERT INTO tape (id, at_ms, sealed) VALUES {rows}"), all).await?;
        }
        Ok(())
    }

    /// Deletes these pieces.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn forget_tape(&self, ids: &[String]) -> Result<(), StoreError> {
        for part in ids.chunks(PIECES_MAX) {
            let sql = format!("DELETE FROM tape WHERE id IN ({})", marks(part.len()));
            self.execute(&sql, part.iter().map(|id| Value::from(id.as_str())).collect()).await?;
        }
        Ok(())
    }

    /// Deletes what was recorded before `before`, `limit` pieces at most; how many that were.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn purge_tape(&self, before: UnixMillis, limit: u32) -> Result<u64, StoreError> {
        let sql = "SELECT id FROM tape WHERE at_ms < ? ORDER BY at_ms, id LIMIT ?";
        let found = self.rows(sql, values![before.0, i64::from(limit)]).await?;
        let ids: Vec<String> = found.iter().map(|row| get(row, "id")).collect::<Result<_, _>>()?;
        if ids.is_empty() {
            return Ok(0);
        }
        let sql = format!("DELETE FROM tape WHERE id IN ({})", marks(ids.len()));
        self.execute(&sql, ids.into_iter().map(Value::from).collect()).await
    }
}

impl Store {
    /// What was recorded from `from` (included) to `to`, after the piece `after`, `limit` pieces at most, the earliest first.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Sealed`].
    pub async fn read_tape(
        &self,
        (from, to): (UnixMillis, UnixMillis),
        after: Option<&TapePiece>,
        limit: u32,
    ) -> Result<Vec<TapePiece>, StoreError> {
        let (at, id) = after.map_or((from.0, ""), |piece| (piece.at.0, piece.id.as_str()));
        let sql = "SELECT id, at_ms, sealed FROM tape WHERE at_ms >= ? AND (at_ms > ? OR id > ?) AND at_ms < ? \
                   ORDER BY at_ms, id LIMIT ?";
        let rows = self.rows(sql, values![at, at, id, to.0, i64::from(limit)]).await?;
        rows.iter().map(|row| self.opened(row)).collect()
    }

    /// What is told of runs of the service.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Sealed`].
    pub async fn runs_on_tape(&self) -> Result<Vec<TapePiece>, StoreError> {
        let sql = "SELECT id, at_ms, sealed FROM tape WHERE id LIKE ? ORDER BY id";
        let rows = self.rows(sql, values![format!("{RUN_ID}%")]).await?;
        rows.iter().map(|row| self.opened(row)).collect()
    }

    fn opened(&self, row: &QueryResult) -> Result<TapePiece, StoreError> {
        let (id, sealed): (String, String) = (get(row, "id")?, get(row, "sealed")?);
        let content = self.sealer().open(&row_of(&id), &sealed)?;
        Ok(TapePiece { id, at: UnixMillis(get(row, "at_ms")?), content })
    }
}
