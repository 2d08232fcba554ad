// SPDX-License-Identifier: Apache-2.0

//! The runner of recorded cases: `<channel>/cases/*.toml`, data instead of test code. A new channel gets its tests by
//! writing such files.
//!
//! A file has `[settings]`, and any number of `[[case]]` (a request of the channel's, what it means, how answers are
//! worded) and `[[call]]` (a call of ours, and what answers to it mean). JSON stands in them as text, because that is what
//! travels. `order` is a merge patch (RFC 7396) over the order of `fixture.rs`; `inbound` and `value` name the fields that
//! matter, everything else is compared whole. A case without `headers` is not about signatures and counts as verified.
//!
//! What many cases share is written once: `[bodies]` names whole bodies, and a case with `base` is a merge patch (`with`) over one of them;
//! `order` at the head of a file is a patch over the order of `fixture.rs` under the case's own.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use ticketbridge_core::ciphers;
use ticketbridge_core::id::ProductCode;
use ticketbridge_core::message::Notification;
use ticketbridge_core::order::Order;
use ticketbridge_core::personal::in_clear;
use ticketbridge_core::port::{
    Answer, AuthError, CalendarDay, Call, CallResult, CarriedOut, Channel, ChannelKind, Context, DecodeError,
    EncodeError, HttpReply, HttpResponse, Inbound, Message, Query, RawRequest, StockLeft, Verified,
};
use ticketbridge_core::rejection::{Rejection, Why};
use ticketbridge_core::time::{Date, Millis};

use crate::{BACKENDS, CHANNELS, fixture};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    settings: toml::Table,
    #[serde(default)]
    order: String,
    #[serde(default)]
    bodies: BTreeMap<String, String>,
    #[serde(default)]
    case: Vec<Case>,
    #[serde(default)]
    call: Vec<Outbound>,
    #[serde(default)]
    answer: Vec<Answered>,
}

/// What answers to one call of ours mean, whatever the call looks like.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answered {
    name: String,
    /// `read_back`, `stock`, `list`, `order_query`, `token`, `look` (before the hand-over), or a notification as JSON.
    what: String,
    #[serde(default)]
    order: String,
    response: Vec<Response>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    endpoint: String,
    #[serde(default = "post")]
    method: String,
    #[serde(default)]
    query: String,
    headers: Option<BTreeMap<String, String>>,
    #[serde(default)]
    settings: toml::Table,
    #[serde(default)]
    body: String,
    base: Option<String>,
    #[serde(default)]
    with: String,
    auth_error: Option<String>,
    decode_error: Option<String>,
    inbound: Option<String>,
    #[serde(default)]
    reply: Vec<Reply>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reply {
    answer: String,
    /// The file's own patch, before this one's.
    #[serde(skip)]
    shared: String,
    #[serde(default)]
    order: String,
    why: Option<String>,
    #[serde(default)]
    days: Vec<Day>,
    left: Option<i64>,
    #[serde(default = "ok")]
    status: u16,
    body: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Day {
    date: String,
    left: Option<i64>,
    price: i64,
    open: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Outbound {
    name: String,
    /// `token`, `decrypt`, `order_query`, `read_back`, `changes`, `stock`, or a notification as JSON.
    what: String,
    #[serde(default)]
    settings: toml::Table,
    /// The file's own patch, before this one's.
    #[serde(skip)]
    shared: String,
    #[serde(default)]
    order: String,
    token: Option<String>,
    error: Option<String>,
    #[serde(default = "post")]
    method: String,
    url: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    #[serde(default)]
    response: Vec<Response>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Response {
    #[serde(default = "ok")]
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    /// `done`, `retry`, `refused CODE`, `unknown`, `absent`, `overtaken`, `astray` or `token_rejected`.
    result: String,
    after: Option<i64>,
    says: Option<String>,
    value: Option<String>,
    /// Commands that the answer brings beside the outcome of the notification.
    learned: Option<String>,
}

fn post() -> String {
    "POST".to_owned()
}
fn ok() -> u16 {
    200
}

fn parse(text: &str, what: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{what}: {error}"))
}

fn headers(map: &BTreeMap<String, String>) -> HeaderMap {
    let header = |(name, value): (&String, &String)| {
        (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap())
    };
    map.iter().map(header).collect()
}

fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (name, value) in fields {
        if value.is_null() {
            target.as_object_mut().unwrap().shift_remove(name);
        } else {
            merge(&mut target[name], value);
        }
    }
}

fn order(patches: [&str; 2], what: &str) -> Order {
    let mut order = in_clear(|| serde_json::to_value(fixture::order()).unwrap());
    for patch in patches.into_iter().filter(|patch| !patch.is_empty()) {
        merge(&mut order, &parse(patch, what));
    }
    serde_json::from_value(order).unwrap_or_else(|error| panic!("{what}: the order: {error}"))
}

/// Files in which cases share a body have it put together before anything is done with it.
fn file(path: &Path) -> File {
    let text = std::fs::read_to_string(path).unwrap();
    let mut file: File = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    for case in &mut file.case {
        let Some(base) = &case.base else { continue };
        let whole = file.bodies.get(base).unwrap_or_else(|| panic!("{}: no body is named {base}", path.display()));
        let mut body = parse(whole, base);
        if !case.with.is_empty() {
            merge(&mut body, &parse(&case.with, &case.name));
        }
        case.body = body.to_string();
    }
    file.call.iter_mut().for_each(|call| call.shared.clone_from(&file.order));
    file.case.iter_mut().flat_map(|case| &mut case.reply).for_each(|reply| reply.shared.clone_from(&file.order));
    file
}

/// Whether everything that `part` names is in `whole`; lists are compared whole.
fn assert_part(part: &Value, whole: &Value, path: &str) {
    match (part, whole) {
        (Value::Object(named), Value::Object(fields)) => {
            for (name, value) in named {
                let path = format!("{path}.{name}");
                assert_part(value, fields.get(name).unwrap_or(&Value::Null), &path);
            }
        }
        (Value::Array(named), Value::Array(values)) if named.len() == values.len() => {
            for (index, (value, whole)) in named.iter().zip(values).enumerate() {
                assert_part(value, whole, &format!("{path}[{index}]"));
            }
        }
        _ => assert_eq!(part, whole, "{path}"),
    }
}

/// A message as JSON, in clear: everybody in the cases is invented.
fn shown(inbound: &Inbound) -> Value {
    in_clear(|| match inbound {
        Inbound::Ping(reply) => json!({ "ping": parse(&String::from_utf8_lossy(&reply.body), "ping") }),
        Inbound::Hint { key, about, what } => json!({ "hint": { "key": key, "about": about, "what": what } }),
        Inbound::Query(Query::MaySell(q)) => {
            json!({ "may_sell": { "sale": q.sale, "visit_date": q.visit_date, "visitors": q.visitors } })
        }
        Inbound::Query(Query::Left { product, date, units }) => {
            json!({ "left": { "product": product, "date": date, "units": units } })
        }
        Inbound::Query(Query::OrderStatus { about }) => json!({ "order_status": about }),
        Inbound::Query(Query::Reservation { about, at }) => json!({ "reservation": about, "at": at }),
        Inbound::Query(Query::Reservations { wanted, at }) => {
            json!({ "reservations": { "reference": wanted.reference, "number": wanted.number, "dates": wanted.dates }, "at": at })
        }
        Inbound::Query(Query::Offers { products, dates, only, units }) => {
            let only: Vec<String> = only.iter().map(ToString::to_string).collect();
            json!({ "offers": { "products": products, "dates": dates, "only": only, "units": units } })
        }
        Inbound::Query(Query::Calendar { product, from, to }) => {
            json!({ "calendar": { "product": product, "from": from, "to": to } })
        }
        Inbound::Message(envelope) => {
            let (key, about) = (&envelope.key, &envelope.about);
            match &envelope.message {
                Message::Sale(sale) => json!({ "key": key, "about": about, "sale": sale }),
                Message::Booking { sale, request } => {
                    json!({ "key": key, "about": about, "sale": sale, "booking": request })
                }
                Message::Snapshot(snapshot) => json!({ "key": key, "about": about, "snapshot": snapshot }),
                Message::Note { what, known } => json!({ "key": key, "note": { "what": what, "known": known } }),
                Message::Listing(l) => json!({ "key": key, "listing": { "product": l.product, "state": l.state,
                    "is_open": l.is_open, "since": l.since } }),
                Message::Act(command) => json!({ "key": key, "about": about, "act": command }),
            }
        }
    })
}

fn build(kind: &ChannelKind, base: &toml::Table, more: &toml::Table) -> Box<dyn Channel> {
    let mut settings = base.clone();
    settings.extend(more.clone());
    let settings = serde_json::to_value(settings).unwrap();
    (kind.build)(kind.name, &settings).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn why(code: &str) -> Why {
    *Why::ALL.iter().find(|why| why.code() == code).unwrap_or_else(|| panic!("no reason is called {code}"))
}

/// What came of the request before an answer is looked for.
enum Read {
    Inbound(Box<Inbound>),
    Unauthenticated(AuthError),
    Malformed(DecodeError),
}

fn read(channel: &dyn Channel, case: &Case) -> Read {
    let method: Method = case.method.parse().unwrap();
    let headers = headers(case.headers.as_ref().unwrap_or(&BTreeMap::new()));
    let (endpoint, query, body) = (case.endpoint.as_str(), case.query.as_str(), case.body.as_bytes());
    let raw = RawRequest { endpoint, method: &method, query, headers: &headers, body };
    assert!(channel.spec().endpoints.iter().any(|e| e.name == endpoint), "no call is named {endpoint}");
    let verified = match &case.headers {
        Some(_) => channel.verify(raw, &fixture::context()),
        None => Ok(Verified::attest(raw, 0)),
    };
    match verified {
        Err(error) => Read::Unauthenticated(error),
        Ok(verified) => match channel.decode(&verified) {
            Ok(inbound) => {
                // The same bytes mean the same, however often they come.
                assert_eq!(channel.decode(&verified).unwrap(), inbound);
                Read::Inbound(Box::new(inbound))
            }
            Err(error) => Read::Malformed(error),
        },
    }
}

fn run_case(kind: &ChannelKind, base: &toml::Table, case: &Case) {
    let channel = build(kind, base, &case.settings);
    let read = read(channel.as_ref(), case);
    match &read {
        Read::Inbound(inbound) => {
            assert!(case.auth_error.is_none() && case.decode_error.is_none(), "it was read: {inbound:?}");
            let expected = case.inbound.as_ref().expect("a case says what is read, or which error");
            assert_part(&parse(expected, "inbound"), &shown(inbound), "inbound");
        }
        Read::Unauthenticated(error) => {
            let expected = case.auth_error.as_ref().unwrap_or_else(|| panic!("{error}"));
            assert!(error.to_string().contains(expected), "{error}");
        }
        Read::Malformed(error) => {
            let expected = case.decode_error.as_ref().unwrap_or_else(|| panic!("{error}"));
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
    for reply in &case.reply {
        run_reply(channel.as_ref(), case, &read, reply);
    }
}

fn run_reply(channel: &dyn Channel, case: &Case, read: &Read, reply: &Reply) {
    let order = order([&reply.shared, &reply.order], "reply");
    let inbound = match read {
        Read::Inbound(inbound) => Some(inbound.as_ref()),
        _ => None,
    };
    let rejection = reply.why.as_ref().map(|code| Rejection::new(why(code), "a sentence").at("a_field"));
    let days: Vec<CalendarDay> = reply.days.iter().map(day).collect();
    let answer = match (reply.answer.as_str(), read) {
        ("error", Read::Unauthenticated(error)) => Answer::Unauthenticated(error),
        ("error", Read::Malformed(error)) => Answer::Malformed(error),
        ("accepted", _) => Answer::Accepted(&order),
        ("status", _) => Answer::Status(&order),
        ("repeated", _) => Answer::Repeated(Some(&order)),
        ("stale", _) => Answer::Stale(&order),
        ("left", _) => Answer::Left(reply.left),
        ("refused", _) => Answer::Refused(rejection.as_ref().expect("a refusal says why")),
        ("kept", _) => Answer::Kept,
        ("may_sell", _) => Answer::MaySell,
        ("noted", _) => Answer::Noted,
        ("no_such_order", _) => Answer::NoSuchOrder,
        ("content_differs", _) => Answer::ContentDiffers,
        ("try_later", _) => Answer::TryLater(Millis::seconds(1)),
        ("calendar", _) => Answer::Calendar(&days),
        (other, _) => panic!("no answer is called {other}"),
    };
    let said: HttpReply = channel.reply(&case.endpoint, inbound, &answer);
    assert_eq!(said.status.as_u16(), reply.status);
    let body = parse(&String::from_utf8_lossy(&said.body), "reply");
    let context = format!("reply {} {} {}", reply.answer, reply.why.as_deref().unwrap_or_default(), reply.order);
    assert_eq!(body, parse(&reply.body, &context), "{context}");
}

fn day(day: &Day) -> CalendarDay {
    CalendarDay { date: Date::parse(&day.date).unwrap(), left: day.left, price: day.price, open: day.open }
}

fn run_call(kind: &ChannelKind, base: &toml::Table, case: &Outbound) {
    let channel = build(kind, base, &case.settings);
    let order = order([&case.shared, &case.order], &case.name);
    let cx = Context { access_token: case.token.as_deref(), ..fixture::context() };
    let notification =
        case.what.starts_with('{').then(|| serde_json::from_value::<Notification>(parse(&case.what, "what")).unwrap());
    let call = match (case.what.as_str(), &notification) {
        (_, Some(notification)) => channel.notify(notification, &order, &cx),
        ("token", _) => can(channel.access_tokens()).and_then(|it| it.calls(&cx)).map(|mut calls| calls.remove(0)),
        ("another token", _) => {
            can(channel.access_tokens()).and_then(|it| it.calls(&cx)).map(|mut calls| calls.remove(1))
        }
        ("decrypt", _) => can(channel.cipher()).and_then(|it| it.call(&ciphers::of_order(&order), &cx)),
        ("order_query", _) => can(channel.order_query()).and_then(|it| it.call(&order, &cx)),
        ("read_back", _) => can(channel.read_back()).and_then(|it| it.call(&order.channel_order_id, &cx)),
        ("changes", _) => can(channel.change_list())
            .and_then(|it| it.call(fixture::NOW, fixture::NOW + Millis::hours(1), Some("c2"), &cx)),
        ("stock", _) => can(channel.takes_stock()).and_then(|it| it.call(&stock_left(&order.product), &cx)),
        (other, _) => panic!("no call is called {other}"),
    };
    match (call, &case.error) {
        (Ok(call), None) => check_call(case, &call),
        (Err(error), Some(expected)) => assert!(error.to_string().contains(expected), "{error}"),
        (call, _) => panic!("{call:?}"),
    }
    for response in &case.response {
        let got = HttpResponse {
            status: StatusCode::from_u16(response.status).unwrap(),
            headers: headers(&response.headers),
            body: response.body.clone().into(),
        };
        let result = match (case.what.as_str(), &notification) {
            (_, Some(notification)) => {
                map(channel.read_notification(notification, &order, &got), |yes| json!(format!("{yes:?}")))
            }
            ("token" | "another token", _) => map(
                channel.access_tokens().unwrap().read(&got),
                |t| json!({ "value": t.value, "lives_for": t.lives_for }),
            ),
            ("decrypt", _) => map(channel.cipher().unwrap().read(&ciphers::of_order(&order), &got), |opened| {
                let booking = order.booking.as_ref();
                let visitors = booking.iter().flat_map(|b| &b.visitors).map(|guest| opened.person(guest));
                let contact = booking.and_then(|b| b.contact.as_ref()).map(|contact| opened.person(contact));
                let visitors: Vec<_> = visitors.collect();
                in_clear(|| json!({ "buyer": opened.person(&order.buyer), "visitors": visitors, "contact": contact }))
            }),
            ("read_back", _) => {
                map(channel.read_back().unwrap().read(&order.channel_order_id, &got), |it| in_clear(|| json!(it)))
            }
            ("changes", _) => map(channel.change_list().unwrap().read(&got), |it| {
                in_clear(|| json!({ "orders": it.orders, "unread": it.unread, "next": it.next }))
            }),
            ("stock", _) => {
                map(channel.takes_stock().unwrap().read(&stock_left(&order.product), &got), |()| Value::Null)
            }
            _ => map(
                channel.order_query().unwrap().read(&order, &got),
                |v| json!({ "known": v.known, "state": v.state, "paid": v.paid, "refunded": v.refunded, "quantity": v.quantity }),
            ),
        };
        check_result(response, result);
        if let (Some(expected), Some(notification)) = (&response.learned, &notification) {
            let learned = in_clear(|| json!(channel.learned(notification, &order, &got)));
            assert_part(&parse(expected, "learned"), &learned, "learned");
        }
    }
}

fn run_answer(kind: &ChannelKind, base: &toml::Table, case: &Answered) {
    let channel = build(kind, base, &toml::Table::new());
    let order = order(["", &case.order], &case.name);
    let product = order.product.clone();
    let stock = StockLeft {
        product: &product,
        date: Date::parse("2026-12-01").unwrap(),
        left: 1,
        as_of: fixture::NOW,
        listing: None,
    };
    let notification =
        case.what.starts_with('{').then(|| serde_json::from_value::<Notification>(parse(&case.what, "what")).unwrap());
    for response in &case.response {
        let got = HttpResponse {
            status: StatusCode::from_u16(response.status).unwrap(),
            headers: headers(&response.headers),
            body: response.body.clone().into(),
        };
        let number = &order.channel_order_id;
        let look = channel.verify_first(&Notification::HandOver);
        let result = match (case.what.as_str(), &notification) {
            (_, Some(notification)) => {
                map(channel.read_notification(notification, &order, &got), |yes| json!(format!("{yes:?}")))
            }
            ("read_back", _) => map(
                channel.read_back().unwrap().read(number, &got),
                |whole| json!({ "number": whole.sale.channel_order_id }),
            ),
            ("look", _) => map(
                look.unwrap().read(&Notification::HandOver, &order, &got),
                |seen| json!({ "done": seen.carried_out == CarriedOut::Yes }),
            ),
            ("stock", _) => map(channel.takes_stock().unwrap().read(&stock, &got), |()| Value::Null),
            ("list", _) => map(
                channel.change_list().unwrap().read(&got),
                |list| json!({ "orders": list.orders.len(), "unread": list.unread }),
            ),
            ("order_query", _) => {
                map(channel.order_query().unwrap().read(&order, &got), |view| json!({ "known": view.known }))
            }
            ("token", _) => map(channel.access_tokens().unwrap().read(&got), |token| json!({ "value": token.value })),
            (other, _) => panic!("no call is called {other}"),
        };
        // What an answer about something else would teach is nobody's business.
        if let (Some(notification), CallResult::Astray { .. }) = (&notification, &result) {
            assert_eq!(channel.learned(notification, &order, &got), Vec::new(), "{}", response.body);
        }
        check_result(response, result);
    }
}

/// What a channel can do; what it cannot is refused as by an adapter.
fn can<T: ?Sized>(capability: Option<&T>) -> Result<&T, EncodeError> {
    capability.ok_or(EncodeError::Unsupported("this call"))
}

fn stock_left(product: &ProductCode) -> StockLeft<'_> {
    StockLeft { product, date: Date::parse("2026-12-13").unwrap(), left: 7, as_of: fixture::NOW, listing: None }
}

fn check_call(case: &Outbound, call: &Call) {
    assert_eq!(call.method.as_str(), case.method);
    assert_eq!(Some(&call.url), case.url.as_ref());
    let sent: BTreeMap<String, String> =
        call.headers.iter().map(|(k, v)| (k.to_string(), v.to_str().unwrap().to_owned())).collect();
    assert_eq!(sent, case.headers);
    match &case.body {
        Some(body) => {
            assert_eq!(parse(&String::from_utf8_lossy(&call.body), "call"), parse(body, "body"));
        }
        None => assert!(call.body.is_empty()),
    }
}

fn map<T>(result: CallResult<T>, value: impl FnOnce(T) -> Value) -> CallResult<Value> {
    match result {
        CallResult::Done(done) => CallResult::Done(value(done)),
        CallResult::Retry { why, after } => CallResult::Retry { why, after },
        CallResult::Refused { code, why } => CallResult::Refused { code, why },
        CallResult::Unknown { why } => CallResult::Unknown { why },
        CallResult::Absent => CallResult::Absent,
        CallResult::Overtaken => CallResult::Overtaken,
        CallResult::Astray { why } => CallResult::Astray { why },
        CallResult::TokenRejected => CallResult::TokenRejected,
    }
}

fn check_result(expected: &Response, result: CallResult<Value>) {
    let (word, says, after, value) = match result {
        CallResult::Done(value) => ("done".to_owned(), String::new(), None, value),
        CallResult::Retry { why, after } => ("retry".to_owned(), why.reveal().to_owned(), after, Value::Null),
        CallResult::Refused { code, why } => (format!("refused {code}"), why.reveal().to_owned(), None, Value::Null),
        CallResult::Unknown { why } => ("unknown".to_owned(), why.reveal().to_owned(), None, Value::Null),
        CallResult::Absent => ("absent".to_owned(), String::new(), None, Value::Null),
        CallResult::Overtaken => ("overtaken".to_owned(), String::new(), None, Value::Null),
        CallResult::Astray { why } => ("astray".to_owned(), why.reveal().to_owned(), None, Value::Null),
        CallResult::TokenRejected => ("token_rejected".to_owned(), String::new(), None, Value::Null),
    };
    assert_eq!(word, expected.result, "{} {says}", expected.body);
    assert_eq!(after.map(|after| after.0), expected.after, "{}", expected.body);
    if let Some(part) = &expected.says {
        assert!(says.contains(part), "{says}");
    }
    if let Some(part) = &expected.value {
        assert_part(&parse(part, "value"), &value, "value");
    }
}

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    files
}

/// Runs one case so that a failure names its file and itself.
fn named(file: &Path, name: &str, run: impl FnOnce() + std::panic::UnwindSafe) -> Option<String> {
    let panic = std::panic::catch_unwind(run).err()?;
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default();
    Some(format!("{}: {name}\n{text}\n", file.strip_prefix(folder()).unwrap().display()))
}

#[test]
fn channels_do_what_their_cases_record() {
    let mut failures = Vec::new();
    for kind in CHANNELS {
        let files = files(&folder().join(kind.name).join("cases"));
        assert!(!files.is_empty(), "{} has no recorded cases", kind.name);
        for path in files {
            let file = file(&path);
            for case in &file.case {
                let run = std::panic::AssertUnwindSafe(|| run_case(kind, &file.settings, case));
                failures.extend(named(&path, &case.name, run));
            }
            for answer in &file.answer {
                let run = std::panic::AssertUnwindSafe(|| run_answer(kind, &file.settings, answer));
                failures.extend(named(&path, &answer.name, run));
            }
            for call in &file.call {
                let run = std::panic::AssertUnwindSafe(|| run_call(kind, &file.settings, call));
                failures.extend(named(&path, &call.name, run));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Every object below `value`, as a JSON pointer and as the path that an error names.
fn objects_below(value: &Value, pointer: &str, path: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            found.push((pointer.to_owned(), path.to_owned()));
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                objects_below(value, &format!("{pointer}/{name}"), &path, found);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                objects_below(value, &format!("{pointer}/{index}"), &format!("{path}[{index}]"), found);
            }
        }
        _ => {}
    }
}

/// Puts a list in the place of every object of a case's body in turn: it is refused by name, unless nobody reads what stands there.
fn run_lists_for_objects(kind: &ChannelKind, base: &toml::Table, case: &Case) -> usize {
    let channel = build(kind, base, &case.settings);
    let Read::Inbound(whole) = read(channel.as_ref(), case) else { return 0 };
    if case.headers.is_some() || matches!(*whole, Inbound::Hint { .. } | Inbound::Ping(_)) {
        return 0;
    }
    let body = parse(&case.body, "body");
    let mut places = Vec::new();
    objects_below(&body, "", "", &mut places);
    let mut refused = 0;
    // One person or a list of them, by its page (`adapters/douyin/README.md`).
    places.retain(|(_, path)| path != "contact");
    for (pointer, path) in places {
        for list in [json!([]), json!([null, 1, "x", {}])] {
            let mut other = body.clone();
            *other.pointer_mut(&pointer).unwrap() = list;
            let headers = HeaderMap::new();
            let (endpoint, body) = (case.endpoint.as_str(), other.to_string());
            let raw = RawRequest {
                endpoint,
                method: &Method::POST,
                query: &case.query,
                headers: &headers,
                body: body.as_bytes(),
            };
            match channel.decode(&Verified::attest(raw, 0)) {
                Ok(inbound) => assert_eq!(shown(&inbound), shown(&whole), "a list was taken for the object `{path}`"),
                Err(error) => {
                    // Some errors are named from inside the order.
                    let is_named = if path.is_empty() { error.field == "body" } else { path.ends_with(&error.field) };
                    assert!(is_named, "{path}: {error}");
                    refused += 1;
                }
            }
        }
    }
    refused
}

#[test]
fn a_list_is_never_taken_for_an_object() {
    let mut failures = Vec::new();
    for kind in CHANNELS {
        let mut refused = 0;
        for path in files(&folder().join(kind.name).join("cases")) {
            let file = file(&path);
            for case in &file.case {
                let run = std::panic::AssertUnwindSafe(|| refused += run_lists_for_objects(kind, &file.settings, case));
                failures.extend(named(&path, &case.name, run));
            }
        }
        assert!(refused > 0 || !failures.is_empty(), "{}: nothing was tried", kind.name);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_folder_of_a_partner_is_registered_once() {
    let mut folders: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        // A partner speaks a protocol and says which; what partners share has no page of its own.
        .filter(|path| path.join("mod.rs").is_file() && path.join("README.md").is_file())
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    folders.sort();
    let mut names: Vec<&str> = CHANNELS.iter().map(|k| k.name).chain(BACKENDS.iter().map(|k| k.name)).collect();
    names.sort_unstable();
    assert_eq!(folders, names);
}

#[test]
fn every_secret_of_a_partner_is_one_of_its_settings() {
    let kinds = CHANNELS.iter().map(|k| (k.name, k.settings, k.secrets));
    for (name, settings, secrets) in kinds.chain(BACKENDS.iter().map(|k| (k.name, k.settings, k.secrets))) {
        for secret in secrets {
            let top = secret.split('.').next().unwrap();
            assert!(settings.contains(&top), "{name}: {secret}");
        }
    }
}

/// The bodies of recorded requests to an endpoint, each with its case's name and whether it can be read: for those who judge them otherwise.
pub(crate) fn bodies(path: &str, endpoint: &str) -> Vec<(String, Value, bool)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let cases = file(&path).case.into_iter().filter(|case| case.endpoint == endpoint && case.auth_error.is_none());
    let with_body = cases.filter_map(|case| {
        let body = serde_json::from_str(&case.body).ok()?;
        Some((case.name, body, case.decode_error.is_none()))
    });
    with_body.collect()
}

/// The bodies of recorded calls of ours: method, address, body.
pub(crate) fn calls(path: &str) -> Vec<(String, String, Value)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let with_body = file(&path).call.into_iter().filter_map(|call| {
        let body = call.body.filter(|body| !body.is_empty())?;
        Some((call.method, call.url?, parse(&body, &call.name)))
    });
    with_body.collect()
}
