//! Access tokens: one fetcher at a time for each channel, refreshed at 80 % of their life (`protocols/douyin.md` 2).

use std::collections::HashMap;
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};

use ticketbridge_core::port::{CallResult, Context};
use ticketbridge_core::{ChannelId, Millis, UnixMillis};
use tokio::sync::Mutex;

use crate::registry::RegisteredChannel;
use crate::transport::CallLimits;
use crate::worker::Worker;

/// A token is fetched anew after this share of its life, in percent.
const REFRESH_AT_PERCENT: i64 = 80;

struct Kept {
    value: String,
    refresh_at: UnixMillis,
}

type Slot = Arc<Mutex<Option<Kept>>>;

/// The tokens of this instance.
#[derive(Default)]
pub struct Tokens {
    slots: SyncMutex<HashMap<ChannelId, Slot>>,
}

impl Tokens {
    fn slot(&self, channel: &ChannelId) -> Slot {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).entry(channel.clone()).or_default().clone()
    }

    /// A token that was not accepted is not used again. One fetched meanwhile stays.
    pub async fn reject(&self, channel: &ChannelId, value: &str) {
        let slot = self.slot(channel);
        let mut kept = slot.lock().await;
        if kept.as_ref().is_some_and(|token| token.value == value) {
            *kept = None;
        }
    }
}

impl Worker {
    /// The channel's access token: the kept one, or a fresh one. Whoever comes while it is fetched waits for that one.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn token(&self, channel: &RegisteredChannel, limits: CallLimits) -> Result<String, String> {
        let slot = self.tokens.slot(&channel.id);
        let mut kept = slot.lock().await;
        let now = self.engine.clock().now();
        if let Some(token) = kept.as_ref().filter(|token| token.refresh_at > now) {
            return Ok(token.value.clone());
        }
        let cx =
            Context { now, nonce: self.engine.ids().nonce(), delivery_id: "token", access_token: None, attempt: 1 };
        let call = channel.channel.token_call(&cx).map_err(|error| error.to_string())?;
        let response = self.transport.send(&call, limits).await.map_err(|error| error.to_string())?;
        match channel.channel.read_token(&response) {
            CallResult::Done(token) => {
                let refresh_at = now + Millis(token.lives_for.0 / 100 * REFRESH_AT_PERCENT);
                tracing::info!(channel = %channel.id, lives_ms = token.lives_for.0, "a new access token");
                *kept = Some(Kept { value: token.value.clone(), refresh_at });
                Ok(token.value)
            }
            CallResult::Retry { why, .. } | CallResult::Unknown { why } | CallResult::Astray { why } => {
                Err(format!("no access token: {why}"))
            }
            CallResult::Refused { code, why } => Err(format!("no access token: {why} ({code})")),
            CallResult::Overtaken | CallResult::Absent | CallResult::TokenRejected => {
                Err("no access token: the channel refused".to_owned())
            }
        }
    }
}
