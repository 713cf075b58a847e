//! The rows of the table: a task's state, and what of the task itself changes answers whatever happens.

use aldis_core::ids::{ATTEMPT_MAX, AttemptNo};
use aldis_core::task::{AttemptTimes, Outcome, OutcomeNotes, State, Task};

use crate::support::{RELEASE, new_task};

/// How far the job's cancellation reaches this task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    None,
    /// The whole job was cancelled.
    Covered,
    /// It was, but the task was retried by hand afterwards.
    Exempt,
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) state: State,
    pub(crate) qualifier: Qualifier,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Qualifier {
    Plain,
    JobCancelled,
    Disarmed,
}

impl Row {
    pub(crate) fn all() -> Vec<Self> {
        let plain = State::ALL.map(|state| Self {
            state,
            qualifier: Qualifier::Plain,
        });
        let marked = State::ALL.into_iter().filter(|state| !state.is_final());
        let marked = marked.map(|state| Self {
            state,
            qualifier: Qualifier::JobCancelled,
        });
        let disarmed = Self {
            state: State::InProgress,
            qualifier: Qualifier::Disarmed,
        };
        let mut rows: Vec<Self> = plain.into_iter().chain(marked).chain([disarmed]).collect();
        rows.sort();
        rows
    }

    /// The row that tells of this task.
    pub(crate) fn of(task: &Task, mark: Mark) -> Self {
        let qualifier = match mark {
            _ if task.state.is_final() => Qualifier::Plain,
            _ if task.disarmed => Qualifier::Disarmed,
            Mark::Covered => Qualifier::JobCancelled,
            Mark::None | Mark::Exempt => Qualifier::Plain,
        };
        let state = task.state;
        Self { state, qualifier }
    }

    pub(crate) fn name(self) -> String {
        let state = state_name(self.state);
        match self.qualifier {
            Qualifier::Plain => state.to_owned(),
            Qualifier::JobCancelled => format!("{state}, job cancelled"),
            Qualifier::Disarmed => format!("{state}, retries disarmed"),
        }
    }
}

/// The states as the API spells them, apart from the wait for a retry, which it shows as `QUEUED`.
pub(crate) fn state_name(state: State) -> &'static str {
    match state {
        State::Init => "INIT",
        State::Queued => "QUEUED",
        State::RetryWait => "RETRY WAIT",
        State::Published => "PUBLISHED",
        State::InProgress => "IN_PROGRESS",
        State::Succeeded => "SUCCEED",
        State::Failed => "FAILED",
        State::Cancelled => "CANCELLED",
        State::ResponseTimedOut => "RSP_TIMEOUT",
        State::TtlTimedOut => "TTL_TIMEOUT",
    }
}

/// Every kind of task that can be in `state`, under a job cancelled as `mark` says.
pub(crate) fn tasks(state: State, mark: Mark) -> Vec<Task> {
    let mut tasks = Vec::new();
    for attempt in attempts(state) {
        for used in [0, 1] {
            for disarmed in [false, true] {
                for recorded in [false, true] {
                    tasks.push(task(state, mark, *attempt, used, disarmed, recorded));
                }
            }
        }
    }
    tasks.retain(is_possible);
    tasks
}

/// None yet, the first, a later one, the last number that there is.
fn attempts(state: State) -> &'static [u16] {
    match state {
        State::Init => &[0],
        State::Published | State::InProgress | State::Succeeded | State::ResponseTimedOut => &[1, 2, ATTEMPT_MAX],
        State::Queued | State::RetryWait | State::Failed | State::Cancelled | State::TtlTimedOut => {
            &[0, 1, 2, ATTEMPT_MAX]
        }
    }
}

fn task(state: State, mark: Mark, attempt: u16, used: u8, disarmed: bool, recorded: bool) -> Task {
    let mut task = new_task();
    task.state = state;
    task.attempt = AttemptNo(attempt);
    task.retries.used = used;
    task.disarmed = disarmed;
    task.mark = u16::from(mark == Mark::Exempt);
    task.late_success = recorded.then(success);
    if attempt > 0 {
        task.times = AttemptTimes {
            intent: Some(RELEASE),
            ..AttemptTimes::default()
        };
    }
    if state == State::RetryWait {
        task.due = Some(RELEASE);
    }
    task
}

fn success() -> Outcome {
    Outcome {
        code: 0,
        desc: "OK".to_owned(),
        output: None,
        sent: true,
        notes: OutcomeNotes::default(),
    }
}

/// A success is kept beside the state only while another attempt is out or after a bad end, and only a task that was
/// running can have lost its retries.
fn is_possible(task: &Task) -> bool {
    let keeps_success = task.late_success.is_none()
        || matches!(
            task.state,
            State::Published | State::InProgress | State::Failed | State::ResponseTimedOut | State::TtlTimedOut
        ) && task.attempt > AttemptNo(0);
    let was_running = !task.disarmed
        || matches!(
            task.state,
            State::InProgress | State::Succeeded | State::Failed | State::ResponseTimedOut
        );
    let begun = task.state != State::Init || task.retries.used == 0;
    keeps_success && was_running && begun
}
