// SPDX-License-Identifier: Apache-2.0

//! The bridge, from a shell: where it is, with which token, and what it answers.

use http::{HeaderMap, HeaderValue, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};
use ticketbridge_core::Millis;
use ticketbridge_core::port::Call;

use super::arguments::Access;
use super::question::{Question, act};
use super::show::Shape;
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Environment, Finding, LISTEN_VARIABLE, Role, Severity};
use crate::console::catalogue::{Language, Words};
use crate::transport::{AddressPolicy, CallLimits, HttpTransport, Transport as _};

/// Time for connecting.
const CONNECT: Millis = Millis::seconds(5);
/// Time for a whole call; an import of many codes takes a while.
const WHOLE: Millis = Millis::minutes(2);
/// Codes that go into one call.
const CODES_PER_CALL: usize = 5_000;
/// How often it is said how far a long import is.
const SAY_EVERY: std::time::Duration = std::time::Duration::from_secs(2);
/// The bridge, from here.
pub(super) struct Client {
    transport: HttpTransport,
    base: String,
    token: SecretString,
    language: Language,
}

impl Client {
    /// Sends a file's codes in parts, saying on standard error how far it is where that takes long; the sums of the answers. A part that came
    /// to nothing is named: repeating the command goes on, since what is known is only counted.
    pub(super) async fn send_codes(&self, path: &str, codes: &[String]) -> Result<Value, String> {
        let clock = SystemClock::new();
        let mut sums = Map::new();
        let mut said = clock.monotonic();
        for (index, part) in codes.chunks(CODES_PER_CALL).enumerate() {
            let done = index * CODES_PER_CALL;
            if clock.monotonic().saturating_sub(said) >= SAY_EVERY {
                said = clock.monotonic();
                crate::cli::warn(format_args!("{done} of {} codes", codes.len()));
            }
            let question = act(path.to_owned(), vec![("codes", Some(json!(part)))], Shape::One);
            let answer = self.ask(&question).await.map_err(|error| match done {
                0 => error,
                done => {
                    format!("{error}; the first {done} of {} codes are done, repeat the command to go on", codes.len())
                }
            })?;
            for (name, many) in answer.as_object().into_iter().flatten() {
                let sum = sums.get(name).and_then(Value::as_u64).unwrap_or(0) + many.as_u64().unwrap_or(0);
                sums.insert(name.clone(), json!(sum));
            }
        }
        if codes.is_empty() { Err("the file has no code in it".to_owned()) } else { Ok(Value::Object(sums)) }
    }

    /// With the address and the token that were given, or else the configuration's.
    pub(super) fn new(access: &Access) -> Result<Self, String> {
        let (url, token) = match (&access.url, &access.token) {
            (Some(url), Some(token)) => (url.clone(), token.clone()),
            (url, token) => {
                let (from_url, from_token) = configured(access);
                let url = url.clone().map_or(from_url, Ok)?;
                (url, token.clone().map_or(from_token, Ok)?)
            }
        };
        // The person who runs the command names the host: any address is meant.
        let policy = AddressPolicy { allow_private: true, allowed_hosts: Vec::new() };
        let transport = HttpTransport::new(CONNECT, policy).map_err(|error| error.to_string())?;
        Ok(Self {
            transport,
            base: format!("{}{}", url.trim_end_matches('/'), crate::http::ops::PREFIX),
            token,
            language: access.language(),
        })
    }

    /// Asks, and gives the answer of a success.
    pub(super) async fn ask(&self, question: &Question) -> Result<Value, String> {
        let mut headers = HeaderMap::new();
        let mut token = HeaderValue::from_str(&format!("Bearer {}", self.token.expose_secret()))
            .map_err(|_| "the token has characters that no header can carry".to_owned())?;
        token.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, token);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(question.content_type));
        headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static(self.language.word()));
        let call = Call {
            method: question.method.clone(),
            url: format!("{}/{}", self.base, question.path),
            headers,
            body: question.body.clone(),
            timeout: None,
            key: None,
        };
        let limits = CallLimits { timeout: WHOLE, at_most: WHOLE };
        let response = self.transport.send(&call, limits).await.map_err(|error| {
            format!("the bridge at {} was not reached ({error}); is it running, and is --url right?", self.base)
        })?;
        let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        if response.status.is_success() {
            return Ok(body);
        }
        Err(refusal(response.status.as_u16(), self.language, &body))
    }
}

/// A refusal in one sentence, in another language than English before it what its code means; each further fault of what was given, and each
/// problem of a configuration as `check` prints it, on a line.
fn refusal(status: u16, language: Language, body: &Value) -> String {
    let all = |key: &str| body[key].as_array().cloned().unwrap_or_default();
    // The sentence is that of the first.
    let further = all("errors").into_iter().skip(1).filter_map(|error| error["detail"].as_str().map(str::to_owned));
    let problems = all("problems");
    let lines = std::iter::once(sentence_of(status, language, body)).chain(further).chain(problems.iter().map(problem));
    lines.collect::<Vec<_>>().join("\n")
}

fn problem(found: &Value) -> String {
    let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
    let line = found["line"].as_u64().and_then(|line| usize::try_from(line).ok()).unwrap_or_default();
    let (file, problem, mend) = (text("file"), text("problem"), text("mend"));
    Finding { file, line, problem, mend, severity: Severity::Problem }.to_string()
}

fn sentence_of(status: u16, language: Language, body: &Value) -> String {
    match (body["detail"].as_str(), body["code"].as_str()) {
        (Some(detail), Some(code)) => match Words::of(language).problem(code) {
            Some(meaning) if language != Language::En => format!("{meaning} {detail} ({code})"),
            Some(_) | None => format!("{detail} ({code})"),
        },
        _ => format!("the answer was HTTP {status}, not from a bridge's ops interface; is --url right?"),
    }
}

/// Address and token of the configuration: where the service itself listens, and the token of the widest role. Nothing else of it is read: whoever
/// works with the service need not hold its partners' secrets.
fn configured(access: &Access) -> (Result<String, String>, Result<SecretString, String>) {
    let directory = access.directory.display();
    let file = access.directory.join("ticketbridge.toml");
    let table = match std::fs::read_to_string(&file) {
        Ok(text) => text.parse::<toml::Table>().map_err(|error| format!("{}: {}", file.display(), error.message())),
        Err(error) => Err(format!("{} cannot be read ({})", file.display(), error.kind())),
    };
    let table = match table {
        Ok(table) => table,
        Err(why) => {
            return (
                Err(format!("{why}: name the address of the running service with --url")),
                Err(format!("{why}: name a token of the running service with --token or TICKETBRIDGE_OPS_TOKEN")),
            );
        }
    };
    let environment = Environment::Process;
    let text = |part: &str, key: &str| table.get(part)?.get(key)?.as_str().map(str::to_owned);
    let listen = environment.get(LISTEN_VARIABLE).or_else(|| text("server", "listen"));
    let url =
        match listen.unwrap_or_else(|| "127.0.0.1:8080".to_owned()).replacen("localhost:", "127.0.0.1:", 1).parse() {
            Ok(listen) => Ok(reached_at(listen, text("server", "public_url"))),
            Err(_) => Err(format!("{directory} does not say where the service listens: name it with --url")),
        };
    let tokens = table.get("ops").and_then(|ops| ops.get("tokens")).and_then(toml::Value::as_array);
    let mut able: Vec<(Role, SecretString)> = Vec::new();
    let mut unset = Vec::new();
    for entry in tokens.into_iter().flatten() {
        let role = entry.get("role").and_then(toml::Value::as_str);
        let role = Role::WORDS.iter().find(|(word, _)| Some(*word) == role).map(|(_, role)| *role);
        match (role, entry.get("token").map(|token| held(token, &access.directory, &environment))) {
            (Some(role), Some(Ok(token))) => able.push((role, token)),
            (Some(_), Some(Err(why))) => unset.push(why),
            (None, _) | (_, None) => {}
        }
    }
    let token = able.into_iter().filter(|(role, _)| *role != Role::Settlement).min_by_key(|(role, _)| *role);
    let token = token.map(|(_, token)| token).ok_or_else(|| {
        let why = if unset.is_empty() { "it names no token of an admin or operator".to_owned() } else { unset.join(", ") };
        format!(
            "no token of the running service is known here ({directory}: {why}): give the one that `serve` was started with, by --token or \
             TICKETBRIDGE_OPS_TOKEN; a new one would open nothing"
        )
    });
    (url, token)
}

/// From this machine.
fn reached_at(listen: std::net::SocketAddr, public_url: Option<String>) -> String {
    match (listen.port(), listen.ip().is_unspecified(), public_url) {
        (0, _, Some(public_url)) => public_url,
        (port, true, _) => format!("http://127.0.0.1:{port}"),
        (_, false, _) => format!("http://{listen}"),
    }
}

/// A token as the configuration holds it.
fn held(token: &toml::Value, directory: &std::path::Path, environment: &Environment) -> Result<SecretString, String> {
    let named = |key: &str| token.get(key).and_then(toml::Value::as_str);
    match (token.as_str(), named("env"), named("file")) {
        (Some(literal), _, _) => Ok(literal.into()),
        (None, Some(variable), _) => match environment.get(variable) {
            Some(value) => Ok(value.trim().to_owned().into()),
            None => Err(format!("the variable {variable} is not set")),
        },
        (None, None, Some(path)) => match std::fs::read_to_string(directory.join(path)) {
            Ok(text) => Ok(text.trim().to_owned().into()),
            Err(error) => Err(format!("the file {path} cannot be read ({})", error.kind())),
        },
        (None, None, None) => Err("a token names neither `env` nor `file`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_each_problem_of_a_configuration_as_check_does() {
        let found = json!({ "file": "config/channels/trip.toml", "line": 4, "problem": "unknown key `bogus`", "mend": "known: id" });
        let whole = json!({ "file": "channels", "line": 0, "problem": "no channel", "mend": "add one" });
        let body = json!({ "code": "config_refused", "detail": "it stays in force", "problems": [found, whole] });
        assert_eq!(
            refusal(422, Language::En, &body),
            "it stays in force (config_refused)\nconfig/channels/trip.toml:4: unknown key `bogus`; known: id\nchannels: no channel; add one"
        );
        let wrong = |name: &str| json!({ "pointer": format!("/{name}"), "detail": format!("`{name}` is wrong") });
        let both = json!({ "code": "invalid", "detail": "`a` is wrong", "errors": [wrong("a"), wrong("b")] });
        assert_eq!(refusal(422, Language::En, &both), "`a` is wrong (invalid)\n`b` is wrong");
        let other = json!({ "code": "not_found", "detail": "no such order" });
        assert_eq!(refusal(404, Language::En, &other), "no such order (not_found)");
    }
}
