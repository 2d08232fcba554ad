// SPDX-License-Identifier: Apache-2.0

//! Addresses that a partner's contract fixes, for all channels of a kind: `/octo`, for example. Whose a call is shows in its head.
//!
//! Here an address becomes a call of a channel, which then goes the way of every other; and what the service itself refuses is put into the
//! contract's words.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, Uri, header};
use ticketbridge_core::port::{AuthError, ChannelKind, Context, Face, HttpReply, RawRequest};

use crate::http::{Shared, webhook};
use crate::service::live::Running;
use crate::service::registry::RegisteredChannel;

/// What a refusal of ours is at most.
const PROBLEM_BYTES_MAX: usize = 64 * 1024;
/// What an answer of ours is at most.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The routes of every kind of channel that has addresses of its own.
pub(super) fn routes() -> Router<Shared> {
    let mut routes = Router::new();
    for kind in ticketbridge_adapters::CHANNELS {
        let Some(face) = kind.face else { continue };
        let handler = move |state: State<Shared>, peer: ConnectInfo<SocketAddr>, request: Request| {
            receive(kind, face, state, peer, request)
        };
        routes = routes.route(&format!("/{}", face.root), any(handler));
        let handler = move |state: State<Shared>, peer: ConnectInfo<SocketAddr>, request: Request| {
            receive(kind, face, state, peer, request)
        };
        routes = routes.route(&format!("/{}/{{*path}}", face.root), any(handler));
    }
    routes
}

async fn receive(
    kind: &'static ChannelKind,
    face: &'static Face,
    State(shared): State<Shared>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let running = shared.engine.running();
    let cx = Context::without_delivery(shared.engine.clock().now(), shared.engine.ids().nonce());
    let channel = match whose(kind, &shared, &running, peer, &request, &cx) {
        Ok(channel) => channel,
        Err(reply) => {
            return dressed(
                face,
                request.headers(),
                reply.unwrap_or_else(|| (face.refusal)(StatusCode::NOT_FOUND, NOBODY)),
            );
        }
    };
    let path = request.uri().path().trim_start_matches('/').strip_prefix(face.root).unwrap_or_default().to_owned();
    let query = request.uri().query().unwrap_or_default();
    let call = (face.route)(request.method(), &path, query, &cx).and_then(|routed| {
        let endpoint = webhook::endpoint_of(&channel, routed.endpoint)?;
        let uri: Uri = format!("/channels/{}/{}?{}", channel.id, routed.endpoint, routed.query).parse().ok()?;
        Some((endpoint, uri))
    });
    let Some((endpoint, uri)) = call else {
        return dressed(face, request.headers(), (face.refusal)(StatusCode::NOT_FOUND, "there is no such call"));
    };
    let (mut parts, body) = request.into_parts();
    parts.uri = uri;
    let asked = parts.headers.clone();
    let response = webhook::take(shared, running, channel, endpoint, peer, Request::from_parts(parts, body)).await;
    in_its_words(face, &asked, response).await
}

const NOBODY: &str = "nobody is served at this address";

/// The channel that a call comes from: the one whose key it shows. Every channel is asked, so that none is found by the time that it takes.
/// Of those who prove nothing, one channel answers, which counts their failures; `Err(None)` where there is none.
fn whose(
    kind: &ChannelKind,
    shared: &Shared,
    running: &Arc<Running>,
    peer: SocketAddr,
    request: &Request,
    cx: &Context<'_>,
) -> Result<Arc<RegisteredChannel>, Option<HttpReply>> {
    let raw = RawRequest { endpoint: "", method: request.method(), query: "", headers: request.headers(), body: b"" };
    let mut found = None;
    let mut asked: Option<(Arc<RegisteredChannel>, AuthError)> = None;
    for channel in running.registry.channels().filter(|channel| channel.adapter == kind.name) {
        match channel.channel.verify(raw, cx) {
            Ok(_) => found = Some(channel.clone()),
            Err(error) => asked = asked.or_else(|| Some((channel.clone(), error))),
        }
    }
    if let Some(channel) = found {
        return Ok(channel);
    }
    if let Some(from) = coming(kind, running, raw, cx)
        && let Some(face) = kind.face
    {
        let sentence = format!("this key holds from {from} on; until then use the one before");
        return Err(Some((face.refusal)(StatusCode::FORBIDDEN, &sentence)));
    }
    let Some((channel, error)) = asked else { return Err(None) };
    let caller = shared.caller(peer, request.headers(), running);
    if !shared.callers.may_fail(caller, channel.rate_per_caller) {
        let face = kind.face.map(|face| {
            (face.refusal)(StatusCode::TOO_MANY_REQUESTS, "too many requests from this address prove nothing")
        });
        return Err(face);
    }
    metrics::counter!("ticketbridge_inbound_calls_total", "channel" => channel.id.to_string(), "call" => kind.name, "outcome" => "unauthenticated")
        .increment(1);
    tracing::warn!(adapter = kind.name, "a caller is not believed: {error}");
    Err(Some(channel.channel.reply("", None, &ticketbridge_core::port::Answer::Unauthenticated(&error))))
}

/// From when the key that a call shows will hold, where it is one that will.
fn coming(kind: &ChannelKind, running: &Arc<Running>, raw: RawRequest<'_>, cx: &Context<'_>) -> Option<String> {
    let of_kind = running.registry.channels().filter(|channel| channel.adapter == kind.name);
    let mut all = of_kind.filter_map(|channel| running.registry.coming_channel(&channel.id));
    let (channel, from) = all.find(|(coming, _)| coming.channel.verify(raw, cx).is_ok())?;
    Some(from.rfc3339(channel.channel.rules().time_zone))
}

fn dressed(face: &Face, asked: &HeaderMap, reply: HttpReply) -> Response {
    let mut response = (reply.status, [(header::CONTENT_TYPE, reply.content_type)], reply.body.clone()).into_response();
    (face.dress)(asked, &reply, response.headers_mut());
    response
}

/// A problem of ours, as the contract writes it; its own answers as they are wanted.
async fn in_its_words(face: &Face, asked: &HeaderMap, response: Response) -> Response {
    let is_problem =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/problem+json");
    let (mut parts, body) = response.into_parts();
    if !is_problem {
        let reply = HttpReply { status: parts.status, content_type: "application/json", body: Bytes::new() };
        (face.dress)(asked, &reply, &mut parts.headers);
        // An answer that cannot be read is not told as an empty one.
        let Ok(said) = axum::body::to_bytes(body, ANSWER_BYTES_MAX).await else {
            return dressed(face, asked, (face.refusal)(StatusCode::INTERNAL_SERVER_ERROR, "the answer is too long"));
        };
        let body = match (face.wanted)(asked, &said) {
            Some(wanted) => {
                parts.headers.remove(header::CONTENT_LENGTH);
                Body::from(wanted)
            }
            None => Body::from(said),
        };
        return Response::from_parts(parts, body);
    }
    let said = axum::body::to_bytes(body, PROBLEM_BYTES_MAX).await.unwrap_or_default();
    let problem: serde_json::Value = serde_json::from_slice(&said).unwrap_or_default();
    let reply = (face.refusal)(parts.status, problem["detail"].as_str().unwrap_or("it is refused"));
    parts.headers.remove(header::CONTENT_LENGTH);
    if let Ok(kind) = reply.content_type.parse() {
        parts.headers.insert(header::CONTENT_TYPE, kind);
    }
    (face.dress)(asked, &reply, &mut parts.headers);
    Response::from_parts(parts, Body::from(reply.body))
}
