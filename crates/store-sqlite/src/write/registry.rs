//! Organizations, access keys, thing models and products.

use aldis_core::command::Qos;
use aldis_core::ids::{AppKey, ModelId, OrgId, ProductKey};
use aldis_core::time::Timestamp;
use aldis_store::rows::{AccessKey, MODELS_PER_ORG_MAX, Model, Organization, Product, ProductChange, Secret};
use aldis_store::{Done, Refusal};
use rusqlite::params;
use serde_json::Value;

use super::{Applied, Batch, changed, refuse_if};
use crate::cells::{Cells, json};
use crate::driver_error::Result;
use crate::read::role_number;
use crate::secret::Owner;
use crate::sql;

impl Batch<'_> {
    pub(super) fn create_organization(&mut self, organization: &Organization) -> Applied {
        let Organization {
            id,
            name,
            disabled,
            created,
        } = organization;
        let sql = "INSERT INTO organization (id, name, disabled, created) VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT DO NOTHING";
        let written = sql::run(self.conn, sql, params![id.0, name, disabled, created.0])?;
        refuse_if(written == 0, Refusal::Taken)?;
        Ok(Done::Yes)
    }

    pub(super) fn disable_organization(&mut self, org: &OrgId, disabled: bool) -> Applied {
        let sql = "UPDATE organization SET disabled = ?2 WHERE id = ?1";
        changed(sql::run(self.conn, sql, params![org.0, disabled])?)
    }

    pub(super) fn delete_organization(&mut self, org: &OrgId) -> Applied {
        refuse_if(!self.has_organization(org)?, Refusal::Missing)?;
        self.jobs.flush(self.conn)?;
        let in_use = "SELECT 1 WHERE EXISTS (SELECT 1 FROM access_key WHERE org = ?1)
                          OR EXISTS (SELECT 1 FROM model WHERE org = ?1)
                          OR EXISTS (SELECT 1 FROM product WHERE org = ?1)
                          OR EXISTS (SELECT 1 FROM job WHERE org = ?1 AND deleted = 0)";
        refuse_if(sql::exists(self.conn, in_use, [&org.0])?, Refusal::InUse)?;
        changed(sql::run(self.conn, "DELETE FROM organization WHERE id = ?1", [&org.0])?)
    }

    fn has_organization(&self, org: &OrgId) -> Result<bool> {
        sql::exists(self.conn, "SELECT 1 FROM organization WHERE id = ?1", [&org.0])
    }

    pub(super) fn create_key(&mut self, key: &AccessKey) -> Applied {
        let known = sql::exists(
            self.conn,
            "SELECT 1 FROM access_key WHERE app_key = ?1",
            [&key.app_key.0],
        )?;
        refuse_if(known, Refusal::Taken)?;
        refuse_if(!self.has_organization(&key.org)?, Refusal::Missing)?;
        let sql = "INSERT INTO access_key (app_key, secret, org, role, name, disabled, created)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let secret = self.cipher.seal(Owner::AccessKey(&key.app_key.0), &key.secret)?;
        let AccessKey {
            app_key,
            org,
            role,
            name,
            disabled,
            created,
            secret: _,
        } = key;
        let row = params![app_key.0, secret, org.0, role_number(*role), name, disabled, created.0];
        sql::run(self.conn, sql, row)?;
        Ok(Done::Yes)
    }

    pub(super) fn disable_key(&mut self, key: &AppKey, disabled: bool) -> Applied {
        let sql = "UPDATE access_key SET disabled = ?2 WHERE app_key = ?1";
        changed(sql::run(self.conn, sql, params![key.0, disabled])?)
    }

    pub(super) fn delete_key(&mut self, key: &AppKey) -> Applied {
        changed(sql::run(
            self.conn,
            "DELETE FROM access_key WHERE app_key = ?1",
            [&key.0],
        )?)
    }

    pub(super) fn create_model(&mut self, model: &Model) -> Applied {
        let Model {
            org,
            id,
            document,
            created,
            updated,
        } = model;
        let known = "SELECT 1 FROM model WHERE org = ?1 AND id = ?2";
        refuse_if(sql::exists(self.conn, known, params![org.0, id.0])?, Refusal::Taken)?;
        let count = sql::first(
            self.conn,
            "SELECT count(*) FROM model WHERE org = ?1",
            [&org.0],
            |row| Cells::new(row, "model").number("count(*)"),
        )?;
        refuse_if(count.unwrap_or(0) >= MODELS_PER_ORG_MAX as u64, Refusal::Full)?;
        let sql = "INSERT INTO model (org, id, document, created, updated) VALUES (?1, ?2, ?3, ?4, ?5)";
        sql::run(
            self.conn,
            sql,
            params![org.0, id.0, json(document), created.0, updated.0],
        )?;
        Ok(Done::Yes)
    }

    pub(super) fn update_model(&mut self, org: &OrgId, id: &ModelId, from: &Value, document: &Value) -> Applied {
        let stored = crate::read::model(self.conn, org, id)?.ok_or(Refusal::Missing)?;
        refuse_if(stored.document != *from, Refusal::Changed)?;
        let sql = "UPDATE model SET document = ?3, updated = ?4 WHERE org = ?1 AND id = ?2";
        changed(sql::run(
            self.conn,
            sql,
            params![org.0, id.0, json(document), self.now.0],
        )?)
    }

    pub(super) fn delete_model(&mut self, org: &OrgId, id: &ModelId) -> Applied {
        refuse_if(!self.has_model(org, id)?, Refusal::Missing)?;
        let in_use = "SELECT 1 FROM product WHERE org = ?1 AND model = ?2";
        refuse_if(sql::exists(self.conn, in_use, [&org.0, &id.0])?, Refusal::InUse)?;
        changed(sql::run(
            self.conn,
            "DELETE FROM model WHERE org = ?1 AND id = ?2",
            [&org.0, &id.0],
        )?)
    }

    fn has_model(&self, org: &OrgId, id: &ModelId) -> Result<bool> {
        sql::exists(
            self.conn,
            "SELECT 1 FROM model WHERE org = ?1 AND id = ?2",
            [&org.0, &id.0],
        )
    }

    pub(super) fn create_product(&mut self, product: &Product) -> Applied {
        let taken = sql::exists(self.conn, "SELECT 1 FROM product WHERE key = ?1", [&product.key.0])?;
        refuse_if(taken, Refusal::Taken)?;
        refuse_if(!self.has_model(&product.org, &product.model)?, Refusal::Missing)?;
        let sql = "INSERT INTO product (key, org, name, secret, description, gateway, json, tags, model,
                                        dynamic_activation, certificates, created, created_by, updated, updated_by,
                                        command_qos, gateway_registers)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";
        let row = params![
            product.key.0,
            product.org.0,
            json(&product.name),
            self.cipher.seal(Owner::Product(&product.key.0), &product.secret)?,
            product.desc,
            product.gateway,
            product.json,
            json(&product.tags),
            product.model.0,
            product.dynamic_activation,
            product.certificates,
            product.created.0,
            product.created_by.as_ref().map(|key| key.as_str()),
            product.updated.0,
            product.updated_by.as_ref().map(|key| key.as_str()),
            product.command_qos.number(),
            product.gateway_registers,
        ];
        sql::run(self.conn, sql, row)?;
        Ok(Done::Yes)
    }

    pub(super) fn update_product(
        &mut self,
        org: &OrgId,
        key: &ProductKey,
        change: &ProductChange,
        by: Option<&AppKey>,
    ) -> Applied {
        let sql = "UPDATE product SET name = coalesce(?3, name), description = coalesce(?4, description),
                          tags = coalesce(?5, tags), dynamic_activation = coalesce(?6, dynamic_activation),
                          certificates = coalesce(?7, certificates), command_qos = coalesce(?8, command_qos),
                          gateway_registers = coalesce(?9, gateway_registers), updated = ?10, updated_by = ?11
                   WHERE key = ?1 AND org = ?2";
        let row = params![
            key.0,
            org.0,
            change.name.as_ref().map(json),
            change.desc,
            change.tags.as_ref().map(json),
            change.dynamic_activation,
            change.certificates,
            change.command_qos.map(Qos::number),
            change.gateway_registers,
            self.now.0,
            by.map(AppKey::as_str),
        ];
        changed(sql::run(self.conn, sql, row)?)
    }

    pub(super) fn rotate_product_secret(
        &mut self,
        org: &OrgId,
        key: &ProductKey,
        secret: &Secret,
        former_until: Option<Timestamp>,
        by: Option<&AppKey>,
    ) -> Applied {
        let sql = "UPDATE product SET former_secret = CASE WHEN ?4 IS NULL THEN NULL ELSE secret END,
                          former_secret_until = ?4, secret = ?3, updated = ?5, updated_by = ?6
                   WHERE key = ?1 AND org = ?2";
        let row = params![
            key.0,
            org.0,
            self.cipher.seal(Owner::Product(&key.0), secret)?,
            former_until.map(|until| until.0),
            self.now.0,
            by.map(AppKey::as_str),
        ];
        changed(sql::run(self.conn, sql, row)?)
    }

    pub(super) fn delete_product(&mut self, org: &OrgId, key: &ProductKey) -> Applied {
        refuse_if(!self.has_product(org, key)?, Refusal::Missing)?;
        let in_use = "SELECT 1 FROM device INDEXED BY device_member WHERE product = ?1 AND deleted = 0";
        refuse_if(sql::exists(self.conn, in_use, [&key.0])?, Refusal::InUse)?;
        changed(sql::run(self.conn, "DELETE FROM product WHERE key = ?1", [&key.0])?)
    }

    pub(super) fn has_product(&self, org: &OrgId, key: &ProductKey) -> Result<bool> {
        sql::exists(
            self.conn,
            "SELECT 1 FROM product WHERE key = ?1 AND org = ?2",
            [&key.0, &org.0],
        )
    }
}
