//! The engine: each turn decides on everything that came in and is due, makes one commit, and only then has effects.
//!
//! [`Engine`] is a plain object: [`Engine::run_once`] takes a moment and says when it wants to be run again. Wiring
//! gives it a thread and the real clock, a simulation a virtual one. Within a turn the order is fixed: presence,
//! replies and PUBACKs, operators, deadlines, triggers and due retries, one slice of bulk work, dispatch.
//!
//! Everything in memory can be read again from the store, and is, whenever a commit fails. Not here: sockets, threads,
//! clocks, and any decision about a task's next state, which is `core::task::step`'s alone.

mod batch;
mod bulk;
mod deadlines;
mod devices;
mod dispatch;
mod fair;
mod gateways;
mod jobs;
pub mod logins;
mod maps;
mod memory;
mod presence;
mod queue;
mod queue_reservations;
mod ready;
mod replies;
mod requests;
mod slots;
mod task_cache;
mod trigger;
mod turn;
mod turn_budget;
mod work;

#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use aldis_core::time::Timestamp;
use aldis_store::{Committed, Epoch, Error, Store, Write};

use crate::clock::Reading;
use crate::health::Health;
use crate::link::{DeviceEvent, DeviceLink};
use crate::observer::CommitObserver;
use crate::proofs::KEPT_MAX;
use crate::shared::Shared;
use crate::waiters::Waiters;
use crate::writer::{Inbox, Received, WriterError, WriterRequest};
use batch::Batch;
pub use devices::AFTER_START_MS;
pub use gateways::OUT_MAX;
use memory::Memory;
use turn::Turn;

/// What `/health/ready` says while the clock is in doubt; the log says why.
const CLOCK_IN_DOUBT: &str = "the clock is in doubt; the log says why";
/// How often a store without commits is asked whether its files are in their place.
const CHECK_EVERY_MS: i64 = 1_000;
/// The pause after a failed commit: long enough not to hammer a full disk, short enough for a device that waits for its
/// PUBACK.
pub const AFTER_FAILURE_MS: i64 = 200;
/// The longest sleep while attempts are out: PUBACKs, which do not wake the writer, are recorded by then.
const IDLE_MAX_MS: i64 = 20;

/// When the engine wants to be run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// At once: there is more to do.
    Now,
    /// At this moment, or when something arrives.
    At(Timestamp),
    /// When something arrives.
    Nudged,
}

/// What the engine works with.
pub struct Ports {
    /// Where everything is kept.
    pub store: Box<dyn Store>,
    /// What [`Store::begin_epoch`] returned to this process: every commit carries it.
    pub epoch: Epoch,
    /// The way to devices.
    pub link: Arc<dyn DeviceLink>,
    /// What callers and devices ask for.
    pub inbox: Arc<Inbox>,
    /// What follows commits, beside the waiters of `shared`, which always do.
    pub observers: Vec<Arc<dyn CommitObserver>>,
    /// What the engine shares with the parts around it.
    pub shared: Shared,
}

/// The state behind the writer.
pub struct Engine {
    store: Box<dyn Store>,
    /// This writer's term: the store refuses its commits once another writer has begun.
    epoch: Epoch,
    link: Arc<dyn DeviceLink>,
    inbox: Arc<Inbox>,
    observers: Vec<Arc<dyn CommitObserver>>,
    health: Arc<Health>,
    memory: Memory,
    /// Events of a turn that failed: they come first in the next, which takes no others.
    kept: Vec<DeviceEvent>,
    /// Requests of this turn that have no caller to answer: they are queued again if the turn fails.
    unanswered: Vec<WriterRequest>,
    /// The last turn has left events in the inbox.
    more_waits: bool,
    /// When the last turn failed, in ticks of the clock, which also go on while the time is held; `None` after one that
    /// did not.
    failed: Option<i64>,
    /// The moment of the present turn. It never goes back.
    clock: Timestamp,
    /// The ticks of the present turn.
    ticks_ms: i64,
    /// When the store was asked last whether its files are in their place, in ticks of the clock.
    checked_ms: i64,
    /// The store's files are gone: there is nothing to work on any more.
    lost: bool,
}

impl Engine {
    /// Ends the sessions of an earlier process, and reads what it needs from the store: jobs at work and held slots.
    /// Nothing is sent again.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub fn start(ports: Ports, time: Reading) -> Result<Self, Error> {
        let Ports {
            mut store,
            epoch,
            link,
            inbox,
            mut observers,
            shared,
        } = ports;
        observers.insert(0, Arc::<Waiters>::clone(&shared.waiters));
        let (_, stored) = store.last_commit()?;
        let clock = time.now;
        let writes = first_writes(stored, clock);
        let committed = store.commit(epoch, clock, &writes)?;
        for observer in &observers {
            observer.committed(&writes, &committed);
        }
        let used = store.proofs(KEPT_MAX)?;
        shared.proofs.load(&used, used.len() < KEPT_MAX);
        let mut memory = Memory::new(time, &shared);
        shared.health.hold_dispatch(time.held.then_some(CLOCK_IN_DOUBT));
        memory.reload(&*store, clock)?;
        memory.devices_mut().extend_deadlines(clock);
        Ok(Self {
            store,
            epoch,
            link,
            inbox,
            observers,
            health: shared.health,
            memory,
            kept: Vec::new(),
            unanswered: Vec::new(),
            more_waits: false,
            failed: None,
            clock,
            ticks_ms: time.ticks_ms,
            checked_ms: time.ticks_ms,
            lost: false,
        })
    }

    /// Sets how many attempts may be out to the sub-devices of one connection, instead of [`OUT_MAX`]: small worlds
    /// meet the bound only if it is small, too.
    pub fn share_at_most(&mut self, out_max: usize) {
        self.memory.devices_mut().share_at_most(out_max);
    }

    /// Sets how many devices a turn looks at: small worlds meet the bound only if it is small, too.
    #[cfg(test)]
    fn dispatch_at_most(&mut self, per_turn: usize) {
        self.memory.devices_mut().dispatch_at_most(per_turn);
    }

    /// No attempt leaves from now on; what has not left is taken back in the next turn, which waits for no pause.
    pub fn stop(&mut self) {
        if self.memory.stop() {
            self.observers.iter().for_each(|observer| observer.stopping());
            self.failed = None;
        }
    }

    /// Whether turns are short, because callers wait for single devices.
    #[must_use]
    pub fn is_yielding(&self) -> bool {
        self.memory.is_yielding()
    }

    /// Whether the last turn failed: what it was about is neither stored nor acknowledged.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.failed.is_some()
    }

    /// Whether everything that came in has been worked on, reported values included.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.inbox.is_empty() && !self.memory.has_reported()
    }

    /// Whether the store's files were removed or replaced: no further turn does anything, and the process has to end.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// One turn.
    pub fn run_once(&mut self, time: Reading) -> Wake {
        self.keep_time(time);
        self.check_store();
        if self.lost {
            return Wake::Nudged;
        }
        if let Some(end) = self.pause() {
            return Wake::At(end);
        }
        let mut received = self.receive();
        self.unanswered = received
            .requests
            .iter()
            .filter_map(WriterRequest::without_answer)
            .collect();
        match self.decide(&mut received) {
            (batch, Ok(())) => self.carry_through(batch, received),
            (batch, Err(error)) => {
                tracing::error!(error = &error as &dyn std::error::Error, "reading the store failed");
                self.roll_back(batch, received)
            }
        }
    }

    fn check_store(&mut self) {
        if self.ticks_ms - self.checked_ms >= CHECK_EVERY_MS {
            self.checked_ms = self.ticks_ms;
            if let Err(error) = self.store.check() {
                self.note_lost(&error);
            }
        }
    }

    fn note_lost(&mut self, error: &Error) {
        if matches!(error, Error::Replaced { .. } | Error::StaleEpoch { .. }) {
            tracing::error!(%error, "the store cannot be used any more: the process ends");
            self.health.store_fails(true);
            self.lost = true;
        }
    }

    /// Takes notice of the time.
    fn keep_time(&mut self, time: Reading) {
        self.clock = self.clock.max(time.now);
        self.ticks_ms = time.ticks_ms;
        if self.memory.is_clock_in_doubt() != time.held {
            self.health.hold_dispatch(time.held.then_some(CLOCK_IN_DOUBT));
        }
        self.memory.keep_time(time, self.clock);
    }

    /// Until when nothing is tried after a failure, however many nudges come.
    fn pause(&self) -> Option<Timestamp> {
        let since = self.failed.map(|failed| self.ticks_ms - failed)?;
        (0..AFTER_FAILURE_MS)
            .contains(&since)
            .then(|| self.clock.plus_ms(AFTER_FAILURE_MS - since))
    }

    /// What the turn has to do with. The inbox is bounded, and so is what a failed turn has kept: while it is not
    /// stored, devices are not listened to.
    fn receive(&mut self) -> Received {
        let recovering = !self.kept.is_empty();
        self.memory.set_recovering(recovering);
        if recovering {
            return Received {
                events: std::mem::take(&mut self.kept),
                requests: self.inbox.take_requests(),
            };
        }
        let events_max = self.memory.events_max(self.inbox.has_requests());
        let received = self.inbox.take(events_max, |event| self.memory.is_for_few(event));
        self.more_waits = received.events.len() >= events_max;
        self.memory.note_requests(&received.requests, self.clock);
        received
    }

    /// What the turn comes to. If it fails on the way, attempts that it has taken back are in the batch all the same.
    fn decide(&mut self, received: &mut Received) -> (Batch, Result<(), Error>) {
        if self.memory.is_stale()
            && let Err(error) = self.reload()
        {
            return (Batch::default(), Err(error));
        }
        let mut turn = Turn::new(&*self.store, &mut self.memory, self.clock);
        let decided = turn.decide(received);
        (turn.finish(), decided)
    }

    /// Reads memory anew after a commit whose answer may have been lost.
    fn reload(&mut self) -> Result<(), Error> {
        self.memory.reload(&*self.store, self.clock)?;
        self.observers
            .iter()
            .try_for_each(|observer| observer.answer_lost(&*self.store))
    }

    /// Commits what the turn came to. Either everything follows from it ([`Engine::follow`]) or nothing
    /// ([`Engine::roll_back`]). A turn without writes needs no commit.
    fn carry_through(&mut self, batch: Batch, received: Received) -> Wake {
        if batch.writes.is_empty() {
            self.hand_out(batch, None);
            return self.next_wake();
        }
        match self.store.commit(self.epoch, self.clock, &batch.writes) {
            Ok(committed) => {
                self.check_sessions(logins::to_check(&batch.writes, Some(&committed)));
                self.follow(batch, &committed)
            }
            Err(error) => {
                self.check_sessions(logins::to_check(&batch.writes, None));
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a commit failed: nothing is sent, nothing acknowledged"
                );
                self.note_lost(&error);
                self.roll_back(batch, received)
            }
        }
    }

    /// Sessions that may have to end are looked at in the next turn that reads what is stored.
    fn check_sessions(&self, requests: Option<Vec<WriterRequest>>) {
        if let Some(requests) = requests {
            self.inbox.check_sessions(requests);
        }
    }

    /// What follows from a commit, in this order:
    /// 1. orders of steps that lost their race are taken out: their attempts were never made;
    /// 2. observers see the commit, with what they read already stored;
    /// 3. devices get their orders, callers their answers ([`Engine::hand_out`]);
    /// 4. memory follows what is stored ([`Memory::committed`]). If it cannot be read, memory is read anew.
    ///
    /// Memory comes last, so that no order waits for it.
    fn follow(&mut self, mut batch: Batch, committed: &Committed) -> Wake {
        self.kept = batch.take_lost(committed);
        for observer in &self.observers {
            observer.committed(&batch.writes, committed);
        }
        self.health.store_fails(false);
        let writes = std::mem::take(&mut batch.writes);
        let pending = std::mem::take(&mut batch.pending_tasks);
        self.hand_out(batch, Some(committed));
        match self.memory.committed(&*self.store, writes, committed, &pending) {
            Ok(()) => self.next_wake(),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "reading back a commit failed");
                self.note_failure();
                self.read_again()
            }
        }
    }

    /// After the commit, and only then: devices get their orders, callers their answers.
    fn hand_out(&mut self, batch: Batch, committed: Option<&Committed>) {
        self.memory.turn_committed();
        self.unanswered.clear();
        if !batch.orders.is_empty() {
            self.link.carry_out(batch.orders);
        }
        let done = committed.map_or(&[][..], |committed| &committed.done);
        for (range, answer) in batch.answers {
            answer(Ok(done.get(range).unwrap_or_default()));
        }
    }

    /// A turn has failed, in this order:
    /// 1. its events are kept for the next turn, and its attempts, none of which has left, are marked as not sent;
    /// 2. requests without a caller are queued again, callers get an error;
    /// 3. memory is read anew.
    fn roll_back(&mut self, batch: Batch, received: Received) -> Wake {
        self.note_failure();
        self.memory.turn_failed(self.clock);
        self.kept = received.events;
        self.kept.extend(batch.not_sent());
        for request in std::mem::take(&mut self.unanswered) {
            self.inbox.enqueue_unbounded(request);
        }
        for (_, answer) in batch.answers {
            answer(Err(WriterError::Unavailable));
        }
        self.read_again()
    }

    fn note_failure(&mut self) {
        self.failed = Some(self.ticks_ms);
        self.health.store_fails(true);
    }

    /// Reads memory anew after a failure, and pauses.
    fn read_again(&mut self) -> Wake {
        if let Err(error) = self.reload() {
            tracing::error!(error = &error as &dyn std::error::Error, "reading the store failed");
            self.memory.set_stale();
        }
        Wake::At(self.clock.plus_ms(AFTER_FAILURE_MS))
    }

    fn next_wake(&mut self) -> Wake {
        self.failed = None;
        let left_waiting = self.memory.set_recovering(false) && !self.inbox.is_empty();
        if left_waiting || self.more_waits || self.memory.has_work() || !self.kept.is_empty() {
            return Wake::Now;
        }
        if self.memory.is_clock_in_doubt() {
            // No moment comes while the time is held: the writer looks at the clock by itself.
            return Wake::Nudged;
        }
        let idle = self
            .memory
            .devices()
            .await_pubacks()
            .then(|| self.clock.plus_ms(IDLE_MAX_MS));
        match self.memory.next_moment().into_iter().chain(idle).min() {
            Some(at) if at <= self.clock => Wake::Now,
            Some(at) => Wake::At(at),
            None => Wake::Nudged,
        }
    }
}

/// What a start writes, if the last commit was at `stored`.
fn first_writes(stored: Timestamp, clock: Timestamp) -> Vec<Write> {
    let mut writes = Vec::new();
    // An operator has accepted a clock that is behind the store: the moments stored come from a clock that was ahead.
    if clock < stored {
        writes.push(Write::SetClockBack {
            by_ms: stored.ms_since(clock),
        });
    }
    // Devices that were online when the process died count as online until the last known moment.
    writes.push(Write::EndSessions { at: stored.min(clock) });
    writes
}
