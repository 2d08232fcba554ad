// SPDX-License-Identifier: Apache-2.0

//! Orders of a reseller that reserves before it sells, and that asks instead of being told.

use ticketbridge_core::message::{
    ChangeHold, ChangeUnit, ConfirmHold, Counts, HoldWish, NewTerms, PlaceOrder, ProductRef, ReservationAct,
};
use ticketbridge_core::order::{HeldUnit, Order};
use ticketbridge_core::product::{Cancellation, Confirmation, News};
use ticketbridge_core::variant::Visit;
use ticketbridge_core::{Command, Date, Millis};

use super::{BY_PEOPLE, State, kept, refused, with};
use crate::support::*;

/// How long places are kept.
const KEPT: Millis = Millis::minutes(30);

fn reserved(terms: Terms) -> Story {
    let Command::PlaceOrder(mut placed, counts) = sale(terms, false) else { unreachable!("a sale places an order") };
    placed.rules.channel.news = News::WhenAsked;
    let Command::RequestBooking(mut request) = booking(SALE) else { unreachable!("a wish for a date") };
    request.visitors = Vec::new();
    request.contact = None;
    let unit = HeldUnit { id: "U1".to_owned(), reference: None };
    request.hold = Some(Box::new(HoldWish { lasts: KEPT, reference: Some("ACME-1".to_owned()), units: vec![unit] }));
    let mut story = Story::new();
    story.tell(&channel(), &Command::PlaceOrder(placed, counts));
    story.tell(&channel(), &Command::RequestBooking(request));
    story
}

fn act(act: ReservationAct) -> Command {
    Command::Reservation { target: SALE.into(), act: Box::new(act), at: morning() }
}
fn confirm(story: &Story) -> Command {
    confirm_for(story.order().buyer.clone(), None)
}
fn confirm_for(contact: ticketbridge_core::personal::Person, units: Option<ChangeHold>) -> Command {
    let counts = Counts::default();
    let units = units.map(Box::new);
    act(ReservationAct::Confirm(ConfirmHold { reference: None, contact, visitors: Vec::new(), units, counts }))
}
fn cancellation() -> Command {
    act(ReservationAct::Cancel { reason: Some("the guest is ill".into()) })
}

fn sold(terms: Terms) -> Story {
    with(reserved(terms), |s| {
        let confirm = confirm(s);
        s.tell(&channel(), &confirm)
    })
}
fn ticketed(terms: Terms) -> Story {
    with(sold(terms), |s| s.facts(issued("T-1")))
}

/// Where such orders can stand.
pub(super) fn states() -> Vec<State> {
    let manual = Terms { confirm: Confirmation::Manual, ..DIRECT };
    let never = Terms { cancellation: Cancellation::Never, ..DIRECT };
    vec![
        ("kept for a reseller", reserved(DIRECT)),
        ("kept, and the time is over", with(reserved(DIRECT), |s| s.later(KEPT))),
        ("let go", with(reserved(DIRECT), |s| s.tell(&channel(), &cancellation()))),
        ("sold, waits for a manager", sold(manual)),
        ("sold, tickets queued", sold(DIRECT)),
        ("sold, the back-end refused", with(sold(DIRECT), |s| s.facts(refused()))),
        ("sold, ticketed", ticketed(DIRECT)),
        ("sold, no tickets needed", sold(Terms { tickets: false, ..DIRECT })),
        ("sold, cannot be cancelled", ticketed(never)),
        ("sold, no refund rule", ticketed(Terms { kind: DIRECT.kind, ..BY_PEOPLE })),
        ("cancelled, tickets are voided", with(ticketed(DIRECT), |s| s.tell(&channel(), &cancellation()))),
        (
            "cancelled, the back-end keeps the tickets",
            with(ticketed(DIRECT), |s| s.tell(&channel(), &cancellation()).facts(kept(false))),
        ),
        (
            "cancelled",
            with(ticketed(DIRECT), |s| {
                s.tell(&channel(), &cancellation()).facts(ticketbridge_core::message::TicketFacts::Cancelled)
            }),
        ),
    ]
}

fn visit(date: &str, time: Option<&str>) -> Option<Visit> {
    Some(Visit { date: Date::parse(date)?, time: time.map(str::to_owned) })
}
fn unit(id: &str) -> ChangeUnit {
    ChangeUnit { id: Some(id.to_owned()), ..ChangeUnit::default() }
}

/// A wish for another visit, with the terms that the engine would find for it.
fn moved(order: &Order, wanted: impl Fn(&mut ChangeHold)) -> ChangeHold {
    let mut wish = ChangeHold::default();
    wanted(&mut wish);
    let quantity = wish.other_visit(order).map_or(order.quantity, |other| other.quantity);
    let gross = order.money.gross / i64::from(order.quantity) * i64::from(quantity);
    let product = ProductRef { voucher: None, booking: Some(order.rules.booking.code.clone()) };
    let sale = PlaceOrder::instead_of(order, product, order.rules.clone(), (quantity, gross));
    wish.terms = Some(Box::new(NewTerms { sale, counts: Counts::default() }));
    wish
}

/// What a reseller can do with a reservation of its own.
pub(super) fn acts(story: &Story) -> Vec<(&'static str, Command)> {
    let order = story.order();
    if order.booking.as_ref().is_none_or(|booking| booking.hold.is_none()) {
        return Vec::new();
    }
    let mut other = order.buyer.clone();
    other.phone = Some(ticketbridge_core::personal::Phone::new("13900000009"));
    let elsewhere = other.clone();
    let change = |change| act(ReservationAct::Change(change));
    vec![
        ("reservation: confirm", confirm(story)),
        ("reservation: confirm for somebody else", confirm_for(other, None)),
        ("reservation: confirm more units", {
            let more: Vec<ChangeUnit> = (0..=order.quantity).map(|index| unit(&format!("U{index}"))).collect();
            confirm_for(order.buyer.clone(), Some(moved(order, |wish| wish.units = Some(more.clone()))))
        }),
        ("reservation: extend", act(ReservationAct::Extend { lasts: Millis::minutes(60) })),
        ("reservation: extend by less", act(ReservationAct::Extend { lasts: Millis(1) })),
        ("reservation: rename", change(ChangeHold { reference: Some("T-1002".to_owned()), ..ChangeHold::default() })),
        ("reservation: for somebody else", change(ChangeHold { contact: Some(elsewhere), ..ChangeHold::default() })),
        ("reservation: on another day", change(moved(order, |wish| wish.visit = visit("2026-12-02", None)))),
        ("reservation: on another day, sold out", {
            let mut wish = moved(order, |wish| wish.visit = visit("2026-12-02", None));
            wish.terms.as_mut().expect("terms").counts.date_left = Some(0);
            change(wish)
        }),
        ("reservation: on a day without terms", {
            change(ChangeHold { visit: visit("2027-03-01", None), ..ChangeHold::default() })
        }),
        ("reservation: for one unit more", {
            let more: Vec<ChangeUnit> = (0..=order.quantity).map(|index| unit(&format!("U{index}"))).collect();
            change(moved(order, |wish| wish.units = Some(more.clone())))
        }),
        ("reservation: a unit twice", {
            change(ChangeHold { units: Some(vec![unit("U1"), unit("U1")]), ..ChangeHold::default() })
        }),
        ("reservation: cancel", cancellation()),
    ]
}
