//! Large jobs' counters, told apart by stretches of their tasks: so that a page of tasks in a state is found by adding
//! up, and not by passing over rows.

use std::collections::BTreeMap;

use aldis_core::ids::JobNo;
use aldis_core::job::Counters;
use aldis_core::task::State;
use rusqlite::{Connection, params_from_iter};

use crate::cells::{Cells, int};
use crate::driver_error::Result;
use crate::sql;

/// Tasks of a shard: where matches are rare, each of a page costs a walk over half a shard, and a page has up to a
/// thousand.
pub(crate) const TASKS: u64 = 2048;
/// Up to this many rows are walked over as they are, in a few milliseconds: a job of this size needs no shards.
pub(crate) const WALK_MAX: u64 = 16_384;

/// Whether a job with this many tasks has shards; the others' counters say enough.
pub(crate) const fn has_shards(allocated: u64) -> bool {
    allocated > WALK_MAX
}

/// What a commit has changed in the shards of one job, by their places.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Changes(BTreeMap<u64, [i64; State::COUNT]>);

impl Changes {
    /// Notes a task's step; `place` is its place among the tasks of its job.
    pub(crate) fn note(&mut self, place: u64, from: Option<State>, to: State) {
        let counts = self.0.entry(place / TASKS).or_default();
        if let Some(from) = from {
            counts[from.index()] -= 1;
        }
        counts[to.index()] += 1;
    }

    /// Writes the changes and forgets them.
    pub(crate) fn write(&mut self, conn: &Connection, job: JobNo) -> Result<()> {
        let sql = "INSERT INTO job_counter (job, shard, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
                   ON CONFLICT (job, shard) DO UPDATE SET
                       c0 = c0 + excluded.c0, c1 = c1 + excluded.c1, c2 = c2 + excluded.c2, c3 = c3 + excluded.c3,
                       c4 = c4 + excluded.c4, c5 = c5 + excluded.c5, c6 = c6 + excluded.c6, c7 = c7 + excluded.c7,
                       c8 = c8 + excluded.c8, c9 = c9 + excluded.c9";
        for (place, counts) in std::mem::take(&mut self.0) {
            let of_job = [int(job.0), number(place)];
            sql::run(conn, sql, params_from_iter(of_job.into_iter().chain(counts)))?;
        }
        Ok(())
    }
}

/// The counters of a job's shards, in order.
pub(crate) fn read(conn: &Connection, job: JobNo) -> Result<Vec<Counters>> {
    let sql =
        "SELECT c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 FROM job_counter WHERE job = ?1 AND shard > 0 ORDER BY shard";
    sql::all(conn, sql, [int(job.0)], |row| {
        read_counters(&mut Cells::new(row, "job_counter"))
    })
}

/// The column `shard`: 0 is the whole job.
fn number(place: u64) -> i64 {
    int(place + 1)
}
/// The columns of the counters, in the order of the states.
const COUNTERS: [&str; State::COUNT] = ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9"];

/// Reads [`COUNTERS`].
pub(crate) fn read_counters(cells: &mut Cells<'_, '_>) -> Result<Counters> {
    let mut counters = Counters::default();
    for (state, column) in State::ALL.into_iter().zip(COUNTERS) {
        let count: i64 = cells.table("job_counter").get(column)?;
        counters.add(state, count);
    }
    Ok(counters)
}
