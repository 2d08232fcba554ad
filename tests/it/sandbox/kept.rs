// SPDX-License-Identifier: Apache-2.0

//! What was recorded of the sandbox's stories when they were played in real time: it is played again, with whatever crossed in it, and without a
//! difference. Recorded anew, and played at once, with `TICKETBRIDGE_RECORD_DAY=1 cargo test --test it sandbox`.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use ticketbridge::app;
use ticketbridge::clock::{Clock as _, SystemClock};
use ticketbridge::config::Config;
use ticketbridge::recorder::export::export;
use ticketbridge::recorder::file::{self, Recorded};
use ticketbridge::replay::{Expected, replay};
use ticketbridge::service::registry::Registry;
use ticketbridge_core::{Millis, TimeZone, UnixMillis};

use super::{dates_around, douyin, environment, kakao, octo, tripstore, write_configuration};

/// Set to anything, the stories are recorded anew.
const RECORD_ANEW: &str = "TICKETBRIDGE_RECORD_DAY";
/// Nobody is there.
const NOBODY: &str = "http://127.0.0.1:9";

fn path_of(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/replay/{name}.recording"))
}

/// Keeps what was recorded since `since` by a bridge with this configuration, which has stopped; and makes sure that it can be played.
pub(super) async fn keep_if_wanted(configuration: &Path, since: UnixMillis, name: &str) {
    if std::env::var_os(RECORD_ANEW).is_none() {
        return;
    }
    let config = Config::load_for_replay(configuration, &environment()).expect("a configuration");
    let store = app::open_store(&config).await.expect("the database");
    let registry = Registry::build(&config).expect("the partners");
    let until = SystemClock::new().now() + Millis(1);
    let recorded = export(&store, &registry, (since, until), [7; 32]).await.expect("a recording");
    store.close().await.expect("it closes");
    let path = path_of(name);
    drop(std::fs::remove_file(&path));
    file::write(&path, &recorded, &app::sealer(&config), "the-stories").expect("it is written");
    plays(recorded, config).await;
}

async fn plays(recorded: Recorded, config: Config) {
    let (messages, _) = recorded.counts();
    let report = replay(recorded, config, &Expected::default()).await.expect("it can be played");
    assert_eq!(
        report.unexplained, 0,
        "{report}\n\nIf this is wanted, record the stories anew, and say so in the changelog"
    );
    assert!(report.equal > messages as u64, "{report}");
}

/// What is kept under this name plays without a difference, to the configuration of its stories.
async fn kept_plays(name: &str, changes: &[(&str, String)]) {
    let directory = TempDir::new().expect("a temporary directory");
    let sealer = {
        write_configuration(directory.path(), changes, NOBODY);
        let config = Config::load_for_replay(&directory.path().join("config"), &environment());
        app::sealer(&config.expect("a configuration"))
    };
    let recorded = file::read(&path_of(name), &sealer).expect("the recording of the project");
    let today = TimeZone::UTC.date_of(recorded.from());
    let dates = dates_around(chrono::NaiveDate::parse_from_str(&today.to_string(), "%Y-%m-%d").expect("a date"));
    write_configuration(directory.path(), &[changes, &dates].concat(), NOBODY);
    let config = Config::load_for_replay(&directory.path().join("config"), &environment()).expect("a configuration");
    plays(recorded, config).await;
}

#[tokio::test]
async fn the_recorded_stories_of_douyin_play_without_a_difference() {
    kept_plays("douyin", &douyin::changes(NOBODY.to_owned())).await;
}

#[tokio::test]
async fn the_recorded_stories_of_kakao_play_without_a_difference() {
    kept_plays("kakao", &kakao::addresses(NOBODY.to_owned())).await;
}

#[tokio::test]
async fn the_recorded_stories_of_tripstore_play_without_a_difference() {
    kept_plays("tripstore", &tripstore::addresses(NOBODY.to_owned(), NOBODY.to_owned())).await;
}

#[tokio::test]
async fn the_recorded_stories_of_the_supplier_play_without_a_difference() {
    kept_plays("octo", &octo::changes(NOBODY.to_owned(), format!("{NOBODY}/octo"))).await;
}
