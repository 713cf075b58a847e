//! Names in several languages (docs/api.md, "Names").

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Longest value of a name, in characters; a name is a label, not a text.
pub const VALUE_CHARS_MAX: usize = 128;

/// A name: a default and its translations. Locales look like `en_US`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct I18nText {
    /// Used where a translation is missing.
    pub default_value: String,
    /// Locale → translation, as given, also empty ones.
    #[serde(default, deserialize_with = "null_as_empty")]
    pub i18n_value: BTreeMap<String, String>,
}

/// What is wrong with a name, and in which of its fields.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The default is missing or empty.
    #[error("defaultValue: text expected")]
    NoDefault,
    /// A value is longer than [`VALUE_CHARS_MAX`].
    #[error("{field}: at most {VALUE_CHARS_MAX} characters expected, found {chars}")]
    TooLong {
        /// `defaultValue` or `i18nValue.<locale>`.
        field: String,
        /// Its length.
        chars: usize,
    },
    /// A key is no locale.
    #[error("i18nValue.{0}: a locale such as en_US expected as key")]
    Locale(String),
}

impl I18nText {
    /// A name without translations.
    #[must_use]
    pub fn plain(default_value: impl Into<String>) -> Self {
        Self {
            default_value: default_value.into(),
            i18n_value: BTreeMap::new(),
        }
    }

    /// Checks the default, all lengths and locales.
    ///
    /// # Errors
    /// The first rule that is broken, with its field.
    pub fn validate(&self) -> Result<(), Error> {
        if self.default_value.is_empty() {
            return Err(Error::NoDefault);
        }
        check_length("defaultValue".to_owned(), &self.default_value)?;
        for (locale, value) in &self.i18n_value {
            if !is_locale(locale) {
                return Err(Error::Locale(locale.clone()));
            }
            check_length(format!("i18nValue.{locale}"), value)?;
        }
        Ok(())
    }

    /// The name in a locale; the default where the translation is missing or empty.
    #[must_use]
    pub fn in_locale(&self, locale: &str) -> &str {
        self.i18n_value
            .get(locale)
            .filter(|value| !value.is_empty())
            .unwrap_or(&self.default_value)
    }

    /// The default, then every translation.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.default_value.as_str()).chain(self.i18n_value.values().map(String::as_str))
    }
}

/// Whether `text` is two small letters, an underscore and two capitals.
#[must_use]
pub fn is_locale(text: &str) -> bool {
    let [a, b, b'_', c, d] = text.as_bytes() else {
        return false;
    };
    a.is_ascii_lowercase() && b.is_ascii_lowercase() && c.is_ascii_uppercase() && d.is_ascii_uppercase()
}

fn check_length(field: String, value: &str) -> Result<(), Error> {
    let chars = value.chars().count();
    if chars > VALUE_CHARS_MAX {
        Err(Error::TooLong { field, chars })
    } else {
        Ok(())
    }
}

fn null_as_empty<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(default: &str, translations: &[(&str, &str)]) -> I18nText {
        let i18n_value = translations
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        I18nText {
            default_value: default.to_owned(),
            i18n_value,
        }
    }

    #[test]
    fn a_name_needs_a_default_and_locales_and_short_values() {
        let long = "é".repeat(VALUE_CHARS_MAX + 1);
        let fits = "é".repeat(VALUE_CHARS_MAX);
        let cases = [
            (name("n", &[]), None),
            (name(&fits, &[("zh_CN", "风机"), ("en_US", "")]), None),
            (name("", &[]), Some("defaultValue: text expected")),
            (
                name(&long, &[]),
                Some("defaultValue: at most 128 characters expected, found 129"),
            ),
            (
                name("n", &[("zh_CN", &long)]),
                Some("i18nValue.zh_CN: at most 128 characters expected, found 129"),
            ),
            (
                name("n", &[("zh-CN", "x")]),
                Some("i18nValue.zh-CN: a locale such as en_US expected as key"),
            ),
        ];
        for (name, expected) in cases {
            assert_eq!(
                name.validate().err().map(|e| e.to_string()).as_deref(),
                expected,
                "{name:?}"
            );
        }
    }

    #[test]
    fn translations_may_be_absent_or_null() {
        for json in [r#"{"defaultValue":"a"}"#, r#"{"defaultValue":"a","i18nValue":null}"#] {
            assert_eq!(serde_json::from_str::<I18nText>(json).unwrap(), I18nText::plain("a"));
        }
        assert_eq!(
            serde_json::to_string(&I18nText::plain("a")).unwrap(),
            r#"{"defaultValue":"a","i18nValue":{}}"#
        );
    }

    #[test]
    fn a_missing_or_empty_translation_falls_back_to_the_default() {
        let name = name("Turbine", &[("zh_CN", "风机"), ("en_US", "")]);
        assert_eq!(name.in_locale("zh_CN"), "风机");
        assert_eq!(name.in_locale("en_US"), "Turbine");
        assert_eq!(name.in_locale("ja_JP"), "Turbine");
    }
}
