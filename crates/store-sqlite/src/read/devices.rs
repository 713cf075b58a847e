//! Devices: whole, or as far as the engine needs them.

use aldis_core::ids::{AssetId, DeviceKey, DeviceNo, OrgId, ProductKey};
use aldis_core::task::{QUEUE_MAX, State};
use aldis_store::rows::{Device, NewDevice};
use aldis_store::{DeviceFacts, DeviceRef};
use rusqlite::{Connection, Row, params};

use super::owners;
use crate::cells::{Cells, int};
use crate::db::Db;
use crate::failure::Result;
use crate::secret::{Cipher, Owner};
use crate::sql::{self, Lookup};
use crate::task_row::state_number;

/// A device's queued tasks are counted up to this: enough to see that its queue is full.
const QUEUED_COUNTED_MAX: usize = QUEUE_MAX + 1;

const DEVICE: &str =
    "SELECT no, disabled, deleted, activated, last_online, last_offline, created, updated, org, product,
                             key, asset, secret, timezone, description, name, attributes, tags
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
    let mut queues = Queues::new(conn)?;
    let mut lookup = Lookup::new(conn, &format!("SELECT {FACTS} FROM device WHERE no = ?1"))?;
    devices
        .iter()
        .map(|no| {
            let facts = lookup.first([int(no.0)], read_facts)?;
            facts.map(|facts| queues.counted(facts)).transpose()
        })
        .collect()
}

/// The columns that [`read_facts`] takes, in its order.
pub(super) const FACTS: &str = "device.no, device.deleted, device.disabled, device.activated, device.last_offline";

/// What the device's own row says; the queue is counted by [`Queues`].
pub(super) fn read_facts(row: &Row<'_>) -> Result<DeviceFacts> {
    let mut cells = Cells::new(row, "device");
    Ok(DeviceFacts {
        device: DeviceNo(cells.number("no")?),
        deleted: cells.flag("deleted")?,
        disabled: cells.flag("disabled")?,
        activated: cells.optional_time("activated")?.is_some(),
        last_offline: cells.optional_time("last_offline")?,
        queued: 0,
    })
}

/// Counts what is queued for devices.
pub(super) struct Queues<'c> {
    count: Lookup<'c>,
    /// No task with a smaller number is queued; `None`: none at all.
    lowest: Option<u64>,
}

impl<'c> Queues<'c> {
    pub(super) fn new(conn: &'c Connection) -> Result<Self> {
        let sql = format!(
            "SELECT count(*) FROM (SELECT 1 FROM task INDEXED BY task_device
                                   WHERE device = ?1 AND id >= ?2 AND state = {} LIMIT {QUEUED_COUNTED_MAX})",
            state_number(State::Queued)
        );
        Ok(Self {
            count: Lookup::new(conn, &sql)?,
            lowest: owners::lowest_in(conn, &[State::Queued])?,
        })
    }

    pub(super) fn counted(&mut self, facts: DeviceFacts) -> Result<DeviceFacts> {
        let Some(lowest) = self.lowest else { return Ok(facts) };
        let params = params![int(facts.device.0), int(lowest)];
        let counted = self
            .count
            .first(params, |row| Cells::new(row, "task").number("count(*)"))?;
        Ok(DeviceFacts {
            queued: counted.unwrap_or(0),
            ..facts
        })
    }
}
