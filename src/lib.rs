//! ticketbridge: between the places where tickets are sold and the systems that issue them.

pub mod clock;
pub mod config;
pub mod engine;
pub mod live;
pub mod registry;
pub mod transport;
pub mod worker;
