//! The JSON object that every message is, read as far as it goes.
//!
//! Values stay raw text, so that a value of the wrong type spoils nothing but itself. Keys may come in any order, unknown
//! ones are skipped, of a repeated one the last counts. Skipping is a loop, so no depth of nesting exhausts the stack.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// How deep a value from a device may be nested before it is kept as text only.
const DEPTH_MAX: usize = 64;

/// The keys that mean something to us, in either direction.
#[derive(Default)]
pub(crate) struct Envelope<'a> {
    pub(crate) id: Option<&'a RawValue>,
    pub(crate) code: Option<&'a RawValue>,
    pub(crate) data: Option<&'a RawValue>,
    pub(crate) message: Option<&'a RawValue>,
    pub(crate) params: Option<&'a RawValue>,
}

impl<'a> Envelope<'a> {
    /// Reads a payload; `None` if it is no JSON object in UTF-8.
    pub(crate) fn read(payload: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(payload).ok()
    }
}

impl<'de> Deserialize<'de> for Envelope<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EnvelopeVisitor)
    }
}

#[derive(serde::Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Key {
    Id,
    Code,
    Data,
    Message,
    Params,
    #[serde(other)]
    Unknown,
}

struct EnvelopeVisitor;

impl<'de> Visitor<'de> for EnvelopeVisitor {
    type Value = Envelope<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Envelope<'de>, A::Error> {
        let mut envelope = Envelope::default();
        while let Some(key) = map.next_key()? {
            let slot = match key {
                Key::Id => &mut envelope.id,
                Key::Code => &mut envelope.code,
                Key::Data => &mut envelope.data,
                Key::Message => &mut envelope.message,
                Key::Params => &mut envelope.params,
                Key::Unknown => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *slot = Some(map.next_value()?);
        }
        Ok(envelope)
    }
}

/// An id as text, whether it came as a string or as a number.
pub(crate) fn id_text(raw: &RawValue) -> Option<String> {
    let text = raw.get();
    match text.as_bytes().first()? {
        b'"' => serde_json::from_str(text).ok(),
        b'-' | b'0'..=b'9' => Some(text.to_owned()),
        _ => None,
    }
}

/// Whether arrays and objects are nested at most [`DEPTH_MAX`] deep.
pub(crate) fn is_shallow(json: &str) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_order_repetition_and_strangers_do_not_matter() {
        let envelope = Envelope::read(br#" {"x":[{}],"data":1,"id":"7","data":2,"\u0063ode":200} "#).unwrap();
        assert_eq!(envelope.id.map(RawValue::get), Some("\"7\""));
        assert_eq!(envelope.data.map(RawValue::get), Some("2"));
        assert_eq!(envelope.code.map(RawValue::get), Some("200"));
        assert!(envelope.message.is_none());
    }

    #[test]
    fn what_is_no_object_is_not_read() {
        for payload in [
            &b""[..],
            b"[]",
            b"null",
            b"{",
            b"{}x",
            b"{\"id\":}",
            b"{\"id\":\"\xff\"}",
        ] {
            assert!(Envelope::read(payload).is_none(), "{payload:?}");
        }
    }

    #[test]
    fn a_hundred_thousand_levels_are_read_without_harm() {
        let deep = format!(
            "{{\"x\":{0}{1},\"data\":{0}{1}}}",
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        let envelope = Envelope::read(deep.as_bytes()).unwrap();
        assert!(!is_shallow(envelope.data.unwrap().get()));
    }

    #[test]
    fn depth_counts_brackets_outside_of_strings() {
        assert!(is_shallow(&format!("{}{}", "[".repeat(64), "]".repeat(64))));
        assert!(!is_shallow(&format!("{}{}", "[".repeat(65), "]".repeat(65))));
        assert!(is_shallow(&format!("\"\\\"{}\"", "{".repeat(100))));
        assert!(is_shallow(&"[],".repeat(100)));
    }
}
