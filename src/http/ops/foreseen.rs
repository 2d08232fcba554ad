// SPDX-License-Identifier: Apache-2.0

//! What an act comes to once the channel has agreed to what it is asked for. The core carries the order on as it will then, and nothing is
//! written: what a person is told before is decided where it is decided afterwards.

use ticketbridge_core::message::{Actor, ActorKind, Command, Effect, Notification, TicketFacts, TicketOp};
use ticketbridge_core::order::Order;
use ticketbridge_core::port::{Context, EncodeError};
use ticketbridge_core::time::Moment;
use ticketbridge_core::{Answering, Outcome, run};

use crate::service::live::Running;

/// Effects that are followed at most: each may lead to others.
const FOLLOWED_MAX: usize = 32;

/// An order as it stands at the end, and everything that was asked of others on the way.
pub(crate) struct Foreseen {
    pub(crate) order: Order,
    pub(crate) effects: Vec<Effect>,
    /// The channel is told.
    pub(crate) tells_channel: bool,
    /// The channel has no call for it: somebody does it there.
    pub(crate) by_hand: bool,
}

impl Foreseen {
    /// What the channel is asked to keep and to return, where it is asked for that.
    pub(crate) fn cancellation(&self) -> Option<(i64, i64)> {
        self.effects.iter().find_map(|effect| match effect {
            Effect::TellChannel { notification: Notification::Cancellation { fee, refund, .. }, .. } => {
                Some((*fee, *refund))
            }
            _ => None,
        })
    }

    fn goes_on(&mut self, answer: &Command, by: &Actor, moment: Moment) {
        if let Ok(done) = run(Some(&self.order), answer, by, moment, Answering::Nobody) {
            self.order = done.order;
            self.effects.extend(done.effects);
        }
    }
}

/// Follows what was begun to its end, as if the back-end made void what it is asked to, and the channel quoted by its own terms and then said
/// yes.
pub(crate) fn agreed(begun: &Outcome, running: &Running, moment: Moment) -> Foreseen {
    let (order, effects) = (begun.order.clone(), begun.effects.clone());
    let channel = Actor::new(ActorKind::Channel, order.channel.as_str());
    let mut ahead = Foreseen { order, effects, tells_channel: false, by_hand: false };
    for next in 0..FOLLOWED_MAX {
        let Some(effect) = ahead.effects.get(next) else { break };
        if let Effect::CallBackend { backend, booking, op: TicketOp::Cancel, .. } = effect {
            let void = Command::RecordTicketFacts { booking: booking.clone(), facts: TicketFacts::Cancelled };
            ahead.goes_on(&void, &Actor::new(ActorKind::Backend, backend.as_str()), moment);
            continue;
        }
        let Effect::TellChannel { notification, .. } = effect else { continue };
        match way_of(running, &ahead.order, notification, moment) {
            Way::ByHand => {
                ahead.by_hand = true;
                continue;
            }
            Way::Call => ahead.tells_channel = true,
            Way::Nothing => {}
        }
        // The others do not answer by what they then say of the order.
        if ahead.order.channel_state.is_none() {
            continue;
        }
        let yes = match notification {
            Notification::CancelQuote => Command::RecordQuote { fee: None, refund: None },
            said => Command::RecordAgreement { notification: said.clone() },
        };
        ahead.goes_on(&yes, &channel, moment);
    }
    ahead
}

/// How a channel comes to know something.
enum Way {
    /// It is told.
    Call,
    /// It has no call for that.
    ByHand,
    /// It wants to know nothing of the kind.
    Nothing,
}

fn way_of(running: &Running, order: &Order, notification: &Notification, moment: Moment) -> Way {
    let Some(channel) = running.registry.channel(&order.channel) else { return Way::Call };
    let cx = Context { access_token: Some(""), ..Context::without_delivery(moment.now, [0; 16]) };
    match channel.channel.notify(notification, order, &cx) {
        Err(EncodeError::Unsupported(_)) => Way::ByHand,
        Err(EncodeError::Obsolete(_)) => Way::Nothing,
        // What is missing may be there when it is called.
        Ok(_) | Err(EncodeError::Missing(_) | EncodeError::Invalid(_) | EncodeError::NotConfigured(_)) => Way::Call,
    }
}
