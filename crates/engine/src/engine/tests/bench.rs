//! What the tests of the engine work with: a store in memory, a link that only records, a clock that stands still, and
//! short ways to common situations. After every turn it checks what must always hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use aldis_core::ids::{DeviceNo, TaskNo, WireId};
use aldis_core::task::Reply;
use aldis_core::time::Timestamp;
use aldis_store::{ReadQueues, Store};
use aldis_store_memory::MemoryStore;
use parking_lot::Mutex;

use super::link::FakeLink;
use super::observers::Recorder;
use super::sample::{BEGIN, register};
use crate::clock::Reading;
use crate::engine::{Engine, Ports, Wake};
use crate::link::{AnswerTo, ConnectionNo, DeviceEvent, Kinds, Outgoing, SessionNo};
use crate::shared::Shared;
use crate::writer::Inbox;
use aldis_test_support::{FailingStore, Faults};

/// More turns than any test's work takes: an engine that goes on is spinning.
const TURNS_MAX: usize = 200;

/// The engine with all that it touches.
pub(super) struct Bench {
    pub(super) now: Timestamp,
    /// The clock is in doubt.
    pub(super) held: bool,
    /// The next turn comes late.
    pub(super) late: bool,
    pub(super) link: Arc<FakeLink>,
    pub(super) faults: Arc<Mutex<Faults>>,
    pub(super) devices: Vec<DeviceNo>,
    pub(super) store: MemoryStore,
    pub(super) inbox: Arc<Inbox>,
    pub(super) shared: Shared,
    pub(super) recorder: Arc<Recorder>,
    pub(super) engine: Engine,
    wake: Wake,
    sessions: u64,
    latest: BTreeMap<DeviceNo, SessionNo>,
    packets: u16,
    handed: BTreeMap<WireId, Outgoing>,
}

impl Bench {
    /// A running engine and `devices` registered devices, all offline and never seen.
    pub(super) fn new(devices: usize) -> Self {
        let link = Arc::new(FakeLink::default());
        let mut store = MemoryStore::default();
        let devices = register(&mut store, devices);
        let faults = Arc::default();
        let inbox = Inbox::new(|| {});
        let shared = Shared::default();
        let recorder = Arc::<Recorder>::default();
        let engine = engine(
            &store,
            &faults,
            &link,
            &inbox,
            &shared,
            &recorder,
            Reading::right(BEGIN),
        );
        let mut bench = Self {
            now: BEGIN,
            held: false,
            late: false,
            link,
            faults,
            devices,
            store,
            inbox,
            shared,
            recorder,
            engine,
            wake: Wake::Nudged,
            sessions: 0,
            latest: BTreeMap::new(),
            packets: 0,
            handed: BTreeMap::new(),
        };
        bench.turn();
        bench
    }

    /// A bench whose devices are all online, settled and idle.
    pub(super) fn online(devices: usize) -> Self {
        let mut bench = Self::new(devices);
        for device in bench.devices.clone() {
            bench.enter(device);
        }
        bench.settle();
        bench
    }

    /// A turn sends at most `per_turn` commands.
    pub(super) fn dispatch_at_most(&mut self, per_turn: usize) {
        self.engine.dispatch_at_most(per_turn);
    }

    // ---- turns and time ----

    /// One turn, and what must hold after it.
    pub(super) fn turn(&mut self) -> Wake {
        let reading = self.reading();
        self.late = false;
        self.wake = self.engine.run_once(reading);
        self.check();
        self.wake
    }

    fn reading(&self) -> Reading {
        Reading {
            held: self.held,
            late: self.late,
            ..Reading::right(self.now)
        }
    }

    /// Turns until the engine has enough.
    pub(super) fn settle(&mut self) {
        for _ in 0..TURNS_MAX {
            let paused = |engine: &Engine| engine.failed.is_some();
            if self.turn() != Wake::Now && (self.inbox.is_empty() || paused(&self.engine)) {
                return;
            }
        }
        panic!("the engine spins");
    }

    /// Time passes; the engine is run whenever it wants to be.
    pub(super) fn pass(&mut self, ms: i64) {
        let end = self.now.plus_ms(ms);
        self.settle();
        while let Wake::At(at) = self.wake
            && at < end
        {
            // PUBACKs do not wake the engine; it looks for them every 20 ms, and nothing else happens then.
            self.now = if at.ms_since(self.now) <= 20 {
                self.next_moment(end)
            } else {
                at
            };
            self.settle();
        }
        self.now = end;
        self.settle();
    }

    /// The next stored moment, or the end of the wait.
    fn next_moment(&self, end: Timestamp) -> Timestamp {
        let due = self.store.next_due(self.now).unwrap();
        let deadlines = self.slots().into_values().map(|slot| slot.reply_deadline);
        let jobs = self
            .jobs()
            .into_iter()
            .flat_map(|job| [job.release, job.rules().first_window_end()]);
        let later = due.into_iter().chain(deadlines).chain(jobs).filter(|at| *at > self.now);
        later.chain([end]).min().unwrap_or(end)
    }

    /// The process is gone, and another one starts on what is stored.
    pub(super) fn restart(&mut self) {
        self.start();
        self.turn();
    }

    /// As `restart`, without the first turn.
    pub(super) fn start(&mut self) {
        self.link.forget_all();
        self.link.online.lock().clear();
        self.handed.clear();
        self.inbox = Inbox::new(|| {});
        self.shared = Shared::default();
        *self.faults.lock() = Faults::default();
        self.engine = engine(
            &self.store,
            &self.faults,
            &self.link,
            &self.inbox,
            &self.shared,
            &self.recorder,
            self.reading(),
        );
        self.wake = Wake::Now;
    }

    pub(super) fn stop(&mut self) {
        self.engine.stop();
    }

    // ---- devices ----

    fn session(&mut self) -> SessionNo {
        self.sessions += 1;
        SessionNo(self.sessions)
    }

    pub(super) fn notify(&mut self, event: DeviceEvent) {
        self.inbox.report(event);
    }

    /// A device logs in; it is not yet settled.
    pub(super) fn connect(&mut self, device: DeviceNo) -> SessionNo {
        let session = self.session();
        self.link.online.lock().insert(device);
        self.latest.insert(device, session);
        self.notify(DeviceEvent::Connected { session, device });
        session
    }

    /// A device logs in and settles.
    pub(super) fn enter(&mut self, device: DeviceNo) -> SessionNo {
        let session = self.connect(device);
        self.notify(DeviceEvent::Ready {
            session,
            device,
            kinds: Kinds::ALL,
        });
        session
    }

    /// A device logs in over another's connection, and settles.
    pub(super) fn enter_over(&mut self, device: DeviceNo, connection: ConnectionNo, login: u64) -> SessionNo {
        let session = SessionNo::over(connection, login).unwrap();
        self.link.online.lock().insert(device);
        self.latest.insert(device, session);
        self.notify(DeviceEvent::Connected { session, device });
        let kinds = Kinds::ALL;
        self.notify(DeviceEvent::Ready { session, device, kinds });
        session
    }

    /// How many events are kept after a failed turn.
    pub(super) fn kept(&self) -> usize {
        self.engine.kept.len()
    }

    /// How many jobs, timers, sessions, queues, slots and moments the engine has in memory.
    pub(super) fn cached_things(&self) -> usize {
        self.engine.memory.size()
    }

    /// The device's latest session.
    pub(super) fn session_of(&self, device: DeviceNo) -> SessionNo {
        self.latest[&device]
    }

    /// The session of the device that came last.
    pub(super) fn last_session(&self) -> SessionNo {
        SessionNo(self.sessions)
    }

    pub(super) fn leave(&mut self, device: DeviceNo, session: SessionNo) {
        self.link.online.lock().remove(&device);
        self.notify(DeviceEvent::Disconnected { session, device });
    }

    /// What the engine has ordered to be sent, and the devices have got by now.
    pub(super) fn deliver(&mut self) -> Vec<WireId> {
        let orders = self.link.attempts();
        let taken = orders
            .into_iter()
            .filter(|outgoing| self.now < outgoing.not_after && outgoing.gate.take());
        let mut wires = Vec::new();
        for outgoing in taken {
            outgoing.gate.handed_over(self.now);
            wires.push(outgoing.wire);
            assert!(
                self.handed.insert(outgoing.wire, outgoing).is_none(),
                "an attempt is sent twice"
            );
        }
        wires
    }

    /// Runs the engine until it has enough, and gives the devices what it has ordered.
    pub(super) fn sent(&mut self) -> Vec<WireId> {
        self.settle();
        self.deliver()
    }

    /// Exactly one attempt, of one task, has reached its device.
    pub(super) fn one_sent(&mut self) -> WireId {
        let sent = self.sent();
        assert_eq!(sent.len(), 1, "one attempt is sent: {sent:?}");
        sent[0]
    }

    /// The tasks of what has reached devices by now.
    pub(super) fn tasks_sent(&mut self) -> Vec<TaskNo> {
        self.sent().into_iter().map(WireId::task).collect()
    }

    pub(super) fn device_of(&self, wire: WireId) -> DeviceNo {
        self.task(wire.task()).device
    }

    /// The device's PUBACK.
    pub(super) fn ack(&mut self, wire: WireId) {
        let device = self.device_of(wire);
        self.notify(DeviceEvent::Acked { device, wire });
        self.settle();
    }

    /// The device's reply, on whatever session it has; the packet's number.
    pub(super) fn say(&mut self, device: DeviceNo, wire: WireId, code: i64) -> u16 {
        self.packets += 1;
        let reply = Reply {
            code: Some(code),
            message: None,
            output: None,
        };
        let to = AnswerTo::Service("spin".to_owned());
        let session = SessionNo(self.sessions);
        self.notify(DeviceEvent::Replied {
            session,
            device,
            wire: Some(wire),
            mentioned: None,
            to,
            reply,
            packet: Some(self.packets),
        });
        self.packets
    }

    /// As `say`, and the engine has heard it.
    pub(super) fn reply(&mut self, wire: WireId, code: i64) {
        let device = self.device_of(wire);
        self.say(device, wire, code);
        self.settle();
    }

    /// An ordered attempt certainly never leaves.
    pub(super) fn lose(&mut self) -> WireId {
        let outgoing = self.link.attempts().pop().expect("an attempt was ordered");
        assert!(outgoing.gate.withdraw(), "no other thread has taken it");
        self.notify(DeviceEvent::NotSent {
            device: outgoing.device,
            wire: outgoing.wire,
        });
        self.settle();
        outgoing.wire
    }
}

fn engine(
    store: &MemoryStore,
    faults: &Arc<Mutex<Faults>>,
    link: &Arc<FakeLink>,
    inbox: &Arc<Inbox>,
    shared: &Shared,
    recorder: &Arc<Recorder>,
    time: Reading,
) -> Engine {
    let mut store = FailingStore {
        store: store.clone(),
        faults: Arc::clone(faults),
    };
    let ports = Ports {
        epoch: store.begin_epoch().unwrap(),
        store: Box::new(store),
        link: Arc::<FakeLink>::clone(link),
        inbox: Arc::clone(inbox),
        observers: vec![Arc::<Recorder>::clone(recorder)],
        shared: shared.clone(),
    };
    Engine::start(ports, time).unwrap()
}
