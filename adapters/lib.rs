//! Partners: one folder each, translators without IO.

pub mod code_pool;
pub mod reading;
pub mod settings;
pub mod standard_webhooks;
pub mod ticketing_http;

use ticketbridge_core::port::{BackendKind, ChannelKind};

/// Every kind of channel.
pub static CHANNELS: &[ChannelKind] = &[];

/// Every kind of back-end.
pub static BACKENDS: &[BackendKind] = &[code_pool::KIND, ticketing_http::KIND];

#[cfg(test)]
mod fixture;
