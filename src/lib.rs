//! ticketbridge: between the places where tickets are sold and the systems that issue them.

pub mod accounts;
pub mod app;
pub mod availability;
pub mod call_log;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod engine;
pub mod http;
mod instance;
pub mod live;
pub mod reconcile;
pub mod registry;
pub mod reload;
pub mod sandbox;
pub mod schedule;
pub mod statement;
pub mod telemetry;
mod timekeeping;
pub mod transport;
pub mod worker;
