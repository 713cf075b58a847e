//! Thing models: what devices of a type can do (docs/api.md, "Thing models").

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::answer::Answer;
use crate::call::Call;
use crate::client::Client;
use crate::error::Error;
use crate::name::Name;
use crate::paging::{Pages, Search};

const THING_MODELS: &str = "/model-service/v2.1/thing-models";

/// A thing model. Its four maps go from identifier to definition and are passed on as they are: the server checks them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ThingModel {
    /// Its id, unique within the organization.
    pub model_id: String,
    /// The model and its ancestors, `/parent/child`.
    #[serde(default)]
    pub model_id_path: Option<String>,
    /// Whose it is.
    #[serde(default)]
    pub org_id: Option<String>,
    /// What people call it.
    #[serde(default)]
    pub name: Option<Name>,
    /// A remark.
    #[serde(default)]
    pub desc: Option<String>,
    /// A free class.
    #[serde(default)]
    pub category: Option<String>,
    /// Free labels.
    #[serde(default)]
    pub tags: Option<Map<String, Value>>,
    /// What is known about a device beforehand.
    #[serde(default)]
    pub attributes: Option<Map<String, Value>>,
    /// What a device measures or lets be set.
    #[serde(default)]
    pub measurepoints: Option<Map<String, Value>>,
    /// What a device can be told to do.
    #[serde(default)]
    pub services: Option<Map<String, Value>>,
    /// What a device reports by itself.
    #[serde(default)]
    pub events: Option<Map<String, Value>>,
}

impl ThingModel {
    /// A model without features.
    pub fn new(model_id: impl Into<String>, name: impl Into<Name>) -> Self {
        Self {
            model_id: model_id.into(),
            model_id_path: None,
            org_id: None,
            name: Some(name.into()),
            desc: None,
            category: None,
            tags: None,
            attributes: None,
            measurepoints: None,
            services: None,
            events: None,
        }
    }
}

impl Client {
    /// Creates a thing model from its document and returns its id.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn create_model<T: Serialize + ?Sized>(&self, model: &T) -> Result<Answer<String>, Error> {
        self.send(Call::post(THING_MODELS, "create").json(model)).await
    }

    /// One thing model.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn get_model(&self, model_id: &str) -> Result<Answer<ThingModel>, Error> {
        self.send(Call::get(THING_MODELS, "get").query("modelId", model_id))
            .await
    }

    /// One page of thing models.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn search_models(&self, search: &Search) -> Result<Answer<Vec<ThingModel>>, Error> {
        self.search(THING_MODELS, "search", search).await
    }

    /// All thing models that match, page by page.
    #[must_use]
    pub fn models(&self, expression: Option<&str>) -> Pages<ThingModel> {
        Pages::new(self, THING_MODELS, "search", expression)
    }

    /// Changes the parts of a thing model that the document has.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn update_model<T: Serialize + ?Sized>(&self, model_id: &str, change: &T) -> Result<Answer<()>, Error> {
        self.send(
            Call::post(THING_MODELS, "update")
                .query("modelId", model_id)
                .json(change),
        )
        .await
    }

    /// Deletes a thing model that no product has.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn delete_model(&self, model_id: &str) -> Result<Answer<()>, Error> {
        self.send(Call::post(THING_MODELS, "delete").query("modelId", model_id))
            .await
    }
}
