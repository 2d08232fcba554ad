// SPDX-License-Identifier: Apache-2.0

//! The outbox: what partners are yet to be told, what could not be told, and what to do about it.

use std::collections::BTreeSet;

use http::StatusCode;
use ticketbridge_core::message::{Destination, NotificationOutcome, TicketFacts};
use ticketbridge_core::order::undelivered::TAKEN_OUT_WHY;
use ticketbridge_core::order::{AttentionKind, Order};
use ticketbridge_core::quoted::Guests;
use ticketbridge_core::repeat::repeat;
use ticketbridge_core::{Answering, Command, Effect, OrderId, Rejection, UnixMillis, Why};
use ticketbridge_store::{Job, JobFilter, JobState, Tx};

use crate::engine::manual_commands::keep;
use crate::engine::{self, EngineError};
use crate::http::ops::call::{Failure, Outcome, Request, Said, written};
use crate::http::ops::orders;
use crate::http::ops::query::{Asked, listed};
use crate::http::ops::view;
use crate::http::problem::Problem;
use crate::worker::settle::partner;

/// `GET deliveries`.
pub(crate) async fn list(request: Request) -> Outcome {
    let query = &request.query;
    let filter = filter_of(&request, query).await?;
    let store = request.shared.engine.store();
    let page = store.list_jobs(&filter, &query.page()).await?;
    // What is still to be told is told of the order as it is.
    let told = page.items.iter().filter(|job| job.state == JobState::Pending && job.wire_key.is_none());
    let told: BTreeSet<OrderId> = told.map(|job| job.order.clone()).collect();
    let orders = store.load_orders(&told.into_iter().collect::<Vec<_>>()).await?;
    let of = |job: &Job| orders.iter().find(|order| order.id == job.order);
    let all: Vec<OrderId> = page.items.iter().map(|job| job.order.clone()).collect();
    let channels = store.channels_of(&all).await?;
    Ok(Said::ok(&listed(&page, |job| view::delivery_of(&request.running, job, of(job), channels.get(&job.order)))))
}

/// The deliveries that a query means, within the scope of whoever asks.
///
/// # Errors
/// Those of [`orders::of_filter`].
pub(crate) async fn filter_of(request: &Request, query: &Asked) -> Result<JobFilter, Failure> {
    Ok(JobFilter {
        state: query.word("state"),
        destination: query.text("destination").map(str::to_owned),
        order: orders::of_filter(request, query).await?,
        within: request.reach.within(),
    })
}

/// What is done with a delivery.
#[derive(Clone)]
pub(crate) enum Change {
    /// At once, and as often as a new one.
    Retry,
    /// Taken out, for a reason.
    Drop(String),
}

impl Change {
    /// The same with what its reason says of the order's guests masked: it is kept in clear.
    fn without_guests(self, order: Option<&Order>) -> Self {
        let guests = order.map_or_else(Guests::nobody, Guests::of);
        match self {
            Change::Retry => Change::Retry,
            Change::Drop(reason) => Change::Drop(guests.text(&reason).into()),
        }
    }
}

/// `POST deliveries/{id}/retry`: at once, and as often as a new one.
pub(crate) async fn retry(request: Request) -> Outcome {
    change(request, Change::Retry).await
}

/// `POST deliveries/{id}/drop`: the row is taken out; the order stays as it is, but no longer asks for a person because of it.
pub(crate) async fn drop(request: Request) -> Outcome {
    let reason = format!("{}: {}", request.holder.name, request.given.needed("reason"));
    change(request, Change::Drop(reason)).await
}

fn conflict(code: &'static str, sentence: &str) -> Failure {
    Problem::new(StatusCode::CONFLICT, code, sentence).into()
}

/// The delivery, if it is of an order or of a partner in the scope of whoever asks.
pub(crate) async fn in_reach(request: &Request, job: Option<Job>) -> Result<Option<Job>, Failure> {
    let Some(job) = job else { return Ok(None) };
    let order = request.shared.engine.store().load_order(&job.order).await?;
    let is_in = match &order {
        Some(order) => {
            request.concerns(order);
            request.reach.has_channel(&order.channel)
        }
        None => match Destination::parse(&job.destination) {
            Some(Destination::Channel(id) | Destination::Agency(id)) => request.reach.has_channel(&id),
            Some(Destination::Backend(_)) | None => request.reach.is_everything(),
        },
    };
    Ok(is_in.then_some(job))
}

async fn change(request: Request, change: Change) -> Outcome {
    let engine = &request.shared.engine;
    let id = request.in_path("id").to_owned();
    let Some(job) = in_reach(&request, engine.store().job(&id).await?).await? else {
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", "there is no such delivery").into());
    };
    let change = change.without_guests(engine.store().load_order(&job.order).await?.as_ref());
    let now = engine.clock().now();
    refuse(&request, &job, &change, now).await?;
    // The call was left to a person, who says that it is done: there is no delivery to end, only the flag.
    let is_task = job.state == JobState::Dropped;
    let needs_partner =
        engine.store().load_order(&job.order).await?.is_some_and(|o| o.needs(AttentionKind::PartnerGone));
    let told = heard_of(&job, &change, needs_partner);
    let (order, actor, moment) = (job.order.clone(), request.actor(), engine.moment());
    let work = std::sync::Arc::new((id, change, request.once.clone(), request.running.clone(), is_task));
    let told = std::sync::Arc::new((order, told, actor));
    let body = engine
        .store()
        .write("change_delivery", move |tx: &Tx| {
            let (work, told) = (work.clone(), told.clone());
            Box::pin(async move {
                let (id, change, once, running, is_task) = &*work;
                // The order is locked first, as everywhere: nobody has to look at what ops have put aside, and what is to be told again
                // is what the order wants again.
                let (order, commands, actor) = &*told;
                for (step, command) in commands.iter().enumerate() {
                    let answering = Answering::Nobody;
                    let put_aside = engine::Change { running, actor, moment, answering, traceparent: None };
                    put_aside.next(step as u128).on(tx, order, command, None).await?;
                }
                let is_changed = match change {
                    Change::Retry => tx.retry_job(id, now).await?,
                    Change::Drop(_) if *is_task => true,
                    Change::Drop(reason) => tx.drop_job(id, reason, now).await?,
                };
                let job = tx.job(id).await?.filter(|_| is_changed);
                // It was there and could be changed a moment ago.
                let job = job.ok_or_else(|| Rejection::new(Why::VersionConflict, "it has just changed; look again"))?;
                let order = tx.lock_order(&job.order).await?;
                let body = written(&view::delivery(running, &job, order.as_ref()));
                keep(tx, once.as_ref(), 200, &body, now).await?;
                Ok::<_, EngineError>(body)
            })
        })
        .await?;
    tracing::info!(delivery = %job.id, order = %job.order, by = %request.holder.name, "a delivery was changed by ops");
    engine.work().notify_one();
    Ok(Said::kept(body))
}

/// What the order is to hear of a change of its delivery; `needs_partner` says that it waits for a partner who is gone.
fn heard_of(job: &Job, change: &Change, needs_partner: bool) -> Vec<Command> {
    let is_dropped = matches!(change, Change::Drop(_));
    let put_aside = is_dropped && needs_partner;
    let mut told: Vec<Command> = Vec::new();
    if put_aside {
        told.push(Command::RecordPartnerBack { partner: partner(&job.destination) });
    }
    match &job.effect {
        Effect::TellChannel { notification, .. } => {
            let outcome = match change {
                Change::Retry => NotificationOutcome::Repeated,
                Change::Drop(_) => NotificationOutcome::Dropped,
            };
            told.push(Command::RecordNotification { notification: notification.clone(), outcome });
        }
        // The order does not go on waiting for it: a person sees that nobody asks any more.
        Effect::CallBackend { booking, .. } if is_dropped && job.state == JobState::Pending => {
            let facts = TicketFacts::GivenUp { why: TAKEN_OUT_WHY.into() };
            told.push(Command::RecordTicketFacts { booking: booking.clone(), facts });
        }
        Effect::CallBackend { .. }
        | Effect::DecryptGuests
        | Effect::CompareGuests { .. }
        | Effect::ReadBack { .. }
        | Effect::TellStock { .. }
        | Effect::ArmDeadline { .. }
        | Effect::DisarmDeadline { .. }
        | Effect::TakeStock { .. }
        | Effect::ReturnStock { .. } => {}
    }
    told
}

/// Why a delivery cannot be changed so.
pub(crate) async fn refuse(request: &Request, job: &Job, change: &Change, now: UnixMillis) -> Result<(), Failure> {
    let order = request.shared.engine.store().load_order(&job.order).await?;
    match job.state {
        JobState::Dropped if matches!(change, Change::Drop(_)) && is_open_task(job, order.as_ref()) => {}
        JobState::Delivered => return Err(conflict("already_delivered", "the partner has it already")),
        JobState::NotNeeded => {
            return Err(conflict("not_needed", "the order has moved on, and nothing is left to be told or done here"));
        }
        JobState::Dropped if matches!(change, Change::Retry) && is_untold(job, order.as_ref()) => {}
        JobState::Dropped => return Err(conflict("already_dropped", "it was taken out; nothing is left to do")),
        JobState::Pending | JobState::Dead => {}
    }
    let version = order.as_ref().map(|order| order.version);
    if let (Some(expected), Some(version)) = (request.given.expected_version(), version)
        && expected != version
    {
        let sentence = format!("the order is at version {version}, not {expected}; read it again");
        return Err(Problem::from(Rejection::new(Why::VersionConflict, sentence)).into());
    }
    if matches!(change, Change::Drop(_)) {
        return Ok(());
    }
    if job.lease_until > now {
        return Err(conflict("in_progress", "it is being tried at this moment; look again in a few seconds"));
    }
    // A question about an order that is not known yet has none.
    let moved_on = match (&order, &job.effect) {
        (_, Effect::ReadBack { .. } | Effect::TellStock { .. }) => None,
        (Some(order), effect) => repeat(order, effect, &request.holder.name, now).err(),
        (None, _) => Some("the order is gone".to_owned()),
    };
    match moved_on {
        Some(how) => Err(conflict(
            "no_longer_wanted",
            &format!("the order has moved on, and this call would be wrong now: {how}; drop the delivery"),
        )),
        None => Ok(()),
    }
}

/// Whether a delivery that was taken out still has something to say that its partner has never heard. Whether the order still wants it is
/// another question.
pub(crate) fn is_untold(job: &Job, order: Option<&Order>) -> bool {
    match &job.effect {
        Effect::TellChannel { notification, .. } => order.is_some_and(|order| order.is_untold(notification)),
        Effect::CallBackend { .. }
        | Effect::DecryptGuests
        | Effect::CompareGuests { .. }
        | Effect::ReadBack { .. }
        | Effect::TellStock { .. } => true,
        Effect::ArmDeadline { .. }
        | Effect::DisarmDeadline { .. }
        | Effect::TakeStock { .. }
        | Effect::ReturnStock { .. } => false,
    }
}

/// Whether the call was left to a person who has not said yet that it is done.
fn is_open_task(job: &Job, order: Option<&Order>) -> bool {
    match &job.effect {
        Effect::TellChannel { notification, .. } => order.is_some_and(|order| order.misses(notification)),
        Effect::CallBackend { .. }
        | Effect::DecryptGuests
        | Effect::CompareGuests { .. }
        | Effect::ReadBack { .. }
        | Effect::TellStock { .. }
        | Effect::ArmDeadline { .. }
        | Effect::DisarmDeadline { .. }
        | Effect::TakeStock { .. }
        | Effect::ReturnStock { .. } => false,
    }
}
