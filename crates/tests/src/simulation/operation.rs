//! What can happen, as plain data: a list of operations is a whole history, and any part of it is one too.

use aldis_simulator::Chance;

/// A number that an operation turns into one of what there is at that moment, so that it fits every history.
pub type Choice = u32;

/// How a device answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It did it.
    Well,
    /// It did not, with a code of its own.
    Badly(i64),
    /// Without a code.
    Rubbish,
}

/// What becomes of an operator's call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// It is answered.
    Answered,
    /// It is carried out, and its answer is lost.
    AnswerLost,
    /// The process dies after this many steps of it.
    Dies(u8),
}

/// What goes wrong with the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// This many commits fail, and nothing of them is stored.
    Commits(u8),
    /// The next commit is stored, and its answer is an error.
    AnswerLost,
    /// This many questions fail.
    Reads(u8),
}

/// A new job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draft {
    /// Which devices, one bit each; none: the whole product.
    pub devices: u8,
    /// Seconds that a command may wait.
    pub ttl_s: u32,
    /// Seconds to a reply.
    pub reply_s: u32,
    /// Automatic retries; 0: off.
    pub retries: u8,
    /// Seconds between them.
    pub interval_s: u32,
    /// Seconds until the trigger; 0: at once.
    pub trigger_s: u32,
    /// A measurement point set instead of a service.
    pub point: bool,
    /// Repeated with the same key until it is answered.
    pub repeated: bool,
}

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Time passes, in milliseconds.
    Wait(u32),
    /// The wall clock jumps, in milliseconds; the process does not notice by itself.
    ClockJumps(i32),
    /// A device logs in; a session that it has is taken over.
    Connect(Choice),
    /// A device has settled: 0 all kinds, 1 services only, 2 points only.
    Settle(Choice, u8),
    /// A device's link breaks.
    Drop(Choice),
    /// The session carries out its next order; the flag: what it sends is lost on the way.
    Deliver(Choice, bool),
    /// Every session carries out all of its orders.
    DeliverAll,
    /// A device acknowledges a command that it got: the last, or an earlier one.
    Acknowledge(Choice, Choice),
    /// A device replies to a command that it got.
    Reply(Choice, Choice, Answer),
    /// A device replies to something that it was never sent.
    Forge(Choice, Choice),
    /// A new job.
    Create(Draft, Call),
    /// Cancel one task.
    CancelTask(Choice, Choice, Call),
    /// Cancel a whole job.
    CancelJob(Choice, Call),
    /// Retry one task.
    RetryTask(Choice, Choice, Call),
    /// Retry a whole job.
    RetryJob(Choice, Call),
    /// Delete a job.
    DeleteJob(Choice, Call),
    /// Disable or enable a device.
    Disable(Choice, bool, Call),
    /// Delete a device and register its keys anew.
    Replace(Choice, Call),
    /// Look at a whole job.
    Look(Choice),
    /// The process is killed and started again, after this many milliseconds.
    Kill(u32),
    /// The process stops in order and is started again.
    Restart(u32),
    /// The disk fails.
    Fails(Fault),
}

/// How many devices there are, with one bit each in [`Draft::devices`].
pub(super) const DEVICES: u8 = 6;

/// How a history goes: what happens how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    /// Devices come, go and fail, the process dies now and then: most commands meet nobody.
    Sparse,
    /// Devices are mostly there and answer: most operations meet attempts in flight.
    Busy,
}

/// The history of a seed.
#[must_use]
pub fn draw(seed: u64, operations: usize) -> Vec<Operation> {
    let mut chance = Chance::new(seed);
    let mood = if number(&mut chance, 3) == 0 {
        Mood::Sparse
    } else {
        Mood::Busy
    };
    (0..operations).map(|_| one(&mut chance, mood)).collect()
}

/// Of a thousand operations, how many are of each kind, in the order of [`one`].
const fn shares(mood: Mood) -> [u32; 20] {
    match mood {
        Mood::Sparse => [
            130, 80, 120, 20, 80, 80, 60, 180, 6, 80, 20, 10, 20, 10, 16, 14, 34, 12, 20, 8,
        ],
        Mood::Busy => [
            90, 120, 140, 8, 60, 130, 60, 210, 6, 70, 14, 10, 16, 10, 10, 8, 20, 4, 10, 4,
        ],
    }
}

fn one(chance: &mut Chance, mood: Mood) -> Operation {
    let device = number(chance, 1 << 16);
    let other = number(chance, 1 << 16);
    match kind(chance, mood) {
        0 => Operation::Wait(wait(chance, mood)),
        1 => Operation::Connect(device),
        2 => Operation::Settle(device, if number(chance, 6) == 0 { small(chance, 3) } else { 0 }),
        3 => Operation::Drop(device),
        4 => Operation::Deliver(device, number(chance, 12) == 0),
        5 => Operation::DeliverAll,
        6 => Operation::Acknowledge(device, back(chance)),
        7 => Operation::Reply(device, back(chance), answer(chance)),
        8 => Operation::Forge(device, other),
        9 => Operation::Create(draft(chance, mood), call(chance, mood)),
        10 => Operation::CancelTask(device, other, call(chance, mood)),
        11 => Operation::CancelJob(device, call(chance, mood)),
        12 => Operation::RetryTask(device, other, call(chance, mood)),
        13 => Operation::RetryJob(device, call(chance, mood)),
        14 => Operation::DeleteJob(device, call(chance, mood)),
        15 => change_of_device(chance, mood, device),
        16 => Operation::Look(device),
        17 => death(chance, mood),
        18 => Operation::Fails(fault(chance)),
        _ => Operation::ClockJumps(jump(chance)),
    }
}

fn kind(chance: &mut Chance, mood: Mood) -> usize {
    let mut drawn = number(chance, 1000);
    for (kind, share) in shares(mood).into_iter().enumerate() {
        if drawn < share {
            return kind;
        }
        drawn -= share;
    }
    0
}

fn change_of_device(chance: &mut Chance, mood: Mood, device: Choice) -> Operation {
    if number(chance, 7) < 2 {
        Operation::Replace(device, call(chance, mood))
    } else {
        Operation::Disable(device, number(chance, 3) == 0, call(chance, mood))
    }
}

/// Devices of a busy history find the process back before their commands are over.
fn death(chance: &mut Chance, mood: Mood) -> Operation {
    let down = match mood {
        Mood::Sparse => 20_000,
        Mood::Busy => 3_000,
    };
    if number(chance, 3) < 2 {
        Operation::Kill(number(chance, down))
    } else {
        Operation::Restart(number(chance, down))
    }
}

fn number(chance: &mut Chance, below: u32) -> u32 {
    u32::try_from(chance.draw() % u64::from(below)).unwrap_or(0)
}

fn small(chance: &mut Chance, below: u32) -> u8 {
    u8::try_from(number(chance, below)).unwrap_or(0)
}

/// Mostly the last, sometimes one before it.
fn back(chance: &mut Chance) -> Choice {
    if number(chance, 4) == 0 { number(chance, 8) } else { 0 }
}

/// Short ones let things overlap, long ones let windows end.
fn wait(chance: &mut Chance, mood: Mood) -> u32 {
    match (number(chance, 20), mood) {
        (0..10, _) => number(chance, 50),
        (10..16, _) | (16..19, Mood::Busy) => number(chance, 2_000),
        (16 | 17, Mood::Sparse) => number(chance, 30_000),
        _ => number(chance, 100_000),
    }
}

fn answer(chance: &mut Chance) -> Answer {
    match number(chance, 10) {
        0..6 => Answer::Well,
        6..9 => Answer::Badly(i64::from(number(chance, 900)) + 100_000),
        _ => Answer::Rubbish,
    }
}

fn call(chance: &mut Chance, mood: Mood) -> Call {
    let rare = match mood {
        Mood::Sparse => 20,
        Mood::Busy => 60,
    };
    match number(chance, rare) {
        0 => Call::AnswerLost,
        1 => Call::Dies(small(chance, 6)),
        _ => Call::Answered,
    }
}

fn draft(chance: &mut Chance, mood: Mood) -> Draft {
    let (ttl_s, trigger_s) = match mood {
        Mood::Sparse => ([0, 0, 5, 60, 600], [0, 0, 0, 3, 90]),
        Mood::Busy => ([0, 5, 60, 60, 600], [0, 0, 0, 0, 3]),
    };
    let interval_s = [0, 1, 10, 60];
    Draft {
        devices: small(chance, 1 << DEVICES),
        ttl_s: *chance.pick(&ttl_s).unwrap_or(&0),
        reply_s: 1 + number(chance, 40),
        retries: small(chance, 4),
        interval_s: *chance.pick(&interval_s).unwrap_or(&0),
        trigger_s: *chance.pick(&trigger_s).unwrap_or(&0),
        point: number(chance, 4) == 0,
        repeated: number(chance, 4) == 0,
    }
}

fn fault(chance: &mut Chance) -> Fault {
    match number(chance, 4) {
        0 | 1 => Fault::Commits(1 + small(chance, 3)),
        2 => Fault::AnswerLost,
        _ => Fault::Reads(1 + small(chance, 3)),
    }
}

/// Clocks are set right by seconds, and sometimes are wrong by minutes.
fn jump(chance: &mut Chance) -> i32 {
    let size = if number(chance, 3) == 0 { 400_000 } else { 5_000 };
    i32::try_from(number(chance, 2 * size)).unwrap_or(0) - i32::try_from(size).unwrap_or(0)
}
