// SPDX-License-Identifier: Apache-2.0

//! An order as the worlds of a search keep it: once for all that agree on it, and without what no rule looks at.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use ticketbridge_core::{Order, UnixMillis};

/// An order, shared between the worlds in which it stands the same, with its fingerprint.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    order: Arc<Order>,
    fingerprint: u64,
}

impl Kept {
    /// Without what no rule looks at.
    pub(crate) fn new(mut order: Order) -> Self {
        forget_wording(&mut order);
        let mut hasher = DefaultHasher::new();
        order.hash(&mut hasher);
        let fingerprint = hasher.finish();
        Self { order: Arc::new(order), fingerprint }
    }
    /// The order itself.
    pub(crate) fn shared(&self) -> Arc<Order> {
        Arc::clone(&self.order)
    }
}
impl Deref for Kept {
    type Target = Order;
    fn deref(&self) -> &Order {
        &self.order
    }
}
impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}
impl Eq for Kept {}
impl Hash for Kept {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.fingerprint.hash(state);
    }
}

/// Counts and sentences that no rule looks at would make equal worlds look different.
fn forget_wording(order: &mut Order) {
    order.version = 0;
    order.updated_at = UnixMillis(0);
    order.attention.sort_by_key(|a| a.kind);
    for attention in &mut order.attention {
        attention.since = UnixMillis(0);
        attention.sentence.clear();
    }
    for booking in order.booking.iter_mut().chain(&mut order.past_bookings) {
        booking.ticketing.reason = None;
    }
    for case in order.refund_case.iter_mut().chain(&mut order.past_refund_cases) {
        case.decided_at = None;
        case.decided_by = None;
        case.reason = None;
    }
}
