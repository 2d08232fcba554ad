// SPDX-License-Identifier: Apache-2.0

//! The commands of `docs/src/contract/configuration.md`. Exit codes: 0 done, 1 refused or problems found, 2 wrong usage.

mod accounts;
mod backup;
mod check;
mod config_dir;
mod database;
mod doctor;
mod findings;
mod healthcheck;
mod init;
pub mod keys;
mod manager;
mod migrate;
pub mod ops;
mod progress;
mod record;
mod sandbox;
mod serve;
mod shell;
mod terminal;
pub mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::demo;
pub use config_dir::ConfigDir;
pub(crate) use terminal::{fail, say, warn};
use terminal::{in_one_thread, in_runtime};

/// Middleware between the places where tickets are sold and the systems that issue them.
#[derive(Debug, Parser)]
#[command(name = "ticketbridge", version, about, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service
    Serve {
        #[command(flatten)]
        config: ConfigDir,
        /// Make an SQLite database that is not there, with its own folder
        #[arg(long)]
        create: bool,
    },
    /// Play the example on this machine: a simulated Douyin, a simulated ticketing system, a throw-away database
    Demo {
        /// Stay up after the stories
        #[arg(long)]
        keep: bool,
    },
    /// Play a channel and a back-end against a running bridge, story by story
    Sandbox(sandbox::SandboxArguments),
    /// Read the configuration and print every problem as file:line, what is wrong, how to mend it
    Check {
        #[command(flatten)]
        config: ConfigDir,
        /// Explain a requirement instead, for example DY-03
        #[arg(long, value_name = "ID")]
        explain: Option<String>,
        /// Ask the configured back-ends as well, where they can be asked; nothing is changed there
        #[arg(long)]
        live: bool,
        /// The same, and hold one place at each for a moment
        #[arg(long)]
        live_hold: bool,
    },
    /// Write a commented starter configuration that passes `check`
    Init {
        /// A directory that is empty or does not exist yet
        #[arg(value_name = "DIR", default_value = "config")]
        directory: PathBuf,
        /// With a Kakao-style and a TripStore-style channel beside Douyin; also added to a configuration that is there
        #[arg(long)]
        korea: bool,
    },
    /// People: the first administrator, and help for those who cannot sign in
    #[command(subcommand)]
    Accounts(accounts::Accounts),
    /// Change the key that encrypts guests' data
    #[command(subcommand)]
    Keys(Keys),
    /// Bring the database schema up to date and exit
    Migrate {
        #[command(flatten)]
        config: ConfigDir,
        /// Only say what would be done and whether it can be, item by item; exit code 1 when it cannot
        #[arg(long)]
        check: bool,
    },
    /// Copy the SQLite database to a new file, while the service runs
    Backup {
        #[command(flatten)]
        config: ConfigDir,
        /// The copy; nothing may have that name yet
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Put a copy that `backup` has made where the configured SQLite database should be; never over one that is there
    Restore {
        #[command(flatten)]
        config: ConfigDir,
        /// The copy; it stays as it is
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Look through the database, and rehearse the day on which it is lost: copy it, restore the copy in a fresh place, open every order of
    /// it, compare counts and money. Changes nothing; exit code 1 when something is wrong
    Doctor {
        #[command(flatten)]
        config: ConfigDir,
        /// Rehearse with this copy instead of a fresh one
        #[arg(long, value_name = "FILE")]
        backup: Option<PathBuf>,
    },
    /// Ask the service on this machine whether it is alive; exit code 0 when it is
    Healthcheck {
        #[command(flatten)]
        config: ConfigDir,
        /// Ask whether it is ready, its database included
        #[arg(long)]
        ready: bool,
    },
    /// What was recorded, for trying another version or configuration on it
    #[command(subcommand)]
    Record(record::Record),
    /// Play a recording to this version and this configuration, and name everything that comes out otherwise. Nothing leaves this machine
    Replay(record::ReplayArguments),
    /// Check a captured request step by step: which application, which string was signed, where it differs
    Verify(verify::VerifyArguments),
    /// Every body of the contract as a JSON Schema: their names, or one of them
    Schemas {
        /// One of the names, for example kakao/event
        #[arg(value_name = "NAME")]
        name: Option<String>,
        /// Write all of them into this folder
        #[arg(long, value_name = "DIR", conflicts_with = "name")]
        out: Option<PathBuf>,
    },
    /// A script for your shell that completes commands, options and their values
    Completions {
        /// The shell
        #[arg(value_name = "SHELL")]
        shell: clap_complete::Shell,
    },
    /// The manual: all its pages into a folder, or the first one
    Man {
        /// The folder; to standard output when left out
        #[arg(value_name = "DIR")]
        directory: Option<PathBuf>,
    },
    #[command(flatten)]
    Ops(ops::OpsCommand),
}

/// `keys …`.
#[derive(Debug, Subcommand)]
enum Keys {
    /// Encrypt everything anew with the first key of `[privacy] key`, while the service runs. First put the new key in front of
    /// the list, and reload or restart every instance; afterwards take the old one out
    Rotate(ConfigDir),
}

/// Carries a command out, and says so.
pub fn run(arguments: Cli) -> ExitCode {
    terminal::all_said(carry_out(arguments))
}

fn carry_out(arguments: Cli) -> ExitCode {
    match arguments.command {
        Command::Serve { config, create } => {
            in_runtime(serve::serve(config, if create { serve::Missing::Make } else { serve::Missing::AsConfigured }))
        }
        Command::Demo { keep } => {
            in_runtime(demo::run(if keep { demo::Afterwards::Stay } else { demo::Afterwards::Leave }))
        }
        Command::Sandbox(arguments) => in_runtime(sandbox::sandbox(arguments)),
        Command::Check { config, explain: None, live, live_hold } if live || live_hold => {
            in_runtime(long("the back-ends are asked", check::live(config, live_hold)))
        }
        Command::Check { config, explain, .. } => check::check(&config, explain.as_deref()),
        Command::Init { directory, korea } => {
            let channels = if korea { demo::directory::Channels::WithKorea } else { demo::directory::Channels::Douyin };
            init::init(&directory, channels)
        }
        Command::Accounts(command) => in_runtime(accounts::accounts(command)),
        Command::Keys(Keys::Rotate(config)) => in_runtime(keys::rotate(config)),
        Command::Migrate { config, check: false } => {
            in_runtime(long("the schema is brought up to date", migrate::migrate(config)))
        }
        Command::Migrate { config, check: true } => {
            in_runtime(long("the migration is rehearsed", migrate::check(config)))
        }
        Command::Backup { config, file } => in_runtime(long("the database is copied", backup::backup(config, file))),
        Command::Restore { config, file } => in_runtime(long("the copy is put back", backup::restore(config, file))),
        Command::Doctor { config, backup } => {
            in_runtime(long("the database is looked through", doctor::doctor(config, backup)))
        }
        Command::Healthcheck { config, ready } => {
            let question = if ready { healthcheck::Question::Ready } else { healthcheck::Question::Alive };
            in_runtime(healthcheck::healthcheck(config, question))
        }
        Command::Record(command) => in_runtime(long("the recording is read", record::record(command))),
        Command::Replay(arguments) => in_one_thread(long("the recording is played", record::play(arguments))),
        Command::Verify(arguments) => verify::verify(&arguments),
        Command::Schemas { name, out } => shell::schemas(name.as_deref(), out.as_deref()),
        Command::Completions { shell } => shell::completions(shell, Cli::command()),
        Command::Man { directory } => shell::man(directory, Cli::command()),
        Command::Ops(command) => in_runtime(ops::run(command)),
    }
}

/// Work that says that it goes on, where it takes longer than two seconds.
async fn long(what: &'static str, work: impl Future<Output = ExitCode>) -> ExitCode {
    let _going_on = progress::Progress::of(what);
    work.await
}

#[cfg(test)]
mod tests;
