// SPDX-License-Identifier: Apache-2.0

//! The README's list of what is deliberately absent, line by line: each has a proof here, be it a look through the sources or tests by name.
//! A line without a proof fails, and so does a proof without a line.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// How a line of the list is proven.
enum Proof {
    /// The sources say so; what speaks against it is listed.
    Sources(fn() -> Vec<String>),
    /// These tests show it.
    Tests(&'static [&'static str]),
}

/// How a line begins, and its proofs.
const PROOFS: &[(&str, &[Proof])] = &[
    (
        "No clock, randomness, network or database in `src/core`",
        &[Proof::Sources(the_core_depends_on_nothing_that_acts)],
    ),
    ("No partner's name outside `adapters/`", &[Proof::Sources(partners_are_named_in_their_places_only)]),
    ("No SQL outside `src/store` and `migrations`", &[Proof::Sources(sql_stands_in_the_store_only)]),
    ("No outbound call except through `src/transport.rs`", &[Proof::Sources(only_the_transport_calls_out)]),
    ("No reading of the time of day except in `src/clock.rs`", &[Proof::Sources(only_the_clock_reads_the_time)]),
    (
        "No answer before its commit",
        &[Proof::Tests(&[
            "two_hundred_sales_end_right_however_often_the_program_is_killed",
            "not_yet_is_said_exactly_when_the_budget_ends",
        ])],
    ),
    (
        "No default for signature checking",
        &[
            Proof::Sources(a_channel_must_say_how_it_verifies),
            Proof::Tests(&["a_captured_call_makes_no_order_and_no_refund"]),
        ],
    ),
    (
        "No guest's data in a log, an event, an error or a column",
        &[Proof::Tests(&["neither_the_log_nor_the_database_shows_a_guest", "no_text_of_a_marketplace_shows_a_guest"])],
    ),
    (
        "No decision on a guess",
        &[Proof::Tests(&[
            "edge_17_what_had_no_answer_is_asked_for_before_it_is_repeated",
            "edge_15_without_revisions_the_platform_is_asked_before_and_after_and_an_end_is_never_left",
        ])],
    ),
    ("No circle of files in any package", &[Proof::Tests(&["no_file_needs_a_file_that_needs_it"])]),
];

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files below a folder of the repository.
fn sources(folder: &str) -> Vec<PathBuf> {
    let (mut open, mut found) = (vec![here().join(folder)], Vec::new());
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has no sources");
    found
}

/// The lines of code below a folder that hold one of these words, outside comments and tests, and outside the places where they belong.
fn lines_with(folder: &str, words: &[&str], belongs: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for path in sources(folder) {
        let name = path.strip_prefix(here()).expect("inside").to_string_lossy().into_owned();
        if belongs.iter().any(|place| name.starts_with(place)) || name.contains("/tests") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a file");
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate() {
            let line = line.trim_start();
            if !line.starts_with("//") && words.iter().any(|word| line.contains(word)) {
                found.push(format!("{name}:{}: {line}", number + 1));
            }
        }
    }
    found
}

fn the_core_depends_on_nothing_that_acts() -> Vec<String> {
    // Data, its forms and its errors; `chrono` without its clock.
    const MAY: [&str; 9] = ["bytes", "chrono", "chrono-tz", "hex", "http", "serde", "serde_json", "sha2", "thiserror"];
    let manifest = std::fs::read_to_string(here().join("src/core/Cargo.toml")).expect("the core's manifest");
    let listed = manifest.split("\n[dependencies]\n").nth(1).expect("dependencies");
    let listed = listed.split("\n[").next().unwrap_or_default();
    let names = listed.lines().filter_map(|line| line.split(['.', ' ', '=']).next()).filter(|name| !name.is_empty());
    let strange: Vec<String> = names.filter(|name| !MAY.contains(name)).map(str::to_owned).collect();
    let clock = std::fs::read_to_string(here().join("Cargo.toml")).expect("the manifest");
    let chrono = clock.lines().find(|line| line.starts_with("chrono = ")).unwrap_or_default().to_owned();
    let is_still = chrono.contains("default-features = false") && !chrono.contains("clock") && !chrono.contains("now");
    strange.into_iter().chain((!is_still).then_some(chrono)).collect()
}

fn partners_are_named_in_their_places_only() -> Vec<String> {
    let folders = std::fs::read_dir(here().join("adapters")).expect("the adapters");
    let partners: Vec<String> = folders
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        // What partners share, and the contracts that are ours, bear nobody's name.
        .filter(|name| !matches!(name.as_str(), "fat_events" | "snapshot_events" | "code_pool" | "ticketing_http"))
        .collect();
    assert!(partners.len() >= 3, "{partners:?}");
    let words: Vec<&str> = partners.iter().map(String::as_str).collect();
    // The command line starts the sandbox and writes a first configuration.
    let places = ["src/sandbox/", "src/demo", "src/cli/", "src/config/"];
    // The name as a word: `octo` is none in `doctor`.
    let is_named = |line: &String| {
        let names = line.split(|letter: char| !letter.is_ascii_alphabetic());
        names.map(str::to_ascii_lowercase).any(|name| partners.contains(&name))
    };
    lines_with("src", &words, &places).into_iter().filter(is_named).collect()
}

fn sql_stands_in_the_store_only() -> Vec<String> {
    let words = ["sea_orm::", "sea_query::", "sqlx::", "SELECT ", "INSERT INTO ", "DELETE FROM ", ".begin().await"];
    let mut found = lines_with("src", &words, &["src/store/"]);
    found.extend(lines_with("adapters", &words, &[]));
    found
}

fn only_the_transport_calls_out() -> Vec<String> {
    let words = ["reqwest::", "hyper_util::client"];
    let mut found = lines_with("src", &words, &["src/transport", "src/sandbox/"]);
    found.extend(lines_with("adapters", &words, &[]));
    found
}

fn only_the_clock_reads_the_time() -> Vec<String> {
    let words = ["SystemTime::now", "Utc::now", "Local::now", "UNIX_EPOCH"];
    let mut found = lines_with("src", &words, &["src/clock", "src/sandbox/"]);
    found.extend(lines_with("adapters", &words, &[]));
    found
}

fn a_channel_must_say_how_it_verifies() -> Vec<String> {
    let text = std::fs::read_to_string(here().join("src/core/port/channel.rs")).expect("the port");
    let signature = text.split("fn verify").nth(1).expect("a channel verifies");
    let ends_without_body = signature.find(';').is_some_and(|end| signature.find('{').is_none_or(|body| end < body));
    (!ends_without_body).then(|| "a channel verifies by default".to_owned()).into_iter().collect()
}

/// The lines of the README's list.
fn lines() -> Vec<String> {
    let readme = std::fs::read_to_string(here().join("README.md")).expect("the README");
    let list = readme.split_once("**What is deliberately absent**").expect("the list").1;
    let list = list.split("\n\n").nth(1).expect("its lines");
    list.split("\n- ").map(|line| line.trim_start_matches("- ").to_owned()).collect()
}

#[test]
fn what_the_readme_says_is_absent_is_absent() {
    let lines = lines();
    let starts: BTreeSet<&str> = PROOFS.iter().map(|(start, _)| *start).collect();
    assert_eq!(starts.len(), PROOFS.len(), "one proof for each line");
    for line in &lines {
        let proven = PROOFS.iter().filter(|(start, _)| line.starts_with(start)).count();
        assert_eq!(proven, 1, "the README says without a proof: {line}");
    }
    assert_eq!(lines.len(), PROOFS.len(), "a proof of something that the README does not say");
    let tests: String = ["tests", "src", "adapters"]
        .iter()
        .flat_map(|folder| sources(folder))
        .map(|path| std::fs::read_to_string(path).expect("a file"))
        .collect();
    for (line, proofs) in PROOFS {
        for proof in *proofs {
            match proof {
                Proof::Sources(look) => assert_eq!(look(), Vec::<String>::new(), "{line}"),
                Proof::Tests(names) => {
                    for name in *names {
                        assert!(tests.contains(&format!("fn {name}(")), "{line}: there is no test {name}");
                    }
                }
            }
        }
    }
}
