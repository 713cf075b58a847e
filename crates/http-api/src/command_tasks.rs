//! `/connect-service/v2.5/commands`: the actions on tasks (docs/api.md, "Command tasks").

use std::collections::HashSet;

use aldis_core::expression::TaskField;
use aldis_core::ids::TaskNo;
use aldis_core::violation::Violation;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::action::{Action, Doc};
use super::call::Call;
use super::command_jobs::{JOB_ID, PATH};
use super::envelope::Answer;
use super::paging::SearchRequest;
use super::task_entries::{self, TaskAction};
use super::task_info::{TaskAttempt, TaskInfo};
use aldis_app::{App, Error};

/// Most tasks that one call may name.
pub const TASK_IDS_MAX: usize = 200;

pub(super) fn actions() -> Vec<Action> {
    const TASK_ID: &str = "The task's id";
    vec![
        Action::read(
            PATH,
            &["getTask"],
            |app, call| Box::pin(get(app, call)),
            Doc::new("A command task").needs("taskId", TASK_ID).answer::<TaskInfo>(),
        ),
        Action::read(
            PATH,
            &["searchTask"],
            |app, call| Box::pin(search(app, call)),
            Doc::new("Search command tasks, newest first")
                .body::<SearchRequest>()
                .page::<TaskInfo>(),
        ),
        Action::change(
            PATH,
            &["retryTask"],
            |app, call| Box::pin(retry(app, call)),
            Doc::new("Retry failed and timed out tasks of a job; without taskIds all of them")
                .needs("jobId", JOB_ID)
                .idempotent()
                .body::<TaskIds>()
                .batch::<TaskEntry>(),
        )
        .all_without("taskIds"),
        Action::change(
            PATH,
            &["cancelTask"],
            |app, call| Box::pin(cancel(app, call)),
            Doc::new("Cancel waiting and published tasks of a job; without taskIds the whole job")
                .needs("jobId", JOB_ID)
                .body::<TaskIds>()
                .batch::<TaskEntry>(),
        )
        .all_without("taskIds"),
        Action::read(
            PATH,
            &["getTaskAttempts"],
            |app, call| Box::pin(attempts(app, call)),
            Doc::new("Extension: every attempt of a task, and late replies")
                .needs("taskId", TASK_ID)
                .answer::<Vec<TaskAttempt>>(),
        ),
    ]
}

/// The body of `retryTask` and `cancelTask`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"taskIds": ["1000000000000004096"]}))]
struct TaskIds {
    /// 1 to 200 tasks of the job, or a single id; absent: every task that can be.
    #[schema(value_type = Option<Vec<String>>, min_items = 1, max_items = 200)]
    task_ids: Option<Value>,
}

/// What became of one task.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes Entry<String>, whose own name would not say so")]
struct TaskEntry {
    /// 0, or why nothing was done.
    code: i32,
    /// `OK`, or why nothing was done.
    msg: String,
    /// The task's id.
    data: String,
}

impl TaskIds {
    /// The ids, each once; `None` for the whole job.
    fn read(self) -> Result<Option<Vec<String>>, Violation> {
        let elements = match self.task_ids {
            None => return Ok(None),
            Some(Value::Array(elements)) => elements,
            Some(single) => vec![single],
        };
        if !(1..=TASK_IDS_MAX).contains(&elements.len()) {
            return Err(Violation {
                path: "taskIds".to_owned(),
                expected: format!("1 to {TASK_IDS_MAX} ids (omit the field to address all tasks)"),
                found: elements.len().to_string(),
            });
        }
        let mut seen = HashSet::new();
        let mut ids = Vec::with_capacity(elements.len());
        for (index, element) in elements.iter().enumerate() {
            let Some(id) = element.as_str().filter(|id| !id.is_empty()) else {
                return Err(Violation::of(element, "id of a task").within(&format!("taskIds[{index}]")));
            };
            if seen.insert(id) {
                ids.push(id.to_owned());
            }
        }
        Ok(Some(ids))
    }
}

impl Call {
    fn task_ids(&self) -> Result<Option<Vec<String>>, Error> {
        Ok(self.decode::<TaskIds>()?.read()?)
    }
}

fn numbers(ids: &[String]) -> Vec<Option<TaskNo>> {
    ids.iter().map(|id| TaskNo::from_task_id(id)).collect()
}

async fn get(app: App, call: Call) -> Result<Answer, Error> {
    let info = app.task(&call.caller, call.required("taskId")?).await?;
    Answer::data(&TaskInfo::from(info))
}

async fn search(app: App, call: Call) -> Result<Answer, Error> {
    let mut search = call.search::<TaskField>()?;
    let found = app
        .search_tasks(&call.caller, search.filter.take(), search.page())
        .await?;
    search.answer(found, |info| Ok(TaskInfo::from(info)))
}

async fn attempts(app: App, call: Call) -> Result<Answer, Error> {
    let (info, attempts) = app.task_attempts(&call.caller, call.required("taskId")?).await?;
    let describe = |attempt| TaskAttempt::new(attempt, &info.job.command);
    Answer::data(&attempts.into_iter().map(describe).collect::<Vec<_>>())
}

async fn retry(app: App, call: Call) -> Result<Answer, Error> {
    let job = call.required("jobId")?;
    let ids = call.task_ids()?;
    let idempotency = call.idempotency(&app, job).await?;
    match ids {
        None => task_entries::whole(&app.retry_job(&call.caller, job, idempotency).await?),
        Some(ids) => {
            let entries = app.retry_tasks(&call.caller, job, &numbers(&ids), idempotency).await?;
            task_entries::named(TaskAction::Retry, ids, entries)
        }
    }
}

/// Cancelled tasks count as cancelled, whatever their devices said before.
fn failed_before(retrying: u64) -> Option<String> {
    (retrying > 0).then(|| {
        format!(
            "{retrying} of the cancelled tasks waited for a retry after an attempt that had failed; the desc of each ends with \
             that attempt's result"
        )
    })
}

async fn cancel(app: App, call: Call) -> Result<Answer, Error> {
    let job = call.required("jobId")?;
    match call.task_ids()? {
        None => {
            let (cancelled, retrying) = app.cancel_job(&call.caller, job).await?;
            Ok(task_entries::whole(&cancelled)?.warned(failed_before(retrying)))
        }
        Some(ids) => {
            let entries = app.cancel_tasks(&call.caller, job, &numbers(&ids)).await?;
            task_entries::named(TaskAction::Cancel, ids, entries)
        }
    }
}
