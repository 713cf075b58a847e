//! The handle of the writer. Every answer comes after the commit that made it true.

use std::sync::Arc;

use aldis_core::ids::{DeviceNo, JobNo, TaskNo};
use aldis_store::rows::{Actor, Idempotency};
use aldis_store::{Done, Refusal, Write};
use tokio::sync::{oneshot, watch};

use super::{AnswerSender, Inbox, Retried, TaskEntry, WholeJob, WriterRequest};
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
        self.request(|answer| WriterRequest::Write { writes, answer }).await
    }

    /// Cancels the named tasks of a job.
    ///
    /// # Errors
    /// [`WriterError`]; `Refused(Missing)` if the job does not exist.
    pub async fn cancel_tasks(&self, job: JobNo, tasks: Vec<TaskNo>, by: Actor) -> Result<Vec<TaskEntry>, WriterError> {
        self.request(|answer| WriterRequest::CancelTasks { job, tasks, by, answer })
            .await
    }

    /// Cancels a job as a whole.
    ///
    /// # Errors
    /// [`WriterError`]; `Refused(Missing)` if the job does not exist.
    pub async fn cancel_job(&self, job: JobNo, by: Actor) -> Result<WholeJob, WriterError> {
        self.request(|answer| WriterRequest::CancelJob { job, by, answer })
            .await
    }

    /// Retries tasks of a job.
    ///
    /// # Errors
    /// [`WriterError`]; `Refused(Missing)` if the job does not exist, `Refused(Mismatch)` if the idempotency key came
    /// with another request.
    pub async fn retry(
        &self,
        job: JobNo,
        tasks: Option<Vec<TaskNo>>,
        by: Actor,
        idempotency: Option<Idempotency>,
    ) -> Result<Retried, WriterError> {
        self.request(|answer| WriterRequest::Retry {
            job,
            tasks,
            by,
            idempotency,
            answer,
        })
        .await
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
        self.request(|answer| WriterRequest::CancelCommands {
            device,
            only,
            by,
            answer,
        })
        .await
    }

    /// Disables or enables a device.
    ///
    /// # Errors
    /// [`WriterError`]; `Refused(Missing | Unchanged)`.
    pub async fn disable_device(&self, device: DeviceNo, disabled: bool, by: Actor) -> Result<(), WriterError> {
        self.request(|answer| WriterRequest::DisableDevice {
            device,
            disabled,
            by,
            answer,
        })
        .await
    }

    /// Deletes a device.
    ///
    /// # Errors
    /// [`WriterError`]; `Refused(Missing)`.
    pub async fn delete_device(&self, device: DeviceNo, by: Actor) -> Result<(), WriterError> {
        self.request(|answer| WriterRequest::DeleteDevice { device, by, answer })
            .await
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

    async fn request<T>(&self, request: impl FnOnce(AnswerSender<T>) -> WriterRequest) -> Result<T, WriterError> {
        let (answer, answered) = oneshot::channel();
        if !self.0.submit(request(answer)) {
            return Err(WriterError::Overloaded);
        }
        answered.await.unwrap_or(Err(WriterError::Unavailable))
    }
}
