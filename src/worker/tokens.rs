//! Access tokens: one for each account, shared by all instances through the database. A platform gives one token at a time: whoever fetches
//! another makes the one that the others hold void (`protocols/douyin.md` 2). So one instance fetches, under a lease; the others read what
//! it got. A token is fetched anew at 80 % of its life, or when it was refused and is still the one that all share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as SyncMutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use ticketbridge_core::port::{Call, CallResult, Context};
use ticketbridge_core::{ChannelId, Millis, UnixMillis};
use ticketbridge_store::{LeaseToken, StoreError, Tx};
use tokio::sync::Mutex;

use crate::service::registry::RegisteredChannel;
use crate::transport::CallLimits;
use crate::worker::{Worker, locked};

/// A token is fetched anew after this share of its life, in percent.
const REFRESH_AT_PERCENT: i64 = 80;
/// How long one instance may take to fetch a token before another one may try.
const FETCH_LEASE: Millis = Millis::seconds(15);
/// Pause between two looks at what another instance is fetching, and how many there are.
const LOOK_EVERY: Millis = Millis(200);
const LOOKS_MAX: u32 = 50;

/// A token as all instances share it, sealed.
#[derive(Clone, Serialize, Deserialize)]
struct Shared {
    value: String,
    refresh_at: UnixMillis,
    expires_at: UnixMillis,
}

/// What this instance holds of one account.
#[derive(Default)]
struct Slot {
    /// The token, and until when nobody is asked again; monotonic.
    kept: Option<(String, Duration)>,
    /// The last one that was refused.
    refused: Option<String>,
}

/// The tokens of this instance.
#[derive(Default)]
pub struct Tokens {
    slots: SyncMutex<HashMap<ChannelId, Arc<Mutex<Slot>>>>,
}

impl Tokens {
    fn slot(&self, channel: &ChannelId) -> Arc<Mutex<Slot>> {
        locked(&self.slots).entry(channel.clone()).or_default().clone()
    }

    /// A token that was not accepted is not used again. One fetched meanwhile stays.
    pub async fn reject(&self, channel: &ChannelId, value: &str) {
        let slot = self.slot(channel);
        let mut slot = slot.lock().await;
        if slot.kept.as_ref().is_some_and(|(kept, _)| kept == value) {
            slot.kept = None;
        }
        slot.refused = Some(value.to_owned());
    }
}

/// The account that a token call is about: channels that would fetch the same token share one.
fn account_of(call: &Call) -> String {
    let mut digest = Sha256::new();
    digest.update(call.url.as_bytes());
    digest.update([0]);
    digest.update(&call.body);
    format!("token/{}", &hex::encode(digest.finalize())[..32])
}

fn in_the_database(error: &StoreError) -> String {
    format!("no access token: {}", crate::worker::chain(error))
}

impl Worker {
    /// The channel's access token: the one that all share, or a fresh one. Whoever comes while it is fetched waits for that one.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn token(&self, channel: &RegisteredChannel, limits: CallLimits) -> Result<String, String> {
        let clock = self.engine.clock().clone();
        let slot = self.tokens.slot(&channel.id);
        let mut slot = slot.lock().await;
        if let Some((token, until)) = &slot.kept
            && *until > clock.monotonic()
        {
            return Ok(token.clone());
        }
        let (now, nonce) = (clock.now(), self.engine.ids().nonce());
        let cx = Context { now, nonce, delivery_id: "token", access_token: None, attempt: 1 };
        let call = channel.channel.token_call(&cx).map_err(|error| error.to_string())?;
        let account = account_of(&call);
        for _ in 0..LOOKS_MAX {
            let shared = self.shared_token(&account, &slot).await?;
            if let Some(token) = shared.as_ref().filter(|token| token.refresh_at > clock.now()) {
                return Ok(self.keep_token(&mut slot, token));
            }
            match self.lease_of(&account).await.map_err(|error| in_the_database(&error))? {
                Some(lease) => return self.refresh_token(channel, &mut slot, &account, lease, &call, limits).await,
                // Somebody fetches one; what there is serves as long.
                None => match shared.filter(|token| token.expires_at > clock.now()) {
                    Some(token) => return Ok(token.value),
                    None => clock.sleep_until(clock.now() + LOOK_EVERY).await,
                },
            }
        }
        Err("no access token: another instance is fetching one and does not come to an end".to_owned())
    }

    /// What all share, unless it is what this instance saw refused.
    async fn shared_token(&self, account: &str, slot: &Slot) -> Result<Option<Shared>, String> {
        let kept = self.engine.store().kept_secret(account).await.map_err(|error| in_the_database(&error))?;
        let token: Option<Shared> = kept.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ok(token.filter(|token| slot.refused.as_ref() != Some(&token.value)))
    }

    fn keep_token(&self, slot: &mut Slot, token: &Shared) -> String {
        let clock = self.engine.clock();
        let left = (token.refresh_at - clock.now()).to_std();
        slot.kept = Some((token.value.clone(), clock.monotonic() + left));
        token.value.clone()
    }

    async fn lease_of(&self, account: &str) -> Result<Option<LeaseToken>, StoreError> {
        let (now, holder) = (self.engine.clock().now(), format!("{:032x}", self.engine.ids().seed().0));
        let name = account.to_owned();
        self.engine
            .store()
            .write("lease_token", move |tx: &Tx| {
                let (name, holder) = (name.clone(), holder.clone());
                Box::pin(async move { tx.try_lease(&name, &holder, FETCH_LEASE, now).await })
            })
            .await
    }

    /// Fetches a token under the lease, unless somebody has just done so.
    async fn refresh_token(
        &self,
        channel: &RegisteredChannel,
        slot: &mut Slot,
        account: &str,
        lease: LeaseToken,
        call: &Call,
        limits: CallLimits,
    ) -> Result<String, String> {
        let now = self.engine.clock().now();
        let shared = self.shared_token(account, slot).await?.filter(|token| token.refresh_at > now);
        let fetched = match shared {
            Some(token) => Ok(token),
            None => self.fetch_token(channel, call, limits).await,
        };
        let (name, kept) = (account.to_owned(), fetched.as_ref().ok().and_then(|token| serde_json::to_vec(token).ok()));
        let shared: Result<bool, StoreError> = self
            .engine
            .store()
            .write("share_token", move |tx: &Tx| {
                let (name, kept, lease) = (name.clone(), kept.clone(), lease.clone());
                Box::pin(async move {
                    if let Some(kept) = &kept {
                        tx.keep_secret(&name, kept).await?;
                    }
                    tx.release_lease(&name, &lease).await
                })
            })
            .await;
        if let Err(error) = shared {
            crate::worker::log_trouble("an access token could not be shared with other instances", &error);
        }
        fetched.map(|token| self.keep_token(slot, &token))
    }

    async fn fetch_token(
        &self,
        channel: &RegisteredChannel,
        call: &Call,
        limits: CallLimits,
    ) -> Result<Shared, String> {
        let response = self.transport.send(call, limits).await.map_err(|error| error.to_string())?;
        match channel.channel.read_token(&response) {
            CallResult::Done(token) => {
                let now = self.engine.clock().now();
                let refresh_at = now + Millis(token.lives_for.0 / 100 * REFRESH_AT_PERCENT);
                tracing::info!(channel = %channel.id, lives_ms = token.lives_for.0, "a new access token");
                Ok(Shared { value: token.value.clone(), refresh_at, expires_at: now + token.lives_for })
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
