// SPDX-License-Identifier: Apache-2.0

//! The TripStore-style marketplace's stories, with the travel agency behind it.

use futures_util::future::join_all;
use serde_json::json;
use ticketbridge_sandbox::SimTripStore;
use ticketbridge_sandbox::stories::tripstore::STORIES;

use super::meddling::{How, Meddle};
use super::{Scene, all_pass, found_out, platform_options, scene};

/// What of the example becomes which address.
pub(super) fn addresses(market: String, agency: String) -> [(&'static str, String); 2] {
    [("http://127.0.0.1:9101", market), ("http://127.0.0.1:9103", agency)]
}

async fn trip(meddle: Option<Meddle>) -> Scene<SimTripStore> {
    let options = || platform_options("trip", "DANANG");
    let trip = SimTripStore::start(options(), options()).await.expect("the simulated marketplace starts");
    let addresses = addresses(trip.market.base_url(), trip.agency.base_url());
    scene(trip, &addresses, meddle, |trip, url| trip.market.set_bridge_url(url)).await
}

#[tokio::test]
async fn every_story_ends_as_it_should() {
    all_pass(trip(None).await, STORIES, "tripstore").await;
}

#[tokio::test]
async fn a_bridge_that_misbehaves_is_found_out_by_the_books() {
    let cases: [(&str, &'static str, How, &str); 9] = [
        ("part-payment", "/complete", How::Swallow, "it is completed"),
        ("part-payment", "/payment-links", How::Swallow, "a payment link is sent"),
        ("part-payment", "/payment-links", How::Again, "a second link while one is live"),
        (
            "part-payment",
            "/payment-links",
            How::Change(|body| body["amount_krw"] = json!(3_180_000)),
            "more than is open",
        ),
        ("part-payment", "/v1/bookings", How::Swallow, "the agency is told"),
        (
            "full-payment",
            "/v1/bookings",
            How::Change(|body| body["booker_phone"] = json!("010-0001-0001")),
            "a traveller's own number",
        ),
        (
            "full-payment",
            "/v1/bookings",
            How::Change(|body| body["total_sale_krw"] = json!(1)),
            "another total_sale_krw",
        ),
        ("agency-renumbers", "/complete", How::Change(|body| body["agency_booking_no"] = json!("YB1")), "has changed"),
        ("overpayment", "/cancel", How::Swallow, "what was too much went back"),
    ];
    let tried = cases.map(async |(story, ends_with, how, words)| {
        let meddle = Meddle { ends_with, how };
        found_out(async || trip(Some(meddle)).await, STORIES, story, words).await;
    });
    join_all(tried).await;
}
