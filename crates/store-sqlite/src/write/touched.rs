//! The jobs that a commit touches: read once, changed in memory, written once at its end, so that a thousand steps of a
//! job cost one update of its counters.

use std::collections::BTreeMap;

use aldis_core::ids::JobNo;
use aldis_store::Refusal;
use rusqlite::Connection;

use super::Stop;
use crate::cells::int;
use crate::driver_error::Result;
use crate::job_row::{COLUMNS, JobRow, TABLES};
use crate::sql;

#[derive(Default)]
pub(super) struct Touched(BTreeMap<JobNo, Option<TouchedJob>>);

struct TouchedJob {
    stored: JobRow,
    row: JobRow,
}

impl Touched {
    /// A job, also a deleted one.
    pub(super) fn any(&mut self, conn: &Connection, no: JobNo) -> Result<Option<&mut JobRow>> {
        use std::collections::btree_map::Entry::{Occupied, Vacant};
        let entry = match self.0.entry(no) {
            Occupied(entry) => entry.into_mut(),
            Vacant(place) => place.insert(load(conn, no)?),
        };
        Ok(entry.as_mut().map(|entry| &mut entry.row))
    }

    /// A job that is not deleted.
    pub(super) fn live(&mut self, conn: &Connection, no: JobNo) -> Result<&mut JobRow, Stop> {
        let row = self.any(conn, no)?.filter(|row| !row.deleted);
        row.ok_or_else(|| Refusal::Missing.into())
    }

    /// The job's row was inserted or removed behind our back.
    pub(super) fn forget(&mut self, no: JobNo) {
        self.0.remove(&no);
    }

    /// Brings states up to date and writes what has changed.
    pub(super) fn write(mut self, conn: &Connection) -> Result<()> {
        self.flush(conn)
    }

    /// As [`Touched::write`], for statements that look at the table of jobs in mid commit.
    pub(super) fn flush(&mut self, conn: &Connection) -> Result<()> {
        for entry in self.0.values_mut().flatten() {
            entry.row.state = entry.row.roll_up();
            if entry.row.counters != entry.stored.counters || entry.row.shards != entry.stored.shards {
                entry.row.write_counters(conn)?;
            }
            if differs(&entry.row, &entry.stored) {
                entry.row.write(conn)?;
            }
            entry.stored.clone_from(&entry.row);
        }
        Ok(())
    }
}

/// Whether the job's own row has changed; of the counters it only holds how many rows are written.
fn differs(row: &JobRow, stored: &JobRow) -> bool {
    let written = row.counters.written() != stored.counters.written();
    written
        || JobRow {
            counters: stored.counters,
            ..row.clone()
        } != *stored
}

fn load(conn: &Connection, no: JobNo) -> Result<Option<TouchedJob>> {
    let sql = format!("SELECT {COLUMNS} FROM {TABLES} WHERE job.no = ?1");
    let row = sql::first(conn, &sql, [int(no.0)], JobRow::read)?;
    Ok(row.map(|row| TouchedJob {
        stored: row.clone(),
        row,
    }))
}
