// SPDX-License-Identifier: Apache-2.0

//! Reading JSON into types in which an object is an object. serde takes a list for a struct's fields in their order, so that
//! `"buyer": []` would be a buyer of whom nothing is known; here it is refused, at any depth, with the field named.

use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::Value;
use ticketbridge_core::port::DecodeError;

/// The name of the whole, where no field can be named.
const WHOLE: &str = "body";

/// Reads a body; the error names the field and never its value.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, DecodeError> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(Objects(&mut json))
        .map_err(|error| explain(&error.path().to_string(), error.inner()))?;
    json.end().map_err(|error| explain(WHOLE, &error))?;
    Ok(value)
}

/// The same for what has been read as JSON already and stands under the field `name`.
pub(crate) fn read_value<T: DeserializeOwned>(name: &str, value: &Value) -> Result<T, DecodeError> {
    serde_path_to_error::deserialize(Objects(value)).map_err(|error| {
        let error = explain(&error.path().to_string(), error.inner());
        let field = if error.field == WHOLE { name.to_owned() } else { format!("{name}.{}", error.field) };
        DecodeError { field, ..error }
    })
}

/// serde's message without the value that it quotes.
fn explain(path: &str, error: &serde_json::Error) -> DecodeError {
    let field = if path == "." || path == "?" || path.is_empty() { WHOLE } else { path };
    if !error.is_data() {
        let place = format!("is not JSON (line {}, column {})", error.line(), error.column());
        return DecodeError::new(WHOLE, place);
    }
    let message = error.to_string();
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(head, _)| head);
    match message.rsplit_once(", expected ") {
        Some((_, expected)) => DecodeError::new(field, format!("has the wrong type: expected {}", in_json(expected))),
        None => DecodeError::new(field, message),
    }
}

/// What is expected, in the words of JSON: serde and the standard library name types of ours.
fn in_json(expected: &str) -> &str {
    match expected {
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number",
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => "a whole number, 0 or more",
        "f32" | "f64" => "a number",
        "bool" => "true or false",
        "a sequence" => "a list",
        "a map" => "an object",
        "unit" => "null",
        _ if expected.starts_with("struct ") || expected.starts_with("internally tagged") => "an object",
        _ if expected.starts_with("tuple ") || expected.starts_with("an array of") => "a list",
        other => other,
    }
}

/// Whatever it wraps, with every struct below read from an object only.
struct Objects<T>(T);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Objects<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(Objects(visitor))
    }
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(Objects(visitor))
    }
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_option(Objects(visitor))
    }
    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_newtype_struct(name, Objects(visitor))
    }
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        // A word: there is nothing below it.
        self.0.deserialize_enum(name, variants, visitor)
    }
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_ignored_any(visitor)
    }
    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier
    }
}

/// What has nothing below it is handed on as it is.
macro_rules! hand_on {
    ($($method:ident: $kind:ty),* $(,)?) => {
        $(fn $method<E: Error>(self, value: $kind) -> Result<V::Value, E> {
            self.0.$method(value)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Objects<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }
    hand_on! {
        visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str, visit_borrowed_str: &'de str,
        visit_string: String,
    }
    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }
    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_none()
    }
    fn visit_some<D: Deserializer<'de>>(self, below: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(Objects(below))
    }
    fn visit_newtype_struct<D: Deserializer<'de>>(self, below: D) -> Result<V::Value, D::Error> {
        self.0.visit_newtype_struct(Objects(below))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, below: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Objects(below))
    }
    fn visit_map<A: MapAccess<'de>>(self, below: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Objects(below))
    }
    fn visit_enum<A: EnumAccess<'de>>(self, below: A) -> Result<V::Value, A::Error> {
        self.0.visit_enum(below)
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Objects<A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, A::Error> {
        self.0.next_element_seed(Objects(seed))
    }
    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Objects<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        self.0.next_key_seed(seed)
    }
    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        self.0.next_value_seed(Objects(seed))
    }
    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Objects<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, below: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Objects(below))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default, expecting = "an object")]
    struct Guest {
        name: Option<String>,
        age: Option<u8>,
    }
    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default, expecting = "an object")]
    struct Sale {
        buyer: Option<Guest>,
        guests: Vec<Guest>,
        kept: Value,
    }

    fn field(body: &str) -> Result<Sale, String> {
        let streamed = read::<Sale>(body.as_bytes()).map_err(|error| error.field);
        let value = serde_json::from_str::<Value>(body).unwrap();
        let through_value = read_value::<Sale>("data", &value).map_err(|error| error.field);
        match (&streamed, &through_value) {
            (Ok(one), Ok(other)) => assert_eq!(one, other),
            (Err(one), Err(other)) if one == "body" => assert_eq!(other, "data"),
            (Err(one), Err(other)) => assert_eq!(*other, format!("data.{one}")),
            _ => panic!("{body}: {streamed:?}, {through_value:?}"),
        }
        streamed
    }

    #[test]
    fn a_list_is_no_object_at_any_depth() {
        for (body, named) in [
            ("[]", "body"),
            (r#"[{"name":"a"}]"#, "body"),
            (r#"{"buyer":[]}"#, "buyer"),
            (r#"{"buyer":["a",3]}"#, "buyer"),
            (r#"{"guests":[{},[]]}"#, "guests[1]"),
            (r#"{"guests":{}}"#, "guests"),
            (r#"{"buyer":{"age":300}}"#, "buyer.age"),
        ] {
            assert_eq!(field(body), Err(named.to_owned()), "{body}");
        }
        assert_eq!(read::<Sale>(br#"{"buyer":[]}"#).unwrap_err().reason, "has the wrong type: expected an object");
    }

    #[test]
    fn types_are_named_in_the_words_of_json() {
        for (body, says) in [
            (r#"{"buyer":{"age":"x"}}"#, "has the wrong type: expected a whole number, 0 or more"),
            (r#"{"buyer":{"age":300}}"#, "has the wrong type: expected a whole number, 0 or more"),
            (r#"{"buyer":{"name":7}}"#, "has the wrong type: expected a string"),
            (r#"{"guests":{}}"#, "has the wrong type: expected a list"),
            (r#"{"guests":[7]}"#, "has the wrong type: expected an object"),
        ] {
            assert_eq!(read::<Sale>(body.as_bytes()).unwrap_err().reason, says, "{body}");
        }
    }

    #[test]
    fn what_is_right_is_read_as_ever() {
        let body = r#"{"buyer":{"name":"a","age":3,"more":[[]]},"guests":[{},{"name":null}],"kept":[[1,-2,2.5,"t",true,null]]}"#;
        let guest = Guest { name: Some("a".into()), age: Some(3) };
        let kept = json!([[1, -2, 2.5, "t", true, null]]);
        assert_eq!(
            field(body),
            Ok(Sale { buyer: Some(guest), guests: vec![Guest::default(), Guest::default()], kept })
        );
    }

    #[test]
    fn what_follows_the_object_is_no_json() {
        assert_eq!(read::<Sale>(b"{} {}").unwrap_err().reason, "is not JSON (line 1, column 4)");
        assert_eq!(read::<Sale>(b"{\"buyer\":").unwrap_err().field, "body");
    }
}
