//! All that the engine keeps between turns. It can be read again from the store, but for the sessions themselves.

mod commit;
mod load;

use std::collections::HashSet;
use std::sync::Arc;

use aldis_core::ids::{DeviceNo, OrgId, TaskNo};
use aldis_core::task::{State, Task, Visits};
use aldis_core::time::Timestamp;
use aldis_store::Write;

use super::devices::{Devices, Eligible};
use super::fair::Fair;
use super::jobs::Jobs;
use super::queue::{Queue, QueuePosition};
use super::task_cache::TaskCache;
use super::turn_budget::{self, TurnBudget};
use super::work::Bulk;
use crate::clock::Reading;
use crate::generational_cache::GenerationalCache;
use crate::latest::LatestValues;
use crate::link::{DeviceEvent, SessionNo};
use crate::proofs::Proofs;
use crate::shared::Shared;
use crate::trace::{self, Traces};
use crate::writer::WriterRequest;

/// For this long after a start, a device that has been seen before counts as busy, not as absent: it is on its way
/// back.
const RETURNING_MS: i64 = 60_000;

pub(super) struct Memory {
    jobs: Jobs,
    devices: Devices,
    tasks: TaskCache,
    bulk: Fair<Bulk>,
    budget: TurnBudget,
    /// The earliest moment at which a task of its own has to be looked at.
    next_due: Option<Timestamp>,
    traces: Arc<Traces>,
    latest: Arc<LatestValues>,
    proofs: Arc<Proofs>,
    stopping: bool,
    /// What is in memory may not be what is stored.
    stale: bool,
    /// The last turn failed: what it had to do comes first, and nothing new is sent before it is stored.
    recovering: bool,
    started: Timestamp,
    /// Devices that have come since the start, as long as that matters.
    came: HashSet<DeviceNo>,
    /// Devices that came lately and left before they were ready.
    visits: GenerationalCache<DeviceNo, Visits>,
    /// Nothing is sent, and nothing ends.
    clock_in_doubt: bool,
    /// The present moment, or the wall clock's if that is earlier.
    earlier_now: Timestamp,
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
            clock_in_doubt: time.held,
            earlier_now: time.earlier,
            commits: 0,
        }
    }

    pub(super) fn devices(&self) -> &Devices {
        &self.devices
    }

    /// For the turn, which keeps its working set equal to what it changes here.
    pub(super) fn devices_mut(&mut self) -> &mut Devices {
        &mut self.devices
    }

    pub(super) fn jobs(&self) -> &Jobs {
        &self.jobs
    }

    /// For the turn, which keeps its working set equal to what it changes here.
    pub(super) fn jobs_mut(&mut self) -> &mut Jobs {
        &mut self.jobs
    }

    pub(super) fn proofs(&self) -> &Proofs {
        &self.proofs
    }

    /// Puts bulk work in line, behind other work of its organization. Work on a job that is not in memory has a line of
    /// its own.
    pub(super) fn push_bulk(&mut self, bulk: Bulk) {
        let org = self.jobs.get(bulk.job()).map(|job| job.org.clone());
        self.bulk.push(&org.unwrap_or_else(|| OrgId::from("")), bulk);
    }

    /// The places of queued tasks. A task whose job is not known any more has none.
    fn places(&self, tasks: &[Task]) -> Queue {
        tasks.iter().filter_map(|task| self.place(task)).collect()
    }

    pub(super) fn place(&self, task: &Task) -> Option<QueuePosition> {
        let job = self.jobs.of(task.no)?;
        Some(QueuePosition {
            due: task.due_at(&job.rules()),
            job: job.no,
            task: task.no,
        })
    }

    /// Keeps a row as it is stored, if it is likely to be needed.
    pub(super) fn cache_task(&mut self, task: Task) {
        if TaskCache::is_worth_keeping(&task) && self.devices.session(task.device).is_some() {
            self.tasks.insert(task);
        }
    }

    /// A device has logged in.
    pub(super) fn session_began(&mut self, device: DeviceNo, session: SessionNo, queue: &[Task], now: Timestamp) {
        let places = self.places(queue);
        self.devices.enter(device, session, places);
        self.note_arrival(device, now);
    }

    /// A session has ended. True if the device has no other session.
    pub(super) fn session_ended(&mut self, device: DeviceNo, session: SessionNo, now: Timestamp) -> bool {
        self.forget_tasks_of(device);
        self.devices.leave(device, session, now)
    }

    /// A device has left before it was ready for its next task.
    pub(super) fn note_visit(&mut self, device: DeviceNo, now: Timestamp) {
        self.visits.get_mut(device).note(now);
    }

    /// Earlier visits of a device that left before it was ready.
    pub(super) fn visits(&self, device: DeviceNo) -> Visits {
        self.visits.get(device).copied().unwrap_or_default()
    }

    pub(super) fn note_trace(&self, device: DeviceNo, now: Timestamp, event: trace::Event) {
        self.traces.note(device, now, event);
    }

    /// The task waits in its device's queue.
    pub(super) fn join_queue(&mut self, task: &Task) {
        if let Some(place) = self.place(task) {
            self.devices.join(task.device, place);
        }
    }

    /// The task, as it was before its step, waits in its device's queue no more.
    pub(super) fn leave_queue(&mut self, task: &Task) {
        if let Some(place) = self.place(task) {
            self.devices.quit(task.device, &place);
        }
    }

    /// The devices that dispatch has to look at in this turn.
    pub(super) fn take_ready(&mut self) -> Vec<DeviceNo> {
        self.devices.take_ready(&self.jobs)
    }

    /// Those of these devices that can take a task, and the sub-devices whose turn it is on a shared connection.
    pub(super) fn take_eligible(&mut self, devices: &[DeviceNo]) -> Vec<Eligible> {
        self.devices.take_eligible(devices, &self.jobs)
    }

    /// A device has gone: its tasks are read again when it comes back.
    fn forget_tasks_of(&mut self, device: DeviceNo) {
        let held = self.devices.held(device).map(|held| held.slot.task);
        let waiting: Vec<TaskNo> = self.devices.waiting_at_hand(device).collect();
        for task in waiting.into_iter().chain(held) {
            self.tasks.take(task);
        }
    }

    /// Takes a row out of the cache: its holder may change it.
    pub(super) fn take_cached(&mut self, no: TaskNo) -> Option<Task> {
        self.tasks.take(no)
    }

    /// Whether the device is expected to reconnect after the start: it has not been seen since.
    pub(super) fn is_returning(&self, device: DeviceNo, now: Timestamp) -> bool {
        now < self.started.plus_ms(RETURNING_MS) && !self.came.contains(&device)
    }

    /// The device has reconnected since the start, or need not be remembered as such any more.
    fn note_arrival(&mut self, device: DeviceNo, now: Timestamp) {
        if now < self.started.plus_ms(RETURNING_MS) {
            self.came.insert(device);
        } else if !self.came.is_empty() {
            self.came = HashSet::new();
        }
    }

    /// The server is stopping: nothing is sent any more. False if it was stopping already.
    pub(super) fn stop(&mut self) -> bool {
        !std::mem::replace(&mut self.stopping, true)
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// Sets whether the last turn failed and is made up for: nothing new is sent before it is stored. Returns what was
    /// set before.
    pub(super) fn set_recovering(&mut self, recovering: bool) -> bool {
        std::mem::replace(&mut self.recovering, recovering)
    }

    /// What is in memory may not be what is stored.
    pub(super) fn set_stale(&mut self) {
        self.stale = true;
    }

    pub(super) fn is_stale(&self) -> bool {
        self.stale
    }

    pub(super) fn may_dispatch(&self) -> bool {
        !self.stopping && !self.recovering && !self.clock_in_doubt
    }

    /// Whether nothing is sent because the clock is in doubt.
    pub(super) fn is_clock_in_doubt(&self) -> bool {
        self.clock_in_doubt
    }

    /// Takes notice of the time. Replies get as long as after a start when the clock has stood still, and when the
    /// process was paused: they wait in sockets, or devices have still to send them.
    pub(super) fn keep_time(&mut self, time: Reading, now: Timestamp) {
        let goes_on = self.clock_in_doubt && !time.held;
        self.clock_in_doubt = time.held;
        self.earlier_now = time.earlier;
        if goes_on {
            // For devices that have not come yet it is as if the server started now.
            self.started = now;
            self.devices.refresh_all();
        }
        if goes_on || time.late {
            self.devices.extend_deadlines(now);
        }
    }

    /// The present moment, or the wall clock's if that is earlier.
    pub(super) fn earlier_now(&self) -> Timestamp {
        self.earlier_now
    }

    /// Whether turns are short, because callers wait for single devices.
    pub(super) fn is_yielding(&self) -> bool {
        self.budget.is_yielding()
    }

    /// Takes notice of what callers have asked for.
    pub(super) fn note_requests(&mut self, requests: &[WriterRequest], now: Timestamp) {
        self.budget.note_requests(requests, now);
    }

    /// Events that a turn may take; `asked` says whether a request waits.
    pub(super) fn events_max(&self, asked: bool) -> usize {
        self.budget.events_max(asked)
    }

    /// Rows that one slice of bulk work may have.
    pub(super) fn rows_per_slice(&self, devices_spoke: bool) -> usize {
        self.budget.rows_per_slice(devices_spoke)
    }

    /// Whether the event is about a job for single devices, which come first in a short turn.
    pub(super) fn is_for_few(&self, event: &DeviceEvent) -> bool {
        let job = event.task().and_then(|task| self.jobs.of(task));
        job.is_some_and(turn_budget::is_for_few)
    }

    /// Reported values that are due to be stored. All of them are due while the server stops or the clock is in doubt.
    pub(super) fn take_reported(&self, now: Timestamp) -> Option<Write> {
        self.latest.due(now, self.stopping || self.clock_in_doubt)
    }

    /// Whether reported values wait to be stored.
    pub(super) fn has_reported(&self) -> bool {
        !self.latest.is_empty()
    }

    /// The turn's commit has been made: what was put aside for its failure is dropped.
    pub(super) fn turn_committed(&mut self) {
        self.devices.committed();
    }

    /// The turn's commit has failed: sessions that were to be ended go on, and reported values wait again.
    pub(super) fn turn_failed(&mut self, now: Timestamp) {
        self.devices.reopen();
        self.latest.not_stored(now);
    }

    /// The first bulk work that may be done now: what ends tasks, or has them become due, waits while the time is held.
    pub(super) fn next_bulk(&mut self) -> Option<Bulk> {
        let in_doubt = self.clock_in_doubt;
        self.bulk.pop_first(|bulk| !(in_doubt && bulk.waits_for_the_clock()))
    }

    fn has_bulk(&self) -> bool {
        self.bulk
            .any(|bulk| !(self.clock_in_doubt && bulk.waits_for_the_clock()))
    }

    /// The earliest moment of a task's own.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.next_due
    }

    /// The earliest moment of a task's own, as it was just read.
    pub(super) fn set_next_due(&mut self, at: Option<Timestamp>) {
        self.next_due = at;
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

/// A task that waits for its turn.
pub(super) fn is_queued(task: &Task) -> bool {
    task.state == State::Queued
}
