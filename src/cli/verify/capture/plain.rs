// SPDX-License-Identifier: Apache-2.0

//! A plain HTTP/1.1 message, and what `curl -v` shows of one.

use super::captured::{Captured, unchunked};

/// Reads it, as it was or as `curl -v` shows it.
pub(super) fn read(bytes: &[u8]) -> Result<Captured, String> {
    let shown = from_curl(bytes);
    let (head, body) = match &shown {
        Some((head, body)) => (head.as_slice(), body.clone()),
        None => {
            let (head, body) = split_head(bytes).ok_or("there is no empty line between headers and body")?;
            (head, body.to_vec())
        }
    };
    let head = std::str::from_utf8(head).map_err(|_| "the headers are not UTF-8")?;
    let mut lines = head.lines().map(|line| line.trim_end_matches('\r'));
    let request = lines.next().ok_or("there is no request line")?;
    let mut words = request.split_whitespace();
    let method = words.next().ok_or("the first line is no request line")?;
    let target = words.next().ok_or("the request line has no path")?;
    let mut headers = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or_else(|| format!("`{line}` is no header"))?;
        headers.push((name.as_bytes(), value.as_bytes()));
    }
    let mut captured = Captured::new(method, target, headers.into_iter(), Vec::new())?;
    let announced = captured.headers.get("content-length").and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    captured.body = match announced {
        Some(length) if length < body.len() => body[..length].to_vec(),
        Some(_) => body,
        // An editor adds a line end that was never sent.
        None => unchunked(&captured.headers, body.strip_suffix(b"\n").map(<[u8]>::to_vec).unwrap_or(body))?,
    };
    Ok(captured)
}

/// The lines that `curl -v` marks with `>`, without the mark, and what was put below them up to its next own line: `curl` shows no body.
fn from_curl(bytes: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut head = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
        let (line, after) = rest.split_at(end);
        rest = after;
        let is_marked = line.starts_with(b"> ") || line.trim_ascii_end() == b">";
        match (is_marked, head.is_empty()) {
            (true, _) if line.trim_ascii_end() == b">" => return Some((head, up_to_own_line(rest))),
            (true, _) => head.extend_from_slice(&line[2..]),
            // Notes of curl's own stand before and between.
            (false, true) if is_own(line) => {}
            (false, false) if is_own(line) => {}
            (false, _) => return None,
        }
    }
    None
}

/// Whether a line is one of curl's notes or of the answer's.
fn is_own(line: &[u8]) -> bool {
    [&b"* "[..], b"< ", b"<\r", b"<\n", b"{ [", b"} ["].iter().any(|mark| line.starts_with(mark))
        || line.starts_with(b"  ")
}

fn up_to_own_line(bytes: &[u8]) -> Vec<u8> {
    let mut end = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if [&b"* "[..], b"< ", b"} ["].iter().any(|mark| line.starts_with(mark)) {
            break;
        }
        end += line.len();
    }
    bytes[..end].to_vec()
}

fn split_head(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let find =
        |mark: &[u8]| bytes.windows(mark.len()).position(|window| window == mark).map(|at| (at, at + mark.len()));
    let (end, start) = [find(b"\r\n\r\n"), find(b"\n\n")].into_iter().flatten().min()?;
    Some((&bytes[..end], &bytes[start..]))
}
