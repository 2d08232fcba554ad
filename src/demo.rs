// SPDX-License-Identifier: Apache-2.0

//! `ticketbridge demo`: the whole of it on one machine, nothing installed, nothing left behind.
//!
//! The service runs on a throw-away SQLite database with the configuration of `config/`, `examples/korea/` and `examples/octo/`, between
//! simulated channels and simulated ticketing systems. Its day is always the same, so that the example's calendar is always open; ten minutes
//! pass in ten seconds.

mod cast;
pub(crate) mod directory;
mod waiting;

use std::io::{IsTerminal as _, Write};
use std::process::ExitCode;

use crate::cli::{fail, say};
use cast::{Cast, TIME_SCALE};
use ticketbridge_core::TimeZone;
use ticketbridge_sandbox::stories::{self, Channel};
use ticketbridge_sandbox::timeline::play_aloud;
use ticketbridge_sandbox::{Stage, Story};

/// A story that is played, with its heading.
type Chapter = (&'static str, &'static str);

/// What is played of a Douyin guest.
const DOUYIN: &[Chapter] = &[
    ("purchase-to-gate", "A guest buys a voucher, books today, gets tickets, goes in"),
    ("refund-before-booking", "A voucher is refunded before anything was booked"),
    ("slow-backend", "The ticketing system is slow: Douyin is answered at once, the tickets follow"),
    ("refund-after-ticketing", "Tickets exist: they are voided first, then the refund is approved"),
    ("cancel-and-rebook", "A booking is cancelled; the same voucher is booked again"),
    ("forced-refund", "Customer service refunds without asking"),
    ("redemption-during-review", "A guest goes in while his refund is under review"),
    ("missed-deadline", "No ticket in ten minutes: the order is flagged, Douyin asks, the money goes back"),
];
/// What is played of a guest of the Kakao-style platform.
const KAKAO: &[Chapter] = &[
    (
        "payment-only-cancel",
        "Kakao: a manager accepts a booking; after the visit the money goes back, and the visit stays used",
    ),
    ("cancel-before-confirm", "Kakao: the guest calls a booking off while the manager's yes is on its way"),
];

/// What is played of a traveller at the TripStore-style marketplace.
const TRIPSTORE: &[Chapter] = &[
    ("part-payment", "TripStore: a deposit, then the balance by link, then departure; the agency is told all along"),
    ("overpayment", "TripStore: the balance is paid twice, and one of the two goes back"),
];

/// What is played of a guest whose tickets come from a supplier that speaks OCTO.
const OCTO: &[Chapter] = &[
    ("octo-03", "OCTO: the answer to the confirmation is lost; it is looked up, and the guest has one ticket"),
    ("octo-10", "OCTO: a hold that is too short is lengthened; one that ran out is made anew"),
    ("octo-14", "OCTO: a guest goes in while his refund is under review; a push tells of it, and a read proves it"),
];

/// Whether the demo stays up after its stories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Afterwards {
    /// It ends.
    Leave,
    /// It stays up until interrupted.
    Stay,
}

/// Plays the demo; exit code 0 when every story ended as it should.
pub async fn run(afterwards: Afterwards) -> ExitCode {
    crate::transport::install_tls();
    let directory = match tempfile::tempdir() {
        Ok(directory) => directory,
        Err(error) => return fail(format!("a temporary directory cannot be made: {error}")),
    };
    let cast = match cast::assemble(directory.path()).await {
        Ok(cast) => cast,
        Err(problem) => return fail(problem),
    };
    let mut out = std::io::stdout();
    let passed = match show(&cast, afterwards, &mut out).await {
        Ok(passed) => passed,
        Err(error) => return fail(format!("the timeline cannot be printed: {error}")),
    };
    if afterwards == Afterwards::Stay {
        say(format_args!(
            "\nIt stays up until you press Ctrl-C. The database is {}",
            directory.path().join("demo.db").display()
        ));
        if tokio::signal::ctrl_c().await.is_err() {
            return fail("Ctrl-C cannot be listened to");
        }
    }
    cast.bridge.stop().await;
    if passed { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

/// What was played so far.
#[derive(Default)]
struct Tally {
    played: usize,
    failed: usize,
}

/// Plays every story, printing its timeline as it goes.
async fn show(cast: &Cast, afterwards: Afterwards, out: &mut (impl Write + Send)) -> std::io::Result<bool> {
    introduce(cast, out)?;
    let mut tally = Tally::default();
    show_chapters(&cast.douyin, stories::douyin::STORIES, DOUYIN, &mut tally, out).await?;
    show_chapters(&cast.kakao, stories::kakao::STORIES, KAKAO, &mut tally, out).await?;
    show_chapters(&cast.trip, stories::tripstore::STORIES, TRIPSTORE, &mut tally, out).await?;
    show_chapters(&cast.octo, stories::octo::STORIES, OCTO, &mut tally, out).await?;
    writeln!(out, "\n{} of {} stories ended as they should.", tally.played - tally.failed, tally.played)?;
    if afterwards == Afterwards::Stay {
        match waiting::leave(cast).await {
            Ok(()) => writeln!(out, "Then more guests came, for whom something is to be done: the console shows it.")?,
            Err(problem) => {
                tally.failed += 1;
                writeln!(out, "What was to wait for a person does not: {problem}")?;
            }
        }
    }
    where_next(cast, afterwards, out).await?;
    Ok(tally.failed == 0)
}

fn introduce(cast: &Cast, out: &mut impl Write) -> std::io::Result<()> {
    let seconds = 600.0 / TIME_SCALE;
    writeln!(out, "ticketbridge demo")?;
    writeln!(out, "  the bridge           {}", cast.bridge.url())?;
    writeln!(
        out,
        "  a simulated Douyin   {}   (its ten minutes pass in {seconds} s here)",
        cast.douyin.channel.api_base()
    )?;
    writeln!(out, "  a simulated Kakao    {}   (a booking platform)", cast.kakao.channel.base_url())?;
    writeln!(
        out,
        "  a simulated market   {}   (TripStore-style; the travel agency behind it: {})",
        cast.trip.channel.market.base_url(),
        cast.trip.channel.agency.base_url()
    )?;
    writeln!(out, "  a ticketing system   {}", cast.douyin.backend.base_url())?;
    if let Some(supplier) = &cast.octo.supplier {
        writeln!(out, "  an OCTO supplier     {}", supplier.octo.base_url())?;
    }
    writeln!(out, "  the configuration    config/, examples/korea/ and examples/octo/; the database is thrown away\n")?;
    writeln!(
        out,
        "The day that is played is always the same: {} in Shanghai, 09:00, and an hour later in Seoul.",
        cast::BEGINS_AT.rfc3339(TimeZone::SHANGHAI).get(..10).unwrap_or_default()
    )?;
    writeln!(
        out,
        "Each line is a call: when it was answered, who → whom, what was asked, what was answered, how long it took."
    )?;
    writeln!(
        out,
        "Below it stands what changed in the bridge's order; a `label` is what the channel's own people call its state."
    )
}

async fn show_chapters<C: Channel>(
    stage: &Stage<C>,
    stories: &[Story<C>],
    chapters: &[Chapter],
    tally: &mut Tally,
    out: &mut (impl Write + Send),
) -> std::io::Result<()> {
    let colour = std::io::stdout().is_terminal();
    for (name, heading) in chapters {
        let Some(story) = stories.iter().find(|story| story.name == *name) else { continue };
        tally.played += 1;
        writeln!(out, "\n── {}. {heading}\n", tally.played)?;
        let verdict = play_aloud(story, stage, colour, out).await?;
        writeln!(out, "\n{}", verdict.to_string().trim_end())?;
        tally.failed += usize::from(!verdict.passed);
    }
    Ok(())
}

async fn where_next(cast: &Cast, afterwards: Afterwards, out: &mut (impl Write + Send)) -> std::io::Result<()> {
    writeln!(out, "\nWhere to look next")?;
    match afterwards {
        Afterwards::Leave => {
            writeln!(out, "  cargo run -- demo --keep      the same, and it stays up and tells you what to ask it")?;
        }
        Afterwards::Stay => {
            let (token, url) = (&cast.ops_token, cast.bridge.url());
            match cast.bridge.shared().accounts.demonstration_link().await {
                Ok(link) => writeln!(
                    out,
                    "  {url}/console/enter/{link}\n                                the console, signed in; the link works once"
                )?,
                Err(error) => writeln!(out, "  the console cannot be opened: {error}")?,
            }
            writeln!(out, "  curl -H 'Authorization: Bearer {token}' {url}/ops/v1/orders")?;
            writeln!(out, "  curl {url}/metrics")?;
        }
    }
    writeln!(
        out,
        "  cargo run -- sandbox --list   all the stories, and how to play them against a bridge of your own"
    )?;
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
        let listed = stories::listed();
        for (adapter, chapters) in [("douyin", DOUYIN), ("kakao", KAKAO), ("tripstore", TRIPSTORE), ("octo", OCTO)] {
            let known = listed.iter().find(|(name, _)| *name == adapter).map(|(_, stories)| stories.clone());
            let known = known.unwrap_or_default();
            for (name, _) in chapters {
                assert!(known.iter().any(|(known, _)| known == name), "{adapter}: {name}");
            }
        }
    }
}
