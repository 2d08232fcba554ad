// SPDX-License-Identifier: Apache-2.0

//! The refund matrix, one test for each row.

use ticketbridge_core::message::{NotificationOutcome, RefundScope, TicketFacts, TicketOp};
use ticketbridge_core::order::{
    AttentionKind, BookingState, CancelReason, Handover, OrderState, RefundIntent, RefundSource, RefundState,
    TicketingState,
};
use ticketbridge_core::product::{Cancellation, OverduePolicy};
use ticketbridge_core::{Command, Millis, Why};

use crate::support::*;

const BY_PEOPLE: Terms = Terms { refund_rule: false, ..VOUCHER };

#[test]
fn not_booked_and_the_channel_only_tells_us() {
    let mut story = Story::paid(VOUCHER);
    let told = refund("S1", SALE, RefundScope::Order, story.now);
    story.tell(&channel(), &Command::RecordRefund(told));
    assert_eq!(story.order().cancel_reason, Some(CancelReason::RefundedBeforeUse));
    assert_eq!(story.order().money.refunded(), PRICE);
}

#[test]
fn not_booked_and_the_channel_asks() {
    let mut story = Story::paid(VOUCHER);
    story.applied("S1", RefundSource::Guest);
    assert_eq!(story.refund(), RefundState::Approved);
    assert!(story.notifications("refund_approved"));
}

#[test]
fn not_booked_and_the_window_is_over() {
    let mut story = Story::paid(VOUCHER);
    let mut told = refund("S1", SALE, RefundScope::Order, story.now);
    told.expired = true;
    story.tell(&channel(), &Command::RecordRefund(told));
    assert_eq!(story.order().cancel_reason, Some(CancelReason::Expired));
}

#[test]
fn late_tickets_by_people_are_issued_by_hand_and_go_with_the_rejection() {
    let mut story = Story::overdue(BY_PEOPLE);
    story.applied("S1", RefundSource::TicketsLate);
    assert_eq!(story.case().intent, RefundIntent::WaitsForPerson);
    let rejection = story.rejection();
    assert_eq!(story.refused(&ops(), &rejection).why, Why::TicketsMissing);
    story.tell(&ops(), &Command::SupplyTickets { tickets: ticket("H-1") }).rejected();
    assert!(story.case().reissue);
    assert_eq!(story.booking().ticketing.handover, Handover::Reissued);
}

#[test]
fn late_tickets_by_policy_are_reissued_as_soon_as_they_exist() {
    let mut story = Story::overdue(Terms { overdue: OverduePolicy::Reissue, ..VOUCHER });
    story.applied("S1", RefundSource::TicketsLate);
    assert_eq!(story.refund(), RefundState::UnderReview);
    story.facts(issued("T-1"));
    assert_eq!(story.refund(), RefundState::Rejected);
    assert!(story.case().reissue && story.notifications("refund_rejected"));
}

#[test]
fn late_tickets_by_policy_are_refunded_when_they_cannot_exist_any_more() {
    let mut story = Story::overdue(Terms { overdue: OverduePolicy::Reissue, ..VOUCHER });
    story.applied("S1", RefundSource::TicketsLate);
    story.facts(TicketFacts::Refused { reason: "sold out".into() });
    assert_eq!(story.refund(), RefundState::Approved);
}

#[test]
fn late_tickets_by_policy_are_cancelled_and_refunded() {
    let mut story = Story::overdue(Terms { overdue: OverduePolicy::Approve, ..VOUCHER });
    story.applied("S1", RefundSource::TicketsLate);
    assert!(story.calls(TicketOp::Cancel) && !story.notifications("refund_approved"));
    story.facts(TicketFacts::Cancelled);
    assert_eq!(story.refund(), RefundState::Approved);
    assert!(story.notifications("refund_approved"));
}

#[test]
fn late_tickets_whose_codes_the_channel_has_are_rejected_whatever_the_policy() {
    for overdue in [OverduePolicy::Manual, OverduePolicy::Reissue, OverduePolicy::Approve] {
        let mut story = Story::ticketed(Terms { overdue, ..BY_PEOPLE });
        story.applied("S1", RefundSource::TicketsLate);
        assert_eq!(story.refund(), RefundState::Rejected, "{overdue:?}");
        assert!(story.case().reissue, "{overdue:?}");
    }
}

#[test]
fn without_tickets_inside_the_deadline_a_person_decides() {
    let mut story = Story::booked(VOUCHER);
    story.applied("S1", RefundSource::Guest);
    assert_eq!(story.case().intent, RefundIntent::WaitsForPerson);
    assert!(story.flagged(AttentionKind::RefundWaits));
}

#[test]
fn ticketed_and_never_cancellable_a_person_decides() {
    for source in [RefundSource::Guest, RefundSource::CustomerService] {
        let mut story = Story::ticketed(Terms { cancellation: Cancellation::Never, ..VOUCHER });
        story.applied("S1", source);
        assert_eq!(story.case().intent, RefundIntent::WaitsForPerson, "{source:?}");
    }
}

const UNTIL_NOON: Cancellation = Cancellation::Until { days_before: 1, at_minute: 720 };

#[test]
fn ticketed_and_inside_the_rule_policy_approves_once_the_tickets_are_void() {
    for cancellation in [UNTIL_NOON, Cancellation::Anytime] {
        let mut story = Story::ticketed(Terms { cancellation, ..VOUCHER });
        story.applied("S1", RefundSource::Guest);
        assert_eq!(story.tickets(), TicketingState::Cancelling);
        assert!(!story.notifications("refund_approved"), "not before the back-end has confirmed");
        story.facts(TicketFacts::Cancelled);
        assert!(story.notifications("refund_approved"));
        assert_eq!(story.booking().state, BookingState::Cancelled);
    }
}

#[test]
fn ticketed_and_outside_the_rule_a_person_decides() {
    let mut story = Story::ticketed(Terms { cancellation: UNTIL_NOON, ..VOUCHER });
    story.at(visit_noon() - Millis::hours(24)).applied("S1", RefundSource::Guest);
    assert_eq!(story.case().intent, RefundIntent::WaitsForPerson);
}

#[test]
fn ticketed_without_a_refund_rule_a_person_decides() {
    let mut story = Story::ticketed(BY_PEOPLE);
    story.applied("S1", RefundSource::Guest);
    assert_eq!(story.case().intent, RefundIntent::WaitsForPerson);
}

#[test]
fn redeemed_is_refused() {
    for source in [RefundSource::Guest, RefundSource::CustomerService, RefundSource::TicketsLate] {
        let mut story = Story::ticketed(VOUCHER);
        story.at(visit_noon()).guest_entered().applied("S1", source);
        assert_eq!(story.refund(), RefundState::Rejected, "{source:?}");
        assert_eq!(story.case().reason, Some("already redeemed".into()));
        assert_eq!(story.booking().state, BookingState::Used);
    }
}

#[test]
fn only_ops_may_approve_without_the_back_end() {
    let mut story = Story::ticketed(BY_PEOPLE);
    story.applied("S1", RefundSource::Guest).approved();
    story.facts(TicketFacts::CancelRefused { reason: "closed".into(), used: false });
    assert!(story.flagged(AttentionKind::CancelRefused));
    assert!(!story.notifications("refund_approved"));
    let case = story.case_id();
    story.tell(&ops(), &Command::ApproveRefund { case, fee: None, without_backend: true, reason: None });
    assert!(story.notifications("refund_approved"));
    assert!(story.calls(TicketOp::Cancel), "and the back-end is asked all the same");
}

#[test]
fn a_ticket_that_comes_after_the_refund_is_made_void_and_never_shown() {
    let mut story = Story::booked(VOUCHER);
    story.demanded().facts(TicketFacts::Unknown { why: "timeout".into() });
    let told = refund("F1", FIRST, RefundScope::Order, story.now);
    story.tell(&channel(), &Command::RecordRefund(told)).facts(TicketFacts::Cancelled).facts(issued("T-1"));
    assert!(story.calls(TicketOp::Cancel) && !story.notifications("tickets_issued"));
    assert!(story.booking().ticketing.tickets.is_empty());
    assert_eq!(story.order().state, OrderState::Cancelled);
}

#[test]
fn a_fee_is_never_negative_and_never_above_the_channels() {
    let mut story = Story::ticketed(BY_PEOPLE);
    let mut asked = application("S1", FIRST, RefundSource::Guest, story.now);
    asked.fee = 500;
    story.tell(&channel(), &Command::ApplyRefund(asked));
    for fee in [-1, 501] {
        let case = story.case_id();
        let approval = Command::ApproveRefund { case, fee: Some(fee), without_backend: false, reason: None };
        assert_eq!(story.refused(&ops(), &approval).why, Why::FeeOutOfRange);
    }
}

#[test]
fn a_callback_under_way_decides_a_request_for_late_tickets() {
    let mut story = Story::booked(BY_PEOPLE);
    story.demanded().facts(issued("T-1")).applied("S1", RefundSource::TicketsLate);
    assert_eq!(story.case().intent, RefundIntent::Undecided, "it waits for our call");
    story.reported(NotificationOutcome::Refused { code: "7".into(), why: "late".into() });
    assert_eq!(story.case().intent, RefundIntent::WaitsForPerson, "no longer held up");
}

#[test]
fn a_second_request_while_the_tickets_are_voided_is_the_same_wish() {
    // Whoever asks, and however often.
    for source in [RefundSource::Guest, RefundSource::Expired, RefundSource::CustomerService, RefundSource::TicketsLate]
    {
        let mut story = Story::ticketed(VOUCHER);
        story.applied("S1", RefundSource::Guest);
        assert!(story.calls(TicketOp::Cancel), "{source:?}");
        story.applied("S2", source);
        let case = story.case();
        assert_eq!((case.state, case.intent), (RefundState::UnderReview, RefundIntent::ApproveOnceVoid), "{source:?}");
        assert!(!story.calls(TicketOp::Cancel) && !story.notifications("refund_approved"), "{source:?}");
        story.facts(TicketFacts::Cancelled);
        assert_eq!(story.refund(), RefundState::Approved, "{source:?}");
        assert!(
            story.notifications("refund_approved") && !story.order().needs(AttentionKind::RefundWaits),
            "{source:?}"
        );
    }
}

#[test]
fn what_a_person_has_approved_holds_for_a_second_request() {
    let mut story = Story::ticketed(BY_PEOPLE);
    story.applied("S1", RefundSource::CustomerService);
    let case = story.case().id.clone();
    story.tell(&ops(), &Command::ApproveRefund { case, fee: Some(0), without_backend: false, reason: None });
    story.applied("S2", RefundSource::Guest);
    story.facts(TicketFacts::Cancelled);
    assert_eq!(story.refund(), RefundState::Approved);
    assert_eq!((story.case().fee, story.case().decided_by.as_deref()), (Some(0), Some(ops().name.as_str())));
}

#[test]
fn tickets_that_the_back_end_voids_after_it_had_refused_end_what_was_approved() {
    let mut story = Story::ticketed(VOUCHER);
    story.applied("S1", RefundSource::Guest);
    story.facts(TicketFacts::CancelRefused { reason: "closed".into(), used: false });
    assert!(story.order().needs(AttentionKind::CancelRefused));
    assert_eq!(story.case().intent, RefundIntent::WaitsForPerson);
    story.facts(TicketFacts::Cancelled);
    assert_eq!(story.refund(), RefundState::Approved);
    assert!(!story.order().needs(AttentionKind::CancelRefused) && !story.order().needs(AttentionKind::RefundWaits));
}

#[test]
fn a_booking_that_stands_alone_gives_its_money_back_however_it_ends() {
    let manual = Terms { confirm: ticketbridge_core::product::Confirmation::Manual, ..DIRECT };
    let off = |story: &mut Story| {
        let off = Command::RecordCancellation(cancellation(SALE, story.now));
        story.tell(&channel(), &off);
    };
    let mut declined = Story::paid(manual);
    declined.tell(&channel(), &booking(SALE)).tell(&ops(), &Command::RejectBooking { reason: "full".into() });
    let mut cancelled = Story::ticketed(DIRECT);
    off(&mut cancelled);
    let mut by_ops = Story::ticketed(DIRECT);
    by_ops.tell(&ops(), &Command::CancelOrder { reason: "storm".into() });
    let mut refunded = Story::ticketed(DIRECT);
    refunded.applied("S1", RefundSource::Guest).facts(TicketFacts::Cancelled);
    // It has been approved, and the channel has not said that it is done.
    assert_eq!((refunded.order().money.refunded(), refunded.order().money.refund_pending()), (0, PRICE));
    off(&mut refunded);
    for (mut story, how) in
        [(declined, "declined"), (cancelled, "cancelled"), (by_ops, "by ops"), (refunded, "refunded")]
    {
        for _ in 0..2 {
            assert_eq!(story.order().money.refunded(), PRICE, "{how}");
            assert!(is_given_back(story.order()), "{how}");
            off(&mut story);
        }
        assert!(story.is_quiet(), "{how}");
    }
}

#[test]
fn a_visit_before_its_day_waits_for_no_booking_that_is_over() {
    let mut story = Story::ticketed(VOUCHER);
    let first = story.booking_id();
    story.entered(first);
    assert!(story.order().needs(AttentionKind::TooEarly));
    let off = Command::RecordCancellation(cancellation(FIRST, story.now));
    story.tell(&channel(), &off).facts(TicketFacts::Cancelled).tell(&channel(), &booking(SECOND));
    assert!(!story.order().needs(AttentionKind::TooEarly), "nothing of it is recorded by itself");
    assert!(story.order().needs(AttentionKind::RedeemedWhileRefunded), "what it means is for a person");
}
