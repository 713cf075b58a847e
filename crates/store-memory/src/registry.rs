//! Organizations, access keys, thing models and products.

use std::collections::BTreeMap;

use aldis_core::ids::{AppKey, ModelId, OrgId, ProductKey};
use aldis_core::time::Timestamp;
use aldis_store::rows::{
    AccessKey, FormerSecret, MODELS_PER_ORG_MAX, Model, Organization, Product, ProductChange, Secret,
};
use aldis_store::{Done, Refusal};
use serde_json::Value;

use super::Contents;
use super::apply::Applied;

#[derive(Default)]
pub(super) struct Registry {
    pub(super) organizations: BTreeMap<OrgId, Organization>,
    pub(super) keys: BTreeMap<AppKey, AccessKey>,
    /// In the order of their creation.
    pub(super) models: Vec<Model>,
    /// In the order of their creation.
    pub(super) products: Vec<Product>,
}

impl Registry {
    pub(super) fn model(&self, org: &OrgId, id: &ModelId) -> Option<&Model> {
        self.models.iter().find(|model| model.org == *org && model.id == *id)
    }

    pub(super) fn product(&self, key: &ProductKey) -> Option<&Product> {
        self.products.iter().find(|product| product.key == *key)
    }

    pub(super) fn product_of(&self, org: &OrgId, key: &ProductKey) -> Option<&Product> {
        self.product(key).filter(|product| product.org == *org)
    }
}

impl Contents {
    pub(super) fn create_organization(&mut self, organization: &Organization) -> Applied {
        let organizations = &mut self.registry.organizations;
        if organizations.contains_key(&organization.id) {
            return Err(Refusal::Taken);
        }
        organizations.insert(organization.id.clone(), organization.clone());
        Ok(Done::Yes)
    }

    pub(super) fn disable_organization(&mut self, org: &OrgId, disabled: bool) -> Applied {
        let found = self.registry.organizations.get_mut(org);
        found.ok_or(Refusal::Missing)?.disabled = disabled;
        Ok(Done::Yes)
    }

    pub(super) fn delete_organization(&mut self, org: &OrgId) -> Applied {
        let registry = &self.registry;
        if !registry.organizations.contains_key(org) {
            return Err(Refusal::Missing);
        }
        let in_use = registry.keys.values().any(|key| key.org == *org)
            || registry.models.iter().any(|model| model.org == *org)
            || registry.products.iter().any(|product| product.org == *org)
            || self.jobs.live().any(|row| row.job.org == *org);
        if in_use {
            return Err(Refusal::InUse);
        }
        self.registry.organizations.remove(org);
        Ok(Done::Yes)
    }

    pub(super) fn create_key(&mut self, key: &AccessKey) -> Applied {
        let registry = &mut self.registry;
        if registry.keys.contains_key(&key.app_key) {
            return Err(Refusal::Taken);
        }
        if !registry.organizations.contains_key(&key.org) {
            return Err(Refusal::Missing);
        }
        registry.keys.insert(key.app_key.clone(), key.clone());
        Ok(Done::Yes)
    }

    pub(super) fn disable_key(&mut self, key: &AppKey, disabled: bool) -> Applied {
        self.registry.keys.get_mut(key).ok_or(Refusal::Missing)?.disabled = disabled;
        Ok(Done::Yes)
    }

    pub(super) fn delete_key(&mut self, key: &AppKey) -> Applied {
        self.registry.keys.remove(key).ok_or(Refusal::Missing)?;
        Ok(Done::Yes)
    }

    pub(super) fn create_model(&mut self, model: &Model) -> Applied {
        if self.registry.model(&model.org, &model.id).is_some() {
            return Err(Refusal::Taken);
        }
        let of_org = self.registry.models.iter().filter(|known| known.org == model.org);
        if of_org.count() >= MODELS_PER_ORG_MAX {
            return Err(Refusal::Full);
        }
        self.registry.models.push(model.clone());
        Ok(Done::Yes)
    }

    pub(super) fn update_model(&mut self, org: &OrgId, id: &ModelId, from: &Value, document: &Value) -> Applied {
        let mut models = self.registry.models.iter_mut();
        let model = models
            .find(|model| model.org == *org && model.id == *id)
            .ok_or(Refusal::Missing)?;
        if model.document != *from {
            return Err(Refusal::Changed);
        }
        model.document = document.clone();
        model.updated = self.clock;
        Ok(Done::Yes)
    }

    pub(super) fn delete_model(&mut self, org: &OrgId, id: &ModelId) -> Applied {
        let registry = &mut self.registry;
        registry.model(org, id).ok_or(Refusal::Missing)?;
        if registry
            .products
            .iter()
            .any(|product| product.org == *org && product.model == *id)
        {
            return Err(Refusal::InUse);
        }
        registry.models.retain(|model| model.org != *org || model.id != *id);
        Ok(Done::Yes)
    }

    pub(super) fn create_product(&mut self, product: &Product) -> Applied {
        let registry = &mut self.registry;
        if registry.product(&product.key).is_some() {
            return Err(Refusal::Taken);
        }
        registry.model(&product.org, &product.model).ok_or(Refusal::Missing)?;
        registry.products.push(product.clone());
        Ok(Done::Yes)
    }

    pub(super) fn update_product(
        &mut self,
        org: &OrgId,
        key: &ProductKey,
        change: &ProductChange,
        by: Option<&AppKey>,
    ) -> Applied {
        let mut products = self.registry.products.iter_mut();
        let row = products
            .find(|row| row.key == *key && row.org == *org)
            .ok_or(Refusal::Missing)?;
        set(&mut row.name, change.name.as_ref());
        set(&mut row.desc, change.desc.as_ref());
        set(&mut row.tags, change.tags.as_ref());
        set(&mut row.dynamic_activation, change.dynamic_activation.as_ref());
        set(&mut row.certificates, change.certificates.as_ref());
        set(&mut row.gateway_registers, change.gateway_registers.as_ref());
        set(&mut row.command_qos, change.command_qos.as_ref());
        row.updated = self.clock;
        row.updated_by = by.cloned();
        Ok(Done::Yes)
    }

    pub(super) fn rotate_product_secret(
        &mut self,
        org: &OrgId,
        key: &ProductKey,
        secret: &Secret,
        former_until: Option<Timestamp>,
        by: Option<&AppKey>,
    ) -> Applied {
        let mut products = self.registry.products.iter_mut();
        let row = products
            .find(|row| row.key == *key && row.org == *org)
            .ok_or(Refusal::Missing)?;
        rotate(&mut row.secret, &mut row.former_secret, secret, former_until);
        row.updated = self.clock;
        row.updated_by = by.cloned();
        Ok(Done::Yes)
    }

    pub(super) fn delete_product(&mut self, org: &OrgId, key: &ProductKey) -> Applied {
        self.registry.product_of(org, key).ok_or(Refusal::Missing)?;
        if self.devices.live().any(|device| device.is.product == *key) {
            return Err(Refusal::InUse);
        }
        self.registry.products.retain(|product| product.key != *key);
        Ok(Done::Yes)
    }
}

/// Puts another secret in the place of the present one, which stays as the former one until a moment.
pub(super) fn rotate(
    present: &mut Secret,
    former: &mut Option<FormerSecret>,
    secret: &Secret,
    former_until: Option<Timestamp>,
) {
    let replaced = std::mem::replace(present, secret.clone());
    *former = former_until.map(|until| FormerSecret {
        secret: replaced,
        until,
    });
}

/// Sets what a change names.
pub(super) fn set<T: Clone>(part: &mut T, given: Option<&T>) {
    if let Some(given) = given {
        part.clone_from(given);
    }
}
