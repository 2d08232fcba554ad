// SPDX-License-Identifier: Apache-2.0

//! The pages, one file each; a page's path is its file's name.

pub(crate) mod account;
pub(crate) mod audit;
pub(crate) mod bulk;
pub(crate) mod codes;
pub(crate) mod deadlines;
pub(crate) mod deliveries;
pub(crate) mod factor;
pub(crate) mod inbox;
pub(crate) mod invitation;
pub(crate) mod members;
pub(crate) mod order;
pub(crate) mod orders;
pub(crate) mod partners;
pub(crate) mod passkeys;
pub(crate) mod reconciliation;
pub(crate) mod refunds;
pub(crate) mod reset;
pub(crate) mod settings;
pub(crate) mod sign_in;
pub(crate) mod sign_up;
pub(crate) mod statements;
pub(crate) mod today;
pub(crate) mod with;
