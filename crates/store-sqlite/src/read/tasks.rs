//! Tasks: by number, by job, by device, by the moment they are due; their history; the slots.
//!
//! A row is understood only with its job's release, so every read looks its job up; the rows of deleted jobs are passed
//! over on that way.

use std::collections::HashMap;
use std::sync::Arc;

use aldis_core::ids::{AssetId, AttemptNo, DeviceKey, DeviceNo, JobNo, ProductKey, TaskNo};
use aldis_core::task::{AttemptOutcome, AttemptRecord, AttemptTimes, Outcome, OutcomeNotes, State, Task};
use aldis_core::time::Timestamp;
use aldis_store::rows::{Job, Slot};
use aldis_store::{JobTasks, PageBytes, TaskInfo};
use rusqlite::{Connection, Params, Row, params};

use super::jobs;
use super::owners::{Owners, lowest_in};
use crate::cells::{Cells, int};
use crate::driver_error::Result;
use crate::sql::{self, Lookup};
use crate::task_row::{self, COLUMNS, state_number};

pub(super) fn by_numbers(conn: &Connection, tasks: &[TaskNo]) -> Result<Vec<Option<Task>>> {
    let mut owners = Owners::new(conn);
    let mut lookup = Lookup::new(conn, &format!("SELECT {COLUMNS} FROM task WHERE id = ?1"))?;
    let one = |no: &TaskNo| {
        let Some(owner) = owners.of(*no)? else { return Ok(None) };
        lookup.first([int(no.0)], |row| {
            task_row::read(&mut Cells::new(row, "task"), owner.release)
        })
    };
    tasks.iter().map(one).collect()
}

pub(super) fn infos(conn: &Connection, tasks: &[TaskNo]) -> Result<Vec<Option<TaskInfo>>> {
    let mut found = Vec::with_capacity(tasks.len());
    each_info(conn, tasks, |info| {
        found.push(info);
        Ok(())
    })?;
    Ok(found)
}

/// The rows of a page, those of jobs that are gone left out.
pub(super) fn page(conn: &Connection, tasks: &[TaskNo]) -> Result<Vec<TaskInfo>> {
    let mut bytes = PageBytes::default();
    let mut rows = Vec::with_capacity(tasks.len());
    each_info(conn, tasks, |info| {
        if let Some(info) = info {
            rows.push(bytes.admit(info)?);
        }
        Ok(())
    })?;
    Ok(rows)
}

fn each_info(conn: &Connection, tasks: &[TaskNo], mut take: impl FnMut(Option<TaskInfo>) -> Result<()>) -> Result<()> {
    let mut owners = Owners::new(conn);
    let mut known: HashMap<JobNo, Arc<Job>> = HashMap::new();
    let sql = format!(
        "SELECT {COLUMNS}, asset, product, key FROM task JOIN device ON device.no = task.device WHERE task.id = ?1"
    );
    let mut lookup = Lookup::new(conn, &sql)?;
    for no in tasks {
        let Some(owner) = owners.of(*no)? else {
            take(None)?;
            continue;
        };
        if !known.contains_key(&owner.job) {
            known.extend(jobs::with_command(conn, owner.job)?.map(|job| (owner.job, Arc::new(job))));
        }
        let Some(job) = known.get(&owner.job) else {
            take(None)?;
            continue;
        };
        take(lookup.first([int(no.0)], |row| read_info(row, job))?)?;
    }
    Ok(())
}

fn read_info(row: &Row<'_>, job: &Arc<Job>) -> Result<TaskInfo> {
    let mut cells = Cells::new(row, "task");
    let task = task_row::read(&mut cells, job.release)?;
    let cells = cells.table("device");
    Ok(TaskInfo {
        task,
        job: Arc::clone(job),
        asset: AssetId(cells.get("asset")?),
        product: ProductKey(cells.get("product")?),
        device_key: DeviceKey(cells.get("key")?),
    })
}

pub(super) fn history(conn: &Connection, task: TaskNo) -> Result<Vec<AttemptRecord>> {
    if Owners::new(conn).of(task)?.is_none() {
        return Ok(Vec::new());
    }
    let sql = "SELECT attempt, how, intent, handed, acked, ended, code, desc, output, sent FROM history
               WHERE task = ?1 ORDER BY attempt, ended, no";
    sql::all(conn, sql, [int(task.0)], |row| {
        let mut cells = Cells::new(row, "history");
        let mut record = AttemptRecord {
            attempt: AttemptNo(cells.number("attempt")?),
            how: cells.choice("how", &AttemptOutcome::ALL)?,
            times: AttemptTimes {
                intent: cells.optional_time("intent")?,
                handed: cells.optional_time("handed")?,
                acked: cells.optional_time("acked")?,
                ended: cells.optional_time("ended")?,
            },
            outcome: Outcome {
                code: cells.get("code")?,
                desc: cells.get("desc")?,
                output: cells.get("output")?,
                sent: false,
                notes: OutcomeNotes::default(),
            },
        };
        (record.outcome.sent, record.outcome.notes) = task_row::from_flags(cells.get("sent")?);
        Ok(record)
    })
}

pub(super) fn of_job(
    conn: &Connection,
    job: JobNo,
    which: JobTasks,
    after: Option<TaskNo>,
    limit: usize,
) -> Result<Vec<Task>> {
    let Some(job) = jobs::row(conn, job)?.filter(|job| !job.deleted) else {
        return Ok(Vec::new());
    };
    let Some(first) = job.range.first else {
        return Ok(Vec::new());
    };
    let from = after.map_or(first.0, |after| first.0.max(after.0 + 1));
    // A walk along the numbers: what a slice has passed, the next does not see again, whatever share of it was wanted.
    let sql = format!(
        "SELECT {COLUMNS} FROM task NOT INDEXED WHERE id >= ?1 AND id < ?2 AND {} ORDER BY id LIMIT ?3",
        condition(which)
    );
    let end = int(first.0 + job.range.allocated);
    sql::all(conn, &sql, params![int(from), end, int(limit as u64)], |row| {
        task_row::read(&mut Cells::new(row, "task"), job.release)
    })
}

fn condition(which: JobTasks) -> String {
    let in_state = |wanted: &dyn Fn(State) -> bool| format!("state IN ({})", numbers_of(wanted));
    match which {
        JobTasks::All => "1".to_owned(),
        JobTasks::Init => in_state(&|state| state == State::Init),
        JobTasks::FirstRound => in_state(&|state| state == State::Queued) + " AND due IS NULL",
        JobTasks::Unfinished => in_state(&|state| !state.is_final()),
        JobTasks::Out => in_state(&|state| state.is_out()),
        JobTasks::Retryable => {
            in_state(&|state| matches!(state, State::Failed | State::ResponseTimedOut | State::TtlTimedOut))
                + " AND late IS NULL"
        }
    }
}

fn numbers_of(wanted: &dyn Fn(State) -> bool) -> String {
    let states = State::ALL.into_iter().filter(|state| wanted(*state));
    let numbers: Vec<String> = states.map(|state| state_number(state).to_string()).collect();
    numbers.join(", ")
}

pub(super) fn due(conn: &Connection, now: Timestamp, limit: usize) -> Result<Vec<Task>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM task INDEXED BY task_wake WHERE wake IS NOT NULL AND wake <= ?1 ORDER BY wake, id LIMIT ?2"
    );
    live(conn, &mut Owners::new(conn), &sql, params![now.0, int(limit as u64)])
}

pub(super) fn next_due(conn: &Connection, now: Timestamp) -> Result<Option<Timestamp>> {
    let sql = "SELECT min(wake) AS wake FROM task INDEXED BY task_wake WHERE wake IS NOT NULL AND wake > ?1";
    Ok(sql::first(conn, sql, [now.0], |row| Cells::new(row, "task").optional_time("wake"))?.flatten())
}

pub(super) fn queued(conn: &Connection, devices: &[DeviceNo]) -> Result<Vec<Vec<Task>>> {
    in_states(conn, devices, &[State::Queued])
}

pub(super) fn waiting(conn: &Connection, device: DeviceNo) -> Result<Vec<Task>> {
    Ok(in_states(conn, &[device], &[State::Queued, State::RetryWait])?
        .pop()
        .unwrap_or_default())
}

fn in_states(conn: &Connection, devices: &[DeviceNo], states: &[State]) -> Result<Vec<Vec<Task>>> {
    let Some(lowest) = lowest_in(conn, states)? else {
        return Ok(vec![Vec::new(); devices.len()]);
    };
    let numbers: Vec<String> = states.iter().map(|state| state_number(*state).to_string()).collect();
    let sql = format!(
        "SELECT {COLUMNS} FROM task INDEXED BY task_device WHERE device = ?1 AND id >= ?2 AND state IN ({})",
        numbers.join(", ")
    );
    let mut owners = Owners::new(conn);
    devices
        .iter()
        .map(|device| live(conn, &mut owners, &sql, [int(device.0), int(lowest)]))
        .collect()
}

/// Rows of deleted jobs may take places in the limit: they are few, and gone soon.
pub(super) fn attempted(conn: &Connection, device: DeviceNo, limit: usize) -> Result<Vec<Task>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM task INDEXED BY task_device WHERE device = ?1 AND attempt > 0
         ORDER BY state IN ({}) DESC, id DESC LIMIT ?2",
        numbers_of(&|state| state.is_out())
    );
    live(conn, &mut Owners::new(conn), &sql, [int(device.0), int(limit as u64)])
}

/// The rows that a statement finds, without those of deleted jobs.
fn live(conn: &Connection, owners: &mut Owners<'_>, sql: &str, params: impl Params) -> Result<Vec<Task>> {
    let found = sql::all(conn, sql, params, |row| {
        let no = TaskNo(Cells::new(row, "task").number("id")?);
        let owner = owners.of(no)?;
        owner
            .map(|owner| task_row::read(&mut Cells::new(row, "task"), owner.release))
            .transpose()
    })?;
    Ok(found.into_iter().flatten().collect())
}

pub(super) fn slots(conn: &Connection) -> Result<Vec<Slot>> {
    let sql = "SELECT device, task, attempt, reply_deadline, acked FROM slot ORDER BY device";
    sql::all(conn, sql, [], |row| {
        let mut cells = Cells::new(row, "slot");
        Ok(Slot {
            device: DeviceNo(cells.number("device")?),
            task: TaskNo(cells.number("task")?),
            attempt: AttemptNo(cells.number("attempt")?),
            reply_deadline: cells.time("reply_deadline")?,
            acked: cells.flag("acked")?,
        })
    })
}
