//! The jobs in memory, and their timers: one per job and moment, never one per task.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use aldis_core::ids::{DeviceNo, JobNo, TaskNo};
use aldis_core::job::JobState;
use aldis_core::time::Timestamp;
use aldis_store::rows::Job;

use super::fair::Fair;
use super::queue_reservations::QueueReservations;

/// Moments of jobs, the earliest first.
type Timers = BTreeSet<(Timestamp, JobNo)>;

#[derive(Debug, Default)]
pub(super) struct Jobs {
    known: HashMap<JobNo, Job>,
    ranges: BTreeMap<TaskNo, JobNo>,
    /// Planned triggers.
    triggers: Timers,
    /// Jobs whose trigger has come, and that wait for their turn.
    due: Fair<JobNo>,
    /// Those of them that still have to trigger.
    to_trigger: HashSet<JobNo>,
    /// Places in devices' queues for single commands that have been accepted and have not triggered.
    reservations: QueueReservations,
    /// Ends of round 0's windows. Apart from the triggers, because many due triggers may wait for their turn.
    first_window_ends: Timers,
}

impl Jobs {
    /// Adds a job, or replaces its row by a newer one.
    pub(super) fn add(&mut self, job: Job) {
        self.forget(job.no);
        if let Some(first) = job.range.first {
            self.ranges.insert(first, job.no);
        }
        if !job.deleted && job.state != JobState::Finished {
            if job.total.is_none() {
                self.triggers.insert((job.release, job.no));
            }
            self.first_window_ends.insert((job.rules().first_window_end(), job.no));
        }
        self.known.insert(job.no, job);
    }

    pub(super) fn forget(&mut self, no: JobNo) {
        self.reservations.release(no);
        let Some(job) = self.known.remove(&no) else { return };
        if let Some(first) = job.range.first {
            self.ranges.remove(&first);
        }
        self.triggers.remove(&(job.release, no));
        self.to_trigger.remove(&no);
        self.first_window_ends.remove(&(job.rules().first_window_end(), no));
    }

    /// Drops all but these: a job that is needed again is read again.
    pub(super) fn keep_only(&mut self, keep: &HashSet<JobNo>) {
        let gone: Vec<JobNo> = self.known.keys().filter(|no| !keep.contains(no)).copied().collect();
        for no in gone {
            self.forget(no);
        }
    }

    pub(super) fn get(&self, no: JobNo) -> Option<&Job> {
        self.known.get(&no)
    }

    /// The job has been cancelled as a whole once more.
    pub(super) fn raise_cancel_mark(&mut self, no: JobNo) {
        if let Some(job) = self.known.get_mut(&no) {
            job.cancels.made += 1;
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Job> {
        self.known.values()
    }

    /// The job that owns a task.
    pub(super) fn of(&self, task: TaskNo) -> Option<&Job> {
        let (_, no) = self.ranges.range(..=task).next_back()?;
        self.known.get(no).filter(|job| job.range.contains(task))
    }

    /// Jobs whose trigger has come, the earliest of each organization first, one organization after the other. At least
    /// one, if there is any, and no more than have that many rows together.
    pub(super) fn take_triggers(&mut self, now: Timestamp, rows_max: u64) -> Vec<JobNo> {
        while let Some((_, no)) = self.triggers.first().filter(|(at, _)| *at <= now).copied() {
            self.triggers.pop_first();
            if let Some(job) = self.known.get(&no) {
                self.due.push(&job.org, no);
                self.to_trigger.insert(no);
            }
        }
        let (mut taken, mut rows) = (Vec::new(), 0);
        while rows < rows_max
            && let Some(no) = self.due.pop()
        {
            if self.to_trigger.remove(&no) {
                rows += self.known.get(&no).map_or(0, |job| job.range.allocated.max(1));
                taken.push(no);
            }
        }
        taken
    }

    /// Jobs whose first window has ended, at most `limit`; their timers are taken out.
    pub(super) fn take_first_window_ends(&mut self, now: Timestamp, limit: usize) -> Vec<JobNo> {
        let ended = self.first_window_ends.iter().take_while(|(at, _)| *at <= now);
        let ended: Vec<(Timestamp, JobNo)> = ended.take(limit).copied().collect();
        for timer in &ended {
            self.first_window_ends.remove(timer);
        }
        ended.into_iter().map(|(_, job)| job).collect()
    }

    /// A known job that is to get a place in this device's queue when it triggers.
    pub(super) fn reserve_place(&mut self, no: JobNo, device: DeviceNo) {
        self.reservations.reserve(no, device);
    }

    /// The job triggers: from now on its task itself counts.
    pub(super) fn release_place(&mut self, no: JobNo) {
        self.reservations.release(no);
    }

    /// How many places in the device's queue are reserved for jobs that have not triggered.
    pub(super) fn reserved_places(&self, device: DeviceNo) -> usize {
        self.reservations.count(device)
    }

    /// The tasks that are to get them.
    pub(super) fn tasks_with_reservation(&self, device: DeviceNo) -> impl Iterator<Item = TaskNo> {
        let jobs = self.reservations.jobs(device).filter_map(|no| self.known.get(&no));
        jobs.filter_map(|job| job.range.first)
    }

    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        let due = self.due.len() + self.to_trigger.len();
        let timers = self.triggers.len() + self.first_window_ends.len();
        self.reservations.size() + self.known.len() + self.ranges.len() + timers + due
    }

    pub(super) fn next_timer(&self) -> Option<Timestamp> {
        let first = [self.triggers.first(), self.first_window_ends.first()];
        let timers = first.into_iter().flatten().map(|(at, _)| *at);
        let waits = (!self.due.is_empty()).then_some(Timestamp(0));
        timers.chain(waits).min()
    }
}
