// SPDX-License-Identifier: Apache-2.0

//! What is signed has exactly one reading.
//!
//! The signature is a plain hash over the secret, the parameters and the body run together, without lengths between them. Who has
//! seen one call can go on hashing where it ended (length extension), or cut the same text elsewhere: the old body, with the padding
//! behind it, as the value of a parameter; the body as a parameter and no body at all. Both fit the signature, so the signature alone
//! proves nothing. Of a request that keeps the rules below, the signed text can be cut in one place only: names and values hold
//! neither the separator nor the name of the body, the platform's own parameters have their alphabets, and the padding of a hash
//! (a byte 0x80 and zeros) stands nowhere.

use std::borrow::Cow;

use http::HeaderMap;
use ticketbridge_core::port::{AuthError, RawRequest};
use ticketbridge_core::time::{Millis, UnixMillis};

use super::request::{KEY_HEADER, SIGN_HEADER, WEBHOOK_SIGN_HEADER, decoded};

/// The parameters that the platform documents; everything else is unknown.
const DOCUMENTED: [&str; 3] = [CLIENT_KEY, TIMESTAMP, SIGN];
const CLIENT_KEY: &str = "client_key";
const TIMESTAMP: &str = "timestamp";
const SIGN: &str = "sign";
/// What stands before the body in the signed text; no parameter bears the name or holds it.
const BODY_NAME: &str = "http_body";
/// Digits of a time stamp: milliseconds since 1970, from 2001 to 2286.
const TIMESTAMP_DIGITS: usize = 13;
/// Digits of the signature in the address: MD5 in hexadecimal.
const SIGN_DIGITS: usize = 32;
/// Characters of an application's name.
pub(super) const CLIENT_KEY_CHARS_MAX: usize = 64;
/// How far a time stamp may be ahead of our clock.
pub(super) const AHEAD_MAX: Millis = Millis::hours(24);

/// One rule, and whether a request keeps it.
pub(super) struct Rule {
    /// What was looked at.
    pub(super) what: &'static str,
    /// What was found, or what is wrong. Never what a stranger wrote.
    pub(super) held: Result<String, AuthError>,
}

/// The rules for a call, in the order in which they are checked.
pub(super) fn call(raw: &RawRequest<'_>) -> Vec<Rule> {
    let items = items(raw.query);
    let rule = |what, held| Rule { what, held };
    vec![
        rule("form of the address", well_formed(raw.query)),
        rule("each parameter once", named_once(&items)),
        rule("client_key in the address", client_key(&items)),
        rule("time stamp in the address", time_stamp(&items)),
        rule("form of sign in the address", legacy_signature(&items)),
        rule("other parameters", others(&items)),
        rule("body as text", body(raw.body)),
        rule("signature headers once", once(raw.headers, &[SIGN_HEADER, KEY_HEADER])),
    ]
}

/// The rules for a pushed message: only its body is signed.
pub(super) fn push(raw: &RawRequest<'_>) -> Vec<Rule> {
    vec![
        Rule { what: "body as text", held: body(raw.body) },
        Rule { what: "signature headers once", held: once(raw.headers, &[WEBHOOK_SIGN_HEADER]) },
    ]
}

/// Whether all rules are kept.
///
/// # Errors
/// What the first broken one says.
pub(super) fn check(rules: Vec<Rule>) -> Result<(), AuthError> {
    rules.into_iter().try_for_each(|rule| rule.held.map(|_| ()))
}

/// When a call says that it was sent.
pub(super) fn sent_at(query: &str) -> Option<UnixMillis> {
    value(&items(query), TIMESTAMP)?.parse().ok().map(UnixMillis)
}

/// Whether the time stamp is near enough: a captured call is as good as a key, so it must not be one for ever.
///
/// # Errors
/// [`AuthError::StaleTimestamp`] when it is older than `age_max`, or more than a day ahead.
pub(super) fn age(query: &str, now: UnixMillis, age_max: Millis) -> Result<String, AuthError> {
    let items = items(query);
    time_stamp(&items)?;
    let at = value(&items, TIMESTAMP).and_then(|text| text.parse().ok()).map_or(now, UnixMillis);
    let age = now - at;
    let stale = |why: String| Err(AuthError::StaleTimestamp { why, now });
    if age > age_max {
        let max = age_max.0 / 1_000;
        return stale(format!("{} s in the past, more than the {max} s of signature_age_max", age.0 / 1_000));
    }
    if age.0 < -AHEAD_MAX.0 {
        let max = AHEAD_MAX.0 / 1_000;
        return stale(format!("{} s in the future, more than {max} s; check the clocks", -(age.0 / 1_000)));
    }
    Ok(format!("{} s before now, {} s are allowed", age.0 / 1_000, age_max.0 / 1_000))
}

/// Whether `text` can be an application's name.
pub(super) fn is_client_key(text: &str) -> bool {
    (1..=CLIENT_KEY_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// One item of the query.
struct Item<'q> {
    /// As it was written.
    raw: (&'q str, &'q str),
    /// What that means.
    name: Vec<u8>,
    value: Vec<u8>,
}

impl Item<'_> {
    fn is(&self, name: &str) -> bool {
        self.name == name.as_bytes()
    }
    fn is_documented(&self) -> bool {
        DOCUMENTED.iter().any(|name| self.is(name))
    }
    /// Whether it stands in the address as it is signed, without any coding.
    fn is_literal(&self) -> bool {
        self.raw.0.as_bytes() == self.name && self.raw.1.as_bytes() == self.value
    }
}

fn items(query: &str) -> Vec<Item<'_>> {
    query
        .split('&')
        .filter(|segment| !segment.is_empty())
        .map(|segment| {
            let raw = segment.split_once('=').unwrap_or((segment, ""));
            Item { raw, name: decoded(raw.0), value: decoded(raw.1) }
        })
        .collect()
}

/// The literal value of a documented parameter.
fn value<'q>(items: &[Item<'q>], name: &str) -> Option<&'q str> {
    items.iter().find(|item| item.is(name)).filter(|item| item.is_literal()).map(|item| item.raw.1)
}

fn ambiguous<T>(why: &'static str) -> Result<T, AuthError> {
    Err(AuthError::Ambiguous(Cow::Borrowed(why)))
}

fn well_formed(query: &str) -> Result<String, AuthError> {
    if query.is_empty() {
        return Err(AuthError::Missing("the address's client_key and timestamp"));
    }
    if !query.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return ambiguous("the address holds a byte that no address holds");
    }
    for item in query.split('&') {
        match item.split_once('=') {
            None if item.is_empty() => {
                return ambiguous("the address has an empty item between, before or behind its &");
            }
            None => return ambiguous("the address has an item without ="),
            Some(("", _)) => return ambiguous("the address has a parameter without a name"),
            Some(_) => {}
        }
    }
    let mut escapes = query.split('%').skip(1);
    if !escapes.all(|rest| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit())) {
        return ambiguous("the address has a % that is no escape");
    }
    Ok(format!("{} parameters", query.split('&').count()))
}

fn named_once(items: &[Item<'_>]) -> Result<String, AuthError> {
    // `Sign` is another name to us and the same one to others.
    let mut names: Vec<Vec<u8>> = items.iter().map(|item| item.name.to_ascii_lowercase()).collect();
    names.sort_unstable();
    match names.windows(2).any(|pair| pair[0] == pair[1]) {
        true => ambiguous("a parameter of the address comes twice"),
        false => Ok("no name comes twice".to_owned()),
    }
}

fn client_key(items: &[Item<'_>]) -> Result<String, AuthError> {
    if !items.iter().any(|item| item.is(CLIENT_KEY)) {
        return Err(AuthError::Missing("the address's client_key"));
    }
    match value(items, CLIENT_KEY).filter(|text| is_client_key(text)) {
        Some(text) => Ok(text.to_owned()),
        None => ambiguous("client_key in the address holds something else than letters, digits, - and _, unescaped"),
    }
}

fn time_stamp(items: &[Item<'_>]) -> Result<String, AuthError> {
    if !items.iter().any(|item| item.is(TIMESTAMP)) {
        return Err(AuthError::Missing("the address's timestamp"));
    }
    let digits = |text: &&str| text.len() == TIMESTAMP_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
    match value(items, TIMESTAMP).filter(digits) {
        Some(text) => Ok(text.to_owned()),
        None => Err(AuthError::BadTimestamp(Cow::Borrowed("not a number of milliseconds, 13 digits, unescaped"))),
    }
}

fn legacy_signature(items: &[Item<'_>]) -> Result<String, AuthError> {
    if !items.iter().any(|item| item.is(SIGN)) {
        return Ok("missing".to_owned());
    }
    let digits = |text: &&str| text.len() == SIGN_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match value(items, SIGN).filter(digits) {
        Some(text) => Ok(text.to_owned()),
        None => ambiguous("sign in the address is not an MD5 in 32 hexadecimal digits, unescaped"),
    }
}

/// What the platform does not document may come, as long as the signed text can be cut in one place only.
fn others(items: &[Item<'_>]) -> Result<String, AuthError> {
    let mut count = 0_usize;
    for item in items.iter().filter(|item| !item.is_documented()) {
        count += 1;
        for text in [&item.name, &item.value] {
            if !text.iter().all(|byte| (b' '..=b'~').contains(byte)) {
                return ambiguous("an unknown parameter holds bytes outside printable ASCII");
            }
            let text = text.to_ascii_lowercase();
            let holds = |part: &[u8]| text.windows(part.len()).any(|window| window == part);
            if holds(b"&") {
                return ambiguous("an unknown parameter holds an escaped &");
            }
            if holds(BODY_NAME.as_bytes()) {
                return ambiguous("an unknown parameter holds http_body");
            }
            if DOCUMENTED.iter().any(|name| holds(format!("{name}=").as_bytes())) {
                return ambiguous("an unknown parameter holds client_key=, timestamp= or sign=");
            }
        }
        let name = item.name.to_ascii_lowercase();
        if name.contains(&b'=') || DOCUMENTED.iter().any(|documented| name.trim_ascii() == documented.as_bytes()) {
            return ambiguous("the name of an unknown parameter can be taken for another one");
        }
    }
    Ok(format!("{count}"))
}

/// Every call of the platform has a body, and JSON is UTF-8. The padding of a hash is not: a body that goes on behind it is none.
fn body(body: &[u8]) -> Result<String, AuthError> {
    if body.is_empty() {
        return Err(AuthError::Missing("the body"));
    }
    match std::str::from_utf8(body) {
        Ok(_) => Ok(format!("{} bytes of UTF-8, signed exactly as received", body.len())),
        Err(_) => ambiguous("the body is not UTF-8"),
    }
}

fn once(headers: &HeaderMap, names: &[&'static str]) -> Result<String, AuthError> {
    match names.iter().any(|name| headers.get_all(*name).iter().count() > 1) {
        true => ambiguous("a header of the signature comes twice"),
        false => Ok("none comes twice".to_owned()),
    }
}
