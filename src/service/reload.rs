// SPDX-License-Identifier: Apache-2.0

//! A changed configuration: all of it or nothing. What is under way keeps what it began with.

use ticketbridge_core::message::Destination;
use ticketbridge_store::JobState;

use crate::config::{Config, Report};
use crate::engine::credit::{in_other_currency, note_currencies};
use crate::http::Shared;
use crate::service::held_secrets;
use crate::service::live::{Live, RefusedChange};

/// Why a changed configuration is not in force.
#[derive(Debug, thiserror::Error)]
pub enum Unchanged {
    /// Another one came into force meanwhile: this is its version.
    #[error("another configuration came into force meanwhile: version {0}")]
    Overtaken(u64),
    /// Everything that is wrong with it.
    #[error("{0}")]
    Refused(Report),
}

/// Reads the directory that the running configuration came from, and puts it into force if nothing is wrong with it. Changes that come
/// together are made one after the other; with an `expected` version only to the configuration of that version.
///
/// # Errors
/// [`Unchanged`]; the running configuration stays.
pub async fn reload(shared: &Shared, expected: Option<u64>) -> Result<u64, Unchanged> {
    let live = shared.engine.live();
    let _one_at_a_time = live.changing().await;
    let version = shared.engine.running().config.version;
    if expected.is_some_and(|expected| expected != version) {
        return Err(Unchanged::Overtaken(version));
    }
    match change(shared).await {
        Ok(version) => {
            tracing::info!(version, "a changed configuration is in force");
            let restart = live.needs_restart();
            if !restart.is_empty() {
                tracing::warn!(settings = restart.join(", "), "changed, and in force only after a restart");
            }
            Ok(version)
        }
        Err(report) => {
            tracing::error!(
                problems = report.problems().count(),
                "the changed configuration is refused; the running one stays"
            );
            for problem in report.problems() {
                tracing::error!("{problem}");
            }
            let at = shared.engine.clock().now();
            live.refuse(RefusedChange { at, findings: report.findings().to_vec() });
            Err(Unchanged::Refused(report))
        }
    }
}

async fn change(shared: &Shared) -> Result<u64, Report> {
    let running = shared.engine.running();
    let config = Config::load(&running.config.source, &shared.environment)?;
    let (policy, keys) = (config.address_policy(), config.data_keys());
    let trouble =
        |error: &dyn std::error::Error| Report::of_trouble(&running.config.source, &crate::trouble::chain(error));
    match shared.engine.store().sealed_beyond(&keys).await {
        Ok(None) => {}
        Ok(Some(column)) => return Err(Report::of_missing_data_key(&config, &column.name())),
        Err(error) => return Err(trouble(&error)),
    }
    match in_other_currency(shared.engine.store(), &config).await {
        Ok(None) => {}
        Ok(Some((account, was))) => return Err(Report::of_changed_currency(&config, account, &was)),
        Err(error) => return Err(trouble(&error)),
    }
    if let Some(unit) = crate::accounts::doors::closed_with_lines(shared.engine.store(), &config, Some(&running.config))
        .await
        .map_err(|error| trouble(&error))?
    {
        return Err(Report::of_unsettled_unit(&config, &unit.0, unit.1));
    }
    // A partner of before with the secrets of before: with other settings it may be none.
    let held = held_secrets::would_hold(&shared.engine, &config).await.map_err(|error| trouble(&error))?;
    Live::could_be(&config, &held).map_err(|error| trouble(&error))?;
    // Before the change is in force: what cannot be written down opens and closes nothing.
    let doors =
        crate::accounts::doors::apply(&shared.engine, &config.organisation).await.map_err(|error| trouble(&error))?;
    let held = held_secrets::apply(&shared.engine, &config).await.map_err(|error| trouble(&error))?;
    let now = shared.engine.clock().now();
    let version = shared.engine.live().replace(config, held, now).map_err(|error| trouble(&error))?;
    shared.doors.store(doors);
    shared.worker.transport().allow(policy);
    shared.engine.store().sealer().replace(&keys);
    crate::service::instance::tell_or_log(shared).await;
    let now = shared.engine.running();
    // It is noted again at the next start and the next change; until then orders tell it.
    if let Err(error) = note_currencies(shared.engine.store(), &now.config).await {
        crate::trouble::log_trouble("the currencies of the credit accounts could not be noted", &error);
    }
    if let Err(error) = shared.worker.try_keys_again().await {
        crate::trouble::log_trouble("back-ends whose key was refused could not be let go", &error);
    }
    warn_of_waiting(shared).await;
    take_on_unsold(shared).await;
    Ok(version)
}

/// Takes on what was refused for want of a product that is configured by now: after a change, and after a start, before which products
/// may have been added.
pub(crate) async fn take_on_unsold(shared: &Shared) {
    if let Err(error) = shared.engine.take_on_unsold().await {
        crate::trouble::log_trouble("bookings of products that are configured now could not be taken on", &error);
    }
}

/// Says which deliveries wait for partners that the configuration no longer has.
async fn warn_of_waiting(shared: &Shared) {
    let registry = &shared.engine.running().registry;
    let counts = match shared.engine.store().job_counts().await {
        Ok(counts) => counts,
        Err(error) => return crate::trouble::log_trouble("waiting deliveries cannot be counted", &error),
    };
    for count in counts.iter().filter(|count| count.state == JobState::Pending) {
        let is_known = match Destination::parse(&count.destination) {
            Some(Destination::Backend(id)) => registry.backend(&id).is_some(),
            Some(Destination::Channel(id) | Destination::Agency(id)) => registry.channel(&id).is_some(),
            None => true,
        };
        if !is_known {
            tracing::error!(
                destination = count.destination,
                deliveries = count.many,
                "deliveries wait for a partner that is no longer configured; they go on when it is again"
            );
        }
    }
}
