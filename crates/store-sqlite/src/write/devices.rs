//! Devices, and the history of their being disabled and deleted.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use aldis_core::ids::{DeviceKey, DeviceNo, OrgId, ProductKey};
use aldis_core::time::Timestamp;
use aldis_store::rows::{Activity, Actor, DeviceChange, NewDevice, Registrar, Secret};
use aldis_store::status_names::verb;
use aldis_store::{Done, Refusal};
use rusqlite::{Params, params};

use super::{Applied, Batch, Stop, refuse_if};
use crate::cells::{Cells, int, json};
use crate::driver_error::Result;
use crate::secret::Owner;
use crate::sql;

/// What decides about a change of a device.
struct CurrentDevice {
    org: OrgId,
    product: ProductKey,
    asset: String,
    disabled: bool,
}

impl Batch<'_> {
    pub(super) fn create_devices(
        &mut self,
        devices: &[NewDevice],
        most: Option<u64>,
        registrar: Option<Registrar>,
    ) -> Applied {
        let mut rooms = HashMap::new();
        let mut numbers = Vec::with_capacity(devices.len());
        for new in devices {
            let of = (new.org.as_str(), new.product.as_str());
            let room = match rooms.entry(of) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => unknown.insert(self.room(&new.org, &new.product, most, registrar)?),
            };
            numbers.push(match room {
                Some(room) => self.create_device(new, room, registrar)?,
                None => Err(Refusal::Missing),
            });
        }
        Ok(Done::Devices(numbers))
    }

    /// How many more devices a product may have; `None`: there is no such product for this registrar.
    fn room(
        &self,
        org: &OrgId,
        product: &ProductKey,
        most: Option<u64>,
        registrar: Option<Registrar>,
    ) -> Result<Option<u64>> {
        let is_open = match registrar {
            None => self.has_product(org, product)?,
            Some(Registrar { gateway, .. }) => self.is_open_to(org, product, gateway)?,
        };
        if !is_open {
            return Ok(None);
        }
        let Some(most) = most else {
            return Ok(Some(u64::MAX));
        };
        let sql = "SELECT count(*) FROM device INDEXED BY device_member WHERE product = ?1 AND deleted = 0";
        Ok(Some(most.saturating_sub(self.count(sql, params![product.0])?)))
    }

    /// Whether a gateway may register devices in a product.
    fn is_open_to(&self, org: &OrgId, product: &ProductKey, gateway: DeviceNo) -> Result<bool> {
        let sql = "SELECT 1 FROM product JOIN device AS gateway ON gateway.org = product.org
                   WHERE product.key = ?1 AND product.org = ?2 AND product.gateway_registers = 1 AND product.gateway = 0
                         AND gateway.no = ?3 AND gateway.deleted = 0";
        sql::exists(self.conn, sql, params![product.0, org.0, int(gateway.0)])
    }

    /// Takes a place in `room`, which is how many more devices its product may have.
    fn create_device(
        &mut self,
        new: &NewDevice,
        room: &mut u64,
        registrar: Option<Registrar>,
    ) -> Result<Result<DeviceNo, Refusal>> {
        let has_room = *room > 0 && registrar.map_or(Ok(true), |registrar| self.has_room_under(registrar))?;
        if !has_room {
            return self.taken(new).map(|taken| Err(taken.unwrap_or(Refusal::Full)));
        }
        let no = self.next.device;
        let sql = "INSERT INTO device (no, disabled, deleted, created, updated, org, product, key, asset, secret,
                                       timezone, description, name, attributes, tags, registered_by)
                   VALUES (?1, 0, 0, ?2, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) ON CONFLICT DO NOTHING";
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
            registrar.map(|registrar| int(registrar.gateway.0)),
        ];
        if sql::run(self.conn, sql, row)? == 0 {
            return self.taken(new).map(|taken| Err(taken.unwrap_or(Refusal::AssetTaken)));
        }
        self.next.device += 1;
        *room -= 1;
        if let Some(Registrar { gateway, .. }) = registrar {
            self.put_under(gateway, DeviceNo(no))?;
        }
        Ok(Ok(DeviceNo(no)))
    }

    /// Why a new device cannot have its keys, if it cannot.
    fn taken(&self, new: &NewDevice) -> Result<Option<Refusal>> {
        if self.is_taken(&new.product, &new.key)? {
            return Ok(Some(Refusal::Taken));
        }
        let sql = "SELECT 1 FROM device WHERE asset = ?1 AND deleted = 0";
        let asset = sql::exists(self.conn, sql, [&new.asset.0])?;
        Ok(asset.then_some(Refusal::AssetTaken))
    }

    fn has_room_under(&self, Registrar { gateway, most }: Registrar) -> Result<bool> {
        let sql = "SELECT count(*) FROM device INDEXED BY device_registered_by
                   WHERE registered_by = ?1 AND deleted = 0";
        let registered = self.count(sql, params![int(gateway.0)])?;
        Ok(registered < most as u64 && self.count_under(gateway)? < most)
    }

    fn count(&self, sql: &str, parameters: impl Params) -> Result<u64> {
        let count = sql::first(self.conn, sql, parameters, |row| {
            Cells::new(row, "device").number("count(*)")
        })?;
        Ok(count.unwrap_or_default())
    }

    fn is_taken(&self, product: &ProductKey, key: &DeviceKey) -> Result<bool> {
        let sql = "SELECT 1 FROM device WHERE product = ?1 AND key = ?2 AND deleted = 0";
        sql::exists(self.conn, sql, [&product.0, &key.0])
    }

    /// A device that is not deleted.
    fn standing(&self, no: DeviceNo) -> Result<CurrentDevice, Stop> {
        let sql = "SELECT org, product, asset, disabled FROM device WHERE no = ?1 AND deleted = 0";
        let found = sql::first(self.conn, sql, [int(no.0)], |row| {
            let mut cells = Cells::new(row, "device");
            Ok(CurrentDevice {
                org: OrgId(cells.get("org")?),
                product: ProductKey(cells.get("product")?),
                asset: cells.get("asset")?,
                disabled: cells.flag("disabled")?,
            })
        })?;
        found.ok_or_else(|| Refusal::Missing.into())
    }

    pub(super) fn update_device(&mut self, no: DeviceNo, change: &DeviceChange) -> Applied {
        let sql = "UPDATE device SET name = coalesce(?2, name), description = coalesce(?3, description),
                          attributes = coalesce(?4, attributes), tags = coalesce(?5, tags),
                          timezone = coalesce(?6, timezone), updated = ?7
                   WHERE no = ?1 AND deleted = 0";
        let row = params![
            int(no.0),
            change.name.as_ref().map(json),
            change.desc,
            change.attributes.as_ref().map(json),
            change.tags.as_ref().map(json),
            change.timezone,
            self.now.0
        ];
        super::changed(sql::run(self.conn, sql, row)?)
    }

    pub(super) fn rotate_device_secret(
        &mut self,
        no: DeviceNo,
        secret: &Secret,
        former_until: Option<Timestamp>,
    ) -> Applied {
        let sql = "UPDATE device SET former_secret = CASE WHEN ?3 IS NULL THEN NULL ELSE secret END,
                          former_secret_until = ?3, secret = ?2, updated = ?4
                   WHERE no = ?1 AND deleted = 0";
        let sealed = self.cipher.seal(Owner::Device(no.0), secret)?;
        let row = params![int(no.0), sealed, former_until.map(|until| until.0), self.now.0];
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
    fn keep_standing(&self, no: DeviceNo, device: &CurrentDevice) -> Result<()> {
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
