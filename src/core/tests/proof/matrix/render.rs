// SPDX-License-Identifier: Apache-2.0

//! Orders, events and effects as a person reads them, with every figure that a fault could change.

use std::fmt::Write as _;

use ticketbridge_core::order::channel_state::{LinkState, Part, PaymentLink, Proposal};
use ticketbridge_core::order::money::{LedgerEntry, PaymentMode};
use ticketbridge_core::order::{Order, RefundState};
use ticketbridge_core::{Effect, Event, Notification, UnixMillis};

/// Where an order of such a platform stands, in one line.
pub(super) fn standing(order: &Order) -> String {
    let mut line = super::standing(order);
    let money = &order.money;
    if money.mode == PaymentMode::Ledger {
        let _ = write!(
            line,
            ", money {} in, {} back, {} going, {} kept, of {}",
            money.received(),
            money.refunded(),
            money.refund_pending(),
            money.fee(),
            money.due
        );
    }
    let _ = write!(line, ", units {}/{}", order.live_units(), order.quantity);
    if let Some(date) = order.booking.as_ref().and_then(|b| b.visit_date).filter(|d| *d != crate::support::visit_date())
    {
        let _ = write!(line, ", on {date}");
    }
    if let Some(case) = order.refund_case.as_ref().filter(|case| case.state != RefundState::UnderReview) {
        let _ = write!(line, ", refund fee {:?} settled {:?}", case.fee, case.settled_amount);
    }
    if let Some(channel_state) = order.channel_state.as_deref() {
        let _ = write!(line, ", revision {} {:?}", channel_state.standing.revision, channel_state.standing.stage);
        if let Some(wanted) = &channel_state.proposal {
            let _ = write!(line, ", asks to {}", proposal(wanted));
        }
        for it in &channel_state.links {
            let _ = write!(line, ", {}", link(it));
        }
        if channel_state.handed_over {
            line.push_str(", handed over");
        }
        if let Some(number) = channel_state.partner_number() {
            let _ = write!(line, ", number {number} of {}", channel_state.partner_numbers.len());
        }
    }
    for undelivered in &order.undelivered {
        let aside = if undelivered.is_put_aside { " (put aside)" } else { "" };
        let _ = write!(line, ", UNDELIVERED {}{aside}", notification(&undelivered.notification));
    }
    line
}

fn proposal(wanted: &Proposal) -> String {
    match wanted {
        Proposal::Confirm => "accept".to_owned(),
        Proposal::Reject { reason } => format!("reject ({reason})"),
        Proposal::Cancel { fee, reason, parts, notify_text } => {
            let parts: Vec<String> = parts.iter().map(part).collect();
            let which = if parts.is_empty() { "all".to_owned() } else { parts.join("+") };
            let told = notify_text.as_ref().map(|text| format!(" telling the guest: {text}")).unwrap_or_default();
            format!("cancel {which} for {fee:?} ({reason}){told}")
        }
    }
}

fn part(part: &Part) -> String {
    format!("{} of {} after {}", part.units, part.detail, part.before)
}

fn link(link: &PaymentLink) -> String {
    let state = match link.state {
        LinkState::Requested => "wanted",
        LinkState::Live => "live",
        LinkState::Paid => "paid",
        LinkState::Expired => "expired",
        LinkState::Revoking => "revoking",
        LinkState::Revoked => "revoked",
    };
    format!("link {} {state} {}", link.id.as_deref().unwrap_or("-"), link.amount)
}

fn entry(entry: &LedgerEntry) -> String {
    format!("{:?} {:?} {} {}", entry.kind, entry.status, reference(&entry.reference), entry.amount)
}

/// A name of ours for a movement, without what makes it unique.
fn reference(reference: &str) -> String {
    match reference.strip_prefix("wanted:").and_then(|rest| rest.split(':').next()) {
        Some(payment) => format!("wanted of {payment}"),
        None => reference.to_owned(),
    }
}

/// A notification with its figures.
pub(super) fn notification(notification: &Notification) -> String {
    let name = notification.name();
    match notification {
        Notification::BookingRejected { reason, .. } | Notification::OrderCancelled { reason } => {
            format!("{name} ({reason})")
        }
        Notification::RefundApproved { fee, .. } => format!("{name} fee {fee}"),
        Notification::RefundRejected { reissue, .. } => {
            format!("{name}{}", if *reissue { " with tickets" } else { "" })
        }
        Notification::Cancellation { fee, rate_bp, refund, reason } => {
            format!("{name} fee {fee} ({rate_bp} bp) refund {refund} ({reason})")
        }
        Notification::PaymentReturn { payment, amount, left, reason, .. } => {
            format!("{name} {amount} of {payment} with {left} left ({reason})")
        }
        Notification::LinkRevoked { id } => format!("{name} {id}"),
        Notification::GuestMessage { text } => format!("{name} ({text})"),
        Notification::BookingConfirmed { .. }
        | Notification::TicketsIssued { .. }
        | Notification::Redeemed { .. }
        | Notification::NoShow { .. }
        | Notification::CancelQuote
        | Notification::PaymentLink { .. }
        | Notification::HandOver => name.to_owned(),
    }
}

/// An effect with its figures; times count from `now`.
pub(super) fn effect(effect: &Effect, now: UnixMillis) -> String {
    let after = |at: UnixMillis| format!("{}s", (at - now).0 / 1_000);
    match effect {
        Effect::CallBackend { op, not_before, .. } => {
            format!("back-end: {}{}", op.name(), not_before.map(|at| format!(" +{}", after(at))).unwrap_or_default())
        }
        Effect::TellChannel { notification: it, not_before, .. } => {
            format!(
                "channel: {}{}",
                notification(it),
                not_before.map(|at| format!(" +{}", after(at))).unwrap_or_default()
            )
        }
        Effect::ReadBack { about, .. } => format!("channel: read back {about}"),
        Effect::ArmDeadline { kind, due_at, warn_at } => {
            let warnings: Vec<String> = warn_at.iter().map(|at| after(*at)).collect();
            format!("arm {} +{} warn [{}]", kind.name(), after(*due_at), warnings.join(" "))
        }
        Effect::TakeStock { key, units } => {
            format!("take {units} of {}", key.date.map_or("voucher".to_owned(), |d| d.to_string()))
        }
        Effect::ReturnStock { key, units } => {
            format!("return {units} of {}", key.date.map_or("voucher".to_owned(), |d| d.to_string()))
        }
        Effect::DecryptGuests
        | Effect::CompareGuests { .. }
        | Effect::TellStock { .. }
        | Effect::DisarmDeadline { .. } => super::effect_name(effect),
    }
}

/// An event with its figures.
pub(super) fn event(event: &Event) -> String {
    let name = super::event_name(event);
    match event {
        Event::PaymentRecorded { entry: it } => format!("{name} {}", entry(it)),
        Event::PaymentRetracted { reference: it } => format!("{name} {}", reference(it)),
        Event::Proposed { proposal: it } => format!("{name} {}", proposal(it)),
        Event::ProposalEnded { agreed } => format!("{name} {}", if *agreed { "agreed" } else { "off" }),
        Event::PaymentLinkChanged { link: it } => format!("{name} {}", link(it)),
        Event::BookingConfirmed { ticketing_due } => {
            format!("{name}{}", if ticketing_due.is_some() { " with a deadline" } else { "" })
        }
        Event::BookingRejected { reason } => format!("{name} ({reason})"),
        Event::BookingCancelled { reason, .. } => format!("{name} {reason:?}"),
        Event::OrderCancelled { reason, why } => {
            format!("{name} {reason:?} {}", why.as_ref().map_or("-", |why| why.reveal()))
        }
        Event::RefundApplied { case } => format!("{name} by {:?} up to {}", case.source, case.channel_fee),
        Event::RefundApprovalStarted { fee, by, .. } => format!("{name} fee {fee} by {by}"),
        Event::RefundApproved { fee, by, pending, .. } => {
            format!(
                "{name} fee {fee} by {by}{}",
                pending.as_ref().map(|e| format!(", {}", entry(e))).unwrap_or_default()
            )
        }
        Event::RefundRejected { by, reissue, .. } => {
            format!("{name} by {by}{}", if *reissue { " with tickets" } else { "" })
        }
        Event::RefundSettled { amount, by_channel, .. } => {
            format!("{name} {amount:?}{}", if *by_channel { " by the channel" } else { "" })
        }
        Event::NotificationAcknowledged { notification: it }
        | Event::NotificationRefused { notification: it, .. }
        | Event::NotificationLeftToPerson { notification: it, .. }
        | Event::NotificationDropped { notification: it }
        | Event::NotificationRepeated { notification: it }
        | Event::NotificationOvertaken { notification: it } => format!("{name} {}", notification(it)),
        Event::PartnerNumberChanged { old, new } => {
            format!("{name} {} to {new}", old.as_ref().map_or("-", |old| old.reveal()))
        }
        Event::TicketsIssued { manual, .. } => format!("{name}{}", if *manual { " by hand" } else { "" }),
        Event::TicketCancelRefused { used, .. } => format!("{name}{}", if *used { " as used" } else { "" }),
        _ => name,
    }
}
