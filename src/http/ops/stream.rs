// SPDX-License-Identifier: Apache-2.0

//! `GET stream`: what changed, ids only, as server-sent events. Who was cut off goes on where he was by `Last-Event-ID`.
//!
//! The database is asked once a second at most, however many look on, and not at all where nobody does. Before anything is told it is made
//! sure that whoever looks on still may: his session may have ended, and his scope may be another.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use ticketbridge_core::{Millis, OrderId, UnixMillis};
use ticketbridge_store::{Changed, StoreError};

use crate::accounts::Holder;
use crate::accounts::scope::Reach;
use crate::http::Shared;
use crate::http::ops::answers::history::Change;
use crate::http::ops::call::{Outcome, Request, Said, written};
use crate::http::ops::looks::{LATE, LOOK_EVERY, ORDERS_MAX};

/// The content type.
const KIND: &str = "text/event-stream";
/// Something is said so often, so that a connection that is dead is found.
const BEAT_EVERY: Millis = Millis::seconds(25);
/// After this whoever looks on comes again, as he does after every break.
const LIVES: Millis = Millis::minutes(15);
/// How long who was cut off waits before he comes again, in milliseconds.
const RETRY_MS: u32 = 2_000;

/// Somebody who looks on.
struct Onlooker {
    shared: Shared,
    holder: Holder,
    /// Until when.
    until: UnixMillis,
    /// When something was said last.
    said_at: UnixMillis,
    /// From when on changes are told; those that bear an earlier time were there before.
    since: UnixMillis,
    /// What was told of late: the version of each order.
    told: HashMap<OrderId, (u64, UnixMillis)>,
    /// What is to be said at once.
    first: Option<Bytes>,
    /// Where to go on from, if that is further back than the common look reaches.
    back: bool,
}

/// `GET stream`.
pub(crate) async fn show(request: Request) -> Outcome {
    let now = request.shared.engine.clock().now();
    let asked = request.last_event.as_deref().or_else(|| request.query.text("last_event_id"));
    let from = asked.and_then(|text| text.parse::<i64>().ok()).map(UnixMillis);
    // What bears a time to come was told by a clock that went ahead.
    let since = from.map_or(now, |from| from.min(now));
    let onlooker = Onlooker {
        holder: request.holder.clone(),
        until: now + LIVES,
        said_at: now,
        since,
        told: HashMap::new(),
        first: Some(Bytes::from(format!(
            "retry: {RETRY_MS}\nid: {}\n: what changes is told from here on\n\n",
            since.0
        ))),
        back: from.is_some(),
        shared: request.shared,
    };
    let body = Body::from_stream(stream::unfold(onlooker, |mut onlooker| async move {
        let said = onlooker.next().await?;
        Some((Ok::<_, Infallible>(said), onlooker))
    }));
    Ok(Said::live(KIND, body))
}

/// An event.
fn event(at: UnixMillis, kind: &str, id: Option<&str>) -> String {
    let data = String::from_utf8(written(&Change { kind, id })).unwrap_or_default();
    format!("event: changed\nid: {}\ndata: {data}\n\n", at.0)
}

impl Onlooker {
    /// What is said next; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let clock = self.shared.engine.clock().clone();
        loop {
            let now = clock.now();
            if self.shared.stopping.is_cancelled() || now >= self.until {
                return None;
            }
            match self.look(now).await {
                Ok(Some(text)) if !text.is_empty() => {
                    self.said_at = now;
                    return Some(Bytes::from(text));
                }
                Ok(Some(_)) => {}
                // He may not look on any more; when he comes again he is told why.
                Ok(None) => return None,
                Err(error) => {
                    // A database that does not answer is no end: it is looked again.
                    crate::trouble::log_trouble("changes cannot be read for those who look on", &error);
                }
            }
            if now - self.said_at >= BEAT_EVERY {
                self.said_at = now;
                return Some(Bytes::from_static(b":\n\n"));
            }
            tokio::select! {
                () = clock.sleep_until(now + LOOK_EVERY) => {}
                () = self.shared.stopping.cancelled() => return None,
            }
        }
    }

    /// Looks for changes; `None` when whoever looks on may not do so any more.
    async fn look(&mut self, now: UnixMillis) -> Result<Option<String>, StoreError> {
        let early = self.since - LATE;
        let mut changes = self.shared.looks.recent(self.shared.engine.store(), now).await?;
        // Where the common look does not reach, one for him alone: how much changes elsewhere is nothing that he is told.
        if changes.is_cut || self.back {
            let within = Reach::of(&self.holder.scope, &self.shared.engine.running().config).within();
            let since = if self.back { early } else { now - LATE - LOOK_EVERY - LOOK_EVERY };
            changes = Arc::new(self.shared.engine.store().changes_since(since, &within, ORDERS_MAX).await?);
            self.back = false;
        }
        let is_new = |told: &HashMap<OrderId, (u64, UnixMillis)>, it: &Changed| {
            it.at >= early && told.get(&it.order).is_none_or(|(version, _)| *version < it.version)
        };
        let new: Vec<&Changed> = changes.orders.iter().filter(|it| is_new(&self.told, it)).collect();
        if new.is_empty() && !changes.is_cut {
            self.forget(now);
            return Ok(Some(String::new()));
        }
        let Some(holder) = self.shared.accounts.again(&self.holder).await? else { return Ok(None) };
        let running = self.shared.engine.running();
        if !crate::http::ops::call::Who::Readers.may(holder.role) {
            return Ok(None);
        }
        let reach = Reach::of(&holder.scope, &running.config);
        let mine: Vec<&Changed> = new.iter().copied().filter(|it| reach.has_channel(&it.channel)).collect();
        let text = self.told_of(&mine, changes.is_cut).await?;
        for it in new {
            self.told.insert(it.order.clone(), (it.version, it.at));
        }
        self.holder = holder;
        self.forget(now);
        Ok(Some(text))
    }

    /// The events of these orders.
    async fn told_of(&self, orders: &[&Changed], is_cut: bool) -> Result<String, StoreError> {
        let mut text = String::new();
        let last = orders.last().map_or(self.since, |it| it.at);
        if is_cut {
            text.push_str(&event(last, "everything", None));
            return Ok(text);
        }
        for it in orders {
            text.push_str(&event(it.at, "order", Some(it.order.as_str())));
        }
        let ids: Vec<OrderId> = orders.iter().map(|it| it.order.clone()).collect();
        let (cases, deliveries) = self.shared.engine.store().open_of(&ids).await?;
        for case in cases {
            text.push_str(&event(last, "refund", Some(case.as_str())));
        }
        for delivery in deliveries {
            text.push_str(&event(last, "delivery", Some(&delivery)));
        }
        Ok(text)
    }

    /// Forgets what no look finds any more.
    fn forget(&mut self, now: UnixMillis) {
        let before = now - LATE - LATE;
        self.told.retain(|_, (_, at)| *at >= before);
    }
}
