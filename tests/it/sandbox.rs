// SPDX-License-Identifier: Apache-2.0

//! The sandbox's stories against a real bridge: each ends as it should, and a bridge that misbehaves is found out by the books.

mod douyin;
mod kakao;
mod kept;
mod meddling;
mod octo;
mod tripstore;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{NaiveDate, TimeDelta};
use tempfile::TempDir;
use ticketbridge::app::{self, Bridge, Parts, Work};
use ticketbridge::clock::{Clock as _, SystemClock, SystemIds};
use ticketbridge::config::{Config, Environment};
use ticketbridge::transport::{AddressPolicy, HttpTransport};
use ticketbridge_core::{Millis, UnixMillis};
use ticketbridge_sandbox::platform::PlatformOptions;
use ticketbridge_sandbox::stories::{Channel, play};
use ticketbridge_sandbox::{Journal, SimBackend, SimBackendOptions, SimTime, Stage, Story, Verdict};

use meddling::{Meddle, Meddling};

use crate::support::{GATE_SECRET, read_files, write_file};

/// Secret of the platforms' events.
const EVENTS_SECRET: &str = "whsec_ZXZlbnRzLW9mLXRoZS1zYW5kYm94LWZvci10ZXN0cw==";
/// Secret of the bridge's calls.
const CALLS_SECRET: &str = "whsec_Y2FsbHMtdG8tdGhlLXNhbmRib3gtZm9yLXRlc3Rz";
/// The key of the OCTO supplier.
const OCTO_KEY: &str = "a-key-of-the-sandbox-supplier";
/// The last part of the address for its pushes.
const OCTO_HINTS: &str = "0123456789abcdef0123456789abcdef";
/// The ops token.
const TOKEN: &str = "an-ops-token-for-tests";
/// How many times as fast stated times pass: a minute in a tenth of a second.
const TIME_SCALE: f64 = 600.0;
/// Real time that the bridge has for anything, where it is expected to do it.
const PATIENCE: Duration = Duration::from_secs(20);
/// The same where it is expected not to.
const LITTLE_PATIENCE: Duration = Duration::from_secs(2);

/// A bridge between a simulated channel and a simulated back-end.
struct Scene<C> {
    stage: Stage<C>,
    bridge: Bridge,
    directory: TempDir,
    /// When it began.
    since: UnixMillis,
}

/// What a simulated platform is told when it starts.
fn platform_options(channel: &str, product: &str) -> PlatformOptions {
    let mut options = PlatformOptions::usual(channel, EVENTS_SECRET, CALLS_SECRET, product, SimTime::new(TIME_SCALE));
    options.limits.answer_at_least = Duration::from_secs(3);
    options
}

/// Starts a bridge with the example configuration, in which `addresses` are replaced; its calls go through `meddle`.
async fn scene<C: Channel>(
    channel: C,
    addresses: &[(&str, String)],
    meddle: Option<Meddle>,
    meet: impl FnOnce(&C, &str),
) -> Scene<C> {
    let mut options = SimBackendOptions::usual("gate", GATE_SECRET, channel.time().clone());
    options.journal = journal_of(&channel);
    let backend = SimBackend::start(options).await.expect("the simulated back-end starts");
    let directory = TempDir::new().expect("a temporary directory");
    let dates = dates_around(channel.today());
    write_configuration(directory.path(), &[addresses, &dates].concat(), &backend.base_url());
    let environment = environment();
    let config = Config::load(&directory.path().join("config"), &environment)
        .unwrap_or_else(|report| panic!("the configuration of a test: {report}"));
    let clock = Arc::new(SystemClock::new());
    let since = clock.now();
    let policy = AddressPolicy::for_base_urls(true, []);
    let http = HttpTransport::new(Millis::seconds(3), policy).expect("a way out");
    let parts = Parts {
        ids: Arc::new(SystemIds::new(clock.clone())),
        clock,
        transport: Some(Arc::new(Meddling::new(http, meddle))),
        environment,
        work: Work::ByItself,
    };
    let bridge = app::start(config, parts).await.unwrap_or_else(|error| panic!("the bridge of a test: {error:?}"));
    meet(&channel, &bridge.url());
    backend.set_bridge_url(bridge.url());
    let mut stage = Stage::new(&bridge.url(), TOKEN, channel, backend);
    stage.patience = PATIENCE;
    Scene { stage, bridge, directory, since }
}

fn journal_of(channel: &impl Channel) -> Journal {
    channel.journal().clone()
}

/// The example's calendars, moved so that every day on which the test may run can be visited.
fn dates_around(today: NaiveDate) -> [(&'static str, String); 6] {
    let in_days = |days: i64| (today + TimeDelta::days(days)).to_string();
    [
        ("2026-11-01", in_days(-2)),
        ("2026-12-31", in_days(30)),
        ("2027-01-01", in_days(31)),
        ("2027-03-31", in_days(80)),
        ("2027-12-31", in_days(80)),
        ("2035-12-31", in_days(80)),
    ]
}

fn write_configuration(directory: &Path, replaced: &[(&str, String)], backend: &str) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = std::collections::BTreeMap::new();
    read_files(&here.join("tests/it/config/example"), "", &mut files);
    read_files(&here.join("examples/korea"), "", &mut files);
    read_files(&here.join("examples/octo"), "", &mut files);
    let database = format!("sqlite://{}/", directory.display());
    for (name, text) in files {
        let mut text = text
            .replace("127.0.0.1:8080", "127.0.0.1:0")
            .replace("sqlite://data/", &database)
            .replace("first = \"1s\"", "first = \"100ms\"")
            .replace("https://tickets.example/bridge", backend);
        for (from, to) in replaced {
            text = text.replace(from, to);
        }
        if name == "ticketbridge.toml" {
            text.push_str("\n[recorder]\nkeep = \"48h\"\n");
        }
        write_file(&directory.join("config").join(&name), &text);
    }
}

fn environment() -> Environment {
    Environment::only([
        ("TICKETBRIDGE_DATA_KEY", "VGhpcyBpcyBhIGtleSBmb3IgdGVzdHMsIDMyIGJ5dGU="),
        ("TICKETBRIDGE_OPS_TOKEN", TOKEN),
        ("DOUYIN_SECRET", crate::support::CLIENT_SECRET),
        ("GATE_SECRET", GATE_SECRET),
        ("KAKAO_WEBHOOK_SECRET", EVENTS_SECRET),
        ("KAKAO_API_SECRET", CALLS_SECRET),
        ("TRIPSTORE_WEBHOOK_SECRET", EVENTS_SECRET),
        ("TRIPSTORE_API_SECRET", CALLS_SECRET),
        ("ERP_SECRET", CALLS_SECRET),
        ("OCTO_KEY", OCTO_KEY),
        ("OCTO_HINT_SECRET", OCTO_HINTS),
    ])
}

/// Every story ends as it should; what was recorded of them is kept under this name, where that is asked for.
async fn all_pass<C: Channel>(scene: Scene<C>, stories: &[Story<C>], name: &str) {
    let mut problems = Vec::new();
    for story in stories {
        let Verdict { name, problems: found, .. } = play(story, &scene.stage).await;
        problems.extend(found.into_iter().map(|problem| format!("{name}: {problem}")));
    }
    over(scene, problems, name).await;
}

/// The stories have been played.
async fn over<C>(scene: Scene<C>, problems: Vec<String>, name: &str) {
    scene.bridge.stop().await;
    assert!(problems.is_empty(), "{problems:#?}");
    kept::keep_if_wanted(&scene.directory.path().join("config"), scene.since, name).await;
}

/// The story finds the misbehaviour out, and names it with these words. On a machine that is too busy for little patience it is played
/// again, with more.
async fn found_out<C: Channel>(make: impl AsyncFn() -> Scene<C>, stories: &[Story<C>], name: &str, words: &str) {
    let story = stories.iter().find(|known| known.name == name).unwrap_or_else(|| panic!("there is no story {name}"));
    let mut problems = Vec::new();
    for patience in [LITTLE_PATIENCE, PATIENCE] {
        let mut scene = make().await;
        scene.stage.patience = patience;
        let verdict = play(story, &scene.stage).await;
        scene.bridge.stop().await;
        assert!(!verdict.passed, "{name}: nobody noticed: {words}");
        if verdict.problems.iter().any(|problem| problem.contains(words)) {
            return;
        }
        problems = verdict.problems;
    }
    panic!("{name}: {words}: {problems:#?}");
}
