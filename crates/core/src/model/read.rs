//! Small readers for JSON documents: each reads one value or says what was expected; the places are added on the way
//! out.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::features::IDENTIFIER_CHARS_MAX;
use crate::violation::Violation;

static ABSENT: Value = Value::Null;

/// The fields of a JSON object.
pub(super) struct Fields<'a>(Option<&'a Map<String, Value>>);

impl<'a> Fields<'a> {
    pub(super) fn of(value: &'a Value) -> Result<Self, Violation> {
        match value.as_object() {
            Some(map) => Ok(Self(Some(map))),
            None => Err(Violation::of(value, "object")),
        }
    }

    /// An object that is not there: every field is absent.
    pub(super) const fn none() -> Self {
        Self(None)
    }

    /// A field that must be there; the reader is given null if it is not, and says what it expected.
    pub(super) fn required<T>(
        &self,
        name: &str,
        read: impl FnOnce(&Value) -> Result<T, Violation>,
    ) -> Result<T, Violation> {
        read(self.get(name)).map_err(|violation| violation.within(name))
    }

    /// A field that may be absent or null.
    pub(super) fn optional<T>(
        &self,
        name: &str,
        read: impl FnOnce(&Value) -> Result<T, Violation>,
    ) -> Result<Option<T>, Violation> {
        match self.get(name) {
            Value::Null => Ok(None),
            value => read(value).map(Some).map_err(|violation| violation.within(name)),
        }
    }

    fn get(&self, name: &str) -> &Value {
        self.0.and_then(|map| map.get(name)).unwrap_or(&ABSENT)
    }

    /// A map of identifier → definition. A definition that is null is absent.
    pub(super) fn definitions<T>(
        &self,
        name: &str,
        read: impl Fn(&str, &Value) -> Result<T, Violation>,
    ) -> Result<BTreeMap<String, T>, Violation> {
        let read_all = |value: &Value| {
            let map = value
                .as_object()
                .ok_or_else(|| Violation::of(value, "object of definitions by identifier"))?;
            let present = map.iter().filter(|(_, definition)| !definition.is_null());
            present
                .map(|(key, definition)| {
                    let read = identifier_text(key).and_then(|key| Ok((key.to_owned(), read(key, definition)?)));
                    read.map_err(|violation| violation.within(key))
                })
                .collect()
        };
        Ok(self.optional(name, read_all)?.unwrap_or_default())
    }
}

pub(super) fn text(value: &Value) -> Result<String, Violation> {
    value
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| Violation::of(value, "text"))
}

pub(super) fn boolean(value: &Value) -> Result<bool, Violation> {
    value.as_bool().ok_or_else(|| Violation::of(value, "true or false"))
}

pub(super) fn identifier(value: &Value) -> Result<String, Violation> {
    let text = value.as_str().ok_or_else(|| Violation::of(value, "identifier"))?;
    identifier_text(text).map(str::to_owned)
}

/// Identifiers become parts of MQTT topics, so they must not contain what topics are made of.
pub(super) fn identifier_text(text: &str) -> Result<&str, Violation> {
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | '+' | '#');
    if !text.is_empty() && text.chars().count() <= IDENTIFIER_CHARS_MAX && !text.contains(forbidden) {
        return Ok(text);
    }
    let rule = format!("identifier of 1 to {IDENTIFIER_CHARS_MAX} characters without spaces, '/', '+' and '#'");
    Err(Violation::of_text(text, rule))
}

/// One of the documented words, read in any case.
pub(super) fn word(words: &'static [&'static str]) -> impl Fn(&Value) -> Result<&'static str, Violation> {
    move |value| {
        let found = value
            .as_str()
            .and_then(|text| words.iter().find(|word| word.eq_ignore_ascii_case(text)));
        found
            .copied()
            .ok_or_else(|| Violation::of(value, format!("one of {}", words.join(", "))))
    }
}

/// Every element of an array, in order.
pub(super) fn list<T>(read: impl Fn(&Value) -> Result<T, Violation>) -> impl Fn(&Value) -> Result<Vec<T>, Violation> {
    move |value| {
        let elements = value.as_array().ok_or_else(|| Violation::of(value, "array"))?;
        let read_one = |(index, element)| read(element).map_err(|violation| violation.within(&format!("[{index}]")));
        elements.iter().enumerate().map(read_one).collect()
    }
}

/// Refuses a list in which two elements have the same identifier.
pub(super) fn distinct<'a>(identifiers: impl Iterator<Item = &'a str>) -> Result<(), Violation> {
    let mut seen = std::collections::BTreeSet::new();
    for (index, identifier) in identifiers.enumerate() {
        if !seen.insert(identifier) {
            let violation = Violation::of_text(identifier, "identifier used only once");
            return Err(violation.within(&format!("[{index}].identifier")));
        }
    }
    Ok(())
}
