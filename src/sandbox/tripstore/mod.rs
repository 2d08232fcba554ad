// SPDX-License-Identifier: Apache-2.0

//! A TripStore-style marketplace of our own, and the books of the travel agency behind it (`adapters/tripstore/README.md`): sells departures of
//! the bridge's product, takes deposits and balances, sends payment links, and keeps books; the agency is told of every booking.
//!
//! [`books`] is a booking and how it is told, [`guest`] what travellers and the agency do, [`calls`] what the bridge can ask of the
//! marketplace, [`agency`] the agency's own books.

pub mod agency;
pub mod books;
pub mod guest;

mod calls;

#[cfg(test)]
mod tests;

pub use agency::AgencyBooking;
pub use books::{Booking, Link, LinkState, Owner, Status, Way};
pub use guest::Wish;

use super::platform::{Platform, PlatformOptions};

/// A running marketplace, and the agency's books.
#[derive(Clone, Debug)]
pub struct SimTripStore {
    /// The marketplace.
    pub market: Platform<Booking>,
    /// The agency's books.
    pub agency: Platform<AgencyBooking>,
}

impl SimTripStore {
    /// Starts both.
    ///
    /// # Errors
    /// When an address cannot be had.
    pub async fn start(market: PlatformOptions, agency: PlatformOptions) -> std::io::Result<Self> {
        Ok(Self { market: Platform::start(market).await?, agency: Platform::start(agency).await? })
    }
}
