// SPDX-License-Identifier: Apache-2.0

//! Guests who went in one by one, where the channel counts the units of an order (KA-06). Where it does not, one report is the visit of
//! everybody.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::id::{BookingId, TicketId};
use crate::message::GateCount;
use crate::order::channel_state::{ChannelState, Line};
use crate::order::{Booking, Order};

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

/// Units of a line that were used.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct UsedUnits {
    /// The channel's number for the line.
    pub detail: String,
    /// How many in all.
    pub units: u32,
}

impl Order {
    /// What the gate has told of the guests of `booking` who came before the others.
    pub fn entered_for(&self, booking: &Booking) -> Option<&Entered> {
        self.entered.as_deref().filter(|entered| entered.booking == booking.id)
    }

    /// What it has told by now, if that is not yet the visit of everybody; `None` also where nobody can say whose visit it is.
    pub(crate) fn part_of_visit(&self, booking: &Booking, told: &GateCount) -> Option<Entered> {
        let lines = self.lines();
        let live = self.live_units();
        if !self.rules.channel.redemption_reported || lines.is_empty() || live < 2 {
            return None;
        }
        let nobody = Entered { booking: booking.id.clone(), tickets: Vec::new(), guests: 0, lines: Vec::new() };
        let mut entered = self.entered_for(booking).cloned().unwrap_or(nobody);
        if let Some(code) = &told.code {
            let tickets = &booking.ticketing.tickets;
            let read = tickets.iter().find(|ticket| ticket.code.reveal().trim() == code.reveal().trim());
            match read.filter(|ticket| self.unit_of(booking, &ticket.id).is_some()) {
                Some(ticket) if entered.tickets.contains(&ticket.id) => {}
                Some(ticket) => entered.tickets.push(ticket.id.clone()),
                // The count says what the code does not.
                None if told.guests.is_some() => {}
                None => return None,
            }
        }
        entered.guests = entered.guests.max(told.guests.unwrap_or(0));
        let units = self.units_used(booking, &entered);
        (units > 0 && units < live).then_some(entered)
    }

    /// The same, with the units that it comes to by line: those that the channel counts as used first, then in their order.
    pub(crate) fn with_lines(&self, booking: &Booking, entered: Entered) -> Entered {
        let lines = self.lines();
        let mut rest = self.units_used(booking, &entered);
        let mut used = vec![0_u32; lines.len()];
        let read: BTreeSet<u32> = entered.tickets.iter().filter_map(|id| self.unit_of(booking, id)).collect();
        for unit in read {
            if let Some((used, line)) = line_of(lines, unit).and_then(|at| used.get_mut(at).zip(lines.get(at)))
                && *used < room(line)
                && rest > 0
            {
                *used += 1;
                rest -= 1;
            }
        }
        for most in [told_used as fn(&Line) -> u32, room] {
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

    /// Units that guests have used, by what the gate counts and by what it read, whichever is more.
    fn units_used(&self, booking: &Booking, entered: &Entered) -> u32 {
        let by_count = entered.guests.div_ceil(self.rules.booking.visitors_per_unit.max(1));
        let read: BTreeSet<u32> = entered.tickets.iter().filter_map(|id| self.unit_of(booking, id)).collect();
        by_count.max(u32::try_from(read.len()).unwrap_or(u32::MAX))
    }

    /// The unit that a ticket was dealt to; `None` where it serves them all.
    fn unit_of(&self, booking: &Booking, ticket: &TicketId) -> Option<u32> {
        let tickets = &booking.ticketing.tickets;
        let (count, at) = (tickets.len(), tickets.iter().position(|it| it.id == *ticket)?);
        let units = usize::try_from(self.quantity).ok().filter(|units| *units > 0 && count.is_multiple_of(*units))?;
        u32::try_from(at / (count / units)).ok()
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
            let units = told.units.min(room(line)).saturating_sub(line.used);
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

/// Units of a line that can have been used.
fn room(line: &Line) -> u32 {
    line.quantity.saturating_sub(line.cancelled)
}

/// Units of a line that the channel counts as used.
fn told_used(line: &Line) -> u32 {
    line.used.min(room(line))
}

/// The line that a unit belongs to: units are counted through the lines in their order.
fn line_of(lines: &[Line], unit: u32) -> Option<usize> {
    let mut before = 0_u32;
    lines.iter().position(|line| {
        before = before.saturating_add(line.quantity);
        unit < before
    })
}
