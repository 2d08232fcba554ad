// SPDX-License-Identifier: Apache-2.0

//! The channel's own state of the order, and what we have asked it for.

use crate::evolve::attention::clear;
use crate::evolve::payment::settle_alarms;
use crate::message::{Notification, Sale, ToldBefore};
use crate::order::channel_state::{
    ChannelState, PartnerNumber, PaymentLink, ProofState, Proposal, Unproven, UsedUnits,
};
use crate::order::missed::link_has_ended;
use crate::order::{AttentionKind, Order};
use crate::personal::Person;
use crate::quoted::ForeignNumber;
use crate::still_needed::is_notification_needed;
use crate::time::{Date, UnixMillis};

/// The channel's state replaces the one before; what was sold, to whom and for when is taken from it.
pub(super) fn taken(
    order: &mut Order,
    channel_state: &ChannelState,
    sale: &Sale,
    (first, last): (Option<Date>, Option<Date>),
) {
    // Who was erased stays so, whatever the channel still tells.
    let erased = order.channel_state.is_some() && order.buyer == Person::default();
    let buyer = if erased { Person::default() } else { sale.buyer.clone() };
    let moved = order.channel_state.as_ref().is_none_or(|known| known.standing.stage != channel_state.standing.stage);
    let moved_price = order.money.due != sale.due;
    keep_what_tickets_are_for(order, channel_state);
    order.channel_state = Some(Box::new(channel_state.clone()));
    // What a person still has to do there stays a task of hers.
    if moved && !order.misses_any(AttentionKind::ManualTask) {
        clear(order, AttentionKind::ManualTask);
    }
    order.is_stub = false;
    order.placed_at = sale.placed_at;
    order.quantity = sale.quantity;
    order.buyer = buyer.clone();
    order.money.mode = sale.payment_mode;
    order.money.gross = sale.gross;
    order.money.due = sale.due;
    if moved_price {
        settle_alarms(order);
    }
    if let Some(booking) = &mut order.booking {
        booking.visit_date = first;
        if let Some(time) = channel_state.sold.as_ref().and_then(|sold| sold.time.clone()) {
            booking.visit_time = Some(time);
        }
        booking.valid_until = last;
        booking.contact = Some(buyer);
    }
}

/// Tickets that were asked for are for the units that there were then, however many of a line the channel sells since.
fn keep_what_tickets_are_for(order: &mut Order, now: &ChannelState) {
    let Some(before) = order.channel_state.as_deref() else { return };
    let sold = |state: &ChannelState| state.standing.lines.iter().map(|line| line.quantity).collect::<Vec<_>>();
    // A line that is only called otherwise is the same.
    if sold(before) == sold(now) {
        return;
    }
    let were = before.standing.lines.iter();
    let units = were.map(|line| UsedUnits { detail: line.detail.clone(), units: line.quantity }).collect();
    if let Some(booking) = &mut order.booking
        && booking.ticketing.may_be_live()
        && booking.ticketing.units.is_empty()
    {
        booking.ticketing.units = units;
    }
}

pub(super) fn proposed(order: &mut Order, proposal: &Proposal) {
    clear(order, AttentionKind::WaitsForConfirmation);
    with_channel_state(order, |m| {
        m.proposal = Some(proposal.clone());
        m.refused = None;
    });
}

pub(super) fn proposal_ended(order: &mut Order, agreed: bool) {
    clear(order, AttentionKind::ManualTask);
    with_channel_state(order, |m| m.refused = m.proposal.take().filter(|_| !agreed));
}

pub(super) fn link_changed(order: &mut Order, link: &PaymentLink) {
    with_channel_state(order, |m| match m.links.iter_mut().find(|l| l.key == link.key) {
        Some(known) => *known = link.clone(),
        None => m.links.push(link.clone()),
    });
}

pub(super) fn numbered(order: &mut Order, number: &ForeignNumber, since: UnixMillis) {
    with_channel_state(order, |m| m.partner_numbers.push(PartnerNumber { number: number.clone(), since }));
}

/// Whether the partner's own books have the order.
pub(super) fn handed_over(order: &mut Order, has_it: bool) {
    with_channel_state(order, |m| m.handed_over = has_it);
}

/// The channel's yes says of this very notification that it is done.
pub(super) fn proven(order: &mut Order, notification: &Notification) {
    with_channel_state(order, |m| m.unproven.retain(|unproven| unproven.notification != *notification));
}

/// The channel has said yes, once more or for the first time, and nothing of what came of it.
pub(super) fn unproven(order: &mut Order, notification: &Notification, told: Option<&ToldBefore>) {
    with_channel_state(order, |channel_state| {
        let again = channel_state
            .unproven
            .iter()
            .any(|known| known.notification == *notification && known.state != ProofState::Told);
        channel_state.unproven.retain(|known| known.notification != *notification);
        let state = if again { ProofState::ToldAgain } else { ProofState::Told };
        channel_state.unproven.push(Unproven { notification: notification.clone(), state, told: told.cloned() });
    });
}

pub(super) fn denied(order: &mut Order, notification: &Notification) {
    with_channel_state(order, |m| {
        for unproven in m.unproven.iter_mut().filter(|unproven| unproven.notification == *notification) {
            unproven.state = ProofState::Repeating;
        }
    });
}

/// What has come about, cannot any more, or has been left to a person, needs no proof.
pub(super) fn forget_proven(order: &mut Order) {
    let Some(known) = order.channel_state.as_mut().map(|channel_state| std::mem::take(&mut channel_state.unproven))
    else {
        return;
    };
    let is_over = |notification: &Notification| match (notification, order.channel_state.as_deref()) {
        (Notification::LinkRevoked { id }, Some(channel_state)) => link_has_ended(channel_state, id),
        _ => false,
    };
    let is_open = |notification: &Notification| {
        is_notification_needed(order, notification)
            && !is_over(notification)
            && !order.was_undelivered(|undelivered| undelivered == notification)
    };
    let open: Vec<Unproven> = known.into_iter().filter(|unproven| is_open(&unproven.notification)).collect();
    with_channel_state(order, |channel_state| channel_state.unproven = open);
}

fn with_channel_state(order: &mut Order, change: impl FnOnce(&mut ChannelState)) {
    if let Some(channel_state) = &mut order.channel_state {
        change(channel_state);
    }
}
