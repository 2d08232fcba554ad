// SPDX-License-Identifier: Apache-2.0

//! A check against a running back-end, before the first sale.

use crate::port::{Call, Context, HttpResponse};
use crate::product::{BackendTerms, Currency};

/// A product of ours that a back-end issues, for a check against the running system.
#[derive(Clone, Copy, Debug)]
pub struct LiveProduct<'a> {
    /// Our code of it.
    pub code: &'a str,
    /// Its name there.
    pub product: &'a str,
    /// What else is configured of it.
    pub terms: &'a BackendTerms,
    /// Visitors of one unit.
    pub visitors_per_unit: u32,
    /// The lowest price that one unit of it is sold for, in the minor unit, where the configuration says it.
    pub sold_for: Option<(i64, &'a Currency)>,
}

/// Questions to a running back-end before the first sale, one after the other.
pub trait LiveCheck: Send {
    /// The next question; `None` at the end.
    fn next(&mut self, cx: &Context<'_>) -> Option<Call>;
    /// The answer to it.
    fn answered(&mut self, response: &HttpResponse, cx: &Context<'_>);
    /// There was none.
    fn unanswered(&mut self, why: &str);
    /// What was found.
    fn findings(&self) -> &[LiveFinding];
    /// What was done there, a sentence each: a person wants to know what a supplier saw of it.
    fn done(&self) -> &[String];
}

/// Something that a check against the running system found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveFinding {
    /// It works, and should not stay.
    pub warning: bool,
    /// The code of the product that it is about; of none, it is about the back-end's own settings.
    pub product: Option<String>,
    /// What is wrong.
    pub sentence: String,
    /// How to mend it.
    pub mend: String,
}
