// SPDX-License-Identifier: Apache-2.0

//! What may be sold, booked and refunded: the rules DY-03, DY-05 to DY-09, DY-12 and the fees of DY-15, by
//! subject. Pure functions over values; whoever calls brings the present, and the counts that others' orders add up to.
//!
//! A refusal is a [`Rejection`](crate::Rejection) with the code that channels have for it (`adapters/douyin/README.md`). Its
//! sentence names the rule and never a guest's data.

pub mod booking;
pub mod cancel_policy;
pub mod cancel_price;
pub mod capacity;
pub mod credit;
pub mod dates;
pub mod documents;
pub mod fees;
pub mod for_sale;
pub mod guests;
pub mod limits;
pub mod names;
pub mod pairing;
pub mod phone;
pub mod purchase_limits;
pub mod sale;
#[cfg(test)]
pub(crate) mod samples;

pub use booking::check_booking;
pub use dates::{cancellable_at, valid_until};
pub use fees::refund_fee;
pub use sale::{check_direct_price, check_sale};
