//! From a command to a call of the ops interface, and its answer.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};
use ticketbridge_core::Millis;
use ticketbridge_core::port::Call;

use super::show::Shape;
use super::{Access, Codes, Credit, Deliveries, Guests, Orders, Part, PaymentLinks, Refunds, Tickets};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Environment, LISTEN_VARIABLE, Role};
use crate::transport::{AddressPolicy, CallLimits, HttpTransport, Transport as _};

/// Time for connecting.
const CONNECT: Millis = Millis::seconds(5);
/// Time for a whole call; an import of many codes takes a while.
const WHOLE: Millis = Millis::minutes(2);
/// Codes that go into one call.
const CODES_PER_CALL: usize = 5_000;
/// How often it is said how far a long import is.
const SAY_EVERY: std::time::Duration = std::time::Duration::from_secs(2);
/// What may stand in a path or a query as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b':');

/// A call to make.
pub(super) struct Question {
    method: Method,
    path: String,
    body: Bytes,
    content_type: &'static str,
    /// How its answer is shown.
    pub(super) shape: Shape,
}

pub(super) fn escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

pub(super) fn get(path: String, shape: Shape) -> Question {
    Question { method: Method::GET, path, body: Bytes::new(), content_type: "application/json", shape }
}

pub(super) fn list(path: &str, shape: Shape, part: Part, filters: Vec<(&str, Option<String>)>) -> Question {
    let part = [("limit", part.limit.map(|limit| limit.to_string())), ("cursor", part.cursor)];
    let pairs = filters.into_iter().chain(part);
    let query: Vec<String> = pairs.filter_map(|(name, value)| Some(format!("{name}={}", escape(&value?)))).collect();
    get(format!("{path}?{}", query.join("&")), shape)
}

pub(super) fn act(path: String, fields: Vec<(&str, Option<Value>)>, shape: Shape) -> Question {
    let body: Map<String, Value> =
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    let body = Bytes::from(Value::from(body).to_string());
    Question { method: Method::POST, path, body, content_type: "application/json", shape }
}

pub(super) fn orders(command: Orders) -> Question {
    let path = |order: &str, what: &str| format!("orders/{}{what}", escape(order));
    match command {
        Orders::List { phone: Some(phone), reason, part, .. } => {
            let at = list("orders/search", Shape::Orders, part, Vec::new()).path;
            act(at, vec![("phone", Some(json!(phone))), ("reason", reason.map(Value::from))], Shape::Orders)
        }
        Orders::List {
            channel,
            state,
            booking,
            ticketing,
            payment,
            refund,
            visit_date,
            attention,
            waiting,
            phone: None,
            reason: _,
            q,
            part,
        } => {
            let filters = vec![
                ("channel", channel),
                ("state", state),
                ("booking", booking),
                ("ticketing", ticketing),
                ("payment", payment),
                ("refund", refund),
                ("visit_date", visit_date),
                ("attention", attention),
                ("waiting", waiting.then(|| "true".to_owned())),
                ("q", q),
            ];
            list("orders", Shape::Orders, part, filters)
        }
        Orders::Show(one) => get(path(&one.order, ""), Shape::One),
        Orders::Events { one, part } => list(&path(&one.order, "/events"), Shape::Events, part, Vec::new()),
        Orders::Reveal { one, reason } => super::service::reveal(&one.order, &reason.reason),
        Orders::Calls { one, part } => list(&path(&one.order, "/calls"), Shape::Calls, part, Vec::new()),
        Orders::Confirm(one) => act(path(&one.order, "/confirm"), Vec::new(), Shape::One),
        Orders::Decline { one, reason } => {
            act(path(&one.order, "/decline"), vec![("reason", Some(json!(reason.reason)))], Shape::One)
        }
        Orders::Redeem { one, at } => act(path(&one.order, "/redeem"), vec![("at", at.map(Value::from))], Shape::One),
        Orders::NoShow { one, at } => act(path(&one.order, "/no-show"), vec![("at", at.map(Value::from))], Shape::One),
        Orders::Cancel { one, reason, fee, lines, notify_text } => {
            let lines: Vec<Value> =
                lines.iter().map(|(detail, units)| json!({ "detail": detail, "quantity": units })).collect();
            let fields = vec![
                ("reason", Some(json!(reason.reason))),
                ("fee", fee.map(Value::from)),
                ("lines", (!lines.is_empty()).then(|| json!(lines))),
                ("notify_text", notify_text.map(Value::from)),
            ];
            act(path(&one.order, "/cancel"), fields, Shape::One)
        }
        Orders::ReturnPayment { one, reason, amount } => {
            let fields = vec![("reason", Some(json!(reason.reason))), ("amount", amount.map(Value::from))];
            act(path(&one.order, "/return-payment"), fields, Shape::One)
        }
        Orders::PaymentLinks(PaymentLinks::Send { one, amount, expires_at }) => {
            let fields = vec![("amount", amount.map(Value::from)), ("expires_at", expires_at.map(Value::from))];
            act(path(&one.order, "/payment-links"), fields, Shape::One)
        }
        Orders::PaymentLinks(PaymentLinks::Revoke(one)) => {
            act(path(&one.order, "/payment-links/revoke"), Vec::new(), Shape::One)
        }
        Orders::NextSteps(one) => get(path(&one.order, "/next-steps"), Shape::One),
        Orders::Reconcile { channel: _, last: true } => get("reconciliation".to_owned(), Shape::One),
        Orders::Reconcile { channel, last: false } => {
            let of = channel.map(|channel| format!("?channel={}", escape(&channel))).unwrap_or_default();
            act(format!("reconciliation{of}"), Vec::new(), Shape::One)
        }
    }
}

pub(super) fn refunds(command: Refunds) -> Question {
    match command {
        Refunds::List { state, channel, part } => {
            list("refunds", Shape::Refunds, part, vec![("state", state), ("channel", channel)])
        }
        Refunds::Approve { case, fee, without_backend, reason } => {
            let fields = vec![
                ("fee", fee.map(Value::from)),
                ("without_backend", Some(json!(without_backend))),
                ("reason", reason.map(Value::from)),
            ];
            act(format!("refunds/{}/approve", escape(&case)), fields, Shape::One)
        }
        Refunds::Reject { case, reason } => {
            let fields = vec![("reason", Some(json!(reason.reason)))];
            act(format!("refunds/{}/reject", escape(&case)), fields, Shape::One)
        }
    }
}

pub(super) fn tickets(command: Tickets) -> Question {
    let Tickets::Issue { one, codes, kind } = command;
    let tickets: Vec<Value> = codes.iter().map(|code| json!({ "code": code, "kind": kind })).collect();
    act(format!("orders/{}/tickets", escape(&one.order)), vec![("tickets", Some(json!(tickets)))], Shape::One)
}

pub(super) fn deliveries(command: Deliveries) -> Question {
    match command {
        Deliveries::List { state, destination, order, part } => {
            let filters = vec![("state", state), ("destination", destination), ("order", order)];
            list("deliveries", Shape::Deliveries, part, filters)
        }
        Deliveries::Retry { delivery } => {
            act(format!("deliveries/{}/retry", escape(&delivery)), Vec::new(), Shape::One)
        }
        Deliveries::Drop { delivery, reason } => {
            let fields = vec![("reason", Some(json!(reason.reason)))];
            act(format!("deliveries/{}/drop", escape(&delivery)), fields, Shape::One)
        }
    }
}

/// What a code command asks: one question, or as many as a long file needs.
pub(super) enum CodesAsked {
    /// One.
    One(Question),
    /// Parts of a file, in this order.
    File {
        /// Where to.
        path: String,
        /// Every code of the file.
        codes: Vec<String>,
    },
}

pub(super) fn codes(command: Codes) -> Result<CodesAsked, String> {
    let read = |file: &std::path::Path, column: Option<&str>| {
        let body =
            std::fs::read(file).map_err(|error| format!("the file {} cannot be read: {error}", file.display()))?;
        crate::http::ops::codes_of_csv(&body, column)
            .map_err(|problem| format!("{}: {}", file.display(), problem.detail))
    };
    Ok(match command {
        Codes::Show { pool } => CodesAsked::One(get(format!("codes/{}", escape(&pool)), Shape::One)),
        Codes::Import { pool, file, column } => {
            CodesAsked::File { path: format!("codes/{}", escape(&pool)), codes: read(&file, column.as_deref())? }
        }
        Codes::Withdraw { pool, file, column } => {
            let path = format!("codes/{}/withdraw", escape(&pool));
            CodesAsked::File { path, codes: read(&file, column.as_deref())? }
        }
    })
}

impl Client {
    /// Sends a file's codes in parts, saying on standard error how far it is where that takes long; the sums of the answers. A part that came
    /// to nothing is named: repeating the command goes on, since what is known is only counted.
    pub(super) async fn send_codes(&self, path: &str, codes: &[String]) -> Result<Value, String> {
        let clock = SystemClock::new();
        let mut sums = Map::new();
        let mut said = clock.monotonic();
        for (index, part) in codes.chunks(CODES_PER_CALL).enumerate() {
            let done = index * CODES_PER_CALL;
            if clock.monotonic().saturating_sub(said) >= SAY_EVERY {
                said = clock.monotonic();
                crate::cli::warn(format_args!("{done} of {} codes", codes.len()));
            }
            let question = act(path.to_owned(), vec![("codes", Some(json!(part)))], Shape::One);
            let answer = self.ask(&question).await.map_err(|error| match done {
                0 => error,
                done => {
                    format!("{error}; the first {done} of {} codes are done, repeat the command to go on", codes.len())
                }
            })?;
            for (name, many) in answer.as_object().into_iter().flatten() {
                let sum = sums.get(name).and_then(Value::as_u64).unwrap_or(0) + many.as_u64().unwrap_or(0);
                sums.insert(name.clone(), json!(sum));
            }
        }
        if codes.is_empty() { Err("the file has no code in it".to_owned()) } else { Ok(Value::Object(sums)) }
    }
}

pub(super) fn credit(command: Credit) -> Question {
    match command {
        Credit::Show { account } => get(format!("credit/{}", escape(&account)), Shape::One),
        Credit::Deposit { account, amount, reference } => {
            let fields = vec![("amount", Some(json!(amount))), ("reference", Some(json!(reference)))];
            act(format!("credit/{}/deposits", escape(&account)), fields, Shape::One)
        }
    }
}

pub(super) fn guests(command: Guests) -> Question {
    let (what, guest) = match command {
        Guests::Export(guest) => ("export", guest),
        Guests::Erase(guest) => ("erase", guest),
    };
    let fields = vec![("phone", Some(json!(guest.phone))), ("reason", Some(json!(guest.reason.reason)))];
    act(format!("guests/{what}"), fields, Shape::One)
}

/// The bridge, from here.
pub(super) struct Client {
    transport: HttpTransport,
    base: String,
    token: SecretString,
    language: &'static str,
}

impl Client {
    /// With the address and the token that were given, or else the configuration's.
    pub(super) fn new(access: &Access) -> Result<Self, String> {
        let (url, token) = match (&access.url, &access.token) {
            (Some(url), Some(token)) => (url.clone(), token.clone()),
            (url, token) => {
                let (from_url, from_token) = configured(access);
                let url = url.clone().map_or(from_url, Ok)?;
                (url, token.clone().map_or(from_token, Ok)?)
            }
        };
        // The person who runs the command names the host: any address is meant.
        let policy = AddressPolicy { allow_private: true, allowed_hosts: Vec::new() };
        let transport = HttpTransport::new(CONNECT, policy).map_err(|error| error.to_string())?;
        Ok(Self {
            transport,
            base: format!("{}{}", url.trim_end_matches('/'), crate::http::ops::PREFIX),
            token,
            language: access.language().word(),
        })
    }

    /// Asks, and gives the answer of a success.
    pub(super) async fn ask(&self, question: &Question) -> Result<Value, String> {
        let mut headers = HeaderMap::new();
        let mut token = HeaderValue::from_str(&format!("Bearer {}", self.token.expose_secret()))
            .map_err(|_| "the token has characters that no header can carry".to_owned())?;
        token.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, token);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(question.content_type));
        headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static(self.language));
        let call = Call {
            method: question.method.clone(),
            url: format!("{}/{}", self.base, question.path),
            headers,
            body: question.body.clone(),
            timeout: None,
            key: None,
        };
        let limits = CallLimits { timeout: WHOLE, at_most: WHOLE };
        let response = self.transport.send(&call, limits).await.map_err(|error| {
            format!("the bridge at {} was not reached ({error}); is it running, and is --url right?", self.base)
        })?;
        let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        if response.status.is_success() {
            return Ok(body);
        }
        Err(refusal(response.status.as_u16(), &body))
    }
}

/// A refusal in one sentence.
fn refusal(status: u16, body: &Value) -> String {
    match (body["detail"].as_str(), body["code"].as_str()) {
        (Some(detail), Some(code)) => format!("{detail} ({code})"),
        _ => format!("the answer was HTTP {status}, not from a bridge's ops interface; is --url right?"),
    }
}

/// Address and token of the configuration: where the service itself listens, and the token of the widest role. Nothing else of it is read: whoever
/// works with the service need not hold its partners' secrets.
fn configured(access: &Access) -> (Result<String, String>, Result<SecretString, String>) {
    let directory = access.directory.display();
    let file = access.directory.join("ticketbridge.toml");
    let table = match std::fs::read_to_string(&file) {
        Ok(text) => text.parse::<toml::Table>().map_err(|error| format!("{}: {}", file.display(), error.message())),
        Err(error) => Err(format!("{} cannot be read ({})", file.display(), error.kind())),
    };
    let table = match table {
        Ok(table) => table,
        Err(why) => {
            return (
                Err(format!("{why}: name the address of the running service with --url")),
                Err(format!("{why}: name a token of the running service with --token or TICKETBRIDGE_OPS_TOKEN")),
            );
        }
    };
    let environment = Environment::Process;
    let text = |part: &str, key: &str| table.get(part)?.get(key)?.as_str().map(str::to_owned);
    let listen = environment.get(LISTEN_VARIABLE).or_else(|| text("server", "listen"));
    let url =
        match listen.unwrap_or_else(|| "127.0.0.1:8080".to_owned()).replacen("localhost:", "127.0.0.1:", 1).parse() {
            Ok(listen) => Ok(reached_at(listen, text("server", "public_url"))),
            Err(_) => Err(format!("{directory} does not say where the service listens: name it with --url")),
        };
    let tokens = table.get("ops").and_then(|ops| ops.get("tokens")).and_then(toml::Value::as_array);
    let mut able: Vec<(Role, SecretString)> = Vec::new();
    let mut unset = Vec::new();
    for entry in tokens.into_iter().flatten() {
        let role = entry.get("role").and_then(toml::Value::as_str);
        let role = Role::WORDS.iter().find(|(word, _)| Some(*word) == role).map(|(_, role)| *role);
        match (role, entry.get("token").map(|token| held(token, &access.directory, &environment))) {
            (Some(role), Some(Ok(token))) => able.push((role, token)),
            (Some(_), Some(Err(why))) => unset.push(why),
            (None, _) | (_, None) => {}
        }
    }
    let token = able.into_iter().filter(|(role, _)| *role != Role::Settlement).min_by_key(|(role, _)| *role);
    let token = token.map(|(_, token)| token).ok_or_else(|| {
        let why = if unset.is_empty() { "it names no token of an admin or operator".to_owned() } else { unset.join(", ") };
        format!(
            "no token of the running service is known here ({directory}: {why}): give the one that `serve` was started with, by --token or \
             TICKETBRIDGE_OPS_TOKEN; a new one would open nothing"
        )
    });
    (url, token)
}

/// From this machine.
fn reached_at(listen: std::net::SocketAddr, public_url: Option<String>) -> String {
    match (listen.port(), listen.ip().is_unspecified(), public_url) {
        (0, _, Some(public_url)) => public_url,
        (port, true, _) => format!("http://127.0.0.1:{port}"),
        (_, false, _) => format!("http://{listen}"),
    }
}

/// A token as the configuration holds it.
fn held(token: &toml::Value, directory: &std::path::Path, environment: &Environment) -> Result<SecretString, String> {
    let named = |key: &str| token.get(key).and_then(toml::Value::as_str);
    match (token.as_str(), named("env"), named("file")) {
        (Some(literal), _, _) => Ok(literal.into()),
        (None, Some(variable), _) => match environment.get(variable) {
            Some(value) => Ok(value.trim().to_owned().into()),
            None => Err(format!("the variable {variable} is not set")),
        },
        (None, None, Some(path)) => match std::fs::read_to_string(directory.join(path)) {
            Ok(text) => Ok(text.trim().to_owned().into()),
            Err(error) => Err(format!("the file {path} cannot be read ({})", error.kind())),
        },
        (None, None, None) => Err("a token names neither `env` nor `file`".to_owned()),
    }
}
