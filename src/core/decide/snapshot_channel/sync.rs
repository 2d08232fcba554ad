//! A channel tells the whole order: its picture is taken over. A picture with a higher revision wins, whatever was on its way from us; a late
//! one adds its money and nothing else.

use super::propose::end_proposal;
use super::quote::ask_price_again;
use super::reach::{confirmed, reach};
use super::{links, payments};
use crate::decide::draft::Draft;
use crate::decide::{Decision, booking, date_stock_key, proof};
use crate::message::{Effect, Event, Notification, Snapshot};
use crate::order::channel_state::{ChannelState, Payment, Stage, confirmed_off_sale};
use crate::order::money::PaymentMode;
use crate::order::{AttentionKind, Order, OrderState};
use crate::rejection::Rejection;
use crate::time::Moment;

/// What is known beside an order that is told whole.
pub(in crate::decide) struct Around<'a> {
    /// Why its product was not for sale when it was booked, if it was not.
    pub(in crate::decide) not_for_sale: Option<&'a str>,
    /// Numbers of its payments that belong to other orders.
    pub(in crate::decide) paid_elsewhere: &'a [String],
}

/// The channel tells the whole order.
pub(in crate::decide) fn sync(
    order: &Order,
    snapshot: &Snapshot,
    around: &Around<'_>,
    moment: Moment,
) -> Result<Decision, Rejection> {
    let is_news = snapshot.is_news_to(order.channel_state.as_deref());
    let mut draft = Draft::of(order, moment);
    let of_its_own = payments::without(snapshot, around.paid_elsewhere);
    let snapshot = of_its_own.as_ref().unwrap_or(snapshot);
    for payment in around.paid_elsewhere {
        let sentence = format!(
            "the payment `{payment}` belongs to another order already; nothing is booked for it here, settle it with the channel"
        );
        draft.flag(AttentionKind::Contradiction, sentence);
    }
    let not_for_sale = around.not_for_sale;
    if is_news {
        draft.add(take_over(order, snapshot, not_for_sale, moment));
        if let (None, Stage::Confirmed, Some(why)) = (&order.channel_state, snapshot.standing.stage, not_for_sale) {
            draft.flag(AttentionKind::Contradiction, confirmed_off_sale(why));
        }
        if pays_otherwise(order, snapshot) {
            draft.flag(
                AttentionKind::Contradiction,
                "the way of paying of a paid order was changed; that is a new booking",
            );
        }
    }
    if snapshot.can_read_back && snapshot.is_contested_by(order.channel_state.as_deref()) {
        let about = order.channel_order_id.clone();
        let question = Effect::ReadBack { channel: order.channel.clone(), about };
        draft.add(Decision::nothing().event(Event::SnapshotContested).effect(question));
    }
    if let Some(new) = snapshot.renumbers(order.channel_state.as_deref()) {
        let old = order.channel_state.as_deref().and_then(ChannelState::partner_number).map(str::to_owned);
        draft.add(Decision::nothing().event(Event::PartnerNumberChanged { old, new: new.to_owned() }));
    }
    payments::merge(&mut draft, snapshot, is_news);
    if is_news {
        open_booking(&mut draft, snapshot, moment);
        units_changed(&mut draft, order);
        reach(&mut draft, snapshot.standing.stage, snapshot.since, snapshot.cancelled.as_ref(), moment);
        end_proposal(&mut draft);
        payments::settle_up(&mut draft, snapshot.cancelled.as_ref(), moment.now);
        hand_over(&mut draft, order);
        for doubt in &snapshot.doubts {
            draft.flag(AttentionKind::Contradiction, doubt.clone());
        }
    } else if tells_of_confirmation(order, snapshot) {
        confirmed(&mut draft, moment);
    }
    payments::unexpected(&mut draft, order, snapshot, moment);
    ask_price_again(&mut draft, order);
    if is_news {
        links::follow_links(&mut draft, snapshot);
    }
    links::end_links_in_time(&mut draft, moment.now);
    payments::flag_failure(&mut draft);
    proof::compare(&mut draft, order, snapshot);
    let decision = std::mem::take(&mut draft.decision);
    Ok(decision)
}

/// A request to cancel names where it came from; the same picture when it is read back does not (`protocols/korea.md` 9.1).
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

fn take_over(order: &Order, snapshot: &Snapshot, not_for_sale: Option<&str>, moment: Moment) -> Decision {
    let known = order.channel_state.as_deref();
    let mut standing = snapshot.standing.clone();
    let mut sale = snapshot.sale.clone();
    if let Some(known) = known.filter(|_| pays_otherwise(order, snapshot)) {
        // Its money stays what it was until a person has settled it: whoever collected it has it still.
        sale.payment_mode = order.money.mode;
        standing.read_only = known.standing.read_only;
        standing.pays_by.clone_from(&known.standing.pays_by);
    }
    if snapshot.asked && standing.revision == 0 {
        // An answer that counts nothing is how things stand now.
        standing.at = moment.now;
        standing.revision = known.map_or(0, |m| m.standing.revision);
    }
    if let (true, Some(known)) = (snapshot.asked, known.map(|m| &m.standing)) {
        if standing.stage.is_same(known.stage) {
            standing.stage = known.stage;
        }
        // A payment that a look leaves out has still been told.
        let is_told = |p: &&Payment| standing.payments.iter().any(|told| told.id == p.id);
        let left_out: Vec<Payment> = known.payments.iter().filter(|p| !is_told(p)).cloned().collect();
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
    };
    Decision::nothing().event(Event::SnapshotTaken {
        channel_state: Box::new(channel_state),
        sale: Box::new(sale),
        dates: (snapshot.visit_date, snapshot.valid_until),
    })
}

/// The first picture brings the booking with it; a later one may bring it to another day.
fn open_booking(draft: &mut Draft, snapshot: &Snapshot, moment: Moment) {
    let order = &draft.order;
    if order.booking.is_some() {
        return;
    }
    let booking = booking::Terms {
        channel_booking_id: &order.channel_order_id,
        dates: (snapshot.visit_date, snapshot.valid_until),
        time: snapshot.visit_time.clone(),
        visitors: Vec::new(),
        contact: Some(snapshot.sale.buyer.clone()),
        requested_at: snapshot.sale.placed_at,
        hold: None,
    }
    .booking(&order.rules.booking, moment);
    let units = order.live_units();
    draft.held = units;
    let taken = date_stock_key(&order.rules.booking, snapshot.visit_date).filter(|_| units > 0);
    let part = Decision::nothing()
        .event(Event::BookingRequested { booking: Box::new(booking) })
        .maybe(taken.map(|key| Effect::TakeStock { key, units }));
    draft.add(part);
}

/// Units of a live booking that were called off or added since the picture before; and a visit that was moved.
fn units_changed(draft: &mut Draft, before: &Order) {
    let (Some(old), Some(booking)) = (before.channel_state.as_deref(), before.active_booking()) else { return };
    let product = &before.rules.booking;
    let gone = draft
        .order
        .channel_state
        .as_deref()
        .map_or(0, ChannelState::cancelled_units)
        .saturating_sub(old.cancelled_units());
    let mut part = Decision::nothing();
    let moved_to = draft.order.booking.as_ref().and_then(|b| b.visit_date);
    if moved_to != booking.visit_date {
        let (units_before, units_now) = (before.live_units(), draft.order.live_units());
        part = part
            .maybe(
                date_stock_key(product, booking.visit_date).map(|key| Effect::ReturnStock { key, units: units_before }),
            )
            .maybe(date_stock_key(product, moved_to).map(|key| Effect::TakeStock { key, units: units_now }));
    } else if gone > 0 && draft.order.live_units() > 0 {
        let key = date_stock_key(product, booking.visit_date);
        part = part.maybe(key.map(|key| Effect::ReturnStock { key, units: gone }));
    }
    let added = draft.order.live_units().saturating_sub(before.live_units());
    if added > 0 && moved_to == booking.visit_date {
        let key = date_stock_key(product, booking.visit_date);
        part = part.maybe(key.map(|key| Effect::TakeStock { key, units: added }));
    }
    if draft.order.live_units() > 0 {
        draft.held = draft.order.live_units();
    }
    draft.add(part);
    let has_tickets = booking.ticketing.may_be_live();
    if has_tickets && gone > 0 && draft.order.live_units() > 0 {
        let sentence = format!(
            "called off: {}; the back-end cannot void a part: stop them at the gate",
            crate::words::units(gone)
        );
        draft.flag(AttentionKind::LiveTicketBehindRefund, sentence);
    }
    if has_tickets && added > 0 {
        let plural = if added == 1 { "unit was" } else { "units were" };
        let sentence = format!(
            "{added} {plural} added after the tickets were asked for, which are for {}: issue the rest by hand",
            before.live_units()
        );
        draft.flag(AttentionKind::Contradiction, sentence);
    }
    if has_tickets && moved_to != booking.visit_date {
        draft.flag(
            AttentionKind::Contradiction,
            "the visit was moved after its tickets were made; issue new ones by hand",
        );
    }
}

/// A partner's system hears of an order once, and again when what it was told has changed.
fn hand_over(draft: &mut Draft, before: &Order) {
    let Some(now) = draft.order.channel_state.as_deref().filter(|m| m.standing.hand_over) else { return };
    if draft.order.state == OrderState::Cancelled {
        return;
    }
    let told = before.channel_state.as_deref().is_some_and(|old| {
        old.standing.hand_over
            && old.standing.extra == now.standing.extra
            && before.buyer == draft.order.buyer
            && before.money.gross == draft.order.money.gross
            && before.money.due == draft.order.money.due
            && before.booking.as_ref().map(|b| b.visit_date) == draft.order.booking.as_ref().map(|b| b.visit_date)
    });
    if !told {
        draft.decision.effects.push(Effect::TellChannel { notification: Notification::HandOver, not_before: None });
    }
}
