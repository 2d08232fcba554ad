// SPDX-License-Identifier: Apache-2.0

//! A story, and how it is played and judged.

use std::fmt;
use std::pin::Pin;

use super::script::{Broken, Script, Step};
use super::stage::{Channel, Stage};

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
    pub(super) run: Run<C>,
}

impl<C> fmt::Debug for Story<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Story").field("name", &self.name).finish_non_exhaustive()
    }
}

macro_rules! story {
    ($name:literal, $about:literal, $run:path) => {
        $crate::stories::story::Story { name: $name, about: $about, run: |script| Box::pin($run(script)) }
    };
}
pub(super) use story;

/// Plays one story and judges it. Switches and modes are put back afterwards.
pub async fn play<C: Channel>(story: &Story<C>, stage: &Stage<C>) -> Verdict {
    let mut script = Script::new(stage.clone());
    let limit = script.longest_wait() + stage.patience * STEPS_WITHIN_PATIENCE;
    match tokio::time::timeout(limit, (story.run)(&mut script)).await {
        Ok(Ok(())) => {
            script.compare_books().await;
            script.judge_attention().await;
        }
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
