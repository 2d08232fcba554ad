// SPDX-License-Identifier: Apache-2.0

//! Documents and comments cite what is there: a path of this repository leads to a file of it, and nothing cites a paper that a stranger does
//! not have.

use std::path::{Path, PathBuf};

/// The folders of the repository, as a path begins with them.
const FOLDERS: [&str; 10] =
    ["adapters/", "benches/", "config/", "docs/", "examples/", "fuzz/", "migrations/", "packaging/", "src/", "tests/"];
/// Papers that were there before the repository had documents of its own.
const ELSEWHERE: [&str; 4] = ["contract.md", "product.md", "architecture.md", "protocols/"];

fn texts() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut open: Vec<PathBuf> = FOLDERS.iter().map(|folder| root.join(folder)).collect();
    let mut found: Vec<PathBuf> =
        ["README.md", "CONTRIBUTING.md", "SECURITY.md"].iter().map(|name| root.join(name)).collect();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("an entry").path();
            let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or_default().to_owned();
            if path.is_dir() && !path.ends_with("target") {
                open.push(path);
            } else if ["rs", "md", "toml"].contains(&kind.as_str()) {
                found.push(path);
            }
        }
    }
    found
}

/// What stands between backquotes in the sentences of a line: of a Rust file, in its comment.
fn cited(line: &str, is_code: bool) -> Vec<&str> {
    let sentence = if is_code { line.split_once("//").map_or("", |(_, comment)| comment) } else { line };
    sentence.split('`').skip(1).step_by(2).collect()
}

/// Whether it is a path of this repository, without blanks and placeholders.
fn is_path(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    FOLDERS.iter().any(|folder| text.starts_with(folder)) && text.chars().all(is_plain)
}

#[test]
fn what_is_cited_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut many, mut wrong) = (0, Vec::new());
    for path in texts() {
        let is_code = path.extension().is_some_and(|kind| kind == "rs");
        let text = std::fs::read_to_string(&path).expect("a text");
        for (number, line) in text.lines().enumerate() {
            for cited in cited(line, is_code) {
                let is_elsewhere = ELSEWHERE.iter().any(|paper| cited.starts_with(paper));
                if is_elsewhere || (is_path(cited) && !root.join(cited).exists()) {
                    wrong.push(format!("{}:{}: {cited}", path.display(), number + 1));
                }
                many += usize::from(is_path(cited));
            }
        }
    }
    assert!(many > 100, "{many} paths are too few to be all");
    assert!(wrong.is_empty(), "cited, and not there:\n{}", wrong.join("\n"));
}

#[test]
fn a_path_is_seen_in_a_comment_and_nothing_else_is() {
    assert_eq!(cited("let a = 1; // see `src/main.rs` and `b`", true), ["src/main.rs", "b"]);
    assert_eq!(cited("let a = \"`src/main.rs`\";", true), Vec::<&str>::new());
    assert!(is_path("src/main.rs") && !is_path("src/{name}.rs") && !is_path("lib/main.rs"));
}
