// SPDX-License-Identifier: Apache-2.0

//! Random histories: whatever is said in whatever order, nothing breaks, and a message that comes twice counts once.

use proptest::prelude::*;
use ticketbridge_core::invariants::violations;
use ticketbridge_core::message::{DeadlineKind, Keeps, NotificationOutcome, RedeemedBy, RefundScope, TicketFacts};
use ticketbridge_core::order::{CancelReason, RefundKind, RefundSource};
use ticketbridge_core::product::{Confirmation, OverduePolicy};
use ticketbridge_core::{Actor, Command, Effect, Millis};

use crate::support::*;

/// A step, with choices that are made out of what the order has by then.
#[derive(Clone, Debug)]
enum Step {
    Wait(i64),
    Pay,
    Book(&'static str),
    Demand(&'static str),
    Answer(&'static str, bool),
    Facts(usize, TicketFacts),
    Supply(u8),
    Redeem(usize, bool),
    NoShow,
    Confirm,
    RejectBooking,
    Apply(&'static str, &'static str, RefundSource, RefundKind),
    Approve(bool),
    RejectRefund,
    Withdraw(&'static str),
    Refund(&'static str, &'static str, RefundScope),
    Cancel(&'static str),
    CancelOrder,
    Notification(usize, NotificationOutcome),
    Deadline(DeadlineKind, bool),
}

fn target() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just(SALE), Just(FIRST), Just(SECOND)]
}
fn number() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("S1"), Just("S2"), Just("S3")]
}
fn facts() -> impl Strategy<Value = TicketFacts> {
    prop_oneof![
        4 => prop_oneof![Just("B-1"), Just("B-2")].prop_map(issued),
        1 => Just(TicketFacts::Redeemed { at: None }),
        1 => Just(TicketFacts::Pending { backend_ref: None, look_after: None }),
        1 => Just(TicketFacts::Refused { reason: "sold out".into() }),
        2 => prop_oneof![Just(TicketFacts::Cancelled), Just(TicketFacts::CancelledKeeping { keeps: Keeps::All })],
        1 => Just(TicketFacts::CancelPending),
        1 => Just(TicketFacts::CancelRefused { reason: "closed".into(), used: false }),
        1 => Just(TicketFacts::CancelRefused { reason: "used".into(), used: true }),
        1 => Just(TicketFacts::Unknown { why: "timeout".into() }),
        1 => Just(TicketFacts::GivenUp { why: "timeout".into() }),
    ]
}
fn outcome() -> impl Strategy<Value = NotificationOutcome> {
    prop_oneof![
        3 => Just(NotificationOutcome::Acknowledged),
        1 => Just(NotificationOutcome::Refused { code: "7".into(), why: "no".into() }),
        1 => Just(NotificationOutcome::GivenUp { why: "timeout".into() }),
    ]
}
fn source() -> impl Strategy<Value = RefundSource> {
    prop_oneof![
        Just(RefundSource::Guest),
        Just(RefundSource::TicketsLate),
        Just(RefundSource::CustomerService),
        Just(RefundSource::Expired)
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![Just(RefundKind::Refund), Just(RefundKind::CancelBooking)];
    let scope = prop_oneof![Just(RefundScope::Order), Just(RefundScope::Booking), Just(RefundScope::MoneyOnly)];
    prop_oneof![
        1 => prop_oneof![Just(1), Just(11), Just(15_000)].prop_map(Step::Wait),
        1 => Just(Step::Pay),
        3 => target().prop_map(Step::Book),
        2 => target().prop_map(Step::Demand),
        1 => (target(), any::<bool>()).prop_map(|(t, w)| Step::Answer(t, w)),
        6 => (0..2usize, facts()).prop_map(|(n, f)| Step::Facts(n, f)),
        1 => (1..3u8).prop_map(Step::Supply),
        2 => (0..2usize, any::<bool>()).prop_map(|(n, by_gate)| Step::Redeem(n, by_gate)),
        1 => Just(Step::NoShow),
        1 => Just(Step::Confirm),
        1 => Just(Step::RejectBooking),
        3 => (number(), target(), source(), kind).prop_map(|(n, t, s, k)| Step::Apply(n, t, s, k)),
        2 => any::<bool>().prop_map(Step::Approve),
        2 => Just(Step::RejectRefund),
        1 => number().prop_map(Step::Withdraw),
        1 => (number(), target(), scope).prop_map(|(n, t, s)| Step::Refund(n, t, s)),
        1 => target().prop_map(Step::Cancel),
        1 => Just(Step::CancelOrder),
        2 => (0..8usize, outcome()).prop_map(|(n, o)| Step::Notification(n, o)),
        2 => (0..DeadlineKind::ALL.len(), any::<bool>()).prop_map(|(n, passed)| Step::Deadline(DeadlineKind::ALL[n], passed)),
    ]
}

fn terms() -> impl Strategy<Value = Terms> {
    let overdue = prop_oneof![Just(OverduePolicy::Manual), Just(OverduePolicy::Reissue), Just(OverduePolicy::Approve)];
    (any::<[bool; 4]>(), overdue).prop_map(|([direct, tickets, manual, refund_rule], overdue)| Terms {
        kind: if direct { DIRECT.kind } else { VOUCHER.kind },
        tickets,
        confirm: if manual { Confirmation::Manual } else { Confirmation::Auto },
        overdue,
        refund_rule,
        ..VOUCHER
    })
}

/// What was decided to be told and to be awaited so far.
#[derive(Default)]
struct Outside {
    notifications: Vec<ticketbridge_core::Notification>,
    deadlines: Vec<(DeadlineKind, ticketbridge_core::UnixMillis)>,
}

impl Outside {
    fn see(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::TellChannel { notification, .. } => self.notifications.push(notification.clone()),
                Effect::ArmDeadline { kind, due_at, .. } => self.deadlines.push((*kind, *due_at)),
                _ => {}
            }
        }
    }
}

/// The command of a step, if the order has what it needs.
fn command(story: &Story, outside: &Outside, step: &Step) -> Option<(Actor, Command)> {
    let order = story.order();
    let nth = |n: &usize| order.past_bookings.iter().chain(&order.booking).nth(*n).map(|b| b.id.clone());
    let case = || order.case_under_review().map(|case| case.id.clone());
    Some(match step {
        Step::Wait(_) => return None,
        Step::Pay => (channel(), Command::RecordPaid { at: story.now }),
        Step::Book(reference) => (channel(), booking(reference)),
        Step::Demand(reference) => (channel(), demand(reference, story.now)),
        Step::Answer(reference, with_tickets) => {
            let target = (*reference).into();
            (channel(), Command::AnswerTickets { target, with_tickets: *with_tickets })
        }
        Step::Facts(n, facts) => (gate(), Command::RecordTicketFacts { booking: nth(n)?, facts: facts.clone() }),
        Step::Supply(n) => (ops(), Command::SupplyTickets { tickets: ticket(&format!("H-{n}")) }),
        Step::Redeem(n, by_gate) => {
            let (actor, by) = if *by_gate { (gate(), RedeemedBy::Gate) } else { (ops(), RedeemedBy::Person) };
            let redeem = ticketbridge_core::message::Redeem { booking: Some(nth(n)?), at: story.now, by, count: None };
            (actor, Command::Redeem(redeem))
        }
        Step::NoShow => (ops(), Command::MarkNoShow { at: story.now }),
        Step::Confirm => (ops(), Command::ConfirmBooking),
        Step::RejectBooking => (ops(), Command::RejectBooking { reason: "full".into() }),
        Step::Apply(number, target, source, kind) => {
            let mut asked = application(number, target, *source, story.now);
            asked.kind = *kind;
            (channel(), Command::ApplyRefund(asked))
        }
        Step::Approve(without_backend) => {
            let without_backend = *without_backend;
            (ops(), Command::ApproveRefund { case: case()?, fee: None, without_backend, reason: None })
        }
        Step::RejectRefund => (ops(), Command::RejectRefund { case: case()?, reason: "no".into() }),
        Step::Withdraw(number) => (channel(), Command::WithdrawRefund { channel_ref: (*number).to_owned() }),
        Step::Refund(number, target, scope) => {
            (channel(), Command::RecordRefund(refund(number, target, *scope, story.now)))
        }
        Step::Cancel(target) => {
            let mut cancelled = cancellation(target, story.now);
            cancelled.reason = CancelReason::ByChannel;
            (channel(), Command::RecordCancellation(cancelled))
        }
        Step::CancelOrder => (ops(), Command::CancelOrder { reason: "storm".into() }),
        Step::Notification(n, outcome) => {
            let notification = outside.notifications.get(n % outside.notifications.len().max(1))?.clone();
            (channel(), Command::RecordNotification { notification, outcome: outcome.clone() })
        }
        Step::Deadline(kind, passed) => {
            let (kind, due_at) = *outside.deadlines.iter().rev().find(|(armed, _)| armed == kind)?;
            let timer = Actor::timer();
            if *passed {
                (timer, Command::PassDeadline { kind, due_at })
            } else {
                (timer, Command::WarnDeadline { kind, due_at })
            }
        }
    })
}

/// Messages that come twice by themselves. What a back-end says while it works on something is news each time, and each report ends once.
fn is_repeatable(command: &Command) -> bool {
    match command {
        Command::PlaceOrder(..)
        | Command::RecordPayments { .. }
        | Command::RecordPaid { .. }
        | Command::RequestBooking(_)
        | Command::RequestTickets { .. }
        | Command::AnswerTickets { .. }
        | Command::ApplyRefund(_)
        | Command::WithdrawRefund { .. }
        | Command::RecordRefund(_)
        | Command::RecordRejection(_)
        | Command::RecordDoubt { .. }
        | Command::RecordLate { .. }
        | Command::RecordCancellation(_)
        | Command::SyncSnapshot { .. }
        | Command::RecordAstray { .. }
        | Command::RecordPartnerGone { .. }
        | Command::RecordPartnerBack { .. }
        | Command::RecordPartnerNumber { .. } => true,
        Command::Redeem(redeem) => redeem.by == RedeemedBy::Gate,
        Command::RecordTicketFacts { facts, .. } => match facts {
            TicketFacts::Redeemed { .. } | TicketFacts::CancelRefused { .. } | TicketFacts::Unknown { .. } => true,
            // While a cancellation runs, each of these makes the back-end be asked again.
            TicketFacts::Issued { .. }
            | TicketFacts::Refused { .. }
            | TicketFacts::Cancelled
            | TicketFacts::CancelledKeeping { .. }
            | TicketFacts::Pending { .. }
            | TicketFacts::CancelPending
            | TicketFacts::HeldByAnother { .. }
            | TicketFacts::GivenUp { .. } => false,
        },
        Command::Reservation { .. }
        | Command::ConfirmBooking
        | Command::RejectBooking { .. }
        | Command::SupplyGuests { .. }
        | Command::SupplyTickets { .. }
        | Command::MarkNoShow { .. }
        | Command::ApproveRefund { .. }
        | Command::RejectRefund { .. }
        | Command::EscalateRefund { .. }
        | Command::CancelOrder { .. }
        | Command::RecordAgreement { .. }
        | Command::RecordQuote { .. }
        | Command::AskCancellation { .. }
        | Command::ReturnPayments { .. }
        | Command::SendPaymentLink { .. }
        | Command::RevokePaymentLink
        | Command::SettleAttention { .. }
        | Command::RecordPaymentLink { .. }
        | Command::RecordReveal { .. }
        | Command::EraseGuests { .. }
        | Command::RecordNotification { .. }
        | Command::WarnDeadline { .. }
        | Command::PassDeadline { .. } => false,
    }
}

proptest! {
    #![proptest_config(histories_of(4_000))]

    #[test]
    fn nothing_breaks_and_repeats_count_once(terms in terms(), paid in any::<bool>(), steps in prop::collection::vec(step(), 1..30)) {
        let mut story = Story::new();
        let mut outside = Outside::default();
        story.tell(&channel(), &sale(terms, paid));
        outside.see(&story.effects);
        for step in &steps {
            if let Step::Wait(minutes) = step {
                story.later(Millis::minutes(*minutes));
            }
            let Some((actor, command)) = command(&story, &outside, step) else { continue };
            if story.say(&actor, &command).is_err() {
                continue;
            }
            prop_assert!(violations(story.order()).is_empty());
            prop_assert!(is_given_back(story.order()), "`{}`: {:?}", command.name(), story.order().money);
            outside.see(&story.effects);
            if is_repeatable(&command) {
                story.tell(&actor, &command);
                prop_assert!(story.is_quiet(), "`{}` again: {:?} {:?}", command.name(), story.events, story.effects);
            }
        }
    }
}
