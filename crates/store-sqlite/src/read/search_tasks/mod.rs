//! Searches for tasks, made so that no page of a million costs a look at a million.
//!
//! An organization's tasks are the ranges of its jobs. For one job, what a filter says about the job itself is known
//! beforehand; what remains of it decides how its range is searched:
//! - nothing: the rows are dense, so the page is computed from numbers alone;
//! - only states: the total comes from the counters, and so does the way to the few blocks of rows on which the page lies;
//! - anything else: one pass over the range, or over the few devices that the filter names.
//!
//! Neighbouring ranges for which the same remains are searched as one.

mod blocks;
mod by_rows;
mod remainder;

use aldis_core::expression::{Filter, TaskField};
use aldis_core::ids::{JobNo, OrgId, TaskNo};
use aldis_core::job::Counters;
use aldis_core::time::Timestamp;
use aldis_store::{Found, Page, TaskInfo};
use rusqlite::{Row, params_from_iter};

use super::tasks;
use crate::cells::Cells;
use crate::db::Db;
use crate::failure::Result;
use crate::filter::Query;
use crate::job_row::read_counters;
use crate::sql;
use by_rows::Rows;
use remainder::{Remainder, TaskRowField};

pub(super) fn search(db: &Db, org: &OrgId, filter: Option<&Filter<TaskField>>, page: Page) -> Result<Found<TaskInfo>> {
    let mut window = Window { page, total: 0 };
    let mut numbers = Vec::new();
    let mut rows = Rows::new(db);
    for stretch in stretches(db, org, filter)? {
        stretch.search(&mut rows, &mut window, &mut numbers)?;
    }
    Ok(Found {
        rows: tasks::page(&db.conn, &numbers)?,
        total: window.total,
    })
}

/// The page, moving over the matches as they are counted.
struct Window {
    page: Page,
    total: u64,
}

impl Window {
    /// Counts the next matches; says which of them are on the page, by their place among them.
    fn pass(&mut self, count: u64) -> std::ops::Range<u64> {
        let place = |wanted: u64| wanted.saturating_sub(self.total).min(count);
        let on_page = place(self.page.skip)..place(self.page.skip.saturating_add(self.page.take));
        self.total += count;
        on_page
    }
}

/// A job's written rows.
struct JobRange {
    job: JobNo,
    first: u64,
    written: u64,
    created: Timestamp,
    /// Read only if there is a filter.
    counters: Counters,
}

/// Neighbouring ranges, newest first, for which the same of the filter remains.
struct Stretch {
    low: u64,
    high: u64,
    remains: Filter<TaskRowField>,
    ranges: Vec<JobRange>,
}

impl Stretch {
    fn search(&self, rows: &mut Rows<'_>, window: &mut Window, found: &mut Vec<TaskNo>) -> Result<()> {
        match Remainder::of(&self.remains) {
            Remainder::Everything => found.extend(self.dense(window)),
            Remainder::States(states) => {
                for block in blocks::of_ranges(&self.ranges, &states) {
                    let on_page = window.pass(block.matches);
                    block.find(rows, &states, on_page, found)?;
                }
            }
            Remainder::Rows => {
                let matches = rows.matching(self.low, self.high, &self.remains)?;
                let on_page = window.pass(matches.len() as u64);
                let before = usize::try_from(on_page.start).unwrap_or(usize::MAX);
                let count = usize::try_from(on_page.end - on_page.start).unwrap_or(usize::MAX);
                found.extend(matches.into_iter().skip(before).take(count));
            }
        }
        Ok(())
    }

    /// Every row matches: those on the page follow from numbers alone.
    fn dense(&self, window: &mut Window) -> impl Iterator<Item = TaskNo> {
        let high = self.high;
        window.pass(high - self.low + 1).map(move |place| TaskNo(high - place))
    }
}

fn stretches(db: &Db, org: &OrgId, filter: Option<&Filter<TaskField>>) -> Result<Vec<Stretch>> {
    let mut stretches: Vec<Stretch> = Vec::new();
    for range in ranges(db, org, filter)? {
        let remains = filter.map_or_else(Filter::everything, |filter| {
            remainder::for_job(filter, range.job, range.created)
        });
        if range.written == 0 || remainder::is_nothing(&remains) {
            continue;
        }
        match stretches.last_mut() {
            Some(last) if last.low == range.first + range.written && last.remains == remains => {
                last.low = range.first;
                last.ranges.push(range);
            }
            _ => stretches.push(Stretch {
                low: range.first,
                high: range.first + range.written - 1,
                remains,
                ranges: vec![range],
            }),
        }
    }
    Ok(stretches)
}

/// The ranges of an organization's jobs, newest first; only of those that the filter can be about, if it names them.
fn ranges(db: &Db, org: &OrgId, filter: Option<&Filter<TaskField>>) -> Result<Vec<JobRange>> {
    const OF_ORG: &str = "WHERE deleted = 0 AND first_task IS NOT NULL AND org = ";
    let columns = "SELECT no, first_task, written, tasks_created";
    let mut query = Query::default();
    if filter.is_some() {
        query
            .push(columns)
            .push(", c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 FROM job JOIN job_counter ");
        query.push("ON job_counter.job = job.no AND job_counter.shard = 0 ");
    } else {
        query.push(columns).push(" FROM job INDEXED BY job_range ");
    }
    query.push(OF_ORG).bind(org.0.clone());
    if let Some(jobs) = filter
        .map(|filter| remainder::named_jobs(&db.conn, filter))
        .transpose()?
        .flatten()
    {
        query
            .push(" AND no IN ")
            .list(jobs.into_iter().map(|no| crate::cells::int(no.0)));
    }
    query.push(" ORDER BY first_task DESC");
    let (sql, bound) = query.finish(&db.conditions);
    sql::all_once(&db.conn, &sql, params_from_iter(bound), |row| {
        read_range(row, filter.is_some())
    })
}

fn read_range(row: &Row<'_>, counted: bool) -> Result<JobRange> {
    let mut cells = Cells::new(row, "job");
    Ok(JobRange {
        job: JobNo(cells.number("no")?),
        first: cells.number("first_task")?,
        written: cells.number("written")?,
        created: cells.time("tasks_created")?,
        counters: if counted {
            read_counters(&mut cells)?
        } else {
            Counters::default()
        },
    })
}
