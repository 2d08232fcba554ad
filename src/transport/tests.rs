// SPDX-License-Identifier: Apache-2.0

//! Calls against a tiny server on loopback that misbehaves in one way each.

use super::*;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const LONG: CallLimits = CallLimits { timeout: Millis::seconds(20), at_most: Millis::seconds(20) };
const SHORT: CallLimits = CallLimits { timeout: Millis(60), at_most: Millis::seconds(20) };

fn transport(base_url: &str) -> HttpTransport {
    HttpTransport::new(Millis::seconds(5), AddressPolicy::for_base_urls(false, [base_url])).unwrap()
}

fn call(method: Method, url: String) -> Call {
    Call { method, url, headers: HeaderMap::new(), body: Bytes::from_static(b"secret-body"), timeout: None, key: None }
}

/// A server that does `serve` with each connection once it has read a whole request, and counts them.
async fn server<F, Fut>(serve: F) -> (String, Arc<AtomicUsize>)
where
    F: Fn(TcpStream, String) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let request = read_request(&mut stream).await;
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(stream, request));
        }
    });
    (base, requests)
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut buffer = [0_u8; 4096];
    loop {
        let count = stream.read(&mut buffer).await.unwrap_or(0);
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
        if count == 0 || text.ends_with("secret-body") {
            return text;
        }
    }
}

async fn answer(mut stream: TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
}

fn not_sent(result: Result<HttpResponse, TransportError>) -> String {
    match result {
        Err(TransportError::NotSent { why }) => why,
        other => panic!("not `not sent`: {other:?}"),
    }
}

fn interrupted(result: Result<HttpResponse, TransportError>) -> String {
    match result {
        Err(TransportError::Interrupted { why }) => why,
        other => panic!("not `interrupted`: {other:?}"),
    }
}

#[tokio::test]
async fn a_call_goes_out_as_written_and_its_answer_comes_back_whole() {
    let (base, _) = server(|stream, request| async move {
        assert!(request.starts_with("POST /bridge/reservations?a=b HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("webhook-id: dlv_1\r\n"), "{request}");
        assert!(request.contains("user-agent: ticketbridge/"), "{request}");
        answer(stream, "HTTP/1.1 201 Created\r\nx-answer: yes\r\ncontent-length: 4\r\n\r\nfine").await;
    })
    .await;
    let mut call = call(Method::POST, format!("{base}/bridge/reservations?a=b"));
    call.headers.insert("webhook-id", "dlv_1".parse().unwrap());
    let response = transport(&base).send(&call, LONG).await.unwrap();
    assert_eq!(response.status, StatusCode::CREATED);
    assert_eq!(response.headers["x-answer"], "yes");
    assert_eq!(response.body.as_ref(), b"fine");
}

#[tokio::test]
async fn a_refused_connection_was_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error =
        transport(&base).send(&call(Method::POST, format!("{base}/a?code=secret-query")), LONG).await.unwrap_err();
    assert!(matches!(error, TransportError::NotSent { .. }), "{error:?}");
    let text = format!("{error} {error:?}");
    assert!(text.contains("refused"), "{text}");
    assert!(!text.contains("secret"), "{text}");
    assert!(matches!(error.into_result::<()>(), CallResult::Retry { .. }));
}

#[tokio::test]
async fn a_name_that_leads_nowhere_was_not_sent() {
    let lookup: Lookup = Arc::new(|_| Box::pin(async { Err(io::Error::other("no such name")) }));
    let transport = HttpTransport::with_lookup(Millis::seconds(5), AddressPolicy::default(), lookup).unwrap();
    let why = not_sent(transport.send(&call(Method::POST, "http://gone.example/".into()), LONG).await);
    assert!(why.contains("no such name"), "{why}");
}

#[tokio::test]
async fn a_connection_that_does_not_come_about_in_time_was_not_sent() {
    let lookup: Lookup = Arc::new(|_| Box::pin(std::future::pending()));
    let transport = HttpTransport::with_lookup(Millis(40), AddressPolicy::default(), lookup).unwrap();
    let why = not_sent(transport.send(&call(Method::POST, "http://slow.example/".into()), LONG).await);
    assert!(why.contains("time for connecting"), "{why}");
}

#[tokio::test]
async fn a_failed_handshake_was_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let why = not_sent(transport(&base).send(&call(Method::POST, format!("{base}/")), LONG).await);
    assert!(why.starts_with("no connection"), "{why}");
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_leaves_it_open() {
    let (base, _) = server(|stream, _| async move {
        let _held = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let why = interrupted(transport(&base).send(&call(Method::POST, format!("{base}/?a=secret")), SHORT).await);
    assert_eq!(why, "no full answer within 60 ms");
}

#[tokio::test]
async fn a_body_that_stops_coming_counts_against_the_same_time() {
    let (base, _) = server(|mut stream, _| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let why = interrupted(transport(&base).send(&call(Method::POST, base.clone()), SHORT).await);
    assert_eq!(why, "no full answer within 60 ms");
}

#[tokio::test]
async fn a_connection_cut_before_or_inside_the_answer_leaves_it_open() {
    for text in ["", "HTTP/1.1 200 OK\r\ncontent-le", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"] {
        let (base, _) = server(move |stream, _| answer(stream, text)).await;
        let error = transport(&base).send(&call(Method::POST, base.clone()), LONG).await.unwrap_err();
        assert!(matches!(error, TransportError::Interrupted { .. }), "{text:?}: {error:?}");
        assert!(matches!(error.into_result::<()>(), CallResult::Unknown { .. }));
    }
}

#[tokio::test]
async fn an_answer_is_read_up_to_the_cap_and_no_further() {
    for (extra, fits) in [(0, true), (1, false)] {
        // Announced, and unannounced: the cap holds either way.
        for head in [format!("content-length: {}\r\n", RESPONSE_BYTES_MAX + extra), "connection: close\r\n".into()] {
            let (base, _) = server(move |mut stream, _| {
                let text = format!("HTTP/1.1 200 OK\r\n{head}\r\n{}", "x".repeat(RESPONSE_BYTES_MAX + extra));
                async move {
                    // The reader may have hung up.
                    let _ = stream.write_all(text.as_bytes()).await;
                    let _ = stream.shutdown().await;
                }
            })
            .await;
            let result = transport(&base).send(&call(Method::POST, base.clone()), LONG).await;
            if fits {
                assert_eq!(result.unwrap().body.len(), RESPONSE_BYTES_MAX);
            } else {
                assert!(interrupted(result).contains("longer than"));
            }
        }
    }
}

#[tokio::test]
async fn an_endless_answer_is_not_read_to_its_end() {
    let (base, _) = server(|mut stream, _| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").await.unwrap();
        while stream.write_all(&[b'x'; 65_536]).await.is_ok() {}
    })
    .await;
    let why = interrupted(transport(&base).send(&call(Method::POST, base.clone()), LONG).await);
    assert!(why.contains("longer than"), "{why}");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_a_way() {
    let (target, seen) = server(|stream, _| answer(stream, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")).await;
    let text = format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: {target}/\r\ncontent-length: 0\r\n\r\n");
    let (base, _) = server(move |stream, _| {
        let text = text.clone();
        async move { answer(stream, &text).await }
    })
    .await;
    let response = transport(&base).send(&call(Method::POST, base.clone()), LONG).await.unwrap();
    assert_eq!(response.status, StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(seen.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_private_address_that_nobody_configured_is_not_called() {
    let (base, seen) = server(|stream, _| answer(stream, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")).await;
    let port = base.rsplit_once(':').unwrap().1;
    let rebinding: Lookup = Arc::new(|_| Box::pin(async { Ok(vec![IpAddr::from([127, 0, 0, 1])]) }));
    let policy = AddressPolicy::for_base_urls(false, ["https://tickets.example/"]);
    let transport = HttpTransport::with_lookup(Millis::seconds(5), policy, rebinding).unwrap();
    // Written out, written oddly, mapped, and behind a public name.
    for host in ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "tickets.example"] {
        let why = not_sent(transport.send(&call(Method::POST, format!("http://{host}:{port}/")), LONG).await);
        assert!(why.contains("loopback"), "{host}: {why}");
    }
    assert_eq!(seen.load(Ordering::SeqCst), 0);
    // The partners are configured anew, and one of them is there.
    transport.set_policy(AddressPolicy::for_base_urls(false, [base.as_str()]));
    assert!(transport.send(&call(Method::POST, base.clone()), LONG).await.is_ok());
    assert_eq!(seen.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_allowed_address_beside_a_private_one_is_the_one_called() {
    let mixed: Lookup =
        Arc::new(|_| Box::pin(async { Ok(vec![IpAddr::from([10, 0, 0, 1]), IpAddr::from([127, 0, 0, 1])]) }));
    let resolver = GuardedResolver { policy: Arc::new(ArcSwap::from_pointee(AddressPolicy::default())), lookup: mixed };
    assert!(resolver.resolve("tickets.example".parse().unwrap()).await.is_err());
    let public: Lookup =
        Arc::new(|_| Box::pin(async { Ok(vec![IpAddr::from([10, 0, 0, 1]), IpAddr::from([1, 1, 1, 1])]) }));
    let resolver = GuardedResolver { lookup: public, ..resolver };
    let addresses: Vec<_> = resolver.resolve("tickets.example".parse().unwrap()).await.ok().unwrap().collect();
    assert_eq!(addresses, [SocketAddr::from(([1, 1, 1, 1], 0))]);
}

#[tokio::test]
async fn a_call_without_time_is_not_begun() {
    let over = CallLimits { timeout: Millis::seconds(20), at_most: Millis(-1) };
    let why = not_sent(transport("http://127.0.0.1").send(&call(Method::POST, "http://127.0.0.1/".into()), over).await);
    assert!(why.contains("time"), "{why}");
}

#[tokio::test]
async fn what_is_no_url_was_not_sent() {
    for url in ["", "not a url", "/path", "ftp://127.0.0.1/", "http://"] {
        not_sent(transport("http://127.0.0.1").send(&call(Method::POST, url.into()), LONG).await);
    }
}

#[test]
fn the_time_for_a_call_is_its_own_but_never_longer_than_the_lease() {
    let limits = CallLimits { timeout: Millis(100), at_most: Millis(500) };
    let with = |timeout: Option<i64>| {
        let call = Call { timeout: timeout.map(Millis), ..call(Method::GET, String::new()) };
        limits.of(&call).as_millis()
    };
    assert_eq!([with(None), with(Some(300)), with(Some(501))], [100, 300, 500]);
}

#[tokio::test]
async fn authorities_are_there_also_where_the_system_has_none() {
    install_tls();
    install_tls();
    assert!(Roots::BuiltIn.trusted_by(new_builder()).build().is_ok());
}
