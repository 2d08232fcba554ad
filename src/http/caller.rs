// SPDX-License-Identifier: Apache-2.0

//! Who calls: the address behind trusted proxies, or that nobody can tell.
//!
//! What a trusted proxy has appended last is the truth; what stands to the left of it was written by whoever called that proxy, and
//! may be forged. So the walk goes from the right, over trusted proxies only, and ends at the first entry that is none.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::HeaderMap;
use ipnet::IpNet;

/// Leading bits of an IPv6 address that one customer of a network holds: he can take a new address for every call.
const IPV6_SITE_BITS: u8 = 64;

/// The caller, as far as it can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Caller {
    /// It has this address.
    Known(IpAddr),
    /// A trusted proxy passed the request on and does not say, in a way that can be read, for whom.
    Unknown,
}

impl Caller {
    /// What is counted as one caller: an IPv4 address, the network of an IPv6 address, or all callers that are unknown.
    pub(crate) fn counted_as(self) -> Caller {
        let Caller::Known(IpAddr::V6(v6)) = self else { return self };
        let network = u128::from(v6) & (u128::MAX << (128 - u32::from(IPV6_SITE_BITS)));
        Caller::Known(IpAddr::V6(Ipv6Addr::from(network)))
    }
}

/// The caller behind `peer`: the peer itself, or, when that is a trusted proxy, the last address in `Forwarded` or `X-Forwarded-For` that
/// is not one. With both headers both must tell the same: a proxy sets one of them and passes the other on as the caller wrote it.
pub fn identify(peer: SocketAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Caller {
    let peer = peer.ip().to_canonical();
    if !is_trusted(peer, trusted) {
        return Caller::Known(peer);
    }
    let told = ["forwarded", "x-forwarded-for"].map(|name| {
        let mut lines = headers.get_all(name).iter().map(|line| line.as_bytes()).rev().peekable();
        lines.peek()?;
        Some(match name {
            "forwarded" => walk(lines.flat_map(forwarded_hops), trusted),
            _ => walk(lines.flat_map(listed_hops), trusted),
        })
    });
    match told {
        [None, None] => Caller::Known(peer),
        [Some(caller), None] | [None, Some(caller)] => caller,
        [Some(one), Some(other)] if one == other => one,
        [Some(_), Some(_)] => Caller::Unknown,
    }
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&address))
}

/// The first hop that is no trusted proxy; the last one where all are, since that proxy called by itself.
fn walk(hops: impl Iterator<Item = Option<IpAddr>>, trusted: &[IpNet]) -> Caller {
    let mut caller = Caller::Unknown;
    for hop in hops {
        let Some(address) = hop else { return Caller::Unknown };
        caller = Caller::Known(address);
        if !is_trusted(address, trusted) {
            break;
        }
    }
    caller
}

/// The entries of one line of `X-Forwarded-For`, the last first; `None` for one that is no address.
fn listed_hops(line: &[u8]) -> Vec<Option<IpAddr>> {
    let entries = line.split(|byte| *byte == b',').rev();
    entries.map(|entry| std::str::from_utf8(entry).ok().and_then(|text| node(text.trim()))).collect()
}

/// The entries of one line of `Forwarded` (RFC 7239), the last first. A line that breaks the grammar tells nothing: a quotation mark
/// of the caller's could otherwise swallow what the proxy wrote behind it.
fn forwarded_hops(line: &[u8]) -> Vec<Option<IpAddr>> {
    let parsed = std::str::from_utf8(line).ok().and_then(forwarded_elements);
    parsed.map_or_else(|| vec![None], |hops| hops.into_iter().rev().collect())
}

/// The `for` of each element of a line; `None` when the line breaks the grammar.
fn forwarded_elements(line: &str) -> Option<Vec<Option<IpAddr>>> {
    let mut hops = Vec::new();
    let mut element: Option<IpAddr> = None;
    let mut names: Vec<String> = Vec::new();
    let mut rest = line.trim();
    loop {
        let (name, value_on) = rest.split_once('=')?;
        let name = name.trim().to_ascii_lowercase();
        if name.is_empty() || !name.bytes().all(is_token) || names.contains(&name) {
            return None;
        }
        let (value, after) = value_of(value_on.trim_start())?;
        if name == "for" {
            element = node(&value);
        }
        names.push(name);
        let after = after.trim_start();
        match after.as_bytes().first() {
            None => {
                hops.push(element);
                return Some(hops);
            }
            Some(b',') => {
                hops.push(element.take());
                names.clear();
            }
            Some(b';') => {}
            Some(_) => return None,
        }
        rest = after.get(1..)?.trim_start();
    }
}

/// A token or a quoted text at the beginning, and what follows it.
fn value_of(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        // Wider than the grammar by what proxies write without quotation marks: ports, and IPv6 in brackets.
        let end = text.bytes().position(|byte| !is_token(byte) && !b":[]".contains(&byte)).unwrap_or(text.len());
        let (value, after) = text.split_at_checked(end)?;
        return (!value.is_empty()).then(|| (value.to_owned(), after));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, quoted.get(at + 1..)?)),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// An address with or without a port, IPv6 in brackets or bare.
fn node(text: &str) -> Option<IpAddr> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some(ip.to_canonical());
    }
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return Some(socket.ip().to_canonical());
    }
    text.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The caller of a request with these header lines, as text; `?` when unknown.
    fn caller(peer: &str, lines: &[(&'static str, &str)]) -> String {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        match identify(peer.parse().unwrap(), &headers, &trusted) {
            Caller::Known(address) => address.to_string(),
            Caller::Unknown => "?".to_owned(),
        }
    }

    const STRANGER: &str = "203.0.113.9:1000";
    const PROXY: &str = "10.0.0.1:1000";

    #[test]
    fn only_trusted_proxies_are_believed() {
        for (peer, value, expected) in [
            (STRANGER, "198.51.100.7", "203.0.113.9"),
            (STRANGER, "garbage", "203.0.113.9"),
            (PROXY, "198.51.100.7", "198.51.100.7"),
            ("[::ffff:10.0.0.1]:9", "198.51.100.7", "198.51.100.7"),
            (PROXY, "1.2.3.4, 198.51.100.7", "198.51.100.7"),
            (PROXY, "1.2.3.4, 198.51.100.7, 10.0.0.2", "198.51.100.7"),
            (PROXY, "garbage, 198.51.100.7:4711 , fd00::2", "198.51.100.7"),
            (PROXY, "[2001:db8::1]:4711", "2001:db8::1"),
            (PROXY, "::ffff:198.51.100.7", "198.51.100.7"),
            (PROXY, "10.0.0.7, 10.0.0.2", "10.0.0.7"),
        ] {
            assert_eq!(caller(peer, &[("x-forwarded-for", value)]), expected, "{value}");
        }
        assert_eq!(caller(PROXY, &[]), "10.0.0.1");
    }

    #[test]
    fn what_the_proxy_wrote_last_and_nobody_can_read_makes_the_caller_unknown() {
        for value in [
            "203.0.113.5, garbage",
            "203.0.113.5, unknown",
            "203.0.113.5, ",
            "203.0.113.5, 10.0.0.3, _hidden, 10.0.0.2",
            "203.0.113.5, 999.1.1.1",
            "",
        ] {
            assert_eq!(caller(PROXY, &[("x-forwarded-for", value)]), "?", "{value}");
        }
        for value in [
            "for=203.0.113.5, for=unknown",
            "for=203.0.113.5, for=_hidden",
            "for=203.0.113.5, proto=https",
            "for=203.0.113.5,",
            "for=203.0.113.5;for=203.0.113.5",
            "203.0.113.5",
            "",
        ] {
            assert_eq!(caller(PROXY, &[("forwarded", value)]), "?", "{value}");
        }
    }

    #[test]
    fn the_standard_header_is_read_by_its_grammar() {
        for (value, expected) in [
            ("for=1.2.3.4, for=\"[2001:db8::1]:4711\";proto=https", "2001:db8::1"),
            ("For=\"198.51.100.7:80\" ; by=10.0.0.1", "198.51.100.7"),
            ("for=198.51.100.7:80;host=bridge.example", "198.51.100.7"),
            ("for=198.51.100.7, for=10.0.0.2", "198.51.100.7"),
            // A comma inside quotation marks begins no entry, and a caller's quotation mark swallows none.
            ("for=198.51.100.7;host=\"x,for=203.0.113.5\"", "198.51.100.7"),
            ("for=198.51.100.7;host=\"x\\\",for=203.0.113.5\"", "198.51.100.7"),
            ("for=203.0.113.5;x=\", for=198.51.100.7", "?"),
            ("for=203.0.113.5;x=\", for=\"198.51.100.7\"", "?"),
            ("for=203.0.113.5;x=\", for=\"198.51.100.7\";y=\"", "?"),
        ] {
            assert_eq!(caller(PROXY, &[("forwarded", value)]), expected, "{value}");
        }
    }

    #[test]
    fn several_lines_are_one_list() {
        let lines = [("x-forwarded-for", "203.0.113.5"), ("x-forwarded-for", "198.51.100.7, 10.0.0.2")];
        assert_eq!(caller(PROXY, &lines), "198.51.100.7");
        let lines = [("x-forwarded-for", "198.51.100.7"), ("x-forwarded-for", "10.0.0.2")];
        assert_eq!(caller(PROXY, &lines), "198.51.100.7");
    }

    #[test]
    fn two_headers_that_differ_are_not_chosen_between() {
        for (forwarded, listed, expected) in [
            ("for=203.0.113.5", "198.51.100.1", "?"),
            ("for=198.51.100.1", "203.0.113.5, 198.51.100.1", "198.51.100.1"),
            ("for=garbage", "198.51.100.1", "?"),
            ("for=198.51.100.1", "unknown", "?"),
            ("for=10.0.0.2", "198.51.100.1", "?"),
        ] {
            let lines = [("forwarded", forwarded), ("x-forwarded-for", listed)];
            assert_eq!(caller(PROXY, &lines), expected, "{forwarded} {listed}");
        }
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_caller() {
        let counted = |text: &str| Caller::Known(text.parse().unwrap()).counted_as();
        assert_eq!(counted("2001:db8:1:2::1"), counted("2001:db8:1:2:ffff::9"));
        assert_ne!(counted("2001:db8:1:2::1"), counted("2001:db8:1:3::1"));
        assert_ne!(counted("198.51.100.1"), counted("198.51.100.2"));
        assert_eq!(Caller::Unknown.counted_as(), Caller::Unknown);
    }
}
