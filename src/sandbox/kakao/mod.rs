// SPDX-License-Identifier: Apache-2.0

//! A Kakao-style booking platform of our own (`adapters/kakao/README.md`): sells visits of the bridge's product, tells the bridge of every
//! change, does what it is asked, and keeps books.
//!
//! [`books`] is a reservation and how it is told, [`policy`] what cancelling it costs, [`guest`] what guests and the platform do,
//! [`calls`] what the bridge can ask.

pub mod books;
pub mod guest;
pub mod policy;

mod calls;

#[cfg(test)]
mod tests;

pub use books::{Accepts, Reservation, Status};
pub use guest::Wish;
pub use policy::Policy;

use super::platform::Platform;

/// A running Kakao-style platform.
pub type SimKakao = Platform<Reservation>;
