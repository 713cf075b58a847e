//! Jobs: created, triggered, cancelled, deleted, purged. Their tasks' rows are in `tasks`.

use std::collections::BTreeMap;
use std::sync::Arc;

use aldis_core::ids::{DeviceNo, JobNo, TaskNo};
use aldis_core::job::{Counters, JobState, roll_up};
use aldis_core::task::{State, Task};
use aldis_store::rows::{
    Actor, Cancels, Idempotency, Job, JobDetail, JobText, Members, NewJob, TargetScope, TaskRange,
};
use aldis_store::skipped;
use aldis_store::status_names::verb;
use aldis_store::{Done, Refusal};

use super::Contents;
use super::apply::Applied;
use super::devices::ChangeMark;

#[derive(Default)]
pub(super) struct Jobs {
    /// All but those that are purged.
    rows: BTreeMap<JobNo, JobRow>,
    by_first_task: BTreeMap<TaskNo, JobNo>,
    last_job: u64,
    last_task: u64,
}

pub(super) struct JobRow {
    pub(super) job: Job,
    pub(super) text: Arc<JobText>,
    /// How the devices stood at the trigger.
    at_trigger: ChangeMark,
}

impl JobRow {
    pub(super) fn detail(&self) -> JobDetail {
        JobDetail {
            job: self.job.clone(),
            text: Arc::clone(&self.text),
        }
    }

    /// Keeps the state what the rest makes it.
    fn roll_up(&mut self) {
        let job = &mut self.job;
        job.state = roll_up(job.total, &job.counters, job.cancels.any() && job.total.is_none());
    }
}

impl Jobs {
    /// All that have rows, also deleted ones.
    pub(super) fn all(&self) -> impl DoubleEndedIterator<Item = &JobRow> {
        self.rows.values()
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut Job> {
        self.rows.values_mut().map(|row| &mut row.job)
    }

    /// Those not deleted, by number.
    pub(super) fn live(&self) -> impl DoubleEndedIterator<Item = &JobRow> {
        self.all().filter(|row| !row.job.deleted)
    }

    pub(super) fn get(&self, no: JobNo) -> Option<&JobRow> {
        self.rows.get(&no).filter(|row| !row.job.deleted)
    }

    /// The job whose range a task number lies in, if it is not deleted.
    pub(super) fn of(&self, task: TaskNo) -> Option<&JobRow> {
        let (_, no) = self.by_first_task.range(..=task).next_back()?;
        self.get(*no).filter(|row| row.job.range.contains(task))
    }

    fn get_mut(&mut self, no: JobNo) -> Result<&mut JobRow, Refusal> {
        self.rows
            .get_mut(&no)
            .filter(|row| !row.job.deleted)
            .ok_or(Refusal::Missing)
    }

    pub(super) fn skip_numbers(&mut self, least: u64, gap: u64) {
        for last in [&mut self.last_job, &mut self.last_task] {
            *last = skipped(*last + 1, least, gap) - 1;
        }
    }

    /// Gives a job its tasks' numbers.
    fn allocate(&mut self, no: JobNo, count: u64) {
        if let (1.., Some(row)) = (count, self.rows.get_mut(&no)) {
            let first = TaskNo(self.last_task + 1);
            row.job.range.first = Some(first);
            row.job.range.allocated = count;
            self.by_first_task.insert(first, no);
            self.last_task += count;
        }
    }
}

impl Contents {
    pub(super) fn create_job(&mut self, new: &NewJob) -> Applied {
        if let Some(idempotency) = &new.idempotency
            && let Some(earlier) = self.earlier_job(idempotency)
        {
            return earlier;
        }
        let no = JobNo(self.jobs.last_job + 1);
        self.jobs.last_job = no.0;
        let row = JobRow {
            job: self.new_job(no, new),
            text: Arc::new(new.text.clone()),
            at_trigger: ChangeMark::default(),
        };
        self.jobs.rows.insert(no, row);
        self.write_device_list(no, new.devices.as_deref().unwrap_or_default());
        self.act(new.org.clone(), verb::CREATE_JOB, no.to_job_id(), &new.by);
        if let Some(idempotency) = &new.idempotency {
            self.remember(idempotency, &no.0.to_string())?;
        }
        Ok(Done::Job { no, created: true })
    }

    fn earlier_job(&self, idempotency: &Idempotency) -> Option<Applied> {
        let remembered = self
            .journal
            .idempotency_record(&idempotency.scope, &idempotency.key, self.clock)?;
        let no = remembered.answer.parse().ok().map(JobNo);
        Some(match no {
            Some(no) if remembered.digest == idempotency.digest => Ok(Done::Job { no, created: false }),
            Some(_) | None => Err(Refusal::Mismatch),
        })
    }

    fn new_job(&self, no: JobNo, new: &NewJob) -> Job {
        let members = match &new.text.targets {
            TargetScope::Devices(_) | TargetScope::Single(_) => None,
            TargetScope::Products { products, .. } => Some(Members {
                products: products.clone(),
                trigger: None,
                watermark: DeviceNo::default(),
                cursor: DeviceNo::default(),
            }),
        };
        Job {
            no,
            org: new.org.clone(),
            command: Arc::new(new.command.clone()),
            policy: new.policy,
            release: new.release,
            created: self.clock,
            state: JobState::Init,
            total: None,
            range: TaskRange::default(),
            tasks_created: self.clock,
            members,
            counters: Counters::default(),
            cancels: Cancels::default(),
            deleted: false,
            single: new.text.targets.is_single(),
        }
    }

    fn write_device_list(&mut self, no: JobNo, devices: &[DeviceNo]) {
        self.jobs.allocate(no, devices.len() as u64);
        let first = self.jobs.last_task + 1 - devices.len() as u64;
        for (task, device) in (first..).zip(devices) {
            self.put_task(no, Task::new(TaskNo(task), *device, self.clock), None);
        }
    }

    pub(super) fn trigger_job(&mut self, no: JobNo) -> Applied {
        let row = self.jobs.get_mut(no)?;
        if row.job.total.is_some() || row.job.cancels.any() {
            return Err(Refusal::Unchanged);
        }
        let total = match &mut row.job.members {
            None => row.job.range.allocated,
            Some(members) => {
                row.at_trigger = self.devices.mark();
                members.trigger = Some(self.last);
                members.watermark = self.devices.last_no();
                row.job.tasks_created = self.clock;
                let count = self.members_of(no).len() as u64;
                self.jobs.allocate(no, count);
                count
            }
        };
        let row = self.jobs.get_mut(no)?;
        row.job.total = Some(total);
        row.roll_up();
        Ok(Done::Count(total))
    }

    /// All members of a triggered product job, whether they have rows or not.
    pub(super) fn members_of(&self, no: JobNo) -> Vec<DeviceNo> {
        let Some(row) = self.jobs.get(no) else {
            return Vec::new();
        };
        match &row.job.members {
            Some(members) if members.trigger.is_some() => {
                self.devices
                    .members(&row.job.org, &members.products, members.watermark, row.at_trigger)
            }
            Some(_) | None => Vec::new(),
        }
    }

    pub(super) fn cancel_job(&mut self, no: JobNo, by: &Actor) -> Applied {
        let row = self.jobs.get_mut(no)?;
        let job = &mut row.job;
        if job.cancels.is_full() {
            return Err(Refusal::Full);
        }
        let unwritten = job.total.unwrap_or(0).saturating_sub(job.counters.written());
        let cancellable = State::ALL.into_iter().filter(|state| state.is_cancellable());
        let eligible = unwritten + cancellable.map(|state| job.counters.of(state)).sum::<u64>();
        job.cancels.made += 1;
        row.roll_up();
        let org = row.job.org.clone();
        self.act(org, verb::CANCEL_JOB, no.to_job_id(), by);
        Ok(Done::Count(eligible))
    }

    pub(super) fn settled_job(&mut self, no: JobNo, mark: u16) -> Applied {
        let job = &mut self.jobs.get_mut(no)?.job;
        job.cancels.settled = job.cancels.settled.max(mark);
        Ok(Done::Yes)
    }

    pub(super) fn delete_job(&mut self, no: JobNo, by: &Actor) -> Applied {
        let job = &mut self.jobs.get_mut(no)?.job;
        match job.state {
            JobState::InProgress => Err(Refusal::InUse),
            JobState::Init | JobState::Finished => {
                job.deleted = true;
                let org = job.org.clone();
                self.act(org, verb::DELETE_JOB, no.to_job_id(), by);
                Ok(Done::Yes)
            }
        }
    }

    pub(super) fn purge_job(&mut self, no: JobNo, limit: usize) -> Applied {
        let row = self.jobs.rows.get(&no).filter(|row| row.job.deleted);
        let job = &row.ok_or(Refusal::Missing)?.job;
        let rows = self.tasks.range_of(job);
        let slice: Vec<TaskNo> = rows.iter().take(limit).copied().collect();
        for task in &slice {
            self.tasks.remove(*task);
        }
        if slice.len() == rows.len() {
            if let Some(first) = job.range.first {
                self.jobs.by_first_task.remove(&first);
            }
            self.jobs.rows.remove(&no);
        }
        Ok(Done::Count(slice.len() as u64))
    }

    /// A task of the job goes from one state to another, or is born into one.
    pub(super) fn count_task(&mut self, no: JobNo, from: Option<State>, to: State) {
        if let Some(row) = self.jobs.rows.get_mut(&no) {
            if let Some(from) = from {
                row.job.counters.add(from, -1);
            }
            row.job.counters.add(to, 1);
            row.roll_up();
        }
    }

    pub(super) fn members_cursor(&mut self, no: JobNo) -> Result<&mut DeviceNo, Refusal> {
        let members = self.jobs.get_mut(no)?.job.members.as_mut();
        let triggered = members.filter(|members| members.trigger.is_some());
        triggered.map(|members| &mut members.cursor).ok_or(Refusal::Unchanged)
    }
}
