// SPDX-License-Identifier: Apache-2.0

//! HAR 1.2, as browsers, Charles, Fiddler, Proxyman and mitmproxy save it.

use base64::Engine as _;
use serde::Deserialize;

use super::captured::Captured;

#[derive(Deserialize)]
struct Har {
    log: Log,
}

#[derive(Deserialize)]
struct Log {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    request: Request,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    method: String,
    url: String,
    headers: Vec<Header>,
    post_data: Option<PostData>,
}

#[derive(Deserialize)]
struct Header {
    name: String,
    value: String,
}

#[derive(Deserialize)]
struct PostData {
    #[serde(default)]
    text: String,
    /// Not in the standard; some tools keep bytes so.
    encoding: Option<String>,
}

pub(super) fn read(bytes: &[u8]) -> Result<Vec<Captured>, String> {
    let har: Har = serde_json::from_slice(bytes).map_err(|error| {
        format!("it begins like HAR and is none (line {}, column {})", error.line(), error.column())
    })?;
    har.log.entries.into_iter().map(|entry| one(&entry.request)).collect()
}

fn one(request: &Request) -> Result<Captured, String> {
    let body = match &request.post_data {
        None => Vec::new(),
        Some(data) if data.encoding.as_deref() == Some("base64") => {
            let decoded = base64::engine::general_purpose::STANDARD.decode(&data.text);
            decoded.map_err(|_| "a body is said to be base64 and is not")?
        }
        Some(data) => data.text.clone().into_bytes(),
    };
    let headers = request.headers.iter().map(|header| (header.name.as_bytes(), header.value.as_bytes()));
    Captured::new(&request.method, &request.url, headers, body)
}
