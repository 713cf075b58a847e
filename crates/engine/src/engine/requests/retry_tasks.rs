//! Retrying tasks of a job: those that are named, or all that are eligible.

use aldis_core::ids::{DeviceNo, JobNo, TaskNo};
use aldis_store::rows::{Actor, Idempotency};
use aldis_store::{Error, Refusal, Write};

use super::refuse;
use crate::engine::turn::Turn;
use crate::engine::work::{Bulk, RetryAll};
use crate::writer::{AnswerSender, Retried, TaskEntry, WholeJob, WriterError};

/// A request to retry tasks, without the names of the tasks.
pub(super) struct RetryTasks {
    pub(super) job: JobNo,
    pub(super) by: Actor,
    pub(super) idempotency: Option<Idempotency>,
    pub(super) answer: AnswerSender<Retried>,
}

impl Turn<'_> {
    pub(super) fn retry_tasks(&mut self, request: RetryTasks, tasks: Option<Vec<TaskNo>>) -> Result<(), Error> {
        if let Some(before) = self.answer_before(request.idempotency.as_ref())? {
            drop(request.answer.send(before.map_err(WriterError::Refused)));
            return Ok(());
        }
        if !self.find_job(request.job)? {
            refuse(request.answer, Refusal::Missing);
            return Ok(());
        }
        match tasks {
            Some(tasks) => self.retry_named(request, &tasks),
            None => {
                self.retry_all(request);
                Ok(())
            }
        }
    }

    /// Puts the retry of a whole job in line.
    fn retry_all(&mut self, request: RetryTasks) {
        let RetryTasks {
            job,
            by,
            idempotency,
            answer,
        } = request;
        let so_far = WholeJob {
            eligible: 0,
            first: Vec::new(),
        };
        self.push_bulk(Bulk::Retry(Box::new(RetryAll {
            job,
            after: None,
            so_far,
            by,
            idempotency,
            answer,
        })));
    }

    /// What an earlier request with this idempotency key was answered.
    fn answer_before(&self, idempotency: Option<&Idempotency>) -> Result<Option<Result<Retried, Refusal>>, Error> {
        let Some(asked) = idempotency else { return Ok(None) };
        let Some(remembered) = self.store().idempotency_record(&asked.scope, &asked.key, self.now())? else {
            return Ok(None);
        };
        if remembered.digest != asked.digest {
            return Ok(Some(Err(Refusal::Mismatch)));
        }
        Ok(Some(Retried::recall(&remembered.answer).ok_or(Refusal::Mismatch)))
    }

    fn retry_named(&mut self, request: RetryTasks, tasks: &[TaskNo]) -> Result<(), Error> {
        let RetryTasks {
            job,
            by,
            idempotency,
            answer,
        } = request;
        self.load(tasks)?;
        let devices: Vec<DeviceNo> = tasks
            .iter()
            .filter_map(|task| self.task(*task))
            .map(|task| task.device)
            .collect();
        self.load_facts(&devices)?;
        let entries = tasks.iter().map(|task| (*task, self.retry_one(job, *task))).collect();
        let retried = Retried::Tasks(entries);
        let mut writes = self.note(job, "task.retry", by);
        if let Some(idempotency) = idempotency {
            writes.push(Write::Remember {
                idempotency,
                answer: retried.remember(),
            });
        }
        self.write(writes, Box::new(move |done| drop(answer.send(done.map(|_| retried)))));
        Ok(())
    }

    fn retry_one(&mut self, job: JobNo, task: TaskNo) -> TaskEntry {
        if !self.is_of(job, task) {
            return TaskEntry::Missing;
        }
        let applied = self.retry(task);
        self.entry(task, applied)
    }
}
