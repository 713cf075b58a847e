//! `aldis task`: one device's share of a job.

use aldis_client::{Attempt, TaskResult, TaskStatus};
use aldis_core::expression::TaskField;
use clap::Subcommand;
use serde_json::Value;

use super::job::command_text;
use crate::context::Context;
use crate::exit::Outcome;
use crate::filter::Filter;
use crate::pick::Pick;
use crate::screen::{facts, moment, table, text};

/// What can be done with tasks.
#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Tasks
    #[command(visible_alias = "search")]
    List {
        /// Only those of this job
        #[arg(long, value_name = "ID")]
        job: Option<String>,
        /// Only those in this status, such as FAILED; repeatable
        #[arg(long)]
        status: Vec<String>,
        /// Only those of this product's devices
        #[arg(long, value_name = "PRODUCT_KEY")]
        product: Option<String>,
        /// Only those of devices with this key
        #[arg(long, value_name = "DEVICE_KEY")]
        device: Option<String>,
        /// Only those of this asset
        #[arg(long, value_name = "ID")]
        asset: Option<String>,
        #[command(flatten)]
        pick: Pick,
    },
    /// One task
    #[command(visible_alias = "get")]
    Show {
        /// The task's id
        task_id: String,
    },
    /// The attempts of a task, and how each came out
    Attempts {
        /// The task's id
        task_id: String,
    },
}

impl Task {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let client = context.client()?;
        let screen = context.screen;
        match self {
            Self::List {
                job,
                status,
                product,
                device,
                asset,
                pick,
            } => {
                let status: Vec<_> = status.iter().map(|word| word.to_ascii_uppercase()).collect();
                let filter = Filter::<TaskField>::starting_with(pick.expression.as_deref())
                    .equals("jobId", job.as_deref())
                    .one_of("status", &status)
                    .equals("pk", product.as_deref())
                    .equals("dk", device.as_deref())
                    .equals("assetId", asset.as_deref());
                let tasks = client.tasks(filter.expression()?.as_deref());
                pick.print(screen, tasks, &HEAD, row).await?;
            }
            Self::Show { task_id } => screen.answer(&client.get_task(&task_id).await?, whole)?,
            Self::Attempts { task_id } => {
                let attempts = client.task_attempts(&task_id).await?;
                screen.answer(&attempts, |all| table(&ATTEMPTS_HEAD, all.iter().map(attempt_row)))?;
            }
        }
        Ok(Outcome::Done)
    }
}

/// A task's status as the API spells it.
pub(super) fn status_word(status: TaskStatus) -> &'static str {
    match status {
        TaskStatus::Init => "INIT",
        TaskStatus::Queued => "QUEUED",
        TaskStatus::Published => "PUBLISHED",
        TaskStatus::InProgress => "IN_PROGRESS",
        TaskStatus::Succeed => "SUCCEED",
        TaskStatus::Failed => "FAILED",
        TaskStatus::Cancelled => "CANCELLED",
        TaskStatus::RspTimeout => "RSP_TIMEOUT",
        TaskStatus::TtlTimeout => "TTL_TIMEOUT",
        TaskStatus::Unknown => "?",
    }
}

const HEAD: [&str; 7] = ["TASK", "DEVICE", "STATUS", "CODE", "DESCRIPTION", "RETRIES", "UPDATED"];

fn row(task: &aldis_client::Task) -> Vec<String> {
    let result = task.task_result.as_ref();
    vec![
        task.task_id.clone(),
        device_text(task),
        status_word(task.status).to_owned(),
        code_text(result),
        text(result.and_then(|result| result.desc.as_deref())),
        (task.auto_retry_count + task.manual_retry_count).to_string(),
        moment(Some(task.update_timestamp)).unwrap_or_default(),
    ]
}

fn device_text(task: &aldis_client::Task) -> String {
    match (&task.product_key, &task.device_key) {
        (Some(product), Some(device)) => format!("{product}/{device}"),
        _ => text(task.asset_id.as_deref()),
    }
}

fn code_text(result: Option<&TaskResult>) -> String {
    result
        .and_then(|result| result.code)
        .map(|code| code.to_string())
        .unwrap_or_default()
}

fn whole(task: &aldis_client::Task) -> String {
    let result = task.task_result.as_ref();
    facts([
        ("task", Some(task.task_id.clone())),
        ("job", Some(task.job_id.clone())),
        ("device", Some(device_text(task))),
        ("asset", task.asset_id.clone()),
        ("status", Some(status_word(task.status).to_owned())),
        ("command", Some(command_text(&task.command_info))),
        ("code", Some(code_text(result))),
        ("description", result.and_then(|result| result.desc.clone())),
        (
            "output",
            result
                .and_then(|result| result.output_data.as_ref())
                .map(Value::to_string),
        ),
        ("automatic retries", Some(task.auto_retry_count.to_string())),
        ("retries by hand", Some(task.manual_retry_count.to_string())),
        ("created", moment(Some(task.create_timestamp))),
        ("updated", moment(Some(task.update_timestamp))),
    ])
}

const ATTEMPTS_HEAD: [&str; 7] = [
    "ATTEMPT",
    "SENT",
    "ACKNOWLEDGED",
    "REPLIED",
    "OUTCOME",
    "CODE",
    "DESCRIPTION",
];

fn attempt_row(attempt: &Attempt) -> Vec<String> {
    let late = if attempt.late == Some(true) { " (late)" } else { "" };
    let since_sent = |at: Option<i64>| match (at, attempt.sent_timestamp) {
        (Some(at), Some(sent)) => format!("+{} ms", at - sent),
        _ => String::new(),
    };
    let desc = attempt.desc.as_deref().or(attempt.cause.as_deref());
    vec![
        attempt.attempt.map(|number| number.to_string()).unwrap_or_default(),
        moment(attempt.sent_timestamp).unwrap_or_default(),
        since_sent(attempt.ack_timestamp),
        since_sent(attempt.reply_timestamp),
        format!("{}{late}", attempt.outcome.as_deref().unwrap_or("under way")),
        attempt.code.map(|code| code.to_string()).unwrap_or_default(),
        text(desc),
    ]
}
