// SPDX-License-Identifier: Apache-2.0

//! Lines of statements: what orders brought, cost and gave back, by the smallest unit that money is settled under.

use sea_orm::QueryResult;
use serde::{Deserialize, Serialize};
use ticketbridge_core::product::Currency;
use ticketbridge_core::{ChannelId, OrderId, UnixMillis};

use crate::buffer::{Row, STATEMENT_LINE};
use crate::connect::Store;
use crate::dialect::{Query, get, get_count, get_word, text_of, values, whole, whole_of, word};
use crate::error::StoreError;
use crate::tx::Tx;

/// What a line is. Amounts count in the kind's own direction; a correction is negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineKind {
    /// Received from a guest.
    Sale,
    /// Kept by the channel.
    Commission,
    /// Returned to a guest.
    Refund,
    /// Kept of a refund: already left in the balance, since less was returned.
    Fee,
}

/// Under whom, and with which commission, an order is settled; fixed by its first line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettleTerms {
    /// The settle id.
    pub settle_id: String,
    /// Ten-thousandths of what stays of the order.
    pub commission_bp: u32,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementLine {
    /// Whose.
    pub order: OrderId,
    /// The order's version with which it came about.
    pub version: u64,
    /// What it is.
    pub kind: LineKind,
    /// Where it was sold.
    pub channel: ChannelId,
    /// Currency of the amount.
    pub currency: Currency,
    /// Minor units.
    pub amount: i64,
    /// When it was recorded here.
    pub at: UnixMillis,
}

impl Tx {
    /// How an order is settled, once it has a line.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn settle_terms(&self, order: &OrderId) -> Result<Option<SettleTerms>, StoreError> {
        if !self.buffer().knows_group(&STATEMENT_LINE, order.as_str()) {
            let columns = "order_id, version, kind, settle_id, commission_bp";
            self.read_for_orders(&STATEMENT_LINE, order, columns, line_as_read).await?;
        }
        let rows = self.buffer().group(&STATEMENT_LINE, order.as_str(), &[("order_id", order.as_str())]);
        let Some(row) = rows.iter().min_by_key(|row| whole_of(row, STATEMENT_LINE.at("version"))) else {
            return Ok(None);
        };
        let commission = whole_of(row, STATEMENT_LINE.at("commission_bp")).and_then(|share| u32::try_from(share).ok());
        Ok(Some(SettleTerms {
            settle_id: text_of(row, STATEMENT_LINE.at("settle_id"))?,
            commission_bp: commission.ok_or(StoreError::Column("commission_bp"))?,
        }))
    }

    /// Adds lines.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when the order has a line of this kind at this version.
    pub async fn add_statement_lines(&self, terms: &SettleTerms, lines: &[StatementLine]) -> Result<(), StoreError> {
        for line in lines {
            self.keep(
                &STATEMENT_LINE,
                values![
                    line.order.as_str(),
                    whole(line.version),
                    word(&line.kind),
                    terms.settle_id.as_str(),
                    line.channel.as_str(),
                    line.currency.0.as_str(),
                    line.amount,
                    i64::from(terms.commission_bp),
                    line.at.0,
                ],
            )?;
        }
        Ok(())
    }
}

impl Store {
    /// The lines of a settle id from `from` until before `to`, oldest first, `limit` at most.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn statement_lines(
        &self,
        settle_id: &str,
        from: UnixMillis,
        to: UnixMillis,
        limit: u32,
    ) -> Result<Vec<StatementLine>, StoreError> {
        let sql = "SELECT order_id, version, kind, channel, currency, amount, at_ms FROM statement_line \
                   WHERE settle_id = ? AND at_ms >= ? AND at_ms < ? ORDER BY at_ms, order_id, version, kind LIMIT ?";
        let rows = self.rows(sql, values![settle_id, from.0, to.0, i64::from(limit)]).await?;
        rows.iter().map(read).collect()
    }
}

impl Store {
    /// What is settled of an order, each line with the unit that it is settled under, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn settlement_of(&self, order: &OrderId) -> Result<Vec<(String, StatementLine)>, StoreError> {
        let sql = "SELECT settle_id, order_id, version, kind, channel, currency, amount, at_ms FROM statement_line \
                   WHERE order_id = ? ORDER BY version, kind";
        let rows = self.rows(sql, values![order.as_str()]).await?;
        rows.iter().map(|row| Ok((get(row, "settle_id")?, read(row)?))).collect()
    }
}

/// A line as far as it is needed to know the terms.
fn line_as_read(row: &QueryResult) -> Result<Row, StoreError> {
    let mut kept: Row = vec![None::<String>.into(); STATEMENT_LINE.width()];
    for column in ["order_id", "kind", "settle_id"] {
        kept[STATEMENT_LINE.at(column)] = get::<String>(row, column)?.into();
    }
    for column in ["version", "commission_bp"] {
        kept[STATEMENT_LINE.at(column)] = get::<i64>(row, column)?.into();
    }
    Ok(kept)
}

fn read(row: &QueryResult) -> Result<StatementLine, StoreError> {
    Ok(StatementLine {
        order: OrderId(get(row, "order_id")?),
        version: get_count(row, "version")?,
        kind: get_word(row, "kind")?,
        channel: ChannelId(get(row, "channel")?),
        currency: Currency(get(row, "currency")?),
        amount: get(row, "amount")?,
        at: UnixMillis(get(row, "at_ms")?),
    })
}
