// SPDX-License-Identifier: Apache-2.0

//! The partners of a replay: each call is answered with what was answered to the same call when it was recorded. What changes something
//! there is answered once for each time that it was made then, in that order; a look is answered with what there was to see at that time.
//!
//! A call that a message crossed then is answered no sooner than the message was taken ([`super::schedule`]): what the message did was done before the answer was known. Only
//! the driver can wait for that, so only calls that it makes by [`may_wait`] do.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::Value;
use ticketbridge_core::UnixMillis;
use ticketbridge_core::port::{Call, HttpResponse};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::recorder::mask::{is_personal, is_secret};
use crate::recorder::tape::{Back, Went};
use crate::transport::{CallLimits, Transport, TransportError};

/// Characters of a number or an id that is likely to be another one each time: a nonce, a time, a digest.
const VOLATILE_CHARS: usize = 10;

/// Fields that hold what a person has written: it may name a guest, and then it has a stand-in in the recording and was masked in the call.
const WORDS: [&str; 6] = ["reason", "reason_text", "note", "memo", "remark", "message"];
tokio::task_local! {
    /// There where a call is made that may wait for its answer.
    static MAY_WAIT: ();
}

/// Does something whose calls may wait for the time of their answers.
pub(super) async fn may_wait<T>(work: impl Future<Output = T>) -> T {
    MAY_WAIT.scope((), work).await
}

/// A call that was made then.
struct Made {
    at: UnixMillis,
    /// When it was answered, where messages came meanwhile.
    answered_at: Option<UnixMillis>,
    back: Back,
}

/// The partners.
pub struct Bound {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// How often a call began to wait for its answer.
    waits: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    /// By what exactly was asked.
    exact: HashMap<String, VecDeque<usize>>,
    /// By the same without what is likely to be another one each time.
    loose: HashMap<String, VecDeque<usize>>,
    made: Vec<Option<Made>>,
    /// What was seen last by each look.
    seen: HashMap<String, usize>,
    looks: Vec<Back>,
    /// Calls that were not made then, and how often each is made now.
    strangers: BTreeMap<String, u64>,
    answered: u64,
    /// Until when calls wait that are under way.
    waiting: Vec<UnixMillis>,
}

impl Bound {
    /// Bound to these calls, in their order; each with the time at which it began, and until when it waits for its answer, if it does.
    pub fn new(calls: impl IntoIterator<Item = (UnixMillis, Went, Option<UnixMillis>)>, clock: Arc<dyn Clock>) -> Self {
        let mut state = State::default();
        for (at, went, answered_at) in calls {
            let (exact, loose) = keys(&went.method, &went.url, &went.body);
            let index = state.made.len();
            state.made.push(Some(Made { at, answered_at, back: went.back }));
            state.exact.entry(exact).or_default().push_back(index);
            state.loose.entry(loose).or_default().push_back(index);
        }
        Self { clock, state: Mutex::new(state), waits: watch::Sender::new(0) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls that were not made then, with how often each was made.
    pub fn strangers(&self) -> BTreeMap<String, u64> {
        self.state().strangers.clone()
    }

    /// How many calls were answered from the recording.
    pub fn answered(&self) -> u64 {
        self.state().answered
    }

    /// Hears of calls that begin to wait.
    pub(super) fn waits(&self) -> watch::Receiver<u64> {
        self.waits.subscribe()
    }

    /// How many calls wait for a time that has not come.
    pub(super) fn waiting(&self) -> usize {
        let now = self.clock.now();
        self.state().waiting.iter().filter(|until| **until > now).count()
    }

    /// When the next of them is answered.
    pub(super) fn next_answer(&self) -> Option<UnixMillis> {
        self.state().waiting.iter().min().copied()
    }

    /// An answer, and until when it is to be waited for.
    fn answer(&self, call: &Call) -> (Result<HttpResponse, TransportError>, Option<UnixMillis>) {
        let body = String::from_utf8_lossy(&call.body);
        let (exact, loose) = keys(call.method.as_str(), &call.url, &body);
        let now = self.clock.now();
        let mut state = self.state();
        let is_look = call.method == Method::GET;
        let found = state.take(&exact, &loose, is_look.then_some(now));
        match found {
            Some((back, answered_at)) => {
                state.answered += 1;
                let may_wait = MAY_WAIT.try_with(|()| ()).is_ok();
                let until = answered_at.filter(|at| may_wait && *at > now);
                state.waiting.extend(until);
                (respond(&back), until)
            }
            None => {
                *state.strangers.entry(loose).or_default() += 1;
                (Err(TransportError::NotSent { why: "this call is not in the recording".to_owned() }), None)
            }
        }
    }
}

impl State {
    /// What was answered then. `look_at` is the present of a look: what was seen until then counts, and may be seen again.
    fn take(&mut self, exact: &str, loose: &str, look_at: Option<UnixMillis>) -> Option<(Back, Option<UnixMillis>)> {
        let was_seen = self.seen.contains_key(exact);
        let Self { exact: by_exact, loose: by_loose, made, .. } = self;
        let lists = [by_exact.get_mut(exact), by_loose.get_mut(loose)];
        let mut newest: Option<Back> = None;
        for list in lists.into_iter().flatten() {
            while let Some(index) = list.front().copied() {
                let Some(candidate) = made[index].as_ref() else {
                    list.pop_front();
                    continue;
                };
                match look_at {
                    None => {
                        list.pop_front();
                        return made[index].take().map(|made| (made.back, made.answered_at));
                    }
                    // What was seen until now; the last of it, or the first there is where nothing was seen yet.
                    Some(now) if candidate.at <= now || (newest.is_none() && !was_seen) => {
                        list.pop_front();
                        newest = made[index].take().map(|made| made.back);
                    }
                    Some(_) => break,
                }
            }
            if newest.is_some() {
                break;
            }
        }
        let look = look_at.map(|_| exact.to_owned())?;
        if let Some(back) = newest {
            self.looks.push(back.clone());
            self.seen.insert(look, self.looks.len() - 1);
            return Some((back, None));
        }
        self.seen.get(&look).map(|index| (self.looks[*index].clone(), None))
    }
}

fn respond(back: &Back) -> Result<HttpResponse, TransportError> {
    match back {
        Back::Answered { status, retry_after, body } => {
            let mut headers = HeaderMap::new();
            if let Some(after) = retry_after.as_deref().and_then(|after| HeaderValue::from_str(after).ok()) {
                headers.insert(header::RETRY_AFTER, after);
            }
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Ok(HttpResponse { status, headers, body: body.clone().into() })
        }
        Back::NotSent => Err(TransportError::NotSent { why: "it was not sent when it was recorded".to_owned() }),
        Back::Interrupted => Err(TransportError::Interrupted { why: "it broke off when it was recorded".to_owned() }),
    }
}

impl Transport for Bound {
    fn send<'a>(&'a self, call: &'a Call, _: CallLimits) -> BoxFuture<'a, Result<HttpResponse, TransportError>> {
        let (answer, until) = self.answer(call);
        Box::pin(async move {
            if let Some(until) = until {
                let time_comes = self.clock.sleep_until(until);
                self.waits.send_modify(|times| *times += 1);
                time_comes.await;
                let mut state = self.state();
                if let Some(at) = state.waiting.iter().position(|waited| *waited == until) {
                    state.waiting.swap_remove(at);
                }
            }
            answer
        })
    }
}

/// What a call is found by: exactly, and without what is likely to be another one each time. The host is left out: another configuration
/// may name another one.
fn keys(method: &str, url: &str, body: &str) -> (String, String) {
    let path = url.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..])).unwrap_or(url);
    let body = match serde_json::from_str::<Value>(body) {
        Ok(mut value) => {
            without_guests(&mut value);
            without_fields(&mut value, &WORDS);
            value.to_string()
        }
        Err(_) => body.to_owned(),
    };
    let exact = format!("{method} {path} {body}");
    // An instant in a query stands there in its encoding.
    let in_clear = path.replace("%3A", ":").replace("%2B", "+");
    let loose = format!("{method} {} {}", steady(&in_clear), steady(&body));
    (exact, loose)
}

/// Takes guests' data and keys out: a stand-in of one part of a name is not the part of a stand-in.
pub(super) fn without_guests(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|key, _| !is_personal(key) && !is_secret(key));
            fields.values_mut().for_each(without_guests);
        }
        Value::Array(items) => items.iter_mut().for_each(without_guests),
        Value::String(text) => {
            if text.starts_with('{')
                && let Ok(mut inner) = serde_json::from_str::<Value>(text)
            {
                without_guests(&mut inner);
                *text = inner.to_string();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Takes these fields out, wherever they stand.
pub(super) fn without_fields(value: &mut Value, names: &[&str]) {
    match value {
        Value::Object(fields) => {
            fields.retain(|key, _| !names.contains(&key.as_str()));
            fields.values_mut().for_each(|value| without_fields(value, names));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| without_fields(value, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A text without long numbers and digests.
pub(super) fn steady(text: &str) -> String {
    let text = without_times(text);
    let mut kept = String::with_capacity(text.len());
    let mut run = String::new();
    let close = |run: &mut String, kept: &mut String| {
        let is_volatile = run.len() >= VOLATILE_CHARS && run.bytes().any(|b| b.is_ascii_digit());
        kept.push_str(if is_volatile { "#" } else { run });
        run.clear();
    };
    for c in text.chars() {
        if c.is_ascii_hexdigit() {
            run.push(c);
        } else {
            close(&mut run, &mut kept);
            kept.push(c);
        }
    }
    close(&mut run, &mut kept);
    kept
}

/// A text without instants: a few milliseconds make another one of each.
fn without_times(text: &str) -> String {
    let bytes = text.as_bytes();
    let is_instant = |at: usize| {
        let shape = b"dddd-dd-ddTdd:dd";
        bytes.get(at..at + shape.len()).is_some_and(|part| {
            part.iter().zip(shape).all(|(byte, wanted)| match wanted {
                b'd' => byte.is_ascii_digit(),
                other => byte == other,
            })
        })
    };
    let (mut kept, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(found) = rest.find('T') {
        let from = text.len() - rest.len() + found;
        match from.checked_sub(10).filter(|begin| is_instant(*begin) && found >= 10) {
            Some(_) => {
                kept.push_str(&rest[..found - 10]);
                kept.push('@');
                let after = &rest[found + 1..];
                let end =
                    after.find(|c: char| !matches!(c, '0'..='9' | ':' | '.' | '+' | '-' | 'Z')).unwrap_or(after.len());
                rest = &after[end..];
            }
            None => {
                kept.push_str(&rest[..=found]);
                rest = &rest[found + 1..];
            }
        }
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::TestClock;
    use bytes::Bytes;
    use ticketbridge_core::Millis;

    const THEN: UnixMillis = UnixMillis(1_795_226_400_000);

    fn went(method: &str, path: &str, body: &str, said: &str) -> Went {
        let back = Back::Answered { status: 200, retry_after: None, body: said.to_owned() };
        let url = format!("https://partner.example{path}");
        let (method, body) = (method.to_owned(), body.to_owned());
        Went { method, url, body, back, took: Millis(1), order: None, decided: None }
    }

    fn call(method: Method, path: &str, body: &str) -> Call {
        let url = format!("http://elsewhere.example:9{path}");
        Call { method, url, headers: HeaderMap::new(), body: Bytes::from(body.to_owned()), timeout: None, key: None }
    }

    fn said(bound: &Bound, call: &Call) -> Option<String> {
        bound.answer(call).0.ok().map(|response| String::from_utf8_lossy(&response.body).into_owned())
    }

    #[test]
    fn a_call_that_changes_something_is_answered_once_for_each_time() {
        let clock = Arc::new(TestClock::at(THEN));
        let first = went("POST", "/r", r#"{"id":"a","name":"one"}"#, "1");
        let second = went("POST", "/r", r#"{"id":"a","name":"two"}"#, "2");
        let bound = Bound::new([(THEN, first, None), (THEN + Millis(5), second, None)], clock);
        let again = call(Method::POST, "/r", r#"{"id":"a","name":"another guest"}"#);
        assert_eq!(said(&bound, &again).as_deref(), Some("1"));
        assert_eq!(said(&bound, &again).as_deref(), Some("2"));
        assert_eq!(said(&bound, &again), None);
        assert_eq!(said(&bound, &call(Method::POST, "/r", r#"{"id":"b"}"#)), None, "never made");
        assert_eq!(bound.strangers().len(), 2);
        assert_eq!(bound.answered(), 2);
    }

    #[test]
    fn a_look_sees_what_was_to_be_seen_at_its_time() {
        let clock = TestClock::at(THEN);
        let bound = Bound::new(
            [
                (THEN, went("GET", "/r/a", "", "pending"), None),
                (THEN + Millis(10_000), went("GET", "/r/a", "", "issued"), None),
            ],
            Arc::new(clock.clone()),
        );
        let look = call(Method::GET, "/r/a", "");
        for (after, sees) in [(0, "pending"), (4_000, "pending"), (7_000, "issued"), (60_000, "issued")] {
            clock.advance(Millis(after));
            assert_eq!(said(&bound, &look).as_deref(), Some(sees), "{after}");
        }
    }

    #[test]
    fn what_a_person_has_written_keeps_no_calls_apart() {
        let then = went("POST", "/r/1/reject", r#"{"reason_text":"asked by 010-****-4567","reason_code":"X"}"#, "1");
        let bound = Bound::new([(THEN, then, None)], Arc::new(TestClock::at(THEN)));
        let other = call(Method::POST, "/r/1/reject", r#"{"reason_text":"asked by 010-0000-0001","reason_code":"Y"}"#);
        assert_eq!(said(&bound, &other), None, "a code is no free text");
        let again = call(Method::POST, "/r/1/reject", r#"{"reason_text":"asked by 010-0000-0001","reason_code":"X"}"#);
        assert_eq!(said(&bound, &again).as_deref(), Some("1"));
    }

    #[tokio::test]
    async fn a_call_that_a_message_crossed_is_answered_no_sooner_than_it_was() {
        let clock = TestClock::at(THEN);
        let slow = |path: &str| Went { took: Millis(40), ..went("POST", path, "", "yes") };
        let answered_at = Some(THEN + Millis(40));
        let calls = [(THEN, slow("/crossed"), answered_at), (THEN + Millis(100), slow("/alone"), None)];
        let bound = Arc::new(Bound::new(calls, Arc::new(clock.clone())));
        let make = |path: &'static str| {
            let bound = bound.clone();
            async move {
                let limits = CallLimits { timeout: Millis(1_000), at_most: Millis(1_000) };
                bound.send(&call(Method::POST, path, ""), limits).await.map(|response| response.body)
            }
        };
        let mut waits = bound.waits();
        let crossed = tokio::spawn(may_wait(make("/crossed")));
        waits.changed().await.expect("it waits");
        assert_eq!((bound.waiting(), bound.next_answer()), (1, Some(THEN + Millis(40))));
        assert!(may_wait(make("/alone")).await.is_ok(), "nothing came meanwhile");
        clock.set(THEN + Millis(40));
        assert!(crossed.await.expect("it ends").is_ok());
        assert_eq!((bound.waiting(), bound.next_answer()), (0, None));
    }

    #[test]
    fn an_instant_is_left_out_and_what_looks_like_one_is_not() {
        assert_eq!(steady("by 2026-11-21T10:10:00.250+08:00, please"), "by @, please");
        assert_eq!(steady("T 2026-11-21 T 2026-11-21T10:1"), "T 2026-11-21 T 2026-11-21T10:1");
        assert_eq!(steady("到2026-11-21T10:10:00Z为止"), "到@为止");
    }

    #[test]
    fn the_times_of_a_list_that_is_asked_for_are_no_difference() {
        let from = |minute: u32| format!("/v1/bookings?updated_from=2026-11-21T10%3A{minute}%3A00%2B08%3A00&page=1");
        let listed = went("GET", &from(10), "", "listed");
        let bound = Bound::new([(THEN, listed, None)], Arc::new(TestClock::at(THEN)));
        assert_eq!(said(&bound, &call(Method::GET, &from(11), "")).as_deref(), Some("listed"));
        assert_eq!(said(&bound, &call(Method::GET, &from(12).replace("page=1", "page=2"), "")), None);
    }

    #[test]
    fn nonces_times_and_digests_are_no_difference() {
        let bound = Bound::new(
            [(THEN, went("POST", "/r", r#"{"at":1795226400000,"sign":"0123456789abcdef"}"#, "1"), None)],
            Arc::new(TestClock::at(THEN)),
        );
        let other = call(Method::POST, "/r", r#"{"at":1795226400999,"sign":"fedcba9876543210"}"#);
        assert_eq!(said(&bound, &other).as_deref(), Some("1"));
    }
}
