//! Partners: one folder each, translators without IO.
//!
//! A partner is a folder, its `pub mod` here, and one line in [`CHANNELS`] or [`BACKENDS`]. Adapters never open a socket,
//! read a clock or see the database; what they translate between is `ticketbridge_core::port`. Recorded requests and
//! answers in `<partner>/cases/*.toml` are their tests, run by `cases.rs`, so that a new partner needs no test code.

use ticketbridge_core::port::{BackendKind, ChannelKind};

pub mod douyin;

#[cfg(test)]
mod cases;

/// The kinds of channel that there are.
pub static CHANNELS: &[ChannelKind] = &[douyin::KIND];

/// The kinds of back-end that there are.
pub static BACKENDS: &[BackendKind] = &[];

/// The kind of channel that a configuration file calls `name`.
pub fn channel_kind(name: &str) -> Option<&'static ChannelKind> {
    CHANNELS.iter().find(|kind| kind.name == name)
}

/// The kind of back-end that a configuration file calls `name`.
pub fn backend_kind(name: &str) -> Option<&'static BackendKind> {
    BACKENDS.iter().find(|kind| kind.name == name)
}
