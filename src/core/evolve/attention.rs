//! What a person must look at.

use crate::order::{Attention, AttentionKind, Order};
use crate::time::UnixMillis;

/// A flag that stands already says the newer sentence, and is the most urgent one.
pub(super) fn raised(order: &mut Order, kind: AttentionKind, sentence: &str, at: UnixMillis) {
    clear(order, kind);
    order.attention.push(Attention { kind, since: at, sentence: sentence.to_owned() });
}

pub(super) fn clear(order: &mut Order, kind: AttentionKind) {
    order.attention.retain(|a| a.kind != kind);
}
