// SPDX-License-Identifier: Apache-2.0

//! Guests' data is nowhere in clear: not in the log at its most talkative, not in any byte that the database keeps.

use serde_json::{Value, json};
use ticketbridge_sandbox::douyin::refunds::SOURCE_CONSUMER;
use ticketbridge_sandbox::douyin::{AfterSale, RefundRequest};

use crate::real::stage::set_the_stage;
use crate::real::{ANY_PORT, PATIENCE};

/// People of whom no trace may be found; nobody is called so.
const NAME: &str = "欧阳密文";
const LATIN: &str = "Zebediah Plainview";
const PHONES: [&str; 2] = ["13912345098", "13798765012"];
const DOCUMENTS: [&str; 2] = ["QX9081726", "PLN4455667"];

fn guests() -> Value {
    json!([
        { "name": NAME, "phone": PHONES[0], "license_type": 6, "license_id": DOCUMENTS[0] },
        { "name": LATIN, "phone": PHONES[1], "license_type": 6, "license_id": DOCUMENTS[1] },
    ])
}

/// Everything in a directory, by the path.
fn bytes_below(directory: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(bytes_below(&path));
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).expect("a file")));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_the_log_nor_the_database_shows_a_guest() {
    let (stage, place) = set_the_stage(60.0, 10).await;
    let service = place.config().join("ticketbridge.toml");
    let text = std::fs::read_to_string(&service).expect("the service's file");
    std::fs::write(&service, text.replace("level  = \"info\"", "level  = \"trace\"")).expect("a file");
    let products = place.config().join("products/lakeside.toml");
    let text = std::fs::read_to_string(&products).expect("the products' file");
    std::fs::write(&products, text.replace("[\"resident_id\"]", "[\"resident_id\", \"passport\"]")).expect("a file");
    let bridge = place.serve(ANY_PORT).await;
    stage.channel.set_bridge_url(bridge.url());
    stage.backend.set_bridge_url(bridge.url());

    // A whole life with its people in clear, as an application without encryption sends them …
    let now = stage.channel.time().now_s();
    let amount = json!({ "origin_amount": 19_900, "pay_amount": 19_900 });
    let day = stage.in_days(7).to_string();
    let sale = json!({
        "order_id": "V1", "order_type": 1, "biz_type": 3, "product_out_id": "LP-V2|LP-B2", "count": 1,
        "create_order_time_unix": now, "amount": amount, "buyer": { "name": NAME, "phone": PHONES[0] },
    });
    let booking = json!({
        "order_id": "R1", "order_type": 2, "source_order_id": "V1", "biz_type": 3, "product_out_id": "LP-V2|LP-B2",
        "count": 1, "book_start_day": day, "book_end_day": day, "create_order_time_unix": now, "amount": amount,
        "buyer": { "name": LATIN, "phone": PHONES[1] }, "tourists": guests(),
    });
    let mut differs = booking.clone();
    differs["tourists"][0]["phone"] = json!(PHONES[1]);
    let mut broken = booking.clone();
    (broken["order_id"], broken["tourists"][0]["license_id"], broken["tourists"][1]["phone"]) =
        (json!("R2"), json!([DOCUMENTS[0]]), json!({ PHONES[1]: NAME }));
    let mut refused = booking.clone();
    (refused["order_id"], refused["tourists"][0]["license_type"]) = (json!("R3"), json!(1));
    let mut early = json!({ "order_id": NAME, "count": PHONES[0], "copies": DOCUMENTS[0] });
    early["tourists"] = guests();
    let issue =
        json!({ "order_id": "R1", "copies": 1, "count": 2, "ticket_rule": { "code_sending_info": [1, 2, 3, 6] } });
    let messages = [
        ("can-buy", &sale),
        ("create-order", &sale),
        ("create-order", &booking),
        ("create-order", &differs),
        ("create-order", &broken),
        ("create-order", &refused),
        ("issue-voucher", &issue),
        ("issue-voucher", &early),
        ("query-order", &early),
        ("refund-apply", &early),
        ("info-sync", &early),
    ];
    for (call, body) in messages {
        let (status, answer) = stage.channel.raw(call, body.to_string().as_bytes()).await.expect("an answer");
        assert_eq!(status, 200, "{call}");
        let is_good = serde_json::from_slice::<Value>(&answer).expect("an envelope")["data"]["error_code"] == 0;
        let should = std::ptr::eq(body, &sale) || std::ptr::eq(body, &booking) || std::ptr::eq(body, &issue);
        assert!(is_good || !should, "{call}: {}", String::from_utf8_lossy(&answer));
    }
    stage.channel.raw_tampered("create-order", booking.to_string().as_bytes()).await.expect("an answer");
    stage.channel.raw("create-order", &booking.to_string().as_bytes()[..300]).await.expect("an answer");

    // … and one as Douyin encrypts them, refunded in the end.
    let bought = stage.channel.buy(&stage.purchase(1)).await;
    let booked = stage.channel.reserve(&bought.order_id, stage.in_days(7), &stage.visitors(1)).await;
    let ticketed = |books: &ticketbridge_sandbox::douyin::Books| books.reservations[&booked.order_id].codes.clone();
    stage.channel.until(PATIENCE, ticketed).await.expect("tickets");
    let request =
        RefundRequest { order_id: booked.order_id.clone(), source: SOURCE_CONSUMER, kind: AfterSale::Refund, fee: 0 };
    let refund = stage.channel.apply_refund(request).await.expect("Douyin takes it");
    let settled = |books: &ticketbridge_sandbox::douyin::Books| books.refunds[&refund.key].settled.then_some(());
    stage.channel.until(PATIENCE, settled).await.expect("the refund is settled");
    assert_eq!(bridge.terminate().await.code(), Some(0));

    let people = stage.channel.books().reservations[&booked.order_id].visitors.clone();
    let planted: Vec<String> = [NAME, LATIN]
        .into_iter()
        .chain(PHONES)
        .chain(DOCUMENTS)
        .map(str::to_owned)
        .chain(people.into_iter().flat_map(|visitor| [visitor.name, visitor.phone, visitor.document_number]))
        .collect();
    assert!(place.log().contains("call answered") && place.log().len() > 2_000, "the log is talkative");
    for (file, bytes) in bytes_below(place.path()) {
        for secret in &planted {
            let escaped: String = secret
                .chars()
                .map(|c| if c.is_ascii() { c.to_string() } else { format!("\\u{:04x}", c as u32) })
                .collect();
            for needle in [secret.as_str(), escaped.as_str()] {
                let at = bytes.windows(needle.len()).position(|window| window == needle.as_bytes());
                let around = at.map(|at| {
                    String::from_utf8_lossy(&bytes[at.saturating_sub(200)..(at + 100).min(bytes.len())]).into_owned()
                });
                assert_eq!(around, None, "{needle} stands in {file}");
            }
        }
    }
}
