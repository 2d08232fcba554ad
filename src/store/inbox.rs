// SPDX-License-Identifier: Apache-2.0

//! What was received: each message once, with the answer it got.

use sea_orm::QueryResult;
use serde::{Deserialize, Serialize};
use ticketbridge_core::quoted::Quoted;
use ticketbridge_core::{OrderId, UnixMillis};

use crate::buffer::{INBOX, key_text};
use crate::connect::Store;
use crate::dialect::{Query, get, get_word, values, word};
use crate::error::StoreError;
use crate::tx::Tx;

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InboxVerdict {
    /// Stored; its transaction is not over.
    Received,
    /// It changed something.
    Accepted,
    /// It repeated what was known.
    Repeated,
    /// It came too late to matter.
    Stale,
    /// It is of no concern to us.
    Ignored,
    /// It waits: for its order, or for a state that allows it.
    Parked,
    /// It was refused with a reason.
    Refused,
    /// No rule routes it; an alarm was raised.
    Unrouted,
    /// Its key is known with other content.
    Conflict,
    /// It could not be read.
    Malformed,
    /// It is a hint that something happened elsewhere.
    Hint,
    /// There is no such call; only that it came is kept.
    UnknownCall,
}

impl InboxVerdict {
    /// The word for it in the ops interface and in metrics.
    pub fn word(self) -> &'static str {
        match self {
            InboxVerdict::Received => "received",
            InboxVerdict::Accepted => "accepted",
            InboxVerdict::Repeated => "repeated",
            InboxVerdict::Stale => "stale",
            InboxVerdict::Ignored => "ignored",
            InboxVerdict::Parked => "parked",
            InboxVerdict::Refused => "refused",
            InboxVerdict::Unrouted => "unrouted",
            InboxVerdict::Conflict => "conflict",
            InboxVerdict::Malformed => "malformed",
            InboxVerdict::Hint => "hint",
            InboxVerdict::UnknownCall => "unknown_call",
        }
    }
}

/// A message as it arrives.
#[derive(Clone, Debug)]
pub struct NewInbox<'a> {
    /// `inb_…`.
    pub id: &'a str,
    /// What makes it count once: 64 hex digits over channel, call and key.
    pub dedupe: &'a str,
    /// The channel or back-end it came from.
    pub channel: &'a str,
    /// Which call.
    pub call: &'a str,
    /// The partner's own key.
    pub key: &'a str,
    /// When it arrived.
    pub received_at: UnixMillis,
    /// SHA-256 of the raw body, hex; kept for ever.
    pub body_sha256: &'a str,
    /// A keyed digest of what the message means, 64 hex digits: what repeats are compared by. `None` for what is no message.
    pub content_sha256: Option<&'a str>,
    /// The raw body; kept sealed until it is purged.
    pub body: &'a [u8],
}

/// An answer as it went out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    /// HTTP status.
    pub status: u16,
    /// Body, byte for byte.
    pub body: Vec<u8>,
}

/// A message of the past, without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxRow {
    /// `inb_…`.
    pub id: String,
    /// The channel or back-end it came from.
    pub channel: String,
    /// Which call.
    pub call: String,
    /// The partner's own key.
    pub key: String,
    /// When it arrived.
    pub received_at: UnixMillis,
    /// What became of it.
    pub verdict: InboxVerdict,
    /// The order it spoke of.
    pub order: Option<OrderId>,
    /// SHA-256 of the raw body, hex.
    pub body_sha256: String,
    /// The digest of what it means; `None` for what is no message, and for rows older than the column.
    pub content_sha256: Option<String>,
    /// The answer it got.
    pub answer: Option<StoredAnswer>,
}

pub(crate) const COLUMNS: &str = "id, channel, call_name, msg_key, received_ms, verdict, order_id, body_sha256, content_sha256, answer_status, answer";

impl Tx {
    /// Stores a message. To be done first: one that is known goes no further. Of two equal messages at the same moment the unique key
    /// decides which one counts, when the transaction is written; the other is run again, and finds it.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when its key is known; read the stored answer after rolling back.
    pub async fn insert_inbox(&self, new: &NewInbox<'_>) -> Result<(), StoreError> {
        let is_known = match self.see(&INBOX, &key_text(&[new.dedupe])) {
            Some(known) => known.is_some(),
            None => !self.rows_stored("SELECT id FROM inbox WHERE dedupe = ?", values![new.dedupe]).await?.is_empty(),
        };
        if is_known {
            return Err(self.duplicate());
        }
        // Written once, with its answer.
        self.keep(
            &INBOX,
            values![
                new.dedupe,
                new.id,
                new.channel,
                new.call,
                Quoted::code(new.key).as_str(),
                new.received_at.0,
                new.body_sha256,
                new.content_sha256,
                self.sealer().seal(&body_row(new.id), new.body),
                word(&InboxVerdict::Received),
                None::<String>,
                None::<i64>,
                None::<String>,
            ],
        )
    }

    /// Notes what became of a message, and its answer (`None` when there is none yet).
    ///
    /// # Errors
    /// [`StoreError::Statement`]; [`StoreError::Column`] when there is no such message.
    pub async fn finish_inbox(
        &self,
        id: &str,
        verdict: InboxVerdict,
        order: Option<&OrderId>,
        answer: Option<&StoredAnswer>,
    ) -> Result<(), StoreError> {
        let mut found = values![
            word(&verdict),
            order.map(|o| o.0.clone()),
            answer.map(|a| i64::from(a.status)),
            answer.map(|a| self.sealer().seal(&answer_row(id), &a.body)),
        ];
        let kept = self.with_kept_where(&INBOX, "id", id, |row| {
            let end = row.len() - found.len();
            row.splice(end.., found.clone());
        });
        if kept.is_some() {
            return Ok(());
        }
        found.push(id.into());
        let sql = "UPDATE inbox SET verdict = ?, order_id = ?, answer_status = ?, answer = ? WHERE id = ?";
        let changed = self.execute(sql, found).await?;
        if changed == 1 { Ok(()) } else { Err(StoreError::Column("inbox.id")) }
    }

    /// Shows a message's key without the guests of the order that it turned out to be about.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn quote_inbox_key(&self, id: &str, key: &Quoted) -> Result<(), StoreError> {
        let kept = self.with_kept_where(&INBOX, "id", id, |row| row[INBOX.at("msg_key")] = key.as_str().into());
        if kept.is_some() {
            return Ok(());
        }
        self.execute("UPDATE inbox SET msg_key = ? WHERE id = ?", values![key.as_str(), id]).await.map(drop)
    }

    /// Removes raw bodies received before `before`, `limit` at most; how many were removed. Hashes and answers stay.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn purge_inbox_bodies(&self, before: UnixMillis, limit: u32) -> Result<u64, StoreError> {
        // The inner SELECT is wrapped because MySQL neither limits a subquery of IN nor reads the updated table in one.
        self.execute(
            "UPDATE inbox SET body = NULL WHERE id IN (SELECT id FROM (SELECT id FROM inbox \
             WHERE received_ms < ? AND body IS NOT NULL ORDER BY received_ms LIMIT ?) AS old)",
            values![before.0, i64::from(limit)],
        )
        .await
    }

    /// The same for messages that no order is known for, so that nothing else will ever forget the guests in them.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn purge_inbox_bodies_without_order(&self, before: UnixMillis, limit: u32) -> Result<u64, StoreError> {
        self.execute(
            "UPDATE inbox SET body = NULL WHERE id IN (SELECT id FROM (SELECT id FROM inbox \
             WHERE received_ms < ? AND order_id IS NULL AND body IS NOT NULL ORDER BY received_ms LIMIT ?) AS old)",
            values![before.0, i64::from(limit)],
        )
        .await
    }

    /// A message by the key that makes it count once.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Sealed`].
    pub async fn inbox_by_dedupe(&self, dedupe: &str) -> Result<Option<InboxRow>, StoreError> {
        find(self, "dedupe", dedupe).await
    }
}

impl Store {
    /// A message by the key that makes it count once.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Sealed`].
    pub async fn inbox_by_dedupe(&self, dedupe: &str) -> Result<Option<InboxRow>, StoreError> {
        find(self, "dedupe", dedupe).await
    }

    /// A message by its id.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Sealed`].
    pub async fn inbox_row(&self, id: &str) -> Result<Option<InboxRow>, StoreError> {
        find(self, "id", id).await
    }

    /// The raw body of a message, unless it was purged.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Sealed`].
    pub async fn inbox_body(&self, id: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(row) = self.row("SELECT body FROM inbox WHERE id = ?", values![id]).await? else { return Ok(None) };
        get::<Option<String>>(&row, "body")?.map(|sealed| self.sealer().open(&body_row(id), &sealed)).transpose()
    }
}

async fn find(query: &impl Query, column: &str, value: &str) -> Result<Option<InboxRow>, StoreError> {
    let row = query.row(&format!("SELECT {COLUMNS} FROM inbox WHERE {column} = ?"), values![value]).await?;
    row.map(|row| read(query, &row)).transpose()
}

/// Reads a message from [`COLUMNS`].
pub(crate) fn read(query: &impl Query, row: &QueryResult) -> Result<InboxRow, StoreError> {
    let id: String = get(row, "id")?;
    let status: Option<i64> = get(row, "answer_status")?;
    let answer = match (status, get::<Option<String>>(row, "answer")?) {
        (Some(status), Some(sealed)) => Some(StoredAnswer {
            status: u16::try_from(status).map_err(|_| StoreError::Column("answer_status"))?,
            body: query.sealer().open(&answer_row(&id), &sealed)?,
        }),
        _ => None,
    };
    Ok(InboxRow {
        channel: get(row, "channel")?,
        call: get(row, "call_name")?,
        key: get(row, "msg_key")?,
        received_at: UnixMillis(get(row, "received_ms")?),
        verdict: get_word(row, "verdict")?,
        order: get::<Option<String>>(row, "order_id")?.map(OrderId),
        body_sha256: get(row, "body_sha256")?,
        content_sha256: get(row, "content_sha256")?,
        answer,
        id,
    })
}

fn body_row(id: &str) -> String {
    format!("inbox.body/{id}")
}

pub(crate) fn answer_row(id: &str) -> String {
    format!("inbox.answer/{id}")
}
