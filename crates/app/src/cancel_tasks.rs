//! Cancelling: tasks that are named, or a whole job.

use aldis_core::ids::TaskNo;
use aldis_core::task::State;
use aldis_store::Refusal;

use super::{App, Caller, Error};
use aldis_engine::writer::{TaskEntry, WholeJob, WriterError};

impl App {
    /// Cancels tasks of a job; an entry each, in order. Ids that the server cannot have issued are `None`.
    ///
    /// # Errors
    /// [`Error::NoJob`].
    pub async fn cancel_tasks(
        &self,
        caller: &Caller,
        job: &str,
        tasks: &[Option<TaskNo>],
    ) -> Result<Vec<TaskEntry>, Error> {
        let no = self.job(caller, job).await?.job.no;
        let known: Vec<TaskNo> = tasks.iter().flatten().copied().collect();
        let entries = self.writer().cancel_tasks(no, known, caller.actor()).await;
        let mut entries = entries.map_err(|failure| refused(failure, job))?.into_iter();
        let entry = |task: &Option<TaskNo>| match task {
            Some(_) => entries.next().unwrap_or(TaskEntry::Missing),
            None => TaskEntry::Missing,
        };
        Ok(tasks.iter().map(entry).collect())
    }

    /// Cancels a job as a whole: from the commit on nothing of it is sent any more. With what became of its tasks comes
    /// how many waited for a retry, when this was asked, after an attempt that had failed.
    ///
    /// # Errors
    /// [`Error::NoJob`].
    pub async fn cancel_job(&self, caller: &Caller, job: &str) -> Result<(WholeJob, u64), Error> {
        let found = self.job(caller, job).await?.job;
        let cancelled = self.writer().cancel_job(found.no, caller.actor()).await;
        let cancelled = cancelled.map_err(|failure| refused(failure, job))?;
        Ok((cancelled, found.counters.of(State::RetryWait)))
    }
}

/// A job that was deleted meanwhile is as unknown as any other.
pub(super) fn refused(failure: WriterError, job: &str) -> Error {
    match failure {
        WriterError::Refused(Refusal::Missing) => Error::NoJob(job.to_owned()),
        WriterError::Refused(Refusal::Full) => Error::in_use(
            "jobId",
            job,
            "a job that was cancelled as a whole fewer than 65535 times",
        ),
        other => Error::from(other),
    }
}
