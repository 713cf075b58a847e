//! The system under test: everything of the server but sockets and threads, and the moments at which it dies.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::task::{Context, Poll, Waker};

use aldis_core::command::Command;
use aldis_core::ids::{JobNo, TaskNo};
use aldis_core::time::{Clock, Timestamp};
use aldis_server::api::router;
use aldis_server::app::{App, Blocking, Chance as AppChance, Parts, Settings, Work};
use aldis_server::engine::{Engine, Wake};
use aldis_server::writer::{Inbox, Writer};
use aldis_simulator::Chance;
use aldis_store::memory::MemoryStore;
use aldis_store::rows::Slot;
use aldis_store::{Page, Presence, Read, TaskInfo, held_slots};
use axum::Router;
use parking_lot::Mutex;

use super::claims::Claims;
use super::disk::{self, Disk, Ending, Opened, Switch};
use super::link::Wires;
use super::operation::{Call, Fault};
use super::oracle::Violation;
use super::run::Medium;

/// When every history begins.
const BEGIN: i64 = 1_700_000_000_000;
/// More turns than any work of these small worlds needs: a writer that goes on is spinning.
const TURNS_MAX: usize = 400;
/// The writer's thread never sleeps longer.
const SLEEP_MAX_MS: i64 = 1_000;
/// Waits that are no longer keep every moment of the engine's; in longer ones it may be late by a sleep.
const EXACT_MS: i64 = 2_000;
/// How far the clock may be behind the store at a start before the engine holds dispatch.
const BEHIND_MAX_MS: i64 = 5 * 60_000;

/// Commands that are out over one connection: few, so that the few devices of these worlds have to wait for their turns.
pub(super) const SHARED_MAX: usize = 2;

struct Hands(Arc<AtomicI64>);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

struct Dice(Mutex<Chance>);

impl AppChance for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        let mut chance = self.0.lock();
        for byte in bytes {
            *byte = chance.draw().to_le_bytes()[0];
        }
    }
}

/// Questions to the store are answered at once: which thread is faster must not decide a history.
struct AtOnce;

impl Blocking for AtOnce {
    fn run(&self, work: Work) {
        work();
    }
}

struct Alive {
    engine: Engine,
    inbox: Arc<Inbox>,
    router: Router,
    /// Dispatch is held until the clock shows this.
    held_until: Option<Timestamp>,
}

/// What a call came to.
#[derive(Debug)]
pub(super) enum Came<T> {
    /// An answer.
    To(T),
    /// Nothing: the process died meanwhile.
    Down,
}

/// The world.
pub(super) struct World {
    clock: Arc<Hands>,
    dice: Arc<Dice>,
    pub(super) link: Arc<Wires>,
    switch: Switch,
    disk: Disk,
    /// The power went with the process.
    power_lost: bool,
    /// What a start found that must not be.
    pub(super) found_broken: Option<Violation>,
    claims: Claims,
    alive: Option<Alive>,
    observer: Option<Arc<dyn Read>>,
    nudged: Arc<AtomicBool>,
    wake: Wake,
    /// The engine's clock at its last turn: never behind what is stored.
    engine_now: Timestamp,
    pub(super) started: Timestamp,
    pub(super) turns: u64,
    runtime: tokio::runtime::Runtime,
}

impl World {
    pub(super) fn new(seed: u64, medium: Medium) -> Self {
        let link = Arc::new(Wires::default());
        let presence: Arc<dyn Presence> = Arc::<Wires>::clone(&link);
        let disk = match medium {
            Medium::Memory => Disk::Memory(MemoryStore::new(presence)),
            Medium::Sqlite => Disk::directory(seed),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let clock = Arc::new(AtomicI64::new(BEGIN));
        let switch = Switch::default();
        switch.lock().clock = Arc::clone(&clock);
        let mut world = Self {
            clock: Arc::new(Hands(clock)),
            dice: Arc::new(Dice(Mutex::new(Chance::new(!seed)))),
            link,
            switch,
            disk,
            power_lost: false,
            found_broken: None,
            claims: Claims::default(),
            alive: None,
            observer: None,
            nudged: Arc::default(),
            wake: Wake::Nudged,
            engine_now: Timestamp(BEGIN),
            started: Timestamp(BEGIN),
            turns: 0,
            runtime: runtime.expect("a runtime"),
        };
        world.start();
        world
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn engine_now(&self) -> Timestamp {
        self.engine_now
    }

    /// What is stored, by a way that never fails.
    pub(super) fn stored(&self) -> Arc<dyn Read> {
        self.observer.clone().expect("the process runs")
    }

    /// The job that a single command is.
    pub(super) fn job_of(&self, command_id: &str) -> Option<JobNo> {
        let task = TaskNo::from_task_id(command_id)?;
        let jobs = self.stored().jobs_of(&[task]).expect("the observer's way never fails");
        jobs.first().map(|job| job.no)
    }

    /// The jobs of the single commands that were sent in this name.
    pub(super) fn singles_by(&self, name: &str) -> Vec<JobNo> {
        let page = Page {
            skip: 0,
            take: u64::MAX,
        };
        let found = self.stored().search_tasks(&"o".into(), None, page);
        let tasks = found.expect("the observer's way never fails").rows;
        let is_by = |info: &TaskInfo| match info.job.command.as_ref() {
            Command::InvokeService { input, .. } => input.get("by").is_some_and(|by| by == name),
            Command::SetMeasurepoint { .. } => false,
        };
        tasks.into_iter().filter(is_by).map(|info| info.job.no).collect()
    }

    /// The slots that are held, as they are stored.
    pub(super) fn held_slots(&self) -> Vec<Slot> {
        let stored = self.stored();
        let at_work = stored.jobs_at_work().expect("the observer's way never fails");
        held_slots(&*stored, &at_work).expect("the observer's way never fails")
    }

    /// Whether the engine sends nothing because the clock is wrong.
    pub(super) fn is_held(&self) -> bool {
        self.alive
            .as_ref()
            .is_some_and(|alive| alive.held_until.is_some_and(|until| self.now() < until))
    }

    /// As `wiring` does it. A disk that fails now keeps the process from starting, until it is well.
    pub(super) fn start(&mut self) {
        let nudged = Arc::clone(&self.nudged);
        let inbox = Inbox::new(move || nudged.store(true, Ordering::SeqCst));
        self.link.begin(Arc::clone(&inbox));
        self.disk.revive(&self.switch, std::mem::take(&mut self.power_lost));
        let presence: Arc<dyn Presence> = Arc::<Wires>::clone(&self.link);
        let Opened {
            store,
            reader,
            observer,
        } = self.disk.open(&presence, &self.switch);
        let (number, stored) = store.last_commit().expect("the disk is well");
        self.found_broken = disk::is_whole(&self.switch, number.0).err();
        let held_until = (stored.ms_since(self.now()) > BEHIND_MAX_MS).then_some(stored);
        let link = Arc::<Wires>::clone(&self.link);
        let mut engine = Engine::start(store, link, Arc::clone(&inbox), self.now()).expect("the disk is well");
        engine.share_at_most(SHARED_MAX);
        let searched = Arc::clone(&reader);
        let app = App::new(Parts {
            rows: Arc::clone(&reader),
            devices: Arc::clone(&reader),
            search_reader: Arc::new(move |_budget| Arc::clone(&searched)),
            searches_max: 1,
            store: reader,
            blocking: Arc::new(AtOnce),
            writer: Writer::new(Arc::clone(&inbox)),
            clock: Arc::<Hands>::clone(&self.clock),
            presence,
            chance: Arc::<Dice>::clone(&self.dice),
            token_key: [7; 32],
            settings: Settings {
                no_auth: true,
                ..Settings::default()
            },
        });
        self.alive = Some(Alive {
            engine,
            inbox,
            router: router(app),
            held_until,
        });
        self.observer = Some(observer);
        self.engine_now = stored.max(self.now());
        self.started = self.engine_now;
        self.turn();
    }

    /// Lets this happen next.
    pub(super) fn disk_fails(&self, fault: Fault) {
        self.disk.fails(&self.switch, fault);
    }

    /// The disk is well again.
    pub(super) fn disk_heals(&self) {
        self.disk.heal(&self.switch);
    }

    /// A fault of the disk still waits for its moment.
    pub(super) fn disk_is_failing(&self) -> bool {
        self.disk.is_failing(&self.switch)
    }

    /// Everything that was not stored is gone.
    pub(super) fn end(&mut self, ending: Ending) {
        self.power_lost |= self.disk.end(&self.switch, ending);
        self.alive = None;
        self.observer = None;
        self.link.end();
        self.nudged.store(false, Ordering::SeqCst);
    }

    /// Stops in order: nothing is sent any more; what was read is recorded.
    pub(super) fn stop(&mut self) {
        if let Some(alive) = &mut self.alive {
            alive.engine.stop();
        }
        self.turn();
        self.link.end_all();
    }

    pub(super) fn turn(&mut self) {
        let now = self.now();
        let Some(alive) = &mut self.alive else { return };
        self.nudged.store(false, Ordering::SeqCst);
        self.engine_now = self.engine_now.max(now);
        self.link.turn(self.engine_now);
        self.wake = alive.engine.run_once(now);
        self.turns += 1;
        if self.disk.has_died(&self.switch) {
            self.end(Ending::Killed);
        } else {
            self.check_claims();
        }
    }

    /// What was ordered in this turn, before the next one changes what is stored.
    fn check_claims(&mut self) {
        let fresh = self.link.fresh();
        let Some(stored) = self.observer.as_deref() else { return };
        for (device, wire) in fresh {
            let checked = self.claims.check(stored, device, wire, self.engine_now);
            self.found_broken = self.found_broken.take().or_else(|| checked.err());
        }
    }

    fn is_awake(&self) -> bool {
        let due = match self.wake {
            Wake::Now => true,
            Wake::At(at) => at <= self.now(),
            Wake::Nudged => false,
        };
        due || self.nudged.load(Ordering::SeqCst)
    }

    /// Runs the engine as long as it wants to; false if it never has enough.
    #[must_use]
    pub(super) fn drive(&mut self) -> bool {
        for _ in 0..TURNS_MAX {
            if self.alive.is_none() || !self.is_awake() {
                return true;
            }
            self.turn();
        }
        false
    }

    /// Time passes, and the engine runs when it wanted to, or when its thread has slept for as long as it ever does.
    #[must_use]
    pub(super) fn wait(&mut self, ms: i64) -> bool {
        let end = self.now().plus_ms(ms);
        let exact = ms <= EXACT_MS;
        let mut slept = 0;
        while self.now() < end {
            let now = self.now();
            let longest = now.plus_ms(SLEEP_MAX_MS - slept).min(end);
            let next = match self.wake {
                Wake::At(at) if exact || at > longest => at.min(longest),
                _ => longest,
            };
            let next = next.max(now.plus_ms(1));
            slept += next.ms_since(now);
            self.clock.0.store(next.0, Ordering::SeqCst);
            if slept >= SLEEP_MAX_MS {
                self.turn();
                slept = 0;
            }
            if !self.drive() {
                return false;
            }
        }
        true
    }

    /// Sets the wall clock; the writer's thread looks at it within a second.
    pub(super) fn clock_jumps(&mut self, ms: i64) {
        self.clock.0.fetch_add(ms, Ordering::SeqCst);
        self.turn();
    }

    pub(super) fn router(&self) -> Option<Router> {
        self.alive.as_ref().map(|alive| alive.router.clone())
    }

    /// Carries out a call, running the engine whenever the call waits for it.
    pub(super) fn carry_out<T>(&mut self, call: Call, work: impl Future<Output = T>) -> Came<T> {
        let handle = self.runtime.handle().clone();
        let _entered = handle.enter();
        let mut context = Context::from_waker(Waker::noop());
        let mut work = pin!(work);
        let mut left = match call {
            Call::Dies(steps) => Some(steps),
            Call::Answered | Call::AnswerLost => None,
        };
        loop {
            if self.alive.is_none() {
                return Came::Down;
            }
            if let Poll::Ready(done) = work.as_mut().poll(&mut context) {
                return Came::To(done);
            }
            if let Some(steps) = left.as_mut().filter(|_| self.has_asks()) {
                if *steps > 0 {
                    self.turn();
                }
                *steps = steps.saturating_sub(1);
                if *steps == 0 {
                    self.end(Ending::Killed);
                    return Came::Down;
                }
            } else if self.is_awake() {
                self.turn();
            } else {
                // No turn is due: the engine pauses after a fault, or the call waits for a device, until time passes.
                self.clock.0.fetch_add(SLEEP_MAX_MS, Ordering::SeqCst);
                self.turn();
            }
        }
    }

    /// A question lies before an engine that is asleep.
    pub(super) fn is_pausing(&self) -> bool {
        self.alive.as_ref().is_some_and(|alive| alive.inbox.has_asks())
    }

    fn has_asks(&self) -> bool {
        self.alive
            .as_ref()
            .is_some_and(|alive| self.nudged.load(Ordering::SeqCst) && !alive.inbox.is_empty())
    }
}
