// SPDX-License-Identifier: Apache-2.0

//! What a platform's books say beside what it has told: on what the two differ, and what of them belongs to another order.

use ticketbridge_core::message::Snapshot;
use ticketbridge_core::order::AttentionKind;
use ticketbridge_core::order::channel_state::{Stage, Sums};
use ticketbridge_core::order::money::EntryStatus;
use ticketbridge_core::{Command, Millis};

use crate::platform::*;
use crate::support::Story;
use crate::tale::{Tale, platform};

/// On what an answer and the order differ.
fn fields(answer: &Snapshot, tale: &Tale) -> Vec<&'static str> {
    answer.disagreements(tale.order()).iter().map(|found| found.field).collect()
}

#[test]
fn books_that_agree_say_nothing_and_each_difference_is_named() {
    let mut tale = Tale::paid(MANAGED);
    tale.tells(|p| p.reach(Stage::Confirmed));
    let answer = tale.there.answer();
    assert_eq!(fields(&answer, &tale), [""; 0]);
    let told = |change: &dyn Fn(&mut Snapshot)| {
        let mut other = answer.clone();
        change(&mut other);
        fields(&other, &tale)
    };
    for stage in [Stage::Requested, Stage::Cancelled, Stage::Rejected, Stage::Used] {
        assert_eq!(told(&|s| s.standing.stage = stage), ["booking"], "{stage:?}");
    }
    assert_eq!(told(&|s| s.standing.stage = Stage::CancelRequested { confirmed: true }), [""; 0]);
    assert_eq!(told(&|s| s.entries[0].amount += 1), ["amount"]);
    assert_eq!(told(&|s| s.entries[0].amount -= 1), ["received"]);
    assert_eq!(told(&|s| s.sale.due += 1), ["price"]);
    assert_eq!(told(&|s| s.visit_date = s.visit_date.map(|date| date.plus_days(1))), ["date"]);
    assert_eq!(told(&|s| s.sale.product.booking = Some("another".into())), ["product"]);
    let behind = |s: &mut Snapshot| (s.standing.revision, s.standing.stage) = (1, Stage::Requested);
    assert_eq!(told(&behind), ["revision"]);
    assert_eq!(told(&|s| s.standing.revision = 1), [""; 0], "they are behind, and say the same");
}

#[test]
fn books_that_do_not_follow_what_was_told_are_shown_after_ten_minutes() {
    let mut tale = Tale::paid(MANAGED);
    let old = tale.there.answer();
    tale.tells(|p| p.reach(Stage::Confirmed));
    let flagged = |tale: &Tale| tale.flagged(AttentionKind::BooksDiffer);
    tale.later(Millis::minutes(10));
    tale.hears(old.clone());
    assert!(!flagged(&tale), "they may still follow");
    tale.later(Millis(1));
    tale.hears(old);
    assert!(flagged(&tale));
}

#[test]
fn what_belongs_to_another_order_is_shown_and_counts_there_alone() {
    let mut there = Platform::paid(MANAGED);
    there.give_back(1, 4_000, EntryStatus::Done);
    let mut snapshot = there.snapshot();
    snapshot.standing.sums = Some(Sums { received: NET, returned: 4_000 });
    let (payment, line) = (there.payments[1].id.clone(), snapshot.standing.lines[1].detail.clone());
    let units: u32 = snapshot.standing.lines.iter().map(|line| line.quantity).sum();
    let told = |payments: &[String], lines: &[String]| {
        let mut story = Story::new();
        let command = Command::SyncSnapshot {
            snapshot: Box::new(snapshot.clone()),
            not_for_sale: None,
            paid_elsewhere: payments.to_vec(),
            lines_elsewhere: lines.to_vec(),
        };
        story.tell(&platform(), &stub(&there)).tell(&platform(), &command);
        story
    };
    let sums = |story: &Story| {
        let money = &story.order().money;
        (money.received(), money.refunded())
    };
    let lines = |story: &Story| {
        let standing = &story.order().channel_state.as_ref().expect("a channel's state").standing;
        (standing.lines.len(), standing.lines_elsewhere.clone(), standing.sums, standing.payments.len())
    };

    let all = told(&[], &[]);
    assert_eq!(sums(&all), (NET, 4_000));
    assert_eq!(lines(&all).0, 2);
    assert!(!all.flagged(AttentionKind::Contradiction));

    let less_paid = told(&[payment], &[]);
    assert_eq!(sums(&less_paid), (CARD, 0), "neither the payment nor what went back of it");
    assert_eq!(lines(&less_paid), (2, Vec::new(), Some(Sums { received: CARD, returned: 0 }), 1));
    assert_eq!(less_paid.order().quantity, units);
    assert!(less_paid.flagged(AttentionKind::Contradiction));

    let fewer_lines = told(&[], std::slice::from_ref(&line));
    assert_eq!(sums(&fewer_lines), (NET, 4_000));
    assert_eq!(lines(&fewer_lines).1, [line]);
    assert_eq!((lines(&fewer_lines).0, fewer_lines.order().quantity), (1, units - 1));
    assert!(fewer_lines.flagged(AttentionKind::Contradiction));

    let every_line: Vec<String> = snapshot.standing.lines.iter().map(|line| line.detail.clone()).collect();
    let none = told(&[], &every_line);
    assert_eq!((lines(&none).0, none.order().quantity), (0, units), "it keeps its number of units");
}
