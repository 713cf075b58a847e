//! What must not be printed: secrets, tokens, passwords.

use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

/// A value that no `Debug` shows, so that no log, panic or error message can. It is compared and sent as what it holds.
///
/// Every field that holds a secret, a token or a password has this type (`tests/purity.rs` checks it).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret<T = String>(pub T);

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<Secret> for String {
    fn from(secret: Secret) -> Self {
        secret.0
    }
}

/// For signing and sending.
impl<T> Deref for Secret<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_of_a_secret_shows_stars() {
        let shown = format!("{:?} {:#?}", Secret::from("hunter2"), Some(Secret(b"hunter2".to_vec())));
        assert!(!shown.contains("hunter2") && !shown.contains("104"), "{shown}");
    }

    #[test]
    fn json_of_a_secret_is_its_value() {
        assert_eq!(serde_json::to_string(&Secret::from("s")).unwrap(), r#""s""#);
        assert_eq!(serde_json::from_str::<Secret>(r#""s""#).unwrap(), Secret::from("s"));
    }
}
