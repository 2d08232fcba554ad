//! A changed configuration: all of it or nothing. What is under way keeps what it began with.

use crate::config::{Config, Report};
use crate::http::Shared;
use crate::live::RefusedChange;

/// Reads the directory that the running configuration came from, and puts it into force if nothing is wrong with it.
///
/// # Errors
/// Everything that is wrong; the running configuration stays.
pub fn reload(shared: &Shared) -> Result<u64, Report> {
    let now = shared.engine.clock().now();
    let running = shared.engine.running();
    let live = shared.engine.live();
    let config = match Config::load(&running.config.source, &shared.environment) {
        Ok(config) => config,
        Err(report) => {
            tracing::error!(
                problems = report.problems().count(),
                "the changed configuration is refused; the running one stays"
            );
            live.refuse(RefusedChange { at: now, findings: report.findings().to_vec() });
            return Err(report);
        }
    };
    let policy = crate::app::address_policy(&config);
    let keys = crate::app::data_keys(&config);
    match live.replace(config, now) {
        Ok(version) => {
            shared.worker.transport().allow(policy);
            shared.engine.store().sealer().replace(&keys);
            tracing::info!(version, "a changed configuration is in force");
            Ok(version)
        }
        Err(error) => {
            crate::worker::log_trouble("the changed configuration is refused; the running one stays", &error);
            let report = Report::of_trouble(&running.config.source, &error.to_string());
            live.refuse(RefusedChange { at: now, findings: report.findings().to_vec() });
            Err(report)
        }
    }
}
