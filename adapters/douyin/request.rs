// SPDX-License-Identifier: Apache-2.0

//! What of a call is signed, beside its body: the names of the headers, and the parameters of the address.

use percent_encoding::percent_decode;

/// Header with the signature of the body and the query.
pub const SIGN_HEADER: &str = "x-life-sign";
/// Header that names the application.
pub const KEY_HEADER: &str = "x-life-clientkey";
/// Header with the signature of a pushed message.
pub const WEBHOOK_SIGN_HEADER: &str = "x-douyin-signature";

/// A query parameter, decoded.
pub type Pair = (Vec<u8>, Vec<u8>);

/// The parameters of a raw query string, in the order in which they came: percent signs and `+` are decoded, a key
/// without `=` has the empty value.
pub fn query_pairs(raw: &str) -> Vec<Pair> {
    raw.split('&')
        .filter(|segment| !segment.is_empty())
        .map(|segment| {
            let (key, value) = segment.split_once('=').unwrap_or((segment, ""));
            (decoded(key), decoded(value))
        })
        .collect()
}

/// A name or value of a query without its escapes.
pub(super) fn decoded(text: &str) -> Vec<u8> {
    percent_decode(text.replace('+', " ").as_bytes()).collect()
}

/// The value of the first parameter called `key`.
pub fn query_value(raw: &str, key: &str) -> Option<String> {
    query_pairs(raw)
        .into_iter()
        .find(|(k, _)| k == key.as_bytes())
        .map(|(_, value)| String::from_utf8_lossy(&value).into_owned())
}
