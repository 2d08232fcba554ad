//! Lines of statements: what orders brought, cost and gave back, by the smallest unit that money is settled under.

use sea_orm::QueryResult;
use serde::{Deserialize, Serialize};
use ticketbridge_core::product::Currency;
use ticketbridge_core::{ChannelId, OrderId, UnixMillis};

use crate::buffer::STATEMENT_LINE;
use crate::connect::Store;
use crate::dialect::{Query, get, get_count, get_word, values, whole, word};
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
        let sql = "SELECT settle_id, commission_bp FROM statement_line WHERE order_id = ? ORDER BY version LIMIT 1";
        let Some(row) = self.row(sql, values![order.as_str()]).await? else { return Ok(None) };
        Ok(Some(SettleTerms { settle_id: get(&row, "settle_id")?, commission_bp: get_count(&row, "commission_bp")? }))
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
