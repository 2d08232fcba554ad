// SPDX-License-Identifier: Apache-2.0

//! A recording played to this version and this configuration, in a fresh database, with the clock of the recording running as fast as it
//! goes. Nothing leaves the process: every call of ours is answered with what was answered then, and one that was not made then is a
//! finding. What comes of it is compared with what came of it then.
//!
//! [`play`] is the driver, [`partners`] answers calls from the recording, [`compare`] finds differences and groups them by their cause,
//! [`expect`] knows which of them are wanted.

mod before;
pub mod compare;
pub mod difference;
pub mod expect;
pub mod partners;
pub mod play;
mod schedule;
mod waiting;

pub use compare::Report;
pub use expect::Expected;
pub use play::{ReplayError, replay};
