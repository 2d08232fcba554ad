// SPDX-License-Identifier: Apache-2.0

//! Douyin's stories, but for those that wait for the tenth minute: the demo plays one of them, in ten seconds.

use std::time::Duration;

use ticketbridge_sandbox::douyin::{App, SimProduct};
use ticketbridge_sandbox::stories::douyin::STORIES;
use ticketbridge_sandbox::stories::play;
use ticketbridge_sandbox::{SimDouyin, SimDouyinOptions, SimTime};

use super::{TIME_SCALE, over, scene};
use crate::support::{CHANNEL, CLIENT_KEY, CLIENT_SECRET};

/// They wait until ten minutes have passed.
const SLOW: [&str; 2] = ["missed-deadline", "late-ticket-reissue"];

/// What of the example becomes what.
pub(super) fn changes(platform: String) -> [(&'static str, String); 4] {
    [
        ("https://open.douyin.com", platform),
        // A visit today can be booked whenever the test runs, and is refunded by policy.
        ("before = \"12:00\"", "before = \"23:59\"".to_owned()),
        ("fee_bp = 2000", "fee_bp = 0".to_owned()),
        ("kind = \"until\", days_before = 1, at = \"18:00\"", "kind = \"anytime\"".to_owned()),
    ]
}

#[tokio::test]
async fn every_story_ends_as_it_should() {
    let app = App { client_key: CLIENT_KEY.to_owned(), client_secret: CLIENT_SECRET.to_owned() };
    let products = vec![SimProduct::new("LP-V2|LP-B2", 2, 19_900)];
    let mut options = SimDouyinOptions::usual(CHANNEL, app, "7123456789", products, SimTime::new(TIME_SCALE));
    options.limits.answer_at_least = Duration::from_secs(5);
    // The bridge has its ten minutes in real time.
    options.limits.ticketing = Duration::from_secs(600).mul_f64(TIME_SCALE);
    let douyin = SimDouyin::start(options).await.expect("the simulated Douyin starts");
    let changes = changes(douyin.api_base());
    let scene = scene(douyin, &changes, None, |douyin, url| douyin.set_bridge_url(url)).await;
    let mut problems = Vec::new();
    for story in STORIES.iter().filter(|story| !SLOW.contains(&story.name)) {
        let verdict = play(story, &scene.stage).await;
        problems.extend(verdict.problems.into_iter().map(|problem| format!("{}: {problem}", verdict.name)));
    }
    over(scene, problems, "douyin").await;
}
