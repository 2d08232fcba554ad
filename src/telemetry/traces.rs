// SPDX-License-Identifier: Apache-2.0

//! Traces for OpenTelemetry: one from a webhook to the calls that it causes, exported over OTLP/HTTP where `[traces] endpoint` names a
//! collector. Without one nothing is recorded, and a `traceparent` that came goes on as it is.
//!
//! A span never holds guests' data: it names partner, call, order and delivery, and how it ended.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use opentelemetry::trace::{
    Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId, TraceState,
    Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, Span};
use ticketbridge_core::Millis;
use ticketbridge_core::port::Call;

use crate::config::Traces;
use crate::transport::{AddressPolicy, CallLimits, HttpTransport, Transport as _};

/// Time for one batch of spans.
const EXPORT_WITHIN: Millis = Millis::seconds(10);
/// Time for what is left when the service stops.
const LEAVE_WITHIN: Duration = Duration::from_secs(3);

static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// Exports spans until it is ended.
pub(crate) struct Exporting(SdkTracerProvider);

impl Exporting {
    /// Sends what is left.
    pub(crate) async fn end(self) {
        let ended = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(LEAVE_WITHIN)).await;
        if let Ok(Err(error)) = ended {
            tracing::warn!("the last spans were not exported: {error}");
        }
    }
}

/// Begins to export, where the configuration wishes it. Once in a process.
///
/// # Errors
/// The exporter cannot be made.
pub(crate) fn start(traces: &Traces) -> Result<Option<Exporting>, String> {
    let Some(endpoint) = &traces.endpoint else { return Ok(None) };
    // Whoever configures it names the host: any address is meant.
    let policy = AddressPolicy { allow_private: true, allowed_hosts: Vec::new() };
    let transport = HttpTransport::new(EXPORT_WITHIN, policy).map_err(|error| error.to_string())?;
    let client = Collector { transport: Arc::new(transport), runtime: tokio::runtime::Handle::current() };
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .with_timeout(EXPORT_WITHIN.to_std())
        .build()
        .map_err(|error| error.to_string())?;
    let about = [
        KeyValue::new("service.name", traces.service_name.clone()),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
    ];
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(Resource::builder_empty().with_attributes(about).build())
        .build();
    if TRACER.set(provider.tracer("ticketbridge")).is_err() {
        return Err("spans are exported already".to_owned());
    }
    Ok(Some(Exporting(provider)))
}

/// The exporter's way to the collector: ours, from a thread that has no runtime of its own.
struct Collector {
    transport: Arc<HttpTransport>,
    runtime: tokio::runtime::Handle,
}

impl std::fmt::Debug for Collector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Collector")
    }
}

#[async_trait::async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (parts, body) = request.into_parts();
        let call = Call {
            method: Method::POST,
            url: parts.uri.to_string(),
            headers: parts.headers,
            body,
            timeout: None,
            key: None,
        };
        let transport = self.transport.clone();
        let limits = CallLimits { timeout: EXPORT_WITHIN, at_most: EXPORT_WITHIN };
        let response = self.runtime.spawn(async move { transport.send(&call, limits).await }).await??;
        let mut answer = Response::new(response.body);
        *answer.status_mut() = response.status;
        *answer.headers_mut() = response.headers;
        Ok(answer)
    }
}

/// A span that is open, or nothing where none is recorded.
pub(crate) struct Open(Option<Span>);

impl Open {
    /// One for a call that came, below the caller's trace if it has one.
    pub(crate) fn incoming(name: impl Into<Cow<'static, str>>, parent: Option<&str>) -> Self {
        Self::begin(name, parent, SpanKind::Server)
    }

    /// One for a call of ours, below the trace of what caused it.
    pub(crate) fn outgoing(name: impl Into<Cow<'static, str>>, cause: Option<&str>) -> Self {
        Self::begin(name, cause, SpanKind::Client)
    }

    fn begin(name: impl Into<Cow<'static, str>>, parent: Option<&str>, kind: SpanKind) -> Self {
        let Some(tracer) = TRACER.get() else { return Self(None) };
        let above = parent
            .and_then(context_of)
            .map_or_else(Context::new, |context| Context::new().with_remote_span_context(context));
        Self(Some(tracer.span_builder(name).with_kind(kind).start_with_context(tracer, &above)))
    }

    /// What goes on as `traceparent`: this span, or what came where none is recorded.
    pub(crate) fn traceparent(&self, came: Option<String>) -> Option<String> {
        match &self.0 {
            None => came,
            Some(span) => {
                let context = span.span_context();
                let (trace, id, flags) = (context.trace_id(), context.span_id(), context.trace_flags().to_u8());
                Some(format!("00-{trace}-{id}-{flags:02x}"))
            }
        }
    }

    /// Puts it into the headers of a call.
    pub(crate) fn pass_on(&self, came: Option<&str>, headers: &mut HeaderMap) {
        let trace = self.traceparent(came.map(str::to_owned));
        if let Some(trace) = trace.and_then(|trace| HeaderValue::from_str(&trace).ok()) {
            headers.insert("traceparent", trace);
        }
    }

    /// Says something of it.
    pub(crate) fn note(&mut self, name: &'static str, value: impl Into<opentelemetry::Value>) {
        if let Some(span) = &mut self.0 {
            span.set_attribute(KeyValue::new(name, value));
        }
    }

    /// Ends it with the status of its answer; without one it has failed.
    pub(crate) fn end(mut self, status: Option<u16>) {
        if let Some(status) = status {
            self.note("http.response.status_code", i64::from(status));
        }
        if let Some(mut span) = self.0.take() {
            if status.is_none_or(|status| status >= 500) {
                span.set_status(Status::error("no usable answer"));
            }
            span.end();
        }
    }
}

/// The context that a `traceparent` names.
fn context_of(traceparent: &str) -> Option<SpanContext> {
    let mut parts = traceparent.split('-').skip(1);
    let trace = TraceId::from_hex(parts.next()?).ok()?;
    let span = SpanId::from_hex(parts.next()?).ok()?;
    let flags = u8::from_str_radix(parts.next()?, 16).ok()?;
    let context = SpanContext::new(trace, span, TraceFlags::new(flags), true, TraceState::default());
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_collector_a_trace_goes_on_as_it_came() {
        let came = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let span = Open::incoming("POST", Some(came));
        assert_eq!(span.traceparent(Some(came.to_owned())).as_deref(), Some(came));
        assert_eq!(Open::outgoing("POST", None).traceparent(None), None);
        let context = context_of(came).expect("one");
        assert_eq!(
            (context.trace_id().to_string(), context.is_sampled()),
            ("4bf92f3577b34da6a3ce929d0e0e4736".to_owned(), true)
        );
        assert!(context_of("00-00000000000000000000000000000000-00f067aa0ba902b7-01").is_none());
    }
}
