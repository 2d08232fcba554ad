// SPDX-License-Identifier: Apache-2.0

//! `ticketbridge verify`: a captured request, checked step by step.

mod capture;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ticketbridge_adapters::standard_webhooks::is_made_with;
use ticketbridge_core::ChannelId;
use ticketbridge_core::limits::BODY_BYTES_MAX;
use ticketbridge_core::port::{Context, Verified, VerifyStep};

pub use capture::Captured;

use crate::cli::{ConfigDir, fail, say, warn};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, Environment};
use crate::http::incoming_body;
use crate::service::registry::{RegisteredChannel, Registry};

/// What is verified, and out of which file.
#[derive(Debug, clap::Args)]
pub struct VerifyArguments {
    #[command(flatten)]
    config: ConfigDir,
    /// The channel that the request was sent to
    #[arg(long, value_name = "ID")]
    channel: String,
    /// The capture: a plain HTTP message, `curl -v` or `curl --trace`, HAR, or flows of mitmproxy. As good as a key: delete it afterwards
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
    /// The body, where the capture shows none: `curl -v` never does
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// Of several requests to the channel the one with this number, from 1; the last when left out
    #[arg(long, value_name = "N")]
    entry: Option<usize>,
}

/// The request that is meant, and a word about the choice.
fn chosen(arguments: &VerifyArguments) -> Result<Captured, String> {
    let (file, channel) = (arguments.request.display(), &arguments.channel);
    let every = Captured::parse(&contents(&arguments.request)?).map_err(|reason| format!("{file}: {reason}"))?;
    let is_only_one = every.len() == 1;
    // One that stands alone may have come by a path of somebody's own.
    let mut theirs: Vec<Captured> = every.into_iter().filter(|one| is_only_one || one.is_for(channel)).collect();
    let count = theirs.len();
    if count == 0 {
        return Err(format!("{file}: none of its requests was sent to /channels/{channel}/…"));
    }
    let number = arguments.entry.unwrap_or(count);
    if number == 0 || number > count {
        return Err(format!("{file} has {count} requests to {channel}: --entry takes 1 to {count}"));
    }
    if count > 1 {
        say(format_args!("{file}: request {number} of {count} to {channel} (--entry chooses)"));
    }
    let captured = theirs.swap_remove(number - 1);
    let captured = match &arguments.body {
        Some(body) => captured.with_body(contents(body)?),
        None => captured,
    };
    match captured.bytes_missing() {
        0 if captured.shows_no_body() => Err(format!(
            "{file}: it shows no body, which every call of a channel has; add --body FILE, or capture with `curl --trace FILE`"
        )),
        0 => Ok(captured),
        missing => Err(format!(
            "{file}: {missing} bytes of the body are missing; `curl -v` shows none: add --body FILE, or capture with `curl --trace FILE`"
        )),
    }
}

fn contents(file: &Path) -> Result<Vec<u8>, String> {
    match read_capped(file) {
        Ok(bytes) if bytes.len() as u64 > REQUEST_BYTES_MAX => {
            Err(format!("{} is no captured request: it is longer than {REQUEST_BYTES_MAX} bytes", file.display()))
        }
        Ok(bytes) => Ok(bytes),
        Err(error) => Err(format!("{} cannot be read: {error}", file.display())),
    }
}

pub(super) fn verify(arguments: &VerifyArguments) -> ExitCode {
    let captured = match chosen(arguments) {
        Ok(captured) => captured,
        Err(sentence) => return fail(sentence),
    };
    let (config, channel) = (&arguments.config, arguments.channel.as_str());
    let config = match Config::load(&config.directory, &Environment::Process) {
        Ok(config) => config,
        Err(report) => {
            warn(&report);
            return fail("the configuration cannot be used; every problem is listed above");
        }
    };
    let registry = match Registry::build(&config) {
        Ok(registry) => registry,
        Err(error) => return fail(error),
    };
    let Some(channel) = registry.channel(&ChannelId::new(channel)) else {
        let known: Vec<&str> = registry.channels().map(|channel| channel.id.as_str()).collect();
        return fail(format!("no channel `{channel}` is configured; known are {}", known.join(", ")));
    };
    let raw = captured.raw();
    let cx = Context::without_delivery(SystemClock::new().now(), [0; 16]);
    say(format_args!("{} {}{}", raw.method, captured.path(), if raw.query.is_empty() { "" } else { "?…" }));
    let steps = channel.channel.explain_verify(raw, &cx);
    let is_signed = steps.iter().any(|step| step.what == "signature" && step.ok == Some(true));
    let other = if is_signed { None } else { other_signer(&captured, channel.id.as_str(), &config, &registry) };
    // Where it is known who signed, nothing else is guessed.
    let is_guess = |step: &&VerifyStep| other.is_some() && step.found.starts_with("none of the known mistakes");
    for step in steps.iter().filter(|step| !is_guess(step)) {
        let mark = match step.ok {
            Some(true) => "ok  ",
            Some(false) => "FAIL",
            None => "    ",
        };
        say(format_args!("{mark} {}: {}", step.what, step.found));
    }
    match channel.channel.verify(raw, &cx) {
        Ok(verified) => {
            if let Some(sentence) = refusal(&captured, &channel) {
                return fail(format!(
                    "the signature is right, and the service refuses the request all the same: {sentence}"
                ));
            }
            say(format_args!("verified: application or key number {}", verified.key_index() + 1));
            match channel.channel.decode(&verified) {
                Ok(_) => say("the body can be read"),
                Err(error) => {
                    say(format_args!("the body cannot be read: {error}"));
                    for one in error.every() {
                        say(format_args!("     {} {}", one.pointer, one.detail));
                    }
                }
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            if let Some(of_whom) = other {
                say(format_args!("FAIL where it differs: it is signed with {of_whom}"));
            }
            fail(format!("not verified: {error}"))
        }
    }
}

/// Why the service would not take a request whose signature is right.
fn refusal(captured: &Captured, channel: &RegisteredChannel) -> Option<String> {
    let raw = captured.raw();
    if let Some(problem) = incoming_body::encoded(raw.headers) {
        return Some(format!("{} ({})", problem.detail, problem.status));
    }
    let most = channel.channel.spec().body_bytes_max;
    if raw.body.len() > most {
        return Some(format!("a body of this call has at most {most} bytes (413)"));
    }
    // What stands before `/channels/` a proxy may have put there; a path without it may be one of somebody's own.
    let (named, call) = captured.named()?;
    if named != channel.id.as_str() {
        return Some(format!(
            "it was sent to /channels/{named}/{call}, which is another channel's: ask with --channel {named}"
        ));
    }
    let is_known = channel.channel.spec().endpoints.iter().any(|endpoint| endpoint.name == call);
    let known: Vec<&str> = channel.channel.spec().endpoints.iter().map(|endpoint| endpoint.name).collect();
    (!is_known && !known.is_empty())
        .then(|| format!("there is no call `{call}` (404); the channel has {}", known.join(", ")))
}

/// With what else of the configuration a request is signed that is not signed with the channel's own secrets.
fn other_signer(captured: &Captured, id: &str, config: &Config, registry: &Registry) -> Option<String> {
    let raw = captured.raw();
    let channels = config.channels.iter().map(|it| ("channel", it.id.as_str(), &it.settings, it.secrets));
    let backends = config.backends.iter().map(|it| ("back-end", it.id.as_str(), &it.settings, it.secrets));
    for (kind, partner, settings, secrets) in channels.chain(backends) {
        for path in secrets {
            let mut is_it = false;
            let _same = settings.with_secrets(&[*path], &mut |text| {
                is_it |= is_made_with(text, raw.headers, raw.body);
                text.to_owned()
            });
            if is_it {
                let key = path.trim_end_matches(".*");
                return Some(format!(
                    "`{key}` of the {kind} `{partner}`; its calls to us are signed with another secret"
                ));
            }
        }
    }
    // Of other ways to sign: as another channel would have it, at the time at which it was sent.
    let now =
        registry.channel(&ChannelId::new(id)).and_then(|own| own.channel.sent_at(&Verified::attest(captured.raw(), 0)));
    let cx = Context::without_delivery(now.unwrap_or_else(|| SystemClock::new().now()), [0; 16]);
    let mut others = registry.channels().filter(|other| other.id.as_str() != id);
    let other = others.find(|other| other.channel.verify(captured.raw(), &cx).is_ok())?;
    Some(format!("what the channel `{}` is called with", other.id))
}

/// Bytes of a capture: some of the largest bodies that are taken, and what a proxy writes around them; `curl --trace` writes five for one.
const REQUEST_BYTES_MAX: u64 = 16 * BODY_BYTES_MAX as u64;

/// One byte more than is allowed at most: what never ends is not read to its end.
fn read_capped(file: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(file)?.take(REQUEST_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
