//! A place that sells.

use http::{HeaderMap, Method, StatusCode};

use crate::id::ExternalId;
use crate::message::{Command, Notification, Snapshot};
use crate::order::Order;
use crate::personal::Person;
use crate::port::{
    Answer, AuthError, Built, Call, CallResult, Context, DecodeError, EncodeError, HttpReply, HttpResponse, Inbound,
    Listing, RawRequest, Replayed, Token, Verified, VerifyStep, Yes,
};
use crate::product::ChannelRules;
use crate::time::{Date, Millis, UnixMillis};

/// One inbound call of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The last part of its path.
    pub name: &'static str,
    /// Time within which it is answered, whatever the back-end does.
    pub budget: Millis,
    /// Wait, inside the budget, for tickets that are on their way.
    pub waits_for_tickets: bool,
    /// A repeat is answered from the present state instead of with the stored answer.
    pub answers_from_state: bool,
}

/// What a channel is and can do.
#[derive(Clone, Debug)]
pub struct ChannelSpec {
    /// Its calls.
    pub endpoints: &'static [Endpoint],
    /// What it can do, for `GET /ops/v1/channels`.
    pub capabilities: serde_json::Value,
    /// Bytes of a message at most.
    pub body_bytes_max: usize,
    /// Whether it is told what is left of a date.
    pub takes_stock: bool,
    /// Whether its calls need an access token.
    pub needs_token: bool,
    /// Most calls a second towards it; `None` is unlimited.
    pub calls_per_second: Option<u32>,
}

/// Guests' data after the channel opened its cipher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedGuests {
    /// The buyer.
    pub buyer: Person,
    /// The active booking's visitors, in order.
    pub visitors: Vec<Person>,
    /// Its contact.
    pub contact: Option<Person>,
}

/// What the channel itself says of an order, for reconciliation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelView {
    /// Whether it knows the order.
    pub known: bool,
    /// Its word for the state.
    pub state: Option<String>,
    /// What the guest paid, minor units.
    pub paid: Option<i64>,
    /// What went back, minor units.
    pub refunded: Option<i64>,
    /// Units.
    pub quantity: Option<u32>,
}

/// What a look says before a report is made again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Commands for the order.
    pub learned: Vec<Command>,
    /// The report was carried out.
    pub done: bool,
}

/// Orders that have changed at a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// The orders, whole.
    pub orders: Vec<Snapshot>,
    /// Orders of the list that could not be read.
    pub unread: usize,
    /// Where the list goes on.
    pub next: Option<String>,
}

/// What is left of a product on a date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockLeft<'a> {
    /// The product.
    pub product: &'a crate::id::ProductCode,
    /// The date.
    pub date: Date,
    /// Units.
    pub left: i64,
    /// When it was counted.
    pub as_of: UnixMillis,
    /// What the channel said last of the product, if it ever did.
    pub listing: Option<&'a Listing>,
}

/// A place that sells.
pub trait Channel: Send + Sync {
    /// What it is and can do.
    fn spec(&self) -> &ChannelSpec;
    /// What it demands of its orders.
    fn rules(&self) -> ChannelRules;
    /// Checks who calls, on the bytes received. There is no default.
    fn verify<'a>(&self, raw: RawRequest<'a>, cx: &Context<'_>) -> Result<Verified<'a>, AuthError>;
    /// The same check, told step by step.
    fn explain_verify(&self, raw: RawRequest<'_>, cx: &Context<'_>) -> Vec<VerifyStep>;
    /// Reads a verified message.
    fn decode(&self, request: &Verified<'_>) -> Result<Inbound, DecodeError>;
    /// Puts an answer into the channel's words. `inbound` is what was read, if it came that far.
    fn reply(&self, endpoint: &str, inbound: Option<&Inbound>, answer: &Answer<'_>) -> HttpReply;
    /// Writes a report.
    fn notify(&self, notification: &Notification, order: &Order, cx: &Context<'_>) -> Result<Call, EncodeError>;
    /// Reads the answer to it. One that names another order than `order` is [`CallResult::Astray`].
    fn read_notification(&self, notification: &Notification, order: &Order, response: &HttpResponse)
    -> CallResult<Yes>;
    /// What a person calls this state of an order, in the channel's language.
    fn label(&self, order: &Order) -> String;

    /// The calls that fetch an access token, the best one first: one that a partner may not have has another one behind it. Only where
    /// `spec` says that a token is needed.
    fn token_calls(&self, _cx: &Context<'_>) -> Result<Vec<Call>, EncodeError> {
        Err(EncodeError::Unsupported("an access token"))
    }
    /// Reads the answer to any of them.
    fn read_token(&self, _response: &HttpResponse) -> CallResult<Token> {
        CallResult::Refused { code: "unsupported".into(), why: "this channel has no access tokens".into() }
    }
    /// The call that opens the channel's cipher.
    fn decrypt_call(&self, _order: &Order, _cx: &Context<'_>) -> Result<Call, EncodeError> {
        Err(EncodeError::Unsupported("online decryption"))
    }
    /// Reads the answer to it.
    fn read_decrypted(&self, _order: &Order, _response: &HttpResponse) -> CallResult<OpenedGuests> {
        CallResult::Refused { code: "unsupported".into(), why: "this channel has no online decryption".into() }
    }
    /// The clear text of a field that the channel encrypts with a secret that is shared with it; `None` where it is no such field.
    fn opened(&self, _field: &str) -> Option<String> {
        None
    }
    /// Signs a request of the channel's as the channel would, by the secrets of the settings: a recording is played with secrets of its own.
    fn sign_again(&self, _request: &mut Replayed, _now: UnixMillis) {}
    /// What else the answer to a report says: commands for the order, carried out before the outcome is recorded.
    fn learned(&self, _notification: &Notification, _order: &Order, _response: &HttpResponse) -> Vec<Command> {
        Vec::new()
    }
    /// The call that asks the channel for a whole order by its number.
    fn read_back(&self, _about: &ExternalId, _cx: &Context<'_>) -> Result<Call, EncodeError> {
        Err(EncodeError::Unsupported("asking for an order"))
    }
    /// Reads the answer to it; it must be about the order that was asked for.
    fn read_read_back(&self, _about: &ExternalId, _response: &HttpResponse) -> CallResult<Box<Snapshot>> {
        CallResult::Refused { code: "unsupported".into(), why: "this channel cannot be asked for an order".into() }
    }
    /// The call that asks whether a report was carried out, before it is made again: by default, how the order stands.
    fn check(&self, _notification: &Notification, order: &Order, cx: &Context<'_>) -> Result<Call, EncodeError> {
        self.read_back(&order.channel_order_id, cx)
    }
    /// Reads the answer to it.
    fn read_check(&self, _notification: &Notification, order: &Order, response: &HttpResponse) -> CallResult<Checked> {
        match self.read_read_back(&order.channel_order_id, response) {
            CallResult::Done(snapshot) => CallResult::Done(Checked {
                learned: vec![Command::SyncSnapshot { snapshot, not_for_sale: None, paid_elsewhere: Vec::new() }],
                done: false,
            }),
            other => other.unread(),
        }
    }
    /// The call that lists the orders which changed between two times, page by page.
    fn list_changes(
        &self,
        _from: UnixMillis,
        _to: UnixMillis,
        _cursor: Option<&str>,
        _cx: &Context<'_>,
    ) -> Result<Call, EncodeError> {
        Err(EncodeError::Unsupported("a list of changes"))
    }
    /// Reads the answer to it.
    fn read_changes(&self, _response: &HttpResponse) -> CallResult<Changes> {
        CallResult::Refused { code: "unsupported".into(), why: "this channel lists no changes".into() }
    }
    /// The call that says what is left of a date. `listing` is what the channel said last of the product.
    fn stock_call(&self, _stock: &StockLeft<'_>, _cx: &Context<'_>) -> Result<Call, EncodeError> {
        Err(EncodeError::Unsupported("stock"))
    }
    /// Reads the answer to it.
    fn read_stock(&self, _stock: &StockLeft<'_>, _response: &HttpResponse) -> CallResult<()> {
        CallResult::Refused { code: "unsupported".into(), why: "this channel is not told of stock".into() }
    }
    /// The call that asks the channel how it sees an order.
    fn order_query(&self, _order: &Order, _cx: &Context<'_>) -> Result<Call, EncodeError> {
        Err(EncodeError::Unsupported("an order query"))
    }
    /// Reads the answer to it.
    fn read_order_query(&self, _order: &Order, _response: &HttpResponse) -> CallResult<ChannelView> {
        CallResult::Refused { code: "unsupported".into(), why: "this channel has no order query".into() }
    }
}

/// A kind of channel, as registered.
#[derive(Clone, Copy)]
pub struct ChannelKind {
    /// The word after `adapter =`, and the name of its folder.
    pub name: &'static str,
    /// The settings it knows: keys, and where a setting holds tables also the paths of their keys, `*` for any element of a list.
    pub settings: &'static [&'static str],
    /// The settings that are secrets: paths, `*` for any element of a list.
    pub secrets: &'static [&'static str],
    /// The currency that it sells in.
    pub sells_in: SellsIn,
    /// Addresses of its own, where the partner's contract fixes them; `None` where each call is `POST /channels/{id}/{call}`.
    pub face: Option<&'static Face>,
    /// Makes one of its settings, in which every secret is clear text. `id` is its name in the configuration.
    pub build: fn(id: &str, settings: &serde_json::Value) -> Built<dyn Channel>,
}

/// Which currency the channels of a kind sell in (ISO 4217).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SellsIn {
    /// This one.
    Always(&'static str),
    /// The one that this setting names.
    Setting(&'static str),
}

/// Addresses that a partner's contract fixes, for all channels of a kind: whose a call is shows in its head. Each call is also one of
/// `POST /channels/{id}/{call}`, in which form it is recorded and can be played again.
#[derive(Clone, Copy, Debug)]
pub struct Face {
    /// The first part of the addresses.
    pub root: &'static str,
    /// Which call is meant by a method and the rest of an address, with the query that the call gets; `None` where it is none.
    pub route: fn(method: &Method, path: &str, query: &str, cx: &Context<'_>) -> Option<Routed>,
    /// A refusal that no channel has words for, as the contract writes it.
    pub refusal: fn(status: StatusCode, sentence: &str) -> HttpReply,
    /// Headers that belong to every answer.
    pub dress: fn(reply: &HttpReply, headers: &mut HeaderMap),
}

/// A call that an address means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routed {
    /// The name of the call.
    pub endpoint: &'static str,
    /// Its query: what stood in the address, and what stood in the query itself.
    pub query: String,
}
