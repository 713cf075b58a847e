//! Draws histories: a seed chooses how busy, how stormy or how faulty the world is, and then one operation after another.
//!
//! Odds only decide how often something interesting happens; what may happen at all is the same in every profile.

use aldis_simulator::Rng;

use super::operation::{Answer, Call, Choice, DEVICES, Draft, Fault, Operation, Trouble};

/// What an operation is about, before it is drawn in full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Wait,
    Jump,
    Stop,
    Accept,
    Connect,
    LogIn,
    Move,
    LogInThere,
    DropGateway,
    Settle,
    Drop,
    Deliver,
    DeliverAll,
    Acknowledge,
    Reply,
    Forge,
    Create,
    CancelTask,
    CancelJob,
    RetryTask,
    RetryJob,
    Delete,
    Disable,
    Enable,
    Replace,
    Look,
    Kill,
    Restart,
    Fails,
}

/// The odds of a history. The weights of a profile need not add up to anything.
struct Profile {
    /// Devices are there from the beginning, and come back soon after a start.
    present: bool,
    /// One job in this many is for the whole product.
    product: u32,
    /// Waits are mostly short, so that attempts overlap with everything else.
    hasty: bool,
    weights: [(Kind, u32); 29],
}

/// Everybody is there and answers; most operations meet attempts that are out.
const BUSY: Profile = Profile {
    present: true,
    product: 8,
    hasty: true,
    weights: [
        (Kind::Wait, 150),
        (Kind::Jump, 4),
        (Kind::Stop, 3),
        (Kind::Accept, 1),
        (Kind::Connect, 40),
        (Kind::LogIn, 25),
        (Kind::Move, 8),
        (Kind::LogInThere, 25),
        (Kind::DropGateway, 4),
        (Kind::Settle, 30),
        (Kind::Drop, 15),
        (Kind::Deliver, 100),
        (Kind::DeliverAll, 80),
        (Kind::Acknowledge, 60),
        (Kind::Reply, 180),
        (Kind::Forge, 6),
        (Kind::Create, 90),
        (Kind::CancelTask, 20),
        (Kind::CancelJob, 12),
        (Kind::RetryTask, 30),
        (Kind::RetryJob, 20),
        (Kind::Delete, 25),
        (Kind::Disable, 3),
        (Kind::Enable, 10),
        (Kind::Replace, 3),
        (Kind::Look, 40),
        (Kind::Kill, 4),
        (Kind::Restart, 2),
        (Kind::Fails, 8),
    ],
};

/// Links break, the process dies, and everybody comes back at once.
const STORMY: Profile = Profile {
    present: true,
    product: 5,
    hasty: true,
    weights: [
        (Kind::Wait, 120),
        (Kind::Jump, 8),
        (Kind::Stop, 3),
        (Kind::Accept, 1),
        (Kind::Connect, 120),
        (Kind::LogIn, 60),
        (Kind::Move, 20),
        (Kind::LogInThere, 60),
        (Kind::DropGateway, 10),
        (Kind::Settle, 100),
        (Kind::Drop, 50),
        (Kind::Deliver, 80),
        (Kind::DeliverAll, 60),
        (Kind::Acknowledge, 50),
        (Kind::Reply, 120),
        (Kind::Forge, 6),
        (Kind::Create, 80),
        (Kind::CancelTask, 20),
        (Kind::CancelJob, 15),
        (Kind::RetryTask, 20),
        (Kind::RetryJob, 15),
        (Kind::Delete, 20),
        (Kind::Disable, 8),
        (Kind::Enable, 16),
        (Kind::Replace, 6),
        (Kind::Look, 40),
        (Kind::Kill, 20),
        (Kind::Restart, 8),
        (Kind::Fails, 12),
    ],
};

/// The disk fails again and again while everybody is at work.
const SICK: Profile = Profile {
    present: true,
    product: 8,
    hasty: true,
    weights: [
        (Kind::Wait, 130),
        (Kind::Jump, 4),
        (Kind::Stop, 3),
        (Kind::Accept, 1),
        (Kind::Connect, 50),
        (Kind::LogIn, 25),
        (Kind::Move, 8),
        (Kind::LogInThere, 25),
        (Kind::DropGateway, 4),
        (Kind::Settle, 40),
        (Kind::Drop, 20),
        (Kind::Deliver, 100),
        (Kind::DeliverAll, 60),
        (Kind::Acknowledge, 60),
        (Kind::Reply, 150),
        (Kind::Forge, 4),
        (Kind::Create, 80),
        (Kind::CancelTask, 20),
        (Kind::CancelJob, 12),
        (Kind::RetryTask, 25),
        (Kind::RetryJob, 15),
        (Kind::Delete, 20),
        (Kind::Disable, 6),
        (Kind::Enable, 10),
        (Kind::Replace, 3),
        (Kind::Look, 30),
        (Kind::Kill, 5),
        (Kind::Restart, 4),
        (Kind::Fails, 60),
    ],
};

/// Little goes on, for long: windows end, clocks are wrong, devices are away.
const SPARSE: Profile = Profile {
    present: false,
    product: 16,
    hasty: false,
    weights: [
        (Kind::Wait, 150),
        (Kind::Jump, 15),
        (Kind::Stop, 3),
        (Kind::Accept, 1),
        (Kind::Connect, 80),
        (Kind::LogIn, 50),
        (Kind::Move, 16),
        (Kind::LogInThere, 50),
        (Kind::DropGateway, 8),
        (Kind::Settle, 120),
        (Kind::Drop, 20),
        (Kind::Deliver, 80),
        (Kind::DeliverAll, 80),
        (Kind::Acknowledge, 60),
        (Kind::Reply, 150),
        (Kind::Forge, 6),
        (Kind::Create, 80),
        (Kind::CancelTask, 20),
        (Kind::CancelJob, 10),
        (Kind::RetryTask, 20),
        (Kind::RetryJob, 10),
        (Kind::Delete, 20),
        (Kind::Disable, 4),
        (Kind::Enable, 8),
        (Kind::Replace, 4),
        (Kind::Look, 34),
        (Kind::Kill, 8),
        (Kind::Restart, 4),
        (Kind::Fails, 20),
    ],
};

/// A command without any time to live would have its caller wait for the device.
const SINGLE_TTL_S: u32 = 5;

/// The history of a seed.
#[must_use]
pub fn draw(seed: u64, operations: usize) -> Vec<Operation> {
    let mut rng = Rng::new(seed);
    let profile = match number(&mut rng, 10) {
        0..4 => BUSY,
        4..6 => STORMY,
        6..8 => SICK,
        _ => SPARSE,
    };
    let mut drawn = Vec::with_capacity(operations + 2 * usize::from(DEVICES));
    if profile.present {
        everybody_comes(&mut rng, &mut drawn);
    }
    while drawn.len() < operations {
        let kind = profile.kind(&mut rng);
        drawn.push(profile.one(&mut rng, kind));
        if profile.present {
            follow(&mut rng, kind, &mut drawn);
        }
    }
    drawn.truncate(operations);
    drawn
}

/// What usually comes next where devices are mostly there.
fn follow(rng: &mut Rng, kind: Kind, drawn: &mut Vec<Operation>) {
    match (kind, drawn.last().copied()) {
        (
            Kind::Connect | Kind::LogIn | Kind::LogInThere,
            Some(Operation::Connect(device) | Operation::LogIn(device, _) | Operation::LogInThere(device)),
        ) if number(rng, 3) > 0 => {
            drawn.push(Operation::Settle(device, 0));
        }
        (Kind::Kill | Kind::Restart, _) if number(rng, 4) > 0 => everybody_comes(rng, drawn),
        _ => {}
    }
}

/// Nearly everybody, in an order of its own.
fn everybody_comes(rng: &mut Rng, drawn: &mut Vec<Operation>) {
    let first = number(rng, u32::from(DEVICES));
    for device in first..first + u32::from(DEVICES) {
        if number(rng, 6) > 0 {
            drawn.push(Operation::Connect(device));
            drawn.push(Operation::Settle(device, 0));
        }
    }
}

impl Profile {
    fn kind(&self, rng: &mut Rng) -> Kind {
        let sum: u32 = self.weights.iter().map(|(_, weight)| weight).sum();
        let mut left = number(rng, sum);
        for (kind, weight) in self.weights {
            if left < weight {
                return kind;
            }
            left -= weight;
        }
        Kind::Wait
    }

    fn one(&self, rng: &mut Rng, kind: Kind) -> Operation {
        let device = number(rng, 1 << 16);
        let other = number(rng, 1 << 16);
        // Devices of a hasty world find the process back before their commands are over.
        let down = if self.hasty { 3_000 } else { 20_000 };
        match kind {
            Kind::Wait => Operation::Wait(self.wait(rng)),
            Kind::Jump => Operation::ClockJumps(jump(rng)),
            Kind::Stop => Operation::Stopped(number(rng, 90_000)),
            Kind::Accept => Operation::AcceptClock(number(rng, 60_000)),
            Kind::Connect => Operation::Connect(device),
            Kind::LogIn => Operation::LogIn(device, other),
            Kind::Move => Operation::Move(device, other, self.call(rng)),
            Kind::LogInThere => Operation::LogInThere(device),
            Kind::DropGateway => Operation::DropGateway(device),
            Kind::Settle => Operation::Settle(device, if number(rng, 6) == 0 { small(rng, 3) } else { 0 }),
            Kind::Drop => Operation::Drop(device),
            Kind::Deliver => Operation::Deliver(device, number(rng, 12) == 0),
            Kind::DeliverAll => Operation::DeliverAll,
            Kind::Acknowledge => Operation::Acknowledge(device, back(rng)),
            Kind::Reply => Operation::Reply(device, back(rng), answer(rng)),
            Kind::Forge => Operation::Forge(device, other),
            Kind::Create => Operation::Create(self.draft(rng), self.call(rng)),
            Kind::CancelTask => Operation::CancelTask(device, other, self.call(rng)),
            Kind::CancelJob => Operation::CancelJob(device, self.call(rng)),
            Kind::RetryTask => Operation::RetryTask(device, other, self.call(rng)),
            Kind::RetryJob => Operation::RetryJob(device, self.call(rng)),
            Kind::Delete => Operation::DeleteJob(device, self.call(rng)),
            Kind::Disable => Operation::Disable(device, true, self.call(rng)),
            Kind::Enable => Operation::Disable(device, false, self.call(rng)),
            Kind::Replace => Operation::Replace(device, self.call(rng)),
            Kind::Look => Operation::Look(device),
            Kind::Kill if number(rng, 3) == 0 => Operation::PowerCut(number(rng, down)),
            Kind::Kill => Operation::Kill(number(rng, down)),
            Kind::Restart => Operation::Restart(number(rng, down)),
            Kind::Fails => Operation::Fails(fault(rng)),
        }
    }

    /// Short ones let things overlap, long ones let windows end.
    fn wait(&self, rng: &mut Rng) -> u32 {
        let (short, middle, long) = if self.hasty { (22, 33, 35) } else { (18, 28, 32) };
        match number(rng, 36) {
            drawn if drawn < short => number(rng, 50),
            drawn if drawn < middle => number(rng, 2_000),
            drawn if drawn < long => number(rng, 30_000),
            _ => number(rng, 100_000),
        }
    }

    fn call(&self, rng: &mut Rng) -> Call {
        match number(rng, if self.hasty { 40 } else { 20 }) {
            0 => Call::AnswerLost,
            1 => Call::Dies(small(rng, 6)),
            _ => Call::Answered,
        }
    }

    fn draft(&self, rng: &mut Rng) -> Draft {
        let ttl_s: &[u32] = if self.hasty {
            &[0, 5, 30, 60, 600]
        } else {
            &[0, 0, 5, 60, 600]
        };
        let trigger_s = [0, 0, 0, 3, 90];
        let interval_s = [0, 1, 10, 60];
        let devices = 1 + small(rng, (1 << DEVICES) - 1);
        let draft = Draft {
            devices: if number(rng, self.product) == 0 { 0 } else { devices },
            ttl_s: *rng.pick(ttl_s).unwrap_or(&0),
            reply_s: 1 + number(rng, 40),
            retries: small(rng, 4),
            interval_s: *rng.pick(&interval_s).unwrap_or(&0),
            trigger_s: *rng.pick(&trigger_s).unwrap_or(&0),
            point: number(rng, 4) == 0,
            repeated: number(rng, 4) == 0,
            single: number(rng, 6) == 0,
        };
        if draft.single { single(rng, draft) } else { draft }
    }
}

/// The older API knows one device, no trigger and no retries, and keeps a command for its device for a while.
fn single(rng: &mut Rng, draft: Draft) -> Draft {
    Draft {
        devices: 1 << small(rng, u32::from(DEVICES)),
        ttl_s: draft.ttl_s.max(SINGLE_TTL_S),
        retries: 0,
        trigger_s: 0,
        point: false,
        ..draft
    }
}

fn number(rng: &mut Rng, below: u32) -> u32 {
    u32::try_from(rng.draw() % u64::from(below)).unwrap_or(0)
}

fn small(rng: &mut Rng, below: u32) -> u8 {
    u8::try_from(number(rng, below)).unwrap_or(0)
}

/// Mostly the last, sometimes one before it.
fn back(rng: &mut Rng) -> Choice {
    if number(rng, 4) == 0 { number(rng, 8) } else { 0 }
}

fn answer(rng: &mut Rng) -> Answer {
    match number(rng, 10) {
        0..6 => Answer::Well,
        6..9 => Answer::Badly(i64::from(number(rng, 900)) + 100_000),
        _ => Answer::Rubbish,
    }
}

fn fault(rng: &mut Rng) -> Fault {
    match number(rng, 12) {
        0..3 => Fault::Commits(1 + small(rng, 3)),
        3 | 4 => Fault::AnswerLost,
        5 | 6 => Fault::Reads(1 + small(rng, 3)),
        7 => Fault::Slow(number(rng, 20_000)),
        8 => Fault::Death(small(rng, 24)),
        9 => Fault::PowerCut(small(rng, 24)),
        _ => Fault::Files(trouble(rng), small(rng, 16), 1 + small(rng, 3)),
    }
}

fn trouble(rng: &mut Rng) -> Trouble {
    match number(rng, 4) {
        0 => Trouble::Full,
        1 => Trouble::Write,
        2 => Trouble::Short,
        _ => Trouble::Sync,
    }
}

/// Clocks are set right by seconds, and sometimes are wrong by minutes, hours or weeks.
fn jump(rng: &mut Rng) -> i32 {
    let size = match number(rng, 30) {
        0 => 1_000_000_000,
        1..=3 => 7_200_000,
        4..=12 => 400_000,
        _ => 5_000,
    };
    i32::try_from(number(rng, 2 * size)).unwrap_or(0) - i32::try_from(size).unwrap_or(0)
}
