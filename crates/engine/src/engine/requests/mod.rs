//! What operators ask for, decided on the rows as they are in this very turn: one file for each kind of request.

mod cancel_commands;
mod cancel_job;
mod cancel_tasks;
mod change_device;
mod retry_tasks;
mod write;

use aldis_core::ids::{AttemptNo, JobNo, TaskNo};
use aldis_core::task::Refused;
use aldis_store::rows::{Action, Actor};
use aldis_store::{Error, Refusal, Write};

use super::turn::{Applied, Turn};
use crate::link::Cause;
use crate::writer::{AnswerSender, TaskEntry, WriterError, WriterRequest};
use retry_tasks::RetryTasks;

impl Turn<'_> {
    /// Decides one request; its answer goes out with the commit.
    pub(super) fn decide_request(&mut self, request: WriterRequest) -> Result<(), Error> {
        match request {
            WriterRequest::Write { writes, answer } => self.plain_writes(writes, answer),
            WriterRequest::CancelTasks { job, tasks, by, answer } => self.cancel_tasks(job, &tasks, by, answer),
            WriterRequest::CancelJob { job, by, answer } => self.cancel_job(job, by, answer),
            WriterRequest::Retry {
                job,
                tasks,
                by,
                idempotency,
                answer,
            } => self.retry_tasks(
                RetryTasks {
                    job,
                    by,
                    idempotency,
                    answer,
                },
                tasks,
            ),
            WriterRequest::CancelCommands {
                device,
                only,
                by,
                answer,
            } => self.cancel_commands(device, only, by, answer),
            WriterRequest::DisableDevice {
                device,
                disabled,
                by,
                answer,
            } => self.disable_device(device, disabled, by, answer),
            WriterRequest::DeleteDevice { device, by, answer } => self.delete_device(device, by, answer),
            WriterRequest::EndSession { device } => {
                self.load_facts(&[device])?;
                self.show_out(device, Cause::Replaced)
            }
            WriterRequest::CheckSession { device } => self.check_session(device),
        }
    }

    /// The task is at hand, and one of this job.
    fn is_of(&self, job: JobNo, task: TaskNo) -> bool {
        self.task(task).is_some() && self.jobs().of(task).is_some_and(|owner| owner.no == job)
    }

    /// What is answered about a task that a caller named.
    fn entry(&self, task: TaskNo, applied: Result<Applied, Refused>) -> TaskEntry {
        let next = self
            .task(task)
            .and_then(|task| task.attempt.next())
            .unwrap_or(AttemptNo(0));
        match applied {
            Ok(Applied { declined: None, .. }) => TaskEntry::Done,
            Ok(Applied {
                declined: Some(why), ..
            }) => TaskEntry::Declined {
                why,
                next_attempt: next,
                disarmed: true,
            },
            Err(why) => TaskEntry::Declined {
                why,
                next_attempt: next,
                disarmed: false,
            },
        }
    }

    /// The note in the journal of who asked for it.
    fn note(&self, job: JobNo, verb: &'static str, by: Actor) -> Vec<Write> {
        let org = self.jobs().get(job).map(|job| job.org.clone());
        org.map(|org| {
            Write::Note(Action {
                org,
                verb,
                subject: job.to_job_id(),
                by,
            })
        })
        .into_iter()
        .collect()
    }
}

fn refuse<T>(answer: AnswerSender<T>, refusal: Refusal) {
    drop(answer.send(Err(WriterError::Refused(refusal))));
}
