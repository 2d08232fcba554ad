//! `ticketbridge demo`: the whole of it on one machine, nothing installed, nothing left behind.
//!
//! The service runs on a throw-away SQLite database with the configuration of `config/`, between a simulated Douyin and a simulated
//! ticketing system. Its day is always the same, so that the example's calendar is always open; ten minutes pass in ten seconds.

pub(crate) mod directory;

use std::io::{IsTerminal as _, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use ticketbridge_core::{Millis, UnixMillis};
use tokio_util::sync::CancellationToken;

use crate::app::{self, Bridge, Parts, Work};
use crate::cli::fail;
use crate::clock::{Clock, Ids as _, ShiftedClock, SystemIds};
use crate::config::{Config, Environment};
use crate::sandbox::douyin::{App, SimProduct};
use crate::sandbox::timeline::Timeline;
use crate::sandbox::{
    Journal, SimBackend, SimBackendOptions, SimDouyin, SimDouyinOptions, SimTime, Stage, Story, Verdict, play, stories,
};

/// How many times as fast stated lengths of time pass.
const TIME_SCALE: f64 = 60.0;
/// The demo begins at 09:00 in Shanghai on 1 December 2026, a day on which the example can be visited.
const BEGINS_AT: UnixMillis = UnixMillis(1_796_086_800_000);
/// Price of the product on sale, fen.
const PRICE: i64 = 19_900;
/// The application that the example names.
const CLIENT_KEY: &str = "awexampleclientkey";
/// The merchant that the example names.
const ACCOUNT: &str = "7123456789";
/// The stories that are played, with a heading for each.
const PLAYED: [(&str, &str); 8] = [
    ("purchase-to-gate", "A guest buys a voucher, books today, gets tickets, goes in"),
    ("refund-before-booking", "A voucher is refunded before anything was booked"),
    ("slow-backend", "The ticketing system is slow: Douyin is answered at once, the tickets follow"),
    ("refund-after-ticketing", "Tickets exist: they are made void first, then the refund is approved"),
    ("cancel-and-rebook", "A booking is cancelled; the same voucher is booked again"),
    ("forced-refund", "Customer service refunds without asking"),
    ("redemption-during-review", "A guest goes in while his refund is under review"),
    ("missed-deadline", "No ticket in ten minutes: the order is flagged, Douyin asks, the money goes back"),
];

/// Whether the demo stays up after its stories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Afterwards {
    /// It ends.
    Leave,
    /// It stays up until interrupted.
    Stay,
}

/// Secrets made for one run.
struct Secrets {
    data_key: String,
    ops_token: String,
    douyin: String,
    gate: String,
}

impl Secrets {
    fn new(ids: &SystemIds) -> Self {
        use base64::Engine as _;
        let base64 = base64::engine::general_purpose::STANDARD;
        let bytes = || [ids.nonce(), ids.nonce()].concat();
        Self {
            data_key: base64.encode(bytes()),
            ops_token: hex::encode(ids.nonce()),
            douyin: hex::encode(ids.nonce()),
            gate: format!("whsec_{}", base64.encode(bytes())),
        }
    }
    fn environment(&self) -> Environment {
        Environment::only([
            ("TICKETBRIDGE_DATA_KEY", self.data_key.as_str()),
            ("TICKETBRIDGE_OPS_TOKEN", self.ops_token.as_str()),
            ("DOUYIN_SECRET", self.douyin.as_str()),
            ("GATE_SECRET", self.gate.as_str()),
        ])
    }
}

/// Everything that plays along.
struct Cast {
    bridge: Bridge,
    stage: Stage,
    journal: Journal,
    time: SimTime,
    ops_token: String,
}

/// Plays the demo; exit code 0 when every story ended as it should.
pub async fn run(afterwards: Afterwards) -> ExitCode {
    crate::transport::install_tls();
    let directory = match tempfile::tempdir() {
        Ok(directory) => directory,
        Err(error) => return fail(format!("a temporary directory cannot be made: {error}")),
    };
    let cast = match assemble(directory.path()).await {
        Ok(cast) => cast,
        Err(problem) => return fail(problem),
    };
    let mut out = std::io::stdout();
    let passed = match show(&cast, &mut out).await {
        Ok(passed) => passed,
        Err(error) => return fail(format!("the timeline cannot be printed: {error}")),
    };
    if afterwards == Afterwards::Stay {
        println!(
            "\nIt stays up until you press Ctrl-C. The database is {}",
            directory.path().join("demo.db").display()
        );
        if tokio::signal::ctrl_c().await.is_err() {
            return fail("Ctrl-C cannot be listened to");
        }
    }
    cast.bridge.stop().await;
    if passed { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

/// Starts both simulators, writes the configuration, starts the bridge between them.
async fn assemble(directory: &Path) -> Result<Cast, String> {
    let clock = Arc::new(ShiftedClock::starting_at(BEGINS_AT));
    let ids = SystemIds::new(clock.clone());
    let secrets = Secrets::new(&ids);
    let wall = clock.clone();
    let time = SimTime::with_wall_clock(TIME_SCALE, Arc::new(move || wall.now().0));
    let journal = Journal::default();

    let app = App { client_key: CLIENT_KEY.to_owned(), client_secret: secrets.douyin.clone() };
    let products = vec![SimProduct::new("LP-V2|LP-B2", 2, PRICE)];
    let mut options = SimDouyinOptions::usual("douyin-main", app, ACCOUNT, products, time.clone());
    options.journal = journal.clone();
    options.limits.answer_at_least = Millis::seconds(5).to_std();
    let douyin =
        SimDouyin::start(options).await.map_err(|error| format!("the simulated Douyin cannot start: {error}"))?;
    let mut options = SimBackendOptions::usual("gate", &secrets.gate, time.clone());
    options.journal = journal.clone();
    let backend =
        SimBackend::start(options).await.map_err(|error| format!("the simulated back-end cannot start: {error}"))?;

    directory::write(directory, &douyin.api_base(), &backend.base_url())
        .map_err(|error| format!("the configuration cannot be written: {error}"))?;
    let environment = secrets.environment();
    let config = Config::load(&directory.join("config"), &environment).map_err(|report| report.to_string())?;
    crate::telemetry::start_logging(&config.log);
    let parts = Parts { ids: Arc::new(ids), clock, transport: None, environment, work: Work::ByItself };
    let bridge = app::start(config, parts).await.map_err(|error| crate::worker::chain(&error))?;
    douyin.set_bridge_url(bridge.url());
    backend.set_bridge_url(bridge.url());
    let stage = Stage::new(&bridge.url(), &secrets.ops_token, douyin, backend);
    Ok(Cast { bridge, stage, journal, time, ops_token: secrets.ops_token })
}

/// Plays every story, printing its timeline as it goes.
async fn show(cast: &Cast, out: &mut (impl Write + Send)) -> std::io::Result<bool> {
    let colour = std::io::stdout().is_terminal();
    writeln!(out, "ticketbridge demo")?;
    writeln!(out, "  the bridge           {}", cast.bridge.url())?;
    writeln!(
        out,
        "  a simulated Douyin   {}   (its ten minutes pass in {} s here)",
        cast.stage.channel.api_base(),
        600.0 / TIME_SCALE
    )?;
    writeln!(out, "  a ticketing system   {}", cast.stage.backend.base_url())?;
    writeln!(out, "  the configuration    config/ of this repository; the database is thrown away\n")?;
    writeln!(out, "Each line is a call: when, who → whom, what was asked, what was answered, how long it took.")?;
    writeln!(out, "Below it stands what changed in the bridge's order.")?;
    let mut verdicts = Vec::new();
    for (number, (name, heading)) in PLAYED.iter().enumerate() {
        let Some(story) = stories::douyin::STORIES.iter().find(|story| story.name == *name) else { continue };
        writeln!(out, "\n── {}. {heading}\n", number + 1)?;
        let verdict = show_story(cast, story, colour, out).await?;
        writeln!(out, "\n{}", verdict.to_string().trim_end())?;
        verdicts.push(verdict);
    }
    let failed = verdicts.iter().filter(|verdict| !verdict.passed).count();
    writeln!(out, "\n{} of {} stories ended as they should.", verdicts.len() - failed, verdicts.len())?;
    where_next(cast, out)?;
    Ok(failed == 0)
}

async fn show_story(
    cast: &Cast,
    story: &Story<SimDouyin>,
    colour: bool,
    out: &mut (impl Write + Send),
) -> std::io::Result<Verdict> {
    let ops = Some(cast.stage.ops.clone());
    let mut timeline = Timeline::beginning_now(cast.journal.clone(), ops, "douyin-main", cast.time.clone(), colour);
    let told = CancellationToken::new();
    let playing = async {
        let verdict = play(story, &cast.stage).await;
        told.cancel();
        verdict
    };
    let (verdict, printed) = tokio::join!(playing, timeline.follow(out, told.clone()));
    printed?;
    Ok(verdict)
}

fn where_next(cast: &Cast, out: &mut impl Write) -> std::io::Result<()> {
    writeln!(out, "\nWhere to look next")?;
    writeln!(out, "  cargo run -- demo --keep      the same, and it stays up; then ask it yourself:")?;
    writeln!(out, "    curl -H 'Authorization: Bearer {}' {}/ops/v1/orders", cast.ops_token, cast.bridge.url())?;
    writeln!(out, "    curl {}/metrics", cast.bridge.url())?;
    writeln!(
        out,
        "  config/                       the configuration that was running: `ticketbridge check` explains it"
    )?;
    writeln!(out, "  README.md                     how to run it for real, the code map, how to add a partner")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_story_that_is_played_exists() {
        for (name, _) in PLAYED {
            assert!(stories::douyin::STORIES.iter().find(|story| story.name == name).is_some(), "{name}");
        }
    }
}
