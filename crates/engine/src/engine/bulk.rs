//! Work over many rows, one slice per turn: writing a product's tasks, ending windows, settling a cancel, purging,
//! retrying a whole job. After a restart the store shows which work is not finished; retries of whole jobs are lost.

use aldis_core::ids::{AttemptNo, DeviceNo, JobNo, TaskNo, WireId};
use aldis_core::task::{Event, Refused, State, Task, step};
use aldis_store::rows::{Action, Job};
use aldis_store::{DeviceFacts, Error, JobTasks, StepWrite, Write};

use super::turn::{Applied, Turn};
use super::work::{Bulk, LISTED_MAX, RetryAll};
use crate::writer::Retried;

impl Turn<'_> {
    /// One slice of the work that has waited longest, of the organization whose turn it is.
    pub(super) fn bulk_slice(&mut self, devices_spoke: bool) -> Result<(), Error> {
        let limit = self.rows_per_slice(devices_spoke);
        match self.next_bulk() {
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
        let Some(job) = self.jobs().get(no).cloned() else {
            return Ok(());
        };
        let (Some(first), Some(members)) = (job.range.first, &job.members) else {
            return Ok(());
        };
        let facts = self.store().members(&job, limit)?;
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
        let new = Task::new(no, member.device, self.now());
        let condition = self.condition(member.device);
        let (task, ended) = match step(&new, &rules, Event::Due(&condition), self.now()) {
            Ok(step) => (step.task, step.ended),
            Err(_) => (new, Vec::new()),
        };
        let wake_at = task.wake_at(&rules);
        self.note_due(wake_at);
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
            // An earlier step of this turn may have moved the task on.
            let _refused = self.apply(*task, Event::WindowEnded(&condition));
        }
        if rows.more {
            self.push_bulk(Bulk::Expire {
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
            self.push_bulk(Bulk::Settle {
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
            // A task that is final or disarmed already has nothing to settle.
            let _refused = self.cancel(no);
        }
    }

    /// Cancels one task at hand; an attempt that has not left yet is taken back.
    pub(super) fn cancel(&mut self, no: TaskNo) -> Result<Applied, Refused> {
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
            self.push_bulk(Bulk::Retry(Box::new(retry)));
        } else {
            self.answer_retry(retry);
        }
        Ok(())
    }

    /// Retries one task at hand; its device must be known.
    pub(super) fn retry(&mut self, no: TaskNo) -> Result<Applied, Refused> {
        let device = self.task(no).map(|task| task.device).unwrap_or_default();
        let condition = self.condition(device);
        self.apply(no, Event::RetryAsked(&condition))
    }

    fn answer_retry(&mut self, retry: RetryAll) {
        let retried = Retried::Whole(retry.so_far);
        let job = self.jobs().get(retry.job).map(|job| (job.org.clone(), job.no));
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
        let Some(job) = self.jobs().get(no) else {
            return Ok(None);
        };
        let rows = self.store().job_tasks(job, which, after, limit)?;
        let more = rows.len() >= limit;
        let tasks = rows.iter().map(|task| task.no).collect();
        let devices: Vec<DeviceNo> = rows.iter().map(|task| task.device).collect();
        self.take_in(rows);
        self.load_facts(&devices)?;
        Ok(Some(Rows { tasks, more }))
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
