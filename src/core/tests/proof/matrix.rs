// SPDX-License-Identifier: Apache-2.0

//! Every state of an order against everything that can be said to it: the specification as files in `snapshots/`.
//!
//! A line is one pair: what is said, what then happens (events), what must be done outside (effects), or why it is refused, and where the
//! order stands afterwards. A pair that changes nothing and is accepted reads `nothing`.

mod keeps;
mod names;
mod render;
mod reserved;
mod sayings;
mod states;
mod whole;

use std::fmt::Write as _;

use ticketbridge_core::message::{
    DeadlineKind, Held, NotificationOutcome, RecordRejection, Redeem, RedeemedBy, RefundScope, TicketFacts,
};
use ticketbridge_core::order::money::{EntryKind, EntryStatus, LedgerEntry};
use ticketbridge_core::order::{
    CancelReason, Handover, Order, RefundIntent, RefundKind, RefundSource, RefundState, TicketingState,
};
use ticketbridge_core::product::{Confirmation, OverduePolicy};
use ticketbridge_core::{Actor, Command, Effect, Event, Millis, Notification};

use crate::support::*;

/// Where an order stands, in one line.
fn standing(order: &Order) -> String {
    let mut line = format!("{:?}", order.state);
    if let Some(reason) = order.cancel_reason {
        let _ = write!(line, " ({reason:?})");
    }
    if let Some(booking) = &order.booking {
        let t = &booking.ticketing;
        let _ = write!(line, ", booking {:?}, tickets {:?}", booking.state, t.state);
        if booking.is_on_hold() {
            line.push_str(", on hold");
        }
        if t.manual {
            line.push_str(" by hand");
        }
        if t.overdue {
            line.push_str(" overdue");
        }
        if t.handover != Handover::NotAsked {
            let _ = write!(line, ", handover {:?}", t.handover);
        }
    }
    let _ = write!(line, ", payment {:?}", order.payment());
    if let Some(case) = &order.refund_case {
        let _ = write!(line, ", refund {:?}", case.state);
        match case.intent {
            RefundIntent::ApproveOnceVoid if case.state == RefundState::UnderReview => line.push_str(" (once void)"),
            RefundIntent::WaitsForPerson if case.state == RefundState::UnderReview => line.push_str(" (a person)"),
            _ => {}
        }
    }
    if order.parked_redemption.is_some() {
        line.push_str(", a guest has entered");
    }
    if !order.attention.is_empty() {
        let flags: Vec<String> = order.attention.iter().map(|a| format!("{:?}", a.kind)).collect();
        let _ = write!(line, ", FLAGS {}", flags.join("+"));
    }
    line
}

fn effect_name(effect: &Effect) -> String {
    match effect {
        Effect::CallBackend { op, not_before, .. } => {
            format!("back-end: {}{}", op.name(), if not_before.is_some() { " later" } else { "" })
        }
        Effect::TellChannel { notification, .. } => format!("channel: {}", notification.name()),
        Effect::DecryptGuests => "channel: decrypt".to_owned(),
        Effect::CompareGuests { .. } => "channel: compare guests".to_owned(),
        Effect::ReadBack { .. } => "channel: read back".to_owned(),
        Effect::TellStock { .. } => "channel: stock".to_owned(),
        Effect::ArmDeadline { kind, .. } => format!("arm {}", kind.name()),
        Effect::DisarmDeadline { kind } => format!("disarm {}", kind.name()),
        Effect::TakeStock { key, .. } => format!("take {}", if key.date.is_some() { "date" } else { "voucher" }),
        Effect::ReturnStock { key, .. } => format!("return {}", if key.date.is_some() { "date" } else { "voucher" }),
    }
}

fn event_name(event: &Event) -> String {
    match event {
        Event::AttentionRaised { kind, .. } => format!("FLAG {kind:?}"),
        other => other.name().to_owned(),
    }
}

/// A named state, reached by what partners and people really say.
type State = (&'static str, Story);
/// What can be said, by whom, under a name.
type Saying = (String, Actor, Command);

fn with(mut story: Story, then: impl FnOnce(&mut Story) -> &mut Story) -> Story {
    then(&mut story);
    story
}

fn refused() -> TicketFacts {
    TicketFacts::Refused { reason: "sold out".into() }
}
fn unknown() -> TicketFacts {
    TicketFacts::Unknown { why: "timeout".into() }
}
fn kept(used: bool) -> TicketFacts {
    TicketFacts::CancelRefused { reason: if used { "used" } else { "closed" }.into(), used }
}

const BY_PEOPLE: Terms = Terms { refund_rule: false, ..VOUCHER };

/// The life of a sale and its booking.
fn life(terms: Terms) -> Vec<State> {
    let manual = Terms { confirm: Confirmation::Manual, ..terms };
    let mut states = vec![
        ("not paid", with(Story::new(), |s| s.tell(&channel(), &sale(terms, false)))),
        ("paid", Story::paid(terms)),
        ("booking waits for a manager", Story::booked(manual)),
        ("booking waits, tickets demanded", with(Story::booked(manual), |s| s.demanded())),
        (
            "booking rejected",
            with(Story::booked(manual), |s| s.tell(&ops(), &Command::RejectBooking { reason: "full".into() })),
        ),
        ("booked, tickets queued", Story::booked(terms)),
        ("booked, tickets demanded, answered \"not yet\"", with(Story::booked(terms), |s| s.deferred())),
        ("booked, tickets demanded", with(Story::booked(terms), |s| s.demanded())),
        (
            "booking cancelled by the channel",
            with(Story::ticketed_or_not(terms), |s| {
                let target = s.first();
                s.tell(&channel(), &Command::RecordCancellation(cancellation(target, s.now)))
            }),
        ),
        (
            "cancelled by ops",
            with(Story::booked(terms), |s| s.tell(&ops(), &Command::CancelOrder { reason: "storm".into() })),
        ),
        ("used", with(Story::ticketed_or_not(terms), |s| s.at(visit_noon()).guest_entered())),
        (
            "guest did not come",
            with(Story::ticketed_or_not(terms), |s| {
                s.at(visit_noon()).tell(&ops(), &Command::MarkNoShow { at: visit_noon() })
            }),
        ),
        ("guest entered too early", with(Story::ticketed_or_not(terms), |s| s.guest_entered())),
        (
            "refunded by the channel alone",
            with(Story::ticketed_or_not(terms), |s| {
                let target = s.first();
                s.tell(&channel(), &Command::RecordRefund(refund("F1", target, RefundScope::Order, s.now)))
            }),
        ),
        (
            "used, money back",
            with(Story::ticketed_or_not(terms), |s| {
                let target = s.first();
                s.at(visit_noon()).guest_entered();
                s.tell(&channel(), &Command::RecordRefund(refund("F1", target, RefundScope::MoneyOnly, s.now)))
            }),
        ),
    ];
    if terms.kind == VOUCHER.kind {
        states.push((
            "booked for the second time",
            with(Story::booked(terms), |s| {
                s.tell(&channel(), &Command::RecordCancellation(cancellation(FIRST, s.now)));
                s.tell(&channel(), &booking(SECOND))
            }),
        ));
    }
    states
}

/// The ways of the tickets of a confirmed booking.
fn tickets() -> Vec<State> {
    let booked = || Story::booked(BY_PEOPLE);
    let approved = || with(Story::ticketed(BY_PEOPLE), |s| s.applied("S1", RefundSource::CustomerService).approved());
    vec![
        ("being made", with(booked(), |s| s.facts(TicketFacts::Pending { backend_ref: None, look_after: None }))),
        ("unknown", with(booked(), |s| s.facts(unknown()))),
        (
            "unknown and given up",
            with(booked(), |s| s.facts(unknown()).facts(TicketFacts::GivenUp { why: "timeout".into() })),
        ),
        ("refused", with(booked(), |s| s.facts(refused()))),
        ("overdue", Story::overdue(BY_PEOPLE)),
        ("issued, not demanded", with(booked(), |s| s.facts(issued("T-1")))),
        ("issued, on their way to the channel", with(booked(), |s| s.demanded().facts(issued("T-1")))),
        ("with the channel", Story::ticketed(BY_PEOPLE)),
        (
            "went out in the answer",
            with(booked(), |s| {
                s.facts(issued("T-1"))
                    .demanded()
                    .tell(&channel(), &Command::AnswerTickets { target: FIRST.into(), with_tickets: true })
            }),
        ),
        (
            "refused by the channel",
            with(booked(), |s| {
                s.demanded().facts(issued("T-1"));
                s.reported(NotificationOutcome::Refused { code: "7".into(), why: "late".into() })
            }),
        ),
        (
            "made by hand",
            with(booked(), |s| s.facts(unknown()).tell(&ops(), &Command::SupplyTickets { tickets: ticket("H-1") })),
        ),
        ("void although the booking lives", with(Story::ticketed(BY_PEOPLE), |s| s.facts(TicketFacts::Cancelled))),
        ("being voided, refund taken back", with(approved(), |s| s.withdrawn())),
        (
            "cancelled, being voided",
            with(Story::ticketed(BY_PEOPLE), |s| {
                s.tell(&channel(), &Command::RecordCancellation(cancellation(FIRST, s.now)))
            }),
        ),
        (
            "cancelled, kept alive by the back-end",
            with(Story::ticketed(BY_PEOPLE), |s| {
                s.tell(&channel(), &Command::RecordCancellation(cancellation(FIRST, s.now))).facts(kept(false))
            }),
        ),
        (
            "cancelled, void",
            with(Story::ticketed(BY_PEOPLE), |s| {
                s.tell(&channel(), &Command::RecordCancellation(cancellation(FIRST, s.now)))
                    .facts(TicketFacts::Cancelled)
            }),
        ),
        ("guest entered without a known ticket", with(booked(), |s| s.guest_entered())),
    ]
}

/// Refund cases, in every stage.
fn refunds() -> Vec<State> {
    let asked = |source| with(Story::ticketed(BY_PEOPLE), |s| s.applied("S1", source));
    let approved = || with(asked(RefundSource::Guest), |s| s.approved());
    let reissue = Terms { overdue: OverduePolicy::Reissue, ..BY_PEOPLE };
    vec![
        ("not booked, approved", with(Story::paid(BY_PEOPLE), |s| s.applied("S1", RefundSource::Guest))),
        ("no tickets yet, a person decides", with(Story::booked(BY_PEOPLE), |s| s.applied("S1", RefundSource::Guest))),
        (
            "tickets late, a person decides",
            with(Story::overdue(BY_PEOPLE), |s| s.applied("S1", RefundSource::TicketsLate)),
        ),
        (
            "tickets late, policy waits for them",
            with(Story::overdue(reissue), |s| s.applied("S1", RefundSource::TicketsLate)),
        ),
        (
            "tickets late, our call under way",
            with(Story::overdue(BY_PEOPLE), |s| s.facts(issued("T-1")).applied("S1", RefundSource::TicketsLate)),
        ),
        (
            "tickets came under review",
            with(Story::overdue(BY_PEOPLE), |s| s.applied("S1", RefundSource::TicketsLate).facts(issued("T-1"))),
        ),
        (
            "tickets reissued",
            with(Story::overdue(reissue), |s| s.applied("S1", RefundSource::TicketsLate).facts(issued("T-1"))),
        ),
        ("ticketed, a person decides", asked(RefundSource::Guest)),
        ("guest entered under review", with(asked(RefundSource::Guest), |s| s.at(visit_noon()).guest_entered())),
        ("approved once void", approved()),
        ("approved once void, back-end at work", with(approved(), |s| s.facts(TicketFacts::CancelPending))),
        (
            "approved once void, back-end silent",
            with(approved(), |s| s.facts(TicketFacts::GivenUp { why: "timeout".into() })),
        ),
        ("approved once void, back-end refused", with(approved(), |s| s.facts(kept(false)))),
        ("approved once void, used meanwhile", with(approved(), |s| s.at(visit_noon()).facts(kept(true)))),
        ("approved", with(approved(), |s| s.facts(TicketFacts::Cancelled))),
        (
            "settled",
            with(approved(), |s| {
                s.facts(TicketFacts::Cancelled);
                s.tell(&channel(), &Command::RecordRefund(refund("S1", FIRST, RefundScope::Order, s.now)))
            }),
        ),
        ("rejected", with(asked(RefundSource::Guest), |s| s.rejected())),
        ("withdrawn", with(asked(RefundSource::Guest), |s| s.withdrawn())),
        (
            "review limit passed",
            with(asked(RefundSource::Guest), |s| {
                let due_at = s.case().review_by;
                s.at(due_at).tell(&Actor::timer(), &Command::PassDeadline { kind: DeadlineKind::Review, due_at })
            }),
        ),
        (
            "cancellation of the booking only, approved",
            with(Story::booked(BY_PEOPLE), |s| {
                let mut asked = application("S1", FIRST, RefundSource::Guest, s.now);
                asked.kind = RefundKind::CancelBooking;
                s.facts(refused()).tell(&channel(), &Command::ApplyRefund(asked)).approved()
            }),
        ),
    ]
}

/// Everything that can be said to `story`, each variant of a fact being a thing of its own.
fn sayings(story: &Story) -> Vec<Saying> {
    let order = story.order();
    let now = story.now;
    let target = order.booking.as_ref().map_or(SALE.to_owned(), |b| b.channel_booking_id.to_string());
    let mut all: Vec<Saying> = Vec::new();
    let mut add = |name: &str, actor: Actor, command: Command| all.push((name.to_owned(), actor, command));

    let terms = if order.kind == VOUCHER.kind { VOUCHER } else { DIRECT };
    add("place_order again", channel(), sale(terms, true));
    add("record_paid", channel(), Command::RecordPaid { at: now });
    for (name, kind, status) in [
        ("record_payments charge", EntryKind::Charge, EntryStatus::Done),
        ("record_payments refund pending", EntryKind::Refund, EntryStatus::Pending),
        ("record_payments refund failed", EntryKind::Refund, EntryStatus::Failed),
    ] {
        let entry = LedgerEntry { reference: "P9".to_owned(), kind, status, amount: PRICE, at: now };
        add(name, channel(), Command::RecordPayments { entries: vec![entry] });
    }
    add("request_booking again", channel(), booking(&target));
    add("request_booking anew", channel(), booking("R999"));
    for (name, command) in reserved::acts(story) {
        add(name, channel(), command);
    }
    add("confirm_booking", ops(), Command::ConfirmBooking);
    add("decline_booking", ops(), Command::RejectBooking { reason: "full".into() });
    add(
        "supply_guests",
        channel(),
        Command::SupplyGuests {
            buyer: order.buyer.clone(),
            visitors: order.booking.as_ref().map(|b| b.visitors.clone()).unwrap_or_default(),
            contact: None,
        },
    );
    add("request_tickets", channel(), demand(&target, now));
    for (name, with_tickets) in [("with tickets", true), ("with \"not yet\"", false)] {
        let target = target.as_str().into();
        add(&format!("answer_tickets: {name}"), channel(), Command::AnswerTickets { target, with_tickets });
    }
    if let Some(b) = &order.booking {
        for (name, facts) in [
            ("pending", TicketFacts::Pending { backend_ref: None, look_after: None }),
            ("issued", issued("T-1")),
            ("issued otherwise", issued("T-9")),
            ("refused", refused()),
            ("cancelled", TicketFacts::Cancelled),
            ("cancel pending", TicketFacts::CancelPending),
            ("cancel refused", kept(false)),
            ("cancel refused as used", kept(true)),
            ("used", TicketFacts::Redeemed { at: None }),
            ("another order's", TicketFacts::HeldByAnother { order: "ord_9".into(), what: Held::Code }),
            ("unknown", unknown()),
            ("given up", TicketFacts::GivenUp { why: "timeout".into() }),
        ] {
            let booking = b.id.clone();
            add(&format!("ticket facts: {name}"), gate(), Command::RecordTicketFacts { booking, facts });
        }
    }
    add("supply_tickets", ops(), Command::SupplyTickets { tickets: ticket("H-9") });
    for (name, actor, by) in [("gate", gate(), RedeemedBy::Gate), ("person", ops(), RedeemedBy::Person)] {
        let redeem = Redeem { booking: None, at: now, by, count: None };
        add(&format!("redeem by {name}"), actor, Command::Redeem(redeem));
    }
    add(
        "redeem by gate on the day",
        gate(),
        Command::Redeem(Redeem { booking: None, at: visit_noon(), by: RedeemedBy::Gate, count: None }),
    );
    add("mark_no_show", ops(), Command::MarkNoShow { at: now });
    for (name, source) in [
        ("guest", RefundSource::Guest),
        ("merchant", RefundSource::Merchant),
        ("customer service", RefundSource::CustomerService),
        ("tickets late", RefundSource::TicketsLate),
        ("expired", RefundSource::Expired),
        ("not accepted", RefundSource::NotAccepted),
    ] {
        add(&format!("apply_refund: {name}"), channel(), Command::ApplyRefund(application("S9", &target, source, now)));
    }
    let mut booking_only = application("S9", &target, RefundSource::Guest, now);
    booking_only.kind = RefundKind::CancelBooking;
    add("apply_refund: booking only", channel(), Command::ApplyRefund(booking_only));
    if let Some(case) = &order.refund_case {
        let id = || case.id.clone();
        let approve = |without_backend| Command::ApproveRefund { case: id(), fee: None, without_backend, reason: None };
        add("approve_refund", ops(), approve(false));
        add("approve_refund without back-end", ops(), approve(true));
        add("reject_refund", ops(), Command::RejectRefund { case: id(), reason: "no".into() });
        add("escalate_refund", Actor::policy(), Command::EscalateRefund { case: id(), reason: "why".into() });
        add("withdraw_refund", channel(), Command::WithdrawRefund { channel_ref: case.channel_ref.clone() });
    }
    for (name, scope) in
        [("order", RefundScope::Order), ("booking", RefundScope::Booking), ("money only", RefundScope::MoneyOnly)]
    {
        add(&format!("record_refund: {name}"), channel(), Command::RecordRefund(refund("F9", &target, scope, now)));
    }
    add("record_cancellation: booking", channel(), Command::RecordCancellation(cancellation(&target, now)));
    let mut unpaid = cancellation(SALE, now);
    unpaid.reason = CancelReason::NeverPaid;
    add("record_cancellation: sale", channel(), Command::RecordCancellation(unpaid));
    let refused = RecordRejection { target: target.as_str().into(), channel_ref: None, at: None };
    add("record_rejection", channel(), Command::RecordRejection(refused));
    add("cancel_order", ops(), Command::CancelOrder { reason: "storm".into() });
    add("erase_guests", ops(), Command::EraseGuests { reason: "age".into() });
    add("record_reveal", ops(), Command::RecordReveal { reason: "call".into() });
    if let Some(b) = &order.booking {
        let notification = || Notification::TicketsIssued { booking: b.id.clone() };
        for (name, outcome) in [
            ("acknowledged", NotificationOutcome::Acknowledged),
            ("refused", NotificationOutcome::Refused { code: "7".into(), why: "no".into() }),
            ("given up", NotificationOutcome::GivenUp { why: "timeout".into() }),
        ] {
            add(
                &format!("report of tickets {name}"),
                channel(),
                Command::RecordNotification { notification: notification(), outcome },
            );
        }
    }
    for kind in DeadlineKind::ALL {
        let due_at = match kind {
            DeadlineKind::Ticketing => order.booking.as_ref().and_then(|b| b.ticketing.deadline).unwrap_or(now),
            DeadlineKind::Review => order.refund_case.as_ref().map_or(now, |case| case.review_by),
            DeadlineKind::Acceptance => order
                .booking
                .as_ref()
                .filter(|booking| booking.is_on_hold())
                .and_then(|booking| booking.hold.as_ref())
                .map_or(now, |hold| hold.until),
            DeadlineKind::BookingWindow | DeadlineKind::VisitDay | DeadlineKind::PaymentLink => now,
        };
        add(&format!("deadline near: {}", kind.name()), Actor::timer(), Command::WarnDeadline { kind, due_at });
        add(&format!("deadline passed: {}", kind.name()), Actor::timer(), Command::PassDeadline { kind, due_at });
    }
    all
}

/// One pair: what happens.
fn answer(story: &Story, name: &str, actor: &Actor, command: &Command) -> String {
    let mut after = story.clone();
    if name.ends_with("on the day") {
        after.at(visit_noon());
    }
    after.later(Millis(1));
    let before = standing(story.order());
    match after.say(actor, command) {
        Err(rejection) => format!("REFUSED {}", rejection.why.code()),
        Ok(()) if after.is_quiet() => "nothing".to_owned(),
        Ok(()) => {
            let events: Vec<String> = after.events.iter().map(render::event).collect();
            let effects: Vec<String> = after.effects.iter().map(|effect| render::effect(effect, after.now)).collect();
            let mut line = events.join(", ");
            if !effects.is_empty() {
                let _ = write!(line, " | {}", effects.join(", "));
            }
            let stands = standing(after.order());
            if stands != before {
                let _ = write!(line, "\n        => {stands}");
            }
            line
        }
    }
}

fn table(states: Vec<State>) -> String {
    let mut text = String::new();
    for (name, story) in states {
        let _ = writeln!(text, "## {name}\n   {}\n", standing(story.order()));
        for (saying, actor, command) in sayings(&story) {
            let _ = writeln!(text, "    {saying}: {}", answer(&story, &saying, &actor, &command));
        }
        text.push('\n');
    }
    text
}

#[test]
fn the_life_of_a_voucher() {
    insta::assert_snapshot!("voucher", table(life(VOUCHER)));
}

#[test]
fn the_life_of_a_voucher_without_tickets() {
    insta::assert_snapshot!("voucher_without_tickets", table(life(Terms { tickets: false, ..VOUCHER })));
}

#[test]
fn the_life_of_a_direct_order() {
    insta::assert_snapshot!("direct", table(life(DIRECT)));
}

#[test]
fn the_life_of_a_reservation() {
    insta::assert_snapshot!("reserved", table(reserved::states()));
}

#[test]
fn the_ways_of_tickets() {
    insta::assert_snapshot!("tickets", table(tickets()));
}

#[test]
fn the_stages_of_refunds() {
    insta::assert_snapshot!("refunds", table(refunds()));
}

/// The tables leave no state of any axis out.
#[test]
fn the_tables_show_every_state() {
    let mut all: Vec<State> = life(VOUCHER);
    all.extend(life(DIRECT));
    all.extend(life(Terms { tickets: false, ..VOUCHER }));
    all.extend(tickets());
    all.extend(refunds());
    all.extend(reserved::states());
    let shown = |name: &str| all.iter().any(|(_, story)| standing(story.order()).contains(name));
    for state in ["Placed", "AwaitingBooking", "Booked", "Completed", "Cancelled"] {
        assert!(all.iter().any(|(_, s)| format!("{:?}", s.order().state) == state), "order {state}");
    }
    for state in ["Requested", "Confirmed", "Used", "NoShow", "Rejected", "Cancelled"] {
        assert!(shown(&format!("booking {state}")), "booking {state}");
    }
    for state in [
        TicketingState::NotNeeded,
        TicketingState::Queued,
        TicketingState::Requested,
        TicketingState::Issued,
        TicketingState::Unknown,
        TicketingState::Failed,
        TicketingState::Cancelling,
        TicketingState::Cancelled,
        TicketingState::CancelRefused,
    ] {
        assert!(shown(&format!("tickets {state:?}")), "tickets {state:?}");
    }
    for state in ["UnderReview", "Approved", "Settled", "Rejected", "Withdrawn"] {
        assert!(shown(&format!("refund {state}")), "refund {state}");
    }
    for state in ["Asked", "Owed", "InAnswer", "Acknowledged", "Refused", "Reissued"] {
        assert!(shown(&format!("handover {state}")), "handover {state}");
    }
}
