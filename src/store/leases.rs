// SPDX-License-Identifier: Apache-2.0

//! Named singletons: of several instances, one runs a schedule.

use sea_orm::DbBackend;
use ticketbridge_core::{Millis, UnixMillis};

use crate::connect::Store;
use crate::dialect::{Query, get, values};
use crate::error::StoreError;
use crate::seal::random_token;
use crate::tx::Tx;

/// How the names of running instances begin.
const INSTANCE: &str = "instance/";
/// How the names begin of those that find rules which are stored apart.
const READS_RULES: &str = "reads_rules/";
/// Instances that are gone are forgotten after this.
const GONE_KEPT: Millis = Millis::hours(24);

/// A running instance, and what it says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// What it says: the data keys that it holds.
    pub says: String,
}

/// Proof of holding a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseToken(String);

impl Store {
    /// The database's time, by which all its instances judge leases and due times; `None` on SQLite, which has none of its own.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn database_time(&self) -> Result<Option<UnixMillis>, StoreError> {
        let time = match self.dialect().0 {
            DbBackend::Postgres => "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
            DbBackend::MySql => "CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)",
            _ => return Ok(None),
        };
        let row = self.row(&format!("SELECT {time} AS at_ms"), values![]).await?;
        row.map(|row| Ok(UnixMillis(get(&row, "at_ms")?))).transpose()
    }
}

impl Tx {
    /// Takes the lease `name` until `now + ttl`, or renews it for the same `holder`; `None` when another holds it.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn try_lease(
        &self,
        name: &str,
        holder: &str,
        ttl: Millis,
        now: UnixMillis,
    ) -> Result<Option<LeaseToken>, StoreError> {
        let token = random_token();
        let make = format!(
            "INSERT INTO lease (name, holder, token, until_ms) VALUES (?, '', '', 0){}",
            self.dialect().unless_exists("name")
        );
        self.execute(&make, values![name]).await?;
        let changed = self
            .execute(
                "UPDATE lease SET holder = ?, token = ?, until_ms = ? WHERE name = ? AND (until_ms <= ? OR holder = ?)",
                values![holder, token.as_str(), (now + ttl).0, name, now.0, holder],
            )
            .await?;
        Ok((changed == 1).then_some(LeaseToken(token)))
    }

    /// Notes that an instance runs until `now + ttl` at least, and what it says of itself, 64 characters at most.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn note_instance(&self, name: &str, says: &str, ttl: Millis, now: UnixMillis) -> Result<(), StoreError> {
        for (kind, says) in [(INSTANCE, says), (READS_RULES, "")] {
            let name = format!("{kind}{name}");
            let make = format!(
                "INSERT INTO lease (name, holder, token, until_ms) VALUES (?, '', '', 0){}",
                self.dialect().unless_exists("name")
            );
            self.execute(&make, values![name.as_str()]).await?;
            let sql = "UPDATE lease SET holder = ?, until_ms = ? WHERE name = ?";
            self.execute(sql, values![says, (now + ttl).0, name]).await?;
            let gone = "DELETE FROM lease WHERE name LIKE ? AND until_ms < ?";
            self.execute(gone, values![format!("{kind}%"), (now - GONE_KEPT).0]).await?;
        }
        Ok(())
    }

    /// An instance ends.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn forget_instance(&self, name: &str) -> Result<(), StoreError> {
        let names = [INSTANCE, READS_RULES].map(|kind| format!("{kind}{name}").into());
        self.execute("DELETE FROM lease WHERE name IN (?, ?)", names.into()).await.map(drop)
    }

    /// Gives a lease back; whether it was still held with this token.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn release_lease(&self, name: &str, token: &LeaseToken) -> Result<bool, StoreError> {
        let sql = "UPDATE lease SET holder = '', token = '', until_ms = 0 WHERE name = ? AND token = ?";
        Ok(self.execute(sql, values![name, token.0.as_str()]).await? == 1)
    }
}

impl Store {
    /// The instances that run now, as far as the database knows.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn instances(&self, now: UnixMillis) -> Result<Vec<Instance>, StoreError> {
        let sql = "SELECT name, holder FROM lease WHERE name LIKE ? AND until_ms > ? ORDER BY name";
        let rows = self.rows(sql, values![format!("{INSTANCE}%"), now.0]).await?;
        let read = |row: &sea_orm::QueryResult| -> Result<Instance, StoreError> {
            let name: String = get(row, "name")?;
            let name = name.strip_prefix(INSTANCE).unwrap_or(&name).to_owned();
            Ok(Instance { name, says: get(row, "holder")? })
        };
        rows.iter().map(read).collect()
    }

    /// Whether every instance that runs now finds rules which are stored apart: an older version does not say so.
    pub(crate) async fn all_read_rules_apart(&self, now: UnixMillis) -> Result<bool, StoreError> {
        let sql = "SELECT name FROM lease WHERE (name LIKE ? OR name LIKE ?) AND until_ms > ?";
        let rows = self.rows(sql, values![format!("{INSTANCE}%"), format!("{READS_RULES}%"), now.0]).await?;
        let names: Vec<String> = rows.iter().map(|row| get(row, "name")).collect::<Result<_, _>>()?;
        let says_so = |name: &str| names.iter().any(|other| other.strip_prefix(READS_RULES) == Some(name));
        Ok(names.iter().filter_map(|name| name.strip_prefix(INSTANCE)).all(says_so))
    }
}
