// SPDX-License-Identifier: Apache-2.0

//! The example configuration, as it stands in `src/demo/example/` (of which `config/` is the copy that people edit), `examples/korea/` and
//! `examples/octo/`, with the simulators' addresses and a pace that a person can watch.

use std::io;
use std::path::{Path, PathBuf};

/// A file of the example, inside the program.
struct File {
    path: &'static str,
    text: &'static str,
}

macro_rules! files {
    ($folder:literal: $($path:literal),+ $(,)?) => {
        &[$(File { path: $path, text: include_str!(concat!("../../", $folder, "/", $path)) }),+]
    };
}

/// What `init` writes.
const FILES: &[File] = files![
    "src/demo/example":
    "ticketbridge.toml",
    "credit.toml",
    "channels/douyin-main.toml",
    "backends/gate.toml",
    "backends/lp-2026.toml",
    "products/lakeside.toml",
];

/// What the demo has beside it.
const KOREA: &[File] = files!["examples/korea": "channels/kakao-jeju.toml", "channels/trip.toml", "products/jeju.toml", "products/danang.toml"];

/// A ticketing system that speaks OCTO.
const OCTO: &[File] = files!["examples/octo": "backends/octo.toml", "backends/octo-strict.toml", "products/octo.toml"];

/// Where the simulators listen.
pub(super) struct Addresses {
    pub(super) douyin: String,
    pub(super) kakao: String,
    pub(super) market: String,
    pub(super) agency: String,
    pub(super) backend: String,
    pub(super) supplier: String,
}

/// A text of the example that the demo changes.
struct Change {
    /// In this file; in every one when empty.
    file: &'static str,
    from: &'static str,
    to: String,
}

/// What the demo changes: everything else is the example as it stands.
fn changes(at: &Addresses) -> [Change; 14] {
    let everywhere = |from, to: &str| Change { file: "", from, to: to.to_owned() };
    let address = |file, from, to: &String| Change { file, from, to: format!("\"{to}\"") };
    [
        everywhere("\"127.0.0.1:8080\"", "\"127.0.0.1:0\""),
        everywhere("\"sqlite://data/ticketbridge.db\"", "\"sqlite://DIRECTORY/demo.db\""),
        everywhere("first = \"1s\"", "first = \"100ms\""),
        everywhere("level  = \"info\"", "level  = \"error\""),
        address("channels/douyin-main.toml", "\"http://127.0.0.1:9101\"", &at.douyin),
        address("channels/kakao-jeju.toml", "\"http://127.0.0.1:9101\"", &at.kakao),
        address("channels/trip.toml", "\"http://127.0.0.1:9101\"", &at.market),
        address("channels/trip.toml", "\"http://127.0.0.1:9103\"", &at.agency),
        address("backends/gate.toml", "\"http://127.0.0.1:9102\"", &at.backend),
        address("", "\"http://127.0.0.1:9104/octo\"", &at.supplier),
        everywhere(
            "{ read = \"5s\", reserve = \"10s\", confirm = \"15s\" }",
            "{ read = \"1s\", reserve = \"1s\", confirm = \"1s\" }",
        ),
        // Who follows the link of the demonstration has no authenticator.
        everywhere("[log]", "[console]\nsecond_factor = \"optional\"\n\n[log]"),
        // Ten minutes pass in ten seconds.
        everywhere("ticketing_deadline    = \"10m\"", "ticketing_deadline    = \"10s\""),
        everywhere("ticketing_warn_before = \"5m\"", "ticketing_warn_before = \"5s\""),
    ]
}

impl Change {
    fn is_of(&self, file: &File) -> bool {
        self.file.is_empty() || self.file == file.path
    }
}

/// Which channels a starter directory has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channels {
    /// Douyin.
    Douyin,
    /// Douyin, a Kakao-style platform and a TripStore-style marketplace.
    WithKorea,
}

/// Writes what Korea adds into a directory that has a configuration already; nothing is overwritten.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] when one of the files is there; when a file or folder cannot be made.
pub(crate) fn add_korea(directory: &Path) -> io::Result<Vec<PathBuf>> {
    if let Some(there) = KOREA.iter().map(|file| directory.join(file.path)).find(|path| path.exists()) {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, there.display().to_string()));
    }
    KOREA.iter().map(|file| write_file(directory.join(file.path), file.text)).collect()
}

/// Writes the example as it stands into `directory`; gives the files written.
///
/// # Errors
/// When a file or folder cannot be made.
pub(crate) fn write_example(directory: &Path, channels: Channels) -> io::Result<Vec<PathBuf>> {
    let beside = if channels == Channels::WithKorea { KOREA } else { &[] };
    FILES.iter().chain(beside).map(|file| write_file(directory.join(file.path), file.text)).collect()
}

fn write_file(target: PathBuf, text: &str) -> io::Result<PathBuf> {
    if let Some(folder) = target.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&target, text)?;
    Ok(target)
}

/// Writes the configuration into `directory/config`.
pub(super) fn write(directory: &Path, at: &Addresses) -> io::Result<()> {
    let place = directory.display().to_string();
    for (path, text) in texts(at) {
        write_file(directory.join("config").join(path), &text.replace("DIRECTORY", &place))?;
    }
    Ok(())
}

fn texts(at: &Addresses) -> Vec<(&'static str, String)> {
    let changes = changes(at);
    let changed = |file: &File| {
        let of_file = changes.iter().filter(|change| change.is_of(file));
        of_file.fold(file.text.to_owned(), |text, change| text.replace(change.from, &change.to))
    };
    FILES.iter().chain(KOREA).chain(OCTO).map(|file| (file.path, changed(file))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_finds_what_it_changes() {
        let all = || FILES.iter().chain(KOREA).chain(OCTO);
        let nowhere = || "http://127.0.0.1:1".to_owned();
        let (douyin, kakao, market, agency) = (nowhere(), nowhere(), nowhere(), nowhere());
        let (backend, supplier) = (nowhere(), nowhere());
        for change in changes(&Addresses { douyin, kakao, market, agency, backend, supplier }) {
            let is_found = all().any(|file| change.is_of(file) && file.text.contains(change.from));
            assert!(is_found, "the example no longer says {}", change.from);
        }
    }
}
