// SPDX-License-Identifier: Apache-2.0

//! The body of an act: known fields alone, each in its form; what is wrong is said by the field's name.

use http::StatusCode;
use serde_json::{Map, Value};
use ticketbridge_core::UnixMillis;
use ticketbridge_core::limits::{CODE_CHARS_MAX, QR_CHARS_MAX, TEXT_CHARS_MAX, TICKETS_MAX};
use ticketbridge_core::message::NewTicket;
use ticketbridge_core::order::TicketKind;
use ticketbridge_core::personal::DocumentNumber;
use ticketbridge_core::quoted::{ForeignName, ForeignNumber};

use crate::accounts::scope::{KINDS, Scope};
use crate::http::nesting;
use crate::http::ops::fields::{Field, FieldKind};
use crate::http::problem::Problem;

/// Of how many at most.
pub(crate) const MANY_MAX: usize = 1_000;
/// Lines that one act names.
pub(crate) const LINES_MAX: usize = 500;

/// Fields that were checked against the table.
#[derive(Debug, Default)]
pub(crate) struct Given(Map<String, Value>);

/// A 422 about a field.
pub(crate) fn refused(field: impl Into<String>, sentence: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", sentence).at(field)
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
        return Err(Problem::new(StatusCode::BAD_REQUEST, "malformed", format!("the body's {reason}")).at("body"));
    }
    match serde_json::from_slice(raw) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(refused("body", "the body is a JSON object")),
        Err(error) => {
            let place = format!("the body is not JSON (line {}, column {})", error.line(), error.column());
            Err(Problem::new(StatusCode::BAD_REQUEST, "malformed", place).at("body"))
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
    /// A field that is not known, is missing, or is not in its form.
    pub(crate) fn read(raw: &[u8], known: &'static [Field]) -> Result<Self, Problem> {
        let mut fields = object(raw)?;
        // What is `null` is not there.
        fields.retain(|_, value| !value.is_null());
        unknown(&fields, "", &known.iter().map(|field| field.name).collect::<Vec<_>>())?;
        for field in known {
            match fields.get(field.name) {
                Some(value) => check(field, value)?,
                None if field.needed => {
                    return Err(refused(field.name, format!("`{}` is missing: {}", field.name, field.about)));
                }
                None => {}
            }
        }
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
    /// The version that the caller has seen.
    pub(crate) fn expected_version(&self) -> Option<u64> {
        self.0.get("expected_version").and_then(Value::as_u64)
    }
    /// A scope that the table says is needed.
    pub(crate) fn scope(&self) -> Scope {
        self.0.get("scope").and_then(|value| scope(value).ok()).unwrap_or(Scope::Agency(String::new()))
    }
    /// What is acted on, each with the version that was seen; one that comes twice is one.
    pub(crate) fn items(&self) -> Option<Vec<(String, Option<u64>)>> {
        let mut items = self.0.get("items").and_then(|value| items(value).ok())?;
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
        listed.iter().enumerate().filter_map(|(index, value)| line(index, value).ok()).collect()
    }
    /// The tickets.
    pub(crate) fn tickets(&self) -> Vec<NewTicket> {
        let listed = self.0.get("tickets").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        listed.iter().enumerate().filter_map(|(index, value)| ticket(index, value).ok()).collect()
    }
}

fn unknown(fields: &Map<String, Value>, path: &str, known: &[&str]) -> Result<(), Problem> {
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => {
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            Err(refused(format!("{path}{name}"), format!("there is no field `{path}{name}`; known: {known}")))
        }
        None => Ok(()),
    }
}

fn check(field: &Field, value: &Value) -> Result<(), Problem> {
    let name = field.name;
    let is_right = match field.kind {
        FieldKind::Text => return check_text(name, value),
        FieldKind::Tickets => return check_tickets(value),
        FieldKind::Lines => return check_lines(value),
        FieldKind::Scope => return scope(value).map(drop),
        FieldKind::Items => return items(value).map(drop),
        FieldKind::Match | FieldKind::Credential => value.is_object(),
        FieldKind::Amount => value.is_i64(),
        FieldKind::Version => value.is_u64(),
        FieldKind::Flag => value.is_boolean(),
        FieldKind::Time => value.as_str().and_then(UnixMillis::parse_rfc3339).is_some(),
    };
    if is_right { Ok(()) } else { Err(refused(name, format!("`{name}` is {}", form_of(field.kind)))) }
}

/// What a kind of field is, in words.
pub(crate) fn form_of(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Text => "text",
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
    }
}

fn check_text(name: &str, value: &Value) -> Result<(), Problem> {
    let Some(text) = value.as_str() else { return Err(refused(name, format!("`{name}` is text"))) };
    match text.trim().chars().count() {
        0 => Err(refused(name, format!("`{name}` is empty; say why"))),
        length if length > TEXT_CHARS_MAX => {
            Err(refused(name, format!("`{name}` has at most {TEXT_CHARS_MAX} characters")))
        }
        _ => Ok(()),
    }
}

fn scope(value: &Value) -> Result<Scope, Problem> {
    let sentence =
        format!("`scope` is {{kind, id}}; kind is one of {}, and all but everything have an id", KINDS.join(", "));
    let Some(fields) = value.as_object() else { return Err(refused("scope", sentence)) };
    unknown(fields, "scope.", &["kind", "id"])?;
    let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    text("kind").and_then(|kind| Scope::of(kind, text("id"))).ok_or_else(|| refused("scope", sentence))
}

fn items(value: &Value) -> Result<Vec<(String, Option<u64>)>, Problem> {
    let listed = value.as_array().map(Vec::as_slice).unwrap_or_default();
    if listed.is_empty() || listed.len() > MANY_MAX {
        return Err(refused("items", format!("`items` is a list of 1 to {MANY_MAX} entries")));
    }
    let read = |(index, value): (usize, &Value)| {
        let path = format!("items[{index}]");
        let wrong = || refused(path.as_str(), format!("`{path}` is an id, or {{id, expected_version}}"));
        match value {
            Value::String(id) if !id.trim().is_empty() => Ok((id.trim().to_owned(), None)),
            Value::Object(fields) => {
                unknown(fields, &format!("{path}."), &["id", "expected_version"])?;
                let id = fields.get("id").and_then(Value::as_str).map(str::trim).filter(|id| !id.is_empty());
                let version = match fields.get("expected_version") {
                    None | Some(Value::Null) => None,
                    Some(version) => Some(version.as_u64().ok_or_else(wrong)?),
                };
                Ok((id.ok_or_else(wrong)?.to_owned(), version))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Err(wrong()),
        }
    };
    listed.iter().enumerate().map(read).collect()
}

fn check_lines(value: &Value) -> Result<(), Problem> {
    let Some(listed) = value.as_array() else { return Err(refused("lines", "`lines` is a list")) };
    if listed.is_empty() || listed.len() > LINES_MAX {
        return Err(refused("lines", format!("`lines` has 1 to {LINES_MAX} entries")));
    }
    listed.iter().enumerate().try_for_each(|(index, value)| line(index, value).map(drop))
}

/// A line by the channel's number for it (`detail`, or `detail_no` as the channel writes it), and how many units of it.
fn line(index: usize, value: &Value) -> Result<(String, u32), Problem> {
    let path = format!("lines[{index}]");
    let Some(fields) = value.as_object() else { return Err(refused(path.as_str(), format!("`{path}` is an object"))) };
    unknown(fields, &format!("{path}."), &["detail", "detail_no", "quantity"])?;
    let detail = ["detail", "detail_no"].iter().find_map(|name| fields.get(*name)?.as_str());
    let quantity = fields.get("quantity").and_then(Value::as_u64).and_then(|units| u32::try_from(units).ok());
    match (detail.filter(|text| !text.trim().is_empty()), quantity.filter(|units| *units > 0)) {
        (Some(detail), Some(units)) => Ok((detail.trim().to_owned(), units)),
        (None, _) => Err(refused(format!("{path}.detail"), format!("`{path}.detail` is the number of a line"))),
        (_, None) => Err(refused(format!("{path}.quantity"), format!("`{path}.quantity` is 1 or more"))),
    }
}

fn check_tickets(value: &Value) -> Result<(), Problem> {
    let Some(listed) = value.as_array() else { return Err(refused("tickets", "`tickets` is a list")) };
    if listed.is_empty() || listed.len() > TICKETS_MAX {
        return Err(refused("tickets", format!("`tickets` has 1 to {TICKETS_MAX} entries")));
    }
    let mut codes = std::collections::BTreeSet::new();
    for (index, value) in listed.iter().enumerate() {
        let ticket = ticket(index, value)?;
        if !codes.insert(ticket.code.reveal().to_owned()) {
            let path = format!("tickets[{index}].code");
            return Err(refused(path.as_str(), format!("`{path}` comes twice; one code admits once")));
        }
    }
    Ok(())
}

fn ticket(index: usize, value: &Value) -> Result<NewTicket, Problem> {
    let path = format!("tickets[{index}]");
    let at = |name: &str| format!("{path}.{name}");
    let Some(fields) = value.as_object() else { return Err(refused(path.as_str(), format!("`{path}` is an object"))) };
    unknown(fields, &format!("{path}."), &["code", "kind", "project_id", "name"])?;
    let kind: TicketKind = fields
        .get("kind")
        .map_or(Some(TicketKind::Code), |kind| serde_json::from_value(kind.clone()).ok())
        .ok_or_else(|| refused(at("kind"), format!("`{}` is one of code, qr, url, document", at("kind"))))?;
    let chars_max = chars_max(kind);
    let text = |name: &str, chars_max: usize| -> Result<Option<String>, Problem> {
        match fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if (1..=chars_max).contains(&text.trim().chars().count()) => {
                Ok(Some(text.trim().to_owned()))
            }
            Some(_) => Err(refused(at(name), format!("`{}` is text of 1 to {chars_max} characters", at(name)))),
        }
    };
    let code = text("code", chars_max)?
        .ok_or_else(|| refused(at("code"), format!("`{}` is missing: what admits the guest", at("code"))))?;
    Ok(NewTicket {
        code: DocumentNumber::new(code),
        kind,
        project_id: text("project_id", CODE_CHARS_MAX)?.map(ForeignNumber::new),
        name: text("name", CODE_CHARS_MAX)?.map(ForeignName::new),
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
