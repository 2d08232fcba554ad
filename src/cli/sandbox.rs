// SPDX-License-Identifier: Apache-2.0

//! `ticketbridge sandbox`: plays a channel and the back-end against a running bridge, story by story, with a verdict for each.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use secrecy::ExposeSecret as _;
use serde_json::Value;
use ticketbridge_core::rules::dates::advance_limit;
use ticketbridge_core::{BackendId, ChannelId, Millis, TimeZone};

use crate::cli::healthcheck::{self, reached_at};
use crate::cli::{fail, say};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{BackendConfig, ChannelConfig, Config, Environment};
use ticketbridge_sandbox::douyin::{App, SimProduct};
use ticketbridge_sandbox::platform::PlatformOptions;
use ticketbridge_sandbox::stories::{self, Channel};
use ticketbridge_sandbox::timeline::play_aloud;
use ticketbridge_sandbox::{
    Journal, SimBackend, SimBackendOptions, SimDouyin, SimDouyinOptions, SimKakao, SimOcto, SimOctoOptions, SimTime,
    SimTripStore, Stage, Story, Supplier,
};

/// What to play, against whom.
#[derive(Debug, clap::Args)]
pub(super) struct SandboxArguments {
    /// The bridge to play against, where its configuration listens when left out; that configuration must name the addresses below
    #[arg(long, value_name = "URL")]
    against: Option<String>,
    /// The configuration of that bridge: secrets, products and the ops token are taken from it
    #[arg(long, value_name = "DIR", default_value = "config")]
    config: PathBuf,
    /// Which of its channels to play; its adapter says what is played
    #[arg(long, value_name = "ID", default_value = "douyin-main")]
    channel: String,
    /// Which of its back-ends to play; one of the adapter octo has stories of its own, with a guest of a douyin channel
    #[arg(long, value_name = "ID", default_value = "gate")]
    backend: String,
    /// The product on sale, as the channel names it: LP-V2|LP-B2, LK-V1|LK-B1, FOREST or DANANG when left out, by the adapter
    #[arg(long, value_name = "PRODUCT")]
    product: Option<String>,
    /// The product whose octo back-end gives up at the deadline, for the one story about that
    #[arg(long, value_name = "PRODUCT", default_value = "LK-V2|LK-B2")]
    gives_up: String,
    /// Where the simulated channel listens: `api_base` of the channel
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9101", alias = "douyin")]
    listen: SocketAddr,
    /// Where the simulated travel agency of a tripstore channel listens: its `erp.base_url`
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9103")]
    agency: SocketAddr,
    /// Where the simulated ticketing system listens: `base_url` of the back-end; 127.0.0.1:9102 when left out, :9104 for an octo one
    #[arg(long, value_name = "ADDRESS")]
    tickets: Option<SocketAddr>,
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
        list();
        return ExitCode::SUCCESS;
    }
    crate::transport::install_tls();
    let played = match Setting::read(&arguments) {
        Err(problem) => Err(problem),
        Ok(setting) => setting.play().await,
    };
    match played {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failed) => fail(format!("{failed} stories did not end as they should")),
        Err(problem) => fail(problem),
    }
}

/// Every story, grouped by the adapter of the channel that it plays.
fn list() {
    for (adapter, stories) in stories::listed() {
        say(format_args!("adapter {adapter}"));
        for (name, about) in stories {
            say(format_args!("  {name:<26} {about}"));
        }
    }
}

/// Stories of the adapter douyin whose guest goes in on the day on which he buys.
const VISITS_TODAY: [&str; 3] = ["purchase-to-gate", "redemption-during-review", "used-before-void"];
/// Longest wait for a bridge to say that it is there.
const ANSWERS_WITHIN: Millis = Millis::seconds(3);
/// Time that Douyin gives for tickets.
const TICKETS_WITHIN: Millis = Millis::minutes(10);
/// Calls that have to find room before a deadline: a try, the question what became of it, and another one.
const TRIES_BEFORE: i64 = 3;

/// A length of time as the configuration writes it.
fn in_words(length: Millis) -> String {
    match length.0 {
        ms if ms % 60_000 == 0 => format!("{}m", ms / 60_000),
        ms if ms % 1_000 == 0 => format!("{}s", ms / 1_000),
        ms => format!("{ms}ms"),
    }
}

/// What is played, and what it is played with.
struct Setting<'a> {
    arguments: &'a SandboxArguments,
    config: Config,
    /// Where the bridge is.
    against: String,
    time: SimTime,
    journal: Journal,
}

impl<'a> Setting<'a> {
    fn read(arguments: &'a SandboxArguments) -> Result<Self, String> {
        let config = Config::load(&arguments.config, &Environment::Process)
            .map_err(|report| format!("the configuration cannot be used:\n{report}"))?;
        let (time, journal) = (SimTime::new(arguments.time_scale), Journal::default());
        let against =
            arguments.against.clone().unwrap_or_else(|| format!("http://{}", reached_at(config.server.listen)));
        Ok(Self { arguments, config, against, time, journal })
    }

    /// Makes sure that a bridge is there: a story against nobody takes a long time to say nothing.
    async fn somebody_answers(&self) -> Result<(), String> {
        let url = format!("{}/healthz", self.against.trim_end_matches('/'));
        let nobody = |why| format!("no bridge answers: {why}; start it, or name where it is with --against URL");
        healthcheck::ask(&url, ANSWERS_WITHIN).await.map_err(nobody)
    }

    fn channel(&self) -> Result<&ChannelConfig, String> {
        let name = &self.arguments.channel;
        self.config.channel(&ChannelId::new(name)).ok_or(format!("no channel `{name}` is configured"))
    }

    /// Plays the chosen stories of the channel's adapter; how many did not end as they should.
    async fn play(&self) -> Result<usize, String> {
        match self.channel()?.adapter {
            "douyin" if self.backend()?.adapter == "octo" => {
                let chosen = self.chosen_of("octo", stories::octo::STORIES)?;
                let products = [self.product("LK-V1|LK-B1"), self.arguments.gives_up.clone()];
                let (douyin, octo) = (self.douyin(&products).await?, self.octo().await?);
                say(format_args!("simulated Douyin on {} (the channel's api_base)", douyin.api_base()));
                say(format_args!("simulated OCTO supplier on {} (the back-end's base_url)", octo.octo.base_url()));
                let tickets = self.tickets("", "whsec_bm9ib2R5").await?;
                let stage = self.stage(douyin, tickets)?.with_supplier(octo);
                self.play_on(&stage, chosen).await
            }
            "douyin" => {
                let chosen = self.chosen(stories::douyin::STORIES)?;
                let douyin = self.douyin(&[self.product("LP-V2|LP-B2")]).await?;
                say(format_args!("simulated Douyin on {} (the channel's api_base)", douyin.api_base()));
                self.play_with_gate(douyin, chosen).await
            }
            "kakao" => {
                let chosen = self.chosen(stories::kakao::STORIES)?;
                let kakao = self.kakao().await?;
                say(format_args!("simulated Kakao on {} (the channel's api_base)", kakao.base_url()));
                self.play_with_gate(kakao, chosen).await
            }
            "tripstore" => {
                let chosen = self.chosen(stories::tripstore::STORIES)?;
                let trip = self.tripstore().await?;
                say(format_args!("simulated marketplace on {} (the channel's api_base)", trip.market.base_url()));
                say(format_args!("simulated travel agency on {} (the channel's erp.base_url)", trip.agency.base_url()));
                self.play_with_gate(trip, chosen).await
            }
            other => Err(format!("the sandbox has no stories for channels of the adapter `{other}`")),
        }
    }

    fn backend(&self) -> Result<&BackendConfig, String> {
        let name = &self.arguments.backend;
        self.config.backend(&BackendId::new(name)).ok_or(format!("no back-end `{name}` is configured"))
    }

    /// The stories that were named, or all.
    fn chosen<C>(&self, stories: &'static [Story<C>]) -> Result<Vec<&'static Story<C>>, String> {
        self.chosen_of(self.channel()?.adapter, stories)
    }

    /// The same, of an adapter's.
    fn chosen_of<C>(&self, adapter: &str, stories: &'static [Story<C>]) -> Result<Vec<&'static Story<C>>, String> {
        let names = &self.arguments.story;
        if let Some(unknown) = names.iter().find(|name| stories.iter().all(|story| story.name != **name)) {
            return Err(format!(
                "there is no story `{unknown}` for the adapter `{adapter}`; `ticketbridge sandbox --list` names them"
            ));
        }
        Ok(stories.iter().filter(|story| names.is_empty() || names.iter().any(|name| name == story.name)).collect())
    }

    async fn play_with_gate<C: Channel>(&self, channel: C, chosen: Vec<&Story<C>>) -> Result<usize, String> {
        let secret = secret(self.backend()?.settings.expose(), "secret")?;
        let tickets = self.tickets(&self.arguments.backend, &secret).await?;
        say(format_args!("simulated ticketing system on {} (the back-end's base_url)", tickets.base_url()));
        self.play_on(&self.stage(channel, tickets)?, chosen).await
    }

    fn stage<C: Channel>(&self, channel: C, tickets: SimBackend) -> Result<Stage<C>, String> {
        let token = self.config.ops_tokens.first().ok_or("no ops token is configured")?;
        Ok(Stage::new(&self.against, token.token.expose_secret(), channel, tickets))
    }

    async fn play_on<C: Channel>(&self, stage: &Stage<C>, chosen: Vec<&Story<C>>) -> Result<usize, String> {
        self.somebody_answers().await?;
        let colour = std::io::stdout().is_terminal();
        let mut failed = 0;
        let wants = self.wants()?;
        let over = self.today_is_over()?;
        for story in chosen {
            say(format_args!("\n── {}: {}\n", story.name, story.about));
            if let Some(why) = over.as_ref().filter(|_| VISITS_TODAY.contains(&story.name)) {
                say(format_args!("not played: its guest comes today, and {why}"));
                continue;
            }
            let played = play_aloud(story, stage, colour, &mut std::io::stdout()).await;
            let verdict = played.map_err(|error| format!("the timeline cannot be printed: {error}"))?;
            say(format_args!("\n{}", verdict.to_string().trim_end()));
            if !verdict.passed {
                failed += 1;
                // What a story about a deadline says of its end does not tell that the deadline never came.
                wants.iter().for_each(|want| say(format_args!("  perhaps because {want}")));
            }
        }
        Ok(failed)
    }

    /// What the configuration has otherwise than the stories about deadlines want it: stated times pass faster than the bridge's own.
    fn wants(&self) -> Result<Vec<String>, String> {
        let played = Millis::from_std(self.time.scaled(TICKETS_WITHIN.to_std()));
        let mut wants = Vec::new();
        for code in self.played()? {
            let Some(booking) = self.config.booking(&code.as_str().into()) else { continue };
            if booking.ticketing_deadline > played {
                wants.push(format!(
                    "`{code}` has `ticketing_deadline = \"{}\"`, and ten minutes pass in {} here: stories about the deadline want that",
                    in_words(booking.ticketing_deadline),
                    in_words(played)
                ));
            }
        }
        let settings = self.backend()?.settings.expose();
        let slow = settings.pointer("/timeouts").and_then(Value::as_object).into_iter().flatten();
        let slow = slow.filter_map(|(name, value)| Some((name, Millis::parse(value.as_str()?)?)));
        let slow: Vec<String> = slow
            .filter(|(_, length)| length.0 * TRIES_BEFORE > played.0)
            .map(|(name, length)| format!("{name} = \"{}\"", in_words(length)))
            .collect();
        if !slow.is_empty() {
            wants.push(format!(
                "`timeouts` of the back-end `{}` leave no second try before that deadline ({}): a fifth of it each is enough",
                self.arguments.backend,
                slow.join(", ")
            ));
        }
        Ok(wants)
    }

    /// Why a visit of today cannot be booked any more, if so.
    fn today_is_over(&self) -> Result<Option<String>, String> {
        let named = text(self.channel()?.settings.expose(), "/time_zone").ok();
        let zone = named.and_then(|name| TimeZone::parse(&name)).unwrap_or(TimeZone::SHANGHAI);
        let now = SystemClock::new().now();
        let today = zone.date_of(now);
        for code in self.played()? {
            let advance = self.config.booking(&code.as_str().into()).and_then(|booking| booking.advance);
            if let Some(limit) = advance.map(|rule| advance_limit(rule, today, zone)).filter(|limit| *limit <= now) {
                return Ok(Some(format!(
                    "`{code}` takes bookings for today until {} only (`advance`): play it before that, or raise it",
                    limit.rfc3339(zone)
                )));
            }
        }
        Ok(None)
    }

    /// The booking products that are played.
    fn played(&self) -> Result<Vec<String>, String> {
        let booking = |pair: &str| pair.split_once('|').map_or(pair, |(_, booking)| booking).to_owned();
        Ok(match self.channel()?.adapter {
            "douyin" if self.backend()?.adapter == "octo" => {
                vec![booking(&self.product("LK-V1|LK-B1")), booking(&self.arguments.gives_up)]
            }
            "douyin" => vec![booking(&self.product("LP-V2|LP-B2"))],
            // Those of the others have no deadline of the channel's for tickets.
            _ => Vec::new(),
        })
    }

    /// The simulated ticketing system; where an OCTO supplier is played instead, it stands by and is never called.
    async fn tickets(&self, name: &str, secret: &str) -> Result<SimBackend, String> {
        let mut options = SimBackendOptions::usual(name, secret, self.time.clone());
        options.journal = self.journal.clone();
        options.bridge_url.clone_from(&self.against);
        if !name.is_empty() {
            options.listen = self.arguments.tickets.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 9102)));
        }
        let cannot = |error| format!("the simulated ticketing system cannot listen on {}: {error}", options.listen);
        SimBackend::start(options.clone()).await.map_err(cannot)
    }

    /// The simulated supplier behind a back-end of the adapter octo.
    async fn octo(&self) -> Result<Supplier, String> {
        let settings = self.backend()?.settings.expose();
        let mut options = SimOctoOptions::usual(&text(settings, "/key")?, self.time.clone());
        options.journal = self.journal.clone();
        options.listen = self.arguments.tickets.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 9104)));
        let listen = options.listen;
        let cannot = |error| format!("the simulated supplier cannot listen on {listen}: {error}");
        let octo = SimOcto::start(options).await.map_err(cannot)?;
        let backend = self.arguments.backend.clone();
        let (against, hint) = (self.against.trim_end_matches('/'), text(settings, "/hint_secret").ok());
        let hints = hint.map(|secret| format!("{against}/backends/{backend}/hints/{secret}"));
        Ok(Supplier { octo, backend, hints, sells: 0, gives_up: Some(1) })
    }

    async fn douyin(&self, sold: &[String]) -> Result<SimDouyin, String> {
        let products = sold.iter().map(|product| self.sold(product)).collect::<Result<Vec<_>, _>>()?;
        let settings = self.channel()?.settings.expose();
        let app = App {
            client_key: text(settings, "/apps/0/client_key")?,
            client_secret: text(settings, "/apps/0/client_secret")?,
        };
        let (id, account) = (&self.arguments.channel, text(settings, "/account_id")?);
        let mut options = SimDouyinOptions::usual(id, app, &account, products, self.time.clone());
        options.journal = self.journal.clone();
        options.bridge_url.clone_from(&self.against);
        options.listen = self.arguments.listen;
        let cannot = |error| format!("the simulated Douyin cannot listen on {}: {error}", self.arguments.listen);
        SimDouyin::start(options).await.map_err(cannot)
    }

    /// A pair that the channel sells, as it is configured.
    fn sold(&self, product: &str) -> Result<SimProduct, String> {
        let (voucher, booking) = product.split_once('|').ok_or("the product is written VOUCHER|BOOKING")?;
        let config = &self.config;
        let voucher = config.voucher(&voucher.into()).ok_or(format!("no voucher product `{voucher}` is configured"))?;
        let booking = config.booking(&booking.into()).ok_or(format!("no booking product `{booking}` is configured"))?;
        Ok(SimProduct::new(product.to_owned(), booking.visitors_per_unit, voucher.price))
    }

    async fn kakao(&self) -> Result<SimKakao, String> {
        let options = self.platform("FOREST")?;
        let cannot = |error| format!("the simulated Kakao cannot listen on {}: {error}", self.arguments.listen);
        SimKakao::start(options).await.map_err(cannot)
    }

    async fn tripstore(&self) -> Result<SimTripStore, String> {
        let market = self.platform("DANANG")?;
        let erp = self.channel()?.settings.expose().get("erp").cloned();
        let erp = erp.ok_or("the stories need an agency that is told: write `erp` into the channel's settings")?;
        let calls_secret = secret(&erp, "secret")?;
        let agency = PlatformOptions { calls_secret, listen: self.arguments.agency, ..market.clone() };
        let cannot = |error| {
            let (market, agency) = (self.arguments.listen, self.arguments.agency);
            format!("the simulated marketplace and agency cannot listen on {market} and {agency}: {error}")
        };
        SimTripStore::start(market, agency).await.map_err(cannot)
    }

    /// What a platform that tells whole orders needs; its product is one that a person accepts.
    fn platform(&self, usual_product: &str) -> Result<PlatformOptions, String> {
        let product = self.product(usual_product);
        let booking = self.config.booking(&product.as_str().into());
        let booking = booking.ok_or(format!("no booking product `{product}` is configured"))?;
        if booking.confirm != ticketbridge_core::product::Confirmation::Manual {
            return Err(format!(
                "the stories need a product that a person accepts: write confirm = \"manual\" for `{product}`"
            ));
        }
        let settings = self.channel()?.settings.expose();
        let (events, calls) = (secret(settings, "secrets")?, secret(settings, "api_secret")?);
        let mut options = PlatformOptions::usual(&self.arguments.channel, &events, &calls, &product, self.time.clone());
        options.journal = self.journal.clone();
        options.bridge_url.clone_from(&self.against);
        options.listen = self.arguments.listen;
        Ok(options)
    }

    fn product(&self, usual: &str) -> String {
        self.arguments.product.clone().unwrap_or_else(|| usual.to_owned())
    }
}

fn text(settings: &Value, path: &str) -> Result<String, String> {
    settings.pointer(path).and_then(Value::as_str).map(str::to_owned).ok_or(format!("`{path}` is not set"))
}

/// A Standard Webhooks secret: the first of a list, or the only one.
fn secret(settings: &Value, name: &str) -> Result<String, String> {
    let found = settings.get(name).and_then(|value| value.as_str().or_else(|| value.get(0)?.as_str()));
    found.map(str::to_owned).ok_or(format!("`{name}` is not set"))
}
