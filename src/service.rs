// SPDX-License-Identifier: Apache-2.0

//! The running service as a thing: the configuration in force, the partners it names, how both change without a stop, and this process among
//! others on the same database.

pub(crate) mod batches;
pub mod held_secrets;
pub(crate) mod instance;
pub mod live;
pub mod propagation;
pub mod registry;
pub mod reload;
