// SPDX-License-Identifier: Apache-2.0

//! The sandbox's sockets: the one HTTP client and the one way to serve.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::Response;
use reqwest::Client;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The client with which the simulators call the bridge. It has no time limit of its own: each call has one.
#[expect(clippy::disallowed_methods, reason = "the sandbox plays the other side of the wire")]
pub(super) fn client() -> Client {
    // A second installation is refused, which is fine: the process then has a provider already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .expect("a client without certificates of its own can always be built")
}

/// Any free port of this machine.
pub(super) const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// An address of this machine, open for calls.
pub(super) async fn listen(on: SocketAddr) -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(on).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// An answer that breaks off: the caller cannot know whether the call was carried out.
pub(super) fn broken_answer() -> Response<Body> {
    let broken = futures_util::stream::once(async {
        Err::<Bytes, std::io::Error>(std::io::Error::other("the sandbox loses this answer"))
    });
    Response::new(Body::from_stream(broken))
}

/// An answer that breaks off after some of its bytes, though it promised all of them.
pub(super) fn cut_answer(body: String, after: usize) -> Response<Body> {
    let whole = body.len();
    let mut bytes = body.into_bytes();
    bytes.truncate(after.min(whole.saturating_sub(1)));
    let there = futures_util::stream::iter([Ok(Bytes::from(bytes))]);
    let broken = futures_util::stream::once(async {
        Err::<Bytes, std::io::Error>(std::io::Error::other("the sandbox cuts this answer off"))
    });
    let response = Response::builder().header("content-type", "application/json").header("content-length", whole);
    response.body(Body::from_stream(futures_util::StreamExt::chain(there, broken))).unwrap_or_default()
}

/// The background work of one simulator.
#[derive(Debug)]
pub(super) struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

/// Ends the background work of a simulator when its last outside handle is dropped.
#[derive(Debug)]
pub(super) struct StopOnDrop(CancellationToken);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Tasks {
    pub(super) fn new() -> Self {
        Self { tracker: TaskTracker::new(), stop: CancellationToken::new() }
    }

    pub(super) fn stop_on_drop(&self) -> StopOnDrop {
        StopOnDrop(self.stop.clone())
    }

    /// Does `work` beside everything else, until it ends or the simulator does.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = work => {}
            }
        });
    }

    /// Serves `router` until `closed`: then connections are refused, and those there are end with their call.
    pub(super) fn serve(&self, listener: TcpListener, router: Router, closed: CancellationToken) {
        self.spawn(async move {
            let served = axum::serve(listener, router).with_graceful_shutdown(async move { closed.cancelled().await });
            if let Err(error) = served.await {
                tracing::warn!(%error, "a simulator stopped serving");
            }
        });
    }

    /// Ends all background work and waits until it has ended.
    pub(super) async fn stop(&self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}
