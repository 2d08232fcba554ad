// SPDX-License-Identifier: Apache-2.0

//! `ticketbridge init`: a starter directory, which is the example of this program with all its comments.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::cli::{fail, say};
use crate::demo::directory::{self, Channels};

pub(super) fn init(directory: &Path, channels: Channels) -> ExitCode {
    match write(directory, channels) {
        Ok(files) => {
            for file in files {
                say(file.display());
            }
            let at = directory.display();
            let beside = if channels == Channels::WithKorea { " and in the channels' files" } else { "" };
            say(format_args!("\nNext: set the variables named in {at}/ticketbridge.toml{beside}, then"));
            say(format_args!(
                "  ticketbridge check --config {at}\n  ticketbridge migrate --config {at}\n  ticketbridge serve --config {at}"
            ));
            ExitCode::SUCCESS
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fail(format!("{error} is there already; nothing is overwritten and nothing was written"))
        }
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
            fail(format!("{} is not empty; name a new directory: nothing is overwritten", directory.display()))
        }
        Err(error) => fail(format!("{} cannot be written: {error}", directory.display())),
    }
}

/// Writes the example; gives the files written.
fn write(directory: &Path, channels: Channels) -> io::Result<Vec<PathBuf>> {
    // A file, or a link that leads nowhere: the system's own words name no path.
    if !directory.is_dir() && std::fs::symlink_metadata(directory).is_ok() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{}, no directory,", directory.display())));
    }
    std::fs::create_dir_all(directory)?;
    if std::fs::read_dir(directory)?.next().is_some() {
        // In the folder `config` of the source, for example: what is missing is added.
        if channels == Channels::WithKorea && directory.join("ticketbridge.toml").is_file() {
            return directory::add_korea(directory);
        }
        return Err(io::ErrorKind::DirectoryNotEmpty.into());
    }
    directory::write_example(directory, channels)
}
