//! A system that issues tickets. What only some of them can do is in [`crate::port::Availability`] and its neighbours.

use crate::id::BookingId;
use crate::message::TicketFacts;
use crate::port::{
    Availability, BackendTable, Built, Calls, CodePool, Hints, Holds, LiveCheck, LiveProduct, Pushes, Talks, WatchPlan,
};
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
    pub what: String,
    /// What it means.
    pub news: BackendNews,
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
    /// What of a product's `ticketing` it looks at, beside the product's name there ([`BackendTerms`]).
    pub terms: &'static [&'static str],
    /// Makes one of its settings, in which every secret is clear text. `id` is its name in the configuration.
    pub build: fn(id: &str, settings: &serde_json::Value) -> Built<dyn Backend>,
}
