//! A job's own state, and how the states of its tasks roll up into it.

use crate::each_at_its_number;
use crate::task::State;

/// A job may be planned at most this far ahead: a year, in milliseconds.
pub const TRIGGER_AHEAD_MAX_MS: i64 = 365 * 24 * 3_600_000;

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
