// SPDX-License-Identifier: Apache-2.0

//! Signatures: who calls, proved on the bytes received.
//!
//! The secret is a plain prefix of what is hashed, so the string that is signed is a secret itself: it is never
//! returned, logged or stored. [`explain`] shows it with the secret cut out. And a hash of that kind proves a request only where
//! the string can be read in one way: `form` sees to that before anything is hashed.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use ticketbridge_core::port::{AuthError, RawRequest, Replayed, Verified, VerifyStep};
use ticketbridge_core::time::UnixMillis;

use super::endpoints::WEBHOOK;
use super::form::{self, Rule};
use super::request::{KEY_HEADER, Pair, SIGN_HEADER, WEBHOOK_SIGN_HEADER, query_pairs, query_value};
use super::settings::{App, Settings};

/// Characters of a caller's name that are shown when it is not known.
const KEY_CHARS_SHOWN_MAX: usize = 64;
/// What stands for the secret wherever the signed string is shown.
const SECRET_SHOWN: &str = "‹secret›";

/// What is signed, behind the secret: every parameter but `sign`, sorted by bytes, then the body if there is one.
fn signed_part<K: AsRef<[u8]>, V: AsRef<[u8]>>(pairs: &[(K, V)], body: &[u8]) -> Vec<u8> {
    let mut sorted: Vec<(&[u8], &[u8])> =
        pairs.iter().map(|(k, v)| (k.as_ref(), v.as_ref())).filter(|(k, _)| *k != b"sign").collect();
    sorted.sort_unstable();
    let mut text = Vec::with_capacity(body.len() + 128);
    for (key, value) in sorted {
        text.push(b'&');
        text.extend_from_slice(key);
        text.push(b'=');
        text.extend_from_slice(value);
    }
    if !body.is_empty() {
        text.extend_from_slice(b"&http_body=");
        text.extend_from_slice(body);
    }
    text
}

/// Signs as Douyin does: lower-case hex of SHA-256 (the `x-life-sign` header) and of MD5 (the `sign` parameter), both
/// over the same string. `pairs` are decoded; a `sign` among them is left out.
pub fn sign<K: AsRef<[u8]>, V: AsRef<[u8]>>(client_secret: &str, pairs: &[(K, V)], body: &[u8]) -> (String, String) {
    let part = signed_part(pairs, body);
    (sha256_hex(client_secret, &part), md5_hex(client_secret, &part))
}

/// Signs a pushed message: lower-case hex of SHA-1 over the secret and the body.
pub fn sign_webhook(client_secret: &str, body: &[u8]) -> String {
    hex::encode(sha1::Sha1::new_with_prefix(client_secret).chain_update(body).finalize())
}

/// Signs a call that is played once more, in each of the ways in which it was signed, by the application that it names.
pub(super) fn sign_again(settings: &Settings, request: &mut Replayed) {
    let named = request.headers.get(KEY_HEADER).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let named = named.or_else(|| query_value(&request.query, "client_key"));
    let app = settings.apps.iter().find(|app| Some(&app.client_key) == named.as_ref()).or(settings.apps.first());
    let Some(app) = app else { return };
    let (header, parameter) = sign(&app.client_secret, &query_pairs(&request.query), &request.body);
    let webhook = sign_webhook(&app.client_secret, &request.body);
    for (name, value) in [(SIGN_HEADER, &header), (WEBHOOK_SIGN_HEADER, &webhook)] {
        if request.headers.contains_key(name)
            && let Ok(value) = HeaderValue::from_str(value)
        {
            request.headers.insert(HeaderName::from_static(name), value);
        }
    }
    let signed = |segment: &str| match segment.split_once('=') {
        Some(("sign", _)) => format!("sign={parameter}"),
        _ => segment.to_owned(),
    };
    request.query = request.query.split('&').map(signed).collect::<Vec<_>>().join("&");
}

fn sha256_hex(secret: &str, part: &[u8]) -> String {
    hex::encode(Sha256::new_with_prefix(secret).chain_update(part).finalize())
}

fn md5_hex(secret: &str, part: &[u8]) -> String {
    hex::encode(md5::Md5::new_with_prefix(secret).chain_update(part).finalize())
}

fn same(presented: &str, computed: &str) -> bool {
    presented.trim().to_ascii_lowercase().as_bytes().ct_eq(computed.as_bytes()).into()
}

fn header<'a>(raw: &RawRequest<'a>, name: &str) -> Option<&'a str> {
    raw.headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim).filter(|text| !text.is_empty())
}

/// The applications named by `keys`, in that order, each once.
fn candidates<'s>(settings: &'s Settings, keys: [Option<&str>; 2]) -> Vec<(usize, &'s App)> {
    let mut found: Vec<(usize, &App)> = Vec::new();
    for key in keys.into_iter().flatten() {
        for (index, app) in settings.apps.iter().enumerate() {
            if app.client_key == key && found.iter().all(|(i, _)| *i != index) {
                found.push((index, app));
            }
        }
    }
    found
}

/// Checks a call. The header's signature is required; the one in the address alone is enough only where the settings
/// say so, and never when the header's is there and wrong.
///
/// # Errors
/// What is missing, what could be read in two ways, who is not known, a signature that does not fit, a time stamp too far away.
pub fn verify<'a>(settings: &Settings, raw: RawRequest<'a>, now: UnixMillis) -> Result<Verified<'a>, AuthError> {
    if raw.endpoint == WEBHOOK {
        return verify_webhook(settings, raw);
    }
    let header_key = header(&raw, KEY_HEADER);
    let url_key = query_value(raw.query, "client_key");
    let url_sign = query_value(raw.query, "sign").filter(|text| !text.is_empty());
    // The header's signature belongs to the header's application; the other order is for the address.
    let (presented, keys, hash): (_, _, fn(&str, &[u8]) -> String) = match (header(&raw, SIGN_HEADER), url_sign) {
        (Some(presented), _) => (Cow::Borrowed(presented), [header_key, url_key.as_deref()], sha256_hex),
        (None, Some(presented)) if settings.accept_url_signature => {
            (Cow::Owned(presented), [url_key.as_deref(), header_key], md5_hex)
        }
        _ => return Err(AuthError::Missing(SIGN_HEADER)),
    };
    form::check(form::call(&raw))?;
    let named = keys.into_iter().flatten().next().ok_or(AuthError::Missing("client_key"))?;
    let candidates = candidates(settings, keys);
    if candidates.is_empty() {
        return Err(AuthError::UnknownKey(named.chars().take(KEY_CHARS_SHOWN_MAX).collect::<String>().into()));
    }
    let part = signed_part(&query_pairs(raw.query), raw.body);
    let proved = candidates.into_iter().find(|(_, app)| same(&presented, &hash(&app.client_secret, &part)));
    let (index, _) = proved.ok_or(AuthError::BadSignature)?;
    form::age(raw.query, now, settings.signature_age_max)?;
    Ok(Verified::attest(raw, index))
}

fn verify_webhook<'a>(settings: &Settings, raw: RawRequest<'a>) -> Result<Verified<'a>, AuthError> {
    let presented = header(&raw, WEBHOOK_SIGN_HEADER).ok_or(AuthError::Missing("X-Douyin-Signature"))?;
    form::check(form::push(&raw))?;
    // The application is named in the body, which is not read before it is proved: every secret is tried.
    settings
        .apps
        .iter()
        .position(|app| same(presented, &sign_webhook(&app.client_secret, raw.body)))
        .map(|index| Verified::attest(raw, index))
        .ok_or(AuthError::BadSignature)
}

/// The check of [`verify`], told step by step for `ticketbridge verify`.
pub fn explain(settings: &Settings, raw: RawRequest<'_>, now: UnixMillis) -> Vec<VerifyStep> {
    let mut steps = Vec::new();
    let mut step = |what: &str, found: String, ok: Option<bool>| {
        steps.push(VerifyStep { what: what.to_owned(), found, ok });
    };
    if raw.endpoint == WEBHOOK {
        explain_push(settings, raw, &mut step);
    } else {
        explain_call(settings, raw, now, &mut step);
    }
    let (found, ok) = match verify(settings, raw, now) {
        Ok(verified) => {
            (format!("accepted, application {}", settings.apps[verified.key_index()].client_key), Some(true))
        }
        Err(error) => (format!("refused: {error}"), Some(false)),
    };
    step("result", found, ok);
    steps
}

fn explain_rules(rules: Vec<Rule>, step: &mut impl FnMut(&str, String, Option<bool>)) {
    for rule in rules {
        match rule.held {
            Ok(found) => step(rule.what, found, Some(true)),
            Err(error) => step(rule.what, error.to_string(), Some(false)),
        }
    }
}

fn explain_push(settings: &Settings, raw: RawRequest<'_>, step: &mut impl FnMut(&str, String, Option<bool>)) {
    explain_rules(form::push(&raw), step);
    let presented = header(&raw, WEBHOOK_SIGN_HEADER);
    step("header X-Douyin-Signature", presented.unwrap_or("missing").to_owned(), Some(presented.is_some()));
    step("string that is signed", format!("{SECRET_SHOWN}{}", String::from_utf8_lossy(raw.body)), None);
    for app in &settings.apps {
        let computed = sign_webhook(&app.client_secret, raw.body);
        let ok = presented.is_some_and(|p| same(p, &computed));
        step(&format!("SHA-1 with the secret of {}", app.client_key), computed, Some(ok));
        if let (false, Some(presented)) = (ok, presented) {
            step("where it differs", push_mistakes(app, presented, raw.body).to_owned(), Some(false));
        }
    }
}

/// The same for a pushed message.
fn push_mistakes(app: &App, presented: &str, body: &[u8]) -> &'static str {
    let by = |key: &[u8], body: &[u8]| {
        same(presented, &hex::encode(sha1::Sha1::new_with_prefix(key).chain_update(body).finalize()))
    };
    let secret = app.client_secret.as_bytes();
    if by(secret, body.trim_ascii()) || by(secret, &[body, b"\n"].concat()) {
        "the body has a line end or blanks more or less than when it was signed"
    } else if crate::rewrites::of(body).iter().any(|body| by(secret, body)) {
        "the body was written anew: blanks, escapes or the order of keys differ from what was signed"
    } else if derived_keys(&app.client_secret).iter().any(|key| by(key, body)) {
        "the signer made a key of the secret's text; the text itself is the key"
    } else {
        "none of the known mistakes: the secret or the body is another one"
    }
}

fn explain_call(
    settings: &Settings,
    raw: RawRequest<'_>,
    now: UnixMillis,
    step: &mut impl FnMut(&str, String, Option<bool>),
) {
    let known = |key: Option<&str>| key.map(|k| settings.apps.iter().any(|app| app.client_key == k));
    let header_key = header(&raw, KEY_HEADER);
    let url_key = query_value(raw.query, "client_key");
    let said = |key: Option<&str>| match (key, known(key)) {
        (Some(key), Some(true)) => format!("{key}, configured"),
        (Some(key), _) => format!("{key}, not among the configured apps"),
        (None, _) => "missing".to_owned(),
    };
    step("application in the header x-life-clientkey", said(header_key), known(header_key));
    step("application in the address, client_key", said(url_key.as_deref()), known(url_key.as_deref()));
    explain_rules(form::call(&raw), step);
    let age = Rule { what: "age of the time stamp", held: form::age(raw.query, now, settings.signature_age_max) };
    explain_rules(vec![age], step);
    let pairs = query_pairs(raw.query);
    let part = signed_part(&pairs, raw.body);
    step("string that is signed", format!("{SECRET_SHOWN}{}", String::from_utf8_lossy(&part)), None);
    let by_header = header(&raw, SIGN_HEADER);
    step("header x-life-sign", by_header.unwrap_or("missing").to_owned(), Some(by_header.is_some()));
    for (_, app) in candidates(settings, [header_key, url_key.as_deref()]) {
        let computed = sha256_hex(&app.client_secret, &part);
        let ok = by_header.is_some_and(|p| same(p, &computed));
        step(&format!("SHA-256 with the secret of {}", app.client_key), computed, Some(ok));
        if let (false, Some(presented)) = (ok, by_header) {
            let found = mistakes(app, presented, &raw, &pairs, header_key);
            step("where it differs", found.to_owned(), Some(false));
        }
    }
    let by_url = query_value(raw.query, "sign");
    let policy = if settings.accept_url_signature { "enough alone" } else { "not enough alone" };
    step("sign in the address (legacy)", format!("{}, {policy}", by_url.as_deref().unwrap_or("missing")), None);
    if let Some(presented) = by_url {
        for (_, app) in candidates(settings, [url_key.as_deref(), header_key]) {
            let computed = md5_hex(&app.client_secret, &part);
            let fits = if same(&presented, &computed) { "fits" } else { "differs" };
            step(&format!("MD5 with the secret of {}", app.client_key), format!("{computed}, {fits}"), None);
        }
    }
}

/// What a signer may have made of the secret's text: decoded, hashed, in other letters, with a line end.
fn derived_keys(secret: &str) -> Vec<Vec<u8>> {
    let hashed = [Sha256::digest(secret).to_vec(), md5::Md5::digest(secret).to_vec()];
    let mut keys = vec![
        secret.to_ascii_uppercase().into_bytes(),
        secret.to_ascii_lowercase().into_bytes(),
        format!("{secret}\n").into_bytes(),
        format!("{secret}&").into_bytes(),
    ];
    keys.extend(hashed.iter().map(|digest| hex::encode(digest).into_bytes()));
    keys.extend(hashed);
    keys.extend(hex::decode(secret));
    keys.extend(STANDARD.decode(secret));
    keys.extend(URL_SAFE.decode(secret));
    keys.retain(|key| key != secret.as_bytes());
    keys
}

fn hmac_hex(secret: &str, part: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(part);
    hex::encode(mac.finalize().into_bytes())
}

/// The known mistakes of integrators: which of them would have given the presented signature.
fn mistakes(
    app: &App,
    presented: &str,
    raw: &RawRequest<'_>,
    pairs: &[Pair],
    header_key: Option<&str>,
) -> &'static str {
    let fits = |part: &[u8]| same(presented, &sha256_hex(&app.client_secret, part));
    let trimmed = raw.body.trim_ascii();
    let mut with_newline = raw.body.to_vec();
    with_newline.push(b'\n');
    let from_header: Vec<Pair> = pairs
        .iter()
        .map(|(k, v)| match (k.as_slice(), header_key) {
            (b"client_key", Some(key)) => (k.clone(), key.as_bytes().to_vec()),
            _ => (k.clone(), v.clone()),
        })
        .collect();
    let undecoded: Vec<(&str, &str)> =
        raw.query.split('&').map(|segment| segment.split_once('=').unwrap_or((segment, ""))).collect();
    let part = signed_part(pairs, raw.body);
    let by = |key: &[u8]| same(presented, &hex::encode(Sha256::new_with_prefix(key).chain_update(&part).finalize()));
    if fits(&signed_part(pairs, trimmed)) || fits(&signed_part(pairs, &with_newline)) {
        "the body has a line end or blanks more or less than when it was signed"
    } else if crate::rewrites::of(raw.body).iter().any(|body| fits(&signed_part(pairs, body))) {
        "the body was written anew: blanks, escapes or the order of keys differ from what was signed"
    } else if same(presented, &hmac_hex(&app.client_secret, &part)) {
        "the signer used HMAC; the secret is only put in front"
    } else if same(presented, &md5_hex(&app.client_secret, &part)) {
        "the header bears the MD5 of the address; it bears SHA-256"
    } else if fits(&[b"&".as_slice(), &signed_part(pairs, raw.body)].concat()) {
        "the signer put two & behind the secret; there is one"
    } else if derived_keys(&app.client_secret).iter().any(|key| by(key)) {
        "the signer made a key of the secret's text; the text itself is the key"
    } else if fits(&signed_part(&from_header, raw.body)) {
        "the signer took client_key from the header; the address's is signed"
    } else if fits(&signed_part(&undecoded, raw.body)) {
        "the signer did not decode the query's values"
    } else if fits(&signed_part(pairs, b"")) {
        "the signer left the body out"
    } else {
        "none of the known mistakes: the secret, the body or a query value is another one"
    }
}
