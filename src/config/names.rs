// SPDX-License-Identifier: Apache-2.0

//! The names that the files give to things, whether or not the rest of a thing could be read.

use std::collections::BTreeMap;

use super::finding::{Findings, Place, suggest};
use super::read::Table;

/// The names of what is below `partners/`, whatever else is wrong with it.
#[derive(Default)]
pub(super) struct OrganisationNames {
    pub(super) dealers: Vec<Named>,
    pub(super) institutions: Vec<Named>,
    pub(super) agencies: Vec<Named>,
    pub(super) settle_units: Vec<Named>,
    pub(super) registration_numbers: Vec<Named>,
    pub(super) codes: Vec<Named>,
}

/// Something with a name, whether or not the rest of it could be read.
#[derive(Clone)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) place: Place,
    /// The adapter, for a back-end.
    pub(super) adapter: Option<String>,
}

/// Everything with a name, and whether all files that could hold more of them were read.
#[derive(Default)]
pub(super) struct Names {
    pub(super) channels: Vec<Named>,
    pub(super) backends: Vec<Named>,
    pub(super) vouchers: Vec<Named>,
    pub(super) bookings: Vec<Named>,
    pub(super) accounts: Vec<Named>,
    pub(super) organisation: OrganisationNames,
    /// A file is no TOML: what is not among the names may be in it.
    pub(super) incomplete: bool,
}

impl Names {
    /// Two things of a kind with one name, both places named.
    pub(super) fn check_duplicates(&self, findings: &Findings) {
        let kinds = [
            ("channels", "id", &self.channels),
            ("back-ends", "id", &self.backends),
            ("voucher products", "code", &self.vouchers),
            ("booking products", "code", &self.bookings),
            ("credit accounts", "id", &self.accounts),
            ("dealers", "id", &self.organisation.dealers),
            ("institutions", "id", &self.organisation.institutions),
            ("institutions", "registration_number", &self.organisation.registration_numbers),
            ("agencies", "id", &self.organisation.agencies),
            ("agencies", "code", &self.organisation.codes),
            ("settle units", "id", &self.organisation.settle_units),
        ];
        for (kind, key, named) in kinds {
            let mut first: BTreeMap<&str, &Place> = BTreeMap::new();
            for Named { name, place, .. } in named {
                if let Some(other) = first.get(name.as_str()) {
                    let problem = format!("two {kind} have the {key} \"{name}\", the other at {other}");
                    findings.problem(place.clone(), problem, "rename or remove one of them");
                } else {
                    first.insert(name, place);
                }
            }
        }
        for Named { name, place, .. } in &self.bookings {
            if let Some(voucher) = self.vouchers.iter().find(|voucher| voucher.name == *name) {
                let problem = format!("\"{name}\" is the code of a voucher product too, at {}", voucher.place);
                findings.warning(place.clone(), problem, "give the two different codes: people confuse them");
            }
        }
    }

    pub(super) fn find<'n>(list: &'n [Named], name: &str) -> Option<&'n Named> {
        list.iter().find(|named| named.name == name)
    }

    /// Reports that `name` is not among `list`, unless it may be in a file that could not be read.
    pub(super) fn missing(&self, findings: &Findings, place: Place, what: &str, name: &str, list: &[Named]) {
        if !self.incomplete {
            let known: Vec<&str> =
                list.iter().map(|named| named.name.as_str()).filter(|name| !name.is_empty()).collect();
            findings.problem(place, format!("{what} \"{name}\" is not configured"), suggest(name, known));
        }
    }
}

/// The tables of `[[key]]`.
pub(super) fn entries<'a>(file: &Table<'a>, key: &'static str) -> Vec<Table<'a>> {
    file.opt(key, |value| match value.raw().is_table() {
        true => value.wrong("is one table", format!("write `[[{key}]]` with two brackets: there can be several")),
        false => value.tables(),
    })
    .unwrap_or_default()
}

/// The name that a table gives itself, whatever else is wrong with it.
pub(super) fn named(table: &Table<'_>, key: &str) -> Option<Named> {
    let value = table.peek(key)?;
    let name = value.raw().as_str()?.to_owned();
    Some(Named { name, place: value.place(), adapter: None })
}
