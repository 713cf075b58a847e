//! The jobs that the engine has to do with, and their timers: one per job and moment, never one per task.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use aldis_core::ids::{JobNo, TaskNo};
use aldis_core::job::JobState;
use aldis_core::time::Timestamp;
use aldis_store::rows::Job;

/// What a job's timer is for. Windows that end come before triggers of the same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The end of round 0's window.
    FirstWindowEnd,
    /// The planned trigger.
    Trigger,
}

#[derive(Debug, Default)]
pub(super) struct Jobs {
    known: HashMap<JobNo, Job>,
    ranges: BTreeMap<TaskNo, JobNo>,
    timers: BTreeSet<(Timestamp, Timer, JobNo)>,
}

impl Jobs {
    /// Takes a job in, or its newer row.
    pub(super) fn add(&mut self, job: Job) {
        self.forget(job.no);
        if let Some(first) = job.first_task {
            self.ranges.insert(first, job.no);
        }
        if !job.deleted && job.state != JobState::Finished {
            if job.total.is_none() {
                self.timers.insert((job.release, Timer::Trigger, job.no));
            }
            self.timers
                .insert((job.rules().first_window_end(), Timer::FirstWindowEnd, job.no));
        }
        self.known.insert(job.no, job);
    }

    pub(super) fn forget(&mut self, no: JobNo) {
        let Some(job) = self.known.remove(&no) else { return };
        if let Some(first) = job.first_task {
            self.ranges.remove(&first);
        }
        self.timers.remove(&(job.release, Timer::Trigger, no));
        self.timers
            .remove(&(job.rules().first_window_end(), Timer::FirstWindowEnd, no));
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

    pub(super) fn get_mut(&mut self, no: JobNo) -> Option<&mut Job> {
        self.known.get_mut(&no)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Job> {
        self.known.values()
    }

    /// The job that owns a task.
    pub(super) fn of(&self, task: TaskNo) -> Option<&Job> {
        let (_, no) = self.ranges.range(..=task).next_back()?;
        self.known.get(no).filter(|job| job.owns(task))
    }

    /// Timers whose moment has come, at most `limit`; they are taken out.
    pub(super) fn take_due(&mut self, now: Timestamp, which: Timer, limit: usize) -> Vec<JobNo> {
        let due: Vec<_> = self
            .timers
            .iter()
            .take_while(|(at, _, _)| *at <= now)
            .filter(|(_, timer, _)| *timer == which)
            .take(limit)
            .copied()
            .collect();
        for timer in &due {
            self.timers.remove(timer);
        }
        due.into_iter().map(|(_, _, job)| job).collect()
    }

    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.known.len() + self.ranges.len() + self.timers.len()
    }

    pub(super) fn next_timer(&self) -> Option<Timestamp> {
        self.timers.first().map(|(at, _, _)| *at)
    }
}
