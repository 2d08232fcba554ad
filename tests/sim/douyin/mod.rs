// SPDX-License-Identifier: Apache-2.0

//! The bridge before a channel like Douyin, which asks and waits for answers: sales, bookings, demands for tickets, refunds, notices.

mod check;
mod op;
mod play;
mod reproductions;
mod world;

pub(crate) use play::Sim;
