//! Which job owns a task: a look at the ranges of numbers, kept for the tasks that follow.

use std::collections::BTreeMap;

use aldis_core::ids::{JobNo, TaskNo};
use aldis_core::task::State;
use aldis_core::time::Timestamp;
use rusqlite::Connection;

use crate::cells::{Cells, int};
use crate::driver_error::Result;
use crate::sql;
use crate::task_row::state_number;

/// What the row of a task needs of its job.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner {
    pub(crate) job: JobNo,
    pub(crate) release: Timestamp,
}

/// The owners found so far, by the first number of their range.
pub(crate) struct Owners<'c> {
    conn: &'c Connection,
    known: BTreeMap<u64, Range>,
}

#[derive(Debug, Clone, Copy)]
struct Range {
    /// The first number that is not the job's.
    end: u64,
    /// `None`: the job is deleted.
    owner: Option<Owner>,
}

impl<'c> Owners<'c> {
    pub(crate) fn new(conn: &'c Connection) -> Self {
        Self {
            conn,
            known: BTreeMap::new(),
        }
    }

    /// The job of a task, if it is not deleted.
    pub(crate) fn of(&mut self, task: TaskNo) -> Result<Option<Owner>> {
        let known = self.known.range(..=task.0).next_back().map(|(_, range)| *range);
        if let Some(range) = known.filter(|range| task.0 < range.end) {
            return Ok(range.owner);
        }
        let Some((first, range)) = self.load(task)? else {
            return Ok(None);
        };
        self.known.insert(first, range);
        Ok(range.owner.filter(|_| task.0 < range.end))
    }

    fn load(&self, task: TaskNo) -> Result<Option<(u64, Range)>> {
        let sql = "SELECT first_task, allocated, no, release, deleted FROM job INDEXED BY job_first_task
                   WHERE first_task IS NOT NULL AND first_task <= ?1 ORDER BY first_task DESC LIMIT 1";
        sql::first(self.conn, sql, [int(task.0)], |row| {
            let mut cells = Cells::new(row, "job");
            let first: u64 = cells.number("first_task")?;
            let end = first + cells.number::<u64>("allocated")?;
            let owner = Owner {
                job: JobNo(cells.number("no")?),
                release: cells.time("release")?,
            };
            let owner = (!cells.flag("deleted")?).then_some(owner);
            Ok((first, Range { end, owner }))
        })
    }
}

/// No task with a smaller number is in one of these states: the first of all jobs whose counters say that they have
/// some. Keeps a look at a device's waiting tasks from going through its past. `None`: there is no such task at all.
pub(crate) fn lowest_in(conn: &Connection, states: &[State]) -> Result<Option<u64>> {
    let counters: Vec<String> = states
        .iter()
        .map(|state| format!("c{}", state_number(*state)))
        .collect();
    let sql = format!(
        "SELECT first_task FROM job INDEXED BY job_first_at_work
         CROSS JOIN job_counter ON job_counter.job = job.no AND job_counter.shard = 0
         WHERE first_task IS NOT NULL AND (state <> 2 OR settled_mark < cancel_mark OR deleted = 1) AND {} > 0
         ORDER BY first_task LIMIT 1",
        counters.join(" + ")
    );
    sql::first(conn, &sql, [], |row| Cells::new(row, "job").number("first_task"))
}
