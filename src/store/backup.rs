// SPDX-License-Identifier: Apache-2.0

//! A copy of an SQLite database while a service works on it, and what a database holds, for comparing two of them.

use std::path::Path;
use std::sync::Arc;

use sea_orm::{ConnectionTrait as _, DbBackend};
use sea_orm_migration::MigratorTrait as _;
use ticketbridge_migrations::Migrator;

use crate::connect::Store;
use crate::dialect::{Query as _, get, values};
use crate::error::StoreError;
use crate::files;
use crate::growth::TABLES;

/// What stands between a database's schema and this program's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SchemaGap {
    /// Migrations of this program that the database has not had.
    pub pending: Vec<String>,
    /// Migrations that the database has had and this program does not know: it was used by a newer version.
    pub unknown: Vec<String>,
}

impl Store {
    /// Writes a copy of this SQLite database to `target`, as it is at one moment; those who write go on meanwhile. The copy appears under its
    /// name once all of it is on the disk, and is for nobody else to read. Its size, bytes.
    ///
    /// # Errors
    /// [`StoreError::NoFile`] for a database of a server, [`StoreError::Exists`] when something has that name, [`StoreError::DiskFull`],
    /// [`StoreError::Folder`], [`StoreError::Statement`].
    pub async fn back_up(&self, target: &Path) -> Result<u64, StoreError> {
        if self.file().is_none() {
            return Err(StoreError::NoFile);
        }
        if target.exists() {
            return Err(StoreError::Exists { file: target.to_owned() });
        }
        let partial = files::beside(target, ".partial");
        drop(std::fs::remove_file(&partial));
        let copied = self.copy_into(&partial).await;
        let placed = match copied {
            Ok(()) => files::give_name(&partial, target),
            Err(error) if files::unwritable(target).is_some_and(|why| why.contains("full")) => {
                drop(error);
                Err(StoreError::DiskFull { file: target.to_owned() })
            }
            Err(error) => Err(error),
        };
        if placed.is_err() {
            drop(std::fs::remove_file(&partial));
        }
        placed
    }

    async fn copy_into(&self, partial: &Path) -> Result<(), StoreError> {
        // An empty file of ours: the copy gets its rights, and not those that the process happens to give.
        files::make(partial)?;
        let name = partial.to_str().ok_or_else(|| {
            let error = std::io::Error::new(std::io::ErrorKind::InvalidInput, "the file's name is no UTF-8");
            StoreError::Folder(Arc::new(error))
        })?;
        let connection = self.unhurried().await.map_err(StoreError::Statement)?;
        let copied = connection.execute_unprepared(&format!("VACUUM INTO '{}'", name.replace('\'', "''"))).await;
        drop(tokio::time::timeout(self.0.address.limits().close, connection.close_by_ref()).await);
        copied.map(drop).map_err(StoreError::Statement)
    }

    /// What stands between this database's schema and the program's.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::TryLater`], [`StoreError::Unreachable`].
    pub async fn schema_gap(&self) -> Result<SchemaGap, StoreError> {
        let known: Vec<String> = Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect();
        let applied = match self.rows("SELECT version FROM seaql_migrations ORDER BY version", values![]).await {
            Ok(rows) => rows.iter().map(|row| get::<String>(row, "version")).collect::<Result<Vec<_>, _>>()?,
            // An empty database.
            Err(StoreError::Statement(error)) if error.to_string().contains("seaql_migrations") => Vec::new(),
            Err(other) => return Err(other),
        };
        let missing_in = |these: &[String], those: &[String]| -> Vec<String> {
            these.iter().filter(|name| !those.contains(name)).cloned().collect()
        };
        Ok(SchemaGap { pending: missing_in(&known, &applied), unknown: missing_in(&applied, &known) })
    }

    /// How many rows each table has, in the order of [`TABLES`]; tables that are not there yet are left out.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::TryLater`], [`StoreError::Unreachable`].
    pub async fn row_counts(&self) -> Result<Vec<(&'static str, u64)>, StoreError> {
        let mut counts = Vec::new();
        for (table, _) in TABLES {
            match self.row(&format!("SELECT COUNT(*) AS n FROM {table}"), values![]).await {
                Ok(Some(row)) => counts.push((*table, u64::try_from(get::<i64>(&row, "n")?).unwrap_or(0))),
                Ok(None) => {}
                Err(StoreError::Statement(error)) if error.to_string().contains(table) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(counts)
    }

    /// Looks through the whole of an SQLite file; what is wrong with it, in SQLite's words. Databases of a server look after themselves.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn damage(&self) -> Result<Option<String>, StoreError> {
        if self.dialect().0 != DbBackend::Sqlite {
            return Ok(None);
        }
        let connection = self.unhurried().await.map_err(StoreError::Statement)?;
        let statement = sea_orm::Statement::from_string(DbBackend::Sqlite, "PRAGMA integrity_check(1)");
        let found = connection.query_one_raw(statement).await;
        drop(tokio::time::timeout(self.0.address.limits().close, connection.close_by_ref()).await);
        let row = found.map_err(StoreError::Statement)?.ok_or(StoreError::Column("integrity_check"))?;
        let said: String = get(&row, "integrity_check")?;
        Ok((said != "ok").then_some(said))
    }
}
