// SPDX-License-Identifier: Apache-2.0

//! Orders that their channel leads: it tells them whole and moves them, we propose.

mod around;
mod elsewhere;
mod links;
mod outcome;
mod payments;
mod propose;
mod quote;
mod reach;
pub(super) mod sums;
mod sync;
mod unused;

pub(super) use around::Around;
pub(super) use links::{
    end_links_by, end_of_link, keep_time_of_link, make_link, record_link, revoke_link, revoked, send_link,
};
pub(super) use outcome::{failed, overtaken, record_agreement};
pub(super) use payments::return_payments;
pub(super) use propose::{Terms, ask_cancellation, confirm, partner_number, reject};
pub(super) use quote::{ask_price_again, record_quote};
pub(super) use sums::counted;
pub(super) use sync::sync;
pub(super) use unused::leave_used_out;
