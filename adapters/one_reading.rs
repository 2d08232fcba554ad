// SPDX-License-Identifier: Apache-2.0

//! Reading JSON that has one reading. In an object that has a key twice one reader finds the first value and another the last: whoever
//! believes either believes what the partner may not have meant. Such a text is no JSON here.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Reads a body.
///
/// # Errors
/// It is not JSON, or an object in it has a key twice.
pub(crate) fn json(body: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice::<Plain>(body).map(|plain| plain.0)
}

/// A value in which no object has a key twice.
struct Plain(Value);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlainVisitor).map(Plain)
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }
    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Plain(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some((key, Plain(value))) = object.next_entry::<String, Plain>()? {
            if fields.insert(key, value).is_some() {
                return Err(A::Error::custom("an object has a key twice"));
            }
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_stands_twice_anywhere_makes_it_no_json() {
        for body in [
            r#"{"a":1,"a":1}"#,
            r#"{"data":{"error_code":5,"error_code":0}}"#,
            r#"[{"reservation":{},"reservation":{}}]"#,
            r#"{"a":1,"\u0061":2}"#,
        ] {
            assert!(json(body.as_bytes()).unwrap_err().to_string().contains("twice"), "{body}");
        }
    }

    #[test]
    fn everything_else_is_read_as_ever() {
        for body in [
            r#"{"a":[1,-2,2.5,1e300,18446744073709551615,"t",true,null,{},[]],"b":{"a":{"a":"\ud83d\ude00"}}}"#,
            r#""text""#,
            "null",
            " 7 ",
        ] {
            assert_eq!(json(body.as_bytes()).unwrap(), serde_json::from_str::<Value>(body).unwrap(), "{body}");
        }
        for body in ["", "{", "{} {}", "nil", "{'a':1}"] {
            assert!(json(body.as_bytes()).is_err(), "{body}");
        }
    }
}
