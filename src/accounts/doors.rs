// SPDX-License-Identifier: Apache-2.0

//! Doors: from where a connection's partner may call (PA-02). A changed list takes effect after its `propagation`; until then the old one
//! holds, and what is pending is known.

use std::collections::BTreeMap;
use std::sync::Arc;

use ipnet::IpNet;
use ticketbridge_core::{Millis, UnixMillis};
use ticketbridge_store::{DoorRow, NewAudit, Store, StoreError, Tx};

use crate::accounts::About;
use crate::config::{Config, Organisation, SettleUnit};
use crate::engine::Engine;
use crate::http::caller::Caller;

/// A network of a connection, with its times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// The network.
    pub network: IpNet,
    /// When it was saved.
    pub saved_at: UnixMillis,
    /// From when.
    pub opens_at: UnixMillis,
    /// Until when.
    pub closes_at: Option<UnixMillis>,
}

/// Where a door stands at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DoorState {
    /// It opens later.
    Pending,
    /// It is open; perhaps not for ever.
    Effective,
    /// It is closed.
    Removed,
}

impl DoorState {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            DoorState::Pending => "pending",
            DoorState::Effective => "effective",
            DoorState::Removed => "removed",
        }
    }
}

impl Door {
    /// Where it stands.
    pub fn state(&self, now: UnixMillis) -> DoorState {
        match self.closes_at {
            Some(at) if at <= now => DoorState::Removed,
            _ if self.opens_at > now => DoorState::Pending,
            Some(_) | None => DoorState::Effective,
        }
    }
}

/// Whether a caller may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// The list of addresses says so.
    Yes,
    /// It says no; from this time on it will say yes.
    No(Option<UnixMillis>),
    /// There is no list here: whatever stands elsewhere counts.
    NoList,
}

/// The doors of all connections. Plain data: what is open is a question of the time.
#[derive(Debug, Default)]
pub struct Doors(BTreeMap<String, Vec<Door>>);

impl Doors {
    fn of_rows(rows: &[DoorRow]) -> Self {
        let mut doors: BTreeMap<String, Vec<Door>> = BTreeMap::new();
        for row in rows {
            let Ok(network) = row.network.parse() else { continue };
            let door = Door { network, saved_at: row.saved_at, opens_at: row.opens_at, closes_at: row.closes_at };
            doors.entry(row.connection.clone()).or_default().push(door);
        }
        Self(doors)
    }

    /// The doors of a connection.
    pub fn of(&self, connection: &str) -> &[Door] {
        self.0.get(connection).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether `caller` may call `connection` at `now`.
    pub fn admit(&self, connection: &str, caller: Caller, now: UnixMillis) -> Admitted {
        let doors = self.of(connection);
        let effective: Vec<&Door> = doors.iter().filter(|door| door.state(now) == DoorState::Effective).collect();
        let pending: Vec<&Door> = doors.iter().filter(|door| door.state(now) == DoorState::Pending).collect();
        if effective.is_empty() {
            // The list of before holds until the new one does. Where all of a list has closed before the next opens, nobody calls.
            let last_closed = doors.iter().filter_map(|door| door.closes_at).filter(|at| *at <= now).max();
            let replaces_nothing = |door: &&Door| last_closed.is_none_or(|closed| door.saved_at > closed);
            if pending.iter().all(replaces_nothing) {
                return Admitted::NoList;
            }
        }
        let Caller::Known(address) = caller else { return Admitted::No(None) };
        let address = address.to_canonical();
        if effective.iter().any(|door| door.network.contains(&address)) {
            return Admitted::Yes;
        }
        let opens = pending.iter().filter(|door| door.network.contains(&address)).map(|door| door.opens_at).min();
        Admitted::No(opens)
    }
}

/// Brings the rows up to what `organisation` says, and gives all of them. With `at_once` nothing waits: the first start.
///
/// # Errors
/// Store errors.
pub async fn apply(engine: &Engine, organisation: &Organisation) -> Result<Arc<Doors>, StoreError> {
    /// The name under which it is noted that a service has started with doors before.
    const STARTED: &str = "doors";
    let store = engine.store();
    let at_once = !store.is_done_once(STARTED).await?;
    let now = engine.clock().now();
    let emergencies = organisation.addresses.iter().filter(|entry| entry.emergency);
    // Written with the change that they are about, if it comes to one.
    let entries =
        emergencies.map(|entry| (entry.connection.clone(), audit(engine, &entry.connection))).collect::<Vec<_>>();
    let work = Arc::new((organisation.clone(), entries));
    let rows: Vec<DoorRow> = store
        .write("apply_doors", move |tx: &Tx| {
            let work = work.clone();
            Box::pin(async move {
                let (organisation, entries) = &*work;
                let known = tx.lock_doors().await?;
                let changed = changes(&known, organisation, at_once, now);
                for door in &changed {
                    tx.put_door(door).await?;
                }
                for (connection, entry) in entries {
                    if changed.iter().any(|door| door.connection == *connection) {
                        tx.add_audit(entry).await?;
                    }
                }
                if at_once {
                    tx.note_done_once(STARTED, now).await?;
                }
                tx.lock_doors().await
            })
        })
        .await?;
    Ok(Arc::new(Doors::of_rows(&rows)))
}

/// That the addresses of a connection changed at once.
fn audit(engine: &Engine, connection: &str) -> NewAudit {
    let running = engine.running();
    let channel = running.config.channels.iter().find(|channel| channel.id.as_str() == connection);
    NewAudit {
        channel: channel.map(|channel| channel.id.clone()),
        ..super::entry(
            engine,
            "configuration",
            "addresses_changed_in_emergency",
            About { detail: serde_json::json!({ "connection": connection }), ..About::default() },
        )
    }
}

/// A settle unit that is closed, or that `before` had and that is gone, although lines of it are not settled; and how many.
///
/// # Errors
/// Store errors.
pub async fn closed_with_lines(
    store: &Store,
    config: &Config,
    before: Option<&Config>,
) -> Result<Option<(String, u64)>, StoreError> {
    let units = &config.organisation.settle_units;
    let closed = units.iter().filter(|unit| unit.closed);
    let is_gone = |unit: &&SettleUnit| !units.iter().any(|known| known.id == unit.id);
    let gone = before.into_iter().flat_map(|before| &before.organisation.settle_units).filter(is_gone);
    for unit in closed.chain(gone) {
        let lines = store.unsettled_lines(&unit.id).await?;
        if lines > 0 {
            return Ok(Some((unit.id.clone(), lines)));
        }
    }
    Ok(None)
}

/// The channels that name a settle unit and of which lines stand under their own names, from before; and how many of those are not settled.
///
/// # Errors
/// Store errors.
pub async fn unsettled_from_before(store: &Store, config: &Config) -> Result<Vec<(String, u64)>, StoreError> {
    let mut found = Vec::new();
    for channel in config.channels.iter().filter(|channel| channel.had_another_settle_id()) {
        let lines = store.unsettled_lines(channel.id.as_str()).await?;
        if lines > 0 {
            found.push((channel.id.to_string(), lines));
        }
    }
    Ok(found)
}

/// The rows that are other than they were.
fn changes(known: &[DoorRow], organisation: &Organisation, at_once: bool, now: UnixMillis) -> Vec<DoorRow> {
    let mut changed = Vec::new();
    let row_of = |connection: &str, network: &str| {
        known.iter().find(|row| row.connection == connection && row.network == network)
    };
    for entry in &organisation.addresses {
        let wait = if at_once || entry.emergency { Millis(0) } else { entry.propagation };
        for network in &entry.networks {
            let network = network.to_string();
            let row = match row_of(&entry.connection, &network) {
                // It is or will be open: only what it waits for next time may have changed.
                Some(row) if row.closes_at.is_none() => {
                    let opens_at = if entry.emergency { row.opens_at.min(now) } else { row.opens_at };
                    DoorRow { propagation: entry.propagation, opens_at, ..row.clone() }
                }
                // It was to be closed, and is not: it goes on as it was.
                Some(row) if row.closes_at.is_some_and(|at| at > now) => {
                    DoorRow { propagation: entry.propagation, closes_at: None, ..row.clone() }
                }
                Some(_) | None => DoorRow {
                    connection: entry.connection.clone(),
                    network: network.clone(),
                    propagation: entry.propagation,
                    saved_at: now,
                    opens_at: now + wait,
                    closes_at: None,
                },
            };
            if row_of(&entry.connection, &network) != Some(&row) {
                changed.push(row);
            }
        }
    }
    for row in known {
        let is_named =
            organisation.addresses_of(&row.connection).any(|(network, _)| network.to_string() == row.network);
        if is_named {
            continue;
        }
        let emergency =
            organisation.addresses.iter().any(|entry| entry.connection == row.connection && entry.emergency);
        let closes_at = match row.closes_at {
            Some(at) if emergency => at.min(now),
            Some(at) => at,
            // What never opened need not be waited for.
            None if emergency || at_once || row.opens_at > now => now,
            // Its entry may be gone: it keeps its last propagation.
            None => now + row.propagation,
        };
        if row.closes_at != Some(closes_at) {
            changed.push(DoorRow { closes_at: Some(closes_at), ..row.clone() });
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::organisation::OperatingAddresses;

    const NOW: UnixMillis = UnixMillis(1_000_000);

    fn organisation(networks: &[&str], propagation: Millis, emergency: bool) -> Organisation {
        let networks: Vec<IpNet> = networks.iter().map(|network| network.parse().unwrap()).collect();
        let entry = OperatingAddresses { connection: "kakao".to_owned(), networks, propagation, emergency };
        let addresses = if entry.networks.is_empty() { Vec::new() } else { vec![entry] };
        Organisation { addresses, ..Organisation::default() }
    }

    /// The rows after one change after the other.
    fn after(steps: &[(&[&str], Millis, bool, UnixMillis)]) -> Vec<DoorRow> {
        let mut rows: Vec<DoorRow> = Vec::new();
        for (index, (networks, propagation, emergency, now)) in steps.iter().enumerate() {
            for new in changes(&rows, &organisation(networks, *propagation, *emergency), index == 0, *now) {
                rows.retain(|row| row.network != new.network);
                rows.push(new);
            }
        }
        rows
    }

    fn admit(rows: &[DoorRow], address: &str, now: UnixMillis) -> Admitted {
        Doors::of_rows(rows).admit("kakao", Caller::Known(address.parse().unwrap()), now)
    }

    const FIVE: Millis = Millis::minutes(5);

    #[test]
    fn the_first_start_acts_at_once_and_a_change_waits_on_both_sides() {
        let later = NOW + Millis::minutes(10);
        let rows = after(&[(&["192.0.2.0/24"], FIVE, false, NOW), (&["198.51.100.0/24"], FIVE, false, later)]);
        let opens = later + FIVE;
        for (address, now, wanted) in [
            ("192.0.2.1", later, Admitted::Yes),
            ("198.51.100.1", later, Admitted::No(Some(opens))),
            ("203.0.113.1", later, Admitted::No(None)),
            ("192.0.2.1", opens - Millis(1), Admitted::Yes),
            ("192.0.2.1", opens, Admitted::No(None)),
            ("198.51.100.1", opens, Admitted::Yes),
        ] {
            assert_eq!(admit(&rows, address, now), wanted, "{address} at {now:?}");
        }
    }

    #[test]
    fn an_emergency_acts_at_once_in_both_directions() {
        let later = NOW + Millis::minutes(10);
        let rows = after(&[(&["192.0.2.0/24"], FIVE, false, NOW), (&["198.51.100.0/24"], FIVE, true, later)]);
        assert_eq!(admit(&rows, "192.0.2.1", later), Admitted::No(None));
        assert_eq!(admit(&rows, "198.51.100.1", later), Admitted::Yes);
    }

    #[test]
    fn a_first_list_and_the_end_of_the_last_one_wait_too() {
        let (later, end) = (NOW + Millis::minutes(10), NOW + Millis::minutes(30));
        let rows = after(&[(&[], FIVE, false, NOW), (&["192.0.2.0/24"], FIVE, false, later)]);
        assert_eq!(admit(&rows, "203.0.113.1", later), Admitted::NoList, "what stood elsewhere holds until then");
        assert_eq!(admit(&rows, "203.0.113.1", later + FIVE), Admitted::No(None));
        let steps: &[(&[&str], Millis, bool, UnixMillis)] =
            &[(&[], FIVE, false, NOW), (&["192.0.2.0/24"], FIVE, false, later), (&[], FIVE, false, end)];
        let rows = after(steps);
        assert_eq!(
            admit(&rows, "203.0.113.1", end),
            Admitted::No(None),
            "an entry that is gone keeps its last propagation"
        );
        assert_eq!(admit(&rows, "203.0.113.1", end + FIVE), Admitted::NoList);
    }

    #[test]
    fn between_a_list_that_closes_early_and_one_that_opens_late_nobody_calls() {
        let later = NOW + Millis::minutes(10);
        let rows = after(&[(&["192.0.2.0/24"], Millis(0), false, NOW), (&["198.51.100.0/24"], FIVE, false, later)]);
        assert_eq!(admit(&rows, "192.0.2.1", later), Admitted::No(None));
        assert_eq!(admit(&rows, "203.0.113.1", later + Millis::minutes(1)), Admitted::No(None));
        assert_eq!(admit(&rows, "198.51.100.1", later + FIVE), Admitted::Yes);
    }

    #[test]
    fn a_network_that_comes_back_before_it_has_closed_never_closes() {
        let (later, back) = (NOW + Millis::minutes(10), NOW + Millis::minutes(12));
        let rows = after(&[
            (&["192.0.2.0/24", "198.51.100.0/24"], FIVE, false, NOW),
            (&["198.51.100.0/24"], FIVE, false, later),
            (&["192.0.2.0/24", "198.51.100.0/24"], FIVE, false, back),
        ]);
        for minutes in [12, 14, 16, 60] {
            assert_eq!(admit(&rows, "192.0.2.1", NOW + Millis::minutes(minutes)), Admitted::Yes);
        }
    }
}
