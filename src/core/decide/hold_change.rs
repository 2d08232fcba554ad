// SPDX-License-Identifier: Apache-2.0

//! A reseller says something of its reservation otherwise than before.
//!
//! While the place is only kept, nothing is sold: another visit takes its place, under the rules and at the price of today, and what was kept
//! is given back in the same moment. Once it is sold, names and guests can be corrected, and nothing else: tickets were asked for.

use crate::decide::draft::Draft;
use crate::decide::kept::{fee_of_cancelling, keep_for, over, still_kept};
use crate::message::{ChangeHold, Effect, Event, OtherVisit};
use crate::order::{AttentionKind, Booking, BookingState, HeldUnit, Hold};
use crate::rejection::{Rejection, Why};
use crate::rules;
use crate::rules::booking::check_left;
use crate::rules::capacity::date_stock_key;
use crate::rules::dates::check_date;
use crate::rules::sale::check_reservable;

/// Carries a change out, as long as the reseller could cancel.
pub(super) fn change(draft: &mut Draft, booking: &Booking, hold: &Hold, wish: &ChangeHold) -> Result<(), Rejection> {
    let order = draft.order();
    if !booking.is_active() {
        return Err(over());
    }
    if hold.open {
        still_kept(booking, hold, draft.now())?;
    }
    fee_of_cancelling(&order, booking, draft.now())?;
    rearrange(draft, booking, hold, wish)?;
    change_guests(draft, booking, wish)?;
    if let Some(lasts) = wish.lasts.filter(|_| hold.open) {
        keep_for(draft, hold, lasts);
    }
    Ok(())
}

/// What is kept, and what the reseller calls it.
pub(super) fn rearrange(draft: &mut Draft, booking: &Booking, hold: &Hold, wish: &ChangeHold) -> Result<(), Rejection> {
    let order = draft.order();
    let other = wish.other_visit(&order);
    if other.is_some() && !hold.open {
        let sentence = "this booking is sold: reserve the other visit, and cancel this one";
        return Err(Rejection::new(Why::NotSupported, sentence));
    }
    let units = units_of(hold, wish)?;
    if let Some(other) = other {
        move_to(draft, booking, wish, &other, &units)?;
    }
    let reference = wish.reference.clone().or_else(|| hold.reference.clone());
    let named_now = draft.order().booking.as_ref().and_then(|booking| booking.hold.clone());
    if reference != hold.reference || named_now.is_some_and(|hold| hold.units != units) {
        draft.event(Event::HoldRenamed { reference, units });
    }
    Ok(())
}

/// The units as they are to be. Each is named by its number, or by its place; a number that nobody knows is that of a new unit.
fn units_of(hold: &Hold, wish: &ChangeHold) -> Result<Vec<HeldUnit>, Rejection> {
    let Some(changes) = &wish.units else { return Ok(hold.units.clone()) };
    let mut units: Vec<HeldUnit> = Vec::with_capacity(changes.len());
    for (place, change) in changes.iter().enumerate() {
        let known = match &change.id {
            Some(id) => hold.units.iter().find(|unit| unit.id == *id),
            None => hold.units.get(place),
        };
        let mut unit = match known {
            Some(unit) => unit.clone(),
            None if hold.open => {
                HeldUnit { id: change.id.clone().unwrap_or_else(|| change.new_id.clone()), reference: None }
            }
            None => {
                let sentence = "a unit is named that this booking does not have";
                return Err(Rejection::new(Why::VisitorsMismatch, sentence).at("unitItems"));
            }
        };
        if change.reference.is_some() {
            unit.reference.clone_from(&change.reference);
        }
        if units.iter().any(|other| other.id == unit.id) {
            return Err(Rejection::new(Why::VisitorsMismatch, "one unit is named twice").at("unitItems"));
        }
        units.push(unit);
    }
    // Those that stay keep their places.
    units.sort_by_key(|unit| hold.units.iter().position(|known| known.id == unit.id).unwrap_or(usize::MAX));
    Ok(units)
}

/// Another visit is kept instead: judged as a reservation of it would be, and what was kept before counts as free.
fn move_to(
    draft: &mut Draft,
    booking: &Booking,
    wish: &ChangeHold,
    other: &OtherVisit,
    units: &[HeldUnit],
) -> Result<(), Rejection> {
    let order = draft.order();
    let Some(terms) = &wish.terms else {
        return Err(Rejection::new(
            Why::NotSupported,
            "this visit cannot be had in place of the other one: reserve it",
        ));
    };
    let (now, quantity) = (draft.now(), other.quantity);
    let product = &terms.sale.rules.booking;
    check_reservable(product)?;
    check_date(&terms.sale.rules, other.visit.date, now)?;
    let key = |product, date| date_stock_key(product, date);
    let (was, is) = (key(&order.rules.booking, booking.visit_date), key(product, Some(other.visit.date)));
    let is_same_day = was == is;
    let more = if is_same_day { quantity.saturating_sub(draft.held) } else { quantity };
    check_left(more, terms.counts.date_left)?;
    let mut counts = terms.counts.clone();
    // What is kept back for the visit that is let go covers this one too.
    counts.credit_available = counts.credit_available.map(|left| left.saturating_add(order.money.due));
    rules::check_sale(&terms.sale.rules, &terms.sale.sale, &counts)?;

    let (sale, visit) = (Box::new(terms.sale.clone()), other.visit.clone());
    draft.event(Event::HoldMoved { sale, visit, units: units.to_vec() });
    let fewer = if is_same_day { draft.held.saturating_sub(quantity) } else { draft.held };
    draft.maybe(was.filter(|_| fewer > 0).map(|key| Effect::ReturnStock { key, units: fewer }));
    draft.maybe(is.filter(|_| more > 0).map(|key| Effect::TakeStock { key, units: more }));
    draft.held = quantity;
    Ok(())
}

/// Who comes, said anew: judged as when it was sold. Tickets that were asked for before may bear the old names.
fn change_guests(draft: &mut Draft, booking: &Booking, wish: &ChangeHold) -> Result<(), Rejection> {
    let order = draft.order();
    let named: Vec<_> = wish.units.iter().flatten().filter_map(|unit| unit.visitor.clone()).collect();
    let visitors = if named.is_empty() { booking.visitors.clone() } else { named };
    let contact = wish.contact.clone().or_else(|| booking.contact.clone());
    if contact == booking.contact && visitors == booking.visitors {
        return Ok(());
    }
    let (is_sold, today) =
        (booking.state == BookingState::Confirmed, order.rules.channel.time_zone.date_of(draft.now()));
    if is_sold {
        rules::guests::check_guests(&order.rules.booking, order.quantity, &visitors, contact.as_ref(), today)?;
    }
    let buyer = contact.clone().unwrap_or_default();
    draft.event(Event::GuestsSupplied { buyer, visitors, contact });
    if is_sold && booking.ticketing.may_be_live() {
        let sentence = "the reseller names other guests than the tickets were asked for; tell the back-end";
        draft.flag(AttentionKind::Contradiction, sentence);
    }
    Ok(())
}
