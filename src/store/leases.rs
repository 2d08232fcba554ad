//! Named singletons: of several instances, one runs a schedule.

use ticketbridge_core::{Millis, UnixMillis};

use crate::dialect::values;
use crate::error::StoreError;
use crate::seal::random_token;
use crate::tx::Tx;

/// Proof of holding a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseToken(String);

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
            crate::dialect::Query::dialect(self).unless_exists("name")
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
