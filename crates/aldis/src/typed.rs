//! Values that are written as text, on the command line and in CSV cells, read as the thing model has them.

use std::collections::HashMap;

use aldis_client::{Client, DeviceRef, ThingModel};
use serde_json::{Map, Number, Value};

use crate::exit::usage;

/// The thing models of products, each asked for once.
#[derive(Debug)]
pub(crate) struct Models<'c> {
    client: &'c Client,
    of_product: HashMap<String, Option<ThingModel>>,
}

impl<'c> Models<'c> {
    pub(crate) fn new(client: &'c Client) -> Self {
        Self {
            client,
            of_product: HashMap::new(),
        }
    }

    /// The model of a product; `None` if there is no such product, or none of its model: the server says so later.
    ///
    /// # Errors
    /// The server cannot be reached, or does not let this key look.
    pub(crate) async fn of(&mut self, product_key: &str) -> anyhow::Result<Option<&ThingModel>> {
        if !self.of_product.contains_key(product_key) {
            let model = model_of(self.client, product_key).await?;
            self.of_product.insert(product_key.to_owned(), model);
        }
        Ok(self.of_product.get(product_key).and_then(Option::as_ref))
    }
}

async fn model_of(client: &Client, product_key: &str) -> anyhow::Result<Option<ThingModel>> {
    let product = match client.get_product(product_key).await {
        Ok(product) => product.data,
        Err(aldis_client::Error::Refused { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let Some(model_id) = product.model_id else {
        return Ok(None);
    };
    match client.get_model(&model_id).await {
        Ok(model) => Ok(Some(model.data)),
        Err(aldis_client::Error::Refused { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The definition of an attribute or measurement point in one of a model's maps.
pub(crate) fn definition<'m>(features: Option<&'m Map<String, Value>>, identifier: &str) -> Option<&'m Value> {
    features?.get(identifier)
}

/// Reads a flag as the value of a measurement point of a device.
///
/// # Errors
/// The text is no such value, or the server cannot be asked.
pub(crate) async fn point_value(client: &Client, device: &DeviceRef, point: &str, text: &str) -> anyhow::Result<Value> {
    let product = match device {
        DeviceRef::Keys { product_key, .. } => product_key.clone(),
        DeviceRef::Asset(_) => match client.get_device(device).await {
            Ok(device) => device.data.product_key,
            // The command itself brings the same answer, and its words are the better ones.
            Err(aldis_client::Error::Refused { .. }) => return typed_flag(text, None).map_err(usage),
            Err(error) => return Err(error.into()),
        },
    };
    point_value_of(client, &product, point, text).await
}

/// As [`point_value`], for the devices of a product.
///
/// # Errors
/// As [`point_value`].
pub(crate) async fn point_value_of(client: &Client, product: &str, point: &str, text: &str) -> anyhow::Result<Value> {
    let mut models = Models::new(client);
    let known = models.of(product).await?.and_then(|model| model.measurepoints.as_ref());
    typed_flag(text, definition(known, point)).map_err(|told| usage(format!("the value of `{point}`: {told}")))
}

/// Reads a text as a definition's data type has it. Numbers keep every digit; an exponent is
/// written as `e+4`.
///
/// # Errors
/// What was expected, and what was found.
pub(crate) fn typed(text: &str, definition: &Value) -> Result<Value, String> {
    let data_type = definition.get("dataType").and_then(Value::as_str).unwrap_or_default();
    let wrong = |expected: &str| format!("expected {expected}, found `{text}`");
    let trimmed = text.trim();
    match data_type {
        "INT" | "FLOAT" | "DOUBLE" => {
            number(trimmed).ok_or_else(|| wrong(&format!("{data_type} (such as 12 or -0.5)")))
        }
        "BOOL" => truth(trimmed).ok_or_else(|| wrong("BOOL (true, false, 1 or 0)")),
        "ENUM" if has_number_keys(definition) => number(trimmed).ok_or_else(|| wrong("ENUM with numbers as keys")),
        "TIMESTAMP" => number(trimmed).ok_or_else(|| wrong("TIMESTAMP (epoch milliseconds)")),
        "ARRAY" => json(trimmed)
            .filter(Value::is_array)
            .ok_or_else(|| wrong("ARRAY (such as [1, 2])")),
        "STRUCT" => json(trimmed)
            .filter(Value::is_object)
            .ok_or_else(|| wrong("STRUCT, such as {\"a\": 1},")),
        _ => Ok(Value::String(text.to_owned())),
    }
}

/// As [`typed`], for a flag: a text may also be given as a JSON string, in its own quotes. Without a definition the
/// text is JSON or, if it is none, a string.
///
/// # Errors
/// As [`typed`].
pub(crate) fn typed_flag(text: &str, definition: Option<&Value>) -> Result<Value, String> {
    let quoted = || json(text).filter(Value::is_string);
    match definition {
        Some(definition) => quoted().map_or_else(|| typed(text, definition), Ok),
        None => Ok(json(text).unwrap_or_else(|| Value::String(text.to_owned()))),
    }
}

fn json(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}

fn number(text: &str) -> Option<Value> {
    serde_json::from_str::<Number>(text).ok().map(Value::Number)
}

fn truth(text: &str) -> Option<Value> {
    match text {
        "1" | "0" => number(text),
        _ if text.eq_ignore_ascii_case("true") => Some(Value::Bool(true)),
        _ if text.eq_ignore_ascii_case("false") => Some(Value::Bool(false)),
        _ => None,
    }
}

/// The keys of an ENUM are numbers; its definition is an object or a text that contains one.
fn has_number_keys(definition: &Value) -> bool {
    let kind = |object: &Value| object.get("enumType").and_then(Value::as_str) == Some("INT");
    match definition.get("dataDefinition") {
        Some(Value::String(text)) => json(text).is_some_and(|object| kind(&object)),
        Some(object) => kind(object),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str, data_type: &str) -> Result<String, String> {
        typed(text, &json!({"dataType": data_type})).map(|value| value.to_string())
    }

    #[test]
    fn a_number_is_written_on_as_it_was_written() {
        for text in [
            "12e+4",
            "89860012345678901234",
            "1.50",
            "-0",
            "1e+400",
            "0.1234567890123456789",
        ] {
            assert_eq!(read(text, "DOUBLE").as_deref(), Ok(text));
        }
        assert_eq!(read("12E4", "DOUBLE").as_deref(), Ok("12e+4"), "no digit is lost");
        assert_eq!(read(" 7 ", "INT").as_deref(), Ok("7"));
        for text in ["", "1,5", "+5", "007", "x", "\"5\"", "0x10"] {
            assert!(read(text, "INT").unwrap_err().contains("INT"), "{text}");
        }
    }

    #[test]
    fn a_text_is_never_read_as_anything_else() {
        for text in ["89860012345678901234", "12E4", "true", "null", "{}", " x ", "\"q\""] {
            for data_type in ["STRING", "DATE", "FILE", "ENUM"] {
                assert_eq!(typed(text, &json!({"dataType": data_type})), Ok(json!(text)));
            }
        }
    }

    #[test]
    fn other_types_are_read_as_the_model_says() {
        assert_eq!(read("TRUE", "BOOL").as_deref(), Ok("true"));
        assert_eq!(read("0", "BOOL").as_deref(), Ok("0"));
        read("yes", "BOOL").unwrap_err();
        assert_eq!(read("[1.50]", "ARRAY").as_deref(), Ok("[1.50]"));
        assert_eq!(read("{\"a\":12e-4}", "STRUCT").as_deref(), Ok("{\"a\":12e-4}"));
        read("[1]", "STRUCT").unwrap_err();
        for definition in [json!({"enumType": "INT"}), json!("{\"enumType\":\"INT\"}")] {
            let definition = json!({"dataType": "ENUM", "dataDefinition": definition});
            assert_eq!(typed("3", &definition), Ok(json!(3)));
            typed("three", &definition).unwrap_err();
        }
    }

    #[test]
    fn a_flag_may_quote_a_text_and_is_json_where_no_type_is_known() {
        let text = json!({"dataType": "STRING"});
        assert_eq!(typed_flag("12E4", Some(&text)), Ok(json!("12E4")));
        assert_eq!(typed_flag("\"5\"", Some(&text)), Ok(json!("5")));
        assert_eq!(typed_flag("[1,2]", None), Ok(json!([1, 2])));
        assert_eq!(typed_flag("on", None), Ok(json!("on")));
    }
}
