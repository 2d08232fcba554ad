// SPDX-License-Identifier: Apache-2.0

//! Trouble of ours, as the log says it.

use crate::telemetry::seldom;

/// Logs an error with its whole chain, once, where it is handled; the same trouble over and over is said now and then.
pub(crate) fn log_trouble(what: &str, error: &dyn std::error::Error) {
    let chain = chain(error);
    match seldom::is_due(&format!("{what}: {chain}")) {
        Some(0) => tracing::error!(error = %chain, "{what}"),
        Some(unsaid) => tracing::error!(error = %chain, unsaid, "{what}"),
        None => {}
    }
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
