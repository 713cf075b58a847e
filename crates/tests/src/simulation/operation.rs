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

/// The history of a seed.
#[must_use]
pub fn draw(seed: u64, operations: usize) -> Vec<Operation> {
    let mut chance = Chance::new(seed);
    (0..operations).map(|_| one(&mut chance)).collect()
}

fn one(chance: &mut Chance) -> Operation {
    let device = number(chance, 1 << 16);
    let other = number(chance, 1 << 16);
    match number(chance, 1000) {
        0..130 => Operation::Wait(wait(chance)),
        130..210 => Operation::Connect(device),
        210..330 => Operation::Settle(device, if number(chance, 6) == 0 { small(chance, 3) } else { 0 }),
        330..350 => Operation::Drop(device),
        350..430 => Operation::Deliver(device, number(chance, 12) == 0),
        430..510 => Operation::DeliverAll,
        510..570 => Operation::Acknowledge(device, back(chance)),
        570..750 => Operation::Reply(device, back(chance), answer(chance)),
        750..756 => Operation::Forge(device, other),
        756..836 => Operation::Create(draft(chance), call(chance)),
        836..856 => Operation::CancelTask(device, other, call(chance)),
        856..866 => Operation::CancelJob(device, call(chance)),
        866..886 => Operation::RetryTask(device, other, call(chance)),
        886..896 => Operation::RetryJob(device, call(chance)),
        896..912 => Operation::DeleteJob(device, call(chance)),
        912..922 => Operation::Disable(device, number(chance, 3) == 0, call(chance)),
        922..926 => Operation::Replace(device, call(chance)),
        926..960 => Operation::Look(device),
        960..968 => Operation::Kill(number(chance, 20_000)),
        968..972 => Operation::Restart(number(chance, 20_000)),
        972..992 => Operation::Fails(fault(chance)),
        _ => Operation::ClockJumps(jump(chance)),
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
fn wait(chance: &mut Chance) -> u32 {
    match number(chance, 10) {
        0..5 => number(chance, 50),
        5..8 => number(chance, 2_000),
        8 => number(chance, 30_000),
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

fn call(chance: &mut Chance) -> Call {
    match number(chance, 20) {
        0 => Call::AnswerLost,
        1 => Call::Dies(small(chance, 6)),
        _ => Call::Answered,
    }
}

fn draft(chance: &mut Chance) -> Draft {
    let ttl_s = [0, 0, 5, 60, 600];
    let trigger_s = [0, 0, 0, 3, 90];
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
