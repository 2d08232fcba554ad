//! Orders that their channel tells whole: the channel moves such an order, we propose.

mod links;
mod outcome;
mod payments;
mod propose;
mod quote;
mod reach;
mod sync;

pub(super) use links::{record_link, revoke_link, send_link};
pub(super) use outcome::{record_agreement, record_failure};
pub(super) use payments::{is_wanted, return_payments};
pub(super) use propose::{Wish, accept, after_issue, ask_cancellation, decline};
pub(crate) use quote::quote_holds;
pub(super) use quote::record_quote;
pub(super) use sync::sync;
