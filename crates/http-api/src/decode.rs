//! JSON values into request types, with errors that name the field and say what was expected there.
//!
//! A serde `Deserializer` over a parsed value, because the two in `serde_json` accept lists for structs and report no
//! place. Rules of the API that hold everywhere live here: null counts as absent, unknown fields are
//! ignored and named in the answer of a changing call (`ignored.rs`).

use std::fmt;

use aldis_core::number;
use aldis_core::violation::Violation;
use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, IntoDeserializer, Unexpected, Visitor};
use serde_json::Value;

use super::ignored;

/// Reads `value` as a `T`.
///
/// # Errors
/// The first rule that is broken, with its path.
pub(super) fn decode<T: de::DeserializeOwned>(value: &Value) -> Result<T, Violation> {
    decode_at("", value)
}

/// The same of a value that stands at `place` of a body: that is where members are said to be ignored. Errors are told
/// their place by the caller.
///
/// # Errors
/// Those of [`decode`].
pub(super) fn decode_at<T: de::DeserializeOwned>(place: &str, value: &Value) -> Result<T, Violation> {
    serde_ignored::deserialize(Decoder(value), |path| ignored::note(place, &path)).map_err(|wrong: Wrong| wrong.0)
}

/// A violation, as serde wants its errors.
#[derive(Debug)]
struct Wrong(Violation);

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Wrong {}

impl de::Error for Wrong {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(Violation {
            path: String::new(),
            expected: message.to_string(),
            found: "another value".to_owned(),
        })
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self(Violation {
            path: String::new(),
            expected: expected.to_string(),
            found: unexpected.to_string(),
        })
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::invalid_type(unexpected, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self(Violation::of_text(variant, format!("one of {}", expected.join(", "))))
    }

    fn missing_field(field: &'static str) -> Self {
        Self(Violation::of(&Value::Null, "a value").within(field))
    }
}

#[derive(Clone, Copy)]
struct Decoder<'de>(&'de Value);

impl<'de> Decoder<'de> {
    fn wrong(self, expected: &str) -> Wrong {
        Wrong(Violation::of(self.0, expected))
    }

    fn whole<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let number = number::whole(self.0).ok_or_else(|| self.wrong("whole number"))?;
        visitor
            .visit_i64(number)
            .map_err(|_beyond: Wrong| self.wrong("whole number closer to 0"))
    }

    fn positive<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let whole = || number::whole(self.0).and_then(|number| u64::try_from(number).ok());
        let number = self.0.as_u64().or_else(whole);
        let number = number.ok_or_else(|| self.wrong("whole number from 0"))?;
        visitor
            .visit_u64(number)
            .map_err(|_beyond: Wrong| self.wrong("smaller whole number"))
    }

    fn number<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_f64(self.0.as_f64().ok_or_else(|| self.wrong("number"))?)
    }

    fn text<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_borrowed_str(self.0.as_str().ok_or_else(|| self.wrong("text"))?)
    }

    fn list<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let elements = self.0.as_array().ok_or_else(|| self.wrong("list"))?;
        visitor.visit_seq(Elements {
            rest: elements.iter(),
            next: 0,
        })
    }

    fn entries<V: Visitor<'de>>(self, visitor: V, skip_null: bool) -> Result<V::Value, Wrong> {
        let fields = self.0.as_object().ok_or_else(|| self.wrong("object"))?;
        visitor.visit_map(Entries {
            rest: fields.iter(),
            skip_null,
            value: None,
        })
    }
}

impl<'de> Deserializer<'de> for Decoder<'de> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(truth) => visitor.visit_bool(*truth),
            Value::Number(number) => number
                .deserialize_any(visitor)
                .map_err(|error| self.wrong(&error.to_string())),
            Value::String(_) => self.text(visitor),
            Value::Array(_) => self.list(visitor),
            Value::Object(_) => self.entries(visitor, false),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_bool(self.0.as_bool().ok_or_else(|| self.wrong("true or false"))?)
    }

    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.whole(visitor)
    }

    fn deserialize_i16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.whole(visitor)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.whole(visitor)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.whole(visitor)
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.positive(visitor)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.positive(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.positive(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.positive(visitor)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.number(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.number(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.text(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.text(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.text(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.text(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.text(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        if self.0.is_null() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.list(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _length: usize, visitor: V) -> Result<V::Value, Wrong> {
        self.list(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.list(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.entries(visitor, false)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.entries(visitor, true)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let word = self.0.as_str().ok_or_else(|| self.wrong("text"))?;
        visitor.visit_enum(IntoDeserializer::<Wrong>::into_deserializer(word))
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.text(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_unit()
    }
}

struct Elements<'de> {
    rest: std::slice::Iter<'de, Value>,
    next: usize,
}

impl<'de> de::SeqAccess<'de> for Elements<'de> {
    type Error = Wrong;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Wrong> {
        let Some(value) = self.rest.next() else { return Ok(None) };
        let place = format!("[{}]", self.next);
        self.next += 1;
        seed.deserialize(Decoder(value))
            .map(Some)
            .map_err(|wrong| Wrong(wrong.0.within(&place)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

struct Entries<'de> {
    rest: serde_json::map::Iter<'de>,
    skip_null: bool,
    value: Option<(&'de str, &'de Value)>,
}

impl<'de> de::MapAccess<'de> for Entries<'de> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Wrong> {
        let skip_null = self.skip_null;
        let Some((key, value)) = self.rest.find(|(_, value)| !(skip_null && value.is_null())) else {
            return Ok(None);
        };
        self.value = Some((key, value));
        seed.deserialize(StrDeserializer::new(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        let (key, value) = self.value.take().expect("serde asks for a key before its value");
        seed.deserialize(Decoder(value))
            .map_err(|wrong| Wrong(wrong.0.within(key)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "camelCase")]
    struct Outer {
        needed_text: String,
        inner: Option<Inner>,
        #[serde(default)]
        list: Vec<Inner>,
        any: Option<Value>,
        map: Option<BTreeMap<String, Option<u32>>>,
        word: Option<Word>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Inner {
        #[serde(alias = "amount")]
        number: Option<u8>,
        flag: Option<bool>,
        moment: Option<i64>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    enum Word {
        One,
        Two,
    }

    #[test]
    fn null_is_absent_and_unknown_fields_are_ignored() {
        let body = json!({"neededText": "x", "inner": {"amount": 3, "flag": null}, "list": null, "other": [1],
            "any": {"a": [null, 1.5]}, "map": {"a": 1, "b": null}, "word": "Two"});
        let read: Outer = decode(&body).unwrap();
        let inner = Inner {
            number: Some(3),
            flag: None,
            moment: None,
        };
        assert_eq!(read.inner, Some(inner));
        assert_eq!(read.any, Some(json!({"a": [null, 1.5]})));
        assert_eq!(
            read.map,
            Some(BTreeMap::from([("a".to_owned(), Some(1)), ("b".to_owned(), None)]))
        );
        assert_eq!(read.word, Some(Word::Two));
    }

    #[test]
    fn errors_name_the_field_and_what_was_expected() {
        let cases = [
            (json!({}), "neededText: expected a value, found nothing"),
            (
                json!({"neededText": null}),
                "neededText: expected a value, found nothing",
            ),
            (json!({"neededText": 3}), "neededText: expected text, found 3"),
            (json!([]), "expected object, found []"),
            (json!("x"), r#"expected object, found "x""#),
            (
                json!({"neededText": "", "inner": [3, true, 1]}),
                "inner: expected object, found [3,true,1]",
            ),
            (
                json!({"neededText": "", "inner": {"flag": "yes"}}),
                r#"inner.flag: expected true or false, found "yes""#,
            ),
            (
                json!({"neededText": "", "inner": {"moment": 1.5}}),
                "inner.moment: expected whole number, found 1.5",
            ),
            (
                json!({"neededText": "", "inner": {"number": -1}}),
                "inner.number: expected whole number from 0, found -1",
            ),
            (
                json!({"neededText": "", "inner": {"number": 256}}),
                "inner.number: expected smaller whole number, found 256",
            ),
            (
                json!({"neededText": "", "list": [{}, {"number": "1"}]}),
                r#"list[1].number: expected whole number from 0, found "1""#,
            ),
            (json!({"neededText": "", "list": {}}), "list: expected list, found {}"),
            (
                json!({"neededText": "", "word": "Three"}),
                r#"word: expected one of One, Two, found "Three""#,
            ),
        ];
        for (body, expected) in cases {
            assert_eq!(decode::<Outer>(&body).unwrap_err().to_string(), expected, "{body}");
        }
    }
}
