// SPDX-License-Identifier: Apache-2.0

//! Whether the configured SQLite database is there, and whether one may be made: a path with a slip in it, or a mount that failed, must not
//! open a service without its orders.

use crate::app;
use crate::config::Config;

/// For commands that make no database.
///
/// # Errors
/// The sentence on what to do, when its file is not there.
pub(super) fn is_there(config: &Config) -> Result<(), String> {
    let Some(path) = app::missing_file(config) else { return Ok(()) };
    Err(format!(
        "there is no database at {}: `ticketbridge migrate` makes it, or start with --create (ticketbridge serve --create); if there should \
         be one, mend [database] url or the mount",
        path.display()
    ))
}

/// For commands that make one which is not there: its own folder is made with it, and nothing above that.
///
/// # Errors
/// The sentence on what to do, when the folder above is not there either.
pub(super) fn may_be_made(config: &Config) -> Result<(), String> {
    let Some(path) = app::missing_file(config) else { return Ok(()) };
    let full = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
    let Some(folder) = full.parent().filter(|folder| !folder.is_dir()) else { return Ok(()) };
    match folder.parent().filter(|above| !above.is_dir()) {
        None => Ok(()),
        Some(above) => Err(format!(
            "no database is made at {}: there is no folder {}; mend [database] url, or make that folder",
            path.display(),
            above.display()
        )),
    }
}
