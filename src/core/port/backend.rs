// SPDX-License-Identifier: Apache-2.0

//! A system that issues tickets. What only some of them can do is in [`crate::port::Availability`] and its neighbours.

use crate::id::BookingId;
use crate::message::{GateCount, TicketFacts};
use crate::order::{Booking, Order, TicketKind};
use crate::personal::DocumentNumber;
use crate::port::{
    Availability, BackendTable, Built, Calls, CodePool, Hints, Holds, LiveCheck, LiveProduct, Pushes, Talks, WatchPlan,
};
use crate::quoted::{ForeignCode, ForeignNumber};
use crate::time::UnixMillis;

/// What a back-end is and can do.
#[derive(Clone, Debug)]
pub struct BackendSpec {
    /// A repeated issue call with the same delivery id makes no second set of tickets.
    pub issue_is_idempotent: bool,
    /// It can be asked how a reservation stands.
    pub can_query: bool,
    /// What it can do, as rules ask for it.
    pub table: BackendTable,
    /// When it is asked whether guests have come; `None` where it tells, or cannot be asked.
    pub watch: Option<WatchPlan>,
    /// The same and more, for `GET /ops/v1/backends`.
    pub capabilities: serde_json::Value,
}

/// Why a hint is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HintError {
    /// The back-end has no address for hints, or another one.
    WrongAddress,
    /// It does not say what it is about.
    AboutNothing,
}

/// What a back-end tells by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendEvent {
    /// Its key for the event: the same key is the same event.
    pub key: String,
    /// Which reservation.
    pub booking: BookingId,
    /// Its word for it.
    pub what: ForeignCode,
    /// What it means.
    pub news: BackendNews,
    /// What else it names.
    pub clues: Clues,
}

/// What an event names beside the number of the reservation. An event that names something of another reservation is not about this one,
/// whatever its number says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clues {
    /// Our number for the reservation, said again.
    pub reservation: Option<ForeignNumber>,
    /// Our number for the order.
    pub order: Option<ForeignNumber>,
    /// The back-end's own number for the reservation.
    pub backend_ref: Option<ForeignNumber>,
    /// What was read at the gate.
    pub code: Option<DocumentNumber>,
    /// How many guests have entered so far.
    pub entered: Option<i64>,
}

impl Clues {
    /// Who went in, where the event says it.
    pub fn count(&self) -> Option<GateCount> {
        let guests = self.entered.map(|entered| u32::try_from(entered).unwrap_or(u32::MAX));
        let count = GateCount { code: self.code.clone(), guests };
        (count != GateCount::default()).then_some(count)
    }
    /// The field of the event that names something which is not this booking's, if there is one.
    pub fn another(&self, order: &Order, booking: &Booking) -> Option<&'static str> {
        let t = &booking.ticketing;
        let is_other = |named: &Option<ForeignNumber>, ours: &str| named.as_ref().is_some_and(|named| *named != *ours);
        if is_other(&self.reservation, booking.id.as_str()) {
            return Some("data.reservation_id");
        }
        if is_other(&self.order, order.id.as_str()) {
            return Some("data.order_id");
        }
        if t.backend_ref.as_ref().is_some_and(|ours| is_other(&self.backend_ref, ours.reveal())) {
            return Some("data.backend_ref");
        }
        if self.code.as_ref().is_some_and(|code| !may_be_ours(code, booking)) {
            return Some("data.code");
        }
        let guests = i64::from(order.quantity.saturating_mul(order.rules.booking.visitors_per_unit.max(1)));
        let most = guests.max(i64::try_from(t.tickets.len()).unwrap_or(i64::MAX));
        self.entered.is_some_and(|entered| !(1..=most).contains(&entered)).then_some("data.used")
    }
}

/// Whether a code that was read at the gate may be one of this booking's. Of tickets made by hand the gate may know others than we do, and of
/// an address or a document it reads something else than what the guest was given.
fn may_be_ours(code: &DocumentNumber, booking: &Booking) -> bool {
    let t = &booking.ticketing;
    let is_read_as_given = |kind: TicketKind| match kind {
        TicketKind::Code | TicketKind::Qr => true,
        TicketKind::Url | TicketKind::Document => false,
    };
    t.manual
        || t.tickets.is_empty()
        || t.may_admit()
            .any(|ticket| !is_read_as_given(ticket.kind) || ticket.code.reveal().trim() == code.reveal().trim())
}

/// What a back-end's event means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendNews {
    /// How the reservation stands.
    Facts(TicketFacts),
    /// The guest was there.
    Redeemed {
        /// When.
        at: UnixMillis,
    },
    /// Of no concern to us.
    Ignored,
}

/// A system that issues tickets.
pub trait Backend: Send + Sync {
    /// What it is and can do.
    fn spec(&self) -> &BackendSpec;
    /// How operations on reservations are carried out.
    fn operations(&self) -> Operations<'_>;

    /// How it keeps a place before a booking is confirmed, where the settings want that.
    fn holds(&self) -> Option<&dyn Holds> {
        None
    }
    /// How it tells what happens.
    fn pushes(&self) -> Option<&dyn Pushes> {
        None
    }
    /// How its pushes that nobody signs are followed.
    fn hints(&self) -> Option<&dyn Hints> {
        None
    }
    /// How it is asked what is left of a date.
    fn availability(&self) -> Option<&dyn Availability> {
        None
    }
    /// A check against the running system; `holds` says that a place may be held and released for it.
    fn live_check<'a>(
        &'a self,
        _products: &'a [LiveProduct<'a>],
        _holds: bool,
        _nonce: [u8; 16],
    ) -> Option<Box<dyn LiveCheck + 'a>> {
        None
    }
}

/// How operations on reservations are carried out.
#[derive(Clone, Copy)]
pub enum Operations<'a> {
    /// By one call each.
    Calls(&'a dyn Calls),
    /// By several.
    Talks(&'a dyn Talks),
    /// Without any: by codes out of a pool of ours.
    Pool(&'a dyn CodePool),
}

/// A kind of back-end, as registered.
#[derive(Clone, Copy)]
pub struct BackendKind {
    /// The word after `adapter =`, and the name of its folder.
    pub name: &'static str,
    /// The settings it knows: keys, and where a setting holds tables also the paths of their keys, `*` for any element of a list.
    pub settings: &'static [&'static str],
    /// The settings that are secrets: paths, `*` for any element of a list.
    pub secrets: &'static [&'static str],
    /// The settings that are addresses of the partner: paths.
    pub addresses: &'static [&'static str],
    /// What of a product's `ticketing` it looks at, beside the product's name there ([`BackendTerms`](crate::product::BackendTerms)).
    pub terms: &'static [&'static str],
    /// Makes one of its settings, in which every secret is clear text. `id` is its name in the configuration.
    pub build: fn(id: &str, settings: &serde_json::Value) -> Built<dyn Backend>,
}
