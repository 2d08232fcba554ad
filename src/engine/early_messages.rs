// SPDX-License-Identifier: Apache-2.0

//! Messages that came before their order: kept, and carried out once it is there (H1).

use ticketbridge_core::message::Command;
use ticketbridge_core::order::Order;
use ticketbridge_core::{Answering, ExternalId};
use ticketbridge_store::Tx;

use crate::engine::counts::counted;
use crate::engine::{Applied, Change, EngineError};
use crate::service::registry::RegisteredChannel;

/// What came too early is carried out now, in the order in which it came (H1).
pub(crate) async fn apply_remembered(
    tx: &Tx,
    change: &Change<'_>,
    channel: &RegisteredChannel,
    applied: Applied,
    reference: &ExternalId,
) -> Result<Applied, EngineError> {
    let mut current = applied;
    let remembered: Vec<Command> = tx.take_remembered(&channel.id, reference, &current.order.id).await?;
    for (index, command) in remembered.iter().enumerate() {
        let later = Change { answering: Answering::Nobody, ..change.next(2 + index as u128) };
        match carry_out_remembered(tx, &later, current.order.clone(), command).await {
            Ok(next) => current = Applied { changed: current.changed || next.changed, ..next },
            Err(EngineError::Rejected(rejection)) => {
                tracing::warn!(order = %current.order.id, command = command.name(), code = rejection.why.code(),
                    "a message that had come too early no longer applies");
            }
            Err(other) => return Err(other),
        }
    }
    Ok(current)
}

async fn carry_out_remembered(
    tx: &Tx,
    change: &Change<'_>,
    order: Order,
    command: &Command,
) -> Result<Applied, EngineError> {
    let command = &counted(tx, &order, command.clone()).await?;
    let applied = change.on_locked(tx, order, command).await?;
    let Command::RequestTickets { target, .. } = command else { return Ok(applied) };
    // Its answer has said "not yet", some time ago.
    let deferred = Command::AnswerTickets { target: target.clone(), with_tickets: false };
    change.next(1 << 32).on_locked(tx, applied.order, &deferred).await
}
