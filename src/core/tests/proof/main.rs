// SPDX-License-Identifier: Apache-2.0

//! The proof of the core, through its public face only: stories by name, every pair of state and command, random histories, and an
//! exhaustive search of an order among unreliable partners.

mod books;
mod copies;
mod details;
mod entries;
mod hazards;
mod histories;
mod kept;
mod matrix;
mod model;
mod platform;
mod refund_matrix;
mod regressions;
mod support;
mod tale;
mod whole_histories;
mod whole_model;
mod whole_regressions;
mod whole_returns;
