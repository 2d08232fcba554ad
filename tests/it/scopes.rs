// SPDX-License-Identifier: Apache-2.0

//! Scopes: what one tenant is answered tells nothing of another. Two tenants do random things on one bridge; then one of them does the same on a
//! bridge of his own. Every call of the ops interface that reads must answer him the same.

use http::Method;
use serde_json::{Value, json};
use ticketbridge::accounts::scope::Scope;
use ticketbridge::config::Role;
use ticketbridge_core::Millis;

use crate::stream::Onlooker;
use crate::support::people::{PARTNERS, Person, scope};
use crate::support::{TestBridge, douyin};

/// The channels of the two tenants, and the agencies that they belong to.
const TENANTS: [(&str, &str); 2] = [("douyin-main", "north"), ("douyin-zoo", "shop")];

/// What can be done to many at once.
const ACTS_ON_MANY: [&str; 6] = ["confirm", "cancel", "no-show", "approve", "retry", "drop"];

/// Something that one of them does.
#[derive(Clone, Copy, Debug)]
enum Act {
    Sell(u64),
    Book(u64),
    Refund(u64),
    Drain,
    Wait(i64),
}

/// Numbers that are random enough, and the same for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

fn acts(seed: u64) -> Vec<(usize, Act)> {
    let mut dice = Dice(seed);
    let mut sold = [0_u64; 2];
    let mut all = Vec::new();
    for _ in 0..14 {
        let tenant = usize::try_from(dice.roll(2)).expect("a tenant");
        let known = sold[tenant];
        let act = match dice.roll(6) {
            0 | 1 => {
                sold[tenant] += 1;
                Act::Sell(sold[tenant])
            }
            2 if known > 0 => Act::Book(1 + dice.roll(known)),
            3 if known > 0 => Act::Refund(1 + dice.roll(known)),
            4 => Act::Wait(i64::try_from(1 + dice.roll(9)).expect("minutes")),
            _ => Act::Drain,
        };
        all.push((tenant, act));
    }
    all
}

async fn bridge() -> TestBridge {
    TestBridge::start_with(|files| {
        files.insert("partners/all.toml".to_owned(), PARTNERS.to_owned());
        let channel = files.remove("channels/douyin-main.toml").expect("the channel");
        for ((id, agency), unit) in TENANTS.into_iter().zip(["park-1", "zoo-1"]) {
            let text = channel
                .replace(
                    "adapter = \"douyin\"",
                    &format!("adapter = \"douyin\"\nsettle_id = \"{unit}\"\nagency = \"{agency}\""),
                )
                .replace("\"douyin-main\"", &format!("\"{id}\""));
            files.insert(format!("channels/{id}.toml"), text);
        }
    })
    .await
}

/// Does what the acts say, those of one tenant alone if one is named; time passes for everybody.
async fn carry_out(bridge: &TestBridge, acts: &[(usize, Act)], alone: Option<usize>) {
    for (tenant, act) in acts {
        let (channel, letter) = (TENANTS[*tenant].0, ["1", "2"][*tenant]);
        // Numbers are the channel's own, and phones are made of them: those of two tenants differ.
        let (sale, booking) = (|n: u64| format!("V{letter}0{n}"), |n: u64| format!("R{letter}0{n}"));
        let (call, body) = match *act {
            Act::Wait(minutes) => {
                bridge.advance(Millis::minutes(minutes));
                continue;
            }
            Act::Drain => {
                bridge.drain().await;
                continue;
            }
            Act::Sell(n) => ("create-order", douyin::sale(&sale(n), 2, bridge.now())),
            Act::Book(n) => ("create-order", douyin::booking(&booking(n), &sale(n), "2026-12-01", 2, bridge.now())),
            Act::Refund(n) => {
                ("refund-apply", douyin::refund_apply(&booking(n), &format!("K{letter}{n}"), 101, 0, bridge.now()))
            }
        };
        if alone.is_none_or(|alone| alone == *tenant) {
            bridge.ask(douyin::signed(&format!("/channels/{channel}/{call}"), &body, bridge.now())).await;
        }
    }
    bridge.drain().await;
}

/// Text without long hexadecimal numbers: two worlds give other identifiers.
fn plain(text: &str) -> String {
    let (mut out, mut run) = (String::new(), String::new());
    let end = |run: &mut String, out: &mut String| {
        out.push_str(if run.len() >= 6 { "#" } else { run });
        run.clear();
    };
    for c in text.chars() {
        match c {
            '0'..='9' | 'a'..='f' | 'A'..='F' => run.push(c),
            _ => {
                end(&mut run, &mut out);
                out.push(c);
            }
        }
    }
    end(&mut run, &mut out);
    out
}

/// An answer as it is compared. What happened at one moment stands in the order of its identifiers, which are others in the other world: the
/// entries of a list are sorted.
fn compared(reply: &crate::support::Reply) -> String {
    let mut body = reply.json();
    if !body.is_object() {
        return plain(&reply.text());
    }
    for list in ["items", "targets", "refusals"] {
        let Some(items) = body[list].as_array() else { continue };
        let mut entries: Vec<String> = items.iter().map(|item| plain(&item.to_string())).collect();
        entries.sort();
        body[list] = json!(entries);
    }
    plain(&body.to_string())
}

/// What he is told by a stream that is open while the acts are carried out, with its times.
async fn told(bridge: &TestBridge, tenant: usize, acts: &[(usize, Act)], alone: Option<usize>) -> Vec<String> {
    let agency = TENANTS[tenant].1;
    let email = format!("looks@{agency}.example");
    let person = Person::invited(bridge, &email, Role::Operator, Scope::Agency(agency.to_owned())).await;
    let mut looking = Onlooker::begin(bridge, &person, None).await.expect("a stream");
    let mut all = Vec::new();
    for act in acts {
        carry_out(bridge, &[*act], alone).await;
        person.get(bridge, "session").await.expect(200);
        // Until nothing more is told than that the stream is alive; one that has ended is begun anew, as a page does.
        loop {
            match looking.next(bridge).await {
                None => looking = Onlooker::begin(bridge, &person, Some(&looking.last)).await.expect("a stream"),
                Some(text) if text.contains("event: ") => {
                    let mut lines: Vec<String> = text.lines().map(plain_data).collect();
                    // Of the same moment, in the order of identifiers.
                    lines.sort();
                    all.push(format!("{} {}", bridge.now().0, lines.join(" ")));
                }
                Some(_) => break,
            }
        }
    }
    all
}

/// A line of an event; its time stays.
fn plain_data(line: &str) -> String {
    if line.starts_with("data: ") { plain(line) } else { line.to_owned() }
}

/// Everything that a tenant's people are answered, by what they asked.
async fn answers(bridge: &TestBridge, tenant: usize) -> Vec<(String, u16, String)> {
    let (channel, agency) = TENANTS[tenant];
    let mut people = Vec::new();
    for role in [Role::Admin, Role::Settlement] {
        let email = format!("{}@{agency}.example", role.word());
        people.push((role, Person::joins(bridge, &email, role, Scope::Agency(agency.to_owned())).await));
    }
    let period = "from=2026-11-01&to=2026-11-30";
    let mut paths: Vec<String> = [
        "orders?limit=200",
        "orders?state=booked",
        "orders?attention=any",
        "orders?waiting=true",
        "refunds?limit=200",
        "refunds?state=under_review",
        "deliveries?limit=200",
        "deliveries?state=delivered",
        "deadlines?limit=200",
        "deadlines?state=disarmed",
        "inbox?limit=200",
        "channels",
        "backends",
        "partners",
        "config",
        "reconciliation",
        "accounts",
        "invitations",
        "codes/lp-2026",
        "credit/acme",
        "audit?limit=200",
        "orders/ord_unknown",
        "deliveries?destination=backend:gate",
        "inbox?channel=gate",
        "sessions",
        "session",
        "bulk",
    ]
    .map(str::to_owned)
    .to_vec();
    for unit in ["park-1", "zoo-1", "douyin-main", "douyin-zoo"] {
        paths.push(format!("statements?settle_id={unit}&{period}"));
    }
    paths.push(format!("statements?account=acme&{period}"));
    // What the other one has, as far as one can guess it: his numbers, his names.
    for (other, _) in TENANTS {
        for number in ["V101", "V102", "V201", "V202", "R101", "R201"] {
            paths.push(format!("orders?q={number}"));
            for below in ["", "/events?limit=200", "/calls?limit=200", "/next-steps"] {
                paths.push(format!("orders/{other}:{number}{below}"));
            }
        }
        paths.push(format!("orders?channel={other}"));
        paths.push(format!("refunds?channel={other}"));
        paths.push(format!("deliveries?destination=channel:{other}"));
        paths.push(format!("inbox?channel={other}"));
    }
    let mut all = Vec::new();
    for (role, person) in &people {
        for path in &paths {
            let reply = person.get(bridge, path).await;
            all.push((format!("{} {path}", role.word()), reply.status.as_u16(), compared(&reply)));
        }
        for number in ["13800000101", "13800000201"] {
            let body = json!({ "phone": number, "reason": "to see" });
            let reply = person.post(bridge, "orders/search", &body).await;
            all.push((format!("{} search {number}", role.word()), reply.status.as_u16(), compared(&reply)));
        }
    }
    // What would be done to many: all that match, and what one has guessed.
    let admin = &people[0].1;
    for act in ACTS_ON_MANY {
        let mut wishes = vec![json!({ "match": {} }), json!({ "items": ["ord_unknown"] })];
        for (other, _) in TENANTS {
            wishes.push(json!({ "match": { "channel": other } }));
            wishes.push(json!({ "match": { "destination": format!("channel:{other}") } }));
            wishes.push(json!({ "items": [format!("{other}:V101"), format!("{other}:V201")] }));
        }
        for wish in &mut wishes {
            wish["reason"] = json!("to see");
            let reply = admin.post(bridge, &format!("bulk/{act}?dry_run=true"), wish).await;
            all.push((format!("bulk {act} {wish}"), reply.status.as_u16(), compared(&reply)));
        }
    }
    assert!(
        all.iter().any(|(path, status, text)| path.starts_with("bulk ") && *status == 200 && text.contains("targets"))
    );
    assert!(all.iter().any(|(path, status, _)| path.contains(channel) && *status == 200), "nothing was answered");
    all
}

#[tokio::test]
async fn a_tenant_is_answered_as_if_he_were_alone() {
    for seed in 1..=4 {
        let acts = acts(seed);
        let (together, alone) = (bridge().await, bridge().await);
        carry_out(&together, &acts, None).await;
        carry_out(&alone, &acts, Some(0)).await;
        let (first, second) = (answers(&together, 0).await, answers(&alone, 0).await);
        for (one, other) in first.iter().zip(&second) {
            assert_eq!(one, other, "seed {seed}: {acts:?}");
        }
        // And what is the other's is nothing to him.
        let said: String = first.iter().map(|(_, _, text)| text.as_str()).collect();
        for word in ["V201", "R201", "zoo-1", "Zoo Shop"] {
            let sent = first.iter().filter(|(path, _, text)| text.contains(word) && !path.contains(word)).count();
            assert_eq!(sent, 0, "seed {seed}: {word} is told: {}", said.len());
        }
    }
}

#[tokio::test]
async fn an_open_stream_tells_a_tenant_what_it_would_tell_him_alone_at_the_same_times() {
    let mut many = 0;
    for seed in 1..=4 {
        let acts = acts(seed);
        let (together, alone) = (bridge().await, bridge().await);
        let first = told(&together, 0, &acts, None).await;
        let second = told(&alone, 0, &acts, Some(0)).await;
        assert_eq!(first, second, "seed {seed}: {acts:?}");
        many += first.len();
    }
    assert!(many > 0, "nothing was told at all");
}

/// The metrics are for who runs the service: they name channels and back-ends, as the configuration does, and nothing and nobody behind them.
#[tokio::test]
async fn metrics_name_no_tenant_no_person_and_no_order() {
    let bridge = bridge().await;
    carry_out(&bridge, &acts(1), None).await;
    answers(&bridge, 0).await;
    answers(&bridge, 1).await;
    let said = bridge.ask(crate::support::Ask::new(Method::GET, "/metrics")).await.expect(200).text();
    assert!(said.contains("channel=\"douyin-zoo\""), "{said}");
    let is_letter = |c: char| c.is_ascii_lowercase();
    for word in
        ["north", "shop", "park", "acme", "T-1001", "V101", "V201", "R101", "ord_", "acc_", "13800000", ".example"]
    {
        // As a word of its own: a message that was parked tells nothing of the park, and what is recorded nothing of an order.
        let names = |line: &&str| {
            line.match_indices(word).any(|(at, _)| {
                let (before, rest) = (&line[..at], &line[at + word.len()..]);
                let begins = !word.starts_with(is_letter) || !before.ends_with(is_letter);
                begins && (!word.ends_with(is_letter) || !rest.starts_with(is_letter))
            })
        };
        // The counters are the process's: a reseller of another test has a channel that is called as a dealer is here.
        let is_here = |line: &&str| !line.contains("channel=\"acme\"");
        let found: Vec<&str> = said.lines().filter(is_here).filter(names).collect();
        assert!(found.is_empty(), "{word}: {found:?}");
    }
}

#[tokio::test]
async fn what_is_out_of_scope_cannot_be_acted_on() {
    let bridge = bridge().await;
    carry_out(&bridge, &[(0, Act::Sell(1)), (0, Act::Book(1)), (0, Act::Refund(1))], None).await;
    let mut shop = Person::joins(&bridge, "boss@shop.example", Role::Admin, Scope::Agency("shop".into())).await;
    shop.passes_factor(&bridge).await;
    let order = bridge.get("orders/douyin-main:V101").await.expect(200).json();
    let (id, case) = (order["id"].as_str().expect("an id"), order["refund_case"]["id"].as_str().expect("a case"));
    let delivery = bridge.get(&format!("deliveries?order={id}")).await.expect(200).json();
    let delivery = delivery["items"][0]["id"].as_str().expect("a delivery").to_owned();
    let inbox = bridge.get("inbox?channel=douyin-main").await.expect(200).json();
    let message = inbox["items"][0]["id"].as_str().expect("a message").to_owned();
    let reason = json!({ "reason": "mine now" });
    let north = Person::joins(&bridge, "kim@north.example", Role::Operator, Scope::Agency("north".into())).await;
    let account = north.get(&bridge, "session").await.expect(200).json()["account"].as_str().expect("an id").to_owned();
    shop.passes_factor(&bridge).await;
    for (path, body) in [
        (format!("orders/{id}/cancel"), &reason),
        (format!("orders/{id}/reveal"), &reason),
        (format!("orders/{id}/confirm"), &json!({})),
        (format!("orders/{id}/return-payment"), &reason),
        (format!("refunds/{case}/approve"), &json!({})),
        (format!("refunds/{case}/reject"), &reason),
        (format!("deliveries/{delivery}/retry"), &json!({})),
        (format!("deliveries/{delivery}/drop"), &reason),
        (format!("inbox/{message}/replay"), &json!({})),
        ("channels/douyin-main/pause".to_owned(), &json!({})),
        ("backends/gate/pause".to_owned(), &json!({})),
        ("codes/lp-2026".to_owned(), &json!({ "codes": ["X-1"] })),
        ("config/reload".to_owned(), &json!({})),
        ("statements/close".to_owned(), &json!({ "settle_id": "park-1", "to": "2026-11-20" })),
        (format!("accounts/{account}/deactivate"), &json!({})),
        (format!("accounts/{account}/role"), &json!({ "role": "admin", "scope": scope("agency", "shop") })),
    ] {
        let reply = shop.post(&bridge, &path, body).await;
        assert_eq!(reply.status.as_u16(), 404, "{path}: {}", reply.text());
    }
    // A guest's data is exported and erased in his own orders alone.
    let phone = json!({ "phone": "13800000101", "reason": "the guest asks" });
    let exported = shop.post(&bridge, "guests/export", &phone).await.expect(200).json();
    assert_eq!(exported["orders"], json!([]));
    let erased = shop.post(&bridge, "guests/erase", &phone).await.expect(200).json();
    assert_eq!((&erased["erased"], &erased["kept"]), (&json!([]), &json!([])));
    assert_eq!(
        bridge.get("orders/douyin-main:V101").await.expect(200).json()["version"],
        order["version"],
        "untouched"
    );
}

#[tokio::test]
async fn an_institution_sees_its_agencies_and_a_dealer_its_institutions() {
    let bridge = bridge().await;
    carry_out(&bridge, &[(0, Act::Sell(1)), (1, Act::Sell(1))], None).await;
    for (scope, sees) in [
        (Scope::Everything, vec!["douyin-main", "douyin-zoo"]),
        (Scope::Dealer("acme".into()), vec!["douyin-main"]),
        (Scope::Institution("park".into()), vec!["douyin-main"]),
        (Scope::Institution("zoo".into()), vec!["douyin-zoo"]),
        (Scope::Agency("north".into()), vec!["douyin-main"]),
        (Scope::Agency("south".into()), vec![]),
        (Scope::Agency("shop".into()), vec!["douyin-zoo"]),
    ] {
        let email = format!("{}-{}@x.example", scope.kind(), scope.id().unwrap_or("all"));
        let person = Person::invited(&bridge, &email, Role::Viewer, scope.clone()).await;
        let orders = person.get(&bridge, "orders").await.expect(200).json();
        let mut found: Vec<String> = orders["items"]
            .as_array()
            .expect("orders")
            .iter()
            .filter_map(|order: &Value| order["channel"].as_str().map(str::to_owned))
            .collect();
        found.sort();
        assert_eq!(found, sees, "{scope:?}");
    }
    let nobody = crate::support::Ask::new(Method::GET, "/ops/v1/orders");
    bridge.ask(nobody).await.problem(401, "unauthenticated");
}
