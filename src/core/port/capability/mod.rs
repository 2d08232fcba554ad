// SPDX-License-Identifier: Apache-2.0

//! What a partner can do beside what every one of them must: small traits, each of which a partner has or has not. Whoever wants something
//! asks for the trait first, so that nothing is tried on a partner that cannot.

mod backend;
mod channel;
mod table;

pub use backend::{Availability, Calls, CodePool, Hints, Holds, PoolStep, Pushes, Talks};
pub use channel::{AccessTokens, ChangeList, Cipher, OrderQuery, ReadBack, TakesStock, VerifyFirst};
pub use table::{BackendTable, CodeMaker, RedemptionNews, WatchPlan};
