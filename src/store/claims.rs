// SPDX-License-Identifier: Apache-2.0

//! What guests have bought and booked, for purchase limits. Phones and documents are known by keyed hashes only
//! ([`crate::Sealer::keyed_hash`]).
//!
//! Two purchases by one guest at the same moment do not see each other's claims. What keeps them apart is the lock on
//! the stock row of the product: take it ([`Tx::stock_left`]) before counting.

use ticketbridge_core::{OrderId, ProductCode, UnixMillis};

use sea_orm::{QueryResult, Value};

use crate::buffer::{GUEST_CLAIM, Row, key_text};
use crate::connect::Store;
use crate::dialect::{Query, get, get_count, get_flag, marks, text_of, values, whole_of, word};
use crate::error::StoreError;
use crate::keys::ClaimKind;
use crate::tx::Tx;

/// Units of a product that an order claims for a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestClaim {
    /// Of what.
    pub product: ProductCode,
    /// By what the guest is recognised.
    pub kind: ClaimKind,
    /// Keyed hash of the phone or document.
    pub hash: String,
    /// How many.
    pub units: u32,
}

impl Tx {
    /// Adds claims of an order, or makes released ones live again with these units.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn claim_guests(&self, order: &OrderId, claims: &[GuestClaim]) -> Result<(), StoreError> {
        for claim in claims {
            self.keep(
                &GUEST_CLAIM,
                values![
                    order.as_str(),
                    claim.product.as_str(),
                    word(&claim.kind),
                    claim.hash.as_str(),
                    i64::from(claim.units),
                    1_i16,
                ],
            )?;
        }
        Ok(())
    }

    /// Releases the claims of an order to a product.
    pub fn release_claims(&self, order: &OrderId, product: &ProductCode) {
        self.buffer().release(order.as_str(), product.as_str());
    }

    /// Units of live claims to a product by other orders than `except`.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn claimed_units(
        &self,
        product: &ProductCode,
        kind: ClaimKind,
        hash: &str,
        except: Option<&OrderId>,
    ) -> Result<u32, StoreError> {
        let parts = [product.as_str(), &word(&kind), hash];
        let group = key_text(&parts);
        if !self.buffer().knows_group(&GUEST_CLAIM, &group) {
            let sql = "SELECT order_id, product, kind, hash, units FROM guest_claim \
                       WHERE product = ? AND kind = ? AND hash = ? AND live = 1";
            let rows = self.rows_stored(sql, parts.iter().map(|part| Value::from(*part)).collect()).await?;
            let rows = rows.iter().map(|row| Ok(row_as_read(row)?.1)).collect::<Result<_, StoreError>>()?;
            self.buffer().note_group(&GUEST_CLAIM, group.clone(), rows);
        }
        let buffer = self.buffer();
        let columns = [("product", parts[0]), ("kind", parts[1]), ("hash", hash)];
        let kept = buffer.group_kept(&GUEST_CLAIM, &columns);
        let read = buffer.group_read(&GUEST_CLAIM, &group);
        let order = |row: &Row| text_of(row, GUEST_CLAIM.at("order_id")).unwrap_or_default();
        let read = read.into_iter().filter(|row| !buffer.is_released(&order(row), product.as_str()));
        let except = except.map_or("", OrderId::as_str);
        let live = kept
            .into_iter()
            .chain(read)
            .filter(|row| whole_of(row, GUEST_CLAIM.at("live")) == Some(1) && order(row) != except);
        let units: i64 = live.filter_map(|row| whole_of(&row, GUEST_CLAIM.at("units"))).sum();
        u32::try_from(units).map_err(|_| StoreError::Column("guest_claim.units"))
    }

    /// For each hash, in order: how many other orders than `except` have a live claim to the product.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn claimed_orders(
        &self,
        product: &ProductCode,
        kind: ClaimKind,
        hashes: &[String],
        except: Option<&OrderId>,
    ) -> Result<Vec<u32>, StoreError> {
        if hashes.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT hash, COUNT(*) AS many FROM guest_claim \
             WHERE product = ? AND kind = ? AND live = 1 AND order_id <> ? AND hash IN ({}) GROUP BY hash",
            marks(hashes.len())
        );
        let mut all = values![product.as_str(), word(&kind), except.map_or("", OrderId::as_str)];
        all.extend(hashes.iter().map(|hash| sea_orm::Value::from(hash.as_str())));
        let mut counts = std::collections::HashMap::new();
        for row in self.rows(&sql, all).await? {
            counts.insert(crate::dialect::get::<String>(&row, "hash")?, get_count(&row, "many")?);
        }
        Ok(hashes.iter().map(|hash| counts.get(hash).copied().unwrap_or(0)).collect())
    }
}

/// A claim of an order, live or released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrdersClaim {
    /// The order.
    pub order: OrderId,
    /// What it claims.
    pub claim: GuestClaim,
    /// Whether it counts now.
    pub live: bool,
}

/// Hashes that are looked for at once.
const HASHES_MAX: usize = 200;

impl Store {
    /// The claims to these guests by orders that began before `before`.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn claims_of_older_orders(
        &self,
        hashes: &[(ClaimKind, String)],
        before: UnixMillis,
    ) -> Result<Vec<OrdersClaim>, StoreError> {
        let products = self.rows("SELECT DISTINCT product FROM guest_claim", Vec::new()).await?;
        let mut found = Vec::new();
        for row in &products {
            let product: String = get(row, "product")?;
            for kind in [ClaimKind::Phone, ClaimKind::Document] {
                let hashes: Vec<&str> =
                    hashes.iter().filter(|(of, _)| *of == kind).map(|(_, hash)| hash.as_str()).collect();
                for part in hashes.chunks(HASHES_MAX) {
                    let sql = format!(
                        "SELECT g.order_id, g.hash, g.units, g.live FROM guest_claim g JOIN orders o ON o.id = g.order_id \
                         WHERE g.product = ? AND g.kind = ? AND g.hash IN ({}) AND o.created_ms < ?",
                        marks(part.len())
                    );
                    let mut all = values![product.as_str(), word(&kind)];
                    all.extend(part.iter().map(|hash| Value::from(*hash)));
                    all.push(Value::from(before.0));
                    for row in &self.rows(&sql, all).await? {
                        let units: i64 = get(row, "units")?;
                        let units = u32::try_from(units).map_err(|_| StoreError::Column("guest_claim.units"))?;
                        let (product, hash) = (ProductCode::new(product.as_str()), get(row, "hash")?);
                        found.push(OrdersClaim {
                            order: OrderId(get(row, "order_id")?),
                            claim: GuestClaim { product, kind, hash, units },
                            live: get_flag(row, "live")?,
                        });
                    }
                }
            }
        }
        Ok(found)
    }
}

/// A live claim as it was read, and by what it is counted.
pub(crate) fn row_as_read(row: &QueryResult) -> Result<(String, Row), StoreError> {
    let (order, product): (String, String) = (get(row, "order_id")?, get(row, "product")?);
    let (kind, hash): (String, String) = (get(row, "kind")?, get(row, "hash")?);
    let group = key_text(&[&product, &kind, &hash]);
    Ok((group, values![order, product, kind, hash, get::<i64>(row, "units")?, 1_i16]))
}
