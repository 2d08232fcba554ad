// SPDX-License-Identifier: Apache-2.0

//! Signing in with a provider of OpenID Connect: the code flow with PKCE, a state and a nonce. Who somebody is there, issuer and subject, is
//! proven; everything else that the provider says of him is what he says himself.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreJwsSigningAlgorithm};
use openidconnect::{
    AuthorizationCode, ClientId, ClientSecret, CsrfToken, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RequestTokenError, Scope as Asked, TokenResponse as _,
};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use ticketbridge_core::{Millis, UnixMillis};
use ticketbridge_store::Sealer;

use crate::accounts::people::{Applicant, Proof};
use crate::accounts::provider::{Calls, Identity, away, describes_itself, failed, shows_secret};
use crate::accounts::signing_in::{Accounts, Begun, From};
use crate::accounts::{About, Refused, guessing, note};
use crate::config::OidcProvider;
use crate::transport::Transport;

/// How long somebody may take at the provider, and then with the form. What was used is known for as long, and so is used once.
const TAKES: Millis = guessing::WAIT_MAX;
/// Signatures that prove who has signed: none that is made with what we hold ourselves.
const SIGNATURES: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];
/// What keeps the sealed cookie of a beginning apart from everything else that is sealed.
const BEGUN: &str = "oidc.begun";
/// The same for an identity that has no account yet.
const PROVEN: &str = "oidc.proven";

/// What is kept in the browser, sealed, while somebody is at the provider.
#[derive(Debug, Serialize, Deserialize)]
struct Beginning {
    provider: String,
    state: String,
    nonce: String,
    verifier: String,
    back: String,
    invitation: Option<String>,
    at: UnixMillis,
}

/// What the provider says of somebody's e-mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mail {
    /// That it is his.
    Proven,
    /// That nobody has made sure of it: it is no address to sign up with.
    Denied,
    /// Nothing that could be relied on; he gives one himself, as with a password.
    Silent,
}

/// Where to go, and what the browser keeps meanwhile.
#[derive(Debug)]
pub struct Sent {
    /// The address of the provider.
    pub to: String,
    /// The sealed cookie.
    pub cookie: String,
}

/// Who came back.
#[derive(Debug)]
pub enum Back {
    /// Somebody with an account: he has signed in. Where he wanted to go.
    SignedIn(Box<Begun>, String),
    /// Nobody whom we know: what he proves is kept, sealed, until he has signed up or accepted the invitation whose token this is.
    Unknown(Box<Identity>, String, Option<String>),
}

fn seal(sealer: &Sealer, what: &str, value: &impl Serialize) -> Result<String, Refused> {
    let text = serde_json::to_vec(value).map_err(failed)?;
    Ok(URL_SAFE_NO_PAD.encode(sealer.seal(what, &text)))
}

fn open<T: for<'de> Deserialize<'de>>(sealer: &Sealer, what: &str, text: &str) -> Option<T> {
    let sealed = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    serde_json::from_slice(&sealer.open(what, &sealed).ok()?).ok()
}

impl Accounts {
    fn provider(&self, id: &str) -> Result<OidcProvider, Refused> {
        let running = self.engine.running();
        let found = running.config.providers.iter().find(|provider| provider.id == id).cloned();
        found.ok_or(Refused::NotFound("provider"))
    }

    fn redirect(&self, id: &str) -> Result<RedirectUrl, Refused> {
        let base = &self.engine.running().config.server.public_url;
        RedirectUrl::new(format!("{base}/console/with/{id}/back")).map_err(failed)
    }

    /// Sends somebody to the provider.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn go_to_provider(
        &self,
        transport: Arc<dyn Transport>,
        id: &str,
        back: &str,
        invitation: Option<String>,
    ) -> Result<Sent, Refused> {
        let provider = self.provider(id)?;
        let now = self.engine.clock().now();
        let metadata = self.described.of(&provider, &Calls(transport), now).await?;
        let client = CoreClient::from_provider_metadata(metadata, ClientId::new(provider.client_id.clone()), None)
            .set_redirect_uri(self.redirect(id)?);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (to, state, nonce) = client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
            .add_scopes(provider.scopes.iter().cloned().map(Asked::new))
            .set_pkce_challenge(challenge)
            .url();
        let beginning = Beginning {
            provider: provider.id,
            state: state.secret().clone(),
            nonce: nonce.secret().clone(),
            verifier: verifier.secret().clone(),
            back: back.to_owned(),
            invitation,
            at: now,
        };
        let cookie = seal(self.engine.store().sealer(), BEGUN, &beginning)?;
        Ok(Sent { to: to.to_string(), cookie })
    }

    /// Takes somebody back from the provider: the state is that of his own browser's beginning, the code is exchanged, and what it gives is
    /// made sure of, signature, issuer, audience, time and nonce.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn back_from_provider(
        &self,
        transport: Arc<dyn Transport>,
        id: &str,
        (code, state): (&str, &str),
        cookie: &str,
        from: &From,
    ) -> Result<Back, Refused> {
        let tried = self.begin_try(from, "provider").await?;
        let sealer = self.engine.store().sealer();
        let now = self.engine.clock().now();
        let begun: Option<Beginning> = open(sealer, BEGUN, cookie);
        let is_his = |begun: &Beginning| {
            begun.provider == id
                && bool::from(begun.state.as_bytes().ct_eq(state.as_bytes()))
                && now - begun.at < TAKES
                && now >= begun.at
        };
        let begun = begun.filter(is_his).ok_or_else(|| failed("the state is not that of this browser"))?;
        // Who has said no there is sent back without a code.
        if code.is_empty() {
            return Err(failed("there is no code"));
        }
        // What somebody else has read of the way back, a history or a log, leads nowhere a second time, whatever the provider says of the code.
        if !guessing::take_once(self.engine.store(), format!("state/{}", begun.state), now).await? {
            return Err(failed("the state was used before"));
        }
        let (identity, mail) = self.proven(transport, &begun, code).await?;
        tried.was_right(self.engine.store()).await?;
        match self.engine.store().account_of_identity(&identity.key()).await? {
            Some(account) => Ok(Back::SignedIn(Box::new(self.begin(&account, None, from).await?), begun.back)),
            // Whoever was invited has his address from the invitation.
            None if mail == Mail::Denied && begun.invitation.is_none() => {
                let sentence =
                    "the provider has not made sure of your e-mail address; confirm it there first".to_owned();
                Err(Refused::State("email_not_verified", sentence))
            }
            None => {
                self.another_way(&identity).await?;
                let kept = seal(sealer, PROVEN, &identity)?;
                Ok(Back::Unknown(Box::new(identity), kept, begun.invitation))
            }
        }
    }

    /// Somebody whose address has an account with another way of signing in is told so: that it is his address is proven.
    async fn another_way(&self, identity: &Identity) -> Result<(), Refused> {
        let Some(email) = &identity.email else { return Ok(()) };
        let Some(account) = self.engine.store().account_of_email(email).await? else { return Ok(()) };
        let about = About { detail: serde_json::json!({ "provider": identity.provider }), ..About::default() };
        note(&self.engine, &account.id, "provider_mismatch", about).await?;
        let sentence = format!("your account signs in with {}, and with nothing else", account.sign_in);
        Err(Refused::State("provider_mismatch", sentence))
    }

    async fn proven(
        &self,
        transport: Arc<dyn Transport>,
        begun: &Beginning,
        code: &str,
    ) -> Result<(Identity, Mail), Refused> {
        let provider = self.provider(&begun.provider)?;
        let http = Calls(transport);
        let metadata = describes_itself(&provider, &http).await?;
        let shown_as = shows_secret(&metadata);
        let secret = ClientSecret::new(provider.client_secret.expose_secret().to_owned());
        let client =
            CoreClient::from_provider_metadata(metadata, ClientId::new(provider.client_id.clone()), Some(secret))
                .set_auth_type(shown_as)
                .set_redirect_uri(self.redirect(&provider.id)?);
        let tokens = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(failed)?
            .set_pkce_verifier(PkceCodeVerifier::new(begun.verifier.clone()))
            .request_async(&http)
            .await
            .map_err(|why| match why {
                RequestTokenError::Request(cause) => away(cause),
                other => failed(other),
            })?;
        let now = self.engine.clock().now();
        let time = move || DateTime::<Utc>::from_timestamp_millis(now.0).unwrap_or_default();
        let verifier = client.id_token_verifier().set_allowed_algs(SIGNATURES).set_time_fn(time);
        let token = tokens.id_token().ok_or_else(|| failed("there is no id token"))?;
        let claims = token.claims(&verifier, &Nonce::new(begun.nonce.clone())).map_err(failed)?;
        let (email, mail) = match (claims.email(), claims.email_verified()) {
            (Some(email), Some(true)) => (Some(email.to_string()), Mail::Proven),
            (Some(_), Some(false)) => (None, Mail::Denied),
            (Some(_), None) | (None, _) => (None, Mail::Silent),
        };
        let identity = Identity {
            provider: provider.id,
            issuer: claims.issuer().to_string(),
            subject: claims.subject().to_string(),
            email,
            name: claims.name().and_then(|name| name.get(None)).map(|name| name.to_string()),
            at: now,
        };
        Ok((identity, mail))
    }

    /// The identity that a browser has kept since it was proven.
    ///
    /// # Errors
    /// [`Refused::State`] when it is none, or was proven too long ago.
    pub fn kept_identity(&self, kept: &str) -> Result<Identity, Refused> {
        let now = self.engine.clock().now();
        let identity: Option<Identity> = open(self.engine.store().sealer(), PROVEN, kept);
        let identity = identity.filter(|it| now - it.at < TAKES && now >= it.at);
        identity.ok_or_else(|| failed("what was proven is over"))
    }

    /// Signs up somebody whom a provider has proven; he waits for the approval of an administrator of his agency.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn sign_up_with(
        &self,
        identity: Identity,
        applicant: &Applicant,
        agency_code: &str,
        from: &From,
    ) -> Result<(), Refused> {
        self.sign_up_by(Proof::Provider(identity), applicant, agency_code, from).await
    }

    /// Accepts an invitation as somebody whom a provider has proven.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn accept_with(
        &self,
        identity: Identity,
        token: &str,
        applicant: Applicant,
        from: &From,
    ) -> Result<Begun, Refused> {
        self.accept_by(Proof::Provider(identity), token, applicant, from).await
    }
}
