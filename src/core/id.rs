// SPDX-License-Identifier: Apache-2.0

//! Identifiers. Ours carry a prefix and sort by time; those of partners are opaque text. Mixing two does not compile.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// Takes the text as it is.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }
            /// The text of the identifier.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

text_id! {
    /// An order of ours: `ord_` and 32 hex digits of a time-ordered UUID.
    OrderId
}
text_id! {
    /// A booking of ours, `bkg_…`; it is also the reservation id towards back-ends.
    BookingId
}
text_id! {
    /// A refund case, `rfc_…`.
    RefundCaseId
}
text_id! {
    /// A ticket, `tkt_…`.
    TicketId
}
text_id! {
    /// The name of a configured channel, for example `douyin-main`.
    ChannelId
}
text_id! {
    /// The name of a configured back-end, for example `gate`.
    BackendId
}
text_id! {
    /// The channel's own number for a sale or for a booking; never parsed.
    ExternalId
}
text_id! {
    /// The code of a product in the configuration.
    ProductCode
}

/// 128 bits, unique and ordered by time, from which the identifiers of one command are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Seed(pub u128);

impl Seed {
    /// The order id made of this seed.
    pub fn order(self) -> OrderId {
        OrderId(format!("ord_{:032x}", self.0))
    }
    /// The booking id made of this seed.
    pub fn booking(self) -> BookingId {
        BookingId(format!("bkg_{:032x}", self.0))
    }
    /// The refund case id made of this seed.
    pub fn refund_case(self) -> RefundCaseId {
        RefundCaseId(format!("rfc_{:032x}", self.0))
    }
    /// The id of ticket number `index` of one issue.
    pub fn ticket(self, index: usize) -> TicketId {
        TicketId(format!("tkt_{:032x}{index:03}", self.0))
    }
}
