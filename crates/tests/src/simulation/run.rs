//! Carries out a history, looks at what must hold after each operation, and at the end demands that everything ends.

mod end;
mod fleet;
mod gateways;
mod looks;
mod requests;

use std::collections::HashMap;

use aldis_core::ids::{DeviceNo, WireId};
use aldis_engine::AFTER_FAILURE_MS;
use aldis_engine::link::SessionNo;
use aldis_server::wiring::SLEEP_MAX_MS;
use aldis_store::DeviceRef;

use super::device::Device;
use super::disk::Ending;
use super::link::Noted;
use super::operation::{Choice, DEVICES, Operation, ReplyKind};
use super::operator::PRODUCT;
use super::oracle::{Checked, Oracle, Violation, broken};
use super::world::World;

/// Longer than an engine pauses after a failed commit, and than its thread ever sleeps.
const AFTER_FAULTS_MS: i64 = SLEEP_MAX_MS + AFTER_FAILURE_MS + 100;

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
    /// What devices said about them.
    pub replies: u64,
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
        self.replies += other.replies;
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
    gateways: Vec<gateways::Gateway>,
    /// What the packet of a reply said.
    packets: HashMap<(SessionNo, u16), (DeviceNo, WireId, ReplyKind)>,
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
            gateways: Vec::new(),
            packets: HashMap::new(),
            names: 0,
            figures: Figures::default(),
        };
        history.devices = keys.into_iter().map(|key| Device::new(key, DeviceNo(0))).collect();
        history.know_devices();
        history.know_gateways();
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
        self.live();
        if !self.world.drive() {
            return broken("the_engine_rests", "it wants turn after turn and does nothing");
        }
        self.live();
        self.nobody_is_in_where_it_is_not_under()?;
        self.nobody_is_in_who_may_not_be()?;
        self.note()
    }

    /// The process runs: it is started if it has died.
    fn live(&mut self) {
        if self.world.router().is_none() {
            self.world.start();
            self.figures.starts += 1;
        }
    }

    fn note(&mut self) -> Checked {
        self.live();
        self.world.found_broken.take().map_or(Ok(()), Err)?;
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
                    if let Some(known) = self.devices.iter().find(|known| known.no == device) {
                        self.oracle.active(&known.key, at);
                    }
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
            Operation::Stopped(ms) => self.world.pass_without_turns(i64::from(ms)),
            Operation::AcceptClock(down) => self.accept_clock(i64::from(down))?,
            Operation::Connect(device) => self.connect(device),
            Operation::LogIn(device, gateway) => self.log_in(device, gateway),
            Operation::Move(device, gateway, call) => self.moves(device, gateway, call),
            Operation::LogInThere(device) => self.log_in_there(device),
            Operation::DropGateway(gateway) => self.drop_gateway(gateway),
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
            Operation::Kill(down) => self.die(Ending::Killed, i64::from(down)),
            Operation::PowerCut(down) => self.die(Ending::PowerCut, i64::from(down)),
            Operation::Restart(down) => self.restart(i64::from(down))?,
            Operation::Fails(fault) => {
                self.oracle.unsure |= fault.leaves_doubt();
                self.world.disk_fails(fault);
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

    fn die(&mut self, ending: Ending, down: i64) {
        self.world.end(ending);
        self.world.pass_without_turns(down);
        self.live();
    }

    /// The times that were shown before may have been those of a clock that was ahead.
    fn accept_clock(&mut self, down: i64) -> Checked {
        self.world.set_clock_right();
        self.restart(down)?;
        self.oracle.times_have_changed();
        Ok(())
    }

    fn restart(&mut self, down: i64) -> Checked {
        self.world.stop();
        self.note()?;
        self.deliver_all()?;
        self.world.turn();
        self.note()?;
        self.die(Ending::Stopped, down);
        Ok(())
    }
}
