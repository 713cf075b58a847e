//! Single values in JSON as devices write it.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::scan::{Elements, Members};

/// How deep a value from a device may be nested before it is kept as text only.
const DEPTH_MAX: usize = 64;

/// How deep a value may be nested that is repaired: each level is gone through once more.
const REPAIR_DEPTH_MAX: usize = 8;

/// Whether it is a null, in the spelling of JSON or of the languages that programs are written in.
pub(crate) fn is_null(raw: &str) -> bool {
    matches!(raw, "null" | "None" | "nil" | "undefined" | "NULL")
}

/// The text that a text in quotes stands for; a bare word stands for itself.
pub(crate) fn unquoted(raw: &str) -> Cow<'_, str> {
    let Some(quote) = raw.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        return Cow::Borrowed(raw);
    };
    let inner = &raw[1..];
    let inner = inner.strip_suffix(quote).unwrap_or(inner);
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    Cow::Owned(serde_json::from_str(raw).unwrap_or_else(|_| unescaped(inner)))
}

/// Escapes that mean nothing stand for what they hide, and halves of surrogate pairs for a character that is not known.
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('\\') {
        plain.push_str(before);
        let mut chars = behind.chars();
        match chars.next() {
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('t') => plain.push('\t'),
            Some('b') => plain.push('\u{8}'),
            Some('f') => plain.push('\u{c}'),
            Some('u') => {
                let (c, length) = unicode(behind);
                plain.push(c);
                rest = &behind[length..];
                continue;
            }
            Some(other) => plain.push(other),
            None => {}
        }
        rest = chars.as_str();
    }
    plain.push_str(rest);
    plain
}

/// The character that `uXXXX`, or `uXXXX\uXXXX`, stands for, and how long that is.
fn unicode(text: &str) -> (char, usize) {
    let unit = |at: usize| u16::from_str_radix(text.get(at..at + 4)?, 16).ok();
    let Some(first) = unit(1) else {
        return (char::REPLACEMENT_CHARACTER, 1);
    };
    let second = if text.get(5..7) == Some("\\u") { unit(7) } else { None };
    let pair = second.and_then(|second| char::decode_utf16([first, second]).next()?.ok());
    match char::from_u32(first.into()) {
        Some(c) => (c, 5),
        None => pair.map_or((char::REPLACEMENT_CHARACTER, 5), |c| (c, 11)),
    }
}

/// A value, if all of it can be told; texts in quotes are repaired, numbers beyond any range and what is nested too
/// deep are no values.
pub(crate) fn value(raw: &str) -> Option<Value> {
    if !is_shallow(raw) {
        return None;
    }
    plain(raw).or_else(|| repaired(raw, REPAIR_DEPTH_MAX))
}

/// A value in valid JSON that is nested at most [`DEPTH_MAX`] deep, and whose numbers any reader takes.
pub(crate) fn plain(raw: &str) -> Option<Value> {
    if !is_shallow(raw) {
        return None;
    }
    serde_json::from_str(raw).ok().filter(is_in_range)
}

/// Numbers keep the text that they were written as, also those that are beyond the range of a double.
fn is_in_range(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_f64().is_some_and(f64::is_finite),
        Value::Array(elements) => elements.iter().all(is_in_range),
        Value::Object(members) => members.values().all(is_in_range),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

fn repaired(raw: &str, depth: usize) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    if let Some(mut members) = Members::of(raw) {
        let mut object = Map::new();
        for member in &mut members {
            object.insert(unquoted(member.key).into_owned(), repaired(member.value, depth)?);
        }
        return members.end().map(|_| Value::Object(object));
    }
    if let Some(mut elements) = Elements::of(raw) {
        let list = elements
            .by_ref()
            .map(|element| repaired(element, depth))
            .collect::<Option<_>>();
        return list.filter(|_| elements.is_closed()).map(Value::Array);
    }
    match raw {
        "True" => Some(Value::Bool(true)),
        "False" => Some(Value::Bool(false)),
        null if is_null(null) => Some(Value::Null),
        text if text.starts_with(['"', '\'']) => Some(Value::String(unquoted(text).into_owned())),
        other => plain(other),
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
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn depth_counts_brackets_outside_of_strings() {
        assert!(is_shallow(&format!("{}{}", "[".repeat(64), "]".repeat(64))));
        assert!(!is_shallow(&format!("{}{}", "[".repeat(65), "]".repeat(65))));
        assert!(is_shallow(&format!("\"\\\"{}\"", "{".repeat(100))));
        assert!(is_shallow(&"[],".repeat(100)));
    }

    #[test]
    fn value_that_can_be_told_is_repaired() {
        for (raw, expected) in [
            ("'it'", json!("it")),
            ("\"a\tb\"", json!("a\tb")),
            (r#""C:\temp\x""#, json!("C:\tempx")),
            (r#""\ud83d\ude00""#, json!("😀")),
            (r#""\ud83d""#, json!("\u{fffd}")),
            (r#""\u00e9\q\ud83d\ude00""#, json!("éq😀")),
            ("{'a':[1,True,None,],}", json!({"a": [1, true, null]})),
            ("[1,/* two */2]", json!([1, 2])),
            ("{a: 1}", json!({"a": 1})),
        ] {
            assert_eq!(value(raw), Some(expected), "{raw}");
        }
    }

    #[test]
    fn value_with_a_part_that_cannot_be_told_is_none() {
        for raw in [
            "NaN",
            "-Infinity",
            "1e999",
            "{\"a\":NaN}",
            "[1,NaN]",
            "0x1F",
            "{\"a\":1",
            "abc",
        ] {
            assert_eq!(value(raw), None, "{raw}");
        }
        assert_eq!(value(&"[".repeat(100_000)), None);
        assert_eq!(value(&format!("{}NaN{}", "['x',".repeat(60), "]".repeat(60))), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_harm(text: String) {
            let _either = value(&text);
            let _text = unquoted(&text);
        }
    }
}
