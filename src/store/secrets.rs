// SPDX-License-Identifier: Apache-2.0

//! Secrets that instances share: sealed, each under a name.

use crate::connect::Store;
use crate::dialect::{Query, get, values};
use crate::error::StoreError;
use crate::tx::Tx;

fn row(name: &str) -> String {
    format!("secret/{name}")
}

impl Store {
    /// The secret of this name. One that no key opens any more counts as none: it is made anew.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn kept_secret(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.row("SELECT sealed FROM secret WHERE name = ?", values![name]).await?;
        let Some(found) = found else { return Ok(None) };
        Ok(self.sealer().open(&row(name), &get::<String>(&found, "sealed")?).ok())
    }
}

impl Tx {
    /// Keeps a secret under a name, in the place of the one before.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn keep_secret(&self, name: &str, secret: &[u8]) -> Result<(), StoreError> {
        let sealed = self.sealer().seal(&row(name), secret);
        let changed =
            self.execute("UPDATE secret SET sealed = ? WHERE name = ?", values![sealed.as_str(), name]).await?;
        if changed == 0 {
            self.execute("INSERT INTO secret (name, sealed) VALUES (?, ?)", values![name, sealed]).await?;
        }
        Ok(())
    }
}
