// SPDX-License-Identifier: Apache-2.0

//! How many connections are open, in all and for each address, and which of them makes room for another.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::http::caller::Caller;

/// Open connections, however many descriptors the machine allows.
const CONNECTIONS_MAX: usize = 8_192;

/// How many connections may be open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Altogether.
    pub in_all: usize,
    /// From one address that is no trusted proxy; a network of 64 bits counts as one address.
    pub per_address: usize,
}

impl Room {
    /// What this process has descriptors for at this moment: half of them, since the database and outbound calls need some as well.
    pub fn of_this_machine() -> Self {
        Self::for_descriptors(descriptors())
    }

    /// The same, or what the configuration says.
    pub fn configured(server: &crate::config::Server) -> Self {
        let of_this_machine = Self::of_this_machine();
        let size = |many: u32| usize::try_from(many).unwrap_or(usize::MAX);
        let in_all = server.connections.map_or(of_this_machine.in_all, size);
        let per_address = server.connections_per_address.map_or(in_all.div_ceil(4), size);
        Self { in_all, per_address }
    }

    fn for_descriptors(descriptors: u64) -> Self {
        let half = usize::try_from(descriptors / 2).unwrap_or(usize::MAX);
        let in_all = half.clamp(4, CONNECTIONS_MAX);
        Self { in_all, per_address: in_all / 4 }
    }
}

/// Raises the limit of descriptors to what the machine allows this process. Where it may not, the limit stays.
#[cfg(unix)]
pub fn raise_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let most = getrlimit(Resource::Nofile).maximum;
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

/// Raises the limit of descriptors to what the machine allows this process; there is none here.
#[cfg(not(unix))]
pub fn raise_descriptors() {}

#[cfg(unix)]
fn descriptors() -> u64 {
    use rustix::process::{Resource, getrlimit};
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Descriptors that are assumed where the machine does not say.
#[cfg(not(unix))]
fn descriptors() -> u64 {
    1_024
}

/// What happens on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing: the next request has not begun.
    Idle,
    /// A request's head is awaited until then.
    Head(Instant),
    /// A request is being served.
    Served,
}

/// The open connections. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct OpenConnections(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    next: u64,
    in_all: usize,
    by_address: HashMap<Caller, BTreeMap<u64, Holder>>,
}

struct Holder {
    phase: watch::Sender<Phase>,
    leave: CancellationToken,
}

/// The right to be connected; given back when dropped.
pub(crate) struct Admission {
    connections: OpenConnections,
    address: Caller,
    number: u64,
    phase: watch::Sender<Phase>,
    leave: CancellationToken,
}

impl OpenConnections {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a newcomer in; whoever has waited longest without a request being served leaves, where there is no room. `None`
    /// when all others are being served.
    pub(crate) fn take(&self, address: IpAddr, is_proxy: bool, room: Room) -> Option<Admission> {
        let address = Caller::Known(address).counted_as();
        let mut held = self.held();
        let from_there = held.by_address.get(&address).map_or(0, BTreeMap::len);
        if !is_proxy && from_there >= room.per_address && !held.make_room(address) {
            return None;
        }
        if held.in_all >= room.in_all {
            // From where most have come.
            let mut crowds: Vec<(usize, Caller)> =
                held.by_address.iter().map(|(address, holders)| (holders.len(), *address)).collect();
            crowds.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
            if !crowds.into_iter().any(|(_, crowd)| held.make_room(crowd)) {
                return None;
            }
        }
        let number = held.next;
        held.next += 1;
        held.in_all += 1;
        let (phase, leave) = (watch::Sender::new(Phase::Idle), CancellationToken::new());
        let holder = Holder { phase: phase.clone(), leave: leave.clone() };
        held.by_address.entry(address).or_default().insert(number, holder);
        drop(held);
        Some(Admission { connections: self.clone(), address, number, phase, leave })
    }
}

impl Held {
    /// Sends away the one of this address that has been connected longest and waits; whether there was one.
    fn make_room(&mut self, address: Caller) -> bool {
        let Some(holders) = self.by_address.get(&address) else { return false };
        let waiting = holders.iter().find(|(_, holder)| *holder.phase.borrow() != Phase::Served);
        let Some((number, holder)) = waiting else { return false };
        holder.leave.cancel();
        let number = *number;
        self.give_back(address, number);
        true
    }

    fn give_back(&mut self, address: Caller, number: u64) {
        let Some(holders) = self.by_address.get_mut(&address) else { return };
        if holders.remove(&number).is_some() {
            self.in_all -= 1;
        }
        if holders.is_empty() {
            self.by_address.remove(&address);
        }
    }
}

impl Admission {
    /// What happens on the connection; whoever serves it keeps it up to date.
    pub(crate) fn phase(&self) -> &watch::Sender<Phase> {
        &self.phase
    }

    /// Returns when somebody else has to be let in.
    pub(crate) async fn asked_to_leave(&self) {
        self.leave.cancelled().await;
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.connections.held().give_back(self.address, self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn is_sent_away(admission: &Admission) -> bool {
        admission.leave.is_cancelled()
    }

    #[test]
    fn an_address_has_its_share_and_its_oldest_waiting_connection_makes_room() {
        let (connections, room) = (OpenConnections::default(), Room { in_all: 100, per_address: 2 });
        let (one, other) = (address("203.0.113.9"), address("203.0.113.10"));
        let first = connections.take(one, false, room).unwrap();
        let second = connections.take(one, false, room).unwrap();
        let foreign = connections.take(other, false, room).unwrap();
        first.phase().send_replace(Phase::Served);
        let third = connections.take(one, false, room).unwrap();
        assert_eq!([&first, &second, &third, &foreign].map(is_sent_away), [false, true, false, false]);
        third.phase().send_replace(Phase::Served);
        assert!(connections.take(one, false, room).is_none(), "both are being served");
        drop(first);
        assert!(connections.take(one, false, room).is_some());
        let proxied: Vec<Admission> = (0..50).map(|_| connections.take(one, true, room).unwrap()).collect();
        assert!(!proxied.iter().any(is_sent_away), "a proxy brings many callers");
    }

    #[test]
    fn the_room_is_shared_and_the_largest_crowd_makes_room_first() {
        let (connections, room) = (OpenConnections::default(), Room { in_all: 4, per_address: 3 });
        let crowd: Vec<Admission> =
            (0..3).map(|_| connections.take(address("203.0.113.9"), false, room).unwrap()).collect();
        let alone = connections.take(address("203.0.113.10"), false, room).unwrap();
        let newcomer = connections.take(address("203.0.113.11"), false, room).unwrap();
        assert_eq!(crowd.iter().map(is_sent_away).collect::<Vec<_>>(), [true, false, false]);
        assert!(!is_sent_away(&alone) && !is_sent_away(&newcomer));
        drop((crowd, alone, newcomer));
        let held = connections.held();
        assert_eq!((held.in_all, held.by_address.len()), (0, 0));
    }

    #[test]
    fn the_room_follows_the_machines_descriptors() {
        for (descriptors, in_all, per_address) in [(0, 4, 1), (512, 256, 64), (1 << 20, CONNECTIONS_MAX, 2_048)] {
            assert_eq!(Room::for_descriptors(descriptors), Room { in_all, per_address }, "{descriptors}");
        }
    }
}
