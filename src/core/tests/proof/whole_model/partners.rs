// SPDX-License-Identifier: Apache-2.0

//! What the worker, the platform, the back-end, the gate, guests and people do.

use ticketbridge_core::message::{NotificationOutcome, RedeemedBy, TicketFacts, TicketOp};
use ticketbridge_core::order::channel_state::{LinkState, Part, Stage};
use ticketbridge_core::order::money::EntryStatus;
use ticketbridge_core::order::{BookingState, CancelReason, OrderState};
use ticketbridge_core::still_needed::{is_still_needed, must_be_answered};
use ticketbridge_core::{Actor, Command, Effect, Millis, Notification};

use super::Search;
use super::world::{Act, Action, Fate, Guest, Held, Lane, VISIT_TICK, World};
use crate::platform::{DEPOSIT, GROSS, NET, Platform, Style, told};
use crate::support::{gate, issued, ops};
use crate::tale::platform;

/// What a person keeps when a request to cancel is approved.
const KEPT: i64 = 5_000;
/// Price of the one unit that is cancelled alone, after discount.
const PART: i64 = 27_000;

/// Everything that can happen now.
pub(crate) fn actions(search: &Search, world: &World, out: &mut Vec<Action>) {
    if world.stopped || world.wrong.is_some() {
        return;
    }
    match world.due() {
        Some((kind, _)) => out.push(Action::Timer(kind)),
        None if world.tick < VISIT_TICK && world.is_quiet() => out.push(Action::Tick),
        None => {}
    }
    worker(world, out);
    for index in 0..world.mail.len() {
        out.push(Action::Receive(index));
        if world.mishaps > 0 {
            out.extend([Action::ReceiveAndKeep(index), Action::Lose(index)]);
        }
    }
    let behind = world.order.channel_state.as_deref().is_none_or(|m| m.standing.revision < world.there.revision);
    if world.mail.is_empty() && world.rows.is_empty() && behind {
        out.push(Action::Poll);
    }
    if world.held == Held::Live && (world.tick >= VISIT_TICK || world.mishaps > 0) {
        out.push(Action::Enter);
    }
    guests(search, world, out);
    if world.acts > 0 {
        people(search, world, out);
    }
}

fn worker(world: &World, out: &mut Vec<Action>) {
    for lane in [Lane::Backend, Lane::Channel] {
        let Some(index) = world.head(lane) else { continue };
        let mut fates = vec![Fate::Done];
        let refuses = match &world.rows[index].effect {
            Effect::CallBackend { op: TicketOp::Issue, .. } => world.held == Held::Nothing,
            Effect::CallBackend { op: TicketOp::Cancel, .. } => world.held == Held::Live,
            _ => false,
        };
        if refuses || (lane == Lane::Channel && world.mishaps > 0) {
            fates.push(Fate::Refused);
        }
        if world.mishaps > 0 {
            fates.extend([Fate::AnswerLost, Fate::GivenUp]);
        }
        out.extend(fates.into_iter().map(|fate| Action::Call(lane, fate)));
    }
}

fn guests(search: &Search, world: &World, out: &mut Vec<Action>) {
    let there = &world.there;
    if there.returning() > 0 {
        out.push(Action::Guest(Guest::Returned));
        if world.mishaps > 0 {
            out.push(Action::Guest(Guest::ReturnFailed));
        }
    }
    if world.wishes == 0 {
        return;
    }
    let live = matches!(there.stage, Stage::Requested | Stage::Confirmed);
    let mut wish = |wish| out.push(Action::Guest(wish));
    if there.stage == Stage::Requested {
        wish(Guest::Confirm);
    }
    if live && world.tick >= VISIT_TICK {
        wish(Guest::Use);
        wish(Guest::NoShow);
    }
    match search.terms.style {
        Style::Reservations => {
            if live {
                wish(Guest::Cancel { fee: 0 });
                wish(Guest::Cancel { fee: 9_000 });
                if there.units[0].off == 0 {
                    wish(Guest::CancelPart);
                }
            }
            if there.stage == Stage::Used {
                wish(Guest::CancelUsed);
            }
        }
        Style::Packages => {
            if live {
                wish(Guest::AskOut);
            }
            if matches!(there.stage, Stage::CancelRequested { .. }) {
                wish(Guest::Stay);
            }
            if there.received() == DEPOSIT {
                wish(Guest::PayBalance);
            }
            if there.links.iter().any(|(_, state)| *state == LinkState::Live) {
                wish(Guest::LinkEnds);
            }
        }
    }
}

fn people(search: &Search, world: &World, out: &mut Vec<Action>) {
    let order = &world.order;
    let waits = order.booking.as_ref().is_some_and(|b| b.state == BookingState::Requested);
    let mut act = |act| out.push(Action::Act(act));
    if waits {
        act(Act::Confirm);
        act(Act::RejectBooking);
    }
    if order.case_under_review().is_some() {
        act(Act::Approve { without_backend: false });
        act(Act::Approve { without_backend: true });
        act(Act::RejectRefund);
    }
    if order.state == OrderState::Booked && world.tick >= VISIT_TICK {
        act(Act::Redeem);
        act(Act::NoShow);
    }
    act(Act::GiveBack);
    match search.terms.style {
        Style::Reservations if !order.is_over() => {
            act(Act::Cancel);
            act(Act::CancelPart);
        }
        Style::Packages => {
            act(Act::SendLink);
            act(Act::RevokeLink);
        }
        Style::Reservations => {}
    }
}

/// Lets `action` happen.
pub(crate) fn act(search: &Search, world: &mut World, action: &Action) {
    match *action {
        Action::Tick => world.tick += 1,
        Action::Timer(kind) => {
            let Some((_, due_at)) = world.due() else { return };
            world.timers.retain(|(armed, _)| *armed != kind);
            world.tell(search, &Actor::timer(), &Command::PassDeadline { kind, due_at });
        }
        Action::Call(Lane::Backend, fate) => call_backend(search, world, fate),
        Action::Call(Lane::Channel, fate) => call_platform(search, world, fate),
        Action::Receive(index) => {
            let mail = world.mail.remove(index);
            world.tell(search, &platform(), &told(mail.snapshot()));
        }
        Action::ReceiveAndKeep(index) => {
            world.mishaps -= 1;
            let mail = world.mail[index].clone();
            world.tell(search, &platform(), &told(mail.snapshot()));
        }
        Action::Lose(index) => {
            world.mishaps -= 1;
            world.mail.remove(index);
        }
        Action::Poll => drop(world.answered(search)),
        Action::Enter => enter(search, world),
        Action::Guest(guest) => guest_acts(world, guest),
        Action::Act(act) => person_acts(search, world, act),
    }
}

fn enter(search: &Search, world: &mut World) {
    world.mishaps -= u8::from(world.tick < VISIT_TICK);
    world.held = Held::Used;
    let redeem = ticketbridge_core::message::Redeem {
        booking: world.order.booking.as_ref().map(|b| b.id.clone()),
        at: world.now(),
        by: RedeemedBy::Gate,
        count: None,
    };
    world.tell(search, &gate(), &Command::Redeem(redeem));
}

fn guest_acts(world: &mut World, guest: Guest) {
    match guest {
        Guest::Returned => return world.changes(|p| p.settle(EntryStatus::Done)),
        Guest::ReturnFailed => {
            world.mishaps -= 1;
            return world.changes(|p| p.settle(EntryStatus::Failed));
        }
        _ => world.wishes -= 1,
    }
    match guest {
        Guest::Confirm => world.changes(|p| p.reach(Stage::Confirmed)),
        Guest::Cancel { fee } => {
            world.changes(|p| p.cancel(Stage::Cancelled, CancelReason::RefundedBeforeUse, fee, EntryStatus::Pending))
        }
        Guest::CancelPart => world.changes(|p| {
            p.units[0].off += 1;
            p.give_back(0, PART, EntryStatus::Pending);
        }),
        Guest::CancelUsed => world.changes(|p| {
            p.cancel(Stage::Cancelled, CancelReason::ByOps, 0, EntryStatus::Pending);
            if let Some(off) = &mut p.off {
                off.ex_officio = true;
            }
        }),
        Guest::AskOut => {
            let confirmed = world.there.stage == Stage::Confirmed;
            world.changes(|p| p.reach(Stage::CancelRequested { confirmed }));
        }
        Guest::Stay => {
            let confirmed = world.there.stage == Stage::CancelRequested { confirmed: true };
            world.changes(|p| p.reach(if confirmed { Stage::Confirmed } else { Stage::Requested }));
        }
        Guest::PayBalance => {
            let link = world.there.links.last().map(|(id, _)| id.clone());
            world.changes(|p| {
                p.pay(NET - DEPOSIT, link.as_deref());
                p.links.last_mut().into_iter().for_each(|(_, state)| *state = LinkState::Paid);
            });
        }
        Guest::Use => world.changes(|p| p.reach(Stage::Used)),
        Guest::NoShow => world.changes(|p| p.reach(Stage::NoShow)),
        Guest::LinkEnds => {
            let mut there = (*world.there).clone();
            there.changed();
            let live = there.links.iter_mut().find(|(_, state)| *state == LinkState::Live);
            let Some((id, state)) = live else { return };
            *state = LinkState::Expired;
            let news = Some((id.clone(), LinkState::Expired));
            world.there = std::sync::Arc::new(there);
            world.send(news);
        }
        Guest::Returned | Guest::ReturnFailed => {}
    }
}

fn person_acts(search: &Search, world: &mut World, act: Act) {
    let reason = || "storm".into();
    let now = world.now();
    let case = world.order.refund_case.as_ref().map(|case| case.id.clone());
    let booking = world.order.booking.as_ref().map(|b| b.id.clone());
    let command = match (act, case) {
        (Act::Confirm, _) => Command::ConfirmBooking,
        (Act::RejectBooking, _) => Command::RejectBooking { reason: reason() },
        (Act::Cancel, _) => {
            Command::AskCancellation { fee: None, reason: reason(), parts: Vec::new(), notify_text: None }
        }
        (Act::CancelPart, _) => Command::AskCancellation {
            fee: None,
            reason: reason(),
            parts: vec![("D1".to_owned(), 1)],
            notify_text: None,
        },
        (Act::Approve { without_backend }, Some(case)) => {
            Command::ApproveRefund { case, fee: Some(KEPT), without_backend, reason: None }
        }
        (Act::RejectRefund, Some(case)) => Command::RejectRefund { case, reason: reason() },
        (Act::Redeem, _) => Command::Redeem(ticketbridge_core::message::Redeem {
            booking,
            at: now,
            by: RedeemedBy::Person,
            count: None,
        }),
        (Act::NoShow, _) => Command::MarkNoShow { at: now },
        (Act::GiveBack, _) => Command::ReturnPayments { amount: None, reason: reason() },
        (Act::SendLink, _) => Command::SendPaymentLink { amount: None, expires_at: now + Millis::hours(1_000) },
        (Act::RevokeLink, _) => Command::RevokePaymentLink,
        (Act::Approve { .. } | Act::RejectRefund, None) => return,
    };
    if world.tell(search, &ops(), &command) {
        world.acts -= 1;
        world.overridden |= matches!(act, Act::Approve { without_backend: true });
    }
}

fn call_backend(search: &Search, world: &mut World, fate: Fate) {
    let Some(index) = world.head(Lane::Backend) else { return };
    let Effect::CallBackend { booking, op, .. } = world.rows[index].effect.clone() else { return };
    let facts = match fate {
        Fate::Done | Fate::Refused => {
            world.rows.remove(index);
            execute(&mut world.held, op, fate)
        }
        Fate::AnswerLost => {
            world.mishaps -= 1;
            execute(&mut world.held, op, Fate::Done);
            TicketFacts::Unknown { why: "no answer".into() }
        }
        Fate::GivenUp => {
            world.mishaps -= 1;
            world.rows.remove(index);
            TicketFacts::GivenUp { why: "no answer".into() }
        }
    };
    world.tell(search, &gate(), &Command::RecordTicketFacts { booking, facts });
}

/// What the back-end does and says. It remembers: a reservation is issued once, whatever is asked how often.
fn execute(held: &mut Held, op: TicketOp, fate: Fate) -> TicketFacts {
    match (op, *held, fate) {
        (TicketOp::Issue, Held::Nothing, Fate::Refused) => *held = Held::Refused,
        (TicketOp::Issue, Held::Nothing, _) => *held = Held::Live,
        (TicketOp::Cancel, Held::Live, Fate::Refused) => {
            return TicketFacts::CancelRefused { reason: "closed".into(), used: false };
        }
        (TicketOp::Cancel, Held::Live, _) => *held = Held::Void,
        _ => {}
    }
    match (op, *held) {
        (_, Held::Nothing | Held::Void) | (TicketOp::Cancel, Held::Refused) => TicketFacts::Cancelled,
        (_, Held::Refused) => TicketFacts::Refused { reason: "sold out".into() },
        (TicketOp::Cancel, Held::Used) => TicketFacts::CancelRefused { reason: "used".into(), used: true },
        (_, Held::Live | Held::Used) => issued("B-1"),
    }
}

/// What the platform made of a call.
enum Heard {
    /// It was done; beside the order the answer says this.
    Done(Vec<Command>),
    /// The order had changed.
    Conflict,
    /// No.
    Refused,
    /// There is no such call; a person does it.
    Unsupported,
    /// The call is not made.
    Obsolete,
}

fn call_platform(search: &Search, world: &mut World, fate: Fate) {
    let Some(index) = world.head(Lane::Channel) else { return };
    let row = world.rows[index].clone();
    let Effect::TellChannel { notification, .. } = row.effect else {
        world.rows.remove(index);
        world.answered(search);
        return;
    };
    let end = |world: &mut World, outcome| {
        // What was learned meanwhile may have put rows of the other lane before it.
        if let Some(index) = world.head(Lane::Channel) {
            world.rows.remove(index);
        }
        world.tell(search, &platform(), &Command::RecordNotification { notification: notification.clone(), outcome });
    };
    match fate {
        Fate::Done => {}
        Fate::AnswerLost => {
            world.mishaps -= 1;
            let is_question = matches!(notification, Notification::CancelQuote);
            if !is_question && !row.done && matches!(hear(world, &notification), Heard::Done(_)) {
                world.rows[index].done = true;
                world.send(None);
            }
            world.rows[index].doubtful = true;
            return;
        }
        Fate::Refused => {
            world.mishaps -= 1;
            return end(world, NotificationOutcome::Refused { code: "7".into(), why: "no".into() });
        }
        Fate::GivenUp => {
            world.mishaps -= 1;
            return end(world, NotificationOutcome::GivenUp { why: "no answer".into() });
        }
    }
    if row.doubtful && !matches!(notification, Notification::CancelQuote) && verify_first(search, world, &notification)
    {
        return;
    }
    let heard = if row.done { again(world, &notification) } else { hear(world, &notification) };
    match heard {
        Heard::Done(more) => {
            for command in more {
                world.tell(search, &platform(), &command);
            }
            if matches!(notification, Notification::CancelQuote) {
                // The answer says what it costs, and nothing of the order.
            } else if search.terse {
                world.send(None);
                world.tell(search, &platform(), &Command::RecordAgreement { notification: notification.clone() });
            } else {
                world.answered(search);
            }
            end(world, NotificationOutcome::Acknowledged);
        }
        Heard::Conflict => {
            let is_news = world.there.answer().is_news_to(world.order.channel_state.as_deref());
            world.answered(search);
            let refused =
                NotificationOutcome::Refused { code: "revision_conflict".into(), why: "it has changed".into() };
            end(world, if is_news { NotificationOutcome::Overtaken } else { refused });
        }
        Heard::Refused => end(world, NotificationOutcome::Refused { code: "422".into(), why: "no".into() }),
        Heard::Unsupported => end(world, NotificationOutcome::LeftToPerson { what: "do it there".into() }),
        Heard::Obsolete => {
            world.rows.remove(index);
        }
    }
}

/// Before a call is made again the platform is asked how the order stands; `true` when the row has ended.
fn verify_first(search: &Search, world: &mut World, notification: &Notification) -> bool {
    let before = world.order.clone();
    world.answered(search);
    let Some(index) = world.head(Lane::Channel) else { return true };
    if must_be_answered(&world.order, &world.rows[index].effect) {
        return false;
    }
    if !is_still_needed(&world.order, &world.rows[index].effect) {
        world.rows.remove(index);
        return true;
    }
    if world.order != before {
        world.rows.remove(index);
        let outcome = NotificationOutcome::Overtaken;
        world.tell(search, &platform(), &Command::RecordNotification { notification: notification.clone(), outcome });
        return true;
    }
    false
}

/// The same call under the same key: it is not carried out again, and its answer is the same.
fn again(world: &mut World, notification: &Notification) -> Heard {
    match notification {
        Notification::PaymentLink { key } => match world.there.links.last() {
            Some((id, _)) => Heard::Done(vec![link_made(key, id)]),
            None => Heard::Refused,
        },
        _ => Heard::Done(Vec::new()),
    }
}

fn link_made(key: &str, id: &str) -> Command {
    Command::RecordPaymentLink { key: key.to_owned(), id: id.to_owned(), url: None }
}

/// What the platform does when it is asked, by its own rules.
fn hear(world: &mut World, notification: &Notification) -> Heard {
    let packages = world.there.terms.style == Style::Packages;
    let expected = world.order.channel_state.as_deref().map_or(0, |m| m.standing.revision);
    let now = world.now();
    let there = std::sync::Arc::make_mut(&mut world.there);
    there.at = now;
    let stale = expected != there.revision;
    let live = matches!(there.stage, Stage::Requested | Stage::Confirmed);
    match notification {
        Notification::BookingConfirmed { .. } if stale => return Heard::Conflict,
        Notification::BookingConfirmed { .. } if there.stage == Stage::Requested => there.reach(Stage::Confirmed),
        Notification::BookingRejected { .. } if packages => return Heard::Unsupported,
        Notification::BookingRejected { .. } if stale => return Heard::Conflict,
        Notification::BookingRejected { .. } if there.stage == Stage::Requested => {
            there.cancel(Stage::Rejected, CancelReason::Rejected, 0, EntryStatus::Pending);
        }
        Notification::CancelQuote | Notification::Cancellation { .. } if packages => return Heard::Unsupported,
        Notification::CancelQuote => {
            let base = wanted(world).0;
            let fee = world.there.fee_of(base, now);
            return Heard::Done(vec![Command::RecordQuote { fee: Some(fee), refund: Some(base - fee) }]);
        }
        Notification::Cancellation { .. } if stale => return Heard::Conflict,
        Notification::Cancellation { fee, refund, .. } if live => {
            if let Some(wrong) = cancellation(world, *fee, *refund) {
                world.wrong = Some(wrong);
            }
        }
        Notification::Redeemed { .. } if packages => return Heard::Obsolete,
        Notification::Redeemed { .. } if there.stage == Stage::Confirmed => there.reach(Stage::Used),
        Notification::NoShow { .. } => return Heard::Obsolete,
        Notification::PaymentReturn { payment, amount, left, .. } => return give_back(world, payment, *amount, *left),
        Notification::RefundApproved { .. } if stale => return Heard::Conflict,
        Notification::RefundApproved { fee, .. } if matches!(there.stage, Stage::CancelRequested { .. }) => {
            there.cancel(Stage::Cancelled, CancelReason::RefundedBeforeUse, *fee, EntryStatus::Pending);
        }
        Notification::RefundRejected { .. } => return Heard::Unsupported,
        Notification::PaymentLink { key } if there.stage == Stage::Confirmed => {
            // A new one takes the old one back there too.
            for (_, state) in there.links.iter_mut().filter(|(_, state)| *state == LinkState::Live) {
                *state = LinkState::Revoked;
            }
            let id = format!("L{}", there.links.len() + 1);
            there.links.push((id.clone(), LinkState::Live));
            there.changed();
            return Heard::Done(vec![link_made(key, &id)]);
        }
        Notification::LinkRevoked { id } => {
            if let Some((_, state)) = there.links.iter_mut().find(|(known, _)| known == id)
                && *state == LinkState::Live
            {
                *state = LinkState::Revoked;
                there.changed();
            }
        }
        Notification::TicketsIssued { .. }
        | Notification::OrderCancelled { .. }
        | Notification::GuestMessage { .. }
        | Notification::HandOver => {
            return Heard::Obsolete;
        }
        Notification::BookingConfirmed { .. }
        | Notification::BookingRejected { .. }
        | Notification::Cancellation { .. }
        | Notification::Redeemed { .. }
        | Notification::RefundApproved { .. }
        | Notification::PaymentLink { .. } => return Heard::Refused,
    }
    Heard::Done(Vec::new())
}

/// What is to be cancelled: what it cost, and the units by line; none are all.
fn wanted(world: &World) -> (i64, Vec<Part>) {
    let parts = world.order.channel_state.as_deref().map(|m| m.parts_to_cancel().to_vec()).unwrap_or_default();
    let there = &world.there;
    let held = there.received() - there.returned() - there.returning();
    if parts.is_empty() {
        return (held, parts);
    }
    let price = |part: &Part| i64::from(part.units) * if part.detail == "D1" { 30_000 } else { 40_000 };
    (parts.iter().map(price).sum::<i64>() * NET / GROSS, parts)
}

/// Cancels the order or a part of it; what is wrong about the figures, if anything is.
fn cancellation(world: &mut World, fee: i64, refund: i64) -> Option<&'static str> {
    let (base, parts) = wanted(world);
    let now = world.now();
    let there = std::sync::Arc::make_mut(&mut world.there);
    if fee < 0 || refund < 0 || fee > there.fee_of(base, now) {
        return Some("a fee above the platform's own");
    }
    if fee + refund != base {
        return Some("fee and refund are not what was paid");
    }
    if parts.is_empty() {
        there.cancel(Stage::Cancelled, CancelReason::ByOps, fee, EntryStatus::Pending);
        return None;
    }
    for part in parts {
        let line = &mut there.units[usize::from(part.detail != "D1")];
        line.off += part.units;
        if line.off + line.used > line.sold {
            return Some("more units are cancelled than there are");
        }
    }
    there.give_back(0, refund, EntryStatus::Pending);
    None
}

fn give_back(world: &mut World, payment: &str, amount: i64, left: i64) -> Heard {
    let there: &mut Platform = std::sync::Arc::make_mut(&mut world.there);
    let Some(index) = there.payments.iter().position(|paid| paid.id == payment) else {
        world.wrong = Some("a payment is returned that there is not");
        return Heard::Refused;
    };
    let may = there.terms.style == Style::Packages || matches!(there.stage, Stage::Used | Stage::NoShow);
    if there.payments[index].left() != left {
        return Heard::Conflict;
    }
    if amount <= 0 || amount > left {
        world.wrong = Some("more is returned of a payment than is left of it");
    }
    if !may {
        return Heard::Refused;
    }
    there.give_back(index, amount, EntryStatus::Pending);
    Heard::Done(Vec::new())
}
