// SPDX-License-Identifier: Apache-2.0

//! What people did and looked at.

use ticketbridge_core::TimeZone;
use ticketbridge_store::{AuditFilter, AuditRow};

use crate::http::ops::answers::{Time, history::AuditEntry};
use crate::http::ops::call::{Outcome, Request, Said};
use crate::http::ops::orders::of_filter;
use crate::http::ops::query::listed;
use crate::http::ops::view::common_zone;

/// `GET audit`.
pub(crate) async fn list(request: Request) -> Outcome {
    let query = &request.query;
    let filter = AuditFilter {
        actor: query.text("actor").map(str::to_owned),
        order: of_filter(&request, query).await?,
        from: query.time("from"),
        within: request.reach.scopes(),
    };
    let page = request.shared.engine.store().list_audit(&filter, &query.page()).await?;
    let zone = common_zone(&request.running);
    Ok(Said::ok(&listed(&page, |row| shown(row, zone))))
}

fn shown(row: &AuditRow, zone: TimeZone) -> AuditEntry<'_> {
    AuditEntry {
        id: &row.id,
        at: Time::of(row.at, zone),
        actor: &row.actor,
        act: &row.act,
        order_id: row.order.as_ref(),
        detail: &row.detail,
    }
}
