// SPDX-License-Identifier: Apache-2.0

//! Every alert rule is fired: its condition is made in a bridge, `/metrics` is read minute by minute, and `promtool` evaluates the rule on what
//! was read. A rule without a drill here fails, and so does one without a page.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use http::Method;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};
use ticketbridge::http::call_log::InboundCall;
use ticketbridge::telemetry;
use ticketbridge_core::Millis;
use ticketbridge_store::Direction;

use crate::support::partners::Outcome;
use crate::support::{Ask, CHANNEL, TestBridge, douyin, kakao};

/// Set in CI: a machine without `promtool` fails then.
const REQUIRED: &str = "TICKETBRIDGE_REQUIRE_PROMTOOL";
/// Minutes for which the last reading is held: longer than any rule waits.
const HELD: usize = 75;

/// Whether `promtool` is there; said aloud where it is not and need not be.
fn has_promtool() -> bool {
    let found = Command::new("promtool").arg("--version").output().is_ok_and(|output| output.status.success());
    assert!(found || std::env::var_os(REQUIRED).is_none(), "promtool is required here");
    if !found {
        eprintln!("SKIPPED: promtool is not on this machine; the alert rules are not fired");
    }
    found
}

fn rules_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/prometheus/alerts.yml")
}

/// The names of all rules.
fn rules() -> BTreeSet<String> {
    let text = std::fs::read_to_string(rules_file()).expect("the rules");
    text.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).map(str::to_owned).collect()
}

/// What a bridge counts by itself, whatever else runs in this process, read minute by minute as Prometheus does.
struct Scraped {
    handle: PrometheusHandle,
    /// By series.
    readings: BTreeMap<String, Vec<Option<String>>>,
    minutes: usize,
    _local: metrics::LocalRecorderGuard<'static>,
}

impl Scraped {
    /// From now on, on this thread: a test's runtime has no other.
    fn begin() -> Self {
        let (recorder, handle) = telemetry::own_metrics();
        // A drill's own, for as long as the process lives.
        let recorder = Box::leak(Box::new(recorder));
        Self { handle, readings: BTreeMap::new(), minutes: 0, _local: metrics::set_default_local_recorder(recorder) }
    }

    /// One reading; `bridge` is `None` where nobody answers.
    async fn read(&mut self, bridge: Option<&TestBridge>) {
        let mut text = String::from("up 0\n");
        if let Some(bridge) = bridge {
            bridge.ask(Ask::new(Method::GET, "/metrics")).await.expect(200);
            text = format!("up 1\n{}", self.handle.render());
        }
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let (series, value) = line.rsplit_once(' ').expect("a series and its value");
            // What stands at the target in Prometheus.
            let target = r#"job="ticketbridge",instance="bridge:8080""#;
            let series = match series.split_once('{') {
                Some((name, labels)) => format!("{name}{{{target},{labels}"),
                None => format!("{series}{{{target}}}"),
            };
            let values = self.readings.entry(series).or_default();
            values.resize(self.minutes, None);
            values.push(Some(value.to_owned()).filter(|value| value != "NaN"));
        }
        self.minutes += 1;
        self.readings.values_mut().for_each(|values| values.resize(self.minutes, None));
    }

    /// Whether a rule fires in the end, and did not before the condition was made.
    fn fires(&self, rule: &str) {
        let place = tempfile::TempDir::new().expect("a temporary directory");
        let mut test = format!(
            "rule_files: [{}]\nevaluation_interval: 1m\ntests:\n  - interval: 1m\n    input_series:\n",
            rules_file().display()
        );
        for (series, values) in &self.readings {
            let shown: Vec<String> =
                values.iter().map(|value| value.clone().unwrap_or_else(|| "_".to_owned())).collect();
            let last = shown.last().expect("a reading");
            let held = if last == "_" { format!("_x{HELD}") } else { format!("{last}x{HELD}") };
            test.push_str(&format!("      - {{ series: '{series}', values: '{} {held}' }}\n", shown.join(" ")));
        }
        test.push_str("    promql_expr_test:\n");
        let firing = format!("(count(ALERTS{{alertname=\"{rule}\",alertstate=\"firing\"}}) or vector(0)) > bool 0");
        // At the first reading all is well; once the condition has held long enough, the alert fires. A rule on an increase is over soon after.
        let fired = format!("max_over_time(({firing})[{}m:1m])", self.minutes + HELD);
        for (minute, expression, value) in [(0, &firing, 0), (self.minutes + HELD - 1, &fired, 1)] {
            test.push_str(&format!(
                "      - {{ expr: '{expression}', eval_time: {minute}m, exp_samples: [{{ labels: '{{}}', value: {value} }}] }}\n"
            ));
        }
        let file = place.path().join("drill.yml");
        std::fs::write(&file, &test).expect("a file");
        let output = Command::new("promtool").args(["test", "rules"]).arg(&file).output().expect("promtool");
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{rule} does not fire: {said}");
    }
}

/// A voucher that is booked, whose tickets do not come.
async fn waiting_for_tickets(scraped: &mut Scraped) -> TestBridge {
    let bridge = TestBridge::start().await;
    scraped.read(Some(&bridge)).await;
    bridge.partners.always("/bridge/reservations", Outcome::NotSent);
    bridge.sell("V100").await;
    bridge.book("R100", "V100", "2026-12-01").await;
    bridge.drain().await;
    bridge
}

async fn not_ready(scraped: &mut Scraped) {
    let bridge = TestBridge::start().await;
    scraped.read(Some(&bridge)).await;
    let address = bridge.bridge.address();
    bridge.bridge.stop().await;
    let answers = tokio::net::TcpStream::connect(address).await.is_ok();
    assert!(!answers, "nobody listens there any more");
    scraped.read(None).await;
}

async fn deadline_near(scraped: &mut Scraped) {
    let bridge = waiting_for_tickets(scraped).await;
    bridge.advance(Millis::minutes(8));
    scraped.read(Some(&bridge)).await;
}

async fn deadline_passed(scraped: &mut Scraped) {
    let bridge = waiting_for_tickets(scraped).await;
    bridge.advance(Millis::minutes(11));
    bridge.drain().await;
    scraped.read(Some(&bridge)).await;
}

async fn review_near(scraped: &mut Scraped) {
    let bridge = waiting_for_tickets(scraped).await;
    bridge.douyin("refund-apply", &douyin::refund_apply("R100", "B1", 101, 500, bridge.now())).await.expect(200);
    bridge.advance(Millis::hours(69));
    scraped.read(Some(&bridge)).await;
}

async fn dead_letters(scraped: &mut Scraped) {
    let bridge = TestBridge::start().await;
    scraped.read(Some(&bridge)).await;
    let part = "/goodlife/v1/trip/certificate/verify/";
    bridge.partners.always(part, Outcome::Says(500, json!({})));
    let booking = bridge.ticketed("V100", "R100").await.booking.expect("a booking");
    bridge.set_time("2026-12-01T09:00:00+08:00");
    let used =
        json!({ "type": "ticket.redeemed", "reservation_id": booking.id, "occurred_at": "2026-12-01T08:59:00+08:00" });
    bridge.backend_event("gate", "evt-1", &used).await.expect(200);
    for _ in 0..8 {
        bridge.drain().await;
        bridge.advance(Millis::minutes(1));
    }
    scraped.read(Some(&bridge)).await;
}

async fn deliveries_wait(scraped: &mut Scraped) {
    let bridge = TestBridge::start().await;
    scraped.read(Some(&bridge)).await;
    bridge.post("backends/gate/pause", &json!({})).await.expect(200);
    bridge.sell("V100").await;
    bridge.book("R100", "V100", "2026-12-01").await;
    bridge.advance(Millis::minutes(6));
    bridge.drain().await;
    scraped.read(Some(&bridge)).await;
}

async fn partner_paused(scraped: &mut Scraped) {
    let bridge = TestBridge::start().await;
    scraped.read(Some(&bridge)).await;
    bridge.post("backends/gate/pause", &json!({})).await.expect(200);
    scraped.read(Some(&bridge)).await;
}

async fn code_pool_low(scraped: &mut Scraped) {
    let bridge = TestBridge::start().await;
    let codes: Vec<String> = (0..60).map(|number| format!("C{number}")).collect();
    bridge.post("codes/lp-2026", &json!({ "codes": codes })).await.expect(200);
    scraped.read(Some(&bridge)).await;
    bridge.post("codes/lp-2026/withdraw", &json!({ "codes": codes[..20] })).await.expect(200);
    scraped.read(Some(&bridge)).await;
}

async fn unrouted(scraped: &mut Scraped) {
    let bridge = TestBridge::start_kakao(kakao::CAN).await;
    scraped.read(Some(&bridge)).await;
    let strange = json!({ "event_id": "x1", "event_type": "place.painted", "schema_version": "1",
        "occurred_at": "2026-11-21T10:00:00+09:00", "change": {} });
    bridge.kakao_is(strange, "ignored").await;
    scraped.read(Some(&bridge)).await;
}

async fn unsold(scraped: &mut Scraped) {
    let bridge = TestBridge::start_kakao(kakao::CAN).await;
    scraped.read(Some(&bridge)).await;
    let it = kakao::reservation("R1", "pd_new", "CONFIRMED");
    bridge.kakao(&kakao::event("e1", "reservation.confirmed", 1, &it, json!({"by": "AUTO"}))).await.expect(422);
    scraped.read(Some(&bridge)).await;
}

async fn refused_callers(scraped: &mut Scraped) {
    // From many addresses: a single one is turned away before it can be so many.
    let bridge = TestBridge::start_with(|files| {
        let service = files.get_mut("ticketbridge.toml").expect("the service's file");
        *service = service.replace("[server]\n", "[server]\ntrusted_proxies = [\"203.0.113.0/24\"]\n");
    })
    .await;
    scraped.read(Some(&bridge)).await;
    for minute in 0..12 {
        for second in 0..6 {
            bridge.advance(Millis::seconds(10));
            for call in 0..15 {
                let body = json!({ "order_id": format!("V{minute}{second}{call}") });
                let forged = bridge
                    .signed("query-order", &body)
                    .header("x-life-sign", "00")
                    .header("x-forwarded-for", &format!("198.51.100.{call}"));
                bridge.ask(forged).await.expect(401);
            }
        }
        scraped.read(Some(&bridge)).await;
    }
}

async fn slow_answers(scraped: &mut Scraped) {
    let bridge = TestBridge::start().await;
    bridge.sell("V0").await;
    scraped.read(Some(&bridge)).await;
    bridge.partners.always("/bridge/reservations", Outcome::NotSent);
    for minute in 1..12 {
        let (sale, booking) = (format!("V{minute}"), format!("R{minute}"));
        bridge.sell(&sale).await;
        bridge.book(&booking, &sale, "2026-12-01").await;
        bridge.issue_too_slow(&booking, 2).await;
        scraped.read(Some(&bridge)).await;
    }
}

async fn differences(scraped: &mut Scraped) {
    let bridge = TestBridge::start().await;
    bridge.ticketed("V1", "R1").await;
    scraped.read(Some(&bridge)).await;
    let theirs = json!({ "order_id": "V2", "order_status": 1, "count": 7, "pay_amount": 100, "certificate": [] });
    let answer = json!({ "data": { "error_code": 0, "orders": [theirs] }, "extra": { "error_code": 0 } });
    bridge.partners.next("/goodlife/v1/trade/order/query/", Outcome::Says(200, answer));
    let report: Value = bridge.post("reconciliation", &json!({})).await.expect(200).json();
    assert_ne!(report["differences"], json!([]), "{report}");
    scraped.read(Some(&bridge)).await;
}

async fn call_records_lost(scraped: &mut Scraped) {
    let bridge = TestBridge::start().await;
    scraped.read(Some(&bridge)).await;
    let call = InboundCall {
        order: None,
        direction: Direction::In,
        partner: CHANNEL.to_owned(),
        call: "query-order".to_owned(),
        at: bridge.now(),
        duration: Millis(1),
        status: 200,
        verdict: "accepted".to_owned(),
    };
    // More at once than wait for the database: the writer has no turn in between.
    for _ in 0..20_000 {
        bridge.bridge.shared().call_log.record(call.clone());
    }
    scraped.read(Some(&bridge)).await;
}

/// Makes one test of each rule, and the list of those that have one.
macro_rules! drills {
    ($($test:ident: $rule:literal by $drill:ident;)*) => {
        const DRILLED: &[&str] = &[$($rule),*];
        $(
            #[tokio::test]
            async fn $test() {
                if !has_promtool() {
                    return;
                }
                let mut scraped = Scraped::begin();
                Box::pin($drill(&mut scraped)).await;
                scraped.fires($rule);
            }
        )*
    };
}

drills! {
    a_service_that_is_gone_raises_not_ready: "TicketbridgeNotReady" by not_ready;
    tickets_that_are_due_soon_raise_deadline_near: "TicketbridgeDeadlineNear" by deadline_near;
    tickets_that_are_late_raise_deadline_passed: "TicketbridgeDeadlinePassed" by deadline_passed;
    a_refund_that_is_due_soon_raises_review_near: "TicketbridgeReviewNear" by review_near;
    a_report_that_was_given_up_raises_dead_letters: "TicketbridgeDeadLetters" by dead_letters;
    calls_that_are_held_back_raise_deliveries_wait: "TicketbridgeDeliveriesWait" by deliveries_wait;
    a_partner_that_is_held_back_raises_partner_paused: "TicketbridgePartnerPaused" by partner_paused;
    a_pool_that_runs_out_raises_code_pool_low: "TicketbridgeCodePoolLow" by code_pool_low;
    a_message_that_nobody_knows_raises_unrouted: "TicketbridgeUnrouted" by unrouted;
    a_booking_of_an_unknown_product_raises_unsold: "TicketbridgeUnsold" by unsold;
    forged_calls_raise_refused_callers: "TicketbridgeRefusedCallers" by refused_callers;
    answers_at_the_limit_raise_slow_answers: "TicketbridgeSlowAnswers" by slow_answers;
    books_that_differ_raise_differences: "TicketbridgeDifferences" by differences;
    records_that_are_lost_raise_call_records_lost: "TicketbridgeCallRecordsLost" by call_records_lost;
}

#[test]
fn every_rule_has_a_drill_and_a_page() {
    let rules = rules();
    let drilled: BTreeSet<String> = DRILLED.iter().map(|&rule| rule.to_owned()).collect();
    assert_eq!(rules, drilled);
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/src/operating/alerts.md");
    let pages = std::fs::read_to_string(pages).expect("the pages");
    for rule in rules {
        let page = pages.split(&format!("## {rule}\n")).nth(1).unwrap_or_else(|| panic!("{rule} has no page"));
        let page = page.split("\n## ").next().expect("a page");
        assert!(page.contains("*Do*:"), "the page of {rule} does not say what to do");
    }
}

#[test]
fn the_rules_and_their_examples_pass_promtool() {
    if !has_promtool() {
        return;
    }
    let folder = rules_file().parent().expect("a folder").to_owned();
    for words in [["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]] {
        let output = Command::new("promtool").args(words).current_dir(&folder).output().expect("promtool");
        assert!(
            output.status.success(),
            "{words:?}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[tokio::test]
async fn every_metric_says_what_it_is_and_passes_promtool() {
    use std::io::Write as _;
    if !has_promtool() {
        return;
    }
    let scraped = Scraped::begin();
    let bridge = TestBridge::start().await;
    bridge.ticketed("V100", "R100").await;
    bridge.ask(Ask::new(Method::GET, "/metrics")).await.expect(200);
    let text = scraped.handle.render();
    let named: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let silent: Vec<&&str> = named.iter().filter(|name| !text.contains(&format!("# HELP {name} "))).collect();
    assert!(silent.is_empty(), "without HELP: {silent:?}");
    let mut check = Command::new("promtool");
    check.args(["check", "metrics"]).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut check = check.stderr(std::process::Stdio::piped()).spawn().expect("promtool");
    check.stdin.take().expect("a way in").write_all(text.as_bytes()).expect("it is read");
    let output = check.wait_with_output().expect("it ends");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
}
