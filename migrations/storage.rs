// SPDX-License-Identifier: Apache-2.0

//! How a table's rows are stored, where the database lets us say so: PostgreSQL alone.

use sea_orm_migration::prelude::{DbErr, MigrationName, MigrationTrait, SchemaManager};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

/// A parameter of a table.
pub(crate) struct Storage {
    pub(crate) table: &'static str,
    pub(crate) parameter: &'static str,
}

/// The migration that sets one: its name for ever, and the parameter.
pub(crate) struct Store(pub(crate) &'static str, pub(crate) &'static Storage);

impl MigrationName for Store {
    fn name(&self) -> &str {
        self.0
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Store {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() != DbBackend::Postgres {
            return Ok(());
        }
        let Storage { table, parameter } = self.1;
        let statement = format!("ALTER TABLE {table} SET ({parameter})");
        manager.get_connection().execute_unprepared(&statement).await.map(drop)
    }
}
