// SPDX-License-Identifier: Apache-2.0

//! Reading JSON field by field: what is wrong is named by its path, and an amount is an integer or it is refused.

use serde_json::Value;
use ticketbridge_core::limits::AMOUNT_MAX;
use ticketbridge_core::port::DecodeError;
use ticketbridge_core::time::{Date, Millis, TimeZone, UnixMillis};

/// Code of a field that is not there.
pub(crate) const MISSING: &str = "missing_field";
/// Code of a field that is not what it should be.
pub(crate) const INVALID: &str = "invalid_field";
/// Code of an amount that is no integer of whole won.
pub(crate) const INVALID_AMOUNT: &str = "invalid_amount";
/// Code of amounts that do not add up.
pub(crate) const MISMATCH: &str = "amount_mismatch";

/// Characters of an identifier.
pub(super) const ID_CHARS_MAX: usize = 64;
/// Characters of a free text that is read.
pub(super) const TEXT_CHARS_MAX: usize = 500;
/// What has happened is not told further ahead than this, whatever the clocks show.
const AHEAD_MAX: Millis = Millis::hours(24 * 366);
/// Elements of a list.
pub(crate) const LIST_MAX: usize = 500;

/// A place in a JSON document. Below what should be an object and is none, nothing can be read: whoever tries is told where.
#[derive(Clone, Debug)]
pub(crate) struct At<'a> {
    value: Option<&'a Value>,
    path: String,
    /// Where in the document the paths begin, as a JSON pointer.
    above: String,
    /// The zone of times that are written without an offset; without one they are refused.
    naive: Option<TimeZone>,
    /// The place above that is no object.
    no_object: Option<String>,
}

impl<'a> At<'a> {
    /// The whole document.
    pub(crate) fn root(value: &'a Value) -> Self {
        Self { value: Some(value), path: String::new(), above: String::new(), naive: None, no_object: None }
    }
    /// The whole document of a sender that writes times without an offset, in this zone.
    pub(crate) fn in_zone(value: &'a Value, naive: Option<TimeZone>) -> Self {
        Self { naive, ..Self::root(value) }
    }
    /// The same place under a name of its own: paths below begin anew.
    pub(crate) fn renamed(&self) -> Self {
        Self { path: String::new(), above: self.pointer(&self.path), ..self.clone() }
    }
    /// A field of an object.
    pub(crate) fn field(&self, name: &str) -> At<'a> {
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        let no_object = match self.value {
            None | Some(Value::Null | Value::Object(_)) => self.no_object.clone(),
            Some(_) => Some(self.path.clone()),
        };
        let above = self.above.clone();
        At { value: self.value.and_then(|value| value.get(name)), path, above, naive: self.naive, no_object }
    }
    /// A path of ours in the whole document.
    fn pointer(&self, path: &str) -> String {
        let steps = path.split(['.', '[']).map(|step| step.trim_end_matches(']')).filter(|step| !step.is_empty());
        steps.fold(self.above.clone(), |pointer, step| format!("{pointer}/{step}"))
    }
    fn error(&self, path: &str, reason: impl Into<String>, code: &'static str) -> DecodeError {
        DecodeError { pointer: Some(self.pointer(path)), ..DecodeError::new(path, reason).coded(code) }
    }
    /// What stands there; `None` also for `null`.
    pub(crate) fn value(&self) -> Result<Option<&'a Value>, DecodeError> {
        match &self.no_object {
            Some(above) => Err(self.error(above, "must be an object", INVALID)),
            None => Ok(self.value.filter(|value| !value.is_null())),
        }
    }
    /// Whether something stands there that is to be read, be it to learn that it cannot be.
    pub(crate) fn is_there(&self) -> bool {
        !matches!(self.value(), Ok(None))
    }
    /// An error at this place.
    pub(crate) fn wrong(&self, reason: impl Into<String>) -> DecodeError {
        self.error(&self.path, reason, INVALID)
    }
    fn missing(&self) -> DecodeError {
        self.error(&self.path, "is missing", MISSING)
    }
    /// An error of sums at this place.
    pub(crate) fn mismatch(&self, reason: impl Into<String>) -> DecodeError {
        self.error(&self.path, reason, MISMATCH)
    }

    /// An object that must be there.
    pub(crate) fn object(&self) -> Result<At<'a>, DecodeError> {
        match self.value()? {
            Some(Value::Object(_)) => Ok(self.clone()),
            Some(_) => Err(self.wrong("must be an object")),
            None => Err(self.missing()),
        }
    }
    /// An object that may be left out.
    pub(crate) fn maybe_object(&self) -> Result<At<'a>, DecodeError> {
        if self.is_there() { self.object() } else { Ok(self.clone()) }
    }
    /// The elements of a list; none when it is not there.
    pub(crate) fn list(&self) -> Result<Vec<At<'a>>, DecodeError> {
        match self.value()? {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) if items.len() <= LIST_MAX => {
                let at = |(index, value)| At {
                    value: Some(value),
                    path: format!("{}[{index}]", self.path),
                    above: self.above.clone(),
                    naive: self.naive,
                    no_object: None,
                };
                Ok(items.iter().enumerate().map(at).collect())
            }
            Some(Value::Array(_)) => Err(self.wrong(format!("has more than {LIST_MAX} elements"))),
            Some(_) => Err(self.wrong("must be a list")),
        }
    }
    /// A text that must be there, and not empty.
    pub(crate) fn text(&self) -> Result<String, DecodeError> {
        self.maybe_text()?.ok_or_else(|| self.missing())
    }
    /// A text, if it is there.
    pub(crate) fn maybe_text(&self) -> Result<Option<String>, DecodeError> {
        match self.value()? {
            None => Ok(None),
            Some(Value::String(text)) if text.chars().count() > TEXT_CHARS_MAX => {
                Err(self.wrong(format!("is longer than {TEXT_CHARS_MAX} characters")))
            }
            Some(Value::String(text)) => Ok((!text.trim().is_empty()).then(|| text.trim().to_owned())),
            Some(_) => Err(self.wrong("must be a text")),
        }
    }
    /// An identifier, exactly as it is written: one with a blank more is another one.
    pub(crate) fn id(&self) -> Result<String, DecodeError> {
        self.maybe_id()?.ok_or_else(|| self.missing())
    }
    /// The same, if it is there.
    pub(crate) fn maybe_id(&self) -> Result<Option<String>, DecodeError> {
        if self.maybe_text()?.is_none() {
            return Ok(None);
        }
        let text = self.value()?.and_then(Value::as_str).unwrap_or_default().to_owned();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        // Dots alone would be a way to another address in a call of ours.
        let is_dots = matches!(text.as_str(), "." | "..");
        if text.len() <= ID_CHARS_MAX && text.chars().all(is_plain) && !is_dots {
            return Ok(Some(text));
        }
        Err(self.wrong("must be 1 to 64 of A-Z a-z 0-9 . _ -, and more than dots"))
    }
    /// One of the words that are known.
    pub(crate) fn word<T: Copy>(&self, words: &[(&str, T)]) -> Result<T, DecodeError> {
        let text = self.text()?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
        found.ok_or_else(|| {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.wrong(format!("must be one of {}", known.join(", ")))
        })
    }
    /// True or false; false when it is not there.
    pub(crate) fn flag(&self) -> Result<bool, DecodeError> {
        match self.value()? {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(self.wrong("must be true or false")),
        }
    }
    /// Whole won, zero or more: texts, decimals and exponents are refused.
    pub(crate) fn amount(&self) -> Result<i64, DecodeError> {
        self.maybe_amount()?.ok_or_else(|| self.missing())
    }
    /// The same, if it is there.
    pub(crate) fn maybe_amount(&self) -> Result<Option<i64>, DecodeError> {
        let Some(value) = self.value()? else { return Ok(None) };
        let bad = |reason: &str| self.error(&self.path, reason, INVALID_AMOUNT);
        match value.as_i64() {
            Some(amount) if (0..=AMOUNT_MAX).contains(&amount) => Ok(Some(amount)),
            Some(_) => Err(bad("must be 0 to 9007199254740991")),
            None => Err(bad("must be an integer")),
        }
    }
    /// The same, and more than nothing.
    pub(crate) fn positive(&self) -> Result<i64, DecodeError> {
        match self.amount()? {
            0 => Err(self.wrong("must be more than 0")),
            amount => Ok(amount),
        }
    }
    /// A count.
    pub(crate) fn count(&self, most: u32) -> Result<u32, DecodeError> {
        let Some(value) = self.value()? else { return Err(self.missing()) };
        let count = value.as_u64().and_then(|count| u32::try_from(count).ok()).filter(|count| *count <= most);
        count.ok_or_else(|| self.wrong(format!("must be an integer from 0 to {most}")))
    }
    /// An instant with an offset.
    pub(crate) fn instant(&self) -> Result<UnixMillis, DecodeError> {
        self.maybe_instant()?.ok_or_else(|| self.missing())
    }
    /// The same, if it is there.
    pub(crate) fn maybe_instant(&self) -> Result<Option<UnixMillis>, DecodeError> {
        let Some(text) = self.maybe_text()? else { return Ok(None) };
        let read = |text| UnixMillis::parse_rfc3339(text).or_else(|| without_offset(text, self.naive?));
        match Some(&text).filter(|text| is_plainly_a_time(text)).and_then(|text| read(text)) {
            Some(at) => Ok(Some(at)),
            None => Err(self.wrong("must be an RFC 3339 time with an offset")),
        }
    }
    /// An instant at which something has happened: `now` is when its message was sent.
    pub(crate) fn past(&self, now: Option<UnixMillis>) -> Result<UnixMillis, DecodeError> {
        let at = self.instant()?;
        match now.is_some_and(|now| at > now + AHEAD_MAX) {
            true => Err(self.wrong("lies in the future: more than a year after the message was sent")),
            false => Ok(at),
        }
    }
    /// A date, if it is there.
    pub(crate) fn maybe_date(&self) -> Result<Option<Date>, DecodeError> {
        let Some(text) = self.maybe_text()? else { return Ok(None) };
        Date::parse(&text).map(Some).ok_or_else(|| self.wrong("must be a date YYYY-MM-DD"))
    }
}

/// The number that stands for travellers whose own is kept elsewhere: never a key, never a recipient.
pub(crate) const NOBODYS_PHONE: &str = "010-0000-0000";

/// A booker's phone, unless it is masked or nobody's: such a number would make one guest of many.
pub(crate) fn real_phone(booker: &At<'_>) -> Result<Option<String>, DecodeError> {
    let masked = booker.field("masked").flag()?;
    let told = booker.field("phone").maybe_text()?;
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let is_real = |text: &String| !masked && !text.contains('*') && digits(text) != digits(NOBODYS_PHONE);
    Ok(told.filter(is_real))
}

/// Date and time with a `T` between, and a second that every clock has: what else is let pass by some readers has two readings.
fn is_plainly_a_time(text: &str) -> bool {
    let at = |range: std::ops::Range<usize>| text.as_bytes().get(range);
    matches!(at(10..11), Some(b"T" | b"t")) && at(17..19).is_none_or(|second| second != b"60")
}

/// A time of the clock on the wall in `zone`.
fn without_offset(text: &str, zone: TimeZone) -> Option<UnixMillis> {
    let as_if_utc = UnixMillis::parse_rfc3339(&format!("{text}Z"))?;
    let date = Date::parse(text.get(..10)?)?;
    let minute = text.get(11..13)?.parse::<u32>().ok()? * 60 + text.get(14..16)?.parse::<u32>().ok()?;
    Some(as_if_utc + (zone.instant(date, minute) - TimeZone::UTC.instant(date, minute)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn edge_05_06_a_time_keeps_its_offset_and_without_one_needs_a_named_zone() {
        let body = json!({ "utc": "2026-11-21T02:00:00Z", "naive": "2026-11-21T11:00:00.250" });
        let noon = UnixMillis::parse_rfc3339("2026-11-21T11:00:00+09:00").unwrap();
        let seoul = At::in_zone(&body, Some(TimeZone::SEOUL));
        assert_eq!(seoul.field("utc").instant().unwrap(), noon, "an offset wins over every setting");
        assert_eq!(seoul.field("naive").instant().unwrap().0, noon.0 + 250);
        assert!(At::root(&body).field("naive").instant().is_err(), "there is no default");
    }

    #[test]
    fn a_time_and_a_number_have_one_way_of_being_written() {
        let times = ["2026-11-21 11:00:00+09:00", "2026-11-21T11:00:60+09:00", "2026-11-21T11:00+09:00", "2026-11-21"];
        for text in times {
            assert!(At::root(&json!({ "at": text })).field("at").instant().is_err(), "{text}");
        }
        for text in [" R1", "R1 ", "R1\n", "R 1", "", " ", "..", &"R".repeat(65)] {
            assert!(At::root(&json!({ "no": text })).field("no").id().is_err(), "{text:?}");
        }
        let now = UnixMillis::parse_rfc3339("2026-11-21T11:00:00+09:00");
        let body = json!({ "soon": "2027-02-22T10:00:00+09:00", "far": "2027-12-26T11:00:00+09:00" });
        assert!(At::root(&body).field("soon").past(now).is_ok());
        assert!(At::root(&body).field("far").past(now).is_err());
        assert!(At::root(&body).field("far").past(None).is_ok(), "an answer is as old as its question");
    }
}
