// SPDX-License-Identifier: Apache-2.0

//! Guests who went in one by one, where the channel counts the units of an order (KA-06). Where it does not, one report is the visit of
//! everybody.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::id::{BookingId, TicketId};
use crate::message::GateCount;
use crate::order::channel_state::{ChannelState, Line, UsedUnits};
use crate::order::{Booking, Order, Ticket, TicketingState};

/// What the gate has told so far of the guests of a booking, while others of them have still to come.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Entered {
    /// Which booking.
    pub booking: BookingId,
    /// Tickets that were read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tickets: Vec<TicketId>,
    /// Guests, by the gate's running total.
    pub guests: u32,
    /// The units that count as used by that, line by line; none while the state does not allow it yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<UsedUnits>,
}

/// Who went in, by what the gate tells.
#[derive(Debug)]
pub(crate) struct Came {
    /// Whose visit it is.
    pub(crate) who: Who,
    /// Whether more went in than are paid for: more guests than units live, or one with the ticket of a cancelled line.
    pub(crate) beyond: bool,
    /// Whether one went in now with a ticket in whose place others were made.
    pub(crate) on_replaced: bool,
}

/// Whose visit it is.
#[derive(Debug)]
pub(crate) enum Who {
    /// That of all whose units live; also where nobody can say whose it is.
    Everybody,
    /// That of some, and the others may still come.
    Some(Entered),
    /// That of nobody whose unit lives.
    Nobody(Entered),
}

/// Units that count as used.
struct Used {
    /// Those whose tickets were read, line by line.
    by_line: Vec<u32>,
    /// All of them.
    units: u32,
    /// Whether somebody went in besides.
    beyond: bool,
}

impl Order {
    /// What the gate has told of the guests of `booking` who came before the others.
    pub fn entered_for(&self, booking: &Booking) -> Option<&Entered> {
        self.entered.as_deref().filter(|entered| entered.booking == booking.id)
    }

    /// What the gate has told by now of who went in, where nothing is said of them all of them.
    pub(crate) fn came(&self, booking: &Booking, told: Option<&GateCount>) -> Came {
        let lines = self.lines();
        let live = self.live_units();
        let everybody = Came { who: Who::Everybody, beyond: false, on_replaced: false };
        let Some(told) = told.filter(|_| !lines.is_empty() && live > 0) else { return everybody };
        let mut on_replaced = false;
        let nobody = Entered { booking: booking.id.clone(), tickets: Vec::new(), guests: 0, lines: Vec::new() };
        let mut entered = self.entered_for(booking).cloned().unwrap_or(nobody);
        if let Some(code) = &told.code {
            let is_read = |ticket: &&Ticket| ticket.code.reveal().trim() == code.reveal().trim();
            let read = booking.ticketing.ever_made().find(is_read);
            match read.filter(|ticket| self.admits_one(booking, ticket)) {
                Some(ticket) if entered.tickets.contains(&ticket.id) => {}
                Some(ticket) => {
                    on_replaced = booking.ticketing.replaced.contains(ticket);
                    entered.tickets.push(ticket.id.clone());
                }
                // The count says what the code does not.
                None if told.guests.is_some() => {}
                None => return everybody,
            }
        }
        entered.guests = entered.guests.max(told.guests.unwrap_or(0));
        let used = self.units_used(booking, &entered);
        let who = match used.units {
            0 => Who::Nobody(entered),
            units if units >= live || !self.rules.channel.redemption_reported => Who::Everybody,
            _ => Who::Some(entered),
        };
        Came { who, beyond: used.beyond, on_replaced }
    }

    /// Whether more of the guests who came are in than units live by now.
    pub(crate) fn more_are_in_than_live(&self) -> bool {
        let booking = self.active_booking();
        let entered = booking.and_then(|booking| Some((booking, self.entered_for(booking)?)));
        entered.is_some_and(|(booking, entered)| self.units_used(booking, entered).beyond)
    }

    /// The same, with the units that it comes to by line: those that were read first, then those that the channel counts as used, then the
    /// others in their order.
    pub(crate) fn with_lines(&self, booking: &Booking, entered: Entered) -> Entered {
        let lines = self.lines();
        let read = self.units_used(booking, &entered);
        let mut used = read.by_line;
        let mut rest = read.units.saturating_sub(used.iter().sum());
        for most in [told_used as fn(&Line) -> u32, Line::live] {
            for (used, line) in used.iter_mut().zip(lines) {
                let more = most(line).saturating_sub(*used).min(rest);
                *used += more;
                rest -= more;
            }
        }
        let by_line = lines.iter().zip(used).filter(|(_, units)| *units > 0);
        let lines = by_line.map(|(line, units)| UsedUnits { detail: line.detail.clone(), units }).collect();
        Entered { lines, ..entered }
    }

    /// Units that guests have used, by what the gate counts and by what it read, whichever is more. A code uses its own line and no other: one
    /// whose line has no unit left that is not cancelled lets in somebody whose money went back.
    fn units_used(&self, booking: &Booking, entered: &Entered) -> Used {
        let lines = self.lines();
        let by_count = entered.guests.div_ceil(self.rules.booking.visitors_per_unit.max(1));
        // Nobody knows of a ticket that was called otherwise since, or replaced, whose unit is its own: it is that of one guest.
        let is_current = |id: &TicketId| booking.ticketing.tickets.iter().any(|ticket| ticket.id == *id);
        let (current, former): (Vec<_>, Vec<_>) = entered.tickets.iter().partition(|id| is_current(id));
        let former = u32::try_from(former.len()).unwrap_or(u32::MAX);
        let read: BTreeSet<u32> = current.into_iter().filter_map(|id| self.unit_of(booking, id)).collect();
        let (mut by_line, mut amiss) = (vec![0_u32; lines.len()], 0_u32);
        for unit in read {
            let line = self.line_of(booking, unit);
            match line.and_then(|at| by_line.get_mut(at).zip(lines.get(at))) {
                Some((used, line)) if *used < line.live() => *used += 1,
                Some(_) | None => amiss += 1,
            }
        }
        let counted = by_count.saturating_sub(amiss).max(by_line.iter().sum::<u32>().saturating_add(former));
        let live = self.live_units();
        Used { by_line, units: counted.min(live), beyond: amiss > 0 || counted > live }
    }

    /// Whether a ticket admits one guest, or those of one unit, and not everybody.
    fn admits_one(&self, booking: &Booking, ticket: &Ticket) -> bool {
        let t = &booking.ticketing;
        if t.replaced.contains(ticket) {
            return t.replaced.len() > 1 || self.quantity == 1;
        }
        // What it is called now says nothing of the units.
        let dealt = t.tickets.iter().find(|it| it.id == ticket.id).or(t.tickets.first());
        dealt.is_some_and(|dealt| self.unit_of(booking, &dealt.id).is_some())
    }

    /// The unit that a ticket was dealt to; `None` where it serves them all.
    fn unit_of(&self, booking: &Booking, ticket: &TicketId) -> Option<u32> {
        let tickets = &booking.ticketing.tickets;
        let (count, at) = (tickets.len(), tickets.iter().position(|it| it.id == *ticket)?);
        let dealt_to = UsedUnits::count(&booking.ticketing.units, self.quantity);
        let units = usize::try_from(dealt_to).ok().filter(|units| *units > 0 && count.is_multiple_of(*units))?;
        u32::try_from(at / (count / units)).ok()
    }

    /// The line that a unit belongs to: units are counted through the lines in their order, as they were when its ticket was made.
    fn line_of(&self, booking: &Booking, unit: u32) -> Option<usize> {
        let lines = self.lines();
        let mut before = 0_u32;
        let mut is_beyond = |units: u32| {
            before = before.saturating_add(units);
            unit < before
        };
        match booking.ticketing.units.as_slice() {
            [] => lines.iter().position(|line| is_beyond(line.quantity)),
            dealt_to => {
                let detail = &dealt_to.iter().find(|line| is_beyond(line.units))?.detail;
                lines.iter().position(|line| line.detail == *detail)
            }
        }
    }

    /// The units that are not cancelled, line by line; none where none was cancelled.
    pub(crate) fn living(&self) -> Vec<UsedUnits> {
        let lines = self.lines();
        if lines.iter().all(|line| line.cancelled == 0) {
            return Vec::new();
        }
        let live = lines.iter().filter(|line| line.live() > 0);
        live.map(|line| UsedUnits { detail: line.detail.clone(), units: line.live() }).collect()
    }

    /// Whether a part was cancelled, and the tickets of `booking` are for what lives of the order, and for nothing else.
    pub(crate) fn has_tickets_for_the_living(&self, booking: &Booking) -> bool {
        let t = &booking.ticketing;
        t.state == TicketingState::Issued && !t.units.is_empty() && t.units == self.living()
    }

    /// Whether some guests of this booking have used it and others may still come.
    pub fn is_used_in_part(&self, booking: &BookingId) -> bool {
        let live = self.active_booking().filter(|active| active.id == *booking);
        live.and_then(|live| self.entered_for(live)).is_some_and(|entered| !entered.lines.is_empty())
    }

    /// Units that were used by what the gate says, and not yet by what the channel says.
    pub fn used_and_untold(&self) -> Vec<UsedUnits> {
        let lines = self.lines();
        let more = |told: &UsedUnits| {
            let line = lines.iter().find(|line| line.detail == told.detail)?;
            let units = told.units.min(line.live()).saturating_sub(line.used);
            (units > 0).then(|| UsedUnits { detail: told.detail.clone(), units })
        };
        self.entered.iter().flat_map(|entered| &entered.lines).filter_map(more).collect()
    }

    /// What the channel says, with the units that it has still to hear of as used: those are neither cancelled nor paid back.
    pub(crate) fn as_used<'s>(&self, state: &'s ChannelState) -> Cow<'s, ChannelState> {
        let untold = self.used_and_untold();
        if untold.is_empty() {
            return Cow::Borrowed(state);
        }
        let mut state = state.clone();
        for line in &mut state.standing.lines {
            line.used += untold.iter().filter(|more| more.detail == line.detail).map(|more| more.units).sum::<u32>();
        }
        Cow::Owned(state)
    }
}

/// Units of a line that the channel counts as used.
fn told_used(line: &Line) -> u32 {
    line.used.min(line.live())
}
