// SPDX-License-Identifier: Apache-2.0

//! The running configuration, and why a call was refused.

use schemars::JsonSchema;
use serde::Serialize;

use super::Time;
use crate::config::{ChangedSetting, Finding as Found, ShownSetting};

/// The configuration in force.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "config")]
pub(crate) struct Config<'a> {
    pub(crate) version: u64,
    pub(crate) applied_at: Time,
    pub(crate) source: String,
    /// Settings that were changed and are in force only after a restart.
    #[schemars(with = "Vec<String>")]
    pub(crate) needs_restart: Vec<&'static str>,
    pub(crate) refused: Option<RefusedChange<'a>>,
}

/// The settings in force, and what the last change has changed.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "config_settings")]
pub(crate) struct ConfigSettings<'a> {
    pub(crate) version: u64,
    pub(crate) applied_at: Time,
    /// Every setting of the files, secrets hidden; what is not there has its default.
    #[schemars(with = "Vec<Setting>")]
    pub(crate) settings: Vec<&'a ShownSetting>,
    /// What is other than in the version before; nothing in the first one.
    #[schemars(with = "Vec<Changed>")]
    pub(crate) changed: Vec<&'a ChangedSetting>,
}

/// A setting of a file.
#[derive(JsonSchema)]
#[schemars(rename = "setting")]
#[expect(dead_code, reason = "only ever described; the configuration writes its own")]
struct Setting {
    file: String,
    key: String,
    value: String,
}

/// A setting that was changed.
#[derive(JsonSchema)]
#[schemars(rename = "changed_setting")]
#[expect(dead_code, reason = "only ever described; the configuration writes its own")]
struct Changed {
    file: String,
    key: String,
    before: Option<String>,
    after: Option<String>,
}

/// A change of the configuration that was not taken.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct RefusedChange<'a> {
    pub(crate) at: Time,
    #[schemars(with = "Vec<Finding>")]
    pub(crate) problems: Vec<&'a Found>,
}

/// One thing that is wrong with a configuration.
#[derive(JsonSchema)]
#[schemars(rename = "finding")]
#[expect(dead_code, reason = "only ever described; the configuration writes its own")]
struct Finding {
    file: String,
    /// From 1; 0 when the whole file is meant.
    line: u64,
    problem: String,
    mend: String,
}

/// Why a call was refused (RFC 9457): `code` is stable, `detail` says what to do.
#[derive(JsonSchema)]
#[schemars(rename = "problem")]
#[expect(dead_code, reason = "only ever described; `http/problem.rs` writes it")]
pub(crate) struct Problem {
    r#type: String,
    code: String,
    /// In the language that the caller prefers.
    title: String,
    status: u16,
    detail: String,
    /// The field at fault.
    #[schemars(with = "String", skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// Every field that is missing or wrong.
    #[schemars(with = "Vec<FieldError>", skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<FieldError>>,
    /// Those of a refused configuration.
    #[schemars(with = "Vec<Finding>", skip_serializing_if = "Option::is_none")]
    problems: Option<Vec<Finding>>,
    /// When a door opens to whoever stands before it.
    #[schemars(with = "Time", skip_serializing_if = "Option::is_none")]
    pending_effective_at: Option<Time>,
}

/// A field that is missing or wrong.
#[derive(JsonSchema)]
#[schemars(inline)]
#[expect(dead_code, reason = "only ever described")]
struct FieldError {
    /// A JSON pointer.
    pointer: String,
    detail: String,
}
