// SPDX-License-Identifier: Apache-2.0

//! A channel tells the whole order: its snapshot is taken over. The one with the higher revision wins, whatever was on its way from us; a
//! late one adds its money and nothing else.

use super::around::Around;
use super::propose::{end_proposal, keep_wish, take_yes_back};
use super::quote::ask_price_again;
use super::reach::{Reached, confirmed, reach};
use super::{elsewhere, links, payments, sums, unused};
use crate::decide::draft::Draft;
use crate::decide::{booking, proof, redemption, terms, ticketing};
use crate::message::{Effect, Event, Notification, Snapshot};
use crate::order::channel_state::{ChannelState, Line, Payment, Sold, SoldLine, Stage};
use crate::order::money::PaymentMode;
use crate::order::{AttentionKind, Booking, BookingState, Fact, Order, OrderState, RefundState, used_units};
use crate::product::BookingProduct;
use crate::rules::capacity::date_stock_key;
use crate::time::Date;

/// The channel tells the whole order.
pub(in crate::decide) fn sync(draft: &mut Draft, snapshot: &Snapshot, around: &Around<'_>) {
    let before = draft.order();
    let known = before.channel_state.as_deref();
    // What belongs to another order is no news of this one.
    let of_its_own = elsewhere::without(snapshot, around);
    let snapshot = of_its_own.as_ref().unwrap_or(snapshot);
    let is_news = snapshot.is_news_to(known);
    elsewhere::flag(draft, around);
    if is_news {
        replace_state(draft, &before, snapshot, around.not_for_sale);
    }
    if snapshot.can_read_back && snapshot.is_contested_by(known) {
        let (channel, about) = (before.channel.clone(), before.channel_order_id.clone());
        draft.event(Event::SnapshotContested);
        draft.effect(Effect::ReadBack { channel, about });
    }
    if let Some(new) = snapshot.renumbers(known) {
        let old = known.and_then(ChannelState::partner_number).cloned();
        draft.event(Event::PartnerNumberChanged { old, new: new.clone() });
    }
    let contradicted = payments::merge(draft, snapshot, is_news);
    if is_news {
        follow(draft, &before, snapshot);
    } else if tells_of_confirmation(&before, snapshot) {
        confirmed(draft);
    }
    let sums = sums::holds(&draft.order(), snapshot, is_news).filter(|_| !contradicted);
    payments::unexpected(draft, &before, snapshot, sums);
    ask_price_again(draft, &before);
    if is_news {
        links::follow_links(draft, snapshot);
    } else {
        links::follow_late(draft, snapshot);
    }
    links::end_links_in_time(draft);
    links::keep_flagged(draft, &before);
    payments::flag_failure(draft);
    if snapshot.is_current(known) {
        proof::compare(draft, snapshot);
    } else {
        sums::compare(draft, snapshot, is_news, contradicted || !snapshot.doubts.is_empty());
    }
    terms::flag_lag(draft, &before, snapshot);
}

/// What the channel says now replaces what it said before.
fn replace_state(draft: &mut Draft, before: &Order, snapshot: &Snapshot, not_for_sale: Option<&str>) {
    take_over(draft, before, snapshot, not_for_sale);
    if let (None, Stage::Confirmed, Some(why)) = (&before.channel_state, snapshot.standing.stage, not_for_sale) {
        draft.flag_fact(Fact::ConfirmedOffSale { why: why.to_owned() });
    }
    if pays_otherwise(before, snapshot) {
        let sentence = match before.money.received() > 0 {
            true => "the way of paying of a paid order was changed; that is a new booking",
            false => "another collects the money of this order than before; that is a new booking",
        };
        draft.flag(AttentionKind::Contradiction, sentence);
    }
}

/// The order goes where the channel says that it stands, and everything that hangs on it.
fn follow(draft: &mut Draft, before: &Order, snapshot: &Snapshot) {
    open_booking(draft, snapshot);
    units_changed(draft, before);
    taken_back(draft, before);
    let (stage, off) = (snapshot.standing.stage, snapshot.cancelled.as_ref());
    reach(draft, &Reached { stage, since: snapshot.since, off, is_refused: repeats_refused(before, snapshot) });
    flag_open_balance(draft, before, snapshot);
    over_early(draft, before, snapshot);
    cannot_be(draft, before);
    unused::leave_used_out(draft, before);
    keep_wish(draft);
    take_yes_back(draft, before);
    end_proposal(draft);
    // A request to cancel says nothing yet of what goes back.
    payments::settle_up(draft, snapshot.cancelled.as_ref().filter(|_| snapshot.standing.stage.is_off()));
    payments::keep_of_parts(draft, snapshot.kept_of_parts);
    hand_over(draft, before);
    draft.flag_fact(Fact::Doubts);
}

/// A visit that is over before its day, whether the channel says when that was or only, by now, that it is so.
fn over_early(draft: &mut Draft, before: &Order, snapshot: &Snapshot) {
    let is_over = |order: &Order| order.booking.as_ref().is_some_and(Booking::is_visit_over);
    let now = draft.order();
    if !is_over(before) && is_over(&now) {
        // An answer to a question tells no time of it.
        let at = if snapshot.asked { draft.now() } else { snapshot.since };
        draft.flag_fact(Fact::VisitOverEarly { on: now.rules.channel.time_zone.date_of(at) });
    }
}

/// Whether the channel only says once more that a cancellation is asked for which was refused here. It goes on saying so with whatever else
/// changes, until somebody has refused it there as well, or the guest takes it back: one request is one case. A later request, or one after it
/// has called the booking alive meanwhile, is another.
fn repeats_refused(before: &Order, snapshot: &Snapshot) -> bool {
    let is_asked_for = |stage: Stage| matches!(stage, Stage::CancelRequested { .. });
    let was_asked_for = before.channel_state.as_deref().is_some_and(|known| is_asked_for(known.standing.stage));
    let refused = before.refund_case.as_ref().filter(|case| case.state == RefundState::Rejected);
    let Some(refused) = refused.filter(|_| was_asked_for && is_asked_for(snapshot.standing.stage)) else {
        return false;
    };
    snapshot.cancel_asked_at.is_none_or(|at| at <= refused.requested_at)
}

/// TS-08: the channel says that the visit is over, and it is not paid, whoever of us knew of the visit before.
fn flag_open_balance(draft: &mut Draft, before: &Order, snapshot: &Snapshot) {
    let was_told = before.channel_state.as_deref().is_some_and(|known| known.standing.stage == Stage::Used);
    if snapshot.standing.stage == Stage::Used && !was_told {
        draft.flag_fact(Fact::OpenBalance);
    }
}

/// A booking that nobody can go in with: for a product that was not booked, or for a day that was over when it was told.
fn cannot_be(draft: &mut Draft, before: &Order) {
    draft.flag_fact(Fact::OtherProduct);
    if before.names_other_product().is_some() && draft.order().names_other_product().is_none() {
        go_on_after_all(draft);
    }
    let now = draft.order();
    let days = |order: &Order| order.booking.as_ref().map(|booking| (booking.visit_date, booking.valid_until));
    if days(before) != days(&now) {
        draft.flag_fact(Fact::VisitPast { on: now.rules.channel.time_zone.date_of(draft.now()) });
    }
}

/// The channel names again what was booked: the tickets that were not asked for are.
fn go_on_after_all(draft: &mut Draft) {
    if draft.order().booking.as_ref().is_some_and(|booking| booking.state == BookingState::Confirmed) {
        ticketing::start(draft);
    }
}

/// A request to cancel names where it came from; the same order when it is read back does not (`adapters/kakao/README.md`).
fn tells_of_confirmation(order: &Order, snapshot: &Snapshot) -> bool {
    let Some(known) = order.channel_state.as_deref().map(|channel_state| &channel_state.standing) else { return false };
    snapshot.standing.revision > 0
        && known.stage == Stage::CancelRequested { confirmed: false }
        && snapshot.standing.stage == Stage::CancelRequested { confirmed: true }
}

/// TS-06: money that came in one way does not become money of another, whether it came to the channel or to the agency.
fn pays_otherwise(before: &Order, snapshot: &Snapshot) -> bool {
    let known = before.channel_state.as_deref().and_then(|m| m.standing.pays_by.as_ref());
    let told = snapshot.standing.pays_by.as_ref();
    let is_known = before.channel_state.is_some();
    // Who collects is a part of it: the marketplace, or the agency.
    let collects_otherwise = before.money.mode != snapshot.sale.payment_mode;
    let otherwise = collects_otherwise || (known.is_some() && told.is_some() && known != told);
    let is_paid = before.money.received() > 0 || before.money.mode == PaymentMode::External;
    is_known && is_paid && otherwise
}

fn take_over(draft: &mut Draft, order: &Order, snapshot: &Snapshot, not_for_sale: Option<&str>) {
    let known = order.channel_state.as_deref();
    let mut standing = snapshot.standing.clone();
    standing.sums = Some(sums::counted(order, snapshot));
    let mut sale = snapshot.sale.clone();
    if let Some(known) = known.filter(|_| pays_otherwise(order, snapshot)) {
        // Its money stays what it was until a person has settled it: whoever collected it has it still.
        sale.payment_mode = order.money.mode;
        standing.read_only = known.standing.read_only;
        standing.pays_by.clone_from(&known.standing.pays_by);
    }
    if snapshot.asked && standing.revision == 0 {
        // An answer that counts nothing is how things stand now.
        standing.at = draft.now();
        standing.revision = known.map_or(0, |m| m.standing.revision);
    }
    if let (true, Some(known)) = (snapshot.asked, known.map(|m| &m.standing)) {
        if standing.stage.is_same(known.stage) {
            standing.stage = known.stage;
        }
        // A payment that a look leaves out has still been told, unless others stand in its place.
        let is_replaced = !sums::replaced(order, snapshot).is_empty();
        let is_told = |p: &&Payment| standing.payments.iter().any(|told| told.id == p.id);
        let left_out: Vec<Payment> = known.payments.iter().filter(|p| !is_replaced && !is_told(p)).cloned().collect();
        standing.payments.extend(left_out);
    }
    let channel_state = ChannelState {
        standing,
        not_for_sale: known.map_or_else(|| not_for_sale.map(str::to_owned), |m| m.not_for_sale.clone()),
        proposal: known.and_then(|m| m.proposal.clone()),
        links: known.map(|m| m.links.clone()).unwrap_or_default(),
        partner_numbers: known.map(|m| m.partner_numbers.clone()).unwrap_or_default(),
        handed_over: known.is_some_and(|m| m.handed_over),
        refused: known.and_then(|m| m.refused.clone()),
        unproven: known.map(|m| m.unproven.clone()).unwrap_or_default(),
        // Whoever carries a snapshot out makes sure of that first.
        payments_are_owned: true,
        lines_are_owned: true,
        sold: Some(sold(snapshot).or(known.and_then(|m| m.sold.as_ref()))),
        doubts: snapshot.doubts.clone(),
    };
    draft.event(Event::SnapshotTaken {
        channel_state: Box::new(channel_state),
        sale: Box::new(sale),
        dates: snapshot.dates(),
    });
}

/// What the channel sells with it, besides days and units.
fn sold(snapshot: &Snapshot) -> Sold {
    let product = &snapshot.sale.product;
    let line =
        |line: &Line| SoldLine { detail: line.detail.clone(), label: line.label.clone(), price: line.price.clone() };
    Sold {
        product: product.booking.clone().or_else(|| product.voucher.clone()),
        time: snapshot.visit_time.clone(),
        departure: snapshot.departure.clone(),
        lines: snapshot.standing.lines.iter().map(line).collect(),
    }
}

/// The first snapshot brings the booking with it; a later one may bring it to another day.
fn open_booking(draft: &mut Draft, snapshot: &Snapshot) {
    let order = draft.order();
    if order.booking.is_some() {
        return;
    }
    let product = &order.rules.booking;
    let terms = booking::Terms {
        channel_booking_id: &order.channel_order_id,
        dates: snapshot.dates(),
        time: snapshot.visit_time.clone(),
        visitors: Vec::new(),
        contact: Some(snapshot.sale.buyer.clone()),
        requested_at: snapshot.sale.placed_at,
        hold: None,
    };
    let units = order.live_units();
    draft.held = units;
    draft.event(Event::BookingRequested { booking: Box::new(terms.booking(product, draft.moment)) });
    let taken = date_stock_key(product, snapshot.visit_date).filter(|_| units > 0);
    draft.maybe(taken.map(|key| Effect::TakeStock { key, units }));
}

/// Units of a live booking that were cancelled or added since the snapshot before; and a visit that was moved.
fn units_changed(draft: &mut Draft, before: &Order) {
    let (Some(old), Some(booking)) = (before.channel_state.as_deref(), before.active_booking()) else { return };
    let now = draft.order();
    let cancelled = now.channel_state.as_deref().map_or(0, ChannelState::cancelled_units);
    let change = Change {
        booking,
        gone: cancelled.saturating_sub(old.cancelled_units()),
        gone_before: old.cancelled_units(),
        tickets_day: tickets_day(before, booking),
        moved_to: now.booking.as_ref().and_then(|b| b.visit_date),
        tickets_sold: tickets_sold(before, old),
        units: (before.live_units(), now.live_units()),
        sold: (before.quantity, now.quantity),
        tickets_units: tickets_units(before, old),
    };
    change.move_stock(draft, &before.rules.booking);
    if now.live_units() > 0 {
        draft.held = now.live_units();
    }
    if booking.ticketing.may_be_live() {
        change.flag_tickets(draft);
    }
}

/// What cannot be taken back, and what was settled already: units that were used, and the price of what has been paid.
fn taken_back(draft: &mut Draft, before: &Order) {
    let now = draft.order();
    let used = used_units(before);
    if used_units(&now) < used {
        draft.flag_fact(Fact::UsedLess { before: used });
    }
    redemption::cancelled_once_in(draft, before);
    // A channel with ways of paying to choose from collects the rest by one of them.
    let is_paid_at_once = now.channel_state.as_deref().is_some_and(|state| state.standing.pays_by.is_none());
    let was_paid = before.money.held() > 0 && before.to_collect() <= 0;
    if is_paid_at_once && was_paid && now.to_collect() > 0 && now.money.due > before.money.due {
        draft.flag_fact(Fact::PriceRaised { paid: before.money.held() });
    }
}

/// The day that the tickets of a booking were asked for, which may have been moved before.
fn tickets_day(order: &Order, booking: &Booking) -> Option<Date> {
    let moved_from = order.attention.iter().find_map(|flag| match flag.fact {
        Some(Fact::VisitMoved { from }) => Some(from),
        _ => None,
    });
    moved_from.unwrap_or(booking.visit_date)
}

/// What the tickets of an order were asked for, which may have been changed before.
fn tickets_sold<'o>(order: &'o Order, old: &'o ChannelState) -> Option<&'o Sold> {
    let changed_before = order.attention.iter().find_map(|flag| match &flag.fact {
        Some(Fact::SoldOtherwise { tickets_for }) => Some(&**tickets_for),
        _ => None,
    });
    changed_before.or(old.sold.as_ref())
}

/// For how many units the tickets of an order were asked for, which may have been changed before: those that live, and with those that were
/// cancelled.
fn tickets_units(order: &Order, old: &ChannelState) -> (u32, u32) {
    let cancelled = old.cancelled_units();
    let of = |fact: &Fact| match fact {
        Fact::UnitsAdded { tickets_for } => Some((*tickets_for, tickets_for.saturating_add(cancelled))),
        Fact::UnitsGone { tickets_for } => Some((tickets_for.saturating_sub(cancelled), *tickets_for)),
        _ => None,
    };
    let changed_before = order.attention.iter().find_map(|flag| flag.fact.as_ref().and_then(of));
    changed_before.unwrap_or((order.live_units(), order.quantity))
}

/// How a live booking differs from the snapshot before.
struct Change<'a> {
    /// As it was.
    booking: &'a Booking,
    /// Units that were cancelled, and that had been before.
    gone: u32,
    gone_before: u32,
    /// The day that its tickets are for.
    tickets_day: Option<Date>,
    /// On which day it is now.
    moved_to: Option<Date>,
    /// What its tickets are for.
    tickets_sold: Option<&'a Sold>,
    /// Live units, before and now.
    units: (u32, u32),
    /// Units that were sold, as it was told before and now.
    sold: (u32, u32),
    /// For how many its tickets were asked for: that live, and that were sold.
    tickets_units: (u32, u32),
}

impl Change<'_> {
    fn is_moved(&self) -> bool {
        self.moved_to != self.booking.visit_date
    }

    fn added(&self) -> u32 {
        self.units.1.saturating_sub(self.units.0)
    }

    fn move_stock(&self, draft: &mut Draft, product: &BookingProduct) {
        let (before, now) = self.units;
        let given_back =
            |units| Some(Effect::ReturnStock { key: date_stock_key(product, self.booking.visit_date)?, units });
        let taken = |units| Some(Effect::TakeStock { key: date_stock_key(product, self.moved_to)?, units });
        if self.is_moved() {
            draft.maybe(given_back(before));
            draft.maybe(taken(now));
            return;
        }
        if before > now && now > 0 {
            draft.maybe(given_back(before - now));
        }
        if self.added() > 0 {
            draft.maybe(taken(self.added()));
        }
    }

    /// The back-end knows nothing of it: its tickets are for what was booked before.
    fn flag_tickets(&self, draft: &mut Draft) {
        let ((_, now), (living, sold)) = (self.units, self.tickets_units);
        if self.gone > 0 && now > 0 {
            draft.flag_fact(Fact::UnitsCalledOff { before: self.gone_before });
        }
        if self.added() > 0 && now > living {
            draft.flag_fact(Fact::UnitsAdded { tickets_for: living });
        }
        if self.sold.1 < self.sold.0 && self.sold.1 < sold {
            draft.flag_fact(Fact::UnitsGone { tickets_for: sold });
        }
        if self.is_moved() {
            draft.flag_fact(Fact::VisitMoved { from: self.tickets_day });
        }
        if let Some(sold) = self.tickets_sold {
            draft.flag_fact(Fact::SoldOtherwise { tickets_for: Box::new(sold.clone()) });
        }
    }
}

/// A partner's system hears of an order once, and again when what it was told has changed.
fn hand_over(draft: &mut Draft, before: &Order) {
    let order = draft.order();
    let Some(now) = order.channel_state.as_deref().filter(|m| m.standing.hand_over) else { return };
    if order.state == OrderState::Cancelled {
        return;
    }
    let told = before.channel_state.as_deref().is_some_and(|old| {
        old.standing.hand_over
            && old.standing.extra == now.standing.extra
            && before.buyer == order.buyer
            && before.money.gross == order.money.gross
            && before.money.due == order.money.due
            && before.booking.as_ref().map(|b| b.visit_date) == order.booking.as_ref().map(|b| b.visit_date)
    });
    if !told {
        draft.tell(Notification::HandOver);
    }
}
