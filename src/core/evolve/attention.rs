// SPDX-License-Identifier: Apache-2.0

//! What a person must look at.

use crate::order::{Attention, AttentionKind, Fact, Order};
use crate::time::UnixMillis;

/// A flag that tells of the same already says the newer sentence.
pub(super) fn raised(order: &mut Order, kind: AttentionKind, sentence: &str, fact: Option<&Fact>, since: UnixMillis) {
    order.attention.retain(|a| a.kind != kind || !Fact::is_same_subject(a.fact.as_ref(), fact));
    order.attention.push(Attention { kind, since, sentence: sentence.to_owned(), fact: fact.cloned() });
}

pub(super) fn clear(order: &mut Order, kind: AttentionKind) {
    order.attention.retain(|a| a.kind != kind);
}

/// Flags go with the facts that they tell of, and say how those stand now.
pub(super) fn follow_facts(order: &mut Order) {
    if order.attention.iter().all(|flag| flag.fact.is_none()) {
        return;
    }
    let mut flags = std::mem::take(&mut order.attention);
    flags.retain(|flag| flag.fact.as_ref().is_none_or(|fact| fact.holds(order)));
    for flag in &mut flags {
        if let Some(fact) = &flag.fact {
            flag.sentence = fact.sentence(order);
        }
    }
    order.attention = flags;
}

/// Tickets that a person has made replace those that some flags tell of.
pub(super) fn replaced_by_hand(order: &mut Order) {
    order.attention.retain(|flag| !flag.fact.as_ref().is_some_and(Fact::ends_with_new_tickets));
}
