// SPDX-License-Identifier: Apache-2.0

//! `GET partners`: the tree of dealers, institutions and agencies, with settle units and connections.

use std::collections::BTreeMap;

use ticketbridge_core::message::Destination;
use ticketbridge_core::{ChannelId, TimeZone};

use crate::accounts::doors::DoorState;
use crate::accounts::scope::{Access, Scope};
use crate::config::organisation::{Institution, institution_of};
use crate::http::ops::answers::{Time, organisation as told};
use crate::http::ops::call::{Outcome, Request, Said};
use crate::http::ops::statements::settled_zone;
use crate::http::ops::view::common_zone;

/// `GET partners`: what lies in the scope of whoever asks, and the names of what lies around it.
pub(crate) async fn show(request: Request) -> Outcome {
    let config = &request.running.config;
    let of = &config.organisation;
    let scope = request.reach.scope();
    let institutions: Vec<&Institution> = of.institutions.iter().filter(|it| touches(&request, it)).collect();
    let dealers = of.dealers.iter().filter(|dealer| {
        scope.holds(&Scope::Dealer(dealer.id.clone()), of)
            || institutions.iter().any(|it| it.dealer.as_deref() == Some(dealer.id.as_str()))
    });
    let mut older = Vec::new();
    for channel in config.channels.iter().filter(|channel| channel.had_another_settle_id()) {
        if request.reach.has_channel(&channel.id)
            && request.shared.engine.store().has_lines(channel.id.as_str()).await?
        {
            older.push(&channel.id);
        }
    }
    let units = of.settle_units.iter().filter(|unit| request.reach.has_settle_id(&unit.id));
    let mut settled = BTreeMap::new();
    for unit in units {
        let until = request.shared.engine.store().settled_until(&unit.id).await?;
        settled.insert(unit.id.as_str(), Time::maybe(until, settled_zone(&request, &unit.id)));
    }
    Ok(Said::ok(&told::Organisation {
        dealers: dealers.map(|dealer| told::Dealer { id: &dealer.id, name: &dealer.name }).collect(),
        institutions: institutions.iter().map(|it| institution(&request, it, &settled)).collect(),
        connections: connections(&request, &older),
    }))
}

/// Whether an institution is in the scope, or the scope in it.
fn touches(request: &Request, institution: &Institution) -> bool {
    let (of, scope) = (&request.running.config.organisation, request.reach.scope());
    let its = Scope::Institution(institution.id.clone());
    scope.holds(&its, of) || its.holds(scope, of)
}

/// An institution, with what lies in the scope; `settled` has the settle units that do.
fn institution<'r>(
    request: &'r Request,
    institution: &'r Institution,
    settled: &BTreeMap<&str, Option<Time>>,
) -> told::Institution<'r> {
    let of = &request.running.config.organisation;
    let scope = request.reach.scope();
    let agencies = of
        .agencies
        .iter()
        .filter(|agency| agency.institution == institution.id && scope.holds(&Scope::Agency(agency.id.clone()), of));
    let units = of.settle_units.iter().filter(|unit| unit.institution == institution.id);
    told::Institution {
        id: &institution.id,
        registration_number: &institution.registration_number,
        contract: institution.contract.word(),
        dealer: institution.dealer.as_deref(),
        agencies: agencies
            .map(|agency| told::Agency { id: &agency.id, code: &agency.code, sender_name: &agency.sender_name })
            .collect(),
        settle_units: units
            .filter_map(|unit| {
                let settled_until = settled.get(unit.id.as_str())?.clone();
                Some(told::SettleUnit { id: &unit.id, closed: unit.closed, settled_until })
            })
            .collect(),
    }
}

/// Channels and back-ends, with whom they belong to and from where they may be called; of `older` there are lines under their own names.
fn connections<'r>(request: &'r Request, older: &[&ChannelId]) -> Vec<told::Connection<'r>> {
    let config = &request.running.config;
    let of = &config.organisation;
    let zone = common_zone(&request.running);
    let channels = config.channels.iter().filter(|channel| request.reach.has_channel(&channel.id)).map(|channel| {
        told::Connection {
            id: channel.id.as_str(),
            kind: "channel",
            settle_id: channel.settle_id.as_deref(),
            older_lines: older.contains(&&channel.id),
            agency: channel.agency.as_deref(),
            institution: institution_of(of, channel),
            allow_from: channel.allow_from.iter().map(ToString::to_string).collect(),
            addresses: addresses(request, channel.id.as_str(), zone),
            secrets: secrets(request, &Destination::Channel(channel.id.clone()), zone),
        }
    });
    let backends =
        config.backends.iter().filter(|it| request.reach.backend(config, &it.id) != Access::None).map(|backend| {
            // Whose addresses they are, others that use it too need not know.
            let is_own = request.reach.backend(config, &backend.id) == Access::Act;
            told::Connection {
                id: backend.id.as_str(),
                kind: "backend",
                settle_id: None,
                older_lines: false,
                agency: None,
                institution: None,
                allow_from: Vec::new(),
                addresses: if is_own { addresses(request, backend.id.as_str(), zone) } else { Vec::new() },
                secrets: if is_own {
                    secrets(request, &Destination::Backend(backend.id.clone()), zone)
                } else {
                    Vec::new()
                },
            }
        });
    channels.chain(backends).collect()
}

fn addresses(request: &Request, connection: &str, zone: TimeZone) -> Vec<told::Address> {
    let now = request.shared.engine.clock().now();
    let doors = request.shared.doors.load();
    let shown = doors.of(connection).iter().map(|door| told::Address {
        network: door.network.to_string(),
        state: door.state(now).word(),
        saved_at: Time::of(door.saved_at, zone),
        opens_at: Time::of(door.opens_at, zone),
        closes_at: Time::maybe(door.closes_at, zone),
    });
    shown.collect()
}

/// Secrets that hold on, and those that come: what tells them apart, and not what they are. Nothing where those of the file hold.
fn secrets(request: &Request, partner: &Destination, zone: TimeZone) -> Vec<told::Secrets> {
    /// Digits that tell them apart.
    const SHOWN: usize = 12;
    let Some(held) = request.running.held.of(&partner.to_string()) else { return Vec::new() };
    let short = |fingerprint: &str| fingerprint.chars().take(SHOWN).collect();
    vec![
        told::Secrets {
            fingerprint: short(&held.fingerprint),
            state: DoorState::Effective.word(),
            saved_at: Time::of(held.since, zone),
            opens_at: Time::of(held.since, zone),
            closes_at: Some(Time::of(held.until, zone)),
        },
        told::Secrets {
            fingerprint: short(&held.next),
            state: DoorState::Pending.word(),
            saved_at: Time::of(held.saved_at, zone),
            opens_at: Time::of(held.until, zone),
            closes_at: None,
        },
    ]
}
