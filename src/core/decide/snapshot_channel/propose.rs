// SPDX-License-Identifier: Apache-2.0

//! What we want of such an order, which the channel is asked for.

use super::reach::wait_for_decision;
use crate::decide::draft::Draft;
use crate::decide::{booking, notifications, ticketing};
use crate::message::{DeadlineKind, Event, Notification};
use crate::order::channel_state::{ChannelState, Line, Part, Proposal, Stage};
use crate::order::money::PaymentMode;
use crate::order::undelivered::OVERTAKEN;
use crate::order::{BookingState, Order, OrderState, TicketingState};
use crate::quoted::{ForeignNumber, FreeText};
use crate::rejection::{Rejection, Why};
use crate::rules::cancel_price::{kept_of_parts, price_of};
use crate::words;

/// What we had asked for has come about, or cannot any more.
pub(super) fn end_proposal(draft: &mut Draft) {
    let order = draft.order();
    let (Some(channel_state), Some(booking)) = (order.channel_state.as_deref(), &order.booking) else { return };
    let agreed = match (&channel_state.proposal, booking.state) {
        (None, _) | (Some(Proposal::Confirm | Proposal::Reject { .. }), BookingState::Requested) => return,
        (Some(Proposal::Cancel { parts, .. }), BookingState::Requested | BookingState::Confirmed) => {
            if parts.is_empty() || !channel_state.parts_are_off(parts) {
                return;
            }
            true
        }
        (Some(Proposal::Confirm), state) => {
            matches!(state, BookingState::Confirmed | BookingState::Used | BookingState::NoShow)
        }
        (Some(Proposal::Reject { .. }), state) => state == BookingState::Rejected,
        (Some(Proposal::Cancel { .. }), state) => state == BookingState::Cancelled,
    };
    draft.event(Event::ProposalEnded { agreed });
    if let (Some(Proposal::Cancel { notify_text: Some(text), .. }), true) = (&channel_state.proposal, agreed) {
        // The channel does not say why to the guest.
        draft.tell(Notification::GuestMessage { text: text.clone() });
    }
    if booking.state == BookingState::Requested {
        // Only a part of it was cancelled; the rest is still to be decided.
        wait_for_decision(draft);
    }
}

/// What we have said yes to is another product by now, and the channel has not heard the yes: nobody has said it to this one. A person does, or
/// declines.
pub(super) fn take_yes_back(draft: &mut Draft, before: &Order) {
    let now = draft.order();
    let waits = now.booking.as_ref().is_some_and(|booking| booking.state == BookingState::Requested);
    let is_yes = now.channel_state.as_deref().is_some_and(|state| state.proposal == Some(Proposal::Confirm));
    let product = |order: &Order| order.channel_state.as_deref()?.sold.as_ref()?.product.clone();
    if waits && is_yes && product(before).is_some_and(|known| product(&now).is_some_and(|now| now != known)) {
        draft.event(Event::ProposalEnded { agreed: false });
        wait_for_decision(draft);
    }
}

/// The channel has cancelled others of the units that we want cancelled: the wish is for as many of what is left, or ends where there are
/// not so many, and a person is told. What it has cancelled of a line as we wanted it is done.
pub(super) fn keep_wish(draft: &mut Draft) {
    let order = draft.order();
    let Some(channel_state) = order.channel_state.as_deref() else { return };
    let Some(wish @ Proposal::Cancel { fee, reason, parts, notify_text }) = &channel_state.proposal else { return };
    if order.is_over() || parts.is_empty() || channel_state.parts_are_off(parts) {
        return;
    }
    let wanted = match parts_still_wanted(&order.as_used(channel_state), parts) {
        Ok(wanted) => wanted,
        Err(left) => {
            draft.event(Event::ProposalEnded { agreed: false });
            let why = FreeText::our_own(left);
            return notifications::refused(draft, &Notification::CancelQuote, &OVERTAKEN.into(), &why);
        }
    };
    let now = Proposal::Cancel { fee: *fee, reason: reason.clone(), parts: wanted, notify_text: notify_text.clone() };
    if now != *wish {
        draft.event(Event::Proposed { proposal: now });
    }
}

/// The units of a wish that are not cancelled yet, counted from how their lines stand now; none where that is all that is left.
fn parts_still_wanted(channel_state: &ChannelState, parts: &[Part]) -> Result<Vec<Part>, String> {
    let lines = &channel_state.standing.lines;
    let mut wanted: Vec<Part> = Vec::new();
    for part in parts {
        let Some(line) = lines.iter().find(|line| line.detail == part.detail) else { continue };
        if line.cancelled >= part.before + part.units {
            continue;
        }
        if line.left() < part.units {
            let (named, left) = (words::units(part.units), words::units(line.left()));
            return Err(format!("{named} of line `{}` were to be cancelled, and {left} of it are left", part.detail));
        }
        wanted.push(Part { before: line.cancelled, ..part.clone() });
    }
    let units: u32 = wanted.iter().map(|part| part.units).sum();
    let all: u32 = lines.iter().map(Line::live).sum();
    Ok(if units == all { Vec::new() } else { wanted })
}

/// While a cancellation is asked for, the booking itself is not decided: here, or at the channel, which goes on waiting after we have refused
/// it and has no call for that.
fn no_cancellation_asked_for(order: &Order, channel_state: &ChannelState) -> Result<(), Rejection> {
    let sentence = if order.case_under_review().is_some() {
        "a cancellation of this booking is asked for; decide that first"
    } else if matches!(channel_state.standing.stage, Stage::CancelRequested { .. }) {
        "the channel still waits for a cancellation of this booking; refuse it there first"
    } else {
        return Ok(());
    };
    Err(Rejection::new(Why::RefundUnderReview, sentence))
}

/// A manager, or policy, confirms: the tickets are held at the back-end first, then the channel is asked. State moves when it agrees.
pub(in crate::decide) fn confirm(draft: &mut Draft, channel_state: &ChannelState) -> Result<(), Rejection> {
    let order = draft.order();
    let booking = booking::waiting(&order)?;
    no_cancellation_asked_for(&order, channel_state)?;
    match &channel_state.proposal {
        Some(Proposal::Confirm) => return Ok(()),
        Some(_) => {
            return Err(Rejection::new(Why::AlreadyDecided, "the channel has been asked for something else already"));
        }
        None => {}
    }
    is_ours_to_decide(channel_state)?;
    if order.names_other_product().is_some() {
        let sentence = "the channel names another product now than was booked; decline it, and let the guest book anew";
        return Err(Rejection::new(Why::ContentDiffers, sentence));
    }
    let (held, needed) = (order.money.left(), channel_state.standing.confirm_needs);
    if order.money.mode == PaymentMode::Ledger && held < needed {
        let sentence = format!("{held} is paid, and {needed} is needed before this booking can be accepted");
        return Err(Rejection::new(Why::NotPaid, sentence));
    }
    draft.event(Event::Proposed { proposal: Proposal::Confirm });
    draft.disarm(&[DeadlineKind::Acceptance]);
    if booking.ticketing.state == TicketingState::Queued && !booking.ticketing.asked {
        ticketing::start(draft);
    } else {
        draft.tell(Notification::BookingConfirmed { booking: booking.id.clone() });
    }
    Ok(())
}

fn is_ours_to_decide(channel_state: &ChannelState) -> Result<(), Rejection> {
    match channel_state.standing.needs_decision {
        true => Ok(()),
        false => Err(Rejection::new(Why::NotWaiting, "the channel accepts bookings of this product by itself")),
    }
}

/// A manager, or policy, rejects.
pub(in crate::decide) fn reject(
    draft: &mut Draft,
    channel_state: &ChannelState,
    reason: &FreeText,
) -> Result<(), Rejection> {
    let order = draft.order();
    let booking = booking::waiting(&order)?;
    no_cancellation_asked_for(&order, channel_state)?;
    let tickets_failed = booking.ticketing.state == TicketingState::Failed;
    match &channel_state.proposal {
        Some(Proposal::Reject { reason: before }) if before == reason => return Ok(()),
        Some(Proposal::Reject { .. }) => {
            let sentence = "the channel has been asked to reject it already, for another reason";
            return Err(Rejection::new(Why::AlreadyDecided, sentence));
        }
        Some(Proposal::Confirm) if tickets_failed => {}
        Some(_) => {
            return Err(Rejection::new(Why::AlreadyDecided, "the channel has been asked for something else already"));
        }
        None => {}
    }
    is_ours_to_decide(channel_state)?;
    draft.event(Event::Proposed { proposal: Proposal::Reject { reason: reason.to_owned() } });
    draft.tell(Notification::BookingRejected { booking: booking.id.clone(), reason: reason.to_owned() });
    draft.disarm(&[DeadlineKind::Acceptance]);
    Ok(())
}

/// What of an order is to be cancelled, and on what terms.
pub(in crate::decide) struct Terms<'a> {
    /// What is to be kept; `None` is the channel's own fee.
    pub(in crate::decide) fee: Option<i64>,
    pub(in crate::decide) reason: &'a FreeText,
    /// Units by line; none are all.
    pub(in crate::decide) parts: &'a [(String, u32)],
    /// What the guest is told once it is cancelled.
    pub(in crate::decide) notify_text: Option<&'a FreeText>,
}

impl<'a> Terms<'a> {
    /// All of it, for the channel's own fee.
    pub(in crate::decide) fn whole(reason: &'a FreeText) -> Self {
        Self { fee: None, reason, parts: &[], notify_text: None }
    }

    /// What the channel is asked for on these terms, where `parts` are what they come to.
    fn proposal(&self, parts: Vec<Part>) -> Proposal {
        Proposal::Cancel {
            fee: self.fee,
            reason: self.reason.to_owned(),
            parts,
            notify_text: self.notify_text.cloned(),
        }
    }
}

/// The order, or a part of it, is to be cancelled: the channel's own fee is asked for first.
pub(in crate::decide) fn ask_cancellation(
    draft: &mut Draft,
    channel_state: Option<&ChannelState>,
    terms: &Terms<'_>,
) -> Result<(), Rejection> {
    let Some(channel_state) = channel_state else {
        let sentence = "this channel's orders are cancelled whole, without a fee or words of ours";
        return Err(Rejection::new(Why::NotSupported, sentence));
    };
    let order = draft.order();
    match order.state {
        OrderState::Cancelled => return Err(Rejection::new(Why::AlreadyCancelled, "this order is cancelled already")),
        OrderState::Completed => {
            return Err(Rejection::new(Why::AlreadyRedeemed, "this order has been used; return the money alone"));
        }
        OrderState::Placed | OrderState::AwaitingBooking | OrderState::Booked => {}
    }
    if order.case_under_review().is_some() {
        return Err(Rejection::new(Why::RefundUnderReview, "the guest asks for it already; decide that request"));
    }
    // Where the channel would not, the case is open again.
    if order.approved_there().is_some() {
        let sentence = "the guest's request is approved, and the channel is carrying it out; wait for it";
        return Err(Rejection::new(Why::AlreadyDecided, sentence));
    }
    let parts = parts_to_cancel(&order.as_used(channel_state), terms.parts)?;
    let decided = |sentence: &'static str| Err(Rejection::new(Why::AlreadyDecided, sentence));
    match &channel_state.proposal {
        Some(asked) if *asked == terms.proposal(parts.clone()) => return Ok(()),
        Some(Proposal::Cancel { parts: before, .. }) if *before == parts => {
            return decided("the channel has been asked to cancel it already, on other terms");
        }
        Some(Proposal::Cancel { .. }) => {
            return decided("the channel has been asked to cancel something; wait for it");
        }
        // A request is rejected, not cancelled; one that is being confirmed may be.
        Some(Proposal::Reject { .. }) => return decided("the channel has been asked to reject it already"),
        Some(Proposal::Confirm) | None => {}
    }
    if let (Some(fee), Some(policy)) = (terms.fee, &channel_state.standing.policy) {
        let held = order.money.left() - kept_of_parts(&order);
        let most = policy.fee(price_of(&order, channel_state, &parts), held, false, draft.now());
        if fee < 0 || fee > most {
            let sentence = format!("the fee can be 0 to {most}: it may be lowered, never raised");
            return Err(Rejection::new(Why::FeeAboveDefault, sentence).at("fee"));
        }
    }
    draft.event(Event::Proposed { proposal: terms.proposal(parts) });
    draft.tell(Notification::CancelQuote);
    Ok(())
}

/// A partner's system gives the order a number of its own, and may change it at any time: history, never a key (TS-07).
pub(in crate::decide) fn partner_number(
    draft: &mut Draft,
    channel_state: Option<&ChannelState>,
    number: &ForeignNumber,
) {
    let Some(channel_state) = channel_state else { return };
    let old = channel_state.partner_number().cloned();
    if old.as_ref() != Some(number) {
        draft.event(Event::PartnerNumberChanged { old, new: number.clone() });
    }
}

/// The units that are to be cancelled, line by line; none where that is all that is left of the order.
fn parts_to_cancel(channel_state: &ChannelState, terms: &[(String, u32)]) -> Result<Vec<Part>, Rejection> {
    let mut parts: Vec<Part> = Vec::new();
    // What was used is never cancelled with the rest.
    let unused = if terms.is_empty() { channel_state.unused_beside_used() } else { Vec::new() };
    for (detail, units) in terms.iter().chain(&unused) {
        let invalid = |sentence: String| Err(Rejection::new(Why::Invalid, sentence).at("lines"));
        let Some(line) = channel_state.standing.lines.iter().find(|line| &line.detail == detail) else {
            return invalid(format!("this order has no line `{detail}`"));
        };
        let left = line.left();
        if parts.iter().any(|part| &part.detail == detail) {
            return invalid(format!("line `{detail}` is named twice; name it once, with all its units"));
        }
        if left == 0 {
            return invalid(format!("nothing is left of line `{detail}`: its units are used, or cancelled"));
        }
        if *units == 0 || *units > left {
            return invalid(format!("of line `{detail}`, 1 to {left} can be cancelled"));
        }
        parts.push(Part { detail: detail.clone(), units: *units, before: line.cancelled });
    }
    let wanted: u32 = parts.iter().map(|part| part.units).sum();
    let left: u32 = channel_state.standing.lines.iter().map(Line::live).sum();
    if parts.is_empty() && !channel_state.used_parts().is_empty() {
        return Err(Rejection::new(Why::AlreadyRedeemed, "every unit of this order has been used, or cancelled"));
    }
    if wanted == left {
        return Ok(Vec::new());
    }
    if !parts.is_empty() && channel_state.standing.policy.as_ref().is_some_and(|policy| !policy.partial_allowed) {
        let sentence = "this product is cancelled whole or not at all";
        return Err(Rejection::new(Why::PartialNotAllowed, sentence).at("lines"));
    }
    Ok(parts)
}
