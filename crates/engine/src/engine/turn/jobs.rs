//! The jobs that a turn has to do with, their timers, and work over many of their rows.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use aldis_core::ids::{JobNo, TaskNo};
use aldis_core::time::Timestamp;
use aldis_store::Error;

use super::Turn;
use crate::engine::work::Bulk;

impl Turn<'_> {
    /// Reads a job by its number if it is not in memory; false if it does not exist.
    pub(in crate::engine) fn find_job(&mut self, no: JobNo) -> Result<bool, Error> {
        self.memory.find_job(self.store, no)
    }

    /// Reads the jobs of these tasks, as far as they exist and are not in memory.
    pub(in crate::engine) fn load_jobs(&mut self, tasks: &[TaskNo]) -> Result<(), Error> {
        self.memory.load_jobs(self.store, tasks)
    }

    /// The job is deleted by this turn: it triggers no more.
    pub(in crate::engine) fn forget_job(&mut self, no: JobNo) {
        self.memory.jobs_mut().forget(no);
    }

    /// The job is cancelled as a whole by this turn: from now on nothing of it is sent.
    pub(in crate::engine) fn raise_cancel_mark(&mut self, no: JobNo) {
        self.memory.jobs_mut().raise_cancel_mark(no);
    }

    /// Counts the rows of a job that this turn cancels. Such rows do not show in the store's count of those that could
    /// be cancelled: the count is added to it after the commit.
    pub(in crate::engine) fn count_settled(&mut self, job: JobNo) -> Arc<AtomicU64> {
        Arc::clone(self.settled.entry(job).or_default())
    }

    /// Jobs whose trigger has come, with no more than that many rows together. They hold no reserved places any more.
    pub(in crate::engine) fn take_triggers(&mut self, rows_max: u64) -> Vec<JobNo> {
        self.memory.jobs_mut().take_triggers(self.now, rows_max)
    }

    /// The job triggers: its task takes the place in the queue that was reserved.
    pub(in crate::engine) fn release_place(&mut self, no: JobNo) {
        self.memory.jobs_mut().release_place(no);
    }

    /// Jobs whose first window has ended, at most `limit`; their timers are taken out.
    pub(in crate::engine) fn take_first_window_ends(&mut self, limit: usize) -> Vec<JobNo> {
        self.memory.jobs_mut().take_first_window_ends(self.now, limit)
    }

    /// Whether a task has a moment of its own that has come.
    pub(in crate::engine) fn has_due_tasks(&self) -> bool {
        self.memory.next_due().is_some_and(|due| due <= self.now)
    }

    /// The earliest moment of a task's own, as it was just read.
    pub(in crate::engine) fn set_next_due(&mut self, at: Option<Timestamp>) {
        self.memory.set_next_due(at);
    }

    /// A task has a moment of its own.
    pub(in crate::engine) fn note_due(&mut self, at: Option<Timestamp>) {
        self.memory.note_due(at);
    }

    pub(in crate::engine) fn push_bulk(&mut self, bulk: Bulk) {
        self.memory.push_bulk(bulk);
    }

    pub(in crate::engine) fn next_bulk(&mut self) -> Option<Bulk> {
        self.memory.next_bulk()
    }

    /// Rows that one slice of bulk work may have.
    pub(in crate::engine) fn rows_per_slice(&self, devices_spoke: bool) -> usize {
        self.memory.rows_per_slice(devices_spoke)
    }
}
