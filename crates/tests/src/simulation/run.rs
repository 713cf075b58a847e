//! Carries out a history, looks at what must hold after each operation, and at the end demands that everything ends.

use std::collections::{BTreeMap, HashMap};

use aldis_core::ids::{AttemptNo, DeviceNo, JobNo, TaskNo, WireId};
use aldis_core::task::State;
use aldis_server::link::{DeviceEvent, Kinds, Order, Outgoing, SessionNo};
use aldis_store::{DeviceRef, JobTasks};

use super::device::{Device, Got, reply, reply_topic};
use super::disk;
use super::link::Noted;
use super::operation::{Answer, Call, Choice, DEVICES, Draft, Fault, Operation};
use super::operator::{Answered, PRODUCT};
use super::oracle::{Checked, Oracle, Violation, broken};
use super::world::World;

/// Jobs that are looked after at a time: more only make a history slower.
const JOBS_MAX: usize = 10;
/// Longer than any window, timeout and retry of a drawn job, in steps of the end.
const STEPS_TO_THE_END: usize = 2_000;
/// A step of the end.
const STEP_MS: i64 = 4_000;
/// Reply deadlines that are near are put off by a start.
const AFTER_START_MS: i64 = 5_000;
/// Longer than an engine pauses after a failed commit, and than its thread ever sleeps.
const AFTER_FAULTS_MS: i64 = 1_300;

/// Where the world keeps what it keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// The store in memory.
    Memory,
    /// SQLite in a directory of its own.
    Sqlite,
}

/// What a history came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Operations carried out.
    pub operations: u64,
    /// Turns of the engine.
    pub turns: u64,
    /// Kills and restarts.
    pub starts: u64,
    /// Commands that left for devices.
    pub commands: u64,
    /// Jobs created.
    pub jobs: u64,
}

impl Figures {
    /// Both together.
    pub fn add(&mut self, other: &Self) {
        self.operations += other.operations;
        self.turns += other.turns;
        self.starts += other.starts;
        self.commands += other.commands;
        self.jobs += other.jobs;
    }
}

/// Carries out a history; the seed only decides ids.
///
/// # Errors
/// The first rule that was broken, and after how many operations.
pub fn run(seed: u64, medium: Medium, operations: &[Operation]) -> Result<Figures, (usize, Violation)> {
    let mut history = History::begin(seed, medium);
    for (index, operation) in operations.iter().enumerate() {
        history.carry_out(*operation).map_err(|violation| (index, violation))?;
    }
    history.end().map_err(|violation| (operations.len(), violation))?;
    history.figures.turns = history.world.turns;
    history.figures.commands = history.oracle.received;
    Ok(history.figures)
}

struct History {
    world: World,
    oracle: Oracle,
    devices: Vec<Device>,
    /// What the packet of a reply said.
    packets: HashMap<(SessionNo, u16), (DeviceNo, WireId, Answer)>,
    names: u32,
    figures: Figures,
}

fn nth(choice: Choice, count: usize) -> Option<usize> {
    usize::try_from(choice).unwrap_or(0).checked_rem(count)
}

impl History {
    fn begin(seed: u64, medium: Medium) -> Self {
        let mut world = World::new(seed, medium);
        let keys: Vec<String> = (0..DEVICES).map(|number| format!("d{number}")).collect();
        world.register(&keys);
        let mut history = Self {
            world,
            oracle: Oracle::default(),
            devices: Vec::new(),
            packets: HashMap::new(),
            names: 0,
            figures: Figures::default(),
        };
        history.devices = keys.into_iter().map(|key| Device::new(key, DeviceNo(0))).collect();
        history.know_devices();
        history
    }

    fn know_devices(&mut self) {
        let keys: Vec<DeviceRef> = self
            .devices
            .iter()
            .map(|device| DeviceRef::Keys(PRODUCT.into(), device.key.as_str().into()))
            .collect();
        let found = self
            .world
            .stored()
            .devices(&keys)
            .expect("the observer's way never fails");
        for (device, found) in self.devices.iter_mut().zip(found) {
            device.no = found.map_or(DeviceNo(0), |found| found.no);
        }
    }

    fn carry_out(&mut self, operation: Operation) -> Checked {
        self.figures.operations += 1;
        self.happen(operation)?;
        self.settle()
    }

    /// What follows by itself: the engine works as long as it wants, and what it ordered is noted.
    fn settle(&mut self) -> Checked {
        if self.world.router().is_none() {
            self.begin_again();
        }
        if !self.world.drive() {
            return broken("the_engine_rests", "it wants turn after turn and does nothing");
        }
        self.note()
    }

    fn begin_again(&mut self) {
        self.world.start();
        self.figures.starts += 1;
    }

    fn note(&mut self) -> Checked {
        for noted in self.world.link.noted() {
            match noted {
                Noted::Ordered(device, wire, at) => {
                    let jobs = self
                        .world
                        .stored()
                        .jobs_of(&[wire.task()])
                        .expect("the observer's way never fails");
                    let reply_ms = jobs.first().map_or(0, |job| job.policy.reply_timeout_ms);
                    self.oracle.ordered(device, wire, at, reply_ms)?;
                }
                Noted::Durable(session, packet) => {
                    if let Some((device, wire, answer)) = self.packets.get(&(session, packet)) {
                        self.oracle.durable(*device, *wire, *answer);
                    }
                }
            }
        }
        Ok(())
    }

    fn happen(&mut self, operation: Operation) -> Checked {
        match operation {
            Operation::Wait(ms) => self.wait(i64::from(ms))?,
            Operation::ClockJumps(ms) => self.world.clock_jumps(i64::from(ms)),
            Operation::Connect(device) => self.connect(device),
            Operation::Settle(device, kinds) => self.settles(device, kinds),
            Operation::Drop(device) => self.drop_link(device),
            Operation::Deliver(device, lost) => self.deliver(device, lost)?,
            Operation::DeliverAll => self.deliver_all()?,
            Operation::Acknowledge(device, back) => self.acknowledge(device, back),
            Operation::Reply(device, back, answer) => self.reply(device, back, answer),
            Operation::Forge(device, other) => self.forge(device, other),
            Operation::Create(draft, call) => self.create(&draft, call),
            Operation::CancelTask(job, task, call) => self.cancel_task(job, task, call),
            Operation::CancelJob(job, call) => self.cancel_job(job, call),
            Operation::RetryTask(job, task, call) => self.retry_task(job, task, call)?,
            Operation::RetryJob(job, call) => self.retry_job(job, call),
            Operation::DeleteJob(job, call) => self.delete_job(job, call),
            Operation::Disable(device, disabled, call) => self.disable(device, disabled, call),
            Operation::Replace(device, call) => self.replace(device, call),
            Operation::Look(job) => self.look(job)?,
            Operation::Kill(down) => self.die(i64::from(down)),
            Operation::Restart(down) => self.restart(i64::from(down))?,
            Operation::Fails(fault) => {
                self.oracle.unsure |= fault == Fault::AnswerLost;
                disk::set(&self.world.switch, fault);
            }
        }
        Ok(())
    }

    fn wait(&mut self, ms: i64) -> Checked {
        if self.world.wait(ms) {
            Ok(())
        } else {
            broken("the_engine_rests", "it spins while time passes")
        }
    }

    fn die(&mut self, down: i64) {
        self.world.kill();
        self.world.clock_jumps(down);
        self.begin_again();
    }

    fn restart(&mut self, down: i64) -> Checked {
        self.world.stop();
        self.note()?;
        self.deliver_all()?;
        self.world.turn();
        self.note()?;
        self.die(down);
        Ok(())
    }

    // --- Devices.

    fn device(&mut self, choice: Choice) -> Option<&mut Device> {
        let index = nth(choice, self.devices.len())?;
        self.devices.get_mut(index).filter(|device| device.no != DeviceNo(0))
    }

    /// A login; whether it is admitted says the store, as at the gateway.
    fn connect(&mut self, choice: Choice) {
        let Some(no) = self.device(choice).map(|device| device.no) else {
            return;
        };
        let facts = self
            .world
            .stored()
            .device_facts(&[no])
            .expect("the observer's way never fails");
        if facts
            .first()
            .copied()
            .flatten()
            .is_some_and(|facts| !facts.disabled && !facts.deleted)
        {
            self.world.link.enter(no);
        }
    }

    fn settles(&mut self, choice: Choice, kinds: u8) {
        let Some(no) = self.device(choice).map(|device| device.no) else {
            return;
        };
        let kinds = match kinds {
            1 => Kinds {
                services: true,
                points: false,
            },
            2 => Kinds {
                services: false,
                points: true,
            },
            _ => Kinds::ALL,
        };
        if let Some(session) = self.world.link.current(no) {
            self.world.link.settle(session, kinds);
        }
    }

    fn drop_link(&mut self, choice: Choice) {
        let Some(no) = self.device(choice).map(|device| device.no) else {
            return;
        };
        if let Some(session) = self.world.link.all_of(no).first() {
            self.world.link.leave(*session);
        }
    }

    fn deliver(&mut self, choice: Choice, lost: bool) -> Checked {
        let Some(index) = nth(choice, self.devices.len()) else {
            return Ok(());
        };
        let no = self.devices[index].no;
        for session in self.world.link.all_of(no) {
            if let Some(order) = self.world.link.take_order(session) {
                return self.obey(index, session, order, lost);
            }
        }
        Ok(())
    }

    fn deliver_all(&mut self) -> Checked {
        for index in 0..self.devices.len() {
            for session in self.world.link.all_of(self.devices[index].no) {
                while let Some(order) = self.world.link.take_order(session) {
                    self.obey(index, session, order, false)?;
                }
            }
        }
        Ok(())
    }

    /// What a session does with an order; the last look before the socket is the gateway's.
    fn obey(&mut self, index: usize, session: SessionNo, order: Order, lost: bool) -> Checked {
        match order {
            Order::Publish(outgoing) => self.publish(index, session, &outgoing, lost)?,
            Order::Acknowledge { .. } => {}
            Order::Reset { session } => self.world.link.leave(session),
        }
        Ok(())
    }

    fn publish(&mut self, index: usize, session: SessionNo, outgoing: &Outgoing, lost: bool) -> Checked {
        let now = self.world.now();
        if now >= outgoing.not_after {
            self.world.link.not_sent(outgoing);
            return Ok(());
        }
        if !outgoing.gate.take() {
            return Ok(());
        }
        self.oracle.leaves(outgoing.device, outgoing.wire, now)?;
        outgoing.gate.handed_over(now);
        if !lost {
            let to = reply_topic(&outgoing.command);
            self.devices[index].got.push(Got {
                wire: outgoing.wire,
                session,
                to,
                acknowledged: false,
                replied: false,
            });
        }
        Ok(())
    }

    /// A PUBACK belongs to the connection on which its command came.
    fn acknowledge(&mut self, choice: Choice, back: Choice) {
        let Some(device) = self.device(choice) else { return };
        let no = device.no;
        let Some(got) = device.got_back(back) else { return };
        let (wire, session) = (got.wire, got.session);
        if std::mem::replace(&mut got.acknowledged, true) || !self.world.link.is_live(session) {
            return;
        }
        self.world.link.report(DeviceEvent::Acked { device: no, wire });
    }

    fn reply(&mut self, choice: Choice, back: Choice, answer: Answer) {
        let Some(device) = self.device(choice) else { return };
        let (no, packet) = (device.no, device.next_packet());
        let Some(got) = device.got_back(back) else { return };
        let (wire, to) = (got.wire, got.to.clone());
        let Some(session) = self.world.link.current(no) else {
            return;
        };
        if let Some(device) = self.device(choice)
            && let Some(got) = device.got_back(back)
        {
            got.replied = true;
        }
        self.oracle.said(no, wire, answer);
        self.packets.insert((session, packet), (no, wire, answer));
        let reply = reply(answer);
        let packet = Some(packet);
        self.world.link.report(DeviceEvent::Replied {
            session,
            device: no,
            wire: Some(wire),
            to,
            reply,
            packet,
        });
    }

    /// A reply to what another device got, or to an attempt that was never made: nothing may come of it.
    fn forge(&mut self, choice: Choice, other: Choice) {
        let Some((no, packet)) = self.device(choice).map(|device| (device.no, device.next_packet())) else {
            return;
        };
        let Some(session) = self.world.link.current(no) else {
            return;
        };
        let Some(got) = self.device(other).and_then(|device| device.got_back(0).cloned()) else {
            return;
        };
        let owner = self.device(other).map(|device| device.no);
        let next = got.wire.attempt().next().unwrap_or(AttemptNo(1));
        let unmade = WireId::new(got.wire.task(), next);
        let wire = if owner == Some(no) { unmade } else { got.wire };
        if owner == Some(no) && (self.oracle.has_left(unmade) || self.oracle.holding(no) == Some(unmade)) {
            return;
        }
        let reply = reply(Answer::Well);
        let (to, packet) = (got.to, Some(packet));
        self.world.link.report(DeviceEvent::Replied {
            session,
            device: no,
            wire: Some(wire),
            to,
            reply,
            packet,
        });
    }

    // --- Operators.

    fn create(&mut self, draft: &Draft, call: Call) {
        let alive = self.oracle.jobs.iter().filter(|job| !job.deleted).count();
        if alive >= JOBS_MAX {
            return;
        }
        self.names += 1;
        let name = format!("job {} of all", self.names);
        let keys: Vec<String> = (0_u8..DEVICES)
            .filter(|bit| draft.devices & (1 << bit) != 0)
            .map(|bit| format!("d{bit}"))
            .collect();
        let borrowed: Vec<&str> = keys.iter().map(String::as_str).collect();
        let at = self.world.now();
        let no = match self.world.create_job(call, draft, &borrowed, &name) {
            Answered::Done(data) => data.as_str().and_then(JobNo::from_job_id),
            Answered::Unknown => None,
            Answered::Refused(..) => return,
        };
        self.figures.jobs += 1;
        self.oracle.created(*draft, keys, name, no, at);
    }

    /// A job that is known to exist.
    fn job(&mut self, choice: Choice) -> Option<(usize, JobNo)> {
        let known: Vec<usize> = (0..self.oracle.jobs.len())
            .filter(|index| !self.oracle.jobs[*index].deleted)
            .collect();
        let index = *known.get(nth(choice, known.len())?)?;
        Some((index, self.oracle.jobs[index].no?))
    }

    fn task(&mut self, job: Choice, choice: Choice) -> Option<(JobNo, TaskNo)> {
        let (_, job) = self.job(job)?;
        let tasks = self.world.tasks_of(job)?;
        self.oracle.learn(job, &tasks);
        let task = tasks.get(nth(choice, tasks.len())?)?;
        Some((job, task.no))
    }

    fn cancel_task(&mut self, job: Choice, task: Choice, call: Call) {
        let Some((job, task)) = self.task(job, task) else {
            return;
        };
        if let Answered::Done(_) = self.world.on_job(call, "cancelTask", job, Some(&[task])) {
            self.oracle.bar_tasks(&[task]);
        }
    }

    fn cancel_job(&mut self, job: Choice, call: Call) {
        let Some((index, job)) = self.job(job) else { return };
        self.oracle.jobs[index].maybe_cancelled = true;
        if let Answered::Done(_) = self.world.on_job(call, "cancelTask", job, None) {
            self.oracle.bar_job(index);
        }
    }

    fn retry_task(&mut self, job: Choice, task: Choice, call: Call) -> Checked {
        let Some((job, task)) = self.task(job, task) else {
            return Ok(());
        };
        self.oracle.free_tasks(&[task]);
        self.world.on_job(call, "retryTask", job, Some(&[task]));
        // A success that became durable together with the retry does not forbid it: the operator asked by name.
        self.note()?;
        self.oracle.free_again(task);
        Ok(())
    }

    fn retry_job(&mut self, job: Choice, call: Call) {
        let Some((index, job)) = self.job(job) else { return };
        self.oracle.free_job(index);
        self.world.on_job(call, "retryTask", job, None);
    }

    fn delete_job(&mut self, job: Choice, call: Call) {
        let Some((index, no)) = self.job(job) else { return };
        match self.world.on_job(call, "deleteJob", no, None) {
            Answered::Done(_) => self.oracle.jobs[index].deleted = true,
            Answered::Unknown => self.oracle.jobs[index].maybe_deleted = true,
            Answered::Refused(24404, _) if self.oracle.jobs[index].maybe_deleted => {
                self.oracle.jobs[index].deleted = true
            }
            Answered::Refused(..) => {}
        }
    }

    fn disable(&mut self, choice: Choice, disabled: bool, call: Call) {
        let Some((no, key)) = self.device(choice).map(|device| (device.no, device.key.clone())) else {
            return;
        };
        if !disabled {
            self.oracle.disabled(no, false);
        }
        if let Answered::Done(_) = self.world.disable_device(call, &key, disabled) {
            self.oracle.disabled(no, disabled);
        }
    }

    fn replace(&mut self, choice: Choice, call: Call) {
        let Some((no, key)) = self.device(choice).map(|device| (device.no, device.key.clone())) else {
            return;
        };
        if let Answered::Done(_) = self.world.delete_device(call, &key) {
            self.oracle.gone(no);
        }
        if self.world.router().is_none() {
            self.begin_again();
        }
        // Refused while the old one still stands.
        self.world.create_device(&key);
        self.know_devices();
        if let Some(device) = self.device(choice)
            && device.no != no
        {
            device.got.clear();
            for session in self.world.link.all_of(no) {
                self.world.link.leave(session);
            }
        }
    }

    // --- Looking.

    fn look(&mut self, choice: Choice) -> Checked {
        let Some(index) = nth(choice, self.oracle.jobs.len()) else {
            return Ok(());
        };
        if disk::is_failing(&self.world.switch) {
            return Ok(());
        }
        self.wait(AFTER_FAULTS_MS)?;
        self.note()?;
        self.look_at(index)
    }

    fn look_at(&mut self, index: usize) -> Checked {
        self.find(index)?;
        let job = &self.oracle.jobs[index];
        let Some(no) = job.no else { return Ok(()) };
        if job.deleted {
            let gone = self.world.on_job(Call::Answered, "getJob", no, None);
            return match gone {
                Answered::Refused(24404, _) => Ok(()),
                other => broken("deleted_stays_deleted", format!("{}: {other:?}", no.to_job_id())),
            };
        }
        let Answered::Done(_) = self.world.on_job(Call::Answered, "getJob", no, None) else {
            if self.oracle.jobs[index].maybe_deleted {
                self.oracle.jobs[index].deleted = true;
                return Ok(());
            }
            return broken("acknowledged_jobs_exist", no.to_job_id());
        };
        self.recount(index, no)?;
        self.look_deeper(no)
    }

    /// A job whose creation was not answered exists once or not at all.
    fn find(&mut self, index: usize) -> Checked {
        let job = &self.oracle.jobs[index];
        let (name, acknowledged, deleted) = (job.name.clone(), job.acknowledged, job.deleted || job.maybe_deleted);
        let Some(found) = self.world.jobs_named(&name) else {
            return Ok(());
        };
        match found.as_slice() {
            [] if acknowledged && !deleted => broken("acknowledged_jobs_exist", name),
            [] => Ok(()),
            [only] => {
                self.oracle.jobs[index].no.get_or_insert(*only);
                Ok(())
            }
            several => broken("one_job_per_request", format!("{name}: {several:?}")),
        }
    }

    /// Statistics are what counting the tasks gives, and each task is what its history allows.
    fn recount(&mut self, index: usize, no: JobNo) -> Checked {
        let Some(tasks) = self.world.tasks_of(no) else {
            return Ok(());
        };
        let Answered::Done(counts) = self.world.on_job(Call::Answered, "queryStatistics", no, None) else {
            return Ok(());
        };
        let mut recounted: BTreeMap<&str, u64> = BTreeMap::new();
        for task in &tasks {
            *recounted.entry(column(&task.status)).or_default() += 1;
        }
        for name in COLUMNS {
            let (said, found) = (
                counts[name].as_u64().unwrap_or(u64::MAX),
                recounted.get(name).copied().unwrap_or(0),
            );
            if said != found {
                let id = no.to_job_id();
                return broken(
                    "counters_equal_a_recount",
                    format!("{id}: {name} is {said}, and {found} are found"),
                );
            }
        }
        let keys = self.oracle.jobs[index].keys.len();
        if keys > 0 && tasks.len() != keys {
            return broken("every_target_has_a_task", format!("{} of {keys}", tasks.len()));
        }
        self.oracle.learn(no, &tasks);
        for task in &tasks {
            self.oracle.look_at(index, task)?;
        }
        Ok(())
    }

    /// Nothing waits longer than it has to.
    fn look_deeper(&mut self, no: JobNo) -> Checked {
        let store = self.world.stored();
        let now = self.world.engine_now();
        let Some(detail) = store.job(no).expect("the observer's way never fails") else {
            return Ok(());
        };
        let rules = detail.job.rules();
        let tasks = store
            .job_tasks(&detail.job, JobTasks::All, None, usize::MAX)
            .expect("the observer's way never fails");
        for task in tasks {
            let id = WireId::new(task.no, task.attempt);
            let stuck = |why: &str| {
                broken(
                    "everything_moves_on",
                    format!("{id} is {:?} at {}: {why}", task.state, now.0),
                )
            };
            match task.state {
                State::Init if rules.release <= now => stuck("its job was to trigger")?,
                State::Queued if task.window_end(&rules) <= now => stuck("its window has ended")?,
                State::Queued if self.is_idle(task.device, detail.job.command.kind()) => stuck("its device is idle")?,
                State::RetryWait if task.due.is_none_or(|due| due <= now) => stuck("its retry is due")?,
                State::Published | State::InProgress if self.is_overdue(task.no) => stuck("its reply is overdue")?,
                _ if task.state.is_cancellable() && task.is_covered_by_mark(&rules) => stuck("its job was cancelled")?,
                _ => {}
            }
        }
        Ok(())
    }

    /// No slot is held for what the task awaits, or one that should be free by now.
    fn is_overdue(&self, task: TaskNo) -> bool {
        let slots = self.world.stored().slots().expect("the observer's way never fails");
        let held = slots.iter().find(|slot| slot.task == task);
        let put_off = self.world.started.plus_ms(AFTER_START_MS);
        held.is_none_or(|slot| slot.reply_deadline.max(put_off) < self.world.engine_now())
    }

    /// The device could take any command now. One that takes only some kinds may be waiting for another's turn.
    fn is_idle(&self, device: DeviceNo, _kind: aldis_core::command::CommandKind) -> bool {
        let slots = self.world.stored().slots().expect("the observer's way never fails");
        let held = slots.iter().any(|slot| slot.device == device);
        !self.world.is_held() && !held && self.world.link.kinds(device) == Some(Kinds::ALL)
    }

    // --- The end.

    /// Every fault stops, every device is there and answers: everything must end.
    fn end(&mut self) -> Checked {
        disk::heal(&self.world.switch);
        if self.world.router().is_none() {
            self.begin_again();
        }
        self.wait(AFTER_FAULTS_MS)?;
        for index in 0..self.devices.len() {
            let (key, no) = (self.devices[index].key.clone(), self.devices[index].no);
            self.world.disable_device(Call::Answered, &key, false);
            self.oracle.disabled(no, false);
        }
        let mut steps = 0;
        while !self.is_over() {
            steps += 1;
            if steps > STEPS_TO_THE_END {
                return self.what_is_left();
            }
            self.step_to_the_end()?;
        }
        self.look_at_all()?;
        self.slots_are_free()?;
        let before = self.shown();
        self.die(1_000);
        self.settle()?;
        self.look_at_all()?;
        if self.shown() == before {
            Ok(())
        } else {
            broken("a_restart_changes_nothing", format!("{before:?}"))
        }
    }

    fn step_to_the_end(&mut self) -> Checked {
        for index in 0..self.devices.len() {
            let choice = u32::try_from(index).unwrap_or(0);
            if self.world.link.current(self.devices[index].no).is_none() {
                self.connect(choice);
            }
            self.settles(choice, 0);
        }
        self.settle()?;
        self.deliver_all()?;
        for index in 0..self.devices.len() {
            let waiting: Vec<u32> = (0_u32..)
                .zip(self.devices[index].got.iter().rev())
                .filter(|(_, got)| !got.replied)
                .map(|(back, _)| back)
                .collect();
            for back in waiting {
                self.reply(u32::try_from(index).unwrap_or(0), back, Answer::Well);
            }
        }
        self.settle()?;
        self.wait(STEP_MS)?;
        self.note()
    }

    fn is_over(&self) -> bool {
        let store = self.world.stored();
        store.jobs_at_work().expect("the observer's way never fails").is_empty()
            && store.slots().expect("the observer's way never fails").is_empty()
    }

    fn what_is_left(&self) -> Checked {
        let store = self.world.stored();
        let jobs = store.jobs_at_work().expect("the observer's way never fails");
        let slots = store.slots().expect("the observer's way never fails");
        let tasks: Vec<_> = jobs
            .iter()
            .flat_map(|job| {
                store
                    .job_tasks(job, JobTasks::Unfinished, None, usize::MAX)
                    .unwrap_or_default()
            })
            .map(|task| (task.no, task.device, task.state, task.due))
            .collect();
        broken(
            "everything_ends",
            format!(
                "at {}: {tasks:?}, slots {slots:?}, jobs {jobs:?}",
                self.world.engine_now().0
            ),
        )
    }

    fn look_at_all(&mut self) -> Checked {
        (0..self.oracle.jobs.len()).try_for_each(|index| self.look_at(index))
    }

    fn slots_are_free(&self) -> Checked {
        let held = self.world.stored().slots().expect("the observer's way never fails");
        if held.is_empty() {
            Ok(())
        } else {
            broken("slots_are_freed", format!("{held:?}"))
        }
    }

    fn shown(&mut self) -> Vec<serde_json::Value> {
        let jobs: Vec<JobNo> = self
            .oracle
            .jobs
            .iter()
            .filter(|job| !job.deleted)
            .filter_map(|job| job.no)
            .collect();
        let tasks = jobs.into_iter().filter_map(|job| self.world.tasks_of(job));
        tasks.flatten().map(|task| task.whole).collect()
    }
}

const COLUMNS: [&str; 8] = [
    "init",
    "published",
    "inProgress",
    "succeed",
    "failed",
    "canceled",
    "ttlTimeout",
    "rspTimeout",
];

fn column(status: &str) -> &'static str {
    match status {
        "INIT" | "QUEUED" => "init",
        "PUBLISHED" => "published",
        "IN_PROGRESS" => "inProgress",
        "SUCCEED" => "succeed",
        "FAILED" => "failed",
        "CANCELLED" => "canceled",
        "TTL_TIMEOUT" => "ttlTimeout",
        "RSP_TIMEOUT" => "rspTimeout",
        other => panic!("no status: {other}"),
    }
}
