// SPDX-License-Identifier: Apache-2.0

//! What is printed, and what machines read.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::books::Account;
use crate::ceiling::Ceiling;
use crate::latency::Latency;
use crate::meter::Cost;

/// A whole run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// When, RFC 3339.
    pub(crate) at: String,
    pub(crate) cores: usize,
    /// Load of the machine when the run began: others on it make every figure smaller.
    pub(crate) load_average: String,
    /// How the bridge was built.
    pub(crate) build: &'static str,
    /// Of the program `ticketbridge` beside this one, when it is there.
    pub(crate) binary_bytes: Option<u64>,
    pub(crate) databases: Vec<DatabaseReport>,
    /// Kinds that were asked for and are not on this machine.
    pub(crate) absent: Vec<String>,
}

/// One database.
#[derive(Debug, Serialize)]
pub(crate) struct DatabaseReport {
    pub(crate) database: String,
    /// Orders that were there before the loads, made by the product's own code.
    pub(crate) filled: u64,
    pub(crate) ready_after_ms: f64,
    /// Rows and indexes of the whole database over the finished orders in it.
    pub(crate) stored_bytes_per_order: Option<f64>,
    pub(crate) ceilings: Vec<Ceiling>,
    pub(crate) loads: Vec<LoadReport>,
    pub(crate) idle: Option<Idle>,
    pub(crate) account: Account,
    /// Lines of the service's log at level warn and above.
    pub(crate) log_lines: usize,
}

/// One load.
#[derive(Debug, Serialize)]
pub(crate) struct LoadReport {
    pub(crate) name: String,
    /// `closed 32`, `open 240/s`.
    pub(crate) pace: String,
    pub(crate) offered: f64,
    pub(crate) reached: f64,
    /// Steps that did not end well, by what was said.
    pub(crate) bad: BTreeMap<String, u64>,
    pub(crate) calls: BTreeMap<String, Latency>,
    /// How late the generator itself began steps.
    pub(crate) generator_late: Latency,
    pub(crate) cost: Cost,
    /// Of the service after the load: now, and the most so far; KiB.
    pub(crate) memory_kib: Option<(u64, u64)>,
    /// The rate over each ceiling of this run.
    pub(crate) ratios: BTreeMap<&'static str, f64>,
    /// Bookings that waited for their call to the ticketing system, each half second.
    pub(crate) backlog: Vec<u64>,
    /// Until that was empty after the load's end; `None` when it took too long.
    pub(crate) caught_up_ms: Option<f64>,
    /// Until all timers that came due had been seen to.
    pub(crate) timers_done_ms: Option<f64>,
    /// Calls to the ticketing system under way at one moment, at most.
    pub(crate) in_flight_max: u64,
}

/// A service that nobody calls.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Idle {
    pub(crate) statements_per_second: Option<f64>,
    pub(crate) commits_per_second: Option<f64>,
    pub(crate) service_cpu_ms_per_second: f64,
    pub(crate) memory_kib: Option<(u64, u64)>,
}

impl DatabaseReport {
    /// The mean of all measurements of one ceiling in this run.
    pub(crate) fn ceiling(&self, name: &str) -> Option<f64> {
        mean(self.ceilings.iter().filter(|ceiling| ceiling.name == name).map(|ceiling| ceiling.per_second))
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, many) = values.fold((0.0, 0_u32), |(sum, many), value| (sum + value, many + 1));
    (many > 0).then(|| sum / f64::from(many))
}

fn optional(value: Option<f64>, digits: usize) -> String {
    value.map_or("–".to_owned(), |value| format!("{value:.digits$}"))
}

/// A database's part, for people.
pub(crate) fn text(report: &DatabaseReport) -> String {
    let mut out = String::new();
    write_text(&mut out, report).expect("a string takes everything");
    out
}

fn write_text(out: &mut String, report: &DatabaseReport) -> std::fmt::Result {
    writeln!(out, "\n══ {} ══", report.database)?;
    if report.filled > 0 {
        writeln!(
            out,
            "{} finished orders were there before; {} bytes each",
            report.filled,
            optional(report.stored_bytes_per_order, 0)
        )?;
    }
    writeln!(out, "start to first 2xx: {:.0} ms", report.ready_after_ms)?;
    writeln!(out, "\nceilings of this run          per s    p50 ms    p99 ms  db CPU ms   log bytes")?;
    for ceiling in &report.ceilings {
        writeln!(
            out,
            "  {:<24} {:>9.0} {:>9.2} {:>9.2} {:>10} {:>11}   {}",
            ceiling.name,
            ceiling.per_second,
            ceiling.latency.p50_ms,
            ceiling.latency.p99_ms,
            optional(ceiling.database_cpu_ms, 2),
            optional(ceiling.log_bytes, 0),
            ceiling.how,
        )?;
    }
    for load in &report.loads {
        write_load(out, load)?;
    }
    if let Some(idle) = &report.idle {
        writeln!(
            out,
            "\nidle: {} statements/s, {} commits/s, {:.1} ms CPU/s, memory {}",
            optional(idle.statements_per_second, 1),
            optional(idle.commits_per_second, 1),
            idle.service_cpu_ms_per_second,
            memory(idle.memory_kib),
        )?;
    }
    write_account(out, &report.account)?;
    writeln!(out, "log: {} lines at warn or above", report.log_lines)
}

fn memory(kib: Option<(u64, u64)>) -> String {
    kib.map_or("–".to_owned(), |(now, most)| format!("{} MiB (most {} MiB)", now / 1_024, most / 1_024))
}

fn write_load(out: &mut String, load: &LoadReport) -> std::fmt::Result {
    writeln!(out, "\n{} · {}", load.name, load.pace)?;
    let ratios: Vec<String> = load.ratios.iter().map(|(name, ratio)| format!("{ratio:.3} × {name}")).collect();
    writeln!(out, "  offered {:.0}/s, reached {:.0}/s   {}", load.offered, load.reached, ratios.join(", "))?;
    for (call, latency) in &load.calls {
        let Latency { count, p50_ms, p99_ms, p999_ms, max_ms } = latency;
        writeln!(
            out,
            "  {call:<28} n {count:>7}   p50 {p50_ms:>8.2}   p99 {p99_ms:>8.2}   p99.9 {p999_ms:>8.2}   max {max_ms:>8.2} ms"
        )?;
    }
    let cost = &load.cost;
    writeln!(
        out,
        "  per step: {} statements, {} commits, {} bytes; CPU ms: service {:.2}, database {}, generator {:.2}; memory {}",
        optional(cost.statements, 1),
        optional(cost.commits, 2),
        optional(cost.bytes, 0),
        cost.service_cpu_ms,
        optional(cost.database_cpu_ms, 2),
        cost.generator_cpu_ms,
        memory(load.memory_kib),
    )?;
    if !load.backlog.is_empty() {
        let series: Vec<String> = load.backlog.iter().map(u64::to_string).collect();
        let after = load.caught_up_ms.map_or("not in time".to_owned(), |ms| format!("{ms:.0} ms after the end"));
        writeln!(
            out,
            "  backlog each half second: {}; empty {after}; in flight at most {}",
            series.join(" "),
            load.in_flight_max
        )?;
    }
    if let Some(ms) = load.timers_done_ms {
        writeln!(out, "  every timer was seen to {ms:.0} ms after the start")?;
    }
    for (what, many) in &load.bad {
        writeln!(out, "  NOT GOOD: {many} × {what}")?;
    }
    if load.generator_late.p99_ms > 5.0 {
        writeln!(out, "  (the generator itself was late: p99 {:.1} ms)", load.generator_late.p99_ms)?;
    }
    Ok(())
}

fn write_account(out: &mut String, account: &Account) -> std::fmt::Result {
    writeln!(
        out,
        "\naccounting: {} orders promised, {} messages without an answer, {}",
        account.promised,
        account.unanswered,
        if account.is_clean() { "nothing lost, nothing doubled" } else { "FAULTS:" }
    )?;
    for (what, fault) in &account.faults {
        writeln!(out, "  {} × {what}: {} …", fault.many, fault.examples.join(", "))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ceiling_is_the_mean_of_its_measurements() {
        assert_eq!(mean([1.0, 3.0].into_iter()), Some(2.0));
        assert_eq!(mean(std::iter::empty()), None);
    }
}
