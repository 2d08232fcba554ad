// SPDX-License-Identifier: Apache-2.0

//! The running configuration: which one, since when, and why the last change was refused.

use http::StatusCode;
use serde_json::{Value, json};

use crate::config::{Finding, Severity};
use crate::http::ops::call::{Failure, Outcome, Request, Said};
use crate::http::ops::view::common_zone;
use crate::http::problem::Problem;
use crate::service::live::Running;

/// `GET config`.
pub(crate) async fn show(request: Request) -> Outcome {
    everything_only(&request)?;
    let running = request.shared.engine.running();
    Ok(Said::ok(&shown(&request, &running)))
}

fn shown(request: &Request, running: &Running) -> Value {
    let zone = common_zone(running);
    let live = request.shared.engine.live();
    json!({
        "version": running.config.version,
        "applied_at": running.applied_at.rfc3339(zone),
        "source": running.config.source.display().to_string(),
        "needs_restart": live.needs_restart(),
        "refused": live.refused().map(|change| json!({
            "at": change.at.rfc3339(zone),
            "problems": problems(&change.findings),
        })),
    })
}

/// What concerns the whole service is nobody's who sees a part of it.
pub(crate) fn everything_only(request: &Request) -> Result<(), Failure> {
    if request.reach.is_everything() {
        return Ok(());
    }
    Err(Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing here for your scope").into())
}

/// What `check` prints as problems; its warnings do not stop a configuration.
fn problems(findings: &[Finding]) -> Value {
    findings.iter().filter(|finding| finding.severity == Severity::Problem).map(|finding| json!(finding)).collect()
}

/// `POST config/reload`: all of the changed files, or none.
pub(crate) async fn reload(request: Request) -> Outcome {
    everything_only(&request)?;
    check_version(&request)?;
    match crate::service::reload::reload(&request.shared).await {
        Ok(_) => show(request).await,
        Err(report) => {
            let sentence = "the changed configuration has problems; the running one stays in force";
            let mut problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "config_refused", sentence);
            problem.problems = Some(Box::new(problems(report.findings())));
            Err(problem.into())
        }
    }
}

/// For acts that concern no order, `expected_version` is that of the configuration.
pub(crate) fn check_version(request: &Request) -> Result<(), Failure> {
    let version = request.running.config.version;
    match request.given.expected_version() {
        Some(expected) if expected != version => {
            let sentence = format!("the configuration is at version {version}, not {expected}; read it again");
            Err(Problem::new(StatusCode::CONFLICT, "version_conflict", sentence).into())
        }
        _ => Ok(()),
    }
}
