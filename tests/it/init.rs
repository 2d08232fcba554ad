// SPDX-License-Identifier: Apache-2.0

//! `ticketbridge init`: a starter directory that is right as it stands.

use std::path::Path;
use std::process::{Command, Output};

fn run(arguments: &[&str], directory: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ticketbridge"));
    command.args(arguments).current_dir(directory).output().expect("the program starts")
}

#[test]
fn a_starter_directory_passes_the_check_and_is_never_overwritten() {
    let place = tempfile::TempDir::new().expect("a temporary directory");
    let made = run(&["init", "mine"], place.path());
    assert!(made.status.success(), "{made:?}");
    let checked = run(&["check", "--config", "mine"], place.path());
    assert!(checked.status.success(), "{checked:?}");

    let written = place.path().join("mine/ticketbridge.toml");
    std::fs::write(&written, "# mine").expect("a file");
    let again = run(&["init", "mine"], place.path());
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("is not empty"), "{again:?}");
    assert_eq!(std::fs::read_to_string(written).expect("a file"), "# mine");
    assert!(run(&["init"], place.path()).status.success(), "`config` is the place that every command looks at");
    assert!(run(&["check"], place.path()).status.success());
}

#[test]
fn the_starter_directory_is_the_whole_example() {
    let place = tempfile::TempDir::new().expect("a temporary directory");
    assert!(run(&["init", "."], place.path()).status.success());
    is_written_whole(&place, "src/demo/example");
    assert!(!place.path().join("channels/trip.toml").exists(), "Korea is for those who ask for it");
}

#[test]
fn with_korea_it_has_the_korean_channels_beside_the_example() {
    let place = tempfile::TempDir::new().expect("a temporary directory");
    assert!(run(&["init", ".", "--korea"], place.path()).status.success());
    is_written_whole(&place, "src/demo/example");
    is_written_whole(&place, "examples/korea");
    let checked = run(&["check", "--config", "."], place.path());
    assert!(checked.status.success(), "{checked:?}");
}

#[test]
fn korea_is_added_to_a_configuration_that_is_there_and_nothing_is_overwritten() {
    let place = tempfile::TempDir::new().expect("a temporary directory");
    assert!(run(&["init", "config"], place.path()).status.success());
    std::fs::write(place.path().join("config/credit.toml"), "# mine\n").expect("a file");
    let channel = place.path().join("config/channels/douyin-main.toml");
    let text = std::fs::read_to_string(&channel).expect("text").replace("credit_account = \"acme\"", "");
    std::fs::write(&channel, text).expect("a file");
    assert!(run(&["init", "config", "--korea"], place.path()).status.success());
    assert!(place.path().join("config/channels/trip.toml").exists());
    assert_eq!(std::fs::read_to_string(place.path().join("config/credit.toml")).expect("text"), "# mine\n");
    assert!(run(&["check"], place.path()).status.success());
    let again = run(&["init", "config", "--korea"], place.path());
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("nothing is overwritten"));
}

/// The folder that people edit is a copy; where nobody has edited it, it is the same.
#[test]
fn config_is_the_example_unless_somebody_has_edited_it() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let is_unedited = Command::new("git").args(["diff", "--quiet", "HEAD", "--", "config"]).current_dir(here).status();
    if !is_unedited.is_ok_and(|status| status.success()) {
        return;
    }
    let place = tempfile::TempDir::new().expect("a temporary directory");
    assert!(run(&["init", "."], place.path()).status.success());
    is_written_whole(&place, "config");
}

/// Every file of a folder of the repository stands in `place`, as it is.
fn is_written_whole(place: &tempfile::TempDir, folder: &str) {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut folders = vec![example.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&example).expect("inside");
            let written = std::fs::read_to_string(place.path().join(name)).unwrap_or_default();
            assert_eq!(written, std::fs::read_to_string(&path).expect("text"), "{}", name.display());
        }
    }
}
