// SPDX-License-Identifier: Apache-2.0

//! `[console.passkeys]`: for which name browsers make passkeys, and on whose pages they are used.

use url::{Host, Url};

use super::read::{Table, Value};

/// For which name browsers make passkeys, and on whose pages they are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passkeys {
    /// The name that passkeys are bound to for ever: another one knows none of them.
    pub domain: String,
    /// The origins of the pages on which they are used: this name, or names below it.
    pub origins: Vec<Url>,
}

/// Reads the table. What is left out is taken from the public address; `None` where that is the number of another machine, which no passkey
/// can be bound to.
pub(super) fn read(table: Option<&Table<'_>>, public_url: Option<&str>) -> Option<Passkeys> {
    let own = public_url.and_then(at_home);
    let Some(table) = table else { return own };
    let domain = table.opt("domain", domain);
    let origins = table.opt("origins", origins);
    let (has_domain, has_origins) = (table.has("domain"), table.has("origins"));
    table.finish();
    let (own_domain, own_origins) = own.map(|own| (own.domain, own.origins)).unzip();
    let domain = if has_domain { domain } else { own_domain };
    let origins = if has_origins { origins } else { own_origins };
    let (Some(domain), Some(origins)) = (domain, origins) else {
        if !(has_domain && has_origins) && own_is_missing(public_url) {
            let problem = "`console.passkeys` leaves out `domain` or `origins`, and `server.public_url` has no name to take them from";
            table.findings().problem(table.place(), problem, "write both, for example domain = \"desk.example\"");
        }
        return None;
    };
    if let Some(stranger) = origins.iter().find(|origin| !is_of(origin, &domain)) {
        let stranger = stranger.origin().ascii_serialization();
        let problem = format!("\"{stranger}\" is no page of \"{domain}\": browsers would offer no passkey there");
        let mend = format!("name pages of {domain} or of names below it, or another `domain`");
        table.findings().problem(table.place_of(if has_origins { "origins" } else { "domain" }), problem, mend);
        return None;
    }
    Some(Passkeys { domain, origins })
}

fn own_is_missing(public_url: Option<&str>) -> bool {
    public_url.and_then(at_home).is_none()
}

/// The public address as passkeys have it. A number of this machine is called by its name: browsers bind passkeys to names alone.
fn at_home(public_url: &str) -> Option<Passkeys> {
    let mut url = origin_of(&Url::parse(public_url).ok()?)?;
    let is_this_machine = match url.host()? {
        Host::Domain(_) => false,
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    if is_this_machine {
        url.set_host(Some("localhost")).ok()?;
    }
    Some(Passkeys { domain: url.domain()?.to_owned(), origins: vec![url] })
}

fn origin_of(url: &Url) -> Option<Url> {
    Url::parse(&url.origin().ascii_serialization()).ok()
}

/// Whether a page with this origin may use what is bound to `domain`.
fn is_of(origin: &Url, domain: &str) -> bool {
    let below = |host: &str| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    origin.domain().is_some_and(below)
}

fn domain(value: Value<'_>) -> Option<String> {
    let text = value.clone().text()?;
    let name = Url::parse(&format!("https://{text}/")).ok().and_then(|url| url.domain().map(str::to_owned));
    match name {
        Some(name) if name == text => Some(name),
        Some(_) | None => value.wrong(
            format_args!("is \"{text}\", which is no name of a host"),
            "write the name alone, in small letters, for example \"desk.example\"",
        ),
    }
}

fn origins(value: Value<'_>) -> Option<Vec<Url>> {
    if value.raw().is_array() && value.elements().is_empty() {
        return value.wrong("is an empty list", "leave it out, or name the pages on which passkeys are used");
    }
    value.each(|value| {
        let text = value.clone().web_address()?;
        let url = Url::parse(&text).ok().and_then(|url| origin_of(&url).filter(|origin| *origin == url));
        let mend = "write scheme, host and port alone, for example \"https://desk.example\"";
        url.or_else(|| value.wrong(format_args!("is \"{text}\", which is no origin"), mend))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_taken_from_the_public_address() {
        for (public_url, domain, origin) in [
            ("https://desk.example/bridge", "desk.example", "https://desk.example/"),
            ("https://desk.example:8443", "desk.example", "https://desk.example:8443/"),
            ("http://127.0.0.1:8080", "localhost", "http://localhost:8080/"),
            ("http://[::1]:8080", "localhost", "http://localhost:8080/"),
            ("http://localhost:8080", "localhost", "http://localhost:8080/"),
        ] {
            let own = at_home(public_url).expect(public_url);
            assert_eq!((own.domain.as_str(), own.origins[0].as_str()), (domain, origin), "{public_url}");
        }
        assert_eq!(at_home("https://203.0.113.9"), None, "browsers bind no passkey to a number");
    }

    #[test]
    fn a_page_is_of_a_name_when_it_has_it_or_one_below_it() {
        for (origin, is_so) in [
            ("https://desk.example", true),
            ("https://console.desk.example", true),
            ("https://mydesk.example", false),
            ("https://example", false),
            ("https://desk.example.evil.example", false),
        ] {
            assert_eq!(is_of(&Url::parse(origin).expect("an address"), "desk.example"), is_so, "{origin}");
        }
    }
}
