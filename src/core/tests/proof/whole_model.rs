// SPDX-License-Identifier: Apache-2.0

//! An exhaustive search of an order that its platform tells whole: the order and its rows here, the platform with its own books, a back-end, a
//! gate, people, and a clock; messages overtake each other, are lost and come twice, calls end in every way.
//!
//! What the platform does is in [`platform`](crate::platform) and [`partners`], how an order and its rows move in [`world`], what must hold in
//! [`rules`]. The searches here are those that a test run can afford; `WHOLE_MODEL=wide cargo test -p ticketbridge-core whole_model --
//! --nocapture` gives everybody one turn more, and takes as many minutes as the others take seconds.

mod partners;
mod rules;
mod world;

use stateright::{Checker, HasDiscoveries, Model, Property};

use crate::platform::{INSTANT, MANAGED, PACKAGE, Whole};
use world::{Action, World};

/// What is wrong on purpose, so that the search itself is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// A word that the order is off is dropped.
    EndIgnored,
    /// An older message counts as news.
    OldCounts,
    /// Money that comes late is dropped.
    MoneyIgnored,
    /// Taking a link back is never asked for.
    LinksStay,
    /// Tickets of an order that is off stay.
    TicketsStay,
}

/// How much may happen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    /// Wishes of guests, and acts of the platform.
    pub(crate) wishes: u8,
    /// Acts of people of ours.
    pub(crate) acts: u8,
    /// Messages lost or repeated, calls that fail, surprises at the gate, returns that do not work.
    pub(crate) mishaps: u8,
}

/// One world to search.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Search {
    pub(crate) terms: Whole,
    pub(crate) budget: Budget,
    pub(crate) fault: Fault,
    /// The platform answers our calls without telling the whole order.
    pub(crate) terse: bool,
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
        partners::act(self, &mut next, &action);
        next.close_unwanted();
        (&next != world).then_some(next)
    }
    fn properties(&self) -> Vec<Property<Self>> {
        rules::all()
    }
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Searches everything, and fails with the shortest story that breaks a rule.
fn prove(name: &str, search: Search) {
    let checker = search.checker().threads(threads()).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    println!(
        "{name}: {} different states, {} in all, depth {}",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth()
    );
    for property in search.properties() {
        if let Some(path) = checker.discovery(property.name) {
            panic!("{name}: broken: {}\n{}", property.name, tell(&path));
        }
    }
    assert!(checker.unique_state_count() >= 1_000, "{name}: the search has become small");
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
fn finds(fault: Fault, terms: Whole, wishes: u8, rule: &'static str) {
    let budget = Budget { wishes, acts: 1, mishaps: 0 };
    let search = Search { terms, budget, fault, terse: false };
    let checker =
        search.checker().threads(threads()).finish_when(HasDiscoveries::AnyOf([rule].into())).spawn_bfs().join();
    assert!(checker.discovery(rule).is_some(), "the search is blind to {fault:?}");
}

/// One turn more for everybody, where somebody has asked for it.
fn wide() -> u8 {
    u8::from(std::env::var("WHOLE_MODEL").is_ok_and(|value| value == "wide"))
}

fn sound(terms: Whole, wishes: u8, acts: u8, mishaps: u8) -> Search {
    let budget = Budget { wishes: wishes + wide(), acts: acts + wide(), mishaps: mishaps + wide() };
    Search { terms, budget, fault: Fault::None, terse: false }
}

#[test]
fn reservations_that_a_manager_decides() {
    prove("reservations, a manager decides", sound(MANAGED, 2, 1, 0));
    prove("reservations, over lines that fail", sound(MANAGED, 1, 1, 1));
}

#[test]
fn reservations_that_policy_decides() {
    prove("reservations, policy decides", sound(Whole { auto: true, ..MANAGED }, 1, 1, 1));
}

#[test]
fn reservations_that_the_platform_confirms() {
    prove("reservations, confirmed there", sound(INSTANT, 2, 1, 0));
    prove("reservations, confirmed there, over lines that fail", sound(INSTANT, 1, 1, 1));
}

#[test]
fn reservations_whose_platform_answers_tersely() {
    prove("reservations, terse answers", Search { terse: true, ..sound(INSTANT, 1, 1, 1) });
    prove("reservations of a manager, terse answers", Search { terse: true, ..sound(MANAGED, 1, 1, 0) });
}

#[test]
fn packages_with_deposits_and_links() {
    prove("packages", sound(PACKAGE, 2, 2, 0));
    prove("packages, over lines that fail", sound(PACKAGE, 1, 2, 1));
}

#[test]
fn the_search_finds_an_end_that_is_ignored() {
    finds(Fault::EndIgnored, INSTANT, 1, rules::AGREE);
}

#[test]
fn the_search_finds_old_messages_that_count() {
    finds(Fault::OldCounts, PACKAGE, 2, rules::NO_REFUND_FOR_NOTHING);
}

#[test]
fn the_search_finds_money_that_is_ignored() {
    finds(Fault::MoneyIgnored, PACKAGE, 1, rules::MONEY_AGREES);
}

#[test]
fn the_search_finds_links_that_stay() {
    finds(Fault::LinksStay, PACKAGE, 2, rules::NO_LINK_FOR_NOTHING);
}

#[test]
fn the_search_finds_tickets_that_stay() {
    finds(Fault::TicketsStay, INSTANT, 1, rules::NO_LIVE_TICKET_BEHIND);
}
