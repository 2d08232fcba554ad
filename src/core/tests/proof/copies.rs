// SPDX-License-Identifier: Apache-2.0

//! Some copies of an order: all are booked and used together (DY-06), so that what a channel does to some of them is for a person, and
//! nobody's ticket dies for another's money.

use ticketbridge_core::message::{
    ApplyRefund, NamedCopy, NewTicket, NotificationOutcome, RecordRefund, RefundScope, TicketFacts,
};
use ticketbridge_core::order::money::PaymentState;
use ticketbridge_core::order::{AttentionKind, CancelReason, OrderState, RefundIntent, RefundSource, TicketingState};
use ticketbridge_core::personal::DocumentNumber;
use ticketbridge_core::{Command, Millis};

use crate::support::*;

const COPIES: u32 = 3;
const ALL: i64 = 3 * PRICE;

/// Three copies, paid, not booked.
fn three() -> Story {
    let Command::PlaceOrder(mut placed, counts) = sale(VOUCHER, true) else { unreachable!("a sale") };
    placed.sale.quantity = COPIES;
    (placed.sale.gross, placed.sale.due) = (ALL, ALL);
    let mut story = Story::new();
    story.tell(&channel(), &Command::PlaceOrder(placed, counts));
    story
}

/// The same, booked, with their three tickets.
fn three_ticketed() -> Story {
    let mut story = three();
    let Command::RequestBooking(mut wish) = booking(FIRST) else { unreachable!("a booking") };
    wish.quantity = COPIES;
    let visitor = wish.visitors.first().expect("a visitor").clone();
    wish.visitors = vec![visitor; COPIES as usize];
    story.tell(&channel(), &Command::RequestBooking(wish));
    let tickets: Vec<NewTicket> = ["T-1", "T-2", "T-3"].into_iter().flat_map(ticket).collect();
    story.facts(TicketFacts::Issued { backend_ref: Some("B-1".into()), tickets });
    story
}

fn back(key: &str, amount: i64, copies: u32, story: &Story) -> Command {
    let told = refund(key, SALE, RefundScope::Order, story.now);
    Command::RecordRefund(RecordRefund { amount: Some(amount), copies: Some(copies), ..told })
}

fn synced(scope: RefundScope, codes: &[&str], story: &Story) -> Command {
    let told = refund("A1", FIRST, scope, story.now);
    let named = codes.iter().map(|code| NamedCopy { certificate: None, code: Some(DocumentNumber::new(*code)) });
    Command::RecordRefund(RecordRefund { amount: None, named: named.collect(), ..told })
}

#[test]
fn the_money_of_one_copy_ends_nothing_and_is_no_fee() {
    let mut story = three();
    let told = back("S1", PRICE, 1, &story);
    story.tell(&channel(), &told);
    let order = story.order();
    assert_eq!((order.state, order.money.refunded(), order.money.fee()), (OrderState::AwaitingBooking, PRICE, 0));
    assert!(story.flagged(AttentionKind::Contradiction));
    story.tell(&channel(), &told);
    assert_eq!(story.order().copies_back, 1, "a repeat counts nothing");
}

#[test]
fn copies_that_go_back_one_after_the_other_end_the_order_with_the_last() {
    let mut story = three();
    for (key, left) in [("S1", 2), ("S2", 1)] {
        let told = back(key, PRICE, 1, &story);
        // It is told once more: the second one's repeat is not the third.
        story.tell(&channel(), &told).tell(&channel(), &told);
        assert_eq!((COPIES - story.order().copies_back, story.order().state), (left, OrderState::AwaitingBooking));
    }
    let told = back("S3", PRICE - 500, 1, &story);
    story.tell(&channel(), &told);
    let order = story.order();
    assert_eq!((order.state, order.money.refunded(), order.money.fee()), (OrderState::Cancelled, ALL - 500, 500));
}

/// What had not come back yet was booked as a fee until it did.
#[test]
fn copies_of_what_is_over_go_back_one_after_the_other_and_leave_no_fee_before_the_last() {
    let cancelled = || {
        let mut story = three();
        story.tell(&ops(), &Command::CancelOrder { reason: "storm".into() });
        story
    };
    let approved = || {
        let mut story = three_ticketed();
        let wish = application("S0", FIRST, RefundSource::Guest, story.now);
        story.tell(&channel(), &Command::ApplyRefund(wish));
        let case = story.case_id();
        story.tell(&ops(), &Command::ApproveRefund { case, fee: Some(0), without_backend: true, reason: None });
        story
    };
    for (mut story, waits) in [(cancelled(), true), (approved(), true)] {
        for (key, told) in [("S1", 1), ("S2", 2)] {
            let one = back(key, PRICE, 1, &story);
            story.tell(&channel(), &one).tell(&channel(), &one);
            let order = story.order();
            assert_eq!((order.money.refunded(), order.money.fee()), (told * PRICE, 0));
            assert_eq!(order.payment() == PaymentState::RefundPending, waits, "{:?}", order.payment());
        }
        let last = back("S3", PRICE - 500, 1, &story);
        story.tell(&channel(), &last);
        let order = story.order();
        assert_eq!((order.state, order.money.refunded(), order.money.fee()), (OrderState::Cancelled, ALL - 500, 500));
        assert_eq!(
            order.refund_case.as_ref().map(|case| case.settled_amount),
            order.refund_case.as_ref().map(|_| Some(ALL - 500))
        );
    }
}

/// A person was told to cancel it there by hand, and went on being told once the channel had.
#[test]
fn what_was_to_be_cancelled_by_hand_is_done_once_all_of_it_went_back() {
    let mut story = three();
    story.tell(&ops(), &Command::CancelOrder { reason: "storm".into() });
    let Some(notification) = story.last_said("order_cancelled").cloned() else { panic!("the channel is told") };
    let outcome = NotificationOutcome::LeftToPerson { what: "cancel the order".into() };
    story.tell(&channel(), &Command::RecordNotification { notification, outcome });
    for key in ["S1", "S2", "S3"] {
        assert!(story.flagged(AttentionKind::ManualTask), "before {key}");
        let one = back(key, PRICE, 1, &story);
        story.tell(&channel(), &one);
    }
    assert!(!story.flagged(AttentionKind::ManualTask));
}

#[test]
fn the_whole_amount_is_the_whole_order_however_many_copies_are_counted() {
    let mut story = three_ticketed();
    let told = back("S1", ALL, 1, &story);
    story.tell(&channel(), &told);
    assert_eq!(story.order().cancel_reason, Some(CancelReason::RefundedBeforeUse));
}

#[test]
fn tickets_stay_good_when_the_money_of_one_goes_back() {
    let mut story = three_ticketed();
    let told = back("S1", PRICE, 1, &story);
    story.tell(&channel(), &told);
    assert_eq!((story.order().state, story.tickets()), (OrderState::Booked, TicketingState::Issued));
    assert!(story.flagged(AttentionKind::LiveTicketBehindRefund));
}

#[test]
fn a_sync_that_names_one_of_three_known_codes_is_about_that_one() {
    for scope in [RefundScope::Order, RefundScope::Booking] {
        let mut story = three_ticketed();
        let told = synced(scope, &["T-2"], &story);
        story.tell(&channel(), &told);
        assert_eq!((story.order().state, story.tickets()), (OrderState::Booked, TicketingState::Issued), "{scope:?}");
        assert!(story.flagged(AttentionKind::LiveTicketBehindRefund));
        assert_eq!(story.order().money.refunded(), 0, "nobody says how much");
    }
}

#[test]
fn a_sync_that_names_all_codes_or_none_that_is_known_is_about_the_order() {
    for codes in [&["T-1", "T-2", "T-3"] as &[&str], &["another"], &[]] {
        let mut story = three_ticketed();
        let told = synced(RefundScope::Order, codes, &story);
        story.tell(&channel(), &told);
        assert_eq!(story.order().state, OrderState::Cancelled, "{codes:?}");
    }
}

#[test]
fn a_request_for_some_copies_waits_for_a_person() {
    let mut story = three_ticketed();
    let wish = ApplyRefund { copies: Some(1), ..application("S1", FIRST, RefundSource::Guest, story.now) };
    story.tell(&channel(), &Command::ApplyRefund(wish));
    assert_eq!((story.case().intent, story.tickets()), (RefundIntent::WaitsForPerson, TicketingState::Issued));
    story.approved();
    assert_eq!(story.tickets(), TicketingState::Cancelling, "a person may decide so");
}

/// The number of money that went back alone comes afterwards (info-sync of type 3).
#[test]
fn the_notice_of_money_that_went_back_alone_voids_no_ticket() {
    for announced in [Some(30), None] {
        let mut story = Story::ticketed(VOUCHER);
        let alone = refund("A1", FIRST, RefundScope::MoneyOnly, story.now);
        story.tell(&channel(), &Command::RecordRefund(RecordRefund { amount: None, announced, ..alone }));
        let named = refund("S1", SALE, RefundScope::Order, story.now);
        story.tell(&channel(), &Command::RecordRefund(RecordRefund { amount: Some(30), ..named }));
        let order = story.order();
        assert_eq!((order.state, order.money.refunded(), order.money.fee()), (OrderState::Booked, 30, 0));
        assert_eq!(story.tickets(), TicketingState::Issued);
        // What comes after that is the rest.
        let rest = refund("S2", SALE, RefundScope::Order, story.now);
        story.tell(&channel(), &Command::RecordRefund(RecordRefund { amount: Some(PRICE - 30), ..rest }));
        assert_eq!(story.order().state, OrderState::Cancelled);
    }
}

#[test]
fn a_paid_voucher_that_the_channel_cancels_waits_for_its_money() {
    let mut story = Story::paid(VOUCHER);
    let off = cancellation(SALE, story.now);
    story.tell(&channel(), &Command::RecordCancellation(off));
    assert_eq!((story.order().state, story.order().payment()), (OrderState::Cancelled, PaymentState::RefundPending));
    let told = refund("S1", SALE, RefundScope::Order, story.now);
    story.tell(&channel(), &Command::RecordRefund(told));
    assert_eq!((story.order().money.refunded(), story.order().payment()), (PRICE, PaymentState::Refunded));
}

#[test]
fn an_order_that_was_paid_does_not_end_as_never_paid_without_a_word() {
    let mut story = Story::paid(VOUCHER);
    let mut off = cancellation(SALE, story.now);
    off.reason = CancelReason::NeverPaid;
    story.tell(&channel(), &Command::RecordCancellation(off));
    assert_eq!(story.order().cancel_reason, Some(CancelReason::NeverPaid));
    assert!(story.flagged(AttentionKind::Contradiction));
}

#[test]
fn money_that_went_back_before_it_was_told_to_have_come_is_nobodys_to_return() {
    let mut story = Story::new();
    story.tell(&channel(), &sale(VOUCHER, false));
    let told = refund("S1", SALE, RefundScope::Order, story.now);
    story.tell(&channel(), &Command::RecordRefund(told));
    let now = story.now;
    story.tell(&channel(), &Command::RecordPaid { at: now });
    assert_eq!(story.order().money.held(), 0);
    assert!(!story.flagged(AttentionKind::UnexpectedPayment));
}

/// A late request about the booking before: neither the new one nor codes that are void go with it.
#[test]
fn a_request_for_the_money_of_a_booking_that_was_replaced_touches_nothing() {
    for source in [RefundSource::Guest, RefundSource::TicketsLate] {
        let mut story = Story::ticketed(VOUCHER);
        let off = cancellation(FIRST, story.now);
        story.tell(&channel(), &Command::RecordCancellation(off)).facts(TicketFacts::Cancelled);
        story.tell(&channel(), &booking(SECOND)).facts(issued("T-2")).later(Millis::minutes(1));
        let wish = application("S1", FIRST, source, story.now);
        story.tell(&channel(), &Command::ApplyRefund(wish));
        assert_eq!(story.case().intent, RefundIntent::WaitsForPerson, "{source:?}");
        assert_eq!((story.order().state, story.tickets()), (OrderState::Booked, TicketingState::Issued), "{source:?}");
        if source == RefundSource::TicketsLate {
            let rejection = story.rejection();
            story.refused(&ops(), &rejection);
        }
    }
}

/// One copy that the channel names, with what goes back of it.
fn copy_synced(key: &str, scope: RefundScope, codes: &[&str], amount: Option<i64>, story: &Story) -> Command {
    let told = refund(key, FIRST, scope, story.now);
    let named = codes.iter().map(|code| NamedCopy { certificate: None, code: Some(DocumentNumber::new(*code)) });
    Command::RecordRefund(RecordRefund { amount: None, announced: amount, named: named.collect(), ..told })
}

/// Each copy is told by a message of its own: the last was booked as the only one, and the rest as a fee.
#[test]
fn copies_that_are_named_one_after_the_other_end_the_order_with_the_last() {
    for amount in [Some(PRICE), None] {
        let mut story = three_ticketed();
        for code in ["T-1", "T-2"] {
            let told = copy_synced(code, RefundScope::Order, &[code], amount, &story);
            // The same copy under another number is not another one.
            let again = copy_synced("again", RefundScope::Order, &[code], amount, &story);
            story.tell(&channel(), &told).tell(&channel(), &again);
            assert_eq!((story.order().state, story.order().money.fee()), (OrderState::Booked, 0), "{code}");
            assert!(story.flagged(AttentionKind::LiveTicketBehindRefund));
        }
        assert_eq!(story.order().money.refunded(), amount.map_or(0, |amount| 2 * amount));
        let last = copy_synced("T-3", RefundScope::Order, &["T-3"], amount, &story);
        story.tell(&channel(), &last);
        let order = story.order();
        assert_eq!((order.state, order.money.refunded(), order.money.fee()), (OrderState::Cancelled, ALL, 0));
    }
}

#[test]
fn one_copy_and_then_the_others_are_all_of_them() {
    let mut story = three_ticketed();
    let first = copy_synced("A1", RefundScope::Order, &["T-2"], Some(PRICE), &story);
    let others = copy_synced("A2", RefundScope::Order, &["T-1", "T-3"], Some(2 * PRICE), &story);
    story.tell(&channel(), &first).tell(&channel(), &others);
    let order = story.order();
    assert_eq!((order.state, order.money.refunded(), order.money.fee()), (OrderState::Cancelled, ALL, 0));
}

/// A forced return comes by both ways: by a notice that counts copies, and by name.
#[test]
fn a_copy_that_is_counted_and_then_named_is_one() {
    let mut story = three_ticketed();
    let counted = back("S1", PRICE, 1, &story);
    story.tell(&channel(), &counted);
    let named = copy_synced("A1", RefundScope::Order, &["T-1"], Some(PRICE), &story);
    story.tell(&channel(), &named).tell(&channel(), &named);
    let order = story.order();
    assert_eq!((order.state, order.money.refunded(), order.money.fee()), (OrderState::Booked, PRICE, 0));
    assert_eq!((order.copies_back, order.copies_named.len()), (1, 1));
    let another = copy_synced("A2", RefundScope::Order, &["T-2"], Some(PRICE), &story);
    story.tell(&channel(), &another);
    assert_eq!(story.order().money.held(), PRICE, "two have gone: {:?}", story.order().money);
}

#[test]
fn reservations_of_copies_that_are_cancelled_one_by_one_end_the_booking_with_the_last() {
    let mut story = three_ticketed();
    for code in ["T-1", "T-2"] {
        let told = copy_synced(code, RefundScope::Booking, &[code], None, &story);
        story.tell(&channel(), &told);
        assert_eq!(story.order().state, OrderState::Booked, "{code}");
    }
    let last = copy_synced("T-3", RefundScope::Booking, &["T-3"], None, &story);
    story.tell(&channel(), &last);
    assert_eq!((story.order().state, story.order().money.refunded()), (OrderState::AwaitingBooking, 0));
}

#[test]
fn money_that_goes_back_alone_for_each_copy_adds_up() {
    let mut story = three_ticketed();
    for code in ["T-1", "T-2"] {
        let told = copy_synced(code, RefundScope::MoneyOnly, &[code], Some(300), &story);
        story.tell(&channel(), &told);
    }
    let order = story.order();
    assert_eq!((order.state, order.money.refunded(), order.money.fee()), (OrderState::Booked, 600, 0));
}

/// The copies were named one by one, and then each return is told with its number: the first number took the others' money with it.
#[test]
fn the_number_of_one_copys_return_leaves_that_of_the_others() {
    for all in [false, true] {
        let mut story = three_ticketed();
        let codes: &[&str] = if all { &["T-1", "T-2", "T-3"] } else { &["T-1", "T-2"] };
        for code in codes {
            let told = copy_synced(code, RefundScope::Order, &[code], Some(PRICE), &story);
            story.tell(&channel(), &told);
        }
        let gone = codes.len() as i64 * PRICE;
        for key in ["S1", "S2", "S3"].iter().take(codes.len()) {
            let told = back(key, PRICE, 1, &story);
            story.tell(&channel(), &told).tell(&channel(), &told);
            let money = &story.order().money;
            assert_eq!((money.refunded(), money.fee()), (gone, 0), "{key}, all: {all}: {money:?}");
        }
        assert!(!story.order().money.presumes_refund(), "each has its number: {:?}", story.order().money);
    }
}
