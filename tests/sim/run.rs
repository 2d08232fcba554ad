//! From the command line to a verdict: how many steps, from which seed; what failed, as short as it can be told.

use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::op::{Dice, Op, next};
use crate::reproductions;
use crate::sim::{Failure, Sim};

/// Steps of a run that names no number: what a plain `cargo test` can afford.
const STEPS: usize = 4_000;
/// Steps of one world; then a fresh one begins, so that steps stay cheap.
const STEPS_OF_WORLD: usize = 2_000;
/// The seed of a run that names none: every plain run is the same.
const SEED: u64 = 1;
/// Longest time for making a failing list of steps shorter.
const SHRINK_FOR: Duration = Duration::from_secs(240);
/// Real time that one list of steps may take; a simulation that hangs fails instead.
const PATIENCE: Duration = Duration::from_secs(300);

struct Wish {
    steps: usize,
    seed: u64,
    verbose: bool,
}

/// Lines of level error that nobody has looked at yet.
static TROUBLE: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The first error logged since the last look, unless a test asked for it or it is part of the play.
pub(crate) fn trouble() -> Option<String> {
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
        eprintln!("usage: cargo sim -- [--steps N] [--seed S | --replay S] [--verbose]");
        return ExitCode::from(2);
    };
    let level = tracing_subscriber::filter::LevelFilter::ERROR;
    let subscriber = tracing_subscriber::registry().with(Errors.with_filter(level));
    tracing::subscriber::set_global_default(subscriber).expect("nothing logs before this");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(everything(&wish))
}

fn wish() -> Option<Wish> {
    let mut wish = Wish { steps: STEPS, seed: SEED, verbose: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--steps" => wish.steps = arguments.next()?.replace('_', "").parse().ok()?,
            "--seed" | "--replay" => wish.seed = arguments.next()?.parse().ok()?,
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

#[expect(clippy::disallowed_methods, reason = "measures how fast the simulation itself is")]
async fn everything(wish: &Wish) -> ExitCode {
    let begun = Instant::now();
    let mut passed = 0;
    for (name, confirm, ops) in reproductions::all() {
        if let Err((step, failure)) = run_list(confirm, &numbered(&ops), Telling::Story).await {
            println!("reproduction {name} ... FAILED at step {step}: {}\n{passed} passed, 1 failed", failure.0);
            return ExitCode::FAILURE;
        }
        passed += 1;
    }
    println!("simulation: {} steps from seed {}", wish.steps, wish.seed);
    let mut steps = 0;
    let mut world = 0;
    while steps < wish.steps {
        let seed = wish.seed.wrapping_add(world);
        let many = STEPS_OF_WORLD.min(wish.steps - steps);
        if let Err((ops, failure)) = run_seed(seed, many, wish.verbose).await {
            report(seed, &ops, &failure).await;
            println!("{passed} passed, 1 failed");
            return ExitCode::FAILURE;
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
    let took = begun.elapsed().as_secs_f64();
    println!(
        "simulation ok: {steps} steps in {world} worlds from seed {}, {took:.1} s, {:.0} steps a second",
        wish.seed,
        steps as f64 / took
    );
    println!("{} passed, 0 failed", passed + 1);
    ExitCode::SUCCESS
}

/// Whether this world's channel learns of acceptance in the answer or by a call.
fn confirm_of(seed: u64) -> &'static str {
    if seed.is_multiple_of(3) { "async" } else { "sync" }
}

/// A step and its number, which it keeps when others are left out.
type Step = (usize, Op);

fn numbered(ops: &[Op]) -> Vec<Step> {
    ops.iter().cloned().enumerate().collect()
}

async fn patiently<T>(what: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(PATIENCE, what).await.ok()
}

/// One world out of a seed. A failure comes with the steps that led to it.
async fn run_seed(seed: u64, steps: usize, verbose: bool) -> Result<(), (Vec<Op>, Failure)> {
    let mut dice = Dice::new(seed);
    let mut sim = Sim::new(confirm_of(seed)).await;
    let mut ops = Vec::with_capacity(steps);
    for index in 0..steps {
        let op = if index + 1 == steps { Op::Quiet } else { next(&mut dice, &sim.census()) };
        if verbose {
            println!("{index}: {op:?}");
        }
        ops.push(op.clone());
        match patiently(sim.step(index, &op)).await {
            Some(Ok(())) => {}
            Some(Err(failure)) => return Err((ops, failure)),
            None => return Err((ops, Failure("it hangs".to_owned()))),
        }
    }
    sim.end().await;
    Ok(())
}

/// Whether a failing list tells what happened in it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Telling {
    Nothing,
    Story,
}

/// A list of steps in a fresh world, and a quiet time at its end.
async fn run_list(confirm: &str, ops: &[Step], telling: Telling) -> Result<(), (usize, Failure)> {
    drop(trouble());
    let mut sim = Sim::new(confirm).await;
    for (index, (step, op)) in ops.iter().chain([&(usize::MAX, Op::Quiet)]).enumerate() {
        match patiently(sim.step(*step, op)).await {
            Some(Ok(())) => {}
            Some(Err(failure)) => {
                if telling == Telling::Story {
                    sim.story(&failure).await.iter().for_each(|line| println!("{line}"));
                }
                return Err((index, failure));
            }
            None => return Err((index, Failure("it hangs".to_owned()))),
        }
    }
    sim.end().await;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "bounds the time for making a failure shorter")]
async fn report(seed: u64, ops: &[Op], failure: &Failure) {
    println!("FAILED: seed {seed}, step {}: {}", ops.len(), failure.0);
    println!("again: cargo sim -- --seed {seed} --steps {}", ops.len().max(STEPS_OF_WORLD));
    let begun = Instant::now();
    let mut shortest = numbered(ops);
    let mut chunk = shortest.len().div_ceil(2);
    while chunk > 0 && begun.elapsed() < SHRINK_FOR {
        let mut at = 0;
        let mut is_shorter = false;
        while at < shortest.len() && begun.elapsed() < SHRINK_FOR {
            let mut fewer = shortest.clone();
            fewer.drain(at..(at + chunk).min(fewer.len()));
            match run_list(confirm_of(seed), &fewer, Telling::Nothing).await {
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
    println!("the shortest way there ({}, {} steps of {}):", confirm_of(seed), shortest.len(), ops.len());
    for (step, op) in &shortest {
        println!("    ({step}, {op:?}),");
    }
    if let Err((_, found)) = run_list(confirm_of(seed), &shortest, Telling::Story).await {
        println!("which says: {}", found.0);
    }
}
