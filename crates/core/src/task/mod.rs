//! One device's share of a job: its states, what can happen to it, and [`step`], the only place where it changes state.
//!
//! The types are here; `step` says which rule applies; the rules stand in `rounds` (becoming due, being sent),
//! `replies` (word from the device or silence) and `endings` (windows, cancellation, a device that goes away).

mod describe;
mod endings;
mod replies;
mod rounds;
mod step;

pub use replies::{OUTPUT_MAX_BYTES, Reply};
pub use rounds::QUEUE_MAX;
pub use step::step;

use crate::each_at_its_number;
use serde::{Deserialize, Serialize};

use crate::ids::{AttemptNo, DeviceNo, TaskNo};
use crate::policy::Rules;
use crate::time::Timestamp;

/// Codes of task results, as the API shows them (docs/api.md, "Result codes").
pub mod code {
    /// The device did as it was told.
    pub const OK: i64 = 0;
    /// The command is larger than the device's client takes.
    pub const TOO_LARGE: i64 = 413;
    /// Cancelled by the operator.
    pub const CANCELLED: i64 = 499;
    /// The device was disabled, or has never been activated.
    pub const NOT_ACTIVE: i64 = 11888;
    /// The device was offline and the command must not wait.
    pub const OFFLINE: i64 = 11900;
    /// Too many commands wait for the device.
    pub const QUEUE_FULL: i64 = 11902;
    /// The window ended before the command could be sent.
    pub const NOT_SENT_IN_TIME: i64 = 11904;
    /// The command was sent and no reply came in time.
    pub const NO_REPLY: i64 = 11915;
    /// All attempt numbers of the task are used up.
    pub const NUMBERS_USED_UP: i64 = 24621;
    /// The reply carries no numeric code.
    pub const BAD_REPLY: i64 = 99400;
    /// The device was deleted or replaced.
    pub const DEVICE_GONE: i64 = 99404;
}

/// Where a task stands. The numbers are stored: never renumber.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum State {
    /// Its job has not triggered. The trigger moves it on; nothing else has to happen.
    Init = 0,
    /// Due, waiting for its device or its turn. Dispatch moves it on; if that never comes, the window's end.
    Queued = 1,
    /// An attempt has ended and the next becomes due at a stored moment.
    RetryWait = 2,
    /// An attempt is durable and handed to the session. The PUBACK, the reply or the reply deadline move it on.
    Published = 3,
    /// The device's MQTT library has taken the attempt. The reply or the reply deadline move it on.
    InProgress = 4,
    /// The device did it. Final.
    Succeeded = 5,
    /// The device refused, or the command could not be sent. Final unless retried by hand.
    Failed = 6,
    /// Withdrawn by the operator. Final.
    Cancelled = 7,
    /// Sent, and no reply within the timeout. Final unless retried by hand.
    ResponseTimedOut = 8,
    /// Never sent: the window ended first. Final unless retried by hand.
    TtlTimedOut = 9,
}

impl State {
    /// How many states there are.
    pub const COUNT: usize = 10;
    /// All of them: each stands at its number.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Init,
        Self::Queued,
        Self::RetryWait,
        Self::Published,
        Self::InProgress,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
        Self::ResponseTimedOut,
        Self::TtlTimedOut,
    ];

    /// The state's number, which is also how it is stored.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The state with this number.
    #[must_use]
    pub fn from_index(index: usize) -> Option<Self> {
        Self::ALL.get(index).copied()
    }

    /// Nothing but a retry by hand moves the task any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Init | Self::Queued | Self::RetryWait | Self::Published | Self::InProgress => false,
            Self::Succeeded | Self::Failed | Self::Cancelled | Self::ResponseTimedOut | Self::TtlTimedOut => true,
        }
    }

    /// An attempt is out and its end is awaited.
    #[must_use]
    pub const fn is_out(self) -> bool {
        matches!(self, Self::Published | Self::InProgress)
    }

    /// The operator may still cancel it.
    #[must_use]
    pub const fn is_cancellable(self) -> bool {
        matches!(self, Self::Init | Self::Queued | Self::RetryWait | Self::Published)
    }
}

each_at_its_number!(State::ALL);
each_at_its_number!(AttemptOutcome::ALL);

/// What came of a task, or of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// 0 for success, the device's code, or one of [`code`].
    pub code: i64,
    /// What happened, in words; tells causes with the same code apart.
    pub desc: String,
    /// The device's output as JSON text, at most [`OUTPUT_MAX_BYTES`].
    pub output: Option<String>,
    /// An attempt really went out and ended like this; false: nothing was sent.
    pub sent: bool,
    /// What programs need to know of `desc`.
    pub notes: OutcomeNotes,
}

/// What an outcome's description says, for programs: text is for people and is not searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutcomeNotes {
    /// The device sent more output than is kept; none is kept then.
    pub output_dropped: bool,
    /// The description ends with what an earlier attempt came to.
    pub repeats_earlier: bool,
}

/// How often a task was tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retries {
    /// Automatic ones in all.
    pub auto: u16,
    /// Automatic ones out of the present budget, which a retry by hand renews.
    pub used: u8,
    /// Those asked for by hand.
    pub manual: u16,
}

/// When things happened to the latest attempt; nothing has, if it never left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AttemptTimes {
    /// The intent's commit.
    pub intent: Option<Timestamp>,
    /// All bytes given to the socket.
    pub handed: Option<Timestamp>,
    /// The device's PUBACK.
    pub acked: Option<Timestamp>,
    /// Its reply, or its reply deadline.
    pub ended: Option<Timestamp>,
}

/// One device's share of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its number; the job is known by the range it lies in.
    pub no: TaskNo,
    /// The device.
    pub device: DeviceNo,
    /// Where it stands.
    pub state: State,
    /// The number of the latest attempt; 0: none yet.
    pub attempt: AttemptNo,
    /// The planned moment of the present round; `None` in round 0, whose moment stands on the job.
    pub due: Option<Timestamp>,
    /// Retry counts.
    pub retries: Retries,
    /// No automatic retry any more: the operator cancelled while the attempt was running.
    pub disarmed: bool,
    /// The job's cancel mark when the task was last retried by hand: older marks do not touch it.
    pub mark: u16,
    /// The latest attempt's times.
    pub times: AttemptTimes,
    /// The last ended attempt, or why nothing was sent.
    pub result: Option<Outcome>,
    /// A success that came after its attempt had been given up: forbids further attempts.
    pub late_success: Option<Outcome>,
    /// The last change of state.
    pub updated: Timestamp,
}

impl Task {
    /// A task as it is born.
    #[must_use]
    pub fn new(no: TaskNo, device: DeviceNo, now: Timestamp) -> Self {
        Self {
            no,
            device,
            state: State::Init,
            attempt: AttemptNo(0),
            due: None,
            retries: Retries::default(),
            disarmed: false,
            mark: 0,
            times: AttemptTimes::default(),
            result: None,
            late_success: None,
            updated: now,
        }
    }

    /// The moment that gives the task its place in the device's queue.
    #[must_use]
    pub fn due_at(&self, rules: &Rules) -> Timestamp {
        self.due.unwrap_or(rules.release)
    }

    /// The end of the present round's window: from then on the command is never sent.
    #[must_use]
    pub fn window_end(&self, rules: &Rules) -> Timestamp {
        self.due_at(rules).plus_ms(rules.window_ms())
    }

    /// The moment at which the task itself has to be looked at again: only for tasks past round 0, which have no part
    /// in their job's one timer.
    #[must_use]
    pub fn wake_at(&self, rules: &Rules) -> Option<Timestamp> {
        match self.state {
            State::RetryWait => self.due,
            State::Queued => self.due.map(|_| self.window_end(rules)),
            State::Init
            | State::Published
            | State::InProgress
            | State::Succeeded
            | State::Failed
            | State::Cancelled
            | State::ResponseTimedOut
            | State::TtlTimedOut => None,
        }
    }

    /// The job was cancelled as a whole, and this task has not been retried by hand since.
    #[must_use]
    pub fn is_covered_by_mark(&self, rules: &Rules) -> bool {
        rules.cancel_mark > self.mark
    }
}

/// Whether the device can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It has a session, settled or not.
    Present,
    /// The server has just started and the device may be on its way back: counts as busy, not as absent.
    Returning,
    /// It has none.
    Absent {
        /// Since when, if known.
        since: Option<Timestamp>,
    },
}

/// What is known of the device at the moment of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    /// It was deleted; its keys may by now name another device.
    pub deleted: bool,
    /// It was disabled.
    pub disabled: bool,
    /// It has logged in at least once.
    pub activated: bool,
    /// Whether it can be reached.
    pub presence: Presence,
    /// Due tasks waiting for it.
    pub queued: usize,
    /// The task whose attempt holds the device's slot.
    pub busy_with: Option<TaskNo>,
    /// Why nothing is sent to it now although it is present and its slot is free.
    pub hold: Option<Hold>,
    /// When it came lately, and left before it was ready for what waited.
    pub visits: Visits,
}

/// Why a device that is present and free is sent nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// The device is not ready for the command yet (docs/device-protocol.md, "Settling").
    Settling,
    /// Sending is held for all devices, because the server's clock is in doubt.
    Clock,
}

/// Most visits that are counted exactly; more are reported as "at least" this number.
pub const VISITS_MAX: usize = 8;

/// The latest moments at which a device left again before it was ready for what waited for it, at most [`VISITS_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Visits([Option<Timestamp>; VISITS_MAX]);

impl Visits {
    /// None at all.
    pub const NONE: Self = Self([None; VISITS_MAX]);

    /// The device has come and left.
    pub fn note(&mut self, left: Timestamp) {
        self.0.rotate_right(1);
        self.0[0] = Some(left);
    }

    /// How many ended at this moment or later.
    #[must_use]
    pub fn since(&self, moment: Timestamp) -> usize {
        self.0.iter().flatten().filter(|left| **left >= moment).count()
    }
}

/// What became of the link while an attempt was out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// The session that took the attempt still lives.
    Up,
    /// It ended at this moment.
    LostAt(Timestamp),
}

/// What can happen to a task.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Event<'a> {
    /// Its round begins: the trigger, or the moment of an automatic retry.
    Due(&'a Condition),
    /// The operator asks for a retry.
    RetryAsked(&'a Condition),
    /// The device's slot is free and it is the task's turn.
    Claimed,
    /// The attempt certainly never left.
    NotSent(AttemptNo, &'a Condition),
    /// The attempt is larger than the device's client takes: it certainly never left, and would not the next time.
    TooLarge(AttemptNo),
    /// The device's PUBACK.
    Acked {
        /// Of which attempt.
        attempt: AttemptNo,
        /// When the attempt was given to the socket.
        handed: Option<Timestamp>,
    },
    /// The device's reply.
    Replied {
        /// To which attempt.
        attempt: AttemptNo,
        /// When the attempt was given to the socket.
        handed: Option<Timestamp>,
        /// What it says.
        reply: &'a Reply,
    },
    /// The stored reply deadline has passed.
    ReplyDeadline {
        /// Of which attempt.
        attempt: AttemptNo,
        /// When the attempt was given to the socket.
        handed: Option<Timestamp>,
        /// What became of the link.
        link: Link,
        /// A message on the command's reply topic came meanwhile, and its id could not be read.
        unreadable: bool,
    },
    /// The window has ended.
    WindowEnded(&'a Condition),
    /// The operator cancels it.
    Cancelled {
        /// The attempt that is out was taken back before any byte of it left.
        withdrawn: bool,
    },
    /// The device was disabled.
    DeviceDisabled,
    /// The device was deleted or replaced by another.
    DeviceDeleted,
}

/// One row of the attempt history: an attempt that the task's row cannot tell by itself, or a late reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRecord {
    /// Which attempt.
    pub attempt: AttemptNo,
    /// How it ended.
    pub how: AttemptOutcome,
    /// When things happened to it. A late reply has only `ended`.
    pub times: AttemptTimes,
    /// What came of it.
    pub outcome: Outcome,
}

/// How an attempt ended. The numbers are stored: never renumber.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum AttemptOutcome {
    /// The device reported success.
    Succeeded = 0,
    /// The device reported failure.
    Failed = 1,
    /// No reply in time.
    TimedOut = 2,
    /// It certainly never left.
    NotSent = 3,
    /// The operator cancelled while it was out.
    Cancelled = 4,
    /// A reply after the attempt had already ended.
    Late = 5,
}

impl AttemptOutcome {
    /// All of them: each stands at its number.
    pub const ALL: [Self; 6] = [
        Self::Succeeded,
        Self::Failed,
        Self::TimedOut,
        Self::NotSent,
        Self::Cancelled,
        Self::Late,
    ];

    /// The number under which it is stored.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// What `step` decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The task as it is from now on.
    pub task: Task,
    /// Rows for the history; mostly none.
    pub ended: Vec<AttemptRecord>,
    /// The attempt that may go to the session once this is committed, with its reply deadline.
    pub publish: Option<Publish>,
    /// What was asked for was declined, but something changed all the same.
    pub declined: Option<Refused>,
}

/// The one effect of a step: send this attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publish {
    /// Its number.
    pub attempt: AttemptNo,
    /// The moment at which its slot is freed if no reply has come.
    pub reply_deadline: Timestamp,
    /// From then on it must not leave.
    pub window_end: Timestamp,
}

/// Why nothing changes. Late and doubled messages are everyday: refusals are values, not failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error, Serialize, Deserialize)]
pub enum Refused {
    /// The event does not concern a task in this state.
    #[error("the task's state does not allow it")]
    WrongState,
    /// The moment has not come.
    #[error("too early")]
    TooEarly,
    /// The window has ended: it must expire, and is never sent.
    #[error("the window has ended")]
    WindowOver,
    /// The event names an attempt that is not the open one.
    #[error("another attempt is open")]
    NotThatAttempt,
    /// The attempt was never made.
    #[error("no such attempt was sent")]
    NeverSent,
    /// Only waiting and published tasks can be cancelled; automatic retries are disarmed all the same.
    #[error("the device is executing the command")]
    Running,
    /// The device's queue is full.
    #[error("too many commands wait for the device")]
    QueueFull,
    /// All attempt numbers are used up.
    #[error("all attempt numbers are used up")]
    NumbersUsedUp,
    /// The device does not exist any more.
    #[error("the device was deleted or replaced")]
    DeviceGone,
}
