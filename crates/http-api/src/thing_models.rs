//! `/model-service/v2.1/thing-models`, search also on v2.2 (docs/api.md, "Thing models").

use std::collections::BTreeMap;

use aldis_core::expression::ModelField;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::action::{Action, Doc};
use super::call::Call;
use super::envelope::Answer;
use super::ignored;
use super::names::StringI18n;
use super::paging::SearchRequest;
use aldis_app::{App, Error};

const PATHS: &[&str] = &["/model-service/v2.1/thing-models", "/model-service/v2.2/thing-models"];

pub(super) fn actions() -> Vec<Action> {
    const ID: &str = "The model's id";
    const SCOPE: &str = "Accepted and ignored: there are no public models";
    vec![
        Action::change(
            PATHS,
            &["create"],
            |app, call| Box::pin(create(app, call)),
            Doc::new("Create a thing model; `data` is its id")
                .body::<ThingModel>()
                .answer::<String>(),
        ),
        Action::read(
            PATHS,
            &["get"],
            |app, call| Box::pin(get(app, call)),
            Doc::new("A thing model")
                .needs("modelId", ID)
                .takes("scope", SCOPE)
                .answer::<ThingModel>(),
        ),
        Action::change(
            PATHS,
            &["update"],
            |app, call| Box::pin(update(app, call)),
            Doc::new("Change the parts of a thing model that the body names")
                .takes("modelId", ID)
                .body::<ThingModel>(),
        ),
        Action::read(
            PATHS,
            &["search"],
            |app, call| Box::pin(search(app, call)),
            Doc::new("Search thing models")
                .takes("scope", SCOPE)
                .body::<SearchRequest>()
                .page::<ThingModel>(),
        ),
        Action::change(
            PATHS,
            &["delete"],
            |app, call| Box::pin(delete(app, call)),
            Doc::new("Delete a thing model that no product has").needs("modelId", ID),
        ),
    ]
}

/// A thing model. Read by `core::model`, which knows its rules; this type describes it in the document of the API.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"modelId": "turbine", "name": {"defaultValue": "Turbine"},
    "measurepoints": {"temperature": {"name": {"defaultValue": "Temperature"}, "dataType": "DOUBLE"}},
    "services": {"speedup": {"name": {"defaultValue": "Speed up"}, "outputData": [],
        "inputData": [{"identifier": "delta", "name": {"defaultValue": "By"}, "dataType": "INT", "required": true}]}}}))]
#[expect(
    dead_code,
    reason = "describes the shape; core::model reads and writes the document itself"
)]
struct ThingModel {
    /// Unique within the organization; at most 128 characters.
    model_id: String,
    /// The ids from the topmost parent to this model, each after a slash.
    model_id_path: Option<String>,
    /// The organization; set by the server.
    org_id: Option<String>,
    /// Its name.
    name: StringI18n,
    /// What it is for.
    desc: Option<String>,
    /// A word to sort models by.
    category: Option<String>,
    /// Its tags.
    tags: Option<BTreeMap<String, String>>,
    /// What a device is: definitions by identifier.
    attributes: Option<BTreeMap<String, Value>>,
    /// What a device measures: definitions by identifier.
    measurepoints: Option<BTreeMap<String, Value>>,
    /// What a device can be asked to do: definitions by identifier.
    services: Option<BTreeMap<String, Value>>,
    /// What a device reports by itself: definitions by identifier.
    events: Option<BTreeMap<String, Value>>,
}

async fn create(app: App, call: Call) -> Result<Answer, Error> {
    let model = app.create_model(&call.caller, &call.body).await?;
    note_ignored(&model, &call.body);
    Answer::data(&model.model_id)
}

async fn get(app: App, call: Call) -> Result<Answer, Error> {
    let model = app.model(&call.caller, call.required("modelId")?).await?;
    Answer::data(&model.document)
}

async fn update(app: App, call: Call) -> Result<Answer, Error> {
    let id = call.required("modelId")?;
    let model = app.update_model(&call.caller, id, &call.body).await?;
    note_ignored(&model, &call.body);
    Ok(Answer::done())
}

fn note_ignored(model: &aldis_core::model::ThingModel, body: &Value) {
    for name in model.ignored(body) {
        ignored::note_name(&name);
    }
}

async fn search(app: App, call: Call) -> Result<Answer, Error> {
    let mut search = call.search::<ModelField>()?;
    let found = app
        .search_models(&call.caller, search.filter.take(), search.page())
        .await?;
    search.answer(found, |model| {
        let document = RawValue::from_string(model.document.into());
        document.map_err(|error| Error::Internal(error.to_string()))
    })
}

async fn delete(app: App, call: Call) -> Result<Answer, Error> {
    app.delete_model(&call.caller, call.required("modelId")?).await?;
    Ok(Answer::done())
}
