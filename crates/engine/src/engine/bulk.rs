//! Work over many rows, one slice a turn: writing a product's tasks, ending windows, settling a cancel, purging,
//! retrying a whole job. Whatever is not finished is found again in the store after a restart.

use aldis_core::ids::{AttemptNo, DeviceNo, JobNo, TaskNo, WireId};
use aldis_core::task::{Event, State, Task, step};
use aldis_store::rows::{Action, Actor, Idempotency, Job};
use aldis_store::{DeviceFacts, Error, JobTasks, StepWrite, Write};

use super::turn::Turn;
use crate::writer::{Answer, Retried, WholeJob};

/// Tasks that the answer about a whole job lists.
pub(super) const LISTED_MAX: usize = 200;

/// Work that is under way. The store knows of all but the retries, which live as long as their callers wait.
#[derive(Debug)]
pub(super) enum Bulk {
    /// Write the tasks of a whole product's members.
    WriteMembers { job: JobNo },
    /// End the first round's window.
    Expire { job: JobNo, after: Option<TaskNo> },
    /// Settle the rows of a job that was cancelled as a whole.
    Settle {
        job: JobNo,
        mark: u16,
        after: Option<TaskNo>,
    },
    /// Remove the rows of a deleted job.
    Purge { job: JobNo },
    /// Retry all eligible tasks of a job.
    Retry(Box<RetryAll>),
}

impl Bulk {
    /// It ends tasks, or has them become due.
    pub(super) fn waits_for_the_clock(&self) -> bool {
        matches!(self, Self::WriteMembers { .. } | Self::Expire { .. })
    }
}

impl Bulk {
    /// What it is about.
    pub(super) fn job(&self) -> JobNo {
        match self {
            Self::WriteMembers { job } | Self::Expire { job, .. } | Self::Settle { job, .. } | Self::Purge { job } => {
                *job
            }
            Self::Retry(retry) => retry.job,
        }
    }
}

/// A retry of a whole job; its caller is answered after the last slice.
#[derive(Debug)]
pub(super) struct RetryAll {
    pub(super) job: JobNo,
    pub(super) after: Option<TaskNo>,
    pub(super) so_far: WholeJob,
    pub(super) by: Actor,
    pub(super) idempotency: Option<Idempotency>,
    pub(super) answer: Answer<Retried>,
}

impl Turn<'_> {
    /// One slice of the work that has waited longest, of the organization whose turn it is.
    pub(super) fn bulk_slice(&mut self, devices_spoke: bool) -> Result<(), Error> {
        let limit = self.memory.budget.rows_per_slice(devices_spoke);
        match self.memory.next_bulk() {
            None => Ok(()),
            Some(Bulk::WriteMembers { job }) => self.write_members(job, limit),
            Some(Bulk::Expire { job, after }) => self.expire(job, after, limit),
            Some(Bulk::Settle { job, mark, after }) => self.settle(job, mark, after, limit),
            Some(Bulk::Purge { job }) => {
                self.write_quietly(Write::PurgeJob { job, limit });
                Ok(())
            }
            Some(Bulk::Retry(retry)) => self.retry_slice(*retry, limit),
        }
    }

    /// Members become tasks in the order of their numbers. A device that was deleted since the trigger is still one.
    fn write_members(&mut self, no: JobNo, limit: usize) -> Result<(), Error> {
        let Some(job) = self.memory.jobs.get(no).cloned() else {
            return Ok(());
        };
        let (Some(first), Some(members)) = (job.first_task, &job.members) else {
            return Ok(());
        };
        let facts = self.store.members(&job, limit)?;
        let Some(last) = facts.last() else { return Ok(()) };
        let (after, cursor) = (members.cursor, last.device);
        self.note_facts(&facts);
        let devices: Vec<DeviceNo> = facts.iter().map(|facts| facts.device).collect();
        self.load_queue_lengths_of_absent(&devices)?;
        let numbers = (first.0 + job.counters.written()..).map(TaskNo);
        let tasks = numbers
            .zip(&facts)
            .map(|(task, member)| self.create_task(&job, task, member))
            .collect();
        self.write_quietly(Write::WriteTasks {
            job: no,
            after,
            cursor,
            tasks,
        });
        Ok(())
    }

    fn create_task(&mut self, job: &Job, no: TaskNo, member: &DeviceFacts) -> StepWrite {
        let rules = job.rules();
        let new = Task::new(no, member.device, self.now);
        let condition = self.condition(member.device);
        let (task, ended) = match step(&new, &rules, Event::Due(&condition), self.now) {
            Ok(step) => (step.task, step.ended),
            Err(_) => (new, Vec::new()),
        };
        let wake_at = task.wake_at(&rules);
        self.memory.note_due(wake_at);
        self.add_pending(&task);
        StepWrite {
            job: job.no,
            from: (State::Init, AttemptNo(0)),
            task,
            wake_at,
            ended,
        }
    }

    fn expire(&mut self, no: JobNo, after: Option<TaskNo>, limit: usize) -> Result<(), Error> {
        let Some(rows) = self.slice(no, JobTasks::FirstRound, after, limit)? else {
            return Ok(());
        };
        for task in &rows.tasks {
            let Some(device) = self.task(*task).map(|task| task.device) else {
                continue;
            };
            let condition = self.condition(device);
            // Something else of this turn may have moved it on.
            let _refused = self.apply(*task, Event::WindowEnded(&condition));
        }
        if rows.more {
            self.memory.push_bulk(Bulk::Expire {
                job: no,
                after: rows.last(),
            });
        }
        Ok(())
    }

    fn settle(&mut self, no: JobNo, mark: u16, after: Option<TaskNo>, limit: usize) -> Result<(), Error> {
        let Some(rows) = self.slice(no, JobTasks::Unfinished, after, limit)? else {
            return Ok(());
        };
        for task in &rows.tasks {
            self.settle_task(*task);
        }
        if rows.more {
            self.memory.push_bulk(Bulk::Settle {
                job: no,
                mark,
                after: rows.last(),
            });
        } else {
            self.write_quietly(Write::SettledJob { job: no, mark });
        }
        Ok(())
    }

    fn settle_task(&mut self, no: TaskNo) {
        let covered = self
            .rules(no)
            .is_some_and(|rules| self.task(no).is_some_and(|task| task.is_covered_by_mark(&rules)));
        if covered {
            // What is final already, or already disarmed, has nothing to settle.
            let _refused = self.cancel(no);
        }
    }

    /// Cancels one task at hand; an attempt that has not left yet is taken back.
    pub(super) fn cancel(&mut self, no: TaskNo) -> Result<super::turn::Applied, aldis_core::task::Refused> {
        let out = self.task(no).filter(|task| task.state == State::Published);
        let open = out.map(|task| (task.device, WireId::new(no, task.attempt)));
        let withdrawn = open.is_some_and(|(device, wire)| self.withdraw(device, wire));
        self.apply(no, Event::Cancelled { withdrawn })
    }

    fn retry_slice(&mut self, mut retry: RetryAll, limit: usize) -> Result<(), Error> {
        let Some(rows) = self.slice(retry.job, JobTasks::Retryable, retry.after, limit)? else {
            self.answer_retry(retry);
            return Ok(());
        };
        for task in &rows.tasks {
            // The row was read as it is stored: a success that came late in this very turn counts as well.
            let succeeded = self.task(*task).is_some_and(|task| task.late_success.is_some());
            if !succeeded && self.retry(*task).is_ok() {
                retry.so_far.eligible += 1;
                if retry.so_far.first.len() < LISTED_MAX {
                    retry.so_far.first.push(*task);
                }
            }
        }
        retry.after = rows.last().or(retry.after);
        if rows.more {
            self.memory.push_bulk(Bulk::Retry(Box::new(retry)));
        } else {
            self.answer_retry(retry);
        }
        Ok(())
    }

    /// Retries one task at hand; its device must be known.
    pub(super) fn retry(&mut self, no: TaskNo) -> Result<super::turn::Applied, aldis_core::task::Refused> {
        let device = self.task(no).map(|task| task.device).unwrap_or_default();
        let condition = self.condition(device);
        self.apply(no, Event::RetryAsked(&condition))
    }

    fn answer_retry(&mut self, retry: RetryAll) {
        let retried = Retried::Whole(retry.so_far);
        let job = self.memory.jobs.get(retry.job).map(|job| (job.org.clone(), job.no));
        let mut writes = Vec::new();
        if let Some((org, no)) = job {
            writes.push(Write::Note(Action {
                org,
                verb: "job.retry",
                subject: no.to_job_id(),
                by: retry.by,
            }));
        }
        if let Some(idempotency) = retry.idempotency {
            writes.push(Write::Remember {
                idempotency,
                answer: retried.remember(),
            });
        }
        let answer = retry.answer;
        self.write(writes, Box::new(move |done| drop(answer.send(done.map(|_| retried)))));
    }

    /// Rows of a job, taken in with all that is needed to step them. `None` if the job is gone.
    fn slice(
        &mut self,
        no: JobNo,
        which: JobTasks,
        after: Option<TaskNo>,
        limit: usize,
    ) -> Result<Option<Rows>, Error> {
        if !self.find_job(no)? {
            return Ok(None);
        }
        let Some(job) = self.memory.jobs.get(no) else {
            return Ok(None);
        };
        let rows = self.store.job_tasks(job, which, after, limit)?;
        let more = rows.len() >= limit;
        let tasks = rows.iter().map(|task| task.no).collect();
        let devices: Vec<DeviceNo> = rows.iter().map(|task| task.device).collect();
        self.take_in(rows);
        self.load_facts(&devices)?;
        Ok(Some(Rows { tasks, more }))
    }

    /// Makes a job known by its number; false if it does not exist.
    pub(super) fn find_job(&mut self, no: JobNo) -> Result<bool, Error> {
        if self.memory.jobs.get(no).is_none()
            && let Some(detail) = self.store.job(no)?
        {
            self.memory.jobs.add(detail.job);
        }
        Ok(self.memory.jobs.get(no).is_some())
    }
}

struct Rows {
    tasks: Vec<TaskNo>,
    more: bool,
}

impl Rows {
    fn last(&self) -> Option<TaskNo> {
        self.tasks.last().copied()
    }
}
