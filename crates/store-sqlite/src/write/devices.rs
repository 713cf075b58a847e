//! Devices, and the history of their being disabled and deleted.

use std::collections::{BTreeMap, HashMap};

use aldis_core::i18n::I18nText;
use aldis_core::ids::{DeviceKey, DeviceNo, OrgId, ProductKey};
use aldis_core::time::Timestamp;
use aldis_store::rows::{Activity, Actor, NewDevice};
use aldis_store::words::verb;
use aldis_store::{Done, Refusal};
use rusqlite::params;
use serde_json::Value;

use super::{Applied, Batch, Stop, refuse_if};
use crate::cells::{Cells, int, json};
use crate::failure::Result;
use crate::secret::Owner;
use crate::sql;

/// What decides about a change of a device.
struct Standing {
    org: OrgId,
    product: ProductKey,
    asset: String,
    disabled: bool,
}

impl Batch<'_> {
    pub(super) fn create_devices(&mut self, devices: &[NewDevice]) -> Applied {
        let mut products = HashMap::new();
        let mut numbers = Vec::with_capacity(devices.len());
        for new in devices {
            let of = (new.org.as_str(), new.product.as_str());
            let known = match products.get(&of) {
                Some(known) => *known,
                None => *products.entry(of).or_insert(self.has_product(&new.org, &new.product)?),
            };
            numbers.push(if known {
                self.create_device(new)?
            } else {
                Err(Refusal::Missing)
            });
        }
        Ok(Done::Devices(numbers))
    }

    fn create_device(&mut self, new: &NewDevice) -> Result<Result<DeviceNo, Refusal>> {
        let no = self.next.device;
        let sql = "INSERT INTO device (no, disabled, deleted, created, updated, org, product, key, asset, secret,
                                       timezone, description, name, attributes, tags)
                   VALUES (?1, 0, 0, ?2, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT DO NOTHING";
        let row = params![
            int(no),
            self.now.0,
            new.org.0,
            new.product.0,
            new.key.0,
            new.asset.0,
            self.cipher.seal(Owner::Device(no), &new.secret)?,
            new.timezone,
            new.desc,
            json(&new.name),
            json(&new.attributes),
            json(&new.tags),
        ];
        if sql::run(self.conn, sql, row)? == 0 {
            let taken = self.is_taken(&new.product, &new.key)?;
            return Ok(Err(if taken { Refusal::Taken } else { Refusal::AssetTaken }));
        }
        self.next.device += 1;
        Ok(Ok(DeviceNo(no)))
    }

    fn is_taken(&self, product: &ProductKey, key: &DeviceKey) -> Result<bool> {
        let sql = "SELECT 1 FROM device WHERE product = ?1 AND key = ?2 AND deleted = 0";
        sql::exists(self.conn, sql, [&product.0, &key.0])
    }

    /// A device that is not deleted.
    fn standing(&self, no: DeviceNo) -> Result<Standing, Stop> {
        let sql = "SELECT org, product, asset, disabled FROM device WHERE no = ?1 AND deleted = 0";
        let found = sql::first(self.conn, sql, [int(no.0)], |row| {
            let mut cells = Cells::new(row, "device");
            Ok(Standing {
                org: OrgId(cells.get("org")?),
                product: ProductKey(cells.get("product")?),
                asset: cells.get("asset")?,
                disabled: cells.flag("disabled")?,
            })
        })?;
        found.ok_or_else(|| Refusal::Missing.into())
    }

    pub(super) fn update_device(
        &mut self,
        no: DeviceNo,
        name: &I18nText,
        desc: &str,
        attributes: &BTreeMap<String, Value>,
        tags: &BTreeMap<String, String>,
    ) -> Applied {
        let sql = "UPDATE device SET name = ?2, description = ?3, attributes = ?4, tags = ?5, updated = ?6
                   WHERE no = ?1 AND deleted = 0";
        let row = params![int(no.0), json(name), desc, json(attributes), json(tags), self.now.0];
        super::changed(sql::run(self.conn, sql, row)?)
    }

    pub(super) fn disable_device(&mut self, no: DeviceNo, disabled: bool, by: &Actor) -> Applied {
        let device = self.standing(no)?;
        refuse_if(device.disabled == disabled, Refusal::Unchanged)?;
        self.keep_standing(no, &device)?;
        let sql = "UPDATE device SET disabled = ?2, updated = ?3 WHERE no = ?1";
        sql::run(self.conn, sql, params![int(no.0), disabled, self.now.0])?;
        let verb = if disabled {
            verb::DISABLE_DEVICE
        } else {
            verb::ENABLE_DEVICE
        };
        self.act(&device.org, verb, &device.asset, by)?;
        Ok(Done::Yes)
    }

    pub(super) fn delete_device(&mut self, no: DeviceNo, by: &Actor) -> Applied {
        let device = self.standing(no)?;
        self.keep_standing(no, &device)?;
        sql::run(
            self.conn,
            "UPDATE device SET deleted = no, updated = ?2 WHERE no = ?1",
            [int(no.0), self.now.0],
        )?;
        self.forget_topology(no)?;
        self.forget_reported(no)?;
        self.act(&device.org, verb::DELETE_DEVICE, &device.asset, by)?;
        Ok(Done::Yes)
    }

    pub(super) fn replace_device(&mut self, no: DeviceNo, key: &DeviceKey, by: &Actor) -> Applied {
        let device = self.standing(no)?;
        refuse_if(self.is_taken(&device.product, key)?, Refusal::Taken)?;
        let sql = "UPDATE device SET key = ?2, updated = ?3 WHERE no = ?1";
        sql::run(self.conn, sql, params![int(no.0), key.0, self.now.0])?;
        self.act(&device.org, verb::REPLACE_DEVICE, &device.asset, by)?;
        Ok(Done::Yes)
    }

    /// Keeps what the device was until now: it decides who is a member of product jobs triggered before.
    fn keep_standing(&self, no: DeviceNo, device: &Standing) -> Result<()> {
        let sql = "INSERT INTO device_change (commit_no, device, disabled, deleted) VALUES (?1, ?2, ?3, 0)";
        sql::run(self.conn, sql, params![int(self.number.0), int(no.0), device.disabled]).map(drop)
    }

    pub(super) fn note_activity(&mut self, activities: &[Activity]) -> Applied {
        let sql = "UPDATE device SET activated = coalesce(activated, ?2), last_online = coalesce(?2, last_online),
                          last_offline = coalesce(?3, last_offline)
                   WHERE no = ?1 AND deleted = 0";
        let mut update = self.conn.prepare_cached(sql)?;
        for Activity {
            device,
            online,
            offline,
        } in activities
        {
            update.execute(params![int(device.0), online.map(|at| at.0), offline.map(|at| at.0)])?;
        }
        Ok(Done::Yes)
    }

    pub(super) fn end_sessions(&mut self, at: Timestamp) -> Applied {
        let sql = "UPDATE device SET last_offline = max(last_online, ?1)
                   WHERE deleted = 0 AND last_online > coalesce(last_offline, last_online - 1)";
        sql::run(self.conn, sql, [at.0])?;
        Ok(Done::Yes)
    }
}
