// SPDX-License-Identifier: Apache-2.0

//! ticketbridge: between the places where tickets are sold and the systems that issue them.

pub mod accounts;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod console;
pub mod demo;
pub mod engine;
pub mod housekeeping;
pub mod http;
pub mod recorder;
pub mod replay;
pub mod service;
pub mod statement;
pub mod telemetry;
pub mod transport;
pub(crate) mod trouble;
pub mod worker;
