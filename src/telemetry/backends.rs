// SPDX-License-Identifier: Apache-2.0

//! How the back-ends fare, as numbers: what is under way there, what may keep a place, what is watched because nobody wants it any more,
//! and whether they are called at all.

use std::collections::BTreeMap;

use ticketbridge_core::message::{Destination, TicketOp};
use ticketbridge_core::order::{BookingState, TicketingState};
use ticketbridge_store::{AttemptCount, StoreError};

use crate::http::Shared;
use crate::telemetry::labels::word;

/// The states of tickets in which something is under way.
const UNDER_WAY: [TicketingState; 5] = [
    TicketingState::Queued,
    TicketingState::Requested,
    TicketingState::Unknown,
    TicketingState::Failed,
    TicketingState::Cancelling,
];

/// One back-end's numbers.
#[derive(Default)]
struct Numbers {
    attempts: BTreeMap<String, u64>,
    holds: u64,
    watch_list: u64,
}

impl Numbers {
    fn add(&mut self, count: &AttemptCount) {
        *self.attempts.entry(word(count.ticketing)).or_default() += count.many;
        if count.call == TicketOp::Issue.name() {
            self.holds += count.many;
        }
        if is_over(count.booking) {
            self.watch_list += count.many;
        }
    }
}

/// Whether nobody wants tickets for such a booking any more: what appears for it is cancelled.
fn is_over(booking: BookingState) -> bool {
    match booking {
        BookingState::Requested | BookingState::Confirmed => false,
        BookingState::Used | BookingState::NoShow | BookingState::Rejected | BookingState::Cancelled => true,
    }
}

/// Counts them anew.
pub(super) async fn refresh(shared: &Shared) -> Result<(), StoreError> {
    let counted = shared.engine.store().attempt_counts().await?;
    for backend in shared.engine.running().registry.backends() {
        let id = backend.id.to_string();
        let destination = Destination::Backend(backend.id.clone()).to_string();
        let mut numbers = Numbers::default();
        numbers.attempts.extend(UNDER_WAY.into_iter().map(|state| (word(state), 0)));
        counted.iter().filter(|count| count.destination == destination).for_each(|count| numbers.add(count));
        for (state, many) in numbers.attempts {
            let labels = [("backend", id.clone()), ("state", state)];
            metrics::gauge!("ticketbridge_backend_attempts", &labels).set(many as f64);
        }
        if backend.backend.spec().table.hold {
            metrics::gauge!("ticketbridge_backend_holds", "backend" => id.clone()).set(numbers.holds as f64);
        }
        metrics::gauge!("ticketbridge_backend_watch_list", "backend" => id.clone()).set(numbers.watch_list as f64);
        let breaker = shared.worker.lanes().lane(&destination).breaker;
        metrics::gauge!("ticketbridge_backend_breaker", "backend" => id).set(breaker.as_number());
    }
    Ok(())
}
