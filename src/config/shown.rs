// SPDX-License-Identifier: Apache-2.0

//! The settings in force as they may be shown: each by its file and key, with what stands there. What is or may be a secret is never shown,
//! also where it stands in clear.

use serde::Serialize;
use toml::Value;

use super::address::Address;
use super::source::Source;

/// What stands for a secret.
const HIDDEN: &str = "***";
/// Parts of names under which secrets stand. A product's `code` and a provider's `client_id` are none.
const SECRET: [&str; 6] = ["secret", "token", "password", "key", "use_code", "credential"];

/// A setting as it stands in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ShownSetting {
    /// The file.
    pub file: String,
    /// Its name, from the outside in; of what there are several, by its own name or its place.
    pub key: String,
    /// As it is written; `***` for a secret.
    pub value: String,
}

/// A setting that a change has made another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChangedSetting {
    /// The file.
    pub file: String,
    /// Its name.
    pub key: String,
    /// What stood there; nothing where it was not there.
    pub before: Option<String>,
    /// What stands there; nothing where it is there no more.
    pub after: Option<String>,
}

/// Names of settings that say what is settled, and with whom.
const OF_SETTLEMENT: [&str; 4] = ["commission_bp", "settle_id", "credit_account", "settle_unit"];

/// Whether a setting says what is settled, with whom, or for which share.
pub(crate) fn is_of_settlement(file: &str, key: &str) -> bool {
    let names = key.split(['.', '[']);
    file.ends_with("credit.toml") || names.into_iter().any(|name| OF_SETTLEMENT.contains(&name))
}

/// The settings of a file.
pub(super) fn of(source: &Source) -> Vec<ShownSetting> {
    let Ok(table) = toml::from_str::<toml::Table>(&source.text) else { return Vec::new() };
    let mut found = Vec::new();
    leaves("", &Value::Table(table), &mut |key, value| {
        found.push(ShownSetting { file: source.shown.clone(), key: key.to_owned(), value: written(key, value) });
    });
    found
}

/// What is other in `after` than in `before`. A secret that was changed in a file is seen by nobody here; that it was is told where secrets
/// take effect.
pub(crate) fn between(before: &[ShownSetting], after: &[ShownSetting]) -> Vec<ChangedSetting> {
    let find = |all: &[ShownSetting], one: &ShownSetting| {
        all.iter().find(|it| it.file == one.file && it.key == one.key).map(|it| it.value.clone())
    };
    let other = after.iter().filter_map(|one| {
        let was = find(before, one);
        (was.as_ref() != Some(&one.value)).then(|| ChangedSetting {
            file: one.file.clone(),
            key: one.key.clone(),
            before: was,
            after: Some(one.value.clone()),
        })
    });
    let gone = before.iter().filter(|one| find(after, one).is_none()).map(|one| ChangedSetting {
        file: one.file.clone(),
        key: one.key.clone(),
        before: Some(one.value.clone()),
        after: None,
    });
    other.chain(gone).collect()
}

/// Each value that has no names below it, under its own.
fn leaves(path: &str, value: &Value, tell: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Table(fields) if !fields.is_empty() && !is_reference(fields) => {
            for (name, value) in fields {
                let key = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                leaves(&key, value, tell);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_table) && !items.iter().all(is_secret_reference) => {
            for (index, item) in items.iter().enumerate() {
                leaves(&format!("{path}[{}]", name_of(item, index)), item, tell);
            }
        }
        leaf => tell(path, leaf),
    }
}

fn is_secret_reference(value: &Value) -> bool {
    value.as_table().is_some_and(is_reference)
}

/// `{ env = "NAME" }` or `{ file = "path" }`: where a secret is, and no secret.
fn is_reference(fields: &toml::Table) -> bool {
    fields.len() == 1 && (fields.contains_key("env") || fields.contains_key("file"))
}

fn name_of(item: &Value, index: usize) -> String {
    let named = ["id", "code", "name", "connection"].iter().find_map(|name| item.get(name)?.as_str());
    named.map_or_else(|| index.to_string(), str::to_owned)
}

fn written(key: &str, value: &Value) -> String {
    let name = key.rsplit('.').next().unwrap_or(key).to_ascii_lowercase();
    let is_secret = SECRET.iter().any(|part| name.contains(part));
    match value {
        Value::String(text) => match is_secret {
            true => HIDDEN.to_owned(),
            false => format!("\"{}\"", without_password(text)),
        },
        Value::Array(items) => {
            let each: Vec<String> = items.iter().map(|item| written(key, item)).collect();
            format!("[{}]", each.join(", "))
        }
        Value::Table(fields) => {
            // Where a secret stands is no secret.
            let each = fields.iter().map(|(name, value)| {
                format!("{name} = {}", written(if is_reference(fields) { name } else { key }, value))
            });
            format!("{{ {} }}", each.collect::<Vec<_>>().join(", "))
        }
        Value::Integer(_) | Value::Float(_) if is_secret => HIDDEN.to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(flag) => flag.to_string(),
        Value::Datetime(at) => at.to_string(),
    }
}

/// An address of a database or a page without what may be a password in it.
fn without_password(text: &str) -> String {
    let Some(Address { scheme, user, place, query }) = Address::of(text) else { return text.to_owned() };
    let (user, query) = (user.map_or("", |_| "***@"), query.map_or("", |_| "?***"));
    format!("{scheme}://{user}{place}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::source::Part;

    fn settings(text: &str) -> Vec<ShownSetting> {
        of(&Source { part: Part::Service, shown: "ticketbridge.toml".to_owned(), text: text.to_owned() })
    }

    const EXAMPLE: &str = r#"
[database]
url = "postgres://bridge:hunter2@db/bridge"
[privacy]
key = { env = "TICKETBRIDGE_DATA_KEY" }
[ops]
tokens = [{ name = "ops", role = "admin", token = "hunter3" }]
[settings]
secrets = ["whsec_hunter4", { env = "OTHER" }]
admin_key = "hunter5"
review_limit = "72h"
[[booking_product]]
code = "LP-B1"
calendar = [{ from = "2026-11-01", stock = 200 }]
"#;

    #[test]
    fn every_setting_is_shown_and_no_secret() {
        let shown = settings(EXAMPLE);
        let all: String = shown.iter().map(|it| format!("{} = {}\n", it.key, it.value)).collect();
        assert!(!all.contains("hunter"), "{all}");
        for expected in [
            "database.url = \"postgres://***@db/bridge\"\n",
            "privacy.key = { env = \"TICKETBRIDGE_DATA_KEY\" }\n",
            "ops.tokens[ops].role = \"admin\"\n",
            "ops.tokens[ops].token = ***\n",
            "settings.review_limit = \"72h\"\n",
            "booking_product[LP-B1].calendar[0].stock = 200\n",
        ] {
            assert!(all.contains(expected), "{expected}{all}");
        }
    }

    #[test]
    fn a_password_is_hidden_wherever_it_stands_in_an_address() {
        for (written, shown) in [
            ("postgres://db/bridge?user=me&password=hunter2", "postgres://db/bridge?***"),
            ("postgres://me:hun/ter2@db/bridge", "postgres://***@db/bridge"),
            ("mysql://me:hun@ter2@db/bridge?ssl-mode=required", "mysql://***@db/bridge?***"),
            ("mysql://me:hun?ter2@db/bridge", "mysql://***@?***"),
            ("sqlite://data/ticketbridge.db", "sqlite://data/ticketbridge.db"),
            ("https://api.example/v1", "https://api.example/v1"),
            ("Asia/Seoul", "Asia/Seoul"),
        ] {
            assert_eq!(without_password(written), shown);
        }
    }

    /// What an adapter says is a secret of its settings is hidden under its name, however it is nested.
    #[test]
    fn every_secret_of_an_adapter_is_hidden() {
        let channels = ticketbridge_adapters::CHANNELS.iter().flat_map(|kind| kind.secrets);
        let secrets: Vec<&str> =
            channels.chain(ticketbridge_adapters::BACKENDS.iter().flat_map(|kind| kind.secrets)).copied().collect();
        assert!(secrets.len() > 10, "{secrets:?}");
        for path in secrets {
            let name = path.trim_end_matches(".*");
            assert_eq!(written(name, &Value::String("hunter2".to_owned())), HIDDEN, "{path}");
        }
    }

    #[test]
    fn what_a_change_has_changed_is_told_by_key() {
        let (before, after) =
            (settings(EXAMPLE), settings(&EXAMPLE.replace("\"72h\"", "\"60h\"").replace(", stock = 200", "")));
        let changed = between(&before, &after);
        let told: Vec<_> =
            changed.iter().map(|it| (it.key.as_str(), it.before.as_deref(), it.after.as_deref())).collect();
        assert_eq!(
            told,
            [
                ("settings.review_limit", Some("\"72h\""), Some("\"60h\"")),
                ("booking_product[LP-B1].calendar[0].stock", Some("200"), None),
            ]
        );
        assert!(between(&before, &before).is_empty());
    }
}
