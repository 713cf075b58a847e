//! Products: create, read, change, search, delete.

use std::collections::BTreeMap;

use aldis_core::command::Qos;
use aldis_core::expression::{Filter, ProductField};
use aldis_core::i18n::I18nText;
use aldis_core::ids::{ModelId, ProductKey};
use aldis_store::rows::{Product, Secret};
use aldis_store::{Page, Refusal, Write};

use super::text::{check_desc, check_product_key, check_secret};
use super::{App, Caller, Error, Results};

/// Characters of a generated product key.
const KEY_CHARS: usize = 8;
/// Characters of a generated secret.
pub(super) const SECRET_CHARS: usize = 32;
/// How often another key is drawn when one is in use: with 10^14 keys, more than once means broken chance.
pub(super) const DRAWS_MAX: usize = 5;

/// A product to be created.
#[derive(Debug, Clone)]
pub struct ProductDraft {
    /// Its key, if the caller chose one.
    pub key: Option<String>,
    /// Its secret, if the caller has one.
    pub secret: Option<String>,
    /// Its thing model.
    pub model: ModelId,
    /// Its devices hold connections for others.
    pub gateway: bool,
    /// Its devices speak JSON.
    pub json: bool,
    /// What can be changed later.
    pub name: I18nText,
    /// The rest of it.
    pub details: ProductDetails,
}

/// What can be left out, at creation and in a change.
#[derive(Debug, Clone, Default)]
pub struct ProductDetails {
    /// Its description.
    pub desc: Option<String>,
    /// Free tags.
    pub tags: Option<BTreeMap<String, String>>,
    /// Devices may fetch their secret with the product's.
    pub dynamic_activation: Option<bool>,
    /// Devices must present certificates.
    pub certificates: Option<bool>,
    /// How commands are sent to its devices, from their next login on.
    pub command_qos: Option<Qos>,
}

impl App {
    /// Creates a product; its key.
    ///
    /// # Errors
    /// A chosen key or secret will not do or is in use; the thing model does not exist.
    pub async fn create_product(&self, caller: &Caller, draft: ProductDraft) -> Result<ProductKey, Error> {
        draft
            .key
            .as_deref()
            .map_or(Ok(()), |key| check_product_key("productKey", key))?;
        draft
            .secret
            .as_deref()
            .map_or(Ok(()), |secret| check_secret("productSecret", secret))?;
        draft
            .details
            .desc
            .as_deref()
            .map_or(Ok(()), |desc| check_desc("productDesc", desc))?;
        for _ in 0..DRAWS_MAX {
            let product = self.new_product(caller, &draft);
            let key = product.key.clone();
            let write = caller.asks("product.create", key.as_str(), Write::CreateProduct(product));
            match self.write_one(write).await? {
                Ok(_) => return Ok(key),
                Err(Refusal::Taken) if draft.key.is_none() => {}
                Err(Refusal::Taken) => return Err(Error::taken("productKey", key.as_str())),
                Err(Refusal::Missing) => return Err(Error::NoModel(draft.model.to_string())),
                Err(refusal) => return Err(Error::unexpected(refusal)),
            }
        }
        Err(Error::NoFreeKey)
    }

    fn new_product(&self, caller: &Caller, draft: &ProductDraft) -> Product {
        let now = self.now();
        let draw = |given: &Option<String>, length| given.clone().unwrap_or_else(|| self.chance().text(length));
        Product {
            org: caller.org.clone(),
            key: ProductKey(draw(&draft.key, KEY_CHARS)),
            name: draft.name.clone(),
            secret: Secret(draw(&draft.secret, SECRET_CHARS)),
            desc: draft.details.desc.clone().unwrap_or_default(),
            gateway: draft.gateway,
            json: draft.json,
            tags: draft.details.tags.clone().unwrap_or_default(),
            model: draft.model.clone(),
            dynamic_activation: draft.details.dynamic_activation.unwrap_or_default(),
            certificates: draft.details.certificates.unwrap_or_default(),
            command_qos: draft.details.command_qos.unwrap_or_default(),
            created: now,
            created_by: caller.app_key.clone(),
            updated: now,
            updated_by: caller.app_key.clone(),
        }
    }

    /// A product of the caller's organization.
    ///
    /// # Errors
    /// [`Error::NoProduct`].
    pub async fn product(&self, caller: &Caller, key: &str) -> Result<Product, Error> {
        let (org, product) = (caller.org.clone(), ProductKey::from(key));
        let found = self.read(move |store| store.product(&product)).await?;
        found
            .filter(|product| product.org == org)
            .ok_or_else(|| Error::NoProduct(key.to_owned()))
    }

    /// Changes a product's name, and what else is given.
    ///
    /// # Errors
    /// [`Error::NoProductToUpdate`]; a description that is too long.
    pub async fn update_product(
        &self,
        caller: &Caller,
        key: &str,
        name: Option<I18nText>,
        details: ProductDetails,
    ) -> Result<(), Error> {
        details
            .desc
            .as_deref()
            .map_or(Ok(()), |desc| check_desc("productDesc", desc))?;
        let missing = || Error::NoProductToUpdate(key.to_owned());
        let stored = self.product(caller, key).await.map_err(|error| match error {
            Error::NoProduct(_) => missing(),
            other => other,
        })?;
        let changed = Product {
            name: name.unwrap_or(stored.name),
            desc: details.desc.unwrap_or(stored.desc),
            tags: details.tags.unwrap_or(stored.tags),
            dynamic_activation: details.dynamic_activation.unwrap_or(stored.dynamic_activation),
            certificates: details.certificates.unwrap_or(stored.certificates),
            command_qos: details.command_qos.unwrap_or(stored.command_qos),
            updated: self.now(),
            updated_by: caller.app_key.clone(),
            ..stored
        };
        let write = caller.asks("product.update", key, Write::UpdateProduct(changed));
        match self.write_one(write).await? {
            Ok(_) => Ok(()),
            Err(Refusal::Missing) => Err(missing()),
            Err(refusal) => Err(Error::unexpected(refusal)),
        }
    }

    /// Products of the caller's organization.
    ///
    /// # Errors
    /// The store failed.
    pub async fn search_products(
        &self,
        caller: &Caller,
        filter: Option<Filter<ProductField>>,
        page: Page,
    ) -> Result<Results<Product>, Error> {
        let org = caller.org.clone();
        self.search(caller, filter.is_some(), move |store| {
            store.search_products(&org, filter.as_ref(), page)
        })
        .await
    }

    /// Deletes a product that has no devices.
    ///
    /// # Errors
    /// There is none; it has devices.
    pub async fn delete_product(&self, caller: &Caller, key: &str) -> Result<(), Error> {
        let write = Write::DeleteProduct {
            org: caller.org.clone(),
            key: ProductKey::from(key),
        };
        match self.write_one(caller.asks("product.delete", key, write)).await? {
            Ok(_) => Ok(()),
            Err(Refusal::Missing) => Err(Error::missing("product", key)),
            Err(Refusal::InUse) => Err(Error::ProductHasDevices(key.to_owned())),
            Err(refusal) => Err(Error::unexpected(refusal)),
        }
    }
}
