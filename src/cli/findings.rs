// SPDX-License-Identifier: Apache-2.0

//! Findings about a database, item by item, as `doctor`, `migrate --check` and `restore` judge them.

use std::process::ExitCode;

use ticketbridge_store::{SchemaGap, Store};

use crate::cli::{fail, say};
use crate::trouble::chain;

/// What was found, item by item, as it is found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    failed: u32,
}

impl Findings {
    /// Says what an item came to.
    pub(super) fn note(&mut self, item: &str, found: Result<String, String>) {
        match found {
            Ok(good) => say(format_args!("PASS  {item}: {good}")),
            Err(bad) => {
                self.failed += 1;
                say(format_args!("FAIL  {item}: {bad}"));
            }
        }
    }
    /// The command's end.
    pub(super) fn end(self) -> ExitCode {
        match self.failed {
            0 => ExitCode::SUCCESS,
            1 => fail("1 item failed; it is listed above"),
            more => fail(format!("{more} items failed; they are listed above")),
        }
    }
}

/// Whether a database is whole, as an item.
pub(super) async fn is_whole(store: &Store) -> Result<String, String> {
    match store.damage().await {
        Ok(None) if store.file().is_none() => Ok("its server looks after that".to_owned()),
        Ok(None) => Ok("no damage found".to_owned()),
        Ok(Some(damage)) => Err(format!("it is damaged: {damage}")),
        Err(error) => Err(chain(&error)),
    }
}

/// Whether only versions that this program knows have used a database, as an item.
pub(super) fn is_known(gap: &SchemaGap) -> Result<String, String> {
    match gap.unknown.last() {
        None => Ok("this program knows every migration that it has had".to_owned()),
        Some(newest) => Err(format!("it was used by a newer version ({newest}); use that one")),
    }
}
