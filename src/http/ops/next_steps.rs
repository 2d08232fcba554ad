// SPDX-License-Identifier: Apache-2.0

//! `GET orders/{id}/next-steps`: what happens if nobody does anything, and what somebody may do, with what it would do.

use ticketbridge_core::message::{Actor, Command, Effect, NewTicket, Redeem, RedeemedBy, TicketOp};
use ticketbridge_core::order::{AttentionKind, Order, OrderState, RefundKind, TicketKind};
use ticketbridge_core::personal::DocumentNumber;
use ticketbridge_core::quoted::FreeText;
use ticketbridge_core::time::Moment;
use ticketbridge_core::{Answering, Millis, Rejection, run};
use ticketbridge_store::{DeadlineFilter, DeadlineRow, Job, JobFilter, JobState, PageRequest};

use crate::http::ops::answers::next_steps::{Action, DeadlineAhead, NextSteps, Passing, Waiting};
use crate::http::ops::call::{Outcome, Request, Said};
use crate::http::ops::deadlines;
use crate::http::ops::foreseen::{Foreseen, agreed};
use crate::http::ops::orders::named;
use crate::http::ops::view;
use crate::http::ops::waits;
use crate::service::live::Running;

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
    let moment = engine.moment();
    let trial = Trial { running: &request.running, actor: request.actor(), moment };
    let tries = tries(&order, now);
    let ahead = |row| DeadlineAhead { deadline: deadlines::shown(row, now, zone), then: passing(&order, row, moment) };
    Ok(Said::ok(&NextSteps {
        order_id: &order.id,
        state: order.state,
        deliveries: deliveries.iter().map(|job| view::delivery(&request.running, job, Some(&order))).collect(),
        deadlines: due.iter().map(ahead).collect(),
        waits: waits::of(&order).into_iter().map(|it| Waiting(it.word())).collect(),
        actions: tries.iter().map(|it| trial.offered(&order, it)).collect(),
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
    Some(Passing {
        state: outcome.order.state,
        attention: newly_raised(order, &outcome.order),
        voids_tickets: voids(&outcome.effects),
        tells_channel: tells(&outcome.effects),
    })
}

/// What a person is needed for afterwards, and was not before.
fn newly_raised(before: &Order, after: &Order) -> Option<AttentionKind> {
    after.attention.iter().map(|it| it.kind).find(|kind| !before.needs(*kind))
}

fn voids(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::CallBackend { op: TicketOp::Cancel, .. }))
}

fn asks_for_tickets(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::CallBackend { op: TicketOp::Issue, .. }))
}

fn tells(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::TellChannel { .. }))
}

/// Everything that somebody may want to do with an order.
pub(crate) fn tries(order: &Order, now: ticketbridge_core::UnixMillis) -> Vec<Try> {
    let reason = || FreeText::from("…");
    let on_order = |act: &'static str, command| Try { act, call: format!("/orders/{}/{act}", order.id), command };
    let ticket =
        NewTicket { code: DocumentNumber::new("…".to_owned()), kind: TicketKind::Code, project_id: None, name: None };
    let redeem = Redeem { booking: None, at: now, by: RedeemedBy::Person, count: None };
    // Where a return did not work, it is that one that is made again.
    let failed = Some(order.open_failures()).filter(|amount| *amount > 0);
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

/// What becomes of the money: what is kept, what goes back, and how far that is known before.
struct Moves {
    how: Option<&'static str>,
    fee: Option<i64>,
    returns: Option<i64>,
}

impl Moves {
    /// No money moves.
    const NOTHING: Self = Self { how: None, fee: None, returns: None };

    /// Both are known, as far as `how` says.
    fn of(how: &'static str, fee: i64, returns: i64) -> Self {
        Self { how: Some(how), fee: Some(fee), returns: Some(returns) }
    }
}

/// What becomes of the guest's money by an act that is possible.
fn moves(before: &Order, command: &Command, ahead: &Foreseen, needs: Option<&str>) -> Moves {
    let held = before.money.left();
    if held <= 0 {
        return Moves::NOTHING;
    }
    if let (Command::ApproveRefund { fee, .. }, Some(case)) = (command, &before.refund_case) {
        // What is kept is not known before somebody has said it.
        if needs == Some("fee") {
            return Moves { how: Some("named"), fee: None, returns: None };
        }
        // With the booking alone no money goes back.
        if case.kind == RefundKind::CancelBooking {
            return Moves::NOTHING;
        }
        let fee = fee.or(case.fee).unwrap_or(case.channel_fee);
        return Moves::of("known", fee, (held - before.money.fee() - fee).max(0));
    }
    if let Some((fee, returns)) = ahead.cancellation() {
        return Moves::of("expected", fee, returns);
    }
    let ends = ahead.order.state == OrderState::Cancelled && before.state != OrderState::Cancelled;
    let is_cancelled = match command {
        Command::CancelOrder { .. } | Command::RejectBooking { .. } => ends || before.channel_state.is_some(),
        _ => ends,
    };
    let (returns, fee) = (held - ahead.order.money.left(), ahead.order.money.fee() - before.money.fee());
    // Where somebody cancels it there by hand, what goes back is as he says there.
    if returns > 0 && !(ahead.by_hand && is_cancelled) {
        let how = if matches!(command, Command::ReturnPayments { .. }) { "known" } else { "expected" };
        return Moves::of(how, fee.max(0), returns);
    }
    if is_cancelled { Moves { how: Some("channel"), ..Moves::NOTHING } } else { Moves::NOTHING }
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

/// Who tries an act, on what, and when.
pub(crate) struct Trial<'a> {
    pub(crate) running: &'a Running,
    pub(crate) actor: Actor,
    pub(crate) moment: Moment,
}

impl Trial<'_> {
    /// What would come of an act as it is: nothing is written.
    pub(crate) fn plain<'o>(&self, order: &'o Order, it: &'o Try) -> Action<'o> {
        self.shown(order, it, (run(Some(order), &it.command, &self.actor, self.moment, Answering::Nobody), None))
    }

    /// The same with what somebody still has to say.
    fn offered<'o>(&self, order: &'o Order, it: &'o Try) -> Action<'o> {
        self.shown(order, it, with_what_it_needs(order, &it.command, &self.actor, self.moment))
    }

    fn shown<'o>(&self, order: &'o Order, it: &'o Try, (outcome, needs): Tried) -> Action<'o> {
        let (refusal, ahead) = match outcome {
            Ok(outcome) if outcome.events.is_empty() => (Some(("nothing_to_do", "it is so already".to_owned())), None),
            Ok(outcome) => (None, Some(agreed(&outcome, self.running, self.moment))),
            Err(rejection) => (Some((rejection.why.code(), rejection.sentence.into_owned())), None),
        };
        let moves = ahead.as_ref().map_or(Moves::NOTHING, |ahead| moves(order, &it.command, ahead, needs));
        let raised = ahead.as_ref().and_then(|ahead| newly_raised(order, &ahead.order));
        Action {
            act: it.act,
            call: &it.call,
            allowed: refusal.is_none(),
            needs,
            code: refusal.as_ref().map(|(code, _)| *code),
            voids_tickets: ahead.as_ref().is_some_and(|ahead| takes_tickets(order, ahead)),
            tells_channel: ahead.as_ref().is_some_and(|ahead| ahead.tells_channel),
            asks_for_tickets: ahead.as_ref().is_some_and(|ahead| asks_for_tickets(&ahead.effects)),
            by_hand: ahead.as_ref().is_some_and(|ahead| ahead.by_hand),
            sentence: refusal.map(|(_, sentence)| sentence),
            money: moves.how,
            held: order.money.left(),
            fee: moves.fee,
            returns: moves.returns,
            currency: &order.money.currency,
            state: ahead.map(|ahead| ahead.order.state),
            attention: raised,
        }
    }
}

/// Whether tickets are voided by what lies ahead. Of a part that is cancelled only the channel's next word says which units it was; their
/// tickets go with it.
fn takes_tickets(order: &Order, ahead: &Foreseen) -> bool {
    let may_admit = order.active_booking().is_some_and(|booking| booking.ticketing.may_be_live());
    voids(&ahead.effects) || (ahead.cancellation().is_some() && may_admit && !ahead.order.is_over())
}
