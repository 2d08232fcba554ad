// SPDX-License-Identifier: Apache-2.0

//! The flows that `mitmdump -w FILE` writes: tagged netstrings, one dictionary after the other.

use super::captured::{Captured, unchunked};

/// Values inside each other, at most.
const DEPTH_MAX: usize = 16;

/// A value of a flow, as far as it matters here.
enum Value<'a> {
    Bytes(&'a [u8]),
    List(Vec<Value<'a>>),
    Map(Vec<(Value<'a>, Value<'a>)>),
    Other,
}

impl<'a> Value<'a> {
    fn field(&self, name: &str) -> Option<&Value<'a>> {
        let Value::Map(fields) = self else { return None };
        fields
            .iter()
            .find(|(key, _)| matches!(key, Value::Bytes(key) if *key == name.as_bytes()))
            .map(|(_, value)| value)
    }
    fn bytes(&self) -> Option<&'a [u8]> {
        match self {
            Value::Bytes(bytes) => Some(bytes),
            Value::List(_) | Value::Map(_) | Value::Other => None,
        }
    }
}

pub(super) fn read(bytes: &[u8]) -> Result<Vec<Captured>, String> {
    let mut rest = bytes.trim_ascii_start();
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (flow, after) =
            value(rest, DEPTH_MAX).ok_or("it begins like flows of mitmproxy and is cut off or damaged")?;
        rest = after;
        if let Some(request) = flow.field("request") {
            found.push(one(request)?);
        }
    }
    Ok(found)
}

fn one(request: &Value<'_>) -> Result<Captured, String> {
    let text = |name: &str| {
        let bytes = request.field(name).and_then(Value::bytes).ok_or_else(|| format!("a flow has no {name}"))?;
        std::str::from_utf8(bytes).map_err(|_| format!("the {name} of a flow is not UTF-8"))
    };
    let Some(Value::List(pairs)) = request.field("headers") else { return Err("a flow has no headers".to_owned()) };
    let headers = pairs.iter().filter_map(|pair| match pair {
        Value::List(pair) => Some((pair.first()?.bytes()?, pair.get(1)?.bytes()?)),
        Value::Bytes(_) | Value::Map(_) | Value::Other => None,
    });
    let body = request.field("content").and_then(Value::bytes).unwrap_or_default().to_vec();
    let captured = Captured::new(text("method")?, text("path")?, headers, Vec::new())?;
    let body = unchunked(&captured.headers, body)?;
    Ok(captured.with_body(body))
}

/// One value, and what follows it.
fn value(bytes: &[u8], depth: usize) -> Option<(Value<'_>, &[u8])> {
    let colon = bytes.iter().take(12).position(|byte| *byte == b':')?;
    let length: usize = std::str::from_utf8(&bytes[..colon]).ok()?.parse().ok()?;
    let payload = bytes.get(colon + 1..)?.get(..length)?;
    let tag = *bytes.get(colon + 1 + length)?;
    let rest = bytes.get(colon + 2 + length..)?;
    let read = match tag {
        b',' | b';' => Value::Bytes(payload),
        b']' => Value::List(values(payload, depth.checked_sub(1)?)?),
        b'}' => {
            let mut fields = values(payload, depth.checked_sub(1)?)?.into_iter();
            let mut pairs = Vec::new();
            while let Some(key) = fields.next() {
                pairs.push((key, fields.next()?));
            }
            Value::Map(pairs)
        }
        b'#' | b'^' | b'!' | b'~' => Value::Other,
        _ => return None,
    };
    Some((read, rest))
}

fn values(mut bytes: &[u8], depth: usize) -> Option<Vec<Value<'_>>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (one, rest) = value(bytes, depth)?;
        found.push(one);
        bytes = rest;
    }
    Some(found)
}
