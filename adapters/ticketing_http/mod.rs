// SPDX-License-Identifier: Apache-2.0

//! `ticketing_http`: a ticketing system that speaks the contract of ours, for whoever has no standard of his own.

mod map;
pub(crate) mod wire;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use ticketbridge_core::message::{TicketFacts, TicketOp};
use ticketbridge_core::order::{Booking, Order};
use ticketbridge_core::port::{
    AuthError, Availability, Backend, BackendEvent, BackendKind, BackendSpec, BackendTable, Built, CalendarDay, Call,
    CallResult, Calls, CodeMaker, Context, DecodeError, EncodeError, HttpResponse, Operations, Pushes, RawRequest,
    RedemptionNews, Replayed, Verified,
};
use ticketbridge_core::product::BackendTerms;
use ticketbridge_core::time::{Date, Millis, UnixMillis};

use crate::address::Address;
use crate::settings::Settings;
use crate::standard_webhooks::{self, Secrets};

/// How it is registered.
pub const KIND: BackendKind = BackendKind {
    name: "ticketing_http",
    settings: &["base_url", "secret", "timeout"],
    secrets: &["secret", "secret.*"],
    addresses: &["base_url"],
    terms: &[],
    build: TicketingHttp::build,
};

/// The same as the message's id: back-ends that know the header need not know Standard Webhooks.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The longest time that one call may be given.
const TIMEOUT_MAX: Millis = Millis::minutes(2);
/// Why a cancellation is asked for. Always the same: the order moves on between two attempts, and the same idempotency key must
/// come with the same body.
const CANCEL_REASON: &str = "booking_cancelled";

/// One ticketing system.
struct TicketingHttp {
    base_url: String,
    secrets: Secrets,
    timeout: Option<Millis>,
    spec: BackendSpec,
}

impl TicketingHttp {
    fn build(_id: &str, settings: &serde_json::Value) -> Built<dyn Backend> {
        let mut settings = Settings::new(settings);
        let base_url = settings.base_url("base_url");
        let secrets = settings.webhook_secrets("secret");
        let timeout = settings.duration("timeout", TIMEOUT_MAX);
        let (base_url, secrets) = settings.finish(base_url.zip(secrets))?;
        let table = BackendTable {
            hold: false,
            async_issue: true,
            code_maker: CodeMaker::Backend,
            partial_cancel: false,
            audited_cancel: true,
            cancel_after_use: false,
            resend: false,
            lookup_by_reference: true,
            redemption: RedemptionNews::Pushed,
            price_check: false,
        };
        let spec = BackendSpec {
            issue_is_idempotent: true,
            can_query: true,
            table,
            watch: None,
            capabilities: table.shown(serde_json::json!({
                "issue": true, "query": true, "cancel": true, "push": true, "availability": true,
            })),
        };
        Ok(Box::new(Self { base_url, secrets, timeout, spec }))
    }

    /// A signed call under an id.
    fn signed(
        &self,
        method: Method,
        at: Address,
        body: Bytes,
        (id, cx): (&str, &Context<'_>),
    ) -> Result<Call, EncodeError> {
        let mut headers = HeaderMap::new();
        self.secrets.sign_into(&mut headers, id, cx.now, &body)?;
        headers.insert(IDEMPOTENCY_KEY, headers[standard_webhooks::ID].clone());
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if method == Method::POST {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Ok(Call { method, url: at.url(), headers, body, timeout: self.timeout, key: Some(id.to_owned()) })
    }

    fn post<T: serde::Serialize>(&self, at: Address, body: &T, by: (&str, &Context<'_>)) -> Result<Call, EncodeError> {
        let body = serde_json::to_vec(body).expect("structs of texts and numbers serialise");
        self.signed(Method::POST, at, Bytes::from(body), by)
    }
}

impl Backend for TicketingHttp {
    fn spec(&self) -> &BackendSpec {
        &self.spec
    }

    fn operations(&self) -> Operations<'_> {
        Operations::Calls(self)
    }

    fn pushes(&self) -> Option<&dyn Pushes> {
        Some(self)
    }

    fn availability(&self) -> Option<&dyn Availability> {
        Some(self)
    }
}

impl Calls for TicketingHttp {
    fn call(&self, op: TicketOp, order: &Order, booking: &Booking, cx: &Context<'_>) -> Result<Call, EncodeError> {
        let at = Address::at(&self.base_url).path("/reservations");
        let (id, delivery) = (booking.id.as_str(), cx.delivery_id);
        match op {
            TicketOp::Issue => {
                let under = map::issue_id(order, booking, delivery);
                self.post(at, &map::reservation(order, booking)?, (&under, cx))
            }
            TicketOp::Query => self.signed(Method::GET, at.segment(id)?, Bytes::new(), (delivery, cx)),
            TicketOp::Cancel => {
                let body = wire::CancelRequest { reason: CANCEL_REASON };
                self.post(at.segment(id)?.path("/cancel"), &body, (delivery, cx))
            }
        }
    }

    fn read(&self, op: TicketOp, order: &Order, booking: &Booking, response: &HttpResponse) -> CallResult<TicketFacts> {
        map::read(op, order, booking, response)
    }
}

impl Pushes for TicketingHttp {
    fn verify<'a>(&self, raw: RawRequest<'a>, cx: &Context<'_>) -> Result<Verified<'a>, AuthError> {
        let proof = self.secrets.verify(raw.headers, raw.body, cx.now)?;
        Ok(Verified::attest(raw, proof.key_index))
    }

    fn sign_again(&self, request: &mut Replayed, now: UnixMillis) {
        self.secrets.sign_again(request, now);
    }

    fn decode(&self, request: &Verified<'_>) -> Result<BackendEvent, DecodeError> {
        let key = standard_webhooks::message_id(request.raw().headers);
        map::event(key.ok_or_else(|| DecodeError::new("webhook-id", "it is missing"))?, request.body())
            .map_err(|error| crate::schemas::with_all("ticketing_http/event", request, error))
    }
}

impl Availability for TicketingHttp {
    fn call(
        &self,
        product: &str,
        _: &BackendTerms,
        from: Date,
        to: Date,
        cx: &Context<'_>,
    ) -> Result<Call, EncodeError> {
        let at = Address::at(&self.base_url).path("/availability").query("product", product);
        let at = at.query("from", &from.to_string()).query("to", &to.to_string());
        self.signed(Method::GET, at, Bytes::new(), (cx.delivery_id, cx))
    }

    fn read(&self, product: &str, response: &HttpResponse) -> CallResult<Vec<CalendarDay>> {
        map::availability(product, response)
    }
}
