// SPDX-License-Identifier: Apache-2.0

//! What people did and looked at. Rows are only added; what they say is sealed, since a reason may name a guest.

use sea_orm::QueryResult;
use ticketbridge_core::{ChannelId, OrderId, UnixMillis};

use crate::connect::Store;
use crate::dialect::{Query, Where, get, values};
use crate::error::StoreError;
use crate::lists::{Listing, Page, PageRequest};
use crate::scopes::{ScopeWords, ScopesWithin, within_scopes};
use crate::tx::Tx;

/// An entry to be.
#[derive(Clone, Debug)]
pub struct NewAudit {
    /// Its id.
    pub id: String,
    /// When.
    pub at: UnixMillis,
    /// Who: an account's id, or `token:` and the name of a token, or `host`.
    pub actor: String,
    /// What was done, a word.
    pub act: String,
    /// Of which order.
    pub order: Option<OrderId>,
    /// Of which channel.
    pub channel: Option<ChannelId>,
    /// Whose affair it is, where it is no order's.
    pub scope: Option<ScopeWords>,
    /// More: a reason, for example.
    pub detail: serde_json::Value,
}

/// An entry.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditRow {
    /// Its id.
    pub id: String,
    /// When.
    pub at: UnixMillis,
    /// Who.
    pub actor: String,
    /// What was done.
    pub act: String,
    /// Of which order.
    pub order: Option<OrderId>,
    /// More.
    pub detail: serde_json::Value,
}

/// Which entries.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// By whom.
    pub actor: Option<String>,
    /// Of which order.
    pub order: Option<OrderId>,
    /// Since when.
    pub from: Option<UnixMillis>,
    /// Of these scopes.
    pub within: ScopesWithin,
}

const COLUMNS: &str = "id, at_ms, actor, act, order_id, detail";

fn read(query: &impl Query, row: &QueryResult) -> Result<AuditRow, StoreError> {
    let id: String = get(row, "id")?;
    let detail = query.sealer().open(&format!("audit/{id}"), &get::<String>(row, "detail")?)?;
    Ok(AuditRow {
        at: UnixMillis(get(row, "at_ms")?),
        actor: get(row, "actor")?,
        act: get(row, "act")?,
        order: get::<Option<String>>(row, "order_id")?.map(OrderId),
        detail: serde_json::from_slice(&detail)?,
        id,
    })
}

impl Store {
    /// Entries, newest first.
    ///
    /// # Errors
    /// [`StoreError::Cursor`], [`StoreError::Statement`], [`StoreError::Sealed`].
    pub async fn list_audit(&self, filter: &AuditFilter, page: &PageRequest) -> Result<Page<AuditRow>, StoreError> {
        let mut wanted = Where::new();
        wanted.equals("actor", filter.actor.as_deref());
        wanted.equals("order_id", filter.order.as_ref().map(OrderId::as_str));
        if let Some(from) = filter.from {
            wanted.and("at_ms >= ?", values![from.0]);
        }
        within_scopes(&mut wanted, &filter.within, Some("channel"));
        self.list(&Listing::newest("audit", COLUMNS, "at_ms"), wanted, page, |row| read(self, row)).await
    }
}

impl Tx {
    /// Adds an entry.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn add_audit(&self, new: &NewAudit) -> Result<(), StoreError> {
        let sql = "INSERT INTO audit (id, at_ms, actor, act, order_id, channel, scope_kind, scope_id, detail) \
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let row = values![
            new.id.as_str(),
            new.at.0,
            new.actor.as_str(),
            new.act.as_str(),
            new.order.as_ref().map(|order| order.0.clone()),
            new.channel.as_ref().map(|channel| channel.0.clone()),
            new.scope.as_ref().map(|scope| scope.kind.clone()),
            new.scope.as_ref().and_then(|scope| scope.id.clone()),
            self.sealer().seal(&format!("audit/{}", new.id), new.detail.to_string().as_bytes()),
        ];
        self.execute(sql, row).await.map(drop)
    }
}
