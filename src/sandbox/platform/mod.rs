// SPDX-License-Identifier: Apache-2.0

//! What the simulated platforms have in common whose contract is ours (`docs/src/contract/signatures.md`, `adapters/kakao/README.md`): they tell whole orders
//! by signed events with a revision, repeat them until they are taken, serve signed calls, and keep books of their own.
//!
//! A platform says with [`Trade`] what it sells and what its calls do; everything on the wire is here. It never looks inside the
//! bridge: all it knows came over HTTP.
//!
//! [`books`] is what is remembered, [`tell`] how events are sent, [`serve`] how calls are answered, [`money`] payments and what of them
//! went back, [`options`] the switches.

pub mod books;
pub mod money;
pub mod options;
pub mod tell;

mod asked;
mod gate;
mod running;
mod serve;
mod trade;

#[cfg(test)]
mod tests;

pub use asked::{Asked, Said};
pub use books::{Books, CallRecord, EventRecord, Kept, Violation};
pub use gate::Gate;
pub use money::{Cancel, CancelKind, CancelStatus, Payment};
pub use options::{Answering, Faults, Limits, PlatformOptions};
pub use running::Platform;
pub use tell::Told;
pub use trade::{Desk, Event, Trade};
