//! One command, carried through: decide, evolve, and then whatever policy does by itself.

use crate::command::Command;
use crate::effect::Effect;
use crate::event::{Actor, EventRecord};
use crate::order::Order;
use crate::rejection::Rejection;
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

/// Carries `command` through. `order` is `None` for [`Command::PlaceOrder`] only.
pub fn run(order: Option<&Order>, command: &Command, actor: &Actor, moment: Moment) -> Result<Outcome, Rejection> {
    let _ = (order, command, actor, moment);
    Err(Rejection::new(crate::rejection::Why::NotFound, "stub"))
}
