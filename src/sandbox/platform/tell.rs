// SPDX-License-Identifier: Apache-2.0

//! How a platform tells events: signed, with a time limit, again until they are taken (`adapters/kakao/README.md`).

use serde_json::{Value, json};
use std::time::Duration;

use super::books::{EventRecord, Kept, Violation};
use super::running::Platform;
use super::trade::{Event, Trade, numbered};
use crate::journal::{Ending, Entry, Party};
use crate::time::Zone;
use crate::webhook::{self, Answer, Message};

/// What became of an event.
#[derive(Clone, Debug)]
pub struct Told {
    /// The event.
    pub event: Event,
    /// The last answer; [`Answer::NONE`] when it was kept back.
    pub answer: Answer,
}

/// Whether an answer ends the attempts: a yes, or a no for good.
fn is_final(status: u16) -> bool {
    matches!(status, 200 | 202 | 400 | 409 | 413 | 415 | 422)
}

impl<T: Trade> Platform<T> {
    /// Enters a new trade and tells of it.
    pub async fn open(&self, it: T, number: &str, kind: &'static str, change: Value) -> Told {
        let now_ms = self.time().now_ms();
        let event = self.change(|state| {
            let kept = Kept { revision: 1, it };
            state.next_number += 1;
            let id = numbered("evt_", now_ms, state.next_number);
            let event = Event::about(id, kind, number, &kept, &change, now_ms);
            state.books.trades.insert(number.to_owned(), kept);
            event
        });
        self.tell(event).await
    }

    /// Changes a trade, counts its revision up and tells of it. `None` when there is no such trade.
    pub async fn happens(
        &self,
        number: &str,
        kind: &'static str,
        change: impl FnOnce(&mut T) -> Value + Send,
    ) -> Option<Told> {
        let event = self.note_change(number, kind, change)?;
        Some(self.tell(event).await)
    }

    /// Changes a trade and makes its event, which nobody is told yet.
    pub fn note_change(&self, number: &str, kind: &'static str, change: impl FnOnce(&mut T) -> Value) -> Option<Event> {
        let now_ms = self.time().now_ms();
        self.change(|state| {
            let kept = state.books.trades.get_mut(number)?;
            let said = change(&mut kept.it);
            kept.revision += 1;
            state.next_number += 1;
            let id = numbered("evt_", now_ms, state.next_number);
            Some(Event::about(id, kind, number, kept, &said, now_ms))
        })
    }

    /// Tells an event until it is taken or the attempts are used up, or keeps it back when the switch says so.
    pub async fn tell(&self, event: Event) -> Told {
        if self.state().faults.hold_events {
            self.change(|state| state.held.push(event.clone()));
            return Told { event, answer: Answer::NONE };
        }
        let answer = self.deliver(&event).await;
        Told { event, answer }
    }

    /// The events that were kept back, oldest first; from now on events go out again.
    pub fn release(&self) -> Vec<Event> {
        self.change(|state| {
            state.faults.hold_events = false;
            std::mem::take(&mut state.held)
        })
    }

    /// Tells of something that is no trade, until it is taken.
    pub async fn tell_beside(&self, kind: &'static str, change: Value) -> Answer {
        let body = json!({
            "event_id": self.new_id("evt_"), "event_type": kind, "schema_version": "1",
            "occurred_at": Zone::SEOUL.written(self.time().now_ms()), "partner_id": "p_77", "place_id": "pl_5", "change": change,
        });
        let id = body["event_id"].as_str().unwrap_or_default().to_owned();
        let event = Event { id, kind, number: String::new(), revision: 0, body: body.to_string().into_bytes() };
        self.deliver(&event).await
    }

    /// Sends an event once more, byte for byte the same: the bridge must recognise it.
    pub async fn repeat(&self, event: &Event) -> Answer {
        self.send(event, 2).await
    }

    async fn deliver(&self, event: &Event) -> Answer {
        let mut answer = self.attempt(event, 1).await;
        for (gap, attempt) in self.options().limits.gaps.clone().into_iter().zip(2..) {
            if is_final(answer.status) {
                break;
            }
            self.time().pass(gap).await;
            answer = self.attempt(event, attempt).await;
        }
        if !is_final(answer.status) {
            self.violation(&event.number, format!("{} was never taken (HTTP {})", event.kind, answer.status));
        }
        answer
    }

    async fn attempt(&self, event: &Event, attempt: u32) -> Answer {
        if !self.state().faults.duplicate_delivery {
            return self.send(event, attempt).await;
        }
        let (first, second) = tokio::join!(self.send(event, attempt), self.send(event, attempt));
        if is_final(first.status) { first } else { second }
    }

    async fn send(&self, event: &Event, attempt: u32) -> Answer {
        let at = self.time().elapsed();
        let answer = self.post("events", &event.id, &event.body, self.options().limits.answer).await;
        let lost = self.change(|state| {
            let left = state.faults.drop_answers;
            state.faults.drop_answers = left.saturating_sub(1);
            left > 0
        });
        self.judge_answer(event, &answer);
        let record = EventRecord {
            at,
            id: event.id.clone(),
            kind: event.kind,
            number: event.number.clone(),
            attempt,
            status: answer.status,
            answer: answer.body.clone(),
            lost,
        };
        self.change(|state| state.books.events.push(record));
        let known = if lost { Answer::NONE } else { answer };
        self.note_event(event, at, attempt, &known);
        known
    }

    /// Asks the bridge something that changes nothing; the answer must come within the limit of questions.
    pub async fn ask(&self, endpoint: &str, number: &str, body: &Value) -> Answer {
        let at = self.time().elapsed();
        let id = self.change(|state| {
            state.next_number += 1;
            format!("ask_{:08}", state.next_number)
        });
        let id = format!("{id}{}", self.time().now_ms());
        let answer = self.post(endpoint, &id, body.to_string().as_bytes(), self.options().limits.question).await;
        let left = answer.body.get("remaining").and_then(Value::as_i64);
        let (ending, outcome) = match (answer.status, answer.body.get("available").and_then(Value::as_bool)) {
            (200, Some(true)) => (Ending::Done, left.map_or("yes".to_owned(), |left| format!("yes, {left} left"))),
            (200, Some(false)) => (Ending::Refused, "no".to_owned()),
            (status, _) => (Ending::Failed, format!("HTTP {status}")),
        };
        let sale = Some(number.to_owned()).filter(|number| !number.is_empty());
        self.note_call(endpoint, sale, at, 1, ending, outcome);
        answer
    }

    async fn post(&self, endpoint: &str, id: &str, body: &[u8], limit: Duration) -> Answer {
        let options = self.options();
        let url = {
            let state = self.state();
            format!("{}/channels/{}/{endpoint}", state.bridge_url.trim_end_matches('/'), options.channel_id)
        };
        let limit = self.time().scaled(limit).max(options.limits.answer_at_least.min(limit));
        let message = Message { url: &url, id, body, now_s: self.time().now_s(), limit };
        webhook::send(self.machine.client(), &options.events_secret, message).await
    }

    /// Every answer is one of those of `docs/src/contract/signatures.md`, and an event as the contract has it is not refused.
    fn judge_answer(&self, event: &Event, answer: &Answer) {
        let result = answer.result();
        let wrong = match answer.status {
            200 => !matches!(result, "accepted" | "duplicate" | "stale" | "ignored"),
            202 => result != "parked" || answer.body.get("reason").and_then(Value::as_str).is_none(),
            // No answer, or one that asks for patience: the event comes again.
            0 | 429 | 500..=599 => false,
            _ => true,
        };
        if wrong {
            let code = answer.body.get("code").and_then(Value::as_str).unwrap_or("no code");
            let sentence = format!("{} was answered HTTP {} {result}{code}", event.kind, answer.status);
            self.violation(&event.number, sentence);
        }
    }

    fn violation(&self, number: &str, sentence: String) {
        let violation = Violation { number: number.to_owned(), sentence };
        self.change(|state| state.books.violations.push(violation));
    }

    fn note_event(&self, event: &Event, at: Duration, attempt: u32, answer: &Answer) {
        let code = answer.body.get("code").and_then(Value::as_str).unwrap_or_default();
        let (ending, outcome) = match (answer.status, answer.result()) {
            (0, _) => (Ending::Failed, "no answer".to_owned()),
            (202, _) => (Ending::Waiting, "kept: too early".to_owned()),
            (200, "stale" | "duplicate") => (Ending::Done, format!("known ({})", answer.result())),
            (200, result) => (Ending::Done, result.to_owned()),
            (status, _) => (Ending::Refused, format!("HTTP {status} {code}")),
        };
        let sale = Some(event.number.clone()).filter(|number| !number.is_empty());
        self.note_call(event.kind, sale, at, attempt, ending, outcome);
    }

    fn note_call(&self, call: &str, sale: Option<String>, at: Duration, attempt: u32, ending: Ending, outcome: String) {
        let took = self.time().elapsed().saturating_sub(at);
        let call = call.to_owned();
        self.journal().add(Entry { at, from: T::PARTY, to: Party::Bridge, call, sale, attempt, ending, outcome, took });
    }
}
