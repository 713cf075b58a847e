//! The rules of a turn: what came in, what is due, who gets what next; one commit; then, and only then, what follows.
//!
//! [`Engine`] is a plain object: [`Engine::run_once`] takes a moment and says when it wants to be run again. Wiring gives
//! it a thread and the real clock, a simulation a virtual one. Within a turn the order is fixed: presence, replies and
//! PUBACKs, operators, deadlines, triggers and due retries, one slice of bulk work, dispatch.
//!
//! Everything in memory can be read again from the store, and is, whenever a commit fails. Not here: sockets, threads,
//! clocks, and any decision about a task's next state, which is `core::task::step`'s alone.

mod asks;
mod bulk;
mod deadlines;
mod devices;
mod dispatch;
mod jobs;
mod memory;
mod presence;
mod replies;
mod tally;
mod trigger;
mod turn;

use std::sync::Arc;

use aldis_core::time::Timestamp;
use aldis_store::{Committed, Error, Store};

use crate::link::{DeviceEvent, DeviceLink};
use crate::writer::{Failure, Inbox, Received};
use memory::Memory;
pub use tally::Tally;
use turn::{Batch, Turn};

/// How far the wall clock may be behind the store's at start before dispatch is held: more is no drift but a wrong clock.
const CLOCK_BEHIND_MAX_MS: i64 = 5 * 60_000;
/// A pause after a failed commit: long enough not to hammer a full disk, short enough for a device that waits for its PUBACK.
const AFTER_FAILURE_MS: i64 = 200;
/// The longest sleep without a reason: PUBACKs that wake nobody are recorded by then.
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

/// The state behind the writer.
pub struct Engine {
    store: Box<dyn Store>,
    link: Arc<dyn DeviceLink>,
    inbox: Arc<Inbox>,
    memory: Memory,
    /// Events of a turn whose commit failed: they come first in the next.
    kept: Vec<DeviceEvent>,
    /// The engine's clock never runs backwards, also across restarts.
    clock: Timestamp,
}

impl Engine {
    /// Reads what it needs from the store: jobs at work and held slots. Nothing is sent again.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn start(
        store: Box<dyn Store>,
        link: Arc<dyn DeviceLink>,
        inbox: Arc<Inbox>,
        wall: Timestamp,
    ) -> Result<Self, Error> {
        let (_, stored) = store.last_commit()?;
        let held = stored.ms_since(wall) > CLOCK_BEHIND_MAX_MS;
        if held {
            tracing::error!(
                stored = stored.0,
                wall = wall.0,
                "the clock is more than five minutes behind the store: dispatch is held until it has caught up"
            );
        }
        let clock = wall.max(stored);
        let mut memory = Memory::new(clock, held.then_some(stored));
        memory.reload(&*store, clock)?;
        memory.devices.extend_deadlines(clock);
        Ok(Self { store, link, inbox, memory, kept: Vec::new(), clock })
    }

    /// Counts of what was dropped, for telemetry.
    #[must_use]
    pub fn tally(&self) -> Arc<Tally> {
        Arc::clone(&self.memory.tally)
    }

    /// No attempt leaves from now on; what has not left is taken back in the next turn.
    pub fn stop(&mut self) {
        self.memory.stopping = true;
    }

    /// One turn.
    pub fn run_once(&mut self, wall: Timestamp) -> Wake {
        self.clock = self.clock.max(wall);
        self.memory.clock_moved(wall);
        let mut received = self.inbox.take();
        if !self.kept.is_empty() {
            received.events.splice(0..0, self.kept.drain(..));
        }
        match self.decide(&mut received) {
            Ok(batch) => self.carry_through(batch, received),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "reading the store failed");
                self.recover(Batch::default(), received)
            }
        }
    }

    fn decide(&mut self, received: &mut Received) -> Result<Batch, Error> {
        if self.memory.stale {
            self.memory.reload(&*self.store, self.clock)?;
        }
        let mut turn = Turn::new(&*self.store, &mut self.memory, self.clock);
        turn.presence(&received.events)?;
        turn.record_replies(&received.events)?;
        for ask in received.asks.drain(..) {
            turn.ask(ask)?;
        }
        turn.pass_deadlines()?;
        turn.trigger()?;
        turn.bulk_slice(!received.events.is_empty())?;
        turn.dispatch()?;
        Ok(turn.finish())
    }

    fn carry_through(&mut self, batch: Batch, received: Received) -> Wake {
        if batch.writes.is_empty() {
            self.hand_out(batch, None);
            return self.next_wake();
        }
        match self.store.commit(self.clock, &batch.writes) {
            Ok(committed) => {
                let learned = self.memory.learn(&*self.store, &batch.writes, &committed);
                self.memory.devices.join_all(&batch.newborn);
                self.hand_out(batch, Some(&committed));
                if let Err(error) = learned {
                    tracing::error!(error = &error as &dyn std::error::Error, "reading back a commit failed");
                    return self.recover(Batch::default(), Received::default());
                }
                self.next_wake()
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a commit failed: nothing is sent, nothing acknowledged");
                self.recover(batch, received)
            }
        }
    }

    /// After the commit, and only then: devices get their orders, callers their answers.
    fn hand_out(&mut self, batch: Batch, committed: Option<&Committed>) {
        if !batch.orders.is_empty() {
            self.link.carry_out(batch.orders);
        }
        let done = committed.map_or(&[][..], |committed| &committed.done);
        for (range, answer) in batch.answers {
            answer(Ok(done.get(range).unwrap_or_default()));
        }
    }

    /// Nobody was told anything: events are kept, attempts that were to leave certainly have not, and memory is read anew.
    fn recover(&mut self, batch: Batch, received: Received) -> Wake {
        self.kept = received.events;
        self.kept.extend(batch.not_sent());
        for (_, answer) in batch.answers {
            answer(Err(Failure::Unavailable));
        }
        if let Err(error) = self.memory.reload(&*self.store, self.clock) {
            tracing::error!(error = &error as &dyn std::error::Error, "reading the store failed");
            self.memory.stale = true;
        }
        Wake::At(self.clock.plus_ms(AFTER_FAILURE_MS))
    }

    fn next_wake(&self) -> Wake {
        if self.memory.has_work() || !self.kept.is_empty() {
            return Wake::Now;
        }
        let idle = (!self.memory.devices.is_empty()).then(|| self.clock.plus_ms(IDLE_MAX_MS));
        match self.memory.next_moment().into_iter().chain(idle).min() {
            Some(at) if at <= self.clock => Wake::Now,
            Some(at) => Wake::At(at),
            None => Wake::Nudged,
        }
    }
}
