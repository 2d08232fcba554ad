// SPDX-License-Identifier: Apache-2.0

//! What must hold in every world that can be reached.

use std::hash::{DefaultHasher, Hash, Hasher};

use stateright::Property;
use ticketbridge_core::invariants::violations;
use ticketbridge_core::order::channel_state::{LinkState, Proposal, Stage};
use ticketbridge_core::order::{AttentionKind, BookingState, OrderState, RefundState, TicketingState};

use super::Search;
use super::partners;
use super::world::{Action, Fate, Held, Lane, World};

pub(crate) const AGREE: &str = "once quiet, both sides say the same of the booking, or somebody is told";
pub(crate) const MONEY_AGREES: &str = "once quiet, both sides count the same money";
pub(crate) const NO_LIVE_TICKET_BEHIND: &str =
    "once quiet, no ticket admits behind a booking that is off, unless somebody is told";
pub(crate) const NO_LINK_FOR_NOTHING: &str =
    "once quiet, no link collects for what is off, wanted out of, or paid, unless somebody is told";

pub(crate) const NO_REFUND_FOR_NOTHING: &str = "once quiet, a request is open here only while it stands there";

/// All of them.
pub(crate) fn all() -> Vec<Property<Search>> {
    vec![
        Property::always("the core never stops, and its invariants hold", |_, w: &World| {
            !w.stopped && violations(&w.order).is_empty()
        }),
        Property::always("the platform is never asked for what may not be", |_, w: &World| w.wrong.is_none()),
        Property::always("what is off there is never alive here again", |_, w: &World| {
            !(w.order.channel_state.as_deref().is_some_and(|m| m.standing.stage.is_off())
                && w.order.active_booking().is_some())
        }),
        Property::always("no more goes back than came in", |_, w: &World| {
            let there = &w.there;
            there.returned() + there.returning() <= there.received()
        }),
        Property::always(AGREE, agree),
        Property::always(MONEY_AGREES, money_agrees),
        Property::always(
            "once quiet, what is kept of an order that is off is its fee, or somebody is told",
            kept_is_fee,
        ),
        Property::always(NO_LIVE_TICKET_BEHIND, no_live_ticket_behind),
        Property::always("once quiet, nobody entered on what is off, unless somebody is told", used_or_off),
        Property::always("once quiet, a guest who entered is recorded, or somebody is told", no_forgotten_visit),
        Property::always("once quiet, an open request to cancel waits for somebody who knows", no_forgotten_refund),
        Property::always(NO_REFUND_FOR_NOTHING, no_refund_for_nothing),
        Property::always("once quiet, nothing is still being asked for, unless somebody is told", nothing_wanted),
        Property::always("once quiet, a booking that waits for a manager is shown to one", no_forgotten_booking),
        Property::always(
            "once quiet, no confirmed booking lacks tickets, unless somebody is told",
            nobody_waits_unseen,
        ),
        Property::always(NO_LINK_FOR_NOTHING, no_link_for_nothing),
        Property::always("once quiet, both sides say the same of the last link", links_agree),
        Property::always("the date holds the units that live", stock_is_right),
        Property::always("left alone, everything comes to rest", comes_to_rest),
    ]
}

/// Flags by which a person knows that both sides differ.
const DIFFER: [AttentionKind; 3] =
    [AttentionKind::Contradiction, AttentionKind::NotificationRefused, AttentionKind::ManualTask];

fn booking(w: &World) -> Option<BookingState> {
    w.order.booking.as_ref().map(|b| b.state)
}

fn agree(_: &Search, w: &World) -> bool {
    if !w.is_quiet() {
        return true;
    }
    let Some(here) = booking(w) else { return false };
    let same = match w.there.stage {
        Stage::Requested => here == BookingState::Requested,
        Stage::Confirmed => here == BookingState::Confirmed,
        Stage::CancelRequested { confirmed } => {
            here == if confirmed { BookingState::Confirmed } else { BookingState::Requested }
        }
        Stage::Rejected => matches!(here, BookingState::Rejected | BookingState::Cancelled),
        Stage::Cancelled => here == BookingState::Cancelled,
        Stage::Used | Stage::NoShow => matches!(here, BookingState::Used | BookingState::NoShow),
    };
    // A platform that keeps no record of who did not come goes on believing in the visit, and one of packages in every visit.
    let untold = here == BookingState::NoShow
        || (here == BookingState::Used && w.there.terms.style == crate::platform::Style::Packages);
    same || (untold && w.there.stage.is_ahead()) || w.needs_any(&DIFFER)
}

fn money_agrees(_: &Search, w: &World) -> bool {
    let (here, there) = (&w.order.money, &w.there);
    !w.is_quiet()
        || (here.received() == there.received()
            && here.refunded() == there.returned()
            && here.refund_pending() == there.returning())
}

fn kept_is_fee(_: &Search, w: &World) -> bool {
    let money = &w.order.money;
    if !w.is_quiet() || w.order.state != OrderState::Cancelled {
        return true;
    }
    let held = money.received() - money.refunded() - money.refund_pending();
    held == money.fee()
        || w.needs_any(&[
            AttentionKind::RefundFailed,
            AttentionKind::UnexpectedPayment,
            AttentionKind::NotificationRefused,
            AttentionKind::ManualTask,
        ])
}

fn is_off(w: &World) -> bool {
    matches!(booking(w), Some(BookingState::Rejected | BookingState::Cancelled))
}

fn no_live_ticket_behind(_: &Search, w: &World) -> bool {
    let after_use = w.order.booking.as_ref().is_some_and(|b| b.used_at.is_some());
    !w.is_quiet()
        || w.held != Held::Live
        || !is_off(w)
        || after_use
        || was_missed(w)
        || w.needs_any(&[AttentionKind::LiveTicketBehindRefund, AttentionKind::RedeemedWhileRefunded])
}

/// It was cancelled after the guest had been marked as not come.
fn was_missed(w: &World) -> bool {
    w.there.off.as_ref().is_some_and(|off| off.ex_officio)
}

fn used_or_off(_: &Search, w: &World) -> bool {
    !w.is_quiet()
        || w.held != Held::Used
        || !is_off(w)
        || w.order.booking.as_ref().is_some_and(|b| b.used_at.is_some())
        || was_missed(w)
        || w.needs_any(&[
            AttentionKind::RedeemedWhileRefunded,
            AttentionKind::LiveTicketBehindRefund,
            AttentionKind::Contradiction,
        ])
}

fn no_forgotten_visit(_: &Search, w: &World) -> bool {
    if !w.is_quiet() || w.held != Held::Used || is_off(w) || booking(w) == Some(BookingState::Used) {
        return true;
    }
    w.order.parked_redemption.is_some()
        || w.needs_any(&[
            AttentionKind::RefundUnderReview,
            AttentionKind::TooEarly,
            AttentionKind::NotTicketed,
            AttentionKind::Contradiction,
        ])
        // The platform called it a visit by the time that nobody had come.
        || (booking(w) == Some(BookingState::NoShow) && w.there.stage == Stage::NoShow)
}

fn no_forgotten_refund(_: &Search, w: &World) -> bool {
    let Some(case) = w.order.refund_case.as_ref().filter(|case| case.is_open()) else { return true };
    let seen = match case.state {
        RefundState::UnderReview => w.needs_any(&[
            AttentionKind::RefundWaits,
            AttentionKind::CancelRefused,
            AttentionKind::ReviewOverdue,
            AttentionKind::NotificationRefused,
        ]),
        // The platform has been told, and has not done it: that is told too.
        _ => w.needs_any(&DIFFER),
    };
    !w.is_quiet() || seen
}

fn no_refund_for_nothing(_: &Search, w: &World) -> bool {
    let stands = matches!(w.there.stage, Stage::CancelRequested { .. });
    !w.is_quiet() || stands || !w.order.refund_case.as_ref().is_some_and(|case| case.is_open())
}

fn nothing_wanted(_: &Search, w: &World) -> bool {
    let Some(channel_state) = w.order.channel_state.as_deref().filter(|_| w.is_quiet()) else { return true };
    let tickets_come = w.order.booking.as_ref().is_some_and(|b| b.ticketing.state.is_awaited());
    match &channel_state.proposal {
        None => true,
        Some(Proposal::Confirm) if tickets_come => {
            w.needs_any(&[AttentionKind::TicketingFailed, AttentionKind::TicketingOverdue])
        }
        Some(_) => w.needs_any(&DIFFER) || w.needs_any(&[AttentionKind::TicketingFailed]),
    }
}

fn no_forgotten_booking(_: &Search, w: &World) -> bool {
    let waits = booking(w) == Some(BookingState::Requested)
        && w.order.case_under_review().is_none()
        && w.there.stage == Stage::Requested
        && w.order.channel_state.as_deref().is_some_and(|m| m.standing.needs_decision);
    !w.is_quiet()
        || !waits
        || w.needs_any(&[AttentionKind::WaitsForConfirmation, AttentionKind::TicketingFailed])
        || w.needs_any(&DIFFER)
}

fn nobody_waits_unseen(_: &Search, w: &World) -> bool {
    let Some(b) = w.order.active_booking().filter(|b| b.state == BookingState::Confirmed) else { return true };
    let has_tickets = matches!(b.ticketing.state, TicketingState::Issued | TicketingState::NotNeeded);
    let to_come = b.ticketing.deadline.is_some_and(|due_at| due_at > w.now());
    !w.is_quiet()
        || has_tickets
        || to_come
        || w.needs_any(&[
            AttentionKind::TicketingOverdue,
            AttentionKind::TicketingFailed,
            AttentionKind::CancelRefused,
            AttentionKind::RefundWaits,
            AttentionKind::Contradiction,
            AttentionKind::NotTicketed,
        ])
}

fn no_link_for_nothing(_: &Search, w: &World) -> bool {
    let live = w.there.links.iter().filter(|(_, state)| *state == LinkState::Live).count();
    let held = w.there.received() - w.there.returned() - w.there.returning();
    let is_for_something = w.there.stage == Stage::Confirmed && held < w.there.due;
    !w.is_quiet() || live == 0 || (live == 1 && is_for_something) || w.needs_any(&DIFFER) || w.order.is_over()
}

fn links_agree(_: &Search, w: &World) -> bool {
    let here: Vec<_> = w.order.channel_state.iter().flat_map(|m| &m.links).filter(|link| link.id.is_some()).collect();
    let alike = here.iter().all(|link| {
        let there = w.there.links.iter().find(|(id, _)| Some(id) == link.id.as_ref());
        // That one has ended is told by its event alone: where that is lost, its time ends it here.
        there.is_none_or(|(_, state)| *state != LinkState::Live || link.state == LinkState::Live)
    });
    !w.is_quiet() || alike || w.needs_any(&DIFFER)
}

fn stock_is_right(_: &Search, w: &World) -> bool {
    let live = i64::from(w.order.live_units());
    match booking(w) {
        None => w.stock == 0,
        Some(BookingState::Requested | BookingState::Confirmed) => w.stock == live,
        // What was used, or missed, has taken its place, whatever is cancelled afterwards.
        Some(BookingState::Used | BookingState::NoShow) => (live..=3).contains(&w.stock),
        Some(BookingState::Rejected | BookingState::Cancelled) => {
            // A visit that was cancelled afterwards has taken its place.
            let after_use = was_missed(w) || w.order.booking.as_ref().is_some_and(|b| b.used_at.is_some());
            w.stock == 0 || after_use
        }
    }
}

/// From one world in so many everything that waits is worked off, in order and without a mishap: it must come to an end.
const LOOKED_AT: u64 = 40;
/// Steps after which whatever still moves is taken to move for ever.
const STEPS_MAX: usize = 60;

fn fingerprint(w: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    w.hash(&mut hasher);
    hasher.finish()
}

fn comes_to_rest(search: &Search, w: &World) -> bool {
    if w.rows.is_empty() || w.stopped || w.wrong.is_some() || !fingerprint(w).is_multiple_of(LOOKED_AT) {
        return true;
    }
    let mut world = w.clone();
    for _ in 0..STEPS_MAX {
        let action = if world.head(Lane::Backend).is_some() {
            Action::Call(Lane::Backend, Fate::Done)
        } else if world.head(Lane::Channel).is_some() {
            Action::Call(Lane::Channel, Fate::Done)
        } else if !world.mail.is_empty() {
            Action::Receive(0)
        } else {
            return true;
        };
        partners::act(search, &mut world, &action);
        world.close_unwanted();
    }
    false
}
