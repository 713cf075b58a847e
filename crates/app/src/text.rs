//! Checks of texts that callers choose themselves.

use aldis_core::secret::Secret;
use aldis_core::violation::Violation;
use aldis_protocol::keys::{self, BadKey};

/// Longest id that a caller may choose for something that devices do not know of.
pub(crate) const KEY_CHARS_MAX: usize = 64;
/// Longest description, in characters.
pub(crate) const DESC_CHARS_MAX: usize = 1024;

/// Checks an id that a caller chose for something that devices do not know of.
pub(crate) fn check_key(field: &str, key: &str) -> Result<(), Violation> {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '@');
    if !key.is_empty() && key.len() <= KEY_CHARS_MAX && key.chars().all(known) {
        return Ok(());
    }
    let rule = format!("1 to {KEY_CHARS_MAX} letters, digits, '_', '-', '.', ':' or '@'");
    Err(Violation::of_text(key, rule).within(field))
}

/// Checks a product key that a caller chose.
pub(crate) fn check_product_key(field: &str, key: &str) -> Result<(), Violation> {
    keys::check_product_key(key).map_err(|bad| {
        let rule = format!("{} of at most {} bytes", KEY_RULE, keys::PRODUCT_KEY_MAX_BYTES);
        wrong_key(field, key, rule, bad)
    })
}

/// Checks a device key that a caller chose.
pub(crate) fn check_device_key(field: &str, key: &str) -> Result<(), Violation> {
    keys::check_device_key(key).map_err(|bad| {
        let rule = format!("{} of at most {} bytes", KEY_RULE, keys::DEVICE_KEY_MAX_BYTES);
        wrong_key(field, key, rule, bad)
    })
}

const KEY_RULE: &str = "key without control characters and / + # & |";

fn wrong_key(field: &str, key: &str, rule: String, bad: BadKey) -> Violation {
    let mut violation = Violation::of_text(key, rule).within(field);
    violation.found = format!("{}, which {bad}", violation.found);
    violation
}

/// Checks a secret that a caller chose; the message does not repeat it.
pub(crate) fn check_secret(field: &str, secret: &Secret) -> Result<(), Violation> {
    keys::check_secret(secret).map_err(|bad| {
        let expected = format!("1 to {} bytes without control characters", keys::SECRET_MAX_BYTES);
        Violation {
            path: field.to_owned(),
            expected,
            found: format!("one that {bad}"),
        }
    })
}

/// Checks a description.
pub(crate) fn check_desc(field: &str, desc: &str) -> Result<(), Violation> {
    if desc.chars().count() <= DESC_CHARS_MAX {
        return Ok(());
    }
    Err(Violation::of_text(desc, format!("text of at most {DESC_CHARS_MAX} characters")).within(field))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chosen_keys_and_secrets_have_limits_and_secrets_are_not_repeated() {
        for good in ["a", "org-1_2.3:4@5", &"k".repeat(64)] {
            assert_eq!(check_key("assetId", good), Ok(()), "{good}");
        }
        for bad in ["", "a/b", "a+b", "a#", "a&b", "a b", "é", &"k".repeat(65)] {
            assert!(check_key("assetId", bad).is_err(), "{bad}");
        }
        assert_eq!(check_secret("deviceSecret", &"s3cr&t/+".into()), Ok(()));
        let refusal = check_secret("deviceSecret", &"top\nsecret".into())
            .unwrap_err()
            .to_string();
        assert!(
            refusal.starts_with("deviceSecret: expected 1 to 64") && !refusal.contains("top"),
            "{refusal}"
        );
        let refusal = check_product_key("productKey", "a/b").unwrap_err().to_string();
        let expected = r#"productKey: expected key without control characters and / + # & | of at most 20 bytes"#;
        assert!(refusal.starts_with(expected), "{refusal}");
        assert!(check_product_key("productKey", &"k".repeat(21)).is_err());
        assert_eq!(check_device_key("deviceKey", &"k".repeat(64)), Ok(()));
    }
}
