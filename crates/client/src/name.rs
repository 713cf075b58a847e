//! Names in several languages, as they stand on the wire (docs/api.md, "Names").

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

/// A name: a default and its translations.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Name {
    /// Used where a translation is missing.
    #[serde(default)]
    pub default_value: String,
    /// Locale such as `en_US` → translation.
    #[serde(default, deserialize_with = "null_as_default")]
    pub i18n_value: BTreeMap<String, String>,
}

impl Name {
    /// A name without translations.
    pub fn plain(text: impl Into<String>) -> Self {
        Self {
            default_value: text.into(),
            i18n_value: BTreeMap::new(),
        }
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self::plain(text)
    }
}

impl From<String> for Name {
    fn from(text: String) -> Self {
        Self::plain(text)
    }
}

/// Reads `null` as the default: on this API null and absent mean the same.
pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}
