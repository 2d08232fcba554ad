// SPDX-License-Identifier: Apache-2.0

//! Logs and metrics: one event a line, never a secret, never guests' data.

mod backends;
mod described;
pub mod gauges;
mod labels;
pub(crate) mod log_lines;
pub(crate) mod seldom;
pub(crate) mod traces;

use std::io::{IsTerminal as _, Write};
use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use ticketbridge_core::quoted::without_persons;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Log, LogFormat};

/// Upper bounds of latency, in seconds; the channels' own limits (2, 5 and 8 s) are among them.
const LATENCY_BUCKETS: [f64; 12] = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 8.0];

/// Starts logging to standard error; what was started before stays.
pub fn start_logging(log: &Log) {
    let filter = EnvFilter::try_new(&log.level).unwrap_or_else(|_| EnvFilter::new("info"));
    // The database driver says at `info` what it does; that is for those who ask for it.
    let filter = [
        "sqlx=warn",
        "sea_orm=warn",
        "sea_orm_migration=warn",
        "hyper=warn",
        "reqwest=warn",
        "tokio_cron_scheduler=warn",
    ]
    .into_iter()
    .filter(|directive| log.level != "off" && !log.level.contains(directive.split('=').next().unwrap_or(directive)))
    .filter_map(|directive| directive.parse().ok())
    .fold(filter, EnvFilter::add_directive);
    let lines = log_lines::LogLines::start();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || Masked(lines.clone()))
        // It would say so on standard error, and end the call that it is about where that cannot be written to.
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal());
    // A second start, as tests do it, keeps the first.
    let _started = match log.format {
        LogFormat::Text => builder.with_target(false).finish().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).finish().try_init(),
    };
}

/// What writes text lines at `level` and above into what `to` makes, masked as the service's log is: for tests that read them.
pub fn subscriber_into<W: Write + 'static>(
    level: &str,
    to: impl Fn() -> W + Send + Sync + 'static,
) -> impl tracing::Subscriber + Send + Sync {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(level))
        .with_ansi(false)
        .with_writer(move || Masked(to()))
        .finish()
}

/// What a line of the log is written through: whatever somebody puts into it, a number that looks like a person's does not come out.
/// Names are masked where they are known, before they get here.
struct Masked<W>(W);

impl<W: Write> Write for Masked<W> {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        // The formatter writes a whole event at once.
        let text = String::from_utf8_lossy(line);
        match text.bytes().any(|byte| !byte.is_ascii() || byte.is_ascii_digit() || byte == b'@') {
            true => self.0.write_all(without_persons(&text).as_bytes())?,
            false => self.0.write_all(line)?,
        }
        Ok(line.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// A recorder of its own with the buckets of the service's: for tests that read what one bridge counts.
pub fn own_metrics() -> (PrometheusRecorder, PrometheusHandle) {
    let recorder = recorder();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, described::describe);
    (recorder, handle)
}

fn recorder() -> PrometheusRecorder {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &LATENCY_BUCKETS)
        .expect("the list of buckets is not empty")
        .build_recorder()
}

/// The process's metrics; the same for every caller.
pub fn metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let recorder = recorder();
            let handle = recorder.handle();
            // Somebody else's recorder stays; then ours only renders what it was told.
            let _installed = metrics::set_global_recorder(recorder);
            described::describe();
            handle
        })
        .clone()
}
