// SPDX-License-Identifier: Apache-2.0

//! `GET orders/{id}/next-steps`: what happens if nobody does anything, and what somebody may do, with what it would do.

use ticketbridge_core::message::{Actor, Command, Effect, NewTicket, Redeem, RedeemedBy, TicketOp};
use ticketbridge_core::order::{Order, TicketKind};
use ticketbridge_core::personal::DocumentNumber;
use ticketbridge_core::time::Moment;
use ticketbridge_core::{Answering, Millis, Rejection, run};
use ticketbridge_store::{DeadlineFilter, DeadlineRow, Job, JobFilter, JobState, PageRequest};

use crate::http::ops::answers::next_steps::{Action, DeadlineAhead, NextSteps, Passing, Waiting};
use crate::http::ops::call::{Outcome, Request, Said};
use crate::http::ops::deadlines;
use crate::http::ops::orders::named;
use crate::http::ops::view;
use crate::http::ops::waits;

/// Deliveries and deadlines that are told of at most.
const SHOWN_MAX: u32 = 50;

/// An act, as it is tried on the order.
pub(crate) struct Try {
    /// Its word: the last part of its path.
    pub(crate) act: &'static str,
    /// Its path below `/ops/v1`.
    pub(crate) call: String,
    command: Command,
}

/// `GET orders/{id}/next-steps`.
pub(crate) async fn show(request: Request) -> Outcome {
    let order = named(&request, request.in_path("id")).await?;
    let (engine, page) = (&request.shared.engine, PageRequest { limit: SHOWN_MAX, cursor: None });
    let store = engine.store();
    let jobs = JobFilter { order: Some(order.id.clone()), within: request.reach.within(), ..JobFilter::default() };
    let open = [JobState::Pending, JobState::Dead];
    let mut deliveries = Vec::new();
    for state in open {
        let filter = JobFilter { state: Some(state), ..jobs.clone() };
        deliveries.extend(store.list_jobs(&filter, &page).await?.items);
    }
    // What was put aside, and its partner has never heard, can still be told.
    let dropped = JobFilter { state: Some(JobState::Dropped), ..jobs };
    let is_put_aside = |job: &Job| match &job.effect {
        Effect::TellChannel { notification, .. } => order.put_aside().any(|untold| untold == notification),
        _ => false,
    };
    deliveries.extend(store.list_jobs(&dropped, &page).await?.items.into_iter().filter(is_put_aside));
    let filter = DeadlineFilter { order: Some(order.id.clone()), ..DeadlineFilter::default() };
    let due = store.list_deadlines(&filter, &page).await?.items;
    let (now, zone) = (engine.clock().now(), order.rules.channel.time_zone);
    let (actor, moment) = (request.actor(), engine.moment());
    let tries = tries(&order, now);
    let ahead = |row| DeadlineAhead { deadline: deadlines::shown(row, now, zone), then: passing(&order, row, moment) };
    Ok(Said::ok(&NextSteps {
        deliveries: deliveries.iter().map(|job| view::delivery(&request.running, job, Some(&order))).collect(),
        deadlines: due.iter().map(ahead).collect(),
        waits: waits::of(&order).into_iter().map(|it| Waiting(it.word())).collect(),
        actions: tries.iter().map(|it| offered(&order, it, &actor, moment)).collect(),
    }))
}

/// What comes of a deadline when it passes and nobody has done anything: the core is asked, and nothing is written. `null` where it passes
/// for nothing.
fn passing(order: &Order, row: &DeadlineRow, moment: Moment) -> Option<Passing> {
    let command = Command::PassDeadline { kind: row.kind, due_at: row.due_at };
    let outcome = run(Some(order), &command, &Actor::timer(), moment, Answering::Nobody).ok()?;
    if outcome.events.is_empty() {
        return None;
    }
    let raised = outcome.order.attention.iter().find(|it| !order.attention.contains(it));
    Some(Passing {
        state: outcome.order.state,
        attention: raised.map(|it| it.kind),
        voids_tickets: voids(&outcome.effects),
        tells_channel: tells(&outcome.effects),
    })
}

fn voids(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::CallBackend { op: TicketOp::Cancel, .. }))
}

fn tells(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::TellChannel { .. }))
}

/// Everything that somebody may want to do with an order.
pub(crate) fn tries(order: &Order, now: ticketbridge_core::UnixMillis) -> Vec<Try> {
    let reason = || "…".to_owned();
    let on_order = |act: &'static str, command| Try { act, call: format!("/orders/{}/{act}", order.id), command };
    let ticket =
        NewTicket { code: DocumentNumber::new("…".to_owned()), kind: TicketKind::Code, project_id: None, name: None };
    let redeem = Redeem { booking: None, at: now, by: RedeemedBy::Person };
    // Where a return did not work, it is that one that is made again.
    let failed = Some(order.money.open_failures()).filter(|amount| *amount > 0);
    let mut tries = vec![
        on_order("confirm", Command::ConfirmBooking),
        on_order("decline", Command::RejectBooking { reason: reason() }),
        on_order("tickets", Command::SupplyTickets { tickets: vec![ticket] }),
        on_order("redeem", Command::Redeem(redeem)),
        on_order("no-show", Command::MarkNoShow { at: now }),
        on_order("cancel", Command::CancelOrder { reason: reason() }),
        on_order("return-payment", Command::ReturnPayments { amount: failed, reason: reason() }),
        on_order("payment-links", Command::SendPaymentLink { amount: None, expires_at: now + Millis::hours(72) }),
        on_order("payment-links/revoke", Command::RevokePaymentLink),
    ];
    if let Some(case) = &order.refund_case {
        let id = case.id.clone();
        let on_case = |act: &'static str, command| Try { act, call: format!("/refunds/{id}/{act}"), command };
        tries.push(on_case(
            "approve",
            Command::ApproveRefund { case: id.clone(), fee: None, without_backend: false, reason: None },
        ));
        tries.push(on_case("reject", Command::RejectRefund { case: id.clone(), reason: reason() }));
    }
    tries
}

/// The money that goes back with an act, as far as it is known before: what the channel decides is not.
fn returned(before: &Order, after: &Order, command: &Command, fee: Option<i64>) -> Option<i64> {
    let left = before.money.left();
    match (fee, command) {
        (Some(fee), _) => Some((left - fee).max(0)),
        (None, Command::ReturnPayments { amount, .. }) => Some(amount.unwrap_or(left)),
        (None, _) => Some(left - after.money.left()).filter(|returned| *returned > 0),
    }
}

/// What an act comes to, and the field that it needs.
type Tried = (Result<ticketbridge_core::Outcome, Rejection>, Option<&'static str>);

/// Tries an act. Where it is refused for want of something that whoever does it can say, it is tried with that said, and the field is named.
fn with_what_it_needs(order: &Order, command: &Command, actor: &Actor, moment: Moment) -> Tried {
    let tried = |command: &Command| run(Some(order), command, actor, moment, Answering::Nobody);
    let plain = tried(command);
    let (Command::ApproveRefund { case, .. }, Err(rejection)) = (command, &plain) else { return (plain, None) };
    let (field, fee, without_backend) = match rejection.field.as_deref() {
        // A channel that names no fee: somebody says what is kept.
        Some("fee") => ("fee", Some(0), false),
        // Tickets that no back-end knows: somebody has seen to it that they admit nobody.
        Some("without_backend") => ("without_backend", None, true),
        Some(_) | None => return (plain, None),
    };
    let said = Command::ApproveRefund { case: case.clone(), fee, without_backend, reason: None };
    match tried(&said) {
        Ok(done) => (Ok(done), Some(field)),
        Err(_) => (plain, None),
    }
}

/// What would come of an act as it is: nothing is written.
pub(crate) fn tried<'o>(order: &'o Order, it: &'o Try, actor: &Actor, moment: Moment) -> Action<'o> {
    shown(order, it, (run(Some(order), &it.command, actor, moment, Answering::Nobody), None))
}

/// The same with what somebody still has to say.
fn offered<'o>(order: &'o Order, it: &'o Try, actor: &Actor, moment: Moment) -> Action<'o> {
    shown(order, it, with_what_it_needs(order, &it.command, actor, moment))
}

fn shown<'o>(order: &'o Order, it: &'o Try, (outcome, needs): Tried) -> Action<'o> {
    let (refusal, done) = match outcome {
        Ok(outcome) if outcome.events.is_empty() => (Some(("nothing_to_do", "it is so already".to_owned())), None),
        Ok(outcome) => (None, Some(outcome)),
        Err(rejection) => (Some((rejection.why.code(), rejection.sentence.into_owned())), None),
    };
    let effects = done.as_ref().map(|done| done.effects.as_slice()).unwrap_or_default();
    let fee = match &it.command {
        // What is kept is not known before somebody has said it.
        Command::ApproveRefund { .. } if needs == Some("fee") => None,
        Command::ApproveRefund { .. } => order.refund_case.as_ref().map(|case| case.fee.unwrap_or(case.channel_fee)),
        _ => None,
    };
    let returns =
        done.as_ref().filter(|_| needs != Some("fee")).and_then(|done| returned(order, &done.order, &it.command, fee));
    Action {
        act: it.act,
        call: &it.call,
        allowed: refusal.is_none(),
        needs,
        code: refusal.as_ref().map(|(code, _)| *code),
        voids_tickets: voids(effects),
        tells_channel: tells(effects),
        sentence: refusal.map(|(_, sentence)| sentence),
        fee,
        returns,
        currency: &order.money.currency,
        state: done.map(|done| done.order.state),
    }
}
