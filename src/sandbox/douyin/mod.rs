// SPDX-License-Identifier: Apache-2.0

//! A Douyin of our own: sells vouchers, calls the bridge, is called by it, and keeps books.
//!
//! Specification: `adapters/douyin/README.md`. What the protocol leaves open is read as chosen there.
//! It never looks inside the bridge: all it knows came over HTTP.
//!
//! [`sale`] and [`refunds`] are what guests and Douyin itself do, [`ticketing`] the ten minutes, [`spi`] what the bridge
//! is asked, [`api`] what the bridge can call, [`books`] what is remembered, [`options`] the switches.

pub mod api;
pub mod bodies;
pub mod books;
pub mod check;
pub mod options;
pub mod refunds;
pub mod sale;
pub mod spi;
pub mod ticketing;
pub mod tokens;
pub mod wire;

mod api_calls;
mod delivery;
mod running;

#[cfg(test)]
mod tests;

pub use books::{
    AfterSale, Books, Path, Refund, RefundState, Reservation, ReservationState, Rule, Visitor, VoucherState,
};
pub use options::{App, CreationTiming, Faults, Generation, Limits, RefundAt, Reorder, SimDouyinOptions, SimProduct};
pub use options::{Slow, TradeMode};
pub use refunds::{ForcedBy, RefundRequest, Refusal};
pub use running::SimDouyin;
pub use sale::{Creation, Outcome, Purchase};
pub use spi::{Answer, Failure, Spi};
