//! Jobs, with their command or with all their text.

use std::collections::BTreeSet;
use std::sync::Arc;

use aldis_core::i18n::I18nText;
use aldis_core::ids::{JobNo, TaskNo};
use aldis_store::rows::{Job, JobDetail};
use rusqlite::{Connection, Row};

use super::owners::Owners;
use crate::cells::{Cells, int};
use crate::driver_error::Result;
use crate::job_row::{COLUMNS, JobRow, TABLES, read_command};
use crate::sql::{self, Lookup};

/// A job without its texts, also a deleted one.
pub(super) fn row(conn: &Connection, no: JobNo) -> Result<Option<JobRow>> {
    sql::first(
        conn,
        &format!("SELECT {COLUMNS} FROM {TABLES} WHERE job.no = ?1"),
        [int(no.0)],
        JobRow::read,
    )
}

pub(super) fn detail(conn: &Connection, no: JobNo) -> Result<Option<JobDetail>> {
    let Some(row) = row(conn, no)?.filter(|row| !row.deleted) else {
        return Ok(None);
    };
    let sql = "SELECT command, text FROM job_text WHERE job = ?1";
    sql::first(conn, sql, [int(no.0)], |texts| {
        let mut cells = Cells::new(texts, "job_text");
        let command = read_command(&mut cells)?;
        Ok(JobDetail {
            job: row.with(Arc::new(command)),
            text: Arc::new(cells.json("text")?),
        })
    })
}

pub(super) fn names(conn: &Connection, jobs: &[JobNo]) -> Result<Vec<Option<I18nText>>> {
    let sql = "SELECT name FROM job_text JOIN job ON job.no = job_text.job AND job.deleted = 0 WHERE job_text.job = ?1";
    let mut lookup = Lookup::new(conn, sql)?;
    let mut name = |no: &JobNo| lookup.first([int(no.0)], |text| Cells::new(text, "job_text").json("name"));
    jobs.iter().map(&mut name).collect()
}

pub(super) fn numbers_at_work(conn: &Connection) -> Result<Vec<JobNo>> {
    let sql = "SELECT no FROM job INDEXED BY job_at_work
               WHERE state <> 2 OR settled_mark < cancel_mark OR deleted = 1 ORDER BY no";
    sql::all(conn, sql, [], |row: &Row<'_>| {
        Cells::new(row, "job").number("no").map(JobNo)
    })
}

pub(super) fn at_work(conn: &Connection) -> Result<Vec<Job>> {
    let numbers = numbers_at_work(conn)?;
    let mut jobs = Vec::with_capacity(numbers.len());
    for no in numbers {
        jobs.extend(with_command(conn, no)?);
    }
    Ok(jobs)
}

pub(super) fn of(conn: &Connection, tasks: &[TaskNo]) -> Result<Vec<Job>> {
    let mut owners = Owners::new(conn);
    let mut numbers = BTreeSet::new();
    for task in tasks {
        numbers.extend(owners.of(*task)?.map(|owner| owner.job));
    }
    let mut jobs = Vec::with_capacity(numbers.len());
    for no in numbers {
        jobs.extend(with_command(conn, no)?);
    }
    Ok(jobs)
}

/// A job with its command, also a deleted one.
pub(super) fn with_command(conn: &Connection, no: JobNo) -> Result<Option<Job>> {
    let Some(row) = row(conn, no)? else { return Ok(None) };
    let sql = "SELECT command FROM job_text WHERE job = ?1";
    sql::first(conn, sql, [int(no.0)], |text| {
        let command = read_command(&mut Cells::new(text, "job_text"))?;
        Ok(row.with(Arc::new(command)))
    })
}
