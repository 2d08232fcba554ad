// SPDX-License-Identifier: Apache-2.0

//! The running configuration: which one, since when, and why the last change was refused.

use http::StatusCode;

use crate::config::{Finding, Role, Severity, shown};
use crate::http::ops::answers::Time;
use crate::http::ops::answers::config::{Config, ConfigSettings, RefusedChange};
use crate::http::ops::call::{Failure, Outcome, Request, Said};
use crate::http::ops::view::{common_zone, value};
use crate::http::problem::Problem;
use crate::service::reload::{self, Unchanged};

/// `GET config`.
pub(crate) async fn show(request: Request) -> Outcome {
    everything_only(&request)?;
    let running = request.shared.engine.running();
    let zone = common_zone(&running);
    let live = request.shared.engine.live();
    let refused = live.refused();
    Ok(Said::ok(&Config {
        version: running.config.version,
        applied_at: Time::of(running.applied_at, zone),
        source: running.config.source.display().to_string(),
        needs_restart: live.needs_restart(),
        refused: refused
            .as_ref()
            .map(|change| RefusedChange { at: Time::of(change.at, zone), problems: problems(&change.findings) }),
    }))
}

/// `GET config/settings`.
pub(crate) async fn settings(request: Request) -> Outcome {
    everything_only(&request)?;
    let running = request.shared.engine.running();
    // What is settled, with whom and for which share, is not for those who work with orders (PA-03).
    let settles = match request.holder.role {
        Role::Admin | Role::Settlement => true,
        Role::Operator | Role::Viewer => false,
    };
    let is_shown = |file: &str, key: &str| settles || !shown::is_of_settlement(file, key);
    Ok(Said::ok(&ConfigSettings {
        version: running.config.version,
        applied_at: Time::of(running.applied_at, common_zone(&running)),
        settings: running.config.shown.iter().filter(|it| is_shown(&it.file, &it.key)).collect(),
        changed: running.config.changed.iter().filter(|it| is_shown(&it.file, &it.key)).collect(),
    }))
}

/// What concerns the whole service is nobody's who sees a part of it.
pub(crate) fn everything_only(request: &Request) -> Result<(), Failure> {
    if request.reach.is_everything() {
        return Ok(());
    }
    Err(Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing here for your scope").into())
}

/// What `check` prints as problems; its warnings do not stop a configuration.
fn problems(findings: &[Finding]) -> Vec<&Finding> {
    findings.iter().filter(|finding| finding.severity == Severity::Problem).collect()
}

/// `POST config/reload`: all of the changed files, or none.
pub(crate) async fn reload(request: Request) -> Outcome {
    everything_only(&request)?;
    match reload::reload(&request.shared, request.given.expected_version()).await {
        Ok(_) => show(request).await,
        Err(Unchanged::Overtaken(version)) => {
            // Another change came first, perhaps while this one waited for it.
            let expected = request.given.expected_version().unwrap_or_default();
            Err(conflict(version, expected))
        }
        Err(Unchanged::Refused(report)) => {
            let sentence = "the changed configuration has problems; the running one stays in force";
            let mut problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "config_refused", sentence);
            problem.problems = Some(Box::new(value(problems(report.findings()))));
            Err(problem.into())
        }
    }
}

/// For acts that concern no order, `expected_version` is that of the configuration.
pub(crate) fn check_version(request: &Request) -> Result<(), Failure> {
    let version = request.running.config.version;
    match request.given.expected_version() {
        Some(expected) if expected != version => Err(conflict(version, expected)),
        Some(_) | None => Ok(()),
    }
}

fn conflict(version: u64, expected: u64) -> Failure {
    let sentence = format!("the configuration is at version {version}, not {expected}; read it again");
    Problem::new(StatusCode::CONFLICT, "version_conflict", sentence).into()
}
