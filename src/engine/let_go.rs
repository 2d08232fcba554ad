// SPDX-License-Identifier: Apache-2.0

//! Places that a reseller has let go before anybody was asked for tickets: the back-end may keep them for us. Whoever calls back-ends gives them
//! back. What is lost on the way, because the process ends, runs out at the back-end by itself.

use std::sync::{Mutex, PoisonError};

use ticketbridge_core::Order;
use ticketbridge_core::order::{Booking, BookingState};
use tokio::sync::Notify;

/// Such places that wait to be given back, at most; more run out by themselves.
const WAITING_MAX: usize = 10_000;

/// Places that wait to be given back.
#[derive(Debug, Default)]
pub(crate) struct LetGo {
    waiting: Mutex<Vec<Order>>,
    told: Notify,
}

impl LetGo {
    /// An order has changed: perhaps its place is nobody's any more.
    pub(super) fn note(&self, order: &Order) {
        if !order.booking.as_ref().is_some_and(is_let_go) {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < WAITING_MAX {
            waiting.push(order.clone());
            drop(waiting);
            self.told.notify_one();
        }
    }

    /// Everything that waits.
    pub(crate) fn take(&self) -> Vec<Order> {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until something is to be given back.
    pub(crate) async fn told(&self) {
        self.told.notified().await;
    }
}

/// Whether a booking that was only kept is over, and nobody was asked for its tickets: then nothing else gives its place back.
fn is_let_go(booking: &Booking) -> bool {
    let is_over = match booking.state {
        BookingState::Rejected | BookingState::Cancelled => true,
        BookingState::Requested | BookingState::Confirmed | BookingState::Used | BookingState::NoShow => false,
    };
    is_over && booking.hold.is_some() && !booking.ticketing.asked
}
