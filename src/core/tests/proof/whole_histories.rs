// SPDX-License-Identifier: Apache-2.0

//! Random histories of orders that their platform tells whole: whatever is told, said and answered in whatever order, nothing breaks, a
//! message that comes twice counts once, the newest revision holds, and money is a set of movements.

use std::collections::BTreeMap;

use proptest::prelude::*;
use ticketbridge_core::invariants::violations;
use ticketbridge_core::message::{DeadlineKind, NotificationOutcome, Redeem, RedeemedBy, Snapshot, TicketFacts};
use ticketbridge_core::order::channel_state::{LinkState, Stage};
use ticketbridge_core::order::money::{EntryKind, EntryStatus};
use ticketbridge_core::order::{AttentionKind, CancelReason};
use ticketbridge_core::{Actor, Command, Effect, Millis, Order, UnixMillis};

use crate::platform::*;
use crate::support::*;
use crate::tale::{Tale, platform};

/// What changes at the platform.
#[derive(Clone, Copy, Debug)]
enum Change {
    Reach(Stage),
    Cancel(Stage, i64, EntryStatus),
    PartOff,
    Pay(i64),
    GiveBack(i64, EntryStatus),
    Settle(EntryStatus),
    Price(i64),
    Move,
}

/// A step.
#[derive(Clone, Debug)]
enum Step {
    Wait(i64),
    /// Something changes; it is told, or not.
    Changes(Change, bool),
    /// The order as it was so many changes ago is told.
    Tell(usize),
    Answer,
    Link(LinkState),
    Facts(TicketFacts),
    Redeem(bool),
    NoShow,
    Confirm,
    RejectBooking,
    Cancel(Option<i64>, bool),
    Approve(i64, bool),
    RejectRefund,
    Return(Option<i64>),
    SendLink,
    RevokeLink,
    Made,
    Quote(i64),
    Agree(usize),
    Notification(usize, NotificationOutcome),
    Deadline(DeadlineKind),
}

fn stage() -> impl Strategy<Value = Stage> {
    prop_oneof![
        1 => Just(Stage::Requested),
        2 => Just(Stage::Confirmed),
        1 => any::<bool>().prop_map(|confirmed| Stage::CancelRequested { confirmed }),
        1 => Just(Stage::Used),
        1 => Just(Stage::NoShow),
    ]
}
fn status() -> impl Strategy<Value = EntryStatus> {
    prop_oneof![Just(EntryStatus::Pending), Just(EntryStatus::Done), Just(EntryStatus::Failed)]
}
fn change() -> impl Strategy<Value = Change> {
    let end = prop_oneof![Just(Stage::Cancelled), Just(Stage::Rejected)];
    prop_oneof![
        4 => stage().prop_map(Change::Reach),
        2 => (end, prop_oneof![Just(0), Just(9_000), Just(NET)], status()).prop_map(|(s, f, b)| Change::Cancel(s, f, b)),
        1 => Just(Change::PartOff),
        1 => prop_oneof![Just(1_000), Just(60_000)].prop_map(Change::Pay),
        2 => (prop_oneof![Just(1_000), Just(27_000)], status()).prop_map(|(a, s)| Change::GiveBack(a, s)),
        1 => status().prop_map(Change::Settle),
        1 => Just(Change::Price(-20_000)),
        1 => Just(Change::Move),
    ]
}
fn facts() -> impl Strategy<Value = TicketFacts> {
    let kept = |used| TicketFacts::CancelRefused { reason: "closed".into(), used };
    prop_oneof![
        4 => Just(issued("B-1")),
        1 => Just(TicketFacts::Pending { backend_ref: None, look_after: None }),
        1 => Just(TicketFacts::Refused { reason: "sold out".into() }),
        2 => Just(TicketFacts::Cancelled),
        1 => any::<bool>().prop_map(kept),
        1 => Just(TicketFacts::Unknown { why: "timeout".into() }),
        1 => Just(TicketFacts::GivenUp { why: "timeout".into() }),
    ]
}
fn outcome() -> impl Strategy<Value = NotificationOutcome> {
    prop_oneof![
        3 => Just(NotificationOutcome::Acknowledged),
        1 => Just(NotificationOutcome::Refused { code: "7".into(), why: "no".into() }),
        1 => Just(NotificationOutcome::GivenUp { why: "timeout".into() }),
        1 => Just(NotificationOutcome::LeftToPerson { what: "do it there".into() }),
        1 => Just(NotificationOutcome::Overtaken),
        1 => Just(NotificationOutcome::Dropped),
    ]
}
fn step() -> impl Strategy<Value = Step> {
    let link =
        prop_oneof![Just(LinkState::Live), Just(LinkState::Paid), Just(LinkState::Expired), Just(LinkState::Revoked)];
    prop_oneof![
        1 => prop_oneof![Just(1), Just(31), Just(15_000)].prop_map(Step::Wait),
        8 => (change(), any::<bool>()).prop_map(|(c, told)| Step::Changes(c, told)),
        4 => (0..6usize).prop_map(Step::Tell),
        1 => Just(Step::Answer),
        1 => link.prop_map(Step::Link),
        4 => facts().prop_map(Step::Facts),
        2 => any::<bool>().prop_map(Step::Redeem),
        1 => Just(Step::NoShow),
        2 => Just(Step::Confirm),
        1 => Just(Step::RejectBooking),
        2 => (prop_oneof![Just(None), Just(Some(0)), Just(Some(9_000))], any::<bool>()).prop_map(|(f, p)| Step::Cancel(f, p)),
        2 => (prop_oneof![Just(0), Just(5_000)], any::<bool>()).prop_map(|(f, w)| Step::Approve(f, w)),
        1 => Just(Step::RejectRefund),
        2 => prop_oneof![Just(None), Just(Some(1_000))].prop_map(Step::Return),
        2 => Just(Step::SendLink),
        1 => Just(Step::RevokeLink),
        2 => Just(Step::Made),
        2 => prop_oneof![Just(0), Just(9_000), Just(NET)].prop_map(Step::Quote),
        1 => (0..9usize).prop_map(Step::Agree),
        4 => (0..9usize, outcome()).prop_map(|(n, o)| Step::Notification(n, o)),
        1 => (0..DeadlineKind::ALL.len()).prop_map(|n| Step::Deadline(DeadlineKind::ALL[n])),
    ]
}

fn terms() -> impl Strategy<Value = Whole> {
    let base = prop_oneof![3 => Just(MANAGED), 3 => Just(INSTANT), 3 => Just(PACKAGE), 1 => Just(AGENCY)];
    (base, any::<[bool; 2]>()).prop_map(|(base, [auto, counted])| Whole { auto: auto || base.auto, counted, ..base })
}

fn make(platform: &mut Platform, change: Change) {
    match change {
        Change::Reach(stage) if !platform.stage.is_off() => platform.reach(stage),
        Change::Cancel(stage, fee, status) if !platform.stage.is_off() => {
            platform.cancel(stage, CancelReason::RefundedBeforeUse, fee, status);
        }
        Change::PartOff if platform.units[0].off + platform.units[0].used < platform.units[0].sold => {
            platform.part_off(0, 1);
        }
        Change::Pay(amount) if !platform.terms.read_only => platform.pay(amount, Some("L1")),
        Change::GiveBack(amount, status) if platform.payments.first().is_some_and(|p| p.left() >= amount) => {
            platform.give_back(0, amount, status);
        }
        Change::Settle(status) => platform.settle(status),
        Change::Price(by) if platform.due + by > 0 => {
            platform.due += by;
            platform.changed();
        }
        Change::Move => {
            platform.visit = platform.visit.plus_days(1);
            platform.changed();
        }
        _ => {}
    }
}

/// The command of a step that is no message of the platform's, if the order has what it needs.
fn command(tale: &Tale, deadlines: &BTreeMap<DeadlineKind, UnixMillis>, step: &Step) -> Option<(Actor, Command)> {
    let (order, reason) = (tale.order(), || "storm".into());
    let booking = || order.booking.as_ref().map(|b| b.id.clone());
    let case = || order.case_under_review().map(|case| case.id.clone());
    let said = |n: &usize| tale.said.get(n % tale.said.len().max(1)).cloned();
    Some(match step {
        Step::Facts(facts) => (gate(), Command::RecordTicketFacts { booking: booking()?, facts: facts.clone() }),
        Step::Redeem(by_gate) => {
            let (actor, by) = if *by_gate { (gate(), RedeemedBy::Gate) } else { (ops(), RedeemedBy::Person) };
            (actor, Command::Redeem(Redeem { booking: booking(), at: tale.now, by, count: None }))
        }
        Step::NoShow => (ops(), Command::MarkNoShow { at: tale.now }),
        Step::Confirm => (ops(), Command::ConfirmBooking),
        Step::RejectBooking => (ops(), Command::RejectBooking { reason: reason() }),
        Step::Cancel(fee, part) => {
            let parts = if *part { vec![("D1".to_owned(), 1)] } else { Vec::new() };
            (ops(), Command::AskCancellation { fee: *fee, reason: reason(), parts, notify_text: None })
        }
        Step::Approve(fee, without_backend) => {
            let without_backend = *without_backend;
            (ops(), Command::ApproveRefund { case: case()?, fee: Some(*fee), without_backend, reason: None })
        }
        Step::RejectRefund => (ops(), Command::RejectRefund { case: case()?, reason: reason() }),
        Step::Return(amount) => (ops(), Command::ReturnPayments { amount: *amount, reason: reason() }),
        Step::SendLink => (ops(), Command::SendPaymentLink { amount: None, expires_at: tale.now + Millis::hours(1) }),
        Step::RevokeLink => (ops(), Command::RevokePaymentLink),
        Step::Made => {
            let links = &order.channel_state.as_deref()?.links;
            let link = links.iter().find(|link| link.id.is_none())?;
            let id = format!("L{}", links.iter().filter(|link| link.id.is_some()).count() + 1);
            (platform(), Command::RecordPaymentLink { key: link.key.clone(), id, url: None })
        }
        Step::Quote(fee) => (platform(), Command::RecordQuote { fee: Some(*fee), refund: Some(NET - fee) }),
        Step::Agree(n) => (platform(), Command::RecordAgreement { notification: said(n)? }),
        Step::Notification(n, outcome) => {
            (platform(), Command::RecordNotification { notification: said(n)?, outcome: outcome.clone() })
        }
        Step::Deadline(kind) => (Actor::timer(), Command::PassDeadline { kind: *kind, due_at: *deadlines.get(kind)? }),
        Step::Wait(_) | Step::Changes(..) | Step::Tell(_) | Step::Answer | Step::Link(_) => return None,
    })
}

/// What must hold from one step to the next.
fn goes_on(before: &Order, after: &Order) -> Result<(), TestCaseError> {
    prop_assert!(violations(after).is_empty());
    let (was, is) = (before.channel_state.as_deref(), after.channel_state.as_deref());
    if let (Some(was), Some(is)) = (was, is) {
        prop_assert!(is.standing.revision >= was.standing.revision || was.standing.revision == 0);
        prop_assert!(is.links.iter().filter(|link| link.is_live()).count() <= 1);
    }
    let was_over = before.booking.as_ref().is_some_and(|b| !b.is_active());
    prop_assert!(!was_over || after.active_booking().is_none(), "a booking that was over lives again");
    let charges = |order: &Order| {
        let charges = order.money.ledger.iter().filter(|e| e.kind == EntryKind::Charge);
        charges.map(|e| (e.reference.clone(), e.amount)).collect::<BTreeMap<_, _>>()
    };
    let known = charges(after);
    prop_assert!(charges(before).iter().all(|(id, amount)| known.get(id) == Some(amount)), "money is never forgotten");
    let ledger = &after.money;
    let is_told = after.needs(AttentionKind::UnexpectedPayment);
    prop_assert!(ledger.refunded() <= ledger.received() || is_told, "more went back than came in, and nobody is told");
    Ok(())
}

proptest! {
    #![proptest_config(histories_of(3_000))]

    #[test]
    fn whole_orders_never_break(terms in terms(), paid in any::<bool>(), steps in prop::collection::vec(step(), 1..30)) {
        let there = if paid { Platform::paid(terms) } else { Platform::booked(terms) };
        let mut tale = Tale::of(there);
        let mut told: Vec<Snapshot> = vec![tale.there.snapshot()];
        let mut deadlines = BTreeMap::new();
        for step in &steps {
            let before = tale.order().clone();
            for effect in &tale.effects {
                if let Effect::ArmDeadline { kind, due_at, .. } = effect {
                    deadlines.insert(*kind, *due_at);
                }
            }
            let news = match step {
                Step::Wait(minutes) => {
                    tale.later(Millis::minutes(*minutes));
                    None
                }
                Step::Changes(change, is_told) => {
                    tale.there.at = tale.story.now;
                    make(&mut tale.there, *change);
                    told.push(tale.there.snapshot());
                    is_told.then(|| tale.there.snapshot())
                }
                Step::Tell(ago) => told.iter().rev().nth(*ago).cloned(),
                Step::Answer => Some(tale.there.answer()),
                Step::Link(state) => {
                    tale.there.changed();
                    Some(link_news(tale.there.snapshot(), "L1", *state))
                }
                _ => None,
            };
            if let Some(snapshot) = news {
                let again = crate::platform::told(snapshot);
                tale.tell(&platform(), &again);
                goes_on(&before, tale.order())?;
                tale.tell(&platform(), &again);
                let asks_again = tale.effects.iter().all(|effect| matches!(effect, Effect::ReadBack { .. }));
                prop_assert!(tale.is_quiet() || asks_again, "told again: {:?} {:?}", tale.events, tale.effects);
            } else if let Some((actor, command)) = command(&tale, &deadlines, step)
                && tale.say(&actor, &command).is_ok()
            {
                goes_on(&before, tale.order())?;
            }
        }
        // In the end the platform is asked, and what it says then holds.
        tale.hears_answer();
        let (here, there) = (&tale.order().money, &tale.there);
        prop_assert_eq!(here.received(), there.received());
    }
}
