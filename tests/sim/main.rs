// SPDX-License-Identifier: Apache-2.0

//! The bridge under faults: a seed makes a sequence of messages, repeats, reorderings, calls that fail in every way, clock jumps, crashes and
//! restarts; the real engine carries them out over a real SQLite file, and what must always hold is checked. At the end the partners' own
//! books are the judge: their money, bookings, tickets and refunds are ours, and what they were to be told they were told once.
//!
//! There are two kinds of worlds: [`douyin`], whose channel asks and waits, and [`snapshot`], whose platforms tell whole orders.
//!
//! `cargo sim -- --steps 1000000 --seed 7 --of douyin`; a plain `cargo test` runs a short one of each kind. A failure prints its seed and the
//! shortest list of steps that still shows it; that list becomes a named reproduction.

mod bench;
mod dice;
mod douyin;
mod partners;
mod run;
mod snapshot;
mod world;

fn main() -> std::process::ExitCode {
    run::main()
}
