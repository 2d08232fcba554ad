// SPDX-License-Identifier: Apache-2.0

//! Refund cases: what waits for a person, and the decision.

use http::StatusCode;
use ticketbridge_core::message::Command;
use ticketbridge_core::quoted::FreeText;
use ticketbridge_core::{ChannelId, RefundCaseId};
use ticketbridge_store::RefundFilter;

use crate::engine::manual_commands::Keep;
use crate::http::ops::call::{Failure, Outcome, Request, Said};
use crate::http::ops::manual_commands::carry_out;
use crate::http::ops::query::listed;
use crate::http::ops::view;
use crate::http::problem::Problem;

/// `GET refunds`.
pub(crate) async fn list(request: Request) -> Outcome {
    let query = &request.query;
    let filter = RefundFilter {
        state: query.word("state"),
        channel: query.text("channel").map(ChannelId::from),
        within: request.reach.within(),
    };
    let page = request.shared.engine.store().list_refunds(&filter, &query.page()).await?;
    Ok(Said::ok(&listed(&page, |row| view::refund(&request.running, row))))
}

/// `POST refunds/{id}/approve`.
pub(crate) async fn approve(request: Request) -> Outcome {
    decide(request, |request, case| Command::ApproveRefund {
        case,
        fee: request.given.amount("fee"),
        without_backend: request.given.flag("without_backend"),
        reason: request.given.text("reason").map(FreeText::new),
    })
    .await
}

/// `POST refunds/{id}/reject`.
pub(crate) async fn reject(request: Request) -> Outcome {
    decide(request, |request, case| Command::RejectRefund { case, reason: request.given.needed("reason").into() }).await
}

fn unknown() -> Failure {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "there is no such refund case").into()
}

async fn decide(request: Request, command: impl FnOnce(&Request, RefundCaseId) -> Command) -> Outcome {
    let case = RefundCaseId::from(request.in_path("id"));
    let Some(order) = request.shared.engine.store().order_of_case(&case).await? else {
        return Err(unknown());
    };
    match request.shared.engine.store().load_order(&order).await? {
        Some(order) if request.reach.has_channel(&order.channel) => request.concerns(&order),
        Some(_) | None => return Err(unknown()),
    }
    let command = command(&request, case.clone());
    let body =
        carry_out(request, order, command, Keep::Answer, move |order| view::refund_of(order, case.as_str())).await?;
    Ok(Said::kept(body))
}
