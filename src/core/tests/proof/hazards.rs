// SPDX-License-Identifier: Apache-2.0

//! The ordering hazards H1 to H13 of Douyin's messages, as far as they are decided in the core. H5 is a tombstone, H12 a key and H13 an
//! answer: for these the core says only what becomes of a command whose order is not known.

use ticketbridge_core::message::{NotificationOutcome, RefundScope, TicketFacts, TicketOp, WhenUnknown};
use ticketbridge_core::order::money::PaymentState;
use ticketbridge_core::order::{
    AttentionKind, BookingState, Handover, OrderState, RefundSource, RefundState, TicketingState,
};
use ticketbridge_core::product::Confirmation;
use ticketbridge_core::{Command, Event, Millis, Why};

use crate::support::*;

#[test]
fn h1_a_demand_before_the_order_is_remembered() {
    assert_eq!(demand(FIRST, morning()).when_unknown(), WhenUnknown::Remember);
}

#[test]
fn h1_a_demand_before_the_tickets_is_answered_by_a_call() {
    let mut story = Story::booked(VOUCHER);
    story.demanded();
    assert!(!story.notifications("tickets_issued"));
    story.facts(issued("T-1"));
    assert!(story.notifications("tickets_issued"));
}

#[test]
fn h2_a_booking_of_an_unknown_sale_makes_a_stub_that_the_sale_fills() {
    assert_eq!(booking(FIRST).when_unknown(), WhenUnknown::Create);
    let Command::PlaceOrder(mut placed, counts) = sale(VOUCHER, true) else { unreachable!("it is a sale") };
    placed.is_stub = true;
    placed.sale.due = 0;
    let mut story = Story::new();
    story.tell(&channel(), &Command::PlaceOrder(placed, counts)).tell(&channel(), &booking(FIRST));
    assert!(story.order().is_stub && story.booking().state == BookingState::Confirmed);
    story.tell(&channel(), &sale(VOUCHER, true));
    assert!(!story.order().is_stub);
    assert_eq!(story.order().money.due, PRICE);
}

#[test]
fn h3_the_same_creation_again_changes_nothing() {
    let mut story = Story::booked(VOUCHER);
    story.tell(&channel(), &sale(VOUCHER, true));
    assert!(story.is_quiet());
    story.tell(&channel(), &booking(FIRST));
    assert!(story.is_quiet());
}

#[test]
fn h4_a_booking_that_the_channel_believes_failed_is_undone() {
    let mut story = Story::booked(VOUCHER);
    let told = cancellation(FIRST, story.now);
    story.facts(issued("T-1")).tell(&channel(), &Command::RecordCancellation(told.clone()));
    assert!(story.calls(TicketOp::Cancel));
    assert_eq!(story.booking().state, BookingState::Cancelled);
    story.tell(&channel(), &Command::RecordCancellation(told));
    assert!(story.is_quiet());
}

#[test]
fn h5_a_cancellation_of_an_unknown_order_leaves_a_tombstone() {
    let told = Command::RecordCancellation(cancellation(FIRST, morning()));
    assert_eq!(told.when_unknown(), WhenUnknown::Tombstone);
    let told = Command::RecordRefund(refund("S1", SALE, RefundScope::Order, morning()));
    assert_eq!(told.when_unknown(), WhenUnknown::Tombstone);
}

#[test]
fn h6_codes_that_crossed_the_request_are_sent_again_with_its_rejection() {
    let mut story = Story::booked(Terms { refund_rule: false, ..VOUCHER });
    story.demanded().later(Millis::minutes(10)).facts(issued("T-1")).applied("S1", RefundSource::TicketsLate);
    assert_eq!(story.refund(), RefundState::UnderReview);
    story.reported(NotificationOutcome::Acknowledged);
    assert_eq!(story.refund(), RefundState::Rejected);
    assert!(story.case().reissue);
    assert_eq!(story.booking().ticketing.handover, Handover::Reissued);
}

#[test]
fn h7_a_refund_that_nobody_asked_for_is_a_fact() {
    let mut story = Story::ticketed(VOUCHER);
    let told = refund("F1", FIRST, RefundScope::Order, story.now);
    story.tell(&channel(), &Command::RecordRefund(told.clone()));
    assert!(story.events.iter().any(|event| matches!(event, Event::RefundForced { .. })));
    assert!(story.calls(TicketOp::Cancel));
    assert_eq!(story.order().payment(), PaymentState::Refunded);
    story.tell(&channel(), &Command::RecordRefund(told));
    assert!(story.is_quiet());
}

#[test]
fn h7_a_refund_of_what_was_used_is_disputed() {
    let mut story = Story::ticketed(VOUCHER);
    story.at(visit_noon()).guest_entered();
    let told = refund("F1", FIRST, RefundScope::Order, story.now);
    story.tell(&channel(), &Command::RecordRefund(told));
    assert!(story.flagged(AttentionKind::RedeemedWhileRefunded));
    assert_eq!(story.order().state, OrderState::Completed);
}

#[test]
fn h8_a_visit_under_review_is_recorded_once_the_refund_is_rejected() {
    let mut story = Story::ticketed(Terms { refund_rule: false, ..VOUCHER });
    story.at(visit_noon()).applied("S1", RefundSource::Guest).later(Millis::minutes(1)).guest_entered();
    assert!(story.flagged(AttentionKind::RefundUnderReview));
    let entered = story.now;
    story.later(Millis::hours(1)).rejected();
    assert_eq!(story.booking().used_at, Some(entered), "with its real time");
    assert!(story.notifications("redeemed"));
    assert_eq!(story.order().attention(), None);
}

#[test]
fn h8_a_person_is_told_to_reject_the_refund_first() {
    let mut story = Story::ticketed(Terms { refund_rule: false, ..VOUCHER });
    story.at(visit_noon()).applied("S1", RefundSource::Guest);
    let by = ticketbridge_core::message::RedeemedBy::Person;
    let redeem = ticketbridge_core::message::Redeem { booking: None, at: visit_noon(), by, count: None };
    assert_eq!(story.refused(&ops(), &Command::Redeem(redeem)).why, Why::RefundUnderReview);
}

#[test]
fn h9_a_ticket_used_before_it_was_void_ends_the_refund() {
    let mut story = Story::ticketed(VOUCHER);
    story.at(visit_noon()).applied("S1", RefundSource::Guest);
    assert_eq!(story.tickets(), TicketingState::Cancelling);
    story.facts(TicketFacts::CancelRefused { reason: "used".into(), used: true });
    assert_eq!(story.refund(), RefundState::Rejected);
    assert_eq!(story.booking().state, BookingState::Used);
    assert!(story.notifications("refund_rejected") && story.notifications("redeemed"));
}

#[test]
fn h10_a_demand_that_comes_again_gets_the_same_codes() {
    let mut story = Story::ticketed(VOUCHER);
    let before = story.booking().ticketing.clone();
    story.later(Millis::seconds(30)).demanded();
    assert!(story.is_quiet());
    assert_eq!(story.booking().ticketing, before);
}

#[test]
fn h11_a_payment_of_an_unknown_order_is_asked_for_again() {
    assert_eq!(Command::RecordPaid { at: morning() }.when_unknown(), WhenUnknown::TryLater);
}

#[test]
fn h11_a_booking_proves_that_it_was_paid() {
    let mut story = Story::new();
    story.tell(&channel(), &sale(VOUCHER, false)).tell(&channel(), &booking(FIRST));
    assert_eq!(story.order().payment(), PaymentState::Paid);
    assert_eq!(story.order().state, OrderState::Booked);
}

#[test]
fn h12_the_same_news_of_a_cancelled_booking_changes_nothing() {
    let mut story = Story::booked(VOUCHER);
    let told = refund("F1", FIRST, RefundScope::Booking, story.now);
    story.tell(&channel(), &Command::RecordRefund(told.clone())).tell(&channel(), &Command::RecordRefund(told));
    assert!(story.is_quiet());
}

#[test]
fn h13_an_order_whose_tickets_are_being_made_is_not_used() {
    let story = Story::booked(Terms { confirm: Confirmation::Auto, ..VOUCHER });
    assert_eq!(story.booking().used_at, None);
    assert_eq!(story.tickets(), TicketingState::Queued);
}
