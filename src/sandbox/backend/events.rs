// SPDX-License-Identifier: Apache-2.0

//! What the back-end tells the bridge by itself: issued, refused, cancelled, redeemed.

use serde_json::{Value, json};
use std::time::Duration;

use super::books::{CallRecord, ReservationState};
use super::running::SimBackend;
use crate::journal::{Ending, Entry, Party};
use crate::webhook::{self, Answer, Message};

/// How long an answer to an event is waited for, real time.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// Waits before the further attempts at an event that was not taken, stated time.
const GAPS_S: [u64; 5] = [5, 30, 60, 120, 300];

/// An event before it is sent.
#[derive(Clone, Debug)]
pub struct Event {
    /// `webhook-id`: the same on every attempt.
    pub id: String,
    /// Type, for example `ticket.redeemed`.
    pub kind: &'static str,
    /// The bridge's id of the reservation.
    pub reservation_id: String,
    /// When it happened, milliseconds since 1970.
    pub occurred_at_ms: i64,
    /// What belongs to it.
    pub data: Value,
}

impl SimBackend {
    /// Issues what is pending, and tells. Without a pending reservation nothing is told and the status is 0.
    pub async fn issue_now(&self, reservation_id: &str) -> Answer {
        if self.make_tickets(reservation_id).is_none() {
            return Answer::NONE;
        }
        let data = self.answer_about(reservation_id);
        self.tell("reservation.issued", reservation_id, self.time().now_ms(), data).await
    }

    /// Refuses what is pending, and tells.
    pub async fn refuse(&self, reservation_id: &str, reason: &str) -> Answer {
        self.set_state(reservation_id, ReservationState::Refused(reason.to_owned()));
        let data = json!({ "reason": reason });
        self.tell("reservation.refused", reservation_id, self.time().now_ms(), data).await
    }

    /// Voids the tickets, and tells.
    pub async fn cancelled(&self, reservation_id: &str) -> Answer {
        self.set_state(reservation_id, ReservationState::Cancelled);
        self.tell("reservation.cancelled", reservation_id, self.time().now_ms(), json!({})).await
    }

    /// Will not void the tickets after all, and tells.
    pub async fn cancel_refused(&self, reservation_id: &str, reason: &str) -> Answer {
        let end = if reason == "used" { ReservationState::Used } else { ReservationState::Issued };
        self.set_state(reservation_id, end);
        let data = json!({ "reason": reason });
        self.tell("reservation.cancel_refused", reservation_id, self.time().now_ms(), data).await
    }

    /// A guest goes through the gate now, and it is told.
    pub async fn redeem(&self, reservation_id: &str) -> Answer {
        self.redeem_at(reservation_id, self.time().now_ms()).await
    }

    /// A guest went through the gate at `occurred_at_ms`, and it is told now.
    pub async fn redeem_at(&self, reservation_id: &str, occurred_at_ms: i64) -> Answer {
        self.mark_used(reservation_id);
        self.tell("ticket.redeemed", reservation_id, occurred_at_ms, json!({})).await
    }

    /// A guest goes through the gate; the bridge hears of it later or never.
    pub fn mark_used(&self, reservation_id: &str) {
        self.set_state(reservation_id, ReservationState::Used);
    }

    /// Sends an event once more, byte for byte the same: the bridge must recognise it.
    pub async fn repeat(&self, event: &Event) -> Answer {
        self.send_event(event, 2).await
    }

    /// Sends an event until it is taken (any 2xx) or the attempts are used up; the last answer.
    pub async fn tell(&self, kind: &'static str, reservation_id: &str, occurred_at_ms: i64, data: Value) -> Answer {
        let event = self.event(kind, reservation_id, occurred_at_ms, data);
        let mut answer = self.send_event(&event, 1).await;
        for (gap, attempt) in GAPS_S.into_iter().zip(2..) {
            if !matches!(answer.status, 0 | 429 | 500..) {
                break;
            }
            self.time().pass(Duration::from_secs(gap)).await;
            answer = self.send_event(&event, attempt).await;
        }
        answer
    }

    /// An event with an id of its own.
    pub fn event(&self, kind: &'static str, reservation_id: &str, occurred_at_ms: i64, data: Value) -> Event {
        let number = self.change(|state| {
            state.next_number += 1;
            state.next_number
        });
        let id = format!("msg_{:013}{number:06}", self.time().now_ms());
        Event { id, kind, reservation_id: reservation_id.to_owned(), occurred_at_ms, data }
    }

    fn set_state(&self, reservation_id: &str, end: ReservationState) {
        self.change(|state| {
            if let Some(reservation) = state.books.reservations.get_mut(reservation_id) {
                reservation.state = end;
            }
        });
    }

    /// Signs and sends an event once.
    pub async fn send_event(&self, event: &Event, attempt: u32) -> Answer {
        let at = self.time().elapsed();
        let occurred_at = chrono::DateTime::from_timestamp_millis(event.occurred_at_ms)
            .map(|t| t.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
            .unwrap_or_default();
        let body = json!({ "type": event.kind, "reservation_id": event.reservation_id, "occurred_at": occurred_at,
                           "data": event.data });
        let bytes = body.to_string().into_bytes();
        let base = self.state().bridge_url.trim_end_matches('/').to_owned();
        let url = format!("{base}/backends/{}/events", self.machine.options().backend_id);
        let now_s = self.time().now_s();
        let message = Message { url: &url, id: &event.id, body: &bytes, now_s, limit: ANSWER_LIMIT };
        let secret = &self.machine.options().secret;
        let headers = webhook::headers(secret, &message);
        let answer = webhook::send(self.machine.client(), secret, message).await;
        let record = CallRecord {
            at,
            call: event.kind.to_owned(),
            reservation_id: Some(event.reservation_id.clone()),
            headers,
            body,
            status: answer.status,
            answer: answer.body.clone(),
        };
        self.change(|state| state.books.calls.push(record));
        self.note_event(event, at, attempt, &answer);
        answer
    }

    fn note_event(&self, event: &Event, at: Duration, attempt: u32, answer: &Answer) {
        let code = answer.body.get("code").and_then(Value::as_str).unwrap_or_default();
        let (ending, outcome) = match answer.status {
            0 => (Ending::Failed, "not reached".to_owned()),
            202 => (Ending::Waiting, "kept until the state allows it".to_owned()),
            200..=299 => (Ending::Done, answer.result().to_owned()),
            status => (Ending::Refused, format!("HTTP {status} {code}")),
        };
        self.journal().add(Entry {
            at,
            from: Party::Backend,
            to: Party::Bridge,
            call: event.kind.to_owned(),
            sale: None,
            attempt,
            ending,
            outcome,
            took: self.time().elapsed().saturating_sub(at),
        });
    }
}
