// SPDX-License-Identifier: Apache-2.0

//! Captured requests, in the forms in which people have them: a plain HTTP/1.1 message, `curl -v` and `curl --trace`, HAR as browsers and
//! proxies save it, and the flows of mitmproxy.

mod captured;
mod har;
mod mitmproxy;
mod plain;
mod trace;

pub use captured::Captured;

impl Captured {
    /// Reads every request of a capture, in whatever form it is; there is at least one.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(bytes: &[u8]) -> Result<Vec<Self>, String> {
        let found = match Form::of(bytes) {
            Form::Har => har::read(bytes)?,
            Form::Mitmproxy => mitmproxy::read(bytes)?,
            Form::Trace => trace::read(bytes)?,
            Form::Plain => vec![plain::read(bytes)?],
        };
        if found.is_empty() { Err("there is no request in it".to_owned()) } else { Ok(found) }
    }
}

/// In which form a capture is.
enum Form {
    Har,
    Mitmproxy,
    Trace,
    Plain,
}

impl Form {
    fn of(bytes: &[u8]) -> Self {
        let text = bytes.trim_ascii_start();
        if text.starts_with(b"{") {
            return Form::Har;
        }
        // A flow is a dictionary with its length before it: `1234:` and the length of the first key.
        let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits > 0 && text.get(digits) == Some(&b':') {
            return Form::Mitmproxy;
        }
        let has_line = |mark: &[u8]| {
            text.starts_with(mark) || text.windows(mark.len() + 1).any(|w| w[0] == b'\n' && &w[1..] == mark)
        };
        if has_line(b"=> Send header") { Form::Trace } else { Form::Plain }
    }
}

#[cfg(test)]
mod tests;
