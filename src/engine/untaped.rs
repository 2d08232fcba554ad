// SPDX-License-Identifier: Apache-2.0

//! The recording forgets an order's guests with the order: what was said and called about it is taken off the tape.

use std::sync::Arc;

use ticketbridge_core::Millis;
use ticketbridge_core::order::Order;
use ticketbridge_store::Tx;

use crate::engine::{Engine, EngineError};

/// Pieces that are read at a time.
const READ_MAX: u32 = 500;
/// What came before the order was written down, and led to it.
const BEFORE: Millis = Millis::minutes(10);

/// How an order is named in what is said about it: our own numbers, and its channel's.
struct Names {
    ours: Vec<String>,
    theirs: Vec<String>,
}

impl Names {
    fn of(order: &Order) -> Self {
        let bookings = || order.booking.iter().chain(&order.past_bookings);
        let ours = bookings().map(|booking| booking.id.to_string()).chain([order.id.to_string()]);
        let theirs = bookings().map(|booking| booking.channel_booking_id.to_string());
        Self { ours: ours.collect(), theirs: theirs.chain([order.channel_order_id.to_string()]).collect() }
    }

    fn are_in(&self, piece: &str) -> bool {
        self.ours.iter().any(|name| piece.contains(name)) || self.theirs.iter().any(|name| stands_in(piece, name))
    }
}

/// Whether a number stands in a text, and not only as a part of a longer one.
fn stands_in(text: &str, number: &str) -> bool {
    let goes_on = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '-' || c == '_');
    let stands = |(at, _): (usize, &str)| {
        !goes_on(text[..at].chars().next_back()) && !goes_on(text[at + number.len()..].chars().next())
    };
    !number.is_empty() && text.match_indices(number).any(stands)
}

impl Engine {
    /// Takes everything about an order off the tape. To be done before the order itself forgets: what fails here is done again with it.
    ///
    /// # Errors
    /// Store errors.
    pub(super) async fn forget_on_tape(&self, order: &Order) -> Result<(), EngineError> {
        let names = Names::of(order);
        let time = (order.created_at - BEFORE, self.clock.now() + BEFORE);
        let mut last = None;
        loop {
            let pieces = self.store.read_tape(time, last.as_ref(), READ_MAX).await?;
            let Some(end) = pieces.last().cloned() else { return Ok(()) };
            let about = |content: &[u8]| names.are_in(&String::from_utf8_lossy(content));
            let found = pieces.into_iter().filter(|piece| about(&piece.content)).map(|piece| piece.id);
            let found: Arc<Vec<String>> = Arc::new(found.collect());
            last = Some(end);
            if found.is_empty() {
                continue;
            }
            let forgotten = self.store.write("forget_on_tape", move |tx: &Tx| {
                let found = found.clone();
                Box::pin(async move { tx.forget_tape(&found).await })
            });
            forgotten.await.map_err(EngineError::Store)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::stands_in;

    #[test]
    fn a_number_is_found_whole() {
        for (text, expected) in [
            (r#"{"order_id":"V10"}"#, true),
            (r#"{\"order_id\":\"V10\"}"#, true),
            ("GET /v1/reservations/V10/confirm", true),
            ("V10", true),
            ("V100", false),
            ("RV10", false),
            ("V10-2", false),
            ("V1", false),
            ("여V10", false),
            ("V100 and V10.", true),
        ] {
            assert_eq!(stands_in(text, "V10"), expected, "{text}");
        }
        assert!(!stands_in("anything", ""));
    }
}
