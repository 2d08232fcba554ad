// SPDX-License-Identifier: Apache-2.0

//! Comparing books with the channels and back-ends: the last report, and a comparison now.

use http::StatusCode;
use ticketbridge_core::{ChannelId, TimeZone, UnixMillis};

use crate::housekeeping::reconcile::{Reconciliation, Scope, reconcile};
use crate::http::ops::answers::{Time, books};
use crate::http::ops::call::{Outcome, Request, Said};
use crate::http::ops::config::everything_only;
use crate::http::ops::query::refused;
use crate::http::ops::view;
use crate::http::problem::Problem;

/// A report tells of everybody's orders at once; who sees a part of them compares that part himself.
fn shown(report: &Reconciliation, zone: TimeZone) -> books::Reconciliation<'_> {
    books::Reconciliation {
        started_at: Time::of(UnixMillis(report.started_ms), zone),
        ended_at: Time::of(UnixMillis(report.ended_ms), zone),
        orders: report.orders,
        unanswered: report.unanswered,
        repaired: report.repaired,
        differences: &report.differences,
        not_listed: report.not_listed,
    }
}

/// `GET reconciliation`.
pub(crate) async fn show(request: Request) -> Outcome {
    everything_only(&request)?;
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
    if !request.reach.is_everything() && !channel.as_ref().is_some_and(|channel| request.reach.has_channel(channel)) {
        return Err(refused("channel", "name a channel of yours").into());
    }
    let report = reconcile(&request.shared.worker, Scope::Open(channel)).await?;
    let said = Said::ok(&shown(&report, view::common_zone(&request.running)));
    if request.reach.is_everything() {
        request.shared.reconciliation.keep(report);
    }
    Ok(said)
}
