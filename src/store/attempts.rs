// SPDX-License-Identifier: Apache-2.0

//! What is under way at the back-ends: the bookings for which a delivery to one is still to be made.

use ticketbridge_core::order::{BookingState, TicketingState};

use crate::connect::Store;
use crate::dialect::{Query, get, get_count, get_word, values};
use crate::error::StoreError;

/// How many bookings stand alike at one back-end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptCount {
    /// At which back-end, as a delivery's destination.
    pub destination: String,
    /// The call that is to be made next: `issue`, `query`, `cancel`.
    pub call: String,
    /// Where the order's tickets stand.
    pub ticketing: TicketingState,
    /// Where the order's booking stands.
    pub booking: BookingState,
    /// How many.
    pub many: u64,
}

impl Store {
    /// What is under way at the back-ends; as much work as deliveries wait, however many orders there are.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn attempt_counts(&self) -> Result<Vec<AttemptCount>, StoreError> {
        let sql = "SELECT d.destination, d.call_name, o.ticketing_state, o.booking_state, COUNT(DISTINCT o.id) AS many \
                   FROM job d JOIN orders o ON o.id = d.order_id \
                   WHERE d.state = 'pending' AND d.destination LIKE 'backend:%' \
                   AND o.ticketing_state IS NOT NULL AND o.booking_state IS NOT NULL \
                   GROUP BY d.destination, d.call_name, o.ticketing_state, o.booking_state";
        let rows = self.rows(sql, values![]).await?;
        rows.iter()
            .map(|row| {
                Ok(AttemptCount {
                    destination: get(row, "destination")?,
                    call: get(row, "call_name")?,
                    ticketing: get_word(row, "ticketing_state")?,
                    booking: get_word(row, "booking_state")?,
                    many: get_count(row, "many")?,
                })
            })
            .collect()
    }
}
