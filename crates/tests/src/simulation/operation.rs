//! What can happen, as plain data: a list of operations is a whole history, and any part of it is one too.

pub use aldis_faulty_vfs::Trouble;

/// A number that an operation turns into one of what there is at that moment, so that it fits every history.
pub type Choice = u32;

/// How a device answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyKind {
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
    /// The next commit takes this many milliseconds.
    Slow(u32),
    /// After a number of the database's calls to its files, a number of them fail like this. In memory, commits fail.
    Files(Trouble, u8, u8),
    /// The process dies inside a commit, after a number of the database's calls to its files. In memory, before an odd
    /// commit or after it.
    Death(u8),
    /// The same, and the machine loses its power: of what was not durable, some is there and some is not.
    PowerCut(u8),
}

impl Fault {
    /// A commit may be stored although its answer is lost.
    pub(super) fn leaves_doubt(self) -> bool {
        matches!(
            self,
            Self::AnswerLost | Self::Death(_) | Self::PowerCut(_) | Self::Files(..)
        )
    }
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
    /// A single command over the older API, kept for its one device.
    pub single: bool,
}

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Time passes, in milliseconds.
    Wait(u32),
    /// The wall clock jumps, in milliseconds.
    ClockJumps(i32),
    /// The process is stopped by a signal for this many milliseconds, and goes on.
    Stopped(u32),
    /// The wall clock is set right, and the process starts anew with `--accept-clock`, after this many milliseconds.
    AcceptClock(u32),
    /// A device logs in; a session that it has is taken over.
    Connect(Choice),
    /// A device logs in over another one's connection, as a sub-device; a session that it has is taken over.
    LogIn(Choice, Choice),
    /// A device is put under a gateway, away from where it is.
    Move(Choice, Choice, Call),
    /// A device logs in over the gateway that it is under, which comes if it is not there.
    LogInThere(Choice),
    /// A gateway's link breaks.
    DropGateway(Choice),
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
    Reply(Choice, Choice, ReplyKind),
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
    /// The machine loses its power, and all is started again after this many milliseconds.
    PowerCut(u32),
    /// The process stops in order and is started again.
    Restart(u32),
    /// The disk fails.
    Fails(Fault),
}

/// How many devices there are, with one bit each in [`Draft::devices`].
pub(super) const DEVICES: u8 = 6;
/// How many gateways there are beside them.
pub(super) const GATEWAYS: u8 = 2;
