// SPDX-License-Identifier: Apache-2.0

//! The real program between the two simulators: an example that is on sale on every day on which the test may run.

use std::time::Duration;

use chrono::Days;
use ticketbridge_sandbox::douyin::{App, SimProduct};
use ticketbridge_sandbox::{SimBackend, SimBackendOptions, SimDouyin, SimDouyinOptions, SimTime, Stage};

use super::Place;
use crate::support::{CHANNEL, CLIENT_KEY, CLIENT_SECRET, GATE_SECRET};

/// Price of the product on sale, fen.
const PRICE: i64 = 19_900;
/// Real time for tickets, on both sides.
pub(crate) const TICKETING: Duration = Duration::from_secs(120);

/// The simulators, whose stated times pass `time_scale` times as fast, and a configuration that names them, with `stock` units on sale.
pub(crate) async fn set_the_stage(time_scale: f64, stock: usize) -> (Stage, Place) {
    let time = SimTime::new(time_scale);
    let app = App { client_key: CLIENT_KEY.to_owned(), client_secret: CLIENT_SECRET.to_owned() };
    let products = vec![SimProduct::new("LP-V2|LP-B2", 2, PRICE)];
    let mut options = SimDouyinOptions::usual(CHANNEL, app, "7123456789", products, time.clone());
    options.limits.answer_at_least = Duration::from_secs(5);
    // Missed deadlines are other tests' concern.
    options.limits.ticketing = TICKETING.mul_f64(time_scale);
    let douyin = SimDouyin::start(options).await.expect("the simulated Douyin starts");
    let backend = SimBackend::start(SimBackendOptions::usual("gate", GATE_SECRET, time)).await;
    let backend = backend.expect("the simulated back-end starts");
    let (from, to) = (
        douyin.time().today(ticketbridge_sandbox::time::Zone::SHANGHAI) - Days::new(2),
        douyin.time().today(ticketbridge_sandbox::time::Zone::SHANGHAI) + Days::new(60),
    );
    let place = Place::with_example(|name, text| match name {
        "ticketbridge.toml" => text
            .replace("first = \"1s\"", "first = \"200ms\"")
            .replace("# rate_per_caller = 200", "rate_per_caller = 100000"),
        "channels/douyin-main.toml" => text.replace("https://open.douyin.com", &douyin.api_base()),
        "backends/gate.toml" => {
            text.replace("https://tickets.example/bridge", &backend.base_url()).replace("\"5s\"", "\"4s\"")
        }
        "products/lakeside.toml" => product(&from.to_string(), &to.to_string(), stock),
        _ => text,
    });
    (Stage::new("", "an-ops-token-for-tests", douyin, backend), place)
}

/// A product that can be visited on every day of the test, whenever that is, `stock` times.
pub(crate) fn product(from: &str, to: &str, stock: usize) -> String {
    format!(
        r#"
[[voucher_product]]
code     = "LP-V2"
name     = "Lakeside Park, two adults"
price    = {PRICE}
currency = "CNY"
stock    = {stock}
booking_window = {{ from = "{from}", to = "{to}" }}
booking_product = "LP-B2"

[[booking_product]]
code     = "LP-B2"
name     = "Lakeside Park, visit of two"
visitors_per_unit = 2
ticketing = {{ mode = "backend", backend = "gate", product = "P-778" }}
ticketing_deadline    = "2m"
ticketing_warn_before = "1m"
guests = {{ who = "each", fields = ["name", "phone", "document"], documents = ["resident_id"] }}
cancellation = {{ kind = "anytime" }}
refund_rule  = {{ tiers = [{{ before_visit = "0h", fee_bp = 0 }}] }}
calendar = [{{ from = "{from}", to = "{to}", stock = {stock}, price = {PRICE} }}]
overdue_policy = "reissue"
"#
    )
}
