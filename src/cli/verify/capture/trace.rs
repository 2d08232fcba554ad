// SPDX-License-Identifier: Apache-2.0

//! What `curl --trace FILE` writes: every byte in hexadecimal, sent parts under `=> Send header` and `=> Send data`.

use super::captured::Captured;
use super::plain;

/// The requests, one for each `Send header`.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Captured>, String> {
    let text = String::from_utf8_lossy(bytes);
    let mut messages: Vec<Vec<u8>> = Vec::new();
    let mut sends = false;
    for line in text.lines() {
        // `--trace-time` and the like write something before it.
        let at = line.find("=> Send header").or_else(|| line.find("=> Send data"));
        if at.is_some() || line.contains("<= Recv") || line.contains("== Info") || line.contains("=> Send SSL") {
            sends = at.is_some();
            if line.contains("=> Send header") {
                messages.push(Vec::new());
            }
            continue;
        }
        if let (true, Some(message)) = (sends, messages.last_mut()) {
            message.extend(bytes_of(line)?);
        }
    }
    messages.iter().map(|message| plain::read(message)).collect()
}

/// The bytes of a line: `0010: 48 54 54 50 …` and, after the sixteenth, the same as text.
fn bytes_of(line: &str) -> Result<Vec<u8>, String> {
    const WHY: &str =
        "it was written by --trace-ascii, which does not keep every byte: capture with `curl --trace FILE`";
    let (_, dump) = line.split_once(": ").ok_or(WHY)?;
    let pairs = dump.as_bytes().chunks(3).take(16).map_while(|chunk| match chunk {
        [high, low, b' '] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            u8::from_str_radix(std::str::from_utf8(&chunk[..2]).ok()?, 16).ok()
        }
        _ => None,
    });
    let bytes: Vec<u8> = pairs.collect();
    if bytes.is_empty() { Err(WHY.to_owned()) } else { Ok(bytes) }
}
