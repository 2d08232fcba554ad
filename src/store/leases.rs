//! Named singletons: of several instances, one runs a schedule.

use sea_orm::DbBackend;
use ticketbridge_core::{Millis, UnixMillis};

use crate::connect::Store;
use crate::dialect::{Query, get, values};
use crate::error::StoreError;
use crate::seal::random_token;
use crate::tx::Tx;

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

    /// Gives a lease back; whether it was still held with this token.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn release_lease(&self, name: &str, token: &LeaseToken) -> Result<bool, StoreError> {
        let sql = "UPDATE lease SET holder = '', token = '', until_ms = 0 WHERE name = ? AND token = ?";
        Ok(self.execute(sql, values![name, token.0.as_str()]).await? == 1)
    }
}
