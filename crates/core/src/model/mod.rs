//! Thing models: what devices of a product have and can do (docs/api.md, "Thing models").
//!
//! A model arrives as JSON, is checked strictly ([`ThingModel::read`], every error with its path) and is given back in
//! the documented shape by serde; reading what was written gives the same model. A command is checked against it once,
//! when its job is created ([`ThingModel::validate_command`]).
//!
//! Not here: who may use a model, where it is kept, and replies of devices, which are not checked.

mod command;
mod data_type;
mod features;
mod read;
#[cfg(test)]
mod tests;
mod value;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

pub use data_type::{ARRAY_LENGTH_MAX, DataSpec, DataType, EnumKind, STRING_BYTES_MAX, StructMember};
pub use features::{
    AccessMode, Attribute, Common, Datapoint, Event, IDENTIFIER_CHARS_MAX, Measurepoint, Service, Unit,
};

use self::read::Fields;
use crate::expression::{ModelField, Record, Values};
use crate::i18n::{I18nText, check_visible};
use crate::tags::Tags;
use crate::violation::Violation;

/// A thing model.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ThingModel {
    /// Unique within the organization.
    pub model_id: String,
    /// The ids from the topmost parent to this model, each after a slash.
    pub model_id_path: String,
    /// The organization; set when the model is stored.
    pub org_id: Option<String>,
    /// Its name.
    pub name: I18nText,
    /// What it is for.
    pub desc: Option<String>,
    /// A word to sort models by.
    pub category: Option<String>,
    /// Its tags.
    pub tags: Tags,
    /// What a device is, by identifier.
    pub attributes: BTreeMap<String, Attribute>,
    /// What a device measures, by identifier.
    pub measurepoints: BTreeMap<String, Measurepoint>,
    /// What a device can be asked to do, by identifier.
    pub services: BTreeMap<String, Service>,
    /// What a device reports by itself, by identifier.
    pub events: BTreeMap<String, Event>,
}

/// The parts of a model that are maps of definitions; a patch changes them entry by entry.
const FEATURES: [&str; 4] = ["attributes", "measurepoints", "services", "events"];

impl ThingModel {
    /// Reads and checks a model. Unknown fields are ignored, null counts as absent. Whether its names show anything is
    /// for [`ThingModel::check_names`], since stored models are read here too.
    ///
    /// # Errors
    /// The first rule that is broken, with its path (`services.speedup.inputData[0].dataType`).
    pub fn read(document: &Value) -> Result<Self, Violation> {
        let fields = Fields::of(document)?;
        let model_id = fields.required("modelId", read::identifier)?;
        let path_end = format!("/{model_id}");
        let model_id_path = fields.optional("modelIdPath", |value| {
            let path = read::text(value)?;
            if path.ends_with(&path_end) {
                Ok(path)
            } else {
                Err(Violation::of(value, format!("path ending in {path_end}")))
            }
        })?;
        Ok(Self {
            model_id_path: model_id_path.unwrap_or(path_end),
            model_id,
            org_id: fields.optional("orgId", read::text)?,
            name: fields.required("name", I18nText::read_stored)?,
            desc: fields.optional("desc", read::text)?,
            category: fields.optional("category", read::text)?,
            tags: fields.optional("tags", crate::tags::read)?.unwrap_or_default(),
            attributes: fields.definitions("attributes", Attribute::read)?,
            measurepoints: fields.definitions("measurepoints", Measurepoint::read)?,
            services: fields.definitions("services", Service::read)?,
            events: fields.definitions("events", Event::read)?,
        })
    }

    /// The model as JSON in the documented shape; [`ThingModel::read`] accepts it.
    #[must_use]
    pub fn to_document(&self) -> Value {
        serde_json::to_value(self).expect("a model is made of texts, numbers and maps with text keys")
    }

    /// Checks that all names of the model show something.
    ///
    /// # Errors
    /// The first that does not, with its path.
    pub fn check_names(&self) -> Result<(), Violation> {
        check_name(&self.name, String::new)?;
        let features = [
            (
                "attributes",
                self.attributes
                    .values()
                    .map(|it| (&it.common, NONE, NONE))
                    .collect::<Vec<_>>(),
            ),
            (
                "measurepoints",
                self.measurepoints.values().map(|it| (&it.common, NONE, NONE)).collect(),
            ),
            (
                "services",
                self.services
                    .values()
                    .map(|it| (&it.common, it.input_data.as_slice(), it.output_data.as_slice()))
                    .collect(),
            ),
            (
                "events",
                self.events
                    .values()
                    .map(|it| (&it.common, NONE, it.output_data.as_slice()))
                    .collect(),
            ),
        ];
        for (kind, definitions) in features {
            for (common, input, output) in definitions {
                let place = format!("{kind}.{}", common.identifier);
                check_name(&common.name, || format!("{place}."))?;
                for (list, points) in [("inputData", input), ("outputData", output)] {
                    for (index, point) in points.iter().enumerate() {
                        check_name(&point.name, || format!("{place}.{list}[{index}]."))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Members of `given`, from which the model was read or patched, that mean nothing, with their places.
    #[must_use]
    pub fn ignored(&self, given: &Value) -> Vec<String> {
        let mut names = Vec::new();
        unknown("", given, &self.to_document(), &mut names);
        names
    }

    /// The model with the given parts changed: single fields are replaced, attributes, measurement points, services and
    /// events are replaced or added one by one, and removed by null. The id cannot change.
    ///
    /// # Errors
    /// As [`ThingModel::read`], for the model as it would be.
    pub fn patched(&self, patch: &Value) -> Result<Self, Violation> {
        let changes = patch.as_object().ok_or_else(|| Violation::of(patch, "object"))?;
        let mut document = self.to_document();
        for (field, change) in changes {
            match (field.as_str(), change) {
                (_, Value::Null) | ("orgId" | "modelIdPath", _) => {}
                ("modelId", id) if *id != self.model_id => {
                    return Err(Violation::of(id, format!("\"{}\"", self.model_id)).within("modelId"));
                }
                (field, Value::Object(definitions)) if FEATURES.contains(&field) => {
                    for (identifier, definition) in definitions {
                        document[field][identifier] = definition.clone();
                    }
                }
                (field, change) => document[field] = change.clone(),
            }
        }
        Self::read(&document)
    }
}

const NONE: &[Datapoint] = &[];

fn check_name(name: &I18nText, place: impl Fn() -> String) -> Result<(), Violation> {
    check_visible(&name.default_value).map_err(|it| it.within(&format!("{}name.defaultValue", place())))
}

/// Collects the members of `given` that `kept` lacks. Null counts as absent, and what is kept in another form (a data
/// definition, as text) is kept whole.
fn unknown(place: &str, given: &Value, kept: &Value, names: &mut Vec<String>) {
    match (given, kept) {
        (Value::Object(given), Value::Object(kept)) => {
            for (name, value) in given.iter().filter(|(_, value)| !value.is_null()) {
                let place = if place.is_empty() {
                    name.clone()
                } else {
                    format!("{place}.{name}")
                };
                let known = if name == features::INPUT_MISPRINTED {
                    "inputData"
                } else {
                    name
                };
                match kept.get(known) {
                    Some(kept) => unknown(&place, value, kept, names),
                    None => names.push(place),
                }
            }
        }
        (Value::Array(given), Value::Array(kept)) => {
            for (index, (given, kept)) in given.iter().zip(kept).enumerate() {
                unknown(&format!("{place}[{index}]"), given, kept, names);
            }
        }
        _ => {}
    }
}

impl Record<ModelField> for ThingModel {
    fn values(&self, field: ModelField, sub: Option<&str>) -> Values<'_> {
        let tagged = |tags: &Tags| sub.and_then(|key| tags.get(key)).cloned();
        match field {
            ModelField::ModelId => Values::one(self.model_id.as_str()),
            ModelField::Name => Values::Name(&self.name),
            ModelField::Tags => tagged(&self.tags).into_iter().collect(),
            ModelField::AttributeTags => self
                .attributes
                .values()
                .filter_map(|it| tagged(&it.common.tags))
                .collect(),
            ModelField::MeasurepointTags => self
                .measurepoints
                .values()
                .filter_map(|it| tagged(&it.common.tags))
                .collect(),
            ModelField::ServiceTags => self
                .services
                .values()
                .filter_map(|it| tagged(&it.common.tags))
                .collect(),
            ModelField::EventTags => self.events.values().filter_map(|it| tagged(&it.common.tags)).collect(),
        }
    }
}
