// SPDX-License-Identifier: Apache-2.0

//! What has changed at a snapshot channel, taken from its own list: so a lost message is found even where it was the
//! first about its order (`adapters/kakao/README.md`).

use std::sync::Arc;

use ticketbridge_core::message::{Destination, Snapshot};
use ticketbridge_core::port::{CallResult, Changes, Context, HttpResponse};
use ticketbridge_core::{Millis, UnixMillis};

use super::report::{Difference, RECONCILE, Reconciliation};
use crate::engine::EngineError;
use crate::service::registry::RegisteredChannel;
use crate::worker::Worker;

/// Two looks overlap by this much: the channel's clock is not ours.
const OVERLAP: Millis = Millis::minutes(10);
/// The first look after a start goes back this far.
const FIRST_LOOK: Millis = Millis::hours(24);
/// Pages of one look at most: a list without an end is no list.
const PAGES_MAX: usize = 1_000;

/// Takes over what the channel's list says since the last look.
pub(super) async fn take_over(
    worker: &Worker,
    channel: &Arc<RegisteredChannel>,
    report: &mut Reconciliation,
) -> Result<(), EngineError> {
    let now = worker.engine.clock().now();
    let from = worker.changes_read.since(&channel.id).map_or(now - FIRST_LOOK, |last| last - OVERLAP);
    let (mut cursor, mut is_whole) = (None::<String>, true);
    for _ in 0..PAGES_MAX {
        let asked_at = worker.engine.clock().now();
        let Some(answer) = page(worker, channel, (from, now), cursor.as_deref()).await else { return Ok(()) };
        let changes = match answer {
            CallResult::Done(changes) => changes,
            // It has no such list after all; its orders are asked for one by one.
            CallResult::Absent => return Ok(()),
            CallResult::Astray { why } => {
                report.unanswered += 1;
                tracing::error!(partner = %channel.id, "a partner answered about something else: {why}");
                let destination = Destination::Channel(channel.id.clone()).to_string();
                metrics::counter!("ticketbridge_answers_astray_total", "partner" => destination).increment(1);
                return Ok(());
            }
            CallResult::Retry { why, .. } | CallResult::Unknown { why } => {
                report.unanswered += 1;
                tracing::warn!(channel = %channel.id, "the channel's list of changes was not read, and is asked for again: {why}");
                return Ok(());
            }
            CallResult::Refused { code, .. } => {
                report.unanswered += 1;
                tracing::error!(channel = %channel.id, %code,
                    "the channel refuses its list of changes: lost messages are found only by asking for each order");
                return Ok(());
            }
            CallResult::Overtaken | CallResult::TokenRejected => {
                report.unanswered += 1;
                return Ok(());
            }
        };
        if changes.unread > 0 {
            tracing::warn!(channel = %channel.id, unread = changes.unread, "orders of the channel's list cannot be read");
        }
        for snapshot in changes.orders {
            is_whole &= take(worker, channel, snapshot, asked_at, report).await? == Heard::Once;
        }
        cursor = changes.next;
        if cursor.is_none() {
            // What could not be judged is to be listed once more.
            worker.changes_read.note(&channel.id, if is_whole { now } else { from + OVERLAP });
            return Ok(());
        }
    }
    report.unanswered += 1;
    tracing::error!(channel = %channel.id, pages = PAGES_MAX,
        "the channel's list of changes does not end: what stands behind these pages is not read, and is found only by asking for each order");
    Ok(())
}

/// One page; `None` when the channel has no list.
async fn page(
    worker: &Worker,
    channel: &RegisteredChannel,
    (from, to): (UnixMillis, UnixMillis),
    cursor: Option<&str>,
) -> Option<CallResult<Changes>> {
    let list = channel.channel.change_list()?;
    let write = |cx: &Context<'_>| list.call(from, to, cursor, cx);
    let read = |response: &HttpResponse| list.read(response);
    let exchange = worker.ask_channel(RECONCILE, channel, &write, &read).await.ok()?;
    Some(exchange.result)
}

/// What became of an entry of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    /// It is dealt with.
    Once,
    /// It is to be listed once more.
    Again,
}

async fn take(
    worker: &Worker,
    channel: &Arc<RegisteredChannel>,
    snapshot: Snapshot,
    asked_at: UnixMillis,
    report: &mut Reconciliation,
) -> Result<Heard, EngineError> {
    let (number, theirs) = (snapshot.sale.channel_order_id.clone(), snapshot.standing.revision);
    let known = worker.engine.order_about(channel, &number).await?;
    if known.as_ref().is_some_and(|order| !snapshot.is_news_to(order.channel_state.as_deref())) {
        return Ok(Heard::Once);
    }
    // Changes that nobody counts: what has changed here since the list was asked for may be newer than it.
    if theirs == 0 && known.as_ref().is_some_and(|order| order.updated_at > asked_at) {
        return Ok(Heard::Again);
    }
    let ours = known
        .as_ref()
        .and_then(|order| order.channel_state.as_deref())
        .map(|channel_state| channel_state.standing.revision);
    let running = worker.engine.running();
    let (order_id, repaired, reason) =
        match worker.engine.take_read_back(None, running, channel.clone(), Box::new(snapshot), known.as_ref()).await {
            Ok(applied) if !applied.changed => return Ok(Heard::Once),
            Ok(applied) => {
                let reason = "a message was lost; the order was taken over as the channel has it".to_owned();
                (applied.order.id.to_string(), true, reason)
            }
            Err(EngineError::Rejected(rejection)) => (String::new(), false, rejection.to_string()),
            Err(other) => return Err(other),
        };
    report.note(Difference {
        order_id,
        channel_order_id: number.to_string(),
        partner: channel.id.to_string(),
        field: "revision",
        ours: ours.map_or_else(|| "unknown".to_owned(), |revision| revision.to_string()),
        theirs: theirs.to_string(),
        reason,
        repaired,
    });
    Ok(Heard::Once)
}
