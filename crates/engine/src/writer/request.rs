//! What can be asked of the writer, and its answers.

use aldis_core::ids::{AttemptNo, DeviceNo, JobNo, TaskNo};
use aldis_core::task::Refused;
use aldis_store::rows::{Actor, Idempotency};
use aldis_store::{Done, Write};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::WriterError;

/// What became of one task that a caller named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskEntry {
    /// As asked.
    Done,
    /// No such task in this job.
    Missing,
    /// Declined, and why; with the number that the task's next attempt will have.
    Declined {
        /// Why.
        why: Refused,
        /// The number of the next attempt.
        next_attempt: AttemptNo,
        /// Its automatic retries have been switched off all the same.
        disarmed: bool,
    },
}

/// What became of a whole job's tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WholeJob {
    /// How many tasks were eligible; all of them are, or will be, as asked.
    pub eligible: u64,
    /// The first of them, at most `LISTED_MAX`.
    pub first: Vec<TaskNo>,
}

/// The answer to a retry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Retried {
    /// Tasks that were named: an entry each, in order.
    Tasks(Vec<(TaskNo, TaskEntry)>),
    /// All eligible tasks of the job.
    Whole(WholeJob),
}

impl Retried {
    /// The text under which the answer is remembered for a repeated request.
    pub(crate) fn remember(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads back what was remembered.
    pub(crate) fn recall(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

/// Everything that goes through the writer. Each `answer` is sent after the commit that made it true.
#[derive(Debug)]
pub enum WriterRequest {
    /// Plain writes, in order, in one commit.
    Write {
        /// The writes.
        writes: Vec<Write>,
        /// What became of each.
        answer: AnswerSender<Vec<Done>>,
    },
    /// Cancel tasks of a job that are named.
    CancelTasks {
        /// The job.
        job: JobNo,
        /// Its tasks.
        tasks: Vec<TaskNo>,
        /// Who asked.
        by: Actor,
        /// An entry for each task, in order.
        answer: AnswerSender<Vec<TaskEntry>>,
    },
    /// Cancel a job as a whole: its cancel mark is raised; its rows settle afterwards.
    CancelJob {
        /// The job.
        job: JobNo,
        /// Who asked.
        by: Actor,
        /// How many tasks are cancelled, and the first of them.
        answer: AnswerSender<WholeJob>,
    },
    /// Retry tasks of a job.
    Retry {
        /// The job.
        job: JobNo,
        /// Its tasks; `None`: all that are eligible.
        tasks: Option<Vec<TaskNo>>,
        /// Who asked.
        by: Actor,
        /// Makes a repeated request harmless.
        idempotency: Option<Idempotency>,
        /// An entry for each named task, or how many were eligible.
        answer: AnswerSender<Retried>,
    },
    /// Cancel cached single commands of a device that have not been sent.
    CancelCommands {
        /// The device.
        device: DeviceNo,
        /// This task alone; `None`: all.
        only: Option<TaskNo>,
        /// Who asked.
        by: Actor,
        /// The tasks that were cancelled.
        answer: AnswerSender<Vec<TaskNo>>,
    },
    /// Disable or enable a device.
    DisableDevice {
        /// The device.
        device: DeviceNo,
        /// Disable; otherwise enable.
        disabled: bool,
        /// Who asked.
        by: Actor,
        /// Sent once it is done.
        answer: AnswerSender<()>,
    },
    /// Delete a device.
    DeleteDevice {
        /// The device.
        device: DeviceNo,
        /// Who asked.
        by: Actor,
        /// Sent once it is done.
        answer: AnswerSender<()>,
    },
    /// End the live session of a device whose keys were replaced, or may have been, if it has one.
    EndSession {
        /// The device.
        device: DeviceNo,
    },
    /// End the live session of a device if the device was disabled or deleted, or is in over the connection of a
    /// gateway that it is not under.
    CheckSession {
        /// The device.
        device: DeviceNo,
    },
}

impl WriterRequest {
    /// Whether it concerns a session that may have to end. It is taken after every event that arrived before it.
    pub(crate) fn is_about_sessions(&self) -> bool {
        matches!(self, Self::EndSession { .. } | Self::CheckSession { .. })
    }

    /// The same question again, if it has no answer and so no caller would repeat it.
    pub(crate) fn without_answer(&self) -> Option<Self> {
        match self {
            Self::EndSession { device } => Some(Self::EndSession { device: *device }),
            Self::CheckSession { device } => Some(Self::CheckSession { device: *device }),
            Self::Write { .. }
            | Self::CancelTasks { .. }
            | Self::CancelJob { .. }
            | Self::Retry { .. }
            | Self::CancelCommands { .. }
            | Self::DisableDevice { .. }
            | Self::DeleteDevice { .. } => None,
        }
    }
}

/// Where an answer goes.
pub type AnswerSender<T> = oneshot::Sender<Result<T, WriterError>>;
