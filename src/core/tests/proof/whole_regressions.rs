//! Faults that were found by the proofs of orders that their platform tells whole, each by the shortest story that shows it.

use ticketbridge_core::message::{ReportOutcome, TicketFacts};
use ticketbridge_core::order::channel_state::{LinkState, Stage};
use ticketbridge_core::order::money::EntryStatus;
use ticketbridge_core::order::{AttentionKind, BookingState, CancelReason, OrderState, RefundSource, RefundState};
use ticketbridge_core::still_needed::is_wanted;
use ticketbridge_core::{Command, Effect, Millis, Report, Why};

use crate::platform::*;
use crate::support::*;
use crate::tale::{Tale, platform};

/// The core stopped, the message was answered with an error, and came again for ever.
#[test]
fn an_older_word_that_an_order_is_off_is_asked_about() {
    let uncounted = Whole { counted: false, ..MANAGED };
    let mut tale = Tale::paid(uncounted);
    let mut older = tale.there.clone();
    older.at = older.at - Millis::minutes(1);
    older.call_off_untold(CancelReason::ByChannel, 0);
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
fn what_was_called_off_since_the_quote_is_not_returned_twice() {
    let mut tale = Tale::paid(INSTANT);
    tale.facts(issued("T-1"));
    let all = Command::AskCancellation { fee: None, reason: "storm".to_owned(), parts: Vec::new() };
    tale.ops(&all).tell(&platform(), &Command::RecordQuote { fee: 0, refund: Some(NET) });
    let stale = Effect::TellChannel { report: tale.said("cancel_wanted"), not_before: None };
    assert!(is_wanted(tale.order(), &stale));
    tale.tells(|p| {
        p.part_off(0, 1);
        p.give_back(0, 27_000, EntryStatus::Pending);
    });
    assert!(!is_wanted(tale.order(), &stale), "its figures are of another order");
    assert!(tale.reports("cancel_quote"), "{:?}", tale.effects);
    tale.tell(&platform(), &Command::RecordQuote { fee: 0, refund: Some(63_000) });
    let Report::CancelWanted { fee, refund, .. } = tale.said("cancel_wanted") else { panic!("it is to be called off") };
    assert_eq!((fee, refund), (0, 63_000));
}

/// A fee is a share of the units that are called off, not of those that were called off before.
#[test]
fn a_fee_for_the_rest_is_a_share_of_the_rest() {
    let mut tale = Tale::paid(INSTANT);
    tale.tells(|p| {
        p.part_off(0, 1);
        p.give_back(0, 27_000, EntryStatus::Done);
    });
    tale.later(Millis::hours(2));
    let ask = |fee| Command::AskCancellation { fee: Some(fee), reason: "storm".to_owned(), parts: Vec::new() };
    assert_eq!(tale.refused(&ops(), &ask(6_301)).why, Why::FeeAboveDefault);
    tale.ops(&ask(6_300));
}

/// Its task was taken off the list when the platform moved, and nobody could accept the booking any more.
#[test]
fn a_booking_is_not_declined_while_the_guest_wants_out() {
    let mut tale = Tale::paid(PACKAGE);
    tale.tells(|p| p.reach(Stage::CancelRequested { confirmed: false }));
    let decline = Command::DeclineBooking { reason: "full".to_owned() };
    assert_eq!(tale.refused(&ops(), &decline).why, Why::RefundUnderReview);
}

#[test]
fn a_task_that_a_person_still_has_to_do_there_stays_when_the_platform_moves() {
    let mut tale = Tale::paid(INSTANT);
    let all = Command::AskCancellation { fee: None, reason: "storm".to_owned(), parts: Vec::new() };
    let what = "cancel the booking".to_owned();
    tale.ops(&all).ended("cancel_quote", ReportOutcome::LeftToPerson { what });
    assert!(tale.flagged(AttentionKind::ToDoByHand));
    tale.tells(|p| p.reach(Stage::Requested)).tells(|p| p.reach(Stage::Confirmed));
    assert!(tale.flagged(AttentionKind::ToDoByHand), "{:?}", tale.order().attention);
}

/// The notice that cannot be switched off went with the wish to call a part off, and did not come back.
#[test]
fn a_booking_that_waits_is_shown_again_once_a_part_of_it_was_called_off() {
    let mut tale = Tale::paid(MANAGED);
    assert!(tale.flagged(AttentionKind::WaitsForConfirmation));
    let part = Command::AskCancellation { fee: None, reason: "storm".to_owned(), parts: vec![("D1".to_owned(), 1)] };
    tale.ops(&part).tell(&platform(), &Command::RecordQuote { fee: 0, refund: Some(27_000) });
    tale.tells(|p| {
        p.part_off(0, 1);
        p.give_back(0, 27_000, EntryStatus::Done);
    });
    assert_eq!(tale.order().mirror.as_ref().and_then(|m| m.proposal.clone()), None);
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
    tale.tells(|p| p.call_off(Stage::Cancelled, CancelReason::RefundedBeforeUse, 0, EntryStatus::Done));
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
    tale.tells(|p| p.call_off(Stage::Cancelled, CancelReason::RefundedBeforeUse, 9_000, EntryStatus::Done));
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
        let links = tale.order().mirror.as_ref().map(|m| m.links.clone()).unwrap_or_default();
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
    let mirror = tale.order().mirror.clone().expect("the order is told whole");
    assert_eq!(mirror.live_link().and_then(|link| link.id.as_deref()), Some("L2"));
}

/// What a person had to do at the platform is done once the platform says so.
#[test]
fn a_task_of_a_person_there_ends_when_the_platform_says_that_it_is_done() {
    let mut tale = Tale::paid(Whole { asks_us: false, auto: true, ..PACKAGE });
    tale.facts(issued("T-1"));
    tale.tells(|p| p.reach(Stage::CancelRequested { confirmed: true }));
    tale.rejected();
    tale.ended("refund_rejected", ReportOutcome::LeftToPerson { what: "refuse the cancellation".to_owned() });
    assert!(tale.flagged(AttentionKind::ToDoByHand));
    tale.tells(|p| p.reach(Stage::Confirmed));
    assert!(!tale.flagged(AttentionKind::ToDoByHand), "{:?}", tale.order().attention);
}
