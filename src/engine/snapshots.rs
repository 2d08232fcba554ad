// SPDX-License-Identifier: Apache-2.0

//! Whole orders as their channel tells them: taken over where the order is known, and made of them where it is not.

use std::sync::Arc;

use ticketbridge_core::message::{Actor, ActorKind, Command, PlaceOrder, Snapshot};
use ticketbridge_core::order::Order;
use ticketbridge_core::order::channel_state::Standing;
use ticketbridge_core::product::RuleSnapshot;
use ticketbridge_core::quoted::Quoted;
use ticketbridge_core::rules::for_sale;
use ticketbridge_core::{Answering, Rejection, Why};
use ticketbridge_store::{Job, JobEnd, Needs, Tx};

use crate::engine::early_messages::apply_remembered;
use crate::engine::{Applied, Change, Engine, EngineError, counts, needs};
use crate::recorder::course;
use crate::service::live::Running;
use crate::service::registry::RegisteredChannel;

/// Why a question is asked again.
const TOLD_MEANWHILE: &str = "the channel has told of the order while it was asked, and is asked again";

/// What became of a whole order.
pub(crate) enum Synced {
    /// It is the order now.
    Taken(Box<Applied>),
    /// Something later was known; at most its money was new.
    Stale(Box<Applied>),
    /// The order was made of it.
    Made(Box<Applied>),
    /// The order is not known, and may not be made of it.
    Unknown,
}

/// Takes a whole order over, or makes it.
pub(crate) async fn sync(
    tx: &Tx,
    change: &Change<'_>,
    channel: &RegisteredChannel,
    snapshot: &Snapshot,
) -> Result<Synced, EngineError> {
    let of_unit = names_another_unit(change.running, channel, snapshot);
    let snapshot = of_unit.as_ref().unwrap_or(snapshot);
    let about = &snapshot.sale.channel_order_id;
    let row = tx.lock_ref(&channel.id, about).await?;
    if let Some(id) = &row.order {
        let Some(order) = tx.lock_order(id).await? else { return Err(EngineError::TryLater) };
        let is_news = snapshot.is_news_to(order.channel_state.as_deref());
        let command = Command::SyncSnapshot {
            snapshot: Box::new(snapshot.clone()),
            not_for_sale: None,
            paid_elsewhere: Vec::new(),
            lines_elsewhere: Vec::new(),
        };
        let applied = Box::new(change.on_locked(tx, order, &command).await?);
        return Ok(if is_news { Synced::Taken(applied) } else { Synced::Stale(applied) });
    }
    if !snapshot.creates {
        return Ok(Synced::Unknown);
    }
    let sale = &snapshot.sale;
    let Some(rules) = change.running.rules_of(channel, &sale.product) else {
        let code = sale.product.booking.as_ref().map_or("", |code| code.as_str());
        return Err(Rejection::new(Why::OffSale, format!("no booking product `{code}` is configured"))
            .at("product")
            .into());
    };
    let not_for_sale = not_for_sale(tx, channel, &rules, snapshot).await?;
    let placed = PlaceOrder { channel: channel.id.clone(), sale: sale.clone(), rules, is_stub: true };
    let made = change.place(tx, &Command::PlaceOrder(Box::new(placed), Default::default())).await?;
    let command = Command::SyncSnapshot {
        snapshot: Box::new(snapshot.clone()),
        not_for_sale,
        paid_elsewhere: Vec::new(),
        lines_elsewhere: Vec::new(),
    };
    let applied = change.next(1).on_locked(tx, made.order, &command).await?;
    Ok(Synced::Made(Box::new(Applied { changed: true, ..applied })))
}

/// A whole order that names another settle unit than its channel's, with that as a doubt: its money stands in the channel's statement
/// (`docs/src/contract/configuration.md`, every connection points to one unit).
fn names_another_unit(running: &Running, channel: &RegisteredChannel, snapshot: &Snapshot) -> Option<Snapshot> {
    let ours = running.config.channel(&channel.id)?.settle_id.as_deref()?;
    let told = snapshot.settle_id.as_ref().filter(|told| *told.reveal() != *ours)?;
    let sentence = format!(
        "the channel names the settle unit {}, and its money is settled under {ours}: settle it with the channel, or mend the file",
        Quoted::code(told.reveal())
    );
    let mut doubted = snapshot.clone();
    doubted.doubts.push(sentence);
    Some(doubted)
}

/// Why a new booking should not be, if so (KA-07): what the rule of it has to know ([`ticketbridge_core::rules::for_sale`]).
async fn not_for_sale(
    tx: &Tx,
    channel: &RegisteredChannel,
    rules: &RuleSnapshot,
    snapshot: &Snapshot,
) -> Result<Option<String>, EngineError> {
    if !for_sale::is_new_booking(snapshot) {
        return Ok(None);
    }
    let listing = tx.listing(&channel.id, &rules.booking.code).await?;
    let left = counts::date_left(tx, &rules.booking, snapshot.visit_date).await?;
    Ok(for_sale::why_not(rules, snapshot, listing.as_ref(), left).map(str::to_owned))
}

/// The order, where the channel has told something else of it while it was asked ([`Snapshot::is_overtaken`]).
async fn overtaken(
    tx: &Tx,
    channel: &RegisteredChannel,
    snapshot: &Snapshot,
    asked_of: Option<&Standing>,
) -> Result<Option<Order>, EngineError> {
    let Some(id) = tx.lock_ref(&channel.id, &snapshot.sale.channel_order_id).await?.order else { return Ok(None) };
    let Some(order) = tx.lock_order(&id).await? else { return Err(EngineError::TryLater) };
    Ok(snapshot.is_overtaken(asked_of, order.channel_state.as_deref()).then_some(order))
}

impl Engine {
    /// Takes over what the channel answered when it was asked for a whole order, and ends the delivery that asked. One whose answer was
    /// overtaken asks again; `asked_of` is the order as it was when the channel was asked, where it was known.
    ///
    /// # Errors
    /// [`EngineError::LeaseLost`]; a rejection when the order cannot be made; store errors.
    pub(crate) async fn take_read_back(
        &self,
        job: Option<&Job>,
        running: Arc<Running>,
        channel: Arc<RegisteredChannel>,
        snapshot: Box<Snapshot>,
        asked_of: Option<&Order>,
    ) -> Result<Applied, EngineError> {
        let about = snapshot.sale.channel_order_id.clone();
        course::turn_of(about.as_str()).await;
        let moment = self.moment();
        let actor = Actor::new(ActorKind::Channel, channel.id.as_str());
        let mut needs = needs::of_snapshot(Needs::nothing(), &channel, &snapshot);
        if let Some(job) = job {
            needs = needs.with_order(&job.order);
        }
        let asked_of = asked_of.and_then(|order| order.channel_state.as_deref()).map(|state| state.standing.clone());
        let work = Arc::new((job.cloned(), running, channel, snapshot, actor, asked_of));
        let (engine, decided) = (self.clone(), course::heard_of_calls());
        let turn = decided.clone();
        let applied = self
            .store
            .write_needing("read_back", needs, move |tx: &Tx| {
                let (work, engine, decided) = (work.clone(), engine.clone(), decided.clone());
                Box::pin(async move {
                    let (job, running, channel, snapshot, actor, asked_of) = &*work;
                    let overtaken = overtaken(tx, channel, snapshot, asked_of.as_ref()).await?;
                    let end = match overtaken {
                        Some(_) => JobEnd::PutBack { due_at: moment.now, why: TOLD_MEANWHILE.to_owned() },
                        None => JobEnd::Delivered,
                    };
                    if let Some(job) = job
                        && !tx.settle(job, &end, moment.now).await?
                    {
                        return Err(EngineError::LeaseLost);
                    }
                    if let Some(order) = overtaken {
                        decided.note(engine.turn());
                        return Ok(Applied { order, changed: false, in_reserve: Vec::new() });
                    }
                    let change = Change { running, actor, moment, answering: Answering::Nobody, traceparent: None };
                    let applied = match sync(tx, &change, channel, snapshot).await? {
                        Synced::Made(applied) => {
                            let about = &snapshot.sale.channel_order_id;
                            apply_remembered(tx, &change, channel, *applied, about).await
                        }
                        Synced::Taken(applied) | Synced::Stale(applied) => Ok(*applied),
                        Synced::Unknown => Err(EngineError::TryLater),
                    };
                    decided.note(engine.turn());
                    applied
                })
            })
            .await;
        course::decided(about.as_str(), turn.turn());
        let applied = applied?;
        self.announce(&applied);
        Ok(applied)
    }
}
