//! Checks of texts that callers choose themselves.

use aldis_core::violation::Violation;
use serde_json::Value;

/// Longest key, id or secret that a caller may choose: they stand in topics and in user names.
pub const KEY_CHARS_MAX: usize = 64;
/// Longest description, in characters.
pub const DESC_CHARS_MAX: usize = 1024;

/// Checks a key or id that a caller chose. It becomes part of topics and of MQTT user names, hence no `/`, `+`, `#`, `&`.
pub(crate) fn check_key(field: &str, key: &str) -> Result<(), Violation> {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '@');
    if !key.is_empty() && key.len() <= KEY_CHARS_MAX && key.chars().all(known) {
        return Ok(());
    }
    let rule = format!("1 to {KEY_CHARS_MAX} letters, digits, '_', '-', '.', ':' or '@'");
    Err(Violation::of_text(key, rule).within(field))
}

/// Checks a secret that a caller chose; the message does not repeat it.
pub(crate) fn check_secret(field: &str, secret: &str) -> Result<(), Violation> {
    let printable = |c: char| c.is_ascii_graphic();
    if !secret.is_empty() && secret.len() <= KEY_CHARS_MAX && secret.chars().all(printable) {
        return Ok(());
    }
    let rule = format!("1 to {KEY_CHARS_MAX} printable ASCII characters without spaces");
    let found = "another text (not shown, being a secret)".to_owned();
    Err(Violation {
        path: field.to_owned(),
        expected: rule,
        found,
    })
}

/// Checks a description.
pub(crate) fn check_desc(field: &str, desc: &str) -> Result<(), Violation> {
    if desc.chars().count() <= DESC_CHARS_MAX {
        return Ok(());
    }
    Err(Violation::of_text(desc, format!("text of at most {DESC_CHARS_MAX} characters")).within(field))
}

/// A parameter that has to be there.
pub(crate) fn required<T>(field: &str, value: Option<T>) -> Result<T, Violation> {
    value.ok_or_else(|| Violation::of(&Value::Null, "a value").within(field))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chosen_keys_and_secrets_have_limits_and_secrets_are_not_repeated() {
        for good in ["a", "dev-1_2.3:4@5", &"k".repeat(64)] {
            assert_eq!(check_key("deviceKey", good), Ok(()), "{good}");
        }
        for bad in ["", "a/b", "a+b", "a#", "a&b", "a b", "é", &"k".repeat(65)] {
            assert!(check_key("deviceKey", bad).is_err(), "{bad}");
        }
        assert_eq!(check_secret("deviceSecret", "s3cr&t/+"), Ok(()));
        let refusal = check_secret("deviceSecret", "top secret").unwrap_err().to_string();
        assert!(
            refusal.starts_with("deviceSecret: 1 to 64") && !refusal.contains("top"),
            "{refusal}"
        );
    }
}
