// SPDX-License-Identifier: Apache-2.0

//! Money that was to go back and did not, and cancellations of a whole order while its guests go in: what holds on orders that their platform
//! tells whole.

use ticketbridge_core::message::{Cancelled, GateCount, NotificationOutcome, Redeem, RedeemedBy, Snapshot};
use ticketbridge_core::order::channel_state::{Part, Proposal, Stage};
use ticketbridge_core::order::money::{EntryStatus, PaymentState};
use ticketbridge_core::order::{AttentionKind, CancelReason, OrderState};
use ticketbridge_core::still_needed::is_notification_needed;
use ticketbridge_core::{Command, Effect, Millis, Notification, Why};

use crate::platform::*;
use crate::support::*;
use crate::tale::{Tale, no, platform};

/// How the money of an order stands: its state, what went back, what is kept, and what did not go back.
fn stands(tale: &Tale) -> (PaymentState, i64, i64, i64) {
    let order = tale.order();
    (order.payment(), order.money.refunded(), order.money.fee(), order.open_failures())
}

/// The platform says that every movement so far is the money of units that were cancelled.
fn with_units(mut snapshot: Snapshot) -> Snapshot {
    for payment in &mut snapshot.standing.payments {
        payment.with_booking = payment.returns.clone();
    }
    snapshot
}

fn tells_with_units(tale: &mut Tale, change: impl FnOnce(&mut Platform)) {
    tale.there.at = tale.now;
    change(&mut tale.there);
    let snapshot = with_units(tale.there.snapshot());
    tale.hears(snapshot);
}

fn is_shown(tale: &Tale) -> bool {
    tale.flagged(AttentionKind::RefundFailed)
}

/// What the marketplace had not given back was booked as a fee, and nobody was told.
#[test]
fn a_return_that_fails_after_a_cancellation_is_no_fee_that_nobody_decided() {
    for (first, is_asked) in [(EntryStatus::Pending, false), (EntryStatus::Failed, false), (EntryStatus::Failed, true)]
    {
        let mut tale = Tale::paid(Whole { asks_us: false, auto: true, tickets: false, ..PACKAGE });
        tale.tells(|p| p.reach(Stage::CancelRequested { confirmed: true }));
        let case = tale.case_id();
        tale.ops(&Command::ApproveRefund { case, fee: Some(10_000), without_backend: false, reason: None });
        // The marketplace names no fee: what it holds is what it has kept.
        let unnamed = |p: &mut Platform| {
            let fee = p.received() - p.returned();
            let reason = CancelReason::RefundedBeforeUse;
            p.off = Some(Cancelled { reason, ex_officio: false, fee, returns: None, words: None });
        };
        tale.there.give_back(0, DEPOSIT - 10_000, first);
        unnamed(&mut tale.there);
        tale.there.reach(Stage::Cancelled);
        if is_asked {
            tale.hears_answer();
        } else {
            tale.tells(|_| {});
        }
        if first == EntryStatus::Pending {
            assert_eq!(stands(&tale), (PaymentState::RefundPending, 0, 10_000, 0));
            tale.tells(|p| p.settle(EntryStatus::Failed));
        }
        let failed = (PaymentState::RefundFailed, 0, 10_000, DEPOSIT - 10_000);
        assert_eq!((stands(&tale), is_shown(&tale)), (failed, true), "{first:?}, asked {is_asked}");
        tale.hears_answer();
        assert_eq!((stands(&tale), is_shown(&tale)), (failed, true), "and the books say the same");
        tale.later(Millis::minutes(1));
        tale.ops(&Command::ReturnPayments { amount: Some(DEPOSIT - 10_000), reason: "again".into() });
        assert_eq!(tale.order().payment(), PaymentState::RefundPending);
        tale.tells(|p| {
            p.give_back(0, DEPOSIT - 10_000, EntryStatus::Done);
            unnamed(p);
        });
        assert_eq!(stands(&tale), (PaymentState::PartiallyRefunded, DEPOSIT - 10_000, 10_000, 0));
        assert!(!is_shown(&tale), "{:?}", tale.order().attention);
    }
}

/// The money of another unit, as much or more, was taken for the failed return made again.
#[test]
fn the_money_of_other_units_makes_no_failed_return_good() {
    for fails_first in [false, true] {
        for rest in [1, 2] {
            let mut tale = Tale::paid(Whole { tickets: false, ..INSTANT });
            tells_with_units(&mut tale, |p| {
                p.part_off(0, 1);
                p.give_back(0, 27_000, EntryStatus::Pending);
            });
            let fail = |tale: &mut Tale| {
                tells_with_units(tale, |p| {
                    p.payments[0].backs[0].status = EntryStatus::Failed;
                    p.changed();
                });
            };
            let others = |tale: &mut Tale| {
                tells_with_units(tale, |p| {
                    p.part_off(0, 1);
                    p.give_back(0, 27_000, EntryStatus::Done);
                    if rest == 2 {
                        p.give_back(0, 36_000, EntryStatus::Done);
                        p.off = Some(Cancelled {
                            reason: CancelReason::RefundedBeforeUse,
                            ex_officio: false,
                            fee: 0,
                            returns: Some(NET),
                            words: None,
                        });
                        p.reach(Stage::Cancelled);
                    }
                });
            };
            if fails_first {
                fail(&mut tale);
                tale.later(Millis::minutes(1));
                others(&mut tale);
            } else {
                others(&mut tale);
                fail(&mut tale);
            }
            let back = if rest == 2 { 63_000 } else { 27_000 };
            assert_eq!(stands(&tale), (PaymentState::RefundFailed, back, 0, 27_000), "{fails_first} {rest}");
            assert!(is_shown(&tale), "{:?}", tale.order().attention);
            // The same movement, after all.
            tells_with_units(&mut tale, |p| {
                p.payments[0].backs[0].status = EntryStatus::Done;
                p.changed();
            });
            assert_eq!((tale.order().open_failures(), is_shown(&tale)), (0, false), "{:?}", tale.order().attention);
        }
    }
}

/// "Return it again", said the flag, and that very act was refused: the booking lives.
#[test]
fn a_failed_return_of_a_part_of_a_live_booking_is_made_again_by_its_amount() {
    let failed = |payment: usize| {
        let mut tale = Tale::paid(Whole { tickets: false, ..INSTANT });
        tells_with_units(&mut tale, |p| {
            p.part_off(0, 1);
            p.give_back(payment, 7_000, EntryStatus::Failed);
        });
        tale.later(Millis::minutes(1));
        tale
    };
    let again = |amount| Command::ReturnPayments { amount: Some(amount), reason: "again".into() };
    for payment in [0, 1] {
        let mut tale = failed(payment);
        assert_eq!(tale.refused(&ops(), &again(7_001)).why, Why::RefundExceeds, "the rest is still ahead");
        tale.ops(&again(7_000));
        let Notification::PaymentReturn { payment: from, amount, .. } = tale.said("payment_return") else {
            panic!("money is to go back")
        };
        assert_eq!((from, amount), (format!("pay_{}", payment + 1), 7_000), "from where it was to come");
        assert_eq!((tale.order().payment(), is_shown(&tale)), (PaymentState::RefundPending, false));
        assert_eq!(tale.refused(&ops(), &again(7_000)).why, Why::NotUsed, "once");
        tale.ended("payment_return", no());
        assert!(is_shown(&tale), "it is not on its way after all");
        tale.ops(&again(7_000));
        tale.tells(|p| p.give_back(payment, 7_000, EntryStatus::Done));
        assert_eq!((tale.order().open_failures(), is_shown(&tale)), (0, false), "{:?}", tale.order().attention);
    }
    // It fails once more: that is the same money, and no more of it.
    let mut tale = failed(0);
    tale.ops(&again(7_000));
    tale.tells(|p| p.give_back(0, 7_000, EntryStatus::Failed));
    assert_eq!((tale.order().open_failures(), is_shown(&tale)), (7_000, true), "{:?}", tale.order().money.ledger);
    tale.later(Millis::minutes(1));
    tale.ops(&again(7_000));
    tale.tells(|p| p.give_back(0, 7_000, EntryStatus::Done));
    assert_eq!((tale.order().open_failures(), is_shown(&tale)), (0, false));
    // The platform brings the first one to its end by itself, before ours or across it.
    let mut tale = failed(0);
    tale.ops(&again(7_000));
    tale.tells(|p| {
        p.payments[0].backs[0].status = EntryStatus::Done;
        p.changed();
    });
    assert_eq!((tale.order().money.refunded(), tale.order().money.refund_pending()), (7_000, 0));
    tale.ended("payment_return", NotificationOutcome::Overtaken);
    assert!(!tale.notifications("payment_return"), "{:?}", tale.effects);
    assert!(!is_shown(&tale), "{:?}", tale.order().attention);
    // Piece by piece.
    let mut tale = failed(0);
    tale.ops(&again(3_000));
    tale.tells(|p| p.give_back(0, 3_000, EntryStatus::Done));
    assert_eq!((tale.order().open_failures(), is_shown(&tale)), (4_000, true));
    tale.ops(&again(4_000));
    tale.tells(|p| p.give_back(0, 4_000, EntryStatus::Done));
    assert_eq!((tale.order().open_failures(), is_shown(&tale)), (0, false));
}

/// The second call carried the first one's lock, and so did every retry.
#[test]
fn a_return_that_another_one_overtook_builds_on_what_is_left_now() {
    let mut tale = Tale::paid(INSTANT);
    tale.tells(|p| p.reach(Stage::Used));
    tale.ops(&Command::ReturnPayments { amount: Some(50_000), reason: "late".into() });
    let lock = |tale: &Tale| {
        let Notification::PaymentReturn { reference, payment, left, .. } = tale.said("payment_return") else {
            panic!("money is to go back")
        };
        (left, tale.order().left_for_return(&payment, &reference))
    };
    let before = lock(&tale);
    assert_eq!(before.1, Some(before.0));
    let index = tale.there.payments.iter().position(|paid| paid.amount == before.0).expect("the payment");
    tale.tells(|p| p.give_back(index, 1_000, EntryStatus::Done));
    tale.ended("payment_return", NotificationOutcome::Overtaken);
    assert_eq!(lock(&tale), (before.0 - 1_000, Some(before.0 - 1_000)));
}

/// The units that are to be cancelled, as we propose.
fn parts(tale: &Tale) -> Option<Vec<Part>> {
    match tale.order().channel_state.as_ref()?.proposal.as_ref()? {
        Proposal::Cancel { parts, .. } => Some(parts.clone()),
        Proposal::Confirm | Proposal::Reject { .. } => None,
    }
}

fn one_enters(tale: &mut Tale, guests: u32) {
    let count = Some(GateCount { code: None, guests: Some(guests) });
    tale.tell(&gate(), &Command::Redeem(Redeem { booking: None, at: visit_noon(), by: RedeemedBy::Gate, count }));
}

fn quote(tale: &mut Tale, fee: i64, refund: i64) -> (i64, i64) {
    tale.tell(&platform(), &Command::RecordQuote { fee: Some(fee), refund: Some(refund) });
    let Notification::Cancellation { fee, refund, .. } = tale.said("cancel_wanted") else {
        panic!("it is to be cancelled")
    };
    (fee, refund)
}

/// The unit of a guest who was inside was cancelled with the others, and the fee was that of all of them.
#[test]
fn a_guest_who_goes_in_while_all_of_it_is_to_be_cancelled_keeps_his_unit() {
    let ask = Command::AskCancellation { fee: None, reason: "storm".into(), parts: Vec::new(), notify_text: None };
    let left = |first: u32| {
        let part = |detail: &str, units| Part { detail: detail.to_owned(), units, before: 0 };
        [part("D1", first), part("D2", 1)].into_iter().filter(|part| part.units > 0).collect::<Vec<_>>()
    };
    let asks_again = |tale: &Tale| {
        let is_quote =
            |effect: &Effect| matches!(effect, Effect::TellChannel { notification: Notification::CancelQuote, .. });
        tale.effects.iter().any(is_quote)
    };
    for by_gate in [true, false] {
        let mut tale = Tale::paid(INSTANT);
        tale.facts(issued("T-1")).at(visit_noon());
        tale.ops(&ask);
        assert_eq!(quote(&mut tale, 45_000, 45_000), (45_000, 45_000));
        let enter = |tale: &mut Tale, guests| match by_gate {
            true => one_enters(tale, guests),
            false => {
                tale.tells(|p| {
                    p.units[0].used = guests;
                    p.changed();
                });
            }
        };
        enter(&mut tale, 1);
        assert_eq!(parts(&tale), Some(left(1)), "by the gate {by_gate}");
        assert!(asks_again(&tale), "{:?}", tale.effects);
        tale.ended("cancel_wanted", NotificationOutcome::Overtaken);
        assert!(!tale.notifications("cancel_wanted"), "its figures are of all of it: {:?}", tale.effects);
        // An answer that was asked for before is for all of it.
        assert_eq!(quote(&mut tale, 45_000, 45_000), (31_500, 31_500));
        assert_eq!(quote(&mut tale, 31_500, 31_500), (31_500, 31_500));
        enter(&mut tale, 2);
        assert_eq!(parts(&tale), Some(left(0)));
        assert_eq!(quote(&mut tale, 18_000, 18_000), (18_000, 18_000));
        tale.tells(|p| {
            p.units[0].used = 2;
            p.part_off(1, 1);
            p.give_back(0, 18_000, EntryStatus::Done);
        });
        assert_eq!((parts(&tale), tale.order().state), (None, OrderState::Booked), "what could be is cancelled");
    }
}

/// Ops make a refused cancellation again after a guest has gone in.
#[test]
fn a_cancellation_made_again_after_an_entry_is_of_the_rest() {
    let mut tale = Tale::paid(INSTANT);
    let ask = Command::AskCancellation { fee: Some(0), reason: "storm".into(), parts: Vec::new(), notify_text: None };
    tale.facts(issued("T-1")).at(visit_noon());
    tale.ops(&ask).ended("cancel_quote", no());
    assert_eq!(parts(&tale), None);
    one_enters(&mut tale, 1);
    tale.ended("cancel_quote", NotificationOutcome::Repeated);
    let wanted: Vec<u32> = parts(&tale).unwrap_or_default().iter().map(|part| part.units).collect();
    assert_eq!(wanted, [1, 1]);
    assert_eq!(quote(&mut tale, 31_500, 31_500), (0, 63_000));
}

/// All that is left of an order of which something was kept costs what its platform counts for it, which may be less than what was paid less
/// what was kept: each share is rounded down.
#[test]
fn all_that_is_left_costs_what_its_platform_counts_for_it() {
    for (fee, refund, then) in
        [(0, 53_999, (0, 53_999)), (53_999, 0, (0, 53_999)), (0, 54_000, (0, 54_000)), (0, 60_000, (0, 54_000))]
    {
        let mut tale = Tale::paid(INSTANT);
        tale.there.part_off(1, 1);
        tale.there.changed();
        let kept = Snapshot { kept_of_parts: Some(36_000), ..tale.there.snapshot() };
        tale.hears(kept);
        assert_eq!(tale.order().money.fee(), 36_000);
        let ask =
            Command::AskCancellation { fee: Some(0), reason: "storm".into(), parts: Vec::new(), notify_text: None };
        tale.ops(&ask);
        assert_eq!(quote(&mut tale, fee, refund), then);
        let told = tale.said("cancel_wanted");
        assert!(is_notification_needed(tale.order(), &told), "{told:?}");
        tale.tells(|p| {
            p.units[0].used = 1;
            p.changed();
        });
        assert!(!is_notification_needed(tale.order(), &told), "a guest is inside: {told:?}");
    }
}
