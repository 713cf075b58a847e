//! Products: create, read, change, search, delete.

use aldis_core::expression::{Filter, ProductField};
use aldis_core::ids::{ModelId, ProductKey};
use aldis_core::violation::Violation;
use aldis_store::rows::{Product, ProductChange, Secret};
use aldis_store::{Page, Refusal, Write};

use super::text::{check_desc, check_product_key, check_secret};
use super::{App, Caller, Error, Results};

/// Characters of a generated product key.
const KEY_CHARS: usize = 8;
/// Characters of a generated secret.
const SECRET_CHARS: usize = 32;
/// How often another key is drawn when one is in use: with 10^14 keys, more than once means broken chance.
pub(super) const DRAWS_MAX: usize = 5;

/// A product to be created.
#[derive(Debug, Clone)]
pub struct ProductDraft {
    /// Its key, if the caller chose one.
    pub key: Option<String>,
    /// Its secret, if the caller has one.
    pub secret: Option<Secret>,
    /// Its thing model.
    pub model: ModelId,
    /// Its devices hold connections for others.
    pub gateway: bool,
    /// Its devices speak JSON.
    pub json: bool,
    /// What can be changed later; absent parts have their defaults.
    pub details: ProductChange,
}

impl App {
    /// The secret that was given, or a new one.
    pub(super) fn secret(&self, given: Option<&Secret>) -> Secret {
        given.map_or_else(|| Secret(self.rng().text(SECRET_CHARS)), Secret::clone)
    }

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
            .as_ref()
            .map_or(Ok(()), |secret| check_secret("productSecret", secret))?;
        draft
            .details
            .desc
            .as_deref()
            .map_or(Ok(()), |desc| check_desc("productDesc", desc))?;
        if draft.gateway && draft.details.gateway_registers == Some(true) {
            return Err(no_gateways_through_gateways());
        }
        for _ in 0..DRAWS_MAX {
            let product = self.new_product(caller, &draft);
            let key = product.key.clone();
            let write = caller.audited("product.create", key.as_str(), Write::CreateProduct(product));
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
        let draw = |given: &Option<String>, length| given.clone().unwrap_or_else(|| self.rng().text(length));
        Product {
            org: caller.org.clone(),
            key: ProductKey(draw(&draft.key, KEY_CHARS)),
            name: draft.details.name.clone().unwrap_or_default(),
            secret: self.secret(draft.secret.as_ref()),
            former_secret: None,
            desc: draft.details.desc.clone().unwrap_or_default(),
            gateway: draft.gateway,
            json: draft.json,
            tags: draft.details.tags.clone().unwrap_or_default(),
            model: draft.model.clone(),
            dynamic_activation: draft.details.dynamic_activation.unwrap_or_default(),
            certificates: draft.details.certificates.unwrap_or_default(),
            gateway_registers: draft.details.gateway_registers.unwrap_or_default(),
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

    /// Changes what is given of a product.
    ///
    /// # Errors
    /// [`Error::NoProductToUpdate`]; a description that is too long; gateways are to register gateways.
    pub async fn update_product(&self, caller: &Caller, key: &str, change: ProductChange) -> Result<(), Error> {
        change
            .desc
            .as_deref()
            .map_or(Ok(()), |desc| check_desc("productDesc", desc))?;
        if change.gateway_registers == Some(true) && self.product_to_update(caller, key).await?.gateway {
            return Err(no_gateways_through_gateways());
        }
        let write = Write::UpdateProduct {
            org: caller.org.clone(),
            key: ProductKey::from(key),
            change,
            by: caller.app_key.clone(),
        };
        match self.write_one(caller.audited("product.update", key, write)).await? {
            Ok(_) => Ok(()),
            Err(Refusal::Missing) => Err(Error::NoProductToUpdate(key.to_owned())),
            Err(refusal) => Err(Error::unexpected(refusal)),
        }
    }

    async fn product_to_update(&self, caller: &Caller, key: &str) -> Result<Product, Error> {
        self.product(caller, key).await.map_err(|error| match error {
            Error::NoProduct(key) => Error::NoProductToUpdate(key),
            other => other,
        })
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
        match self.write_one(caller.audited("product.delete", key, write)).await? {
            Ok(_) => Ok(()),
            Err(Refusal::Missing) => Err(Error::missing("product", key)),
            Err(Refusal::InUse) => Err(Error::ProductHasDevices(key.to_owned())),
            Err(refusal) => Err(Error::unexpected(refusal)),
        }
    }
}

fn no_gateways_through_gateways() -> Error {
    let expected = "false for a product with productType Gateway";
    Error::Invalid(Violation::of(&true.into(), expected).within("gatewayRegisterEnabled"))
}
