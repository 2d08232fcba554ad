// SPDX-License-Identifier: Apache-2.0

//! One name or number in its many writings: with spaces or dashes, in full-width characters, in capitals, with a country's code.

use std::ops::Range;

/// Codes of countries and the zeros before a national number.
const BEFORE_NATIONAL: [&str; 8] = ["0", "86", "82", "0086", "0082", "860", "820", "00820"];

/// A character as it is compared: full-width forms as plain ones, digits of other scripts as digits, capitals as small letters.
fn plain(c: char) -> char {
    let code = u32::from(c);
    let narrow = match code {
        0xFF01..=0xFF5E => char::from_u32(code - 0xFEE0).unwrap_or(c),
        0x0660..=0x0669 => digit(code - 0x0660),
        0x06F0..=0x06F9 => digit(code - 0x06F0),
        0x0966..=0x096F => digit(code - 0x0966),
        0x1D7CE..=0x1D7FF => digit((code - 0x1D7CE) % 10),
        _ => c,
    };
    narrow.to_lowercase().next().unwrap_or(narrow)
}

fn digit(value: u32) -> char {
    char::from_digit(value, 10).unwrap_or('0')
}

/// What people put between the parts of a name or number.
pub(super) fn is_between(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            plain(c),
            '-' | '.' | '_' | '/' | '(' | ')' | '+' | ',' | '·' | '・' | '‧' | '\'' | '\u{00AD}' | '\u{200B}'..='\u{200D}'
                | '\u{2010}'..='\u{2015}' | '\u{2060}' | '\u{2212}' | '\u{FEFF}' | '\u{FE63}'
        )
}

/// Text as it is compared: without what stands between parts.
pub(super) fn compared(text: &str) -> Vec<char> {
    text.chars().filter(|c| !is_between(*c)).map(plain).collect()
}

/// The digits of a text.
pub(super) fn digits(text: &str) -> Vec<char> {
    text.chars().map(plain).filter(char::is_ascii_digit).collect()
}

/// A phone without what is dialled before the national number.
pub(super) fn national(digits: &[char]) -> Vec<char> {
    let all: String = digits.iter().collect();
    for before in ["0086", "0082", "86", "82", "0"] {
        if let Some(rest) = all.strip_prefix(before) {
            let rest = rest.trim_start_matches('0');
            if rest.len() >= 8 {
                return rest.chars().collect();
            }
        }
    }
    digits.to_vec()
}

/// A character that is compared, and where it stands.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    pub(super) plain: char,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// A text, as it is searched.
pub(super) struct Writing<'t> {
    text: &'t str,
    pub(super) marks: Vec<Mark>,
}

impl<'t> Writing<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        let marks = text.char_indices().filter(|(_, c)| !is_between(*c)).map(|(start, c)| Mark {
            plain: plain(c),
            start,
            end: start + c.len_utf8(),
        });
        Self { text, marks: marks.collect() }
    }

    /// Where `sought` stands, whatever stands between its characters.
    fn find(&self, sought: &[char]) -> impl Iterator<Item = Range<usize>> {
        let found = self.marks.windows(sought.len().max(1)).enumerate();
        let sought = sought.to_vec();
        found
            .filter(move |(_, window)| window.iter().map(|mark| mark.plain).eq(sought.iter().copied()))
            .filter_map(|(at, window)| Some(at..at + window.len()).filter(|range| !range.is_empty()))
    }

    fn bytes(&self, marks: &Range<usize>) -> Option<Range<usize>> {
        let (first, last) = (self.marks.get(marks.start)?, self.marks.get(marks.end.checked_sub(1)?)?);
        Some(first.start..last.end)
    }

    /// A name, unless it is only a part of a longer word of Latin letters or digits.
    pub(super) fn find_name(&self, sought: &[char]) -> Vec<Range<usize>> {
        self.find(sought).filter_map(|marks| self.bytes(&marks)).filter(|bytes| !self.is_part_of_word(bytes)).collect()
    }

    /// Exactly these characters, as a word of their own.
    pub(super) fn find_word(&self, sought: &[char]) -> Vec<Range<usize>> {
        let word: String = sought.iter().collect();
        if word.is_empty() {
            return Vec::new();
        }
        let found = self.text.match_indices(&word).map(|(at, found)| at..at + found.len());
        found.filter(|bytes| !self.is_part_of_word(bytes)).collect()
    }

    /// A number, with what is dialled before it.
    pub(super) fn find_number(&self, sought: &[char]) -> Vec<Range<usize>> {
        self.find(sought).filter_map(|marks| self.bytes(&(self.dialled_from(marks.start)..marks.end))).collect()
    }

    fn is_part_of_word(&self, bytes: &Range<usize>) -> bool {
        let runs_on = |inside: Option<char>, outside: Option<char>| {
            inside.is_some_and(|c| c.is_ascii_alphanumeric()) && outside.is_some_and(|c| c.is_ascii_alphanumeric())
        };
        let inside = self.text.get(bytes.clone()).unwrap_or_default();
        let before = self.text.get(..bytes.start).unwrap_or_default().chars().next_back();
        let after = self.text.get(bytes.end..).unwrap_or_default().chars().next();
        runs_on(inside.chars().next(), before) || runs_on(inside.chars().next_back(), after)
    }

    /// The first mark of a number whose national part begins at `at`.
    fn dialled_from(&self, at: usize) -> usize {
        let longest = BEFORE_NATIONAL.iter().map(|before| before.len()).max().unwrap_or(0);
        let mut found = at;
        for length in 1..=longest {
            let Some(from) = at.checked_sub(length) else { break };
            let before: String = self.marks.get(from..at).unwrap_or_default().iter().map(|mark| mark.plain).collect();
            let is_whole = from.checked_sub(1).and_then(|i| self.marks.get(i)).is_none_or(|mark| {
                !mark.plain.is_ascii_digit() || self.marks.get(from).is_some_and(|first| first.start != mark.end)
            });
            if is_whole && BEFORE_NATIONAL.contains(&before.as_str()) {
                found = from;
            }
        }
        found
    }
}

/// `text` with these places replaced; overlapping ones count once.
pub(super) fn replaced(text: &str, places: &[Range<usize>], by: &str) -> String {
    let (mut shown, mut taken) = (String::with_capacity(text.len()), 0);
    for place in places {
        if place.start < taken {
            continue;
        }
        shown.push_str(text.get(taken..place.start).unwrap_or_default());
        shown.push_str(by);
        taken = place.end;
    }
    shown.push_str(text.get(taken..).unwrap_or_default());
    shown
}

/// A character as it is compared, for those who look at characters one by one.
pub(super) fn as_compared(c: char) -> char {
    plain(c)
}
