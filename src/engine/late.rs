// SPDX-License-Identifier: Apache-2.0

//! A call that was sent long before it arrived: the channel's limits have run meanwhile, and a person should know.

use ticketbridge_core::UnixMillis;
use ticketbridge_core::message::Command;
use ticketbridge_core::order::Order;
use ticketbridge_core::order::channel_state::Stage;
use ticketbridge_core::port::{Inbound, Message};
use ticketbridge_store::{InboxVerdict, Tx};

use crate::engine::routing::Taken;
use crate::engine::{Applied, Change, EngineError, Incoming};

/// Shows it on the order, in the transaction that takes the message.
pub(crate) async fn show(
    tx: &Tx,
    change: &Change<'_>,
    incoming: &Incoming,
    taken: Taken,
) -> Result<Taken, EngineError> {
    let (Some(by), Some(applied), InboxVerdict::Accepted) = (incoming.late, &taken.applied, taken.verdict) else {
        return Ok(taken);
    };
    if !does_somebody_wait(incoming, &applied.order, change.moment.now) {
        return Ok(taken);
    }
    let command = Command::RecordLate { call: incoming.endpoint.name.to_owned(), by };
    let in_reserve = applied.in_reserve.clone();
    let shown = change.next(STEP).on(tx, &applied.order.id, &command, None).await?;
    Ok(Taken { applied: Some(Applied { changed: true, in_reserve, ..shown }), ..taken })
}

/// What keeps this change's identifiers apart from those of the message itself and of what follows from it.
const STEP: u128 = 1 << 64;

/// A sale, a booking, a demand for tickets or a request for money back: somebody waits. A channel that tells whole orders says so by where
/// the order stands, or by the order being new.
fn does_somebody_wait(incoming: &Incoming, order: &Order, now: UnixMillis) -> bool {
    let Inbound::Message(envelope) = &incoming.inbound else { return false };
    match &envelope.message {
        Message::Sale(_) | Message::Booking { .. } => true,
        Message::Snapshot(snapshot) => match snapshot.standing.stage {
            Stage::Requested | Stage::CancelRequested { .. } => true,
            Stage::Confirmed => order.created_at == now,
            Stage::Rejected | Stage::Cancelled | Stage::Used | Stage::NoShow => false,
        },
        Message::Act(command) => is_waited_for(command),
        Message::Listing(_) | Message::Note { .. } => false,
    }
}

/// Whether somebody waits for what a channel asks by this command.
fn is_waited_for(command: &Command) -> bool {
    matches!(
        command,
        Command::RequestTickets { .. }
            | Command::ApplyRefund(_)
            | Command::RecordRefund(_)
            | Command::Reservation { .. }
    )
}
