// SPDX-License-Identifier: Apache-2.0

//! The world of a Douyin channel: what is sold in it, how it is configured, and the channel's signed calls.

use axum::body::Body;
use http::{Method, Request};
use serde_json::Value;
use ticketbridge_adapters::douyin::sign::sign;
use ticketbridge_core::order::{Order, TicketKind};
use ticketbridge_store::Tx;

use crate::world::{CLIENT_SECRET, World};

/// The channel.
pub(crate) const CHANNEL: &str = "douyin-main";
const CLIENT_KEY: &str = "awsimulatedkey";
/// Codes in the pool: fewer than are asked for in a long world, so that it runs dry.
const POOL_CODES: usize = 60;

/// What is sold: each pair with another policy, so that every row of the refund matrix is met.
pub(crate) const PRODUCTS: [Product; 6] = [
    Product::new("V1", "B1", 60, true),
    Product::new("V2", "B2", 60, true),
    Product::new("V3", "B3", 60, true),
    Product::new("V4", "B4", 60, true),
    Product::new("V5", "B5", 60, false),
    Product::new("V6", "B6", 60, false),
];
/// Units for each date.
pub(crate) const DATE_STOCK: u32 = 9;
/// Price of one unit.
pub(crate) const PRICE: i64 = 10_000;

/// A voucher and its booking product.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Product {
    pub(crate) voucher: &'static str,
    pub(crate) booking: &'static str,
    pub(crate) stock: u32,
    /// Whether the gate issues its tickets.
    pub(crate) gate: bool,
}

impl Product {
    const fn new(voucher: &'static str, booking: &'static str, stock: u32, gate: bool) -> Self {
        Self { voucher, booking, stock, gate }
    }
}

const POOL: &str = "id = \"pool\"\nadapter = \"code_pool\"\n[settings]\nkind = \"code\"\nlow_water = 1\n";
fn channel(confirm: &str) -> String {
    format!(
        r#"id = "{CHANNEL}"
adapter = "douyin"
[settings]
account_id = "7123456789"
apps = [{{ client_key = "{CLIENT_KEY}", client_secret = {{ env = "DOUYIN_SECRET" }} }}]
api_base = "https://open.douyin.com"
creation = "after_payment"
confirm = "{confirm}"
price_check = true
time_zone = "Asia/Shanghai"
review_limit = "72h"
review_warn_before = ["24h", "4h"]
"#
    )
}

/// The six pairs: late tickets decided by a person, reissued, approved; a person's confirmation; the pool; no tickets at all.
fn products() -> String {
    let rules = [
        (
            "ticketing = { mode = \"backend\", backend = \"gate\", product = \"P\" }\noverdue_policy = \"manual\"",
            "until",
        ),
        (
            "ticketing = { mode = \"backend\", backend = \"gate\", product = \"P\" }\noverdue_policy = \"reissue\"",
            "anytime",
        ),
        (
            "ticketing = { mode = \"backend\", backend = \"gate\", product = \"P\" }\noverdue_policy = \"approve\"",
            "anytime",
        ),
        (
            "ticketing = { mode = \"backend\", backend = \"gate\", product = \"P\" }\nconfirm = \"manual\"\noverdue_policy = \"reissue\"",
            "never",
        ),
        ("ticketing = { mode = \"code_pool\", pool = \"pool\" }\noverdue_policy = \"reissue\"", "anytime"),
        ("ticketing = { mode = \"none\" }", "anytime"),
    ];
    let mut text = String::new();
    for (product, (rule, cancellation)) in PRODUCTS.iter().zip(rules) {
        let cancellation = match cancellation {
            "until" => "{ kind = \"until\", days_before = 1, at = \"18:00\" }".to_owned(),
            other => format!("{{ kind = \"{other}\" }}"),
        };
        let refund = if product.voucher == "V3" {
            ""
        } else {
            "refund_rule = { tiers = [{ before_visit = \"48h\", fee_bp = 0 }, { before_visit = \"0h\", fee_bp = 2000 }] }"
        };
        let (voucher, booking, stock) = (product.voucher, product.booking, product.stock);
        text.push_str(&format!(
            r#"
[[voucher_product]]
code = "{voucher}"
name = "A voucher"
price = {PRICE}
currency = "CNY"
stock = {stock}
booking_product = "{booking}"

[[booking_product]]
code = "{booking}"
name = "A visit"
guests = {{ who = "one", fields = ["name", "phone"] }}
ticketing_deadline = "10m"
ticketing_warn_before = "5m"
{rule}
cancellation = {cancellation}
{refund}
calendar = [{{ from = "2026-11-01", to = "2030-12-31", stock = {DATE_STOCK}, price = {PRICE} }}]
"#
        ));
    }
    text
}

impl World {
    /// A new world of a Douyin channel, which learns of acceptance in this way.
    pub(crate) async fn douyin(confirm: &str) -> Self {
        let world = Self::new(&[
            ("channels/douyin.toml", channel(confirm)),
            ("backends/pool.toml", POOL.to_owned()),
            ("products/all.toml", products()),
        ])
        .await;
        let codes: Vec<String> = (1..=POOL_CODES).map(|n| format!("POOL-{n:04}")).collect();
        let store = world.engine().store().clone();
        let imported = store
            .write("import", move |tx: &Tx| {
                let codes = codes.clone();
                Box::pin(async move { tx.import_codes("pool", TicketKind::Code, &codes).await })
            })
            .await;
        imported.expect("codes can be imported");
        world
    }

    /// The order behind a number of the channel's.
    pub(crate) async fn order(&self, number: &str) -> Option<Order> {
        self.order_of(CHANNEL, number).await
    }

    /// A signed call of the channel's; the answer's status and body.
    pub(crate) fn call(&self, call: &str, body: &Value) -> impl Future<Output = (u16, Value)> + use<> {
        let (body, timestamp) = (body.to_string(), self.now().0.to_string());
        let pairs = [("client_key", CLIENT_KEY), ("timestamp", timestamp.as_str())];
        let (signature, _) = sign(CLIENT_SECRET, &pairs, body.as_bytes());
        let uri = format!("/channels/{CHANNEL}/{call}?client_key={CLIENT_KEY}&timestamp={timestamp}");
        let request = Request::builder()
            .method(Method::POST)
            .uri(uri)
            .header("x-life-clientkey", CLIENT_KEY)
            .header("x-life-sign", signature)
            .header("content-type", "application/json")
            .body(Body::from(body))
            .expect("a request");
        self.ask(request)
    }
}
