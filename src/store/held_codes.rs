// SPDX-License-Identifier: Apache-2.0

//! What is given out once: a ticket's code, a back-end's number of a reservation. Each is one row, by its keyed hash, so that no two
//! orders hold it whatever happens at the same moment.

use std::collections::BTreeSet;

use ticketbridge_core::OrderId;

use crate::buffer::{HELD_CODE, key_text};
use crate::dialect::{Query, get, marks, padded, text_of, values};
use crate::error::StoreError;
use crate::seal::Sealer;
use crate::tx::Tx;

/// What keeps hashes of codes apart from hashes of other things.
const HELD: &str = "held";

/// The hash of something that is given out once: within `scope`, of this `kind`.
pub fn held_hash(sealer: &Sealer, scope: &str, kind: &str, text: &str) -> String {
    sealer.keyed_hash(HELD, &format!("{scope}\u{1f}{kind}\u{1f}{text}"))
}

impl Tx {
    /// For each hash, in order, the order that holds it; not locked.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn holders(&self, hashes: &[String]) -> Result<Vec<Option<OrderId>>, StoreError> {
        let unseen = |hash: &&String| self.see(&HELD_CODE, &key_text(&[hash])).is_none();
        let asked: Vec<String> = hashes.iter().filter(unseen).cloned().collect();
        if !asked.is_empty() {
            self.read_holders(&asked, "").await?;
        }
        hashes.iter().map(|hash| self.holder(hash)).collect()
    }

    /// Makes these an order's. What another order held must be known to be void there.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when somebody else has been quicker.
    pub async fn hold_codes(&self, order: &OrderId, hashes: &[String]) -> Result<(), StoreError> {
        let mut seen = BTreeSet::new();
        for (hash, holder) in hashes.iter().zip(self.holders(hashes).await?) {
            // An order of an older version may have one code twice.
            if !seen.insert(hash) {
                continue;
            }
            match holder {
                Some(holder) if holder == *order => {}
                None => self.keep(&HELD_CODE, values![hash.as_str(), order.as_str()])?,
                Some(holder) => {
                    // Two may find it void at the same moment.
                    self.check_late_lock()?;
                    self.read_holders(std::slice::from_ref(hash), self.dialect().for_update()).await?;
                    if self.holder(hash)? != Some(holder) {
                        return Err(self.duplicate());
                    }
                    self.change(&HELD_CODE, values![hash.as_str(), order.as_str()])?;
                }
            }
        }
        Ok(())
    }

    fn holder(&self, hash: &str) -> Result<Option<OrderId>, StoreError> {
        let row = self.see(&HELD_CODE, &key_text(&[hash])).flatten();
        row.map(|row| text_of(&row, HELD_CODE.at("order_id")).map(OrderId)).transpose()
    }

    pub(crate) async fn read_holders(&self, hashes: &[String], lock: &str) -> Result<(), StoreError> {
        let keys = padded(hashes.iter().map(|hash| hash.as_str().into()));
        let sql =
            format!("SELECT hash, order_id FROM held_code WHERE hash IN ({}) ORDER BY hash{lock}", marks(keys.len()));
        let mut found = Vec::new();
        for row in &self.rows_stored(&sql, keys).await? {
            found.push((get::<String>(row, "hash")?, get::<String>(row, "order_id")?));
        }
        let mut buffer = self.buffer();
        for hash in hashes {
            let holder = found.iter().find(|(known, _)| known == hash);
            let row = holder.map(|(hash, order)| values![hash.as_str(), order.as_str()]);
            buffer.note_read(&HELD_CODE, key_text(&[hash]), row);
        }
        Ok(())
    }
}
