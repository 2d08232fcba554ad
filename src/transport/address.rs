// SPDX-License-Identifier: Apache-2.0

//! Which addresses may be called: a partner's public name must not lead into our own network (server-side request forgery).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use ipnet::{IpNet, Ipv6Net};
use reqwest::Url;

/// The rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    /// Every private address may be called: for a bridge whose partners are all inside its own network.
    pub allow_private: bool,
    /// Hosts, as URLs write them in lower case, that may have a private address.
    pub allowed_hosts: Vec<String>,
}

impl AddressPolicy {
    /// The rule for partners configured under `base_urls`. A host that is private in itself (a private address, `localhost`, a name that
    /// cannot be public) is what ops meant, and is allowed; a public name stays bound to public addresses.
    pub fn for_base_urls<'a>(allow_private: bool, base_urls: impl IntoIterator<Item = &'a str>) -> Self {
        let hosts = base_urls.into_iter().filter_map(|url| Url::parse(url).ok());
        let private =
            hosts.filter_map(|url| url.host_str().filter(|host| is_private_in_itself(host)).map(str::to_owned));
        Self { allow_private, allowed_hosts: private.collect() }
    }

    /// Why `address`, found for `host`, must not be called; `None` when it may be.
    pub fn refusal(&self, host: &str, address: IpAddr) -> Option<String> {
        match classify(address) {
            Class::Public => None,
            Class::Never(what) => Some(format!("the host is {what}, which is never called")),
            Class::Private(_) if self.allow_private || self.names(host) => None,
            Class::Private(what) => Some(format!(
                "the host is {what}, which is called only when a partner's configured address is that very host"
            )),
        }
    }

    fn names(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.');
        self.allowed_hosts.iter().any(|allowed| allowed.trim_end_matches('.').eq_ignore_ascii_case(host))
    }
}

/// What a configured address leads to, as far as its text tells: a name is looked up only when it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// The open net, or a name.
    Open,
    /// This machine.
    OwnMachine,
    /// A network of one's own; it is called because it is configured.
    Private(&'static str),
    /// It is never called, whatever is configured.
    Never(&'static str),
}

/// What the host of a URL is.
pub fn nature_of(url: &str) -> Nature {
    let parsed = Url::parse(url).ok();
    let Some(address) = parsed.as_ref().and_then(Url::host_str).and_then(literal) else { return Nature::Open };
    match classify(address) {
        Class::Public => Nature::Open,
        Class::Private(_) if address.to_canonical().is_loopback() => Nature::OwnMachine,
        Class::Private(what) => Nature::Private(what),
        Class::Never(what) => Nature::Never(what),
    }
}

/// The address that a URL's host is, when it is not a name.
pub(super) fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

fn is_private_in_itself(host: &str) -> bool {
    const PRIVATE_DOMAINS: [&str; 4] = [".localhost", ".local", ".internal", ".home.arpa"];
    match literal(host) {
        Some(address) => classify(address) != Class::Public,
        None => !host.contains('.') || PRIVATE_DOMAINS.iter().any(|domain| host.ends_with(domain)),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Public,
    /// May be meant.
    Private(&'static str),
    /// No partner ever lives there.
    Never(&'static str),
}

/// Clouds answer with credentials there.
const METADATA: &str = "a cloud's metadata address";

/// Ranges that are not public; the first that holds an address names it. IANA's special-purpose registries for IPv4 and IPv6, and
/// the metadata services of clouds.
static RANGES: LazyLock<Vec<(IpNet, Class)>> = LazyLock::new(|| {
    use Class::{Never, Private};
    const UNUSABLE: Class = Never("an address that nobody has");
    let table = [
        ("100.100.100.200/32", Never(METADATA)),
        ("fd00:ec2::254/128", Never(METADATA)),
        ("169.254.0.0/16", Never("a link-local address, where clouds keep their metadata")),
        ("fe80::/10", Never("a link-local address")),
        ("127.0.0.0/8", Private("a loopback address")),
        ("::1/128", Private("a loopback address")),
        ("10.0.0.0/8", Private("a private address")),
        ("172.16.0.0/12", Private("a private address")),
        ("192.168.0.0/16", Private("a private address")),
        ("100.64.0.0/10", Private("a carrier's private address")),
        ("198.18.0.0/15", Private("an address for measurements")),
        ("fc00::/7", Private("a unique local address")),
        ("fec0::/10", Private("a site-local address")),
        ("0.0.0.0/8", UNUSABLE),
        ("192.0.0.0/24", UNUSABLE),
        ("192.0.2.0/24", UNUSABLE),
        ("198.51.100.0/24", UNUSABLE),
        ("203.0.113.0/24", UNUSABLE),
        ("224.0.0.0/3", UNUSABLE),
        ("::/128", UNUSABLE),
        ("100::/64", UNUSABLE),
        ("2001::/23", UNUSABLE),
        ("2001:db8::/32", UNUSABLE),
        ("3fff::/20", UNUSABLE),
        ("ff00::/8", UNUSABLE),
    ];
    table.into_iter().map(|(range, class)| (range.parse().expect("the table holds ranges"), class)).collect()
});

fn classify(address: IpAddr) -> Class {
    let address = match address {
        IpAddr::V6(v6) => embedded(v6).map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    };
    RANGES.iter().find(|(range, _)| range.contains(&address)).map_or(Class::Public, |(_, class)| *class)
}

/// The IPv4 address that an IPv6 address leads to: mapped, compatible, by NAT64 or by 6to4.
fn embedded(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    const NAT64: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);
    let octets = v6.octets();
    let at = |start: usize| Ipv4Addr::from([octets[start], octets[start + 1], octets[start + 2], octets[start + 3]]);
    if let Some(v4) = v6.to_ipv4_mapped() {
        return Some(v4);
    }
    if NAT64.contains(&v6) {
        return Some(at(12));
    }
    if v6.segments()[0] == 0x2002 {
        return Some(at(2));
    }
    let compatible = octets[..12] == [0; 12] && !v6.is_loopback() && !v6.is_unspecified();
    compatible.then(|| at(12))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(policy: &AddressPolicy, host: &str, address: &str) -> bool {
        policy.refusal(host, address.parse().unwrap()).is_some()
    }

    #[test]
    fn a_public_name_leads_to_public_addresses_only() {
        let policy = AddressPolicy::for_base_urls(false, ["https://tickets.example/bridge"]);
        assert_eq!(policy.allowed_hosts, Vec::<String>::new());
        for address in
            ["1.1.1.1", "100.63.255.255", "172.32.0.1", "2606:4700::1111", "64:ff9b::101:101", "2002:101:101::"]
        {
            assert!(!refused(&policy, "tickets.example", address), "{address}");
        }
        for address in [
            "127.0.0.1",
            "127.255.255.255",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "198.19.0.1",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fdff::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::7f00:1",
            "64:ff9b::7f00:1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::",
            "100.100.100.200",
            "fd00:ec2::254",
        ] {
            assert!(refused(&policy, "tickets.example", address), "{address}");
        }
    }

    #[test]
    fn what_ops_named_is_what_ops_meant() {
        let urls =
            ["http://127.0.0.1:9/x", "http://[::1]:9", "https://gate:8443", "http://LOCALHOST", "https://a.internal/"];
        let policy = AddressPolicy::for_base_urls(false, urls);
        for (host, address) in [
            ("127.0.0.1", "127.0.0.1"),
            ("[::1]", "::1"),
            ("gate", "10.1.2.3"),
            ("localhost", "127.0.0.1"),
            ("localhost.", "::1"),
            ("a.internal", "fd12::1"),
        ] {
            assert!(!refused(&policy, host, address), "{host}");
        }
        for (host, address) in [("127.0.0.2", "127.0.0.2"), ("other", "10.1.2.3"), ("b.internal", "fd12::1")] {
            assert!(refused(&policy, host, address), "{host}");
        }
    }

    #[test]
    fn a_refusal_says_what_is_true() {
        let policy = AddressPolicy::for_base_urls(false, ["https://169.254.169.254/", "https://10.0.0.1/"]);
        let said = |host: &str| policy.refusal(host, host.parse().unwrap()).unwrap_or_default();
        assert!(said("169.254.169.254").ends_with("which is never called"), "although it is configured");
        assert!(said("10.0.0.2").ends_with("only when a partner's configured address is that very host"));
        assert_eq!(said("10.0.0.1"), "");
    }

    #[test]
    fn a_configured_address_is_told_apart_by_its_text() {
        for (url, nature) in [
            ("https://open.example/x", Nature::Open),
            ("https://1.1.1.1", Nature::Open),
            ("http://127.0.0.1:9101", Nature::OwnMachine),
            ("http://[::1]:9101", Nature::OwnMachine),
            ("https://10.0.0.1/bridge", Nature::Private("a private address")),
            ("https://[fd12::1]", Nature::Private("a unique local address")),
            ("https://0xa9fea9fe/", Nature::Never("a link-local address, where clouds keep their metadata")),
            ("https://[fe80::1]/", Nature::Never("a link-local address")),
        ] {
            assert_eq!(nature_of(url), nature, "{url}");
        }
    }

    #[test]
    fn a_clouds_metadata_is_never_called() {
        let open = AddressPolicy::for_base_urls(true, ["http://169.254.169.254/", "http://metadata"]);
        assert!(!refused(&open, "anything.example", "10.0.0.1"));
        for address in ["169.254.169.254", "fe80::1", "100.100.100.200", "fd00:ec2::254", "::ffff:169.254.169.254"] {
            assert!(refused(&open, "metadata", address), "{address}");
        }
        assert!(refused(&open, "169.254.169.254", "169.254.169.254"));
    }
}
