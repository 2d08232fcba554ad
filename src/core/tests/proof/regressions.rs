// SPDX-License-Identifier: Apache-2.0

//! Faults that were found by the proofs of this folder, each by the shortest story that shows it.

use ticketbridge_core::message::{
    ApplyRefund, DeadlineKind, NotificationOutcome, PlaceOrder, RecordRefund, RefundScope, TicketFacts, TicketOp,
};
use ticketbridge_core::order::money::{EntryKind, EntryStatus, LedgerEntry, PaymentState};
use ticketbridge_core::order::{
    AttentionKind, BookingState, Handover, OrderState, RefundKind, RefundSource, RefundState, TicketingState,
};
use ticketbridge_core::product::OverduePolicy;
use ticketbridge_core::still_needed::is_still_needed;
use ticketbridge_core::{Actor, Command, Effect, Millis, Notification, UnixMillis, Why};

use crate::support::*;

#[test]
fn tickets_demanded_after_the_visit_are_handed_over() {
    let mut story = Story::booked(VOUCHER);
    story.facts(issued("T-1")).at(visit_noon()).guest_entered().demanded();
    assert_eq!(story.booking().state, BookingState::Used);
    assert!(story.notifications("tickets_issued"), "{:?}", story.effects);
}

#[test]
fn tickets_demanded_before_acceptance_are_handed_over_with_it() {
    use ticketbridge_core::product::Confirmation;
    let mut story = Story::booked(Terms { tickets: false, confirm: Confirmation::Manual, ..VOUCHER });
    story.demanded().tell(&ops(), &Command::ConfirmBooking);
    assert!(story.notifications("tickets_issued"), "{:?}", story.effects);
}

#[test]
fn a_refund_of_a_used_order_is_refused_and_nothing_breaks() {
    let mut story = Story::ticketed(VOUCHER);
    story.at(visit_noon()).guest_entered().applied("S1", RefundSource::Guest);
    assert_eq!(story.refund(), RefundState::Rejected);
    assert_eq!(story.case().reason, Some("already redeemed".into()));
    assert!(story.notifications("refund_rejected"));
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

/// Ops may name a lower fee; Douyin charges its own all the same (`adapters/douyin/README.md`).
#[test]
fn the_fee_is_what_the_channel_kept_and_not_what_was_expected() {
    let mut story = Story::ticketed(Terms { refund_rule: false, ..VOUCHER });
    let application =
        ApplyRefund { fee: 400, ..application("S1", story.first(), RefundSource::CustomerService, story.now) };
    story.tell(&channel(), &Command::ApplyRefund(application));
    let approval =
        Command::ApproveRefund { case: story.case_id(), fee: Some(100), without_backend: true, reason: None };
    let off = Command::RecordCancellation(cancellation(story.first(), story.now));
    story.tell(&ops(), &approval).tell(&channel(), &off);
    assert_eq!((story.refund(), story.case().settled_amount), (RefundState::Settled, None));
    assert_eq!(story.order().money.fee(), 100);
    let mut told = refund("S2", SALE, RefundScope::Order, story.now);
    told.amount = Some(PRICE - 400);
    story.tell(&channel(), &Command::RecordRefund(told));
    let money = &story.order().money;
    assert_eq!((money.refunded(), money.fee(), money.state()), (PRICE - 400, 400, PaymentState::PartiallyRefunded));
    assert_eq!(story.case().settled_amount, Some(PRICE - 400));
}

/// A refund whose fee is everything was booked as a return of everything.
#[test]
fn what_is_kept_whole_does_not_go_back() {
    for (is_decided_here, target) in [(true, FIRST), (false, FIRST), (true, SALE), (false, SALE)] {
        for fee in [PRICE, PRICE + 500] {
            let mut story = Story::ticketed(Terms { refund_rule: false, ..VOUCHER });
            let application =
                ApplyRefund { fee, ..application("S1", target, RefundSource::CustomerService, story.now) };
            story.tell(&channel(), &Command::ApplyRefund(application));
            if is_decided_here {
                let case = story.case_id();
                let approval = Command::ApproveRefund { case, fee: Some(fee), without_backend: true, reason: None };
                story.tell(&ops(), &approval);
            }
            let off = Command::RecordCancellation(cancellation(target, story.now));
            story.tell(&channel(), &off);
            let money = &story.order().money;
            let told = (money.refunded(), money.refund_pending(), money.fee(), money.state());
            assert_eq!(told, (0, 0, PRICE, PaymentState::Paid), "{target}, {fee}, decided here: {is_decided_here}");
        }
    }
}

/// The channel decided by itself, and the fee that it had named was given back in our books.
#[test]
fn what_the_channel_named_as_its_fee_is_kept_when_it_decides_by_itself() {
    for is_synced in [true, false] {
        let mut story = Story::ticketed(Terms { refund_rule: false, ..VOUCHER });
        let application =
            ApplyRefund { fee: 500, ..application("S1", story.first(), RefundSource::CustomerService, story.now) };
        story.tell(&channel(), &Command::ApplyRefund(application));
        let told = RecordRefund { amount: None, ..refund("S1", SALE, RefundScope::Order, story.now) };
        let off = Command::RecordCancellation(cancellation(story.first(), story.now));
        let decided = if is_synced { Command::RecordRefund(told) } else { off };
        story.tell(&channel(), &decided);
        let money = &story.order().money;
        assert_eq!((money.refunded(), money.fee()), (PRICE - 500, 500), "synced: {is_synced}");
    }
}

/// The booking alone was cancelled, and that no money went back ended the voucher for a fee that nobody had decided.
#[test]
fn that_no_money_went_back_with_a_booking_leaves_the_voucher() {
    let mut story = Story::ticketed(Terms { refund_rule: false, ..VOUCHER });
    let kind = RefundKind::CancelBooking;
    let application =
        ApplyRefund { kind, ..application("S1", story.first(), RefundSource::CustomerService, story.now) };
    story.tell(&channel(), &Command::ApplyRefund(application));
    let approval = Command::ApproveRefund { case: story.case_id(), fee: None, without_backend: true, reason: None };
    story.tell(&ops(), &approval);
    let told = RecordRefund { amount: Some(0), ..refund("S1", SALE, RefundScope::Order, story.now) };
    for _ in 0..2 {
        story.tell(&channel(), &Command::RecordRefund(told.clone()));
        let order = story.order();
        assert_eq!((order.state, order.money.fee()), (OrderState::AwaitingBooking, 0));
    }
    story.tell(&channel(), &booking(SECOND));
    story.tell(&channel(), &Command::RecordRefund(told));
    assert_eq!((story.order().state, story.refund()), (OrderState::Booked, RefundState::Settled));
}

/// A back-end voided a live ticket and made another one: that was voided too, and the alarm that the guest had none ended.
#[test]
fn tickets_that_a_back_end_makes_anew_for_a_live_booking_are_asked_about_and_taken_on() {
    for is_known in [true, false] {
        let mut story = if is_known { Story::ticketed(VOUCHER) } else { Story::booked(VOUCHER) };
        story.facts(TicketFacts::Cancelled);
        assert!(story.flagged(AttentionKind::Contradiction));
        story.facts(issued("T-2"));
        assert!(story.calls(TicketOp::Query) && !story.calls(TicketOp::Cancel), "{:?}", story.effects);
        let mut void = story.clone();
        story.facts(issued("T-2"));
        assert_eq!((story.tickets(), story.booking().ticketing.tickets.len()), (TicketingState::Issued, 1));
        assert!(!story.flagged(AttentionKind::Contradiction), "{:?}", story.order().attention);
        // Its word that they are void was the last one.
        void.facts(TicketFacts::Cancelled);
        assert_eq!(void.tickets(), TicketingState::Cancelled);
        assert!(void.flagged(AttentionKind::Contradiction), "{:?}", void.order().attention);
    }
}

/// He went in while his tickets were being voided for a refund: it was rejected, and his visit was never recorded.
#[test]
fn a_guest_who_entered_before_his_tickets_were_void_has_been_there_once_the_refund_is_rejected() {
    let mut story = Story::ticketed(VOUCHER);
    story.at(visit_noon()).applied("S1", RefundSource::Guest);
    assert_eq!(story.tickets(), TicketingState::Cancelling);
    story.guest_entered();
    assert!(story.flagged(AttentionKind::RefundUnderReview));
    story.facts(TicketFacts::Cancelled);
    assert_eq!((story.tickets(), story.refund()), (TicketingState::Cancelled, RefundState::UnderReview));
    story.rejected();
    assert_eq!(story.booking().state, BookingState::Used);
    assert!(story.notifications("redeemed"), "{:?}", story.effects);
    assert!(!story.flagged(AttentionKind::RefundUnderReview), "{:?}", story.order().attention);
}

/// The tickets were made, the channel had not taken them, and its limit passed without a word.
#[test]
fn tickets_that_the_channel_has_not_taken_in_time_are_shown() {
    let mut story = Story::booked(VOUCHER);
    story.demanded().deferred().facts(issued("T-1"));
    assert!(!story.effects.iter().any(|it| matches!(it, Effect::DisarmDeadline { kind: DeadlineKind::Ticketing })));
    let due_at = story.booking().ticketing.deadline.expect("a limit");
    let passes = Command::PassDeadline { kind: DeadlineKind::Ticketing, due_at };
    let mut taken = story.clone();
    story.at(due_at).tell(&Actor::timer(), &passes);
    assert!(story.flagged(AttentionKind::TicketingOverdue));
    story.reported(NotificationOutcome::Acknowledged);
    assert!(!story.flagged(AttentionKind::TicketingOverdue), "it has them after all");
    taken.reported(NotificationOutcome::Acknowledged);
    assert!(taken.effects.iter().any(|it| matches!(it, Effect::DisarmDeadline { kind: DeadlineKind::Ticketing })));
    taken.at(due_at).tell(&Actor::timer(), &passes);
    assert!(!taken.flagged(AttentionKind::TicketingOverdue));
}

fn entry(reference: &str, kind: EntryKind, amount: i64) -> Command {
    let entry =
        LedgerEntry { reference: reference.to_owned(), kind, status: EntryStatus::Done, amount, at: UnixMillis(0) };
    Command::RecordPayments { entries: vec![entry] }
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

#[test]
fn a_refund_withdrawn_while_tickets_are_made_void_is_flagged_until_new_ones_exist() {
    let mut story = Story::ticketed(Terms { refund_rule: false, ..VOUCHER });
    story.applied("S1", RefundSource::CustomerService).approved();
    assert_eq!(story.tickets(), TicketingState::Cancelling);
    story.withdrawn();
    assert!(story.flagged(AttentionKind::TicketingFailed));
    story.facts(TicketFacts::Cancelled);
    assert!(story.flagged(AttentionKind::TicketingFailed));
    story.tell(&ops(), &Command::SupplyTickets { tickets: ticket("H-1") });
    assert_eq!(story.order().attention(), None);
}

#[test]
fn a_withdrawn_refund_leaves_tickets_good_that_the_back_end_kept() {
    let mut story = Story::ticketed(Terms { refund_rule: false, ..VOUCHER });
    story.applied("S1", RefundSource::CustomerService).approved().withdrawn();
    story.facts(TicketFacts::CancelRefused { reason: "closed".into(), used: false });
    assert_eq!(story.tickets(), TicketingState::Issued);
    assert_eq!(story.order().attention(), None);
}

/// The word ended the delivery and changed nothing: the refund waited for ever (found by `kill -9` between a cancellation and its answer).
#[test]
fn tickets_under_cancellation_that_the_back_end_calls_refused_are_asked_for_once_more() {
    let mut story = Story::ticketed(Terms { refund_rule: false, ..VOUCHER });
    story.applied("S1", RefundSource::CustomerService).approved();
    story.facts(TicketFacts::Refused { reason: "cancelled".into() });
    assert!(story.calls(TicketOp::Cancel), "{:?}", story.effects);
    assert_eq!(story.tickets(), TicketingState::Cancelling);
    story.facts(TicketFacts::Cancelled);
    assert_eq!((story.tickets(), story.refund()), (TicketingState::Cancelled, RefundState::Approved));
}

#[test]
fn tickets_held_back_and_kept_by_the_back_end_go_out_when_the_refund_is_withdrawn() {
    let mut story = Story::booked(VOUCHER);
    story.deferred().applied("S1", RefundSource::Guest).facts(issued("T-1")).approved();
    story.facts(TicketFacts::CancelRefused { reason: "closed".into(), used: false }).withdrawn();
    assert_eq!(story.tickets(), TicketingState::Issued);
    assert!(story.booking().ticketing.handover.is_owed());
    assert!(story.effects.iter().any(|e| {
        matches!(e, Effect::TellChannel { notification: Notification::TicketsIssued { .. }, .. })
            && is_still_needed(story.order(), e)
    }));
}

#[test]
fn a_refund_rejected_after_its_tickets_were_made_void_is_flagged() {
    let mut story = Story::ticketed(Terms { refund_rule: false, ..VOUCHER });
    story.facts(TicketFacts::Cancelled).applied("S1", RefundSource::CustomerService).rejected();
    assert_eq!(story.booking().state, BookingState::Confirmed);
    assert!(story.flagged(AttentionKind::TicketingFailed));
}

#[test]
fn a_refused_cancellation_of_tickets_never_seen_is_followed_by_a_question() {
    let mut story = Story::booked(VOUCHER);
    story.demanded().facts(TicketFacts::Unknown { why: "timeout".into() }).applied("S1", RefundSource::Guest);
    story.approved().facts(TicketFacts::CancelRefused { reason: "closed".into(), used: false }).rejected();
    assert_eq!(story.tickets(), TicketingState::Unknown);
    assert!(story.calls(TicketOp::Query));
    story.facts(issued("T-1"));
    assert!(story.notifications("tickets_issued"));
}

#[test]
fn a_visit_under_an_earlier_booking_does_not_hide_the_visit_under_this_one() {
    let mut story = Story::booked(Terms { refund_rule: false, ..VOUCHER });
    story.guest_entered();
    story.tell(&channel(), &Command::RecordCancellation(cancellation(FIRST, story.now)));
    story.tell(&channel(), &booking(SECOND));
    assert_eq!(story.booking().channel_booking_id.as_str(), SECOND);
    story.guest_entered();
    let waiting = story.order().parked_redemption.clone().map(|parked| parked.booking);
    assert_eq!(waiting, Some(story.booking_id()));
    story.at(visit_noon()).facts(issued("T-2"));
    assert_eq!(story.order().state, OrderState::Completed);
}

#[test]
fn a_visit_under_an_earlier_booking_does_not_decide_a_refund_of_this_one() {
    let mut story = Story::booked(VOUCHER);
    story.guest_entered();
    story.tell(&channel(), &Command::RecordCancellation(cancellation(FIRST, story.now)));
    story.tell(&channel(), &booking(SECOND)).facts(issued("T-2")).applied("S1", RefundSource::Guest);
    assert_eq!(story.tickets(), TicketingState::Cancelling, "policy approves by the product's rule");
}

#[test]
fn a_visit_parked_under_review_is_recorded_on_the_day_if_the_refund_is_rejected_before_it() {
    let mut story = Story::ticketed(Terms { refund_rule: false, ..VOUCHER });
    story.applied("S1", RefundSource::CustomerService).guest_entered();
    assert!(story.arms(DeadlineKind::VisitDay));
    story.rejected();
    assert_eq!(story.booking().state, BookingState::Confirmed);
    let due_at = ticketbridge_core::TimeZone::SHANGHAI.start_of(visit_date());
    story.at(due_at).tell(&Actor::timer(), &Command::PassDeadline { kind: DeadlineKind::VisitDay, due_at });
    assert_eq!(story.booking().state, BookingState::Used);
}

#[test]
fn a_visit_learnt_from_a_refused_cancellation_waits_for_its_day_too() {
    let mut story = Story::ticketed(Terms { refund_rule: false, ..VOUCHER });
    story.applied("S1", RefundSource::Guest).approved();
    story.facts(TicketFacts::CancelRefused { reason: "used".into(), used: true });
    assert_eq!(story.refund(), RefundState::Rejected);
    assert!(story.arms(DeadlineKind::VisitDay));
    assert!(story.flagged(AttentionKind::TooEarly));
}

#[test]
fn a_surplus_that_the_back_end_keeps_beside_tickets_made_by_hand_is_flagged() {
    for facts in [
        TicketFacts::CancelRefused { reason: "closed".into(), used: false },
        TicketFacts::GivenUp { why: "timeout".into() },
    ] {
        let mut story = Story::booked(VOUCHER);
        story.facts(TicketFacts::Unknown { why: "timeout".into() });
        story.tell(&ops(), &Command::SupplyTickets { tickets: ticket("H-1") });
        assert!(story.calls(TicketOp::Cancel));
        story.facts(facts);
        assert!(story.flagged(AttentionKind::Contradiction));
    }
}

#[test]
fn a_back_end_that_is_still_at_work_is_asked_again() {
    let mut story = Story::booked(VOUCHER);
    for _ in 0..3 {
        story.facts(TicketFacts::Pending { backend_ref: None, look_after: None });
        assert!(story.calls(TicketOp::Query));
        story.later(Millis::minutes(1));
    }
}

#[test]
fn a_second_look_that_fails_for_good_is_flagged() {
    let mut story = Story::booked(VOUCHER);
    story.facts(TicketFacts::Unknown { why: "timeout".into() });
    story.tell(&channel(), &Command::RecordCancellation(cancellation(FIRST, story.now)));
    story.facts(TicketFacts::Cancelled);
    assert!(story.calls(TicketOp::Query));
    story.facts(TicketFacts::GivenUp { why: "timeout".into() });
    assert!(story.flagged(AttentionKind::LiveTicketBehindRefund));
}

/// A paid voucher whose booking names no date.
fn undated() -> Story {
    let mut story = Story::paid(VOUCHER);
    let Command::RequestBooking(mut request) = booking(FIRST) else { unreachable!("it is a booking") };
    request.visit_date = None;
    story.tell(&channel(), &Command::RequestBooking(request));
    story
}

/// The demand that names the date, with so many units left on it.
fn dated_demand(story: &Story, at: UnixMillis, left: Option<i64>) -> Command {
    let Command::RequestTickets { target, request, .. } = demand(FIRST, story.now) else {
        unreachable!("it is a demand")
    };
    Command::RequestTickets { target, request, validity: Some((at, at)), date_left: left }
}

#[test]
fn a_date_told_with_the_demand_is_taken_from_stock_then() {
    let mut story = undated();
    assert!(!story.effects.iter().any(|e| matches!(e, Effect::TakeStock { .. })));
    assert!(!story.calls(TicketOp::Issue), "nobody knows yet for which day");
    story.tell(&channel(), &dated_demand(&story, visit_noon(), Some(1)));
    assert!(story.effects.iter().any(|e| matches!(e, Effect::TakeStock { key, .. } if key.date == Some(visit_date()))));
    assert!(story.calls(TicketOp::Issue));
    assert_eq!(story.booking().visit_date, Some(visit_date()));
}

#[test]
fn a_date_told_with_the_demand_must_be_open_and_have_a_place() {
    let closed = visit_noon() + Millis::hours(100 * 24);
    for (at, left, says) in [(visit_noon(), Some(0), "0 units are left"), (closed, None, "more than 90 days")] {
        let mut story = undated();
        story.tell(&channel(), &dated_demand(&story, at, left));
        assert!(story.flagged(AttentionKind::Contradiction), "{says}");
        assert!(story.order().attention.iter().any(|a| a.sentence.contains(says)), "{:?}", story.order().attention);
        assert!(story.effects.is_empty(), "{:?}", story.effects);
        assert_eq!((story.tickets(), story.booking().visit_date), (TicketingState::Queued, None));
        assert_eq!(story.booking().ticketing.handover, Handover::NotAsked);
        // A day that is open is taken when it is told after all.
        story.tell(&channel(), &dated_demand(&story, visit_noon(), Some(1)));
        assert!(story.calls(TicketOp::Issue));
    }
}

#[test]
fn nobody_who_had_no_ticket_is_marked_as_not_come() {
    let mut story = Story::booked(VOUCHER);
    story.at(visit_noon());
    let refusal = story.refused(&ops(), &Command::MarkNoShow { at: visit_noon() });
    assert_eq!(refusal.why, Why::NotTicketed);
}

#[test]
fn nobody_who_entered_is_marked_as_not_come() {
    let mut story = Story::ticketed(VOUCHER);
    story.guest_entered().at(visit_noon());
    let refusal = story.refused(&ops(), &Command::MarkNoShow { at: visit_noon() });
    assert_eq!(refusal.why, Why::AlreadyRedeemed);
}

#[test]
fn a_guest_who_comes_after_all_is_flagged() {
    let mut story = Story::ticketed(VOUCHER);
    story.at(visit_noon()).tell(&ops(), &Command::MarkNoShow { at: visit_noon() }).guest_entered();
    assert!(story.flagged(AttentionKind::Contradiction));
}

#[test]
fn the_end_of_the_booking_window_is_watched_again_after_a_booking_was_cancelled() {
    let mut story = Story::booked(VOUCHER);
    story.tell(&channel(), &Command::RecordCancellation(cancellation(FIRST, story.now)));
    assert_eq!(story.order().state, OrderState::AwaitingBooking);
    assert!(story.arms(DeadlineKind::BookingWindow));
}

#[test]
fn a_late_request_about_a_booking_that_is_over_does_not_touch_the_new_one() {
    use ticketbridge_core::order::RefundKind;
    let mut story = Story::ticketed(VOUCHER);
    story.tell(&channel(), &Command::RecordCancellation(cancellation(FIRST, story.now)));
    story.facts(TicketFacts::Cancelled).tell(&channel(), &booking(SECOND)).facts(issued("T-2"));
    let mut late = application("S1", FIRST, RefundSource::Guest, story.now);
    late.kind = RefundKind::CancelBooking;
    story.tell(&channel(), &Command::ApplyRefund(late));
    assert_eq!(story.refund(), RefundState::Approved);
    assert_eq!(story.booking().state, BookingState::Confirmed);
    assert_eq!(story.tickets(), TicketingState::Issued);
}

#[test]
fn a_flag_about_one_booking_is_not_taken_back_by_news_about_another() {
    let mut story = Story::ticketed(VOUCHER);
    let first = story.booking_id();
    story.tell(&channel(), &Command::RecordCancellation(cancellation(FIRST, story.now)));
    story.facts(TicketFacts::CancelRefused { reason: "closed".into(), used: false });
    story.tell(&channel(), &booking(SECOND)).facts(issued("T-2"));
    story.tell(&channel(), &Command::RecordCancellation(cancellation(SECOND, story.now)));
    story.facts(TicketFacts::Cancelled);
    assert!(story.flagged(AttentionKind::LiveTicketBehindRefund));
    story.facts_of(first, TicketFacts::Cancelled);
    assert!(!story.flagged(AttentionKind::LiveTicketBehindRefund));
}

/// A sale of which only its booking has told, with more units than an order may have or at another price.
fn stub_that_is_amiss(change: impl Fn(&mut PlaceOrder)) -> (Story, Command) {
    let Command::PlaceOrder(mut placed, counts) = sale(VOUCHER, true) else { unreachable!("a sale") };
    let mut stub = placed.clone();
    stub.is_stub = true;
    change(&mut stub);
    placed.sale.quantity = stub.sale.quantity;
    placed.sale.gross *= i64::from(stub.sale.quantity);
    placed.sale.due = placed.sale.gross;
    let mut story = Story::new();
    story.tell(&channel(), &Command::PlaceOrder(stub, counts.clone()));
    assert!(story.flagged(AttentionKind::Contradiction));
    (story, Command::PlaceOrder(placed, counts))
}

#[test]
fn the_sale_itself_ends_what_was_feared_of_it_and_nothing_else() {
    let (mut story, sale) = stub_that_is_amiss(|stub| stub.sale.gross = -1);
    story.tell(&channel(), &Command::RecordDoubt { sentence: "something else".into(), unread: false });
    story.tell(&channel(), &sale);
    let left: Vec<&str> = story.order().attention.iter().map(|flag| flag.sentence.as_str()).collect();
    assert_eq!(left, ["something else"]);
}

#[test]
fn what_was_feared_of_a_sale_stays_when_it_is_so() {
    let many = ticketbridge_core::limits::QUANTITY_MAX + 1;
    let (mut story, sale) = stub_that_is_amiss(|stub| stub.sale.quantity = many);
    story.tell(&channel(), &sale);
    let flag = story.order().attention.first().expect("it is shown").clone();
    assert!(flag.fact.is_none() && flag.sentence.contains("would have been refused"), "{flag:?}");
}

#[test]
fn a_refund_of_a_cancelled_booking_waits_until_its_tickets_are_void() {
    let mut story = Story::ticketed(VOUCHER);
    story.tell(&channel(), &Command::RecordCancellation(cancellation(FIRST, story.now)));
    assert_eq!(story.tickets(), TicketingState::Cancelling);
    story.applied("S1", RefundSource::Guest);
    assert_eq!(story.refund(), RefundState::UnderReview);
    story.facts(TicketFacts::Cancelled);
    assert_eq!(story.refund(), RefundState::Approved);
}

#[test]
fn a_question_answered_with_live_tickets_makes_the_back_end_cancel_again() {
    for cancelled in [false, true] {
        let mut story = Story::ticketed(Terms { refund_rule: false, ..VOUCHER });
        if cancelled {
            story.tell(&channel(), &Command::RecordCancellation(cancellation(FIRST, story.now)));
        } else {
            story.applied("S1", RefundSource::CustomerService).approved();
        }
        story.facts(TicketFacts::CancelPending);
        assert!(story.calls(TicketOp::Query));
        story.facts(issued("T-1"));
        assert!(story.calls(TicketOp::Cancel));
        assert_eq!(story.tickets(), TicketingState::Cancelling);
    }
}

#[test]
fn the_surplus_beside_tickets_made_by_hand_is_watched_until_it_is_gone() {
    let mut story = Story::booked(VOUCHER);
    story.facts(TicketFacts::Unknown { why: "timeout".into() });
    story.tell(&ops(), &Command::SupplyTickets { tickets: ticket("H-1") });
    assert!(story.calls(TicketOp::Cancel) && story.calls(TicketOp::Query), "its issue may still be on its way");
    assert!(story.effects.iter().all(|effect| is_still_needed(story.order(), effect)));
    story.facts(TicketFacts::CancelPending);
    assert!(story.calls(TicketOp::Query));
}

#[test]
fn a_cancellation_that_was_given_up_is_asked_for_again_when_the_refund_goes_ahead_without_it() {
    let mut story = Story::ticketed(Terms { refund_rule: false, ..VOUCHER });
    story.applied("S1", RefundSource::CustomerService).approved();
    story.facts(TicketFacts::GivenUp { why: "timeout".into() });
    let case = story.case_id();
    let anyway = Command::ApproveRefund { case, fee: None, without_backend: true, reason: None };
    story.tell(&ops(), &anyway);
    assert!(story.calls(TicketOp::Cancel));
    story.facts(TicketFacts::GivenUp { why: "timeout".into() });
    assert!(story.flagged(AttentionKind::LiveTicketBehindRefund));
}

#[test]
fn a_call_with_tickets_that_was_closed_during_a_cancellation_is_made_again_when_it_is_refused() {
    let mut story = Story::booked(Terms { refund_rule: false, ..VOUCHER });
    story.demanded().facts(issued("T-1")).applied("S1", RefundSource::CustomerService).approved();
    story.facts(TicketFacts::CancelRefused { reason: "closed".into(), used: false }).rejected();
    assert!(story.notifications("tickets_issued"));
}

#[test]
fn tickets_kept_after_a_refused_cancellation_are_asked_for_once_more() {
    let mut story = Story::ticketed(Terms { refund_rule: false, ..VOUCHER });
    story.applied("S1", RefundSource::CustomerService).approved();
    story.facts(TicketFacts::CancelRefused { reason: "closed".into(), used: false }).rejected();
    assert!(story.calls(TicketOp::Query));
    assert!(story.effects.iter().all(|effect| is_still_needed(story.order(), effect)));
    story.facts(TicketFacts::Cancelled);
    assert!(story.flagged(AttentionKind::Contradiction), "a lost answer had said so");
}

#[test]
fn tickets_that_the_channel_refused_are_flagged_when_its_late_refund_is_withdrawn() {
    let mut story = Story::overdue(VOUCHER);
    story.facts(issued("T-1")).applied("S1", RefundSource::TicketsLate);
    story.reported(NotificationOutcome::GivenUp { why: "too late".into() });
    assert!(!story.flagged(AttentionKind::NotificationRefused), "the tickets go with the decision");
    story.withdrawn();
    assert!(story.flagged(AttentionKind::NotificationRefused));
}

#[test]
fn tickets_that_the_channel_refused_are_flagged_when_they_are_kept_after_a_withdrawal() {
    let mut story = Story::overdue(Terms { refund_rule: false, ..VOUCHER });
    story.facts(issued("T-1")).applied("S1", RefundSource::TicketsLate);
    story.reported(NotificationOutcome::GivenUp { why: "too late".into() }).approved().withdrawn();
    story.facts(TicketFacts::CancelRefused { reason: "closed".into(), used: false });
    assert!(story.flagged(AttentionKind::NotificationRefused));
}

#[test]
fn a_booking_that_ends_after_its_cancellation_was_given_up_asks_once_more() {
    let mut story = Story::ticketed(Terms { refund_rule: false, ..VOUCHER });
    story.applied("S1", RefundSource::CustomerService).approved();
    story.facts(TicketFacts::GivenUp { why: "timeout".into() }).withdrawn();
    story.tell(&ops(), &Command::CancelOrder { reason: "storm".into() });
    assert!(story.calls(TicketOp::Cancel));
}

#[test]
fn tickets_that_are_being_made_void_do_not_take_the_flag_away() {
    let mut story = Story::booked(VOUCHER);
    story.facts(TicketFacts::Unknown { why: "timeout".into() }).applied("S1", RefundSource::Guest);
    story.approved().withdrawn().facts(issued("T-1"));
    assert_eq!(story.tickets(), TicketingState::Cancelling);
    assert!(story.flagged(AttentionKind::TicketingFailed));
}

#[test]
fn a_cancellation_still_at_work_on_tickets_that_are_kept_is_watched() {
    let mut story = Story::ticketed(Terms { refund_rule: false, ..VOUCHER });
    story.facts(TicketFacts::CancelPending);
    assert!(story.calls(TicketOp::Query));
    story.facts(TicketFacts::Cancelled);
    assert!(story.flagged(AttentionKind::Contradiction));
}

#[test]
fn tickets_that_replace_void_ones_go_to_the_channel_again() {
    let mut story = Story::ticketed(Terms { refund_rule: false, ..VOUCHER });
    story.applied("S1", RefundSource::CustomerService).approved().withdrawn().facts(TicketFacts::Cancelled);
    story.tell(&ops(), &Command::SupplyTickets { tickets: ticket("H-1") });
    assert_eq!(story.booking().ticketing.handover, Handover::Owed);
    assert!(story.notifications("tickets_issued"));
}

#[test]
fn tickets_made_by_hand_under_review_go_out_when_the_refund_is_withdrawn() {
    let mut story = Story::booked(Terms { refund_rule: false, ..VOUCHER });
    story.demanded().facts(issued("T-1")).facts(TicketFacts::Cancelled).applied("S1", RefundSource::CustomerService);
    story.tell(&ops(), &Command::SupplyTickets { tickets: ticket("H-1") });
    assert!(!story.notifications("tickets_issued"), "held back");
    story.withdrawn();
    assert!(story.notifications("tickets_issued"));
}

#[test]
fn tickets_reissued_after_a_refused_cancellation_are_asked_for_once_more() {
    let mut story = Story::overdue(VOUCHER);
    story.facts(issued("T-1")).applied("S1", RefundSource::TicketsLate).approved();
    story.facts(TicketFacts::CancelRefused { reason: "closed".into(), used: false }).rejected();
    assert_eq!(story.booking().ticketing.handover, Handover::Reissued);
    assert!(story.calls(TicketOp::Query));
}

#[test]
fn a_second_request_for_late_tickets_does_not_wait_for_a_call_that_was_never_made() {
    let mut story = Story::overdue(VOUCHER);
    story.applied("S1", RefundSource::TicketsLate).facts(issued("T-1"));
    assert!(!story.notifications("tickets_issued"), "held back");
    story.applied("S2", RefundSource::TicketsLate);
    assert!(story.flagged(AttentionKind::RefundWaits));
}

#[test]
fn a_second_request_after_a_refused_cancellation_asks_for_tickets_never_seen() {
    let mut story = Story::booked(VOUCHER);
    story.facts(TicketFacts::Unknown { why: "timeout".into() }).applied("S1", RefundSource::Guest).approved();
    story.facts(TicketFacts::CancelRefused { reason: "closed".into(), used: false });
    story.applied("S2", RefundSource::TicketsLate);
    assert!(story.calls(TicketOp::Query));
    assert!(story.flagged(AttentionKind::TicketingFailed));
}

/// The gate's report overtakes the back-end's word that the tickets are void: a rule alone must not refund what was redeemed.
#[test]
fn a_guest_who_enters_while_policy_makes_the_tickets_void_is_not_refunded_without_a_person() {
    let mut story = Story::ticketed(VOUCHER);
    story.applied("S1", RefundSource::Guest);
    assert_eq!(story.tickets(), TicketingState::Cancelling);
    story.at(visit_noon()).guest_entered().facts(TicketFacts::Cancelled);
    assert_eq!(story.refund(), RefundState::UnderReview);
    assert!(story.flagged(AttentionKind::RefundWaits));
    assert!(!story.notifications("refund_approved"));
    story.approved();
    assert_eq!(story.refund(), RefundState::Approved);
    assert!(story.flagged(AttentionKind::RedeemedWhileRefunded));
}

#[test]
fn tickets_made_by_hand_for_a_channel_that_was_given_void_ones_and_never_asked_are_left_to_a_person() {
    let mut story = Story::booked(Terms { overdue: OverduePolicy::Reissue, ..VOUCHER });
    story.applied("S1", RefundSource::TicketsLate).facts(issued("T-1"));
    assert_eq!(story.booking().ticketing.handover, Handover::Reissued);
    story.facts(TicketFacts::Cancelled).tell(&ops(), &Command::SupplyTickets { tickets: ticket("H-1") });
    assert!(story.flagged(AttentionKind::ManualTask));
    assert!(!story.notifications("tickets_issued"));
}

#[test]
fn a_refund_settled_by_a_booking_that_was_cancelled_ends_the_one_in_its_place_too() {
    let mut story = Story::booked(Terms { tickets: false, refund_rule: false, ..VOUCHER });
    let first = story.booking().channel_booking_id.clone();
    let cancelled = |now| Command::RecordCancellation(cancellation(first.as_str(), now));
    let now = story.now;
    story.tell(&channel(), &cancelled(now)).tell(&channel(), &booking("R-2"));
    let asked = application("S1", first.as_str(), RefundSource::Guest, now);
    story.tell(&channel(), &Command::ApplyRefund(asked)).tell(&channel(), &cancelled(now));
    assert_eq!(story.order().state, OrderState::Cancelled);
    assert_eq!(story.booking().state, BookingState::Cancelled);
    assert_eq!(story.order().money.state(), PaymentState::Refunded);
}

/// The booking in question is void, and a ticket of an earlier one is not: the gate says that it was used. Policy does not ask for ever.
#[test]
fn a_refund_is_left_to_a_person_when_the_gate_keeps_a_ticket_of_a_cancelled_booking() {
    let mut story = Story::ticketed(VOUCHER);
    let first = story.booking();
    let (first_id, first_ref) = (first.id.clone(), first.channel_booking_id.clone());
    let now = story.now;
    story.tell(&channel(), &Command::RecordCancellation(cancellation(first_ref.as_str(), now)));
    story.tell(&channel(), &booking("R-2")).facts(issued("T-2")).applied("S1", RefundSource::Guest);
    story.facts(TicketFacts::Cancelled);
    assert_eq!(story.refund(), RefundState::UnderReview, "the ticket of the first booking may still admit somebody");
    story.facts_of(first_id, TicketFacts::CancelRefused { reason: "used".into(), used: true });
    assert!(story.flagged(AttentionKind::RefundWaits), "{:?}", story.events);
    assert!(!story.calls(TicketOp::Cancel));
}

/// The guest had his money back, and for as long as the back-end was at work nobody was told that his ticket still let him in.
#[test]
fn tickets_that_a_back_end_is_long_in_making_void_are_shown() {
    let mut story = Story::booked(VOUCHER);
    story.facts(issued("T-1")).tell(&ops(), &Command::CancelOrder { reason: "storm".into() });
    assert_eq!(story.tickets(), TicketingState::Cancelling);
    story.facts(TicketFacts::CancelPending);
    assert!(!story.flagged(AttentionKind::LiveTicketBehindRefund));
    let later = story.now + Millis::minutes(10);
    // Some have one word for all that they are at.
    for working in [TicketFacts::Pending { backend_ref: None, look_after: None }, TicketFacts::CancelPending] {
        let mut story = story.clone();
        story.at(later).facts(working);
        assert!(story.calls(TicketOp::Query) && story.flagged(AttentionKind::LiveTicketBehindRefund));
    }
    story.at(later).facts(TicketFacts::CancelPending);
    story.facts(TicketFacts::Cancelled);
    assert!(!story.flagged(AttentionKind::LiveTicketBehindRefund));
}

/// The back-end called the tickets otherwise once, and by their first names again: people went on being told to ask it.
#[test]
fn codes_that_are_the_first_ones_again_are_no_news() {
    let mut story = Story::booked(VOUCHER);
    story.facts(issued("T-1")).facts(issued("T-2"));
    assert!(story.flagged(AttentionKind::CodesChanged));
    story.facts(issued("T-1"));
    assert!(!story.flagged(AttentionKind::CodesChanged));
}
