//! The bridge under faults: a seed makes a sequence of messages, repeats, reorderings, calls that fail in every way, clock jumps, crashes and
//! restarts; the real engine carries them out over a real SQLite file, and the properties of `architecture.md` 3 are checked.
//!
//! `cargo sim -- --steps 1000000 --seed 7`; a plain `cargo test` runs a short one. A failure prints its seed and the shortest list of steps
//! that still shows it; that list becomes a named reproduction.

mod check;
mod op;
mod partners;
mod reproductions;
mod run;
mod sim;
mod world;

fn main() -> std::process::ExitCode {
    run::main()
}
