// SPDX-License-Identifier: Apache-2.0

//! Whose people, invitations and acts are looked at.

use sea_orm::Value;
use serde::{Deserialize, Serialize};
use ticketbridge_core::ChannelId;

use crate::dialect::{Where, marks, values};

/// The words of a scope as they are stored.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ScopeWords {
    /// `everything`, `dealer`, `institution` or `agency`.
    pub kind: String,
    /// Which one; of everything there is one only.
    pub id: Option<String>,
}

/// Whose people, invitations and acts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ScopesWithin {
    /// Everybody's.
    #[default]
    Everything,
    /// Those of these scopes, and acts on orders of these channels.
    Only {
        /// The scopes.
        scopes: Vec<ScopeWords>,
        /// The channels.
        channels: Vec<ChannelId>,
    },
}

/// Adds the condition on the columns of a scope; `channel` is the column of a channel, where there is one.
pub(crate) fn within_scopes(wanted: &mut Where, within: &ScopesWithin, channel: Option<&str>) {
    let ScopesWithin::Only { scopes, channels } = within else { return };
    let (mut parts, mut all) = (Vec::new(), values![]);
    for scope in scopes {
        parts.push("(scope_kind = ? AND scope_id = ?)".to_owned());
        all.extend(values![scope.kind.as_str(), scope.id.clone().unwrap_or_default()]);
    }
    if let Some(column) = channel.filter(|_| !channels.is_empty()) {
        parts.push(format!("{column} IN ({})", marks(channels.len())));
        all.extend(channels.iter().map(|id| Value::from(id.as_str())));
    }
    match parts.is_empty() {
        true => wanted.and("1 = 0", values![]),
        false => wanted.and(&format!("({})", parts.join(" OR ")), all),
    }
}
