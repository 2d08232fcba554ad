// SPDX-License-Identifier: Apache-2.0

//! Named stories: what happens to a guest, and the verdict on the bridge.
//!
//! A story is judged only from what any outsider can see: the books of the simulators and the ops interface. It needs a bridge on which
//! the simulators are configured as channel and back-end. What else a channel's stories need stands in its folder: [`douyin`],
//! [`kakao`], [`octo`], [`tripstore`].

pub mod douyin;
pub mod kakao;
pub mod octo;
pub mod tripstore;

mod script;
mod stage;
mod story;
mod whole;

pub(crate) use script::text_at;
pub use script::{Broken, Script, Step};
pub use stage::{Channel, Stage, Supplier};
pub use story::{Story, Verdict, play};

/// Every story's name and what it is about, by the adapter of the channel or the back-end that it plays.
pub fn listed() -> Vec<(&'static str, Vec<(&'static str, &'static str)>)> {
    fn lines<C>(stories: &[Story<C>]) -> Vec<(&'static str, &'static str)> {
        stories.iter().map(|story| (story.name, story.about)).collect()
    }
    vec![
        ("douyin", lines(douyin::STORIES)),
        ("kakao", lines(kakao::STORIES)),
        ("tripstore", lines(tripstore::STORIES)),
        ("octo", lines(octo::STORIES)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_different_over_all_channels() {
        let listed = listed();
        let mut names: Vec<&str> =
            listed.iter().flat_map(|(_, stories)| stories.iter().map(|(name, _)| *name)).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
