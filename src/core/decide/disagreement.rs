// SPDX-License-Identifier: Apache-2.0

//! What comes of a comparison of books.

/// One thing on which the channel's books and ours differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// What.
    pub field: &'static str,
    /// What we say.
    pub ours: String,
    /// What the channel says.
    pub theirs: String,
    /// For people.
    pub sentence: String,
}
