//! `aldis model`: thing models.

use std::path::PathBuf;

use aldis_client::ThingModel;
use aldis_core::expression::ModelField;
use clap::Subcommand;
use serde_json::{Map, Value};

use super::document::read_json;
use crate::context::Context;
use crate::exit::{Outcome, usage};
use crate::filter::Filter;
use crate::pick::Pick;
use crate::screen::{facts, table, text};

/// What can be done with thing models.
#[derive(Debug, Subcommand)]
pub(crate) enum Model {
    /// Create a thing model from its JSON document
    Create {
        /// The document; - for stdin
        file: PathBuf,
    },
    /// One thing model
    Get {
        /// The thing model's id
        model_id: String,
    },
    /// Thing models
    #[command(visible_alias = "list")]
    Search {
        /// Only those whose name contains this
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        pick: Pick,
    },
    /// Change the parts of a thing model that a JSON document has
    Update {
        /// The document; - for stdin
        file: PathBuf,
        /// The model; the document's modelId if absent
        #[arg(long, value_name = "MODEL_ID")]
        id: Option<String>,
    },
    /// Delete a thing model that no product has
    Delete {
        /// The thing model's id
        model_id: String,
    },
}

impl Model {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let client = context.client()?;
        let screen = context.screen;
        match self {
            Self::Create { file } => {
                let created = client.create_model(&read_json(&file)?).await?;
                screen.answer(&created, |id| format!("{id} created"))?;
            }
            Self::Get { model_id } => screen.answer(&client.get_model(&model_id).await?, whole)?,
            Self::Search { name, pick } => {
                let filter = Filter::<ModelField>::starting_with(pick.expression.as_deref())
                    .contains("modelName", name.as_deref());
                let models = client.models(filter.expression()?.as_deref());
                pick.print(screen, models, &HEAD, row).await?;
            }
            Self::Update { file, id } => {
                let document = read_json(&file)?;
                let id = id.map_or_else(|| id_of(&document), Ok)?;
                let updated = client.update_model(&id, &document).await?;
                screen.answer(&updated, |()| format!("{id} updated"))?;
            }
            Self::Delete { model_id } => {
                let deleted = client.delete_model(&model_id).await?;
                screen.answer(&deleted, |()| format!("{model_id} deleted"))?;
            }
        }
        Ok(Outcome::Done)
    }
}

fn id_of(document: &Value) -> anyhow::Result<String> {
    let id = document.get("modelId").and_then(Value::as_str);
    id.map(str::to_owned)
        .ok_or_else(|| usage("the document has no modelId: name the model with --id"))
}

const HEAD: [&str; 6] = ["MODEL", "NAME", "ATTRIBUTES", "POINTS", "SERVICES", "EVENTS"];

fn row(model: &ThingModel) -> Vec<String> {
    let count = |features: &Option<Map<String, Value>>| features.as_ref().map_or(0, Map::len).to_string();
    vec![
        model.model_id.clone(),
        text(model.name.as_ref().map(|name| name.default_value.as_str())),
        count(&model.attributes),
        count(&model.measurepoints),
        count(&model.services),
        count(&model.events),
    ]
}

fn whole(model: &ThingModel) -> String {
    let about = facts([
        ("model", Some(model.model_id.clone())),
        ("name", model.name.as_ref().map(|name| name.default_value.clone())),
        ("path", model.model_id_path.clone()),
        ("description", model.desc.clone()),
        ("category", model.category.clone()),
    ]);
    let kinds = [
        ("attribute", &model.attributes),
        ("measurement point", &model.measurepoints),
        ("service", &model.services),
        ("event", &model.events),
    ];
    let features = kinds.into_iter().flat_map(|(kind, features)| {
        let features = features.iter().flatten();
        features.map(move |(identifier, definition)| feature(kind, identifier, definition))
    });
    format!(
        "{about}\n{}",
        table(&["KIND", "IDENTIFIER", "TYPE", "INPUT", "OUTPUT"], features)
    )
}

fn feature(kind: &str, identifier: &str, definition: &Value) -> Vec<String> {
    let parameters = |field: &str| {
        let list = definition.get(field).and_then(Value::as_array);
        let named = list.into_iter().flatten().map(|parameter| {
            let part = |name: &str| parameter.get(name).and_then(Value::as_str).unwrap_or("?");
            format!("{}: {}", part("identifier"), part("dataType"))
        });
        named.collect::<Vec<_>>().join(", ")
    };
    vec![
        kind.to_owned(),
        identifier.to_owned(),
        text(definition.get("dataType").and_then(Value::as_str)),
        parameters("inputData"),
        parameters("outputData"),
    ]
}
