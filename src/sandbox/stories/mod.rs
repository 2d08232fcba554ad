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
mod whole;

pub(crate) use script::text_at;
pub use script::{Broken, Script};

use chrono::{Days, NaiveDate};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::ops::Ops;
use super::{Journal, SimBackend, SimDouyin, SimOcto, SimTime};

/// A simulated channel, as far as every story needs it.
pub trait Channel: Clone + Send + Sync + 'static {
    /// Its name at the bridge.
    fn id(&self) -> &str;
    /// Its time.
    fn time(&self) -> &SimTime;
    /// What crossed the wire.
    fn journal(&self) -> &Journal;
    /// Today, where its days are counted.
    fn today(&self) -> NaiveDate;
    /// Stated time that the longest wait of its stories takes.
    fn longest_wait(&self) -> Duration;
    /// What its books hold against the bridge about these orders, a sentence each.
    fn held_against(&self, orders: &[String]) -> Vec<String>;
    /// Where its books differ from the order that the bridge shows, a sentence each.
    fn differences(&self, number: &str, order: &Value, backend: &SimBackend) -> Vec<String>;
    /// Puts the switches back.
    fn tidy(&self);
}

/// What a story is about to find out about: a bridge, and the simulators around it.
#[derive(Clone, Debug)]
pub struct Stage<C = SimDouyin> {
    /// The ops interface of the bridge.
    pub ops: Ops,
    /// The channel.
    pub channel: C,
    /// The back-end.
    pub backend: SimBackend,
    /// An OCTO supplier beside it, for the stories that need one.
    pub supplier: Option<Supplier>,
    /// How long the bridge may take for anything that has no longer limit, real time.
    pub patience: Duration,
    people: Arc<AtomicU64>,
}

impl<C: Channel> Stage<C> {
    /// A stage on which everybody is there.
    pub fn new(bridge_url: &str, ops_token: &str, channel: C, backend: SimBackend) -> Self {
        let first_person = u64::try_from(channel.time().now_s()).unwrap_or_default();
        Self {
            ops: Ops::new(bridge_url, ops_token),
            channel,
            backend,
            supplier: None,
            patience: Duration::from_secs(20),
            people: Arc::new(AtomicU64::new(first_person)),
        }
    }

    /// A visit on which the guest can go in at once.
    pub fn today(&self) -> NaiveDate {
        self.channel.today()
    }

    /// A visit in a while.
    pub fn in_days(&self, days: u64) -> NaiveDate {
        self.today().checked_add_days(Days::new(days)).unwrap_or_default()
    }

    /// The number of somebody who never came before.
    fn next_person(&self) -> u64 {
        self.people.fetch_add(1, Ordering::Relaxed)
    }
}

/// An OCTO supplier, and what of the bridge's configuration is about it.
#[derive(Clone, Debug)]
pub struct Supplier {
    /// The supplier.
    pub octo: SimOcto,
    /// The back-end's name at the bridge.
    pub backend: String,
    /// Where the bridge takes pushes; `None` where it takes none.
    pub hints: Option<String>,
    /// Which of the channel's products has its tickets from there.
    pub sells: usize,
    /// The same for one whose back-end gives up at the deadline.
    pub gives_up: Option<usize>,
}

impl Supplier {
    /// What its books hold against the bridge.
    fn violations(&self) -> Vec<String> {
        self.octo.with_books(|books| books.violations.clone())
    }
}

/// One thing a story found.
#[derive(Clone, Debug)]
pub struct Step {
    /// When, real time since the sandbox began.
    pub at: Duration,
    /// What was seen, in a sentence.
    pub text: String,
    /// Whether it is as it should be.
    pub good: bool,
}

/// How a story ended.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The story's name.
    pub name: &'static str,
    /// Whether everything was as it should be.
    pub passed: bool,
    /// What was seen, in order.
    pub steps: Vec<Step>,
    /// What was not as it should be.
    pub problems: Vec<String>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}", if self.passed { "ok    " } else { "FAILED" }, self.name)?;
        self.problems.iter().try_for_each(|problem| writeln!(f, "       {problem}"))
    }
}

/// A story may use up the patience of its stage this often before it is given up.
const STEPS_WITHIN_PATIENCE: u32 = 4;

type Run<C> = for<'a> fn(&'a mut Script<C>) -> Pin<Box<dyn Future<Output = Result<(), Broken>> + Send + 'a>>;

/// A story of one channel.
pub struct Story<C> {
    /// Its name, as given on the command line.
    pub name: &'static str,
    /// What it is about, in a line.
    pub about: &'static str,
    run: Run<C>,
}

impl<C> fmt::Debug for Story<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Story").field("name", &self.name).finish_non_exhaustive()
    }
}

macro_rules! story {
    ($name:literal, $about:literal, $run:path) => {
        $crate::stories::Story { name: $name, about: $about, run: |script| Box::pin($run(script)) }
    };
}
use story;

/// Plays one story and judges it. Switches and modes are put back afterwards.
pub async fn play<C: Channel>(story: &Story<C>, stage: &Stage<C>) -> Verdict {
    let mut script = Script::new(stage.clone());
    let limit = script.longest_wait() + stage.patience * STEPS_WITHIN_PATIENCE;
    match tokio::time::timeout(limit, (story.run)(&mut script)).await {
        Ok(Ok(())) => script.compare_books().await,
        Ok(Err(Broken(problem))) => script.fail(problem),
        Err(_) => {
            script.fail("the story did not come to its end: a call was answered badly until time was over".to_owned())
        }
    }
    script.judge_books();
    script.tidy();
    let (steps, problems) = script.into_findings();
    Verdict { name: story.name, passed: problems.is_empty(), steps, problems }
}

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
