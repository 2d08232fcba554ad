// SPDX-License-Identifier: Apache-2.0

//! A provider of OpenID Connect as we meet it: what it says of itself, how it is called, and whom it has proven.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use openidconnect::core::{CoreClientAuthMethod, CoreProviderMetadata};
use openidconnect::{AsyncHttpClient, AuthType, DiscoveryError, HttpRequest, HttpResponse, IssuerUrl};
use serde::{Deserialize, Serialize};
use ticketbridge_core::port::Call;
use ticketbridge_core::{Millis, UnixMillis};

use crate::accounts::Refused;
use crate::config::OidcProvider;
use crate::transport::{CallLimits, Transport, TransportError};

/// How long a provider's description is good enough to lead people there: not each who asks makes us ask it. What proves somebody is
/// always judged by a description of that moment.
const DESCRIBED_FOR: Millis = Millis::minutes(5);
/// Time for one call to the provider.
const WITHIN: Millis = Millis::seconds(10);

/// Somebody whom a provider has proven.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Identity {
    /// The provider, by its id here.
    pub provider: String,
    /// Its own name.
    pub issuer: String,
    /// Who it is there.
    pub subject: String,
    /// The e-mail address that he has there, if the provider has made sure of it.
    pub email: Option<String>,
    /// The name that he has there.
    pub name: Option<String>,
    /// When that was proven.
    pub(super) at: UnixMillis,
}

impl Identity {
    /// What it is found by.
    pub fn key(&self) -> String {
        format!("{}\n{}", self.issuer, self.subject)
    }
}

/// The descriptions of providers by which people were led there, by issuer.
#[derive(Clone, Default)]
pub(super) struct Described(Arc<Mutex<BTreeMap<String, (UnixMillis, CoreProviderMetadata)>>>);

impl Described {
    /// The description of this provider, asked for anew after a while.
    ///
    /// # Errors
    /// [`Refused`].
    pub(super) async fn of(
        &self,
        provider: &OidcProvider,
        http: &Calls,
        now: UnixMillis,
    ) -> Result<CoreProviderMetadata, Refused> {
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, metadata)) = known().get(&provider.issuer)
            && (*at..*at + DESCRIBED_FOR).contains(&now)
        {
            return Ok(metadata.clone());
        }
        let metadata = describes_itself(provider, http).await?;
        known().insert(provider.issuer.clone(), (now, metadata.clone()));
        Ok(metadata)
    }
}

/// Asks a provider what it is: its addresses and its keys.
pub(super) async fn describes_itself(provider: &OidcProvider, http: &Calls) -> Result<CoreProviderMetadata, Refused> {
    let issuer = IssuerUrl::new(provider.issuer.clone()).map_err(failed)?;
    CoreProviderMetadata::discover_async(issuer, http).await.map_err(not_described)
}

/// How we prove to a provider who we are: in the header, as is the rule, or in the form where it says that it reads nothing else.
pub(super) fn shows_secret(metadata: &CoreProviderMetadata) -> AuthType {
    let reads = metadata.token_endpoint_auth_methods_supported();
    let reads = |method| reads.is_some_and(|all| all.contains(&method));
    match reads(CoreClientAuthMethod::ClientSecretPost) && !reads(CoreClientAuthMethod::ClientSecretBasic) {
        true => AuthType::RequestBody,
        false => AuthType::BasicAuth,
    }
}

/// What it proves is not good.
pub(super) fn failed(why: impl std::fmt::Display) -> Refused {
    tracing::warn!(%why, "signing in with a provider did not work");
    Refused::State("provider_failed", "the provider has not proven who you are; try again".to_owned())
}

/// The provider was not reached, or has failed itself: nothing is known of who is asking.
pub(super) fn away(why: impl std::fmt::Display) -> Refused {
    tracing::warn!(%why, "a provider with which people sign in does not answer");
    Refused::ProviderAway
}

fn not_described(why: DiscoveryError<CallFailed>) -> Refused {
    match &why {
        DiscoveryError::Request(cause) => away(cause),
        DiscoveryError::Response(status, ..) if status.is_server_error() => away(&why),
        _ => failed(why),
    }
}

/// Why a call to the provider has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallFailed {
    #[error(transparent)]
    Transport(#[from] TransportError),
    #[error("the provider's answer is no answer")]
    Answer(#[from] http::Error),
}

/// The library's way to make calls: ours.
pub(super) struct Calls(pub(super) Arc<dyn Transport>);

impl<'c> AsyncHttpClient<'c> for Calls {
    type Error = CallFailed;
    type Future = BoxFuture<'c, Result<HttpResponse, CallFailed>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(ask(self.0.clone(), request))
    }
}

/// Makes the calls of the library as all calls are made: by the rules for addresses, without redirects, and with a cap on answers.
async fn ask(transport: Arc<dyn Transport>, request: HttpRequest) -> Result<HttpResponse, CallFailed> {
    let (head, body) = request.into_parts();
    let call = Call {
        method: head.method,
        url: head.uri.to_string(),
        headers: head.headers,
        body: body.into(),
        timeout: Some(WITHIN),
        key: None,
    };
    let answer = transport.send(&call, CallLimits { timeout: WITHIN, at_most: WITHIN }).await?;
    let mut response = http::Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    Ok(response.body(answer.body.to_vec())?)
}
