// SPDX-License-Identifier: Apache-2.0

//! What an adapter is told: readable by the adapter, never shown.

use std::fmt;

use serde_json::Value as Json;

/// An adapter's settings with every secret in clear text: readable by the adapter, never shown.
pub struct Settings(Json);

impl Settings {
    /// Settings as they were read.
    pub(super) fn new(json: Json) -> Self {
        Self(json)
    }

    /// The settings, secrets included. Whoever calls this answers for where they go.
    pub fn expose(&self) -> &Json {
        &self.0
    }

    /// The texts at these paths.
    pub(super) fn at<'s>(&'s self, paths: &'s [&'s str]) -> impl Iterator<Item = &'s str> {
        let at = |path: &&str| path.split('.').try_fold(&self.0, |at, step| at.get(step))?.as_str();
        paths.iter().filter_map(at)
    }

    /// The same with other secrets: `secrets` are their paths, `*` for any element of a list, and `make` says what takes the place of one.
    pub fn with_secrets(&self, secrets: &[&str], make: &mut dyn FnMut(&str) -> String) -> Self {
        let mut settings = self.0.clone();
        for path in secrets {
            let steps: Vec<&str> = path.split('.').collect();
            replace_secrets(&mut settings, &steps, make);
        }
        Self(settings)
    }

    /// The settings that hold secrets, by their paths: a list of things with secrets is one of them, since what tells one thing from another
    /// changes with them.
    pub fn secret_parts(&self, secrets: &[&str]) -> Json {
        let at = |path: &str| path.split('.').try_fold(&self.0, |at, step| at.get(step));
        let parts = holders(secrets).into_iter().filter_map(|path| Some((path.to_owned(), at(path)?.clone())));
        Json::Object(parts.collect())
    }

    /// The same settings with these in the place of those that hold secrets.
    pub fn with_secret_parts(&self, secrets: &[&str], parts: &Json) -> Self {
        let mut settings = self.0.clone();
        for path in holders(secrets) {
            let (above, name) = path.rsplit_once('.').map_or(("", path), |(above, name)| (above, name));
            let mut steps = above.split('.').filter(|step| !step.is_empty());
            let Some(fields) = steps.try_fold(&mut settings, |at, step| at.get_mut(step)).and_then(Json::as_object_mut)
            else {
                continue;
            };
            match parts.get(path) {
                Some(part) => drop(fields.insert(name.to_owned(), part.clone())),
                None => drop(fields.remove(name)),
            }
        }
        Self(settings)
    }
}

/// The settings that hold the secrets at these paths, each once.
fn holders<'s>(secrets: &[&'s str]) -> Vec<&'s str> {
    let mut holders: Vec<&str> = secrets.iter().filter_map(|path| path.split(".*").next()).collect();
    holders.sort_unstable();
    holders.dedup();
    holders
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Settings(…)")
    }
}

/// Replaces every text at a path, and in a list there.
fn replace_secrets(at: &mut Json, steps: &[&str], make: &mut dyn FnMut(&str) -> String) {
    match (at, steps) {
        (Json::String(text), []) => *text = make(text),
        (Json::Array(items), []) => items.iter_mut().for_each(|item| replace_secrets(item, &[], make)),
        (Json::Array(items), ["*", rest @ ..]) => items.iter_mut().for_each(|item| replace_secrets(item, rest, make)),
        (Json::Object(fields), [name, rest @ ..]) => {
            if let Some(inner) = fields.get_mut(*name) {
                replace_secrets(inner, rest, make);
            }
        }
        (Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) | Json::Object(_), _) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const SECRETS: &[&str] = &["apps.*.secret", "secrets", "secrets.*", "erp.secret", "erp.secret.*", "key"];

    #[test]
    fn the_parts_that_hold_secrets_can_be_those_of_before() {
        let before = Settings::new(json!({
            "url": "a", "apps": [{ "id": 1, "secret": "x" }], "secrets": ["s"], "erp": { "url": "a", "secret": "e" },
        }));
        let now = Settings::new(json!({
            "url": "b", "apps": [{ "id": 2, "secret": "y" }], "secrets": ["t"], "erp": { "url": "b", "secret": "f" }, "key": "k",
        }));
        let parts = before.secret_parts(SECRETS);
        assert_eq!(parts, json!({ "apps": [{ "id": 1, "secret": "x" }], "secrets": ["s"], "erp.secret": "e" }));
        let held = now.with_secret_parts(SECRETS, &parts);
        let wanted = json!({
            "url": "b", "apps": [{ "id": 1, "secret": "x" }], "secrets": ["s"], "erp": { "url": "b", "secret": "e" },
        });
        assert_eq!(held.expose(), &wanted);
        assert_eq!(held.with_secret_parts(SECRETS, &now.secret_parts(SECRETS)).expose(), now.expose());
    }
}
