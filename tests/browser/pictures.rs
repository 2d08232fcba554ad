// SPDX-License-Identifier: Apache-2.0

//! The pictures of the README: `TICKETBRIDGE_PICTURES=docs/src/pictures cargo test --test browser` makes them anew.

use std::path::PathBuf;

use crate::demo::Demo;
use crate::driver::Browser;

/// Where they are put, if anywhere.
const PICTURES: &str = "TICKETBRIDGE_PICTURES";
/// Bytes that a picture may have.
const BYTES_MAX: usize = 120_000;

/// Makes them.
pub(crate) async fn are_taken_where_they_are_wanted(browser: &Browser, demo: &Demo) {
    let Some(directory) = std::env::var_os(PICTURES).map(PathBuf::from) else { return };
    std::fs::create_dir_all(&directory).expect("a directory for pictures");
    // One on which somebody has to decide, and something happens if nobody does.
    let cases = demo.get("refunds?state=under_review&channel=douyin-main").await;
    let order = format!("/orders/{}", cases["items"][0]["order_id"].as_str().expect("a refund to decide"));
    browser.scheme("light").await;
    browser.window(1280, 800).await;
    for (name, page) in [("today.png", ""), ("order.png", order.as_str())] {
        browser.open(&format!("{}/console{page}?lang=en", demo.url)).await;
        browser.waits_for("main").await;
        let picture = browser.picture(1280, 800).await;
        assert!(picture.len() < BYTES_MAX, "{name} has {} bytes: a picture in a README is small", picture.len());
        std::fs::write(directory.join(name), picture).expect("the picture is written");
    }
}
