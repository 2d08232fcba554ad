// SPDX-License-Identifier: Apache-2.0

//! A whole run: each database in turn, its ceilings before, between and after the loads.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

use crate::Arguments;
use crate::books::{Account, Tickets};
use crate::bridge::{self, Bridge, Place, Program};
use crate::ceiling::{self, Ceiling, Length, Rows};
use crate::database::{Database, Kind};
use crate::fill::{self, Wanted};
use crate::loads::{self, closed, open};
use crate::moment;
use crate::partners::{Manner, Partners};
use crate::report::{self, DatabaseReport, LoadReport, Report};
use crate::stage::Stage;
use crate::wire::douyin::Product;

/// Whether every order was accounted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Every one.
    Clean,
    /// Something was lost or doubled.
    Faults,
}

/// How long things go on.
#[derive(Clone, Copy, Debug)]
struct Lengths {
    load: Duration,
    ceiling: Duration,
    idle: Duration,
}

impl Lengths {
    const QUICK: Self = Self::of(1_500, 1_000, 2_000);
    const FULL: Self = Self::of(8_000, 4_000, 10_000);

    const fn of(load_ms: u64, ceiling_ms: u64, idle_ms: u64) -> Self {
        Self {
            load: Duration::from_millis(load_ms),
            ceiling: Duration::from_millis(ceiling_ms),
            idle: Duration::from_millis(idle_ms),
        }
    }
}

/// The name of the bridge's database.
const NAME: &str = "bridge";
/// Timers that come due at once in a full run.
const TIMERS_DUE: u64 = 5_000;
/// Tables whose rows are no sale's: names of housekeeping.
const NO_SALES: [&str; 2] = ["lease", "done_once"];

/// Runs everything that the arguments ask for, and prints it.
///
/// # Errors
/// When something cannot be measured at all.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Verdict> {
    let mut report = Report {
        at: chrono::DateTime::from_timestamp_millis(moment::unix_ms()).map(|at| at.to_rfc3339()).unwrap_or_default(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        load_average: std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim().to_owned(),
        build: if cfg!(debug_assertions) { "debug: say --release for figures that mean something" } else { "release" },
        binary_bytes: binary_bytes(&arguments),
        databases: Vec::new(),
        absent: Vec::new(),
    };
    println!(
        "ticketbridge-bench, {} build, {} cores, load average {}",
        report.build, report.cores, report.load_average
    );
    if let Some(bytes) = report.binary_bytes {
        println!("the program has {:.1} MiB", bytes as f64 / 1_048_576.0);
    }
    let wanted = if arguments.db.is_empty() {
        ["sqlite", "postgres", "mysql"].map(str::to_owned).to_vec()
    } else {
        arguments.db.clone()
    };
    // What was measured before something failed is told all the same.
    let mut ended = Ok(());
    for name in wanted {
        let files = tempfile::tempdir()?;
        match database(&name, files.path()).await? {
            Some(database) => {
                let bench = Bench::new(&arguments, &database, files.path()).await.with_context(|| name.clone())?;
                let mut measured = Vec::new();
                ended = bench.run(&mut measured).await.with_context(|| name.clone());
                for measured in measured {
                    println!("{}", report::text(&measured));
                    report.databases.push(measured);
                }
            }
            None => {
                println!("\n*** SKIPPED: no {name} here ***");
                report.absent.push(name);
            }
        }
        if ended.is_err() {
            break;
        }
    }
    if let Some(path) = &arguments.json {
        std::fs::write(path, serde_json::to_string_pretty(&report)?)?;
    }
    ended?;
    let clean = report.databases.iter().all(|database| database.account.is_clean());
    Ok(if clean { Verdict::Clean } else { Verdict::Faults })
}

/// Of the program given, or of the one that was built beside this one.
fn binary_bytes(arguments: &Arguments) -> Option<u64> {
    let beside = || Some(std::env::current_exe().ok()?.with_file_name("ticketbridge"));
    let path = arguments.bridge.clone().or_else(beside)?;
    std::fs::metadata(path).ok().map(|file| file.len())
}

async fn database(name: &str, files: &Path) -> anyhow::Result<Option<Database>> {
    match name {
        "sqlite" => Database::start(Kind::Sqlite, files).await,
        "postgres" => Database::start(Kind::Postgres, files).await,
        "mysql" | "mariadb" => Database::start(Kind::Mysql, files).await,
        url => Database::named(url, None, files).await.map(Some),
    }
}

/// The rows of one sale, as the bridge writes them.
async fn rows_of_a_sale(stage: &Stage<'_>, kind: Kind, url: &str) -> anyhow::Result<Rows> {
    // The first sale of all leaves rows behind that no other does.
    loads::stock_up_one(stage, Product::Lean).await?;
    // The record of calls is written off the way to the answer.
    moment::pause(Duration::from_millis(700)).await;
    let before = Rows::read(kind, url).await?;
    loads::stock_up_one(stage, Product::Lean).await?;
    moment::pause(Duration::from_millis(700)).await;
    Ok(Rows::read(kind, url).await?.since(&before).without(&NO_SALES))
}

/// What is measured on one database.
struct Bench<'b> {
    arguments: &'b Arguments,
    program: Program,
    database: &'b Database,
    partners: Partners,
    files: &'b Path,
    url: String,
    place: Place,
    lengths: Lengths,
}

impl<'b> Bench<'b> {
    async fn new(arguments: &'b Arguments, database: &'b Database, files: &'b Path) -> anyhow::Result<Self> {
        let program = arguments.bridge.clone().map_or(Program::Own, Program::Other);
        let partners = Partners::start().await?;
        let url = database.empty(NAME).await?;
        bridge::migrate(&program, &url).await?;
        let place = Place::new(&url, partners.address)?;
        let lengths = if arguments.quick { Lengths::QUICK } else { Lengths::FULL };
        Ok(Self { arguments, program, database, partners, files, url, place, lengths })
    }

    /// Everything: an empty database, and after that a full one when that is wanted. What was measured is in `reports`, whatever failed.
    async fn run(&self, reports: &mut Vec<DatabaseReport>) -> anyhow::Result<()> {
        let rows = self.on_an_empty_database(reports).await?;
        let timers = self.timers_due();
        if timers > 0 && self.wants("timers") {
            let load = self.timers(timers).await.context("timers")?;
            if let Some(report) = reports.last_mut() {
                report.loads.push(load);
                add_ratios(report, thin_name(self.database.kind));
            }
        }
        let (orders, timers) = (self.arguments.fill, self.arguments.timers);
        if orders > 0 || timers > 0 {
            let mut seconds = 0.0;
            for wanted in [Wanted::Finished(orders), Wanted::TimersLater(timers)] {
                seconds += fill::fill(&self.place, wanted).context("filling")?;
            }
            println!("filled with {orders} finished orders and {timers} armed timers in {seconds:.0} s");
            self.on_a_full_database(&rows, orders, reports).await?;
        }
        Ok(())
    }

    fn wants(&self, name: &str) -> bool {
        self.arguments.only.as_ref().is_none_or(|only| name.contains(only.as_str()))
    }

    fn timers_due(&self) -> u64 {
        match (self.arguments.timers, self.arguments.quick) {
            (0, true) => 0,
            (0, false) => TIMERS_DUE,
            (timers, _) => timers,
        }
    }

    async fn ceilings(&self, rows: &Rows) -> anyhow::Result<Vec<Ceiling>> {
        let length = Length(self.lengths.ceiling);
        let four = ceiling::four_statements(self.database, length, self.files).await.context("the four statements")?;
        let schema = async |url: &str| bridge::migrate(&self.program, url).await;
        let own = ceiling::own_rows(self.database, rows, length, schema).await.context("the own ceiling")?;
        Ok(four.into_iter().chain([own]).collect())
    }

    async fn report(&self, bridge: &Bridge, filled: u64) -> DatabaseReport {
        DatabaseReport {
            database: self.database.version().await,
            filled,
            ready_after_ms: bridge.ready_after.as_secs_f64() * 1_000.0,
            stored_bytes_per_order: None,
            ceilings: Vec::new(),
            loads: Vec::new(),
            idle: None,
            account: Account::default(),
            log_lines: 0,
        }
    }

    async fn on_an_empty_database(&self, reports: &mut Vec<DatabaseReport>) -> anyhow::Result<Rows> {
        let bridge = Bridge::start(&self.program, &self.place).await?;
        let stage = Stage::new(&bridge, &self.partners, self.database);
        let mut report = self.report(&bridge, 0).await;
        let rows = rows_of_a_sale(&stage, self.database.kind, &self.url).await.context("the rows of a sale")?;
        let measured = self.measure_empty(stage, &rows, &mut report).await;
        self.keep(report, reports);
        measured?;
        bridge.stop().await?;
        Ok(rows)
    }

    async fn measure_empty(&self, stage: Stage<'_>, rows: &Rows, report: &mut DatabaseReport) -> anyhow::Result<()> {
        report.ceilings.extend(self.ceilings(rows).await?);
        let loads = self.loads(&stage, report);
        loads.accepting(report).await?;
        if !self.arguments.quick {
            report.ceilings.extend(self.ceilings(rows).await?);
        }
        loads.working(report).await?;
        report.ceilings.extend(self.ceilings(rows).await?);
        let all_caught_up = loads.troubled(report).await?;
        self.end(stage, all_caught_up, report).await
    }

    async fn on_a_full_database(
        &self,
        rows: &Rows,
        orders: u64,
        reports: &mut Vec<DatabaseReport>,
    ) -> anyhow::Result<()> {
        let stored = self.database.stored_bytes(NAME).await?;
        let bridge = Bridge::start(&self.program, &self.place).await?;
        let stage = Stage::new(&bridge, &self.partners, self.database);
        let mut report = self.report(&bridge, orders).await;
        report.stored_bytes_per_order = (orders > 0).then(|| stored as f64 / orders as f64);
        let measured = self.measure_full(stage, rows, &mut report).await;
        self.keep(report, reports);
        measured?;
        bridge.stop().await
    }

    async fn measure_full(&self, stage: Stage<'_>, rows: &Rows, report: &mut DatabaseReport) -> anyhow::Result<()> {
        report.ceilings.extend(self.ceilings(rows).await?);
        let loads = self.loads(&stage, report);
        loads.accepting(report).await?;
        loads.working(report).await?;
        report.ceilings.extend(self.ceilings(rows).await?);
        self.end(stage, true, report).await
    }

    fn keep(&self, mut report: DatabaseReport, reports: &mut Vec<DatabaseReport>) {
        report.log_lines = self.place.log().lines().count();
        add_ratios(&mut report, thin_name(self.database.kind));
        reports.push(report);
    }

    /// Bookings while so many timers come due at once.
    async fn timers(&self, many: u64) -> anyhow::Result<LoadReport> {
        fill::fill(&self.place, Wanted::TimersDue(many))?;
        let bridge = Bridge::start(&self.program, &self.place).await?;
        let stage = Stage::new(&bridge, &self.partners, self.database);
        let load = loads::timers(&stage, many, self.lengths.load).await?;
        bridge.stop().await?;
        Ok(load)
    }

    fn loads<'l>(&'l self, stage: &'l Stage<'l>, report: &DatabaseReport) -> Loads<'l> {
        let thin = report.ceiling(thin_name(self.database.kind)).unwrap_or(1.0);
        Loads { stage, bench: self, thin }
    }

    /// Accounts for every order, and looks at a service that nobody calls.
    async fn end(&self, stage: Stage<'_>, all_caught_up: bool, report: &mut DatabaseReport) -> anyhow::Result<()> {
        let quiet = stage.quiet(Duration::from_secs(60)).await?;
        let tickets = if quiet && all_caught_up { Tickets::All } else { Tickets::NoneTwice };
        report.account = stage.settle(tickets).await?;
        if self.wants("idle") {
            report.idle = Some(loads::idle(&stage, self.lengths.idle).await?);
        }
        Ok(())
    }
}

/// Each rate over the ceilings, which are the means of this run.
fn add_ratios(report: &mut DatabaseReport, thin: &'static str) {
    let ceilings: Vec<(&'static str, f64)> =
        [thin, "own"].into_iter().filter_map(|name| Some((name, report.ceiling(name)?))).collect();
    for load in &mut report.loads {
        load.ratios = ceilings.iter().map(|(name, ceiling)| (*name, load.reached / ceiling)).collect();
    }
}

fn thin_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Sqlite => "S32",
        Kind::Postgres | Kind::Mysql => "B32",
    }
}

struct Loads<'l> {
    stage: &'l Stage<'l>,
    bench: &'l Bench<'l>,
    /// The rate of the four statements.
    thin: f64,
}

impl Loads<'_> {
    /// A share of the four statements' rate that even a slow service can be asked for; SQLite's batches of 32 are no yardstick there.
    fn share(&self, share: f64) -> f64 {
        match self.bench.database.kind {
            Kind::Sqlite => self.thin * share / 5.0,
            Kind::Postgres | Kind::Mysql => self.thin * share,
        }
    }

    fn length(&self) -> Duration {
        self.bench.lengths.load
    }

    async fn accepting(&self, report: &mut DatabaseReport) -> anyhow::Result<()> {
        if !self.bench.wants("accept") {
            return Ok(());
        }
        let callers: &[usize] = if self.bench.arguments.quick { &[32] } else { &[8, 32, 128] };
        for product in [Product::Lean, Product::Hot] {
            for callers in callers {
                report.loads.push(loads::accept(self.stage, product, closed(*callers, self.length())).await?);
            }
        }
        let load = open(self.share(0.25), self.length());
        report.loads.push(loads::accept(self.stage, Product::Lean, load).await?);
        Ok(())
    }

    async fn working(&self, report: &mut DatabaseReport) -> anyhow::Result<()> {
        if self.bench.wants("booking") {
            let load = open(self.share(0.15), self.length());
            report.loads.push(loads::bookings(self.stage, Product::Lean, load).await?);
        }
        if self.bench.wants("flow") {
            report.loads.push(loads::flows(self.stage, Product::Lean, closed(32, self.length())).await?);
            if !self.bench.arguments.quick {
                report.loads.push(loads::flows(self.stage, Product::Hot, closed(32, self.length())).await?);
            }
        }
        if self.bench.wants("kakao") {
            report.loads.push(loads::kakao_events(self.stage, closed(32, self.length())).await?);
        }
        if self.bench.wants("looking around") {
            report.loads.push(loads::looking(self.stage, self.length()).await?);
        }
        Ok(())
    }

    /// Loads with a ticketing system in trouble; whether everything could be caught up with.
    async fn troubled(&self, report: &mut DatabaseReport) -> anyhow::Result<bool> {
        let mut caught_up = true;
        for (name, manner) in
            [("slow back-end", Manner::After(Duration::from_secs(1))), ("dead back-end", Manner::Never)]
        {
            // A quick run has no time for five seconds' silence.
            if !self.bench.wants(name) || (self.bench.arguments.quick && manner == Manner::Never) {
                continue;
            }
            let load = open(self.share(0.1), self.length());
            let both = loads::beside(self.stage, name, manner, load, load).await?;
            caught_up &= both.first().is_some_and(|bookings| bookings.caught_up_ms.is_some());
            report.loads.extend(both);
        }
        Ok(caught_up)
    }
}
