//! What memory reads from the store: all of it after a start or a failure, jobs as they are needed.

use aldis_core::ids::{DeviceNo, JobNo, TaskNo};
use aldis_core::time::Timestamp;
use aldis_store::rows::Job;
use aldis_store::{Error, Read, ReadJobs, held_slots};

use super::Memory;
use crate::engine::jobs::Jobs;
use crate::engine::work::Bulk;

impl Memory {
    /// Reads everything again but the sessions, whose queues are read anew.
    pub(in crate::engine) fn reload(&mut self, store: &dyn Read, now: Timestamp) -> Result<(), Error> {
        self.jobs = Jobs::default();
        // A caller that waits for the retry of a whole job gets "unknown": part of it may not be stored.
        self.bulk.clear();
        self.tasks.clear();
        let at_work = store.jobs_at_work()?;
        self.devices.restore_slots(held_slots(store, &at_work)?, store.slots()?);
        let reserved = reserved_places(store, &at_work)?;
        for job in at_work {
            self.take_up(job);
        }
        for (job, device) in reserved {
            self.jobs.reserve_place(job, device);
        }
        self.reload_queues(store)?;
        self.next_due = store.due_tasks(now, 1)?.first().map(|_| now).or(store.next_due(now)?);
        self.stale = false;
        Ok(())
    }

    fn reload_queues(&mut self, store: &dyn Read) -> Result<(), Error> {
        let present = self.devices.present();
        let queues = store.queued(&present)?;
        let tasks: Vec<TaskNo> = queues.iter().flatten().map(|task| task.no).collect();
        self.load_jobs(store, &tasks)?;
        for (device, queue) in present.into_iter().zip(queues) {
            let places = self.places(&queue);
            self.devices.set_queue(device, places);
        }
        Ok(())
    }

    /// A job as it is stored, with the bulk work that it still needs.
    pub(super) fn take_up(&mut self, job: Job) {
        let no = job.no;
        if job.deleted {
            self.bulk.push(&job.org, Bulk::Purge { job: no });
            return;
        }
        if job.cancels.are_pending() {
            let settle = Bulk::Settle {
                job: no,
                mark: job.cancels.made,
                after: None,
            };
            self.bulk.push(&job.org, settle);
        }
        let triggered = job.members.as_ref().is_some_and(|members| members.trigger.is_some());
        if triggered && !job.is_written() {
            self.bulk.push(&job.org, Bulk::WriteMembers { job: no });
        }
        self.jobs.add(job);
    }

    /// Reads the jobs of these tasks, as far as they exist and are not in memory.
    pub(in crate::engine) fn load_jobs(&mut self, store: &dyn Read, tasks: &[TaskNo]) -> Result<(), Error> {
        let unknown: Vec<TaskNo> = tasks
            .iter()
            .copied()
            .filter(|task| self.jobs.of(*task).is_none())
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        for job in store.jobs_of(&unknown)? {
            if self.jobs.get(job.no).is_none() {
                self.jobs.add(job);
            }
        }
        Ok(())
    }

    /// Reads a job by its number if it is not in memory; false if it does not exist.
    pub(in crate::engine) fn find_job(&mut self, store: &dyn Read, no: JobNo) -> Result<bool, Error> {
        if self.jobs.get(no).is_none()
            && let Some(detail) = store.job(no)?
        {
            self.jobs.add(detail.job);
        }
        Ok(self.jobs.get(no).is_some())
    }
}

/// Single commands that may wait and have not triggered: stored by the last commit before a start, or before one that
/// failed.
fn reserved_places(store: &dyn ReadJobs, at_work: &[Job]) -> Result<Vec<(JobNo, DeviceNo)>, Error> {
    let untriggered = |job: &&Job| job.single && job.policy.ttl_ms > 0 && job.total.is_none() && !job.cancels.any();
    let kept = at_work.iter().filter(untriggered).filter(|job| !job.deleted);
    let (jobs, tasks): (Vec<JobNo>, Vec<TaskNo>) = kept.filter_map(|job| Some((job.no, job.range.first?))).unzip();
    if tasks.is_empty() {
        return Ok(Vec::new());
    }
    let devices = store
        .tasks(&tasks)?
        .into_iter()
        .map(|task| task.map(|task| task.device));
    Ok(jobs
        .into_iter()
        .zip(devices)
        .filter_map(|(job, device)| Some((job, device?)))
        .collect())
}
