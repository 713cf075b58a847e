//! The history of a task: its attempts (docs/api.md, "Attempts").

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answer::Answer;
use crate::call::Call;
use crate::client::Client;
use crate::error::Error;
use crate::jobs::COMMANDS;

/// One sending of a task's command, or the reason why there was none. All moments in epoch milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// From 1.
    #[serde(default)]
    pub attempt: Option<u32>,
    /// When sending was decided and stored.
    #[serde(default)]
    pub sent_timestamp: Option<i64>,
    /// When it was handed to the socket.
    #[serde(default)]
    pub handed_over_timestamp: Option<i64>,
    /// When the device acknowledged it.
    #[serde(default)]
    pub ack_timestamp: Option<i64>,
    /// When the reply came.
    #[serde(default)]
    pub reply_timestamp: Option<i64>,
    /// When it ended.
    #[serde(default)]
    pub end_timestamp: Option<i64>,
    /// `SUCCEED`, `FAILED`, `RSP_TIMEOUT`, `CANCELLED`, `NOT_SENT`, `LATE`; absent while it runs.
    #[serde(default)]
    pub outcome: Option<String>,
    /// 0 for success, else the device's or the server's code.
    #[serde(default)]
    pub code: Option<i64>,
    /// The device's or the server's words.
    #[serde(default)]
    pub desc: Option<String>,
    /// What the device returned.
    #[serde(default)]
    pub output_data: Option<Value>,
    /// Whether the reply came after the attempt had ended.
    #[serde(default)]
    pub late: Option<bool>,
    /// What led to the outcome, where more than one thing can.
    #[serde(default)]
    pub cause: Option<String>,
}

impl Client {
    /// A task's attempts, the first one first.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn task_attempts(&self, task_id: &str) -> Result<Answer<Vec<Attempt>>, Error> {
        let call = Call::get(COMMANDS, "getTaskAttempts").query("taskId", task_id);
        self.send(call).await
    }
}
