//! What remains of a filter once its job is known.

use std::collections::BTreeSet;

use aldis_core::expression::{Comparison, Filter, Record, TaskField, Value, Values};
use aldis_core::ids::{JobNo, TaskNo};
use aldis_core::task::State;
use aldis_core::time::Timestamp;
use aldis_store::status_names;
use rusqlite::Connection;

use crate::driver_error::Result;
use crate::filter::{accepts, map_field};
use crate::read::owners::Owners;

/// The fields of a task that its job does not fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TaskRowField {
    TaskId,
    AssetId,
    ProductKey,
    DeviceKey,
    Status,
}

/// How what remains has to be searched.
pub(super) enum Remainder {
    /// Every row matches.
    Everything,
    /// The rows in these states.
    States(Vec<State>),
    /// The rows have to be looked at.
    Rows,
}

impl Remainder {
    pub(super) fn of(remains: &Filter<TaskRowField>) -> Self {
        if *remains == Filter::everything() {
            Self::Everything
        } else if is_about_states(remains) {
            Self::States(
                State::ALL
                    .into_iter()
                    .filter(|state| remains.matches(&InState(*state)))
                    .collect(),
            )
        } else {
            Self::Rows
        }
    }
}

/// No row matches.
pub(super) fn is_nothing(remains: &Filter<TaskRowField>) -> bool {
    matches!(remains, Filter::Or(members) if members.is_empty())
}

/// The filter for the rows of one job, whose tasks were created at `created`.
pub(super) fn for_job(filter: &Filter<TaskField>, job: JobNo, created: Timestamp) -> Filter<TaskRowField> {
    let known = |truth: bool| {
        if truth {
            Filter::everything()
        } else {
            Filter::Or(Vec::new())
        }
    };
    let members = |members: &[Filter<TaskField>]| -> Vec<Filter<TaskRowField>> {
        members.iter().map(|member| for_job(member, job, created)).collect()
    };
    match filter {
        Filter::And(all) => {
            let mut all = members(all);
            all.retain(|member| *member != Filter::everything());
            if all.iter().any(is_nothing) {
                known(false)
            } else {
                only(all, Filter::And)
            }
        }
        Filter::Or(any) => {
            let mut any = members(any);
            any.retain(|member| !is_nothing(member));
            if any.contains(&Filter::everything()) {
                known(true)
            } else {
                only(any, Filter::Or)
            }
        }
        Filter::Not(inner) => match for_job(inner, job, created) {
            inner if inner == Filter::everything() => known(false),
            inner if is_nothing(&inner) => known(true),
            inner => Filter::Not(Box::new(inner)),
        },
        Filter::Compare { field, .. }
        | Filter::In { field, .. }
        | Filter::Like { field, .. }
        | Filter::Exists { field, .. } => match field {
            TaskField::JobId => known(accepts(filter, job.to_job_id())),
            TaskField::CreatedAt => known(accepts(filter, created)),
            TaskField::TaskId => map_field(filter, &|_| TaskRowField::TaskId),
            TaskField::AssetId => map_field(filter, &|_| TaskRowField::AssetId),
            TaskField::ProductKey => map_field(filter, &|_| TaskRowField::ProductKey),
            TaskField::DeviceKey => map_field(filter, &|_| TaskRowField::DeviceKey),
            TaskField::Status => map_field(filter, &|_| TaskRowField::Status),
        },
    }
}

fn only(
    mut members: Vec<Filter<TaskRowField>>,
    join: fn(Vec<Filter<TaskRowField>>) -> Filter<TaskRowField>,
) -> Filter<TaskRowField> {
    match (members.len(), members.pop()) {
        (1, Some(single)) => single,
        (_, last) => {
            members.extend(last);
            join(members)
        }
    }
}

fn is_about_states(remains: &Filter<TaskRowField>) -> bool {
    match remains {
        Filter::And(members) | Filter::Or(members) => members.iter().all(is_about_states),
        Filter::Not(inner) => is_about_states(inner),
        Filter::Compare { field, .. }
        | Filter::In { field, .. }
        | Filter::Like { field, .. }
        | Filter::Exists { field, .. } => *field == TaskRowField::Status,
    }
}

struct InState(State);

impl Record<TaskRowField> for InState {
    /// Only ever asked for the state.
    fn values(&self, _field: TaskRowField, _sub: Option<&str>) -> Values<'_> {
        Values::one(status_names::task_state(self.0))
    }
}

/// The conditions that all have to hold.
pub(super) fn conjuncts<F>(filter: &Filter<F>) -> &[Filter<F>] {
    match filter {
        Filter::And(members) => members,
        other => std::slice::from_ref(other),
    }
}

/// A single condition on the moment at which a job's tasks were created.
pub(super) fn is_about_creation(condition: &Filter<TaskField>) -> bool {
    match condition {
        Filter::Compare { field, .. } | Filter::In { field, .. } => *field == TaskField::CreatedAt,
        Filter::And(_) | Filter::Or(_) | Filter::Not(_) | Filter::Like { .. } | Filter::Exists { .. } => false,
    }
}

/// The jobs that the filter is about, if it names them, or tasks: then the others need not be looked at.
pub(super) fn named_jobs(conn: &Connection, filter: &Filter<TaskField>) -> Result<Option<BTreeSet<JobNo>>> {
    let mut owners = Owners::new(conn);
    for condition in conjuncts(filter) {
        match named(condition) {
            Some((TaskField::JobId, ids)) => {
                return Ok(Some(ids.into_iter().filter_map(JobNo::from_job_id).collect()));
            }
            Some((TaskField::TaskId, ids)) => {
                let mut jobs = BTreeSet::new();
                for task in ids.into_iter().filter_map(TaskNo::from_task_id) {
                    jobs.extend(owners.of(task)?.map(|owner| owner.job));
                }
                return Ok(Some(jobs));
            }
            _ => {}
        }
    }
    Ok(None)
}

/// The texts that a field must be one of, if that is what the condition says.
pub(super) fn named<F: Copy>(condition: &Filter<F>) -> Option<(F, Vec<&str>)> {
    match condition {
        Filter::Compare {
            field,
            op: Comparison::Eq,
            value,
            ..
        } => Some((*field, as_text(value).into_iter().collect())),
        Filter::In {
            field,
            values,
            negated: false,
            ..
        } => Some((*field, values.iter().filter_map(as_text).collect())),
        _ => None,
    }
}

fn as_text(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text),
        Value::Int(_) | Value::Float(_) | Value::Bool(_) | Value::Time(_) => None,
    }
}
