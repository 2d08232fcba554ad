// SPDX-License-Identifier: Apache-2.0

//! What goes into the core and comes out of it: commands with what they carry, events, and effects.

mod command;
mod destination;
mod effect;
mod event;
mod given_out;
mod hold;
mod people;
mod refund;
mod sale;
mod snapshot;
mod ticket_facts;

pub use crate::notification::{Notification, NotificationOutcome, ToldBefore};
pub use command::{Command, WhenUnknown};
pub use destination::Destination;
pub use effect::{DeadlineKind, Effect, StockKey, TicketOp};
pub use event::{Actor, ActorKind, Event, EventRecord};
pub use given_out::GivenOut;
pub use hold::{ChangeHold, ChangeUnit, ConfirmHold, NewTerms, OptionName, OtherVisit, ReservationAct};
pub use refund::{ApplyRefund, NamedCopy, RecordCancellation, RecordRefund, RecordRejection, RefundScope};
pub use sale::{Counts, HoldWish, PlaceOrder, ProductRef, RequestBooking, Sale};
pub use snapshot::{Cancelled, LinkNews, ReturnNews, Snapshot};
pub use ticket_facts::{GateCount, Held, Keeps, NewTicket, ParkReason, Redeem, RedeemedBy, TicketFacts};
