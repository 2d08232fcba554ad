// SPDX-License-Identifier: Apache-2.0

//! A small client of the bridge's ops interface (`docs/src/contract/ops.md`): what any member of the staff could ask.

use serde_json::{Value, json};
use std::fmt;
use std::time::Duration;
use thiserror::Error;

use super::net;

/// How long an answer is waited for, real time.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Why a question to the ops interface has no answer.
#[derive(Debug, Error)]
pub enum OpsError {
    /// No connection or no answer in time.
    #[error("the ops interface of the bridge was not reached")]
    NotReached(#[source] reqwest::Error),
    /// Another status than wanted.
    #[error("the ops interface answered {status} to {path}: {body}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Path asked.
        path: String,
        /// Body of the answer.
        body: Value,
    },
}

/// A member of the staff.
#[derive(Clone)]
pub struct Ops {
    client: reqwest::Client,
    base: String,
    token: String,
}

impl fmt::Debug for Ops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ops").field("base", &self.base).finish_non_exhaustive()
    }
}

impl Ops {
    /// For the bridge at `bridge_url` (an address without a path), with a bearer token.
    pub fn new(bridge_url: &str, token: &str) -> Self {
        let base = format!("{}/ops/v1", bridge_url.trim_end_matches('/'));
        Self { client: net::client(), base, token: token.to_owned() }
    }

    /// The order of a channel's number; `None` when the bridge knows none.
    pub async fn order(&self, channel_id: &str, channel_order_id: &str) -> Result<Option<Value>, OpsError> {
        match self.get(&format!("orders/{channel_id}:{channel_order_id}")).await {
            Ok(order) => Ok(Some(order)),
            Err(OpsError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Any GET under `/ops/v1/`.
    pub async fn get(&self, path: &str) -> Result<Value, OpsError> {
        let request = self.client.get(format!("{}/{path}", self.base));
        self.ask(path, request).await
    }

    /// Any POST under `/ops/v1/`.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, OpsError> {
        let request = self.client.post(format!("{}/{path}", self.base)).json(body);
        self.ask(path, request).await
    }

    /// Approves a refund case.
    pub async fn approve(&self, refund_id: &str, fee: i64) -> Result<Value, OpsError> {
        self.post(&format!("refunds/{refund_id}/approve"), &json!({ "fee": fee, "without_backend": false })).await
    }

    /// Rejects a refund case.
    pub async fn reject(&self, refund_id: &str, reason: &str) -> Result<Value, OpsError> {
        self.post(&format!("refunds/{refund_id}/reject"), &json!({ "reason": reason })).await
    }

    async fn ask(&self, path: &str, request: reqwest::RequestBuilder) -> Result<Value, OpsError> {
        let sent = request.bearer_auth(&self.token).timeout(ANSWER_LIMIT).send().await;
        let response = sent.map_err(OpsError::NotReached)?;
        let status = response.status().as_u16();
        let body = response.json().await.unwrap_or(Value::Null);
        if (200..300).contains(&status) {
            return Ok(body);
        }
        Err(OpsError::Refused { status, path: path.to_owned(), body })
    }
}
