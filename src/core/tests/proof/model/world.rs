// SPDX-License-Identifier: Apache-2.0

//! The state that is searched: an order, its rows and timers, and what its partners hold.

use std::fmt;

use ticketbridge_core::message::{DeadlineKind, RedeemedBy, RefundScope, TicketOp};
use ticketbridge_core::order::{AttentionKind, Handover, RefundKind, RefundSource};
use ticketbridge_core::still_needed::is_still_needed;
use ticketbridge_core::{
    Actor, Answering, BookingId, Command, Effect, Event, Millis, Moment, Notification, Order, Outcome, RefundCaseId,
    Seed, UnixMillis, run,
};

use super::{Fault, Search};
use crate::kept::Kept;
use crate::support::*;

/// What the back-end holds under one reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Held {
    /// It has never heard of it.
    Nothing,
    /// It works on it.
    Working,
    /// It will not issue.
    Refused,
    /// Tickets that admit.
    Live,
    /// Tickets that admit; it works on voiding them.
    CancelWorking,
    /// Void.
    Void,
    /// The guest went in with them.
    Used,
}

/// One reservation, as the outside knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Reservation {
    pub(crate) booking: BookingId,
    /// The back-end's own.
    pub(crate) held: Held,
    /// A ticket made by hand, or the guest's document where none is needed.
    pub(crate) manual: Held,
    /// An issue request that was believed lost is still on its way.
    pub(crate) delayed: bool,
    /// It arrived after the back-end had said that there is nothing: such a ticket is voided as soon as it is seen.
    pub(crate) late: bool,
    /// The channel has asked for the tickets.
    pub(crate) demanded: bool,
    /// The channel was told that the tickets exist.
    pub(crate) told_issued: bool,
    /// The channel was told that the booking is rejected.
    pub(crate) told_rejected: bool,
}

/// What the channel knows of one refund case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Asked {
    pub(crate) case: RefundCaseId,
    /// Reservations that existed then; later ones are another matter.
    pub(crate) reservations: usize,
    pub(crate) told_approved: bool,
    pub(crate) told_rejected: bool,
}

/// News that the back-end has sent and we have not received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum News {
    Issued,
    Refused,
    Cancelled,
    CancelRefused,
    Entered,
}

/// The outside of an order, and the order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) order: Kept,
    /// Calls still to be made, in order.
    pub(crate) rows: Vec<Effect>,
    pub(crate) timers: Vec<(DeadlineKind, UnixMillis)>,
    pub(crate) tick: u8,
    pub(crate) reservations: Vec<Reservation>,
    pub(crate) asked: Vec<Asked>,
    pub(crate) news: Vec<(usize, News)>,
    pub(crate) wishes: u8,
    pub(crate) acts: u8,
    pub(crate) mishaps: u8,
    /// Units of the date and of the voucher that are taken.
    pub(crate) stock: (i8, i8),
    /// Reports of a redemption that were ever decided.
    pub(crate) redemptions_reported: u8,
    /// A person approved without waiting for the back-end.
    pub(crate) overridden: bool,
    /// The channel was told of an approval while a ticket admitted.
    pub(crate) approved_while_live: bool,
    /// The core stopped.
    pub(crate) stopped: bool,
}

/// What can happen next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Tick,
    Timer(DeadlineKind),
    // The worker, on the first row of a lane.
    Call(Lane, Fate),
    // The back-end by itself.
    Deliver(usize),
    Finish(usize, Held),
    Receive(usize, News),
    LoseNews(usize, News),
    // The gate.
    Enter(usize),
    // The channel.
    Book,
    Demand(usize),
    Apply(RefundSource, RefundKind),
    Withdraw,
    Settle,
    Refund(RefundScope),
    CancelBooking,
    CancelSale,
    // People.
    Confirm,
    RejectBooking,
    Approve { without_backend: bool },
    RejectRefund,
    SupplyTickets,
    Redeem,
    NoShow,
    CancelOrder,
}

/// Where a row goes; rows of one lane keep their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    Backend,
    Channel,
}

/// How a call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is answered: done, where there is nothing to choose.
    Done,
    /// It is answered: the partner works on it.
    Working,
    /// It is answered: the partner refuses.
    Refused,
    /// It is carried out, and the answer is lost; it will be made again.
    AnswerLost,
    /// It seems lost, and arrives later; it will be made again.
    Delayed,
    /// No attempts are left.
    GivenUp,
}

/// The instants at which things happen: before the ticketing deadline, after it, on the day of the visit, and past every review limit.
const CLOCK: [fn() -> UnixMillis; 4] =
    [morning, || morning() + Millis::minutes(10), visit_noon, || visit_noon() + Millis::hours(73)];
/// The last tick.
pub(crate) const LAST_TICK: u8 = 3;
/// The tick on whose day the visit is.
pub(crate) const VISIT_TICK: u8 = 2;

impl World {
    pub(crate) fn new(search: &Search) -> Self {
        let story = Story::paid(search.terms);
        let mut world = Self {
            order: kept(story.order().clone()),
            rows: Vec::new(),
            timers: Vec::new(),
            tick: 0,
            reservations: Vec::new(),
            asked: Vec::new(),
            news: Vec::new(),
            wishes: search.budget.wishes,
            acts: search.budget.acts,
            mishaps: search.budget.mishaps,
            stock: (0, 0),
            redemptions_reported: 0,
            overridden: false,
            approved_while_live: false,
            stopped: false,
        };
        world.take_effects(story.effects);
        world
    }

    pub(crate) fn now(&self) -> UnixMillis {
        CLOCK[usize::from(self.tick)]()
    }
    /// The first row of a lane.
    pub(crate) fn head(&self, lane: Lane) -> Option<(usize, &Effect)> {
        self.rows.iter().enumerate().find(|(_, effect)| lane_of(effect) == lane)
    }
    /// Whether that row still serves the order.
    pub(crate) fn head_is_wanted(&self, lane: Lane) -> bool {
        self.head(lane).is_some_and(|(_, effect)| is_still_needed(&self.order, effect))
    }
    /// A timer that is due.
    pub(crate) fn due(&self) -> Option<(DeadlineKind, UnixMillis)> {
        self.timers.iter().copied().find(|(_, due_at)| *due_at <= self.now())
    }
    /// Nothing moves by itself any more: whatever is wrong now stays wrong until somebody looks, or the clock moves on.
    pub(crate) fn is_quiet(&self) -> bool {
        self.rows.is_empty()
            && self.news.is_empty()
            && self.due().is_none()
            && self.reservations.iter().all(|r| !r.delayed && !matches!(r.held, Held::Working | Held::CancelWorking))
    }
    pub(crate) fn needs_any(&self, kinds: &[AttentionKind]) -> bool {
        kinds.iter().any(|kind| self.order.needs(*kind))
    }

    /// Says something to the order; `false` when it is refused.
    pub(crate) fn tell(&mut self, search: &Search, actor: &Actor, command: &Command) -> bool {
        if self.swallows(search.fault, command) {
            return true;
        }
        let (bookings, cases) = (self.reservations.len() as u128, self.asked.len() as u128);
        let moment = Moment { now: self.now(), seed: Seed(1 + bookings + 16 * cases) };
        let order = self.order.shared();
        // A stop of the core is a finding like any other, told with the story that leads to it.
        let outcome = std::panic::catch_unwind(|| run(Some(&order), command, actor, moment, Answering::Nobody));
        let Ok(outcome) = outcome else {
            self.stopped = true;
            return true;
        };
        let Ok(Outcome { order, events, effects }) = outcome else { return false };
        if !events.is_empty() {
            self.order = kept(order);
        }
        for record in &events {
            match &record.event {
                Event::BookingRequested { booking } => self.reservations.push(Reservation {
                    booking: booking.id.clone(),
                    held: Held::Nothing,
                    manual: Held::Nothing,
                    delayed: false,
                    late: false,
                    demanded: false,
                    told_issued: false,
                    told_rejected: false,
                }),
                Event::RefundApplied { case } => {
                    let reservations = self.reservations.len();
                    let case = case.id.clone();
                    self.asked.push(Asked { case, reservations, told_approved: false, told_rejected: false });
                }
                _ => {}
            }
        }
        self.take_effects(effects);
        true
    }

    fn swallows(&self, fault: Fault, command: &Command) -> bool {
        match (fault, command) {
            (Fault::LateTicketsIgnored, Command::RecordTicketFacts { booking, facts }) => {
                matches!(facts, ticketbridge_core::message::TicketFacts::Issued { .. })
                    && !self.order.booking_by_id(booking).is_some_and(|b| b.is_active())
            }
            (Fault::DeadlineSwallowed, Command::PassDeadline { kind, .. }) => *kind == DeadlineKind::Ticketing,
            _ => false,
        }
    }

    fn take_effects(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::CallBackend { backend, booking, op, .. } => {
                    self.add_row(Effect::CallBackend { backend, booking, op, not_before: None });
                }
                Effect::TellChannel { notification, .. } => {
                    self.redemptions_reported += u8::from(matches!(notification, Notification::Redeemed { .. }));
                    self.add_row(Effect::TellChannel { notification, not_before: None, told_before: None });
                }
                Effect::ArmDeadline { kind, due_at, .. } => {
                    self.timers.retain(|(armed, _)| *armed != kind);
                    self.timers.push((kind, due_at));
                    self.timers.sort();
                }
                Effect::DisarmDeadline { kind } => self.timers.retain(|(armed, _)| *armed != kind),
                Effect::TakeStock { key, units } => self.move_stock(key.date.is_some(), one(units)),
                Effect::ReturnStock { key, units } => self.move_stock(key.date.is_some(), -one(units)),
                Effect::DecryptGuests
                | Effect::CompareGuests { .. }
                | Effect::ReadBack { .. }
                | Effect::TellStock { .. } => {}
            }
        }
    }

    fn move_stock(&mut self, of_date: bool, units: i8) {
        let stock = if of_date { &mut self.stock.0 } else { &mut self.stock.1 };
        *stock += units;
    }

    /// Two rows that say the same, one behind the other, are one row that runs twice.
    fn add_row(&mut self, effect: Effect) {
        let last = self.rows.iter().rev().find(|row| lane_of(row) == lane_of(&effect));
        if last != Some(&effect) {
            self.rows.push(effect);
        }
        // Lanes are independent: their rows are kept apart, so that equal worlds look equal.
        self.rows.sort_by_key(|row| lane_of(row) == Lane::Channel);
    }

    /// What the channel is told when a report arrives there.
    pub(crate) fn channel_hears(&mut self, notification: &Notification) {
        let is_over = |r: &Reservation| self.order.booking_by_id(&r.booking).is_some_and(|b| !b.is_active());
        let lives = |r: &Reservation| r.admits() && !r.late && is_over(r);
        let live: Vec<bool> = self.reservations.iter().map(lives).collect();
        for r in &mut self.reservations {
            match notification {
                Notification::TicketsIssued { booking } if *booking == r.booking => r.told_issued = true,
                Notification::BookingRejected { booking, .. } if *booking == r.booking => r.told_rejected = true,
                _ => {}
            }
        }
        for asked in &mut self.asked {
            match notification {
                Notification::RefundApproved { case, .. } if *case == asked.case => {
                    asked.told_approved = true;
                    self.approved_while_live |= live.iter().take(asked.reservations).any(|l| *l) && !self.overridden;
                }
                Notification::RefundRejected { case, .. } if *case == asked.case => asked.told_rejected = true,
                _ => {}
            }
        }
    }
}

/// An order as it is kept here: times and tickets' ids that no rule looks at would make equal worlds look different, too.
fn kept(mut order: Order) -> Kept {
    for entry in &mut order.money.ledger {
        entry.at = UnixMillis(0);
    }
    for booking in order.booking.iter_mut().chain(&mut order.past_bookings) {
        booking.confirmed_at = booking.confirmed_at.map(|_| UnixMillis(0));
        booking.used_at = booking.used_at.map(|_| UnixMillis(0));
        for ticket in &mut booking.ticketing.tickets {
            ticket.id = "tkt".into();
        }
    }
    if let Some(parked) = &mut order.parked_redemption {
        parked.at = UnixMillis(0);
        parked.told_by.clear();
    }
    Kept::new(order)
}

impl Reservation {
    /// A guest with the ticket is let in.
    pub(crate) fn admits(&self) -> bool {
        matches!(self.held, Held::Live | Held::CancelWorking) || self.manual == Held::Live
    }
    /// A guest was let in.
    pub(crate) fn was_used(&self) -> bool {
        self.held == Held::Used || self.manual == Held::Used
    }
}

pub(crate) fn lane_of(effect: &Effect) -> Lane {
    if matches!(effect, Effect::CallBackend { .. }) { Lane::Backend } else { Lane::Channel }
}

/// The operation and the reservation of a row to the back-end.
pub(crate) fn operation(effect: &Effect) -> Option<(&BookingId, TicketOp)> {
    match effect {
        Effect::CallBackend { booking, op, .. } => Some((booking, *op)),
        _ => None,
    }
}

/// The units of the one order that is looked at.
fn one(units: u32) -> i8 {
    i8::try_from(units).expect("the order has one unit")
}

/// A person's redemption, or the gate's.
pub(crate) fn redeem(booking: BookingId, at: UnixMillis, by: RedeemedBy) -> Command {
    Command::Redeem(ticketbridge_core::message::Redeem { booking: Some(booking), at, by, count: None })
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tick {}: {:?}", self.tick, self.order.state)?;
        for booking in self.order.past_bookings.iter().chain(&self.order.booking) {
            let t = &booking.ticketing;
            write!(f, ", booking {:?} {:?}", booking.state, t.state)?;
            if t.handover != Handover::NotAsked {
                write!(f, " {:?}", t.handover)?;
            }
        }
        for case in self.order.past_refund_cases.iter().chain(&self.order.refund_case) {
            write!(f, ", refund {:?} {:?}", case.state, case.intent)?;
        }
        if self.order.parked_redemption.is_some() {
            f.write_str(", parked")?;
        }
        let flags: Vec<AttentionKind> = self.order.attention.iter().map(|a| a.kind).collect();
        let rows: Vec<String> = self.rows.iter().map(row_name).collect();
        let held: Vec<(Held, Held)> = self.reservations.iter().map(|r| (r.held, r.manual)).collect();
        write!(f, " | flags {flags:?} | rows {rows:?} | held {held:?}")
    }
}

fn row_name(effect: &Effect) -> String {
    match effect {
        Effect::CallBackend { op, .. } => op.name().to_owned(),
        Effect::TellChannel { notification, .. } => notification.name().to_owned(),
        other => format!("{other:?}"),
    }
}
