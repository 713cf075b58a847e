//! Draws histories: a seed chooses how busy, how stormy or how faulty the world is, and then one operation after another.
//!
//! Odds only decide how often something interesting happens; what may happen at all is the same in every profile.

use aldis_simulator::Rng;

use super::operation::{Call, Choice, DEVICES, Draft, Fault, Operation, ReplyKind, Trouble};

/// What an operation is about, before it is drawn in full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OperationKind {
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
    weights: [(OperationKind, u32); 29],
}

/// Everybody is there and answers; most operations meet attempts that are out.
const BUSY: Profile = Profile {
    present: true,
    product: 8,
    hasty: true,
    weights: [
        (OperationKind::Wait, 150),
        (OperationKind::Jump, 4),
        (OperationKind::Stop, 3),
        (OperationKind::Accept, 1),
        (OperationKind::Connect, 40),
        (OperationKind::LogIn, 25),
        (OperationKind::Move, 8),
        (OperationKind::LogInThere, 25),
        (OperationKind::DropGateway, 4),
        (OperationKind::Settle, 30),
        (OperationKind::Drop, 15),
        (OperationKind::Deliver, 100),
        (OperationKind::DeliverAll, 80),
        (OperationKind::Acknowledge, 60),
        (OperationKind::Reply, 180),
        (OperationKind::Forge, 6),
        (OperationKind::Create, 90),
        (OperationKind::CancelTask, 20),
        (OperationKind::CancelJob, 12),
        (OperationKind::RetryTask, 30),
        (OperationKind::RetryJob, 20),
        (OperationKind::Delete, 25),
        (OperationKind::Disable, 3),
        (OperationKind::Enable, 10),
        (OperationKind::Replace, 3),
        (OperationKind::Look, 40),
        (OperationKind::Kill, 4),
        (OperationKind::Restart, 2),
        (OperationKind::Fails, 8),
    ],
};

/// Links break, the process dies, and everybody comes back at once.
const STORMY: Profile = Profile {
    present: true,
    product: 5,
    hasty: true,
    weights: [
        (OperationKind::Wait, 120),
        (OperationKind::Jump, 8),
        (OperationKind::Stop, 3),
        (OperationKind::Accept, 1),
        (OperationKind::Connect, 120),
        (OperationKind::LogIn, 60),
        (OperationKind::Move, 20),
        (OperationKind::LogInThere, 60),
        (OperationKind::DropGateway, 10),
        (OperationKind::Settle, 100),
        (OperationKind::Drop, 50),
        (OperationKind::Deliver, 80),
        (OperationKind::DeliverAll, 60),
        (OperationKind::Acknowledge, 50),
        (OperationKind::Reply, 120),
        (OperationKind::Forge, 6),
        (OperationKind::Create, 80),
        (OperationKind::CancelTask, 20),
        (OperationKind::CancelJob, 15),
        (OperationKind::RetryTask, 20),
        (OperationKind::RetryJob, 15),
        (OperationKind::Delete, 20),
        (OperationKind::Disable, 8),
        (OperationKind::Enable, 16),
        (OperationKind::Replace, 6),
        (OperationKind::Look, 40),
        (OperationKind::Kill, 20),
        (OperationKind::Restart, 8),
        (OperationKind::Fails, 12),
    ],
};

/// The disk fails again and again while everybody is at work.
const SICK: Profile = Profile {
    present: true,
    product: 8,
    hasty: true,
    weights: [
        (OperationKind::Wait, 130),
        (OperationKind::Jump, 4),
        (OperationKind::Stop, 3),
        (OperationKind::Accept, 1),
        (OperationKind::Connect, 50),
        (OperationKind::LogIn, 25),
        (OperationKind::Move, 8),
        (OperationKind::LogInThere, 25),
        (OperationKind::DropGateway, 4),
        (OperationKind::Settle, 40),
        (OperationKind::Drop, 20),
        (OperationKind::Deliver, 100),
        (OperationKind::DeliverAll, 60),
        (OperationKind::Acknowledge, 60),
        (OperationKind::Reply, 150),
        (OperationKind::Forge, 4),
        (OperationKind::Create, 80),
        (OperationKind::CancelTask, 20),
        (OperationKind::CancelJob, 12),
        (OperationKind::RetryTask, 25),
        (OperationKind::RetryJob, 15),
        (OperationKind::Delete, 20),
        (OperationKind::Disable, 6),
        (OperationKind::Enable, 10),
        (OperationKind::Replace, 3),
        (OperationKind::Look, 30),
        (OperationKind::Kill, 5),
        (OperationKind::Restart, 4),
        (OperationKind::Fails, 60),
    ],
};

/// Little goes on, for long: windows end, clocks are wrong, devices are away.
const SPARSE: Profile = Profile {
    present: false,
    product: 16,
    hasty: false,
    weights: [
        (OperationKind::Wait, 150),
        (OperationKind::Jump, 15),
        (OperationKind::Stop, 3),
        (OperationKind::Accept, 1),
        (OperationKind::Connect, 80),
        (OperationKind::LogIn, 50),
        (OperationKind::Move, 16),
        (OperationKind::LogInThere, 50),
        (OperationKind::DropGateway, 8),
        (OperationKind::Settle, 120),
        (OperationKind::Drop, 20),
        (OperationKind::Deliver, 80),
        (OperationKind::DeliverAll, 80),
        (OperationKind::Acknowledge, 60),
        (OperationKind::Reply, 150),
        (OperationKind::Forge, 6),
        (OperationKind::Create, 80),
        (OperationKind::CancelTask, 20),
        (OperationKind::CancelJob, 10),
        (OperationKind::RetryTask, 20),
        (OperationKind::RetryJob, 10),
        (OperationKind::Delete, 20),
        (OperationKind::Disable, 4),
        (OperationKind::Enable, 8),
        (OperationKind::Replace, 4),
        (OperationKind::Look, 34),
        (OperationKind::Kill, 8),
        (OperationKind::Restart, 4),
        (OperationKind::Fails, 20),
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
fn follow(rng: &mut Rng, kind: OperationKind, drawn: &mut Vec<Operation>) {
    match (kind, drawn.last().copied()) {
        (
            OperationKind::Connect | OperationKind::LogIn | OperationKind::LogInThere,
            Some(Operation::Connect(device) | Operation::LogIn(device, _) | Operation::LogInThere(device)),
        ) if number(rng, 3) > 0 => {
            drawn.push(Operation::Settle(device, 0));
        }
        (OperationKind::Kill | OperationKind::Restart, _) if number(rng, 4) > 0 => everybody_comes(rng, drawn),
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
    fn kind(&self, rng: &mut Rng) -> OperationKind {
        let sum: u32 = self.weights.iter().map(|(_, weight)| weight).sum();
        let mut left = number(rng, sum);
        for (kind, weight) in self.weights {
            if left < weight {
                return kind;
            }
            left -= weight;
        }
        OperationKind::Wait
    }

    fn one(&self, rng: &mut Rng, kind: OperationKind) -> Operation {
        let device = number(rng, 1 << 16);
        let other = number(rng, 1 << 16);
        // Devices of a hasty world find the process back before their commands are over.
        let down = if self.hasty { 3_000 } else { 20_000 };
        match kind {
            OperationKind::Wait => Operation::Wait(self.wait(rng)),
            OperationKind::Jump => Operation::ClockJumps(jump(rng)),
            OperationKind::Stop => Operation::Stopped(number(rng, 90_000)),
            OperationKind::Accept => Operation::AcceptClock(number(rng, 60_000)),
            OperationKind::Connect => Operation::Connect(device),
            OperationKind::LogIn => Operation::LogIn(device, other),
            OperationKind::Move => Operation::Move(device, other, self.call(rng)),
            OperationKind::LogInThere => Operation::LogInThere(device),
            OperationKind::DropGateway => Operation::DropGateway(device),
            OperationKind::Settle => Operation::Settle(device, if number(rng, 6) == 0 { small(rng, 3) } else { 0 }),
            OperationKind::Drop => Operation::Drop(device),
            OperationKind::Deliver => Operation::Deliver(device, number(rng, 12) == 0),
            OperationKind::DeliverAll => Operation::DeliverAll,
            OperationKind::Acknowledge => Operation::Acknowledge(device, back(rng)),
            OperationKind::Reply => Operation::Reply(device, back(rng), answer(rng)),
            OperationKind::Forge => Operation::Forge(device, other),
            OperationKind::Create => Operation::Create(self.draft(rng), self.call(rng)),
            OperationKind::CancelTask => Operation::CancelTask(device, other, self.call(rng)),
            OperationKind::CancelJob => Operation::CancelJob(device, self.call(rng)),
            OperationKind::RetryTask => Operation::RetryTask(device, other, self.call(rng)),
            OperationKind::RetryJob => Operation::RetryJob(device, self.call(rng)),
            OperationKind::Delete => Operation::DeleteJob(device, self.call(rng)),
            OperationKind::Disable => Operation::Disable(device, true, self.call(rng)),
            OperationKind::Enable => Operation::Disable(device, false, self.call(rng)),
            OperationKind::Replace => Operation::Replace(device, self.call(rng)),
            OperationKind::Look => Operation::Look(device),
            OperationKind::Kill if number(rng, 3) == 0 => Operation::PowerCut(number(rng, down)),
            OperationKind::Kill => Operation::Kill(number(rng, down)),
            OperationKind::Restart => Operation::Restart(number(rng, down)),
            OperationKind::Fails => Operation::Fails(fault(rng)),
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

fn answer(rng: &mut Rng) -> ReplyKind {
    match number(rng, 10) {
        0..6 => ReplyKind::Well,
        6..9 => ReplyKind::Badly(i64::from(number(rng, 900)) + 100_000),
        _ => ReplyKind::Rubbish,
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
