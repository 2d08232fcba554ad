// SPDX-License-Identifier: Apache-2.0

//! Everything that can be said to an order of such a platform, and to one of another: by the platform, in answer to our calls, by people, by
//! the back-end, the gate and the clock.

use ticketbridge_core::message::{
    DeadlineKind, GateCount, Held, Keeps, NotificationOutcome, RecordRejection, Redeem, RedeemedBy, RefundScope,
    TicketFacts,
};
use ticketbridge_core::order::channel_state::{LinkState, Stage};
use ticketbridge_core::order::money::{EntryKind, EntryStatus, LedgerEntry};
use ticketbridge_core::order::{AttentionKind, CancelReason, Order, RefundKind, RefundSource};
use ticketbridge_core::{Actor, Command, Millis, Notification};

use super::Saying;
use super::states::{approve, ask_cancellation, give_back, made, send_link};
use crate::platform::{NET, Platform, link_news, return_news, told};
use crate::support::*;
use crate::tale::{Tale, platform};

/// Each way in which a call to the channel can end.
pub(super) fn outcomes() -> [(&'static str, NotificationOutcome); 8] {
    let why = || "timeout".into();
    [
        ("acknowledged", NotificationOutcome::Acknowledged),
        ("refused", NotificationOutcome::Refused { code: "7".into(), why: "no".into() }),
        ("given up", NotificationOutcome::GivenUp { why: why() }),
        ("left to a person", NotificationOutcome::LeftToPerson { what: "do it there".into() }),
        ("overtaken", NotificationOutcome::Overtaken),
        ("dropped", NotificationOutcome::Dropped),
        ("taken", NotificationOutcome::Taken { told: None }),
        ("repeated", NotificationOutcome::Repeated),
    ]
}

/// Each notification: as it was last to be told, or made up where it never was.
pub(super) fn notifications(story: &Story) -> Vec<Notification> {
    let order = story.order();
    let booking = || order.booking.as_ref().map_or_else(|| "bkg_none".into(), |b| b.id.clone());
    let case = || order.refund_case.as_ref().map_or_else(|| "rfc_none".into(), |c| c.id.clone());
    let (at, reason) = (story.now, || "storm".into());
    let all = vec![
        Notification::BookingConfirmed { booking: booking() },
        Notification::BookingRejected { booking: booking(), reason: "full".into() },
        Notification::TicketsIssued { booking: booking() },
        Notification::RefundApproved { case: case(), fee: 0 },
        Notification::RefundRejected { case: case(), reason: reason(), reissue: false },
        Notification::Redeemed { booking: booking(), at },
        Notification::NoShow { booking: booking(), at },
        Notification::OrderCancelled { reason: reason() },
        Notification::CancelQuote,
        Notification::Cancellation { fee: 0, rate_bp: 0, refund: NET, reason: reason() },
        Notification::PaymentReturn {
            reference: "wanted:pay_1:none".to_owned(),
            payment: "pay_1".to_owned(),
            amount: 1_000,
            left: 2_000,
            reason: reason(),
        },
        Notification::PaymentLink { key: "lnk_none".to_owned() },
        Notification::LinkRevoked { id: "L1".to_owned() },
        Notification::GuestMessage { text: "a storm is coming".into() },
        Notification::HandOver,
    ];
    all.into_iter().map(|made_up| story.last_said(made_up.name()).cloned().unwrap_or(made_up)).collect()
}

/// How calls end, whatever they were.
pub(super) fn endings_of_calls(story: &Story) -> Vec<Saying> {
    let mut all = Vec::new();
    for notification in notifications(story) {
        for (word, outcome) in outcomes() {
            let name = format!("{} {word}", notification.name());
            all.push((name, platform(), Command::RecordNotification { notification: notification.clone(), outcome }));
        }
    }
    all
}

/// What the platform tells: each change, each repeat, each contradiction.
pub(super) fn told_by_platform(tale: &Tale) -> Vec<Saying> {
    let mut all: Vec<Saying> = Vec::new();
    let mut add = |name: &str, command: Command| all.push((name.to_owned(), platform(), command));
    let there = || Platform { at: tale.now, ..tale.there.clone() };
    let after = |change: &dyn Fn(&mut Platform)| {
        let mut platform = there();
        change(&mut platform);
        platform
    };
    add("the same again", told(tale.there.snapshot()));
    add("the same in answer to a question", told(tale.there.answer()));
    for (name, stage) in [
        ("requested", Stage::Requested),
        ("confirmed", Stage::Confirmed),
        ("the guest wants out", Stage::CancelRequested { confirmed: false }),
        ("the guest wants out of what was confirmed", Stage::CancelRequested { confirmed: true }),
        ("used", Stage::Used),
        ("no show", Stage::NoShow),
    ] {
        add(name, told(after(&|p| p.reach(stage)).snapshot()));
    }
    for (name, stage, reason, fee, status) in [
        ("rejected", Stage::Rejected, CancelReason::Rejected, 0, EntryStatus::Done),
        ("cancelled, all back", Stage::Cancelled, CancelReason::ByChannel, 0, EntryStatus::Done),
        ("cancelled for a fee", Stage::Cancelled, CancelReason::RefundedBeforeUse, 9_000, EntryStatus::Pending),
        ("cancelled, all kept", Stage::Cancelled, CancelReason::Expired, NET, EntryStatus::Done),
    ] {
        add(name, told(after(&|p| p.cancel(stage, reason, fee, status)).snapshot()));
    }
    add("cancelled, no movement told", told(after(&|p| p.cancel_untold(CancelReason::ByOps, 9_000)).snapshot()));
    let mut ex_officio = after(&|p| p.cancel(Stage::Cancelled, CancelReason::ByOps, 0, EntryStatus::Done));
    if let Some(off) = &mut ex_officio.off {
        off.ex_officio = true;
    }
    add("cancelled against the rules", told(ex_officio.snapshot()));
    add("a unit cancelled", told(after(&|p| p.part_off(0, 1)).snapshot()));
    add(
        "a unit used",
        told(
            after(&|p| {
                if let Some(units) = p.units.last_mut() {
                    units.used += 1;
                }
                p.changed();
            })
            .snapshot(),
        ),
    );
    add("more was paid", told(after(&|p| p.pay(1_000, None)).snapshot()));
    add("the balance was paid by link", told(after(&|p| p.pay(60_000, Some("L1"))).snapshot()));
    if !tale.there.payments.is_empty() {
        for (name, status) in
            [("pending", EntryStatus::Pending), ("done", EntryStatus::Done), ("failed", EntryStatus::Failed)]
        {
            let back = after(&|p| p.give_back(0, 7_000, status));
            add(&format!("a return of 7,000 {name}"), told(back.snapshot()));
            let mut late = back.clone();
            late.revision = tale.there.revision;
            late.at = tale.there.at;
            add(&format!("late: a return of 7,000 {name}"), told(late.snapshot()));
            add(&format!("returns are all {name}"), told(after(&|p| p.settle(status)).snapshot()));
        }
        let mut other = there();
        other.payments[0].amount += 1;
        add("a payment with another amount", told(other.snapshot()));
        let reference = tale.there.payments.iter().flat_map(|p| &p.backs).next().map_or("cx_0", |back| &back.id);
        for (name, status) in [("done", EntryStatus::Done), ("failed", EntryStatus::Failed)] {
            let told_so = return_news(after(&Platform::changed).snapshot(), reference, status);
            add(&format!("news of a return by number: {name}"), told(told_so));
        }
    }
    let mut old = there();
    old.revision = old.revision.saturating_sub(1);
    old.at = old.at - Millis::hours(1);
    old.stage = Stage::Requested;
    add("late: an old request", told(old.snapshot()));
    old.pay(3_000, None);
    old.revision = tale.there.revision.saturating_sub(1);
    old.at = tale.there.at - Millis::hours(1);
    add("late: an old request with money that is new", told(old.snapshot()));
    add(
        "a gap, and confirmed",
        told(
            after(&|p| {
                p.revision += 5;
                p.reach(Stage::Confirmed);
            })
            .snapshot(),
        ),
    );
    add(
        "moved to another day",
        told(
            after(&|p| {
                p.visit = visit_date().plus_days(1);
                p.changed();
            })
            .snapshot(),
        ),
    );
    add(
        "the price fell",
        told(
            after(&|p| {
                p.due -= 20_000;
                p.changed();
            })
            .snapshot(),
        ),
    );
    add(
        "another phone",
        told(
            after(&|p| {
                p.phone = "010-0000-0009";
                p.changed();
            })
            .snapshot(),
        ),
    );
    add(
        "another way of paying",
        told(
            after(&|p| {
                p.pays_by = Some("FULL");
                p.changed();
            })
            .snapshot(),
        ),
    );
    add(
        "another number of the agency's",
        told(
            after(&|p| {
                p.agency_number = Some("YB-2");
                p.changed();
            })
            .snapshot(),
        ),
    );
    for (name, state) in [
        ("opened", LinkState::Live),
        ("paid", LinkState::Paid),
        ("expired", LinkState::Expired),
        ("revoked", LinkState::Revoked),
    ] {
        add(&format!("link L1 {name}"), told(link_news(after(&Platform::changed).snapshot(), "L1", state)));
    }
    let mut doubtful = after(&Platform::changed).snapshot();
    doubtful.doubts.push("it does not add up".to_owned());
    add("with a doubt", told(doubtful));
    let mut unasked = after(&|p| p.cancel_untold(CancelReason::ByChannel, 0));
    unasked.revision = 0;
    unasked.at = tale.now;
    add("uncounted: cancelled", told(unasked.snapshot()));
    add("uncounted, in answer: cancelled", told(unasked.answer()));
    unasked.at = tale.there.at - Millis::hours(1);
    add("uncounted and older: cancelled", told(unasked.snapshot()));
    all
}

/// What answers to our calls bring, beside the end of the call.
pub(super) fn answered(tale: &Tale) -> Vec<Saying> {
    let mut all: Vec<Saying> = Vec::new();
    for notification in notifications(tale) {
        all.push((format!("agreed: {}", notification.name()), platform(), Command::RecordAgreement { notification }));
    }
    for (name, fee, refund) in [
        ("nothing kept", 0, None),
        ("9,000 kept", 9_000, None),
        ("2,700 kept of 27,000", 2_700, Some(24_300)),
        ("more kept than is there", 10 * NET, Some(0)),
        ("less than nothing", -5, Some(-5)),
    ] {
        all.push((format!("quoted: {name}"), platform(), Command::RecordQuote { fee: Some(fee), refund }));
    }
    all.push(("a link is made".to_owned(), platform(), made(tale, "L7")));
    all.push(("the agency's number".to_owned(), platform(), Command::RecordPartnerNumber { number: "YB-1".into() }));
    all
}

/// What people of ours do.
pub(super) fn people(tale: &Tale) -> Vec<Saying> {
    let now = tale.now;
    let mut all = people_of_any(tale);
    let mut add = |name: &str, command: Command| all.push((name.to_owned(), ops(), command));
    for (name, fee, parts) in [
        ("all, the channel's fee", None, &[][..]),
        ("all, for nothing", Some(0), &[]),
        ("all, for 9,000", Some(9_000), &[]),
        ("all, for everything", Some(NET), &[]),
        ("all, for less than nothing", Some(-1), &[]),
        ("one of D1", None, &[("D1", 1)]),
        ("one of D1, for 3,000", Some(3_000), &[("D1", 1)]),
        ("one of D1, for 30,000", Some(30_000), &[("D1", 1)]),
        ("all by name", None, &[("D1", 2), ("D2", 1)]),
        ("three of D1", None, &[("D1", 3)]),
        ("none of D1", None, &[("D1", 0)]),
        ("D1 twice", None, &[("D1", 1), ("D1", 1)]),
        ("a line that is not there", None, &[("D9", 1)]),
    ] {
        add(&format!("ask_cancellation: {name}"), ask_cancellation(fee, parts));
    }
    for (name, amount) in [
        ("all", None),
        ("1,000", Some(1_000)),
        ("15,000", Some(15_000)),
        ("20,000", Some(20_000)),
        ("all and 1 more", Some(NET + 1)),
        ("nothing", Some(0)),
        ("less than nothing", Some(-1)),
    ] {
        add(&format!("return_payments: {name}"), give_back(amount));
    }
    for (name, amount) in [
        ("what is next", None),
        ("20,000", Some(20_000)),
        ("60,000", Some(60_000)),
        ("60,001", Some(60_001)),
        ("nothing", Some(0)),
    ] {
        let send = send_link(tale, amount);
        add(&format!("send_payment_link: {name}"), send);
    }
    add("send_payment_link: over already", Command::SendPaymentLink { amount: None, expires_at: now });
    add("revoke_payment_link", Command::RevokePaymentLink);
    all
}

/// What people do with any order.
fn people_of_any(tale: &Tale) -> Vec<Saying> {
    let order = tale.order();
    let mut all: Vec<Saying> = Vec::new();
    let mut add = |name: &str, command: Command| all.push((name.to_owned(), ops(), command));
    add("confirm_booking", Command::ConfirmBooking);
    add("decline_booking", Command::RejectBooking { reason: "full".into() });
    add("supply_tickets", Command::SupplyTickets { tickets: ticket("H-9") });
    add(
        "redeem by person",
        Command::Redeem(Redeem { booking: None, at: tale.now, by: RedeemedBy::Person, count: None }),
    );
    add("mark_no_show", Command::MarkNoShow { at: tale.now });
    add("cancel_order", Command::CancelOrder { reason: "storm".into() });
    add("erase_guests", Command::EraseGuests { reason: "age".into() });
    add("record_reveal", Command::RecordReveal { reason: "call".into() });
    if let Some(case) = &order.refund_case {
        let id = || case.id.clone();
        add("approve_refund, no fee named", approve(tale, None, false));
        for (name, fee) in [("nothing", 0), ("5,000", 5_000), ("all", NET), ("less than nothing", -1)] {
            add(&format!("approve_refund for {name}"), approve(tale, Some(fee), false));
        }
        add("approve_refund without back-end", approve(tale, Some(0), true));
        add("reject_refund", Command::RejectRefund { case: id(), reason: "no".into() });
        add("escalate_refund", Command::EscalateRefund { case: id(), reason: "why".into() });
    }
    all
}

/// The back-end, the gate, and the clock.
pub(super) fn outside(tale: &Tale) -> Vec<Saying> {
    let (order, now) = (tale.order(), tale.now);
    let mut all: Vec<Saying> = Vec::new();
    let mut add = |name: String, actor: Actor, command: Command| all.push((name, actor, command));
    if let Some(b) = &order.booking {
        let reason = || "closed".into();
        let why = || "timeout".into();
        for (name, facts) in [
            ("pending", TicketFacts::Pending { backend_ref: Some("B-1".into()), look_after: None }),
            ("issued", issued("T-1")),
            ("issued otherwise", issued("T-9")),
            ("refused", TicketFacts::Refused { reason: "sold out".into() }),
            ("refused: no room", TicketFacts::Refused { reason: "no_capacity: no".into() }),
            ("refused: rejected", TicketFacts::Refused { reason: "rejected: no".into() }),
            ("refused: a test", TicketFacts::Refused { reason: "test_mode: no".into() }),
            ("refused: another quantity", TicketFacts::Refused { reason: "quantity_differs: no".into() }),
            ("refused: an unknown status", TicketFacts::Refused { reason: "unknown_status: no".into() }),
            ("cancelled", TicketFacts::Cancelled),
            ("cancelled, and the price kept", TicketFacts::CancelledKeeping { keeps: Keeps::All }),
            ("cancel pending", TicketFacts::CancelPending),
            ("cancel refused", TicketFacts::CancelRefused { reason: reason(), used: false }),
            ("cancel refused as used", TicketFacts::CancelRefused { reason: reason(), used: true }),
            ("used", TicketFacts::Redeemed { at: None }),
            ("another order's", TicketFacts::HeldByAnother { order: "ord_9".into(), what: Held::Code }),
            ("unknown", TicketFacts::Unknown { why: why() }),
            ("given up", TicketFacts::GivenUp { why: why() }),
        ] {
            let booking = b.id.clone();
            add(format!("ticket facts: {name}"), gate(), Command::RecordTicketFacts { booking, facts });
        }
    }
    let astray = Command::RecordAstray { partner: "gate".to_owned(), why: "another number".into() };
    add("record_astray".to_owned(), gate(), astray);
    let redeem = |at, guests: Option<u32>| {
        let count = guests.map(|guests| GateCount { code: None, guests: Some(guests) });
        Command::Redeem(Redeem { booking: None, at, by: RedeemedBy::Gate, count })
    };
    add("redeem by gate".to_owned(), gate(), redeem(now, None));
    add("redeem by gate on the day".to_owned(), gate(), redeem(visit_noon(), None));
    add("redeem one guest by gate".to_owned(), gate(), redeem(now, Some(1)));
    add("redeem one guest by gate on the day".to_owned(), gate(), redeem(visit_noon(), Some(1)));
    for kind in DeadlineKind::ALL {
        let due_at = match kind {
            DeadlineKind::Ticketing => order.booking.as_ref().and_then(|b| b.ticketing.deadline).unwrap_or(now),
            DeadlineKind::Review => order.refund_case.as_ref().map_or(now, |case| case.review_by),
            DeadlineKind::PaymentLink => {
                let links = order.channel_state.iter().flat_map(|state| &state.links);
                links.filter(|link| link.is_live()).map(|link| link.expires_at).next().unwrap_or(now)
            }
            DeadlineKind::Acceptance | DeadlineKind::BookingWindow | DeadlineKind::VisitDay => now,
        };
        add(format!("deadline near: {}", kind.name()), Actor::timer(), Command::WarnDeadline { kind, due_at });
        add(format!("deadline passed: {}", kind.name()), Actor::timer(), Command::PassDeadline { kind, due_at });
    }
    all
}

/// What only channels of the other kind say, said all the same.
pub(super) fn foreign(tale: &Tale) -> Vec<Saying> {
    let (order, now) = (tale.order(), tale.now);
    let target = order.channel_order_id.as_str();
    let mut all: Vec<Saying> = Vec::new();
    let mut add = |name: &str, command: Command| all.push((name.to_owned(), platform(), command));
    add("place_order again", crate::platform::stub(&tale.there));
    add("record_paid", Command::RecordPaid { at: now });
    for (name, kind, status) in [
        ("charge", EntryKind::Charge, EntryStatus::Done),
        ("refund pending", EntryKind::Refund, EntryStatus::Pending),
        ("refund failed", EntryKind::Refund, EntryStatus::Failed),
    ] {
        let entry = LedgerEntry { reference: "P9".to_owned(), kind, status, amount: 1_000, at: now };
        add(&format!("record_payments {name}"), Command::RecordPayments { entries: vec![entry] });
    }
    add("request_booking", booking("R999"));
    add("supply_guests", supply(order));
    add("request_tickets", demand(target, now));
    add("answer_tickets", Command::AnswerTickets { target: target.into(), with_tickets: true });
    add("apply_refund", Command::ApplyRefund(application("S9", target, RefundSource::Guest, now)));
    let mut booking_only = application("S9", target, RefundSource::Guest, now);
    booking_only.kind = RefundKind::CancelBooking;
    add("apply_refund: booking only", Command::ApplyRefund(booking_only));
    add("withdraw_refund", Command::WithdrawRefund { channel_ref: withdrawn(order) });
    for (name, scope) in
        [("order", RefundScope::Order), ("booking", RefundScope::Booking), ("money only", RefundScope::MoneyOnly)]
    {
        let mut told = refund("F9", target, scope, now);
        told.amount = told.amount.map(|_| 1_000);
        add(&format!("record_refund: {name}"), Command::RecordRefund(told));
    }
    add("record_cancellation", Command::RecordCancellation(cancellation(target, now)));
    let refused = RecordRejection { target: target.into(), channel_ref: None, at: None };
    add("record_rejection", Command::RecordRejection(refused));
    add("record_doubt", Command::RecordDoubt { sentence: "said otherwise before".into(), unread: false });
    add("record_late", Command::RecordLate { call: "create-order".to_owned(), by: Millis::minutes(20) });
    all
}

fn withdrawn(order: &Order) -> String {
    order.refund_case.as_ref().map_or_else(|| "S9".to_owned(), |case| case.channel_ref.clone())
}

fn supply(order: &Order) -> Command {
    Command::SupplyGuests {
        buyer: order.buyer.clone(),
        visitors: order.booking.as_ref().map(|b| b.visitors.clone()).unwrap_or_default(),
        contact: None,
    }
}

/// What only platforms of whole orders say or have, said to an order of another channel.
pub(super) fn of_whole_orders(story: &Story) -> Vec<Saying> {
    let expires_at = story.now + Millis::hours(24);
    let person = |name: &str, command: Command| (name.to_owned(), ops(), command);
    let channel = |name: &str, command: Command| (name.to_owned(), platform(), command);
    vec![
        person("ask_cancellation", ask_cancellation(None, &[])),
        person("return_payments", give_back(None)),
        person("send_payment_link", Command::SendPaymentLink { amount: None, expires_at }),
        person("revoke_payment_link", Command::RevokePaymentLink),
        person(
            "settle_attention",
            Command::SettleAttention { kind: AttentionKind::Contradiction, reason: "asked the channel".into() },
        ),
        channel("record_agreement", Command::RecordAgreement { notification: Notification::CancelQuote }),
        channel("record_quote", Command::RecordQuote { fee: Some(0), refund: None }),
        channel(
            "record_payment_link",
            Command::RecordPaymentLink { key: "lnk_none".to_owned(), id: "L1".to_owned(), url: None },
        ),
        channel("record_doubt", Command::RecordDoubt { sentence: "said otherwise before".into(), unread: false }),
        channel("record_late", Command::RecordLate { call: "reservation".to_owned(), by: Millis::hours(2) }),
        channel("record_partner_number", Command::RecordPartnerNumber { number: "YB-1".into() }),
    ]
}
