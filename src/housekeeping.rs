// SPDX-License-Identifier: Apache-2.0

//! What the service does by itself, whatever anybody asks of it: jobs by the clock, what a back-end still has, and whether the books
//! of all sides agree.

pub mod availability;
pub mod reconcile;
pub mod schedule;
