// SPDX-License-Identifier: Apache-2.0

//! A message that has arrived, and what became of it.

use std::sync::Arc;

use bytes::Bytes;
use ticketbridge_core::order::Order;
use ticketbridge_core::port::{Endpoint, HttpReply, Inbound};
use ticketbridge_core::{Millis, Moment, OrderId, Rejection};
use ticketbridge_store::InboxVerdict as Verdict;

use crate::engine::InReserve;
use crate::recorder::turns::Decided;
use crate::service::live::Running;
use crate::service::registry::RegisteredChannel;

/// A message that was verified and read.
#[derive(Clone)]
pub struct Incoming {
    /// The configuration under which it was verified.
    pub running: Arc<Running>,
    /// Whose it is.
    pub channel: Arc<RegisteredChannel>,
    /// The call.
    pub endpoint: Endpoint,
    /// What was read.
    pub inbound: Inbound,
    /// The bytes received.
    pub body: Bytes,
    /// The trace that it belongs to.
    pub traceparent: Option<String>,
    /// When it is taken, and of what the identifiers are made that it leads to.
    pub moment: Moment,
    /// How long ago it was sent, where that is too long.
    pub late: Option<Millis>,
    /// Why it is refused whatever the rules say: the back-end has no room.
    pub refusal: Option<Rejection>,
    /// When it is decided, among everything else that is.
    pub decided: Decided,
}

impl Incoming {
    /// A message that was kept, as it is read now: nobody waits for its answer.
    pub(crate) fn kept(
        (running, channel): (Arc<Running>, Arc<RegisteredChannel>),
        endpoint: Endpoint,
        inbound: Inbound,
        body: Vec<u8>,
        moment: Moment,
    ) -> Self {
        Self {
            running,
            channel,
            endpoint,
            inbound,
            body: Bytes::from(body),
            moment,
            traceparent: None,
            late: None,
            refusal: None,
            decided: Decided::default(),
        }
    }
}

/// What became of a message.
#[derive(Debug)]
pub enum Received {
    /// Taken (again); the answer, and the order that it is about.
    Answered {
        /// The answer.
        reply: HttpReply,
        /// The order, where the answer may still wait for it.
        order: Option<Box<Order>>,
        /// The order that the message is about, as far as it is known.
        about: Option<OrderId>,
        /// For metrics and logs.
        verdict: Verdict,
        /// What is told by a call if this answer does not get out.
        in_reserve: Vec<InReserve>,
    },
    /// The same key came before with other content.
    ContentDiffers,
    /// The sender should come again.
    TryLater,
}
