// SPDX-License-Identifier: Apache-2.0

//! Channels and back-ends: how they fare, what they can do, and holding their deliveries back.

use http::StatusCode;
use serde_json::Value;
use ticketbridge_core::message::Destination;
use ticketbridge_core::quoted::Quoted;
use ticketbridge_core::{BackendId, ChannelId, TimeZone};
use ticketbridge_store::{JobCount, JobState, Tx};

use crate::accounts::scope::Access;
use crate::engine::EngineError;
use crate::engine::manual_commands::keep;
use crate::http::ops::answers::{Listed, Time, partners};
use crate::http::ops::call::{Failure, Outcome, Request, Said, written};
use crate::http::ops::config::check_version;
use crate::http::ops::view::{common_zone, zone_of};
use crate::http::problem::Problem;

/// A channel or a back-end, as far as ops see it.
struct Partner {
    id: String,
    adapter: &'static str,
    destination: String,
    capabilities: Value,
    zone: TimeZone,
    /// Nobody of another scope calls it.
    is_alone: bool,
}

/// What the database knows of all partners.
struct Known {
    paused: Vec<String>,
    counts: Vec<JobCount>,
}

/// `GET channels`.
pub(crate) async fn channels(request: Request) -> Outcome {
    let running = &request.running;
    let all = running.registry.channels().filter_map(|channel| channel_partner(&request, &channel.id)).collect();
    list(&request, all).await
}

/// `GET backends`.
pub(crate) async fn backends(request: Request) -> Outcome {
    let running = &request.running;
    let all = running.registry.backends().filter_map(|backend| backend_partner(&request, &backend.id)).collect();
    list(&request, all).await
}

fn channel_partner(request: &Request, id: &ChannelId) -> Option<Partner> {
    let channel = request.running.registry.channel(id).filter(|_| request.reach.has_channel(id))?;
    Some(Partner {
        id: id.to_string(),
        adapter: channel.adapter,
        destination: Destination::Channel(id.clone()).to_string(),
        capabilities: channel.channel.spec().capabilities.clone(),
        zone: zone_of(&request.running, id.as_str()),
        is_alone: true,
    })
}

fn backend_partner(request: &Request, id: &BackendId) -> Option<Partner> {
    let access = request.reach.backend(&request.running.config, id);
    let backend = request.running.registry.backend(id).filter(|_| access != Access::None)?;
    Some(Partner {
        id: id.to_string(),
        adapter: backend.adapter,
        destination: Destination::Backend(id.clone()).to_string(),
        capabilities: backend.backend.spec().capabilities.clone(),
        zone: common_zone(&request.running),
        is_alone: access == Access::Act,
    })
}

/// All of them in one page: there are as many as configuration files.
async fn list(request: &Request, partners: Vec<Partner>) -> Outcome {
    let store = request.shared.engine.store();
    let known =
        Known { paused: store.paused().await?, counts: store.job_counts_within(&request.reach.within()).await? };
    Ok(Said::ok(&Listed::whole(partners.iter().map(|partner| shown(request, partner, &known)))))
}

fn shown<'p>(request: &Request, partner: &'p Partner, known: &Known) -> partners::Partner<'p> {
    let lane = request.shared.worker.lanes().lane(&partner.destination);
    let count = |state: JobState| {
        let found = known.counts.iter().find(|count| count.destination == partner.destination && count.state == state);
        found.map_or(0, |count| count.many)
    };
    partners::Partner {
        id: &partner.id,
        adapter: partner.adapter,
        state: if known.paused.contains(&partner.destination) { "paused" } else { "running" },
        capabilities: &partner.capabilities,
        breaker: lane.breaker.name(),
        in_flight: if partner.is_alone { lane.in_flight } else { 0 },
        pending: count(JobState::Pending),
        dead: count(JobState::Dead),
        // What became of others' calls is theirs.
        last_ok_at: Time::maybe(lane.last_ok_at.filter(|_| partner.is_alone), partner.zone),
        last_error: lane.last_error.as_deref().filter(|_| partner.is_alone).map(Quoted::text),
        clock_off_s: lane.clock_off.map(|off| off.0 / 1_000),
    }
}

/// `POST channels/{id}/pause`.
pub(crate) async fn pause_channel(request: Request) -> Outcome {
    hold(channel_of(&request)?, request, Hold::Back).await
}
/// `POST channels/{id}/resume`.
pub(crate) async fn resume_channel(request: Request) -> Outcome {
    hold(channel_of(&request)?, request, Hold::LetGo).await
}
/// `POST backends/{id}/pause`.
pub(crate) async fn pause_backend(request: Request) -> Outcome {
    hold(backend_of(&request)?, request, Hold::Back).await
}
/// `POST backends/{id}/resume`.
pub(crate) async fn resume_backend(request: Request) -> Outcome {
    hold(backend_of(&request)?, request, Hold::LetGo).await
}

fn channel_of(request: &Request) -> Result<Partner, Failure> {
    channel_partner(request, &ChannelId::from(request.in_path("id"))).ok_or_else(|| unknown("channel"))
}
fn backend_of(request: &Request) -> Result<Partner, Failure> {
    let id = BackendId::from(request.in_path("id"));
    let partner = backend_partner(request, &id).ok_or_else(|| unknown("back-end"))?;
    match request.reach.backend(&request.running.config, &id) {
        Access::Act => Ok(partner),
        Access::None | Access::Read => Err(shared_with_others("back-end")),
    }
}
/// What several institutions use is held back by nobody for the others.
pub(crate) fn shared_with_others(what: &str) -> Failure {
    let sentence = format!("others use this {what} too: an administrator of everything has to do this");
    Problem::new(StatusCode::FORBIDDEN, "shared_with_others", sentence).into()
}
fn unknown(what: &str) -> Failure {
    Problem::new(StatusCode::NOT_FOUND, "not_found", format!("no {what} of this name is configured")).into()
}

/// What becomes of a partner's deliveries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hold {
    /// They wait.
    Back,
    /// They go.
    LetGo,
}

async fn hold(partner: Partner, request: Request, hold: Hold) -> Outcome {
    check_version(&request)?;
    let engine = &request.shared.engine;
    let store = engine.store();
    let mut known =
        Known { paused: store.paused().await?, counts: store.job_counts_within(&request.reach.within()).await? };
    known.paused.retain(|name| *name != partner.destination);
    if hold == Hold::Back {
        known.paused.push(partner.destination.clone());
    }
    let body = written(&shown(&request, &partner, &known));
    let (by, now) = (request.holder.name.clone(), engine.clock().now());
    let work = std::sync::Arc::new((partner.destination.clone(), by, request.once.clone(), body.clone()));
    let done: Result<(), EngineError> = store
        .write("hold_deliveries", move |tx: &Tx| {
            let work = work.clone();
            Box::pin(async move {
                let (destination, by, once, body) = &*work;
                match hold {
                    Hold::Back => tx.pause(destination, by, now).await?,
                    Hold::LetGo => tx.resume(destination, by, now).await?,
                }
                keep(tx, once.as_ref(), 200, body, now).await
            })
        })
        .await;
    done?;
    let what = if hold == Hold::Back { "deliveries wait from now on" } else { "deliveries go again" };
    tracing::warn!(destination = %partner.destination, by = %request.holder.name, "{what}");
    engine.work().notify_one();
    Ok(Said::kept(body))
}
