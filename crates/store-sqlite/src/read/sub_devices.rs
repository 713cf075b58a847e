//! Which devices are under which gateway.

use aldis_core::ids::DeviceNo;
use rusqlite::Connection;

use crate::cells::{Cells, int};
use crate::driver_error::Result;
use crate::sql::{self, Lookup};

pub(super) fn gateways_of(conn: &Connection, devices: &[DeviceNo]) -> Result<Vec<Option<DeviceNo>>> {
    let mut lookup = Lookup::new(conn, "SELECT gateway FROM sub_device WHERE device = ?1")?;
    let gateway = |device: &DeviceNo| {
        lookup.first([int(device.0)], |row| {
            Cells::new(row, "sub_device").number("gateway").map(DeviceNo)
        })
    };
    devices.iter().map(gateway).collect()
}

pub(super) fn under(conn: &Connection, gateway: DeviceNo) -> Result<Vec<DeviceNo>> {
    let sql = "SELECT device FROM sub_device WHERE gateway = ?1 ORDER BY device";
    sql::all(conn, sql, [int(gateway.0)], |row| {
        Cells::new(row, "sub_device").number("device").map(DeviceNo)
    })
}
