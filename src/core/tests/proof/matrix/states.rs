// SPDX-License-Identifier: Apache-2.0

//! Where an order of a platform that tells its orders whole can stand, each place reached by what is really said.

use ticketbridge_core::message::{DeadlineKind, NotificationOutcome, TicketFacts};
use ticketbridge_core::order::CancelReason;
use ticketbridge_core::order::channel_state::{LinkState, Stage};
use ticketbridge_core::order::money::{EntryStatus, PaymentMode};
use ticketbridge_core::{Actor, Command, Millis};

use crate::platform::*;
use crate::support::*;
use crate::tale::{Tale, no, platform};

/// A named state.
pub(super) type Place = (&'static str, Tale);

fn with(mut tale: Tale, then: impl FnOnce(&mut Tale)) -> Tale {
    then(&mut tale);
    tale
}

/// That was all.
fn done<T>(_: &mut T) {}

fn sold_out() -> TicketFacts {
    TicketFacts::Refused { reason: "sold out".into() }
}
fn kept(used: bool) -> TicketFacts {
    TicketFacts::CancelRefused { reason: "closed".into(), used }
}
fn reject() -> Command {
    Command::RejectBooking { reason: "full".into() }
}
/// A person cancels the order, or parts of it.
pub(super) fn ask_cancellation(fee: Option<i64>, parts: &[(&str, u32)]) -> Command {
    let parts = parts.iter().map(|(line, units)| ((*line).to_owned(), *units)).collect();
    Command::AskCancellation { fee, reason: "storm".into(), parts, notify_text: None }
}
/// A person returns money.
pub(super) fn give_back(amount: Option<i64>) -> Command {
    Command::ReturnPayments { amount, reason: "goodwill".into() }
}
/// A person sends a link that is good for a day.
pub(super) fn send_link(tale: &Tale, amount: Option<i64>) -> Command {
    Command::SendPaymentLink { amount, expires_at: tale.now + Millis::hours(24) }
}
/// The platform has made the link that was asked for last.
pub(super) fn made(tale: &Tale, id: &str) -> Command {
    let links = tale.order().channel_state.as_deref().map(|m| m.links.as_slice()).unwrap_or_default();
    let key = links.last().map_or("none", |link| link.key.as_str()).to_owned();
    Command::RecordPaymentLink { key, id: id.to_owned(), url: Some(format!("https://pay.example/{id}")) }
}

/// Confirmed, with tickets where there are any.
fn confirmed(terms: Whole) -> Tale {
    let mut tale = Tale::paid(Whole { asks_us: false, auto: true, ..terms });
    if terms.tickets {
        tale.facts(issued("T-1"));
    }
    tale
}
fn used(terms: Whole) -> Tale {
    with(confirmed(terms), |t| {
        t.at(visit_noon()).guest_entered();
        t.took("redeemed").tells(|p| p.reach(Stage::Used));
    })
}
fn quoted(parts: &[(&str, u32)]) -> Tale {
    with(confirmed(INSTANT), |t| {
        t.later(Millis::hours(2));
        let (fee, refund) = if parts.is_empty() { (9_000, Some(81_000)) } else { (2_700, Some(24_300)) };
        t.ops(&ask_cancellation(None, parts)).tell(&platform(), &Command::RecordQuote { fee: Some(fee), refund });
    })
}
fn off(t: &mut Tale, fee: i64, backs: EntryStatus) -> &mut Tale {
    t.tells(|p| p.cancel(Stage::Cancelled, CancelReason::RefundedBeforeUse, fee, backs))
}

/// Bookings that are ours to decide.
pub(super) fn decisions() -> Vec<Place> {
    let auto = Whole { auto: true, ..MANAGED };
    let bare = Whole { tickets: false, ..MANAGED };
    let accepting = || with(Tale::paid(MANAGED), |t| done(t.ops(&Command::ConfirmBooking)));
    vec![
        ("waits for a manager", Tale::paid(MANAGED)),
        ("waits for a manager, not for sale", Tale::not_for_sale(MANAGED, "closed")),
        ("is to be accepted, tickets asked for", accepting()),
        (
            "is to be accepted, tickets unknown",
            with(accepting(), |t| {
                t.facts(TicketFacts::Unknown { why: "timeout".into() });
            }),
        ),
        ("is to be accepted, tickets held", with(accepting(), |t| done(t.facts(issued("T-1"))))),
        ("is to be accepted, no tickets needed", with(Tale::paid(bare), |t| done(t.ops(&Command::ConfirmBooking)))),
        ("policy rejects what is not for sale", Tale::not_for_sale(auto, "closed")),
        ("policy rejects what the back-end refused", with(Tale::paid(auto), |t| done(t.facts(sold_out())))),
        ("is to be rejected", with(Tale::paid(MANAGED), |t| done(t.ops(&reject())))),
        (
            "the platform refused to accept",
            with(accepting(), |t| {
                t.facts(issued("T-1"));
                t.ended("booking_accepted", no());
            }),
        ),
        (
            "the platform has no call to reject",
            with(Tale::paid(MANAGED), |t| {
                let what = "reject the booking".into();
                t.ops(&reject()).ended("booking_declined", NotificationOutcome::LeftToPerson { what });
            }),
        ),
        (
            "rejected",
            with(Tale::paid(MANAGED), |t| {
                t.ops(&reject()).tells(|p| p.cancel(Stage::Rejected, CancelReason::Rejected, 0, EntryStatus::Done));
            }),
        ),
        (
            "cancelled while it was to be accepted",
            with(accepting(), |t| {
                t.facts(issued("T-1"));
                off(t, 0, EntryStatus::Done);
            }),
        ),
        (
            "nobody decided in time",
            with(Tale::paid(MANAGED), |t| {
                let due_at = t.later(Millis::minutes(30)).now;
                t.tell(&Actor::timer(), &Command::PassDeadline { kind: DeadlineKind::Acceptance, due_at });
            }),
        ),
    ]
}

/// Bookings that are confirmed, and their use.
pub(super) fn visits() -> Vec<Place> {
    let bare = Whole { tickets: false, ..INSTANT };
    vec![
        ("confirmed, tickets asked for", Tale::paid(INSTANT)),
        ("confirmed, ticketed", confirmed(INSTANT)),
        ("confirmed, no tickets needed", Tale::paid(bare)),
        ("confirmed although not for sale", Tale::not_for_sale(INSTANT, "closed")),
        (
            "confirmed, back-end refused, to be cancelled by policy",
            with(Tale::paid(INSTANT), |t| {
                t.facts(sold_out());
            }),
        ),
        (
            "confirmed, back-end refused, platform has no call for it",
            with(Tale::paid(INSTANT), |t| {
                t.facts(sold_out());
                t.ended("cancel_quote", NotificationOutcome::LeftToPerson { what: "cancel the booking".into() });
            }),
        ),
        (
            "a part was cancelled",
            with(confirmed(INSTANT), |t| {
                t.tells(|p| {
                    p.part_off(0, 1);
                    p.give_back(0, 27_000, EntryStatus::Done);
                });
            }),
        ),
        (
            "a part was used",
            with(confirmed(INSTANT), |t| {
                t.at(visit_noon());
                t.tells(|p| {
                    p.units[0].used = 2;
                    p.changed();
                });
            }),
        ),
        ("a guest entered too early", with(confirmed(INSTANT), |t| done(t.guest_entered()))),
        ("used, to be reported", with(confirmed(INSTANT), |t| done(t.at(visit_noon()).guest_entered()))),
        ("used", used(INSTANT)),
        (
            "the guest did not come",
            with(confirmed(INSTANT), |t| {
                t.at(visit_noon()).tell(&ops(), &Command::MarkNoShow { at: visit_noon() });
            }),
        ),
        (
            "the platform says that the guest did not come",
            with(confirmed(INSTANT), |t| {
                t.at(visit_noon());
                t.tells(|p| p.reach(Stage::NoShow));
            }),
        ),
        (
            "cancelled because nobody came",
            with(confirmed(INSTANT), |t| {
                t.tells(|p| p.cancel(Stage::Cancelled, CancelReason::Expired, 0, EntryStatus::Done));
            }),
        ),
        (
            "used, cancelled against the rules",
            with(used(INSTANT), |t| {
                t.tells(|p| {
                    p.cancel(Stage::Cancelled, CancelReason::ByOps, 0, EntryStatus::Done);
                    if let Some(off) = &mut p.off {
                        off.ex_officio = true;
                    }
                });
            }),
        ),
        (
            "a guest entered, then it was cancelled",
            with(confirmed(INSTANT), |t| {
                t.guest_entered();
                off(t, 0, EntryStatus::Done);
            }),
        ),
    ]
}

/// Cancelling, by us or by others.
pub(super) fn endings() -> Vec<Place> {
    vec![
        ("a quote is asked for", with(confirmed(INSTANT), |t| done(t.ops(&ask_cancellation(None, &[]))))),
        ("quoted, to be cancelled", quoted(&[])),
        ("quoted, a part to be cancelled", quoted(&[("D1", 1)])),
        (
            "cancelled by us, agreed without a snapshot",
            with(quoted(&[]), |t| {
                let notification = t.said("cancel_wanted");
                t.tell(&platform(), &Command::RecordAgreement { notification });
                t.took("cancel_wanted");
            }),
        ),
        ("the platform refused to cancel it", with(quoted(&[]), |t| done(t.ended("cancel_wanted", no())))),
        ("cancelled, money on its way", with(confirmed(INSTANT), |t| done(off(t, 9_000, EntryStatus::Pending)))),
        (
            "cancelled, no movement told",
            with(confirmed(INSTANT), |t| {
                t.tells(|p| p.cancel_untold(CancelReason::RefundedBeforeUse, 9_000));
            }),
        ),
        ("cancelled, money back", with(confirmed(INSTANT), |t| done(off(t, 9_000, EntryStatus::Done)))),
        (
            "cancelled, money did not go back",
            with(confirmed(INSTANT), |t| {
                off(t, 9_000, EntryStatus::Pending).tells(|p| p.settle(EntryStatus::Failed));
            }),
        ),
        ("cancelled, everything kept", with(confirmed(INSTANT), |t| done(off(t, NET, EntryStatus::Done)))),
        (
            "cancelled, tickets void",
            with(confirmed(INSTANT), |t| {
                off(t, 0, EntryStatus::Done).facts(TicketFacts::Cancelled);
            }),
        ),
        (
            "cancelled, the back-end keeps the tickets",
            with(confirmed(INSTANT), |t| {
                off(t, 0, EntryStatus::Done).facts(kept(false));
            }),
        ),
        ("cancelled while tickets are made", with(Tale::paid(INSTANT), |t| done(off(t, 0, EntryStatus::Done)))),
        (
            "cancelled, money came afterwards",
            with(confirmed(INSTANT), |t| {
                off(t, 0, EntryStatus::Done).tells(|p| p.pay(5_000, None));
            }),
        ),
    ]
}

/// Money without the booking: returned alone, too much of it, none of it.
pub(super) fn money() -> Vec<Place> {
    let unpaid = Whole { mode: PaymentMode::BookingOnly, ..INSTANT };
    vec![
        ("used, money is being returned alone", with(used(INSTANT), |t| done(t.ops(&give_back(None))))),
        ("used, a part is being returned alone", with(used(INSTANT), |t| done(t.ops(&give_back(Some(15_000)))))),
        (
            "used, money returned alone",
            with(used(INSTANT), |t| {
                t.ops(&give_back(None)).tells(|p| {
                    p.give_back(0, CARD, EntryStatus::Done);
                    p.give_back(1, POINTS, EntryStatus::Done);
                });
            }),
        ),
        (
            "used, a return was refused",
            with(used(INSTANT), |t| {
                t.ops(&give_back(Some(POINTS))).ended("payment_return", no());
            }),
        ),
        (
            "used, a return failed",
            with(used(INSTANT), |t| {
                t.ops(&give_back(Some(POINTS)));
                t.tells(|p| p.give_back(1, POINTS, EntryStatus::Pending)).tells(|p| p.settle(EntryStatus::Failed));
            }),
        ),
        (
            "did not come, money is being returned",
            with(confirmed(INSTANT), |t| {
                t.at(visit_noon()).tell(&ops(), &Command::MarkNoShow { at: visit_noon() });
                t.ops(&give_back(None));
            }),
        ),
        (
            "the price fell below what is paid",
            with(confirmed(INSTANT), |t| {
                done(t.tells(|p| {
                    p.due = 70_000;
                    p.changed();
                }))
            }),
        ),
        ("more was paid than is due", with(confirmed(INSTANT), |t| done(t.tells(|p| p.pay(5_000, None))))),
        ("booking only, waits", Tale::paid(Whole { asks_us: true, auto: false, ..unpaid })),
        ("booking only, confirmed", confirmed(unpaid)),
        ("booking only, used", used(unpaid)),
        ("booking only, cancelled", with(confirmed(unpaid), |t| done(off(t, 0, EntryStatus::Done)))),
    ]
}

/// Packages: deposits, links, requests to cancel, and an agency's books.
pub(super) fn packages() -> Vec<Place> {
    let completed = || {
        with(Tale::paid(PACKAGE), |t| {
            t.ops(&Command::ConfirmBooking).facts(issued("T-1"));
            t.tells(|p| p.reach(Stage::Confirmed)).took("booking_accepted");
        })
    };
    let linked = || {
        with(completed(), |t| {
            let (send, live) = (send_link(t, None), ());
            t.ops(&send);
            let make = made(t, "L1");
            t.tell(&platform(), &make);
            live
        })
    };
    let wants_out = || with(linked(), |t| done(t.tells(|p| p.reach(Stage::CancelRequested { confirmed: true }))));
    let approved = || {
        with(wants_out(), |t| {
            let approve = approve(t, Some(5_000), false);
            t.ops(&approve);
        })
    };
    vec![
        ("received, nothing paid", Tale::of(Platform::booked(PACKAGE))),
        ("received, deposit paid", Tale::paid(PACKAGE)),
        ("completed, deposit paid", completed()),
        (
            "completed and handed over",
            with(completed(), |t| {
                t.took("hand_over").tell(&platform(), &Command::RecordPartnerNumber { number: "YB-1".into() });
            }),
        ),
        (
            "a link is asked for",
            with(completed(), |t| {
                let send = send_link(t, Some(20_000));
                t.ops(&send);
            }),
        ),
        ("a link is live", linked()),
        ("a link was paid", with(linked(), |t| done(t.tells(|p| p.pay(NET - DEPOSIT, Some("L1")))))),
        ("a link is being taken back", with(linked(), |t| done(t.ops(&Command::RevokePaymentLink)))),
        ("a link was taken back", with(linked(), |t| done(t.ops(&Command::RevokePaymentLink).took("link_revoked")))),
        (
            "a link is over",
            with(linked(), |t| {
                let told = link_news(Platform { revision: 5, ..t.there.clone() }.snapshot(), "L1", LinkState::Expired);
                t.there.revision = 5;
                t.hears(told);
            }),
        ),
        (
            "money came through a link that was taken back",
            with(linked(), |t| {
                t.ops(&Command::RevokePaymentLink).tells(|p| p.pay(NET - DEPOSIT, Some("L1")));
            }),
        ),
        (
            "received, the guest wants out",
            with(Tale::paid(PACKAGE), |t| {
                t.tells(|p| p.reach(Stage::CancelRequested { confirmed: false }));
            }),
        ),
        ("completed, the guest wants out", wants_out()),
        ("approved once void", approved()),
        ("approved, the back-end keeps the tickets", with(approved(), |t| done(t.facts(kept(false))))),
        ("approved, to be told", with(approved(), |t| done(t.facts(TicketFacts::Cancelled)))),
        (
            "the platform does not do what was approved",
            with(approved(), |t| {
                t.facts(TicketFacts::Cancelled);
                t.ended("refund_approved", no());
            }),
        ),
        ("the refund was rejected here", with(wants_out(), |t| done(t.rejected()))),
        ("the guest stays", with(wants_out(), |t| done(t.tells(|p| p.reach(Stage::Confirmed))))),
        (
            "nobody decided the request in time",
            with(wants_out(), |t| {
                let due_at = t.case().review_by;
                t.at(due_at).tell(&Actor::timer(), &Command::PassDeadline { kind: DeadlineKind::Review, due_at });
            }),
        ),
        (
            "cancelled",
            with(approved(), |t| {
                t.facts(TicketFacts::Cancelled);
                off(t, 5_000, EntryStatus::Done);
            }),
        ),
        ("departed with an open balance", with(linked(), |t| done(t.tells(|p| p.reach(Stage::Used))))),
        ("the agency's own, received", Tale::paid(AGENCY)),
        ("the agency's own, completed", with(Tale::paid(AGENCY), |t| done(t.tells(|p| p.reach(Stage::Confirmed))))),
        (
            "the agency's own, the guest wants out",
            with(Tale::paid(AGENCY), |t| {
                t.tells(|p| p.reach(Stage::CancelRequested { confirmed: true }));
            }),
        ),
        ("the agency's own, cancelled", with(Tale::paid(AGENCY), |t| done(off(t, 0, EntryStatus::Done)))),
        ("the agency's own, departed", with(Tale::paid(AGENCY), |t| done(t.tells(|p| p.reach(Stage::Used))))),
    ]
}

/// A platform that does not count its changes.
pub(super) fn uncounted() -> Vec<Place> {
    let uncounted = Whole { counted: false, ..MANAGED };
    let live = || {
        with(Tale::paid(uncounted), |t| {
            t.later(Millis::minutes(1)).tell(&ops(), &Command::ConfirmBooking).facts(issued("T-1"));
            t.tells(|p| p.reach(Stage::Confirmed));
        })
    };
    vec![
        ("uncounted, waits", Tale::paid(uncounted)),
        ("uncounted, confirmed", live()),
        (
            "uncounted, cancelled",
            with(live(), |t| {
                t.later(Millis::minutes(1));
                off(t, 0, EntryStatus::Done);
            }),
        ),
    ]
}

/// Ops approve the case.
pub(super) fn approve(tale: &Tale, fee: Option<i64>, without_backend: bool) -> Command {
    let case = tale.order().refund_case.as_ref().map_or_else(|| "rfc_none".into(), |case| case.id.clone());
    Command::ApproveRefund { case, fee, without_backend, reason: None }
}
