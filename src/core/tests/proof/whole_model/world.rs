// SPDX-License-Identifier: Apache-2.0

//! The state that is searched: the order and its rows here, the order there, what is on its way between them, and the tickets.

use std::fmt;
use std::sync::Arc;

use ticketbridge_core::message::{DeadlineKind, Snapshot, TicketOp};
use ticketbridge_core::order::AttentionKind;
use ticketbridge_core::order::channel_state::{LinkState, Stage};
use ticketbridge_core::still_needed::{is_still_needed, must_be_answered};
use ticketbridge_core::{
    Actor, Answering, Command, Effect, Event, Millis, Moment, Notification, Outcome, Seed, UnixMillis, run,
};

use super::{Fault, Search};
use crate::kept::Kept;
use crate::platform::{Platform, link_news, told};
use crate::support::{morning, visit_noon};
use crate::tale::Tale;

/// What the back-end holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Held {
    Nothing,
    Refused,
    /// Tickets that admit.
    Live,
    Void,
    /// The guest went in with them.
    Used,
}

/// A message of the platform's on its way: the order as it was then, and a link that moved.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Mail {
    pub(crate) there: Arc<Platform>,
    pub(crate) link: Option<(String, LinkState)>,
}

impl Mail {
    pub(crate) fn snapshot(&self) -> Snapshot {
        match &self.link {
            Some((id, state)) => link_news(self.there.snapshot(), id, *state),
            None => self.there.snapshot(),
        }
    }
}

/// A call that is to be made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Row {
    pub(crate) effect: Effect,
    /// The partner has carried it out, and its answer was lost.
    pub(crate) done: bool,
    /// The last attempt had no answer.
    pub(crate) doubtful: bool,
}

/// The order here, the order there, and everything between.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) order: Kept,
    pub(crate) there: Arc<Platform>,
    pub(crate) held: Held,
    /// Calls still to be made, in order.
    pub(crate) rows: Vec<Row>,
    pub(crate) mail: Vec<Mail>,
    pub(crate) timers: Vec<(DeadlineKind, UnixMillis)>,
    pub(crate) tick: u8,
    pub(crate) wishes: u8,
    pub(crate) acts: u8,
    pub(crate) mishaps: u8,
    /// Units of the date that are taken.
    pub(crate) stock: i64,
    /// Things that were made and need names of their own.
    pub(crate) made: u8,
    /// What the platform was asked for and may never be.
    pub(crate) wrong: Option<&'static str>,
    /// A person approved without waiting for the back-end.
    pub(crate) overridden: bool,
    /// The core stopped.
    pub(crate) stopped: bool,
}

/// What can happen next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Tick,
    Timer(DeadlineKind),
    Call(Lane, Fate),
    Receive(usize),
    ReceiveAndKeep(usize),
    Lose(usize),
    /// The platform is asked for what has changed.
    Poll,
    Enter,
    Guest(Guest),
    Act(Act),
}

/// What the guest or the platform does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guest {
    Confirm,
    Cancel { fee: i64 },
    CancelPart,
    CancelUsed,
    AskOut,
    Stay,
    PayBalance,
    Use,
    NoShow,
    Returned,
    ReturnFailed,
    LinkEnds,
}

/// What people of ours do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Confirm,
    RejectBooking,
    Cancel,
    CancelPart,
    Approve { without_backend: bool },
    RejectRefund,
    Redeem,
    NoShow,
    GiveBack,
    SendLink,
    RevokeLink,
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
    Done,
    Refused,
    /// It is carried out, and the answer is lost; it will be made again.
    AnswerLost,
    GivenUp,
}

/// Before every deadline, past those of tickets and acceptance, and the day of the visit, past every review.
const CLOCK: [fn() -> UnixMillis; 3] = [morning, || morning() + Millis::minutes(31), visit_noon];
/// The tick on whose day the visit is.
pub(crate) const VISIT_TICK: u8 = 2;

impl World {
    pub(crate) fn new(search: &Search) -> Self {
        let tale = Tale::paid(search.terms);
        let mut world = Self {
            order: Kept::new(tale.order().clone()),
            there: Arc::new(tale.there.clone()),
            held: Held::Nothing,
            rows: Vec::new(),
            mail: Vec::new(),
            timers: Vec::new(),
            tick: 0,
            wishes: search.budget.wishes,
            acts: search.budget.acts,
            mishaps: search.budget.mishaps,
            stock: 0,
            made: 2,
            wrong: None,
            overridden: false,
            stopped: false,
        };
        world.take_effects(search, tale.effects.clone());
        world
    }

    pub(crate) fn now(&self) -> UnixMillis {
        CLOCK[usize::from(self.tick)]()
    }
    /// The first row of a lane.
    pub(crate) fn head(&self, lane: Lane) -> Option<usize> {
        self.rows.iter().position(|row| lane_of(&row.effect) == lane)
    }
    /// A timer that is due.
    pub(crate) fn due(&self) -> Option<(DeadlineKind, UnixMillis)> {
        self.timers.iter().copied().find(|(_, due_at)| *due_at <= self.now())
    }
    /// Here, everything that was told there is known.
    pub(crate) fn knows_all(&self) -> bool {
        self.mail.is_empty()
            && self.order.channel_state.as_deref().is_some_and(|m| m.standing.revision >= self.there.revision)
    }
    /// Nothing moves by itself any more: whatever is wrong now stays wrong until somebody acts, or the clock moves on.
    pub(crate) fn is_quiet(&self) -> bool {
        self.rows.is_empty() && self.due().is_none() && self.knows_all()
    }
    pub(crate) fn needs_any(&self, kinds: &[AttentionKind]) -> bool {
        kinds.iter().any(|kind| self.order.needs(*kind))
    }

    /// Something changes at the platform, and it tells.
    pub(crate) fn changes(&mut self, change: impl FnOnce(&mut Platform)) {
        let mut there = (*self.there).clone();
        there.at = self.now();
        change(&mut there);
        self.there = Arc::new(there);
        self.send(None);
    }
    /// The order as it is there is sent.
    pub(crate) fn send(&mut self, link: Option<(String, LinkState)>) {
        self.mail.push(Mail { there: self.there.clone(), link });
    }

    /// Says something to the order; `false` when it is refused.
    pub(crate) fn tell(&mut self, search: &Search, actor: &Actor, command: &Command) -> bool {
        let command = self.spoilt(search.fault, command);
        let moment = Moment { now: self.now(), seed: Seed(u128::from(self.made)) };
        let order = self.order.shared();
        // A stop of the core is a finding like any other, told with the story that leads to it.
        let outcome = std::panic::catch_unwind(|| run(Some(&order), &command, actor, moment, Answering::Nobody));
        let Ok(outcome) = outcome else {
            self.stopped = true;
            return true;
        };
        let Ok(Outcome { order, events, effects }) = outcome else { return false };
        if !events.is_empty() {
            self.order = Kept::new(order);
        }
        let names = events.iter().any(|record| match &record.event {
            Event::RefundApplied { .. } | Event::PaymentRecorded { .. } => true,
            Event::PaymentLinkChanged { link } => link.state == LinkState::Requested,
            _ => false,
        });
        self.made += u8::from(names);
        self.take_effects(search, effects);
        true
    }

    /// The whole order as the platform answers it.
    pub(crate) fn answered(&mut self, search: &Search) -> bool {
        let command = told(self.there.answer());
        self.tell(search, &crate::tale::platform(), &command)
    }

    fn spoilt(&self, fault: Fault, command: &Command) -> Command {
        let Command::SyncSnapshot { snapshot, not_for_sale, paid_elsewhere: _, lines_elsewhere: _ } = command else {
            return command.clone();
        };
        let mut snapshot = snapshot.clone();
        match fault {
            Fault::EndIgnored if snapshot.standing.stage.is_off() => {
                snapshot.standing.stage =
                    self.order.channel_state.as_deref().map_or(Stage::Confirmed, |m| m.standing.stage);
            }
            Fault::OldCounts => {
                snapshot.standing.revision += self.order.channel_state.as_deref().map_or(0, |m| m.standing.revision);
            }
            Fault::MoneyIgnored => snapshot.entries.clear(),
            _ => {}
        }
        Command::SyncSnapshot {
            snapshot,
            not_for_sale: not_for_sale.clone(),
            paid_elsewhere: Vec::new(),
            lines_elsewhere: Vec::new(),
        }
    }

    fn take_effects(&mut self, search: &Search, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::CallBackend { op: TicketOp::Cancel, .. } if search.fault == Fault::TicketsStay => {}
                Effect::TellChannel { notification: Notification::LinkRevoked { .. }, .. }
                    if search.fault == Fault::LinksStay => {}
                Effect::CallBackend { backend, booking, op, .. } => {
                    self.add_row(Effect::CallBackend { backend, booking, op, not_before: None });
                }
                Effect::TellChannel { notification, .. } => {
                    self.add_row(Effect::TellChannel { notification, not_before: None, told_before: None })
                }
                Effect::ReadBack { .. } => self.add_row(effect),
                Effect::ArmDeadline { kind, due_at, .. } => {
                    self.timers.retain(|(armed, _)| *armed != kind);
                    self.timers.push((kind, due_at));
                    self.timers.sort();
                }
                Effect::DisarmDeadline { kind } => self.timers.retain(|(armed, _)| *armed != kind),
                Effect::TakeStock { units, .. } => self.stock += i64::from(units),
                Effect::ReturnStock { units, .. } => self.stock -= i64::from(units),
                Effect::DecryptGuests | Effect::CompareGuests { .. } | Effect::TellStock { .. } => {}
            }
        }
    }

    /// Two rows that say the same, one behind the other, are one row that runs twice.
    fn add_row(&mut self, effect: Effect) {
        let row = Row { effect, done: false, doubtful: false };
        let lane = lane_of(&row.effect);
        if self.rows.iter().rev().find(|known| lane_of(&known.effect) == lane) != Some(&row) {
            self.rows.push(row);
        }
        // Lanes are independent: their rows are kept apart, so that equal worlds look equal.
        self.rows.sort_by_key(|row| lane_of(&row.effect) == Lane::Channel);
    }

    /// A row that no longer serves is closed without a call as soon as its turn comes: what it was good for is then up to others.
    pub(crate) fn close_unwanted(&mut self) {
        for lane in [Lane::Backend, Lane::Channel] {
            while let Some(index) = self.head(lane) {
                let row = &self.rows[index];
                if is_still_needed(&self.order, &row.effect)
                    || (row.doubtful && must_be_answered(&self.order, &row.effect))
                {
                    break;
                }
                self.rows.remove(index);
            }
        }
    }
}

pub(crate) fn lane_of(effect: &Effect) -> Lane {
    if matches!(effect, Effect::CallBackend { .. }) { Lane::Backend } else { Lane::Channel }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order = &self.order;
        write!(f, "tick {}: {:?}", self.tick, order.state)?;
        if let Some(booking) = &order.booking {
            write!(f, ", booking {:?} {:?}", booking.state, booking.ticketing.state)?;
        }
        if let Some(case) = &order.refund_case {
            write!(f, ", refund {:?} {:?}", case.state, case.intent)?;
        }
        if order.parked_redemption.is_some() {
            f.write_str(", parked")?;
        }
        let money = &order.money;
        write!(
            f,
            ", {} in {} back {} going {} kept",
            money.received(),
            money.refunded(),
            money.refund_pending(),
            money.fee()
        )?;
        if let Some(channel_state) = order.channel_state.as_deref() {
            let links: Vec<LinkState> = channel_state.links.iter().map(|link| link.state).collect();
            write!(
                f,
                ", revision {} asks {:?} links {links:?}",
                channel_state.standing.revision, channel_state.proposal
            )?;
        }
        if let Some(wrong) = self.wrong {
            write!(f, ", WRONG {wrong}")?;
        }
        let flags: Vec<AttentionKind> = order.attention.iter().map(|a| a.kind).collect();
        let rows: Vec<String> = self.rows.iter().map(row_name).collect();
        let mail: Vec<u64> = self.mail.iter().map(|mail| mail.there.revision).collect();
        let there = &self.there;
        write!(
            f,
            " | flags {flags:?} | rows {rows:?} | mail {mail:?} | there {} {:?}, {} in {} back {} going, links {:?} | {:?} stock {}",
            there.revision,
            there.stage,
            there.received(),
            there.returned(),
            there.returning(),
            there.links,
            self.held,
            self.stock
        )
    }
}

fn row_name(row: &Row) -> String {
    let name = match &row.effect {
        Effect::CallBackend { op, .. } => op.name().to_owned(),
        Effect::TellChannel { notification, .. } => notification.name().to_owned(),
        other => format!("{other:?}"),
    };
    if row.doubtful { format!("{name}?") } else { name }
}
