// SPDX-License-Identifier: Apache-2.0

//! What stands in the labels of metrics.

use serde::Serialize;

/// The word of a state, as everywhere else.
pub(super) fn word(state: impl Serialize) -> String {
    serde_json::to_value(state).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}
