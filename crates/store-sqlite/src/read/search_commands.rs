//! Searches for the single commands of one device: its tasks are found by the index over devices, and of a single
//! command the task is the job's first.

use aldis_core::expression::{CommandField, Filter};
use aldis_core::ids::{DeviceNo, TaskNo};
use aldis_core::task::State;
use aldis_store::{Found, Page, TaskInfo, status_names};
use rusqlite::params_from_iter;

use super::{cut, tasks};
use crate::cells::Cells;
use crate::db::Db;
use crate::driver_error::Result;
use crate::filter::{Query, accepts};
use crate::sql;
use crate::task_row::state_number;

pub(super) fn search(
    db: &Db,
    device: DeviceNo,
    filter: Option<&Filter<CommandField>>,
    page: Page,
) -> Result<Found<TaskInfo>> {
    let mut query = Query::new(
        "SELECT task.id FROM task INDEXED BY task_device CROSS JOIN job ON job.first_task = task.id
         WHERE job.deleted = 0 AND job.single = 1 AND task.device = ",
    );
    query.number(device.0);
    if let Some(filter) = filter {
        query.push(" AND ").filter(filter, &condition);
    }
    query.push(" ORDER BY task.id DESC");
    let (sql, bound) = query.finish(&db.conditions);
    let found = sql::all_once(&db.conn, &sql, params_from_iter(bound), |row| {
        Cells::new(row, "task").number("id").map(TaskNo)
    })?;
    let found = cut(found, page);
    Ok(Found {
        rows: tasks::page(&db.conn, &found.rows)?,
        total: found.total,
    })
}

fn condition(query: &mut Query, field: CommandField, condition: &Filter<CommandField>) {
    match field {
        CommandField::State => {
            let states = State::ALL
                .into_iter()
                .filter(|state| accepts(condition, status_names::command_state(*state)));
            query.on_choice("task.state", states.map(state_number));
        }
        CommandField::Name => query.on_name("(SELECT name FROM job_text WHERE job_text.job = job.no)", condition),
        CommandField::CreatedAt => query.on_moment("job.created", condition),
    }
}
