// SPDX-License-Identifier: Apache-2.0

//! A ticketing back-end of our own, as `adapters/ticketing_http/README.md` describes one: it answers at once, later, wrongly or not at
//! all, as it is told, and keeps books of what it really did.

pub mod books;

mod events;
mod options;
mod running;
mod serve;

#[cfg(test)]
mod tests;

pub use books::{Books, Reservation, ReservationState};
pub use events::Event;
pub use options::{CancelMode, IssueMode, SimBackendOptions};
pub use running::SimBackend;
