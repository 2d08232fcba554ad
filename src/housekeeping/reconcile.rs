// SPDX-License-Identifier: Apache-2.0

//! Reconciliation: what the channel and the back-end say of every open order, against what we say.
//!
//! What is certain is repaired through the same commands as always, so the history shows it; everything else is listed with its
//! reason. Nothing is decided here on a channel's state numbers, which are not documented (`adapters/douyin/README.md`).

mod backend;
mod change_feed;
mod report;

pub use report::{Difference, LastReport, Reconciliation};
use report::{RECONCILE, apply, astray, difference};

use std::num::NonZeroU32;
use std::sync::Arc;

use governor::{Quota, RateLimiter};
use ticketbridge_core::message::{
    Actor, ActorKind, Command, Notification, NotificationOutcome, RecordRefund, RefundScope, Snapshot,
};
use ticketbridge_core::order::channel_state::ChannelState;
use ticketbridge_core::order::undelivered::{NOT_DONE, NOT_DONE_WHY};
use ticketbridge_core::order::{AttentionKind, Order, OrderState};
use ticketbridge_core::port::{CallResult, ChannelView, Context, HttpResponse, ReadBack, UNREADABLE_ORDER};
use ticketbridge_core::{ChannelId, Millis, UnixMillis};
use ticketbridge_store::{OrderFilter, PageRequest};

use crate::engine::EngineError;
use crate::recorder::course;
use crate::service::registry::RegisteredChannel;
use crate::worker::Worker;

/// Questions a second to one channel, whatever it allows (`adapters/douyin/README.md`).
pub const QUESTIONS_PER_SECOND: u32 = 20;
/// Orders read from the database at once.
const PAGE: u32 = 100;
/// Orders that have come to their end are looked at for this long: a late refund, a use that is told the next morning.
const CLOSED_FOR: Millis = Millis::hours(72);
/// Orders that have come to their end so recently are compared like open ones: what ended them is not in anybody's books for sure.
const JUST_ENDED_FOR: Millis = Millis::hours(1);
/// The states in which an order has come to its end.
const CLOSED: [OrderState; 2] = [OrderState::Completed, OrderState::Cancelled];
/// What a comparison reads on its way.
const LIST: &str = "list";

/// Which books are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Open orders of this channel, or of all.
    Open(Option<ChannelId>),
    /// Open orders of the channels that can be asked for whole orders.
    Followed,
    /// Orders of these channels that came to their end in the last days.
    Closed,
}

/// The channels of a scope.
fn channels(worker: &Worker, scope: &Scope) -> Vec<Arc<RegisteredChannel>> {
    let running = worker.engine.running();
    let is_in = |channel: &&Arc<RegisteredChannel>| match scope {
        Scope::Open(named) => named.as_ref().is_none_or(|id| id == &channel.id),
        Scope::Followed | Scope::Closed => can_be_asked(channel),
    };
    running.registry.channels().filter(is_in).cloned().collect()
}

/// Whether a channel can be asked for whole orders.
fn can_be_asked(channel: &RegisteredChannel) -> bool {
    channel.channel.read_back().is_some()
}

/// Whether something of an order that has come to its end is still to be seen in the channel's books: it has only just ended, or money or a
/// yes without proof is open.
fn is_unsettled(order: &Order, now: UnixMillis) -> bool {
    if now < order.updated_at + JUST_ENDED_FOR {
        return true;
    }
    let unproven = order.channel_state.as_deref().is_some_and(|channel_state| !channel_state.unproven.is_empty());
    let differs = [AttentionKind::BooksDiffer, AttentionKind::AnswerAstray].into_iter().any(|kind| order.needs(kind));
    // What it would not take, or has never answered, it may have done all the same.
    unproven || differs || order.money.refund_pending() > 0 || !order.undelivered.is_empty()
}

/// Compares the orders of a scope with their channels and back-ends, and the channels' own lists with ours.
///
/// # Errors
/// Store errors. A partner that does not answer is counted, not an error.
pub async fn reconcile(worker: &Worker, scope: Scope) -> Result<Reconciliation, EngineError> {
    let mut report = Reconciliation { started_ms: worker.engine.clock().now().0, ..Reconciliation::default() };
    let open = [OrderState::Placed, OrderState::AwaitingBooking, OrderState::Booked];
    let (states, updated_since) = match scope {
        Scope::Open(_) | Scope::Followed => (open.as_slice(), None),
        Scope::Closed => {
            let since = worker.engine.clock().now() - CLOSED_FOR;
            (CLOSED.as_slice(), Some(since))
        }
    };
    for channel in channels(worker, &scope) {
        change_feed::take_over(worker, &channel, &mut report).await?;
        let of = |state: &OrderState, updated_since| OrderFilter {
            channel: Some(channel.id.clone()),
            state: Some(*state),
            updated_since,
            ..OrderFilter::default()
        };
        for state in states {
            compare_orders(worker, &of(state, updated_since), &|_| Some(Compared::Both), &mut report).await?;
        }
        if matches!(scope, Scope::Closed) {
            continue;
        }
        // Money goes back, uses are told, and tickets are voided, at an order's end: what is unsettled of it does not wait for the morning.
        let now = worker.engine.clock().now();
        let is_followed = can_be_asked(&channel);
        let what_of = |order: &Order| {
            if is_followed && is_unsettled(order, now) {
                return Some(Compared::Both);
            }
            backend::is_to_be_seen(order, now).then_some(Compared::Backend)
        };
        let since = now - CLOSED_FOR;
        for state in &CLOSED {
            compare_orders(worker, &of(state, Some(since)), &what_of, &mut report).await?;
        }
    }
    report.ended_ms = worker.engine.clock().now().0;
    metrics::gauge!("ticketbridge_reconciliation_differences").set(report.differences.len() as f64);
    tracing::info!(
        orders = report.orders,
        repaired = report.repaired,
        differences = report.differences.len(),
        unanswered = report.unanswered,
        "books are compared"
    );
    for difference in report.differences.iter().filter(|difference| !difference.repaired) {
        tracing::warn!(order = %difference.order_id, partner = %difference.partner, field = difference.field,
            "the books differ: {}", difference.reason);
    }
    Ok(report)
}

/// With whose books an order is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compared {
    /// The channel's and the back-end's.
    Both,
    /// The back-end's alone.
    Backend,
}

/// Compares the orders of a list, each with what `what_of` says, and not at all where it says nothing.
async fn compare_orders(
    worker: &Worker,
    filter: &OrderFilter,
    what_of: &(dyn Fn(&Order) -> Option<Compared> + Sync),
    report: &mut Reconciliation,
) -> Result<(), EngineError> {
    let rate = NonZeroU32::new(QUESTIONS_PER_SECOND).unwrap_or(NonZeroU32::MIN);
    let pace = RateLimiter::direct(Quota::per_second(rate));
    let mut page = PageRequest { limit: PAGE, cursor: None };
    loop {
        worker.engine.look_in_turn(LIST).await;
        let found = worker.engine.store().list_orders(filter, &page).await?;
        for listed in &found.items {
            if what_of(listed).is_none() {
                note_untold(listed, report);
                continue;
            }
            // Where a recording is played nobody is really asked, and nothing may hang on how long this takes.
            if !course::is_played() {
                pace.until_ready().await;
            }
            // Partners are asked about the order as it is now: since the list was read, the ones before it were asked, each for as long as it took.
            let Some(order) = worker.engine.read_in_turn(&listed.id).await? else { continue };
            // It has moved on, and is in another list by now.
            if filter.state.is_some_and(|state| state != order.state) {
                continue;
            }
            note_untold(&order, report);
            let Some(compared) = what_of(&order) else { continue };
            report.orders += 1;
            if compared == Compared::Both {
                ask_channel(worker, &order, report).await?;
            }
            backend::ask(worker, &order, report).await?;
        }
        match found.next_cursor {
            Some(cursor) => page.cursor = Some(cursor),
            None => return Ok(()),
        }
    }
}

/// What ops have put aside, the channel has never heard: its books differ from ours by that, whether they can be read or not.
fn note_untold(order: &Order, report: &mut Reconciliation) {
    for notification in order.put_aside() {
        let name = notification.name();
        report.note(Difference {
            ours: format!("`{name}` is to be told"),
            theirs: "never told".to_owned(),
            reason: format!(
                "`{name}` was put aside, and its partner has never heard it; retry the delivery to tell it"
            ),
            ..difference(order, order.channel.as_str(), "report")
        });
    }
}

async fn ask_channel(worker: &Worker, order: &Order, report: &mut Reconciliation) -> Result<(), EngineError> {
    let Some(channel) = worker.engine.running().registry.channel(&order.channel) else { return Ok(()) };
    if let Some(read_back) = channel.channel.read_back() {
        return take_whole(worker, order, &channel, read_back, report).await;
    }
    // A channel without an order query has nothing to compare with.
    let Some(query) = channel.channel.order_query() else { return Ok(()) };
    let write = |cx: &Context<'_>| query.call(order, cx);
    let read = |response: &HttpResponse| query.read(order, response);
    let Ok(exchange) = worker.ask_channel(RECONCILE, &channel, &write, &read).await else { return Ok(()) };
    match exchange.result {
        CallResult::Done(view) => compare_channel(worker, order, &view, report).await,
        CallResult::Astray { why } => {
            let actor = Actor::new(ActorKind::Channel, channel.id.as_str());
            astray(worker, order, actor, "order", &why, report).await
        }
        CallResult::Retry { .. }
        | CallResult::Refused { .. }
        | CallResult::Unknown { .. }
        | CallResult::Absent
        | CallResult::Overtaken
        | CallResult::TokenRejected => {
            report.unanswered += 1;
            Ok(())
        }
    }
}

/// A snapshot channel is simply asked for this one; what is news in it is taken over.
async fn take_whole(
    worker: &Worker,
    order: &Order,
    channel: &Arc<RegisteredChannel>,
    read_back: &dyn ReadBack,
    report: &mut Reconciliation,
) -> Result<(), EngineError> {
    let partner = order.channel.as_str();
    let write = |cx: &Context<'_>| read_back.call(&order.channel_order_id, cx);
    let read = |response: &HttpResponse| read_back.read(&order.channel_order_id, response);
    let Ok(exchange) = worker.ask_channel(RECONCILE, channel, &write, &read).await else { return Ok(()) };
    match exchange.result {
        CallResult::Done(snapshot) => {
            take_snapshot(worker, order, channel, snapshot, report).await?;
            ask_for_hand_over(worker, order, channel, report).await
        }
        CallResult::Astray { why } => {
            let actor = Actor::new(ActorKind::Channel, partner);
            astray(worker, order, actor, "order", &why, report).await
        }
        CallResult::Absent => {
            report.note(Difference {
                ours: "known".to_owned(),
                theirs: "unknown".to_owned(),
                reason: "the channel does not know this order; ask it".to_owned(),
                ..difference(order, partner, "order")
            });
            Ok(())
        }
        CallResult::Unknown { why } if why == UNREADABLE_ORDER => {
            report.note(Difference {
                ours: "known".to_owned(),
                theirs: "cannot be read".to_owned(),
                reason: "the channel's own account of this order contradicts itself or cannot be read; settle it there"
                    .to_owned(),
                ..difference(order, partner, "order")
            });
            let sentence = "the channel, asked how this order stands, tells what contradicts itself or cannot be read; settle it there";
            let doubt = Command::RecordDoubt { sentence: sentence.into(), unread: true };
            apply(worker, order, doubt, Actor::new(ActorKind::Channel, partner)).await.map(|_| ())
        }
        CallResult::Retry { .. }
        | CallResult::Refused { .. }
        | CallResult::Unknown { .. }
        | CallResult::Overtaken
        | CallResult::TokenRejected => {
            report.unanswered += 1;
            Ok(())
        }
    }
}

/// Compares one order with what its channel has just said of it; what differs is repaired or logged.
///
/// # Errors
/// Store errors.
pub(crate) async fn compare_one(worker: &Worker, order: &Order, view: &ChannelView) -> Result<(), EngineError> {
    let mut report = Reconciliation::default();
    compare_channel(worker, order, view, &mut report).await?;
    for difference in report.differences.iter().filter(|difference| !difference.repaired) {
        tracing::warn!(order = %difference.order_id, partner = %difference.partner, field = difference.field,
            "the books differ: {}", difference.reason);
    }
    Ok(())
}

/// A partner's own books that said yes to an order without a number for it: they are asked whether they have it.
async fn ask_for_hand_over(
    worker: &Worker,
    order: &Order,
    channel: &RegisteredChannel,
    report: &mut Reconciliation,
) -> Result<(), EngineError> {
    let is_unproven = |channel_state: &ChannelState| {
        channel_state.unproven.iter().any(|unproven| unproven.notification == Notification::HandOver)
    };
    if !order.channel_state.as_deref().is_some_and(is_unproven) {
        return Ok(());
    }
    let handed_over = Notification::HandOver;
    let Some(look) = channel.channel.verify_first(&handed_over) else { return Ok(()) };
    let write = |cx: &Context<'_>| look.call(&handed_over, order, cx);
    let read = |response: &HttpResponse| look.read(&handed_over, order, response);
    let Ok(exchange) = worker.ask_channel(RECONCILE, channel, &write, &read).await else { return Ok(()) };
    let actor = Actor::new(ActorKind::Channel, channel.id.as_str());
    let checked = match exchange.result {
        CallResult::Done(checked) => checked,
        CallResult::Astray { why } => return astray(worker, order, actor, "order", &why, report).await,
        CallResult::Retry { .. }
        | CallResult::Refused { .. }
        | CallResult::Unknown { .. }
        | CallResult::Absent
        | CallResult::Overtaken
        | CallResult::TokenRejected => {
            report.unanswered += 1;
            return Ok(());
        }
    };
    for command in checked.learned {
        apply(worker, order, command, actor.clone()).await?;
    }
    let is_done = checked.carried_out.bears_out_a_yes();
    let outcome = match is_done {
        true => NotificationOutcome::Acknowledged,
        false => NotificationOutcome::Refused { code: NOT_DONE.into(), why: NOT_DONE_WHY.into() },
    };
    apply(worker, order, Command::RecordNotification { notification: Notification::HandOver, outcome }, actor).await?;
    if !is_done {
        report.note(Difference {
            ours: "handed over".to_owned(),
            theirs: "unknown".to_owned(),
            reason: "the partner's own books said yes to this order and do not have it".to_owned(),
            ..difference(order, order.channel.as_str(), "hand_over")
        });
    }
    Ok(())
}

/// What the channel has is taken over where it is news; on what it contradicts us at the count of changes that we know, it is asked
/// again for what it had said yes to, or the order is shown to a person.
async fn take_snapshot(
    worker: &Worker,
    order: &Order,
    channel: &Arc<RegisteredChannel>,
    snapshot: Box<Snapshot>,
    report: &mut Reconciliation,
) -> Result<(), EngineError> {
    let partner = order.channel.as_str();
    let known = order.channel_state.as_deref();
    let (ours, theirs) = (known.map_or(0, |m| m.standing.revision), snapshot.standing.revision);
    let (is_news, differed) = (snapshot.is_news_to(known), snapshot.disagreements(order));
    let running = worker.engine.running();
    let (taken, now) =
        match worker.engine.take_read_back(None, running, channel.clone(), snapshot.clone(), Some(order)).await {
            Ok(applied) => (applied.changed, applied.order),
            Err(EngineError::Rejected(_)) => (false, order.clone()),
            Err(other) => return Err(other),
        };
    // It was told of while it was asked: the next comparison compares it.
    if snapshot.is_overtaken(known.map(|state| &state.standing), now.channel_state.as_deref()) && !taken {
        return Ok(());
    }
    let differs = snapshot.disagreements(&now);
    for found in &differed {
        let repaired = !differs.iter().any(|still| still.field == found.field);
        let reason = match (repaired, found.field) {
            (true, "report") => format!("{}; it is told again", found.sentence),
            (true, _) => "the channel's books were taken over".to_owned(),
            (false, _) => found.sentence.clone(),
        };
        report.note(Difference {
            ours: found.ours.clone(),
            theirs: found.theirs.clone(),
            reason,
            repaired,
            ..difference(order, partner, found.field)
        });
    }
    if taken && is_news && differed.is_empty() {
        report.note(Difference {
            ours: ours.to_string(),
            theirs: theirs.to_string(),
            reason: "a message was lost; the order was taken over as the channel has it".to_owned(),
            repaired: true,
            ..difference(order, partner, "revision")
        });
    }
    Ok(())
}

async fn compare_channel(
    worker: &Worker,
    order: &Order,
    view: &ChannelView,
    report: &mut Reconciliation,
) -> Result<(), EngineError> {
    let partner = order.channel.as_str();
    if !view.known {
        report.note(Difference {
            ours: "known".to_owned(),
            theirs: "unknown".to_owned(),
            reason: "the channel does not know this order; ask it, and cancel here if it was never sold".to_owned(),
            ..difference(order, partner, "order")
        });
        return Ok(());
    }
    if let Some(quantity) = view.quantity.filter(|quantity| *quantity != order.quantity) {
        report.note(Difference {
            ours: order.quantity.to_string(),
            theirs: quantity.to_string(),
            reason: "the channel sold another number of units".to_owned(),
            ..difference(order, partner, "quantity")
        });
    }
    if let Some(paid) = view.paid.filter(|paid| *paid != order.money.due) {
        report.note(Difference {
            ours: order.money.due.to_string(),
            theirs: paid.to_string(),
            reason: "the channel received another amount".to_owned(),
            ..difference(order, partner, "paid")
        });
    }
    let Some(refunded) = view.refunded.filter(|refunded| *refunded > order.money.refunded()) else { return Ok(()) };
    let mut found = Difference {
        ours: order.money.refunded().to_string(),
        theirs: refunded.to_string(),
        reason: "a part of the money went back without our being told; ask the channel what for".to_owned(),
        ..difference(order, partner, "refunded")
    };
    // All of it went back: the notice was lost, and nothing of this order may be used any more.
    if refunded == order.money.received() {
        let refund = RecordRefund {
            copies: None,
            named: Vec::new(),
            target: order.channel_order_id.clone(),
            channel_ref: "reconciliation".to_owned(),
            amount: Some(refunded),
            announced: None,
            at: worker.engine.clock().now(),
            scope: RefundScope::Order,
            scene: None,
            expired: false,
        };
        let actor = Actor::new(ActorKind::Channel, partner);
        found.repaired = apply(worker, order, Command::RecordRefund(refund), actor).await?;
        found.reason = "the money went back and the notice was lost; the order is cancelled".to_owned();
    }
    report.note(found);
    Ok(())
}
