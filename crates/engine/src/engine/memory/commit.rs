//! How memory follows a commit.

use std::collections::HashSet;

use aldis_core::ids::{DeviceNo, JobNo};
use aldis_core::job::JobState;
use aldis_store::{Committed, Done, Error, Read, StepWrite, Write};

use super::Memory;
use crate::engine::queue::QueuePosition;
use crate::engine::work::Bulk;

/// Commits after which jobs that have nothing left to do are dropped from memory.
const COMMITS_PER_SWEEP: u64 = 512;

impl Memory {
    /// Follows a commit: jobs that it has made new or changed are read, bulk work that it leaves is put in line, and
    /// its rows are kept as far as they are likely to be needed.
    pub(in crate::engine) fn committed(
        &mut self,
        store: &dyn Read,
        writes: Vec<Write>,
        committed: &Committed,
        pending: &[(DeviceNo, QueuePosition)],
    ) -> Result<(), Error> {
        self.latest.stored();
        // Behind all other writes of a turn.
        if let Some(Write::UseUp { proofs, .. }) = writes.last() {
            self.proofs.stored(proofs);
        }
        self.devices.join_all(pending);
        for (write, done) in writes.into_iter().zip(&committed.done) {
            self.write_committed(store, write, done)?;
        }
        self.commits += 1;
        if self.commits.is_multiple_of(COMMITS_PER_SWEEP) {
            self.sweep(store)?;
        }
        Ok(())
    }

    /// Follows one write.
    fn write_committed(&mut self, store: &dyn Read, write: Write, done: &Done) -> Result<(), Error> {
        match (write, done) {
            (Write::Steps(steps), Done::Steps(applied)) => self.follow_steps(steps, applied),
            (Write::CreateJob(job), Done::Job { no, created: true }) => {
                self.learn_job(store, *no)?;
                if let Some(device) = job.cached_for() {
                    self.jobs.reserve_place(*no, device);
                }
            }
            (Write::TriggerJob { job }, Done::Count(_)) => self.learn_job(store, job)?,
            (Write::WriteTasks { job, tasks, .. }, Done::Yes) => {
                self.refresh_job(store, job)?;
                tasks.into_iter().for_each(|created| self.cache_task(created.task));
            }
            (Write::CancelJob { job, .. }, Done::Count(_)) => self.settle_job(store, job)?,
            (Write::PurgeJob { job, limit }, Done::Count(removed)) if *removed >= limit as u64 => {
                self.push_bulk(Bulk::Purge { job });
            }
            (Write::DeleteJob { job, .. }, Done::Yes) => self.forget_deleted(job),
            (Write::DeleteJob { job, .. }, Done::Refused(_)) => self.remember_job(store, job)?,
            _ => {}
        }
        Ok(())
    }

    /// What a commit has stored of present devices need not be read again.
    fn follow_steps(&mut self, steps: Vec<StepWrite>, applied: &[bool]) {
        let of = steps.len();
        let lost = applied.iter().filter(|applied| !**applied).count();
        if lost > 0 {
            tracing::error!(lost, of, "steps lost their race");
            self.stale = true;
        }
        let stored = steps.into_iter().zip(applied).filter(|(_, applied)| **applied);
        stored.for_each(|(step, _)| self.cache_task(step.task));
    }

    fn learn_job(&mut self, store: &dyn Read, no: JobNo) -> Result<(), Error> {
        if let Some(detail) = store.job(no)? {
            self.take_up(detail.job);
        }
        Ok(())
    }

    /// A slice of members has been written; the next follows.
    fn refresh_job(&mut self, store: &dyn Read, no: JobNo) -> Result<(), Error> {
        let Some(detail) = store.job(no)? else { return Ok(()) };
        if !detail.job.is_written() {
            self.bulk.push(&detail.job.org, Bulk::WriteMembers { job: no });
        }
        self.jobs.add(detail.job);
        Ok(())
    }

    fn settle_job(&mut self, store: &dyn Read, no: JobNo) -> Result<(), Error> {
        let Some(detail) = store.job(no)? else { return Ok(()) };
        let settle = Bulk::Settle {
            job: no,
            mark: detail.job.cancels.made,
            after: None,
        };
        self.bulk.push(&detail.job.org, settle);
        self.jobs.add(detail.job);
        Ok(())
    }

    /// A job that was not deleted after all.
    fn remember_job(&mut self, store: &dyn Read, no: JobNo) -> Result<(), Error> {
        let unknown = self.jobs.get(no).is_none();
        if let Some(detail) = store.job(no)?.filter(|_| unknown) {
            self.jobs.add(detail.job);
        }
        Ok(())
    }

    fn forget_deleted(&mut self, no: JobNo) {
        self.push_bulk(Bulk::Purge { job: no });
        self.jobs.forget(no);
    }

    fn sweep(&mut self, store: &dyn Read) -> Result<(), Error> {
        let mut keep: HashSet<JobNo> = store.numbers_at_work()?.into_iter().collect();
        keep.extend(
            self.jobs
                .iter()
                .filter(|job| job.state == JobState::Init)
                .map(|job| job.no),
        );
        keep.extend(
            self.devices
                .all_held()
                .filter_map(|held| self.jobs.of(held.slot.task))
                .map(|job| job.no),
        );
        self.jobs.keep_only(&keep);
        Ok(())
    }
}
