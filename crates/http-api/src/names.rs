//! Names in several languages, as they stand in requests and answers.

use std::collections::BTreeMap;

use aldis_core::i18n::{I18nText, check_visible};
use aldis_core::violation::Violation;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A name: a default and its translations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct StringI18n {
    /// Used where a translation is missing.
    #[schema(max_length = 128)]
    pub(super) default_value: String,
    /// Translations by locale, such as `en_US`.
    #[serde(default)]
    pub(super) i18n_value: BTreeMap<String, String>,
}

impl StringI18n {
    /// The checked name; `field` is where it stands.
    pub(super) fn read(self, field: &str) -> Result<I18nText, Violation> {
        let name = I18nText {
            default_value: self.default_value,
            i18n_value: self.i18n_value,
        };
        name.validate().map_err(|violation| violation.within(field))?;
        for (locale, translation) in &name.i18n_value {
            check_visible(translation).map_err(|it| it.within(&format!("{field}.i18nValue.{locale}")))?;
        }
        Ok(name)
    }
}

/// A name that a change may leave out.
pub(super) fn read_name(field: &str, given: Option<StringI18n>) -> Result<Option<I18nText>, Violation> {
    given.map(|name| name.read(field)).transpose()
}

impl From<I18nText> for StringI18n {
    fn from(name: I18nText) -> Self {
        Self {
            default_value: name.default_value,
            i18n_value: name.i18n_value,
        }
    }
}
