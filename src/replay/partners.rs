// SPDX-License-Identifier: Apache-2.0

//! The partners of a replay: each call is answered with what was answered to the same call when it was recorded. What changes something
//! there is answered once for each time that it was made then, in that order; a look is answered with what there was to see at that time.
//!
//! An answer has its place among everything that happened ([`super::schedule`]), and is not there before: a message that was taken before it
//! is played before it. Only what the driver lets go on beside itself can wait for that, so only calls of a [`Caller`] do.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::Value;
use ticketbridge_core::port::{Call, HttpResponse};
use ticketbridge_core::{Millis, OrderId, UnixMillis};
use tokio::sync::watch;

use super::difference::When;
use super::values::{moved_instants, place_of_call, steady, without_fields, without_guests};
use crate::clock::Clock;
use crate::recorder::course::{self, Caller};
use crate::recorder::tape::{Back, Went};
use crate::transport::{CallLimits, Transport, TransportError};

/// What was seen so much later is what is seen now.
const SOON: Millis = Millis(1_000);
/// A call that is made longer before it was made then is answered at once: it is another one.
const WAIT_MAX: Millis = Millis::seconds(30);
/// Fields that hold what a person has written: it may name a guest, and then it has a stand-in in the recording and was masked in the call.
const WORDS: [&str; 6] = ["reason", "reason_text", "note", "memo", "remark", "message"];

/// A call that was made then.
struct Made {
    at: UnixMillis,
    /// Where its answer stands among everything that happened.
    place: usize,
    went: Went,
}

/// A call that is other than it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Other {
    /// Its address.
    pub(super) place: String,
    /// How it is other.
    pub(super) change: String,
    /// The order that it was made for, where that is known.
    pub(super) order: Option<OrderId>,
    /// When it was made; of one that is not made, after everything.
    pub(super) when: When,
}

/// A call that was not made then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stranger {
    /// What was called, and with what.
    pub(super) call: String,
    /// The order that it was made for, where that is known.
    pub(super) order: Option<OrderId>,
    /// When.
    pub(super) when: When,
}

/// The partners.
pub struct Bound {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// How far everything has been played.
    played: watch::Sender<usize>,
    /// The turn of what was found last.
    turns: AtomicU64,
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
    /// Calls that were not made then.
    strangers: Vec<Stranger>,
    /// Calls that named another time then.
    moved: Vec<Other>,
    answered: u64,
    /// The places of the answers that calls under way wait for.
    waiting: Vec<usize>,
}

impl Bound {
    /// Bound to these calls, in their order; each with the time at which it began, and the place of its answer.
    pub fn new(calls: impl IntoIterator<Item = (UnixMillis, Went, usize)>, clock: Arc<dyn Clock>) -> Self {
        let mut state = State::default();
        for (at, went, place) in calls {
            let (exact, loose) = keys(&went.method, &went.url, &went.body);
            let index = state.made.len();
            state.made.push(Some(Made { at, place, went }));
            state.exact.entry(exact).or_default().push_back(index);
            state.loose.entry(loose).or_default().push_back(index);
        }
        Self { clock, state: Mutex::new(state), played: watch::Sender::new(0), turns: AtomicU64::new(0) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Now, with a turn of its own.
    pub(super) fn now(&self) -> When {
        When { at: self.clock.now(), turn: self.turns.fetch_add(1, Ordering::AcqRel) }
    }

    /// Calls that were not made then.
    pub(super) fn strangers(&self) -> Vec<Stranger> {
        self.state().strangers.clone()
    }

    /// Calls that named another time then, and calls that changed something for one of these orders and are not made now.
    pub(super) fn others(&self, is_played: impl Fn(&OrderId) -> bool) -> Vec<Other> {
        let state = self.state();
        let left = state.made.iter().flatten().filter(|made| made.went.method != Method::GET.as_str());
        let of_played = left.filter(|made| made.went.order.as_ref().is_some_and(&is_played));
        let unmade = of_played.map(|made| Other {
            place: address(&made.went),
            change: "made then -> not made".to_owned(),
            order: made.went.order.clone(),
            // Whatever else is other about its order is why.
            when: When::LAST,
        });
        state.moved.iter().cloned().chain(unmade).collect()
    }

    /// How many calls were answered from the recording.
    pub fn answered(&self) -> u64 {
        self.state().answered
    }

    /// Everything up to this place has been played, or is being: the answers that stand there are given.
    pub(super) fn play_to(&self, place: usize) {
        self.state().waiting.retain(|waited| *waited > place);
        self.played.send_replace(place);
    }

    /// How many calls wait for their answers.
    pub(super) fn waiting(&self) -> usize {
        self.state().waiting.len()
    }

    /// An answer, and the place that is to be waited for before it is given.
    fn answer(&self, call: &Call) -> (Result<HttpResponse, TransportError>, Option<usize>) {
        let body = String::from_utf8_lossy(&call.body);
        let (exact, loose) = keys(call.method.as_str(), &call.url, &body);
        let (when, played) = (self.now(), *self.played.borrow());
        let now = when.at;
        let caller = course::caller();
        let may_wait = caller.is_some();
        let order = caller.as_ref().and_then(|caller| caller.order.clone());
        let mut state = self.state();
        let found = match call.method == Method::GET {
            true => state.look(&exact, &loose, now, caller.map(|caller| (caller, played))),
            false => state.take(&exact, &loose, (&body, when), &caller.unwrap_or_default()),
        };
        match found {
            Some((back, at, place)) => {
                state.answered += 1;
                let is_near = at <= now + WAIT_MAX;
                let place = place.filter(|place| may_wait && is_near && *place > played);
                state.waiting.extend(place);
                (respond(&back), place)
            }
            None => {
                state.strangers.push(Stranger { call: loose, order, when });
                (Err(TransportError::NotSent { why: "this call is not in the recording".to_owned() }), None)
            }
        }
    }
}

/// What was answered, when it had been asked, and where the answer stands; nowhere, where the same was answered before.
type Found = (Back, UnixMillis, Option<usize>);

impl State {
    /// What was answered then to a call that changes something: of those that are alike, to the first one that was made on the same way, or
    /// otherwise for the same order.
    fn take(&mut self, exact: &str, loose: &str, (body, when): (&str, When), caller: &Caller) -> Option<Found> {
        let Self { exact: by_exact, loose: by_loose, made, moved, .. } = self;
        for list in [by_exact.get_mut(exact), by_loose.get_mut(loose)].into_iter().flatten() {
            list.retain(|index| made[*index].is_some());
            let is_for_same = |index: &usize| made[*index].as_ref().is_some_and(|made| made.went.order == caller.order);
            let same = list.iter().position(|index| is_of(made, *index, caller));
            let at = same.or_else(|| list.iter().position(is_for_same)).unwrap_or(0);
            if let Some(Made { at, place, went }) = list.remove(at).and_then(|index| made[index].take()) {
                let times = moved_instants(&went.body, body);
                let other = |change| Other { place: address(&went), change, order: went.order.clone(), when };
                moved.extend(times.into_iter().map(other));
                return Some((went.back, at, Some(place)));
            }
        }
        None
    }

    /// What was to be seen at `now`: what was answered last until then, or the first that there is where nothing was seen yet. One who may
    /// wait from `played` on sees what he saw then: on the same way, or otherwise if that is still to come.
    fn look(&mut self, exact: &str, loose: &str, now: UnixMillis, waits: Option<(Caller, usize)>) -> Option<Found> {
        if let Some(Made { at, place, went }) =
            waits.as_ref().and_then(|(caller, _)| self.own_look(exact, loose, caller))
        {
            self.looks.push(went.back.clone());
            self.seen.insert(exact.to_owned(), self.looks.len() - 1);
            return Some((went.back, at, Some(place)));
        }
        let played = waits.map(|(_, played)| played);
        let was_seen = self.seen.contains_key(exact);
        let Self { exact: by_exact, loose: by_loose, made, .. } = self;
        let mut newest: Option<Made> = None;
        for list in [by_exact.get_mut(exact), by_loose.get_mut(loose)].into_iter().flatten() {
            while let Some(index) = list.front().copied() {
                let Some(candidate) = made[index].as_ref() else {
                    list.pop_front();
                    continue;
                };
                let may_be_next = newest.is_none() && (!was_seen || candidate.at <= now + SOON);
                if candidate.at > now && !may_be_next {
                    break;
                }
                let is_to_come = played.is_some_and(|played| candidate.place > played);
                list.pop_front();
                newest = made[index].take();
                if is_to_come {
                    break;
                }
            }
            if newest.is_some() {
                break;
            }
        }
        if let Some(Made { at, place, went }) = newest {
            self.looks.push(went.back.clone());
            self.seen.insert(exact.to_owned(), self.looks.len() - 1);
            return Some((went.back, at, Some(place)));
        }
        self.seen.get(exact).map(|index| (self.looks[*index].clone(), now, None))
    }

    /// The look that was made then on the same way.
    fn own_look(&mut self, exact: &str, loose: &str, caller: &Caller) -> Option<Made> {
        let Self { exact: by_exact, loose: by_loose, made, .. } = self;
        let lists = [by_exact.get(exact), by_loose.get(loose)].into_iter().flatten();
        let own = lists.flatten().copied().find(|index| is_of(made, *index, caller))?;
        made[own].take()
    }
}

/// Whether a call was made on the way of this caller.
fn is_of(made: &[Option<Made>], index: usize, caller: &Caller) -> bool {
    caller.began.is_some() && made[index].as_ref().is_some_and(|made| made.went.of == caller.began)
}

/// The method and the address of a call, as a report names it.
fn address(went: &Went) -> String {
    place_of_call(&went.method, path_of(&went.url))
}

/// An address without the host: another configuration may name another one.
fn path_of(url: &str) -> &str {
    url.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..])).unwrap_or(url)
}

fn respond(back: &Back) -> Result<HttpResponse, TransportError> {
    match back {
        Back::Answered { status, retry_after, date, body } => {
            let mut headers = HeaderMap::new();
            for (name, text) in [(header::RETRY_AFTER, retry_after), (header::DATE, date)] {
                if let Some(value) = text.as_deref().and_then(|text| HeaderValue::from_str(text).ok()) {
                    headers.insert(name, value);
                }
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
        let mut played = self.played.subscribe();
        let (answer, place) = self.answer(call);
        Box::pin(async move {
            // The sender lives as long as this does.
            if let Some(place) = place
                && played.wait_for(|played| *played >= place).await.is_err()
            {
                std::future::pending::<()>().await;
            }
            answer
        })
    }
}

/// What a call is found by: exactly, and without what is likely to be another one each time.
fn keys(method: &str, url: &str, body: &str) -> (String, String) {
    let path = path_of(url);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::TestClock;
    use bytes::Bytes;
    use ticketbridge_core::Millis;

    const THEN: UnixMillis = UnixMillis(1_795_226_400_000);

    fn went(method: &str, path: &str, body: &str, said: &str) -> Went {
        let back = Back::Answered { status: 200, retry_after: None, date: None, body: said.to_owned() };
        let url = format!("https://partner.example{path}");
        let (method, body) = (method.to_owned(), body.to_owned());
        Went { method, url, body, back, took: Millis(1), order: None, decided: None, of: None }
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
        let bound = Bound::new([(THEN, first, 1), (THEN + Millis(5), second, 2)], clock);
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
                (THEN, went("GET", "/r/a", "", "pending"), 1),
                (THEN + Millis(10_000), went("GET", "/r/a", "", "issued"), 2),
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
        let bound = Bound::new([(THEN, then, 1)], Arc::new(TestClock::at(THEN)));
        let other = call(Method::POST, "/r/1/reject", r#"{"reason_text":"asked by 010-0000-0001","reason_code":"Y"}"#);
        assert_eq!(said(&bound, &other), None, "a code is no free text");
        let again = call(Method::POST, "/r/1/reject", r#"{"reason_text":"asked by 010-0000-0001","reason_code":"X"}"#);
        assert_eq!(said(&bound, &again).as_deref(), Some("1"));
    }

    #[tokio::test]
    async fn an_answer_is_given_in_its_place_to_whoever_may_wait_for_it() {
        let calls = ["/one", "/two"].map(|path| went("POST", path, "", "yes"));
        let places = [3, 4];
        let calls = calls.into_iter().zip(places).map(|(went, place)| (THEN, went, place));
        let bound = Arc::new(Bound::new(calls, Arc::new(TestClock::at(THEN))));
        let make = |path: &'static str| {
            let bound = bound.clone();
            async move {
                let limits = CallLimits { timeout: Millis(1_000), at_most: Millis(1_000) };
                bound.send(&call(Method::POST, path, ""), limits).await.map(|response| response.body)
            }
        };
        let waits = tokio::spawn(by(Caller::default(), make("/one")));
        while bound.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        bound.play_to(2);
        assert!(make("/two").await.is_ok(), "who may not wait has his answer at once");
        assert_eq!(bound.waiting(), 1);
        bound.play_to(3);
        assert_eq!(bound.waiting(), 0);
        assert!(waits.await.expect("it ends").is_ok());
    }

    #[tokio::test]
    async fn of_calls_that_are_alike_each_order_has_its_own() {
        let of = |order: &str, number: &str, back: &str| {
            let order = Some(OrderId(order.to_owned()));
            Went { order, ..went("POST", &format!("/b/{number}"), "", back) }
        };
        let calls = [(THEN, of("ord_1", "0123456789ab", "1"), 1), (THEN, of("ord_2", "0123456789cd", "2"), 2)];
        let bound = Bound::new(calls, Arc::new(TestClock::at(THEN)));
        let other = call(Method::POST, "/b/0123456789ef", "");
        let caller = Caller { order: Some(OrderId("ord_2".to_owned())), began: None };
        assert_eq!(by(caller, async { said(&bound, &other) }).await.as_deref(), Some("2"));
    }

    #[tokio::test]
    async fn of_looks_that_are_alike_each_is_seen_by_whoever_saw_it() {
        let of = |began: i64, saw: &str| Went { of: Some(began), ..went("GET", "/b/1", "", saw) };
        let bound = Bound::new([(THEN, of(1, "1"), 1), (THEN, of(2, "2"), 2)], Arc::new(TestClock::at(THEN)));
        for (began, saw) in [(2, "2"), (1, "1")] {
            let caller = Caller { order: None, began: Some(began) };
            let look = call(Method::GET, "/b/1", "");
            assert_eq!(by(caller, async { said(&bound, &look) }).await.as_deref(), Some(saw));
        }
    }

    async fn by<T>(caller: Caller, work: impl Future<Output = T>) -> T {
        course::playing(course::Known { caller: Some(caller), ..course::Known::default() }, work).await
    }

    #[test]
    fn what_was_asked_at_another_time_and_what_is_not_asked_any_more_is_told() {
        let until = |at: &str| format!(r#"{{"expires_at":"2026-12-01T{at}:00Z"}}"#);
        let of = |path: &str, body: &str| Went {
            order: Some(OrderId("ord_1".to_owned())),
            ..went("POST", path, body, "yes")
        };
        let calls = [(THEN, of("/links", &until("10:00")), 1), (THEN, of("/other", "{}"), 2)];
        let bound = Bound::new(calls, Arc::new(TestClock::at(THEN)));
        assert!(said(&bound, &call(Method::POST, "/links", &until("12:00"))).is_some());
        let others: Vec<_> = bound.others(|_| true).into_iter().map(|other| (other.place, other.change)).collect();
        let at = "/expires_at 2026-12-01T10:00:00+00:00 -> 2026-12-01T12:00:00+00:00 (2 h later)";
        let told = |place: &str, change: &str| (place.to_owned(), change.to_owned());
        assert_eq!(others, [told("POST /links", at), told("POST /other", "made then -> not made")]);
        assert_eq!(bound.others(|_| false).len(), 1, "what is not played is not missed");
    }

    #[test]
    fn the_times_of_a_list_that_is_asked_for_are_no_difference() {
        let from = |minute: u32| format!("/v1/bookings?updated_from=2026-11-21T10%3A{minute}%3A00%2B08%3A00&page=1");
        let listed = went("GET", &from(10), "", "listed");
        let bound = Bound::new([(THEN, listed, 1)], Arc::new(TestClock::at(THEN)));
        assert_eq!(said(&bound, &call(Method::GET, &from(11), "")).as_deref(), Some("listed"));
        assert_eq!(said(&bound, &call(Method::GET, &from(12).replace("page=1", "page=2"), "")), None);
    }

    #[test]
    fn nonces_times_and_digests_are_no_difference() {
        let bound = Bound::new(
            [(THEN, went("POST", "/r", r#"{"at":1795226400000,"sign":"0123456789abcdef"}"#, "1"), 1)],
            Arc::new(TestClock::at(THEN)),
        );
        let other = call(Method::POST, "/r", r#"{"at":1795226400999,"sign":"fedcba9876543210"}"#);
        assert_eq!(said(&bound, &other).as_deref(), Some("1"));
    }
}
