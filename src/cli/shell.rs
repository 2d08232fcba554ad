// SPDX-License-Identifier: Apache-2.0

//! What shells and readers of manuals want: completions, man pages, and the schemas of the contract as files.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Command;
use clap_complete::Shell;

use crate::cli::{fail, say};
use crate::http::schemas::{document, every};

/// A script that completes commands, options and their values, to standard output.
pub(super) fn completions(shell: Shell, mut command: Command) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "ticketbridge", &mut script);
    say(String::from_utf8_lossy(&script).trim_end());
    ExitCode::SUCCESS
}

/// The man pages: all of them into a folder, or the first one to standard output.
pub(super) fn man(directory: Option<PathBuf>, command: Command) -> ExitCode {
    let Some(directory) = directory else {
        let mut page = Vec::new();
        return match clap_mangen::Man::new(command).render(&mut page) {
            Ok(()) => {
                say(String::from_utf8_lossy(&page).trim_end());
                ExitCode::SUCCESS
            }
            Err(error) => fail(format!("the page cannot be made: {error}")),
        };
    };
    let made = std::fs::create_dir_all(&directory).and_then(|()| clap_mangen::generate_to(command, &directory));
    match made {
        Ok(()) => {
            say(format_args!(
                "man pages are in {}: man -l {}",
                directory.display(),
                directory.join("ticketbridge.1").display()
            ));
            ExitCode::SUCCESS
        }
        Err(error) => fail(format!("{} cannot be written: {error}", directory.display())),
    }
}

/// The schemas: their names, one of them, or all into a folder.
pub(super) fn schemas(name: Option<&str>, out: Option<&Path>) -> ExitCode {
    if let Some(out) = out {
        return match write_schemas(out) {
            Ok(count) => {
                say(format_args!("{count} schemas are in {}", out.display()));
                ExitCode::SUCCESS
            }
            Err(error) => fail(format!("{} cannot be written: {error}", out.display())),
        };
    }
    let Some(name) = name else {
        for (name, way, _) in every() {
            say(format_args!("{name:<45} {way}"));
        }
        return ExitCode::SUCCESS;
    };
    match every().into_iter().find(|(known, ..)| known == name) {
        Some((name, _, schema)) => {
            say(format_args!("{:#}", document(&name, "", &schema)));
            ExitCode::SUCCESS
        }
        None => fail(format!("there is no schema `{name}`; `ticketbridge schemas` lists them")),
    }
}

fn write_schemas(out: &Path) -> std::io::Result<usize> {
    let every = every();
    for (name, _, schema) in &every {
        let file = out.join(format!("{name}.json"));
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(file, format!("{:#}\n", document(name, "", schema)))?;
    }
    Ok(every.len())
}
