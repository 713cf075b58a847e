//! What devices have reported about themselves.

use aldis_core::ids::DeviceNo;
use aldis_store::Done;
use aldis_store::rows::Reported;
use rusqlite::params;

use super::{Applied, Batch};
use crate::cells::int;
use crate::driver_error::Result;
use crate::read::kind_number;
use crate::sql;

impl Batch<'_> {
    pub(super) fn report(&mut self, values: &[(DeviceNo, Vec<Reported>)], names_max: usize) -> Applied {
        for (device, reported) in values {
            let sql = "SELECT 1 FROM device WHERE no = ?1 AND deleted = 0";
            if sql::exists(self.conn, sql, [int(device.0)])? {
                for value in reported {
                    self.report_one(*device, value, names_max)?;
                }
            }
        }
        Ok(Done::Yes)
    }

    /// Most values have a row already: only new ones have their device's names counted. A stored moment that has not
    /// come yet is from a clock that was ahead, and hides nothing.
    fn report_one(&self, device: DeviceNo, reported: &Reported, names_max: usize) -> Result<()> {
        let Reported { kind, name, value, at } = reported;
        let (device, kind) = (int(device.0), kind_number(*kind));
        let Some(value) = value else {
            let sql = "DELETE FROM reported WHERE device = ?1 AND kind = ?2 AND name = ?3 AND (at <= ?4 OR at > ?5)";
            return sql::run(self.conn, sql, params![device, kind, name, at.0, self.now.0]).map(drop);
        };
        let update = "UPDATE reported SET value = ?4, at = ?5
                      WHERE device = ?1 AND kind = ?2 AND name = ?3 AND (at <= ?5 OR at > ?6)";
        if sql::run(self.conn, update, params![device, kind, name, value, at.0, self.now.0])? > 0 {
            return Ok(());
        }
        let insert = "INSERT INTO reported (device, kind, name, value, at)
                      SELECT ?1, ?2, ?3, ?4, ?5
                      WHERE (SELECT count(*) FROM reported WHERE device = ?1 AND kind = ?2) < ?6
                      ON CONFLICT DO NOTHING";
        let names_max = i64::try_from(names_max).unwrap_or(i64::MAX);
        sql::run(self.conn, insert, params![device, kind, name, value, at.0, names_max]).map(drop)
    }

    /// A deleted device has reported nothing.
    pub(super) fn forget_reported(&self, device: DeviceNo) -> Result<()> {
        sql::run(self.conn, "DELETE FROM reported WHERE device = ?1", [int(device.0)]).map(drop)
    }
}
