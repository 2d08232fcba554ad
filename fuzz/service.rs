// SPDX-License-Identifier: Apache-2.0

//! What the service itself reads: its configuration, and captured requests. Shared by the fuzz targets and by the property tests of the
//! suite. Nothing here may panic, whatever comes.

use std::path::Path;

use ticketbridge::cli::verify::Captured;
use ticketbridge::config::{Config, Environment};

/// Reads a directory whose `ticketbridge.toml`, channel, or products are these bytes; which of them the first byte says.
pub(crate) fn configuration(bytes: &[u8]) {
    let Some((which, text)) = bytes.split_first() else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = match which % 5 {
        0 => "ticketbridge.toml",
        1 => "credit.toml",
        2 => "channels/any.toml",
        3 => "backends/any.toml",
        _ => "products/any.toml",
    };
    write(directory.path(), "ticketbridge.toml", b"[privacy]\nkey = { env = \"KEY\" }\n");
    write(directory.path(), file, text);
    match Config::load(directory.path(), &Environment::only([])) {
        Ok(_) => {}
        Err(report) => {
            assert!(report.problems().next().is_some(), "what is refused is refused for a reason");
            assert!(!report.to_string().is_empty());
        }
    }
}

fn write(directory: &Path, file: &str, text: &[u8]) {
    let target = directory.join(file);
    std::fs::create_dir_all(target.parent().expect("a file is in a folder")).expect("a folder");
    std::fs::write(target, text).expect("a file");
}

/// Reads a captured request.
pub(crate) fn captured_request(bytes: &[u8]) {
    for captured in Captured::parse(bytes).into_iter().flatten() {
        let raw = captured.raw();
        assert!(raw.body.len() <= bytes.len());
    }
}
