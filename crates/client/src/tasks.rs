//! Tasks: one device's share of a job (docs/api.md, "Tasks").

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answer::Answer;
use crate::call::Call;
use crate::client::Client;
use crate::error::Error;
use crate::jobs::{COMMANDS, CommandInfo};
use crate::paging::{Pages, Search};

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskStatus {
    /// Its job has not triggered.
    Init,
    /// Waiting for its device, its turn or a retry.
    Queued,
    /// Sent, not acknowledged.
    Published,
    /// Acknowledged by the device, not answered.
    InProgress,
    /// Ended well.
    Succeed,
    /// Ended with the device's or the server's error.
    Failed,
    /// Withdrawn.
    Cancelled,
    /// Sent, not answered in time.
    RspTimeout,
    /// Never sent in time.
    TtlTimeout,
    /// A status that this client does not know.
    #[serde(other)]
    Unknown,
}

impl TaskStatus {
    /// Whether the task has ended; only a retry by hand moves it again.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Succeed | Self::Failed | Self::Cancelled | Self::RspTimeout | Self::TtlTimeout => true,
            Self::Init | Self::Queued | Self::Published | Self::InProgress | Self::Unknown => false,
        }
    }
}

/// How a task's last ended attempt came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskResult {
    /// 0 for success, else the device's or the server's code.
    #[serde(default)]
    pub code: Option<i64>,
    /// The device's or the server's words.
    #[serde(default)]
    pub desc: Option<String>,
    /// What the device returned.
    #[serde(default)]
    pub output_data: Option<Value>,
}

/// A task as the server knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// Its id.
    pub task_id: String,
    /// Whose it is.
    pub org_id: String,
    /// The device's asset.
    #[serde(default)]
    pub asset_id: Option<String>,
    /// The device's product.
    #[serde(default)]
    pub product_key: Option<String>,
    /// The device within its product.
    #[serde(default)]
    pub device_key: Option<String>,
    /// Its job.
    pub job_id: String,
    /// Where it stands.
    pub status: TaskStatus,
    /// What the device is told to do.
    pub command_info: CommandInfo,
    /// Absent until an attempt has ended.
    #[serde(default)]
    pub task_result: Option<TaskResult>,
    /// Epoch milliseconds.
    pub create_timestamp: i64,
    /// Epoch milliseconds.
    pub update_timestamp: i64,
    /// Retries by the job's policy, over the task's whole life.
    #[serde(default)]
    pub auto_retry_count: u32,
    /// Retries by hand.
    #[serde(default)]
    pub manual_retry_count: u32,
}

impl Client {
    /// One task.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn get_task(&self, task_id: &str) -> Result<Answer<Task>, Error> {
        self.send(Call::get(COMMANDS, "getTask").query("taskId", task_id)).await
    }

    /// One page of tasks.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn search_tasks(&self, search: &Search) -> Result<Answer<Vec<Task>>, Error> {
        self.search(COMMANDS, "searchTask", search).await
    }

    /// All tasks that match, page by page.
    #[must_use]
    pub fn tasks(&self, expression: Option<&str>) -> Pages<Task> {
        Pages::new(self, COMMANDS, "searchTask", expression)
    }

    /// All tasks of a job, page by page.
    #[must_use]
    pub fn tasks_of(&self, job_id: &str) -> Pages<Task> {
        self.tasks(Some(&format!("jobId = {}", quoted(job_id))))
    }
}

/// A string as the expression language writes it, whatever characters it has.
#[must_use]
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
