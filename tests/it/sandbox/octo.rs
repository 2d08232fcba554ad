// SPDX-License-Identifier: Apache-2.0

//! The supplier's stories, OC-01 … OC-19: ten minutes pass in ten seconds, for the bridge as well.

use std::time::Duration;

use ticketbridge_sandbox::douyin::{App, SimProduct};
use ticketbridge_sandbox::stories::octo::STORIES;
use ticketbridge_sandbox::stories::play;
use ticketbridge_sandbox::{SimDouyin, SimDouyinOptions, SimOcto, SimOctoOptions, SimTime, Supplier};

use super::{OCTO_HINTS, OCTO_KEY, over, scene};
use crate::support::{CHANNEL, CLIENT_KEY, CLIENT_SECRET};

/// Ten minutes in ten seconds.
const TIME_SCALE: f64 = 60.0;

/// What of the example becomes what.
pub(super) fn changes(platform: String, supplier: String) -> [(&'static str, String); 5] {
    [
        ("https://open.douyin.com", platform),
        ("http://127.0.0.1:9104/octo", supplier),
        (
            "{ read = \"5s\", reserve = \"10s\", confirm = \"15s\" }",
            "{ read = \"1s\", reserve = \"1s\", confirm = \"1s\" }".to_owned(),
        ),
        ("ticketing_deadline    = \"10m\"", "ticketing_deadline    = \"10s\"".to_owned()),
        ("ticketing_warn_before = \"5m\"", "ticketing_warn_before = \"5s\"".to_owned()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_story_of_the_supplier_ends_as_it_should() {
    let time = SimTime::new(TIME_SCALE);
    let app = App { client_key: CLIENT_KEY.to_owned(), client_secret: CLIENT_SECRET.to_owned() };
    let products = vec![SimProduct::new("LK-V1|LK-B1", 1, 12_900), SimProduct::new("LK-V2|LK-B2", 1, 12_900)];
    let mut options = SimDouyinOptions::usual(CHANNEL, app, "7123456789", products, time.clone());
    options.limits.answer_at_least = Duration::from_secs(5);
    let journal = options.journal.clone();
    let douyin = SimDouyin::start(options).await.expect("the simulated Douyin starts");
    let options = SimOctoOptions { journal, ..SimOctoOptions::usual(OCTO_KEY, time) };
    let octo = SimOcto::start(options).await.expect("the simulated supplier starts");
    let changes = changes(douyin.api_base(), octo.base_url());
    let mut scene = scene(douyin, &changes, None, |douyin, url| douyin.set_bridge_url(url)).await;
    let hints = Some(format!("{}/backends/octo/hints/{OCTO_HINTS}", scene.bridge.url()));
    let supplier = Supplier { octo, backend: "octo".to_owned(), hints, sells: 0, gives_up: Some(1) };
    scene.stage = scene.stage.with_supplier(supplier);
    let mut problems = Vec::new();
    for story in STORIES {
        let verdict = play(story, &scene.stage).await;
        problems.extend(verdict.problems.into_iter().map(|problem| format!("{}: {problem}", verdict.name)));
    }
    over(scene, problems, "octo").await;
}
