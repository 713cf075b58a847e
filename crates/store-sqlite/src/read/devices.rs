//! Devices: whole, or as far as the engine needs them.

use aldis_core::ids::{AssetId, DeviceKey, DeviceNo, OrgId, ProductKey};
use aldis_core::task::State;
use aldis_store::rows::{Device, NewDevice};
use aldis_store::{DeviceFacts, DeviceRef};
use rusqlite::{Connection, Row};

use super::owners;
use super::registry::former_secret;
use crate::cells::{Cells, int};
use crate::db::Db;
use crate::driver_error::Result;
use crate::secret::{Cipher, Owner};
use crate::sql::{self, Lookup};
use crate::task_row::state_number;

const DEVICE: &str =
    "SELECT no, disabled, deleted, activated, last_online, last_offline, created, updated, org, product,
                             key, asset, secret, timezone, description, name, attributes, tags,
                             former_secret, former_secret_until
                      FROM device";

pub(super) fn find(db: &Db, by: &DeviceRef) -> Result<Option<Device>> {
    let read = |row: &Row<'_>| read_device(&db.cipher, row);
    match by {
        DeviceRef::Keys(product, key) => {
            let sql = format!("{DEVICE} WHERE product = ?1 AND key = ?2 AND deleted = 0");
            sql::first(&db.conn, &sql, [&product.0, &key.0], read)
        }
        DeviceRef::Asset(asset) => sql::first(
            &db.conn,
            &format!("{DEVICE} WHERE asset = ?1 AND deleted = 0"),
            [&asset.0],
            read,
        ),
        DeviceRef::No(no) => sql::first(&db.conn, &format!("{DEVICE} WHERE no = ?1"), [int(no.0)], read),
    }
}

fn read_device(cipher: &Cipher, row: &Row<'_>) -> Result<Device> {
    let mut cells = Cells::new(row, "device");
    let no: u64 = cells.number("no")?;
    let (disabled, deleted) = (cells.flag("disabled")?, cells.flag("deleted")?);
    let activated = cells.optional_time("activated")?;
    let last_online = cells.optional_time("last_online")?;
    let last_offline = cells.optional_time("last_offline")?;
    let (created, updated) = (cells.time("created")?, cells.time("updated")?);
    let (org, product) = (OrgId(cells.get("org")?), ProductKey(cells.get("product")?));
    let (key, asset) = (DeviceKey(cells.get("key")?), AssetId(cells.get("asset")?));
    let sealed: Vec<u8> = cells.get("secret")?;
    let is = NewDevice {
        org,
        product,
        key,
        asset,
        secret: cipher.open(Owner::Device(no), &sealed)?,
        timezone: cells.get("timezone")?,
        desc: cells.get("description")?,
        name: cells.json("name")?,
        attributes: cells.json("attributes")?,
        tags: cells.json("tags")?,
    };
    Ok(Device {
        no: DeviceNo(no),
        is,
        former_secret: former_secret(&mut cells, cipher, Owner::Device(no))?,
        disabled,
        deleted,
        created,
        updated,
        activated,
        last_online,
        last_offline,
    })
}

pub(super) fn facts(conn: &Connection, devices: &[DeviceNo]) -> Result<Vec<Option<DeviceFacts>>> {
    let mut lookup = Lookup::new(conn, &format!("SELECT {FACTS} FROM device WHERE no = ?1"))?;
    devices.iter().map(|no| lookup.first([int(no.0)], read_facts)).collect()
}

/// The columns that [`read_facts`] takes, in its order.
pub(super) const FACTS: &str = "device.no, device.deleted, device.disabled, device.activated, device.last_offline";

pub(super) fn read_facts(row: &Row<'_>) -> Result<DeviceFacts> {
    let mut cells = Cells::new(row, "device");
    Ok(DeviceFacts {
        device: DeviceNo(cells.number("no")?),
        deleted: cells.flag("deleted")?,
        disabled: cells.flag("disabled")?,
        activated: cells.optional_time("activated")?.is_some(),
        last_offline: cells.optional_time("last_offline")?,
    })
}

pub(super) fn queue_lengths(conn: &Connection, devices: &[DeviceNo]) -> Result<Vec<usize>> {
    let Some(lowest) = owners::lowest_in(conn, &[State::Queued])? else {
        return Ok(vec![0; devices.len()]);
    };
    let sql = format!(
        "SELECT count(*) FROM task INDEXED BY task_device WHERE device = ?1 AND id >= ?2 AND state = {}",
        state_number(State::Queued)
    );
    let mut count = Lookup::new(conn, &sql)?;
    let length = |device: &DeviceNo| {
        let counted = count.first([int(device.0), int(lowest)], |row| {
            Cells::new(row, "task").number("count(*)")
        })?;
        Ok(counted.unwrap_or(0))
    };
    devices.iter().map(length).collect()
}
