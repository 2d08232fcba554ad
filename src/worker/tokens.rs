// SPDX-License-Identifier: Apache-2.0

//! Access tokens: one for each account, shared by all instances through the database. A platform gives one token at a time: whoever fetches
//! another makes the one that the others hold void (`adapters/douyin/README.md`). So one instance fetches, under a lease; the others read what
//! it got. A token is fetched anew at 80 % of its life, or when it was refused and is still the one that all share.
//!
//! A platform that gives the same token to all who ask, as long as it is valid, is asked for that one: then whoever else fetches one with
//! the same credentials takes nothing from us. Where it has no such call, or gives the very token that was refused, the ordinary one follows.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use ticketbridge_core::port::{AccessTokens, Call, CallResult};
use ticketbridge_core::{Millis, UnixMillis};
use ticketbridge_store::{LeaseToken, StoreError, Tx};

use crate::service::registry::RegisteredChannel;
use crate::transport::CallLimits;
use crate::worker::Worker;
use crate::worker::conduct::For;
use crate::worker::memory::Slot;

/// A token is fetched anew after this share of its life, in percent.
const REFRESH_AT_PERCENT: i64 = 80;
/// A token is not fetched anew earlier than this before its end: one that all share comes with what is left of its life.
const REFRESH_GAP: Millis = Millis::minutes(1);
/// How long one instance may take to fetch a token before another one may try.
const FETCH_LEASE: Millis = Millis::seconds(15);
/// Pause between two looks at what another instance is fetching, and how many there are.
const LOOK_EVERY: Millis = Millis(200);
const LOOKS_MAX: u32 = 50;
/// What a token is asked for.
const TOKEN: For<'static> = For::Question("token");

/// A token as all instances share it, sealed.
#[derive(Clone, Serialize, Deserialize)]
struct Shared {
    value: String,
    refresh_at: UnixMillis,
    expires_at: UnixMillis,
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
    format!("no access token: {}", crate::trouble::chain(error))
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
        let no_call = || "no access token: the channel has no call for it".to_owned();
        let tokens = channel.channel.access_tokens().ok_or_else(no_call)?;
        let calls = tokens.calls(&self.context(TOKEN, None)).map_err(|error| error.to_string())?;
        let account = calls.last().map(account_of).ok_or_else(no_call)?;
        for _ in 0..LOOKS_MAX {
            let shared = self.shared_token(&account, &slot).await?;
            if let Some(token) = shared.as_ref().filter(|token| token.refresh_at > clock.now()) {
                return Ok(self.keep_token(&mut slot, token));
            }
            match self.lease_of(&account).await.map_err(|error| in_the_database(&error))? {
                Some(lease) => return self.refresh_token(tokens, &mut slot, &account, lease, &calls, limits).await,
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
        tokens: &dyn AccessTokens,
        slot: &mut Slot,
        account: &str,
        lease: LeaseToken,
        calls: &[Call],
        limits: CallLimits,
    ) -> Result<String, String> {
        let now = self.engine.clock().now();
        let shared = self.shared_token(account, slot).await?.filter(|token| token.refresh_at > now);
        let fetched = match shared {
            Some(token) => Ok(token),
            None => self.fetch_token(tokens, slot.refused.as_deref(), calls, limits).await.inspect(|token| {
                tracing::info!(account, lives_ms = (token.expires_at - now).0, "a new access token");
            }),
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
            crate::trouble::log_trouble("an access token could not be shared with other instances", &error);
        }
        fetched.map(|token| self.keep_token(slot, &token))
    }

    /// Fetches a token by the first call that brings one. What a call that is not the last one says counts only where it speaks of our
    /// credentials, or asks us to come later.
    async fn fetch_token(
        &self,
        tokens: &dyn AccessTokens,
        refused: Option<&str>,
        calls: &[Call],
        limits: CallLimits,
    ) -> Result<Shared, String> {
        let mut why_not = "the channel has no call for it".to_owned();
        for (place, call) in calls.iter().enumerate() {
            let is_last = place + 1 == calls.len();
            let response = self.conduct(TOKEN, call.clone(), limits).await.answer.map_err(|error| error.to_string())?;
            match tokens.read(&response) {
                CallResult::Done(token) if is_last || refused != Some(token.value.as_str()) => {
                    let now = self.engine.clock().now();
                    let after = Millis(token.lives_for.0 / 100 * REFRESH_AT_PERCENT);
                    let refresh_at = now + after.max(token.lives_for.min(REFRESH_GAP));
                    return Ok(Shared { value: token.value, refresh_at, expires_at: now + token.lives_for });
                }
                CallResult::Done(_) => why_not = "the channel gives the token that it has refused".to_owned(),
                CallResult::Refused { code, why } => return Err(format!("no access token: {why} ({code})")),
                CallResult::Retry { why, after: Some(_) } => return Err(format!("no access token: {why}")),
                CallResult::Retry { why, after: None } | CallResult::Unknown { why } | CallResult::Astray { why } => {
                    why_not = why.to_string()
                }
                CallResult::Overtaken | CallResult::Absent | CallResult::TokenRejected => {
                    why_not = "the channel refused".to_owned();
                }
            }
        }
        Err(format!("no access token: {why_not}"))
    }
}
