// SPDX-License-Identifier: Apache-2.0

//! `ticketbridge backup` and `ticketbridge restore`: the SQLite database as one file, out and in again. A server's database has tools of its own.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ticketbridge_store::{Store, copy_to_new, give_name};

use crate::app;
use crate::cli::findings::{is_known, is_whole};
use crate::cli::{ConfigDir, fail, say, serve};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::trouble::chain;

/// What to do with a database that is no file.
const OF_A_SERVER: &str = "the configured database belongs to a server: use its own tools, pg_dump and pg_restore or mariadb-dump, as \
    docs/src/operating/upkeep.md shows";

pub(super) async fn backup(directory: ConfigDir, file: PathBuf) -> ExitCode {
    let config = match serve::load_on_host(&directory) {
        Ok(config) => config,
        Err(code) => return code,
    };
    // A volume that is not mounted, or a slip in the path, is no place for a copy.
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir());
    if let Some(folder) = folder {
        return fail(format!("there is no folder {}: nothing was copied; make it, or mount it", folder.display()));
    }
    match copy(&config, &file).await {
        Ok(bytes) => {
            say(format_args!(
                "{} ({}) is a copy of the database. Guests' data in it opens with the data key alone: keep that key in another place",
                file.display(),
                in_words(bytes)
            ));
            ExitCode::SUCCESS
        }
        Err(sentence) => fail(sentence),
    }
}

/// Copies the configured database to `file`; its size.
pub(super) async fn copy(config: &Config, file: &Path) -> Result<u64, String> {
    let store = open_there(config).await?;
    let copied = store.back_up(file).await.map_err(|error| chain(&error));
    // What went wrong is said above; that the database closes is no news then.
    let _closed = store.close().await;
    copied
}

/// The configured SQLite database, which must be there, with its schema as it is.
pub(super) async fn open_there(config: &Config) -> Result<Store, String> {
    let file = app::database_file(config).ok_or(OF_A_SERVER)?;
    if !file.exists() {
        return Err(format!("there is no database at {}; is [database] url right?", file.display()));
    }
    open_at(config, &file).await
}

/// An SQLite file with the configured keys, its schema as it is.
pub(super) async fn open_at(config: &Config, file: &Path) -> Result<Store, String> {
    let full = std::path::absolute(file).map_err(|error| format!("{}: {error}", file.display()))?;
    app::connect(config, &format!("sqlite://{}", full.display())).await.map_err(|error| chain(&error))
}

pub(super) async fn restore(directory: ConfigDir, file: PathBuf) -> ExitCode {
    let config = match serve::load_on_host(&directory) {
        Ok(config) => config,
        Err(code) => return code,
    };
    match put_back(&config, &file).await {
        Ok((target, held)) => {
            for (pool, many) in held {
                say(format_args!(
                    "{many} codes of the pool {pool} were left when the copy was made, and are held back: some may have been given to guests \
                     since. Withdraw those (ticketbridge codes withdraw {pool} FILE; the channel's orders and the gate's list name them), then \
                     let the others go: ticketbridge codes release {pool}"
                ));
            }
            say(format_args!(
                "{} is restored. Start one instance, then run `ticketbridge orders reconcile`: what partners did after the copy was made \
                 is asked for, and what cannot be taken over is shown",
                target.display()
            ));
            ExitCode::SUCCESS
        }
        Err(sentence) => fail(sentence),
    }
}

/// Pools, and how many of their codes are held back.
type HeldBack = Vec<(String, u64)>;

async fn put_back(config: &Config, file: &Path) -> Result<(PathBuf, HeldBack), String> {
    let target = app::database_file(config).ok_or(OF_A_SERVER)?;
    for suffix in ["", "-wal", "-shm"] {
        let there = PathBuf::from(format!("{}{suffix}", target.display()));
        if there.exists() {
            return Err(format!(
                "{} is there: stop the service and move it away first; a restore never writes over a database",
                there.display()
            ));
        }
    }
    if !file.is_file() {
        return Err(format!("there is no file {}", file.display()));
    }
    // The copy is looked at beside its place, so that only what can be used gets the database's name.
    let candidate = PathBuf::from(format!("{}.restoring", target.display()));
    // Of a restore that was killed: its log must not be taken for that of this copy.
    clear_away(&candidate);
    copy_to_new(file, &candidate).map_err(|error| chain(&error))?;
    let placed = match usable(config, &candidate).await {
        Ok(held) => give_name(&candidate, &target).map(|_| held).map_err(|error| chain(&error)),
        Err(sentence) => Err(format!("{}: {sentence}", file.display())),
    };
    clear_away(&candidate);
    placed.map(|held| (target, held))
}

/// Removes a database that nobody is to use, with the files beside it.
fn clear_away(file: &Path) {
    for suffix in ["", "-wal", "-shm", ".lock"] {
        drop(std::fs::remove_file(format!("{}{suffix}", file.display())));
    }
}

/// Whether a copy is whole, of a version that this program knows, and opens with the configured keys. Brings its schema up to date, and holds
/// back the codes that it takes for free: each is handed out once, and the copy does not know which were since.
async fn usable(config: &Config, candidate: &Path) -> Result<HeldBack, String> {
    let store = open_at(config, candidate).await?;
    let looked = async {
        is_whole(&store).await?;
        let gap = store.schema_gap().await.map_err(|error| chain(&error))?;
        if gap.pending.len() == ticketbridge_migrations::count() {
            return Err("this is no database of ticketbridge".to_owned());
        }
        is_known(&gap)?;
        store.migrate().await.map_err(|error| chain(&error))?;
        store.hold_back_all_codes(SystemClock::new().now()).await.map_err(|error| chain(&error))
    };
    let looked = looked.await;
    // A copy that cannot be used is thrown away, one that can has been brought to rest by closing it.
    let closed = store.close().await.map_err(|error| chain(&error));
    let held = looked?;
    closed?;
    // What is in the log alone would be left behind when the file gets its name.
    match std::fs::metadata(format!("{}-wal", candidate.display())) {
        Ok(log) if log.len() > 0 => Err("it did not come to rest in time; try again".to_owned()),
        Ok(_) | Err(_) => Ok(held),
    }
}

/// A size for people.
pub(super) fn in_words(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.iter().find(|(size, _)| bytes >= *size) {
        Some((size, unit)) => {
            let tenths = u128::from(bytes) * 10 / u128::from(*size);
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} bytes"),
    }
}
