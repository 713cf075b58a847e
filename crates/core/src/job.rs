//! What a job fixes for all of its tasks, and how their states roll up into the job's own.

use crate::each_at_its_number;
use crate::task::State;
use crate::time::Timestamp;

/// Seconds a device may take to reply, if the operator says nothing.
pub const REPLY_TIMEOUT_DEFAULT_S: i64 = 30;
/// Longest reply timeout, in seconds.
pub const REPLY_TIMEOUT_MAX_S: i64 = 900;
/// Longest time a command may wait for its device, in seconds (48 h).
pub const TTL_MAX_S: i64 = 172_800;
/// Longest pause before an automatic retry, in seconds.
pub const RETRY_INTERVAL_MAX_S: i64 = 86_400;
/// Pause before an automatic retry, in seconds, if the operator says nothing.
pub const RETRY_INTERVAL_DEFAULT_S: i64 = 300;
/// Most automatic retries of a task.
pub const RETRY_COUNT_MAX: u8 = 10;
/// Automatic retries, if they are enabled and the operator says nothing.
pub const RETRY_COUNT_DEFAULT: u8 = 3;
/// A job may be planned at most this far ahead: a year, in milliseconds.
pub const TRIGGER_AHEAD_MAX_MS: i64 = 365 * 24 * 3_600_000;

/// Automatic retry of failed and silent attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Extra attempts after the first.
    pub count: u8,
    /// Pause between the end of an attempt and the next becoming due.
    pub interval_ms: i64,
}

/// Timeouts and retries as accepted at creation, defaults filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// How long a command may wait for its device; 0: only for its turn.
    pub ttl_ms: i64,
    /// How long a device may take to reply, from the intent's commit.
    pub reply_timeout_ms: i64,
    /// `None`: retries are off.
    pub retry: Option<Retry>,
}

/// What `task::step` needs to know of a task's job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// The planned moment of round 0: the later of trigger and creation.
    pub release: Timestamp,
    /// Timeouts and retries.
    pub policy: Policy,
    /// How often the whole job was cancelled; 0: never.
    pub cancel_mark: u16,
}

impl Rules {
    /// How long a round may wait, from its due moment: the TTL, or without one a reply timeout for the turn to come.
    #[must_use]
    pub fn window_ms(&self) -> i64 {
        if self.policy.ttl_ms > 0 {
            self.policy.ttl_ms
        } else {
            self.policy.reply_timeout_ms
        }
    }

    /// The end of round 0's window, one for all tasks of the job.
    #[must_use]
    pub fn first_window_end(&self) -> Timestamp {
        self.release.plus_ms(self.window_ms())
    }
}

/// A job's own state. The numbers are stored: never renumber.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum JobState {
    /// Not triggered; the trigger moves it on.
    Init = 0,
    /// At least one task is missing or not final; its tasks move it on.
    InProgress = 1,
    /// Every task is created and final. A retried task makes it `InProgress` again.
    Finished = 2,
}

impl JobState {
    /// All of them: each stands at its number.
    pub const ALL: [Self; 3] = [Self::Init, Self::InProgress, Self::Finished];
}

each_at_its_number!(JobState::ALL);

/// How many tasks of a job are in each state. Tasks not yet written are counted by `total` alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters([u64; State::COUNT]);

impl Counters {
    /// Tasks in `state`.
    #[must_use]
    pub fn of(&self, state: State) -> u64 {
        self.0[state.index()]
    }

    /// Adds `change` tasks to `state`; a counter never falls below zero.
    pub fn add(&mut self, state: State, change: i64) {
        let counter = &mut self.0[state.index()];
        *counter = counter.saturating_add_signed(change);
    }

    /// All written tasks.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Written tasks that are final.
    #[must_use]
    pub fn ended(&self) -> u64 {
        State::ALL
            .into_iter()
            .filter(|state| state.is_final())
            .map(|state| self.of(state))
            .sum()
    }
}

/// The job's state from what is stored. `total` is `None` before the trigger.
///
/// A job cancelled before its trigger is finished at once: nothing of it will ever run.
#[must_use]
pub fn roll_up(total: Option<u64>, counters: &Counters, cancelled_before_trigger: bool) -> JobState {
    match total {
        None if cancelled_before_trigger => JobState::Finished,
        None => JobState::Init,
        Some(total) if counters.ended() >= total => JobState::Finished,
        Some(_) => JobState::InProgress,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_finished_only_when_all_tasks_are_created_and_final() {
        let mut counters = Counters::default();
        assert_eq!(roll_up(None, &counters, false), JobState::Init);
        assert_eq!(roll_up(None, &counters, true), JobState::Finished);
        assert_eq!(roll_up(Some(0), &counters, false), JobState::Finished);
        assert_eq!(roll_up(Some(2), &counters, false), JobState::InProgress);
        counters.add(State::Succeeded, 1);
        assert_eq!(
            roll_up(Some(2), &counters, false),
            JobState::InProgress,
            "one row is not yet written"
        );
        counters.add(State::Queued, 1);
        assert_eq!(roll_up(Some(2), &counters, false), JobState::InProgress);
        counters.add(State::Queued, -1);
        counters.add(State::Failed, 1);
        assert_eq!(roll_up(Some(2), &counters, false), JobState::Finished);
    }
}
