// SPDX-License-Identifier: Apache-2.0

//! The acceptor: connections are taken here, and none may keep others out. A request's head has to come within a time, an idle
//! connection is closed, and where too many are open the one that has waited longest makes room for the newcomer.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::IntoResponse as _;
use axum::serve::Listener;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::http::connection_limits::{Admission, OpenConnections, Phase, Room};
use crate::http::problem::Problem;

/// Time for a request's head, from its first byte; for the first one from the connection.
pub const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// Connections that are turned away at the same time at most.
const TURNED_AWAY_MAX: usize = 256;
/// A connection without a request is closed after this: longer than proxies keep theirs, so that they do not write into a closed one.
pub const IDLE_FOR: Duration = Duration::from_secs(75);

/// Takes connections until `stopping`, then hands the port over to whoever turns newcomers away, and lets requests under way end. `room` is asked for every newcomer. `is_proxy` tells trusted proxies, which bring many
/// callers: they may fill the whole room.
pub async fn serve(
    mut listener: TcpListener,
    router: Router,
    room: impl Fn() -> Room,
    is_proxy: impl Fn(IpAddr) -> bool,
    stopping: CancellationToken,
    hand_over: impl FnOnce(TcpListener),
) {
    let open = OpenConnections::default();
    let mut connections = JoinSet::new();
    loop {
        let (stream, peer) = tokio::select! {
            // axum waits by itself where descriptors have run out.
            accepted = Listener::accept(&mut listener) => accepted,
            () = stopping.cancelled() => break,
        };
        while connections.try_join_next().is_some() {}
        let address = peer.ip().to_canonical();
        let Some(admission) = open.take(address, is_proxy(address), room()) else {
            metrics::counter!("ticketbridge_connections_refused_total").increment(1);
            continue;
        };
        connections.spawn(attend(stream, peer, router.clone(), admission, stopping.clone()));
    }
    hand_over(listener);
    while connections.join_next().await.is_some() {}
}

/// Tells whoever comes while the service stops to come again, instead of having him meet a closed port: a channel in its own words,
/// everybody else by 503. Ends with its task.
pub async fn turn_away(mut listener: TcpListener, router: Router) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, peer) = Listener::accept(&mut listener).await;
        while connections.try_join_next().is_some() {}
        if connections.len() >= TURNED_AWAY_MAX {
            continue;
        }
        let router = router.clone();
        connections.spawn(async move {
            let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(ConnectInfo(peer));
                let router = router.clone();
                async move {
                    let path = request.uri().path();
                    if ["/ops/", "/console"].iter().any(|ours| path.starts_with(ours)) {
                        return Ok(Problem::stopping().into_response());
                    }
                    router.oneshot(request).await
                }
            });
            let mut builder = hyper::server::conn::http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).keep_alive(false);
            // Who is not even done by then is let go.
            drop(
                timeout_at(Instant::now() + HEAD_WITHIN, builder.serve_connection(TokioIo::new(stream), service)).await,
            );
        });
    }
}

/// Serves one connection to its end.
pub(crate) async fn attend<I>(
    stream: I,
    peer: SocketAddr,
    router: Router,
    admission: Admission,
    stopping: CancellationToken,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let phase = admission.phase().clone();
    phase.send_replace(Phase::Head(Instant::now() + HEAD_WITHIN));
    let service = hyper::service::service_fn({
        let phase = phase.clone();
        move |request: Request<Incoming>| {
            phase.send_replace(Phase::Served);
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            let (router, phase) = (router.clone(), phase.clone());
            async move {
                let response = router.oneshot(request).await;
                phase.send_replace(Phase::Idle);
                response
            }
        }
    });
    let stream = TokioIo::new(Watched { stream, phase: phase.clone() });
    let mut builder = hyper::server::conn::http1::Builder::new();
    // hyper's clock for a head runs from the end of the answer before: it is the one for idle connections.
    builder.timer(TokioTimer::new()).header_read_timeout(IDLE_FOR);
    let mut connection = std::pin::pin!(builder.serve_connection(stream, service));
    let mut overdue = std::pin::pin!(head_overdue(phase.subscribe()));
    let mut is_stopping = false;
    loop {
        tokio::select! {
            // An error here is the caller's: he has gone, or what he sends is not HTTP and has been answered.
            _ = connection.as_mut() => return,
            () = overdue.as_mut() => return,
            () = admission.asked_to_leave() => return,
            () = stopping.cancelled(), if !is_stopping => {
                is_stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Returns when a head has taken too long.
async fn head_overdue(mut phase: watch::Receiver<Phase>) {
    loop {
        let now = *phase.borrow_and_update();
        let changed = match now {
            Phase::Head(due) => match timeout_at(due, phase.changed()).await {
                Ok(changed) => changed,
                Err(_) => return,
            },
            Phase::Idle | Phase::Served => phase.changed().await,
        };
        if changed.is_err() {
            return std::future::pending().await;
        }
    }
}

/// A stream that notes when a head begins.
struct Watched<I> {
    stream: I,
    phase: watch::Sender<Phase>,
}

impl<I: AsyncRead + Unpin> AsyncRead for Watched<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.phase.send_if_modified(|phase| {
                let begins = matches!(phase, Phase::Idle);
                if begins {
                    *phase = Phase::Head(Instant::now() + HEAD_WITHIN);
                }
                begins
            });
        }
        polled
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Watched<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
    use tokio::task::JoinHandle;

    use super::*;

    /// A visitor's end of a connection, and the task that attends to it. Time stands still and jumps to whatever is waited for.
    fn connect(connections: &OpenConnections, stopping: &CancellationToken) -> (DuplexStream, JoinHandle<()>) {
        let (visitor, stream) = tokio::io::duplex(64 * 1024);
        let peer: SocketAddr = ([203, 0, 113, 9], 4711).into();
        let admission = connections.take(peer.ip(), false, Room { in_all: 4, per_address: 2 }).unwrap();
        let router = Router::new().route("/", get(|| async { "good" }));
        (visitor, tokio::spawn(attend(stream, peer, router, admission, stopping.clone())))
    }

    async fn answer(visitor: &mut DuplexStream) -> String {
        let mut answer = String::new();
        while !answer.ends_with("good") {
            let mut bytes = [0; 1024];
            let read = visitor.read(&mut bytes).await.unwrap();
            assert!(read > 0, "closed after {answer}");
            answer.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
        }
        answer
    }

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

    #[tokio::test(start_paused = true)]
    async fn a_head_that_does_not_come_is_not_waited_for() {
        for beginning in [&b""[..], b"G", b"GET / HTTP/1.1\r\nhost: x\r\nx-slow: 1\r\n"] {
            let (mut visitor, attended) = connect(&OpenConnections::default(), &CancellationToken::new());
            visitor.write_all(beginning).await.unwrap();
            let began = Instant::now();
            assert_eq!(visitor.read_to_end(&mut Vec::new()).await.unwrap(), 0);
            assert_eq!(began.elapsed().as_secs(), HEAD_WITHIN.as_secs(), "{beginning:?}");
            attended.await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_drips_has_the_same_time_also_as_the_second_of_a_connection() {
        let (mut visitor, _attended) = connect(&OpenConnections::default(), &CancellationToken::new());
        visitor.write_all(REQUEST).await.unwrap();
        answer(&mut visitor).await;
        let began = Instant::now();
        let drip = async {
            loop {
                if visitor.write_all(b"G").await.is_err() {
                    return;
                }
                tokio::time::advance(Duration::from_secs(1)).await;
            }
        };
        drip.await;
        assert!(began.elapsed() <= HEAD_WITHIN + Duration::from_secs(2), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_is_kept_for_proxies_and_then_closed() {
        let (mut visitor, attended) = connect(&OpenConnections::default(), &CancellationToken::new());
        for _ in 0..2 {
            visitor.write_all(REQUEST).await.unwrap();
            assert!(answer(&mut visitor).await.starts_with("HTTP/1.1 200"));
            tokio::time::advance(IDLE_FOR - Duration::from_secs(1)).await;
        }
        let began = Instant::now();
        assert_eq!(visitor.read_to_end(&mut Vec::new()).await.unwrap(), 0);
        assert!(began.elapsed() <= Duration::from_secs(2), "{:?}", began.elapsed());
        attended.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_waited_longest_makes_room() {
        let (connections, stopping) = (OpenConnections::default(), CancellationToken::new());
        let (mut slow, _a) = connect(&connections, &stopping);
        slow.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        let (mut other, _b) = connect(&connections, &stopping);
        let (mut good, _c) = connect(&connections, &stopping);
        good.write_all(REQUEST).await.unwrap();
        answer(&mut good).await;
        let began = Instant::now();
        assert_eq!(slow.read_to_end(&mut Vec::new()).await.unwrap(), 0);
        assert_eq!(began.elapsed(), Duration::ZERO, "at once");
        other.write_all(REQUEST).await.unwrap();
        answer(&mut other).await;
    }

    #[tokio::test]
    async fn who_comes_while_the_service_stops_is_answered_and_not_met_by_a_closed_port() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router =
            Router::new().route("/", get(|| async { "good" })).route("/ops/v1/orders", get(|| async { "bad" }));
        let stopping = CancellationToken::new();
        let mut away = JoinSet::new();
        stopping.cancel();
        let room = || Room { in_all: 4, per_address: 2 };
        let doorman = router.clone();
        serve(listener, router, room, |_| false, stopping, |listener| drop(away.spawn(turn_away(listener, doorman))))
            .await;
        let of_ops: &[u8] = b"GET /ops/v1/orders HTTP/1.1\r\nhost: x\r\n\r\n";
        for (request, begins) in [(REQUEST, "HTTP/1.1 200"), (of_ops, "HTTP/1.1 503")] {
            let mut visitor = tokio::net::TcpStream::connect(address).await.unwrap();
            visitor.write_all(request).await.unwrap();
            let mut answer = String::new();
            visitor.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with(begins), "{answer}");
        }
        away.shutdown().await;
        assert!(tokio::net::TcpStream::connect(address).await.is_err(), "the port is free again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_closes_idle_connections_at_once() {
        let (connections, stopping) = (OpenConnections::default(), CancellationToken::new());
        let (mut visitor, attended) = connect(&connections, &stopping);
        visitor.write_all(REQUEST).await.unwrap();
        answer(&mut visitor).await;
        stopping.cancel();
        let began = Instant::now();
        attended.await.unwrap();
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
