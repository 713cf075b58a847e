//! One turn's working set: rows are read once, stepped in memory, and written once.
//!
//! Several events may concern one task within a turn (a PUBACK, the reply, the next retry); each sees what the one
//! before left. Whatever leaves the process (orders, answers) is only collected here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aldis_core::ids::{AttemptNo, DeviceNo, JobNo, TaskNo, WireId};
use aldis_core::policy::Rules;
use aldis_core::task::{AttemptRecord, Condition, Event, Hold, Presence, Publish, Refused, State, Task, step};
use aldis_core::time::Timestamp;
use aldis_store::rows::{Activity, Idempotency, Slot};
use aldis_store::{DeviceFacts, Error, StepWrite, Store, Write};

use super::batch::{Batch, OnCommit};
use super::devices::OutstandingAttempt;
use super::maps::Map;
use super::memory::{Memory, is_queued};
use super::queue_lengths::QueueLengths;
use crate::link::Order;
use crate::proofs::{self, Proofs};
use crate::writer::Received;

struct Worked {
    from: (State, AttemptNo),
    job: JobNo,
    task: Task,
    ended: Vec<AttemptRecord>,
    changed: bool,
}

/// What a step that applied means for the rest of the turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Applied {
    pub(super) publish: Option<Publish>,
    pub(super) declined: Option<Refused>,
}

pub(super) struct Turn<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) memory: &'a mut Memory,
    pub(super) now: Timestamp,
    worked: BTreeMap<TaskNo, Worked>,
    facts: Map<DeviceNo, DeviceFacts>,
    queue_lengths: QueueLengths,
    /// Devices whose slot has been taken or freed.
    changed_slots: BTreeSet<DeviceNo>,
    activities: Vec<Activity>,
    /// Jobs cancelled as a whole in this turn, with how many rows it has settled already.
    marked: Map<JobNo, Arc<AtomicU64>>,
    batch: Batch,
}

impl<'a> Turn<'a> {
    pub(super) fn new(store: &'a dyn Store, memory: &'a mut Memory, now: Timestamp) -> Self {
        Self {
            store,
            memory,
            now,
            worked: BTreeMap::new(),
            facts: Map::default(),
            queue_lengths: QueueLengths::default(),
            changed_slots: BTreeSet::new(),
            activities: Vec::new(),
            marked: Map::default(),
            batch: Batch::default(),
        }
    }

    /// Everything in its order. What has been decided before an error stands in the batch.
    pub(super) fn decide(&mut self, received: &mut Received) -> Result<(), Error> {
        self.presence(&received.events)?;
        self.record_replies(&received.events)?;
        for ask in received.asks.drain(..) {
            self.ask(ask)?;
        }
        self.pass_deadlines()?;
        self.trigger()?;
        self.bulk_slice(!received.events.is_empty())?;
        self.dispatch()?;
        self.store_reported();
        Ok(())
    }

    /// What devices have reported goes with whatever else is committed, once it has waited long enough.
    fn store_reported(&mut self) {
        if let Some(write) = self
            .memory
            .latest
            .due(self.now, self.memory.stopping || self.memory.held)
        {
            self.write_quietly(write);
        }
    }

    /// Reads these tasks and their jobs, as far as they exist and are not at hand.
    pub(super) fn load(&mut self, tasks: &[TaskNo]) -> Result<(), Error> {
        self.memory.load_jobs(self.store, tasks)?;
        let mut wanted: Vec<TaskNo> = tasks
            .iter()
            .copied()
            .filter(|task| !self.worked.contains_key(task))
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        let at_hand = wanted.iter().filter_map(|task| self.memory.tasks.take(*task)).collect();
        self.take_in(at_hand);
        wanted.retain(|task| !self.worked.contains_key(task));
        if wanted.is_empty() {
            return Ok(());
        }
        let rows = self.store.tasks(&wanted)?;
        self.take_in(rows.into_iter().flatten().collect());
        Ok(())
    }

    /// Takes in rows just read, unless a newer version is at hand. Rows of jobs that are gone are passed over.
    pub(super) fn take_in(&mut self, rows: Vec<Task>) {
        for task in rows {
            let Some(job) = self.memory.jobs.of(task.no).map(|job| job.no) else {
                continue;
            };
            self.memory.tasks.take(task.no);
            self.worked.entry(task.no).or_insert_with(|| Worked {
                from: (task.state, task.attempt),
                job,
                task,
                ended: Vec::new(),
                changed: false,
            });
        }
    }

    /// A task at hand, as it now is.
    pub(super) fn task(&self, no: TaskNo) -> Option<&Task> {
        self.worked.get(&no).map(|worked| &worked.task)
    }

    pub(super) fn rules(&self, no: TaskNo) -> Option<Rules> {
        self.memory.jobs.of(no).map(aldis_store::rows::Job::rules)
    }

    /// Reads what is not yet known of these devices.
    pub(super) fn load_facts(&mut self, devices: &[DeviceNo]) -> Result<(), Error> {
        let mut wanted: Vec<DeviceNo> = devices
            .iter()
            .copied()
            .filter(|device| !self.facts.contains_key(device))
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        if wanted.is_empty() {
            return Ok(());
        }
        let read = self.store.device_facts(&wanted)?;
        self.facts
            .extend(read.into_iter().flatten().map(|facts| (facts.device, facts)));
        self.load_queue_lengths_of_absent(&wanted)
    }

    /// How much waits for those of these devices whose queue is not in memory.
    pub(super) fn load_queue_lengths_of_absent(&mut self, devices: &[DeviceNo]) -> Result<(), Error> {
        let absent = devices
            .iter()
            .filter(|device| self.memory.devices.queue_len(**device).is_none());
        let absent: Vec<DeviceNo> = absent.copied().collect();
        self.load_queue_lengths(&absent)
    }

    /// The same of one device, read once.
    pub(super) fn load_queue_length(&mut self, device: DeviceNo) -> Result<(), Error> {
        if self.queue_lengths.is_read(device) {
            return Ok(());
        }
        self.load_queue_lengths_of_absent(&[device])
    }

    /// How much was stored as waiting for these devices before this turn.
    pub(super) fn load_queue_lengths(&mut self, devices: &[DeviceNo]) -> Result<(), Error> {
        if !devices.is_empty() {
            let lengths = self.store.queue_lengths(devices)?;
            self.queue_lengths.take_in(devices, lengths);
        }
        Ok(())
    }

    /// What was just read of devices on another way.
    pub(super) fn note_facts(&mut self, facts: &[DeviceFacts]) {
        for facts in facts {
            self.facts.entry(facts.device).or_insert(*facts);
        }
    }

    pub(super) fn facts(&self, device: DeviceNo) -> Option<&DeviceFacts> {
        self.facts.get(&device)
    }

    pub(super) fn facts_mut(&mut self, device: DeviceNo) -> Option<&mut DeviceFacts> {
        self.facts.get_mut(&device)
    }

    /// The device's condition at this point of the turn. Facts must be known; a device without any is gone.
    pub(super) fn condition(&self, device: DeviceNo) -> Condition {
        let present = self.memory.devices.session(device).is_some();
        let facts = self.facts.get(&device);
        let activated = present || facts.is_some_and(|facts| facts.activated);
        let last_offline = facts.and_then(|facts| facts.last_offline);
        let presence = if present {
            Presence::Present
        } else if activated && self.memory.is_returning(device, self.now) {
            Presence::Returning
        } else {
            Presence::Absent { since: last_offline }
        };
        Condition {
            deleted: facts.is_none_or(|facts| facts.deleted),
            disabled: facts.is_some_and(|facts| facts.disabled),
            activated,
            presence,
            queued: self.queued(device),
            busy_with: self.memory.devices.held(device).map(|held| held.slot.task),
            hold: self.hold(device),
            visits: self.memory.visits.get(device).copied().unwrap_or_default(),
        }
    }

    /// Why the device's next task is not sent now, though nothing of its own is out.
    fn hold(&self, device: DeviceNo) -> Option<Hold> {
        if self.memory.is_clock_in_doubt() {
            return Some(Hold::Clock);
        }
        let waits = self.memory.devices.next_for(device).is_some();
        (waits && self.eligible(device).is_none()).then_some(Hold::Settling)
    }

    /// How many places in the device's queue are taken or reserved. Of an absent device, the stored length must have
    /// been read.
    pub(super) fn queued(&self, device: DeviceNo) -> usize {
        self.queue_lengths.of(device, self.memory)
    }

    /// Reserves a place in the device's queue for a single command whose job this turn creates.
    pub(super) fn reserve_place(&mut self, device: DeviceNo) {
        self.queue_lengths.reserve(device);
    }

    /// This turn creates a job under this idempotency key, or an earlier one did.
    pub(super) fn is_repeated(&self, asked: &Idempotency) -> Result<bool, Error> {
        let same = |write: &Write| match write {
            Write::CreateJob(job) => {
                let key = job.idempotency.as_ref();
                key.is_some_and(|key| key.scope == asked.scope && key.key == asked.key)
            }
            _ => false,
        };
        Ok(self.batch.writes.iter().any(same)
            || self
                .store
                .idempotency_record(&asked.scope, &asked.key, self.now)?
                .is_some())
    }

    /// The only way in which a task changes during a turn.
    pub(super) fn apply(&mut self, no: TaskNo, event: Event<'_>) -> Result<Applied, Refused> {
        let Some(rules) = self.rules(no) else {
            return Err(Refused::WrongState);
        };
        let Some(worked) = self.worked.get_mut(&no) else {
            return Err(Refused::WrongState);
        };
        let step = step(&worked.task, &rules, event, self.now)?;
        let before = std::mem::replace(&mut worked.task, step.task);
        worked.ended.extend(step.ended);
        worked.changed = true;
        let wake_at = worked.task.wake_at(&rules);
        self.memory.note_due(wake_at);
        let settled = worked.task.state == State::Cancelled && before.state.is_cancellable();
        if let Some(count) = self.marked.get(&worked.job).filter(|_| settled) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.follow_queue(&before, no);
        Ok(Applied {
            publish: step.publish,
            declined: step.declined,
        })
    }

    /// Keeps the device's queue equal to its tasks.
    fn follow_queue(&mut self, before: &Task, no: TaskNo) {
        let Some(after) = self.worked.get(&no).map(|worked| &worked.task) else {
            return;
        };
        let device = before.device;
        match (is_queued(before), is_queued(after)) {
            (false, true) => {
                if let Some(place) = self.memory.place(after) {
                    self.memory.devices.join(device, place);
                }
                self.queue_lengths.task_joined(device);
            }
            (true, false) => {
                if let Some(place) = self.memory.place(before) {
                    self.memory.devices.quit(device, &place);
                }
                self.queue_lengths.task_left(device);
            }
            (true, true) | (false, false) => {}
        }
    }

    /// The job is cancelled as a whole by this turn. Rows settled in its own commit do not show in the store's count of
    /// those that could be cancelled: this counts them, until the commit.
    pub(super) fn mark(&mut self, job: JobNo) -> Arc<AtomicU64> {
        Arc::clone(self.marked.entry(job).or_default())
    }

    /// A row that does not exist yet: it is written by the caller, and joins its device's queue after the commit.
    pub(super) fn add_pending(&mut self, task: &Task) {
        if is_queued(task)
            && let Some(place) = self.memory.place(task)
        {
            self.batch.pending_tasks.push((task.device, place));
            self.queue_lengths.task_created(task.device);
        }
    }

    /// What this turn has added to a task's history.
    pub(super) fn ended_at_hand(&self, no: TaskNo) -> &[AttemptRecord] {
        self.worked.get(&no).map_or(&[], |worked| &worked.ended)
    }

    /// The first moment after now at which a task at hand has to be looked at.
    pub(super) fn next_moment_at_hand(&self) -> Option<Timestamp> {
        let changed = self.worked.values().filter(|worked| worked.changed);
        let moments = changed.filter_map(|worked| worked.task.wake_at(&self.rules(worked.task.no)?));
        moments.filter(|at| *at > self.now).min()
    }

    /// The tasks at hand of one device.
    pub(super) fn at_hand_of(&self, device: DeviceNo) -> Vec<TaskNo> {
        self.worked
            .values()
            .filter(|worked| worked.task.device == device)
            .map(|worked| worked.task.no)
            .collect()
    }

    /// Takes the device's slot: part of this turn's commit, so that it is a stored fact before the attempt leaves.
    pub(super) fn take_slot(&mut self, held: OutstandingAttempt) {
        self.changed_slots.insert(held.slot.device);
        self.memory.devices.take_slot(held);
    }

    /// Frees the device's slot if this very attempt holds it.
    pub(super) fn free_slot(&mut self, device: DeviceNo, wire: WireId) {
        if self.memory.devices.holds(device, wire) {
            self.changed_slots.insert(device);
            self.memory.devices.free_slot(device);
        }
    }

    /// Takes back the attempt that holds the device's slot, if it has not left. Its slot is free then.
    pub(super) fn withdraw(&mut self, device: DeviceNo, wire: WireId) -> bool {
        let open = self
            .memory
            .devices
            .held(device)
            .is_some_and(|held| held.wire() == wire && held.withdraw());
        if open {
            self.batch.withdrawn.push((device, wire));
            self.free_slot(device, wire);
        }
        open
    }

    pub(super) fn note_activity(&mut self, activity: Activity) {
        self.activities.push(activity);
    }

    pub(super) fn order(&mut self, order: Order) {
        self.batch.orders.push(order);
    }

    /// Writes of a caller's own, and what to do once they are committed.
    pub(super) fn write(&mut self, writes: Vec<Write>, answer: OnCommit) {
        let start = self.batch.writes.len();
        self.batch.writes.extend(writes);
        self.batch.answers.push((start..self.batch.writes.len(), answer));
    }

    pub(super) fn write_quietly(&mut self, write: Write) {
        self.batch.writes.push(write);
    }

    /// Changes of slots' rows. A task that is out implies its slot, which then has no row.
    fn slot_rows(&mut self) -> Vec<(DeviceNo, Option<Slot>)> {
        let left = |worked: &&Worked| worked.changed && worked.from.0.is_out();
        let left = self.worked.values().filter(left).map(|worked| worked.task.device);
        let mut devices = std::mem::take(&mut self.changed_slots);
        devices.extend(left);
        let mut changes = Vec::new();
        for device in devices {
            let written = self
                .memory
                .devices
                .held(device)
                .is_some_and(|held| self.memory.devices.has_row(&held.slot));
            let implied_by_task = |slot: &Slot| match self.worked.get(&slot.task) {
                Some(Worked { task, .. }) => task.state.is_out() && task.attempt == slot.attempt,
                None => !written,
            };
            changes.extend(self.memory.devices.sync_slot_row(device, implied_by_task));
        }
        changes
    }

    /// Everything in the order of a commit: steps, slots and presence first, then what callers asked for.
    pub(super) fn finish(mut self) -> Batch {
        let slots = self.slot_rows();
        let mut writes = Vec::new();
        let mut steps = Vec::new();
        for worked in self.worked.into_values() {
            if !worked.changed {
                self.memory.cache_task(worked.task);
                continue;
            }
            let job = self.memory.jobs.get(worked.job);
            let wake_at = job.and_then(|job| worked.task.wake_at(&job.rules()));
            steps.push(StepWrite {
                job: worked.job,
                from: worked.from,
                task: worked.task,
                wake_at,
                ended: worked.ended,
            });
        }
        if !steps.is_empty() {
            writes.push(Write::Steps(steps));
        }
        if !slots.is_empty() {
            writes.push(Write::Slots(slots));
        }
        if !self.activities.is_empty() {
            writes.push(Write::Activity(self.activities));
        }
        let shift = writes.len();
        let mut batch = self.batch;
        writes.append(&mut batch.writes);
        // Behind everything that has an answer.
        writes.extend(used_up(&self.memory.proofs, &writes, self.memory.earlier_now));
        batch.writes = writes;
        for (range, _) in &mut batch.answers {
            *range = range.start + shift..range.end + shift;
        }
        batch
    }
}

/// The signatures of the calls that these writes are for: a call and its signature are one commit.
fn used_up(proofs: &Proofs, writes: &[Write], now: Timestamp) -> Option<Write> {
    let requests = writes.iter().filter_map(Write::by).map(|by| by.request_id.as_str());
    let due = proofs.due(requests);
    // Twice as many go as come, so that those that are over never gather, and no commit has many of them to take away.
    let limit = 2 * due.len();
    (!due.is_empty()).then(|| Write::UseUp {
        proofs: due,
        before: now.plus_ms(-proofs::KEPT_MS),
        limit,
    })
}
