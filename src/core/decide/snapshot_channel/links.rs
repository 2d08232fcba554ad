// SPDX-License-Identifier: Apache-2.0

//! Payment links: made, taken back, paid, and over.

use super::payments::open_balance;
use crate::decide::draft::Draft;
use crate::message::{DeadlineKind, Effect, Event, Notification, NotificationOutcome, Snapshot};
use crate::order::channel_state::{ChannelState, LinkPart, LinkState, PaymentLink, Stage};
use crate::order::money::PaymentMode;
use crate::order::{BookingState, Fact, Order, OrderState};
use crate::rejection::{Rejection, Why};
use crate::time::UnixMillis;

/// Ops send the guest a payment link: one is live at most, and a new one takes the old one back (TS-02).
pub(in crate::decide) fn send_link(
    draft: &mut Draft,
    channel_state: Option<&ChannelState>,
    amount: Option<i64>,
    expires_at: UnixMillis,
) -> Result<(), Rejection> {
    let Some(channel_state) = channel_state else {
        return Err(Rejection::new(Why::NotSupported, "this channel has no payment links"));
    };
    let order = draft.order();
    if order.money.mode == PaymentMode::Ledger && channel_state.standing.pays_by.is_none() {
        return Err(Rejection::new(
            Why::NotSupported,
            "this channel takes the money with the booking: it has no links",
        ));
    }
    let refuse = |sentence: &'static str| Err(Rejection::new(Why::LinkNotNeeded, sentence));
    if order.state == OrderState::Cancelled || order.case_under_review().is_some() {
        return refuse("nothing is to be paid for an order that is cancelled, or about to be");
    }
    if order.booking.as_ref().is_none_or(|b| b.state != BookingState::Confirmed) {
        return refuse("a link is sent for an accepted booking only; accept it first");
    }
    let open = open_balance(&order);
    if order.money.mode != PaymentMode::Ledger || open <= 0 {
        return refuse("nothing is open");
    }
    let first = channel_state.standing.confirm_needs;
    let next = if order.money.received() == 0 && (1..open).contains(&first) { first } else { open };
    let amount = amount.unwrap_or(next);
    if amount <= 0 || amount > open {
        return Err(Rejection::new(Why::Invalid, format!("the amount can be 1 to {open}")).at("amount"));
    }
    if expires_at <= draft.now() {
        return Err(Rejection::new(Why::Invalid, "the link would be over before it is sent").at("expires_at"));
    }
    if !not_taken_back(&order, draft.now()).is_empty() {
        return refuse("the link before could not be taken back, and the guest may pay with it; take it back first");
    }
    if channel_state.unproven.iter().any(|unproven| matches!(unproven.notification, Notification::LinkRevoked { .. })) {
        return refuse(
            "the channel has not shown yet that the link before is taken back, and the guest may pay with it; look there, or compare the books",
        );
    }
    end_live_link(draft, LinkState::Revoked);
    let key = format!("lnk_{:032x}", draft.moment.seed.0);
    let part = Some(LinkPart::of(order.money.held(), open, amount));
    let link =
        PaymentLink { key: key.clone(), id: None, url: None, amount, part, expires_at, state: LinkState::Requested };
    draft.event(Event::PaymentLinkChanged { link });
    make_link(draft);
    Ok(())
}

/// Has the link made that is wanted, once the channel has taken back the one before, or has said so at least: a new one takes the place of
/// any other there.
pub(in crate::decide) fn make_link(draft: &mut Draft) {
    let order = draft.order();
    let is_wanted = |link: &&PaymentLink| link.state == LinkState::Requested && link.id.is_none();
    let waits = order.channel_state.as_deref().is_some_and(ChannelState::takes_link_back);
    if let (Some(link), false) = (links(&order).iter().find(is_wanted), waits) {
        draft.tell(Notification::PaymentLink { key: link.key.clone() });
    }
}

/// Ops take the live link back, and any that the channel would not take back before.
pub(in crate::decide) fn revoke_link(draft: &mut Draft) -> Result<(), Rejection> {
    let order = draft.order();
    let missed = not_taken_back(&order, draft.now());
    let live = live_link(&order);
    if live.is_none() && missed.is_empty() {
        return Err(Rejection::new(Why::NotFound, "this order has no live payment link"));
    }
    let live = live.and_then(|link| link.id.clone());
    end_live_link(draft, LinkState::Revoked);
    for id in missed {
        let (is_told, notification) = (Some(&id) == live.as_ref(), Notification::LinkRevoked { id });
        draft.event(Event::NotificationRepeated { notification: notification.clone() });
        if !is_told {
            draft.tell(notification);
        }
    }
    Ok(())
}

/// Links that the channel would not take back, by their numbers: the guest can pay with them until their time is over.
fn not_taken_back(order: &Order, now: UnixMillis) -> Vec<String> {
    let may_live = |link: &PaymentLink| {
        matches!(link.state, LinkState::Live | LinkState::Revoking)
            && link.expires_at > now
            && link.id.as_ref().is_some_and(|id| is_missed_revoke(order, id))
    };
    links(order).iter().filter(|link| may_live(link)).filter_map(|link| link.id.clone()).collect()
}

fn is_missed_revoke(order: &Order, id: &str) -> bool {
    order.was_undelivered(|missed| matches!(missed, Notification::LinkRevoked { id: of } if of == id))
}

/// The channel did not take the link back: it is as alive as before, and the one that was to take its place is not made. Where that one has
/// been made meanwhile, it is the live one, and the other is still to be taken back: a person sees that it was not.
pub(super) fn revoke_failed(draft: &mut Draft, id: &str) {
    let order = draft.order();
    let is_it = |link: &&PaymentLink| link.id.as_deref() == Some(id) && link.state == LinkState::Revoking;
    let Some(link) = links(&order).iter().find(is_it) else { return };
    let is_unmade = |link: &&PaymentLink| link.state == LinkState::Requested && link.id.is_none();
    if let Some(other) = links(&order).iter().find(is_unmade) {
        turn(draft, other, LinkState::Revoked);
    }
    // The guest was sooner.
    if order.was_paid_by(id) {
        return turn(draft, link, LinkState::Paid);
    }
    let is_over = link.expires_at <= draft.now();
    if is_over || draft.order().channel_state.as_deref().is_none_or(|state| state.live_link().is_none()) {
        turn(draft, link, if is_over { LinkState::Expired } else { LinkState::Live });
    }
}

/// The channel has taken the link back: what was to take its place can be made.
pub(in crate::decide) fn revoked(draft: &mut Draft, id: &str) {
    let order = draft.order();
    let is_it = |link: &&PaymentLink| {
        link.id.as_deref() == Some(id) && matches!(link.state, LinkState::Live | LinkState::Revoking)
    };
    if let Some(link) = links(&order).iter().find(is_it) {
        turn(draft, link, LinkState::Revoked);
        make_link(draft);
    }
}

fn turn(draft: &mut Draft, link: &PaymentLink, state: LinkState) {
    draft.event(Event::PaymentLinkChanged { link: PaymentLink { state, ..link.clone() } });
}

fn live_link(order: &Order) -> Option<&PaymentLink> {
    order.channel_state.as_deref().and_then(ChannelState::live_link)
}

fn links(order: &Order) -> &[PaymentLink] {
    order.channel_state.as_deref().map(|channel_state| channel_state.links.as_slice()).unwrap_or_default()
}

fn end_live_link(draft: &mut Draft, state: LinkState) {
    let order = draft.order();
    let Some(link) = live_link(&order) else { return };
    match (state, link.id.clone()) {
        // It is gone once the channel says so.
        (LinkState::Revoked, Some(id)) => {
            turn(draft, link, LinkState::Revoking);
            draft.tell(Notification::LinkRevoked { id });
        }
        (state, _) => turn(draft, link, state),
    }
}

/// The channel has made the link. One that was taken back meanwhile is taken back there too.
pub(in crate::decide) fn record_link(draft: &mut Draft, key: &str, id: &str, url: Option<&str>) {
    let order = draft.order();
    let Some(link) = links(&order).iter().find(|link| link.key == key && link.id.is_none()) else { return };
    let is_still_needed = link.state == LinkState::Requested;
    let state = if is_still_needed { LinkState::Live } else { LinkState::Revoking };
    let made = PaymentLink { id: Some(id.to_owned()), url: url.map(str::to_owned), state, ..link.clone() };
    draft.event(Event::PaymentLinkChanged { link: made });
    if !is_still_needed {
        draft.tell(Notification::LinkRevoked { id: id.to_owned() });
    }
}

/// The channel did not make the link, or has never said whether it did: then it may be alive there, and no number of it is known.
pub(super) fn link_failed(draft: &mut Draft, key: &str, outcome: &NotificationOutcome) {
    let order = draft.order();
    let Some(link) = links(&order).iter().find(|link| link.key == key && link.id.is_none()) else { return };
    if link.state == LinkState::Requested {
        let link = PaymentLink { state: LinkState::Revoked, ..link.clone() };
        draft.event(Event::PaymentLinkChanged { link });
    }
    if matches!(outcome, NotificationOutcome::GivenUp { .. }) {
        draft.flag_fact(Fact::LinkUnanswered { key: key.to_owned() });
    }
}

/// What the snapshot says of links; and one that has nothing left to collect is taken back.
pub(super) fn follow_links(draft: &mut Draft, snapshot: &Snapshot) {
    let before = draft.order();
    let was_waiting = before.channel_state.as_deref().is_some_and(ChannelState::takes_link_back);
    let mut died = false;
    for link in links(&before) {
        let Some(id) = link.id.as_deref() else { continue };
        let told = snapshot.link.as_ref().filter(|news| news.id == id).map(|news| news.state);
        // One that is over is not alive again because the guest still had it open.
        let told = told.filter(|state| *state != LinkState::Live || link.is_live());
        // Of one that is being taken back the channel's answer tells whether the guest was sooner.
        let is_paid = snapshot.standing.is_paid_by(id) && !link.state.is_over() && link.state != LinkState::Revoking;
        let state = told.or(is_paid.then_some(LinkState::Paid)).unwrap_or(link.state);
        if state != link.state {
            died |= link.is_live() && matches!(state, LinkState::Expired | LinkState::Revoked);
            draft.event(Event::PaymentLinkChanged { link: PaymentLink { state, ..link.clone() } });
        }
    }
    let order = draft.order();
    let wants_out = matches!(snapshot.standing.stage, Stage::CancelRequested { .. });
    let open = order.to_collect();
    if wants_out || order.is_over() || open <= 0 {
        // One that the channel would not take back is with a person.
        let is_missed =
            live_link(&order).and_then(|link| link.id.as_deref()).is_some_and(|id| is_missed_revoke(&order, id));
        if !is_missed {
            end_live_link(draft, LinkState::Revoked);
        }
    } else if died {
        draft.flag_fact(Fact::LinkOver);
    }
    for id in links(&order).iter().filter(|link| link.state == LinkState::Paid).filter_map(|link| link.id.clone()) {
        draft.flag_fact(Fact::LinkPaidUnseen { id });
    }
    if was_waiting {
        make_link(draft);
    }
}

/// That a link is over is news, however late it is told: one that was taken back, or has run out, was not what paid, although money came
/// through it meanwhile.
pub(super) fn follow_late(draft: &mut Draft, snapshot: &Snapshot) {
    let Some(news) = &snapshot.link else { return };
    let is_over = matches!(news.state, LinkState::Revoked | LinkState::Expired);
    let order = draft.order();
    let meant = links(&order)
        .iter()
        .find(|link| link.id.as_ref() == Some(&news.id) && matches!(link.state, LinkState::Paid | LinkState::Revoking));
    if let Some(link) = meant.filter(|_| is_over) {
        turn(draft, link, news.state);
        if link.state == LinkState::Revoking {
            make_link(draft);
        }
    }
}

/// When the link is over that the guest can pay with.
pub(in crate::decide) fn end_of_link(order: &Order) -> Option<UnixMillis> {
    live_link(order).filter(|link| link.id.is_some()).map(|link| link.expires_at)
}

/// The end of that link is a deadline: a channel may let it run out and tell nobody.
pub(in crate::decide) fn keep_time_of_link(draft: &mut Draft, before: &Order) {
    let kind = DeadlineKind::PaymentLink;
    match (end_of_link(before), end_of_link(&draft.order())) {
        (was, Some(due_at)) if was != Some(due_at) => {
            draft.effect(Effect::ArmDeadline { kind, due_at, warn_at: Vec::new() });
        }
        (Some(_), None) => draft.disarm(&[kind]),
        (Some(_) | None, Some(_) | None) => {}
    }
}

/// Money that came too late, and is on its way back, has paid for nothing: what was open before is open again.
pub(super) fn keep_flagged(draft: &mut Draft, before: &Order) {
    if before.needs(Fact::LinkOver.kind()) && !draft.order().is_over() {
        draft.flag_fact(Fact::LinkOver);
    }
}

/// A link whose time is over is over, whether anybody tells it or not.
pub(super) fn end_links_in_time(draft: &mut Draft) {
    end_links_by(draft, draft.now());
}

/// The same of those whose time was over by then, whatever this instance's clock says.
pub(in crate::decide) fn end_links_by(draft: &mut Draft, time: UnixMillis) {
    let before = draft.order();
    let is_over =
        |link: &&PaymentLink| matches!(link.state, LinkState::Live | LinkState::Revoking) && link.expires_at <= time;
    for link in links(&before).iter().filter(is_over) {
        turn(draft, link, LinkState::Expired);
    }
    if before.channel_state.as_deref().is_some_and(ChannelState::takes_link_back) {
        make_link(draft);
    }
    if !live_link(&before).is_some_and(|link| is_over(&link)) {
        return;
    }
    if !draft.order().is_over() {
        draft.flag_fact(Fact::LinkOver);
    }
}
