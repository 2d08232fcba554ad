// SPDX-License-Identifier: Apache-2.0

//! What the bridge can call: Douyin's OpenAPI as an HTTP server. Tokens, faults and records here, the calls beside.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State as Extract;
use axum::http::{HeaderMap, Response, StatusCode, Uri, header};
use axum::routing::{get, post};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;

use super::books::{Books, CallRecord, Direction};
use super::options::{App, Generation, SimDouyinOptions};
use super::running::{SimDouyin, State};
use super::tokens::{LIFETIME, TOKEN_EXPIRED, TOKEN_INVALID, Tokens};
use crate::journal::{Ending, Entry, Party};
use crate::machine::Machine;
use crate::net::broken_answer;

/// Code of a bad parameter on the OpenAPI.
pub(super) const BAD_PARAMETER: i64 = 2_100_005;
/// Code of a business error.
pub(super) const BUSINESS_ERROR: i64 = 3_000_001;
/// Code of a used-up quota.
pub(super) const QUOTA_USED_UP: i64 = 2_190_001;
/// How long a call hangs when the switch says so, real time: longer than any caller waits.
const HANG: Duration = Duration::from_secs(120);

/// Paths of the OpenAPI.
pub mod path {
    /// Chapter 2.
    pub const CLIENT_TOKEN: &str = "/oauth/client_token/";
    /// Chapter 2.
    pub const STABLE_TOKEN: &str = "/oauth/stable_client_token/";
    /// Chapter 6.
    pub const CONFIRM: &str = "/goodlife/v1/trip/order/confirm/";
    /// Chapter 8.1.
    pub const CALLBACK: &str = "/goodlife/v1/fulfilment/create/callback/";
    /// Chapter 8.2.
    pub const CALLBACK_V2: &str = "/goodlife/v1/trip/scenic/groupon/certificate/callback/";
    /// Chapter 11.
    pub const AUDIT: &str = "/goodlife/v1/trip/refund/audit/";
    /// Chapter 14.
    pub const VERIFY: &str = "/goodlife/v1/trip/certificate/verify/";
    /// Chapter 1.8.
    pub const DECRYPT: &str = "/goodlife/v1/open/common_biz/crypto/decrypt/batch/";
    /// Chapter 17.1.
    pub const QUERY: &str = "/goodlife/v1/trade/order/query/";
}

/// What a call comes to: fields of `data`, or a code and words.
pub(super) type Called = Result<Value, (i64, String)>;

fn router(douyin: SimDouyin) -> Router {
    Router::new()
        .route(path::CLIENT_TOKEN, post(token))
        .route(path::STABLE_TOKEN, post(token))
        .route(path::CONFIRM, post(call))
        .route(path::CALLBACK, post(call))
        .route(path::CALLBACK_V2, post(call))
        .route(path::AUDIT, post(call))
        .route(path::VERIFY, post(call))
        .route(path::DECRYPT, post(call))
        .route(path::QUERY, get(call))
        .with_state(douyin)
}

/// What the switches do to one call.
enum Disturbance {
    None,
    Status500,
    Hang,
    LoseAnswer,
    ExpiredToken,
}

async fn token(Extract(douyin): Extract<SimDouyin>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let at = douyin.time().elapsed();
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let given = douyin.give_token(&body, uri.path() == path::STABLE_TOKEN);
    let answer = match given {
        Ok(token) => {
            let lasts = douyin.time().scaled(LIFETIME).as_secs().max(1);
            json!({ "data": { "access_token": token, "expires_in": lasts, "error_code": 0, "description": "" },
                    "message": "success" })
        }
        Err((code, why)) => {
            json!({ "data": { "access_token": "", "expires_in": 0, "error_code": code, "description": why },
                    "message": "error" })
        }
    };
    // The client's secret is in the body: it is not written down.
    douyin.record(at, &uri, &headers, Value::Null, StatusCode::OK, &answer);
    respond(StatusCode::OK, &answer)
}

async fn call(Extract(douyin): Extract<SimDouyin>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let at = douyin.time().elapsed();
    let request: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let disturbance = douyin.next_disturbance();
    let called = match disturbance {
        Disturbance::Status500 => {
            douyin.record(at, &uri, &headers, request, StatusCode::INTERNAL_SERVER_ERROR, &Value::Null);
            return respond(StatusCode::INTERNAL_SERVER_ERROR, &Value::Null);
        }
        Disturbance::Hang => {
            douyin.record(at, &uri, &headers, request, StatusCode::GATEWAY_TIMEOUT, &Value::Null);
            douyin.time().pass_really(HANG).await;
            return respond(StatusCode::GATEWAY_TIMEOUT, &Value::Null);
        }
        Disturbance::ExpiredToken => Err((TOKEN_EXPIRED, "access token expired".to_owned())),
        Disturbance::None | Disturbance::LoseAnswer => match douyin.check_token(&headers) {
            Err(code) => Err((code, "access token invalid".to_owned())),
            Ok(()) => douyin.called(&uri, &request).await,
        },
    };
    let answer = douyin.envelope(called);
    douyin.record(at, &uri, &headers, request, StatusCode::OK, &answer);
    if let Disturbance::LoseAnswer = disturbance {
        return broken_answer();
    }
    respond(StatusCode::OK, &answer)
}

fn respond(status: StatusCode, answer: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(answer.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}

impl SimDouyin {
    /// Starts it on a free port of this machine. Fails when no port can be had.
    pub async fn start(options: SimDouyinOptions) -> std::io::Result<Self> {
        let state = State {
            bridge_url: options.bridge_url.clone(),
            faults: options.faults.clone(),
            books: Books::default(),
            tokens: HashMap::new(),
            sealed: HashMap::new(),
            next_number: 0,
        };
        let (machine, listener) = Machine::open(options.listen, options, state).await?;
        let douyin = Self { machine };
        douyin.machine.serve(listener, router(douyin.inside()));
        Ok(douyin)
    }

    /// Business of one call, by its path.
    async fn called(&self, uri: &Uri, request: &Value) -> Called {
        match uri.path() {
            path::CONFIRM => self.confirm_called(request),
            path::CALLBACK => self.callback_called(request, Generation::First).await,
            path::CALLBACK_V2 => self.callback_called(request, Generation::Second).await,
            path::AUDIT => self.audit_called(request),
            path::VERIFY => self.verify_called(request),
            path::DECRYPT => self.decrypt_called(request),
            path::QUERY => self.query_called(uri.query().unwrap_or_default()),
            other => Err((BAD_PARAMETER, format!("nothing is known at {other}"))),
        }
    }

    fn apps(&self) -> impl Iterator<Item = &App> {
        std::iter::once(&self.options().app).chain(self.options().legacy_app.as_ref())
    }

    fn give_token(&self, body: &Value, stable: bool) -> Result<String, (i64, String)> {
        let field = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        if field("grant_type") != "client_credential" {
            return Err((10_002, "grant_type must be client_credential".to_owned()));
        }
        let app = self.apps().find(|app| app.client_key == field("client_key"));
        let app = app.ok_or((10_003, "unknown client_key".to_owned()))?;
        if app.client_secret != field("client_secret") {
            return Err((10_013, "wrong client_key or client_secret".to_owned()));
        }
        let now = self.time().stated_elapsed();
        let key = app.client_key.clone();
        let given = self.change(|state| {
            let tokens = state.tokens.entry(key.clone()).or_insert_with(Tokens::default);
            if stable { tokens.fetch_stable(&key, now) } else { tokens.fetch(&key, now) }
        });
        given.map_err(|code| (code, "too many token calls within five minutes".to_owned()))
    }

    fn check_token(&self, headers: &HeaderMap) -> Result<(), i64> {
        let presented = headers.get("access-token").and_then(|v| v.to_str().ok()).unwrap_or_default();
        let now = self.time().stated_elapsed();
        let state = self.state();
        let verdicts: Vec<Result<(), i64>> = state.tokens.values().map(|t| t.check(presented, now)).collect();
        if verdicts.iter().any(Result::is_ok) {
            return Ok(());
        }
        Err(if verdicts.contains(&Err(TOKEN_EXPIRED)) { TOKEN_EXPIRED } else { TOKEN_INVALID })
    }

    fn next_disturbance(&self) -> Disturbance {
        self.change(|state| {
            let faults = &mut state.faults;
            if faults.api_hang {
                return Disturbance::Hang;
            }
            if faults.api_5xx_times > 0 {
                faults.api_5xx_times -= 1;
                return Disturbance::Status500;
            }
            if std::mem::take(&mut faults.fail_token_once) {
                return Disturbance::ExpiredToken;
            }
            if faults.api_drop_answers > 0 {
                faults.api_drop_answers -= 1;
                return Disturbance::LoseAnswer;
            }
            Disturbance::None
        })
    }

    /// The envelope of 2.1.
    fn envelope(&self, called: Called) -> Value {
        let (code, description, fields) = match called {
            Ok(fields) => (0, String::new(), fields),
            Err((code, why)) => (code, why, json!({})),
        };
        let mut data = json!({ "error_code": code, "description": description });
        if let (Value::Object(data), Value::Object(fields)) = (&mut data, fields) {
            data.extend(fields);
        }
        json!({
            "data": data,
            "extra": { "error_code": code, "description": description, "sub_error_code": 0, "sub_description": "",
                       "logid": format!("sandbox{}", self.time().now_ms()), "now": self.time().now_s() },
        })
    }

    fn record(&self, at: Duration, uri: &Uri, headers: &HeaderMap, body: Value, status: StatusCode, answer: &Value) {
        let order_id = body.get("order_id").and_then(Value::as_str).map(str::to_owned);
        let data = answer.get("data");
        let code = data.and_then(|d| d.get("error_code")).and_then(Value::as_i64);
        let why = data.and_then(|d| d.get("description")).and_then(Value::as_str).unwrap_or_default();
        let (ending, outcome) = match code {
            Some(0) => (Ending::Done, "accepted".to_owned()),
            Some(code) => (Ending::Refused, format!("refused with code {code}: {why}")),
            None => (Ending::Failed, format!("HTTP {}", status.as_u16())),
        };
        let read = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let (attempt, sale) = self.change(|state| {
            let earlier = state.books.calls.iter().filter(|c| {
                c.direction == Direction::FromBridge
                    && c.call == uri.path()
                    && order_id.is_some()
                    && c.order_id == order_id
            });
            let attempt = u32::try_from(earlier.count()).unwrap_or(u32::MAX).saturating_add(1);
            state.books.calls.push(CallRecord {
                at,
                direction: Direction::FromBridge,
                call: uri.path().to_owned(),
                order_id: order_id.clone(),
                attempt,
                query: uri.query().unwrap_or_default().to_owned(),
                headers: headers.iter().map(|(name, value)| (name.to_string(), read(value))).collect(),
                body,
                status: status.as_u16(),
                answer: answer.clone(),
            });
            (attempt, order_id.as_deref().and_then(|id| state.books.sale_of(id)))
        });
        let took = self.time().elapsed().saturating_sub(at);
        let (from, to, call) = (Party::Bridge, Party::Douyin, uri.path().to_owned());
        self.journal().add(Entry { at, from, to, call, sale, attempt, ending, outcome, took });
    }
}
