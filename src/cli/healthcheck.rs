// SPDX-License-Identifier: Apache-2.0

//! `ticketbridge healthcheck`: asks the service on this machine whether it is alive; for an image without a shell.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use ticketbridge_core::Millis;
use ticketbridge_core::port::Call;

use crate::cli::serve::load_on_host;
use crate::cli::{ConfigDir, fail, say};
use crate::transport::{AddressPolicy, CallLimits, HttpTransport, Transport as _};
use crate::trouble::chain;

/// Longest wait for the answer.
const WITHIN: Millis = Millis::seconds(2);

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// `/healthz`: does the process answer?
    Alive,
    /// `/readyz`: does the database answer as well?
    Ready,
}

pub(super) async fn healthcheck(directory: ConfigDir, question: Question) -> ExitCode {
    let config = match load_on_host(&directory) {
        Ok(config) => config,
        Err(code) => return code,
    };
    let path = match question {
        Question::Alive => "healthz",
        Question::Ready => "readyz",
    };
    match ask(&format!("http://{}/{path}", reached_at(config.server.listen)), WITHIN).await {
        Ok(()) => {
            say(format_args!("{path}: ok"));
            ExitCode::SUCCESS
        }
        Err(why) => fail(why),
    }
}

/// Asks whether a service is well. `Err` is what it says instead, or why it says nothing.
pub(super) async fn ask(url: &str, within: Millis) -> Result<(), String> {
    // Any address is meant: whoever asks has named it.
    let policy = AddressPolicy { allow_private: true, allowed_hosts: Vec::new() };
    let transport = HttpTransport::new(within, policy).map_err(|error| chain(&error))?;
    let (headers, body) = (HeaderMap::new(), Bytes::new());
    let call = Call { method: Method::GET, url: url.to_owned(), headers, body, timeout: None, key: None };
    match transport.send(&call, CallLimits { timeout: within, at_most: within }).await {
        Ok(answer) if answer.status == StatusCode::OK => Ok(()),
        Ok(answer) => {
            let said = String::from_utf8_lossy(&answer.body);
            Err(format!("{url} answers {}: {}", answer.status, said.trim()))
        }
        Err(error) => Err(format!("{url} does not answer: {}", chain(&error))),
    }
}

/// Where a service is reached on this machine that listens there.
pub(super) fn reached_at(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        other => other,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::reached_at;

    #[test]
    fn a_service_on_every_address_is_reached_on_this_machine() {
        for (listen, reached) in
            [("0.0.0.0:8080", "127.0.0.1:8080"), ("[::]:8080", "[::1]:8080"), ("10.1.2.3:8080", "10.1.2.3:8080")]
        {
            assert_eq!(reached_at(listen.parse().expect("an address")), reached.parse().expect("an address"));
        }
    }
}
