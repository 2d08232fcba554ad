//! `ticketbridge sandbox`: plays the channel and the back-end against a running bridge, story by story, with a verdict for each.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use secrecy::ExposeSecret as _;
use ticketbridge_core::{BackendId, ChannelId};
use tokio_util::sync::CancellationToken;

use crate::cli::fail;
use crate::config::{Config, Environment};
use crate::sandbox::douyin::{App, SimProduct};
use crate::sandbox::timeline::Timeline;
use crate::sandbox::{
    Journal, SimBackend, SimBackendOptions, SimDouyin, SimDouyinOptions, SimTime, Stage, play, stories,
};

/// What to play, against whom.
#[derive(Debug, clap::Args)]
pub(super) struct SandboxArguments {
    /// The bridge to play against; its configuration must name the two addresses below
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    against: String,
    /// The configuration of that bridge: secrets, products and the ops token are taken from it
    #[arg(long, value_name = "DIR", default_value = "config")]
    config: PathBuf,
    /// Which of its channels to play
    #[arg(long, value_name = "ID", default_value = "douyin-main")]
    channel: String,
    /// Which of its back-ends to play
    #[arg(long, value_name = "ID", default_value = "gate")]
    backend: String,
    /// The product on sale, as the merchant types it at the channel
    #[arg(long, value_name = "VOUCHER|BOOKING", default_value = "LP-V2|LP-B2")]
    product: String,
    /// Where the simulated Douyin listens: `api_base` of the channel
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9101")]
    douyin: SocketAddr,
    /// Where the simulated ticketing system listens: `base_url` of the back-end
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9102")]
    tickets: SocketAddr,
    /// How many times as fast the channel's stated times pass
    #[arg(long, value_name = "N", default_value_t = 60.0)]
    time_scale: f64,
    /// Play only this story; may be given several times
    #[arg(long, value_name = "NAME")]
    story: Vec<String>,
    /// List the stories and exit
    #[arg(long)]
    list: bool,
}

pub(super) async fn sandbox(arguments: SandboxArguments) -> ExitCode {
    if arguments.list {
        for story in stories::douyin::STORIES {
            println!("{:<26} {}", story.name, story.about);
        }
        return ExitCode::SUCCESS;
    }
    if let Some(unknown) =
        arguments.story.iter().find(|name| stories::douyin::STORIES.iter().all(|story| story.name != **name))
    {
        return fail(format!("there is no story `{unknown}`; `ticketbridge sandbox --list` names them"));
    }
    crate::transport::install_tls();
    let (stage, journal, time) = match set_up(&arguments).await {
        Ok(parts) => parts,
        Err(problem) => return fail(problem),
    };
    let colour = std::io::stdout().is_terminal();
    let mut failed = 0;
    let chosen = stories::douyin::STORIES
        .iter()
        .filter(|story| arguments.story.is_empty() || arguments.story.iter().any(|name| name == story.name));
    for story in chosen {
        println!("\n── {}: {}\n", story.name, story.about);
        let ops = Some(stage.ops.clone());
        let mut timeline = Timeline::beginning_now(journal.clone(), ops, &arguments.channel, time.clone(), colour);
        let told = CancellationToken::new();
        let playing = async {
            let verdict = play(story, &stage).await;
            told.cancel();
            verdict
        };
        let mut out = std::io::stdout();
        let (verdict, printed) = tokio::join!(playing, timeline.follow(&mut out, told.clone()));
        if let Err(error) = printed {
            return fail(format!("the timeline cannot be printed: {error}"));
        }
        println!("\n{}", verdict.to_string().trim_end());
        failed += usize::from(!verdict.passed);
    }
    if failed == 0 { ExitCode::SUCCESS } else { fail(format!("{failed} stories did not end as they should")) }
}

async fn set_up(arguments: &SandboxArguments) -> Result<(Stage, Journal, SimTime), String> {
    let config = Config::load(&arguments.config, &Environment::Process)
        .map_err(|report| format!("the configuration cannot be used:\n{report}"))?;
    let channel = config.channel(&ChannelId::new(&arguments.channel)).ok_or("no such channel is configured")?;
    let backend = config.backend(&BackendId::new(&arguments.backend)).ok_or("no such back-end is configured")?;
    let token = config.ops_tokens.first().ok_or("no ops token is configured")?;
    let text = |settings: &serde_json::Value, path: &str| {
        settings.pointer(path).and_then(|value| value.as_str()).map(str::to_owned).ok_or(format!("`{path}` is not set"))
    };
    let settings = channel.settings.expose();
    let app = App {
        client_key: text(settings, "/apps/0/client_key")?,
        client_secret: text(settings, "/apps/0/client_secret")?,
    };
    let secret = backend.settings.expose().pointer("/secret").cloned().ok_or("the back-end has no secret")?;
    let secret = secret.as_str().or_else(|| secret.get(0)?.as_str()).ok_or("the back-end has no secret")?.to_owned();

    let (voucher, booking) = arguments.product.split_once('|').ok_or("the product is written VOUCHER|BOOKING")?;
    let voucher = config.voucher(&voucher.into()).ok_or(format!("no voucher product `{voucher}` is configured"))?;
    let booking = config.booking(&booking.into()).ok_or(format!("no booking product `{booking}` is configured"))?;
    let time = SimTime::new(arguments.time_scale);
    let journal = Journal::default();
    let products = vec![SimProduct::new(arguments.product.clone(), booking.visitors_per_unit, voucher.price)];
    let account = text(settings, "/account_id")?;
    let mut options = SimDouyinOptions::usual(&arguments.channel, app, &account, products, time.clone());
    options.journal = journal.clone();
    options.bridge_url.clone_from(&arguments.against);
    options.listen = arguments.douyin;
    let douyin = SimDouyin::start(options)
        .await
        .map_err(|error| format!("the simulated Douyin cannot listen on {}: {error}", arguments.douyin))?;
    let mut options = SimBackendOptions::usual(&arguments.backend, &secret, time.clone());
    options.journal = journal.clone();
    options.bridge_url.clone_from(&arguments.against);
    options.listen = arguments.tickets;
    let tickets = SimBackend::start(options)
        .await
        .map_err(|error| format!("the simulated ticketing system cannot listen on {}: {error}", arguments.tickets))?;
    println!("simulated Douyin on {} (the channel's api_base)", douyin.api_base());
    println!("simulated ticketing system on {} (the back-end's base_url)", tickets.base_url());
    let stage = Stage::new(&arguments.against, token.token.expose_secret(), douyin, tickets);
    Ok((stage, journal, time))
}
