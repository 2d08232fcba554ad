// SPDX-License-Identifier: Apache-2.0

//! Every message in and out, masked: what a person reads to see what was said to whom.

use sea_orm::QueryResult;
use serde::{Deserialize, Serialize};
use ticketbridge_core::{Millis, OrderId, UnixMillis};

use crate::buffer::CALL_LOG;
use crate::dialect::{get, get_count, get_word, values, word};
use crate::error::StoreError;
use crate::tx::Tx;

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To us.
    In,
    /// From us.
    Out,
}

/// A message, or one attempt at one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRecord {
    /// `cal_…`.
    pub id: String,
    /// The order it spoke of.
    pub order: Option<OrderId>,
    /// Which way it went.
    pub direction: Direction,
    /// The channel or back-end.
    pub partner: String,
    /// Which call.
    pub call: String,
    /// When it began.
    pub at: UnixMillis,
    /// How long it took.
    pub duration: Millis,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// HTTP status, when there was an answer.
    pub status: Option<u16>,
    /// What it amounted to.
    pub verdict: String,
    /// One masked line about its content.
    pub summary: String,
}

pub(crate) const COLUMNS: &str =
    "id, order_id, direction, partner, call_name, at_ms, duration_ms, attempt, status, verdict, summary";

impl Tx {
    /// Adds a message to the log.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when its id is known.
    pub fn log_call(&self, call: &CallRecord) -> Result<(), StoreError> {
        self.keep(
            &CALL_LOG,
            values![
                call.id.as_str(),
                call.order.as_ref().map(|o| o.0.clone()),
                word(&call.direction),
                call.partner.as_str(),
                call.call.as_str(),
                call.at.0,
                call.duration.0,
                i64::from(call.attempt),
                call.status.map(i64::from),
                call.verdict.as_str(),
                call.summary.as_str(),
            ],
        )
    }
}

/// Reads a message from [`COLUMNS`].
pub(crate) fn read(row: &QueryResult) -> Result<CallRecord, StoreError> {
    let status: Option<i64> = get(row, "status")?;
    Ok(CallRecord {
        id: get(row, "id")?,
        order: get::<Option<String>>(row, "order_id")?.map(OrderId),
        direction: get_word(row, "direction")?,
        partner: get(row, "partner")?,
        call: get(row, "call_name")?,
        at: UnixMillis(get(row, "at_ms")?),
        duration: Millis(get(row, "duration_ms")?),
        attempt: get_count(row, "attempt")?,
        status: status.map(u16::try_from).transpose().map_err(|_| StoreError::Column("status"))?,
        verdict: get(row, "verdict")?,
        summary: get(row, "summary")?,
    })
}
