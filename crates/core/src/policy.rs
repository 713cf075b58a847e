//! Timeouts and retries: what a job fixes for all of its tasks.

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
