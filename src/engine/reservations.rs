// SPDX-License-Identifier: Apache-2.0

//! A reseller's list of its reservations: by its own name for them, by our number, by the day of the visit.

use ticketbridge_core::order::{Booking, Order};
use ticketbridge_core::port::WantedReservations;
use ticketbridge_core::{Date, Rejection, Why};
use ticketbridge_store::{OrderFilter, PageRequest};

use crate::engine::queries::Found;
use crate::engine::{Engine, EngineError, owned};
use crate::service::registry::RegisteredChannel;

/// Reservations that one answer holds at most: what a reseller reads at once.
const SHOWN_MAX: usize = 1_000;
/// Orders that are read at a time.
const PAGE: u32 = 200;

impl Engine {
    /// The reservations that fit, by day and age.
    pub(super) async fn reservations(
        &self,
        channel: &RegisteredChannel,
        wanted: &WantedReservations,
    ) -> Result<Found, EngineError> {
        let mut found = match (&wanted.reference, &wanted.number, wanted.dates) {
            (Some(reference), _, _) => {
                let hash = owned::reference(self.store.sealer(), &channel.id, reference);
                self.listed(&OrderFilter { guest: vec![hash], ..of_channel(channel) }, SHOWN_MAX + 1).await?
            }
            (None, Some(number), _) => {
                let filter = OrderFilter { q: Some(number.clone()), ..of_channel(channel) };
                self.listed(&filter, SHOWN_MAX).await?
            }
            (None, None, Some((from, to))) => self.visiting(channel, from, to).await?,
            (None, None, None) => Vec::new(),
        };
        found.retain(|order| order.booking.as_ref().is_some_and(|booking| fits(booking, wanted)));
        if found.len() > SHOWN_MAX {
            let sentence = format!("more than {SHOWN_MAX} bookings fit: ask for fewer days");
            return Ok(Found::Refused(Rejection::new(Why::Invalid, sentence)));
        }
        found.sort_by_cached_key(|order| {
            let day = order.booking.as_ref().and_then(|booking| booking.visit_date);
            (day, order.created_at, order.channel_order_id.to_string())
        });
        Ok(Found::Reservations(found))
    }

    async fn visiting(&self, channel: &RegisteredChannel, from: Date, to: Date) -> Result<Vec<Order>, EngineError> {
        let mut found = Vec::new();
        for offset in 0..=to.days_since(from).max(0) {
            let filter = OrderFilter { visit_date: Some(from.plus_days(offset)), ..of_channel(channel) };
            found.extend(self.listed(&filter, SHOWN_MAX + 1 - found.len().min(SHOWN_MAX)).await?);
            if found.len() > SHOWN_MAX {
                break;
            }
        }
        Ok(found)
    }

    async fn listed(&self, filter: &OrderFilter, most: usize) -> Result<Vec<Order>, EngineError> {
        let (mut found, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.store.list_orders(filter, &PageRequest { limit: PAGE, cursor }).await?;
            found.extend(page.items);
            cursor = page.next_cursor;
            if cursor.is_none() || found.len() >= most {
                return Ok(found);
            }
        }
    }
}

fn of_channel(channel: &RegisteredChannel) -> OrderFilter {
    OrderFilter { channel: Some(channel.id.clone()), ..OrderFilter::default() }
}

fn fits(booking: &Booking, wanted: &WantedReservations) -> bool {
    let reference = booking.hold.as_deref().and_then(|hold| hold.reference.as_ref());
    let is_on = |(from, to): (Date, Date)| booking.visit_date.is_some_and(|date| from <= date && date <= to);
    wanted.reference.as_ref().is_none_or(|wanted| reference == Some(wanted))
        && wanted.number.as_ref().is_none_or(|number| booking.id.as_str() == number)
        && wanted.dates.is_none_or(is_on)
}
