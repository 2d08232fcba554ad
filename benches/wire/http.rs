// SPDX-License-Identifier: Apache-2.0

//! One caller's connection to the bridge: kept open, one request at a time, as cheap as can be.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Nobody waits longer for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request, not sent yet.
#[derive(Debug)]
pub(crate) struct Ask {
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Ask {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), headers: Vec::new(), body: String::new() }
    }
    pub(crate) fn post(path: String, body: String) -> Self {
        Self { method: Method::POST, path, headers: vec![("content-type", "application/json".to_owned())], body }
    }
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
    fn request(self, host: SocketAddr) -> anyhow::Result<Request<Full<Bytes>>> {
        let mut request = self.into_request()?;
        request.headers_mut().insert(http::header::HOST, HeaderValue::from_str(&host.to_string())?);
        Ok(request)
    }

    /// The request as it is, for nobody's socket.
    ///
    /// # Errors
    /// When it holds what HTTP does not allow.
    pub(crate) fn into_request<B: From<String>>(self) -> anyhow::Result<Request<B>> {
        let mut request = Request::new(B::from(self.body));
        *request.method_mut() = self.method;
        *request.uri_mut() = self.path.parse()?;
        for (name, value) in self.headers {
            request.headers_mut().insert(HeaderName::from_static(name), value.parse()?);
        }
        Ok(request)
    }
}

/// An answer, whole.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

/// A connection that is made when it is needed.
#[derive(Debug)]
pub(crate) struct Client {
    address: SocketAddr,
    open: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, open: None }
    }

    /// Makes a request and reads the whole answer.
    ///
    /// # Errors
    /// When there is none in time: nobody knows then whether it was carried out.
    pub(crate) async fn send(&mut self, ask: Ask) -> anyhow::Result<Answer> {
        let exchange = tokio::time::timeout(PATIENCE, self.exchange(ask)).await;
        let answer = exchange.context("no answer in 30 s").and_then(|answer| answer);
        if answer.is_err() {
            self.open = None;
        }
        answer
    }

    async fn exchange(&mut self, ask: Ask) -> anyhow::Result<Answer> {
        let request = ask.request(self.address)?;
        if self.open.as_ref().is_none_or(SendRequest::is_closed) {
            self.open = Some(connect(self.address).await?);
        }
        let open = self.open.as_mut().context("a connection was made a moment ago")?;
        open.ready().await?;
        let (parts, body) = open.send_request(request).await?.into_parts();
        Ok(Answer { status: parts.status.as_u16(), body: body.collect().await?.to_bytes() })
    }
}

async fn connect(address: SocketAddr) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await.context("the bridge takes no connection")?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // It ends with the sender, or with an error that the sender meets too.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}
