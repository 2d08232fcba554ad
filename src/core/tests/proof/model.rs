// SPDX-License-Identifier: Apache-2.0

//! An exhaustive search: one order, its outbox, a back-end with a memory and a will of its own, a channel, a gate, people, and a clock.
//!
//! Every order in which they can act is tried, with a bounded number of wishes, acts of people and lost messages. What must always hold
//! is in [`properties`]; what the partners do is in [`partners`]; how an order and its rows move is in [`world`].

mod partners;
mod properties;
mod world;

use stateright::{Checker, HasDiscoveries, Model, Property};
use ticketbridge_core::product::{Cancellation, Confirmation, OverduePolicy};

use crate::support::{DIRECT, Terms, VOUCHER};
use world::{Action, World};

/// What is wrong on purpose, so that the search itself is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Tickets that come for a cancelled booking are dropped.
    LateTicketsIgnored,
    /// A refund is approved before the back-end has confirmed that the tickets are void.
    ApprovedTooEarly,
    /// A timer that finds the ticketing deadline passed does nothing.
    DeadlineSwallowed,
}

/// How much may happen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    /// Bookings.
    pub(crate) bookings: u8,
    /// Wishes and facts of the channel.
    pub(crate) wishes: u8,
    /// Acts of people.
    pub(crate) acts: u8,
    /// Messages lost, delayed or given up, and surprises at the gate.
    pub(crate) mishaps: u8,
}

/// One world to search.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Search {
    pub(crate) terms: Terms,
    pub(crate) budget: Budget,
    pub(crate) fault: Fault,
    /// The back-end answers at once, and never says that it is at work.
    pub(crate) prompt: bool,
    /// Whether every state of every axis is to be met.
    pub(crate) whole: bool,
}

impl Model for Search {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self)]
    }
    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        partners::actions(self, world, actions);
    }
    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        partners::act(self, &mut next, action);
        partners::close_unwanted(&mut next);
        (&next != world).then_some(next)
    }
    fn properties(&self) -> Vec<Property<Self>> {
        properties::all(self)
    }
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Searches everything, and fails with the shortest story that breaks a rule.
fn prove(name: &str, search: Search, states_at_least: usize) {
    // The first broken rule ends the search.
    let checker = search.checker().threads(threads()).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    println!(
        "{name}: {} different states, {} in all, depth {}",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth()
    );
    for property in search.properties() {
        if property.expectation == stateright::Expectation::Sometimes {
            assert!(checker.discovery(property.name).is_some(), "{name}: never met: {}", property.name);
        } else if let Some(path) = checker.discovery(property.name) {
            panic!("{name}: broken: {}\n{}", property.name, tell(&path));
        }
    }
    assert!(checker.unique_state_count() >= states_at_least, "{name}: the search has become small");
}

/// A path as a story: what was done, and where the order then stood.
fn tell(path: &stateright::Path<World, Action>) -> String {
    let mut story = String::new();
    for (world, action) in path.clone().into_vec() {
        story.push_str(&format!("  {world}\n"));
        if let Some(action) = action {
            story.push_str(&format!("{action:?}\n"));
        }
    }
    story
}

/// The search finds the fault that was put in.
fn finds(fault: Fault, rule: &'static str) {
    let budget = Budget { bookings: 1, wishes: 2, acts: 1, mishaps: 1 };
    let search = Search { terms: VOUCHER, budget, fault, prompt: false, whole: false };
    let checker =
        search.checker().threads(threads()).finish_when(HasDiscoveries::AnyOf([rule].into())).spawn_bfs().join();
    assert!(checker.discovery(rule).is_some(), "the search is blind to {fault:?}");
}

/// One booking, and everybody may meddle once.
const MEDDLED: Budget = Budget { bookings: 1, wishes: 1, acts: 1, mishaps: 1 };
/// One booking, decided by policy over lines that fail once.
const LOSSY: Budget = Budget { bookings: 1, wishes: 1, acts: 0, mishaps: 1 };
/// Two bookings one after the other, over lines that never fail.
const TWICE: Budget = Budget { bookings: 2, wishes: 1, acts: 1, mishaps: 0 };

const BY_PEOPLE: Terms = Terms { overdue: OverduePolicy::Manual, refund_rule: false, ..VOUCHER };
const REISSUING: Terms = Terms { overdue: OverduePolicy::Reissue, ..VOUCHER };
const APPROVING: Terms = Terms { overdue: OverduePolicy::Approve, ..VOUCHER };
const TICKETLESS: Terms = Terms { tickets: false, ..VOUCHER };
const MANAGED: Terms = Terms { confirm: Confirmation::Manual, cancellation: Cancellation::Never, ..DIRECT };

fn sound(terms: Terms, budget: Budget) -> Search {
    Search { terms, budget, fault: Fault::None, prompt: false, whole: false }
}

#[test]
fn a_voucher_decided_by_people() {
    prove("voucher, decided by people", Search { whole: true, ..sound(BY_PEOPLE, MEDDLED) }, 1_000_000);
}

#[test]
fn a_voucher_booked_twice() {
    for (terms, name) in
        [(BY_PEOPLE, "voucher, booked twice, by people"), (APPROVING, "voucher, booked twice, by policy")]
    {
        prove(name, Search { prompt: true, ..sound(terms, TWICE) }, 100_000);
    }
}

#[test]
fn a_voucher_decided_by_policy_that_reissues() {
    prove("voucher, policy reissues", sound(REISSUING, LOSSY), 100_000);
}

#[test]
fn a_voucher_decided_by_policy_that_approves() {
    prove("voucher, policy approves", sound(APPROVING, LOSSY), 100_000);
}

#[test]
fn a_voucher_without_tickets() {
    prove("voucher, no tickets", sound(TICKETLESS, MEDDLED), 1_000);
}

#[test]
fn a_direct_order_that_a_manager_confirms() {
    prove("direct, confirmed by a manager", sound(MANAGED, MEDDLED), 100_000);
}

#[test]
fn the_search_finds_late_tickets_that_are_ignored() {
    finds(Fault::LateTicketsIgnored, properties::NO_LIVE_TICKET_BEHIND);
}

#[test]
fn the_search_finds_a_refund_approved_too_early() {
    finds(Fault::ApprovedTooEarly, properties::VOID_BEFORE_APPROVAL);
}

#[test]
fn the_search_finds_a_deadline_that_is_swallowed() {
    finds(Fault::DeadlineSwallowed, properties::NO_DEADLINE_PASSES_UNSEEN);
}
