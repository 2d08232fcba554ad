// SPDX-License-Identifier: Apache-2.0

//! A recording played to this version and this configuration, in a fresh database, with the clock of the recording running as fast as it
//! goes. Nothing leaves the process: every call of ours is answered with what was answered then, and one that was not made then is a
//! finding. What comes of it is compared with what came of it then.
//!
//! [`play`] is the driver, [`by_itself`] does what happens by itself when it happened then, [`partners`] answers calls from the recording,
//! [`schedule`] has the place of everything, [`compare`] finds differences and groups them by their cause, [`expect`] knows which of them are
//! wanted.

mod before;
mod by_itself;
mod codes;
pub mod compare;
pub mod difference;
pub mod expect;
pub mod partners;
pub mod play;
mod schedule;
mod values;
mod waiting;

pub use compare::Report;
pub use expect::Expected;
pub use play::{ReplayError, replay};
