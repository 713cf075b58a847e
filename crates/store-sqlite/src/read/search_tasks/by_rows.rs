//! The part of a search that has to look at rows of a range of task numbers.

use std::ops::Range;

use aldis_core::expression::Filter;
use aldis_core::ids::TaskNo;
use aldis_core::task::State;
use aldis_store::status_names;
use rusqlite::{Row, params_from_iter};

use super::remainder::{TaskRowField, conjuncts, named};
use crate::cells::Cells;
use crate::db::Db;
use crate::driver_error::Result;
use crate::filter::{Query, accepts};
use crate::sql;
use crate::task_row::state_number;

/// Up to this many devices are looked up one by one in the index over devices; more are cheaper found on a walk along
/// the tasks.
const DEVICES_MAX: u64 = 1000;

/// The index over the rare final states serves only queries that repeat its very condition.
const RARE: &str = "(task.state = 6 OR task.state = 8 OR task.state = 9)";

pub(super) struct Rows<'d> {
    pub(super) db: &'d Db,
    /// What the last remainder says about devices, which mostly is also what the next does.
    devices: Option<(Filter<TaskRowField>, Option<Vec<i64>>)>,
}

impl<'d> Rows<'d> {
    pub(super) fn new(db: &'d Db) -> Self {
        Self { db, devices: None }
    }

    /// Those of the rows in these states, largest number first, whose places among them are wanted.
    pub(super) fn in_states(&self, low: u64, high: u64, states: &[State], wanted: &Range<u64>) -> Result<Vec<TaskNo>> {
        let mut query = Query::new("SELECT id FROM task ");
        if states.iter().all(|state| is_rare(*state)) {
            query.push("INDEXED BY task_rare WHERE ").push(RARE).push(" AND ");
        } else {
            query.push("NOT INDEXED WHERE ");
        }
        query.on_choice("task.state", states.iter().map(|state| state_number(*state)));
        query.push(" AND id >= ").number(low).push(" AND id <= ").number(high);
        query.push(" ORDER BY id DESC LIMIT ").number(wanted.end - wanted.start);
        query.push(" OFFSET ").number(wanted.start);
        self.numbers(query)
    }

    /// All matching rows, largest number first.
    pub(super) fn matching(&mut self, low: u64, high: u64, remains: &Filter<TaskRowField>) -> Result<Vec<TaskNo>> {
        let mut query = Query::new("SELECT task.id FROM task ");
        match self.few_devices(remains)? {
            Some(devices) if devices.is_empty() => return Ok(Vec::new()),
            Some(devices) => {
                query.push("INDEXED BY task_device CROSS JOIN device ON device.no = task.device WHERE task.device IN ");
                query.list(devices.iter().copied());
            }
            None if conjuncts(remains).iter().any(is_about_rare_states) => {
                query
                    .push("INDEXED BY task_rare CROSS JOIN device ON device.no = task.device WHERE ")
                    .push(RARE);
            }
            None => {
                query.push("NOT INDEXED CROSS JOIN device ON device.no = task.device WHERE 1");
            }
        }
        query
            .push(" AND task.id >= ")
            .number(low)
            .push(" AND task.id <= ")
            .number(high)
            .push(" AND ");
        query.filter(remains, &condition);
        query.push(" ORDER BY task.id DESC");
        self.numbers(query)
    }

    /// The devices that a filter names by asset or key, if they are few.
    fn few_devices(&mut self, remains: &Filter<TaskRowField>) -> Result<Option<Vec<i64>>> {
        if let Some((_, devices)) = self.devices.as_ref().filter(|(of, _)| of == remains) {
            return Ok(devices.clone());
        }
        let devices = self.find_few_devices(remains)?;
        self.devices = Some((remains.clone(), devices.clone()));
        Ok(devices)
    }

    fn find_few_devices(&self, remains: &Filter<TaskRowField>) -> Result<Option<Vec<i64>>> {
        let is_named = |condition: &Filter<TaskRowField>, wanted: &[TaskRowField]| {
            named(condition).is_some_and(|(field, _)| wanted.contains(&field))
        };
        let all = conjuncts(remains);
        if !all
            .iter()
            .any(|condition| is_named(condition, &[TaskRowField::AssetId, TaskRowField::DeviceKey]))
        {
            return Ok(None);
        }
        let of_devices = [TaskRowField::AssetId, TaskRowField::DeviceKey, TaskRowField::ProductKey];
        let mut query = Query::new("SELECT no FROM device WHERE 1");
        for condition_of_device in all.iter().filter(|condition| is_named(condition, &of_devices)) {
            query.push(" AND ").filter(condition_of_device, &condition);
        }
        query.push(" LIMIT ").number(DEVICES_MAX + 1);
        let (sql, bound) = query.finish(&self.db.conditions);
        let read = |row: &Row<'_>| Cells::new(row, "device").get::<i64>("no");
        let devices = sql::all_once(&self.db.conn, &sql, params_from_iter(bound), read)?;
        Ok(Some(devices).filter(|devices| devices.len() as u64 <= DEVICES_MAX))
    }

    fn numbers(&self, query: Query) -> Result<Vec<TaskNo>> {
        let (sql, bound) = query.finish(&self.db.conditions);
        let read = |row: &Row<'_>| Cells::new(row, "task").number("id").map(TaskNo);
        sql::all_once(&self.db.conn, &sql, params_from_iter(bound), read)
    }
}

const fn is_rare(state: State) -> bool {
    matches!(state, State::Failed | State::ResponseTimedOut | State::TtlTimedOut)
}

fn is_about_rare_states(condition: &Filter<TaskRowField>) -> bool {
    is_about_states(condition) && states(condition).all(is_rare)
}

fn is_about_states(condition: &Filter<TaskRowField>) -> bool {
    named(condition).is_some_and(|(field, _)| field == TaskRowField::Status)
}

fn states(condition: &Filter<TaskRowField>) -> impl Iterator<Item = State> {
    State::ALL
        .into_iter()
        .filter(|state| accepts(condition, status_names::task_state(*state)))
}

fn condition(query: &mut Query, field: TaskRowField, condition: &Filter<TaskRowField>) {
    match field {
        TaskRowField::TaskId => {
            query.on_id("task.id", "task_id(task.id)", condition, |text| {
                TaskNo::from_task_id(text).map(|no| no.0)
            });
        }
        TaskRowField::AssetId => query.on_text("device.asset", condition),
        TaskRowField::ProductKey => query.on_text("device.product", condition),
        TaskRowField::DeviceKey => query.on_text("device.key", condition),
        TaskRowField::Status => query.on_choice("task.state", states(condition).map(state_number)),
    }
}
