//! Answers about organizations, access keys, thing models and products.

use aldis_core::expression::{Filter, ModelField, ProductField};
use aldis_core::ids::{AppKey, ModelId, OrgId, ProductKey};
use aldis_store::rows::{AccessKey, FoundModel, Model, Organization, Product};
use aldis_store::{Error, Found, Page, ReadRegistry};

use crate::MemoryStore;
use crate::records::{cut, model_passes, passes};

impl ReadRegistry for MemoryStore {
    fn organization(&self, org: &OrgId) -> Result<Option<Organization>, Error> {
        Ok(self.contents.read().registry.organizations.get(org).cloned())
    }

    fn organizations(&self) -> Result<Vec<Organization>, Error> {
        Ok(self.contents.read().registry.organizations.values().cloned().collect())
    }

    fn access_key(&self, key: &AppKey) -> Result<Option<AccessKey>, Error> {
        Ok(self.contents.read().registry.keys.get(key).cloned())
    }

    fn access_keys(&self, org: Option<&OrgId>) -> Result<Vec<AccessKey>, Error> {
        let contents = self.contents.read();
        let keys = contents.registry.keys.values();
        Ok(keys
            .filter(|key| org.is_none_or(|org| key.org == *org))
            .cloned()
            .collect())
    }

    fn model(&self, org: &OrgId, id: &ModelId) -> Result<Option<Model>, Error> {
        Ok(self.contents.read().registry.model(org, id).cloned())
    }

    fn search_models(
        &self,
        org: &OrgId,
        filter: Option<&Filter<ModelField>>,
        page: Page,
    ) -> Result<Found<FoundModel>, Error> {
        let contents = self.contents.read();
        let mut found = Vec::new();
        for model in contents.registry.models.iter().rev().filter(|model| model.org == *org) {
            if model_passes(filter, model)? {
                found.push(FoundModel {
                    org: model.org.clone(),
                    id: model.id.clone(),
                    document: model.document.to_string().into(),
                });
            }
        }
        cut(found.into_iter(), page)
    }

    fn product(&self, key: &ProductKey) -> Result<Option<Product>, Error> {
        Ok(self.contents.read().registry.product(key).cloned())
    }

    fn search_products(
        &self,
        org: &OrgId,
        filter: Option<&Filter<ProductField>>,
        page: Page,
    ) -> Result<Found<Product>, Error> {
        let contents = self.contents.read();
        let products = contents.registry.products.iter().rev();
        let found = products.filter(|product| product.org == *org && passes(filter, *product));
        cut(found.cloned(), page)
    }
}
