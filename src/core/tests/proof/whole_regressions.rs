//! Faults that were found by the proofs of orders that their platform tells whole, each by the shortest story that shows it.

use ticketbridge_core::order::{CancelReason, OrderState, RefundSource};
use ticketbridge_core::{Command, Effect, Millis, Why};

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
    tale.tells(|p| p.reach(ticketbridge_core::mirror::Stage::Used));
    let asked = Command::ApplyRefund(application("S9", NUMBER, RefundSource::Guest, tale.now));
    assert_eq!(tale.refused(&platform(), &asked).why, Why::NotSupported);
}
