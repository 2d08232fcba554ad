// SPDX-License-Identifier: Apache-2.0

//! Which indexes a table has, changed later, as data: fewer, and narrower ones. What each is for stands in the store's list of indexes.
//!
//! MySQL has no indexes of a part of the rows. There the whole ones stay that others replace by parts.

use sea_orm_migration::prelude::{DbErr, MigrationName, MigrationTrait, SchemaManager};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

use crate::alter::drop_index;
use crate::table::{Columns, index_name};

/// An index of the rows that fulfil a condition. A query uses it when it names that condition, or compares a column that must not be NULL.
pub(crate) struct Part {
    /// What it is called behind the table's name.
    pub(crate) name: &'static str,
    pub(crate) columns: Columns,
    /// The condition.
    pub(crate) only: &'static str,
}

/// What changes about a table's indexes.
pub(crate) struct Reindexing {
    pub(crate) table: &'static str,
    /// Indexes of a part of the rows.
    pub(crate) parts: &'static [Part],
    /// Whole ones that those replace, by their columns.
    pub(crate) replaced: &'static [Columns],
    /// Indexes that nothing asks for any more, by their columns.
    pub(crate) without: &'static [Columns],
}

impl Part {
    /// What it is called.
    pub(crate) fn full_name(&self, table: &str) -> String {
        format!("ix_{table}_{}", self.name)
    }
}

/// The migration that makes one change: its name for ever, and the change.
pub(crate) struct Reindex(pub(crate) &'static str, pub(crate) &'static Reindexing);

impl MigrationName for Reindex {
    fn name(&self) -> &str {
        self.0
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Reindex {
    /// Each step looks first whether it was made before. The new indexes come before the old ones go, so that no query is without.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let (connection, database) = (manager.get_connection(), manager.get_database_backend());
        let Reindexing { table, parts, replaced, without } = self.1;
        let mut gone: Vec<Columns> = without.to_vec();
        if database != DbBackend::MySql {
            for part in *parts {
                let (name, columns) = (part.full_name(table), part.columns.join(", "));
                let sql = format!("CREATE INDEX IF NOT EXISTS {name} ON {table} ({columns}) WHERE {}", part.only);
                connection.execute_unprepared(&sql).await?;
            }
            gone.extend(*replaced);
        }
        for columns in gone {
            let name = index_name(table, columns);
            if manager.has_index(table, &name).await? {
                connection.execute_unprepared(&drop_index(table, &name, database)).await?;
            }
        }
        Ok(())
    }
}
