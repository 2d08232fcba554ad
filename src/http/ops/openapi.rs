// SPDX-License-Identifier: Apache-2.0

//! `GET openapi.json`: the table, described in OpenAPI 3.1. The shapes of answers are those of the types that are answered.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::http::ops::answers::Shape;
use crate::http::ops::answers::config::Problem;
use crate::http::ops::answers::order::NewTicket;
use crate::http::ops::answers::people::Scope;
use crate::http::ops::body::{LINES_MAX, MANY_MAX, NAME_CHARS_MAX, PHONE_DIGITS_MIN};
use crate::http::ops::call::{Answer, Body, Call, Outcome, PREFIX, Request, Said, Verb, Who};
use crate::http::ops::fields::{Field, FieldKind, Param, ParamKind};
use crate::http::ops::query::{LIMIT_DEFAULT, LIMIT_MAX};

const ABOUT: &str = "What operators and ops staff do with orders, refunds, deliveries and partners. Lists go on by cursor. Every POST takes \
    an optional Idempotency-Key: a repeat gets the same answer, another act under the same key is refused with 422. Every POST takes \
    an optional expected_version: 409 version_conflict when it is no longer that. Guests' data is masked everywhere but in the answer \
    of reveal. Roles: an admin may everything; an operator everything but settlement data and the configuration's reload; a settlement \
    officer sees settlement data, the partners and the configuration, and no orders.";

/// `GET openapi.json`.
pub(crate) async fn show(request: Request) -> Outcome {
    Ok(Said::ok(&document(request.calls, &request.running.config.server.public_url)))
}

/// The shapes of the interface as schemas of their own: names below `ops/`, and what they are. References between them are relative.
pub(crate) fn schemas(calls: &[Call]) -> Vec<(String, Value)> {
    let document = document(calls, "");
    let all = document["components"]["schemas"].as_object().cloned().unwrap_or_default();
    let mut found: Vec<(String, Value)> =
        all.into_iter().map(|(name, schema)| (format!("ops/{name}"), alone(&schema, ""))).collect();
    let mut shapes = self::shapes();
    for call in calls {
        let requests =
            body(&call.body, &mut shapes).and_then(|body| body.pointer("/content/application~1json/schema").cloned());
        found.extend(requests.map(|schema| (format!("ops/requests/{}", operation_id(call)), alone(&schema, "../"))));
    }
    found
}

/// A shape outside of the document: its references lead to files.
fn alone(schema: &Value, up: &str) -> Value {
    match schema {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| match (name.as_str(), value.as_str()) {
                ("$ref", Some(reference)) => {
                    let file = reference.rsplit('/').next().unwrap_or_default();
                    (name.clone(), json!(format!("{up}{file}.json")))
                }
                _ => (name.clone(), alone(value, up)),
            })
            .collect::<Map<String, Value>>()
            .into(),
        Value::Array(items) => items.iter().map(|item| alone(item, up)).collect(),
        plain => plain.clone(),
    }
}

/// The whole document.
fn document(calls: &[Call], public_url: &str) -> Value {
    let mut shapes = shapes();
    let mut paths = Map::new();
    for call in calls {
        let verb = call.verb.word();
        let entry = paths.entry(call.path).or_insert_with(|| json!({}));
        entry[verb] = operation(call, &mut shapes);
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "ticketbridge ops interface", "version": "1", "description": ABOUT },
        "servers": [{ "url": format!("{public_url}{PREFIX}") }],
        "security": [{ "token": [] }, { "session": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer" },
                "session": { "type": "apiKey", "in": "cookie", "name": super::auth::COOKIE },
            },
            "schemas": shapes.take_definitions(true),
        },
    })
}

/// Collects the shapes that are referred to. What is answered has all its fields, those that are nothing as null.
fn shapes() -> SchemaGenerator {
    let mut settings = SchemaSettings::draft2020_12().for_serialize();
    settings.definitions_path = "/components/schemas".into();
    settings.into_generator()
}

fn operation(call: &Call, shapes: &mut SchemaGenerator) -> Value {
    let mut parameters: Vec<Value> = path_parameters(call.path).chain(call.query.iter().map(parameter)).collect();
    if call.verb == Verb::Post && call.who.is_somebody() {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false, "schema": { "type": "string", "maxLength": 200 },
            "description": "At most once under this key.",
        }));
    }
    let mut operation = json!({
        "operationId": operation_id(call),
        "summary": call.does,
        "description": call.who.words(),
        "parameters": parameters,
        "responses": {
            "200": { "description": "Done.", "content": { kind_of(call.answer): { "schema": answer(call.answer, shapes) } } },
            "default": {
                "description": "Refused: `code` is stable, `detail` says what to do.",
                "content": { "application/problem+json": { "schema": Shape::of::<Problem>().reference(shapes) } },
            },
        },
    });
    if call.who == Who::Anybody {
        operation["security"] = json!([]);
    }
    if let Some(body) = body(&call.body, shapes) {
        operation["requestBody"] = body;
    }
    operation
}

/// The method and the path's words, joined: `post_orders_confirm`.
fn operation_id(call: &Call) -> String {
    let verb = call.verb.word();
    let one = if call.path.ends_with('}') { "_one" } else { "" };
    let words = call.path.split('/').filter(|part| !part.is_empty() && !part.starts_with('{'));
    let words: Vec<String> = words.map(|word| word.replace(['-', '.'], "_")).collect();
    format!("{verb}_{}{one}", words.join("_"))
}

fn path_parameters(path: &'static str) -> impl Iterator<Item = Value> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names.map(move |name| {
        let about = if path.starts_with("/orders/") {
            "Our id, or channel:number with the channel's number of the sale or a booking."
        } else {
            "Its id."
        };
        json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" }, "description": about })
    })
}

fn parameter(param: &Param) -> Value {
    // An empty value counts as none, as a form sends it.
    let schema = match param.kind {
        ParamKind::Word(words) => json!({ "type": "string", "anyOf": [{ "enum": words }, { "maxLength": 0 }] }),
        ParamKind::Text | ParamKind::Cursor => json!({ "type": "string" }),
        ParamKind::Date => json!({ "type": "string", "anyOf": [{ "format": "date" }, { "maxLength": 0 }] }),
        ParamKind::Time => json!({ "type": "string", "anyOf": [{ "format": "date-time" }, { "maxLength": 0 }] }),
        ParamKind::Limit => json!({
            "anyOf": [{ "type": "integer", "minimum": 1, "maximum": LIMIT_MAX }, { "type": "string", "maxLength": 0 }],
            "default": LIMIT_DEFAULT,
        }),
    };
    json!({ "name": param.name, "in": "query", "required": param.needed, "schema": schema, "description": param.about })
}

fn body(body: &Body, shapes: &mut SchemaGenerator) -> Option<Value> {
    match body {
        Body::None => None,
        Body::Fields(fields) => {
            let needed: Vec<&str> = fields.iter().filter(|field| field.needed).map(|field| field.name).collect();
            let properties: Map<String, Value> =
                fields.iter().map(|field| (field.name.to_owned(), property(field, shapes))).collect();
            let schema = json!({ "type": "object", "properties": properties, "required": needed, "additionalProperties": false });
            Some(json!({ "required": !needed.is_empty(), "content": { "application/json": { "schema": schema } } }))
        }
        Body::Codes => Some(json!({ "required": true, "content": {
            "application/json": { "schema": {
                "type": "object", "required": ["codes"], "additionalProperties": false,
                "properties": {
                    "codes": { "type": "array", "items": { "type": "string" } },
                    "expected_version": { "type": ["integer", "null"], "minimum": 0 },
                },
            } },
            "text/csv": { "schema": { "type": "string", "description": "One code a line, or a header with a column `code`." } },
        } })),
    }
}

fn property(field: &Field, shapes: &mut SchemaGenerator) -> Value {
    let mut schema = match field.kind {
        FieldKind::Text => {
            json!({ "type": "string", "minLength": 1, "maxLength": ticketbridge_core::limits::TEXT_CHARS_MAX })
        }
        FieldKind::Name => json!({ "type": "string", "minLength": 1, "maxLength": NAME_CHARS_MAX }),
        FieldKind::Word(words) => json!({ "type": "string", "enum": words }),
        FieldKind::Email => json!({ "type": "string", "format": "email", "maxLength": NAME_CHARS_MAX }),
        FieldKind::Telephone => json!({ "type": "string", "minLength": 5, "maxLength": NAME_CHARS_MAX }),
        FieldKind::GuestPhone => json!({ "type": "string", "minLength": PHONE_DIGITS_MIN }),
        FieldKind::NewPassword => json!({ "type": "string", "minLength": 10, "format": "password" }),
        FieldKind::Date => json!({ "type": "string", "format": "date" }),
        FieldKind::Amount => json!({ "type": "integer" }),
        FieldKind::Version => json!({ "type": "integer", "minimum": 0 }),
        FieldKind::Flag => json!({ "type": "boolean", "default": false }),
        FieldKind::Time => json!({ "type": "string", "format": "date-time" }),
        FieldKind::Lines => json!({
            "type": "array", "minItems": 1, "maxItems": LINES_MAX, "items": {
                "type": "object", "required": ["detail", "quantity"], "additionalProperties": false,
                "properties": { "detail": { "type": "string", "minLength": 1 }, "quantity": { "type": "integer", "minimum": 1 } },
            },
        }),
        FieldKind::Scope if field.needed => {
            json!({ "type": "object", "allOf": [Shape::of::<Scope>().reference(shapes)] })
        }
        FieldKind::Scope => Shape::of::<Scope>().reference(shapes),
        FieldKind::Items => json!({ "type": "array", "minItems": 1, "maxItems": MANY_MAX, "items": { "oneOf": [
            { "type": "string" },
            { "type": "object", "required": ["id"], "additionalProperties": false,
              "properties": { "id": { "type": "string" }, "expected_version": { "type": ["integer", "null"], "minimum": 0 } } },
        ] } }),
        FieldKind::Credential => json!({ "type": "object", "additionalProperties": true }),
        FieldKind::Match => {
            json!({ "type": "object", "additionalProperties": { "type": ["string", "number", "boolean", "null"] } })
        }
        FieldKind::Tickets => json!({
            "type": "array", "minItems": 1, "maxItems": ticketbridge_core::limits::TICKETS_MAX, "items": Shape::of::<NewTicket>().reference(shapes),
        }),
    };
    if field.kind != FieldKind::Scope {
        schema["description"] = json!(field.about);
    }
    if field.needed || field.kind == FieldKind::Scope { schema } else { or_null(schema) }
}

/// A field that may be left out may be null as well.
fn or_null(mut schema: Value) -> Value {
    let Some(kind) = schema.get("type").filter(|kind| kind.is_string()).cloned() else {
        return json!({ "anyOf": [schema, { "type": "null" }] });
    };
    schema["type"] = json!([kind, "null"]);
    if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        words.push(Value::Null);
    }
    schema
}

fn kind_of(answer: Answer) -> &'static str {
    match answer {
        Answer::One(_) | Answer::Page(_) => "application/json",
        Answer::Stream(_) => "text/event-stream",
    }
}

fn answer(answer: Answer, shapes: &mut SchemaGenerator) -> Value {
    match answer {
        Answer::One(shape) => shape.reference(shapes),
        // Of a stream: one event, whose data is text that holds what is told.
        Answer::Stream(shape) => json!({
            "type": "object",
            "required": ["event", "id", "data"],
            "properties": {
                "event": { "const": "changed" },
                "id": { "type": "string" },
                "data": {
                    "type": "string",
                    "contentMediaType": "application/json",
                    "contentSchema": shape.reference(shapes),
                },
            },
        }),
        Answer::Page(shape) => json!({
            "type": "object",
            "required": ["items", "next_cursor"],
            "properties": {
                "items": { "type": "array", "items": shape.reference(shapes) },
                "next_cursor": { "type": ["string", "null"] },
            },
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn references(value: &Value, into: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                into.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|value| references(value, into));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, into)),
            _ => {}
        }
    }

    /// The document's own description of a shape, with everything that it refers to.
    fn described(name: &str) -> (Value, jsonschema::Validator) {
        let document = document(crate::http::ops::CALLS, "https://bridge.example");
        let shape = document["components"]["schemas"][name].clone();
        let whole =
            json!({ "$ref": format!("#/components/schemas/{name}"), "components": document["components"].clone() });
        (shape, jsonschema::options().should_validate_formats(true).build(&whole).expect("a schema"))
    }

    #[test]
    fn a_refusal_with_everything_and_one_with_nothing_keep_to_their_description() {
        let (shape, validator) = described("problem");
        let bare = crate::http::problem::Problem::new(http::StatusCode::NOT_FOUND, "not_found", "nothing is here");
        let mut full = bare
            .clone()
            .at("tickets")
            .with_errors(&[ticketbridge_core::port::FieldError { pointer: "/a".to_owned(), detail: "b".to_owned() }])
            .pending(Some("2026-12-01T09:00:00+08:00".to_owned()));
        let finding = json!({ "file": "a.toml", "line": 1, "problem": "b", "mend": "c" });
        full.problems = Some(Box::new(json!([finding])));
        for problem in [&bare, &full] {
            let written = serde_json::to_value(problem).expect("JSON");
            let errors: Vec<String> = validator.iter_errors(&written).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{written}: {errors:#?}");
            for name in written.as_object().expect("an object").keys() {
                assert!(shape["properties"].get(name).is_some(), "`{name}` is not described");
            }
        }
        let written = serde_json::to_value(&bare).expect("JSON");
        let always: BTreeSet<&str> = written.as_object().expect("an object").keys().map(String::as_str).collect();
        let required = shape["required"].as_array().expect("a list");
        assert_eq!(required.iter().filter_map(Value::as_str).collect::<BTreeSet<_>>(), always);
    }

    #[test]
    fn what_may_be_left_out_may_be_null_and_nothing_else_may() {
        let document = document(crate::http::ops::CALLS, "https://bridge.example");
        for (path, calls) in document["paths"].as_object().expect("paths") {
            for call in calls.as_object().expect("calls").values() {
                let schema = &call["requestBody"]["content"]["application/json"]["schema"];
                let needed: Vec<&str> =
                    schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                    let whole = json!({ "allOf": [property], "components": document["components"].clone() });
                    let takes_null = jsonschema::validator_for(&whole).expect("a schema").is_valid(&Value::Null);
                    assert_eq!(takes_null, !needed.contains(&name.as_str()), "{path} {name}: {property}");
                }
            }
        }
    }

    #[test]
    fn a_ticket_of_a_request_needs_its_code_alone() {
        let (_, validator) = described("new_ticket");
        assert!(validator.is_valid(&json!({ "code": "T-1" })));
        assert!(validator.is_valid(&json!({ "code": "T-1", "kind": "qr", "project_id": null, "name": "day ticket" })));
        assert!(!validator.is_valid(&json!({ "kind": "qr" })));
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_operation_has_a_name_of_its_own() {
        let document = document(crate::http::ops::CALLS, "https://bridge.example");
        let mut wanted = BTreeSet::new();
        references(&document, &mut wanted);
        for reference in &wanted {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
        let ids: BTreeSet<String> = crate::http::ops::CALLS.iter().map(operation_id).collect();
        assert_eq!(ids.len(), crate::http::ops::CALLS.len(), "{ids:#?}");
    }
}
