// SPDX-License-Identifier: Apache-2.0

//! `GET /schemas` and `GET /schemas/NAME.json`: every body of the contract as a JSON Schema, for everybody: nothing of it is secret.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use ticketbridge_adapters::schemas::all;

use crate::http::Shared;
use crate::http::ops;
use crate::http::problem::Problem;

/// The draft that they are written in.
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Every schema by its name, with whose body it is: partners' first, those of the ops interface after them.
pub fn every() -> Vec<(String, &'static str, Value)> {
    let partners = all().iter().map(|one| (one.name.to_owned(), one.way.words(), one.schema.clone()));
    let shapes = ops::schemas().into_iter().map(|(name, schema)| {
        let way = if name.starts_with("ops/requests/") { "you send it" } else { "we answer it" };
        (name, way, schema)
    });
    partners.chain(shapes).collect()
}

/// A schema as a document of its own.
pub fn document(name: &str, base: &str, schema: &Value) -> Value {
    let mut document = json!({ "$schema": DRAFT, "$id": format!("{base}/schemas/{name}.json") });
    if let (Some(document), Some(fields)) = (document.as_object_mut(), schema.as_object()) {
        document
            .extend(fields.iter().filter(|(name, _)| name.as_str() != "$schema").map(|(k, v)| (k.clone(), v.clone())));
    }
    document
}

/// `GET /schemas`.
pub async fn list(State(shared): State<Shared>) -> Response {
    let base = &shared.engine.running().config.server.public_url;
    let items: Vec<Value> = every()
        .into_iter()
        .map(|(name, way, _)| json!({ "name": name, "body": way, "url": format!("{base}/schemas/{name}.json") }))
        .collect();
    written("application/json", &json!({ "items": items }))
}

/// `GET /schemas/NAME.json`.
pub async fn show(State(shared): State<Shared>, Path(name): Path<String>) -> Response {
    let base = shared.engine.running().config.server.public_url.clone();
    let wanted = name.strip_suffix(".json").unwrap_or(&name);
    match every().into_iter().find(|(name, ..)| name == wanted) {
        Some((name, _, schema)) => written("application/schema+json", &document(&name, &base, &schema)),
        None => {
            Problem::new(StatusCode::NOT_FOUND, "not_found", "there is no schema of this name; GET /schemas lists them")
                .into_response()
        }
    }
}

fn written(kind: &'static str, body: &Value) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], body.to_string()).into_response()
}
