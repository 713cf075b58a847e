//! The data types of a model and their definitions (docs/api.md, "Data types").

use std::collections::BTreeSet;

use serde::{Serialize, Serializer, ser::SerializeStruct};
use serde_json::Value;

use super::read::{self, Fields};
use crate::number;
use crate::violation::Violation;

/// Longest STRING in bytes, also where a definition gives no limit.
pub const STRING_BYTES_MAX: usize = 1024;
/// Most elements of an ARRAY.
pub const ARRAY_LENGTH_MAX: usize = 128;

/// A data type together with the definition that it was read from, which is given back as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct DataSpec {
    /// What values look like.
    pub data_type: DataType,
    /// Taken where a command leaves the value out; fits the type.
    pub default: Option<Value>,
    /// The definition as JSON text.
    definition: Option<String>,
}

/// What a value looks like.
#[derive(Debug, Clone, PartialEq)]
pub enum DataType {
    /// A whole number of 32 bits.
    Int,
    /// Any number.
    Float,
    /// Any number.
    Double,
    /// `true` or `false`, or the numbers 1 and 0.
    Bool,
    /// One of a set of keys.
    Enum {
        /// How the keys are written.
        kind: EnumKind,
        /// The keys, as text.
        keys: BTreeSet<String>,
    },
    /// A text.
    String {
        /// Longest accepted length, in bytes.
        bytes_max: usize,
    },
    /// Epoch milliseconds, as a number or as digits.
    Timestamp,
    /// `yyyy-MM-dd HH:mm:ss` or `yyyy-MM-dd`.
    Date,
    /// An object of members.
    Struct(Vec<StructMember>),
    /// At most [`ARRAY_LENGTH_MAX`] elements of one type: INT, FLOAT, DOUBLE or STRING.
    Array(Box<Self>),
    /// A text that says where the file is.
    File,
}

/// How the keys of an ENUM are written in values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnumKind {
    /// As numbers.
    Int,
    /// As texts.
    String,
}

/// A member of a STRUCT.
#[derive(Debug, Clone, PartialEq)]
pub struct StructMember {
    /// Its key.
    pub identifier: String,
    /// Its type; never a STRUCT.
    pub spec: DataSpec,
    /// Whether it must be there.
    pub required: bool,
}

const TYPES: &[&str] = &[
    "INT",
    "FLOAT",
    "DOUBLE",
    "BOOL",
    "ENUM",
    "STRING",
    "TIMESTAMP",
    "DATE",
    "STRUCT",
    "ARRAY",
    "FILE",
];

impl DataType {
    /// The documented name of the type.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Int => "INT",
            Self::Float => "FLOAT",
            Self::Double => "DOUBLE",
            Self::Bool => "BOOL",
            Self::Enum { .. } => "ENUM",
            Self::String { .. } => "STRING",
            Self::Timestamp => "TIMESTAMP",
            Self::Date => "DATE",
            Self::Struct(_) => "STRUCT",
            Self::Array(_) => "ARRAY",
            Self::File => "FILE",
        }
    }

    fn read(name: &str, definition: &Fields<'_>) -> Result<Self, Violation> {
        Ok(match name {
            "INT" => Self::Int,
            "FLOAT" => Self::Float,
            "DOUBLE" => Self::Double,
            "BOOL" => Self::Bool,
            "ENUM" => Self::read_enum(definition)?,
            "STRING" => {
                let bytes_max = definition.optional("maxLength", read_length)?;
                Self::String {
                    bytes_max: bytes_max.unwrap_or(STRING_BYTES_MAX),
                }
            }
            "TIMESTAMP" => Self::Timestamp,
            "DATE" => Self::Date,
            "STRUCT" => Self::Struct(definition.required("items", read_members)?),
            "ARRAY" => {
                let item = definition.required("itemType", read::word(&["INT", "FLOAT", "DOUBLE", "STRING"]))?;
                Self::Array(Box::new(Self::read(item, &Fields::none())?))
            }
            _ => Self::File,
        })
    }

    fn read_enum(definition: &Fields<'_>) -> Result<Self, Violation> {
        let kind = match definition.required("enumType", read::word(&["INT", "STRING"]))? {
            "INT" => EnumKind::Int,
            _ => EnumKind::String,
        };
        let keys = definition.required("enumDesc", |value| match value.as_object() {
            Some(map) if !map.is_empty() => Ok(map.keys().cloned().collect::<BTreeSet<_>>()),
            _ => Err(Violation::of(value, "object with at least one key")),
        })?;
        if kind == EnumKind::Int
            && let Some(key) = keys
                .iter()
                .find(|key| key.parse::<i32>().map(|number| number.to_string()).as_ref() != Ok(key))
        {
            return Err(Violation::of_text(key, "INT as key").within("enumDesc"));
        }
        Ok(Self::Enum { kind, keys })
    }
}

impl DataSpec {
    /// A type without definition and default.
    #[must_use]
    pub const fn plain(data_type: DataType) -> Self {
        Self {
            data_type,
            default: None,
            definition: None,
        }
    }

    /// Reads `dataType` and `dataDefinition`, which is JSON as text, or JSON.
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, Violation> {
        let name = fields.required("dataType", read::word(TYPES))?;
        let definition = fields.optional("dataDefinition", read_definition)?.flatten();
        let content = match &definition {
            Some((_, content)) => Fields::of(content)?,
            None => Fields::none(),
        };
        let (data_type, default) =
            Self::read_content(name, &content).map_err(|violation| violation.within("dataDefinition"))?;
        Ok(Self {
            data_type,
            default,
            definition: definition.map(|(text, _)| text),
        })
    }

    fn read_content(name: &str, content: &Fields<'_>) -> Result<(DataType, Option<Value>), Violation> {
        let data_type = DataType::read(name, content)?;
        let default = content
            .optional("defaultValue", |value| data_type.read_default(value))?
            .flatten();
        Ok((data_type, default))
    }
}

impl DataType {
    /// A default in the type of values. Definitions write those of BOOL and ENUM as text too, and "no default" as empty
    /// text.
    fn read_default(&self, value: &Value) -> Result<Option<Value>, Violation> {
        let value = match (self, value.as_str()) {
            (Self::Bool | Self::Enum { .. }, Some("")) => return Ok(None),
            (Self::Bool, Some(text)) => serde_json::from_str(text).unwrap_or_else(|_| value.clone()),
            (
                Self::Enum {
                    kind: EnumKind::Int, ..
                },
                Some(text),
            ) => number::whole_text(text).map_or_else(|| value.clone(), Value::from),
            _ => value.clone(),
        };
        self.accept(&value).map(Some)
    }
}

/// The definition as text and as JSON; an empty text is none.
fn read_definition(value: &Value) -> Result<Option<(String, Value)>, Violation> {
    let (text, content) = match value.as_str() {
        None => (value.to_string(), value.clone()),
        Some(text) if text.trim().is_empty() => return Ok(None),
        Some(text) => (
            text.to_owned(),
            serde_json::from_str(text).unwrap_or_else(|_| value.clone()),
        ),
    };
    match content {
        Value::Null => Ok(None),
        Value::Object(_) => Ok(Some((text, content))),
        _ => Err(Violation::of(value, "object, or an object as text")),
    }
}

fn read_length(value: &Value) -> Result<usize, Violation> {
    let length = number::whole(value).and_then(|length| usize::try_from(length).ok());
    length
        .filter(|length| (1..=STRING_BYTES_MAX).contains(length))
        .ok_or_else(|| Violation::of(value, format!("number from 1 to {STRING_BYTES_MAX}")))
}

fn read_members(value: &Value) -> Result<Vec<StructMember>, Violation> {
    let members = read::list(read_member)(value)?;
    read::distinct(members.iter().map(|member| member.identifier.as_str()))?;
    Ok(members)
}

fn read_member(value: &Value) -> Result<StructMember, Violation> {
    let fields = Fields::of(value)?;
    // Looked at before its own members are, so that reading never goes deeper than one STRUCT.
    fields.required("dataType", |value| match value.as_str() {
        Some(name) if name.eq_ignore_ascii_case("STRUCT") => Err(Violation::of(value, "type other than STRUCT")),
        _ => Ok(()),
    })?;
    Ok(StructMember {
        identifier: fields.required("identifier", read::identifier)?,
        spec: DataSpec::read(&fields)?,
        required: fields.optional("required", read::boolean)?.unwrap_or(false),
    })
}

impl Serialize for DataSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("DataSpec", 2)?;
        fields.serialize_field("dataType", self.data_type.name())?;
        fields.serialize_field("dataDefinition", &self.definition)?;
        fields.end()
    }
}
