//! JSON and texts that come from files, stdin or flags.

use std::fmt::Display;
use std::io::Read as _;
use std::path::Path;

use aldis_core::text_file;
use anyhow::Context as _;
use serde_json::Value;

use crate::exit::usage;

/// The text of a file, or of stdin for `-`, without a byte order mark.
pub(crate) fn read_text(path: &Path) -> anyhow::Result<String> {
    let wrong = |error: &dyn Display| usage(format!("{}: {error}", path.display()));
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    text_file::decode(bytes.map_err(|error| wrong(&error))?).map_err(|error| wrong(&error))
}

/// The JSON in a file, or on stdin for `-`.
pub(crate) fn read_json(path: &Path) -> anyhow::Result<Value> {
    serde_json::from_str(&read_text(path)?)
        .map_err(|error| usage(error.to_string()))
        .with_context(|| format!("{} is no JSON", path.display()))
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
