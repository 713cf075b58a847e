//! Whether a value is of a data type.

use serde_json::{Map, Value};

use super::data_type::{ARRAY_LENGTH_MAX, DataSpec, DataType, EnumKind, StructMember};
use crate::number;
use crate::violation::Violation;

impl DataType {
    /// Checks a value.
    ///
    /// # Errors
    /// What was expected, with the path inside the value.
    pub fn check_value(&self, value: &Value) -> Result<(), Violation> {
        self.accept(value).map(drop)
    }

    /// Checks a value and gives it back; members that a STRUCT lacks are filled in with their defaults, whole numbers
    /// where the type wants them are written as such (22 for 22.0 or 2.2e1), all else stays as it was written.
    ///
    /// # Errors
    /// What was expected, with the path inside the value.
    pub fn accept(&self, value: &Value) -> Result<Value, Violation> {
        let whole = number::whole(value);
        let fits = match self {
            Self::Int => whole.is_some_and(|number| i32::try_from(number).is_ok()),
            // A number beyond the range of a double is none that a device can read.
            Self::Float | Self::Double => value.as_f64().is_some(),
            Self::Bool => value.is_boolean() || matches!(whole, Some(0 | 1)),
            Self::Enum {
                kind: EnumKind::Int,
                keys,
            } => whole.is_some_and(|number| keys.contains(&number.to_string())),
            Self::Enum {
                kind: EnumKind::String,
                keys,
            } => value.as_str().is_some_and(|text| keys.contains(text)),
            Self::String { bytes_max } => value.as_str().is_some_and(|text| text.len() <= *bytes_max),
            Self::Timestamp => whole.is_some_and(|ms| ms >= 0) || value.as_str().is_some_and(is_digits),
            Self::Date => value.as_str().is_some_and(is_date),
            Self::File => value.is_string(),
            Self::Array(item) => return accept_elements(item, value),
            Self::Struct(members) => return accept_members(members, value),
        };
        if !fits {
            return Err(Violation::of(value, self.describe()));
        }
        Ok(whole
            .filter(|_| self.is_whole())
            .map_or_else(|| value.clone(), Value::from))
    }

    /// Numbers of this type have no fraction.
    const fn is_whole(&self) -> bool {
        match self {
            Self::Int | Self::Bool | Self::Timestamp => true,
            Self::Enum { kind, .. } => matches!(kind, EnumKind::Int),
            Self::Float
            | Self::Double
            | Self::String { .. }
            | Self::Date
            | Self::Struct(_)
            | Self::Array(_)
            | Self::File => false,
        }
    }

    /// The type as a message describes it.
    fn describe(&self) -> String {
        match self {
            Self::Int | Self::Float | Self::Double | Self::Struct(_) => self.name().to_owned(),
            Self::Bool => "BOOL (true, false, 1 or 0)".to_owned(),
            Self::Enum { keys, .. } => {
                format!(
                    "ENUM ({})",
                    keys.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
                )
            }
            Self::String { bytes_max } => format!("STRING of at most {bytes_max} bytes"),
            Self::Timestamp => "TIMESTAMP (milliseconds)".to_owned(),
            Self::Date => "DATE (yyyy-MM-dd HH:mm:ss)".to_owned(),
            Self::Array(item) => format!("ARRAY of at most {ARRAY_LENGTH_MAX} {}", item.name()),
            Self::File => "FILE (text)".to_owned(),
        }
    }
}

fn accept_elements(item: &DataType, value: &Value) -> Result<Value, Violation> {
    let elements = value.as_array().filter(|elements| elements.len() <= ARRAY_LENGTH_MAX);
    let Some(elements) = elements else {
        return Err(Violation::of(value, DataType::Array(Box::new(item.clone())).describe()));
    };
    let elements = elements.iter().enumerate().map(|(index, element)| {
        item.accept(element)
            .map_err(|violation| violation.within(&format!("[{index}]")))
    });
    elements.collect()
}

fn accept_members(members: &[StructMember], value: &Value) -> Result<Value, Violation> {
    let given = value.as_object().ok_or_else(|| Violation::of(value, "STRUCT"))?;
    let slots = members
        .iter()
        .map(|member| (member.identifier.as_str(), &member.spec, member.required))
        .collect();
    accept_named(slots, given, "member").map(Value::Object)
}

/// Checks named values, of a STRUCT or of a service's input: each known name has its type or, if absent or null, its
/// default; the required are there and nothing else is.
pub(super) fn accept_named(
    slots: Vec<(&str, &DataSpec, bool)>,
    given: &Map<String, Value>,
    word: &str,
) -> Result<Map<String, Value>, Violation> {
    if let Some(unknown) = given
        .keys()
        .find(|name| slots.iter().all(|(known, _, _)| known != name))
    {
        let known = slots.iter().map(|(name, _, _)| *name).collect::<Vec<_>>().join(", ");
        let expected = if known.is_empty() {
            format!("no {word}")
        } else {
            format!("one of the {word}s {known}")
        };
        return Err(Violation::of_text(unknown, expected).within(unknown));
    }
    let mut accepted = Map::new();
    for (name, spec, required) in slots {
        let value = match (given.get(name), &spec.default) {
            (None | Some(Value::Null), Some(default)) => default.clone(),
            (None | Some(Value::Null), None) if required => {
                return Err(Violation::of(&Value::Null, spec.data_type.describe()).within(name));
            }
            (None | Some(Value::Null), None) => continue,
            (Some(value), _) => spec
                .data_type
                .accept(value)
                .map_err(|violation| violation.within(name))?,
        };
        accepted.insert(name.to_owned(), value);
    }
    Ok(accepted)
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<i64>().is_ok()
}

/// Only the two documented forms: jiff alone would read more than devices do.
fn is_date(text: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    match shape.as_str() {
        "0000-00-00 00:00:00" => text.parse::<jiff::civil::DateTime>().is_ok(),
        "0000-00-00" => text.parse::<jiff::civil::Date>().is_ok(),
        _ => false,
    }
}
