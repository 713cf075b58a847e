//! Questions about organizations, access keys, thing models and products.

use aldis_core::expression::{Filter, ModelField, ProductField};
use aldis_core::ids::{AppKey, ModelId, OrgId, ProductKey};

use crate::rows::{AccessKey, FoundModel, Model, Organization, Product};
use crate::{Error, Found, Page};

/// Reads organizations, access keys, thing models and products.
///
/// Deleted devices and deleted jobs are found only where a method says so.
pub trait ReadRegistry: Send + Sync {
    /// An organization.
    fn organization(&self, org: &OrgId) -> Result<Option<Organization>, Error>;
    /// All organizations, by id.
    fn organizations(&self) -> Result<Vec<Organization>, Error>;
    /// An access key.
    fn access_key(&self, key: &AppKey) -> Result<Option<AccessKey>, Error>;
    /// All access keys, of one organization or of all, by key.
    fn access_keys(&self, org: Option<&OrgId>) -> Result<Vec<AccessKey>, Error>;
    /// A thing model.
    fn model(&self, org: &OrgId, id: &ModelId) -> Result<Option<Model>, Error>;
    /// Thing models of an organization, newest first.
    fn search_models(
        &self,
        org: &OrgId,
        filter: Option<&Filter<ModelField>>,
        page: Page,
    ) -> Result<Found<FoundModel>, Error>;
    /// A product, of whatever organization.
    fn product(&self, key: &ProductKey) -> Result<Option<Product>, Error>;
    /// Products of an organization, newest first.
    fn search_products(
        &self,
        org: &OrgId,
        filter: Option<&Filter<ProductField>>,
        page: Page,
    ) -> Result<Found<Product>, Error>;
}
