// SPDX-License-Identifier: Apache-2.0

//! The simulated Douyin against a tiny bridge of scripted answers: what it sends, when, and what it refuses.

use super::api::path;
use super::refunds::{SOURCE_CONSUMER, SOURCE_NO_CODES};
use super::*;
use crate::SimTime;
use crate::net::{self, StopOnDrop, Tasks};
use crate::time::Zone;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path as UrlPath, RawQuery, State as Extract};
use axum::http::HeaderMap;
use axum::routing::post;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

const SECRET: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
const LEGACY_SECRET: &str = "00112233445566778899aabbccddeeff";
/// Long enough for anything here on a busy machine; reached only when a test fails.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone)]
struct Seen {
    call: String,
    at: Instant,
    query: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Seen {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Name of the call, how often it came before, its body → `data` of the answer.
type Script = dyn Fn(&str, usize, &Value) -> Value + Send + Sync;

#[derive(Clone)]
struct FakeBridge {
    seen: Arc<Mutex<Vec<Seen>>>,
    script: Arc<Script>,
}

impl FakeBridge {
    fn calls(&self, call: &str) -> Vec<Seen> {
        self.seen.lock().unwrap().iter().filter(|s| s.call == call).cloned().collect()
    }
}

async fn answer(
    Extract(bridge): Extract<FakeBridge>,
    UrlPath((_, call)): UrlPath<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> axum::Json<Value> {
    let before = bridge.calls(&call).len();
    let seen = Seen { call: call.clone(), at: Instant::now(), query: query.unwrap_or_default(), headers, body };
    let data = (bridge.script)(&call, before, &seen.json());
    bridge.seen.lock().unwrap().push(seen);
    axum::Json(json!({ "data": data }))
}

struct Scene {
    douyin: SimDouyin,
    bridge: FakeBridge,
    _tasks: StopOnDrop,
}

fn app(client_key: &str, client_secret: &str) -> App {
    App { client_key: client_key.into(), client_secret: client_secret.into() }
}

async fn scene(
    scale: f64,
    change: impl FnOnce(&mut SimDouyinOptions),
    script: impl Fn(&str, usize, &Value) -> Value + Send + Sync + 'static,
) -> Scene {
    let bridge = FakeBridge { seen: Arc::default(), script: Arc::new(script) };
    let tasks = Tasks::new();
    let (listener, address) = net::listen(net::ANY_PORT).await.unwrap();
    let router = Router::new().route("/channels/{channel}/{call}", post(answer)).with_state(bridge.clone());
    tasks.serve(listener, router, tokio_util::sync::CancellationToken::new());
    let product = SimProduct::new("LP-V2|LP-B2", 2, 19_900);
    let usual = app("awsynthetic0000001", SECRET);
    let mut options = SimDouyinOptions::usual("douyin-main", usual, "7123456789", vec![product], SimTime::new(scale));
    options.bridge_url = format!("http://{address}");
    options.limits.answer_at_least = Duration::from_secs(5);
    change(&mut options);
    let douyin = SimDouyin::start(options).await.unwrap();
    Scene { douyin, bridge, _tasks: tasks.stop_on_drop() }
}

fn ok() -> Value {
    json!({ "error_code": 0, "description": "success" })
}

fn accepted() -> Value {
    json!({ "error_code": 0, "description": "", "order_out_id": "ord_1",
            "confirm_info": { "confirm_mode": 1, "confirm_result": 1 } })
}

fn codes(list: &[&str]) -> Value {
    list.iter()
        .zip(1..)
        .map(|(code, n)| json!({ "entrance": { "project_id": format!("p{n}"), "certificate_nos": [code] } }))
        .collect()
}

fn issued(list: &[&str]) -> Value {
    json!({ "error_code": 0, "result": 1, "vouchers": codes(list) })
}

fn wish(count: u32) -> Purchase {
    Purchase {
        product_out_id: "LP-V2|LP-B2".into(),
        count,
        amount: 19_900 * i64::from(count),
        phone: "13800000001".into(),
    }
}

fn visitors() -> Vec<Visitor> {
    let one = Visitor {
        name: "测试甲".into(),
        phone: "13800000001".into(),
        document_type: 1,
        document_number: "11010119900101000X".into(),
    };
    vec![one.clone(), one]
}

impl Scene {
    /// Buys one copy and books it for today.
    async fn booked(&self) -> (String, String) {
        let sale = self.douyin.buy(&wish(1)).await;
        let today = self.douyin.time().today(Zone::SHANGHAI);
        let booking = self.douyin.reserve(&sale.order_id, today, &visitors()).await;
        assert!(booking.is_good(), "{booking:?}");
        (sale.order_id, booking.order_id)
    }

    async fn until(&self, id: &str, look: impl Fn(&Reservation) -> bool) -> Reservation {
        let found = self.douyin.until(PATIENCE, |b| b.reservations.get(id).filter(|r| look(r)).cloned()).await;
        found.unwrap_or_else(|| panic!("never: {:?}", self.douyin.books().reservations.get(id)))
    }

    async fn called(&self, call: &str, times: usize) {
        let enough = |b: &Books| (b.calls.iter().filter(|c| c.call == call).count() >= times).then_some(());
        assert!(self.douyin.until(PATIENCE, enough).await.is_some(), "{call} did not come {times} times");
    }

    async fn token(&self) -> String {
        let body =
            json!({ "client_key": "awsynthetic0000001", "client_secret": SECRET, "grant_type": "client_credential" });
        let answer = self.post(path::STABLE_TOKEN, "", &body).await;
        answer["data"]["access_token"].as_str().unwrap().to_owned()
    }

    async fn post(&self, path: &str, token: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.douyin.api_base());
        let sent = net::client().post(url).header("access-token", token).json(body).send().await;
        sent.unwrap().json().await.unwrap_or(Value::Null)
    }

    /// Calls the OpenAPI with a good token: the code.
    async fn api(&self, path: &str, body: Value) -> i64 {
        let token = self.token().await;
        self.post(path, &token, &body).await["data"]["error_code"].as_i64().unwrap()
    }

    fn broken(&self) -> Vec<Rule> {
        self.douyin.books().violations.iter().map(|v| v.rule).collect()
    }
}

/// Gaps between the attempts at a call.
fn gaps(calls: &[Seen]) -> Vec<Duration> {
    calls.windows(2).map(|pair| pair[1].at - pair[0].at).collect()
}

#[tokio::test]
async fn the_issue_call_is_retried_with_the_documented_gaps() {
    let unlimited = |o: &mut SimDouyinOptions| o.limits.ticketing = Duration::from_secs(1_000_000);
    let s = scene(400.0, unlimited, |call, _, _| match call {
        "issue-voucher" => json!({ "error_code": 100, "description": "later" }),
        _ => accepted(),
    })
    .await;
    s.booked().await;
    s.called("issue-voucher", 7).await;
    let waited = gaps(&s.bridge.calls("issue-voucher"));
    assert_eq!(waited.len(), 6);
    for (waited, stated) in waited.iter().zip(Spi::IssueVoucher.gaps()) {
        assert!(*waited >= s.douyin.time().scaled(stated), "{waited:?} for {stated:?}");
    }
}

#[tokio::test]
async fn a_creation_is_sent_thirteen_times_and_then_given_up() {
    let s = scene(
        6_000.0,
        |_| {},
        |call, _, body| match (call, body["order_type"].as_i64()) {
            ("create-order", Some(2)) => json!({ "error_code": 100, "description": "later" }),
            ("create-order", _) => accepted(),
            _ => ok(),
        },
    )
    .await;
    let sale = s.douyin.buy(&wish(1)).await;
    let booking = s.douyin.reserve(&sale.order_id, s.douyin.time().today(Zone::SHANGHAI), &visitors()).await;
    assert_eq!(booking.outcome, Outcome::Unanswered);
    s.called("cancel-notify", 1).await;
    let sent = s.bridge.calls("create-order");
    assert_eq!(sent.len(), 1 + 13);
    assert!(gaps(&sent[1..]).iter().all(|gap| *gap >= Duration::from_millis(10)));
    let told = s.bridge.calls("cancel-notify")[0].json();
    assert_eq!((told["order_id"].as_str(), told["cancel_type"].as_i64()), (Some(booking.order_id.as_str()), Some(3)));
}

#[tokio::test]
async fn a_definite_refusal_is_not_retried() {
    let s = scene(6_000.0, |_| {}, |_, _, _| json!({ "error_code": 1, "description": "sold out" })).await;
    let sale = s.douyin.buy(&wish(1)).await;
    assert!(matches!(sale.outcome, Outcome::Refused { code: 1, .. }));
    assert_eq!(s.bridge.calls("create-order").len(), 1);
    assert_eq!(s.douyin.can_buy(&wish(1)).await.code(), Some(1));
}

#[tokio::test]
async fn both_signatures_and_a_fresh_timestamp_go_with_every_attempt() {
    let s =
        scene(6_000.0, |_| {}, |_, before, _| if before < 2 { json!({ "error_code": 100 }) } else { accepted() }).await;
    s.douyin.buy(&wish(1)).await;
    let mut stamps = Vec::new();
    for sent in s.bridge.calls("create-order") {
        let pairs: Vec<(&str, &str)> = sent.query.split('&').filter_map(|p| p.split_once('=')).collect();
        let expected = wire::sign(SECRET, &pairs, &sent.body);
        assert_eq!(sent.headers["x-life-sign"], expected.sha256.as_str());
        assert!(pairs.contains(&("sign", expected.md5.as_str())));
        assert_eq!(sent.headers["x-life-clientkey"], "awsynthetic0000001");
        assert!(sent.headers.contains_key("x-bytedance-logid") && !sent.headers.contains_key("access-token"));
        stamps.push(pairs[1].1.to_owned());
    }
    stamps.dedup();
    assert_eq!(stamps.len(), 3, "ten milliseconds lie between the attempts");

    s.douyin.set_faults(|f| f.same_timestamp_on_retry = true);
    s.bridge.seen.lock().unwrap().clear();
    s.douyin.buy(&wish(1)).await;
    let stamp = |sent: &Seen| sent.query.split('&').nth(1).unwrap().to_owned();
    let mut stamps: Vec<String> = s.bridge.calls("create-order").iter().map(stamp).collect();
    assert_eq!(stamps.len(), 3);
    stamps.dedup();
    assert_eq!(stamps.len(), 1);
}

#[tokio::test]
async fn a_migrated_application_shows_the_legacy_key_in_the_url_only() {
    let migrated = |o: &mut SimDouyinOptions| {
        o.legacy_app = Some(app("awlegacy00000000", LEGACY_SECRET));
        o.faults.migrated_app = true;
    };
    let s = scene(100.0, migrated, |_, _, _| accepted()).await;
    s.douyin.buy(&wish(1)).await;
    let sent = &s.bridge.calls("create-order")[0];
    let pairs: Vec<(&str, &str)> = sent.query.split('&').filter_map(|p| p.split_once('=')).collect();
    assert!(pairs.contains(&("client_key", "awlegacy00000000")));
    assert_eq!(sent.headers["x-life-clientkey"], "awsynthetic0000001");
    assert_eq!(sent.headers["x-life-sign"], wire::sign(SECRET, &pairs, &sent.body).sha256.as_str());
    assert!(pairs.contains(&("sign", wire::sign(LEGACY_SECRET, &pairs, &sent.body).md5.as_str())));
}

#[tokio::test]
async fn vouchers_that_break_a_rule_count_as_a_failed_attempt() {
    let s = scene(
        600.0,
        |_| {},
        |call, before, _| match (call, before) {
            ("issue-voucher", 0) => issued(&["A", "B"]),
            ("issue-voucher", _) => issued(&["A"]),
            _ => accepted(),
        },
    )
    .await;
    let (_, id) = s.booked().await;
    let reservation = s.until(&id, |r| r.codes.is_some()).await;
    assert_eq!(reservation.state, ReservationState::Issued);
    assert_eq!(s.bridge.calls("issue-voucher").len(), 2);
    assert_eq!(s.broken(), [Rule::BadVouchers]);
}

#[tokio::test]
async fn result_0_waits_for_the_callback_which_may_repeat_but_not_contradict() {
    let s = scene(
        10.0,
        |_| {},
        |call, _, _| match call {
            "issue-voucher" => json!({ "error_code": 0, "result": 0 }),
            _ => accepted(),
        },
    )
    .await;
    let (_, id) = s.booked().await;
    s.called("issue-voucher", 1).await;
    let callback = |code: &str| json!({ "order_id": id, "result": 1, "vouchers": codes(&[code]) });
    assert_eq!(s.api(path::CALLBACK, callback("A")).await, 0);
    assert_eq!(s.api(path::CALLBACK, callback("A")).await, 0);
    assert!(s.broken().is_empty());
    assert_ne!(s.api(path::CALLBACK, callback("B")).await, 0);
    assert_eq!(s.broken(), [Rule::ContradictoryCodes]);
    let kept = s.douyin.books().reservations[&id].codes.clone().unwrap();
    assert_eq!((kept.codes, kept.path, kept.times), (vec!["A".to_owned()], Path::Callback, 2));
}

#[tokio::test]
async fn after_ten_minutes_the_callback_is_refused_and_the_rejection_may_bring_the_codes() {
    let s = scene(
        6_000.0,
        |_| {},
        |call, before, _| match (call, before) {
            ("issue-voucher", _) => json!({ "error_code": 0, "result": 0 }),
            ("refund-apply", _) => json!({ "error_code": 0, "audit_refund_result": 3 }),
            _ => accepted(),
        },
    )
    .await;
    let (_, id) = s.booked().await;
    let reservation = s.until(&id, |r| !r.refunds.is_empty()).await;
    let key = reservation.refunds[0].clone();
    assert_eq!(s.douyin.books().refunds[&key].source, SOURCE_NO_CODES);
    assert_ne!(s.api(path::CALLBACK, json!({ "order_id": id, "result": 1, "vouchers": codes(&["A"]) })).await, 0);

    let reject = json!({ "order_id": id, "biz_uniq_key": key, "audit_result": 2 });
    assert_ne!(s.api(path::AUDIT, reject.clone()).await, 0, "a rejection without vouchers is void");
    assert_eq!(s.broken(), [Rule::RejectionWithoutVouchers]);
    let mut reissue = reject;
    reissue["vouchers"] = codes(&["A"]);
    assert_eq!(s.api(path::AUDIT, reissue).await, 0);
    let reservation = s.douyin.books().reservations[&id].clone();
    assert_eq!((reservation.state, reservation.codes.unwrap().path), (ReservationState::Issued, Path::Reissue));
    let approve = json!({ "order_id": id, "biz_uniq_key": key, "audit_result": 1, "refund_fee_amount": 0 });
    assert_ne!(s.api(path::AUDIT, approve).await, 0);
    assert_eq!(s.broken().last(), Some(&Rule::ContradictoryDecision));
}

#[tokio::test]
async fn result_2_goes_straight_to_the_refund() {
    let s = scene(
        100.0,
        |_| {},
        |call, _, _| match call {
            "issue-voucher" => json!({ "error_code": 0, "result": 2 }),
            _ => accepted(),
        },
    )
    .await;
    let (voucher, id) = s.booked().await;
    s.called("refund-notify", 1).await;
    assert_eq!(s.douyin.books().reservations[&id].state, ReservationState::Cancelled);
    assert_eq!(s.douyin.books().vouchers[&voucher].state, VoucherState::Refunded);
    assert!(s.bridge.calls("refund-apply").is_empty());
    assert_eq!(s.bridge.calls("refund-notify")[0].json()["refund_scene"], 155);
}

#[tokio::test]
async fn silence_for_the_review_limit_refunds_and_tells() {
    let short = |o: &mut SimDouyinOptions| o.limits.review = Duration::from_secs(30);
    let s = scene(100.0, short, |call, _, _| match call {
        "issue-voucher" => issued(&["A"]),
        "refund-apply" => json!({ "error_code": 0, "audit_refund_result": 3 }),
        _ => accepted(),
    })
    .await;
    let (_, id) = s.booked().await;
    s.until(&id, |r| r.codes.is_some()).await;
    let request = RefundRequest { order_id: id.clone(), source: SOURCE_CONSUMER, kind: AfterSale::Refund, fee: 0 };
    let refund = s.douyin.apply_refund(request).await.unwrap();
    let told = |b: &Books| b.refunds.get(&refund.key).filter(|r| r.settled).map(|r| r.state);
    assert_eq!(s.douyin.until(PATIENCE, told).await, Some(RefundState::TimedOut));
    assert_eq!(s.bridge.calls("info-sync")[0].json()["notice_list"][0]["code"], "A");
    assert_eq!(s.bridge.calls("cancel-notify").len(), 1);
    assert_eq!(s.bridge.calls("refund-notify").len(), 1);
    let late = json!({ "order_id": id, "biz_uniq_key": refund.key, "audit_result": 2 });
    assert_ne!(s.api(path::AUDIT, late).await, 0);
}

#[tokio::test]
async fn a_fee_above_douyins_counts_as_a_rejection() {
    let s = scene(
        100.0,
        |_| {},
        |call, _, _| match call {
            "issue-voucher" => issued(&["A"]),
            "refund-apply" => json!({ "error_code": 0, "audit_refund_result": 1, "refund_fee_amount": 101 }),
            _ => accepted(),
        },
    )
    .await;
    let (_, id) = s.booked().await;
    s.until(&id, |r| r.codes.is_some()).await;
    let request = RefundRequest { order_id: id, source: SOURCE_CONSUMER, kind: AfterSale::Refund, fee: 100 };
    assert_eq!(s.douyin.apply_refund(request).await.unwrap().state, RefundState::Rejected);
    assert_eq!(s.broken(), [Rule::FeeTooHigh]);
}

#[tokio::test]
async fn use_is_verified_by_the_rules_of_chapter_14() {
    let s = scene(
        100.0,
        |_| {},
        |call, _, _| match call {
            "issue-voucher" => issued(&["A"]),
            "refund-apply" => json!({ "error_code": 0, "audit_refund_result": 3 }),
            _ => accepted(),
        },
    )
    .await;
    let (voucher, id) = s.booked().await;
    s.until(&id, |r| r.codes.is_some()).await;
    let verify = |order: &str| json!({ "order_id": order, "verify_token": format!("v-{order}") });
    assert_ne!(s.api(path::VERIFY, verify(&voucher)).await, 0);
    let mut partial = verify(&id);
    partial["vouchers"] = json!([]);
    assert_ne!(s.api(path::VERIFY, partial).await, 0);

    let request = RefundRequest { order_id: id.clone(), source: SOURCE_CONSUMER, kind: AfterSale::Refund, fee: 0 };
    let refund = s.douyin.apply_refund(request).await.unwrap();
    assert_ne!(s.api(path::VERIFY, verify(&id)).await, 0);
    assert_eq!(s.api(path::AUDIT, json!({ "order_id": id, "biz_uniq_key": refund.key, "audit_result": 2 })).await, 0);
    assert_ne!(s.api(path::VERIFY, verify(&id)).await, 0, "verify_time is required now");
    assert_eq!(s.broken(), [Rule::VerifyVoucherOrder, Rule::VerifyPartial, Rule::VerifyDuringRefund, Rule::VerifyTime]);

    let mut timed = verify(&id);
    timed["verify_time"] = json!(Zone::SHANGHAI.midnight_s(s.douyin.time().today(Zone::SHANGHAI)));
    assert_eq!(s.api(path::VERIFY, timed.clone()).await, 0);
    assert_eq!(s.api(path::VERIFY, timed).await, 0, "a repeated token gets the same answer");
    let books = s.douyin.books();
    assert_eq!(books.reservations[&id].redeemed.as_ref().unwrap().times, 2);
    assert_eq!(books.vouchers[&voucher].state, VoucherState::Redeemed);
    let request = RefundRequest { order_id: id, source: SOURCE_CONSUMER, kind: AfterSale::Refund, fee: 0 };
    assert_eq!(s.douyin.apply_refund(request).await.unwrap_err(), Refusal::Redeemed);
}

#[tokio::test]
async fn use_before_the_visit_date_is_refused() {
    let s = scene(100.0, |_| {}, |call, _, _| if call == "issue-voucher" { issued(&["A"]) } else { accepted() }).await;
    let sale = s.douyin.buy(&wish(1)).await;
    let tomorrow = s.douyin.time().today(Zone::SHANGHAI).succ_opt().unwrap();
    let id = s.douyin.reserve(&sale.order_id, tomorrow, &visitors()).await.order_id;
    s.until(&id, |r| r.codes.is_some()).await;
    assert_ne!(s.api(path::VERIFY, json!({ "order_id": id, "verify_token": "v" })).await, 0);
    assert_eq!(s.broken(), [Rule::VerifyTooEarly]);
}

#[tokio::test]
async fn calls_need_a_good_token_and_confirm_only_what_waits() {
    let s = scene(100.0, |_| {}, |_, _, _| accepted()).await;
    let body = json!({ "order_id": "1", "confirm_result": 1 });
    let code = |answer: &Value| answer["data"]["error_code"].as_i64().unwrap();
    assert_eq!(code(&s.post(path::CONFIRM, "clt.invented", &body).await), tokens::TOKEN_INVALID);
    s.douyin.set_faults(|f| f.fail_token_once = true);
    assert_eq!(s.api(path::CONFIRM, body.clone()).await, tokens::TOKEN_EXPIRED);
    assert_ne!(s.api(path::CONFIRM, body).await, 0);
    assert_eq!(s.broken(), [Rule::Uncalled]);
    let wrong = json!({ "client_key": "awsynthetic0000001", "client_secret": "x", "grant_type": "client_credential" });
    assert_eq!(code(&s.post(path::CLIENT_TOKEN, "", &wrong).await), 10_013);
}

#[tokio::test]
async fn an_asynchronous_acceptance_starts_the_ticketing() {
    let s = scene(
        100.0,
        |_| {},
        |call, _, body| match (call, body["order_type"].as_i64()) {
            ("create-order", Some(2)) => {
                json!({ "error_code": 0, "order_out_id": "ord_1", "confirm_info": { "confirm_mode": 2 } })
            }
            ("issue-voucher", _) => issued(&["A"]),
            _ => accepted(),
        },
    )
    .await;
    let (_, id) = s.booked().await;
    assert!(s.bridge.calls("issue-voucher").is_empty());
    assert_eq!(s.api(path::CONFIRM, json!({ "order_id": id, "confirm_result": 1 })).await, 0);
    s.until(&id, |r| r.state == ReservationState::Issued).await;
    assert_eq!(s.api(path::CONFIRM, json!({ "order_id": id, "confirm_result": 1 })).await, 0);
    assert_ne!(s.api(path::CONFIRM, json!({ "order_id": id, "confirm_result": 2 })).await, 0);
}

#[tokio::test]
async fn the_same_message_twice_at_once_must_be_answered_the_same() {
    let s = scene(
        100.0,
        |o| o.faults.duplicate_delivery = true,
        |_, before, _| {
            let mut answer = accepted();
            answer["order_out_id"] = json!(format!("ord_{before}"));
            answer
        },
    )
    .await;
    s.douyin.buy(&wish(1)).await;
    assert_eq!(s.bridge.calls("create-order").len(), 2);
    assert_eq!(s.broken(), [Rule::AnswersDiffer]);
}

#[tokio::test]
async fn a_lost_answer_brings_the_message_again() {
    let s = scene(6_000.0, |o| o.faults.drop_answers = [(Spi::CreateOrder, 2)].into(), |_, _, _| accepted()).await;
    assert_eq!(s.douyin.buy(&wish(1)).await.outcome, Outcome::Accepted);
    assert_eq!(s.bridge.calls("create-order").len(), 3);
}

#[tokio::test]
async fn before_payment_the_payment_notice_is_what_accepts() {
    let before = |o: &mut SimDouyinOptions| o.creation = CreationTiming::BeforePayment;
    let s = scene(100.0, before, |call, _, _| if call == "pay-notify" { accepted() } else { ok() }).await;
    assert_eq!(s.douyin.buy(&wish(1)).await.outcome, Outcome::Accepted);
    assert_eq!((s.bridge.calls("create-order").len(), s.bridge.calls("pay-notify").len()), (1, 1));
}

#[tokio::test]
async fn names_and_phones_are_sealed_and_enc_values_cost_quota() {
    let s = scene(100.0, |o| o.decrypt_quota = 2, |_, _, _| accepted()).await;
    s.douyin.buy(&wish(1)).await;
    let phone = |s: &Scene| {
        s.bridge.calls("create-order").last().unwrap().json()["buyer"]["phone"].as_str().unwrap().to_owned()
    };
    assert_eq!(phone(&s), wire::encrypt_field(SECRET, "13800000001"));
    s.douyin.set_faults(|f| f.enc_values = true);
    s.douyin.buy(&wish(1)).await;
    let sealed = phone(&s);
    assert!(sealed.starts_with("Enc."));
    let token = s.token().await;
    let body = json!({ "account_id": "7123456789", "cipher_texts": [sealed, "Enc.unknown"] });
    let answer = s.post(path::DECRYPT, &token, &body).await;
    assert_eq!(answer["data"]["results"][0]["plain_text"], "13800000001");
    assert_eq!(answer["data"]["results"][1]["is_success"], false);
    assert_eq!(s.api(path::DECRYPT, body).await, api::QUOTA_USED_UP);
}

#[tokio::test]
async fn the_second_generation_checks_certificates() {
    let s = scene(
        100.0,
        |_| {},
        |call, _, body| match call {
            "v2-create-order" => json!({ "error_code": 0, "order_id": body["order_id"], "ext_order_id": "ord_1" }),
            "v2-issue-voucher" => {
                let id = &body["certificate_info_list"][0]["certificate_id"];
                json!({ "error_code": 0, "result": 1, "certificate_info": [{ "certificate_id": id, "project_list": [
                { "project_id": "p1", "name": "gate", "credential": [],
                  "certificate": [{ "certificate_no": "A", "certificate_type": 3 }] }] }] })
            }
            _ => accepted(),
        },
    )
    .await;
    let sale = s.douyin.buy(&wish(1)).await;
    let today = s.douyin.time().today(Zone::SHANGHAI);
    let booking = s.douyin.reserve_v2(&sale.order_id, today, &visitors()).await;
    let reservation = s.until(&booking.order_id, |r| r.codes.is_some()).await;
    assert_eq!(reservation.codes.unwrap().codes, ["A"]);
    assert!(s.broken().is_empty());
}
