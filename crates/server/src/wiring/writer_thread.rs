//! The writer's thread: runs the engine's turns, and sleeps until the next moment or a nudge.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use aldis_core::time::{Clock as _, Timestamp};
use parking_lot::{Condvar, Mutex};

use super::punctuality::Punctuality;
use super::vital::Vital;
use super::{StartError, WiredClock};
use aldis_engine::writer::Inbox;
use aldis_engine::{Engine, Wake};

/// The longest sleep of the writer's thread between two turns, in milliseconds: the wall clock may jump, and no sleep
/// notices.
pub const SLEEP_MAX_MS: i64 = 1_000;
const SLEEP_MAX: Duration = Duration::from_millis(SLEEP_MAX_MS.unsigned_abs());

/// After a crowded turn, so long more arrives before the next one: a commit costs the same for five replies as for a
/// hundred. No call for a single device waits for it.
const REST: Duration = Duration::from_millis(2);

#[derive(Default)]
struct State {
    nudged: bool,
    stop: bool,
    finish: bool,
    /// A turn has been run since the stop.
    quiet: bool,
}

/// Wakes the writer.
#[derive(Default)]
pub(super) struct Signal {
    state: Mutex<State>,
    changed: Condvar,
}

impl Signal {
    /// Something has arrived.
    pub(super) fn nudge(&self) {
        let mut state = self.state.lock();
        if !state.nudged {
            state.nudged = true;
            self.changed.notify_all();
        }
    }

    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock());
        self.changed.notify_all();
    }

    fn sleep(&self, longest: Duration) {
        if longest.is_zero() {
            return;
        }
        let mut state = self.state.lock();
        if !state.nudged && !state.finish {
            self.changed.wait_for(&mut state, longest);
        }
    }

    /// What is asked of the next turn.
    fn begin_turn(&self) -> (bool, bool) {
        let mut state = self.state.lock();
        state.nudged = false;
        (state.stop, state.finish)
    }
}

/// The running writer.
pub(super) struct WriterThread {
    signal: Arc<Signal>,
    thread: JoinHandle<bool>,
}

impl WriterThread {
    pub(super) fn start(
        engine: Engine,
        clock: Arc<WiredClock>,
        inbox: Arc<Inbox>,
        signal: Arc<Signal>,
        vital: Vital,
    ) -> Result<Self, StartError> {
        let thread = std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn({
                let signal = Arc::clone(&signal);
                move || {
                    let _reports_the_end = vital;
                    run(engine, &clock, &inbox, &signal)
                }
            })
            .map_err(|source| StartError::System {
                what: "cannot start the writer's thread".to_owned(),
                source,
            })?;
        Ok(Self { signal, thread })
    }

    /// Nothing is sent any more; returns once a turn has taken back what had not left. Blocks.
    pub(super) fn quiet(&self) {
        self.signal.set(|state| {
            state.stop = true;
            state.nudged = true;
        });
        let mut state = self.signal.state.lock();
        while !state.quiet {
            self.signal.changed.wait(&mut state);
        }
    }

    /// Records what is still in the inbox and ends; false if it had ended by itself. Blocks.
    pub(super) fn finish(self) -> bool {
        self.signal.set(|state| state.finish = true);
        self.thread.join().unwrap_or(false)
    }
}

/// How long the writer may sleep.
fn longest(wake: Wake, now: Timestamp) -> Duration {
    match wake {
        Wake::Now => Duration::ZERO,
        Wake::At(at) => Duration::from_millis(u64::try_from(at.ms_since(now)).unwrap_or(0)).min(SLEEP_MAX),
        Wake::Nudged => SLEEP_MAX,
    }
}

/// True if it ends because it was told to.
fn run(mut engine: Engine, clock: &WiredClock, inbox: &Inbox, signal: &Signal) -> bool {
    // Whatever ends this thread, no part waits for it for ever.
    let _at_the_end = Quieting(signal);
    let mut punctuality = Punctuality::default();
    loop {
        let (stop, finish) = signal.begin_turn();
        if stop {
            engine.stop();
        }
        let crowded = inbox.is_crowded();
        let mut time = clock.reading();
        let late_ms = punctuality.late_ms(time.ticks_ms);
        time.late = late_ms.is_some();
        if let Some(late_ms) = late_ms {
            tracing::warn!(late_ms, "the server did not run: replies get a while longer");
        }
        let wake = engine.run_once(time);
        if engine.is_lost() {
            return false;
        }
        if stop {
            signal.set(|state| state.quiet = true);
        }
        // What cannot be stored is not acknowledged, so that its senders say it again after the next start.
        if finish && engine.is_failing() {
            tracing::warn!("the store fails: the last replies were not recorded, and not acknowledged");
            return true;
        }
        if finish && engine.is_drained() {
            return true;
        }
        if crowded && !engine.is_yielding() {
            std::thread::sleep(REST);
        }
        let sleep = longest(wake, clock.now());
        punctuality.turn_ended(time.ticks_ms, clock.reading().ticks_ms, sleep);
        signal.sleep(sleep);
    }
}

struct Quieting<'s>(&'s Signal);

impl Drop for Quieting<'_> {
    fn drop(&mut self) {
        self.0.set(|state| state.quiet = true);
    }
}

#[cfg(test)]
mod tests {
    use aldis_store::{Store, Write};
    use aldis_store_memory::MemoryStore;

    use super::*;
    use crate::wiring::SystemTimes;
    use crate::wiring::vital;
    use aldis_engine::clock::ServerClock;
    use aldis_engine::link::{DeviceLink, Order};
    use aldis_engine::writer::{Writer, WriterError};
    use aldis_engine::{Ports, Shared};
    use aldis_test_support::{FailingStore, Faults};

    struct Nowhere;

    impl DeviceLink for Nowhere {
        fn carry_out(&self, _orders: Vec<Order>) {}
    }

    #[tokio::test]
    async fn a_turn_that_panics_ends_the_writer_and_is_reported() {
        let signal = Arc::new(Signal::default());
        let inbox = Inbox::new({
            let signal = Arc::clone(&signal);
            move || signal.nudge()
        });
        let faults = Arc::new(Mutex::new(Faults::default()));
        let mut store = FailingStore {
            store: MemoryStore::default(),
            faults: Arc::clone(&faults),
        };
        let clock = Arc::new(ServerClock::new(SystemTimes));
        let ports = Ports {
            epoch: store.begin_epoch().unwrap(),
            store: Box::new(store),
            link: Arc::new(Nowhere),
            inbox: Arc::clone(&inbox),
            observers: Vec::new(),
            shared: Shared::default(),
        };
        let engine = Engine::start(ports, clock.reading()).unwrap();
        let (guards, mut ends) = vital::watch();
        let thread = WriterThread::start(engine, clock, Arc::clone(&inbox), signal, guards.of("the writer")).unwrap();
        faults.lock().meddling = Some(Box::new(|_, _| panic!("a fault of the program")));
        let nothing = Write::Activity(Vec::new());
        let answered = Writer::new(inbox).write(vec![nothing]).await;
        assert!(matches!(answered, Err(WriterError::Unavailable)), "{answered:?}");
        assert_eq!(ends.next().await, "the writer");
        thread.quiet();
        assert!(!thread.finish());
    }
}
