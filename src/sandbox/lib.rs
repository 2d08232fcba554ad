// SPDX-License-Identifier: Apache-2.0

//! The other side of the wire: simulated channels and a simulated ticketing back-end.
//!
//! All are programs of their own that happen to live in this one: they speak HTTP with a bridge and know nothing
//! about its inside. `ticketbridge demo` and `ticketbridge sandbox` show them to people, tests judge a bridge by the
//! books they keep. They play the outside world, so they run on real time, made faster by a scale ([`SimTime`]).
//!
//! Reading order: [`backend`] (the ticketing system), [`octo`] (a supplier that speaks OCTO), [`douyin`], [`platform`] and on it [`kakao`] and [`tripstore`] (the channels),
//! [`journal`] (what crossed the wire), [`stories`] (what happens to a guest, and the verdict), [`timeline`] (a journal for a person to read).

pub mod backend;
pub mod douyin;
pub mod journal;
pub mod kakao;
pub mod octo;
pub mod ops;
pub mod platform;
pub mod stories;
pub mod time;
pub mod timeline;
pub mod tripstore;
pub mod webhook;

mod machine;
mod net;

pub use backend::{SimBackend, SimBackendOptions};
pub use douyin::{SimDouyin, SimDouyinOptions};
pub use journal::{Journal, Party};
pub use kakao::SimKakao;
pub use octo::{SimOcto, SimOctoOptions};
pub use stories::{Stage, Story, Supplier, Verdict, play};
pub use time::SimTime;
pub use tripstore::SimTripStore;
