//! ticketbridge: middleware between the places where tickets are sold and the systems that issue them.

pub mod config;
pub mod registry;
