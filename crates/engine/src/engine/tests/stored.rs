//! What is stored, and what must hold of it after every turn.

use std::collections::{BTreeMap, BTreeSet};

use aldis_core::ids::{DeviceNo, JobNo, OrgId, TaskNo};
use aldis_core::job::{Counters, JobState, roll_up};
use aldis_core::task::{AttemptRecord, State, Task};
use aldis_store::rows::{Device, Job, Slot};
use aldis_store::{
    DeviceRef, Done, JobTasks, Page, ReadDevices, ReadJobs, ReadJournal, StepWrite, Store, Write, held_slots,
};
use aldis_store_memory::MemoryStore;

use super::bench::Bench;
use super::sample::ORG;

impl Bench {
    pub(super) fn task(&self, no: TaskNo) -> Task {
        self.store.tasks(&[no]).unwrap().remove(0).expect("the task exists")
    }

    pub(super) fn state(&self, no: TaskNo) -> State {
        self.task(no).state
    }

    pub(super) fn states(&self, tasks: &[TaskNo]) -> Vec<State> {
        tasks.iter().map(|no| self.state(*no)).collect()
    }

    /// Code and description of the task's result.
    pub(super) fn result(&self, no: TaskNo) -> (i64, String) {
        let result = self.task(no).result.expect("a result");
        (result.code, result.desc)
    }

    pub(super) fn code(&self, no: TaskNo) -> i64 {
        self.result(no).0
    }

    pub(super) fn history(&self, no: TaskNo) -> Vec<AttemptRecord> {
        self.store.history(no).unwrap()
    }

    pub(super) fn job(&self, no: JobNo) -> Job {
        self.store.job(no).unwrap().expect("the job exists").job
    }

    pub(super) fn job_state(&self, no: JobNo) -> JobState {
        self.job(no).state
    }

    pub(super) fn job_of(&self, task: TaskNo) -> Job {
        self.store.jobs_of(&[task]).unwrap().remove(0)
    }

    pub(super) fn jobs(&self) -> Vec<Job> {
        let all = Page {
            skip: 0,
            take: u64::MAX,
        };
        let found = self.store.search_jobs(&OrgId::from(ORG), None, all).unwrap();
        found.rows.into_iter().map(|detail| detail.job).collect()
    }

    pub(super) fn tasks_of(&self, job: JobNo) -> Vec<Task> {
        self.store
            .job_tasks(&self.job(job), JobTasks::All, None, usize::MAX)
            .unwrap()
    }

    /// The task with the largest number.
    pub(super) fn last_task(&self) -> TaskNo {
        self.jobs()
            .iter()
            .flat_map(|job| self.tasks_of(job.no))
            .map(|task| task.no)
            .max()
            .expect("a task")
    }

    pub(super) fn slots(&self) -> BTreeMap<DeviceNo, Slot> {
        let at_work = self.store.jobs_at_work().unwrap();
        let held = held_slots(&self.store, &at_work).unwrap();
        let slots: BTreeMap<DeviceNo, Slot> = held.iter().map(|slot| (slot.device, *slot)).collect();
        assert_eq!(slots.len(), held.len(), "a slot is stored once: {held:?}");
        slots
    }

    pub(super) fn device(&self, no: DeviceNo) -> Device {
        self.store
            .devices(&[DeviceRef::No(no)])
            .unwrap()
            .remove(0)
            .expect("the device exists")
    }

    pub(super) fn check(&self) {
        let slots = self.slots();
        let mut out = BTreeSet::new();
        for job in self.jobs() {
            let tasks = self.tasks_of(job.no);
            check_counters(&job, &tasks);
            for task in tasks.iter().filter(|task| task.state.is_out()) {
                assert!(
                    out.insert(task.device),
                    "two attempts are out for device {:?}",
                    task.device
                );
                let slot = slots.get(&task.device).map(|slot| (slot.task, slot.attempt));
                assert_eq!(
                    slot,
                    Some((task.no, task.attempt)),
                    "an attempt that is out holds its device's slot"
                );
            }
        }
    }
}

fn check_counters(job: &Job, tasks: &[Task]) {
    let mut recount = Counters::default();
    for task in tasks {
        recount.add(task.state, 1);
    }
    assert_eq!(job.counters, recount, "counters are a recount of {:?}", job.no);
    let cancelled_before = job.cancels.made > 0 && job.total.is_none();
    assert_eq!(
        job.state,
        roll_up(job.total, &recount, cancelled_before),
        "state of {:?}",
        job.no
    );
}

/// Changes a row behind the engine's back.
pub(super) fn meddle(store: &mut MemoryStore, no: TaskNo, change: impl FnOnce(&mut Task)) {
    let before = store.tasks(&[no]).unwrap().remove(0).expect("the task exists");
    let job = store.jobs_of(&[no]).unwrap().remove(0);
    let mut task = before.clone();
    change(&mut task);
    let wake_at = task.wake_at(&job.rules());
    let step = StepWrite {
        job: job.no,
        from: (before.state, before.attempt),
        task,
        wake_at,
        ended: Vec::new(),
    };
    let (_, clock) = store.last_commit().unwrap();
    let done = store
        .commit(store.epoch(), clock, &[Write::Steps(vec![step])])
        .unwrap()
        .done;
    assert_eq!(done, [Done::Steps(vec![true])]);
}

/// As if another node had brought the task to this state.
pub(super) fn settle_as(store: &mut MemoryStore, no: TaskNo, state: State) {
    meddle(store, no, |task| task.state = state);
}
