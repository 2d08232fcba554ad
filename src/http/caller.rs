//! Who calls: the address behind trusted proxies, whether it may, and how often it does.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;

use governor::{Quota, RateLimiter, clock::DefaultClock, state::keyed::DashMapStateStore};
use http::HeaderMap;
use ipnet::IpNet;

type Limiter = RateLimiter<(String, IpAddr), DashMapStateStore<(String, IpAddr)>, DefaultClock>;

/// Counts requests of each caller to each partner's address.
#[derive(Default)]
pub struct Callers {
    limiters: std::sync::Mutex<std::collections::HashMap<u32, std::sync::Arc<Limiter>>>,
}

/// Callers remembered before those who have not called for a while are forgotten.
const CALLERS_KEPT: usize = 10_000;

impl Callers {
    /// Whether this caller may make one more request to `partner` now, at `per_second`.
    pub fn admit(&self, partner: &str, caller: IpAddr, per_second: u32) -> bool {
        let Some(rate) = NonZeroU32::new(per_second) else { return true };
        let limiter = {
            let mut limiters = self.limiters.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            limiters
                .entry(per_second)
                .or_insert_with(|| std::sync::Arc::new(RateLimiter::dashmap(Quota::per_second(rate))))
                .clone()
        };
        if limiter.len() > CALLERS_KEPT {
            limiter.retain_recent();
        }
        limiter.check_key(&(partner.to_owned(), caller)).is_ok()
    }
}

/// Who calls, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The caller's address; `None` when a trusted proxy does not say it, or says it in two ways.
    pub address: Option<IpAddr>,
    /// What its requests are counted under.
    pub counted: IpAddr,
}

/// The caller's address: the peer's, or, when that is a trusted proxy, the last one in `Forwarded` or `X-Forwarded-For` that is not.
///
/// A proxy adds to one of the two headers, as a rule, and hands the other on as the caller wrote it: where they contradict each
/// other nobody is believed. What the proxy itself could not name ends the search: everything before it may be the caller's own.
pub fn of(peer: SocketAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Caller {
    let is_trusted = |ip: &IpAddr| trusted.iter().any(|net| net.contains(ip));
    let peer = peer.ip().to_canonical();
    if !is_trusted(&peer) {
        return Caller { address: Some(peer), counted: peer };
    }
    let last = |hops: Vec<Option<IpAddr>>| hops.into_iter().rev().find(|hop| hop.is_none_or(|hop| !is_trusted(&hop)));
    let (forwarded, x_forwarded) = (last(forwarded(headers)), last(x_forwarded(headers)));
    let address = match (forwarded, x_forwarded) {
        (None, None) => Some(peer),
        (Some(one), None) | (None, Some(one)) => one,
        (Some(one), Some(other)) => one.filter(|_| one == other),
    };
    Caller { address, counted: address.unwrap_or(peer) }
}

/// The hops of `Forwarded` (RFC 7239), in order; `None` for one that is no address.
fn forwarded(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let hop = |element: &str| {
        let named = element.split(';').find_map(|pair| {
            let (key, value) = pair.trim().split_once('=')?;
            key.trim().eq_ignore_ascii_case("for").then(|| value.trim().trim_matches('"'))
        });
        named.and_then(parse_hop)
    };
    hops(headers, "forwarded", hop)
}

fn x_forwarded(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    hops(headers, "x-forwarded-for", |hop| parse_hop(hop.trim()))
}

fn hops(headers: &HeaderMap, name: &str, read: impl Fn(&str) -> Option<IpAddr>) -> Vec<Option<IpAddr>> {
    let values = headers.get_all(name).into_iter();
    values.flat_map(|value| value.to_str().unwrap_or("").split(',').map(&read).collect::<Vec<_>>()).collect()
}

/// An address with or without a port, IPv6 in brackets or bare.
fn parse_hop(text: &str) -> Option<IpAddr> {
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

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let mut map = HeaderMap::new();
        map.insert(name, value.parse().expect("a header value"));
        map
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let trusted = vec!["10.0.0.0/8".parse().expect("a network")];
        let stranger: SocketAddr = "203.0.113.9:1000".parse().expect("an address");
        let proxy: SocketAddr = "10.0.0.1:1000".parse().expect("an address");
        let spoofed = headers("x-forwarded-for", "198.51.100.7");
        let address = |peer, headers: &HeaderMap| of(peer, headers, &trusted).address.map(|ip| ip.to_string());
        assert_eq!(address(stranger, &spoofed).as_deref(), Some("203.0.113.9"));
        assert_eq!(address(proxy, &spoofed).as_deref(), Some("198.51.100.7"));
        let chain = headers("x-forwarded-for", "1.2.3.4, 198.51.100.7, 10.0.0.2");
        assert_eq!(
            address(proxy, &chain).as_deref(),
            Some("198.51.100.7"),
            "what the caller wrote itself is not believed"
        );
        let forwarded = headers("forwarded", "for=1.2.3.4, for=\"[2001:db8::1]:4711\";proto=https");
        assert_eq!(address(proxy, &forwarded).as_deref(), Some("2001:db8::1"));
        assert_eq!(address(proxy, &HeaderMap::new()).as_deref(), Some("10.0.0.1"));
    }

    #[test]
    fn a_caller_that_the_proxy_does_not_name_is_nobody() {
        let trusted = vec!["10.0.0.0/8".parse().expect("a network")];
        let proxy: SocketAddr = "10.0.0.1:1000".parse().expect("an address");
        for hops in ["203.0.113.5, garbage", "203.0.113.5, unknown", "203.0.113.5,", "203.0.113.5, unknown, 10.0.0.2"] {
            let caller = of(proxy, &headers("x-forwarded-for", hops), &trusted);
            assert_eq!((caller.address, caller.counted.to_string().as_str()), (None, "10.0.0.1"), "{hops}");
        }
        let hidden = of(proxy, &headers("forwarded", "for=203.0.113.5, for=_hidden"), &trusted);
        assert_eq!(hidden.address, None);
    }

    #[test]
    fn two_headers_that_contradict_each_other_name_nobody() {
        let trusted = vec!["10.0.0.0/8".parse().expect("a network")];
        let proxy: SocketAddr = "10.0.0.1:1000".parse().expect("an address");
        let mut both = headers("x-forwarded-for", "198.51.100.1");
        both.insert("forwarded", "for=203.0.113.5".parse().expect("a header value"));
        let caller = of(proxy, &both, &trusted);
        assert_eq!((caller.address, caller.counted.to_string().as_str()), (None, "10.0.0.1"));
        both.insert("forwarded", "for=1.2.3.4, for=198.51.100.1".parse().expect("a header value"));
        assert_eq!(of(proxy, &both, &trusted).address.map(|ip| ip.to_string()).as_deref(), Some("198.51.100.1"));
    }

    #[test]
    fn a_caller_above_its_rate_is_not_admitted_and_others_are() {
        let callers = Callers::default();
        let one: IpAddr = "203.0.113.9".parse().expect("an address");
        let other: IpAddr = "203.0.113.10".parse().expect("an address");
        let admitted = (0..50).filter(|_| callers.admit("douyin-main", one, 5)).count();
        assert!((5..=7).contains(&admitted), "{admitted} of 50 at 5 a second");
        assert!(callers.admit("douyin-main", other, 5));
    }
}
