// SPDX-License-Identifier: Apache-2.0

//! Code pools: how full they are, and filling them.

use std::sync::Arc;

use http::StatusCode;
use serde_json::Value;
use ticketbridge_core::order::TicketKind;
use ticketbridge_core::{BackendId, UnixMillis};
use ticketbridge_store::{PoolCounts, Tx};

use crate::accounts::scope::Access;
use crate::engine::EngineError;
use crate::engine::manual_commands::keep;
use crate::http::ops::answers::partners;
use crate::http::ops::body::{self, chars_max, object, unknown};
use crate::http::ops::call::{Failure, Outcome, Request, Said, written};
use crate::http::ops::config::check_version;
use crate::http::ops::faults::{Faults, Place};
use crate::http::ops::partners::shared_with_others;
use crate::http::ops::query::refused;
use crate::http::problem::Problem;

/// A configured pool.
struct Pool {
    name: String,
    kind: TicketKind,
    low_water: u64,
}

/// What is wanted of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// To see how full it is.
    Look,
    /// To change it.
    Act,
}

/// A back-end is a pool when it says what its codes are.
fn pool_of(request: &Request, act: Wanted) -> Result<Pool, Failure> {
    let name = request.in_path("pool");
    let access = request.reach.backend(&request.running.config, &BackendId::from(name));
    if act == Wanted::Act && access == Access::Read {
        return Err(shared_with_others("code pool"));
    }
    let backend = request.running.registry.backend(&BackendId::from(name)).filter(|_| access != Access::None);
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
    let pool = pool_of(&request, Wanted::Look)?;
    let counts = request.shared.engine.store().pool_counts(&pool.name).await?.unwrap_or_default();
    Ok(Said::ok(&shown(&pool, counts)))
}

fn shown(pool: &Pool, counts: PoolCounts) -> partners::Pool<'_> {
    partners::Pool {
        pool: &pool.name,
        total: counts.total,
        issued: counts.issued,
        held_back: counts.held_back,
        available: counts.available(),
        low_water: pool.low_water,
        is_low: counts.available() < pool.low_water,
    }
}

/// `POST codes/{pool}`.
pub(crate) async fn import(request: Request) -> Outcome {
    let pool = pool_of(&request, Wanted::Act)?;
    let codes = given(&request, &pool)?;
    change(request, pool, Change::Import(codes)).await
}

/// `POST codes/{pool}/withdraw`: takes codes out that nobody has yet.
pub(crate) async fn withdraw(request: Request) -> Outcome {
    let pool = pool_of(&request, Wanted::Act)?;
    let codes = given(&request, &pool)?;
    change(request, pool, Change::Withdraw(codes)).await
}

/// `POST codes/{pool}/hold`: nobody gets what is left until it is released.
pub(crate) async fn hold(request: Request) -> Outcome {
    let pool = pool_of(&request, Wanted::Act)?;
    check_version(&request)?;
    change(request, pool, Change::Hold).await
}

/// `POST codes/{pool}/release`: what is held back may be handed out again.
pub(crate) async fn release(request: Request) -> Outcome {
    let pool = pool_of(&request, Wanted::Act)?;
    check_version(&request)?;
    change(request, pool, Change::Release).await
}

/// What is done to a pool.
enum Change {
    /// These codes are put in.
    Import(Vec<String>),
    /// These codes are taken out, unless somebody has them.
    Withdraw(Vec<String>),
    /// What nobody has is held back.
    Hold,
    /// What was held back may be handed out again.
    Release,
}

impl Change {
    /// What its transaction is called.
    fn name(&self) -> &'static str {
        match self {
            Change::Import(_) => "import_codes",
            Change::Withdraw(_) => "withdraw_codes",
            Change::Hold => "hold_codes",
            Change::Release => "release_codes",
        }
    }

    /// How many codes it names.
    fn many(&self) -> usize {
        match self {
            Change::Import(codes) | Change::Withdraw(codes) => codes.len(),
            Change::Hold | Change::Release => 0,
        }
    }

    /// Does it, and says what came of it.
    async fn carry_out(&self, tx: &Tx, pool: &Pool, now: UnixMillis) -> Result<Vec<u8>, EngineError> {
        let changed = match self {
            Change::Import(codes) => {
                let done = tx.import_codes(&pool.name, pool.kind, codes).await?;
                return Ok(written(&partners::Imported { added: done.added, duplicates: done.duplicates }));
            }
            Change::Withdraw(codes) => {
                let done = tx.withdraw_codes(&pool.name, codes).await?;
                let told =
                    partners::Withdrawn { withdrawn: done.withdrawn, issued: done.issued, unknown: done.unknown };
                return Ok(written(&told));
            }
            Change::Hold => tx.hold_back_codes(&pool.name, now).await?,
            Change::Release => tx.release_codes(&pool.name).await?,
        };
        Ok(written(&partners::CodesChanged { changed }))
    }
}

/// Changes a pool, and keeps the answer under the key of the request, both or neither.
async fn change(request: Request, pool: Pool, change: Change) -> Outcome {
    let engine = &request.shared.engine;
    let now = engine.clock().now();
    let name = change.name();
    let work = Arc::new((pool, change, request.once.clone()));
    let each = work.clone();
    let body = engine
        .store()
        .write(name, move |tx: &Tx| {
            let work = each.clone();
            Box::pin(async move {
                let (pool, change, once) = &*work;
                let body = change.carry_out(tx, pool, now).await?;
                keep(tx, once.as_ref(), 200, &body, now).await?;
                Ok::<_, EngineError>(body)
            })
        })
        .await?;
    let (pool, change, _) = &*work;
    tracing::info!(pool = %pool.name, change = name, many = change.many(), by = %request.holder.name, "a code pool was changed");
    // An order may wait for a code.
    engine.work().notify_one();
    Ok(Said::kept(body))
}

/// The codes of a body, after everything about it was checked.
fn given(request: &Request, pool: &Pool) -> Result<Vec<String>, Failure> {
    let codes = match request.is_csv {
        true => from_csv(&request.raw, request.query.text("column"))?,
        false => from_json(&request.raw)?,
    };
    check_version(request)?;
    check_codes(&codes, pool.kind)?;
    Ok(codes)
}

fn from_json(raw: &[u8]) -> Result<Vec<String>, Problem> {
    let mut fields = object(raw)?;
    let known = ["codes", "expected_version"];
    let mut faults = Faults::default();
    unknown(&fields, &Place::default(), &known, &mut faults);
    let listed = match fields.remove("codes") {
        Some(Value::Array(listed)) => listed,
        Some(_) | None => {
            faults.add(Place::of("codes"), "`codes` is missing: a list of texts");
            Vec::new()
        }
    };
    let mut codes = Vec::with_capacity(listed.len());
    for (index, value) in listed.iter().enumerate() {
        match value.as_str() {
            Some(text) => codes.push(text.trim().to_owned()),
            None => {
                let place = Place::of("codes").entry(index);
                faults.add(place.clone(), format!("`{place}` is not text"));
            }
        }
    }
    faults.end()?;
    Ok(codes)
}

/// What a column of codes may be called, without the case of its letters.
const CODE_COLUMNS: [&str; 20] = [
    "code",
    "codes",
    "ticket",
    "ticket_code",
    "ticketcode",
    "voucher_code",
    "coupon",
    "coupon_code",
    "barcode",
    "qr",
    "票码",
    "券码",
    "票号",
    "兑换码",
    "核销码",
    "코드",
    "쿠폰번호",
    "쿠폰코드",
    "티켓번호",
    "바코드",
];
/// Said instead of a column's name: every line is a code, the first one too.
const NO_COLUMN: &str = "none";

/// The codes of a text: one a line; or, when the first line names columns, the cells of the column `named`, or of the only one that is called as
/// a column of codes is. Cells end at a comma, or, when the first line has none, at a semicolon or a tab: spreadsheets write all three.
///
/// # Errors
/// 422: which column it is cannot be told, a line lacks it, a line has several cells and no column is named, or the first line may be a
/// title: it would be handed to a guest.
pub(crate) fn from_csv(raw: &[u8], named: Option<&str>) -> Result<Vec<String>, Problem> {
    let text = std::str::from_utf8(raw).map_err(|_| refused("body", "the file is not UTF-8"))?;
    let rows = rows_of(text.strip_prefix('\u{feff}').unwrap_or(text));
    let Some(first) = rows.first() else { return Ok(Vec::new()) };
    let column = column_of(first, named)?;
    if column.is_none() && named.is_none() && is_perhaps_a_title(&rows) {
        let sentence = format!(
            "is the first line, `{}`, the title of the column or a code? Say --column with its name, or --column {NO_COLUMN} (?column=)",
            first.iter().map(|cell| cell.trim()).collect::<String>()
        );
        return Err(refused("column", sentence));
    }
    let Some(column) = column else {
        let one = |(index, row): (usize, &Vec<String>)| match row.as_slice() {
            [code] => Ok(code.trim().to_owned()),
            several => {
                let many = several.len();
                let sentence = format!(
                    "line {} has {many} cells where one code is expected; put a code with commas into quotes",
                    index + 1
                );
                Err(refused("body", sentence))
            }
        };
        return rows.iter().enumerate().map(one).collect();
    };
    let cell = |(index, row): (usize, &Vec<String>)| match row.get(column) {
        Some(cell) => Ok(cell.trim().to_owned()),
        None => Err(refused(&format!("line {}", index + 2), "this line has no cell in the column of the codes")),
    };
    rows.iter().skip(1).enumerate().map(cell).collect()
}

/// Which cell of the first line names the codes; `None` when the first line is a code itself.
fn column_of(first: &[String], named: Option<&str>) -> Result<Option<usize>, Problem> {
    let plain = |cell: &str| cell.trim().to_ascii_lowercase();
    let shown = || first.iter().map(|cell| cell.trim()).collect::<Vec<_>>().join(", ");
    if let Some(named) = named {
        let found = first.iter().position(|cell| plain(cell) == plain(named));
        if found.is_none() && plain(named) == NO_COLUMN {
            return Ok(None);
        }
        let sentence = || format!("the first line names no column `{named}`; it names {}", shown());
        return found.map(Some).ok_or_else(|| refused("column", sentence()));
    }
    let called: Vec<usize> = (0..first.len())
        .filter(|at| first.get(*at).is_some_and(|cell| CODE_COLUMNS.contains(&plain(cell).as_str())))
        .collect();
    match (called.as_slice(), first.len()) {
        ([column], _) => Ok(Some(*column)),
        ([], 0 | 1) => Ok(None),
        ([], many) => {
            let sentence = format!(
                "the first line has {many} columns ({}) and none is called `code`; say which one holds the codes (--column, ?column=), or give one code a line",
                shown()
            );
            Err(refused("column", sentence))
        }
        (_, _) => Err(refused(
            "column",
            format!("several columns may hold the codes ({}); say which one (--column, ?column=)", shown()),
        )),
    }
}

/// Whether the first of several lines looks like a word among numbers: it has no digit, and every other line has one; or it is not written in
/// the letters of codes.
fn is_perhaps_a_title(rows: &[Vec<String>]) -> bool {
    let Some(([first], others)) = rows.split_first().map(|(first, others)| (first.as_slice(), others)) else {
        return false;
    };
    let has_digit = |cell: &String| cell.chars().any(|c| c.is_ascii_digit());
    let is_foreign = first.chars().any(|c| c.is_alphabetic() && !c.is_ascii());
    let is_a_word_among_numbers =
        !has_digit(first) && !others.is_empty() && others.iter().all(|row| row.iter().any(has_digit));
    is_foreign || is_a_word_among_numbers
}

/// At which sign the cells of a text end: the first of these that its first line has outside of quotes.
fn separator_of(text: &str) -> char {
    let mut in_quotes = false;
    let mut found = Vec::new();
    for c in text.trim_start().chars() {
        match c {
            '"' => in_quotes = !in_quotes,
            '\n' if !in_quotes => break,
            c if !in_quotes => found.push(c),
            _ => {}
        }
    }
    [',', ';', '\t'].into_iter().find(|sign| found.contains(sign)).unwrap_or(',')
}

/// The rows of a CSV text (RFC 4180, but for the sign between cells), without empty lines.
fn rows_of(text: &str) -> Vec<Vec<String>> {
    let separator = separator_of(text);
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
            c if c == separator && !in_quotes => row.push(std::mem::take(&mut cell)),
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
        return Err(body::refused("codes", "there is no code; give at least one"));
    }
    let chars_max = chars_max(kind);
    let mut faults = Faults::default();
    for (index, code) in codes.iter().enumerate() {
        if !(1..=chars_max).contains(&code.chars().count()) || code.chars().any(char::is_control) {
            let sentence = format!("code number {} is not text of 1 to {chars_max} characters", index + 1);
            faults.add(Place::of("codes").entry(index), sentence);
        }
    }
    faults.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_one_code_a_line_or_has_a_header() {
        for (file, named, codes) in [
            ("A1\nA2\n", None, vec!["A1", "A2"]),
            ("\u{feff}A1\r\n\r\nA2", None, vec!["A1", "A2"]),
            ("Code\nA1\n", None, vec!["A1"]),
            ("ticket_code\nA1\n", None, vec!["A1"]),
            ("id,code,note\n1,A1,x\n2,\"A,2\",\"two\nlines\"\n", None, vec!["A1", "A,2"]),
            ("serial,number\n1,A1\n2,A2\n", Some("Number"), vec!["A1", "A2"]),
            ("code,ticket\n1,A1\n", Some("ticket"), vec!["A1"]),
            ("\"a,b\"\n\"c,d\"\n", None, vec!["a,b", "c,d"]),
            ("\"A \"\"1\"\"\"\n", None, vec!["A \"1\""]),
            ("", None, vec![]),
            ("code;name\nM1;x\n", None, vec!["M1"]),
            ("name\tcode\nx\tM1\n", None, vec!["M1"]),
            ("票码\nP1\n", None, vec!["P1"]),
            ("쿠폰번호,비고\nP1,x\n", None, vec!["P1"]),
            ("Gutschein\nP1\n", Some("gutschein"), vec!["P1"]),
            ("FIRST\nP1\n", Some("none"), vec!["FIRST", "P1"]),
            ("FIRST\nSECOND\nP1\n", None, vec!["FIRST", "SECOND", "P1"]),
        ] {
            assert_eq!(from_csv(file.as_bytes(), named).unwrap(), codes, "{file:?}");
        }
        for (file, named, says) in [
            ("serial,number\n1,A1\n", None, "none is called `code`"),
            ("serial,number\n1,A1\n", Some("code"), "it names serial, number"),
            ("code,barcode\n1,A1\n", None, "several columns"),
            ("A1\nA2,x\n", None, "line 2 has 2 cells"),
            ("id,code\n1\n", None, "no cell in the column"),
            ("Gutschein\nP1\nP2\n", None, "`Gutschein`, the title of the column or a code?"),
            ("번호\n가나\n", None, "the title of the column or a code?"),
            ("serial;number\n1;A1\n", None, "none is called `code`"),
        ] {
            let problem = from_csv(file.as_bytes(), named).unwrap_err();
            assert!(problem.detail.contains(says), "{file:?}: {}", problem.detail);
        }
        assert!(from_csv(&[0xff], None).is_err());
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
