// SPDX-License-Identifier: Apache-2.0

//! What makes two messages the same: hashes of keys, of the bytes as they came, and of what they mean.
//!
//! A repeat is judged by its meaning. A sender may write a message anew: with a field more that nobody reads, keys or equal entries in
//! another order, other blanks or escapes, another cipher of the same name, another time of sending. What is compared is therefore what
//! the adapter has read, without what belongs to the sending.

use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use ticketbridge_core::UnixMillis;
use ticketbridge_core::message::{Command, RecordRejection, Snapshot};
use ticketbridge_core::personal::{Phone, REMOTE_CIPHER_PREFIX, in_clear};
use ticketbridge_core::port::{Envelope, Message};
use ticketbridge_store::Sealer;

/// What keeps these hashes apart from those of phones and codes.
const LABEL: &str = "meaning of a message";

/// Lower-hex SHA-256 over parts that cannot run into each other.
pub(crate) fn sha256_hex(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hex::encode(hasher.finalize())
}

/// Lower-hex SHA-256 of a body's bytes as they were received.
pub(crate) fn body_sha256(body: &[u8]) -> String {
    hex::encode(Sha256::digest(body))
}

/// The digest of what a channel's message means, 64 hex digits. Keyed, since a name or a phone in it could be guessed.
pub(crate) fn meaning_of(sealer: &Sealer, envelope: &Envelope, body: &[u8]) -> String {
    let message = match &envelope.message {
        // Nobody knows what it means, so that all of it counts.
        Message::Note { what, known: false } => json!({ "note": what.reveal(), "content": sorted_json_sha256(body) }),
        known => in_clear(|| message(known)),
    };
    digest(sealer, json!({ "about": envelope.about.as_str(), "message": message }))
}

/// The digest of what a back-end's event means.
pub(crate) fn meaning_of_act(sealer: &Sealer, command: &Command) -> String {
    digest(sealer, in_clear(|| act(command)))
}

fn digest(sealer: &Sealer, meaning: Value) -> String {
    sealer.keyed_hash(LABEL, &canonical(meaning).to_string())
}

/// As rows hold it in `body_sha256` that are older than `content_sha256`: of the JSON with its keys sorted, or of the bytes of a body that is none.
pub(crate) fn sorted_json_sha256(body: &[u8]) -> String {
    fn sorted(value: Value) -> Value {
        match value {
            Value::Object(map) => keys_sorted(map, sorted),
            Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
            other => other,
        }
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => hex::encode(Sha256::digest(sorted(value).to_string())),
        Err(_) => body_sha256(body),
    }
}

fn keys_sorted(map: Map<String, Value>, each: impl Fn(Value) -> Value) -> Value {
    let mut entries: Vec<_> = map.into_iter().collect();
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    Value::Object(entries.into_iter().map(|(key, value)| (key, each(value))).collect())
}

/// One text for one meaning: keys and equal lists in one order. A cipher that only its sender can open says nothing until it is opened,
/// and is another one every time.
fn canonical(value: Value) -> Value {
    match value {
        Value::Object(map) => keys_sorted(map, canonical),
        Value::Array(items) => {
            let mut items: Vec<Value> = items.into_iter().map(canonical).collect();
            items.sort_by_cached_key(Value::to_string);
            Value::Array(items)
        }
        Value::String(text) if text.starts_with(REMOTE_CIPHER_PREFIX) => Value::from(REMOTE_CIPHER_PREFIX),
        other => other,
    }
}

fn written(value: &impl Serialize) -> Value {
    serde_json::to_value(value).expect("what the core can store can be written as JSON")
}

/// The same without the named fields.
fn without(value: &impl Serialize, fields: &[&str]) -> Value {
    let mut value = written(value);
    if let Some(map) = value.as_object_mut() {
        map.retain(|key, _| !fields.contains(&key.as_str()));
    }
    value
}

fn message(message: &Message) -> Value {
    match message {
        Message::Sale(sale) => json!({ "sale": without(sale, &["placed_at"]) }),
        Message::Booking { sale, request } => json!({
            "sale": without(sale, &["placed_at"]), "booking": without(request, &["counts", "requested_at"]),
        }),
        Message::Snapshot(snapshot) => json!({ "snapshot": meaning_of_snapshot(snapshot) }),
        Message::Listing(listing) => json!({
            "product": listing.product.as_str(), "state": listing.state, "is_open": listing.is_open, "since": listing.since.0,
        }),
        Message::Act(command) => json!({ "act": act(command) }),
        Message::Note { what, known: _ } => json!({ "note": what.reveal() }),
    }
}

/// A whole order. When it was told is no part of it where its changes are counted, and a phone is the same however it is written.
fn meaning_of_snapshot(snapshot: &Snapshot) -> Value {
    let mut meaning = written(snapshot);
    if let Some(phone) = meaning.pointer_mut("/sale/buyer/phone") {
        *phone = phone.as_str().map_or(Value::Null, |written| Value::from(Phone::new(written).dialled()));
    }
    if snapshot.standing.revision > 0 {
        forget_time(&mut meaning, snapshot.standing.at);
    }
    meaning
}

/// Takes out the time of telling, also where it stands for a time that was not told.
fn forget_time(value: &mut Value, told_at: UnixMillis) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                if matches!(key.as_str(), "at" | "since") && value.as_i64() == Some(told_at.0) {
                    *value = Value::Null;
                }
                forget_time(value, told_at);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| forget_time(item, told_at)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The day of a validity: senders write its seconds anew. Where such demands come from, days begin at this hour.
fn day(at: UnixMillis) -> i64 {
    const HOUR: i64 = 3_600_000;
    (at.0 + 8 * HOUR).div_euclid(24 * HOUR)
}

/// What is not the message's own: when it was sent, and what is looked up for it here.
fn act(command: &Command) -> Value {
    match command {
        Command::RequestTickets { target, request, validity, date_left: _ } => {
            let days = validity.map(|(first, last)| (day(first), day(last)));
            json!({ "target": target.as_str(), "request": without(request, &["at"]), "validity": days })
        }
        // The time is written anew each time that it is told; what went back, of what, and why is not.
        Command::RecordRefund(refund) => without(refund, &["at"]),
        Command::RecordCancellation(cancellation) => without(cancellation, &["at"]),
        Command::ApplyRefund(application) => without(application, &["requested_at"]),
        Command::RecordRejection(RecordRejection { target, channel_ref, at: _ }) => {
            json!({ "rejection": target.as_str(), "channel_ref": channel_ref })
        }
        Command::Reservation { target, act, at: _ } => json!({ "reservation": target.as_str(), "act": written(act) }),
        Command::PlaceOrder(..)
        | Command::RecordPayments { .. }
        | Command::RecordPaid { .. }
        | Command::RequestBooking(_)
        | Command::ConfirmBooking
        | Command::RejectBooking { .. }
        | Command::SupplyGuests { .. }
        | Command::AnswerTickets { .. }
        | Command::RecordTicketFacts { .. }
        | Command::SupplyTickets { .. }
        | Command::Redeem(_)
        | Command::MarkNoShow { .. }
        | Command::ApproveRefund { .. }
        | Command::RejectRefund { .. }
        | Command::EscalateRefund { .. }
        | Command::WithdrawRefund { .. }
        | Command::RecordDoubt { .. }
        | Command::RecordLate { .. }
        | Command::CancelOrder { .. }
        | Command::SyncSnapshot { .. }
        | Command::RecordAgreement { .. }
        | Command::RecordQuote { .. }
        | Command::AskCancellation { .. }
        | Command::ReturnPayments { .. }
        | Command::SendPaymentLink { .. }
        | Command::RevokePaymentLink
        | Command::SettleAttention { .. }
        | Command::RecordPaymentLink { .. }
        | Command::RecordPartnerNumber { .. }
        | Command::RecordReveal { .. }
        | Command::EraseGuests { .. }
        | Command::RecordNotification { .. }
        | Command::RecordAstray { .. }
        | Command::RecordPartnerGone { .. }
        | Command::RecordPartnerBack { .. }
        | Command::WarnDeadline { .. }
        | Command::PassDeadline { .. } => written(command),
    }
}
