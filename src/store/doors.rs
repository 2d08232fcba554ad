// SPDX-License-Identifier: Apache-2.0

//! From where partners may call: each network of a connection with the time from which it holds and until when.

use ticketbridge_core::{Millis, UnixMillis};

use crate::connect::Store;
use crate::dialect::{Query, get, values};
use crate::error::StoreError;
use crate::tx::Tx;

/// A network from which a connection's partner may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoorRow {
    /// The channel or back-end.
    pub connection: String,
    /// The network, as a CIDR.
    pub network: String,
    /// Time from a change of it until that takes effect.
    pub propagation: Millis,
    /// When it was saved.
    pub saved_at: UnixMillis,
    /// From when it may be called from there.
    pub opens_at: UnixMillis,
    /// Until when.
    pub closes_at: Option<UnixMillis>,
}

async fn doors(query: &impl Query, lock: &str) -> Result<Vec<DoorRow>, StoreError> {
    let sql = format!(
        "SELECT connection, network, propagation_ms, saved_ms, opens_ms, closes_ms FROM door ORDER BY connection, network{lock}"
    );
    let rows = query.rows(&sql, values![]).await?;
    rows.iter()
        .map(|row| {
            Ok(DoorRow {
                connection: get(row, "connection")?,
                network: get(row, "network")?,
                propagation: Millis(get(row, "propagation_ms")?),
                saved_at: UnixMillis(get(row, "saved_ms")?),
                opens_at: UnixMillis(get(row, "opens_ms")?),
                closes_at: get::<Option<i64>>(row, "closes_ms")?.map(UnixMillis),
            })
        })
        .collect()
}

impl Store {
    /// All of them.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn doors(&self) -> Result<Vec<DoorRow>, StoreError> {
        doors(self, "").await
    }
}

impl Tx {
    /// All of them, locked until the end of the transaction.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn lock_doors(&self) -> Result<Vec<DoorRow>, StoreError> {
        doors(self, self.dialect().for_update()).await
    }

    /// Keeps one, in the place of what was known of this network.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when another instance keeps it at the same moment: then it is run again.
    pub async fn put_door(&self, door: &DoorRow) -> Result<(), StoreError> {
        let key = values![door.connection.as_str(), door.network.as_str()];
        self.execute("DELETE FROM door WHERE connection = ? AND network = ?", key).await?;
        let sql = "INSERT INTO door (connection, network, propagation_ms, saved_ms, opens_ms, closes_ms) VALUES (?, ?, ?, ?, ?, ?)";
        let row = values![
            door.connection.as_str(),
            door.network.as_str(),
            door.propagation.0,
            door.saved_at.0,
            door.opens_at.0,
            door.closes_at.map(|at| at.0),
        ];
        self.execute(sql, row).await.map(drop)
    }
}
