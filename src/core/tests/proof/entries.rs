// SPDX-License-Identifier: Apache-2.0

//! Guests who go in one by one (KA-06), where units are cancelled and tickets replaced around them.

use ticketbridge_core::Command;
use ticketbridge_core::message::{GateCount, NewTicket, Redeem, RedeemedBy, TicketFacts};
use ticketbridge_core::order::channel_state::UsedUnits;
use ticketbridge_core::order::money::EntryStatus;
use ticketbridge_core::order::{AttentionKind, BookingState};
use ticketbridge_core::personal::DocumentNumber;

use crate::platform::*;
use crate::support::*;
use crate::tale::Tale;

fn tickets(codes: &[&str]) -> Vec<NewTicket> {
    codes.iter().flat_map(|code| ticket(code)).collect()
}

/// Two units of the first line and one of the second, each with its ticket, on the day of the visit.
fn ticketed() -> Tale {
    let mut tale = Tale::paid(INSTANT);
    tale.facts(TicketFacts::Issued { backend_ref: Some("B-1".into()), tickets: tickets(&["T-1", "T-2", "T-3"]) });
    tale.at(visit_noon());
    tale
}

fn enters(tale: &mut Tale, code: Option<&str>, guests: Option<u32>) {
    let count = Some(GateCount { code: code.map(DocumentNumber::new), guests });
    tale.tell(&gate(), &Command::Redeem(Redeem { booking: None, at: visit_noon(), by: RedeemedBy::Gate, count }));
}

fn all_enter(tale: &mut Tale) {
    tale.tell(&gate(), &Command::Redeem(Redeem { booking: None, at: visit_noon(), by: RedeemedBy::Gate, count: None }));
}

/// The units that count as used, line by line.
fn used(tale: &Tale) -> Vec<(String, u32)> {
    let entered = tale.order().entered.as_deref().map(|entered| entered.lines.clone()).unwrap_or_default();
    entered.into_iter().map(|UsedUnits { detail, units }| (detail, units)).collect()
}

fn of(detail: &str, units: u32) -> (String, u32) {
    (detail.to_owned(), units)
}

fn visit(tale: &Tale) -> BookingState {
    tale.order().booking.as_ref().map(|booking| booking.state).expect("a booking")
}

fn is_shown(tale: &Tale) -> bool {
    tale.flagged(AttentionKind::RedeemedWhileRefunded)
}

/// The platform cancels units, and gives something back for them.
fn cancelled(tale: &mut Tale, line: usize, units: u32) {
    tale.tells(|p| {
        p.part_off(line, units);
        p.give_back(0, 10_000, EntryStatus::Done);
    });
}

/// What he had paid went back after he had gone in, and nobody was told as long as others of the order lived.
#[test]
fn a_unit_that_is_cancelled_after_its_guest_went_in_is_shown() {
    // His own ticket.
    let mut tale = ticketed();
    enters(&mut tale, Some("T-3"), None);
    assert_eq!((visit(&tale), used(&tale)), (BookingState::Confirmed, vec![of("D2", 1)]));
    cancelled(&mut tale, 1, 1);
    assert!(is_shown(&tale));

    // By the count: two of three, of which one lives.
    let mut tale = ticketed();
    enters(&mut tale, None, Some(2));
    cancelled(&mut tale, 0, 1);
    assert!(!is_shown(&tale), "two live, and two are in");
    cancelled(&mut tale, 1, 1);
    assert!(is_shown(&tale));

    // All of them, and the platform has not heard of it yet.
    for tell in [all_enter, |tale: &mut Tale| enters(tale, None, Some(3))] {
        let mut tale = ticketed();
        tell(&mut tale);
        assert_eq!((visit(&tale), is_shown(&tale)), (BookingState::Used, false));
        cancelled(&mut tale, 1, 1);
        assert!(is_shown(&tale));
    }
}

#[test]
fn a_unit_whose_guest_has_not_come_is_cancelled_without_a_word() {
    let mut tale = ticketed();
    enters(&mut tale, Some("T-1"), None);
    cancelled(&mut tale, 1, 1);
    cancelled(&mut tale, 0, 1);
    assert!(!is_shown(&tale));
}

/// One old code was read as the visit of all of them.
#[test]
fn a_ticket_in_whose_place_others_were_made_admits_one_guest() {
    let mut tale = ticketed();
    tale.tells(|p| {
        p.units[1].sold += 1;
        p.changed();
    });
    tale.ops(&Command::SupplyTickets { tickets: tickets(&["H-1", "H-2", "H-3", "H-4"]) });
    enters(&mut tale, Some("T-2"), None);
    assert_eq!((visit(&tale), used(&tale)), (BookingState::Confirmed, vec![of("D1", 1)]));
    assert!(tale.flagged(AttentionKind::LiveTicketBehindRefund), "somebody has to look at the gate");
    enters(&mut tale, Some("T-2"), None);
    assert_eq!(used(&tale), [of("D1", 1)], "read once more");
    enters(&mut tale, Some("H-4"), None);
    assert_eq!(used(&tale), [of("D1", 1), of("D2", 1)]);
    enters(&mut tale, Some("H-1"), None);
    enters(&mut tale, Some("H-2"), None);
    assert_eq!(visit(&tale), BookingState::Used);
}

#[test]
fn who_went_in_before_the_tickets_were_replaced_stays_in() {
    let mut tale = ticketed();
    enters(&mut tale, Some("T-1"), None);
    tale.tells(|p| {
        p.units[1].sold += 1;
        p.changed();
    });
    tale.ops(&Command::SupplyTickets { tickets: tickets(&["H-1", "H-2", "H-3", "H-4"]) });
    for code in ["H-2", "H-3", "H-4"] {
        assert_eq!(visit(&tale), BookingState::Confirmed, "before {code}");
        enters(&mut tale, Some(code), None);
    }
    assert_eq!(visit(&tale), BookingState::Used);
}
