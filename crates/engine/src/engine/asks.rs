//! What operators ask for, decided on the rows as they are in this very turn.

use std::sync::atomic::{AtomicU64, Ordering};

use aldis_core::ids::{AttemptNo, DeviceNo, JobNo, TaskNo};
use aldis_core::task::{Event, Refused};
use aldis_store::rows::{Action, Actor, Idempotency};
use aldis_store::{DeviceRef, Done, Error, JobTasks, Refusal, Write};

use super::turn::{Applied, Turn};
use super::work::{Bulk, LISTED_MAX, RetryAll};
use crate::link::{Cause, DeviceKeys, LifecycleChange, Order};
use crate::writer::{Answer, Ask, Entry, Retried, WholeJob, WriterError};

impl Turn<'_> {
    /// Decides one question; its answer goes out with the commit.
    pub(super) fn ask(&mut self, ask: Ask) -> Result<(), Error> {
        match ask {
            Ask::Write(writes, answer) => {
                if !self.reserve_places(&writes)? {
                    refuse(answer, Refusal::Full);
                    return Ok(());
                }
                self.forget_jobs_deleted_by(&writes);
                self.write(
                    writes,
                    Box::new(move |done| drop(answer.send(done.map(<[Done]>::to_vec)))),
                );
                Ok(())
            }
            Ask::CancelTasks(job, tasks, by, answer) => self.cancel_tasks(job, &tasks, by, answer),
            Ask::CancelJob(job, by, answer) => self.cancel_job(job, by, answer),
            Ask::Retry(job, tasks, by, idempotency, answer) => self.retry_asked(job, tasks, by, idempotency, answer),
            Ask::CancelCommands(device, only, by, answer) => self.cancel_commands(device, only, by, answer),
            Ask::DisableDevice(device, disabled, by, answer) => self.disable_device(device, disabled, by, answer),
            Ask::DeleteDevice(device, by, answer) => self.delete_device(device, by, answer),
            Ask::EndSession(device) => {
                self.load_facts(&[device])?;
                self.show_out(device, Cause::Replaced)
            }
            Ask::CheckSession(device) => self.check_session(device),
        }
    }

    /// A job that is deleted before its trigger does not trigger any more, also not in this very turn.
    fn forget_jobs_deleted_by(&mut self, writes: &[Write]) {
        for write in writes {
            if let Write::DeleteJob { job, .. } = write
                && self.jobs().get(*job).is_some_and(|job| job.total.is_none())
            {
                self.forget_job(*job);
            }
        }
    }

    fn cancel_tasks(
        &mut self,
        job: JobNo,
        tasks: &[TaskNo],
        by: Actor,
        answer: Answer<Vec<Entry>>,
    ) -> Result<(), Error> {
        if !self.find_job(job)? {
            refuse(answer, Refusal::Missing);
            return Ok(());
        }
        self.load(tasks)?;
        let entries: Vec<Entry> = tasks.iter().map(|task| self.cancel_one(job, *task)).collect();
        let note = self.note(job, "task.cancel", by);
        self.write(note, Box::new(move |done| drop(answer.send(done.map(|_| entries)))));
        Ok(())
    }

    fn cancel_one(&mut self, job: JobNo, task: TaskNo) -> Entry {
        if !self.is_of(job, task) {
            return Entry::Missing;
        }
        let applied = self.cancel(task);
        self.entry(task, applied)
    }

    fn is_of(&self, job: JobNo, task: TaskNo) -> bool {
        self.task(task).is_some() && self.jobs().of(task).is_some_and(|owner| owner.no == job)
    }

    fn entry(&self, task: TaskNo, applied: Result<Applied, Refused>) -> Entry {
        let next = self
            .task(task)
            .and_then(|task| task.attempt.next())
            .unwrap_or(AttemptNo(0));
        match applied {
            Ok(Applied { declined: None, .. }) => Entry::Done,
            Ok(Applied {
                declined: Some(why), ..
            }) => Entry::Declined {
                why,
                next_attempt: next,
                disarmed: true,
            },
            Err(why) => Entry::Declined {
                why,
                next_attempt: next,
                disarmed: false,
            },
        }
    }

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

    /// One mark, in one commit: from the next line on nothing of the job is sent any more.
    fn cancel_job(&mut self, no: JobNo, by: Actor, answer: Answer<WholeJob>) -> Result<(), Error> {
        if !self.find_job(no)? {
            refuse(answer, Refusal::Missing);
            return Ok(());
        }
        if self.jobs().get(no).is_some_and(|job| job.cancel_mark == u16::MAX) {
            refuse(answer, Refusal::Full);
            return Ok(());
        }
        let first = self.first_cancellable(no)?;
        let settled = self.count_settled(no);
        self.withdraw_all_of(no)?;
        self.raise_cancel_mark(no);
        let cancel = Write::CancelJob { job: no, by };
        self.write(
            vec![cancel],
            Box::new(move |done| drop(answer.send(whole(done, &settled, first)))),
        );
        Ok(())
    }

    /// Cancels what has been handed out and has not left, in the mark's own commit. The other rows of the job follow in
    /// slices, and none of them can leave meanwhile.
    fn withdraw_all_of(&mut self, no: JobNo) -> Result<(), Error> {
        let unsent = self
            .devices()
            .all_held()
            .filter(|held| held.is_open())
            .map(|held| held.slot.task);
        let unsent = unsent.filter(|task| self.jobs().of(*task).is_some_and(|job| job.no == no));
        let unsent: Vec<TaskNo> = unsent.collect();
        self.load(&unsent)?;
        for task in unsent {
            // A task that was cancelled before has nothing to take back.
            let _refused = self.cancel(task);
        }
        Ok(())
    }

    /// The first tasks that the mark takes. What this very turn has made of a row counts, not what was stored before
    /// it: the device may just have acknowledged or answered.
    fn first_cancellable(&mut self, no: JobNo) -> Result<Vec<TaskNo>, Error> {
        let Some(job) = self.jobs().get(no) else {
            return Ok(Vec::new());
        };
        let mut first = Vec::new();
        let mut after = None;
        while first.len() < LISTED_MAX {
            let rows = self.store().job_tasks(job, JobTasks::Unfinished, after, LISTED_MAX)?;
            let Some(last) = rows.last() else { break };
            after = Some(last.no);
            first.extend(
                rows.iter()
                    .filter(|row| self.task(row.no).unwrap_or(row).state.is_cancellable())
                    .map(|task| task.no),
            );
        }
        first.truncate(LISTED_MAX);
        Ok(first)
    }

    fn retry_asked(
        &mut self,
        job: JobNo,
        tasks: Option<Vec<TaskNo>>,
        by: Actor,
        idempotency: Option<Idempotency>,
        answer: Answer<Retried>,
    ) -> Result<(), Error> {
        if let Some(before) = self.before(idempotency.as_ref())? {
            drop(answer.send(before.map_err(WriterError::Refused)));
            return Ok(());
        }
        if !self.find_job(job)? {
            refuse(answer, Refusal::Missing);
            return Ok(());
        }
        match tasks {
            Some(tasks) => self.retry_named(job, &tasks, by, idempotency, answer),
            None => {
                let so_far = WholeJob {
                    eligible: 0,
                    first: Vec::new(),
                };
                let retry = RetryAll {
                    job,
                    after: None,
                    so_far,
                    by,
                    idempotency,
                    answer,
                };
                self.push_bulk(Bulk::Retry(Box::new(retry)));
                Ok(())
            }
        }
    }

    /// What an earlier request with this idempotency key was answered.
    fn before(&self, idempotency: Option<&Idempotency>) -> Result<Option<Result<Retried, Refusal>>, Error> {
        let Some(asked) = idempotency else { return Ok(None) };
        let Some(remembered) = self.store().idempotency_record(&asked.scope, &asked.key, self.now())? else {
            return Ok(None);
        };
        if remembered.digest != asked.digest {
            return Ok(Some(Err(Refusal::Mismatch)));
        }
        Ok(Some(Retried::recall(&remembered.answer).ok_or(Refusal::Mismatch)))
    }

    fn retry_named(
        &mut self,
        job: JobNo,
        tasks: &[TaskNo],
        by: Actor,
        idempotency: Option<Idempotency>,
        answer: Answer<Retried>,
    ) -> Result<(), Error> {
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

    fn retry_one(&mut self, job: JobNo, task: TaskNo) -> Entry {
        if !self.is_of(job, task) {
            return Entry::Missing;
        }
        let applied = self.retry(task);
        self.entry(task, applied)
    }

    /// A disabled device is shown out, and what waits for it ends.
    fn disable_device(&mut self, device: DeviceNo, disabled: bool, by: Actor, answer: Answer<()>) -> Result<(), Error> {
        self.load_facts(&[device])?;
        match self.facts_mut(device).filter(|facts| !facts.deleted) {
            None => {
                refuse(answer, Refusal::Missing);
                return Ok(());
            }
            Some(facts) if facts.disabled == disabled => {
                refuse(answer, Refusal::Unchanged);
                return Ok(());
            }
            Some(facts) => facts.disabled = disabled,
        }
        if disabled {
            self.show_out(device, Cause::Disabled)?;
            self.end_waiting(device, Event::DeviceDisabled)?;
        }
        let change = if disabled {
            LifecycleChange::Disabled
        } else {
            LifecycleChange::Enabled
        };
        self.notify_gateway(device, change)?;
        self.write(vec![Write::DisableDevice { device, disabled, by }], plainly(answer));
        Ok(())
    }

    fn delete_device(&mut self, device: DeviceNo, by: Actor, answer: Answer<()>) -> Result<(), Error> {
        self.load_facts(&[device])?;
        match self.facts_mut(device).filter(|facts| !facts.deleted) {
            None => {
                refuse(answer, Refusal::Missing);
                return Ok(());
            }
            Some(facts) => facts.deleted = true,
        }
        self.show_out(device, Cause::Deleted)?;
        self.end_waiting(device, Event::DeviceDeleted)?;
        self.notify_gateway(device, LifecycleChange::Deleted)?;
        self.write(vec![Write::DeleteDevice { device, by }], plainly(answer));
        Ok(())
    }

    /// A gateway that is online learns after the commit what became of its sub-device.
    fn notify_gateway(&mut self, device: DeviceNo, change: LifecycleChange) -> Result<(), Error> {
        let Some(gateway) = self.store().gateways_of(&[device])?.pop().flatten() else {
            return Ok(());
        };
        let session = self.devices().session(gateway).filter(|session| !session.closing);
        let Some(session) = session.map(|session| session.no) else {
            return Ok(());
        };
        if let Some(found) = self.store().devices(&[DeviceRef::No(device)])?.pop().flatten() {
            let sub_device = DeviceKeys {
                product_key: found.is.product,
                device_key: found.is.key,
            };
            self.order(Order::Notify {
                session,
                change,
                sub_device,
            });
        }
        Ok(())
    }

    fn end_waiting(&mut self, device: DeviceNo, event: Event<'_>) -> Result<(), Error> {
        let rows = self.store().waiting(device)?;
        self.take_in_with_jobs(rows)?;
        for task in self.at_hand_of(device) {
            // Only waiting tasks are concerned; what is out runs out.
            let _refused = self.apply(task, event);
        }
        Ok(())
    }
}

fn refuse<T>(answer: Answer<T>, refusal: Refusal) {
    drop(answer.send(Err(WriterError::Refused(refusal))));
}

fn plainly(answer: Answer<()>) -> super::batch::OnCommit {
    Box::new(move |done| {
        let result = match done {
            Ok([Done::Refused(refusal), ..]) => Err(WriterError::Refused(*refusal)),
            Ok(_) => Ok(()),
            Err(failure) => Err(failure),
        };
        drop(answer.send(result));
    })
}

fn whole(done: Result<&[Done], WriterError>, settled: &AtomicU64, first: Vec<TaskNo>) -> Result<WholeJob, WriterError> {
    match done? {
        [Done::Count(left), ..] => Ok(WholeJob {
            eligible: *left + settled.load(Ordering::Relaxed),
            first,
        }),
        [Done::Refused(refusal), ..] => Err(WriterError::Refused(*refusal)),
        _ => Err(WriterError::Unavailable),
    }
}
