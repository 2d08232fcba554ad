// SPDX-License-Identifier: Apache-2.0

//! A disk that is slow to sync, played by a small library that stands in front of the C library's own calls: in this process, and so in
//! every one that it starts.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

const SOURCE: &str = include_str!("slow_sync.c");

/// The variable that the loader of programs reads.
const PRELOAD: &str = "LD_PRELOAD";

/// Whether this process has the library already.
pub(crate) fn is_on() -> bool {
    std::env::var_os(PRELOAD).is_some_and(|value| value.to_string_lossy().contains("slow_sync"))
}

/// Becomes this program again with the library in front; comes back only with an error.
pub(crate) fn begin_again(micros: u64) -> anyhow::Error {
    use std::os::unix::process::CommandExt as _;
    let again = || {
        // It has to be there as long as the program that we become.
        let directory = tempfile::Builder::new().prefix("ticketbridge-slow").disable_cleanup(true).tempdir()?;
        let library = library(directory.path(), micros)?;
        let mut command = Command::new(std::env::current_exe()?);
        Ok::<_, anyhow::Error>(command.args(std::env::args_os().skip(1)).env(PRELOAD, library).exec().into())
    };
    again().unwrap_or_else(|error| error)
}

/// Builds the library for so many microseconds into `directory`, with the machine's C compiler.
///
/// # Errors
/// When there is none.
fn library(directory: &Path, micros: u64) -> anyhow::Result<PathBuf> {
    let (source, library) = (directory.join("slow_sync.c"), directory.join("slow_sync.so"));
    std::fs::write(&source, SOURCE.replace("2000;", &format!("{micros};")))?;
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O2", "-o"]).arg(&library).arg(&source).arg("-ldl");
    let output = compiler.output().context("a slow disk needs a C compiler, `cc`")?;
    ensure!(output.status.success(), "the library of a slow disk: {}", String::from_utf8_lossy(&output.stderr));
    // Servers run under accounts of their own and must be able to read it.
    readable(directory)?;
    readable(&library)?;
    Ok(library)
}

fn readable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_takes_the_time_that_was_said() {
        let folder = tempfile::tempdir().unwrap();
        let Ok(library) = library(folder.path(), 50_000) else { return };
        let begun = crate::moment::now();
        let file = folder.path().join("file");
        let write = Command::new("dd")
            .args(["if=/dev/zero", "bs=1", "count=1", "conv=fsync"])
            .arg(format!("of={}", file.display()))
            .env(PRELOAD, &library)
            .output();
        if write.is_ok_and(|output| output.status.success()) {
            assert!(begun.elapsed() >= std::time::Duration::from_millis(50));
        }
    }
}
