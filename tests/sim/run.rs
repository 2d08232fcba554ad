// SPDX-License-Identifier: Apache-2.0

//! From the command line to a verdict: how many steps, from which seed; what failed, as short as it can be told.

use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ticketbridge_core::order::Order;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::bench::{Bench, Failure};
use crate::dice::Dice;
use crate::{douyin, snapshot};

/// The kinds of worlds.
const KINDS: [&str; 2] = [<douyin::Sim as Play>::NAME, <snapshot::Sim as Play>::NAME];
/// Steps of each kind in a run that names no number: what a plain `cargo test` can afford.
const STEPS: usize = 4_000;
/// Steps of one world; then a fresh one begins, so that steps stay cheap.
const STEPS_OF_WORLD: usize = 2_000;
/// The seed of a run that names none: every plain run is the same.
const SEED: u64 = 1;
/// Kinds of failures after which a run ends; until then it goes on with the next world.
const FAILURES_MAX: usize = 6;
/// Longest time for making a failing list of steps shorter.
const SHRINK_FOR: Duration = Duration::from_secs(150);
/// Real time that one list of steps may take; a simulation that hangs fails instead.
const PATIENCE: Duration = Duration::from_secs(300);

struct Wish {
    steps: usize,
    seed: u64,
    verbose: bool,
    /// One kind of worlds; `None` is each of them.
    of: Option<String>,
}

/// A name, the variant of the world, and the steps.
pub(crate) type Reproduction<Op> = (&'static str, &'static str, Vec<Op>);

/// A kind of worlds: what can happen in one, and how it is carried out.
pub(crate) trait Play: Sized {
    /// What can happen in one step. A step names everything that it depends on, so that any list of steps can be run again, also with
    /// some of them left out.
    type Op: Clone + std::fmt::Debug;
    /// What the kind is called on the command line.
    const NAME: &'static str;
    /// Faults end, everything that is on the way arrives, and everything is worked off; then the world must be in order.
    const QUIET: Self::Op;
    /// Which variant of a world a seed has.
    fn variant(seed: u64) -> &'static str;
    /// What was once found.
    fn reproductions() -> Vec<Reproduction<Self::Op>>;
    async fn new(variant: &'static str) -> Self;
    fn bench(&self) -> &Bench;
    fn into_bench(self) -> Bench;
    /// The next step of a sequence.
    fn next(&self, dice: &mut Dice) -> Self::Op;
    async fn carry_out(&mut self, step: usize, op: &Self::Op) -> Result<(), Failure>;
    /// The orders that a failure names.
    async fn named_orders(&self, failure: &Failure) -> Vec<Order>;

    /// Carries one step out and checks what must hold at once.
    async fn step(&mut self, step: usize, op: &Self::Op) -> Result<(), Failure> {
        self.carry_out(step, op).await?;
        if let Some(sentence) = self.bench().world.partners.wrong().into_iter().next() {
            return Err(Failure(sentence));
        }
        match trouble() {
            Some(line) => Err(Failure(format!("trouble: {line}"))),
            None => Ok(()),
        }
    }
}

/// Lines of level error that nobody has looked at yet.
static TROUBLE: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The first error logged since the last look, unless a test asked for it or it is part of the play.
fn trouble() -> Option<String> {
    let lines = std::mem::take(&mut *TROUBLE.lock().unwrap_or_else(PoisonError::into_inner));
    let is_played =
        |line: &String| line.contains("a test wanted this commit to fail") || line.contains("a code pool is empty");
    lines.into_iter().find(|line| !is_played(line))
}

struct Errors;

impl<S: tracing::Subscriber> Layer<S> for Errors {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        struct Text(String);
        impl Visit for Text {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                self.0.push_str(&format!("{}={value:?} ", field.name()));
            }
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        TROUBLE.lock().unwrap_or_else(PoisonError::into_inner).push(text.0);
    }
}

/// The program.
pub(crate) fn main() -> ExitCode {
    let Some(wish) = wish() else {
        eprintln!("usage: cargo sim -- [--steps N] [--seed S | --replay S] [--of douyin|snapshot] [--verbose]");
        return ExitCode::from(2);
    };
    let level = tracing_subscriber::filter::LevelFilter::ERROR;
    let subscriber = tracing_subscriber::registry().with(Errors.with_filter(level));
    tracing::subscriber::set_global_default(subscriber).expect("nothing logs before this");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(everything(&wish))
}

fn wish() -> Option<Wish> {
    let mut wish = Wish { steps: STEPS, seed: SEED, verbose: false, of: None };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--steps" => wish.steps = arguments.next()?.replace('_', "").parse().ok()?,
            "--seed" | "--replay" => wish.seed = arguments.next()?.parse().ok()?,
            "--of" => wish.of = Some(arguments.next().filter(|kind| KINDS.contains(&kind.as_str()))?),
            "--verbose" => wish.verbose = true,
            // What `cargo test` says to all of its programs.
            "--list" => {
                println!("simulation: test\n\n1 test, 0 benchmarks");
                std::process::exit(0);
            }
            "--nocapture" | "--quiet" | "-q" | "--exact" | "--include-ignored" => {}
            "--test-threads" | "--format" | "--color" => drop(arguments.next()),
            other if other.starts_with("--") => return None,
            // A filter by name is for other programs.
            _ => {}
        }
    }
    Some(wish)
}

async fn everything(wish: &Wish) -> ExitCode {
    let wanted = |kind: &str| wish.of.as_deref().is_none_or(|of| of == kind);
    let mut passed = 0;
    let mut is_fine = true;
    if wanted(<douyin::Sim as Play>::NAME) {
        is_fine &= all_of::<douyin::Sim>(wish, &mut passed).await;
    }
    if wanted(<snapshot::Sim as Play>::NAME) && is_fine {
        is_fine &= all_of::<snapshot::Sim>(wish, &mut passed).await;
    }
    println!("{passed} passed, {} failed", if is_fine { 0 } else { 1 });
    if is_fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The reproductions of one kind of worlds, and so many steps of new ones.
#[expect(clippy::disallowed_methods, reason = "measures how fast the simulation itself is")]
async fn all_of<P: Play>(wish: &Wish, passed: &mut usize) -> bool {
    let begun = Instant::now();
    for (name, variant, ops) in P::reproductions() {
        if let Err((step, failure)) = run_list::<P>(variant, &numbered::<P>(&ops), Telling::Story).await {
            println!("reproduction {name} ... FAILED at step {step}: {}", failure.0);
            return false;
        }
        *passed += 1;
    }
    println!("simulation of {}: {} steps from seed {}", P::NAME, wish.steps, wish.seed);
    let mut found = Vec::new();
    let mut steps = 0;
    let mut world = 0;
    while steps < wish.steps {
        let seed = wish.seed.wrapping_add(world);
        let many = STEPS_OF_WORLD.min(wish.steps - steps);
        if let Err((ops, failure)) = run_seed::<P>(seed, many, wish.verbose).await {
            println!("FAILED: seed {seed}, step {}: {}", ops.len(), failure.0);
            if found.iter().all(|(_, _, known): &(u64, Vec<P::Op>, Failure)| known.class() != failure.class()) {
                found.push((seed, ops, failure));
            }
            if found.len() >= FAILURES_MAX {
                break;
            }
        }
        steps += many;
        world += 1;
        if world % 25 == 0 {
            println!(
                "{steps} steps, {world} worlds, {:.0} steps a second",
                steps as f64 / begun.elapsed().as_secs_f64()
            );
        }
    }
    for (seed, ops, failure) in &found {
        report::<P>(*seed, ops, failure).await;
    }
    if !found.is_empty() {
        return false;
    }
    let took = begun.elapsed().as_secs_f64();
    println!(
        "simulation of {} ok: {steps} steps in {world} worlds from seed {}, {took:.1} s, {:.0} steps a second",
        P::NAME,
        wish.seed,
        steps as f64 / took
    );
    *passed += 1;
    true
}

/// A step and its number, which it keeps when others are left out.
type Step<P> = (usize, <P as Play>::Op);

fn numbered<P: Play>(ops: &[P::Op]) -> Vec<Step<P>> {
    ops.iter().cloned().enumerate().collect()
}

async fn patiently<T>(what: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(PATIENCE, what).await.ok()
}

/// One world out of a seed. A failure comes with the steps that led to it.
async fn run_seed<P: Play>(seed: u64, steps: usize, verbose: bool) -> Result<(), (Vec<P::Op>, Failure)> {
    let mut dice = Dice::new(seed);
    let mut play = P::new(P::variant(seed)).await;
    let mut ops = Vec::with_capacity(steps);
    for index in 0..steps {
        let op = if index + 1 == steps { P::QUIET } else { play.next(&mut dice) };
        if verbose {
            println!("{index}: {op:?}");
        }
        ops.push(op.clone());
        match patiently(play.step(index, &op)).await {
            Some(Ok(())) => {}
            Some(Err(failure)) => {
                tell_story(&play, &failure).await;
                return Err((ops, failure));
            }
            None => return Err((ops, Failure("it hangs".to_owned()))),
        }
    }
    play.into_bench().end().await;
    Ok(())
}

/// Prints what happened to the orders that a failure names.
async fn tell_story<P: Play>(play: &P, failure: &Failure) {
    for order in play.named_orders(failure).await {
        play.bench().story(&order).await.iter().for_each(|line| println!("{line}"));
    }
}

/// Whether a failing list tells what happened in it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Telling {
    Nothing,
    Story,
}

/// A list of steps in a fresh world, and a quiet time at its end.
async fn run_list<P: Play>(variant: &'static str, ops: &[Step<P>], telling: Telling) -> Result<(), (usize, Failure)> {
    drop(trouble());
    let mut play = P::new(variant).await;
    for (index, (step, op)) in ops.iter().chain([&(usize::MAX, P::QUIET)]).enumerate() {
        match patiently(play.step(*step, op)).await {
            Some(Ok(())) => {}
            Some(Err(failure)) => {
                if telling == Telling::Story {
                    tell_story(&play, &failure).await;
                }
                return Err((index, failure));
            }
            None => return Err((index, Failure("it hangs".to_owned()))),
        }
    }
    play.into_bench().end().await;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "bounds the time for making a failure shorter")]
async fn report<P: Play>(seed: u64, ops: &[P::Op], failure: &Failure) {
    println!("\nfailure of seed {seed}, step {}: {}", ops.len(), failure.0);
    println!("again: cargo sim -- --of {} --seed {seed} --steps {}", P::NAME, ops.len().max(STEPS_OF_WORLD));
    let begun = Instant::now();
    let mut shortest = numbered::<P>(ops);
    let mut chunk = shortest.len().div_ceil(2);
    while chunk > 0 && begun.elapsed() < SHRINK_FOR {
        let mut at = 0;
        let mut is_shorter = false;
        while at < shortest.len() && begun.elapsed() < SHRINK_FOR {
            let mut fewer = shortest.clone();
            fewer.drain(at..(at + chunk).min(fewer.len()));
            match run_list::<P>(P::variant(seed), &fewer, Telling::Nothing).await {
                Err((step, found)) if found.class() == failure.class() => {
                    fewer.truncate(step + 1);
                    shortest = fewer;
                    is_shorter = true;
                }
                _ => at += chunk,
            }
        }
        if !is_shorter || chunk > 1 {
            chunk = if chunk == 1 { 0 } else { chunk.div_ceil(2) };
        }
    }
    println!("the shortest way there ({}, {} steps of {}):", P::variant(seed), shortest.len(), ops.len());
    for (step, op) in &shortest {
        println!("    ({step}, {op:?}),");
    }
    if let Err((_, found)) = run_list::<P>(P::variant(seed), &shortest, Telling::Story).await {
        println!("which says: {}", found.0);
    }
}
