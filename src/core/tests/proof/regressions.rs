//! Faults that were found by the proofs of this folder, each by the shortest story that shows it.

use ticketbridge_core::command::{RefundScope, ReportOutcome, TicketFacts};
use ticketbridge_core::effect::{DeadlineKind, TicketOp};
use ticketbridge_core::money::{EntryKind, EntryStatus, LedgerEntry};
use ticketbridge_core::order::{
    AttentionKind, BookingState, Handover, OrderState, RefundSource, RefundState, TicketingState,
};
use ticketbridge_core::wanted::is_wanted;
use ticketbridge_core::{Actor, Command, Effect, Millis, Report, UnixMillis, Why};

use crate::support::*;

fn entry(reference: &str, kind: EntryKind, amount: i64) -> Command {
    let entry =
        LedgerEntry { reference: reference.to_owned(), kind, status: EntryStatus::Done, amount, at: UnixMillis(0) };
    Command::RecordPayments { entries: vec![entry] }
}

#[test]
fn tickets_demanded_after_the_visit_are_handed_over() {
    let mut story = Story::booked(VOUCHER);
    story.facts(issued("T-1")).at(visit_noon()).guest_entered().demanded();
    assert_eq!(story.booking().state, BookingState::Used);
    assert!(story.reports("tickets_issued"), "{:?}", story.effects);
}

#[test]
fn tickets_demanded_before_acceptance_are_handed_over_with_it() {
    use ticketbridge_core::product::Confirmation;
    let mut story = Story::booked(Terms { tickets: false, confirm: Confirmation::Manual, ..VOUCHER });
    story.demanded().tell(&ops(), &Command::ConfirmBooking);
    assert!(story.reports("tickets_issued"), "{:?}", story.effects);
}

#[test]
fn a_refund_of_a_used_order_is_refused_and_nothing_breaks() {
    let mut story = Story::ticketed(VOUCHER);
    story.at(visit_noon()).guest_entered().applied("S1", RefundSource::Guest);
    assert_eq!(story.refund(), RefundState::Rejected);
    assert_eq!(story.case().reason.as_deref(), Some("already redeemed"));
    assert!(story.reports("refund_rejected"));
}

#[test]
fn money_that_went_back_is_recorded_even_if_its_payment_was_never_told() {
    let mut story = Story::new();
    story.tell(&channel(), &sale(VOUCHER, false));
    let back = refund("S1", SALE, RefundScope::Order, story.now);
    story.tell(&channel(), &Command::RecordRefund(back));
    assert_eq!(story.order().state, OrderState::Cancelled);
    assert_eq!(story.order().money.refunded(), PRICE);
    assert!(story.flagged(AttentionKind::UnexpectedPayment));
}

#[test]
fn payments_may_come_in_any_order() {
    let mut story = Story::new();
    story.tell(&channel(), &sale(VOUCHER, false));
    story.tell(&channel(), &entry("R", EntryKind::Refund, 100));
    assert!(story.flagged(AttentionKind::UnexpectedPayment));
    story.tell(&channel(), &entry("C", EntryKind::Charge, PRICE));
    assert!(!story.flagged(AttentionKind::UnexpectedPayment));
    assert_eq!(story.order().state, OrderState::AwaitingBooking);
}

#[test]
fn a_part_of_the_price_does_not_open_a_voucher() {
    let mut story = Story::new();
    story.tell(&channel(), &sale(VOUCHER, false)).tell(&channel(), &entry("1", EntryKind::Charge, 100));
    assert_eq!(story.order().state, OrderState::Placed);
    story.tell(&channel(), &entry("2", EntryKind::Charge, PRICE - 100));
    assert_eq!(story.order().state, OrderState::AwaitingBooking);
}
