//! Which devices are under which gateway.

use std::collections::BTreeSet;

use aldis_core::ids::{DeviceNo, OrgId};
use aldis_store::{Done, Refusal};

use super::{Applied, Batch, Stop, refuse_if};
use crate::cells::{Cells, int};
use crate::driver_error::Result;
use crate::sql;

impl Batch<'_> {
    pub(super) fn add_sub_devices(
        &mut self,
        gateway: DeviceNo,
        added: &[DeviceNo],
        moves: bool,
        most: usize,
    ) -> Applied {
        let org = self.org_of(gateway)?;
        let mut new = BTreeSet::new();
        for device in added {
            refuse_if(self.org_of(*device)? != org, Refusal::Missing)?;
            let under = self.gateway_of(*device)?;
            refuse_if(under.is_some_and(|other| other != gateway) && !moves, Refusal::InUse)?;
            new.extend((under != Some(gateway)).then_some(*device));
        }
        let count = self.count_under(gateway)? + new.len();
        refuse_if(count > most, Refusal::Full)?;
        for device in new {
            self.set_gateway(device, gateway)?;
        }
        self.under = Some((gateway, count));
        Ok(Done::Yes)
    }

    /// Puts a new device under a gateway, for which there is room.
    pub(super) fn put_under(&mut self, gateway: DeviceNo, device: DeviceNo) -> Result<()> {
        let count = self.count_under(gateway)? + 1;
        self.set_gateway(device, gateway)?;
        self.under = Some((gateway, count));
        Ok(())
    }

    fn set_gateway(&self, device: DeviceNo, gateway: DeviceNo) -> Result<()> {
        let sql = "INSERT INTO sub_device (device, gateway) VALUES (?1, ?2)
                   ON CONFLICT (device) DO UPDATE SET gateway = excluded.gateway";
        sql::run(self.conn, sql, [int(device.0), int(gateway.0)]).map(drop)
    }

    pub(super) fn remove_sub_devices(&mut self, gateway: DeviceNo, removed: &[DeviceNo]) -> Applied {
        for device in removed {
            refuse_if(self.gateway_of(*device)? != Some(gateway), Refusal::Missing)?;
        }
        self.under = None;
        for device in removed {
            sql::run(self.conn, "DELETE FROM sub_device WHERE device = ?1", [int(device.0)])?;
        }
        Ok(Done::Yes)
    }

    /// A deleted device is under no gateway, and nothing is under it.
    pub(super) fn forget_topology(&mut self, device: DeviceNo) -> Result<()> {
        self.under = None;
        for sql in [
            "DELETE FROM sub_device WHERE device = ?1",
            "DELETE FROM sub_device WHERE gateway = ?1",
        ] {
            sql::run(self.conn, sql, [int(device.0)])?;
        }
        Ok(())
    }

    fn org_of(&self, device: DeviceNo) -> Result<OrgId, Stop> {
        let sql = "SELECT org FROM device WHERE no = ?1 AND deleted = 0";
        let found = sql::first(self.conn, sql, [int(device.0)], |row| {
            Ok(OrgId(Cells::new(row, "device").get("org")?))
        })?;
        found.ok_or_else(|| Refusal::Missing.into())
    }

    fn gateway_of(&self, device: DeviceNo) -> Result<Option<DeviceNo>> {
        let sql = "SELECT gateway FROM sub_device WHERE device = ?1";
        sql::first(self.conn, sql, [int(device.0)], |row| {
            Cells::new(row, "sub_device").number("gateway").map(DeviceNo)
        })
    }

    /// How many are under the gateway: a commit may add a thousand devices one by one, and must not count them all each
    /// time.
    pub(super) fn count_under(&self, gateway: DeviceNo) -> Result<usize> {
        if let Some((_, count)) = self.under.filter(|(known, _)| *known == gateway) {
            return Ok(count);
        }
        let sql = "SELECT count(*) AS under FROM sub_device WHERE gateway = ?1";
        let count = sql::first(self.conn, sql, [int(gateway.0)], |row| {
            Cells::new(row, "sub_device").number("under")
        })?;
        Ok(count.unwrap_or_default())
    }
}
