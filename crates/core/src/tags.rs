//! Tags: free key and value pairs on products, devices and the parts of a thing model (docs/api.md, "Tags").

use std::collections::BTreeMap;

use serde_json::Value;

use crate::violation::Violation;

/// Longest tag key, in characters.
pub const KEY_CHARS_MAX: usize = 49;
/// Longest tag value, in characters.
pub const VALUE_CHARS_MAX: usize = 199;

/// Tags by key.
pub type Tags = BTreeMap<String, String>;

/// Reads and checks tags from JSON; null is no tag at all.
///
/// # Errors
/// The first rule that is broken, at the tag's key.
pub fn read(value: &Value) -> Result<Tags, Violation> {
    if value.is_null() {
        return Ok(Tags::new());
    }
    let map = value
        .as_object()
        .ok_or_else(|| Violation::of(value, "object of texts"))?;
    let mut tags = Tags::new();
    for (key, value) in map {
        check_key(key).map_err(|violation| violation.within(key))?;
        let text = value.as_str().filter(|text| is_value(text)).ok_or_else(|| {
            let rule = format!("text of at most {VALUE_CHARS_MAX} characters without spaces at its ends");
            Violation::of(value, rule).within(key)
        })?;
        tags.insert(key.clone(), text.to_owned());
    }
    Ok(tags)
}

fn check_key(key: &str) -> Result<(), Violation> {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/');
    if !key.is_empty() && key.len() <= KEY_CHARS_MAX && key.chars().all(known) {
        return Ok(());
    }
    let rule = format!("key of 1 to {KEY_CHARS_MAX} letters, digits, '_', '-' or '/'");
    Err(Violation::of_text(key, rule))
}

fn is_value(text: &str) -> bool {
    text.chars().count() <= VALUE_CHARS_MAX && text.trim() == text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tags_have_limited_keys_and_trimmed_values() {
        let good = json!({"floor": "3", "a-b/c_1": "", ("k".repeat(49)): "é".repeat(199)});
        assert_eq!(read(&good).unwrap().len(), 3);
        assert_eq!(read(&Value::Null).unwrap(), Tags::new());
        let bad = [
            (json!([]), "expected object of texts, found []"),
            (
                json!({"a b": "x"}),
                r#"a b: expected key of 1 to 49 letters, digits, '_', '-' or '/', found "a b""#,
            ),
            (
                json!({"": "x"}),
                r#"expected key of 1 to 49 letters, digits, '_', '-' or '/', found """#,
            ),
            (
                json!({"a": 3}),
                "a: expected text of at most 199 characters without spaces at its ends, found 3",
            ),
            (
                json!({"a": " x"}),
                r#"a: expected text of at most 199 characters without spaces at its ends, found " x""#,
            ),
        ];
        for (tags, expected) in bad {
            assert_eq!(read(&tags).unwrap_err().to_string(), expected);
        }
        assert!(read(&json!({("k".repeat(50)): "x"})).is_err());
        assert!(read(&json!({"k": "v".repeat(200)})).is_err());
    }
}
