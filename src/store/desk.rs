// SPDX-License-Identifier: Apache-2.0

//! Deliveries that a transaction makes ready go from hand to hand: they are written as already handed out, under a lease, and are begun once
//! the commit is confirmed. Nobody needs to look for them, and nobody takes them twice.
//!
//! What has to wait its turn is written as before, and is found by a look ([`crate::handout`]): a destination that is full, or called too
//! often, or left alone, or for which others wait already. What was handed over and is not begun, because the process died in between, is
//! handed out again when its lease runs out, as after any other crash.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use ticketbridge_core::{Order, UnixMillis};

use crate::job::Job;

/// Who takes deliveries over at once.
pub trait Desk: Send + Sync {
    /// Now, by the clock that due times are compared with.
    fn now(&self) -> UnixMillis;
    /// A place for one more delivery to this destination, if one may begin at once.
    fn place(&self, destination: &str) -> Option<Place>;
    /// These were committed, and are under way from now on. Called where a transaction ends: it must not wait.
    fn take(&self, handed_over: Vec<HandedOver>);
}

/// A place for a delivery; it is given back when the seat is dropped.
pub struct Place {
    /// Until when the delivery is leased.
    pub until: UnixMillis,
    /// What keeps the place.
    pub seat: Box<dyn Any + Send>,
}

/// A delivery with its place.
pub struct HandedOver {
    /// The delivery, as it was written.
    pub job: Job,
    /// Its order as the same transaction leaves it, where it is at hand; of several deliveries of one order the first has it.
    pub order: Option<Order>,
    /// What keeps its place.
    pub seat: Box<dyn Any + Send>,
}

impl fmt::Debug for HandedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandedOver").field("job", &self.job).finish_non_exhaustive()
    }
}

/// The one who is there at present.
#[derive(Default)]
pub(crate) struct Manned(Mutex<Option<Arc<dyn Desk>>>);

impl fmt::Debug for Manned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Manned").field(&self.get().is_some()).finish()
    }
}

impl Manned {
    /// Somebody comes, or goes.
    pub(crate) fn set(&self, desk: Option<Arc<dyn Desk>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = desk;
    }

    /// Who is there.
    pub(crate) fn get(&self) -> Option<Arc<dyn Desk>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
