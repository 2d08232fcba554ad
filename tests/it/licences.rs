// SPDX-License-Identifier: Apache-2.0

//! Whose these files are: each source says it in its first lines, in the words of SPDX, so that a file that is copied out still does.

use std::path::{Path, PathBuf};

const PLACES: [&str; 8] = ["src", "adapters", "migrations", "benches", "tests", "fuzz", "examples", "packaging"];
const SAYS: &str = "SPDX-License-Identifier: Apache-2.0";

fn sources(directory: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let kind = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            // What tools make of them.
            if !["target", "node_modules", "__pycache__"].contains(&name.as_str()) {
                sources(&path, into);
            }
        } else if ["rs", "ts", "js", "py", "sh", "c"].contains(&kind.as_str()) {
            into.push(path);
        }
    }
}

#[test]
fn every_source_names_its_licence() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    PLACES.iter().for_each(|place| sources(&root.join(place), &mut all));
    assert!(all.len() > 500, "{}", all.len());
    let says = |path: &PathBuf| std::fs::read_to_string(path).unwrap().lines().take(3).any(|line| line.contains(SAYS));
    let silent: Vec<_> = all.iter().filter(|path| !says(path)).map(|path| path.strip_prefix(root).unwrap()).collect();
    assert!(silent.is_empty(), "these do not say `{SAYS}`: {silent:?}");
}
