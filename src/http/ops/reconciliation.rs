//! Comparing books with the channels and back-ends: the last report, and a comparison now.

use http::StatusCode;
use serde_json::{Value, json};
use ticketbridge_core::{ChannelId, TimeZone, UnixMillis};

use crate::housekeeping::reconcile::{Reconciliation, Scope, reconcile};
use crate::http::ops::call::{Outcome, Request, Said};
use crate::http::ops::view;
use crate::http::problem::Problem;

fn shown(report: &Reconciliation, zone: TimeZone) -> Value {
    json!({
        "started_at": UnixMillis(report.started_ms).rfc3339(zone),
        "ended_at": UnixMillis(report.ended_ms).rfc3339(zone),
        "orders": report.orders,
        "unanswered": report.unanswered,
        "repaired": report.repaired,
        "differences": report.differences,
        "not_listed": report.not_listed,
    })
}

/// `GET reconciliation`.
pub(crate) async fn show(request: Request) -> Outcome {
    let Some(report) = request.shared.reconciliation.get() else {
        return Err(Problem::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "this instance has not compared books since it started; POST reconciliation does it now",
        )
        .into());
    };
    Ok(Said::ok(&shown(&report, view::common_zone(&request.running))))
}

/// `POST reconciliation`.
pub(crate) async fn compare(request: Request) -> Outcome {
    let channel = request.query.text("channel").map(ChannelId::new);
    let report = reconcile(&request.shared.worker, Scope::Open(channel)).await?;
    let said = Said::ok(&shown(&report, view::common_zone(&request.running)));
    request.shared.reconciliation.keep(report);
    Ok(said)
}
