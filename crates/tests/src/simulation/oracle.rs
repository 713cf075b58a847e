//! What must hold, written down from outside: from what operators were answered and what devices received.
//!
//! Nothing here asks the engine. Each rule has a name, which a violation carries.

mod told;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use aldis_core::ids::{DeviceNo, JobNo, TaskNo, WireId};
use aldis_core::time::Timestamp;

use super::operation::{Draft, ReplyKind};
use super::operator::Shown;

/// Something that must never be was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The rule's name.
    pub rule: &'static str,
    /// What was seen.
    pub what: String,
}

pub(super) type Checked = Result<(), Violation>;

pub(super) fn broken(rule: &'static str, what: impl Into<String>) -> Checked {
    Err(Violation {
        rule,
        what: what.into(),
    })
}

/// When a job was created, by every measure.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begun {
    /// The server's clock.
    pub(super) clock: Timestamp,
    /// The time that had really passed since the history began.
    pub(super) passed_ms: i64,
    /// Processes up to then.
    pub(super) starts: u64,
    /// The server's clock was in doubt.
    pub(super) in_doubt: bool,
}

/// Of this many milliseconds, the server's clock may gain one.
const GAIN_PART: i64 = 900;

/// A job as its operator knows it.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) name: String,
    pub(super) draft: Draft,
    /// Its devices' keys; empty for a whole product.
    pub(super) keys: Vec<String>,
    /// Known from the answer, or found later.
    pub(super) no: Option<JobNo>,
    /// Its creation was answered, so it must exist.
    pub(super) acknowledged: bool,
    /// Its deletion was answered, so it must not exist.
    pub(super) deleted: bool,
    /// Its deletion may have been carried out.
    pub(super) maybe_deleted: bool,
    pub(super) created: Timestamp,
    begun: Begun,
    /// Created by a clock that has been set back since: its moments are not those that its operator was told.
    times_changed: bool,
    barred: u64,
    freed: u64,
    retries_asked: u64,
    /// It was cancelled as a whole, or that may have been carried out.
    pub(super) maybe_cancelled: bool,
}

impl Job {
    /// How long a round of a task lasts at the least.
    fn window_ms(&self) -> i64 {
        if self.draft.ttl_s > 0 {
            i64::from(self.draft.ttl_s) * 1_000
        } else {
            self.reply_ms()
        }
    }

    fn reply_ms(&self) -> i64 {
        i64::from(self.draft.reply_s) * 1_000
    }

    /// Whether so much time has really passed since the trigger. Of a job that was there before the present process
    /// nothing can be told: a start believes a wall clock that is ahead by less than a month. Nor of one that was
    /// created while the clock was in doubt: its operator was told so, and its window counts from the last commit on.
    fn may_have_lasted(&self, ms: i64, passed_ms: i64, starts: u64) -> bool {
        let needed = i64::from(self.draft.trigger_s) * 1_000 + ms;
        starts > self.begun.starts
            || self.begun.in_doubt
            || passed_ms - self.begun.passed_ms >= needed - needed / GAIN_PART - 1
    }

    /// Whether its trigger must have come.
    pub(super) fn has_triggered(&self, now: Timestamp) -> bool {
        !self.times_changed && self.release() <= now
    }

    pub(super) fn release(&self) -> Timestamp {
        self.created.plus_ms(i64::from(self.draft.trigger_s) * 1_000)
    }
}

#[derive(Debug, Default)]
struct TaskFacts {
    made: u64,
    received: u64,
    succeeded: bool,
    codes: BTreeSet<Option<i64>>,
    barred: u64,
    cancel_asked: bool,
    freed: u64,
    retries_asked: u64,
    /// A success was made durable: nothing more is sent until a retry of this very task is requested.
    success_durable: u64,
    last: Option<Shown>,
    retries_asked_at_last: u64,
}

#[derive(Debug)]
struct Open {
    wire: WireId,
    deadline: Timestamp,
    taken: bool,
    /// Its device has said something about it; whether that is stored is another matter.
    answered: bool,
    closed: bool,
}

/// All that is known from outside.
#[derive(Default)]
pub(super) struct Oracle {
    pub(super) jobs: Vec<Job>,
    tasks: BTreeMap<TaskNo, TaskFacts>,
    job_of: BTreeMap<TaskNo, JobNo>,
    left: HashSet<WireId>,
    open: BTreeMap<DeviceNo, Open>,
    disabled: BTreeSet<DeviceNo>,
    gone: BTreeSet<DeviceNo>,
    /// Keys of devices whose disabling or replacement was requested.
    touched: BTreeSet<String>,
    /// Keys of devices that were sent something, and when first.
    active: BTreeMap<String, Timestamp>,
    order: u64,
    pub(super) received: u64,
    /// A commit was stored and its answer lost: attempts may have been made that were never handed out.
    pub(super) unsure: bool,
}

impl Oracle {
    fn tick(&mut self) -> u64 {
        self.order += 1;
        self.order
    }

    pub(super) fn created(&mut self, draft: Draft, keys: Vec<String>, name: String, no: Option<JobNo>, begun: Begun) {
        self.jobs.push(Job {
            name,
            draft,
            keys,
            no,
            acknowledged: no.is_some(),
            deleted: false,
            maybe_deleted: false,
            created: begun.clock,
            begun,
            times_changed: false,
            barred: 0,
            freed: 0,
            retries_asked: 0,
            maybe_cancelled: false,
        });
    }

    /// An operator has had the server believe the wall clock, though what is stored is later.
    pub(super) fn times_have_changed(&mut self) {
        self.jobs.iter_mut().for_each(|job| job.times_changed = true);
        // Moments of before compare with none of after.
        self.open.values_mut().for_each(|open| open.closed = true);
        self.active.clear();
    }

    fn job(&self, no: JobNo) -> Option<&Job> {
        self.jobs.iter().find(|job| job.no == Some(no))
    }

    /// Whose task this is; ranges of task numbers grow with the jobs, and views tell them.
    fn job_of_task(&self, task: TaskNo) -> Option<&Job> {
        self.job_of.get(&task).and_then(|no| self.job(*no))
    }

    // --- What operators asked for.

    /// Its cancellation was requested, with any outcome.
    pub(super) fn cancel_asked(&mut self, task: TaskNo) {
        self.tasks.entry(task).or_default().cancel_asked = true;
    }

    /// From now on nothing of these is sent until a retry is asked for.
    pub(super) fn bar_tasks(&mut self, tasks: &[TaskNo]) {
        let at = self.tick();
        for task in tasks {
            self.tasks.entry(*task).or_default().barred = at;
        }
    }

    pub(super) fn bar_job(&mut self, job: usize) {
        self.jobs[job].barred = self.tick();
    }

    /// A retry was asked for, whatever came of it.
    pub(super) fn free_tasks(&mut self, tasks: &[TaskNo]) {
        let at = self.tick();
        for task in tasks {
            let facts = self.tasks.entry(*task).or_default();
            facts.freed = at;
            facts.retries_asked += 1;
        }
    }

    /// The retry has been answered, or its outcome is unknown.
    pub(super) fn free_again(&mut self, task: TaskNo) {
        self.tasks.entry(task).or_default().freed = self.tick();
    }

    pub(super) fn free_job(&mut self, job: usize) {
        let at = self.tick();
        self.jobs[job].freed = at;
        self.jobs[job].retries_asked += 1;
    }

    /// The disabling or replacement of this device was requested, with any outcome.
    pub(super) fn touched(&mut self, key: &str) {
        self.touched.insert(key.to_owned());
    }

    /// An attempt for this device was stored: so it has been online before.
    pub(super) fn active(&mut self, key: &str, at: Timestamp) {
        self.active.entry(key.to_owned()).or_insert(at);
    }

    pub(super) fn disabled(&mut self, device: DeviceNo, disabled: bool) {
        if disabled {
            self.disabled.insert(device);
        } else {
            self.disabled.remove(&device);
        }
    }

    pub(super) fn gone(&mut self, device: DeviceNo) {
        self.gone.insert(device);
    }

    // --- What went to devices, and came from them.

    /// An attempt was made: its device's place must be free.
    pub(super) fn ordered(&mut self, device: DeviceNo, wire: WireId, now: Timestamp, reply_ms: i64) -> Checked {
        if let Some(open) = self.open.get(&device)
            && open.taken
            && !(open.closed || self.unsure && open.answered)
            && now < open.deadline
        {
            let (before, until) = (open.wire, open.deadline.0);
            return broken(
                "one_in_flight",
                format!("{wire} at {} while {before} is out until {until}", now.0),
            );
        }
        self.tasks.entry(wire.task()).or_default().made += 1;
        let deadline = now.plus_ms(reply_ms);
        self.open.insert(
            device,
            Open {
                wire,
                deadline,
                taken: false,
                answered: false,
                closed: false,
            },
        );
        Ok(())
    }

    /// The socket takes an attempt: from here on the device may have it.
    pub(super) fn leaves(&mut self, device: DeviceNo, wire: WireId, wall: Timestamp) -> Checked {
        if !self.left.insert(wire) {
            return broken("never_doubled", format!("{wire} left twice"));
        }
        match self.open.get_mut(&device) {
            Some(open) if open.wire == wire => open.taken = true,
            _ => {
                return broken(
                    "one_in_flight",
                    format!("{wire} left though another attempt was made since"),
                );
            }
        }
        if self.disabled.contains(&device) {
            return broken("nothing_to_the_disabled", format!("{wire} left for a disabled device"));
        }
        if self.gone.contains(&device) {
            return broken("nothing_to_the_deleted", format!("{wire} left for a deleted device"));
        }
        self.received += 1;
        let task = wire.task();
        self.tasks.entry(task).or_default().received += 1;
        self.may_leave(task, wire, wall)
    }

    fn may_leave(&self, task: TaskNo, wire: WireId, wall: Timestamp) -> Checked {
        let Some(facts) = self.tasks.get(&task) else {
            return Ok(());
        };
        let Some(job) = self.job_of_task(task) else {
            return Ok(());
        };
        if job.deleted {
            return broken("nothing_of_deleted_jobs", format!("{wire}"));
        }
        if facts.barred.max(job.barred) > facts.freed.max(job.freed) {
            return broken("nothing_after_cancel", format!("{wire}"));
        }
        if facts.success_durable > facts.freed {
            return broken("nothing_after_success", format!("{wire}"));
        }
        let first = job.draft.retries == 0 && facts.retries_asked == 0 && job.retries_asked == 0;
        if first && job.acknowledged && wall >= job.release().plus_ms(job.window_ms()) {
            return broken("nothing_after_its_window", format!("{wire} at {}", wall.0));
        }
        Ok(())
    }

    /// A device has said this about an attempt; it may still be lost.
    pub(super) fn said(&mut self, device: DeviceNo, wire: WireId, answer: ReplyKind) {
        if let Some(open) = self.open.get_mut(&device).filter(|open| open.wire == wire) {
            open.answered = true;
        }
        let facts = self.tasks.entry(wire.task()).or_default();
        match answer {
            ReplyKind::Well => facts.succeeded = true,
            ReplyKind::Badly(code) => drop(facts.codes.insert(Some(code))),
            ReplyKind::Rubbish => drop(facts.codes.insert(None)),
        }
    }

    /// The server has acknowledged a reply: what it said must hold from now on.
    pub(super) fn durable(&mut self, device: DeviceNo, wire: WireId, answer: ReplyKind) {
        let at = self.tick();
        if let Some(open) = self.open.get_mut(&device).filter(|open| open.wire == wire) {
            open.closed = true;
        }
        if answer == ReplyKind::Well {
            let facts = self.tasks.entry(wire.task()).or_default();
            facts.success_durable = at;
        }
    }

    /// The attempt that holds a device's place, if one does.
    pub(super) fn holding(&self, device: DeviceNo) -> Option<WireId> {
        self.open.get(&device).filter(|open| !open.closed).map(|open| open.wire)
    }

    /// Whether the device has, or may have, the attempt.
    pub(super) fn has_left(&self, wire: WireId) -> bool {
        self.left.contains(&wire)
    }

    // --- What the API shows.

    /// These are the tasks of a job.
    pub(super) fn learn(&mut self, job: JobNo, tasks: &[Shown]) {
        for task in tasks {
            self.job_of.insert(task.no, job);
        }
    }

    /// One task, as shown.
    pub(super) fn look_at(&mut self, index: usize, task: &Shown, now: Begun) -> Checked {
        let job = &self.jobs[index];
        let unknown = TaskFacts::default();
        self.is_true(job, self.tasks.get(&task.no).unwrap_or(&unknown), task, now)?;
        let asked_of_job = job.retries_asked;
        let budget = u64::from(job.draft.retries);
        let facts = self.tasks.entry(task.no).or_default();
        let asked = facts.retries_asked + asked_of_job;
        let id = task.no.to_task_id();
        if let Some(last) = &facts.last {
            if last.is_final() && last.status != task.status && asked == facts.retries_asked_at_last {
                return broken(
                    "final_stays_final",
                    format!("{id} was {} and is {}", last.status, task.status),
                );
            }
            if task.auto < last.auto || task.manual < last.manual {
                return broken("counts_only_grow", format!("{id}: {last:?} became {task:?}"));
            }
        }
        if facts.received > 1 + task.auto + task.manual {
            return broken(
                "one_attempt_per_round",
                format!("{id} left {} times: {task:?}", facts.received),
            );
        }
        if task.auto > budget * (1 + task.manual) {
            return broken("retries_within_the_budget", format!("{id}: {task:?}"));
        }
        if task.manual > asked {
            return broken("retries_are_asked_for", format!("{id}: {task:?}, asked for {asked}"));
        }
        facts.retries_asked_at_last = asked;
        facts.last = Some(task.clone());
        Ok(())
    }
}
