// SPDX-License-Identifier: Apache-2.0

//! The body of an act: known fields alone, each in its form; what is wrong is said by the field's name.

use std::borrow::Cow;

use http::StatusCode;
use serde_json::{Map, Value};
use ticketbridge_core::limits::{CODE_CHARS_MAX, QR_CHARS_MAX, TEXT_CHARS_MAX, TICKETS_MAX};
use ticketbridge_core::message::NewTicket;
use ticketbridge_core::order::TicketKind;
use ticketbridge_core::personal::DocumentNumber;
use ticketbridge_core::port::FieldError;
use ticketbridge_core::quoted::{ForeignName, ForeignNumber};
use ticketbridge_core::{Date, UnixMillis};

use crate::accounts::scope::{KINDS, Scope};
use crate::accounts::{password, people};
use crate::http::nesting;
use crate::http::ops::faults::{Faults, Place};
use crate::http::ops::fields::{Field, FieldKind};
use crate::http::problem::Problem;

/// Of how many at most.
pub(crate) const MANY_MAX: usize = 1_000;
/// Lines that one act names.
pub(crate) const LINES_MAX: usize = 500;
/// Characters of the name of somebody or something.
pub(crate) const NAME_CHARS_MAX: usize = people::FIELD_CHARS_MAX;
/// Digits of a guest's phone, at least: fewer are a slip of the hand.
pub(crate) const PHONE_DIGITS_MIN: usize = 5;

/// Fields that were checked against the table.
#[derive(Debug, Default)]
pub(crate) struct Given(Map<String, Value>);

/// A 422 about a field of the body.
pub(crate) fn refused(field: &str, sentence: impl Into<String>) -> Problem {
    wrong(Place::of(field), sentence)
}

fn wrong(place: Place, sentence: impl Into<String>) -> Problem {
    let mut faults = Faults::default();
    faults.add(place, sentence);
    faults.end().err().unwrap_or_else(Problem::trouble)
}

/// A 400 about a body that cannot be read at all.
fn malformed(sentence: String) -> Problem {
    let error = FieldError { pointer: String::new(), detail: sentence.clone() };
    Problem::new(StatusCode::BAD_REQUEST, "malformed", sentence).at("body").with_errors(&[error])
}

/// Reads a body that is an object; an empty one counts as an object without fields.
///
/// # Errors
/// 400 when it is no JSON, 422 when it is no object.
pub(crate) fn object(raw: &[u8]) -> Result<Map<String, Value>, Problem> {
    if raw.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    if let Some(reason) = nesting::too_deep(raw) {
        return Err(malformed(format!("the body's {reason}")));
    }
    match serde_json::from_slice(raw) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(wrong(Place::body(), "the body is a JSON object")),
        Err(error) => {
            Err(malformed(format!("the body is not JSON (line {}, column {})", error.line(), error.column())))
        }
    }
}

impl Given {
    /// A field as it came, if it is there.
    pub(crate) fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Reads a body.
    ///
    /// # Errors
    /// Every field that is not known, is missing, or is not in its form.
    pub(crate) fn read(raw: &[u8], known: &'static [Field]) -> Result<Self, Problem> {
        let mut fields = object(raw)?;
        // What is `null` is not there.
        fields.retain(|_, value| !value.is_null());
        let mut faults = Faults::default();
        let names: Vec<&str> = known.iter().map(|field| field.name).collect();
        unknown(&fields, &Place::default(), &names, &mut faults);
        for field in known {
            match fields.get(field.name) {
                Some(value) => check(field, value, &fields, &mut faults),
                None if field.needed => {
                    faults.add(Place::of(field.name), format!("`{}` is missing: {}", field.name, field.about));
                }
                None => {}
            }
        }
        faults.end()?;
        Ok(Self(fields))
    }

    /// Of a body that its call reads by itself, the version alone.
    ///
    /// # Errors
    /// The body is no object, or the version no number.
    pub(crate) fn version_of(raw: &[u8]) -> Result<Self, Problem> {
        let mut fields = object(raw)?;
        fields.retain(|name, value| name == "expected_version" && !value.is_null());
        match fields.values().find(|value| !value.is_u64()) {
            Some(_) => Err(refused("expected_version", "`expected_version` is a whole number, zero or more")),
            None => Ok(Self(fields)),
        }
    }

    /// A text, without blanks around it.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.0.get(name).and_then(Value::as_str).map(|text| text.trim().to_owned())
    }
    /// A text that the table says is needed.
    pub(crate) fn needed(&self, name: &str) -> String {
        self.text(name).unwrap_or_default()
    }
    /// A text as it was given, blanks included: a password.
    pub(crate) fn as_it_is(&self, name: &str) -> String {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    }
    /// A whole number.
    pub(crate) fn amount(&self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(Value::as_i64)
    }
    /// A switch that is off when nothing is said.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(false)
    }
    /// A time.
    pub(crate) fn time(&self, name: &str) -> Option<UnixMillis> {
        self.0.get(name).and_then(Value::as_str).and_then(UnixMillis::parse_rfc3339)
    }
    /// A date.
    pub(crate) fn date(&self, name: &str) -> Option<Date> {
        self.0.get(name).and_then(Value::as_str).map(str::trim).and_then(Date::parse)
    }
    /// The version that the caller has seen.
    pub(crate) fn expected_version(&self) -> Option<u64> {
        self.0.get("expected_version").and_then(Value::as_u64)
    }
    /// A scope that the table says is needed.
    pub(crate) fn scope(&self) -> Scope {
        let found = self.0.get("scope").and_then(|value| scope(value, &mut Faults::default()));
        found.unwrap_or(Scope::Agency(String::new()))
    }
    /// What is acted on, each with the version that was seen; one that comes twice is one.
    pub(crate) fn items(&self) -> Option<Vec<(String, Option<u64>)>> {
        let mut items = self.0.get("items").and_then(|value| items(value, &mut Faults::default()))?;
        let mut known = std::collections::BTreeSet::new();
        items.retain(|(id, _)| known.insert(id.clone()));
        Some(items)
    }
    /// An object that its reader judges; `null` where there is none.
    pub(crate) fn object(&self, name: &str) -> Value {
        self.0.get(name).cloned().unwrap_or_default()
    }
    /// Whether something is given.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
    /// The filters of a list.
    pub(crate) fn filters(&self) -> Option<Map<String, Value>> {
        self.0.get("match").and_then(Value::as_object).cloned()
    }
    /// Units by line.
    pub(crate) fn lines(&self) -> Vec<(String, u32)> {
        let listed = self.0.get("lines").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let one = |(index, value)| line(&Place::of("lines").entry(index), value, &mut Faults::default());
        listed.iter().enumerate().filter_map(one).collect()
    }
    /// The tickets.
    pub(crate) fn tickets(&self) -> Vec<NewTicket> {
        let listed = self.0.get("tickets").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let one = |(index, value)| ticket(&Place::of("tickets").entry(index), value, &mut Faults::default());
        listed.iter().enumerate().filter_map(one).collect()
    }
}

/// Notes the fields that are not known.
pub(crate) fn unknown(fields: &Map<String, Value>, at: &Place, known: &[&str], faults: &mut Faults) {
    let names = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    for name in fields.keys().filter(|name| !known.contains(&name.as_str())) {
        let place = at.part(name);
        let sentence = format!("there is no field `{place}`; known: {names}");
        faults.add(place, sentence);
    }
}

fn check(field: &Field, value: &Value, all: &Map<String, Value>, faults: &mut Faults) {
    let place = Place::of(field.name);
    let text = value.as_str().map(str::trim);
    let is_right = match field.kind {
        FieldKind::Text => return check_text(place, value, TEXT_CHARS_MAX, faults),
        FieldKind::Name => return check_text(place, value, NAME_CHARS_MAX, faults),
        FieldKind::Tickets => return check_tickets(value, faults),
        FieldKind::Lines => return check_lines(value, faults),
        FieldKind::Scope => return drop(scope(value, faults)),
        FieldKind::Items => return drop(items(value, faults)),
        FieldKind::NewPassword => {
            let email = all.get("email").and_then(Value::as_str).map(str::trim).filter(|email| !email.is_empty());
            match value.as_str().map(|text| password::check(text, email)) {
                Some(Ok(())) => return,
                Some(Err(sentence)) => return faults.add(place, sentence),
                None => false,
            }
        }
        FieldKind::Word(words) => text.is_some_and(|text| words.contains(&text)),
        FieldKind::Email => text.is_some_and(people::is_email),
        FieldKind::Telephone => text.is_some_and(people::is_number),
        FieldKind::GuestPhone => text.is_some_and(|text| digits(text) >= PHONE_DIGITS_MIN),
        FieldKind::Date => text.and_then(Date::parse).is_some(),
        FieldKind::Match | FieldKind::Credential => value.is_object(),
        FieldKind::Amount => value.is_i64(),
        FieldKind::Version => value.is_u64(),
        FieldKind::Flag => value.is_boolean(),
        FieldKind::Time => value.as_str().and_then(UnixMillis::parse_rfc3339).is_some(),
    };
    if !is_right {
        let sentence = format!("`{place}` is {}", form_of(field.kind));
        faults.add(place, sentence);
    }
}

fn digits(text: &str) -> usize {
    text.chars().filter(char::is_ascii_digit).count()
}

/// What a kind of field is, in words.
pub(crate) fn form_of(kind: FieldKind) -> Cow<'static, str> {
    let words = match kind {
        FieldKind::Text | FieldKind::Name | FieldKind::NewPassword => "text",
        FieldKind::Word(words) => return format!("one of {}", words.join(", ")).into(),
        FieldKind::Email => "an e-mail address",
        FieldKind::Telephone => "a telephone number",
        FieldKind::GuestPhone => {
            return format!("a phone with at least {PHONE_DIGITS_MIN} digits, all of the number's").into();
        }
        FieldKind::Date => "a date YYYY-MM-DD",
        FieldKind::Amount => "a whole number in the currency's minor unit",
        FieldKind::Version => "a whole number, zero or more",
        FieldKind::Flag => "true or false",
        FieldKind::Time => "a time with an offset, for example 2026-12-01T09:00:00+08:00",
        FieldKind::Tickets => "a list of tickets",
        FieldKind::Lines => "a list of lines",
        FieldKind::Items => "a list of ids",
        FieldKind::Match => "an object with the parameters of the list",
        FieldKind::Credential => "what `navigator.credentials` has given, as JSON",
        FieldKind::Scope => "a scope: {kind: everything|dealer|institution|agency, id}",
    };
    words.into()
}

fn check_text(place: Place, value: &Value, chars_max: usize, faults: &mut Faults) {
    let sentence = match value.as_str().map(|text| text.trim().chars().count()) {
        None => format!("`{place}` is text"),
        Some(0) => format!("`{place}` is empty"),
        Some(length) if length > chars_max => format!("`{place}` has at most {chars_max} characters"),
        Some(_) => return,
    };
    faults.add(place, sentence);
}

fn scope(value: &Value, faults: &mut Faults) -> Option<Scope> {
    let place = Place::of("scope");
    let found = value.as_object().and_then(|fields| {
        unknown(fields, &place, &["kind", "id"], faults);
        let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
        text("kind").and_then(|kind| Scope::of(kind, text("id")))
    });
    if found.is_none() {
        let kinds = KINDS.join(", ");
        faults
            .add(place, format!("`scope` is {{kind, id}}; kind is one of {kinds}, and all but everything have an id"));
    }
    found
}

/// The entries of a list that may have so many.
fn entries<'v>(name: &str, value: &'v Value, many_max: usize, faults: &mut Faults) -> &'v [Value] {
    match value.as_array() {
        None => faults.add(Place::of(name), format!("`{name}` is a list")),
        Some(listed) if listed.is_empty() || listed.len() > many_max => {
            faults.add(Place::of(name), format!("`{name}` has 1 to {many_max} entries"));
        }
        Some(listed) => return listed,
    }
    &[]
}

fn items(value: &Value, faults: &mut Faults) -> Option<Vec<(String, Option<u64>)>> {
    let listed = entries("items", value, MANY_MAX, faults);
    let read = |(index, value): (usize, &Value)| item(&Place::of("items").entry(index), value, faults);
    let items: Vec<_> = listed.iter().enumerate().filter_map(read).collect();
    (!items.is_empty()).then_some(items)
}

/// What is acted on: an id alone, or with the version that was seen.
fn item(place: &Place, value: &Value, faults: &mut Faults) -> Option<(String, Option<u64>)> {
    let found = match value {
        Value::String(id) => Some((id.trim().to_owned(), None)),
        Value::Object(fields) => {
            unknown(fields, place, &["id", "expected_version"], faults);
            let id = fields.get("id").and_then(Value::as_str).map(|id| id.trim().to_owned());
            match fields.get("expected_version") {
                None | Some(Value::Null) => id.map(|id| (id, None)),
                Some(version) => id.zip(version.as_u64()).map(|(id, version)| (id, Some(version))),
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    };
    let found = found.filter(|(id, _)| !id.is_empty());
    if found.is_none() {
        faults.add(place.clone(), format!("`{place}` is an id, or {{id, expected_version}}"));
    }
    found
}

fn check_lines(value: &Value, faults: &mut Faults) {
    for (index, value) in entries("lines", value, LINES_MAX, faults).iter().enumerate() {
        line(&Place::of("lines").entry(index), value, faults);
    }
}

/// A line by the channel's number for it (`detail`, or `detail_no` as the channel writes it), and how many units of it.
fn line(place: &Place, value: &Value, faults: &mut Faults) -> Option<(String, u32)> {
    let Some(fields) = value.as_object() else {
        faults.add(place.clone(), format!("`{place}` is an object"));
        return None;
    };
    unknown(fields, place, &["detail", "detail_no", "quantity"], faults);
    let detail = ["detail", "detail_no"].iter().find_map(|name| fields.get(*name)?.as_str());
    let detail = detail.map(str::trim).filter(|text| !text.is_empty());
    if detail.is_none() {
        let at = place.part("detail");
        faults.add(at.clone(), format!("`{at}` is the number of a line"));
    }
    let units = fields.get("quantity").and_then(Value::as_u64).and_then(|units| u32::try_from(units).ok());
    let units = units.filter(|units| *units > 0);
    if units.is_none() {
        let at = place.part("quantity");
        faults.add(at.clone(), format!("`{at}` is 1 or more"));
    }
    detail.map(str::to_owned).zip(units)
}

fn check_tickets(value: &Value, faults: &mut Faults) {
    let mut codes = std::collections::BTreeSet::new();
    for (index, value) in entries("tickets", value, TICKETS_MAX, faults).iter().enumerate() {
        let place = Place::of("tickets").entry(index);
        let Some(ticket) = ticket(&place, value, faults) else { continue };
        if !codes.insert(ticket.code.reveal().to_owned()) {
            let at = place.part("code");
            faults.add(at.clone(), format!("`{at}` comes twice; one code admits once"));
        }
    }
}

fn ticket(place: &Place, value: &Value, faults: &mut Faults) -> Option<NewTicket> {
    let Some(fields) = value.as_object() else {
        faults.add(place.clone(), format!("`{place}` is an object"));
        return None;
    };
    unknown(fields, place, &["code", "kind", "project_id", "name"], faults);
    let kind = fields.get("kind");
    let kind: Option<TicketKind> =
        kind.map_or(Some(TicketKind::Code), |kind| serde_json::from_value(kind.clone()).ok());
    if kind.is_none() {
        let at = place.part("kind");
        faults.add(at.clone(), format!("`{at}` is one of code, qr, url, document"));
    }
    // Of a kind that is none, a code may be as long as any.
    let chars_max = kind.map_or(QR_CHARS_MAX, chars_max);
    let mut text = |name: &str, chars_max: usize| match fields.get(name) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if (1..=chars_max).contains(&text.trim().chars().count()) => {
            Some(text.trim().to_owned())
        }
        Some(_) => {
            let at = place.part(name);
            faults.add(at.clone(), format!("`{at}` is text of 1 to {chars_max} characters"));
            None
        }
    };
    let (code, project_id, name) =
        (text("code", chars_max), text("project_id", CODE_CHARS_MAX), text("name", CODE_CHARS_MAX));
    let Some(code) = code else {
        // Where it is there and wrong, that was said.
        let at = place.part("code");
        faults.add(at.clone(), format!("`{at}` is missing: what admits the guest"));
        return None;
    };
    Some(NewTicket {
        code: DocumentNumber::new(code),
        kind: kind?,
        project_id: project_id.map(ForeignNumber::new),
        name: name.map(ForeignName::new),
    })
}

/// Characters that a code of this kind may have.
pub(crate) fn chars_max(kind: TicketKind) -> usize {
    match kind {
        TicketKind::Code | TicketKind::Document => CODE_CHARS_MAX,
        TicketKind::Qr | TicketKind::Url => QR_CHARS_MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static KNOWN: &[Field] = &[
        Field { name: "reason", kind: FieldKind::Text, needed: true, about: "why" },
        Field { name: "fee", kind: FieldKind::Amount, needed: false, about: "" },
        Field { name: "tickets", kind: FieldKind::Tickets, needed: false, about: "" },
    ];

    #[test]
    fn what_is_wrong_is_named() {
        let long = format!(r#"{{"reason":"{}"}}"#, "x".repeat(TEXT_CHARS_MAX + 1));
        for (body, field) in [
            ("", "reason"),
            (r#"{"reason":null}"#, "reason"),
            (r#"{"reason":7}"#, "reason"),
            (r#"{"reason":"  "}"#, "reason"),
            (long.as_str(), "reason"),
            (r#"{"reason":"r","why":"x"}"#, "why"),
            (r#"{"reason":"r","fee":1.5}"#, "fee"),
            (r#"{"reason":"r","fee":"1"}"#, "fee"),
            (r#"{"reason":"r","tickets":{}}"#, "tickets"),
            (r#"{"reason":"r","tickets":[]}"#, "tickets"),
            (r#"{"reason":"r","tickets":[{"code":"A"},{"kind":"qr"}]}"#, "tickets[1].code"),
            (r#"{"reason":"r","tickets":[{"code":"A","kind":"stone"}]}"#, "tickets[0].kind"),
            (r#"{"reason":"r","tickets":[{"code":"A","colour":"red"}]}"#, "tickets[0].colour"),
            (r#"{"reason":"r","tickets":[{"code":"A"},{"code":"A"}]}"#, "tickets[1].code"),
            ("[]", "body"),
        ] {
            let problem = Given::read(body.as_bytes(), KNOWN).unwrap_err();
            assert_eq!((problem.status, problem.field.as_deref()), (422, Some(field)), "{body}");
        }
        assert_eq!(Given::read(b"{", KNOWN).unwrap_err().status, 400);
    }

    fn pointers(body: &str, known: &'static [Field]) -> Vec<String> {
        let problem = Given::read(body.as_bytes(), known).unwrap_err();
        let errors = problem.errors.unwrap_or_default();
        let listed = errors.as_array().cloned().unwrap_or_default();
        listed.iter().map(|error| error["pointer"].as_str().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let body = r#"{"why":"x","fee":"1","tickets":[
            {"kind":"stone"}, {"code":"A"}, {"code":"A","colour":"red","name":7}, 5]}"#;
        let expected = [
            "/why",
            "/reason",
            "/fee",
            "/tickets/0/kind",
            "/tickets/0/code",
            "/tickets/2/colour",
            "/tickets/2/name",
            "/tickets/2/code",
            "/tickets/3",
        ];
        assert_eq!(pointers(body, KNOWN), expected);
        assert_eq!(pointers("[]", KNOWN), [""]);
        assert_eq!(pointers("{", KNOWN), [""]);
    }

    #[test]
    fn what_people_give_of_themselves_is_judged_with_the_rest() {
        static PEOPLE: &[Field] = &[
            Field { name: "name", kind: FieldKind::Name, needed: true, about: "" },
            Field { name: "email", kind: FieldKind::Email, needed: true, about: "" },
            Field { name: "mobile", kind: FieldKind::Telephone, needed: true, about: "" },
            Field { name: "password", kind: FieldKind::NewPassword, needed: true, about: "" },
            Field { name: "role", kind: FieldKind::Word(&["admin", "viewer"]), needed: true, about: "" },
            Field { name: "scope", kind: FieldKind::Scope, needed: true, about: "" },
            Field { name: "to", kind: FieldKind::Date, needed: true, about: "" },
        ];
        let all = ["/name", "/email", "/mobile", "/password", "/role", "/scope", "/to"];
        assert_eq!(pointers("{}", PEOPLE), all);
        let wrong = r#"{"name":" ","email":"x","mobile":"none","password":"short","role":"boss","scope":{"kind":"planet"},
            "to":"tomorrow"}"#;
        assert_eq!(pointers(wrong, PEOPLE), all);
        let right = r#"{"name":"Kim","email":"kim@desk.example","mobile":"010-1234-5678","password":"kim@desk.example is me",
            "role":"admin","scope":{"kind":"agency","id":"a"},"to":"2026-12-01"}"#;
        assert_eq!(pointers(right, PEOPLE), ["/password"], "it holds the address");
    }

    #[test]
    fn lines_and_items_are_judged_one_by_one() {
        static MANY: &[Field] = &[
            Field { name: "lines", kind: FieldKind::Lines, needed: false, about: "" },
            Field { name: "items", kind: FieldKind::Items, needed: false, about: "" },
        ];
        let body =
            r#"{"lines":[{}, {"detail":"1","quantity":1}, 7],"items":["", "a", {"id":"b","expected_version":-1}]}"#;
        let expected = ["/lines/0/detail", "/lines/0/quantity", "/lines/2", "/items/0", "/items/2"];
        assert_eq!(pointers(body, MANY), expected);
    }

    #[test]
    fn codes_are_as_long_as_their_kind_allows() {
        for (kind, chars_max) in [("code", CODE_CHARS_MAX), ("qr", QR_CHARS_MAX)] {
            for (length, ok) in [(chars_max, true), (chars_max + 1, false)] {
                let code = "x".repeat(length);
                let body = format!(r#"{{"reason":"r","tickets":[{{"code":"{code}","kind":"{kind}"}}]}}"#);
                assert_eq!(Given::read(body.as_bytes(), KNOWN).is_ok(), ok, "{kind} {length}");
            }
        }
    }
}
