//! Tasks: rows, their history, steps, slots. What a task becomes was decided by `core::task::step`; here it is compared
//! and kept.

use std::collections::{BTreeMap, BTreeSet};

use aldis_core::ids::{DeviceNo, JobNo, TaskNo};
use aldis_core::task::{AttemptOutcome, AttemptRecord, State, Task};
use aldis_core::time::Timestamp;
use aldis_store::rows::{Job, Slot};
use aldis_store::{Done, Refusal, StepWrite};

use super::Contents;
use super::apply::Applied;

#[derive(Default)]
pub(super) struct Tasks {
    rows: BTreeMap<TaskNo, Row>,
    history: BTreeMap<TaskNo, Vec<AttemptRecord>>,
    /// Rows in state `Queued` or `RetryWait`, by device.
    waiting: BTreeSet<(DeviceNo, TaskNo)>,
    /// Rows with a moment of their own.
    wakes: BTreeSet<(Timestamp, TaskNo)>,
}

struct Row {
    task: Task,
    wake_at: Option<Timestamp>,
}

impl Tasks {
    pub(super) fn get(&self, no: TaskNo) -> Option<&Task> {
        self.rows.get(&no).map(|row| &row.task)
    }

    /// All rows, by number.
    pub(super) fn all(&self) -> impl DoubleEndedIterator<Item = &Task> {
        self.rows.values().map(|row| &row.task)
    }

    /// The numbers of a job's rows.
    pub(super) fn range_of(&self, job: &Job) -> Vec<TaskNo> {
        let Some(first) = job.range.first else {
            return Vec::new();
        };
        let after_last = TaskNo(first.0 + job.range.allocated);
        self.rows.range(first..after_last).map(|(no, _)| *no).collect()
    }

    /// Tasks of a device in state `Queued` or `RetryWait`.
    pub(super) fn waiting(&self, device: DeviceNo) -> impl Iterator<Item = &Task> {
        let range = (device, TaskNo(0))..=(device, TaskNo(u64::MAX));
        self.waiting.range(range).filter_map(|(_, no)| self.get(*no))
    }

    /// Moments and their tasks, earliest first.
    pub(super) fn wakes(&self) -> impl Iterator<Item = (Timestamp, TaskNo)> {
        self.wakes.iter().copied()
    }

    pub(super) fn history(&self, no: TaskNo) -> Vec<AttemptRecord> {
        let mut rows = self.history.get(&no).cloned().unwrap_or_default();
        rows.sort_by_key(|ended| (ended.attempt, ended.times.ended));
        rows
    }

    pub(super) fn remove(&mut self, no: TaskNo) {
        self.history.remove(&no);
        self.take(no);
    }

    /// Puts a row in the place of the one with its number, and says in which state that was.
    fn put(&mut self, task: Task, wake_at: Option<Timestamp>) -> Option<State> {
        let before = self.take(task.no);
        if is_waiting(&task) {
            self.waiting.insert((task.device, task.no));
        }
        self.wakes.extend(wake_at.map(|at| (at, task.no)));
        self.rows.insert(task.no, Row { task, wake_at });
        before.map(|row| row.task.state)
    }

    /// Changes the moments of a row. Its state stays, so that no counter follows.
    pub(super) fn change(&mut self, no: TaskNo, change: impl FnOnce(&mut Task, &mut Option<Timestamp>)) {
        if let Some(Row { mut task, mut wake_at }) = self.take(no) {
            change(&mut task, &mut wake_at);
            self.put(task, wake_at);
        }
    }

    /// Every row of the history, and whose it is.
    pub(super) fn all_history_mut(&mut self) -> impl Iterator<Item = (TaskNo, &mut AttemptRecord)> {
        let rows = self.history.iter_mut();
        rows.flat_map(|(no, rows)| rows.iter_mut().map(|ended| (*no, ended)))
    }

    fn take(&mut self, no: TaskNo) -> Option<Row> {
        let row = self.rows.remove(&no)?;
        self.waiting.remove(&(row.task.device, no));
        if let Some(at) = row.wake_at {
            self.wakes.remove(&(at, no));
        }
        Some(row)
    }

    fn add_history(&mut self, no: TaskNo, ended: &[AttemptRecord]) {
        for new in ended {
            let rows = self.history.entry(no).or_default();
            let is_late = |row: &AttemptRecord| row.how == AttemptOutcome::Late && row.attempt == new.attempt;
            if new.how != AttemptOutcome::Late || !rows.iter().any(is_late) {
                rows.push(new.clone());
            }
        }
    }
}

fn is_waiting(task: &Task) -> bool {
    matches!(task.state, State::Queued | State::RetryWait)
}

impl Contents {
    /// Writes a row; the job's counters and state follow.
    pub(super) fn put_task(&mut self, job: JobNo, task: Task, wake_at: Option<Timestamp>) {
        let to = task.state;
        let from = self.tasks.put(task, wake_at);
        self.count_task(job, from, to);
    }

    pub(super) fn write_tasks(
        &mut self,
        job: JobNo,
        after: DeviceNo,
        cursor: DeviceNo,
        tasks: &[StepWrite],
    ) -> Applied {
        let stored = self.members_cursor(job)?;
        if *stored != after {
            return Err(Refusal::Unchanged);
        }
        *stored = cursor;
        for write in tasks {
            self.put_step(write);
        }
        Ok(Done::Yes)
    }

    pub(super) fn take_steps(&mut self, steps: &[StepWrite]) -> Done {
        Done::Steps(steps.iter().map(|step| self.take_step(step)).collect())
    }

    fn take_step(&mut self, step: &StepWrite) -> bool {
        let is_job = self.jobs.of(step.task.no).is_some_and(|row| row.job.no == step.job);
        let stored = self.tasks.get(step.task.no).filter(|_| is_job);
        let unmoved = stored.is_some_and(|task| (task.state, task.attempt) == step.from);
        if unmoved {
            self.put_step(step);
        }
        unmoved
    }

    fn put_step(&mut self, step: &StepWrite) {
        self.put_task(step.job, step.task.clone(), step.wake_at);
        self.tasks.add_history(step.task.no, &step.ended);
    }

    pub(super) fn set_slots(&mut self, slots: &[(DeviceNo, Option<Slot>)]) -> Done {
        for (device, slot) in slots {
            match slot {
                Some(slot) => self.slots.insert(*device, *slot),
                None => self.slots.remove(device),
            };
        }
        Done::Yes
    }
}
