//! `ticketbridge verify`: a captured request, checked step by step.

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use ticketbridge_core::ChannelId;
use ticketbridge_core::limits::BODY_BYTES_MAX;
use ticketbridge_core::port::{Context, RawRequest};

use crate::cli::{ConfigDir, fail, say, warn};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, Environment};
use crate::service::registry::Registry;

pub(super) fn verify(config: &ConfigDir, channel: &str, file: &Path) -> ExitCode {
    let bytes = match read_capped(file) {
        Ok(bytes) if bytes.len() as u64 > REQUEST_BYTES_MAX => {
            return fail(format!(
                "{} is no captured request: it is longer than {REQUEST_BYTES_MAX} bytes",
                file.display()
            ));
        }
        Ok(bytes) => bytes,
        Err(error) => return fail(format!("{} cannot be read: {error}", file.display())),
    };
    let captured = match Captured::parse(&bytes) {
        Ok(captured) => captured,
        Err(reason) => return fail(format!("{}: {reason}", file.display())),
    };
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
    let cx = Context { now: SystemClock::new().now(), nonce: [0; 16], delivery_id: "", access_token: None, attempt: 1 };
    say(format_args!("{} {}{}", raw.method, captured.path, if captured.query.is_empty() { "" } else { "?…" }));
    for step in channel.channel.explain_verify(raw, &cx) {
        let mark = match step.ok {
            Some(true) => "ok  ",
            Some(false) => "FAIL",
            None => "    ",
        };
        say(format_args!("{mark} {}: {}", step.what, step.found));
    }
    match channel.channel.verify(raw, &cx) {
        Ok(verified) => {
            say(format_args!("verified: application or key number {}", verified.key_index() + 1));
            match channel.channel.decode(&verified) {
                Ok(_) => say("the body can be read"),
                Err(error) => say(format_args!("the body cannot be read: {error}")),
            }
            ExitCode::SUCCESS
        }
        Err(error) => fail(format!("not verified: {error}")),
    }
}

/// Bytes of a captured request: the largest body that is taken, its headers, and what a proxy writes around them.
const REQUEST_BYTES_MAX: u64 = 2 * BODY_BYTES_MAX as u64;

/// One byte more than is allowed at most: what never ends is not read to its end.
fn read_capped(file: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(file)?.take(REQUEST_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A plain HTTP/1.1 message: request line, headers, an empty line, the body.
pub struct Captured<'a> {
    method: Method,
    path: &'a str,
    query: &'a str,
    headers: HeaderMap,
    body: &'a [u8],
}

impl<'a> Captured<'a> {
    /// Reads it, as it was or as `curl -v` shows it.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, String> {
        let (head, body) = split_head(bytes).ok_or("there is no empty line between headers and body")?;
        let head = std::str::from_utf8(head).map_err(|_| "the headers are not UTF-8")?;
        // `curl -v` marks what it sent with `> `.
        let mut lines = head.lines().map(|line| line.strip_prefix("> ").unwrap_or(line).trim_end_matches('\r'));
        let request = lines.next().ok_or("there is no request line")?;
        let mut words = request.split_whitespace();
        let method = words.next().and_then(|word| word.parse().ok()).ok_or("the first line is no request line")?;
        let target = words.next().ok_or("the request line has no path")?;
        let target = target.split_once("://").map_or(target, |(_, rest)| rest.find('/').map_or("/", |at| &rest[at..]));
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers = HeaderMap::new();
        for line in lines.filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').ok_or_else(|| format!("`{line}` is no header"))?;
            let name =
                HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| format!("`{name}` is no header name"))?;
            let value =
                HeaderValue::from_str(value.trim()).map_err(|_| format!("the value of `{name}` is not allowed"))?;
            headers.append(name, value);
        }
        let announced = headers.get("content-length").and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        // An editor adds a line end that was never sent.
        let body = match announced {
            Some(length) if length < body.len() => &body[..length],
            Some(_) => body,
            None => body.strip_suffix(b"\n").unwrap_or(body),
        };
        Ok(Self { method, path, query, headers, body })
    }

    /// The request, as an adapter checks it.
    pub fn raw(&self) -> RawRequest<'_> {
        let endpoint = self.path.rsplit('/').find(|part| !part.is_empty()).unwrap_or("");
        RawRequest { endpoint, method: &self.method, query: self.query, headers: &self.headers, body: self.body }
    }
}

fn split_head(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let find =
        |mark: &[u8]| bytes.windows(mark.len()).position(|window| window == mark).map(|at| (at, at + mark.len()));
    let ends = [find(b"\r\n\r\n"), find(b"\n\n"), find(b"\n>\n"), find(b"\n> \n")];
    let (end, start) = ends.into_iter().flatten().min()?;
    Some((&bytes[..end], &bytes[start..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_as_a_proxy_or_curl_shows_it() {
        let plain = b"POST /channels/d/can-buy?a=1 HTTP/1.1\r\nHost: x\r\nx-life-sign: ab\r\n\r\n{\"k\":1}";
        let curl = b"> POST /channels/d/can-buy?a=1 HTTP/1.1\n> Host: x\n> x-life-sign: ab\n>\n{\"k\":1}\n";
        for message in [&plain[..], &curl[..]] {
            let captured = Captured::parse(message).expect("it can be read");
            let raw = captured.raw();
            assert_eq!((raw.endpoint, raw.query, raw.body), ("can-buy", "a=1", &b"{\"k\":1}"[..]));
            assert_eq!(raw.headers["x-life-sign"], "ab");
        }
        assert!(Captured::parse(b"POST / HTTP/1.1\nHost: x\n").is_err(), "without an empty line nothing is the body");
    }
}
