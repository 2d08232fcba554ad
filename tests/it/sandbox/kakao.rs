// SPDX-License-Identifier: Apache-2.0

//! The Kakao-style platform's stories.

use futures_util::future::join_all;
use serde_json::json;
use ticketbridge_sandbox::SimKakao;
use ticketbridge_sandbox::stories::kakao::STORIES;

use super::meddling::{How, Meddle};
use super::{Scene, all_pass, found_out, platform_options, scene};

/// What of the example becomes which address.
pub(super) fn addresses(platform: String) -> [(&'static str, String); 1] {
    [("http://127.0.0.1:9101", platform)]
}

async fn kakao(meddle: Option<Meddle>) -> Scene<SimKakao> {
    let kakao = SimKakao::start(platform_options("kakao-jeju", "FOREST")).await.expect("the simulated Kakao starts");
    let addresses = addresses(kakao.base_url());
    scene(kakao, &addresses, meddle, |kakao, url| kakao.set_bridge_url(url)).await
}

#[tokio::test]
async fn every_story_ends_as_it_should() {
    all_pass(kakao(None).await, STORIES, "kakao").await;
}

#[tokio::test]
async fn a_bridge_that_misbehaves_is_found_out_by_the_books() {
    let cases: [(&str, &'static str, How, &str); 10] = [
        ("payment-only-cancel", "/confirm", How::Swallow, "it is accepted"),
        ("payment-only-cancel", "/confirm", How::Unsigned, "not believed"),
        ("payment-only-cancel", "/confirm", How::WithoutKey, "without an Idempotency-Key"),
        ("payment-only-cancel", "/cancel", How::Swallow, "all of the money went back"),
        ("booked-and-used", "/use", How::Change(|body| body["lines"] = json!([])), "not the units"),
        ("booked-and-used", "/use", How::Swallow, "it is used"),
        ("booked-and-used", "/use", How::Again, "is called 1 times (it was 2)"),
        ("declined", "/reject", How::Change(|body| body["reason_text"] = json!("no")), "the manager's own words"),
        (
            "cancel-by-partner",
            "/cancel",
            How::Change(|body| body["fee"]["amount_krw"] = json!(50_000)),
            "more than the policy's",
        ),
        ("cancel-in-a-tier", "/confirm", How::Change(|body| body["lines"] = json!(["D1"])), "whole or not at all"),
    ];
    let tried = cases.map(async |(story, ends_with, how, words)| {
        let meddle = Meddle { ends_with, how };
        found_out(async || kakao(Some(meddle)).await, STORIES, story, words).await;
    });
    join_all(tried).await;
}
