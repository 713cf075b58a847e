//! Thing models: create, read, change, search, delete.

use aldis_core::expression::{Filter, ModelField};
use aldis_core::ids::ModelId;
use aldis_core::model::ThingModel;
use aldis_core::violation::Violation;
use aldis_store::rows::{FoundModel, MODELS_PER_ORG_MAX, Model};
use aldis_store::{Page, Refusal, Write};
use serde_json::Value;

use super::{App, Caller, Error, Results};

/// Most bytes of a thing model as JSON: a thousand services and measurement points with their names fit in it. Whatever
/// looks at a model reads all of it.
const MODEL_BYTES_MAX: usize = 256 * 1024;

/// A model's document, if it is not too large to be kept.
fn bounded(model: &ThingModel) -> Result<Value, Violation> {
    let document = model.to_document();
    let bytes = document.to_string().len();
    if bytes > MODEL_BYTES_MAX {
        return Err(Violation {
            path: "body".to_owned(),
            expected: format!("thing model of at most {MODEL_BYTES_MAX} bytes of JSON"),
            found: bytes.to_string(),
        });
    }
    Ok(document)
}

fn too_many() -> Violation {
    Violation {
        path: "modelId".to_owned(),
        expected: format!("at most {MODELS_PER_ORG_MAX} thing models of an organization"),
        found: "one more".to_owned(),
    }
}

/// How often a change starts again because another was faster. Each time another change was stored, so the limit is
/// only met by more than 50 callers that change one thing model at the same moment.
const TRIES_MAX: usize = 50;

impl App {
    /// Creates a thing model; what it was read as.
    ///
    /// # Errors
    /// It is no thing model, or too large a one; its id is in use; there are [`MODELS_PER_ORG_MAX`].
    pub async fn create_model(&self, caller: &Caller, document: &Value) -> Result<ThingModel, Error> {
        let mut model = ThingModel::read(document)?;
        model.check_names()?;
        model.org_id = Some(caller.org.to_string());
        let id = ModelId::from(model.model_id.as_str());
        let now = self.now();
        let document = bounded(&model)?;
        let row = Model {
            org: caller.org.clone(),
            id: id.clone(),
            document,
            created: now,
            updated: now,
        };
        let write = caller.audited("model.create", id.as_str(), Write::CreateModel(row));
        match self.write_one(write).await? {
            Ok(_) => Ok(model),
            Err(Refusal::Taken) => Err(Error::taken("modelId", id.as_str())),
            Err(Refusal::Full) => Err(Error::Invalid(too_many())),
            Err(refusal) => Err(Error::unexpected(refusal)),
        }
    }

    /// A thing model of the caller's organization.
    ///
    /// # Errors
    /// There is none.
    pub async fn model(&self, caller: &Caller, id: &str) -> Result<Model, Error> {
        let (org, model) = (caller.org.clone(), ModelId::from(id));
        let found = self.read(move |store| store.model(&org, &model)).await?;
        found.ok_or_else(|| Error::missing("thing model", id))
    }

    /// Changes the parts of a thing model that `patch` names. Jobs that exist keep what was accepted with them. The
    /// model as it is then.
    ///
    /// # Errors
    /// There is none; it would be no thing model; [`Error::ChangedMeanwhile`].
    pub async fn update_model(&self, caller: &Caller, id: &str, patch: &Value) -> Result<ThingModel, Error> {
        for _ in 0..TRIES_MAX {
            let stored = self.model(caller, id).await?;
            let model = ThingModel::read(&stored.document)
                .map_err(|violation| Error::Internal(format!("stored thing model {id}: {violation}")))?;
            let mut changed = model.patched(patch)?;
            changed.check_names()?;
            changed.org_id = Some(caller.org.to_string());
            let write = Write::UpdateModel {
                org: stored.org,
                id: stored.id,
                from: stored.document,
                document: bounded(&changed)?,
            };
            match self.write_one(caller.audited("model.update", id, write)).await? {
                Ok(_) => return Ok(changed),
                Err(Refusal::Changed) => {}
                Err(Refusal::Missing) => return Err(Error::missing("thing model", id)),
                Err(refusal) => return Err(Error::unexpected(refusal)),
            }
        }
        Err(Error::ChangedMeanwhile(id.to_owned()))
    }

    /// Thing models of the caller's organization.
    ///
    /// # Errors
    /// The store failed.
    pub async fn search_models(
        &self,
        caller: &Caller,
        filter: Option<Filter<ModelField>>,
        page: Page,
    ) -> Result<Results<FoundModel>, Error> {
        let org = caller.org.clone();
        self.search(caller, filter.is_some(), move |store| {
            store.search_models(&org, filter.as_ref(), page)
        })
        .await
    }

    /// Deletes a thing model that no product has.
    ///
    /// # Errors
    /// There is none; a product has it.
    pub async fn delete_model(&self, caller: &Caller, id: &str) -> Result<(), Error> {
        let write = Write::DeleteModel {
            org: caller.org.clone(),
            id: ModelId::from(id),
        };
        match self.write_one(caller.audited("model.delete", id, write)).await? {
            Ok(_) => Ok(()),
            Err(Refusal::Missing) => Err(Error::missing("thing model", id)),
            Err(Refusal::InUse) => Err(Error::in_use("modelId", id, "thing model without products")),
            Err(refusal) => Err(Error::unexpected(refusal)),
        }
    }
}
