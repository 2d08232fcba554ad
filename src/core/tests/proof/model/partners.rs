// SPDX-License-Identifier: Apache-2.0

//! What the worker, the back-end, the gate, the channel and people do.

use ticketbridge_core::message::{NotificationOutcome, RedeemedBy, RefundScope, TicketFacts, TicketOp};
use ticketbridge_core::order::{BookingState, Handover, OrderState, RefundKind, RefundSource};
use ticketbridge_core::product::Confirmation;
use ticketbridge_core::{Actor, Command, Effect};

use super::world::{Action, Fate, Held, LAST_TICK, Lane, News, Reservation, VISIT_TICK, World, operation, redeem};
use super::{Fault, Search};
use crate::support::*;

/// Everything that can happen now.
pub(crate) fn actions(search: &Search, world: &World, out: &mut Vec<Action>) {
    if world.stopped {
        return;
    }
    match world.due() {
        Some((kind, _)) => out.push(Action::Timer(kind)),
        // Minutes may pass while calls wait; days pass only when all has come to rest.
        None if world.tick == 0 || (world.tick < LAST_TICK && world.is_quiet()) => out.push(Action::Tick),
        None => {}
    }
    worker(search, world, out);
    backend_and_gate(world, out);
    channel_wishes(search, world, out);
    if world.acts > 0 {
        people(search, world, out);
    }
}

fn worker(search: &Search, world: &World, out: &mut Vec<Action>) {
    for lane in [Lane::Backend, Lane::Channel] {
        let Some((_, effect)) = world.head(lane) else { continue };
        let mut fates = vec![Fate::Done];
        if let Some((booking, op)) = operation(effect) {
            let Some(r) = world.reservations.iter().find(|r| r.booking == *booking) else { continue };
            if op == TicketOp::Query && r.delayed {
                // The second look waits longer than any request is on its way.
                continue;
            }
            match (op, r.held) {
                (TicketOp::Issue, Held::Nothing) | (TicketOp::Cancel, Held::Live) => {
                    fates.push(Fate::Refused);
                    fates.extend((!search.prompt).then_some(Fate::Working));
                }
                _ => {}
            }
            if world.mishaps > 0 {
                fates.extend([Fate::AnswerLost, Fate::GivenUp]);
                if op == TicketOp::Issue && r.held == Held::Nothing {
                    fates.push(Fate::Delayed);
                }
            }
        } else if world.mishaps > 0 {
            fates.extend([Fate::AnswerLost, Fate::Refused, Fate::GivenUp]);
        }
        out.extend(fates.into_iter().map(|fate| Action::Call(lane, fate)));
    }
}

fn backend_and_gate(world: &World, out: &mut Vec<Action>) {
    for (index, r) in world.reservations.iter().enumerate() {
        if r.delayed {
            out.push(Action::Deliver(index));
        }
        match r.held {
            Held::Working => out.extend([Action::Finish(index, Held::Live), Action::Finish(index, Held::Refused)]),
            Held::CancelWorking => out.extend([Action::Finish(index, Held::Void), Action::Finish(index, Held::Live)]),
            _ => {}
        }
        // Gates that let people in before the day are a mishap.
        if r.admits() && (world.tick >= VISIT_TICK || world.mishaps > 0) {
            out.push(Action::Enter(index));
        }
    }
    for (index, news) in &world.news {
        out.push(Action::Receive(*index, *news));
        if *news != News::Entered && world.mishaps > 0 {
            out.push(Action::LoseNews(*index, *news));
        }
    }
}

fn channel_wishes(search: &Search, world: &World, out: &mut Vec<Action>) {
    let order = &world.order;
    if world.reservations.len() < usize::from(search.budget.bookings)
        && !order.is_over()
        && order.active_booking().is_none()
    {
        out.push(Action::Book);
    }
    if let (Some(last), Some(booking)) = (world.reservations.last(), &order.booking)
        && !last.demanded
        && booking.state != BookingState::Cancelled
    {
        out.push(Action::Demand(world.reservations.len() - 1));
    }
    let is_approved = world.asked.last().is_some_and(|asked| asked.told_approved);
    if is_approved && order.refund_case.as_ref().is_some_and(|case| case.is_open()) {
        out.push(Action::Settle);
    }
    if order.case_under_review().is_some() {
        out.push(Action::Withdraw);
    }
    if world.wishes == 0 {
        return;
    }
    out.push(Action::Apply(RefundSource::Guest, RefundKind::Refund));
    if order.active_booking().is_some() {
        // It differs only in what comes after it, so the searches with a second booking try it.
        if search.budget.bookings > 1 {
            out.push(Action::Apply(RefundSource::Guest, RefundKind::CancelBooking));
        }
        if world.tick >= 1 {
            out.push(Action::Apply(RefundSource::TicketsLate, RefundKind::Refund));
        }
        out.push(Action::CancelBooking);
    }
    if order.state != OrderState::Cancelled {
        out.push(Action::Refund(RefundScope::Order));
        out.push(Action::CancelSale);
    }
}

fn people(search: &Search, world: &World, out: &mut Vec<Action>) {
    let order = &world.order;
    if order.case_under_review().is_some() {
        let approvals = [false, true].map(|without_backend| Action::Approve { without_backend });
        out.extend(approvals);
        out.push(Action::RejectRefund);
    }
    if order.active_booking().is_some() {
        if search.terms.confirm == Confirmation::Manual {
            out.extend([Action::Confirm, Action::RejectBooking]);
        }
        if search.terms.tickets {
            out.push(Action::SupplyTickets);
        }
        out.push(Action::Redeem);
        if world.tick >= VISIT_TICK {
            out.push(Action::NoShow);
        }
    }
    out.push(Action::CancelOrder);
}

/// Lets `action` happen.
pub(crate) fn act(search: &Search, world: &mut World, action: Action) {
    match action {
        Action::Tick => world.tick += 1,
        Action::Timer(kind) => {
            let Some((_, due_at)) = world.due() else { return };
            world.timers.retain(|(armed, _)| *armed != kind);
            world.tell(search, &Actor::timer(), &Command::PassDeadline { kind, due_at });
        }
        Action::Call(Lane::Backend, fate) => call_backend(search, world, fate),
        Action::Call(Lane::Channel, fate) => call_channel(search, world, fate),
        Action::Deliver(index) => {
            let booking = world.reservations[index].booking.clone();
            let over = world.order.booking_by_id(&booking).is_some_and(|b| !b.ticketing.may_be_live());
            let r = &mut world.reservations[index];
            r.delayed = false;
            r.late = over;
            if r.held == Held::Nothing {
                r.held = Held::Live;
            }
        }
        Action::Finish(index, held) => finish(world, index, held),
        Action::Receive(index, news) => {
            world.news.retain(|waiting| *waiting != (index, news));
            receive(search, world, index, news);
        }
        Action::LoseNews(index, news) => {
            world.mishaps -= 1;
            world.news.retain(|waiting| *waiting != (index, news));
        }
        Action::Enter(index) => {
            world.mishaps -= u8::from(world.tick < VISIT_TICK);
            enter(world, index);
        }
        Action::Book | Action::Demand(_) | Action::Withdraw | Action::Settle => channel_acts(search, world, action),
        Action::Apply(..) | Action::Refund(_) | Action::CancelBooking | Action::CancelSale => {
            world.wishes -= 1;
            channel_acts(search, world, action);
        }
        Action::Confirm
        | Action::RejectBooking
        | Action::Approve { .. }
        | Action::RejectRefund
        | Action::SupplyTickets
        | Action::Redeem
        | Action::NoShow
        | Action::CancelOrder => people_act(search, world, action),
    }
}

/// A row that no longer serves is closed without a call as soon as its turn comes: what it was good for is then up to others.
pub(crate) fn close_unwanted(world: &mut World) {
    for lane in [Lane::Backend, Lane::Channel] {
        while world.head(lane).is_some() && !world.head_is_wanted(lane) {
            drop_head(world, lane);
        }
    }
}

fn drop_head(world: &mut World, lane: Lane) {
    if let Some((index, _)) = world.head(lane) {
        world.rows.remove(index);
    }
}

fn finish(world: &mut World, index: usize, held: Held) {
    let was = std::mem::replace(&mut world.reservations[index].held, held);
    let news = match (was, held) {
        (Held::Working, Held::Live) => News::Issued,
        (Held::Working, _) => News::Refused,
        (_, Held::Void) => News::Cancelled,
        _ => News::CancelRefused,
    };
    add_news(world, index, news);
}

/// News that says the same twice is one message that comes twice.
fn add_news(world: &mut World, index: usize, news: News) {
    if !world.news.contains(&(index, news)) {
        world.news.push((index, news));
        world.news.sort();
    }
}

fn enter(world: &mut World, index: usize) {
    let r = &mut world.reservations[index];
    if r.manual == Held::Live {
        r.manual = Held::Used;
    } else {
        r.held = Held::Used;
    }
    add_news(world, index, News::Entered);
}

fn receive(search: &Search, world: &mut World, index: usize, news: News) {
    let booking = world.reservations[index].booking.clone();
    let command = match news {
        News::Issued => Command::RecordTicketFacts { booking, facts: issued(&format!("B-{index}")) },
        News::Refused => Command::RecordTicketFacts { booking, facts: refused() },
        News::Cancelled => Command::RecordTicketFacts { booking, facts: TicketFacts::Cancelled },
        News::CancelRefused => Command::RecordTicketFacts { booking, facts: cancel_refused(false) },
        News::Entered => redeem(booking, world.now(), RedeemedBy::Gate),
    };
    world.tell(search, &gate(), &command);
}

fn refused() -> TicketFacts {
    TicketFacts::Refused { reason: "sold out".into() }
}
fn cancel_refused(used: bool) -> TicketFacts {
    TicketFacts::CancelRefused { reason: "closed".into(), used }
}

fn call_backend(search: &Search, world: &mut World, fate: Fate) {
    let Some((_, effect)) = world.head(Lane::Backend) else { return };
    let Some((booking, op)) = operation(effect).map(|(booking, op)| (booking.clone(), op)) else { return };
    let Some(index) = world.reservations.iter().position(|r| r.booking == booking) else { return };
    let facts = match fate {
        Fate::Done | Fate::Working | Fate::Refused => {
            drop_head(world, Lane::Backend);
            execute(&mut world.reservations[index], index, op, fate)
        }
        Fate::AnswerLost => {
            world.mishaps -= 1;
            execute(&mut world.reservations[index], index, op, Fate::Done);
            TicketFacts::Unknown { why: "no answer".into() }
        }
        Fate::Delayed => {
            world.mishaps -= 1;
            world.reservations[index].delayed = true;
            TicketFacts::Unknown { why: "no answer".into() }
        }
        Fate::GivenUp => {
            world.mishaps -= 1;
            drop_head(world, Lane::Backend);
            TicketFacts::GivenUp { why: "no answer".into() }
        }
    };
    world.tell(search, &gate(), &Command::RecordTicketFacts { booking, facts });
}

/// What the back-end does and says. It remembers: a reservation is issued once, whatever is asked how often.
fn execute(r: &mut Reservation, index: usize, op: TicketOp, fate: Fate) -> TicketFacts {
    match (op, r.held, fate) {
        (TicketOp::Issue, Held::Nothing, Fate::Working) => r.held = Held::Working,
        (TicketOp::Issue, Held::Nothing, Fate::Refused) => r.held = Held::Refused,
        (TicketOp::Issue, Held::Nothing, _) => r.held = Held::Live,
        (TicketOp::Cancel, Held::Live, Fate::Working) => r.held = Held::CancelWorking,
        (TicketOp::Cancel, Held::Live, Fate::Refused) => return cancel_refused(false),
        (TicketOp::Cancel, Held::Live | Held::Working | Held::CancelWorking, _) => r.held = Held::Void,
        _ => {}
    }
    match (op, r.held) {
        // What it has never heard of admits nobody; a request that is still on its way will not know of this.
        (_, Held::Nothing | Held::Void) => TicketFacts::Cancelled,
        (TicketOp::Cancel, Held::Refused) => TicketFacts::Cancelled,
        (_, Held::Refused) => refused(),
        (_, Held::Working) => TicketFacts::Pending { backend_ref: None, look_after: None },
        (TicketOp::Cancel, Held::Used) => cancel_refused(true),
        (_, Held::CancelWorking) => TicketFacts::CancelPending,
        (_, Held::Live | Held::Used) => issued(&format!("B-{index}")),
    }
}

fn call_channel(search: &Search, world: &mut World, fate: Fate) {
    let Some((_, Effect::TellChannel { notification, .. })) = world.head(Lane::Channel) else { return };
    let notification = notification.clone();
    let outcome = match fate {
        Fate::AnswerLost => {
            world.mishaps -= 1;
            world.channel_hears(&notification);
            return;
        }
        Fate::Refused => {
            world.mishaps -= 1;
            NotificationOutcome::Refused { code: "7".into(), why: "no".into() }
        }
        Fate::GivenUp => {
            world.mishaps -= 1;
            NotificationOutcome::GivenUp { why: "no answer".into() }
        }
        Fate::Done | Fate::Working | Fate::Delayed => {
            world.channel_hears(&notification);
            NotificationOutcome::Acknowledged
        }
    };
    drop_head(world, Lane::Channel);
    world.tell(search, &channel(), &Command::RecordNotification { notification, outcome });
}

fn channel_acts(search: &Search, world: &mut World, action: Action) {
    let now = world.now();
    let active = world.order.booking.as_ref().map_or_else(|| SALE.into(), |b| b.channel_booking_id.clone());
    let direct = world.order.kind == ticketbridge_core::order::OrderKind::Direct;
    let command = match action {
        Action::Book => booking(if direct { SALE } else { [FIRST, SECOND][world.reservations.len().min(1)] }),
        Action::Demand(index) => {
            world.reservations[index].demanded = true;
            // Tickets that exist go into the answer; otherwise it says "not yet".
            if world.tell(search, &channel(), &demand(active.as_str(), now)) {
                world.tell(search, &channel(), &Command::AnswerTickets { target: active, with_tickets: true });
                let answered = world.order.booking.as_ref().map(|b| b.ticketing.handover);
                world.reservations[index].told_issued |= answered == Some(Handover::InAnswer);
            }
            return;
        }
        Action::Apply(source, kind) => {
            let mut asked = application(&format!("S{}", world.asked.len()), active.as_str(), source, now);
            asked.kind = kind;
            Command::ApplyRefund(asked)
        }
        Action::Withdraw => match world.order.case_under_review() {
            Some(case) => Command::WithdrawRefund { channel_ref: case.channel_ref.clone() },
            None => return,
        },
        Action::Settle => match &world.order.refund_case {
            // The channel tells refunds of vouchers by themselves; of a booking it tells that it is cancelled.
            Some(case) if direct || case.kind == RefundKind::CancelBooking => {
                Command::RecordCancellation(cancellation(case.target.as_str(), now))
            }
            Some(case) => {
                Command::RecordRefund(refund(&case.channel_ref, case.target.as_str(), RefundScope::Order, now))
            }
            None => return,
        },
        Action::Refund(scope) => Command::RecordRefund(refund("F1", active.as_str(), scope, now)),
        Action::CancelBooking => Command::RecordCancellation(cancellation(active.as_str(), now)),
        Action::CancelSale => Command::RecordCancellation(cancellation(SALE, now)),
        _ => return,
    };
    world.tell(search, &channel(), &command);
}

fn people_act(search: &Search, world: &mut World, action: Action) {
    let now = world.now();
    let case = world.order.case_under_review().map(|case| case.id.clone());
    let last = world.reservations.len().wrapping_sub(1);
    let command = match (&action, case) {
        (Action::Confirm, _) => Command::ConfirmBooking,
        (Action::RejectBooking, _) => Command::RejectBooking { reason: "full".into() },
        (Action::Approve { without_backend }, Some(case)) => {
            let too_early = search.fault == Fault::ApprovedTooEarly;
            let without_backend = *without_backend || too_early;
            Command::ApproveRefund { case, fee: None, without_backend, reason: None }
        }
        (Action::RejectRefund, Some(case)) => Command::RejectRefund { case, reason: "no".into() },
        (Action::SupplyTickets, _) => Command::SupplyTickets { tickets: ticket(&format!("H-{last}")) },
        (Action::Redeem, _) => redeem(world.reservations[last].booking.clone(), now, RedeemedBy::Person),
        (Action::NoShow, _) => Command::MarkNoShow { at: now },
        (Action::CancelOrder, _) => Command::CancelOrder { reason: "storm".into() },
        _ => return,
    };
    if !world.tell(search, &ops(), &command) {
        return;
    }
    world.acts -= 1;
    match action {
        Action::SupplyTickets => world.reservations[last].manual = Held::Live,
        // Who approves without the back-end has seen to it that nobody gets in.
        Action::Approve { without_backend: true } => {
            world.overridden = true;
            if let Some(r) = world.reservations.get_mut(last).filter(|r| r.manual == Held::Live) {
                r.manual = Held::Void;
            }
        }
        _ => {}
    }
}
