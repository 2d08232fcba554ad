// SPDX-License-Identifier: Apache-2.0

//! `partners/*.toml`: whose business it is (PA-01). A dealer has institutions, an institution has agencies and settle units; a channel names
//! the settle unit that it is settled under and perhaps the agency that it belongs to. And from where its partner may call (PA-02).

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use ticketbridge_core::{Millis, TimeZone};

use super::finding::{Findings, Place, suggest};
use super::names::{Named, Names, OrganisationNames, entries, named};
use super::partner::ChannelConfig;
use super::read::{Table, Value};

/// Who has institutions and may act for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dealer {
    /// Its name in other files.
    pub id: String,
    /// Its name for people.
    pub name: String,
}

/// How an institution has its contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contract {
    /// By itself.
    Direct,
    /// Through its dealer.
    Indirect,
}

impl Contract {
    /// Both with the words for them.
    pub const WORDS: [(&'static str, Contract); 2] = [("direct", Contract::Direct), ("indirect", Contract::Indirect)];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Contract::Direct => "direct",
            Contract::Indirect => "indirect",
        }
    }
}

/// One business registration number: the unit of a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Institution {
    /// Its name in other files.
    pub id: String,
    /// Its business registration number.
    pub registration_number: String,
    /// How it has its contract.
    pub contract: Contract,
    /// Through whom, if indirectly.
    pub dealer: Option<String>,
}

/// Who is named to the guest as the sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agency {
    /// Its name in other files.
    pub id: String,
    /// Whose it is.
    pub institution: String,
    /// What an applicant gives at sign-up.
    pub code: String,
    /// Its name for guests.
    pub sender_name: String,
}

/// The smallest unit that money is settled under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettleUnit {
    /// The settle id.
    pub id: String,
    /// Whose it is.
    pub institution: String,
    /// Whether nothing is settled under it any more.
    pub closed: bool,
    /// The zone whose days its periods are made of; `None`: that of its channels.
    pub time_zone: Option<TimeZone>,
    pub(super) place: Place,
}

/// From where a partner may call; takes the place of its channel's `allow_from`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatingAddresses {
    /// The channel or back-end.
    pub connection: String,
    /// The networks that may call.
    pub networks: Vec<IpNet>,
    /// Time from a change until it takes effect.
    pub propagation: Millis,
    /// Whether changes act at once.
    pub emergency: bool,
}

/// Everything below `partners/`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Organisation {
    /// `[[dealer]]`.
    pub dealers: Vec<Dealer>,
    /// `[[institution]]`.
    pub institutions: Vec<Institution>,
    /// `[[agency]]`.
    pub agencies: Vec<Agency>,
    /// `[[settle_unit]]`.
    pub settle_units: Vec<SettleUnit>,
    /// `[[operating_addresses]]`.
    pub addresses: Vec<OperatingAddresses>,
}

impl Organisation {
    /// The dealer of this name.
    pub fn dealer(&self, id: &str) -> Option<&Dealer> {
        self.dealers.iter().find(|it| it.id == id)
    }
    /// The institution of this name.
    pub fn institution(&self, id: &str) -> Option<&Institution> {
        self.institutions.iter().find(|it| it.id == id)
    }
    /// The agency of this name.
    pub fn agency(&self, id: &str) -> Option<&Agency> {
        self.agencies.iter().find(|it| it.id == id)
    }
    /// The agency that an applicant names by its code.
    pub fn agency_of_code(&self, code: &str) -> Option<&Agency> {
        self.agencies.iter().find(|it| it.code == code)
    }
    /// The settle unit of this settle id.
    pub fn settle_unit(&self, id: &str) -> Option<&SettleUnit> {
        self.settle_units.iter().find(|it| it.id == id)
    }
    /// The addresses of a connection, with the entry that each stands in.
    pub fn addresses_of(&self, connection: &str) -> impl Iterator<Item = (IpNet, &OperatingAddresses)> {
        let entries = self.addresses.iter().filter(move |entry| entry.connection == connection);
        entries.flat_map(|entry| entry.networks.iter().map(move |network| (*network, entry)))
    }
}

/// What was read, each with the table that it came from.
#[derive(Default)]
pub(super) struct Read<'a> {
    dealers: Vec<Dealer>,
    institutions: Vec<(Institution, Table<'a>)>,
    agencies: Vec<(Agency, Table<'a>)>,
    settle_units: Vec<(SettleUnit, Table<'a>)>,
    addresses: Vec<(OperatingAddresses, Table<'a>)>,
}

impl<'a> Read<'a> {
    /// Reads one file.
    pub(super) fn file(&mut self, file: &Table<'a>, names: &mut OrganisationNames) {
        for table in entries(file, "dealer") {
            names.dealers.extend(named(&table, "id"));
            self.dealers.extend(dealer(&table));
        }
        for table in entries(file, "institution") {
            names.institutions.extend(named(&table, "id"));
            // One number is written with and without hyphens.
            let number = named(&table, "registration_number").map(|mut number| {
                number.name.retain(char::is_alphanumeric);
                number
            });
            names.registration_numbers.extend(number);
            self.institutions.extend(institution(&table).map(|it| (it, table)));
        }
        for table in entries(file, "agency") {
            names.agencies.extend(named(&table, "id"));
            names.codes.extend(named(&table, "code"));
            self.agencies.extend(agency(&table).map(|it| (it, table)));
        }
        for table in entries(file, "settle_unit") {
            names.settle_units.extend(named(&table, "id"));
            self.settle_units.extend(settle_unit(&table).map(|it| (it, table)));
        }
        for table in entries(file, "operating_addresses") {
            self.addresses.extend(addresses(&table).map(|it| (it, table)));
        }
        file.finish();
    }

    /// Rules between these files, and with those of channels and back-ends.
    pub(super) fn check(&self, names: &Names, channels: &[(ChannelConfig, Table<'_>)], findings: &Findings) {
        let of = &names.organisation;
        for (institution, table) in &self.institutions {
            check_dealer(institution, table, names, findings);
        }
        let owners = self
            .agencies
            .iter()
            .map(|(agency, table)| (&agency.institution, table))
            .chain(self.settle_units.iter().map(|(unit, table)| (&unit.institution, table)));
        for (institution, table) in owners {
            if !of.institutions.iter().any(|known| known.name == *institution) {
                let place = table.place_of("institution");
                names.missing(findings, place, "the institution", institution, &of.institutions);
            }
        }
        for (channel, file) in channels {
            self.check_channel(channel, file, names, findings);
        }
        self.check_addresses(names, channels, findings);
        self.check_zones(channels, findings);
    }

    /// The days of a period are those of one zone: a unit whose channels have several says which.
    fn check_zones(&self, channels: &[(ChannelConfig, Table<'_>)], findings: &Findings) {
        for (unit, table) in self.settle_units.iter().filter(|(unit, _)| unit.time_zone.is_none()) {
            let of_unit =
                channels.iter().map(|(channel, _)| channel).filter(|it| it.settle_id.as_ref() == Some(&unit.id));
            let mut zones = of_unit.map(|channel| (channel, zone_named(channel)));
            let Some((first, zone)) = zones.next() else { continue };
            let Some((other, _)) = zones.find(|(_, named)| *named != zone) else { continue };
            let problem = format!(
                "\"{}\" settles \"{}\" and \"{}\", whose days are of different time zones; a period would be of days in UTC",
                unit.id, first.id, other.id
            );
            findings.warning(table.place_of("id"), problem, "write the `time_zone` in which its days are counted");
        }
    }

    /// A channel has a settle unit that is open, and an agency of the same institution.
    fn check_channel(&self, channel: &ChannelConfig, file: &Table<'_>, names: &Names, findings: &Findings) {
        let of = &names.organisation;
        let has_units = !of.settle_units.is_empty();
        let place =
            |key: &str| if file.has(key) { file.place_of(key) } else { file.place_of(&format!("settings.{key}")) };
        match &channel.settle_id {
            None if has_units => {
                let (problem, mend) = (
                    "`settle_id` is missing (settle_id_required): there are settle units, and nobody could tell under which this channel's \
                     orders are settled",
                    suggest("", of.settle_units.iter().map(|unit| unit.name.as_str()).collect::<Vec<_>>()),
                );
                findings.problem(
                    file.place_of("id"),
                    problem,
                    format!("add `settle_id = \"…\"` at the top level; {mend}"),
                );
            }
            Some(id) if has_units && !of.settle_units.iter().any(|unit| unit.name == *id) => {
                names.missing(findings, place("settle_id"), "the settle unit", id, &of.settle_units);
            }
            None | Some(_) => {}
        }
        let unit = channel.settle_id.as_ref().and_then(|id| self.settle_units.iter().find(|(unit, _)| unit.id == *id));
        if let Some((unit, _)) = unit.filter(|(unit, _)| unit.closed) {
            let problem = format!(
                "the settle unit \"{}\" at {} is closed: what is sold could not be settled",
                unit.id, unit.place
            );
            findings.problem(place("settle_id"), problem, "name one that is open, or open it again");
        }
        let Some(agency) = &channel.agency else { return };
        if !of.agencies.iter().any(|known| known.name == *agency) {
            return names.missing(findings, file.place_of("agency"), "the agency", agency, &of.agencies);
        }
        let agency = self.agencies.iter().map(|(agency, _)| agency).find(|known| known.id == *agency);
        match (agency, unit) {
            (Some(agency), Some((unit, _))) if agency.institution != unit.institution => findings.problem(
                file.place_of("agency"),
                format!(
                    "the agency \"{}\" is of \"{}\", and the settle unit \"{}\" of \"{}\"",
                    agency.id, agency.institution, unit.id, unit.institution
                ),
                "name an agency and a settle unit of one institution",
            ),
            (Some(agency), None) if channel.settle_id.is_none() && !has_units => findings.problem(
                file.place_of("agency"),
                format!("the agency \"{}\" has orders here, and no settle unit takes their money", agency.id),
                "add a `[[settle_unit]]` of its institution, and name it as `settle_id`",
            ),
            (Some(_) | None, _) => {}
        }
    }

    fn check_addresses(&self, names: &Names, channels: &[(ChannelConfig, Table<'_>)], findings: &Findings) {
        let mut seen: BTreeMap<(&str, IpNet), Place> = BTreeMap::new();
        let mut told: BTreeSet<&str> = BTreeSet::new();
        for (entry, table) in &self.addresses {
            let id = entry.connection.as_str();
            if !names.channels.iter().chain(&names.backends).any(|known| known.name == id) {
                let all: Vec<Named> = names.channels.iter().chain(&names.backends).cloned().collect();
                names.missing(findings, table.place_of("connection"), "the connection", id, &all);
            }
            for network in &entry.networks {
                let place = table.place_of("networks");
                if let Some(other) = seen.insert((id, *network), place.clone()) {
                    findings.problem(
                        place,
                        format!("{network} is named twice for \"{id}\", the other at {other}"),
                        "keep one of them",
                    );
                }
            }
            let listed =
                channels.iter().find(|(channel, _)| channel.id.as_str() == id && !channel.allow_from.is_empty());
            if let Some((_, file)) = listed.filter(|_| told.insert(id)) {
                findings.warning(
                    file.place_of("settings.allow_from"),
                    format!(
                        "`settings.allow_from` counts for nothing: the operating addresses at {} take its place",
                        table.place()
                    ),
                    "keep one of the two lists",
                );
            }
        }
    }

    /// The plain values.
    pub(super) fn plain(self) -> Organisation {
        Organisation {
            dealers: self.dealers,
            institutions: self.institutions.into_iter().map(|(it, _)| it).collect(),
            agencies: self.agencies.into_iter().map(|(it, _)| it).collect(),
            settle_units: self.settle_units.into_iter().map(|(it, _)| it).collect(),
            addresses: self.addresses.into_iter().map(|(it, _)| it).collect(),
        }
    }
}

fn check_dealer(institution: &Institution, table: &Table<'_>, names: &Names, findings: &Findings) {
    match (institution.contract, &institution.dealer) {
        (Contract::Indirect, None) => findings.problem(
            table.place_of("contract"),
            format!("the institution \"{}\" has its contract through a dealer, and names none", institution.id),
            "add `dealer = \"…\"`, or write contract = \"direct\"",
        ),
        (Contract::Direct, Some(dealer)) => findings.problem(
            table.place_of("dealer"),
            format!("the institution \"{}\" has a direct contract, and names the dealer \"{dealer}\"", institution.id),
            "take `dealer` out, or write contract = \"indirect\"",
        ),
        (Contract::Indirect, Some(dealer)) => {
            if !names.organisation.dealers.iter().any(|known| known.name == *dealer) {
                names.missing(findings, table.place_of("dealer"), "the dealer", dealer, &names.organisation.dealers);
            }
        }
        (Contract::Direct, None) => {}
    }
}

fn dealer(table: &Table<'_>) -> Option<Dealer> {
    let (id, name) = (table.must("id", Value::id), table.must("name", Value::text));
    table.finish();
    Some(Dealer { id: id?, name: name? })
}

fn institution(table: &Table<'_>) -> Option<Institution> {
    let id = table.must("id", Value::id);
    let registration_number = table.must("registration_number", Value::text);
    let contract = table.must("contract", |value| value.word(&Contract::WORDS));
    let dealer = table.opt("dealer", Value::id);
    table.finish();
    Some(Institution { id: id?, registration_number: registration_number?, contract: contract?, dealer })
}

fn agency(table: &Table<'_>) -> Option<Agency> {
    let (id, institution) = (table.must("id", Value::id), table.must("institution", Value::id));
    let (code, sender_name) = (table.must("code", Value::text), table.must("sender_name", Value::text));
    table.finish();
    Some(Agency { id: id?, institution: institution?, code: code?, sender_name: sender_name? })
}

/// What a channel's file says of its zone; without a word each kind of channel has one of its own.
fn zone_named(channel: &ChannelConfig) -> &str {
    let named = channel.settings.expose().get("time_zone").and_then(serde_json::Value::as_str);
    named.unwrap_or(channel.adapter)
}

fn settle_unit(table: &Table<'_>) -> Option<SettleUnit> {
    let (id, institution) = (table.must("id", Value::id), table.must("institution", Value::id));
    let (closed, time_zone) = (table.opt("closed", Value::flag), table.opt("time_zone", Value::time_zone));
    let place = table.place();
    table.finish();
    Some(SettleUnit { id: id?, institution: institution?, closed: closed.unwrap_or(false), time_zone, place })
}

fn addresses(table: &Table<'_>) -> Option<OperatingAddresses> {
    let connection = table.must("connection", Value::id);
    let networks = table.must("networks", |value| {
        let listed = value.clone().each(|value| value.network().map(|network| network.trunc()))?;
        match listed.is_empty() && value.elements().is_empty() {
            // Nobody at all could call: that is what a pause is for.
            true => value.wrong("is empty: nobody could call", "name the partner's networks, or take the entry out"),
            false => Some(listed),
        }
    });
    let propagation = table.opt("propagation", Value::millis_or_zero);
    let emergency = table.opt("emergency", Value::flag);
    table.finish();
    Some(OperatingAddresses {
        connection: connection?,
        networks: networks?,
        propagation: propagation.unwrap_or(Millis(0)),
        emergency: emergency.unwrap_or(false),
    })
}

/// The channels that belong to an institution: through their agency, or through their settle unit.
pub(crate) fn institution_of<'c>(organisation: &'c Organisation, channel: &ChannelConfig) -> Option<&'c str> {
    let of_agency = channel.agency.as_deref().and_then(|id| organisation.agency(id)).map(|it| it.institution.as_str());
    of_agency.or_else(|| {
        let unit = channel.settle_id.as_deref().and_then(|id| organisation.settle_unit(id))?;
        Some(unit.institution.as_str())
    })
}
