// SPDX-License-Identifier: Apache-2.0

//! One command, carried through: decide, evolve, and then whatever policy does by itself.

use std::rc::Rc;

use crate::decide::{Draft, decide, last_look, place};
use crate::id::RefundCaseId;
use crate::limits::{ANSWER_GRACE, POLICY_STEPS_MAX};
use crate::message::{Actor, Command, Effect, EventRecord, Notification};
use crate::order::Order;
use crate::policy::next_step;
use crate::quoted::FreeText;
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
///
/// # Errors
/// Why the command is refused; nothing has changed then.
pub fn run(
    order: Option<&Order>,
    command: &Command,
    actor: &Actor,
    moment: Moment,
    answering: Answering,
) -> Result<Outcome, Rejection> {
    let first = match (order, command) {
        (None, Command::PlaceOrder(placed, counts)) => place(placed, counts, actor, moment)?,
        (None, _) => return Err(Rejection::new(Why::NotFound, "there is no such order")),
        (Some(order), _) => decide(&Rc::new(order.clone()), &command.without_guests(order), actor, moment)?,
    };
    let mut course = Course::of(first);
    for step in 0.. {
        let Some((policy, next)) = next_step(&course.order, moment.now) else { break };
        assert!(step < POLICY_STEPS_MAX, "policy runs in a circle: {} on {}", next.name(), course.order.id);
        let draft = match decide(&course.order, &next, &policy, moment) {
            Ok(draft) => draft,
            // What policy wants is not allowed: a person decides, and reads why.
            Err(rejection) => match leave_to_person(&next, &rejection) {
                Some(command) => decide(&course.order, &command, &policy, moment)?,
                None => break,
            },
        };
        if draft.is_nothing() {
            break;
        }
        course.go_on(draft);
    }
    course.go_on(last_look(&course.order, moment));
    let Course { order, events, mut effects } = course;
    let order = Rc::unwrap_or_clone(order);
    // Not between the command and policy's answer to it: a refund asked for after use stands open just that long.
    crate::invariants::check(&order);
    if let (Answering::InAnswer, Command::ApplyRefund(application)) = (answering, command) {
        let case = order.case_by_ref(&application.channel_ref).map(|case| case.id.clone());
        for effect in effects.iter_mut().filter(|effect| decides_on(effect).is_some_and(|id| Some(id) == case.as_ref()))
        {
            put_in_reserve(effect, moment);
        }
    }
    assert!(effects.is_empty() || !events.is_empty(), "an effect needs an event that explains it");
    Ok(Outcome { order, events, effects })
}

/// What has been decided so far, one decision after the other.
struct Course {
    order: Rc<Order>,
    events: Vec<EventRecord>,
    effects: Vec<Effect>,
}

impl Course {
    fn of(first: Draft) -> Self {
        let (order, events, effects) = first.into_parts();
        Self { order, events, effects }
    }

    fn go_on(&mut self, next: Draft) {
        let (order, events, effects) = next.into_parts();
        self.order = order;
        self.events.extend(events);
        self.effects.extend(effects);
    }
}

fn leave_to_person(command: &Command, rejection: &Rejection) -> Option<Command> {
    match command {
        Command::ApproveRefund { case, .. } | Command::RejectRefund { case, .. } => {
            Some(Command::EscalateRefund { case: case.clone(), reason: FreeText::our_own(rejection.sentence.as_ref()) })
        }
        _ => None,
    }
}

/// The refund case of which a notification tells the decision.
fn decides_on(effect: &Effect) -> Option<&RefundCaseId> {
    match effect {
        Effect::TellChannel {
            notification: Notification::RefundApproved { case, .. } | Notification::RefundRejected { case, .. },
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
