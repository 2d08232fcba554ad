// SPDX-License-Identifier: Apache-2.0

//! What the channel was to hear: heard, or not.

use crate::evolve::attention::clear;
use crate::evolve::channel_state;
use crate::message::{Notification, ToldBefore};
use crate::order::missed::{is_missed, makes_up_for};
use crate::order::undelivered::{NOT_DONE, UNDELIVERED, Undelivered, manual_sentence, refused_sentence};
use crate::order::{AttentionKind, Order};
use crate::quoted::{ForeignCode, FreeText};

pub(super) fn acknowledged(order: &mut Order, notification: &Notification) {
    delivered(order, notification);
    channel_state::proven(order, notification);
}

pub(super) fn taken(order: &mut Order, notification: &Notification, told: Option<&ToldBefore>) {
    delivered(order, notification);
    channel_state::unproven(order, notification, told);
}

fn delivered(order: &mut Order, notification: &Notification) {
    if *notification == Notification::HandOver {
        channel_state::handed_over(order, true);
    }
    order.undelivered.retain(|undelivered| !makes_up_for(notification, &undelivered.notification));
}

pub(super) fn refused(order: &mut Order, notification: &Notification, code: &ForeignCode, why: &FreeText) {
    if *notification == Notification::HandOver && *code == NOT_DONE {
        channel_state::handed_over(order, false);
    }
    let sentence = refused_sentence(notification, code, why);
    missed(order, notification, AttentionKind::NotificationRefused, sentence);
}

pub(super) fn left_to_person(order: &mut Order, notification: &Notification, what: &FreeText) {
    missed(order, notification, AttentionKind::ManualTask, manual_sentence(what));
}

pub(super) fn dropped(order: &mut Order, notification: &Notification) {
    for undelivered in order.undelivered.iter_mut().filter(|undelivered| undelivered.notification == *notification) {
        undelivered.is_put_aside = true;
    }
}

pub(super) fn repeated(order: &mut Order, notification: &Notification) {
    order.undelivered.retain(|undelivered| undelivered.notification != *notification);
}

fn missed(order: &mut Order, notification: &Notification, kind: AttentionKind, sentence: String) {
    order.undelivered.retain(|undelivered| undelivered.notification != *notification);
    order.undelivered.push(Undelivered { notification: notification.clone(), kind, is_put_aside: false, sentence });
}

/// Which of the flags for undelivered notifications stand.
pub(super) fn flagged(order: &Order) -> [(AttentionKind, bool); 2] {
    UNDELIVERED.map(|kind| (kind, order.misses_any(kind)))
}

/// What the channel has heard since, or nobody needs any more, is no longer a person's task; nor is what ops have put aside.
pub(super) fn forget(order: &mut Order, flagged: [(AttentionKind, bool); 2]) {
    let known = std::mem::take(&mut order.undelivered);
    order.undelivered =
        known.into_iter().filter(|undelivered| is_missed(order, &undelivered.notification, undelivered.kind)).collect();
    for (kind, was_flagged) in flagged {
        if was_flagged && !order.misses_any(kind) {
            clear(order, kind);
        }
        // A flag that stands for several says what is still missed, the last of it.
        let is_it = |undelivered: &&Undelivered| {
            undelivered.kind == kind && !undelivered.is_put_aside && !undelivered.sentence.is_empty()
        };
        let last = order.undelivered.iter().rev().find(is_it).map(|undelivered| undelivered.sentence.clone());
        for flag in order.attention.iter_mut().filter(|flag| flag.kind == kind) {
            flag.sentence = last.clone().unwrap_or_else(|| std::mem::take(&mut flag.sentence));
        }
    }
}
