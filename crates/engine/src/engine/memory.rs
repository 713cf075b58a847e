//! All that the engine keeps between turns. It can be read again from the store, but for the sessions themselves.

use std::collections::HashSet;
use std::sync::Arc;

use aldis_core::ids::{DeviceNo, JobNo, OrgId, TaskNo};
use aldis_core::job::JobState;
use aldis_core::task::{State, Task, Visits};
use aldis_core::time::Timestamp;
use aldis_store::rows::Job;
use aldis_store::{Committed, Done, Error, Read, ReadJobs, Write, held_slots};

use super::bulk::Bulk;
use super::commands::kept_command;
use super::devices::Devices;
use super::fair::Fair;
use super::jobs::Jobs;
use super::queue::{Place, Queue};
use super::task_cache::TaskCache;
use super::turn_budget::TurnBudget;
use crate::clock::Reading;
use crate::generational_cache::GenerationalCache;
use crate::latest::LatestValues;
use crate::proofs::Proofs;
use crate::shared::Shared;
use crate::trace::Traces;

/// For this long after a start, a device that has been seen before counts as busy, not as absent: it is on its way
/// back.
const RETURNING_MS: i64 = 60_000;
/// Commits after which jobs that have nothing left to do are dropped from memory.
const COMMITS_PER_SWEEP: u64 = 512;

pub(super) struct Memory {
    pub(super) jobs: Jobs,
    pub(super) devices: Devices,
    pub(super) tasks: TaskCache,
    pub(super) bulk: Fair<Bulk>,
    pub(super) budget: TurnBudget,
    /// The earliest moment at which a task of its own has to be looked at.
    pub(super) next_due: Option<Timestamp>,
    pub(super) traces: Arc<Traces>,
    pub(super) latest: Arc<LatestValues>,
    pub(super) proofs: Arc<Proofs>,
    pub(super) stopping: bool,
    /// What is in memory may not be what is stored.
    pub(super) stale: bool,
    /// The last turn failed: what it had to do comes first, and nothing new is sent before it is stored.
    pub(super) recovering: bool,
    started: Timestamp,
    /// Devices that have come since the start, as long as that matters.
    came: HashSet<DeviceNo>,
    /// Devices that came lately and left before they were ready.
    pub(super) visits: GenerationalCache<DeviceNo, Visits>,
    /// The clock is in doubt: nothing is sent, and nothing ends.
    pub(super) held: bool,
    /// The present moment, or the wall clock's if that is earlier.
    pub(super) earlier_now: Timestamp,
    commits: u64,
}

impl Memory {
    pub(super) fn new(time: Reading, shared: &Shared) -> Self {
        Self {
            jobs: Jobs::default(),
            devices: Devices::default(),
            tasks: TaskCache::default(),
            bulk: Fair::default(),
            budget: TurnBudget::default(),
            next_due: None,
            traces: Arc::clone(&shared.traces),
            latest: Arc::clone(&shared.latest),
            proofs: Arc::clone(&shared.proofs),
            stopping: false,
            stale: false,
            recovering: false,
            started: time.now,
            came: HashSet::new(),
            visits: GenerationalCache::default(),
            held: time.held,
            earlier_now: time.earlier,
            commits: 0,
        }
    }

    /// Reads everything again but the sessions, whose queues are read anew.
    pub(super) fn reload(&mut self, store: &dyn Read, now: Timestamp) -> Result<(), Error> {
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

    /// Work on a job, behind what its organization has waiting. That of a job which is not known any more has turns of
    /// its own.
    pub(super) fn push_bulk(&mut self, bulk: Bulk) {
        let org = self.jobs.get(bulk.job()).map(|job| job.org.clone());
        self.bulk.push(&org.unwrap_or_else(|| OrgId::from("")), bulk);
    }

    /// A job as it is stored, with the bulk work that it still needs.
    fn take_up(&mut self, job: Job) {
        let no = job.no;
        if job.deleted {
            self.bulk.push(&job.org, Bulk::Purge { job: no });
            return;
        }
        if job.cancel_mark > job.settled_mark {
            let settle = Bulk::Settle {
                job: no,
                mark: job.cancel_mark,
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

    /// Makes the jobs of these tasks known, as far as they exist.
    pub(super) fn load_jobs(&mut self, store: &dyn Read, tasks: &[TaskNo]) -> Result<(), Error> {
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

    /// The places of queued tasks. A task whose job is not known any more has none.
    pub(super) fn places(&self, tasks: &[Task]) -> Queue {
        tasks.iter().filter_map(|task| self.place(task)).collect()
    }

    pub(super) fn place(&self, task: &Task) -> Option<Place> {
        let job = self.jobs.of(task.no)?;
        Some(Place {
            due: task.due_at(&job.rules()),
            job: job.no,
            task: task.no,
        })
    }

    /// What a commit has made new: jobs created, jobs triggered.
    pub(super) fn learn(&mut self, store: &dyn Read, writes: &[Write], committed: &Committed) -> Result<(), Error> {
        for (write, done) in writes.iter().zip(&committed.done) {
            match (write, done) {
                (Write::CreateJob(_), Done::Job { no, created: true }) => {
                    self.learn_job(store, *no)?;
                    if let Some((_, device)) = kept_command(write) {
                        self.jobs.reserve_place(*no, device);
                    }
                }
                (Write::TriggerJob { job }, Done::Count(_)) => self.learn_job(store, *job)?,
                (Write::WriteTasks { job, .. }, Done::Yes) => self.refresh_job(store, *job)?,
                (Write::CancelJob { job, .. }, Done::Count(_)) => self.settle_job(store, *job)?,
                (Write::PurgeJob { job, limit }, Done::Count(removed)) if *removed >= *limit as u64 => {
                    self.push_bulk(Bulk::Purge { job: *job });
                }
                (Write::DeleteJob { job, .. }, Done::Yes) => self.forget_deleted(*job),
                (Write::DeleteJob { job, .. }, Done::Refused(_)) => self.remember_job(store, *job)?,
                (Write::Steps(steps), Done::Steps(applied)) if applied.contains(&false) => {
                    tracing::error!(
                        lost = applied.iter().filter(|applied| !**applied).count(),
                        of = steps.len(),
                        "steps lost their race"
                    );
                    self.stale = true;
                }
                _ => {}
            }
        }
        self.commits += 1;
        if self.commits.is_multiple_of(COMMITS_PER_SWEEP) {
            self.sweep(store)?;
        }
        Ok(())
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
            mark: detail.job.cancel_mark,
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

    /// What a commit has stored of present devices need not be read again.
    pub(super) fn cache_committed(&mut self, writes: Vec<Write>, committed: &Committed) {
        for (write, done) in writes.into_iter().zip(&committed.done) {
            match (write, done) {
                (Write::Steps(steps), Done::Steps(applied)) => {
                    let stored = steps.into_iter().zip(applied).filter(|(_, applied)| **applied);
                    stored.for_each(|(step, _)| self.cache_task(step.task));
                }
                (Write::WriteTasks { tasks, .. }, Done::Yes) => {
                    tasks.into_iter().for_each(|born| self.cache_task(born.task))
                }
                _ => {}
            }
        }
    }

    /// Keeps a row as it is stored, if it is likely to be needed.
    pub(super) fn cache_task(&mut self, task: Task) {
        if TaskCache::is_worth_keeping(&task) && self.devices.session(task.device).is_some() {
            self.tasks.insert(task);
        }
    }

    /// A device has gone: its tasks are read again when it comes back.
    pub(super) fn forget_tasks_of(&mut self, device: DeviceNo) {
        let held = self.devices.held(device).map(|held| held.slot.task);
        let waiting: Vec<TaskNo> = self.devices.waiting_at_hand(device).collect();
        for task in waiting.into_iter().chain(held) {
            self.tasks.take(task);
        }
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

    /// A device not seen since the start may yet come back; one that was here and has left may not.
    pub(super) fn is_returning(&self, device: DeviceNo, now: Timestamp) -> bool {
        now < self.started.plus_ms(RETURNING_MS) && !self.came.contains(&device)
    }

    /// A device has logged in.
    pub(super) fn note_arrival(&mut self, device: DeviceNo, now: Timestamp) {
        if now < self.started.plus_ms(RETURNING_MS) {
            self.came.insert(device);
        } else if !self.came.is_empty() {
            self.came = HashSet::new();
        }
    }

    pub(super) fn may_dispatch(&self) -> bool {
        !self.stopping && !self.recovering && !self.held
    }

    /// Whether nothing is sent because the clock is in doubt.
    pub(super) fn is_clock_in_doubt(&self) -> bool {
        self.held
    }

    /// The clock is in doubt no more. For devices that have not come yet it is as if the server started now.
    pub(super) fn go_on(&mut self, now: Timestamp) {
        self.started = now;
        self.devices.refresh_all();
    }

    /// The first bulk work that may be done now: what ends tasks, or has them become due, waits while the time is held.
    pub(super) fn next_bulk(&mut self) -> Option<Bulk> {
        let held = self.held;
        self.bulk.pop_first(|bulk| !(held && bulk.waits_for_the_clock()))
    }

    fn has_bulk(&self) -> bool {
        self.bulk.any(|bulk| !(self.held && bulk.waits_for_the_clock()))
    }

    /// A task has a moment of its own.
    pub(super) fn note_due(&mut self, at: Option<Timestamp>) {
        self.next_due = self.next_due.into_iter().chain(at).min();
    }

    pub(super) fn has_work(&self) -> bool {
        self.stale || self.has_bulk() || (self.may_dispatch() && self.devices.has_ready())
    }

    /// How many things are kept: must not grow with time.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.jobs.size() + self.devices.size() + self.tasks.size() + self.bulk.len()
    }

    pub(super) fn next_moment(&self) -> Option<Timestamp> {
        let reported = self.latest.next_due();
        [
            self.jobs.next_timer(),
            self.devices.next_deadline(),
            self.next_due,
            reported,
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

/// Single commands that may wait and have not triggered: stored by the last commit before a start, or before one that
/// failed.
fn reserved_places(store: &dyn ReadJobs, at_work: &[Job]) -> Result<Vec<(JobNo, DeviceNo)>, Error> {
    let untriggered = |job: &&Job| job.single && job.policy.ttl_ms > 0 && job.total.is_none() && job.cancel_mark == 0;
    let kept = at_work.iter().filter(untriggered).filter(|job| !job.deleted);
    let (jobs, tasks): (Vec<JobNo>, Vec<TaskNo>) = kept.filter_map(|job| Some((job.no, job.first_task?))).unzip();
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

/// A task that waits for its turn.
pub(super) fn is_queued(task: &Task) -> bool {
    task.state == State::Queued
}
