// SPDX-License-Identifier: Apache-2.0

//! Whom a delivery is for.

use std::fmt;

use crate::id::{BackendId, ChannelId};

/// Whom a delivery is for. Stored and shown as a word, a colon and the partner's name in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Destination {
    /// A channel.
    Channel(ChannelId),
    /// The books of an agency behind a channel, by the channel's name.
    Agency(ChannelId),
    /// A back-end.
    Backend(BackendId),
}

impl Destination {
    /// Reads the stored form; `None` where it is none of ours.
    ///
    /// ```
    /// use ticketbridge_core::BackendId;
    /// use ticketbridge_core::message::Destination;
    ///
    /// let gate = Destination::parse("backend:gate").expect("a destination");
    /// assert_eq!(gate, Destination::Backend(BackendId::new("gate")));
    /// assert_eq!(gate.to_string(), "backend:gate");
    /// assert_eq!(Destination::parse("gate"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("channel", id) => Some(Self::Channel(ChannelId::new(id))),
            ("erp", id) => Some(Self::Agency(ChannelId::new(id))),
            ("backend", id) => Some(Self::Backend(BackendId::new(id))),
            _ => None,
        }
    }

    /// The partner's name in the configuration; for an agency its channel's.
    pub fn partner(&self) -> &str {
        match self {
            Self::Channel(id) | Self::Agency(id) => id.as_str(),
            Self::Backend(id) => id.as_str(),
        }
    }

    /// The channel that it is, or stands behind.
    pub fn channel(&self) -> Option<&ChannelId> {
        match self {
            Self::Channel(id) | Self::Agency(id) => Some(id),
            Self::Backend(_) => None,
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Channel(id) => write!(f, "channel:{id}"),
            Self::Agency(id) => write!(f, "erp:{id}"),
            Self::Backend(id) => write!(f, "backend:{id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_again() {
        for text in ["channel:douyin-main", "erp:trip", "backend:gate", "backend:a:b"] {
            let read = Destination::parse(text).map(|destination| destination.to_string());
            assert_eq!(read.as_deref(), Some(text));
        }
        for text in ["", "gate", "partner:gate"] {
            assert_eq!(Destination::parse(text), None, "{text}");
        }
    }
}
