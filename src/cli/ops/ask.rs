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
use crate::config::{Config, Environment, Role};
use crate::transport::{AddressPolicy, CallLimits, HttpTransport, Transport as _};

/// Time for connecting.
const CONNECT: Millis = Millis::seconds(5);
/// Time for a whole call; an import of many codes takes a while.
const WHOLE: Millis = Millis::minutes(2);
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

fn escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

fn get(path: String, shape: Shape) -> Question {
    Question { method: Method::GET, path, body: Bytes::new(), content_type: "application/json", shape }
}

fn list(path: &str, shape: Shape, part: Part, filters: Vec<(&str, Option<String>)>) -> Question {
    let part = [("limit", part.limit.map(|limit| limit.to_string())), ("cursor", part.cursor)];
    let pairs = filters.into_iter().chain(part);
    let query: Vec<String> = pairs.filter_map(|(name, value)| Some(format!("{name}={}", escape(&value?)))).collect();
    get(format!("{path}?{}", query.join("&")), shape)
}

fn act(path: String, fields: Vec<(&str, Option<Value>)>, shape: Shape) -> Question {
    let body: Map<String, Value> =
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    let body = Bytes::from(Value::from(body).to_string());
    Question { method: Method::POST, path, body, content_type: "application/json", shape }
}

pub(super) fn orders(command: Orders) -> Question {
    let path = |order: &str, what: &str| format!("orders/{}{what}", escape(order));
    match command {
        Orders::List { channel, state, booking, ticketing, payment, refund, visit_date, q, part } => {
            let filters = vec![
                ("channel", channel),
                ("state", state),
                ("booking", booking),
                ("ticketing", ticketing),
                ("payment", payment),
                ("refund", refund),
                ("visit_date", visit_date),
                ("q", q),
            ];
            list("orders", Shape::Orders, part, filters)
        }
        Orders::Show(one) => get(path(&one.order, ""), Shape::One),
        Orders::Events { one, part } => list(&path(&one.order, "/events"), Shape::Events, part, Vec::new()),
        Orders::Calls { one, part } => list(&path(&one.order, "/calls"), Shape::Calls, part, Vec::new()),
        Orders::Confirm(one) => act(path(&one.order, "/confirm"), Vec::new(), Shape::One),
        Orders::Decline { one, reason } => {
            act(path(&one.order, "/decline"), vec![("reason", Some(json!(reason.reason)))], Shape::One)
        }
        Orders::Redeem { one, at } => act(path(&one.order, "/redeem"), vec![("at", at.map(Value::from))], Shape::One),
        Orders::NoShow { one, at } => act(path(&one.order, "/no-show"), vec![("at", at.map(Value::from))], Shape::One),
        Orders::Cancel { one, reason, fee, lines } => {
            let lines: Vec<Value> =
                lines.iter().map(|(detail, units)| json!({ "detail": detail, "quantity": units })).collect();
            let fields = vec![
                ("reason", Some(json!(reason.reason))),
                ("fee", fee.map(Value::from)),
                ("lines", (!lines.is_empty()).then(|| json!(lines))),
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
        Orders::Reconcile { channel } => {
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

pub(super) fn codes(command: Codes) -> Result<Question, String> {
    match command {
        Codes::Show { pool } => Ok(get(format!("codes/{}", escape(&pool)), Shape::One)),
        Codes::Import { pool, file } => {
            let body =
                std::fs::read(&file).map_err(|error| format!("the file {} cannot be read: {error}", file.display()))?;
            Ok(Question {
                method: Method::POST,
                path: format!("codes/{}", escape(&pool)),
                body: Bytes::from(body),
                content_type: "text/csv",
                shape: Shape::One,
            })
        }
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
}

impl Client {
    /// With the address and the token that were given, or else the configuration's.
    pub(super) fn new(access: &Access) -> Result<Self, String> {
        let (url, token) = match (&access.url, &access.token) {
            (Some(url), Some(token)) => (url.clone(), token.clone()),
            (url, token) => {
                let (from_url, from_token) = configured(access)?;
                (url.clone().unwrap_or(from_url), token.clone().unwrap_or(from_token))
            }
        };
        // The person who runs the command names the host: any address is meant.
        let policy = AddressPolicy { allow_private: true, allowed_hosts: Vec::new() };
        let transport = HttpTransport::new(CONNECT, policy).map_err(|error| error.to_string())?;
        Ok(Self { transport, base: format!("{}{}", url.trim_end_matches('/'), crate::http::ops::PREFIX), token })
    }

    /// Asks, and gives the answer of a success.
    pub(super) async fn ask(&self, question: &Question) -> Result<Value, String> {
        let mut headers = HeaderMap::new();
        let mut token = HeaderValue::from_str(&format!("Bearer {}", self.token.expose_secret()))
            .map_err(|_| "the token has characters that no header can carry".to_owned())?;
        token.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, token);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(question.content_type));
        let call = Call {
            method: question.method.clone(),
            url: format!("{}/{}", self.base, question.path),
            headers,
            body: question.body.clone(),
            timeout: None,
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

/// Address and token of the configuration: where the service itself listens, and the token of the widest role.
fn configured(access: &Access) -> Result<(String, SecretString), String> {
    let config = Config::load(&access.directory, &Environment::Process).map_err(|report| {
        let first = report.problems().next().map(ToString::to_string).unwrap_or_default();
        format!("neither --url and --token nor a usable configuration: {first}")
    })?;
    let listen = config.server.listen;
    let url = match (listen.port(), listen.ip().is_unspecified()) {
        (0, _) => config.server.public_url.clone(),
        (port, true) => format!("http://127.0.0.1:{port}"),
        (_, false) => format!("http://{listen}"),
    };
    let able = config.ops_tokens.iter().filter(|token| token.role != Role::Settlement);
    let token = able.min_by_key(|token| token.role).map(|token| token.token.clone());
    let token = token.ok_or("the configuration has no ops token of an admin or operator; give --token")?;
    Ok((url, token))
}
