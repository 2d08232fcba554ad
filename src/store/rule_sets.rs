// SPDX-License-Identifier: Apache-2.0

//! The rules that orders were placed under, each set stored once by its digest and named by it in orders and events.
//!
//! An instance of an older version does not know of this and reads rules that are written out only. So they are stored apart from the
//! moment on at which no such instance runs any more ([`Store::keep_rules_apart`]), and what was written before is changed then, in the
//! background.

use std::collections::HashSet;

use serde_json::Value as Json;
use ticketbridge_core::shared_rules::{SharedRules, apart, with_known};
use ticketbridge_core::{Order, OrderId, UnixMillis};

use crate::buffer::RULE_SET;
use crate::connect::Store;
use crate::dialect::{Query, get, get_count, marks, padded, values, whole};
use crate::documents::{EventRow, KeptEvent, document_row, open_kept, seal_kept};
use crate::error::StoreError;
use crate::rule_book::Unread;
use crate::tx::Tx;

/// Noted once rules are stored apart.
const APART: &str = "rules_apart";
/// Noted once all orders and events from before name their rules.
const PARTED: &str = "rules_parted";
/// Orders that one transaction changes.
const PARTED_AT_ONCE: i64 = 100;

/// Opens orders, each from its id and its sealed document; the rules that they name are loaded, where they are not known. One that cannot
/// be read says so for itself.
///
/// # Errors
/// [`StoreError::Statement`].
pub(crate) async fn open_orders(
    query: &impl Query,
    documents: Vec<(String, String)>,
) -> Result<Vec<Result<Order, StoreError>>, StoreError> {
    let book = query.rule_book();
    let mut found = Vec::with_capacity(documents.len());
    let mut again = Vec::new();
    for (at, (id, document)) in documents.into_iter().enumerate() {
        let clear = match query.sealer().open(&document_row(&id), &document) {
            Ok(clear) => clear,
            Err(error) => {
                found.push(Err(error));
                continue;
            }
        };
        found.push(match book.read(&clear) {
            Ok(order) => Ok(order),
            Err(Unread::Never(error)) => Err(error),
            Err(Unread::Unknown(digest)) => {
                again.push((at, digest.clone(), clear));
                Err(StoreError::RulesUnknown { digest })
            }
        });
    }
    if !again.is_empty() {
        load(query, again.iter().map(|(_, digest, _)| digest.clone()).collect()).await?;
        for (at, _, clear) in again {
            found[at] = book.read(&clear).map_err(|unread| match unread {
                Unread::Never(error) => error,
                Unread::Unknown(digest) => StoreError::RulesUnknown { digest },
            });
        }
    }
    Ok(found)
}

/// Writes the rules out that events name.
pub(crate) async fn with_rules(query: &impl Query, mut events: Vec<EventRow>) -> Result<Vec<EventRow>, StoreError> {
    let named = |event: &EventRow| {
        let digest = event.data.get("sale")?.get("rules")?.get("digest")?;
        digest.as_str().map(str::to_owned)
    };
    let digests: HashSet<String> = events.iter().filter_map(named).collect();
    if digests.is_empty() {
        return Ok(events);
    }
    let book = query.rule_book();
    load(query, digests.into_iter().filter(|digest| book.known.get(digest).is_none()).collect()).await?;
    for event in &mut events {
        if let Some(rules) = event.data.get_mut("sale").and_then(|sale| sale.get_mut("rules")) {
            let (read, _) = with_known(&book.known, || serde_json::from_value::<SharedRules>(rules.clone()));
            *rules = serde_json::to_value(read?)?;
        }
    }
    Ok(events)
}

async fn load(query: &impl Query, digests: Vec<String>) -> Result<(), StoreError> {
    if digests.is_empty() {
        return Ok(());
    }
    let keys = padded(digests);
    let sql = format!("SELECT digest, terms FROM rule_set WHERE digest IN ({})", marks(keys.len()));
    let book = query.rule_book();
    let mut stored = Vec::new();
    for row in query.rows_as_stored(&sql, keys.into_iter().map(Into::into).collect()).await? {
        let (digest, terms): (String, String) = (get(&row, "digest")?, get(&row, "terms")?);
        book.known.put(SharedRules::from_terms(&digest, &terms)?);
        stored.push(digest);
    }
    book.note_stored(stored);
    Ok(())
}

impl Tx {
    /// What `write` writes, with the rules in it named, and kept beside it, where that is done.
    pub(crate) fn write_with_rules<T>(&self, write: impl FnOnce() -> T) -> Result<T, StoreError> {
        let book = self.rule_book();
        if !book.is_apart() {
            return Ok(write());
        }
        let (written, named) = apart(write);
        for rules in named {
            if !book.is_stored(rules.digest()) {
                self.keep(&RULE_SET, values![rules.digest(), rules.terms()])?;
                book.known.put(rules);
            }
        }
        Ok(written)
    }
}

impl Store {
    /// Whether rules are stored apart by now; asked of the database until they are.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn rules_are_apart(&self) -> Result<bool, StoreError> {
        let book = self.rule_book();
        if !book.is_apart() && self.is_done_once(APART).await? {
            book.keep_apart();
        }
        Ok(book.is_apart())
    }

    /// From now on rules are stored apart, if nobody is in the way: instances of an older version that may still run would not find them.
    /// Whether they are.
    ///
    /// # Errors
    /// Store errors.
    pub async fn keep_rules_apart(&self, now: UnixMillis) -> Result<bool, StoreError> {
        if self.rules_are_apart().await? {
            return Ok(true);
        }
        if self.dialect().shares_with_others() {
            let is_empty = self.row("SELECT id FROM orders LIMIT 1", values![]).await?.is_none();
            if !is_empty && !self.all_read_rules_apart(now).await? {
                return Ok(false);
            }
        }
        self.write(APART, move |tx: &Tx| Box::pin(async move { tx.note_done_once(APART, now).await })).await?;
        self.rules_are_apart().await
    }

    /// Stores the rules apart that orders and events have in them from before. Whether there was anything to do; it can be begun again at
    /// any time.
    ///
    /// # Errors
    /// Store errors.
    pub async fn part_old_rules(&self, now: UnixMillis) -> Result<u64, StoreError> {
        if !self.rules_are_apart().await? || self.is_done_once(PARTED).await? {
            return Ok(0);
        }
        let (mut after, mut changed) = (Some(String::new()), 0);
        while let Some(place) = after {
            let (next, many) = self
                .write(PARTED, move |tx: &Tx| {
                    let place = place.clone();
                    Box::pin(async move { tx.part_rules_after(&place).await })
                })
                .await?;
            (after, changed) = (next, changed + many);
        }
        self.write(PARTED, move |tx: &Tx| Box::pin(async move { tx.note_done_once(PARTED, now).await })).await?;
        Ok(changed)
    }
}

impl Tx {
    /// The next orders after `place`, with their events: where to go on, and how many documents were changed.
    async fn part_rules_after(&self, place: &str) -> Result<(Option<String>, u64), StoreError> {
        let sql =
            format!("SELECT id, document FROM orders WHERE id > ? ORDER BY id LIMIT ?{}", self.dialect().for_update());
        let rows = self.rows(&sql, values![place, PARTED_AT_ONCE]).await?;
        let (mut last, mut changed) = (None, 0);
        for row in &rows {
            let (id, document): (String, String) = (get(row, "id")?, get(row, "document")?);
            changed += self.part_order(&id, &document).await? + self.part_events(&OrderId(id.clone())).await?;
            last = Some(id);
        }
        let is_full = i64::try_from(rows.len()).is_ok_and(|many| many == PARTED_AT_ONCE);
        Ok((last.filter(|_| is_full), changed))
    }

    async fn part_order(&self, id: &str, document: &str) -> Result<u64, StoreError> {
        let row = document_row(id);
        let mut order: Json = serde_json::from_slice(&self.sealer().open(&row, document)?)?;
        if !self.name_rules(order.get_mut("rules"))? {
            return Ok(0);
        }
        let sealed = self.sealer().seal(&row, &serde_json::to_vec(&order)?);
        self.execute("UPDATE orders SET document = ? WHERE id = ?", values![sealed, id]).await
    }

    async fn part_events(&self, order: &OrderId) -> Result<u64, StoreError> {
        let sql = "SELECT seq, body FROM order_event WHERE order_id = ? AND kind IN ('order_placed', 'stub_filled')";
        let mut changed = 0;
        for row in self.rows(sql, values![order.as_str()]).await? {
            let (seq, body): (u64, String) = (get_count(&row, "seq")?, get(&row, "body")?);
            let mut kept: KeptEvent<Json> = open_kept(self.sealer(), order, seq, &body)?;
            if self.name_rules(kept.event.get_mut("sale").and_then(|sale| sale.get_mut("rules")))? {
                let sealed = seal_kept(self.sealer(), order, seq, &kept)?;
                let sql = "UPDATE order_event SET body = ? WHERE order_id = ? AND seq = ?";
                changed += self.execute(sql, values![sealed, order.as_str(), whole(seq)]).await?;
            }
        }
        Ok(changed)
    }

    /// Puts the name of rules in the place where they are written out; whether they were.
    fn name_rules(&self, place: Option<&mut Json>) -> Result<bool, StoreError> {
        let Some(place) = place.filter(|place| place.get("digest").is_none()) else { return Ok(false) };
        let rules: SharedRules = serde_json::from_value(place.take())?;
        *place = self.write_with_rules(|| serde_json::to_value(&rules))??;
        Ok(true)
    }
}
