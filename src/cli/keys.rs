// SPDX-License-Identifier: Apache-2.0

//! `ticketbridge keys rotate`: everything that is sealed with an older data key is sealed anew with the first one, while the service runs.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use ticketbridge_store::{Resealed, SealedColumn, Store, StoreError, Tx};

use crate::app;
use crate::cli::{ConfigDir, database, fail, say, serve};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::service::instance::fingerprint;

/// Rows of one transaction: short enough for the service beside it.
const BATCH_MAX: u32 = 100;
/// Rounds through the tables. A row that is new under an old key in each of them is written by somebody.
const ROUNDS_MAX: u32 = 5;

pub(super) async fn rotate(directory: ConfigDir) -> ExitCode {
    let config = match serve::load_on_host(&directory) {
        Ok(config) => config,
        Err(code) => return code,
    };
    if config.privacy.keys.len() < 2 {
        say("[privacy] key holds one key only: nothing but that key can open what is there");
    }
    if let Err(sentence) = database::is_there(&config) {
        return fail(sentence);
    }
    let store = match app::open_store(&config).await {
        Ok(store) => store,
        Err(error) => return fail(crate::trouble::chain(&error)),
    };
    if let Err(sentence) = everybody_holds(&store, &config).await {
        // What is wrong is said; that the database closes is no news then.
        let _closed = store.close().await;
        return fail(sentence);
    }
    let sealed = store.seal_what_was_clear(SystemClock::new().now()).await;
    let left = match sealed {
        Ok(()) => rotate_all(&store, progress).await,
        Err(error) => Err(error),
    };
    let closed = store.close().await;
    match (left, closed) {
        (Ok(0), Ok(())) => {
            say("nothing is left under an older key: it can be taken out of [privacy] key");
            ExitCode::SUCCESS
        }
        (Ok(left), Ok(())) => fail(format!(
            "{left} rows are under an older key again and again: an instance runs that does not know the new one; \
             reload or restart every instance, then repeat"
        )),
        (Err(error), _) | (_, Err(error)) => {
            fail(format!("{}; what was done is done: repeat the command to go on", crate::trouble::chain(&error)))
        }
    }
}

/// Makes sure that every instance that runs can open what the first key seals: one that cannot would answer nothing any more.
async fn everybody_holds(store: &Store, config: &Config) -> Result<(), String> {
    let Some(first) = config.data_keys().first().map(fingerprint) else { return Ok(()) };
    let instances = store.instances(SystemClock::new().now()).await.map_err(|error| crate::trouble::chain(&error))?;
    let without: Vec<String> = instances
        .into_iter()
        .filter(|instance| !instance.says.split(',').any(|held| held == first))
        .map(|instance| instance.name)
        .collect();
    if without.is_empty() {
        return Ok(());
    }
    Err(format!(
        "the first key of [privacy] key is not held by {}: nothing was done. Reload it (SIGHUP, or `ticketbridge config reload`) where the key \
         comes from a file; restart it where it comes from a variable, since a process keeps the variables that it was started with; one that \
         has died counts for 90 s. Then repeat",
        without.join(", ")
    ))
}

/// One line that is written over, on a terminal; elsewhere a line each.
fn progress(line: String) {
    let mut out = std::io::stdout();
    if !out.is_terminal() {
        return say(line);
    }
    let _nobody_reads = write!(out, "\r{line}\u{1b}[K").and_then(|()| out.flush());
    if line.split_whitespace().rev().step_by(2).take(2).collect::<Vec<_>>().windows(2).all(|ends| ends[0] == ends[1]) {
        say("");
    }
}

/// Seals everything anew that is not under the first key, saying how far it is; how many rows are left in the end.
///
/// # Errors
/// Store errors; a row under a key that is not in the list.
pub async fn rotate_all(store: &Store, mut say: impl FnMut(String)) -> Result<u64, StoreError> {
    let mut left = 0;
    for _round in 0..ROUNDS_MAX {
        left = 0;
        for column in SealedColumn::ALL {
            rotate_column(store, column, &mut say).await?;
        }
        for column in SealedColumn::ALL {
            left += store.under_old_keys(column).await?;
        }
        if left == 0 {
            break;
        }
    }
    Ok(left)
}

async fn rotate_column(
    store: &Store,
    column: &'static SealedColumn,
    say: &mut impl FnMut(String),
) -> Result<(), StoreError> {
    let total = store.under_old_keys(column).await?;
    if total == 0 {
        return Ok(());
    }
    let (mut done, mut after) = (0, None::<Vec<String>>);
    loop {
        let from = after.clone();
        let batch: Resealed = store
            .write("reseal", move |tx: &Tx| {
                let from = from.clone();
                Box::pin(async move { tx.reseal(column, from.as_deref(), BATCH_MAX).await })
            })
            .await?;
        done += batch.rows;
        say(format!("{:<22} {done} of {total}", column.name()));
        match batch.after {
            Some(last) => after = Some(last),
            None => return Ok(()),
        }
    }
}
