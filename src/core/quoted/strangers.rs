// SPDX-License-Identifier: Apache-2.0

//! What may be somebody's phone, document or e-mail address, by its looks.

use std::ops::Range;

use super::writing::{as_compared, is_between, replaced};

/// Digits in a row that may be a phone or a document number.
const DIGITS_SHOWN_MAX: usize = 6;
/// Digits of the longest number that belongs to a person: a resident's card has 18, a phone with its country's code 15.
const DIGITS_MAX: usize = 18;
/// Characters between two groups of digits of one number, at most: "+86 (138) 0000-0001".
const BETWEEN_MAX: usize = 2;
/// A row of hex digits at least this long is a hash or a UUID.
const HEX_CHARS_MIN: usize = 16;
/// Nobody who was born later is asked for a resident's card without a right check digit.
const BORN_BEFORE: u32 = 2016;

/// What is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Strictness {
    /// Prose: every long row of digits may be a person's.
    Sentence,
    /// A number, a code: only what has the form of a person's.
    Identifier,
    /// What is read out to a guest, or the order's own number: any row of digits may be it, unless it is a document's number.
    Ticket,
}

/// `text` without what has the form of a person's number or address: a log's line, a problem's sentence, in which there are other long
/// numbers too.
pub fn without_persons(text: &str) -> String {
    masked(text, Strictness::Identifier)
}

pub(super) fn masked(text: &str, strictness: Strictness) -> String {
    let text = without_addresses(text);
    let text = if has_documents(&text, strictness) { without_documents(&text) } else { text };
    let groups = groups(&text);
    let mut places = Vec::new();
    let mut at = 0;
    while let Some(group) = groups.get(at) {
        if let Some(next) = date_ends(&groups, at) {
            at = next;
            continue;
        }
        match longest_number(&text, &groups, at, strictness) {
            Some(last) => {
                let end = groups.get(last).map_or(group.end, |last| last.end);
                places.push(group.start..end);
                at = last + 1;
            }
            None => {
                if strictness == Strictness::Sentence && group.digits.len() > DIGITS_SHOWN_MAX {
                    places.push(group.start..group.end);
                }
                at += 1;
            }
        }
    }
    if places.is_empty() { text } else { replaced(&text, &places, "***") }
}

/// Whether words like the number of a passport or a permit are somebody's there: in what is written for people, which more words than
/// one always are. Alone, they are also what numbers of orders and tickets look like.
fn has_documents(text: &str, strictness: Strictness) -> bool {
    match strictness {
        Strictness::Sentence => true,
        Strictness::Identifier | Strictness::Ticket => text.trim().contains(char::is_whitespace),
    }
}

/// `text` with every word masked that has the form of a passport's or a permit's number.
pub(super) fn without_documents(text: &str) -> String {
    let (mut places, mut word) = (Vec::new(), None::<(usize, usize, String)>);
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        let plain = as_compared(c);
        if plain.is_ascii_alphanumeric() {
            let (_, end, so_far) = word.get_or_insert_with(|| (at, at, String::new()));
            *end = at + c.len_utf8();
            so_far.push(plain);
        } else if let Some((start, end, so_far)) = word.take()
            && is_document_word(&so_far)
        {
            places.push(start..end);
        }
    }
    if places.is_empty() { text.to_owned() } else { replaced(text, &places, "***") }
}

/// One or two letters and seven to nine digits; Korean passports since 2021 have a letter in the middle of their eight.
fn is_document_word(word: &str) -> bool {
    let letters = word.chars().take_while(char::is_ascii_alphabetic).count();
    let rest: Vec<char> = word.chars().skip(letters).collect();
    let is_plain = (7..=9).contains(&rest.len()) && rest.iter().all(char::is_ascii_digit);
    let is_korean = letters == 1
        && rest.len() == 8
        && rest.iter().enumerate().all(|(at, c)| if at == 3 { c.is_ascii_alphabetic() } else { c.is_ascii_digit() });
    (1..=2).contains(&letters) && (is_plain || is_korean)
}

/// Digits without anything between them.
struct Group {
    digits: String,
    start: usize,
    end: usize,
    /// What stands between the group before and this one, if nothing but separators does.
    after: Option<String>,
    /// Whether it stands inside a hash or a UUID's last part.
    is_hex: bool,
}

fn groups(text: &str) -> Vec<Group> {
    let mut all: Vec<Group> = Vec::new();
    let mut between = None::<String>;
    let mut open = false;
    for (at, c) in text.char_indices() {
        let plain = as_compared(c);
        if plain.is_ascii_digit() {
            match all.last_mut().filter(|_| open) {
                Some(group) => {
                    group.digits.push(plain);
                    group.end = at + c.len_utf8();
                }
                None => all.push(Group {
                    digits: plain.to_string(),
                    start: at,
                    end: at + c.len_utf8(),
                    after: between.take().filter(|between| between.chars().count() <= BETWEEN_MAX),
                    is_hex: is_in_hex(text, at),
                }),
            }
            open = true;
            continue;
        }
        if open {
            between = Some(String::new());
        }
        open = false;
        between = between.filter(|_| is_between(c) && plain != ',').map(|mut so_far| {
            so_far.push(plain);
            so_far
        });
    }
    all
}

fn is_in_hex(text: &str, at: usize) -> bool {
    let is_word = |c: &char| c.is_ascii_alphanumeric();
    let before = text.get(..at).unwrap_or_default().chars().rev().take_while(is_word);
    let after = text.get(at..).unwrap_or_default().chars().take_while(is_word);
    let word: Vec<char> = before.chain(after).collect();
    word.len() >= HEX_CHARS_MIN
        && word.iter().all(char::is_ascii_hexdigit)
        && word.iter().any(char::is_ascii_alphabetic)
}

/// The group after a date that begins at `at`: `2026-12-01`, with dashes, dots or slashes.
fn date_ends(groups: &[Group], at: usize) -> Option<usize> {
    let [year, month, day] = groups.get(at..at + 3)? else { return None };
    let is_joined = month.after == day.after && matches!(month.after.as_deref(), Some("-" | "." | "/"));
    let lengths = (year.digits.len(), month.digits.len(), day.digits.len());
    let is_date = is_joined && lengths == (4, 2, 2) && is_day(&year.digits, &month.digits, &day.digits);
    is_date.then_some(at + 3)
}

fn is_day(year: &str, month: &str, day: &str) -> bool {
    let value = |text: &str| text.parse::<u32>().unwrap_or(0);
    (1900..=2100).contains(&value(year)) && (1..=12).contains(&value(month)) && (1..=31).contains(&value(day))
}

/// The last group of the longest number of a person's that begins with this one.
fn longest_number(text: &str, groups: &[Group], at: usize, strictness: Strictness) -> Option<usize> {
    let (mut digits, mut found) = (String::new(), None);
    for (index, group) in groups.iter().enumerate().skip(at) {
        if group.is_hex || (index > at && group.after.is_none()) {
            break;
        }
        digits.push_str(&group.digits);
        if digits.len() > DIGITS_MAX {
            break;
        }
        let whole = groups.get(at).map_or(0, |first| first.start)..group.end;
        let is_phone = strictness != Strictness::Ticket && is_phone(text, &digits, &whole, index > at);
        if is_phone || is_document(text, &digits, &whole, groups.get(at..=index)) {
            found = Some(index);
        }
    }
    found
}

fn is_phone(text: &str, digits: &str, place: &Range<usize>, is_grouped: bool) -> bool {
    let before = text.get(..place.start).unwrap_or_default().chars().next_back().map(as_compared);
    if before == Some('+') && (8..=15).contains(&digits.len()) {
        return true;
    }
    let chinese =
        digits.strip_prefix("0086").or(digits.strip_prefix("86").filter(|rest| rest.len() == 11)).unwrap_or(digits);
    if chinese.len() == 11
        && chinese.starts_with('1')
        && !chinese.starts_with("10")
        && !chinese.starts_with("11")
        && !chinese.starts_with("12")
    {
        return true;
    }
    let korean = digits.strip_prefix("0082").or(digits.strip_prefix("82")).unwrap_or(digits);
    let (zero, national) = match korean.strip_prefix('0') {
        Some(rest) => (true, rest),
        None => (false, korean),
    };
    let dialled = zero || korean.len() < digits.len();
    let is_mobile = national.len() == 10 && national.starts_with("10")
        || (9..=10).contains(&national.len())
            && ["11", "16", "17", "18", "19"].iter().any(|code| national.starts_with(code));
    let is_landline = (8..=10).contains(&national.len()) && national.starts_with(['2', '3', '4', '5', '6', '7']);
    dialled && (is_mobile || (is_landline && is_grouped))
}

/// A Chinese resident's card (18 characters, the last one perhaps an X), or a Korean registration number (6 and 7 digits).
fn is_document(text: &str, digits: &str, place: &Range<usize>, groups: Option<&[Group]>) -> bool {
    if let Some([born, rest]) = groups
        && (born.digits.len(), rest.digits.len()) == (6, 7)
    {
        let is_date =
            is_day("2000", born.digits.get(2..4).unwrap_or_default(), born.digits.get(4..).unwrap_or_default());
        if is_date && rest.digits.starts_with(['1', '2', '3', '4', '5', '6', '7', '8']) {
            return true;
        }
    }
    let ends_in_x = text.get(place.end..).unwrap_or_default().chars().next().map(as_compared) == Some('x');
    let is_whole = digits.len() == 18 || (digits.len() == 17 && ends_in_x);
    let born = |range: Range<usize>| digits.get(range).unwrap_or_default();
    let year: u32 = born(6..10).parse().unwrap_or(0);
    is_whole
        && !digits.starts_with(['0', '9'])
        && is_day(born(6..10), born(10..12), born(12..14))
        && (year < BORN_BEFORE || has_check_digit(digits, ends_in_x))
}

/// GB 11643: weights of the first 17 digits, and the character that the remainder stands for.
fn has_check_digit(digits: &str, ends_in_x: bool) -> bool {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    const CHECKS: [char; 11] = ['1', '0', 'x', '9', '8', '7', '6', '5', '4', '3', '2'];
    let sum: u32 = digits.chars().zip(WEIGHTS).map(|(c, weight)| c.to_digit(10).unwrap_or(0) * weight).sum();
    let expected = CHECKS.get((sum % 11) as usize);
    let last = if digits.len() == 17 && ends_in_x { Some('x') } else { digits.chars().nth(17) };
    expected.copied() == last
}

/// `text` with every e-mail address masked.
fn without_addresses(text: &str) -> String {
    if !text.contains(['@', '＠']) {
        return text.to_owned();
    }
    let is_part = |c: char| as_compared(c).is_alphanumeric() || matches!(as_compared(c), '.' | '_' | '%' | '+' | '-');
    let mut places = Vec::new();
    for (at, sign) in text.match_indices(['@', '＠']) {
        let before = text.get(..at).unwrap_or_default();
        let start = before.char_indices().rev().take_while(|(_, c)| is_part(*c)).last().map(|(start, _)| start);
        let after = text.get(at + sign.len()..).unwrap_or_default();
        let host: String = after.chars().take_while(|c| is_part(*c)).collect();
        let has_dot = host.trim_matches(['.', '．']).contains(['.', '．']);
        if let (Some(start), true) = (start, has_dot) {
            places.push(start..at + sign.len() + host.len());
        }
    }
    replaced(text, &places, "***@***")
}
