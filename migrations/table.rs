// SPDX-License-Identifier: Apache-2.0

//! A table as data, and its DDL for each database. What cannot be said here is not portable and does not exist:
//! defaults, expression and partial indexes, enums, JSON columns, database time.

use sea_orm_migration::prelude::{DbErr, MigrationName, MigrationTrait, SchemaManager};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

/// What a column holds.
#[derive(Clone, Copy)]
enum Kind {
    /// Short text of at most so many characters. Hashes too: PostgreSQL would not use an index on CHAR for a
    /// parameter of type TEXT.
    Short(u16),
    /// Text without a limit of ours.
    Long,
    /// A count, an amount of minor units, or milliseconds.
    Whole,
    /// 0 or 1.
    Flag,
}

/// A column.
#[derive(Clone, Copy)]
pub(crate) struct Column {
    name: &'static str,
    kind: Kind,
    nullable: bool,
}

impl Column {
    /// The same column, which may be NULL.
    pub(crate) const fn null(self) -> Self {
        Self { nullable: true, ..self }
    }
    /// Its name.
    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }
}

/// Short text of at most `max` characters.
pub(crate) const fn short(name: &'static str, max: u16) -> Column {
    Column { name, kind: Kind::Short(max), nullable: false }
}
/// An identifier of ours, a state, or the name of something configured.
pub(crate) const fn word(name: &'static str) -> Column {
    short(name, 128)
}
/// SHA-256 or HMAC-SHA-256 in lower-case hex.
pub(crate) const fn hash(name: &'static str) -> Column {
    short(name, 64)
}
/// A date, `YYYY-MM-DD`.
pub(crate) const fn date(name: &'static str) -> Column {
    short(name, 10)
}
/// Text without a limit of ours.
pub(crate) const fn text(name: &'static str) -> Column {
    Column { name, kind: Kind::Long, nullable: false }
}
/// A count, an amount of minor units, or milliseconds.
pub(crate) const fn whole(name: &'static str) -> Column {
    Column { name, kind: Kind::Whole, nullable: false }
}
/// 0 or 1.
pub(crate) const fn flag(name: &'static str) -> Column {
    Column { name, kind: Kind::Flag, nullable: false }
}

/// Columns that are searched together, in this order.
pub(crate) type Columns = &'static [&'static str];

/// A table with its keys.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [Column],
    pub(crate) primary: Columns,
    pub(crate) unique: &'static [Columns],
    pub(crate) indexes: &'static [Columns],
}

impl Table {
    /// The statements that make this table and its indexes unless they exist: one on MySQL, several elsewhere.
    fn ddl(&self, database: DbBackend) -> Vec<String> {
        let inline = database == DbBackend::MySql;
        let mut lines: Vec<String> = self.columns.iter().map(|c| column(c, database)).collect();
        lines.push(format!("PRIMARY KEY ({})", self.primary.join(", ")));
        let keys = self.unique.iter().map(|c| ("UNIQUE ", *c)).chain(self.indexes.iter().map(|c| ("", *c)));
        let mut after = Vec::new();
        for (unique, columns) in keys {
            let (name, list) = (index_name(self.name, columns), columns.join(", "));
            if inline {
                lines.push(format!("{unique}KEY {name} ({list})"));
            } else {
                after.push(format!("CREATE {unique}INDEX IF NOT EXISTS {name} ON {} ({list})", self.name));
            }
        }
        let options = if inline { " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin" } else { "" };
        let table = format!("CREATE TABLE IF NOT EXISTS {} ({}){options}", self.name, lines.join(", "));
        std::iter::once(table).chain(after).collect()
    }
}

/// What an index on these columns is called.
pub(crate) fn index_name(table: &str, columns: Columns) -> String {
    format!("ix_{table}_{}", columns.join("_"))
}

/// A column as DDL writes it.
pub(crate) fn column(column: &Column, database: DbBackend) -> String {
    let kind = match column.kind {
        Kind::Short(max) => format!("VARCHAR({max})"),
        // MySQL's TEXT ends at 64 KiB; a sealed body can have 1.4 MiB.
        Kind::Long if database == DbBackend::MySql => "LONGTEXT".to_owned(),
        Kind::Long => "TEXT".to_owned(),
        Kind::Whole => "BIGINT".to_owned(),
        Kind::Flag => "SMALLINT".to_owned(),
    };
    format!("{} {kind}{}", column.name, if column.nullable { " NULL" } else { " NOT NULL" })
}

/// The migration that makes one table: its name for ever, and the table.
pub(crate) struct CreateTable(pub(crate) &'static str, pub(crate) &'static Table);

impl MigrationName for CreateTable {
    fn name(&self) -> &str {
        self.0
    }
}

#[async_trait::async_trait]
impl MigrationTrait for CreateTable {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        for statement in self.1.ddl(manager.get_database_backend()) {
            connection.execute_unprepared(&statement).await?;
        }
        Ok(())
    }
}

/// The migration that gives a released table one column more.
pub(crate) struct AddColumn {
    pub(crate) name: &'static str,
    pub(crate) table: &'static str,
    pub(crate) column: Column,
}

impl MigrationName for AddColumn {
    fn name(&self) -> &str {
        self.name
    }
}

#[async_trait::async_trait]
impl MigrationTrait for AddColumn {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Not every database knows ADD COLUMN IF NOT EXISTS, and a crash may have come between the column and its note.
        if manager.has_column(self.table, self.column.name).await? {
            return Ok(());
        }
        let column = column(&self.column, manager.get_database_backend());
        let statement = format!("ALTER TABLE {} ADD COLUMN {column}", self.table);
        manager.get_connection().execute_unprepared(&statement).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static SAMPLE: Table = Table {
        name: "sample",
        columns: &[word("id"), text("body").null(), flag("live"), whole("at_ms"), hash("digest")],
        primary: &["id"],
        unique: &[&["digest"]],
        indexes: &[&["live", "at_ms"]],
    };

    #[test]
    fn mysql_gets_one_statement_with_everything_in_it() {
        let ddl = SAMPLE.ddl(DbBackend::MySql);
        assert_eq!(ddl.len(), 1);
        assert!(ddl[0].contains("UNIQUE KEY ix_sample_digest (digest)"), "{ddl:?}");
        assert!(ddl[0].contains("body LONGTEXT NULL"), "{ddl:?}");
        assert!(ddl[0].ends_with("COLLATE=utf8mb4_bin"), "{ddl:?}");
    }

    #[test]
    fn the_others_get_their_indexes_one_by_one() {
        for database in [DbBackend::Sqlite, DbBackend::Postgres] {
            let ddl = SAMPLE.ddl(database);
            assert_eq!(ddl.len(), 3);
            assert!(ddl.iter().all(|s| s.contains("IF NOT EXISTS")), "{ddl:?}");
        }
    }

    #[test]
    fn no_name_is_longer_than_postgresql_takes() {
        for (name, table) in crate::STEPS {
            assert!(name.len() <= 63);
            for columns in table.unique.iter().chain(table.indexes) {
                let name = index_name(table.name, columns);
                assert!(name.len() <= 63, "{name}");
            }
        }
        for (name, alteration) in crate::ALTERATIONS {
            assert!(name.len() <= 63);
            for columns in alteration.indexes {
                let name = index_name(alteration.table, columns);
                assert!(name.len() <= 63, "{name}");
            }
        }
        for (name, reindexing) in crate::REINDEXED {
            assert!(name.len() <= 63);
            for part in reindexing.parts {
                let name = part.full_name(reindexing.table);
                assert!(name.len() <= 63, "{name}");
            }
        }
    }
}
