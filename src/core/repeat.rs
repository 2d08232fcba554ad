// SPDX-License-Identifier: Apache-2.0

//! Making a call again that was given up or refused, because ops ask for it. What its failure changed about the order is taken back, so that
//! the call says the same as before, under the same key. It is refused only where the order has moved on, and then the sentence says how.

use crate::id::{BookingId, RefundCaseId};
use crate::message::{Effect, Event, Notification, TicketOp};
use crate::order::channel_state::{ChannelState, LinkState, Part, PaymentLink, Proposal, Stage};
use crate::order::missed::went_back;
use crate::order::money::{EntryKind, EntryStatus, LedgerEntry};
use crate::order::{BookingState, Handover, Order, OrderState, RefundState, TicketingState};
use crate::still_needed::{is_notification_needed, is_still_needed};
use crate::time::UnixMillis;

/// What makes the call of `effect` wanted again, decided by `by` at `now`: nothing, where it is.
///
/// # Errors
/// How the order has moved on, as a sentence.
pub fn repeat(order: &Order, effect: &Effect, by: &str, now: UnixMillis) -> Result<Vec<Event>, String> {
    match effect {
        Effect::CallBackend { booking, op, .. } => match is_still_needed(order, effect) {
            true => Ok(Vec::new()),
            false => Err(ticketing_moved_on(order, booking, *op)),
        },
        Effect::TellChannel { notification, .. } => repeat_notification(order, notification, by, now),
        Effect::DecryptGuests if is_still_needed(order, effect) => Ok(Vec::new()),
        Effect::DecryptGuests => Err("the guests' data is open already".to_owned()),
        Effect::CompareGuests { .. } | Effect::ReadBack { .. } | Effect::TellStock { .. } => Ok(Vec::new()),
        Effect::ArmDeadline { .. }
        | Effect::DisarmDeadline { .. }
        | Effect::TakeStock { .. }
        | Effect::ReturnStock { .. } => Err("it is not a call".to_owned()),
    }
}

fn ticketing_moved_on(order: &Order, booking: &BookingId, op: TicketOp) -> String {
    let Some(booking) = order.booking_by_id(booking) else { return "the booking is gone".to_owned() };
    if op == TicketOp::Issue && !booking.is_active() {
        return "the booking is over, and no tickets are to be made for it".to_owned();
    }
    let stands = match booking.ticketing.state {
        TicketingState::NotNeeded => "no tickets are needed",
        TicketingState::Queued | TicketingState::Requested => "tickets are being asked for",
        TicketingState::Issued => "the tickets are there",
        TicketingState::Unknown => "the back-end is being asked how it stands",
        TicketingState::Failed => {
            "the back-end has refused to make tickets; issue them by hand, or call the booking off"
        }
        TicketingState::Cancelling => "the tickets are being cancelled",
        TicketingState::Cancelled => "the tickets are cancelled",
        TicketingState::CancelRefused => "the back-end has refused to cancel the tickets",
    };
    stands.to_owned()
}

pub(crate) fn repeat_notification(
    order: &Order,
    notification: &Notification,
    by: &str,
    now: UnixMillis,
) -> Result<Vec<Event>, String> {
    // Taking a link back is wanted as long as the link may live, and brings it back under way.
    let is_revoke = matches!(notification, Notification::LinkRevoked { .. });
    if !is_revoke && is_notification_needed(order, notification) {
        return Ok(Vec::new());
    }
    match notification {
        Notification::TicketsIssued { booking } => tickets(order, booking),
        Notification::BookingConfirmed { .. } if order.channel_state.is_some() => propose(order, Proposal::Confirm),
        Notification::BookingRejected { reason, .. } if order.channel_state.is_some() => {
            propose(order, Proposal::Reject { reason: reason.clone() })
        }
        Notification::BookingConfirmed { .. } | Notification::BookingRejected { .. } => Err(booking_stands(order)),
        Notification::CancelQuote | Notification::Cancellation { .. } => cancellation(order),
        Notification::PaymentReturn { payment, amount, left, .. } if went_back(order, payment, *amount, *left) => {
            Err("the money has gone back".to_owned())
        }
        Notification::PaymentReturn { reference, amount, .. } => payment(order, reference, *amount, now),
        Notification::PaymentLink { key } => link(order, key, now),
        Notification::RefundApproved { case, fee } => approval(order, case, *fee, by, now),
        Notification::RefundRejected { case, .. } => Err(case_stands(order, case)),
        Notification::Redeemed { .. } | Notification::NoShow { .. } => {
            Err("the channel says by itself by now how the visit ended".to_owned())
        }
        Notification::HandOver => Err("the order is cancelled, and that is told with it".to_owned()),
        Notification::LinkRevoked { id } => revoke(order, id),
        // Wanted whatever has happened since.
        Notification::OrderCancelled { .. } | Notification::GuestMessage { .. } => Ok(Vec::new()),
    }
}

fn tickets(order: &Order, id: &BookingId) -> Result<Vec<Event>, String> {
    let Some(booking) = order.booking.as_ref().filter(|booking| booking.id == *id) else {
        return Err("the booking is over, and another may have taken its place".to_owned());
    };
    let t = &booking.ticketing;
    let hands_over = matches!(booking.state, BookingState::Confirmed | BookingState::Used)
        && matches!(t.state, TicketingState::Issued | TicketingState::NotNeeded);
    match t.handover {
        Handover::Refused if hands_over => Ok(vec![Event::TicketsDeferred]),
        Handover::Refused | Handover::Asked | Handover::Owed => Err("the booking has no valid tickets now".to_owned()),
        Handover::NotAsked => Err("the channel has not asked for the tickets".to_owned()),
        Handover::InAnswer => Err("the channel has got the tickets in an answer".to_owned()),
        Handover::Acknowledged => Err("the channel has taken the tickets".to_owned()),
        Handover::Reissued => Err("the tickets have gone out with the rejection of a refund".to_owned()),
    }
}

fn booking_stands(order: &Order) -> String {
    let state = order.booking.as_ref().map(|booking| booking.state);
    let stands = match state {
        None => "there is no booking any more",
        Some(BookingState::Requested) => "the booking waits for a decision; confirm or decline it",
        Some(BookingState::Confirmed) => "the booking is confirmed by now",
        Some(BookingState::Used) => "the booking has been used",
        Some(BookingState::NoShow) => "the guest did not come",
        Some(BookingState::Rejected) => "the booking is rejected by now",
        Some(BookingState::Cancelled) => "the booking is cancelled by now",
    };
    stands.to_owned()
}

/// Nothing else may be under way.
fn no_other_wish(channel_state: &ChannelState) -> Result<(), String> {
    let other = match &channel_state.proposal {
        None => return Ok(()),
        Some(Proposal::Confirm) => "to confirm the booking",
        Some(Proposal::Reject { .. }) => "to reject the booking",
        Some(Proposal::Cancel { .. }) => "to call the order off",
    };
    Err(format!("the channel is being asked {other} since; that ends first"))
}

fn propose(order: &Order, wish: Proposal) -> Result<Vec<Event>, String> {
    let waits = order.booking.as_ref().is_some_and(|booking| booking.state == BookingState::Requested);
    let Some(channel_state) = order.channel_state.as_deref().filter(|_| waits) else {
        return Err(booking_stands(order));
    };
    no_other_wish(channel_state)?;
    Ok(vec![Event::Proposed { proposal: wish }])
}

fn cancellation(order: &Order) -> Result<Vec<Event>, String> {
    let Some(channel_state) = order.channel_state.as_deref() else {
        return Err("the channel tells no whole orders".to_owned());
    };
    if order.is_over() {
        return Err(over(order));
    }
    no_other_wish(channel_state)?;
    match &channel_state.refused {
        Some(wish @ Proposal::Cancel { parts, .. }) if parts.iter().all(|part| is_as_it_was(channel_state, part)) => {
            Ok(vec![Event::Proposed { proposal: wish.clone() }])
        }
        Some(Proposal::Cancel { .. }) => Err("other units were cancelled since; call them off anew".to_owned()),
        Some(Proposal::Confirm | Proposal::Reject { .. }) | None => {
            Err("another decision was taken since; call the order off anew".to_owned())
        }
    }
}

/// Whether no unit of a line was cancelled since its part was asked for.
fn is_as_it_was(channel_state: &ChannelState, part: &Part) -> bool {
    let line = channel_state.standing.lines.iter().find(|line| line.detail == part.detail);
    line.is_some_and(|line| line.cancelled == part.before)
}

fn over(order: &Order) -> String {
    let how = match order.state {
        OrderState::Cancelled => "cancelled",
        OrderState::Completed => "completed",
        OrderState::Placed | OrderState::AwaitingBooking | OrderState::Booked => "over",
    };
    format!("the order is {how} by now")
}

fn payment(order: &Order, reference: &str, amount: i64, now: UnixMillis) -> Result<Vec<Event>, String> {
    let money = &order.money;
    if money.ledger.iter().any(|entry| entry.reference == reference && entry.status == EntryStatus::Done) {
        return Err("the money has gone back".to_owned());
    }
    let left = money.left();
    if amount > left {
        return Err(format!(
            "{left} is left of what was paid, and {amount} was to go back: the rest has gone back since"
        ));
    }
    let (reference, kind, status) = (reference.to_owned(), EntryKind::Refund, EntryStatus::Pending);
    Ok(vec![Event::PaymentRecorded { entry: LedgerEntry { reference, kind, status, amount, at: now } }])
}

/// A link that could not be taken back counts as alive; asked for again, it is being taken back.
fn revoke(order: &Order, id: &str) -> Result<Vec<Event>, String> {
    let links = order.channel_state.as_deref().map(|channel_state| channel_state.links.as_slice()).unwrap_or_default();
    let Some(link) = links.iter().find(|link| link.id.as_deref() == Some(id)) else { return Ok(Vec::new()) };
    match link.state {
        LinkState::Live => {
            Ok(vec![Event::PaymentLinkChanged { link: PaymentLink { state: LinkState::Revoking, ..link.clone() } }])
        }
        LinkState::Requested | LinkState::Revoking => Ok(Vec::new()),
        LinkState::Paid => Err("the link has been paid".to_owned()),
        LinkState::Expired => Err("the link has expired".to_owned()),
        LinkState::Revoked => Err("the link is taken back".to_owned()),
    }
}

fn link(order: &Order, key: &str, now: UnixMillis) -> Result<Vec<Event>, String> {
    let links = order.channel_state.as_deref().map(|channel_state| channel_state.links.as_slice()).unwrap_or_default();
    let Some(link) = links.iter().find(|link| link.key == key) else {
        return Err("the link is not known any more; send a new one".to_owned());
    };
    match link.state {
        LinkState::Revoked if link.id.is_none() => {}
        LinkState::Revoking | LinkState::Revoked => {
            return Err("the link was taken back; send a new one".to_owned());
        }
        LinkState::Requested | LinkState::Live => return Err("the guest has the link".to_owned()),
        LinkState::Paid => return Err("the link has been paid".to_owned()),
        LinkState::Expired => return Err("the link has expired; send a new one".to_owned()),
    }
    let money = &order.money;
    if order.state == OrderState::Cancelled || order.case_under_review().is_some() {
        return Err("nothing is to be paid any more: the order is cancelled, or about to be".to_owned());
    }
    if money.due - money.held() <= 0 {
        return Err("everything is paid by now".to_owned());
    }
    if links.iter().any(PaymentLink::is_live) {
        return Err("another link was sent since".to_owned());
    }
    if link.expires_at <= now {
        return Err("the time of the link is over; send a new one".to_owned());
    }
    Ok(vec![Event::PaymentLinkChanged { link: PaymentLink { state: LinkState::Requested, ..link.clone() } }])
}

/// A snapshot channel did not do what was approved, and the case was opened again: the same approval stands again.
fn approval(order: &Order, id: &RefundCaseId, fee: i64, by: &str, now: UnixMillis) -> Result<Vec<Event>, String> {
    let open = order.refund_case.as_ref().filter(|case| case.id == *id && case.state == RefundState::UnderReview);
    let waits = |channel_state: &ChannelState| matches!(channel_state.standing.stage, Stage::CancelRequested { .. });
    let (Some(case), true) = (open, order.channel_state.as_deref().is_some_and(waits) && !order.is_over()) else {
        return Err(case_stands(order, id));
    };
    let pending = case.sends_back(order, fee, now);
    Ok(vec![Event::RefundApproved { case: id.clone(), fee, by: by.to_owned(), reason: case.reason.clone(), pending }])
}

fn case_stands(order: &Order, id: &RefundCaseId) -> String {
    let case = order.refund_case.iter().chain(&order.past_refund_cases).find(|case| case.id == *id);
    let stands = match case.map(|case| case.state) {
        None => "the refund case is gone",
        Some(RefundState::UnderReview) => "the refund case is under review again; decide it anew",
        Some(RefundState::Approved) => "the refund is approved by now",
        Some(RefundState::Rejected) => "the refund is rejected by now",
        Some(RefundState::Settled) => "the refund is settled by now",
        Some(RefundState::Withdrawn) => "the refund is no longer asked for",
    };
    stands.to_owned()
}
