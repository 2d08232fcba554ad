// SPDX-License-Identifier: Apache-2.0

//! The partners of a simulation: a gate that issues, cancels and remembers, Douyin's OpenAPI, and the platforms that tell whole orders
//! (their books stand in `snapshot`). Each call goes the way that was planned for
//! it ([`How`]), well when nothing was planned. What they must never hear is noted the moment they hear it ([`Partners::wrong`]).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use ticketbridge::clock::{Clock as _, TestClock};
use ticketbridge::transport::{CallLimits, Transport, TransportError};
use ticketbridge_core::port::{Call, HttpResponse};
use ticketbridge_core::{Millis, UnixMillis};
use tokio::sync::Notify;

use crate::snapshot::books::Books;
use crate::snapshot::tripstore::{Agency, Booking};
use crate::snapshot::{AGENCY_BASE, KAKAO_BASE, TRIP_BASE, kakao};

/// Longest time after which a call still arrives. The bridge looks twice after a cancellation, two minutes apart, and trusts that nothing
/// comes later.
const ON_THE_WAY_MAX: Millis = Millis::minutes(1);

/// How one call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// As it should.
    Well,
    /// No connection: certainly not carried out.
    NotSent,
    /// Carried out, and the answer is lost.
    AnswerLost,
    /// Lost on the way there; whoever called cannot tell from [`How::AnswerLost`].
    RequestLost,
    /// Whoever called gives up waiting, and it is carried out so many seconds later.
    Late(u8),
    /// 500, not carried out.
    Fails,
    /// 500, carried out all the same.
    FailsAfter,
    /// 503, come again.
    Busy,
    /// 200 with a body that nobody can read; carried out.
    Garbage,
    /// The call hangs before it is carried out, until the simulation goes on with it.
    HangsBefore,
    /// The call hangs after it was carried out.
    HangsAfter,
    /// The gate works on it; a platform that tells whole orders does it, and says only that it heard (202).
    Pending,
    /// The partner says no for good.
    Refuses,
    /// Douyin does not believe the access token; the next call goes as it should. A platform that tells whole orders says a bare yes.
    TokenRejected,
}

/// How a call came to be carried out when it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// At the moment at which it was written.
    Direct,
    /// Later: what it says may be overtaken.
    Delayed,
}

/// Where a reservation stands at the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GateState {
    Pending,
    Issued,
    Refused,
    CancelPending,
    Cancelled,
    Used,
}

/// What the gate holds.
#[derive(Clone, Debug)]
pub(crate) struct Reservation {
    pub(crate) state: GateState,
    pub(crate) order: String,
    pub(crate) visit_date: String,
    pub(crate) used_at: Option<UnixMillis>,
    codes: Vec<String>,
    /// Its gate answers a question with the three words of `adapters/ticketing_http/README.md` only.
    plain: bool,
}

impl Reservation {
    /// Whether its tickets admit somebody, or may yet.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.state, GateState::Issued | GateState::CancelPending)
    }
}

/// What became of a channel's request for money back, as the channel heard it: 1 accepted, 2 rejected.
#[derive(Clone, Debug, Default)]
pub(crate) struct Case {
    pub(crate) booking: String,
    pub(crate) fee: i64,
    pub(crate) late_tickets: bool,
    pub(crate) decisions: BTreeSet<i64>,
}

/// What Douyin remembers.
#[derive(Default)]
pub(crate) struct Douyin {
    pub(crate) cases: BTreeMap<String, Case>,
    /// By booking: the vouchers, however they came.
    pub(crate) vouchers: BTreeMap<String, Value>,
    /// By booking: tokens under which it was redeemed.
    pub(crate) redeemed: BTreeMap<String, BTreeSet<String>>,
    /// By booking: what we said of its acceptance, 1 or 2.
    pub(crate) confirmed: BTreeMap<String, BTreeSet<i64>>,
}

#[derive(Default)]
struct State {
    plan: VecDeque<How>,
    gate: BTreeMap<String, Reservation>,
    /// Reservations in the order in which they were made.
    made: Vec<String>,
    /// Idempotency keys: what they stood for.
    keys: BTreeMap<String, (String, String)>,
    issue_keys: BTreeMap<String, BTreeSet<String>>,
    late: Vec<(UnixMillis, Call)>,
    douyin: Douyin,
    kakao: Books<kakao::Reservation>,
    trip: Books<Booking>,
    agency: Agency,
    tokens: u64,
    hanging: usize,
    wrong: Vec<String>,
}

/// The partners.
pub(crate) struct Partners {
    clock: TestClock,
    state: Mutex<State>,
    /// A call has begun to hang.
    pub(crate) hangs: Notify,
    go_on: Notify,
}

impl Partners {
    pub(crate) fn new(clock: TestClock) -> Self {
        Self { clock, state: Mutex::default(), hangs: Notify::new(), go_on: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while he holds the partners")
    }

    /// The next calls go this way, one after the other.
    pub(crate) fn plan(&self, plan: &[How]) {
        self.state().plan = plan.iter().copied().collect();
    }

    /// What went wrong in a partner's eyes, since the last time.
    pub(crate) fn wrong(&self) -> Vec<String> {
        let mut state = self.state();
        let State { wrong, kakao, trip, agency, .. } = &mut *state;
        let all = [wrong, &mut kakao.wrong, &mut trip.wrong, &mut agency.wrong];
        all.into_iter().flat_map(std::mem::take).collect()
    }

    /// Whoever hangs goes on.
    pub(crate) fn release(&self) {
        self.go_on.notify_waiters();
    }

    /// The reservations, in the order in which they were made.
    pub(crate) fn reservations(&self) -> Vec<(String, Reservation)> {
        let state = self.state();
        state.made.iter().map(|id| (id.clone(), state.gate[id].clone())).collect()
    }

    pub(crate) fn reservation(&self, id: &str) -> Option<Reservation> {
        self.state().gate.get(id).cloned()
    }

    /// The gate changes a reservation by itself.
    pub(crate) fn set(&self, id: &str, to: GateState) {
        let now = self.clock.now();
        if let Some(reservation) = self.state().gate.get_mut(id) {
            reservation.state = to;
            if to == GateState::Used {
                reservation.used_at = Some(now);
            }
        }
    }

    /// Looks at what Douyin remembers, and changes it.
    pub(crate) fn douyin<T>(&self, look: impl FnOnce(&mut Douyin) -> T) -> T {
        look(&mut self.state().douyin)
    }

    /// Looks at the Kakao-style platform's books, and changes them.
    pub(crate) fn kakao<T>(&self, look: impl FnOnce(&mut Books<kakao::Reservation>) -> T) -> T {
        look(&mut self.state().kakao)
    }

    /// Looks at the marketplace's books and the agency's, and changes them.
    pub(crate) fn trip<T>(&self, look: impl FnOnce(&mut Books<Booking>, &mut Agency) -> T) -> T {
        let state = &mut *self.state();
        look(&mut state.trip, &mut state.agency)
    }

    /// Calls that came late are carried out when their time has come; all of them when `at_once`.
    pub(crate) fn late_calls(&self, at_once: bool) {
        let now = self.clock.now();
        let mut state = self.state();
        let (due, later) = std::mem::take(&mut state.late).into_iter().partition(|(at, _)| at_once || *at <= now);
        state.late = later;
        let due: Vec<(UnixMillis, Call)> = due;
        for (_, call) in due {
            state.carry_out(&call, How::Well, Way::Delayed, now);
        }
    }

    /// The answer of a decision on a refund, wherever it was heard.
    pub(crate) fn hear_decision(&self, key: &str, decision: i64, data: &Value, how: &str) {
        self.state().hear_decision(key, decision, data, how);
    }

    /// The vouchers of a booking, wherever they were heard.
    pub(crate) fn hear_vouchers(&self, booking: &str, vouchers: &Value, how: &str) {
        self.state().hear_vouchers(booking, vouchers, how);
    }
}

impl State {
    fn hear_decision(&mut self, key: &str, decision: i64, data: &Value, how: &str) {
        let Some(case) = self.douyin.cases.get_mut(key) else {
            self.wrong.push(format!("a decision on the refund {key}, which nobody asked for ({how})"));
            return;
        };
        case.decisions.insert(decision);
        if case.decisions.len() > 1 {
            self.wrong.push(format!("the refund {key} was accepted and rejected ({how})"));
        }
        let fee = data["refund_fee_amount"].as_i64();
        if decision == 1 && fee.is_none_or(|fee| fee < 0 || fee > case.fee) {
            self.wrong.push(format!("the refund {key} was accepted with the fee {fee:?}, beyond {} ({how})", case.fee));
        }
        if decision == 2 && case.late_tickets && !data["vouchers"].is_array() {
            self.wrong.push(format!("the refund {key} for late tickets was rejected without vouchers ({how})"));
        }
        let booking = case.booking.clone();
        if decision == 2 && data["vouchers"].is_array() {
            self.hear_vouchers(&booking, &data["vouchers"], how);
        }
    }

    fn hear_vouchers(&mut self, booking: &str, vouchers: &Value, how: &str) {
        let known = self.douyin.vouchers.entry(booking.to_owned()).or_insert_with(|| vouchers.clone());
        if known != vouchers {
            let sentence = format!("the vouchers of {booking} differ ({how}): {known} and {vouchers}");
            self.wrong.push(sentence);
        }
    }

    fn carry_out(&mut self, call: &Call, how: How, way: Way, now: UnixMillis) -> HttpResponse {
        if call.url.starts_with(KAKAO_BASE) {
            return self.kakao.call(call, how, way, now);
        }
        if call.url.starts_with(TRIP_BASE) {
            return self.trip.call(call, how, way, now);
        }
        if call.url.starts_with(AGENCY_BASE) {
            return self.agency.call(call, how, way);
        }
        let body: Value = serde_json::from_slice(&call.body).unwrap_or(Value::Null);
        match call.url.split_once("/bridge") {
            Some((_, path)) => self.gate(call, path, &body, how),
            None => self.open_api(call, &body, how, now),
        }
    }

    fn gate(&mut self, call: &Call, path: &str, body: &Value, how: How) -> HttpResponse {
        let id = path.split('/').nth(2).unwrap_or_default().to_owned();
        if call.method == Method::GET {
            return match self.gate.get(&id) {
                Some(known) => response(200, &stands(known)),
                None => response(404, &json!({})),
            };
        }
        let is_cancel = path.ends_with("/cancel");
        let id = if is_cancel { id } else { body["reservation_id"].as_str().unwrap_or_default().to_owned() };
        self.check_key(call, &id, is_cancel);
        if is_cancel { self.cancel(&id, how) } else { self.issue(&id, body, how) }
    }

    /// One key, one act; and one key for all issues of one reservation for as many units.
    fn check_key(&mut self, call: &Call, id: &str, is_cancel: bool) {
        let key = call.headers.get("idempotency-key").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        let act = format!("{} {id}", if is_cancel { "cancel" } else { "issue" });
        let body = String::from_utf8_lossy(&call.body).into_owned();
        let asked = serde_json::from_str::<Value>(&body).unwrap_or_default();
        let known = self.keys.entry(key.clone()).or_insert_with(|| (act.clone(), body.clone())).clone();
        if known != (act.clone(), body.clone()) {
            let (then, before) = known;
            self.wrong.push(format!("the key {key} stood for `{then}` {before}, now for `{act}` {body}"));
        }
        if !is_cancel {
            let of = format!("{id} for {}", asked["quantity"]);
            let keys = self.issue_keys.entry(of.clone()).or_default();
            keys.insert(key);
            if keys.len() > 1 {
                self.wrong.push(format!("the issue of {of} was asked for under two keys"));
            }
        }
    }

    fn issue(&mut self, id: &str, body: &Value, how: How) -> HttpResponse {
        if !self.gate.contains_key(id) {
            let state = match how {
                How::Pending => GateState::Pending,
                How::Refuses => GateState::Refused,
                _ => GateState::Issued,
            };
            let number = self.made.len();
            let copies = body["quantity"].as_u64().unwrap_or(1);
            // Now and then one code admits them all.
            let many = if number % 4 == 3 { 1 } else { copies };
            let reservation = Reservation {
                state,
                order: body["order_id"].as_str().unwrap_or_default().to_owned(),
                visit_date: body["visit_date"].as_str().unwrap_or_default().to_owned(),
                used_at: None,
                codes: (1..=many).map(|copy| format!("GATE-{number}-{copy}")).collect(),
                plain: number % 3 == 1,
            };
            self.made.push(id.to_owned());
            self.gate.insert(id.to_owned(), reservation);
        }
        response(200, &stands(&self.gate[id]))
    }

    fn cancel(&mut self, id: &str, how: How) -> HttpResponse {
        let Some(reservation) = self.gate.get_mut(id) else { return response(404, &json!({})) };
        let refused = |reason: &str| response(200, &json!({ "state": "refused", "reason": reason }));
        match reservation.state {
            GateState::Used => return refused("used"),
            GateState::Cancelled => {}
            GateState::Refused => reservation.state = GateState::Cancelled,
            GateState::Issued | GateState::Pending | GateState::CancelPending => match how {
                How::Refuses => return refused("closed for today"),
                How::Pending => {
                    reservation.state = GateState::CancelPending;
                    return response(200, &json!({ "state": "pending" }));
                }
                _ => reservation.state = GateState::Cancelled,
            },
        }
        response(200, &json!({ "state": "cancelled" }))
    }

    fn open_api(&mut self, call: &Call, body: &Value, how: How, now: UnixMillis) -> HttpResponse {
        if call.url.contains("/oauth/client_token/") {
            self.tokens += 1;
            let token = format!("clt.{}", self.tokens);
            let data = json!({ "error_code": 0, "description": "", "access_token": token, "expires_in": 7200 });
            return response(200, &json!({ "data": data, "message": "success" }));
        }
        match how {
            How::TokenRejected => return said(2_190_008, "access token expired"),
            How::Refuses => return said(2_100_005, "bad parameter"),
            How::Pending => return said(3_000_001, "business error"),
            _ => {}
        }
        let number = body["order_id"].as_str().unwrap_or_default().to_owned();
        if call.url.contains("/fulfilment/create/callback/") {
            self.hear_vouchers(&number, &body["vouchers"], "callback");
        } else if call.url.contains("/trip/refund/audit/") {
            let key = body["biz_uniq_key"].as_str().unwrap_or_default().to_owned();
            self.hear_decision(&key, body["audit_result"].as_i64().unwrap_or(0), body, "audit");
        } else if call.url.contains("/trip/certificate/verify/") {
            self.verify(&number, body, now);
        } else if call.url.contains("/trip/order/confirm/") {
            let result = body["confirm_result"].as_i64().unwrap_or(0);
            let heard = self.douyin.confirmed.entry(number.clone()).or_default();
            heard.insert(result);
            if heard.len() > 1 {
                self.wrong.push(format!("the booking {number} was accepted and rejected"));
            }
        }
        said(0, "success")
    }

    fn verify(&mut self, number: &str, body: &Value, now: UnixMillis) {
        let token = body["verify_token"].as_str().unwrap_or_default().to_owned();
        let tokens = self.douyin.redeemed.entry(number.to_owned()).or_default();
        tokens.insert(token);
        if tokens.len() > 1 {
            self.wrong.push(format!("the booking {number} was redeemed under two tokens"));
        }
        if body["verify_time"].as_i64().is_none_or(|at| at > now.seconds()) {
            self.wrong.push(format!("the booking {number} was redeemed in the future"));
        }
        let accepted = |case: &Case| case.booking == number && case.decisions.contains(&1);
        if self.douyin.cases.values().any(accepted) {
            self.wrong.push(format!("the booking {number} was redeemed after its refund was accepted"));
        }
    }

    fn answer(&mut self, call: &Call, how: How, way: Way, now: UnixMillis) -> Result<HttpResponse, TransportError> {
        let interrupted = || Err(TransportError::Interrupted { why: "no answer in time".to_owned() });
        match how {
            How::NotSent => Err(TransportError::NotSent { why: "connection refused".to_owned() }),
            How::RequestLost => interrupted(),
            How::AnswerLost => {
                self.carry_out(call, How::Well, way, now);
                interrupted()
            }
            How::Late(seconds) => {
                self.late.push((now + Millis::seconds(i64::from(seconds)), call.clone()));
                interrupted()
            }
            How::Fails => Ok(response(500, &json!({}))),
            How::Busy => Ok(response(503, &json!({}))),
            How::FailsAfter => {
                self.carry_out(call, How::Well, way, now);
                Ok(response(500, &json!({})))
            }
            How::Garbage => {
                self.carry_out(call, How::Well, way, now);
                Ok(HttpResponse { body: Bytes::from_static(b"<html>"), ..response(200, &Value::Null) })
            }
            other => Ok(self.carry_out(call, other, way, now)),
        }
    }
}

/// How a reservation stands, in the words of the contract.
fn stands(reservation: &Reservation) -> Value {
    let word = match reservation.state {
        GateState::Pending => "pending",
        GateState::Issued | GateState::Used => "issued",
        GateState::CancelPending if reservation.plain => "issued",
        GateState::Cancelled if reservation.plain => return json!({ "state": "refused", "reason": "cancelled" }),
        GateState::Refused => return json!({ "state": "refused", "reason": "sold out" }),
        GateState::CancelPending => "cancel_pending",
        GateState::Cancelled => "cancelled",
    };
    if word != "issued" {
        return json!({ "state": word });
    }
    issued(reservation)
}

/// What the gate says of tickets that it has issued.
pub(crate) fn issued(reservation: &Reservation) -> Value {
    let tickets: Vec<Value> = reservation.codes.iter().map(|code| json!({ "code": code, "kind": "code" })).collect();
    // A number of its own, as every reservation has.
    let number = reservation.codes.first().map(|code| format!("G-{code}"));
    json!({ "state": "issued", "backend_ref": number, "tickets": tickets })
}

fn said(code: i64, text: &str) -> HttpResponse {
    let words = json!({ "error_code": code, "description": text });
    response(200, &json!({ "data": words, "extra": words }))
}

pub(crate) fn response(status: u16, body: &Value) -> HttpResponse {
    HttpResponse {
        status: StatusCode::from_u16(status).expect("a status"),
        headers: HeaderMap::new(),
        body: Bytes::from(body.to_string()),
    }
}

impl Transport for Partners {
    fn send<'a>(&'a self, call: &'a Call, _limits: CallLimits) -> BoxFuture<'a, Result<HttpResponse, TransportError>> {
        Box::pin(async move {
            self.late_calls(false);
            let how = {
                let mut state = self.state();
                // Tokens are fetched on the way to a call; only whether they come at all is of interest.
                let is_token = call.url.contains("/oauth/");
                if is_token { How::Well } else { state.plan.pop_front().unwrap_or(How::Well) }
            };
            // No answer comes in the instant of its call: what is decided of it is later than what asked for it.
            self.clock.advance(Millis(1));
            match how {
                How::HangsBefore => {
                    let begun = self.clock.now();
                    self.hang().await;
                    // What has been on the way for longer than that is lost: no partner reads a call that old.
                    let is_lost = self.clock.now() - begun > ON_THE_WAY_MAX;
                    let how = if is_lost { How::RequestLost } else { How::Well };
                    self.state().answer(call, how, Way::Delayed, self.clock.now())
                }
                How::HangsAfter => {
                    let answer = self.state().answer(call, How::Well, Way::Direct, self.clock.now());
                    self.hang().await;
                    answer
                }
                how => self.state().answer(call, how, Way::Direct, self.clock.now()),
            }
        })
    }
}

impl Partners {
    async fn hang(&self) {
        self.state().hanging += 1;
        let go_on = self.go_on.notified();
        tokio::pin!(go_on);
        go_on.as_mut().enable();
        self.hangs.notify_one();
        go_on.await;
    }
}
