// SPDX-License-Identifier: Apache-2.0

//! Douyin Laike: group-buy vouchers with online reservation.
//!
//! Reading order: [`sign`] (who calls), `wire` and `map` (what it means), `reply` (our answer), `calls` (what we tell
//! Douyin), `vouchers` (tickets as Douyin wants them). `README.md` says which chapters are spoken and what was chosen where
//! sources disagree.
//!
//! What it must never do: answer an issue call with `result` 2, reject a late-ticket refund without vouchers, name a fee
//! above Douyin's, or open `Enc.` values on the answer path.

use serde_json::{Value, json};
use ticketbridge_core::ciphers::Opened;
use ticketbridge_core::limits::BODY_BYTES_MAX;
use ticketbridge_core::message::Notification;
use ticketbridge_core::order::Order;
use ticketbridge_core::port::{
    AccessTokens, Answer, AuthError, Built, Call, CallResult, Channel, ChannelKind, ChannelSpec, ChannelView, Cipher,
    Context, DecodeError, EncodeError, HttpReply, HttpResponse, Inbound, OrderQuery, RawRequest, Replayed, SellsIn,
    Token, Verified, VerifyStep, Yes,
};
use ticketbridge_core::product::ChannelRules;
use ticketbridge_core::time::UnixMillis;

mod calls;
pub mod crypto;
mod endpoints;
mod form;
mod label;
mod map;
mod reply;
pub mod request;
mod settings;
pub mod sign;
mod vouchers;
mod wire;

#[cfg(test)]
mod forgery_tests;
#[cfg(test)]
mod settings_tests;
#[cfg(test)]
mod story_tests;
#[cfg(test)]
mod vector_tests;

use endpoints::ENDPOINTS;
use settings::Settings;

/// Order queries a second that Douyin takes (D-10).
const ORDER_QUERIES_PER_SECOND: u32 = 20;

/// Douyin, as registered.
pub const KIND: ChannelKind = ChannelKind {
    name: "douyin",
    settings: settings::KEYS,
    secrets: settings::SECRETS,
    addresses: &["api_base"],
    sells_in: SellsIn::Always("CNY"),
    face: None,
    build,
};

/// One merchant's Douyin.
struct Douyin {
    settings: Settings,
    spec: ChannelSpec,
}

fn build(_id: &str, settings: &Value) -> Built<dyn Channel> {
    let settings = Settings::read(settings)?;
    let capabilities = json!({
        "confirm": true,
        "reject": true,
        "redeem": true,
        "no_show": false,
        "cancel": false,
        "refund_audit": true,
        "online_decryption": true,
        "read_back": true,
        "order_queries_per_second": ORDER_QUERIES_PER_SECOND,
    });
    let spec =
        ChannelSpec { endpoints: ENDPOINTS, capabilities, body_bytes_max: BODY_BYTES_MAX, calls_per_second: None };
    Ok(Box::new(Douyin { settings, spec }))
}

impl Channel for Douyin {
    fn spec(&self) -> &ChannelSpec {
        &self.spec
    }
    fn rules(&self) -> ChannelRules {
        self.settings.rules.clone()
    }
    fn verify<'a>(&self, raw: RawRequest<'a>, cx: &Context<'_>) -> Result<Verified<'a>, AuthError> {
        sign::verify(&self.settings, raw, cx.now)
    }
    fn explain_verify(&self, raw: RawRequest<'_>, cx: &Context<'_>) -> Vec<VerifyStep> {
        sign::explain(&self.settings, raw, cx.now)
    }
    fn sign_again(&self, request: &mut Replayed, _: UnixMillis) {
        sign::sign_again(&self.settings, request);
    }
    fn decode(&self, request: &Verified<'_>) -> Result<Inbound, DecodeError> {
        map::Mapper { settings: &self.settings, key_index: request.key_index() }.decode(request)
    }
    fn sent_at(&self, request: &Verified<'_>) -> Option<UnixMillis> {
        form::sent_at(request.raw().query)
    }
    fn reply(&self, endpoint: &str, inbound: Option<&Inbound>, answer: &Answer<'_>) -> HttpReply {
        reply::reply(&self.settings, endpoint, inbound, answer)
    }
    fn notify(&self, notification: &Notification, order: &Order, cx: &Context<'_>) -> Result<Call, EncodeError> {
        calls::notify(&self.settings, notification, order, cx)
    }
    fn read_notification(
        &self,
        notification: &Notification,
        order: &Order,
        response: &HttpResponse,
    ) -> CallResult<Yes> {
        calls::read_notification(notification, order, response)
    }
    fn label(&self, order: &Order) -> String {
        label::label(order).to_owned()
    }
    fn access_tokens(&self) -> Option<&dyn AccessTokens> {
        Some(self)
    }
    fn cipher(&self) -> Option<&dyn Cipher> {
        Some(self)
    }
    fn order_query(&self) -> Option<&dyn OrderQuery> {
        Some(self)
    }
}

impl AccessTokens for Douyin {
    fn calls(&self, _: &Context<'_>) -> Result<Vec<Call>, EncodeError> {
        calls::token_calls(&self.settings)
    }
    fn read(&self, response: &HttpResponse) -> CallResult<Token> {
        calls::read_token(response)
    }
}

impl Cipher for Douyin {
    fn call(&self, ciphers: &[String], cx: &Context<'_>) -> Result<Call, EncodeError> {
        calls::decrypt_call(&self.settings, ciphers, cx)
    }
    fn read(&self, ciphers: &[String], response: &HttpResponse) -> CallResult<Opened> {
        calls::read_decrypted(ciphers, response)
    }
    fn opened(&self, field: &str) -> Option<String> {
        let mut secrets = self.settings.apps.iter().map(|app| app.client_secret.as_str());
        let opened = secrets.find_map(|secret| crypto::decrypt_field(secret, field));
        // Padding is right by chance once in 256 times.
        opened.filter(|text| !text.is_empty() && !text.chars().any(char::is_control))
    }
}

impl OrderQuery for Douyin {
    fn call(&self, order: &Order, cx: &Context<'_>) -> Result<Call, EncodeError> {
        calls::order_query(&self.settings, order, cx)
    }
    fn read(&self, order: &Order, response: &HttpResponse) -> CallResult<ChannelView> {
        calls::read_order_query(order, response)
    }
}
