//! Payment links: made, taken back, paid, and over.

use super::payments::open_balance;
use crate::decide::Decision;
use crate::decide::draft::Draft;
use crate::message::{Effect, Event, Report, Snapshot};
use crate::order::channel_state::{LinkState, Mirror, PaymentLink, Stage};
use crate::order::money::PaymentMode;
use crate::order::{AttentionKind, BookingState, Order, OrderState};
use crate::rejection::{Rejection, Why};
use crate::time::{Moment, UnixMillis};

/// Ops send the guest a payment link: one is live at most, and a new one takes the old one back (TS-02).
pub(in crate::decide) fn send_link(
    order: &Order,
    amount: Option<i64>,
    expires_at: UnixMillis,
    moment: Moment,
) -> Result<Decision, Rejection> {
    let Some(mirror) = order.mirror.as_deref() else {
        return Err(Rejection::new(Why::NotSupported, "this channel has no payment links"));
    };
    let refuse = |sentence: &'static str| Err(Rejection::new(Why::LinkNotNeeded, sentence));
    if order.state == OrderState::Cancelled || order.case_under_review().is_some() {
        return refuse("nothing is to be paid for an order that is called off, or about to be");
    }
    if order.booking.as_ref().is_none_or(|b| b.state != BookingState::Confirmed) {
        return refuse("a link is sent for an accepted booking only; accept it first");
    }
    let open = open_balance(order);
    if order.money.mode != PaymentMode::Ledger || open <= 0 {
        return refuse("nothing is open");
    }
    let first = mirror.picture.accept_needs;
    let next = if order.money.received() == 0 && (1..open).contains(&first) { first } else { open };
    let amount = amount.unwrap_or(next);
    if amount <= 0 || amount > open {
        return Err(Rejection::new(Why::Invalid, format!("the amount can be 1 to {open}")).at("amount"));
    }
    if expires_at <= moment.now {
        return Err(Rejection::new(Why::Invalid, "the link would be over before it is sent").at("expires_at"));
    }
    let mut draft = Draft::of(order, moment);
    end_live_link(&mut draft, LinkState::Revoked);
    let key = format!("lnk_{:032x}", moment.seed.0);
    let link = PaymentLink { key: key.clone(), id: None, url: None, amount, expires_at, state: LinkState::Wanted };
    draft.add(
        Decision::nothing()
            .event(Event::PaymentLinkChanged { link })
            .effect(Effect::TellChannel { report: Report::PaymentLink { key }, not_before: None }),
    );
    Ok(draft.decision)
}

/// Ops take the live link back.
pub(in crate::decide) fn revoke_link(order: &Order, moment: Moment) -> Result<Decision, Rejection> {
    if order.mirror.as_deref().and_then(Mirror::live_link).is_none() {
        return Err(Rejection::new(Why::NotFound, "this order has no live payment link"));
    }
    let mut draft = Draft::of(order, moment);
    end_live_link(&mut draft, LinkState::Revoked);
    Ok(draft.decision)
}

fn end_live_link(draft: &mut Draft, state: LinkState) {
    let Some(link) = draft.order.mirror.as_deref().and_then(Mirror::live_link).cloned() else { return };
    let mut part = Decision::nothing().event(Event::PaymentLinkChanged { link: PaymentLink { state, ..link.clone() } });
    if let (LinkState::Revoked, Some(id)) = (state, link.id) {
        part = part.effect(Effect::TellChannel { report: Report::LinkRevoked { id }, not_before: None });
    }
    draft.add(part);
}

/// The channel has made the link. One that was taken back meanwhile is taken back there too.
pub(in crate::decide) fn record_link(order: &Order, key: &str, id: &str, url: Option<&str>) -> Decision {
    let links = order.mirror.as_deref().map(|m| m.links.as_slice()).unwrap_or_default();
    let Some(link) = links.iter().find(|link| link.key == key && link.id.is_none()) else {
        return Decision::nothing();
    };
    let is_wanted = link.state == LinkState::Wanted;
    let state = if is_wanted { LinkState::Live } else { link.state };
    let made = PaymentLink { id: Some(id.to_owned()), url: url.map(str::to_owned), state, ..link.clone() };
    let decision = Decision::nothing().event(Event::PaymentLinkChanged { link: made });
    if is_wanted {
        return decision;
    }
    let report = Report::LinkRevoked { id: id.to_owned() };
    decision.effect(Effect::TellChannel { report, not_before: None })
}

/// The channel did not make the link.
pub(in crate::decide) fn link_failed(draft: &mut Draft, key: &str) {
    let links = draft.order.mirror.as_deref().map(|m| m.links.as_slice()).unwrap_or_default();
    if let Some(link) = links.iter().find(|link| link.key == key && link.state == LinkState::Wanted).cloned() {
        let link = PaymentLink { state: LinkState::Revoked, ..link };
        draft.add(Decision::nothing().event(Event::PaymentLinkChanged { link }));
    }
}

/// What the picture says of links; and one that has nothing left to collect is taken back.
pub(in crate::decide) fn follow_links(draft: &mut Draft, snapshot: &Snapshot) {
    let links = draft.order.mirror.as_deref().map(|m| m.links.clone()).unwrap_or_default();
    let paid = |id: &str| snapshot.picture.payments.iter().any(|p| p.link.as_deref() == Some(id));
    let mut died = false;
    for link in links {
        let Some(id) = link.id.as_deref() else { continue };
        let told = snapshot.link.as_ref().filter(|news| news.id == id).map(|news| news.state);
        // One that is over is not alive again because the guest still had it open.
        let told = told.filter(|state| *state != LinkState::Live || link.is_live());
        let state = told.or((link.is_live() && paid(id)).then_some(LinkState::Paid)).unwrap_or(link.state);
        if state != link.state {
            died |= link.is_live() && matches!(state, LinkState::Expired | LinkState::Revoked);
            draft.add(Decision::nothing().event(Event::PaymentLinkChanged { link: PaymentLink { state, ..link } }));
        }
    }
    let wants_out = matches!(snapshot.picture.stage, Stage::CancelRequested { .. });
    // Money that is being sent back pays for nothing: the link that is live still has something to collect.
    let open = open_balance(&draft.order) + draft.order.money.refund_pending();
    if wants_out || draft.order.is_over() || open <= 0 {
        end_live_link(draft, LinkState::Revoked);
    } else if died {
        flag_dead_link(draft, open);
    }
}

/// A link whose time is over is over, whether anybody tells it or not.
pub(in crate::decide) fn end_links_in_time(draft: &mut Draft, now: UnixMillis) {
    let live = draft.order.mirror.as_deref().and_then(Mirror::live_link);
    if live.is_none_or(|link| link.state != LinkState::Live || now < link.expires_at) {
        return;
    }
    end_live_link(draft, LinkState::Expired);
    let open = open_balance(&draft.order) + draft.order.money.refund_pending();
    if open > 0 && !draft.order.is_over() {
        flag_dead_link(draft, open);
    }
}

fn flag_dead_link(draft: &mut Draft, open: i64) {
    let sentence = format!("the payment link is over, and {open} is still to be paid; send another one");
    draft.flag(AttentionKind::PaymentLinkOver, sentence);
}
