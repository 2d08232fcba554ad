// SPDX-License-Identifier: Apache-2.0

//! The option that nearly every command has.

use std::path::PathBuf;

/// Where the configuration is.
#[derive(Clone, Debug, clap::Args)]
pub struct ConfigDir {
    /// Directory of the configuration
    #[arg(long = "config", value_name = "DIR", default_value = "config")]
    pub directory: PathBuf,
}
