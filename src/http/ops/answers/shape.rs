// SPDX-License-Identifier: Apache-2.0

//! How a type tells its shape, and the shapes that every answer shares.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::Value;
use ticketbridge_core::{TimeZone, UnixMillis};

/// The shape of a type: adds it to the schemas of a document, and gives the reference to it.
#[derive(Clone, Copy)]
pub(crate) struct Shape(fn(&mut SchemaGenerator) -> Schema);

impl Shape {
    /// That of `T`.
    pub(crate) const fn of<T: JsonSchema>() -> Self {
        Self(SchemaGenerator::subschema_for::<T>)
    }
    /// A reference to it, which is among the schemas of `of` from now on.
    pub(crate) fn reference(self, of: &mut SchemaGenerator) -> Value {
        (self.0)(of).to_value()
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shape")
    }
}

/// A time, RFC 3339 with the offset of the zone that it is shown in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Time(String);

impl Time {
    /// `at` in `zone`.
    pub(crate) fn of(at: UnixMillis, zone: TimeZone) -> Self {
        Self(at.rfc3339(zone))
    }
    /// The same for what may not be.
    pub(crate) fn maybe(at: Option<UnixMillis>, zone: TimeZone) -> Option<Self> {
        at.map(|at| Self::of(at, zone))
    }
}

impl JsonSchema for Time {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "time".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

/// A day as the core's own dates write it: `2026-12-01`. Only ever described.
pub(crate) struct Date;

impl JsonSchema for Date {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "date".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date" })
    }
}

/// These words, or none of them.
pub(crate) fn or_null(words: &[&'static str]) -> Vec<Option<&'static str>> {
    words.iter().copied().map(Some).chain([None]).collect()
}

/// Entries of a list; the next page begins at the cursor.
#[derive(Serialize)]
pub(crate) struct Listed<V> {
    pub(crate) items: Vec<V>,
    pub(crate) next_cursor: Option<String>,
}

impl<V> Listed<V> {
    /// All of them in one page.
    pub(crate) fn whole(items: impl IntoIterator<Item = V>) -> Self {
        Self { items: items.into_iter().collect(), next_cursor: None }
    }
}

/// Some object, such as the description of the interface itself.
pub(crate) struct Anything;

impl JsonSchema for Anything {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "anything".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object" })
    }
}
