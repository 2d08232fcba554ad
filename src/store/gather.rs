// SPDX-License-Identifier: Apache-2.0

//! Reading what works have said that they need: one statement for each kind, all locks sorted and in one order of tables.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{DbBackend, QueryResult, Value};
use ticketbridge_core::rules::capacity::{date_stock_key, voucher_stock_key};
use ticketbridge_core::{Order, OrderId};

use crate::buffer::{
    BOOKING, Buffer, CREDIT_ACCOUNT, DEADLINE, GUEST_CLAIM, INBOX, Kept, ORDER_REF, ORDERS, Row, STOCK, key_text,
};
use crate::claims;
use crate::credit;
use crate::deadlines;
use crate::dialect::{Query as _, get, marks, padded, rows_of_marks, values};
use crate::documents::documents;
use crate::error::StoreError;
use crate::keys::date_column;
use crate::needs::Needs;
use crate::refs;
use crate::rule_sets::open_orders;
use crate::tx::{Company, Tx};

/// That columns hold one of these keys: for each head the values that the last column may have there. MariaDB uses no index for a list of
/// rows.
fn any_of<'k>(
    head: &[&str],
    last: &str,
    keys: impl IntoIterator<Item = (Vec<&'k str>, &'k str)>,
) -> (String, Vec<Value>) {
    let mut heads: BTreeMap<Vec<&str>, Vec<&str>> = BTreeMap::new();
    for (of, value) in keys {
        heads.entry(of).or_default().push(value);
    }
    let same: String = head.iter().map(|column| format!("{column} = ? AND ")).collect();
    let (mut parts, mut all) = (Vec::with_capacity(heads.len()), Vec::new());
    for (of, values) in heads {
        let values = padded(values);
        parts.push(format!("({same}{last} IN ({}))", marks(values.len())));
        all.extend(of.into_iter().chain(values).map(Value::from));
    }
    (parts.join(" OR "), all)
}

/// The claims of these guests for PostgreSQL, each looked up by itself with its whole key: a list of hashes it takes for a filter upon all
/// claims to the product for as long as it believes that there are few.
fn claims_one_by_one(keys: &BTreeSet<(String, String, String)>) -> (String, Vec<Value>) {
    let keys = padded(keys);
    let sql = format!(
        "SELECT DISTINCT g.order_id, a.product, a.kind, a.hash, g.units FROM (VALUES {}) AS a (product, kind, hash) \
         CROSS JOIN LATERAL (SELECT order_id, units FROM guest_claim \
         WHERE product = a.product AND kind = a.kind AND hash = a.hash AND live = 1 OFFSET 0) AS g",
        rows_of_marks(keys.len(), 3)
    );
    (
        sql,
        keys.into_iter()
            .flat_map(|(product, kind, hash)| values![product.as_str(), kind.as_str(), hash.as_str()])
            .collect(),
    )
}

fn texts<'k>(keys: impl IntoIterator<Item = &'k String>) -> Vec<Value> {
    padded(keys).into_iter().map(|key| key.as_str().into()).collect()
}

impl Tx {
    /// Reads what these works need, one statement for each kind. An order that somebody else holds at this moment is left out where
    /// others would have to wait for it.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub(crate) async fn gather(&self, needs: &Needs) -> Result<(), StoreError> {
        let mut orders = needs.orders.clone();
        orders.extend(self.gather_numbers(needs).await?);
        orders.extend(self.gather_bookings(needs).await?);
        let orders = self.gather_orders(&orders).await?;
        let mut stock = needs.stock.clone();
        if needs.moves_stock {
            stock.extend(orders.iter().flat_map(stock_of));
        }
        self.gather_stock(&stock).await?;
        self.gather_accounts(needs).await?;
        self.gather_claims(needs).await?;
        self.gather_deadlines(needs).await?;
        self.gather_held(needs).await?;
        // Last: of equal messages about one order, those that waited for its lock find what the first one left.
        self.gather_messages(needs).await
    }

    fn note(&self, note: impl FnOnce(&mut Buffer)) {
        note(&mut self.buffer());
    }

    async fn gather_messages(&self, needs: &Needs) -> Result<(), StoreError> {
        if needs.messages.is_empty() {
            return Ok(());
        }
        let keys = texts(&needs.messages);
        let sql = format!("SELECT dedupe FROM inbox WHERE dedupe IN ({})", marks(keys.len()));
        let known: Vec<String> = column(&self.rows_stored(&sql, keys).await?, "dedupe")?;
        self.note(|buffer| {
            for key in &needs.messages {
                buffer.note_read(&INBOX, key_text(&[key]), known.contains(key).then(Vec::new));
            }
        });
        Ok(())
    }

    /// The orders behind the numbers. A number without an order is not remembered: who needs it locks it.
    async fn gather_numbers(&self, needs: &Needs) -> Result<Vec<String>, StoreError> {
        if needs.numbers.is_empty() {
            return Ok(Vec::new());
        }
        let keys = texts(&needs.numbers);
        let sql = format!("{} IN ({})", refs::SELECT, marks(keys.len()));
        let rows = self.rows_stored(&sql, keys).await?;
        let hashes: Vec<String> = column(&rows, "ref_hash")?;
        let mut orders = Vec::new();
        let mut settled = Vec::new();
        for row in &rows {
            if let Some((kept, order)) = refs::settled(row)? {
                settled.push(kept);
                orders.push(order);
            }
        }
        self.note(|buffer| {
            for hash in needs.numbers.iter().filter(|hash| !hashes.contains(hash)) {
                buffer.note_read(&ORDER_REF, key_text(&[hash]), None);
            }
            for row in settled {
                buffer.note_read_row(&ORDER_REF, row);
            }
        });
        Ok(orders)
    }

    async fn gather_bookings(&self, needs: &Needs) -> Result<Vec<String>, StoreError> {
        if needs.bookings.is_empty() {
            return Ok(Vec::new());
        }
        let keys = texts(&needs.bookings);
        let sql = format!("SELECT id, order_id FROM booking WHERE id IN ({})", marks(keys.len()));
        let mut found = Vec::new();
        for row in &self.rows_stored(&sql, keys).await? {
            found.push((get::<String>(row, "id")?, get::<String>(row, "order_id")?));
        }
        self.note(|buffer| {
            for id in &needs.bookings {
                let order = found.iter().find(|(found, _)| found == id).map(|(_, order)| order.clone());
                let row = order.map(|order| values![id.as_str(), order, None::<String>, None::<String>]);
                buffer.note_read(&BOOKING, key_text(&[id]), row);
            }
        });
        Ok(found.into_iter().map(|(_, order)| order).collect())
    }

    async fn gather_orders(&self, ids: &BTreeSet<String>) -> Result<Vec<Order>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let keys = texts(ids);
        let lock = match self.company() {
            Company::First | Company::Others => self.dialect().for_update_skip_locked(),
            Company::Alone => self.dialect().for_update(),
        };
        let sql = format!("SELECT id, document FROM orders WHERE id IN ({}) ORDER BY id{lock}", marks(keys.len()));
        let rows = self.rows_stored(&sql, keys).await?;
        let mut found = Vec::with_capacity(rows.len());
        // One that is not found may be held by somebody: who asks for it finds out.
        let documents = documents(&rows)?;
        for (order, (_, document)) in open_orders(self, documents.clone()).await?.into_iter().zip(documents) {
            // One that cannot be read is an error of whoever asks for it, and of nobody else.
            let Ok(order) = order else { continue };
            self.note_order(order.clone(), document);
            found.push(order);
        }
        if self.company() != Company::Alone && self.dialect().shares_with_others() {
            let is_missed = |id: &&String| !found.iter().any(|order| order.id.as_str() == id.as_str());
            self.note(|buffer| buffer.note_missed(ids.iter().filter(is_missed).cloned()));
        }
        Ok(found)
    }

    /// Rows that are missing are made, so that there is something to lock.
    async fn gather_stock(&self, keys: &BTreeSet<(String, String)>) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        let mut found = self.read_stock(keys).await?;
        let missing: Vec<&(String, String)> =
            keys.iter().filter(|key| !found.iter().any(|row| row.0 == **key)).collect();
        if !missing.is_empty() {
            let sql = format!(
                "INSERT INTO stock (product, visit_date, total, taken) VALUES {}{}",
                rows_of_marks(missing.len(), 4),
                self.dialect().unless_exists("product")
            );
            let none = None::<i64>;
            let all = missing.iter().flat_map(|(product, date)| values![product.as_str(), date.as_str(), none, 0_i64]);
            self.execute_gathering(&sql, all.collect()).await?;
            found = self.read_stock(keys).await?;
        }
        self.note(|buffer| {
            for ((product, date), total, taken) in found {
                buffer.note_read_row(&STOCK, values![product, date, total, taken]);
            }
        });
        Ok(())
    }

    async fn read_stock(
        &self,
        keys: &BTreeSet<(String, String)>,
    ) -> Result<Vec<((String, String), Option<i64>, i64)>, StoreError> {
        let keys = keys.iter().map(|(product, date)| (vec![product.as_str()], date.as_str()));
        let (one_of_them, all) = any_of(&["product"], "visit_date", keys);
        let sql = format!(
            "SELECT product, visit_date, total, taken FROM stock WHERE {one_of_them} ORDER BY product, visit_date{}",
            self.dialect().for_update()
        );
        let rows = self.rows_stored(&sql, all).await?;
        rows.iter()
            .map(|row| Ok(((get(row, "product")?, get(row, "visit_date")?), get(row, "total")?, get(row, "taken")?)))
            .collect()
    }

    async fn gather_accounts(&self, needs: &Needs) -> Result<(), StoreError> {
        if needs.accounts.is_empty() {
            return Ok(());
        }
        let mut found = self.read_accounts(&needs.accounts).await?;
        let missing: Vec<&String> = needs.accounts.iter().filter(|id| !found.iter().any(|row| row.0 == **id)).collect();
        if !missing.is_empty() {
            let sql = format!(
                "INSERT INTO credit_account (id, balance, held) VALUES {}{}",
                rows_of_marks(missing.len(), 3),
                self.dialect().unless_exists("id")
            );
            let all = missing.iter().flat_map(|id| values![id.as_str(), 0_i64, 0_i64]);
            self.execute_gathering(&sql, all.collect()).await?;
            found = self.read_accounts(&needs.accounts).await?;
        }
        self.note(|buffer| {
            for (id, sums) in found {
                buffer.note_read_row(&CREDIT_ACCOUNT, values![id, sums.balance, sums.held]);
            }
        });
        Ok(())
    }

    async fn read_accounts(&self, ids: &BTreeSet<String>) -> Result<Vec<(String, credit::CreditSums)>, StoreError> {
        let keys = texts(ids);
        let sql = format!(
            "SELECT id, balance, held FROM credit_account WHERE id IN ({}) ORDER BY id{}",
            marks(keys.len()),
            self.dialect().for_update()
        );
        let rows = self.rows_stored(&sql, keys).await?;
        rows.iter().map(|row| Ok((get(row, "id")?, credit::read_sums(row)?))).collect()
    }

    async fn gather_claims(&self, needs: &Needs) -> Result<(), StoreError> {
        if needs.claims.is_empty() {
            return Ok(());
        }
        let (sql, all) = if self.dialect().0 == DbBackend::Postgres {
            claims_one_by_one(&needs.claims)
        } else {
            let keys = needs.claims.iter().map(|(product, kind, hash)| (vec![product.as_str(), kind], hash.as_str()));
            let (one_of_them, all) = any_of(&["product", "kind"], "hash", keys);
            let sql = "SELECT order_id, product, kind, hash, units FROM guest_claim";
            (format!("{sql} WHERE ({one_of_them}) AND live = 1"), all)
        };
        let rows = self.rows_stored(&sql, all).await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            found.push(claims::row_as_read(row)?);
        }
        self.note(|buffer| {
            for (product, kind, hash) in &needs.claims {
                let group = key_text(&[product, kind, hash]);
                let own = found.iter().filter(|(claim, _)| *claim == group).map(|(_, row)| row.clone()).collect();
                buffer.note_group(&GUEST_CLAIM, group, own);
            }
        });
        Ok(())
    }

    async fn gather_held(&self, needs: &Needs) -> Result<(), StoreError> {
        if needs.held.is_empty() {
            return Ok(());
        }
        self.read_holders(&needs.held.iter().cloned().collect::<Vec<_>>(), "").await
    }

    async fn gather_deadlines(&self, needs: &Needs) -> Result<(), StoreError> {
        // Those of an order that somebody else holds are his to change.
        let held = |order: &str| matches!(self.see(&ORDERS, &key_text(&[order])), Some(Some(_)));
        let rows: BTreeSet<&String> =
            needs.deadlines.iter().filter(|(order, _)| held(order)).map(|(_, row)| row).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let keys = texts(rows);
        let sql = format!(
            "SELECT {} FROM deadline WHERE id IN ({}) ORDER BY id{}",
            deadlines::KEPT_COLUMNS,
            marks(keys.len()),
            self.dialect().for_update()
        );
        let rows = self.rows_stored(&sql, keys).await?;
        let found = rows.iter().map(deadlines::row_as_read).collect::<Result<Vec<_>, _>>()?;
        self.note(|buffer| {
            for row in found {
                buffer.note_read_row(&DEADLINE, row);
            }
        });
        Ok(())
    }
}

impl Tx {
    /// Reads all rows of a table that belong to `order`, and to every other order of this transaction of which nobody has asked yet.
    pub(crate) async fn read_for_orders(
        &self,
        of: &'static Kept,
        order: &OrderId,
        columns: &str,
        read: impl Fn(&QueryResult) -> Result<Row, StoreError>,
    ) -> Result<(), StoreError> {
        self.read_group_for_orders(of, order, columns, "", read).await
    }

    /// The same for those that fulfil a condition; locked, if that says so.
    pub(crate) async fn read_group_for_orders(
        &self,
        of: &'static Kept,
        order: &OrderId,
        columns: &str,
        condition: &str,
        read: impl Fn(&QueryResult) -> Result<Row, StoreError>,
    ) -> Result<(), StoreError> {
        let orders: BTreeSet<String> = {
            let buffer = self.buffer();
            let others = buffer.read_without_group(&ORDERS, of);
            others.into_iter().chain([order.as_str().to_owned()]).collect()
        };
        let keys = texts(&orders);
        let sql = format!("SELECT {columns} FROM {} WHERE order_id IN ({}){condition}", of.name(), marks(keys.len()));
        let rows = self.rows_stored(&sql, keys).await?;
        let mut found: BTreeMap<String, Vec<Row>> = orders.into_iter().map(|order| (order, Vec::new())).collect();
        for row in &rows {
            found.entry(get(row, "order_id")?).or_default().push(read(row)?);
        }
        let mut buffer = self.buffer();
        for (order, rows) in found {
            buffer.note_group(of, order, rows);
        }
        Ok(())
    }
}

fn column(rows: &[QueryResult], name: &'static str) -> Result<Vec<String>, StoreError> {
    rows.iter().map(|row| get(row, name)).collect()
}

/// What an order has taken, or may take, of what is counted.
fn stock_of(order: &Order) -> Vec<(String, String)> {
    let dates = order.booking.iter().map(|booking| date_stock_key(&order.rules.booking, booking.visit_date));
    let keys = dates.chain([voucher_stock_key(&order.rules)]).flatten();
    keys.map(|key| (key.product.as_str().to_owned(), date_column(&key))).collect()
}

#[cfg(test)]
mod tests {
    use super::any_of;

    #[test]
    fn keys_of_one_head_stand_together() {
        let keys = [(vec!["p", "phone"], "a"), (vec!["p", "phone"], "b"), (vec!["q", "phone"], "a")];
        let (sql, values) = any_of(&["product", "kind"], "hash", keys);
        assert_eq!(sql, "(product = ? AND kind = ? AND hash IN (?, ?)) OR (product = ? AND kind = ? AND hash IN (?))");
        assert_eq!(values, ["p", "phone", "a", "b", "q", "phone", "a"].map(sea_orm::Value::from));
    }
}
