// SPDX-License-Identifier: Apache-2.0

//! Faults that were found by the proofs of orders that their platform tells whole, each by the shortest story that shows it.

use ticketbridge_core::message::{NotificationOutcome, Snapshot, TicketFacts, TicketOp};
use ticketbridge_core::order::channel_state::{LinkState, Stage};
use ticketbridge_core::order::money::{EntryStatus, PaymentMode, PaymentState};
use ticketbridge_core::order::{
    AttentionKind, BookingState, CancelReason, OrderState, RefundSource, RefundState, TicketingState,
};
use ticketbridge_core::still_needed::{is_notification_needed, is_still_needed, must_be_answered};
use ticketbridge_core::{Command, Effect, Millis, Notification, Why};

use crate::platform::*;
use crate::support::*;
use crate::tale::{Tale, no, platform};

/// The core stopped, the message was answered with an error, and came again for ever.
#[test]
fn an_older_word_that_an_order_is_off_is_asked_about() {
    let uncounted = Whole { counted: false, ..MANAGED };
    let mut tale = Tale::paid(uncounted);
    let mut older = tale.there.clone();
    older.at = older.at - Millis::minutes(1);
    older.cancel_untold(CancelReason::ByChannel, 0);
    older.at = tale.there.at - Millis::minutes(1);
    tale.hears(older.snapshot());
    assert!(tale.effects.iter().any(|effect| matches!(effect, Effect::ReadBack { .. })), "{:?}", tale.effects);
    assert_eq!(tale.order().state, OrderState::Placed);
}

/// A case that nothing in the told order ends stayed open behind a completed order, and the core stopped.
#[test]
fn a_request_for_money_back_beside_the_told_order_is_refused() {
    let mut tale = Tale::paid(AGENCY);
    tale.tells(|p| p.reach(Stage::Used));
    let asked = Command::ApplyRefund(application("S9", NUMBER, RefundSource::Guest, tale.now));
    assert_eq!(tale.refused(&platform(), &asked).why, Why::NotSupported);
}

/// The quote was for all of it, a part went back meanwhile, and the cancellation returned that part once more.
#[test]
fn what_was_cancelled_since_the_quote_is_not_returned_twice() {
    let mut tale = Tale::paid(INSTANT);
    tale.facts(issued("T-1"));
    let all = Command::AskCancellation { fee: None, reason: "storm".into(), parts: Vec::new(), notify_text: None };
    tale.ops(&all).tell(&platform(), &Command::RecordQuote { fee: Some(0), refund: Some(NET) });
    let stale = Effect::TellChannel { notification: tale.said("cancel_wanted"), not_before: None, told_before: None };
    assert!(is_still_needed(tale.order(), &stale));
    tale.tells(|p| {
        p.part_off(0, 1);
        p.give_back(0, 27_000, EntryStatus::Pending);
    });
    assert!(!is_still_needed(tale.order(), &stale), "its figures are of another order");
    assert!(tale.notifications("cancel_quote"), "{:?}", tale.effects);
    tale.tell(&platform(), &Command::RecordQuote { fee: Some(0), refund: Some(63_000) });
    let Notification::Cancellation { fee, refund, .. } = tale.said("cancel_wanted") else {
        panic!("it is to be cancelled")
    };
    assert_eq!((fee, refund), (0, 63_000));
}

/// A fee is a share of the units that are cancelled, not of those that were cancelled before.
#[test]
fn a_fee_for_the_rest_is_a_share_of_the_rest() {
    let mut tale = Tale::paid(INSTANT);
    tale.tells(|p| {
        p.part_off(0, 1);
        p.give_back(0, 27_000, EntryStatus::Done);
    });
    tale.later(Millis::hours(2));
    let ask =
        |fee| Command::AskCancellation { fee: Some(fee), reason: "storm".into(), parts: Vec::new(), notify_text: None };
    assert_eq!(tale.refused(&ops(), &ask(6_301)).why, Why::FeeAboveDefault);
    tale.ops(&ask(6_300));
}

/// Its task was taken off the list when the platform moved, and nobody could accept the booking any more.
#[test]
fn a_booking_is_not_rejected_while_the_guest_wants_out() {
    let mut tale = Tale::paid(PACKAGE);
    tale.tells(|p| p.reach(Stage::CancelRequested { confirmed: false }));
    let reject = Command::RejectBooking { reason: "full".into() };
    assert_eq!(tale.refused(&ops(), &reject).why, Why::RefundUnderReview);
}

#[test]
fn a_task_that_a_person_still_has_to_do_there_stays_when_the_platform_moves() {
    let mut tale = Tale::paid(INSTANT);
    let all = Command::AskCancellation { fee: None, reason: "storm".into(), parts: Vec::new(), notify_text: None };
    let what = "cancel the booking".into();
    tale.ops(&all).ended("cancel_quote", NotificationOutcome::LeftToPerson { what });
    assert!(tale.flagged(AttentionKind::ManualTask));
    tale.tells(|p| p.reach(Stage::Requested)).tells(|p| p.reach(Stage::Confirmed));
    assert!(tale.flagged(AttentionKind::ManualTask), "{:?}", tale.order().attention);
}

/// The notice that cannot be switched off went with the wish to call a part off, and did not come back.
#[test]
fn a_booking_that_waits_is_shown_again_once_a_part_of_it_was_cancelled() {
    let mut tale = Tale::paid(MANAGED);
    assert!(tale.flagged(AttentionKind::WaitsForConfirmation));
    let part = Command::AskCancellation {
        fee: None,
        reason: "storm".into(),
        parts: vec![("D1".to_owned(), 1)],
        notify_text: None,
    };
    tale.ops(&part).tell(&platform(), &Command::RecordQuote { fee: Some(0), refund: Some(27_000) });
    tale.tells(|p| {
        p.part_off(0, 1);
        p.give_back(0, 27_000, EntryStatus::Done);
    });
    assert_eq!(tale.order().channel_state.as_ref().and_then(|m| m.proposal.clone()), None);
    assert!(tale.flagged(AttentionKind::WaitsForConfirmation));
}

/// The tickets were void for a refund that the guest took back, and nobody was told.
#[test]
fn tickets_made_void_for_a_request_that_is_taken_back_are_missed() {
    let mut tale = Tale::paid(Whole { asks_us: false, auto: true, ..PACKAGE });
    tale.facts(issued("T-1"));
    tale.tells(|p| p.reach(Stage::CancelRequested { confirmed: true }));
    let approve = Command::ApproveRefund { case: tale.case_id(), fee: Some(0), without_backend: false, reason: None };
    tale.ops(&approve).facts(TicketFacts::Cancelled);
    tale.tells(|p| p.reach(Stage::Confirmed));
    assert_eq!(tale.refund(), RefundState::Withdrawn);
    assert!(tale.flagged(AttentionKind::TicketingFailed), "{:?}", tale.order().attention);
}

/// What was redeemed was refunded all the same: the visit was recorded the moment the refund was approved.
#[test]
fn a_guest_who_entered_waits_while_an_approved_refund_is_carried_out_there() {
    let mut tale = Tale::paid(Whole { asks_us: false, auto: true, ..PACKAGE });
    tale.facts(issued("T-1"));
    tale.tells(|p| p.reach(Stage::CancelRequested { confirmed: true }));
    tale.at(visit_noon()).guest_entered();
    let approve = Command::ApproveRefund { case: tale.case_id(), fee: Some(0), without_backend: true, reason: None };
    tale.ops(&approve);
    assert_eq!((tale.refund(), tale.booking().state), (RefundState::Approved, BookingState::Confirmed));
    assert_eq!(tale.refused(&ops(), &Command::MarkNoShow { at: visit_noon() }).why, Why::RefundUnderReview);
    tale.tells(|p| p.cancel(Stage::Cancelled, CancelReason::RefundedBeforeUse, 0, EntryStatus::Done));
    assert_eq!(tale.booking().state, BookingState::Cancelled);
    assert!(tale.flagged(AttentionKind::RedeemedWhileRefunded), "{:?}", tale.order().attention);
}

/// A return that had failed before counted as one that works, and the fee was forgotten.
#[test]
fn a_return_that_failed_does_not_eat_the_fee() {
    let mut tale = Tale::paid(INSTANT);
    tale.tells(|p| {
        p.part_off(0, 1);
        p.give_back(0, 27_000, EntryStatus::Failed);
    });
    tale.tells(|p| p.cancel(Stage::Cancelled, CancelReason::RefundedBeforeUse, 9_000, EntryStatus::Done));
    let money = &tale.order().money;
    assert_eq!((money.refunded(), money.fee(), money.refund_pending()), (81_000, 9_000, 0));
}

/// Two links lived, and the core stopped: the guest had opened the old one while ops sent a new one.
#[test]
fn a_link_that_was_taken_back_does_not_live_again_because_it_was_opened() {
    let mut tale = Tale::paid(Whole { asks_us: false, auto: true, ..PACKAGE });
    let expires_at = tale.now + Millis::hours(24);
    let send = Command::SendPaymentLink { amount: None, expires_at };
    tale.ops(&send);
    let key = |tale: &Tale| {
        let links = tale.order().channel_state.as_ref().map(|m| m.links.clone()).unwrap_or_default();
        links.last().map(|link| link.key.clone()).unwrap_or_default()
    };
    let made = |key, id: &str| Command::RecordPaymentLink { key, id: id.to_owned(), url: None };
    let first = made(key(&tale), "L1");
    tale.tell(&platform(), &first);
    tale.ops(&send);
    let second = made(key(&tale), "L2");
    tale.tell(&platform(), &second);
    tale.there.changed();
    let opened = link_news(tale.there.snapshot(), "L1", LinkState::Live);
    tale.hears(opened);
    let channel_state = tale.order().channel_state.clone().expect("the order is told whole");
    assert_eq!(channel_state.live_link().and_then(|link| link.id.as_deref()), Some("L2"));
}

/// Two links lived, and the core stopped: the first one's making was answered once the second had been sent, and taking it back failed.
#[test]
fn a_link_that_could_not_be_taken_back_does_not_live_beside_the_one_made_after_it() {
    let mut tale = Tale::paid(Whole { asks_us: false, auto: true, ..PACKAGE });
    let send = Command::SendPaymentLink { amount: None, expires_at: tale.now + Millis::hours(24) };
    tale.ops(&send).ops(&send);
    let links = tale.order().channel_state.as_ref().map(|m| m.links.clone()).unwrap_or_default();
    for (link, id) in links.iter().zip(["L1", "L2"]) {
        tale.tell(&platform(), &Command::RecordPaymentLink { key: link.key.clone(), id: id.to_owned(), url: None });
    }
    tale.ended("link_revoked", no());
    let state = tale.order().channel_state.clone().expect("the order is told whole");
    let states: Vec<_> = state.links.iter().map(|link| (link.id.as_deref(), link.state)).collect();
    assert_eq!(states, [(Some("L1"), LinkState::Revoking), (Some("L2"), LinkState::Live)]);
    assert!(tale.flagged(AttentionKind::NotificationRefused), "{:?}", tale.order().attention);
    assert_eq!(tale.refused(&ops(), &send).why, Why::LinkNotNeeded, "the guest could pay with either");
    tale.ops(&Command::RevokePaymentLink);
    let revoked: Vec<_> = tale.effects.iter().filter(|it| matches!(it, Effect::TellChannel { .. })).collect();
    assert_eq!(revoked.len(), 2, "both are taken back: {revoked:?}");
}

/// What a person had to do at the platform is done once the platform says so.
#[test]
fn a_task_of_a_person_there_ends_when_the_platform_says_that_it_is_done() {
    let mut tale = Tale::paid(Whole { asks_us: false, auto: true, ..PACKAGE });
    tale.facts(issued("T-1"));
    tale.tells(|p| p.reach(Stage::CancelRequested { confirmed: true }));
    tale.rejected();
    tale.ended("refund_rejected", NotificationOutcome::LeftToPerson { what: "refuse the cancellation".into() });
    assert!(tale.flagged(AttentionKind::ManualTask));
    tale.tells(|p| p.reach(Stage::Confirmed));
    assert!(!tale.flagged(AttentionKind::ManualTask), "{:?}", tale.order().attention);
}

/// One payment was booked for two reservations, and went back twice.
#[test]
fn a_payment_of_another_order_is_shown_and_not_booked_twice() {
    for terms in [MANAGED, INSTANT, PACKAGE] {
        let mut tale = Tale::of(Platform::booked(terms));
        let first = if terms.style == Style::Packages { DEPOSIT } else { CARD };
        tale.there.pay(first, None);
        tale.there.give_back(0, 5_000, EntryStatus::Done);
        let foreign = |tale: &Tale| Command::SyncSnapshot {
            snapshot: Box::new(tale.there.snapshot()),
            not_for_sale: None,
            paid_elsewhere: vec!["pay_1".to_owned()],
            lines_elsewhere: Vec::new(),
        };
        let told = foreign(&tale);
        tale.tell(&platform(), &told);
        assert_eq!(tale.order().money.ledger, Vec::new(), "neither the payment nor what went back of it");
        assert_eq!(tale.order().channel_state.as_ref().map(|m| m.standing.payments.len()), Some(0));
        let flag = tale.order().attention.iter().find(|flag| flag.kind == AttentionKind::Contradiction);
        assert!(flag.is_some_and(|flag| flag.sentence.contains("`pay_1`")), "{:?}", tale.order().attention);
        // A payment of its own counts as ever.
        tale.there.pay(POINTS, None);
        let told = foreign(&tale);
        tale.tell(&platform(), &told);
        assert_eq!((tale.order().money.received(), tale.order().money.refunded()), (POINTS, 0));
    }
}

/// The money of a deposit became the agency's, and was shown nowhere any more.
#[test]
fn a_paid_booking_does_not_change_who_collects_its_money() {
    let mut tale = Tale::paid(PACKAGE);
    tale.tells(|p| {
        p.terms = Whole { mode: PaymentMode::External, read_only: true, ..p.terms };
        p.pays_by = None;
        p.payments.clear();
        p.changed();
    });
    let order = tale.order();
    assert_eq!((order.money.mode, order.money.received()), (PaymentMode::Ledger, DEPOSIT));
    assert_eq!(order.payment(), PaymentState::Partial, "what came in is still seen");
    assert!(!order.is_read_only(), "and can still go back");
    assert!(tale.flagged(AttentionKind::Contradiction), "{:?}", tale.order().attention);

    let mut tale = Tale::paid(AGENCY);
    tale.tells(|p| {
        p.terms = Whole { mode: PaymentMode::Ledger, read_only: false, ..p.terms };
        p.pays_by = Some("FULL");
        p.changed();
    });
    assert_eq!(tale.order().payment(), PaymentState::External, "what the agency has taken is not asked for twice");
    assert!(tale.order().is_read_only());
    assert!(tale.flagged(AttentionKind::Contradiction), "{:?}", tale.order().attention);
}

/// Nothing had been paid: whoever is to collect may still change.
#[test]
fn an_unpaid_booking_may_change_who_collects_its_money() {
    let mut tale = Tale::of(Platform::booked(PACKAGE));
    tale.tells(|p| {
        p.terms = Whole { mode: PaymentMode::External, read_only: true, ..p.terms };
        p.pays_by = None;
        p.changed();
    });
    assert_eq!(tale.order().payment(), PaymentState::External);
    assert!(tale.order().is_read_only());
    assert!(!tale.flagged(AttentionKind::Contradiction), "{:?}", tale.order().attention);
}

/// Where the platform quotes nothing, our count was of all units, those that were cancelled before among them.
#[test]
fn our_own_quote_is_of_the_units_that_are_left() {
    let mut tale = Tale::paid(INSTANT);
    tale.tells(|p| {
        p.part_off(0, 1);
        p.give_back(0, 27_000, EntryStatus::Done);
    });
    tale.later(Millis::hours(2));
    let ask = |parts| Command::AskCancellation { fee: None, reason: "storm".into(), parts, notify_text: None };
    let no_quote = Command::RecordQuote { fee: None, refund: None };
    tale.ops(&ask(Vec::new())).tell(&platform(), &no_quote);
    let Notification::Cancellation { fee, rate_bp, refund, .. } = tale.said("cancel_wanted") else {
        panic!("asked for")
    };
    assert_eq!((fee, rate_bp, refund), (6_300, 1_000, 56_700), "a tenth of one adult and one child, after discount");

    let mut tale = Tale::paid(INSTANT);
    tale.later(Millis::hours(2)).tell(&ops(), &ask(vec![("D2".to_owned(), 1)])).tell(&platform(), &no_quote);
    let Notification::Cancellation { fee, rate_bp, refund, .. } = tale.said("cancel_wanted") else {
        panic!("asked for")
    };
    assert_eq!((fee, rate_bp, refund), (3_600, 1_000, 32_400), "a tenth of the child");
}

/// Its making was not answered, it was taken back here, and lived on there.
#[test]
fn a_link_that_may_have_been_made_is_asked_for_before_it_counts_as_taken_back() {
    let mut tale = Tale::paid(Whole { asks_us: false, auto: true, ..PACKAGE });
    let expires_at = tale.now + Millis::hours(24);
    tale.ops(&Command::SendPaymentLink { amount: None, expires_at });
    let notification = tale.said("payment_link");
    let effect = Effect::TellChannel { notification: notification.clone(), not_before: None, told_before: None };
    assert!(is_still_needed(tale.order(), &effect));
    tale.ops(&Command::RevokePaymentLink);
    assert!(!is_still_needed(tale.order(), &effect), "one that was never sent is not sent any more");
    assert!(must_be_answered(tale.order(), &effect), "one that was sent is asked for under its key");
    let Notification::PaymentLink { key } = notification.clone() else { panic!("a link") };
    let mut silent = tale.clone();
    tale.tell(&platform(), &Command::RecordPaymentLink { key, id: "L1".to_owned(), url: None });
    assert_eq!(tale.said("link_revoked"), Notification::LinkRevoked { id: "L1".to_owned() });
    assert!(!must_be_answered(tale.order(), &effect), "its number is known");
    silent.ended("payment_link", NotificationOutcome::GivenUp { why: "no answer".into() });
    assert!(silent.flagged(AttentionKind::Contradiction), "{:?}", silent.order().attention);
}

/// The platform would not make the link, nothing was sent to the guest, and nobody was told.
#[test]
fn a_link_that_is_refused_is_shown_to_a_person() {
    let mut tale = Tale::paid(Whole { asks_us: false, auto: true, ..PACKAGE });
    let link = Command::SendPaymentLink { amount: None, expires_at: tale.now + Millis::hours(24) };
    tale.ops(&link).ended("payment_link", no());
    assert!(tale.flagged(AttentionKind::NotificationRefused), "{:?}", tale.order().attention);
    tale.ops(&link);
    assert!(!tale.flagged(AttentionKind::NotificationRefused), "another one is on its way");
}

/// It said that the money was being returned after the platform had refused to.
#[test]
fn what_is_said_of_money_that_was_not_due_follows_its_return() {
    let said = |tale: &Tale| {
        let flag = tale.order().attention.iter().find(|flag| flag.kind == AttentionKind::UnexpectedPayment);
        flag.map(|flag| flag.sentence.clone()).unwrap_or_default()
    };
    let endings = [no(), NotificationOutcome::GivenUp { why: "no answer".into() }];
    let left = NotificationOutcome::LeftToPerson { what: "return the payment".into() };
    for outcome in endings.into_iter().chain([left.clone()]) {
        let mut tale = Tale::paid(INSTANT);
        tale.tells(|p| p.pay(7_000, None));
        assert!(said(&tale).contains("is being returned"), "{}", said(&tale));
        tale.ended("payment_return", outcome.clone());
        assert!(said(&tale).contains("return it there"), "{outcome:?}: {}", said(&tale));
        if outcome != left {
            tale.ops(&Command::ReturnPayments { amount: Some(7_000), reason: "again".into() });
            assert!(said(&tale).contains("is being returned"), "{outcome:?}: {}", said(&tale));
        }
        tale.tells(|p| p.give_back(2, 7_000, EntryStatus::Done));
        assert!(!tale.flagged(AttentionKind::UnexpectedPayment), "{:?}", tale.order().attention);
    }
}

/// A flag for two refused calls kept the sentence of the first when that one was settled.
#[test]
fn a_flag_for_several_refused_calls_says_what_is_still_missed() {
    let mut tale = Tale::paid(PACKAGE);
    tale.ended("hand_over", no());
    tale.facts(issued("T-1"));
    tale.ops(&Command::ConfirmBooking).ended("booking_accepted", no());
    let said = |tale: &Tale| {
        let flag = tale.order().attention.iter().find(|flag| flag.kind == AttentionKind::NotificationRefused);
        flag.map(|flag| flag.sentence.clone()).unwrap_or_default()
    };
    assert!(said(&tale).contains("`booking_accepted`"), "{}", said(&tale));
    tale.tells(|p| p.reach(Stage::Confirmed));
    assert!(said(&tale).contains("`hand_over`"), "what the platform has settled is missed no more: {}", said(&tale));
}

/// Two tickets for three units, and nobody was told.
#[test]
fn units_that_are_added_after_ticketing_are_shown_for_every_kind_of_platform() {
    for terms in [MANAGED, INSTANT, PACKAGE, Whole { counted: false, ..INSTANT }] {
        for is_asked in [false, true] {
            let mut tale = Tale::paid(terms);
            tale.facts(issued("T-1"));
            assert!(!tale.flagged(AttentionKind::Contradiction), "{terms:?}");
            let stock = |tale: &Tale| {
                tale.effects.iter().filter(|effect| matches!(effect, Effect::TakeStock { units: 1, .. })).count()
            };
            let before = stock(&tale);
            tale.there.at = tale.now + Millis::minutes(1);
            tale.there.units[0].sold += 1;
            tale.there.changed();
            let told = if is_asked { tale.there.answer() } else { tale.there.snapshot() };
            tale.hears(told);
            assert_eq!(tale.order().quantity, 4, "{terms:?}");
            let flag = tale.order().attention.iter().find(|flag| flag.kind == AttentionKind::Contradiction);
            let sentence = flag.map(|flag| flag.sentence.clone()).unwrap_or_default();
            assert!(sentence.starts_with("1 unit was added"), "{terms:?}, asked {is_asked}: {sentence}");
            assert_eq!(stock(&tale) - before, 1, "the date holds a place for it");
        }
    }
}

/// What the flags of an order say of contradictions.
fn contradictions(tale: &Tale) -> Vec<String> {
    let flags = tale.order().attention.iter().filter(|flag| flag.kind == AttentionKind::Contradiction);
    flags.map(|flag| flag.sentence.clone()).collect()
}

/// Three became five, one and three again: three tickets for three units, and both sentences stood.
#[test]
fn units_that_change_again_are_counted_against_the_tickets_that_are_out() {
    let mut tale = Tale::paid(PACKAGE);
    tale.facts(issued("T-1"));
    let flags = |tale: &Tale| -> Vec<String> { tale.order().attention.iter().map(|it| it.sentence.clone()).collect() };
    let (before, sold) = (flags(&tale), tale.there.units[0].sold);
    let others: u32 = tale.there.units[1..].iter().map(|line| line.sold).sum();
    let becomes = |tale: &mut Tale, units: u32| {
        tale.there.units[0].sold = units;
        tale.there.changed();
        let told = tale.there.snapshot();
        tale.hears(told);
        let now = flags(tale).into_iter().filter(|it| !before.contains(it));
        now.collect::<Vec<String>>().join("; ")
    };
    let said = becomes(&mut tale, sold + 2);
    assert!(said.starts_with("2 units were added") && said.contains(&format!("for {}", sold + others)), "{said}");
    let said = becomes(&mut tale, sold - 1);
    assert!(said.contains(&format!("its tickets are for {}", sold + others)) && !said.contains("added"), "{said}");
    assert_eq!(becomes(&mut tale, sold), "");
}

#[test]
fn a_use_that_is_no_longer_counted_is_shown_until_it_counts_again() {
    let mut tale = Tale::paid(INSTANT);
    tale.facts(issued("T-1"));
    tale.there.units[0].used = 2;
    tale.there.changed();
    let told = tale.there.snapshot();
    tale.hears(told);
    let before = contradictions(&tale);
    tale.there.units[0].used = 1;
    tale.there.changed();
    let told = tale.there.snapshot();
    tale.hears(told);
    let now: Vec<String> = contradictions(&tale).into_iter().filter(|it| !before.contains(it)).collect();
    assert!(matches!(now.as_slice(), [it] if it.contains("counts 1 unit as used, and counted 2 before")), "{now:?}");
    tale.there.units[0].used = 2;
    tale.there.changed();
    let told = tale.there.snapshot();
    tale.hears(told);
    assert_eq!(contradictions(&tale), before);
}

#[test]
fn a_price_that_rises_once_it_is_paid_is_shown_where_nobody_collects_the_rest() {
    for (terms, is_shown) in [(MANAGED, true), (INSTANT, true), (PACKAGE, false)] {
        let mut tale = Tale::paid(terms);
        let received = tale.order().money.received();
        tale.there.due = received + 5_000;
        tale.there.changed();
        let told = tale.there.snapshot();
        tale.hears(told);
        let flags = contradictions(&tale);
        let is_told = flags.iter().any(|it| it.contains("5000 is open, and nobody collects it"));
        assert_eq!(is_told, is_shown, "{terms:?}: {flags:?}");
    }
}

/// What was booked became another product while the back-end was asked, or the platform told, and the yes to the first went out for the second.
#[test]
fn a_yes_is_taken_back_once_another_product_is_booked() {
    for (auto, is_issued) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut tale = Tale::paid(Whole { auto, ..MANAGED });
        if !auto {
            tale.ops(&Command::ConfirmBooking);
        }
        if is_issued {
            tale.facts(issued("T-1"));
            assert!(tale.notifications("booking_accepted"));
        }
        tale.there.at = tale.now;
        tale.there.changed();
        let mut snapshot = tale.there.snapshot();
        snapshot.sale.product.booking = Some("ANOTHER".into());
        tale.hears(snapshot.clone());
        assert!(tale.flagged(AttentionKind::WaitsForConfirmation) && tale.flagged(AttentionKind::Contradiction));
        if !is_issued {
            tale.facts(issued("T-1"));
        }
        let waits =
            |tale: &Tale| tale.last_said("booking_accepted").is_some_and(|it| is_notification_needed(tale.order(), it));
        assert!(!waits(&tale), "auto {auto}, issued {is_issued}");
        // She has seen it, and says yes to this one.
        tale.ops(&Command::ConfirmBooking);
        assert!(waits(&tale));
    }
}

/// A paid package with its tickets, and the guest wants out.
fn wants_out() -> Tale {
    let mut tale = Tale::paid(Whole { asks_us: false, auto: true, ..PACKAGE });
    tale.facts(issued("T-1"));
    tale.tells(|p| p.reach(Stage::CancelRequested { confirmed: true }));
    tale
}

fn approve(tale: &Tale, without_backend: bool) -> Command {
    Command::ApproveRefund { case: tale.case_id(), fee: Some(0), without_backend, reason: None }
}

/// The tickets had been voided for a refund that was on its way, and somebody could make new ones behind it.
#[test]
fn no_tickets_are_made_behind_a_refund_that_is_on_its_way() {
    let mut tale = wants_out();
    let by_hand = Command::SupplyTickets { tickets: ticket("H-1") };
    tale.ops(&approve(&tale, false));
    assert_eq!(tale.refused(&ops(), &by_hand).why, Why::RefundUnderReview);
    tale.facts(TicketFacts::Cancelled);
    assert_eq!(tale.refund(), RefundState::Approved);
    assert_eq!(tale.refused(&ops(), &by_hand).why, Why::AlreadyDecided);
    let mut stays = tale.clone();
    stays.tells(|p| p.reach(Stage::Confirmed)).ops(&by_hand);
    assert_eq!(stays.booking().ticketing.state, TicketingState::Issued);
    tale.tells(|p| p.cancel(Stage::Cancelled, CancelReason::RefundedBeforeUse, 0, EntryStatus::Done));
    assert!(!tale.flagged(AttentionKind::LiveTicketBehindRefund), "{:?}", tale.order().attention);
}

/// The guest's request was approved, and a person could have the platform cancel the booking once more, on other terms.
#[test]
fn what_is_being_refunded_there_is_not_cancelled_beside_it() {
    let mut tale = wants_out();
    tale.ops(&approve(&tale, false)).facts(TicketFacts::Cancelled);
    assert_eq!(tale.refund(), RefundState::Approved);
    let all = Command::AskCancellation { fee: Some(0), reason: "storm".into(), parts: Vec::new(), notify_text: None };
    assert_eq!(tale.refused(&ops(), &all).why, Why::AlreadyDecided);
    // The guest keeps it after all: now it can be.
    tale.tells(|p| p.reach(Stage::Confirmed)).ops(&all);
    assert!(tale.notifications("cancel_quote"), "{:?}", tale.effects);
}

#[test]
fn no_tickets_are_made_behind_a_cancellation_that_the_platform_was_asked_for() {
    let mut tale = Tale::paid(INSTANT);
    tale.facts(TicketFacts::Refused { reason: "full".into() });
    // Without tickets, policy has the platform cancel it.
    assert!(tale.notifications("cancel_quote"), "{:?}", tale.effects);
    let by_hand = Command::SupplyTickets { tickets: ticket("H-1") };
    assert_eq!(tale.refused(&ops(), &by_hand).why, Why::AlreadyDecided);
    tale.ended("cancel_quote", no()).ops(&by_hand);
    assert_eq!(tale.booking().ticketing.state, TicketingState::Issued);
}

/// The back-end had refused, the refund was approved, and then it made the tickets all the same.
#[test]
fn tickets_that_come_once_the_refund_is_approved_are_voided_at_once() {
    let mut tale = Tale::paid(Whole { asks_us: false, auto: true, ..PACKAGE });
    tale.facts(TicketFacts::Refused { reason: "full".into() });
    tale.tells(|p| p.reach(Stage::CancelRequested { confirmed: true }));
    tale.ops(&approve(&tale, false));
    assert_eq!(tale.refund(), RefundState::Approved);
    tale.facts(issued("T-1"));
    assert_eq!(tale.booking().ticketing.state, TicketingState::Cancelling);
    let is_cancel = |effect: &Effect| matches!(effect, Effect::CallBackend { op: TicketOp::Cancel, .. });
    assert!(tale.effects.iter().any(is_cancel), "{:?}", tale.effects);
}

/// The flag stood after the guest had taken his request back, and nobody could say what it was for.
#[test]
fn a_request_to_cancel_what_was_used_is_shown_until_it_is_withdrawn_or_decided() {
    let mut tale = Tale::paid(Whole { asks_us: false, auto: true, ..PACKAGE });
    tale.facts(issued("T-1")).at(visit_noon()).guest_entered();
    assert_eq!(tale.booking().state, BookingState::Used);
    let asks = |p: &mut Platform| p.reach(Stage::CancelRequested { confirmed: true });
    let is_shown = |tale: &Tale| contradictions(tale).iter().any(|said| said.contains("cancel what has been used"));
    for end in [Stage::Confirmed, Stage::Used] {
        tale.tells(asks);
        assert!(is_shown(&tale), "{:?}", tale.order().attention);
        tale.tells(|p| p.reach(end));
        assert!(!is_shown(&tale), "{end:?}: {:?}", tale.order().attention);
    }
    tale.tells(asks);
    tale.tells(|p| p.cancel(Stage::Cancelled, CancelReason::RefundedBeforeUse, 0, EntryStatus::Done));
    assert!(!is_shown(&tale), "{:?}", tale.order().attention);
}

/// A person had refused the request, and whatever the platform told next opened another case for it.
#[test]
fn a_request_that_was_refused_is_no_other_one_when_it_is_told_again() {
    let mut tale = wants_out();
    let first = tale.case_id();
    tale.ops(&Command::RejectRefund { case: first.clone(), reason: "too late".into() });
    let is_first = |tale: &Tale| tale.case_id() == first && tale.refund() == RefundState::Rejected;
    tale.later(Millis::hours(1));
    tale.tells(|p| {
        p.agency_number = Some("YB-2");
        p.changed();
    });
    tale.tells(|p| p.pay(NET - DEPOSIT, None));
    tale.hears_answer();
    assert!(is_first(&tale), "{:?}", tale.order().refund_case);
    assert!(!tale.flagged(AttentionKind::RefundWaits), "{:?}", tale.order().attention);
    // The very request, told once more.
    let asked_at = tale.order().refund_case.as_ref().expect("a case").requested_at;
    tale.there.changed();
    let again = |tale: &Tale, at| Snapshot { cancel_asked_at: Some(at), ..tale.there.snapshot() };
    let told = again(&tale, asked_at);
    tale.hears(told);
    assert!(is_first(&tale), "{:?}", tale.order().refund_case);
    // Taken back, and asked anew.
    let mut stays = tale.clone();
    stays.tells(|p| p.reach(Stage::Confirmed)).tells(|p| p.reach(Stage::CancelRequested { confirmed: true }));
    assert_eq!(stays.refund(), RefundState::UnderReview);
    // That it was taken back was not told; that it is asked anew is.
    tale.there.changed();
    let told = again(&tale, asked_at + Millis::hours(2));
    tale.hears(told);
    assert_eq!(tale.refund(), RefundState::UnderReview);
    assert_ne!(tale.case_id(), first);
}
