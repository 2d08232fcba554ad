//! The console in a real browser, before the demonstration's orders. Where there is no Chromium this says so and does nothing; CI requires it.

mod acts;
mod demo;
mod driver;
mod keyboard;
mod looks;
mod pictures;

use demo::Demo;
use driver::Browser;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "its walk by keyboard does not end yet: cargo test --test browser -- --ignored"]
async fn the_console_is_good_to_look_at_and_to_work_with() {
    let Some(browser) = Browser::start().await else { return };
    let demo = Demo::keep().await;
    looks::the_door_is_good_to_look_at(&browser, &demo).await;
    browser.open(&demo.link).await;
    browser.waits_for("#today").await;
    // The link has opened the console once, and does not do so again.
    browser.open(&demo.link).await;
    assert!(browser.client.find(fantoccini::Locator::Css("#today")).await.is_err(), "a link works once");
    looks::every_page_is_good_to_look_at(&browser, &demo).await;
    keyboard::everything_can_be_done_by_the_keyboard(&browser, &demo).await;
    acts::an_open_page_shows_what_changes_and_is_quiet_otherwise(&browser, &demo).await;
    acts::many_are_chosen_looked_at_and_done(&browser, &demo).await;
    acts::every_act_that_is_offered_does_what_it_says(&browser, &demo).await;
    pictures::are_taken_where_they_are_wanted(&browser, &demo).await;
    browser.stop().await;
}
