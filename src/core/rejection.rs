// SPDX-License-Identifier: Apache-2.0

//! Why something is refused: a stable code, a sentence that says what to do, and the field at fault when there is one.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

macro_rules! whys {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)+) => {
        /// The stable codes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Why { $($(#[$doc])* $name,)+ }
        impl Why {
            /// All of them.
            pub const ALL: &'static [Why] = &[$(Why::$name),+];
            /// The code as integrators write it down.
            pub fn code(self) -> &'static str {
                match self { $(Why::$name => $code,)+ }
            }
        }
    };
}

whys! {
    /// No unit left.
    OutOfStock = "out_of_stock",
    /// The product is not sold (any more), or is not known.
    OffSale = "off_sale",
    /// A visitor already holds a ticket for the date.
    VisitorHasTicket = "visitor_has_ticket",
    /// The date cannot be booked.
    DateNotBookable = "date_not_bookable",
    /// A visitor is too young or too old.
    AgeLimit = "age_limit",
    /// The product is for the other sex.
    SexLimit = "sex_limit",
    /// The document has used up its share.
    DocumentLimit = "document_limit",
    /// The phone has used up its share.
    PhoneLimit = "phone_limit",
    /// Too many units in one order.
    QuantityLimit = "quantity_limit",
    /// A phone number is missing.
    PhoneMissing = "phone_missing",
    /// A document is missing.
    DocumentMissing = "document_missing",
    /// A name is missing.
    NameMissing = "name_missing",
    /// The number of visitors does not fit the units.
    VisitorsMismatch = "visitors_mismatch",
    /// A phone number is not one.
    PhoneMalformed = "phone_malformed",
    /// A document number is not one.
    DocumentMalformed = "document_malformed",
    /// A kind of document that the product does not accept.
    DocumentNotAccepted = "document_not_accepted",
    /// A name is not one.
    NameMalformed = "name_malformed",
    /// The distributor's credit does not suffice.
    CreditTooLow = "credit_too_low",
    /// The channel's price is not ours.
    PriceMismatch = "price_mismatch",
    /// The order is known, with other content.
    ContentDiffers = "content_differs",
    /// The order was cancelled before it was told.
    Tombstoned = "tombstoned",
    /// There is an active booking already.
    AlreadyBooked = "already_booked",
    /// The order is not paid.
    NotPaid = "not_paid",
    /// A refund is under review; reject it first.
    RefundUnderReview = "refund_under_review",
    /// It was used.
    AlreadyRedeemed = "already_redeemed",
    /// The visit date has not come.
    TooEarly = "too_early",
    /// There are no tickets.
    NotTicketed = "not_ticketed",
    /// There are tickets already.
    AlreadyTicketed = "already_ticketed",
    /// The order belongs to a partner's own system.
    ReadOnlyOrder = "read_only_order",
    /// Somebody else changed it meanwhile.
    VersionConflict = "version_conflict",
    /// It is cancelled.
    AlreadyCancelled = "already_cancelled",
    /// There is no active booking.
    NotBooked = "not_booked",
    /// The booking does not wait for a decision.
    NotWaiting = "not_waiting",
    /// The refund case is decided.
    AlreadyDecided = "already_decided",
    /// The tickets must go with this rejection, and there are none.
    TicketsMissing = "tickets_missing",
    /// Negative, or above the channel's.
    FeeOutOfRange = "fee_out_of_range",
    /// Nothing was paid through the channel.
    NoPayment = "no_payment",
    /// A fee may be lowered, never raised.
    FeeAboveDefault = "fee_above_default",
    /// More than can still go back.
    RefundExceeds = "refund_exceeds",
    /// The channel lets nobody cancel a part.
    PartialNotAllowed = "partial_not_allowed",
    /// It was not used yet.
    NotUsed = "not_used",
    /// There is nothing to pay by a link.
    LinkNotNeeded = "link_not_needed",
    /// The channel has no such thing.
    NotSupported = "not_supported",
    /// There is no such thing.
    NotFound = "not_found",
    /// A value is not allowed.
    Invalid = "invalid",
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[error("{sentence}")]
pub struct Rejection {
    /// The stable code.
    pub why: Why,
    /// What is wrong and what to do first; without personal data.
    pub sentence: Cow<'static, str>,
    /// The field at fault.
    pub field: Option<Cow<'static, str>>,
}

impl Rejection {
    /// A refusal.
    pub fn new(why: Why, sentence: impl Into<Cow<'static, str>>) -> Self {
        Self { why, sentence: sentence.into(), field: None }
    }
    /// The same, naming the field at fault.
    pub fn at(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        self.field = Some(field.into());
        self
    }
}
