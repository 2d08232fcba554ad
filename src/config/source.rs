// SPDX-License-Identifier: Apache-2.0

//! The configuration directory as text: which files there are, and where a line begins.

use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::finding::{Findings, Place, suggest};

/// Bytes of one configuration file.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What a file of the directory describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// `ticketbridge.toml`.
    Service,
    /// `credit.toml`.
    Credit,
    /// `channels/*.toml`.
    Channels,
    /// `backends/*.toml`.
    Backends,
    /// `products/*.toml`.
    Products,
    /// `partners/*.toml`.
    Partners,
}

impl Part {
    /// The file or the folder.
    pub(super) fn word(self) -> &'static str {
        match self {
            Part::Service => "ticketbridge",
            Part::Credit => "credit",
            Part::Channels => "channels",
            Part::Backends => "backends",
            Part::Products => "products",
            Part::Partners => "partners",
        }
    }
}

const FILES: [(&str, Part); 2] = [("ticketbridge.toml", Part::Service), ("credit.toml", Part::Credit)];
const FOLDERS: [(&str, Part); 4] = [
    ("channels", Part::Channels),
    ("backends", Part::Backends),
    ("products", Part::Products),
    ("partners", Part::Partners),
];

/// Folders without which nothing can be sold: one that is missing is a mistake, of a mount perhaps. Without `backends` there are none.
const NEEDED_FOLDERS: [&str; 2] = ["channels", "products"];

/// One file, read.
#[derive(Debug)]
pub(super) struct Source {
    /// What it describes.
    pub(super) part: Part,
    /// Its path as shown to people: the directory as it was given, and the file in it.
    pub(super) shown: String,
    /// Its text.
    pub(super) text: String,
}

impl Source {
    /// The place of the byte at `offset`.
    pub(super) fn place(&self, offset: usize) -> Place {
        let before = self.text.as_bytes().iter().take(offset);
        Place { file: self.shown.clone(), line: 1 + before.filter(|byte| **byte == b'\n').count() }
    }

    /// The file's table; `None`, with a finding for each mistake, when it is no TOML.
    pub(super) fn parse(&self, findings: &Findings) -> Option<DeTable<'_>> {
        let (table, errors) = DeTable::parse_recoverable(&self.text);
        for error in &errors {
            let offset = error.span().map_or(0, |span| span.start);
            let said = error.message().replace('\n', ", ");
            let mend = if said.contains("duplicate key") {
                "keep one of the two"
            } else {
                "mend the TOML: `key = value` on a line, text in \"quotes\", brackets closed"
            };
            findings.problem(self.place(offset), format!("not valid TOML: {said}"), mend);
        }
        errors.is_empty().then(|| table.into_inner())
    }
}

/// The folder of the credentials, which `docs/src/operating/production.md` puts beside the files.
const CREDENTIALS: &str = "credentials";

/// Reads every file that the service reads, and reports those that nothing reads.
pub(super) fn read_directory(directory: &Path, findings: &Findings) -> Vec<Source> {
    let mut sources = Vec::new();
    let entries = match list(directory) {
        Ok(entries) => entries,
        Err(error) => {
            findings.problem(
                whole(directory),
                format!("the configuration directory cannot be read ({})", error.kind()),
                "name an existing directory with --config DIR; an example is the folder `config` of the source",
            );
            return sources;
        }
    };
    for path in &entries {
        let name = file_name(path);
        if let Some((_, part)) = FILES.iter().find(|(file, _)| *file == name) {
            sources.extend(read(*part, path, findings));
        } else if let Some((_, part)) = FOLDERS.iter().find(|(folder, _)| *folder == name) {
            match list(path) {
                Ok(files) => {
                    let (read_here, others): (Vec<_>, Vec<_>) = files.iter().partition(|file| is_toml(file));
                    sources.extend(read_here.into_iter().filter_map(|file| read(*part, file, findings)));
                    for other in others.into_iter().filter(|file| !is_put_aside(file)) {
                        let mend = "what is to be read here ends in `.toml` and stands in no folder of its own";
                        findings.warning(whole(other), "nothing reads this", mend);
                    }
                }
                // It may hold anything: to go on without it would close channels that are open.
                Err(error) => {
                    let problem = format!("the folder cannot be read ({})", error.kind());
                    findings.problem(whole(path), problem, "let this user list it and read its files");
                }
            }
        } else if name != CREDENTIALS && (path.is_dir() || is_toml(path)) {
            let known = FILES.iter().map(|(file, _)| *file).chain(FOLDERS.iter().map(|(folder, _)| *folder));
            let known: Vec<&str> = known.collect();
            findings.warning(whole(path), "nothing reads this", suggest(&name, known));
        }
    }
    for folder in NEEDED_FOLDERS {
        if !entries.iter().any(|path| file_name(path) == folder) {
            let problem = "the folder is missing, and with it everything that is sold";
            findings.problem(whole(&directory.join(folder)), problem, "make it, empty if that is what you mean");
        }
    }
    if !sources.iter().any(|source| source.part == Part::Service) {
        findings.problem(
            whole(&directory.join("ticketbridge.toml")),
            "the file is missing",
            "create it; [privacy] key and [ops] tokens are what it must hold",
        );
    }
    sources
}

fn read(part: Part, path: &Path, findings: &Findings) -> Option<Source> {
    let problem = match std::fs::metadata(path) {
        // A pipe would keep whoever opens it waiting for ever.
        Ok(about) if !about.is_file() => "this is no file".to_owned(),
        Ok(about) if about.len() > FILE_BYTES_MAX => {
            format!("the file has {} bytes, at most {FILE_BYTES_MAX} are read", about.len())
        }
        Ok(_) => match std::fs::read_to_string(path) {
            Ok(text) => return Some(Source { part, shown: path.display().to_string(), text }),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => "the file is not UTF-8".to_owned(),
            Err(error) => format!("the file cannot be read ({})", error.kind()),
        },
        Err(error) => format!("the file cannot be read ({})", error.kind()),
    };
    findings.problem(whole(path), problem, "give it as UTF-8 text that this user may read");
    None
}

/// What is in a directory, by name, without hidden entries.
fn list(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if !file_name(&path).starts_with('.') {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn is_toml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "toml")
}

/// Whether it was put aside by its name: a copy of an editor's, or of somebody's; a note for people.
fn is_put_aside(path: &Path) -> bool {
    let name = file_name(path);
    name.ends_with('~') || [".bak", ".orig", ".md", ".off", ".disabled"].iter().any(|ending| name.ends_with(ending))
}

fn whole(path: &Path) -> Place {
    Place { file: path.display().to_string(), line: 0 }
}
