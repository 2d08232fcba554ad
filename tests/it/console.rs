// SPDX-License-Identifier: Apache-2.0

//! The console as a browser without scripts sees it: pages over HTTP, forms, and what the headers promise.

use http::{Method, header};
use serde_json::json;
use ticketbridge::accounts::people::By;
use ticketbridge::accounts::scope::Scope;
use ticketbridge::config::Role;
use ticketbridge_core::Millis;

use crate::support::people::{PARTNERS, PASSWORD, Person, cookie_of, from_base32};
use crate::support::{Ask, CHANNEL, Reply, TestBridge, douyin};

/// The pages of somebody who may everything.
const PAGES: [&str; 15] = [
    "",
    "/orders",
    "/refunds",
    "/deliveries",
    "/deadlines",
    "/partners",
    "/codes",
    "/reconciliation",
    "/statements",
    "/members",
    "/audit",
    "/settings",
    "/account",
    "/factor",
    "/statements?settle_id=park-1&from=2026-11-01&to=2026-11-30",
];

async fn bridge() -> TestBridge {
    TestBridge::start_with(|files| {
        files.insert("partners/all.toml".to_owned(), PARTNERS.to_owned());
        let channel = files.get_mut("channels/douyin-main.toml").expect("the channel");
        *channel =
            channel.replace("adapter = \"douyin\"", "adapter = \"douyin\"\nsettle_id = \"park-1\"\nagency = \"north\"");
    })
    .await
}

/// A browser: it keeps its cookie, and says from where it sends forms.
pub(crate) struct Browser<'b> {
    pub(crate) bridge: &'b TestBridge,
    pub(crate) cookie: String,
}

impl Browser<'_> {
    fn ask(&self, method: Method, path: &str) -> Ask {
        let ask = Ask::new(method, path).header("sec-fetch-site", "same-origin");
        if self.cookie.is_empty() { ask } else { ask.header("cookie", &self.cookie) }
    }
    pub(crate) async fn open(&self, path: &str) -> Reply {
        self.bridge.ask(self.ask(Method::GET, path)).await
    }
    /// Sends a form, and keeps a cookie that comes back.
    pub(crate) async fn send(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let ask = self.ask(Method::POST, path).header("content-type", "application/x-www-form-urlencoded");
        let reply = self.bridge.ask(ask.body(body.join("&"))).await;
        if reply.headers.contains_key(header::SET_COOKIE) {
            self.cookie = cookie_of(&reply);
        }
        reply
    }
}

fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// What stands in the element with this id, up to its first end tag.
fn element<'p>(page: &'p str, id: &str) -> &'p str {
    let at = page.find(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("no #{id} in {page}"));
    let rest = &page[at..];
    let inside = &rest[rest.find('>').expect("the end of a tag") + 1..];
    &inside[..inside.find("</").unwrap_or(inside.len())]
}

pub(crate) fn location(reply: &Reply) -> String {
    reply.headers[header::LOCATION].to_str().expect("text").to_owned()
}

#[tokio::test]
async fn a_new_member_comes_by_invitation_and_decides_his_first_refund() {
    crate::support::leaves_work();
    let bridge = bridge().await;
    bridge.ticketed("V100", "R100").await;
    let applied = douyin::refund_apply("R100", "K1", 102, 0, bridge.now());
    bridge.douyin("refund-apply", &applied).await.expect(200);
    bridge.drain().await;
    let accounts = &bridge.bridge.shared().accounts;
    let invited = accounts
        .invite(&By::Host, "new@north.example", Role::Operator, &Scope::Agency("north".into()))
        .await
        .expect("an invitation");
    let mut browser = Browser { bridge: &bridge, cookie: String::new() };
    let link = format!("/console/invitations/{}", invited.token);
    let page = browser.open(&link).await.expect(200).text();
    assert!(page.contains("new@north.example"), "{page}");
    let fields =
        [("name", "Min <b>Kim</b>"), ("mobile", "010-1234-5678"), ("direct", "02-123-4567"), ("password", "short")];
    let again = browser.send(&link, &fields).await.expect(422).text();
    assert!(again.contains("at least 10 characters") && again.contains("Min &lt;b&gt;Kim"), "{again}");
    let fields =
        [("name", "Min <b>Kim</b>"), ("mobile", "010-1234-5678"), ("direct", "02-123-4567"), ("password", PASSWORD)];
    assert_eq!(location(&browser.send(&link, &fields).await.expect(303)), "/console/account");
    // An authenticator, and with it his session may act.
    let page = browser.send("/console/account/totp", &[]).await.expect(200).text();
    let person = Person { secret: from_base32(element(&page, "totp-secret")), ..Person::default() };
    let code = person.code(&bridge);
    let page = browser.send("/console/account/totp/confirm", &[("code", &code)]).await.expect(200).text();
    assert_eq!(page.matches("<li><code>").count(), 10, "ten recovery codes: {page}");
    // What waits for him is on the first page, and leads to the order.
    let today = browser.open("/console").await.expect(200).text();
    let order = bridge.stored("V100").await;
    let path = format!("/console/orders/{}", order.id);
    assert!(today.contains("id=\"today\"") && today.contains(&path), "{today}");
    assert!(today.contains("Min &lt;b&gt;Kim&lt;/b&gt;") && !today.contains("<b>Kim"), "what people write is text");
    let page = browser.open(&path).await.expect(200).text();
    for id in ["order-timeline", "next-steps", "actions", "attention", "reveal", "refund-approve", "refund-reject"] {
        assert!(page.contains(&format!("id=\"{id}\"")), "no #{id}");
    }
    let buyer = order.buyer.phone.as_ref().expect("a phone").reveal().to_owned();
    assert!(!page.contains(&buyer), "masked");
    // What was said in a call is read when somebody unfolds it.
    let has_sale = |calls: &serde_json::Value| {
        calls["items"].as_array().is_some_and(|calls| calls.iter().any(|call| call["call"] == "create-order"))
    };
    bridge.eventually(&format!("orders/{}/calls", order.id), has_sale).await;
    let calls = bridge.get(&format!("orders/{}/calls", order.id)).await.expect(200).json();
    let mut calls = calls["items"].as_array().expect("a list").iter();
    let call = calls.find(|call| call["call"] == "create-order").expect("a call")["id"].as_str().expect("an id");
    let folded = browser.open(&path).await.expect(200).text();
    let link = format!("href=\"?said={call}#{call}\"");
    assert!(folded.contains(&link) && !folded.contains("What was answered"), "{folded}");
    let unfolded = browser.open(&format!("{path}?said={call}")).await.expect(200).text();
    assert!(unfolded.contains("What was answered") && unfolded.contains("LP-V2|LP-B2"), "{unfolded}");
    assert!(unfolded.matches("<details open").count() == 1 && !unfolded.contains(&buyer), "{unfolded}");
    let case = order.refund_case.expect("a case").id;
    let act = format!("/console/act/refunds/{case}/reject");
    let done = browser.send(&act, &[("reason", "the tickets are here"), ("back", &path)]).await.expect(303);
    assert_eq!(location(&done), path);
    let page = browser.open(&path).await.expect(200).text();
    assert!(page.contains("the tickets are here") && page.contains("The refund was rejected"), "{page}");
    // The guest in clear, for a reason; from then on in this session.
    let act = format!("/console/act/orders/{}/reveal", order.id);
    browser.send(&act, &[("reason", "calls the desk"), ("back", &path)]).await.expect(303);
    assert!(browser.open(&path).await.expect(200).text().contains(&buyer));
    let unfolded = browser.open(&format!("{path}?said={call}")).await.expect(200).text();
    let (_, said) = unfolded.split_once("What was said").expect("what was said");
    assert!(said.contains(&buyer) && !said.contains("Guests are masked here"), "{said}");
    // Signing out ends it.
    assert_eq!(location(&browser.send("/console/sign-out", &[]).await.expect(303)), "/console/sign-in");
    assert!(location(&browser.open(&path).await.expect(303)).starts_with("/console/sign-in?back="));
    // What was to be done is not done after all: whoever signs in again sees the page that it was on.
    let act = browser.send("/console/act/orders/ord_1/confirm", &[("back", "/console/orders?q=1")]).await.expect(303);
    assert_eq!(location(&act), "/console/sign-in?back=%2Fconsole%2Forders%3Fq%3D1");
}

/// A page without what it shows as code.
fn without_code(page: &str) -> String {
    let parts = page.split("<code>").enumerate();
    parts
        .map(|(at, part)| if at == 0 { part } else { part.split_once("</code>").map_or("", |(_, rest)| rest) })
        .collect()
}

#[tokio::test]
async fn every_page_is_there_in_three_languages_under_a_strict_policy_and_light() {
    let bridge = bridge().await;
    bridge.ticketed("V100", "R100").await;
    for n in 101..150 {
        bridge.sell(&format!("V{n}")).await;
    }
    let boss = Person::joins(&bridge, "boss@x.example", Role::Admin, Scope::Everything).await;
    let browser = Browser { bridge: &bridge, cookie: boss.cookie.clone() };
    let order = format!("/orders/{CHANNEL}:V100");
    let style = browser.open("/console/assets/console.css").await.expect(200);
    assert!(style.text().contains("prefers-color-scheme: dark"));
    let script = browser.open("/console/assets/live.js").await.expect(200);
    let passkeys = browser.open("/console/assets/passkeys.js").await.expect(200);
    for page in PAGES.iter().copied().chain([order.as_str()]) {
        let join = if page.contains('?') { '&' } else { '?' };
        for (language, today) in [("zh", "今日"), ("ko", "오늘"), ("en", "Today")] {
            let reply = browser.open(&format!("/console{page}{join}lang={language}")).await.expect(200);
            let text = reply.text();
            assert!(
                text.contains(&format!("<html lang=\"{language}\">")) && text.contains(today),
                "{page} in {language}"
            );
            let policy = reply.headers["content-security-policy"].to_str().expect("text");
            assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
            assert!(policy.contains("frame-ancestors 'none'") && policy.contains("form-action 'self'"), "{policy}");
            assert_eq!(reply.headers["cache-control"], "no-store");
            // Two scripts, from here: one keeps the page up to date, one asks the browser for passkeys.
            let text = text.replace("<script src=\"/console/assets/live.js\" defer></script>", "");
            let text = text.replace("<script type=\"module\" src=\"/console/assets/passkeys.js\"></script>", "");
            for forbidden in ["<script", " style=", " onclick", "http://", "https://"] {
                // An address that is shown as text, a setting's for example, leads nowhere.
                let body = without_code(&text.replace("otpauth://", ""));
                assert!(!body.contains(forbidden), "{page} in {language} has {forbidden}: {body}");
            }
            assert_eq!(text.matches("<h1>").count(), 1, "{page}");
            let unlabelled = text.matches("<img").count();
            assert_eq!(unlabelled, 0);
            // Not even compressed.
            let weight = reply.bytes.len() + style.bytes.len() + script.bytes.len() + passkeys.bytes.len();
            assert!(weight <= 150 * 1024, "{page} weighs {weight} bytes");
        }
    }
    // Every field has a label, so that it can be spoken.
    for page in PAGES {
        let text = browser.open(&format!("/console{page}")).await.expect(200).text();
        for part in
            text.split("<input ").skip(1).chain(text.split("<select ").skip(1)).chain(text.split("<textarea ").skip(1))
        {
            let tag = &part[..part.find('>').expect("the end of a tag")];
            let before = &text[..text.find(part).expect("where it stands")];
            let is_labelled = before.rfind("<label").unwrap_or(0) > before.rfind("</label").unwrap_or(0);
            let is_named = tag.contains("type=\"hidden\"") || tag.contains("aria-label=\"");
            assert!(is_labelled || is_named, "{page}: {tag}");
        }
    }
}

#[tokio::test]
async fn filters_stand_in_the_address_and_lists_go_on() {
    let bridge = bridge().await;
    for n in 100..108 {
        bridge.sell(&format!("V{n}")).await;
    }
    let boss = Person::joins(&bridge, "boss@x.example", Role::Admin, Scope::Everything).await;
    let mut browser = Browser { bridge: &bridge, cookie: boss.cookie.clone() };
    let page = browser.open("/console/orders?state=awaiting_booking&limit=5").await.expect(200).text();
    assert!(page.contains("id=\"orders-table\""));
    assert_eq!(page.matches("/console/orders/ord_").count(), 5);
    let next = page.split("rel=\"next\" href=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a next page");
    let next = next.replace("&amp;", "&");
    assert!(next.contains("state=awaiting_booking") && next.contains("limit=5"), "{next}");
    let page = browser.open(&next).await.expect(200).text();
    assert_eq!(page.matches("/console/orders/ord_").count(), 3);
    assert!(page.contains("value=\"awaiting_booking\" selected"));
    assert_eq!(
        browser.open("/console/orders?q=V103").await.expect(200).text().matches("/console/orders/ord_").count(),
        1
    );
    let wrong = browser.open("/console/orders?state=nonsense").await.expect(422).text();
    assert!(wrong.contains("role=\"alert\""), "{wrong}");
    let found = browser
        .send("/console/orders/search", &[("phone", "13800000103"), ("reason", "calls")])
        .await
        .expect(200)
        .text();
    assert_eq!(found.matches("/console/orders/ord_").count(), 1);
    let audit = browser.open("/console/audit").await.expect(200).text();
    assert!(audit.contains("Searched orders by a guest") && audit.contains("calls"), "{audit}");
}

#[tokio::test]
async fn pages_of_others_change_nothing_and_lead_nowhere() {
    let bridge = bridge().await;
    let boss = Person::joins(&bridge, "boss@x.example", Role::Admin, Scope::Everything).await;
    let form = |ask: Ask| ask.header("content-type", "application/x-www-form-urlencoded").body("back=%2Fconsole");
    for ask in [
        form(Ask::new(Method::POST, "/console/act/channels/douyin-main/pause").header("cookie", &boss.cookie)),
        form(
            Ask::new(Method::POST, "/console/act/channels/douyin-main/pause")
                .header("cookie", &boss.cookie)
                .header("sec-fetch-site", "cross-site"),
        ),
        form(Ask::new(Method::POST, "/console/sign-in").header("origin", "https://evil.example")),
    ] {
        bridge.ask(ask).await.problem(403, "cross_site");
    }
    assert_eq!(bridge.get("channels").await.expect(200).json()["items"][0]["state"], "running");
    let mut browser = Browser { bridge: &bridge, cookie: boss.cookie.clone() };
    let act = "/console/act/channels/douyin-main/pause";
    for back in ["//evil.example", "https://evil.example/console", "/console\\evil.example"] {
        assert_eq!(location(&browser.send(act, &[("back", back)]).await.expect(303)), "/console");
    }
    assert_eq!(bridge.get("channels").await.expect(200).json()["items"][0]["state"], "paused");
    // What somebody may not do, the console does not do for him either.
    let viewer = Person::joins(&bridge, "view@north.example", Role::Viewer, Scope::Agency("north".into())).await;
    let mut browser = Browser { bridge: &bridge, cookie: viewer.cookie.clone() };
    browser.send("/console/act/channels/douyin-main/resume", &[]).await.expect(403);
    for page in ["members", "audit", "statements?settle_id=park-1&from=2026-11-01&to=2026-11-30"] {
        browser.open(&format!("/console/{page}")).await.expect(403);
    }
    browser.open("/console/settings").await.expect(404);
    browser.open("/console/nothing").await.expect(404);
    let menu = browser.open("/console").await.expect(200).text();
    assert!(!menu.contains("/console/members") && !menu.contains("/console/statements"), "{menu}");
}

#[tokio::test]
async fn money_asks_for_a_fresh_factor_and_the_form_for_it_is_there() {
    let bridge = bridge().await;
    bridge.ticketed("V100", "R100").await;
    let kim = Person::joins(&bridge, "kim@north.example", Role::Operator, Scope::Agency("north".into())).await;
    bridge.advance(Millis::minutes(6));
    let mut browser = Browser { bridge: &bridge, cookie: kim.cookie.clone() };
    let order = bridge.stored("V100").await.id;
    let (act, path) = (format!("/console/act/orders/{order}/return-payment"), format!("/console/orders/{order}"));
    let refused = browser.send(&act, &[("reason", "rain"), ("back", &path)]).await.expect(403).text();
    assert!(refused.contains("fresh_factor_required") && refused.contains("id=\"factor\""), "{refused}");
    let passed = browser.send("/console/factor", &[("code", &kim.code(&bridge)), ("back", &path)]).await.expect(303);
    assert_eq!(location(&passed), path);
    let again = browser.send(&act, &[("reason", "rain"), ("back", &path)]).await;
    assert!(!again.text().contains("factor_required"), "{}", again.text());
}

#[tokio::test]
async fn an_order_says_what_it_waits_for_and_what_comes_of_each_deadline() {
    let bridge = bridge().await;
    let next =
        async |number: &str| bridge.get(&format!("orders/{CHANNEL}:{number}/next-steps")).await.expect(200).json();
    bridge.sell("V100").await;
    assert_eq!(next("V100").await["waits"], json!(["booking"]));
    // Booked, and the back-end is not asked yet: the deadline tells what it comes to, and the order hears nothing of the question.
    bridge.book("R100", "V100", "2026-12-01").await;
    let before = bridge.order("V100").await;
    let said = next("V100").await;
    assert_eq!(said["waits"], json!(["tickets"]), "{said}");
    let deadline = said["deadlines"].as_array().expect("deadlines").iter().find(|it| it["kind"] == "ticketing");
    let then = &deadline.expect("ten minutes")["then"];
    assert_eq!((&then["attention"], &then["state"]), (&json!("ticketing_overdue"), &json!("booked")), "{said}");
    assert_eq!(bridge.order("V100").await, before);
    bridge.issue("R100", 2).await;
    bridge.drain().await;
    let said = next("V100").await;
    assert_eq!(said["waits"], json!(["visit"]), "{said}");
    // What it says comes to be.
    let apply = douyin::refund_apply("R100", "K1", 102, 0, bridge.now());
    bridge.douyin("refund-apply", &apply).await.expect(200);
    bridge.drain().await;
    let said = next("V100").await;
    assert_eq!(said["waits"][0], "decision", "{said}");
    let review =
        said["deadlines"].as_array().expect("deadlines").iter().find(|it| it["kind"] == "review").expect("72 h");
    assert_eq!(review["then"]["attention"], "review_overdue", "{said}");
    // The same in words, where people look.
    let boss = Person::joins(&bridge, "boss@north.example", Role::Admin, Scope::Agency("north".into())).await;
    let id = bridge.order("V100").await["id"].as_str().expect("an id").to_owned();
    let browser = Browser { bridge: &bridge, cookie: boss.cookie };
    for (language, words) in [
        ("en", "Somebody is yet to decide on the refund."),
        ("ko", "담당자의 환불 결정을 기다립니다."),
        ("zh", "等待人工审核退款。"),
    ] {
        let page = browser.open(&format!("/console/orders/{id}?lang={language}")).await.expect(200).text();
        let from = page.find("id=\"next-steps\"").unwrap_or_else(|| panic!("{page}"));
        let until = page[from..].find("</section>").map_or(page.len(), |end| from + end);
        assert!(page[from..until].contains(words), "{}", &page[from..until]);
    }
    bridge.advance(Millis::hours(73));
    bridge.drain().await;
    let order = bridge.order("V100").await;
    let kinds = order["attentions"].as_array().expect("attentions").iter().any(|it| it["kind"] == "review_overdue");
    assert!(kinds, "{order}");
}

#[tokio::test]
async fn what_an_order_allows_is_what_the_interface_does() {
    let bridge = bridge().await;
    bridge.ticketed("V100", "R100").await;
    let path = format!("orders/{CHANNEL}:V100");
    let next = bridge.get(&format!("{path}/next-steps")).await.expect(200).json();
    for action in next["actions"].as_array().expect("actions") {
        let call = action["call"].as_str().expect("a call").trim_start_matches('/');
        if action["allowed"] == true {
            continue;
        }
        // What is told to be refused is refused, with the same code and sentence.
        let body = match action["act"].as_str().expect("an act") {
            "decline" | "cancel" | "return-payment" | "reject" => json!({ "reason": "x" }),
            "tickets" => json!({ "tickets": [{ "code": "X" }] }),
            _ => json!({}),
        };
        let reply = bridge.post(call, &body).await;
        if action["code"] != "nothing_to_do" {
            assert_eq!(
                (&reply.json()["code"], &reply.json()["detail"]),
                (&action["code"], &action["sentence"]),
                "{call}"
            );
        }
    }
}
