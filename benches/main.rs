// SPDX-License-Identifier: Apache-2.0

//! `ticketbridge-bench`: measures a running bridge from outside, beside the ceiling of the database under it. See `README.md`.

mod books;
mod bridge;
mod ceiling;
mod database;
mod fill;
mod latency;
mod loads;
mod looks;
mod meter;
mod moment;
mod partners;
mod play;
mod process;
mod report;
mod run;
mod slow;
mod stage;
mod wire;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Measures a bridge, its partners and its database on this machine.
#[derive(Clone, Debug, Parser)]
#[command(name = "ticketbridge-bench", version, about)]
struct Arguments {
    /// sqlite, postgres, mysql (started here), or the address of a server whose account may create databases; every kind that is
    /// installed when left out
    #[arg(long, value_name = "DATABASE")]
    db: Vec<String>,
    /// Short loads: less than a minute for everything
    #[arg(long)]
    quick: bool,
    /// Only loads whose name holds this text
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Writes all figures for machines
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Then fills the database with so many finished orders, made by the product's own code, plays again, and says what it cost
    #[arg(long, value_name = "ORDERS", default_value_t = 0)]
    fill: u64,
    /// The same with so many armed timers; as many come due at once in the load `timers`
    #[arg(long, value_name = "TIMERS", default_value_t = 0)]
    timers: u64,
    /// Every sync of a file takes so many milliseconds longer
    #[arg(long, value_name = "MILLISECONDS")]
    slow_sync: Option<u64>,
    /// Another `ticketbridge` to measure, such as one built before a change
    #[arg(long, value_name = "PROGRAM")]
    bridge: Option<PathBuf>,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args();
    if arguments.nth(1).as_deref() == Some(bridge::AS_BRIDGE) {
        return as_bridge(arguments);
    }
    let arguments = Arguments::parse();
    if let Some(millis) = arguments.slow_sync.filter(|_| !slow::is_on()) {
        return fail(&slow::begin_again(millis * 1_000));
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    match runtime.block_on(run::run(arguments)) {
        Ok(run::Verdict::Clean) => ExitCode::SUCCESS,
        Ok(run::Verdict::Faults) => ExitCode::from(1),
        Err(error) => fail(&error),
    }
}

/// The bridge itself, in a process of its own: the same library, the same words.
fn as_bridge(arguments: impl Iterator<Item = String>) -> ExitCode {
    let arguments = std::iter::once("ticketbridge".to_owned()).chain(arguments);
    match ticketbridge::cli::Cli::try_parse_from(arguments) {
        Ok(arguments) => ticketbridge::cli::run(arguments),
        Err(error) => fail(&error.into()),
    }
}

fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("ticketbridge-bench: {error:#}");
    ExitCode::from(1)
}
