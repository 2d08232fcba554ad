// SPDX-License-Identifier: Apache-2.0

//! The configuration as its reader meets it: the example passes, and every planted mistake is named at its line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tempfile::TempDir;
use ticketbridge::config::check::{report_in, report_on};
use ticketbridge::config::{Config, Environment, Role};
use ticketbridge::http::caller::Caller;
use ticketbridge::service::registry::Registry;
use ticketbridge_core::message::ProductRef;
use ticketbridge_core::{BackendId, ChannelId, Date, ProductCode};

/// One planted mistake: what is changed in the example, and what the check must then say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What is wrong, in words.
    about: String,
    /// Changes of the example's text.
    #[serde(default)]
    edit: Vec<Edit>,
    /// Files added, replaced, or (empty) removed.
    #[serde(default)]
    files: BTreeMap<String, String>,
    /// Variables set differently; an empty one is not set.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// Whether `/metrics` stays open where there are partners.
    #[serde(default)]
    open_metrics: bool,
    /// Every finding, whole; nothing else may be found.
    expect: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    file: String,
    find: String,
    put: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    case: Vec<Case>,
}

const VARIABLES: [(&str, &str); 4] = [
    ("TICKETBRIDGE_DATA_KEY", "VGhpcyBpcyBhIGtleSBmb3IgdGVzdHMsIDMyIGJ5dGU="),
    ("TICKETBRIDGE_OPS_TOKEN", "an-ops-token-for-tests"),
    ("DOUYIN_SECRET", "0123456789abcdef0123456789abcdef"),
    ("GATE_SECRET", "whsec_dGVzdHMgc2hhcmUgdGhpcyB3aXRoIHRoZSBnYXRl"),
];

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The files below `directory`, by their path in it.
fn files(directory: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(inner, text)| (format!("{name}/{inner}"), text)));
        } else {
            found.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
    found
}

fn write(files: &BTreeMap<String, String>) -> TempDir {
    let directory = TempDir::new().unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    directory
}

fn all_set() -> Environment {
    // What the example does not need, and the directory of every key does.
    Environment::only(VARIABLES.into_iter().chain([("USE_CODE", "0417")]))
}

/// What the check says, the directory's own path taken out.
fn said(directory: &TempDir, environment: &Environment) -> Vec<String> {
    let prefix = format!("{}/", directory.path().display());
    report_in(directory.path(), environment).findings().iter().map(|f| f.to_string().replace(&prefix, "")).collect()
}

impl Case {
    fn run(&self, example: &BTreeMap<String, String>) -> Vec<String> {
        let mut files = example.clone();
        for Edit { file, find, put } in &self.edit {
            let text = files.get_mut(file).unwrap_or_else(|| panic!("{}: no file {file}", self.about));
            assert_eq!(text.matches(find.as_str()).count(), 1, "{}: `{find}` must stand once in {file}", self.about);
            *text = text.replace(find.as_str(), put);
        }
        for (name, text) in &self.files {
            if text.is_empty() {
                files.remove(name).map(drop)
            } else {
                files.insert(name.clone(), text.clone()).map(drop)
            };
        }
        let has_partners = files.keys().any(|name| name.starts_with("partners/"));
        if let Some(service) = files.get_mut("ticketbridge.toml").filter(|_| has_partners && !self.open_metrics) {
            service.push_str("\n[metrics]\nlisten = \"127.0.0.1:9464\"\n");
        }
        let mut variables: BTreeMap<&str, &str> = VARIABLES.into_iter().collect();
        variables.extend(self.env.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        said(&write(&files), &Environment::only(variables))
    }
}

#[test]
fn every_planted_mistake_is_named_at_its_line_with_its_mend() {
    let example = files(&here("tests/it/config/example"));
    let mut wrong = Vec::new();
    let mut count = 0;
    for (file, text) in files(&here("tests/it/config/cases")) {
        let cases: Cases = toml::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        for case in cases.case {
            count += 1;
            let said = case.run(&example);
            if said != case.expect {
                wrong.push(format!("{file}: {}\n  said     {said:#?}\n  expected {:#?}", case.about, case.expect));
            }
        }
    }
    assert!(count > 0, "no cases were read");
    assert!(wrong.is_empty(), "{} of {count} cases:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_example_is_without_findings_where_its_secrets_are_set() {
    let report = report_in(&here("tests/it/config/example"), &all_set());
    assert_eq!(report.findings(), [], "{report}");
    let config = Config::load(&here("tests/it/config/example"), &all_set()).unwrap_or_else(|report| panic!("{report}"));
    let debug = format!("{config:?}");
    for (name, secret) in VARIABLES {
        assert!(!debug.contains(secret), "{name} is shown");
    }
}

#[test]
fn the_example_passes_the_check_on_a_fresh_clone_and_is_refused_by_the_service() {
    let nothing_set = Environment::only([]);
    let report = report_in(&here("tests/it/config/example"), &nothing_set);
    assert!(report.is_usable(), "{report}");
    assert_eq!(report.warnings().count(), VARIABLES.len(), "{report}");
    let text = report.to_string();
    assert!(text.contains("export TICKETBRIDGE_DATA_KEY=$(openssl rand -base64 32)"), "{text}");
    let refused = Config::load(&here("tests/it/config/example"), &nothing_set).expect_err("secrets are missing");
    assert_eq!(refused.problems().count(), VARIABLES.len(), "{refused}");
}

/// The key of another database is none, and a new one neither: the message says which setting is meant.
#[tokio::test]
async fn a_data_key_that_is_not_the_databases_own_is_named_as_what_is_to_be_mended() {
    let bridge = crate::support::TestBridge::start().await;
    bridge.sell("V100").await;
    let (kept, directory) = (bridge.keep_files(), bridge.config_directory());
    let file = bridge.read_config("ticketbridge.toml");
    let other = "key = \"c29tZWJvZHkgZWxzZSdzIGtleSwgMzIgYnl0ZXMgbG8=\"";
    bridge.write_config("ticketbridge.toml", &file.replace("key = { env = \"TICKETBRIDGE_DATA_KEY\" }", other));
    bridge.bridge.stop().await;
    let config = Config::load(&directory, &crate::support::environment()).unwrap_or_else(|report| panic!("{report}"));
    let error = ticketbridge::app::open_store(&config).await.expect_err("another key").to_string();
    assert!(error.contains("ticketbridge.toml:10: `privacy.key` is not the key"), "{error}");
    assert!(error.contains("a new one is for an empty database only"), "{error}");
    drop(kept);
}

/// Whoever runs the service from a clone edits these files, and the tests go on to pass: everything else is tested on a copy.
#[test]
fn what_stands_in_config_has_no_problems() {
    let report = report_in(&here("config"), &Environment::only([]));
    assert!(report.is_usable(), "{report}");
}

#[test]
fn a_folder_that_is_missing_or_cannot_be_listed_is_a_problem() {
    let mut files = files(&here("tests/it/config/example"));
    files.retain(|name, _| !name.starts_with("channels/"));
    let directory = write(&files);
    let missing =
        "channels: the folder is missing, and with it everything that is sold; make it, empty if that is what you mean";
    assert!(said(&directory, &all_set()).iter().any(|said| said == missing), "{:?}", said(&directory, &all_set()));
    // No folder at all, as a mount that failed may leave it.
    std::fs::write(directory.path().join("channels"), "").unwrap();
    let unread = "channels: the folder cannot be read (not a directory); let this user list it and read its files";
    assert!(said(&directory, &all_set()).iter().any(|said| said == unread), "{:?}", said(&directory, &all_set()));
    std::fs::remove_file(directory.path().join("channels")).unwrap();
    std::fs::create_dir(directory.path().join("channels")).unwrap();
    let report = report_in(directory.path(), &all_set());
    assert!(report.is_usable() && report.to_string().contains("no channel is configured"), "{report}");
}

#[test]
fn every_documented_key_is_accepted() {
    let report = report_in(&here("tests/it/config/every-key"), &all_set());
    assert_eq!(report.findings(), [], "{report}");
}

/// A key that the service learns must be written there too, so that it is known to pass the check.
#[test]
fn the_directory_of_every_key_has_every_key() {
    let report = report_in(&here("tests/it/config/every-key"), &all_set());
    // A secret stands in the environment or in a file; and what a voucher may not ask for is read to say so (DY-02).
    let refused =
        ["documents", "fields", "guests", "visitors_per_unit"].map(|key| format!("products.voucher_product.{key}"));
    let missing: Vec<_> =
        report.unwritten().iter().filter(|key| !key.ends_with(".file") && !refused.contains(key)).collect();
    assert_eq!(missing, [""; 0]);
}

/// The same for the settings of each adapter, those inside tables among them.
#[test]
fn the_directory_of_every_key_has_every_setting_of_every_adapter() {
    let files = files(&here("tests/it/config/every-key"));
    let tables: Vec<toml::Table> = files
        .iter()
        .filter(|(name, _)| name.starts_with("channels/") || name.starts_with("backends/"))
        .map(|(_, text)| toml::from_str(text).unwrap())
        .collect();
    let kinds = ticketbridge_adapters::CHANNELS.iter().map(|kind| (kind.name, kind.settings));
    let kinds = kinds.chain(ticketbridge_adapters::BACKENDS.iter().map(|kind| (kind.name, kind.settings)));
    for (adapter, settings) in kinds {
        for path in settings {
            let has = |table: &toml::Table| {
                table["adapter"].as_str() == Some(adapter) && is_written(&table["settings"], path)
            };
            assert!(tables.iter().any(has), "{adapter}: `{path}` is nowhere in tests/it/config/every-key");
        }
    }
}

/// Whether something stands at a path, `*` being any element of a list.
fn is_written(value: &toml::Value, path: &str) -> bool {
    let (step, rest) = path.split_once('.').map_or((path, None), |(step, rest)| (step, Some(rest)));
    let below = |value: &toml::Value| rest.is_none_or(|rest| is_written(value, rest));
    match step {
        "*" => value.as_array().is_some_and(|list| list.iter().any(below)),
        _ => value.get(step).is_some_and(below),
    }
}

/// The byte ranges of the keys in a TOML text: words before ` =`, outside comments and texts.
fn keys(text: &str) -> Vec<(usize, std::ops::Range<usize>)> {
    let mut found = Vec::new();
    let mut start = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let mut in_text = false;
        for (at, byte) in line.bytes().enumerate() {
            match byte {
                b'"' => in_text = !in_text,
                b'#' if !in_text => break,
                b'=' if !in_text => {
                    let before = line[..at].trim_end();
                    let word = before.bytes().rev().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
                    found.push((index + 1, start + before.len() - word..start + before.len()));
                }
                _ => {}
            }
        }
        start += line.len();
    }
    found
}

#[test]
fn a_mistyped_key_is_found_wherever_it_stands_and_the_right_one_suggested() {
    let example = files(&here("tests/it/config/example"));
    let mut tried = 0;
    for (file, text) in &example {
        for (line, range) in keys(text) {
            tried += 1;
            let key = &text[range.clone()];
            let mut files = example.clone();
            let mistyped = format!("{}{key}z{}", &text[..range.start], &text[range.end..]);
            files.insert(file.clone(), mistyped);
            let said = said(&write(&files), &all_set());
            let begins = format!("{file}:{line}: unknown key `{key}z`");
            let suggests = format!("did you mean `{key}`?");
            assert!(said.iter().any(|s| s.starts_with(&begins) && s.ends_with(&suggests)), "{begins}\n{said:#?}");
        }
    }
    assert!(tried > 100, "only {tried} keys were tried");
}

fn load(directory: &Path) -> Config {
    Config::load(directory, &all_set()).unwrap_or_else(|report| panic!("{report}"))
}

#[test]
fn an_order_is_placed_under_the_rules_of_the_products_that_the_channel_names() {
    let mut config = load(&here("tests/it/config/example"));
    config.version = 7;
    let registry = Registry::build(&config).unwrap();
    let channel = registry.channel(&ChannelId::from("douyin-main")).unwrap();
    let code = |text: &str| (!text.is_empty()).then(|| ProductCode::from(text));
    for (voucher, booking, found) in [
        ("LP-V2", "LP-B2", Some("LP-B2")),
        ("LP-V2", "", Some("LP-B2")),
        ("", "LP-B9", Some("LP-B9")),
        ("LP-V2", "LP-B9", None),
        ("LP-V7", "LP-B2", None),
        ("", "LP-B7", None),
        ("", "LP-V2", None),
        ("", "", None),
    ] {
        let product = ProductRef { voucher: code(voucher), booking: code(booking) };
        let rules = config.rule_snapshot(channel.channel.rules(), &product);
        assert_eq!(rules.as_ref().map(|r| r.booking.code.as_str()), found, "{voucher}|{booking}");
        if let Some(rules) = rules {
            assert_eq!(rules.config_version, 7);
            assert_eq!(rules.voucher.map(|v| v.code), code(voucher));
        }
    }
}

#[test]
fn an_ops_token_is_known_by_its_whole_text() {
    let config = load(&here("tests/it/config/every-key"));
    let holder = |token: &str| config.ops_token(token).map(|token| (token.name.as_str(), token.role));
    assert_eq!(holder("an-ops-token-for-tests"), Some(("ops", Role::Admin)));
    assert_eq!(holder("a-token-for-the-desk"), Some(("desk", Role::Operator)));
    assert_eq!(holder("a-token-for-the-books"), Some(("books", Role::Settlement)));
    for wrong in ["", "an-ops-token-for-test", "an-ops-token-for-tests ", "ops"] {
        assert_eq!(holder(wrong), None, "{wrong}");
    }
}

#[test]
fn partners_are_built_with_their_own_limits() {
    let registry = Registry::build(&load(&here("tests/it/config/every-key"))).unwrap();
    let channel = registry.channel(&ChannelId::from("douyin-main")).unwrap();
    assert_eq!((channel.adapter, channel.rate_per_caller), ("douyin", 50));
    assert_eq!(channel.credit_account.as_deref(), Some("acme"));
    for (caller, allowed) in
        [("203.0.113.9", true), ("::ffff:203.0.113.9", true), ("203.0.114.9", false), ("2001:db8::1", false)]
    {
        assert_eq!(channel.allows(Caller::Known(caller.parse().unwrap())), allowed, "{caller}");
    }
    assert!(!channel.allows(Caller::Unknown));
    let gate = registry.backend(&BackendId::from("gate")).unwrap();
    assert_eq!((gate.adapter, gate.timeout.0), ("ticketing_http", 5_000));
    let pool = registry.backend(&BackendId::from("lp-2026")).unwrap();
    assert_eq!((pool.adapter, pool.timeout.0), ("code_pool", 10_000));

    let open = Registry::build(&load(&here("tests/it/config/example"))).unwrap();
    let channel = open.channel(&ChannelId::from("douyin-main")).unwrap();
    for caller in [Caller::Known("198.51.100.1".parse().unwrap()), Caller::Unknown] {
        assert!(channel.allows(caller), "an empty list lets everyone in");
    }
    assert_eq!(channel.rate_per_caller, 2_000);
    assert!(open.channel(&ChannelId::from("gate")).is_none());
}

#[test]
fn a_directory_that_is_not_there_is_one_problem() {
    let directory = TempDir::new().unwrap();
    let report = report_in(&directory.path().join("nowhere"), &all_set());
    assert_eq!(report.problems().count(), 1, "{report}");
    assert!(report.to_string().contains("--config DIR"), "{report}");
}

#[test]
fn a_window_that_is_over_is_told_from_the_day_after() {
    let directory = write(&files(&here("tests/it/config/example")));
    let on = |day: &str| {
        let report = report_on(directory.path(), &all_set(), Date::parse(day));
        report.findings().iter().map(|finding| (finding.line, finding.problem.clone())).collect::<Vec<_>>()
    };
    let of = |found: Vec<(usize, String)>, key: &str| {
        found.into_iter().filter(|(_, problem)| problem.starts_with(key)).collect::<Vec<_>>()
    };
    assert_eq!(of(on("2027-03-31"), "`booking_window`"), []);
    let over = "`booking_window` ended on 2027-03-31: what is sold now can never be booked".to_owned();
    assert_eq!(of(on("2027-04-01"), "`booking_window`"), [(13, over.clone()), (54, over)]);
    // So is a calendar, by its last day.
    assert_eq!(of(on("2027-02-28"), "`calendar`"), []);
    let ended = |day: &str| format!("`calendar` ended on {day}: no day can be booked any more");
    assert_eq!(of(on("2027-03-01"), "`calendar`"), [(90, ended("2027-02-28"))]);
    assert_eq!(of(on("2027-04-01"), "`calendar`").len(), 3);
}

#[test]
fn what_cannot_be_read_as_text_is_told_and_keeps_nobody_waiting() {
    let directory = write(&files(&here("tests/it/config/example")));
    let products = directory.path().join("products");
    std::fs::create_dir(products.join("folder.toml")).unwrap();
    std::os::unix::net::UnixListener::bind(products.join("socket.toml")).unwrap();
    std::fs::write(products.join("utf16.toml"), b"\xff\xfe[\0").unwrap();
    let mend = "give it as UTF-8 text that this user may read";
    assert_eq!(
        said(&directory, &all_set()),
        [
            format!("products/folder.toml: this is no file; {mend}"),
            format!("products/socket.toml: this is no file; {mend}"),
            format!("products/utf16.toml: the file is not UTF-8; {mend}"),
        ]
    );
}
