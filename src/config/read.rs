// SPDX-License-Identifier: Apache-2.0

//! Reading TOML with a place for every value: a mistake is reported where it stands and reading goes on.

use std::cell::RefCell;
use std::ops::RangeInclusive;

use ipnet::IpNet;
use ticketbridge_core::limits::AMOUNT_MAX;
use ticketbridge_core::product::DateRange;
use ticketbridge_core::{Date, Millis, TimeZone};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::finding::{Findings, Place, suggest};
use super::source::Source;

/// What to write for a key that must be there and is not.
const EXAMPLES: [(&str, &str); 21] = [
    ("at", "\"18:00\""),
    ("backend", "\"gate\""),
    ("before_visit", "\"48h\""),
    ("booking_product", "\"LP-B2\""),
    ("booking_product.code", "\"LP-B2\""),
    ("calendar", "[{ from = \"2026-11-01\", to = \"2027-03-31\" }]"),
    ("code", "\"LP-V2\""),
    ("currency", "\"CNY\""),
    ("fields", "[\"name\", \"phone\"]"),
    ("from", "\"2026-11-01\""),
    ("key", "{ env = \"TICKETBRIDGE_DATA_KEY\" }"),
    ("limit", "0"),
    ("mode", "\"none\""),
    ("ops", "{ tokens = [{ name = \"ops\", role = \"admin\", token = { env = \"TICKETBRIDGE_OPS_TOKEN\" } }] }"),
    ("pool", "\"lp-2026\""),
    ("price", "19900"),
    ("privacy", "{ key = { env = \"TICKETBRIDGE_DATA_KEY\" } }"),
    ("ticketing", "{ mode = \"none\" }"),
    ("to", "\"2027-03-31\""),
    ("token", "{ env = \"TICKETBRIDGE_OPS_TOKEN\" }"),
    ("who", "\"one\""),
];

/// A table, and which of its keys somebody wants: [`Table::finish`] reports the others.
#[derive(Clone)]
pub(super) struct Table<'a> {
    source: &'a Source,
    findings: &'a Findings,
    table: &'a DeTable<'a>,
    at: usize,
    name: String,
    known: RefCell<Vec<&'static str>>,
}

/// A value and where it stands.
#[derive(Clone)]
pub(super) struct Value<'a> {
    source: &'a Source,
    findings: &'a Findings,
    value: &'a DeValue<'a>,
    at: usize,
    name: String,
}

impl<'a> Table<'a> {
    /// The whole of a file.
    pub(super) fn file(source: &'a Source, table: &'a DeTable<'a>, findings: &'a Findings) -> Self {
        Self { source, findings, table, at: 0, name: String::new(), known: RefCell::default() }
    }

    /// Where the table begins.
    pub(super) fn place(&self) -> Place {
        self.source.place(self.at)
    }

    /// Where findings about it go.
    pub(super) fn findings(&self) -> &'a Findings {
        self.findings
    }

    /// The keys that stand in it.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.table.keys().map(|key| key.get_ref().as_ref())
    }

    /// Whether `key` stands in it, whatever its value.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// The value of `key`, without asking for it: [`Table::finish`] still reports the key.
    pub(super) fn peek(&self, key: &str) -> Option<Value<'a>> {
        let value = self.table.get(key)?;
        let name = if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) };
        // A key's own line helps more than that of a value that begins further down.
        let at = self.table.get_key_value(key).map_or(value.span().start, |(key, _)| key.span().start);
        let in_table_header = value.get_ref().is_table() || value.get_ref().is_array();
        let at = if in_table_header && at == 0 { value.span().start } else { at };
        Some(Value { source: self.source, findings: self.findings, value: value.get_ref(), at, name })
    }

    /// The value of `key`, when it is there.
    pub(super) fn get(&self, key: &'static str) -> Option<Value<'a>> {
        self.known.borrow_mut().push(key);
        self.peek(key)
    }

    /// What `read` makes of the value of `key`; `None` when it is absent or (with a finding) wrong.
    pub(super) fn opt<T>(&self, key: &'static str, read: impl FnOnce(Value<'a>) -> Option<T>) -> Option<T> {
        self.get(key).and_then(read)
    }

    /// The same for a key that must be there.
    pub(super) fn must<T>(&self, key: &'static str, read: impl FnOnce(Value<'a>) -> Option<T>) -> Option<T> {
        match self.get(key) {
            Some(value) => read(value),
            None => {
                let within = if self.name.is_empty() { String::new() } else { format!(" in `{}`", self.name) };
                let whole = format!("{}.{key}", self.name);
                let of = |wanted: &str| EXAMPLES.iter().find(|(name, _)| *name == wanted).map(|(_, example)| *example);
                let example = of(&whole).or_else(|| of(key)).unwrap_or("…");
                let mend = format!("add `{key} = {example}`");
                self.findings.problem(self.place(), format!("`{key}` is missing{within}"), mend);
                None
            }
        }
    }

    /// Says that somebody else reads `key`.
    pub(super) fn expect_key(&self, key: &'static str) {
        self.known.borrow_mut().push(key);
    }

    /// Reports every key that nobody asked for.
    pub(super) fn finish(&self) {
        let known = self.known.borrow();
        for key in known.iter() {
            self.findings.asked(self.general_name(key), self.has(key));
        }
        for key in self.table.keys() {
            let word: &str = key.get_ref();
            if !known.contains(&word) {
                let within = if self.name.is_empty() { String::new() } else { format!(" in `{}`", self.name) };
                self.findings.problem(
                    self.source.place(key.span().start),
                    format!("unknown key `{word}`{within}"),
                    suggest(word, known.iter().copied()),
                );
            }
        }
    }

    /// A key under the name of its table, whichever element of a list that is.
    fn general_name(&self, key: &str) -> String {
        let steps = self.name.split('.').filter(|step| !step.is_empty());
        let steps = steps.map(|step| if step.bytes().all(|b| b.is_ascii_digit()) { "*" } else { step });
        std::iter::once(self.source.part.word()).chain(steps).chain([key]).collect::<Vec<_>>().join(".")
    }

    /// The place of the value at a dotted path, or of its nearest ancestor that exists.
    pub(super) fn place_of(&self, path: &str) -> Place {
        let mut steps = path.split('.');
        let Some(mut found) = steps.next().and_then(|key| self.peek(key)) else { return self.place() };
        for step in steps {
            let next = match found.value {
                DeValue::Table(_) => found.as_table().and_then(|table| table.peek(step)),
                DeValue::Array(_) => step.parse().ok().and_then(|index: usize| found.elements().into_iter().nth(index)),
                _ => None,
            };
            match next {
                Some(next) => found = next,
                None => break,
            }
        }
        found.place()
    }
}

impl<'a> Value<'a> {
    /// Where it stands.
    pub(super) fn place(&self) -> Place {
        self.source.place(self.at)
    }
    /// Its key as a dotted path within the file.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
    /// The value itself.
    pub(super) fn raw(&self) -> &'a DeValue<'a> {
        self.value
    }
    /// Reports something wrong here; `None`, for the caller to return.
    pub(super) fn wrong<T>(&self, problem: impl std::fmt::Display, mend: impl Into<String>) -> Option<T> {
        self.findings.problem(self.place(), format!("`{}` {problem}", self.name), mend);
        None
    }
    /// Reports something that works and should not stay.
    pub(super) fn warn(&self, problem: impl std::fmt::Display, mend: impl Into<String>) {
        self.findings.warning(self.place(), format!("`{}` {problem}", self.name), mend);
    }
    fn not_a<T>(&self, wanted: &str, example: &str) -> Option<T> {
        self.wrong(format_args!("is of type {}, not {wanted}", self.value.type_str()), format!("write {example}"))
    }

    /// The table in it, if it is one; no finding otherwise.
    pub(super) fn as_table(&self) -> Option<Table<'a>> {
        let table = self.value.as_table()?;
        let (source, findings, at, name) = (self.source, self.findings, self.at, self.name.clone());
        Some(Table { source, findings, table, at, name, known: RefCell::default() })
    }
    /// A table.
    pub(super) fn table(self) -> Option<Table<'a>> {
        match self.as_table() {
            Some(table) => Some(table),
            None => self.not_a("a table", "`{ key = value, … }`"),
        }
    }
    /// The elements, if it is a list; no finding otherwise.
    pub(super) fn elements(&self) -> Vec<Value<'a>> {
        let Some(array) = self.value.as_array() else { return Vec::new() };
        let element = |(index, value): (usize, &'a Spanned<DeValue<'a>>)| Value {
            source: self.source,
            findings: self.findings,
            value: value.get_ref(),
            at: value.span().start,
            name: format!("{}.{index}", self.name),
        };
        array.iter().enumerate().map(element).collect()
    }
    /// A list.
    pub(super) fn list(self) -> Option<Vec<Value<'a>>> {
        if self.value.is_array() { Some(self.elements()) } else { self.not_a("a list", "`[ …, … ]`") }
    }
    /// The tables of `[[…]]`, each under the name of the list.
    pub(super) fn tables(self) -> Option<Vec<Table<'a>>> {
        let elements = self.clone().list()?.into_iter();
        Some(elements.filter_map(|value| Value { name: self.name.clone(), ..value }.table()).collect())
    }
    /// A list, each element of it read; those that are wrong are left out.
    pub(super) fn each<T>(self, read: impl FnMut(Value<'a>) -> Option<T>) -> Option<Vec<T>> {
        Some(self.list()?.into_iter().filter_map(read).collect())
    }
    /// A text that is not empty.
    pub(super) fn text(self) -> Option<String> {
        match self.value.as_str() {
            Some(text) if text.trim().is_empty() => self.wrong("is empty", "write what it should be"),
            Some(text) => Some(text.to_owned()),
            None => self.not_a("text", "it in \"quotes\""),
        }
    }
    /// A whole number in a range.
    /// True or false.
    pub(super) fn flag(self) -> Option<bool> {
        match self.raw().as_bool() {
            Some(flag) => Some(flag),
            None => self.wrong(format_args!("is of type {}", self.raw().type_str()), "write true or false"),
        }
    }

    pub(super) fn integer(self, range: RangeInclusive<i64>) -> Option<i64> {
        let (low, high) = (*range.start(), *range.end());
        let Some(integer) = self.value.as_integer() else { return self.not_a("a whole number", "a number") };
        match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) if range.contains(&number) => Some(number),
            _ => self.wrong(format_args!("is {integer}"), format!("write a number from {low} to {high}")),
        }
    }
    /// A whole number from `low` to `high`.
    pub(super) fn count(self, low: u32, high: u32) -> Option<u32> {
        self.integer(i64::from(low)..=i64::from(high)).and_then(|number| u32::try_from(number).ok())
    }
    /// An amount of money in minor units.
    pub(super) fn amount(self) -> Option<i64> {
        if self.value.is_float() {
            return self
                .not_a("a whole number", "the amount in the currency's minor unit, for example 19900 for 199.00");
        }
        self.integer(0..=AMOUNT_MAX)
    }
    /// A number with or without a fraction.
    pub(super) fn number(self, range: RangeInclusive<f64>) -> Option<f64> {
        let number = match self.value {
            DeValue::Float(float) => float.as_str().parse().ok(),
            DeValue::Integer(integer) => integer.as_str().parse().ok(),
            _ => return self.not_a("a number", "a number such as 2.0"),
        };
        match number {
            Some(number) if range.contains(&number) => Some(number),
            _ => {
                let shown = number.map_or_else(|| "no number".to_owned(), |number| number.to_string());
                self.wrong(
                    format_args!("is {shown}"),
                    format!("write a number from {} to {}", range.start(), range.end()),
                )
            }
        }
    }
    /// One of some words.
    pub(super) fn word<T: Copy>(self, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.clone().text()?;
        match words.iter().find(|(word, _)| *word == text) {
            Some((_, value)) => Some(*value),
            None => self.wrong(format_args!("is \"{text}\""), suggest(&text, words.iter().map(|(word, _)| *word))),
        }
    }
    /// A length of time of 1 ms or more.
    pub(super) fn millis(self) -> Option<Millis> {
        match self.clone().millis_or_zero()? {
            Millis(0) => self.wrong("is zero", "write a time of 1ms or more"),
            length => Some(length),
        }
    }
    /// A length of time, zero included.
    pub(super) fn millis_or_zero(self) -> Option<Millis> {
        const MEND: &str = "write a number and a unit (ms s m h d), for example \"10m\" or \"1h30m\"";
        let text = match self.value {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) => number.to_string(),
            _ => return self.wrong("is not a length of time", MEND),
        };
        match Millis::parse(&text) {
            Some(length) => Some(length),
            None => self.wrong(format_args!("is \"{text}\", which is not a length of time"), MEND),
        }
    }
    /// A date, in quotes or without.
    pub(super) fn date(self) -> Option<Date> {
        let text = self.text_or_datetime();
        match Date::parse(&text) {
            Some(date) => Some(date),
            None => self.wrong(
                format_args!("is \"{text}\", which is not a date"),
                "write an existing date as \"YYYY-MM-DD\", for example \"2026-11-01\"",
            ),
        }
    }
    /// Two dates in order, both included.
    pub(super) fn date_range(self) -> Option<DateRange> {
        let table = self.clone().table()?;
        let range = table.must("from", Value::date).zip(table.must("to", Value::date));
        table.finish();
        self.ordered(range)
    }
    /// The two dates, when the first is not after the second.
    pub(super) fn ordered(&self, range: Option<(Date, Date)>) -> Option<DateRange> {
        match range? {
            (from, to) if from <= to => Some(DateRange { from, to }),
            (from, to) => self.wrong(format_args!("ends on {to}, before it begins on {from}"), "swap `from` and `to`"),
        }
    }
    /// A time of day as a minute, for use as an exclusive end: `24:00` is the end of the day.
    pub(super) fn minute_of_day(self) -> Option<u32> {
        let text = self.text_or_datetime();
        let parts: Vec<&str> = text.split(':').collect();
        let two_digits = |part: &str| (part.len() == 2).then(|| part.parse::<u32>().ok()).flatten();
        let time = match parts.as_slice() {
            [hour, minute] | [hour, minute, "00"] => two_digits(hour).zip(two_digits(minute)),
            _ => None,
        };
        match time {
            Some((24, 0)) => Some(1_440),
            Some((23, 59)) => {
                self.warn("is \"23:59\", which leaves out the last minute of the day", "write \"24:00\"");
                Some(1_439)
            }
            Some((hour, minute)) if hour < 24 && minute < 60 => Some(hour * 60 + minute),
            _ => self.wrong(
                format_args!("is \"{text}\", which is not a time of day"),
                "write \"HH:MM\" from \"00:00\" to \"24:00\", for example \"18:00\"",
            ),
        }
    }
    /// The name of a time zone.
    pub(super) fn time_zone(self) -> Option<TimeZone> {
        let text = self.clone().text()?;
        match TimeZone::parse(&text) {
            Some(zone) => Some(zone),
            None => {
                let names = ["Asia/Shanghai", "Asia/Seoul", "Asia/Hong_Kong", "Asia/Tokyo", "Europe/London", "UTC"];
                self.wrong(
                    format_args!("is \"{text}\", which is not a time zone"),
                    format!("write an IANA name; {}", suggest(&text, names)),
                )
            }
        }
    }
    /// A network, or one address.
    pub(super) fn network(self) -> Option<IpNet> {
        let text = self.clone().text()?;
        let network = text.parse::<IpNet>().ok().or_else(|| text.parse().ok().map(|one: std::net::IpAddr| one.into()));
        match network {
            Some(network) => Some(network),
            None => self.wrong(
                format_args!("is \"{text}\", which is not an address range"),
                "write a CIDR, for example \"203.0.113.0/24\", or one address",
            ),
        }
    }
    /// A web address that begins with `https://`; `http://` is allowed to this machine only.
    pub(super) fn web_address(self) -> Option<String> {
        let text = self.clone().text()?;
        if text.contains('@') {
            return self.wrong(
                "holds a user name or a password",
                "leave out what stands before `@`; calls are signed instead",
            );
        }
        let host = |rest: &str| rest.split(['/', '?', '#']).next().unwrap_or_default().to_owned();
        if let Some(rest) = text.strip_prefix("https://") {
            if host(rest).is_empty() {
                return self.wrong(format_args!("is \"{text}\", which names no host"), "write \"https://host/path\"");
            }
            return Some(text);
        }
        match text.strip_prefix("http://") {
            Some(rest) if is_loopback(&host(rest)) => Some(text),
            Some(rest) => self.wrong(
                format_args!("is \"{text}\": guests' data and signatures would travel in the open"),
                format!("write \"https://{rest}\" (http is accepted for this machine's own addresses only)"),
            ),
            None => {
                self.wrong(format_args!("is \"{text}\", which is not a web address"), "write \"https://host/path\"")
            }
        }
    }
    /// The address under which a service is reached, alone: its pages and calls stand at the root.
    pub(super) fn root_address(self) -> Option<String> {
        let text = self.clone().web_address()?;
        let (scheme, rest) = text.split_once("://")?;
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if rest.strip_suffix('/').unwrap_or(rest) == host {
            return Some(text);
        }
        self.wrong(
            format_args!("is \"{text}\", and nothing may stand behind the host: pages and calls stand at the root"),
            format!("write \"{scheme}://{host}\""),
        )
    }
    /// A name that may stand in a path: lower-case letters, digits, `-`, `_` and `.`, beginning with a letter or digit.
    pub(super) fn id(self) -> Option<String> {
        /// Characters of the name of a channel, a back-end or an account.
        const ID_CHARS_MAX: usize = 64;
        let text = self.clone().text()?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if text.len() <= ID_CHARS_MAX
            && text.chars().all(plain)
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        {
            return Some(text);
        }
        self.wrong(
            format_args!("is \"{text}\", which cannot stand in a web path"),
            format!("use letters, digits, `-`, `_` and `.` only, at most {ID_CHARS_MAX}"),
        )
    }

    fn text_or_datetime(&self) -> String {
        match self.value {
            DeValue::String(text) => text.to_string(),
            DeValue::Datetime(datetime) => datetime.to_string(),
            DeValue::Integer(number) => number.to_string(),
            other => other.type_str().to_owned(),
        }
    }
}

/// Whether `host`, perhaps with a port, is this machine.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}
