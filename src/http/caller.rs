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

/// The caller's address: the peer's, or, when that is a trusted proxy, the last one in `Forwarded` or `X-Forwarded-For` that is not.
pub fn address(peer: SocketAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |ip: &IpAddr| trusted.iter().any(|net| net.contains(ip));
    let peer = peer.ip().to_canonical();
    if !is_trusted(&peer) {
        return peer;
    }
    let mut hops: Vec<IpAddr> = Vec::new();
    for value in headers.get_all("forwarded") {
        for element in value.to_str().unwrap_or("").split(',') {
            let named = element.split(';').find_map(|pair| {
                let (key, value) = pair.trim().split_once('=')?;
                key.trim().eq_ignore_ascii_case("for").then(|| value.trim().trim_matches('"').to_owned())
            });
            hops.extend(named.as_deref().and_then(parse_hop));
        }
    }
    if hops.is_empty() {
        for value in headers.get_all("x-forwarded-for") {
            hops.extend(value.to_str().unwrap_or("").split(',').filter_map(|hop| parse_hop(hop.trim())));
        }
    }
    hops.into_iter().rev().find(|hop| !is_trusted(hop)).unwrap_or(peer)
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
        assert_eq!(address(stranger, &spoofed, &trusted).to_string(), "203.0.113.9");
        assert_eq!(address(proxy, &spoofed, &trusted).to_string(), "198.51.100.7");
        let chain = headers("x-forwarded-for", "1.2.3.4, 198.51.100.7, 10.0.0.2");
        assert_eq!(
            address(proxy, &chain, &trusted).to_string(),
            "198.51.100.7",
            "what the caller wrote itself is not believed"
        );
        let forwarded = headers("forwarded", "for=1.2.3.4, for=\"[2001:db8::1]:4711\";proto=https");
        assert_eq!(address(proxy, &forwarded, &trusted).to_string(), "2001:db8::1");
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
