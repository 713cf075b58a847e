//! Retrying by hand: tasks that are named, or all eligible ones of a job.

use aldis_core::ids::TaskNo;
use aldis_store::Refusal;
use aldis_store::rows::Idempotency;

use super::cancel_tasks::refused;
use super::create_job::other_request;
use super::{App, Caller, Error};
use aldis_engine::writer::{Retried, TaskEntry, WholeJob, WriterError};

impl App {
    /// Retries tasks of a job; an entry each, in order. Ids that the server cannot have issued are `None`.
    ///
    /// # Errors
    /// [`Error::NoJob`]; the idempotency key came with another request.
    pub async fn retry_tasks(
        &self,
        caller: &Caller,
        job: &str,
        tasks: &[Option<TaskNo>],
        idempotency: Option<Idempotency>,
    ) -> Result<Vec<TaskEntry>, Error> {
        let known: Vec<TaskNo> = tasks.iter().flatten().copied().collect();
        let Retried::Tasks(entries) = self.retry(caller, job, Some(known), idempotency).await? else {
            return Err(Error::Internal("named tasks were answered as a whole job".to_owned()));
        };
        let mut entries = entries.into_iter();
        let entry = |task: &Option<TaskNo>| match task {
            Some(_) => entries.next().map_or(TaskEntry::Missing, |(_, entry)| entry),
            None => TaskEntry::Missing,
        };
        Ok(tasks.iter().map(entry).collect())
    }

    /// Retries every task of a job that can be, except those known to have succeeded late.
    ///
    /// # Errors
    /// [`Error::NoJob`]; the idempotency key came with another request.
    pub async fn retry_job(
        &self,
        caller: &Caller,
        job: &str,
        idempotency: Option<Idempotency>,
    ) -> Result<WholeJob, Error> {
        match self.retry(caller, job, None, idempotency).await? {
            Retried::Whole(whole) => Ok(whole),
            Retried::Tasks(_) => Err(Error::Internal("a whole job was answered as named tasks".to_owned())),
        }
    }

    async fn retry(
        &self,
        caller: &Caller,
        job: &str,
        tasks: Option<Vec<TaskNo>>,
        idempotency: Option<Idempotency>,
    ) -> Result<Retried, Error> {
        let no = self.job(caller, job).await?.job.no;
        let retried = self.writer().retry(no, tasks, caller.actor(), idempotency).await;
        retried.map_err(|failure| match failure {
            WriterError::Refused(Refusal::Mismatch) => other_request(),
            other => refused(other, job),
        })
    }
}
