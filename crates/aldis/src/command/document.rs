//! JSON and texts that come from files, stdin or flags.

use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;

use crate::exit::usage;

/// The text of a file, or of stdin for `-`.
pub(crate) fn read_text(path: &Path) -> anyhow::Result<String> {
    let outcome = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    outcome.map_err(|error| usage(format!("{}: {error}", path.display())))
}

/// The JSON in a file, or on stdin for `-`.
pub(crate) fn read_json(path: &Path) -> anyhow::Result<Value> {
    serde_json::from_str(&read_text(path)?)
        .map_err(|error| usage(error.to_string()))
        .with_context(|| format!("{} is no JSON", path.display()))
}

/// A JSON value from a flag. What is no JSON counts as a string, so that `--value on` needs no second pair of quotes.
pub(crate) fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// A JSON object from a flag; clap's form of a parser.
pub(crate) fn object(text: &str) -> Result<Value, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => Ok(Value::Object(fields)),
        Ok(_) => Err("expected a JSON object such as {\"delta\": 3}".to_owned()),
        Err(error) => Err(format!("expected a JSON object such as {{\"delta\": 3}}: {error}")),
    }
}

/// `NAME=VALUE` from a flag; clap's form of a parser.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_flag_that_is_no_json_is_a_string() {
        assert_eq!(value("30.5"), json!(30.5));
        assert_eq!(value("[1,2]"), json!([1, 2]));
        assert_eq!(value("on"), json!("on"));
        assert_eq!(value("\"5\""), json!("5"));
    }

    #[test]
    fn inputs_are_objects() {
        assert_eq!(object(r#"{"delta":3}"#), Ok(json!({"delta": 3})));
        object("3").unwrap_err();
        object("{delta:3}").unwrap_err();
    }

    #[test]
    fn a_file_that_is_no_json_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "{").unwrap();
        let error = format!("{:#}", read_json(file.path()).unwrap_err());
        assert!(error.contains("is no JSON") && error.contains("line 1"), "{error}");
    }
}
