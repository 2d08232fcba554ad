// SPDX-License-Identifier: Apache-2.0

//! A place that sells: what every channel does. What only some can do is in [`crate::port::AccessTokens`] and its neighbours.

use http::{HeaderMap, Method, StatusCode};

use crate::message::{Command, Notification, Snapshot};
use crate::order::Order;
use crate::port::{
    AccessTokens, Answer, AuthError, Built, Call, CallResult, ChangeList, Cipher, Context, DecodeError, EncodeError,
    HttpReply, HttpResponse, Inbound, Listing, OrderQuery, RawRequest, ReadBack, Replayed, TakesStock, Verified,
    VerifyFirst, VerifyStep, Yes,
};
use crate::product::ChannelRules;
use crate::quoted::ForeignCode;
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
    /// Most calls a second towards it; `None` is unlimited.
    pub calls_per_second: Option<u32>,
}

/// What the channel itself says of an order, for reconciliation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelView {
    /// Whether it knows the order.
    pub known: bool,
    /// Its word for the state.
    pub state: Option<ForeignCode>,
    /// What the guest paid, minor units.
    pub paid: Option<i64>,
    /// What went back, minor units.
    pub refunded: Option<i64>,
    /// Units.
    pub quantity: Option<u32>,
}

/// What is known before a notification is made again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Commands for the order.
    pub learned: Vec<Command>,
    /// Whether the notification was carried out.
    pub carried_out: CarriedOut,
}

/// Whether a notification was carried out, as far as whoever was asked shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CarriedOut {
    /// It shows.
    Yes,
    /// It does not.
    No,
    /// The order is there, and nothing of what was to be told is shown. A yes is believed then, and what had no answer is told again.
    Unsaid,
}

impl CarriedOut {
    /// Whether a yes that was given is believed.
    pub fn bears_out_a_yes(self) -> bool {
        match self {
            CarriedOut::Yes | CarriedOut::Unsaid => true,
            CarriedOut::No => false,
        }
    }
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
    /// When a message that is believed was sent, as far as it says so.
    fn sent_at(&self, _: &Verified<'_>) -> Option<UnixMillis> {
        None
    }
    /// The order that a message which is believed names, as far as that can be read, whatever else is wrong with it.
    fn named_in(&self, _: &Verified<'_>) -> Option<crate::id::ExternalId> {
        None
    }
    /// Puts an answer into the channel's words. `inbound` is what was read, if it came that far.
    fn reply(&self, endpoint: &str, inbound: Option<&Inbound>, answer: &Answer<'_>) -> HttpReply;
    /// Writes a notification.
    fn notify(&self, notification: &Notification, order: &Order, cx: &Context<'_>) -> Result<Call, EncodeError>;
    /// Reads the answer to it. One that names another order than `order` is [`CallResult::Astray`].
    fn read_notification(&self, notification: &Notification, order: &Order, response: &HttpResponse)
    -> CallResult<Yes>;
    /// What a person calls this state of an order, in the channel's language.
    fn label(&self, order: &Order) -> String;

    /// Signs a request of the channel's as the channel would, by the secrets of the settings: a recording is played with secrets of its own.
    fn sign_again(&self, request: &mut Replayed, now: UnixMillis);
    /// What else the answer to a notification says: commands for the order, carried out before the outcome is recorded.
    fn learned(&self, _notification: &Notification, _order: &Order, _response: &HttpResponse) -> Vec<Command> {
        Vec::new()
    }

    /// What its calls need before they are made.
    fn access_tokens(&self) -> Option<&dyn AccessTokens> {
        None
    }
    /// How guests' data is opened.
    fn cipher(&self) -> Option<&dyn Cipher> {
        None
    }
    /// How it is asked for a whole order.
    fn read_back(&self) -> Option<&dyn ReadBack> {
        None
    }
    /// How it, or whoever is told in its place, is asked whether this notification was carried out.
    fn verify_first(&self, _notification: &Notification) -> Option<&dyn VerifyFirst> {
        None
    }
    /// How it is asked what has changed.
    fn change_list(&self) -> Option<&dyn ChangeList> {
        None
    }
    /// How it is told what is left of a date.
    fn takes_stock(&self) -> Option<&dyn TakesStock> {
        None
    }
    /// How it is asked how it sees an order.
    fn order_query(&self) -> Option<&dyn OrderQuery> {
        None
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
    /// The settings that are addresses of the partner: paths.
    pub addresses: &'static [&'static str],
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
    /// Headers that belong to every answer; `asked` are those of the request.
    pub dress: fn(asked: &HeaderMap, reply: &HttpReply, headers: &mut HeaderMap),
    /// An answer as whoever sent these headers wants it, where that is another one than everybody's.
    pub wanted: fn(asked: &HeaderMap, body: &[u8]) -> Option<Vec<u8>>,
}

/// A call that an address means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routed {
    /// The name of the call.
    pub endpoint: &'static str,
    /// Its query: what stood in the address, and what stood in the query itself.
    pub query: String,
}
