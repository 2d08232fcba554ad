// SPDX-License-Identifier: Apache-2.0

//! Deadlines, the nearest first.

use ticketbridge_core::{OrderId, UnixMillis};
use ticketbridge_store::{DeadlineFilter, DeadlineRow, DeadlineState};

use crate::http::ops::answers::{Time, history::Deadline};
use crate::http::ops::call::{Outcome, Request, Said};
use crate::http::ops::orders::of_filter;
use crate::http::ops::query::listed;
use crate::http::ops::view;

/// `GET deadlines`.
pub(crate) async fn list(request: Request) -> Outcome {
    let query = &request.query;
    let filter = DeadlineFilter {
        due_before: query.time("due_before"),
        state: query.word("state"),
        order: of_filter(&request, query).await?,
        within: request.reach.within(),
    };
    let page = request.shared.engine.store().list_deadlines(&filter, &query.page()).await?;
    let orders: Vec<OrderId> = page.items.iter().map(|row| row.order.clone()).collect();
    let channels = request.shared.engine.store().channels_of(&orders).await?;
    let now = request.shared.engine.clock().now();
    Ok(Said::ok(&listed(&page, |row| {
        let zone = channels.get(&row.order).map(|channel| view::zone_of(&request.running, channel.as_str()));
        shown(row, now, zone.unwrap_or_else(|| view::common_zone(&request.running)))
    })))
}

/// A deadline, in the times of `zone`.
pub(crate) fn shown(row: &DeadlineRow, now: UnixMillis, zone: ticketbridge_core::TimeZone) -> Deadline<'_> {
    Deadline {
        id: format!("{}/{}", row.order, row.kind.name()),
        order_id: &row.order,
        kind: row.kind,
        due_at: Time::of(row.due_at, zone),
        warned_at: Time::maybe(row.warned_at, zone),
        passed: row.state == DeadlineState::Passed,
        time_left_s: (row.due_at - now).0.div_euclid(1_000),
    }
}
