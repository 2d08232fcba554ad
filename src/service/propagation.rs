// SPDX-License-Identifier: Apache-2.0

//! Changed secrets of a partner whose changes take their time: which hold now, and which will. Plain data and plain rules.

use std::collections::BTreeMap;

use serde_json::Value;
use ticketbridge_core::{Millis, UnixMillis};
use ticketbridge_store::SecretsRow;

/// The secrets of one partner, as its file has them.
#[derive(Clone, Debug)]
pub struct Filed {
    /// The settings that hold secrets, by name.
    pub values: Value,
    /// What tells them from others.
    pub fingerprint: String,
    /// Time from a change until it takes effect, where the file says so.
    pub propagation: Option<Millis>,
    /// Whether changes act at once.
    pub emergency: bool,
}

/// What becomes of the rows of one partner.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What is kept from now on: those in force, and those that will be.
    pub rows: Vec<SecretsRow>,
    /// Whether others than before are or will be in force.
    pub is_change: bool,
}

/// Those in force at a time, and those that will be, among the rows of one partner in the order in which they hold.
fn standing(rows: &[SecretsRow], now: UnixMillis) -> (Option<&SecretsRow>, Option<&SecretsRow>) {
    let effective = rows.iter().rfind(|row| row.opens_at <= now);
    (effective, rows.iter().find(|row| row.opens_at > now))
}

/// What becomes of the rows of one partner when its file says `filed`. The first secrets of a partner hold at once; those that never came into
/// force need not be waited for; where a file says nothing of time any more, its last word holds for this change still.
pub fn step(connection: &str, known: &[SecretsRow], filed: &Filed, now: UnixMillis) -> Step {
    let (effective, pending) = standing(known, now);
    let wait = filed.propagation.or(effective.map(|row| row.propagation)).unwrap_or(Millis(0));
    let of_file = |saved_at, opens_at| SecretsRow {
        connection: connection.to_owned(),
        fingerprint: filed.fingerprint.clone(),
        values: filed.values.clone(),
        propagation: filed.propagation.unwrap_or(Millis(0)),
        saved_at,
        opens_at,
    };
    let alone = |row: SecretsRow, is_change| {
        // Of a partner whose changes act at once nothing has to be known.
        let is_kept = row.propagation > Millis(0);
        Step { rows: if is_kept { vec![row] } else { Vec::new() }, is_change }
    };
    let Some(effective) = effective else { return alone(of_file(now, now), false) };
    if effective.fingerprint == filed.fingerprint {
        return alone(of_file(effective.saved_at, effective.opens_at), pending.is_some());
    }
    let (saved_at, opens_at) = match pending.filter(|row| row.fingerprint == filed.fingerprint) {
        Some(row) => (row.saved_at, row.opens_at),
        None => (now, now + wait),
    };
    let is_new = pending.is_none_or(|row| row.fingerprint != filed.fingerprint);
    if filed.emergency || opens_at <= now {
        return alone(of_file(saved_at, now), true);
    }
    Step { rows: vec![effective.clone(), of_file(saved_at, opens_at)], is_change: is_new }
}

/// Secrets that hold although the file has others by now, and until when.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// The settings that hold them, by name.
    pub values: Value,
    /// What tells them from others.
    pub fingerprint: String,
    /// Since when they hold.
    pub since: UnixMillis,
    /// What tells those of the file from others.
    pub next: String,
    /// When those were saved.
    pub saved_at: UnixMillis,
    /// From when those hold.
    pub until: UnixMillis,
}

/// Of each partner for which that is so.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AllHeld(pub BTreeMap<String, Held>);

impl AllHeld {
    /// As the rows of one partner say.
    pub fn note(&mut self, rows: &[SecretsRow], now: UnixMillis) {
        if let (Some(effective), Some(pending)) = standing(rows, now) {
            let held = Held {
                values: effective.values.clone(),
                fingerprint: effective.fingerprint.clone(),
                since: effective.opens_at,
                next: pending.fingerprint.clone(),
                saved_at: pending.saved_at,
                until: pending.opens_at,
            };
            self.0.insert(effective.connection.clone(), held);
        }
    }

    /// Those of a partner.
    pub fn of(&self, connection: &str) -> Option<&Held> {
        self.0.get(connection)
    }

    /// When the first of them end.
    pub fn next_end(&self) -> Option<UnixMillis> {
        self.0.values().map(|held| held.until).min()
    }

    /// What is left of them at a time.
    pub fn at(&self, now: UnixMillis) -> Self {
        Self(self.0.iter().filter(|(_, held)| held.until > now).map(|(id, held)| (id.clone(), held.clone())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: UnixMillis = UnixMillis(1_000_000);
    const FIVE: Millis = Millis::minutes(5);

    fn filed(secret: &str, propagation: Option<Millis>, emergency: bool) -> Filed {
        Filed { values: json!({ "secret": secret }), fingerprint: secret.to_owned(), propagation, emergency }
    }

    /// What holds at some time after these changes, each at its minute.
    fn after(changes: &[(i64, Filed)]) -> Vec<SecretsRow> {
        let applied = |rows: Vec<SecretsRow>, (minute, filed): &(i64, Filed)| {
            step("gate", &rows, filed, NOW + Millis::minutes(*minute)).rows
        };
        changes.iter().fold(Vec::new(), applied)
    }
    fn holds(rows: &[SecretsRow], minute: i64) -> &str {
        let (effective, _) = standing(rows, NOW + Millis::minutes(minute));
        effective.map_or("", |row| row.fingerprint.as_str())
    }

    #[test]
    fn the_first_hold_at_once_and_others_after_their_time() {
        let rows = after(&[(0, filed("a", Some(FIVE), false)), (10, filed("b", Some(FIVE), false))]);
        assert_eq!([0, 10, 14, 15, 60].map(|minute| holds(&rows, minute)), ["a", "a", "a", "b", "b"]);
        let mut held = AllHeld::default();
        held.note(&rows, NOW + Millis::minutes(11));
        assert_eq!(held.next_end(), Some(NOW + Millis::minutes(15)));
        assert_eq!(held.at(NOW + Millis::minutes(15)), AllHeld::default());
    }

    #[test]
    fn said_again_they_wait_no_longer_and_taken_back_they_never_come() {
        let five = Some(FIVE);
        let again =
            after(&[(0, filed("a", five, false)), (10, filed("b", five, false)), (13, filed("b", five, false))]);
        assert_eq!([14, 15].map(|minute| holds(&again, minute)), ["a", "b"]);
        let back = after(&[(0, filed("a", five, false)), (10, filed("b", five, false)), (13, filed("a", five, false))]);
        assert_eq!([14, 15, 60].map(|minute| holds(&back, minute)), ["a", "a", "a"]);
        let third =
            after(&[(0, filed("a", five, false)), (10, filed("b", five, false)), (13, filed("c", five, false))]);
        assert_eq!([15, 17, 18].map(|minute| holds(&third, minute)), ["a", "a", "c"]);
    }

    #[test]
    fn in_an_emergency_nothing_waits_not_even_what_waits_already() {
        let five = Some(FIVE);
        let rows = after(&[(0, filed("a", five, false)), (10, filed("b", five, true))]);
        assert_eq!(holds(&rows, 10), "b");
        let rows = after(&[(0, filed("a", five, false)), (10, filed("b", five, false)), (12, filed("b", five, true))]);
        assert_eq!(holds(&rows, 12), "b");
    }

    #[test]
    fn a_time_that_is_taken_out_holds_once_more_and_without_one_nothing_is_kept() {
        let rows = after(&[(0, filed("a", Some(FIVE), false)), (10, filed("b", None, false))]);
        assert_eq!([14, 15].map(|minute| holds(&rows, minute)), ["a", "b"]);
        assert_eq!(step("gate", &rows, &filed("b", None, false), NOW + Millis::minutes(20)).rows, []);
        assert_eq!(after(&[(0, filed("a", None, false)), (10, filed("b", None, false))]), []);
        let at_once = after(&[(0, filed("a", Some(FIVE), false)), (10, filed("b", Some(Millis(0)), false))]);
        assert_eq!(at_once, [], "who says 0s means it");
    }
}
