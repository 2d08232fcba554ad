// SPDX-License-Identifier: Apache-2.0

//! Calls to partners: the one place where the bridge speaks HTTP by itself. It makes no decision about an order; it says whether a call was
//! answered, certainly not sent, or perhaps carried out.
//!
//! It never follows a redirect, never takes a proxy from the environment, never reads more than the cap, always verifies TLS, and
//! never calls a private address that ops have not named ([`AddressPolicy`]).

pub mod address;

#[cfg(test)]
mod tests;

use std::error::Error as StdError;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::BytesMut;
use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, ClientBuilder, Response, Url, redirect};
use ticketbridge_core::limits::RESPONSE_BYTES_MAX;
use ticketbridge_core::port::{Call, CallResult, HttpResponse};
use ticketbridge_core::time::Millis;

pub use address::AddressPolicy;

/// Connections to one partner that are kept open while nobody uses them.
const IDLE_PER_HOST_MAX: usize = 16;
/// How long they are kept: shorter than what common servers grant, so that a call seldom meets a connection that is being closed.
const IDLE: Duration = Duration::from_secs(30);
/// What we call ourselves.
const USER_AGENT: &str = concat!("ticketbridge/", env!("CARGO_PKG_VERSION"));

/// The time that one call may take, from looking up the name to the last byte of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallLimits {
    /// For a call that brings no time of its own.
    pub timeout: Millis,
    /// Never longer than this, whatever the call says: what remains of the worker's lease.
    pub at_most: Millis,
}

impl CallLimits {
    fn of(self, call: &Call) -> Duration {
        call.timeout.unwrap_or(self.timeout).min(self.at_most).to_std()
    }
}

/// Why there is no answer. Texts hold neither addresses with their queries nor headers nor bodies.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// Certainly not carried out: the partner has seen nothing of it.
    #[error("the call was not sent: {why}")]
    NotSent {
        /// What went wrong.
        why: String,
    },
    /// Perhaps carried out: some of it may have been sent, and no full answer came.
    #[error("the call got no full answer: {why}")]
    Interrupted {
        /// What went wrong.
        why: String,
    },
}

/// Whether the partner has seen anything of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    /// Perhaps, or certainly.
    Perhaps,
    /// Certainly not.
    No,
}

impl TransportError {
    fn not_sent(why: impl Into<String>) -> Self {
        Self::NotSent { why: why.into() }
    }
    fn interrupted(why: impl Into<String>) -> Self {
        Self::Interrupted { why: why.into() }
    }
    /// Whether the partner has seen anything of the call.
    pub(crate) fn reached(&self) -> Reached {
        match self {
            Self::NotSent { .. } => Reached::No,
            Self::Interrupted { .. } => Reached::Perhaps,
        }
    }
    /// What it means for the delivery.
    pub fn into_result<T>(self) -> CallResult<T> {
        match self {
            Self::NotSent { why } => CallResult::Retry { why: why.into(), after: None },
            Self::Interrupted { why } => CallResult::Unknown { why: why.into() },
        }
    }
}

/// Why no calls can be made at all.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be made")]
pub struct StartError(#[from] reqwest::Error);

/// Makes calls.
pub trait Transport: Send + Sync {
    /// Makes one call. Dropping the future breaks the connection off.
    fn send<'a>(&'a self, call: &'a Call, limits: CallLimits) -> BoxFuture<'a, Result<HttpResponse, TransportError>>;

    /// Changes which addresses may be called, from the next call on. A transport without addresses has nothing to change.
    fn allow(&self, _policy: AddressPolicy) {}
}

/// Chooses the cryptography of TLS for the whole process: ring. Does nothing when a choice was made before.
pub fn install_tls() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Losing the race against another thread's same choice is as good as winning it.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

/// Calls over the network.
pub struct HttpTransport {
    client: Client,
    policy: Arc<ArcSwap<AddressPolicy>>,
}

impl HttpTransport {
    /// `connect_timeout` is for looking up the name, connecting and the TLS handshake together; only a call that fails within it is known
    /// not to have been sent.
    pub fn new(connect_timeout: Millis, policy: AddressPolicy) -> Result<Self, StartError> {
        Self::with_lookup(connect_timeout, policy, Arc::new(system_lookup))
    }

    /// Changes the address rule, for calls that begin from now on: the partners were configured anew.
    pub fn set_policy(&self, policy: AddressPolicy) {
        self.policy.store(Arc::new(policy));
    }

    fn with_lookup(connect_timeout: Millis, policy: AddressPolicy, lookup: Lookup) -> Result<Self, StartError> {
        install_tls();
        let policy = Arc::new(ArcSwap::from_pointee(policy));
        let builder = |roots: Roots| {
            let resolver = GuardedResolver { policy: Arc::clone(&policy), lookup: Arc::clone(&lookup) };
            roots.trusted_by(new_builder()).connect_timeout(connect_timeout.to_std()).dns_resolver(resolver).build()
        };
        // The system's authorities, so that a company's own counts. A container without any gets Mozilla's.
        let client = builder(Roots::System).or_else(|_| builder(Roots::BuiltIn))?;
        Ok(Self { client, policy })
    }

    async fn exchange(&self, call: &Call, limits: CallLimits) -> Result<HttpResponse, TransportError> {
        let url = Url::parse(&call.url).map_err(|_| TransportError::not_sent("the address is not a URL"))?;
        self.check_literal(&url)?;
        let timeout = limits.of(call);
        if timeout.is_zero() {
            return Err(TransportError::not_sent("no time is left for it"));
        }
        let request = self.client.request(call.method.clone(), url).headers(call.headers.clone());
        let response = request.body(call.body.clone()).timeout(timeout).send().await.map_err(|e| judge(&e, timeout))?;
        read(response, timeout).await
    }

    /// The resolver never sees a host that is an address already.
    fn check_literal(&self, url: &Url) -> Result<(), TransportError> {
        let host = url.host_str().ok_or_else(|| TransportError::not_sent("the address has no host"))?;
        let refusal = address::literal(host).and_then(|address| self.policy.load().refusal(host, address));
        refusal.map_or(Ok(()), |what| Err(TransportError::not_sent(what)))
    }
}

impl Transport for HttpTransport {
    fn allow(&self, policy: AddressPolicy) {
        self.set_policy(policy);
    }

    fn send<'a>(&'a self, call: &'a Call, limits: CallLimits) -> BoxFuture<'a, Result<HttpResponse, TransportError>> {
        Box::pin(self.exchange(call, limits))
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the place where calls leave")]
fn new_builder() -> ClientBuilder {
    Client::builder()
        .user_agent(USER_AGENT)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
        .pool_idle_timeout(IDLE)
}

/// Whose signature makes a certificate good.
#[derive(Clone, Copy)]
enum Roots {
    System,
    BuiltIn,
}

impl Roots {
    fn trusted_by(self, builder: ClientBuilder) -> ClientBuilder {
        match self {
            Roots::System => builder,
            Roots::BuiltIn => {
                let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
                let mut config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
                config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
                builder.tls_backend_preconfigured(config)
            }
        }
    }
}

/// Looks a name up.
type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

fn system_lookup(host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
    Box::pin(async move { Ok(tokio::net::lookup_host((host, 0)).await?.map(|socket| socket.ip()).collect()) })
}

/// Looks names up and gives back only addresses that may be called: what was judged is what is connected to.
struct GuardedResolver {
    policy: Arc<ArcSwap<AddressPolicy>>,
    lookup: Lookup,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        let (policy, found) = (self.policy.load_full(), (self.lookup)(host.clone()));
        Box::pin(async move {
            let found = found.await?;
            let mut refused = None;
            let mut allowed = Vec::with_capacity(found.len());
            for address in found {
                match policy.refusal(&host, address) {
                    Some(what) => refused = Some(what),
                    None => allowed.push(SocketAddr::new(address, 0)),
                }
            }
            match refused {
                Some(what) if allowed.is_empty() => Err(what.into()),
                _ => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

/// Reads the answer's body, and stops at the cap instead of finding out afterwards.
async fn read(mut response: Response, timeout: Duration) -> Result<HttpResponse, TransportError> {
    let too_long = || TransportError::interrupted(format!("the answer is longer than {RESPONSE_BYTES_MAX} bytes"));
    let announced = response.content_length().unwrap_or(0);
    if announced > RESPONSE_BYTES_MAX as u64 {
        return Err(too_long());
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| judge(&error, timeout))? {
        if body.len() + chunk.len() > RESPONSE_BYTES_MAX {
            return Err(too_long());
        }
        body.extend_from_slice(&chunk);
    }
    let headers = std::mem::take(response.headers_mut());
    Ok(HttpResponse { status: response.status(), headers, body: body.freeze() })
}

/// Whether a failed call may have been carried out. Only a connection that never came about says that it was not.
fn judge(error: &reqwest::Error, timeout: Duration) -> TransportError {
    if error.is_builder() {
        TransportError::not_sent("the call is not one that HTTP can carry")
    } else if error.is_connect() && error.is_timeout() {
        TransportError::not_sent("no connection within the time for connecting")
    } else if error.is_connect() {
        TransportError::not_sent(format!("no connection: {}", innermost(error)))
    } else if error.is_timeout() {
        TransportError::interrupted(format!("no full answer within {} ms", timeout.as_millis()))
    } else {
        TransportError::interrupted(innermost(error))
    }
}

/// The first cause: a sentence of the operating system, of TLS or of HTTP, which knows nothing of the address.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn StdError = match error.source() {
        Some(source) => source,
        None => return "the connection failed".to_owned(),
    };
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
