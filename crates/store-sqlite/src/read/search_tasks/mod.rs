//! Searches for tasks, made so that no page of a million costs a look at a million.
//!
//! An organization's tasks are the ranges of its jobs. For one job, what a filter says about the job itself is known
//! beforehand; what remains of it decides how its range is searched:
//! - nothing: the rows are dense, so the page is computed from numbers alone;
//! - only states: the total comes from the counters, and so does the way to the few blocks of rows on which the page
//!   lies;
//! - anything else: one pass over the range, or over the few devices that the filter names.
//!
//! Neighbouring ranges for which the same remains are searched as one.

mod blocks;
mod by_rows;
mod remainder;

use std::ops::ControlFlow;

use aldis_core::expression::{Filter, TaskField};
use aldis_core::ids::{JobNo, OrgId, TaskNo};
use aldis_core::job::Counters;
use aldis_core::time::Timestamp;
use aldis_store::{Found, Page, TaskInfo};
use rusqlite::{Row, params_from_iter};

use super::tasks;
use crate::cells::Cells;
use crate::db::Db;
use crate::driver_error::Result;
use crate::filter::Query;
use crate::shards::read_counters;
use crate::sql;
use by_rows::Rows;
use remainder::{Remainder, TaskRowField};

/// Ranges that are searched as one, at most: what is kept of them is bounded however many jobs there are.
const RANGES_MAX: usize = 1024;

pub(super) fn search(db: &Db, org: &OrgId, filter: Option<&Filter<TaskField>>, page: Page) -> Result<Found<TaskInfo>> {
    let (numbers, total) = match filter {
        None => page_of_all(db, org, page)?,
        Some(filter) => matching(db, org, filter, page)?,
    };
    Ok(Found {
        rows: tasks::page(&db.conn, &numbers)?,
        total,
    })
}

/// Without a filter only the ranges up to the end of the page are looked at.
fn page_of_all(db: &Db, org: &OrgId, page: Page) -> Result<(Vec<TaskNo>, u64)> {
    let sum = "SELECT sum(written) FROM job INDEXED BY job_range
               WHERE deleted = 0 AND first_task IS NOT NULL AND org = ?1";
    let total = sql::first(&db.conn, sum, [&org.0], |row| {
        Ok(row.get::<_, Option<i64>>(0)?.unwrap_or(0).cast_unsigned())
    })?;
    let mut window = Window { page, total: 0 };
    let mut numbers = Vec::new();
    each_range(db, org, None, |range| {
        if window.is_past_the_page() {
            return Ok(ControlFlow::Break(()));
        }
        if range.written > 0 {
            let high = range.first + range.written - 1;
            numbers.extend(window.dense(range.first, high));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok((numbers, total.unwrap_or(0)))
}

fn matching(db: &Db, org: &OrgId, filter: &Filter<TaskField>, page: Page) -> Result<(Vec<TaskNo>, u64)> {
    let mut walk = Walk {
        rows: Rows::new(db),
        window: Window { page, total: 0 },
        found: Vec::new(),
        stretch: None,
    };
    each_range(db, org, Some(filter), |range| {
        let remains = remainder::for_job(filter, range.job, range.created);
        if range.written > 0 && !remainder::is_nothing(&remains) {
            walk.pass(range, remains)?;
        }
        Ok(ControlFlow::Continue(()))
    })?;
    walk.end_stretch()?;
    Ok((walk.found, walk.window.total))
}

/// A search on its way over the ranges, newest first; of these it keeps the stretch that it is in.
struct Walk<'d> {
    rows: Rows<'d>,
    window: Window,
    found: Vec<TaskNo>,
    stretch: Option<Stretch>,
}

impl Walk<'_> {
    fn pass(&mut self, range: JobRange, remains: Filter<TaskRowField>) -> Result<()> {
        if let Some(stretch) = self
            .stretch
            .as_mut()
            .filter(|stretch| stretch.goes_on(&range, &remains))
        {
            stretch.add(range);
            return Ok(());
        }
        self.end_stretch()?;
        self.stretch = Some(Stretch::begun(range, remains));
        Ok(())
    }

    fn end_stretch(&mut self) -> Result<()> {
        match self.stretch.take() {
            Some(stretch) => stretch.search(&mut self.rows, &mut self.window, &mut self.found),
            None => Ok(()),
        }
    }
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

    /// The same where all rows from `low` to `high` match: those on the page follow from numbers alone.
    fn dense(&mut self, low: u64, high: u64) -> impl Iterator<Item = TaskNo> + use<> {
        self.pass(high - low + 1).map(move |place| TaskNo(high - place))
    }

    fn is_past_the_page(&self) -> bool {
        self.total >= self.page.skip.saturating_add(self.page.take)
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
    kind: Remainder,
    /// Kept only where states are all that remains: then their counters tell where the page lies.
    ranges: Vec<JobRange>,
}

impl Stretch {
    fn begun(range: JobRange, remains: Filter<TaskRowField>) -> Self {
        let mut stretch = Self {
            low: range.first,
            high: range.first + range.written - 1,
            kind: Remainder::of(&remains),
            remains,
            ranges: Vec::new(),
        };
        stretch.add(range);
        stretch
    }

    fn goes_on(&self, range: &JobRange, remains: &Filter<TaskRowField>) -> bool {
        self.low == range.first + range.written && self.ranges.len() < RANGES_MAX && self.remains == *remains
    }

    fn add(&mut self, range: JobRange) {
        self.low = range.first;
        if matches!(self.kind, Remainder::States(_)) {
            self.ranges.push(range);
        }
    }

    fn search(&self, rows: &mut Rows<'_>, window: &mut Window, found: &mut Vec<TaskNo>) -> Result<()> {
        match &self.kind {
            Remainder::Everything => found.extend(window.dense(self.low, self.high)),
            Remainder::States(states) => {
                for block in blocks::of_ranges(&self.ranges, states) {
                    let on_page = window.pass(block.matches);
                    block.find(rows, states, on_page, found)?;
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
}

/// Visits the ranges of an organization's jobs, newest first; only those that the filter can be about, as far as it
/// names jobs, tasks or the time of creation.
fn each_range(
    db: &Db,
    org: &OrgId,
    filter: Option<&Filter<TaskField>>,
    mut visit: impl FnMut(JobRange) -> Result<ControlFlow<()>>,
) -> Result<()> {
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
    if let Some(filter) = filter {
        narrow(&mut query, db, filter)?;
    }
    query.push(" ORDER BY first_task DESC");
    // No condition of it is asked of the connection: what is searched in between may set others.
    let (sql, bound) = query.finish(&db.conditions);
    sql::each_once(&db.conn, &sql, params_from_iter(bound), |row| {
        visit(read_range(row, filter.is_some())?)
    })
}

fn narrow(query: &mut Query, db: &Db, filter: &Filter<TaskField>) -> Result<()> {
    if let Some(jobs) = remainder::named_jobs(&db.conn, filter)? {
        query
            .push(" AND no IN ")
            .list(jobs.into_iter().map(|no| crate::cells::int(no.0)));
    }
    for condition in remainder::conjuncts(filter) {
        if remainder::is_about_creation(condition) {
            query.push(" AND ").on_moment("tasks_created", condition);
        }
    }
    Ok(())
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
