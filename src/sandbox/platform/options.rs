// SPDX-License-Identifier: Apache-2.0

//! What a simulated platform is told when it starts, and the switches that can be thrown while it runs.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::{Journal, SimTime, net};

/// The platform's limits, as stated (`adapters/kakao/README.md`); they pass `time_scale` times as fast.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How long the answer to an event is waited for.
    pub answer: Duration,
    /// How long the answer to a question is waited for.
    pub question: Duration,
    /// An answer is waited for at least this long, real time, whatever the scale: the bridge is not scaled.
    pub answer_at_least: Duration,
    /// Waits before the further attempts at an event that was not taken.
    pub gaps: Vec<Duration>,
}

impl Limits {
    /// As the protocol states them.
    pub fn stated() -> Self {
        let minutes: [u64; 7] = [1, 4, 16, 64, 256, 1_024, 4_096];
        Self {
            answer: Duration::from_secs(3),
            question: Duration::from_secs(2),
            answer_at_least: Duration::from_secs(3),
            gaps: minutes.into_iter().map(|minutes| Duration::from_secs(minutes * 60)).collect(),
        }
    }
}

/// What a simulated platform is told when it starts.
#[derive(Clone)]
pub struct PlatformOptions {
    /// The bridge's address without a path; can be set later.
    pub bridge_url: String,
    /// The channel's name at the bridge.
    pub channel_id: String,
    /// Secret of its events, `whsec_…`.
    pub events_secret: String,
    /// Secret of the bridge's calls, `whsec_…`.
    pub calls_secret: String,
    /// What is on sale: the product's code at the bridge.
    pub product: String,
    /// Time, and how much faster than real it passes.
    pub time: SimTime,
    /// Limits, before scaling.
    pub limits: Limits,
    /// Where what crosses the wire is written.
    pub journal: Journal,
    /// Where it listens.
    pub listen: SocketAddr,
}

impl PlatformOptions {
    /// The usual platform: any port, limits as stated.
    pub fn usual(channel_id: &str, events_secret: &str, calls_secret: &str, product: &str, time: SimTime) -> Self {
        Self {
            bridge_url: String::new(),
            channel_id: channel_id.to_owned(),
            events_secret: events_secret.to_owned(),
            calls_secret: calls_secret.to_owned(),
            product: product.to_owned(),
            time,
            limits: Limits::stated(),
            journal: Journal::default(),
            listen: net::ANY_PORT,
        }
    }
}

impl fmt::Debug for PlatformOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("PlatformOptions");
        text.field("channel_id", &self.channel_id).field("product", &self.product).finish_non_exhaustive()
    }
}

/// How a call that was carried out is answered (`adapters/kakao/README.md`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answering {
    /// With the whole order as it is now.
    #[default]
    Whole,
    /// With a plain yes; the event tells the rest.
    Plain,
    /// With 202: the event alone tells what came of it.
    Later,
}

/// Things that go wrong, or otherwise than usual, on request. Counters count down to zero.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Every event is sent twice at the same moment.
    pub duplicate_delivery: bool,
    /// So many answers to events get lost on the way; the event comes again.
    pub drop_answers: u32,
    /// Events are kept back until they are released, in any order.
    pub hold_events: bool,
    /// So many calls of the bridge meet HTTP 500, unexecuted.
    pub api_5xx_times: u32,
    /// So many calls of the bridge are refused for good, unexecuted.
    pub api_refuses: u32,
    /// So many calls of the bridge are carried out and their answers lost.
    pub api_drop_answers: u32,
    /// So many calls of the bridge that would change something are answered with a bare yes, and not carried out.
    pub api_empty_yes: u32,
    /// So many calls of the bridge are not carried out, and answered with the whole of another trade.
    pub api_astray: u32,
    /// How calls are answered.
    pub answering: Answering,
    /// Money does not go back at once: each refund waits until it is finished by hand.
    pub refunds_wait: bool,
}
