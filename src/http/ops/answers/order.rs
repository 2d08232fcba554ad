// SPDX-License-Identifier: Apache-2.0

//! An order, and what it consists of.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use ticketbridge_core::order::channel_state::{Line, LinkState, Proposal};
use ticketbridge_core::order::money::PaymentState;
use ticketbridge_core::order::{
    AttentionKind, BookingState, CancelReason, Handover, OrderKind, OrderState, TicketKind, TicketingState,
};
use ticketbridge_core::personal::{self, PersonName, Phone};
use ticketbridge_core::product::{Currency, RuleSnapshot};
use ticketbridge_core::quoted::{ForeignName, ForeignNote, ForeignNumber, FreeText};
use ticketbridge_core::{BackendId, BookingId, ChannelId, Date as Day, ExternalId, OrderId, ProductCode, TicketId};

use super::history::Delivery;
use super::refund::RefundCase;
use super::{Date, Time, or_null};
use crate::http::ops::words;

/// An order. Guests' data is masked.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "order")]
pub(crate) struct Order<'a> {
    #[schemars(with = "String")]
    pub(crate) id: &'a OrderId,
    #[schemars(with = "String")]
    pub(crate) channel: &'a ChannelId,
    #[schemars(with = "String")]
    pub(crate) channel_order_id: &'a ExternalId,
    #[schemars(with = "String", extend("enum" = words::ORDER_KINDS))]
    pub(crate) kind: OrderKind,
    #[schemars(with = "String", extend("enum" = words::ORDER_STATES))]
    pub(crate) state: OrderState,
    #[schemars(with = "Option<String>", extend("enum" = or_null(words::CANCEL_REASONS)))]
    pub(crate) cancel_reason: Option<CancelReason>,
    #[schemars(with = "String")]
    pub(crate) product: &'a ProductCode,
    pub(crate) quantity: u32,
    /// What a person of the channel calls this state.
    pub(crate) label: String,
    pub(crate) payment: Payment<'a>,
    pub(crate) buyer: Buyer<'a>,
    pub(crate) booking: Option<Booking<'a>>,
    pub(crate) refund_case: Option<RefundCase<'a>>,
    pub(crate) attention: Option<MostUrgent>,
    /// Everything that a person must look at, most urgent last.
    pub(crate) attentions: Vec<Attention>,
    /// Only in the answer to an act that changed nothing, for it was asked for before: the deliveries that carry it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) under_way: Option<Vec<Delivery<'a>>>,
    /// The channel's own state of the order, where it tells whole orders, and what we have asked of it.
    pub(crate) channel_view: Option<ChannelView<'a>>,
    /// The rules that the order was placed under; a later change of the configuration does not touch them.
    #[schemars(with = "Rules")]
    pub(crate) rules: &'a RuleSnapshot,
    pub(crate) version: u64,
    pub(crate) created_at: Time,
    pub(crate) updated_at: Time,
}

/// The rules of an order, in the words of the configuration.
#[derive(JsonSchema)]
#[schemars(inline)]
#[expect(dead_code, reason = "only ever described; the core writes it")]
struct Rules {
    config_version: u64,
    #[schemars(required)]
    voucher: Option<BTreeMap<String, Value>>,
    booking: BTreeMap<String, Value>,
    channel: BTreeMap<String, Value>,
}

/// Where the money stands, in minor units.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct Payment<'a> {
    #[schemars(with = "String", extend("enum" = words::PAYMENT_STATES))]
    pub(crate) state: PaymentState,
    #[schemars(with = "String")]
    pub(crate) currency: &'a Currency,
    pub(crate) total: i64,
    pub(crate) received: i64,
    pub(crate) refunded: i64,
    pub(crate) fee: i64,
}

/// Who bought it.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct Buyer<'a> {
    #[schemars(with = "Option<String>")]
    pub(crate) name: Option<&'a PersonName>,
    #[schemars(with = "Option<String>")]
    pub(crate) phone: Option<&'a Phone>,
}

/// A booking.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "booking")]
pub(crate) struct Booking<'a> {
    #[schemars(with = "String")]
    pub(crate) id: &'a BookingId,
    #[schemars(with = "String")]
    pub(crate) channel_booking_id: &'a ExternalId,
    #[schemars(with = "String", extend("enum" = words::BOOKING_STATES))]
    pub(crate) state: BookingState,
    #[schemars(with = "String")]
    pub(crate) product: &'a ProductCode,
    #[schemars(with = "Option<Date>")]
    pub(crate) visit_date: Option<Day>,
    #[schemars(with = "Option<Date>")]
    pub(crate) valid_until: Option<Day>,
    pub(crate) visitors: Vec<Person<'a>>,
    pub(crate) ticketing: Ticketing<'a>,
    pub(crate) requested_at: Time,
    pub(crate) accepted_at: Option<Time>,
    pub(crate) used_at: Option<Time>,
}

/// Where the tickets of a booking stand.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct Ticketing<'a> {
    #[schemars(with = "String", extend("enum" = words::TICKETING_STATES))]
    pub(crate) state: TicketingState,
    #[schemars(with = "Option<String>")]
    pub(crate) backend: Option<&'a BackendId>,
    #[schemars(with = "Option<String>")]
    pub(crate) backend_ref: Option<&'a ForeignNumber>,
    pub(crate) deadline: Option<Time>,
    pub(crate) overdue: bool,
    #[schemars(with = "Option<String>")]
    pub(crate) reason: Option<&'a FreeText>,
    #[schemars(with = "String", extend("enum" = words::HANDOVERS))]
    pub(crate) handover: Handover,
    pub(crate) by_hand: bool,
    pub(crate) tickets: Vec<Ticket<'a>>,
    /// What the back-end has called the same tickets since they were handed over.
    pub(crate) other_tickets: Vec<Ticket<'a>>,
}

/// A person, masked unless the answer is in clear.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "person")]
pub(crate) struct Person<'a> {
    #[schemars(with = "Option<String>")]
    pub(crate) name: Option<&'a PersonName>,
    #[schemars(with = "Option<String>")]
    pub(crate) phone: Option<&'a Phone>,
    #[schemars(with = "Option<Document>")]
    pub(crate) document: Option<&'a personal::Document>,
}

impl<'a> From<&'a personal::Person> for Person<'a> {
    fn from(of: &'a personal::Person) -> Self {
        Self { name: of.name.as_ref(), phone: of.phone.as_ref(), document: of.document.as_ref() }
    }
}

/// A document of a person.
#[derive(JsonSchema)]
#[schemars(inline)]
#[expect(dead_code, reason = "only ever described; the core writes it, masked")]
struct Document {
    #[schemars(required)]
    r#type: Option<String>,
    number: String,
}

/// A ticket. Its code is shown, since that is what ops read out to a guest; a document's number stays masked.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ticket")]
pub(crate) struct Ticket<'a> {
    #[schemars(with = "String")]
    pub(crate) id: &'a TicketId,
    pub(crate) code: String,
    #[schemars(with = "String", extend("enum" = words::TICKET_KINDS))]
    pub(crate) kind: TicketKind,
    #[schemars(with = "Option<String>")]
    pub(crate) project_id: Option<&'a ForeignNumber>,
    #[schemars(with = "Option<String>")]
    pub(crate) name: Option<&'a ForeignName>,
}

/// A ticket that a person supplies.
#[derive(JsonSchema)]
#[schemars(rename = "new_ticket", deny_unknown_fields)]
#[expect(dead_code, reason = "only ever described; `body.rs` reads it")]
pub(crate) struct NewTicket {
    code: String,
    // What may be left out of a request is said in the words for what an answer leaves out: the document is made for answers.
    #[schemars(default = "a_code", skip_serializing_if = "String::is_empty", extend("enum" = words::TICKET_KINDS))]
    kind: String,
    #[schemars(skip_serializing_if = "Option::is_none")]
    project_id: Option<String>,
    #[schemars(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

fn a_code() -> String {
    "code".to_owned()
}

/// Something that needs a person.
#[derive(Clone, Serialize, JsonSchema)]
#[schemars(rename = "attention")]
pub(crate) struct Attention {
    #[schemars(with = "String", extend("enum" = words::ATTENTION_KINDS))]
    pub(crate) kind: AttentionKind,
    pub(crate) since: Time,
    /// What is the matter and the command that helps; in Chinese or Korean where Accept-Language asks for it.
    pub(crate) sentence: String,
    /// The command that helps.
    pub(crate) command: String,
    /// The English sentence of this very case, where `sentence` is in another language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<String>,
}

/// The most urgent one.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "most_urgent")]
pub(crate) struct MostUrgent {
    #[serde(flatten)]
    pub(crate) attention: Attention,
    /// How many others there are.
    pub(crate) more: usize,
}

/// The channel's own state of an order, where it is a snapshot channel; and what was asked of it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "channel_view")]
pub(crate) struct ChannelView<'a> {
    pub(crate) revision: u64,
    pub(crate) told_at: Time,
    /// Whether the order is shown and no longer ours to change.
    pub(crate) read_only: bool,
    #[schemars(with = "Vec<BTreeMap<String, Value>>")]
    pub(crate) lines: &'a [Line],
    pub(crate) payments: Vec<ChannelPayment<'a>>,
    /// Until when the guest may cancel.
    pub(crate) cancel_until: Option<Time>,
    /// What we have asked of the channel and it has not decided.
    #[schemars(with = "Option<BTreeMap<String, Value>>")]
    pub(crate) proposal: Option<&'a Proposal>,
    /// Why it cannot be sold here.
    pub(crate) not_for_sale: Option<&'a str>,
    /// Our own number as the channel has it.
    #[schemars(with = "Option<String>")]
    pub(crate) partner_number: Option<&'a ForeignNumber>,
    pub(crate) partner_numbers: Vec<PartnerNumber<'a>>,
    pub(crate) payment_links: Vec<PaymentLink<'a>>,
    /// What the channel tells besides, in its own words.
    #[schemars(with = "BTreeMap<String, String>")]
    pub(crate) extra: &'a BTreeMap<String, ForeignNumber>,
    pub(crate) pays_by: Option<&'a str>,
    #[schemars(with = "BTreeMap<String, String>")]
    pub(crate) notes: &'a BTreeMap<String, ForeignNote>,
}

/// A payment that the channel tells of, in minor units.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct ChannelPayment<'a> {
    pub(crate) id: &'a str,
    /// What is left of it.
    pub(crate) left: i64,
    pub(crate) at: Time,
    /// The payment link that it came by.
    pub(crate) link: Option<&'a str>,
}

/// A number of ours that the channel had for this order.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct PartnerNumber<'a> {
    #[schemars(with = "String")]
    pub(crate) number: &'a ForeignNumber,
    pub(crate) since: Time,
}

/// A payment link.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct PaymentLink<'a> {
    pub(crate) id: Option<&'a str>,
    pub(crate) url: Option<&'a str>,
    pub(crate) amount: i64,
    #[schemars(with = "String")]
    pub(crate) state: LinkState,
    pub(crate) expires_at: Time,
}
