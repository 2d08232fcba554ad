//! One command, carried through: decide, evolve, and then whatever policy does by itself.

use crate::decide::{Decision, decide, place, too_much_back};
use crate::evolve::evolve;
use crate::id::RefundCaseId;
use crate::limits::{ANSWER_GRACE, POLICY_STEPS_MAX};
use crate::message::{Actor, Command, Effect, EventRecord, Report};
use crate::next_step::next_step;
use crate::order::Order;
use crate::rejection::{Rejection, Why};
use crate::time::Moment;

/// What became of a command.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The order afterwards.
    pub order: Order,
    /// What happened, in order; empty for an accepted repeat.
    pub events: Vec<EventRecord>,
    /// What must be done outside, in order.
    pub effects: Vec<Effect>,
}

/// Whether the channel waits for an answer in which a decision on its refund request can stand. Only the answer to that very request
/// has a place for it; what falls while another message is answered is told by a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answering {
    /// It does: a decision that falls now goes into the answer, and its call is kept in reserve.
    InAnswer,
    /// Nobody waits.
    Nobody,
}

/// Carries `command` through. `order` is `None` for [`Command::PlaceOrder`] only.
pub fn run(
    order: Option<&Order>,
    command: &Command,
    actor: &Actor,
    moment: Moment,
    answering: Answering,
) -> Result<Outcome, Rejection> {
    let first = match (order, command) {
        (None, Command::PlaceOrder(placed, counts)) => place(placed, counts, moment)?,
        (None, _) => return Err(Rejection::new(Why::NotFound, "there is no such order")),
        (Some(order), _) => decide(order, &command.without_guests(order), actor, moment)?,
    };
    let mut events = Vec::new();
    let mut effects = Vec::new();
    let mut current = order.cloned();
    take(&mut current, &mut events, &mut effects, first, actor, moment);
    let mut current = current.expect("a decision on no order begins with OrderPlaced, which makes one");

    for step in 0.. {
        let Some((policy, next)) = next_step(&current, moment.now) else { break };
        assert!(step < POLICY_STEPS_MAX, "policy runs in a circle: {} on {}", next.name(), current.id);
        let decision = match decide(&current, &next, &policy, moment) {
            Ok(decision) => decision,
            // What policy wants is not allowed: a person decides, and reads why.
            Err(rejection) => match leave_to_person(&next, &rejection) {
                Some(command) => decide(&current, &command, &policy, moment)?,
                None => break,
            },
        };
        if decision.events.is_empty() {
            break;
        }
        let mut slot = Some(current);
        take(&mut slot, &mut events, &mut effects, decision, &policy, moment);
        current = slot.expect("an order that exists stays");
    }
    // Several partners speak of one order's money, in any order: whoever said the last word, a person is told when more goes back than came in.
    let too_much = too_much_back(&current);
    if !too_much.events.is_empty() {
        let mut slot = Some(current);
        take(&mut slot, &mut events, &mut effects, too_much, &Actor::policy(), moment);
        current = slot.expect("an order that exists stays");
    }
    // Not between the command and policy's answer to it: a refund asked for after use stands open just that long.
    crate::invariants::check(&current);
    if let (Answering::InAnswer, Command::ApplyRefund(application)) = (answering, command) {
        let case = current.case_by_ref(&application.channel_ref).map(|case| case.id.clone());
        for effect in effects.iter_mut().filter(|effect| decides_on(effect).is_some_and(|id| Some(id) == case.as_ref()))
        {
            put_in_reserve(effect, moment);
        }
    }
    assert!(effects.is_empty() || !events.is_empty(), "an effect needs an event that explains it");
    Ok(Outcome { order: current, events, effects })
}

fn take(
    order: &mut Option<Order>,
    events: &mut Vec<EventRecord>,
    effects: &mut Vec<Effect>,
    decision: Decision,
    actor: &Actor,
    moment: Moment,
) {
    for event in decision.events {
        let seq = order.as_ref().map_or(0, |o| o.version) + 1;
        let record = EventRecord { seq, at: moment.now, actor: actor.clone(), event };
        *order = evolve(order.take(), &record);
        events.push(record);
    }
    effects.extend(decision.effects);
}

fn leave_to_person(command: &Command, rejection: &Rejection) -> Option<Command> {
    match command {
        Command::ApproveRefund { case, .. } | Command::RejectRefund { case, .. } => {
            Some(Command::EscalateRefund { case: case.clone(), reason: rejection.sentence.to_string() })
        }
        _ => None,
    }
}

/// The refund case of which a report tells the decision.
fn decides_on(effect: &Effect) -> Option<&RefundCaseId> {
    match effect {
        Effect::TellChannel {
            report: Report::RefundApproved { case, .. } | Report::RefundRejected { case, .. },
            ..
        } => Some(case),
        _ => None,
    }
}

/// The answer says it. Only if that does not get out, which the shell knows, does the call go.
fn put_in_reserve(effect: &mut Effect, moment: Moment) {
    if let Effect::TellChannel { not_before, .. } = effect {
        *not_before = Some(moment.now + ANSWER_GRACE);
    }
}
