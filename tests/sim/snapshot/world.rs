// SPDX-License-Identifier: Apache-2.0

//! The world of the platforms that tell whole orders: what is sold in it, and how it is configured.

use super::{AGENCY_BASE, KAKAO_BASE, TRIP_BASE};
use crate::world::World;

/// The Kakao-style channel.
pub(crate) const KAKAO: &str = "kakao-main";
/// The TripStore-style channel.
pub(crate) const TRIP: &str = "trip-main";
/// Units for each date of a Kakao-style product.
pub(crate) const DATE_STOCK: u32 = 9;

/// Everything that the platforms can do.
pub(crate) const COUNTED: &str = "counted";
/// Most is done by hand on the platforms' own screens.
pub(crate) const BY_HAND: &str = "by_hand";
/// They can do everything, and do not count their changes.
pub(crate) const UNCOUNTED: &str = "uncounted";

/// What is sold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Product {
    pub(crate) code: &'static str,
    /// Who accepts: a person of ours (`manual`), or policy (`auto`).
    confirm: &'static str,
    /// Whether the gate issues its tickets.
    pub(crate) gate: bool,
}

/// The Kakao-style platform's products.
pub(crate) const VISITS: [Product; 3] = [
    Product { code: "K-MANUAL", confirm: "manual", gate: true },
    Product { code: "K-AUTO", confirm: "auto", gate: true },
    Product { code: "K-PLAIN", confirm: "manual", gate: false },
];
/// The marketplace's products.
pub(crate) const TRIPS: [Product; 3] = [
    Product { code: "T-PLAIN", confirm: "manual", gate: false },
    Product { code: "T-AUTO", confirm: "auto", gate: false },
    Product { code: "T-GATE", confirm: "manual", gate: true },
];

/// What each platform can do, in the words of its settings: the Kakao-style one, and the marketplace.
fn capabilities(variant: &str) -> (&'static str, &'static str) {
    match variant {
        BY_HAND => (r#""confirm", "revision", "read_back""#, r#""revision", "read_back""#),
        UNCOUNTED => (
            r#""confirm", "reject", "cancel", "partial_cancel", "payment_only_cancel", "no_show", "read_back""#,
            r#""confirm", "cancel", "payment_link", "payment_only_cancel", "read_back""#,
        ),
        _ => (
            r#""confirm", "reject", "cancel", "partial_cancel", "payment_only_cancel", "no_show", "revision", "read_back""#,
            r#""confirm", "cancel", "payment_link", "payment_only_cancel", "revision", "read_back""#,
        ),
    }
}

fn channel(id: &str, adapter: &str, base: &str, capabilities: &str, more: &str) -> String {
    format!(
        r#"id = "{id}"
adapter = "{adapter}"
[settings]
secrets = [{{ env = "EVENTS_SECRET" }}]
api_base = "{base}"
api_secret = {{ env = "CALLS_SECRET" }}
capabilities = [{capabilities}]
commission_bp = 300
{more}
"#
    )
}

fn product(product: &Product, stock: Option<u32>) -> String {
    let ticketing = match product.gate {
        true => r#"{ mode = "backend", backend = "gate", product = "P" }"#,
        false => r#"{ mode = "none" }"#,
    };
    let stock = stock.map(|units| format!(", stock = {units}")).unwrap_or_default();
    format!(
        r#"
[[booking_product]]
code = "{}"
name = "A visit"
confirm = "{}"
guests = {{ who = "one", fields = [] }}
ticketing = {ticketing}
cancellation = {{ kind = "anytime" }}
calendar = [{{ from = "2026-11-01", to = "2030-12-31"{stock} }}]
"#,
        product.code, product.confirm
    )
}

impl World {
    /// A new world of both platforms.
    pub(crate) async fn snapshot(variant: &str) -> Self {
        let (kakao, trip) = capabilities(variant);
        let erp = format!(r#"erp = {{ base_url = "{AGENCY_BASE}", secret = {{ env = "CALLS_SECRET" }} }}"#);
        let visits = VISITS.iter().map(|visit| product(visit, Some(DATE_STOCK)));
        let trips = TRIPS.iter().map(|trip| product(trip, None));
        let world = Self::new(&[
            ("channels/kakao.toml", channel(KAKAO, "kakao", KAKAO_BASE, kakao, "")),
            ("channels/trip.toml", channel(TRIP, "tripstore", TRIP_BASE, trip, &erp)),
            ("products/all.toml", visits.chain(trips).collect()),
        ])
        .await;
        world.partners.kakao(|books| books.is_counted = variant != UNCOUNTED);
        world.partners.trip(|books, _| books.is_counted = variant != UNCOUNTED);
        world
    }
}
