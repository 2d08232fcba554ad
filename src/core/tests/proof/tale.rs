// SPDX-License-Identifier: Apache-2.0

//! An order of a platform that tells its orders whole, and the platform: what it changes is told, what we ask of it is answered.

use std::ops::{Deref, DerefMut};

use ticketbridge_core::message::{NotificationOutcome, Snapshot};
use ticketbridge_core::{Actor, ActorKind, Command, Notification};

use crate::platform::{Platform, Whole, stub, told, told_not_for_sale};
use crate::support::{Story, ops};

/// The platform.
pub(crate) fn platform() -> Actor {
    Actor::new(ActorKind::Channel, "kakao-jeju")
}

/// The order here, and as the platform holds it.
#[derive(Clone, Debug)]
pub(crate) struct Tale {
    pub(crate) story: Story,
    pub(crate) there: Platform,
}

impl Deref for Tale {
    type Target = Story;
    fn deref(&self) -> &Story {
        &self.story
    }
}
impl DerefMut for Tale {
    fn deref_mut(&mut self) -> &mut Story {
        &mut self.story
    }
}

impl Tale {
    /// The order is told for the first time.
    pub(crate) fn of(there: Platform) -> Self {
        let first = told(there.snapshot());
        Self::told_first(there, &first)
    }
    /// The same, when its product was not for sale.
    pub(crate) fn not_for_sale(terms: Whole, why: &str) -> Self {
        let there = Platform::paid(terms);
        let first = told_not_for_sale(there.snapshot(), why);
        Self::told_first(there, &first)
    }
    fn told_first(there: Platform, first: &Command) -> Self {
        let mut story = Story::new();
        story.tell(&platform(), &stub(&there)).tell(&platform(), first);
        Self { story, there }
    }
    /// A paid order, told for the first time.
    pub(crate) fn paid(terms: Whole) -> Self {
        Self::of(Platform::paid(terms))
    }
    /// Something changes at the platform, and it tells.
    pub(crate) fn tells(&mut self, change: impl FnOnce(&mut Platform)) -> &mut Self {
        self.there.at = self.story.now;
        change(&mut self.there);
        let snapshot = self.there.snapshot();
        self.hears(snapshot)
    }
    /// The whole order is told so.
    pub(crate) fn hears(&mut self, snapshot: Snapshot) -> &mut Self {
        self.story.tell(&platform(), &told(snapshot));
        self
    }
    /// The platform is asked how the order stands.
    pub(crate) fn hears_answer(&mut self) -> &mut Self {
        let snapshot = self.there.answer();
        self.hears(snapshot)
    }
    /// Somebody of ours acts.
    pub(crate) fn ops(&mut self, command: &Command) -> &mut Self {
        self.story.tell(&ops(), command);
        self
    }
    /// Our last call of this name has ended.
    pub(crate) fn ended(&mut self, name: &str, outcome: NotificationOutcome) -> &mut Self {
        let notification = self.said(name);
        self.story.tell(&platform(), &Command::RecordNotification { notification, outcome });
        self
    }
    /// The platform took our last call of this name.
    pub(crate) fn took(&mut self, name: &str) -> &mut Self {
        self.ended(name, NotificationOutcome::Acknowledged)
    }
    /// The last notification of this name.
    pub(crate) fn said(&self, name: &str) -> Notification {
        self.story.last_said(name).unwrap_or_else(|| panic!("`{name}` was never to be told")).clone()
    }
}

/// The platform does not take a call of ours, and will not.
pub(crate) fn no() -> NotificationOutcome {
    NotificationOutcome::Refused { code: "7".into(), why: "no".into() }
}
