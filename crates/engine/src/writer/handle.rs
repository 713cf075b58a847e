//! What can be asked of the writer. Every answer comes after the commit that made it true.

use std::sync::Arc;

use aldis_core::ids::{AttemptNo, DeviceNo, JobNo, TaskNo};
use aldis_core::task::Refused;
use aldis_store::rows::{Actor, Idempotency};
use aldis_store::{Done, Refusal, Write};
use serde::{Deserialize, Serialize};
use tokio::sync::{oneshot, watch};

use super::Inbox;
use crate::link::DeviceEvent;

/// Why something asked for was not done.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WriterError {
    /// The stored state refuses it; nothing has changed.
    #[error("refused: {0:?}")]
    Refused(Refusal),
    /// The store failed or may have failed; whether it was done is unknown until read again.
    #[error("the store is unavailable")]
    Unavailable,
    /// The server is stopping, or has too much to do.
    #[error("the server takes no more work")]
    Overloaded,
    /// As many callers wait for the end of a task as may.
    #[error("too many callers wait")]
    TooManyWait,
}

/// What became of one task that a caller named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
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
    Tasks(Vec<(TaskNo, Entry)>),
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

/// Everything that goes through the writer.
#[derive(Debug)]
pub enum Ask {
    /// Plain writes, in order, in one commit.
    Write(Vec<Write>, Answer<Vec<Done>>),
    /// Cancel these tasks of a job; an entry each, in order.
    CancelTasks(JobNo, Vec<TaskNo>, Actor, Answer<Vec<Entry>>),
    /// Cancel a job as a whole: one mark; its rows settle afterwards.
    CancelJob(JobNo, Actor, Answer<WholeJob>),
    /// Retry these tasks of a job, or with `None` all that are eligible.
    Retry(JobNo, Option<Vec<TaskNo>>, Actor, Option<Idempotency>, Answer<Retried>),
    /// Cancel the cached single commands of a device that have not been sent, or one of them; those that were.
    CancelCommands(DeviceNo, Option<TaskNo>, Actor, Answer<Vec<TaskNo>>),
    /// Disable or enable a device.
    DisableDevice(DeviceNo, bool, Actor, Answer<()>),
    /// Delete a device.
    DeleteDevice(DeviceNo, Actor, Answer<()>),
    /// End the live session of a device whose keys were replaced, or may have been, if it has one.
    EndSession(DeviceNo),
    /// End the live session of a device if the device was disabled or deleted, or is in over the connection of a
    /// gateway that it is not under.
    CheckSession(DeviceNo),
}

impl Ask {
    /// Whether it concerns a session that may have to end. It is taken after every event that arrived before it.
    pub(crate) fn is_about_sessions(&self) -> bool {
        matches!(self, Self::EndSession(_) | Self::CheckSession(_))
    }

    /// The same question again, if it has no answer and so no caller would repeat it.
    pub(crate) fn without_answer(&self) -> Option<Self> {
        match self {
            Self::EndSession(device) => Some(Self::EndSession(*device)),
            Self::CheckSession(device) => Some(Self::CheckSession(*device)),
            Self::Write(..)
            | Self::CancelTasks(..)
            | Self::CancelJob(..)
            | Self::Retry(..)
            | Self::CancelCommands(..)
            | Self::DisableDevice(..)
            | Self::DeleteDevice(..) => None,
        }
    }
}

/// Where an answer goes.
pub type Answer<T> = oneshot::Sender<Result<T, WriterError>>;

/// The handle of the one writer; cheap to clone.
#[derive(Clone)]
pub struct Writer(Arc<Inbox>);

impl Writer {
    /// A handle that puts what is asked into `inbox`.
    #[must_use]
    pub fn new(inbox: Arc<Inbox>) -> Self {
        Self(inbox)
    }

    /// Applies plain writes in one commit; an entry each. Refusals are in the entries.
    ///
    /// # Errors
    /// [`WriterError`]; `Refused(Full)` if as many commands wait for the device of a new single command as may.
    pub async fn write(&self, writes: Vec<Write>) -> Result<Vec<Done>, WriterError> {
        self.ask(|answer| Ask::Write(writes, answer)).await
    }

    /// Cancels the named tasks of a job.
    ///
    /// # Errors
    /// [`WriterError`]; `Refused(Missing)` if the job does not exist.
    pub async fn cancel_tasks(&self, job: JobNo, tasks: Vec<TaskNo>, by: Actor) -> Result<Vec<Entry>, WriterError> {
        self.ask(|answer| Ask::CancelTasks(job, tasks, by, answer)).await
    }

    /// Cancels a job as a whole.
    ///
    /// # Errors
    /// [`WriterError`]; `Refused(Missing)` if the job does not exist.
    pub async fn cancel_job(&self, job: JobNo, by: Actor) -> Result<WholeJob, WriterError> {
        self.ask(|answer| Ask::CancelJob(job, by, answer)).await
    }

    /// Retries tasks of a job.
    ///
    /// # Errors
    /// [`WriterError`]; `Refused(Missing)` if the job does not exist, `Refused(Mismatch)` if the idempotency key came with
    /// another request.
    pub async fn retry(
        &self,
        job: JobNo,
        tasks: Option<Vec<TaskNo>>,
        by: Actor,
        idempotency: Option<Idempotency>,
    ) -> Result<Retried, WriterError> {
        self.ask(|answer| Ask::Retry(job, tasks, by, idempotency, answer)).await
    }

    /// Cancels the cached single commands of a device that have not been sent, or one of them. Says which were.
    ///
    /// # Errors
    /// [`WriterError`], never `Refused`.
    pub async fn cancel_commands(
        &self,
        device: DeviceNo,
        only: Option<TaskNo>,
        by: Actor,
    ) -> Result<Vec<TaskNo>, WriterError> {
        self.ask(|answer| Ask::CancelCommands(device, only, by, answer)).await
    }

    /// Disables or enables a device.
    ///
    /// # Errors
    /// [`WriterError`]; `Refused(Missing | Unchanged)`.
    pub async fn disable_device(&self, device: DeviceNo, disabled: bool, by: Actor) -> Result<(), WriterError> {
        self.ask(|answer| Ask::DisableDevice(device, disabled, by, answer))
            .await
    }

    /// Deletes a device.
    ///
    /// # Errors
    /// [`WriterError`]; `Refused(Missing)`.
    pub async fn delete_device(&self, device: DeviceNo, by: Actor) -> Result<(), WriterError> {
        self.ask(|answer| Ask::DeleteDevice(device, by, answer)).await
    }

    /// How many commits since the start have changed who may be logged in. A login that was checked at an earlier count
    /// is checked again once its session is reported.
    #[must_use]
    pub fn logins_changed(&self) -> u64 {
        self.0.logins_changed()
    }

    /// The same count, to wait for its next change.
    #[must_use]
    pub fn login_changes(&self) -> watch::Receiver<u64> {
        self.0.login_changes()
    }

    /// Reports what came from a device. False: the inbox is full; the event is in, but the sender has to pause until
    /// [`Writer::room`] returns.
    pub fn report(&self, event: DeviceEvent) -> bool {
        self.0.report(event)
    }

    /// Waits until the inbox has room for events again.
    pub async fn room(&self) {
        self.0.room().await;
    }

    async fn ask<T>(&self, ask: impl FnOnce(Answer<T>) -> Ask) -> Result<T, WriterError> {
        let (answer, answered) = oneshot::channel();
        if !self.0.ask(ask(answer)) {
            return Err(WriterError::Overloaded);
        }
        answered.await.unwrap_or(Err(WriterError::Unavailable))
    }
}
