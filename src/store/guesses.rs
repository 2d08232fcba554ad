// SPDX-License-Identifier: Apache-2.0

//! Wrong tries at passwords and codes, counted where every instance sees them.

use ticketbridge_core::{Millis, UnixMillis};

use crate::connect::Store;
use crate::dialect::{Query, get, marks, values};
use crate::error::StoreError;
use crate::tx::Tx;

/// What a key was made of is not kept.
const GUESS: &str = "guess";

/// Wrong tries of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guesses {
    /// How many in a row.
    pub count: u32,
    /// When the last was made.
    pub last: UnixMillis,
}

impl Store {
    /// The wrong tries under each of these keys, in their order.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn guesses(&self, keys: &[String]) -> Result<Vec<Option<Guesses>>, StoreError> {
        let hashes: Vec<String> = keys.iter().map(|key| self.sealer().keyed_hash(GUESS, key)).collect();
        let sql = format!("SELECT key_hash, tries, last_ms FROM guess WHERE key_hash IN ({})", marks(hashes.len()));
        let rows = self.rows(&sql, hashes.iter().map(|hash| hash.as_str().into()).collect()).await?;
        let mut found = vec![None; keys.len()];
        for row in &rows {
            let hash: String = get(row, "key_hash")?;
            let guesses = Guesses {
                count: u32::try_from(get::<i64>(row, "tries")?).unwrap_or(u32::MAX),
                last: UnixMillis(get(row, "last_ms")?),
            };
            for (known, found) in hashes.iter().zip(&mut found) {
                if *known == hash {
                    *found = Some(guesses);
                }
            }
        }
        Ok(found)
    }
}

impl Tx {
    /// Counts a wrong try under each of these keys. Where none was counted for `forgotten_after`, counting begins anew.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn count_guess(
        &self,
        keys: &[String],
        forgotten_after: Millis,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        let mut hashes: Vec<String> = keys.iter().map(|key| self.sealer().keyed_hash(GUESS, key)).collect();
        // In one order everywhere: two who count at once do not wait for each other.
        hashes.sort();
        for hash in hashes {
            let make = format!(
                "INSERT INTO guess (key_hash, tries, last_ms) VALUES (?, 0, ?){}",
                self.dialect().unless_exists("key_hash")
            );
            self.execute(&make, values![hash.as_str(), now.0]).await?;
            let fresh = "UPDATE guess SET tries = 0 WHERE key_hash = ? AND last_ms <= ?";
            self.execute(fresh, values![hash.as_str(), (now - forgotten_after).0]).await?;
            let count = "UPDATE guess SET tries = tries + 1, last_ms = ? WHERE key_hash = ?";
            self.execute(count, values![now.0, hash]).await?;
        }
        Ok(())
    }

    /// Takes what may be tried only once; `false` where somebody has tried it. That is known for as long as wrong tries are.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn take_once(&self, key: &str, now: UnixMillis) -> Result<bool, StoreError> {
        let hash = self.sealer().keyed_hash(GUESS, key);
        let make = format!(
            "INSERT INTO guess (key_hash, tries, last_ms) VALUES (?, 0, ?){}",
            self.dialect().unless_exists("key_hash")
        );
        self.execute(&make, values![hash.as_str(), now.0]).await?;
        let take = "UPDATE guess SET tries = 1 WHERE key_hash = ? AND tries = 0";
        Ok(self.execute(take, values![hash]).await? == 1)
    }

    /// Forgets the wrong tries under a key.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn forget_guesses(&self, key: &str) -> Result<(), StoreError> {
        let hash = self.sealer().keyed_hash(GUESS, key);
        self.execute("DELETE FROM guess WHERE key_hash = ?", values![hash]).await.map(drop)
    }

    /// Takes back one wrong try that was counted under a key.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn uncount_guess(&self, key: &str) -> Result<(), StoreError> {
        let hash = self.sealer().keyed_hash(GUESS, key);
        let sql = "UPDATE guess SET tries = tries - 1 WHERE key_hash = ? AND tries > 0";
        self.execute(sql, values![hash]).await.map(drop)
    }

    /// Forgets wrong tries that were made before `before`; how many.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn purge_guesses(&self, before: UnixMillis) -> Result<u64, StoreError> {
        self.execute("DELETE FROM guess WHERE last_ms < ?", values![before.0]).await
    }
}
