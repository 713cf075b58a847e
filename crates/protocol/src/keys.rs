//! What a product key, a device key and a secret may look like.
//!
//! Keys become levels of topics and parts of the login strings, so they must not contain what those are made of. Device
//! programs keep them in fixed buffers, hence the lengths (docs/device-protocol.md, "Limits").

/// Longest product key, in bytes: what the vendor's C library has room for.
pub const PRODUCT_KEY_MAX_BYTES: usize = 20;
/// Longest device key, in bytes: what the vendor's C library has room for.
pub const DEVICE_KEY_MAX_BYTES: usize = 64;
/// Longest product or device secret, in bytes: what the vendor's C library has room for.
pub const SECRET_MAX_BYTES: usize = 64;

const FORBIDDEN: [char; 5] = ['/', '+', '#', '&', '|'];

/// Why a text cannot be a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// There is nothing.
    #[error("is empty")]
    Empty,
    /// It does not fit.
    #[error("is longer than {max} bytes")]
    TooLong {
        /// What would fit, in bytes.
        max: usize,
    },
    /// It contains a character that means something in topics or login strings.
    #[error("contains {0:?}; control characters and / + # & | are not allowed")]
    Forbidden(char),
    /// Names in percent signs, like `%channel%`, have a meaning of their own in logins.
    #[error("stands between percent signs; such names are reserved")]
    Reserved,
}

/// Checks a product key.
///
/// # Errors
/// Says what is wrong with it, as the rest of a sentence that begins with its name.
pub fn check_product_key(text: &str) -> Result<(), BadKey> {
    check_key(text, PRODUCT_KEY_MAX_BYTES)
}

/// Checks a device key.
///
/// # Errors
/// Says what is wrong with it, as the rest of a sentence that begins with its name.
pub fn check_device_key(text: &str) -> Result<(), BadKey> {
    check_key(text, DEVICE_KEY_MAX_BYTES)
}

/// Checks the secret of a product or device. It never travels, so any character but a control character will do.
///
/// # Errors
/// Says what is wrong with it, as the rest of a sentence that begins with its name.
pub fn check_secret(text: &str) -> Result<(), BadKey> {
    check_length(text, SECRET_MAX_BYTES)?;
    text.chars()
        .find(|c| c.is_control())
        .map_or(Ok(()), |c| Err(BadKey::Forbidden(c)))
}

fn check_key(text: &str, max: usize) -> Result<(), BadKey> {
    check_length(text, max)?;
    if let Some(found) = text.chars().find(|c| c.is_control() || FORBIDDEN.contains(c)) {
        return Err(BadKey::Forbidden(found));
    }
    if text.starts_with('%') && text.ends_with('%') {
        return Err(BadKey::Reserved);
    }
    Ok(())
}

fn check_length(text: &str, max: usize) -> Result<(), BadKey> {
    match text.len() {
        0 => Err(BadKey::Empty),
        length if length > max => Err(BadKey::TooLong { max }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_keys_pass() {
        for key in ["a", "productKey", "Pump 7", "泵-7", "a.b_c-d:e", "100%"] {
            assert_eq!(check_product_key(key), Ok(()), "{key}");
            assert_eq!(check_device_key(key), Ok(()), "{key}");
        }
    }

    #[test]
    fn what_topics_and_logins_are_made_of_is_refused() {
        for c in ['/', '+', '#', '&', '|', '\0', '\n', '\u{7f}', '\u{85}'] {
            assert_eq!(check_device_key(&format!("a{c}b")), Err(BadKey::Forbidden(c)));
        }
        for name in ["%channel%", "%VIRT_GATEWAY%", "%"] {
            assert_eq!(check_product_key(name), Err(BadKey::Reserved));
        }
    }

    #[test]
    fn lengths_are_counted_in_bytes() {
        assert_eq!(check_product_key(""), Err(BadKey::Empty));
        assert_eq!(check_product_key(&"k".repeat(20)), Ok(()));
        assert_eq!(check_product_key(&"泵".repeat(7)), Err(BadKey::TooLong { max: 20 }));
        assert_eq!(check_device_key(&"k".repeat(64)), Ok(()));
        assert_eq!(check_device_key(&"k".repeat(65)), Err(BadKey::TooLong { max: 64 }));
    }

    #[test]
    fn secrets_may_contain_what_keys_may_not() {
        assert_eq!(check_secret("a/b+c#d&e|f%"), Ok(()));
        assert_eq!(check_secret("a\tb"), Err(BadKey::Forbidden('\t')));
        assert_eq!(check_secret(&"s".repeat(65)), Err(BadKey::TooLong { max: 64 }));
    }
}
