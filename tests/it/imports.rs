// SPDX-License-Identifier: Apache-2.0

//! The files of each package import each other in one direction only: whoever opens one of them can read it after those that it names, and
//! none of them needs a file that needs it.
//!
//! A re-export is looked through: what counts is the file in which a name is defined. Tests inside files are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use proc_macro2::{TokenStream, TokenTree};

/// A place in the tree of modules.
type Module = Vec<String>;

/// What a file names: the path as it stands, and whether it only passes the name on.
struct Named {
    path: Module,
    is_passed_on: bool,
}

/// All tokens in a row; brackets are tokens of their own. A module of tests inside the file is left out.
fn flat(stream: TokenStream, into: &mut Vec<String>) {
    let trees: Vec<TokenTree> = stream.into_iter().collect();
    let mut at = 0;
    while at < trees.len() {
        let is_test = matches!(&trees[at], TokenTree::Punct(punct) if punct.as_char() == '#')
            && trees.get(at + 1).is_some_and(|tree| tree.to_string().replace(' ', "") == "[cfg(test)]");
        if is_test {
            // The attribute, and the item up to its body or its semicolon.
            at += 2;
            while let Some(tree) = trees.get(at) {
                at += 1;
                let ends = match tree {
                    TokenTree::Punct(punct) => punct.as_char() == ';',
                    TokenTree::Group(group) => group.delimiter() == proc_macro2::Delimiter::Brace,
                    TokenTree::Ident(_) | TokenTree::Literal(_) => false,
                };
                if ends {
                    break;
                }
            }
            continue;
        }
        match &trees[at] {
            TokenTree::Group(group) => {
                into.push("{".to_owned());
                flat(group.stream(), into);
                into.push("}".to_owned());
            }
            TokenTree::Literal(_) => into.push("literal".to_owned()),
            tree @ (TokenTree::Ident(_) | TokenTree::Punct(_)) => into.push(tree.to_string()),
        }
        at += 1;
    }
}

/// The branches of a `use`, each as a whole path.
fn branches(tokens: &[String], before: &Module, found: &mut Vec<Module>) {
    let (mut path, mut at, mut is_renamed) = (before.clone(), 0, false);
    while at < tokens.len() {
        match tokens[at].as_str() {
            ":" => {}
            "," => {
                found.push(std::mem::replace(&mut path, before.clone()));
                is_renamed = false;
            }
            "as" => is_renamed = true,
            "{" => {
                let mut depth = 0;
                let length = tokens[at..].iter().position(|token| {
                    depth += i32::from(token == "{") - i32::from(token == "}");
                    depth == 0
                });
                let end = at + length.expect("brackets come in pairs");
                branches(&tokens[at + 1..end], &path, found);
                path = before.clone();
                at = end;
                // What stood in the brackets was the whole of this branch.
                at += usize::from(tokens.get(at + 1).is_some_and(|token| token == ","));
            }
            _ if is_renamed => {}
            name => path.push(name.to_owned()),
        }
        at += 1;
    }
    if path != *before {
        found.push(path);
    }
}

/// Everything that a file names.
fn names(tokens: &[String]) -> Vec<Named> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let token = tokens[at].as_str();
        // `impl Trait + use<'a>` imports nothing.
        if token == "use" && tokens.get(at + 1).is_some_and(|next| next != "<") {
            let end = at + tokens[at..].iter().position(|token| token == ";").unwrap_or(tokens.len() - at);
            let is_passed_on = tokens[..at].iter().rev().take(6).any(|token| token == "pub")
                && tokens[..at].iter().rev().take_while(|token| *token != ";").any(|token| token == "pub");
            let mut paths = Vec::new();
            branches(&tokens[at + 1..end], &Module::new(), &mut paths);
            found.extend(paths.into_iter().map(|path| Named { path, is_passed_on }));
            at = end;
        } else if token == "in" && at >= 2 && tokens[at - 2] == "pub" {
            // A visibility names the room, not what is in it.
            at += tokens[at..].iter().position(|token| token == "}").unwrap_or(0);
        } else if tokens.get(at + 1).is_some_and(|next| next == ":")
            && tokens.get(at + 2).is_some_and(|next| next == ":")
        {
            let mut path = vec![token.to_owned()];
            at += 3;
            while let Some(name) = tokens.get(at).filter(|name| name.chars().all(|c| c.is_alphanumeric() || c == '_')) {
                path.push(name.clone());
                if tokens.get(at + 1).is_none_or(|next| next != ":")
                    || tokens.get(at + 2).is_none_or(|next| next != ":")
                {
                    break;
                }
                at += 3;
            }
            found.push(Named { path, is_passed_on: false });
        }
        at += 1;
    }
    found
}

/// The files below `root` by the module that each is, without those below `apart`.
fn files(root: &Path, apart: &[&str]) -> BTreeMap<Module, PathBuf> {
    let (mut open, mut found) = (vec![root.to_path_buf()], BTreeMap::new());
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let inside = path.strip_prefix(root).expect("below").with_extension("");
            let mut module: Module = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
            let last = module.last().cloned().unwrap_or_default();
            if path.is_dir() {
                if !(module.len() == 1 && apart.contains(&last.as_str())) && last != "tests" {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|kind| kind == "rs") && last != "tests" && !last.ends_with("_tests")
            {
                if last == "mod" || (module.len() == 1 && (last == "lib" || last == "main")) {
                    module.pop();
                }
                found.insert(module, path);
            }
        }
    }
    found
}

/// From the place in which it stands, what a path leads to.
fn absolute(path: &Module, here: &Module, declared: &BTreeSet<String>) -> Option<Module> {
    let (first, rest) = path.split_first()?;
    let mut module = match first.as_str() {
        "crate" => Module::new(),
        "self" => here.clone(),
        "super" => here[..here.len().checked_sub(1)?].to_vec(),
        name if declared.contains(name) => [here.clone(), vec![name.to_owned()]].concat(),
        _ => return None,
    };
    let ups = rest.iter().take_while(|name| *name == "super").count();
    module.truncate(module.len().checked_sub(ups)?);
    module.extend(rest[ups..].iter().cloned());
    Some(module)
}

/// The file that a path leads into.
fn file_of(path: &Module, files: &BTreeMap<Module, PathBuf>) -> Module {
    let length = (0..=path.len()).rev().find(|length| files.contains_key(&path[..*length])).unwrap_or(0);
    path[..length].to_vec()
}

/// Which file names which.
fn arrows(root: &Path, apart: &[&str]) -> BTreeMap<Module, BTreeSet<Module>> {
    let files = files(root, apart);
    let mut named: Vec<(Module, Module, bool)> = Vec::new();
    for (module, path) in &files {
        let text = std::fs::read_to_string(path).expect("a file");
        let mut tokens = Vec::new();
        flat(TokenStream::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())), &mut tokens);
        let declared: BTreeSet<String> =
            tokens.windows(3).filter(|w| w[0] == "mod" && w[2] == ";").map(|w| w[1].clone()).collect();
        for name in names(&tokens) {
            if let Some(path) = absolute(&name.path, module, &declared) {
                named.push((module.clone(), path, name.is_passed_on));
            }
        }
    }
    let passed_on: BTreeMap<Module, Module> = named
        .iter()
        .filter(|(_, path, is_passed_on)| *is_passed_on && path.last().is_some_and(|last| last != "*"))
        .map(|(module, path, _)| ([module.clone(), path[path.len() - 1..].to_vec()].concat(), path.clone()))
        .collect();
    let mut found: BTreeMap<Module, BTreeSet<Module>> =
        files.keys().map(|module| (module.clone(), BTreeSet::new())).collect();
    for (module, mut path, is_passed_on) in named {
        if is_passed_on {
            continue;
        }
        let mut target = file_of(&path, &files);
        // Through as many re-exports as there are.
        for _ in 0..5 {
            let Some(beyond) = path.get(..target.len() + 1).and_then(|head| passed_on.get(head)) else { break };
            path = [beyond.clone(), path[target.len() + 1..].to_vec()].concat();
            target = file_of(&path, &files);
        }
        if target != module {
            found.entry(module).or_default().insert(target);
        }
    }
    found
}

/// Everything that can be come to from a file.
fn reached(from: &Module, arrows: &BTreeMap<Module, BTreeSet<Module>>) -> BTreeSet<Module> {
    let (mut open, mut found) = (vec![from], BTreeSet::new());
    while let Some(module) = open.pop() {
        for next in arrows.get(module).into_iter().flatten() {
            if found.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    found
}

/// The arrows from which there is a way back.
fn circles(arrows: &BTreeMap<Module, BTreeSet<Module>>) -> Vec<String> {
    let ways: BTreeMap<&Module, BTreeSet<Module>> =
        arrows.keys().map(|module| (module, reached(module, arrows))).collect();
    let all = arrows.iter().flat_map(|(from, to)| to.iter().map(move |to| (from, to)));
    let in_circles = all.filter(|(from, to)| ways.get(to).is_some_and(|ways| ways.contains(*from)));
    in_circles.map(|(from, to)| format!("{} -> {}", from.join("/"), to.join("/"))).collect()
}

#[test]
fn no_file_needs_a_file_that_needs_it() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let none: &[&str] = &[];
    for (root, apart) in [
        ("src", &["core", "store", "sandbox"][..]),
        ("src/core", none),
        ("src/store", none),
        ("src/sandbox", none),
        ("adapters", none),
    ] {
        let arrows = arrows(&here.join(root), apart);
        let many: usize = arrows.values().map(BTreeSet::len).sum();
        assert!(many > arrows.len(), "{root}: {many} arrows between {} files are too few to be all", arrows.len());
        let found = circles(&arrows);
        assert!(found.is_empty(), "{root} has circles of files:\n{}", found.join("\n"));
    }
}

#[test]
fn a_circle_is_found_through_a_name_that_is_passed_on() {
    let place = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(place.path().join(name), text).expect("a file");
    std::fs::create_dir(place.path().join("a")).expect("a folder");
    write("lib.rs", "mod a; mod b;");
    write("a.rs", "mod c;\npub use c::Thing;");
    write("a/c.rs", "pub struct Thing(crate::b::Other);");
    write("b.rs", "use crate::{a::Thing as It};\npub struct Other;\n#[cfg(test)]\nmod tests { use crate::a; }");
    assert_eq!(circles(&arrows(place.path(), &[])), ["a/c -> b", "b -> a/c"]);
    write("b.rs", "pub struct Other;\n#[cfg(test)]\nmod tests { use crate::a::Thing; }");
    assert_eq!(circles(&arrows(place.path(), &[])), Vec::<String>::new());
}
