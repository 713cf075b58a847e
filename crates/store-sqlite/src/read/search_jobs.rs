//! Searches for jobs.

use aldis_core::expression::{Filter, JobField};
use aldis_core::ids::{JobNo, OrgId};
use aldis_core::job::JobState;
use aldis_store::rows::JobDetail;
use aldis_store::{Found, Page, PageBytes, status_names};
use rusqlite::{Row, params, params_from_iter};

use super::{cut, jobs};
use crate::cells::{Cells, int};
use crate::db::Db;
use crate::driver_error::Result;
use crate::filter::{Query, accepts};
use crate::sql;

pub(super) fn search(db: &Db, org: &OrgId, filter: Option<&Filter<JobField>>, page: Page) -> Result<Found<JobDetail>> {
    let found = match filter {
        None => page_of_all(db, org, page)?,
        Some(filter) => cut(matching(db, org, filter)?, page),
    };
    let mut rows = Vec::with_capacity(found.rows.len());
    let mut bytes = PageBytes::default();
    for no in found.rows {
        if let Some(job) = jobs::detail(&db.conn, no)? {
            rows.push(bytes.admit(job)?);
        }
    }
    Ok(Found {
        rows,
        total: found.total,
    })
}

fn page_of_all(db: &Db, org: &OrgId, page: Page) -> Result<Found<JobNo>> {
    let count = "SELECT count(*) FROM job INDEXED BY job_org WHERE org = ?1 AND deleted = 0 AND single = 0";
    let total = sql::first(&db.conn, count, [&org.0], |row| {
        Cells::new(row, "job").number("count(*)")
    })?;
    let sql = "SELECT no FROM job INDEXED BY job_org WHERE org = ?1 AND deleted = 0 AND single = 0
               ORDER BY no DESC LIMIT ?2 OFFSET ?3";
    let rows = sql::all(&db.conn, sql, params![org.0, int(page.take), int(page.skip)], read_no)?;
    Ok(Found {
        rows,
        total: total.unwrap_or(0),
    })
}

fn matching(db: &Db, org: &OrgId, filter: &Filter<JobField>) -> Result<Vec<JobNo>> {
    let mut query = Query::new("SELECT no FROM job WHERE deleted = 0 AND single = 0 AND org = ");
    query.bind(org.0.clone()).push(" AND ").filter(filter, &condition);
    query.push(" ORDER BY no DESC");
    let (sql, bound) = query.finish(&db.conditions);
    sql::all_once(&db.conn, &sql, params_from_iter(bound), read_no)
}

fn read_no(row: &Row<'_>) -> Result<JobNo> {
    Cells::new(row, "job").number("no").map(JobNo)
}

fn condition(query: &mut Query, field: JobField, condition: &Filter<JobField>) {
    match field {
        JobField::JobId => {
            query.on_id("no", "job_id(no)", condition, |text| {
                JobNo::from_job_id(text).map(|no| no.0)
            });
        }
        JobField::Name => query.on_name("(SELECT name FROM job_text WHERE job_text.job = job.no)", condition),
        JobField::Status => {
            let states = (0_i64..)
                .zip(JobState::ALL)
                .filter(|(_, state)| accepts(condition, status_names::job_state(*state)));
            query.on_choice("state", states.map(|(number, _)| number));
        }
        JobField::CreatedAt => query.on_moment("created", condition),
    }
}
