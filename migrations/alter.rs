// SPDX-License-Identifier: Apache-2.0

//! A table that gets columns and indexes later, as data. New columns may be NULL: rows that an older version still writes have nothing there.

use sea_orm_migration::prelude::{DbErr, MigrationName, MigrationTrait, SchemaManager};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

use crate::table::{Column, Columns, column, index_name};

/// What changes about a table.
pub(crate) struct Alteration {
    pub(crate) table: &'static str,
    pub(crate) columns: &'static [Column],
    pub(crate) indexes: &'static [Columns],
    /// Indexes that nothing asks for any more, by their columns.
    pub(crate) without: &'static [Columns],
}

/// The migration that makes one alteration: its name for ever, and the alteration.
pub(crate) struct AlterTable(pub(crate) &'static str, pub(crate) &'static Alteration);

impl MigrationName for AlterTable {
    fn name(&self) -> &str {
        self.0
    }
}

#[async_trait::async_trait]
impl MigrationTrait for AlterTable {
    /// Each step looks first whether it was made before: MySQL cannot roll DDL back, so a crash may have left some of them.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let (connection, database) = (manager.get_connection(), manager.get_database_backend());
        let Alteration { table, columns, indexes, without } = self.1;
        for new in *columns {
            if !manager.has_column(table, new.name()).await? {
                let sql = format!("ALTER TABLE {table} ADD COLUMN {}", column(new, database));
                connection.execute_unprepared(&sql).await?;
            }
        }
        for columns in *indexes {
            let name = index_name(table, columns);
            if !manager.has_index(table, &name).await? {
                let sql = format!("CREATE INDEX {name} ON {table} ({})", columns.join(", "));
                connection.execute_unprepared(&sql).await?;
            }
        }
        for columns in *without {
            let name = index_name(table, columns);
            if manager.has_index(table, &name).await? {
                connection.execute_unprepared(&drop_index(table, &name, database)).await?;
            }
        }
        Ok(())
    }
}

pub(crate) fn drop_index(table: &str, name: &str, database: DbBackend) -> String {
    match database {
        DbBackend::MySql => format!("DROP INDEX {name} ON {table}"),
        _ => format!("DROP INDEX {name}"),
    }
}
