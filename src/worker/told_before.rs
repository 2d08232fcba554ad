// SPDX-License-Identifier: Apache-2.0

//! The name under which a channel is told something. What it has said yes to, and by its books has not done, it may only have put into a
//! queue: the same message again goes under the name of the first, so that the two are one to it. Another message has a name of its own.

use ticketbridge_core::message::{Effect, Notification, ToldBefore};
use ticketbridge_core::order::Order;
use ticketbridge_core::port::{Call, Channel, Context, EncodeError};
use ticketbridge_store::Job;

/// How what `effect` tells was told before, if it was.
pub(crate) fn of(effect: &Effect) -> Option<&ToldBefore> {
    match effect {
        Effect::TellChannel { told_before, .. } => told_before.as_deref(),
        Effect::CallBackend { .. }
        | Effect::DecryptGuests
        | Effect::CompareGuests { .. }
        | Effect::ReadBack { .. }
        | Effect::TellStock { .. }
        | Effect::ArmDeadline { .. }
        | Effect::DisarmDeadline { .. }
        | Effect::TakeStock { .. }
        | Effect::ReturnStock { .. } => None,
    }
}

/// Writes what the delivery `cx` tells: under the name of `before` where it says the same as that, and under its own otherwise.
pub(crate) fn write(
    channel: &dyn Channel,
    notification: &Notification,
    order: &Order,
    before: Option<&ToldBefore>,
    cx: &Context<'_>,
) -> Result<Call, EncodeError> {
    if let Some(before) = before {
        let cx = Context { delivery_id: &before.delivery, decided_at: before.decided_at, ..*cx };
        let call = channel.notify(notification, order, &cx)?;
        if call.fingerprint() == before.message {
            return Ok(call);
        }
    }
    channel.notify(notification, order, cx)
}

/// How `job` was told, where the call with the fingerprint `message` named it; `None` where the channel knows no repeats.
pub(crate) fn told(job: &Job, message: Option<String>) -> Option<ToldBefore> {
    let message = message?;
    let same = of(&job.effect).filter(|before| before.message == message);
    Some(same.cloned().unwrap_or_else(|| ToldBefore { message, ..untold(job) }))
}

/// How often what `job` tells was told in vain by deliveries before it.
pub(crate) fn in_vain(job: &Job) -> u32 {
    of(&job.effect).map_or(0, |before| before.in_vain)
}

/// The same with the attempts of `job` counted, where the books have moved on and show nothing of it: the next delivery goes on counting.
pub(crate) fn told_in_vain(job: &Job, message: Option<String>) -> ToldBefore {
    let told = told(job, message).or_else(|| of(&job.effect).cloned()).unwrap_or_else(|| untold(job));
    ToldBefore { in_vain: in_vain(job).saturating_add(job.attempts), ..told }
}

fn untold(job: &Job) -> ToldBefore {
    ToldBefore { delivery: job.id.clone(), decided_at: job.created_at, message: String::new(), in_vain: 0 }
}
