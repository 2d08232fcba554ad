// SPDX-License-Identifier: Apache-2.0

//! What orders and their events look like at rest: sealed, each for its own place.

use std::collections::HashMap;

use sea_orm::QueryResult;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use ticketbridge_core::{Actor, Order, OrderId, UnixMillis};

use crate::dialect::{get, get_count, get_word};
use crate::error::StoreError;
use crate::seal::{Sealer, sha256_hex};

/// An event as the history keeps it: personal data masked.
#[derive(Clone, Debug, PartialEq)]
pub struct EventRow {
    /// `evt_…`, sortable by time.
    pub id: String,
    /// Whose.
    pub order: OrderId,
    /// 1 for the first event of the order.
    pub seq: u64,
    /// When it was decided.
    pub at: UnixMillis,
    /// Its name.
    pub kind: String,
    /// Who caused it.
    pub actor: Actor,
    /// Why, for people.
    pub reason: Option<String>,
    /// The event in full.
    pub data: serde_json::Value,
}

/// The id of an event, computed from its place: 12 hex digits of its time, 4 of its number, 16 of its order's hash.
pub fn event_id(order: &OrderId, seq: u64, at: UnixMillis) -> String {
    let of_order = sha256_hex(&[order.as_str().as_bytes()]);
    format!("evt_{:012x}{:04x}{}", at.0.max(0), seq & 0xffff, &of_order[..16])
}

/// Orders of a transaction as they were opened, each with the sealed document that it was opened from, or sealed in.
#[derive(Debug, Default)]
pub(crate) struct Opened(pub(crate) HashMap<OrderId, (String, Order)>);

/// The name of the row in which an order's document stands.
pub(crate) fn document_row(id: &str) -> String {
    format!("orders/{id}")
}

/// The columns `id` and `document` of orders.
pub(crate) fn documents(rows: &[QueryResult]) -> Result<Vec<(String, String)>, StoreError> {
    rows.iter().map(|row| Ok((get(row, "id")?, get(row, "document")?))).collect()
}

fn event_row(order: &OrderId, seq: u64) -> String {
    format!("order_event/{order}/{seq}")
}

/// An event as it is kept. Guests' data in it is masked already, but partners quote guests in their own words, and may do so before
/// we know whom they mean: so all of it is sealed, and what it says is masked when it is shown.
#[derive(Serialize, Deserialize)]
pub(crate) struct KeptEvent<E> {
    pub(crate) reason: Option<String>,
    pub(crate) event: E,
}

/// Seals an event for its place in the history.
pub(crate) fn seal_kept<E: Serialize>(
    sealer: &Sealer,
    order: &OrderId,
    seq: u64,
    kept: &KeptEvent<E>,
) -> Result<String, StoreError> {
    Ok(sealer.seal(&event_row(order, seq), &serde_json::to_vec(kept)?))
}

/// Opens an event that was sealed for its place in the history.
pub(crate) fn open_kept<E: DeserializeOwned>(
    sealer: &Sealer,
    order: &OrderId,
    seq: u64,
    body: &str,
) -> Result<KeptEvent<E>, StoreError> {
    Ok(serde_json::from_slice(&sealer.open(&event_row(order, seq), body)?)?)
}

/// Reads an event from its columns; an older version kept it in clear. Its rules stand in it by their digest.
pub(crate) fn read_event(sealer: &Sealer, row: &QueryResult) -> Result<EventRow, StoreError> {
    let (order, seq) = (OrderId(get(row, "order_id")?), get_count(row, "seq")?);
    let body: String = get(row, "body")?;
    let kept: KeptEvent<serde_json::Value> = match body.starts_with('{') {
        true => KeptEvent { reason: get(row, "reason")?, event: serde_json::from_str(&body)? },
        false => open_kept(sealer, &order, seq, &body)?,
    };
    Ok(EventRow {
        id: get(row, "id")?,
        order,
        seq,
        at: UnixMillis(get(row, "at_ms")?),
        kind: get(row, "kind")?,
        actor: Actor { kind: get_word(row, "actor_kind")?, name: get(row, "actor_name")? },
        reason: kept.reason,
        data: kept.event,
    })
}
