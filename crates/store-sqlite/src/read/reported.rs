//! What devices have reported about themselves.

use aldis_core::ids::DeviceNo;
use aldis_core::reported::ReportKind;
use aldis_core::time::Timestamp;
use aldis_store::rows::Reported;
use rusqlite::Connection;

use crate::cells::{Cells, int};
use crate::driver_error::Result;
use crate::sql::{self, Lookup};

pub(super) fn of(conn: &Connection, device: DeviceNo) -> Result<Vec<Reported>> {
    let sql = "SELECT kind, name, value, at FROM reported WHERE device = ?1 ORDER BY kind, name";
    sql::all(conn, sql, [int(device.0)], |row| {
        let mut cells = Cells::new(row, "reported");
        Ok(Reported {
            kind: cells.choice("kind", &ReportKind::ALL)?,
            name: cells.get("name")?,
            value: Some(cells.get("value")?),
            at: cells.time("at")?,
        })
    })
}

pub(super) fn last(conn: &Connection, devices: &[DeviceNo], kind: ReportKind) -> Result<Vec<Option<Timestamp>>> {
    let mut lookup = Lookup::new(
        conn,
        "SELECT max(at) AS at FROM reported WHERE device = ?1 AND kind = ?2",
    )?;
    let last = |device: &DeviceNo| {
        let found = lookup.first([int(device.0), number(kind)], |row| {
            Cells::new(row, "reported").optional_time("at")
        })?;
        Ok(found.flatten())
    };
    devices.iter().map(last).collect()
}

/// A kind as it is stored: its place among all.
pub(crate) fn number(kind: ReportKind) -> i64 {
    match kind {
        ReportKind::Measurepoint => 0,
        ReportKind::Attribute => 1,
        ReportKind::Tag => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_come_back_as_they_were_stored() {
        let stored: Vec<i64> = ReportKind::ALL.map(number).into();
        assert_eq!(stored, [0, 1, 2]);
    }
}
