//! The system under test: everything of the server but sockets and threads, and the moments at which it dies.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use aldis_app::Presence;
use aldis_app::{Blocking, Rng as AppRng, Settings, Work};
use aldis_core::command::Command;
use aldis_core::ids::{JobNo, TaskNo};
use aldis_core::time::{Clock as _, Timestamp};
use aldis_engine::clock::{DRIFT_MAX_MS, ServerClock, TimeSource};
use aldis_engine::writer::Inbox;
use aldis_engine::{Engine, Shared, Wake};
use aldis_http_api::router;
use aldis_server::assembly::{Assembly, start_clock};
use aldis_server::wiring::{Punctuality, SLEEP_MAX_MS};
use aldis_simulator::Rng;
use aldis_store::rows::Slot;
use aldis_store::{Page, Read, Readers, TaskInfo, held_slots};
use aldis_store_memory::MemoryStore;
use axum::Router;
use parking_lot::Mutex;

use super::claims::Claims;
use super::disk::{self, Disk, Ending, Opened, Switch};
use super::link::Wires;
use super::operation::{Call, Fault};
use super::oracle::{Violation, broken};
use super::run::Medium;

/// When every history begins.
const BEGIN: i64 = 1_700_000_000_000;
/// More turns than any work of these small worlds needs: a writer that goes on is spinning.
const TURNS_MAX: usize = 400;
/// The longest sleep of the writer's thread.
const SLEEP_MAX: Duration = Duration::from_millis(SLEEP_MAX_MS.unsigned_abs());
/// Waits that are no longer keep every moment of the engine's; in longer ones it may be late by a sleep.
const EXACT_MS: i64 = 2_000;
/// Commands that are out over one connection: few, so that the few devices of these worlds have to wait for their
/// turns.
pub(super) const SHARED_MAX: usize = 2;

/// The machine's clocks.
#[derive(Clone)]
struct Hands {
    /// Shows what it is set to.
    wall_ms: Arc<AtomicI64>,
    /// The time that has really passed since the history began.
    passed_ms: Arc<AtomicI64>,
}

impl Hands {
    fn pass(&self, ms: i64) {
        self.wall_ms.fetch_add(ms, Ordering::SeqCst);
        self.passed_ms.fetch_add(ms, Ordering::SeqCst);
    }

    fn passed(&self) -> i64 {
        self.passed_ms.load(Ordering::SeqCst)
    }
}

impl TimeSource for Hands {
    fn wall(&self) -> Timestamp {
        Timestamp(self.wall_ms.load(Ordering::SeqCst))
    }

    fn monotonic_us(&self) -> i64 {
        self.passed() * 1_000
    }
}

struct Dice(Mutex<Rng>);

impl AppRng for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        let mut rng = self.0.lock();
        for byte in bytes {
            *byte = rng.draw().to_le_bytes()[0];
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
    hands: Hands,
    /// The server's: a new one with every process.
    clock: Arc<ServerClock<Hands>>,
    dice: Arc<Dice>,
    pub(super) link: Arc<Wires>,
    switch: Switch,
    disk: Disk,
    /// The power went with the process.
    power_lost: bool,
    /// The next start is told that the wall clock is right.
    accepts_clock: bool,
    /// What a start found that must not be.
    pub(super) found_broken: Option<Violation>,
    claims: Claims,
    alive: Option<Alive>,
    observer: Option<Arc<dyn Read>>,
    nudged: Arc<AtomicBool>,
    wake: Wake,
    /// The server's clock at the engine's last turn.
    engine_now: Timestamp,
    /// The clock was in doubt at the engine's last turn.
    held: bool,
    /// Whether turns come when they are due, as the writer's thread sees it.
    punctuality: Punctuality,
    /// The last moment from which replies have had a while longer: a start, a late turn, the end of a doubt.
    pub(super) started: Timestamp,
    /// Processes so far.
    pub(super) starts: u64,
    pub(super) turns: u64,
    runtime: tokio::runtime::Runtime,
}

impl World {
    pub(super) fn new(seed: u64, medium: Medium) -> Self {
        let link = Arc::new(Wires::default());
        let disk = match medium {
            Medium::Memory => Disk::Memory(MemoryStore::default()),
            Medium::Sqlite => Disk::directory(seed),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let hands = Hands {
            wall_ms: Arc::new(AtomicI64::new(BEGIN)),
            passed_ms: Arc::default(),
        };
        let switch = Switch::default();
        switch.lock().clocks = [Arc::clone(&hands.wall_ms), Arc::clone(&hands.passed_ms)];
        let mut world = Self {
            clock: Arc::new(ServerClock::new(hands.clone())),
            hands,
            dice: Arc::new(Dice(Mutex::new(Rng::new(!seed)))),
            link,
            switch,
            disk,
            power_lost: false,
            accepts_clock: false,
            found_broken: None,
            claims: Claims::default(),
            alive: None,
            observer: None,
            nudged: Arc::default(),
            wake: Wake::Nudged,
            engine_now: Timestamp(BEGIN),
            held: false,
            punctuality: Punctuality::default(),
            started: Timestamp(BEGIN),
            starts: 0,
            turns: 0,
            runtime: runtime.expect("a runtime"),
        };
        world.start();
        world
    }

    /// The server's clock.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What an operator plans by: the wall clock, if it differs from the server's by more than a drift. (Otherwise a
    /// plan may come by a drift too early or too late, which the judge would have to know.)
    pub(super) fn planning_clock(&self) -> Timestamp {
        let (now, wall) = (self.clock.now(), self.clock.wall());
        let is_drift = wall.ms_since(now).abs() <= DRIFT_MAX_MS;
        if is_drift { now } else { wall }
    }

    /// Milliseconds that have really passed since the history began, whatever any clock says.
    pub(super) fn passed(&self) -> i64 {
        self.hands.passed()
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
        self.held
    }

    /// Starts a process, as the server does: with [`Assembly`]. A disk that fails now keeps the process from starting,
    /// until it is well.
    pub(super) fn start(&mut self) {
        let nudged = Arc::clone(&self.nudged);
        let inbox = Inbox::new(move || nudged.store(true, Ordering::SeqCst));
        self.link.begin(Arc::clone(&inbox));
        self.disk.revive(&self.switch, std::mem::take(&mut self.power_lost));
        let presence: Arc<dyn Presence> = Arc::<Wires>::clone(&self.link);
        let Opened {
            mut store,
            reader,
            observer,
        } = self.disk.open(&self.switch);
        let (number, _) = store.last_commit().expect("the disk is well");
        self.found_broken = disk::is_whole(&self.switch, number.0).err();
        self.clock = Arc::new(ServerClock::new(self.hands.clone()));
        let accepted = std::mem::take(&mut self.accepts_clock);
        if accepted {
            self.claims = Claims::default();
        }
        start_clock(&self.clock, &*store, accepted).expect("the disk is well");
        let reading = self.clock.reading();
        let searched = Arc::clone(&reader);
        let assembly = Assembly {
            epoch: store.begin_epoch().expect("the disk is well"),
            store,
            readers: Readers {
                rows: Arc::clone(&reader),
                devices: Arc::clone(&reader),
                searches: Arc::new(move |_budget| Arc::clone(&searched)),
                calls: reader,
            },
            searches_max: 1,
            inbox: Arc::clone(&inbox),
            link: Arc::<Wires>::clone(&self.link),
            presence,
            shared: Shared::default(),
            clock: Arc::clone(&self.clock),
            blocking: Arc::new(AtOnce),
            rng: Arc::<Dice>::clone(&self.dice),
            token_key: [7; 32],
            settings: Settings {
                no_auth: true,
                ..Settings::default()
            },
        };
        let (mut engine, app) = assembly.start().expect("the disk is well");
        engine.share_at_most(SHARED_MAX);
        self.alive = Some(Alive {
            engine,
            inbox,
            router: router(app),
        });
        self.observer = Some(observer);
        self.engine_now = self.now();
        self.punctuality = Punctuality::default();
        self.started = self.engine_now;
        self.held = reading.held;
        self.starts += 1;
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
        let Some(alive) = &mut self.alive else { return };
        self.nudged.store(false, Ordering::SeqCst);
        let mut time = self.clock.reading();
        time.late = self.punctuality.late_ms(time.ticks_ms).is_some();
        self.engine_now = time.now;
        if time.late || self.held && !time.held {
            self.started = self.engine_now;
        }
        self.held = time.held;
        self.link.turn(self.engine_now);
        self.wake = alive.engine.run_once(time);
        self.punctuality
            .turn_ended(time.ticks_ms, self.hands.passed(), SLEEP_MAX);
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
        if self.held && !fresh.is_empty() {
            let what = format!("{fresh:?} at {}", self.engine_now.0);
            self.found_broken = self
                .found_broken
                .take()
                .or_else(|| broken("nothing_is_sent_in_doubt", what).err());
        }
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
        let end = self.hands.passed() + ms;
        let exact = ms <= EXACT_MS;
        let mut slept = 0;
        while self.hands.passed() < end {
            let longest = (SLEEP_MAX_MS - slept).min(end - self.hands.passed());
            let next = match self.wake {
                Wake::At(at) if exact || at.ms_since(self.now()) > longest => at.ms_since(self.now()).min(longest),
                _ => longest,
            };
            let next = next.max(1);
            slept += next;
            self.hands.pass(next);
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
        self.hands.wall_ms.fetch_add(ms, Ordering::SeqCst);
        self.turn();
    }

    /// Time passes while the process does not run: it is down, or stopped by a signal.
    pub(super) fn pass_without_turns(&mut self, ms: i64) {
        self.hands.pass(ms);
        self.turn();
    }

    /// The wall clock is right from now on, and the next process starts with `--accept-clock`.
    pub(super) fn set_clock_right(&mut self) {
        self.hands.wall_ms.store(BEGIN + self.hands.passed(), Ordering::SeqCst);
        self.accepts_clock = true;
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
            if let Some(steps) = left.as_mut().filter(|_| self.has_requests()) {
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
                self.hands.pass(SLEEP_MAX_MS);
                self.turn();
            }
        }
    }

    /// A question lies before an engine that is asleep.
    pub(super) fn is_pausing(&self) -> bool {
        self.alive.as_ref().is_some_and(|alive| alive.inbox.has_requests())
    }

    fn has_requests(&self) -> bool {
        self.alive
            .as_ref()
            .is_some_and(|alive| self.nudged.load(Ordering::SeqCst) && !alive.inbox.is_empty())
    }
}
