//! What a document or a value breaks: where, what was expected there, what stands there instead.

use std::fmt;

use serde_json::Value;

/// How much of an offending value a message repeats.
const SHOWN_CHARS_MAX: usize = 60;

/// A rule that was broken, with the JSON path of the place: `services.speedup.inputData[0].dataType`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Where; empty for the whole value.
    pub path: String,
    /// What would be right there.
    pub expected: String,
    /// What is there, as shortened JSON; `nothing` if absent or null.
    pub found: String,
}

impl std::error::Error for Violation {}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let colon = if self.path.is_empty() { "" } else { ": " };
        write!(
            f,
            "{}{colon}expected {}, found {}",
            self.path, self.expected, self.found
        )
    }
}

impl Violation {
    /// The value itself is wrong; [`Violation::within`] tells later where it stood.
    #[must_use]
    pub fn of(value: &Value, expected: impl Into<String>) -> Self {
        let found = match value {
            Value::Null => "nothing".to_owned(),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                shorten(&value.to_string())
            }
        };
        Self {
            path: String::new(),
            expected: expected.into(),
            found,
        }
    }

    /// As [`Violation::of`] for a text.
    #[must_use]
    pub fn of_text(text: &str, expected: impl Into<String>) -> Self {
        Self {
            path: String::new(),
            expected: expected.into(),
            found: shorten(&format!("\"{text}\"")),
        }
    }

    /// The same violation seen from a document in which the value stands at `prefix`.
    #[must_use]
    pub fn within(mut self, prefix: &str) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') {
            ""
        } else {
            "."
        };
        self.path = format!("{prefix}{dot}{}", self.path);
        self
    }
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= SHOWN_CHARS_MAX {
        return text.to_owned();
    }
    text.chars().take(SHOWN_CHARS_MAX).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_violation_reads_as_one_sentence_with_its_place() {
        let inner = Violation::of(&json!("x"), "INT");
        assert_eq!(inner.to_string(), r#"expected INT, found "x""#);
        let placed = inner.within("[2]").within("inputData").within("services.speedup");
        assert_eq!(
            placed.to_string(),
            r#"services.speedup.inputData[2]: expected INT, found "x""#
        );
        assert_eq!(
            Violation::of(&Value::Null, "text").within("name").to_string(),
            "name: expected text, found nothing"
        );
        let long = Violation::of(&json!("é".repeat(500)), "less").to_string();
        assert!(long.ends_with('…') && long.chars().count() < 100, "{long}");
    }
}
