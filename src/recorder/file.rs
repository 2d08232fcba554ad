// SPDX-License-Identifier: Apache-2.0

//! The file of a recording: sealed with the key of the configuration, line by line, so that a day of any length fits. Each line is bound to
//! the file and to its place; the first says how many there are. So none can be changed, moved, left out or added unnoticed.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};
use ticketbridge_core::message::StockKey;
use ticketbridge_core::{BookingId, OrderId, ProductCode, UnixMillis};
use ticketbridge_store::{ClaimKind, Sealer};

use super::outcome::Outcome;
use super::tape::Piece;

/// What a file of this kind begins with.
const BEGINS: &str = "ticketbridge recording 1 ";
/// Records in one line.
const LINE_MAX: usize = 128;

/// What is recorded of a time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// From when, until when.
    pub time: (i64, i64),
    /// The version of this program that recorded it.
    pub version: String,
    /// What happened, in the order of its beginning; a time in milliseconds and the piece.
    pub pieces: Vec<(i64, Piece)>,
    /// What the orders had become.
    pub outcomes: Vec<Outcome>,
    /// In which form that is written down.
    #[serde(default)]
    pub form: u32,
    /// Codes that were drawn from each pool, in that order, as an older version wrote them: without their bookings.
    pub pools: BTreeMap<String, Vec<String>>,
    /// Codes that were drawn from pools, in that order.
    #[serde(default)]
    pub drawn: Vec<Drawn>,
    /// What admits to the orders, or did: no report shows it.
    #[serde(default)]
    pub codes: Vec<String>,
    /// What could be spent of each credit account at the beginning.
    pub credit: BTreeMap<String, i64>,
    /// What was taken of stock at the beginning.
    #[serde(default)]
    pub stock: Vec<Taken>,
    /// What orders that are not in the recording claim for guests who are.
    #[serde(default)]
    pub claims: Vec<Claimed>,
    /// What is not in it, a sentence each.
    pub left_out: Vec<String>,
}

/// What was taken of a product, or of a product on a date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Of what.
    pub key: StockKey,
    /// How many there are, where that is limited.
    pub total: Option<i64>,
    /// How many of them were taken.
    pub units: i64,
}

/// What an order that began before the recording claims for a guest, for purchase limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claimed {
    /// The order.
    pub order: OrderId,
    /// Of what.
    pub product: ProductCode,
    /// By what the guest is recognised.
    pub kind: ClaimKind,
    /// The stand-in for that.
    pub text: String,
    /// How many.
    pub units: u32,
    /// Whether it counted at the beginning.
    pub live: bool,
}

/// Codes that a booking drew. Two that draw at the same time do so in one order or the other, so a replay gives each its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drawn {
    /// From which pool.
    pub pool: String,
    /// The booking.
    pub booking: BookingId,
    /// The codes.
    pub codes: Vec<String>,
}

impl Recorded {
    /// Its beginning.
    pub fn from(&self) -> UnixMillis {
        UnixMillis(self.time.0)
    }
    /// How many messages came in, and how many calls went out.
    pub fn counts(&self) -> (usize, usize) {
        let count = |is: fn(&Piece) -> bool| self.pieces.iter().filter(|(_, piece)| is(piece)).count();
        (count(|piece| matches!(piece, Piece::In(_))), count(|piece| matches!(piece, Piece::Out(_))))
    }
    /// Its end.
    pub fn to(&self) -> UnixMillis {
        UnixMillis(self.time.1)
    }
}

/// The first line.
#[derive(Serialize, Deserialize)]
struct Head {
    lines: usize,
    time: (i64, i64),
    version: String,
    #[serde(default)]
    form: u32,
    pools: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    drawn: Vec<Drawn>,
    #[serde(default)]
    codes: Vec<String>,
    credit: BTreeMap<String, i64>,
    #[serde(default)]
    stock: Vec<Taken>,
    #[serde(default)]
    claims: Vec<Claimed>,
    left_out: Vec<String>,
}

/// One record of a later line.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Record {
    Piece(i64, Piece),
    Outcome(Outcome),
}

/// Why a recording cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file.
    #[error("the file cannot be used")]
    Io(#[from] std::io::Error),
    /// Something has its name.
    #[error("{} is there already; nothing is written over it", .0.display())]
    Exists(std::path::PathBuf),
    /// It is something else.
    #[error("this is no recording of ticketbridge's, or one of another version")]
    NotOne,
    /// The key does not open it, or it was changed.
    #[error("line {0} cannot be opened: the file was sealed with another key than [privacy] key, or it was changed")]
    Sealed(usize),
    /// A part is missing.
    #[error("the file breaks off: it has {found} of {lines} lines")]
    Cut {
        /// How many there are.
        found: usize,
        /// How many there should be.
        lines: usize,
    },
    /// What is in it cannot be read.
    #[error("line {line} cannot be read")]
    Content {
        /// Which.
        line: usize,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

fn place(name: &str, line: usize) -> String {
    format!("recording/{name}/{line}")
}

/// Writes a recording into a new file, which nobody else may read; `name` is random, and makes its lines its own.
///
/// # Errors
/// When something has the file's name, or it cannot be written; then nothing of it is left.
pub fn write(path: &Path, recorded: &Recorded, sealer: &Sealer, name: &str) -> Result<(), FileError> {
    let made = ticketbridge_store::new_for_us(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => FileError::Exists(path.to_owned()),
        _ => FileError::Io(error),
    })?;
    let written = write_into(made, recorded, sealer, name);
    if written.is_err() {
        // A part of a recording is none.
        drop(std::fs::remove_file(path));
    }
    written
}

fn write_into(made: std::fs::File, recorded: &Recorded, sealer: &Sealer, name: &str) -> Result<(), FileError> {
    let pieces = recorded.pieces.iter().map(|(at, piece)| Record::Piece(*at, piece.clone()));
    let records: Vec<Record> = pieces.chain(recorded.outcomes.iter().cloned().map(Record::Outcome)).collect();
    let head = Head {
        lines: records.len().div_ceil(LINE_MAX) + 1,
        time: recorded.time,
        version: recorded.version.clone(),
        form: recorded.form,
        pools: recorded.pools.clone(),
        drawn: recorded.drawn.clone(),
        codes: recorded.codes.clone(),
        credit: recorded.credit.clone(),
        stock: recorded.stock.clone(),
        claims: recorded.claims.clone(),
        left_out: recorded.left_out.clone(),
    };
    let mut out = std::io::BufWriter::new(made);
    writeln!(out, "{BEGINS}{name}")?;
    let json = |line: usize| move |source| FileError::Content { line, source };
    writeln!(out, "{}", sealer.seal(&place(name, 0), &serde_json::to_vec(&head).map_err(json(0))?))?;
    for (index, part) in records.chunks(LINE_MAX).enumerate() {
        let line = index + 1;
        writeln!(out, "{}", sealer.seal(&place(name, line), &serde_json::to_vec(part).map_err(json(line))?))?;
    }
    out.flush()?;
    // Whoever is told that it was written may rely on it.
    out.get_ref().sync_all()?;
    Ok(())
}

/// Reads a recording.
///
/// # Errors
/// When it is none, was changed, breaks off, or was sealed with another key.
pub fn read(path: &Path, sealer: &Sealer) -> Result<Recorded, FileError> {
    let mut lines = BufReader::new(std::fs::File::open(path)?).lines();
    let first = lines.next().ok_or(FileError::NotOne)??;
    let name = first.strip_prefix(BEGINS).ok_or(FileError::NotOne)?.to_owned();
    let (mut head, mut recorded) = (None::<Head>, Recorded::default());
    let mut found = 0;
    for (line, sealed) in lines.enumerate() {
        let clear = sealer.open(&place(&name, line), sealed?.trim()).map_err(|_| FileError::Sealed(line))?;
        let content = |source| FileError::Content { line, source };
        if line == 0 {
            head = Some(serde_json::from_slice(&clear).map_err(content)?);
        } else {
            for record in serde_json::from_slice::<Vec<Record>>(&clear).map_err(content)? {
                match record {
                    Record::Piece(at, piece) => recorded.pieces.push((at, piece)),
                    Record::Outcome(outcome) => recorded.outcomes.push(outcome),
                }
            }
        }
        found += 1;
    }
    let Some(head) = head else { return Err(FileError::NotOne) };
    if found != head.lines {
        return Err(FileError::Cut { found, lines: head.lines });
    }
    let Head { time, version, form, pools, drawn, codes, credit, stock, claims, left_out, lines: _ } = head;
    Ok(Recorded { time, version, form, pools, drawn, codes, credit, stock, claims, left_out, ..recorded })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded() -> Recorded {
        let piece = |n: i64| (n, Piece::Task { name: format!("task {n}") });
        Recorded { time: (1, 9), version: "0".to_owned(), pieces: (0..300).map(piece).collect(), ..Recorded::default() }
    }

    #[test]
    fn a_recording_comes_back_as_it_was() {
        let folder = tempfile::tempdir().expect("a directory");
        let (path, sealer) = (folder.path().join("day"), Sealer::new(vec![[3; 32]]));
        write(&path, &recorded(), &sealer, "a-name").expect("it is written");
        assert_eq!(read(&path, &sealer).expect("it is read"), recorded());
        assert!(matches!(write(&path, &recorded(), &sealer, "b"), Err(FileError::Exists(_))));
        assert_eq!(read(&path, &sealer).expect("it is still there"), recorded());
        assert!(matches!(read(&path, &Sealer::new(vec![[4; 32]])), Err(FileError::Sealed(0))));
    }

    #[test]
    fn nothing_of_it_can_be_changed_moved_or_left_out() {
        let folder = tempfile::tempdir().expect("a directory");
        let (path, sealer) = (folder.path().join("day"), Sealer::new(vec![[3; 32]]));
        write(&path, &recorded(), &sealer, "a-name").expect("it is written");
        let text = std::fs::read_to_string(&path).expect("text");
        assert!(!text.contains("task"), "nothing is in clear");
        #[cfg(unix)]
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).expect("the file").permissions()) & 0o777,
            0o600
        );
        let lines: Vec<&str> = text.lines().collect();
        let swapped = [lines[0], lines[1], lines[3], lines[2], lines[4]].join("\n");
        let renamed = text.replacen("a-name", "another", 1);
        let changed = text.replacen(&lines[2][40..44], "AAAA", 1);
        for (text, what) in [(swapped, "moved"), (renamed, "renamed"), (changed, "changed")] {
            std::fs::write(&path, text).expect("it is written");
            assert!(matches!(read(&path, &sealer), Err(FileError::Sealed(_))), "{what}");
        }
        std::fs::write(&path, lines[..4].join("\n")).expect("it is written");
        assert!(matches!(read(&path, &sealer), Err(FileError::Cut { found: 3, lines: 4 })));
        std::fs::write(&path, "something else").expect("it is written");
        assert!(matches!(read(&path, &sealer), Err(FileError::NotOne)));
    }
}
