//! One turn's working set: rows are read once, stepped in memory, and written once.
//!
//! Several events may concern one task within a turn (a PUBACK, the reply, the next retry); each sees what the one
//! before left. Whatever leaves the process (orders, answers) is only collected here.
//!
//! The fields of [`Turn`] are private to this module. The rules of a turn (`presence`, `replies`, `requests`,
//! `deadlines`, `trigger`, `bulk`, `dispatch`) read devices and jobs through shared references, and change them through
//! methods that keep the working set equal to memory:
//!
//! | File | What only its methods change |
//! |---|---|
//! | `tasks.rs` | tasks, through `core::task::step`, and with them their places in queues |
//! | `slots.rs` | slots, and their rows |
//! | `sessions.rs` | sessions |
//! | `queue_lengths.rs` | places that are reserved for single commands |
//! | `jobs.rs` | jobs in memory, their timers, and bulk work |
//! | `facts.rs` | what was read of devices |

mod facts;
mod jobs;
mod queue_lengths;
mod sessions;
mod slots;
mod tasks;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use aldis_core::ids::{DeviceNo, JobNo};
use aldis_core::time::Timestamp;
use aldis_store::rows::{Activity, Idempotency};
use aldis_store::{DeviceFacts, Error, Store, Write};

use super::batch::{Batch, OnCommit};
use super::devices::Devices;
use super::jobs::Jobs;
use super::maps::Map;
use super::memory::Memory;
use crate::link::Order;
use crate::proofs::{self, Proofs};
use crate::trace;
use crate::writer::Received;
use queue_lengths::QueueLengths;
pub(super) use tasks::Applied;
use tasks::TasksAtHand;

pub(super) struct Turn<'a> {
    store: &'a dyn Store,
    memory: &'a mut Memory,
    now: Timestamp,
    tasks: TasksAtHand,
    facts: Map<DeviceNo, DeviceFacts>,
    queue_lengths: QueueLengths,
    /// Devices whose slot has been taken or freed.
    changed_slots: BTreeSet<DeviceNo>,
    activities: Vec<Activity>,
    /// Jobs cancelled as a whole in this turn, with how many rows it has settled already.
    settled: Map<JobNo, Arc<AtomicU64>>,
    batch: Batch,
}

impl<'a> Turn<'a> {
    pub(super) fn new(store: &'a dyn Store, memory: &'a mut Memory, now: Timestamp) -> Self {
        Self {
            store,
            memory,
            now,
            tasks: TasksAtHand::default(),
            facts: Map::default(),
            queue_lengths: QueueLengths::default(),
            changed_slots: BTreeSet::new(),
            activities: Vec::new(),
            settled: Map::default(),
            batch: Batch::default(),
        }
    }

    /// Everything in its order. What has been decided before an error stands in the batch.
    pub(super) fn decide(&mut self, received: &mut Received) -> Result<(), Error> {
        self.presence(&received.events)?;
        self.record_replies(&received.events)?;
        for request in received.requests.drain(..) {
            self.decide_request(request)?;
        }
        self.pass_deadlines()?;
        self.trigger()?;
        self.bulk_slice(!received.events.is_empty())?;
        self.dispatch()?;
        self.store_reported();
        Ok(())
    }

    /// The moment of this turn.
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    /// What is stored, before this turn's commit.
    pub(super) fn store(&self) -> &'a dyn Store {
        self.store
    }

    /// The devices in memory. They change through the turn's methods alone.
    pub(super) fn devices(&self) -> &Devices {
        self.memory.devices()
    }

    /// The jobs in memory. They change through the turn's methods alone.
    pub(super) fn jobs(&self) -> &Jobs {
        self.memory.jobs()
    }

    /// The server is stopping: what has not left is taken back.
    pub(super) fn is_stopping(&self) -> bool {
        self.memory.is_stopping()
    }

    /// The clock is in doubt: nothing is sent, and nothing ends.
    pub(super) fn is_clock_in_doubt(&self) -> bool {
        self.memory.is_clock_in_doubt()
    }

    pub(super) fn may_dispatch(&self) -> bool {
        self.memory.may_dispatch()
    }

    /// What devices have reported goes with whatever else is committed, once it has waited long enough.
    fn store_reported(&mut self) {
        if let Some(write) = self.memory.take_reported(self.now) {
            self.write_quietly(write);
        }
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

    pub(super) fn note_activity(&mut self, activity: Activity) {
        self.activities.push(activity);
    }

    pub(super) fn note_trace(&self, device: DeviceNo, event: trace::Event) {
        self.memory.note_trace(device, self.now, event);
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

    /// A write that has no caller to answer.
    pub(super) fn write_quietly(&mut self, write: Write) {
        self.batch.writes.push(write);
    }

    /// Everything in the order of a commit: steps, slots and presence first, then what callers asked for.
    pub(super) fn finish(mut self) -> Batch {
        let slots = self.slot_rows();
        let mut writes = Vec::new();
        let steps = self.tasks.into_steps(self.memory);
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
        writes.extend(used_up(self.memory.proofs(), &writes, self.memory.earlier_now()));
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
