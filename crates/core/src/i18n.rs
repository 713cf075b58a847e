//! Names in several languages (docs/api.md, "Names").

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::violation::Violation;

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

/// Characters that show nothing: those that Unicode calls default-ignorable (joiners, marks of direction, variation
/// selectors, fillers, tags, the byte order mark), the marks of annotations, and the empty Braille pattern.
const INVISIBLE: [RangeInclusive<char>; 17] = [
    '\u{ad}'..='\u{ad}',
    '\u{34f}'..='\u{34f}',
    '\u{61c}'..='\u{61c}',
    '\u{115f}'..='\u{1160}',
    '\u{17b4}'..='\u{17b5}',
    '\u{180b}'..='\u{180f}',
    '\u{200b}'..='\u{200f}',
    '\u{202a}'..='\u{202e}',
    '\u{2060}'..='\u{206f}',
    '\u{2800}'..='\u{2800}',
    '\u{3164}'..='\u{3164}',
    '\u{fe00}'..='\u{fe0f}',
    '\u{feff}'..='\u{feff}',
    '\u{ffa0}'..='\u{ffa0}',
    '\u{fff0}'..='\u{fffb}',
    '\u{1d173}'..='\u{1d17a}',
    '\u{e0000}'..='\u{e0fff}',
];

impl I18nText {
    /// A name without translations.
    #[must_use]
    pub fn plain(default_value: impl Into<String>) -> Self {
        Self {
            default_value: default_value.into(),
            i18n_value: BTreeMap::new(),
        }
    }

    /// Reads and checks a name from JSON.
    ///
    /// # Errors
    /// It is no such object, or the first rule that is broken, with its field.
    pub fn read(value: &Value) -> Result<Self, Violation> {
        let name = Self::read_stored(value)?;
        name.validate()?;
        Ok(name)
    }

    /// The same of a name that may be stored already: it need not show anything, since that rule is younger than some
    /// stored names.
    pub(crate) fn read_stored(value: &Value) -> Result<Self, Violation> {
        let fields = value
            .as_object()
            .ok_or_else(|| Violation::of(value, "object with defaultValue"))?;
        let text = |value: &Value| {
            value
                .as_str()
                .map(str::to_owned)
                .ok_or_else(|| Violation::of(value, "text"))
        };
        let default = fields.get("defaultValue").unwrap_or(&Value::Null);
        let mut name = Self::plain(text(default).map_err(|violation| violation.within("defaultValue"))?);
        match fields.get("i18nValue").unwrap_or(&Value::Null) {
            Value::Null => {}
            Value::Object(translations) => {
                for (locale, value) in translations {
                    let value = text(value).map_err(|violation| violation.within(&format!("i18nValue.{locale}")))?;
                    name.i18n_value.insert(locale.clone(), value);
                }
            }
            other => return Err(Violation::of(other, "object of texts by locale").within("i18nValue")),
        }
        name.check_form()?;
        Ok(name)
    }

    /// Checks the default, all lengths and locales.
    ///
    /// # Errors
    /// The first rule that is broken, with its field.
    pub fn validate(&self) -> Result<(), Violation> {
        check_visible(&self.default_value).map_err(|violation| violation.within("defaultValue"))?;
        self.check_form()
    }

    fn check_form(&self) -> Result<(), Violation> {
        if self.default_value.is_empty() {
            return Err(Violation::of(&Value::Null, "text").within("defaultValue"));
        }
        check_length(&self.default_value).map_err(|violation| violation.within("defaultValue"))?;
        for (locale, value) in &self.i18n_value {
            let place = format!("i18nValue.{locale}");
            if !is_locale(locale) {
                return Err(Violation::of_text(locale, "locale such as en_US as key").within(&place));
            }
            check_length(value).map_err(|violation| violation.within(&place))?;
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

/// Refuses a name that shows nothing: blanks, control characters, characters without width.
///
/// # Errors
/// What was expected instead. An empty text is left to the caller.
pub fn check_visible(name: &str) -> Result<(), Violation> {
    let ignorable = |c: char| INVISIBLE.iter().any(|range| range.contains(&c));
    let invisible = |c: char| c.is_whitespace() || c.is_control() || ignorable(c);
    match name.is_empty() || !name.chars().all(invisible) {
        true => Ok(()),
        false => Err(Violation::of_text(name, "text that is not blank")),
    }
}

fn check_length(value: &str) -> Result<(), Violation> {
    if value.chars().count() <= VALUE_CHARS_MAX {
        return Ok(());
    }
    Err(Violation::of_text(
        value,
        format!("text of at most {VALUE_CHARS_MAX} characters"),
    ))
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
            (name("", &[]), Some("defaultValue: expected text, found nothing")),
            (
                name(" \t\u{3000}", &[]),
                Some("defaultValue: expected text that is not blank, found"),
            ),
            (
                name("\u{200b}\u{feff}", &[]),
                Some("defaultValue: expected text that is not blank, found"),
            ),
            (
                name("\u{202e}\u{3000}\u{ffa0}\u{fe0f}\u{2063}\u{e0020}", &[]),
                Some("defaultValue: expected text that is not blank, found"),
            ),
            (name(" n ", &[("en_US", " ")]), None),
            (
                name(&long, &[]),
                Some("defaultValue: expected text of at most 128 characters, found \"é"),
            ),
            (
                name("n", &[("zh_CN", &long)]),
                Some("i18nValue.zh_CN: expected text of at most 128 characters, found \"é"),
            ),
            (
                name("n", &[("zh-CN", "x")]),
                Some("i18nValue.zh-CN: expected locale such as en_US as key, found \"zh-CN\""),
            ),
        ];
        for (name, expected) in cases {
            let error = name.validate().err().map(|violation| violation.to_string());
            match expected {
                None => assert_eq!(error, None),
                Some(start) => assert!(
                    error.as_ref().is_some_and(|error| error.starts_with(start)),
                    "{error:?}"
                ),
            }
        }
    }

    #[test]
    fn a_name_in_json_is_an_object_of_texts() {
        use serde_json::json;
        assert_eq!(
            I18nText::read(&json!({"defaultValue": "a", "i18nValue": null, "x": 1})),
            Ok(I18nText::plain("a"))
        );
        let translated = json!({"defaultValue": "a", "i18nValue": {"en_US": "b"}});
        assert_eq!(I18nText::read(&translated), Ok(name("a", &[("en_US", "b")])));
        let bad = [
            (json!("a"), "expected object with defaultValue, found \"a\""),
            (json!({}), "defaultValue: expected text, found nothing"),
            (json!({"defaultValue": 3}), "defaultValue: expected text, found 3"),
            (
                json!({"defaultValue": "a", "i18nValue": []}),
                "i18nValue: expected object of texts by locale, found []",
            ),
            (
                json!({"defaultValue": "a", "i18nValue": {"en_US": 1}}),
                "i18nValue.en_US: expected text, found 1",
            ),
        ];
        for (json, expected) in bad {
            assert_eq!(I18nText::read(&json).unwrap_err().to_string(), expected);
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
