//! The four kinds of definition in a model and what they are made of.

use serde::Serialize;
use serde_json::Value;

use super::data_type::DataSpec;
use super::read::{self, Fields};
use crate::i18n::I18nText;
use crate::tags::{self, Tags};
use crate::violation::Violation;

/// Longest identifier, in characters.
pub const IDENTIFIER_CHARS_MAX: usize = 128;

/// `inputData` as one table of the documentation prints it.
pub(super) const INPUT_MISPRINTED: &str = "intputData";

const SIGNAL_TYPES: &[&str] = &["Generic", "AI", "PI", "DI"];
const CALL_TYPES: &[&str] = &["ASYNC", "SYNC"];
const EVENT_TYPES: &[&str] = &["INFO", "WARN", "ERROR"];

/// What every definition has.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Common {
    /// The key in the model's map.
    pub identifier: String,
    /// Its name; the identifier if none was given.
    pub name: I18nText,
    /// What it is.
    pub desc: Option<String>,
    /// What it is, in several languages.
    pub i18n_desc: Option<I18nText>,
    /// Its tags.
    pub tags: Tags,
    /// Whether it comes from a library of standard definitions.
    pub is_std_element: bool,
    /// Its id there.
    pub std_element_id: Option<String>,
}

/// Something that a device is or has, set by people.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attribute {
    /// What every definition has.
    #[serde(flatten)]
    pub common: Common,
    /// Its type.
    #[serde(flatten)]
    pub spec: DataSpec,
    /// Its unit.
    pub unit: Option<Unit>,
    /// Whether every device must have it.
    pub is_required: bool,
    /// As given, not checked: the documentation leaves its form open.
    pub default_value: Option<Value>,
}

/// Something that a device measures, and that a command may set.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Measurepoint {
    /// What every definition has.
    #[serde(flatten)]
    pub common: Common,
    /// Its type.
    #[serde(flatten)]
    pub spec: DataSpec,
    /// Its unit.
    pub unit: Option<Unit>,
    /// Whether values carry a quality.
    pub has_quality: bool,
    /// `Generic`, `AI`, `PI` or `DI`.
    pub signal_type: Option<&'static str>,
    /// Whether commands may set it; our own field, given back only where it was given. Absent: they may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_mode: Option<AccessMode>,
}

/// Whether commands may set a measurement point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum AccessMode {
    /// Only the device changes it.
    #[serde(rename = "R")]
    ReadOnly,
    /// Commands may set it.
    #[serde(rename = "RW")]
    ReadWrite,
}

/// Something that a device can be asked to do.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// What every definition has.
    #[serde(flatten)]
    pub common: Common,
    /// Its parameters.
    pub input_data: Vec<Datapoint>,
    /// What it answers.
    pub output_data: Vec<Datapoint>,
    /// `ASYNC` or `SYNC`; has no effect.
    pub call_type: Option<&'static str>,
}

/// Something that a device reports by itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// What every definition has.
    #[serde(flatten)]
    pub common: Common,
    /// What it reports.
    pub output_data: Vec<Datapoint>,
    /// `INFO`, `WARN` or `ERROR`.
    pub event_type: Option<&'static str>,
}

/// A parameter of a service, or a part of an answer or an event.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Datapoint {
    /// Unique within its list.
    pub identifier: String,
    /// Its type.
    #[serde(flatten)]
    pub spec: DataSpec,
    /// Its name; the identifier if none was given.
    pub name: I18nText,
    /// What it is.
    pub desc: Option<String>,
    /// Its tags.
    pub tags: Tags,
    /// Its unit.
    pub unit: Option<Unit>,
    /// Whether it comes from a library of standard definitions.
    pub is_std_element: bool,
    /// Its id there.
    pub std_element_id: Option<String>,
    /// Whether a command must give it; given back only where it was given. Absent: it need not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
}

/// A unit of measurement.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unit {
    /// Its id, such as `kwh`.
    pub unit_id: String,
    /// `YOTTA` to `YOCTO`; has no effect.
    pub multiplier: Option<String>,
}

impl Common {
    fn read(key: &str, fields: &Fields<'_>) -> Result<Self, Violation> {
        let identifier = fields.optional("identifier", |value| {
            if value == key {
                Ok(())
            } else {
                Err(Violation::of(value, format!("\"{key}\", as the key says")))
            }
        });
        identifier?;
        Ok(Self {
            identifier: key.to_owned(),
            name: fields
                .optional("name", I18nText::read_stored)?
                .unwrap_or_else(|| I18nText::plain(key)),
            desc: fields.optional("desc", read::text)?,
            i18n_desc: fields.optional("i18nDesc", read_i18n_desc)?,
            tags: fields.optional("tags", tags::read)?.unwrap_or_default(),
            is_std_element: fields.optional("isStdElement", read::boolean)?.unwrap_or(false),
            std_element_id: fields.optional("stdElementId", read::text)?,
        })
    }
}

/// Descriptions have the shape of names without their rules: they may be long, and empty.
fn read_i18n_desc(value: &Value) -> Result<I18nText, Violation> {
    serde_json::from_value(value.clone()).map_err(|error| Violation::of(value, format!("texts by locale ({error})")))
}

impl Attribute {
    pub(super) fn read(key: &str, value: &Value) -> Result<Self, Violation> {
        let fields = Fields::of(value)?;
        Ok(Self {
            common: Common::read(key, &fields)?,
            spec: DataSpec::read(&fields)?,
            unit: fields.optional("unit", Unit::read)?,
            is_required: fields.optional("isRequired", read::boolean)?.unwrap_or(false),
            default_value: fields.optional("defaultValue", |value| Ok(value.clone()))?,
        })
    }
}

impl Measurepoint {
    pub(super) fn read(key: &str, value: &Value) -> Result<Self, Violation> {
        let fields = Fields::of(value)?;
        Ok(Self {
            common: Common::read(key, &fields)?,
            spec: DataSpec::read(&fields)?,
            unit: fields.optional("unit", Unit::read)?,
            has_quality: fields.optional("hasQuality", read::boolean)?.unwrap_or(false),
            signal_type: fields.optional("signalType", read::word(SIGNAL_TYPES))?,
            access_mode: fields.optional("accessMode", AccessMode::read)?,
        })
    }
}

impl AccessMode {
    fn read(value: &Value) -> Result<Self, Violation> {
        match read::word(&["R", "RW"])(value)? {
            "R" => Ok(Self::ReadOnly),
            _ => Ok(Self::ReadWrite),
        }
    }
}

impl Service {
    pub(super) fn read(key: &str, value: &Value) -> Result<Self, Violation> {
        let fields = Fields::of(value)?;
        let input = match fields.optional("inputData", Datapoint::read_list)? {
            Some(input) => Some(input),
            None => fields.optional(INPUT_MISPRINTED, Datapoint::read_list)?,
        };
        Ok(Self {
            common: Common::read(key, &fields)?,
            input_data: input.unwrap_or_default(),
            output_data: fields.optional("outputData", Datapoint::read_list)?.unwrap_or_default(),
            call_type: fields.optional("callType", read::word(CALL_TYPES))?,
        })
    }
}

impl Event {
    pub(super) fn read(key: &str, value: &Value) -> Result<Self, Violation> {
        let fields = Fields::of(value)?;
        Ok(Self {
            common: Common::read(key, &fields)?,
            output_data: fields.optional("outputData", Datapoint::read_list)?.unwrap_or_default(),
            event_type: fields.optional("eventType", read::word(EVENT_TYPES))?,
        })
    }
}

impl Datapoint {
    fn read_list(value: &Value) -> Result<Vec<Self>, Violation> {
        let points = read::list(Self::read)(value)?;
        read::distinct(points.iter().map(|point| point.identifier.as_str()))?;
        Ok(points)
    }

    fn read(value: &Value) -> Result<Self, Violation> {
        let fields = Fields::of(value)?;
        let identifier = fields.required("identifier", read::identifier)?;
        Ok(Self {
            spec: DataSpec::read(&fields)?,
            name: fields
                .optional("name", I18nText::read_stored)?
                .unwrap_or_else(|| I18nText::plain(&identifier)),
            desc: fields.optional("desc", read::text)?,
            tags: fields.optional("tags", tags::read)?.unwrap_or_default(),
            unit: fields.optional("unit", Unit::read)?,
            is_std_element: fields.optional("isStdElement", read::boolean)?.unwrap_or(false),
            std_element_id: fields.optional("stdElementId", read::text)?,
            required: fields.optional("required", read::boolean)?,
            identifier,
        })
    }
}

impl Unit {
    fn read(value: &Value) -> Result<Self, Violation> {
        let fields = Fields::of(value)?;
        Ok(Self {
            unit_id: fields.required("unitId", read::text)?,
            multiplier: fields.optional("multiplier", read::text)?,
        })
    }
}
