// SPDX-License-Identifier: Apache-2.0

//! One trace from a webhook to the call that it causes, exported to a collector in the way of OpenTelemetry.

use std::sync::{Arc, Mutex};

use axum::Json;
use axum::routing::post;
use bytes::Bytes;
use http::HeaderMap;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::json;
use ticketbridge::clock::{Clock as _, SystemClock};
use ticketbridge_core::TimeZone;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::real::{ANY_PORT, Place, stage::product, until};
use crate::support::{CHANNEL, douyin};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// A collector, and a ticketing system that remembers the traces of its calls.
#[derive(Clone, Default)]
struct Around {
    exported: Arc<Mutex<Vec<Bytes>>>,
    traceparents: Arc<Mutex<Vec<String>>>,
}

impl Around {
    async fn serve(&self) -> String {
        let (exported, traceparents) = (self.exported.clone(), self.traceparents.clone());
        let collect = move |body: Bytes| async move {
            exported.lock().expect("nobody panics with it").push(body);
        };
        let reserve = move |headers: HeaderMap| async move {
            let trace = headers.get("traceparent").and_then(|trace| trace.to_str().ok()).unwrap_or_default().to_owned();
            traceparents.lock().expect("nobody panics with it").push(trace);
            Json(json!({ "state": "issued", "tickets": [{ "code": "A1" }, { "code": "A2" }] }))
        };
        let routes =
            axum::Router::new().route("/v1/traces", post(collect)).route("/bridge/reservations", post(reserve));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, routes).await });
        format!("http://{address}")
    }

    fn spans(&self) -> Vec<Span> {
        let exported = self.exported.lock().expect("nobody panics with it");
        let batches = exported.iter().map(|body| ExportTraceServiceRequest::decode(body.clone()).expect("OTLP"));
        let resources = batches.flat_map(|batch| batch.resource_spans);
        resources.flat_map(|of| of.scope_spans).flat_map(|of| of.spans).collect()
    }
}

#[tokio::test]
async fn a_webhook_and_the_call_to_the_back_end_are_one_trace() {
    let around = Around::default();
    let url = around.serve().await;
    let now = SystemClock::new().now();
    let today = TimeZone::SHANGHAI.date_of(now);
    let (first, last) = (today.plus_days(-2).to_string(), today.plus_days(60).to_string());
    let place = Place::with_example(|name, text| match name {
        "ticketbridge.toml" => {
            format!("{text}\n[traces]\nendpoint = \"{url}\"\nservice_name = \"bridge-of-the-test\"\n")
        }
        "backends/gate.toml" => text.replace("https://tickets.example/bridge", &format!("{url}/bridge")),
        "products/lakeside.toml" => product(&first, &last, 10).replace("resident_id", "passport"),
        _ => text,
    });
    let bridge = place.serve(ANY_PORT).await;
    let call = async |body: &serde_json::Value, traced: bool| {
        let ask = douyin::signed(&format!("/channels/{CHANNEL}/create-order"), body, SystemClock::new().now());
        let ask = if traced { ask.header("traceparent", &format!("00-{TRACE}-{CALLER}-01")) } else { ask };
        let mut connection = tokio::net::TcpStream::connect(bridge.address).await.expect("it listens");
        connection.write_all(&ask.as_bytes()).await.expect("it is read");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.contains("\"error_code\":0"), "{answer}");
    };
    call(&douyin::sale("V100", 1, now), false).await;
    call(&douyin::booking("R100", "V100", &today.plus_days(3).to_string(), 1, now), true).await;
    let seen = until("the back-end is called", async || {
        around.traceparents.lock().expect("nobody panics with it").first().cloned()
    })
    .await;
    assert!(bridge.terminate().await.success(), "{}", place.log());

    let parts: Vec<&str> = seen.split('-').collect();
    assert_eq!((parts[1], parts.len()), (TRACE, 4), "the caller's trace goes on: {seen}");
    let spans = around.spans();
    let of_trace: Vec<&Span> = spans.iter().filter(|span| hex::encode(&span.trace_id) == TRACE).collect();
    let webhook = of_trace.iter().find(|span| span.name == format!("POST /channels/{CHANNEL}/create-order"));
    let webhook = webhook.unwrap_or_else(|| panic!("no span of the webhook: {spans:?}"));
    assert_eq!(hex::encode(&webhook.parent_span_id), CALLER);
    let outgoing =
        of_trace.iter().find(|span| hex::encode(&span.span_id) == parts[2]).expect("the span that the back-end saw");
    assert_eq!((outgoing.name.as_str(), &outgoing.parent_span_id), ("POST backend:gate", &webhook.span_id));
    let whole = format!("{spans:?}");
    assert!(!whole.contains("Ada Example") && !whole.contains("13900000"), "no guest is in a span");
}
