// SPDX-License-Identifier: Apache-2.0

//! What the ops interface answers: one type for each shape of `docs/src/contract/ops.md`. The handlers fill them, the OpenAPI document and
//! the served schemas are made from them, so the three cannot disagree.

pub(crate) mod books;
pub(crate) mod bulk;
pub(crate) mod config;
pub(crate) mod guests;
pub(crate) mod history;
pub(crate) mod next_steps;
pub(crate) mod order;
pub(crate) mod organisation;
pub(crate) mod partners;
pub(crate) mod passkeys;
pub(crate) mod people;
pub(crate) mod refund;
mod shape;

pub(crate) use shape::{Anything, Date, Listed, Shape, Time, or_null};
