// SPDX-License-Identifier: Apache-2.0

//! `kill -9` while a supplier's answer to hold, confirm or cancel is on its way, at either side of its effect: one booking there, or none.
//!
//! The program runs as a process of its own between a reseller, who repeats what got no answer, and a supplier, whose books judge.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};
use ticketbridge_sandbox::octo::{Fault, Status, Write};
use ticketbridge_sandbox::{SimOcto, SimOctoOptions, SimTime};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::octo_reseller::{CHANNEL, KEY, sold};
use crate::real::{ANY_PORT, Place, pause, until_within};
use crate::support::Ask;

/// Longest real time for anything that must happen in the end: the lease of a killed process is among it.
const IN_THE_END: Duration = Duration::from_secs(180);

/// Where the program is killed.
#[derive(Clone, Copy, Debug)]
struct Case {
    hold_at: &'static str,
    write: Write,
    fault: Fault,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for write in [Write::Reserve, Write::Confirm, Write::Cancel] {
        for fault in [Fault::RequestLost, Fault::AnswerLost] {
            cases.push(Case { hold_at: "ticketing", write, fault });
        }
    }
    cases.extend([Fault::RequestLost, Fault::AnswerLost].map(|fault| Case {
        hold_at: "booking",
        write: Write::Reserve,
        fault,
    }));
    cases
}

/// A call over a connection of its own; `None` where it got no answer.
async fn send(address: SocketAddr, ask: &Ask) -> Option<(u16, Value)> {
    let mut stream = tokio::net::TcpStream::connect(address).await.ok()?;
    stream.write_all(&ask.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.split(' ').nth(1)?.parse().ok()?;
    let (_, body) = text.split_once("\r\n\r\n")?;
    Some((status, serde_json::from_str(body).ok()?))
}

/// The reseller: it repeats until it is answered as `done` wants.
async fn insist(
    address: SocketAddr,
    (method, path): (Method, &str),
    body: &Value,
    done: impl Fn(&Value) -> bool,
) -> Value {
    let what = format!("{method} {path}");
    until_within(IN_THE_END, &what, async || {
        let ask = Ask::new(method.clone(), format!("/octo/{path}")).token(KEY);
        let ask = if body.is_null() { ask } else { ask.json(body) };
        match send(address, &ask).await {
            Some((200, said)) if done(&said) => Some(said),
            Some(_) | None => {
                pause(Duration::from_millis(200)).await;
                None
            }
        }
    })
    .await
}

fn place(supplier: &SimOcto, case: Case) -> Place {
    let place = Place::with_example(|_, text| text);
    let write = |name: &str, text: &str| crate::support::write_file(&place.config().join(name), text);
    write("channels/acme.toml", CHANNEL);
    let backend = format!(
        "id = \"ventrata\"\nadapter = \"octo\"\n[settings]\nbase_url = \"{}\"\nkey = {{ env = \"OCTO_KEY\" }}\nhold_at = \"{}\"\n",
        supplier.base_url(),
        case.hold_at
    );
    write("backends/ventrata.toml", &backend);
    let product = r#"
[[booking_product]]
code = "DAY"
name = "Lakeside Park, a day"
ticketing = { mode = "backend", backend = "ventrata", product = "LAKE/DEFAULT", units = { adult = "adult" }, slot = "first" }
guests = { who = "one", fields = ["name"] }
cancellation = { kind = "anytime" }
refund_rule  = { tiers = [{ before_visit = "0h", fee_bp = 0 }] }
calendar = [{ from = "2026-01-01", to = "2035-12-31", price = 5000 }]
"#;
    write("products/resold.toml", product);
    place
}

/// A date that is near, whenever the test runs: the supplier's own tomorrow.
fn tomorrow(supplier: &SimOcto) -> String {
    let today = supplier.time().today(ticketbridge_sandbox::time::Zone::SHANGHAI);
    (today + chrono::Days::new(3)).to_string()
}

async fn play(case: Case) {
    let supplier = SimOcto::start(SimOctoOptions::usual("octo-key", SimTime::new(1.0))).await.expect("a supplier");
    let place = place(&supplier, case);
    let environment = [("RESELLER_KEY", KEY), ("OCTO_KEY", "octo-key")];
    let bridge = place.serve_with(ANY_PORT, &environment).await;
    let address = bridge.address;
    let uuid = "7d7d6f2c-1111-4222-8333-444455556666";
    let reserve = json!({ "uuid": uuid, "productId": "DAY", "optionId": "DEFAULT", "availabilityId": tomorrow(&supplier),
        "unitItems": [{ "unitId": "unit" }] });
    supplier.next(case.write, case.fault);
    let read = format!("bookings/{uuid}");
    let (confirm, cancel) = (format!("{read}/confirm"), format!("{read}/cancel"));
    let is_ticketed = |said: &Value| said["unitItems"][0]["ticket"].is_object();
    let reseller = async {
        insist(address, (Method::POST, "bookings"), &reserve, |_| true).await;
        insist(address, (Method::POST, &confirm), &sold(), |_| true).await;
        insist(address, (Method::GET, &read), &Value::Null, is_ticketed).await;
        if case.write == Write::Cancel {
            insist(address, (Method::POST, &cancel), &json!({}), |said| said["status"] == "CANCELLED").await;
        }
    };
    let killer = async {
        until_within(IN_THE_END, "the supplier is called", async || (supplier.faults_left() == 0).then_some(())).await;
        bridge.kill().await;
        place.serve_with(address, &environment).await
    };
    let ((), bridge) = tokio::join!(reseller, killer);
    supplier.with_books(|books| {
        let sold = books.all().filter(|(_, booked)| booked.status == Status::Confirmed).count();
        let confirmed: u32 = books.all().map(|(_, booked)| booked.confirmed).sum();
        let held = books.all().filter(|(_, booked)| booked.status == Status::OnHold).count();
        assert_eq!(sold, usize::from(case.write != Write::Cancel), "{case:?}");
        assert_eq!(confirmed, 1, "{case:?}: sold once");
        assert_eq!(
            held, 0,
            "{case:?}: a place that was asked for before there was an order is asked for under the same number"
        );
        assert_eq!(books.violations, Vec::<String>::new(), "{case:?}");
    });
    bridge.kill().await;
}

#[tokio::test]
async fn killed_at_any_step_of_hold_confirm_and_cancel_there_is_one_booking_or_none() {
    join_all(cases().into_iter().map(|case| Box::pin(play(case)))).await;
}
