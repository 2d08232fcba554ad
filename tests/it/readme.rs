// SPDX-License-Identifier: Apache-2.0

//! The README's first steps, line by line, as somebody who has just cloned the source takes them: two terminals, one folder.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::real::until;

/// The shell blocks of a section, in order.
fn blocks(section: &str) -> Vec<String> {
    let readme = std::fs::read_to_string(here().join("README.md")).expect("the README");
    let after = readme.split_once(section).expect("the section").1;
    let section = after.split_once("\n## ").map_or(after, |(section, _)| section);
    section.split("```sh\n").skip(1).map(|block| block.split_once("\n```").expect("an end").0.to_owned()).collect()
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("a file");
        }
    }
}

/// A clone in which `cargo build` has run.
fn clone() -> (tempfile::TempDir, PathBuf) {
    let place = tempfile::TempDir::new().expect("a temporary directory");
    let folder = place.path().join("ticketbridge");
    copy(&here().join("src/demo/example"), &folder.join("config"));
    copy(&here().join("examples"), &folder.join("examples"));
    std::fs::create_dir_all(folder.join("target/debug")).expect("a folder");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_ticketbridge"), folder.join("target/debug/ticketbridge"))
        .expect("a link");
    (place, folder)
}

/// A terminal in that folder, in which nothing is set yet.
fn terminal(folder: &Path, port: u16, lines: &str) -> Command {
    let mut command = Command::new("sh");
    // Another port than the example's: other tests run beside this one.
    let listen = format!("127.0.0.1:{port}");
    command.args(["-euc", lines]).current_dir(folder).kill_on_drop(true);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("LC_ALL", "C");
    command.env("BRIDGE", format!("http://{listen}")).env("TICKETBRIDGE_LISTEN", listen);
    command
}

#[tokio::test]
async fn the_first_steps_of_the_readme_work_line_by_line() {
    let blocks = blocks("## Running it");
    let [build, env_file, service, sale, ..] = blocks.as_slice() else { panic!("{blocks:#?}") };
    let (_place, folder) = clone();
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    assert!(build.starts_with("cargo build"), "{build}");
    for _ in 0..2 {
        // Pasted again, it makes no other key.
        let made = terminal(&folder, port, env_file).output().await.expect("a shell");
        assert!(made.status.success(), "{made:?}");
    }
    let keys = std::fs::read_to_string(folder.join(".env")).expect("it was made");
    assert_eq!(keys.matches("TICKETBRIDGE_DATA_KEY=").count(), 1, "{keys}");

    let service = service.replace("\nticketbridge serve", "\nexec ticketbridge serve");
    let log = std::fs::File::create(folder.join("log")).expect("a file");
    let mut serving = terminal(&folder, port, &service)
        .stdout(log.try_clone().expect("a file"))
        .stderr(Stdio::from(log))
        .spawn()
        .expect("a shell");
    let logged = || std::fs::read_to_string(folder.join("log")).unwrap_or_default();
    until("it listens", async || logged().contains("ticketbridge listens on").then_some(())).await;

    let done = tokio::time::timeout(Duration::from_secs(60), terminal(&folder, port, sale).output()).await;
    let done = done.expect("in time").expect("a shell");
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{out}\n{err}\n{}", logged());
    assert_eq!(out.matches("\"error_code\":0").count(), 3, "{out}\n{}", logged());
    for expected in ["LAKE-0001", "LAKE-0002", "order_placed", "payment.total"] {
        assert!(out.contains(expected), "{expected}: {out}");
    }
    let id = serving.id().expect("it runs").to_string();
    let stopped = Command::new("kill").args(["-TERM", &id]).status().await.expect("kill is there");
    assert!(stopped.success());
    let ended = tokio::time::timeout(Duration::from_secs(40), serving.wait()).await.expect("it ends");
    assert_eq!(ended.expect("it can be waited for").code(), Some(0), "{}", logged());
}
