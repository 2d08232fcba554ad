// SPDX-License-Identifier: Apache-2.0

//! Details of single decisions that no table shows, since each needs terms, or words of a partner, that no state of the tables has.

use ticketbridge_core::limits::CODE_CHARS_MAX;
use ticketbridge_core::message::{Counts, DeadlineKind, RefundScope};
use ticketbridge_core::order::{AttentionKind, OrderState, RefundSource};
use ticketbridge_core::personal::DocumentNumber;
use ticketbridge_core::product::RuleSnapshot;
use ticketbridge_core::{Command, Date, Effect, Millis, Notification, Rejection, TimeZone, Why};

use crate::support::*;

/// The sale under rules of its own, for so many units; `counts` is what others have left.
fn sale_of(terms: Terms, units: u32, counts: Counts, change: impl FnOnce(&mut RuleSnapshot)) -> Command {
    let Command::PlaceOrder(mut placed, _) = sale(terms, true) else { panic!("a sale is placed") };
    let mut rules = rules(terms);
    change(&mut rules);
    placed.rules = rules.into();
    placed.sale.quantity = units;
    (placed.sale.gross, placed.sale.due) = (PRICE * i64::from(units), PRICE * i64::from(units));
    Command::PlaceOrder(placed, counts)
}

fn sold(terms: Terms, units: u32, change: impl FnOnce(&mut RuleSnapshot)) -> Story {
    let mut story = Story::new();
    story.tell(&channel(), &sale_of(terms, units, Counts::default(), change));
    story
}

/// A wish for a visit; whether its contact gives a phone.
fn wish(reference: &str, units: u32, has_phone: bool) -> Command {
    let Command::RequestBooking(mut request) = booking(reference) else { panic!("a booking is asked for") };
    request.quantity = units;
    request.contact = request.contact.filter(|_| has_phone);
    Command::RequestBooking(request)
}

fn refusal(rejection: &Rejection) -> (Why, Option<&str>) {
    (rejection.why, rejection.field.as_deref())
}

#[test]
fn a_sale_takes_its_units_and_is_counted_until_its_window_closes() {
    let story = sold(VOUCHER, 3, |_| {});
    let taken = story.effects.iter().filter_map(|effect| match effect {
        Effect::TakeStock { key, units } if key.date.is_none() => Some(*units),
        _ => None,
    });
    assert_eq!(taken.collect::<Vec<u32>>(), [3]);
    let over = TimeZone::SHANGHAI.end_of(Date::parse("2027-01-31").expect("a date"));
    let is_it = |effect: &Effect| matches!(effect, Effect::ArmDeadline { kind: DeadlineKind::BookingWindow, due_at, .. } if *due_at == over);
    assert!(story.effects.iter().any(is_it), "{:?}", story.effects);
}

#[test]
fn what_is_sold_out_is_refused_and_what_the_channel_has_sold_already_is_taken_on() {
    let none_left = Counts { voucher_left: Some(0), ..Counts::default() };
    let mut refused = Story::new();
    assert_eq!(refused.refused(&channel(), &sale_of(VOUCHER, 1, none_left.clone(), |_| {})).why, Why::OutOfStock);
    let Command::PlaceOrder(mut placed, counts) = sale_of(VOUCHER, 1, none_left, |_| {}) else { panic!("a sale") };
    placed.is_stub = true;
    let mut story = Story::new();
    story.tell(&channel(), &Command::PlaceOrder(placed, counts));
    assert_eq!(story.order().state, OrderState::AwaitingBooking);
}

#[test]
fn where_a_phones_bookings_are_counted_there_must_be_one() {
    let limited = |rules: &mut RuleSnapshot| rules.booking.limits.per_phone = Some(2);
    let without_phone = || {
        let Command::PlaceOrder(mut placed, counts) = sale_of(VOUCHER, 1, Counts::default(), limited) else {
            panic!("a sale")
        };
        placed.sale.buyer.phone = None;
        let mut story = Story::new();
        story.tell(&channel(), &Command::PlaceOrder(placed, counts));
        story
    };
    let refused = without_phone().refused(&channel(), &wish(FIRST, 1, false));
    assert_eq!(refusal(&refused), (Why::PhoneMissing, Some("contact.phone")));
    without_phone().tell(&channel(), &wish(FIRST, 1, true));
    sold(VOUCHER, 1, limited).tell(&channel(), &wish(FIRST, 1, false));
    sold(VOUCHER, 1, |_| {}).tell(&channel(), &wish(FIRST, 1, false));
}

#[test]
fn the_price_of_a_day_is_checked_where_the_day_is_what_is_sold() {
    let dearer = |rules: &mut RuleSnapshot| {
        rules.channel.price_check = true;
        rules.booking.calendar[0].price = Some(PRICE + 1);
    };
    let mut direct = sold(DIRECT, 1, dearer);
    let reference = direct.first();
    assert_eq!(refusal(&direct.refused(&channel(), &booking(reference))), (Why::PriceMismatch, Some("gross")));
    sold(DIRECT, 1, |rules| rules.channel.price_check = true).tell(&channel(), &booking(reference));
    // A voucher was paid for before its day was known.
    sold(VOUCHER, 1, dearer).tell(&channel(), &booking(FIRST));
}

#[test]
fn a_visit_after_a_rejected_refund_is_told_as_before_the_request() {
    let told_at = |story: &Story| match story.last_said("redeemed") {
        Some(Notification::Redeemed { at, .. }) => *at,
        other => panic!("the visit is to be told, not {other:?}"),
    };
    let mut plain = Story::ticketed(VOUCHER);
    plain.at(visit_noon()).guest_entered();
    assert_eq!(told_at(&plain), visit_noon());
    let mut story = Story::ticketed(VOUCHER);
    story.later(Millis::minutes(5)).applied("S1", RefundSource::CustomerService);
    let asked_at = story.case().requested_at;
    story.rejected().at(visit_noon()).guest_entered();
    assert_eq!(story.order().state, OrderState::Completed);
    assert_eq!(told_at(&story), asked_at - Millis::seconds(1));
}

#[test]
fn tickets_made_by_a_person_fit_the_order_and_are_told_from_each_other() {
    let made = |codes: &[&str]| {
        let tickets = codes.iter().flat_map(|code| ticket(code)).collect();
        Command::SupplyTickets { tickets }
    };
    let story = || {
        let mut story = sold(VOUCHER, 2, |_| {});
        story.tell(&channel(), &wish(FIRST, 2, true));
        story
    };
    let (longest, too_long) = ("x".repeat(CODE_CHARS_MAX), "x".repeat(CODE_CHARS_MAX + 1));
    for (codes, field) in [
        (&[][..], "tickets"),
        (&["a", "b", "c"], "tickets"),
        (&["a", "a"], "tickets[1].code"),
        (&[""], "tickets[0].code"),
        (&[&too_long], "tickets[0].code"),
    ] {
        assert_eq!(refusal(&story().refused(&ops(), &made(codes))), (Why::Invalid, Some(field)), "{codes:?}");
    }
    for codes in [&["a"][..], &["a", "b"], &["a", "b", "c", "d"], &[&longest]] {
        let mut story = story();
        story.tell(&ops(), &made(codes));
        let kept: Vec<DocumentNumber> =
            story.booking().ticketing.tickets.iter().map(|ticket| ticket.code.clone()).collect();
        assert_eq!(kept.len(), codes.len(), "{codes:?}");
    }
}

#[test]
fn more_money_back_than_came_in_is_shown_to_a_person() {
    let mut story = Story::paid(VOUCHER);
    let now = story.now;
    story.tell(&channel(), &Command::RecordRefund(refund("F1", SALE, RefundScope::MoneyOnly, now)));
    assert!(story.order().attention.is_empty(), "{:?}", story.order().attention);
    story.tell(&channel(), &Command::RecordRefund(refund("F2", SALE, RefundScope::MoneyOnly, now)));
    assert!(story.order().money.held() < 0);
    assert!(story.flagged(AttentionKind::UnexpectedPayment));
}
