// SPDX-License-Identifier: Apache-2.0

//! The console in a real browser, before the demonstration's orders. Where there is no Chromium this says so and does nothing; CI requires it.

mod acts;
mod demo;
mod driver;
mod keyboard;
mod looks;
mod passkeys;
mod pictures;

use std::panic::resume_unwind;
use std::sync::Arc;

use demo::Demo;
use driver::Browser;

/// Does this with a browser and a demonstration of its own. The browser ends in any case: it is a child of its driver's, and would outlive it.
async fn in_a_browser<F>(does: impl FnOnce(Arc<Browser>, Demo) -> F + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    let Some(browser) = Browser::start().await.map(Arc::new) else { return };
    let lent = browser.clone();
    let did = tokio::spawn(async move { does(lent, Demo::keep().await).await }).await;
    browser.stop().await;
    if let Err(error) = did {
        resume_unwind(error.into_panic());
    }
}

async fn enters(browser: &Browser, demo: &Demo) {
    browser.open(&demo.link).await;
    browser.waits_for("#today").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_console_is_good_to_look_at() {
    in_a_browser(|browser, demo| async move {
        looks::the_door_is_good_to_look_at(&browser, &demo).await;
        enters(&browser, &demo).await;
        // The link has opened the console once, and does not do so again.
        browser.open(&demo.link).await;
        assert!(browser.client.find(fantoccini::Locator::Css("#today")).await.is_err(), "a link works once");
        looks::every_page_is_good_to_look_at(&browser, &demo).await;
        pictures::are_taken_where_they_are_wanted(&browser, &demo).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_console_is_good_to_work_with() {
    in_a_browser(|browser, demo| async move {
        enters(&browser, &demo).await;
        keyboard::everything_can_be_done_by_the_keyboard(&browser, &demo).await;
        acts::an_open_page_shows_what_changes_and_is_quiet_otherwise(&browser, &demo).await;
        acts::dead_letters_are_told_again_or_dropped(&browser, &demo).await;
        acts::many_are_chosen_looked_at_and_done(&browser, &demo).await;
        acts::every_act_that_is_offered_does_what_it_says(&browser, &demo).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passkeys_open_the_console() {
    in_a_browser(|browser, demo| async move { passkeys::are_added_used_and_removed(&browser, &demo).await }).await;
}
