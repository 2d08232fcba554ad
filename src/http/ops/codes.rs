//! Code pools: how full they are, and filling them.

use http::StatusCode;
use serde_json::{Value, json};
use ticketbridge_core::BackendId;
use ticketbridge_core::order::TicketKind;
use ticketbridge_store::{PoolCounts, Tx};

use crate::engine::EngineError;
use crate::engine::acts::keep;
use crate::http::ops::body::{chars_max, object, refused};
use crate::http::ops::call::{Failure, Outcome, Request, Said};
use crate::http::ops::config::check_version;
use crate::http::problem::Problem;

/// A configured pool.
struct Pool {
    name: String,
    kind: TicketKind,
    low_water: u64,
}

/// A back-end is a pool when it says what its codes are.
fn pool_of(request: &Request) -> Result<Pool, Failure> {
    let name = request.in_path("pool");
    let backend = request.running.registry.backend(&BackendId::from(name));
    let found = backend.and_then(|backend| {
        let can = &backend.backend.spec().capabilities;
        let kind = serde_json::from_value(can.get("kind")?.clone()).ok()?;
        let low_water = can.get("low_water").and_then(Value::as_u64).unwrap_or(0);
        Some(Pool { name: name.to_owned(), kind, low_water })
    });
    found.ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "not_found", "no code pool of this name is configured").into()
    })
}

/// `GET codes/{pool}`.
pub(crate) async fn show(request: Request) -> Outcome {
    let pool = pool_of(&request)?;
    let counts = request.shared.engine.store().pool_counts(&pool.name).await?.unwrap_or_default();
    Ok(Said::ok(&shown(&pool, counts)))
}

fn shown(pool: &Pool, counts: PoolCounts) -> Value {
    json!({
        "pool": pool.name,
        "total": counts.total,
        "issued": counts.issued,
        "available": counts.available(),
        "low_water": pool.low_water,
        "is_low": counts.available() < pool.low_water,
    })
}

/// `POST codes/{pool}`.
pub(crate) async fn import(request: Request) -> Outcome {
    let pool = pool_of(&request)?;
    let codes = if request.is_csv { from_csv(&request.raw)? } else { from_json(&request.raw)? };
    check_version(&request)?;
    check_codes(&codes, pool.kind)?;
    let engine = &request.shared.engine;
    let (now, kind, many) = (engine.clock().now(), pool.kind, codes.len());
    let work = std::sync::Arc::new((pool.name.clone(), codes, request.once.clone()));
    let body = engine
        .store()
        .write("import_codes", move |tx: &Tx| {
            let work = work.clone();
            Box::pin(async move {
                let (pool, codes, once) = &*work;
                let imported = tx.import_codes(pool, kind, codes).await?;
                let body = json!({ "added": imported.added, "duplicates": imported.duplicates });
                let body = body.to_string().into_bytes();
                if let Some(once) = once {
                    keep(tx, once, 200, body.clone(), now).await?;
                }
                Ok::<_, EngineError>(body)
            })
        })
        .await?;
    tracing::info!(pool = %pool.name, many, by = %request.holder.name, "codes were imported");
    // An order may wait for a code.
    engine.work().notify_one();
    Ok(Said::kept(body))
}

fn from_json(raw: &[u8]) -> Result<Vec<String>, Problem> {
    let mut fields = object(raw)?;
    let known = ["codes", "expected_version"];
    if let Some(name) = fields.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(refused(name.as_str(), format!("there is no field `{name}`; known: {}", known.join(", "))));
    }
    let Some(Value::Array(listed)) = fields.remove("codes") else {
        return Err(refused("codes", "`codes` is missing: a list of texts"));
    };
    let read = |(index, value): (usize, &Value)| match value.as_str() {
        Some(text) => Ok(text.trim().to_owned()),
        None => Err(refused(format!("codes[{index}]"), format!("`codes[{index}]` is not text"))),
    };
    listed.iter().enumerate().map(read).collect()
}

/// One code a line; or, when the first line names a column `code`, the cells of that column.
fn from_csv(raw: &[u8]) -> Result<Vec<String>, Problem> {
    let text = std::str::from_utf8(raw).map_err(|_| refused("body", "the file is not UTF-8"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let rows = rows_of(text);
    let is_code = |cell: &String| cell.trim().eq_ignore_ascii_case("code");
    let Some(column) = rows.first().and_then(|row| row.iter().position(is_code)) else {
        let lines = text.lines().map(|line| unquoted(line.trim()));
        return Ok(lines.filter(|line| !line.is_empty()).collect());
    };
    let cell = |(index, row): (usize, &Vec<String>)| match row.get(column) {
        Some(cell) => Ok(cell.trim().to_owned()),
        None => Err(refused(format!("line {}", index + 2), "this line has no cell in the column `code`")),
    };
    rows.iter().skip(1).enumerate().map(cell).collect()
}

fn unquoted(line: &str) -> String {
    match line.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => line.to_owned(),
    }
}

/// The rows of a CSV text (RFC 4180), without empty lines.
fn rows_of(text: &str) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let (mut row, mut cell, mut in_quotes) = (Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if in_quotes && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' => in_quotes = !in_quotes,
            ',' if !in_quotes => row.push(std::mem::take(&mut cell)),
            '\n' if !in_quotes => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            '\r' if !in_quotes => {}
            other => cell.push(other),
        }
    }
    row.push(cell);
    rows.push(row);
    rows.retain(|row| row.iter().any(|cell| !cell.trim().is_empty()));
    rows
}

fn check_codes(codes: &[String], kind: TicketKind) -> Result<(), Problem> {
    if codes.is_empty() {
        return Err(refused("codes", "there is no code; give at least one"));
    }
    let chars_max = chars_max(kind);
    for (index, code) in codes.iter().enumerate() {
        if !(1..=chars_max).contains(&code.chars().count()) || code.chars().any(char::is_control) {
            let sentence = format!("code number {} is not text of 1 to {chars_max} characters", index + 1);
            return Err(refused(format!("codes[{index}]"), sentence));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_one_code_a_line_or_has_a_header() {
        for (file, codes) in [
            ("A1\nA2\n", vec!["A1", "A2"]),
            ("\u{feff}A1\r\n\r\nA2", vec!["A1", "A2"]),
            ("Code\nA1\n", vec!["A1"]),
            ("id,code,note\n1,A1,x\n2,\"A,2\",\"two\nlines\"\n", vec!["A1", "A,2"]),
            ("a,b\nc,d\n", vec!["a,b", "c,d"]),
            ("\"A \"\"1\"\"\"\n", vec!["A \"1\""]),
            ("", vec![]),
        ] {
            assert_eq!(from_csv(file.as_bytes()).unwrap(), codes, "{file:?}");
        }
        assert!(from_csv(b"id,code\n1\n").is_err());
        assert!(from_csv(&[0xff]).is_err());
    }

    #[test]
    fn a_code_is_as_long_as_its_kind_allows() {
        for (kind, length, ok) in [
            (TicketKind::Code, 100, true),
            (TicketKind::Code, 101, false),
            (TicketKind::Qr, 512, true),
            (TicketKind::Qr, 513, false),
            (TicketKind::Code, 0, false),
        ] {
            assert_eq!(check_codes(&["x".repeat(length)], kind).is_ok(), ok, "{kind:?} {length}");
        }
    }
}
